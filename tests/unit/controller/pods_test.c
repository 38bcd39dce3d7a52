/* SPDX-License-Identifier: Apache-2.0 */
/* What the controller keeps of a pod. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/json.h"
#include "controller/pods.h"

static struct pod *keep(const char *text)
{
    cJSON *json = cJSON_Parse(text);
    void *kept = NULL;
    struct sonde_err err;
    assert_non_null(json);
    assert_int_equal(pod_keep(NULL, json, &kept, &err), 0);
    cJSON_Delete(json);
    return kept;
}

static void what_is_needed_is_kept(void **state)
{
    (void)state;
    struct pod *pod =
        keep("{\"metadata\":{\"labels\":{\"app\":\"web\",\"tier\":\"\"},\"ownerReferences\":["
             "{\"kind\":\"Node\",\"name\":\"n\"},"
             "{\"kind\":\"ReplicaSet\",\"name\":\"web-5d\",\"controller\":true}]},"
             "\"spec\":{\"nodeName\":\"node1\"},\"status\":{\"phase\":\"Running\",\"conditions\":["
             "{\"type\":\"PodScheduled\",\"status\":\"True\"},{\"type\":\"Ready\",\"status\":"
             "\"True\"}]}}");
    assert_string_equal(pod->node, "node1");
    assert_string_equal(pod->owner_kind, "ReplicaSet");
    assert_string_equal(pod->owner_name, "web-5d");
    assert_true(pod->running && pod->ready && !pod->leaving);
    assert_string_equal(pod_label(pod, "app"), "web");
    assert_string_equal(pod_label(pod, "tier"), "");
    assert_null(pod_label(pod, "web"));
    assert_int_equal(pod->sidecar_count, 0);
    pod_release(NULL, pod);
    pod = keep("{\"metadata\":{\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}");
    assert_true(pod->leaving && !pod->running && !pod->ready);
    assert_string_equal(pod->node, "");
    pod_release(NULL, pod);
}

static void sidecars_are_ours_alone(void **state)
{
    (void)state;
    struct pod *pod = keep(
        "{\"status\":{\"ephemeralContainerStatuses\":["
        "{\"name\":\"debugger\",\"state\":{\"running\":{}}},"
        "{\"name\":\"sonde-a\",\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\",\"message\":"
        "\"not found\"}}},"
        "{\"name\":\"sonde-b\",\"state\":{\"running\":{\"startedAt\":\"2026-01-01T00:00:01Z\"}}},"
        "{\"name\":\"sonde-c\",\"state\":{\"terminated\":{\"exitCode\":1,\"reason\":\"Error\","
        "\"message\":\"{}\",\"startedAt\":\"2026-01-01T00:00:01Z\",\"finishedAt\":"
        "\"2026-01-01T00:00:02Z\"}}}]}}");
    assert_int_equal(pod->sidecar_count, 3);
    assert_null(pod_sidecar(pod, "debugger"));
    const struct pod_sidecar *waiting = pod_sidecar(pod, "sonde-a");
    assert_int_equal(waiting->state, SIDECAR_WAITING);
    assert_string_equal(waiting->reason, "ErrImagePull");
    assert_string_equal(waiting->message, "not found");
    assert_int_equal(pod_sidecar(pod, "sonde-b")->state, SIDECAR_RUNNING);
    const struct pod_sidecar *ended = pod_sidecar(pod, "sonde-c");
    assert_int_equal(ended->state, SIDECAR_TERMINATED);
    assert_int_equal(ended->exit_code, 1);
    assert_int_equal(ended->finished_ns - ended->started_ns, 1000000000);
    pod_release(NULL, pod);
}

static void a_selector_means_all_of_its_parts(void **state)
{
    (void)state;
    struct pod *pod = keep("{\"metadata\":{\"labels\":{\"app\":\"web\",\"tier\":\"front\"}}}");
    static const char *const front[] = {"back", "front"};
    static const char *const back[] = {"back"};
    const struct sonde_pair web = {"app", "web"};
    const struct sonde_pair other = {"app", "db"};
    const struct {
        struct sonde_label_expression expression;
        bool meets;
    } cases[] = {
        {{"tier", SONDE_LABEL_IN, {front, 2}}, true},
        {{"tier", SONDE_LABEL_IN, {back, 1}}, false},
        {{"none", SONDE_LABEL_IN, {front, 2}}, false},
        {{"tier", SONDE_LABEL_NOT_IN, {back, 1}}, true},
        {{"tier", SONDE_LABEL_NOT_IN, {front, 2}}, false},
        {{"none", SONDE_LABEL_NOT_IN, {front, 2}}, true},
        {{"tier", SONDE_LABEL_EXISTS, {NULL, 0}}, true},
        {{"none", SONDE_LABEL_EXISTS, {NULL, 0}}, false},
        {{"tier", SONDE_LABEL_DOES_NOT_EXIST, {NULL, 0}}, false},
        {{"none", SONDE_LABEL_DOES_NOT_EXIST, {NULL, 0}}, true},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_label_selector selector = {.match_labels = {&web, 1},
                                                .match_expressions = {&cases[i].expression, 1}};
        assert_int_equal(pod_selected(pod, &selector), cases[i].meets);
        selector.match_labels.items = &other;
        assert_false(pod_selected(pod, &selector));
    }
    pod_release(NULL, pod);
}

static void what_is_too_much_is_left_out(void **state)
{
    (void)state;
    SONDE_JSON_AUTO *json = cJSON_CreateObject();
    cJSON *labels = cJSON_AddObjectToObject(cJSON_AddObjectToObject(json, "metadata"), "labels");
    cJSON *list = cJSON_AddArrayToObject(cJSON_AddObjectToObject(json, "status"),
                                         "ephemeralContainerStatuses");
    char *large = calloc(1, POD_MESSAGE_MAX + 100);
    void *kept = NULL;
    memset(large, 'x', POD_MESSAGE_MAX + 99);
    for (int i = 0; i < 2000; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "label-%d", i);
        assert_non_null(cJSON_AddStringToObject(labels, name, "value"));
    }
    for (int i = 0; i < POD_SIDECARS_MAX + 10; i++) {
        char name[32];
        cJSON *item = cJSON_CreateObject();
        (void)snprintf(name, sizeof(name), "sonde-%d", i);
        assert_non_null(cJSON_AddStringToObject(item, "name", name));
        cJSON *ended =
            cJSON_AddObjectToObject(cJSON_AddObjectToObject(item, "state"), "terminated");
        assert_non_null(cJSON_AddStringToObject(ended, "message", large));
        assert_true(cJSON_AddItemToArray(list, item));
    }
    assert_int_equal(pod_keep(NULL, json, &kept, NULL), 0);
    const struct pod *pod = kept;
    assert_int_equal(pod->sidecar_count, POD_SIDECARS_MAX);
    assert_int_equal(strlen(pod->sidecars[0].message), POD_MESSAGE_MAX);
    assert_non_null(pod_label(pod, "label-0"));
    assert_null(pod_label(pod, "label-1999"));
    pod_release(NULL, kept);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_needed_is_kept),
        cmocka_unit_test(sidecars_are_ours_alone),
        cmocka_unit_test(a_selector_means_all_of_its_parts),
        cmocka_unit_test(what_is_too_much_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
