/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "codec/json.h"
#include "controller/controller.h"
#include "spec/reason.h"

static int64_t milliseconds(double value)
{
    return value > 0 && value < 1e12 ? (int64_t)llround(value) : 0;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* The costs as the store gets them, or the two figures of a short message. */
static void take_cost(struct target *target, const cJSON *process)
{
    const cJSON *cost = cJSON_GetObjectItemCaseSensitive(process, "cost");
    double open_ms = cost ? 1e3 * sonde_json_number_or(cost, "inspectorOpenSeconds", 0)
                          : sonde_json_number_or(process, "inspectorOpenMilliseconds", 0);
    double pause_ms = sonde_json_number_or(process, "pauseMilliseconds", 0);
    static const char *const stalls[] = {"startStallMilliseconds", "stopStallMilliseconds",
                                         "rotationStallMaxMilliseconds"};
    for (size_t i = 0; i < SONDE_LENGTH(stalls); i++) {
        pause_ms = larger(pause_ms, sonde_json_number_or(cost, stalls[i], 0));
    }
    int64_t open = milliseconds(open_ms);
    int64_t pause = milliseconds(pause_ms);
    target->inspector_ms = open > target->inspector_ms ? open : target->inspector_ms;
    target->pause_ms = pause > target->pause_ms ? pause : target->pause_ms;
}

/* The sidecar runs where strangers are: of its words only those of our table are passed on. */
static const char *known_reason(const char *word)
{
    const struct sonde_reason *reason = sonde_reason_find(word);
    return reason ? reason->word : SONDE_REASON_INTERNAL;
}

/* Nobody wants the run to end: its sidecar was told to by the kubelet, which ends the pod. */
static bool ended_by_kubelet(const struct target *target)
{
    const struct run *run = target->run;
    return target->cancelled && !run->object.cancel && !run->object.gone &&
           !run->object.ending_reason[0];
}

void result_take(struct target *target, const cJSON *result)
{
    const char *state = sonde_json_string_or(result, "state", "");
    const cJSON *process;
    bool first = true;
    cJSON_ArrayForEach(process, cJSON_GetObjectItemCaseSensitive(result, "processes"))
    {
        if (first) {
            int64_t pid = sonde_json_integer_or(process, "pid", 0);
            target->pid = pid > 0 && pid <= INT32_MAX ? pid : 0;
            (void)snprintf(target->node_version, sizeof(target->node_version), "%s",
                           sonde_json_string_or(process, "nodeVersion", ""));
        }
        first = false;
        take_cost(target, process);
    }
    target->cancelled = strcmp(state, "Cancelled") == 0;
    target->state = strcmp(state, "Succeeded") == 0 ? TARGET_SUCCEEDED : TARGET_FAILED;
    (void)snprintf(target->reason, sizeof(target->reason), "%s",
                   target->state == TARGET_SUCCEEDED
                       ? SONDE_REASON_COMPLETED
                       : known_reason(sonde_json_string_or(result, "reason", "")));
    (void)snprintf(target->message, sizeof(target->message), "%s",
                   sonde_json_string_or(result, "message", ""));
    if (ended_by_kubelet(target)) {
        (void)snprintf(target->reason, sizeof(target->reason), SONDE_REASON_TARGET_EXITED);
        (void)snprintf(target->message, sizeof(target->message),
                       "the pod was ended during the capture");
    }
}

bool result_take_message(struct target *target, const char *message)
{
    SONDE_JSON_AUTO *result = NULL;
    if (sonde_json_parse(sonde_str(message), &result, NULL) < 0 ||
        !sonde_json_string_or(result, "state", NULL)) {
        return false;
    }
    result_take(target, result);
    return true;
}
