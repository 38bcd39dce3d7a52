/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"
#include "load/export.h"
#include "made.h"

static const struct made_options made = {
    .seconds = 3, .rate = 50, .latency_us = 900, .troubled = true, .seed = 1};

/* What is exported of a made result, with other verdicts. */
static void export_of(sonde_load_export *export, const char *const texts[], size_t count,
                      bool valid, struct sonde_buf *ret)
{
    struct sonde_load_result result;
    struct sonde_load_verdict verdicts[4] = {0};
    assert_int_equal(made_result(&made, &result, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        verdicts[i].text = texts[i];
        (void)!sonde_threshold_parse(sonde_str(texts[i]), &verdicts[i].threshold, NULL);
    }
    (void)sonde_load_judge(verdicts, count, &result.tally, 3);
    result.verdicts = verdicts;
    result.verdict_count = count;
    result.validity.valid = valid;
    (void)snprintf(result.validity.reason, sizeof(result.validity.reason), "%s",
                   valid ? "" : "no <time> & \"no\" CPU \x01\xef\xbf\xbf");
    assert_int_equal(export(&result, ret, NULL), 0);
    sonde_load_result_fini(&result);
}

static void must_have(const struct sonde_buf *text, const char *part)
{
    if (!strstr(text->data, part)) {
        fail_msg("no %s in %s", part, text->data);
    }
}

static void a_row_for_each_second(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    size_t lines = 0;
    export_of(sonde_load_export_csv, NULL, 0, true, &text);
    must_have(&text, "begin,end,sent,answered,failed,censored,unsent,late,badAnswers,connects,"
                     "connectFailures,bytesRead,bytesWritten,p50,p90,p99,p99_9,max\n"
                     "0.000000,1.000000,");
    struct sonde_str rest = sonde_buf_view(&text);
    while (rest.length) {
        size_t commas = 0;
        struct sonde_str line = sonde_str_split(&rest, '\n');
        for (size_t i = 0; i < line.length; i++) {
            commas += line.data[i] == ',';
        }
        assert_int_equal(commas, 17);
        lines++;
    }
    assert_int_equal(lines, 4);
}

static void cases_of_junit(void **state)
{
    (void)state;
    static const char *const texts[] = {"http_req_duration: p(99)<100000", "http_reqs: count<1",
                                        "http_req_duration{name:a}: max<1"};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    export_of(sonde_load_export_junit, texts, 3, true, &text);
    must_have(&text, "name=\"a title with &quot;quotes&quot; and é\" tests=\"4\" failures=\"2\" "
                     "errors=\"0\" skipped=\"0\" time=\"3.000\" timestamp=\"2026-01-01T");
    must_have(&text, "name=\"url\" value=\"http://localhost:3000/patients?q=?[31m\"/>");
    must_have(&text, "name=\"the test can be believed\" time=\"3.000\"></testcase>");
    must_have(&text, "name=\"http_req_duration: p(99)&lt;100000\" time=\"3.000\"></testcase>");
    must_have(&text, "count&lt;1\" time=\"3.000\"><failure type=\"ThresholdBroken\" message=\"it "
                     "was 1");
    must_have(&text, "<system-out>a title with &quot;quotes&quot;");
}

static void of_a_test_that_cannot_be_believed_no_case_passes(void **state)
{
    (void)state;
    static const char *const texts[] = {"http_req_duration: p(99)<100000"};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO k6 = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO prometheus = SONDE_BUF(1 << 20);
    export_of(sonde_load_export_junit, texts, 1, false, &text);
    must_have(&text, "tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"1\"");
    must_have(&text, "<failure type=\"Invalid\" message=\"no &lt;time&gt; &amp; &quot;no&quot; CPU "
                     "??\"/>");
    must_have(&text, "<skipped message=\"it would hold, but the test cannot be believed\"/>");
    export_of(sonde_load_export_k6, texts, 1, false, &k6);
    must_have(&k6, "\"thresholds\":{\"p(99)<100000\":true}");
    export_of(sonde_load_export_prometheus, texts, 1, false, &prometheus);
    must_have(&prometheus, ",threshold=\"http_req_duration: p(99)<100000\"} 0\n");
    must_have(&prometheus, "sonde_load_valid{url=\"http://localhost:3000/patients?q=?[31m\"} 0\n");
}

static double number_of(const cJSON *metrics, const char *metric, const char *name)
{
    const cJSON *of = cJSON_GetObjectItemCaseSensitive(metrics, metric);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(of, name);
    assert_true(cJSON_IsNumber(value));
    return value->valuedouble;
}

static void metrics_of_k6(void **state)
{
    (void)state;
    static const char *const texts[] = {"http_reqs: count>1", "http_reqs: rate<1",
                                        "http_req_duration{name:a}: max<1", "of tomorrow"};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_JSON_AUTO *document = NULL;
    export_of(sonde_load_export_k6, texts, 4, true, &text);
    assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &document, NULL), 0);
    const cJSON *metrics = cJSON_GetObjectItemCaseSensitive(document, "metrics");
    double answered = number_of(metrics, "http_reqs", "count");
    assert_true(answered > 100 && answered <= 150);
    assert_true(fabs(number_of(metrics, "http_reqs", "rate") - answered / 3) < 1e-9);
    assert_true(number_of(metrics, "http_req_failed", "passes") +
                    number_of(metrics, "http_req_failed", "fails") ==
                number_of(metrics, "iterations", "count"));
    assert_true(number_of(metrics, "http_req_duration", "med") <=
                number_of(metrics, "http_req_duration", "p(95)"));
    assert_true(number_of(metrics, "vus", "value") == 10);
    must_have(&text, ",\"thresholds\":{\"count>1\":false,\"rate<1\":true}}");
    must_have(&text, "\"http_req_duration{name:a}\":{\"thresholds\":{\"max<1\":true}}");
    must_have(&text, "\"of tomorrow\":{\"thresholds\":{\"of tomorrow\":");
}

static void of_nothing(void **state)
{
    (void)state;
    static sonde_load_export *const all[] = {
        sonde_load_export_autocannon, sonde_load_export_csv, sonde_load_export_hlog,
        sonde_load_export_junit,      sonde_load_export_k6,  sonde_load_export_prometheus};
    struct sonde_load_result empty;
    assert_int_equal(sonde_load_result_init(&empty, NULL), 0);
    empty.asked.url = "";
    for (size_t i = 0; i < SONDE_LENGTH(all); i++) {
        struct sonde_err err;
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
        SONDE_BUF_AUTO little = SONDE_BUF(100);
        assert_int_equal(all[i](&empty, &text, NULL), 0);
        assert_null(strstr(text.data, "nan"));
        assert_null(strstr(text.data, "inf"));
        assert_int_equal(all[i](&empty, &little, &err), SONDE_ELIMIT);
    }
    sonde_load_result_fini(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_for_each_second),
        cmocka_unit_test(cases_of_junit),
        cmocka_unit_test(of_a_test_that_cannot_be_believed_no_case_passes),
        cmocka_unit_test(metrics_of_k6),
        cmocka_unit_test(of_nothing),
    };
    return cmocka_run_group_tests_name("load_export", tests, NULL, NULL);
}
