/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/context.h"

#include <stdio.h>
#include <string.h>

#include "spec/artifact.h"

struct writing {
    const char *prefix;
    sonde_context_function put;
    void *context;
    unsigned count;
    struct sonde_buf maps, packages, lines; /* entries of JSON arrays */
};

static int put_map(void *context, struct sonde_str url, struct sonde_str text,
                   struct sonde_err *err)
{
    struct writing *w = context;
    char name[SONDE_CONTEXT_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%s.source-map.%u", w->prefix, w->count);
    sonde_buf_text(&w->maps, w->count++ ? ",{\"url\":" : "{\"url\":");
    sonde_buf_json_string(&w->maps, url);
    sonde_buf_printf(&w->maps, ",\"artifact\":\"%s\"}", name);
    return w->put(w->context, name, SONDE_ARTIFACT_SOURCE_MAP, text, err);
}

static int put_package(void *context, struct sonde_str directory, const char *version,
                       struct sonde_err *err)
{
    (void)err;
    struct writing *w = context;
    sonde_buf_text(&w->packages, w->packages.length ? ",{\"directory\":" : "{\"directory\":");
    sonde_buf_json_string(&w->packages, directory);
    sonde_buf_text(&w->packages, ",\"version\":");
    sonde_buf_json_string(&w->packages, sonde_str(version));
    sonde_buf_char(&w->packages, '}');
    return 0;
}

/* Scripts whose lines do not fit any more are left out: their code is told by its offsets. */
static int put_lines(void *context, struct sonde_str url, struct sonde_str text,
                     struct sonde_err *err)
{
    struct writing *w = context;
    SONDE_BUF_AUTO entry = SONDE_BUF(SONDE_CONTEXT_MAX / 4);
    bool first = true;
    if (sonde_str_starts(text, "\xef\xbb\xbf")) { /* Node.js leaves the mark out */
        text = (struct sonde_str){text.data + 3, text.length - 3};
    }
    sonde_buf_text(&entry, w->lines.length ? ",{\"url\":" : "{\"url\":");
    sonde_buf_json_string(&entry, url);
    sonde_buf_text(&entry, ",\"lengths\":[");
    while (text.data && entry.code == 0) {
        struct sonde_str line = sonde_str_split(&text, '\n');
        sonde_buf_printf(&entry, first ? "%zu" : ",%zu", sonde_utf16_length(line));
        first = false;
    }
    sonde_buf_text(&entry, "]}");
    if (entry.code == SONDE_ENOMEM) {
        return sonde_buf_check(&entry, "the lines of a script", err);
    }
    if (entry.code == 0 && entry.length <= w->lines.maximum - w->lines.length) {
        sonde_buf_str(&w->lines, sonde_buf_view(&entry));
    }
    return sonde_buf_check(&w->lines, "the lines of scripts", err);
}

enum sonde_context_kind sonde_context_kind_of(const char *type)
{
    return strcmp(type, SONDE_ARTIFACT_COVERAGE) == 0 ? SONDE_CONTEXT_OFFSETS
                                                      : SONDE_CONTEXT_PLACES;
}

int sonde_context_write(int root, const struct sonde_profile *profile, enum sonde_context_kind kind,
                        const char *prefix, sonde_context_function put, void *context,
                        struct sonde_err *err)
{
    struct writing w = {.prefix = prefix,
                        .put = put,
                        .context = context,
                        .maps = SONDE_BUF(SONDE_CONTEXT_MAX / 4),
                        .packages = SONDE_BUF(SONDE_CONTEXT_MAX / 4),
                        .lines = SONDE_BUF(SONDE_CONTEXT_MAX / 4)};
    struct sonde_source_files callbacks = {&w, kind == SONDE_CONTEXT_OFFSETS ? put_lines : NULL,
                                           put_map, put_package};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CONTEXT_MAX);
    int r = sonde_source_files_read(root, profile, &callbacks, err);
    sonde_buf_text(&text, "{\"maps\":[");
    sonde_buf_str(&text, sonde_buf_view(&w.maps));
    sonde_buf_text(&text, "],\"packages\":[");
    sonde_buf_str(&text, sonde_buf_view(&w.packages));
    sonde_buf_text(&text, "],\"lines\":[");
    sonde_buf_str(&text, sonde_buf_view(&w.lines));
    sonde_buf_text(&text, "]}");
    r = r < 0 ? r : sonde_buf_check(&w.maps, "the list of source maps", err);
    r = r < 0 ? r : sonde_buf_check(&w.packages, "the list of packages", err);
    r = r < 0 ? r : sonde_buf_check(&text, "the context", err);
    char name[SONDE_CONTEXT_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%s.context", prefix);
    r = r < 0 ? r : put(context, name, SONDE_ARTIFACT_CONTEXT, sonde_buf_view(&text), err);
    sonde_buf_fini(&w.maps);
    sonde_buf_fini(&w.packages);
    sonde_buf_fini(&w.lines);
    return r;
}
