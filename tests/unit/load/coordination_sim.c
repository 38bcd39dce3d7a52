/* SPDX-License-Identifier: Apache-2.0 */
#include "coordination_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "load/archive.h"
#include "seed.h"

static void must(int r, const struct sonde_err *err)
{
    if (r < 0) {
        fail_msg("%s", err->message);
    }
}

static void make(struct sim *sim)
{
    struct sonde_err err = {0};
    const struct sonde_load_coordination_options options = {
        .test = sim->documents.items[0].load_test,
        .title = "patients",
        .url = "http://patients.clinic:80",
        .seed = 7,
        .now_us = INT64_C(1767225600) * SIM_SECOND,
    };
    must(sonde_load_coordination_new(&options, &sim->c, &err), &err);
}

void sim_begin(struct sim *sim, unsigned runners, const char *spec)
{
    struct sonde_err err = {0};
    static uint64_t seed;
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 10);
    seed = seed ? seed : test_seed();
    *sim = (struct sim){.now_us = INT64_C(1767225600) * SIM_SECOND, .random = seed};
    sonde_buf_printf(&text,
                     "apiVersion: sonde.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: patients, "
                     "namespace: clinic}\nspec:\n  target: {service: {name: patients, port: 80}}\n"
                     "  scenario: {requests: [{name: one, path: /}]}\n  parallelism: %u\n%s%s",
                     runners, spec,
                     strstr(spec, "arrival:") || strstr(spec, "search:")
                         ? ""
                         : "  arrival: {rate: 1000, durationSeconds: 600}\n");
    must(sonde_spec_parse("test", sonde_buf_view(&text), &sim->documents, &err), &err);
    make(sim);
    must(sonde_load_tally_init(&sim->all, &err), &err);
}

void sim_end(struct sim *sim)
{
    sonde_load_coordination_free(sim->c);
    sonde_load_tally_fini(&sim->all);
    sonde_spec_documents_fini(&sim->documents);
}

struct sonde_load_answer_ready sim_ready(struct sim *sim, unsigned runner, unsigned round)
{
    struct sonde_err err = {0};
    struct sonde_load_answer_ready answer;
    bool changed;
    const struct sonde_load_ready ready = {.runner = runner,
                                           .round = round,
                                           .uncertainty_us = 100,
                                           .labels = sim->labels,
                                           .label_count = sim->label_count,
                                           .pod = sim->pod ? sim->pod : "pod",
                                           .node = "node"};
    must(sonde_load_coordination_ready(sim->c, &ready, sim->now_us, &answer, &changed, &err), &err);
    sim->start_us = answer.kind == SONDE_LOAD_BEGIN ? answer.start_us : sim->start_us;
    return answer;
}

struct sonde_load_answer_ready sim_start(struct sim *sim, unsigned runners, unsigned round)
{
    struct sonde_load_answer_ready answer = {0};
    for (unsigned i = 0; i < runners; i++) {
        assert_int_equal(answer.kind, SONDE_LOAD_WAIT);
        answer = sim_ready(sim, i, round);
        sim->runners[i] = (struct sim_runner){0};
    }
    sonde_load_tally_clear(&sim->all);
    return answer;
}

static void fill(struct sim *sim, const struct sim_second *second, struct sonde_load_tally *ret)
{
    for (uint64_t i = 0; i < second->requests; i++) {
        int64_t spread = (int64_t)(sonde_random_next(&sim->random) % 1000);
        int64_t end_us = (second->latency_us ? second->latency_us : 2000) + spread;
        const struct sonde_load_times times = {0, 10 * SONDE_MICROSECOND};
        sonde_load_tally_sent(ret, &times);
        if (i < second->failed) {
            sonde_load_tally_failed(ret, &times, end_us * 1000, SONDE_LOAD_TIMEOUT);
        } else {
            sonde_load_tally_answered(ret, &times, end_us * 1000, 200);
        }
    }
    for (uint64_t i = 0; i < second->unsent; i++) {
        sonde_load_tally_unsent(ret, 0, SONDE_SECOND);
    }
}

static void add(struct sonde_load_done *totals, const struct sonde_load_tally *t)
{
    totals->sent += t->sent;
    totals->answered += t->answered;
    totals->failed += t->failed;
    totals->censored += t->censored;
    totals->unsent += t->unsent;
}

int sim_send(struct sim *sim, unsigned runner, const struct sim_second *second, bool *ret_stop)
{
    struct sonde_err err = {0};
    struct sonde_load_tally tally;
    struct sim_runner *own = &sim->runners[runner];
    uint64_t expected;
    bool changed;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    struct sonde_load_archive archive = {.to = &text};
    assert_int_equal(sonde_load_tally_init(&tally, NULL), 0);
    assert_int_equal(sonde_load_tally_divide(&tally, sim->labels, sim->label_count, NULL), 0);
    fill(sim, second, &tally);
    for (size_t i = 0; i < sim->label_count; i++) {
        if (runner % sim->label_count == i) {
            sonde_load_tally_add(&tally.parts[i], &tally);
        }
    }
    sonde_load_archive_tally(&archive, &tally);
    assert_int_equal(sonde_load_archive_check(&archive, NULL), 0);
    const struct sonde_load_sent sent = {
        .runner = runner,
        .round = second->round,
        .sequence = own->sequence,
        .end_us = second->end_us ? second->end_us : ((int64_t)own->sequence + 1) * SIM_SECOND,
        .warm_up = second->warm_up,
        .started_us = second->started_us,
        .tally = sonde_buf_view(&text),
    };
    int r = sonde_load_coordination_interval(sim->c, &sent, sim->now_us, ret_stop, &expected,
                                             &changed, &err);
    if (r == 0 && changed) {
        own->sequence++;
        if (!second->warm_up) {
            add(&own->totals, &tally);
            sonde_load_tally_add(&sim->all, &tally);
        }
    }
    sonde_load_tally_fini(&tally);
    return r;
}

bool sim_second(struct sim *sim, unsigned runner, const struct sim_second *second)
{
    bool stop = false;
    assert_int_equal(sim_send(sim, runner, second, &stop), 0);
    return stop;
}

bool sim_done(struct sim *sim, unsigned runner, unsigned round)
{
    struct sonde_err err = {0};
    struct sonde_load_done done = sim->runners[runner].totals;
    bool changed;
    bool next;
    done.runner = runner;
    done.round = round;
    done.intervals = sim->runners[runner].sequence;
    done.duration_us = (int64_t)done.intervals * SIM_SECOND;
    int64_t end_us = sim->start_us + done.duration_us;
    sim->now_us = end_us > sim->now_us ? end_us : sim->now_us; /* it takes its time */
    done.cpu_us = 1000;
    done.threads = 2;
    done.connections = 5;
    done.invalid = "";
    must(sonde_load_coordination_done(sim->c, &done, sim->now_us, &next, &changed, &err), &err);
    return next;
}

bool sim_lost(struct sim *sim, unsigned runner, bool final)
{
    struct sonde_err err = {0};
    bool changed;
    bool replaced;
    const struct sonde_load_lost lost = {
        .runner = runner, .final = final, .pod = "", .reason = "RunnerLost", .message = "evicted"};
    must(sonde_load_coordination_lost(sim->c, &lost, sim->now_us, &replaced, &changed, &err), &err);
    return replaced;
}

void sim_renew(struct sim *sim, unsigned runner)
{
    sim->runners[runner] = (struct sim_runner){0};
}

/* Each sends so many seconds, and is done. */
void sim_send_all(struct sim *sim, unsigned runners, unsigned seconds)
{
    for (unsigned second = 0; second < seconds; second++) {
        for (unsigned i = 0; i < runners; i++) {
            const struct sim_second own = {.requests = 10 + i % 7 + second};
            (void)sim_second(sim, i, &own);
        }
        sim->now_us += SIM_SECOND;
    }
}

void sim_all_done(struct sim *sim, unsigned runners)
{
    for (unsigned i = 0; i < runners; i++) {
        (void)sim_done(sim, i, 0);
    }
}

void sim_must_be_sum(const struct sim *sim, const struct sonde_load_result *result)
{
    const struct sonde_load_tally *a = &sim->all;
    const struct sonde_load_tally *b = &result->tally;
    assert_int_equal(a->sent, b->sent);
    assert_int_equal(a->answered, b->answered);
    assert_int_equal(a->failed, b->failed);
    assert_int_equal(a->bytes_read, b->bytes_read);
    assert_memory_equal(a->statuses, b->statuses, sizeof(a->statuses));
    assert_memory_equal(a->response.counts, b->response.counts,
                        a->response.layout.count * sizeof(uint64_t));
    assert_memory_equal(a->send_lag.counts, b->send_lag.counts,
                        a->send_lag.layout.count * sizeof(uint64_t));
    assert_int_equal(a->response.minimum, b->response.minimum);
    assert_int_equal(a->response.maximum, b->response.maximum);
    uint64_t answered = 0;
    for (size_t i = 0; i < result->intervals.count; i++) {
        answered += result->intervals.items[i].answered;
    }
    assert_int_equal(answered, a->answered);
}

struct sonde_load_state sim_state(const struct sim *sim)
{
    struct sonde_load_state state;
    sonde_load_coordination_state(sim->c, &state);
    return state;
}

struct sonde_load_conclusion sim_conclude(struct sim *sim)
{
    struct sonde_err err = {0};
    struct sonde_load_conclusion conclusion;
    must(sonde_load_coordination_conclude(sim->c, sim->now_us, &conclusion, &err), &err);
    return conclusion;
}

void sim_restart(struct sim *sim)
{
    struct sonde_err err = {0};
    SONDE_BUF_AUTO first = SONDE_BUF(16 << 20);
    SONDE_BUF_AUTO again = SONDE_BUF(16 << 20);
    must(sonde_load_coordination_save(sim->c, &first, &err), &err);
    sonde_load_coordination_free(sim->c);
    make(sim);
    must(sonde_load_coordination_restore(sim->c, sonde_buf_view(&first), &err), &err);
    must(sonde_load_coordination_save(sim->c, &again, &err), &err);
    assert_int_equal(first.length, again.length);
    assert_memory_equal(first.data, again.data, first.length);
}
