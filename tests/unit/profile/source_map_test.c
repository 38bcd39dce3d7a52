/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "profile/source_map.h"
#include "profile_helpers.h"

static struct sonde_source_map *parse_good(const char *text)
{
    struct sonde_err err = {0};
    struct sonde_source_map *map = NULL;
    if (sonde_source_map_parse(sonde_str(text), &map, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return map;
}

static void assert_found(const struct sonde_source_map *map, int32_t line, int32_t column,
                         const char *source, int32_t source_line, int32_t source_column,
                         const char *name)
{
    struct sonde_mapping mapping;
    if (!sonde_source_map_find(map, line, column, &mapping)) {
        fail_msg("%d:%d has no mapping", line, column);
    }
    assert_true(sonde_str_is(mapping.source, source));
    assert_int_equal(mapping.line, source_line);
    assert_int_equal(mapping.column, source_column);
    assert_true(sonde_str_is(mapping.name, name));
}

/* By hand: line 1 "AAAAA" = column 0 → source 0, 0:0, name 0; "IACC" = column 4 → 1:1; "I" = column
 * 8 → nothing. Line 3 "CCAA" = column 1 → source 1, 1:1; "SAAC" (9 → 10) → source 1, 1:2. */
#define MAPPINGS "AAAAA,IACC,I;;CCAA,SAAC"

static void mappings_by_hand_are_found(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"version\":3,\"sources\":[\"a.ts\",\"b.ts\"],\"names\":[\"first\"],"
        "\"mappings\":\"" MAPPINGS "\",\"sourcesContent\":[\"x\\u0000\",null]}",
        ")]}'\n{\"mappings\":\"" MAPPINGS "\",\"names\":[\"first\"],"
        "\"sources\":[\"a.ts\",\"b.ts\"],\"version\":3}",
    };
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        struct sonde_source_map *map = parse_good(texts[i]);
        struct sonde_mapping mapping;
        assert_found(map, 1, 1, "a.ts", 1, 1, "first");
        assert_found(map, 1, 4, "a.ts", 1, 1, "first");
        assert_found(map, 1, 5, "a.ts", 2, 2, "");
        assert_found(map, 1, 8, "a.ts", 2, 2, "");
        assert_false(sonde_source_map_find(map, 1, 9, &mapping));
        assert_false(sonde_source_map_find(map, 2, 1, &mapping));
        assert_false(sonde_source_map_find(map, 3, 1, &mapping));
        assert_found(map, 3, 2, "b.ts", 2, 2, "");
        assert_found(map, 3, 0, "b.ts", 2, 2, "");
        assert_found(map, 3, 1000000, "b.ts", 2, 3, "");
        assert_false(sonde_source_map_find(map, 4, 1, &mapping));
        assert_false(sonde_source_map_find(map, 0, 1, &mapping));
        sonde_source_map_free(map);
    }
}

static void index_maps_are_joined(void **state)
{
    (void)state;
    struct sonde_source_map *map = parse_good(
        "{\"version\":3,\"sections\":["
        "{\"offset\":{\"line\":0,\"column\":0},\"map\":{\"version\":3,\"sources\":[\"a.ts\"],"
        "\"names\":[\"x\"],\"mappings\":\"AAAAA\"}},"
        "{\"offset\":{\"line\":0,\"column\":100},\"map\":{\"version\":3,\"sourceRoot\":\"lib\","
        "\"sources\":[\"b.ts\",\"/c.ts\",\"webpack://d.ts\"],\"names\":[\"y\"],"
        "\"mappings\":\"AAAAA,EAAE;ACAA,ECAA\"}}]}");
    assert_found(map, 1, 50, "a.ts", 1, 1, "x");
    assert_found(map, 1, 101, "lib/b.ts", 1, 1, "y");
    assert_found(map, 1, 103, "lib/b.ts", 1, 3, "");
    assert_found(map, 2, 1, "/c.ts", 1, 3, "");
    assert_found(map, 2, 3, "webpack://d.ts", 1, 3, "");
    sonde_source_map_free(map);
}

#define MAP(mappings)                                                                              \
    "{\"version\":3,\"sources\":[\"a.ts\"],\"names\":[\"n\"],\"mappings\":\"" mappings "\"}"

static void hostile_maps_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "7",
        "{}",
        "{\"version\":2,\"sources\":[],\"names\":[],\"mappings\":\"\"}",
        "{\"version\":3,\"sources\":[],\"names\":[]}",
        "{\"version\":3,\"sources\":[],\"names\":[],\"mappings\":[]}",
        MAP("A!"),
        MAP("AA"),
        MAP("AAA"),
        MAP("AAAAAA"),
        MAP("AAgggggggggA"),
        MAP("ACAA"),  /* source 1 of 1 */
        MAP("ADAA"),  /* source −1 */
        MAP("AADA"),  /* line −1 */
        MAP("AAAD"),  /* column −1 */
        MAP("AAAAC"), /* name 1 of 1 */
        MAP("D"),     /* generated column −1 */
        MAP("+/////D"),
        "{\"version\":3,\"sections\":[{\"map\":" MAP("AAAA") "}]}",
        "{\"version\":3,\"sections\":[{\"offset\":{\"line\":-1,\"column\":0},\"map\":" MAP(
            "AAAA") "}]}",
        "{\"version\":3,\"sections\":[{\"offset\":{\"line\":1,\"column\":0},\"url\":\"x\"}]}",
        ("{\"version\":3,\"sections\":[{\"offset\":{\"line\":0,\"column\":0},"
         "\"map\":{\"version\":3,\"sections\":[]}}]}"),
    };
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        struct sonde_source_map *map = NULL;
        struct sonde_err err = {0};
        int r = sonde_source_map_parse(sonde_str(texts[i]), &map, &err);
        if (r != SONDE_EPARSE || map || !err.message[0]) {
            fail_msg("%s gave %d: %s", texts[i], r, err.message);
        }
    }
}

/* ---- random maps against a linear search ---- */

enum { LINES = 12, SEGMENTS = 200 };

struct plain_segment {
    int32_t line, column, source, source_line, source_column, name; /* 0-based; source −1: none */
};

static void put_number(struct sonde_buf *text, int32_t *last, int32_t value)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int64_t delta = (int64_t)value - *last;
    uint64_t rest = delta < 0 ? (uint64_t)-delta << 1 | 1 : (uint64_t)delta << 1;
    do {
        sonde_buf_char(text, digits[(rest & 31) | (rest > 31 ? 32 : 0)]);
        rest >>= 5;
    } while (rest);
    *last = value;
}

static void encode(const struct plain_segment *segments, size_t count, struct sonde_buf *text)
{
    int32_t at_line = 0;
    int32_t column = 0;
    int32_t source = 0;
    int32_t source_line = 0;
    int32_t source_column = 0;
    int32_t name = 0;
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        const struct plain_segment *s = &segments[i];
        for (; at_line < s->line; at_line++) {
            sonde_buf_char(text, ';');
            column = 0;
            first = true;
        }
        sonde_buf_text(text, first ? "" : ",");
        first = false;
        put_number(text, &column, s->column);
        if (s->source >= 0) {
            put_number(text, &source, s->source);
            put_number(text, &source_line, s->source_line);
            put_number(text, &source_column, s->source_column);
        }
        if (s->source >= 0 && s->name >= 0) {
            put_number(text, &name, s->name);
        }
    }
}

static size_t make_segments(struct plain_segment *segments, uint64_t *seed)
{
    size_t count = 0;
    for (int32_t line = 0; line < LINES; line++) {
        int32_t column = 0;
        size_t on_line = sonde_random_next(seed) % (SEGMENTS / LINES);
        for (size_t i = 0; i < on_line; i++) {
            column += 1 + (int32_t)(sonde_random_next(seed) % 5000);
            segments[count++] = (struct plain_segment){
                .line = line,
                .column = column,
                .source = (int32_t)(sonde_random_next(seed) % 4) - 1,
                .source_line = (int32_t)(sonde_random_next(seed) % 100000),
                .source_column = (int32_t)(sonde_random_next(seed) % 300),
                .name = (int32_t)(sonde_random_next(seed) % 3) - 1,
            };
        }
    }
    return count;
}

static void a_search_finds_what_a_walk_finds(void **state)
{
    (void)state;
    static const char *const sources[] = {"a.ts", "b.ts", "c.ts"};
    static const char *const names[] = {"x", "y"};
    uint64_t seed = test_seed();
    for (int round = 0; round < 50; round++) {
        struct plain_segment segments[SEGMENTS];
        size_t count = make_segments(segments, &seed);
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
        sonde_buf_text(&text, "{\"version\":3,\"sources\":[\"a.ts\",\"b.ts\",\"c.ts\"],"
                              "\"names\":[\"x\",\"y\"],\"mappings\":\"");
        encode(segments, count, &text);
        sonde_buf_text(&text, "\"}");
        struct sonde_source_map *map = parse_good(text.data);
        for (int probe = 0; probe < 500; probe++) {
            int32_t line = (int32_t)(sonde_random_next(&seed) % (LINES + 1));
            int32_t column = (int32_t)(sonde_random_next(&seed) % 40000);
            if (count && probe % 2) {
                const struct plain_segment *near = &segments[sonde_random_next(&seed) % count];
                line = near->line;
                column = near->column + (int32_t)(sonde_random_next(&seed) % 3) - 1;
            }
            const struct plain_segment *best = NULL;
            for (size_t i = 0; i < count; i++) {
                if (segments[i].line == line && segments[i].column <= column) {
                    best = &segments[i];
                }
            }
            struct sonde_mapping mapping;
            if (best && best->source >= 0) {
                assert_found(map, line + 1, column + 1, sources[best->source],
                             best->source_line + 1, best->source_column + 1,
                             best->name < 0 ? "" : names[best->name]);
            } else {
                assert_false(sonde_source_map_find(map, line + 1, column + 1, &mapping));
            }
        }
        sonde_source_map_free(map);
    }
}

/* ---- where a script says its map is ---- */

static void the_last_comment_names_the_map(void **state)
{
    (void)state;
    static const struct {
        const char *script, *url;
    } rows[] = {
        {"let a;\n//# sourceMappingURL=a.js.map", "a.js.map"},
        {"let a;\n//# sourceMappingURL=a.js.map\n", "a.js.map"},
        {"//# sourceMappingURL=one.map\nlet a;\n//# sourceMappingURL=two.map\r\n\r\n", "two.map"},
        {"let a;\n//@ sourceMappingURL=old.map", "old.map"},
        {"a{}\n/*# sourceMappingURL=a.css.map */", "a.css.map"},
        {"//# sourceMappingURL=data:application/json;base64,e30=",
         "data:application/json;base64,e30="},
        {"let a = '# sourceMappingURL=no.map';", ""},
        {"let a;", ""},
        {"", ""},
        {"//# sourceMappingURL=", ""},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sonde_str url = sonde_source_map_url(sonde_str(rows[i].script));
        if (!sonde_str_is(url, rows[i].url)) {
            fail_msg("'%s' gave '%.*s'", rows[i].script, SONDE_STR_ARG(url));
        }
    }
}

static void inline_maps_are_decoded(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1000);
    assert_int_equal(sonde_source_map_inline(
                         SONDE_STR("data:application/json;charset=utf-8;base64,e30="), &text, NULL),
                     0);
    assert_string_equal(text.data, "{}");
    assert_int_equal(sonde_source_map_inline(SONDE_STR("a.js.map"), &text, NULL), SONDE_EINVALID);
    assert_true(sonde_source_map_inline(SONDE_STR("data:x;base64,!!"), &text, NULL) < 0);
}

/* ---- maps on profiles ---- */

#define SCRIPT "file:///app/dist/main.js"

static uint32_t add_frame(struct sonde_profile *profile, const char *name, const char *url,
                          int32_t line, int32_t column)
{
    uint32_t frame;
    assert_int_equal(
        sonde_profile_frame(profile, sonde_str(name), sonde_str(url), line, column, &frame, NULL),
        0);
    return frame;
}

static void a_map_may_come_at_any_time_and_be_replaced(void **state)
{
    (void)state;
    struct sonde_profile profile;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    uint32_t main_frame = add_frame(&profile, "e", SCRIPT, 1, 2);
    uint32_t other = add_frame(&profile, "e", "file:///app/dist/other.js", 1, 2);
    uint32_t library = add_frame(&profile, "r", SCRIPT, 3, 2);
    assert_int_equal(sonde_profile_add_ticks(&profile, main_frame, 1, 5, NULL), 0);
    assert_int_equal(sonde_profile_add_ticks(&profile, library, 4, 5, NULL), 0);
    /* 1:1 → handler at a.ts 41:3; line 3 → a package; line 4 → line 8 of it */
    struct sonde_source_map *map = parse_good(
        "{\"version\":3,\"sources\":[\"../src/a.ts\",\"webpack:///./node_modules/@s/x/i.js\"],"
        "\"names\":[\"handler\"],\"mappings\":\"AAwCEA;;CCAA;EAPF\"}");
    assert_int_equal(sonde_profile_apply_source_map(&profile, SONDE_STR(SCRIPT), map, NULL), 0);
    sonde_source_map_free(map);

    const struct sonde_frame *frame = &profile.frames[main_frame];
    assert_true(sonde_str_is(frame->source.file, "file:///app/src/a.ts"));
    assert_int_equal(frame->source.line, 41);
    assert_int_equal(frame->source.column, 3);
    assert_true(sonde_str_is(sonde_frame_name(frame), "handler"));
    assert_true(sonde_str_is(frame->function, "e"));
    assert_true(sonde_str_is(frame->generated.file, SCRIPT));
    assert_int_equal(frame->generated.line, 1);
    assert_int_equal(profile.lines[0].source_line, 41);
    assert_int_equal(profile.frames[other].source.file.length, 0);

    frame = &profile.frames[library];
    assert_int_equal(frame->category, SONDE_CATEGORY_DEPENDENCY);
    assert_true(sonde_str_is(frame->package, "@s/x"));
    assert_int_equal(profile.lines[1].source_line, 34);

    map = parse_good("{\"version\":3,\"sources\":[\"better.ts\"],\"names\":[],"
                     "\"mappings\":\"AAEA\"}");
    assert_int_equal(sonde_profile_apply_source_map(&profile, SONDE_STR(SCRIPT), map, NULL), 0);
    sonde_source_map_free(map);
    frame = &profile.frames[main_frame];
    assert_true(sonde_str_is(frame->source.file, "file:///app/dist/better.ts"));
    assert_int_equal(frame->source.line, 3);
    assert_true(sonde_str_is(sonde_frame_name(frame), "e"));
    assert_int_equal(profile.lines[0].source_line, 3);
    sonde_profile_fini(&profile);
}

/* V8 says where the parameters begin. The name in front of them is the function's; a name that
 * stands at that very place is the first parameter's (of an arrow function). */
static void a_name_is_the_functions_own(void **state)
{
    (void)state;
    /* "function e(t){…}": e at column 9 → name 0 "load" at 5:9, t at 11 → name 1 "id";
     * "r=t=>…" on line 2: t at column 2 → name 1 "id"; "u=t=>…" on line 3: u at column 0 → name 0,
     * t at column 2 → name 1 */
    struct sonde_source_map *map =
        parse_good("{\"version\":3,\"sources\":[\"a.ts\"],\"names\":[\"load\",\"id\"],"
                   "\"mappings\":\"AAIA,SAASA,EAAKC;EAELA;AAELD,EAAEC\"}");
    struct sonde_profile profile;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    uint32_t named = add_frame(&profile, "e", SCRIPT, 1, 11);
    uint32_t arrow = add_frame(&profile, "r", SCRIPT, 2, 3);
    uint32_t assigned = add_frame(&profile, "u", SCRIPT, 3, 3);
    assert_int_equal(sonde_profile_apply_source_map(&profile, SONDE_STR(SCRIPT), map, NULL), 0);
    assert_true(sonde_str_is(sonde_frame_name(&profile.frames[named]), "load"));
    assert_int_equal(profile.frames[named].source.line, 5);
    assert_true(sonde_str_is(sonde_frame_name(&profile.frames[arrow]), "r"));
    assert_true(sonde_str_is(sonde_frame_name(&profile.frames[assigned]), "load"));
    assert_int_equal(profile.frames[arrow].source.line, 7);
    sonde_source_map_free(map);
    sonde_profile_fini(&profile);
}

struct passed {
    int count, stop_after;
    char files[4][64], texts[4][64];
    size_t numbers[4];
};

static int take_text(void *context, size_t number, struct sonde_str file, struct sonde_str text,
                     struct sonde_err *err)
{
    struct passed *passed = context;
    assert_true(passed->count < 4);
    passed->numbers[passed->count] = number;
    (void)snprintf(passed->files[passed->count], 64, "%.*s", SONDE_STR_ARG(file));
    (void)snprintf(passed->texts[passed->count++], 64, text.data ? "%.*s" : "(none)%.*s",
                   SONDE_STR_ARG(text));
    return passed->count == passed->stop_after ? sonde_fail(err, SONDE_EIO, 0, "enough") : 0;
}

/* The names are those that frames get: the mapping of "a.ts" stands beside the script. */
static void texts_of_sources_are_passed_on(void **state)
{
    (void)state;
    static const char plain[] =
        "{\"version\":3,\"sourceRoot\":\"../src\",\"names\":[\"first\"],"
        "\"sources\":[\"a.ts\",\"b.ts\",\"webpack:///./c.ts\",\"d.ts\"],"
        "\"mappings\":\"" MAPPINGS "\",\"sourcesContent\":[\"one\",null,\"three\"]}";
    static const char sections[] =
        ")]}'\n{\"version\":3,\"sections\":[{\"offset\":{\"line\":0,\"column\":0},\"map\":"
        "{\"version\":3,\"sources\":[\"/x.ts\",\"/w.ts\"],\"names\":[],\"mappings\":\"\","
        "\"sourcesContent\":[\"ex\"]}},{\"offset\":{\"line\":1,\"column\":0},\"map\":"
        "{\"version\":3,\"sources\":[\"/y.ts\"],\"names\":[],\"mappings\":\"AAAA\","
        "\"sourcesContent\":[\"why\"]}}]}";
    const struct sonde_str url = SONDE_STR("file:///app/dist/a.js");
    struct passed passed = {0};
    struct sonde_err err;
    assert_int_equal(sonde_source_map_texts(sonde_str(plain), url, take_text, &passed, NULL), 0);
    assert_int_equal(passed.count, 4);
    assert_string_equal(passed.files[0], "file:///app/src/a.ts");
    assert_string_equal(passed.texts[0], "one");
    assert_string_equal(passed.files[1], "file:///app/src/b.ts");
    assert_string_equal(passed.texts[1], "(none)");
    assert_string_equal(passed.files[2], "c.ts");
    assert_string_equal(passed.texts[2], "three");
    assert_int_equal(passed.numbers[2], 2);
    assert_string_equal(passed.files[3], "file:///app/src/d.ts");
    assert_string_equal(passed.texts[3], "(none)");
    passed = (struct passed){0};
    assert_int_equal(sonde_source_map_texts(sonde_str(sections), url, take_text, &passed, NULL), 0);
    assert_int_equal(passed.count, 3);
    assert_string_equal(passed.files[0], "/x.ts");
    assert_string_equal(passed.files[1], "/w.ts");
    assert_string_equal(passed.texts[1], "(none)");
    /* Numbers go on from one section to the next, as those of mappings do. */
    assert_string_equal(passed.files[2], "/y.ts");
    assert_int_equal(passed.numbers[2], 2);
    struct sonde_source_map *map = NULL;
    struct sonde_mapping mapping;
    assert_int_equal(sonde_source_map_parse(sonde_str(sections), &map, NULL), 0);
    assert_int_equal(sonde_source_map_sources(map), 3);
    assert_true(sonde_source_map_find(map, 2, 1, &mapping));
    assert_int_equal(mapping.source_number, 2);
    sonde_source_map_free(map);
    passed = (struct passed){.stop_after = 1};
    assert_int_equal(sonde_source_map_texts(sonde_str(plain), url, take_text, &passed, &err),
                     SONDE_EIO);
    assert_int_equal(passed.count, 1);
    assert_int_equal(sonde_source_map_texts(SONDE_STR("{"), url, take_text, &passed, &err),
                     SONDE_EPARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_by_hand_are_found),
        cmocka_unit_test(index_maps_are_joined),
        cmocka_unit_test(hostile_maps_are_refused),
        cmocka_unit_test(a_search_finds_what_a_walk_finds),
        cmocka_unit_test(the_last_comment_names_the_map),
        cmocka_unit_test(inline_maps_are_decoded),
        cmocka_unit_test(a_map_may_come_at_any_time_and_be_replaced),
        cmocka_unit_test(a_name_is_the_functions_own),
        cmocka_unit_test(texts_of_sources_are_passed_on),
    };
    return cmocka_run_group_tests_name("source_map", tests, NULL, NULL);
}
