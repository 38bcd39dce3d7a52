/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/diagnostics.h"
#include "analysis/event_loop.h"

#define HEAD                                                                                       \
    "{\"stallThresholdMilliseconds\":50,\"milliseconds\":4000,\"utilization\":%s,\"delay\":{"      \
    "\"delayP50Milliseconds\":0.5,\"delayP99Milliseconds\":12,\"delayMaxMilliseconds\":400},"      \
    "\"seconds\":[{\"startMilliseconds\":0,\"utilization\":0.2},{\"startMilliseconds\":1000,"      \
    "\"utilization\":0.7}],"
#define FRAMES                                                                                     \
    "\"frames\":[{\"function\":\"emit\",\"url\":\"node:events\",\"line\":1,\"column\":2},"         \
    "{\"function\":\"slow\",\"url\":\"file:///srv/a.js\",\"line\":10,\"column\":3},"               \
    "{\"function\":\"parse\",\"url\":\"\",\"line\":0,\"column\":0},"                               \
    "{\"function\":\"other\",\"url\":\"file:///srv/b.js\",\"line\":20,\"column\":3}]}"

static void analyze(struct sonde_event_loop *loop, const char *utilization, const char *stalls)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_buf_printf(&text, HEAD, utilization);
    sonde_buf_printf(&text, "\"stalls\":[%s]," FRAMES, stalls);
    assert_int_equal(sonde_event_loop_analyze(sonde_buf_view(&text), NULL, loop, NULL), 0);
}

static void stalls_are_told_by_place(void **state)
{
    (void)state;
    static struct sonde_event_loop loop;
    analyze(&loop, "0.5",
            "{\"startMilliseconds\":100,\"milliseconds\":60,\"samples\":6,\"share\":1,\"stack\":[0,"
            "1,2]},{\"startMilliseconds\":300,\"milliseconds\":400,\"samples\":40,\"share\":0.8,"
            "\"stack\":[0,3]},{\"startMilliseconds\":900,\"milliseconds\":90,\"samples\":9,"
            "\"share\":1,\"stack\":[0,1]},{\"startMilliseconds\":1900,\"milliseconds\":70,"
            "\"samples\":7,\"share\":1,\"stack\":[0]},{\"startMilliseconds\":2900,"
            "\"milliseconds\":80,\"samples\":0,\"share\":0,\"stack\":[]}");
    assert_int_equal(loop.stalls_seen, 5);
    assert_int_equal((int)loop.stalled_ms, 700);
    assert_int_equal(loop.place_count, 3);
    /* The innermost of the application, though a built-in one stands below it. */
    assert_true(sonde_str_is(loop.places[0].function, "other"));
    assert_true(sonde_str_is(loop.places[1].function, "slow"));
    assert_int_equal(loop.places[1].stalls, 2);
    assert_int_equal((int)loop.places[1].total_ms, 150);
    assert_int_equal((int)loop.places[1].longest_ms, 90);
    assert_true(sonde_str_is(loop.places[2].function, "emit"));
    assert_int_equal((int)loop.stalls[0].milliseconds, 400);
    assert_int_equal(loop.stalls[0].place, 0);
    assert_int_equal(loop.stalls[1].place, 1);
    assert_int_equal(loop.stalls[2].place, SONDE_EVENT_LOOP_NO_PLACE);
    assert_int_equal(loop.stalls[4].place, 1);
    assert_true(loop.busiest_utilization > 0.69 && loop.busiest_start_ms > 999);

    const struct sonde_finding *first = &loop.findings[0];
    assert_string_equal(first->kind, "loop-stall");
    assert_true(sonde_str_is(first->file, "file:///srv/b.js"));
    assert_int_equal(first->line, 20);
    assert_non_null(strstr(first->title, "1 time, 400 ms in all and 400 ms at once, in other"));
    bool told = false;
    for (size_t i = 0; i < loop.finding_count; i++) {
        told = told || strcmp(loop.findings[i].kind, "not-running") == 0;
        assert_true(i == 0 || loop.findings[i].severity <= loop.findings[i - 1].severity);
    }
    assert_true(told);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_event_loop_text(&loop, "/srv", &text);
    assert_non_null(strstr(text.data, "400.0 ms at 0.3 s  other  b.js:20\n"));
    assert_non_null(strstr(text.data, "5 stalls of 50 ms and more, 700 ms in all"));
    sonde_event_loop_fini(&loop);
}

static void a_healthy_loop_says_so(void **state)
{
    (void)state;
    static struct sonde_event_loop loop;
    analyze(&loop, "0.3", "");
    assert_int_equal(loop.finding_count, 1);
    assert_string_equal(loop.findings[0].kind, "loop-healthy");
    assert_int_equal(loop.findings[0].severity, 0);
    sonde_event_loop_fini(&loop);
    analyze(&loop, "0.97", "");
    assert_int_equal(loop.finding_count, 1);
    assert_string_equal(loop.findings[0].kind, "loop-saturated");
    sonde_event_loop_fini(&loop);
}

static void only_the_longest_stalls_are_kept(void **state)
{
    (void)state;
    static struct sonde_event_loop loop;
    SONDE_BUF_AUTO stalls = SONDE_BUF(1 << 16);
    for (int i = 0; i < 200; i++) {
        sonde_buf_printf(&stalls, "%s{\"milliseconds\":%d,\"samples\":1,\"stack\":[1]}",
                         i ? "," : "", 50 + (i * 37) % 200);
    }
    analyze(&loop, "0.5", stalls.data);
    assert_int_equal(loop.stalls_seen, 200);
    assert_int_equal(loop.stall_count, SONDE_EVENT_LOOP_STALLS_MAX);
    for (size_t i = 0; i < loop.stall_count; i++) {
        assert_int_equal((int)loop.stalls[i].milliseconds, 249 - (int)i);
    }
    assert_int_equal(loop.place_count, 1);
    sonde_event_loop_fini(&loop);
}

static void what_is_no_record_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "[]", "{}", "{\"delay\":1}", "{\"delay\":{}"};
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        static struct sonde_event_loop loop;
        assert_true(sonde_event_loop_analyze(sonde_str(texts[i]), NULL, &loop, NULL) < 0);
        sonde_event_loop_fini(&loop);
    }
}

static void a_diagnostic_report_at_a_glance(void **state)
{
    (void)state;
    struct sonde_diagnostics diagnostics;
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    const char *report =
        "{\"header\":{\"nodejsVersion\":\"v22.1.0\"},\"javascriptHeap\":{\"usedMemory\":5000000,"
        "\"totalMemory\":6000000,\"heapSizeLimit\":90000000},\"libuv\":[{\"type\":\"timer\","
        "\"is_active\":true},{\"type\":\"tcp\",\"is_active\":true},{\"type\":\"tcp\",\"is_active\":"
        "true},{\"type\":\"check\",\"is_active\":false}],\"workers\":[{}]}";
    assert_int_equal(sonde_diagnostics_read(sonde_str(report), &diagnostics, NULL), 0);
    sonde_diagnostics_text(&diagnostics, &text);
    assert_non_null(strstr(text.data, "heap: 5.0 MB used of 6.0 MB, limit 90 MB"));
    assert_non_null(strstr(text.data, "active handles: 2 tcp, 1 timer\n"));
    assert_non_null(strstr(text.data, "worker threads: 1\n"));
    assert_int_equal(sonde_diagnostics_read(SONDE_STR("{}"), &diagnostics, NULL), SONDE_EPARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stalls_are_told_by_place),
        cmocka_unit_test(a_healthy_loop_says_so),
        cmocka_unit_test(only_the_longest_stalls_are_kept),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(a_diagnostic_report_at_a_glance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
