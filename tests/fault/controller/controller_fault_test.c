/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/json.h"
#include "controller/admission.h"
#include "controller/controller.h"
#include "controller/schedule.h"
#include "fail.h"

static const char pod_text[] =
    "{\"metadata\":{\"uid\":\"u\",\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{\"kind\":"
    "\"ReplicaSet\",\"name\":\"web\",\"controller\":true}]},\"spec\":{\"nodeName\":\"n\","
    "\"containers\":[{\"name\":\"app\",\"securityContext\":{\"runAsUser\":1000}}]},\"status\":{"
    "\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"app\",\"state\":{\"running\":{}}}],"
    "\"ephemeralContainerStatuses\":[{\"name\":\"sonde-a\",\"state\":{\"terminated\":{"
    "\"exitCode\":1,\"message\":\"{}\"}}}]}}";
static const char run_text[] =
    "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"ProfileRun\",\"metadata\":{\"name\":\"r\","
    "\"namespace\":\"n\",\"uid\":\"11111111-2222-4333-8444-555555555555\",\"ownerReferences\":[{"
    "\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"ProfileSchedule\",\"name\":\"s\",\"uid\":"
    "\"s-1\",\"controller\":true}]},\"spec\":{\"target\":{"
    "\"podName\":\"pod-a\"},\"captures\":[{\"name\":\"cpu\",\"type\":\"CPUProfile\","
    "\"durationSeconds\":5}]},\"status\":{\"targets\":[{\"podName\":\"pod-a\",\"state\":"
    "\"Capturing\"}],\"conditions\":[{\"type\":\"Accepted\",\"status\":\"True\",\"reason\":"
    "\"Accepted\",\"message\":\"\",\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]}}";

static const char schedule_text[] =
    "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"ProfileSchedule\",\"metadata\":{\"name\":"
    "\"s\",\"annotations\":{\"sonde.dev/requester\":\"ann\"}},\"spec\":{\"schedule\":\"@daily\","
    "\"baseline\":{},\"runTemplate\":{\"spec\":{\"target\":{\"podName\":\"p\"},\"captures\":[{"
    "\"name\":"
    "\"cpu\",\"type\":\"CPUProfile\",\"durationSeconds\":5}]}}}}";

static const struct controller_settings settings = {.sidecar_image = "sidecar"};
static struct controller controller = {.settings = &settings};

static int keep_and_examine(void *context)
{
    const cJSON *pod = context;
    struct attach_target found;
    void *kept = NULL;
    const struct attach_request request = {
        .uid = "u", .run_as_user = ATTACH_USER_UNKNOWN, .name = "sonde-b"};
    int r = pod_keep(NULL, pod, &kept, NULL);
    if (r < 0) {
        return r;
    }
    pod_release(NULL, kept);
    r = attach_examine(pod, &request, &found, NULL);
    if (r < 0) {
        return r;
    }
    SONDE_BUF_AUTO patch = SONDE_BUF(ATTACH_PATCH_MAX);
    attach_patch(&(struct attach_sidecar){.name = request.name,
                                          .image = "sidecar",
                                          .container = found.container,
                                          .user = found.user,
                                          .group = found.group,
                                          .resource_version = "7",
                                          .requester = "ann",
                                          .run = "r"},
                 &patch);
    return sonde_buf_check(&patch, "the patch", NULL);
}

static int take_message(void *context)
{
    struct run *run = context;
    struct target target = {.run = run};
    return result_take_message(&target, "{\"state\":\"Succeeded\",\"processes\":[{\"pid\":7}]}")
               ? 0
               : SONDE_ENOMEM;
}

static int answer_review(void *context)
{
    SONDE_BUF_AUTO answer = SONDE_BUF(ADMISSION_ANSWER_MAX);
    (void)context;
    return admission_answer(
        SONDE_STR("{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
                  "\"request\":{\"uid\":\"u\",\"operation\":\"UPDATE\",\"kind\":{\"kind\":"
                  "\"ProfileSchedule\"},\"object\":{\"spec\":1},\"oldObject\":{\"spec\":2},"
                  "\"userInfo\":{\"username\":\"ann\",\"groups\":[\"a\"]}}}"),
        "controller", &answer, NULL);
}

static const struct object_way way = {.resource = &profile_run_resource,
                                      .size = sizeof(struct run),
                                      .conditions = RUN_CONDITIONS,
                                      .read = run_read,
                                      .fini = run_fini,
                                      .put = run_put,
                                      .take = run_take};

/* A status is whole, or none: half of one would take away what is written. */
static int print_status(void *context)
{
    const struct run *run = context;
    SONDE_JSON_AUTO *status = object_status(&run->object);
    if (!status) {
        return SONDE_ENOMEM;
    }
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(status, "targets")), 1);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(status, "conditions")), 1);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(status, "artifacts")), 1);
    return 0;
}

static int make_run(void *context)
{
    struct sonde_kube_object *object = context;
    struct object *run = NULL;
    struct sonde_err invalid = {0};
    SONDE_JSON_AUTO *json = NULL;
    int r = sonde_json_parse(sonde_str(run_text), &json, NULL);
    r = r < 0 ? r : object_keep(NULL, json, &object->kept, NULL);
    if (r < 0) {
        return r;
    }
    r = object_new(&controller, &way, object, &run, &invalid, NULL);
    if (r == 0) {
        /* Without memory a document must not look invalid: the run would end. */
        assert_int_equal(invalid.code, 0);
        assert_true(run->valid);
        assert_int_equal(run_of(run)->target_count, 1);
        object_drop(run);
    }
    object_release(NULL, object->kept);
    return r;
}

/* Without memory a schedule must not look as if it could never fire. */
static int serve_schedule(void *context)
{
    struct schedule_view view = {0};
    struct schedule_right rights[SCHEDULE_RIGHTS_MAX];
    SONDE_BUF_AUTO text = SONDE_BUF(SCHEDULE_MAKE_MAX);
    void *kept = NULL;
    int r = schedule_object_keep(NULL, context, &kept, NULL);
    if (r < 0) {
        return r;
    }
    r = schedule_view_read(((struct schedule_object *)kept)->text, 1767323040, &view, NULL);
    if (r == 0) {
        assert_string_equal(view.reason, "");
        size_t count = schedule_rights(&view, rights);
        schedule_put_review(&view, "clinic", &rights[count - 1], &text);
        schedule_put_made(&view, "s-1", 1767323040, &text);
        schedule_put_baseline(view.spec, &text);
        r = sonde_buf_check(&text, "what is made", NULL);
    }
    schedule_view_fini(&view);
    schedule_object_release(NULL, kept);
    return r;
}

static int print_schedule_status(void *context)
{
    SONDE_JSON_AUTO *status = schedule_status_of(context);
    return status ? 0 : SONDE_ENOMEM;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static struct run run;
    cJSON_InitHooks(&(cJSON_Hooks){malloc, free}); /* ours, which can fail */
    cJSON *pod = cJSON_Parse(pod_text);
    struct sonde_kube_object object = {.key = "n/r",
                                       .name = "r",
                                       .uid = "11111111-2222-4333-8444-555555555555",
                                       .resource_version = "7"};
    assert_non_null(pod);
    struct target target = {.run = &run, .state = TARGET_CAPTURING, .pod = "pod-a"};
    run = (struct run){
        .object = {.way = &way, .controller = &controller}, .targets = &target, .target_count = 1};
    object_set_condition(&run.object, CONDITION_ACCEPTED, 'T', "Accepted", "");
    run.object.results =
        cJSON_Parse("{\"summary\":{\"top\":\"f\"},\"artifacts\":[{\"id\":\"a\"}]}");
    fail_each_allocation(keep_and_examine, pod);
    fail_each_allocation(take_message, &run);
    fail_each_allocation(print_status, &run);
    fail_each_allocation(make_run, &object);
    fail_each_allocation(answer_review, NULL);
    cJSON *schedule = cJSON_Parse(schedule_text);
    struct schedule_status status = {.active = {"a"}, .active_named = 1, .requester = "ann"};
    fail_each_allocation(serve_schedule, schedule);
    fail_each_allocation(print_schedule_status, &status);
    cJSON_Delete(schedule);
    cJSON_Delete(run.object.results);
    cJSON_Delete(pod);
    cJSON_InitHooks(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
