/* SPDX-License-Identifier: Apache-2.0 */
/* A run's status: what is written, and what a controller makes of it that comes after. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "controller/controller.h"

static const struct controller_settings settings = {.sidecar_image = "sonde.dev/sidecar:0.1.0"};
static struct controller controller = {.settings = &settings};
static const struct object_way way = {
    .conditions = RUN_CONDITIONS, .put = run_put, .take = run_take};

/* A ProfileRun of which nothing is known yet. */
static struct run empty(int64_t generation)
{
    return (struct run){
        .object = {.way = &way, .controller = &controller, .generation = generation}};
}

/* Of 2026-01-01, in whole microseconds: what a status can hold. */
#define BEGIN_NS INT64_C(1767225600000000000)

static const cJSON *at(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *text_at(const cJSON *object, const char *name)
{
    return sonde_json_string_or(object, name, "(none)");
}

static void make(struct run *run)
{
    static const enum target_state states[] = {TARGET_PENDING,   TARGET_LOOKING,   TARGET_ATTACHING,
                                               TARGET_CAPTURING, TARGET_SUCCEEDED, TARGET_FAILED};
    static struct target targets[CHOOSE_TARGETS_MAX];
    *run = empty(3);
    run->object.started = BEGIN_NS;
    run->targets = targets;
    (void)snprintf(run->object.target_word, sizeof(run->object.target_word), "Deployment/web");
    (void)snprintf(run->object.requester, sizeof(run->object.requester), "ann");
    for (size_t i = 0; i < SONDE_LENGTH(states); i++) {
        struct target *target = &run->targets[run->target_count++];
        *target = (struct target){.run = run, .index = i, .state = states[i]};
        (void)snprintf(target->pod, sizeof(target->pod), "web-%zu", i);
        (void)snprintf(target->pod_uid, sizeof(target->pod_uid), "uid-%zu", i);
        (void)snprintf(target->node, sizeof(target->node), "node1");
        (void)snprintf(target->container, sizeof(target->container), "app");
    }
    struct target *done = &run->targets[4];
    done->pid = 7;
    done->inspector_ms = 2500;
    done->pause_ms = 12;
    (void)snprintf(done->reason, sizeof(done->reason), "Completed");
    (void)snprintf(done->node_version, sizeof(done->node_version), "v22.1.0");
    (void)snprintf(run->targets[5].reason, OBJECT_REASON_SIZE, "TargetExited");
    (void)snprintf(run->targets[5].message, OBJECT_MESSAGE_SIZE, "the pod is gone");
}

static void what_is_over_stays_so_and_the_rest_begins_again(void **state)
{
    (void)state;
    static struct run run;
    static struct run later;
    make(&run);
    run.object.completed = BEGIN_NS + SONDE_SECOND;
    run.left_out = 10;
    SONDE_JSON_AUTO *status = object_status(&run.object);
    assert_int_equal(sonde_json_integer_or(status, "targetsLeftOut", 0), 10);
    later = empty(3);
    assert_int_equal(object_take_status(&later.object, status, NULL), 0);
    assert_int_equal(later.object.started, run.object.started);
    assert_int_equal(later.object.completed, run.object.completed);
    assert_string_equal(later.object.target_word, "Deployment/web");
    assert_int_equal(later.left_out, 10);
    assert_int_equal(later.target_count, 6);
    for (size_t i = 0; i < later.target_count; i++) {
        const struct target *target = &later.targets[i];
        assert_ptr_equal(target->run, &later);
        assert_int_equal(target->index, i);
        assert_int_equal(target->state, i < 4 ? TARGET_PENDING : run.targets[i].state);
        assert_int_equal(target->connected, i == 3);
        assert_int_equal(target->user, ATTACH_USER_UNKNOWN);
        assert_string_equal(target->pod, run.targets[i].pod);
        assert_string_equal(target->pod_uid, run.targets[i].pod_uid);
        assert_string_equal(target->node, "node1");
        assert_string_equal(target->container, "app");
        assert_string_equal(target->reason, run.targets[i].reason);
        assert_string_equal(target->message, run.targets[i].message);
        assert_string_equal(target->node_version, run.targets[i].node_version);
        assert_int_equal(target->pid, run.targets[i].pid);
        assert_int_equal(target->inspector_ms, run.targets[i].inspector_ms);
        assert_int_equal(target->pause_ms, run.targets[i].pause_ms);
    }
    assert_string_equal(text_at(status, "pods"), "1/6");
    assert_string_equal(text_at(status, "requester"), "ann");
    assert_string_equal(text_at(status, "sidecarImage"), settings.sidecar_image);
    free(later.targets);
}

/* What has no value is left out, so that nothing changes while nothing happens. */
static void an_empty_run_says_little(void **state)
{
    (void)state;
    static struct run run;
    run = empty(1);
    SONDE_JSON_AUTO *status = object_status(&run.object);
    SONDE_JSON_AUTO *again = object_status(&run.object);
    assert_null(at(status, "targets"));
    assert_null(at(status, "startTime"));
    assert_null(at(status, "completionTime"));
    assert_null(at(status, "pods"));
    assert_null(at(status, "summary"));
    assert_int_equal(cJSON_GetArraySize(at(status, "conditions")), 0);
    assert_true(cJSON_Compare(status, again, true));
}

static void conditions_change_their_time_with_their_status(void **state)
{
    (void)state;
    static struct run run;
    static struct run later;
    make(&run);
    object_set_condition(&run.object, CONDITION_SUCCEEDED, 'U', "Running", "");
    run.object.conditions[CONDITION_SUCCEEDED].since = BEGIN_NS;
    object_set_condition(&run.object, CONDITION_SUCCEEDED, 'U', "Waiting", "for a gate");
    assert_int_equal(run.object.conditions[CONDITION_SUCCEEDED].since, BEGIN_NS);
    SONDE_JSON_AUTO *status = object_status(&run.object);
    const cJSON *condition = cJSON_GetArrayItem(at(status, "conditions"), 0);
    assert_int_equal(cJSON_GetArraySize(at(status, "conditions")), 1);
    assert_string_equal(text_at(condition, "type"), "Succeeded");
    assert_string_equal(text_at(condition, "status"), "Unknown");
    assert_string_equal(text_at(condition, "reason"), "Waiting");
    assert_string_equal(text_at(condition, "message"), "for a gate");
    assert_int_equal(sonde_json_integer_or(condition, "observedGeneration", 0), 3);
    later = empty(0);
    assert_int_equal(object_take_status(&later.object, status, NULL), 0);
    const struct condition *taken = &later.object.conditions[CONDITION_SUCCEEDED];
    assert_int_equal(taken->status, 'U');
    assert_int_equal(taken->since, BEGIN_NS);
    assert_string_equal(taken->message, "for a gate");
    int64_t before = sonde_clock_realtime();
    object_set_condition(&later.object, CONDITION_SUCCEEDED, 'T', "Completed", "");
    assert_true(taken->since >= before);
    free(later.targets);
}

static void results_are_linked_up_to_a_bound(void **state)
{
    (void)state;
    static struct run run;
    make(&run);
    run.object.results = cJSON_Parse("{\"summary\":{\"top\":\"38% loadVisits patients.js:41\","
                                     "\"findings\":3,\"bytes\":123},\"artifacts\":[]}");
    cJSON *artifacts = cJSON_GetObjectItemCaseSensitive(run.object.results, "artifacts");
    for (int i = 0; i < RUN_ARTIFACTS_MAX + 5; i++) {
        cJSON *item = cJSON_CreateObject();
        char id[32];
        (void)snprintf(id, sizeof(id), "u.%d", i);
        (void)cJSON_AddStringToObject(item, "id", id);
        (void)cJSON_AddStringToObject(item, "target", "web-4");
        (void)cJSON_AddStringToObject(item, "other", "is not passed on");
        (void)cJSON_AddNumberToObject(item, "bytes", 5);
        (void)cJSON_AddItemToArray(artifacts, item);
    }
    SONDE_JSON_AUTO *status = object_status(&run.object);
    assert_int_equal(cJSON_GetArraySize(at(status, "artifacts")), RUN_ARTIFACTS_MAX);
    const cJSON *first = cJSON_GetArrayItem(at(status, "artifacts"), 0);
    assert_string_equal(text_at(first, "id"), "u.0");
    assert_string_equal(text_at(first, "podName"), "web-4");
    assert_int_equal(sonde_json_integer_or(first, "bytes", 0), 5);
    assert_null(at(first, "other"));
    assert_string_equal(text_at(at(status, "summary"), "top"), "38% loadVisits patients.js:41");
    assert_int_equal(sonde_json_integer_or(at(status, "summary"), "findings", 0), 3);
    cJSON_Delete(run.object.results);
}

/* The API server replaces what is not UTF-8: the status would never be as it was written. */
static void a_message_that_was_cut_stays_text(void **state)
{
    (void)state;
    static struct run run;
    char message[3 * OBJECT_MESSAGE_SIZE];
    make(&run);
    int length = snprintf(message, sizeof(message), "{\"state\":\"Failed\",\"message\":\"12");
    for (int i = 0; i < 600; i++) {
        length += snprintf(message + length, sizeof(message) - (size_t)length, "\u20ac");
    }
    (void)snprintf(message + length, sizeof(message) - (size_t)length, "\"}");
    assert_true(result_take_message(&run.targets[0], message));
    object_set_condition(&run.object, CONDITION_SUCCEEDED, 'F', "Internal", run.targets[0].message);
    SONDE_JSON_AUTO *status = object_status(&run.object);
    const char *told = text_at(cJSON_GetArrayItem(at(status, "targets"), 0), "message");
    const char *condition = text_at(cJSON_GetArrayItem(at(status, "conditions"), 0), "message");
    assert_true(strlen(told) > OBJECT_MESSAGE_SIZE - 5 && strlen(told) % 3 == 2);
    assert_true(strlen(condition) > OBJECT_MESSAGE_SIZE - 5 && strlen(condition) % 3 == 2);
}

static void a_status_of_others_is_taken_with_care(void **state)
{
    (void)state;
    static struct run run;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_buf_text(&text, "{\"startTime\":7,\"completionTime\":\"soon\",\"target\":[],"
                          "\"conditions\":[7,{\"type\":\"Ready\",\"status\":\"True\"},"
                          "{\"type\":\"Accepted\",\"status\":\"Frue\"}],\"targets\":[null,7");
    for (int i = 0; i < 2 * CHOOSE_TARGETS_MAX; i++) {
        sonde_buf_text(&text, ",{\"podName\":{},\"state\":\"Elsewhere\",\"pid\":\"seven\"}");
    }
    sonde_buf_text(&text, "]}");
    SONDE_JSON_AUTO *status = cJSON_Parse(text.data);
    assert_non_null(status);
    run = empty(0);
    assert_int_equal(object_take_status(&run.object, status, NULL), 0);
    assert_int_equal(run.object.started, 0);
    assert_int_equal(run.object.completed, 0);
    assert_int_equal(run.target_count, CHOOSE_TARGETS_MAX);
    assert_int_equal(run.targets[5].state, TARGET_PENDING);
    assert_string_equal(run.targets[5].pod, "");
    assert_int_equal(run.object.conditions[CONDITION_ACCEPTED].status, 'F');
    assert_int_equal(run.object.conditions[CONDITION_SUCCEEDED].status, 0);
    free(run.targets);
}

/* What the API server would say of a value: unknown fields are dropped there, others refused. */
static void meets(const cJSON *value, const struct sonde_node *schema)
{
    const struct sonde_node *properties = sonde_node_find(schema, "properties");
    const struct sonde_node *largest = sonde_node_find(schema, "maxLength");
    const struct sonde_node *most = sonde_node_find(schema, "maxItems");
    const struct sonde_node *required = sonde_node_find(schema, "required");
    const cJSON *item;
    assert_non_null(schema);
    if (cJSON_IsString(value)) {
        assert_true(largest == NULL || strlen(value->valuestring) <= (size_t)largest->integer);
        assert_true(sonde_str_equal(sonde_node_find(schema, "type")->text, SONDE_STR("string")));
    } else if (cJSON_IsNumber(value)) {
        assert_true(value->valuedouble >= sonde_node_find(schema, "minimum")->number);
        assert_true(value->valuedouble <= sonde_node_find(schema, "maximum")->number);
    } else if (cJSON_IsArray(value)) {
        assert_true(cJSON_GetArraySize(value) <= most->integer);
    }
    for (const struct sonde_node *one = required ? required->first : NULL; one; one = one->next) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%.*s", SONDE_STR_ARG(one->text));
        assert_non_null(at(value, name));
    }
    cJSON_ArrayForEach(item, value)
    {
        meets(item, cJSON_IsArray(value) ? sonde_node_find(schema, "items")
                                         : sonde_node_find(properties, item->string));
    }
}

static void the_largest_status_meets_the_schema(void **state)
{
    (void)state;
    static struct run run;
    static const char *const members[] = {"schema", "openAPIV3Schema", "properties", "status"};
    struct sonde_documents documents;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_YAML_BYTES_MAX);
    assert_int_equal(
        sonde_read_file(AT_FDCWD, "manifests/crds/sonde.dev_profileruns.yaml", &text, NULL), 0);
    assert_int_equal(sonde_yaml_parse("crd", sonde_buf_view(&text), &documents, NULL), 0);
    const struct sonde_node *schema =
        sonde_node_find(sonde_node_find(documents.items[0], "spec"), "versions")->first;
    for (size_t i = 0; i < SONDE_LENGTH(members); i++) {
        schema = sonde_node_find(schema, members[i]);
    }
    make(&run);
    run.object.completed = BEGIN_NS;
    memset(run.object.requester, 'r', sizeof(run.object.requester) - 1);
    for (run.target_count = 0; run.target_count < CHOOSE_TARGETS_MAX; run.target_count++) {
        struct target *target = &run.targets[run.target_count];
        *target =
            (struct target){.state = TARGET_FAILED, .pid = 7, .inspector_ms = INT64_C(1) << 52};
        memset(target->pod, 'p', sizeof(target->pod) - 1);
        memset(target->container, 'c', sizeof(target->container) - 1);
        memset(target->reason, 'R', sizeof(target->reason) - 1);
        memset(target->message, 'm', sizeof(target->message) - 1);
    }
    for (int type = 0; type < OBJECT_CONDITIONS; type++) {
        object_set_condition(&run.object, (size_t)type, 'F', "Internal", run.targets[0].message);
    }
    run.object.results = cJSON_Parse("{\"summary\":{\"top\":\"f\",\"findings\":3,\"bytes\":9},"
                                     "\"artifacts\":[{\"id\":\"a\",\"capture\":\"cpu\",\"target\":"
                                     "\"p\",\"mediaType\":\"m\",\"sha256\":\"s\",\"bytes\":9}]}");
    SONDE_JSON_AUTO *status = object_status(&run.object);
    meets(status, schema);
    cJSON_Delete(run.object.results);
    sonde_documents_fini(&documents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_over_stays_so_and_the_rest_begins_again),
        cmocka_unit_test(an_empty_run_says_little),
        cmocka_unit_test(conditions_change_their_time_with_their_status),
        cmocka_unit_test(results_are_linked_up_to_a_bound),
        cmocka_unit_test(a_message_that_was_cut_stays_text),
        cmocka_unit_test(a_status_of_others_is_taken_with_care),
        cmocka_unit_test(the_largest_status_meets_the_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
