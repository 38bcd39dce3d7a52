/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/admission.h"

#include <string.h>

#include "base/memory.h"
#include "codec/base64.h"
#include "codec/json.h"

#define VERSION "admission.k8s.io/v1"

/* A patch adds a member to an object that is there, so the annotations may have to come first. */
static void put_patch(const cJSON *object, const char *user, struct sonde_buf *patch)
{
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    bool annotated = cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(metadata, "annotations"));
    sonde_buf_text(patch, annotated
                              ? "[{\"op\":\"add\",\"path\":\"/metadata/annotations/"
                                "sonde.dev~1requester\",\"value\":"
                              : "[{\"op\":\"add\",\"path\":\"/metadata/annotations\",\"value\":{"
                                "\"sonde.dev/requester\":");
    sonde_buf_json_string(patch, sonde_str(user));
    sonde_buf_text(patch, annotated ? "}]" : "}}]");
}

int admission_answer(struct sonde_str review, struct sonde_buf *ret, struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    SONDE_BUF_AUTO patch = SONDE_BUF(ADMISSION_ANSWER_MAX);
    const cJSON *request = NULL;
    const cJSON *object = NULL;
    const cJSON *person = NULL;
    const char *uid = NULL;
    const char *operation = NULL;
    const char *user = NULL;
    int r = sonde_json_parse_up_to(review, ADMISSION_REVIEW_MAX, &json, err);
    if (r == 0 && (strcmp(sonde_json_string_or(json, "kind", ""), "AdmissionReview") != 0 ||
                   strcmp(sonde_json_string_or(json, "apiVersion", ""), VERSION) != 0)) {
        r = sonde_fail(err, SONDE_EPARSE, 0, "this is no AdmissionReview of " VERSION);
    }
    r = r < 0 ? r : sonde_json_object(json, "request", &request, err);
    r = r < 0 ? r : sonde_json_string(request, "uid", &uid, err);
    r = r < 0 ? r : sonde_json_string(request, "operation", &operation, err);
    bool created = r == 0 && strcmp(operation, "CREATE") == 0;
    if (created) {
        r = sonde_json_object(request, "object", &object, err);
        r = r < 0 ? r : sonde_json_object(request, "userInfo", &person, err);
        r = r < 0 ? r : sonde_json_string(person, "username", &user, err);
    }
    if (r < 0) {
        return r;
    }
    sonde_buf_text(ret, "{\"apiVersion\":\"" VERSION "\",\"kind\":\"AdmissionReview\","
                        "\"response\":{\"uid\":");
    sonde_buf_json_string(ret, sonde_str(uid));
    sonde_buf_text(ret, ",\"allowed\":true");
    if (created) {
        put_patch(object, user, &patch);
        sonde_buf_text(ret, ",\"patchType\":\"JSONPatch\",\"patch\":\"");
        sonde_base64_encode(sonde_buf_view(&patch), ret);
        sonde_buf_text(ret, "\"");
    }
    sonde_buf_text(ret, "}}\n");
    r = sonde_buf_check(&patch, "the patch", err);
    return r < 0 ? r : sonde_buf_check(ret, "the answer", err);
}
