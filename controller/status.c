/* SPDX-License-Identifier: Apache-2.0 */
/* A run's status: from what is known to JSON, and back after a restart. */
#include <string.h>

#include "codec/json.h"
#include "controller/controller.h"
#include "kube/time.h"

static const char *const state_names[] = {
    [TARGET_PENDING] = "Pending",     [TARGET_LOOKING] = "Attaching",
    [TARGET_ATTACHING] = "Attaching", [TARGET_CAPTURING] = "Capturing",
    [TARGET_SUCCEEDED] = "Succeeded", [TARGET_FAILED] = "Failed",
};

static const char *const condition_names[CONDITION_COUNT] = {
    [CONDITION_ACCEPTED] = "Accepted",      [CONDITION_ATTACHED] = "Attached",
    [CONDITION_STORED] = "ArtifactsStored", [CONDITION_ANALYZED] = "Analyzed",
    [CONDITION_SUCCEEDED] = "Succeeded",
};

/* There was no memory for a part of the status under way: without it the rest would take away what
 * is written, so nothing of it is. One thread only. */
static bool is_partial;

static void must(bool made)
{
    is_partial = is_partial || !made;
}

/* A text that was cut within a character ends before it: the API server would write another one
 * in its place, and the status never be as it should. */
static void put_message(cJSON *object, const char *name, const char *text)
{
    char whole[RUN_MESSAGE_SIZE];
    size_t length = strlen(text);
    if (!sonde_utf8_valid((struct sonde_str){text, length})) {
        length = length < sizeof(whole) ? length : sizeof(whole) - 1;
        while (!sonde_utf8_valid((struct sonde_str){text, length})) {
            length--;
        }
        (void)snprintf(whole, sizeof(whole), "%.*s", (int)length, text);
        text = whole;
    }
    must(cJSON_AddStringToObject(object, name, text));
}

static void put_text(cJSON *object, const char *name, const char *text)
{
    if (text[0]) {
        put_message(object, name, text);
    }
}

static void put_number(cJSON *object, const char *name, int64_t value)
{
    if (value > 0) {
        must(cJSON_AddNumberToObject(object, name, (double)value));
    }
}

static void put_time(cJSON *object, const char *name, int64_t realtime)
{
    char text[SONDE_KUBE_TIME_SIZE];
    if (realtime > 0) {
        sonde_kube_time_format(realtime, text);
        must(cJSON_AddStringToObject(object, name, text));
    }
}

static cJSON *add_object(cJSON *list)
{
    cJSON *item = cJSON_CreateObject();
    must(item);
    if (item && !cJSON_AddItemToArray(list, item)) {
        cJSON_Delete(item);
        item = NULL;
    }
    return item;
}

static cJSON *add_array(cJSON *object, const char *name)
{
    cJSON *list = cJSON_AddArrayToObject(object, name);
    must(list);
    return list;
}

static void put_target(cJSON *list, const struct target *target)
{
    cJSON *item = add_object(list);
    put_text(item, "podName", target->pod);
    put_text(item, "podUID", target->pod_uid);
    put_text(item, "nodeName", target->node);
    put_text(item, "containerName", target->container);
    put_number(item, "pid", target->pid);
    put_text(item, "nodeVersion", target->node_version);
    put_text(item, "state", state_names[target->state]);
    put_text(item, "reason", target->reason);
    put_text(item, "message", target->message);
    put_number(item, "inspectorOpenMilliseconds", target->inspector_ms);
    put_number(item, "pauseMilliseconds", target->pause_ms);
}

static void put_conditions(cJSON *status, const struct run *run)
{
    cJSON *list = add_array(status, "conditions");
    for (size_t i = 0; list && i < CONDITION_COUNT; i++) {
        const struct condition *condition = &run->conditions[i];
        if (!condition->status || (run->bare && i != CONDITION_SUCCEEDED)) {
            continue;
        }
        cJSON *item = add_object(list);
        put_text(item, "type", condition_names[i]);
        put_text(item, "status",
                 condition->status == 'T'   ? "True"
                 : condition->status == 'F' ? "False"
                                            : "Unknown");
        put_text(item, "reason", condition->reason);
        put_message(item, "message", condition->message);
        put_time(item, "lastTransitionTime", condition->since);
        put_number(item, "observedGeneration", run->generation);
    }
}

static void put_artifacts(cJSON *status, const cJSON *artifacts)
{
    static const char *const names[][2] = {{"id", "id"},
                                           {"capture", "capture"},
                                           {"target", "podName"},
                                           {"mediaType", "mediaType"},
                                           {"sha256", "sha256"}};
    cJSON *list = cJSON_GetArraySize(artifacts) ? add_array(status, "artifacts") : NULL;
    const cJSON *artifact;
    int count = 0;
    cJSON_ArrayForEach(artifact, artifacts)
    {
        if (!list || count++ == RUN_ARTIFACTS_MAX) {
            break;
        }
        cJSON *item = add_object(list);
        for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
            put_text(item, names[i][1], sonde_json_string_or(artifact, names[i][0], ""));
        }
        put_number(item, "bytes", sonde_json_integer_or(artifact, "bytes", 0));
    }
}

static void put_results(cJSON *status, const cJSON *results)
{
    const cJSON *summary = cJSON_GetObjectItemCaseSensitive(results, "summary");
    if (cJSON_IsObject(summary)) {
        cJSON *own = cJSON_AddObjectToObject(status, "summary");
        must(own);
        put_text(own, "top", sonde_json_string_or(summary, "top", ""));
        double findings = (double)sonde_json_integer_or(summary, "findings", 0);
        double bytes = (double)sonde_json_integer_or(summary, "bytes", 0);
        must(cJSON_AddNumberToObject(own, "findings", findings));
        must(cJSON_AddNumberToObject(own, "bytes", bytes));
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
    must(types.code == 0);
    put_text(status, "captureTypes", types.data ? types.data : "");
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
        put_text(status, "pods", text);
    }
}

static void put_all(cJSON *status, const struct run *run)
{
    put_text(status, "target", run->target_word);
    put_capture_types(status, run);
    put_pods(status, run);
    put_text(status, "requester", run->requester);
    put_text(status, "sidecarImage", run->controller->settings->sidecar_image);
    cJSON *targets = run->target_count ? add_array(status, "targets") : NULL;
    for (size_t i = 0; targets && i < run->target_count; i++) {
        put_target(targets, &run->targets[i]);
    }
    put_number(status, "targetsLeftOut", (int64_t)run->left_out);
    put_results(status, run->results);
}

cJSON *status_of(const struct run *run)
{
    cJSON *status = cJSON_CreateObject();
    if (!status) {
        return NULL;
    }
    is_partial = false;
    put_number(status, "observedGeneration", run->generation);
    put_time(status, "startTime", run->started);
    put_time(status, "completionTime", run->completed);
    if (!run->bare) {
        put_all(status, run);
    }
    put_conditions(status, run);
    if (is_partial) {
        cJSON_Delete(status);
        return NULL;
    }
    return status;
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

static int64_t time_of(const cJSON *object, const char *name)
{
    int64_t realtime = 0;
    const char *text = sonde_json_string_or(object, name, "");
    return sonde_kube_time_parse(sonde_str(text), &realtime) == 0 ? realtime : 0;
}

static void take_text(const cJSON *object, const char *name, char *ret, size_t size)
{
    (void)snprintf(ret, size, "%s", sonde_json_string_or(object, name, ""));
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
    take_text(item, "podName", target->pod, sizeof(target->pod));
    take_text(item, "podUID", target->pod_uid, sizeof(target->pod_uid));
    take_text(item, "nodeName", target->node, sizeof(target->node));
    take_text(item, "containerName", target->container, sizeof(target->container));
    take_text(item, "nodeVersion", target->node_version, sizeof(target->node_version));
    take_text(item, "reason", target->reason, sizeof(target->reason));
    take_text(item, "message", target->message, sizeof(target->message));
    target->inspector_ms = sonde_json_integer_or(item, "inspectorOpenMilliseconds", 0);
    target->pause_ms = sonde_json_integer_or(item, "pauseMilliseconds", 0);
    /* Whether a sidecar is in the pod is seen there: what was not over is begun again. */
    target->state = state == TARGET_SUCCEEDED || state == TARGET_FAILED ? (enum target_state)state
                                                                        : TARGET_PENDING;
    target->connected = state == TARGET_CAPTURING;
}

static void take_condition(struct run *run, const cJSON *item)
{
    int type = index_of(condition_names, CONDITION_COUNT, sonde_json_string_or(item, "type", ""));
    if (type >= 0) {
        struct condition *condition = &run->conditions[type];
        const char *status = sonde_json_string_or(item, "status", "Unknown");
        condition->status = status[0] == 'T' ? 'T' : status[0] == 'F' ? 'F' : 'U';
        take_text(item, "reason", condition->reason, sizeof(condition->reason));
        take_text(item, "message", condition->message, sizeof(condition->message));
        condition->since = time_of(item, "lastTransitionTime");
    }
}

int status_take(struct run *run, const cJSON *status, struct sonde_err *err)
{
    const cJSON *item;
    const cJSON *targets = cJSON_GetObjectItemCaseSensitive(status, "targets");
    size_t count = (size_t)cJSON_GetArraySize(targets);
    count = count < CHOOSE_TARGETS_MAX ? count : CHOOSE_TARGETS_MAX;
    int r = run_reserve_targets(run, count, err);
    if (r < 0) {
        return r;
    }
    run->started = time_of(status, "startTime");
    run->completed = time_of(status, "completionTime");
    take_text(status, "target", run->target_word, sizeof(run->target_word));
    int64_t left_out = sonde_json_integer_or(status, "targetsLeftOut", 0);
    run->left_out = left_out > 0 ? (size_t)left_out : 0;
    cJSON_ArrayForEach(item, targets)
    {
        if (run->target_count < count) {
            take_target(run, item);
        }
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(status, "conditions"))
    {
        take_condition(run, item);
    }
    return 0;
}
