/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/random.h"
#include "schedule/zone.h"
#include "seed.h"

enum { FILE_MAX = 4096 };

static void put(struct sonde_buf *buf, int64_t value, size_t size)
{
    for (size_t i = size; i > 0; i--) {
        sonde_buf_char(buf, (char)((uint64_t)value >> (8 * (i - 1))));
    }
}

/* Two kinds of time, 0 and +3600 s, and the transitions given, to the one and the other. */
static void put_block(struct sonde_buf *buf, size_t time_size, const int64_t *times, size_t count)
{
    sonde_buf_text(buf, "TZif2");
    sonde_buf_repeat(buf, '\0', 15);
    const int64_t counts[] = {0, 0, 0, (int64_t)count, 2, 4};
    for (size_t i = 0; i < SONDE_LENGTH(counts); i++) {
        put(buf, counts[i], 4);
    }
    for (size_t i = 0; i < count; i++) {
        put(buf, times[i], time_size);
    }
    for (size_t i = 0; i < count; i++) {
        put(buf, (i + 1) % 2, 1);
    }
    put(buf, 0, 6);
    put(buf, 3600, 4);
    put(buf, 1 << 8, 2);
    put(buf, 0, 4);
}

static void put_file(struct sonde_buf *buf, const int64_t *times, size_t count, const char *rule)
{
    put_block(buf, 4, NULL, 0);
    put_block(buf, 8, times, count);
    sonde_buf_printf(buf, "\n%s\n", rule);
    assert_int_equal(buf->code, 0);
}

static void a_file_is_read(void **state)
{
    (void)state;
    static const int64_t times[] = {-1000, 1000, 5000};
    static const struct {
        int64_t at, begin, end;
        int32_t offset;
    } cases[] = {
        {-1001, INT64_MIN, -1000, 0},
        {-1000, -1000, 1000, 3600},
        {999, -1000, 1000, 3600},
        {1000, 1000, 5000, 0},
        {4999, 1000, 5000, 0},
        {5000, 5000, INT64_MAX, 7200},
        {INT64_C(1) << 40, 5000, INT64_MAX, 7200},
    };
    SONDE_BUF_AUTO file = SONDE_BUF(FILE_MAX);
    struct sonde_zone zone;
    put_file(&file, times, SONDE_LENGTH(times), "<+02>-2");
    assert_int_equal(sonde_zone_parse(sonde_buf_view(&file), &zone, NULL), 0);
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_zone_stretch own = sonde_zone_stretch_at(&zone, cases[i].at);
        assert_true(own.begin == cases[i].begin && own.end == cases[i].end);
        assert_int_equal(own.offset_s, cases[i].offset);
    }
    sonde_zone_fini(&zone);
}

static void what_is_cut_or_wrong_is_refused(void **state)
{
    (void)state;
    static const int64_t times[] = {-1000, 1000};
    static const int64_t disorder[] = {1000, 1000};
    static const char *const rules[] = {
        "X",
        "CET",
        "CET-",
        "CET-1CEST",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M3.5.0,M13.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,J0,J5",
        "CET-25",
        "CET-1CEST,M3.5.0/168,M10.5.0",
        "CET-1:60",
        "<>-1",
        "<+01-1",
        "CET-1CEST,366,J1",
        "CET-1CEST,M3.5.0,M10.5.0,",
    };
    SONDE_BUF_AUTO file = SONDE_BUF(FILE_MAX);
    struct sonde_zone zone;
    struct sonde_err err;
    put_file(&file, times, 2, "CET-1CEST,M3.5.0,M10.5.0/3");
    for (size_t length = 0; length < file.length; length++) {
        struct sonde_str cut = {file.data, length};
        assert_int_equal(sonde_zone_parse(cut, &zone, &err), SONDE_EPARSE);
        sonde_zone_fini(&zone);
    }
    assert_int_equal(sonde_zone_parse(sonde_buf_view(&file), &zone, NULL), 0);
    sonde_zone_fini(&zone);
    for (size_t i = 0; i < SONDE_LENGTH(rules); i++) {
        sonde_buf_clear(&file);
        put_file(&file, times, 2, rules[i]);
        if (sonde_zone_parse(sonde_buf_view(&file), &zone, &err) != SONDE_EPARSE) {
            fail_msg("%s was taken", rules[i]);
        }
        sonde_zone_fini(&zone);
    }
    sonde_buf_clear(&file);
    put_file(&file, disorder, 2, "UTC0");
    assert_int_equal(sonde_zone_parse(sonde_buf_view(&file), &zone, &err), SONDE_EPARSE);
    assert_string_equal(err.message, "no time zone file (TZif): its transitions are not in order");
    sonde_zone_fini(&zone);
}

static void names_are_those_of_the_system(void **state)
{
    (void)state;
    struct sonde_zone zone;
    struct sonde_err err;
    assert_int_equal(sonde_zone_read("Europe/Atlantis", &zone, &err), SONDE_ENOTFOUND);
    assert_non_null(strstr(err.message, "the system has no time zone Europe/Atlantis"));
    assert_int_equal(sonde_zone_read("Europe", &zone, &err), SONDE_ENOTFOUND);
    assert_int_equal(sonde_zone_read("../../../etc/passwd", &zone, &err), SONDE_EINVALID);
    assert_int_equal(sonde_zone_read("", &zone, &err), SONDE_EINVALID);
}

/* Local times of the C library, at any time of three centuries and around each change. */
static void compare_with_the_library(const char *name, uint64_t *seed)
{
    enum { TIMES = 200 };
    const int64_t first = sonde_days_of(1890, 1, 1) * 86400;
    const int64_t last = sonde_days_of(2190, 1, 1) * 86400;
    struct sonde_zone zone;
    struct sonde_err err;
    if (sonde_zone_read(name, &zone, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
    for (int i = 0; i < TIMES; i++) {
        int64_t at = first + (int64_t)(sonde_random_next(seed) % (uint64_t)(last - first));
        struct sonde_zone_stretch stretch = sonde_zone_stretch_at(&zone, at);
        const int64_t moments[] = {at, stretch.begin, stretch.end - 1, stretch.end};
        for (size_t j = 0; j < SONDE_LENGTH(moments); j++) {
            struct tm parts;
            time_t time = moments[j];
            if (moments[j] < first || moments[j] > last) {
                continue;
            }
            assert_non_null(localtime_r(&time, &parts));
            if (sonde_zone_stretch_at(&zone, moments[j]).offset_s != parts.tm_gmtoff) {
                fail_msg("%s at %lld: %d, not %ld", name, (long long)moments[j],
                         sonde_zone_stretch_at(&zone, moments[j]).offset_s, parts.tm_gmtoff);
            }
        }
    }
    sonde_zone_fini(&zone);
}

static void all_zones_are_as_the_library_has_them(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    char line[256];
    size_t count = 0;
    FILE *list = fopen("/usr/share/zoneinfo/tzdata.zi", "re");
    assert_non_null(list);
    while (fgets(line, sizeof(line), list)) {
        struct sonde_str rest = sonde_str_trim(sonde_str(line));
        struct sonde_str kind = sonde_str_split(&rest, ' ');
        struct sonde_str name = sonde_str_split(&rest, ' ');
        bool link = sonde_str_is(kind, "L"); /* L TARGET NAME */
        if (link || sonde_str_is(kind, "Z")) {
            char text[64];
            (void)snprintf(text, sizeof(text), "%.*s", SONDE_STR_ARG(link ? rest : name));
            compare_with_the_library(text, &seed);
            count++;
        }
    }
    (void)fclose(list);
    assert_true(count > 400);
}

static void days_are_those_of_the_calendar(void **state)
{
    (void)state;
    for (int64_t days = -800000; days < 800000; days += 13) {
        int64_t year;
        int month;
        int day;
        struct tm parts;
        time_t time = days * 86400;
        sonde_date_of(days, &year, &month, &day);
        assert_non_null(gmtime_r(&time, &parts));
        assert_int_equal(year, parts.tm_year + 1900);
        assert_int_equal(month, parts.tm_mon + 1);
        assert_int_equal(day, parts.tm_mday);
        assert_int_equal(sonde_days_of(year, month, day), days);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(what_is_cut_or_wrong_is_refused),
        cmocka_unit_test(names_are_those_of_the_system),
        cmocka_unit_test(all_zones_are_as_the_library_has_them),
        cmocka_unit_test(days_are_those_of_the_calendar),
    };
    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
