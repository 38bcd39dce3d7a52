/* SPDX-License-Identifier: Apache-2.0 */
/* What a thread was doing in a stretch of time, by the samples of a CPU profile taken in windows.
 * No I/O. */
#ifndef SONDE_INSPECTOR_STALL_STACK_H
#define SONDE_INSPECTOR_STALL_STACK_H

#include "base/buf.h"
#include "base/err.h"
#include "profile/cpuprofile.h"

enum { SONDE_STALL_STACK_MAX = 64 }; /* frames of a stack; the innermost are kept */

/* The two latest windows: a stall that began in one may end in the next. */
struct sonde_stall_windows {
    struct sonde_profile windows[2];
    struct sonde_profile_source source;
    struct sonde_cpuprofile_reader *reader;
    unsigned latest;           /* index of the one that came last, or is being read */
    struct sonde_profile kept; /* the frames of all stacks */
};

struct sonde_stall_stack {
    uint32_t samples;                       /* taken in the stretch, without idle ones */
    double share;                           /* of them with this stack, 0–1 */
    size_t depth;                           /* 0: no sample */
    uint32_t frames[SONDE_STALL_STACK_MAX]; /* outermost first: as sonde_stall_print_frames numbers
                                               them */
};

/* The caller calls sonde_stall_windows_fini in any case. */
int sonde_stall_windows_init(struct sonde_stall_windows *windows,
                             struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_stall_windows_fini(struct sonde_stall_windows *windows);

/* A .cpuprofile in pieces. `ours` false: it is forgotten, with all that is wrong with it. */
int sonde_stall_window_begin(struct sonde_stall_windows *windows,
                             struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_stall_window_feed(struct sonde_stall_windows *windows, const char *data, size_t length,
                            struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_stall_window_end(struct sonde_stall_windows *windows, bool ours,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* The stack that most samples between the two times share: from the outermost frame inwards as long
 * as more than half of the stretch agrees. Microseconds on the profile's clock. */
int sonde_stall_stack(struct sonde_stall_windows *windows, double from_us, double to_us,
                      struct sonde_stall_stack *ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends JSON objects with commas between: {"function", "url", "line", "column"}. */
void sonde_stall_print_frames(const struct sonde_stall_windows *windows, struct sonde_buf *buf);

#endif
