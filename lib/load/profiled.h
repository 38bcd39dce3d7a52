/* SPDX-License-Identifier: Apache-2.0 */
/* A profile of the process that was loaded, taken meanwhile: where to find it, and what it says
 * first. Pure. */
#ifndef SONDE_LOAD_PROFILED_H
#define SONDE_LOAD_PROFILED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "load/intervals.h"
#include "load/steady.h"

enum { SONDE_LOAD_PROFILED_MAX = 16 }; /* of one load test */

/* Texts are NULL where there is none. */
struct sonde_load_profiled {
    const char *type;       /* of the capture, as the command line has it: "cpu" */
    const char *run;        /* its run's uid */
    int64_t from_ns, to_ns; /* of the load test: when it was asked for, and was over */
    const char *title;      /* of its first finding */
    const char *where;      /* … its place: "hotLoop service.js:48" */
    const char *failure;    /* why there is no profile */
    /* Responses of seconds with and without the capture, in µs: what it cost. 0: not known. */
    int64_t p50_with_us, p50_without_us, p99_with_us, p99_without_us;
};

/* Whether a profile that takes wanted_ns is to begin, now_ns after the start of a test which goes
 * on for left_ns (INT64_MAX: nobody knows). It is when the test is steady, as what it shows is then
 * what stays; when it would not be over before the test else; or when a test that nobody knows the
 * end of has run for a minute. Never in the first three seconds, when connections are opened. */
bool sonde_load_profiled_is_due(int64_t now_ns, int64_t left_ns, int64_t wanted_ns,
                                enum sonde_load_steadiness state);

/* Measures these four, from the intervals of the test. SONDE_ENOMEM, SONDE_EINTERNAL. */
int sonde_load_profiled_measure(struct sonde_load_profiled *profile,
                                const struct sonde_load_intervals *intervals,
                                struct sonde_err *err) SONDE_MUST_CHECK;

/* Append a line or two for each; a JSON array. The buffer's errors. */
void sonde_load_profiled_text(const struct sonde_load_profiled *profiles, size_t count,
                              struct sonde_buf *buf);
void sonde_load_profiled_json(const struct sonde_load_profiled *profiles, size_t count,
                              struct sonde_buf *buf);

#endif
