/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "load/live.h"

static struct sonde_load_tally second;

static int make(void **state)
{
    (void)state;
    return sonde_load_tally_init(&second, NULL);
}

static int unmake(void **state)
{
    (void)state;
    sonde_load_tally_fini(&second);
    return 0;
}

/* A second with so many answers. */
static void add(struct sonde_load_live *live, int64_t end_seconds, uint64_t answers)
{
    sonde_load_tally_clear(&second);
    second.answered = answers;
    second.statuses[200] = answers;
    sonde_histogram_record(&second.response, 1500);
    sonde_load_live_add(live, end_seconds * SONDE_SECOND, &second);
}

static void assert_line(const struct sonde_load_live *live, unsigned columns, const char *expected)
{
    SONDE_BUF_AUTO line = SONDE_BUF(4096);
    sonde_load_live_line(live, columns, &line);
    assert_int_equal(line.code, 0);
    assert_string_equal(line.data, expected);
}

static void it_says_how_it_goes(void **state)
{
    (void)state;
    struct sonde_load_live live = {.length_ns = 30 * SONDE_SECOND};
    for (int64_t i = 0; i < 8; i++) {
        add(&live, i + 1, (uint64_t)i * 100);
    }
    assert_line(&live, 100, "8 s  ▁▂▃▄▅▆▇█  700/s  p50 1.50 ms  p99 1.50 ms  0 errors  22 s left");
    second.errors[SONDE_LOAD_REFUSED] = 3;
    second.errors[SONDE_LOAD_TIMEOUT] = 4;
    second.wrong = 2;
    sonde_load_live_add(&live, 10 * SONDE_SECOND, &second);
    assert_line(&live, 200,
                "10 s  ▁▂▃▄▅▆▇█▅  350/s  p50 1.50 ms  p99 1.50 ms  7 errors  2 wrong  20 s left");
}

static void the_plot_takes_the_room_there_is(void **state)
{
    (void)state;
    struct sonde_load_live live = {0};
    for (int64_t i = 0; i < 100; i++) {
        add(&live, i + 1, i == 0 ? 1000000 : 100);
    }
    assert_line(&live, 80,
                "100 s  █████████████████████████████  100/s  p50 1.50 ms  p99 1.50 ms  0 errors");
    assert_line(&live, 57, "100 s  ██████  100/s  p50 1.50 ms  p99 1.50 ms  0 errors");
    assert_line(&live, 20, "100 s  100/s  p50 1.50 ms  p99 1.50 ms  0 errors");
}

static void what_is_left_of_an_amount(void **state)
{
    (void)state;
    struct sonde_load_live live = {.amount = 1000};
    add(&live, 1, 0);
    assert_line(&live, 10, "1 s  0/s  p50 1.50 ms  p99 1.50 ms  0 errors");
    add(&live, 2, 100);
    assert_line(&live, 10, "2 s  100/s  p50 1.50 ms  p99 1.50 ms  0 errors  18 s left");
    live.length_ns = 5 * SONDE_SECOND;
    assert_line(&live, 10, "2 s  100/s  p50 1.50 ms  p99 1.50 ms  0 errors  3 s left");
    add(&live, 3, 5000);
    assert_line(&live, 10, "3 s  5000/s  p50 1.50 ms  p99 1.50 ms  0 errors  0 s left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_how_it_goes),
        cmocka_unit_test(the_plot_takes_the_room_there_is),
        cmocka_unit_test(what_is_left_of_an_amount),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
