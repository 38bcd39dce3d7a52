/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/context.h"

#include <stdio.h>
#include <string.h>

#include "spec/artifact.h"

enum { SOURCES_BATCH = 256 << 10 }; /* bytes of an artifact, unless one text has more */

struct writing {
    const char *prefix;
    sonde_context_function put;
    void *context;
    enum sonde_context_kind kind;
    unsigned map_count, batch_count;
    size_t source_bytes;                             /* of all batches so far */
    struct sonde_buf maps, packages, lines, sources; /* entries of JSON arrays */
};

static int put_map(void *context, struct sonde_str url, struct sonde_str text,
                   struct sonde_err *err)
{
    struct writing *w = context;
    char name[SONDE_CONTEXT_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%s.source-map.%u", w->prefix, w->map_count);
    sonde_buf_text(&w->maps, w->map_count++ ? ",{\"url\":" : "{\"url\":");
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
static int put_lines(struct writing *w, struct sonde_str url, struct sonde_str text,
                     struct sonde_err *err)
{
    SONDE_BUF_AUTO entry = SONDE_BUF(SONDE_CONTEXT_MAX / 4);
    bool first = true;
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

/* ---- the texts of scripts ---- */

static int flush_sources(struct writing *w, struct sonde_err *err)
{
    char name[SONDE_CONTEXT_NAME_MAX];
    if (w->sources.length == 0) {
        return 0;
    }
    sonde_buf_text(&w->sources, "]}");
    int r = sonde_buf_check(&w->sources, "the texts of scripts", err);
    (void)snprintf(name, sizeof(name), "%s.sources.%u", w->prefix, w->batch_count++);
    r = r < 0 ? r
              : w->put(w->context, name, SONDE_ARTIFACT_SOURCES, sonde_buf_view(&w->sources), err);
    sonde_buf_clear(&w->sources);
    return r;
}

/* In batches, since an artifact each costs a store more than what is in most of them. */
static int put_source(struct writing *w, struct sonde_str url, struct sonde_str text,
                      struct sonde_err *err)
{
    SONDE_BUF_AUTO entry = SONDE_BUF(SONDE_CONTEXT_SOURCE_MAX);
    sonde_buf_text(&entry, "{\"url\":");
    sonde_buf_json_string(&entry, url);
    sonde_buf_text(&entry, ",\"text\":");
    sonde_buf_json_string(&entry, text);
    sonde_buf_char(&entry, '}');
    if (entry.code == SONDE_ELIMIT || entry.length > SONDE_CONTEXT_SOURCES_MAX - w->source_bytes) {
        return 0;
    }
    int r = sonde_buf_check(&entry, "the text of a script", err);
    if (r == 0 && w->sources.length + entry.length > SOURCES_BATCH) {
        r = flush_sources(w, err);
    }
    w->source_bytes += entry.length;
    sonde_buf_text(&w->sources, w->sources.length ? "," : "{\"sources\":[");
    sonde_buf_str(&w->sources, sonde_buf_view(&entry));
    return r < 0 ? r : sonde_buf_check(&w->sources, "the texts of scripts", err);
}

static int put_own_source(void *context, struct sonde_str file, struct sonde_str text,
                          struct sonde_err *err)
{
    struct writing *w = context;
    return w->kind == SONDE_CONTEXT_PLACES ? 0 : put_source(w, file, text, err);
}

static int put_script(void *context, struct sonde_str url, struct sonde_str text, bool mapped,
                      struct sonde_err *err)
{
    struct writing *w = context;
    int r = w->kind == SONDE_CONTEXT_OFFSETS ? put_lines(w, url, text, err) : 0;
    return r < 0 || mapped || w->kind == SONDE_CONTEXT_PLACES ? r : put_source(w, url, text, err);
}

/* ---- all of it ---- */

enum sonde_context_kind sonde_context_kind_of(const char *type)
{
    bool places = strcmp(type, SONDE_ARTIFACT_EVENT_LOOP) == 0;
    bool offsets = strcmp(type, SONDE_ARTIFACT_COVERAGE) == 0;
    return places ? SONDE_CONTEXT_PLACES : offsets ? SONDE_CONTEXT_OFFSETS : SONDE_CONTEXT_TEXTS;
}

int sonde_context_write(int root, const struct sonde_profile *profile, enum sonde_context_kind kind,
                        struct sonde_str waits, const char *prefix, sonde_context_function put,
                        void *context, struct sonde_err *err)
{
    struct writing w = {.prefix = prefix,
                        .put = put,
                        .context = context,
                        .kind = kind,
                        .maps = SONDE_BUF(SONDE_CONTEXT_MAX / 4),
                        .packages = SONDE_BUF(SONDE_CONTEXT_MAX / 4),
                        .lines = SONDE_BUF(SONDE_CONTEXT_MAX / 4),
                        .sources = SONDE_BUF(SOURCES_BATCH + SONDE_CONTEXT_SOURCE_MAX)};
    const struct sonde_source_files callbacks = {&w, put_map, put_own_source, put_script,
                                                 put_package};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CONTEXT_MAX);
    int r = sonde_source_files_read(root, profile, &callbacks, err);
    r = r < 0 ? r : flush_sources(&w, err);
    sonde_buf_text(&text, "{\"maps\":[");
    sonde_buf_str(&text, sonde_buf_view(&w.maps));
    sonde_buf_text(&text, "],\"packages\":[");
    sonde_buf_str(&text, sonde_buf_view(&w.packages));
    sonde_buf_text(&text, "],\"lines\":[");
    sonde_buf_str(&text, sonde_buf_view(&w.lines));
    sonde_buf_text(&text, "],\"waits\":[");
    sonde_buf_str(&text, waits);
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
    sonde_buf_fini(&w.sources);
    return r;
}
