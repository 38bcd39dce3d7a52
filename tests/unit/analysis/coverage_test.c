/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "analysis/report.h"
#include "codec/json.h"

#define RANGE(start, end, count)                                                                   \
    "{\"startOffset\":" #start ",\"endOffset\":" #end ",\"count\":" #count "}"
#define FUNCTION(name, ranges) "{\"functionName\":\"" name "\",\"ranges\":[" ranges "]}"

static const char example[] =
    "{\"result\":[{\"url\":\"file:///srv/clinic/a.js\",\"functions\":[" FUNCTION("", RANGE(0, 300, 1)) "," FUNCTION(
        "often",
        RANGE(10, 50, 900) "," RANGE(20, 30, 0) "," RANGE(
            40, 45,
            0)) "," FUNCTION("never",
                             RANGE(
                                 60, 90,
                                 0)) "," FUNCTION("longer",
                                                  RANGE(
                                                      100, 190,
                                                      0)) "]},"
                                                          "{\"url\":\"node:fs\",\"functions\":"
                                                          "[" FUNCTION("readSync", RANGE(0, 9, 5000)) "," FUNCTION(
                                                              "unused",
                                                              RANGE(
                                                                  10, 5000,
                                                                  0)) "]},"
                                                                      "{\"url\":\"file:///srv/"
                                                                      "clinic/node_modules/x/"
                                                                      "i.js\",\"functions\":"
                                                                      "[" FUNCTION(
                                                                          "x",
                                                                          RANGE(
                                                                              0, 9000,
                                                                              0)) "]},"
                                                                                  "{\"url\":\"\","
                                                                                  "\"functions\":"
                                                                                  "[" FUNCTION(
                                                                                      "eval",
                                                                                      RANGE(
                                                                                          0, 9000,
                                                                                          0)) "]}],"
                                                                                              "\"so"
                                                                                              "urce"
                                                                                              "-map"
                                                                                              "-cac"
                                                                                              "he\""
                                                                                              ":{"
                                                                                              "\"fi"
                                                                                              "le:/"
                                                                                              "//"
                                                                                              "srv/"
                                                                                              "clin"
                                                                                              "ic/"
                                                                                              "a."
                                                                                              "js\""
                                                                                              ":{"
                                                                                              "\"li"
                                                                                              "neLe"
                                                                                              "ngth"
                                                                                              "s\":"
                                                                                              "[9,"
                                                                                              "39,"
                                                                                              "49,"
                                                                                              "90]}"
                                                                                              "}}";

struct reported {
    struct sonde_coverage coverage;
    struct sonde_coverage_analysis analysis;
    struct sonde_report_capture capture;
    struct sonde_report report;
};

static void make(struct reported *r, const char *text)
{
    struct sonde_coverage_reader *reader = NULL;
    sonde_coverage_init(&r->coverage);
    assert_int_equal(sonde_coverage_reader_new(&r->coverage, &reader, NULL), 0);
    assert_int_equal(sonde_coverage_feed(reader, text, strlen(text), NULL), 0);
    assert_int_equal(sonde_coverage_finish(reader, NULL), 0);
    sonde_coverage_reader_free(reader);
    assert_int_equal(sonde_coverage_analyze(&r->coverage, &r->analysis, NULL), 0);
    r->capture = (struct sonde_report_capture){.name = "coverage", .coverage = &r->analysis};
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
    };
}

static void done(struct reported *r)
{
    sonde_coverage_analysis_fini(&r->analysis);
    sonde_coverage_fini(&r->coverage);
}

/* Of Node.js, packages and what has no place, nothing is listed. */
static void only_the_applications_own_code_counts(void **state)
{
    (void)state;
    struct reported r;
    make(&r, example);
    assert_int_equal(r.analysis.scripts, 1);
    assert_int_equal(r.analysis.functions, 4);
    assert_int_equal(r.analysis.called, 2);
    assert_int_equal(r.analysis.never_count, 2);
    assert_true(sonde_str_is(r.coverage.functions[r.analysis.never[0]].name, "longer"));
    assert_true(sonde_str_is(r.coverage.functions[r.analysis.hottest[0]].name, "often"));
    assert_int_equal(r.analysis.block_count, 2);
    assert_int_equal(r.analysis.blocks[0].start, 20);
    /* 300 characters, of which "never" has 30, "longer" 90, and two stretches 15. */
    assert_int_equal(r.analysis.file_count, 1);
    assert_int_equal(r.analysis.files[0].characters, 300);
    assert_int_equal(r.analysis.files[0].executed, 165);
    assert_int_equal(r.analysis.files[0].functions, 4);
    assert_int_equal(r.analysis.files[0].called, 2);
    assert_int_equal(r.analysis.executed, 165);
    done(&r);
}

static void the_report_says_what_never_ran_and_what_ran_most(void **state)
{
    (void)state;
    struct reported r;
    make(&r, example);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_report_text(&r.report, &text);
    static const char *const wanted[] = {
        "\ncoverage: 2 of 4 functions of yours were called, in 1 script\n",
        "  * 2 of 4 functions of yours were never called, the longest of them longer\n",
        "\n    at a.js:4\n",
        "  * often was called 900 times\n    at a.js:2\n",
        "       900  often                           a.js:2\n",
        "        90  longer                          a.js:4\n",
        "        30  never                           a.js:3\n",
        "never reached inside of functions that were called\n",
        "        10  often                           a.js:2\n",
        "your files, the most code that never ran first\n",
        "    55.0 %            2 of 4  a.js\n",
    };
    for (size_t i = 0; i < SONDE_LENGTH(wanted); i++) {
        if (!strstr(text.data, wanted[i])) {
            fail_msg("'%s' is not in\n%s", wanted[i], text.data);
        }
    }
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 20);
    sonde_report_json(&r.report, &json);
    SONDE_JSON_AUTO *root = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &root, NULL), 0);
    const cJSON *item = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "captures"), 0);
    assert_string_equal(sonde_json_string_or(item, "type", ""), "Coverage");
    assert_int_equal(sonde_json_integer_or(item, "functionCount", 0), 4);
    assert_int_equal(sonde_json_integer_or(item, "calledCount", 0), 2);
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(item, "mostCalled"), 0);
    assert_int_equal(sonde_json_integer_or(first, "count", 0), 900);
    assert_int_equal(sonde_json_integer_or(first, "line", 0), 2);
    const cJSON *block = cJSON_GetArrayItem(cJSON_GetObjectItem(item, "neverReached"), 1);
    assert_int_equal(sonde_json_integer_or(block, "start", 0), 40);
    assert_int_equal(sonde_json_integer_or(block, "lastLine", 0), 2);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(item, "neverCalled")), 2);
    const cJSON *file = cJSON_GetArrayItem(cJSON_GetObjectItem(item, "files"), 0);
    assert_int_equal(sonde_json_integer_or(file, "executedCharacters", 0), 165);
    done(&r);
}

static void nothing_known_is_said(void **state)
{
    (void)state;
    struct reported r;
    make(&r, "{\"result\":[]}");
    assert_int_equal(r.analysis.finding_count, 1);
    assert_string_equal(r.analysis.findings[0].kind, "nothing-measured");
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_report_text(&r.report, &text);
    assert_non_null(strstr(text.data, "nothing was measured"));
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_applications_own_code_counts),
        cmocka_unit_test(the_report_says_what_never_ran_and_what_ran_most),
        cmocka_unit_test(nothing_known_is_said),
    };
    return cmocka_run_group_tests_name("coverage_analysis", tests, NULL, NULL);
}
