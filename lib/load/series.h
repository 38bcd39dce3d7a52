/* SPDX-License-Identifier: Apache-2.0 */
/* The seconds of a test one by one, as histograms without their zeros: what tells how much the
 * seconds differ, and for how long one is like the next. Pure. */
#ifndef SONDE_LOAD_SERIES_H
#define SONDE_LOAD_SERIES_H

#include "histogram/histogram.h"

enum {
    SONDE_LOAD_SERIES_COUNTERS_MAX = 1 << 19, /* of all intervals: 4 MiB */
    SONDE_LOAD_SERIES_INTERVALS_MAX = 1 << 12,
};

/* A counter that is not 0: its index above, its count below. */
enum { SONDE_LOAD_SERIES_COUNT_BITS = 42 };

static inline uint32_t sonde_load_series_index(uint64_t counter)
{
    return (uint32_t)(counter >> SONDE_LOAD_SERIES_COUNT_BITS);
}

static inline uint64_t sonde_load_series_count(uint64_t counter)
{
    return counter & ((UINT64_C(1) << SONDE_LOAD_SERIES_COUNT_BITS) - 1);
}

struct sonde_load_series_interval {
    uint32_t first, length; /* of the counters: those in use, by index */
    uint64_t total;         /* values */
};

/* What is kept: of each interval each counter that is not 0, exactly, and of all the largest value.
 * When that would be too much, neighbours are added up in pairs, as often as it takes: memory does
 * not grow with the length of a test, and no value is lost. */
struct sonde_load_series {
    struct sonde_histogram_layout layout;
    uint64_t *counters, *spare;
    struct sonde_load_series_interval *intervals;
    size_t used, count;
    uint64_t width;   /* how many that came are in one that is kept */
    uint64_t in_last; /* … and in the last one, which may still grow */
    int64_t maximum;
};

/* An empty one, for histograms of that layout. SONDE_ENOMEM; SONDE_ELIMIT when ten of them need not
 * fit. The caller calls sonde_load_series_fini in any case. */
int sonde_load_series_init(struct sonde_load_series *series,
                           const struct sonde_histogram_layout *layout,
                           struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_load_series_fini(struct sonde_load_series *series);

/* Takes the next interval, which is of the series' layout. An empty one counts too. */
void sonde_load_series_add(struct sonde_load_series *series,
                           const struct sonde_histogram *interval);

#endif
