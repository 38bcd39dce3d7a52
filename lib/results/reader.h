/* SPDX-License-Identifier: Apache-2.0 */
/* From the bytes of an artifact into a profile, by the artifact's type. */
#ifndef SONDE_RESULTS_READER_H
#define SONDE_RESULTS_READER_H

#include "profile/profile.h"

struct sonde_results_reader;

/* The units that a profile of an artifact of that type may have, a bit for each; 0: it is read into
 * no profile. */
unsigned sonde_results_units(const char *type);
/* Whether artifacts of that type are read into profiles. */
bool sonde_results_is_profile(const char *type);

/* Adds one artifact to a profile when finished: as the reader of its format does it. `source` is
 * the process that a window is of. The caller frees the reader. */
int sonde_results_reader_new(const char *type, struct sonde_profile *profile,
                             struct sonde_profile_source *source, struct sonde_results_reader **ret,
                             struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_results_reader_feed(struct sonde_results_reader *reader, const void *data, size_t length,
                              struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_results_reader_finish(struct sonde_results_reader *reader,
                                struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_results_reader_free(struct sonde_results_reader *reader);

#endif
