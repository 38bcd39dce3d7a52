/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/form.h"

static void assert_form(const char *json, const char *expected)
{
    struct sonde_arena arena = SONDE_ARENA(1 << 20);
    struct sonde_load_form form;
    struct sonde_err err = {0};
    char boundary[SONDE_LOAD_BOUNDARY_SIZE] = "";
    SONDE_BUF_AUTO said = SONDE_BUF(1 << 16);
    int r = sonde_load_form_parse(sonde_str(json), &arena, &form, &err);
    for (size_t i = 0; r == 0 && i < form.count; i++) {
        if (form.parts[i].path) {
            form.parts[i].value = SONDE_STR("CONTENT");
        }
    }
    r = r < 0 ? r : sonde_load_form_print(&form, boundary, &said, &err);
    if (r < 0) {
        sonde_buf_clear(&said);
        sonde_buf_text(&said, err.message);
    }
    assert_string_equal(said.data, expected);
    sonde_arena_fini(&arena);
}

#define LINE "--sonde-form-boundary-1\r\nContent-Disposition: form-data; name="

static void forms_are_written(void **state)
{
    (void)state;
    assert_form("{\"a\":{\"type\":\"text\",\"value\":\"x\"}}",
                LINE "\"a\"\r\n\r\nx\r\n--sonde-form-boundary-1--\r\n");
    assert_form("{\"f\":{\"type\":\"file\",\"path\":\"dir/a.csv\"},"
                "\"g\":{\"type\":\"file\",\"path\":\"a\",\"options\":{\"filename\":\"n.bin\","
                "\"contentType\":\"x/y\"}},"
                "\"h\":{\"type\":\"file\",\"path\":\"a\",\"options\":{\"filepath\":\"p/q.txt\"}}}",
                LINE "\"f\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\nCONTENT\r\n" LINE
                     "\"g\"; filename=\"n.bin\"\r\nContent-Type: x/y\r\n\r\nCONTENT\r\n" LINE
                     "\"h\"; filename=\"p/q.txt\"\r\nContent-Type: text/plain\r\n\r\nCONTENT\r\n"
                     "--sonde-form-boundary-1--\r\n");
    assert_form("{\"a\\\"\\r\\nb\":{\"type\":\"text\",\"value\":\"\\r\\n--x\"}}",
                LINE "\"a%22%0D%0Ab\"\r\n\r\n\r\n--x\r\n--sonde-form-boundary-1--\r\n");
    assert_form("{\"a\":{\"type\":\"text\",\"value\":\"--sonde-form-boundary-1\"}}",
                "--sonde-form-boundary-2\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"
                "--sonde-form-boundary-1\r\n--sonde-form-boundary-2--\r\n");
}

static void what_is_no_form_is_refused(void **state)
{
    (void)state;
    static const char words[] =
        "the form's field \"a\": give {\"type\": \"text\", \"value\": \"…\"} "
        "or {\"type\": \"file\", \"path\": \"…\"}";
    assert_form("{}", "the form must be an object of fields");
    assert_form("[1]", "the form must be an object of fields");
    assert_form("{\"a\":1}", words);
    assert_form("{\"a\":{\"type\":\"text\"}}", words);
    assert_form("{\"a\":{\"type\":\"other\",\"value\":\"x\"}}", words);
    assert_form("{\"a\":{\"type\":\"file\"}}", "the form's field \"a\": a file needs its path");
    assert_form(
        "{\"a\":{\"type\":\"file\",\"path\":\"p\",\"options\":{\"contentType\":\"a\\r\\nb\"}}}",
        "the form's field \"a\": a media type of several lines");
}

static void values_are_encoded(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_load_form_encode(SONDE_STR("a b"), SONDE_STR("x&y=\xc3\xa9*-._"), &text);
    sonde_load_form_encode(SONDE_STR("c"), SONDE_STR(""), &text);
    assert_string_equal(text.data, "a+b=x%26y%3D%C3%A9*-._&c=");
}

/* Looking for a boundary that is in no value ends. */
static void boundaries_are_not_tried_for_ever(void **state)
{
    (void)state;
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 14);
    sonde_buf_text(&json, "{\"a\":{\"type\":\"text\",\"value\":\"");
    for (int i = 1; i <= 101; i++) {
        sonde_buf_printf(&json, "sonde-form-boundary-%d ", i);
    }
    sonde_buf_text(&json, "\"}}");
    assert_form(json.data,
                "the form's values have each of the 100 boundaries that are tried in them");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_written),
        cmocka_unit_test(what_is_no_form_is_refused),
        cmocka_unit_test(values_are_encoded),
        cmocka_unit_test(boundaries_are_not_tried_for_ever),
    };
    return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
