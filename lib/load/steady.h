/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a test came to rest, and from which second on: caches fill, code is compiled, pools grow,
 * and what is measured meanwhile says little of what comes after. Pure.
 *
 * Looked at are the rate of answers and the quantiles of the response of each second. What is cut
 * off at the beginning of each is what MSER-5 says (White, 1997; White, Cobb and Spratt, 2000): the
 * means of batches of five seconds, from where on their standard error is least, or not more than
 * chance above that, which finds the true place more often; batches of fewer where there would not
 * be twenty, and nothing where what is cut off is like the rest. What is left
 * after the longest of these must not wander: the test of Kwiatkowski, Phillips, Schmidt and Shin
 * (1992), at 1 %, and a change that matters. A unit root test as Lancet has it (Kogias, Mallon and
 * Bugnion, 2019) needs evidence that a test is steady, which tests of a minute seldom have; this
 * one needs evidence that it is not. */
#ifndef SONDE_LOAD_STEADY_H
#define SONDE_LOAD_STEADY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SONDE_LOAD_STEADY_POINTS_MAX = 1024, /* that are kept; then neighbours are averaged in pairs */
    SONDE_LOAD_STEADY_SECONDS_MIN = 20,  /* of a test: nothing can be said of a shorter one */
};

enum sonde_load_steady_signal {
    SONDE_LOAD_STEADY_RATE, /* answers a second */
    SONDE_LOAD_STEADY_P50,  /* of the response */
    SONDE_LOAD_STEADY_P99,
    SONDE_LOAD_STEADY_SIGNALS,
};

struct sonde_load_steady {
    double values[SONDE_LOAD_STEADY_SIGNALS][SONDE_LOAD_STEADY_POINTS_MAX];
    size_t count;
    unsigned width;   /* seconds of a point */
    unsigned in_last; /* … of the last one, which may still grow */
};

/* Takes the values of the next second. Begin with zeros. */
void sonde_load_steady_add(struct sonde_load_steady *steady,
                           const double values[static SONDE_LOAD_STEADY_SIGNALS]);

enum sonde_load_steadiness {
    SONDE_LOAD_TOO_SHORT, /* nothing can be said */
    SONDE_LOAD_STEADY,
    SONDE_LOAD_UNSTEADY,
};

struct sonde_load_steady_verdict {
    enum sonde_load_steadiness state;
    unsigned since_seconds;               /* steady: from the beginning of what was added */
    enum sonde_load_steady_signal signal; /* unsteady: what did not come to rest */
};

void sonde_load_steady_judge(const struct sonde_load_steady *steady,
                             struct sonde_load_steady_verdict *ret);

/* "steady" …, and "rate" … */
const char *sonde_load_steadiness_name(enum sonde_load_steadiness state);
const char *sonde_load_steady_signal_name(enum sonde_load_steady_signal signal);

/* How many of the first values MSER cuts off, in batches of `batch`; `count` when more than
 * two fifths of them would be: they may never come to rest, or there are fewer than ten batches. */
size_t sonde_load_steady_cut(const double *values, size_t count, size_t batch);
/* The statistic of the test that they keep to one level: above 0.739, that is likely (1 %) not so.
 * 0 where they do not vary, or are fewer than 3. */
double sonde_load_steady_wandering(const double *values, size_t count);

#endif
