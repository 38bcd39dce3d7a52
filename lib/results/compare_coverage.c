/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/compare_coverage.h"

#include <stdio.h>
#include <string.h>

#include "codec/json.h"
#include "results/compare.h"
#include "results/reader.h"

/* Bytes of memory: of each of the two, and of what is made of them. */
enum { SIDE_BYTES_MAX = SONDE_PROFILE_BYTES_MAX / 2, COMPARISON_BYTES_MAX = 64 << 20 };

/* ---- which captures ---- */

struct looking {
    const char *wanted;
    bool coverage;
    struct sonde_buf *name; /* of the coverage */
};

static int look(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct looking *looking = context;
    if (looking->wanted && strcmp(looking->wanted, artifact->capture) != 0) {
        return 0;
    }
    if (strcmp(artifact->type, SONDE_ARTIFACT_COVERAGE) != 0) {
        return 0;
    }
    looking->coverage = true;
    if (looking->name->length == 0) {
        sonde_buf_text(looking->name, artifact->capture);
    } else if (!sonde_str_is(sonde_buf_view(looking->name), artifact->capture)) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the run has several captures, among them %s and %s: give --capture NAME",
                          looking->name->data, artifact->capture);
    }
    return sonde_buf_check(looking->name, "a capture's name", err);
}

/* ---- both sides ---- */

struct side {
    struct sonde_results_head head;
    struct sonde_buf capture;
    struct sonde_coverage coverage;
    struct sonde_coverage_analysis analysis;
};

static void side_fini(struct side *side)
{
    sonde_buf_fini(&side->head.directory);
    sonde_buf_fini(&side->capture);
    sonde_coverage_analysis_fini(&side->analysis);
    sonde_coverage_fini(&side->coverage);
}

static int load(struct sonde_db *db, const char *uid, const char *capture, struct side *ret,
                struct sonde_err *err)
{
    struct looking looking = {.wanted = capture, .name = &ret->capture};
    ret->capture = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
    int r = sonde_results_head(db, uid, &ret->head, err);
    r = r < 0 ? r : sonde_db_artifacts(db, uid, look, &looking, err);
    if (r == 0 && !looking.coverage) {
        r = sonde_fail(err, SONDE_EINVALID, 0,
                       "one capture is coverage and the other is not: give --capture NAME");
    }
    r = r < 0 ? r
              : sonde_results_coverage(db, uid, ret->capture.data, SIDE_BYTES_MAX, &ret->coverage,
                                       err);
    r = r < 0 ? r : sonde_coverage_analyze(&ret->coverage, &ret->analysis, err);
    sonde_coverage_analysis_settle(&ret->analysis);
    return r < 0 ? sonde_err_wrap(err, r, "%.64s", ret->head.name[0] ? ret->head.name : uid) : 0;
}

static struct sonde_coverage_side describe(const struct side *side, const char *uid)
{
    return (struct sonde_coverage_side){
        .uid = uid,
        .name = side->head.name,
        .capture = side->capture.data,
        .directory = side->head.directory.data ? side->head.directory.data : "",
        .analysis = &side->analysis,
    };
}

int sonde_results_compare_coverage(struct sonde_db *db, const struct sonde_results_pair *pair,
                                   bool json, struct sonde_buf *buf, struct sonde_err *err)
{
    struct side sides[SONDE_SIDES] = {0};
    struct sonde_coverage_side told[SONDE_SIDES];
    struct sonde_coverage_comparison comparison;
    int r = 0;
    for (int i = 0; i < SONDE_SIDES && r == 0; i++) {
        r = load(db, pair->uids[i], pair->captures[i], &sides[i], err);
        told[i] = describe(&sides[i], pair->uids[i]);
    }
    r = r < 0 ? r
              : sonde_coverage_compare(&told[SONDE_BEFORE], &told[SONDE_AFTER],
                                       COMPARISON_BYTES_MAX, &comparison, err);
    if (r == 0) {
        (json ? sonde_coverage_comparison_json : sonde_coverage_comparison_text)(&comparison, buf);
        sonde_coverage_comparison_fini(&comparison);
        r = sonde_buf_check(buf, "the comparison", err);
    }
    side_fini(&sides[SONDE_BEFORE]);
    side_fini(&sides[SONDE_AFTER]);
    return r;
}
