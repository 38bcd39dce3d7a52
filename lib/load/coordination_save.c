/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a load test on several runners, as far as it must outlast a restart. */
#include <stdio.h>
#include <string.h>

#include "load/coordination_internal.h"
#include "load/plan.h"

typedef struct sonde_load_archive archive;

static void carry_enum(archive *a, unsigned *value, unsigned end)
{
    uint64_t wide = *value;
    sonde_load_archive_below(a, &wide, end);
    *value = (unsigned)wide;
}

static void carry_totals(archive *a, struct runner_totals *t)
{
    uint64_t *const all[] = {&t->sent, &t->answered, &t->failed, &t->censored, &t->unsent};
    for (size_t i = 0; i < SONDE_LENGTH(all); i++) {
        sonde_load_archive_number(a, all[i]);
    }
}

static void carry_runner(archive *a, struct runner *r)
{
    int64_t *const times[] = {&r->heard_us, &r->uncertainty_us, &r->reached,    &r->end_us,
                              &r->from_us,  &r->gap_us,         &r->started_us, &r->duration_us,
                              &r->cpu_us,   &r->throttled_us};
    unsigned state = r->state;
    carry_enum(a, &state, RUNNER_STATES);
    r->state = (enum runner_state)state;
    for (size_t i = 0; i < SONDE_LENGTH(times); i++) {
        sonde_load_archive_signed(a, times[i]);
    }
    sonde_load_archive_text(a, r->pod, sizeof(r->pod));
    sonde_load_archive_text(a, r->node, sizeof(r->node));
    sonde_load_archive_number(a, &r->next);
    carry_totals(a, &r->process);
    carry_totals(a, &r->round);
    sonde_load_archive_flag(a, &r->there);
    sonde_load_archive_flag(a, &r->told);
    sonde_load_archive_flag(a, &r->stopped);
    sonde_load_archive_unsigned(a, &r->threads);
    sonde_load_archive_unsigned(a, &r->connections);
    sonde_load_archive_text(a, r->invalid, sizeof(r->invalid));
}

static void carry_labels(archive *a, struct sonde_load_coordination *c)
{
    uint64_t count = c->label_count;
    sonde_load_archive_flag(a, &c->labelled);
    sonde_load_archive_below(a, &count, SONDE_LOAD_LABELS_MAX + 1);
    c->label_count = (size_t)count;
    for (size_t i = 0; i < c->label_count; i++) {
        unsigned kind = c->labels[i].kind;
        carry_enum(a, &kind, SONDE_LOAD_OF_ADDRESS + 1);
        c->labels[i].kind = (enum sonde_load_label_kind)kind;
        sonde_load_archive_text(a, c->labels[i].text, sizeof(c->labels[i].text));
    }
}

/* What a threshold came to. A double is kept as it is in memory. */
static void carry_verdicts(archive *a, struct sonde_load_verdict *verdicts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &verdicts[i].statistic, sizeof(bits));
        sonde_load_archive_number(a, &bits);
        memcpy(&verdicts[i].statistic, &bits, sizeof(bits));
        sonde_load_archive_flag(a, &verdicts[i].keeps);
        sonde_load_archive_flag(a, &verdicts[i].ended);
    }
}

static void carry_asked(archive *a, struct sonde_load_coordination *c,
                        struct sonde_load_result *result)
{
    struct sonde_load_asked *asked = &result->asked;
    sonde_load_archive_unsigned(a, &asked->threads);
    sonde_load_archive_signed(a, &asked->warm_up_seconds);
    asked->arrival = c->plan.arrival;
    sonde_load_archive_signed(a, &asked->arrival.rate);
    sonde_load_archive_signed(a, &asked->arrival.duration_seconds);
    asked->title = c->title[0] ? c->title : NULL;
    asked->url = c->url;
    asked->connections = c->plan.connections;
    asked->connections_max = c->plan.connections_max;
    asked->pipelining = c->plan.pipelining;
    asked->requests_per_connection = c->plan.requests_per_connection;
    asked->timeout_ns = c->plan.timeout_ns;
    asked->seed = c->plan.seed;
}

static void carry_result(archive *a, struct sonde_load_coordination *c,
                         struct sonde_load_result *result)
{
    int64_t *const times[] = {&result->start_ns,     &result->duration_ns, &result->cpu_ns,
                              &result->throttled_ns, &result->sampled_ns,  &result->second_begin_ns,
                              &result->second_end_ns};
    uint64_t *const counts[] = {&result->samples, &result->sample_answered, &result->sample_bytes};
    for (size_t i = 0; i < SONDE_LENGTH(times); i++) {
        sonde_load_archive_signed(a, times[i]);
    }
    for (size_t i = 0; i < SONDE_LENGTH(counts); i++) {
        sonde_load_archive_number(a, counts[i]);
    }
    sonde_load_archive_flag(a, &result->stopped);
    sonde_load_archive_flag(a, &result->validity.valid);
    sonde_load_archive_text(a, result->validity.reason, sizeof(result->validity.reason));
    carry_asked(a, c, result);
    sonde_load_archive_tally(a, &result->tally);
    sonde_load_archive_tally(a, &result->warm_up);
    sonde_load_archive_tally(a, &result->second);
    sonde_load_archive_histogram(a, &result->requests);
    sonde_load_archive_histogram(a, &result->bytes);
    sonde_load_archive_intervals(a, &result->intervals);
}

/* One that is read is made first. */
static void carry_any_result(archive *a, struct sonde_load_coordination *c, bool *there,
                             struct sonde_load_result *result)
{
    sonde_load_archive_flag(a, there);
    if (!*there) {
        return;
    }
    int r = 0;
    if (!a->to) {
        r = sonde_load_result_init(result, NULL);
        r = r < 0 ? r : sonde_load_tally_divide(&result->tally, c->labels, c->label_count, NULL);
    }
    if (r < 0) {
        a->code = r;
        return;
    }
    carry_result(a, c, result);
}

static void carry_pending(archive *a, struct sonde_load_coordination *c)
{
    uint64_t bytes = c->pending_bytes;
    sonde_load_archive_number(a, &bytes);
    c->pending_bytes = (size_t)bytes;
    for (size_t i = 0; i < SONDE_LOAD_LEAD_MAX && c->pending_bytes; i++) {
        struct pending *own = &c->pending[(c->first + i) % SONDE_LOAD_LEAD_MAX];
        uint64_t length = own->tallies.length;
        sonde_load_archive_signed(a, &own->end_us);
        sonde_load_archive_below(a, &length, SONDE_LOAD_PENDING_MAX + 1);
        if (a->to) {
            sonde_buf_str(a->to, sonde_buf_view(&own->tallies));
        } else if (length <= a->from.length) {
            sonde_buf_append(&own->tallies, a->from.data, (size_t)length);
            a->from = (struct sonde_str){a->from.data + length, a->from.length - (size_t)length};
            a->code = a->code ? a->code : own->tallies.code;
        } else {
            a->code = a->code ? a->code : SONDE_EPARSE;
        }
    }
}

static void carry_search(archive *a, struct sonde_load_coordination *c)
{
    uint64_t count = c->search.count;
    sonde_load_archive_below(a, &count, SONDE_LOAD_SEARCH_TRIALS_MAX + 1);
    c->search.count = (size_t)count;
    for (size_t i = 0; i < c->search.count; i++) {
        struct sonde_load_trial *trial = &c->search.trials[i];
        uint64_t bits;
        memcpy(&bits, &trial->achieved, sizeof(bits));
        sonde_load_archive_signed(a, &trial->rate);
        sonde_load_archive_signed(a, &trial->seconds);
        sonde_load_archive_flag(a, &trial->keeps);
        sonde_load_archive_flag(a, &trial->valid);
        sonde_load_archive_number(a, &bits);
        memcpy(&trial->achieved, &bits, sizeof(bits));
    }
    sonde_load_archive_signed(a, &c->best_rate);
    sonde_load_archive_signed(a, &c->plan.arrival.rate);
    sonde_load_archive_signed(a, &c->plan.arrival.duration_seconds);
    sonde_load_archive_signed(a, &c->plan.warm_up_seconds);
    sonde_load_archive_unsigned(a, &c->plan.threads);
}

static void carry_losses(archive *a, struct sonde_load_coordination *c)
{
    sonde_load_archive_unsigned(a, &c->loss_count);
    for (unsigned i = 0; i < c->loss_count && i < SONDE_LOAD_RUNNERS_MAX; i++) {
        struct sonde_load_loss *loss = &c->losses[i];
        sonde_load_archive_unsigned(a, &loss->runner);
        sonde_load_archive_signed(a, &loss->second);
        sonde_load_archive_flag(a, &loss->replaced);
        sonde_load_archive_text(a, loss->pod, sizeof(loss->pod));
        sonde_load_archive_text(a, loss->reason, sizeof(loss->reason));
        sonde_load_archive_text(a, loss->message, sizeof(loss->message));
    }
}

static void carry_shown(archive *a, struct sonde_load_coordination *c)
{
    sonde_load_archive_number(a, &c->shown_count);
    uint64_t kept =
        c->shown_count < SONDE_LOAD_SHOWN_SECONDS ? c->shown_count : SONDE_LOAD_SHOWN_SECONDS;
    for (uint64_t i = 0; i < kept; i++) {
        struct sonde_load_shown *own = &c->shown[i];
        sonde_load_archive_unsigned(a, &own->round);
        sonde_load_archive_signed(a, &own->second);
        sonde_load_archive_number(a, &own->sent);
        sonde_load_archive_number(a, &own->answered);
        sonde_load_archive_number(a, &own->failed);
        sonde_load_archive_signed(a, &own->p50_us);
        sonde_load_archive_signed(a, &own->p99_us);
    }
}

static void carry(archive *a, struct sonde_load_coordination *c)
{
    unsigned phase = c->phase;
    int64_t *const times[] = {&c->created_us, &c->start_us, &c->complete, &c->stopping_us,
                              &c->skew_us};
    bool *const flags[] = {&c->concluded, &c->stopping, &c->failed,
                           &c->cancelled, &c->overdue,  &c->profile_due};
    carry_enum(a, &phase, SONDE_LOAD_ENDED + 1);
    c->phase = (enum sonde_load_phase)phase;
    sonde_load_archive_unsigned(a, &c->round);
    for (size_t i = 0; i < SONDE_LENGTH(times); i++) {
        sonde_load_archive_signed(a, times[i]);
    }
    for (size_t i = 0; i < SONDE_LENGTH(flags); i++) {
        sonde_load_archive_flag(a, flags[i]);
    }
    sonde_load_archive_text(a, c->reason, sizeof(c->reason));
    sonde_load_archive_text(a, c->message, sizeof(c->message));
    carry_labels(a, c);
    for (unsigned i = 0; i < c->count; i++) {
        carry_runner(a, &c->runners[i]);
    }
    carry_losses(a, c);
    carry_shown(a, c);
    carry_verdicts(a, c->verdicts, c->verdict_count);
    carry_verdicts(a, c->best_verdicts, c->verdict_count);
    carry_search(a, c);
    bool best = c->best_rate > 0;
    carry_any_result(a, c, &c->measured, &c->result);
    carry_any_result(a, c, &best, &c->best);
    carry_pending(a, c);
}

static void carry_head(archive *a, uint64_t *version, uint64_t *runners, uint64_t *verdicts)
{
    sonde_load_archive_number(a, version);
    sonde_load_archive_number(a, runners);
    sonde_load_archive_number(a, verdicts);
}

int sonde_load_coordination_save(struct sonde_load_coordination *c, struct sonde_buf *buf,
                                 struct sonde_err *err)
{
    struct sonde_load_archive a = {.to = buf};
    uint64_t version = SONDE_LOAD_COORDINATION_VERSION;
    uint64_t runners = c->count;
    uint64_t verdicts = c->verdict_count;
    carry_head(&a, &version, &runners, &verdicts);
    carry(&a, c);
    return sonde_load_archive_check(&a, err);
}

/* What is borrowed from the test, and was not saved with it. */
static void lend(struct sonde_load_coordination *c)
{
    for (size_t i = 0; i < c->verdict_count; i++) {
        c->best_verdicts[i].text = c->verdicts[i].text;
        c->best_verdicts[i].threshold = c->verdicts[i].threshold;
    }
    c->result.verdicts = c->concluded ? c->verdicts : NULL;
    c->result.verdict_count = c->concluded ? c->verdict_count : 0;
    c->best.verdicts = c->best_verdicts;
    c->best.verdict_count = c->best_rate ? c->verdict_count : 0;
}

int sonde_load_coordination_restore(struct sonde_load_coordination *c, struct sonde_str saved,
                                    struct sonde_err *err)
{
    struct sonde_load_archive a = {.from = saved};
    uint64_t version = 0;
    uint64_t runners = 0;
    uint64_t verdicts = 0;
    carry_head(&a, &version, &runners, &verdicts);
    if (a.code == 0 && version != SONDE_LOAD_COORDINATION_VERSION) {
        return sonde_fail(err, SONDE_EVERSION, 0,
                          "another version of the store has kept the load test");
    }
    if (a.code == 0 && (runners != c->count || verdicts != c->verdict_count)) {
        return sonde_fail(err, SONDE_EPARSE, 0, "what is kept is of another load test");
    }
    carry(&a, c);
    lend(c);
    if (a.code == 0) {
        course_measure(c);
    }
    return sonde_load_archive_check(&a, err);
}
