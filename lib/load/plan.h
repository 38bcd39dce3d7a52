/* SPDX-License-Identifier: Apache-2.0 */
/* What a LoadTest asks of the engine. Pure. */
#ifndef SONDE_LOAD_PLAN_H
#define SONDE_LOAD_PLAN_H

#include "load/engine.h"

/* The plan of a test: who sends how much, when, and by which protocol. The arrival of a search is
 * that of its first trial. Threads, origins, labels, the time to drain and the seed are the
 * caller's. It borrows from the test. */
struct sonde_load_plan sonde_load_plan_of(const struct sonde_load_test *test);

/* Seconds that an arrival takes, without the warm-up; 0: that is not known. */
int64_t sonde_load_plan_seconds(const struct sonde_arrival *arrival);

#endif
