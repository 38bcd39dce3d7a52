/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profile/waits.h"
#include "profile_helpers.h"

enum { WAIT = 2, BURN = 3, BOTH = 4, EXEC = 5 };

/* A window of 1 ms samples of the functions below a round, from 1 s on. */
struct window {
    int nodes[4000];
    size_t count;
};

static void add(struct window *w, int node, size_t milliseconds)
{
    for (size_t i = 0; i < milliseconds; i++) {
        assert_true(w->count < 4000);
        w->nodes[w->count++] = node;
    }
}

static void print_window(const struct window *w, size_t first, size_t end, struct sonde_buf *text)
{
    static const char *const names[] = {"(root)", "wait", "burn", "both", "exec"};
    sonde_buf_text(text, "{\"nodes\":[");
    for (int i = 0; i < 5; i++) {
        sonde_buf_printf(text,
                         "%s{\"id\":%d,\"callFrame\":{\"functionName\":\"%s\",\"url\":\"%s\"}",
                         i ? "," : "", i + 1, names[i], i ? "file:///a.js" : "");
        if (i == 0) {
            sonde_buf_text(text, ",\"children\":[2,3,4,5]");
        }
        sonde_buf_printf(text, ",\"positionTicks\":[{\"line\":%d,\"ticks\":40}]}", i + 1);
    }
    sonde_buf_printf(text, "],\"startTime\":%zu,\"endTime\":%zu,\"samples\":[",
                     1000000 + first * 1000, 1000000 + end * 1000);
    for (size_t i = first; i < end; i++) {
        sonde_buf_printf(text, "%s%d", i > first ? "," : "", w->nodes[i]);
    }
    sonde_buf_text(text, "],\"timeDeltas\":[");
    for (size_t i = first; i < end; i++) {
        sonde_buf_text(text, i > first ? ",1000" : "0");
    }
    sonde_buf_text(text, "]}");
}

static void read_part(struct sonde_profile *profile, struct sonde_profile_source *source,
                      const struct window *w, size_t first, size_t end)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    print_window(w, first, end, &text);
    assert_int_equal(read_window(profile, source, sonde_buf_view(&text), 0, NULL), 0);
}

static void read_with(struct sonde_profile *profile, const struct window *w, int64_t start_us,
                      const struct sonde_wait_stretch *stretches, size_t count)
{
    struct sonde_waits waits = {start_us, stretches, count};
    struct sonde_profile_source source = {.waits = &waits};
    assert_int_equal(sonde_profile_init(profile, NULL), 0);
    read_part(profile, &source, w, 0, w->count);
    assert_consistent(profile);
    assert_int_equal(profile->total, (int64_t)w->count * 1000000);
    assert_int_equal(profile->total_samples, w->count);
}

static int64_t milliseconds(const struct sonde_profile *profile, const char *path)
{
    return node_at(profile, path)->self / 1000000;
}

static void what_was_waited_is_idle(void **state)
{
    (void)state;
    static struct window w;
    struct sonde_profile profile;
    w.count = 0;
    add(&w, WAIT, 100);
    add(&w, BURN, 40);
    add(&w, WAIT, 60);
    const struct sonde_wait_stretch stretches[] = {
        {80000, 2000, 78000, true}, {80000, 40000, 40000, false}, {40000, 1000, 39000, true}};
    read_with(&profile, &w, 1000000, stretches, 3);
    assert_int_equal(milliseconds(&profile, "(idle)"), 160);
    assert_int_equal(node_at(&profile, "(idle)")->samples, 160);
    assert_int_equal(milliseconds(&profile, "wait"), 0);
    assert_int_equal(milliseconds(&profile, "burn"), 40);
    assert_true(sonde_profile_idles(&profile));
    sonde_profile_fini(&profile);
}

static void ticks_of_lines_go_with_their_samples(void **state)
{
    (void)state;
    static struct window w;
    struct sonde_profile profile;
    w.count = 0;
    add(&w, WAIT, 40);
    add(&w, BURN, 40);
    const struct sonde_wait_stretch stretch = {40000, 0, 40000, true};
    read_with(&profile, &w, 1000000, &stretch, 1);
    uint32_t ticks[6] = {0};
    for (size_t i = 0; i < profile.line_count; i++) {
        ticks[profile.lines[i].line] += profile.lines[i].ticks;
    }
    assert_int_equal(ticks[WAIT], 0);
    assert_int_equal(ticks[BURN], 40);
    sonde_profile_fini(&profile);
}

static void what_is_not_known_stays(void **state)
{
    (void)state;
    static struct window w;
    struct sonde_profile profile;
    w.count = 0;
    add(&w, WAIT, 100);
    /* from the middle on, and up to before the end */
    const struct sonde_wait_stretch stretch = {20000, 0, 20000, true};
    read_with(&profile, &w, 1040000, &stretch, 1);
    assert_int_equal(milliseconds(&profile, "(idle)"), 20);
    assert_int_equal(milliseconds(&profile, "wait"), 80);
    sonde_profile_fini(&profile);
    /* another time altogether */
    read_with(&profile, &w, 9000000, &stretch, 1);
    assert_int_equal(milliseconds(&profile, "wait"), 100);
    assert_false(sonde_profile_idles(&profile));
    sonde_profile_fini(&profile);
}

/* A function that waits and works has no other place to tell which: the amount counts. */
static void of_one_place_only_what_was_waited_is_idle(void **state)
{
    (void)state;
    static struct window w;
    struct sonde_profile profile;
    w.count = 0;
    add(&w, BOTH, 200);
    const struct sonde_wait_stretch stretches[] = {
        {100000, 1000, 99000, true}, {60000, 35000, 25000, false}, {40000, 40000, 0, false}};
    read_with(&profile, &w, 1000000, stretches, 3);
    assert_int_equal(milliseconds(&profile, "(idle)"), 125);
    assert_int_equal(milliseconds(&profile, "both"), 75);
    sonde_profile_fini(&profile);
}

/* Queued because it was woken for a sample, and because others had the CPU while it worked. */
static void what_was_queued_is_told_by_the_place(void **state)
{
    (void)state;
    static struct window w;
    struct sonde_profile profile;
    w.count = 0;
    add(&w, WAIT, 140);
    add(&w, BURN, 60);
    const struct sonde_wait_stretch stretches[] = {{100000, 1000, 80000, true},
                                                   {100000, 32000, 10000, false}};
    read_with(&profile, &w, 1000000, stretches, 2);
    assert_int_equal(milliseconds(&profile, "(idle)"), 140);
    assert_int_equal(milliseconds(&profile, "burn"), 60);
    sonde_profile_fini(&profile);
}

/* Work too short to break a stretch: what was waited leaves room for it. */
static void short_work_stays(void **state)
{
    (void)state;
    static struct window w;
    struct sonde_profile profile;
    w.count = 0;
    for (int i = 0; i < 100; i++) {
        add(&w, WAIT, 19);
        add(&w, BURN, 1);
    }
    const struct sonde_wait_stretch stretch = {2000000, 150000, 1850000, true};
    read_with(&profile, &w, 1000000, &stretch, 1);
    assert_int_equal(milliseconds(&profile, "burn"), 100);
    assert_int_equal(milliseconds(&profile, "(idle)"), 1900);
    sonde_profile_fini(&profile);
}

/* It mostly works, and waits once for long: execSync. */
static void a_rare_wait_is_found_by_its_length(void **state)
{
    (void)state;
    static struct window w;
    struct sonde_profile profile;
    w.count = 0;
    add(&w, WAIT, 2900);
    add(&w, EXEC, 600);
    add(&w, EXEC, 100);
    const struct sonde_wait_stretch stretches[] = {
        {2900000, 20000, 2880000, true}, {600000, 600000, 0, false}, {100000, 1000, 99000, true}};
    read_with(&profile, &w, 1000000, stretches, 3);
    assert_int_equal(milliseconds(&profile, "exec"), 600);
    assert_int_equal(milliseconds(&profile, "(idle)"), 3000);
    sonde_profile_fini(&profile);
}

static void windows_that_overlap_count_once(void **state)
{
    (void)state;
    static struct window w;
    struct sonde_profile profile;
    w.count = 0;
    add(&w, WAIT, 150);
    add(&w, BURN, 50);
    const struct sonde_wait_stretch stretches[] = {{150000, 1000, 149000, true},
                                                   {50000, 50000, 0, false}};
    struct sonde_waits waits = {1000000, stretches, 2};
    struct sonde_profile_source source = {.waits = &waits};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    read_part(&profile, &source, &w, 0, 101);
    read_part(&profile, &source, &w, 99, 200);
    assert_consistent(&profile);
    assert_int_equal(profile.total, 200000000);
    assert_int_equal(milliseconds(&profile, "(idle)"), 150);
    assert_int_equal(milliseconds(&profile, "burn"), 50);
    sonde_profile_fini(&profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_waited_is_idle),
        cmocka_unit_test(ticks_of_lines_go_with_their_samples),
        cmocka_unit_test(what_is_not_known_stays),
        cmocka_unit_test(of_one_place_only_what_was_waited_is_idle),
        cmocka_unit_test(what_was_queued_is_told_by_the_place),
        cmocka_unit_test(short_work_stays),
        cmocka_unit_test(a_rare_wait_is_found_by_its_length),
        cmocka_unit_test(windows_that_overlap_count_once),
    };
    return cmocka_run_group_tests_name("waits", tests, NULL, NULL);
}
