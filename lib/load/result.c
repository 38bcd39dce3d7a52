/* SPDX-License-Identifier: Apache-2.0 */
#include "load/result.h"

#include "base/clock.h"

static const int64_t most_requests = INT64_C(1000) * 1000 * 1000;
static const int64_t most_bytes = INT64_C(1000) * 1000 * 1000 * 1000;

int sonde_load_result_init(struct sonde_load_result *result, struct sonde_err *err)
{
    enum { DIGITS = 3 };
    struct sonde_histogram_layout layout;
    *result = (struct sonde_load_result){.arena = SONDE_ARENA(SONDE_LOAD_RESULT_TEXTS_MAX),
                                         .asked.sample_ns = SONDE_SECOND};
    int r = sonde_load_tally_init(&result->tally, err);
    r = r < 0 ? r : sonde_load_tally_init(&result->warm_up, err);
    r = r < 0 ? r : sonde_load_tally_init(&result->second, err);
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
    sonde_load_tally_fini(&result->second);
    sonde_histogram_fini(&result->requests);
    sonde_histogram_fini(&result->bytes);
    sonde_load_intervals_fini(&result->intervals);
    sonde_arena_fini(&result->arena);
}

/* The share of its time that makes one whole: threads do not hand over just then. */
static bool is_whole(int64_t length_ns, int64_t wanted_ns)
{
    enum { TENTHS = 9 };
    return length_ns >= wanted_ns / 10 * TENTHS;
}

static void take_sample(struct sonde_load_result *result, int64_t end_ns)
{
    sonde_histogram_record(&result->requests, (int64_t)result->sample_answered);
    sonde_histogram_record(&result->bytes, (int64_t)result->sample_bytes);
    result->samples++;
    result->sample_answered = 0;
    result->sample_bytes = 0;
    result->sampled_ns = end_ns;
}

/* What is in no interval yet becomes one. */
static int end_second(struct sonde_load_result *result, struct sonde_err *err)
{
    int r =
        sonde_load_intervals_add(&result->intervals, result->second_end_ns, &result->second, err);
    sonde_load_tally_clear(&result->second);
    result->second_begin_ns = result->second_end_ns;
    return r;
}

int sonde_load_result_add(struct sonde_load_result *result, int64_t end_ns,
                          const struct sonde_load_tally *interval, struct sonde_err *err)
{
    /* Threads that end together have an interval between them that has no end. */
    end_ns = end_ns > result->second_end_ns ? end_ns : result->second_end_ns;
    result->sample_answered += interval->answered;
    result->sample_bytes += interval->bytes_read;
    if (is_whole(end_ns - result->sampled_ns, result->asked.sample_ns)) {
        take_sample(result, end_ns);
    }
    result->second_end_ns = end_ns;
    sonde_load_tally_add(&result->second, interval);
    return is_whole(end_ns - result->second_begin_ns, SONDE_SECOND) ? end_second(result, err) : 0;
}

static bool has_any(const struct sonde_load_tally *t)
{
    return t->sent || t->answered || t->failed || t->censored || t->unsent || t->received ||
           t->connects || t->connect_failures || t->bytes_read || t->bytes_written;
}

static void swap(struct sonde_load_tally *a, struct sonde_load_tally *b)
{
    const struct sonde_load_tally was = *a;
    *a = *b;
    *b = was;
}

int sonde_load_result_end(struct sonde_load_result *result, const struct sonde_load_plan *plan,
                          struct sonde_load_outcome *outcome, struct sonde_err *err)
{
    if (result->samples == 0) {
        take_sample(result, result->second_end_ns);
    }
    int r = result->second_end_ns > result->second_begin_ns || has_any(&result->second)
                ? end_second(result, err)
                : 0;
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
    return r;
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
    bool all = !result->search || sonde_load_search_result(result->search).lower > 0;
    for (size_t i = 0; i < result->verdict_count; i++) {
        all = all && result->verdicts[i].keeps;
    }
    return all && (result->validity.valid || result->verdict_count == 0);
}
