/* SPDX-License-Identifier: Apache-2.0 */
/* What came of a load test in the course of time: of each second its counts and its histogram of
 * responses, packed. Of a long test two seconds become one, and two of these again, so that the
 * memory has a bound. Pure. */
#ifndef SONDE_LOAD_INTERVALS_H
#define SONDE_LOAD_INTERVALS_H

#include "load/tally.h"

enum {
    SONDE_LOAD_INTERVALS_MAX = 3600,          /* then two become one */
    SONDE_LOAD_INTERVALS_BYTES_MAX = 8 << 20, /* of packed histograms; the same */
};

/* It begins where the one before ended, the first at 0. */
struct sonde_load_interval {
    int64_t end_ns; /* from the start */
    /* As those of a tally. */
    uint64_t sent, answered, failed, censored, unsent, late;
    uint64_t bad; /* answers whose status is below 200 or above 399 */
    uint64_t connects, connect_failures;
    uint64_t bytes_read, bytes_written;
    /* Of the responses, in µs: what their histogram does not tell. INT64_MAX and 0: none. */
    int64_t minimum_us, maximum_us;
    uint64_t clipped;
    size_t offset, length; /* of the packed histogram */
};

struct sonde_load_intervals {
    struct sonde_load_interval *items;
    size_t count, capacity;
    unsigned factor;  /* so many that were added make one of these; a power of 2 */
    unsigned in_last; /* of the last one */
    struct sonde_buf packed;
    struct sonde_buf one;           /* while one is packed */
    struct sonde_histogram scratch; /* … or two are added */
};

/* The counts of an interval, for who writes or reads them: name (as in JSON) and offset of a
 * uint64_t; the last has no name. */
struct sonde_load_interval_field {
    const char *name;
    size_t offset;
};
extern const struct sonde_load_interval_field sonde_load_interval_fields[];

/* SONDE_ENOMEM. The caller calls sonde_load_intervals_fini in any case. */
int sonde_load_intervals_init(struct sonde_load_intervals *intervals,
                              struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_load_intervals_fini(struct sonde_load_intervals *intervals);

/* Adds what came of the time since the last one. SONDE_EINVALID when end_ns is before its end,
 * SONDE_ENOMEM. */
int sonde_load_intervals_add(struct sonde_load_intervals *intervals, int64_t end_ns,
                             const struct sonde_load_tally *tally,
                             struct sonde_err *err) SONDE_MUST_CHECK;
/* The same of numbers (offset and length do not matter) and their histogram, of a tally's layout.
 */
int sonde_load_intervals_push(struct sonde_load_intervals *intervals,
                              const struct sonde_load_interval *interval,
                              const struct sonde_histogram *response,
                              struct sonde_err *err) SONDE_MUST_CHECK;

/* When the interval began, in ns from the start. */
int64_t sonde_load_intervals_begin(const struct sonde_load_intervals *intervals, size_t at);
/* Makes a histogram of a tally's layout that of the interval's responses: what was in it is
 * forgotten. SONDE_EINTERNAL. */
int sonde_load_intervals_response(const struct sonde_load_intervals *intervals, size_t at,
                                  struct sonde_histogram *ret,
                                  struct sonde_err *err) SONDE_MUST_CHECK;

#endif
