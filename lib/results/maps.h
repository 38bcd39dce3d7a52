/* SPDX-License-Identifier: Apache-2.0 */
/* The source maps that are kept with a run. */
#ifndef SONDE_RESULTS_MAPS_H
#define SONDE_RESULTS_MAPS_H

#include "db/db.h"
#include "profile/source_map.h"

/* Takes a map's text and the URL of its script. */
typedef int (*sonde_results_map_callback)(void *context, struct sonde_str url,
                                          struct sonde_str text, struct sonde_err *err);

/* Passes on each map of a capture once, the same text for the same script in several pods too.
 * SONDE_ENOMEM, SONDE_ELIMIT, the store's code or the callback's. */
int sonde_results_each_map(struct sonde_db *db, const char *uid, const char *capture,
                           sonde_results_map_callback callback, void *context,
                           struct sonde_err *err) SONDE_MUST_CHECK;

#endif
