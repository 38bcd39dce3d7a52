/* SPDX-License-Identifier: Apache-2.0 */
/* What CPU profiles are judged by: the share of the busy time that each function takes. */
#ifndef SONDE_RESULTS_REGRESSION_FUNCTIONS_H
#define SONDE_RESULTS_REGRESSION_FUNCTIONS_H

#include "db/db.h"
#include "load/regression.h"

/* A run that may have a profile of the same capture, and its place in the history. */
struct sonde_regression_other {
    const char *uid;
    size_t at;
};

/* Adds the functions of a run's capture as measures, called `prefix` and their names, with what the
 * other runs have of them: where one has no such profile, or none that can be read, nothing is
 * there. The first to fail says why in *ret_why, whose text the caller clears before. The store's
 * errors, and those of the run's own profile; SONDE_ENOMEM. */
int sonde_regression_functions(struct sonde_db *db, const char *uid, const char *capture,
                               const char *prefix, const struct sonde_regression_other *others,
                               size_t count, struct sonde_regression *regression,
                               struct sonde_err *ret_why, struct sonde_err *err) SONDE_MUST_CHECK;

/* What can be passed over in a history: it was deleted meanwhile, or is of a newer version. */
bool sonde_regression_is_missing(int code);

#endif
