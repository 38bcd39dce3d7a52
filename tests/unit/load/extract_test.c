/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/extract.h"

static void assert_pointer(const char *text, const char *json, const char *expected)
{
    struct sonde_arena arena = SONDE_ARENA(1 << 16);
    struct sonde_load_pointer pointer;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO said = SONDE_BUF(4096);
    sonde_buf_text(&said, "");
    if (sonde_load_pointer_parse(sonde_str(text), &arena, &pointer, &err) < 0) {
        sonde_buf_text(&said, err.message);
    } else {
        int r = sonde_load_pointer_find(&pointer, sonde_str(json), &said, NULL);
        sonde_buf_text(&said, r == SONDE_ENOTFOUND ? "(none)" : r == SONDE_EPARSE ? "(bad)" : "");
    }
    assert_string_equal(said.data, expected);
    sonde_arena_fini(&arena);
}

static void pointers_find_values(void **state)
{
    (void)state;
    assert_pointer("/a", "{\"a\":\"x\\ny\"}", "x\ny");
    assert_pointer("/a/1/b", "{\"b\":0,\"a\":[{\"b\":1},{\"c\":[7],\"b\":12345678901234567890}]}",
                   "12345678901234567890");
    assert_pointer("/0", "[true]", "true");
    assert_pointer("/1", "[[1,2],null]", "null");
    assert_pointer("/a", "{\"a\": {\"b\": [1, {\"c\": 2}] }, \"d\": 3}",
                   "{\"b\": [1, {\"c\": 2}] }");
    assert_pointer("/a", "{\"x\":{\"a\":1},\"a\":2}", "2");
    assert_pointer("/a~1b/~0", "{\"a/b\":{\"~\":5}}", "5");
    assert_pointer("/", "{\"\":1}", "1");
    assert_pointer("//a", "{\"\":{\"a\":1}}", "1");
    assert_pointer("/0", "{\"0\":\"member\"}", "member");
    assert_pointer("/a", "{\"a\":1,\"b\":", "1"); /* what comes later is not read */
}

static void pointers_miss_what_there_is_not(void **state)
{
    (void)state;
    assert_pointer("/a", "{\"b\":1}", "(none)");
    assert_pointer("/a/b", "{\"a\":1,\"b\":2}", "(none)");
    assert_pointer("/a/b", "{\"a\":{},\"b\":2}", "(none)");
    assert_pointer("/2", "[1,2]", "(none)");
    assert_pointer("/-", "[1,2]", "(none)");
    assert_pointer("/01", "[1,2]", "(none)");
    assert_pointer("/a", "[1,2]", "(none)");
    assert_pointer("/a", "\"a\"", "(none)");
    assert_pointer("/a", "", "(bad)");
    assert_pointer("/a", "{\"b\":1,", "(bad)");
    assert_pointer("/a", "<html>", "(bad)");
    assert_pointer("a", "", "\"a\" is no JSON pointer: begin with /");
    assert_pointer("/~2", "", "a JSON pointer with ~: write ~0 for it, and ~1 for /");
    assert_pointer("/~", "", "a JSON pointer with ~: write ~0 for it, and ~1 for /");
}

static void assert_pattern(const char *text, struct sonde_str in, const char *expected)
{
    struct sonde_load_pattern *pattern = NULL;
    struct sonde_load_matcher *matcher = sonde_load_matcher_new();
    struct sonde_err err = {0};
    struct sonde_str found;
    SONDE_BUF_AUTO said = SONDE_BUF(4096);
    sonde_buf_text(&said, "");
    assert_non_null(matcher);
    int r = sonde_load_pattern_new(sonde_str(text), &pattern, &err);
    if (r == 0) {
        r = sonde_load_pattern_find(pattern, matcher, in, &found, &err);
    }
    if (r == 0) {
        sonde_buf_str(&said, found);
    } else {
        sonde_buf_text(&said, r == SONDE_ENOTFOUND ? "(none)" : err.message);
    }
    assert_string_equal(said.data, expected);
    sonde_load_pattern_free(pattern);
    sonde_load_matcher_free(matcher);
}

static void patterns_find_text(void **state)
{
    (void)state;
    assert_pattern("token=(\\w+)", SONDE_STR("a token=x7; token=y"), "x7");
    assert_pattern("b+", SONDE_STR("abbc"), "bb");
    assert_pattern("a|(b)", SONDE_STR("a"), "a");
    assert_pattern("(a)(b)(c)", SONDE_STR("abc"), "a");
    assert_pattern("^$", SONDE_STR(""), "");
    assert_pattern("x", SONDE_STR("abc"), "(none)");
    assert_pattern("a.c",
                   SONDE_STR("a\xc3\xa9"
                             "c"),
                   "a\xc3\xa9"
                   "c");
    assert_pattern("b", SONDE_STR("\xff\0b"), "b");
    assert_pattern("(?<=a)\\Kb", SONDE_STR("ab"), "b");
    assert_pattern("(a", SONDE_STR(""),
                   "\"(a\" is no regular expression: missing closing parenthesis, at character 3");
}

/* What grows without bound is given up, not waited for. */
static void patterns_have_a_price(void **state)
{
    (void)state;
    assert_pattern("(a+)+(b+)+$",
                   SONDE_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbc"),
                   "a regular expression costs too much on a text of 54 bytes");
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    struct sonde_load_pattern *pattern = NULL;
    sonde_buf_repeat(&text, 'a', SONDE_LOAD_PATTERN_MAX + 1);
    assert_int_equal(sonde_load_pattern_new(sonde_buf_view(&text), &pattern, NULL), SONDE_ELIMIT);
    assert_null(pattern);
}

struct fixture {
    struct sonde_load_look look;
    struct sonde_load_answer answer;
    struct sonde_load_matcher *matcher;
};

static void answer(struct fixture *f, const char *const *fields, const char *body)
{
    sonde_load_look_at(&f->look);
    sonde_load_answer_begin(&f->answer, &f->look);
    for (; *fields; fields += 2) {
        sonde_load_answer_field(&f->answer, sonde_str(fields[0]), sonde_str(fields[1]));
    }
    for (; *body; body++) { /* in pieces of a byte */
        sonde_load_answer_body(&f->answer, (struct sonde_str){body, 1});
    }
}

static void answers_are_compared(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    static const char *const json[] = {
        "content-TYPE", "application/json", "X", "1", "x", "2", NULL};
    static const struct sonde_pair wanted[] = {{"Content-Type", "application/json"}, {"X", "1"}};
    struct fixture f = {.matcher = sonde_load_matcher_new()};
    sonde_load_answer_init(&f.answer);
    answer(&f, none, "");
    assert_false(f.look.fields || f.look.body);
    assert_true(sonde_load_answer_is_right(&f.answer, 200, f.matcher));
    assert_true(sonde_load_answer_is_right(&f.answer, 399, f.matcher));
    assert_false(sonde_load_answer_is_right(&f.answer, 404, f.matcher));
    f.look.status = 404;
    assert_true(sonde_load_answer_is_right(&f.answer, 404, f.matcher));
    assert_false(sonde_load_answer_is_right(&f.answer, 200, f.matcher));
    f.look = (struct sonde_load_look){.headers = wanted, .header_count = 2};
    answer(&f, json, "");
    assert_true(f.look.fields && sonde_load_answer_is_right(&f.answer, 200, f.matcher));
    answer(&f, none, "");
    assert_false(sonde_load_answer_is_right(&f.answer, 200, f.matcher));
    f.look = (struct sonde_load_look){.equals = SONDE_STR("abc")};
    answer(&f, none, "abc");
    assert_true(f.look.body && sonde_load_answer_is_right(&f.answer, 200, f.matcher));
    answer(&f, none, "abcd");
    assert_false(sonde_load_answer_is_right(&f.answer, 200, f.matcher));
    f.look = (struct sonde_load_look){.contains = SONDE_STR("bc")};
    answer(&f, none, "abcd");
    assert_true(sonde_load_answer_is_right(&f.answer, 200, f.matcher));
    answer(&f, none, "b");
    assert_false(sonde_load_answer_is_right(&f.answer, 200, f.matcher));
    struct sonde_load_pattern *pattern = NULL;
    assert_int_equal(sonde_load_pattern_new(SONDE_STR("^\\{.*\\}$"), &pattern, NULL), 0);
    f.look = (struct sonde_load_look){.matches = pattern};
    answer(&f, none, "{a}");
    assert_true(sonde_load_answer_is_right(&f.answer, 200, f.matcher));
    answer(&f, none, "{a");
    assert_false(sonde_load_answer_is_right(&f.answer, 200, f.matcher));
    sonde_load_pattern_free(pattern);
    sonde_load_answer_fini(&f.answer);
    sonde_load_matcher_free(f.matcher);
}

static void values_are_taken(void **state)
{
    (void)state;
    static const char *const fields[] = {"ETag",       "\"7\"",   "Set-Cookie", "id=a; Path=/",
                                         "set-cookie", "other=b", "Set-Cookie", "id = c ;HttpOnly",
                                         NULL};
    static const char *const none[] = {NULL};
    struct sonde_arena arena = SONDE_ARENA(1 << 16);
    struct sonde_load_pointer pointer;
    struct sonde_load_pattern *pattern = NULL;
    assert_int_equal(sonde_load_pointer_parse(SONDE_STR("/t"), &arena, &pointer, NULL), 0);
    assert_int_equal(sonde_load_pattern_new(SONDE_STR("\"(.)\""), &pattern, NULL), 0);
    struct sonde_load_extraction all[] = {
        {.source = SONDE_LOAD_HEADER, .name = SONDE_STR("etag")},
        {.source = SONDE_LOAD_COOKIE, .name = SONDE_STR("id")},
        {.source = SONDE_LOAD_POINTER, .pointer = &pointer},
        {.source = SONDE_LOAD_PATTERN, .pattern = pattern},
    };
    static const char *const expected[] = {"\"7\"", "c", "u", "t"};
    struct fixture f = {.matcher = sonde_load_matcher_new(),
                        .look = {.extractions = all, .extraction_count = SONDE_LENGTH(all)}};
    sonde_load_answer_init(&f.answer);
    answer(&f, fields, "{\"t\":\"u\"}");
    for (size_t i = 0; i < SONDE_LENGTH(all); i++) {
        SONDE_BUF_AUTO value = SONDE_BUF(4096);
        assert_int_equal(sonde_load_answer_value(&f.answer, i, f.matcher, &value, NULL), 0);
        assert_string_equal(value.data, expected[i]);
    }
    answer(&f, none, "{}");
    for (size_t i = 0; i < SONDE_LENGTH(all); i++) {
        SONDE_BUF_AUTO value = SONDE_BUF(4096);
        assert_int_equal(sonde_load_answer_value(&f.answer, i, f.matcher, &value, NULL),
                         SONDE_ENOTFOUND);
    }
    sonde_load_answer_fini(&f.answer);
    sonde_load_pattern_free(pattern);
    sonde_load_matcher_free(f.matcher);
    sonde_arena_fini(&arena);
}

/* A body beyond the bound is not as expected, and the memory is given back for the next one. */
static void large_bodies_are_given_up(void **state)
{
    (void)state;
    static char piece[1 << 20];
    struct sonde_load_look look = {.contains = SONDE_STR("x")};
    struct sonde_load_answer a;
    sonde_load_answer_init(&a);
    sonde_load_look_at(&look);
    sonde_load_answer_begin(&a, &look);
    memset(piece, 'x', sizeof(piece));
    for (size_t i = 0; i < SONDE_LOAD_BODY_MAX / sizeof(piece); i++) {
        sonde_load_answer_body(&a, (struct sonde_str){piece, sizeof(piece)});
    }
    assert_true(sonde_load_answer_is_right(&a, 200, NULL));
    sonde_load_answer_body(&a, SONDE_STR("x"));
    assert_false(sonde_load_answer_is_right(&a, 200, NULL));
    sonde_load_answer_begin(&a, &look);
    assert_int_equal(a.body.capacity, 0);
    sonde_load_answer_body(&a, SONDE_STR("x"));
    assert_true(sonde_load_answer_is_right(&a, 200, NULL));
    sonde_load_answer_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointers_find_values),
        cmocka_unit_test(pointers_miss_what_there_is_not),
        cmocka_unit_test(patterns_find_text),
        cmocka_unit_test(patterns_have_a_price),
        cmocka_unit_test(answers_are_compared),
        cmocka_unit_test(values_are_taken),
        cmocka_unit_test(large_bodies_are_given_up),
    };
    return cmocka_run_group_tests_name("extract", tests, NULL, NULL);
}
