/* SPDX-License-Identifier: Apache-2.0 */
#include "load/result.h"

#include "base/clock.h"

static const int64_t most_requests = INT64_C(1000) * 1000 * 1000;
static const int64_t most_bytes = INT64_C(1000) * 1000 * 1000 * 1000;

int sonde_load_result_init(struct sonde_load_result *result, struct sonde_err *err)
{
    enum { DIGITS = 3 };
    struct sonde_histogram_layout layout;
    *result = (struct sonde_load_result){.arena = SONDE_ARENA(SONDE_LOAD_RESULT_TEXTS_MAX)};
    int r = sonde_load_tally_init(&result->tally, err);
    r = r < 0 ? r : sonde_load_tally_init(&result->warm_up, err);
    r = r < 0 ? r : sonde_histogram_layout(1, most_requests, DIGITS, &layout, err);
    r = r < 0 ? r : sonde_histogram_init(&result->requests, &layout, err);
    r = r < 0 ? r : sonde_histogram_layout(1, most_bytes, DIGITS, &layout, err);
    r = r < 0 ? r : sonde_histogram_init(&result->bytes, &layout, err);
    return r < 0 ? r : sonde_load_intervals_init(&result->intervals, err);
}

void sonde_load_result_fini(struct sonde_load_result *result)
{
    sonde_load_tally_fini(&result->tally);
    sonde_load_tally_fini(&result->warm_up);
    sonde_histogram_fini(&result->requests);
    sonde_histogram_fini(&result->bytes);
    sonde_load_intervals_fini(&result->intervals);
    sonde_arena_fini(&result->arena);
}

int sonde_load_result_add(struct sonde_load_result *result, int64_t end_ns,
                          const struct sonde_load_tally *interval, struct sonde_err *err)
{
    static const int64_t shortest_ns = 9 * SONDE_SECOND / 10;
    /* Threads that end together have an interval between them that has no end. */
    end_ns = end_ns > result->sampled_ns ? end_ns : result->sampled_ns;
    bool whole = end_ns - result->sampled_ns >= shortest_ns;
    result->sampled_ns = end_ns;
    if (whole || result->samples == 0) {
        sonde_histogram_record(&result->requests, (int64_t)interval->answered);
        sonde_histogram_record(&result->bytes, (int64_t)interval->bytes_read);
        result->samples++;
    }
    return sonde_load_intervals_add(&result->intervals, end_ns, interval, err);
}

static void swap(struct sonde_load_tally *a, struct sonde_load_tally *b)
{
    const struct sonde_load_tally was = *a;
    *a = *b;
    *b = was;
}

void sonde_load_result_end(struct sonde_load_result *result, const struct sonde_load_plan *plan,
                           struct sonde_load_outcome *outcome)
{
    swap(&result->tally, &outcome->tally);
    swap(&result->warm_up, &outcome->warm_up);
    result->start_ns = outcome->start_ns / SONDE_MICROSECOND * SONDE_MICROSECOND;
    result->duration_ns = outcome->duration_ns;
    result->cpu_ns = outcome->cpu_ns;
    result->stopped = outcome->stopped;
    result->asked.threads = plan->threads;
    result->asked.connections = plan->connections;
    result->asked.connections_max = plan->connections_max;
    result->asked.pipelining = plan->pipelining;
    result->asked.requests_per_connection = plan->requests_per_connection;
    result->asked.timeout_ns = plan->timeout_ns;
    result->asked.arrival = plan->arrival;
    result->asked.warm_up_seconds = plan->warm_up_seconds;
    result->asked.seed = plan->seed;
}

int sonde_load_result_weigh(struct sonde_load_result *result, struct sonde_err *err)
{
    int r = sonde_load_confidence_of(&result->tally.response, &result->intervals,
                                     result->asked.seed, &result->confidence, err);
    if (r < 0 || result->asked.arrival.stages.count) {
        return r;
    }
    return sonde_load_course_steady(&result->intervals, &result->steadiness, err);
}

bool sonde_load_result_passes(const struct sonde_load_result *result)
{
    bool all = true;
    for (size_t i = 0; i < result->verdict_count; i++) {
        all = all && result->verdicts[i].keeps;
    }
    return all && (result->validity.valid || result->verdict_count == 0);
}
