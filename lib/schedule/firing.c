/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/firing.h"

#include "base/random.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, HOURS = 24, MINUTES = 60 };
#define YEAR_S (INT64_C(366) * DAY_S)

static const uint32_t every_hour = (UINT32_C(1) << HOURS) - 1;

static bool day_fits(const struct sonde_cron *cron, int month, int day, int64_t days)
{
    unsigned weekday = (unsigned)(((days + 4) % 7 + 7) % 7); /* 1970 began on a Thursday */
    bool by_day = cron->days >> day & 1;
    bool by_weekday = cron->weekdays >> weekday & 1;
    bool either = cron->days_restricted && cron->weekdays_restricted;
    return cron->months >> month & 1 && (either ? by_day || by_weekday : by_day && by_weekday);
}

/* The first bit that is set, from `from` on; −1: none. */
static int next_bit(uint64_t mask, int from)
{
    uint64_t rest = from < 64 ? mask >> from << from : 0;
    return rest ? __builtin_ctzll(rest) : -1;
}

/* In the day, in seconds, from `from` on; −1: none. */
static int64_t time_in_day(const struct sonde_cron *cron, int64_t from)
{
    int minute_of_day = (int)((from + MINUTE_S - 1) / MINUTE_S);
    int hour = next_bit(cron->hours, minute_of_day / MINUTES);
    int minute = hour == minute_of_day / MINUTES ? next_bit(cron->minutes, minute_of_day % MINUTES)
                                                 : next_bit(cron->minutes, 0);
    if (hour >= 0 && minute < 0) {
        hour = next_bit(cron->hours, hour + 1);
        minute = next_bit(cron->minutes, 0);
    }
    return hour < 0 ? -1 : (int64_t)hour * HOUR_S + (int64_t)minute * MINUTE_S;
}

/* The first minute of the wall clock that fits, from `from` to before `end`; INT64_MAX: none. All
 * in seconds of local time. */
static int64_t next_local(const struct sonde_cron *cron, int64_t from, int64_t end)
{
    int64_t days = sonde_day_of(from);
    int64_t rest = from - days * DAY_S;
    while (days * DAY_S < end) {
        int64_t year;
        int month;
        int day;
        sonde_date_of(days, &year, &month, &day);
        if (!(cron->months >> month & 1)) {
            days = month == 12 ? sonde_days_of(year + 1, 1, 1) : sonde_days_of(year, month + 1, 1);
            rest = 0;
            continue;
        }
        int64_t time = day_fits(cron, month, day, days) ? time_in_day(cron, rest) : -1;
        if (time >= 0) {
            return days * DAY_S + time < end ? days * DAY_S + time : INT64_MAX;
        }
        days++;
        rest = 0;
    }
    return INT64_MAX;
}

int64_t sonde_firing_after(const struct sonde_cron *cron, const struct sonde_zone *zone,
                           int64_t after_s)
{
    bool hourly = cron->hours == every_hour;
    int64_t limit = after_s + SONDE_FIRING_YEARS * YEAR_S;
    int64_t from = after_s + 1;
    struct sonde_zone_stretch stretch = sonde_zone_stretch_at(zone, from);
    struct sonde_zone_stretch before =
        stretch.begin == INT64_MIN ? stretch : sonde_zone_stretch_at(zone, stretch.begin - 1);
    while (from < limit) {
        int64_t local = from + stretch.offset_s;
        int64_t shown = stretch.begin == INT64_MIN ? INT64_MIN : stretch.begin + before.offset_s;
        if (!hourly && stretch.begin == from && local > shown &&
            next_local(cron, shown, local) != INT64_MAX) {
            return from; /* what the clock has left out */
        }
        if (!hourly && local < shown) {
            local = shown; /* what it shows once more */
        }
        int64_t end = stretch.end < limit ? stretch.end : limit;
        int64_t found = next_local(cron, local, end + stretch.offset_s);
        if (found != INT64_MAX) {
            return found - stretch.offset_s;
        }
        from = end;
        before = stretch;
        stretch = sonde_zone_stretch_at(zone, from);
    }
    return INT64_MAX;
}

int64_t sonde_firing_jitter(struct sonde_str uid, int64_t firing_s, int64_t jitter_s)
{
    uint64_t state = (uint64_t)firing_s;
    for (size_t i = 0; i < uid.length; i++) {
        state = (state ^ (unsigned char)uid.data[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    }
    return jitter_s > 0 ? (int64_t)(sonde_random_next(&state) % (uint64_t)(jitter_s + 1)) : 0;
}
