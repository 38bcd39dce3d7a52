/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "profile/profile.h"

const char *sonde_category_name(enum sonde_category category)
{
    static const char *const names[] = {
        [SONDE_CATEGORY_APP] = "app",     [SONDE_CATEGORY_DEPENDENCY] = "dependency",
        [SONDE_CATEGORY_NODE] = "node",   [SONDE_CATEGORY_NATIVE] = "native",
        [SONDE_CATEGORY_V8] = "v8",       [SONDE_CATEGORY_WASM] = "wasm",
        [SONDE_CATEGORY_IDLE] = "idle",   [SONDE_CATEGORY_ROOT] = "root",
        [SONDE_CATEGORY_SONDE] = "sonde",
    };
    _Static_assert(SONDE_LENGTH(names) == SONDE_CATEGORY_COUNT, "every category has a name");
    return names[category];
}

static const char *last_part(struct sonde_str text, const char *part)
{
    size_t length = strlen(part);
    const char *found = NULL;
    const char *at = text.data;
    size_t left = text.length;
    while (left && (at = memmem(at, left, part, length))) {
        found = at;
        at += length;
        left = text.length - (size_t)(at - text.data);
    }
    return found;
}

/* "name/…" or "@scope/name/…" at the front of rest, without what follows. */
static struct sonde_str package_name(struct sonde_str rest)
{
    size_t length = 0;
    int slashes = rest.length && rest.data[0] == '@' ? 2 : 1;
    while (length < rest.length && (rest.data[length] != '/' || --slashes > 0)) {
        length++;
    }
    return (struct sonde_str){rest.data, length};
}

static struct sonde_str find_package(struct sonde_str url)
{
    static const char marker[] = "/node_modules/";
    const char *found = last_part(url, marker);
    /* Bundlers write paths without a root into source maps. */
    bool leads = !found && sonde_str_starts(url, marker + 1);
    if (!found && !leads) {
        return (struct sonde_str){0};
    }
    const char *rest = leads ? url.data + sizeof(marker) - 2 : found + sizeof(marker) - 1;
    return package_name((struct sonde_str){rest, (size_t)(url.data + url.length - rest)});
}

static enum sonde_category without_url(struct sonde_str function)
{
    static const struct {
        const char *name;
        enum sonde_category category;
    } special[] = {
        {"(root)", SONDE_CATEGORY_ROOT},
        {"(idle)", SONDE_CATEGORY_IDLE},
        {"(program)", SONDE_CATEGORY_V8},
        {"(garbage collector)", SONDE_CATEGORY_V8},
    };
    for (size_t i = 0; i < SONDE_LENGTH(special); i++) {
        if (sonde_str_is(function, special[i].name)) {
            return special[i].category;
        }
    }
    return SONDE_CATEGORY_NATIVE;
}

enum sonde_category sonde_category_of(struct sonde_str function, struct sonde_str url,
                                      struct sonde_str *ret_package)
{
    *ret_package = (struct sonde_str){0};
    if (url.length == 0 || sonde_str_starts(url, "native ")) {
        return without_url(function);
    }
    if (sonde_str_starts(url, "wasm:")) {
        return SONDE_CATEGORY_WASM;
    }
    if (sonde_str_starts(url, "sonde:")) {
        return SONDE_CATEGORY_SONDE;
    }
    if (sonde_str_starts(url, "node:")) {
        return SONDE_CATEGORY_NODE;
    }
    *ret_package = find_package(url);
    return ret_package->length ? SONDE_CATEGORY_DEPENDENCY : SONDE_CATEGORY_APP;
}

struct sonde_str sonde_package_directory(const struct sonde_frame *frame)
{
    struct sonde_str url = frame->generated.file;
    struct sonde_str package = find_package(url);
    if (!package.length) {
        return (struct sonde_str){0};
    }
    return (struct sonde_str){url.data, (size_t)(package.data + package.length - url.data)};
}

int sonde_url_path(struct sonde_str url, struct sonde_buf *ret, struct sonde_err *err)
{
    if (sonde_str_starts(url, "file://")) {
        url.data += 7;
        url.length -= 7;
    } else if (sonde_str_contains(url, SONDE_STR("://"))) {
        url.length = 0;
    }
    if (url.length == 0 || url.data[0] != '/') {
        return sonde_fail(err, SONDE_EINVALID, 0, "not a path: %.*s", SONDE_STR_ARG(url));
    }
    for (size_t i = 0; i < url.length; i++) {
        uint64_t byte;
        if (url.data[i] == '%' && url.length - i > 2 &&
            sonde_parse_hex64((struct sonde_str){url.data + i + 1, 2}, &byte) == 0 && byte != 0) {
            sonde_buf_char(ret, (char)byte);
            i += 2;
        } else {
            sonde_buf_char(ret, url.data[i]);
        }
    }
    return sonde_buf_check(ret, "a path", err);
}
