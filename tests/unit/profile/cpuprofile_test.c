/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profile/cpuprofile.h"
#include "profile/formats.h"
#include "profile_helpers.h"

#define FRAME(name, url, line, column)                                                             \
    "\"callFrame\":{\"functionName\":\"" name "\",\"scriptId\":\"7\",\"url\":\"" url               \
    "\",\"lineNumber\":" #line ",\"columnNumber\":" #column "}"

/* 2 idle, 3 handler → 4 load (of a package), 5 the collector. */
#define NODES                                                                                      \
    "\"nodes\":[{\"id\":1," FRAME(                                                                 \
        "(root)", "", -1,                                                                          \
        -1) ",\"hitCount\":0,\"children\":[2,3,5]},"                                               \
            "{\"id\":2," FRAME("(idle)", "", -1,                                                   \
                               -1) ",\"hitCount\":2},"                                             \
                                   "{\"id\":3," FRAME(                                             \
                                       "handler", "file:///app/a.js", 9,                           \
                                       4) ",\"hitCount\":1,\"children\":[4],"                      \
                                          "\"positionTicks\":[{\"line\":12,\"ticks\":1}]},"        \
                                          "{\"id\":4," FRAME(                                      \
                                              "load", "file:///app/node_modules/x/i.js", 0,        \
                                              0) ",\"hitCount\":2,"                                \
                                                 "\"positionTicks\":[{\"line\":3,\"ticks\":1},{"   \
                                                 "\"line\":4,\"ticks\":1}]},"                      \
                                                 "{\"id\":5," FRAME("(garbage collector)", "", -1, \
                                                                    -1) ",\"hitCount\":1}]"

#define TIMES "\"startTime\":1000,\"endTime\":11000"
#define SAMPLES "\"samples\":[2,3,4,4,5,2],\"timeDeltas\":[1000,2000,1000,1000,3000,500]"

static void assert_example(const struct sonde_profile *profile)
{
    assert_consistent(profile);
    assert_int_equal(profile->total, 9000000);
    assert_int_equal(profile->total_samples, 6);
    assert_int_equal(profile->start_us, 1000);
    assert_int_equal(profile->end_us, 11000);
    assert_int_equal(node_at(profile, "(idle)")->self, 3500000);
    assert_int_equal(node_at(profile, "(idle)")->samples, 2);
    assert_int_equal(node_at(profile, "handler")->self, 1000000);
    assert_int_equal(node_at(profile, "handler;load")->self, 4000000);
    assert_int_equal(node_at(profile, "handler;load")->samples, 2);
    assert_int_equal(node_at(profile, "(garbage collector)")->self, 500000);
    const struct sonde_frame *handler = frame_named(profile, "handler");
    assert_int_equal(handler->generated.line, 10);
    assert_int_equal(handler->generated.column, 5);
    assert_int_equal(frame_named(profile, "(idle)")->generated.line, 0);
    assert_int_equal(frame_named(profile, "load")->category, SONDE_CATEGORY_DEPENDENCY);
    assert_int_equal(profile->line_count, 3);
}

static void a_sample_counts_until_the_next_one(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_alone(&profile, "{" NODES "," TIMES "," SAMPLES "}");
    assert_example(&profile);
    sonde_profile_fini(&profile);
}

static void any_split_of_the_bytes_reads_the_same(void **state)
{
    (void)state;
    for (size_t step = 1; step < 40; step++) {
        struct sonde_profile profile;
        assert_int_equal(sonde_profile_init(&profile, NULL), 0);
        struct sonde_err err = {0};
        assert_int_equal(
            read_window(&profile, NULL, SONDE_STR("{" NODES "," TIMES "," SAMPLES "}"), step, &err),
            0);
        assert_example(&profile);
        sonde_profile_fini(&profile);
    }
}

static void keys_come_in_any_order(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{" SAMPLES "," TIMES "," NODES "}",
        "{" TIMES "," SAMPLES "," NODES ",\"$vscode\":{\"nodes\":[{\"id\":9}],\"samples\":[77]}}",
        "{\"startTime\":1e3,\"endTime\":11000.4," NODES "," SAMPLES "}",
    };
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        struct sonde_profile profile;
        assert_int_equal(sonde_profile_init(&profile, NULL), 0);
        read_good(&profile, NULL, texts[i]);
        assert_example(&profile);
        sonde_profile_fini(&profile);
    }
}

static void parents_stand_for_children_and_ids_are_arbitrary(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_alone(&profile, "{\"nodes\":["
                         "{\"id\":4000000007,\"parent\":0," FRAME(
                             "inner", "", -1,
                             -1) "},"
                                 "{\"id\":0,\"parent\":12," FRAME(
                                     "outer", "file:///a.js", 0,
                                     0) "},"
                                        "{\"id\":12," FRAME(
                                            "(root)", "", -1,
                                            -1) "}],"
                                                "\"startTime\":0,\"endTime\":100,\"samples\":["
                                                "4000000007,0],\"timeDeltas\":[0,40]}");
    assert_int_equal(node_at(&profile, "outer;inner")->self, 40000);
    assert_int_equal(node_at(&profile, "outer")->self, 60000);
    assert_int_equal(profile.node_count, 3);
    sonde_profile_fini(&profile);
}

/* An unknown member of a node must not be taken for its callFrame. */
static void unknown_members_are_passed_over(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_alone(&profile,
               "{\"nodes\":[{\"id\":1," FRAME(
                   "f", "file:///a.js", 6,
                   2) ",\"scope\":"
                      "{\"lineNumber\":99,\"columnNumber\":98,\"url\":\"no\",\"list\":[{\"line\":1,"
                      "\"ticks\":5,\"deep\":{\"id\":4}}]},\"deoptReason\":\"x\"}],"
                      "\"startTime\":0,\"endTime\":10,\"samples\":[1],\"timeDeltas\":[0]}");
    const struct sonde_frame *frame = frame_named(&profile, "f");
    assert_int_equal(frame->generated.line, 7);
    assert_int_equal(frame->generated.column, 3);
    assert_int_equal(profile.line_count, 0);
    sonde_profile_fini(&profile);
}

static void hit_counts_alone_share_the_time(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_alone(&profile, "{" NODES "," TIMES "}");
    assert_consistent(&profile);
    assert_int_equal(profile.total_samples, 6);
    /* 10,000 µs; parts are rounded to a microsecond, their sum is whole */
    assert_int_equal(node_at(&profile, "handler;load")->self, 3333000);
    assert_int_equal(node_at(&profile, "handler")->self, 1667000);
    assert_int_equal(profile.total, 10000000);
    assert_true(profile.unordered);

    /* Written, it stays one without an order of time; none is made up. */
    SONDE_BUF_AUTO written = SONDE_BUF(WRITTEN_MAX);
    struct sonde_output output = SONDE_OUTPUT(write_to_buf, &written);
    struct sonde_profile again;
    assert_int_equal(sonde_cpuprofile_write(&profile, &output, NULL), 0);
    assert_null(strstr(written.data, "samples"));
    assert_int_equal(sonde_profile_init(&again, NULL), 0);
    read_good(&again, NULL, written.data);
    assert_true(again.unordered);
    assert_same_times(&profile, &again, true);
    sonde_profile_fini(&again);
    sonde_output_fini(&output);
    sonde_profile_fini(&profile);
}

/* Two hours in one node: more than one sample can hold. */
static void long_times_without_samples_are_whole(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_alone(&profile, "{\"nodes\":[{\"id\":1,\"hitCount\":7," FRAME(
                             "(idle)", "", -1, -1) "}],\"startTime\":0,\"endTime\":7200000000}");
    assert_consistent(&profile);
    assert_int_equal(profile.total, INT64_C(7200000000000));
    assert_int_equal(profile.total_samples, 7);
    sonde_profile_fini(&profile);
}

/* V8 writes a negative delta when a sample of another thread of the sampler is late. */
static void negative_deltas_do_not_stretch_time(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_alone(&profile, "{" NODES ",\"startTime\":0,\"endTime\":1000,\"samples\":[3,4,2,5],"
                         /* at 100, 600, 400, 900: in order of time idle comes before load */
                         "\"timeDeltas\":[100,500,-200,500]}");
    assert_consistent(&profile);
    assert_int_equal(profile.total, 900000);
    assert_int_equal(node_at(&profile, "handler")->self, 300000);
    assert_int_equal(node_at(&profile, "(idle)")->self, 200000);
    assert_int_equal(node_at(&profile, "handler;load")->self, 300000);
    assert_int_equal(node_at(&profile, "(garbage collector)")->self, 100000);
    sonde_profile_fini(&profile);
}

/* A window from 0 to 1000 µs: handler, then load at 800. */
static void read_first(struct sonde_profile *ret, struct sonde_profile_source *source)
{
    assert_int_equal(sonde_profile_init(ret, NULL), 0);
    read_good(ret, source,
              "{" NODES ",\"startTime\":0,\"endTime\":1000,\"samples\":[3,4],"
              "\"timeDeltas\":[0,800]}");
}

static void windows_that_overlap_are_counted_once(void **state)
{
    (void)state;
    struct sonde_profile profile;
    struct sonde_profile_source source = {0};
    read_first(&profile, &source);
    /* begins at 700: its sample at 800 is the same tick as that above */
    read_good(&profile, &source,
              "{" NODES ",\"startTime\":700,\"endTime\":2000,\"samples\":[3,4,2],"
              "\"timeDeltas\":[0,100,400]}");
    assert_consistent(&profile);
    assert_int_equal(profile.windows, 2);
    assert_int_equal(profile.start_us, 0);
    assert_int_equal(profile.end_us, 2000);
    assert_int_equal(profile.total, 2000000);
    assert_int_equal(profile.total_samples, 3);
    assert_int_equal(node_at(&profile, "handler")->self, 800000);
    assert_int_equal(node_at(&profile, "handler;load")->self, 400000);
    assert_int_equal(node_at(&profile, "handler;load")->samples, 1);
    assert_int_equal(node_at(&profile, "(idle)")->self, 800000);
    /* the second window's handler and load were counted, and so were the ticks of their lines */
    assert_int_equal(profile.line_count, 3);
    for (size_t i = 0; i < profile.line_count; i++) {
        assert_int_equal(profile.lines[i].ticks, 1);
    }
    /* wholly inside what is known: nothing more, with samples or without */
    read_good(&profile, &source,
              "{" NODES ",\"startTime\":1500,\"endTime\":1900,\"samples\":[3],"
              "\"timeDeltas\":[0]}");
    read_good(&profile, &source, "{" NODES ",\"startTime\":1500,\"endTime\":1900}");
    assert_int_equal(profile.total, 2000000);
    assert_int_equal(profile.total_samples, 3);
    assert_int_equal(profile.lines[0].ticks, 1);
    assert_int_equal(profile.end_us, 2000);
    assert_false(profile.unordered);
    /* the same paths are the same nodes */
    assert_int_equal(profile.node_count, 5);
    sonde_profile_fini(&profile);
}

/* When there is no room for samples, windows that overlap are still counted once. */
static void windows_beyond_the_samples_are_counted_once(void **state)
{
    (void)state;
    struct sonde_profile profile;
    struct sonde_profile_source source = {0};
    read_first(&profile, &source);
    profile.budget.maximum = profile.budget.used;
    read_good(&profile, &source,
              "{" NODES ",\"startTime\":700,\"endTime\":2000,\"samples\":[3,4,2,2,2,2,2,2,2,2],"
              "\"timeDeltas\":[0,100,400,100,100,100,100,100,100,100]}");
    assert_int_equal(profile.sample_count, 0);
    assert_true(profile.unordered);
    read_good(&profile, &source,
              "{" NODES ",\"startTime\":1900,\"endTime\":3000,\"samples\":[2,3],"
              "\"timeDeltas\":[0,100]}");
    assert_int_equal(profile.total, 3000000);
    assert_int_equal(node_at(&profile, "handler")->self, 800000 + 1000000);
    assert_int_equal(node_at(&profile, "handler;load")->self, 400000);
    assert_int_equal(node_at(&profile, "(idle)")->self, 800000);
    sonde_profile_fini(&profile);
}

/* Half of a node's samples lie in the overlap: so do about half of the ticks of its lines. */
static void ticks_in_the_overlap_are_counted_once(void **state)
{
    (void)state;
    struct sonde_profile profile;
    struct sonde_profile_source source = {0};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
#define LOOP                                                                                       \
    "\"nodes\":[{\"id\":1," FRAME("loop", "file:///a.js", 0, 0) ",\"hitCount\":4,"                 \
                                                                "\"positionTicks\":[{\"line\":3,"  \
                                                                "\"ticks\":4}]}],"
    read_good(&profile, &source,
              "{" LOOP "\"startTime\":0,\"endTime\":400,\"samples\":[1,1,1,1],"
              "\"timeDeltas\":[0,100,100,100]}");
    read_good(&profile, &source,
              "{" LOOP "\"startTime\":200,\"endTime\":600,\"samples\":[1,1,1,1],"
              "\"timeDeltas\":[0,100,100,100]}");
    assert_int_equal(profile.total_samples, 6);
    assert_int_equal(profile.total, 600000);
    assert_int_equal(profile.lines[0].ticks, 6);
    /* a quarter of the third one was counted: hits tell no more than that */
    read_good(&profile, &source, "{" LOOP "\"startTime\":500,\"endTime\":900}");
    assert_int_equal(profile.total_samples, 9);
    assert_int_equal(profile.total, 900000);
    assert_int_equal(profile.lines[0].ticks, 9);
    assert_consistent(&profile);
    sonde_profile_fini(&profile);
}

/* Each process has a clock of its own: an earlier time on another one is no overlap. */
static void processes_are_added_up(void **state)
{
    (void)state;
    struct sonde_profile profile;
    struct sonde_profile_source sources[2] = {0};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    read_good(&profile, &sources[0],
              "{" NODES ",\"startTime\":1000000,\"endTime\":1001000,\"samples\":[3],"
              "\"timeDeltas\":[0]}");
    assert_false(profile.unordered);
    read_good(&profile, &sources[1],
              "{" NODES ",\"startTime\":500,\"endTime\":3000,\"samples\":[3,4],"
              "\"timeDeltas\":[0,100]}");
    assert_consistent(&profile);
    assert_true(profile.unordered);
    assert_int_equal(profile.total, 3500000);
    assert_int_equal(node_at(&profile, "handler")->self, 1100000);
    assert_int_equal(profile.windows, 2);
    /* as long as the longest of them */
    assert_int_equal(profile.start_us, 1000000);
    assert_int_equal(profile.end_us, 1002500);
    /* each goes on where it was; the first one by 3,000 µs, the second overlaps by 500 */
    read_good(&profile, &sources[0],
              "{" NODES ",\"startTime\":1001000,\"endTime\":1004000,\"samples\":[3],"
              "\"timeDeltas\":[0]}");
    read_good(&profile, &sources[1],
              "{" NODES ",\"startTime\":2500,\"endTime\":3100,\"samples\":[4],"
              "\"timeDeltas\":[0]}");
    assert_consistent(&profile);
    assert_int_equal(profile.total, 6600000);
    assert_int_equal(profile.end_us, 1004000);
    sonde_profile_fini(&profile);
}

static void empty_profiles_are_profiles(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_alone(&profile, "{\"nodes\":[{\"id\":1," FRAME(
                             "(root)", "", -1,
                             -1) "}],"
                                 "\"startTime\":5,\"endTime\":5,\"samples\":[],\"timeDeltas\":[]}");
    assert_int_equal(profile.total, 0);
    assert_int_equal(profile.node_count, 1);
    assert_int_equal(profile.windows, 1);
    sonde_profile_fini(&profile);
}

static void one_sample_lasts_until_the_end(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_alone(&profile, "{\"nodes\":[{\"id\":1," FRAME(
                             "(root)", "", -1,
                             -1) ",\"children\":[2]},"
                                 "{\"id\":2," FRAME("f", "/a.js", 0,
                                                    0) "}],\"startTime\":5,\"endTime\":45,"
                                                       "\"samples\":[2],\"timeDeltas\":[10]}");
    assert_int_equal(profile.total, 30000);
    assert_int_equal(profile.total_samples, 1);
    assert_int_equal(node_at(&profile, "f")->self, 30000);
    assert_consistent(&profile);
    sonde_profile_fini(&profile);
}

#define N(id, rest) "{\"id\":" #id "," FRAME("f", "", 0, 0) rest "}"
#define ONE_NODE "\"nodes\":[" N(1, "") "]"

static int read_only_window(struct sonde_profile *profile, struct sonde_str text, size_t step,
                            struct sonde_err *err)
{
    return read_window(profile, NULL, text, step, err);
}

static void hostile_profiles_are_refused(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {"", SONDE_EPARSE, ""},
        {"{", SONDE_EPARSE, ""},
        {"{}", SONDE_EPARSE, "no nodes"},
        {"{\"nodes\":[]}", SONDE_EPARSE, "no nodes"},
        {"{\"nodes\":7,\"startTime\":1,\"endTime\":2}", SONDE_EPARSE, "no nodes"},
        {"{\"nodes\":[" N(1, "") "," N(1, "") "]," TIMES "}", SONDE_EPARSE, "the id 1"},
        {"{\"nodes\":[" N(1, ",\"children\":[2]") "]," TIMES "}", SONDE_EPARSE, "no node 2"},
        {"{\"nodes\":[" N(1, ",\"parent\":3") "]," TIMES "}", SONDE_EPARSE, "no node 3"},
        {"{\"nodes\":[" N(1, ",\"children\":[1]") "]," TIMES "}", SONDE_EPARSE, "circle"},
        {"{\"nodes\":[" N(1, ",\"children\":[2]") "," N(2, ",\"children\":[1]") "]," TIMES "}",
         SONDE_EPARSE, "circle"},
        {"{\"nodes\":[" N(1, ",\"children\":[3]") "," N(2, ",\"children\":[3]") "," N(
             3, "") "]," TIMES "}",
         SONDE_EPARSE, "child 3"},
        {"{" ONE_NODE "," TIMES ",\"samples\":[9],\"timeDeltas\":[1]}", SONDE_EPARSE, "node 9"},
        {"{" ONE_NODE "," TIMES ",\"samples\":[1,1,9],\"timeDeltas\":[1,2,3]}", SONDE_EPARSE,
         "node 9"},
        {"{" ONE_NODE "," TIMES ",\"samples\":[1,1],\"timeDeltas\":[1]}", SONDE_EPARSE,
         "2 samples"},
        {"{" ONE_NODE "," TIMES ",\"samples\":[1,1],\"timeDeltas\":"
         "[9000000000000000000,9000000000000000000]}",
         SONDE_EPARSE, "time"},
        {"{" ONE_NODE ",\"startTime\":-9000000000000000000,\"endTime\":9000000000000000000,"
         "\"samples\":[1],\"timeDeltas\":[0]}",
         SONDE_EPARSE, "time"},
        {"{" ONE_NODE ",\"startTime\":0,\"endTime\":9000000000000000000,\"samples\":[1],"
         "\"timeDeltas\":[0]}",
         SONDE_EPARSE, "time"},
        {"{\"nodes\":[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]}", SONDE_ELIMIT, "deeper"},
    };
    assert_profiles_refused(rows, SONDE_LENGTH(rows), read_only_window);
}

static void odd_positions_become_unknown_ones(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_alone(
        &profile,
        "{\"nodes\":[{\"id\":1," FRAME(
            "f", "file:///a.js", -70,
            99999999999) "}],\"startTime\":0,\"endTime\":10,\"samples\":[1],\"timeDeltas\":[0]}");
    assert_int_equal(frame_named(&profile, "f")->generated.line, 0);
    assert_int_equal(frame_named(&profile, "f")->generated.column, 0);
    sonde_profile_fini(&profile);
}

static void names_are_cut_between_characters(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_buf_text(&text, "{\"nodes\":[{\"id\":1,\"callFrame\":{\"functionName\":\"xy");
    for (int i = 0; i < SONDE_PROFILE_NAME_MAX; i++) {
        sonde_buf_text(&text, "\xe2\x82\xac"); /* € */
    }
    sonde_buf_text(&text, "\",\"url\":\"\"}}],\"startTime\":0,\"endTime\":1}");
    struct sonde_profile profile;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    assert_int_equal(read_window(&profile, NULL, sonde_buf_view(&text), 0, NULL), 0);
    struct sonde_str name = profile.frames[1].function;
    assert_true(name.length <= SONDE_PROFILE_NAME_MAX && name.length > SONDE_PROFILE_NAME_MAX - 4);
    assert_true(sonde_utf8_valid(name));
    sonde_profile_fini(&profile);
}

/* A chain of `depth` calls, the innermost one sampled. */
static void make_chain(struct sonde_buf *text, int depth)
{
    sonde_buf_text(text, "{\"nodes\":[{\"id\":1," FRAME("(root)", "", -1, -1) ",\"children\":[2]}");
    for (int i = 2; i < depth + 2; i++) {
        sonde_buf_printf(
            text, ",{\"id\":%d," FRAME("recurseIntoTheTree", "file:///app/src/walk.js", 3, 5), i);
        sonde_buf_printf(text, i < depth + 1 ? ",\"children\":[%d]}" : "}", i + 1);
    }
    sonde_buf_printf(text, "],\"startTime\":0,\"endTime\":10,\"samples\":[%d],\"timeDeltas\":[0]}",
                     depth + 1);
}

static void deep_recursion_is_read_and_written(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(4 << 20);
    make_chain(&text, 5000);
    struct sonde_profile profile;
    struct sonde_err err = {0};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    assert_int_equal(read_window(&profile, NULL, sonde_buf_view(&text), 0, &err), 0);
    assert_int_equal(profile.node_count, 5001);
    assert_int_equal(profile.frame_count, 2);
    assert_int_equal(profile.nodes[5000].self, 10000);
    SONDE_BUF_AUTO written = SONDE_BUF(WRITTEN_MAX);
    struct sonde_output output = SONDE_OUTPUT(write_to_buf, &written);
    int folded = sonde_folded_write(&profile, &output, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(folded, 0);
    assert_int_equal(sonde_speedscope_write(&profile, "x", &output, &err), 0);
    assert_int_equal(sonde_pprof_write(&profile, 0, &output, &err), 0);
    sonde_output_fini(&output);
    sonde_profile_fini(&profile);
}

static void many_children_are_written(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(16 << 20);
    enum { COUNT = 60000 };
    sonde_buf_text(&text, "{\"nodes\":[{\"id\":0," FRAME("(root)", "", -1, -1) "}");
    for (int i = 1; i <= COUNT; i++) {
        sonde_buf_printf(&text,
                         ",{\"id\":%d,\"parent\":0,\"hitCount\":1,\"callFrame\":"
                         "{\"functionName\":\"f%d\",\"url\":\"\"}}",
                         i, i);
    }
    sonde_buf_text(&text, "],\"startTime\":0,\"endTime\":60000}");
    struct sonde_profile profile;
    struct sonde_profile again;
    struct sonde_err err = {0};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    assert_int_equal(sonde_profile_init(&again, NULL), 0);
    assert_int_equal(read_window(&profile, NULL, sonde_buf_view(&text), 0, &err), 0);
    SONDE_BUF_AUTO written = SONDE_BUF(WRITTEN_MAX);
    struct sonde_output output = SONDE_OUTPUT(write_to_buf, &written);
    int r = sonde_cpuprofile_write(&profile, &output, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(r, 0);
    assert_int_equal(read_window(&again, NULL, sonde_buf_view(&written), 0, &err), 0);
    assert_int_equal(again.node_count, COUNT + 1);
    assert_int_equal(again.total, profile.total);
    sonde_output_fini(&output);
    sonde_profile_fini(&profile);
    sonde_profile_fini(&again);
}

static void a_written_profile_reads_back(void **state)
{
    (void)state;
    struct sonde_profile profile;
    struct sonde_profile again;
    struct sonde_profile_source source = {0};
    struct sonde_err err = {0};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    assert_int_equal(sonde_profile_init(&again, NULL), 0);
    read_good(&profile, &source, "{" NODES "," TIMES "," SAMPLES "}");
    /* a second window after a gap of 9,000 µs */
    read_good(&profile, &source,
              "{" NODES ",\"startTime\":20000,\"endTime\":21000,\"samples\":[3],"
              "\"timeDeltas\":[500]}");
    assert_int_equal(profile.total, 9500000);
    SONDE_BUF_AUTO written = SONDE_BUF(WRITTEN_MAX);
    struct sonde_output output = SONDE_OUTPUT(write_to_buf, &written);
    assert_int_equal(sonde_cpuprofile_write(&profile, &output, &err), 0);
    assert_int_equal(read_window(&again, NULL, sonde_buf_view(&written), 11, &err), 0);
    assert_same_times(&profile, &again, true);
    assert_int_equal(again.end_us, profile.end_us);
    assert_int_equal(again.line_count, profile.line_count);
    for (size_t i = 0; i < profile.line_count; i++) {
        bool found = false;
        for (size_t k = 0; k < again.line_count; k++) {
            found = found || (again.lines[k].line == profile.lines[i].line &&
                              again.lines[k].ticks == profile.lines[i].ticks);
        }
        assert_true(found);
    }
    const struct sonde_frame *handler = frame_named(&again, "handler");
    assert_int_equal(handler->generated.line, 10);
    assert_int_equal(handler->generated.column, 5);
    sonde_output_fini(&output);
    sonde_profile_fini(&profile);
    sonde_profile_fini(&again);
}

static int refuse(void *context, const void *data, size_t length, struct sonde_err *err)
{
    (void)context;
    (void)data;
    (void)length;
    return sonde_fail(err, SONDE_ENOSPACE, 0, "full");
}

static void a_full_disk_ends_each_writer(void **state)
{
    (void)state;
    struct sonde_profile profile;
    read_alone(&profile, "{" NODES "," TIMES "," SAMPLES "}");
    struct sonde_err err = {0};
    struct sonde_output output = SONDE_OUTPUT(refuse, NULL);
    assert_int_equal(sonde_cpuprofile_write(&profile, &output, &err), SONDE_ENOSPACE);
    sonde_output_fini(&output);
    output = SONDE_OUTPUT(refuse, NULL);
    assert_int_equal(sonde_folded_write(&profile, &output, &err), SONDE_ENOSPACE);
    sonde_output_fini(&output);
    output = SONDE_OUTPUT(refuse, NULL);
    assert_int_equal(sonde_speedscope_write(&profile, "x", &output, &err), SONDE_ENOSPACE);
    sonde_output_fini(&output);
    output = SONDE_OUTPUT(refuse, NULL);
    assert_int_equal(sonde_pprof_write(&profile, 0, &output, &err), SONDE_ENOSPACE);
    sonde_output_fini(&output);
    sonde_profile_fini(&profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_counts_until_the_next_one),
        cmocka_unit_test(any_split_of_the_bytes_reads_the_same),
        cmocka_unit_test(keys_come_in_any_order),
        cmocka_unit_test(parents_stand_for_children_and_ids_are_arbitrary),
        cmocka_unit_test(unknown_members_are_passed_over),
        cmocka_unit_test(hit_counts_alone_share_the_time),
        cmocka_unit_test(long_times_without_samples_are_whole),
        cmocka_unit_test(negative_deltas_do_not_stretch_time),
        cmocka_unit_test(windows_that_overlap_are_counted_once),
        cmocka_unit_test(windows_beyond_the_samples_are_counted_once),
        cmocka_unit_test(ticks_in_the_overlap_are_counted_once),
        cmocka_unit_test(processes_are_added_up),
        cmocka_unit_test(empty_profiles_are_profiles),
        cmocka_unit_test(one_sample_lasts_until_the_end),
        cmocka_unit_test(hostile_profiles_are_refused),
        cmocka_unit_test(odd_positions_become_unknown_ones),
        cmocka_unit_test(names_are_cut_between_characters),
        cmocka_unit_test(deep_recursion_is_read_and_written),
        cmocka_unit_test(many_children_are_written),
        cmocka_unit_test(a_written_profile_reads_back),
        cmocka_unit_test(a_full_disk_ends_each_writer),
    };
    return cmocka_run_group_tests_name("cpuprofile", tests, NULL, NULL);
}
