/* SPDX-License-Identifier: Apache-2.0 */
/* A LoadTest's own way: what is under load is read, runners are started, and the store tells how
 * far they are and what the verdict is. */
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "codec/json.h"
#include "controller/load.h"
#include "spec/reason.h"

#define STATUS_NS (5 * SONDE_SECOND)   /* figures alone are written at most this often */
#define TARGET_NS (2 * SONDE_SECOND)   /* and the pods under load looked at */
#define CHANGED_NS (60 * SONDE_SECOND) /* that they have changed is told at most this often */
#define ENDING_NS (40 * SONDE_SECOND)  /* told to end, and the store does not say that they have */

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* ---- the beginning ---- */

static void wait_paused(struct object *object)
{
    static const char message[] = "spec.paused is set";
    object_set_condition(object, LOAD_ACCEPTED, 'U', "Paused", message);
    object_set_condition(object, LOAD_SUCCEEDED, 'U', "Paused", message);
    (void)object_write_status(object);
}

static void accept(struct object *object)
{
    if (object->conditions[LOAD_ACCEPTED].status != 'T') {
        object_set_condition(object, LOAD_ACCEPTED, 'T', "Accepted", "");
        object_set_condition(object, LOAD_READY, 'U', "Starting", "");
        object_set_condition(object, LOAD_RUNNING, 'U', "Starting", "");
        object_set_condition(object, LOAD_THRESHOLDS, 'U', "Starting", "");
        object_set_condition(object, LOAD_SUCCEEDED, 'U', "Starting", "");
    }
    /* Nothing is made before this is written: whoever comes next goes on with it. */
    if (object_write_status(object)) {
        object->phase = OBJECT_WORKING;
        object_event(object, false, "Accepted", "Accept", object->target_word);
        object_step(object);
    }
}

static void begin(struct object *object)
{
    struct load *load = load_of(object);
    if (object->paused) {
        wait_paused(object);
        return;
    }
    if (!object->started) {
        object->started = sonde_clock_realtime();
    }
    if (certificates_authority(object->controller->certificates).length == 0) {
        object_wake(object, SONDE_SECOND / 5);
    } else if (object->conditions[LOAD_ACCEPTED].status == 'T' || load_look(load)) {
        accept(object);
    }
}

/* ---- the pods under load ---- */

struct target_pods {
    const struct load *load;
    uint64_t seen;
    size_t ready;
};

static void count_pod(void *context, const struct sonde_kube_object *pod)
{
    struct target_pods *pods = context;
    const struct object *object = &pods->load->object;
    const struct pod *kept = pod->kept;
    if (object_is_beside(object, pod) && kept->ready && !kept->leaving &&
        load_selects(load_selector(pods->load->service), kept)) {
        pods->seen += sonde_hash(sonde_str(pod->uid)) | 1;
        pods->ready++;
    }
}

static void tell_change(struct load *load, size_t ready)
{
    struct object *object = &load->object;
    const struct sonde_service_target *service = load->spec->target->service;
    char note[OBJECT_MESSAGE_SIZE];
    (void)snprintf(note, sizeof(note),
                   "the pods behind Service %s have changed: %zu are ready now; %s", service->name,
                   ready,
                   service->endpoints == SONDE_ENDPOINTS_PODS
                       ? "those that were at the start stay under load"
                       : "new connections go to them, those that are open stay where they are");
    object_event(object, false, "TargetChanged", "Run", note);
    object_set_condition(object, LOAD_RUNNING, 'T', "TargetChanged", note);
    load->news = true;
}

/* Pods that come and go while they are under load change what is measured: people should know. What
 * is seen in between, and is as it was told last when it may be told again, is left out. */
static void watch_target(struct load *load)
{
    struct object *object = &load->object;
    int64_t now = sonde_clock_monotonic();
    if (load->live.phase != LOAD_PHASE_RUNNING || !load_selector(load->service) ||
        now - load->target_at < TARGET_NS) {
        return;
    }
    struct target_pods pods = {.load = load};
    load->target_at = now;
    sonde_kube_cache_each(sonde_kube_informer_cache(object->controller->pods), count_pod, &pods);
    if (load->target_known && pods.seen == load->target_seen) {
        return;
    }
    if (load->target_known) {
        if (load->target_told_at && now - load->target_told_at < CHANGED_NS) {
            return;
        }
        load->target_told_at = now;
        tell_change(load, pods.ready);
    }
    load->target_seen = pods.seen;
    load->target_known = true;
}

/* ---- the work ---- */

/* A test may end before it begins; and of a short one the store may tell the end alone. */
static bool has_begun(const struct load *load)
{
    const struct load_live *live = &load->live;
    bool all = live->ready >= load->spec->parallelism && !load->object.ending_reason[0];
    return live->phase == LOAD_PHASE_RUNNING ||
           (live->phase == LOAD_PHASE_OVER && (all || live->requests > 0));
}

static void set_ready(struct load *load)
{
    struct object *object = &load->object;
    const struct condition *ready = &object->conditions[LOAD_READY];
    char message[OBJECT_MESSAGE_SIZE];
    if (has_begun(load)) {
        if (ready->status != 'T') {
            object_set_condition(object, LOAD_READY, 'T', "Ready", "");
            object_set_condition(object, LOAD_RUNNING, 'T', "Running", "");
            object_set_condition(object, LOAD_THRESHOLDS, 'U', "Running", "");
            object_set_condition(object, LOAD_SUCCEEDED, 'U', "Running", "");
            object_event(object, false, "Started", "Run", object->target_word);
            load->news = true;
        }
    } else if (ready->status == 'T') {
        return; /* the store has not told yet: we have just begun to lead */
    } else if (load->trouble_reason[0]) {
        object_set_condition(object, LOAD_READY, 'F', load->trouble_reason, load->trouble_message);
    } else if (load->job_known || load->job_absent) { /* else nobody has looked yet */
        load_say_wait(load, message);
        object_set_condition(object, LOAD_READY, 'U', "Starting", message);
    }
}

/* From the last step: what it took to read the target, or to wait for the store, counts for
 * nothing, and neither does the time in which nobody carried the test on. */
static void check_start(struct load *load)
{
    struct object *object = &load->object;
    const struct condition *accepted = &object->conditions[LOAD_ACCEPTED];
    char message[OBJECT_MESSAGE_SIZE];
    char wait[OBJECT_MESSAGE_SIZE];
    int64_t patience = load->spec->runner->start_timeout_seconds * SONDE_SECOND;
    int64_t begun = load->start_since > accepted->since ? load->start_since : accepted->since;
    int64_t left = begun + patience - sonde_clock_realtime();
    bool waits = load->gate_waits || load->store_full || load->store_failures;
    if (object->conditions[LOAD_READY].status == 'T' || load->live.phase >= LOAD_PHASE_RUNNING ||
        object->ending_reason[0] || waits) {
        return;
    }
    if (left > 0) {
        object_wake(object, left + SONDE_MILLISECOND);
        return;
    }
    if (load->trouble_reason[0]) {
        object_end_with(object, load->trouble_reason, load->trouble_message);
    } else {
        load_say_wait(load, wait);
        (void)snprintf(message, sizeof(message),
                       "%lld of %lld runners were ready after %lld s: %.900s",
                       (long long)load->live.ready, (long long)load->spec->parallelism,
                       (long long)load->spec->runner->start_timeout_seconds, wait);
        object_end_with(object, SONDE_REASON_RUNNERS_NOT_READY, message);
    }
    object_wake(object, 0);
}

/* What people wait for is written at once, figures every five seconds. */
static void write_progress(struct load *load)
{
    struct object *object = &load->object;
    int64_t now = sonde_clock_monotonic();
    int64_t left = load->status_at + STATUS_NS - now;
    if (load->status_at && left > 0 && !load->news) {
        object_wake(object, left);
        return;
    }
    if (!object->writing && !object->gone) {
        load->news = false;
        load->status_at = now;
    }
    (void)object_write_status(object);
}

/* The store has nothing more to tell: all is over, or it will not be. */
static bool is_over(const struct load *load)
{
    const struct object *object = &load->object;
    if (load->live.phase == LOAD_PHASE_OVER) {
        return true;
    }
    if (!object->ending_reason[0] || load->registering || object->busy) {
        return false;
    }
    int64_t left = object->ending_since + ENDING_NS - sonde_clock_monotonic();
    if (load->registered && left > 0) {
        object_wake(object, left);
    }
    return !load->registered || left <= 0;
}

static void work(struct object *object)
{
    struct load *load = load_of(object);
    if (load_start_runners(load)) {
        load_follow_pods(load);
    }
    check_start(load);
    set_ready(load);
    watch_target(load);
    bool profiled = load_follow_profile(load);
    if (is_over(load) && (profiled || object->ending_reason[0])) {
        object_conclude(object);
        return;
    }
    write_progress(load);
}

static bool registers(const struct object *object)
{
    return load_from(object)->registering;
}

/* ---- the end ---- */

/* The store has the verdict; what ended the test from here counts more. */
static void judge(const struct object *object, struct verdict *ret)
{
    bool ended = object->ending_reason[0];
    *ret = (struct verdict){.succeeded = !ended};
    (void)snprintf(ret->reason, sizeof(ret->reason), "%s",
                   ended ? object->ending_reason : SONDE_REASON_COMPLETED);
    (void)snprintf(ret->message, sizeof(ret->message), "%s", object->ending_message);
}

static bool nothing_stored(const struct object *object)
{
    return !load_from(object)->registered;
}

static void conclusion(const struct object *object, struct sonde_buf *body)
{
    const struct load *load = load_from(object);
    if (load->profile_uid[0]) {
        sonde_buf_printf(body, ",\"profiles\":[\"%s\"]", load->profile_uid);
    }
}

static void concluded(struct object *object, struct verdict *verdict)
{
    struct load *load = load_of(object);
    const cJSON *told = member(object->results, "load");
    const struct sonde_reason *reason =
        sonde_reason_find(sonde_json_string_or(told, "reason", NULL));
    load_take_figures(&load->live, told);
    if (!verdict->succeeded) {
        return;
    }
    verdict->succeeded = sonde_json_true(told, "succeeded");
    (void)snprintf(verdict->reason, sizeof(verdict->reason), "%s",
                   reason ? reason->word : SONDE_REASON_INTERNAL);
    (void)snprintf(verdict->message, sizeof(verdict->message), "%s",
                   sonde_json_string_or(told, "message",
                                        cJSON_IsObject(told) ? "" : "the store has no verdict"));
}

static bool all_hold(const cJSON *thresholds)
{
    const cJSON *one;
    bool all = true;
    cJSON_ArrayForEach(one, thresholds)
    {
        all = all && sonde_json_true(one, "holds");
    }
    return all;
}

static void finish(struct object *object, const struct verdict *verdict,
                   char note[OBJECT_MESSAGE_SIZE])
{
    struct load *load = load_of(object);
    const cJSON *told = member(object->results, "load");
    bool held = cJSON_IsObject(told) && all_hold(member(told, "thresholds")) &&
                (verdict->succeeded || strcmp(verdict->reason, SONDE_REASON_REGRESSION) == 0 ||
                 sonde_json_true(told, "valid"));
    if (object->conditions[LOAD_READY].status != 'T') {
        object_set_condition(object, LOAD_READY, verdict->succeeded ? 'T' : 'F', verdict->reason,
                             verdict->message);
    }
    object_set_condition(object, LOAD_RUNNING, 'F', verdict->reason, "it is over");
    object_set_condition(object, LOAD_THRESHOLDS, held ? 'T' : 'F', verdict->reason,
                         held ? "" : verdict->message);
    if (load->live.requests) {
        (void)snprintf(note, OBJECT_MESSAGE_SIZE, "%lld requests, %s a second, p99 %s, errors %s",
                       (long long)load->live.requests, load->live.rate, load->live.p99,
                       load->live.error_rate);
    }
    load->live.active = 0;
    load_end_job(load);
}

static bool leave(struct object *object)
{
    bool profile = load_leave_profile(load_of(object));
    return load_leave_job(load_of(object)) && profile;
}

/* ---- what is told ---- */

static void changed(struct object *object, const cJSON *change)
{
    struct load *load = load_of(object);
    const cJSON *told = member(change, "load");
    if (cJSON_IsObject(told) && object->phase <= OBJECT_WORKING) {
        load->registered = true;
        load->news = load_take_live(&load->live, told) || load->news;
    }
}

/* The pods under load are looked at with the figures; those of the runners are watched apart. */
static bool concerns(const struct object *object, const struct sonde_kube_object *pod)
{
    (void)object;
    (void)pod;
    return false;
}

static const struct object_way load_way = {
    .kind = KIND_LOAD_TEST,
    .resource = &load_test_resource,
    .size = sizeof(struct load),
    .conditions = LOAD_CONDITIONS,
    .done_word = "measured",
    .read = load_read,
    .fini = load_fini,
    .put = load_put,
    .take = load_take,
    .begin = begin,
    .work = work,
    .registers = registers,
    .judge = judge,
    .nothing_stored = nothing_stored,
    .conclusion = conclusion,
    .concluded = concluded,
    .finish = finish,
    .leave = leave,
    .changed = changed,
    .concerns = concerns,
};

void load_reconcile(struct controller *controller, const char *key)
{
    object_reconcile(controller, &load_way, key);
}
