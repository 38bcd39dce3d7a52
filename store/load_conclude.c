/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a load test: its result is made of what is kept of it, on a thread of its own, and
 * kept as `sonde load` keeps one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "spec/reason.h"
#include "store/load_kept.h"
#include "store/regression.h"
#include "store/service.h"

enum { STATUS_MAX = 256 << 10 };

static const char capture[] = "load";
static const char artifact_name[] = "load.0";

/* ---- profiles ---- */

struct profiled_run {
    struct sonde_load_result *result;
    struct sonde_load_profiled *ret;
    bool is_cpu; /* CPU time, and nothing else, was captured */
};

static const char *copy(struct sonde_load_result *result, const char *text)
{
    return sonde_arena_copy(&result->arena, sonde_str(text)).data;
}

/* "38% loadVisits patients.js:41" becomes "38% of the busy time: loadVisits patients.js:41; then
 * 12% hash login.js:7". */
static const char *title_of(const struct profiled_run *taking,
                            const struct sonde_results_summary *summary)
{
    char text[2 * SONDE_RESULTS_TOP_MAX + 64];
    const char *top = summary->top;
    size_t digits = strspn(top, "0123456789");
    if (!taking->is_cpu || digits == 0 || strncmp(top + digits, "% ", 2) != 0) {
        return copy(taking->result, top);
    }
    (void)snprintf(text, sizeof(text), "%.*s%% of the busy time: %s%s%s", (int)digits, top,
                   top + digits + 2, summary->others[0] ? "; then " : "", summary->others);
    return copy(taking->result, text);
}

static int take_profile(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct profiled_run *taking = context;
    struct sonde_load_result *result = taking->result;
    SONDE_JSON_AUTO *document = NULL;
    int r = sonde_json_parse(sonde_str(run->spec), &document, err);
    const cJSON *spec = cJSON_GetObjectItemCaseSensitive(document, "spec");
    const cJSON *captures = cJSON_GetObjectItemCaseSensitive(spec, "captures");
    int64_t from_ns = run->created_ns - result->start_ns;
    int64_t to_ns = run->completed_ns - result->start_ns;
    bool well = run->state == SONDE_RUN_SUCCEEDED;
    taking->is_cpu = cJSON_GetArraySize(captures) == 1 &&
                     strcmp(sonde_json_string_or(cJSON_GetArrayItem(captures, 0), "type", ""),
                            SONDE_ARTIFACT_CPU_PROFILE) == 0;
    *taking->ret = (struct sonde_load_profiled){
        .type = copy(result, sonde_json_string_or(cJSON_GetArrayItem(captures, 0), "name", "?")),
        .run = copy(result, run->uid),
        .from_ns = from_ns > 0 ? from_ns : 0,
        .to_ns = to_ns > from_ns && to_ns > 0 ? to_ns : 0,
        .failure = well ? NULL : copy(result, run->message[0] ? run->message : run->reason),
    };
    return r < 0 || (taking->ret->type && taking->ret->run && (well || taking->ret->failure))
               ? r
               : sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
}

/* What it says first, and what it cost. */
static int read_profile(struct sonde_db *db, const char *uid, const struct job_bounds *bounds,
                        struct sonde_load_result *result, struct sonde_load_profiled *ret,
                        struct sonde_err *err)
{
    struct sonde_results_summary summary = {0};
    struct profiled_run taking = {.result = result, .ret = ret};
    int r = sonde_db_run_get(db, uid, take_profile, &taking, err);
    if (r < 0 || ret->failure) {
        return r;
    }
    if (sonde_results_summary(db, uid, bounds->heap_bytes, &summary, NULL) == 0 && summary.top[0]) {
        ret->title = title_of(&taking, &summary);
    }
    if (sonde_load_profiled_measure(ret, &result->intervals, NULL) < 0) {
        ret->p99_without_us = 0; /* not known */
    }
    return 0;
}

/* Those that are gone by now are left out. */
static int add_profiles(struct sonde_db *db, const cJSON *words, const struct job_bounds *bounds,
                        struct sonde_load_result *result, struct sonde_err *err)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(words, "profiles");
    const cJSON *item;
    result->profiles =
        sonde_arena_alloc(&result->arena, SONDE_LOAD_PROFILED_MAX * sizeof(*result->profiles));
    if (!result->profiles) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
    }
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item) || result->profile_count == SONDE_LOAD_PROFILED_MAX) {
            continue;
        }
        int r = read_profile(db, item->valuestring, bounds, result,
                             &result->profiles[result->profile_count], err);
        if (r < 0 && r != SONDE_ENOTFOUND) {
            return r;
        }
        result->profile_count += r == 0;
    }
    return 0;
}

/* ---- what is to be thought of it ---- */

/* How the run ends. Texts are borrowed. */
struct end {
    enum sonde_run_state state;
    const char *reason, *message;
};

/* The controller's word wins where it says that something went wrong. */
static struct end end_of(const cJSON *words, const struct sonde_load_conclusion *conclusion)
{
    const char *state = sonde_json_string_or(words, "state", "");
    bool failed = strcmp(state, sonde_run_state_name(SONDE_RUN_FAILED)) == 0;
    bool cancelled = strcmp(state, sonde_run_state_name(SONDE_RUN_CANCELLED)) == 0;
    if (failed || cancelled) {
        return (struct end){cancelled ? SONDE_RUN_CANCELLED : SONDE_RUN_FAILED,
                            sonde_json_string_or(words, "reason", ""),
                            sonde_json_string_or(words, "message", "")};
    }
    cancelled = strcmp(conclusion->reason, SONDE_REASON_CANCELLED) == 0;
    return (struct end){conclusion->succeeded ? SONDE_RUN_SUCCEEDED
                        : cancelled           ? SONDE_RUN_CANCELLED
                                              : SONDE_RUN_FAILED,
                        conclusion->reason, conclusion->message};
}

static void put_figures(const struct sonde_load_result *result, struct sonde_buf *buf)
{
    const struct sonde_load_tally *t = &result->tally;
    double seconds = (double)result->duration_ns / (double)SONDE_SECOND;
    uint64_t ended = t->answered + t->failed;
    double bad = (double)(t->failed + t->wrong);
    sonde_buf_printf(
        buf,
        ",\"requests\":%llu,\"rate\":%.15g,\"errorRate\":%.15g,\"p50\":%lld,"
        "\"p99\":%lld",
        (unsigned long long)t->answered, seconds > 0 ? (double)t->answered / seconds : 0,
        ended ? bad / (double)ended : 0, (long long)sonde_histogram_quantile(&t->response, 0.5),
        (long long)sonde_histogram_quantile(&t->response, 0.99));
    if (result->search) {
        sonde_buf_printf(buf, ",\"highestRate\":%lld",
                         (long long)sonde_load_search_result(result->search).lower);
    }
    sonde_buf_printf(buf,
                     ",\"valid\":%s,\"invalidReason\":", result->validity.valid ? "true" : "false");
    sonde_buf_json_string(buf, sonde_str(result->validity.reason));
    sonde_buf_char(buf, ',');
    sonde_load_verdicts_write(result->verdicts, result->verdict_count, buf);
}

/* The member "load" of the answer, and of the run's status. */
static void put_load(const char *uid, const struct sonde_load_conclusion *conclusion,
                     const struct end *end, struct sonde_buf *buf)
{
    sonde_buf_printf(
        buf, "{\"succeeded\":%s,\"reason\":", end->state == SONDE_RUN_SUCCEEDED ? "true" : "false");
    sonde_buf_json_string(buf, sonde_str(end->reason));
    sonde_buf_text(buf, ",\"message\":");
    sonde_buf_json_string(buf, sonde_str(end->message));
    sonde_buf_printf(buf, ",\"startSkewMicroseconds\":%lld,\"lostRunners\":%u",
                     (long long)conclusion->start_skew_us, conclusion->lost);
    if (conclusion->result) {
        put_figures(conclusion->result, buf);
        sonde_buf_printf(buf, ",\"artifact\":\"%s.%s\"", uid, artifact_name);
    }
    sonde_buf_char(buf, '}');
}

/* ---- what is kept ---- */

/* It is there already when the store died between this and the end of the run. */
static int keep_result(struct sonde_db *db, const char *uid, const struct sonde_load_result *result,
                       struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_RESULT_MAX);
    const struct sonde_artifact_type *type = sonde_artifact_type_find(SONDE_ARTIFACT_LOAD_RESULT);
    struct sonde_artifact_writer *writer = NULL;
    const struct sonde_artifact artifact = {
        .run_uid = uid,
        .name = artifact_name,
        .capture = capture,
        .type = type->name,
        .media_type = type->media_type,
        .data_class = type->data_class,
    };
    int r = sonde_load_result_write(result, &text, err);
    r = r < 0 ? r : sonde_artifact_begin(db, &artifact, &writer, err);
    if (r < 0) {
        return r;
    }
    r = sonde_artifact_write(writer, text.data, text.length, err);
    if (r < 0) {
        sonde_artifact_abort(writer);
        return r;
    }
    r = sonde_artifact_commit(writer, err);
    return r == SONDE_EEXISTS ? 0 : r;
}

static int end_run(struct sonde_db *db, const char *uid, const cJSON *words, const struct end *end,
                   struct sonde_str load, struct sonde_err *err)
{
    SONDE_BUF_AUTO status = SONDE_BUF(STATUS_MAX);
    struct sonde_run run = {.state = end->state,
                            .reason = end->reason,
                            .message = end->message,
                            .completed_ns = sonde_clock_realtime()};
    (void)snprintf(run.uid, sizeof(run.uid), "%s", uid);
    sonde_buf_text(&status, "{\"target\":");
    sonde_buf_json_string(&status, sonde_str(sonde_json_string_or(words, "target", "")));
    sonde_buf_text(&status, ",\"load\":");
    sonde_buf_str(&status, load);
    sonde_buf_char(&status, '}');
    int r = sonde_buf_check(&status, "the run's status", err);
    run.status = status.data;
    r = r < 0 ? r : sonde_db_load_end(db, &run, err);
    return r == SONDE_ECONFLICT ? 0 : r; /* asked again: it stays as it ended */
}

static int end_by(struct sonde_db *db, const char *uid, const cJSON *words,
                  const struct sonde_load_conclusion *conclusion, struct sonde_buf *load,
                  struct sonde_err *err)
{
    const struct end end = end_of(words, conclusion);
    put_load(uid, conclusion, &end, load);
    int r = sonde_buf_check(load, "the verdict", err);
    return r < 0 ? r : end_run(db, uid, words, &end, sonde_buf_view(load), err);
}

/* What is kept cannot be read: there is no result, and it has not succeeded. */
static int end_unread(struct sonde_db *db, const char *uid, const cJSON *words, int why,
                      struct sonde_buf *load, struct sonde_err *err)
{
    struct sonde_load_conclusion conclusion = {0};
    (void)snprintf(conclusion.reason, sizeof(conclusion.reason), "%s",
                   why == SONDE_EVERSION ? SONDE_REASON_INTERRUPTED : SONDE_REASON_STORE_FAILED);
    (void)snprintf(conclusion.message, sizeof(conclusion.message), "%.400s: run it again",
                   err->message);
    return end_by(db, uid, words, &conclusion, load, err);
}

/* Makes the result, and ends the run. */
static int conclude(struct sonde_db *db, const char *uid, const cJSON *words,
                    const struct job_bounds *bounds, struct sonde_buf *load, struct sonde_err *err)
{
    struct load_kept *kept = NULL;
    struct sonde_load_conclusion conclusion = {0};
    int r = load_kept_open(db, uid, &kept, err);
    if (r == SONDE_EVERSION || r == SONDE_EPARSE) {
        return end_unread(db, uid, words, r, load, err);
    }
    if (r < 0) {
        return r;
    }
    r = sonde_load_coordination_conclude(
        kept->coordination, sonde_clock_realtime() / SONDE_MICROSECOND, &conclusion, err);
    if (r == 0 && conclusion.result) {
        r = sonde_load_result_weigh(conclusion.result, err);
        r = r < 0 ? r : add_profiles(db, words, bounds, conclusion.result, err);
        r = r < 0 ? r : keep_result(db, uid, conclusion.result, err);
    }
    r = r < 0 ? r : end_by(db, uid, words, &conclusion, load, err);
    load_kept_free(kept);
    return r;
}

/* ---- the answer ---- */

/* Of a run that has ended: what was said of it then. */
static int read_load(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct sonde_buf *load = context;
    SONDE_JSON_AUTO *status = NULL;
    if (run->state < SONDE_RUN_SUCCEEDED ||
        sonde_json_parse(sonde_str(run->status), &status, err) < 0) {
        return 0;
    }
    char *text = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(status, "load"));
    sonde_buf_text(load, text ? text : "null");
    cJSON_free(text);
    return 0;
}

/* One that was found to be worse than its baseline says so in "load" too. */
static int correct_load(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct sonde_buf *load = context;
    SONDE_JSON_AUTO *words = NULL;
    if (strcmp(run->reason, SONDE_REASON_REGRESSION) != 0) {
        return 0;
    }
    int r = sonde_json_parse(sonde_buf_view(load), &words, err);
    if (r < 0) {
        return r;
    }
    cJSON_DeleteItemFromObjectCaseSensitive(words, "succeeded");
    cJSON_DeleteItemFromObjectCaseSensitive(words, "reason");
    cJSON_DeleteItemFromObjectCaseSensitive(words, "message");
    bool whole = cJSON_AddFalseToObject(words, "succeeded") &&
                 cJSON_AddStringToObject(words, "reason", run->reason) &&
                 cJSON_AddStringToObject(words, "message", run->message);
    char *text = whole ? cJSON_PrintUnformatted(words) : NULL;
    sonde_buf_clear(load);
    sonde_buf_text(load, text ? text : "null");
    cJSON_free(text);
    return text ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
}

/* Appends the member "regression", where the controller gave a baseline. */
static int compare(struct sonde_db *db, const char *uid, const cJSON *words, struct sonde_buf *load,
                   struct sonde_buf *buf, struct sonde_err *err)
{
    const cJSON *baseline = cJSON_GetObjectItemCaseSensitive(words, "baseline");
    if (!cJSON_IsObject(baseline)) {
        return 0;
    }
    char *text = cJSON_PrintUnformatted(baseline);
    if (!text) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
    }
    regression_put(db, uid, sonde_str(text), buf);
    cJSON_free(text);
    return sonde_db_run_get(db, uid, correct_load, load, err);
}

void load_conclude(struct sonde_db *db, const char *uid, const char *argument,
                   const struct job_bounds *bounds, struct job_result *ret)
{
    SONDE_JSON_AUTO *words = NULL;
    SONDE_BUF_AUTO load = SONDE_BUF(STATUS_MAX);
    int r = sonde_json_parse(sonde_str(argument), &words, &ret->err);
    r = r < 0 ? r : sonde_db_run_get(db, uid, read_load, &load, &ret->err);
    if (r == 0 && load.length == 0) {
        r = conclude(db, uid, words, bounds, &load, &ret->err);
    }
    sonde_buf_char(&ret->text, '{');
    r = r < 0 ? r : compare(db, uid, words, &load, &ret->text, &ret->err);
    sonde_buf_text(&ret->text, "\"artifacts\":");
    r = r < 0 ? r : put_artifacts(db, uid, &ret->text, &ret->err);
    sonde_buf_text(&ret->text, ",\"load\":");
    sonde_buf_str(&ret->text, sonde_buf_view(&load));
    sonde_buf_char(&ret->text, ',');
    if (r == 0) {
        put_summary(db, uid, bounds, &ret->text);
    }
    sonde_buf_text(&ret->text, "}\n");
    r = r < 0 ? r : sonde_buf_check(&ret->text, "the answer", &ret->err);
    if (r == 0) {
        ret->status = 200;
        ret->media_type = "application/json";
    }
}
