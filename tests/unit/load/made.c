/* SPDX-License-Identifier: Apache-2.0 */
#include "made.h"

#include <string.h>

#include "base/clock.h"
#include "base/random.h"

static const struct sonde_stage stages[] = {{.duration_seconds = 5, .rate = 100, .ramp = true},
                                            {.duration_seconds = 10, .rate = 100}};

static const struct sonde_load_label labels[] = {{SONDE_LOAD_OF_NAME, "search"},
                                                 {SONDE_LOAD_OF_ADDRESS, "[::1]:3000"}};

static struct sonde_load_verdict verdicts[2];

static struct sonde_load_profiled profiles[] = {
    {.type = "cpu",
     .run = "69954a51-68f4-4575-993f-1b9e5c3b539c",
     .from_ns = 5 * SONDE_SECOND,
     .to_ns = 16 * SONDE_SECOND,
     .title = "75 % of the busy time is spent in hotLoop",
     .where = "hotLoop app.js:2"},
    {.type = "heap", .failure = "no Node.js process matches \"3000\""},
};

/* Most are near the middle, some take many times as long. */
static int64_t latency(int64_t middle, uint64_t *state)
{
    uint64_t random = sonde_random_next(state);
    int64_t value = middle / 2 + (int64_t)(random % (uint64_t)middle);
    return value << (random % 97 == 0 ? 4 : random % 11 == 0 ? 2 : 0);
}

static void one_request(const struct made_options *o, struct sonde_load_tally *t, uint64_t *state)
{
    const struct sonde_load_times times = {0, 50 * SONDE_MICROSECOND};
    int64_t end_ns = latency(o->latency_us, state) * SONDE_MICROSECOND;
    uint64_t fate = o->troubled ? sonde_random_next(state) % 100 : 99;
    if (fate == 0) {
        sonde_load_tally_unsent(t, 0, end_ns);
        return;
    }
    sonde_load_tally_sent(t, &times);
    t->bytes_written += 90;
    if (fate == 1) {
        sonde_load_tally_failed(t, &times, SONDE_SECOND, SONDE_LOAD_TIMEOUT);
    } else if (fate == 2) {
        sonde_load_tally_failed(t, &times, end_ns, SONDE_LOAD_RESET);
    } else {
        sonde_load_tally_answered(t, &times, end_ns, fate < 6 ? 503 : 200);
        t->bytes_read += 180;
    }
}

static int one_second(const struct made_options *o, struct sonde_load_tally *second,
                      struct sonde_load_outcome *outcome, uint64_t *state)
{
    sonde_load_tally_clear(second);
    for (uint64_t k = 0; k < o->rate; k++) {
        one_request(o, second, state);
    }
    sonde_load_tally_add(&outcome->tally, second);
    sonde_load_tally_add(&outcome->tally.parts[0], second);
    return 0;
}

int made_result(const struct made_options *options, struct sonde_load_result *ret,
                struct sonde_err *err)
{
    uint64_t state = options->seed;
    struct sonde_load_tally second = {0};
    struct sonde_load_outcome outcome = {.start_ns = INT64_C(1767225600) * SONDE_SECOND,
                                         .duration_ns = options->seconds * SONDE_SECOND,
                                         .cpu_ns = options->seconds * SONDE_SECOND / 10};
    struct sonde_load_plan plan = {
        .threads = 2,
        .connections = 10,
        .connections_max = 1000,
        .pipelining = 1,
        .timeout_ns = SONDE_SECOND,
        .arrival = {.distribution = SONDE_ARRIVAL_POISSON,
                    .stages = {stages, SONDE_LENGTH(stages)},
                    .rate = SONDE_SPEC_ABSENT,
                    .duration_seconds = SONDE_SPEC_ABSENT,
                    .amount = SONDE_SPEC_ABSENT},
        .warm_up_seconds = options->troubled ? 5 : 0,
        .seed = UINT64_MAX - 1,
    };
    int r = sonde_load_result_init(ret, err);
    r = r < 0 ? r : sonde_load_tally_init(&second, err);
    r = r < 0 ? r : sonde_load_tally_init(&outcome.tally, err);
    r = r < 0 ? r : sonde_load_tally_divide(&outcome.tally, labels, SONDE_LENGTH(labels), err);
    r = r < 0 ? r : sonde_load_tally_init(&outcome.warm_up, err);
    for (int64_t i = 1; i <= options->seconds && r == 0; i++) {
        r = one_second(options, &second, &outcome, &state);
        r = r < 0 ? r : sonde_load_result_add(ret, i * SONDE_SECOND, &second, err);
    }
    if (r == 0) {
        verdicts[0].text = "http_req_duration: p(90)<100000";
        verdicts[1].text = "http_req_failed: rate<0.000001";
        for (size_t i = 0; i < SONDE_LENGTH(verdicts); i++) {
            (void)!sonde_threshold_parse(sonde_str(verdicts[i].text), &verdicts[i].threshold, NULL);
        }
        (void)sonde_load_judge(verdicts, SONDE_LENGTH(verdicts), &outcome.tally,
                               (double)options->seconds);
        sonde_load_validate(&plan, &outcome, 0, &ret->validity);
        if (plan.warm_up_seconds) {
            sonde_load_tally_add(&outcome.warm_up, &second);
        }
        r = sonde_load_result_end(ret, &plan, &outcome, err);
        r = r < 0 ? r : sonde_load_result_weigh(ret, err);
        ret->steadiness = (struct sonde_load_steady_verdict){SONDE_LOAD_STEADY, 3, 0};
        static struct sonde_load_search search;
        static const struct sonde_rate_search usual = {
            .start_rate = 10, .max_rate = 1000, .trial_seconds = 2, .precision_percent = 5};
        sonde_load_search_init(&search, &usual);
        sonde_load_search_take(&search, &(struct sonde_load_trial){10, 2, true, true, 9.9});
        sonde_load_search_take(&search, &(struct sonde_load_trial){20, 1, false, true, 17});
        ret->search = options->troubled ? &search : NULL;
        ret->asked.title = "a title with \"quotes\" and é";
        ret->asked.url = "http://localhost:3000/patients?q=\x1b[31m";
        ret->verdicts = verdicts;
        r = r < 0 ? r : sonde_load_profiled_measure(&profiles[0], &ret->intervals, err);
        ret->profiles = profiles;
        ret->profile_count = SONDE_LENGTH(profiles);
        ret->verdict_count = SONDE_LENGTH(verdicts);
    }
    sonde_load_tally_fini(&second);
    sonde_load_outcome_fini(&outcome);
    return r;
}
