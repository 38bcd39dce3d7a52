/* SPDX-License-Identifier: Apache-2.0 */
/* An object's way, from what is to what should be: what is the same for each kind. It is called for
 * a key whenever something may have changed, and begins only what is not under way. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "controller/controller.h"
#include "spec/reason.h"

/* An analysis may take long, and many may wait for theirs: one that goes on when we stop waiting is
 * answered when we ask again. */
#define CONCLUDE_ANSWER_NS (60 * SONDE_SECOND)
#define CONCLUDE_PATIENCE_NS (600 * SONDE_SECOND)

void object_wake(const struct object *object, int64_t delay_ns)
{
    controller_wake(object->controller, object->way->kind, object->key, delay_ns);
}

void object_retry(const struct object *object)
{
    controller_retry(object->controller, object->way->kind, object->key);
}

static void succeeded(const struct object *object)
{
    controller_succeeded(object->controller, object->way->kind, object->key);
}

/* ---- requests ---- */

static bool is_sent(struct object *object, int r)
{
    if (r < 0) {
        object_retry(object);
        return false;
    }
    object->busy = true;
    object_hold(object);
    return true;
}

bool object_ask(struct object *object, const struct object_request *request)
{
    struct sonde_err err;
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    int r = sonde_kube_path(&request->target, &path, &err);
    sonde_kube_query(&path, "labelSelector", sonde_str(request->selector));
    r = r < 0 ? r : sonde_buf_check(&path, "a path", &err);
    struct sonde_kube_request_options options = {.method = request->method,
                                                 .path = sonde_buf_view(&path),
                                                 .content_type = request->content_type,
                                                 .body = request->body,
                                                 .context = object,
                                                 .done = request->done};
    r = r < 0 ? r : sonde_kube_send(object->controller->kube, &options, NULL, &err);
    return is_sent(object, r);
}

bool object_post(struct object *object, const char *path, const struct sonde_buf *body,
                 int64_t timeout_ns,
                 void (*done)(void *context, const struct store_answer *answer,
                              const struct sonde_err *err))
{
    struct sonde_err err;
    int r = sonde_buf_check(body, "a request of the store", &err);
    r = r < 0 ? r
              : store_post(object->controller->store, path, sonde_buf_view(body), timeout_ns, done,
                           object, &err);
    return is_sent(object, r);
}

/* ---- the status ---- */

static void log_status(const struct object *object, const char *what, const struct sonde_err *err)
{
    SONDE_LOG(&object->controller->log, SONDE_LOG_WARN, what,
              SONDE_FIELD_STR("run", sonde_str(object->key)),
              SONDE_FIELD_STR("error", sonde_str(err->message)));
}

static void status_written(void *context, const struct sonde_kube_response *response,
                           const struct sonde_err *err)
{
    struct object *object = context;
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(response->object, "status");
    object->writing = false;
    if (err->code == 0 && status) {
        cJSON_Delete(object->applied);
        object->applied = cJSON_Duplicate(status, true);
        object->version[0] = '\0';
        succeeded(object);
        object_wake(object, 0);
    } else if (err->code == SONDE_ECONFLICT && object->version[0]) {
        object_retry(object); /* our cache is behind: it is taken up anew from what comes */
        object_drop(object);
    } else if (err->code == SONDE_EINVALID && object->phase == OBJECT_ENDING && !object->bare) {
        log_status(object, "a status is refused: only its end is written", err);
        object->bare = true;
        object_wake(object, 0);
    } else if (err->code == SONDE_ENOTFOUND || err->code == SONDE_ECONFLICT) {
        object_retry(object); /* deleted, or made anew: the watch tells */
    } else {
        log_status(object, "a status could not be written", err);
        object_retry(object);
    }
    object_end_hold(object);
}

bool object_write_status(struct object *object)
{
    struct sonde_err err;
    if (object->writing || object->gone) {
        return false;
    }
    SONDE_JSON_AUTO *wanted = object_status(object);
    const struct sonde_kube_target target = {object->way->resource, object->namespace, object->name,
                                             NULL, NULL};
    struct sonde_kube_request_options options = {.context = object, .done = status_written};
    int r = wanted ? sonde_kube_apply_status(
                         object->controller->kube, &target,
                         &(struct sonde_kube_precondition){object->uid, object->version},
                         CONTROLLER_NAME, object->applied, wanted, &options, NULL, &err)
                   : SONDE_ENOMEM;
    if (r == 0) {
        object->writing = true;
        object_hold(object);
    } else if (r < 0) {
        object_retry(object);
    } else {
        succeeded(object);
    }
    return r == 1;
}

/* ---- the end ---- */

/* All went well: what the store tells of the runs before it, which may have been better. */
static void compare(const struct object *object, struct verdict *verdict)
{
    const cJSON *regression = cJSON_GetObjectItemCaseSensitive(object->results, "regression");
    const char *message = sonde_json_string_or(regression, "message", "");
    if (!verdict->succeeded || !message[0]) {
        return;
    }
    size_t length = strlen(verdict->message);
    if (sonde_json_true(regression, "worse")) {
        verdict->succeeded = false;
        (void)snprintf(verdict->reason, sizeof(verdict->reason), "%s", SONDE_REASON_REGRESSION);
        length = 0;
    } else if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(regression, "compared"))) {
        object_event(object, false, "NotCompared", "Conclude", message);
    }
    (void)snprintf(verdict->message + length, sizeof(verdict->message) - length, "%s%s",
                   length ? "; " : "", message);
}

static void finish(struct object *object, const struct verdict *own)
{
    char note[OBJECT_MESSAGE_SIZE] = "done";
    struct verdict last = *own;
    const struct verdict *verdict = &last;
    object->completed = sonde_clock_realtime();
    object->phase = OBJECT_ENDING;
    object->way->finish(object, own, note);
    compare(object, &last);
    object_set_condition(object, OBJECT_SUCCEEDED, verdict->succeeded ? 'T' : 'F', verdict->reason,
                         verdict->message);
    object_event(object, !verdict->succeeded, verdict->reason, "Conclude",
                 verdict->succeeded ? note : verdict->message);
    metrics_ended(&object->controller->metrics, verdict->reason);
    SONDE_LOG(&object->controller->log, SONDE_LOG_INFO, "run ended",
              SONDE_FIELD_STR("run", sonde_str(object->key)),
              SONDE_FIELD_STR("reason", sonde_str(verdict->reason)),
              SONDE_FIELD_STR("note", sonde_str(verdict->message)));
    object_wake(object, 0);
}

void object_end_early(struct object *object, const char *reason, const char *message)
{
    struct verdict verdict = {0};
    (void)snprintf(verdict.reason, sizeof(verdict.reason), "%s", reason);
    (void)snprintf(verdict.message, sizeof(verdict.message), "%s", message);
    object_set_condition(object, OBJECT_ACCEPTED, 'F', reason, message);
    finish(object, &verdict);
}

/* ---- the conclusion ---- */

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
    struct object *object = context;
    struct verdict verdict;
    char message[OBJECT_MESSAGE_SIZE];
    int64_t now = sonde_clock_monotonic();
    object->busy = false;
    if (object->phase == OBJECT_OVER) { /* dropped, and taken up anew */
        object_end_hold(object);
        return;
    }
    object->way->judge(object, &verdict);
    if (err->code == 0) {
        object->results = cJSON_Duplicate(answer->object, true);
        if (object->way->concluded) {
            object->way->concluded(object, &verdict);
        }
        finish(object, &verdict);
    } else if (answer->status == 404) {
        (void)snprintf(message, sizeof(message), "%s, but the store has no such run",
                       object->way->done_word);
        lose(&verdict, SONDE_REASON_STORE_FAILED, message);
        finish(object, &verdict);
    } else if (now - object->conclude_since > CONCLUDE_PATIENCE_NS ||
               object->way->nothing_stored(object)) {
        (void)snprintf(message, sizeof(message), "%s, but the store does not answer: %.500s",
                       object->way->done_word, err->message);
        lose(&verdict, SONDE_REASON_STORE_UNREACHABLE, message);
        finish(object, &verdict);
    } else {
        int exponent = object->conclude_failures < 4 ? object->conclude_failures : 4;
        object->conclude_failures++;
        object_wake(object, (INT64_C(200) << exponent) * SONDE_MILLISECOND);
    }
    object_end_hold(object);
}

static const char *state_word(const struct object *object, const struct verdict *verdict)
{
    return verdict->succeeded                                           ? "Succeeded"
           : strcmp(object->ending_reason, SONDE_REASON_CANCELLED) == 0 ? "Cancelled"
                                                                        : "Failed";
}

static void conclude(struct object *object)
{
    struct verdict verdict;
    char path[64];
    SONDE_BUF_AUTO body = SONDE_BUF(16384);
    if (object->busy) {
        return;
    }
    object->way->judge(object, &verdict);
    sonde_buf_printf(&body, "{\"state\":\"%s\",\"reason\":\"%s\",\"message\":",
                     state_word(object, &verdict), verdict.reason);
    sonde_buf_json_string(&body, sonde_str(verdict.message));
    sonde_buf_text(&body, ",\"target\":");
    sonde_buf_json_string(&body, sonde_str(object->target_word));
    if (object->way->conclusion) {
        object->way->conclusion(object, &body);
    }
    schedules_put_baseline(object->controller, object->way->kind, object->key, &body);
    sonde_buf_char(&body, '}');
    (void)snprintf(path, sizeof(path), "runs/%s/conclude", object->uid);
    (void)object_post(object, path, &body, CONCLUDE_ANSWER_NS, concluded);
}

void object_conclude(struct object *object)
{
    object->phase = OBJECT_CONCLUDING;
    object->conclude_since = sonde_clock_monotonic();
    conclude(object);
}

/* ---- at the store ---- */

void object_registration(const struct object *object, struct sonde_buf *body)
{
    sonde_buf_printf(body,
                     "{\"uid\":\"%s\",\"name\":\"%s\",\"namespace\":\"%s\",\"kind\":\"%s\","
                     "\"requester\":",
                     object->uid, object->name, object->namespace, object_word(object));
    sonde_buf_json_string(body, sonde_str(object->requester));
    if (object->schedule[0]) {
        sonde_buf_text(body, ",\"schedule\":");
        sonde_buf_json_string(body, sonde_str(object->schedule));
    }
    sonde_buf_text(body, ",\"document\":");
    sonde_buf_text(body, object->document);
    sonde_buf_text(body, ",\"targets\":[");
}

int64_t object_deadline(const struct object *object)
{
    return (object->started ? object->started : object->created) / SONDE_SECOND +
           object->deadline_seconds;
}

/* ---- cancel and deadline ---- */

static void cancelled(void *context, const struct store_answer *answer, const struct sonde_err *err)
{
    struct object *object = context;
    /* One that the store does not know may be on its way there. */
    object->cancel_sent =
        err->code == 0 || (answer->status == 404 && !object->way->registers(object));
    object->busy = false;
    object_wake(object, object->cancel_sent ? 0 : SONDE_SECOND);
    object_end_hold(object);
}

static void send_cancel(struct object *object)
{
    char path[64];
    SONDE_BUF_AUTO body = SONDE_BUF(8);
    if (object->cancel_sent || object->busy) {
        return;
    }
    (void)snprintf(path, sizeof(path), "runs/%s/cancel", object->uid);
    sonde_buf_text(&body, "{}");
    (void)object_post(object, path, &body, 5 * SONDE_SECOND, cancelled);
}

void object_end_with(struct object *object, const char *reason, const char *message)
{
    if (!object->ending_reason[0]) {
        (void)snprintf(object->ending_reason, sizeof(object->ending_reason), "%s", reason);
        (void)snprintf(object->ending_message, sizeof(object->ending_message), "%s", message);
        object->ending_since = sonde_clock_monotonic();
    }
}

/* What it still waited for: of conditions that come before the end. */
static const char *waited_for(const struct object *object)
{
    for (size_t i = 0; i < OBJECT_SUCCEEDED; i++) {
        if (object->conditions[i].status == 'F') {
            return object->conditions[i].message;
        }
    }
    return "";
}

static void end_late(struct object *object)
{
    char message[OBJECT_MESSAGE_SIZE];
    const char *waited = waited_for(object);
    (void)snprintf(message, sizeof(message), "it took more than %lld s%s%.900s",
                   (long long)object->deadline_seconds, waited[0] ? ", and waited: " : "", waited);
    object_end_with(object, SONDE_REASON_DEADLINE_EXCEEDED, message);
}

static void check_ending(struct object *object)
{
    int64_t deadline = (object->started ? object->started : object->created) +
                       object->deadline_seconds * SONDE_SECOND;
    int64_t now = sonde_clock_realtime();
    char message[128];
    if (object->gone) {
        (void)snprintf(message, sizeof(message), "the %s was deleted", object_word(object));
        object_end_with(object, SONDE_REASON_CANCELLED, message);
    } else if (object->cancel) {
        object_end_with(object, SONDE_REASON_CANCELLED, "spec.cancel was set");
    } else if (object->paused && !object->started) {
        return; /* no time passes */
    } else if (now >= deadline) {
        end_late(object);
    } else {
        object_wake(object, deadline - now + SONDE_MILLISECOND);
    }
    if (object->ending_reason[0] && object->phase == OBJECT_WORKING) {
        send_cancel(object);
    }
}

/* ---- one step ---- */

/* What goes with an object that was deleted is Kubernetes' to put away. */
static bool leave(struct object *object)
{
    return object->gone || !object->way->leave || object->way->leave(object);
}

static void begin(struct object *object)
{
    if (object->gone) {
        object_drop(object);
    } else if (!object->busy && !object->writing) {
        if (object->ending_reason[0]) {
            object_end_early(object, object->ending_reason, object->ending_message);
        } else {
            object->way->begin(object);
        }
    }
}

static void end(struct object *object)
{
    bool left = leave(object);
    if ((object->gone || object_write_status(object)) && left) {
        object_drop(object);
    }
}

void object_step(struct object *object)
{
    /* A document that is not valid has nothing but its last status to be written. */
    if (!object->valid && object->phase != OBJECT_ENDING) {
        return;
    }
    if (object->phase < OBJECT_CONCLUDING) {
        check_ending(object);
    }
    switch (object->phase) {
    case OBJECT_BEGINNING:
        begin(object);
        break;
    case OBJECT_WORKING:
        object->way->work(object);
        break;
    case OBJECT_CONCLUDING:
        conclude(object);
        break;
    case OBJECT_ENDING:
        end(object);
        break;
    case OBJECT_OVER:
        break;
    }
}

/* ---- as they come and go ---- */

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
static void expire(struct controller *controller, const struct object_way *way,
                   const struct sonde_kube_object *cached)
{
    const struct object_kept *kept = cached->kept;
    int64_t left = kept->completed_ns + kept->ttl_ns - sonde_clock_realtime();
    if (left > 0) {
        controller_wake(controller, way->kind, cached->key, left);
        return;
    }
    struct sonde_err err;
    char namespace[SONDE_KUBE_LABEL_MAX + 1];
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    SONDE_BUF_AUTO body = SONDE_BUF(512);
    (void)snprintf(namespace, sizeof(namespace), "%.*s", (int)(cached->name - cached->key) - 1,
                   cached->key);
    sonde_buf_printf(&body,
                     "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":"
                     "\"Background\",\"preconditions\":{\"uid\":\"%s\"}}",
                     cached->uid);
    int r = sonde_kube_path(
        &(struct sonde_kube_target){way->resource, namespace, cached->name, NULL, NULL}, &path,
        &err);
    r = r < 0 ? r : sonde_buf_check(&path, "the path of a run", &err);
    struct sonde_kube_request_options options = {.method = "DELETE",
                                                 .path = sonde_buf_view(&path),
                                                 .body = sonde_buf_view(&body),
                                                 .context = controller,
                                                 .done = object_deleted};
    if (r == 0 && sonde_kube_send(controller->kube, &options, NULL, &err) == 0) {
        controller_wake(controller, way->kind, cached->key, 60 * SONDE_SECOND); /* should it fail */
    }
}

/* It is gone: those who work for it are told to leave, and nothing is written any more. */
static void abandon(struct object *object)
{
    object->gone = true;
    (void)snprintf(object->key, sizeof(object->key), "~%s", object->uid);
    object->name = object->key + 1;
    object_step(object);
}

static struct object *take_up(struct controller *controller, const struct object_way *way,
                              const struct sonde_kube_object *cached)
{
    struct object *object = NULL;
    struct sonde_err invalid = {0};
    struct sonde_err err;
    if (object_new(controller, way, cached, &object, &invalid, &err) < 0) {
        SONDE_LOG(&controller->log, SONDE_LOG_ERROR, "a run cannot be read",
                  SONDE_FIELD_STR("run", sonde_str(cached->key)),
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
        controller_retry(controller, way->kind, cached->key);
        return NULL;
    }
    if (!object->valid) {
        object_end_early(object, SONDE_REASON_INVALID_SPEC, invalid.message);
    } else if (object->phase == OBJECT_WORKING) {
        store_follow_anew(controller->store);
    }
    return object;
}

void object_reconcile(struct controller *controller, const struct object_way *way, const char *key)
{
    struct object *object = object_find(controller, way->kind, key);
    if (key[0] == '~') {
        if (object) {
            object_step(object);
        } else {
            controller_succeeded(controller, way->kind, key);
        }
        return;
    }
    const struct sonde_kube_object *cached =
        sonde_kube_cache_get(controller_cache(controller, way->kind), sonde_str(key));
    if (object && (!cached || strcmp(cached->uid, object->uid) != 0)) {
        abandon(object);
        object = NULL;
    }
    if (!cached) {
        controller_succeeded(controller, way->kind, key);
        return;
    }
    const struct object_kept *kept = cached->kept;
    if (kept->finished) {
        controller_succeeded(controller, way->kind, key);
        if (object && (object->phase != OBJECT_ENDING || leave(object))) {
            object_drop(object);
        }
        expire(controller, way, cached);
        return;
    }
    if (object && object->version[0] && !object->writing &&
        strcmp(object->version, cached->resource_version) != 0) {
        object_drop(object); /* somebody else wrote it, before we did */
        object = NULL;
    }
    if (object) {
        object_refresh(object, cached);
    } else {
        object = take_up(controller, way, cached);
    }
    if (object) {
        object_step(object);
    }
}
