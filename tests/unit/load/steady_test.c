/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "load/steady.h"
#include "seed.h"

static double uniform(uint64_t *seed)
{
    return (double)((sonde_random_next(seed) >> 11) + 1) * 0x1p-53;
}

static double normal(uint64_t *seed)
{
    return sqrt(-2 * log(uniform(seed))) * cos(2 * M_PI * uniform(seed));
}

/* ---- simulated tests ---- */

enum shape { FLAT, RAMP, DECAY, DRIFT, STEP, WALK, FREEZE };

/* What a signal is at a second, as a share of what it comes to. */
static double shape_at(enum shape shape, unsigned second, unsigned seconds, double *walk,
                       uint64_t *seed)
{
    switch (shape) {
    case RAMP: /* for 15 seconds */
        return second < 15 ? (second + 1) / 16.0 : 1;
    case DECAY: /* as compiled code does */
        return 1 + 4 * exp(-(second / 6.0));
    case DRIFT:
        return 1 + (double)second / seconds;
    case STEP:
        return second < seconds * 7 / 10 ? 1 : 1.5;
    case WALK:
        *walk += 0.1 * normal(seed);
        return exp(*walk);
    case FREEZE: /* of a second, in the middle */
        return second == seconds / 2 ? 50 : 1;
    default:
        return 1;
    }
}

/* A test whose one signal has the shape, with noise that is like the last second's. */
static void simulate(enum shape shape, enum sonde_load_steady_signal signal, unsigned seconds,
                     double correlation, uint64_t *seed, struct sonde_load_steady_verdict *ret)
{
    static const double levels[SONDE_LOAD_STEADY_SIGNALS] = {500, 2000, 9000};
    static const double noises[SONDE_LOAD_STEADY_SIGNALS] = {0.02, 0.03, 0.1};
    struct sonde_load_steady steady = {0};
    double noise[SONDE_LOAD_STEADY_SIGNALS] = {0};
    double walk = 0;
    for (unsigned i = 0; i < seconds; i++) {
        double values[SONDE_LOAD_STEADY_SIGNALS];
        for (size_t k = 0; k < SONDE_LOAD_STEADY_SIGNALS; k++) {
            double fresh = sqrt(1 - correlation * correlation);
            noise[k] = correlation * noise[k] + fresh * noises[k] * normal(seed);
            values[k] = levels[k] * exp(noise[k]);
            values[k] *= k == signal ? shape_at(shape, i, seconds, &walk, seed) : 1;
        }
        sonde_load_steady_add(&steady, values);
    }
    sonde_load_steady_judge(&steady, ret);
}

static void what_comes_to_rest_is_found(void **state)
{
    (void)state;
    enum { ROUNDS = 200 };
    static const struct {
        enum shape shape;
        enum sonde_load_steady_signal signal;
        unsigned seconds;
        double correlation;
        enum sonde_load_steadiness wanted;
        unsigned from, to; /* steady since */
        double least;      /* share of the tests of which that is said */
    } cases[] = {
        {FLAT, SONDE_LOAD_STEADY_RATE, 60, 0, SONDE_LOAD_STEADY, 0, 0, 0.97},
        {FLAT, SONDE_LOAD_STEADY_RATE, 20, 0, SONDE_LOAD_STEADY, 0, 2, 0.95},
        {FLAT, SONDE_LOAD_STEADY_RATE, 300, 0.5, SONDE_LOAD_STEADY, 0, 0, 0.95},
        {FLAT, SONDE_LOAD_STEADY_RATE, 5000, 0.5, SONDE_LOAD_STEADY, 0, 0, 0.95},
        {FREEZE, SONDE_LOAD_STEADY_P99, 120, 0, SONDE_LOAD_STEADY, 0, 0, 0.97},
        {RAMP, SONDE_LOAD_STEADY_RATE, 60, 0, SONDE_LOAD_STEADY, 9, 21, 0.9},
        {RAMP, SONDE_LOAD_STEADY_RATE, 300, 0.5, SONDE_LOAD_STEADY, 10, 25, 0.9},
        {DECAY, SONDE_LOAD_STEADY_P50, 120, 0, SONDE_LOAD_STEADY, 15, 50, 0.9},
        {DECAY, SONDE_LOAD_STEADY_P99, 120, 0.3, SONDE_LOAD_STEADY, 10, 50, 0.88},
        {DRIFT, SONDE_LOAD_STEADY_P50, 60, 0, SONDE_LOAD_UNSTEADY, 0, 0, 0.97},
        {DRIFT, SONDE_LOAD_STEADY_P99, 300, 0.5, SONDE_LOAD_UNSTEADY, 0, 0, 0.8},
        {DRIFT, SONDE_LOAD_STEADY_RATE, 5000, 0.5, SONDE_LOAD_UNSTEADY, 0, 0, 0.97},
        {STEP, SONDE_LOAD_STEADY_RATE, 100, 0, SONDE_LOAD_UNSTEADY, 0, 0, 0.97},
        {WALK, SONDE_LOAD_STEADY_P50, 300, 0, SONDE_LOAD_UNSTEADY, 0, 0, 0.65},
    };
    uint64_t seed = test_seed();
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        unsigned right = 0;
        for (unsigned round = 0; round < ROUNDS; round++) {
            struct sonde_load_steady_verdict verdict;
            simulate(cases[i].shape, cases[i].signal, cases[i].seconds, cases[i].correlation, &seed,
                     &verdict);
            bool same = verdict.state == cases[i].wanted;
            right += same &&
                     (verdict.state == SONDE_LOAD_STEADY ? verdict.since_seconds >= cases[i].from &&
                                                               verdict.since_seconds <= cases[i].to
                                                         : verdict.signal == cases[i].signal);
        }
        print_message("case %zu: %u of %d\n", i, right, ROUNDS);
        assert_true(right >= cases[i].least * (double)ROUNDS);
    }
}

static void a_short_test_says_nothing(void **state)
{
    (void)state;
    struct sonde_load_steady_verdict verdict;
    uint64_t seed = test_seed();
    simulate(FLAT, SONDE_LOAD_STEADY_RATE, SONDE_LOAD_STEADY_SECONDS_MIN - 1, 0, &seed, &verdict);
    assert_int_equal(verdict.state, SONDE_LOAD_TOO_SHORT);
    assert_string_equal(sonde_load_steadiness_name(verdict.state), "too short");
    simulate(FLAT, SONDE_LOAD_STEADY_RATE, 0, 0, &seed, &verdict);
    assert_int_equal(verdict.state, SONDE_LOAD_TOO_SHORT);
}

static void a_change_that_does_not_matter_is_none(void **state)
{
    (void)state;
    struct sonde_load_steady steady = {0};
    struct sonde_load_steady_verdict verdict;
    for (unsigned i = 0; i < 100; i++) {
        const double values[] = {500 + i / 10.0, 2000 + i, 9000 - i};
        sonde_load_steady_add(&steady, values);
    }
    assert_true(sonde_load_steady_wandering(steady.values[0], steady.count) > 0.739);
    sonde_load_steady_judge(&steady, &verdict);
    assert_int_equal(verdict.state, SONDE_LOAD_STEADY);
    assert_int_equal(verdict.since_seconds, 0);
}

/* By hand: the sums are −2, −3, −3, −2 and 0, the variance 2 + 0.8 with one lag. */
static void the_statistics_are_those_of_the_papers(void **state)
{
    (void)state;
    static const double line[] = {1, 2, 3, 4, 5};
    double flat[40];
    double ramp[40];
    assert_true(fabs(sonde_load_steady_wandering(line, 5) - 26 / (25 * 2.8)) < 1e-12);
    assert_true(sonde_load_steady_wandering(line, 2) == 0);
    for (size_t i = 0; i < 40; i++) {
        flat[i] = 7.3;
        ramp[i] = (i < 10 ? (double)i : 10) + (i % 2 ? 0.1 : -0.1);
    }
    assert_true(sonde_load_steady_wandering(flat, 40) == 0);
    assert_int_equal(sonde_load_steady_cut(flat, 40, 2), 0);
    assert_int_equal(sonde_load_steady_cut(ramp, 40, 1), 10);
    assert_int_equal(sonde_load_steady_cut(ramp, 40, 2), 10);
    assert_int_equal(sonde_load_steady_cut(ramp, 40, 5), 40);
    assert_int_equal(sonde_load_steady_cut(line, 5, 1), 5);
}

/* A point is the mean of its seconds, however many they are. */
static void points_are_means(void **state)
{
    (void)state;
    static struct sonde_load_steady steady;
    const unsigned seconds = 5 * SONDE_LOAD_STEADY_POINTS_MAX + 3;
    for (unsigned i = 0; i < seconds; i++) {
        const double values[] = {i, 2.0 * i, 1};
        sonde_load_steady_add(&steady, values);
    }
    assert_int_equal(steady.width, 8);
    assert_int_equal((steady.count - 1) * steady.width + steady.in_last, seconds);
    for (size_t i = 0; i + 1 < steady.count; i++) {
        assert_true(fabs(steady.values[0][i] - (8.0 * (double)i + 3.5)) < 1e-6);
        assert_true(fabs(steady.values[1][i] - (16.0 * (double)i + 7)) < 1e-6);
        assert_true(fabs(steady.values[2][i] - 1) < 1e-9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_to_rest_is_found),
        cmocka_unit_test(a_short_test_says_nothing),
        cmocka_unit_test(a_change_that_does_not_matter_is_none),
        cmocka_unit_test(the_statistics_are_those_of_the_papers),
        cmocka_unit_test(points_are_means),
    };
    return cmocka_run_group_tests_name("steady", tests, NULL, NULL);
}
