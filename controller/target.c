/* SPDX-License-Identifier: Apache-2.0 */
/* One target's way: its pod is read, a token is registered, the sidecar is put into the pod with
 * it, and its end is awaited. Each step can be repeated: names are derived from the run, and what
 * is there already is seen. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "controller/controller.h"
#include "spec/reason.h"

#define STUCK_NS (15 * SONDE_SECOND)  /* a container that waits with an error */
#define SILENT_NS (60 * SONDE_SECOND) /* patched, and no word of the kubelet */
#define ENDING_NS (40 * SONDE_SECOND) /* cancelled, and it does not end */
#define GONE_NS (6 * SONDE_SECOND)    /* the pod is gone: its sidecar's last word may come */
#define STORE_PATIENCE 6              /* tries, 12 s in all */
#define TOKEN_GRACE_SECONDS 60

bool target_over(const struct target *target)
{
    return target->state == TARGET_SUCCEEDED || target->state == TARGET_FAILED;
}

bool target_active(const struct target *target)
{
    return !target_over(target) && (target->busy || target->state != TARGET_PENDING);
}

/* It is in the pod, and no other sidecar of the run will be; or none at all. */
static void forget_token(struct target *target)
{
    explicit_bzero(target->token, sizeof(target->token));
    target->registered = false;
}

void target_fail(struct target *target, const char *reason, const char *message)
{
    if (target_over(target)) {
        return;
    }
    target->state = TARGET_FAILED;
    forget_token(target);
    (void)snprintf(target->reason, sizeof(target->reason), "%s", reason);
    (void)snprintf(target->message, sizeof(target->message), "%s", message);
}

static void fail_by(struct target *target, const struct sonde_err *err)
{
    target_fail(target, err->reason ? err->reason : SONDE_REASON_INTERNAL, err->message);
}

static void wake(const struct target *target, int64_t delay_ns)
{
    object_wake(&target->run->object, delay_ns);
}

/* The request for the target is over; the run may be, too. */
static void idle(struct target *target, int64_t delay_ns)
{
    target->busy = false;
    wake(target, delay_ns);
    object_end_hold(&target->run->object);
}

static void again_later(struct target *target)
{
    int exponent = target->failures < 4 ? target->failures : 4;
    target->failures++;
    idle(target, (INT64_C(200) << exponent) * SONDE_MILLISECOND);
}

static bool comes_back(int code)
{
    return code == SONDE_EBUSY || code == SONDE_ENETWORK || code == SONDE_ETIMEOUT ||
           code == SONDE_ENOMEM;
}

/* The API server refused, or did not answer. */
static void refused(struct target *target, const char *what, const struct sonde_err *err)
{
    char message[OBJECT_MESSAGE_SIZE];
    if (comes_back(err->code)) {
        SONDE_LOG(&target->run->object.controller->log, SONDE_LOG_WARN,
                  "the API server did not answer",
                  SONDE_FIELD_STR("run", sonde_str(target->run->object.key)),
                  SONDE_FIELD_STR("pod", sonde_str(target->pod)),
                  SONDE_FIELD_STR("error", sonde_str(err->message)));
        again_later(target);
        return;
    }
    (void)snprintf(message, sizeof(message), "%s: %s", what, err->message);
    if (err->code == SONDE_ENOTFOUND) {
        target_fail(target, SONDE_REASON_TARGET_EXITED, "the pod is gone");
    } else if (err->code == SONDE_EDENIED && strstr(err->message, "PodSecurity")) {
        target_fail(target, SONDE_REASON_POD_SECURITY_DENIED, message);
    } else {
        target_fail(target, SONDE_REASON_ATTACH_DENIED, message);
    }
    idle(target, 0);
}

/* ---- the patch ---- */

struct patch {
    struct target *target;
    struct attach_target found;
    char version[64];
    bool look;
};

static void patched(void *context, const struct sonde_kube_response *response,
                    const struct sonde_err *err)
{
    struct patch *patch = context;
    struct target *target = patch->target;
    struct run *run = target->run;
    bool look = patch->look;
    (void)response;
    free(patch);
    if (err->code == SONDE_ECONFLICT) {
        idle(target, 0); /* the pod has changed: look again */
        return;
    }
    if (err->code) {
        refused(target, "the sidecar could not be put into the pod", err);
        return;
    }
    if (!look) {
        forget_token(target);
    }
    target->failures = 0;
    target->patched = sonde_clock_monotonic();
    run->object.controller->metrics.attaches++;
    if (!target_over(target) && target->state != TARGET_CAPTURING) {
        target->state = look ? TARGET_LOOKING : TARGET_ATTACHING;
    }
    SONDE_LOG(&run->object.controller->log, SONDE_LOG_INFO, "sidecar put into pod",
              SONDE_FIELD_STR("run", sonde_str(run->object.key)),
              SONDE_FIELD_STR("pod", sonde_str(target->pod)), SONDE_FIELD_INT("look", look));
    idle(target, 0);
}

static int send_patch(struct patch *patch, struct sonde_err *err)
{
    struct target *target = patch->target;
    struct run *run = target->run;
    const struct controller *controller = run->object.controller;
    char name[SIDECAR_NAME_SIZE];
    char deadline[32];
    char liveness[32];
    struct sonde_str authority = certificates_authority(controller->certificates);
    SONDE_BUF_AUTO body = SONDE_BUF(ATTACH_PATCH_MAX);
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    attach_name(run->object.uid, patch->look, name);
    (void)snprintf(deadline, sizeof(deadline), "%lld", (long long)object_deadline(&run->object));
    (void)snprintf(liveness, sizeof(liveness), "%lld", (long long)patch->found.liveness_seconds);
    const struct sonde_pair environment[] = {
        {"SONDE_STORE", controller->settings->store},
        {"SONDE_STORE_CA", authority.data},
        {"SONDE_RUN_UID", run->object.uid},
        {"SONDE_TARGET", target->pod},
        {"SONDE_TOKEN", target->token},
        {"SONDE_DEADLINE", deadline},
        {"SONDE_LIVENESS_SECONDS", liveness},
        {"SONDE_DOCUMENT", run->object.document}, /* alone for a look */
    };
    enum { ALL = SONDE_LENGTH(environment) };
    attach_patch(
        &(struct attach_sidecar){
            .name = name,
            .image = controller->settings->sidecar_image,
            .container = patch->found.container,
            .user = patch->look ? ATTACH_STRANGER : patch->found.user,
            .group = patch->look ? ATTACH_STRANGER : patch->found.group,
            .look = patch->look,
            .resource_version = patch->version,
            .requester = run->object.requester,
            .run = run->object.name,
            .environment = patch->look ? environment + ALL - 1 : environment,
            .environment_count = patch->look ? 1 : ALL,
        },
        &body);
    int r = sonde_kube_path(&(struct sonde_kube_target){&pod_resource, run->object.namespace,
                                                        target->pod, "ephemeralcontainers", NULL},
                            &path, err);
    r = r < 0 ? r : sonde_buf_check(&path, "the path of a pod", err);
    r = r < 0 ? r : sonde_buf_check(&body, "the patch of a pod", err);
    struct sonde_kube_request_options options = {.method = "PATCH",
                                                 .path = sonde_buf_view(&path),
                                                 .content_type = SONDE_KUBE_STRATEGIC_PATCH,
                                                 .body = sonde_buf_view(&body),
                                                 .context = patch,
                                                 .done = patched};
    r = r < 0 ? r : sonde_kube_send(controller->kube, &options, NULL, err);
    if (body.data) {
        explicit_bzero(body.data, body.length);
    }
    return r;
}

/* The run ends, or the target has failed meanwhile: nothing more is put into the pod. */
static bool stops(struct patch *patch)
{
    struct target *target = patch->target;
    bool ends = target->run->object.ending_reason[0] || target_over(target);
    if (ends) {
        free(patch);
        idle(target, 0);
    }
    return ends;
}

/* Takes over the patch, and the hold on the run. */
static void put_in(struct patch *patch)
{
    struct sonde_err err;
    struct target *target = patch->target;
    if (send_patch(patch, &err) < 0) {
        free(patch);
        fail_by(target, &err);
        idle(target, 0);
    }
}

/* ---- the token ---- */

static void registered(void *context, const struct store_answer *answer,
                       const struct sonde_err *err)
{
    struct patch *patch = context;
    struct target *target = patch->target;
    if (err->code) {
        free(patch);
        SONDE_LOG(&target->run->object.controller->log, SONDE_LOG_WARN,
                  "the store did not take a run",
                  SONDE_FIELD_STR("run", sonde_str(target->run->object.key)),
                  SONDE_FIELD_INT("status", answer->status),
                  SONDE_FIELD_STR("error", sonde_str(err->message)));
        if (++target->store_failures > STORE_PATIENCE) {
            target_fail(target, SONDE_REASON_STORE_UNREACHABLE, err->message);
        }
        again_later(target);
        return;
    }
    target->store_failures = 0;
    target->registered = true;
    if (!stops(patch)) {
        put_in(patch);
    }
}

/* One until it is in the pod: the store keeps few of a target, and takes the same one again. */
static void make_token(struct target *target)
{
    unsigned char secret[32];
    if (!target->token[0]) {
        sonde_random_bytes(secret, sizeof(secret));
        sonde_hexadecimal(secret, sizeof(secret), target->token);
        explicit_bzero(secret, sizeof(secret));
    }
}

static int send_registration(struct patch *patch, struct sonde_err *err)
{
    struct target *target = patch->target;
    const struct run *run = target->run;
    char digest[SONDE_DIGEST_SIZE];
    SONDE_BUF_AUTO body = SONDE_BUF(SONDE_SPEC_FILE_MAX + 8192);
    make_token(target);
    sonde_sha256(sonde_str(target->token), digest);
    object_registration(&run->object, &body);
    sonde_buf_printf(&body, "{\"target\":\"%s\",\"tokenSha256\":\"%s\",\"expires\":%lld}]}",
                     target->pod, digest,
                     (long long)(object_deadline(&run->object) + TOKEN_GRACE_SECONDS));
    int r = sonde_buf_check(&body, "the registration of a run", err);
    return r < 0 ? r
                 : store_post(run->object.controller->store, "runs", sonde_buf_view(&body),
                              10 * SONDE_SECOND, registered, patch, err);
}

/* ---- the pod ---- */

static void pod_read(void *context, const struct sonde_kube_response *response,
                     const struct sonde_err *err)
{
    struct target *target = context;
    struct run *run = target->run;
    const struct sonde_profile_run *spec = run->spec;
    if (err->code) {
        refused(target, "the pod could not be read", err);
        return;
    }
    struct attach_target found;
    struct sonde_err later;
    int64_t given = spec->attach->run_as_user;
    struct attach_request request = {
        .uid = target->pod_uid,
        .container = spec->target->container_name,
        .run_as_user = target->user >= 0            ? target->user
                       : given == SONDE_SPEC_ABSENT ? ATTACH_USER_UNKNOWN
                                                    : given,
        .name = run->sidecar,
    };
    if (attach_examine(response->object, &request, &found, &later) < 0) {
        fail_by(target, &later);
        idle(target, 0);
        return;
    }
    (void)snprintf(target->container, sizeof(target->container), "%s", found.container);
    if (found.present) {
        forget_token(target);
        target->state = target->state == TARGET_PENDING ? TARGET_ATTACHING : target->state;
        target->patched = target->patched ? target->patched : sonde_clock_monotonic();
    }
    if (found.present || found.other_active || run->object.ending_reason[0] ||
        target_over(target)) {
        idle(target, found.present ? 0 : SONDE_SECOND);
        return;
    }
    struct patch *patch = calloc(1, sizeof(*patch));
    if (!patch) {
        again_later(target);
        return;
    }
    patch->target = target;
    patch->found = found;
    patch->look = found.user == ATTACH_USER_UNKNOWN;
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(response->object, "metadata");
    (void)snprintf(patch->version, sizeof(patch->version), "%s",
                   sonde_json_string_or(metadata, "resourceVersion", ""));
    if (patch->look || target->registered) {
        put_in(patch);
    } else if (send_registration(patch, &later) < 0) {
        free(patch);
        fail_by(target, &later);
        idle(target, 0);
    }
}

static void attach(struct target *target)
{
    struct sonde_err err;
    struct run *run = target->run;
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    int r = sonde_kube_path(
        &(struct sonde_kube_target){&pod_resource, run->object.namespace, target->pod, NULL, NULL},
        &path, &err);
    r = r < 0 ? r : sonde_buf_check(&path, "the path of a pod", &err);
    struct sonde_kube_request_options options = {
        .path = sonde_buf_view(&path), .context = target, .done = pod_read};
    target->busy = true;
    object_hold(&run->object);
    r = r < 0 ? r : sonde_kube_send(run->object.controller->kube, &options, NULL, &err);
    if (r < 0) {
        fail_by(target, &err);
        idle(target, 0);
    }
}

/* ---- what the kubelet tells ---- */

/* Where the target is process 1, its end is that of all processes in its namespace: the kernel
 * kills the sidecar with it. */
static bool ended_with_target(const struct pod *pod, const struct pod_sidecar *sidecar)
{
    return pod->leaving || (sidecar->started_ns > 0 && pod->ended_ns >= sidecar->started_ns);
}

static void sidecar_ended(struct target *target, const struct pod *pod,
                          const struct pod_sidecar *sidecar)
{
    char message[OBJECT_MESSAGE_SIZE];
    if (result_take_message(target, sidecar->message)) {
        return;
    }
    if (ended_with_target(pod, sidecar)) {
        target_fail(target, SONDE_REASON_TARGET_EXITED,
                    "the container ended during the capture, and the sidecar with it");
        return;
    }
    (void)snprintf(message, sizeof(message), "the sidecar ended with exit code %lld (%s)",
                   (long long)sidecar->exit_code, sidecar->reason);
    target_fail(target, SONDE_REASON_SIDECAR_LOST, message);
}

static void look_ended(struct target *target, const struct pod *pod,
                       const struct pod_sidecar *sidecar)
{
    SONDE_JSON_AUTO *told = NULL;
    if (sonde_json_parse(sonde_str(sidecar->message), &told, NULL) == 0) {
        target->user = sonde_json_integer_or(told, "uid", ATTACH_USER_UNKNOWN);
    }
    if (target->user >= 0) {
        target->state = TARGET_PENDING;
        wake(target, 0);
    } else if (!result_take_message(target, sidecar->message)) {
        sidecar_ended(target, pod, sidecar);
    }
}

static void sidecar_waits(struct target *target, const struct pod_sidecar *sidecar, int64_t now)
{
    char message[OBJECT_MESSAGE_SIZE];
    if (!attach_is_stuck(sidecar->reason)) {
        target->stuck_since = 0;
        return;
    }
    target->stuck_since = target->stuck_since ? target->stuck_since : now;
    if (now - target->stuck_since < STUCK_NS) {
        wake(target, STUCK_NS - (now - target->stuck_since) + SONDE_MILLISECOND);
        return;
    }
    (void)snprintf(message, sizeof(message), "%s: %s", sidecar->reason, sidecar->message);
    target_fail(target, SONDE_REASON_SIDECAR_NOT_STARTED, message);
}

/* The pod is gone, or another one: what its sidecar had to say may still come from the store. */
static void pod_gone(struct target *target, int64_t now)
{
    target->ended_since = target->ended_since ? target->ended_since : now;
    if (!target->connected || now - target->ended_since >= GONE_NS) {
        target_fail(target, SONDE_REASON_TARGET_EXITED, "the pod is gone");
    } else {
        wake(target, GONE_NS - (now - target->ended_since) + SONDE_MILLISECOND);
    }
}

static void await_kubelet(struct target *target, int64_t now)
{
    int64_t left = target->patched + SILENT_NS - now;
    if (left <= 0) {
        target_fail(target, SONDE_REASON_SIDECAR_NOT_STARTED,
                    "the kubelet has not started the sidecar in 60 s");
    } else {
        wake(target, left + SONDE_MILLISECOND);
    }
}

static void await(struct target *target, const struct pod *pod, const struct pod_sidecar *sidecar,
                  int64_t now)
{
    bool look = target->state == TARGET_LOOKING;
    if (sidecar && sidecar->state == SIDECAR_TERMINATED) {
        if (look) {
            look_ended(target, pod, sidecar);
        } else {
            sidecar_ended(target, pod, sidecar);
        }
    } else if (sidecar && sidecar->state == SIDECAR_WAITING) {
        sidecar_waits(target, sidecar, now);
    } else if (!sidecar && !target->connected && target->patched) {
        await_kubelet(target, now);
    }
}

void target_step(struct target *target)
{
    struct run *run = target->run;
    char key[OBJECT_KEY_SIZE];
    char name[SIDECAR_NAME_SIZE];
    int64_t now = sonde_clock_monotonic();
    if (target_over(target) || target->busy) {
        return;
    }
    (void)snprintf(key, sizeof(key), "%s/%s", run->object.namespace, target->pod);
    const struct sonde_kube_object *object = sonde_kube_cache_get(
        sonde_kube_informer_cache(run->object.controller->pods), sonde_str(key));
    const struct pod *pod =
        object && strcmp(object->uid, target->pod_uid) == 0 ? object->kept : NULL;
    attach_name(run->object.uid, target->state == TARGET_LOOKING, name);
    const struct pod_sidecar *sidecar = pod ? pod_sidecar(pod, name) : NULL;
    if (target->state == TARGET_PENDING && sidecar) {
        target->state = TARGET_ATTACHING; /* of before a restart */
    }
    if (target->state == TARGET_PENDING && run->object.ending_reason[0]) {
        target->cancelled = true;
        target_fail(target, run->object.ending_reason, run->object.ending_message);
    } else if (!pod) {
        pod_gone(target, now);
    } else if (target->state == TARGET_PENDING) {
        attach(target);
    } else {
        await(target, pod, sidecar, now);
    }
    if (!target_over(target) && run->object.ending_reason[0]) {
        if (now - run->object.ending_since > ENDING_NS) {
            target_fail(target, run->object.ending_reason, run->object.ending_message);
        } else {
            wake(target, ENDING_NS + SONDE_SECOND);
        }
    }
}

/* ---- what the store tells ---- */

static struct target *find_target(struct run *run, const char *pod)
{
    for (size_t i = 0; i < run->target_count; i++) {
        if (strcmp(run->targets[i].pod, pod) == 0) {
            return &run->targets[i];
        }
    }
    return NULL;
}

static void take_change(struct target *target, const cJSON *change)
{
    const char *phase = sonde_json_string_or(change, "phase", "");
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(change, "result");
    target->connected = target->connected || strcmp(phase, "Expected") != 0;
    if (target_over(target)) {
        return;
    }
    if (strcmp(phase, "Capturing") == 0) {
        target->state = TARGET_CAPTURING;
    } else if (strcmp(phase, "Done") == 0) {
        target->done = true;
        result_take(target, result);
    } else if (strcmp(phase, "Lost") == 0) {
        target_fail(target, SONDE_REASON_SIDECAR_LOST,
                    "the sidecar has not been heard of: its node or its pod may be gone");
    }
}

void target_changed(struct object *object, const cJSON *change)
{
    struct target *target = find_target(run_of(object), sonde_json_string_or(change, "target", ""));
    if (target) {
        take_change(target, change);
    }
}
