/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a time to the microsecond. A thread that sleeps until then wakes late: by 50 µs in
 * many virtual machines. So it sleeps for less, by what the machine has shown, and waits awake for
 * the rest, unless somebody else wants its CPU. Pure. */
#ifndef SONDE_LOAD_AWAKE_H
#define SONDE_LOAD_AWAKE_H

#include <stdbool.h>
#include <stdint.h>

#define SONDE_AWAKE_MAX_NS INT64_C(100000)      /* longer it is never awake for one time */
#define SONDE_AWAKE_PAUSE_NS INT64_C(100000000) /* it only sleeps after it lost its CPU */

/* How late sleeping ended: its mean, and by how much it differs from that. Begins zeroed. */
struct sonde_awake {
    int64_t mean_ns, deviation_ns;
    int64_t paused_ns; /* monotonic: until then it only sleeps */
};

/* Sleeping ended so late. */
void sonde_awake_learn(struct sonde_awake *awake, int64_t late_ns);

/* It lost its CPU while it waited awake, at `now_ns` (monotonic). */
void sonde_awake_disturbed(struct sonde_awake *awake, int64_t now_ns);

/* How long before the time to sleep no more: by the mean and twice the deviation; 0 while it only
 * sleeps. */
int64_t sonde_awake_early(const struct sonde_awake *awake, int64_t now_ns);

/* Whether `threads` of them may wait awake: the machine has a CPU beside theirs for the others, and
 * our control group more than they can use. `limit`: how many CPUs that gives, INFINITY: all. */
bool sonde_awake_is_affordable(unsigned threads, long cpus, double limit);

#endif
