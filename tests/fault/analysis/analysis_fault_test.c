/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "analysis/compare.h"
#include "analysis/compare_coverage.h"
#include "analysis/event_loop.h"
#include "analysis/report.h"
#include "analysis/timeline.h"
#include "fail.h"

struct expected {
    struct sonde_profile profile, bytes;
    uint64_t text, json; /* hashes, once known */
};

static void make_profile(struct sonde_profile *profile)
{
    static const struct {
        const char *function, *url;
        uint32_t parent;
    } rows[] = {
        {"handler", "file:///srv/app/a.js", 0},
        {"query", "file:///srv/app/node_modules/db/lib/with/a/very/long/path/i.js", 1},
        {"parse", "", 1},
        {"(idle)", "", 0},
    };
    assert_int_equal(sonde_profile_init(profile, NULL), 0);
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        uint32_t frame;
        uint32_t node;
        assert_int_equal(sonde_profile_frame(profile, sonde_str(rows[i].function),
                                             sonde_str(rows[i].url), 5, 1, &frame, NULL),
                         0);
        assert_int_equal(sonde_profile_node(profile, rows[i].parent, frame, &node, NULL), 0);
        for (int k = 0; k < 200; k++) {
            assert_int_equal(sonde_profile_add_sample(profile, node, 1000, NULL), 0);
        }
        assert_int_equal(sonde_profile_add_ticks(profile, frame, 9, 3, NULL), 0);
    }
}

/* Success must be whole: a report that lacks a word because of a failure is wrong. */
static void assert_whole(const struct sonde_buf *text, uint64_t *hash)
{
    uint64_t now = sonde_hash(sonde_buf_view(text));
    assert_true(*hash == 0 || *hash == now);
    *hash = now;
}

static int analyze_and_report(void *context)
{
    struct expected *e = context;
    struct sonde_cpu_analysis analysis;
    struct sonde_allocation_analysis allocations;
    int r = sonde_cpu_analyze(&e->profile, &analysis, NULL);
    if (r < 0) {
        return r;
    }
    r = sonde_allocations_analyze(&e->bytes, &allocations, NULL);
    if (r < 0) {
        sonde_cpu_analysis_fini(&analysis);
        return r;
    }
    struct sonde_report_capture captures[] = {
        {.name = "cpu", .duration_s = 1, .profile = &e->profile, .analysis = &analysis},
        {.name = "heap", .profile = &e->bytes, .allocations = &allocations},
    };
    struct sonde_report report = {
        .name = "x",
        .uid = "0f7b1d3e",
        .state = "Succeeded",
        .reason = "Completed",
        .message = "said",
        .created = "now",
        .target = "process 7",
        .node_version = "v22",
        .directory = "/srv/app",
        .captures = captures,
        .capture_count = SONDE_LENGTH(captures),
        .cost = {.measured = true, .rotations = 3},
        .loop = {.measured = true},
    };
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 20);
    sonde_report_text(&report, &text);
    sonde_report_json(&report, &json);
    sonde_cpu_analysis_fini(&analysis);
    sonde_allocation_analysis_fini(&allocations);
    if (text.code || json.code) {
        return text.code ? text.code : json.code;
    }
    assert_whole(&text, &e->text);
    assert_whole(&json, &e->json);
    return 0;
}

/* Two windows on each side: one has all of node 1, the other all of node 2. */
static int compare_and_report(void *context)
{
    struct expected *e = context;
    static const struct sonde_compare_part parts[] = {{1, 5000}, {4, 1000}, {2, 7000}, {4, 3000}};
    static const struct sonde_compare_window windows[] = {{0, 2}, {2, 2}};
    struct sonde_compare_side side = {
        .uid = "0f7b1d3e",
        .name = "x",
        .capture = "cpu",
        .directory = "/srv/app",
        .profile = &e->profile,
        .parts = parts,
        .windows = windows,
        .window_count = SONDE_LENGTH(windows),
    };
    struct sonde_comparison comparison;
    int r = sonde_compare(&side, &side, &comparison, NULL);
    if (r < 0) {
        return r;
    }
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 20);
    sonde_comparison_text(&comparison, &text);
    sonde_comparison_json(&comparison, &json);
    sonde_comparison_fini(&comparison);
    if (text.code || json.code) {
        return text.code ? text.code : json.code;
    }
    assert_whole(&text, &e->text);
    assert_whole(&json, &e->json);
    return 0;
}

static void read_coverage(struct sonde_coverage *coverage)
{
    static const char text[] =
        "{\"result\":[{\"url\":\"file:///srv/app/a.js\",\"functions\":[{\"functionName\":\"f\","
        "\"ranges\":[{\"startOffset\":0,\"endOffset\":90,\"count\":3},{\"startOffset\":10,"
        "\"endOffset\":20,\"count\":0}]},{\"functionName\":\"g\",\"ranges\":[{\"startOffset\":91,"
        "\"endOffset\":99,\"count\":0}]}]}]}";
    struct sonde_coverage_reader *reader = NULL;
    sonde_coverage_init(coverage);
    assert_int_equal(sonde_coverage_reader_new(coverage, &reader, NULL), 0);
    assert_int_equal(sonde_coverage_feed(reader, text, sizeof(text) - 1, NULL), 0);
    assert_int_equal(sonde_coverage_finish(reader, NULL), 0);
    sonde_coverage_reader_free(reader);
}

static int compare_coverage(const struct sonde_coverage_analysis *analysis, struct sonde_buf *text)
{
    const struct sonde_coverage_side side = {"1", "run", "coverage", "/srv/app", analysis};
    struct sonde_coverage_comparison comparison;
    int r = sonde_coverage_compare(&side, &side, SIZE_MAX, &comparison, NULL);
    if (r == 0) {
        sonde_coverage_comparison_text(&comparison, text);
        sonde_coverage_comparison_json(&comparison, text);
        sonde_coverage_comparison_fini(&comparison);
    }
    return r;
}

static int analyze_coverage(void *context)
{
    const struct sonde_coverage *coverage = context;
    struct sonde_coverage_analysis analysis;
    int r = sonde_coverage_analyze(coverage, &analysis, NULL);
    if (r < 0) {
        return r;
    }
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_coverage_text(&analysis, "/srv/app", 10, &text);
    sonde_coverage_json(&analysis, &text);
    assert_int_equal(analysis.block_count, 1);
    assert_int_equal(analysis.never_count, 1);
    assert_int_equal(analysis.file_count, 1);
    r = compare_coverage(&analysis, &text);
    sonde_coverage_analysis_fini(&analysis);
    return r < 0 ? r : text.code;
}

static void no_allocation_of_coverage_is_taken_for_granted(void **state)
{
    (void)state;
    struct sonde_coverage coverage;
    read_coverage(&coverage);
    fail_each_allocation(analyze_coverage, &coverage);
    sonde_coverage_fini(&coverage);
}

static void no_allocation_of_a_comparison_is_taken_for_granted(void **state)
{
    (void)state;
    struct expected e = {0};
    make_profile(&e.profile);
    fail_each_allocation(compare_and_report, &e);
    sonde_profile_fini(&e.profile);
}

static int read_event_loop(void *context)
{
    (void)context;
    static struct sonde_event_loop loop;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    int r = sonde_event_loop_analyze(
        SONDE_STR("{\"delay\":{},\"stalls\":[{\"milliseconds\":60,\"samples\":1,\"stack\":[0]}],"
                  "\"frames\":[{\"function\":\"f\",\"url\":\"file:///a.js\"}]}"),
        NULL, &loop, NULL);
    if (r == 0) {
        sonde_event_loop_text(&loop, "/srv", &text);
        sonde_event_loop_json(&loop, &text);
        r = sonde_buf_check(&text, "the part", NULL);
    }
    sonde_event_loop_fini(&loop);
    return r;
}

static int read_timeline(void *context)
{
    (void)context;
    static struct sonde_timeline timeline;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    int r = sonde_timeline_analyze(SONDE_STR("{\"moments\":[{\"milliseconds\":0,\"bytes\":9},"
                                             "{\"milliseconds\":7,\"bytes\":5}]}"),
                                   &timeline, NULL);
    if (r == 0) {
        sonde_timeline_text(&timeline, &text);
        sonde_timeline_json(&timeline, &text);
        r = text.code;
    }
    return r;
}

static void allocations_by_time_may_fail(void **state)
{
    (void)state;
    fail_each_allocation(read_timeline, NULL);
}

static void an_event_loop_may_fail(void **state)
{
    (void)state;
    fail_each_allocation(read_event_loop, NULL);
}

static void no_allocation_is_taken_for_granted(void **state)
{
    (void)state;
    struct expected e = {0};
    make_profile(&e.profile);
    make_profile(&e.bytes);
    e.bytes.unit = SONDE_PROFILE_BYTES;
    fail_each_allocation(analyze_and_report, &e);
    sonde_profile_fini(&e.profile);
    sonde_profile_fini(&e.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_loop_may_fail),
        cmocka_unit_test(allocations_by_time_may_fail),
        cmocka_unit_test(no_allocation_is_taken_for_granted),
        cmocka_unit_test(no_allocation_of_coverage_is_taken_for_granted),
        cmocka_unit_test(no_allocation_of_a_comparison_is_taken_for_granted),
    };
    return cmocka_run_group_tests_name("analysis_fault", tests, NULL, NULL);
}
