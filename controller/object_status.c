/* SPDX-License-Identifier: Apache-2.0 */
/* The status of an object: from what is known to JSON, and back after a restart. */
#include <string.h>

#include "codec/json.h"
#include "controller/object.h"
#include "kube/time.h"

/* There was no memory for a part of the status under way: without it the rest would take away what
 * is written, so nothing of it is. One thread only. */
static bool is_partial;

void status_must(bool made)
{
    is_partial = is_partial || !made;
}

/* A text that was cut within a character ends before it: the API server would write another one
 * in its place, and the status never be as it should. */
static void put_message(cJSON *object, const char *name, const char *text)
{
    char whole[OBJECT_MESSAGE_SIZE];
    size_t length = strlen(text);
    if (!sonde_utf8_valid((struct sonde_str){text, length})) {
        length = length < sizeof(whole) ? length : sizeof(whole) - 1;
        while (!sonde_utf8_valid((struct sonde_str){text, length})) {
            length--;
        }
        (void)snprintf(whole, sizeof(whole), "%.*s", (int)length, text);
        text = whole;
    }
    status_must(cJSON_AddStringToObject(object, name, text));
}

void status_put_text(cJSON *object, const char *name, const char *text)
{
    if (text[0]) {
        put_message(object, name, text);
    }
}

void status_put_number(cJSON *object, const char *name, int64_t value)
{
    if (value > 0) {
        status_must(cJSON_AddNumberToObject(object, name, (double)value));
    }
}

void status_put_count(cJSON *object, const char *name, int64_t value)
{
    status_must(cJSON_AddNumberToObject(object, name, (double)value));
}

void status_put_boolean(cJSON *object, const char *name, bool value)
{
    status_must(cJSON_AddBoolToObject(object, name, value));
}

static void put_time(cJSON *object, const char *name, int64_t realtime)
{
    char text[SONDE_KUBE_TIME_SIZE];
    if (realtime > 0) {
        sonde_kube_time_format(realtime, text);
        status_must(cJSON_AddStringToObject(object, name, text));
    }
}

cJSON *status_add_item(cJSON *list)
{
    cJSON *item = cJSON_CreateObject();
    status_must(item);
    if (item && !cJSON_AddItemToArray(list, item)) {
        cJSON_Delete(item);
        item = NULL;
    }
    return item;
}

cJSON *status_add_array(cJSON *object, const char *name)
{
    cJSON *list = cJSON_AddArrayToObject(object, name);
    status_must(list);
    return list;
}

cJSON *status_add_object(cJSON *object, const char *name)
{
    cJSON *own = cJSON_AddObjectToObject(object, name);
    status_must(own);
    return own;
}

static void put_conditions(cJSON *status, const struct object *object)
{
    cJSON *list = status_add_array(status, "conditions");
    for (size_t i = 0; list && i < OBJECT_CONDITIONS; i++) {
        const struct condition *condition = &object->conditions[i];
        if (!condition->status || (object->bare && i != OBJECT_SUCCEEDED)) {
            continue;
        }
        cJSON *item = status_add_item(list);
        status_put_text(item, "type", object->way->conditions[i]);
        status_put_text(item, "status",
                        condition->status == 'T'   ? "True"
                        : condition->status == 'F' ? "False"
                                                   : "Unknown");
        status_put_text(item, "reason", condition->reason);
        put_message(item, "message", condition->message);
        put_time(item, "lastTransitionTime", condition->since);
        status_put_number(item, "observedGeneration", object->generation);
    }
}

cJSON *object_status(const struct object *object)
{
    cJSON *status = cJSON_CreateObject();
    if (!status) {
        return NULL;
    }
    is_partial = false;
    status_put_number(status, "observedGeneration", object->generation);
    put_time(status, "startTime", object->started);
    put_time(status, "completionTime", object->completed);
    if (!object->bare) {
        status_put_text(status, "requester", object->requester);
        object->way->put(status, object);
    }
    put_conditions(status, object);
    if (is_partial) {
        cJSON_Delete(status);
        return NULL;
    }
    return status;
}

/* ---- back ---- */

static int64_t time_of(const cJSON *object, const char *name)
{
    int64_t realtime = 0;
    const char *text = sonde_json_string_or(object, name, "");
    return sonde_kube_time_parse(sonde_str(text), &realtime) == 0 ? realtime : 0;
}

void status_take_text(const cJSON *object, const char *name, char *ret, size_t size)
{
    (void)snprintf(ret, size, "%s", sonde_json_string_or(object, name, ""));
}

static void take_condition(struct object *object, const cJSON *item)
{
    const char *type = sonde_json_string_or(item, "type", "");
    for (size_t i = 0; i < OBJECT_CONDITIONS; i++) {
        if (strcmp(object->way->conditions[i], type) == 0) {
            struct condition *condition = &object->conditions[i];
            const char *status = sonde_json_string_or(item, "status", "Unknown");
            condition->status = status[0] == 'T' ? 'T' : status[0] == 'F' ? 'F' : 'U';
            status_take_text(item, "reason", condition->reason, sizeof(condition->reason));
            status_take_text(item, "message", condition->message, sizeof(condition->message));
            condition->since = time_of(item, "lastTransitionTime");
        }
    }
}

int object_take_status(struct object *object, const cJSON *status, struct sonde_err *err)
{
    const cJSON *item;
    object->started = time_of(status, "startTime");
    object->completed = time_of(status, "completionTime");
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(status, "conditions"))
    {
        take_condition(object, item);
    }
    return object->way->take(object, status, err);
}
