/* SPDX-License-Identifier: Apache-2.0 */
/* The ProfileRun of spec.profile: made when the store says that the latency is steady, and waited
 * for at the end, so that both are shown together. */
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "controller/load.h"

#define AGAIN_NS (1 * SONDE_SECOND)
#define SEEN_NS (10 * SONDE_SECOND)   /* made, and the watch has not told of it */
#define ENOUGH_NS (10 * SONDE_SECOND) /* before the deadline it is not waited for any more */
enum { TRIES = 10 };

static void fail(struct load *load, const char *message)
{
    load->profile_failed = true;
    object_event(&load->object, true, "ProfileNotTaken", "Profile", message);
}

/* What is refused for good is told; the rest is tried again. */
static void try_again(struct load *load, const struct sonde_err *err)
{
    if (++load->profile_tries >= TRIES || err->code == SONDE_EDENIED ||
        err->code == SONDE_EINVALID) {
        fail(load, err->message);
    } else {
        (void)snprintf(load->profile_trouble, sizeof(load->profile_trouble), ": %s", err->message);
        load->profile_at = sonde_clock_monotonic() + AGAIN_NS;
        object_wake(&load->object, AGAIN_NS);
    }
}

static void created(void *context, const struct sonde_kube_response *response,
                    const struct sonde_err *err)
{
    struct load *load = context;
    struct object *object = &load->object;
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(response->object, "metadata");
    object->busy = false;
    if (err->code == 0) {
        load->profile_made = load->news = true;
        load->profile_at = sonde_clock_monotonic() + SEEN_NS;
        (void)snprintf(load->profile_uid, sizeof(load->profile_uid), "%s",
                       sonde_json_string_or(metadata, "uid", ""));
        object_event(object, false, "ProfileStarted", "Profile", load->profile);
    } else {
        /* One of the test before this that had its name may still be on its way out. */
        try_again(load, err);
    }
    object_wake(object, 0);
    object_end_hold(object);
}

static void create(struct load *load)
{
    struct object *object = &load->object;
    struct sonde_err err;
    SONDE_BUF_AUTO body = SONDE_BUF(SONDE_SPEC_FILE_MAX);
    if (load_profile_print(load, load_selector(load->service), &body, &err) < 0) {
        object_retry(object);
        return;
    }
    (void)object_ask(object,
                     &(struct object_request){
                         .target = {&profile_run_resource, object->namespace, NULL, NULL, NULL},
                         .method = "POST",
                         .body = sonde_buf_view(&body),
                         .done = created});
}

/* As it is cached; NULL: it is not there, or is another test's. */
static const struct sonde_kube_object *find(const struct load *load)
{
    const struct object *object = &load->object;
    char key[OBJECT_KEY_SIZE];
    (void)snprintf(key, sizeof(key), "%s/%s", object->namespace, load->profile);
    const struct sonde_kube_object *found = sonde_kube_cache_get(
        controller_cache(object->controller, KIND_PROFILE_RUN), sonde_str(key));
    const struct owned *owned = owned_of(found);
    return owned && strcmp(owned->uid, object->uid) == 0 ? found : NULL;
}

/* What it would see from now on is a service without load. It keeps what it has. */
static bool is_unwanted(const struct load *load)
{
    if (!load->profile_uid[0] || load->profile_cancelled ||
        (!load->object.ending_reason[0] && !load->live.stopped)) {
        return false;
    }
    const struct sonde_kube_object *found = find(load);
    return !found || !((const struct object_kept *)found->kept)->finished;
}

static void cancelled(void *context, const struct sonde_kube_response *response,
                      const struct sonde_err *err)
{
    struct load *load = context;
    struct object *object = &load->object;
    (void)response;
    object->busy = false;
    load->profile_cancelled = true;
    if (err->code && err->code != SONDE_ENOTFOUND && err->code != SONDE_ECONFLICT) {
        SONDE_LOG(&object->controller->log, SONDE_LOG_WARN, "a ProfileRun could not be cancelled",
                  SONDE_FIELD_STR("run", sonde_str(object->key)),
                  SONDE_FIELD_STR("error", sonde_str(err->message)));
        load->profile_cancelled = ++load->cancel_tries >= TRIES;
        load->cancel_at = sonde_clock_monotonic() + AGAIN_NS;
    }
    object_wake(object, 0);
    object_end_hold(object);
}

static void cancel(struct load *load)
{
    struct object *object = &load->object;
    int64_t left = load->cancel_at - sonde_clock_monotonic();
    SONDE_BUF_AUTO body = SONDE_BUF(512);
    if (left > 0) {
        object_wake(object, left);
        return;
    }
    if (object->busy) {
        return;
    }
    sonde_buf_text(&body, "{\"metadata\":{\"uid\":");
    sonde_buf_json_string(&body, sonde_str(load->profile_uid));
    sonde_buf_text(&body, "},\"spec\":{\"cancel\":true}}");
    (void)object_ask(object,
                     &(struct object_request){.target = {&profile_run_resource, object->namespace,
                                                         load->profile, NULL, NULL},
                                              .method = "PATCH",
                                              .content_type = SONDE_KUBE_MERGE_PATCH,
                                              .body = sonde_buf_view(&body),
                                              .done = cancelled});
}

static void service_read(void *context, const struct sonde_kube_response *response,
                         const struct sonde_err *err)
{
    struct load *load = context;
    struct object *object = &load->object;
    object->busy = false;
    load->service = err->code ? NULL : cJSON_Duplicate(response->object, true);
    if (err->code) {
        try_again(load, err);
    } else if (load->service && !load_selector(load->service)) {
        fail(load, "the Service selects no pods by labels any more");
    }
    object_wake(object, 0);
    object_end_hold(object);
}

/* After a restart the Service is not known, whose pods are to be profiled. What else is wrong with
 * it does not matter to a test that is under way. */
static void read_service(struct load *load)
{
    struct load_place place;
    (void)snprintf(place.namespace, sizeof(place.namespace), "%s", load->object.namespace);
    (void)snprintf(place.name, sizeof(place.name), "%s", load->spec->target->service->name);
    (void)load_read_service(load, &place, service_read);
}

/* The load is over, and there is no ProfileRun. */
static void say_late(struct load *load)
{
    char message[OBJECT_MESSAGE_SIZE];
    (void)snprintf(message, sizeof(message), "the load was over before %s%.900s",
                   load->live.profile_due ? "the ProfileRun was made"
                                          : "the latency was steady, or delaySeconds had passed",
                   load->profile_trouble);
    fail(load, message);
}

static void start(struct load *load)
{
    int64_t now = sonde_clock_monotonic();
    bool known = load->spec->profile->target || load->service;
    if (load->object.busy) {
        return;
    }
    if (load->profile_at > now) {
        object_wake(&load->object, load->profile_at - now);
    } else if (!known) {
        read_service(load);
    } else {
        create(load);
    }
}

bool load_follow_profile(struct load *load)
{
    const struct object *object = &load->object;
    const struct sonde_kube_object *found = load->spec->profile ? find(load) : NULL;
    if (found && !load->profile_uid[0]) {
        load->profile_made = true; /* before a restart */
        (void)snprintf(load->profile_uid, sizeof(load->profile_uid), "%s", found->uid);
    }
    if (!load->spec->profile || load->profile_failed) {
        return true;
    }
    if (!load->profile_made) {
        bool wanted = load->live.profile_due && load->live.phase == LOAD_PHASE_RUNNING;
        if (load->live.phase == LOAD_PHASE_OVER && !object->busy) {
            say_late(load);
        }
        if (wanted && !object->ending_reason[0]) {
            start(load);
        }
        return !object->busy;
    }
    if (is_unwanted(load)) {
        cancel(load);
    }
    int64_t left = object_deadline(object) * SONDE_SECOND - sonde_clock_realtime();
    if (found) {
        const struct object_kept *kept = found->kept;
        if (!kept->finished && left > ENOUGH_NS) {
            object_wake(object, left - ENOUGH_NS + SONDE_MILLISECOND);
        }
        return kept->finished || left <= ENOUGH_NS;
    }
    int64_t patience = load->profile_at - sonde_clock_monotonic();
    if (patience > 0) {
        object_wake(object, patience);
    }
    return patience <= 0; /* it was deleted */
}

bool load_leave_profile(struct load *load)
{
    bool unwanted = is_unwanted(load);
    if (unwanted) {
        cancel(load);
    }
    return !unwanted;
}
