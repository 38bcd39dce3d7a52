/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/load_pods.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/json.h"
#include "controller/attach.h"
#include "controller/load_job.h"
#include "controller/pods.h"
#include "kube/time.h"
#include "spec/reason.h"

#define INDEX_ANNOTATION "batch.kubernetes.io/job-completion-index"

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *text(const cJSON *object, const char *name)
{
    return sonde_json_string_or(object, name, "");
}

static const cJSON *condition(const cJSON *status, const char *type)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, member(status, "conditions"))
    {
        if (strcmp(text(item, "type"), type) == 0) {
            return item;
        }
    }
    return NULL;
}

/* Since 1970; 0 when it is not there. */
static int64_t time_of(const cJSON *object, const char *name)
{
    int64_t ns = 0;
    return sonde_kube_time_parse(sonde_str(text(object, name)), &ns) < 0 ? 0 : ns;
}

/* ---- how it ended ---- */

/* Of a stranger's words only those of our table are passed on. */
static const char *known(const char *word)
{
    const struct sonde_reason *reason = sonde_reason_find(word);
    return reason ? reason->word : SONDE_REASON_RUNNER_LOST;
}

static const char *memory_limit(const cJSON *pod)
{
    const cJSON *container =
        pod_named(member(member(pod, "spec"), "containers"), LOAD_JOB_CONTAINER);
    return sonde_json_string_or(member(member(container, "resources"), "limits"), "memory",
                                "its node's");
}

/* Its own last word; false when it said none. */
static bool take_word(struct load_pod *pod, const char *word, struct sonde_buf *message)
{
    SONDE_JSON_AUTO *said = NULL;
    if (sonde_json_parse(sonde_str(word), &said, NULL) < 0 || !text(said, "state")[0]) {
        return false;
    }
    if (strcmp(text(said, "state"), "Succeeded") == 0) {
        pod->state = LOAD_POD_DONE;
        return true;
    }
    pod->reason = known(text(said, "reason"));
    sonde_buf_text(message, text(said, "message"));
    return true;
}

/* The node's and the scheduler's words come before the exit code, which only says that somebody
 * killed it (kubernetes.io, "Pod disruption conditions"). */
static void judge_end(const cJSON *object, const cJSON *terminated, struct load_pod *pod,
                      struct sonde_buf *message)
{
    const cJSON *status = member(object, "status");
    const cJSON *disrupted = condition(status, "DisruptionTarget");
    pod->state = LOAD_POD_LOST;
    pod->reason = SONDE_REASON_RUNNER_LOST;
    if (strcmp(text(terminated, "reason"), "OOMKilled") == 0) {
        pod->reason = SONDE_REASON_RUNNER_OUT_OF_MEMORY;
        sonde_buf_printf(message, "it was killed when it had used the memory of its limit (%.32s)",
                         memory_limit(object));
    } else if (strcmp(text(disrupted, "status"), "True") == 0) {
        sonde_buf_printf(message, "%s: %s", text(disrupted, "reason"), text(disrupted, "message"));
    } else if (text(status, "reason")[0]) {
        sonde_buf_printf(message, "%s: %s", text(status, "reason"), text(status, "message"));
    } else if (!take_word(pod, text(terminated, "message"), message)) {
        sonde_buf_printf(message, "it ended with exit code %lld (%s) %.400s",
                         (long long)sonde_json_integer_or(terminated, "exitCode", -1),
                         text(terminated, "reason"), text(terminated, "message"));
    }
}

/* ---- why it does not start ---- */

static void judge_wait(const cJSON *status, const cJSON *waiting, struct load_pod *pod,
                       struct sonde_buf *message)
{
    const cJSON *scheduled = condition(status, "PodScheduled");
    pod->state = LOAD_POD_WAITING;
    if (strcmp(text(scheduled, "status"), "False") == 0) {
        pod->reason = SONDE_REASON_RUNNER_UNSCHEDULABLE;
        sonde_buf_text(message, text(scheduled, "message"));
    } else if (attach_is_stuck(text(waiting, "reason"))) {
        pod->reason = SONDE_REASON_RUNNERS_NOT_READY;
        sonde_buf_printf(message, "%s: %s", text(waiting, "reason"), text(waiting, "message"));
    }
}

/* A container that somebody else put into the pod does not end with the runner. */
static bool goes_on(const cJSON *statuses)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, statuses)
    {
        if (strcmp(text(item, "name"), LOAD_JOB_CONTAINER) != 0 &&
            member(member(item, "state"), "running")) {
            return true;
        }
    }
    return false;
}

static void judge(const cJSON *object, struct load_pod *pod, struct sonde_buf *message)
{
    const cJSON *status = member(object, "status");
    const cJSON *statuses = member(status, "containerStatuses");
    const cJSON *container = pod_named(statuses, LOAD_JOB_CONTAINER);
    const cJSON *state = member(container, "state");
    const cJSON *terminated = member(state, "terminated");
    const char *phase = text(status, "phase");
    if (strcmp(phase, "Succeeded") == 0 ||
        (terminated && sonde_json_integer_or(terminated, "exitCode", -1) == 0)) {
        pod->state = LOAD_POD_DONE;
    } else if (strcmp(phase, "Failed") == 0 || terminated) {
        judge_end(object, terminated, pod, message);
    } else if (member(state, "running")) {
        pod->state = LOAD_POD_RUNNING;
    } else {
        judge_wait(status, member(state, "waiting"), pod, message);
    }
    pod->lingers = pod->state >= LOAD_POD_DONE && goes_on(statuses);
}

/* ---- the cache ---- */

/* A message that is too long is cut between characters. */
static size_t cut(struct sonde_str message)
{
    size_t length = message.length < LOAD_POD_TEXT_MAX ? message.length : LOAD_POD_TEXT_MAX;
    while (length > 0 && !sonde_utf8_valid((struct sonde_str){message.data, length})) {
        length--;
    }
    return length;
}

static struct load_pod *copy_of(const struct load_pod *pod, struct sonde_str message)
{
    size_t length = cut(message);
    size_t node_size = strlen(pod->node) + 1;
    size_t job_size = strlen(pod->job) + 1;
    struct load_pod *kept = malloc(sizeof(*kept) + length + 1 + node_size + job_size);
    if (kept) {
        char *texts = (char *)(kept + 1);
        *kept = *pod;
        if (message.data) {
            memcpy(texts, message.data, length);
        }
        texts[length] = '\0';
        kept->message = texts;
        kept->node = memcpy(texts + length + 1, pod->node, node_size);
        kept->job = memcpy(texts + length + 1 + node_size, pod->job, job_size);
    }
    return kept;
}

int load_pod_keep(void *context, const cJSON *object, void **ret, struct sonde_err *err)
{
    (void)context;
    SONDE_BUF_AUTO message = SONDE_BUF(64 << 10);
    const cJSON *metadata = member(object, "metadata");
    const char *index = text(member(metadata, "annotations"), INDEX_ANNOTATION);
    struct load_pod pod = {.created_ns = time_of(metadata, "creationTimestamp"),
                           .leaving_ns = time_of(metadata, "deletionTimestamp"),
                           .node = text(member(object, "spec"), "nodeName"),
                           .job = text(pod_controller(metadata), "uid")};
    (void)snprintf(pod.test, sizeof(pod.test), "%s",
                   text(member(metadata, "labels"), LOAD_JOB_LABEL));
    if (sonde_parse_i64(sonde_str(index), 0, LOAD_RUNNERS_MAX - 1, &pod.index) < 0) {
        return 1;
    }
    judge(object, &pod, &message);
    struct load_pod *kept = copy_of(&pod, sonde_buf_view(&message));
    if (!kept || message.code == SONDE_ENOMEM) {
        free(kept);
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a runner's pod");
    }
    *ret = kept;
    return 0;
}

void load_pod_release(void *context, void *kept)
{
    (void)context;
    free(kept);
}

struct sonde_str load_pod_key(const struct sonde_kube_object *object)
{
    return sonde_str(((const struct load_pod *)object->kept)->test);
}
