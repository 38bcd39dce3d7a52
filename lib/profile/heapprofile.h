/* SPDX-License-Identifier: Apache-2.0 */
/* V8's .heapprofile (the SamplingHeapProfile type of the CDP domain HeapProfiler), read in pieces
 * and written. */
#ifndef SONDE_PROFILE_HEAPPROFILE_H
#define SONDE_PROFILE_HEAPPROFILE_H

#include "profile/output.h"
#include "profile/profile.h"

enum { SONDE_HEAPPROFILE_STACK_MAX = 1 << 16 }; /* frames of one stack, by whose depth it nests */
#define SONDE_HEAPPROFILE_BYTES_MAX (INT64_C(1) << 52) /* of one node; exact in a double */

struct sonde_heapprofile_reader;

/* Adds one file to a profile of bytes when finished; the profile must outlive the reader. A node
 * counts its selfSize, which V8 estimates from what it sampled; its samples are those that the file
 * lists: how many objects they stand for, it does not say. Samples of nodes that the tree
 * lacks do not count. Files from before V8 listed any have
 * none. The caller frees it. SONDE_EINVALID when the profile is one of time. */
int sonde_heapprofile_reader_new(struct sonde_profile *profile,
                                 struct sonde_heapprofile_reader **ret,
                                 struct sonde_err *err) SONDE_MUST_CHECK;
/* SONDE_EPARSE for what is no such profile, SONDE_ELIMIT, SONDE_ENOMEM. After SONDE_EPARSE nothing
 * of the file counts. */
int sonde_heapprofile_feed(struct sonde_heapprofile_reader *reader, const char *data, size_t length,
                           struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_heapprofile_finish(struct sonde_heapprofile_reader *reader,
                             struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_heapprofile_reader_free(struct sonde_heapprofile_reader *reader);

/* Writes the whole profile as one .heapprofile with the engine's positions. */
int sonde_heapprofile_write(const struct sonde_profile *profile, struct sonde_output *output,
                            struct sonde_err *err) SONDE_MUST_CHECK;

#endif
