/* SPDX-License-Identifier: Apache-2.0 */
#include "load/course.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "load/bootstrap.h"

const struct sonde_load_quantile sonde_load_confidence_quantiles[SONDE_LOAD_CONFIDENCE_QUANTILES] =
    {{"p50", 0.5, true},
     {"p90", 0.9, true},
     {"p95", 0.95, false},
     {"p99", 0.99, true},
     {"p99_9", 0.999, true}};

const char *sonde_load_confidence_method_name(enum sonde_load_confidence_method method)
{
    static const char *const names[] = {
        [SONDE_LOAD_ORDER_STATISTICS] = "orderStatistics",
        [SONDE_LOAD_BOOTSTRAP] = "bootstrap",
    };
    return names[method];
}

/* ---- how sure quantiles are ---- */

int sonde_load_course_series(const struct sonde_load_intervals *intervals,
                             struct sonde_load_series *ret, struct sonde_err *err)
{
    struct sonde_histogram one = {0};
    int r = sonde_load_series_init(ret, &intervals->scratch.layout, err);
    r = r < 0 ? r : sonde_histogram_init(&one, &intervals->scratch.layout, err);
    for (size_t i = 0; i < intervals->count && r == 0; i++) {
        r = sonde_load_intervals_response(intervals, i, &one, err);
        if (r == 0) {
            sonde_load_series_add(ret, &one);
        }
    }
    sonde_histogram_fini(&one);
    return r;
}

static void by_number(const struct sonde_histogram *response, struct sonde_load_confidence *ret)
{
    *ret = (struct sonde_load_confidence){.method = SONDE_LOAD_ORDER_STATISTICS};
    for (size_t i = 0; i < SONDE_LOAD_CONFIDENCE_QUANTILES; i++) {
        struct sonde_load_bounds *own = &ret->bounds[i];
        double share = sonde_load_confidence_quantiles[i].share;
        own->told = sonde_histogram_interval(response, share, SONDE_LOAD_CONFIDENCE, &own->low_us,
                                             &own->high_us) &&
                    !sonde_histogram_is_scarce(response, share);
    }
}

static int by_bootstrap(const struct sonde_load_series *series, uint64_t seed,
                        struct sonde_load_confidence *ret, struct sonde_err *err)
{
    struct sonde_bootstrap_interval ends[SONDE_LOAD_CONFIDENCE_QUANTILES];
    double shares[SONDE_LOAD_CONFIDENCE_QUANTILES];
    const struct sonde_bootstrap_options options = {.shares = shares,
                                                    .count = SONDE_LOAD_CONFIDENCE_QUANTILES,
                                                    .confidence = SONDE_LOAD_CONFIDENCE,
                                                    .replicates = SONDE_BOOTSTRAP_REPLICATES,
                                                    .seed = seed};
    for (size_t i = 0; i < SONDE_LOAD_CONFIDENCE_QUANTILES; i++) {
        shares[i] = sonde_load_confidence_quantiles[i].share;
    }
    int r = sonde_bootstrap_quantiles(series, &options, ends, err);
    if (r < 0) {
        return r;
    }
    ret->method = SONDE_LOAD_BOOTSTRAP;
    for (size_t i = 0; i < SONDE_LOAD_CONFIDENCE_QUANTILES; i++) {
        ret->bounds[i].low_us = (int64_t)ends[i].low;
        ret->bounds[i].high_us = (int64_t)ends[i].high;
    }
    return 0;
}

int sonde_load_confidence_of(const struct sonde_histogram *response,
                             const struct sonde_load_intervals *intervals, uint64_t seed,
                             struct sonde_load_confidence *ret, struct sonde_err *err)
{
    struct sonde_load_series series = {0};
    struct sonde_load_confidence own;
    int r = 0;
    by_number(response, &own);
    if (intervals->count >= SONDE_BOOTSTRAP_INTERVALS_MIN && response->total) {
        r = sonde_load_course_series(intervals, &series, err);
        r = r < 0 || !sonde_bootstrap_is_possible(&series) ? r
                                                           : by_bootstrap(&series, seed, &own, err);
        sonde_load_series_fini(&series);
    }
    if (r == 0) {
        *ret = own;
    }
    return r;
}

/* ---- since when it was steady ---- */

/* The signals of an interval; where nothing was answered, the times are as they were before. */
static void signals_of(const struct sonde_load_interval *interval, double seconds,
                       const struct sonde_histogram *response,
                       double values[static SONDE_LOAD_STEADY_SIGNALS])
{
    values[SONDE_LOAD_STEADY_RATE] = (double)interval->answered / seconds;
    if (response->total) {
        values[SONDE_LOAD_STEADY_P50] = (double)sonde_histogram_quantile(response, 0.5);
        values[SONDE_LOAD_STEADY_P99] = (double)sonde_histogram_quantile(response, 0.99);
    }
}

int sonde_load_course_steady(const struct sonde_load_intervals *intervals,
                             struct sonde_load_steady_verdict *ret, struct sonde_err *err)
{
    static const double whole = 0.9; /* of its length, at least */
    struct sonde_histogram one = {0};
    double values[SONDE_LOAD_STEADY_SIGNALS] = {0};
    struct sonde_load_steady *steady = calloc(1, sizeof(*steady));
    int r = steady ? sonde_histogram_init(&one, &intervals->scratch.layout, err)
                   : sonde_fail(err, SONDE_ENOMEM, 0, "the course of a test: out of memory");
    for (size_t i = 0; i < intervals->count && r == 0; i++) {
        const struct sonde_load_interval *own = &intervals->items[i];
        double seconds =
            (double)(own->end_ns - sonde_load_intervals_begin(intervals, i)) / (double)SONDE_SECOND;
        r = sonde_load_intervals_response(intervals, i, &one, err);
        if (r == 0 && seconds >= whole * intervals->factor) {
            signals_of(own, seconds, &one, values);
            sonde_load_steady_add(steady, values);
        }
    }
    if (r == 0) {
        sonde_load_steady_judge(steady, ret);
        ret->since_seconds *= intervals->factor;
    }
    sonde_histogram_fini(&one);
    free(steady);
    return r;
}
