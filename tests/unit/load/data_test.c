/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/data.h"
#include "seed.h"

/* Rows as "a|b;c|d", or what was said. */
static void assert_table(const char *text, const char *const *columns, size_t count,
                         const char *expected)
{
    struct sonde_load_table table;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO said = SONDE_BUF(4096);
    sonde_buf_text(&said, "");
    if (sonde_load_table_read("t", sonde_str(text), columns, count, &table, &err) < 0) {
        sonde_buf_text(&said, err.message);
    } else {
        for (size_t i = 0; i < table.rows; i++) {
            sonde_buf_text(&said, i ? ";" : "");
            for (size_t j = 0; j < count; j++) {
                sonde_buf_text(&said, j ? "|" : "");
                sonde_buf_str(&said, sonde_load_table_at(&table, i, j));
            }
        }
    }
    assert_string_equal(said.data, expected);
    sonde_load_table_fini(&table);
}

static const char *const name_id[] = {"name", "id"};

static void csv_is_read(void **state)
{
    (void)state;
    assert_table("id,name\n1,Ada\n2,Bo\n", name_id, 2, "Ada|1;Bo|2");
    assert_table("\xef\xbb\xbf id , name\r\n1,Ada\r\n\r\n2,Bo", name_id, 2, "Ada|1;Bo|2");
    assert_table("id,other,name\n1,x,\"Ada, \"\"the\"\"\r\nfirst\"\n2,\"a\nb\",\n", name_id, 2,
                 "Ada, \"the\"\r\nfirst|1;|2");
    assert_table("name,id\n\"\",\"\"\n", name_id, 2, "|");
    assert_table("\n\nname,id\n a , b \n", name_id, 2, " a | b ");
    assert_table("name,id\na\rb,c\r\n", name_id, 2, "a\rb|c");
}

static void what_is_wrong_with_csv_is_said(void **state)
{
    (void)state;
    assert_table("", name_id, 2, "t:1: there is no column \"name\" in it");
    assert_table("id,nam\n1,2\n", name_id, 2, "t:1: there is no column \"name\" in it");
    assert_table("id,name,id\n1,2,3\n", name_id, 2,
                 "t:1: there is more than one column \"id\" in it");
    assert_table("id,name\n", name_id, 2, "t: there is no row");
    assert_table("id,name\n1,2\n3\n", name_id, 2, "t:3: 1 fields, where the line of names has 2");
    assert_table("id,name\n1,2,3\n", name_id, 2, "t:2: 3 fields, where the line of names has 2");
    assert_table("id,name\n1,\"2\n3\n", name_id, 2, "t:2:3: a quoted field without its end");
    assert_table("id,name\n1,\"2\"x\n", name_id, 2,
                 "t:2:6: text behind a quoted field: a comma or the line's end must follow, and a "
                 "quote inside is written twice");
    assert_table("id,name\n\"a\nb\",c\n1,2\"x\n", name_id, 2,
                 "t:4:4: a quote inside a field that does not begin with one");
}

static void json_lines_are_read(void **state)
{
    (void)state;
    assert_table("{\"id\":1,\"name\":\"A\\u00e9\"}\n\n{\"name\":true,\"x\":[1],\"id\":-1.50}\n",
                 name_id, 2, "A\xc3\xa9|1;true|-1.50");
    assert_table("{\"id\": {\"a\": [1, \"}\"]}, \"name\": [ ]}", name_id, 2,
                 "[ ]|{\"a\": [1, \"}\"]}");
    assert_table("{\"id\":123456789012345678901,\"name\":\"a\",\"o\":{\"id\":2}}\r\n", name_id, 2,
                 "a|123456789012345678901");
}

static void what_is_wrong_with_json_lines_is_said(void **state)
{
    (void)state;
    assert_table("{\"id\":1,\"name\":\"a\"}\n{\"id\":2}\n", name_id, 2,
                 "t:2: there is no \"name\" in it");
    assert_table("{\"id\":1,\"name\":\"a\"}\n[1]\n", name_id, 2,
                 "t:2: each line must be an object");
    assert_table("{\"id\":null,\"name\":\"a\"}", name_id, 2, "t:1: \"id\" is null");
    struct sonde_load_table table;
    struct sonde_err err;
    static const char cut[] = "{\"id\":1,\"name\":\"a\"}\n{\"id\":";
    assert_int_equal(sonde_load_table_read("t", sonde_str(cut), name_id, 2, &table, &err),
                     SONDE_EINVALID);
    assert_int_equal(strncmp(err.message, "t:2: ", 5), 0);
    sonde_load_table_fini(&table);
}

static void bounds_are_kept(void **state)
{
    (void)state;
    struct sonde_load_table table;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_buf_text(&text, "a\n");
    sonde_buf_repeat(&text, 'x', SONDE_LOAD_TABLE_ROW_MAX + 1);
    static const char *const a[] = {"a"};
    assert_int_equal(sonde_load_table_read("t", sonde_buf_view(&text), a, 1, &table, NULL),
                     SONDE_ELIMIT);
    sonde_load_table_fini(&table);
    sonde_buf_clear(&text);
    sonde_buf_text(&text, "a");
    for (int i = 0; i < SONDE_LOAD_TABLE_COLUMNS_MAX; i++) {
        sonde_buf_text(&text, ",b");
    }
    assert_int_equal(sonde_load_table_read("t", sonde_buf_view(&text), a, 1, &table, NULL),
                     SONDE_ELIMIT);
    sonde_load_table_fini(&table);
    sonde_buf_clear(&text);
    sonde_buf_text(&text, "a\n");
    sonde_buf_append(&text, "", 0);
    for (int i = 0; i <= SONDE_LOAD_TABLE_ROWS_MAX / 4; i++) {
        sonde_buf_text(&text, "1\n");
    }
    assert_int_equal(sonde_load_table_read("t", sonde_buf_view(&text), a, 1, &table, NULL), 0);
    assert_int_equal(table.rows, SONDE_LOAD_TABLE_ROWS_MAX / 4 + 1);
    sonde_load_table_fini(&table);
}

/* Whatever the counts: each part has rows of its own, and begins them again in order. */
static void parts_do_not_overlap(void **state)
{
    (void)state;
    enum { MOST = 40 };
    for (uint64_t count = 1; count <= MOST; count++) {
        for (uint64_t parts = 1; parts <= MOST; parts++) {
            unsigned used[MOST] = {0};
            for (uint64_t part = 0; part < parts; part++) {
                struct sonde_load_draw draw;
                sonde_load_draw_init(&draw, count, true, part, parts, 0);
                uint64_t own = part < count ? (count - part - 1) / parts + 1 : 1;
                uint64_t first = sonde_load_draw_next(&draw);
                used[first]++;
                for (uint64_t i = 1; i < own; i++) {
                    uint64_t row = sonde_load_draw_next(&draw);
                    assert_true(row < count);
                    used[row]++;
                }
                assert_int_equal(sonde_load_draw_next(&draw), first);
            }
            for (uint64_t i = 0; i < count; i++) {
                assert_true(used[i] == 1 || (parts > count && used[i]));
            }
        }
    }
}

static void draws_are_even(void **state)
{
    (void)state;
    enum { COUNT = 10, TIMES = 100000 };
    const double expected = 10000;
    unsigned used[COUNT] = {0};
    struct sonde_load_draw draw;
    sonde_load_draw_init(&draw, COUNT, false, 0, 1, test_seed());
    for (int i = 0; i < TIMES; i++) {
        used[sonde_load_draw_next(&draw)]++;
    }
    double chi = 0;
    for (int i = 0; i < COUNT; i++) {
        chi += (used[i] - expected) * (used[i] - expected) / expected;
    }
    assert_true(chi < 40); /* nine degrees of freedom: beyond it once in 100,000 times */
    sonde_load_draw_init(&draw, 1, false, 3, 8, 1);
    assert_int_equal(sonde_load_draw_next(&draw), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_is_read),
        cmocka_unit_test(what_is_wrong_with_csv_is_said),
        cmocka_unit_test(json_lines_are_read),
        cmocka_unit_test(what_is_wrong_with_json_lines_is_said),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(parts_do_not_overlap),
        cmocka_unit_test(draws_are_even),
    };
    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
