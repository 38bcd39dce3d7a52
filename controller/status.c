/* SPDX-License-Identifier: Apache-2.0 */
/* What is a ProfileRun's own in its status: to JSON, and back after a restart. */
#include <string.h>

#include "codec/json.h"
#include "controller/controller.h"

static const char *const state_names[] = {
    [TARGET_PENDING] = "Pending",     [TARGET_LOOKING] = "Attaching",
    [TARGET_ATTACHING] = "Attaching", [TARGET_CAPTURING] = "Capturing",
    [TARGET_SUCCEEDED] = "Succeeded", [TARGET_FAILED] = "Failed",
};

static void put_target(cJSON *list, const struct target *target)
{
    cJSON *item = status_add_item(list);
    status_put_text(item, "podName", target->pod);
    status_put_text(item, "podUID", target->pod_uid);
    status_put_text(item, "nodeName", target->node);
    status_put_text(item, "containerName", target->container);
    status_put_number(item, "pid", target->pid);
    status_put_text(item, "nodeVersion", target->node_version);
    status_put_text(item, "state", state_names[target->state]);
    status_put_text(item, "reason", target->reason);
    status_put_text(item, "message", target->message);
    status_put_number(item, "inspectorOpenMilliseconds", target->inspector_ms);
    status_put_number(item, "pauseMilliseconds", target->pause_ms);
}

static void put_artifacts(cJSON *status, const cJSON *artifacts)
{
    static const char *const names[][2] = {{"id", "id"},
                                           {"capture", "capture"},
                                           {"target", "podName"},
                                           {"mediaType", "mediaType"},
                                           {"sha256", "sha256"}};
    cJSON *list = cJSON_GetArraySize(artifacts) ? status_add_array(status, "artifacts") : NULL;
    const cJSON *artifact;
    int count = 0;
    cJSON_ArrayForEach(artifact, artifacts)
    {
        if (!list || count++ == RUN_ARTIFACTS_MAX) {
            break;
        }
        cJSON *item = status_add_item(list);
        for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
            status_put_text(item, names[i][1], sonde_json_string_or(artifact, names[i][0], ""));
        }
        status_put_number(item, "bytes", sonde_json_integer_or(artifact, "bytes", 0));
    }
}

static void put_results(cJSON *status, const cJSON *results)
{
    const cJSON *summary = cJSON_GetObjectItemCaseSensitive(results, "summary");
    if (cJSON_IsObject(summary)) {
        cJSON *own = status_add_object(status, "summary");
        status_put_text(own, "top", sonde_json_string_or(summary, "top", ""));
        status_put_count(own, "findings", sonde_json_integer_or(summary, "findings", 0));
        status_put_count(own, "bytes", sonde_json_integer_or(summary, "bytes", 0));
    }
    put_artifacts(status, cJSON_GetObjectItemCaseSensitive(results, "artifacts"));
}

static void put_capture_types(cJSON *status, const struct run *run)
{
    SONDE_BUF_AUTO types = SONDE_BUF(512);
    for (size_t i = 0; run->spec && i < run->spec->captures.count; i++) {
        const char *type = sonde_capture_types[run->spec->captures.items[i].type];
        if (!types.data || !strstr(types.data, type)) {
            sonde_buf_printf(&types, "%s%s", types.length ? "," : "", type);
        }
    }
    status_must(types.code == 0);
    status_put_text(status, "captureTypes", types.data ? types.data : "");
}

static void put_pods(cJSON *status, const struct run *run)
{
    char text[48];
    size_t captured = 0;
    for (size_t i = 0; i < run->target_count; i++) {
        captured += run->targets[i].state == TARGET_SUCCEEDED;
    }
    if (run->target_count) {
        (void)snprintf(text, sizeof(text), "%zu/%zu", captured, run->target_count);
        status_put_text(status, "pods", text);
    }
}

void run_put(cJSON *status, const struct object *object)
{
    const struct run *run = run_from(object);
    status_put_text(status, "target", run->object.target_word);
    put_capture_types(status, run);
    put_pods(status, run);
    status_put_text(status, "sidecarImage", run->object.controller->settings->sidecar_image);
    cJSON *targets = run->target_count ? status_add_array(status, "targets") : NULL;
    for (size_t i = 0; targets && i < run->target_count; i++) {
        put_target(targets, &run->targets[i]);
    }
    status_put_number(status, "targetsLeftOut", (int64_t)run->left_out);
    put_results(status, run->object.results);
}

/* ---- back ---- */

static int index_of(const char *const *names, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], word) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void take_target(struct run *run, const cJSON *item)
{
    struct target *target = &run->targets[run->target_count];
    int state = index_of(state_names, SONDE_LENGTH(state_names),
                         sonde_json_string_or(item, "state", "Pending"));
    *target = (struct target){.run = run,
                              .index = run->target_count++,
                              .user = ATTACH_USER_UNKNOWN,
                              .pid = sonde_json_integer_or(item, "pid", 0)};
    status_take_text(item, "podName", target->pod, sizeof(target->pod));
    status_take_text(item, "podUID", target->pod_uid, sizeof(target->pod_uid));
    status_take_text(item, "nodeName", target->node, sizeof(target->node));
    status_take_text(item, "containerName", target->container, sizeof(target->container));
    status_take_text(item, "nodeVersion", target->node_version, sizeof(target->node_version));
    status_take_text(item, "reason", target->reason, sizeof(target->reason));
    status_take_text(item, "message", target->message, sizeof(target->message));
    target->inspector_ms = sonde_json_integer_or(item, "inspectorOpenMilliseconds", 0);
    target->pause_ms = sonde_json_integer_or(item, "pauseMilliseconds", 0);
    /* Whether a sidecar is in the pod is seen there: what was not over is begun again. */
    target->state = state == TARGET_SUCCEEDED || state == TARGET_FAILED ? (enum target_state)state
                                                                        : TARGET_PENDING;
    target->connected = state == TARGET_CAPTURING;
}

int run_take(struct object *object, const cJSON *status, struct sonde_err *err)
{
    struct run *run = run_of(object);
    const cJSON *item;
    const cJSON *targets = cJSON_GetObjectItemCaseSensitive(status, "targets");
    size_t count = (size_t)cJSON_GetArraySize(targets);
    count = count < CHOOSE_TARGETS_MAX ? count : CHOOSE_TARGETS_MAX;
    int r = run_reserve_targets(run, count, err);
    if (r < 0) {
        return r;
    }
    status_take_text(status, "target", object->target_word, sizeof(object->target_word));
    int64_t left_out = sonde_json_integer_or(status, "targetsLeftOut", 0);
    run->left_out = left_out > 0 ? (size_t)left_out : 0;
    cJSON_ArrayForEach(item, targets)
    {
        if (run->target_count < count) {
            take_target(run, item);
        }
    }
    object->phase = run->target_count ? OBJECT_WORKING : OBJECT_BEGINNING;
    return 0;
}
