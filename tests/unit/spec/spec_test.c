/* SPDX-License-Identifier: Apache-2.0 */
/* Documents that are right: what becomes of them. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "spec/spec.h"

enum { TEXT_MAX = 1 << 20 };

static void parse(struct sonde_str text, struct sonde_spec_documents *ret)
{
    struct sonde_err err = {0};
    if (sonde_spec_parse("test.yaml", text, ret, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(ret->problem_total, 0);
}

/* Printed as JSON and read again, a document is the same. */
static void check_round_trip(const struct sonde_spec_document *document)
{
    SONDE_BUF_AUTO first = SONDE_BUF(TEXT_MAX);
    SONDE_BUF_AUTO second = SONDE_BUF(TEXT_MAX);
    sonde_spec_print_json(document, &first);
    assert_int_equal(first.code, 0);
    struct sonde_spec_documents again;
    parse(sonde_buf_view(&first), &again);
    assert_int_equal(again.count, 1);
    assert_ptr_equal(again.items[0].kind, document->kind);
    sonde_spec_print_json(&again.items[0], &second);
    assert_string_equal(first.data, second.data);
    sonde_spec_documents_fini(&again);
}

static void a_short_run_has_safe_defaults(void **state)
{
    (void)state;
    struct sonde_spec_documents documents;
    parse(SONDE_STR("\n"
                    "apiVersion: sonde.dev/v1alpha1\n"
                    "kind: ProfileRun\n"
                    "metadata: {name: slow}\n"
                    "spec:\n"
                    "  target: {workloadRef: {name: patients}}\n"
                    "  captures:\n"
                    "  - {name: cpu, type: CPUProfile}\n"
                    "  - {name: heap, type: HeapSnapshot}\n"
                    "  - {name: loop, type: EventLoop, durationSeconds: 5}\n"),
          &documents);
    assert_int_equal(documents.count, 1);
    const struct sonde_spec_document *document = &documents.items[0];
    assert_ptr_equal(document->kind, &sonde_kind_profile_run);
    assert_int_equal(document->line, 2);
    assert_string_equal(document->metadata.name, "slow");
    assert_string_equal(document->metadata.namespace, "default");

    const struct sonde_profile_run *run = document->profile_run;
    assert_int_equal(run->target->workload_ref->kind, SONDE_WORKLOAD_DEPLOYMENT);
    assert_string_equal(run->target->workload_ref->name, "patients");
    assert_null(run->target->pod_name);
    assert_null(run->target->selector);
    assert_null(run->target->process);
    assert_int_equal(run->target->worker_threads, SONDE_WORKERS_MAIN_ONLY);
    assert_int_equal(run->target->child_processes, SONDE_CHILDREN_IGNORE);
    assert_int_equal(run->pod_selection->policy, SONDE_PODS_ONE);
    assert_true(run->pod_selection->count == SONDE_SPEC_ABSENT);
    assert_int_equal(run->pod_selection->max_concurrent, 1);

    assert_int_equal(run->captures.count, 3);
    const struct sonde_capture *cpu = &run->captures.items[0];
    assert_int_equal(cpu->type, SONDE_CAPTURE_CPU_PROFILE);
    assert_int_equal(cpu->duration_seconds, 30);
    assert_int_equal(cpu->sampling_interval_us, 1000);
    assert_int_equal(cpu->window_seconds, 5);
    assert_int_equal(cpu->redaction, SONDE_SPEC_NO_CHOICE);
    const struct sonde_capture *heap = &run->captures.items[1];
    assert_int_equal(heap->redaction, SONDE_REDACTION_STRINGS);
    assert_false(heap->expose_numeric_values);
    assert_true(heap->duration_seconds == SONDE_SPEC_ABSENT);
    const struct sonde_capture *loop = &run->captures.items[2];
    assert_int_equal(loop->duration_seconds, 5);
    assert_int_equal(loop->stall_threshold_ms, 50);

    assert_true(run->attach->run_as_user == SONDE_SPEC_ABSENT);
    assert_true(run->safety->skip_if_rolling_out);
    assert_int_equal(run->safety->min_ready_replicas, 1);
    assert_int_equal(run->active_deadline_seconds, 600);
    assert_int_equal(run->ttl_seconds_after_finished, 604800);
    assert_false(run->cancel);
    check_round_trip(document);
    sonde_spec_documents_fini(&documents);
}

static void the_deadline_grows_with_the_captures(void **state)
{
    (void)state;
    struct sonde_spec_documents documents;
    SONDE_BUF_AUTO text = SONDE_BUF(TEXT_MAX);
    sonde_buf_text(&text, "apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: a}\n"
                          "spec:\n  target: {podName: p}\n  captures:\n");
    for (int i = 0; i < 16; i++) {
        sonde_buf_printf(&text, "  - {name: c%d, type: Coverage, durationSeconds: 3600}\n", i);
        parse(sonde_buf_view(&text), &documents);
        int64_t twice = 7200 * ((int64_t)i + 1);
        assert_int_equal(documents.items[0].profile_run->active_deadline_seconds,
                         twice < 86400 ? twice : 86400);
        sonde_spec_documents_fini(&documents);
    }
}

static void json_is_canonical(void **state)
{
    (void)state;
    struct sonde_spec_documents documents;
    parse(SONDE_STR("{\"kind\":\"ProfileRun\",\"apiVersion\":\"sonde.dev/v1alpha1\",\"spec\":{"
                    "\"captures\":[{\"type\":\"Report\",\"name\":\"r\"}],\"target\":{\"podName\":"
                    "\"p\"},\"cancel\":true},\"metadata\":{\"name\":\"a\",\"annotations\":{\"b\":"
                    "\"\\\"c\\\"\"},\"labels\":{\"x.io/a\":\"\"}}}"),
          &documents);
    SONDE_BUF_AUTO json = SONDE_BUF(TEXT_MAX);
    sonde_spec_print_json(&documents.items[0], &json);
    assert_string_equal(
        json.data,
        "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"ProfileRun\",\"metadata\":{\"name\":"
        "\"a\",\"namespace\":\"default\",\"labels\":{\"x.io/a\":\"\"},\"annotations\":{\"b\":"
        "\"\\\"c\\\"\"}},\"spec\":{\"target\":{\"podName\":\"p\",\"workerThreads\":\"MainOnly\","
        "\"childProcesses\":\"Ignore\"},\"podSelection\":{\"policy\":\"One\",\"maxConcurrent\":1,"
        "\"spread\":\"Node\"},\"captures\":[{\"name\":\"r\",\"type\":\"Report\"}],\"attach\":{},"
        "\"safety\":{\"minReadyReplicas\":1,\"skipIfRollingOut\":true,\"coolDownSeconds\":0,"
        "\"maxPauseSeconds\":10,\"heapHeadroomPercent\":150},\"maxBytes\":8589934592,"
        "\"activeDeadlineSeconds\":600,\"ttlSecondsAfterFinished\":604800,\"cancel\":true}}");
    check_round_trip(&documents.items[0]);
    sonde_spec_documents_fini(&documents);
}

static void a_load_test_is_understood(void **state)
{
    (void)state;
    struct sonde_spec_documents documents;
    parse(
        SONDE_STR(
            "apiVersion: sonde.dev/v1alpha1\n"
            "kind: LoadTest\n"
            "metadata: {name: a, namespace: clinic}\n"
            "spec:\n"
            "  target: {service: {name: patients, endpoints: Pods}}\n"
            "  scenario:\n"
            "    order: Sequence\n"
            "    headers: {accept: application/json}\n"
            "    headersFrom: [{name: authorization, secretKeyRef: {name: s, key: token}}]\n"
            "    data: {user: {configMapRef: {name: users, key: users.csv}, order: Sequential}}\n"
            "    requests:\n"
            "    - {name: login, method: POST, path: /login, body: '{\"u\":\"{{user}}\"}',\n"
            "       extract: [{name: token, pointer: /token}, {name: tag, header: etag}]}\n"
            "    - {name: read, path: '/r/{{id}}?t={{token}}', headers: {if-none-match: "
            "'{{tag}}'},\n"
            "       data: {id: {range: [1, 9]}}, expect: {status: 200, bodyContains: x}}\n"
            "  arrival: {stages: [{durationSeconds: 30, rate: 500, ramp: true}, {durationSeconds: "
            "60, rate: 500}]}\n"
            "  warmUpSeconds: 5\n"
            "  abortOnFail: [\"http_req_failed: rate<0.5\"]\n"
            "  runner: {resources: {limits: {cpu: 2, memory: 256Mi}}, tolerations: [{operator: "
            "Exists}]}\n"
            "  profile: {captures: [{name: cpu, type: CPUProfile}], delaySeconds: 0}\n"),
        &documents);
    const struct sonde_load_test *test = documents.items[0].load_test;
    assert_int_equal(test->target->service->port, 80);
    assert_int_equal(test->target->service->endpoints, SONDE_ENDPOINTS_PODS);
    assert_int_equal(test->scenario->order, SONDE_ORDER_SEQUENCE);
    assert_string_equal(test->scenario->headers.items[0].key, "accept");
    assert_string_equal(test->scenario->headers.items[0].value, "application/json");
    assert_string_equal(test->scenario->headers_from.items[0].secret_key_ref->key, "token");
    assert_string_equal(test->scenario->data.items[0].key, "user");
    assert_string_equal(test->scenario->data.items[0].from->key, "users.csv");
    assert_int_equal(test->scenario->data.items[0].order, SONDE_DATA_SEQUENTIAL);
    const struct sonde_request *login = &test->scenario->requests.items[0];
    assert_int_equal(login->method, SONDE_METHOD_POST);
    assert_string_equal(login->body, "{\"u\":\"{{user}}\"}");
    assert_int_equal(login->extract.count, 2);
    assert_string_equal(login->extract.items[1].header, "etag");
    const struct sonde_request *read = &test->scenario->requests.items[1];
    assert_int_equal(read->data.items[0].range.count, 2);
    assert_int_equal(read->data.items[0].range.items[1], 9);
    assert_int_equal(read->expect->status, 200);
    assert_int_equal(read->weight, 1);
    assert_int_equal(test->arrival->stages.count, 2);
    assert_true(test->arrival->stages.items[0].ramp);
    assert_true(test->arrival->rate == SONDE_SPEC_ABSENT);
    assert_null(test->search);
    assert_int_equal(test->active_deadline_seconds, 30 + 60 + 5 + 300 + 600);
    assert_string_equal(test->abort_on_fail.items[0], "http_req_failed: rate<0.5");
    assert_string_equal(test->runner->resources->limits->cpu, "2");
    assert_null(test->runner->resources->requests);
    assert_int_equal(test->runner->tolerations.items[0].comparison, SONDE_TOLERATE_EXISTS);
    assert_int_equal(test->runner->tolerations.items[0].effect, SONDE_SPEC_NO_CHOICE);
    assert_int_equal(test->profile->delay_seconds, 0);
    assert_int_equal(test->profile->pod_selection->policy, SONDE_PODS_ONE);
    assert_int_equal(test->safety->max_rate, 1000);
    check_round_trip(&documents.items[0]);
    sonde_spec_documents_fini(&documents);
}

static void a_deadline_covers_what_is_known_of_the_arrival(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        int64_t deadline;
    } cases[] = {
        {"arrival: {rate: 10, amount: 1000}\n  warmUpSeconds: 5", 5 + 101 + 300 + 600},
        {"arrival: {rate: 10, amount: 1000}\n  warmUpSeconds: 5\n  activeDeadlineSeconds: 107",
         107},
        {"arrival: {amount: 1000000000000}", 900}, /* a closed loop: nobody knows */
        {"arrival: {amount: 5}\n  runner: {startTimeoutSeconds: 3600}", 3600 + 600},
        {"arrival: {amount: 1000000000000}\n  activeDeadlineSeconds: 10", 10},
        {"arrival: {rate: 1, amount: 604700}", 604800},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        SONDE_BUF_AUTO text = SONDE_BUF(TEXT_MAX);
        sonde_buf_printf(&text,
                         "apiVersion: sonde.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: a}\n"
                         "spec:\n  target: {url: \"http://a\"}\n"
                         "  scenario: {requests: [{name: r}]}\n  %s\n",
                         cases[i].fields);
        assert_int_equal(text.code, 0);
        struct sonde_spec_documents documents;
        parse(sonde_buf_view(&text), &documents);
        assert_int_equal(documents.items[0].load_test->active_deadline_seconds, cases[i].deadline);
        sonde_spec_documents_fini(&documents);
    }
}

static void tolerations_are_those_of_a_pod(void **state)
{
    (void)state;
    struct sonde_spec_documents documents;
    parse(SONDE_STR("apiVersion: sonde.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: a}\n"
                    "spec:\n  target: {url: \"http://a\"}\n"
                    "  scenario: {requests: [{name: r}]}\n  arrival: {amount: 5}\n"
                    "  runner:\n    tolerations:\n"
                    "    - {key: load}\n"
                    "    - {key: load, value: only, effect: NoExecute, tolerationSeconds: 0}\n"
                    "    - {key: load, operator: Exists, value: \"\"}\n"
                    "    - {operator: Exists, effect: NoSchedule}\n"),
          &documents);
    const struct sonde_runner *runner = documents.items[0].load_test->runner;
    assert_int_equal(runner->tolerations.count, 4);
    assert_int_equal(runner->tolerations.items[0].comparison, SONDE_TOLERATE_EQUAL);
    assert_int_equal(runner->tolerations.items[1].toleration_seconds, 0);
    assert_null(runner->tolerations.items[3].key);
    check_round_trip(&documents.items[0]);
    sonde_spec_documents_fini(&documents);
}

static void schedules_hold_templates(void **state)
{
    (void)state;
    struct sonde_spec_documents documents;
    parse(SONDE_STR("apiVersion: sonde.dev/v1alpha1\n"
                    "kind: ProfileSchedule\n"
                    "metadata: {name: nightly}\n"
                    "spec:\n"
                    "  schedule: 30 2 * * mon-fri\n"
                    "  timeZone: Europe/London\n"
                    "  suspend: true\n"
                    "  baseline: {strategy: RollingMedian}\n"
                    "  runTemplate:\n"
                    "    metadata: {labels: {team: a}}\n"
                    "    spec: {target: {podName: p}, captures: [{name: c, type: CPUProfile}]}\n"
                    "---\n"
                    "apiVersion: sonde.dev/v1alpha1\n"
                    "kind: LoadTestSchedule\n"
                    "metadata: {name: nightly}\n"
                    "spec:\n"
                    "  schedule: \"@daily\"\n"
                    "  testTemplate:\n"
                    "    spec: {target: {url: \"http://a\"}, scenario: {requests: [{name: r}]},\n"
                    "           search: {maxRate: 1000}, thresholds: [\"http_reqs: count>1\"]}\n"),
          &documents);
    assert_int_equal(documents.count, 2);
    const struct sonde_profile_schedule *profile = documents.items[0].profile_schedule;
    assert_string_equal(profile->common.schedule, "30 2 * * mon-fri");
    assert_string_equal(profile->common.time_zone, "Europe/London");
    assert_true(profile->common.suspend);
    assert_int_equal(profile->common.concurrency_policy, SONDE_CONCURRENCY_FORBID);
    assert_int_equal(profile->common.starting_deadline_seconds, 3600);
    assert_int_equal(profile->common.baseline->runs, 7);
    assert_string_equal(profile->run_template->metadata->labels.items[0].value, "a");
    assert_int_equal(profile->run_template->spec->captures.items[0].duration_seconds, 30);
    const struct sonde_load_test_schedule *load = documents.items[1].load_test_schedule;
    assert_string_equal(load->common.time_zone, "UTC");
    assert_null(load->common.baseline);
    assert_int_equal(load->test_template->spec->search->start_rate, 10);
    assert_int_equal(load->test_template->spec->active_deadline_seconds, 40 * 30 + 300 + 600);
    check_round_trip(&documents.items[0]);
    check_round_trip(&documents.items[1]);
    sonde_spec_documents_fini(&documents);
}

/* As `kubectl get -o yaml` prints it. */
static void what_a_cluster_returns_is_read(void **state)
{
    (void)state;
    struct sonde_spec_documents documents;
    parse(SONDE_STR("apiVersion: v1\n"
                    "kind: List\n"
                    "metadata: {resourceVersion: \"\"}\n"
                    "items:\n"
                    "- apiVersion: sonde.dev/v1alpha1\n"
                    "  kind: ProfileRun\n"
                    "  metadata:\n"
                    "    creationTimestamp: \"2026-01-01T00:00:00Z\"\n"
                    "    generation: 1\n"
                    "    managedFields: [{manager: kubectl}]\n"
                    "    name: a\n"
                    "    namespace: clinic\n"
                    "    resourceVersion: \"1\"\n"
                    "    uid: 3f2a\n"
                    "  spec: {target: {podName: p}, captures: [{name: c, type: CPUProfile}], "
                    "attach: null}\n"
                    "  status: {pods: 1/1, anything: [1]}\n"
                    "- apiVersion: sonde.dev/v1alpha1\n"
                    "  kind: ProfileRun\n"
                    "  metadata: {name: a, namespace: other}\n"
                    "  spec: {target: {podName: p}, captures: [{name: c, type: CPUProfile}]}\n"),
          &documents);
    assert_int_equal(documents.count, 2);
    assert_string_equal(documents.items[0].metadata.namespace, "clinic");
    assert_non_null(documents.items[0].profile_run->attach);
    assert_int_equal(documents.items[1].line, 17);
    sonde_spec_documents_fini(&documents);
}

/* kubectl reads YAML with a parser that ends a text without quotes at ? inside of braces, which
 * libyaml does not. */
static void examples_are_quoted_for_kubectl(void **state)
{
    (void)state;
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    for (size_t i = 0; i < count; i++) {
        bool quoted = false;
        for (const char *c = kinds[i]->example; *c; c++) {
            quoted = *c == '"' ? !quoted : quoted;
            if (!quoted && strchr("?*&!%@`'", *c)) {
                fail_msg("%s: put what has this in double quotes: %.40s", kinds[i]->name, c);
            }
        }
        assert_false(quoted);
    }
}

static void examples_of_the_kinds_are_valid(void **state)
{
    (void)state;
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) {
        struct sonde_spec_documents documents;
        parse(sonde_str(kinds[i]->example), &documents);
        assert_int_equal(documents.count, 1);
        assert_ptr_equal(documents.items[0].kind, kinds[i]);
        check_round_trip(&documents.items[0]);
        sonde_spec_documents_fini(&documents);
    }
}

/* The text between the first "```yaml" and the next "```". */
static struct sonde_str yaml_block(const char *page)
{
    static const char fence[] = "\n```yaml\n";
    const char *start = strstr(page, fence);
    assert_non_null(start);
    start += sizeof(fence) - 1;
    const char *end = strstr(start, "\n```");
    assert_non_null(end);
    return (struct sonde_str){start, (size_t)(end - start)};
}

static void the_design_documents_are_valid(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO page = SONDE_BUF(TEXT_MAX);
    if (sonde_read_file(AT_FDCWD, "docs/design.md", &page, &err) < 0) {
        fail_msg("%s", err.message);
    }
    struct sonde_spec_documents documents;
    parse(yaml_block(page.data), &documents);
    assert_int_equal(documents.count, 2);
    for (size_t i = 0; i < documents.count; i++) {
        check_round_trip(&documents.items[i]);
    }
    const struct sonde_load_test *test = documents.items[1].load_test;
    assert_int_equal(test->thresholds.count, 3);
    assert_int_equal(test->arrival->distribution, SONDE_ARRIVAL_POISSON);
    sonde_spec_documents_fini(&documents);
}

static void the_first_load_test_is_valid(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO page = SONDE_BUF(TEXT_MAX);
    if (sonde_read_file(AT_FDCWD, "docs/load-cluster.md", &page, &err) < 0) {
        fail_msg("%s", err.message);
    }
    struct sonde_spec_documents documents;
    parse(yaml_block(page.data), &documents);
    assert_int_equal(documents.count, 1);
    assert_int_equal(documents.items[0].load_test->parallelism, 2);
    sonde_spec_documents_fini(&documents);
}

/* Of a LoadTest, or alone; and what is neither. */
static void a_scenario_can_stand_alone(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message; /* message NULL: it is read */
    } cases[] = {
        {"requests: [{name: a}]", NULL},
        {"apiVersion: sonde.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: x}\nspec:\n"
         "  target: {url: \"http://h\"}\n  arrival: {durationSeconds: 1}\n"
         "  scenario: {requests: [{name: a}]}\n",
         NULL},
        {"request: [{name: a}]",
         "s.yaml:1:1: scenario.request: there is no such field: did you mean requests?"},
        {"apiVersion: sonde.dev/v1alpha1\nkind: ProfileRun\nmetadata: {name: x}\nspec:\n"
         "  target: {pod: {name: p}}\n  captures: [{name: c, type: cpu}]\n",
         NULL},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_spec_documents documents;
        const struct sonde_scenario *scenario = NULL;
        struct sonde_err err = {0};
        int r = sonde_spec_parse_scenario("s.yaml", sonde_str(cases[i].text), &documents, &scenario,
                                          &err);
        if (i < 2) {
            assert_int_equal(r, 0);
            assert_int_equal(scenario->requests.count, 1);
            assert_string_equal(scenario->requests.items[0].name, "a");
        } else {
            assert_int_equal(r, SONDE_EINVALID);
        }
        if (cases[i].message) {
            assert_string_equal(err.message, cases[i].message);
        }
        sonde_spec_documents_fini(&documents);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scenario_can_stand_alone),
        cmocka_unit_test(a_short_run_has_safe_defaults),
        cmocka_unit_test(the_deadline_grows_with_the_captures),
        cmocka_unit_test(json_is_canonical),
        cmocka_unit_test(a_load_test_is_understood),
        cmocka_unit_test(a_deadline_covers_what_is_known_of_the_arrival),
        cmocka_unit_test(tolerations_are_those_of_a_pod),
        cmocka_unit_test(schedules_hold_templates),
        cmocka_unit_test(what_a_cluster_returns_is_read),
        cmocka_unit_test(examples_are_quoted_for_kubectl),
        cmocka_unit_test(examples_of_the_kinds_are_valid),
        cmocka_unit_test(the_design_documents_are_valid),
        cmocka_unit_test(the_first_load_test_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
