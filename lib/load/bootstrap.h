/* SPDX-License-Identifier: Apache-2.0 */
/* How sure the quantiles of a test are, when a second is like the one before it: requests are then
 * not independent, and an interval from their number alone is far too narrow. Pure.
 *
 * The circular block bootstrap (Künsch, 1989; Politis and Romano, 1992): many tests of the same
 * length are put together from stretches of the one that was made, drawn with replacement, and the
 * quantiles of each are looked at. A stretch is as long as neighbours have to do with each other,
 * by the rule of Politis and White (2004), as corrected by Patton, Politis and White (2009), for
 * the share of requests beyond the quantile in each interval; of several quantiles, the longest.
 * The ends are percentiles of what comes of it, moved outwards as far as Student's t distribution
 * for that number of stretches is wider than the normal one (Hesterberg, 2015: the expanded
 * percentile interval), for with few of them a bootstrap alone is too sure. */
#ifndef SONDE_LOAD_BOOTSTRAP_H
#define SONDE_LOAD_BOOTSTRAP_H

#include "load/series.h"

enum {
    SONDE_BOOTSTRAP_INTERVALS_MIN = 10, /* of a test: with fewer there is nothing to draw from */
    SONDE_BOOTSTRAP_QUANTILES_MAX = 8,
    SONDE_BOOTSTRAP_REPLICATES = 1000, /* is enough for 95 % */
    SONDE_BOOTSTRAP_REPLICATES_MAX = 100000,
};

struct sonde_bootstrap_options {
    const double *shares; /* of the quantiles, 0–1 */
    size_t count;
    double confidence; /* 0–1 */
    unsigned replicates;
    uint64_t seed; /* the same, and the same test: the same intervals */
};

/* In the unit of the histograms; of a ratio, none. */
struct sonde_bootstrap_interval {
    double low, high;
};

/* Whether there are enough intervals. */
bool sonde_bootstrap_is_possible(const struct sonde_load_series *series);

/* Of each quantile an interval. Takes about a nanosecond for each replicate and counter.
 * SONDE_EINVALID when it is not possible, or the options are out of bounds; SONDE_ENOMEM. */
int sonde_bootstrap_quantiles(const struct sonde_load_series *series,
                              const struct sonde_bootstrap_options *options,
                              struct sonde_bootstrap_interval *ret,
                              struct sonde_err *err) SONDE_MUST_CHECK;

/* How much larger a quantile is in one test than in another. */
struct sonde_bootstrap_change {
    struct sonde_bootstrap_interval difference; /* after − before */
    struct sonde_bootstrap_interval ratio;      /* after ÷ before; NAN where that was 0 */
};

/* Of each quantile, for tests that do not depend on each other. The same errors; SONDE_EINVALID
 * also when the layouts differ. */
int sonde_bootstrap_compare(const struct sonde_load_series *before,
                            const struct sonde_load_series *after,
                            const struct sonde_bootstrap_options *options,
                            struct sonde_bootstrap_change *ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;

/* The length of a stretch for these `count` values, of which each may be like the one before: at
 * least 1, at most a third of them. `values` are centred on the way. */
double sonde_bootstrap_block_length(double *values, size_t count);

#endif
