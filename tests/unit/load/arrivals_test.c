/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "load/arrivals.h"
#include "seed.h"

static struct sonde_arrival arrival_of(int64_t rate, int64_t seconds, int64_t amount,
                                       int distribution)
{
    return (struct sonde_arrival){
        .rate = rate, .duration_seconds = seconds, .amount = amount, .distribution = distribution};
}

#define NONE SONDE_SPEC_ABSENT

/* All times of all parts, sorted. The caller frees them. */
static int64_t *times_of(const struct sonde_arrival *arrival, uint64_t parts, uint64_t seed,
                         size_t *ret_count)
{
    enum { MOST = 1 << 21 };
    int64_t *times = malloc(MOST * sizeof(*times));
    assert_non_null(times);
    *ret_count = 0;
    for (uint64_t part = 0; part < parts; part++) {
        struct sonde_arrivals arrivals;
        int64_t last = 0;
        assert_int_equal(sonde_arrivals_init(&arrivals, arrival, 0, part, parts, seed + part, NULL),
                         0);
        for (int64_t at; sonde_arrivals_next(&arrivals, &at); last = at) {
            assert_true(*ret_count < MOST && at >= last);
            times[(*ret_count)++] = at;
        }
        int64_t at;
        assert_false(sonde_arrivals_next(&arrivals, &at));
    }
    return times;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void constant_parts_are_one_train(void **state)
{
    (void)state;
    const struct sonde_arrival arrival = arrival_of(700, 3, NONE, SONDE_ARRIVAL_CONSTANT);
    for (uint64_t parts = 1; parts < 9; parts++) {
        size_t count;
        int64_t *times = times_of(&arrival, parts, 1, &count);
        qsort(times, count, sizeof(*times), compare);
        assert_int_equal(count, 2100);
        for (size_t i = 0; i < count; i++) {
            int64_t truth = (int64_t)i * SONDE_SECOND / 700;
            assert_in_range(times[i], truth ? truth - 1 : 0, truth + 1);
        }
        free(times);
    }
}

static void amounts_are_exact(void **state)
{
    (void)state;
    for (int64_t amount = 1; amount < 50; amount += 6) {
        for (uint64_t parts = 1; parts < 9; parts++) {
            for (int distribution = 0; distribution < 2; distribution++) {
                size_t count;
                const struct sonde_arrival arrival = arrival_of(1000, NONE, amount, distribution);
                free(times_of(&arrival, parts, 7, &count));
                assert_int_equal(count, amount);
            }
        }
    }
    struct sonde_arrivals arrivals;
    const struct sonde_arrival arrival = arrival_of(10, NONE, 5, SONDE_ARRIVAL_CONSTANT);
    assert_int_equal(sonde_arrivals_init(&arrivals, &arrival, 0, 0, 1, 1, NULL), 0);
    assert_int_equal(sonde_arrivals_end(&arrivals), INT64_MAX);
}

/* Up from 0 to 1,000, held, none at all, and down to 0: 500·2 + 1,000·1 + 0 + 1,000. */
static void stages_follow_their_lines(void **state)
{
    (void)state;
    const struct sonde_stage list[] = {
        {.duration_seconds = 2, .rate = 1000, .ramp = true},
        {.duration_seconds = 1, .rate = 1000},
        {.duration_seconds = 5, .rate = 0},
        {.duration_seconds = 1, .rate = 2000},
        {.duration_seconds = 1, .rate = 0, .ramp = true},
    };
    struct sonde_arrival arrival = arrival_of(NONE, NONE, NONE, SONDE_ARRIVAL_CONSTANT);
    arrival.stages.items = (struct sonde_stage *)(uintptr_t)list;
    arrival.stages.count = SONDE_LENGTH(list);
    size_t count;
    int64_t *times = times_of(&arrival, 3, 1, &count);
    qsort(times, count, sizeof(*times), compare);
    assert_int_equal(count, 1000 + 1000 + 2000 + 1000);
    /* The k-th of the ramp comes when t² · 250 is k. */
    for (size_t k = 0; k < 1000; k++) {
        int64_t truth = (int64_t)(sqrt((double)k / 250) * 1e9);
        assert_in_range(times[k], truth > 2 ? truth - 2 : 0, truth + 2);
    }
    assert_in_range(times[1500], 2 * SONDE_SECOND + SONDE_SECOND / 2 - 2,
                    2 * SONDE_SECOND + SONDE_SECOND / 2 + 2);
    assert_true(times[1999] < 3 * SONDE_SECOND);
    assert_int_equal(times[2000], 8 * SONDE_SECOND);
    /* 2,000 t − 1,000 t² = 750 at half of the last second. */
    assert_in_range(times[4750], 9 * SONDE_SECOND + SONDE_SECOND / 2 - 2,
                    9 * SONDE_SECOND + SONDE_SECOND / 2 + 2);
    assert_true(times[count - 1] < 10 * SONDE_SECOND);
    free(times);
    struct sonde_arrivals arrivals;
    assert_int_equal(sonde_arrivals_init(&arrivals, &arrival, 0, 0, 1, 1, NULL), 0);
    assert_true(fabs(sonde_arrivals_rate(&arrivals, SONDE_SECOND) - 500) < 1e-6);
    assert_true(sonde_arrivals_rate(&arrivals, 4 * SONDE_SECOND) == 0);
    assert_true(fabs(sonde_arrivals_rate(&arrivals, 9 * SONDE_SECOND) - 2000) < 1e-6);
    assert_int_equal(sonde_arrivals_end(&arrivals), 10 * SONDE_SECOND);
}

/* The Kolmogorov–Smirnov distance of gaps to the exponential distribution. */
static double distance_to_exponential(const int64_t *times, size_t count, double rate)
{
    int64_t *gaps = malloc((count + 1) * sizeof(*gaps));
    double largest = 0;
    assert_non_null(gaps);
    for (size_t i = 0; i < count; i++) {
        gaps[i] = times[i] - (i ? times[i - 1] : 0);
    }
    qsort(gaps, count, sizeof(*gaps), compare);
    for (size_t i = 0; i < count; i++) {
        double share = 1 - exp(-rate * (double)gaps[i] / 1e9);
        largest = fmax(largest, fabs(share - (double)i / (double)count));
        largest = fmax(largest, fabs(share - (double)(i + 1) / (double)count));
    }
    free(gaps);
    return largest;
}

/* Of one part and of many together. A true sample is beyond 1.95/√n once in a thousand times
 * (Kolmogorov's distribution); two of three samples decide. */
static void poisson_parts_are_one_process(void **state)
{
    (void)state;
    enum { RATE = 5000, SECONDS = 20, SAMPLES = 3 };
    const struct sonde_arrival arrival = arrival_of(RATE, SECONDS, NONE, SONDE_ARRIVAL_POISSON);
    uint64_t seed = test_seed();
    for (uint64_t parts = 1; parts <= 16; parts *= 4) {
        int far = 0;
        for (int i = 0; i < SAMPLES; i++) {
            size_t count;
            int64_t *times = times_of(&arrival, parts, seed + (uint64_t)i * 100, &count);
            qsort(times, count, sizeof(*times), compare);
            /* Six standard deviations of the number. */
            assert_true(fabs((double)count - RATE * SECONDS) < 6 * sqrt(RATE * SECONDS));
            far += distance_to_exponential(times, count, RATE) > 1.95 / sqrt((double)count);
            free(times);
        }
        assert_true(far < 2);
    }
}

/* Before all of it, at its first rate, and not of its amount. */
static void a_warm_up_comes_first(void **state)
{
    (void)state;
    const struct sonde_stage list[] = {{.duration_seconds = 2, .rate = 100, .ramp = true},
                                       {.duration_seconds = 1, .rate = 300}};
    struct sonde_arrival stages = arrival_of(NONE, NONE, NONE, SONDE_ARRIVAL_CONSTANT);
    stages.stages.items = (struct sonde_stage *)(uintptr_t)list;
    stages.stages.count = SONDE_LENGTH(list);
    const struct {
        struct sonde_arrival arrival;
        size_t warm, all;
    } cases[] = {
        {arrival_of(70, 4, NONE, SONDE_ARRIVAL_CONSTANT), 210, 490},
        {arrival_of(70, NONE, 33, SONDE_ARRIVAL_CONSTANT), 210, 243},
        {arrival_of(70, 4, 5, SONDE_ARRIVAL_CONSTANT), 210, 215},
        {stages, 300, 300 + 100 + 300},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        for (uint64_t parts = 1; parts < 6; parts++) {
            size_t count = 0;
            size_t warm = 0;
            for (uint64_t part = 0; part < parts; part++) {
                struct sonde_arrivals arrivals;
                assert_int_equal(
                    sonde_arrivals_init(&arrivals, &cases[i].arrival, 3, part, parts, 1, NULL), 0);
                for (int64_t at; sonde_arrivals_next(&arrivals, &at); count++) {
                    warm += at < 3 * SONDE_SECOND;
                }
                bool timed = cases[i].arrival.duration_seconds != NONE || i == 3;
                int64_t end_s = i == 3 ? 6 : 7;
                assert_int_equal(sonde_arrivals_end(&arrivals),
                                 timed ? end_s * SONDE_SECOND : INT64_MAX);
            }
            assert_int_equal(warm, cases[i].warm);
            assert_int_equal(count, cases[i].all);
        }
    }
}

static void what_has_no_rate_is_refused(void **state)
{
    (void)state;
    struct sonde_arrivals arrivals;
    struct sonde_err err = {0};
    const struct sonde_arrival closed = arrival_of(NONE, 3, NONE, SONDE_ARRIVAL_CONSTANT);
    assert_int_equal(sonde_arrivals_init(&arrivals, &closed, 0, 0, 1, 1, &err), SONDE_EINVALID);
    assert_true(err.message[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_parts_are_one_train),
        cmocka_unit_test(amounts_are_exact),
        cmocka_unit_test(stages_follow_their_lines),
        cmocka_unit_test(poisson_parts_are_one_process),
        cmocka_unit_test(a_warm_up_comes_first),
        cmocka_unit_test(what_has_no_rate_is_refused),
    };
    return cmocka_run_group_tests_name("arrivals", tests, NULL, NULL);
}
