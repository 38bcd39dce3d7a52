/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "profile/folded.h"
#include "profile/formats.h"
#include "profile_helpers.h"

static int read_folded(struct sonde_profile *profile, enum sonde_profile_unit unit,
                       struct sonde_str text, size_t step, struct sonde_err *err)
{
    return READ_WITH(folded, text, step, err, profile, unit);
}

static const char example[] =
    "# made by a tool\n"
    "handler file:///app/index.js:10;loadVisits (file:///app/with a space/visits.js:41:7) 20\n"
    "\n"
    "handler file:///app/index.js:10;RegExp: (a+)+b /x:y 7\r\n"
    "(root);handler file:///app/index.js:10 1.5\n"
    "a b;c;c;c 100";

static void assert_example(const struct sonde_profile *profile, int64_t scale)
{
    assert_int_equal(profile->total, 128 * scale + scale / 2);
    assert_int_equal(node_at(profile, "handler;loadVisits")->self, 20 * scale);
    assert_int_equal(node_at(profile, "handler;RegExp: (a+)+b /x:y")->self, 7 * scale);
    assert_int_equal(node_at(profile, "a b;c;c;c")->self, 100 * scale);
    const struct sonde_frame *load = frame_named(profile, "loadVisits");
    assert_true(sonde_str_is(load->generated.file, "file:///app/with a space/visits.js"));
    assert_int_equal(load->generated.line, 41);
    assert_int_equal(load->generated.column, 7);
    assert_int_equal(load->category, SONDE_CATEGORY_APP);
    assert_int_equal(frame_named(profile, "handler")->generated.line, 10);
    assert_int_equal(profile->windows, 1);
}

static void stacks_are_taken_apart(void **state)
{
    (void)state;
    for (size_t step = 0; step < 30; step++) {
        struct sonde_profile profile;
        struct sonde_err err = {0};
        assert_int_equal(sonde_profile_init(&profile, NULL), 0);
        if (read_folded(&profile, SONDE_PROFILE_NANOSECONDS, sonde_str(example), step, &err) != 0) {
            fail_msg("%s", err.message);
        }
        assert_example(&profile, 1000);
        assert_true(profile.busy_only && profile.unordered);
        sonde_profile_fini(&profile);
    }
    struct sonde_profile bytes;
    assert_int_equal(sonde_profile_init(&bytes, NULL), 0);
    assert_int_equal(read_folded(&bytes, SONDE_PROFILE_BYTES, sonde_str(example), 0, NULL), 0);
    assert_int_equal(bytes.unit, SONDE_PROFILE_BYTES);
    assert_example(&bytes, 1);
    sonde_profile_fini(&bytes);
}

static void hostile_lines_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "has none"},
        {"# nothing\n\n", "has none"},
        {"a;b 1\nnonsense\n", "line 2"},
        {"a;b x\n", "line 1"},
        {"a;b -5\n", "line 1"},
        {"a;b 1e300\n", "line 1"},
        {"a;\xff\xfe 1\n", "UTF-8"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sonde_profile profile;
        struct sonde_err err = {0};
        assert_int_equal(sonde_profile_init(&profile, NULL), 0);
        int r = read_folded(&profile, SONDE_PROFILE_NANOSECONDS, sonde_str(rows[i].text), 0, &err);
        if (r != SONDE_EPARSE || !strstr(err.message, rows[i].says)) {
            fail_msg("%s gave %d: %s", rows[i].text, r, err.message);
        }
        sonde_profile_fini(&profile);
    }
}

static void sums_that_no_number_holds_are_a_limit(void **state)
{
    (void)state;
    struct sonde_profile profile;
    struct sonde_err err = {0};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    int r = read_folded(&profile, SONDE_PROFILE_NANOSECONDS,
                        SONDE_STR("a 9223372036854775\nb 9223372036854775\n"), 0, &err);
    assert_int_equal(r, SONDE_ELIMIT);
    sonde_profile_fini(&profile);
}

static void deep_stacks_are_read_back(void **state)
{
    (void)state;
    enum { DEPTH = 4000 };
    SONDE_BUF_AUTO text = SONDE_BUF(WRITTEN_MAX);
    for (int i = 0; i < DEPTH; i++) {
        sonde_buf_printf(&text, "%swalk file:///app/walk.js:7", i ? ";" : "");
    }
    sonde_buf_text(&text, " 12\n");
    struct sonde_profile profile;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    assert_int_equal(read_folded(&profile, SONDE_PROFILE_BYTES, sonde_buf_view(&text), 100, NULL),
                     0);
    assert_int_equal(profile.node_count, DEPTH + 1);
    assert_int_equal(profile.frame_count, 2);
    assert_int_equal(profile.nodes[DEPTH].self, 12);
    SONDE_BUF_AUTO written = SONDE_BUF(WRITTEN_MAX);
    struct sonde_output output = SONDE_OUTPUT(write_to_buf, &written);
    assert_int_equal(sonde_folded_write(&profile, &output, NULL), 0);
    assert_int_equal(written.length, text.length);
    assert_memory_equal(written.data, text.data, text.length);
    sonde_output_fini(&output);
    sonde_profile_fini(&profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stacks_are_taken_apart),
        cmocka_unit_test(hostile_lines_are_refused),
        cmocka_unit_test(sums_that_no_number_holds_are_a_limit),
        cmocka_unit_test(deep_stacks_are_read_back),
    };
    return cmocka_run_group_tests_name("folded", tests, NULL, NULL);
}
