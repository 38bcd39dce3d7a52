/* SPDX-License-Identifier: Apache-2.0 */
/* Load tests that never ran, for tests of what is made of them. */
#ifndef SONDE_TESTS_LOAD_MADE_H
#define SONDE_TESTS_LOAD_MADE_H

#include "load/result.h"

struct made_options {
    int64_t seconds;
    uint64_t rate;      /* requests a second */
    int64_t latency_us; /* the middle of a skewed distribution */
    bool troubled;      /* some fail, time out, are bad, or are never sent */
    uint64_t seed;
};

/* Fills a result as the engine would have, by a generator of that seed: SONDE_ENOMEM. The caller
 * calls sonde_load_result_fini in any case. */
int made_result(const struct made_options *options, struct sonde_load_result *ret,
                struct sonde_err *err) SONDE_MUST_CHECK;

#endif
