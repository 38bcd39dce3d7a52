/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept with a run so that its captures can be read later: inspector/context.h. */
#ifndef SONDE_RESULTS_MAPS_H
#define SONDE_RESULTS_MAPS_H

#include "codec/json.h"
#include "db/db.h"
#include "profile/source_map.h"

/* Takes the context of a process's part of a capture. */
typedef int (*sonde_results_context_callback)(void *context, const cJSON *json,
                                              struct sonde_err *err);

/* Passes on each context of a capture. The store's code or the callback's. */
int sonde_results_each_context(struct sonde_db *db, const char *uid, const char *capture,
                               sonde_results_context_callback callback, void *context,
                               struct sonde_err *err) SONDE_MUST_CHECK;

/* Takes a map's text and the URL of its script. */
typedef int (*sonde_results_map_callback)(void *context, struct sonde_str url,
                                          struct sonde_str text, struct sonde_err *err);

/* Passes on each map of a capture once, the same text for the same script in several pods too.
 * SONDE_ENOMEM, SONDE_ELIMIT, the store's code or the callback's. */
int sonde_results_each_map(struct sonde_db *db, const char *uid, const char *capture,
                           sonde_results_map_callback callback, void *context,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* Takes the text of a script, or of a source; a negative code ends the walk with it. */
typedef int (*sonde_results_text_callback)(void *context, struct sonde_str url,
                                           struct sonde_str text, struct sonde_err *err);

/* Passes on the texts of scripts that have no map, and of sources that maps do not carry; those of
 * several pods one after the other. */
int sonde_results_each_text(struct sonde_db *db, const char *uid, const char *capture,
                            sonde_results_text_callback callback, void *context,
                            struct sonde_err *err) SONDE_MUST_CHECK;

/* Applies the maps of a capture to the frames of a profile. Malformed ones leave the engine's
 * places. */
int sonde_results_map_frames(struct sonde_db *db, const char *uid, const char *capture,
                             struct sonde_profile *profile, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
