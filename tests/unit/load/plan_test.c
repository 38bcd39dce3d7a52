/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "load/plan.h"
#include "spec/spec.h"

#define HEAD                                                                                       \
    "apiVersion: sonde.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: a}\nspec:\n"                 \
    "  target: {url: 'http://localhost/'}\n  scenario: {requests: [{name: a, path: /}]}\n"

static const struct sonde_load_test *parse(const char *text, struct sonde_spec_documents *ret)
{
    struct sonde_err err;
    if (sonde_spec_parse("test", sonde_str(text), ret, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return ret->items[0].load_test;
}

static void what_a_document_says_is_planned(void **state)
{
    (void)state;
    struct sonde_spec_documents documents = {0};
    const struct sonde_load_test *test =
        parse(HEAD "  http: {version: HTTP2, timeoutMilliseconds: 250, pipelining: 16,"
                   " requestsPerConnection: 7}\n"
                   "  arrival: {distribution: Poisson, stages: [{durationSeconds: 5, rate: 100},"
                   " {durationSeconds: 20, rate: 400, ramp: true}]}\n"
                   "  connections: 20\n  maxConnections: 300\n  warmUpSeconds: 3\n"
                   "  safety: {maxRate: 50}\n",
              &documents);
    const struct sonde_load_plan plan = sonde_load_plan_of(test);
    assert_int_equal(plan.version, SONDE_HTTP_2);
    assert_int_equal(plan.timeout_ns, 250 * SONDE_MILLISECOND);
    assert_int_equal(plan.pipelining, 16);
    assert_int_equal(plan.requests_per_connection, 7);
    assert_int_equal(plan.connections, 20);
    assert_int_equal(plan.connections_max, 300);
    assert_int_equal(plan.warm_up_seconds, 3);
    assert_int_equal(plan.safety->max_rate, 50);
    assert_int_equal(plan.arrival.distribution, SONDE_ARRIVAL_POISSON);
    assert_int_equal(plan.arrival.stages.count, 2);
    assert_true(plan.arrival.rate == SONDE_SPEC_ABSENT);
    assert_int_equal(sonde_load_plan_seconds(&plan.arrival), 25);
    sonde_spec_documents_fini(&documents);
}

static void what_it_does_not_say_has_its_default(void **state)
{
    (void)state;
    struct sonde_spec_documents documents = {0};
    const struct sonde_load_test *test = parse(HEAD "  arrival: {amount: 10}\n", &documents);
    const struct sonde_load_plan plan = sonde_load_plan_of(test);
    assert_int_equal(plan.version, SONDE_HTTP_1_1);
    assert_int_equal(plan.timeout_ns, 10 * SONDE_SECOND);
    assert_int_equal(plan.pipelining, 1);
    assert_int_equal(plan.requests_per_connection, 0);
    assert_int_equal(plan.connections, 10);
    assert_int_equal(plan.connections_max, 1000);
    assert_int_equal(plan.warm_up_seconds, 0);
    assert_int_equal(plan.arrival.amount, 10);
    assert_int_equal(sonde_load_plan_seconds(&plan.arrival), 0);
    sonde_spec_documents_fini(&documents);
}

static void a_search_begins_with_its_first_trial(void **state)
{
    (void)state;
    struct sonde_spec_documents documents = {0};
    const struct sonde_load_test *test =
        parse(HEAD "  search: {startRate: 20, maxRate: 500, trialSeconds: 6}\n"
                   "  thresholds: ['http_req_failed: rate<0.01']\n",
              &documents);
    const struct sonde_load_plan plan = sonde_load_plan_of(test);
    assert_int_equal(plan.arrival.rate, 20);
    assert_int_equal(plan.arrival.duration_seconds, 6);
    assert_true(plan.arrival.amount == SONDE_SPEC_ABSENT);
    assert_int_equal(plan.arrival.stages.count, 0);
    sonde_spec_documents_fini(&documents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_document_says_is_planned),
        cmocka_unit_test(what_it_does_not_say_has_its_default),
        cmocka_unit_test(a_search_begins_with_its_first_trial),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
