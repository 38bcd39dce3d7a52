/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "schedule/plan.h"
#include "seed.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

static const struct sonde_zone utc = {.rule = {.known = true}};

static struct sonde_cron cron_of(const char *schedule)
{
    struct sonde_cron cron;
    assert_int_equal(sonde_cron_parse(sonde_str(schedule), &cron, NULL), 0);
    return cron;
}

/* Each day at 02:00, made on day 0; `last` is in seconds, −1: it never fired. */
static void a_nightly_schedule(void **state)
{
    (void)state;
    static const struct {
        int64_t last, now;
        enum sonde_schedule_policy policy;
        bool suspended;
        size_t active;
        enum sonde_schedule_action action;
        bool replaces;
        size_t missed;
        int64_t firing, wake;
    } cases[] = {
        {-1, HOUR, 0, false, 0, SONDE_SCHEDULE_WAIT, false, 0, 0, 2 * HOUR},
        {-1, 2 * HOUR, 0, false, 0, SONDE_SCHEDULE_FIRE, false, 0, 2 * HOUR, DAY + 2 * HOUR},
        {2 * HOUR, 2 * HOUR, 0, false, 0, SONDE_SCHEDULE_WAIT, false, 0, 0, DAY + 2 * HOUR},
        {-1, 3 * HOUR, 0, false, 0, SONDE_SCHEDULE_FIRE, false, 0, 2 * HOUR, DAY + 2 * HOUR},
        /* An hour late at most. */
        {-1, 3 * HOUR + 1, 0, false, 0, SONDE_SCHEDULE_MISS, false, 1, 2 * HOUR, DAY + 2 * HOUR},
        /* Nobody looked for three days. */
        {2 * HOUR, 4 * DAY + 2 * HOUR, 0, false, 0, SONDE_SCHEDULE_FIRE, false, 3,
         4 * DAY + 2 * HOUR, 5 * DAY + 2 * HOUR},
        {2 * HOUR, 4 * DAY, 0, false, 0, SONDE_SCHEDULE_MISS, false, 3, 3 * DAY + 2 * HOUR,
         4 * DAY + 2 * HOUR},
        /* The last one still runs. */
        {2 * HOUR, DAY + 2 * HOUR, SONDE_SCHEDULE_ALLOW, false, 1, SONDE_SCHEDULE_FIRE, false, 0,
         DAY + 2 * HOUR, 2 * DAY + 2 * HOUR},
        {2 * HOUR, DAY + 2 * HOUR, SONDE_SCHEDULE_FORBID, false, 1, SONDE_SCHEDULE_HOLD, false, 0,
         DAY + 2 * HOUR, DAY + 3 * HOUR + 1},
        {2 * HOUR, DAY + 3 * HOUR + 1, SONDE_SCHEDULE_FORBID, false, 1, SONDE_SCHEDULE_MISS, false,
         1, DAY + 2 * HOUR, 2 * DAY + 2 * HOUR},
        {2 * HOUR, DAY + 2 * HOUR, SONDE_SCHEDULE_REPLACE, false, 1, SONDE_SCHEDULE_FIRE, true, 0,
         DAY + 2 * HOUR, 2 * DAY + 2 * HOUR},
        {2 * HOUR, DAY + 2 * HOUR, SONDE_SCHEDULE_REPLACE, false, 0, SONDE_SCHEDULE_FIRE, false, 0,
         DAY + 2 * HOUR, 2 * DAY + 2 * HOUR},
        {2 * HOUR, DAY + 2 * HOUR, 0, true, 0, SONDE_SCHEDULE_WAIT, false, 0, 0, INT64_MAX},
    };
    const struct sonde_cron cron = cron_of("0 2 * * *");
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        const struct sonde_schedule_state own = {
            .cron = &cron,
            .zone = &utc,
            .uid = SONDE_STR("uid"),
            .last_s = cases[i].last < 0 ? INT64_MIN : cases[i].last,
            .starting_deadline_s = HOUR,
            .policy = cases[i].policy,
            .suspended = cases[i].suspended,
            .active = cases[i].active,
        };
        struct sonde_schedule_plan plan;
        sonde_schedule_plan(&own, cases[i].now, &plan);
        bool good = plan.action == cases[i].action && plan.replaces == cases[i].replaces &&
                    plan.missed == cases[i].missed && plan.wake_s == cases[i].wake &&
                    (plan.action == SONDE_SCHEDULE_WAIT || plan.firing_s == cases[i].firing);
        if (!good) {
            fail_msg("case %zu: action %d, replaces %d, missed %zu, firing %lld, wake %lld", i,
                     (int)plan.action, plan.replaces, plan.missed, (long long)plan.firing_s,
                     (long long)plan.wake_s);
        }
    }
}

static void a_year_of_minutes_costs_little(void **state)
{
    (void)state;
    const struct sonde_cron cron = cron_of("* * * * *");
    const struct sonde_schedule_state own = {
        .cron = &cron, .zone = &utc, .last_s = INT64_MIN, .starting_deadline_s = 366 * DAY};
    struct sonde_schedule_plan plan;
    sonde_schedule_plan(&own, 365 * DAY + 30, &plan);
    assert_int_equal(plan.action, SONDE_SCHEDULE_FIRE);
    assert_true(plan.firing_s == 365 * DAY);
    assert_int_equal(plan.missed, SONDE_SCHEDULE_MISSED_MAX);
}

static void what_never_fires_never_wakes(void **state)
{
    (void)state;
    const struct sonde_cron cron = cron_of("0 0 30 2 *");
    const struct sonde_schedule_state own = {.cron = &cron, .zone = &utc, .last_s = INT64_MIN};
    struct sonde_schedule_plan plan;
    sonde_schedule_plan(&own, DAY, &plan);
    assert_int_equal(plan.action, SONDE_SCHEDULE_WAIT);
    assert_true(plan.wake_s == INT64_MAX && plan.next_s == INT64_MAX);
}

/* Whoever asks when he is told to serves each firing once, in order and in its time, whatever the
 * jitter is. */
static void each_firing_is_served_once(void **state)
{
    (void)state;
    enum { SCHEDULES = 200, ROUNDS = 50 };
    static const char *const schedules[] = {"* * * * *",    "*/7 * * * *", "0 * * * *",
                                            "30 2 * * *",   "0 0 * * 1-5", "0 12 1,15 * *",
                                            "5,6,7 3 * * *"};
    uint64_t seed = test_seed();
    for (int i = 0; i < SCHEDULES; i++) {
        const struct sonde_cron cron =
            cron_of(schedules[sonde_random_next(&seed) % SONDE_LENGTH(schedules)]);
        int64_t now = (int64_t)(sonde_random_next(&seed) % (1000 * DAY));
        struct sonde_schedule_state own = {
            .cron = &cron,
            .zone = &utc,
            .uid = SONDE_STR("uid"),
            .created_s = now,
            .last_s = INT64_MIN,
            .jitter_s = (int64_t)(sonde_random_next(&seed) % DAY),
            .starting_deadline_s = 10,
        };
        int64_t expected = sonde_firing_after(&cron, &utc, now);
        for (int round = 0; round < ROUNDS; round++) {
            struct sonde_schedule_plan plan;
            sonde_schedule_plan(&own, now, &plan);
            if (plan.action == SONDE_SCHEDULE_WAIT) {
                /* Whoever asks before that is told the same. */
                int64_t wake = plan.wake_s;
                assert_true(wake > now);
                now += (int64_t)(sonde_random_next(&seed) % (uint64_t)(wake - now));
                sonde_schedule_plan(&own, now, &plan);
                assert_int_equal(plan.action, SONDE_SCHEDULE_WAIT);
                assert_true(plan.wake_s == wake);
                now = wake;
                continue;
            }
            assert_int_equal(plan.action, SONDE_SCHEDULE_FIRE);
            assert_true(plan.firing_s == expected);
            assert_int_equal(plan.missed, 0);
            expected = sonde_firing_after(&cron, &utc, expected);
            assert_true(now < expected && now - plan.firing_s <= own.jitter_s);
            own.last_s = plan.firing_s;
        }
        assert_true(own.last_s != INT64_MIN);
    }
}

static void the_oldest_are_too_many(void **state)
{
    (void)state;
    struct sonde_schedule_past runs[] = {
        {1, true, NULL, false}, {6, false, NULL, false}, {3, true, NULL, false},
        {5, true, NULL, false}, {4, false, NULL, false}, {2, false, NULL, false},
    };
    sonde_schedule_prune(runs, SONDE_LENGTH(runs), 2, 1);
    static const struct {
        int64_t firing;
        bool surplus;
    } expected[] = {{6, false}, {5, false}, {4, true}, {3, false}, {2, true}, {1, true}};
    for (size_t i = 0; i < SONDE_LENGTH(runs); i++) {
        assert_true(runs[i].firing_s == expected[i].firing);
        assert_int_equal(runs[i].surplus, expected[i].surplus);
    }
    sonde_schedule_prune(runs, SONDE_LENGTH(runs), 0, 0);
    assert_true(runs[0].surplus && runs[1].surplus);
    sonde_schedule_prune(NULL, 0, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_nightly_schedule),
        cmocka_unit_test(a_year_of_minutes_costs_little),
        cmocka_unit_test(what_never_fires_never_wakes),
        cmocka_unit_test(each_firing_is_served_once),
        cmocka_unit_test(the_oldest_are_too_many),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
