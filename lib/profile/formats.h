/* SPDX-License-Identifier: Apache-2.0 */
/* Writers for other tools. Names and places are those of the source where a map was applied. */
#ifndef SONDE_PROFILE_FORMATS_H
#define SONDE_PROFILE_FORMATS_H

#include "profile/output.h"
#include "profile/profile.h"

/* Folded stacks (Brendan Gregg, FlameGraph): "outer file:line;inner file:line AMOUNT", in
 * microseconds or bytes. */
int sonde_folded_write(const struct sonde_profile *profile, struct sonde_output *output,
                       struct sonde_err *err) SONDE_MUST_CHECK;

/* speedscope's file format (speedscope.app/file-format-schema.json): one sampled profile in µs or
 * bytes, of time in its order; where there is none, the profile's name says so. */
int sonde_speedscope_write(const struct sonde_profile *profile, const char *name,
                           struct sonde_output *output, struct sonde_err *err) SONDE_MUST_CHECK;

/* pprof's profile.proto (github.com/google/pprof, proto/profile.proto), gzipped. Of time: values
 * samples/count and cpu/nanoseconds. Idle time is no CPU time and is left out; the duration says
 * how long the whole took. Of bytes: inuse_space/bytes, or alloc_space/bytes with what was
 * collected since, and before it inuse_objects or alloc_objects where objects were counted, else
 * samples/count. `time_ns`: when it was taken, since 1970. */
int sonde_pprof_write(const struct sonde_profile *profile, int64_t time_ns,
                      struct sonde_output *output, struct sonde_err *err) SONDE_MUST_CHECK;

/* The nodes from `node` up to, without, the root: at most `maximum`, innermost first. Returns how
 * many. */
size_t sonde_profile_stack(const struct sonde_profile *profile, uint32_t node, uint32_t *ret,
                           size_t maximum);

enum { SONDE_STACK_MAX = 4096 }; /* frames written of one stack */

#endif
