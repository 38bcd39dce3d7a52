/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "heap/identifiers.h"

enum { WORDS_MAX = 8 };

struct source {
    const char *text;
    const char *found[WORDS_MAX];
    const char *missing[WORDS_MAX];
};

static const struct source sources[] = {
    {"class Patient { #record = 1; visit(dose) { return this.medicalRecord } }",
     {"Patient", "#record", "visit", "dose", "medicalRecord"},
     {"1"}},
    {"const a = 'smith'; // jones\n/* baker\n* cook **/ let after = \"miller\"",
     {"a", "after", "let"},
     {"smith", "jones", "baker", "cook", "miller"}},
    {"({'content-type': 1, \"x-y\": 2, 'mail@host': 3, 'two words': 4, '42': 5})",
     {"content-type", "x-y"},
     {"mail@host", "two words", "42"}},
    {"row['visit-id']; list(['only'], 'loose'); f(x ? 'yes' : 'no')",
     {"visit-id", "only", "row"},
     {"loose", "yes", "no"}},
    {"switch (x) { case 'hiv': y(); }", {"switch", "x", "y"}, {"hiv"}},
    {"({'quoted-method'() {}, get 'quoted-getter'() {}})", {"quoted-method"}, {"none"}},
    {"Symbol('kState'); Symbol.for('app.kind'); other('loose'); x.for('loose2')",
     {"kState", "app.kind", "Symbol"},
     {"loose", "loose2"}},
    {"`text ${inner + `nested ${deep}`} more ${ {a: 1}.b } end` + behind",
     {"inner", "deep", "b", "behind"},
     {"text", "nested", "more", "end"}},
    {"x = /a'b[/\"]c/g.test(y); z", {"x", "test", "y", "z"}, {"b", "c", "a"}},
    {"a = b / c / d; i++ / e; (f) / g; h[0] / j", {"b", "c", "d", "e", "g", "j"}, {"none"}},
    {"if (ready) /it's/.test(late); while(x)/don't/.exec(end2)",
     {"ready", "late", "end2"},
     {"it", "don"}},
    {"return /quo'te/.x; typeof /o'k/; ok", {"x", "ok"}, {"quo", "te"}},
    {"a.return / b / c", {"b", "c"}, {"none"}},
    {"x = 'a\\'b' + c; y = 'cut\nd", {"c", "d"}, {"b", "cut"}},
    {"n = 0x1Fn + 1e5 + 12.5.toFixed; \\u0061bc; ok",
     {"n", "ok"},
     {"x1Fn", "e5", "u0061bc", "abc"}},
    {"größe = 名前; $_1", {"größe", "名前", "$_1"}, {"gr"}},
    {"#!/usr/bin/env node\nlet first", {"let", "first"}, {"none"}},
    {"f(`a`) ) } } ] ] still", {"still"}, {"a"}},
};

static void take(struct sonde_words *words, const char *text, size_t piece, bool all)
{
    struct sonde_identifiers identifiers;
    struct sonde_err err = {0};
    sonde_words_init(words, 1000);
    sonde_identifiers_init(&identifiers, words, all);
    size_t length = strlen(text);
    for (size_t at = 0; at < length; at += piece) {
        size_t count = length - at < piece ? length - at : piece;
        assert_int_equal(sonde_identifiers_feed(&identifiers, text + at, count, &err), 0);
    }
    assert_int_equal(sonde_identifiers_finish(&identifiers, &err), 0);
}

static void names_are_found_and_data_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < SONDE_LENGTH(sources); i++) {
        for (size_t piece = 1; piece < 40; piece += 13) {
            struct sonde_words words;
            take(&words, sources[i].text, piece, false);
            for (size_t w = 0; w < WORDS_MAX && sources[i].found[w]; w++) {
                if (!sonde_words_has(&words, sonde_str(sources[i].found[w]))) {
                    fail_msg("%s: %s is missing", sources[i].text, sources[i].found[w]);
                }
            }
            for (size_t w = 0; w < WORDS_MAX && sources[i].missing[w]; w++) {
                if (sonde_words_has(&words, sonde_str(sources[i].missing[w]))) {
                    fail_msg("%s: %s was taken for a name", sources[i].text, sources[i].missing[w]);
                }
            }
            sonde_words_fini(&words);
        }
    }
}

static void all_strings_count_in_the_engines_own_sources(void **state)
{
    (void)state;
    struct sonde_words words;
    take(&words, "x('remove client', \"a<b>\", `no`, 'es\\'caped')", 1, true);
    assert_true(sonde_words_has(&words, SONDE_STR("remove client")));
    assert_true(sonde_words_has(&words, SONDE_STR("a<b>")));
    assert_false(sonde_words_has(&words, SONDE_STR("no")));
    assert_false(sonde_words_has(&words, SONDE_STR("escaped")));
    sonde_words_fini(&words);
}

static void names_and_nesting_are_bounded(void **state)
{
    (void)state;
    struct sonde_words words;
    struct sonde_buf text = SONDE_BUF(1 << 20);
    sonde_buf_repeat(&text, 'a', SONDE_IDENTIFIER_MAX);
    sonde_buf_char(&text, ';');
    sonde_buf_repeat(&text, 'b', SONDE_IDENTIFIER_MAX + 1);
    sonde_buf_char(&text, ';');
    sonde_buf_repeat(&text, '{', 3 * SONDE_NESTING_MAX);
    sonde_buf_text(&text, "inside;");
    sonde_buf_repeat(&text, '}', 4 * SONDE_NESTING_MAX);
    sonde_buf_text(&text, ";behind");
    take(&words, text.data, 7, false);
    char name[SONDE_IDENTIFIER_MAX + 1];
    memset(name, 'a', sizeof(name));
    assert_true(sonde_words_has(&words, (struct sonde_str){name, SONDE_IDENTIFIER_MAX}));
    memset(name, 'b', sizeof(name));
    assert_false(sonde_words_has(&words, (struct sonde_str){name, SONDE_IDENTIFIER_MAX}));
    assert_false(sonde_words_has(&words, (struct sonde_str){name, SONDE_IDENTIFIER_MAX + 1}));
    assert_true(sonde_words_has(&words, SONDE_STR("inside")));
    assert_true(sonde_words_has(&words, SONDE_STR("behind")));
    sonde_words_fini(&words);
    sonde_buf_fini(&text);
}

static void the_set_is_exact_and_bounded(void **state)
{
    (void)state;
    enum { MAXIMUM = 5000, MORE = 7000 };
    struct sonde_words words;
    char text[32];
    sonde_words_init(&words, MAXIMUM);
    for (int i = 0; i < MORE; i++) {
        (void)snprintf(text, sizeof(text), "w%d", i);
        assert_int_equal(sonde_words_add(&words, sonde_str(text), NULL), 0);
        assert_int_equal(sonde_words_add(&words, sonde_str(text), NULL), 0);
    }
    for (int i = 0; i < 2 * MORE; i++) {
        (void)snprintf(text, sizeof(text), "w%d", i);
        assert_int_equal(sonde_words_has(&words, sonde_str(text)), i < MAXIMUM);
    }
    assert_int_equal(words.count, MAXIMUM);
    assert_int_equal(words.left_out, 2 * (MORE - MAXIMUM));
    assert_false(sonde_words_has(&words, SONDE_STR("")));
    sonde_words_fini(&words);
}

static void builtins_are_there(void **state)
{
    (void)state;
    struct sonde_words words;
    sonde_words_init(&words, SONDE_WORDS_MAX);
    assert_int_equal(sonde_words_add_builtins(&words, NULL), 0);
    static const char *const known[] = {"(GC roots)", "Promise", "hasOwnProperty", "Map Iterator",
                                        "AsyncWrap",  "$'",      "backing_store",  "copyWithin"};
    for (size_t i = 0; i < SONDE_LENGTH(known); i++) {
        if (!sonde_words_has(&words, sonde_str(known[i]))) {
            fail_msg("%s is missing", known[i]);
        }
    }
    assert_int_equal(words.left_out, 0);
    sonde_words_fini(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_and_data_is_not),
        cmocka_unit_test(all_strings_count_in_the_engines_own_sources),
        cmocka_unit_test(names_and_nesting_are_bounded),
        cmocka_unit_test(the_set_is_exact_and_bounded),
        cmocka_unit_test(builtins_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
