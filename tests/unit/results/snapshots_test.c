/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/json.h"
#include "heap_runs.h"
#include "results/results.h"

static const struct sonde_results_request as_text = {.heap_bytes_max = UINT64_MAX};
static const struct sonde_results_request as_json = {.format = SONDE_RESULTS_JSON,
                                                     .heap_bytes_max = UINT64_MAX};

/* Prints into a buffer that is to be freed. */
static struct sonde_buf reported(const struct heap_runs *runs, const char *uid,
                                 const struct sonde_results_request *request)
{
    struct sonde_buf buf = SONDE_BUF(16 << 20);
    struct sonde_err err = {0};
    if (sonde_results_report(runs->db, uid, request, &buf, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return buf;
}

static struct sonde_buf compared(const struct heap_runs *runs, const char *before,
                                 const char *after, const struct sonde_results_request *request)
{
    struct sonde_buf buf = SONDE_BUF(16 << 20);
    struct sonde_err err = {0};
    if (sonde_results_compare(runs->db, before, after, request, &buf, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return buf;
}

static void assert_has(const struct sonde_buf *buf, const char *text)
{
    if (!strstr(buf->data, text)) {
        fail_msg("\"%s\" is not in:\n%s", text, buf->data);
    }
}

static void assert_refused(const struct heap_runs *runs, const char *before, const char *after,
                           const struct sonde_results_request *request, int code, const char *text)
{
    SONDE_BUF_AUTO buf = SONDE_BUF(16 << 20);
    struct sonde_err err = {0};
    assert_int_equal(sonde_results_compare(runs->db, before, after, request, &buf, &err), code);
    if (!strstr(err.message, text)) {
        fail_msg("\"%s\" is not in: %s", text, err.message);
    }
}

static void a_report_has_the_snapshot(void **state)
{
    const struct heap_runs *runs = *state;
    SONDE_BUF_AUTO text = reported(runs, runs->after, &as_text);
    assert_has(&text, "\nheap: heap of 100 MB: 106 objects, 105 references\n  * one Map keeps 50.0 "
                      "MB alive");
    assert_has(&text, "global.server → Server.sessions → Map\n");
    assert_has(&text, "   50.0 MB   50.0 MB        50  Session\n");
    SONDE_BUF_AUTO json = reported(runs, runs->after, &as_json);
    SONDE_JSON_AUTO *document = NULL;
    const cJSON *captures = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &document, NULL), 0);
    assert_int_equal(sonde_json_array(document, "captures", &captures, NULL), 0);
    assert_int_equal(cJSON_GetArraySize(captures), 1);
    const cJSON *heap = cJSON_GetArrayItem(captures, 0);
    assert_string_equal(sonde_json_string_or(heap, "type", ""), "HeapSnapshot");
    assert_string_equal(sonde_json_string_or(heap, "name", ""), "heap");
    assert_int_equal(sonde_json_integer_or(heap, "nodes", 0), 106);
}

static void several_snapshots_have_a_part_each(void **state)
{
    const struct heap_runs *runs = *state;
    SONDE_BUF_AUTO all = reported(runs, runs->pair, &as_text);
    assert_has(&all, "\n7.heap: heap of 70.0 MB");
    assert_has(&all, "\n8.heap: heap of 80.0 MB");
    struct sonde_results_request one = as_text;
    one.capture = "8.heap";
    SONDE_BUF_AUTO single = reported(runs, runs->pair, &one);
    assert_has(&single, "\n8.heap: heap of 80.0 MB");
    assert_null(strstr(single.data, "7.heap"));
    SONDE_BUF_AUTO none = SONDE_BUF(1 << 20);
    one.capture = "9.heap";
    assert_int_equal(sonde_results_report(runs->db, runs->pair, &one, &none, NULL),
                     SONDE_ENOTFOUND);
}

static void a_comparison_says_what_grew_and_what_holds_it(void **state)
{
    const struct heap_runs *runs = *state;
    SONDE_BUF_AUTO text = compared(runs, runs->before, runs->after, &as_text);
    assert_has(&text, "  before  heap: heap of 60.0 MB, 66 objects\nafter ");
    assert_has(&text,
               "  after  heap: heap of 100 MB, 106 objects\n40.0 MB more\n\n  * Session grew "
               "by 40 objects to 50, and keeps 40.0 MB more alive");
    assert_has(&text, "\n   +40.0 MB   +40.0 MB        40         0  Session\n");
    assert_has(&text, "of 40  global.server → Server.sessions → Map[17] → Session\n");
    assert_null(strstr(text.data, "one Map keeps")); /* that stands in the report */
    SONDE_BUF_AUTO json = compared(runs, runs->before, runs->after, &as_json);
    SONDE_JSON_AUTO *document = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &document, NULL), 0);
    const cJSON *before = cJSON_GetObjectItemCaseSensitive(document, "before");
    assert_string_equal(sonde_json_string_or(before, "uid", ""), runs->before);
    assert_string_equal(sonde_json_string_or(before, "capture", ""), "heap");
    assert_int_equal(sonde_json_integer_or(before, "nodes", 0), 66);
    SONDE_BUF_AUTO back = compared(runs, runs->after, runs->before, &as_text);
    assert_has(&back, "40.0 MB less\n\n  * no class of yours grew");
    assert_has(&back,
               "growth by class\n    shallow   retained       new     freed  class\n  none\n");
}

static void which_snapshots_are_compared_must_be_clear(void **state)
{
    struct heap_runs *runs = *state;
    struct sonde_results_request named = as_text;
    assert_refused(runs, runs->before, runs->pair, &as_text, SONDE_EINVALID,
                   "pair: the run has 2 heap snapshots: give --capture with one of 7.heap, 8.heap");
    assert_refused(runs, runs->before, runs->none, &as_text, SONDE_ENOTFOUND,
                   "none: the run has no heap snapshot");
    named.capture = "8.heap";
    SONDE_BUF_AUTO same = compared(runs, runs->pair, runs->pair, &named);
    assert_has(&same, "0 B more\n");
    assert_null(strstr(same.data, "two processes"));
    heap_runs_add(runs, runs->before,
                  &(struct sonde_artifact){
                      .name = "cpu.0", .capture = "cpu", .type = SONDE_ARTIFACT_CPU_PROFILE},
                  SONDE_STR("{}"));
    assert_refused(runs, runs->before, runs->after, &as_text, SONDE_EINVALID,
                   "give --capture NAME, one that both have");
    named.capture = "heap";
    SONDE_BUF_AUTO heap = compared(runs, runs->before, runs->after, &named);
    assert_has(&heap, "40.0 MB more");
}

static void a_page_of_a_comparison_has_the_growth(void **state)
{
    const struct heap_runs *runs = *state;
    struct sonde_results_request page = as_text;
    page.format = SONDE_RESULTS_HTML;
    SONDE_BUF_AUTO html = compared(runs, runs->before, runs->after, &page);
    assert_has(&html, "id=\"data\"");
    assert_refused(runs, runs->before, runs->none, &page, SONDE_ENOTFOUND, "no heap snapshot");
}

static void the_summary_names_what_keeps_most(void **state)
{
    const struct heap_runs *runs = *state;
    struct sonde_results_summary summary;
    struct sonde_err err = {0};
    assert_int_equal(sonde_results_summary(runs->db, runs->after, UINT64_MAX, &summary, &err), 0);
    assert_string_equal(summary.top, "50% Map");
    assert_int_equal(summary.findings, 1);
    assert_int_equal(sonde_results_summary(runs->db, runs->after, 1 << 20, &summary, &err),
                     SONDE_ELIMIT);
    assert_non_null(strstr(err.message, "106 objects with 105 references"));
}

static void beyond_the_bound_a_report_says_so_and_a_comparison_fails(void **state)
{
    const struct heap_runs *runs = *state;
    struct sonde_results_request small = {.heap_bytes_max = 1 << 20};
    SONDE_BUF_AUTO text = reported(runs, runs->after, &small);
    assert_has(&text, "heap: not analysed: heap snapshot: analysing 106 objects with 105");
    assert_has(&text, "(--heap-memory)");
    assert_refused(runs, runs->before, runs->after, &small, SONDE_ELIMIT, "--heap-memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_has_the_snapshot),
        cmocka_unit_test(several_snapshots_have_a_part_each),
        cmocka_unit_test(a_comparison_says_what_grew_and_what_holds_it),
        cmocka_unit_test(a_page_of_a_comparison_has_the_growth),
        cmocka_unit_test(the_summary_names_what_keeps_most),
        cmocka_unit_test(beyond_the_bound_a_report_says_so_and_a_comparison_fails),
        cmocka_unit_test(which_snapshots_are_compared_must_be_clear), /* adds an artifact */
    };
    return cmocka_run_group_tests_name("snapshots", tests, heap_runs_setup, heap_runs_teardown);
}
