/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "fail.h"
#include "profile/coverage.h"
#include "profile/cpuprofile.h"
#include "profile/folded.h"
#include "profile/formats.h"
#include "profile/heapprofile.h"
#include "profile/pprof.h"
#include "profile/source_map.h"
#include "profile/waits.h"

static const char window_one[] =
    "{\"nodes\":[{\"id\":1,\"callFrame\":{\"functionName\":\"(root)\",\"url\":\"\"},\"children\":"
    "[2,3]},{\"id\":2,\"callFrame\":{\"functionName\":\"\\u00e9a\",\"url\":\"file:///a.js\","
    "\"lineNumber\":0,\"columnNumber\":3},\"positionTicks\":[{\"line\":1,\"ticks\":2}]},"
    "{\"id\":3,\"callFrame\":{\"functionName\":\"(idle)\",\"url\":\"\"}}],"
    "\"startTime\":0,\"endTime\":100,\"samples\":[2,3,2],\"timeDeltas\":[0,30,-10]}";
static const char window_two[] =
    "{\"nodes\":[{\"id\":7,\"hitCount\":3,\"callFrame\":{\"functionName\":\"b\",\"url\":"
    "\"file:///node_modules/b/b.js\"}}],\"startTime\":90,\"endTime\":200}";
static const char source_map[] =
    "{\"version\":3,\"sections\":[{\"offset\":{\"line\":0,\"column\":0},\"map\":{\"version\":3,"
    "\"sourceRoot\":\"r\",\"sources\":[\"a.ts\"],\"names\":[\"n\"],\"mappings\":\"AAAAA,CAAC\"}}]}";

static int read_window(struct sonde_profile *profile, struct sonde_profile_source *source,
                       const char *text)
{
    struct sonde_cpuprofile_reader *reader = NULL;
    int r = sonde_cpuprofile_reader_new(profile, source, &reader, NULL);
    /* in pieces, so that tokens are kept */
    for (size_t at = 0; r == 0 && text[at]; at++) {
        r = sonde_cpuprofile_feed(reader, text + at, 1, NULL);
    }
    r = r < 0 ? r : sonde_cpuprofile_finish(reader, NULL);
    sonde_cpuprofile_reader_free(reader);
    return r;
}

static int map_sources(struct sonde_profile *profile)
{
    struct sonde_source_map *map = NULL;
    int r = sonde_source_map_parse(sonde_str(source_map), &map, NULL);
    r = r < 0 ? r : sonde_profile_apply_source_map(profile, SONDE_STR("file:///a.js"), map, NULL);
    sonde_source_map_free(map);
    return r;
}

static int take(void *context, const void *data, size_t length, struct sonde_err *err)
{
    (void)data;
    (void)err;
    *(size_t *)context += length;
    return 0;
}

static int write_all(const struct sonde_profile *profile, size_t *written)
{
    struct sonde_output output = SONDE_OUTPUT(take, written);
    int r = sonde_cpuprofile_write(profile, &output, NULL);
    r = r < 0 ? r : sonde_folded_write(profile, &output, NULL);
    r = r < 0 ? r : sonde_speedscope_write(profile, "x", &output, NULL);
    r = r < 0 ? r : sonde_pprof_write(profile, 1, &output, NULL);
    sonde_output_fini(&output);
    return r;
}

/* Success must be whole: nothing may be left out in silence. */
static int read_map_and_write(void *context)
{
    size_t *expected = context;
    static const struct sonde_wait_stretch stretch = {20, 0, 20, true};
    static const struct sonde_waits waits = {0, &stretch, 1};
    struct sonde_profile profile;
    struct sonde_profile_source source = {.waits = &waits};
    size_t written = 0;
    int r = sonde_profile_init(&profile, NULL);
    r = r < 0 ? r : read_window(&profile, &source, window_one);
    r = r < 0 ? r : read_window(&profile, &source, window_two);
    r = r < 0 ? r : map_sources(&profile);
    r = r < 0 ? r : write_all(&profile, &written);
    if (r == 0) {
        assert_int_equal(profile.total, 200000);
        assert_true(sonde_profile_idles(&profile));
        assert_true(profile.frames[1].source.file.length > 0);
        assert_true(*expected == 0 || *expected == written);
        *expected = written;
    }
    sonde_profile_fini(&profile);
    return r;
}

static void no_allocation_is_taken_for_granted(void **state)
{
    (void)state;
    size_t expected = 0;
    cJSON_InitHooks(&(cJSON_Hooks){malloc, free});
    fail_each_allocation(read_map_and_write, &expected);
    cJSON_InitHooks(NULL);
}

/* ---- bytes ---- */

static const char folded[] = "a file:///a.js:3;b 4096\na file:///a.js:3 1\n";

static int read_folded(struct sonde_profile *profile)
{
    struct sonde_folded_reader *reader = NULL;
    int r = sonde_folded_reader_new(profile, SONDE_PROFILE_BYTES, &reader, NULL);
    for (size_t at = 0; r == 0 && folded[at]; at++) {
        r = sonde_folded_feed(reader, folded + at, 1, NULL);
    }
    r = r < 0 ? r : sonde_folded_finish(reader, NULL);
    sonde_folded_reader_free(reader);
    return r;
}

/* Deep enough for the scanner to allocate. */
static int read_heap(struct sonde_profile *profile)
{
    enum { DEPTH = 300 };
    static const char first[] =
        "{\"head\":{\"id\":1,\"children\":[{\"callFrame\":{\"functionName\":\"\\u00e9\",\"url\":"
        "\"/h.js\"},\"selfSize\":8,\"id\":7,\"children\":[";
    static const char last[] = ",\"samples\":[{\"size\":8,\"nodeId\":7,\"ordinal\":1}]}";
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_buf_text(&text, first);
    for (int i = 0; i < DEPTH; i++) {
        sonde_buf_text(&text, "{\"children\":[");
    }
    for (int i = 0; i < DEPTH + 2; i++) {
        sonde_buf_text(&text, "]}");
    }
    sonde_buf_text(&text, last);
    struct sonde_heapprofile_reader *reader = NULL;
    int r = sonde_buf_check(&text, "the text", NULL);
    r = r < 0 ? r : sonde_heapprofile_reader_new(profile, &reader, NULL);
    r = r < 0 ? r : sonde_heapprofile_feed(reader, text.data, text.length, NULL);
    r = r < 0 ? r : sonde_heapprofile_finish(reader, NULL);
    sonde_heapprofile_reader_free(reader);
    return r;
}

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "what was written", err);
}

/* As gzipped pprof, and read again. */
static int write_and_read_pprof(const struct sonde_profile *profile, struct sonde_profile *again)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    struct sonde_output output = SONDE_OUTPUT(append, &text);
    struct sonde_pprof_reader *reader = NULL;
    int r = sonde_pprof_write(profile, 1, &output, NULL);
    sonde_output_fini(&output);
    r = r < 0 ? r : sonde_pprof_reader_new(again, &reader, NULL);
    r = r < 0 ? r : sonde_pprof_feed(reader, text.data, text.length, NULL);
    r = r < 0 ? r : sonde_pprof_finish(reader, NULL);
    sonde_pprof_reader_free(reader);
    return r;
}

static int read_and_write_bytes(void *context)
{
    size_t *expected = context;
    struct sonde_profile profile;
    struct sonde_profile again = {0};
    size_t written = 0;
    int r = sonde_profile_init(&profile, NULL);
    r = r < 0 ? r : sonde_profile_init(&again, NULL);
    r = r < 0 ? r : read_folded(&profile);
    r = r < 0 ? r : read_heap(&profile);
    r = r < 0 ? r : write_and_read_pprof(&profile, &again);
    if (r == 0) {
        struct sonde_output output = SONDE_OUTPUT(take, &written);
        r = sonde_heapprofile_write(&profile, &output, NULL);
        r = r < 0 ? r : sonde_folded_write(&profile, &output, NULL);
        r = r < 0 ? r : sonde_speedscope_write(&profile, "x", &output, NULL);
        sonde_output_fini(&output);
    }
    if (r == 0) {
        assert_int_equal(profile.total, 4097 + 8);
        assert_int_equal(again.total, profile.total);
        assert_true(*expected == 0 || *expected == written);
        *expected = written;
    }
    sonde_profile_fini(&profile);
    sonde_profile_fini(&again);
    return r;
}

static void no_allocation_of_bytes_is_taken_for_granted(void **state)
{
    (void)state;
    size_t expected = 0;
    fail_each_allocation(read_and_write_bytes, &expected);
}

/* ---- coverage ---- */

static const char coverage_text[] =
    "{\"result\":[{\"scriptId\":\"1\",\"url\":\"file:///a.js\",\"functions\":[{\"functionName\":"
    "\"f\",\"ranges\":[{\"startOffset\":0,\"endOffset\":90,\"count\":3},{\"startOffset\":10,"
    "\"endOffset\":20,\"count\":0}],\"isBlockCoverage\":true}]}],\"source-map-cache\":{"
    "\"file:///a.js\":{\"lineLengths\":[5,8,9]}}}";

static int read_coverage(struct sonde_coverage *coverage)
{
    struct sonde_coverage_reader *reader = NULL;
    int r = sonde_coverage_reader_new(coverage, &reader, NULL);
    for (size_t at = 0; r == 0 && coverage_text[at]; at++) {
        r = sonde_coverage_feed(reader, coverage_text + at, 1, NULL);
    }
    r = r < 0 ? r : sonde_coverage_finish(reader, NULL);
    sonde_coverage_reader_free(reader);
    return r;
}

static int map_coverage(struct sonde_coverage *coverage)
{
    static const char map_text[] =
        "{\"version\":3,\"sources\":[\"a.ts\"],\"names\":[],\"mappings\":\"AAAA\"}";
    struct sonde_str url = coverage->scripts[0].url;
    const uint32_t lengths[] = {coverage->functions[0].end, 0};
    struct sonde_coverage_stretch *stretches = NULL;
    size_t count = 0;
    struct sonde_source_map *map = NULL;
    uint32_t first[8];
    uint32_t next[8];
    int r = sonde_coverage_add_lengths(coverage, url, lengths, 2, NULL);
    r = r < 0 ? r : sonde_source_map_parse(sonde_str(map_text), &map, NULL);
    r = r < 0 ? r : sonde_coverage_apply_source_map(coverage, url, map, NULL);
    sonde_source_map_free(map);
    assert_true(coverage->script_count < 8 && coverage->function_count < 8);
    sonde_coverage_link(coverage, first, next);
    r = r < 0 ? r : sonde_coverage_stretches(coverage, first[0], next, &stretches, &count, NULL);
    free(stretches);
    return r;
}

static int read_and_write_coverage(void *context)
{
    size_t *expected = context;
    struct sonde_coverage coverage;
    size_t written = 0;
    sonde_coverage_init(&coverage);
    int r = read_coverage(&coverage);
    r = r < 0 ? r : read_coverage(&coverage);
    r = r < 0 ? r : map_coverage(&coverage);
    if (r == 0) {
        struct sonde_output output = SONDE_OUTPUT(take, &written);
        r = sonde_coverage_write(&coverage, &output, NULL);
        sonde_output_fini(&output);
    }
    if (r == 0) {
        assert_int_equal(coverage.functions[0].count, 6);
        assert_int_equal(coverage.functions[0].segment_count, 3);
        assert_true(*expected == 0 || *expected == written);
        *expected = written;
    }
    sonde_coverage_fini(&coverage);
    return r;
}

static void no_allocation_of_coverage_is_taken_for_granted(void **state)
{
    (void)state;
    size_t expected = 0;
    fail_each_allocation(read_and_write_coverage, &expected);
}

/* Made beforehand by one that worked: a failure in the middle of the model leaves it usable. */
static int add_to_the_model(void *context)
{
    (void)context;
    struct sonde_profile profile;
    int failed = sonde_profile_init(&profile, NULL);
    for (int32_t i = 0; i < 40 && failed == 0; i++) {
        uint32_t frame;
        uint32_t node = 0;
        for (int attempt = 0; attempt < 2; attempt++) {
            int r = sonde_profile_frame(&profile, SONDE_STR("f"), SONDE_STR("/a.js"), i, 0, &frame,
                                        NULL);
            r = r < 0 ? r : sonde_profile_node(&profile, 0, frame, &node, NULL);
            r = r < 0 ? r : sonde_profile_add_ticks(&profile, frame, i, 1, NULL);
            if (r == 0) {
                assert_int_equal(profile.frames[frame].generated.line, i);
                assert_int_equal(profile.nodes[node].frame, frame);
                assert_int_equal(profile.lines[profile.line_count - 1].line, i);
                break;
            }
            failed = attempt ? r : 0;
        }
    }
    sonde_profile_fini(&profile);
    return failed;
}

static void the_model_outlives_a_failure(void **state)
{
    (void)state;
    fail_each_allocation(add_to_the_model, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_allocation_is_taken_for_granted),
        cmocka_unit_test(no_allocation_of_bytes_is_taken_for_granted),
        cmocka_unit_test(no_allocation_of_coverage_is_taken_for_granted),
        cmocka_unit_test(the_model_outlives_a_failure),
    };
    return cmocka_run_group_tests_name("profile_fault", tests, NULL, NULL);
}
