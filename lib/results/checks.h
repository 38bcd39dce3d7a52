/* SPDX-License-Identifier: Apache-2.0 */
/* What a run of the store was held against: its thresholds, its baseline, a budget. */
#ifndef SONDE_RESULTS_CHECKS_H
#define SONDE_RESULTS_CHECKS_H

#include "load/checks.h"
#include "load/regression.h"
#include "results/results.h"
#include "spec/budget.h"

/* What it is held against beside its thresholds. */
struct sonde_results_checks_wanted {
    const struct sonde_run_budget *budget;     /* NULL: none */
    const struct sonde_regression *regression; /* NULL: the one that its status has, if any */
    bool report;                               /* the checks have it as text, too */
    uint64_t heap_bytes_max;                   /* of memory, for the report */
};

/* Appends to `checks` those of a run that has ended. The store's errors, SONDE_ENOMEM,
 * SONDE_ELIMIT.
 */
int sonde_results_checks(struct sonde_db *db, const char *uid,
                         const struct sonde_results_checks_wanted *wanted,
                         struct sonde_checks *checks, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
