/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of values in buckets that are as wide as their values are large, so that each is known to
 * so many digits, in memory that does not grow: HdrHistogram's layout (hdrhistogram.org;
 * HdrHistogram_c, hdr_histogram.c). Values are whole and of any unit. Pure. */
#ifndef SONDE_HISTOGRAM_HISTOGRAM_H
#define SONDE_HISTOGRAM_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_HISTOGRAM_DIGITS_MAX = 5,
    SONDE_HISTOGRAM_COUNTS_MAX = 1 << 22, /* counters of a layout from outside: 32 MiB */
};

/* Which values are told apart. */
struct sonde_histogram_layout {
    int64_t lowest;  /* ≥ 1: what need not be told apart from 0 and from its neighbours */
    int64_t highest; /* ≥ 2 × lowest; larger ones count as this one */
    int digits;      /* significant ones, 1 to SONDE_HISTOGRAM_DIGITS_MAX */
    /* From these: */
    int unit_magnitude, half_magnitude; /* of 2: the lowest; half of the steps of a bucket */
    uint32_t count;                     /* of counters */
};

struct sonde_histogram {
    struct sonde_histogram_layout layout;
    uint64_t *counts;
    uint64_t total;           /* values: the sum of all counts */
    uint64_t clipped;         /* of these: beyond the highest */
    int64_t minimum, maximum; /* as they were recorded; INT64_MAX and 0 while empty */
};

/* SONDE_EINVALID where no such layout can be, SONDE_ELIMIT where it would be too large. */
int sonde_histogram_layout(int64_t lowest, int64_t highest, int digits,
                           struct sonde_histogram_layout *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* An empty one. SONDE_ENOMEM. The caller calls sonde_histogram_fini. */
int sonde_histogram_init(struct sonde_histogram *histogram,
                         const struct sonde_histogram_layout *layout,
                         struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_histogram_fini(struct sonde_histogram *histogram);
/* Forgets all values, not the layout. */
void sonde_histogram_clear(struct sonde_histogram *histogram);

/* The counter of a value from 0 to the highest. */
static inline uint32_t sonde_histogram_index(const struct sonde_histogram_layout *layout,
                                             int64_t value)
{
    uint64_t mask = (UINT64_C(1) << (layout->half_magnitude + 1 + layout->unit_magnitude)) - 1;
    int bucket = 63 - __builtin_clzll((uint64_t)value | mask) - layout->unit_magnitude -
                 layout->half_magnitude;
    uint32_t step = (uint32_t)((uint64_t)value >> (bucket + layout->unit_magnitude));
    return ((uint32_t)bucket << layout->half_magnitude) + step;
}

/* Counts a value `times` times; a negative one as 0. */
static inline void sonde_histogram_record_times(struct sonde_histogram *histogram, int64_t value,
                                                uint64_t times)
{
    bool beyond = value > histogram->layout.highest;
    value = value < 0 ? 0 : value;
    histogram->minimum = value < histogram->minimum ? value : histogram->minimum;
    histogram->maximum = value > histogram->maximum ? value : histogram->maximum;
    histogram->clipped += beyond ? times : 0;
    value = beyond ? histogram->layout.highest : value;
    histogram->counts[sonde_histogram_index(&histogram->layout, value)] += times;
    histogram->total += times;
}

static inline void sonde_histogram_record(struct sonde_histogram *histogram, int64_t value)
{
    sonde_histogram_record_times(histogram, value, 1);
}

/* Adds all of `from`, exactly: SONDE_EINVALID when their layouts differ. */
int sonde_histogram_add(struct sonde_histogram *histogram, const struct sonde_histogram *from,
                        struct sonde_err *err) SONDE_MUST_CHECK;

/* The lowest and the highest value that share a counter with this index. */
int64_t sonde_histogram_lowest_of(const struct sonde_histogram_layout *layout, uint32_t index);
int64_t sonde_histogram_highest_of(const struct sonde_histogram_layout *layout, uint32_t index);

/* The smallest value that at least the share (0–1) of all are no larger than, as far as the digits
 * tell: the highest that shares its counter, but no larger than the maximum; of 0 the minimum. 0
 * while empty. */
int64_t sonde_histogram_quantile(const struct sonde_histogram *histogram, double share);
/* The same by rank, from 1 (the smallest) to the total; others are moved there. */
int64_t sonde_histogram_at_rank(const struct sonde_histogram *histogram, uint64_t rank);
/* Of the middles of counters, 0 while empty: the mean, and the standard deviation of all (not of a
 * sample, as HdrHistogram has it). */
double sonde_histogram_mean(const struct sonde_histogram *histogram);
double sonde_histogram_deviation(const struct sonde_histogram *histogram);
/* How many values are at most this one, as far as the digits tell. */
uint64_t sonde_histogram_count_to(const struct sonde_histogram *histogram, int64_t value);

/* Whether a quantile is of too few values to be told: fewer than ten lie beyond it, or below one of
 * the lower half. */
bool sonde_histogram_is_scarce(const struct sonde_histogram *histogram, double share);

/* Ranks whose values enclose the quantile of what the values are drawn from, with a confidence
 * (0–1) and independent draws: order statistics, of the binomial distribution by its normal
 * approximation (Hahn and Meeker, Statistical Intervals, 1991, 5.2). False, and the whole range,
 * when there are too few values for an upper end. */
bool sonde_histogram_interval(const struct sonde_histogram *histogram, double share,
                              double confidence, int64_t *ret_low, int64_t *ret_high);

#endif
