/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "profile/coverage.h"
#include "results/maps.h"
#include "results/results.h"

struct loading {
    struct sonde_db *db;
    const char *capture;
    struct sonde_coverage *coverage;
};

static int feed(void *context, const void *data, size_t length, struct sonde_err *err)
{
    return sonde_coverage_feed(context, data, length, err);
}

static int load_artifact(void *context, const struct sonde_artifact *artifact,
                         struct sonde_err *err)
{
    struct loading *loading = context;
    if (strcmp(artifact->type, SONDE_ARTIFACT_COVERAGE) != 0 ||
        strcmp(artifact->capture, loading->capture) != 0) {
        return 0;
    }
    struct sonde_coverage_reader *reader = NULL;
    int r = sonde_coverage_reader_new(loading->coverage, &reader, err);
    r = r < 0 ? r : sonde_artifact_read(loading->db, artifact, feed, reader, err);
    r = r < 0 ? r : sonde_coverage_finish(reader, err);
    sonde_coverage_reader_free(reader);
    return r < 0 ? sonde_err_wrap(err, r, "%s", artifact->name) : 0;
}

/* {"url", "lengths": […]} */
static int add_script(struct sonde_coverage *coverage, const cJSON *entry, struct sonde_err *err)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(entry, "lengths");
    const cJSON *length;
    size_t count = (size_t)cJSON_GetArraySize(list);
    SONDE_FREE uint32_t *lengths = calloc(count + 1, sizeof(*lengths));
    if (!lengths) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    count = 0;
    cJSON_ArrayForEach(length, list)
    {
        bool good =
            cJSON_IsNumber(length) && length->valuedouble >= 0 && length->valuedouble < INT32_MAX;
        lengths[count++] = good ? (uint32_t)length->valuedouble : 0;
    }
    return sonde_coverage_add_lengths(coverage, sonde_str(sonde_json_string_or(entry, "url", "")),
                                      lengths, count, err);
}

static int add_lines(void *context, const cJSON *json, struct sonde_err *err)
{
    const cJSON *entry;
    int r = 0;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(json, "lines"))
    {
        r = r < 0 ? r : add_script(context, entry, err);
    }
    return r;
}

static int apply_map(void *context, struct sonde_str url, struct sonde_str text,
                     struct sonde_err *err)
{
    struct sonde_source_map *map = NULL;
    int r = 0;
    if (sonde_source_map_parse(text, &map, NULL) == 0) {
        r = sonde_coverage_apply_source_map(context, url, map, err);
    }
    sonde_source_map_free(map); /* a malformed map leaves the engine's places */
    return r;
}

int sonde_results_coverage(struct sonde_db *db, const char *uid, const char *capture,
                           size_t bytes_max, struct sonde_coverage *ret, struct sonde_err *err)
{
    struct loading loading = {db, capture, ret};
    sonde_coverage_init(ret);
    ret->budget.maximum = bytes_max;
    int r = sonde_db_artifacts(db, uid, load_artifact, &loading, err);
    if (r == 0 && ret->files == 0) {
        r = sonde_fail(err, SONDE_ENOTFOUND, 0, "the run has no coverage called %s", capture);
    }
    r = r < 0 ? r : sonde_results_each_context(db, uid, capture, add_lines, ret, err);
    return r < 0 ? r : sonde_results_each_map(db, uid, capture, apply_map, ret, err);
}
