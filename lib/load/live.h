/* SPDX-License-Identifier: Apache-2.0 */
/* How a load test gets on, in one line for a terminal. Pure. */
#ifndef SONDE_LOAD_LIVE_H
#define SONDE_LOAD_LIVE_H

#include "base/buf.h"
#include "load/tally.h"

enum { SONDE_LOAD_LIVE_SECONDS = 30 }; /* in the plot */

/* Zeroed at first, but for what is planned. */
struct sonde_load_live {
    int64_t length_ns;                     /* of the test; 0: not known */
    uint64_t amount;                       /* of requests; 0: any number */
    int64_t end_ns;                        /* of the last interval */
    double rates[SONDE_LOAD_LIVE_SECONDS]; /* answers a second: a ring */
    unsigned count;                        /* intervals so far */
    uint64_t done, errors, wrong;          /* so far */
    int64_t p50_us, p99_us;                /* of the last interval */
};

/* Takes an interval that ended at end_ns, from the start. */
void sonde_load_live_add(struct sonde_load_live *live, int64_t end_ns,
                         const struct sonde_load_tally *interval);

/* Appends the line, without a line feed, for a terminal of so many columns: how long so far, the
 * rates as a plot, the last rate, quantiles of the last second, errors so far, time left. The
 * buffer's errors. */
void sonde_load_live_line(const struct sonde_load_live *live, unsigned columns,
                          struct sonde_buf *buf);

#endif
