/* SPDX-License-Identifier: Apache-2.0 */
#include "store/regression.h"

#include <string.h>

#include "base/clock.h"
#include "results/regression.h"

enum { DEFAULT_RUNS = 7 };
#define SINCE_MAX INT64_C(9000000000) /* what nanoseconds have room for */

/* Borrows from the JSON. */
static int read_baseline(const cJSON *json, struct sonde_results_baseline *ret,
                         struct sonde_err *err)
{
    static const char *const strategies[] = {[SONDE_BASELINE_LAST_GOOD] = "LastGood",
                                             [SONDE_BASELINE_ROLLING_MEDIAN] = "RollingMedian",
                                             [SONDE_BASELINE_PINNED] = "Pinned"};
    const char *strategy = sonde_json_string_or(json, "strategy", "");
    int64_t runs = sonde_json_integer_or(json, "runs", DEFAULT_RUNS);
    int64_t since = sonde_json_integer_or(json, "since", 0);
    size_t found = 0;
    while (found < SONDE_LENGTH(strategies) && strcmp(strategies[found], strategy) != 0) {
        found++;
    }
    if (found == SONDE_LENGTH(strategies)) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "baseline.strategy is LastGood, RollingMedian or Pinned");
    }
    *ret = (struct sonde_results_baseline){.strategy = (enum sonde_baseline_strategy)found,
                                           .runs = (size_t)runs,
                                           .run = sonde_json_string_or(json, "runName", "")};
    if (since < 0 || since > SINCE_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0, "baseline.since is in seconds since 1970");
    }
    ret->since_ns = since * SONDE_SECOND;
    if (runs < 1 || runs > SONDE_REGRESSION_HISTORY_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0, "baseline.runs is from 1 to %d",
                          SONDE_REGRESSION_HISTORY_MAX);
    }
    ret->runs = ret->strategy == SONDE_BASELINE_ROLLING_MEDIAN ? ret->runs : 1;
    return ret->strategy == SONDE_BASELINE_PINNED && !ret->run[0]
               ? sonde_fail(err, SONDE_EINVALID, 0, "baseline.runName is missing")
               : 0;
}

int regression_check(const cJSON *baseline, struct sonde_err *err)
{
    struct sonde_results_baseline read;
    if (!baseline || cJSON_IsNull(baseline)) {
        return 0;
    }
    return cJSON_IsObject(baseline) ? read_baseline(baseline, &read, err)
                                    : sonde_fail(err, SONDE_EINVALID, 0, "baseline is no object");
}

static void put(bool compared, bool worse, const char *message, const char *with,
                struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "\"regression\":{\"compared\":%s,\"worse\":%s,\"message\":",
                     compared ? "true" : "false", worse ? "true" : "false");
    sonde_buf_json_string(buf, sonde_str(message));
    sonde_buf_text(buf, ",\"with\":");
    sonde_buf_json_string(buf, sonde_str(with));
    sonde_buf_text(buf, "},");
}

/* What is kept of a comparison, so that the same is answered to the same question asked again. */
static int put_kept(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    SONDE_JSON_AUTO *status = NULL;
    int r = sonde_json_parse(sonde_str(run->status), &status, err);
    const cJSON *kept = cJSON_GetObjectItemCaseSensitive(status, "regression");
    if (r == 0 && cJSON_IsObject(kept)) {
        put(sonde_json_true(kept, "compared"), sonde_json_true(kept, "worse"),
            sonde_json_string_or(kept, "message", ""), sonde_json_string_or(kept, "with", ""),
            context);
    }
    return r;
}

void regression_put(struct sonde_db *db, const char *uid, struct sonde_str baseline,
                    struct sonde_buf *buf)
{
    struct sonde_regression regression = {0};
    struct sonde_results_baseline wanted;
    struct sonde_err err;
    SONDE_JSON_AUTO *json = NULL;
    size_t before = buf->length;
    int r = sonde_db_run_get(db, uid, put_kept, buf, &err);
    if (r < 0 || buf->length > before) {
        return; /* the run is gone; or it was compared when it was asked for before */
    }
    r = sonde_json_parse(baseline, &json, &err);
    r = r < 0 ? r : read_baseline(json, &wanted, &err);
    r = r < 0 ? r : sonde_results_regress(db, uid, &wanted, &regression, &err);
    sonde_regression_fini(&regression);
    r = r < 0 ? r : sonde_db_run_get(db, uid, put_kept, buf, &err);
    if (r < 0) {
        put(false, false, err.message, "", buf);
    }
}
