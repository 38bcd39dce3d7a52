/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/base64.h"
#include "codec/compress.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "results/page.h"

enum { PAGE_MAX = 4 << 20 };

#define APP "file:///srv/app/visits.js"
#define EVIL "</script><script>alert(1)</script>\x01\xe2\x80\xae\"\\"

struct reported {
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
    struct sonde_report_capture capture;
    struct sonde_report report;
};

static uint32_t add(struct sonde_profile *profile, uint32_t parent, const char *function,
                    const char *url, int64_t duration_us)
{
    uint32_t frame;
    uint32_t node;
    assert_int_equal(
        sonde_profile_frame(profile, sonde_str(function), sonde_str(url), 41, 3, &frame, NULL), 0);
    assert_int_equal(sonde_profile_node(profile, parent, frame, &node, NULL), 0);
    assert_int_equal(sonde_profile_add_sample(profile, node, duration_us, NULL), 0);
    assert_int_equal(sonde_profile_add_ticks(profile, frame, 43, 2, NULL), 0);
    return node;
}

static int setup(void **state)
{
    static struct reported r;
    memset(&r, 0, sizeof(r));
    assert_int_equal(sonde_profile_init(&r.profile, NULL), 0);
    uint32_t visits = add(&r.profile, 0, "loadVisits", APP, 1500);
    (void)add(&r.profile, visits, EVIL, "file:///srv/app/node_modules/db/i.js", 2500);
    (void)add(&r.profile, 0, "render", APP, 4000);
    r.profile.windows = 1;
    assert_int_equal(sonde_cpu_analyze(&r.profile, &r.analysis, NULL), 0);
    r.capture = (struct sonde_report_capture){
        .name = "cpu", .duration_s = 1, .profile = &r.profile, .analysis = &r.analysis};
    r.report = (struct sonde_report){
        .name = EVIL,
        .uid = "0f7b1d3e-8a52-4f6e-9c1d-2b3a4c5d6e7f",
        .state = "Succeeded",
        .reason = "",
        .message = "",
        .created = "2026-01-31T12:34:56.789Z",
        .target = "process 4711",
        .node_version = "v22.23.3",
        .directory = "/srv/app",
        .captures = &r.capture,
        .capture_count = 1,
    };
    *state = &r;
    return 0;
}

static int teardown(void **state)
{
    struct reported *r = *state;
    sonde_cpu_analysis_fini(&r->analysis);
    sonde_profile_fini(&r->profile);
    return 0;
}

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "the test's text", err);
}

static cJSON *data_of(const struct reported *r, const struct sonde_page_capture *captures)
{
    SONDE_BUF_AUTO text = SONDE_BUF(PAGE_MAX);
    struct sonde_output output = SONDE_OUTPUT(append, &text);
    cJSON *json = NULL;
    const struct sonde_page page = {.report = &r->report, .captures = captures};
    assert_int_equal(sonde_page_data(&page, &output, NULL), 0);
    sonde_output_fini(&output);
    assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &json, NULL), 0);
    return json;
}

static const cJSON *capture_of(const cJSON *json)
{
    return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "captures"), 0);
}

static int column(const cJSON *capture, const char *table, const char *name, int index)
{
    const cJSON *columns = cJSON_GetObjectItemCaseSensitive(capture, table);
    const cJSON *values = cJSON_GetObjectItemCaseSensitive(columns, name);
    assert_true(index < cJSON_GetArraySize(values));
    return cJSON_GetArrayItem(values, index)->valueint;
}

static const char *text_at(const cJSON *capture, int index)
{
    const cJSON *strings = cJSON_GetObjectItemCaseSensitive(capture, "strings");
    return cJSON_GetStringValue(cJSON_GetArrayItem(strings, index));
}

static void tables_have_the_profile(void **state)
{
    const struct reported *r = *state;
    SONDE_JSON_AUTO *json = data_of(r, NULL);
    const cJSON *capture = capture_of(json);
    const cJSON *report = cJSON_GetObjectItemCaseSensitive(json, "report");
    assert_string_equal(sonde_json_string_or(report, "name", ""), EVIL);
    assert_string_equal(sonde_json_string_or(capture, "unit", ""), "microseconds");
    /* Node 0 is the root; the others came in the order of their calls. */
    assert_string_equal(text_at(capture, column(capture, "frames", "name", 1)), "loadVisits");
    assert_string_equal(text_at(capture, column(capture, "frames", "name", 2)), EVIL);
    assert_int_equal(column(capture, "frames", "file", 1), column(capture, "frames", "file", 3));
    assert_string_equal(text_at(capture, column(capture, "frames", "package", 2)), "db");
    assert_int_equal(column(capture, "frames", "line", 1), 41);
    assert_int_equal(column(capture, "nodes", "parent", 2), 1); /* one back: loadVisits */
    assert_int_equal(column(capture, "nodes", "parent", 3), 3); /* three back: the root */
    assert_int_equal(column(capture, "nodes", "self", 2), 2500);
    assert_int_equal(column(capture, "samples", "node", 1), 2);
    assert_int_equal(column(capture, "samples", "duration", 1), 2500);
    assert_int_equal(column(capture, "lines", "line", 1), 43);
    assert_int_equal(column(capture, "lines", "ticks", 1), 2);
}

static void samples_without_an_order_are_left_out(void **state)
{
    struct reported *r = *state;
    r->profile.unordered = true;
    SONDE_JSON_AUTO *json = data_of(r, NULL);
    assert_null(cJSON_GetObjectItemCaseSensitive(capture_of(json), "samples"));
}

static void lines_of_a_source(void **state)
{
    const struct reported *r = *state;
    const struct sonde_page_source sources[] = {
        {SONDE_STR(APP), 41, SONDE_STR("function loadVisits() {\r\n\n  \"a\tb\""), NULL},
        {SONDE_STR(APP), 90, SONDE_STR("}"), NULL},
    };
    const struct sonde_page_capture captures[] = {{sources, 2}};
    SONDE_JSON_AUTO *json = data_of(r, captures);
    const cJSON *capture = capture_of(json);
    const cJSON *first =
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(capture, "sources"), 0);
    const cJSON *lines = cJSON_GetObjectItemCaseSensitive(first, "lines");
    assert_int_equal(sonde_json_integer_or(first, "first", 0), 41);
    assert_int_equal(sonde_json_integer_or(first, "file", -1),
                     column(capture, "frames", "file", 1));
    assert_int_equal(cJSON_GetArraySize(lines), 3);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(lines, 0)),
                        "function loadVisits() {");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(lines, 1)), "");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(lines, 2)), "  \"a\tb\"");
}

/* What stands between two texts. */
static struct sonde_str between(struct sonde_str page, const char *begin, const char *end)
{
    const char *from = memmem(page.data, page.length, begin, strlen(begin));
    assert_non_null(from);
    from += strlen(begin);
    const char *to = memmem(from, (size_t)(page.data + page.length - from), end, strlen(end));
    assert_non_null(to);
    return (struct sonde_str){from, (size_t)(to - from)};
}

static void assert_hash(struct sonde_str page, const char *directive, struct sonde_str text)
{
    unsigned char digest[SONDE_DIGEST_BYTES];
    SONDE_BUF_AUTO expected = SONDE_BUF(128);
    assert_true(sonde_sha256_bytes(text, digest));
    sonde_base64_encode((struct sonde_str){(const char *)digest, sizeof(digest)}, &expected);
    assert_true(sonde_str_equal(between(page, directive, "'"), sonde_buf_view(&expected)));
}

static void page_is_whole(void **state)
{
    const struct reported *r = *state;
    SONDE_BUF_AUTO buf = SONDE_BUF(PAGE_MAX);
    assert_int_equal(sonde_page_write(&(struct sonde_page){.report = &r->report}, &buf, NULL), 0);
    struct sonde_str page = sonde_buf_view(&buf);
    assert_true(sonde_str_starts(page, "<!doctype html>"));
    assert_hash(page, "script-src 'sha256-", between(page, "<script>", "</script>"));
    assert_hash(page, "style-src 'sha256-", between(page, "<style>", "</style>"));
    assert_false(sonde_str_contains(page, SONDE_STR("alert(1)")));
    struct sonde_str data = between(page, "id=\"data\">", "</script>");
    SONDE_BUF_AUTO packed = SONDE_BUF(PAGE_MAX);
    SONDE_BUF_AUTO text = SONDE_BUF(PAGE_MAX);
    struct sonde_stream *stream = NULL;
    assert_int_equal(sonde_base64_decode(data, &packed, NULL), 0);
    assert_int_equal(sonde_decompressor_new(SONDE_GZIP, PAGE_MAX, append, &text, &stream, NULL), 0);
    assert_int_equal(sonde_stream_feed(stream, packed.data, packed.length, NULL), 0);
    assert_int_equal(sonde_stream_finish(stream, NULL), 0);
    sonde_stream_free(stream);
    SONDE_JSON_AUTO *json = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &json, NULL), 0);
    assert_string_equal(text_at(capture_of(json), column(capture_of(json), "frames", "name", 2)),
                        EVIL);
}

static void captures_of_one_name_are_compared(void **state)
{
    const struct reported *r = *state;
    struct sonde_report_capture two[2] = {r->capture, r->capture};
    two[0].name = "other";
    struct sonde_report before = r->report;
    before.captures = two;
    before.capture_count = 2;
    before.name = "earlier";
    const struct sonde_page page = {.report = &r->report, .before = &before};
    SONDE_BUF_AUTO text = SONDE_BUF(PAGE_MAX);
    struct sonde_output output = SONDE_OUTPUT(append, &text);
    SONDE_JSON_AUTO *json = NULL;
    assert_int_equal(sonde_page_data(&page, &output, NULL), 0);
    sonde_output_fini(&output);
    assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &json, NULL), 0);
    const cJSON *pairs = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(json, "comparison"), "pairs");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "captures")), 3);
    assert_int_equal(cJSON_GetArraySize(pairs), 1);
    assert_int_equal(sonde_json_integer_or(cJSON_GetArrayItem(pairs, 0), "after", -1), 0);
    assert_int_equal(sonde_json_integer_or(cJSON_GetArrayItem(pairs, 0), "before", -1), 2);
    assert_false(sonde_json_true(capture_of(json), "before"));
    assert_true(sonde_json_true(
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "captures"), 2), "before"));
    assert_string_equal(
        sonde_json_string_or(cJSON_GetObjectItemCaseSensitive(json, "before"), "name", ""),
        "earlier");
}

static void parts_stand_behind_the_captures(void **state)
{
    struct reported *r = *state;
    const struct sonde_report_part part = {"loop", "EventLoop", SONDE_STR("p99 \"1\" ms\n"),
                                           SONDE_STR(",\"delay\":7")};
    r->report.parts = &part;
    r->report.part_count = 1;
    SONDE_JSON_AUTO *json = data_of(r, NULL);
    const cJSON *own = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "parts"), 0);
    const cJSON *entry =
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(
                               cJSON_GetObjectItemCaseSensitive(json, "report"), "captures"),
                           (int)sonde_json_integer_or(own, "at", -1));
    assert_string_equal(sonde_json_string_or(own, "name", ""), "loop");
    assert_string_equal(sonde_json_string_or(own, "text", ""), "p99 \"1\" ms\n");
    assert_int_equal(sonde_json_integer_or(entry, "delay", 0), 7);
    assert_int_equal(sonde_json_integer_or(capture_of(json), "at", -1), 0);
}

static void a_page_has_a_bound(void **state)
{
    const struct reported *r = *state;
    SONDE_BUF_AUTO buf = SONDE_BUF(5000);
    struct sonde_err err;
    assert_int_equal(sonde_page_write(&(struct sonde_page){.report = &r->report}, &buf, &err),
                     SONDE_ELIMIT);
    assert_non_null(strstr(err.message, "the page"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tables_have_the_profile, setup, teardown),
        cmocka_unit_test_setup_teardown(samples_without_an_order_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_of_a_source, setup, teardown),
        cmocka_unit_test_setup_teardown(page_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(captures_of_one_name_are_compared, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_stand_behind_the_captures, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_has_a_bound, setup, teardown),
    };
    return cmocka_run_group_tests_name("results/page", tests, NULL, NULL);
}
