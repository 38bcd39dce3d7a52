/* SPDX-License-Identifier: Apache-2.0 */
#include "load/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "histogram/normal.h"
#include "load/bootstrap.h"

typedef const struct sonde_load_result *results[SONDE_SIDES];

/* ---- quantiles ---- */

static int bootstrap(const results tests, struct sonde_load_comparison *ret, struct sonde_err *err)
{
    struct sonde_load_series series[SONDE_SIDES] = {0};
    struct sonde_bootstrap_change changes[SONDE_LOAD_CONFIDENCE_QUANTILES];
    double shares[SONDE_LOAD_CONFIDENCE_QUANTILES];
    /* Of the same tests the same. */
    const struct sonde_bootstrap_options options = {
        .shares = shares,
        .count = SONDE_LOAD_CONFIDENCE_QUANTILES,
        .confidence = SONDE_LOAD_CONFIDENCE,
        .replicates = SONDE_BOOTSTRAP_REPLICATES,
        .seed = tests[SONDE_BEFORE]->asked.seed + 3 * tests[SONDE_AFTER]->asked.seed,
    };
    int r = 0;
    bool possible = true;
    for (int i = 0; i < SONDE_SIDES && r == 0; i++) {
        r = sonde_load_course_series(&tests[i]->intervals, &series[i], err);
        possible = possible && r == 0 && sonde_bootstrap_is_possible(&series[i]);
    }
    for (size_t k = 0; k < SONDE_LOAD_CONFIDENCE_QUANTILES; k++) {
        shares[k] = sonde_load_confidence_quantiles[k].share;
    }
    if (r == 0 && possible) {
        r = sonde_bootstrap_compare(&series[SONDE_BEFORE], &series[SONDE_AFTER], &options, changes,
                                    err);
    }
    for (size_t k = 0; k < SONDE_LOAD_CONFIDENCE_QUANTILES && r == 0 && possible; k++) {
        struct sonde_load_change *own = &ret->quantiles[k];
        own->told = !sonde_histogram_is_scarce(&tests[SONDE_BEFORE]->tally.response, shares[k]) &&
                    !sonde_histogram_is_scarce(&tests[SONDE_AFTER]->tally.response, shares[k]);
        own->low = changes[k].difference.low;
        own->high = changes[k].difference.high;
        own->ratio_low = changes[k].ratio.low;
        own->ratio_high = changes[k].ratio.high;
    }
    sonde_load_series_fini(&series[SONDE_BEFORE]);
    sonde_load_series_fini(&series[SONDE_AFTER]);
    return r;
}

static int compare_quantiles(const results tests, struct sonde_load_comparison *ret,
                             struct sonde_err *err)
{
    for (size_t k = 0; k < SONDE_LOAD_CONFIDENCE_QUANTILES; k++) {
        struct sonde_load_change *own = &ret->quantiles[k];
        *own = (struct sonde_load_change){.ratio_low = NAN, .ratio_high = NAN};
        for (int i = 0; i < SONDE_SIDES; i++) {
            own->values[i] = (double)sonde_histogram_quantile(
                &tests[i]->tally.response, sonde_load_confidence_quantiles[k].share);
        }
    }
    bool answered = tests[SONDE_BEFORE]->tally.response.total > 0 &&
                    tests[SONDE_AFTER]->tally.response.total > 0;
    return answered ? bootstrap(tests, ret, err) : 0;
}

/* ---- the rate ---- */

/* The mean of answers a second, and how far it may be off. */
struct mean {
    double variance; /* of the mean */
    size_t batches;
};

/* Of what came of whole intervals. `values` have room for all; returns how many. */
static size_t rates_of(const struct sonde_load_intervals *all, double *values)
{
    static const double whole = 0.9; /* of its length, at least */
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++) {
        double seconds = (double)(all->items[i].end_ns - sonde_load_intervals_begin(all, i)) /
                         (double)SONDE_SECOND;
        if (seconds >= whole * all->factor) {
            values[count++] = (double)all->items[i].answered / seconds;
        }
    }
    return count;
}

static struct mean mean_of(const double *values, size_t count, size_t length)
{
    struct mean mean = {0, count / length};
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < mean.batches; i++) {
        double batch = 0;
        for (size_t k = 0; k < length; k++) {
            batch += values[i * length + k] / (double)length;
        }
        /* Welford (1962): of large numbers that hardly differ, squares have no digits left. */
        double off = batch - sum;
        sum += off / (double)(i + 1);
        squares += off * (batch - sum);
    }
    double n = (double)mean.batches;
    mean.variance = mean.batches > 1 ? squares / (n - 1) / n : 0;
    return mean;
}

static int weigh_rate(const struct sonde_load_intervals *all, struct mean *ret,
                      struct sonde_err *err)
{
    SONDE_FREE double *values = calloc(all->count + 1, sizeof(*values));
    SONDE_FREE double *centred = calloc(all->count + 1, sizeof(*centred));
    if (!values || !centred) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the comparison: out of memory");
    }
    *ret = (struct mean){0};
    size_t count = rates_of(all, values);
    if (count >= SONDE_BOOTSTRAP_INTERVALS_MIN) {
        memcpy(centred, values, count * sizeof(*values));
        double length = ceil(sonde_bootstrap_block_length(centred, count));
        *ret = mean_of(values, count, length > 1 ? (size_t)length : 1);
    }
    return 0;
}

static double rate_of(const struct sonde_load_result *test)
{
    double seconds = (double)test->duration_ns / (double)SONDE_SECOND;
    return seconds > 0 ? (double)test->tally.answered / seconds : 0;
}

static int compare_rates(const results tests, struct sonde_load_comparison *ret,
                         struct sonde_err *err)
{
    struct sonde_load_change *rate = &ret->rate;
    struct mean means[SONDE_SIDES];
    double variance = 0;
    double weights = 0;
    *rate = (struct sonde_load_change){.told = true, .ratio_low = NAN, .ratio_high = NAN};
    for (int i = 0; i < SONDE_SIDES; i++) {
        int r = weigh_rate(&tests[i]->intervals, &means[i], err);
        if (r < 0) {
            return r;
        }
        rate->values[i] = rate_of(tests[i]);
        rate->told = rate->told && means[i].batches >= SONDE_LOAD_COMPARE_BATCHES_MIN;
        variance += means[i].variance;
        weights += means[i].batches > 1
                       ? means[i].variance * means[i].variance / (double)(means[i].batches - 1)
                       : 0;
    }
    double degrees = weights > 0 ? variance * variance / weights : 1;
    double margin = variance > 0
                        ? sonde_student_deviations(SONDE_LOAD_CONFIDENCE, degrees) * sqrt(variance)
                        : 0;
    rate->low = rate->values[SONDE_AFTER] - rate->values[SONDE_BEFORE] - margin;
    rate->high = rate->low + 2 * margin;
    return 0;
}

/* ---- the rest ---- */

static double failed_of(const struct sonde_load_tally *t)
{
    uint64_t ended = t->answered + t->failed;
    return ended ? (double)(t->failed + t->wrong) / (double)ended : NAN;
}

int sonde_load_compare(const struct sonde_load_side *before, const struct sonde_load_side *after,
                       struct sonde_load_comparison *ret, struct sonde_err *err)
{
    const results tests = {before->result, after->result};
    struct sonde_load_comparison made = {.sides = {*before, *after}};
    int r = compare_quantiles(tests, &made, err);
    r = r < 0 ? r : compare_rates(tests, &made, err);
    if (r < 0) {
        return r;
    }
    made.failed = (struct sonde_load_change){
        .values = {failed_of(&before->result->tally), failed_of(&after->result->tally)},
        .ratio_low = NAN,
        .ratio_high = NAN};
    made.differs = !sonde_load_is_same(&before->result->asked, &after->result->asked);
    *ret = made;
    return 0;
}

bool sonde_load_change_is_sure(const struct sonde_load_change *change)
{
    return change->told && (change->low > 0 || change->high < 0);
}
