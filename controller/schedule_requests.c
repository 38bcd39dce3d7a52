/* SPDX-License-Identifier: Apache-2.0 */
/* What a schedule asks the API server. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "controller/schedule_work.h"
#include "spec/reason.h"

enum { BODY_MAX = 512 };

static const struct sonde_kube_resource review_resource = {
    "authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview"};

typedef void (*answer_callback)(void *context, const struct sonde_kube_response *response,
                                const struct sonde_err *err);

static void wake(const struct schedule *schedule)
{
    controller_wake(schedule->controller, schedule->kind, schedule->key, 0);
}

static void retry(const struct schedule *schedule)
{
    controller_retry(schedule->controller, schedule->kind, schedule->key);
}

static void warn(const struct schedule *schedule, const char *what, const struct sonde_err *err)
{
    SONDE_LOG(&schedule->controller->log, SONDE_LOG_WARN, what,
              SONDE_FIELD_STR("schedule", sonde_str(schedule->key)),
              SONDE_FIELD_STR("error", sonde_str(err->message)));
}

void schedule_event(const struct schedule *schedule, bool warning, const char *reason,
                    const char *action, const char *note)
{
    struct sonde_kube_event event = {.api_version = SONDE_SPEC_API_VERSION,
                                     .kind = kind_resource(schedule->kind)->kind,
                                     .namespace = schedule->namespace,
                                     .name = schedule->name,
                                     .uid = schedule->uid,
                                     .warning = warning,
                                     .reason = reason,
                                     .action = action,
                                     .note = note};
    struct sonde_err err;
    if (sonde_kube_recorder_record(schedule->controller->recorder, &event, &err) < 0) {
        warn(schedule, "an event was dropped", &err);
    }
}

/* Sends a request in the schedule's namespace; `done` is called, unless it could not be sent. */
static int ask(struct schedule *schedule, const char *method,
               const struct sonde_kube_resource *resource, const char *name, struct sonde_str body,
               answer_callback done, struct sonde_err *err)
{
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    const struct sonde_kube_target target = {resource, schedule->namespace, name, NULL, NULL};
    bool patches = strcmp(method, "PATCH") == 0;
    int r = sonde_kube_path(&target, &path, err);
    if (r < 0) {
        return r;
    }
    if (patches || strcmp(method, "POST") == 0) {
        sonde_kube_query(&path, "fieldManager", sonde_str(CONTROLLER_NAME));
    }
    struct sonde_kube_request_options options = {.method = method,
                                                 .path = sonde_buf_view(&path),
                                                 .content_type =
                                                     patches ? SONDE_KUBE_MERGE_PATCH : NULL,
                                                 .body = body,
                                                 .context = schedule,
                                                 .done = done};
    r = sonde_buf_check(&path, "the path of a request", err);
    r = r < 0 ? r : sonde_kube_send(schedule->controller->kube, &options, NULL, err);
    if (r == 0) {
        schedule_hold(schedule);
    }
    return r;
}

/* It is tried again later, which may be much later: whether its requester may is asked anew. */
static void put_off(struct schedule *schedule, const struct sonde_err *err)
{
    int64_t now = sonde_clock_monotonic();
    int64_t delay_ns = sonde_kube_backoff_next(&schedule->backoff, now, &schedule->random);
    (void)snprintf(schedule->trouble, sizeof(schedule->trouble), "%s", err->message);
    warn(schedule, "a firing cannot be served yet", err);
    schedule->rights_checked = 0;
    schedule->not_before = now + delay_ns;
    schedule->controller->metrics.reconcile_errors++;
    controller_wake(schedule->controller, schedule->kind, schedule->key, delay_ns);
}

/* The same with a body of its own, for the firing. */
static void ask_for_firing(struct schedule *schedule, const struct sonde_kube_resource *resource,
                           const struct sonde_buf *body, answer_callback done)
{
    struct sonde_err err;
    int r = sonde_buf_check(body, "a request", &err);
    r = r < 0 ? r : ask(schedule, "POST", resource, NULL, sonde_buf_view(body), done, &err);
    schedule->busy = r == 0;
    if (r < 0) {
        put_off(schedule, &err);
    }
}

/* ---- the right ---- */

static void reviewed(void *context, const struct sonde_kube_response *response,
                     const struct sonde_err *err)
{
    struct schedule *schedule = context;
    if (!schedule_release(schedule)) {
        return;
    }
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(response->object, "status");
    schedule->busy = false;
    if (err->code || !cJSON_IsObject(status)) {
        struct sonde_err odd;
        (void)sonde_fail(&odd, SONDE_EPROTOCOL, 0, "the API server does not say who may do what");
        put_off(schedule, err->code ? err : &odd);
        return;
    }
    if (sonde_json_true(status, "allowed")) {
        schedule->rights_checked++;
    } else {
        char message[SCHEDULE_MESSAGE_SIZE];
        const char *why = sonde_json_string_or(status, "reason", "");
        (void)snprintf(message, sizeof(message), "%.800s%s%.200s", schedule->question,
                       why[0] ? ": " : "", why);
        schedule->firing_missed++;
        schedule_set_ready(schedule, false, SONDE_REASON_REQUESTER_NOT_ALLOWED, message);
        schedule_missed(schedule, SONDE_REASON_REQUESTER_NOT_ALLOWED, message);
    }
    controller_succeeded(schedule->controller, schedule->kind, schedule->key);
    wake(schedule);
}

void schedule_review(struct schedule *schedule, const struct schedule_view *view,
                     const struct schedule_right *right)
{
    SONDE_BUF_AUTO body = SONDE_BUF(SCHEDULE_REVIEW_MAX);
    schedule_put_review(view, schedule->namespace, right, &body);
    schedule_put_denial(view, schedule->namespace, right, schedule->question);
    ask_for_firing(schedule, &review_resource, &body, reviewed);
}

/* ---- what is made ---- */

static void made(struct schedule *schedule, const cJSON *object)
{
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    char note[SCHEDULE_MESSAGE_SIZE];
    (void)snprintf(schedule->made_uid, sizeof(schedule->made_uid), "%s",
                   sonde_json_string_or(metadata, "uid", ""));
    schedule->made_at = sonde_clock_monotonic();
    (void)snprintf(note, sizeof(note), "made %s %s",
                   kind_resource(schedule_made_kind(schedule->kind))->kind, schedule->made_name);
    SONDE_LOG(&schedule->controller->log, SONDE_LOG_INFO, "a schedule has fired",
              SONDE_FIELD_STR("schedule", sonde_str(schedule->key)),
              SONDE_FIELD_STR("made", sonde_str(schedule->made_name)));
    schedule_event(schedule, false, "Fired", "Fire", note);
    schedule_fired(schedule);
    controller_succeeded(schedule->controller, schedule->kind, schedule->key);
    wake(schedule);
}

/* What has the name already: made by us, whose status was then not written, or by somebody else. */
static void found(void *context, const struct sonde_kube_response *response,
                  const struct sonde_err *err)
{
    struct schedule *schedule = context;
    struct owned *owned = NULL;
    struct sonde_err own = *err;
    if (!schedule_release(schedule)) {
        return;
    }
    schedule->busy = false;
    if (own.code || owned_new(response->object, &owned, &own) < 0) {
        put_off(schedule, &own); /* gone by now: it is made then */
        return;
    }
    if (owned && strcmp(owned->uid, schedule->uid) == 0) {
        made(schedule, response->object);
        if (owned->completed_ns) {
            schedule->made_uid[0] = '\0';
        }
    } else {
        char message[SCHEDULE_MESSAGE_SIZE];
        (void)snprintf(message, sizeof(message), "there is a %s %s that this schedule has not made",
                       kind_resource(schedule_made_kind(schedule->kind))->kind,
                       schedule->made_name);
        schedule->firing_missed++;
        schedule_set_ready(schedule, false, SONDE_REASON_RUN_REFUSED, message);
        schedule_missed(schedule, SONDE_REASON_RUN_REFUSED, message);
        wake(schedule);
    }
    free(owned);
}

static void find_made(struct schedule *schedule)
{
    struct sonde_err err;
    schedule->busy = ask(schedule, "GET", kind_resource(schedule_made_kind(schedule->kind)),
                         schedule->made_name, (struct sonde_str){0}, found, &err) == 0;
    if (!schedule->busy) {
        put_off(schedule, &err);
    }
}

static void answered(void *context, const struct sonde_kube_response *response,
                     const struct sonde_err *err)
{
    struct schedule *schedule = context;
    if (!schedule_release(schedule)) {
        return;
    }
    schedule->busy = false;
    if (err->code == 0) {
        made(schedule, response->object);
    } else if (err->code == SONDE_EEXISTS) {
        find_made(schedule);
    } else {
        if (err->code == SONDE_EDENIED || err->code == SONDE_EINVALID) {
            if (strcmp(schedule->status.reason, SONDE_REASON_RUN_REFUSED) != 0) {
                schedule_event(schedule, true, SONDE_REASON_RUN_REFUSED, "Fire", err->message);
            }
            schedule_set_ready(schedule, false, SONDE_REASON_RUN_REFUSED, err->message);
        }
        put_off(schedule, err); /* a policy may be mended before it is too late */
    }
}

void schedule_make(struct schedule *schedule, const struct schedule_view *view)
{
    SONDE_BUF_AUTO body = SONDE_BUF(SCHEDULE_MAKE_MAX);
    schedule_name(schedule->name, schedule->firing_s, schedule->made_name);
    schedule_put_made(view, schedule->uid, schedule->firing_s, &body);
    ask_for_firing(schedule, kind_resource(schedule_made_kind(schedule->kind)), &body, answered);
}

/* ---- what was made ---- */

static void cancelled(void *context, const struct sonde_kube_response *response,
                      const struct sonde_err *err)
{
    struct schedule *schedule = context;
    (void)response;
    if (!schedule_release(schedule)) {
        return;
    }
    schedule->cancels--;
    if (err->code && err->code != SONDE_ENOTFOUND && err->code != SONDE_ECONFLICT) {
        put_off(schedule, err);
    } /* else its end wakes us */
}

void schedule_cancel(struct schedule *schedule, const struct sonde_kube_object *object)
{
    struct sonde_err err;
    SONDE_BUF_AUTO body = SONDE_BUF(BODY_MAX);
    sonde_buf_printf(&body, "{\"metadata\":{\"uid\":\"%s\"},\"spec\":{\"cancel\":true}}",
                     object->uid);
    int r = sonde_buf_check(&body, "a request", &err);
    r = r < 0 ? r
              : ask(schedule, "PATCH", kind_resource(schedule_made_kind(schedule->kind)),
                    object->name, sonde_buf_view(&body), cancelled, &err);
    if (r == 0) {
        schedule->cancels++;
    } else {
        put_off(schedule, &err);
    }
}

static void deleted(void *context, const struct sonde_kube_response *response,
                    const struct sonde_err *err)
{
    struct schedule *schedule = context;
    (void)response;
    if (!schedule_release(schedule)) {
        return;
    }
    schedule->deletions--;
    if (err->code && err->code != SONDE_ENOTFOUND && err->code != SONDE_ECONFLICT) {
        warn(schedule, "what is over could not be deleted", err);
        retry(schedule);
    } /* else the watch wakes us */
}

void schedule_delete(struct schedule *schedule, const struct sonde_kube_object *object)
{
    struct sonde_err err;
    SONDE_BUF_AUTO body = SONDE_BUF(BODY_MAX);
    sonde_buf_printf(&body,
                     "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":"
                     "\"Background\",\"preconditions\":{\"uid\":\"%s\"}}",
                     object->uid);
    int r = sonde_buf_check(&body, "a request", &err);
    r = r < 0 ? r
              : ask(schedule, "DELETE", kind_resource(schedule_made_kind(schedule->kind)),
                    object->name, sonde_buf_view(&body), deleted, &err);
    if (r == 0) {
        schedule->deletions++;
    } else {
        warn(schedule, "what is over could not be deleted", &err);
    }
}

/* ---- the status ---- */

static void status_written(void *context, const struct sonde_kube_response *response,
                           const struct sonde_err *err)
{
    struct schedule *schedule = context;
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(response->object, "status");
    if (!schedule_release(schedule)) {
        return;
    }
    schedule->writing = false;
    if (err->code == 0 && status) {
        cJSON_Delete(schedule->applied);
        schedule->applied = schedule_status_ours(status);
        schedule->version[0] = '\0';
        controller_succeeded(schedule->controller, schedule->kind, schedule->key);
        wake(schedule);
        return;
    }
    if (err->code != SONDE_ENOTFOUND && err->code != SONDE_ECONFLICT) {
        warn(schedule, "a status could not be written", err);
    }
    retry(schedule);
    if (err->code == SONDE_ECONFLICT && schedule->version[0]) {
        schedule_drop(schedule); /* our cache is behind: it is taken up anew from what comes */
    }
}

void schedule_write_status(struct schedule *schedule, const struct schedule_status *status)
{
    struct sonde_err err;
    if (schedule->writing) {
        return;
    }
    SONDE_JSON_AUTO *wanted = schedule_status_of(status);
    /* Also what is no more to be there counts: nextScheduleTime of one that is suspended. */
    if (wanted && sonde_kube_covers(schedule->applied, wanted) &&
        sonde_kube_covers(wanted, schedule->applied)) {
        return;
    }
    const struct sonde_kube_target target = {kind_resource(schedule->kind), schedule->namespace,
                                             schedule->name, NULL, NULL};
    struct sonde_kube_request_options options = {.context = schedule, .done = status_written};
    int r = wanted ? sonde_kube_apply_status(
                         schedule->controller->kube, &target,
                         &(struct sonde_kube_precondition){schedule->uid, schedule->version},
                         CONTROLLER_NAME, NULL, wanted, &options, NULL, &err)
                   : sonde_fail(&err, SONDE_ENOMEM, 0, "out of memory for a status");
    if (r == 0) {
        schedule->writing = true;
        schedule_hold(schedule);
    } else if (r < 0) {
        warn(schedule, "a status could not be written", &err);
        retry(schedule);
    }
}
