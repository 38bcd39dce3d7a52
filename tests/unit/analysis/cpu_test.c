/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/random.h"
#include "seed.h"
#include "tree.h"

#define APP "file:///app/a.js"
#define EXPRESS "file:///app/node_modules/express/i.js"

static void recursion_is_not_counted_twice(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a", APP, 1, -1, 10}, {"b", APP, 20, 0, 20}, {"a", APP, 1, 1, 30},
        {"b", APP, 20, 2, 40}, {"b", APP, 20, -1, 5}, {"(idle)", "", 0, -1, 95},
    };
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    add_rows(&profile, rows, SONDE_LENGTH(rows), NULL);
    assert_int_equal(sonde_cpu_analyze(&profile, &analysis, NULL), 0);
    assert_int_equal(analysis.wall_ns, 200000);
    assert_int_equal(analysis.busy_ns, 105000);
    const struct sonde_function *a = function_named(&profile, &analysis, "a");
    const struct sonde_function *b = function_named(&profile, &analysis, "b");
    assert_int_equal(a->self, 40000);
    assert_int_equal(a->total, 100000);
    assert_int_equal(b->self, 65000);
    assert_int_equal(b->total, 95000);
    assert_int_equal(function_named(&profile, &analysis, "(root)")->total, 200000);
    assert_int_equal(profile.frames[analysis.table.functions[0].frame].category,
                     SONDE_CATEGORY_IDLE);
    sonde_cpu_analysis_fini(&analysis);
    sonde_profile_fini(&profile);
}

/* Time below an app function that is not app code is that app function's, down to the next one. */
static void work_of_others_is_blamed_on_the_caller(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"listOnTimeout", "node:timers", 5, -1, 1},
        {"handler", APP, 10, 0, 2},
        {"route", EXPRESS, 3, 1, 4},
        {"inner", APP, 30, 2, 8},
        {"pbkdf2Sync", "node:crypto", 60, 3, 100},
        {"run", "", 0, 4, 50},
        {"parse", "", 0, 1, 16},
        {"(garbage collector)", "", 0, -1, 7},
    };
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    add_rows(&profile, rows, SONDE_LENGTH(rows), NULL);
    assert_int_equal(sonde_cpu_analyze(&profile, &analysis, NULL), 0);
    const struct sonde_function *handler = function_named(&profile, &analysis, "handler");
    const struct sonde_function *inner = function_named(&profile, &analysis, "inner");
    assert_int_equal(handler->blamed, 22000);
    assert_int_equal(inner->blamed, 158000);
    assert_true(sonde_str_is(profile.frames[inner->callee].function, "pbkdf2Sync"));
    assert_int_equal(inner->callee_part, 150000); /* with run below it */
    const struct sonde_function *run = function_named(&profile, &analysis, "run");
    assert_int_equal(run->caller, inner->frame);
    assert_int_equal(run->caller_part, 50000);
    const struct sonde_function *timers = function_named(&profile, &analysis, "listOnTimeout");
    assert_int_equal(timers->caller, timers->frame);
    assert_true(sonde_str_is(profile.frames[handler->callee].function, "parse"));
    assert_int_equal(function_named(&profile, &analysis, "pbkdf2Sync")->blamed, 0);
    assert_int_equal(analysis.table.functions[analysis.table.by_blame[0]].frame, inner->frame);
    assert_int_equal(analysis.gc_ns, 7000);
    assert_int_equal(analysis.table.categories[SONDE_CATEGORY_APP], 10000);
    assert_int_equal(analysis.table.categories[SONDE_CATEGORY_NODE], 101000);
    assert_int_equal(analysis.table.categories[SONDE_CATEGORY_DEPENDENCY], 4000);
    assert_int_equal(analysis.table.categories[SONDE_CATEGORY_NATIVE], 66000);
    assert_int_equal(analysis.table.categories[SONDE_CATEGORY_V8], 7000);
    sonde_cpu_analysis_fini(&analysis);
    sonde_profile_fini(&profile);
}

static void the_probe_is_blamed_on_nobody(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"handler", APP, 10, -1, 2},
        {"rotate", "sonde:probe", 1, 0, 100},
        {"profile", "", 0, 1, 50},
        {"run", "", 0, 0, 4},
    };
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    add_rows(&profile, rows, SONDE_LENGTH(rows), NULL);
    assert_int_equal(sonde_cpu_analyze(&profile, &analysis, NULL), 0);
    const struct sonde_function *handler = function_named(&profile, &analysis, "handler");
    assert_int_equal(handler->blamed, 6000);
    assert_true(sonde_str_is(profile.frames[handler->callee].function, "run"));
    assert_int_equal(handler->total, 156000);
    const struct sonde_function *below = function_named(&profile, &analysis, "profile");
    assert_int_equal(below->caller, below->frame);
    sonde_cpu_analysis_fini(&analysis);
    sonde_profile_fini(&profile);
}

static void packages_are_summed_over_their_files(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"f", "/app/node_modules/a/1.js", 1, -1, 10},
        {"g", "/app/node_modules/a/2.js", 1, 0, 20},
        {"h", "/app/node_modules/b/node_modules/a/1.js", 1, 0, 5},
        {"i", "/app/node_modules/@s/c/1.js", 1, 0, 40},
        {"never", "/app/node_modules/d/1.js", 1, 0, 0},
    };
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    add_rows(&profile, rows, SONDE_LENGTH(rows), NULL);
    assert_int_equal(sonde_cpu_analyze(&profile, &analysis, NULL), 0);
    assert_int_equal(analysis.table.package_count, 2);
    assert_true(sonde_str_is(analysis.table.packages[0].name, "@s/c"));
    assert_int_equal(analysis.table.packages[0].self, 40000);
    assert_true(sonde_str_is(analysis.table.packages[1].name, "a"));
    assert_int_equal(analysis.table.packages[1].self, 35000);
    sonde_cpu_analysis_fini(&analysis);
    sonde_profile_fini(&profile);
}

static void the_hot_line_is_the_sources(void **state)
{
    (void)state;
    static const struct row rows[] = {{"f", APP, 1, -1, 10}, {"g", APP, 50, -1, 10}};
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    add_rows(&profile, rows, SONDE_LENGTH(rows), NULL);
    assert_int_equal(sonde_profile_add_ticks(&profile, 1, 3, 1, NULL), 0);
    assert_int_equal(sonde_profile_add_ticks(&profile, 1, 4, 3, NULL), 0);
    assert_int_equal(sonde_profile_add_ticks(&profile, 2, 51, 2, NULL), 0);
    profile.frames[2].source = (struct sonde_position){SONDE_STR("/app/a.ts"), 7, 1};
    profile.lines[2].source_line = 9;
    assert_int_equal(sonde_cpu_analyze(&profile, &analysis, NULL), 0);
    assert_int_equal(function_named(&profile, &analysis, "f")->hot_line, 4);
    assert_true(function_named(&profile, &analysis, "f")->hot_share == 0.75);
    assert_int_equal(function_named(&profile, &analysis, "g")->hot_line, 9);
    sonde_cpu_analysis_fini(&analysis);
    sonde_profile_fini(&profile);
}

/* Two generated lines of one line of the source count together, and ticks that the map does not
 * know do not stand in the source file with a number of the generated one. */
static void hot_lines_are_summed_in_the_source(void **state)
{
    (void)state;
    static const struct row rows[] = {{"f", APP, 1, -1, 10}, {"g", APP, 50, -1, 10}};
    static const struct {
        uint32_t frame;
        int32_t line, source_line;
        uint32_t ticks;
    } lines[] = {{1, 140, 0, 50}, {1, 3, 9, 10}, {1, 4, 7, 15}, {1, 5, 9, 25}, {2, 51, 0, 2}};
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    add_rows(&profile, rows, SONDE_LENGTH(rows), NULL);
    for (size_t i = 0; i < SONDE_LENGTH(lines); i++) {
        assert_int_equal(
            sonde_profile_add_ticks(&profile, lines[i].frame, lines[i].line, lines[i].ticks, NULL),
            0);
        profile.lines[i].source_line = lines[i].source_line;
    }
    profile.frames[1].source = (struct sonde_position){SONDE_STR("/app/a.ts"), 7, 1};
    profile.frames[2].source = (struct sonde_position){SONDE_STR("/app/a.ts"), 40, 1};
    assert_int_equal(sonde_cpu_analyze(&profile, &analysis, NULL), 0);
    assert_int_equal(function_named(&profile, &analysis, "f")->hot_line, 9);
    assert_true(function_named(&profile, &analysis, "f")->hot_share == 0.35);
    assert_int_equal(function_named(&profile, &analysis, "g")->hot_line, 0);
    sonde_cpu_analysis_fini(&analysis);
    sonde_profile_fini(&profile);
}

static void stalls_are_stretches_without_idling(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"(idle)", "", 0, -1, 0},
        {"slow", APP, 1, -1, 0},
        {"fast", APP, 9, -1, 0},
        {"parse", "", 0, 1, 0},
        {"(garbage collector)", "", 0, -1, 0},
    };
    /* row, µs */
    static const int64_t times[][2] = {{2, 30},  {0, 10}, {1, 50}, {3, 100}, {4, 20}, {2, 60},
                                       {0, 500}, {2, 40}, {0, 1},  {1, 2},   {0, 3},  {2, 4},
                                       {0, 5},   {2, 6},  {0, 7},  {2, 90}};
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
    uint32_t nodes[ROWS_MAX];
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    add_rows(&profile, rows, SONDE_LENGTH(rows), nodes);
    for (size_t i = 0; i < SONDE_LENGTH(times); i++) {
        add_time(&profile, nodes[times[i][0]], times[i][1]);
    }
    assert_int_equal(sonde_cpu_analyze(&profile, &analysis, NULL), 0);
    static const int64_t expected[][2] = {/* start, length */
                                          {40, 230},
                                          {838, 90},
                                          {770, 40},
                                          {0, 30},
                                          {825, 6}};
    assert_int_equal(analysis.stall_count, SONDE_CPU_STALLS_MAX);
    for (size_t i = 0; i < SONDE_CPU_STALLS_MAX; i++) {
        assert_int_equal(analysis.stalls[i].start_us, expected[i][0]);
        assert_int_equal(analysis.stalls[i].length_us, expected[i][1]);
    }
    const struct sonde_frame *frame = &profile.frames[analysis.stalls[0].frame];
    assert_true(sonde_str_is(frame->function, "slow")); /* its own 50 and 100 in parse */
    assert_int_equal(analysis.stalls[0].frame_us, 150);
    assert_int_equal(analysis.stalls[0].samples, 4);
    assert_int_equal(analysis.stalls[1].samples, 1);
    sonde_cpu_analysis_fini(&analysis);

    profile.unordered = true; /* then nothing is a stretch */
    assert_int_equal(sonde_cpu_analyze(&profile, &analysis, NULL), 0);
    assert_int_equal(analysis.stall_count, 0);
    sonde_cpu_analysis_fini(&analysis);
    sonde_profile_fini(&profile);
}

static void an_empty_profile_is_analyzed(void **state)
{
    (void)state;
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    assert_int_equal(sonde_cpu_analyze(&profile, &analysis, NULL), 0);
    assert_int_equal(analysis.wall_ns, 0);
    assert_int_equal(analysis.stall_count, 0);
    assert_true(sonde_share(1, 0) == 0);
    sonde_cpu_analysis_fini(&analysis);
    sonde_profile_fini(&profile);
}

/* A recursion without end in the depth of which the analysis must not drown: with a walk up from
 * every node this would be five billion steps. */
static void the_deepest_stack_takes_no_time(void **state)
{
    (void)state;
    enum { DEPTH = 400000 };
    struct sonde_profile profile;
    struct sonde_cpu_analysis analysis;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    profile.budget.maximum = 256 << 20;
    uint32_t node = 0;
    for (int i = 0; i < DEPTH; i++) {
        uint32_t frame;
        assert_int_equal(sonde_profile_frame(&profile, SONDE_STR("f"), SONDE_STR(APP), i / 2 + 1, 0,
                                             &frame, NULL),
                         0);
        assert_int_equal(sonde_profile_node(&profile, node, frame, &node, NULL), 0);
    }
    add_time(&profile, node, 10);
    assert_int_equal(sonde_cpu_analyze(&profile, &analysis, NULL), 0);
    for (size_t i = 0; i < analysis.table.function_count; i++) {
        assert_int_equal(analysis.table.functions[i].total, 10000);
    }
    sonde_cpu_analysis_fini(&analysis);
    sonde_profile_fini(&profile);
}

/* ---- random trees against a naive sum ---- */

enum { NODES = 60, FRAMES = 12, ROUNDS = 200 };

static bool on_path(const struct sonde_profile *profile, uint32_t node, uint32_t frame)
{
    for (; node != 0; node = profile->nodes[node].parent) {
        if (profile->nodes[node].frame == frame) {
            return true;
        }
    }
    return profile->nodes[0].frame == frame;
}

static void make_tree(struct sonde_profile *profile, uint64_t *seed)
{
    static const char *const urls[] = {APP, EXPRESS, "node:fs", ""};
    uint32_t frames[FRAMES];
    assert_int_equal(sonde_profile_init(profile, NULL), 0);
    for (uint32_t i = 0; i < FRAMES; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "f%u", i);
        assert_int_equal(sonde_profile_frame(profile, sonde_str(name), sonde_str(urls[i % 4]),
                                             (int32_t)i + 1, 1, &frames[i], NULL),
                         0);
    }
    for (int i = 0; i < NODES; i++) {
        uint32_t parent = (uint32_t)(sonde_random_next(seed) % profile->node_count);
        uint32_t node;
        assert_int_equal(sonde_profile_node(profile, parent,
                                            frames[sonde_random_next(seed) % FRAMES], &node, NULL),
                         0);
        if (sonde_random_next(seed) % 3) {
            add_time(profile, node, (int64_t)(sonde_random_next(seed) % 1000));
        }
    }
}

static void assert_naive(const struct sonde_profile *profile, const struct sonde_function *function)
{
    int64_t self = 0;
    int64_t total = 0;
    int64_t blamed = 0;
    bool app = profile->frames[function->frame].category == SONDE_CATEGORY_APP;
    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct sonde_profile_node *node = &profile->nodes[i];
        self += node->frame == function->frame ? node->self : 0;
        total += on_path(profile, i, function->frame) ? node->self : 0;
        uint32_t up = i;
        while (up != 0 &&
               profile->frames[profile->nodes[up].frame].category != SONDE_CATEGORY_APP) {
            up = profile->nodes[up].parent;
        }
        blamed += app && profile->nodes[up].frame == function->frame ? node->self : 0;
    }
    assert_int_equal(function->self, self);
    assert_int_equal(function->total, total);
    assert_int_equal(function->blamed, blamed);
}

static void sums_are_what_a_naive_sum_says(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int round = 0; round < ROUNDS; round++) {
        struct sonde_profile profile;
        struct sonde_cpu_analysis analysis;
        make_tree(&profile, &seed);
        assert_int_equal(sonde_cpu_analyze(&profile, &analysis, NULL), 0);
        assert_int_equal(analysis.wall_ns, profile.total);
        int64_t categories = 0;
        for (int i = 0; i < SONDE_CATEGORY_COUNT; i++) {
            categories += analysis.table.categories[i];
        }
        assert_int_equal(categories, profile.total);
        for (size_t i = 0; i < analysis.table.function_count; i++) {
            const struct sonde_function *f = analysis.table.functions;
            assert_naive(&profile, &f[i]);
            assert_true(i == 0 || f[i - 1].self >= f[i].self);
            assert_true(i == 0 || f[analysis.table.by_total[i - 1]].total >=
                                      f[analysis.table.by_total[i]].total);
            assert_true(i == 0 || f[analysis.table.by_blame[i - 1]].blamed >=
                                      f[analysis.table.by_blame[i]].blamed);
        }
        sonde_cpu_analysis_fini(&analysis);
        sonde_profile_fini(&profile);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recursion_is_not_counted_twice),
        cmocka_unit_test(work_of_others_is_blamed_on_the_caller),
        cmocka_unit_test(the_probe_is_blamed_on_nobody),
        cmocka_unit_test(packages_are_summed_over_their_files),
        cmocka_unit_test(the_hot_line_is_the_sources),
        cmocka_unit_test(hot_lines_are_summed_in_the_source),
        cmocka_unit_test(stalls_are_stretches_without_idling),
        cmocka_unit_test(an_empty_profile_is_analyzed),
        cmocka_unit_test(the_deepest_stack_takes_no_time),
        cmocka_unit_test(sums_are_what_a_naive_sum_says),
    };
    return cmocka_run_group_tests_name("cpu_analysis", tests, NULL, NULL);
}
