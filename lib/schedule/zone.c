/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "spec/formats.h"

enum {
    DAY_S = 86400,
    HEADER = 44,
    OFFSET_MAX_S = 26 * 3600, /* RFC 9636, 3.2 */
    RULE_HOURS_MAX = 167,     /* 3.3.2 */
    ZONE_HOURS_MAX = 24,
};

/* ---- the calendar ---- */

/* Years that begin in March have their odd day at the end; 400 of them have 146097 days (H.
 * Hinnant, chrono-compatible low-level date algorithms). */
int64_t sonde_days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void sonde_date_of(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    *ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

int64_t sonde_day_of(int64_t seconds)
{
    return (seconds >= 0 ? seconds : seconds - (DAY_S - 1)) / DAY_S;
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* ---- the rule ---- */

static bool take(struct sonde_str *text, char byte)
{
    bool is = text->length && text->data[0] == byte;
    *text = is ? (struct sonde_str){text->data + 1, text->length - 1} : *text;
    return is;
}

static bool take_number(struct sonde_str *text, int most, int *ret)
{
    size_t at = 0;
    *ret = 0;
    while (at < text->length && at < 3 && text->data[at] >= '0' && text->data[at] <= '9') {
        *ret = *ret * 10 + (text->data[at++] - '0');
    }
    *text = (struct sonde_str){text->data + at, text->length - at};
    return at > 0 && *ret <= most;
}

/* [+|-]hh[:mm[:ss]] */
static bool take_time(struct sonde_str *text, int hours_max, int32_t *ret_s)
{
    bool negative = take(text, '-');
    int parts[3] = {0};
    bool good = (negative || take(text, '+') || true) && take_number(text, hours_max, &parts[0]);
    for (int i = 1; i < 3 && good && take(text, ':'); i++) {
        good = take_number(text, 59, &parts[i]);
    }
    int32_t seconds = parts[0] * 3600 + parts[1] * 60 + parts[2];
    *ret_s = negative ? -seconds : seconds;
    return good;
}

/* Letters, or anything in <>. */
static bool take_name(struct sonde_str *text)
{
    bool quoted = take(text, '<');
    size_t at = 0;
    while (at < text->length &&
           (quoted ? text->data[at] != '>'
                   : (text->data[at] | 0x20) >= 'a' && (text->data[at] | 0x20) <= 'z')) {
        at++;
    }
    *text = (struct sonde_str){text->data + at, text->length - at};
    return at > 0 && (!quoted || take(text, '>'));
}

static bool take_date(struct sonde_str *text, struct sonde_zone_date *ret)
{
    bool good;
    *ret = (struct sonde_zone_date){.time_s = 2 * 3600};
    if (take(text, 'M')) {
        ret->kind = SONDE_ZONE_WEEKDAY;
        good = take_number(text, 12, &ret->month) && ret->month >= 1 && take(text, '.') &&
               take_number(text, 5, &ret->week) && ret->week >= 1 && take(text, '.') &&
               take_number(text, 6, &ret->day);
    } else if (take(text, 'J')) {
        ret->kind = SONDE_ZONE_JULIAN;
        good = take_number(text, 365, &ret->day) && ret->day >= 1;
    } else {
        ret->kind = SONDE_ZONE_ZERO_BASED;
        good = take_number(text, 365, &ret->day);
    }
    return good && (!take(text, '/') || take_time(text, RULE_HOURS_MAX, &ret->time_s));
}

/* "CET-1CEST,M3.5.0,M10.5.0/3"; empty: nobody knows. */
static bool parse_rule(struct sonde_str text, struct sonde_zone_rule *ret)
{
    int32_t west_s;
    *ret = (struct sonde_zone_rule){.known = text.length > 0};
    if (!ret->known) {
        return true;
    }
    if (!take_name(&text) || !take_time(&text, ZONE_HOURS_MAX, &west_s)) {
        return false;
    }
    ret->standard_s = -west_s;
    ret->summer_s = ret->standard_s + 3600;
    if (text.length == 0) {
        return true;
    }
    ret->changes = true;
    if (!take_name(&text)) {
        return false;
    }
    if (text.length && text.data[0] != ',') {
        if (!take_time(&text, ZONE_HOURS_MAX, &west_s)) {
            return false;
        }
        ret->summer_s = -west_s;
    }
    return take(&text, ',') && take_date(&text, &ret->begin) && take(&text, ',') &&
           take_date(&text, &ret->end) && text.length == 0;
}

/* Local seconds since 1970, of the wall clock before it. */
static int64_t date_in(const struct sonde_zone_date *date, int64_t year)
{
    int64_t first = sonde_days_of(year, 1, 1);
    int64_t day;
    if (date->kind == SONDE_ZONE_ZERO_BASED) {
        day = first + date->day;
    } else if (date->kind == SONDE_ZONE_JULIAN) {
        day = first + date->day - 1 + (is_leap(year) && date->day >= 60);
    } else {
        int64_t begin = sonde_days_of(year, date->month, 1);
        int64_t end = date->month == 12 ? sonde_days_of(year + 1, 1, 1)
                                        : sonde_days_of(year, date->month + 1, 1);
        int64_t weekday = ((begin + 4) % 7 + 7) % 7; /* 1970 began on a Thursday */
        day = begin + (date->day - weekday + 7) % 7 + (int64_t)(date->week - 1) * 7;
        day -= day >= end ? 7 : 0;
    }
    return day * DAY_S + date->time_s;
}

/* A moment splits a stretch: it ends it, or begins it. */
static void split(struct sonde_zone_stretch *stretch, int64_t at, int32_t offset_s, int64_t utc_s)
{
    if (at <= utc_s && at >= stretch->begin) {
        stretch->begin = at;
        stretch->offset_s = offset_s;
    } else if (at > utc_s && at < stretch->end) {
        stretch->end = at;
    }
}

static struct sonde_zone_stretch by_rule(const struct sonde_zone_rule *rule, int64_t utc_s)
{
    struct sonde_zone_stretch ret = {INT64_MIN, INT64_MAX, rule->standard_s};
    int64_t year;
    int month;
    int day;
    if (!rule->changes) {
        return ret;
    }
    sonde_date_of(sonde_day_of(utc_s), &year, &month, &day);
    for (int64_t near = year - 1; near <= year + 1; near++) {
        split(&ret, date_in(&rule->begin, near) - rule->standard_s, rule->summer_s, utc_s);
        split(&ret, date_in(&rule->end, near) - rule->summer_s, rule->standard_s, utc_s);
    }
    return ret;
}

struct sonde_zone_stretch sonde_zone_stretch_at(const struct sonde_zone *zone, int64_t utc_s)
{
    size_t low = 0;
    size_t high = zone->count; /* how many transitions are not after it */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->times[middle] <= utc_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    struct sonde_zone_stretch ret = {
        .begin = low ? zone->times[low - 1] : INT64_MIN,
        .end = low < zone->count ? zone->times[low] : INT64_MAX,
        .offset_s = low ? zone->offsets[low - 1] : zone->first_offset_s,
    };
    if (low == zone->count && zone->rule.known) {
        struct sonde_zone_stretch own = by_rule(&zone->rule, utc_s);
        own.begin = own.begin > ret.begin ? own.begin : ret.begin;
        return own;
    }
    return ret;
}

/* ---- the file ---- */

/* The counts of a header, in the order of the file. */
enum { UT_INDICATORS, STANDARD_INDICATORS, LEAPS, TIMES, TYPES, NAME_BYTES, COUNTS };

struct block {
    uint32_t counts[COUNTS];
    size_t time_size; /* 4 or 8 */
};

static int64_t big_endian(const char *data, size_t size)
{
    uint64_t value = size == 4 && (data[0] & 0x80) ? UINT64_MAX : 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | (unsigned char)data[i];
    }
    return (int64_t)value;
}

static int fail(const char *what, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "no time zone file (TZif): %s", what);
}

static size_t block_length(const struct block *block)
{
    const uint32_t *n = block->counts;
    return n[TIMES] * (block->time_size + 1) + n[TYPES] * (size_t)6 + n[NAME_BYTES] +
           n[LEAPS] * (block->time_size + 4) + n[STANDARD_INDICATORS] + n[UT_INDICATORS];
}

/* Takes the header; the block is known to be whole. */
static int take_header(struct sonde_str *rest, size_t time_size, char *ret_version,
                       struct block *ret, struct sonde_err *err)
{
    if (rest->length < HEADER || memcmp(rest->data, "TZif", 4) != 0) {
        return fail("it has no header", err);
    }
    *ret_version = rest->data[4];
    ret->time_size = time_size;
    for (int i = 0; i < COUNTS; i++) {
        int64_t count = big_endian(rest->data + HEADER - (ptrdiff_t)4 * (COUNTS - i), 4);
        if (count < 0 || count > SONDE_ZONE_BYTES_MAX) {
            return fail("a count is beyond its end", err);
        }
        ret->counts[i] = (uint32_t)count;
    }
    *rest = (struct sonde_str){rest->data + HEADER, rest->length - HEADER};
    return block_length(ret) > rest->length ? fail("it ends too early", err) : 0;
}

static int read_block(const struct block *block, const char *data, struct sonde_zone *ret,
                      struct sonde_err *err)
{
    size_t count = block->counts[TIMES];
    const char *kinds = data + count * block->time_size;
    const char *types = kinds + count;
    if (count > SONDE_ZONE_TRANSITIONS_MAX || block->counts[TYPES] == 0) {
        return fail(count ? "it has too many transitions" : "it has no kind of time", err);
    }
    for (size_t i = 0; i < block->counts[TYPES]; i++) {
        int64_t offset = big_endian(types + 6 * i, 4);
        if (offset < -OFFSET_MAX_S || offset > OFFSET_MAX_S) {
            return fail("a time is more than 26 hours off", err);
        }
    }
    ret->times = calloc(count + 1, sizeof(*ret->times));
    ret->offsets = calloc(count + 1, sizeof(*ret->offsets));
    if (!ret->times || !ret->offsets) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a time zone");
    }
    ret->first_offset_s = (int32_t)big_endian(types, 4);
    for (; ret->count < count; ret->count++) {
        size_t i = ret->count;
        size_t kind = (unsigned char)kinds[i];
        ret->times[i] = big_endian(data + i * block->time_size, block->time_size);
        if (kind >= block->counts[TYPES] || (i && ret->times[i] <= ret->times[i - 1])) {
            return fail("its transitions are not in order", err);
        }
        ret->offsets[i] = (int32_t)big_endian(types + 6 * kind, 4);
    }
    return 0;
}

int sonde_zone_parse(struct sonde_str bytes, struct sonde_zone *ret, struct sonde_err *err)
{
    struct sonde_str rest = bytes;
    struct block block;
    char version;
    *ret = (struct sonde_zone){0};
    if (bytes.length > SONDE_ZONE_BYTES_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a time zone file of more than %d bytes",
                          SONDE_ZONE_BYTES_MAX);
    }
    int r = take_header(&rest, 4, &version, &block, err);
    if (r < 0 || version == '\0') {
        return r < 0 ? r : read_block(&block, rest.data, ret, err);
    }
    /* Its times of 32 bits are for old readers. */
    rest = (struct sonde_str){rest.data + block_length(&block), rest.length - block_length(&block)};
    r = take_header(&rest, 8, &version, &block, err);
    r = r < 0 ? r : read_block(&block, rest.data, ret, err);
    if (r < 0) {
        return r;
    }
    rest = (struct sonde_str){rest.data + block_length(&block), rest.length - block_length(&block)};
    if (!take(&rest, '\n') || rest.length == 0 || rest.data[rest.length - 1] != '\n' ||
        !parse_rule((struct sonde_str){rest.data, rest.length - 1}, &ret->rule)) {
        return fail("its last line is no rule", err);
    }
    return 0;
}

int sonde_zone_read(const char *name, struct sonde_zone *ret, struct sonde_err *err)
{
    enum { PATH_SIZE = 512 };
    SONDE_BUF_AUTO bytes = SONDE_BUF(SONDE_ZONE_BYTES_MAX);
    const char *directory = getenv("TZDIR");
    char path[PATH_SIZE];
    *ret = (struct sonde_zone){0};
    int length =
        snprintf(path, sizeof(path), "%s/%s",
                 directory && directory[0] == '/' ? directory : "/usr/share/zoneinfo", name);
    if (!sonde_format_time_zone.check(sonde_str(name)) || length < 0 || length >= PATH_SIZE) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s is no name of a time zone", name);
    }
    int r = sonde_read_file(AT_FDCWD, path, &bytes, err);
    if (r == SONDE_ENOTFOUND || r == SONDE_EINVALID) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0, "the system has no time zone %s (%s)", name,
                          path);
    }
    r = r < 0 ? r : sonde_zone_parse(sonde_buf_view(&bytes), ret, err);
    return r < 0 ? sonde_err_wrap(err, r, "%s", path) : 0;
}

void sonde_zone_fini(struct sonde_zone *zone)
{
    free(zone->times);
    free(zone->offsets);
    *zone = (struct sonde_zone){0};
}
