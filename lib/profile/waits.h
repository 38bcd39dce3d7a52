/* SPDX-License-Identifier: Apache-2.0 */
/* When a thread waited: what its samples cannot tell. V8 samples a thread that is blocked
 * (Atomics.wait, execSync) in the function that called, as if it ran. */
#ifndef SONDE_PROFILE_WAITS_H
#define SONDE_PROFILE_WAITS_H

#include "profile/profile.h"

/* A piece of a thread's time, in µs. */
struct sonde_wait_stretch {
    int64_t length_us;
    int64_t ran_us;    /* of it: on a CPU; */
    int64_t waited_us; /* neither that nor ready to run */
    bool whole;        /* it did nothing else to speak of; else it waited at times that are not
                          known */
};

/* Stretches without gaps between, from start_us on the process's monotonic clock. */
struct sonde_waits {
    int64_t start_us;
    const struct sonde_wait_stretch *stretches;
    size_t count;
};

/* The samples of a window: nodes of a profile and when they were taken, in order; the last one
 * lasts until end_us. */
struct sonde_waits_samples {
    uint64_t *nodes;
    const int64_t *times_us;
    size_t count;
    int64_t end_us;
};

/* Set in the nodes of samples in which the thread waited. */
#define SONDE_WAITED (UINT64_C(1) << 32)

/* Marks those samples with SONDE_WAITED. The functions that a thread waits in are the few which
 * whole stretches consist of. Of a whole stretch, all their samples are marked, and others where
 * they stand together for longer than SONDE_WAITS_DOUBT_US; of any other stretch, those of these
 * functions alone, up to what it did not run: a thread that waits is woken for each sample, and may
 * have to queue for that. SONDE_ENOMEM, nothing being marked. */
int sonde_waits_mark(const struct sonde_waits *waits, const struct sonde_profile *profile,
                     struct sonde_waits_samples *samples, struct sonde_err *err) SONDE_MUST_CHECK;

enum {
    /* The kernel counts what a thread runs with each tick of its clock: by so much what it says may
     * be late; and with what it may have to queue. */
    SONDE_WAITS_DOUBT_US = 20000,
    SONDE_WAITS_FUNCTIONS_MAX = 16, /* that a thread waits in */
};

#endif
