/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "analysis/compare_coverage.h"
#include "codec/json.h"

struct row {
    const char *name;
    uint32_t start, end;
    uint64_t count;
    uint32_t missed, missed_end; /* a stretch that did not run; 0 and 0: none */
};

struct capture {
    struct sonde_coverage coverage;
    struct sonde_coverage_analysis analysis;
    struct sonde_coverage_side side;
};

/* Of one script, of ten lines of 100 characters. */
static struct capture *begin(const char *directory, const struct row *rows, size_t count)
{
    struct capture *c = calloc(1, sizeof(*c));
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    struct sonde_coverage_reader *reader = NULL;
    assert_non_null(c);
    sonde_buf_printf(&text, "{\"result\":[{\"url\":\"file://%s/a.js\",\"functions\":[", directory);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        sonde_buf_printf(&text,
                         "%s{\"functionName\":\"%s\",\"ranges\":[{\"startOffset\":%u,"
                         "\"endOffset\":%u,\"count\":%llu}",
                         i ? "," : "", row->name, row->start, row->end,
                         (unsigned long long)row->count);
        if (row->missed_end) {
            sonde_buf_printf(&text, ",{\"startOffset\":%u,\"endOffset\":%u,\"count\":0}",
                             row->missed, row->missed_end);
        }
        sonde_buf_text(&text, "]}");
    }
    sonde_buf_printf(&text,
                     "]}],\"source-map-cache\":{\"file://%s/a.js\":{\"lineLengths\":"
                     "[99,99,99,99,99,99,99,99,99,99]}}}",
                     directory);
    sonde_coverage_init(&c->coverage);
    assert_int_equal(sonde_coverage_reader_new(&c->coverage, &reader, NULL), 0);
    assert_int_equal(sonde_coverage_feed(reader, text.data, text.length, NULL), 0);
    assert_int_equal(sonde_coverage_finish(reader, NULL), 0);
    sonde_coverage_reader_free(reader);
    assert_int_equal(sonde_coverage_analyze(&c->coverage, &c->analysis, NULL), 0);
    c->side = (struct sonde_coverage_side){.uid = "12345678-9",
                                           .name = "run",
                                           .capture = "coverage",
                                           .directory = directory,
                                           .analysis = &c->analysis};
    return c;
}

static void end(struct capture *capture)
{
    sonde_coverage_analysis_fini(&capture->analysis);
    sonde_coverage_fini(&capture->coverage);
    free(capture);
}

struct both {
    struct capture *captures[SONDE_SIDES];
    struct sonde_coverage_comparison comparison;
};

#define COMPARE(both, before, after)                                                               \
    compare((both), (before), SONDE_LENGTH(before), (after), SONDE_LENGTH(after))

static void compare(struct both *both, const struct row *before, size_t before_count,
                    const struct row *after, size_t after_count)
{
    both->captures[SONDE_BEFORE] = begin("/srv/clinic", before, before_count);
    both->captures[SONDE_AFTER] = begin("/app", after, after_count);
    assert_int_equal(sonde_coverage_compare(&both->captures[SONDE_BEFORE]->side,
                                            &both->captures[SONDE_AFTER]->side, SIZE_MAX,
                                            &both->comparison, NULL),
                     0);
}

static void done(struct both *both)
{
    sonde_coverage_comparison_fini(&both->comparison);
    end(both->captures[SONDE_BEFORE]);
    end(both->captures[SONDE_AFTER]);
}

/* "name before→after", for all that differ, in their order. */
static void assert_changes(const struct both *both, const char *expected)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_buf_text(&text, "");
    for (size_t i = 0; i < both->comparison.count; i++) {
        const struct sonde_coverage_change *change = &both->comparison.changes[i];
        if (change->calls[0] != change->calls[1]) {
            sonde_buf_printf(&text, "%s%.*s %llu-%llu", text.length ? ", " : "",
                             SONDE_STR_ARG(change->name), (unsigned long long)change->calls[0],
                             (unsigned long long)change->calls[1]);
            assert_true(sonde_str_is(change->file, "a.js"));
        }
    }
    assert_string_equal(text.data, expected);
}

static void what_ran_in_one_only_comes_first(void **state)
{
    (void)state;
    static const struct row before[] = {
        {"same", 0, 10, 5, 0, 0},     {"busier", 10, 20, 5, 0, 0},     {"gone", 20, 80, 3, 0, 0},
        {"fresh", 100, 130, 0, 0, 0}, {"calmer", 200, 210, 900, 0, 0}, {"never", 300, 310, 0, 0, 0},
    };
    static const struct row after[] = {
        {"same", 0, 10, 5, 0, 0},     {"busier", 10, 20, 7, 0, 0},     {"gone", 20, 80, 0, 0, 0},
        {"fresh", 100, 130, 1, 0, 0}, {"calmer", 200, 210, 100, 0, 0}, {"never", 300, 310, 0, 0, 0},
    };
    struct both both;
    COMPARE(&both, before, after);
    assert_changes(&both, "gone 3-0, fresh 0-1, calmer 900-100, busier 5-7");
    assert_int_equal(both.comparison.executed_only[SONDE_BEFORE], 1);
    assert_int_equal(both.comparison.executed_only[SONDE_AFTER], 1);
    assert_int_equal(both.comparison.changes[1].lines[SONDE_AFTER], 2);
    done(&both);
}

/* V8 knows the callbacks of what ran: each run others. They are not one that is called by both. */
static void callbacks_of_one_text_are_told_apart(void **state)
{
    (void)state;
    static const struct row before[] = {{"handle", 0, 50, 1, 0, 0}, {"", 10, 20, 4, 0, 0}};
    static const struct row after[] = {{"handle", 0, 50, 1, 0, 0}, {"", 30, 40, 9, 0, 0}};
    struct both both;
    COMPARE(&both, before, after);
    assert_changes(&both, "(anonymous) 4-0, (anonymous) 0-9");
    done(&both);
}

/* A line came in above: everything is 100 characters further down. */
static void functions_that_moved_are_the_same(void **state)
{
    (void)state;
    static const struct row before[] = {{"first", 0, 50, 1, 0, 0},
                                        {"", 10, 20, 4, 0, 0},
                                        {"", 30, 40, 5, 0, 0},
                                        {"old", 60, 70, 1, 0, 0}};
    static const struct row after[] = {{"first", 100, 150, 1, 0, 0},
                                       {"", 110, 120, 6, 0, 0},
                                       {"", 130, 140, 5, 0, 0},
                                       {"young", 0, 10, 1, 0, 0}};
    struct both both;
    COMPARE(&both, before, after);
    assert_changes(&both, "old 1-0, young 0-1, (anonymous) 4-6");
    assert_int_equal(both.comparison.changes[2].lines[SONDE_BEFORE], 1);
    assert_int_equal(both.comparison.changes[2].lines[SONDE_AFTER], 2);
    done(&both);
}

static void stretches_of_functions_that_both_called_are_compared(void **state)
{
    (void)state;
    static const struct row before[] = {{"f", 0, 350, 3, 100, 300}, {"g", 400, 500, 3, 410, 420}};
    /* f has moved, and is as long as it was; g is not. */
    static const struct row after[] = {{"f", 50, 400, 3, 250, 350}, {"g", 400, 490, 3, 0, 0}};
    struct both both;
    COMPARE(&both, before, after);
    assert_int_equal(both.comparison.difference_count, 1);
    const struct sonde_coverage_difference *difference = &both.comparison.differences[0];
    assert_int_equal(difference->executed, SONDE_AFTER);
    assert_int_equal(difference->start, 150);
    assert_int_equal(difference->end, 250);
    assert_int_equal(difference->lines.line, 2);
    assert_int_equal(difference->lines.last_line, 3);
    done(&both);
}

static void the_text_and_the_json_tell_it(void **state)
{
    (void)state;
    static const struct row before[] = {{"gone", 0, 60, 3, 0, 0}, {"f", 100, 200, 10, 110, 130}};
    static const struct row after[] = {{"f", 100, 200, 25, 0, 0}, {"fresh", 210, 220, 2, 0, 0}};
    struct both both;
    COMPARE(&both, before, after);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_coverage_comparison_text(&both.comparison, &text);
    static const char *const wanted[] = {
        "before  12345678  run  coverage: 2 of 2 functions called, 87.5 % of the known code "
        "executed\n",
        "executed only after: 1 function, 1 stretch in others\n",
        "executed only before: 1 function, 0 stretches in others\n",
        "functions executed only before\ncharacters     calls  function\n        60         3  "
        "gone",
        "a.js:1\n",
        "stretches executed only after\ncharacters  function\n        20  f  ",
        "calls that changed most\n    before     after     change  function\n"
        "        10        25        +15  f  ",
    };
    for (size_t i = 0; i < SONDE_LENGTH(wanted); i++) {
        if (!strstr(text.data, wanted[i])) {
            fail_msg("'%s' is not in\n%s", wanted[i], text.data);
        }
    }
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 20);
    SONDE_JSON_AUTO *root = NULL;
    sonde_coverage_comparison_json(&both.comparison, &json);
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &root, NULL), 0);
    assert_string_equal(sonde_json_string_or(root, "unit", ""), "calls");
    const cJSON *functions = cJSON_GetObjectItem(root, "functions");
    assert_int_equal(cJSON_GetArraySize(functions), 3);
    const cJSON *gone = cJSON_GetArrayItem(functions, 0);
    assert_string_equal(sonde_json_string_or(gone, "function", ""), "gone");
    assert_string_equal(sonde_json_string_or(gone, "knownOnly", ""), "before");
    assert_int_equal(sonde_json_integer_or(gone, "callsAfter", -1), 0);
    const cJSON *stretch = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "stretches"), 0);
    assert_string_equal(sonde_json_string_or(stretch, "executed", ""), "after");
    assert_int_equal(sonde_json_integer_or(stretch, "line", 0), 2);
    done(&both);
}

static void a_run_does_not_differ_from_itself(void **state)
{
    (void)state;
    static const struct row rows[] = {{"f", 0, 350, 3, 100, 300}, {"", 10, 20, 4, 0, 0}};
    struct both both;
    COMPARE(&both, rows, rows);
    assert_changes(&both, "");
    assert_int_equal(both.comparison.difference_count, 0);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_coverage_comparison_text(&both.comparison, &text);
    assert_non_null(strstr(text.data, "the same functions and stretches were executed in both\n"));
    done(&both);
}

/* A name stands in memory once, however many functions have it. */
static void names_take_the_memory_of_one(void **state)
{
    (void)state;
    enum { COUNT = 500, LONG = 1000 };
    static char name[LONG + 1];
    static struct row rows[COUNT];
    struct both both;
    memset(name, 'n', LONG);
    for (uint32_t i = 0; i < COUNT; i++) {
        rows[i] = (struct row){name, i, 999, i + 1, 0, 0};
    }
    COMPARE(&both, rows, rows);
    assert_int_equal(both.comparison.count, COUNT);
    assert_true(both.comparison.text.used < (size_t)2 * LONG);
    done(&both);
}

static void what_takes_more_memory_than_allowed_is_refused(void **state)
{
    (void)state;
    static const struct row before[] = {{"f", 0, 350, 3, 100, 300}, {"gone", 400, 500, 3, 0, 0}};
    static const struct row after[] = {{"f", 0, 350, 3, 0, 0}, {"fresh", 400, 490, 3, 0, 0}};
    struct capture *captures[SONDE_SIDES] = {begin("/app", before, SONDE_LENGTH(before)),
                                             begin("/app", after, SONDE_LENGTH(after))};
    int r = SONDE_ELIMIT;
    size_t bytes = 0;
    for (; r == SONDE_ELIMIT && bytes < 1 << 16; bytes += 8) {
        struct sonde_coverage_comparison comparison;
        struct sonde_err err = {0};
        r = sonde_coverage_compare(&captures[SONDE_BEFORE]->side, &captures[SONDE_AFTER]->side,
                                   bytes, &comparison, &err);
        if (r == SONDE_ELIMIT) {
            SONDE_BUF_AUTO says = SONDE_BUF(100);
            sonde_buf_printf(&says, "the comparison takes more than %zu KiB of memory: capture",
                             bytes >> 10);
            assert_true(sonde_str_starts(sonde_str(err.message), says.data));
        } else {
            assert_int_equal(comparison.count, 3);
            assert_int_equal(comparison.difference_count, 1);
            assert_true(comparison.budget.used <= bytes);
            sonde_coverage_comparison_fini(&comparison);
        }
    }
    assert_int_equal(r, 0);
    assert_true(bytes > 2048);
    end(captures[SONDE_BEFORE]);
    end(captures[SONDE_AFTER]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_ran_in_one_only_comes_first),
        cmocka_unit_test(callbacks_of_one_text_are_told_apart),
        cmocka_unit_test(functions_that_moved_are_the_same),
        cmocka_unit_test(stretches_of_functions_that_both_called_are_compared),
        cmocka_unit_test(the_text_and_the_json_tell_it),
        cmocka_unit_test(a_run_does_not_differ_from_itself),
        cmocka_unit_test(names_take_the_memory_of_one),
        cmocka_unit_test(what_takes_more_memory_than_allowed_is_refused),
    };
    return cmocka_run_group_tests_name("compare_coverage", tests, NULL, NULL);
}
