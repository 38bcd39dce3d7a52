/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "profile/coverage.h"
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

int sonde_results_coverage(struct sonde_db *db, const char *uid, const char *capture,
                           struct sonde_coverage *ret, struct sonde_err *err)
{
    struct loading loading = {db, capture, ret};
    sonde_coverage_init(ret);
    int r = sonde_db_artifacts(db, uid, load_artifact, &loading, err);
    if (r == 0 && ret->files == 0) {
        r = sonde_fail(err, SONDE_ENOTFOUND, 0, "the run has no coverage called %s", capture);
    }
    return r;
}
