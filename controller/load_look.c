/* SPDX-License-Identifier: Apache-2.0 */
/* What is under load is read before the first runner is made: the Service, the pods behind it, and
 * whether the namespace lets a host outside of the cluster be loaded. */
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "controller/load.h"
#include "load/safety.h"
#include "load/target.h"
#include "spec/artifact.h"
#include "spec/reason.h"

#define LOOK_AGAIN_NS (1 * SONDE_SECOND)     /* twice as long each time … */
#define LOOK_AGAIN_MAX_NS (8 * SONDE_SECOND) /* … and at most this long */
#define NOT_FOUND_NS (30 * SONDE_SECOND)     /* a Service that is not there may still be made */

static const struct sonde_kube_resource service_resource = {"", "v1", "services", "Service"};
static const struct sonde_kube_resource slice_resource = {"discovery.k8s.io", "v1",
                                                          "endpointslices", "EndpointSlice"};
static const struct sonde_kube_resource namespace_resource = {"", "v1", "namespaces", "Namespace"};

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static void end(struct load *load, const char *reason, const char *message)
{
    if (load->object.phase == OBJECT_BEGINNING) {
        object_end_early(&load->object, reason, message);
    } else {
        object_end_with(&load->object, reason, message);
        object_wake(&load->object, 0);
    }
}

static void end_by(struct load *load, const struct sonde_err *err, const char *reason)
{
    end(load, err->reason ? err->reason : reason, err->message);
}

/* The person sees why it does not begin, and it is tried again until the deadline. */
static void wait_for_target(struct load *load, const char *reason, const char *message)
{
    struct object *object = &load->object;
    int64_t waited = sonde_clock_realtime() - object->started;
    cJSON_Delete(load->service);
    cJSON_Delete(load->addresses);
    load->service = load->addresses = NULL;
    if (strcmp(reason, SONDE_REASON_TARGET_NOT_FOUND) == 0 && waited > NOT_FOUND_NS) {
        end(load, reason, message);
        return;
    }
    object_set_condition(object, LOAD_ACCEPTED, 'F', reason, message);
    object_set_condition(object, LOAD_SUCCEEDED, 'U', reason, message);
    (void)object_write_status(object);
    int64_t delay = LOOK_AGAIN_NS << (load->gate_waits < 3 ? load->gate_waits : 3);
    load->gate_waits++;
    load->look_at =
        sonde_clock_monotonic() + (delay < LOOK_AGAIN_MAX_NS ? delay : LOOK_AGAIN_MAX_NS);
    object_wake(object, load->look_at - sonde_clock_monotonic());
}

/* ---- requests ---- */

/* The answer is here; false: there is nothing to take from it, and it is asked for again, or
 * whoever is to be told was. */
static bool take_answer(struct load *load, const char *what, const struct sonde_err *err)
{
    struct object *object = &load->object;
    object->busy = false;
    if (err->code && err->code != SONDE_ENOTFOUND) {
        SONDE_LOG(&object->controller->log, SONDE_LOG_WARN, "what is under load could not be read",
                  SONDE_FIELD_STR("run", sonde_str(object->key)),
                  SONDE_FIELD_STR("what", sonde_str(what)),
                  SONDE_FIELD_STR("error", sonde_str(err->message)));
        object_retry(object);
        return false;
    }
    object_wake(object, 0);
    return true;
}

static void service_read(void *context, const struct sonde_kube_response *response,
                         const struct sonde_err *err)
{
    struct load *load = context;
    if (take_answer(load, "the Service", err)) {
        load->service = err->code ? NULL : cJSON_Duplicate(response->object, true);
        if (!load->service) {
            char message[OBJECT_MESSAGE_SIZE];
            (void)snprintf(message, sizeof(message), "there is no Service %s in namespace %s",
                           load->spec->target->service->name, load->object.namespace);
            wait_for_target(load, SONDE_REASON_TARGET_NOT_FOUND, message);
        }
    }
    object_end_hold(&load->object);
}

/* That nobody answers is no test: mostly the pods are still starting. */
static void slices_read(void *context, const struct sonde_kube_response *response,
                        const struct sonde_err *err)
{
    struct load *load = context;
    struct sonde_err problem;
    char message[OBJECT_MESSAGE_SIZE];
    if (take_answer(load, "its EndpointSlices", err)) {
        int r = load_addresses(load->service, response->object, load->spec->target->service,
                               &load->addresses, &problem);
        if (r == SONDE_ENOTFOUND) {
            wait_for_target(load, SONDE_REASON_TARGET_NOT_FOUND, problem.message);
        } else if (r == SONDE_ELIMIT) {
            end_by(load, &problem, SONDE_REASON_UNSUPPORTED);
        } else if (r < 0) {
            object_retry(&load->object);
        } else if (cJSON_GetArraySize(load->addresses) == 0) {
            (void)snprintf(message, sizeof(message), "no pod behind Service %s is ready",
                           load->spec->target->service->name);
            wait_for_target(load, SONDE_REASON_TOO_FEW_READY, message);
        }
    }
    object_end_hold(&load->object);
}

static void namespace_read(void *context, const struct sonde_kube_response *response,
                           const struct sonde_err *err)
{
    struct load *load = context;
    char host[SONDE_LOAD_HOST_MAX + 1];
    char message[OBJECT_MESSAGE_SIZE];
    if (take_answer(load, "the namespace", err)) {
        const cJSON *annotations = member(member(response->object, "metadata"), "annotations");
        const char *list = sonde_json_string_or(annotations, "sonde.dev/load-hosts", "");
        load->host_allowed =
            load_far_host(load->spec, load->service, host, sizeof(host), NULL) == 0 &&
            load_host_named(list, host);
        if (!load->host_allowed) {
            (void)snprintf(message, sizeof(message),
                           "%.253s is outside of the cluster, and the annotation "
                           "sonde.dev/load-hosts of namespace %s does not name it",
                           host, load->object.namespace);
            end(load, SONDE_REASON_HOST_NOT_ALLOWED, message);
        }
    }
    object_end_hold(&load->object);
}

/* ---- what is read ---- */

/* The ceiling of spec.safety: for a search it is that of its last trial. */
static int check_ceiling(const struct load *load, const char *host, struct sonde_err *err)
{
    const struct sonde_load_test *spec = load->spec;
    const struct sonde_arrival highest = {.rate = spec->search ? spec->search->max_rate
                                                               : SONDE_SPEC_ABSENT};
    int r =
        sonde_load_safety_check(spec->safety, host, spec->search ? &highest : spec->arrival, err);
    if (r == SONDE_EDENIED) {
        err->reason = SONDE_REASON_HOST_NOT_ALLOWED;
    }
    return r;
}

/* Of the document alone: what can be said before anything is asked. */
static int check_document(const struct load *load, struct sonde_err *err)
{
    const struct sonde_load_profile *profile = load->spec->profile;
    const char *maps[LOAD_JOB_MAPS_MAX];
    int r = load_job_maps(load->spec, maps, err);
    if (r >= 0 && profile) {
        r = sonde_captures_check(profile->captures.items, profile->captures.count, err);
        if (r >= 0 && !profile->target && !load->spec->target->service) {
            r = sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_INVALID_SPEC,
                                  "spec.profile.target: must be given with target.url, behind "
                                  "which nobody knows the pods");
        }
    }
    return r;
}

static bool look_at_service(struct load *load)
{
    const struct sonde_service_target *service = load->spec->target->service;
    const char *namespace = load->object.namespace;
    char selector[128];
    if (!load->service) {
        (void)object_ask(&load->object,
                         &(struct object_request){
                             .target = {&service_resource, namespace, service->name, NULL, NULL},
                             .done = service_read});
        return false;
    }
    if (member(member(load->service, "spec"), "externalName")) {
        return true;
    }
    if (load->spec->profile && !load->spec->profile->target && !load_selector(load->service)) {
        end(load, SONDE_REASON_INVALID_SPEC,
            "spec.profile.target: must be given, since the Service selects no pods by labels");
        return false;
    }
    if (!load->addresses) {
        (void)snprintf(selector, sizeof(selector), "kubernetes.io/service-name=%s", service->name);
        (void)object_ask(
            &load->object,
            &(struct object_request){.target = {&slice_resource, namespace, NULL, NULL, NULL},
                                     .selector = selector,
                                     .done = slices_read});
        return false;
    }
    return true;
}

static bool look_at_host(struct load *load)
{
    struct sonde_err err;
    char host[SONDE_LOAD_HOST_MAX + 1];
    int r = load_far_host(load->spec, load->service, host, sizeof(host), &err);
    r = r < 0 || !host[0] ? r : check_ceiling(load, host, &err);
    if (r < 0) {
        end_by(load, &err, SONDE_REASON_INVALID_SPEC);
        return false;
    }
    if (host[0] && !load->host_allowed) {
        (void)object_ask(&load->object,
                         &(struct object_request){.target = {&namespace_resource, NULL,
                                                             load->object.namespace, NULL, NULL},
                                                  .done = namespace_read});
        return false;
    }
    return true;
}

bool load_look(struct load *load)
{
    struct sonde_err err;
    int64_t now = sonde_clock_monotonic();
    if (load->object.busy) {
        return false;
    }
    if (load->look_at > now) {
        object_wake(&load->object, load->look_at - now);
        return false;
    }
    if (check_document(load, &err) < 0) {
        end_by(load, &err, SONDE_REASON_INVALID_SPEC);
        return false;
    }
    if (load->spec->target->service && !look_at_service(load)) {
        return false;
    }
    return look_at_host(load);
}
