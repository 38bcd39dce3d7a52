/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules, thresholds, and the formats of texts against their own patterns. */
#include <fcntl.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "spec/cron.h"
#include "spec/formats.h"
#include "spec/threshold.h"

static void schedules_become_masks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct sonde_cron cron;
    } cases[] = {
        {"30 2 * * *", {1ull << 30, 1u << 2, 0xfffffffe, 0x1ffe, 0x7f, false, false}},
        {"0 0 1 1 0", {1, 1, 2, 2, 1, true, true}},
        {"*/15 0-3 1,15 jan,FEB Mon-fri",
         {1ull | 1ull << 15 | 1ull << 30 | 1ull << 45, 0xf, 2 | 1u << 15, 6, 0x3e, true, true}},
        {"5/20 ? ? * 5-7",
         {1ull << 5 | 1ull << 25 | 1ull << 45, 0xffffff, 0xfffffffe, 0x1ffe, 0x61, false, true}},
        {"0 22-23/1 */10 * 7",
         {1, 3u << 22, 2 | 1u << 11 | 1u << 21 | 1u << 31, 0x1ffe, 1, true, true}},
        {"0 9 * * 1/2", {1, 1u << 9, 0xfffffffe, 0x1ffe, 0x2a, false, true}},
        {"0 9 * * 1/3", {1, 1u << 9, 0xfffffffe, 0x1ffe, 0x12, false, true}},
        {"0 9 * * 7/3", {1, 1u << 9, 0xfffffffe, 0x1ffe, 0x49, false, true}},
        {"0 0 1,*/1 * */2", {1, 1, 0xfffffffe, 0x1ffe, 0x55, false, true}},
        {"1  2   3 4 5", {2, 4, 8, 16, 32, true, true}},
        {"@hourly", {1, 0xffffff, 0xfffffffe, 0x1ffe, 0x7f, false, false}},
        {"@daily", {1, 1, 0xfffffffe, 0x1ffe, 0x7f, false, false}},
        {"@midnight", {1, 1, 0xfffffffe, 0x1ffe, 0x7f, false, false}},
        {"@nightly", {1, 1, 0xfffffffe, 0x1ffe, 0x7f, false, false}},
        {"@weekly", {1, 1, 0xfffffffe, 0x1ffe, 1, false, true}},
        {"@monthly", {1, 1, 2, 0x1ffe, 0x7f, true, false}},
        {"@yearly", {1, 1, 2, 2, 0x7f, true, false}},
        {"@annually", {1, 1, 2, 2, 0x7f, true, false}},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_cron cron = {0};
        struct sonde_err err = {0};
        if (sonde_cron_parse(sonde_str(cases[i].text), &cron, &err) < 0) {
            fail_msg("%s: %s", cases[i].text, err.message);
        }
        const struct sonde_cron *want = &cases[i].cron;
        if (cron.minutes != want->minutes || cron.hours != want->hours || cron.days != want->days ||
            cron.months != want->months || cron.weekdays != want->weekdays ||
            cron.days_restricted != want->days_restricted ||
            cron.weekdays_restricted != want->weekdays_restricted) {
            fail_msg("%s: %llx %x %x %x %x %d %d", cases[i].text, (unsigned long long)cron.minutes,
                     cron.hours, cron.days, cron.months, cron.weekdays, cron.days_restricted,
                     cron.weekdays_restricted);
        }
    }
}

/* A line of cron_cases: what the parser of CronJobs makes of a schedule. */
static void check_case(struct sonde_str text, struct sonde_str expected)
{
    struct sonde_cron cron;
    struct sonde_err err = {0};
    char found[128];
    if (sonde_cron_parse(text, &cron, &err) < 0) {
        (void)snprintf(found, sizeof(found), "refused");
    } else {
        (void)snprintf(found, sizeof(found), "%llx %x %x %x %x %d %d",
                       (unsigned long long)cron.minutes, cron.hours, cron.days, cron.months,
                       cron.weekdays, cron.days_restricted, cron.weekdays_restricted);
    }
    if (!sonde_str_is(expected, found)) {
        fail_msg("\"%.*s\": must be %.*s, is %s %s", SONDE_STR_ARG(text), SONDE_STR_ARG(expected),
                 found, err.message);
    }
}

static void schedules_mean_what_they_mean_for_a_cronjob(void **state)
{
    (void)state;
    static const char path[] = "tests/unit/spec/cron_cases"; /* from the root of the checkout */
    SONDE_BUF_AUTO file = SONDE_BUF(1 << 24);
    struct sonde_err err = {0};
    if (sonde_read_file(AT_FDCWD, path, &file, &err) < 0) {
        fail_msg("%s", err.message);
    }
    size_t count = 0;
    struct sonde_str rest = sonde_buf_view(&file);
    while (rest.length > 0) {
        struct sonde_str expected = sonde_str_split(&rest, '\n');
        if (sonde_str_starts(expected, "#")) {
            continue;
        }
        struct sonde_str text = sonde_str_split(&expected, '\t');
        assert_non_null(expected.data);
        check_case(text, expected);
        count++;
    }
    assert_true(count > 200);
}

static void wrong_schedules_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "must have 1 to 256 characters"},
        {"* * * *", "must have five fields (minute hour day month weekday), has 4"},
        {"* * * * * *", "must have five fields (minute hour day month weekday), has 6"},
        {" * * * * *", "must have five fields (minute hour day month weekday), has 5"},
        {"* * * * * ", "must have five fields (minute hour day month weekday), has 5"},
        {"60 * * * *", "the minute must be 0 to 59, is \"60\""},
        {"* 24 * * *", "the hour must be 0 to 23, is \"24\""},
        {"* * 0 * *", "the day of the month must be 1 to 31, is \"0\""},
        {"* * * 13 *", "the month must be 1 to 12 or a name, is \"13\""},
        {"* * * june *", "the month must be 1 to 12 or a name, is \"june\""},
        {"* * * * 8", "the day of the week must be 0 to 7 or a name, is \"8\""},
        {"mon * * * *", "the minute must be 0 to 59, is \"mon\""},
        {"*/0 * * * *", "the step of the minute must be 1 to 59, is \"0\""},
        {"*/ * * * *", "the step of the minute must be 1 to 59, is \"\""},
        {"1-2-3 * * * *", "the minute must be 0 to 59, is \"2-3\""},
        {"5-1 * * * *", "the minute has a range that ends before it begins: 5-1"},
        {"1, * * * *", "the minute must be 0 to 59, is \"\""},
        {"-1 * * * *", "the minute must be 0 to 59, is \"\""},
        {"@often", "must be one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, "
                   "@nightly and @hourly, or five fields"},
        {"TZ=UTC * * * * *", "must have five fields (minute hour day month weekday), has 6"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_cron cron;
        struct sonde_err err = {0};
        assert_int_equal(sonde_cron_parse(sonde_str(cases[i].text), &cron, &err), SONDE_EINVALID);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void thresholds_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sonde_threshold_metric metric;
        const char *tag;
        const char *value;
        enum sonde_threshold_statistic statistic;
        double percentile;
        enum sonde_threshold_operator comparison;
        double number;
    } cases[] = {
        {"http_req_duration: p(99)<250", SONDE_METRIC_DURATION, NULL, NULL,
         SONDE_STATISTIC_PERCENTILE, 99, SONDE_OPERATOR_LESS, 250},
        {"http_req_failed: rate<0.001", SONDE_METRIC_FAILED, NULL, NULL, SONDE_STATISTIC_RATE, 0,
         SONDE_OPERATOR_LESS, 0.001},
        {"http_req_duration{name:one}: p(95)<120", SONDE_METRIC_DURATION, "name", "one",
         SONDE_STATISTIC_PERCENTILE, 95, SONDE_OPERATOR_LESS, 120},
        {"http_req_service:p(99.9) <= 1.5", SONDE_METRIC_SERVICE, NULL, NULL,
         SONDE_STATISTIC_PERCENTILE, 99.9, SONDE_OPERATOR_LESS_EQUAL, 1.5},
        {"http_req_send_lag : max >= 0", SONDE_METRIC_SEND_LAG, NULL, NULL, SONDE_STATISTIC_MAXIMUM,
         0, SONDE_OPERATOR_GREATER_EQUAL, 0},
        {"http_reqs: count > 1000", SONDE_METRIC_REQUESTS, NULL, NULL, SONDE_STATISTIC_COUNT, 0,
         SONDE_OPERATOR_GREATER, 1000},
        {"dropped_requests: count==0", SONDE_METRIC_DROPPED, NULL, NULL, SONDE_STATISTIC_COUNT, 0,
         SONDE_OPERATOR_EQUAL, 0},
        {"dropped_requests: count===0", SONDE_METRIC_DROPPED, NULL, NULL, SONDE_STATISTIC_COUNT, 0,
         SONDE_OPERATOR_EQUAL, 0},
        {"data_received: rate!=0", SONDE_METRIC_DATA_RECEIVED, NULL, NULL, SONDE_STATISTIC_RATE, 0,
         SONDE_OPERATOR_NOT_EQUAL, 0},
        {"http_req_duration: med < 5", SONDE_METRIC_DURATION, NULL, NULL, SONDE_STATISTIC_MEDIAN, 0,
         SONDE_OPERATOR_LESS, 5},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_threshold t;
        struct sonde_err err = {0};
        if (sonde_threshold_parse(sonde_str(cases[i].text), &t, &err) < 0) {
            fail_msg("%s: %s", cases[i].text, err.message);
        }
        assert_int_equal(t.metric, cases[i].metric);
        assert_true(sonde_str_equal(t.tag, sonde_str(cases[i].tag)));
        assert_true(sonde_str_equal(t.tag_value, sonde_str(cases[i].value)));
        assert_int_equal(t.statistic, cases[i].statistic);
        assert_true(t.percentile == cases[i].percentile);
        assert_int_equal(t.comparison, cases[i].comparison);
        assert_true(t.number == cases[i].number);
    }
}

static void wrong_thresholds_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "must have 1 to 256 characters"},
        {"http_req_duraton: p(99)<250",
         "there is no metric \"http_req_duraton\": did you mean http_req_duration?"},
        {"latency: p(99)<250", "there is no metric \"latency\""},
        {"http_req_duration p(99)<250",
         "a colon must stand behind the metric: http_req_duration: …"},
        {"http_req_duration{name}: p(99)<250",
         "what stands in braces must be TAG:VALUE, such as {name:search}"},
        {"http_req_duration{name:one: p(99)<250",
         "what stands in braces must be TAG:VALUE, such as {name:search}"},
        {"http_req_duration{:one}: p(99)<250",
         "what stands in braces must be TAG:VALUE, such as {name:search}"},
        {"http_req_duration: p(99)",
         "a comparison is missing: METRIC: STATISTIC OPERATOR NUMBER, such as http_req_duration: "
         "p(99)<250"},
        {"http_req_duration: p(0)<250", "a percentile must be above 0 and at most 100, is \"0\""},
        {"http_req_duration: p(100.1)<250",
         "a percentile must be above 0 and at most 100, is \"100.1\""},
        {"http_req_duration: p()<250", "a percentile must be above 0 and at most 100, is \"\""},
        {"http_req_duration: p(1e1)<250",
         "a percentile must be above 0 and at most 100, is \"1e1\""},
        {"http_req_duration: p99<250",
         "\"p99\" is none of avg, min, max, med, p(N), count and rate"},
        {"http_req_duration: p(N)<250", "a percentile must be above 0 and at most 100, is \"N\""},
        {"http_req_duration: rate<1",
         "http_req_duration has no rate: it has avg, min, max, med and p(N)"},
        {"http_req_failed: count<1", "http_req_failed has no count: it has rate"},
        {"http_reqs: p(99)<1", "http_reqs has no p(N): it has count and rate"},
        {"http_reqs: count<1s", "\"1s\" is not a plain number"},
        {"http_reqs: count<1e3", "\"1e3\" is not a plain number"},
        {"http_reqs: count<", "\"\" is not a plain number"},
        {"http_reqs: count=1",
         "a comparison is missing: METRIC: STATISTIC OPERATOR NUMBER, such as http_req_duration: "
         "p(99)<250"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_threshold t;
        struct sonde_err err = {0};
        assert_int_equal(sonde_threshold_parse(sonde_str(cases[i].text), &t, &err), SONDE_EINVALID);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void thresholds_are_judged(void **state)
{
    (void)state;
    static const struct {
        enum sonde_threshold_operator comparison;
        bool below, equal, above;
    } cases[] = {
        {SONDE_OPERATOR_LESS, true, false, false},
        {SONDE_OPERATOR_LESS_EQUAL, true, true, false},
        {SONDE_OPERATOR_GREATER, false, false, true},
        {SONDE_OPERATOR_GREATER_EQUAL, false, true, true},
        {SONDE_OPERATOR_EQUAL, false, true, false},
        {SONDE_OPERATOR_NOT_EQUAL, true, false, true},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_threshold t = {.comparison = cases[i].comparison, .number = 5};
        assert_int_equal(sonde_threshold_holds(&t, 4), cases[i].below);
        assert_int_equal(sonde_threshold_holds(&t, 5), cases[i].equal);
        assert_int_equal(sonde_threshold_holds(&t, 6), cases[i].above);
    }
}

/* For each format: texts that it must accept, then texts that it must refuse. */
static const struct {
    const struct sonde_format *format;
    const char *accepted[8];
    const char *refused[10];
} samples[] = {
    {&sonde_format_dns_label, {"a", "a-b", "0", "a--b9"}, {"", "-a", "a-", "A", "a.b", "a_b", "ä"}},
    {&sonde_format_dns_subdomain,
     {"a", "a.b", "a-1.b-2.c"},
     {"", ".a", "a.", "a..b", "a.-b", "A.b"}},
    {&sonde_format_label_key,
     {"a", "A_b.c", "x.io/a", "app.kubernetes.io/name"},
     {"", "/a", "a/", "a/b/c", "X.io/a", "-a", "a b"}},
    {&sonde_format_label_value, {"", "a", "A_b.c-d"}, {"-a", "a-", "a b", "a/b"}},
    {&sonde_format_name, {"a", "A_b.c-d", "9"}, {"", "-a", "a.", "a b", "a:b"}},
    {&sonde_format_identifier, {"a", "_", "A_1"}, {"", "1a", "a-b", "a.b"}},
    {&sonde_format_data_key, {"a", "users.csv", "-._"}, {"", "a/b", "a b"}},
    {&sonde_format_url,
     {"http://a", "https://a.b:80/c?d=e#f", "http://[::1]:3000/", "http://a/"},
     {"", "http://", "ftp://a", "http:///a", "http://u@a", "http://a?b", "http://a/ b",
      "HTTP://a"}},
    {&sonde_format_time,
     {"2026-12-01T00:00:00Z", "2028-02-29T23:59:59Z", "2199-12-31T23:59:59Z"},
     {"", "2026-12-01", "2026-02-29T00:00:00Z", "2026-12-01T24:00:00Z", "2026-12-01T00:00:00+01",
      "2026-12-01T00:00:00.5Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}},
    {&sonde_format_path, {"/", "/a?b={{c}}"}, {"", "a", "/a b", "/ä", "/a\n"}},
    {&sonde_format_header_name, {"X-A", "a!#$%&'*+.^_`|~"}, {"", "a b", "a:", "ä"}},
    {&sonde_format_header_value, {"", "a b: c", "~"}, {"a\nb", "\t", "ä"}},
    {&sonde_format_host, {"a", "*.a.b", "10.0.0.1", "[::1]"}, {"", "a b", "a/b", "a_b"}},
    {&sonde_format_pointer, {"/", "/a/0/~0~1", "//", "/a b"}, {"", "a", "/~", "/~2", "/a~"}},
    {&sonde_format_quantity,
     {"1", "500m", "1.5Gi", "256Mi", "2k"},
     {"", "1.", ".5", "1x", "-1", "1 Gi", "1Mib", "Gi"}},
    {&sonde_format_schedule, {"* * * * *", "@daily", "*/5 1-2 ? jan sun"}, {"", "*", "@", "a b"}},
    {&sonde_format_time_zone,
     {"UTC", "Europe/London", "America/Argentina/Buenos_Aires", "Etc/GMT+5"},
     {"", "Local", "/UTC", "a/", "../etc", "1", "a//b", "a b"}},
    {&sonde_format_threshold,
     {"http_reqs: count>1", "http_req_duration{name:a.b-c_1}: p(99.9) <= 2 "},
     {"", "http_reqs", "http_reqs: p(1)>1", "http_reqs: count>a", " http_reqs: count>1"}},
    {&sonde_format_one_line, {"", "a b", "ä", "~"}, {"a\nb", "\t", "\x7f", "\x01"}},
};

/* What ECMAScript, and so an editor that reads the definitions, takes for something else. */
static void patterns_are_alike_everywhere(void **state)
{
    (void)state;
    static const char *const strange[] = {"[]", "[^]", "[[", "[:", "[.", "[=", "(?", "\\<", "\\b"};
    size_t count;
    const struct sonde_format *const *formats = sonde_formats(&count);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < SONDE_LENGTH(strange); j++) {
            if (strstr(formats[i]->pattern, strange[j])) {
                fail_msg("%s: %s has %s", formats[i]->words, formats[i]->pattern, strange[j]);
            }
        }
    }
}

static bool matches(const regex_t *regex, const char *text)
{
    return regexec(regex, text, 0, NULL, 0) == 0;
}

static void check_both(const struct sonde_format *format, const regex_t *regex, const char *text)
{
    bool accepted = format->check(sonde_str(text));
    bool matched = matches(regex, text);
    if (accepted != matched && (accepted || format->exact)) {
        fail_msg("\"%s\" (%s): the function says %d, the pattern %d", text, format->words, accepted,
                 matched);
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13; /* xorshift64, Marsaglia 2003 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Words that get far into each syntax, glued at random. */
static void make_text(uint64_t *random, char *text, size_t size)
{
    static const char *const pieces[] = {
        "a",    "B",         "0",     "9",        "-",     "_",   ".",
        "/",    ":",         "*",     "?",        "@",     " ",   ",",
        "~0",   "~",         "http",  "s",        "://",   "{",   "}",
        "{{",   "p(",        "99",    ")",        "<",     "=",   ">",
        "rate", "http_reqs", "count", "jan",      "Mi",    "UTC", "[",
        "]",    "+",         "\n",    "\xc3\xa4", "\x7f",  "m",   "(",
        "!",    "|",         "#",     "max",      "daily", "1",   "http_req_duration",
        "name",
    };
    size_t length = 0;
    text[0] = '\0';
    for (uint64_t count = next_random(random) % 9; count > 0; count--) {
        const char *piece = pieces[next_random(random) % SONDE_LENGTH(pieces)];
        length += (size_t)snprintf(text + length, size - length, "%s", piece);
    }
}

/* Also with one byte of a good sample changed. */
static void mutate(uint64_t *random, const char *sample, char *text, size_t size)
{
    static const char bytes[] = "aZ09-_./:*?@ ,~{}()<>=[]+\n|#!%m";
    size_t length = (size_t)snprintf(text, size, "%s", sample);
    if (length > 0) {
        text[next_random(random) % length] = bytes[next_random(random) % (sizeof(bytes) - 1)];
    }
}

static void functions_and_patterns_agree(void **state)
{
    (void)state;
    enum { ROUNDS = 20000, SEED = 20260901 };
    size_t count;
    (void)sonde_formats(&count);
    assert_int_equal(count, SONDE_LENGTH(samples));
    for (size_t i = 0; i < count; i++) {
        const struct sonde_format *format = samples[i].format;
        regex_t regex;
        assert_int_equal(regcomp(&regex, format->pattern, REG_EXTENDED | REG_NOSUB), 0);
        size_t good = 0;
        for (; good < SONDE_LENGTH(samples[i].accepted) && samples[i].accepted[good]; good++) {
            const char *text = samples[i].accepted[good];
            if (!format->check(sonde_str(text)) || !matches(&regex, text)) {
                fail_msg("\"%s\" is not %s", text, format->words);
            }
        }
        for (size_t j = 0; j < SONDE_LENGTH(samples[i].refused) && samples[i].refused[j]; j++) {
            if (format->check(sonde_str(samples[i].refused[j]))) {
                fail_msg("\"%s\" is %s", samples[i].refused[j], format->words);
            }
            check_both(format, &regex, samples[i].refused[j]);
        }
        uint64_t random = SEED + i;
        for (size_t round = 0; round < ROUNDS; round++) {
            char text[256];
            if (round % 2) {
                make_text(&random, text, sizeof(text));
            } else {
                mutate(&random, samples[i].accepted[next_random(&random) % good], text,
                       sizeof(text));
            }
            check_both(format, &regex, text);
        }
        regfree(&regex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules_become_masks),
        cmocka_unit_test(schedules_mean_what_they_mean_for_a_cronjob),
        cmocka_unit_test(wrong_schedules_say_why),
        cmocka_unit_test(thresholds_are_understood),
        cmocka_unit_test(wrong_thresholds_say_why),
        cmocka_unit_test(thresholds_are_judged),
        cmocka_unit_test(patterns_are_alike_everywhere),
        cmocka_unit_test(functions_and_patterns_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
