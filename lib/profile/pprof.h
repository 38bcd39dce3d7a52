/* SPDX-License-Identifier: Apache-2.0 */
/* pprof's profile.proto (github.com/google/pprof, proto/profile.proto), read; formats.h writes it.
 */
#ifndef SONDE_PROFILE_PPROF_H
#define SONDE_PROFILE_PPROF_H

#include "profile/profile.h"

enum {
    SONDE_PPROF_BYTES_MAX = 64 << 20, /* of a file, unpacked; with its tables less than
                                         SONDE_PROFILE_FILE_MAX */
    SONDE_PPROF_STRINGS_MAX = 1 << 22,
    SONDE_PPROF_ITEMS_MAX = 1 << 21, /* functions, or locations, or their lines */
    SONDE_PPROF_TYPES_MAX = 16,      /* values of one sample */
    SONDE_PPROF_STACK_MAX = 1 << 16, /* locations of one sample */
};

struct sonde_pprof_reader;

/* Adds one file, gzipped or not, to a profile when finished; the profile must outlive the reader. A
 * file is held whole, since its names may stand at its end. Of several values that a sample has, it
 * takes the file's default where that is time or bytes; else, in this order: cpu, wall,
 * inuse_space, space, alloc_space, any other time or bytes, and a count where the period says what
 * one is worth. Where the file knows in which line a function begins, the lines of innermost frames
 * become ticks. A profile of CPU time whose file says how long it took idled for the rest. It has
 * no order of time. The caller frees the reader. */
int sonde_pprof_reader_new(struct sonde_profile *profile, struct sonde_pprof_reader **ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;
/* SONDE_EPARSE for what is no such file, SONDE_ELIMIT, SONDE_ENOMEM; SONDE_EINVALID when it holds
 * neither time nor bytes, or not what the profile has. After a failure the profile is of no use. */
int sonde_pprof_feed(struct sonde_pprof_reader *reader, const char *data, size_t length,
                     struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_pprof_finish(struct sonde_pprof_reader *reader, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_pprof_reader_free(struct sonde_pprof_reader *reader);

#endif
