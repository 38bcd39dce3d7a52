/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "load/bootstrap.h"
#include "load/course_report.h"
#include "load/result.h"
#include "seed.h"

/* A second of a service whose answers take from `middle_us` to twice that. */
static void fill(struct sonde_load_tally *t, int64_t middle_us, unsigned rate, uint64_t *seed)
{
    const struct sonde_load_times times = {0, 0};
    sonde_load_tally_clear(t);
    for (unsigned i = 0; i < rate; i++) {
        int64_t us = middle_us + (int64_t)(sonde_random_next(seed) % (uint64_t)middle_us);
        sonde_load_tally_sent(t, &times);
        sonde_load_tally_answered(t, &times, us * SONDE_MICROSECOND, 200);
    }
}

/* A test of which second `i` is as middle_of(i) has it. */
static void make(unsigned seconds, unsigned rate, int64_t (*middle_of)(unsigned second),
                 struct sonde_load_result *ret)
{
    struct sonde_load_tally second;
    uint64_t seed = test_seed();
    assert_int_equal(sonde_load_result_init(ret, NULL), 0);
    assert_int_equal(sonde_load_tally_init(&second, NULL), 0);
    for (unsigned i = 0; i < seconds; i++) {
        fill(&second, middle_of(i), rate, &seed);
        sonde_load_tally_add(&ret->tally, &second);
        assert_int_equal(sonde_load_result_add(ret, (i + 1) * SONDE_SECOND, &second, NULL), 0);
    }
    assert_int_equal(sonde_load_result_weigh(ret, NULL), 0);
    sonde_load_tally_fini(&second);
}

static int64_t always(unsigned second)
{
    (void)second;
    return 1000;
}

static int64_t cold_for_12_seconds(unsigned second)
{
    return second < 12 ? 5000 : 1000;
}

static int64_t grows(unsigned second)
{
    return 1000 + 100 * (int64_t)second;
}

static void seconds_tell_how_sure_it_is(void **state)
{
    (void)state;
    struct sonde_load_result result;
    const struct sonde_load_confidence *c = &result.confidence;
    for (unsigned seconds = 3; seconds < 30; seconds += 8) {
        make(seconds, 100, always, &result);
        assert_int_equal(c->method, seconds < SONDE_BOOTSTRAP_INTERVALS_MIN
                                        ? SONDE_LOAD_ORDER_STATISTICS
                                        : SONDE_LOAD_BOOTSTRAP);
        for (size_t i = 0; i < SONDE_LOAD_CONFIDENCE_QUANTILES; i++) {
            double share = sonde_load_confidence_quantiles[i].share;
            assert_int_equal(c->bounds[i].told,
                             !sonde_histogram_is_scarce(&result.tally.response, share));
            /* Evenly from 1 to 2 ms. */
            int64_t truth = 1000 + (int64_t)(1000 * share);
            assert_true(!c->bounds[i].told ||
                        (c->bounds[i].low_us < truth + 60 && c->bounds[i].high_us > truth - 60));
            assert_true(c->bounds[i].low_us <= c->bounds[i].high_us);
        }
        sonde_load_result_fini(&result);
    }
}

/* Order statistics do not see that there were two kinds of seconds. */
static void bounds_have_the_units_of_the_table(void **state)
{
    (void)state;
    const struct sonde_load_confidence confidence = {
        .method = SONDE_LOAD_ORDER_STATISTICS,
        .bounds = {{true, 950, 1040}, {true, 1020000, 12300000}}};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 10);
    sonde_load_confidence_text(&confidence, &text);
    assert_string_equal(text.data,
                        "of 95 in 100 such tests the response is 950 µs to 1.04 ms (50 %), "
                        "1.02 s to 12.3 s (90 %), if its seconds are alike\n");
}

static void seconds_that_differ_make_it_less_sure(void **state)
{
    (void)state;
    struct sonde_load_result result;
    struct sonde_load_confidence alike;
    make(60, 100, cold_for_12_seconds, &result);
    static const struct sonde_load_intervals none = {0};
    assert_int_equal(sonde_load_confidence_of(&result.tally.response, &none, 1, &alike, NULL), 0);
    assert_int_equal(alike.method, SONDE_LOAD_ORDER_STATISTICS);
    const struct sonde_load_bounds *wide = &result.confidence.bounds[1];
    const struct sonde_load_bounds *narrow = &alike.bounds[1];
    print_message("p90: %lld to %lld, and %lld to %lld µs\n", (long long)wide->low_us,
                  (long long)wide->high_us, (long long)narrow->low_us, (long long)narrow->high_us);
    assert_true(wide->high_us - wide->low_us > 2 * (narrow->high_us - narrow->low_us));
    sonde_load_result_fini(&result);
}

static void since_when_it_was_steady(void **state)
{
    (void)state;
    static const struct {
        unsigned seconds;
        int64_t (*middle_of)(unsigned second);
        enum sonde_load_steadiness state;
        unsigned least, most; /* since_seconds */
        const char *text;
    } cases[] = {
        {10, always, SONDE_LOAD_TOO_SHORT, 0, 0, ""},
        {60, always, SONDE_LOAD_STEADY, 0, 0, "steady all the time\n"},
        {100, cold_for_12_seconds, SONDE_LOAD_STEADY, 10, 40, "steady from "},
        {60, grows, SONDE_LOAD_UNSTEADY, 0, 0, "not steady: the response (50 %)"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_load_result result;
        SONDE_BUF_AUTO text = SONDE_BUF(1000);
        make(cases[i].seconds, 100, cases[i].middle_of, &result);
        assert_int_equal(result.steadiness.state, cases[i].state);
        assert_in_range(result.steadiness.since_seconds, cases[i].least, cases[i].most);
        sonde_load_steadiness_text(&result.steadiness, 0, &text);
        sonde_buf_char(&text, '\0');
        assert_ptr_equal(strstr(text.data, cases[i].text), text.data);
        sonde_load_result_fini(&result);
    }
}

static void stages_are_not_asked_to_be_steady(void **state)
{
    (void)state;
    struct sonde_load_result result;
    struct sonde_stage stage = {.duration_seconds = 60, .rate = 100};
    make(60, 50, grows, &result);
    result.steadiness = (struct sonde_load_steady_verdict){0};
    result.asked.arrival.stages.items = &stage;
    result.asked.arrival.stages.count = 1;
    assert_int_equal(sonde_load_result_weigh(&result, NULL), 0);
    assert_int_equal(result.steadiness.state, SONDE_LOAD_TOO_SHORT);
    sonde_load_result_fini(&result);
}

/* ---- memory, on a clock that is not waited for ---- */

static size_t memory_of(const struct sonde_load_result *result)
{
    const struct sonde_load_intervals *all = &result->intervals;
    return all->capacity * sizeof(*all->items) + all->packed.capacity + all->one.capacity;
}

/* Hours of seconds that are as different as they can be take no more than the bound. */
static void hours_take_no_more_memory(void **state)
{
    (void)state;
    enum { HOUR = 3600, HOURS = 5, RATE = 2000 };
    static const size_t most = SONDE_LOAD_INTERVALS_BYTES_MAX + (2 << 20);
    struct sonde_load_result result;
    struct sonde_load_tally second;
    uint64_t seed = test_seed();
    size_t first = 0;
    assert_int_equal(sonde_load_result_init(&result, NULL), 0);
    assert_int_equal(sonde_load_tally_init(&second, NULL), 0);
    for (int64_t i = 1; i <= (int64_t)HOURS * HOUR; i++) {
        if (i % 300 == 1) { /* this takes longest */
            fill(&second, 1000 << (sonde_random_next(&seed) % 11), RATE, &seed);
        }
        assert_int_equal(sonde_load_result_add(&result, i * SONDE_SECOND, &second, NULL), 0);
        assert_true(memory_of(&result) <= most);
        first = i == HOUR ? memory_of(&result) : first;
    }
    print_message("%zu KiB after an hour, %zu after %d\n", first >> 10, memory_of(&result) >> 10,
                  HOURS);
    assert_true(memory_of(&result) <= first + (1 << 20));
    assert_true(result.intervals.count >= SONDE_LOAD_INTERVALS_MAX / 8);
    assert_int_equal(sonde_load_result_weigh(&result, NULL), 0);
    sonde_load_tally_fini(&second);
    sonde_load_result_fini(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_tell_how_sure_it_is),
        cmocka_unit_test(bounds_have_the_units_of_the_table),
        cmocka_unit_test(seconds_that_differ_make_it_less_sure),
        cmocka_unit_test(since_when_it_was_steady),
        cmocka_unit_test(stages_are_not_asked_to_be_steady),
        cmocka_unit_test(hours_take_no_more_memory),
    };
    return cmocka_run_group_tests_name("course", tests, NULL, NULL);
}
