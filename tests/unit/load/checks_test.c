/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"
#include "load/checks.h"

#define HOSTILE "a<b>&\"|`@all\x1b[31m"

static void make(struct sonde_checks *checks)
{
    sonde_checks_init(checks);
    checks->name = "pull-7";
    checks->uid = "0f7b1d3e-8a52-4f6e-9c1d-2b3a4c5d6e7f";
    checks->target = "http://localhost:3000/";
    checks->seconds = 12.5;
    assert_int_equal(sonde_checks_add(checks, SONDE_CHECK_RUN, SONDE_CHECK_PASSED,
                                      "the run came to its end", NULL, "%s", ""),
                     0);
}

static void add(struct sonde_checks *checks, enum sonde_check_kind kind,
                enum sonde_check_state state, const char *message)
{
    assert_int_equal(sonde_checks_add(checks, kind, state, HOSTILE, NULL, "%s", message), 0);
}

static void the_worst_kind_is_the_verdict(void **state)
{
    (void)state;
    struct sonde_checks checks;
    make(&checks);
    assert_int_equal(sonde_checks_verdict(&checks), SONDE_CHECK_KINDS);
    add(&checks, SONDE_CHECK_THRESHOLD, SONDE_CHECK_SKIPPED, "");
    assert_int_equal(sonde_checks_verdict(&checks), SONDE_CHECK_KINDS);
    add(&checks, SONDE_CHECK_BUDGET, SONDE_CHECK_FAILED, "");
    assert_int_equal(sonde_checks_verdict(&checks), SONDE_CHECK_BUDGET);
    add(&checks, SONDE_CHECK_REGRESSION, SONDE_CHECK_FAILED, "");
    assert_int_equal(sonde_checks_verdict(&checks), SONDE_CHECK_REGRESSION);
    add(&checks, SONDE_CHECK_THRESHOLD, SONDE_CHECK_FAILED, "");
    assert_int_equal(sonde_checks_verdict(&checks), SONDE_CHECK_THRESHOLD);
    add(&checks, SONDE_CHECK_RUN, SONDE_CHECK_FAILED, "");
    assert_int_equal(sonde_checks_verdict(&checks), SONDE_CHECK_RUN);
    sonde_checks_fini(&checks);
}

static void all_formats_say_the_same(void **state)
{
    (void)state;
    struct sonde_checks checks;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO junit = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO markdown = SONDE_BUF(1 << 20);
    SONDE_JSON_AUTO *read = NULL;
    make(&checks);
    checks.report = "a report ```` with <fences>\n";
    add(&checks, SONDE_CHECK_BUDGET, SONDE_CHECK_FAILED, HOSTILE);
    add(&checks, SONDE_CHECK_REGRESSION, SONDE_CHECK_SKIPPED, "nothing to compare with");
    sonde_checks_text(&checks, &text);
    assert_string_equal(text.data, "failed  budget: a<b>&\"|`@all?[31m: a<b>&\"|`@all?[31m\n"
                                   "skipped baseline: a<b>&\"|`@all?[31m: nothing to compare with\n"
                                   "3 checks: 1 passed, 1 failed, 1 skipped\n");
    sonde_checks_json(&checks, &json);
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &read, NULL), 0);
    assert_string_equal(sonde_json_string_or(read, "verdict", ""), "BudgetExceeded");
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(read, "checks");
    assert_int_equal(cJSON_GetArraySize(items), 3);
    assert_string_equal(sonde_json_string_or(cJSON_GetArrayItem(items, 1), "message", ""), HOSTILE);
    sonde_checks_junit(&checks, &junit);
    assert_non_null(strstr(junit.data, "tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""));
    assert_non_null(strstr(junit.data, "<testcase classname=\"pull-7.budget\" "
                                       "name=\"a&lt;b&gt;&amp;&quot;|`@all?[31m\" time=\"12.500\">"
                                       "<failure type=\"BudgetExceeded\""));
    assert_null(strchr(junit.data, '\x1b'));
    sonde_checks_markdown(&checks, &markdown);
    assert_true(sonde_str_starts(sonde_buf_view(&markdown), "### ❌ pull\\-7: BudgetExceeded\n"));
    assert_non_null(
        strstr(markdown.data, "| ❌ | budget | a\\<b\\>\\&\"\\|\\`\\@<!-- -->all?\\[31m | "));
    assert_non_null(strstr(markdown.data, "\n`````\na report ```` with <fences>\n`````\n"));
    assert_true(strstr(markdown.data, "❌ | budget") < strstr(markdown.data, "⚪ | baseline"));
    assert_true(strstr(markdown.data, "⚪ | baseline") < strstr(markdown.data, "✅ | run"));
    sonde_checks_fini(&checks);
}

/* Many URLs may be loaded at once, and all of them are the target. */
static void a_long_target_is_told(void **state)
{
    (void)state;
    struct sonde_checks checks;
    char target[32 * 300];
    SONDE_BUF_AUTO markdown = SONDE_BUF(1 << 20);
    memset(target, 'x', sizeof(target));
    target[sizeof(target) - 1] = '\0';
    make(&checks);
    checks.target = target;
    sonde_checks_markdown(&checks, &markdown);
    assert_int_equal(markdown.code, 0);
    assert_non_null(strstr(markdown.data, target));
    sonde_checks_fini(&checks);
}

static void there_is_a_bound(void **state)
{
    (void)state;
    struct sonde_checks checks;
    struct sonde_err err = {0};
    make(&checks);
    while (checks.count < SONDE_CHECKS_MAX) {
        add(&checks, SONDE_CHECK_BUDGET, SONDE_CHECK_PASSED, "");
    }
    assert_int_equal(
        sonde_checks_add(&checks, SONDE_CHECK_BUDGET, SONDE_CHECK_PASSED, "more", &err, "%s", ""),
        SONDE_ELIMIT);
    assert_int_equal(sonde_checks_count(&checks, SONDE_CHECK_PASSED), SONDE_CHECKS_MAX);
    sonde_checks_fini(&checks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_kind_is_the_verdict),
        cmocka_unit_test(all_formats_say_the_same),
        cmocka_unit_test(a_long_target_is_told),
        cmocka_unit_test(there_is_a_bound),
    };
    return cmocka_run_group_tests_name("checks", tests, NULL, NULL);
}
