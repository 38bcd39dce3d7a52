/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "codec/json.h"
#include "results/load.h"
#include "results/maps.h"
#include "results/reader.h"
#include "results/results.h"

enum { MAPS_MAX = 8192, TEXTS_MAX = 8 << 20 };

struct loading {
    struct sonde_db *db;
    struct sonde_profile *profile;
    const char *wanted;                      /* the capture's name, or NULL */
    struct sonde_buf *found;                 /* the capture's name */
    const struct sonde_results_watch *watch; /* NULL: nobody looks on */
    struct sonde_results_reader *reader;
    struct sonde_arena texts;             /* the keys of both maps */
    struct sonde_map processes;           /* → index of sources */
    struct sonde_map applied_maps;        /* "SHA-256 URL" of the source maps that were applied */
    struct sonde_profile_source *sources; /* of SONDE_RESULTS_PROCESSES_MAX */
    cJSON *json;                          /* of the context whose maps are being applied */
    sonde_results_map_callback use_map;   /* what is done with a map … */
    void *use_context;                    /* … and for whom */
};

/* Finds the key, or adds it with a copy of its text. 1: it is new. */
static int remember(struct loading *loading, struct sonde_map *map, struct sonde_str key,
                    struct sonde_map_slot **ret, struct sonde_err *err)
{
    bool added = false;
    int r = sonde_map_insert(map, key, ret, &added);
    if (r == 0 && added) {
        struct sonde_str copy = sonde_arena_copy(&loading->texts, key);
        r = copy.data ? 1 : SONDE_ENOMEM;
        (*ret)->key = copy;
        (*ret)->value = map->count - 1;
    }
    return r < 0 ? sonde_fail(err, r, 0, "the run has too many processes or source maps") : r;
}

static int feed(void *context, const void *data, size_t length, struct sonde_err *err)
{
    struct loading *loading = context;
    return sonde_results_reader_feed(loading->reader, data, length, err);
}

static int load_window(struct loading *loading, const struct sonde_artifact *artifact,
                       struct sonde_err *err)
{
    struct sonde_map_slot *slot = NULL;
    int r = remember(loading, &loading->processes, sonde_str(artifact->process), &slot, err);
    if (r < 0) {
        return r;
    }
    r = sonde_results_reader_new(artifact->type, loading->profile, &loading->sources[slot->value],
                                 &loading->reader, err);
    r = r < 0 ? r : sonde_artifact_read(loading->db, artifact, feed, loading, err);
    r = r < 0 ? r : sonde_results_reader_finish(loading->reader, err);
    sonde_results_reader_free(SONDE_TAKE(loading->reader));
    if (r == 0 && loading->watch) {
        r = loading->watch->window(loading->watch->context, loading->profile, err);
    }
    return r < 0 ? sonde_err_wrap(err, r, "%s", artifact->name) : 0;
}

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "an artifact", err);
}

static int load_artifact(void *context, const struct sonde_artifact *artifact,
                         struct sonde_err *err)
{
    struct loading *loading = context;
    if (!sonde_results_is_profile(artifact->type) ||
        (loading->wanted && strcmp(loading->wanted, artifact->capture) != 0)) {
        return 0;
    }
    if (loading->found->length == 0) {
        sonde_buf_text(loading->found, artifact->capture);
    } else if (!sonde_str_is(sonde_buf_view(loading->found), artifact->capture)) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the run has several captures, among them %s and %s: give --capture NAME",
                          loading->found->data, artifact->capture);
    }
    return load_window(loading, artifact, err);
}

static int apply_map(void *context, struct sonde_str url, struct sonde_str text,
                     struct sonde_err *err)
{
    struct sonde_profile *profile = context;
    struct sonde_source_map *map = NULL;
    int r = 0;
    if (sonde_source_map_parse(text, &map, NULL) == 0) {
        r = sonde_profile_apply_source_map(profile, url, map, err);
    }
    sonde_source_map_free(map); /* a malformed map leaves the engine's positions */
    return r;
}

/* The map's text and place are the same in pods of one image: it is used once. */
static int read_map(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct loading *loading = context;
    const cJSON *entry;
    const char *url = NULL;
    if (strcmp(artifact->type, SONDE_ARTIFACT_SOURCE_MAP) != 0 ||
        artifact->bytes > SONDE_SOURCE_MAP_BYTES_MAX) {
        return 0; /* without it the engine's positions stay */
    }
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(loading->json, "maps"))
    {
        if (strcmp(sonde_json_string_or(entry, "artifact", ""), artifact->name) == 0) {
            url = sonde_json_string_or(entry, "url", NULL);
        }
    }
    if (!url) {
        return 0;
    }
    SONDE_BUF_AUTO key = SONDE_BUF(SONDE_PROFILE_NAME_MAX + SONDE_SHA256_TEXT + 1);
    sonde_buf_printf(&key, "%s %.4096s", artifact->sha256, url);
    int r = sonde_buf_check(&key, "a script's URL", err);
    struct sonde_map_slot *slot = NULL;
    r = r < 0 ? r : remember(loading, &loading->applied_maps, sonde_buf_view(&key), &slot, err);
    if (r <= 0) {
        return r;
    }
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_SOURCE_MAP_BYTES_MAX);
    r = sonde_artifact_read(loading->db, artifact, append, &text, err);
    return r < 0
               ? r
               : loading->use_map(loading->use_context, sonde_str(url), sonde_buf_view(&text), err);
}

static int apply_versions(struct loading *loading, struct sonde_err *err)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(loading->json, "packages"))
    {
        struct sonde_str directory = sonde_str(sonde_json_string_or(entry, "directory", ""));
        struct sonde_str version = sonde_str(sonde_json_string_or(entry, "version", ""));
        struct sonde_profile *profile = loading->profile;
        int r = sonde_profile_text(profile, version, &version, err);
        for (size_t i = 0; i < profile->frame_count && r == 0; i++) {
            if (profile->frames[i].category == SONDE_CATEGORY_DEPENDENCY &&
                sonde_str_equal(sonde_package_directory(&profile->frames[i]), directory)) {
                profile->frames[i].version = version;
            }
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Which maps and versions belong to a process's part of the capture. */
static int apply_context(void *context, const struct sonde_artifact *artifact,
                         struct sonde_err *err)
{
    struct loading *loading = context;
    if (strcmp(artifact->type, SONDE_ARTIFACT_CONTEXT) != 0 ||
        !sonde_str_is(sonde_buf_view(loading->found), artifact->capture)) {
        return 0;
    }
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_RESULTS_CONTEXT_MAX);
    int r = sonde_artifact_read(loading->db, artifact, append, &text, err);
    r = r < 0 ? r : sonde_json_parse(sonde_buf_view(&text), &loading->json, err);
    r = r < 0 || !loading->profile ? r : apply_versions(loading, err);
    r = r < 0 ? r : sonde_db_artifacts(loading->db, artifact->run_uid, read_map, loading, err);
    cJSON_Delete(SONDE_TAKE(loading->json));
    return r;
}

/* Whether V8 was told to keep what was collected: only the document says so. */
static int read_document(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct loading *loading = context;
    SONDE_JSON_AUTO *document = NULL;
    const cJSON *capture;
    int r = sonde_json_parse(sonde_str(run->spec), &document, err);
    const cJSON *spec = cJSON_GetObjectItemCaseSensitive(document, "spec");
    cJSON_ArrayForEach(capture, cJSON_GetObjectItemCaseSensitive(spec, "captures"))
    {
        const char *name = sonde_json_string_or(capture, "name", "");
        if (sonde_str_is(sonde_buf_view(loading->found), name)) {
            loading->profile->collected =
                loading->profile->collected || sonde_json_true(capture, "includeCollected");
        }
    }
    return r;
}

int sonde_results_profile(struct sonde_db *db, const char *uid, const char *capture,
                          struct sonde_profile *ret, struct sonde_buf *ret_capture,
                          struct sonde_err *err)
{
    return sonde_results_load(db, uid, capture, SONDE_PROFILE_BYTES_MAX, NULL, ret, ret_capture,
                              err);
}

int sonde_results_load(struct sonde_db *db, const char *uid, const char *capture, size_t bytes_max,
                       const struct sonde_results_watch *watch, struct sonde_profile *ret,
                       struct sonde_buf *ret_capture, struct sonde_err *err)
{
    struct loading loading = {.db = db,
                              .profile = ret,
                              .wanted = capture,
                              .found = ret_capture,
                              .watch = watch,
                              .use_map = apply_map,
                              .use_context = ret,
                              .texts = SONDE_ARENA(TEXTS_MAX),
                              .processes = SONDE_MAP(SONDE_RESULTS_PROCESSES_MAX),
                              .applied_maps = SONDE_MAP(MAPS_MAX)};
    int r = sonde_profile_init(ret, err);
    ret->budget.maximum = bytes_max > ret->budget.used ? bytes_max : ret->budget.used;
    loading.sources = calloc(SONDE_RESULTS_PROCESSES_MAX, sizeof(*loading.sources));
    if (r == 0 && !loading.sources) {
        r = sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    r = r < 0 ? r : sonde_db_artifacts(db, uid, load_artifact, &loading, err);
    if (r == 0 && ret->windows == 0) {
        r = sonde_fail(err, SONDE_ENOTFOUND, 0,
                       capture ? "the run has no profile called %s" : "the run has no profile%.0s",
                       capture ? capture : "");
    }
    if (r == 0 && ret->unit == SONDE_PROFILE_BYTES) {
        r = sonde_db_run_get(db, uid, read_document, &loading, err);
    }
    r = r < 0 ? r : sonde_db_artifacts(db, uid, apply_context, &loading, err);
    free(loading.sources);
    sonde_map_fini(&loading.processes);
    sonde_map_fini(&loading.applied_maps);
    sonde_arena_fini(&loading.texts);
    return r;
}

int sonde_results_each_map(struct sonde_db *db, const char *uid, const char *capture,
                           sonde_results_map_callback callback, void *context,
                           struct sonde_err *err)
{
    SONDE_BUF_AUTO name = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
    struct loading loading = {.db = db,
                              .found = &name,
                              .use_map = callback,
                              .use_context = context,
                              .texts = SONDE_ARENA(TEXTS_MAX),
                              .processes = SONDE_MAP(SONDE_RESULTS_PROCESSES_MAX),
                              .applied_maps = SONDE_MAP(MAPS_MAX)};
    sonde_buf_text(&name, capture);
    int r = sonde_buf_check(&name, "a capture's name", err);
    r = r < 0 ? r : sonde_db_artifacts(db, uid, apply_context, &loading, err);
    sonde_map_fini(&loading.applied_maps);
    sonde_map_fini(&loading.processes);
    sonde_arena_fini(&loading.texts);
    return r;
}
