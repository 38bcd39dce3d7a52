/* SPDX-License-Identifier: Apache-2.0 */
/* From readings of a thread's schedstat (/proc/PID/task/TID/schedstat) to the stretches in which it
 * waited. Pure. */
#ifndef SONDE_INSPECTOR_WAITS_H
#define SONDE_INSPECTOR_WAITS_H

#include "base/buf.h"
#include "base/err.h"
#include "profile/waits.h"

enum {
    SONDE_WAITS_STRETCHES_MAX = 2048, /* of a thread; then every other whole one is given up */
    /* A whole stretch: it ran for less than one part in so many of the time that it had a CPU. It
     * runs some, since it is woken for each sample. */
    SONDE_WAITS_WHOLE_PARTS = 5,
};

struct sonde_wait_reading {
    int64_t time_ns;   /* CLOCK_MONOTONIC */
    int64_t ran_ns;    /* since the thread began */
    int64_t queued_ns; /* ready to run, and without a CPU, since the thread began */
};

struct sonde_wait_recorder {
    bool begun;
    struct sonde_wait_reading last;
    int64_t start_us;
    struct sonde_wait_stretch *stretches; /* whole ones between others */
    size_t count, capacity;
    struct sonde_wait_stretch latest; /* a whole one that may turn out to be none; length 0: none */
};

/* Takes a reading that is later than those before; others are passed over. The kernel counts late:
 * what a thread ran by the tick, how long it was queued when that is over. So the last reading
 * before work, and as many as are needed, become part of the stretch of the work, in which what was
 * waited is right on the whole. SONDE_ENOMEM, SONDE_ELIMIT: what there is stays. The caller frees
 * with sonde_wait_recorder_fini. */
int sonde_wait_recorder_take(struct sonde_wait_recorder *recorder,
                             const struct sonde_wait_reading *reading,
                             struct sonde_err *err) SONDE_MUST_CHECK;
/* Ends it: then the stretches are complete and consistent. Codes as above. */
int sonde_wait_recorder_finish(struct sonde_wait_recorder *recorder,
                               struct sonde_err *err) SONDE_MUST_CHECK;
/* Appends {"process":PROCESS,"startMicroseconds":…,"stretches":"w20000 200 19700,p40000 30000
 * 9100"}: of each stretch whether it is whole or partly waited, how long it is, ran and waited. */
void sonde_wait_recorder_print(const struct sonde_wait_recorder *recorder, const char *process,
                               struct sonde_buf *buf);
void sonde_wait_recorder_fini(struct sonde_wait_recorder *recorder);

#endif
