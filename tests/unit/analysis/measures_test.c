/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/measures.h"

static const struct sonde_measures_side sides[] = {
    {"11111111-2222-4333-8444-555555555555", "monday", "eventloop"},
    {"21111111-2222-4333-8444-555555555555", "tues\x1b[2Jday", "eventloop"},
};

static void loops_are_compared_by_rates(void **state)
{
    (void)state;
    struct sonde_measures measures = {0};
    struct sonde_event_loop loop = {.milliseconds = 10000,
                                    .utilization = 0.25,
                                    .p99_ms = 12.5,
                                    .stalls_seen = 5,
                                    .stalled_ms = 1000};
    sonde_measures_of_loop(&measures, SONDE_BEFORE, &loop);
    loop.milliseconds = 20000; /* of twice the length */
    loop.p99_ms = 80;
    sonde_measures_of_loop(&measures, SONDE_AFTER, &loop);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_measures_text(&measures, sides, &text);
    assert_non_null(strstr(text.data, "before  11111111  monday  eventloop\n"));
    assert_null(strchr(text.data, '\x1b'));
    assert_non_null(strstr(
        text.data, "delay p99                           12.5 ms        80.0 ms       +67.5 ms\n"));
    assert_non_null(strstr(
        text.data, "stalls                               0.50/s         0.25/s        -0.25/s\n"));
    assert_non_null(strstr(
        text.data, "time in stalls                       10.0 %          5.0 %         -5.0 %\n"));
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 16);
    sonde_measures_json(&measures, sides, &json);
    assert_non_null(strstr(json.data, "{\"name\":\"delay p99\",\"unit\":\"milliseconds\","
                                      "\"before\":12.5,\"after\":80}"));
    assert_non_null(strstr(json.data, "\"name\":\"tues\\u001b[2Jday\""));
}

static void what_one_side_lacks_has_no_change(void **state)
{
    (void)state;
    struct sonde_measures measures = {0};
    struct sonde_diagnostics report = {.heap_used = 5e6, .resident_max = 80e6};
    report.handle_count = 1;
    (void)snprintf(report.handles[0].kind, sizeof(report.handles[0].kind), "tcp");
    report.handles[0].count = 3;
    sonde_measures_of_report(&measures, SONDE_BEFORE, &report);
    report.heap_used = 7e6;
    (void)snprintf(report.handles[0].kind, sizeof(report.handles[0].kind), "timer");
    sonde_measures_of_report(&measures, SONDE_AFTER, &report);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_measures_text(&measures, sides, &text);
    assert_non_null(strstr(
        text.data, "heap used                           5.00 MB        7.00 MB       +2.00 MB\n"));
    assert_non_null(
        strstr(text.data, "handles: tcp                              3              -\n"));
    assert_non_null(
        strstr(text.data, "handles: timer                            -              3\n"));
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 16);
    sonde_measures_json(&measures, sides, &json);
    assert_non_null(
        strstr(json.data, "{\"name\":\"handles: tcp\",\"unit\":\"count\",\"before\":3}"));
}

static void what_is_no_number_or_too_much_is_left_out(void **state)
{
    (void)state;
    struct sonde_measures measures = {0};
    sonde_measures_set(&measures, SONDE_AFTER, "none", SONDE_MEASURE_COUNT, (double)NAN);
    sonde_measures_set(&measures, SONDE_AFTER, "endless", SONDE_MEASURE_BYTES, (double)INFINITY);
    assert_int_equal(measures.count, 0);
    for (int i = 0; i < 2 * SONDE_MEASURES_MAX; i++) {
        char name[100];
        (void)snprintf(name, sizeof(name), "a name that is longer than a row has place for %d", i);
        sonde_measures_set(&measures, SONDE_AFTER, name, SONDE_MEASURE_COUNT, i);
        (void)snprintf(name, sizeof(name), "%d", i);
        sonde_measures_set(&measures, SONDE_AFTER, name, SONDE_MEASURE_BYTES, 1e300);
    }
    assert_int_equal(measures.count, SONDE_MEASURES_MAX);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_measures_text(&measures, sides, &text);
    for (const char *line = text.data; *line; line = strchr(line, '\n') + 1) {
        assert_true(strchr(line, '\n') - line <= 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_are_compared_by_rates),
        cmocka_unit_test(what_one_side_lacks_has_no_change),
        cmocka_unit_test(what_is_no_number_or_too_much_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
