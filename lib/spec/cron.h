/* SPDX-License-Identifier: Apache-2.0 */
/* CronJob's schedule language: five fields (minute, hour, day of month, month, day of week) of
 * numbers, names, *, ?, lists, ranges and steps; or @yearly, @annually, @monthly, @weekly,
 * @daily, @midnight, @hourly; and @nightly, which a CronJob does not know. Pure. */
#ifndef SONDE_SPEC_CRON_H
#define SONDE_SPEC_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum { SONDE_CRON_LENGTH_MAX = 256 };

/* The values at which it fires, as bit masks: bit n is the value n. Sunday is day 0. When both
 * days are restricted, a day that fits either fires (POSIX crontab). */
struct sonde_cron {
    uint64_t minutes;     /* 0–59 */
    uint32_t hours;       /* 0–23 */
    uint32_t days;        /* 1–31 */
    uint16_t months;      /* 1–12 */
    uint8_t weekdays;     /* 0–6 */
    bool days_restricted; /* no entry of the field is * or ? without a step */
    bool weekdays_restricted;
};

/* SONDE_EINVALID with a message that names the field at fault. */
int sonde_cron_parse(struct sonde_str text, struct sonde_cron *ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;

#endif
