/* SPDX-License-Identifier: Apache-2.0 */
/* What each thread of each runner has of a plan, so that all together do exactly what one would:
 * nothing is rounded away. Pure. */
#ifndef SONDE_LOAD_SHARE_H
#define SONDE_LOAD_SHARE_H

#include "load/engine.h"

/* A part (from 0) of a whole number: the first parts have one more where it cannot be divided. */
uint64_t sonde_load_share(uint64_t all, uint64_t part, uint64_t parts);

struct sonde_load_share {
    /* Of the threads of all runners: for arrivals and for values that are used in turn. A runner's
     * threads divide its own part, so that runners may have different numbers of them. */
    uint64_t part, parts;
    uint32_t connections, connections_max;
    uint64_t amount; /* of a closed model; UINT64_MAX: any number */
    bool idle;       /* it has no connection, and nothing to send */
};

/* How many threads the plan's runner has: no more than connections at its beginning, at least one.
 */
unsigned sonde_load_share_threads(const struct sonde_load_plan *plan);

/* That of one of them, from 0. Runners for whom there is no connection are idle, and the others
 * have the whole. */
struct sonde_load_share sonde_load_share_of(const struct sonde_load_plan *plan, unsigned thread);

#endif
