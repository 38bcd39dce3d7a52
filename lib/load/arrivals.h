/* SPDX-License-Identifier: Apache-2.0 */
/* When requests are meant to be sent: an open model, whose times are known beforehand and do not
 * wait for answers. Each of several threads (of several runners) has a part of it. Pure. */
#ifndef SONDE_LOAD_ARRIVALS_H
#define SONDE_LOAD_ARRIVALS_H

#include "base/err.h"
#include "spec/kinds.h"

enum { SONDE_ARRIVALS_STAGES_MAX = 64 };

/* A stretch of time in which the rate is held, or changes in a straight line. */
struct sonde_arrivals_stage {
    double begin_s, length_s;
    double first, slope; /* requests a second at its beginning, and by how many that grows */
    double before;       /* requests before it */
};

struct sonde_arrivals {
    struct sonde_arrivals_stage stages[SONDE_ARRIVALS_STAGES_MAX + 1]; /* … and the warm-up */
    size_t count;
    size_t at;        /* the stage of the next request */
    size_t warm;      /* stages of the warm-up, 0 or 1 */
    int distribution; /* enum sonde_distribution */
    uint64_t part, parts;
    uint64_t left;   /* requests of this part after the warm-up; UINT64_MAX: until the last stage
                        ends */
    double position; /* of the next request, among all */
    uint64_t number; /* of it, among those of this part */
    uint64_t seed;
    double end_s;
};

/* The part `part` (from 0) of `parts`. Together, constant parts are one train of equal distances;
 * those of a Poisson process, each with a seed of its own, are one again. A test by its duration
 * ends with it, one by its amount when that is spent; with a rate of 0 to its end, it has none.
 * Before it is a warm-up of so many seconds (0: none), at its rate, or that of its first stage,
 * whose requests are not of its amount. SONDE_EINVALID when the arrival has no rate, or more stages
 * than there may be. */
int sonde_arrivals_init(struct sonde_arrivals *arrivals, const struct sonde_arrival *arrival,
                        int64_t warm_up_seconds, uint64_t part, uint64_t parts, uint64_t seed,
                        struct sonde_err *err) SONDE_MUST_CHECK;

/* The next time, in ns from the start; false: there is none any more. Never before the last one. */
bool sonde_arrivals_next(struct sonde_arrivals *arrivals, int64_t *ret_ns);

/* The rate of all parts at a time in ns from the start, in requests a second. */
double sonde_arrivals_rate(const struct sonde_arrivals *arrivals, int64_t at_ns);
/* When the last stage ends, in ns; INT64_MAX for a test by its amount. */
int64_t sonde_arrivals_end(const struct sonde_arrivals *arrivals);

#endif
