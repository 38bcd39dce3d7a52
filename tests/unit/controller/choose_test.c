/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods a run takes, and when it leaves them alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "codec/json.h"
#include "controller/choose.h"
#include "spec/reason.h"

enum { PODS = 6 };

static struct pod pods[PODS];
static struct sonde_kube_object objects[PODS];
static struct candidate candidates[PODS];
static const char *const keys[PODS] = {"n/a", "n/b", "n/c", "n/d", "n/e", "n/f"};

/* Nodes are the letters of `nodes`. */
static void make(const char *nodes)
{
    static const char *const names[] = {"1", "2", "3"};
    for (size_t i = 0; i < PODS; i++) {
        pods[i] = (struct pod){.node = names[nodes[i] - '1'],
                               .owner_kind = "ReplicaSet",
                               .owner_name = "web-5d",
                               .labels = "pod-template-hash\0"
                                         "5d\0",
                               .running = true,
                               .ready = true};
        objects[i].key = keys[i];
        objects[i].name = keys[i] + 2;
        candidates[i] = (struct candidate){&objects[i], &pods[i]};
    }
}

/* The letters of those that are taken. */
static void takes(const struct sonde_pod_selection *selection, const char *expected)
{
    size_t chosen[CHOOSE_TARGETS_MAX];
    char letters[PODS + 1] = "";
    size_t left_out = 1;
    size_t count = choose_pods(candidates, PODS, selection, chosen, &left_out);
    assert_int_equal(left_out, 0);
    for (size_t i = 0; i < count; i++) {
        letters[i] = objects[chosen[i]].name[0];
        letters[i + 1] = '\0';
    }
    assert_string_equal(letters, expected);
}

static void policies_say_how_many(void **state)
{
    (void)state;
    make("111111");
    static const struct {
        struct sonde_pod_selection selection;
        const char *expected;
    } cases[] = {
        {{.policy = SONDE_PODS_ONE}, "a"},
        {{.policy = SONDE_PODS_COUNT, .count = 3}, "abc"},
        {{.policy = SONDE_PODS_COUNT, .count = 50}, "abcdef"},
        {{.policy = SONDE_PODS_PERCENT, .percent = 1}, "a"},
        {{.policy = SONDE_PODS_PERCENT, .percent = 50}, "abc"},
        {{.policy = SONDE_PODS_PERCENT, .percent = 51}, "abcd"},
        {{.policy = SONDE_PODS_ALL}, "abcdef"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        takes(&cases[i].selection, cases[i].expected);
    }
}

static void what_is_too_many_is_said(void **state)
{
    (void)state;
    enum { MANY = CHOOSE_TARGETS_MAX + 10 };
    static struct candidate many[MANY];
    static const struct {
        struct sonde_pod_selection selection;
        size_t count, left_out;
    } cases[] = {
        {{.policy = SONDE_PODS_ALL}, CHOOSE_TARGETS_MAX, 10},
        {{.policy = SONDE_PODS_PERCENT, .percent = 90}, CHOOSE_TARGETS_MAX, 4},
        {{.policy = SONDE_PODS_PERCENT, .percent = 50}, 30, 0},
        {{.policy = SONDE_PODS_COUNT, .count = CHOOSE_TARGETS_MAX}, CHOOSE_TARGETS_MAX, 0},
    };
    make("111111");
    for (size_t i = 0; i < MANY; i++) {
        many[i] = candidates[i % PODS];
    }
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        size_t chosen[CHOOSE_TARGETS_MAX];
        size_t left_out = 0;
        assert_int_equal(choose_pods(many, MANY, &cases[i].selection, chosen, &left_out),
                         cases[i].count);
        assert_int_equal(left_out, cases[i].left_out);
    }
}

static void nodes_are_taken_in_turn(void **state)
{
    (void)state;
    make("112233");
    struct sonde_pod_selection spread = {
        .policy = SONDE_PODS_COUNT, .count = 4, .spread = SONDE_SPREAD_NODE};
    struct sonde_pod_selection any = {
        .policy = SONDE_PODS_COUNT, .count = 4, .spread = SONDE_SPREAD_NONE};
    takes(&spread, "aceb");
    takes(&any, "abcd");
}

static void pods_that_cannot_be_taken_are_not(void **state)
{
    (void)state;
    make("111111");
    const struct sonde_pod_selection all = {.policy = SONDE_PODS_ALL};
    pods[0].ready = false;
    pods[1].running = false;
    pods[2].leaving = true;
    takes(&all, "def");
    pods[3].sidecar_count = 2;
    pods[4].sidecar_count = 1;
    takes(&all, "fed"); /* those that had fewer sidecars first */
}

static void gates_close(void **state)
{
    (void)state;
    struct sonde_profile_safety safety = {.min_ready_replicas = 2, .skip_if_rolling_out = true};
    struct sonde_err err;
    make("111111");
    assert_int_equal(choose_check("Deployment/web", candidates, PODS, false, &safety, &err), 0);
    assert_int_equal(choose_check("Deployment/web", candidates, 0, false, &safety, &err),
                     SONDE_ENOTFOUND);
    assert_string_equal(err.reason, SONDE_REASON_TARGET_NOT_FOUND);
    assert_int_equal(choose_check("Deployment/web", candidates, PODS, true, &safety, &err),
                     SONDE_EBUSY);
    assert_string_equal(err.reason, SONDE_REASON_ROLLOUT_IN_PROGRESS);
    assert_int_equal(choose_check("Deployment/web", candidates, 1, false, &safety, &err),
                     SONDE_EBUSY);
    assert_string_equal(err.reason, SONDE_REASON_TOO_FEW_READY);
    safety = (struct sonde_profile_safety){.min_ready_replicas = 0};
    assert_int_equal(choose_check("Deployment/web", candidates, 1, true, &safety, &err), 0);
    pods[0].ready = false;
    assert_int_equal(choose_check("Deployment/web", candidates, 1, true, &safety, &err),
                     SONDE_EBUSY);
}

static void pods_belong_to_their_workload(void **state)
{
    (void)state;
    make("111111");
    const struct {
        const char *owner_kind, *owner_name;
        struct sonde_workload_ref workload;
        bool belongs;
    } cases[] = {
        {"ReplicaSet", "web-5d", {SONDE_WORKLOAD_DEPLOYMENT, "web"}, true},
        {"ReplicaSet", "web-5d", {SONDE_WORKLOAD_DEPLOYMENT, "we"}, false},
        {"ReplicaSet", "web-blue-5d", {SONDE_WORKLOAD_DEPLOYMENT, "web"}, false},
        {"ReplicaSet", "web-5d", {SONDE_WORKLOAD_REPLICA_SET, "web-5d"}, true},
        {"StatefulSet", "web", {SONDE_WORKLOAD_STATEFUL_SET, "web"}, true},
        {"StatefulSet", "web", {SONDE_WORKLOAD_DAEMON_SET, "web"}, false},
        {"", "", {SONDE_WORKLOAD_JOB, ""}, false},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        pods[0].owner_kind = cases[i].owner_kind;
        pods[0].owner_name = cases[i].owner_name;
        assert_int_equal(choose_belongs(&pods[0], &cases[i].workload), cases[i].belongs);
    }
}

static void a_rollout_is_seen(void **state)
{
    (void)state;
    static const struct {
        int kind;
        const char *object;
        bool rolling;
    } cases[] = {
        {SONDE_WORKLOAD_DEPLOYMENT,
         "{\"metadata\":{\"generation\":2},\"spec\":{\"replicas\":3},\"status\":{"
         "\"observedGeneration\":2,\"replicas\":3,\"updatedReplicas\":3,"
         "\"availableReplicas\":3}}",
         false},
        {SONDE_WORKLOAD_DEPLOYMENT,
         "{\"spec\":{\"replicas\":3},\"status\":{\"replicas\":3,\"updatedReplicas\":3,"
         "\"availableReplicas\":2}}",
         true},
        {SONDE_WORKLOAD_DEPLOYMENT,
         "{\"spec\":{\"replicas\":3},\"status\":{\"replicas\":3,\"updatedReplicas\":3,"
         "\"availableReplicas\":2,\"conditions\":[{\"type\":\"Available\"},{\"type\":"
         "\"Progressing\",\"reason\":\"ReplicaSetUpdated\"}]}}",
         true},
        {SONDE_WORKLOAD_DEPLOYMENT,
         "{\"spec\":{\"replicas\":3},\"status\":{\"replicas\":3,\"updatedReplicas\":3,"
         "\"availableReplicas\":2,\"conditions\":[{\"type\":\"Available\"},{\"type\":"
         "\"Progressing\",\"reason\":\"NewReplicaSetAvailable\"}]}}",
         false},
        {SONDE_WORKLOAD_DEPLOYMENT,
         "{\"metadata\":{\"generation\":3},\"spec\":{\"replicas\":3},\"status\":{"
         "\"observedGeneration\":2,\"replicas\":3,\"updatedReplicas\":3}}",
         true},
        {SONDE_WORKLOAD_DEPLOYMENT,
         "{\"metadata\":{\"generation\":2},\"spec\":{\"replicas\":3},\"status\":{"
         "\"observedGeneration\":2,\"replicas\":4,\"updatedReplicas\":3}}",
         true},
        {SONDE_WORKLOAD_DEPLOYMENT,
         "{\"spec\":{\"replicas\":3},\"status\":{\"replicas\":3,\"updatedReplicas\":2}}", true},
        {SONDE_WORKLOAD_STATEFUL_SET,
         "{\"status\":{\"currentRevision\":\"a\",\"updateRevision\":\"b\"}}", true},
        {SONDE_WORKLOAD_STATEFUL_SET,
         "{\"status\":{\"currentRevision\":\"a\",\"updateRevision\":\"a\"}}", false},
        {SONDE_WORKLOAD_STATEFUL_SET,
         "{\"spec\":{\"updateStrategy\":{\"type\":\"OnDelete\"}},\"status\":{"
         "\"currentRevision\":\"a\",\"updateRevision\":\"b\"}}",
         false},
        {SONDE_WORKLOAD_STATEFUL_SET,
         "{\"metadata\":{\"generation\":2},\"spec\":{\"updateStrategy\":{\"type\":\"OnDelete\"}},"
         "\"status\":{\"observedGeneration\":1}}",
         true},
        {SONDE_WORKLOAD_STATEFUL_SET,
         "{\"spec\":{\"replicas\":5,\"updateStrategy\":{\"type\":\"RollingUpdate\","
         "\"rollingUpdate\":{\"partition\":3}}},\"status\":{\"updatedReplicas\":1,"
         "\"currentRevision\":\"a\",\"updateRevision\":\"b\"}}",
         true},
        {SONDE_WORKLOAD_STATEFUL_SET,
         "{\"spec\":{\"replicas\":5,\"updateStrategy\":{\"type\":\"RollingUpdate\","
         "\"rollingUpdate\":{\"partition\":3}}},\"status\":{\"updatedReplicas\":2,"
         "\"currentRevision\":\"a\",\"updateRevision\":\"b\"}}",
         false},
        {SONDE_WORKLOAD_DAEMON_SET,
         "{\"status\":{\"desiredNumberScheduled\":3,\"updatedNumberScheduled\":3,"
         "\"numberAvailable\":3}}",
         false},
        {SONDE_WORKLOAD_DAEMON_SET,
         "{\"status\":{\"desiredNumberScheduled\":3,\"updatedNumberScheduled\":3,"
         "\"numberAvailable\":2}}",
         true},
        {SONDE_WORKLOAD_DAEMON_SET,
         "{\"spec\":{\"updateStrategy\":{\"type\":\"OnDelete\"}},\"status\":{"
         "\"desiredNumberScheduled\":3,\"updatedNumberScheduled\":2}}",
         false},
        {SONDE_WORKLOAD_DAEMON_SET,
         "{\"status\":{\"desiredNumberScheduled\":3,\"updatedNumberScheduled\":2}}", true},
        {SONDE_WORKLOAD_JOB, "{}", false},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        SONDE_JSON_AUTO *object = cJSON_Parse(cases[i].object);
        assert_non_null(object);
        assert_int_equal(choose_rolling_out(object, cases[i].kind), cases[i].rolling);
    }
}

static void pods_rest_after_a_run(void **state)
{
    (void)state;
    static const struct pod_sidecar ended[] = {{.finished_ns = 100 * SONDE_SECOND},
                                               {.finished_ns = 0}}; /* under way */
    const int64_t now = 160 * SONDE_SECOND;
    make("111111");
    pods[1].sidecars = pods[4].sidecars = ended;
    pods[1].sidecar_count = pods[4].sidecar_count = SONDE_LENGTH(ended);
    assert_int_equal(choose_rested(candidates, PODS, 60, now), PODS); /* just long enough */
    assert_int_equal(choose_rested(candidates, PODS, 0, now), PODS);
    assert_int_equal(choose_rested(candidates, PODS, 61, now), PODS - 2);
    for (size_t i = 0; i < PODS - 2; i++) {
        assert_int_equal(candidates[i].object->name[0], "acdf"[i]);
    }
    assert_int_equal(choose_rested(candidates, 0, 61, now), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_say_how_many),
        cmocka_unit_test(what_is_too_many_is_said),
        cmocka_unit_test(nodes_are_taken_in_turn),
        cmocka_unit_test(pods_that_cannot_be_taken_are_not),
        cmocka_unit_test(gates_close),
        cmocka_unit_test(pods_rest_after_a_run),
        cmocka_unit_test(pods_belong_to_their_workload),
        cmocka_unit_test(a_rollout_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
