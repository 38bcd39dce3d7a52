/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "inspector/waits.h"

struct thread {
    struct sonde_wait_recorder recorder;
    struct sonde_wait_reading now;
};

/* Milliseconds: a reading after so long, of which it ran and was queued so long. */
static void pass(struct thread *t, int64_t length, double ran, double queued)
{
    if (!t->recorder.begun) {
        t->now = (struct sonde_wait_reading){SONDE_SECOND, 7 * SONDE_SECOND, SONDE_SECOND};
        assert_int_equal(sonde_wait_recorder_take(&t->recorder, &t->now, NULL), 0);
    }
    t->now.time_ns += length * SONDE_MILLISECOND;
    t->now.ran_ns += (int64_t)(ran * (double)SONDE_MILLISECOND);
    t->now.queued_ns += (int64_t)(queued * (double)SONDE_MILLISECOND);
    assert_int_equal(sonde_wait_recorder_take(&t->recorder, &t->now, NULL), 0);
}

static void assert_text(struct thread *t, const char *expected)
{
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    SONDE_BUF_AUTO whole = SONDE_BUF(4096);
    assert_int_equal(sonde_wait_recorder_finish(&t->recorder, NULL), 0);
    sonde_wait_recorder_print(&t->recorder, "7-w3", &text);
    sonde_buf_printf(&whole,
                     "{\"process\":\"7-w3\",\"startMicroseconds\":1000000,\"stretches\":\"%s\"}",
                     expected);
    assert_string_equal(text.data, whole.data);
    sonde_wait_recorder_fini(&t->recorder);
}

static void stretches_are_merged(void **state)
{
    (void)state;
    struct thread t = {0};
    for (int i = 0; i < 5; i++) {
        pass(&t, 20, 0.5, 0.25);
    }
    pass(&t, 20, 12, 0);
    pass(&t, 20, 20, 0);
    pass(&t, 20, 3, 5);
    pass(&t, 20, 0.5, 0);
    pass(&t, 20, 0.5, 0);
    /* the reading before the work belongs to it */
    assert_text(&t, "w80000 2000 77000,p80000 35500 39250,w40000 1000 39000");
}

static void a_thread_that_works_waits_never(void **state)
{
    (void)state;
    struct thread t = {0};
    for (int i = 0; i < 10; i++) {
        pass(&t, 20, i % 2 ? 22 : 18, 0);
    }
    assert_text(&t, "p200000 200000 0");
}

static void a_thread_that_is_woken_late_waits_all_the_same(void **state)
{
    (void)state;
    struct thread t = {0};
    pass(&t, 20, 0.5, 9);
    pass(&t, 20, 0.5, 0);
    assert_text(&t, "w40000 1000 30000");
}

/* The kernel tells how long it was queued when that is over. */
static void what_is_told_late_reaches_back(void **state)
{
    (void)state;
    struct thread t = {0};
    pass(&t, 20, 0.5, 0);
    pass(&t, 20, 10, 0);
    for (int i = 0; i < 10; i++) {
        pass(&t, 20, 0, 0); /* throttled, as it turns out */
    }
    pass(&t, 20, 15, 150);
    pass(&t, 20, 0, 0);
    assert_text(&t, "p40000 10500 29500,w55000 0 55000,p165000 15000 0,w20000 0 20000");
    struct thread whole = {0};
    pass(&whole, 20, 10, 0);
    pass(&whole, 20, 0, 0);
    pass(&whole, 20, 0, 0);
    pass(&whole, 20, 20, 90);
    assert_text(&whole, "p80000 30000 0");
}

static void times_that_go_back_are_passed_over(void **state)
{
    (void)state;
    struct thread t = {0};
    pass(&t, 20, 0, 0);
    pass(&t, 0, 0, 0);
    pass(&t, 20, -1, 0);
    t.now.ran_ns += SONDE_MILLISECOND;
    pass(&t, 20, 0, 0);
    assert_text(&t, "w60000 0 60000");
}

static void check(const struct thread *t)
{
    int64_t length_us = 0;
    assert_true(t->recorder.count <= SONDE_WAITS_STRETCHES_MAX);
    for (size_t i = 0; i < t->recorder.count; i++) {
        const struct sonde_wait_stretch *stretch = &t->recorder.stretches[i];
        assert_true(stretch->length_us > 0);
        assert_in_range(stretch->ran_us, 0, stretch->length_us);
        assert_in_range(stretch->waited_us, 0, stretch->length_us - stretch->ran_us);
        assert_true(i == 0 || stretch[-1].whole != stretch->whole);
        length_us += stretch->length_us;
    }
    int64_t passed_us = t->now.time_ns / SONDE_MICROSECOND - t->recorder.start_us;
    assert_int_equal(length_us, passed_us);
}

static void a_long_time_is_thinned_out(void **state)
{
    (void)state;
    struct thread t = {0};
    int64_t waited_us = 0;
    bool whole = false;
    for (int i = 0; i < 3 * SONDE_WAITS_STRETCHES_MAX; i++) {
        pass(&t, 20, 0, 0);
        pass(&t, 20, 0, 0);
        pass(&t, 20, 15, 0);
    }
    assert_int_equal(sonde_wait_recorder_finish(&t.recorder, NULL), 0);
    check(&t);
    assert_true(t.recorder.count > SONDE_WAITS_STRETCHES_MAX / 4);
    for (size_t i = 0; i < t.recorder.count; i++) {
        waited_us += t.recorder.stretches[i].waited_us;
        whole = whole || t.recorder.stretches[i].whole;
    }
    assert_true(whole);
    assert_int_equal(waited_us, 3 * SONDE_WAITS_STRETCHES_MAX * 45000);
    sonde_wait_recorder_fini(&t.recorder);
}

static void nothing_breaks_the_order(void **state)
{
    (void)state;
    uint64_t seed = 20261129;
    print_message("seed %" PRIu64 "\n", seed);
    for (int round = 0; round < 200; round++) {
        struct thread t = {0};
        int readings = 1 + (int)(sonde_random_next(&seed) % 9000);
        for (int i = 0; i < readings; i++) {
            int64_t length = 1 + (int64_t)(sonde_random_next(&seed) % 50);
            double ran = (double)(sonde_random_next(&seed) % 100) / 50 * (double)length;
            double queued = sonde_random_next(&seed) % 9 ? 0 : 5 * ran;
            pass(&t, length, sonde_random_next(&seed) % 3 ? 0 : ran, queued);
        }
        assert_int_equal(sonde_wait_recorder_finish(&t.recorder, NULL), 0);
        check(&t);
        sonde_wait_recorder_fini(&t.recorder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stretches_are_merged),
        cmocka_unit_test(a_thread_that_works_waits_never),
        cmocka_unit_test(a_thread_that_is_woken_late_waits_all_the_same),
        cmocka_unit_test(what_is_told_late_reaches_back),
        cmocka_unit_test(times_that_go_back_are_passed_over),
        cmocka_unit_test(a_long_time_is_thinned_out),
        cmocka_unit_test(nothing_breaks_the_order),
    };
    return cmocka_run_group_tests_name("wait_recorder", tests, NULL, NULL);
}
