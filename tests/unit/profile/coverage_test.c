/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "profile/coverage.h"
#include "profile/coverage_internal.h"
#include "profile_helpers.h"

static int read_coverage(struct sonde_coverage *coverage, struct sonde_str text, size_t step,
                         struct sonde_err *err)
{
    return READ_WITH(coverage, text, step, err, coverage);
}

static void read_good_coverage(struct sonde_coverage *coverage, const char *text)
{
    struct sonde_err err = {0};
    if (read_coverage(coverage, sonde_str(text), 0, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static const struct sonde_coverage_function *function_named(const struct sonde_coverage *c,
                                                            const char *name)
{
    for (size_t i = 0; i < c->function_count; i++) {
        if (sonde_str_is(c->functions[i].name, name)) {
            return &c->functions[i];
        }
    }
    fail_msg("no function %s", name);
    return NULL;
}

/* "0-10:3 10-20:0": the stretches of a function. */
static void assert_segments(const struct sonde_coverage *c, const char *name, const char *expected)
{
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    const struct sonde_coverage_function *function = function_named(c, name);
    for (uint32_t i = 0; i < function->segment_count; i++) {
        const struct sonde_coverage_segment *segment = &c->segments[function->first_segment + i];
        sonde_buf_printf(&text, "%s%u-%u:%" PRIu64, i ? " " : "", segment->start, segment->end,
                         segment->count);
    }
    assert_string_equal(text.data ? text.data : "", expected);
}

#define RANGE(start, end, count)                                                                   \
    "{\"startOffset\":" #start ",\"endOffset\":" #end ",\"count\":" #count "}"

/* As Node.js 22 writes it; the url stands behind the functions once. */
static const char example[] =
    "{\"result\":[{\"scriptId\":\"78\",\"url\":\"file:///app/a.js\",\"functions\":["
    "{\"functionName\":\"\",\"ranges\":[" RANGE(0, 825, 1) "," RANGE(
        810, 824,
        0) "],"
           "\"isBlockCoverage\":true},"
           "{\"functionName\":\"recurse\",\"ranges\":[" RANGE(469, 552, 11) "," RANGE(
               516, 528,
               1) "," RANGE(529, 549,
                            10) "],\"isBlockCoverage\":true},"
                                "{\"functionName\":\"never\",\"ranges\":[" RANGE(
                                    554, 596,
                                    0) "],\"isBlockCoverage\":false}]},"
                                       "{\"scriptId\":\"3\",\"functions\":[{\"ranges\":[" RANGE(
                                           5, 9, 7) "],\"functionName\":\"n\"}],"
                                                    "\"url\":\"node:fs\"}],\"timestamp\":123.5,"
                                                    "\"source-map-cache\":{\"file:///app/"
                                                    "a.js\":{\"lineLengths\":[500,19,400],"
                                                    "\"data\":{\"version\":3,\"mappings\":\"AAAA\","
                                                    "\"lineLengths\":[1]},\"url\":\"a.js.map\"}}}";

static void assert_example(const struct sonde_coverage *c, uint64_t times)
{
    assert_int_equal(c->script_count, 2);
    assert_int_equal(c->function_count, 4);
    assert_int_equal(function_named(c, "recurse")->count, 11 * times);
    assert_int_equal(function_named(c, "never")->count, 0);
    assert_int_equal(c->scripts[0].category, SONDE_CATEGORY_APP);
    assert_int_equal(c->scripts[1].category, SONDE_CATEGORY_NODE);
    assert_true(sonde_str_is(c->scripts[1].url, "node:fs"));
    assert_int_equal(c->scripts[0].line_count, 3);
    assert_int_equal(sonde_coverage_line(c, 0, 0), 1);
    assert_int_equal(sonde_coverage_line(c, 0, 500), 1);
    assert_int_equal(sonde_coverage_line(c, 0, 501), 2);
    assert_int_equal(sonde_coverage_line(c, 0, 521), 3);
    assert_int_equal(sonde_coverage_line(c, 1, 7), 0);
}

static void functions_and_blocks_are_read(void **state)
{
    (void)state;
    for (size_t step = 0; step < 20; step++) {
        struct sonde_coverage c;
        sonde_coverage_init(&c);
        assert_int_equal(read_coverage(&c, sonde_str(example), step, NULL), 0);
        assert_example(&c, 1);
        assert_segments(&c, "recurse", "469-516:11 516-528:1 528-529:11 529-549:10 549-552:11");
        assert_segments(&c, "", "0-810:1 810-824:0 824-825:1");
        assert_segments(&c, "never", "554-596:0");
        sonde_coverage_fini(&c);
    }
}

/* Of two processes that took different branches, only what neither took stays never reached. */
static void processes_add_up(void **state)
{
    (void)state;
#define ONE(ranges)                                                                                \
    "{\"result\":[{\"url\":\"/a.js\",\"functions\":[{\"functionName\":\"f\",\"ranges\":[" ranges   \
    "]}]}]}"
    struct sonde_coverage c;
    sonde_coverage_init(&c);
    read_good_coverage(&c, ONE(RANGE(0, 100, 2) "," RANGE(10, 30, 0) "," RANGE(50, 60, 8)));
    read_good_coverage(&c, ONE(RANGE(0, 100, 1) "," RANGE(20, 40, 0)));
    assert_int_equal(c.function_count, 1);
    assert_int_equal(c.functions[0].count, 3);
    assert_segments(&c, "f", "0-10:3 10-20:1 20-30:0 30-40:2 40-50:3 50-60:9 60-100:3");
    assert_int_equal(c.files, 2);
    sonde_coverage_fini(&c);
}

/* What merging leaves behind is given back after each file: many processes take no more memory. */
static void many_processes_take_the_memory_of_one(void **state)
{
    (void)state;
    struct sonde_coverage c;
    sonde_coverage_init(&c);
    read_good_coverage(&c, example);
    read_good_coverage(&c, example);
    size_t segments = c.segment_count;
    size_t bytes = c.budget.used;
    for (int i = 0; i < 50; i++) {
        read_good_coverage(&c, example);
    }
    assert_int_equal(c.segment_count, segments);
    assert_int_equal(c.budget.used, bytes);
    assert_segments(&c, "recurse", "469-516:572 516-528:52 528-529:572 529-549:520 549-552:572");
    sonde_coverage_fini(&c);
}

/* A list of thousands of a piece of JSON, in which '#' stands for a number of its own. */
static struct sonde_buf repeated(const char *before, const char *piece, const char *after)
{
    enum { TIMES = 5000 };
    struct sonde_buf text = SONDE_BUF(1 << 20);
    sonde_buf_text(&text, before);
    for (int i = 0; i < TIMES; i++) {
        sonde_buf_text(&text, i ? "," : "");
        for (const char *at = piece; *at; at++) {
            if (*at == '#') {
                sonde_buf_printf(&text, "%d", i);
            } else {
                sonde_buf_char(&text, *at);
            }
        }
    }
    sonde_buf_text(&text, after);
    assert_int_equal(text.code, 0);
    return text;
}

static void what_takes_more_memory_than_allowed_is_refused(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"{\"result\":[", "{\"url\":\"/#.js\",\"functions\":[]}", "]}"},
        {"{\"result\":[{\"url\":\"/a.js\",\"functions\":[",
         "{\"functionName\":\"f\",\"ranges\":[{\"startOffset\":#,\"endOffset\":9999,\"count\":1}]}",
         "]}]}"},
        {"{\"result\":[{\"url\":\"/a.js\",\"functions\":[{\"ranges\":[" RANGE(0, 99999, 1) ",",
         "{\"startOffset\":#,\"endOffset\":9999,\"count\":#}", "]}]}]}"},
        {"{\"source-map-cache\":{\"/a.js\":{\"lineLengths\":[", "#", "]}},\"result\":[]}"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sonde_coverage c;
        struct sonde_err err = {0};
        SONDE_BUF_AUTO text = repeated(rows[i][0], rows[i][1], rows[i][2]);
        sonde_coverage_init(&c);
        c.budget.maximum = 16 << 10;
        const struct refused expected = {rows[i][0], SONDE_ELIMIT, "more than 16 KiB of memory"};
        assert_refused(&expected, read_coverage(&c, sonde_buf_view(&text), 0, &err), &err);
        assert_true(c.budget.used <= c.budget.maximum);
        sonde_coverage_fini(&c);
    }
}

static void hostile_coverage_is_refused(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {"", SONDE_EPARSE, ""},
        {"{}", SONDE_EPARSE, "no result"},
        {"[]", SONDE_EPARSE, "no result"},
        {ONE(RANGE(9, 3, 1)), SONDE_EPARSE, "from 9 to 3"},
        {"{\"result\":[", SONDE_EPARSE, ""},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sonde_coverage c;
        struct sonde_err err = {0};
        sonde_coverage_init(&c);
        assert_refused(&rows[i], read_coverage(&c, sonde_str(rows[i].text), 0, &err), &err);
        sonde_coverage_fini(&c);
    }
}

/* Numbers of an object in their place are no lengths: there is no script that they are of. */
static void lengths_of_lines_stand_in_an_array(void **state)
{
    (void)state;
    struct sonde_coverage c;
    sonde_coverage_init(&c);
    read_good_coverage(&c,
                       "{\"source-map-cache\":{\"/a.js\":{\"lineLengths\":{\"x\":7,\"y\":[8]}}},"
                       "\"result\":[]}");
    assert_int_equal(c.line_count, 0);
    sonde_coverage_fini(&c);
}

static void odd_ranges_are_cut(void **state)
{
    (void)state;
    struct sonde_coverage c;
    sonde_coverage_init(&c);
    read_good_coverage(&c, "{\"result\":[]}");
    assert_int_equal(c.function_count, 0);
    /* beyond the function, overlapping one another, empty, negative, huge */
    read_good_coverage(
        &c, ONE(RANGE(10, 50, 1) "," RANGE(0, 20, 2) "," RANGE(15, 30, 3) "," RANGE(
                40, 4000, 4) "," RANGE(35, 35, 5) "," RANGE(36, 37, -6) "," RANGE(38, 39, 1e300)));
    assert_segments(&c, "f",
                    "10-15:2 15-20:3 20-36:1 36-37:0 37-38:1 38-39:9007199254740992 39-40:1 "
                    "40-50:4");
    sonde_coverage_fini(&c);
}

enum { WIDTH = 60, NESTED = 16 };

static bool is_there(const struct sonde_coverage_segment *ranges, size_t count, uint32_t start,
                     uint32_t end)
{
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].start == start && ranges[i].end == end) {
            return true;
        }
    }
    return false;
}

/* Halves of ranges that are there, so they nest; none twice. Returns how many. */
static size_t make_nested(struct sonde_coverage_segment ranges[NESTED], uint64_t *seed)
{
    size_t count = 1;
    ranges[0] = (struct sonde_coverage_segment){0, WIDTH, 1};
    for (size_t i = 1; i < NESTED; i++) {
        struct sonde_coverage_segment half = ranges[sonde_random_next(seed) % count];
        uint32_t middle = (half.start + half.end) / 2;
        if (sonde_random_next(seed) % 2) {
            half.end = middle;
        } else {
            half.start = middle;
        }
        half.count = sonde_random_next(seed) % 3;
        if (!is_there(ranges, count, half.start, half.end)) {
            ranges[count++] = half;
        }
    }
    return count;
}

/* The count of the smallest range that holds a place. */
static uint64_t painted(const struct sonde_coverage_segment *ranges, size_t count, uint32_t at)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        bool holds = ranges[i].start <= at && at < ranges[i].end;
        if (holds && ranges[i].end - ranges[i].start < ranges[best].end - ranges[best].start) {
            best = i;
        }
    }
    return ranges[best].count;
}

static void nested_ranges_are_flattened_as_by_painting(void **state)
{
    (void)state;
    enum { ROUNDS = 400 };
    uint64_t seed = test_seed();
    for (int round = 0; round < ROUNDS; round++) {
        struct sonde_coverage_segment ranges[NESTED];
        struct sonde_coverage_segment given[NESTED];
        struct sonde_coverage c;
        struct sonde_str name;
        uint32_t script;
        size_t count = make_nested(ranges, &seed);
        memcpy(given, ranges, sizeof(given));
        sonde_coverage_init(&c);
        assert_int_equal(sonde_coverage_script(&c, SONDE_STR("/a.js"), &script, NULL), 0);
        assert_int_equal(sonde_coverage_intern(&c, SONDE_STR("f"), &name, NULL), 0);
        assert_int_equal(sonde_coverage_function(&c, script, name, given, count, NULL), 0);
        uint32_t at = 0;
        for (size_t i = 0; i < c.segment_count; i++) {
            assert_int_equal(c.segments[i].start, at);
            for (; at < c.segments[i].end; at++) {
                assert_int_equal(c.segments[i].count, painted(ranges, count, at));
            }
        }
        assert_int_equal(at, WIDTH);
        sonde_coverage_fini(&c);
    }
}

static void a_written_file_reads_back(void **state)
{
    (void)state;
    struct sonde_coverage c;
    struct sonde_coverage again;
    struct sonde_err err = {0};
    sonde_coverage_init(&c);
    sonde_coverage_init(&again);
    read_good_coverage(&c, example);
    read_good_coverage(&c, example);
    SONDE_BUF_AUTO written = SONDE_BUF(WRITTEN_MAX);
    struct sonde_output output = SONDE_OUTPUT(write_to_buf, &written);
    assert_int_equal(sonde_coverage_write(&c, &output, &err), 0);
    if (read_coverage(&again, sonde_buf_view(&written), 7, &err) != 0) {
        fail_msg("%s\n%s", err.message, written.data);
    }
    assert_example(&again, 2);
    assert_segments(&again, "recurse", "469-516:22 516-528:2 528-529:22 529-549:20 549-552:22");
    sonde_output_fini(&output);
    sonde_coverage_fini(&c);
    sonde_coverage_fini(&again);
}

static void lines_come_from_their_lengths(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1, 4, 0, 3};
    static const int32_t lines[] = {1, 1, 2, 2, 2, 2, 2, 3, 4, 4};
    struct sonde_coverage c;
    sonde_coverage_init(&c);
    read_good_coverage(&c, ONE(RANGE(0, 11, 1)));
    assert_int_equal(sonde_coverage_line(&c, 0, 5), 0);
    /* Code behind the last line: these are not the lines of what ran. */
    assert_int_equal(sonde_coverage_add_lengths(&c, SONDE_STR("/a.js"), lengths, 3, NULL), 0);
    assert_int_equal(sonde_coverage_line(&c, 0, 5), 0);
    assert_int_equal(sonde_coverage_add_lengths(&c, SONDE_STR("/b.js"), lengths, 4, NULL), 0);
    assert_int_equal(c.script_count, 1);
    assert_int_equal(sonde_coverage_add_lengths(&c, SONDE_STR("/a.js"), lengths, 4, NULL), 0);
    for (uint32_t i = 0; i < SONDE_LENGTH(lines); i++) {
        assert_int_equal(sonde_coverage_line(&c, 0, i), lines[i]);
    }
    /* What is known stays. */
    assert_int_equal(sonde_coverage_add_lengths(&c, SONDE_STR("/a.js"), (uint32_t[]){99}, 1, NULL),
                     0);
    assert_int_equal(sonde_coverage_line(&c, 0, 9), 4);
    sonde_coverage_fini(&c);
    /* More lines than there is room for are left out. */
    size_t many = (size_t)SONDE_COVERAGE_LINES_MAX + 1;
    uint32_t *zeros = calloc(many, sizeof(*zeros));
    assert_non_null(zeros);
    sonde_coverage_init(&c);
    read_good_coverage(&c, ONE(RANGE(0, 11, 1)));
    assert_int_equal(sonde_coverage_add_lengths(&c, SONDE_STR("/a.js"), zeros, many, NULL), 0);
    assert_int_equal(sonde_coverage_line(&c, 0, 5), 0);
    assert_int_equal(sonde_coverage_add_lengths(&c, SONDE_STR("/a.js"), zeros, many - 1, NULL), 0);
    assert_int_equal(sonde_coverage_line(&c, 0, 5), 6);
    free(zeros);
    sonde_coverage_fini(&c);
}

/* function e(t){if(t)x()} with e from line 4 of the source, x() from line 6; and two lines below,
 * g, from another source. */
static const char mapped[] =
    "{\"result\":[{\"url\":\"file:///app/dist/a.js\",\"functions\":[{\"functionName\":\"\","
    "\"ranges\":[" RANGE(0, 70, 1) "]},{\"functionName\":\"e\",\"ranges\":[" RANGE(
        0, 23, 5) "," RANGE(19, 22,
                            0) "]},{\"functionName\":\"longName\",\"ranges\":[" RANGE(30, 60,
                                                                                      0) "]}]}]}";
static const char map_text[] =
    "{\"version\":3,\"sources\":[\"../src/a.ts\",\"../node_modules/x/i.js\"],"
    "\"names\":[\"checksumOf\",\"argument\"],"
    /* 0 → a.ts 4:1; 9 (e) → 4:10 checksumOf; 11 (t) → 4:21 argument; 13 → 5:3; 19 → 6:5; then the
     * second line: 6 → i.js 2:1 */
    "\"mappings\":\"AAGA,SAASA,EAAWC,EAClB,MACE;MCJJ\"}";

static void places_come_from_a_source_map(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {23, 46};
    struct sonde_source_map *map = NULL;
    struct sonde_coverage c;
    struct sonde_str url = SONDE_STR("file:///app/dist/a.js");
    sonde_coverage_init(&c);
    read_good_coverage(&c, mapped);
    assert_int_equal(sonde_source_map_parse(sonde_str(map_text), &map, NULL), 0);
    /* Without lines an offset is no place. */
    assert_int_equal(sonde_coverage_apply_source_map(&c, url, map, NULL), 0);
    assert_true(sonde_str_is(sonde_coverage_name(&c, 1), "e"));
    assert_int_equal(sonde_coverage_add_lengths(&c, url, lengths, 2, NULL), 0);
    assert_int_equal(sonde_coverage_position(&c, 1).line, 1);
    c.budget.maximum = c.budget.used;
    assert_int_equal(sonde_coverage_apply_source_map(&c, url, map, NULL), SONDE_ELIMIT);
    c.budget.maximum = SONDE_COVERAGE_BYTES_MAX;
    assert_int_equal(sonde_coverage_apply_source_map(&c, url, map, NULL), 0);
    assert_true(sonde_str_is(sonde_coverage_name(&c, 1), "checksumOf"));
    assert_true(sonde_str_is(sonde_coverage_position(&c, 1).file, "file:///app/src/a.ts"));
    assert_int_equal(sonde_coverage_position(&c, 1).line, 4);
    assert_int_equal(sonde_coverage_category(&c, 1), SONDE_CATEGORY_APP);
    uint32_t block = c.functions[1].first_segment + 1;
    assert_int_equal(c.segments[block].count, 0);
    assert_int_equal(sonde_coverage_place(&c, 1, block).line, 6);
    assert_int_equal(sonde_coverage_place(&c, 1, block).last_line, 6);
    /* What a bundler took in is of its package; a name that is not short is the source's own. */
    assert_true(sonde_str_is(sonde_coverage_name(&c, 2), "longName"));
    assert_int_equal(sonde_coverage_category(&c, 2), SONDE_CATEGORY_DEPENDENCY);
    assert_int_equal(sonde_coverage_position(&c, 2).line, 2);
    sonde_source_map_free(map);
    sonde_coverage_fini(&c);
}

static void assert_mark(const struct sonde_coverage_mark *mark, int64_t least, int64_t most)
{
    assert_int_equal(mark->has_code ? (int64_t)mark->least : -1, least);
    assert_int_equal(mark->has_code ? (int64_t)mark->most : -1, most);
}

static void lines_of_a_source_are_marked(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {23, 46};
    struct sonde_source_map *map = NULL;
    struct sonde_coverage c;
    struct sonde_str url = SONDE_STR("file:///app/dist/a.js");
    struct sonde_coverage_stretch *stretches = NULL;
    size_t count = 0;
    uint32_t first[1];
    uint32_t next[3];
    sonde_coverage_init(&c);
    read_good_coverage(&c, mapped);
    assert_int_equal(sonde_source_map_parse(sonde_str(map_text), &map, NULL), 0);
    assert_int_equal(sonde_coverage_add_lengths(&c, url, lengths, 2, NULL), 0);
    sonde_coverage_link(&c, first, next);
    assert_int_equal(sonde_coverage_stretches(&c, first[0], next, &stretches, &count, NULL), 0);
    /* The innermost function counts. */
    static const uint32_t ends[] = {19, 22, 23, 30, 60, 70};
    static const uint32_t functions[] = {1, 1, 1, 0, 2, 0};
    static const uint64_t counts[] = {5, 0, 5, 1, 0, 1};
    assert_int_equal(count, SONDE_LENGTH(ends));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(stretches[i].start, i ? ends[i - 1] : 0);
        assert_int_equal(stretches[i].end, ends[i]);
        assert_int_equal(stretches[i].function, functions[i]);
        assert_int_equal(stretches[i].count, counts[i]);
    }
    struct sonde_coverage_mark marks[6] = {0};
    struct sonde_coverage_mapped place;
    size_t others = 0;
    for (size_t at = 0; sonde_coverage_next_mapped(&c, 0, map, stretches, count, &at, &place);) {
        others += place.source;
        if (place.source == 0) {
            assert_true(place.line <= (int32_t)SONDE_LENGTH(marks));
            sonde_coverage_mark(&marks[place.line - 1], place.count);
        }
    }
    assert_int_equal(others, 1);
    assert_mark(&marks[0], -1, -1);
    assert_mark(&marks[3], 5, 5);
    assert_mark(&marks[4], 5, 5);
    assert_mark(&marks[5], 0, 0);
    free(stretches);
    sonde_source_map_free(map);
    sonde_coverage_fini(&c);
}

/* Of a script's own text: offsets are in UTF-16 units, of which an emoji has two. */
static void lines_of_a_text_are_marked(void **state)
{
    (void)state;
    static const char text[] = "/* head\n"                         /* 0 to 7 */
                               " */\n"                             /* 8 */
                               "\n"                                /* 12 */
                               "const s = '\xf0\x9f\x98\x80';\r\n" /* 13: 15 units and \r */
                               "  // f\n"                          /* 30 */
                               "function f() { return g(); }\n"    /* 37, its body from 50 on */
                               "/* a */ f();\n"                    /* 66 */
                               "/* b */";                          /* 79 */
    static const struct sonde_coverage_stretch stretches[] = {
        {8, 30, 1, 0}, {30, 50, 2, 1}, {50, 66, 0, 1}, {66, 86, 7, 2}};
    static const int64_t expected[][2] = {{-1, -1}, {-1, -1}, {-1, -1}, {1, 1},
                                          {-1, -1}, {0, 2},   {7, 7},   {-1, -1}};
    struct sonde_coverage_mark marks[SONDE_LENGTH(expected)] = {0};
    sonde_coverage_mark_text(stretches, SONDE_LENGTH(stretches), sonde_str(text), marks);
    for (size_t i = 0; i < SONDE_LENGTH(expected); i++) {
        assert_mark(&marks[i], expected[i][0], expected[i][1]);
    }
    struct sonde_coverage_mark none = {0};
    sonde_coverage_mark_text(stretches, SONDE_LENGTH(stretches), SONDE_STR(""), &none);
    sonde_coverage_mark_text(stretches, 0, SONDE_STR("x"), &none);
    assert_mark(&none, -1, -1);
}

/* A script that was loaded before its code was counted has not "never run". */
static void code_that_ran_before_says_nothing(void **state)
{
    (void)state;
    struct sonde_coverage_stretch *stretches = NULL;
    struct sonde_coverage c;
    size_t count = 0;
    uint32_t first[1];
    uint32_t next[2];
    sonde_coverage_init(&c);
    read_good_coverage(
        &c, "{\"result\":[{\"url\":\"/a.js\",\"functions\":[{\"functionName\":\"\","
            "\"ranges\":[" RANGE(0, 90, 0) "]},{\"functionName\":\"f\",\"ranges\":[" RANGE(
                10, 20, 0) "]}]}]}");
    assert_true(sonde_coverage_ran_before(&c, 0));
    assert_false(sonde_coverage_ran_before(&c, 1));
    sonde_coverage_link(&c, first, next);
    assert_int_equal(sonde_coverage_stretches(&c, first[0], next, &stretches, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(stretches[0].start, 10);
    free(stretches);
    sonde_coverage_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_and_blocks_are_read),
        cmocka_unit_test(processes_add_up),
        cmocka_unit_test(many_processes_take_the_memory_of_one),
        cmocka_unit_test(what_takes_more_memory_than_allowed_is_refused),
        cmocka_unit_test(hostile_coverage_is_refused),
        cmocka_unit_test(lengths_of_lines_stand_in_an_array),
        cmocka_unit_test(odd_ranges_are_cut),
        cmocka_unit_test(nested_ranges_are_flattened_as_by_painting),
        cmocka_unit_test(a_written_file_reads_back),
        cmocka_unit_test(lines_come_from_their_lengths),
        cmocka_unit_test(places_come_from_a_source_map),
        cmocka_unit_test(lines_of_a_source_are_marked),
        cmocka_unit_test(lines_of_a_text_are_marked),
        cmocka_unit_test(code_that_ran_before_says_nothing),
    };
    return cmocka_run_group_tests_name("coverage", tests, NULL, NULL);
}
