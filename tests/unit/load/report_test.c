/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "load/report.h"
#include "made.h"

static struct sonde_load_result result;

static void make(int64_t seconds)
{
    const struct made_options options = {
        .seconds = seconds, .rate = 100, .latency_us = 2000, .seed = 1};
    assert_int_equal(made_result(&options, &result, NULL), 0);
}

/* The lines of a text that begin like this; ret_last is the last one. */
static size_t count_lines(const struct sonde_buf *text, const char *begin,
                          struct sonde_str *ret_last)
{
    size_t count = 0;
    struct sonde_str rest = sonde_buf_view(text);
    *ret_last = SONDE_STR("");
    while (rest.length) {
        struct sonde_str line = sonde_str_split(&rest, '\n');
        if (sonde_str_starts(line, begin)) {
            *ret_last = line;
            count++;
        }
    }
    return count;
}

static void bars_grow_with_the_percentile(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    static const char *const rows[] = {"25 %", "50 %", "75 %", "90 %", "95 %", "99 %", "100 %"};
    size_t before = 0;
    make(12);
    assert_int_equal(sonde_load_report_text(&result, &text, NULL), 0);
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sonde_str line;
        size_t bars = 0;
        assert_int_equal(count_lines(&text, rows[i], &line), 1);
        for (size_t k = 0; k + 2 < line.length; k++) {
            bars += memcmp(line.data + k, "▇", 3) == 0;
        }
        assert_true(bars >= before && bars > 0);
        before = bars;
    }
    assert_int_equal(before, 41);
    struct sonde_str line;
    assert_int_equal(count_lines(&text, "99.9 %", &line), 0); /* of too few */
    sonde_load_result_fini(&result);
}

static void seconds_become_twelve_rows(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        size_t rows;
        const char *last;
    } cases[] = {{2, 2, "1 to 2 s"}, {12, 12, "11 to 12 s"}, {25, 9, "24 to 25 s"}};
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
        struct sonde_str rest;
        size_t rows = 0;
        make(cases[i].seconds);
        assert_int_equal(sonde_load_report_text(&result, &text, NULL), 0);
        const char *table = strstr(text.data, "\ntime ");
        assert_non_null(table);
        rest = sonde_str(table + 1);
        (void)sonde_str_split(&rest, '\n');
        struct sonde_str line = SONDE_STR("");
        while (rest.length && !sonde_str_starts(rest, "* of too few requests: ")) {
            line = sonde_str_split(&rest, '\n');
            assert_non_null(memmem(line.data, line.length, "ms*", 3)); /* 99 % of some hundred */
            rows++;
        }
        assert_true(rest.length > 0);
        assert_int_equal(rows, cases[i].rows);
        assert_true(sonde_str_starts(line, cases[i].last));
        sonde_load_result_fini(&result);
    }
}

static void percentiles_of_few_are_marked(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds; /* of a hundred requests each */
        bool marked;
    } cases[] = {{9, true}, {10, false}};
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
        struct sonde_str line;
        make(cases[i].seconds);
        assert_int_equal(sonde_load_report_text(&result, &text, NULL), 0);
        assert_int_equal(count_lines(&text, "search ", &line), 1);
        assert_int_equal(memchr(line.data, '*', line.length) != NULL, cases[i].marked);
        sonde_load_result_fini(&result);
    }
}

static void the_end_that_is_cut_short_has_no_row(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    struct sonde_load_tally end = {0};
    struct sonde_load_outcome outcome = {0};
    struct sonde_str line;
    make(3);
    assert_int_equal(sonde_load_tally_init(&end, NULL), 0);
    sonde_load_tally_unsent(&end, 0, SONDE_SECOND);
    assert_int_equal(
        sonde_load_result_add(&result, 3 * SONDE_SECOND + SONDE_MILLISECOND, &end, NULL), 0);
    assert_int_equal(sonde_load_result_end(&result, &(struct sonde_load_plan){0}, &outcome, NULL),
                     0);
    result.asked.url = "";
    assert_int_equal(sonde_load_report_text(&result, &text, NULL), 0);
    assert_int_equal(count_lines(&text, "3 to 3 s", &line), 0);
    assert_int_equal(count_lines(&text, "2 to 3 s", &line), 1);
    assert_true(sonde_str_ends(line, " 1")); /* not sent */
    sonde_load_tally_fini(&end);
    sonde_load_outcome_fini(&outcome);
    sonde_load_result_fini(&result);
}

static void nothing_has_neither(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    assert_int_equal(sonde_load_result_init(&result, NULL), 0);
    result.asked.url = "";
    assert_int_equal(sonde_load_report_text(&result, &text, NULL), 0);
    assert_null(strstr(text.data, "of all"));
    assert_null(strstr(text.data, "\ntime "));
    sonde_load_result_fini(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bars_grow_with_the_percentile),
        cmocka_unit_test(seconds_become_twelve_rows),
        cmocka_unit_test(percentiles_of_few_are_marked),
        cmocka_unit_test(the_end_that_is_cut_short_has_no_row),
        cmocka_unit_test(nothing_has_neither),
    };
    return cmocka_run_group_tests_name("load_report", tests, NULL, NULL);
}
