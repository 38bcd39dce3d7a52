/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "analysis/report.h"
#include "codec/json.h"
#include "tree.h"

#define APP "file:///srv/clinic/routes/visits.js"
#define MYSQL "file:///srv/clinic/node_modules/mysql2/lib/packet.js"
#define MB 1000000

struct analyzed {
    struct sonde_profile profile;
    struct sonde_allocation_analysis analysis;
};

/* Rows whose amounts are bytes, of 100 samples each. */
static void analyze(struct analyzed *a, const struct row *rows, size_t count, bool collected)
{
    uint32_t nodes[ROWS_MAX];
    struct row bare[ROWS_MAX];
    for (size_t i = 0; i < count; i++) {
        bare[i] = rows[i];
        bare[i].self_us = 0;
    }
    assert_int_equal(sonde_profile_init(&a->profile, NULL), 0);
    assert_int_equal(sonde_profile_set_unit(&a->profile, SONDE_PROFILE_BYTES, NULL), 0);
    add_rows(&a->profile, bare, count, nodes);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].self_us) {
            assert_int_equal(
                sonde_profile_add_amount(&a->profile, nodes[i], rows[i].self_us, 100, NULL), 0);
        }
    }
    a->profile.windows = 1;
    a->profile.collected = collected;
    assert_int_equal(sonde_allocations_analyze(&a->profile, &a->analysis, NULL), 0);
}

static void done(struct analyzed *a)
{
    sonde_allocation_analysis_fini(&a->analysis);
    sonde_profile_fini(&a->profile);
}

static const struct sonde_finding *finding_of(const struct analyzed *a, const char *kind)
{
    for (size_t i = 0; i < a->analysis.finding_count; i++) {
        if (strcmp(a->analysis.findings[i].kind, kind) == 0) {
            return &a->analysis.findings[i];
        }
    }
    fail_msg("no finding %s", kind);
    return NULL;
}

static const struct row example[] = {
    {"loadVisits", APP, 41, -1, 2 * MB}, {"parse", "", 0, 0, 6 * MB},
    {"remember", APP, 80, 0, 4 * MB},    {"row", MYSQL, 7, -1, 5 * MB},
    {"emit", "node:events", 1, -1, MB},  {"read", "", 0, 4, 2 * MB},
};

static void the_function_that_answers_is_named(void **state)
{
    (void)state;
    struct analyzed a;
    analyze(&a, example, SONDE_LENGTH(example), false);
    assert_int_equal(a.analysis.table.whole, 20 * MB);
    const struct sonde_finding *hot = &a.analysis.findings[0];
    assert_string_equal(hot->kind, "hot-allocation");
    assert_string_equal(hot->title,
                        "40 % of what was allocated and is still in use (8.00 MB) comes "
                        "from loadVisits, most of it in parse");
    assert_true(sonde_str_is(hot->file, APP));
    assert_int_equal(hot->line, 41);
    assert_non_null(strstr(hot->advice, "leak"));
    assert_string_equal(hot->evidence[0].name, "share");
    assert_float_equal(hot->evidence[0].value, 0.4, 1e-9);
    assert_float_equal(hot->evidence[2].value, 8 * MB, 0.5);
    assert_string_equal(finding_of(&a, "hot-package")->title,
                        "25 % of what was allocated and is still in use (5.00 MB) comes from "
                        "callbacks of the package mysql2");
    assert_string_equal(finding_of(&a, "hot-runtime")->title,
                        "15 % of what was allocated and is still in use (3.00 MB) is Node.js's and "
                        "V8's own, called by no function of yours: most of it in read");
    done(&a);
}

/* Nothing is said of a leak where collected objects count too. */
static void all_allocations_are_called_so(void **state)
{
    (void)state;
    struct analyzed a;
    analyze(&a, example, SONDE_LENGTH(example), true);
    const struct sonde_finding *hot = finding_of(&a, "hot-allocation");
    assert_non_null(strstr(hot->title, "40 % of what was allocated (8.00 MB) comes from"));
    assert_null(strstr(hot->advice, "leak"));
    assert_non_null(strstr(hot->advice, "garbage collector"));
    done(&a);
}

static void little_is_no_finding(void **state)
{
    (void)state;
    static const struct row little[] = {{"f", APP, 1, -1, 999999}};
    static const struct row nothing[] = {{"f", APP, 1, -1, 0}};
    struct analyzed a;
    analyze(&a, little, 1, false);
    assert_int_equal(a.analysis.finding_count, 1);
    assert_string_equal(a.analysis.findings[0].kind, "healthy");
    assert_non_null(strstr(a.analysis.findings[0].title, "little is left"));
    done(&a);
    analyze(&a, little, 1, true);
    assert_non_null(strstr(a.analysis.findings[0].title, "little was allocated"));
    done(&a);
    analyze(&a, nothing, 1, false);
    assert_string_equal(a.analysis.findings[0].kind, "nothing-measured");
    done(&a);
}

static void many_small_ones_are_no_finding(void **state)
{
    (void)state;
    struct row rows[60];
    char names[60][8];
    for (int i = 0; i < 60; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "f%d", i);
        rows[i] = (struct row){names[i], APP, i + 1, -1, MB};
    }
    struct analyzed a;
    analyze(&a, rows, 60, false);
    assert_int_equal(a.analysis.finding_count, 1);
    assert_string_equal(a.analysis.findings[0].kind, "healthy");
    assert_non_null(strstr(a.analysis.findings[0].title, "nothing stands out"));
    done(&a);
}

static void bytes_are_said_in_three_digits(void **state)
{
    (void)state;
    static const struct {
        int64_t bytes;
        const char *said;
    } rows[] = {
        {0, "0 B"},           {999, "999 B"},         {1000, "1.00 kB"},  {1234, "1.23 kB"},
        {12345, "12.3 kB"},   {123456, "123 kB"},     {999499, "999 kB"}, {999500, "1.00 MB"},
        {9999999, "10.0 MB"}, {INT64_MAX, "9.22 EB"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        char said[SONDE_BYTES_SIZE];
        assert_string_equal(sonde_bytes_say(rows[i].bytes, said), rows[i].said);
    }
}

/* ---- the report ---- */

static void make_report(const struct analyzed *a, struct sonde_report_capture *capture,
                        struct sonde_report *ret)
{
    *capture = (struct sonde_report_capture){
        .name = "heap", .profile = &a->profile, .allocations = &a->analysis};
    *ret = (struct sonde_report){
        .name = "slow-patients",
        .uid = "0f7b1d3e-8a52-4f6e-9c1d-2b3a4c5d6e7f",
        .state = "Succeeded",
        .reason = "Completed",
        .message = "",
        .created = "2026-01-31T12:34:56.789Z",
        .target = "process 4711",
        .node_version = "v22.23.3",
        .directory = "/srv/clinic",
        .captures = capture,
        .capture_count = 1,
    };
}

static void the_text_has_bytes_and_shares(void **state)
{
    (void)state;
    struct analyzed a;
    struct sonde_report_capture capture;
    struct sonde_report report;
    analyze(&a, example, SONDE_LENGTH(example), false);
    make_report(&a, &capture, &report);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_report_text(&report, &text);
    assert_int_equal(text.code, 0);
    static const char *const wanted[] = {
        "\nheap: 20.0 MB allocated and still in use, 600 samples\n",
        "    at routes/visits.js:41\n",
        "\nby what it allocates itself\n    bytes     self    total  function\n",
        "  6.00 MB   30.0 %   30.0 %  parse                           for loadVisits visits.js",
        "\nby what is allocated in it and below, your code\n",
        "  12.0 MB   10.0 %   60.0 %  loadVisits                      routes/visits.js:41\n",
        "allocated by native 40.0 %, app 30.0 %, dependency 25.0 %, node 5.0 %\n",
        "packages: mysql2 25.0 %\n",
    };
    for (size_t i = 0; i < SONDE_LENGTH(wanted); i++) {
        if (!strstr(text.data, wanted[i])) {
            fail_msg("'%s' is not in\n%s", wanted[i], text.data);
        }
    }
    assert_null(strstr(text.data, "busy"));
    assert_null(strstr(text.data, "self time"));
    done(&a);
}

static void the_json_has_the_bytes(void **state)
{
    (void)state;
    struct analyzed a;
    struct sonde_report_capture capture;
    struct sonde_report report;
    analyze(&a, example, SONDE_LENGTH(example), true);
    make_report(&a, &capture, &report);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_report_json(&report, &text);
    SONDE_JSON_AUTO *json = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &json, NULL), 0);
    const cJSON *item = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "captures"), 0);
    assert_string_equal(sonde_json_string_or(item, "type", ""), "HeapProfile");
    assert_int_equal(sonde_json_integer_or(item, "bytes", -1), 20 * MB);
    assert_int_equal(sonde_json_integer_or(item, "samples", -1), 600);
    assert_true(sonde_json_true(item, "collected"));
    assert_null(cJSON_GetObjectItem(item, "busyShare"));
    assert_null(cJSON_GetObjectItem(item, "durationSeconds"));
    assert_null(cJSON_GetObjectItem(item, "stalls"));
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(item, "functions"), 0);
    assert_string_equal(sonde_json_string_or(first, "function", ""), "parse");
    assert_int_equal(sonde_json_integer_or(first, "selfBytes", -1), 6 * MB);
    assert_int_equal(sonde_json_integer_or(first, "totalBytes", -1), 6 * MB);
    assert_int_equal(sonde_json_integer_or(first, "samples", -1), 100);
    assert_float_equal(sonde_json_number_or(first, "selfShare", -1), 0.3, 1e-6);
    assert_string_equal(sonde_json_string_or(first, "caller", ""), "loadVisits");
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(item, "findings")) >= 3);
    done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_function_that_answers_is_named),
        cmocka_unit_test(all_allocations_are_called_so),
        cmocka_unit_test(little_is_no_finding),
        cmocka_unit_test(many_small_ones_are_no_finding),
        cmocka_unit_test(bytes_are_said_in_three_digits),
        cmocka_unit_test(the_text_has_bytes_and_shares),
        cmocka_unit_test(the_json_has_the_bytes),
    };
    return cmocka_run_group_tests_name("allocations", tests, NULL, NULL);
}
