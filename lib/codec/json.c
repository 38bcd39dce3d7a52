/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"

#include <math.h>

#include "codec/json_scan.h"

void sonde_json_deletep(cJSON **json)
{
    cJSON_Delete(*json);
}

int sonde_json_parse(struct sonde_str text, cJSON **ret, struct sonde_err *err)
{
    return sonde_json_parse_up_to(text, SONDE_JSON_DOCUMENT_MAX, ret, err);
}

int sonde_json_parse_up_to(struct sonde_str text, size_t maximum, cJSON **ret,
                           struct sonde_err *err)
{
    if (text.length > maximum) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a JSON document of %zu bytes: at most %zu",
                          text.length, maximum);
    }
    struct sonde_json_limits limits = {
        .depth = SONDE_JSON_DOCUMENT_DEPTH,
        .string = maximum,
        .values = SONDE_JSON_VALUES_LEAST + maximum / SONDE_JSON_VALUE_BYTES,
    };
    int r = sonde_json_check(text, limits, err);
    if (r < 0) {
        return r;
    }
    cJSON *json = cJSON_ParseWithLength(text.data, text.length);
    /* The text is valid, but cJSON takes no half of a surrogate pair, which V8 writes; else only
     * memory can be missing. */
    if (!json && (sonde_str_contains(text, SONDE_STR("\\ud")) ||
                  sonde_str_contains(text, SONDE_STR("\\uD")))) {
        return sonde_fail(err, SONDE_EPARSE, 0, "JSON: half of a surrogate pair");
    }
    if (!json) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "JSON: out of memory");
    }
    *ret = json;
    return 0;
}

static int wrong(const char *name, const char *wanted, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "JSON: \"%s\" is not %s", name, wanted);
}

int sonde_json_object(const cJSON *object, const char *name, const cJSON **ret,
                      struct sonde_err *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsObject(item)) {
        return wrong(name, "an object", err);
    }
    *ret = item;
    return 0;
}

int sonde_json_array(const cJSON *object, const char *name, const cJSON **ret,
                     struct sonde_err *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsArray(item)) {
        return wrong(name, "an array", err);
    }
    *ret = item;
    return 0;
}

int sonde_json_string(const cJSON *object, const char *name, const char **ret,
                      struct sonde_err *err)
{
    const char *text = sonde_json_string_or(object, name, NULL);
    if (!text) {
        return wrong(name, "a string", err);
    }
    *ret = text;
    return 0;
}

static bool exact_integer(const cJSON *item, int64_t *ret)
{
    const double exact = 9007199254740992.0; /* 2^53 */
    if (!cJSON_IsNumber(item) || !(fabs(item->valuedouble) <= exact) ||
        item->valuedouble != floor(item->valuedouble)) {
        return false;
    }
    *ret = (int64_t)item->valuedouble;
    return true;
}

int sonde_json_integer(const cJSON *object, const char *name, int64_t *ret, struct sonde_err *err)
{
    if (!exact_integer(cJSON_GetObjectItemCaseSensitive(object, name), ret)) {
        return wrong(name, "a whole number", err);
    }
    return 0;
}

const char *sonde_json_string_or(const cJSON *object, const char *name, const char *fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(item) && item->valuestring ? item->valuestring : fallback;
}

double sonde_json_number_or(const cJSON *object, const char *name, double fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) && isfinite(item->valuedouble) ? item->valuedouble : fallback;
}

int64_t sonde_json_integer_or(const cJSON *object, const char *name, int64_t fallback)
{
    int64_t value;
    return exact_integer(cJSON_GetObjectItemCaseSensitive(object, name), &value) ? value : fallback;
}

bool sonde_json_true(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}
