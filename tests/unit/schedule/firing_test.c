/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/memory.h"
#include "schedule/firing.h"

/* As in the time zone of Berlin, without its history. */
static const struct sonde_zone berlin = {
    .rule = {.known = true,
             .changes = true,
             .standard_s = 3600,
             .summer_s = 7200,
             .begin = {SONDE_ZONE_WEEKDAY, 0, 3, 5, 7200},
             .end = {SONDE_ZONE_WEEKDAY, 0, 10, 5, 10800}},
};
static const struct sonde_zone utc = {.rule = {.known = true}};

static int64_t seconds(const char *text)
{
    struct tm parts = {0};
    assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts));
    return timegm(&parts);
}

/* The times after `after` up to `to`, in UTC, one after the other. */
static void assert_fires(const struct sonde_zone *zone, const char *schedule, const char *after,
                         const char *to, const char *expected)
{
    struct sonde_cron cron;
    struct sonde_err err;
    char said[512] = "";
    size_t length = 0;
    if (sonde_cron_parse(sonde_str(schedule), &cron, &err) < 0) {
        fail_msg("%s", err.message);
    }
    int64_t at = seconds(after);
    while ((at = sonde_firing_after(&cron, zone, at)) <= seconds(to) &&
           length + 32 < sizeof(said)) {
        struct tm parts;
        time_t time = at;
        assert_non_null(gmtime_r(&time, &parts));
        length += strftime(said + length, sizeof(said) - length,
                           length ? " %m-%dT%H:%M" : "%m-%dT%H:%M", &parts);
    }
    if (strcmp(said, expected) != 0) {
        fail_msg("%s after %s: %s, not %s", schedule, after, said, expected);
    }
}

struct firings {
    const char *schedule, *after, *to, *expected;
};

static void assert_all(const struct sonde_zone *zone, const struct firings *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_fires(zone, cases[i].schedule, cases[i].after, cases[i].to, cases[i].expected);
    }
}

static void it_fires_when_the_clock_shows_it(void **state)
{
    (void)state;
    static const struct firings cases[] = {
        {"30 2 * * *", "2026-01-01T02:29:59Z", "2026-01-03T00:00:00Z", "01-01T02:30 01-02T02:30"},
        {"30 2 * * *", "2026-01-01T02:30:00Z", "2026-01-03T00:00:00Z", "01-02T02:30"},
        {"59 23 31 12 *", "2026-01-01T00:00:00Z", "2027-12-30T00:00:00Z", "12-31T23:59"},
        {"0 0 29 2 *", "2096-02-29T00:00:00Z", "2104-03-01T00:00:00Z", "02-29T00:00"},
        {"0 0 13 * fri", "2026-02-12T12:00:00Z", "2026-02-21T00:00:00Z", "02-13T00:00 02-20T00:00"},
        {"0 12 * * 1-5", "2026-02-12T12:00:00Z", "2026-02-17T11:00:00Z", "02-13T12:00 02-16T12:00"},
        {"*/25 5 * * *", "2026-02-12T05:00:00Z", "2026-02-13T04:00:00Z", "02-12T05:25 02-12T05:50"},
        {"0 0 1 1 *", "1969-06-01T00:00:00Z", "1970-02-01T00:00:00Z", "01-01T00:00"},
        {"30 23 31 * *", "2026-01-31T23:30:00Z", "2026-04-01T00:00:00Z", "03-31T23:30"},
    };
    assert_all(&utc, cases, SONDE_LENGTH(cases));
}

/* 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00. */
static void the_clocks_change(void **state)
{
    (void)state;
    static const struct firings cases[] = {
        /* 02:30 does not exist: it fires at 03:00. */
        {"30 2 * * *", "2026-03-28T01:30:00Z", "2026-03-30T01:00:00Z", "03-29T01:00 03-30T00:30"},
        /* Four times that do not exist are one. */
        {"*/15 2 * * *", "2026-03-28T01:45:00Z", "2026-03-30T00:00:00Z", "03-29T01:00 03-30T00:00"},
        {"0 3 * * *", "2026-03-28T02:00:00Z", "2026-03-30T00:00:00Z", "03-29T01:00"},
        {"30 * * * *", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z", "03-29T00:30 03-29T01:30"},
        {"30 2 * * *", "2026-10-24T00:30:00Z", "2026-10-26T02:00:00Z", "10-25T00:30 10-26T01:30"},
        {"30 * * * *", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", "10-25T00:30 10-25T01:30"},
        {"30 2 * * *", "2026-10-25T00:45:00Z", "2026-10-26T02:00:00Z", "10-26T01:30"},
        {"0 3 * * *", "2026-10-24T02:00:00Z", "2026-10-25T03:00:00Z", "10-25T02:00"},
    };
    assert_all(&berlin, cases, SONDE_LENGTH(cases));
}

static void some_never_fire(void **state)
{
    (void)state;
    static const char *const never[] = {"0 0 30 2 *", "0 0 31 4,6,9,11 *"};
    for (size_t i = 0; i < SONDE_LENGTH(never); i++) {
        struct sonde_cron cron;
        assert_int_equal(sonde_cron_parse(sonde_str(never[i]), &cron, NULL), 0);
        assert_true(sonde_firing_after(&cron, &berlin, seconds("2026-01-01T00:00:00Z")) ==
                    INT64_MAX);
    }
}

static void jitter_is_even_and_stays(void **state)
{
    (void)state;
    enum { JITTER = 9, TIMES = 10000 };
    size_t counts[JITTER + 1] = {0};
    for (int64_t at = 0; at < TIMES; at++) {
        int64_t own = sonde_firing_jitter(SONDE_STR("a-uid"), at * 86400, JITTER);
        assert_true(own == sonde_firing_jitter(SONDE_STR("a-uid"), at * 86400, JITTER));
        assert_in_range(own, 0, JITTER);
        counts[own]++;
    }
    for (size_t i = 0; i <= JITTER; i++) {
        assert_in_range(counts[i], 850, 1150); /* five standard deviations */
    }
    assert_int_equal(sonde_firing_jitter(SONDE_STR("a-uid"), 86400, 0), 0);
    int64_t first = sonde_firing_jitter(SONDE_STR("a-uid"), 86400, INT64_C(1) << 40);
    assert_true(first != sonde_firing_jitter(SONDE_STR("b-uid"), 86400, INT64_C(1) << 40));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_fires_when_the_clock_shows_it),
        cmocka_unit_test(the_clocks_change),
        cmocka_unit_test(some_never_fire),
        cmocka_unit_test(jitter_is_even_and_stays),
    };
    return cmocka_run_group_tests_name("firing", tests, NULL, NULL);
}
