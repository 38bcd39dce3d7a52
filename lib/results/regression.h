/* SPDX-License-Identifier: Apache-2.0 */
/* A run of the store beside the ones that it is compared with. */
#ifndef SONDE_RESULTS_REGRESSION_H
#define SONDE_RESULTS_REGRESSION_H

#include "db/db.h"
#include "load/regression.h"
#include "spec/kinds.h"

enum { SONDE_RESULTS_NIGHTS = 20 }; /* runs that tell how nights differ */

/* How a run is compared. */
struct sonde_results_baseline {
    enum sonde_baseline_strategy strategy;
    size_t runs; /* whose median counts; 0 as 1 */
    /* The pinned one: a name (its last that succeeded), or a uid: in full of one in any state. */
    const char *run;
    int64_t since_ns; /* others that were made before that do not count; since 1970 */
};

/* How many runs a run is compared with at most. */
size_t sonde_results_nights(const struct sonde_results_baseline *baseline);

/* Compares a run, whose artifacts are there, with runs that succeeded before it: those of its
 * schedule, or without one of its name; a pinned one comes first, then those like it. Load tests by
 * their load, and by the CPU profile that was taken meanwhile; others by their CPU profiles. Where
 * there is nothing to compare with, the pinned run is not there, or they were asked for something
 * else, *ret says so, and it is no error. The store's errors, those of the run's own artifacts,
 * SONDE_ENOMEM. The caller calls sonde_regression_fini in any case. */
int sonde_results_regression(struct sonde_db *db, const char *uid,
                             const struct sonde_results_baseline *baseline,
                             struct sonde_regression *ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* Does so and keeps the comparison, or why there is none: it is in the run's status and its report
 * from then on, and a run that is worse has failed (Regression). The pinned run of a schedule's is
 * marked, so that it is kept. One that has not succeeded is left alone, and *ret is empty. The
 * same. */
int sonde_results_regress(struct sonde_db *db, const char *uid,
                          const struct sonde_results_baseline *baseline,
                          struct sonde_regression *ret, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
