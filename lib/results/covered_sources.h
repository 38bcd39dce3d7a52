/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_RESULTS_COVERED_SOURCES_H
#define SONDE_RESULTS_COVERED_SOURCES_H

#include "results/sources.h"

enum { SONDE_COVERED_SOURCES_MAX = 512 }; /* files */

/* Adds the application's sources that a capture of coverage was made of, whole and with their lines
 * marked, as far as the run has the text. What is
 * beyond the bounds is left out. SONDE_ENOMEM, or the store's code. */
int sonde_covered_sources_add(struct sonde_db *db, const char *uid, const char *capture,
                              const struct sonde_coverage *coverage, struct sonde_sources *ret,
                              struct sonde_err *err) SONDE_MUST_CHECK;

#endif
