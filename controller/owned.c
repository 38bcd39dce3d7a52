/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/owned.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "controller/pods.h"
#include "kube/time.h"
#include "spec/kinds.h"

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const cJSON *controller_of(const cJSON *metadata)
{
    const cJSON *owner = pod_controller(metadata);
    bool ours = strcmp(sonde_json_string_or(owner, "apiVersion", ""), SONDE_SPEC_API_VERSION) == 0;
    return ours ? owner : NULL;
}

static int64_t time_of(const cJSON *object, const char *name, int64_t otherwise)
{
    int64_t realtime = 0;
    const char *text = sonde_json_string_or(object, name, "");
    return sonde_kube_time_parse(sonde_str(text), &realtime) == 0 ? realtime : otherwise;
}

static bool has_succeeded(const cJSON *status)
{
    const cJSON *condition;
    cJSON_ArrayForEach(condition, member(status, "conditions"))
    {
        if (strcmp(sonde_json_string_or(condition, "type", ""), "Succeeded") == 0) {
            return strcmp(sonde_json_string_or(condition, "status", ""), "True") == 0;
        }
    }
    return false;
}

int owned_new(const cJSON *object, struct owned **ret, struct sonde_err *err)
{
    const cJSON *metadata = member(object, "metadata");
    const cJSON *status = member(object, "status");
    const cJSON *owner = controller_of(metadata);
    const char *texts[] = {sonde_json_string_or(owner, "kind", ""),
                           sonde_json_string_or(owner, "name", ""),
                           sonde_json_string_or(owner, "uid", "")};
    if (!owner || !texts[2][0]) {
        *ret = NULL;
        return 0;
    }
    size_t lengths[SONDE_LENGTH(texts)];
    size_t length = 0;
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        lengths[i] = strlen(texts[i]) + 1;
        length += lengths[i];
    }
    struct owned *owned = calloc(1, sizeof(*owned) + length);
    if (!owned) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a run");
    }
    char *at = (char *)(owned + 1);
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        memcpy(at, texts[i], lengths[i]);
        texts[i] = at;
        at += lengths[i];
    }
    int64_t firing = time_of(member(metadata, "annotations"), "sonde.dev/scheduled-for", INT64_MIN);
    owned->kind = texts[0];
    owned->name = texts[1];
    owned->uid = texts[2];
    owned->firing_s = firing == INT64_MIN ? OWNED_NO_FIRING : firing / SONDE_SECOND;
    owned->created_s = time_of(metadata, "creationTimestamp", 0) / SONDE_SECOND;
    owned->completed_ns = time_of(status, "completionTime", 0);
    owned->succeeded = has_succeeded(status);
    owned->cancel = sonde_json_true(member(object, "spec"), "cancel");
    *ret = owned;
    return 0;
}

const struct owned *owned_of(const struct sonde_kube_object *object)
{
    return object && object->kept ? *(struct owned *const *)object->kept : NULL;
}

struct sonde_str owned_key(const struct sonde_kube_object *object)
{
    const struct owned *owned = owned_of(object);
    return sonde_str(owned ? owned->uid : "");
}
