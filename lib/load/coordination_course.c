/* SPDX-License-Identifier: Apache-2.0 */
/* The seconds of a load test on several runners: they are added up, judged, and make the result. */
#include <stdio.h>

#include "load/arrivals.h"
#include "load/coordination_internal.h"
#include "load/plan.h"
#include "load/share.h"

static struct pending *pending_at(struct sonde_load_coordination *c, size_t ahead)
{
    return &c->pending[(c->first + ahead) % SONDE_LOAD_LEAD_MAX];
}

static void drop_pending(struct sonde_load_coordination *c)
{
    for (size_t i = 0; i < SONDE_LOAD_LEAD_MAX; i++) {
        sonde_buf_fini(&c->pending[i].tallies);
        c->pending[i] = (struct pending){.tallies = SONDE_BUF(SONDE_LOAD_PENDING_MAX)};
    }
    c->pending_bytes = 0;
    c->first = 0;
}

void course_fini(struct sonde_load_coordination *c)
{
    drop_pending(c);
    sonde_load_result_fini(&c->result);
    sonde_load_result_fini(&c->best);
    sonde_load_tally_fini(&c->second);
}

int course_begin(struct sonde_load_coordination *c, struct sonde_err *err)
{
    drop_pending(c);
    c->complete = 0;
    c->measured = true;
    c->concluded = false;
    sonde_load_verdicts_renew(c->verdicts, c->verdict_count);
    sonde_load_result_fini(&c->result);
    int r = sonde_load_result_init(&c->result, err);
    return r < 0 ? r : sonde_load_tally_divide(&c->result.tally, c->labels, c->label_count, err);
}

int course_keep(struct sonde_load_coordination *c, int64_t second, int64_t end_us,
                struct sonde_str tally, struct sonde_err *err)
{
    int64_t ahead = second > c->complete ? second - c->complete - 1 : 0;
    if (ahead >= SONDE_LOAD_LEAD_MAX ||
        (ahead > 0 && c->pending_bytes + tally.length > SONDE_LOAD_PENDING_MAX)) {
        return sonde_fail(err, SONDE_EBUSY, 0,
                          "another runner is %lld s behind: send it again in a second",
                          (long long)ahead);
    }
    struct pending *pending = pending_at(c, (size_t)ahead);
    size_t before = pending->tallies.length;
    uint64_t length = tally.length;
    struct sonde_load_archive archive = {.to = &pending->tallies};
    sonde_load_archive_number(&archive, &length);
    sonde_buf_str(&pending->tallies, tally);
    if (pending->tallies.code) { /* a part of it must not stay */
        int r = sonde_buf_check(&pending->tallies, "a second of a load test", err);
        pending->tallies.length = before;
        pending->tallies.code = 0;
        return r;
    }
    c->pending_bytes += pending->tallies.length - before;
    pending->end_us = end_us > pending->end_us ? end_us : pending->end_us;
    return 0;
}

/* ---- a second that all have sent ---- */

static void judge(struct sonde_load_coordination *c, int64_t end_ns, int64_t now_us)
{
    (void)sonde_load_judge(c->verdicts, c->verdict_count, &c->result.tally,
                           (double)end_ns / (double)SONDE_SECOND);
    if (end_ns >= c->test->delay_abort_seconds * SONDE_SECOND &&
        sonde_load_aborts(c->verdicts, c->verdict_count, &c->result.tally)) {
        coordination_stop(c, now_us);
    }
}

void course_measure(struct sonde_load_coordination *c)
{
    if (c->measured) {
        c->p50_us = sonde_histogram_quantile(&c->result.tally.response, 0.5);
        c->p99_us = sonde_histogram_quantile(&c->result.tally.response, 0.99);
    }
}

static void show(struct sonde_load_coordination *c)
{
    const struct sonde_load_tally *t = &c->second;
    int64_t length = sonde_load_plan_seconds(&c->plan.arrival);
    if (length && c->complete > length && t->answered + t->failed + t->censored == 0) {
        return; /* the last answers were waited for, and there were none */
    }
    c->shown[c->shown_count++ % SONDE_LOAD_SHOWN_SECONDS] = (struct sonde_load_shown){
        .round = c->round,
        .second = c->complete,
        .sent = t->sent,
        .answered = t->answered,
        .failed = t->failed + t->wrong,
        .p50_us = sonde_histogram_quantile(&t->response, 0.5),
        .p99_us = sonde_histogram_quantile(&t->response, 0.99),
    };
}

/* As the command does it. */
static void look_for_profile(struct sonde_load_coordination *c, int64_t now_ns)
{
    enum { LOOK_EACH = 5, SHARE = 20 };
    const struct sonde_load_profile *wanted = c->test->profile;
    struct sonde_load_steady_verdict verdict = {.state = SONDE_LOAD_TOO_SHORT};
    if (!wanted || c->profile_due || coordination_is_search(c) || c->stopping) {
        return;
    }
    if (wanted->delay_seconds != SONDE_SPEC_ABSENT) {
        int64_t delay = wanted->delay_seconds > 0 ? wanted->delay_seconds : 1;
        c->profile_due = now_ns >= delay * SONDE_SECOND;
        return;
    }
    int64_t wanted_ns = 0;
    for (size_t i = 0; i < wanted->captures.count; i++) {
        int64_t seconds = wanted->captures.items[i].duration_seconds;
        wanted_ns += seconds > 0 ? seconds * SONDE_SECOND : 0;
    }
    int64_t seconds = sonde_load_plan_seconds(&c->plan.arrival);
    int64_t left_ns = seconds ? seconds * SONDE_SECOND - now_ns : INT64_MAX;
    size_t count = c->result.intervals.count;
    size_t each = count / SHARE > LOOK_EACH ? count / SHARE : LOOK_EACH;
    if (count % each == 0 && sonde_load_course_steady(&c->result.intervals, &verdict, NULL) < 0) {
        verdict.state = SONDE_LOAD_TOO_SHORT;
    }
    c->profile_due = sonde_load_profiled_is_due(now_ns, left_ns, wanted_ns, verdict.state);
}

/* Into the sum of all, and into the second. */
static int add_tallies(struct sonde_load_coordination *c, const struct pending *pending,
                       struct sonde_err *err)
{
    struct sonde_str rest = sonde_buf_view(&pending->tallies);
    int r = 0;
    while (rest.length && r == 0) {
        uint64_t length = 0;
        struct sonde_load_archive archive = {.from = rest};
        sonde_load_archive_number(&archive, &length);
        struct sonde_str one = {archive.from.data, (size_t)length};
        struct sonde_load_archive all = {.from = one};
        struct sonde_load_archive second = {.from = one, .brief = true};
        sonde_load_archive_tally(&all, &c->result.tally);
        sonde_load_archive_tally(&second, &c->second);
        r = sonde_load_archive_check(&all, err);
        rest = (struct sonde_str){one.data + one.length, archive.from.length - one.length};
    }
    return r;
}

static int take_second(struct sonde_load_coordination *c, int64_t now_us, struct sonde_err *err)
{
    struct pending *pending = pending_at(c, 0);
    int64_t number = c->complete + 1;
    int64_t end_us = pending->end_us > 0 ? pending->end_us : number * SECOND_US;
    int64_t end_ns = end_us * SONDE_MICROSECOND;
    sonde_load_tally_clear(&c->second);
    int r = add_tallies(c, pending, err);
    r = r < 0 ? r : sonde_load_result_add(&c->result, end_ns, &c->second, err);
    if (r < 0) {
        return r;
    }
    c->pending_bytes -= pending->tallies.length;
    sonde_buf_fini(&pending->tallies);
    *pending = (struct pending){.tallies = SONDE_BUF(SONDE_LOAD_PENDING_MAX)};
    c->first = (c->first + 1) % SONDE_LOAD_LEAD_MAX;
    c->complete = number;
    show(c);
    course_measure(c);
    judge(c, end_ns, now_us);
    look_for_profile(c, end_ns);
    return 0;
}

/* The last second that all who send have sent; INT64_MAX: nobody sends any more. */
static int64_t sent_by_all(const struct sonde_load_coordination *c)
{
    int64_t least = INT64_MAX;
    for (unsigned i = 0; i < c->count; i++) {
        const struct runner *own = &c->runners[i];
        least = own->state == RUNNER_SENDING && own->reached < least ? own->reached : least;
    }
    return least;
}

int course_advance(struct sonde_load_coordination *c, int64_t now_us, struct sonde_err *err)
{
    int64_t until = sent_by_all(c);
    int r = 0;
    while (r == 0 && c->complete < until && (until != INT64_MAX || c->pending_bytes)) {
        r = take_second(c, now_us, err);
    }
    return r;
}

/* ---- what nobody sent ---- */

static int put_missed(struct sonde_load_coordination *c, const struct runner *runner,
                      int64_t from_us, int64_t to_us, struct sonde_load_tally *ret,
                      struct sonde_err *err)
{
    enum { STEP_US = 10000 };
    const struct sonde_arrival *arrival = &c->plan.arrival;
    struct sonde_arrivals arrivals;
    int64_t warm_us = c->plan.warm_up_seconds * SECOND_US;
    uint64_t most = UINT64_MAX;
    double due = 0;
    int r = sonde_arrivals_init(&arrivals, arrival, c->plan.warm_up_seconds, 0, 1, 0, err);
    if (arrival->amount != SONDE_SPEC_ABSENT) {
        uint64_t share = (uint64_t)arrival->amount / c->count;
        uint64_t had = runner->round.sent + runner->round.unsent;
        most = share > had ? share - had : 0;
    }
    for (int64_t at = from_us > warm_us ? from_us : warm_us; r == 0 && at < to_us; at += STEP_US) {
        int64_t length = to_us - at < STEP_US ? to_us - at : STEP_US;
        double rate = sonde_arrivals_rate(&arrivals, (at + length / 2) * SONDE_MICROSECOND);
        due += rate * (double)length / (double)SECOND_US / c->count;
        uint64_t whole = (uint64_t)due < most ? (uint64_t)due : most;
        due -= (double)(uint64_t)due;
        most -= most == UINT64_MAX ? 0 : whole;
        sonde_histogram_record_times(&ret->response, to_us - at, whole);
        sonde_histogram_record_times(&ret->send_lag, to_us - at, whole);
        ret->unsent += whole;
    }
    return r;
}

/* A closed loop that goes on for a time has nothing that was due: the time is missing. */
static void miss_time(const struct sonde_load_coordination *c, struct runner *runner,
                      int64_t from_us, int64_t to_us)
{
    int64_t warm_us = c->plan.warm_up_seconds * SECOND_US;
    int64_t end_us = warm_us + sonde_load_plan_seconds(&c->plan.arrival) * SECOND_US;
    from_us = from_us > warm_us ? from_us : warm_us;
    to_us = to_us < end_us ? to_us : end_us;
    runner->gap_us += to_us > from_us ? to_us - from_us : 0;
}

int course_miss(struct sonde_load_coordination *c, struct runner *runner, int64_t from_us,
                int64_t to_us, struct sonde_err *err)
{
    const struct sonde_arrival *arrival = &c->plan.arrival;
    struct sonde_load_tally missed;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_PENDING_MAX);
    bool open = arrival->stages.count || arrival->rate != SONDE_SPEC_ABSENT;
    int64_t warm_us = c->plan.warm_up_seconds * SECOND_US;
    if (!open) {
        miss_time(c, runner, from_us, to_us);
        return 0;
    }
    if (to_us <= from_us || to_us <= warm_us) {
        return 0;
    }
    int r = sonde_load_tally_init(&missed, err);
    r = r < 0 ? r : put_missed(c, runner, from_us, to_us, &missed, err);
    if (r == 0 && missed.unsent) {
        struct sonde_load_archive archive = {.to = &text};
        sonde_load_archive_tally(&archive, &missed);
        r = sonde_load_archive_check(&archive, err);
        r = r < 0 ? r : course_keep(c, c->complete + 1, 0, sonde_buf_view(&text), err);
        runner->round.unsent += missed.unsent;
    }
    sonde_load_tally_fini(&missed);
    return r;
}

/* ---- the end of a round ---- */

/* Adds µs to ns. What many say may be more than there can be. */
static int64_t add_us(int64_t sum_ns, int64_t us)
{
    return us > (INT64_MAX - sum_ns) / SONDE_MICROSECOND ? INT64_MAX
                                                         : sum_ns + us * SONDE_MICROSECOND;
}

/* Its tallies are borrowed from the result, and go back there. */
static void sum_up(const struct sonde_load_coordination *c, struct sonde_load_outcome *ret,
                   unsigned *ret_threads)
{
    *ret = (struct sonde_load_outcome){
        .tally = c->result.tally,
        .warm_up = c->result.warm_up,
        .start_ns = (c->start_us + c->plan.warm_up_seconds * SECOND_US) * SONDE_MICROSECOND,
        .duration_ns = 0,
    };
    *ret_threads = 0;
    for (unsigned i = 0; i < c->count; i++) {
        const struct runner *own = &c->runners[i];
        int64_t duration_ns = own->duration_us * SONDE_MICROSECOND;
        if (own->told) {
            ret->cpu_ns = add_us(ret->cpu_ns, own->cpu_us);
            ret->duration_ns = duration_ns > ret->duration_ns ? duration_ns : ret->duration_ns;
            ret->stopped = ret->stopped || own->stopped;
            *ret_threads += own->threads;
        }
    }
    if (ret->duration_ns == 0) { /* nobody could say it */
        ret->duration_ns = c->result.second_end_ns;
    }
    *ret_threads = *ret_threads ? *ret_threads : c->count;
    ret->stopped = ret->stopped || c->stopping;
}

/* What a runner lacked of its CPU; valid: nothing. */
static struct sonde_load_validity cpu_of(const struct runner *own)
{
    struct sonde_load_plan plan = {.threads = own->threads ? own->threads : 1};
    const struct sonde_load_outcome outcome = {
        .tally = {.answered = 1, .sent = 1}, /* only CPU and throttling are looked at */
        .duration_ns = own->duration_us * SONDE_MICROSECOND,
        .cpu_ns = add_us(0, own->cpu_us),
    };
    struct sonde_load_validity found = {.valid = true};
    if (own->told) {
        sonde_load_validate(&plan, &outcome, add_us(0, own->throttled_us), &found);
    }
    return found;
}

static void blame(unsigned number, const char *why, struct sonde_load_validity *ret)
{
    ret->valid = false;
    (void)snprintf(ret->reason, sizeof(ret->reason), "runner-%u: %.200s", number, why);
}

/* Of a runner whose machine was too slow, whatever the sum of all says. */
static void check_runner(const struct sonde_load_coordination *c, unsigned number,
                         struct sonde_load_validity *ret)
{
    const struct runner *own = &c->runners[number];
    const struct sonde_load_validity found = cpu_of(own);
    const char *why = own->invalid[0] ? own->invalid : found.reason;
    if (own->told && why[0]) {
        blame(number, why, ret);
    }
}

/* Whoever lacks CPU sends late, or not at all, and nobody sends what is due while the place of one
 * that was lost is empty: then it is the cause that is told. */
static void name_cause(const struct sonde_load_coordination *c, const struct sonde_load_tally *t,
                       struct sonde_load_validity *ret)
{
    double unsent = (double)t->unsent / (double)(t->sent + t->unsent);
    for (unsigned i = 0; i < c->count; i++) {
        const struct sonde_load_validity found = cpu_of(&c->runners[i]);
        if (!found.valid) {
            blame(i, found.reason, ret);
            return;
        }
    }
    for (unsigned i = 0; i < c->loss_count && i < SONDE_LOAD_RUNNERS_MAX; i++) {
        if (c->losses[i].replaced && unsent > SONDE_LOAD_UNSENT_MAX) {
            (void)snprintf(
                ret->reason, sizeof(ret->reason),
                "%.1f %% of the requests were not sent, and runner-%u was lost: what is due "
                "until another takes its place is not sent",
                100 * unsent, c->losses[i].runner);
            return;
        }
    }
}

/* By how much a runner of the round's start began later than the measured time. */
static int64_t late_of(const struct sonde_load_coordination *c, const struct runner *own)
{
    int64_t late_us = own->started_us - c->plan.warm_up_seconds * SECOND_US;
    return own->from_us == 0 && late_us > 0 ? late_us : 0;
}

/* A runner for whom there is no connection has nothing to send, whenever it is there. */
static bool sends(const struct sonde_load_coordination *c, unsigned number)
{
    struct sonde_load_plan plan = c->plan;
    plan.runner = number;
    plan.runners = c->count;
    return !sonde_load_share_of(&plan, 0).idle;
}

static int64_t missing_of(const struct sonde_load_coordination *c, unsigned number)
{
    const struct runner *own = &c->runners[number];
    return sends(c, number) ? late_of(c, own) + own->gap_us : 0;
}

/* Runners that learned too late of the start, or whose place was empty for a while: a closed loop
 * has nothing else that tells it, and in an open one the first is the cause. */
static void check_times(const struct sonde_load_coordination *c, int64_t duration_ns,
                        struct sonde_load_validity *ret)
{
    unsigned worst = 0;
    unsigned senders = 0;
    double sum_us = 0;
    for (unsigned i = 0; i < c->count; i++) {
        int64_t missing_us = missing_of(c, i);
        sum_us += (double)missing_us;
        senders += sends(c, i);
        worst = missing_us > missing_of(c, worst) ? i : worst;
    }
    int64_t missing_us = missing_of(c, worst);
    double all_us = (double)duration_ns / (double)SONDE_MICROSECOND * senders;
    if (missing_us > SECOND_US && sum_us > SONDE_LOAD_UNSENT_MAX * all_us) {
        ret->valid = false;
        (void)snprintf(ret->reason, sizeof(ret->reason),
                       c->runners[worst].gap_us
                           ? "runner-%u was lost, and nobody sent in its place for %.1f s"
                           : "runner-%u began %.1f s late: it learned too late of the start, or "
                             "its node was too busy",
                       worst, (double)missing_us / (double)SECOND_US);
    }
}

static void validate(struct sonde_load_coordination *c, const struct sonde_load_outcome *outcome)
{
    struct sonde_load_validity *validity = &c->result.validity;
    struct sonde_load_outcome calm = *outcome;
    calm.cpu_ns = 0; /* that is asked of each */
    sonde_load_validate(&c->plan, &calm, 0, validity);
    if (outcome->tally.answered) {
        check_times(c, outcome->duration_ns, validity);
    }
    if (!validity->valid && outcome->tally.answered) {
        name_cause(c, &outcome->tally, validity);
    }
    for (unsigned i = 0; i < c->count && validity->valid; i++) {
        check_runner(c, i, validity);
    }
    c->result.throttled_ns = 0;
    for (unsigned i = 0; i < c->count; i++) {
        int64_t own_us = c->runners[i].told ? c->runners[i].throttled_us : 0;
        c->result.throttled_ns = add_us(c->result.throttled_ns, own_us);
    }
}

/* Between the first and the last that began with the round. */
static int64_t skew_of(const struct sonde_load_coordination *c)
{
    int64_t first_us = INT64_MAX;
    int64_t last_us = 0;
    for (unsigned i = 0; i < c->count; i++) {
        const struct runner *own = &c->runners[i];
        if (own->started_us >= 0 && own->from_us == 0) {
            first_us = own->started_us < first_us ? own->started_us : first_us;
            last_us = own->started_us > last_us ? own->started_us : last_us;
        }
    }
    return last_us > first_us ? last_us - first_us : 0;
}

int course_end(struct sonde_load_coordination *c, int64_t now_us, struct sonde_err *err)
{
    struct sonde_load_outcome outcome;
    struct sonde_load_result *result = &c->result;
    int r = 0;
    while (r == 0 && c->pending_bytes) {
        r = take_second(c, now_us, err);
    }
    if (r < 0) {
        return r;
    }
    int64_t skew_us = skew_of(c);
    c->skew_us = skew_us > c->skew_us ? skew_us : c->skew_us;
    sum_up(c, &outcome, &c->plan.threads);
    validate(c, &outcome);
    (void)sonde_load_judge(c->verdicts, c->verdict_count, &result->tally,
                           (double)outcome.duration_ns / (double)SONDE_SECOND);
    r = sonde_load_result_end(result, &c->plan, &outcome, err);
    result->asked.title = c->title[0] ? c->title : NULL;
    result->asked.url = c->url;
    result->verdicts = c->verdicts;
    result->verdict_count = c->verdict_count;
    c->concluded = r == 0;
    return r;
}
