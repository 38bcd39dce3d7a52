/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "results/recognize.h"

static int recognize(struct sonde_str text, size_t step, struct sonde_recognizer *r,
                     struct sonde_err *err)
{
    int code = 0;
    sonde_recognizer_init(r);
    for (size_t at = 0; at < text.length && code == 0; at += step) {
        size_t left = text.length - at;
        code = sonde_recognizer_feed(r, text.data + at, left < step ? left : step, err);
    }
    return code < 0 ? code : sonde_recognizer_finish(r, err);
}

#define BYTES(literal) {"" literal, sizeof(literal) - 1}

static void files_are_told_apart_by_what_is_in_them(void **state)
{
    (void)state;
    static const struct {
        struct sonde_str text;
        const char *name; /* NULL: none that can be imported */
    } rows[] = {
        {BYTES("{\"nodes\":[{\"id\":1}],\"startTime\":1}"), "cpuprofile"},
        {BYTES(" \n\t{\"samples\":[1,2],\"timeDeltas\":[3,{\"head\":1}],\"nodes\":[]}"),
         "cpuprofile"},
        {BYTES("{\"samples\":[],\"head\":{\"nodes\":[]}}"), "heapprofile"},
        {BYTES("{\"timestamp\":1,\"result\":[]}"), "V8 coverage"},
        {BYTES("{\"snapshot\":{\"meta\":{}},\"nodes\":[1,2]}"), "heapsnapshot"},
        {BYTES("\x1f\x8b\x08\x00"), "pprof"},
        {BYTES("\x0a\x04\x08\x01\x10\x02"), "pprof"},
        {BYTES("a;b;c 12\na;b 3.5\n"), "folded stacks"},
        {BYTES("# made by a tool\n\n(root);a b 7"), "folded stacks"},
        {BYTES("{a;b 12\n"), NULL}, /* it begins as JSON */
        {BYTES(""), NULL},
        {BYTES("\n\n"), NULL},
        {BYTES("\nLorem ipsum,\ndolor\n"), NULL}, /* it would be a field's number */
        {BYTES("prose without a number\n12 7\n"), NULL},
        {BYTES("[1,2]"), NULL},
        {BYTES("{}"), NULL},
        {BYTES("{\"traceEvents\":[{\"nodes\":1}]}"), NULL},
        {BYTES("a;b\x01 12\n"), NULL},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        for (size_t step = 1; step < 9; step += 3) {
            struct sonde_recognizer r;
            struct sonde_err err = {0};
            int code = recognize(rows[i].text, step, &r, &err);
            const char *found = code == 0 ? r.found->name : NULL;
            if ((code == 0) != (rows[i].name != NULL) ||
                (found && strcmp(found, rows[i].name) != 0)) {
                fail_msg("row %zu is %s: %s", i, found ? found : "nothing", err.message);
            }
            assert_true(code == 0 || err.message[0]);
            sonde_recognizer_fini(&r);
        }
    }
}

/* The key that tells may stand behind anything, and a first line may be longer than the head. */
static void long_files_are_told_apart(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_buf_text(&text, "{\"samples\":[0");
    for (int i = 0; i < 20000; i++) {
        sonde_buf_printf(&text, ",%d", i);
    }
    sonde_buf_text(&text, "],\"nodes\":[]}");
    struct sonde_recognizer r;
    assert_int_equal(recognize(sonde_buf_view(&text), 1000, &r, NULL), 0);
    assert_string_equal(r.found->name, "cpuprofile");
    sonde_recognizer_fini(&r);

    sonde_buf_clear(&text);
    for (int i = 0; i < 2000; i++) {
        sonde_buf_text(&text, "recurse;");
    }
    sonde_buf_text(&text, "leaf 9\n");
    assert_int_equal(recognize(sonde_buf_view(&text), 1000, &r, NULL), 0);
    assert_string_equal(r.found->name, "folded stacks");
    sonde_recognizer_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_told_apart_by_what_is_in_them),
        cmocka_unit_test(long_files_are_told_apart),
    };
    return cmocka_run_group_tests_name("recognize", tests, NULL, NULL);
}
