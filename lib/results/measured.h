/* SPDX-License-Identifier: Apache-2.0 */
/* Artifacts that are compared by a handful of numbers: event loops, diagnostic reports, and
 * allocations by time. */
#ifndef SONDE_RESULTS_MEASURED_H
#define SONDE_RESULTS_MEASURED_H

#include "analysis/measures.h"
#include "db/db.h"

bool sonde_results_is_measured(const char *type);

/* An artifact that was found, by its part's name. */
struct sonde_results_measured {
    char name[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    const char *type; /* static */
};

/* Sets the measures of one side from the run's only measured artifact that `wanted` names (NULL:
 * any); with a type (NULL: any) from the one of that type whose part has exactly that name.
 * SONDE_ENOTFOUND; SONDE_EINVALID with the names when there are several. */
int sonde_results_measure(struct sonde_db *db, const char *uid, const char *wanted,
                          const char *type, int side, struct sonde_measures *measures,
                          struct sonde_results_measured *ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;

#endif
