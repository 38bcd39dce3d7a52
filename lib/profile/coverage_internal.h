/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader of coverage builds with. */
#ifndef SONDE_PROFILE_COVERAGE_INTERNAL_H
#define SONDE_PROFILE_COVERAGE_INTERNAL_H

#include "profile/coverage.h"

/* SONDE_ELIMIT: the budget is spent. */
int sonde_coverage_no_room(const struct sonde_coverage *coverage, struct sonde_err *err);

/* A copy that lives as long as the coverage, one for equal texts. */
int sonde_coverage_intern(struct sonde_coverage *coverage, struct sonde_str text,
                          struct sonde_str *ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* The script of that URL, made when new. */
int sonde_coverage_script(struct sonde_coverage *coverage, struct sonde_str url, uint32_t *ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;
/* Adds what a file says of a function: nested ranges, the first of which is the function itself.
 * They are put in order. The name is one of sonde_coverage_intern. */
int sonde_coverage_function(struct sonde_coverage *coverage, uint32_t script, struct sonde_str name,
                            struct sonde_coverage_segment *ranges, size_t count,
                            struct sonde_err *err) SONDE_MUST_CHECK;
/* Gives back what merging has left behind. */
int sonde_coverage_compact(struct sonde_coverage *coverage, struct sonde_err *err) SONDE_MUST_CHECK;
/* Adds the beginning of the script's next line; all of one script without others between. */
int sonde_coverage_add_line(struct sonde_coverage *coverage, uint32_t script, uint32_t start,
                            struct sonde_err *err) SONDE_MUST_CHECK;

#endif
