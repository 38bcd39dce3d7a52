/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * SONDE_SECOND + t.tv_nsec;
}

int64_t sonde_clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t sonde_clock_realtime(void)
{
    return read_clock(CLOCK_REALTIME);
}

void sonde_time_format(int64_t realtime_ns, char ret[SONDE_TIME_SIZE])
{
    int64_t seconds = realtime_ns / SONDE_SECOND;
    int64_t rest = realtime_ns % SONDE_SECOND;
    if (rest < 0) {
        seconds--;
        rest += SONDE_SECOND;
    }
    time_t when = (time_t)seconds;
    struct tm parts;
    char whole[32];
    if (!gmtime_r(&when, &parts) ||
        strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &parts) != 19) {
        whole[0] = '\0';
    }
    (void)snprintf(ret, SONDE_TIME_SIZE, "%.19s.%03dZ", whole,
                   (int)(rest / SONDE_MILLISECOND) % 1000);
}
