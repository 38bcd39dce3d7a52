/* SPDX-License-Identifier: Apache-2.0 */
/* A ProfileRun's own way: pods are chosen, and each of them is captured. */
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

/* ---- the end ---- */

static void judge(const struct object *object, struct verdict *ret)
{
    const struct run *run = run_from(object);
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
    bool ended = run->object.ending_reason[0];
    (void)snprintf(ret->reason, sizeof(ret->reason), "%s",
                   ended   ? run->object.ending_reason
                   : first ? first->reason
                           : SONDE_REASON_INTERNAL);
    (void)snprintf(ret->message, sizeof(ret->message), "%s%s%.700s",
                   ended   ? ""
                   : first ? first->pod
                           : "",
                   ended ? "" : ": ",
                   ended   ? run->object.ending_message
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
    const cJSON *summary = cJSON_GetObjectItemCaseSensitive(run->object.results, "summary");
    const char *problem = sonde_json_string_or(run->object.results, "problem", "");
    if (any && cJSON_IsObject(summary)) {
        object_set_condition(&run->object, CONDITION_ANALYZED, 'T', verdict->reason, "");
    } else if (any && problem[0]) {
        object_set_condition(&run->object, CONDITION_ANALYZED, 'F', SONDE_REASON_ANALYSIS_FAILED,
                             problem);
    } else {
        object_set_condition(&run->object, CONDITION_ANALYZED, 'F', verdict->reason,
                             verdict->message);
    }
}

/* No sidecar has reached the store, so there is nothing in it to wait for. */
static bool nothing_stored(const struct object *object)
{
    const struct run *run = run_from(object);
    for (size_t i = 0; i < run->target_count; i++) {
        if (strcmp(run->targets[i].reason, SONDE_REASON_STORE_UNREACHABLE) != 0) {
            return false;
        }
    }
    return true;
}

static void finish(struct object *object, const struct verdict *verdict,
                   char note[OBJECT_MESSAGE_SIZE])
{
    struct run *run = run_of(object);
    const cJSON *artifacts = cJSON_GetObjectItemCaseSensitive(object->results, "artifacts");
    bool any = cJSON_GetArraySize(artifacts) > 0;
    const cJSON *summary = cJSON_GetObjectItemCaseSensitive(object->results, "summary");
    if (object->conditions[CONDITION_ATTACHED].status != 'T') {
        object_set_condition(object, CONDITION_ATTACHED, 'F', verdict->reason, verdict->message);
    }
    object_set_condition(
        object, CONDITION_STORED, verdict->succeeded && any ? 'T' : 'F', verdict->reason,
        verdict->succeeded || !any ? verdict->message : "only a part was captured and stored");
    set_analyzed(run, verdict, any);
    (void)snprintf(note, OBJECT_MESSAGE_SIZE, "%s", sonde_json_string_or(summary, "top", note));
}

/* ---- the choice ---- */

static void workload_read(void *context, const struct sonde_kube_response *response,
                          const struct sonde_err *err)
{
    struct run *run = context;
    run->object.busy = false;
    run->workload_known = err->code == 0 || err->code == SONDE_ENOTFOUND;
    run->workload_found = err->code == 0;
    run->rolling_out = err->code == 0 &&
                       choose_rolling_out(response->object, run->spec->target->workload_ref->kind);
    if (!run->workload_known) {
        SONDE_LOG(&run->object.controller->log, SONDE_LOG_WARN, "a workload could not be read",
                  SONDE_FIELD_STR("run", sonde_str(run->object.key)),
                  SONDE_FIELD_STR("error", sonde_str(err->message)));
    }
    if (run->workload_known) {
        object_wake(&run->object, 0);
    } else {
        object_retry(&run->object);
    }
    object_end_hold(&run->object);
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
    const struct sonde_workload_ref *workload = run->spec->target->workload_ref;
    (void)object_ask(&run->object, &(struct object_request){.target = {&resources[workload->kind],
                                                                       run->object.namespace,
                                                                       workload->name, NULL, NULL},
                                                            .done = workload_read});
}

struct gathering {
    const struct run *run;
    struct candidate *items;
    size_t count, capacity;
};

static bool is_meant(const struct run *run, const struct sonde_kube_object *object)
{
    const struct sonde_profile_target *target = run->spec->target;
    if (!object_is_beside(&run->object, object)) {
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
    run->object.started = sonde_clock_realtime();
    char message[128] = "";
    if (run->left_out) {
        (void)snprintf(message, sizeof(message),
                       "a run takes %d pods at most: %zu more were left out", CHOOSE_TARGETS_MAX,
                       run->left_out);
    }
    object_set_condition(&run->object, CONDITION_ACCEPTED, 'T', "Accepted", message);
    for (int type = CONDITION_ATTACHED; type < OBJECT_CONDITIONS; type++) {
        object_set_condition(&run->object, (size_t)type, 'U', "Running", "");
    }
    return 0;
}

/* The gates are closed: the person sees why, and it is tried again until the deadline. */
static void wait_for_gates(struct run *run, const struct sonde_err *err)
{
    int64_t age = sonde_clock_realtime() - run->object.created;
    const char *reason = err->reason ? err->reason : SONDE_REASON_INTERNAL;
    if (err->code == SONDE_ENOTFOUND && age > NOT_FOUND_NS) {
        object_end_early(&run->object, reason, err->message);
        return;
    }
    run->workload_known = false;
    object_set_condition(&run->object, CONDITION_ACCEPTED, 'F', reason, err->message);
    object_set_condition(&run->object, CONDITION_SUCCEEDED, 'U', reason, err->message);
    (void)object_write_status(&run->object);
    int64_t delay = CHOOSE_AGAIN_NS << (run->gate_waits < 4 ? run->gate_waits : 4);
    int64_t most = err->code == SONDE_ENOTFOUND ? CHOOSE_AGAIN_NS : CHOOSE_AGAIN_MAX_NS;
    run->gate_waits++;
    run->choose_at = sonde_clock_monotonic() + (delay < most ? delay : most);
    object_wake(&run->object, run->choose_at - sonde_clock_monotonic());
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
        sonde_kube_cache_each(sonde_kube_informer_cache(run->object.controller->pods), gather,
                              &gathering);
    }
    int r = choose_check(run->object.target_word, gathering.items, gathering.count,
                         run->rolling_out, run->spec->safety, &err);
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
        (void)object_write_status(&run->object);
    }
}

static void begin(struct object *object)
{
    struct run *run = run_of(object);
    struct sonde_err err;
    int64_t now = sonde_clock_monotonic();
    if (sonde_captures_check(run->spec->captures.items, run->spec->captures.count, &err) < 0) {
        /* What this version cannot capture is said before anything is touched. */
        object_end_early(&run->object, err.reason, err.message);
    } else if (run->target_count) {
        /* Nothing is touched before the choice is written: whoever comes next goes on with it. */
        if (object_write_status(&run->object)) {
            run->object.phase = OBJECT_WORKING;
            object_event(&run->object, false, "Accepted", "Choose", run->object.target_word);
            object_step(&run->object);
        }
    } else if (certificates_authority(run->object.controller->certificates).length == 0) {
        object_wake(&run->object, SONDE_SECOND / 5);
    } else if (run->choose_at > now) {
        object_wake(&run->object, run->choose_at - now);
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
    if (attached == run->target_count && run->object.conditions[CONDITION_ATTACHED].status != 'T') {
        object_set_condition(&run->object, CONDITION_ATTACHED, 'T', "Attached", "");
        object_event(&run->object, false, "Attached", "Attach", run->object.target_word);
    }
}

static void work(struct object *object)
{
    struct run *run = run_of(object);
    size_t active = 0;
    size_t over = 0;
    for (size_t i = 0; i < run->target_count; i++) {
        active += target_active(&run->targets[i]);
    }
    for (size_t i = 0; i < run->target_count; i++) {
        struct target *target = &run->targets[i];
        bool was_active = target_active(target);
        bool may_begin = active < (size_t)run->spec->pod_selection->max_concurrent;
        if (was_active || may_begin || run->object.ending_reason[0] || run->object.gone) {
            target_step(target);
        }
        active = active - was_active + target_active(target);
        over += target_over(target);
    }
    judge_attached(run);
    if (over == run->target_count) {
        object_conclude(object);
        return;
    }
    (void)object_write_status(&run->object);
}

static bool registers(const struct object *object)
{
    const struct run *run = run_from(object);
    bool busy = false;
    for (size_t i = 0; i < run->target_count; i++) {
        busy = busy || run->targets[i].busy;
    }
    return busy;
}

static bool concerns(const struct object *object, const struct sonde_kube_object *pod)
{
    const struct run *run = run_from(object);
    for (size_t i = 0; i < run->target_count; i++) {
        if (strcmp(run->targets[i].pod, pod->name) == 0) {
            return true;
        }
    }
    return false;
}

static const struct object_way run_way = {
    .kind = KIND_PROFILE_RUN,
    .resource = &profile_run_resource,
    .size = sizeof(struct run),
    .conditions = RUN_CONDITIONS,
    .done_word = "captured",
    .read = run_read,
    .fini = run_fini,
    .put = run_put,
    .take = run_take,
    .begin = begin,
    .work = work,
    .registers = registers,
    .judge = judge,
    .nothing_stored = nothing_stored,
    .finish = finish,
    .changed = target_changed,
    .concerns = concerns,
};

void run_reconcile(struct controller *controller, const char *key)
{
    object_reconcile(controller, &run_way, key);
}
