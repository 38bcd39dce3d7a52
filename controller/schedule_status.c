/* SPDX-License-Identifier: Apache-2.0 */
/* A schedule's status: from what is known to JSON, and back after a restart. */
#include <string.h>

#include "codec/json.h"
#include "controller/schedule.h"
#include "kube/time.h"

#define NONE INT64_MIN

static const char condition_ready[] = "Ready";

static bool put_time(cJSON *object, const char *name, int64_t realtime_ns)
{
    char text[SONDE_KUBE_TIME_SIZE];
    if (realtime_ns <= 0) {
        return true;
    }
    sonde_kube_time_format(realtime_ns, text);
    return cJSON_AddStringToObject(object, name, text);
}

static bool put_seconds(cJSON *object, const char *name, int64_t seconds)
{
    bool is_time = seconds > 0 && seconds < INT64_MAX / SONDE_SECOND;
    return !is_time || put_time(object, name, seconds * SONDE_SECOND);
}

/* What was cut within a character ends before it: the API server would write another one in its
 * place, and the status never be as it should. */
static bool put_text(cJSON *object, const char *name, const char *text)
{
    char whole[SCHEDULE_MESSAGE_SIZE];
    size_t length = strnlen(text, sizeof(whole) - 1);
    while (!sonde_utf8_valid((struct sonde_str){text, length})) {
        length--;
    }
    (void)snprintf(whole, sizeof(whole), "%.*s", (int)length, text);
    return cJSON_AddStringToObject(object, name, whole);
}

static bool put_count(cJSON *object, const char *name, int64_t value)
{
    return cJSON_AddNumberToObject(object, name, (double)value);
}

static bool put_active(cJSON *object, const struct schedule_status *status)
{
    cJSON *list = cJSON_AddArrayToObject(object, "active");
    bool made = list;
    for (size_t i = 0; made && i < status->active_named; i++) {
        cJSON *name = cJSON_CreateString(status->active[i]);
        made = name && cJSON_AddItemToArray(list, name);
        if (!made) {
            cJSON_Delete(name);
        }
    }
    return made && put_count(object, "activeCount", (int64_t)status->active_count);
}

static bool put_ready(cJSON *object, const struct schedule_status *status)
{
    cJSON *list = cJSON_AddArrayToObject(object, "conditions");
    cJSON *item = list ? cJSON_CreateObject() : NULL;
    if (!item || !cJSON_AddItemToArray(list, item)) {
        cJSON_Delete(item);
        return false;
    }
    return cJSON_AddStringToObject(item, "type", condition_ready) &&
           cJSON_AddStringToObject(item, "status", status->ready ? "True" : "False") &&
           put_text(item, "reason", status->reason) && put_text(item, "message", status->message) &&
           put_time(item, "lastTransitionTime", status->ready_since_ns) &&
           put_count(item, "observedGeneration", status->ready_generation);
}

cJSON *schedule_status_of(const struct schedule_status *status)
{
    cJSON *json = cJSON_CreateObject();
    if (json && put_count(json, "observedGeneration", status->generation) &&
        put_active(json, status) && put_seconds(json, "lastScheduleTime", status->fired_s) &&
        put_seconds(json, "lastMissedTime", status->missed_s) &&
        put_time(json, "lastSuccessfulTime", status->succeeded_ns) &&
        put_seconds(json, "nextScheduleTime", status->next_s) &&
        put_count(json, "missedRuns", status->missed) &&
        put_text(json, "requester", status->requester) && put_ready(json, status)) {
        return json;
    }
    cJSON_Delete(json);
    return NULL;
}

cJSON *schedule_status_ours(const cJSON *json)
{
    cJSON *ours = cJSON_IsObject(json) ? cJSON_Duplicate(json, true) : NULL;
    cJSON *list = cJSON_GetObjectItemCaseSensitive(ours, "conditions");
    for (cJSON *item = list ? list->child : NULL; item;) {
        cJSON *next = item->next;
        if (strcmp(sonde_json_string_or(item, "type", ""), condition_ready) != 0) {
            cJSON_Delete(cJSON_DetachItemViaPointer(list, item));
        }
        item = next;
    }
    return ours;
}

/* ---- back ---- */

static int64_t time_of(const cJSON *object, const char *name)
{
    int64_t realtime = 0;
    const char *text = sonde_json_string_or(object, name, "");
    return sonde_kube_time_parse(sonde_str(text), &realtime) == 0 ? realtime : 0;
}

static int64_t seconds_of(const cJSON *object, const char *name)
{
    int64_t realtime = time_of(object, name);
    return realtime ? realtime / SONDE_SECOND : NONE;
}

void schedule_status_take(const cJSON *json, struct schedule_status *ret)
{
    const cJSON *condition;
    int64_t missed = sonde_json_integer_or(json, "missedRuns", 0);
    *ret = (struct schedule_status){
        .generation = sonde_json_integer_or(json, "observedGeneration", 0),
        .fired_s = seconds_of(json, "lastScheduleTime"),
        .missed_s = seconds_of(json, "lastMissedTime"),
        .succeeded_ns = time_of(json, "lastSuccessfulTime"),
        .next_s = INT64_MAX,
        .missed = missed > 0 ? missed : 0,
        .requester = "",
    };
    cJSON_ArrayForEach(condition, cJSON_GetObjectItemCaseSensitive(json, "conditions"))
    {
        if (strcmp(sonde_json_string_or(condition, "type", ""), condition_ready) == 0) {
            ret->ready = strcmp(sonde_json_string_or(condition, "status", ""), "True") == 0;
            (void)snprintf(ret->reason, sizeof(ret->reason), "%s",
                           sonde_json_string_or(condition, "reason", ""));
            (void)snprintf(ret->message, sizeof(ret->message), "%s",
                           sonde_json_string_or(condition, "message", ""));
            ret->ready_since_ns = time_of(condition, "lastTransitionTime");
            ret->ready_generation = sonde_json_integer_or(condition, "observedGeneration", 0);
        }
    }
}
