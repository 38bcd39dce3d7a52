/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_RESULTS_EVENT_LOOP_H
#define SONDE_RESULTS_EVENT_LOOP_H

#include "analysis/event_loop.h"
#include "db/db.h"

/* Analyses the record of an event loop with the source maps of its capture. SONDE_EPARSE,
 * SONDE_ELIMIT, SONDE_ENOMEM, or the store's code. The caller calls sonde_event_loop_fini in any
 * case. */
int sonde_results_event_loop(struct sonde_db *db, const struct sonde_artifact *artifact,
                             struct sonde_str text, struct sonde_event_loop *ret,
                             struct sonde_err *err) SONDE_MUST_CHECK;

#endif
