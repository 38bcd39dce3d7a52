/* SPDX-License-Identifier: Apache-2.0 */
/* A time zone as the system has it: TZif (RFC 9636), with the rule in its footer for the time after
 * its last transition (POSIX TZ, with RFC 9636's longer hours). Times are seconds since 1970 UTC,
 * leap seconds are not counted. */
#ifndef SONDE_SCHEDULE_ZONE_H
#define SONDE_SCHEDULE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
    SONDE_ZONE_BYTES_MAX = 256 << 10,
    SONDE_ZONE_TRANSITIONS_MAX = 8192,
};

/* A day of each year, and how many seconds after its midnight, in the wall clock's time before. */
struct sonde_zone_date {
    enum { SONDE_ZONE_JULIAN, SONDE_ZONE_ZERO_BASED, SONDE_ZONE_WEEKDAY } kind;
    int day; /* Jn: 1–365, no 29 February; n: 0–365; Mm.w.d: 0–6, 0 being Sunday */
    int month, week;
    int32_t time_s;
};

/* What follows the last transition. */
struct sonde_zone_rule {
    bool known, changes;
    int32_t standard_s, summer_s; /* local time less UTC */
    struct sonde_zone_date begin, end;
};

struct sonde_zone {
    int64_t *times; /* of transitions, rising */
    int32_t *offsets;
    size_t count;
    int32_t first_offset_s;
    struct sonde_zone_rule rule;
};

/* A piece of time in which local time runs evenly. */
struct sonde_zone_stretch {
    int64_t begin, end; /* UTC; INT64_MIN: ever; INT64_MAX: for ever */
    int32_t offset_s;   /* local time less UTC */
};

/* Of a file's bytes, nothing of which is kept. SONDE_EPARSE with what is wrong, SONDE_ELIMIT,
 * SONDE_ENOMEM. The caller calls sonde_zone_fini in any case. */
int sonde_zone_parse(struct sonde_str bytes, struct sonde_zone *ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;

/* Of the name in the system's data, such as "Europe/Berlin": below /usr/share/zoneinfo, or where
 * TZDIR says. SONDE_ENOTFOUND when there is no such, and as above. */
int sonde_zone_read(const char *name, struct sonde_zone *ret,
                    struct sonde_err *err) SONDE_MUST_CHECK;

/* The stretch in which that time lies. Two that follow each other may have the same offset. */
struct sonde_zone_stretch sonde_zone_stretch_at(const struct sonde_zone *zone, int64_t utc_s);

void sonde_zone_fini(struct sonde_zone *zone);

/* The day of a time: days since 1970. */
int64_t sonde_day_of(int64_t seconds);
/* Days since 1970 of a day in the proleptic Gregorian calendar; and back. month: 1–12. */
int64_t sonde_days_of(int64_t year, int month, int day);
void sonde_date_of(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);

#endif
