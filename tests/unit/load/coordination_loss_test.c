/* SPDX-License-Identifier: Apache-2.0 */
/* Runners that are lost, and others that take their places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordination_sim.h"

static const struct sim_second calm = {.requests = 20};

static void a_loss_under_fail_stops_the_others(void **state)
{
    (void)state;
    struct sim sim;
    sim_begin(&sim, 3, "");
    (void)sim_start(&sim, 3, 0);
    sim_send_all(&sim, 3, 4);
    assert_false(sim_lost(&sim, 1, false));
    assert_true(sonde_load_coordination_stops(sim.c, 0));
    assert_int_equal(sim_state(&sim).phase, SONDE_LOAD_RUNNING);
    (void)sim_done(&sim, 0, 0);
    (void)sim_done(&sim, 2, 0);
    assert_int_equal(sim_state(&sim).phase, SONDE_LOAD_ENDED);
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_string_equal(end.reason, "RunnerLost");
    assert_string_equal(end.message, "runner-1: evicted");
    assert_int_equal(end.lost, 1);
    sim_must_be_sum(&sim, end.result);
    sim_end(&sim);
}

static void a_loss_before_the_start_ends_the_test(void **state)
{
    (void)state;
    static const char *const policies[] = {"Fail", "Continue"};
    for (size_t i = 0; i < SONDE_LENGTH(policies); i++) {
        struct sim sim;
        char spec[64];
        (void)snprintf(spec, sizeof(spec), "  onRunnerLoss: %s\n", policies[i]);
        sim_begin(&sim, 2, spec);
        (void)sim_ready(&sim, 0, 0);
        (void)sim_lost(&sim, 1, true);
        assert_int_equal(sim_ready(&sim, 0, 0).kind, SONDE_LOAD_OVER);
        struct sonde_load_conclusion end = sim_conclude(&sim);
        assert_string_equal(end.reason, "RunnerLost");
        assert_null(end.result);
        sim_end(&sim);
    }
}

static void the_others_continue(void **state)
{
    (void)state;
    struct sim sim;
    sim_begin(&sim, 3, "  onRunnerLoss: Continue\n");
    (void)sim_start(&sim, 3, 0);
    sim_send_all(&sim, 3, 4);
    (void)sim_second(&sim, 0, &calm);
    (void)sim_second(&sim, 1, &calm);
    assert_int_equal(sim_state(&sim).seconds, 4);
    assert_false(sim_lost(&sim, 2, false));
    assert_int_equal(sim_state(&sim).seconds, 5);
    assert_false(sonde_load_coordination_stops(sim.c, 0));
    (void)sim_second(&sim, 0, &calm);
    (void)sim_second(&sim, 1, &calm);
    sim_restart(&sim);
    bool stop;
    assert_int_equal(sim_send(&sim, 2, &calm, &stop), SONDE_ECONFLICT);
    struct sonde_load_answer_ready over = sim_ready(&sim, 2, 0);
    assert_int_equal(over.kind, SONDE_LOAD_OVER);
    assert_string_equal(over.reason, "RunnerLost");
    (void)sim_done(&sim, 0, 0);
    (void)sim_done(&sim, 1, 0);
    struct sonde_load_conclusion end = sim_conclude(&sim);
    assert_true(end.succeeded);
    assert_string_equal(end.message,
                        "runner-2 was lost after 4 s, and 2 of 3 sent to the end: evicted");
    sim_must_be_sum(&sim, end.result);
    sim_end(&sim);
}

/* The gap between the two was due, and nobody sent it. */
static void another_takes_the_place(void **state)
{
    (void)state;
    struct sim sim;
    sim_begin(&sim, 2, "  onRunnerLoss: Replace\n  arrival: {rate: 200, durationSeconds: 60}\n");
    struct sonde_load_answer_ready first = sim_start(&sim, 2, 0);
    sim.now_us = first.start_us;
    sim_send_all(&sim, 2, 4); /* it is the fourth second */
    assert_true(sim_lost(&sim, 1, false));
    sim_restart(&sim);
    for (int i = 0; i < 3; i++) {
        (void)sim_second(&sim, 0, &calm);
        sim.now_us += SIM_SECOND;
    }
    assert_int_equal(sim_state(&sim).seconds, 7); /* nobody is waited for */
    sim_renew(&sim, 1);
    struct sonde_load_answer_ready answer = sim_ready(&sim, 1, 0);
    assert_int_equal(answer.kind, SONDE_LOAD_BEGIN);
    assert_int_equal(answer.start_us, first.start_us);
    assert_int_equal(answer.from_us, 8 * SIM_SECOND); /* the next whole one in half a second */
    assert_true(answer.sent > 0);
    for (unsigned second = 9; second <= 12; second++) {
        const struct sim_second own = {.requests = 5, .end_us = second * SIM_SECOND};
        (void)sim_second(&sim, 1, &own);
    }
    while (sim.runners[0].sequence < 12) {
        (void)sim_second(&sim, 0, &calm);
    }
    assert_int_equal(sim_state(&sim).seconds, 12);
    sim_all_done(&sim, 2);
    struct sonde_load_conclusion end = sim_conclude(&sim);
    /* 100 a second are its share; four seconds had nobody. */
    assert_in_range(end.result->tally.unsent, 398, 402);
    assert_int_equal(end.result->tally.sent, sim.all.sent);
    assert_string_equal(end.reason, "Invalid");
    assert_non_null(strstr(end.message, "runner-1 was lost"));
    sim_end(&sim);
}

/* A closed loop has nothing that is due: less is answered, and nothing else tells why. */
static void without_a_rate_the_time_is_missing(void **state)
{
    (void)state;
    static const struct {
        const char *arrival;
        int connections;
        int gap; /* seconds until the next whole one in half a second */
        const char *reason, *message;
    } rows[] = {
        {"durationSeconds: 120", 2, 1, "Completed", "another took its place"},
        {"durationSeconds: 120", 2, 9, "Invalid",
         "runner-1 was lost, and nobody sent in its place for 10.0 s"},
        {"durationSeconds: 120", 1, 9, "Completed", ""}, /* it has none */
        {"amount: 100000", 2, 9, "Completed", "another took its place"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sim sim;
        char spec[128];
        (void)snprintf(spec, sizeof(spec),
                       "  onRunnerLoss: Replace\n  connections: %d\n  arrival: {%s}\n",
                       rows[i].connections, rows[i].arrival);
        sim_begin(&sim, 2, spec);
        sim.now_us = sim_start(&sim, 2, 0).start_us;
        sim_send_all(&sim, 2, 4);
        assert_true(sim_lost(&sim, 1, false));
        sim.now_us += rows[i].gap * (int64_t)SIM_SECOND;
        sim_renew(&sim, 1);
        assert_int_equal(sim_ready(&sim, 1, 0).from_us, (5 + rows[i].gap) * SIM_SECOND);
        sim_restart(&sim);
        for (int64_t second = 6 + rows[i].gap; second <= 120; second++) {
            const struct sim_second own = {.requests = 20, .end_us = second * SIM_SECOND};
            (void)sim_second(&sim, 1, &own);
            while (sim.runners[0].sequence < (uint64_t)second) {
                (void)sim_second(&sim, 0, &calm);
            }
        }
        sim_all_done(&sim, 2);
        struct sonde_load_conclusion end = sim_conclude(&sim);
        assert_string_equal(end.reason, rows[i].reason);
        assert_non_null(strstr(end.message, rows[i].message));
        sim_end(&sim);
    }
}

/* However often it is lost: an amount has its end. */
static void no_more_is_missed_than_there_was_to_send(void **state)
{
    (void)state;
    struct sim sim;
    sim_begin(&sim, 2, "  onRunnerLoss: Replace\n  arrival: {rate: 100, amount: 1000}\n");
    sim.now_us = sim_start(&sim, 2, 0).start_us;
    for (int i = 0; i < 2; i++) {
        assert_true(sim_lost(&sim, 1, false));
        sim.now_us += 7 * (int64_t)SIM_SECOND; /* the amount takes ten */
        sim_renew(&sim, 1);
        assert_int_equal(sim_ready(&sim, 1, 0).kind, SONDE_LOAD_BEGIN);
    }
    (void)sim_done(&sim, 0, 0);
    (void)sim_done(&sim, 1, 0);
    assert_int_equal(sim_conclude(&sim).result->tally.unsent, 500);
    sim_end(&sim);
}

static bool is_told(const struct sim *sim, unsigned runner, enum sonde_load_answer_kind kind)
{
    struct sonde_load_answer_ready answer;
    return sonde_load_coordination_answer(sim->c, runner, &answer) && answer.kind == kind;
}

static bool is_there(const struct sim *sim, unsigned runner)
{
    struct sonde_load_answer_ready answer;
    return sonde_load_coordination_answer(sim->c, runner, &answer);
}

/* Whoever asks for it, may be dead by now. */
static void to_look_at_who_waits_makes_nobody_ready(void **state)
{
    (void)state;
    struct sim sim;
    sim_begin(&sim, 2, "  onRunnerLoss: Replace\n");
    assert_false(is_there(&sim, 0));
    assert_false(is_there(&sim, 2));
    (void)sim_ready(&sim, 0, 0);
    assert_true(is_told(&sim, 0, SONDE_LOAD_WAIT));
    assert_true(sim_lost(&sim, 0, false));
    assert_false(is_there(&sim, 0));
    (void)sim_ready(&sim, 1, 0);
    assert_true(is_told(&sim, 1, SONDE_LOAD_WAIT));
    assert_false(is_there(&sim, 0));
    assert_int_equal(sim_state(&sim).ready, 1);
    sim_renew(&sim, 0);
    struct sonde_load_answer_ready last = sim_ready(&sim, 0, 0);
    assert_int_equal(last.kind, SONDE_LOAD_BEGIN);
    assert_int_equal(last.from_us, 0);
    assert_true(is_told(&sim, 1, SONDE_LOAD_BEGIN));
    (void)sim_conclude(&sim);
    assert_true(is_told(&sim, 0, SONDE_LOAD_OVER));
    sim_end(&sim);
}

/* The controller says it again, not knowing that it was heard. */
static void the_loss_of_a_pod_counts_once(void **state)
{
    (void)state;
    struct sim sim;
    struct sonde_err err;
    bool changed;
    bool replaced;
    const struct sonde_load_lost lost = {.pod = "first", .reason = "", .message = "evicted"};
    sim_begin(&sim, 1, "  onRunnerLoss: Replace\n");
    sim.pod = "first";
    sim.now_us = sim_start(&sim, 1, 0).start_us;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            sonde_load_coordination_lost(sim.c, &lost, sim.now_us, &replaced, &changed, &err), 0);
        assert_true(replaced);
        assert_int_equal(changed, i == 0);
    }
    sim.pod = "second";
    assert_int_equal(sim_ready(&sim, 0, 0).kind, SONDE_LOAD_BEGIN);
    assert_int_equal(
        sonde_load_coordination_lost(sim.c, &lost, sim.now_us, &replaced, &changed, &err), 0);
    assert_false(changed);
    assert_int_equal(sim_state(&sim).active, 1);
    assert_int_equal(sim_state(&sim).lost, 1);
    sim_end(&sim);
}

static bool lose(struct sim *sim, const char *pod, bool *ret_changed)
{
    struct sonde_err err;
    bool replaced;
    const struct sonde_load_lost lost = {.pod = pod, .reason = "", .message = "evicted"};
    assert_int_equal(
        sonde_load_coordination_lost(sim->c, &lost, sim->now_us, &replaced, ret_changed, &err), 0);
    return replaced;
}

/* Its pod may have ended before it said anything, and what silence told is told by the pod later.
 */
static void the_loss_of_a_pod_that_said_nothing_counts_once(void **state)
{
    (void)state;
    static const char *const pods[] = {"first", "second", "third"};
    struct sim sim;
    bool changed;
    sim_begin(&sim, 2, "  onRunnerLoss: Replace\n");
    for (size_t i = 0; i < SONDE_LENGTH(pods); i++) {
        for (int again = 0; again < 2; again++) {
            assert_true(lose(&sim, pods[i], &changed));
            assert_int_equal(changed, again == 0);
        }
        assert_int_equal(sim_state(&sim).lost, i + 1);
    }
    assert_false(lose(&sim, "first", &changed)); /* another is awaited now */
    assert_false(changed);
    sim_restart(&sim);
    assert_true(lose(&sim, "third", &changed));
    assert_false(changed);
    sim.pod = "fourth";
    (void)sim_start(&sim, 2, 0);
    assert_true(sim_lost(&sim, 0, false)); /* of silence: nobody names the pod */
    assert_true(lose(&sim, "fourth", &changed));
    assert_false(changed);
    assert_int_equal(sim_state(&sim).lost, 4);
    sim_end(&sim);
}

static void whoever_is_not_replaced_fails_the_test(void **state)
{
    (void)state;
    struct sim sim;
    struct sonde_load_silent silent;
    sim_begin(&sim, 2, "  onRunnerLoss: Replace\n");
    (void)sim_start(&sim, 2, 0);
    sim_send_all(&sim, 2, 2);
    assert_true(sim_lost(&sim, 0, false));
    sim.now_us += 59 * (int64_t)SIM_SECOND;
    sonde_load_coordination_heard(sim.c, 1, sim.now_us);
    assert_false(sonde_load_coordination_silent(sim.c, sim.now_us, &silent));
    sim.now_us += 2 * (int64_t)SIM_SECOND;
    assert_true(sonde_load_coordination_silent(sim.c, sim.now_us, &silent));
    assert_int_equal(silent.runner, 0);
    assert_true(silent.final);
    assert_false(sim_lost(&sim, 0, true));
    assert_true(sonde_load_coordination_stops(sim.c, 0));
    (void)sim_done(&sim, 1, 0);
    assert_string_equal(sim_conclude(&sim).reason, "RunnerLost");
    sim_end(&sim);
}

/* One that says itself why it cannot go on would not do better the next time. */
static void a_last_word_is_final(void **state)
{
    (void)state;
    struct sim sim;
    sim_begin(&sim, 2, "  onRunnerLoss: Replace\n");
    (void)sim_start(&sim, 2, 0);
    assert_false(sim_lost(&sim, 0, true));
    assert_true(sonde_load_coordination_stops(sim.c, 0));
    sim_end(&sim);
}

static void silence_is_a_loss(void **state)
{
    (void)state;
    struct sim sim;
    struct sonde_load_silent silent;
    sim_begin(&sim, 2, "");
    /* The controller has its time to say why a runner is not there. */
    sim.now_us += 61 * (int64_t)SIM_SECOND;
    assert_false(sonde_load_coordination_silent(sim.c, sim.now_us, &silent));
    (void)sim_start(&sim, 2, 0);
    sim.now_us += 61 * (int64_t)SIM_SECOND;
    sonde_load_coordination_heard(sim.c, 0, sim.now_us);
    assert_true(sonde_load_coordination_silent(sim.c, sim.now_us, &silent));
    assert_int_equal(silent.runner, 1);
    assert_string_equal(silent.reason, "RunnerLost");
    assert_false(silent.final);
    /* After a restart all get their time anew. */
    sonde_load_coordination_resumed(sim.c, sim.now_us);
    assert_false(sonde_load_coordination_silent(sim.c, sim.now_us, &silent));
    sim_end(&sim);
}

/* A store that was away has not heard whether they have stopped. */
static void who_was_told_to_stop_gets_time_anew_after_a_restart(void **state)
{
    (void)state;
    struct sim sim;
    struct sonde_err err;
    struct sonde_load_silent silent;
    bool changed;
    sim_begin(&sim, 2, "");
    (void)sim_start(&sim, 2, 0);
    sim_send_all(&sim, 2, 2);
    assert_int_equal(sonde_load_coordination_cancel(sim.c, sim.now_us, &changed, &err), 0);
    sim.now_us += 61 * (int64_t)SIM_SECOND;
    sim_restart(&sim);
    sonde_load_coordination_resumed(sim.c, sim.now_us);
    assert_false(sonde_load_coordination_silent(sim.c, sim.now_us, &silent));
    for (unsigned i = 0; i < 2; i++) {
        sonde_load_coordination_heard(sim.c, i, sim.now_us + 61 * (int64_t)SIM_SECOND);
    }
    assert_true(
        sonde_load_coordination_silent(sim.c, sim.now_us + 61 * (int64_t)SIM_SECOND, &silent));
    assert_string_equal(silent.message, "it did not stop");
    sim_end(&sim);
}

/* Of two runners, whose places others take; the pods are called "first". */
static void begin_search(struct sim *sim)
{
    sim_begin(sim, 2,
              "  search: {startRate: 100, maxRate: 200, trialSeconds: 10}\n"
              "  onRunnerLoss: Replace\n  thresholds: ['http_req_duration: p(99)<50']\n");
    sim->pod = "first";
}

/* One that is done with its round is replaced in the next one. */
static void a_search_goes_on_with_another_runner(void **state)
{
    (void)state;
    struct sim sim;
    bool changed;
    begin_search(&sim);
    struct sonde_load_answer_ready answer = sim_start(&sim, 2, 0);
    const struct sim_second own = {.requests = (uint64_t)answer.rate / 2};
    for (int64_t second = 0; second < answer.seconds; second++) {
        (void)sim_second(&sim, 0, &own);
        (void)sim_second(&sim, 1, &own);
    }
    assert_true(sim_done(&sim, 0, 0));
    for (int again = 0; again < 2; again++) {
        assert_true(lose(&sim, "first", &changed));
        assert_int_equal(changed, again == 0);
    }
    sim.pod = "second";
    assert_int_equal(sim_ready(&sim, 0, 0).kind, SONDE_LOAD_WAIT);
    assert_false(lose(&sim, "first", &changed)); /* its token is another's */
    sim_restart(&sim);
    assert_true(sim_done(&sim, 1, 0));
    assert_int_equal(sim_ready(&sim, 1, 1).kind, SONDE_LOAD_WAIT);
    /* It does not know of rounds, and is told. */
    answer = sim_ready(&sim, 0, 0);
    assert_int_equal(answer.kind, SONDE_LOAD_BEGIN);
    assert_int_equal(answer.round, 1);
    assert_int_equal(sim_state(&sim).lost, 1);
    sim_end(&sim);
}

/* Pods that end before their process says anything hold up nobody. */
static void another_that_says_nothing_is_replaced_too(void **state)
{
    (void)state;
    static const char *const pods[] = {"first", "second", "third"};
    struct sim sim;
    bool changed;
    begin_search(&sim);
    (void)sim_start(&sim, 2, 0);
    assert_true(sim_done(&sim, 0, 0));
    assert_true(sonde_load_coordination_is_there(sim.c, 0));
    for (size_t i = 0; i < SONDE_LENGTH(pods); i++) {
        assert_true(lose(&sim, pods[i], &changed));
        assert_true(changed);
        assert_false(sonde_load_coordination_is_there(sim.c, 0));
    }
    sim_restart(&sim);
    assert_true(lose(&sim, "third", &changed));
    assert_false(changed);
    sim.pod = "fourth";
    assert_int_equal(sim_ready(&sim, 0, 0).kind, SONDE_LOAD_WAIT);
    assert_true(sonde_load_coordination_is_there(sim.c, 0));
    assert_false(lose(&sim, "third", &changed));
    (void)sim_done(&sim, 1, 0);
    /* Between two rounds it is there, though it has not said so of the next one. */
    assert_true(sonde_load_coordination_is_there(sim.c, 0));
    assert_false(lose(&sim, "of whom nobody knows", &changed));
    assert_false(changed);
    assert_int_equal(sim_state(&sim).lost, 3);
    sim_end(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_under_fail_stops_the_others),
        cmocka_unit_test(a_loss_before_the_start_ends_the_test),
        cmocka_unit_test(the_others_continue),
        cmocka_unit_test(another_takes_the_place),
        cmocka_unit_test(without_a_rate_the_time_is_missing),
        cmocka_unit_test(no_more_is_missed_than_there_was_to_send),
        cmocka_unit_test(to_look_at_who_waits_makes_nobody_ready),
        cmocka_unit_test(the_loss_of_a_pod_counts_once),
        cmocka_unit_test(the_loss_of_a_pod_that_said_nothing_counts_once),
        cmocka_unit_test(whoever_is_not_replaced_fails_the_test),
        cmocka_unit_test(a_last_word_is_final),
        cmocka_unit_test(silence_is_a_loss),
        cmocka_unit_test(who_was_told_to_stop_gets_time_anew_after_a_restart),
        cmocka_unit_test(a_search_goes_on_with_another_runner),
        cmocka_unit_test(another_that_says_nothing_is_replaced_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
