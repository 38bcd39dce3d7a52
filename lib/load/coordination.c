/* SPDX-License-Identifier: Apache-2.0 */
#include "load/coordination.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/coordination_internal.h"
#include "load/plan.h"
#include "spec/reason.h"

#define SILENCE_US (INT64_C(1000000) * SONDE_LOAD_SILENCE_SECONDS)
#define LONGEST_US (INT64_C(400) * 86400 * SECOND_US) /* a test */

/* ---- life ---- */

/* Of a search: the rate and the length of the round. */
static void plan_round(struct sonde_load_coordination *c)
{
    int64_t rate;
    int64_t seconds;
    if (coordination_is_search(c) && sonde_load_search_next(&c->search, &rate, &seconds)) {
        c->plan.arrival.rate = rate;
        c->plan.arrival.duration_seconds = seconds;
        /* A second for what the last round has left behind. */
        c->plan.warm_up_seconds = c->round ? 1 : c->test->warm_up_seconds;
    }
}

int sonde_load_coordination_new(const struct sonde_load_coordination_options *options,
                                struct sonde_load_coordination **ret, struct sonde_err *err)
{
    const struct sonde_load_test *test = options->test;
    struct sonde_load_coordination *c = calloc(1, sizeof(*c));
    if (!c) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "a load test: out of memory");
    }
    *ret = c;
    c->test = test;
    c->created_us = options->now_us;
    c->count = (unsigned)test->parallelism;
    (void)snprintf(c->title, sizeof(c->title), "%s", options->title);
    (void)snprintf(c->url, sizeof(c->url), "%s", options->url);
    c->plan = sonde_load_plan_of(test);
    c->plan.threads = 1;
    c->plan.seed = options->seed;
    for (size_t i = 0; i < SONDE_LOAD_LEAD_MAX; i++) {
        c->pending[i].tallies = SONDE_BUF(SONDE_LOAD_PENDING_MAX);
    }
    for (unsigned i = 0; i < SONDE_LOAD_RUNNERS_MAX; i++) {
        c->runners[i] = (struct runner){.heard_us = options->now_us, .started_us = -1};
    }
    if (test->search) {
        sonde_load_search_init(&c->search, test->search);
        plan_round(c);
    }
    int r = sonde_load_tally_init(&c->second, err);
    r = r < 0 || c->count <= SONDE_LOAD_RUNNERS_MAX
            ? r
            : sonde_fail(err, SONDE_ELIMIT, 0, "more than %d runners", SONDE_LOAD_RUNNERS_MAX);
    r = r < 0 ? r
              : sonde_load_verdicts_of(c->test, VERDICTS_MAX, c->verdicts, &c->verdict_count, err);
    if (r < 0) {
        sonde_load_coordination_free(c);
        *ret = NULL;
    }
    return r;
}

void sonde_load_coordination_free(struct sonde_load_coordination *coordination)
{
    if (coordination) {
        course_fini(coordination);
        free(coordination);
    }
}

/* ---- how it ends ---- */

void coordination_stop(struct sonde_load_coordination *c, int64_t now_us)
{
    c->stopping_us = c->stopping ? c->stopping_us : now_us;
    c->stopping = true;
}

/* Nobody sends, and nobody will. */
static bool is_idle(const struct sonde_load_coordination *c)
{
    return c->phase == SONDE_LOAD_WAITING;
}

void coordination_fail(struct sonde_load_coordination *c, const char *reason, int64_t now_us,
                       const char *format, ...)
{
    va_list arguments;
    if (!c->failed && !c->cancelled && c->phase != SONDE_LOAD_ENDED) { /* the first counts */
        c->failed = true;
        (void)snprintf(c->reason, sizeof(c->reason), "%s", reason);
        va_start(arguments, format);
        (void)vsnprintf(c->message, sizeof(c->message), format, arguments);
        va_end(arguments);
    }
    coordination_stop(c, now_us);
    if (is_idle(c)) {
        c->phase = SONDE_LOAD_ENDED;
    }
}

static bool ends_here(const struct sonde_load_coordination *c)
{
    return c->failed || c->cancelled || c->overdue || !coordination_is_search(c);
}

static void take_trial(struct sonde_load_coordination *c)
{
    const struct sonde_load_tally *t = &c->result.tally;
    double time_s = (double)c->result.duration_ns / (double)SONDE_SECOND;
    bool keeps = t->answered > 0; /* timeouts alone may hold a threshold of times */
    for (size_t i = 0; i < c->verdict_count; i++) {
        keeps = keeps && c->verdicts[i].keeps;
    }
    const struct sonde_load_trial trial = {
        .rate = c->plan.arrival.rate,
        .seconds = c->plan.arrival.duration_seconds, /* also of one that was ended */
        .keeps = keeps,
        .valid = c->result.validity.valid || t->answered == 0,
        .achieved = time_s > 0 ? (double)t->answered / time_s : 0,
    };
    sonde_load_search_take(&c->search, &trial);
    if (sonde_load_search_result(&c->search).lower == trial.rate && trial.keeps &&
        c->result.validity.valid) {
        sonde_load_result_fini(&c->best);
        c->best = c->result;
        c->result = (struct sonde_load_result){0};
        c->measured = false;
        memcpy(c->best_verdicts, c->verdicts, sizeof(c->best_verdicts));
        c->best_rate = trial.rate;
    }
}

static void next_round(struct sonde_load_coordination *c, int64_t now_us)
{
    c->round++;
    c->phase = SONDE_LOAD_WAITING;
    c->stopping = false;
    plan_round(c);
    for (unsigned i = 0; i < c->count; i++) {
        struct runner *own = &c->runners[i];
        bool lost = own->state == RUNNER_LOST;
        struct runner next = {
            .state = lost ? RUNNER_LOST : RUNNER_ABSENT,
            .there = own->there,
            .heard_us = now_us,
            .started_us = -1,
        };
        memcpy(next.pod, own->pod, sizeof(next.pod));
        *own = next;
    }
}

/* All have ended the round. */
static int end_round(struct sonde_load_coordination *c, int64_t now_us, struct sonde_err *err)
{
    int64_t rate;
    int64_t seconds;
    int r = course_end(c, now_us, err);
    if (r < 0) {
        return r;
    }
    if (!ends_here(c)) {
        take_trial(c);
    }
    if (ends_here(c) || !sonde_load_search_next(&c->search, &rate, &seconds)) {
        c->phase = SONDE_LOAD_ENDED;
    } else {
        next_round(c, now_us);
    }
    return 0;
}

static unsigned count_of(const struct sonde_load_coordination *c, enum runner_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < c->count; i++) {
        count += c->runners[i].state == state;
    }
    return count;
}

/* Whoever has not been there, or has gone, is still waited for. */
static int begin_if_ready(struct sonde_load_coordination *c, int64_t now_us, struct sonde_err *err)
{
    enum { CERTAINTY = 4 };
    static const int64_t most_us = INT64_C(10) * 1000 * 1000;
    int64_t uncertain_us = 0;
    if (c->phase != SONDE_LOAD_WAITING || count_of(c, RUNNER_READY) == 0 ||
        count_of(c, RUNNER_ABSENT)) {
        return 0;
    }
    int r = course_begin(c, err);
    for (unsigned i = 0; i < c->count && r == 0; i++) {
        struct runner *own = &c->runners[i];
        if (own->state == RUNNER_READY) {
            own->state = RUNNER_SENDING;
            uncertain_us = own->uncertainty_us > uncertain_us ? own->uncertainty_us : uncertain_us;
        }
    }
    int64_t more_us = CERTAINTY * uncertain_us;
    c->start_us = now_us + SONDE_LOAD_NOTICE_US + (more_us < most_us ? more_us : most_us);
    c->phase = r == 0 ? SONDE_LOAD_RUNNING : c->phase;
    return r;
}

/* After each change: judges what is complete, begins or ends the round. */
static int settle(struct sonde_load_coordination *c, int64_t now_us, struct sonde_err *err)
{
    int r = 0;
    if (c->phase == SONDE_LOAD_RUNNING) {
        r = course_advance(c, now_us, err);
        bool awaited = count_of(c, RUNNER_ABSENT) && !c->stopping;
        if (r == 0 && count_of(c, RUNNER_SENDING) == 0 && !awaited) {
            r = end_round(c, now_us, err);
        }
    }
    return r < 0 ? r : begin_if_ready(c, now_us, err);
}

/* ---- ready ---- */

static int find(struct sonde_load_coordination *c, unsigned number, struct runner **ret,
                struct sonde_err *err)
{
    *ret = number < c->count ? &c->runners[number] : NULL;
    return *ret ? 0
                : sonde_fail(err, SONDE_ENOTFOUND, 0, "the test has no runner-%u, but %u of them",
                             number, c->count);
}

static bool same_labels(const struct sonde_load_coordination *c,
                        const struct sonde_load_ready *ready)
{
    bool same = ready->label_count == c->label_count;
    for (size_t i = 0; same && i < c->label_count; i++) {
        same = ready->labels[i].kind == c->labels[i].kind &&
               strcmp(ready->labels[i].text, c->labels[i].text) == 0;
    }
    return same;
}

/* The first one says what results tell apart; thresholds may name that only. */
static void take_labels(struct sonde_load_coordination *c, const struct sonde_load_ready *ready,
                        int64_t now_us)
{
    struct sonde_err err;
    if (c->labelled) {
        if (!same_labels(c, ready)) {
            coordination_fail(c, SONDE_REASON_INCONSISTENT, now_us,
                              "runner-%u tells other requests or addresses apart than the others",
                              ready->runner);
        }
        return;
    }
    c->labelled = true;
    c->label_count = ready->label_count;
    for (size_t i = 0; i < ready->label_count; i++) {
        c->labels[i] = ready->labels[i];
    }
    for (size_t i = 0; i < c->verdict_count; i++) {
        if (sonde_load_check_threshold(&c->verdicts[i], c->labels, c->label_count, &err) < 0) {
            coordination_fail(c, SONDE_REASON_INVALID_SPEC, now_us, "%s", err.message);
        }
    }
}

/* What was due since the one before it has nobody to send it. */
static int take_place(struct sonde_load_coordination *c, struct runner *own, int64_t now_us,
                      struct sonde_err *err)
{
    int64_t gone_us = own->end_us;
    int64_t soon_us = now_us + SONDE_LOAD_NOTICE_US - c->start_us;
    int64_t from_us = soon_us > gone_us ? soon_us : gone_us;
    from_us = (from_us + SECOND_US - 1) / SECOND_US * SECOND_US;
    own->state = RUNNER_SENDING;
    own->process = (struct runner_totals){0};
    own->next = 0;
    own->from_us = soon_us > 0 ? from_us : 0;
    own->reached = c->complete;
    if (own->from_us == 0) {
        return 0;
    }
    int r = course_miss(c, own, gone_us, from_us, err);
    own->end_us = from_us;
    return r;
}

static void take_process(struct runner *own, const struct sonde_load_ready *ready)
{
    own->there = true;
    (void)snprintf(own->pod, sizeof(own->pod), "%s", ready->pod);
    (void)snprintf(own->node, sizeof(own->node), "%s", ready->node);
}

/* Why there is nothing more to do; it has gone well: nothing. */
static void say_why(const struct sonde_load_coordination *c, const struct runner *own,
                    struct sonde_load_answer_ready *ret)
{
    ret->reason = c->reason;
    ret->message = c->message;
    if (c->failed) {
        return;
    }
    if (c->cancelled) {
        ret->reason = SONDE_REASON_CANCELLED;
        ret->message = "it was cancelled";
    } else if (c->overdue) {
        ret->reason = SONDE_REASON_DEADLINE_EXCEEDED;
        ret->message = "it was not over by its deadline";
    } else if (own->state == RUNNER_LOST) {
        ret->reason = SONDE_REASON_RUNNER_LOST;
        ret->message = "this runner was given up";
    }
}

static void answer(const struct sonde_load_coordination *c, const struct runner *own,
                   struct sonde_load_answer_ready *ret)
{
    bool over = c->phase == SONDE_LOAD_ENDED || own->state == RUNNER_LOST;
    *ret = (struct sonde_load_answer_ready){
        .kind = over                           ? SONDE_LOAD_OVER
                : own->state == RUNNER_SENDING ? SONDE_LOAD_BEGIN
                                               : SONDE_LOAD_WAIT,
        .round = c->round,
        .start_us = c->start_us,
        .from_us = own->from_us,
        .sent = own->from_us ? own->round.sent : 0,
        .is_search = coordination_is_search(c),
        .rate = c->plan.arrival.rate,
        .seconds = c->plan.arrival.duration_seconds,
        .warm_up_seconds = c->plan.warm_up_seconds,
        .seed = c->plan.seed,
    };
    say_why(c, own, ret);
}

int sonde_load_coordination_ready(struct sonde_load_coordination *c,
                                  const struct sonde_load_ready *ready, int64_t now_us,
                                  struct sonde_load_answer_ready *ret, bool *ret_changed,
                                  struct sonde_err *err)
{
    struct runner *own;
    *ret_changed = false;
    int r = find(c, ready->runner, &own, err);
    if (r < 0) {
        return r;
    }
    own->heard_us = now_us;
    /* In a search it waits for the next round with the others. */
    if (own->state == RUNNER_DONE && c->phase == SONDE_LOAD_RUNNING && ready->round <= c->round &&
        !coordination_is_search(c)) {
        return sonde_fail(err, SONDE_ECONFLICT, 0, "runner-%u is done with round %u", ready->runner,
                          c->round);
    }
    bool other = !own->there || strncmp(own->pod, ready->pod, sizeof(own->pod) - 1) != 0;
    if (own->state == RUNNER_DONE && c->phase == SONDE_LOAD_RUNNING && other) {
        take_process(own, ready);
        *ret_changed = true;
    }
    if (own->state != RUNNER_ABSENT || c->phase == SONDE_LOAD_ENDED) {
        answer(c, own, ret);
        return 0;
    }
    if (ready->label_count > SONDE_LOAD_LABELS_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "more than %d labels", SONDE_LOAD_LABELS_MAX);
    }
    *ret_changed = true;
    own->uncertainty_us = ready->uncertainty_us;
    take_process(own, ready);
    take_labels(c, ready, now_us);
    if (c->phase == SONDE_LOAD_RUNNING) {
        r = take_place(c, own, now_us, err);
    } else if (c->phase == SONDE_LOAD_WAITING) {
        own->state = RUNNER_READY;
    }
    r = r < 0 ? r : settle(c, now_us, err);
    answer(c, own, ret);
    return r;
}

bool sonde_load_coordination_answer(const struct sonde_load_coordination *c, unsigned runner,
                                    struct sonde_load_answer_ready *ret)
{
    if (runner >= c->count ||
        (c->runners[runner].state == RUNNER_ABSENT && c->phase != SONDE_LOAD_ENDED)) {
        return false;
    }
    answer(c, &c->runners[runner], ret);
    return true;
}

bool sonde_load_coordination_is_there(const struct sonde_load_coordination *c, unsigned runner)
{
    return runner < c->count && c->runners[runner].there;
}

/* ---- intervals ---- */

static void add_totals(struct runner_totals *to, const struct sonde_load_tally *from)
{
    to->sent += from->sent;
    to->answered += from->answered;
    to->failed += from->failed;
    to->censored += from->censored;
    to->unsent += from->unsent;
}

static int find_sending(struct sonde_load_coordination *c, unsigned number, unsigned round,
                        struct runner **ret, struct sonde_err *err)
{
    int r = find(c, number, ret, err);
    if (r < 0) {
        return r;
    }
    if (c->phase != SONDE_LOAD_RUNNING || (*ret)->state != RUNNER_SENDING || round != c->round) {
        return sonde_fail(err, SONDE_ECONFLICT, 0,
                          (*ret)->state == RUNNER_LOST
                              ? "runner-%u was given up, and what it sends is not counted"
                              : "runner-%u has nothing to send now",
                          number);
    }
    return 0;
}

/* Reads its counts into the scratch. */
static int read_counts(struct sonde_load_coordination *c, struct sonde_str tally,
                       struct sonde_err *err)
{
    struct sonde_load_archive archive = {.from = tally};
    sonde_load_tally_clear(&c->second);
    sonde_load_archive_counts(&archive, &c->second);
    return sonde_load_archive_check(&archive, err);
}

static int take_warm_up(struct sonde_load_coordination *c, struct sonde_str tally,
                        struct sonde_err *err)
{
    struct sonde_load_archive archive = {.from = tally};
    sonde_load_archive_tally(&archive, &c->result.warm_up);
    return sonde_load_archive_check(&archive, err);
}

/* The end of an interval from the named start. */
static int64_t end_from_start(const struct sonde_load_coordination *c,
                              const struct sonde_load_sent *sent)
{
    return sent->warm_up ? sent->end_us : c->plan.warm_up_seconds * SECOND_US + sent->end_us;
}

static int take_interval(struct sonde_load_coordination *c, struct runner *own,
                         const struct sonde_load_sent *sent, int64_t now_us, struct sonde_err *err)
{
    int64_t second = (sent->end_us + SECOND_US / 2) / SECOND_US;
    second = second > own->reached ? second : own->reached;
    /* One that began late, or stood still, is not to wait for itself. */
    int64_t last = c->complete + SONDE_LOAD_LEAD_MAX;
    bool past = end_from_start(c, sent) <= now_us - c->start_us + SECOND_US;
    bool jumps = past && own->reached <= c->complete && second > last;
    int64_t end_us = jumps ? last * SECOND_US : sent->end_us;
    int r = read_counts(c, sent->tally, err);
    if (r == 0) {
        r = sent->warm_up ? take_warm_up(c, sent->tally, err)
                          : course_keep(c, jumps ? last : second, end_us, sent->tally, err);
    }
    if (r < 0) {
        return r;
    }
    if (!sent->warm_up) {
        own->reached = second;
        add_totals(&own->process, &c->second);
        add_totals(&own->round, &c->second);
    }
    int64_t reached_us = end_from_start(c, sent);
    own->end_us = reached_us > own->end_us ? reached_us : own->end_us;
    own->started_us = own->started_us < 0 ? sent->started_us : own->started_us;
    own->next++;
    return 0;
}

int sonde_load_coordination_interval(struct sonde_load_coordination *c,
                                     const struct sonde_load_sent *sent, int64_t now_us,
                                     bool *ret_stop, uint64_t *ret_expected, bool *ret_changed,
                                     struct sonde_err *err)
{
    struct runner *own;
    *ret_changed = false;
    *ret_expected = 0;
    *ret_stop = true;
    int r = find_sending(c, sent->runner, sent->round, &own, err);
    if (r < 0) {
        return r;
    }
    own->heard_us = now_us;
    *ret_expected = own->next;
    if (sent->sequence < own->next) {
        *ret_stop = c->stopping;
        return 0;
    }
    if (sent->sequence > own->next) {
        return sonde_fail(err, SONDE_EGONE, 0, "the interval %llu of runner-%u is missing",
                          (unsigned long long)own->next, sent->runner);
    }
    if (sent->end_us < 0 || sent->end_us > LONGEST_US) {
        return sonde_fail(err, SONDE_EINVALID, 0, "end is no time of the test");
    }
    r = take_interval(c, own, sent, now_us, err);
    *ret_changed = r == 0;
    r = r < 0 ? r : settle(c, now_us, err);
    *ret_stop = c->stopping;
    return r;
}

/* ---- done ---- */

static bool same_totals(const struct runner *own, const struct sonde_load_done *done)
{
    const struct runner_totals *t = &own->process;
    return own->next == done->intervals && t->sent == done->sent && t->answered == done->answered &&
           t->failed == done->failed && t->censored == done->censored && t->unsent == done->unsent;
}

static int64_t at_most(int64_t value, int64_t most)
{
    return value < most ? value : most > 0 ? most : 0;
}

static void take_done(struct sonde_load_coordination *c, struct runner *own,
                      const struct sonde_load_done *done, int64_t now_us)
{
    const struct runner_totals *t = &own->process;
    /* No longer than since the start, but for what clocks differ by. */
    int64_t longest_us = at_most(now_us - c->start_us + SECOND_US, LONGEST_US);
    int64_t threads = done->threads ? done->threads : 1;
    own->state = RUNNER_DONE;
    own->told = true;
    own->stopped = done->stopped;
    own->duration_us = at_most(done->duration_us, longest_us);
    own->cpu_us = at_most(done->cpu_us, longest_us * threads);
    own->throttled_us = at_most(done->throttled_us, longest_us * threads);
    own->threads = done->threads;
    own->connections = done->connections;
    (void)snprintf(own->invalid, sizeof(own->invalid), "%s", done->invalid);
    if (!same_totals(own, done)) {
        coordination_fail(c, SONDE_REASON_INCONSISTENT, now_us,
                          "runner-%u says that it sent %llu requests in %llu intervals (%llu "
                          "answered, %llu failed, %llu without an answer, %llu not sent); %llu in "
                          "%llu have arrived (%llu, %llu, %llu, %llu)",
                          done->runner, (unsigned long long)done->sent,
                          (unsigned long long)done->intervals, (unsigned long long)done->answered,
                          (unsigned long long)done->failed, (unsigned long long)done->censored,
                          (unsigned long long)done->unsent, (unsigned long long)t->sent,
                          (unsigned long long)own->next, (unsigned long long)t->answered,
                          (unsigned long long)t->failed, (unsigned long long)t->censored,
                          (unsigned long long)t->unsent);
    }
}

int sonde_load_coordination_done(struct sonde_load_coordination *c,
                                 const struct sonde_load_done *done, int64_t now_us, bool *ret_next,
                                 bool *ret_changed, struct sonde_err *err)
{
    struct runner *own;
    *ret_changed = false;
    *ret_next = false;
    int r = find(c, done->runner, &own, err);
    if (r < 0) {
        return r;
    }
    own->heard_us = now_us;
    /* Asked again, perhaps after the last of them was done. */
    bool again = own->state == RUNNER_DONE || done->round < c->round;
    if (!again && c->phase != SONDE_LOAD_ENDED) {
        r = find_sending(c, done->runner, done->round, &own, err);
        if (r < 0) {
            return r;
        }
        take_done(c, own, done, now_us);
        *ret_changed = true;
        r = settle(c, now_us, err);
    }
    *ret_next = coordination_is_search(c) && c->phase != SONDE_LOAD_ENDED && !ends_here(c);
    return r;
}

/* ---- what others say ---- */

/* Whether it is known already that the process of that pod has ended. */
static const struct sonde_load_loss *find_loss(const struct sonde_load_coordination *c,
                                               const struct sonde_load_lost *lost)
{
    for (unsigned i = 0; i < c->loss_count && i < SONDE_LOAD_RUNNERS_MAX && lost->pod[0]; i++) {
        const struct sonde_load_loss *own = &c->losses[i];
        if (own->runner == lost->runner && strcmp(own->pod, lost->pod) == 0) {
            return own;
        }
    }
    return NULL;
}

static void note_loss(struct sonde_load_coordination *c, const struct sonde_load_lost *lost,
                      bool replaced)
{
    struct runner *own = &c->runners[lost->runner];
    own->there = false;
    if (lost->pod[0]) { /* it may have ended before it said anything */
        (void)snprintf(own->pod, sizeof(own->pod), "%s", lost->pod);
    }
    if (c->loss_count < SONDE_LOAD_RUNNERS_MAX) {
        struct sonde_load_loss *loss = &c->losses[c->loss_count];
        *loss = (struct sonde_load_loss){
            .runner = lost->runner, .second = c->measured ? c->complete : -1, .replaced = replaced};
        (void)snprintf(loss->pod, sizeof(loss->pod), "%s", own->pod);
        (void)snprintf(loss->reason, sizeof(loss->reason), "%s", lost->reason);
        (void)snprintf(loss->message, sizeof(loss->message), "%s", lost->message);
    }
    c->loss_count++;
}

/* Whether the test can go on without it, or with another one. */
static bool goes_on(const struct sonde_load_coordination *c, bool final)
{
    bool begun = c->round > 0 || c->phase == SONDE_LOAD_RUNNING;
    unsigned others = c->count - count_of(c, RUNNER_LOST);
    switch ((enum sonde_runner_loss)c->test->on_runner_loss) {
    case SONDE_LOSS_CONTINUE:
        return others > 1 && (begun || !final);
    case SONDE_LOSS_REPLACE:
        return !final;
    case SONDE_LOSS_FAIL:
        break;
    }
    return false;
}

/* Of a process whose place another has taken. */
static bool is_old_news(const struct runner *own, const struct sonde_load_lost *lost)
{
    return own->there && lost->pod[0] && own->pod[0] && strcmp(own->pod, lost->pod) != 0;
}

int sonde_load_coordination_lost(struct sonde_load_coordination *c,
                                 const struct sonde_load_lost *lost, int64_t now_us,
                                 bool *ret_replaced, bool *ret_changed, struct sonde_err *err)
{
    struct runner *own;
    *ret_changed = false;
    *ret_replaced = false;
    int r = find(c, lost->runner, &own, err);
    /* One that was done may go: the others are still at it, or there is another round. */
    bool leaves = r == 0 && own->state == RUNNER_DONE && !coordination_is_search(c);
    if (r < 0 || c->phase == SONDE_LOAD_ENDED || own->state == RUNNER_LOST || leaves) {
        return r;
    }
    const struct sonde_load_loss *known = find_loss(c, lost);
    if (known || is_old_news(own, lost)) {
        *ret_replaced = known && known->replaced && !own->there && strcmp(own->pod, lost->pod) == 0;
        return 0;
    }
    bool ends = c->stopping && ends_here(c); /* all of them are to end */
    bool goes = ends || goes_on(c, lost->final);
    bool replaced = goes && !ends && c->test->on_runner_loss == SONDE_LOSS_REPLACE;
    *ret_changed = true;
    *ret_replaced = replaced;
    note_loss(c, lost, replaced);
    if (!goes) {
        coordination_fail(c, lost->reason[0] ? lost->reason : SONDE_REASON_RUNNER_LOST, now_us,
                          "runner-%u: %s", lost->runner, lost->message);
    }
    if (!replaced || own->state != RUNNER_DONE) { /* what is done, is done */
        own->state = replaced ? RUNNER_ABSENT : RUNNER_LOST;
    }
    own->heard_us = now_us;
    return settle(c, now_us, err);
}

int sonde_load_coordination_cancel(struct sonde_load_coordination *c, int64_t now_us,
                                   bool *ret_changed, struct sonde_err *err)
{
    *ret_changed = !c->cancelled && c->phase != SONDE_LOAD_ENDED;
    if (*ret_changed) {
        c->cancelled = true;
        coordination_stop(c, now_us);
        c->phase = is_idle(c) ? SONDE_LOAD_ENDED : c->phase;
    }
    return settle(c, now_us, err);
}

/* What is wrong with a runner by now, or NULL. */
static const char *why_given_up(const struct sonde_load_coordination *c, const struct runner *own,
                                int64_t now_us)
{
    int64_t start_timeout_us = c->test->runner->start_timeout_seconds * SECOND_US;
    bool first = c->phase == SONDE_LOAD_WAITING && c->round == 0;
    int64_t silent_us = now_us - own->heard_us;
    switch (own->state) {
    case RUNNER_ABSENT:
        /* Before the first start the controller knows why; it is given the time to say it. */
        return first ? silent_us > SILENCE_US + start_timeout_us ? "it was never ready" : NULL
               : silent_us > SILENCE_US ? "nobody has taken its place for a minute"
                                        : NULL;
    case RUNNER_SENDING:
        if (c->stopping && now_us - c->stopping_us > SILENCE_US) {
            return "it did not stop";
        }
        return silent_us > SILENCE_US ? "it has said nothing for a minute" : NULL;
    case RUNNER_READY:
        return silent_us > SILENCE_US ? "it has said nothing for a minute" : NULL;
    case RUNNER_DONE:
    case RUNNER_LOST:
    case RUNNER_STATES:
        break;
    }
    return NULL;
}

bool sonde_load_coordination_silent(const struct sonde_load_coordination *c, int64_t now_us,
                                    struct sonde_load_silent *ret)
{
    for (unsigned i = 0; i < c->count && c->phase != SONDE_LOAD_ENDED; i++) {
        const struct runner *own = &c->runners[i];
        const char *message = why_given_up(c, own, now_us);
        bool absent = own->state == RUNNER_ABSENT;
        bool first = absent && c->phase == SONDE_LOAD_WAITING && c->round == 0;
        if (message) {
            *ret = (struct sonde_load_silent){.runner = i,
                                              .final = absent || c->stopping,
                                              .reason = first ? SONDE_REASON_RUNNERS_NOT_READY
                                                              : SONDE_REASON_RUNNER_LOST,
                                              .message = message};
            return true;
        }
    }
    return false;
}

int sonde_load_coordination_expire(struct sonde_load_coordination *c, int64_t now_us,
                                   bool *ret_changed, struct sonde_err *err)
{
    int64_t deadline_s = c->test->active_deadline_seconds;
    *ret_changed = c->phase != SONDE_LOAD_ENDED && !c->overdue && deadline_s != SONDE_SPEC_ABSENT &&
                   now_us - c->created_us >= deadline_s * SECOND_US;
    if (!*ret_changed) {
        return 0;
    }
    c->overdue = true;
    coordination_stop(c, now_us);
    c->phase = is_idle(c) ? SONDE_LOAD_ENDED : c->phase;
    return settle(c, now_us, err);
}

void sonde_load_coordination_heard(struct sonde_load_coordination *c, unsigned runner,
                                   int64_t now_us)
{
    if (runner < c->count && c->runners[runner].state != RUNNER_ABSENT) {
        c->runners[runner].heard_us = now_us;
    }
}

void sonde_load_coordination_resumed(struct sonde_load_coordination *c, int64_t now_us)
{
    for (unsigned i = 0; i < c->count; i++) {
        c->runners[i].heard_us = now_us;
    }
    c->stopping_us = now_us;
}
