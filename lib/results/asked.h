/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two runs were asked for the same, by their documents. Pure. */
#ifndef SONDE_RESULTS_ASKED_H
#define SONDE_RESULTS_ASKED_H

#include "base/err.h"
#include "codec/json.h"

/* Reads a run's document, as this version would write it: one that an older version wrote has no
 * defaults of what is newer. What is no document of ours is taken as it is. SONDE_EPARSE,
 * SONDE_ENOMEM. The caller frees *ret. */
int sonde_results_asked_read(const char *text, cJSON **ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* The first member that differs of those that what is measured depends on, such as "spec.scenario";
 * NULL: none, or one of the documents has no spec (what was given on the command line has none). Of
 * captures those count that both have. */
const char *sonde_results_asked_differs(const cJSON *before, const cJSON *after);

#endif
