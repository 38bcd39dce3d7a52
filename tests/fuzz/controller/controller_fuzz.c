/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses what the rest is: a pod, a sidecar's termination message, a
 * status, a question of the API server, or a schedule. */
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "controller/admission.h"
#include "controller/controller.h"
#include "controller/schedule.h"
#include "spec/reason.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void read_pod(struct sonde_str text)
{
    SONDE_JSON_AUTO *json = NULL;
    void *kept = NULL;
    struct sonde_err err = {0};
    struct attach_target found;
    if (sonde_json_parse(text, &json, NULL) < 0) {
        return;
    }
    if (pod_keep(NULL, json, &kept, NULL) == 0) {
        const struct pod *pod = kept;
        must(pod->sidecar_count <= POD_SIDECARS_MAX);
        (void)pod_label(pod, "app");
        for (size_t i = 0; i < pod->sidecar_count; i++) {
            must(strlen(pod->sidecars[i].name) < SIDECAR_NAME_SIZE);
            must(strlen(pod->sidecars[i].message) <= POD_MESSAGE_MAX);
            must(pod->sidecars[i].reason && pod_sidecar(pod, pod->sidecars[i].name));
        }
        pod_release(NULL, kept);
    }
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(json, "metadata");
    const struct attach_request request = {.uid = sonde_json_string_or(metadata, "uid", ""),
                                           .run_as_user = ATTACH_USER_UNKNOWN,
                                           .name = "sonde-a"};
    if (attach_examine(json, &request, &found, &err) < 0) {
        must(err.reason && err.message[0]);
    } else {
        must(strlen(found.container) < CONTAINER_NAME_SIZE && found.container[0]);
        must(found.user >= ATTACH_USER_UNKNOWN && found.group >= ATTACH_USER_UNKNOWN);
    }
}

static void read_message(struct sonde_str text)
{
    static struct run run;
    struct target target = {.run = &run, .state = TARGET_CAPTURING};
    char message[POD_MESSAGE_MAX + 1];
    (void)snprintf(message, sizeof(message), "%.*s", SONDE_STR_ARG(text));
    if (!result_take_message(&target, message)) {
        must(target.state == TARGET_CAPTURING);
        return;
    }
    must(target.state == TARGET_SUCCEEDED || target.state == TARGET_FAILED);
    must(sonde_reason_find(target.reason));
    must(target.pid >= 0 && target.inspector_ms >= 0 && target.pause_ms >= 0);
}

/* What is taken from a status and written is text, and taken again the same. */
static void read_status(struct sonde_str text)
{
    static const struct controller_settings settings = {.sidecar_image = "sidecar"};
    static struct controller controller = {.settings = &settings};
    static const struct object_way way = {
        .conditions = RUN_CONDITIONS, .put = run_put, .take = run_take};
    static struct run run;
    static struct run again;
    SONDE_JSON_AUTO *json = NULL;
    if (sonde_json_parse(text, &json, NULL) < 0) {
        return;
    }
    run = again = (struct run){.object = {.way = &way, .controller = &controller}};
    must(object_take_status(&run.object, json, NULL) == 0);
    SONDE_JSON_AUTO *written = object_status(&run.object);
    must(written);
    char *printed = cJSON_PrintUnformatted(written);
    must(printed && sonde_utf8_valid(sonde_str(printed)));
    cJSON_free(printed);
    must(object_take_status(&again.object, written, NULL) == 0);
    must(again.target_count == run.target_count);
    for (size_t i = 0; i < run.target_count; i++) {
        must(again.targets[i].state == run.targets[i].state);
    }
    free(run.targets);
    free(again.targets);
}

/* An answer is JSON, and for the question that was asked. */
static void read_review(struct sonde_str text)
{
    SONDE_JSON_AUTO *review = NULL;
    SONDE_JSON_AUTO *json = NULL;
    SONDE_BUF_AUTO answer = SONDE_BUF(ADMISSION_ANSWER_MAX);
    struct sonde_err err = {0};
    if (admission_answer(text, "controller", &answer, &err) < 0) {
        must(err.message[0]);
        return;
    }
    must(sonde_json_parse(text, &review, NULL) == 0);
    must(sonde_json_parse(sonde_buf_view(&answer), &json, NULL) == 0);
    const cJSON *request = cJSON_GetObjectItemCaseSensitive(review, "request");
    const cJSON *response = cJSON_GetObjectItemCaseSensitive(json, "response");
    must(strcmp(sonde_json_string_or(request, "uid", "a"),
                sonde_json_string_or(response, "uid", "b")) == 0);
    must(sonde_json_true(response, "allowed"));
}

/* What it makes is a document that we read, and what it asks for is JSON. */
static void make(const struct schedule_view *view)
{
    struct schedule_right rights[SCHEDULE_RIGHTS_MAX];
    SONDE_BUF_AUTO made = SONDE_BUF(SCHEDULE_MAKE_MAX);
    SONDE_BUF_AUTO review = SONDE_BUF(SCHEDULE_REVIEW_MAX);
    SONDE_JSON_AUTO *json = NULL;
    struct sonde_spec_documents documents;
    char message[SCHEDULE_MESSAGE_SIZE];
    size_t count = schedule_rights(view, rights);
    must(count >= 1 && count <= SCHEDULE_RIGHTS_MAX);
    schedule_put_review(view, "clinic", &rights[count - 1], &review);
    schedule_put_denial(view, "clinic", &rights[count - 1], message);
    must(message[0]);
    must(review.code || sonde_json_parse(sonde_buf_view(&review), &json, NULL) == 0);
    schedule_put_made(view, "s-1", INT64_C(1767323040), &made);
    must(made.code || sonde_spec_parse("made", sonde_buf_view(&made), &documents, NULL) == 0);
    if (!made.code) {
        sonde_spec_documents_fini(&documents);
    }
}

static void read_schedule(struct sonde_str text)
{
    SONDE_JSON_AUTO *json = NULL;
    void *kept = NULL;
    struct schedule_view view;
    if (sonde_json_parse(text, &json, NULL) < 0 ||
        schedule_object_keep(NULL, json, &kept, NULL) < 0) {
        return;
    }
    const char *own = ((struct schedule_object *)kept)->text;
    if (schedule_view_read(own, INT64_C(1767323040), &view, NULL) == 0) {
        must(!view.document == !view.spec && (view.document || view.reason[0]));
        if (view.document) {
            make(&view);
        }
    }
    schedule_view_fini(&view);
    schedule_object_release(NULL, kept);
    struct schedule_status status;
    schedule_status_take(json, &status);
    status.next_s = INT64_MAX;
    SONDE_JSON_AUTO *written = schedule_status_of(&status);
    char *printed = cJSON_PrintUnformatted(written);
    must(printed && sonde_utf8_valid(sonde_str(printed)));
    cJSON_free(printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct sonde_str text = {(const char *)data + 1, size - 1};
    switch (data[0] % 8) {
    case 0:
        read_pod(text);
        break;
    case 1:
        read_message(text);
        break;
    case 2:
        read_status(text);
        break;
    case 3:
        read_review(text);
        break;
    default:
        read_schedule(text);
    }
    return 0;
}
