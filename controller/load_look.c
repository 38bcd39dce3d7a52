/* SPDX-License-Identifier: Apache-2.0 */
/* What is under load is read before the first runner is made: the Service, also where a URL names
 * it, the pods behind it, and whether the namespace lets so much be sent, and a host outside of the
 * cluster be loaded. */
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
#define LOOK_HOLDS_NS (15 * SONDE_SECOND)    /* of a test that waits for its store */

enum { ALIASES_MAX = 4 };

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

static void forget(struct load *load)
{
    cJSON_Delete(load->service);
    cJSON_Delete(load->addresses);
    cJSON_Delete(load->outside);
    load->service = load->addresses = load->outside = NULL;
    load->host[0] = '\0';
    load->aliases = 0;
    load->there = load->followed = load->permitted = false;
    load->looked_at = 0;
}

/* What was accepted stays so: whoever leads next is to see whether its runners are there. */
static void tell_trouble(struct load *load, const char *reason, const char *message)
{
    struct object *object = &load->object;
    if (object->phase == OBJECT_WORKING) {
        load_set_trouble(load, reason, message);
    } else if (object->phase == OBJECT_BEGINNING) {
        object_set_condition(object, LOAD_ACCEPTED, 'F', reason, message);
        object_set_condition(object, LOAD_SUCCEEDED, 'U', reason, message);
        (void)object_write_status(object);
    }
}

/* The person sees why it does not begin, and it is tried again until the deadline. */
static void wait_for_target(struct load *load, const char *reason, const char *message)
{
    struct object *object = &load->object;
    int64_t now = sonde_clock_monotonic();
    bool missing = strcmp(reason, SONDE_REASON_TARGET_NOT_FOUND) == 0;
    int64_t since = load->missing_since ? load->missing_since : now;
    load->missing_since = missing ? since : 0;
    forget(load);
    if (missing && now - since > NOT_FOUND_NS) {
        end(load, reason, message);
        return;
    }
    tell_trouble(load, reason, message);
    int64_t delay = LOOK_AGAIN_NS << (load->gate_waits < 3 ? load->gate_waits : 3);
    load->gate_waits++;
    delay = delay < LOOK_AGAIN_MAX_NS ? delay : LOOK_AGAIN_MAX_NS;
    load->look_at = now + delay;
    object_wake(object, delay);
}

/* What is wrong for good ends the test; without memory it is tried again. */
static void give_up(struct load *load, const struct sonde_err *err, const char *reason)
{
    if (err->code == SONDE_ENOMEM) {
        forget(load);
        object_retry(&load->object);
    } else {
        end_by(load, err, reason);
    }
}

/* ---- requests ---- */

bool load_read_service(struct load *load, const struct load_place *place, load_read_done done)
{
    return object_ask(&load->object,
                      &(struct object_request){
                          .target = {&service_resource, place->namespace, place->name, NULL, NULL},
                          .done = done});
}

/* The answer is here; false: there is nothing to take from it, and it is asked for again. */
static bool take_answer(struct load *load, const char *what, const struct sonde_err *err)
{
    struct object *object = &load->object;
    char message[OBJECT_MESSAGE_SIZE];
    object->busy = false;
    if (err->code && err->code != SONDE_ENOTFOUND) {
        SONDE_LOG(&object->controller->log, SONDE_LOG_WARN, "what is under load could not be read",
                  SONDE_FIELD_STR("run", sonde_str(object->key)),
                  SONDE_FIELD_STR("what", sonde_str(what)),
                  SONDE_FIELD_STR("error", sonde_str(err->message)));
        (void)snprintf(message, sizeof(message), "%s could not be read: %s", what, err->message);
        wait_for_target(load, LOAD_TARGET_NOT_READ, message);
        return false;
    }
    object_wake(object, 0);
    return true;
}

/* ---- where the target leads ---- */

static int lead(struct load *load, const char *host, const char *namespace, struct sonde_err *err)
{
    (void)snprintf(load->host, sizeof(load->host), "%s", host);
    enum load_lead where = load_lead_of(host, namespace, &load->place);
    int r = where == LOAD_LEADS_OUT ? load_add_outside(load->outside, host, err) : 0;
    load->followed = r == 0 && where != LOAD_LEADS_TO_SERVICE;
    return r;
}

static int begin_way(struct load *load, struct sonde_err *err)
{
    const struct sonde_load_target *target = load->spec->target;
    struct sonde_load_url url;
    load->outside = cJSON_CreateArray();
    if (!load->outside) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for hosts");
    }
    if (target->service) {
        (void)snprintf(load->place.namespace, sizeof(load->place.namespace), "%s",
                       load->object.namespace);
        (void)snprintf(load->place.name, sizeof(load->place.name), "%s", target->service->name);
        return 0;
    }
    int r = sonde_load_url_parse(sonde_str(target->url), &url, err);
    return r < 0 ? r : lead(load, url.host, load->object.namespace, err);
}

static int take_service(struct load *load, const cJSON *service, struct sonde_err *err)
{
    const char *alias = load_alias(service);
    if (load->spec->target->service && !load->service) {
        load->service = cJSON_Duplicate(service, true);
        if (!load->service) {
            return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a Service");
        }
    }
    load->there = !alias[0];
    if (load->there) {
        return 0;
    }
    if (load->aliases++ == ALIASES_MAX) {
        return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_INVALID_SPEC,
                                 "Service %s of namespace %s is one of more than %d that stand for "
                                 "each other (ExternalName): load the last one",
                                 load->place.name, load->place.namespace, ALIASES_MAX);
    }
    return lead(load, alias, NULL, err);
}

static void service_read(void *context, const struct sonde_kube_response *response,
                         const struct sonde_err *err)
{
    struct load *load = context;
    struct object *object = &load->object;
    struct sonde_err problem = {0};
    char message[OBJECT_MESSAGE_SIZE];
    bool hidden =
        err->code == SONDE_EDENIED && strcmp(load->place.namespace, object->namespace) != 0;
    if (hidden) {
        /* Of a namespace that is not served: nobody knows where it leads. */
        object->busy = false;
        load->followed = load_add_outside(load->outside, load->host, &problem) == 0;
        object_wake(object, 0);
    } else if (take_answer(load, "the Service", err)) {
        if (err->code) {
            (void)snprintf(message, sizeof(message), "there is no Service %s in namespace %s",
                           load->place.name, load->place.namespace);
            wait_for_target(load, SONDE_REASON_TARGET_NOT_FOUND, message);
        } else {
            (void)take_service(load, response->object, &problem);
        }
    }
    if (problem.code) {
        give_up(load, &problem, SONDE_REASON_INVALID_SPEC);
    }
    object_end_hold(object);
}

/* That nobody answers is no test: mostly the pods are still starting. */
static int take_addresses(struct load *load, const cJSON *slices, struct sonde_err *err)
{
    const struct sonde_service_target *service = load->spec->target->service;
    if (!service || load->aliases) {
        return 0;
    }
    int r = load_addresses(load->service, slices, service, &load->addresses, err);
    if (r == 0 && cJSON_GetArraySize(load->addresses) == 0) {
        r = sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TOO_FEW_READY,
                              "no pod behind Service %s is ready", service->name);
    }
    return r;
}

static void slices_read(void *context, const struct sonde_kube_response *response,
                        const struct sonde_err *err)
{
    struct load *load = context;
    struct sonde_err problem;
    if (take_answer(load, "its EndpointSlices", err)) {
        int r = load_add_strangers(load->outside, response->object, &problem);
        r = r < 0 ? r : take_addresses(load, response->object, &problem);
        load->followed = r == 0;
        if (r == SONDE_ENOTFOUND) {
            wait_for_target(load, problem.reason, problem.message);
        } else if (r < 0) {
            give_up(load, &problem, SONDE_REASON_UNSUPPORTED);
        }
    }
    object_end_hold(&load->object);
}

static void namespace_read(void *context, const struct sonde_kube_response *response,
                           const struct sonde_err *err)
{
    struct load *load = context;
    struct sonde_err problem;
    if (take_answer(load, "the namespace", err)) {
        const cJSON *annotations = member(member(response->object, "metadata"), "annotations");
        load->permitted = load_permit(load->spec, load->outside, annotations,
                                      load->object.namespace, &problem) == 0;
        if (!load->permitted) {
            end_by(load, &problem, SONDE_REASON_HOST_NOT_ALLOWED);
        }
    }
    object_end_hold(&load->object);
}

/* ---- what is read ---- */

/* The ceiling of spec.safety. */
static int check_ceiling(const struct load *load, const char *host, struct sonde_err *err)
{
    struct sonde_arrival trial;
    int r =
        sonde_load_safety_check(load->spec->safety, host, load_arrival(load->spec, &trial), err);
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

/* Of spec.target.service. */
static int check_service(const struct load *load, struct sonde_err *err)
{
    const struct sonde_load_test *spec = load->spec;
    if (load_alias(load->service)[0] && spec->target->service->endpoints == SONDE_ENDPOINTS_PODS) {
        return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_INVALID_SPEC,
                                 "spec.target.service.endpoints: must be Service, since Service %s "
                                 "stands for another name (ExternalName) and has no pods",
                                 spec->target->service->name);
    }
    if (spec->profile && !spec->profile->target && !load_selector(load->service)) {
        return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_INVALID_SPEC,
                                 "spec.profile.target: must be given, since the Service selects "
                                 "no pods by labels");
    }
    return 0;
}

static bool look_at_way(struct load *load)
{
    struct sonde_err err;
    char selector[SONDE_KUBE_NAME_MAX + 64];
    int r = load->outside ? 0 : begin_way(load, &err);
    r = r < 0 || !load->service ? r : check_service(load, &err);
    if (r < 0) {
        give_up(load, &err, SONDE_REASON_INVALID_SPEC);
    } else if (!load->followed && !load->there) {
        (void)load_read_service(load, &load->place, service_read);
    } else if (!load->followed) {
        (void)snprintf(selector, sizeof(selector), "kubernetes.io/service-name=%s",
                       load->place.name);
        (void)object_ask(&load->object,
                         &(struct object_request){
                             .target = {&slice_resource, load->place.namespace, NULL, NULL, NULL},
                             .selector = selector,
                             .done = slices_read});
    }
    return r == 0 && load->followed;
}

static bool look_at_namespace(struct load *load)
{
    struct sonde_err err;
    const cJSON *host;
    int r = 0;
    cJSON_ArrayForEach(host, load->outside)
    {
        r = r < 0 ? r : check_ceiling(load, host->valuestring, &err);
    }
    if (r < 0) {
        end_by(load, &err, SONDE_REASON_INVALID_SPEC);
    } else if (!load->permitted) {
        (void)object_ask(&load->object,
                         &(struct object_request){.target = {&namespace_resource, NULL,
                                                             load->object.namespace, NULL, NULL},
                                                  .done = namespace_read});
    }
    return r == 0 && load->permitted;
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
    if (load->looked_at && !load->registered && now - load->looked_at > LOOK_HOLDS_NS) {
        forget(load); /* pods come and go, and what is allowed changes, while it waits */
    }
    bool is_well = look_at_way(load) && look_at_namespace(load);
    if (is_well) {
        load->looked_at = load->looked_at ? load->looked_at : now;
        load->missing_since = 0;
        load->gate_waits = 0;
    }
    return is_well;
}
