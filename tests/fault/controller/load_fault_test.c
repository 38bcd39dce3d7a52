/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation for a load test fails once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/json.h"
#include "controller/load.h"
#include "fail.h"

static const char pod_text[] =
    "{\"metadata\":{\"annotations\":{\"batch.kubernetes.io/job-completion-index\":\"0\"}},"
    "\"status\":{\"phase\":\"Failed\",\"containerStatuses\":[{\"state\":{\"terminated\":{"
    "\"exitCode\":1,\"reason\":\"Error\"}}}]}}";
static const char slices_text[] =
    "{\"items\":[{\"addressType\":\"IPv4\",\"ports\":[{\"port\":8080}],\"endpoints\":[{"
    "\"addresses\":[\"10.0.0.1\"],\"targetRef\":{\"name\":\"a\"}}]}]}";
static const char test_text[] =
    "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"LoadTest\",\"metadata\":{\"name\":\"r\","
    "\"namespace\":\"n\",\"uid\":\"11111111-2222-4333-8444-555555555555\"},\"spec\":{\"target\":{"
    "\"service\":{\"name\":\"web\"}},\"scenario\":{\"requests\":[{\"name\":\"one\",\"path\":"
    "\"/\"}]},\"arrival\":{\"rate\":1,\"durationSeconds\":5},\"profile\":{\"captures\":[{\"name\":"
    "\"cpu\",\"type\":\"CPUProfile\"}]}},\"status\":{\"job\":\"r-11111111\",\"readyRunners\":1}}";

static struct controller controller;
static const struct object_way way = {.resource = &load_test_resource,
                                      .size = sizeof(struct load),
                                      .conditions = LOAD_CONDITIONS,
                                      .read = load_read,
                                      .fini = load_fini,
                                      .put = load_put,
                                      .take = load_take};

static int keep_pod(void *context)
{
    void *kept = NULL;
    int r = load_pod_keep(NULL, context, &kept, NULL);
    load_pod_release(NULL, kept);
    return r;
}

static int find_addresses(void *context)
{
    static const struct sonde_service_target target = {.port = 80};
    cJSON *list = NULL;
    SONDE_JSON_AUTO *service = cJSON_Parse("{\"spec\":{\"ports\":[{\"port\":80}]}}");
    if (!service) {
        return SONDE_ENOMEM;
    }
    int r = load_addresses(service, context, &target, &list, NULL);
    if (r == 0) {
        assert_int_equal(cJSON_GetArraySize(list), 1);
    }
    cJSON_Delete(list);
    SONDE_JSON_AUTO *outside = cJSON_CreateArray();
    r = r < 0 ? r : outside ? load_add_strangers(outside, context, NULL) : SONDE_ENOMEM;
    assert_true(r < 0 || cJSON_GetArraySize(outside) == 1);
    return r;
}

/* A Job or a ProfileRun is whole, or none. */
static int print(const struct load *load)
{
    SONDE_BUF_AUTO job = SONDE_BUF(LOAD_JOB_MAX);
    SONDE_BUF_AUTO profile = SONDE_BUF(65536);
    SONDE_JSON_AUTO *selector = cJSON_Parse("{\"app\":\"web\"}");
    SONDE_JSON_AUTO *status = object_status(&load->object);
    if (!selector || !status) {
        return SONDE_ENOMEM;
    }
    int r = load_job_print(&(struct load_job){.name = load->job,
                                              .namespace = "n",
                                              .test = "r",
                                              .uid = load->object.uid,
                                              .requester = "",
                                              .image = "sidecar",
                                              .spec = load->spec,
                                              .selector = selector,
                                              .deadline_seconds = 9},
                           &job, NULL);
    r = r < 0 ? r : load_profile_print(load, selector, &profile, NULL);
    if (r == 0) {
        assert_string_equal(sonde_json_string_or(status, "job", ""), load->job);
        assert_non_null(strstr(profile.data, "matchLabels"));
    }
    return r;
}

static int make_test(void *context)
{
    struct sonde_kube_object *cached = context;
    struct object *made = NULL;
    struct sonde_err invalid = {0};
    SONDE_JSON_AUTO *json = NULL;
    int r = sonde_json_parse(sonde_str(test_text), &json, NULL);
    r = r < 0 ? r : object_keep(NULL, json, &cached->kept, NULL);
    if (r < 0) {
        return r;
    }
    r = object_new(&controller, &way, cached, &made, &invalid, NULL);
    if (r == 0) {
        assert_int_equal(invalid.code, 0);
        r = print(load_of(made));
        object_drop(made);
    }
    object_release(NULL, cached->kept);
    return r;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    cJSON_InitHooks(&(cJSON_Hooks){malloc, free}); /* ours, which can fail */
    cJSON *pod = cJSON_Parse(pod_text);
    cJSON *slices = cJSON_Parse(slices_text);
    struct sonde_kube_object cached = {.key = "n/r",
                                       .name = "r",
                                       .uid = "11111111-2222-4333-8444-555555555555",
                                       .resource_version = "7"};
    fail_each_allocation(keep_pod, pod);
    fail_each_allocation(find_addresses, slices);
    fail_each_allocation(make_test, &cached);
    cJSON_Delete(pod);
    cJSON_Delete(slices);
    cJSON_InitHooks(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
