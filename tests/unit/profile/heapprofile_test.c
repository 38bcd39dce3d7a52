/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "profile/formats.h"
#include "profile/heapprofile.h"
#include "profile_helpers.h"

static int read_heap(struct sonde_profile *profile, struct sonde_str text, size_t step,
                     struct sonde_err *err)
{
    return READ_WITH(heapprofile, text, step, err, profile);
}

static void read_good_heap(struct sonde_profile *profile, const char *text)
{
    struct sonde_err err = {0};
    if (read_heap(profile, sonde_str(text), 0, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static void read_heap_alone(struct sonde_profile *ret, const char *text)
{
    assert_int_equal(sonde_profile_init(ret, NULL), 0);
    read_good_heap(ret, text);
}

#define FRAME(function, url, line, column)                                                         \
    "\"callFrame\":{\"functionName\":\"" function "\",\"scriptId\":\"7\",\"url\":\"" url           \
    "\",\"lineNumber\":" #line ",\"columnNumber\":" #column "}"
#define ROOT FRAME("(root)", "", -1, -1)
#define LOAD FRAME("loadVisits", "file:///app/visits.js", 40, 4)
#define PARSE FRAME("parse", "", -1, -1)

static const char example[] =
    "{\"head\":{" ROOT ",\"selfSize\":0,\"id\":1,\"children\":[{" LOAD
    ",\"selfSize\":4096,\"id\":2,\"children\":[{" PARSE
    ",\"selfSize\":1048576,\"id\":9,\"children\":[]}]},"
    "{" PARSE ",\"selfSize\":10,\"id\":3,\"children\":[]}]},"
    "\"samples\":[{\"size\":524288,\"nodeId\":9,\"ordinal\":7},"
    "{\"size\":524288,\"nodeId\":9,\"ordinal\":3},{\"size\":4096,\"nodeId\":2,\"ordinal\":5}]}";

static void assert_example(const struct sonde_profile *profile)
{
    assert_int_equal(profile->unit, SONDE_PROFILE_BYTES);
    assert_int_equal(profile->total, 1048576 + 4096 + 10);
    assert_int_equal(profile->total_samples, 3);
    assert_int_equal(profile->node_count, 4);
    assert_int_equal(node_at(profile, "loadVisits")->self, 4096);
    assert_int_equal(node_at(profile, "loadVisits")->samples, 1);
    assert_int_equal(node_at(profile, "loadVisits;parse")->self, 1048576);
    assert_int_equal(node_at(profile, "loadVisits;parse")->samples, 2);
    assert_int_equal(node_at(profile, "parse")->self, 10);
    assert_int_equal(node_at(profile, "parse")->samples, 0);
    const struct sonde_frame *load = frame_named(profile, "loadVisits");
    assert_int_equal(load->generated.line, 41);
    assert_int_equal(load->generated.column, 5);
    assert_int_equal(load->category, SONDE_CATEGORY_APP);
    assert_false(profile->counts_objects);
    /* in the order they were made */
    assert_int_equal(profile->allocation_count, 3);
    assert_int_equal(profile->allocations[0].bytes, 524288);
    assert_int_equal(profile->allocations[1].bytes, 4096);
}

static void bytes_are_those_of_the_nodes(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_heap_alone(&profile, example);
    assert_example(&profile);
    read_good_heap(&profile, example); /* processes add up */
    assert_int_equal(profile.total, 2 * (1048576 + 4096 + 10));
    assert_int_equal(profile.node_count, 4);
    assert_int_equal(profile.windows, 2);
    sonde_profile_fini(&profile);
}

static void any_split_of_the_bytes_reads_the_same(void **state)
{
    (void)state;
    for (size_t step = 1; step < 40; step++) {
        struct sonde_profile profile;
        assert_int_equal(sonde_profile_init(&profile, NULL), 0);
        assert_int_equal(read_heap(&profile, sonde_str(example), step, NULL), 0);
        assert_example(&profile);
        sonde_profile_fini(&profile);
    }
}

static void keys_come_in_any_order_and_unknown_ones_are_passed_over(void **state)
{
    (void)state;
    static const char odd[] =
        "{\"samples\":[{\"ordinal\":3,\"nodeId\":9,\"more\":{\"size\":1},\"size\":524288},"
        "{\"nodeId\":9,\"size\":524288,\"ordinal\":7},{\"size\":4096,\"nodeId\":2,\"ordinal\":5}],"
        "\"meta\":{\"head\":{\"selfSize\":5},\"children\":[{\"selfSize\":1}]},"
        "\"head\":{\"children\":[{\"children\":[{\"id\":9,\"extra\":[[{\"selfSize\":3}]],"
        "\"children\":[],\"selfSize\":1048576," PARSE "}],\"id\":2,\"selfSize\":4096,"
        "\"more\":{\"children\":[{\"selfSize\":4}],\"callFrame\":{\"url\":\"x\"}}," LOAD "},"
        "{\"selfSize\":10,\"callFrame\":{\"deep\":{\"functionName\":\"no\"},\"functionName\":"
        "\"parse\",\"url\":\"\"},\"children\":[],\"id\":3}],\"selfSize\":0," ROOT ",\"id\":1}}";
    struct sonde_profile profile;
    struct sonde_err err = {0};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    if (read_heap(&profile, sonde_str(odd), 0, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_example(&profile);
    sonde_profile_fini(&profile);
}

/* Before Node.js 12, nodes had no id and there were no samples. */
static void old_files_have_neither_ids_nor_samples(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_heap_alone(&profile, "{\"head\":{" ROOT ",\"selfSize\":0,\"children\":[{" LOAD
                              ",\"selfSize\":7,\"children\":[]},{\"selfSize\":5}]}}");
    assert_int_equal(profile.total, 12);
    assert_int_equal(profile.total_samples, 0);
    assert_int_equal(node_at(&profile, "loadVisits")->self, 7);
    sonde_profile_fini(&profile);
}

/* V8 takes samples while it writes them. */
static void samples_of_unknown_nodes_do_not_count(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_heap_alone(&profile, "{\"head\":{" ROOT ",\"selfSize\":5,\"id\":1,\"children\":[]},"
                              "\"samples\":[{\"size\":9,\"nodeId\":2,\"ordinal\":2},"
                              "{\"size\":5,\"nodeId\":1,\"ordinal\":1}]}");
    assert_int_equal(profile.total, 5);
    assert_int_equal(profile.total_samples, 1);
    assert_int_equal(profile.allocation_count, 1);
    sonde_profile_fini(&profile);
}

static void an_empty_profile_is_one(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_heap_alone(&profile, "{\"head\":{" ROOT ",\"selfSize\":0,\"id\":1,\"children\":[]},"
                              "\"samples\":[]}");
    assert_int_equal(profile.total, 0);
    assert_int_equal(profile.windows, 1);
    sonde_profile_fini(&profile);
}

static void hostile_profiles_are_refused(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {"", SONDE_EPARSE, ""},
        {"{", SONDE_EPARSE, ""},
        {"[]", SONDE_EPARSE, "no head"},
        {"{}", SONDE_EPARSE, "no head"},
        {"{\"head\":7}", SONDE_EPARSE, "no head"},
        {"{\"head\":[]}", SONDE_EPARSE, "no head"},
        {"{\"head\":null,\"samples\":[]}", SONDE_EPARSE, "no head"},
        {"{\"head\":{\"id\":1,\"children\":[{\"id\":1}]}}", SONDE_EPARSE, "the id 1"},
    };
    assert_profiles_refused(rows, SONDE_LENGTH(rows), read_heap);
}

static void odd_numbers_are_bounded(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_heap_alone(&profile, "{\"head\":{\"selfSize\":-5,\"children\":[{" LOAD
                              ",\"selfSize\":1e300},{" PARSE ",\"selfSize\":9223372036854775807},"
                              "{\"callFrame\":{\"functionName\":\"x\",\"lineNumber\":-7,"
                              "\"columnNumber\":99999999999},\"selfSize\":2.5}]}}");
    assert_int_equal(profile.total, SONDE_HEAPPROFILE_BYTES_MAX + 2);
    assert_int_equal(frame_named(&profile, "x")->generated.line, 0);
    assert_int_equal(frame_named(&profile, "x")->generated.column, 0);
    sonde_profile_fini(&profile);
}

static void time_and_bytes_do_not_mix(void **state)
{
    (void)state;
    struct sonde_profile profile;
    struct sonde_err err = {0};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    read_good(&profile, NULL,
              "{\"nodes\":[{\"id\":1," ROOT "}],\"startTime\":5,\"endTime\":5,\"samples\":[],"
              "\"timeDeltas\":[]}");
    assert_int_equal(read_heap(&profile, sonde_str(example), 0, &err), SONDE_EINVALID);
    assert_non_null(strstr(err.message, "time and bytes"));
    assert_int_equal(profile.unit, SONDE_PROFILE_NANOSECONDS);
    sonde_profile_fini(&profile);
}

static void make_chain(struct sonde_buf *text, int depth)
{
    sonde_buf_text(text, "{\"head\":{" ROOT ",\"selfSize\":0,\"id\":1,\"children\":[");
    for (int i = 0; i < depth; i++) {
        sonde_buf_printf(text,
                         "{" FRAME("walk", "file:///app/walk.js", 3,
                                   5) ",\"selfSize\":8,\"id\":%d,\"children\":[",
                         i + 2);
    }
    for (int i = 0; i <= depth; i++) {
        sonde_buf_text(text, "]}");
    }
    sonde_buf_printf(text, ",\"samples\":[{\"size\":8,\"nodeId\":%d,\"ordinal\":1}]}", depth + 1);
}

static void deep_recursion_is_read_and_written(void **state)
{
    (void)state;
    enum { DEPTH = 20000 };
    SONDE_BUF_AUTO text = SONDE_BUF(WRITTEN_MAX);
    struct sonde_profile profile;
    struct sonde_profile again;
    struct sonde_err err = {0};
    make_chain(&text, DEPTH);
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    assert_int_equal(sonde_profile_init(&again, NULL), 0);
    if (read_heap(&profile, sonde_buf_view(&text), 4096, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(profile.node_count, DEPTH + 1);
    assert_int_equal(profile.frame_count, 2);
    assert_int_equal(profile.total, DEPTH * 8);
    SONDE_BUF_AUTO written = SONDE_BUF(WRITTEN_MAX);
    struct sonde_output output = SONDE_OUTPUT(write_to_buf, &written);
    assert_int_equal(sonde_heapprofile_write(&profile, &output, &err), 0);
    assert_int_equal(read_heap(&again, sonde_buf_view(&written), 0, &err), 0);
    assert_int_equal(again.node_count, DEPTH + 1);
    assert_int_equal(again.total, profile.total);
    assert_int_equal(again.nodes[DEPTH].samples, 1);
    sonde_output_fini(&output);
    sonde_profile_fini(&profile);
    sonde_profile_fini(&again);
}

static void a_stack_beyond_the_bound_is_a_limit(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(WRITTEN_MAX);
    struct sonde_profile profile;
    make_chain(&text, SONDE_HEAPPROFILE_STACK_MAX + 20);
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    assert_int_equal(read_heap(&profile, sonde_buf_view(&text), 0, NULL), SONDE_ELIMIT);
    sonde_profile_fini(&profile);
}

static void a_written_profile_reads_back(void **state)
{
    (void)state;
    struct sonde_profile profile;
    struct sonde_profile again;
    struct sonde_err err = {0};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    assert_int_equal(sonde_profile_init(&again, NULL), 0);
    read_good_heap(&profile, example);
    SONDE_BUF_AUTO written = SONDE_BUF(WRITTEN_MAX);
    struct sonde_output output = SONDE_OUTPUT(write_to_buf, &written);
    assert_int_equal(sonde_heapprofile_write(&profile, &output, &err), 0);
    assert_int_equal(read_heap(&again, sonde_buf_view(&written), 13, &err), 0);
    assert_example(&again);
    sonde_output_fini(&output);
    sonde_profile_fini(&profile);
    sonde_profile_fini(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_those_of_the_nodes),
        cmocka_unit_test(any_split_of_the_bytes_reads_the_same),
        cmocka_unit_test(keys_come_in_any_order_and_unknown_ones_are_passed_over),
        cmocka_unit_test(old_files_have_neither_ids_nor_samples),
        cmocka_unit_test(samples_of_unknown_nodes_do_not_count),
        cmocka_unit_test(an_empty_profile_is_one),
        cmocka_unit_test(hostile_profiles_are_refused),
        cmocka_unit_test(odd_numbers_are_bounded),
        cmocka_unit_test(time_and_bytes_do_not_mix),
        cmocka_unit_test(deep_recursion_is_read_and_written),
        cmocka_unit_test(a_stack_beyond_the_bound_is_a_limit),
        cmocka_unit_test(a_written_profile_reads_back),
    };
    return cmocka_run_group_tests_name("heapprofile", tests, NULL, NULL);
}
