/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load/awake.h"

enum { LATE_NS = 40000, JITTER_NS = 5000, TIMES = 200 };

static void nothing_is_known_at_first(void **state)
{
    (void)state;
    const struct sonde_awake awake = {0};
    assert_int_equal(sonde_awake_early(&awake, 0), 0);
}

static void what_is_always_late_is_learnt(void **state)
{
    (void)state;
    struct sonde_awake awake = {0};
    for (int i = 0; i < TIMES; i++) {
        sonde_awake_learn(&awake, LATE_NS);
    }
    assert_in_range(sonde_awake_early(&awake, 0), LATE_NS - 100, LATE_NS + 100);
    for (int i = 0; i < TIMES; i++) {
        sonde_awake_learn(&awake, 0);
    }
    assert_in_range(sonde_awake_early(&awake, 0), 0, 100);
}

static void what_differs_is_waited_for_longer(void **state)
{
    (void)state;
    struct sonde_awake awake = {0};
    for (int i = 0; i < TIMES; i++) {
        sonde_awake_learn(&awake, i % 2 ? LATE_NS - JITTER_NS : LATE_NS + JITTER_NS);
    }
    assert_in_range(sonde_awake_early(&awake, 0), LATE_NS + JITTER_NS, LATE_NS + 3 * JITTER_NS);
}

static void it_is_never_awake_for_long(void **state)
{
    (void)state;
    struct sonde_awake awake = {0};
    for (int i = 0; i < TIMES; i++) {
        sonde_awake_learn(&awake, i % 2 ? INT64_MAX : 0);
        assert_in_range(sonde_awake_early(&awake, 0), 0, SONDE_AWAKE_MAX_NS);
    }
    assert_int_equal(sonde_awake_early(&awake, 0), SONDE_AWAKE_MAX_NS);
}

static void it_only_sleeps_when_others_want_the_cpu(void **state)
{
    (void)state;
    struct sonde_awake awake = {0};
    const int64_t now_ns = INT64_C(5000000000);
    sonde_awake_learn(&awake, LATE_NS);
    sonde_awake_disturbed(&awake, now_ns);
    assert_int_equal(sonde_awake_early(&awake, now_ns), 0);
    assert_int_equal(sonde_awake_early(&awake, now_ns + SONDE_AWAKE_PAUSE_NS - 1), 0);
    assert_true(sonde_awake_early(&awake, now_ns + SONDE_AWAKE_PAUSE_NS) > 0);
}

static void a_cpu_is_left_for_the_others(void **state)
{
    (void)state;
    static const struct {
        unsigned threads;
        long cpus;
        double limit;
        bool affordable;
    } cases[] = {
        {1, 2, INFINITY, true}, {1, 1, INFINITY, false},  {2, 2, INFINITY, false},
        {3, 4, INFINITY, true}, {1, 8, 1, false},         {1, 8, 1.5, true},
        {2, 8, 1.5, false},     {1, -1, INFINITY, false}, /* not known */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sonde_awake_is_affordable(cases[i].threads, cases[i].cpus, cases[i].limit),
                         cases[i].affordable);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(what_is_always_late_is_learnt),
        cmocka_unit_test(what_differs_is_waited_for_longer),
        cmocka_unit_test(it_is_never_awake_for_long),
        cmocka_unit_test(it_only_sleeps_when_others_want_the_cpu),
        cmocka_unit_test(a_cpu_is_left_for_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
