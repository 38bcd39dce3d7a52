/* SPDX-License-Identifier: Apache-2.0 */
#include "store/result.h"

#include <math.h>
#include <string.h>

#include "codec/json.h"

struct field {
    const char *name;
    size_t text_max; /* bytes of a text; 0: it is a number, or true or false */
};

static const struct field result_fields[] = {
    {"state", 32}, {"reason", 64}, {"message", 1024}, {"artifacts", 0}, {"bytes", 0}};
static const struct field process_fields[] = {{"pid", 0},
                                              {"nodeVersion", 64},
                                              {"directory", 1024},
                                              {"inspectorOpenMilliseconds", 0},
                                              {"pauseMilliseconds", 0},
                                              {"inspectorWasOpen", 0},
                                              {"inspectorClosed", 0}};
static const struct field cost_fields[] = {{"attachMilliseconds", 0},
                                           {"inspectorOpenSeconds", 0},
                                           {"startStallMilliseconds", 0},
                                           {"stopStallMilliseconds", 0},
                                           {"rotations", 0},
                                           {"rotationStallP50Milliseconds", 0},
                                           {"rotationStallP99Milliseconds", 0},
                                           {"rotationStallMaxMilliseconds", 0},
                                           {"bytes", 0},
                                           {"workerThreadsLost", 0}};
static const struct field loop_fields[] = {{"utilization", 0},
                                           {"delayMeanMilliseconds", 0},
                                           {"delayP50Milliseconds", 0},
                                           {"delayP99Milliseconds", 0},
                                           {"delayMaxMilliseconds", 0}};

/* Cut to `maximum` bytes, not inside a character. */
static bool put_text(cJSON *to, const char *name, const char *text, size_t maximum)
{
    size_t length = strnlen(text, maximum);
    while (length && !sonde_utf8_valid((struct sonde_str){text, length})) {
        length--;
    }
    SONDE_FREE char *cut = strndup(text, length);
    return cut && cJSON_AddStringToObject(to, name, cut);
}

/* False without memory. */
static bool put_fields(cJSON *to, const cJSON *from, const struct field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(from, fields[i].name);
        bool put = true;
        if (fields[i].text_max && cJSON_IsString(item)) {
            put = put_text(to, fields[i].name, item->valuestring, fields[i].text_max);
        } else if (!fields[i].text_max && cJSON_IsNumber(item) && isfinite(item->valuedouble)) {
            put = cJSON_AddNumberToObject(to, fields[i].name, item->valuedouble);
        } else if (!fields[i].text_max && cJSON_IsBool(item)) {
            put = cJSON_AddBoolToObject(to, fields[i].name, cJSON_IsTrue(item));
        }
        if (!put) {
            return false;
        }
    }
    return true;
}

static bool put_part(cJSON *to, const char *name, const cJSON *from, const struct field *fields,
                     size_t count)
{
    const cJSON *part = cJSON_GetObjectItemCaseSensitive(from, name);
    cJSON *own = cJSON_IsObject(part) ? cJSON_AddObjectToObject(to, name) : NULL;
    return !cJSON_IsObject(part) || (own && put_fields(own, part, fields, count));
}

static bool put_process(cJSON *list, const cJSON *process)
{
    cJSON *own = cJSON_CreateObject();
    if (!own || !cJSON_AddItemToArray(list, own)) {
        cJSON_Delete(own);
        return false;
    }
    return put_fields(own, process, process_fields, SONDE_LENGTH(process_fields)) &&
           put_part(own, "cost", process, cost_fields, SONDE_LENGTH(cost_fields)) &&
           put_part(own, "eventLoop", process, loop_fields, SONDE_LENGTH(loop_fields));
}

char *result_keep(const cJSON *result)
{
    SONDE_JSON_AUTO *own = cJSON_CreateObject();
    cJSON *list = own ? cJSON_AddArrayToObject(own, "processes") : NULL;
    const cJSON *process;
    int count = 0;
    if (!list || !put_fields(own, result, result_fields, SONDE_LENGTH(result_fields))) {
        return NULL;
    }
    cJSON_ArrayForEach(process, cJSON_GetObjectItemCaseSensitive(result, "processes"))
    {
        if (count++ == RESULT_PROCESSES_MAX) {
            break;
        }
        if (!put_process(list, process)) {
            return NULL;
        }
    }
    return cJSON_PrintUnformatted(own);
}
