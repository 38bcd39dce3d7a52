/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fail.h"
#include "load/checks.h"
#include "load/compare.h"
#include "load/export.h"
#include "load/regression_load.h"
#include "load/summary.h"
#include "made.h"

/* A test is gathered, kept, and read. */
static int gather_and_read(void *context)
{
    (void)context;
    const struct made_options options = {
        .seconds = 11, .rate = 20, .latency_us = 2000, .troubled = true, .seed = 1};
    struct sonde_load_result written;
    struct sonde_load_result read = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_RESULT_MAX);
    SONDE_BUF_AUTO printed = SONDE_BUF(1 << 20);
    int r = made_result(&options, &written, NULL);
    r = r < 0 ? r : sonde_load_result_write(&written, &text, NULL);
    r = r < 0 ? r : sonde_load_result_read(sonde_buf_view(&text), &read, NULL);
    if (r == 0) {
        assert_int_equal(read.tally.answered, written.tally.answered);
        assert_int_equal(read.intervals.count, 11);
        assert_int_equal(read.confidence.method, SONDE_LOAD_BOOTSTRAP);
        sonde_load_summary_text(&read, &printed);
        r = printed.code;
    }
    sonde_load_result_fini(&read);
    sonde_load_result_fini(&written);
    return r;
}

/* … and exported, as each of the formats. */
static int export_it(void *context)
{
    (void)context;
    static sonde_load_export *const all[] = {sonde_load_export_csv, sonde_load_export_hlog,
                                             sonde_load_export_junit, sonde_load_export_k6,
                                             sonde_load_export_prometheus};
    const struct made_options options = {
        .seconds = 2, .rate = 10, .latency_us = 2000, .troubled = true, .seed = 1};
    struct sonde_load_result result;
    int r = made_result(&options, &result, NULL);
    for (size_t i = 0; i < SONDE_LENGTH(all) && r == 0; i++) {
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
        r = all[i](&result, &text, NULL);
        assert_true(r < 0 || text.length > 0);
    }
    sonde_load_result_fini(&result);
    return r;
}

static int compare_it(void *context)
{
    (void)context;
    const struct made_options options = {.seconds = 11, .rate = 10, .latency_us = 2000, .seed = 1};
    struct sonde_load_result result;
    struct sonde_load_comparison comparison;
    const struct sonde_load_side side = {"1", "a", "load", &result};
    int r = made_result(&options, &result, NULL);
    r = r < 0 ? r : sonde_load_compare(&side, &side, &comparison, NULL);
    assert_true(r < 0 || comparison.rate.told);
    sonde_load_result_fini(&result);
    return r;
}

/* … and judged by one like it. */
static int judge_it(void *context)
{
    (void)context;
    const struct made_options options = {.seconds = 11, .rate = 10, .latency_us = 2000, .seed = 1};
    struct sonde_load_result result;
    struct sonde_regression regression = {.reference = 1, .with = "a"};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    int r = made_result(&options, &result, NULL);
    result.validity.valid = true;
    r = r < 0 ? r : sonde_regression_load_begin(&regression, &result, NULL);
    if (r == 0) {
        assert_true(sonde_regression_load_add(&regression, &result, &result));
        sonde_regression_judge(&regression);
        assert_true(regression.compared && !regression.worse);
        sonde_regression_text(&regression, &text);
        sonde_regression_json(&regression, &text);
        r = text.code;
    }
    sonde_regression_fini(&regression);
    sonde_load_result_fini(&result);
    return r;
}

/* … and said as checks. */
static int check_it(void *context)
{
    (void)context;
    struct sonde_checks checks;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_checks_init(&checks);
    checks.report = "a report\n";
    int r = sonde_checks_add(&checks, SONDE_CHECK_BUDGET, SONDE_CHECK_FAILED, "it", NULL, "%d", 1);
    if (r == 0) {
        sonde_checks_text(&checks, &text);
        sonde_checks_json(&checks, &text);
        sonde_checks_junit(&checks, &text);
        sonde_checks_markdown(&checks, &text);
        r = text.code;
    }
    sonde_checks_fini(&checks);
    return r;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fail_each_allocation(gather_and_read, NULL);
    fail_each_allocation(export_it, NULL);
    fail_each_allocation(compare_it, NULL);
    fail_each_allocation(judge_it, NULL);
    fail_each_allocation(check_it, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests_name("load_result_fault", tests, NULL, NULL);
}
