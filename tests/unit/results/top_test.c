/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "results/top.h"

static void offer(struct sonde_results_top *top, int severity, struct sonde_str text)
{
    SONDE_BUF_AUTO buf = SONDE_BUF(1 << 16);
    sonde_buf_str(&buf, text);
    assert_int_equal(sonde_results_top_offer(top, severity, &buf, NULL), 0);
}

static struct sonde_finding stall(int severity, double stalled)
{
    return (struct sonde_finding){
        .tool = "event-loop",
        .kind = "loop-stall",
        .severity = severity,
        .evidence = {{"stalls", 3, "count"}, {"stalled", stalled, "ms"}},
        .evidence_count = 2,
        .function = SONDE_STR("loadVisits"),
        .file = SONDE_STR("file:///app/routes/visits.ts"),
        .line = 41,
    };
}

static void the_most_severe_one_is_said(void **state)
{
    (void)state;
    struct sonde_results_top top = SONDE_RESULTS_TOP;
    struct sonde_finding finding = stall(65, 1210);
    offer(&top, 40, SONDE_STR("38% render render.js:7"));
    assert_string_equal(top.text, "38% render render.js:7");
    assert_int_equal(sonde_results_top_offer_finding(&top, &finding, NULL), 0);
    assert_string_equal(top.text, "1.2 s stalled loadVisits visits.ts:41");
    /* Less severe, and equally so. */
    offer(&top, 64, SONDE_STR("less"));
    finding = stall(65, 300);
    assert_int_equal(sonde_results_top_offer_finding(&top, &finding, NULL), 0);
    assert_string_equal(top.text, "1.2 s stalled loadVisits visits.ts:41");
    finding = stall(66, 300);
    assert_int_equal(sonde_results_top_offer_finding(&top, &finding, NULL), 0);
    assert_string_equal(top.text, "300 ms stalled loadVisits visits.ts:41");
    assert_int_equal(top.severity, 66);
}

static void what_has_no_place_is_said_too(void **state)
{
    (void)state;
    struct sonde_results_top top = SONDE_RESULTS_TOP;
    const struct sonde_finding saturated = {.kind = "loop-saturated",
                                            .severity = 60,
                                            .evidence = {{"utilization", 0.974, "share"}},
                                            .evidence_count = 1};
    const struct sonde_finding healthy = {.kind = "loop-healthy"};
    assert_int_equal(sonde_results_top_offer_finding(&top, &saturated, NULL), 0);
    assert_string_equal(top.text, "97% of the time the event loop was busy");
    /* Nothing was found: nothing is said. */
    top = SONDE_RESULTS_TOP;
    assert_int_equal(sonde_results_top_offer_finding(&top, &healthy, NULL), 0);
    assert_string_equal(top.text, "");
}

static void a_long_line_is_cut_between_characters(void **state)
{
    (void)state;
    struct sonde_results_top top = SONDE_RESULTS_TOP;
    char name[2 * SONDE_RESULTS_TOP_MAX + 2] = "x";
    for (size_t i = 1; i + 1 < sizeof(name); i += 2) {
        name[i] = (char)0xc3;
        name[i + 1] = (char)0xa4;
    }
    offer(&top, 1, sonde_str(name));
    assert_int_equal(strlen(top.text), SONDE_RESULTS_TOP_MAX - 1);
    assert_true(sonde_utf8_valid(sonde_str(top.text)));
    offer(&top, 2, sonde_str(name + 1));
    assert_int_equal(strlen(top.text), SONDE_RESULTS_TOP_MAX - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_severe_one_is_said),
        cmocka_unit_test(what_has_no_place_is_said_too),
        cmocka_unit_test(a_long_line_is_cut_between_characters),
    };
    return cmocka_run_group_tests_name("top", tests, NULL, NULL);
}
