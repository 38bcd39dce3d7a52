/* SPDX-License-Identifier: Apache-2.0 */
/* One time type: int64_t nanoseconds. Cores take `now` as an argument and never ask. */
#ifndef SONDE_BASE_CLOCK_H
#define SONDE_BASE_CLOCK_H

#include <stdint.h>

#include "base/memory.h"
#include "base/str.h"

enum { SONDE_TIME_SIZE = 25 }; /* "2026-01-31T12:34:56.789Z" and the NUL */

#define SONDE_MICROSECOND INT64_C(1000)
#define SONDE_MILLISECOND INT64_C(1000000)
#define SONDE_SECOND INT64_C(1000000000)

/* Since an arbitrary start, never backwards: for durations and deadlines. */
int64_t sonde_clock_monotonic(void);
/* Since 1970-01-01 UTC: for what a person reads. */
int64_t sonde_clock_realtime(void);
/* RFC 3339 in UTC with milliseconds. */
void sonde_time_format(int64_t realtime_ns, char ret[SONDE_TIME_SIZE]);

#endif
