/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "load/share.h"
#include "seed.h"

#define NONE SONDE_SPEC_ABSENT

static const unsigned counts_of_runners[] = {1, 2, 3, 4, 5, 6, 7, 8, 100};

enum { SLOTS_MAX = 1 << 20 };

static uint64_t below(uint64_t *seed, uint64_t count)
{
    return sonde_random_next(seed) % count;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Runners need not have the same number of threads. */
static struct sonde_load_plan plan_of(const struct sonde_arrival *arrival, unsigned connections,
                                      unsigned most, unsigned runner, unsigned runners)
{
    return (struct sonde_load_plan){.arrival = *arrival,
                                    .connections = connections,
                                    .connections_max = most,
                                    .threads = 1 + runner % 3,
                                    .runner = runner,
                                    .runners = runners};
}

/* All slots of all threads of all runners, sorted. The caller frees them. */
static int64_t *slots_of(const struct sonde_arrival *arrival, unsigned connections,
                         unsigned runners, int64_t warm_up_seconds, size_t *ret_count)
{
    int64_t *slots = malloc(SLOTS_MAX * sizeof(*slots));
    assert_non_null(slots);
    *ret_count = 0;
    for (unsigned i = 0; i < runners; i++) {
        const struct sonde_load_plan plan = plan_of(arrival, connections, 1000, i, runners);
        for (unsigned k = 0; k < sonde_load_share_threads(&plan); k++) {
            const struct sonde_load_share share = sonde_load_share_of(&plan, k);
            struct sonde_arrivals arrivals;
            assert_false(share.idle);
            assert_true(share.connections_max > 0);
            assert_int_equal(sonde_arrivals_init(&arrivals, arrival, warm_up_seconds, share.part,
                                                 share.parts, share.part, NULL),
                             0);
            for (int64_t at; sonde_arrivals_next(&arrivals, &at);) {
                assert_true(*ret_count < SLOTS_MAX);
                slots[(*ret_count)++] = at;
            }
        }
    }
    qsort(slots, *ret_count, sizeof(*slots), compare);
    return slots;
}

static struct sonde_arrival stages_of(struct sonde_stage *list, size_t count)
{
    struct sonde_arrival arrival = {.rate = NONE, .duration_seconds = NONE, .amount = NONE};
    arrival.stages.items = list;
    arrival.stages.count = count;
    return arrival;
}

static void all_runners_are_one_train(void **state)
{
    (void)state;
    struct sonde_stage list[] = {
        {.duration_seconds = 3, .rate = 700, .ramp = true},
        {.duration_seconds = 2, .rate = 333},
        {.duration_seconds = 1, .rate = 0},
        {.duration_seconds = 2, .rate = 1999},
        {.duration_seconds = 1, .rate = 10, .ramp = true},
    };
    const struct sonde_arrival arrivals[] = {
        {.rate = 997, .duration_seconds = 4, .amount = NONE},
        {.rate = 997, .duration_seconds = NONE, .amount = 1234},
        {.rate = 1, .duration_seconds = 10, .amount = NONE},
        stages_of(list, SONDE_LENGTH(list)),
    };
    for (size_t i = 0; i < SONDE_LENGTH(arrivals); i++) {
        for (int64_t warm = 0; warm < 3; warm += 2) {
            size_t expected;
            int64_t *truth = slots_of(&arrivals[i], 10, 1, warm, &expected);
            assert_true(expected > 9);
            for (size_t k = 1; k < SONDE_LENGTH(counts_of_runners); k++) {
                size_t count;
                int64_t *slots = slots_of(&arrivals[i], 10, counts_of_runners[k], warm, &count);
                assert_int_equal(count, expected);
                assert_memory_equal(slots, truth, count * sizeof(*slots));
                free(slots);
            }
            free(truth);
        }
    }
}

/* No two threads have one stream: two of the same would send at the same times. */
static void poisson_streams_are_independent(void **state)
{
    (void)state;
    const struct sonde_arrival arrival = {.rate = 1000,
                                          .duration_seconds = 20,
                                          .amount = NONE,
                                          .distribution = SONDE_ARRIVAL_POISSON};
    for (size_t k = 0; k < SONDE_LENGTH(counts_of_runners); k++) {
        size_t count;
        size_t same = 0;
        int64_t *slots = slots_of(&arrival, 1000, counts_of_runners[k], 0, &count);
        /* Seven standard deviations of 20,000. */
        assert_in_range(count, 20000 - 990, 20000 + 990);
        for (size_t i = 1; i < count; i++) {
            same += slots[i] == slots[i - 1];
        }
        assert_true(same < 5);
        free(slots);
    }
    const struct sonde_arrival counted = {.rate = 1000,
                                          .duration_seconds = NONE,
                                          .amount = 777,
                                          .distribution = SONDE_ARRIVAL_POISSON};
    for (size_t k = 0; k < SONDE_LENGTH(counts_of_runners); k++) {
        size_t count;
        free(slots_of(&counted, 1000, counts_of_runners[k], 0, &count));
        assert_int_equal(count, 777);
    }
}

static void connections_and_amounts_add_up(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int round = 0; round < 2000; round++) {
        unsigned runners = counts_of_runners[below(&seed, SONDE_LENGTH(counts_of_runners))];
        unsigned connections = 1 + (unsigned)below(&seed, 300);
        unsigned most = connections + (unsigned)below(&seed, 300);
        bool open = below(&seed, 2);
        const struct sonde_arrival arrival = {.rate = open ? 5 : NONE,
                                              .duration_seconds = NONE,
                                              .amount = 1 + (int64_t)below(&seed, 100000)};
        uint64_t sum = 0;
        uint64_t sum_most = 0;
        uint64_t amount = 0;
        for (unsigned i = 0; i < runners; i++) {
            const struct sonde_load_plan plan = plan_of(&arrival, connections, most, i, runners);
            unsigned threads = sonde_load_share_threads(&plan);
            assert_in_range(threads, 1, plan.threads);
            for (unsigned k = 0; k < threads; k++) {
                const struct sonde_load_share share = sonde_load_share_of(&plan, k);
                assert_true(share.connections <= share.connections_max);
                assert_int_equal(share.idle, share.connections_max == 0);
                sum += share.connections;
                sum_most += share.connections_max;
                amount += open ? 0 : share.amount;
            }
        }
        assert_int_equal(sum, connections);
        assert_int_equal(sum_most, open ? most : connections);
        assert_int_equal(amount, open ? 0 : arrival.amount);
    }
}

/* Of values that are used in turn each is somebody's, and only his. */
static void values_are_divided(void **state)
{
    (void)state;
    enum { ROWS = 600 };
    const struct sonde_arrival arrival = {.rate = 5, .duration_seconds = 9, .amount = NONE};
    for (size_t k = 0; k < SONDE_LENGTH(counts_of_runners); k++) {
        unsigned char seen[ROWS] = {0};
        for (unsigned i = 0; i < counts_of_runners[k]; i++) {
            const struct sonde_load_plan plan =
                plan_of(&arrival, 1000, 1000, i, counts_of_runners[k]);
            for (unsigned t = 0; t < sonde_load_share_threads(&plan); t++) {
                const struct sonde_load_share share = sonde_load_share_of(&plan, t);
                struct sonde_load_draw draw;
                sonde_load_draw_init(&draw, ROWS, true, share.part, share.parts, 1);
                for (uint64_t n = share.part; n < ROWS; n += share.parts) {
                    uint64_t row = sonde_load_draw_next(&draw);
                    assert_in_range(row, 0, ROWS - 1);
                    seen[row]++;
                }
            }
        }
        for (size_t row = 0; row < ROWS; row++) {
            assert_int_equal(seen[row], 1);
        }
    }
}

/* Of a closed model: the others have all of it. */
static void whoever_has_no_connection_is_idle(void **state)
{
    (void)state;
    const struct sonde_arrival amount = {.rate = NONE, .duration_seconds = NONE, .amount = 100};
    const struct sonde_arrival time = {.rate = NONE, .duration_seconds = 5, .amount = NONE};
    const struct sonde_load_plan last = plan_of(&amount, 3, 3, 3, 4);
    const struct sonde_load_plan third = plan_of(&amount, 3, 3, 2, 4);
    const struct sonde_load_plan timed = plan_of(&time, 3, 3, 3, 4);
    assert_int_equal(sonde_load_share_threads(&last), 1);
    assert_true(sonde_load_share_of(&last, 0).idle);
    assert_int_equal(sonde_load_share_of(&last, 0).amount, 0);
    assert_int_equal(sonde_load_share_of(&third, 0).amount, 33);
    assert_true(sonde_load_share_of(&timed, 0).idle);
    assert_true(sonde_load_share_of(&timed, 0).amount == UINT64_MAX);
}

/* One that takes another's place has what that one has left. */
static void what_was_sent_is_not_sent_again(void **state)
{
    (void)state;
    const struct sonde_arrival arrival = {.rate = NONE, .duration_seconds = NONE, .amount = 100};
    struct sonde_load_plan plan = plan_of(&arrival, 20, 20, 1, 3);
    const struct {
        uint64_t before, left;
    } cases[] = {{0, 33}, {1, 32}, {32, 1}, {33, 0}, {34, 0}, {UINT64_MAX, 0}};
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        uint64_t left = 0;
        plan.sent_before = cases[i].before;
        for (unsigned k = 0; k < sonde_load_share_threads(&plan); k++) {
            left += sonde_load_share_of(&plan, k).amount;
        }
        assert_int_equal(left, cases[i].left);
    }
}

/* One alone is as it was without others. */
static void one_alone_has_all(void **state)
{
    (void)state;
    const struct sonde_arrival arrival = {.rate = 9, .duration_seconds = 5, .amount = NONE};
    struct sonde_load_plan plan = plan_of(&arrival, 7, 50, 0, 0);
    plan.threads = 4;
    assert_int_equal(sonde_load_share_threads(&plan), 4);
    const struct sonde_load_share share = sonde_load_share_of(&plan, 3);
    assert_int_equal(share.part, 3);
    assert_int_equal(share.parts, 4);
    assert_int_equal(share.connections, 1);
    assert_int_equal(share.connections_max, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_runners_are_one_train),
        cmocka_unit_test(poisson_streams_are_independent),
        cmocka_unit_test(connections_and_amounts_add_up),
        cmocka_unit_test(values_are_divided),
        cmocka_unit_test(whoever_has_no_connection_is_idle),
        cmocka_unit_test(what_was_sent_is_not_sent_again),
        cmocka_unit_test(one_alone_has_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
