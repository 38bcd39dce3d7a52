/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spec/budget.h"

static int parse(const char *text, struct sonde_spec_documents *documents,
                 const struct sonde_run_budget **ret, struct sonde_err *err)
{
    return sonde_spec_parse_budget("budget.yaml", sonde_str(text), documents, ret, err);
}

static void a_budget_is_read(void **state)
{
    (void)state;
    struct sonde_spec_documents documents;
    const struct sonde_run_budget *budget = NULL;
    assert_int_equal(parse("thresholds: ['http_req_duration: p(99)<250']\n"
                           "functions:\n"
                           "- {name: loadVisits, file: routes/patients.js, maxPercent: 20}\n"
                           "- {name: render, maxMillisecondsPerSecond: 0}\n"
                           "maxBusyPercent: 60\n",
                           &documents, &budget, NULL),
                     0);
    assert_int_equal(budget->thresholds.count, 1);
    assert_string_equal(budget->thresholds.items[0], "http_req_duration: p(99)<250");
    assert_int_equal(budget->functions.count, 2);
    const struct sonde_budget_function *functions = budget->functions.items;
    assert_string_equal(functions[0].name, "loadVisits");
    assert_string_equal(functions[0].file, "routes/patients.js");
    assert_int_equal(functions[0].percent, 20);
    assert_true(functions[0].milliseconds_second == SONDE_SPEC_ABSENT);
    assert_null(functions[1].file);
    assert_int_equal(functions[1].milliseconds_second, 0);
    assert_int_equal(budget->busy_percent, 60);
    assert_true(budget->allocated_kilobytes == SONDE_SPEC_ABSENT);
    sonde_spec_documents_fini(&documents);
}

static void what_is_wrong_is_said_with_line_and_field(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } table[] = {
        {"", "budget.yaml:1:1: a budget must be a map of fields"},
        {"[]", "budget.yaml:1:1: a budget must be a map of fields"},
        {"{}", "budget.yaml:1:1: a budget must be a map of fields"},
        {"maxBusyPercent: 1\n---\nmaxBusyPercent: 1\n",
         "budget.yaml:3:1: a budget is one document"},
        {"maxBusyPercent: 101", "budget.yaml:1:17: maxBusyPercent: must be between 0 and 100"},
        {"maxBusyPercents: 1",
         "budget.yaml:1:1: maxBusyPercents: there is no such field: did you mean maxBusyPercent?"},
        {"maxAllocatedKilobytes: -1", "maxAllocatedKilobytes: must be between"},
        {"thresholds:\n- 'p99<250'\n", "budget.yaml:2:3: thresholds[0]: "},
        {"thresholds: ['http_reqs: count>1', 'http_reqs: count>1']", "stands twice"},
        {"functions:\n- {maxPercent: 1}\n", "budget.yaml:2:3: functions[0].name: is required"},
        {"functions:\n- {name: a}\n",
         "budget.yaml:2:3: functions[0]: must have maxPercent or maxMillisecondsPerSecond"},
        {"functions: [{name: '', maxPercent: 1}]", "functions[0].name: must not be empty"},
        {"functions: [{name: a, maxPercent: 1.5}]", "maxPercent: must be a whole number"},
        {"functions: [{name: a, maxMillisecondsPerSecond: 1000001}]", "must be between 0 and"},
        {"functions: [a", "budget.yaml:"},
        {"thresholds: []\nfunctions: []\n", "budget.yaml:1:1: must have thresholds, functions, "},
        {"thresholds:\n# - 'http_reqs: count>1'\n", "must have thresholds, functions, "},
    };
    for (size_t i = 0; i < SONDE_LENGTH(table); i++) {
        struct sonde_spec_documents documents;
        const struct sonde_run_budget *budget = NULL;
        struct sonde_err err = {0};
        assert_int_equal(parse(table[i].text, &documents, &budget, &err), SONDE_EINVALID);
        if (!strstr(err.message, table[i].said)) {
            fail_msg("%s: %s", table[i].text, err.message);
        }
        assert_string_equal(err.reason, "InvalidSpec");
        sonde_spec_documents_fini(&documents);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_budget_is_read),
        cmocka_unit_test(what_is_wrong_is_said_with_line_and_field),
    };
    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
