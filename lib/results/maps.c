/* SPDX-License-Identifier: Apache-2.0 */
#include "results/maps.h"

#include <string.h>

#include "base/map.h"
#include "results/results.h"

enum { MAPS_MAX = 8192, TEXTS_MAX = 8 << 20 };

/* ---- contexts and texts ---- */

struct documents {
    struct sonde_db *db;
    const char *capture;
    const char *type; /* of the artifacts */
    sonde_results_context_callback callback;
    void *context;
};

static int read_document(void *context, const struct sonde_artifact *artifact,
                         struct sonde_err *err)
{
    const struct documents *documents = context;
    if (strcmp(artifact->type, documents->type) != 0 ||
        strcmp(artifact->capture, documents->capture) != 0) {
        return 0;
    }
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_RESULTS_CONTEXT_MAX);
    SONDE_JSON_AUTO *json = NULL;
    int r = sonde_artifact_text(documents->db, artifact, &text, err);
    r = r < 0 ? r : sonde_json_parse(sonde_buf_view(&text), &json, err);
    return r < 0 ? r : documents->callback(documents->context, json, err);
}

int sonde_results_each_context(struct sonde_db *db, const char *uid, const char *capture,
                               sonde_results_context_callback callback, void *context,
                               struct sonde_err *err)
{
    struct documents documents = {db, capture, SONDE_ARTIFACT_CONTEXT, callback, context};
    return sonde_db_artifacts(db, uid, read_document, &documents, err);
}

struct texts {
    sonde_results_text_callback callback;
    void *context;
};

static int read_texts(void *context, const cJSON *json, struct sonde_err *err)
{
    const struct texts *texts = context;
    const cJSON *entry;
    int r = 0;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(json, "sources"))
    {
        const char *url = sonde_json_string_or(entry, "url", "");
        const char *text = sonde_json_string_or(entry, "text", "");
        r = r < 0 ? r : texts->callback(texts->context, sonde_str(url), sonde_str(text), err);
    }
    return r;
}

int sonde_results_each_text(struct sonde_db *db, const char *uid, const char *capture,
                            sonde_results_text_callback callback, void *context,
                            struct sonde_err *err)
{
    struct texts texts = {callback, context};
    struct documents documents = {db, capture, SONDE_ARTIFACT_SOURCES, read_texts, &texts};
    return sonde_db_artifacts(db, uid, read_document, &documents, err);
}

/* ---- maps ---- */

struct maps {
    struct sonde_db *db;
    const char *uid;
    const cJSON *json;       /* of the context at hand */
    struct sonde_arena keys; /* "SHA-256 URL" of … */
    struct sonde_map used;   /* … those that were passed on */
    sonde_results_map_callback callback;
    void *context;
};

/* 1: it is new. The map's text and place are the same in pods of one image: it is used once. */
static int is_new(struct maps *maps, const struct sonde_artifact *artifact, const char *url,
                  struct sonde_err *err)
{
    SONDE_BUF_AUTO key = SONDE_BUF(SONDE_PROFILE_NAME_MAX + SONDE_SHA256_TEXT + 1);
    struct sonde_map_slot *slot;
    bool fresh = false;
    sonde_buf_printf(&key, "%s %.4096s", artifact->sha256, url);
    int r = sonde_buf_check(&key, "a script's URL", err);
    if (r < 0) {
        return r;
    }
    r = sonde_map_keep(&maps->used, sonde_buf_view(&key), &maps->keys, NULL, &slot, &fresh);
    return r < 0 ? sonde_fail(err, r, 0, "the run has too many source maps") : fresh;
}

static int read_map(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct maps *maps = context;
    const cJSON *entry;
    const char *url = NULL;
    if (strcmp(artifact->type, SONDE_ARTIFACT_SOURCE_MAP) != 0 ||
        artifact->bytes > SONDE_SOURCE_MAP_BYTES_MAX) {
        return 0; /* without it the engine's positions stay */
    }
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(maps->json, "maps"))
    {
        if (strcmp(sonde_json_string_or(entry, "artifact", ""), artifact->name) == 0) {
            url = sonde_json_string_or(entry, "url", NULL);
        }
    }
    int r = url ? is_new(maps, artifact, url, err) : 0;
    if (r <= 0) {
        return r;
    }
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_SOURCE_MAP_BYTES_MAX);
    r = sonde_artifact_text(maps->db, artifact, &text, err);
    return r < 0 ? r : maps->callback(maps->context, sonde_str(url), sonde_buf_view(&text), err);
}

static int read_maps(void *context, const cJSON *json, struct sonde_err *err)
{
    struct maps *maps = context;
    maps->json = json;
    return sonde_db_artifacts(maps->db, maps->uid, read_map, maps, err);
}

int sonde_results_each_map(struct sonde_db *db, const char *uid, const char *capture,
                           sonde_results_map_callback callback, void *context,
                           struct sonde_err *err)
{
    struct maps maps = {.db = db,
                        .uid = uid,
                        .keys = SONDE_ARENA(TEXTS_MAX),
                        .used = SONDE_MAP(MAPS_MAX),
                        .callback = callback,
                        .context = context};
    int r = sonde_results_each_context(db, uid, capture, read_maps, &maps, err);
    sonde_map_fini(&maps.used);
    sonde_arena_fini(&maps.keys);
    return r;
}

static int map_frames(void *context, struct sonde_str url, struct sonde_str text,
                      struct sonde_err *err)
{
    struct sonde_source_map *map = NULL;
    int r = 0;
    if (sonde_source_map_parse(text, &map, NULL) == 0) {
        r = sonde_profile_apply_source_map(context, url, map, err);
    }
    sonde_source_map_free(map);
    return r;
}

int sonde_results_map_frames(struct sonde_db *db, const char *uid, const char *capture,
                             struct sonde_profile *profile, struct sonde_err *err)
{
    return sonde_results_each_map(db, uid, capture, map_frames, profile, err);
}
