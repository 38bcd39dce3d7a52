/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/yaml.h"

static void documents_have_types_and_places(void **state)
{
    (void)state;
    static const char text[] = "# a comment\n"
                               "kind: ProfileRun\n"
                               "spec:\n"
                               "  captures:\n"
                               "  - {name: cpu, seconds: 30, share: 0.5, on: true, none: ~}\n"
                               "  - name: \"30\"\n"
                               "    mode: 0o17\n"
                               "---\n"
                               "---\n"
                               "{\"json\": [1, \"two\", null, false]}\n";
    struct sonde_documents documents;
    assert_int_equal(sonde_yaml_parse("run.yaml", sonde_str(text), &documents, NULL), 0);
    assert_int_equal(documents.count, 2);
    const struct sonde_node *captures =
        sonde_node_find(sonde_node_find(documents.items[0], "spec"), "captures");
    assert_int_equal(captures->type, SONDE_NODE_LIST);
    assert_int_equal(captures->count, 2);
    const struct sonde_node *seconds = sonde_node_find(captures->first, "seconds");
    assert_int_equal(seconds->type, SONDE_NODE_INTEGER);
    assert_int_equal(seconds->integer, 30);
    assert_int_equal(seconds->line, 5);
    assert_int_equal(seconds->column, 26);
    assert_int_equal(seconds->key_column, 17);
    const struct sonde_node *second = captures->first->next;
    assert_int_equal(sonde_node_find(second, "name")->type, SONDE_NODE_STRING);
    assert_int_equal(sonde_node_find(second, "mode")->integer, 15);

    SONDE_BUF_AUTO json = SONDE_BUF(1000);
    sonde_node_print_json(documents.items[0], &json);
    assert_string_equal(json.data,
                        "{\"kind\":\"ProfileRun\",\"spec\":{\"captures\":[{\"name\":\"cpu\","
                        "\"seconds\":30,\"share\":0.5,\"on\":true,\"none\":null},"
                        "{\"name\":\"30\",\"mode\":15}]}}");
    sonde_buf_clear(&json);
    sonde_node_print_json(documents.items[1], &json);
    assert_string_equal(json.data, "{\"json\":[1,\"two\",null,false]}");
    sonde_documents_fini(&documents);
}

static void mistakes_name_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *message;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", SONDE_EINVALID,
         "f.yaml:3:1: the key \"a\" stands twice, first at line 1"},
        {"[a]: 1\n", SONDE_EINVALID, "f.yaml:1:1: a key must be plain text"},
        {"a: !!python/object x\n", SONDE_EINVALID,
         "f.yaml:1:4: tags are not read: write the value plainly"},
        {"a: *x\n", SONDE_EINVALID, "f.yaml:1:4: an alias without its anchor before it"},
        {"a: &x [*x]\n", SONDE_EINVALID, "f.yaml:1:8: an alias without its anchor before it"},
        {"a: [1\n", SONDE_EINVALID, "f.yaml:2:1: did not find expected ',' or ']'"},
        {"\xff\xfe", SONDE_EINVALID, "f.yaml: not UTF-8"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_documents documents;
        struct sonde_err err = {0};
        assert_int_equal(sonde_yaml_parse("f.yaml", sonde_str(cases[i].text), &documents, &err),
                         cases[i].code);
        assert_string_equal(err.message, cases[i].message);
        sonde_documents_fini(&documents);
    }
}

static void aliases_share_and_are_bounded(void **state)
{
    (void)state;
    struct sonde_documents documents;
    assert_int_equal(sonde_yaml_parse("f", SONDE_STR("a: &x {b: [1, 2]}\nc: *x\nd: [*x, *x]\n"),
                                      &documents, NULL),
                     0);
    SONDE_BUF_AUTO json = SONDE_BUF(1000);
    sonde_node_print_json(documents.items[0], &json);
    assert_string_equal(json.data, "{\"a\":{\"b\":[1,2]},\"c\":{\"b\":[1,2]},"
                                   "\"d\":[{\"b\":[1,2]},{\"b\":[1,2]}]}");
    sonde_documents_fini(&documents);

    SONDE_BUF_AUTO bomb = SONDE_BUF(10000);
    sonde_buf_text(&bomb, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 10; i++) {
        sonde_buf_printf(&bomb, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++) {
            sonde_buf_printf(&bomb, "%s*a%d", j ? "," : "", i - 1);
        }
        sonde_buf_text(&bomb, "]\n");
    }
    struct sonde_err err;
    assert_int_equal(sonde_yaml_parse("bomb", sonde_buf_view(&bomb), &documents, &err),
                     SONDE_ELIMIT);
    assert_non_null(strstr(err.message, "too many values"));
    sonde_documents_fini(&documents);
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    char deep[100];
    memset(deep, '[', sizeof(deep));
    struct sonde_documents documents;
    struct sonde_err err;
    assert_int_equal(
        sonde_yaml_parse("f", (struct sonde_str){deep, sizeof(deep)}, &documents, &err),
        SONDE_ELIMIT);
    assert_string_equal(err.message, "f:1:33: nested too deep: at most 32 levels are read");
    sonde_documents_fini(&documents);
    /* Aliases are as deep as what they stand for. */
    SONDE_BUF_AUTO tower = SONDE_BUF(4096);
    sonde_buf_text(&tower, "l0: &a0 [x]\n");
    for (int level = 1; level < 32; level++) {
        sonde_buf_printf(&tower, "l%d: &a%d [*a%d]\n", level, level, level - 1);
    }
    assert_int_equal(sonde_yaml_parse("f", sonde_buf_view(&tower), &documents, &err), SONDE_ELIMIT);
    assert_string_equal(err.message, "f:32:12: nested too deep: at most 32 levels are read");
    sonde_documents_fini(&documents);
    SONDE_BUF_AUTO large = SONDE_BUF(SONDE_YAML_BYTES_MAX + 10);
    sonde_buf_repeat(&large, 'a', SONDE_YAML_BYTES_MAX + 1);
    assert_int_equal(sonde_yaml_parse("f", sonde_buf_view(&large), &documents, &err), SONDE_ELIMIT);
    sonde_documents_fini(&documents);
}

/* libyaml knows no pairs of escapes, with which JSON writes what is beyond U+FFFF. */
static void json_has_pairs_of_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"{\"a\\ud83d\\ude00\": \"\\\\ud83d\\ude00 \\u00e9\\/\\uD834\\uDD1E\"}",
         NULL}, /* a low one alone */
        {"{\"a\\ud83d\\ude00\": \"\\\\ud83d\\\\ude00 \\u00e9\\/\\uD834\\uDD1E\"}",
         "{\"a\U0001f600\":\"\\\\ud83d\\\\ude00 \u00e9/\U0001d11e\"}"},
        {"{a: '\\ud83d\\ude00'}", "{\"a\":\"\\\\ud83d\\\\ude00\"}"}, /* no JSON */
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_documents documents;
        SONDE_BUF_AUTO json = SONDE_BUF(1000);
        int code = sonde_yaml_parse("f", sonde_str(cases[i].text), &documents, NULL);
        assert_int_equal(code, cases[i].json ? 0 : SONDE_EINVALID);
        if (code == 0) {
            sonde_node_print_json(documents.items[0], &json);
            assert_string_equal(json.data, cases[i].json);
        }
        sonde_documents_fini(&documents);
    }
}

/* What was read as 19.99 is written so, not with all the digits of the nearest double. */
static void numbers_are_written_as_briefly_as_they_can_be(void **state)
{
    (void)state;
    struct sonde_documents documents;
    SONDE_BUF_AUTO json = SONDE_BUF(1000);
    assert_int_equal(sonde_yaml_parse("f",
                                      SONDE_STR("[19.99, 0.1, 2.0, 1e21, 0.30000000000000004, "
                                                "5e-324, 1.7976931348623157e308]"),
                                      &documents, NULL),
                     0);
    sonde_node_print_json(documents.items[0], &json);
    assert_string_equal(json.data, "[19.99,0.1,2.0,1e+21,0.30000000000000004,"
                                   "4.94065645841247e-324,1.7976931348623157e+308]");
    sonde_documents_fini(&documents);
}

/* As many keys as a file can have are looked up, not compared with each other. */
static void many_keys_of_a_map_are_told_apart(void **state)
{
    (void)state;
    enum { KEYS = 40000 };
    const struct sonde_yaml_limits limits = {4 << 20, 2 * KEYS};
    struct sonde_documents documents;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(4 << 20);
    for (int i = 0; i < KEYS; i++) {
        sonde_buf_printf(&text, "k%d: 1\n", i);
    }
    assert_int_equal(sonde_yaml_parse_within("f", sonde_buf_view(&text), &limits, &documents, &err),
                     0);
    assert_int_equal(documents.items[0]->count, KEYS);
    sonde_documents_fini(&documents);
    static const char *const twice[] = {"k3", "k17", "k39999"};
    for (size_t i = 0; i < SONDE_LENGTH(twice); i++) {
        size_t before = text.length;
        char said[100];
        sonde_buf_printf(&text, "%s: 2\n", twice[i]);
        (void)snprintf(said, sizeof(said), "f:%d:1: the key \"%s\" stands twice, first at line %s",
                       KEYS + 1, twice[i],
                       i == 0   ? "4"
                       : i == 1 ? "18"
                                : "40000");
        assert_int_equal(
            sonde_yaml_parse_within("f", sonde_buf_view(&text), &limits, &documents, &err),
            SONDE_EINVALID);
        assert_string_equal(err.message, said);
        sonde_documents_fini(&documents);
        text.length = before;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_have_types_and_places),
        cmocka_unit_test(mistakes_name_line_and_column),
        cmocka_unit_test(aliases_share_and_are_bounded),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(json_has_pairs_of_escapes),
        cmocka_unit_test(numbers_are_written_as_briefly_as_they_can_be),
        cmocka_unit_test(many_keys_of_a_map_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
