/* SPDX-License-Identifier: Apache-2.0 */
/* Folded stacks (Brendan Gregg, FlameGraph), read in pieces; formats.h writes them. */
#ifndef SONDE_PROFILE_FOLDED_H
#define SONDE_PROFILE_FOLDED_H

#include "profile/profile.h"

enum { SONDE_FOLDED_LINE_MAX = 16 << 20 }; /* bytes */

struct sonde_folded_reader;

/* Adds the lines of one file to a profile; both must outlive the reader. The format does not say
 * what its numbers are: microseconds for a profile of time, else bytes. "name file:line" and
 * "name (file:line:column)" are taken apart, as Sonde and V8 write them; what is no such place
 * stays in the name. The profile has no order of time. The caller frees the reader. SONDE_EINVALID
 * when the profile is not of that unit. */
int sonde_folded_reader_new(struct sonde_profile *profile, enum sonde_profile_unit unit,
                            struct sonde_folded_reader **ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;
/* SONDE_EPARSE with the line for what are no such stacks, SONDE_ELIMIT, SONDE_ENOMEM. After a
 * failure the profile is of no use. */
int sonde_folded_feed(struct sonde_folded_reader *reader, const char *data, size_t length,
                      struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_folded_finish(struct sonde_folded_reader *reader, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_folded_reader_free(struct sonde_folded_reader *reader);

#endif
