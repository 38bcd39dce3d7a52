/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules: a look at one says what is due, and begins what is not under way. What is made for a
 * firing has a name that comes from it, so that nothing is made twice. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "codec/json.h"
#include "controller/controller.h"
#include "controller/schedule_work.h"
#include "spec/reason.h"

#define AGAIN_NS (100 * SONDE_MILLISECOND)
/* A firing that went wrong: twice as long each time, and at most a minute. */
#define RETRY_FIRST_NS (200 * SONDE_MILLISECOND)
#define RETRY_MAX_NS (60 * SONDE_SECOND)
#define UNSEEN_NS (60 * SONDE_SECOND) /* what was made is in the cache by then, or gone again */

/* What a look finds. */
struct look {
    struct schedule *schedule;
    struct schedule_view view;
    struct sonde_schedule_past *past; /* over */
    size_t past_count, past_capacity;
    const struct sonde_kube_object **active;
    size_t active_count, active_capacity;
    size_t unseen; /* active, but not in the cache yet */
    struct sonde_schedule_plan plan;
};

static void wake(const struct schedule *schedule, int64_t delay_ns)
{
    controller_wake(schedule->controller, schedule->kind, schedule->key, delay_ns);
}

/* ---- the list ---- */

static struct schedule *find(struct controller *controller, enum kind kind, const char *key)
{
    struct schedule *schedule = controller->schedules;
    while (schedule && (schedule->kind != kind || strcmp(schedule->key, key) != 0)) {
        schedule = schedule->next;
    }
    return schedule;
}

void schedule_drop(struct schedule *schedule)
{
    struct schedule **at = &schedule->controller->schedules;
    while (*at && *at != schedule) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = schedule->next;
    }
    schedule->gone = true;
    if (schedule->pending == 0) {
        cJSON_Delete(schedule->applied);
        free(schedule);
    }
}

void schedule_hold(struct schedule *schedule)
{
    schedule->pending++;
    schedule->controller->schedule_requests++;
}

bool schedule_release(struct schedule *schedule)
{
    bool gone = schedule->gone;
    schedule->controller->schedule_requests--;
    if (--schedule->pending == 0 && gone) {
        cJSON_Delete(schedule->applied);
        free(schedule);
    }
    return !gone;
}

static struct schedule *take_up(struct controller *controller, enum kind kind,
                                const struct sonde_kube_object *object, const cJSON *status)
{
    struct schedule *schedule = calloc(1, sizeof(*schedule));
    if (!schedule) {
        return NULL;
    }
    int length = (int)(object->name - object->key) - 1;
    schedule->controller = controller;
    schedule->kind = kind;
    schedule->restart_s = schedule->firing_s = INT64_MIN;
    (void)snprintf(schedule->key, sizeof(schedule->key), "%s", object->key);
    (void)snprintf(schedule->uid, sizeof(schedule->uid), "%s", object->uid);
    (void)snprintf(schedule->version, sizeof(schedule->version), "%s", object->resource_version);
    (void)snprintf(schedule->namespace, sizeof(schedule->namespace), "%.*s", length, object->key);
    schedule->name = schedule->key + length + 1;
    schedule_status_take(status, &schedule->status);
    schedule->applied = schedule_status_ours(status);
    sonde_random_bytes(&schedule->random, sizeof(schedule->random));
    schedule->next = controller->schedules;
    controller->schedules = schedule;
    return schedule;
}

/* ---- what there is ---- */

static bool add_past(struct look *look, const struct sonde_kube_object *object,
                     const struct owned *owned)
{
    if (sonde_array_grow(&look->past, &look->past_capacity, look->past_count + 1,
                         sizeof(*look->past), SCHEDULE_RUNS_MAX) < 0) {
        return false;
    }
    look->past[look->past_count++] = (struct sonde_schedule_past){
        .firing_s = owned->firing_s == OWNED_NO_FIRING ? owned->created_s : owned->firing_s,
        .succeeded = owned->succeeded,
        .run = object};
    struct schedule_status *status = &look->schedule->status;
    if (owned->succeeded && owned->completed_ns > status->succeeded_ns) {
        status->succeeded_ns = owned->completed_ns;
    }
    return true;
}

static bool add_active(struct look *look, const struct sonde_kube_object *object)
{
    if (sonde_array_grow(&look->active, &look->active_capacity, look->active_count + 1,
                         sizeof(const struct sonde_kube_object *), SCHEDULE_RUNS_MAX) < 0) {
        return false;
    }
    look->active[look->active_count++] = object;
    return true;
}

/* False without memory: what is not known may not be counted as nothing. */
static bool gather(struct look *look)
{
    struct schedule *schedule = look->schedule;
    const struct sonde_kube_cache *cache =
        controller_cache(schedule->controller, schedule_made_kind(schedule->kind));
    const struct sonde_kube_object *object =
        sonde_kube_cache_first(cache, 0, sonde_str(schedule->uid));
    bool good = true;
    for (; object && good; object = sonde_kube_cache_next(cache, 0, object)) {
        const struct owned *owned = owned_of(object);
        if (strcmp(object->uid, schedule->made_uid) == 0) {
            schedule->made_uid[0] = '\0';
        }
        good = owned->completed_ns ? add_past(look, object, owned) : add_active(look, object);
    }
    if (sonde_clock_monotonic() - schedule->made_at > UNSEEN_NS) {
        schedule->made_uid[0] = '\0';
    }
    look->unseen = schedule->made_uid[0] != '\0';
    return good;
}

static void forget_past(struct look *look)
{
    const struct sonde_schedule *spec = look->view.spec;
    if (!spec || look->schedule->deletions) {
        return;
    }
    sonde_schedule_prune(look->past, look->past_count, (size_t)spec->successful_runs_history_limit,
                         (size_t)spec->failed_runs_history_limit);
    for (size_t i = 0; i < look->past_count; i++) {
        if (look->past[i].surplus && look->schedule->deletions < SCHEDULE_DELETIONS_MAX) {
            schedule_delete(look->schedule, look->past[i].run);
        }
    }
}

/* ---- the plan ---- */

void schedule_set_ready(struct schedule *schedule, bool ready, const char *reason,
                        const char *message)
{
    struct schedule_status *status = &schedule->status;
    if (status->ready != ready || !status->reason[0]) {
        status->ready_since_ns = sonde_clock_realtime();
    }
    status->ready = ready;
    (void)snprintf(status->reason, sizeof(status->reason), "%s", reason);
    (void)snprintf(status->message, sizeof(status->message), "%s", message);
}

void schedule_fired(struct schedule *schedule)
{
    struct schedule_status *status = &schedule->status;
    status->missed += schedule->firing_missed;
    status->fired_s = schedule->firing_s;
    if (status->missed_s > status->fired_s) {
        status->missed_s = INT64_MIN; /* of a clock that was wrong */
    }
    schedule_set_ready(schedule, true, SONDE_REASON_SCHEDULED, "");
    schedule->firing_s = INT64_MIN;
}

void schedule_missed(struct schedule *schedule, const char *reason, const char *message)
{
    struct schedule_status *status = &schedule->status;
    status->missed += schedule->firing_missed;
    status->missed_s = schedule->firing_s;
    if (status->fired_s > status->missed_s) {
        status->fired_s = INT64_MIN;
    }
    schedule_event(schedule, true, reason, "Miss", message);
    SONDE_LOG(&schedule->controller->log, SONDE_LOG_WARN, "a firing is missed",
              SONDE_FIELD_STR("schedule", sonde_str(schedule->key)),
              SONDE_FIELD_STR("reason", sonde_str(reason)),
              SONDE_FIELD_STR("note", sonde_str(message)));
    schedule->firing_s = INT64_MIN;
}

/* What a firing found out stays true until somebody changes the spec, or it fires. */
static void judge_ready(struct look *look)
{
    struct schedule *schedule = look->schedule;
    const struct schedule_view *view = &look->view;
    struct schedule_status *status = &schedule->status;
    bool found_out = (strcmp(status->reason, SONDE_REASON_REQUESTER_NOT_ALLOWED) == 0 ||
                      strcmp(status->reason, SONDE_REASON_RUN_REFUSED) == 0) &&
                     status->ready_generation == view->generation;
    if (view->reason[0]) {
        schedule_set_ready(schedule, false, view->reason, view->message);
    } else if (!found_out) {
        schedule_set_ready(schedule, true, SONDE_REASON_SCHEDULED, "");
    }
    status->generation = status->ready_generation = view->generation;
}

static void make_plan(struct look *look)
{
    struct schedule *schedule = look->schedule;
    const struct schedule_view *view = &look->view;
    int64_t now_s = sonde_clock_realtime() / SONDE_SECOND;
    look->plan = (struct sonde_schedule_plan){.wake_s = INT64_MAX, .next_s = INT64_MAX};
    if (!view->spec || view->reason[0] || view->deleted) {
        return;
    }
    const struct sonde_schedule *spec = view->spec;
    const struct sonde_schedule_state state = {
        .cron = &view->cron,
        .zone = &view->zone,
        .uid = sonde_str(schedule->uid),
        .created_s = view->created_s,
        .last_s = schedule_last_s(schedule->status.fired_s, schedule->status.missed_s, now_s,
                                  &schedule->restart_s),
        .jitter_s = spec->jitter_seconds,
        .starting_deadline_s = spec->starting_deadline_seconds,
        .policy = (enum sonde_schedule_policy)spec->concurrency_policy,
        .active = look->active_count + look->unseen};
    sonde_schedule_plan(&state, now_s, &look->plan);
    /* It began in time: that the one before takes long to end makes it no miss. */
    if (look->plan.action == SONDE_SCHEDULE_MISS && schedule->replacing &&
        look->plan.firing_s == schedule->firing_s) {
        look->plan.action = SONDE_SCHEDULE_FIRE;
        look->plan.replaces = state.active > 0;
        look->plan.missed -= look->plan.missed > 0;
    }
}

/* ---- what is done ---- */

static void begin_firing(struct look *look)
{
    struct schedule *schedule = look->schedule;
    const struct sonde_schedule_plan *plan = &look->plan;
    if (schedule->firing_s != plan->firing_s ||
        schedule->firing_generation != look->view.generation) {
        schedule->firing_s = plan->firing_s;
        schedule->firing_generation = look->view.generation;
        schedule->rights_checked = 0;
        schedule->replacing = schedule->waiting = false;
        schedule->trouble[0] = '\0';
        schedule->backoff = (struct sonde_kube_backoff){
            .first_ns = RETRY_FIRST_NS, .maximum_ns = RETRY_MAX_NS, .jitter = 0.1};
        schedule->not_before = 0;
    }
    schedule->firing_missed = (int64_t)plan->missed;
}

static void cancel_active(struct look *look)
{
    look->schedule->replacing = look->schedule->waiting = true;
    if (look->schedule->cancels) {
        return;
    }
    for (size_t i = 0; i < look->active_count; i++) {
        if (!owned_of(look->active[i])->cancel) {
            schedule_cancel(look->schedule, look->active[i]);
        }
    }
}

static void fire(struct look *look)
{
    struct schedule *schedule = look->schedule;
    struct schedule_right rights[SCHEDULE_RIGHTS_MAX];
    size_t count = schedule_rights(&look->view, rights);
    if (schedule->busy) {
        return; /* what comes back is about the firing that it was sent for */
    }
    begin_firing(look);
    int64_t left = schedule->not_before - sonde_clock_monotonic();
    if (left > 0) {
        wake(schedule, left); /* whatever else has woken it */
        return;
    }
    if (schedule->waiting && !look->plan.replaces) {
        schedule->waiting = false;
        schedule->rights_checked = 0; /* that may have taken long */
    }
    if (schedule->rights_checked < count) {
        schedule_review(schedule, &look->view, &rights[schedule->rights_checked]);
    } else if (look->plan.replaces) {
        cancel_active(look);
    } else {
        schedule_make(schedule, &look->view);
    }
}

static void miss(struct look *look)
{
    struct schedule *schedule = look->schedule;
    char message[SCHEDULE_MESSAGE_SIZE];
    begin_firing(look);
    (void)snprintf(message, sizeof(message), "more than startingDeadlineSeconds late: %.900s",
                   schedule->trouble[0] ? schedule->trouble
                   : look->active_count ? "the one before it still ran"
                                        : "nobody was there to serve it");
    schedule_missed(schedule, "Missed", message);
}

/* Whoever led before made it, and could not say so. */
static bool is_made(const struct look *look)
{
    char key[SONDE_KUBE_KEY_MAX + 1];
    char name[SCHEDULE_NAME_SIZE];
    const struct schedule *schedule = look->schedule;
    if (look->plan.firing_s == INT64_MIN || look->plan.action == SONDE_SCHEDULE_WAIT) {
        return false;
    }
    schedule_name(schedule->name, look->plan.firing_s, name);
    (void)snprintf(key, sizeof(key), "%s/%s", schedule->namespace, name);
    const struct owned *owned = owned_of(sonde_kube_cache_get(
        controller_cache(schedule->controller, schedule_made_kind(schedule->kind)),
        sonde_str(key)));
    return owned && strcmp(owned->uid, schedule->uid) == 0;
}

static void act(struct look *look)
{
    make_plan(look);
    if (!look->schedule->busy && is_made(look)) {
        begin_firing(look);
        schedule_fired(look->schedule);
        make_plan(look);
    }
    if (look->plan.action == SONDE_SCHEDULE_MISS && !look->schedule->busy) {
        miss(look);
        make_plan(look);
    }
    if (look->plan.action == SONDE_SCHEDULE_FIRE) {
        fire(look);
    } else if (look->plan.action == SONDE_SCHEDULE_HOLD && !look->schedule->busy) {
        begin_firing(look); /* if only to say why it was missed */
    }
}

/* ---- the end of a look ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_status(struct look *look)
{
    struct schedule_status status = look->schedule->status;
    size_t named = 0;
    status.active_count = look->active_count + look->unseen;
    for (size_t i = 0; i < look->active_count && named < SCHEDULE_ACTIVE_MAX; i++) {
        status.active[named++] = look->active[i]->name;
    }
    if (look->unseen && named < SCHEDULE_ACTIVE_MAX) {
        status.active[named++] = look->schedule->made_name;
    }
    qsort(status.active, named, sizeof(status.active[0]), by_name);
    status.active_named = named;
    status.next_s = look->plan.next_s;
    status.requester = look->view.requester;
    schedule_write_status(look->schedule, &status);
}

static void look_at(struct schedule *schedule, const struct sonde_kube_object *object)
{
    struct look look = {.schedule = schedule};
    struct sonde_err err = {0};
    int64_t now = sonde_clock_realtime();
    const struct schedule_object *kept = object->kept;
    int r = schedule_view_read(kept->text, now / SONDE_SECOND, &look.view, &err);
    if (r == 0 && !gather(&look)) {
        r = sonde_fail(&err, SONDE_ENOMEM, 0, "out of memory for a schedule's runs");
    }
    if (r == 0) {
        forget_past(&look);
        judge_ready(&look);
        act(&look);
        write_status(&look);
        if (look.plan.wake_s != INT64_MAX && look.plan.wake_s < INT64_MAX / SONDE_SECOND) {
            int64_t left = look.plan.wake_s * SONDE_SECOND - sonde_clock_realtime();
            wake(schedule, left > 0 ? left : SONDE_MILLISECOND);
        }
    } else {
        SONDE_LOG(&schedule->controller->log, SONDE_LOG_ERROR, "a schedule cannot be read",
                  SONDE_FIELD_STR("schedule", sonde_str(schedule->key)),
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
        controller_retry(schedule->controller, schedule->kind, schedule->key);
    }
    free(look.past);
    free(look.active);
    schedule_view_fini(&look.view);
}

static void reconcile_schedule(struct controller *controller, enum kind kind, const char *key)
{
    if (controller->schedule_requests >= SCHEDULE_REQUESTS_MAX) {
        controller_wake(controller, kind, key, AGAIN_NS);
        return;
    }
    struct schedule *schedule = find(controller, kind, key);
    const struct sonde_kube_object *object =
        sonde_kube_cache_get(controller_cache(controller, kind), sonde_str(key));
    if (schedule && (!object || strcmp(object->uid, schedule->uid) != 0)) {
        schedule_drop(schedule);
        schedule = NULL;
    }
    if (schedule && schedule->version[0] && !schedule->writing &&
        strcmp(schedule->version, object->resource_version) != 0) {
        schedule_drop(schedule); /* somebody else wrote it, before we did */
        schedule = NULL;
    }
    if (object && !schedule) {
        SONDE_JSON_AUTO *json = NULL;
        const struct schedule_object *kept = object->kept;
        if (sonde_json_parse(sonde_str(kept->text), &json, NULL) == 0) {
            schedule =
                take_up(controller, kind, object, cJSON_GetObjectItemCaseSensitive(json, "status"));
        }
    }
    if (schedule) {
        look_at(schedule, object);
    } else if (object) {
        controller_retry(controller, kind, key);
    } else {
        controller_succeeded(controller, kind, key);
    }
}

void profile_schedule_reconcile(struct controller *controller, const char *key)
{
    reconcile_schedule(controller, KIND_PROFILE_SCHEDULE, key);
}

void load_test_schedule_reconcile(struct controller *controller, const char *key)
{
    reconcile_schedule(controller, KIND_LOAD_TEST_SCHEDULE, key);
}

/* ---- for others ---- */

bool schedule_is(enum kind kind)
{
    return kind == KIND_PROFILE_SCHEDULE || kind == KIND_LOAD_TEST_SCHEDULE;
}

enum kind schedule_made_kind(enum kind kind)
{
    return kind == KIND_PROFILE_SCHEDULE ? KIND_PROFILE_RUN : KIND_LOAD_TEST;
}

/* The schedule that owns it, or NULL. */
static const struct sonde_kube_object *maker_of(const struct controller *controller,
                                                const struct sonde_kube_object *object)
{
    const struct owned *owned = owned_of(object);
    for (int i = 0; owned && i < KIND_COUNT; i++) {
        char key[OBJECT_KEY_SIZE];
        if (schedule_is((enum kind)i) &&
            strcmp(owned->kind, kind_resource((enum kind)i)->kind) == 0) {
            (void)snprintf(key, sizeof(key), "%.*s%s", (int)(object->name - object->key),
                           object->key, owned->name);
            const struct sonde_kube_object *found =
                sonde_kube_cache_get(controller_cache(controller, (enum kind)i), sonde_str(key));
            return found && strcmp(found->uid, owned->uid) == 0 ? found : NULL;
        }
    }
    return NULL;
}

void schedules_put_baseline(const struct controller *controller, enum kind kind, const char *key,
                            struct sonde_buf *body)
{
    struct sonde_err err;
    const struct sonde_kube_object *schedule = maker_of(
        controller, sonde_kube_cache_get(controller_cache(controller, kind), sonde_str(key)));
    if (!schedule) {
        return;
    }
    struct schedule_view view;
    const struct schedule_object *kept = schedule->kept;
    int r = schedule_view_read(kept->text, sonde_clock_realtime() / SONDE_SECOND, &view, &err);
    if (r < 0) {
        body->code = r; /* it is concluded later */
    } else if (view.spec) {
        schedule_put_baseline(view.spec, body);
    }
    schedule_view_fini(&view);
}

static void wake_each(void *context, const struct sonde_kube_object *object)
{
    const struct watched *watched = context;
    controller_wake(watched->controller, watched->kind, object->key, 0);
}

void schedules_wake(struct controller *controller)
{
    for (int i = 0; i < KIND_COUNT; i++) {
        if (schedule_is((enum kind)i)) {
            sonde_kube_cache_each(controller_cache(controller, (enum kind)i), wake_each,
                                  &controller->watched[i]);
        }
    }
}

void schedules_drop(struct controller *controller)
{
    while (controller->schedules) {
        controller->schedules->pending = 0; /* nothing calls back any more */
        schedule_drop(controller->schedules);
    }
}
