/* SPDX-License-Identifier: Apache-2.0 */
/* How a load test on several runners goes, and what is to be thought of it in the end. */
#include <math.h>
#include <stdio.h>

#include "load/coordination_internal.h"
#include "spec/reason.h"

/* ---- how it goes ---- */

const char *sonde_load_phase_name(enum sonde_load_phase phase)
{
    static const char *const names[] = {
        [SONDE_LOAD_WAITING] = "Waiting",
        [SONDE_LOAD_RUNNING] = "Running",
        [SONDE_LOAD_ENDED] = "Over",
    };
    return names[phase];
}

static void count_runners(const struct sonde_load_coordination *c, struct sonde_load_state *ret)
{
    ret->runners = c->count;
    ret->lost = c->loss_count;
    for (unsigned i = 0; i < c->count; i++) {
        enum runner_state state = c->runners[i].state;
        ret->ready += state == RUNNER_READY || state == RUNNER_SENDING || state == RUNNER_DONE;
        ret->active += state == RUNNER_SENDING;
    }
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

void sonde_load_coordination_state(const struct sonde_load_coordination *c,
                                   struct sonde_load_state *ret)
{
    const struct sonde_load_result *result = c->measured ? &c->result : &c->best;
    const struct sonde_load_tally *t = &result->tally;
    *ret = (struct sonde_load_state){
        .phase = c->phase,
        .round = c->round,
        .seconds = c->complete,
        .requests = t->answered,
        .error_rate = share(t->failed + t->wrong, t->failed + t->answered),
        .p50_us = c->p50_us,
        .p99_us = c->p99_us,
        .profile_due = c->profile_due,
        .stopped = c->stopping,
        .cancelled = c->cancelled,
        .reason = c->reason,
        .message = c->message,
    };
    count_runners(c, ret);
    if (c->shown_count) {
        ret->rate = (double)sonde_load_coordination_second(c, c->shown_count - 1)->answered;
    }
}

bool sonde_load_coordination_stops(const struct sonde_load_coordination *c, unsigned round)
{
    return round < c->round || c->phase == SONDE_LOAD_ENDED || (round == c->round && c->stopping);
}

uint64_t sonde_load_coordination_shown(const struct sonde_load_coordination *c)
{
    return c->shown_count;
}

const struct sonde_load_shown *
sonde_load_coordination_second(const struct sonde_load_coordination *c, uint64_t number)
{
    bool kept = number < c->shown_count && c->shown_count - number <= SONDE_LOAD_SHOWN_SECONDS;
    return kept ? &c->shown[number % SONDE_LOAD_SHOWN_SECONDS] : NULL;
}

size_t sonde_load_coordination_labels(const struct sonde_load_coordination *c)
{
    return c->label_count;
}

const struct sonde_load_verdict *
sonde_load_coordination_verdicts(const struct sonde_load_coordination *c, size_t *ret_count)
{
    *ret_count = c->verdict_count;
    return c->verdicts;
}

/* ---- the end ---- */

/* Whatever runners are doing. */
static int end_now(struct sonde_load_coordination *c, int64_t now_us, struct sonde_err *err)
{
    int r = 0;
    if (c->phase == SONDE_LOAD_ENDED) {
        return 0;
    }
    if (!c->cancelled && !c->overdue) {
        coordination_fail(c, SONDE_REASON_INTERRUPTED, now_us,
                          "it was ended before its runners had come to their end");
    }
    if (c->phase == SONDE_LOAD_RUNNING) {
        r = course_end(c, now_us, err);
    }
    c->phase = SONDE_LOAD_ENDED;
    return r;
}

static void say_losses(const struct sonde_load_coordination *c, struct sonde_load_conclusion *ret)
{
    const struct sonde_load_loss *loss = &c->losses[0];
    if (c->loss_count && loss->replaced) {
        (void)snprintf(ret->message, sizeof(ret->message),
                       "runner-%u was lost after %lld s, and another took its place: %.300s",
                       loss->runner, (long long)loss->second, loss->message);
    } else if (c->loss_count) {
        (void)snprintf(ret->message, sizeof(ret->message),
                       "runner-%u was lost after %lld s, and %u of %u sent to the end: %.300s",
                       loss->runner, (long long)loss->second, c->count - c->loss_count, c->count,
                       loss->message);
    }
}

static void say_broken(const struct sonde_load_result *result, struct sonde_load_conclusion *ret)
{
    const char *text = result->search ? "no rate is known that keeps the thresholds" : "";
    for (size_t i = result->verdict_count; i > 0; i--) {
        const struct sonde_load_verdict *own = &result->verdicts[i - 1];
        text = own->keeps ? text : own->text;
    }
    (void)snprintf(ret->message, sizeof(ret->message), "%s", text);
}

static void say(struct sonde_load_conclusion *ret, const char *reason, const char *message)
{
    (void)snprintf(ret->reason, sizeof(ret->reason), "%s", reason);
    (void)snprintf(ret->message, sizeof(ret->message), "%s", message);
}

static void refuse(struct sonde_load_result *result, const char *message)
{
    if (result && result->validity.valid) {
        result->validity.valid = false;
        (void)snprintf(result->validity.reason, sizeof(result->validity.reason), "%.250s", message);
    }
}

/* A test that is told is one of which all is known. */
static void weigh(const struct sonde_load_coordination *c, struct sonde_load_conclusion *ret)
{
    struct sonde_load_result *result = ret->result;
    if (c->failed) {
        say(ret, c->reason, c->message);
        refuse(result, c->message);
    } else if (c->cancelled) {
        say(ret, SONDE_REASON_CANCELLED, "it was cancelled");
        refuse(result, "it was cancelled");
    } else if (c->overdue) {
        char text[SONDE_LOAD_MESSAGE_SIZE];
        (void)snprintf(text, sizeof(text), "it was not over after %lld s (activeDeadlineSeconds)",
                       (long long)c->test->active_deadline_seconds);
        say(ret, SONDE_REASON_DEADLINE_EXCEEDED, text);
        refuse(result, text);
    } else if (!result) {
        say(ret, SONDE_REASON_INTERRUPTED, "nothing was measured");
    } else if (!result->validity.valid) {
        say(ret, SONDE_REASON_INVALID, result->validity.reason);
    } else if (!sonde_load_result_passes(result)) {
        say(ret, SONDE_REASON_THRESHOLD_BROKEN, "");
        say_broken(result, ret);
    } else {
        say(ret, SONDE_REASON_COMPLETED, "");
        say_losses(c, ret);
        ret->succeeded = true;
    }
}

int sonde_load_coordination_conclude(struct sonde_load_coordination *c, int64_t now_us,
                                     struct sonde_load_conclusion *ret, struct sonde_err *err)
{
    *ret = (struct sonde_load_conclusion){0};
    int r = end_now(c, now_us, err);
    if (r < 0) {
        return r;
    }
    bool best = c->best_rate && c->best_rate == sonde_load_search_result(&c->search).lower;
    ret->result = best ? &c->best : c->measured && c->concluded ? &c->result : NULL;
    if (best) {
        c->best.verdicts = c->best_verdicts;
    }
    if (ret->result && coordination_is_search(c)) {
        ret->result->search = &c->search;
    }
    ret->start_skew_us = c->skew_us;
    ret->lost = c->loss_count;
    weigh(c, ret);
    return 0;
}
