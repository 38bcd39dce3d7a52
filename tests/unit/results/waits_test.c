/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "heap_runs.h"
#include "results/results.h"
#include "results/waits.h"

#define PROFILE                                                                                    \
    "{\"nodes\":[{\"id\":1,\"callFrame\":{\"functionName\":\"(root)\",\"url\":\"\"},"              \
    "\"children\":[2]},{\"id\":2,\"callFrame\":{\"functionName\":\"wait\",\"url\":"                \
    "\"file:///a.js\"}}],\"startTime\":1000000,\"endTime\":1100000,\"samples\":[2,2],"             \
    "\"timeDeltas\":[0,50000]}"

static void add(struct heap_runs *runs, const char *name, const char *process, const char *type,
                const char *text)
{
    heap_runs_add(
        runs, runs->none,
        &(struct sonde_artifact){.name = name, .capture = "cpu", .process = process, .type = type},
        sonde_str(text));
}

static void add_context(struct heap_runs *runs, const char *name, const char *process,
                        const char *waits)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_buf_printf(&text, "{\"maps\":[],\"waits\":[%s]}", waits);
    add(runs, name, process, SONDE_ARTIFACT_CONTEXT, text.data);
}

/* Microseconds of the thread's samples that are idle. */
static void assert_idle(const struct heap_runs *runs, int64_t expected_us)
{
    struct sonde_profile profile;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO capture = SONDE_BUF(64);
    int64_t idle = 0;
    REQUIRE_DONE(sonde_results_profile(runs->db, runs->none, NULL, &profile, &capture, &err), &err);
    for (size_t i = 0; i < profile.node_count; i++) {
        bool idles = profile.frames[profile.nodes[i].frame].category == SONDE_CATEGORY_IDLE;
        idle += idles ? profile.nodes[i].self : 0;
    }
    assert_int_equal(idle, expected_us * 1000);
    sonde_profile_fini(&profile);
}

#define WAITS(process, stretches)                                                                  \
    "{\"process\":\"" process "\",\"startMicroseconds\":1000000,\"stretches\":\"" stretches "\"}"

static void a_worker_waits_and_the_main_thread_does_not(void **state)
{
    struct heap_runs *runs = *state;
    add(runs, "cpu.0", "", SONDE_ARTIFACT_CPU_PROFILE, PROFILE);
    add(runs, "cpu.w1.0", "w1", SONDE_ARTIFACT_CPU_PROFILE, PROFILE);
    add(runs, "cpu.w2.0", "w2", SONDE_ARTIFACT_CPU_PROFILE, PROFILE);
    assert_idle(runs, 0);
    add_context(runs, "cpu.context", "",
                WAITS("", "w100000 0 100000") "," WAITS("w2", "w50000 0 50000,p50000 50000 0"));
    assert_idle(runs, 50000);
}

static void pods_speak_of_their_own_threads(void **state)
{
    struct heap_runs *runs = *state;
    add(runs, "a.7.cpu.w1.0", "a/7-w1", SONDE_ARTIFACT_CPU_PROFILE, PROFILE);
    add(runs, "b.7.cpu.w1.0", "b/7-w1", SONDE_ARTIFACT_CPU_PROFILE, PROFILE);
    add_context(runs, "a.7.cpu.context", "a/7", WAITS("b/7-w1", "w100000 0 100000"));
    assert_idle(runs, 0);
    add_context(runs, "b.7.cpu.context", "b/7", WAITS("7-w1", "w50000 0 50000"));
    assert_idle(runs, 50000);
}

static void hostile_waits_are_left_out(void **state)
{
    static const char *const hostile[] = {
        "17",
        "{}",
        WAITS("7", "w100000 0 100000"),
        WAITS("7-", "w100000 0 100000"),
        WAITS("7-w", "w100000 0 100000"),
        WAITS("7-w0", "w100000 0 100000"),
        WAITS("w1x", "w100000 0 100000"),
        WAITS("w1", ""),
        WAITS("w1", "w"),
        WAITS("w1", "100000 0 100000"),
        WAITS("w1", "w100000"),
        WAITS("w1", "w100000 0 100001"),
        WAITS("w1", "w100000 100001 0"),
        WAITS("w1", "w100000 60000 60000"),
        WAITS("w1", "w100000 100000"),
        WAITS("w1", "w-1 0 0"),
        WAITS("w1", "w100000 0 -1"),
        WAITS("w1", "w0 0 0"),
        WAITS("w1", "w100000 0 100000 "),
        WAITS("w1", "w100000 0 100000,"
                    ",w1 0 1"),
        WAITS("w1", "w100000 0 100000,w9000000000000000 0 1"),
        WAITS("w1", "w100000 0 100000,w99999999999999999999 0 1"),
        WAITS("w1", "w4503599627370496 0 1,w4503599627370496 0 1,w4503599627370496 0 1"),
        "{\"process\":\"w1\",\"startMicroseconds\":-5,\"stretches\":\"w2000000 2000000\"}",
        "{\"process\":\"w1\",\"startMicroseconds\":1e300,\"stretches\":\"w2000000 2000000\"}",
        "{\"process\":\"w1\",\"startMicroseconds\":\"0\",\"stretches\":\"w2000000 2000000\"}",
        "{\"process\":\"w1\",\"startMicroseconds\":0,\"stretches\":[1,2]}",
        "{\"process\":1,\"startMicroseconds\":0,\"stretches\":\"w2000000 2000000\"}",
    };
    struct heap_runs *runs = *state;
    add(runs, "cpu.0", "7", SONDE_ARTIFACT_CPU_PROFILE, PROFILE);
    add(runs, "cpu.w1.0", "w1", SONDE_ARTIFACT_CPU_PROFILE, PROFILE);
    for (size_t i = 0; i < SONDE_LENGTH(hostile); i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%zu.context", i);
        add_context(runs, name, "", hostile[i]);
        assert_idle(runs, 0);
    }
    /* the first one that is good counts */
    add_context(runs, "good.context", "", WAITS("w1", "w50000 0 50000"));
    add_context(runs, "second.context", "", WAITS("w1", "w100000 0 100000"));
    assert_idle(runs, 50000);
}

static void too_many_stretches_are_left_out(void **state)
{
    struct heap_runs *runs = *state;
    SONDE_BUF_AUTO waits = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    add(runs, "cpu.w1.0", "w1", SONDE_ARTIFACT_CPU_PROFILE, PROFILE);
    sonde_buf_text(&waits, "w100000 0 100000");
    for (int i = 0; i < SONDE_RESULTS_WAITS_STRETCHES_MAX; i++) {
        sonde_buf_text(&waits, ",p1 0 1");
    }
    sonde_buf_printf(&text,
                     "{\"waits\":[{\"process\":\"w1\",\"startMicroseconds\":1000000,"
                     "\"stretches\":\"%s\"}]}",
                     waits.data);
    add(runs, "cpu.context", "", SONDE_ARTIFACT_CONTEXT, text.data);
    assert_idle(runs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_worker_waits_and_the_main_thread_does_not,
                                        heap_runs_setup, heap_runs_teardown),
        cmocka_unit_test_setup_teardown(pods_speak_of_their_own_threads, heap_runs_setup,
                                        heap_runs_teardown),
        cmocka_unit_test_setup_teardown(hostile_waits_are_left_out, heap_runs_setup,
                                        heap_runs_teardown),
        cmocka_unit_test_setup_teardown(too_many_stretches_are_left_out, heap_runs_setup,
                                        heap_runs_teardown),
    };
    return cmocka_run_group_tests_name("results_waits", tests, NULL, NULL);
}
