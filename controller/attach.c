/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/attach.h"

#include <string.h>

#include "codec/json.h"
#include "spec/reason.h"

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

void attach_name(const char *run_uid, bool look, char ret[SIDECAR_NAME_SIZE])
{
    size_t length = (size_t)snprintf(ret, SIDECAR_NAME_SIZE, "sonde-");
    for (const char *c = run_uid; *c && length < 6 + 32; c++) {
        if (*c != '-') {
            ret[length++] = *c;
        }
    }
    (void)snprintf(ret + length, SIDECAR_NAME_SIZE - length, "%s", look ? "-look" : "");
}

bool attach_is_stuck(const char *waiting_reason)
{
    static const char *const reasons[] = {
        "ErrImagePull",      "ImagePullBackOff",         "InvalidImageName",
        "ErrImageNeverPull", "CreateContainerError",     "CreateContainerConfigError",
        "RunContainerError", "ImageInspectError",        "RegistryUnavailable",
        "StartError",        "SignatureValidationFailed"};
    for (size_t i = 0; i < SONDE_LENGTH(reasons); i++) {
        if (strcmp(reasons[i], waiting_reason) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- which container ---- */

static int ambiguous(const cJSON *containers, struct sonde_err *err)
{
    SONDE_BUF_AUTO names = SONDE_BUF(400);
    const cJSON *item;
    cJSON_ArrayForEach(item, containers)
    {
        sonde_buf_printf(&names, "%s%s", names.length ? ", " : "",
                         sonde_json_string_or(item, "name", ""));
    }
    return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_TARGET_AMBIGUOUS,
                             "the pod has several containers: give spec.target.containerName, one "
                             "of %s",
                             names.data ? names.data : "");
}

static int choose_container(const cJSON *pod, const char *wanted, char ret[CONTAINER_NAME_SIZE],
                            struct sonde_err *err)
{
    const cJSON *containers = member(member(pod, "spec"), "containers");
    const cJSON *annotations = member(member(pod, "metadata"), "annotations");
    const char *usual =
        sonde_json_string_or(annotations, "kubectl.kubernetes.io/default-container", NULL);
    const char *name = wanted ? wanted : usual;
    if (!name) {
        if (cJSON_GetArraySize(containers) != 1) {
            return ambiguous(containers, err);
        }
        name = sonde_json_string_or(cJSON_GetArrayItem(containers, 0), "name", "");
    }
    if (!name[0] || !pod_named(containers, name) || strlen(name) >= CONTAINER_NAME_SIZE) {
        return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_NOT_FOUND,
                                 "the pod has no container %.63s", name);
    }
    (void)snprintf(ret, CONTAINER_NAME_SIZE, "%s", name);
    return 0;
}

/* ---- as whom ---- */

/* A whole number that is there; false when it is not. */
static bool read_user(const cJSON *context, const char *name, int64_t *ret)
{
    int64_t value = sonde_json_integer_or(context, name, ATTACH_USER_UNKNOWN);
    if (value >= 0) {
        *ret = value;
    }
    return value >= 0;
}

/* What the runtime says is true; a spec may be overruled by nothing; what a person says is the last
 * resort (KEP-3619: status.containerStatuses[].user). */
static int64_t find_user(const cJSON *pod, const char *container, int64_t given)
{
    const cJSON *spec = member(pod, "spec");
    const cJSON *status = pod_named(member(member(pod, "status"), "containerStatuses"), container);
    const cJSON *own = member(pod_named(member(spec, "containers"), container), "securityContext");
    int64_t user = ATTACH_USER_UNKNOWN;
    if (read_user(member(member(status, "user"), "linux"), "uid", &user) ||
        read_user(own, "runAsUser", &user) ||
        read_user(member(spec, "securityContext"), "runAsUser", &user)) {
        return user;
    }
    return given;
}

/* The kernel lets nobody read the links of a process that has another group, too (ptrace(2),
 * "Ptrace access mode checking"). */
static int64_t find_group(const cJSON *pod, const char *container)
{
    const cJSON *spec = member(pod, "spec");
    const cJSON *status = pod_named(member(member(pod, "status"), "containerStatuses"), container);
    const cJSON *own = member(pod_named(member(spec, "containers"), container), "securityContext");
    int64_t group = ATTACH_USER_UNKNOWN;
    (void)(read_user(member(member(status, "user"), "linux"), "gid", &group) ||
           read_user(own, "runAsGroup", &group) ||
           read_user(member(spec, "securityContext"), "runAsGroup", &group));
    return group;
}

/* The kubelet ends a container after failureThreshold probes, periodSeconds apart, in vain
 * (kubernetes.io, "Configure Probes"). */
static int64_t find_liveness(const cJSON *pod, const char *container)
{
    enum { PERIOD_DEFAULT = 10, THRESHOLD_DEFAULT = 3, BOUND = 1000000 };
    const cJSON *own = pod_named(member(member(pod, "spec"), "containers"), container);
    const cJSON *probe = member(own, "livenessProbe");
    if (!cJSON_IsObject(probe)) {
        return 0;
    }
    int64_t period = sonde_json_integer_or(probe, "periodSeconds", PERIOD_DEFAULT);
    int64_t threshold = sonde_json_integer_or(probe, "failureThreshold", THRESHOLD_DEFAULT);
    period = period < 1 || period > BOUND ? PERIOD_DEFAULT : period;
    threshold = threshold < 1 || threshold > BOUND ? THRESHOLD_DEFAULT : threshold;
    return period * threshold;
}

/* ---- is there room ---- */

static void count_entries(const cJSON *pod, const char *name, int *ret_entries,
                          struct attach_target *ret)
{
    const cJSON *item;
    const cJSON *statuses = member(member(pod, "status"), "ephemeralContainerStatuses");
    cJSON_ArrayForEach(item, member(member(pod, "spec"), "ephemeralContainers"))
    {
        const char *entry = sonde_json_string_or(item, "name", "");
        if (strncmp(entry, "sonde-", 6) != 0) {
            continue;
        }
        (*ret_entries)++;
        if (strcmp(entry, name) == 0) {
            ret->present = true;
        } else if (!member(member(pod_named(statuses, entry), "state"), "terminated") &&
                   !attach_is_stuck(sonde_json_string_or(
                       member(member(pod_named(statuses, entry), "state"), "waiting"), "reason",
                       ""))) {
            ret->other_active = true;
        }
    }
}

static int check_alive(const cJSON *pod, const struct attach_request *request,
                       struct sonde_err *err)
{
    const cJSON *metadata = member(pod, "metadata");
    if (strcmp(sonde_json_string_or(metadata, "uid", ""), request->uid) != 0) {
        return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_EXITED,
                                 "the pod was replaced by another one of the same name");
    }
    if (member(metadata, "deletionTimestamp") ||
        strcmp(sonde_json_string_or(member(pod, "status"), "phase", ""), "Running") != 0) {
        return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_EXITED,
                                 "the pod does not run any more");
    }
    return 0;
}

int attach_examine(const cJSON *pod, const struct attach_request *request,
                   struct attach_target *ret, struct sonde_err *err)
{
    int entries = 0;
    *ret = (struct attach_target){.user = ATTACH_USER_UNKNOWN};
    int r = check_alive(pod, request, err);
    r = r < 0 ? r : choose_container(pod, request->container, ret->container, err);
    if (r < 0) {
        return r;
    }
    const cJSON *status =
        pod_named(member(member(pod, "status"), "containerStatuses"), ret->container);
    if (!member(member(status, "state"), "running")) {
        return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_EXITED,
                                 "container %s does not run", ret->container);
    }
    ret->user = find_user(pod, ret->container, request->run_as_user);
    ret->group = find_group(pod, ret->container);
    ret->liveness_seconds = find_liveness(pod, ret->container);
    count_entries(pod, request->name, &entries, ret);
    if (!ret->present && entries >= ATTACH_ENTRIES_MAX) {
        return sonde_fail_reason(err, SONDE_ELIMIT, SONDE_REASON_TOO_MANY_SIDECARS,
                                 "the pod has had %d sidecars, which Kubernetes never removes",
                                 entries);
    }
    return 0;
}

/* ---- the patch ---- */

static void put_pair(struct sonde_buf *buf, const char *before, const char *name, const char *value)
{
    sonde_buf_text(buf, before);
    sonde_buf_json_string(buf, sonde_str(name));
    sonde_buf_char(buf, ':');
    sonde_buf_json_string(buf, sonde_str(value));
}

static void put_environment(const struct attach_sidecar *sidecar, struct sonde_buf *buf)
{
    sonde_buf_text(buf, ",\"env\":[");
    for (size_t i = 0; i < sidecar->environment_count; i++) {
        put_pair(buf, i ? ",{" : "{", "name", sidecar->environment[i].key);
        put_pair(buf, ",", "value", sidecar->environment[i].value);
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
}

void attach_patch(const struct attach_sidecar *sidecar, struct sonde_buf *ret)
{
    put_pair(ret, "{\"metadata\":{", "resourceVersion", sidecar->resource_version);
    put_pair(ret, ",\"annotations\":{", "sonde.dev/run", sidecar->run);
    put_pair(ret, ",", "sonde.dev/requester", sidecar->requester);
    sonde_buf_text(ret, "}},\"spec\":{\"ephemeralContainers\":[");
    put_pair(ret, "{", "name", sidecar->name);
    put_pair(ret, ",", "image", sidecar->image);
    put_pair(ret, ",", "targetContainerName", sidecar->container);
    sonde_buf_text(ret, ",\"imagePullPolicy\":\"IfNotPresent\""
                        ",\"terminationMessagePolicy\":\"File\"");
    sonde_buf_text(ret, sidecar->look ? ",\"args\":[\"look\"]" : "");
    put_environment(sidecar, ret);
    sonde_buf_printf(ret, ",\"securityContext\":{\"runAsUser\":%lld", (long long)sidecar->user);
    if (sidecar->group >= 0) {
        sonde_buf_printf(ret, ",\"runAsGroup\":%lld", (long long)sidecar->group);
    }
    sonde_buf_printf(ret,
                     ",\"runAsNonRoot\":%s,"
                     "\"allowPrivilegeEscalation\":false,\"readOnlyRootFilesystem\":true,"
                     "\"privileged\":false,\"capabilities\":{\"drop\":[\"ALL\"]},"
                     "\"seccompProfile\":{\"type\":\"RuntimeDefault\"}}}]}}",
                     sidecar->user ? "true" : "false");
}
