/* SPDX-License-Identifier: Apache-2.0 */
/* What the controller says of a run: that it begins, that it is to end, and how it ended. */
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "results/results.h"
#include "store/loads.h"
#include "store/regression.h"
#include "store/service.h"

enum { TARGETS_MAX = 100 }; /* as many runners may a load test have */

#define LOAD_TEST "LoadTest"

/* ---- create ---- */

static bool is_uid(const char *text)
{
    return strlen(text) == SONDE_UUID_SIZE - 1 &&
           strspn(text, "0123456789abcdef-") == SONDE_UUID_SIZE - 1;
}

static int add_targets(struct service *service, const char *uid, const cJSON *targets,
                       struct sonde_err *err)
{
    const cJSON *item;
    int count = 0;
    cJSON_ArrayForEach(item, targets)
    {
        struct sonde_target target = {.run_uid = uid};
        const char *sha256 = NULL;
        int64_t expires = 0;
        int r = ++count > TARGETS_MAX
                    ? sonde_fail(err, SONDE_ELIMIT, 0, "more than %d targets", TARGETS_MAX)
                    : sonde_json_string(item, "target", &target.name, err);
        r = r < 0 ? r : sonde_json_string(item, "tokenSha256", &sha256, err);
        r = r < 0 ? r : sonde_json_integer(item, "expires", &expires, err);
        r = r < 0 ? r : sonde_db_token_add(service->db, &target, sha256, expires, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int read_run(const cJSON *json, struct sonde_run *run, char **ret_document,
                    struct sonde_err *err)
{
    const char *uid = NULL;
    const cJSON *document = NULL;
    int r = sonde_json_string(json, "uid", &uid, err);
    r = r < 0 ? r : sonde_json_string(json, "name", &run->name, err);
    r = r < 0 ? r : sonde_json_string(json, "namespace", &run->namespace, err);
    r = r < 0 ? r : sonde_json_string(json, "kind", &run->kind, err);
    r = r < 0 ? r : sonde_json_object(json, "document", &document, err);
    if (r < 0) {
        return r;
    }
    if (!is_uid(uid) || strlen(run->namespace) >= STORE_NAMESPACE_MAX ||
        strlen(run->schedule) > SONDE_DB_NAME_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0, "the uid, the namespace or the schedule is none");
    }
    memcpy(run->uid, uid, SONDE_UUID_SIZE);
    *ret_document = cJSON_PrintUnformatted(document);
    return *ret_document ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
}

/* Before anything of a load test is kept: a document that cannot be carried out is refused, and one
 * for which there is no room. */
static int check_load(struct loads *loads, const cJSON *json, const struct sonde_run *run,
                      const char *document, struct sonde_err *err)
{
    int64_t runners = 0;
    int r = load_kept_check(document, &runners, err);
    const cJSON *targets = cJSON_GetObjectItemCaseSensitive(json, "targets");
    int count = cJSON_GetArraySize(targets);
    if (r == 0 && targets && count > runners) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%d targets of a test with %lld runners", count,
                          (long long)runners);
    }
    return r < 0 ? r : loads_check_room(loads, run->uid, runners, err);
}

static int create_load(struct call *call, const cJSON *json, const char *uid, struct sonde_err *err)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "addresses");
    char *addresses = cJSON_IsArray(list) ? cJSON_PrintUnformatted(list) : strdup("[]");
    int r = addresses ? loads_create(call->service->loads, uid, addresses, err)
                      : sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
    cJSON_free(addresses);
    return r;
}

void runs_create(struct call *call)
{
    struct sonde_err err;
    SONDE_JSON_AUTO *json = call_json(call);
    char *document = NULL;
    struct sonde_run run = {
        .state = SONDE_RUN_RUNNING, .created_ns = sonde_clock_realtime(), .remote = true};
    if (!json) {
        return;
    }
    run.requester = sonde_json_string_or(json, "requester", "");
    run.schedule = sonde_json_string_or(json, "schedule", "");
    int r = read_run(json, &run, &document, &err);
    bool is_load = r == 0 && strcmp(run.kind, LOAD_TEST) == 0;
    bool created = false;
    r = r < 0 || !is_load ? r : check_load(call->service->loads, json, &run, document, &err);
    if (r == 0) {
        run.spec = document;
        r = sonde_db_run_create(call->service->db, &run, &err);
        created = r == 0;
        r = r == SONDE_EEXISTS ? 0 : r;
    }
    cJSON_free(document);
    r = r < 0 || !is_load ? r : create_load(call, json, run.uid, &err);
    r = r < 0 ? r
              : add_targets(call->service, run.uid,
                            cJSON_GetObjectItemCaseSensitive(json, "targets"), &err);
    if (r < 0) {
        call_fail_by(call, &err);
        return;
    }
    call->service->metrics.runs_created += created;
    char text[64];
    (void)snprintf(text, sizeof(text), "{\"uid\":\"%s\"}\n", run.uid);
    call_answer(call, created ? 201 : 200, sonde_str(text));
}

int runs_read_kind(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    *(bool *)context = strcmp(run->kind, LOAD_TEST) == 0;
    return 0;
}

void runs_cancel(struct call *call)
{
    struct sonde_err err;
    bool is_load = false;
    struct service *service = call->service;
    (void)snprintf(call->uid, sizeof(call->uid), "%s",
                   sonde_exchange_parameter(call->exchange, "run"));
    int r = sonde_db_run_cancel(service->db, call->uid, &err);
    r = r < 0 ? r : sonde_db_run_get(service->db, call->uid, runs_read_kind, &is_load, &err);
    r = r < 0 || !is_load ? r : loads_cancel(service->loads, call->uid, &err);
    if (r < 0) {
        call_fail_by(call, &err);
    } else {
        load_answer(service->loads, call, 200, SONDE_STR("{}\n"));
    }
}

/* ---- conclude ---- */

/* What the processes of all targets cost together: the worst of each. */
struct gathered {
    cJSON *status;
    cJSON *cost;
    int processes;
};

static const char *const worst_costs[] = {
    "attachMilliseconds",           "inspectorOpenSeconds",         "startStallMilliseconds",
    "stopStallMilliseconds",        "rotationStallP50Milliseconds", "rotationStallP99Milliseconds",
    "rotationStallMaxMilliseconds",
};
static const char *const summed_costs[] = {"rotations", "bytes"};

static bool put_number(cJSON *object, const char *name, double value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    return cJSON_AddNumberToObject(object, name, value) != NULL;
}

static void add_cost(struct gathered *all, const cJSON *cost)
{
    for (size_t i = 0; i < SONDE_LENGTH(worst_costs); i++) {
        double here = sonde_json_number_or(cost, worst_costs[i], 0);
        double before = sonde_json_number_or(all->cost, worst_costs[i], 0);
        (void)put_number(all->cost, worst_costs[i], here > before ? here : before);
    }
    for (size_t i = 0; i < SONDE_LENGTH(summed_costs); i++) {
        (void)put_number(all->cost, summed_costs[i],
                         sonde_json_number_or(all->cost, summed_costs[i], 0) +
                             sonde_json_number_or(cost, summed_costs[i], 0));
    }
}

static void add_process(struct gathered *all, const cJSON *process)
{
    static const char *const texts[] = {"nodeVersion", "directory"};
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        const char *text = sonde_json_string_or(process, texts[i], "");
        if (text[0] && !cJSON_HasObjectItem(all->status, texts[i])) {
            (void)cJSON_AddStringToObject(all->status, texts[i], text);
        }
    }
    const cJSON *cost = cJSON_GetObjectItemCaseSensitive(process, "cost");
    if (cJSON_IsObject(cost)) {
        all->cost = all->cost ? all->cost : cJSON_AddObjectToObject(all->status, "cost");
        add_cost(all, cost);
    }
    /* The busiest loop of all is the one to be told of. */
    const cJSON *loop = cJSON_GetObjectItemCaseSensitive(process, "eventLoop");
    const cJSON *before = cJSON_GetObjectItemCaseSensitive(all->status, "eventLoop");
    if (cJSON_IsObject(loop) && (!before || sonde_json_number_or(loop, "utilization", 0) >
                                                sonde_json_number_or(before, "utilization", 0))) {
        cJSON *copy = cJSON_Duplicate(loop, true);
        cJSON_DeleteItemFromObjectCaseSensitive(all->status, "eventLoop");
        if (copy && !cJSON_AddItemToObject(all->status, "eventLoop", copy)) {
            cJSON_Delete(copy);
        }
    }
    all->processes++;
}

static int gather(void *context, const struct sonde_target *target, struct sonde_err *err)
{
    struct gathered *all = context;
    SONDE_JSON_AUTO *result = NULL;
    const cJSON *process;
    if (!target->result[0] || sonde_json_parse(sonde_str(target->result), &result, err) < 0) {
        return 0;
    }
    cJSON_ArrayForEach(process, cJSON_GetObjectItemCaseSensitive(result, "processes"))
    {
        add_process(all, process);
    }
    return 0;
}

static int write_status(struct sonde_db *db, const char *uid, const cJSON *words, char **ret,
                        struct sonde_err *err)
{
    char target[512];
    struct gathered all = {.status = cJSON_CreateObject()};
    if (!all.status) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int r = sonde_db_targets(db, uid, gather, &all, err);
    const char *name = sonde_json_string_or(words, "target", "");
    (void)snprintf(target, sizeof(target), all.processes > 1 ? "%.400s, %d processes" : "%.400s",
                   name, all.processes);
    (void)cJSON_AddStringToObject(all.status, "target", target);
    if (r == 0) {
        *ret = cJSON_PrintUnformatted(all.status);
        r = *ret ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    cJSON_Delete(all.status);
    return r;
}

static int end_run(struct sonde_db *db, const char *uid, const cJSON *words, struct sonde_err *err)
{
    static const enum sonde_run_state ends[] = {SONDE_RUN_SUCCEEDED, SONDE_RUN_FAILED,
                                                SONDE_RUN_CANCELLED};
    const char *state = sonde_json_string_or(words, "state", "");
    struct sonde_run run = {.state = SONDE_RUN_PENDING,
                            .reason = sonde_json_string_or(words, "reason", ""),
                            .message = sonde_json_string_or(words, "message", ""),
                            .completed_ns = sonde_clock_realtime()};
    for (size_t i = 0; i < SONDE_LENGTH(ends); i++) {
        run.state = strcmp(state, sonde_run_state_name(ends[i])) == 0 ? ends[i] : run.state;
    }
    if (run.state == SONDE_RUN_PENDING) {
        return sonde_fail(err, SONDE_EINVALID, 0, "state is Succeeded, Failed or Cancelled");
    }
    char *status = NULL;
    (void)snprintf(run.uid, sizeof(run.uid), "%s", uid);
    int r = write_status(db, uid, words, &status, err);
    run.status = status;
    r = r < 0 ? r : sonde_db_run_update(db, &run, err);
    cJSON_free(status);
    return r == SONDE_ECONFLICT ? 0 : r; /* asked again: it stays as it ended */
}

/* What was captured is there also when it cannot be analysed: that is said, and no failure. */
void put_summary(struct sonde_db *db, const char *uid, const struct job_bounds *bounds,
                 struct sonde_buf *buf)
{
    struct sonde_err problem = {0};
    struct sonde_results_summary summary = {0};
    if (sonde_results_summary(db, uid, bounds->heap_bytes, &summary, &problem) < 0) {
        sonde_buf_text(buf, "\"summary\":null,\"problem\":");
        sonde_buf_json_string(buf, sonde_str(problem.message));
        return;
    }
    sonde_buf_text(buf, "\"summary\":{\"top\":");
    sonde_buf_json_string(buf, sonde_str(summary.top));
    sonde_buf_printf(buf, ",\"findings\":%lld,\"bytes\":%lld}", (long long)summary.findings,
                     (long long)summary.bytes);
}

/* The argument is a line with the baseline, or an empty one, and the beginning of the answer. */
static void summarize(struct sonde_db *db, const char *uid, const char *argument,
                      const struct job_bounds *bounds, struct job_result *ret)
{
    struct sonde_str rest = sonde_str(argument);
    struct sonde_str baseline = sonde_str_split(&rest, '\n');
    sonde_buf_str(&ret->text, rest);
    if (baseline.length) {
        regression_put(db, uid, baseline, &ret->text);
    }
    put_summary(db, uid, bounds, &ret->text);
    sonde_buf_text(&ret->text, "}\n");
    if (sonde_buf_check(&ret->text, "the answer", &ret->err) == 0) {
        ret->status = 200;
        ret->media_type = "application/json";
    }
}

/* Its result is made first. */
static void conclude_load(struct call *call, const cJSON *words)
{
    char *argument = cJSON_PrintUnformatted(words);
    loads_conclude(call->service->loads, call->uid);
    silence_forget(call->service->silence, call->uid, NULL);
    call->service->metrics.runs_concluded++;
    if (argument) {
        jobs_add(call, load_conclude, argument);
    } else {
        call_fail(call, 503, "OutOfMemory", "the store is out of memory");
    }
    cJSON_free(argument);
}

/* One line; empty without one. */
static int put_baseline(const cJSON *words, struct sonde_buf *buf, struct sonde_err *err)
{
    const cJSON *baseline = cJSON_GetObjectItemCaseSensitive(words, "baseline");
    int r = regression_check(baseline, err);
    char *printed = r == 0 && cJSON_IsObject(baseline) ? cJSON_PrintUnformatted(baseline) : NULL;
    sonde_buf_printf(buf, "%s\n", printed ? printed : "");
    cJSON_free(printed);
    return r;
}

/* The run ends at once, however much there is to analyse. One that turns out to be worse than its
 * baseline has failed only then. */
void runs_conclude(struct call *call)
{
    struct sonde_err err;
    struct sonde_db *db = call->service->db;
    SONDE_JSON_AUTO *words = call_json(call);
    SONDE_BUF_AUTO text = SONDE_BUF(STORE_ANSWER_MAX);
    if (!words) {
        return;
    }
    (void)snprintf(call->uid, sizeof(call->uid), "%s",
                   sonde_exchange_parameter(call->exchange, "run"));
    bool is_load = false;
    int r = sonde_db_run_get(db, call->uid, runs_read_kind, &is_load, &err);
    r = r < 0 ? r : put_baseline(words, &text, &err);
    if (r == 0 && is_load) {
        conclude_load(call, words);
        return;
    }
    r = r < 0 ? r : end_run(db, call->uid, words, &err);
    sonde_buf_text(&text, "{\"artifacts\":");
    r = r < 0 ? r : put_artifacts(db, call->uid, &text, &err);
    sonde_buf_char(&text, ',');
    r = r < 0 ? r : sonde_buf_check(&text, "the answer", &err);
    if (r < 0) {
        call_fail_by(call, &err);
        return;
    }
    silence_forget(call->service->silence, call->uid, NULL);
    call->service->metrics.runs_concluded++;
    jobs_add(call, summarize, text.data);
}
