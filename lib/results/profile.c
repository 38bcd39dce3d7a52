/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "codec/json.h"
#include "results/load.h"
#include "results/maps.h"
#include "results/reader.h"
#include "results/results.h"
#include "results/waits.h"

enum { TEXTS_MAX = 1 << 20 };

struct loading {
    struct sonde_db *db;
    struct sonde_profile *profile;
    const char *wanted;                      /* the capture's name, or NULL */
    struct sonde_buf *found;                 /* the capture's name */
    const struct sonde_results_watch *watch; /* NULL: nobody looks on */
    struct sonde_results_reader *reader;
    struct sonde_results_waits waits;
    struct sonde_arena texts;             /* their names */
    struct sonde_map processes;           /* → index of sources */
    struct sonde_profile_source *sources; /* of SONDE_RESULTS_PROCESSES_MAX */
};

/* The process's place among the sources, a new one if need be. */
static int source_of(struct loading *loading, struct sonde_str process, size_t *ret,
                     struct sonde_err *err)
{
    struct sonde_map_slot *slot;
    bool added = false;
    int r = sonde_map_keep(&loading->processes, process, &loading->texts, NULL, &slot, &added);
    if (r == 0 && added) {
        slot->value = loading->processes.count - 1;
    }
    *ret = r < 0 ? 0 : slot->value;
    return r < 0 ? sonde_fail(err, r, 0, "the run has too many processes") : 0;
}

static int feed(void *context, const void *data, size_t length, struct sonde_err *err)
{
    struct loading *loading = context;
    return sonde_results_reader_feed(loading->reader, data, length, err);
}

static int load_window(struct loading *loading, const struct sonde_artifact *artifact,
                       struct sonde_err *err)
{
    size_t source;
    int r = source_of(loading, sonde_str(artifact->process), &source, err);
    if (r < 0) {
        return r;
    }
    loading->sources[source].waits = sonde_results_waits_find(&loading->waits, artifact);
    r = sonde_results_reader_new(artifact->type, loading->profile, &loading->sources[source],
                                 &loading->reader, err);
    r = r < 0 ? r : sonde_artifact_read(loading->db, artifact, feed, loading, err);
    r = r < 0 ? r : sonde_results_reader_finish(loading->reader, err);
    sonde_results_reader_free(SONDE_TAKE(loading->reader));
    if (r == 0 && loading->watch) {
        r = loading->watch->window(loading->watch->context, loading->profile, err);
    }
    return r < 0 ? sonde_err_wrap(err, r, "%s", artifact->name) : 0;
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
        int r = sonde_buf_check(loading->found, "the capture's name", err);
        if (r < 0) {
            return r;
        }
    } else if (!sonde_str_is(sonde_buf_view(loading->found), artifact->capture)) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the run has several captures, among them %s and %s: give --capture NAME",
                          loading->found->data, artifact->capture);
    }
    return load_window(loading, artifact, err);
}

/* Which version of a package the process had. */
static int apply_versions(void *context, const cJSON *json, struct sonde_err *err)
{
    struct sonde_profile *profile = context;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(json, "packages"))
    {
        struct sonde_str directory = sonde_str(sonde_json_string_or(entry, "directory", ""));
        struct sonde_str version = sonde_str(sonde_json_string_or(entry, "version", ""));
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
                              .waits = SONDE_RESULTS_WAITS,
                              .texts = SONDE_ARENA(TEXTS_MAX),
                              .processes = SONDE_MAP(SONDE_RESULTS_PROCESSES_MAX)};
    int r = sonde_profile_init(ret, err);
    ret->budget.maximum = bytes_max > ret->budget.used ? bytes_max : ret->budget.used;
    loading.sources = calloc(SONDE_RESULTS_PROCESSES_MAX, sizeof(*loading.sources));
    if (r == 0 && !loading.sources) {
        r = sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    r = r < 0 ? r : sonde_results_waits_read(db, uid, capture, &loading.waits, err);
    r = r < 0 ? r : sonde_db_artifacts(db, uid, load_artifact, &loading, err);
    if (r == 0 && ret->windows == 0) {
        r = sonde_fail(err, SONDE_ENOTFOUND, 0,
                       capture ? "the run has no profile called %s" : "the run has no profile%.0s",
                       capture ? capture : "");
    }
    if (r == 0 && ret->unit == SONDE_PROFILE_BYTES) {
        r = sonde_db_run_get(db, uid, read_document, &loading, err);
    }
    r = r < 0 ? r
              : sonde_results_each_context(db, uid, ret_capture->data, apply_versions, ret, err);
    r = r < 0 ? r : sonde_results_map_frames(db, uid, ret_capture->data, ret, err);
    sonde_results_waits_fini(&loading.waits);
    free(loading.sources);
    sonde_map_fini(&loading.processes);
    sonde_arena_fini(&loading.texts);
    return r;
}
