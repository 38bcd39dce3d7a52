/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the threads of a process are past what they were in the middle of, how long they
 * wait for a CPU, and which is which. */
#ifndef SONDE_INSPECTOR_THREADS_H
#define SONDE_INSPECTOR_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SONDE_THREADS_MAX = 512 }; /* further ones are not looked at */

struct sonde_thread {
    pid_t id;
    uint64_t cpu_ticks; /* used when it was first seen */
    bool rested;
};

/* All zero before the first look. */
struct sonde_threads {
    struct sonde_thread items[SONDE_THREADS_MAX];
    size_t count;
    bool listed;
};

/* Looks at the threads that the process had at the first look, without the main one. True once each
 * has been seen asleep, or has run on for long enough (20 ms of CPU time) that a short piece of
 * work is over, or has ended. A thread that is ready and gets no CPU is what this waits for. */
bool sonde_threads_rest(const char *proc, pid_t pid, struct sonde_threads *threads);

/* How long all threads of the process together have been ready and without a CPU, in ns, since they
 * began; those that have ended are not in it. 0 when that cannot be seen. */
int64_t sonde_threads_cpu_wait(const char *proc, pid_t pid);

/* The thread of the process that has that number in the process's own pid namespace, as it is
 * numbered here; 0: that cannot be seen. */
pid_t sonde_thread_find(const char *proc, pid_t pid, pid_t inner_id);

/* Whether the process's monotonic clock is ours: it may be in a time namespace of its own. */
bool sonde_clock_is_shared(const char *proc, pid_t pid);

#endif
