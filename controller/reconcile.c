/* SPDX-License-Identifier: Apache-2.0 */
/* A run's way, from what is to what should be. It is called for a key whenever something may have
 * changed, and begins only what is not under way. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "controller/controller.h"
#include "spec/artifact.h"
#include "spec/reason.h"

#define CHOOSE_AGAIN_NS (2 * SONDE_SECOND)      /* twice as long each time … */
#define CHOOSE_AGAIN_MAX_NS (30 * SONDE_SECOND) /* … and at most this long */
#define NOT_FOUND_NS (30 * SONDE_SECOND)        /* a target that is not there may still be made */
#define CONCLUDE_PATIENCE_NS (60 * SONDE_SECOND)

static void step(struct run *run);

static void wake(const struct run *run, int64_t delay_ns)
{
    controller_wake(run->controller, KIND_PROFILE_RUN, run->key, delay_ns);
}

static void retry(const struct run *run)
{
    controller_retry(run->controller, KIND_PROFILE_RUN, run->key);
}

/* ---- the status ---- */

static void log_status(const struct run *run, const char *what, const struct sonde_err *err)
{
    SONDE_LOG(&run->controller->log, SONDE_LOG_WARN, what,
              SONDE_FIELD_STR("run", sonde_str(run->key)),
              SONDE_FIELD_STR("error", sonde_str(err->message)));
}

static void status_written(void *context, const struct sonde_kube_response *response,
                           const struct sonde_err *err)
{
    struct run *run = context;
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(response->object, "status");
    run->writing = false;
    if (err->code == 0 && status) {
        cJSON_Delete(run->applied);
        run->applied = cJSON_Duplicate(status, true);
        run->version[0] = '\0';
        controller_succeeded(run->controller, KIND_PROFILE_RUN, run->key);
        wake(run, 0);
    } else if (err->code == SONDE_ECONFLICT && run->version[0]) {
        retry(run); /* our cache is behind: it is taken up anew from what comes */
        run_drop(run);
    } else if (err->code == SONDE_EINVALID && run->phase == RUN_ENDING && !run->bare) {
        log_status(run, "a status is refused: only its end is written", err);
        run->bare = true;
        wake(run, 0);
    } else if (err->code == SONDE_ENOTFOUND || err->code == SONDE_ECONFLICT) {
        retry(run); /* deleted, or made anew: the watch tells */
    } else {
        log_status(run, "a status could not be written", err);
        retry(run);
    }
    run_release(run);
}

/* True when the API server has the status as it should be. */
static bool write_status(struct run *run)
{
    struct sonde_err err;
    if (run->writing || run->gone) {
        return false;
    }
    SONDE_JSON_AUTO *wanted = status_of(run);
    const struct sonde_kube_target target = {&profile_run_resource, run->namespace, run->name, NULL,
                                             NULL};
    struct sonde_kube_request_options options = {.context = run, .done = status_written};
    int r =
        wanted
            ? sonde_kube_apply_status(run->controller->kube, &target,
                                      &(struct sonde_kube_precondition){run->uid, run->version},
                                      CONTROLLER_NAME, run->applied, wanted, &options, NULL, &err)
            : SONDE_ENOMEM;
    if (r == 0) {
        run->writing = true;
        run_hold(run);
    } else if (r < 0) {
        retry(run);
    } else {
        controller_succeeded(run->controller, KIND_PROFILE_RUN, run->key);
    }
    return r == 1;
}

/* ---- the end ---- */

struct verdict {
    bool succeeded;
    char reason[RUN_REASON_SIZE];
    char message[RUN_MESSAGE_SIZE];
};

static void judge(const struct run *run, struct verdict *ret)
{
    const struct target *first = NULL;
    size_t failed = 0;
    for (size_t i = 0; i < run->target_count; i++) {
        if (run->targets[i].state != TARGET_SUCCEEDED) {
            first = first ? first : &run->targets[i];
            failed++;
        }
    }
    *ret = (struct verdict){.succeeded = failed == 0 && run->target_count > 0};
    if (ret->succeeded) {
        (void)snprintf(ret->reason, sizeof(ret->reason), "%s", SONDE_REASON_COMPLETED);
        return;
    }
    bool ended = run->ending_reason[0];
    (void)snprintf(ret->reason, sizeof(ret->reason), "%s",
                   ended   ? run->ending_reason
                   : first ? first->reason
                           : SONDE_REASON_INTERNAL);
    (void)snprintf(ret->message, sizeof(ret->message), "%s%s%.700s",
                   ended   ? ""
                   : first ? first->pod
                           : "",
                   ended ? "" : ": ",
                   ended   ? run->ending_message
                   : first ? first->message
                           : "");
    if (failed > 1 && !ended) {
        size_t length = strlen(ret->message);
        (void)snprintf(ret->message + length, sizeof(ret->message) - length,
                       " (and %zu more of %zu pods)", failed - 1, run->target_count);
    }
}

/* What is stored but cannot be analysed is no failure of the run. */
static void set_analyzed(struct run *run, const struct verdict *verdict, bool any)
{
    const cJSON *summary = cJSON_GetObjectItemCaseSensitive(run->results, "summary");
    const char *problem = sonde_json_string_or(run->results, "problem", "");
    if (any && cJSON_IsObject(summary)) {
        run_set_condition(run, CONDITION_ANALYZED, 'T', verdict->reason, "");
    } else if (any && problem[0]) {
        run_set_condition(run, CONDITION_ANALYZED, 'F', SONDE_REASON_ANALYSIS_FAILED, problem);
    } else {
        run_set_condition(run, CONDITION_ANALYZED, 'F', verdict->reason, verdict->message);
    }
}

static void finish(struct run *run, const struct verdict *verdict)
{
    const cJSON *artifacts = cJSON_GetObjectItemCaseSensitive(run->results, "artifacts");
    bool any = cJSON_GetArraySize(artifacts) > 0;
    const cJSON *summary = cJSON_GetObjectItemCaseSensitive(run->results, "summary");
    run->completed = sonde_clock_realtime();
    run->phase = RUN_ENDING;
    if (run->conditions[CONDITION_ATTACHED].status != 'T') {
        run_set_condition(run, CONDITION_ATTACHED, 'F', verdict->reason, verdict->message);
    }
    run_set_condition(run, CONDITION_STORED, verdict->succeeded && any ? 'T' : 'F', verdict->reason,
                      verdict->succeeded || !any ? verdict->message
                                                 : "only a part was captured and stored");
    set_analyzed(run, verdict, any);
    run_set_condition(run, CONDITION_SUCCEEDED, verdict->succeeded ? 'T' : 'F', verdict->reason,
                      verdict->message);
    run_event(run, !verdict->succeeded, verdict->reason, "Conclude",
              verdict->succeeded ? sonde_json_string_or(summary, "top", "done") : verdict->message);
    metrics_ended(&run->controller->metrics, verdict->reason);
    SONDE_LOG(&run->controller->log, SONDE_LOG_INFO, "run ended",
              SONDE_FIELD_STR("run", sonde_str(run->key)),
              SONDE_FIELD_STR("reason", sonde_str(verdict->reason)),
              SONDE_FIELD_STR("note", sonde_str(verdict->message)));
    wake(run, 0);
}

/* Nothing was begun: the run ends here. */
static void end_early(struct run *run, const char *reason, const char *message)
{
    struct verdict verdict = {0};
    (void)snprintf(verdict.reason, sizeof(verdict.reason), "%s", reason);
    (void)snprintf(verdict.message, sizeof(verdict.message), "%s", message);
    run_set_condition(run, CONDITION_ACCEPTED, 'F', reason, message);
    finish(run, &verdict);
}

/* ---- the conclusion ---- */

/* No sidecar has reached the store, so there is nothing in it to wait for. */
static bool nothing_stored(const struct run *run)
{
    for (size_t i = 0; i < run->target_count; i++) {
        if (strcmp(run->targets[i].reason, SONDE_REASON_STORE_UNREACHABLE) != 0) {
            return false;
        }
    }
    return true;
}

/* Captured, but what was captured cannot be had. */
static void lose(struct verdict *verdict, const char *reason, const char *message)
{
    if (verdict->succeeded) {
        verdict->succeeded = false;
        (void)snprintf(verdict->reason, sizeof(verdict->reason), "%s", reason);
        (void)snprintf(verdict->message, sizeof(verdict->message), "%s", message);
    }
}

static void concluded(void *context, const struct store_answer *answer, const struct sonde_err *err)
{
    struct run *run = context;
    struct verdict verdict;
    int64_t now = sonde_clock_monotonic();
    run->busy = false;
    judge(run, &verdict);
    if (err->code == 0) {
        run->results = cJSON_Duplicate(answer->object, true);
        finish(run, &verdict);
    } else if (answer->status == 404) {
        lose(&verdict, SONDE_REASON_STORE_FAILED, "captured, but the store has no such run");
        finish(run, &verdict);
    } else if (now - run->conclude_since > CONCLUDE_PATIENCE_NS || nothing_stored(run)) {
        char message[RUN_MESSAGE_SIZE];
        (void)snprintf(message, sizeof(message), "captured, but the store does not answer: %.500s",
                       err->message);
        lose(&verdict, SONDE_REASON_STORE_UNREACHABLE, message);
        finish(run, &verdict);
    } else {
        int exponent = run->conclude_failures < 4 ? run->conclude_failures : 4;
        run->conclude_failures++;
        wake(run, (INT64_C(200) << exponent) * SONDE_MILLISECOND);
    }
    run_release(run);
}

static const char *state_word(const struct run *run, const struct verdict *verdict)
{
    return verdict->succeeded                                        ? "Succeeded"
           : strcmp(run->ending_reason, SONDE_REASON_CANCELLED) == 0 ? "Cancelled"
                                                                     : "Failed";
}

static void conclude(struct run *run)
{
    struct sonde_err err;
    struct verdict verdict;
    char path[64];
    SONDE_BUF_AUTO body = SONDE_BUF(8192);
    if (run->busy) {
        return;
    }
    judge(run, &verdict);
    sonde_buf_printf(&body,
                     "{\"state\":\"%s\",\"reason\":\"%s\",\"message\":", state_word(run, &verdict),
                     verdict.reason);
    sonde_buf_json_string(&body, sonde_str(verdict.message));
    sonde_buf_text(&body, ",\"target\":");
    sonde_buf_json_string(&body, sonde_str(run->target_word));
    sonde_buf_char(&body, '}');
    (void)snprintf(path, sizeof(path), "runs/%s/conclude", run->uid);
    int r = sonde_buf_check(&body, "a conclusion", &err);
    run->busy = true;
    run_hold(run);
    r = r < 0 ? r
              : store_post(run->controller->store, path, sonde_buf_view(&body), 60 * SONDE_SECOND,
                           concluded, run, &err);
    if (r < 0) {
        run->busy = false;
        retry(run);
        run_release(run);
    }
}

/* ---- the choice ---- */

static void workload_read(void *context, const struct sonde_kube_response *response,
                          const struct sonde_err *err)
{
    struct run *run = context;
    run->busy = false;
    run->workload_known = err->code == 0 || err->code == SONDE_ENOTFOUND;
    run->workload_found = err->code == 0;
    run->rolling_out = err->code == 0 &&
                       choose_rolling_out(response->object, run->spec->target->workload_ref->kind);
    if (!run->workload_known) {
        SONDE_LOG(&run->controller->log, SONDE_LOG_WARN, "a workload could not be read",
                  SONDE_FIELD_STR("run", sonde_str(run->key)),
                  SONDE_FIELD_STR("error", sonde_str(err->message)));
    }
    if (run->workload_known) {
        wake(run, 0);
    } else {
        retry(run);
    }
    run_release(run);
}

static void read_workload(struct run *run)
{
    static const struct sonde_kube_resource resources[] = {
        [SONDE_WORKLOAD_DEPLOYMENT] = {"apps", "v1", "deployments", "Deployment"},
        [SONDE_WORKLOAD_STATEFUL_SET] = {"apps", "v1", "statefulsets", "StatefulSet"},
        [SONDE_WORKLOAD_DAEMON_SET] = {"apps", "v1", "daemonsets", "DaemonSet"},
        [SONDE_WORKLOAD_REPLICA_SET] = {"apps", "v1", "replicasets", "ReplicaSet"},
        [SONDE_WORKLOAD_JOB] = {"batch", "v1", "jobs", "Job"},
    };
    struct sonde_err err;
    const struct sonde_workload_ref *workload = run->spec->target->workload_ref;
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    int r = sonde_kube_path(&(struct sonde_kube_target){&resources[workload->kind], run->namespace,
                                                        workload->name, NULL, NULL},
                            &path, &err);
    r = r < 0 ? r : sonde_buf_check(&path, "the path of a workload", &err);
    struct sonde_kube_request_options options = {
        .path = sonde_buf_view(&path), .context = run, .done = workload_read};
    run->busy = true;
    run_hold(run);
    r = r < 0 ? r : sonde_kube_send(run->controller->kube, &options, NULL, &err);
    if (r < 0) {
        run->busy = false;
        retry(run);
        run_release(run);
    }
}

struct gathering {
    const struct run *run;
    struct candidate *items;
    size_t count, capacity;
};

static bool is_meant(const struct run *run, const struct sonde_kube_object *object)
{
    const struct sonde_profile_target *target = run->spec->target;
    size_t length = strlen(run->namespace);
    if (strncmp(object->key, run->namespace, length) != 0 || object->key[length] != '/') {
        return false;
    }
    if (target->pod_name) {
        return strcmp(object->name, target->pod_name) == 0;
    }
    return target->workload_ref ? choose_belongs(object->kept, target->workload_ref)
                                : pod_selected(object->kept, target->selector);
}

static void gather(void *context, const struct sonde_kube_object *object)
{
    struct gathering *gathering = context;
    if (!is_meant(gathering->run, object)) {
        return;
    }
    if (gathering->count == gathering->capacity) {
        size_t capacity = gathering->capacity ? gathering->capacity * 2 : 64;
        struct candidate *items = realloc(gathering->items, capacity * sizeof(*items));
        if (!items) {
            return; /* fewer to choose from */
        }
        gathering->items = items;
        gathering->capacity = capacity;
    }
    gathering->items[gathering->count++] = (struct candidate){object, object->kept};
}

static int take_pods(struct run *run, const struct candidate *items, const size_t *chosen,
                     size_t count, struct sonde_err *err)
{
    int r = run_reserve_targets(run, count, err);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < count; i++) {
        const struct candidate *candidate = &items[chosen[i]];
        struct target *target = &run->targets[i];
        *target = (struct target){.run = run, .index = i, .user = ATTACH_USER_UNKNOWN};
        (void)snprintf(target->pod, sizeof(target->pod), "%s", candidate->object->name);
        (void)snprintf(target->pod_uid, sizeof(target->pod_uid), "%s", candidate->object->uid);
        (void)snprintf(target->node, sizeof(target->node), "%s", candidate->pod->node);
    }
    run->target_count = count;
    run->started = sonde_clock_realtime();
    char message[128] = "";
    if (run->left_out) {
        (void)snprintf(message, sizeof(message),
                       "a run takes %d pods at most: %zu more were left out", CHOOSE_TARGETS_MAX,
                       run->left_out);
    }
    run_set_condition(run, CONDITION_ACCEPTED, 'T', "Accepted", message);
    for (int type = CONDITION_ATTACHED; type < CONDITION_COUNT; type++) {
        run_set_condition(run, (enum condition_type)type, 'U', "Running", "");
    }
    return 0;
}

/* The gates are closed: the person sees why, and it is tried again until the deadline. */
static void wait_for_gates(struct run *run, const struct sonde_err *err)
{
    int64_t age = sonde_clock_realtime() - run->created;
    const char *reason = err->reason ? err->reason : SONDE_REASON_INTERNAL;
    if (err->code == SONDE_ENOTFOUND && age > NOT_FOUND_NS) {
        end_early(run, reason, err->message);
        return;
    }
    run->workload_known = false;
    run_set_condition(run, CONDITION_ACCEPTED, 'F', reason, err->message);
    run_set_condition(run, CONDITION_SUCCEEDED, 'U', reason, err->message);
    (void)write_status(run);
    int64_t delay = CHOOSE_AGAIN_NS << (run->gate_waits < 4 ? run->gate_waits : 4);
    int64_t most = err->code == SONDE_ENOTFOUND ? CHOOSE_AGAIN_NS : CHOOSE_AGAIN_MAX_NS;
    run->gate_waits++;
    run->choose_at = sonde_clock_monotonic() + (delay < most ? delay : most);
    wake(run, run->choose_at - sonde_clock_monotonic());
}

static void choose(struct run *run)
{
    struct sonde_err err;
    size_t chosen[CHOOSE_TARGETS_MAX];
    struct gathering gathering = {.run = run};
    bool by_workload = run->spec->target->workload_ref != NULL;
    if (by_workload && !run->workload_known) {
        read_workload(run);
        return;
    }
    if (!by_workload || run->workload_found) {
        sonde_kube_cache_each(sonde_kube_informer_cache(run->controller->pods), gather, &gathering);
    }
    int r = choose_check(run->target_word, gathering.items, gathering.count, run->rolling_out,
                         run->spec->safety, &err);
    if (r == 0 && gathering.items) {
        gathering.count =
            choose_rested(gathering.items, gathering.count, run->spec->safety->cool_down_seconds,
                          sonde_clock_realtime());
        size_t count = choose_pods(gathering.items, gathering.count, run->spec->pod_selection,
                                   chosen, &run->left_out);
        if (count == 0) {
            r = sonde_fail_reason(&err, SONDE_EBUSY, SONDE_REASON_COOLING_DOWN,
                                  "all ready pods were profiled less than %lld s ago "
                                  "(spec.safety.coolDownSeconds)",
                                  (long long)run->spec->safety->cool_down_seconds);
        } else {
            r = take_pods(run, gathering.items, chosen, count, &err);
        }
    }
    free(gathering.items);
    if (r < 0) {
        wait_for_gates(run, &err);
    } else {
        (void)write_status(run);
    }
}

static void begin(struct run *run)
{
    struct sonde_err err;
    int64_t now = sonde_clock_monotonic();
    if (run->busy || run->writing) {
        return;
    }
    if (run->ending_reason[0]) {
        end_early(run, run->ending_reason, run->ending_message);
    } else if (sonde_captures_check(run->spec->captures.items, run->spec->captures.count, &err) <
               0) {
        /* What this version cannot capture is said before anything is touched. */
        end_early(run, err.reason, err.message);
    } else if (run->target_count) {
        /* Nothing is touched before the choice is written: whoever comes next goes on with it. */
        if (write_status(run)) {
            run->phase = RUN_WORKING;
            run_event(run, false, "Accepted", "Choose", run->target_word);
            step(run);
        }
    } else if (certificates_authority(run->controller->certificates).length == 0) {
        wake(run, SONDE_SECOND / 5);
    } else if (run->choose_at > now) {
        wake(run, run->choose_at - now);
    } else {
        choose(run);
    }
}

/* ---- the work ---- */

static void judge_attached(struct run *run)
{
    size_t attached = 0;
    for (size_t i = 0; i < run->target_count; i++) {
        const struct target *target = &run->targets[i];
        attached += target->state == TARGET_CAPTURING || target->state == TARGET_SUCCEEDED;
    }
    if (attached == run->target_count && run->conditions[CONDITION_ATTACHED].status != 'T') {
        run_set_condition(run, CONDITION_ATTACHED, 'T', "Attached", "");
        run_event(run, false, "Attached", "Attach", run->target_word);
    }
}

static void work(struct run *run)
{
    size_t active = 0;
    size_t over = 0;
    for (size_t i = 0; i < run->target_count; i++) {
        active += target_active(&run->targets[i]);
    }
    for (size_t i = 0; i < run->target_count; i++) {
        struct target *target = &run->targets[i];
        bool was_active = target_active(target);
        bool may_begin = active < (size_t)run->spec->pod_selection->max_concurrent;
        if (was_active || may_begin || run->ending_reason[0] || run->gone) {
            target_step(target);
        }
        active = active - was_active + target_active(target);
        over += target_over(target);
    }
    judge_attached(run);
    if (over == run->target_count) {
        run->phase = RUN_CONCLUDING;
        run->conclude_since = sonde_clock_monotonic();
        conclude(run);
        return;
    }
    (void)write_status(run);
}

/* ---- cancel and deadline ---- */

static bool any_busy(const struct run *run)
{
    bool busy = false;
    for (size_t i = 0; i < run->target_count; i++) {
        busy = busy || run->targets[i].busy;
    }
    return busy;
}

static void cancelled(void *context, const struct store_answer *answer, const struct sonde_err *err)
{
    struct run *run = context;
    /* One that the store does not know may be on its way there. */
    run->cancel_sent = err->code == 0 || (answer->status == 404 && !any_busy(run));
    run->busy = false;
    wake(run, run->cancel_sent ? 0 : SONDE_SECOND);
    run_release(run);
}

static void send_cancel(struct run *run)
{
    struct sonde_err err;
    char path[64];
    if (run->cancel_sent || run->busy) {
        return;
    }
    (void)snprintf(path, sizeof(path), "runs/%s/cancel", run->uid);
    run->busy = true;
    run_hold(run);
    if (store_post(run->controller->store, path, SONDE_STR("{}"), 5 * SONDE_SECOND, cancelled, run,
                   &err) < 0) {
        run->busy = false;
        wake(run, SONDE_SECOND);
        run_release(run);
    }
}

static void end_with(struct run *run, const char *reason, const char *message)
{
    if (!run->ending_reason[0]) {
        (void)snprintf(run->ending_reason, sizeof(run->ending_reason), "%s", reason);
        (void)snprintf(run->ending_message, sizeof(run->ending_message), "%s", message);
        run->ending_since = sonde_clock_monotonic();
    }
}

static void check_ending(struct run *run)
{
    int64_t deadline = (run->started ? run->started : run->created) +
                       run->spec->active_deadline_seconds * SONDE_SECOND;
    int64_t now = sonde_clock_realtime();
    if (run->gone) {
        end_with(run, SONDE_REASON_CANCELLED, "the ProfileRun was deleted");
    } else if (run->cancel) {
        end_with(run, SONDE_REASON_CANCELLED, "spec.cancel was set");
    } else if (now >= deadline) {
        char message[128];
        (void)snprintf(message, sizeof(message), "it took more than %lld s",
                       (long long)run->spec->active_deadline_seconds);
        end_with(run, SONDE_REASON_DEADLINE_EXCEEDED, message);
    } else {
        wake(run, deadline - now + SONDE_MILLISECOND);
    }
    if (run->ending_reason[0] && run->phase == RUN_WORKING) {
        send_cancel(run);
    }
}

static void step(struct run *run)
{
    /* A document that is not valid has nothing but its last status to be written. */
    if (!run->spec && run->phase != RUN_ENDING) {
        return;
    }
    if (run->phase < RUN_CONCLUDING) {
        check_ending(run);
    }
    switch (run->phase) {
    case RUN_CHOOSING:
        if (run->gone) {
            run_drop(run);
        } else {
            begin(run);
        }
        break;
    case RUN_WORKING:
        work(run);
        break;
    case RUN_CONCLUDING:
        conclude(run);
        break;
    case RUN_ENDING:
        if (run->gone || write_status(run)) {
            run_drop(run);
        }
        break;
    case RUN_OVER:
        break;
    }
}

/* ---- objects ---- */

static void object_deleted(void *context, const struct sonde_kube_response *response,
                           const struct sonde_err *err)
{
    struct controller *controller = context;
    (void)response;
    if (err->code && err->code != SONDE_ENOTFOUND && err->code != SONDE_ECONFLICT) {
        SONDE_LOG(&controller->log, SONDE_LOG_WARN, "a finished run could not be deleted",
                  SONDE_FIELD_STR("error", sonde_str(err->message)));
    }
}

/* ttlSecondsAfterFinished: of this object, not of one that was made under its name since. */
static void expire(struct controller *controller, const struct sonde_kube_object *object)
{
    const struct run_object *kept = object->kept;
    int64_t left = kept->completed_ns + kept->ttl_ns - sonde_clock_realtime();
    if (left > 0) {
        controller_wake(controller, KIND_PROFILE_RUN, object->key, left);
        return;
    }
    struct sonde_err err;
    char namespace[SONDE_KUBE_LABEL_MAX + 1];
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    SONDE_BUF_AUTO body = SONDE_BUF(512);
    (void)snprintf(namespace, sizeof(namespace), "%.*s", (int)(object->name - object->key) - 1,
                   object->key);
    sonde_buf_printf(&body,
                     "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":"
                     "\"Background\",\"preconditions\":{\"uid\":\"%s\"}}",
                     object->uid);
    int r = sonde_kube_path(
        &(struct sonde_kube_target){&profile_run_resource, namespace, object->name, NULL, NULL},
        &path, &err);
    r = r < 0 ? r : sonde_buf_check(&path, "the path of a run", &err);
    struct sonde_kube_request_options options = {.method = "DELETE",
                                                 .path = sonde_buf_view(&path),
                                                 .body = sonde_buf_view(&body),
                                                 .context = controller,
                                                 .done = object_deleted};
    if (r == 0 && sonde_kube_send(controller->kube, &options, NULL, &err) == 0) {
        controller_wake(controller, KIND_PROFILE_RUN, object->key,
                        60 * SONDE_SECOND); /* should it fail */
    }
}

/* Its object is gone: the sidecars are told to leave, and nothing is written any more. */
static void abandon(struct run *run)
{
    run->gone = true;
    (void)snprintf(run->key, sizeof(run->key), "~%s", run->uid);
    run->name = run->key + 1;
    step(run);
}

static struct run *take_up(struct controller *controller, const struct sonde_kube_object *object)
{
    struct run *run = NULL;
    struct sonde_err invalid = {0};
    struct sonde_err err;
    if (run_new(controller, object, &run, &invalid, &err) < 0) {
        SONDE_LOG(&controller->log, SONDE_LOG_ERROR, "a run cannot be read",
                  SONDE_FIELD_STR("run", sonde_str(object->key)),
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
        controller_retry(controller, KIND_PROFILE_RUN, object->key);
        return NULL;
    }
    if (!run->spec) {
        end_early(run, SONDE_REASON_INVALID_SPEC, invalid.message);
    }
    return run;
}

void reconcile(struct controller *controller, const char *key)
{
    struct run *run = run_find(controller, key);
    if (key[0] == '~') {
        if (run) {
            step(run);
        } else {
            controller_succeeded(controller, KIND_PROFILE_RUN, key);
        }
        return;
    }
    const struct sonde_kube_object *object =
        sonde_kube_cache_get(controller_cache(controller, KIND_PROFILE_RUN), sonde_str(key));
    if (run && (!object || strcmp(object->uid, run->uid) != 0)) {
        abandon(run);
        run = NULL;
    }
    if (!object) {
        controller_succeeded(controller, KIND_PROFILE_RUN, key);
        return;
    }
    const struct run_object *kept = object->kept;
    if (kept->finished) {
        controller_succeeded(controller, KIND_PROFILE_RUN, key);
        if (run) {
            run_drop(run);
        }
        expire(controller, object);
        return;
    }
    if (run && run->version[0] && !run->writing &&
        strcmp(run->version, object->resource_version) != 0) {
        run_drop(run); /* somebody else wrote it, before we did */
        run = NULL;
    }
    if (run) {
        run_refresh(run, object);
    } else {
        run = take_up(controller, object);
    }
    if (run) {
        step(run);
    }
}
