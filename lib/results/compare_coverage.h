/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_RESULTS_COMPARE_COVERAGE_H
#define SONDE_RESULTS_COMPARE_COVERAGE_H

#include "results/results.h"

/* As sonde_results_compare_profiles, of coverage. */
int sonde_results_compare_coverage(struct sonde_db *db, const char *before, const char *after,
                                   const char *capture, bool json, struct sonde_buf *buf,
                                   struct sonde_err *err) SONDE_MUST_CHECK;

#endif
