/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fail.h"
#include "heap_runs.h"
#include "results/checks.h"
#include "results/covered_sources.h"
#include "results/page.h"
#include "results/regression.h"
#include "results/results.h"

struct expected {
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
    uint64_t page; /* its hash, once known */
};

static void make_profile(struct expected *e)
{
    uint32_t frame;
    uint32_t node;
    assert_int_equal(sonde_profile_init(&e->profile, NULL), 0);
    for (int i = 0; i < 40; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "function%d", i);
        assert_int_equal(sonde_profile_frame(&e->profile, sonde_str(name),
                                             SONDE_STR("file:///srv/app/a.js"), i + 1, 1, &frame,
                                             NULL),
                         0);
        assert_int_equal(sonde_profile_node(&e->profile, 0, frame, &node, NULL), 0);
        assert_int_equal(sonde_profile_add_sample(&e->profile, node, 1000, NULL), 0);
    }
    assert_int_equal(sonde_cpu_analyze(&e->profile, &e->analysis, NULL), 0);
}

/* A page that lacks anything because of a failure is wrong. */
static int write_page(void *context)
{
    struct expected *e = context;
    const struct sonde_page_source source = {SONDE_STR("file:///srv/app/a.js"), 1,
                                             SONDE_STR("one\ntwo"), NULL};
    const struct sonde_page_capture sources = {&source, 1};
    struct sonde_report_capture capture = {
        .name = "cpu", .duration_s = 1, .profile = &e->profile, .analysis = &e->analysis};
    struct sonde_report report = {
        .name = "x",
        .uid = "0f7b1d3e",
        .state = "Succeeded",
        .reason = "",
        .message = "",
        .created = "now",
        .target = "process 7",
        .node_version = "v22",
        .directory = "/srv/app",
        .captures = &capture,
        .capture_count = 1,
    };
    SONDE_BUF_AUTO page = SONDE_BUF(4 << 20);
    int r = sonde_page_write(
        &(struct sonde_page){.report = &report, .captures = &sources, .before = &report}, &page,
        NULL);
    if (r == 0) {
        uint64_t now = sonde_hash(sonde_buf_view(&page));
        assert_true(e->page == 0 || e->page == now);
        e->page = now;
    }
    return r;
}

static void no_allocation_is_taken_for_granted(void **state)
{
    (void)state;
    struct expected e = {0};
    make_profile(&e);
    fail_each_allocation(write_page, &e);
    sonde_cpu_analysis_fini(&e.analysis);
    sonde_profile_fini(&e.profile);
}

struct printed {
    struct heap_runs runs;
    struct sonde_results_request request;
    uint64_t report, comparison; /* hashes, once known */
};

/* The same as ever, or nothing. */
static void assert_whole(const struct sonde_buf *text, uint64_t *hash)
{
    uint64_t now = sonde_hash(sonde_buf_view(text));
    assert_true(*hash == 0 || *hash == now);
    *hash = now;
}

static int report_and_compare(void *context)
{
    struct printed *p = context;
    struct sonde_results_summary summary;
    SONDE_BUF_AUTO report = SONDE_BUF(4 << 20);
    SONDE_BUF_AUTO comparison = SONDE_BUF(4 << 20);
    int r = sonde_results_report(p->runs.db, p->runs.after, &p->request, &report, NULL);
    r = r < 0 ? r
              : sonde_results_compare(p->runs.db, p->runs.before, p->runs.after, &p->request,
                                      &comparison, NULL);
    r = r < 0 ? r : sonde_results_summary(p->runs.db, p->runs.after, UINT64_MAX, &summary, NULL);
    if (r == 0) {
        assert_whole(&report, &p->report);
        assert_whole(&comparison, &p->comparison);
        assert_int_equal(summary.findings, 1);
        assert_string_equal(summary.top, "50% Map");
    }
    return r;
}

static void heap_snapshots_take_no_allocation_for_granted(void **state)
{
    (void)state;
    struct printed p = {.request = {.heap_bytes_max = UINT64_MAX}};
    heap_runs_init(&p.runs);
    for (int format = SONDE_RESULTS_TEXT; format <= (int)SONDE_RESULTS_HTML; format++) {
        p.request.format = (enum sonde_results_report_format)format;
        p.report = p.comparison = 0;
        fail_each_allocation(report_and_compare, &p);
    }
    heap_runs_fini(&p.runs);
}

static int compare_measures(void *context)
{
    struct printed *p = context;
    SONDE_BUF_AUTO comparison = SONDE_BUF(4 << 20);
    int r = sonde_results_compare(p->runs.db, p->runs.none, p->runs.none, &p->request, &comparison,
                                  NULL);
    if (r == 0) {
        assert_whole(&comparison, &p->comparison);
    }
    return r;
}

static void measures_take_no_allocation_for_granted(void **state)
{
    (void)state;
    struct printed p = {.request = {.heap_bytes_max = UINT64_MAX}};
    const struct sonde_artifact artifact = {.name = "report.0",
                                            .capture = "report",
                                            .type = SONDE_ARTIFACT_REPORT,
                                            .media_type = "application/json"};
    heap_runs_init(&p.runs);
    heap_runs_add(&p.runs, p.runs.none, &artifact,
                  SONDE_STR("{\"header\":{\"nodejsVersion\":\"v22\"},\"javascriptHeap\":"
                            "{\"usedMemory\":5000000},\"libuv\":[]}"));
    for (int format = SONDE_RESULTS_TEXT; format <= (int)SONDE_RESULTS_HTML; format++) {
        p.request.format = (enum sonde_results_report_format)format;
        p.comparison = 0;
        fail_each_allocation(compare_measures, &p);
        assert_true(p.comparison != 0);
    }
    heap_runs_fini(&p.runs);
}

static int read_waits(void *context)
{
    const struct heap_runs *runs = context;
    struct sonde_profile profile;
    SONDE_BUF_AUTO capture = SONDE_BUF(64);
    int r = sonde_results_profile(runs->db, runs->none, NULL, &profile, &capture, NULL);
    if (r == 0) {
        assert_true(sonde_profile_idles(&profile));
    }
    sonde_profile_fini(&profile);
    return r;
}

static void waits_take_no_allocation_for_granted(void **state)
{
    (void)state;
    struct heap_runs runs;
    struct sonde_artifact artifact = {
        .name = "cpu.w1.0", .capture = "cpu", .process = "w1", .type = SONDE_ARTIFACT_CPU_PROFILE};
    heap_runs_init(&runs);
    heap_runs_add(&runs, runs.none, &artifact,
                  SONDE_STR("{\"nodes\":[{\"id\":1,\"callFrame\":{\"functionName\":\"f\",\"url\":"
                            "\"file:///a.js\"}}],\"startTime\":0,\"endTime\":50000,\"samples\":[1],"
                            "\"timeDeltas\":[0]}"));
    artifact.name = "cpu.context";
    artifact.process = "";
    artifact.type = SONDE_ARTIFACT_CONTEXT;
    heap_runs_add(&runs, runs.none, &artifact,
                  SONDE_STR("{\"waits\":[{\"process\":\"w1\",\"startMicroseconds\":0,\"stretches\":"
                            "\"w50000 0 50000\"}]}"));
    fail_each_allocation(read_waits, &runs);
    heap_runs_fini(&runs);
}

/* The same as ever, or nothing. */
static int compare_with_baseline(void *context)
{
    const struct heap_runs *runs = context;
    const struct sonde_results_baseline baseline = {.strategy = SONDE_BASELINE_PINNED,
                                                    .run = runs->before};
    struct sonde_regression regression;
    struct sonde_checks checks;
    sonde_checks_init(&checks);
    int r = sonde_results_regression(runs->db, runs->after, &baseline, &regression, NULL);
    if (r == 0) {
        const struct sonde_results_checks_wanted wanted = {.regression = &regression};
        assert_true(regression.compared && regression.count == 1);
        assert_string_equal(regression.measures[0].name, "f /a.js");
        r = sonde_results_checks(runs->db, runs->after, &wanted, &checks, NULL);
        assert_true(r < 0 || checks.count == 2);
    }
    sonde_checks_fini(&checks);
    sonde_regression_fini(&regression);
    return r;
}

static void baselines_take_no_allocation_for_granted(void **state)
{
    (void)state;
    struct heap_runs runs;
    const struct sonde_artifact artifact = {
        .name = "cpu.0", .capture = "cpu", .type = SONDE_ARTIFACT_CPU_PROFILE};
    const struct sonde_str profile =
        SONDE_STR("{\"nodes\":[{\"id\":1,\"callFrame\":{\"functionName\":\"f\",\"url\":"
                  "\"file:///a.js\"}}],\"startTime\":0,\"endTime\":50000,\"samples\":[1,1],"
                  "\"timeDeltas\":[0,25000]}");
    heap_runs_init(&runs);
    heap_runs_add(&runs, runs.before, &artifact, profile);
    heap_runs_add(&runs, runs.after, &artifact, profile);
    fail_each_allocation(compare_with_baseline, &runs);
    heap_runs_fini(&runs);
}

/* A snapshot of so many objects, each of a class of its own whose name is long. */
static void add_classes(struct heap_runs *runs, const char *uid, char letter, int count)
{
    enum { NAME_LENGTH = 240 };
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 20);
    char name[NAME_LENGTH + 1] = "";
    memset(name, letter, NAME_LENGTH);
    sonde_buf_printf(
        &text,
        "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\","
        "\"edge_count\"],\"node_types\":[[\"synthetic\",\"object\"],\"string\",\"number\","
        "\"number\",\"number\"],\"edge_fields\":[\"type\",\"name_or_index\","
        "\"to_node\"],\"edge_types\":[[\"element\"],\"number\",\"node\"]},"
        "\"node_count\":%d,\"edge_count\":%d},\"nodes\":[0,0,1,0,%d",
        count + 1, count, count);
    for (int i = 1; i <= count; i++) {
        sonde_buf_printf(&text, ",1,%d,%d,16,0", i, 2 * i + 1);
    }
    sonde_buf_text(&text, "],\"edges\":[0,0,5");
    for (int i = 2; i <= count; i++) {
        sonde_buf_printf(&text, ",0,%d,%d", i, i * 5);
    }
    sonde_buf_text(&text, "],\"strings\":[\"\"");
    for (int i = 1; i <= count; i++) {
        sonde_buf_printf(&text, ",\"%d%s\"", i, name);
    }
    sonde_buf_text(&text, "]}");
    heap_runs_add(runs, uid,
                  &(struct sonde_artifact){.name = "many.0",
                                           .capture = "many",
                                           .type = SONDE_ARTIFACT_HEAP_SNAPSHOT,
                                           .data_class = SONDE_DATA_HEAP},
                  sonde_buf_view(&text));
}

/* With the least bound that a comparison is content with, it keeps to it. */
static void a_comparison_of_many_classes_keeps_to_its_bound(void **state)
{
    (void)state;
    enum { CLASSES = 60000, FROM = 48 << 20, STEP = 4 << 20, TO = 160 << 20 };
    struct heap_runs runs;
    struct sonde_results_request request = {.capture = "many", .heap_bytes_max = FROM};
    int r = SONDE_ELIMIT;
    int64_t peak = 0;
    heap_runs_init(&runs);
    add_classes(&runs, runs.before, 'b', CLASSES);
    add_classes(&runs, runs.after, 'a', CLASSES);
    for (; r == SONDE_ELIMIT && request.heap_bytes_max < TO; request.heap_bytes_max += STEP) {
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
        (void)fail_peak();
        int64_t before = fail_peak();
        r = sonde_results_compare(runs.db, runs.before, runs.after, &request, &text, NULL);
        peak = fail_peak() - before;
    }
    assert_int_equal(r, 0);
    request.heap_bytes_max -= STEP;
    assert_in_range(peak, 1, request.heap_bytes_max);
    heap_runs_fini(&runs);
}

/* Coverage of one script with so many functions, each of its own. */
static void add_coverage(struct heap_runs *runs, const char *uid, const char *capture, int count)
{
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 20);
    char name[SONDE_DB_ARTIFACT_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%s.0", capture);
    sonde_buf_text(&text, "{\"result\":[{\"url\":\"file:///srv/app/a.js\",\"functions\":[");
    for (int i = 0; i < count; i++) {
        sonde_buf_printf(&text,
                         "%s{\"functionName\":\"f\",\"ranges\":[{\"startOffset\":%d,"
                         "\"endOffset\":%d,\"count\":%d}]}",
                         i ? "," : "", i, i + 1, i % 9);
    }
    sonde_buf_text(&text, "]}]}");
    heap_runs_add(
        runs, uid,
        &(struct sonde_artifact){.name = name, .capture = capture, .type = SONDE_ARTIFACT_COVERAGE},
        sonde_buf_view(&text));
}

static int compare_coverage(const struct heap_runs *runs, enum sonde_results_report_format format,
                            struct sonde_err *err)
{
    const struct sonde_results_request request = {.format = format, .heap_bytes_max = UINT64_MAX};
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 20);
    return sonde_results_compare(runs->db, runs->none, runs->none, &request, &text, err);
}

/* What a comparison looks at first is not in memory with what it shows. */
static void comparisons_of_coverage_keep_to_their_memory(void **state)
{
    (void)state;
    enum { SOME = 60000, MANY = 230000, PAGE_BYTES_MAX = 70 << 20 };
    struct heap_runs runs;
    struct sonde_err err = {0};
    heap_runs_init(&runs);
    add_coverage(&runs, runs.none, "one", SOME);
    add_coverage(&runs, runs.none, "two", SOME);
    (void)fail_peak();
    assert_int_equal(compare_coverage(&runs, SONDE_RESULTS_HTML, &err), 0);
    assert_true(fail_peak() < PAGE_BYTES_MAX);
    heap_runs_fini(&runs);
    heap_runs_init(&runs);
    add_coverage(&runs, runs.none, "one", MANY);
    for (int format = SONDE_RESULTS_TEXT; format <= (int)SONDE_RESULTS_HTML; format++) {
        assert_int_equal(compare_coverage(&runs, (enum sonde_results_report_format)format, &err),
                         SONDE_ELIMIT);
        assert_non_null(strstr(err.message, "takes more than 32768 KiB of memory: capture fewer"));
    }
    heap_runs_fini(&runs);
}

/* A map with so many sources, whose mappings go from one to the next. */
static void add_lying_map(struct heap_runs *runs, const char *uid, int sources, int mappings)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_buf_text(&text, "{\"version\":3,\"names\":[],\"sources\":[");
    for (int i = 0; i < sources; i++) {
        sonde_buf_printf(&text, "%s\"/srv/app/%d.ts\"", i ? "," : "", i);
    }
    sonde_buf_text(&text, "],\"sourcesContent\":[");
    for (int i = 0; i < sources; i++) {
        sonde_buf_text(&text, i ? ",\"x\"" : "\"x\"");
    }
    sonde_buf_text(&text, "],\"mappings\":\"AAAA");
    for (int i = 1; i < mappings; i++) {
        sonde_buf_text(&text, i % 2 ? ",CCAA" : ",CDAA");
    }
    sonde_buf_text(&text, "\"}");
    heap_runs_add(runs, uid,
                  &(struct sonde_artifact){
                      .name = "map", .capture = "coverage", .type = SONDE_ARTIFACT_SOURCE_MAP},
                  sonde_buf_view(&text));
    heap_runs_add(runs, uid,
                  &(struct sonde_artifact){
                      .name = "context.0", .capture = "coverage", .type = SONDE_ARTIFACT_CONTEXT},
                  SONDE_STR("{\"lines\":[{\"url\":\"file:///srv/app/a.js\",\"lengths\":[99999]}],"
                            "\"maps\":[{\"artifact\":\"map\",\"url\":\"file:///srv/app/a.js\"}]}"));
}

/* The work is that of sources and mappings, not of each with each. */
static void a_map_that_lies_costs_a_walk_over_it(void **state)
{
    (void)state;
    enum { SOURCES = 400, MAPPINGS = 4000 };
    struct heap_runs runs;
    struct sonde_err err = {0};
    struct sonde_coverage coverage;
    struct sonde_sources sources = SONDE_SOURCES;
    heap_runs_init(&runs);
    add_coverage(&runs, runs.none, "coverage", 10);
    add_lying_map(&runs, runs.none, SOURCES, MAPPINGS);
    REQUIRE_DONE(sonde_results_coverage(runs.db, runs.none, "coverage", SONDE_COVERAGE_BYTES_MAX,
                                        &coverage, &err),
                 &err);
    fail_arm(FAIL_ALLOCATION, 0, false, 0);
    REQUIRE_DONE(
        sonde_covered_sources_add(runs.db, runs.none, "coverage", &coverage, &sources, &err), &err);
    assert_int_equal(sources.count, 2);
    assert_in_range(fail_calls(FAIL_ALLOCATION), SOURCES, 10 * (SOURCES + MAPPINGS));
    sonde_sources_fini(&sources);
    sonde_coverage_fini(&coverage);
    heap_runs_fini(&runs);
}

static int add_covered_sources(void *context)
{
    struct heap_runs *runs = context;
    struct sonde_coverage coverage;
    struct sonde_sources sources = SONDE_SOURCES;
    int r = sonde_results_coverage(runs->db, runs->none, "coverage", SONDE_COVERAGE_BYTES_MAX,
                                   &coverage, NULL);
    r = r < 0 ? r
              : sonde_covered_sources_add(runs->db, runs->none, "coverage", &coverage, &sources,
                                          NULL);
    assert_true(r < 0 || sources.count == 1);
    sonde_sources_fini(&sources);
    sonde_coverage_fini(&coverage);
    return r;
}

static void texts_of_scripts_take_no_allocation_for_granted(void **state)
{
    (void)state;
    struct heap_runs runs;
    heap_runs_init(&runs);
    add_coverage(&runs, runs.none, "coverage", 2);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_buf_text(&text, "{\"sources\":[{\"url\":\"file:///srv/app/a.js\",\"text\":\"");
    for (int i = 0; i < 5000; i++) {
        sonde_buf_char(&text, 'x');
    }
    sonde_buf_text(&text, "\"}]}");
    heap_runs_add(&runs, runs.none,
                  &(struct sonde_artifact){
                      .name = "texts", .capture = "coverage", .type = SONDE_ARTIFACT_SOURCES},
                  sonde_buf_view(&text));
    fail_each_allocation(add_covered_sources, &runs);
    heap_runs_fini(&runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_allocation_is_taken_for_granted),
        cmocka_unit_test(heap_snapshots_take_no_allocation_for_granted),
        cmocka_unit_test(measures_take_no_allocation_for_granted),
        cmocka_unit_test(waits_take_no_allocation_for_granted),
        cmocka_unit_test(baselines_take_no_allocation_for_granted),
        cmocka_unit_test(a_comparison_of_many_classes_keeps_to_its_bound),
        cmocka_unit_test(comparisons_of_coverage_keep_to_their_memory),
        cmocka_unit_test(a_map_that_lies_costs_a_walk_over_it),
        cmocka_unit_test(texts_of_scripts_take_no_allocation_for_granted),
    };
    return cmocka_run_group_tests_name("results_fault", tests, NULL, NULL);
}
