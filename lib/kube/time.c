/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/time.h"

#include <stdio.h>

#include "base/err.h"

/* Takes `width` digits off the front of *rest, and then the byte `after` (0: none). */
static bool take(struct sonde_str *rest, size_t width, char after, uint64_t min, uint64_t max,
                 uint64_t *ret)
{
    size_t whole = width + (after ? 1 : 0);
    if (rest->length < whole || (after && rest->data[width] != after) ||
        sonde_parse_u64((struct sonde_str){rest->data, width}, min, max, ret) < 0) {
        return false;
    }
    rest->data += whole;
    rest->length -= whole;
    return true;
}

static int64_t days_before_year(int64_t year)
{
    int64_t y = year - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 - 719162; /* of 1970 */
}

static bool is_leap(uint64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool take_date(struct sonde_str *rest, int64_t *ret_days)
{
    static const uint64_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t year;
    uint64_t month;
    uint64_t day;
    if (!take(rest, 4, '-', 1970, 2200, &year) || !take(rest, 2, '-', 1, 12, &month)) {
        return false;
    }
    uint64_t last = lengths[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
    if (!take(rest, 2, 0, 1, last, &day)) {
        return false;
    }
    int64_t days = days_before_year((int64_t)year) + (int64_t)day - 1;
    for (uint64_t m = 1; m < month; m++) {
        days += (int64_t)lengths[m - 1] + (m == 2 && is_leap(year) ? 1 : 0);
    }
    *ret_days = days;
    return true;
}

/* ".123456": nanoseconds; nothing when there is no point. */
static bool take_fraction(struct sonde_str *rest, int64_t *ret)
{
    *ret = 0;
    if (rest->length == 0 || rest->data[0] != '.') {
        return true;
    }
    int64_t unit = SONDE_SECOND;
    size_t i = 1;
    for (; i < rest->length && rest->data[i] >= '0' && rest->data[i] <= '9' && unit > 1; i++) {
        unit /= 10;
        *ret += (rest->data[i] - '0') * unit;
    }
    rest->data += i;
    rest->length -= i;
    return i > 1;
}

/* "Z" or "+01:30", to the end of the text: seconds. */
static bool take_offset(struct sonde_str rest, int64_t *ret)
{
    *ret = 0;
    if (sonde_str_is(rest, "Z") || sonde_str_is(rest, "z")) {
        return true;
    }
    if (rest.length != 6 || (rest.data[0] != '+' && rest.data[0] != '-')) {
        return false;
    }
    int64_t sign = rest.data[0] == '-' ? -1 : 1;
    rest.data++;
    rest.length--;
    uint64_t hours;
    uint64_t minutes;
    if (!take(&rest, 2, ':', 0, 23, &hours) || !take(&rest, 2, 0, 0, 59, &minutes)) {
        return false;
    }
    *ret = sign * (int64_t)(hours * 3600 + minutes * 60);
    return true;
}

int sonde_kube_time_parse(struct sonde_str text, int64_t *ret_realtime_ns)
{
    int64_t days;
    int64_t fraction;
    int64_t offset;
    uint64_t hour;
    uint64_t minute;
    uint64_t second;
    if (!take_date(&text, &days) || text.length == 0 ||
        (text.data[0] != 'T' && text.data[0] != 't')) {
        return SONDE_EPARSE;
    }
    text.data++;
    text.length--;
    if (!take(&text, 2, ':', 0, 23, &hour) || !take(&text, 2, ':', 0, 59, &minute) ||
        !take(&text, 2, 0, 0, 59, &second) || !take_fraction(&text, &fraction) ||
        !take_offset(text, &offset)) {
        return SONDE_EPARSE;
    }
    int64_t seconds = days * 86400 + (int64_t)(hour * 3600 + minute * 60 + second) - offset;
    *ret_realtime_ns = seconds * SONDE_SECOND + fraction;
    return 0;
}

void sonde_kube_time_format(int64_t realtime_ns, char ret[SONDE_KUBE_TIME_SIZE])
{
    char milliseconds[SONDE_TIME_SIZE];
    sonde_time_format(realtime_ns, milliseconds);
    int64_t microseconds = (realtime_ns % SONDE_SECOND + SONDE_SECOND) % SONDE_SECOND / 1000;
    (void)snprintf(ret, SONDE_KUBE_TIME_SIZE, "%.19s.%06dZ", milliseconds, (int)microseconds);
}
