/* SPDX-License-Identifier: Apache-2.0 */
#include "load/regression_load.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "histogram/normal.h"
#include "load/compare.h"

/* Names in messages; how much good nights usually differ: the more, the further out. */
static const struct quantile {
    const char *key; /* of sonde_load_confidence_quantiles */
    const char *name;
    double usual;
} quantiles[] = {
    {"p50", "p50", 0.02}, {"p90", "p90", 0.03}, {"p99", "p99", 0.06}, {"p99_9", "p99.9", 0.12}};

static const char failed_name[] = "the share of failed requests";
static const char rate_name[] = "the rate of answers";
static const char highest_name[] = "the highest rate";

static struct sonde_regression_value quantile_of(const struct sonde_load_result *result,
                                                 const char *key)
{
    struct sonde_regression_value value = {0};
    for (size_t i = 0; i < SONDE_LOAD_CONFIDENCE_QUANTILES; i++) {
        const struct sonde_load_bounds *bounds = &result->confidence.bounds[i];
        const struct sonde_load_quantile *own = &sonde_load_confidence_quantiles[i];
        if (strcmp(own->name, key) == 0 && bounds->told && bounds->low_us > 0) {
            double width = log((double)bounds->high_us / (double)bounds->low_us);
            value.there = true;
            value.value = (double)sonde_histogram_quantile(&result->tally.response, own->share);
            value.error = width / 2 / sonde_normal_deviations(SONDE_LOAD_CONFIDENCE);
        }
    }
    return value;
}

static struct sonde_regression_value failed_of(const struct sonde_load_result *result)
{
    const struct sonde_load_tally *t = &result->tally;
    double ended = (double)(t->answered + t->failed);
    double share = ended > 0 ? (double)(t->failed + t->wrong) / ended : 0;
    return (struct sonde_regression_value){ended > 0, share,
                                           ended > 0 ? sqrt(share * (1 - share) / ended) : 0};
}

static struct sonde_regression_value rate_of(const struct sonde_load_result *result)
{
    double seconds = (double)result->duration_ns / (double)SONDE_SECOND;
    double rate = seconds > 0 ? (double)result->tally.answered / seconds : 0;
    return (struct sonde_regression_value){rate > 0, rate, 0};
}

/* The rate that a search has found lies anywhere between its bounds alike: the standard deviation
 * of a uniform distribution. */
static struct sonde_regression_value highest_of(const struct sonde_load_result *result)
{
    struct sonde_load_search_result found = sonde_load_search_result(result->search);
    double width = found.upper > found.lower && found.lower > 0
                       ? log((double)found.upper / (double)found.lower)
                       : (double)result->search->plan.precision_percent / 100;
    return (struct sonde_regression_value){found.lower > 0, (double)found.lower, width / sqrt(12)};
}

static int add_measure(struct sonde_regression *regression, const char *name,
                       enum sonde_regression_unit unit, double usual,
                       const struct sonde_regression_value *now, struct sonde_err *err)
{
    struct sonde_regression_measure *added = sonde_regression_add(regression, name, unit);
    if (!added) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the comparison: out of memory");
    }
    added->now = *now;
    added->usual = usual > 0 ? usual : added->usual;
    return 0;
}

/* Latencies of a search are those at the rate that it has found: only that rate is compared. */
static int begin_search(struct sonde_regression *regression, const struct sonde_load_result *now,
                        struct sonde_err *err)
{
    static const double usual = 0.05; /* trials that are near to a threshold keep it or not */
    const struct sonde_regression_value highest = highest_of(now);
    return add_measure(regression, highest_name, SONDE_REGRESSION_RATE, usual, &highest, err);
}

int sonde_regression_load_begin(struct sonde_regression *regression,
                                const struct sonde_load_result *now, struct sonde_err *err)
{
    const struct sonde_regression_value failed = failed_of(now);
    const struct sonde_regression_value rate = rate_of(now);
    int r = 0;
    if (now->search) {
        return begin_search(regression, now, err);
    }
    for (size_t i = 0; i < SONDE_LENGTH(quantiles) && r == 0; i++) {
        const struct sonde_regression_value value = quantile_of(now, quantiles[i].key);
        r = add_measure(regression, quantiles[i].name, SONDE_REGRESSION_TIME, quantiles[i].usual,
                        &value, err);
    }
    r = r < 0 ? r : add_measure(regression, failed_name, SONDE_REGRESSION_FAILED, 0, &failed, err);
    bool closed = !sonde_load_is_open(&now->asked);
    return r < 0 || !closed
               ? r
               : add_measure(regression, rate_name, SONDE_REGRESSION_RATE, 0, &rate, err);
}

/* Whether the rate is the highest one: the bound above it is that of the service. */
static bool is_highest_known(const struct sonde_load_search *search)
{
    struct sonde_load_search_result found = sonde_load_search_result(search);
    bool generator = false;
    for (size_t i = 0; i < search->count; i++) {
        const struct sonde_load_trial *trial = &search->trials[i];
        generator = generator || (trial->rate == found.upper && trial->keeps && !trial->valid);
    }
    return found.end == SONDE_LOAD_SEARCH_MAX_KEPT || (found.upper > 0 && !generator);
}

const char *sonde_regression_load_doubt(const struct sonde_load_result *now)
{
    if (!now->validity.valid) {
        return "the test cannot be believed";
    }
    return !now->search || is_highest_known(now->search)
               ? NULL
               : "the search has not found the highest rate, since the generator was too slow for "
                 "it, or the trials ran out";
}

bool sonde_regression_load_add(struct sonde_regression *regression,
                               const struct sonde_load_result *now,
                               const struct sonde_load_result *other)
{
    size_t at = regression->runs;
    if (at == SONDE_REGRESSION_HISTORY_MAX || !other->validity.valid ||
        sonde_load_differs(now, other)) {
        return false;
    }
    regression->runs++;
    if (now->search) {
        regression->measures[0].history[at] = highest_of(other);
        return true;
    }
    for (size_t i = 0; i < SONDE_LENGTH(quantiles); i++) {
        regression->measures[i].history[at] = quantile_of(other, quantiles[i].key);
    }
    regression->measures[SONDE_LENGTH(quantiles)].history[at] = failed_of(other);
    if (regression->count > SONDE_LENGTH(quantiles) + 1) {
        regression->measures[SONDE_LENGTH(quantiles) + 1].history[at] = rate_of(other);
    }
    return true;
}
