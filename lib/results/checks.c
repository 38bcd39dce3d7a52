/* SPDX-License-Identifier: Apache-2.0 */
#include "results/checks.h"

#include <math.h>
#include <string.h>

#include "analysis/functions.h"
#include "codec/json.h"
#include "load/judge.h"
#include "results/load_test.h"
#include "results/reader.h"
#include "spec/reason.h"

enum { LINE_SIZE = 512 };

static const char unmeasured[] = "nothing of it was measured";
static const char highest_rate[] = "the highest rate";

/* ---- the run ---- */

struct reading {
    struct sonde_checks *checks;
    bool of_status; /* the comparison is taken from there */
};

static enum sonde_check_state state_of(bool keeps)
{
    return keeps ? SONDE_CHECK_PASSED : SONDE_CHECK_FAILED;
}

/* The reason of a run that failed for what is a check of its own. */
static bool has_check_of_its_own(const char *reason)
{
    static const char *const reasons[] = {SONDE_REASON_THRESHOLD_BROKEN, SONDE_REASON_REGRESSION};
    bool has = false;
    for (size_t i = 0; i < SONDE_LENGTH(reasons); i++) {
        has = has || strcmp(reason, reasons[i]) == 0;
    }
    return has;
}

static int add_kept_measure(struct sonde_checks *checks, const cJSON *measure,
                            struct sonde_err *err)
{
    bool worse = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(measure, "worse"));
    return sonde_checks_add(checks, SONDE_CHECK_REGRESSION, state_of(!worse),
                            sonde_json_string_or(measure, "name", ""), err, "%.1000s: %.100s",
                            sonde_json_string_or(measure, "text", ""),
                            sonde_json_string_or(measure, "verdict", ""));
}

static int add_kept(struct sonde_checks *checks, const cJSON *kept, struct sonde_err *err)
{
    const cJSON *measure;
    int r = 0;
    if (!cJSON_IsObject(kept)) {
        return 0;
    }
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(kept, "compared"))) {
        return sonde_checks_add(checks, SONDE_CHECK_REGRESSION, SONDE_CHECK_SKIPPED, "the baseline",
                                err, "%.1000s", sonde_json_string_or(kept, "message", ""));
    }
    cJSON_ArrayForEach(measure, cJSON_GetObjectItemCaseSensitive(kept, "measures"))
    {
        r = r < 0 ? r : add_kept_measure(checks, measure, err);
    }
    return r;
}

static int read_run(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct reading *reading = context;
    struct sonde_checks *checks = reading->checks;
    SONDE_JSON_AUTO *status = NULL;
    int r = sonde_json_parse(sonde_str(run->status), &status, err);
    const char *series = sonde_run_series(run); /* CI servers tell cases by it, from run to run */
    checks->name = sonde_checks_keep(checks, series ? series : run->name);
    checks->uid = sonde_checks_keep(checks, run->uid);
    checks->target = sonde_checks_keep(checks, sonde_json_string_or(status, "target", ""));
    checks->start_ns = run->created_ns;
    checks->seconds =
        run->completed_ns > 0 ? (double)(run->completed_ns - run->created_ns) / 1e9 : 0;
    if (r < 0 || !checks->name || !checks->uid || !checks->target) {
        return r < 0 ? r : sonde_fail(err, SONDE_ENOMEM, 0, "the checks: out of memory");
    }
    bool well = run->state == SONDE_RUN_SUCCEEDED || has_check_of_its_own(run->reason);
    r = sonde_checks_add(checks, SONDE_CHECK_RUN, state_of(well), "the run came to its end", err,
                         "%s%s%.1000s", well ? "" : run->reason,
                         !well && run->message[0] ? ": " : "", well ? "" : run->message);
    const cJSON *kept = cJSON_GetObjectItemCaseSensitive(status, "regression");
    return r < 0 || !reading->of_status ? r : add_kept(checks, kept, err);
}

static int add_regression(struct sonde_checks *checks, const struct sonde_regression *regression,
                          struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CHECKS_BYTES_MAX);
    SONDE_JSON_AUTO *json = NULL;
    sonde_regression_json(regression, &text);
    int r = sonde_buf_check(&text, "the comparison", err);
    r = r < 0 ? r : sonde_json_parse(sonde_buf_view(&text), &json, err);
    return r < 0 ? r : add_kept(checks, json, err);
}

/* ---- load tests ---- */

static int add_verdict(struct sonde_checks *checks, enum sonde_check_kind kind,
                       const struct sonde_load_verdict *verdict, bool valid, struct sonde_err *err)
{
    if (isnan(verdict->statistic)) {
        return sonde_checks_add(checks, kind, SONDE_CHECK_FAILED, verdict->text, err, "%s",
                                unmeasured);
    }
    bool doubtful = verdict->keeps && !valid;
    return sonde_checks_add(checks, kind, doubtful ? SONDE_CHECK_SKIPPED : state_of(verdict->keeps),
                            verdict->text, err, "it was %.6g%s", verdict->statistic,
                            doubtful ? ", but the test cannot be believed" : "");
}

static int add_budgeted(struct sonde_checks *checks, const struct sonde_load_result *result,
                        const char *text, struct sonde_err *err)
{
    struct sonde_load_verdict verdict = {.text = text};
    int r = sonde_threshold_parse(sonde_str(text), &verdict.threshold, err);
    if (r < 0) {
        return r;
    }
    (void)sonde_load_judge(&verdict, 1, &result->tally, (double)result->duration_ns / 1e9);
    return add_verdict(checks, SONDE_CHECK_BUDGET, &verdict, result->validity.valid, err);
}

/* One that has found no rate has failed, whatever its last trial kept. */
static int add_search(struct sonde_checks *checks, const struct sonde_load_search *search,
                      struct sonde_err *err)
{
    int64_t rate = sonde_load_search_result(search).lower;
    return rate > 0
               ? sonde_checks_add(checks, SONDE_CHECK_THRESHOLD, SONDE_CHECK_PASSED, highest_rate,
                                  err, "%lld a second", (long long)rate)
               : sonde_checks_add(checks, SONDE_CHECK_THRESHOLD, SONDE_CHECK_FAILED, highest_rate,
                                  err, "none is known that keeps the thresholds");
}

/* Gives the run of the profile that was taken meanwhile; "": there is none. */
static int check_load(struct sonde_db *db, const char *uid, const struct sonde_run_budget *budget,
                      struct sonde_checks *checks, char ret_profile[SONDE_UUID_SIZE],
                      struct sonde_err *err)
{
    struct sonde_load_result result;
    int r = sonde_results_load_test_find(db, uid, NULL, NULL, &result, err);
    for (size_t i = 0; r == 0 && i < result.profile_count && !ret_profile[0]; i++) {
        const struct sonde_load_profiled *profile = &result.profiles[i];
        (void)snprintf(ret_profile, SONDE_UUID_SIZE, "%s", profile->run ? profile->run : "");
    }
    for (size_t i = 0; r == 0 && i < result.verdict_count; i++) {
        r = add_verdict(checks, SONDE_CHECK_THRESHOLD, &result.verdicts[i], result.validity.valid,
                        err);
    }
    r = r < 0 || !result.search ? r : add_search(checks, result.search, err);
    for (size_t i = 0; r == 0 && budget && i < budget->thresholds.count; i++) {
        r = add_budgeted(checks, &result, budget->thresholds.items[i], err);
    }
    sonde_load_result_fini(&result);
    return r;
}

/* ---- profiles ---- */

/* The end of a path: "patients.js" and "routes/patients.js" are of "/app/routes/patients.js". */
static bool is_file(struct sonde_str path, const char *file)
{
    if (!file) {
        return true;
    }
    size_t length = strlen(file);
    return sonde_str_ends(path, file) &&
           (path.length == length || path.data[path.length - length - 1] == '/');
}

/* One profile beside the budget. `of` stands behind the names of its checks, by which CI servers
 * tell them: which one of several captures it is, or nothing. */
struct held {
    const struct sonde_run_budget *budget;
    struct sonde_checks *checks;
    char of[SONDE_DB_ARTIFACT_NAME_MAX + 4];
};

static int add_maximum(const struct held *held, const struct sonde_budget_function *wanted,
                       const char *field, double measured, int64_t maximum, const char *unit,
                       struct sonde_err *err)
{
    char name[2 * LINE_SIZE];
    if (maximum == SONDE_SPEC_ABSENT) {
        return 0;
    }
    (void)snprintf(name, sizeof(name), "%s%s%s: %s%s", wanted->name, wanted->file ? " " : "",
                   wanted->file ? wanted->file : "", field, held->of);
    return sonde_checks_add(held->checks, SONDE_CHECK_BUDGET, state_of(measured <= (double)maximum),
                            name, err, "it takes %.1f %s, of at most %lld", measured, unit,
                            (long long)maximum);
}

static int check_function(const struct held *held, const struct sonde_profile *profile,
                          const struct sonde_function_table *table,
                          const struct sonde_budget_function *wanted, struct sonde_err *err)
{
    int64_t taken = 0;
    int64_t busy = table->whole - table->categories[SONDE_CATEGORY_IDLE];
    for (size_t i = 0; i < table->function_count; i++) {
        const struct sonde_function *function = &table->functions[i];
        const struct sonde_frame *frame = &profile->frames[function->frame];
        if (sonde_str_is(sonde_frame_name(frame), wanted->name) &&
            is_file(sonde_frame_position(frame)->file, wanted->file)) {
            taken += frame->category == SONDE_CATEGORY_APP ? function->blamed : function->self;
        }
    }
    int r = add_maximum(held, wanted, "maxPercent", 100 * sonde_share(taken, busy), wanted->percent,
                        "% of the busy time", err);
    return r < 0 ? r
                 : add_maximum(held, wanted, "maxMillisecondsPerSecond",
                               1000 * sonde_share(taken, table->whole), wanted->milliseconds_second,
                               "ms of each second", err);
}

static int check_time(const struct held *held, const struct sonde_profile *profile,
                      struct sonde_err *err)
{
    const struct sonde_run_budget *budget = held->budget;
    struct sonde_function_table table;
    char name[LINE_SIZE];
    int r = sonde_function_table_init(profile, &table, err);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < budget->functions.count && r == 0; i++) {
        r = check_function(held, profile, &table, &budget->functions.items[i], err);
    }
    if (r == 0 && budget->busy_percent != SONDE_SPEC_ABSENT) {
        int64_t busy = table.whole - table.categories[SONDE_CATEGORY_IDLE];
        double percent = 100 * sonde_share(busy, table.whole);
        (void)snprintf(name, sizeof(name), "busy time%s", held->of);
        r = sonde_checks_add(held->checks, SONDE_CHECK_BUDGET,
                             state_of(percent <= (double)budget->busy_percent), name, err,
                             "%.1f %% of the time, of at most %lld", percent,
                             (long long)budget->busy_percent);
    }
    sonde_function_table_fini(&table);
    return r;
}

static int check_bytes(const struct held *held, const struct sonde_profile *profile,
                       struct sonde_err *err)
{
    const struct sonde_run_budget *budget = held->budget;
    struct sonde_function_table table;
    char name[LINE_SIZE];
    int r = budget->allocated_kilobytes == SONDE_SPEC_ABSENT
                ? 1
                : sonde_function_table_init(profile, &table, err);
    if (r != 0) {
        return r < 0 ? r : 0;
    }
    double kilobytes = (double)table.whole / 1000;
    (void)snprintf(name, sizeof(name), "allocations%s", held->of);
    r = sonde_checks_add(held->checks, SONDE_CHECK_BUDGET,
                         state_of(kilobytes <= (double)budget->allocated_kilobytes), name, err,
                         "%.0f kB, of at most %lld", kilobytes,
                         (long long)budget->allocated_kilobytes);
    sonde_function_table_fini(&table);
    return r;
}

/* ---- what the run has ---- */

enum { TIME, BYTES, PROFILES };

struct found {
    bool load;
    bool budgeted;
    size_t counts[PROFILES];
    char captures[PROFILES][SONDE_RESULTS_CAPTURES_MAX][SONDE_DB_ARTIFACT_NAME_MAX + 1];
    bool measured[PROFILES]; /* by what is in them: the type does not always say it */
};

/* Each capture once, however many windows and processes it has. */
static int look(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct found *found = context;
    unsigned units = sonde_results_units(artifact->type);
    int kind = units & (1U << SONDE_PROFILE_NANOSECONDS) ? TIME : BYTES;
    size_t *count = &found->counts[kind];
    found->load = found->load || strcmp(artifact->type, SONDE_ARTIFACT_LOAD_RESULT) == 0;
    bool known = !found->budgeted || !units || !sonde_results_is_profile(artifact->type);
    for (size_t i = 0; i < *count && !known; i++) {
        known = strcmp(found->captures[kind][i], artifact->capture) == 0;
    }
    if (known) {
        return 0;
    }
    if (*count == SONDE_RESULTS_CAPTURES_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the run has more than %d profiles: too many for a budget",
                          SONDE_RESULTS_CAPTURES_MAX);
    }
    (void)snprintf(found->captures[kind][(*count)++], sizeof(found->captures[kind][0]), "%s",
                   artifact->capture);
    return 0;
}

static int check_profile(struct sonde_db *db, const char *uid, const char *capture,
                         const struct held *held, bool ret_measured[PROFILES],
                         struct sonde_err *err)
{
    struct sonde_profile profile = {0};
    SONDE_BUF_AUTO name = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
    int r = sonde_results_profile(db, uid, capture, &profile, &name, err);
    if (r == 0) {
        bool bytes = profile.unit == SONDE_PROFILE_BYTES;
        ret_measured[bytes ? BYTES : TIME] = true;
        r = (bytes ? check_bytes : check_time)(held, &profile, err);
    }
    sonde_profile_fini(&profile);
    return r;
}

static int check_profiles(struct sonde_db *db, const char *uid,
                          const struct sonde_run_budget *budget, struct found *found,
                          struct sonde_checks *checks, struct sonde_err *err)
{
    int r = 0;
    for (int kind = 0; kind < PROFILES; kind++) {
        struct held held = {.budget = budget, .checks = checks};
        for (size_t i = 0; i < found->counts[kind] && r == 0; i++) {
            const char *capture = found->captures[kind][i];
            if (found->counts[kind] > 1) {
                (void)snprintf(held.of, sizeof(held.of), " (%s)", capture);
            }
            r = check_profile(db, uid, capture, &held, found->measured, err);
        }
    }
    return r;
}

/* A budget for what was not measured is not kept. */
static int add_missing(const struct sonde_run_budget *budget, const struct found *found,
                       struct sonde_checks *checks, struct sonde_err *err)
{
    const struct {
        bool wanted, there;
        const char *name, *what;
    } parts[] = {
        {budget->thresholds.count > 0, found->load, "thresholds", "load test"},
        {budget->functions.count > 0 || budget->busy_percent != SONDE_SPEC_ABSENT,
         found->measured[TIME], "functions", "CPU profile"},
        {budget->allocated_kilobytes != SONDE_SPEC_ABSENT, found->measured[BYTES],
         "maxAllocatedKilobytes", "profile of allocations"},
    };
    int r = 0;
    for (size_t i = 0; i < SONDE_LENGTH(parts) && r == 0; i++) {
        if (parts[i].wanted && !parts[i].there) {
            r = sonde_checks_add(checks, SONDE_CHECK_BUDGET, SONDE_CHECK_FAILED, parts[i].name, err,
                                 "%s: the run has no %s", unmeasured, parts[i].what);
        }
    }
    return r;
}

static int add_report(struct sonde_db *db, const char *uid,
                      const struct sonde_results_checks_wanted *wanted, struct sonde_checks *checks,
                      struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CHECKS_BYTES_MAX / 2);
    const struct sonde_results_request request = {.format = SONDE_RESULTS_TEXT,
                                                  .heap_bytes_max = wanted->heap_bytes_max};
    int r = sonde_results_report(db, uid, &request, &text, err);
    if (r < 0) {
        return r;
    }
    checks->report = sonde_checks_keep(checks, text.data ? text.data : "");
    return checks->report ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "the checks: out of memory");
}

int sonde_results_checks(struct sonde_db *db, const char *uid,
                         const struct sonde_results_checks_wanted *wanted,
                         struct sonde_checks *checks, struct sonde_err *err)
{
    const struct sonde_run_budget *budget = wanted->budget;
    struct reading reading = {checks, wanted->regression == NULL};
    struct found found = {.budgeted = budget != NULL};
    int r = sonde_db_artifacts(db, uid, look, &found, err);
    r = r < 0 ? r : sonde_db_run_get(db, uid, read_run, &reading, err);
    char profile[SONDE_UUID_SIZE] = "";
    r = r < 0 || !found.load ? r : check_load(db, uid, budget, checks, profile, err);
    if (r == 0 && profile[0]) { /* what is missing then is said */
        memset(found.counts, 0, sizeof(found.counts));
        r = sonde_db_artifacts(db, profile, look, &found, err);
    }
    const char *profiled = profile[0] ? profile : uid;
    r = r < 0 || !budget ? r : check_profiles(db, profiled, budget, &found, checks, err);
    r = r < 0 || !budget ? r : add_missing(budget, &found, checks, err);
    r = r < 0 || !wanted->regression ? r : add_regression(checks, wanted->regression, err);
    return r < 0 || !wanted->report ? r : add_report(db, uid, wanted, checks, err);
}
