/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inspector/stall_stack.h"

/* (root) → main → { slow, fast }, and (idle); a sample each 10 ms from the start on. */
#define NODE(id, name, url, children)                                                              \
    "{\"id\":" #id ",\"callFrame\":{\"functionName\":\"" name                                      \
    "\",\"scriptId\":\"1\",\"url\":\"" url "\",\"lineNumber\":" #id                                \
    ",\"columnNumber\":0},\"hitCount\":1,\"children\":[" children "]}"

static const char nodes[] = "{\"nodes\":[" NODE(1, "(root)", "", "2,5") "," NODE(
    2, "main", "file:///app.js", "3,4") "," NODE(3, "slow", "file:///app.js",
                                                 "") "," NODE(4, "fast", "file:///app.js",
                                                              "") "," NODE(5, "(idle)", "",
                                                                           "") "],";

static void feed(struct sonde_stall_windows *windows, const char *text, bool ours)
{
    assert_int_equal(sonde_stall_window_begin(windows, NULL), 0);
    for (size_t i = 0; text[i]; i++) {
        assert_int_equal(sonde_stall_window_feed(windows, &text[i], 1, NULL), 0);
    }
    assert_int_equal(sonde_stall_window_end(windows, ours, NULL), 0);
}

/* A window from start_ms on, with a sample of these nodes each 10 ms. */
static void feed_samples(struct sonde_stall_windows *windows, int start_ms, const char *ids,
                         bool ours)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    size_t count = strlen(ids);
    sonde_buf_text(&text, nodes);
    sonde_buf_printf(&text, "\"startTime\":%d,\"endTime\":%d,\"samples\":[", start_ms * 1000,
                     (start_ms + 10 * (int)count) * 1000);
    for (size_t i = 0; i < count; i++) {
        sonde_buf_printf(&text, i ? ",%c" : "%c", ids[i]);
    }
    sonde_buf_text(&text, "],\"timeDeltas\":[");
    for (size_t i = 0; i < count; i++) {
        sonde_buf_printf(&text, i ? ",%d" : "%d", i ? 10000 : 0);
    }
    sonde_buf_text(&text, "]}");
    feed(windows, text.data, ours);
}

static void expect(struct sonde_stall_windows *windows, double from_ms, double to_ms,
                   const char *innermost, size_t depth, unsigned samples)
{
    struct sonde_stall_stack stack;
    assert_int_equal(sonde_stall_stack(windows, from_ms * 1e3, to_ms * 1e3, &stack, NULL), 0);
    assert_int_equal(stack.samples, samples);
    assert_int_equal(stack.depth, depth);
    if (depth) {
        const struct sonde_frame *frame = &windows->kept.frames[stack.frames[depth - 1]];
        assert_true(sonde_str_is(frame->function, innermost));
    }
}

static void the_stack_of_a_stretch(void **state)
{
    (void)state;
    struct sonde_stall_windows windows;
    assert_int_equal(sonde_stall_windows_init(&windows, NULL), 0);
    expect(&windows, 0, 1000, "", 0, 0); /* nothing has come yet */
    feed_samples(&windows, 1000, "5533335544", true);
    expect(&windows, 1020, 1060, "slow", 2, 4);
    expect(&windows, 1080, 1100, "fast", 2, 2);
    expect(&windows, 1000, 1100, "slow", 2, 6); /* idle does not count */
    expect(&windows, 1050, 1090, "main", 1, 2); /* as much of either: what both share */
    expect(&windows, 1000, 1020, "", 0, 0);     /* idle alone */
    expect(&windows, 2000, 3000, "", 0, 0);     /* after it */
    expect(&windows, 1060, 1020, "", 0, 0);     /* a stretch that ends before it begins */
    /* Begun in one window, ended in the next: the one that has more of it. */
    feed_samples(&windows, 1100, "3355", true);
    expect(&windows, 1080, 1110, "fast", 2, 2);
    expect(&windows, 1090, 1120, "slow", 2, 2);
    /* What is not ours changes nothing. */
    feed_samples(&windows, 1100, "4444", false);
    expect(&windows, 1090, 1120, "slow", 2, 2);
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    sonde_stall_print_frames(&windows, &text);
    assert_non_null(
        strstr(text.data, "{\"function\":\"slow\",\"url\":\"file:///app.js\",\"line\":4,"));
    sonde_stall_windows_fini(&windows);
}

static void what_is_no_profile_is_an_error(void **state)
{
    (void)state;
    struct sonde_stall_windows windows;
    assert_int_equal(sonde_stall_windows_init(&windows, NULL), 0);
    assert_int_equal(sonde_stall_window_begin(&windows, NULL), 0);
    int r = sonde_stall_window_feed(&windows, "{}", 2, NULL);
    r = r < 0 ? r : sonde_stall_window_end(&windows, true, NULL);
    assert_int_equal(r, SONDE_EPARSE);
    sonde_stall_windows_fini(&windows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stack_of_a_stretch),
        cmocka_unit_test(what_is_no_profile_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
