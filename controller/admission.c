/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/admission.h"

#include <string.h>

#include "base/memory.h"
#include "codec/base64.h"
#include "codec/json.h"

#define VERSION "admission.k8s.io/v1"

/* What the answer depends on. */
struct request {
    const char *uid, *operation, *kind, *user;
    const cJSON *object, *before, *person;
};

static bool is_schedule(const struct request *request)
{
    return strcmp(request->kind, "ProfileSchedule") == 0 ||
           strcmp(request->kind, "LoadTestSchedule") == 0;
}

/* The API server prints an object's members in one order. */
static int compare_specs(const struct request *request, bool *ret_differ, struct sonde_err *err)
{
    const cJSON *specs[] = {cJSON_GetObjectItemCaseSensitive(request->object, "spec"),
                            cJSON_GetObjectItemCaseSensitive(request->before, "spec")};
    if (!specs[0] || !specs[1]) {
        return sonde_fail(err, SONDE_EPARSE, 0, "a change of an object without a spec");
    }
    char *now = cJSON_PrintUnformatted(specs[0]);
    char *before = cJSON_PrintUnformatted(specs[1]);
    bool printed = now && before;
    *ret_differ = printed && strcmp(now, before) != 0;
    cJSON_free(now);
    cJSON_free(before);
    return printed ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a review");
}

/* Whether the person is to be written down. */
static int decide(const struct request *request, const char *controller, bool *ret,
                  struct sonde_err *err)
{
    if (strcmp(request->operation, "CREATE") == 0) {
        /* What the controller makes for others has their name already. */
        *ret = is_schedule(request) || strcmp(request->user, controller) != 0;
        return 0;
    }
    *ret = false;
    if (strcmp(request->operation, "UPDATE") != 0 || !is_schedule(request)) {
        return 0;
    }
    return compare_specs(request, ret, err);
}

static void put_value(struct sonde_buf *patch, bool annotated, bool first, const char *name,
                      struct sonde_str value)
{
    sonde_buf_text(patch, first ? "" : ",");
    sonde_buf_printf(patch,
                     annotated ? "{\"op\":\"add\",\"path\":\"/metadata/annotations/sonde.dev~1%s\","
                                 "\"value\":"
                               : "\"sonde.dev/%s\":",
                     name);
    sonde_buf_json_string(patch, value);
    sonde_buf_text(patch, annotated ? "}" : "");
}

/* A line each. One with a line end in it could pass for two: it is left out. */
static void put_groups(const cJSON *person, struct sonde_buf *ret)
{
    const cJSON *group;
    bool first = true;
    cJSON_ArrayForEach(group, cJSON_GetObjectItemCaseSensitive(person, "groups"))
    {
        if (cJSON_IsString(group) && !strchr(group->valuestring, '\n')) {
            sonde_buf_text(ret, first ? "" : "\n");
            sonde_buf_text(ret, group->valuestring);
            first = false;
        }
    }
}

/* A patch adds a member to an object that is there, so the annotations may have to come first. */
static void put_patch(const struct request *request, struct sonde_buf *patch)
{
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(request->object, "metadata");
    bool annotated = cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(metadata, "annotations"));
    SONDE_BUF_AUTO groups = SONDE_BUF(ADMISSION_GROUPS_MAX);
    sonde_buf_text(
        patch, annotated ? "[" : "[{\"op\":\"add\",\"path\":\"/metadata/annotations\",\"value\":{");
    put_value(patch, annotated, true, "requester", sonde_str(request->user));
    if (is_schedule(request)) {
        put_groups(request->person, &groups);
        patch->code = groups.code ? groups.code : patch->code;
        put_value(patch, annotated, false, "requester-groups", sonde_buf_view(&groups));
    }
    sonde_buf_text(patch, annotated ? "]" : "}}]");
}

static int read_request(const cJSON *json, struct request *ret, struct sonde_err *err)
{
    const cJSON *request = NULL;
    int r = sonde_json_object(json, "request", &request, err);
    r = r < 0 ? r : sonde_json_string(request, "uid", &ret->uid, err);
    r = r < 0 ? r : sonde_json_string(request, "operation", &ret->operation, err);
    if (r < 0) {
        return r;
    }
    const cJSON *kind = cJSON_GetObjectItemCaseSensitive(request, "kind");
    ret->kind = sonde_json_string_or(kind, "kind", "");
    bool created = strcmp(ret->operation, "CREATE") == 0;
    bool changed = strcmp(ret->operation, "UPDATE") == 0 && is_schedule(ret);
    if (created || changed) {
        r = sonde_json_object(request, "object", &ret->object, err);
        r = r < 0 ? r : sonde_json_object(request, "userInfo", &ret->person, err);
        r = r < 0 ? r : sonde_json_string(ret->person, "username", &ret->user, err);
    }
    return r < 0 || !changed ? r : sonde_json_object(request, "oldObject", &ret->before, err);
}

int admission_answer(struct sonde_str review, const char *controller, struct sonde_buf *ret,
                     struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    SONDE_BUF_AUTO patch = SONDE_BUF(ADMISSION_ANSWER_MAX);
    struct request request = {0};
    bool writes = false;
    int r = sonde_json_parse_up_to(review, ADMISSION_REVIEW_MAX, &json, err);
    if (r == 0 && (strcmp(sonde_json_string_or(json, "kind", ""), "AdmissionReview") != 0 ||
                   strcmp(sonde_json_string_or(json, "apiVersion", ""), VERSION) != 0)) {
        r = sonde_fail(err, SONDE_EPARSE, 0, "this is no AdmissionReview of " VERSION);
    }
    r = r < 0 ? r : read_request(json, &request, err);
    r = r < 0 ? r : decide(&request, controller, &writes, err);
    if (r < 0) {
        return r;
    }
    sonde_buf_text(ret, "{\"apiVersion\":\"" VERSION "\",\"kind\":\"AdmissionReview\","
                        "\"response\":{\"uid\":");
    sonde_buf_json_string(ret, sonde_str(request.uid));
    sonde_buf_text(ret, ",\"allowed\":true");
    if (writes) {
        put_patch(&request, &patch);
        sonde_buf_text(ret, ",\"patchType\":\"JSONPatch\",\"patch\":\"");
        sonde_base64_encode(sonde_buf_view(&patch), ret);
        sonde_buf_text(ret, "\"");
    }
    sonde_buf_text(ret, "}}\n");
    r = sonde_buf_check(&patch, "the patch", err);
    return r < 0 ? r : sonde_buf_check(ret, "the answer", err);
}
