/* SPDX-License-Identifier: Apache-2.0 */
/* A run that is kept, against its thresholds, a baseline and a budget: `sonde check` of who has no
 * store of their own. */
#include <stdio.h>
#include <string.h>

#include "load/checks.h"
#include "results/checks.h"
#include "results/regression.h"
#include "spec/budget.h"
#include "store/service.h"

enum { BASELINE_MAX = 256 };

static const struct {
    const char *name, *media_type;
    void (*print)(const struct sonde_checks *checks, struct sonde_buf *buf);
    bool report; /* it has the report, too */
} formats[] = {
    {"text", "text/plain; charset=utf-8", sonde_checks_text, false},
    {"json", "application/json", sonde_checks_json, false},
    {"junit", "application/xml", sonde_checks_junit, true},
    {"markdown", "text/markdown; charset=utf-8", sonde_checks_markdown, true},
};

/* What is asked for: a line each of format, runs and baseline, then the budget. */
struct wanted {
    uint64_t format, runs;
    char baseline[BASELINE_MAX];
    struct sonde_str budget;
};

static int read_argument(const char *argument, struct wanted *ret, struct sonde_err *err)
{
    struct sonde_str rest = sonde_str(argument);
    struct sonde_str format = sonde_str_split(&rest, '\n');
    struct sonde_str runs = sonde_str_split(&rest, '\n');
    struct sonde_str baseline = sonde_str_split(&rest, '\n');
    *ret = (struct wanted){.budget = rest};
    (void)snprintf(ret->baseline, sizeof(ret->baseline), "%.*s", SONDE_STR_ARG(baseline));
    return sonde_parse_u64(format, 0, SONDE_LENGTH(formats) - 1, &ret->format) < 0 ||
                   sonde_parse_u64(runs, 0, SONDE_REGRESSION_HISTORY_MAX, &ret->runs) < 0
               ? sonde_fail(err, SONDE_EINTERNAL, 0, "a check that nobody asked for")
               : 0;
}

static int compare(struct sonde_db *db, const char *uid, const struct wanted *wanted,
                   struct sonde_regression *ret, struct sonde_err *err)
{
    const struct sonde_results_baseline baseline = {
        .strategy = SONDE_BASELINE_PINNED, .runs = (size_t)wanted->runs, .run = wanted->baseline};
    if (!wanted->baseline[0]) {
        return 0;
    }
    return sonde_results_regression(db, uid, &baseline, ret, err);
}

static int check(struct sonde_db *db, const char *uid, const struct wanted *wanted,
                 const struct job_bounds *bounds, struct sonde_checks *checks,
                 struct sonde_err *err)
{
    struct sonde_spec_documents documents = {0};
    struct sonde_regression regression = {0};
    struct sonde_results_checks_wanted own = {.report = formats[wanted->format].report,
                                              .heap_bytes_max = bounds->heap_bytes};
    int r = wanted->budget.length
                ? sonde_spec_parse_budget("budget", wanted->budget, &documents, &own.budget, err)
                : 0;
    r = r < 0 ? r : compare(db, uid, wanted, &regression, err);
    own.regression = regression.message[0] ? &regression : NULL;
    r = r < 0 ? r : sonde_results_checks(db, uid, &own, checks, err);
    sonde_regression_fini(&regression);
    sonde_spec_documents_fini(&documents);
    return r;
}

static void work(struct sonde_db *db, const char *uid, const char *argument,
                 const struct job_bounds *bounds, struct job_result *ret)
{
    struct wanted wanted;
    struct sonde_checks checks;
    sonde_checks_init(&checks);
    if (read_argument(argument, &wanted, &ret->err) == 0 &&
        check(db, uid, &wanted, bounds, &checks, &ret->err) == 0) {
        formats[wanted.format].print(&checks, &ret->text);
        ret->status = 200;
        ret->media_type = formats[wanted.format].media_type;
    }
    sonde_checks_fini(&checks);
}

static const char *query_of(const struct call *call, const char *name)
{
    const char *value = sonde_exchange_query(call->exchange, name);
    return value ? value : "";
}

/* The body is the budget, and empty without one. */
void people_check(struct call *call)
{
    struct sonde_err err;
    SONDE_BUF_AUTO argument = SONDE_BUF(SONDE_BUDGET_BYTES_MAX + BASELINE_MAX + 64);
    const char *wanted = query_of(call, "format");
    const char *runs = query_of(call, "runs");
    const char *baseline = query_of(call, "baseline");
    uint64_t count = 0;
    size_t format = 0;
    while (wanted[0] && format < SONDE_LENGTH(formats) &&
           strcmp(formats[format].name, wanted) != 0) {
        format++;
    }
    if (format == SONDE_LENGTH(formats)) {
        call_fail(call, 400, "Invalid", "format is text, json, junit or markdown");
        return;
    }
    if (strlen(baseline) >= BASELINE_MAX || strchr(baseline, '\n') ||
        (runs[0] &&
         sonde_parse_u64(sonde_str(runs), 1, SONDE_REGRESSION_HISTORY_MAX, &count) < 0)) {
        call_fail(call, 400, "Invalid", "baseline is the name of a run, runs a number from 1");
        return;
    }
    sonde_buf_printf(&argument, "%zu\n%llu\n%s\n", format, (unsigned long long)count, baseline);
    sonde_buf_str(&argument, sonde_buf_view(&call->body));
    argument.code = argument.code ? argument.code : call->body.code;
    if (sonde_buf_check(&argument, "the budget", &err) < 0) {
        call_fail_by(call, &err);
    } else if (call_resolve(call) && people_may_see(call, call->uid, NULL)) {
        people_log(call, "check");
        jobs_add(call, work, argument.data);
    }
}
