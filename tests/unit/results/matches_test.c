/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "results/matches.h"

static void assert_said(const struct sonde_results_matches *matches, const char *wanted, int code,
                        const char *message)
{
    struct sonde_err err = {0};
    assert_int_equal(sonde_results_matches_check(matches, "load test", wanted, &err), code);
    assert_string_equal(err.message, message);
}

static void one_alone_is_meant(void **state)
{
    (void)state;
    struct sonde_results_matches matches = {0};
    assert_said(&matches, NULL, SONDE_ENOTFOUND, "the run has no load test");
    assert_said(&matches, "b", SONDE_ENOTFOUND, "the run has no load test called b");
    assert_true(sonde_results_match(&matches, "a"));
    assert_said(&matches, NULL, 0, "");
    assert_false(sonde_results_match(&matches, "b"));
    assert_said(&matches, NULL, SONDE_EINVALID,
                "the run has 2 load tests: give --capture with one of a, b");
}

static void as_many_names_are_said_as_there_is_room_for(void **state)
{
    (void)state;
    struct sonde_results_matches matches = {0};
    char name[SONDE_RESULTS_NAMES_SIZE + 1];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_true(sonde_results_match(&matches, name));
    assert_false(sonde_results_match(&matches, name));
    assert_said(&matches, NULL, SONDE_EINVALID,
                "the run has 2 load tests: give --capture with one of them");
    for (int i = 0; i < SONDE_RESULTS_NAMES_SIZE; i++) {
        assert_false(sonde_results_match(&matches, "name"));
        assert_true(strlen(matches.names) < sizeof(matches.names));
    }
    assert_int_equal(matches.count, SONDE_RESULTS_NAMES_SIZE + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_alone_is_meant),
        cmocka_unit_test(as_many_names_are_said_as_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
