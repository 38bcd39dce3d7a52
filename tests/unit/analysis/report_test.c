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

enum { REPORT_MAX = 4 << 20, COLUMNS = 100 };

#define APP "file:///srv/clinic/routes/visits.js"
#define EVIL                                                                                       \
    "evil\x1b[31m\x07\xc2\x9b"                                                                     \
    "2Jname"

struct reported {
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
    struct sonde_report_capture capture;
    struct sonde_report report;
};

static void make(struct reported *r, const struct row *rows, size_t count)
{
    uint32_t nodes[ROWS_MAX];
    struct row bare[ROWS_MAX];
    for (size_t i = 0; i < count; i++) {
        bare[i] = rows[i];
        bare[i].self_us = 0;
    }
    assert_int_equal(sonde_profile_init(&r->profile, NULL), 0);
    add_rows(&r->profile, bare, count, nodes);
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < 20 && rows[i].self_us; k++) {
            add_time(&r->profile, nodes[i], rows[i].self_us / 20);
        }
    }
    r->profile.windows = 3;
    assert_int_equal(sonde_cpu_analyze(&r->profile, &r->analysis, NULL), 0);
    r->capture = (struct sonde_report_capture){
        .name = "cpu", .duration_s = 30, .profile = &r->profile, .analysis = &r->analysis};
    r->report = (struct sonde_report){
        .name = "slow-patients",
        .uid = "0f7b1d3e-8a52-4f6e-9c1d-2b3a4c5d6e7f",
        .state = "Succeeded",
        .reason = "Completed",
        .message = "",
        .created = "2026-01-31T12:34:56.789Z",
        .target = "process 4711",
        .node_version = "v22.23.3",
        .directory = "/srv/clinic",
        .captures = &r->capture,
        .capture_count = 1,
        .cost = {true, 180.5, 31.25, 12.5, 7.5, 2, 3.25, 4.5, 4.5, 1234567, 0},
        .loop = {true, 1.5, 1.25, 20.5, 80.25, 0.625},
    };
}

static void done(struct reported *r)
{
    sonde_cpu_analysis_fini(&r->analysis);
    sonde_profile_fini(&r->profile);
}

static const struct row example[] = {
    {"listOnTimeout", "node:internal/timers", 500, -1, 20000},
    {"loadVisits", APP, 41, 0, 400000},
    {"findAll", "file:///srv/clinic/node_modules/sequelize/lib/model.js", 1200, 1, 300000},
    {EVIL, "file:///srv/clinic/node_modules/mysql2/lib/\x1b[2J.js", 7, 2, 80000},
    {"aFunctionNameThatIsMuchLongerThanTheColumnThatItStandsIn",
     "file:///srv/clinic/a/very/deep/directory/of/many/levels/in/which/code/is/kept/file.js",
     123456, 0, 100000},
    {"(garbage collector)", "", 0, -1, 50000},
    {"(program)", "", 0, -1, 10000},
    {"(idle)", "", 0, -1, 1000000},
};

static void assert_tidy(const struct sonde_buf *text)
{
    size_t column = 0;
    assert_int_equal(text->code, 0);
    assert_true(sonde_utf8_valid(sonde_buf_view(text)));
    for (size_t i = 0; i < text->length; i++) {
        unsigned char c = (unsigned char)text->data[i];
        if (c == '\n') {
            if (i && text->data[i - 1] == ' ') {
                fail_msg("a line ends in a space:\n%.*s", (int)i, text->data);
            }
            column = 0;
            continue;
        }
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text->data[i + 1] < 0xa0)) {
            fail_msg("the control character %02x at %zu", c, i);
        }
        column += (c & 0xc0) != 0x80;
        if (column > COLUMNS) {
            fail_msg("a line is too long:\n%.*s", (int)i, text->data);
        }
    }
    assert_int_equal(text->data[text->length - 1], '\n');
}

static void assert_says(const struct sonde_buf *text, const char *const *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!strstr(text->data, wanted[i])) {
            fail_msg("the report lacks '%s':\n%s", wanted[i], text->data);
        }
    }
}

static void the_text_names_the_line_and_its_cost(void **state)
{
    (void)state;
    struct reported r;
    make(&r, example, SONDE_LENGTH(example));
    assert_int_equal(sonde_profile_add_ticks(&r.profile, 2, 47, 9, NULL), 0);
    sonde_cpu_analysis_fini(&r.analysis);
    assert_int_equal(sonde_cpu_analyze(&r.profile, &r.analysis, NULL), 0);
    SONDE_BUF_AUTO text = SONDE_BUF(REPORT_MAX);
    sonde_report_text(&r.report, &text);
    assert_tidy(&text);
    static const char *const wanted[] = {
        "slow-patients",
        "0f7b1d3e",
        "process 4711, Node.js v22.23.3\n",
        "cpu: 30.0 s in 3 windows, 160 samples",
        "81 % of the busy time is spent in loadVisits",
        "routes/visits.js:4", /* relative to the target's directory */
        "41.7 %   81.2 %  loadVisits",
        "100 % in line 47",
        "busy 49.0 % of the time",
        "collection 5.2 %",
        "sequelize 31.2 %",
        "mysql2 8.3 %",
        "62 % utilized",
        "p99 20.5 ms",
        "longest 80.2 ms",
        "12.5 ms at the start",
        "2 rotations",
        "1.2 MB",
    };
    assert_says(&text, wanted, SONDE_LENGTH(wanted));
    assert_null(strstr(text.data, "/srv/clinic/routes"));
    done(&r);
}

/* "most of it" of the longest stretch is more than half of it. */
static void the_longest_stretch_names_its_largest_part(void **state)
{
    (void)state;
    static const struct row rows[] = {{"a", APP, 1, -1, 40000},
                                      {"b", APP, 2, -1, 35000},
                                      {"c", APP, 3, -1, 25000},
                                      {"(idle)", "", 0, -1, 100000},
                                      {"d", APP, 4, -1, 20000}};
    struct reported r;
    make(&r, rows, SONDE_LENGTH(rows));
    SONDE_BUF_AUTO text = SONDE_BUF(REPORT_MAX);
    sonde_report_text(&r.report, &text);
    static const char *const wanted[] = {
        "longest stretch without idling: 100.0 ms at 0.0 s, 40 % of it in a\n"};
    assert_says(&text, wanted, SONDE_LENGTH(wanted));
    SONDE_BUF_AUTO json = SONDE_BUF(REPORT_MAX);
    sonde_report_json(&r.report, &json);
    SONDE_JSON_AUTO *parsed = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &parsed, NULL), 0);
    const cJSON *capture = cJSON_GetArrayItem(cJSON_GetObjectItem(parsed, "captures"), 0);
    const cJSON *stall = cJSON_GetArrayItem(cJSON_GetObjectItem(capture, "stalls"), 0);
    assert_int_equal(sonde_json_integer_or(stall, "samples", 0), 60);
    assert_true(sonde_json_number_or(stall, "functionShare", 0) == 0.4);

    /* of a sample or two, nobody knows what lies between them */
    r.analysis.stalls[0].samples = 2;
    SONDE_BUF_AUTO coarse = SONDE_BUF(REPORT_MAX);
    sonde_report_text(&r.report, &coarse);
    assert_null(strstr(coarse.data, "longest stretch"));
    done(&r);
}

static void a_run_without_a_profile_says_why(void **state)
{
    (void)state;
    struct sonde_report report = {
        .name = "x\x1b]0;title\x07",
        .uid = "0f7b1d3e-8a52-4f6e-9c1d-2b3a4c5d6e7f",
        .state = "Failed",
        .reason = "InspectorBusy",
        .message = "process 7 already has an inspector on port 9229 that belongs to somebody else, "
                   "and this is a long story that does not fit into a line of a terminal window.",
        .created = "2026-01-31T12:34:56.789Z",
        .target = "process 7",
        .node_version = "",
        .directory = "",
    };
    SONDE_BUF_AUTO text = SONDE_BUF(REPORT_MAX);
    sonde_report_text(&report, &text);
    assert_tidy(&text);
    static const char *const wanted[] = {"Failed", "InspectorBusy", "9229", "process 7"};
    assert_says(&text, wanted, SONDE_LENGTH(wanted));
    SONDE_BUF_AUTO json = SONDE_BUF(REPORT_MAX);
    sonde_report_json(&report, &json);
    SONDE_JSON_AUTO *parsed = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &parsed, NULL), 0);
    assert_string_equal(sonde_json_string_or(parsed, "reason", ""), "InspectorBusy");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(parsed, "captures")), 0);
    assert_null(cJSON_GetObjectItem(parsed, "cost"));
}

static void every_healthy_or_hostile_text_is_tidy(void **state)
{
    (void)state;
    char name[2000];
    for (size_t i = 0; i + 2 < sizeof(name); i += 2) {
        memcpy(name + i, "\xc3\xa9", 2); /* é */
    }
    name[sizeof(name) - 2] = '\0';
    const struct row healthy[] = {{"f", APP, 1, -1, 1000}, {"(idle)", "", 0, -1, 900000}};
    const struct row hostile[] = {{name, name, 2147483647, -1, 400000},
                                  {EVIL, "file:///srv/clinic", 1, 0, 500000},
                                  {name, "node:fs", 1, 0, 900000},
                                  {"", "", 0, 0, 100000}};
    struct reported r;
    for (int i = 0; i < 2; i++) {
        make(&r, i ? hostile : healthy, i ? SONDE_LENGTH(hostile) : SONDE_LENGTH(healthy));
        SONDE_BUF_AUTO text = SONDE_BUF(REPORT_MAX);
        sonde_report_text(&r.report, &text);
        assert_tidy(&text);
        done(&r);
    }
}

static const cJSON *item_named(const cJSON *list, const char *member, const char *value)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (strcmp(sonde_json_string_or(item, member, ""), value) == 0) {
            return item;
        }
    }
    fail_msg("no item with %s %s", member, value);
    return NULL;
}

static bool is_near(double value, double expected)
{
    double difference = value - expected;
    return difference < 1e-5 && difference > -1e-5;
}

static void the_json_has_the_numbers(void **state)
{
    (void)state;
    struct reported r;
    make(&r, example, SONDE_LENGTH(example));
    SONDE_BUF_AUTO text = SONDE_BUF(REPORT_MAX);
    sonde_report_json(&r.report, &text);
    SONDE_JSON_AUTO *json = NULL;
    struct sonde_err err = {0};
    assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &json, &err), 0);
    assert_string_equal(sonde_json_string_or(json, "name", ""), "slow-patients");
    assert_string_equal(sonde_json_string_or(json, "directory", ""), "/srv/clinic");

    const cJSON *capture = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "captures"), 0);
    assert_string_equal(sonde_json_string_or(capture, "name", ""), "cpu");
    assert_int_equal(sonde_json_integer_or(capture, "windows", 0), 3);
    assert_int_equal(sonde_json_integer_or(capture, "samples", 0), 160);
    assert_true(is_near(sonde_json_number_or(capture, "busyShare", 0), 960.0 / 1960));

    const cJSON *load =
        item_named(cJSON_GetObjectItem(capture, "functions"), "function", "loadVisits");
    assert_string_equal(sonde_json_string_or(load, "url", ""), APP); /* whole, unlike in the text */
    assert_int_equal(sonde_json_integer_or(load, "line", 0), 41);
    assert_string_equal(sonde_json_string_or(load, "category", ""), "app");
    assert_true(is_near(sonde_json_number_or(load, "selfShare", 0), 400.0 / 960));
    assert_true(is_near(sonde_json_number_or(load, "totalShare", 0), 780.0 / 960));
    assert_true(is_near(sonde_json_number_or(load, "selfMilliseconds", 0), 400));
    (void)item_named(cJSON_GetObjectItem(capture, "functions"), "function", EVIL);

    const cJSON *package =
        item_named(cJSON_GetObjectItem(capture, "packages"), "name", "sequelize");
    assert_true(is_near(sonde_json_number_or(package, "selfShare", 0), 300.0 / 960));
    const cJSON *finding =
        item_named(cJSON_GetObjectItem(capture, "findings"), "kind", "hot-function");
    assert_string_equal(sonde_json_string_or(finding, "tool", ""), "cpu");
    const cJSON *where = cJSON_GetArrayItem(cJSON_GetObjectItem(finding, "where"), 0);
    assert_string_equal(sonde_json_string_or(where, "function", ""), "loadVisits");
    assert_int_equal(sonde_json_integer_or(where, "line", 0), 41);
    const cJSON *evidence = cJSON_GetObjectItem(finding, "evidence");
    const cJSON *share = cJSON_GetObjectItem(evidence, "busyShare");
    assert_true(is_near(sonde_json_number_or(share, "value", 0), 780.0 / 960));
    assert_string_equal(sonde_json_string_or(share, "unit", ""), "share");
    const cJSON *cost = cJSON_GetObjectItem(json, "cost");
    assert_true(is_near(sonde_json_number_or(cost, "rotationStallP99Milliseconds", 0), 4.5));
    assert_int_equal(sonde_json_integer_or(cost, "bytes", 0), 1234567);
    const cJSON *loop = cJSON_GetObjectItem(json, "eventLoop");
    assert_true(is_near(sonde_json_number_or(loop, "utilization", 0), 0.625));
    done(&r);
}

static void places_are_relative_to_the_directory(void **state)
{
    (void)state;
    static const struct {
        const char *directory, *file;
        int32_t line;
        const char *place;
    } rows[] = {
        {"/srv/clinic", "file:///srv/clinic/a.js", 3, "a.js:3"},
        {"/srv/clinic", "/srv/clinic/b/a.js", 3, "b/a.js:3"},
        {"/srv/clinic", "file:///srv/clinic2/a.js", 3, "/srv/clinic2/a.js:3"},
        {"/srv/clinic", "file:///srv/clinic", 3, "/srv/clinic:3"},
        {"/", "file:///a.js", 3, "/a.js:3"},
        {"", "file:///srv/a.js", 3, "/srv/a.js:3"},
        {"/srv", "node:fs", 3, "node:fs:3"},
        {"/srv", "node:fs", 0, "node:fs"},
        {"/srv", "", 5, ""},
        {"/srv", "/srv/a\nb.js", 1, "a?b.js:1"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        SONDE_BUF_AUTO text = SONDE_BUF(1000);
        sonde_report_place(rows[i].directory, sonde_str(rows[i].file), rows[i].line, &text);
        if (!sonde_str_is(sonde_buf_view(&text), rows[i].place)) {
            fail_msg("%s in %s is %s", rows[i].file, rows[i].directory, text.data);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_names_the_line_and_its_cost),
        cmocka_unit_test(the_longest_stretch_names_its_largest_part),
        cmocka_unit_test(a_run_without_a_profile_says_why),
        cmocka_unit_test(every_healthy_or_hostile_text_is_tidy),
        cmocka_unit_test(the_json_has_the_numbers),
        cmocka_unit_test(places_are_relative_to_the_directory),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
