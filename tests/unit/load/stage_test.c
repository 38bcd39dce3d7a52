/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/stage.h"

static void a_rate_is_held_or_gone_to(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds, rate;
        bool ramp;
    } cases[] = {
        {"30s:500", 30, 500, false},
        {"2m:1:ramp", 120, 1, true},
        {"1s:0", 1, 0, false},
        {"24h:10000000:ramp", 86400, 10000000, true},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_stage stage;
        assert_int_equal(sonde_load_stage_parse(sonde_str(cases[i].text), &stage, NULL), 0);
        assert_int_equal(stage.duration_seconds, cases[i].seconds);
        assert_int_equal(stage.rate, cases[i].rate);
        assert_int_equal(stage.ramp, cases[i].ramp);
    }
}

static void what_is_no_stage_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *lacks;
    } cases[] = {
        {"", "length"},       {"30s", "rate"},          {":500", "length"},
        {"0s:500", "length"}, {"1500ms:500", "length"}, {"25h:500", "length"},
        {"30s:", "rate"},     {"30s:-1", "rate"},       {"30s:10000001", "rate"},
        {"30s:5.5", "rate"},  {"30s:500:up", "rate"},   {"30s:500:ramp:", "rate"},
        {"30s:500 ", "rate"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_stage stage;
        struct sonde_err err;
        assert_int_equal(sonde_load_stage_parse(sonde_str(cases[i].text), &stage, &err),
                         SONDE_EINVALID);
        assert_non_null(strstr(err.message, cases[i].lacks));
        assert_non_null(strstr(err.message, "such as 30s:500"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_held_or_gone_to),
        cmocka_unit_test(what_is_no_stage_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
