/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a load test can be believed: what generates the load must not be what is measured. Pure,
 * but for reading how often we were throttled. */
#ifndef SONDE_LOAD_VALIDITY_H
#define SONDE_LOAD_VALIDITY_H

#include "load/engine.h"

/* Bounds; what is beyond makes a test invalid. Shares are 0–1. */
#define SONDE_LOAD_LATE_MAX 0.01      /* of the requests, sent late by us */
#define SONDE_LOAD_UNSENT_MAX 0.01    /* of the requests that were due */
#define SONDE_LOAD_CPU_MAX 0.9        /* of the time of each thread */
#define SONDE_LOAD_THROTTLED_MAX 0.01 /* of the time of the test */

struct sonde_load_validity {
    bool valid;
    char reason[256]; /* what is wrong, and what to do; "": nothing */
};

/* throttled_ns: for how long our control group was throttled meanwhile. */
void sonde_load_validate(const struct sonde_load_plan *plan,
                         const struct sonde_load_outcome *outcome, int64_t throttled_ns,
                         struct sonde_load_validity *ret);

/* For how long the control group that `proc` (/proc/self/cgroup) tells of was throttled since it
 * was made, in ns; 0: it was not, or that cannot be read (Linux, cgroup-v2.rst and sched-bwc.rst:
 * cpu.stat). */
int64_t sonde_load_throttled(const char *proc, const char *groups);

/* The same of a cpu.stat's text. */
int64_t sonde_load_throttled_parse(struct sonde_str text);

#endif
