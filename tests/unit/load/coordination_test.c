/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "coordination_sim.h"
#include "load/archive.h"

static const struct sim_second calm = {.requests = 20};

static void seconds_of_any_number_of_runners_are_added_exactly(void **state)
{
    (void)state;
    static const unsigned counts[] = {1, 3, 8, 100};
    static const struct sonde_load_label labels[] = {{SONDE_LOAD_OF_NAME, "one"},
                                                     {SONDE_LOAD_OF_NAME, "two"}};
    for (size_t i = 0; i < SONDE_LENGTH(counts); i++) {
        struct sim sim;
        unsigned count = counts[i];
        sim_begin(&sim, count, "  thresholds: ['http_req_duration: p(99)<250']\n");
        sim.labels = labels;
        sim.label_count = i % 2 ? SONDE_LENGTH(labels) : 0;
        struct sonde_load_answer_ready answer = sim_start(&sim, count, 0);
        assert_int_equal(answer.kind, SONDE_LOAD_BEGIN);
        assert_true(answer.start_us >= sim.now_us + SONDE_LOAD_NOTICE_US);
        /* All are told the same, whenever they ask. */
        assert_int_equal(sim_ready(&sim, 0, 0).start_us, answer.start_us);
        sim_send_all(&sim, count, 5);
        assert_int_equal(sim_state(&sim).seconds, 5);
        assert_int_equal(sim_state(&sim).active, count);
        sim_all_done(&sim, count);
        assert_int_equal(sim_state(&sim).phase, SONDE_LOAD_ENDED);
        struct sonde_load_conclusion end = sim_conclude(&sim);
        assert_true(end.succeeded);
        assert_string_equal(end.reason, "Completed");
        sim_must_be_sum(&sim, end.result);
        assert_int_equal(end.result->intervals.count, 5);
        assert_int_equal(end.result->asked.threads, 2 * count);
        for (size_t k = 0; k < sim.label_count; k++) {
            assert_true(end.result->tally.parts[k].answered > 0);
        }
        sim_end(&sim);
    }
}

/* Runners send at any time, one of them far behind; what is complete is the same. */
static void the_order_of_arrival_does_not_matter(void **state)
{
    (void)state;
    enum { RUNNERS = 5, SECONDS = 40 };
    struct sim sim;
    unsigned left[RUNNERS];
    sim_begin(&sim, RUNNERS, "");
    (void)sim_start(&sim, RUNNERS, 0);
    for (unsigned i = 0; i < RUNNERS; i++) {
        left[i] = SECONDS;
    }
    for (unsigned sum = RUNNERS * SECONDS; sum; sum--) {
        unsigned at = (unsigned)(sonde_random_next(&sim.random) % RUNNERS);
        while (left[at] == 0) {
            at = (at + 1) % RUNNERS;
        }
        const struct sim_second own = {.requests = 5 + at};
        (void)sim_second(&sim, at, &own);
        left[at]--;
        unsigned most = 0;
        for (unsigned i = 0; i < RUNNERS; i++) {
            most = left[i] > most ? left[i] : most;
        }
        assert_int_equal(sim_state(&sim).seconds, SECONDS - most);
        if (sum % 37 == 0) {
            sim_restart(&sim);
        }
    }
    sim_all_done(&sim, RUNNERS);
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_true(end.succeeded);
    sim_must_be_sum(&sim, end.result);
    assert_int_equal(end.result->intervals.count, SECONDS);
    sim_end(&sim);
}

static void what_comes_twice_counts_once_and_a_gap_is_refused(void **state)
{
    (void)state;
    struct sim sim;
    bool stop;
    sim_begin(&sim, 2, "");
    (void)sim_start(&sim, 2, 0);
    (void)sim_second(&sim, 0, &calm);
    sim.runners[0].sequence = 0;
    assert_int_equal(sim_send(&sim, 0, &calm, &stop), 0);
    assert_int_equal(sim.runners[0].sequence, 0); /* nothing has changed */
    assert_false(stop);
    sim.runners[0].sequence = 2;
    assert_int_equal(sim_send(&sim, 0, &calm, &stop), SONDE_EGONE);
    sim.runners[0].sequence = 1;
    (void)sim_second(&sim, 0, &calm);
    (void)sim_second(&sim, 1, &calm);
    (void)sim_second(&sim, 1, &calm);
    sim_all_done(&sim, 2);
    assert_int_equal(sim.all.sent, 80);
    sim_must_be_sum(&sim, sim_conclude(&sim).result);
    /* What comes after the end is not taken. */
    assert_int_equal(sim_send(&sim, 0, &calm, &stop), SONDE_ECONFLICT);
    sim_end(&sim);
}

static void nobody_is_waited_for_without_bounds(void **state)
{
    (void)state;
    struct sim sim;
    bool stop;
    int r = 0;
    sim_begin(&sim, 2, "");
    (void)sim_start(&sim, 2, 0);
    unsigned sent = 0;
    while ((r = sim_send(&sim, 0, &calm, &stop)) == 0) {
        sent++;
        assert_true(sent < 1000);
    }
    assert_int_equal(r, SONDE_EBUSY);
    assert_int_equal(sent, SONDE_LOAD_LEAD_MAX);
    /* Whoever is behind is always taken, and makes room. */
    (void)sim_second(&sim, 1, &calm);
    assert_int_equal(sim_send(&sim, 0, &calm, &stop), 0);
    sim_end(&sim);
}

static void a_broken_threshold_stops_all(void **state)
{
    (void)state;
    struct sim sim;
    sim_begin(&sim, 3, "  abortOnFail: ['http_req_duration: p(99)<50']\n  delayAbortSeconds: 4\n");
    (void)sim_start(&sim, 3, 0);
    const struct sim_second slow = {.requests = 50, .latency_us = 100000};
    for (unsigned second = 1; second <= 3; second++) {
        for (unsigned i = 0; i < 3; i++) {
            assert_false(sim_second(&sim, i, &slow));
        }
    }
    assert_false(sim_second(&sim, 0, &slow));
    assert_false(sim_second(&sim, 1, &slow));
    assert_false(sonde_load_coordination_stops(sim.c, 0));
    assert_true(sim_second(&sim, 2, &slow)); /* the fourth is complete */
    assert_true(sonde_load_coordination_stops(sim.c, 0));
    assert_true(sim_second(&sim, 0, &slow));
    sim_restart(&sim);
    assert_true(sonde_load_coordination_stops(sim.c, 0));
    sim_all_done(&sim, 3);
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_false(end.succeeded);
    assert_string_equal(end.reason, "ThresholdBroken");
    assert_string_equal(end.message, "http_req_duration: p(99)<50");
    assert_true(end.result->stopped);
    sim_must_be_sum(&sim, end.result);
    sim_end(&sim);
}

/* The answers to what was under way when they were told, may be good ones. */
static void what_stopped_all_stays_broken(void **state)
{
    (void)state;
    struct sim sim;
    sim_begin(&sim, 2, "  abortOnFail: ['http_req_failed: rate<0.1']\n  delayAbortSeconds: 1\n");
    (void)sim_start(&sim, 2, 0);
    const struct sim_second bad = {.requests = 10, .failed = 2};
    const struct sim_second good = {.requests = 100};
    (void)sim_second(&sim, 0, &bad);
    assert_true(sim_second(&sim, 1, &bad));
    sim_restart(&sim);
    (void)sim_second(&sim, 0, &good);
    (void)sim_second(&sim, 1, &good);
    sim_all_done(&sim, 2);
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_string_equal(end.reason, "ThresholdBroken");
    assert_string_equal(end.message, "http_req_failed: rate<0.1");
    assert_true(fabs(end.result->verdicts[0].statistic - 0.2) < 1e-9); /* when it broke */
    sim_must_be_sum(&sim, end.result);
    sim_end(&sim);
}

static void totals_that_do_not_fit_fail_the_test(void **state)
{
    (void)state;
    struct sim sim;
    sim_begin(&sim, 2, "");
    (void)sim_start(&sim, 2, 0);
    sim_send_all(&sim, 2, 3);
    sim.runners[1].totals.answered++;
    sim_all_done(&sim, 2);
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_false(end.succeeded);
    assert_string_equal(end.reason, "Inconsistent");
    assert_non_null(strstr(end.message, "runner-1"));
    assert_false(end.result->validity.valid);
    sim_end(&sim);
}

static void labels_that_differ_fail_the_test(void **state)
{
    (void)state;
    static const struct sonde_load_label labels[] = {{SONDE_LOAD_OF_NAME, "one"}};
    struct sim sim;
    sim_begin(&sim, 2, "");
    (void)sim_ready(&sim, 0, 0);
    sim.labels = labels;
    sim.label_count = 1;
    struct sonde_load_answer_ready answer = sim_ready(&sim, 1, 0);
    assert_int_equal(answer.kind, SONDE_LOAD_OVER);
    assert_string_equal(answer.reason, "Inconsistent");
    assert_int_equal(sim_ready(&sim, 0, 0).kind, SONDE_LOAD_OVER);
    assert_string_equal(sim_conclude(&sim).reason, "Inconsistent");
    sim_end(&sim);
}

static void a_runner_that_cannot_be_believed_makes_the_test_invalid(void **state)
{
    (void)state;
    static const struct {
        int64_t cpu_us, throttled_us;
        const char *invalid, *expected;
        uint64_t unsent; /* of each runner at last */
    } rows[] = {
        {19500000, 0, "", "runner-1: our threads used 98 % of a CPU each", 0},
        {0, 900000, "", "runner-1: we were throttled for 9.0 % of the time", 0},
        {0, 900000, "", "runner-1: we were throttled for 9.0 % of the time", 50},
        {0, 0, "", "% of the requests could not be sent", 50},
        {0, 0, "its clock jumped", "runner-1: its clock jumped", 0},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sim sim;
        struct sonde_err err;
        bool changed;
        bool next;
        sim_begin(&sim, 2, "  thresholds: ['http_req_duration: p(99)<250']\n");
        (void)sim_start(&sim, 2, 0);
        sim_send_all(&sim, 2, 9);
        for (unsigned k = 0; k < 2; k++) {
            const struct sim_second last = {.requests = 20, .unsent = rows[i].unsent};
            (void)sim_second(&sim, k, &last);
        }
        (void)sim_done(&sim, 0, 0);
        struct sonde_load_done done = sim.runners[1].totals;
        done.runner = 1;
        done.intervals = 10;
        done.duration_us = 10 * SIM_SECOND;
        done.threads = 2;
        done.cpu_us = rows[i].cpu_us;
        done.throttled_us = rows[i].throttled_us;
        done.invalid = rows[i].invalid;
        assert_int_equal(
            sonde_load_coordination_done(sim.c, &done, sim.now_us, &next, &changed, &err), 0);
        struct sonde_load_conclusion end = sim_conclude(&sim);
        assert_string_equal(end.reason, "Invalid");
        assert_non_null(strstr(end.message, rows[i].expected));
        sim_end(&sim);
    }
}

/* More than can be is no more than could be. */
static void what_a_runner_says_of_its_time_is_bounded(void **state)
{
    (void)state;
    enum { RUNNERS = 100 };
    static const int64_t forever_us = INT64_C(400) * 86400 * SIM_SECOND;
    struct sim sim;
    struct sonde_err err;
    bool changed;
    bool next;
    sim_begin(&sim, RUNNERS, "");
    (void)sim_start(&sim, RUNNERS, 0);
    sim_send_all(&sim, RUNNERS, 10);
    for (unsigned i = 0; i < RUNNERS; i++) {
        struct sonde_load_done done = sim.runners[i].totals;
        done.runner = i;
        done.intervals = 10;
        done.duration_us = forever_us;
        done.threads = 256;
        done.cpu_us = done.throttled_us = 256 * forever_us;
        done.invalid = "";
        assert_int_equal(
            sonde_load_coordination_done(sim.c, &done, sim.now_us, &next, &changed, &err), 0);
    }
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_in_range(end.result->duration_ns, 9 * SONDE_SECOND, 11 * SONDE_SECOND);
    assert_in_range(end.result->cpu_ns, 0, INT64_C(256) * RUNNERS * 11 * SONDE_SECOND);
    assert_in_range(end.result->throttled_ns, 0, INT64_C(256) * RUNNERS * 11 * SONDE_SECOND);
    assert_string_equal(end.reason, "Invalid");
    sim_end(&sim);
}

/* A closed loop has no request that was due. */
static void a_runner_that_begins_late_makes_the_test_invalid(void **state)
{
    (void)state;
    static const struct {
        int64_t late_us;
        const char *reason, *message;
    } rows[] = {
        {900000, "Completed", ""},
        {1100000, "Completed", ""}, /* of 60 s, and of one of three */
        {5000000, "Invalid", "runner-1 began 5.0 s late"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sim sim;
        sim_begin(&sim, 3, "  arrival: {durationSeconds: 60}\n");
        (void)sim_start(&sim, 3, 0);
        for (int64_t second = 1; second <= 60; second++) {
            for (unsigned k = 0; k < 3; k++) {
                const struct sim_second own = {.requests = 10,
                                               .end_us = second * SIM_SECOND,
                                               .started_us = k == 1 ? rows[i].late_us : 300};
                if (own.end_us > own.started_us) {
                    (void)sim_second(&sim, k, &own);
                }
            }
            sim.now_us += SIM_SECOND;
        }
        sim_all_done(&sim, 3);
        struct sonde_load_conclusion end = sim_conclude(&sim);
        assert_string_equal(end.reason, rows[i].reason);
        assert_non_null(strstr(end.message, rows[i].message));
        assert_int_equal(end.start_skew_us, rows[i].late_us - 300);
        sim_end(&sim);
    }
}

/* The store was away for long between naming the start and telling it. */
static void runners_that_begin_minutes_late_do_not_wait_for_themselves(void **state)
{
    (void)state;
    enum { LATE = 2 * SONDE_LOAD_LEAD_MAX };
    struct sim sim;
    sim_begin(&sim, 2, "");
    (void)sim_start(&sim, 2, 0);
    const struct sim_second future = {.end_us = (LATE + 1) * (int64_t)SIM_SECOND};
    bool stop;
    assert_int_equal(sim_send(&sim, 0, &future, &stop), SONDE_EBUSY); /* it has not been yet */
    sim.now_us = sim.start_us + LATE * (int64_t)SIM_SECOND;
    for (int64_t second = LATE + 1; second <= LATE + 5; second++) {
        for (unsigned i = 0; i < 2; i++) {
            const struct sim_second own = {.requests = 10,
                                           .unsent = second == LATE + 1 ? 1000 : 0,
                                           .end_us = second * SIM_SECOND,
                                           .started_us = LATE * (int64_t)SIM_SECOND};
            (void)sim_second(&sim, i, &own);
        }
        sim.now_us += SIM_SECOND;
    }
    assert_int_equal(sim_state(&sim).seconds, LATE + 5);
    sim_all_done(&sim, 2);
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_string_equal(end.reason, "Invalid");
    sim_must_be_sum(&sim, end.result);
    sim_end(&sim);
}

/* ---- the end before the end ---- */

static void a_deadline_ends_it(void **state)
{
    (void)state;
    struct sim sim;
    struct sonde_err err;
    bool changed;
    sim_begin(&sim, 1, "  activeDeadlineSeconds: 700\n");
    (void)sim_start(&sim, 1, 0);
    sim_send_all(&sim, 1, 3);
    assert_int_equal(sonde_load_coordination_expire(sim.c, sim.now_us, &changed, &err), 0);
    assert_false(changed);
    sim.now_us += 700 * (int64_t)SIM_SECOND;
    assert_int_equal(sonde_load_coordination_expire(sim.c, sim.now_us, &changed, &err), 0);
    assert_true(changed);
    assert_true(sonde_load_coordination_stops(sim.c, 0));
    (void)sim_done(&sim, 0, 0);
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_string_equal(end.reason, "DeadlineExceeded");
    assert_false(end.result->validity.valid);
    sim_end(&sim);
}

static void it_can_be_cancelled_at_any_time(void **state)
{
    (void)state;
    for (int begun = 0; begun < 2; begun++) {
        struct sim sim;
        struct sonde_err err;
        bool changed;
        sim_begin(&sim, 2, "");
        if (begun) {
            (void)sim_start(&sim, 2, 0);
            sim_send_all(&sim, 2, 2);
        }
        assert_int_equal(sonde_load_coordination_cancel(sim.c, sim.now_us, &changed, &err), 0);
        assert_true(changed);
        assert_true(sonde_load_coordination_stops(sim.c, 0));
        assert_int_equal(sonde_load_coordination_cancel(sim.c, sim.now_us, &changed, &err), 0);
        assert_false(changed);
        if (begun) {
            sim_all_done(&sim, 2);
        }
        struct sonde_load_answer_ready over = sim_ready(&sim, 0, 0);
        assert_int_equal(over.kind, SONDE_LOAD_OVER);
        assert_string_equal(over.reason, "Cancelled");
        assert_string_equal(over.message, "it was cancelled");
        struct sonde_load_conclusion end = sim_conclude(&sim);
        assert_string_equal(end.reason, "Cancelled");
        assert_true(begun ? end.result != NULL : end.result == NULL);
        sim_end(&sim);
    }
}

static void what_is_ended_in_the_middle_has_no_good_verdict(void **state)
{
    (void)state;
    struct sim sim;
    sim_begin(&sim, 2, "");
    (void)sim_start(&sim, 2, 0);
    sim_send_all(&sim, 2, 3);
    (void)sim_second(&sim, 0, &calm);
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_false(end.succeeded);
    assert_string_equal(end.reason, "Interrupted");
    sim_must_be_sum(&sim, end.result); /* with the second that one alone has sent */
    assert_false(end.result->validity.valid);
    sim_end(&sim);
}

/* ---- search, profile, warm-up ---- */

/* The service keeps up to 500 a second. */
static void search_by_rounds(const char *more)
{
    struct sim sim;
    unsigned round = 0;
    char spec[512];
    (void)snprintf(spec, sizeof(spec),
                   "  search: {startRate: 100, maxRate: 10000, trialSeconds: 10, "
                   "precisionPercent: 10}\n  thresholds: ['http_req_duration: p(99)<50']\n%s",
                   more);
    sim_begin(&sim, 2, spec);
    for (bool next = true; next; round++) {
        struct sonde_load_answer_ready answer = sim_start(&sim, 2, round);
        assert_int_equal(answer.kind, SONDE_LOAD_BEGIN);
        assert_int_equal(answer.round, round);
        assert_true(answer.is_search);
        assert_int_equal(answer.warm_up_seconds, round ? 1 : 0);
        const struct sim_second own = {.round = round,
                                       .requests = (uint64_t)answer.rate / 2,
                                       .latency_us = answer.rate > 500 ? 80000 : 1000};
        for (int64_t second = 0; second < answer.seconds; second++) {
            for (unsigned i = 0; i < 2; i++) {
                (void)sim_second(&sim, i, &own);
            }
        }
        if (round == 3) {
            sim_restart(&sim);
        }
        next = sim_done(&sim, 0, round);
        assert_true(next);
        /* Who is done waits for the others. */
        assert_int_equal(sim_ready(&sim, 0, round + 1).kind, SONDE_LOAD_WAIT);
        next = sim_done(&sim, 1, round);
        assert_true(round < 100);
    }
    struct sonde_load_answer_ready over = sim_ready(&sim, 0, round);
    assert_int_equal(over.kind, SONDE_LOAD_OVER);
    assert_string_equal(over.reason, ""); /* it has gone well */
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_true(end.succeeded);
    struct sonde_load_search_result found = sonde_load_search_result(end.result->search);
    assert_int_equal(found.end, SONDE_LOAD_SEARCH_FOUND);
    assert_in_range(found.lower, 440, 500);
    /* The result is that of a trial at the rate that was found. */
    assert_int_equal(end.result->asked.arrival.rate, found.lower);
    assert_true(end.result->verdicts[0].keeps);
    sim_end(&sim);
}

static void a_search_goes_by_rounds(void **state)
{
    (void)state;
    search_by_rounds("");
    /* What ends a trial does not end those after it. */
    search_by_rounds("  abortOnFail: ['http_req_duration: p(99)<50']\n  delayAbortSeconds: 2\n");
}

static void a_profile_is_due_when_it_is_steady(void **state)
{
    (void)state;
    struct sim sim;
    sim_begin(&sim, 1,
              "  profile: {target: {podName: p}, captures: [{name: cpu, type: CPUProfile, "
              "durationSeconds: 30}]}\n");
    (void)sim_start(&sim, 1, 0);
    for (unsigned second = 0; second < 60 && !sim_state(&sim).profile_due; second++) {
        const struct sim_second own = {.requests = 200};
        (void)sim_second(&sim, 0, &own);
    }
    assert_true(sim_state(&sim).profile_due);
    assert_in_range(sim_state(&sim).seconds, 20, 45);
    sim_restart(&sim);
    assert_true(sim_state(&sim).profile_due);
    sim_end(&sim);
}

static void a_warm_up_is_counted_apart(void **state)
{
    (void)state;
    struct sim sim;
    sim_begin(&sim, 2, "  warmUpSeconds: 2\n");
    assert_int_equal(sim_start(&sim, 2, 0).warm_up_seconds, 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct sim_second warm = {.requests = 33, .warm_up = true, .started_us = 500 * i};
        (void)sim_second(&sim, i, &warm);
        (void)sim_second(&sim, i, &warm);
        for (int64_t second = 1; second <= 3; second++) {
            const struct sim_second own = {.requests = 10, .end_us = second * SIM_SECOND};
            (void)sim_second(&sim, i, &own);
        }
    }
    assert_int_equal(sim_state(&sim).seconds, 3);
    sim_restart(&sim);
    sim_all_done(&sim, 2);
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_int_equal(end.result->warm_up.sent, 132);
    assert_int_equal(end.result->tally.sent, 60);
    assert_int_equal(end.start_skew_us, 500);
    sim_must_be_sum(&sim, end.result);
    sim_end(&sim);
}

/* A runner that stood still sends two seconds in one, and a part of one at the end. */
static void seconds_are_told_by_their_end(void **state)
{
    (void)state;
    struct sim sim;
    static const int64_t ends[2][4] = {{1003000, 2001000, 3000000, 4000000},
                                       {999000, 0, 3010000, 4300000}};
    sim_begin(&sim, 2, "");
    (void)sim_start(&sim, 2, 0);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 0; k < 2; k++) {
            const struct sim_second own = {.requests = 10, .end_us = ends[k][i]};
            if (ends[k][i]) {
                (void)sim_second(&sim, k, &own);
            }
        }
    }
    assert_int_equal(sim_state(&sim).seconds, 4);
    sim_all_done(&sim, 2);
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_true(end.succeeded);
    sim_must_be_sum(&sim, end.result);
    assert_int_equal(end.result->intervals.count, 4);
    sim_end(&sim);
}

/* ---- what is saved ---- */

/* The wait for the last answers is no second in which the service answered nothing. */
static void an_empty_wait_for_answers_is_not_told(void **state)
{
    (void)state;
    enum { SECONDS = 3 };
    static const struct sim_second nothing = {0};
    struct sim sim;
    sim_begin(&sim, 1, "  arrival: {rate: 1000, durationSeconds: 3}\n");
    (void)sim_start(&sim, 1, 0);
    sim_send_all(&sim, 1, SECONDS);
    (void)sim_second(&sim, 0, &nothing);
    assert_int_equal(sim_state(&sim).seconds, SECONDS + 1);
    assert_int_equal(sonde_load_coordination_shown(sim.c), SECONDS);
    sim_all_done(&sim, 1);
    sim_end(&sim);
}

static void what_was_saved_by_another_is_refused(void **state)
{
    (void)state;
    struct sim sim;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO saved = SONDE_BUF(16 << 20);
    SONDE_BUF_AUTO other = SONDE_BUF(16 << 20);
    sim_begin(&sim, 2, "");
    (void)sim_start(&sim, 2, 0);
    sim_send_all(&sim, 2, 3);
    assert_int_equal(sonde_load_coordination_save(sim.c, &saved, NULL), 0);
    sonde_buf_str(&other, sonde_buf_view(&saved));
    other.data[0]++;
    assert_int_equal(sonde_load_coordination_restore(sim.c, sonde_buf_view(&other), &err),
                     SONDE_EVERSION);
    for (size_t length = 1; length < saved.length; length += 1 + length / 8) {
        struct sim cut;
        sim_begin(&cut, 2, "");
        assert_int_equal(
            sonde_load_coordination_restore(cut.c, (struct sonde_str){saved.data, length}, NULL),
            SONDE_EPARSE);
        sim_end(&cut);
    }
    sim_end(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_of_any_number_of_runners_are_added_exactly),
        cmocka_unit_test(the_order_of_arrival_does_not_matter),
        cmocka_unit_test(what_comes_twice_counts_once_and_a_gap_is_refused),
        cmocka_unit_test(nobody_is_waited_for_without_bounds),
        cmocka_unit_test(a_broken_threshold_stops_all),
        cmocka_unit_test(what_stopped_all_stays_broken),
        cmocka_unit_test(totals_that_do_not_fit_fail_the_test),
        cmocka_unit_test(labels_that_differ_fail_the_test),
        cmocka_unit_test(a_runner_that_cannot_be_believed_makes_the_test_invalid),
        cmocka_unit_test(what_a_runner_says_of_its_time_is_bounded),
        cmocka_unit_test(a_runner_that_begins_late_makes_the_test_invalid),
        cmocka_unit_test(runners_that_begin_minutes_late_do_not_wait_for_themselves),
        cmocka_unit_test(a_deadline_ends_it),
        cmocka_unit_test(it_can_be_cancelled_at_any_time),
        cmocka_unit_test(what_is_ended_in_the_middle_has_no_good_verdict),
        cmocka_unit_test(a_search_goes_by_rounds),
        cmocka_unit_test(a_profile_is_due_when_it_is_steady),
        cmocka_unit_test(a_warm_up_is_counted_apart),
        cmocka_unit_test(seconds_are_told_by_their_end),
        cmocka_unit_test(an_empty_wait_for_answers_is_not_told),
        cmocka_unit_test(what_was_saved_by_another_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
