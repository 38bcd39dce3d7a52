/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/board.h"

static struct sonde_load_board board;

static int clear(void **state)
{
    (void)state;
    board = (struct sonde_load_board){0};
    return 0;
}

static void take(const char *answer)
{
    struct sonde_err err;
    assert_int_equal(sonde_load_board_take(&board, sonde_str(answer), &err), 0);
}

static void assert_board(unsigned columns, unsigned lines, const char *expected)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_BOARD_MAX);
    unsigned drawn = 0;
    unsigned counted = 0;
    sonde_load_board_draw(&board, "clinic/nightly", columns, lines, &text, &drawn);
    assert_int_equal(text.code, 0);
    assert_string_equal(text.data, expected);
    for (size_t i = 0; i < text.length; i++) {
        counted += text.data[i] == '\n';
    }
    assert_int_equal(drawn, counted);
    assert_true(drawn < lines);
}

static const char three_seconds[] =
    "{\"phase\":\"Running\",\"round\":0,\"requests\":700,\"errorRate\":0.0125,\"ready\":3,"
    "\"active\":2,\"lost\":1,\"next\":3,\"seconds\":["
    "{\"second\":1,\"sent\":100,\"answered\":100,\"failed\":0,\"p50\":800,\"p99\":2000,\"rate\":"
    "100},"
    "{\"second\":2,\"sent\":300,\"answered\":200,\"failed\":5,\"p50\":1600,\"p99\":4000,"
    "\"rate\":200},"
    "{\"second\":3,\"sent\":400,\"answered\":400,\"failed\":0,\"p50\":1200,\"p99\":8000,"
    "\"rate\":400}],"
    "\"thresholds\":[{\"threshold\":\"http_req_duration: p(99) < 5\",\"value\":\"8 ms\","
    "\"holds\":false},{\"threshold\":\"http_req_failed: rate < 0.1\",\"value\":0.0125,"
    "\"holds\":true}]}";

static void it_shows_a_test(void **state)
{
    (void)state;
    take(three_seconds);
    assert_board(60, 24,
                 "clinic/nightly  Running  3 s\n"
                 "runners   3 ready  2 active  1 lost\n"
                 "rate        █  ≤ 400/s\n"
                 "           ▄█\n"
                 "          ▆██  400/s\n"
                 "p50        █▂  ≤ 1.60 ms\n"
                 "          ▄██\n"
                 "          ███  1.20 ms\n"
                 "p99         █  ≤ 8.00 ms\n"
                 "           ▄█\n"
                 "          ▆██  8.00 ms\n"
                 "errors    1.25 % of 700 requests\n"
                 "broken    http_req_duration: p(99) < 5  8 ms\n"
                 "held      http_req_failed: rate < 0.1  0.0125\n");
}

static void it_makes_do_with_a_small_terminal(void **state)
{
    (void)state;
    take(three_seconds);
    assert_board(26, 8,
                 "clinic/nightly  Running  3\n"
                 "runners   3 ready  2 activ\n"
                 "rate      ▄█  400/s\n"
                 "p50       █▆  1.20 ms\n"
                 "p99       ▄█  8.00 ms\n"
                 "errors    1.25 % of 700 re\n"
                 "          and 2 thresholds\n");
}

static void it_shows_what_has_not_begun(void **state)
{
    (void)state;
    take("{\"phase\":\"Waiting\",\"requests\":0,\"ready\":1}");
    assert_board(60, 10,
                 "clinic/nightly  Waiting\n"
                 "runners   1 ready  0 active  0 lost\n"
                 "rate      \n"
                 "p50       \n"
                 "p99       \n"
                 "errors    0 % of 0 requests\n");
}

static void assert_last(int64_t round, int64_t second)
{
    const struct sonde_load_board_second *last = sonde_load_board_at(&board, board.count - 1);
    assert_int_equal(last->round, round);
    assert_int_equal(last->second, second);
}

static void seconds_are_taken_once_and_in_order(void **state)
{
    (void)state;
    take("{\"next\":2,\"seconds\":[{\"second\":1,\"rate\":1},{\"second\":2,\"rate\":2}]}");
    assert_int_equal(board.next, 2);
    take("{\"next\":3,\"seconds\":[{\"second\":2,\"rate\":9},{\"second\":4,\"rate\":3},"
         "{\"rate\":4},7]}");
    assert_int_equal(board.count, 3);
    assert_last(0, 4);
    assert_true(sonde_load_board_at(&board, 1)->rate == 2);
    /* The next trial of a search. */
    take("{\"seconds\":[{\"round\":1,\"second\":1},{\"round\":0,\"second\":9}]}");
    assert_int_equal(board.count, 4);
    assert_last(1, 1);
}

static void of_a_test_that_is_over_the_last_figures_stay(void **state)
{
    (void)state;
    take(three_seconds);
    take("{\"phase\":\"Over\",\"thresholds\":[],\"seconds\":[],\"next\":3}");
    assert_string_equal(board.phase, "Over");
    assert_int_equal(board.requests, 700);
    assert_int_equal(board.threshold_count, 2);
}

static void what_went_wrong_and_what_is_open_is_said(void **state)
{
    (void)state;
    take("{\"phase\":\"Over\",\"requests\":0,\"reason\":\"RunnerLost\",\"message\":\"runner 2\","
         "\"thresholds\":[{\"threshold\":\"a\",\"value\":null,\"holds\":false},"
         "{\"threshold\":\"b\",\"value\":1,\"holds\":false}]}");
    assert_board(60, 12,
                 "clinic/nightly  Over\n"
                 "runners   0 ready  0 active  0 lost\n"
                 "rate      \n"
                 "p50       \n"
                 "p99       \n"
                 "errors    0 % of 0 requests\n"
                 "reason    RunnerLost: runner 2\n"
                 "broken    b  1\n"
                 "open      a  -\n");
}

static void of_many_seconds_the_last_ones_are_kept(void **state)
{
    (void)state;
    char answer[64];
    for (int i = 0; i < 2 * SONDE_LOAD_BOARD_SECONDS; i++) {
        (void)snprintf(answer, sizeof(answer), "{\"seconds\":[{\"second\":%d,\"rate\":%d}]}", i + 1,
                       i);
        take(answer);
    }
    assert_last(0, 2 * SONDE_LOAD_BOARD_SECONDS);
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_BOARD_MAX);
    unsigned lines;
    sonde_load_board_draw(&board, "a", 2000, 50, &text, &lines);
    assert_int_equal(text.code, 0);
    assert_non_null(strstr(text.data, "≤ 1023/s"));
}

static void nothing_of_it_reaches_the_terminal_as_a_command(void **state)
{
    (void)state;
    take("{\"phase\":\"\\u001b[2J\",\"requests\":1,\"thresholds\":[{\"threshold\":"
         "\"a\\u009bb\\u007f\\n\","
         "\"value\":\"\\u00e9\\t\",\"holds\":true}]}");
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_BOARD_MAX);
    unsigned lines;
    sonde_load_board_draw(&board, "x\033y", 60, 24, &text, &lines);
    assert_non_null(strstr(text.data, "x?y  ?[2J\n"));
    assert_non_null(strstr(text.data, "held      a?b??  é?\n"));
    assert_null(strchr(text.data, '\033'));
}

static void numbers_that_cannot_be_are_nothing(void **state)
{
    (void)state;
    take("{\"requests\":-5,\"errorRate\":-1,\"lost\":1e300,\"active\":\"7\",\"seconds\":["
         "{\"second\":1,\"rate\":-3,\"p50\":-1,\"p99\":1e30}]}");
    assert_int_equal(board.requests, 0);
    assert_int_equal(board.lost, 0);
    assert_int_equal(board.active, 0);
    assert_true(sonde_load_board_at(&board, 0)->rate == 0);
    assert_int_equal(sonde_load_board_at(&board, 0)->p99_us, 0);
}

static void what_is_no_answer_changes_nothing(void **state)
{
    (void)state;
    struct sonde_err err;
    take(three_seconds);
    assert_int_equal(sonde_load_board_take(&board, SONDE_STR("[]"), &err), SONDE_EPARSE);
    assert_int_equal(sonde_load_board_take(&board, SONDE_STR("{\"phase\""), &err), SONDE_EPARSE);
    assert_int_equal(board.count, 3);
    assert_string_equal(board.phase, "Running");
}

static void a_second_is_a_line(void **state)
{
    (void)state;
    take(three_seconds);
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    sonde_load_board_line(&board, sonde_load_board_at(&board, 1), &text);
    assert_string_equal(text.data, "2 s  200/s  p50 1.60 ms  p99 4.00 ms  5 failed  2 active  "
                                   "1 lost  1 of 2 thresholds broken\n");
    take("{\"requests\":1,\"active\":3,\"seconds\":[{\"round\":2,\"second\":1,\"rate\":5}]}");
    sonde_buf_clear(&text);
    sonde_load_board_line(&board, sonde_load_board_at(&board, 3), &text);
    assert_string_equal(text.data, "trial 3  1 s  5/s  p50 0 µs  p99 0 µs  0 failed  3 active\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_shows_a_test, clear),
        cmocka_unit_test_setup(it_makes_do_with_a_small_terminal, clear),
        cmocka_unit_test_setup(it_shows_what_has_not_begun, clear),
        cmocka_unit_test_setup(seconds_are_taken_once_and_in_order, clear),
        cmocka_unit_test_setup(of_a_test_that_is_over_the_last_figures_stay, clear),
        cmocka_unit_test_setup(what_went_wrong_and_what_is_open_is_said, clear),
        cmocka_unit_test_setup(of_many_seconds_the_last_ones_are_kept, clear),
        cmocka_unit_test_setup(nothing_of_it_reaches_the_terminal_as_a_command, clear),
        cmocka_unit_test_setup(numbers_that_cannot_be_are_nothing, clear),
        cmocka_unit_test_setup(what_is_no_answer_changes_nothing, clear),
        cmocka_unit_test_setup(a_second_is_a_line, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
