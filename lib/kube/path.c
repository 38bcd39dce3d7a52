/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/path.h"

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool sonde_kube_is_label(struct sonde_str text)
{
    if (text.length == 0 || text.length > SONDE_KUBE_LABEL_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        bool inner = i > 0 && i + 1 < text.length;
        if (!is_lower_or_digit(text.data[i]) && !(inner && text.data[i] == '-')) {
            return false;
        }
    }
    return true;
}

bool sonde_kube_is_name(struct sonde_str text)
{
    if (text.length == 0 || text.length > SONDE_KUBE_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        char before = i ? text.data[i - 1] : '.';
        char after = i + 1 < text.length ? text.data[i + 1] : '.';
        bool joined = is_lower_or_digit(before) && is_lower_or_digit(after);
        bool dashed = (before == '-' || is_lower_or_digit(before)) &&
                      (after == '-' || is_lower_or_digit(after));
        char c = text.data[i];
        if (!is_lower_or_digit(c) && !(c == '.' && joined) && !(c == '-' && dashed)) {
            return false;
        }
    }
    return true;
}

/* "[scheme:]name[:port]", as the proxies of services and pods take it. */
static bool is_proxy_name(struct sonde_str text)
{
    struct sonde_str parts[3];
    size_t count = 0;
    while (text.data) {
        if (count == SONDE_LENGTH(parts)) {
            return false;
        }
        parts[count++] = sonde_str_split(&text, ':');
    }
    if (count == 1) {
        return sonde_kube_is_name(parts[0]);
    }
    if (count == 2) {
        return sonde_kube_is_name(parts[0]) && sonde_kube_is_label(parts[1]);
    }
    bool scheme = sonde_str_is(parts[0], "http") || sonde_str_is(parts[0], "https");
    return count == 3 && scheme && sonde_kube_is_name(parts[1]) &&
           (parts[2].length == 0 || sonde_kube_is_label(parts[2]));
}

static void escape(struct sonde_buf *buf, struct sonde_str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool plain = is_lower_or_digit((char)c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
                     c == '_' || c == '~';
        if (plain) {
            sonde_buf_char(buf, (char)c);
        } else {
            const char code[] = {'%', digits[c >> 4], digits[c & 15]};
            sonde_buf_append(buf, code, sizeof(code));
        }
    }
}

static int refuse(const char *what, const char *text, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EINVALID, 0, "Kubernetes: \"%.80s\" cannot be %s", text, what);
}

static bool given(const char *text)
{
    return text && text[0];
}

static int check(const struct sonde_kube_target *target, struct sonde_err *err)
{
    const struct sonde_kube_resource *r = target->resource;
    bool proxy = given(target->subresource) && strcmp(target->subresource, "proxy") == 0;
    struct sonde_str name = sonde_str(target->name);
    if (given(r->group) && !sonde_kube_is_name(sonde_str(r->group))) {
        return refuse("an API group", r->group, err);
    }
    if (!given(r->version) || !sonde_kube_is_label(sonde_str(r->version))) {
        return refuse("an API version", r->version ? r->version : "", err);
    }
    if (!given(r->plural) || !sonde_kube_is_label(sonde_str(r->plural))) {
        return refuse("a resource", r->plural ? r->plural : "", err);
    }
    if (given(target->namespace) && !sonde_kube_is_label(sonde_str(target->namespace))) {
        return refuse("a namespace", target->namespace, err);
    }
    if (name.length && !(proxy ? is_proxy_name(name) : sonde_kube_is_name(name))) {
        return refuse("a name", target->name, err);
    }
    if (given(target->subresource) &&
        (name.length == 0 || !sonde_kube_is_label(sonde_str(target->subresource)))) {
        return refuse("a subresource of this", target->subresource, err);
    }
    if (given(target->tail) && !proxy) {
        return refuse("a path here: only a proxy has one", target->tail, err);
    }
    return 0;
}

static int add_tail(struct sonde_str rest, struct sonde_buf *ret, struct sonde_err *err)
{
    while (rest.data) {
        struct sonde_str segment = sonde_str_split(&rest, '/');
        if (sonde_str_is(segment, ".") || sonde_str_is(segment, "..")) {
            return sonde_fail(err, SONDE_EINVALID, 0, "Kubernetes: a path with \"..\" or \".\"");
        }
        sonde_buf_char(ret, '/');
        escape(ret, segment);
    }
    return 0;
}

static void add_part(struct sonde_buf *buf, const char *part)
{
    if (given(part)) {
        sonde_buf_char(buf, '/');
        sonde_buf_text(buf, part);
    }
}

int sonde_kube_path(const struct sonde_kube_target *target, struct sonde_buf *ret,
                    struct sonde_err *err)
{
    int r = check(target, err);
    if (r < 0) {
        return r;
    }
    sonde_buf_text(ret, given(target->resource->group) ? "/apis" : "/api");
    add_part(ret, target->resource->group);
    add_part(ret, target->resource->version);
    if (given(target->namespace)) {
        sonde_buf_text(ret, "/namespaces");
        add_part(ret, target->namespace);
    }
    add_part(ret, target->resource->plural);
    add_part(ret, target->name);
    add_part(ret, target->subresource);
    if (given(target->tail)) {
        r = add_tail(sonde_str(target->tail), ret, err);
    }
    return r < 0 ? r : sonde_buf_check(ret, "the path of a Kubernetes request", err);
}

void sonde_kube_query(struct sonde_buf *path, const char *name, struct sonde_str value)
{
    if (!value.data) {
        return;
    }
    bool first = !path->data || !memchr(path->data, '?', path->length);
    sonde_buf_char(path, first ? '?' : '&');
    sonde_buf_text(path, name);
    sonde_buf_char(path, '=');
    escape(path, value);
}

void sonde_kube_query_number(struct sonde_buf *path, const char *name, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    sonde_kube_query(path, name, sonde_str(text));
}
