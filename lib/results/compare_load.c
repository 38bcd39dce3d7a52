/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "load/compare.h"
#include "results/compare.h"
#include "results/load_test.h"
#include "results/matches.h"

struct side {
    char run[SONDE_DB_NAME_MAX + 1];
    char capture[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    struct sonde_load_result result;
};

static int open_side(struct sonde_db *db, const char *uid, const char *capture, struct side *ret,
                     struct sonde_err *err)
{
    int r = sonde_results_run_name(db, uid, ret->run, err);
    r = r < 0 ? r : sonde_results_load_test_find(db, uid, capture, ret->capture, &ret->result, err);
    return r < 0 ? sonde_err_wrap(err, r, "%.64s", ret->run[0] ? ret->run : uid) : 0;
}

int sonde_results_compare_load(struct sonde_db *db, const struct sonde_results_pair *pair,
                               bool json, struct sonde_buf *buf, struct sonde_err *err)
{
    struct sonde_load_comparison comparison;
    struct sonde_load_side told[SONDE_SIDES];
    SONDE_FREE struct side *sides = calloc(SONDE_SIDES, sizeof(*sides));
    if (!sides) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int r = 0;
    for (int i = 0; i < SONDE_SIDES && r == 0; i++) {
        r = open_side(db, pair->uids[i], pair->captures[i], &sides[i], err);
        told[i] = (struct sonde_load_side){pair->uids[i], sides[i].run, sides[i].capture,
                                           &sides[i].result};
    }
    r = r < 0 ? r : sonde_load_compare(&told[SONDE_BEFORE], &told[SONDE_AFTER], &comparison, err);
    if (r == 0) {
        (json ? sonde_load_comparison_json : sonde_load_comparison_text)(&comparison, buf);
        r = sonde_buf_check(buf, "the comparison", err);
    }
    sonde_load_result_fini(&sides[SONDE_BEFORE].result);
    sonde_load_result_fini(&sides[SONDE_AFTER].result);
    return r;
}
