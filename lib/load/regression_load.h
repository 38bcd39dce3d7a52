/* SPDX-License-Identifier: Apache-2.0 */
/* What load tests are judged by: quantiles of the response, the share of requests that failed, and
 * without a rate of its own how many were answered a second; a search by the highest rate. Pure. */
#ifndef SONDE_LOAD_REGRESSION_LOAD_H
#define SONDE_LOAD_REGRESSION_LOAD_H

#include "load/regression.h"
#include "load/result.h"

/* Begins with the run that is judged. SONDE_ENOMEM. */
int sonde_regression_load_begin(struct sonde_regression *regression,
                                const struct sonde_load_result *now,
                                struct sonde_err *err) SONDE_MUST_CHECK;
/* Why the run that is judged cannot be compared with any other, as words that follow "not compared:
 * "; NULL: it can. A search is compared when what is above the rate that it found is known to be
 * too much for the service, and not only for the generator. */
const char *sonde_regression_load_doubt(const struct sonde_load_result *now);
/* Adds the next run of the history, newest first. False, and nothing is added, when it was asked
 * for something else than `now` (sonde_load_differs), or cannot be believed. */
bool sonde_regression_load_add(struct sonde_regression *regression,
                               const struct sonde_load_result *now,
                               const struct sonde_load_result *other);

#endif
