/* SPDX-License-Identifier: Apache-2.0 */
/* V8's .cpuprofile (the Profile type of the CDP domain Profiler), read in pieces and written. */
#ifndef SONDE_PROFILE_CPUPROFILE_H
#define SONDE_PROFILE_CPUPROFILE_H

#include "profile/output.h"
#include "profile/profile.h"

#define SONDE_CPUPROFILE_TIME_MAX (INT64_C(1) << 52) /* µs; 142 years, exact in a double */

struct sonde_cpuprofile_reader;

/* Adds one file or window of the process `source` to a profile when finished; both must outlive the
 * reader. A sample counts until the next one, the last until endTime; samples are sorted by time
 * first, since V8 writes negative deltas (as Chrome's DevTools count: CPUProfileDataModel). What
 * lies before the end of what is counted of this source is left out: windows, which are read in
 * order of time, may overlap. Ticks of lines carry no time: of a function with samples in the
 * overlap they are lessened in proportion. A profile without samples is counted by hitCount, and
 * leaves the whole without an order of time. Samples in which the source waited (source->waits) are
 * idle, whatever function they name. The caller frees it. */
int sonde_cpuprofile_reader_new(struct sonde_profile *profile, struct sonde_profile_source *source,
                                struct sonde_cpuprofile_reader **ret,
                                struct sonde_err *err) SONDE_MUST_CHECK;
/* SONDE_EPARSE for what is no profile (with the place), SONDE_ELIMIT, SONDE_ENOMEM. After
 * SONDE_EPARSE nothing of the window counts. */
int sonde_cpuprofile_feed(struct sonde_cpuprofile_reader *reader, const char *data, size_t length,
                          struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_cpuprofile_finish(struct sonde_cpuprofile_reader *reader,
                            struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_cpuprofile_reader_free(struct sonde_cpuprofile_reader *reader);

/* Writes the whole profile as one .cpuprofile with the engine's positions. Gaps between windows
 * are closed: it ends when the profile ends, and begins earlier by the sum of its samples. The
 * ticks of a function's lines stand at the first of its nodes. Without an order of time it has no
 * `samples`, and a reader shares the time by hitCount. */
int sonde_cpuprofile_write(const struct sonde_profile *profile, struct sonde_output *output,
                           struct sonde_err *err) SONDE_MUST_CHECK;

#endif
