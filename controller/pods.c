/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/pods.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/json.h"
#include "kube/time.h"

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static void put_text(struct sonde_buf *buf, const char *text)
{
    sonde_buf_append(buf, text, strlen(text) + 1);
}

static void put_labels(struct sonde_buf *buf, const cJSON *labels)
{
    const cJSON *label;
    size_t begin = buf->length;
    cJSON_ArrayForEach(label, labels)
    {
        if (cJSON_IsString(label) && label->string[0] &&
            buf->length - begin + strlen(label->string) + strlen(label->valuestring) <
                POD_LABELS_MAX) {
            put_text(buf, label->string);
            put_text(buf, label->valuestring);
        }
    }
    sonde_buf_char(buf, '\0');
}

const cJSON *pod_controller(const cJSON *metadata)
{
    const cJSON *owner;
    cJSON_ArrayForEach(owner, member(metadata, "ownerReferences"))
    {
        if (sonde_json_true(owner, "controller")) {
            return owner;
        }
    }
    return NULL;
}

static bool is_ready(const cJSON *status)
{
    const cJSON *condition;
    cJSON_ArrayForEach(condition, member(status, "conditions"))
    {
        if (strcmp(sonde_json_string_or(condition, "type", ""), "Ready") == 0) {
            return strcmp(sonde_json_string_or(condition, "status", ""), "True") == 0;
        }
    }
    return false;
}

/* One while it is being read: its texts as offsets in the buffer. */
struct reading {
    struct pod_sidecar sidecar;
    size_t reason, message;
};

static size_t put_bounded(struct sonde_buf *buf, const char *text)
{
    size_t at = buf->length;
    size_t length = strnlen(text, POD_MESSAGE_MAX);
    sonde_buf_append(buf, text, length);
    sonde_buf_char(buf, '\0');
    return at;
}

/* Since 1970; 0 when it is not there. */
static int64_t read_time(const cJSON *object, const char *name)
{
    int64_t ns = 0;
    const char *text = sonde_json_string_or(object, name, "");
    return sonde_kube_time_parse(sonde_str(text), &ns) < 0 ? 0 : ns;
}

/* When one of the pod's own containers last ended: now, or before it was started again. */
static int64_t last_end(const cJSON *status)
{
    int64_t last = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, member(status, "containerStatuses"))
    {
        static const char *const states[] = {"state", "lastState"};
        for (size_t i = 0; i < SONDE_LENGTH(states); i++) {
            const cJSON *terminated = member(member(item, states[i]), "terminated");
            int64_t ended = read_time(terminated, "finishedAt");
            last = ended > last ? ended : last;
        }
    }
    return last;
}

static bool read_sidecar(const cJSON *status, struct sonde_buf *texts, struct reading *ret)
{
    const char *name = sonde_json_string_or(status, "name", "");
    const cJSON *state = member(status, "state");
    const cJSON *terminated = member(state, "terminated");
    const cJSON *waiting = member(state, "waiting");
    if (strncmp(name, "sonde-", 6) != 0 || strlen(name) >= SIDECAR_NAME_SIZE) {
        return false;
    }
    *ret = (struct reading){.sidecar.state = terminated                 ? SIDECAR_TERMINATED
                                             : member(state, "running") ? SIDECAR_RUNNING
                                                                        : SIDECAR_WAITING};
    (void)snprintf(ret->sidecar.name, sizeof(ret->sidecar.name), "%s", name);
    ret->sidecar.started_ns =
        read_time(terminated ? terminated : member(state, "running"), "startedAt");
    ret->sidecar.finished_ns = read_time(terminated, "finishedAt");
    ret->sidecar.exit_code = sonde_json_integer_or(terminated, "exitCode", 0);
    const cJSON *said = terminated ? terminated : waiting;
    ret->reason = put_bounded(texts, sonde_json_string_or(said, "reason", ""));
    ret->message = put_bounded(texts, sonde_json_string_or(said, "message", ""));
    return true;
}

int pod_keep(void *context, const cJSON *object, void **ret, struct sonde_err *err)
{
    (void)context;
    const cJSON *metadata = member(object, "metadata");
    const cJSON *status = member(object, "status");
    const cJSON *owner = pod_controller(metadata);
    const cJSON *item;
    SONDE_BUF_AUTO texts = SONDE_BUF(POD_LABELS_MAX + POD_SIDECARS_MAX * (POD_MESSAGE_MAX + 512));
    struct reading sidecars[POD_SIDECARS_MAX];
    size_t count = 0;
    put_labels(&texts, member(metadata, "labels"));
    size_t node = put_bounded(&texts, sonde_json_string_or(member(object, "spec"), "nodeName", ""));
    size_t kind = put_bounded(&texts, sonde_json_string_or(owner, "kind", ""));
    size_t name = put_bounded(&texts, sonde_json_string_or(owner, "name", ""));
    cJSON_ArrayForEach(item, member(status, "ephemeralContainerStatuses"))
    {
        if (count < POD_SIDECARS_MAX && read_sidecar(item, &texts, &sidecars[count])) {
            count++;
        }
    }
    int r = sonde_buf_check(&texts, "a pod", err);
    if (r < 0) {
        return r;
    }
    size_t list = count * sizeof(struct pod_sidecar);
    char *memory = malloc(sizeof(struct pod) + list + texts.length);
    if (!memory) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a pod");
    }
    struct pod *pod = (struct pod *)(void *)memory;
    struct pod_sidecar *copies = (struct pod_sidecar *)(void *)(memory + sizeof(*pod));
    char *text = memory + sizeof(*pod) + list;
    memcpy(text, texts.data, texts.length);
    for (size_t i = 0; i < count; i++) {
        copies[i] = sidecars[i].sidecar;
        copies[i].reason = text + sidecars[i].reason;
        copies[i].message = text + sidecars[i].message;
    }
    *pod = (struct pod){
        .node = text + node,
        .owner_kind = text + kind,
        .owner_name = text + name,
        .labels = text,
        .running = strcmp(sonde_json_string_or(status, "phase", ""), "Running") == 0,
        .ready = is_ready(status),
        .leaving = member(metadata, "deletionTimestamp") != NULL,
        .ended_ns = last_end(status),
        .sidecar_count = count,
        .sidecars = copies,
    };
    *ret = pod;
    return 0;
}

void pod_release(void *context, void *kept)
{
    (void)context;
    free(kept);
}

const cJSON *pod_named(const cJSON *list, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (strcmp(sonde_json_string_or(item, "name", ""), name) == 0) {
            return item;
        }
    }
    return NULL;
}

const char *pod_label(const struct pod *pod, const char *key)
{
    for (const char *at = pod->labels; *at;) {
        const char *value = at + strlen(at) + 1;
        if (strcmp(at, key) == 0) {
            return value;
        }
        at = value + strlen(value) + 1;
    }
    return NULL;
}

static bool meets(const struct pod *pod, const struct sonde_label_expression *expression)
{
    const char *value = pod_label(pod, expression->key);
    bool among = false;
    for (size_t i = 0; value && i < expression->values.count; i++) {
        among = among || strcmp(expression->values.items[i], value) == 0;
    }
    switch ((enum sonde_label_operator)expression->comparison) {
    case SONDE_LABEL_IN:
        return among;
    case SONDE_LABEL_NOT_IN:
        return !among;
    case SONDE_LABEL_EXISTS:
        return value != NULL;
    case SONDE_LABEL_DOES_NOT_EXIST:
        return value == NULL;
    }
    return false;
}

bool pod_selected(const struct pod *pod, const struct sonde_label_selector *selector)
{
    for (size_t i = 0; i < selector->match_labels.count; i++) {
        const char *value = pod_label(pod, selector->match_labels.items[i].key);
        if (!value || strcmp(value, selector->match_labels.items[i].value) != 0) {
            return false;
        }
    }
    for (size_t i = 0; i < selector->match_expressions.count; i++) {
        if (!meets(pod, &selector->match_expressions.items[i])) {
            return false;
        }
    }
    return true;
}

const struct pod_sidecar *pod_sidecar(const struct pod *pod, const char *name)
{
    for (size_t i = 0; i < pod->sidecar_count; i++) {
        if (strcmp(pod->sidecars[i].name, name) == 0) {
            return &pod->sidecars[i];
        }
    }
    return NULL;
}
