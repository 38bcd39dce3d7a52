/* SPDX-License-Identifier: Apache-2.0 */
#include "load/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "histogram/normal.h"

bool sonde_bootstrap_is_possible(const struct sonde_load_series *series)
{
    return series->count >= SONDE_BOOTSTRAP_INTERVALS_MIN;
}

/* ---- how long a stretch is ---- */

static double covariance(const double *values, size_t count, size_t lag)
{
    double sum = 0;
    for (size_t i = lag; i < count; i++) {
        sum += values[i] * values[i - lag];
    }
    return sum / (double)count;
}

/* The last lag that matters: it is followed by so many that are no more than chance. */
static size_t last_lag(const double *values, size_t count, double variance)
{
    size_t run_wanted = (size_t)fmax(5, sqrt(log10((double)count)));
    size_t most = (size_t)ceil(sqrt((double)count)) + run_wanted;
    double chance = 2 * sqrt(log10((double)count) / (double)count);
    size_t run = 0;
    size_t last = 0;
    for (size_t lag = 1; lag <= most && lag < count && run < run_wanted; lag++) {
        bool matters = fabs(covariance(values, count, lag)) > chance * variance;
        last = matters ? lag : last;
        run = matters ? 0 : run + 1;
    }
    return last;
}

static double window(double at)
{
    return at <= 0.5 ? 1 : 2 * (1 - at);
}

double sonde_bootstrap_block_length(double *values, size_t count)
{
    double n = (double)count;
    double mean = 0;
    for (size_t i = 0; i < count; i++) {
        mean += values[i] / n;
    }
    for (size_t i = 0; i < count; i++) {
        values[i] -= mean;
    }
    double variance = covariance(values, count, 0);
    bool varies = variance > 1e-20 * mean * mean; /* or it is what the mean was rounded by */
    size_t width = varies ? 2 * last_lag(values, count, variance) : 0;
    double sum = variance;
    double moment = 0;
    for (size_t lag = 1; lag <= width && lag < count; lag++) {
        double own = 2 * window((double)lag / (double)width) * covariance(values, count, lag);
        sum += own;
        moment += (double)lag * own;
    }
    double longest = fmax(1, fmin(3 * sqrt(n), n / 3));
    double length = sum > 0 ? cbrt(1.5 * moment * moment / (sum * sum) * n) : longest;
    return width ? fmax(1, fmin(length, longest)) : 1;
}

/* ---- tests that could have been ---- */

enum { GROUP = 64 };

struct draw {
    const struct sonde_load_series *series;
    uint64_t *counts;    /* of the test that is put together */
    uint64_t *sums;      /* of each GROUP of these, so that ranks are found fast */
    uint32_t first, end; /* those that may not be 0 */
    double *values;      /* of each interval */
    uint64_t all;        /* values */
    size_t length;       /* of a stretch */
    uint64_t seed;
};

/* The value of a rank, from 1, and its counter. */
static int64_t at_rank(const struct draw *d, uint64_t rank, uint32_t *ret_at)
{
    const struct sonde_load_series *s = d->series;
    uint32_t at = d->first;
    uint64_t seen = 0;
    while (at / GROUP < (d->end - 1) / GROUP && seen + d->sums[at / GROUP] < rank) {
        seen += d->sums[at / GROUP];
        at = (at / GROUP + 1) * GROUP;
    }
    while (at + 1 < d->end && seen + d->counts[at] < rank) {
        seen += d->counts[at++];
    }
    *ret_at = at;
    int64_t value = sonde_histogram_highest_of(&s->layout, at);
    return value < s->maximum ? value : s->maximum;
}

static uint64_t rank_of(double share, uint64_t total)
{
    double rank = ceil(nextafter(share, 0) * (double)total);
    return rank < 1 ? 1 : (uint64_t)rank;
}

static void add_interval(struct draw *d, size_t index)
{
    const struct sonde_load_series_interval *own = &d->series->intervals[index];
    const uint64_t *counters = d->series->counters + own->first;
    for (uint32_t i = 0; i < own->length; i++) {
        uint32_t at = sonde_load_series_index(counters[i]);
        uint64_t count = sonde_load_series_count(counters[i]);
        d->counts[at] += count;
        d->sums[at / GROUP] += count;
    }
    d->all += own->total;
}

static void forget(struct draw *d)
{
    memset(d->counts + d->first, 0, (d->end - d->first) * sizeof(*d->counts));
    memset(d->sums, 0, (d->end / GROUP + 1) * sizeof(*d->sums));
    d->all = 0;
}

/* A number below `count`, each as likely. */
static size_t below(struct draw *d, size_t count)
{
    return (size_t)((unsigned __int128)sonde_random_next(&d->seed) * count >> 64);
}

/* One test, put together. */
static void put_together(struct draw *d)
{
    size_t count = d->series->count;
    forget(d);
    for (size_t taken = 0; taken < count;) {
        size_t from = below(d, count);
        for (size_t i = 0; i < d->length && taken < count; i++, taken++) {
            add_interval(d, (from + i) % count);
        }
    }
}

/* What lies beyond the value in each interval, less what should: the linear part of a quantile. */
static size_t stretch_for(struct draw *d, double share)
{
    const struct sonde_load_series *s = d->series;
    uint32_t at;
    (void)at_rank(d, rank_of(share, d->all), &at);
    for (size_t i = 0; i < s->count; i++) {
        const struct sonde_load_series_interval *own = &s->intervals[i];
        double beyond = 0;
        for (uint32_t k = 0; k < own->length; k++) {
            uint64_t counter = s->counters[own->first + k];
            beyond += sonde_load_series_index(counter) > at
                          ? (double)sonde_load_series_count(counter)
                          : 0;
        }
        d->values[i] = beyond - (1 - share) * (double)own->total;
    }
    return (size_t)ceil(sonde_bootstrap_block_length(d->values, s->count));
}

static int draw_init(struct draw *d, const struct sonde_load_series *series,
                     const struct sonde_bootstrap_options *options, uint64_t seed,
                     struct sonde_err *err)
{
    *d = (struct draw){.series = series, .seed = seed, .length = 1};
    d->counts = calloc(series->layout.count, sizeof(*d->counts));
    d->sums = calloc(series->layout.count / GROUP + 1, sizeof(*d->sums));
    d->values = malloc(series->count * sizeof(*d->values));
    if (!d->counts || !d->sums || !d->values) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "intervals of quantiles: out of memory");
    }
    for (size_t i = 0; i < series->count; i++) {
        const struct sonde_load_series_interval *own = &series->intervals[i];
        if (own->length) {
            uint32_t first = sonde_load_series_index(series->counters[own->first]);
            uint32_t last = sonde_load_series_index(series->counters[own->first + own->length - 1]);
            d->first = d->end && d->first < first ? d->first : first;
            d->end = d->end > last ? d->end : last + 1;
        }
        add_interval(d, i);
    }
    for (size_t i = 0; i < options->count; i++) {
        size_t length = stretch_for(d, options->shares[i]);
        d->length = length > d->length ? length : d->length;
    }
    return 0;
}

static void draw_fini(struct draw *d)
{
    free(d->counts);
    free(d->sums);
    free(d->values);
}

/* ---- what comes of them ---- */

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The ends, of values that are sorted on the way. */
static struct sonde_bootstrap_interval ends_of(double *values, unsigned count, double confidence,
                                               double stretches)
{
    /* A t distribution of 1 degree of freedom is as wide as we can tell. */
    double degrees = fmax(stretches - 1, 1);
    double wider = sonde_student_deviations(confidence, degrees) * sqrt((degrees + 1) / degrees);
    double low = floor(sonde_normal_beyond(wider) * (count + 1));
    unsigned middle = (count + 1) / 2;
    unsigned rank = low < 1 ? 1 : low > middle ? middle : (unsigned)low;
    qsort(values, count, sizeof(*values), compare);
    return (struct sonde_bootstrap_interval){values[rank - 1], values[count - rank]};
}

static bool are_right(const struct sonde_bootstrap_options *o)
{
    bool right = o->count && o->count <= SONDE_BOOTSTRAP_QUANTILES_MAX && o->replicates &&
                 o->replicates <= SONDE_BOOTSTRAP_REPLICATES_MAX && o->confidence > 0 &&
                 o->confidence < 1;
    for (size_t i = 0; right && i < o->count; i++) {
        right = o->shares[i] > 0 && o->shares[i] <= 1;
    }
    return right;
}

static int check(const struct sonde_load_series *series,
                 const struct sonde_bootstrap_options *options, struct sonde_err *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i < series->count; i++) {
        total += series->intervals[i].total;
    }
    if (!are_right(options)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "a bootstrap needs 1 to %d quantiles of 0 to 1",
                          SONDE_BOOTSTRAP_QUANTILES_MAX);
    }
    return sonde_bootstrap_is_possible(series) && total
               ? 0
               : sonde_fail(err, SONDE_EINVALID, 0,
                            "%zu intervals with %llu values are too few for a bootstrap: %d are "
                            "needed",
                            series->count, (unsigned long long)total,
                            SONDE_BOOTSTRAP_INTERVALS_MIN);
}

/* The quantiles of each replicate: of the first quantile all, then of the next. The caller frees
 * them. */
static int replicate(const struct sonde_load_series *series,
                     const struct sonde_bootstrap_options *options, uint64_t seed,
                     double **ret_values, double *ret_stretches, struct sonde_err *err)
{
    struct draw draw;
    double *values = malloc(options->replicates * options->count * sizeof(*values));
    int r = draw_init(&draw, series, options, seed, err);
    if (r == 0 && !values) {
        r = sonde_fail(err, SONDE_ENOMEM, 0, "intervals of quantiles: out of memory");
    }
    for (unsigned i = 0; i < options->replicates && r == 0; i++) {
        put_together(&draw);
        for (size_t k = 0; k < options->count; k++) {
            uint32_t at;
            uint64_t rank = rank_of(options->shares[k], draw.all);
            values[k * options->replicates + i] = (double)at_rank(&draw, rank, &at);
        }
    }
    draw_fini(&draw);
    if (r < 0) {
        free(values);
        return r;
    }
    *ret_values = values;
    *ret_stretches = (double)series->count / (double)draw.length;
    return 0;
}

int sonde_bootstrap_quantiles(const struct sonde_load_series *series,
                              const struct sonde_bootstrap_options *options,
                              struct sonde_bootstrap_interval *ret, struct sonde_err *err)
{
    double *values;
    double stretches;
    int r = check(series, options, err);
    r = r < 0 ? r : replicate(series, options, options->seed, &values, &stretches, err);
    if (r < 0) {
        return r;
    }
    for (size_t k = 0; k < options->count; k++) {
        ret[k] = ends_of(values + k * options->replicates, options->replicates, options->confidence,
                         stretches);
    }
    free(values);
    return 0;
}

static struct sonde_bootstrap_change change_of(double *before, double *after,
                                               const struct sonde_bootstrap_options *options,
                                               double stretches)
{
    struct sonde_bootstrap_change change = {.ratio = {NAN, NAN}};
    bool has_ratio = true;
    for (unsigned i = 0; i < options->replicates; i++) {
        double was = before[i];
        double is = after[i];
        has_ratio = has_ratio && was > 0;
        before[i] = is - was;
        after[i] = was > 0 ? is / was : 0;
    }
    change.difference = ends_of(before, options->replicates, options->confidence, stretches);
    if (has_ratio) {
        change.ratio = ends_of(after, options->replicates, options->confidence, stretches);
    }
    return change;
}

int sonde_bootstrap_compare(const struct sonde_load_series *before,
                            const struct sonde_load_series *after,
                            const struct sonde_bootstrap_options *options,
                            struct sonde_bootstrap_change *ret, struct sonde_err *err)
{
    double *was = NULL;
    double *is = NULL;
    double stretches_before;
    double stretches_after;
    const struct sonde_histogram_layout *a = &before->layout;
    const struct sonde_histogram_layout *b = &after->layout;
    if (a->lowest != b->lowest || a->highest != b->highest || a->digits != b->digits) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "tests whose histograms have other layouts cannot be compared");
    }
    int r = check(before, options, err);
    r = r < 0 ? r : check(after, options, err);
    r = r < 0 ? r : replicate(before, options, options->seed, &was, &stretches_before, err);
    r = r < 0 ? r : replicate(after, options, ~options->seed, &is, &stretches_after, err);
    for (size_t k = 0; k < options->count && r == 0; k++) {
        size_t at = k * options->replicates;
        ret[k] = change_of(was + at, is + at, options, fmin(stretches_before, stretches_after));
    }
    free(was);
    free(is);
    return r;
}
