/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/timeline.h"
#include "codec/json.h"

#define MB 1e6

/* 25 moments over 12 s, 20 MB before; of each stretch of a second `bytes` are left. */
static void analyze(double bytes, struct sonde_timeline *ret)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    struct sonde_err err = {0};
    sonde_buf_text(&text, "{\"version\":1,\"startMilliseconds\":5,\"moments\":[{\"milliseconds\":0,"
                          "\"objects\":9,\"bytes\":20000000,\"peakBytes\":21000000}");
    for (int i = 1; i <= 24; i++) {
        sonde_buf_printf(&text,
                         ",{\"milliseconds\":%d,\"objects\":%d,\"bytes\":%.0f,\"peakBytes\":%d}",
                         500 * i, i, bytes / 2, 2000000);
    }
    sonde_buf_text(&text, "]}");
    if (sonde_timeline_analyze(sonde_buf_view(&text), ret, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

static void what_is_kept_is_a_finding(void **state)
{
    (void)state;
    struct sonde_timeline t;
    analyze(1 * MB, &t);
    assert_int_equal(t.moments, 25);
    assert_true(t.milliseconds == 12000 && t.before.bytes == 20 * MB);
    assert_true(t.since.bytes == 12 * MB && t.since.objects == 300);
    for (int i = 0; i < SONDE_TIMELINE_STRETCHES; i++) { /* two moments each, told by their ends */
        assert_true(t.stretches[i].bytes == 1 * MB && t.stretches[i].peak_bytes == 4 * MB);
        assert_true(t.stretches[i].objects == 4 * i + 3);
    }
    assert_int_equal(t.finding_count, 1);
    assert_string_equal(t.findings[0].kind, "growing-heap");
    assert_string_equal(t.findings[0].title,
                        "10.0 MB of what was allocated in the first 10.0 s is still in use at the "
                        "end, 31 % of the heap");
    assert_int_equal(t.findings[0].severity, 40);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 16);
    sonde_timeline_text(&t, &text);
    assert_non_null(strstr(text.data, "allocations for 12.0 s: 12.0 MB of them in use at the end, "
                                      "beside 20.0 MB from before\n"));
    assert_non_null(strstr(text.data, "\n     1.0 s     2.0 s   1.00 MB   4.00 MB         7\n"));
    sonde_buf_text(&json, "{\"type\":\"AllocationTimeline\"");
    sonde_timeline_json(&t, &json);
    sonde_buf_char(&json, '}');
    SONDE_JSON_AUTO *document = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &document, NULL), 0);
    const cJSON *list = NULL;
    assert_int_equal(sonde_json_array(document, "stretches", &list, NULL), 0);
    assert_int_equal(cJSON_GetArraySize(list), SONDE_TIMELINE_STRETCHES);
    const cJSON *last = cJSON_GetArrayItem(list, SONDE_TIMELINE_STRETCHES - 1);
    assert_int_equal(sonde_json_integer_or(last, "endMilliseconds", 0), 12000);
    assert_int_equal(sonde_json_integer_or(last, "bytes", 0), 1000000);
}

static void what_was_given_back_is_healthy(void **state)
{
    (void)state;
    struct sonde_timeline t;
    analyze(0.05 * MB, &t); /* 0.5 MB of the first 10 s */
    assert_int_equal(t.finding_count, 1);
    assert_string_equal(t.findings[0].kind, "healthy");
    assert_int_equal(t.findings[0].severity, 0);
}

/* What V8 would never write neither crashes nor makes numbers that are none. */
static void odd_records_are_read_or_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {"", "[]", "{}", "{\"moments\":7}", "{\"moments\":["};
    static const char huge[] =
        "{\"moments\":[{\"milliseconds\":-1,\"bytes\":-5},{\"milliseconds\":1e300,\"bytes\":1e300,"
        "\"objects\":1e300},{\"milliseconds\":\"x\",\"bytes\":1e308}]}";
    static const char *const read[] = {"{\"moments\":[]}", "{\"moments\":[7,null,{},[]]}", huge};
    for (size_t i = 0; i < SONDE_LENGTH(refused); i++) {
        struct sonde_timeline t;
        struct sonde_err err = {0};
        assert_int_equal(sonde_timeline_analyze(sonde_str(refused[i]), &t, &err), SONDE_EPARSE);
        assert_true(err.message[0]);
    }
    for (size_t i = 0; i < SONDE_LENGTH(read); i++) {
        struct sonde_timeline t;
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
        assert_int_equal(sonde_timeline_analyze(sonde_str(read[i]), &t, NULL), 0);
        sonde_timeline_text(&t, &text);
        sonde_timeline_json(&t, &text);
        assert_int_equal(text.code, 0);
        assert_null(strstr(text.data, "nan"));
        assert_null(strstr(text.data, "inf"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_a_finding),
        cmocka_unit_test(what_was_given_back_is_healthy),
        cmocka_unit_test(odd_records_are_read_or_refused),
    };
    return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
