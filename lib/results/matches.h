/* SPDX-License-Identifier: Apache-2.0 */
/* The one artifact of a run that is meant, and what is said when there are none or several. */
#ifndef SONDE_RESULTS_MATCHES_H
#define SONDE_RESULTS_MATCHES_H

#include "db/db.h"

enum { SONDE_RESULTS_NAMES_SIZE = 300 }; /* of the names that a message has room for */

/* What was found so far; zeroed before. */
struct sonde_results_matches {
    size_t count;
    char names[SONDE_RESULTS_NAMES_SIZE]; /* of them, as many as there is room for */
};

/* Counts one, by the name that a person may give. Whether it is the first. */
bool sonde_results_match(struct sonde_results_matches *matches, const char *name);
/* 0 when there is one. SONDE_ENOTFOUND: there is none of the kind ("heap snapshot") called `wanted`
 * (NULL: of any name); SONDE_EINVALID with their names when there are several. */
int sonde_results_matches_check(const struct sonde_results_matches *matches, const char *kind,
                                const char *wanted, struct sonde_err *err) SONDE_MUST_CHECK;

/* The run's name, or "" with the store's error. */
int sonde_results_run_name(struct sonde_db *db, const char *uid, char ret[SONDE_DB_NAME_MAX + 1],
                           struct sonde_err *err) SONDE_MUST_CHECK;

#endif
