/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inspector/proc_text.h"

static void status_has_user_parent_and_signals(void **state)
{
    (void)state;
    struct sonde_proc_status status;
    struct sonde_err err;
    assert_int_equal(sonde_proc_status_parse(SONDE_STR("Name:\tnode\nPPid:\t12\n"
                                                       "Uid:\t0\t1000\t0\t0\n"
                                                       "NSpid:\t4711\t7\n"
                                                       "SigCgt:\t0000000000004602\n"),
                                             &status, &err),
                     0);
    assert_int_equal(status.uid, 1000);
    assert_int_equal(status.parent, 12);
    assert_int_equal(status.inner_pid, 7);
    assert_int_equal(status.namespaces, 2);
    assert_true(status.caught_signals & SONDE_SIGUSR1_BIT);

    static const char *const broken[] = {
        "",
        "PPid:\t1\nSigCgt:\t0\n",
        "Uid:\t0\t0\nSigCgt:\t0\n",
        "Uid:\t0\t0\nPPid:\t1\n",
        "Uid:\t0\tx\nPPid:\t1\nSigCgt:\t0\n",
        "Uid:\t0\t99999999999\nPPid:\t1\nSigCgt:\t0\n",
    };
    for (size_t i = 0; i < SONDE_LENGTH(broken); i++) {
        assert_int_equal(sonde_proc_status_parse(sonde_str(broken[i]), &status, &err),
                         SONDE_EPARSE);
    }
}

static void the_start_time_stands_behind_any_name(void **state)
{
    (void)state;
    uint64_t start = 0;
    assert_int_equal(
        sonde_proc_start_time(SONDE_STR("77 (a) b ) 9) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 "
                                        "15 16 17 18 987654 20 21\n"),
                              &start, NULL),
        0);
    assert_int_equal(start, 987654);
    assert_int_equal(sonde_proc_start_time(SONDE_STR("77 (x) S 1 2 3"), &start, NULL),
                     SONDE_EPARSE);
    assert_int_equal(sonde_proc_start_time(SONDE_STR("77 x"), &start, NULL), SONDE_EPARSE);
}

static void sockets_have_port_state_and_inode(void **state)
{
    (void)state;
    static const char text[] =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout "
        "inode\n"
        "   0: 0100007F:240D 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        "
        "0 "
        "12345 1 0 100\n"
        "   1: 00000000:0BB8 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        "
        "0 "
        "777 1 0\n"
        "   2: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A "
        "00000000:00000000 00:00000000 00000000 0 0 42 1\n"
        "   3: 0000000000000000FFFF00000100007F:1F91 00000000000000000000000000000000:0000 0A "
        "00000000:00000000 00:00000000 00000000 0 0 43 1\n"
        "   4: 00000000000000000000000000000000:1F92 0:0 0A 0:0 0:0 0 0 0 44 1\n"
        "   5: 0100007F:24";
    static const struct sonde_proc_socket expected[] = {
        {9229, true, SONDE_TCP_LISTEN, 12345}, {3000, false, SONDE_TCP_ESTABLISHED, 777},
        {8080, true, SONDE_TCP_LISTEN, 42},    {8081, true, SONDE_TCP_LISTEN, 43},
        {8082, false, SONDE_TCP_LISTEN, 44},
    };
    struct sonde_str rest = sonde_str(text);
    struct sonde_proc_socket socket;
    for (size_t i = 0; i < SONDE_LENGTH(expected); i++) {
        assert_int_equal(sonde_proc_socket_next(&rest, &socket), 1);
        assert_int_equal(socket.port, expected[i].port);
        assert_int_equal(socket.loopback, expected[i].loopback);
        assert_int_equal(socket.state, expected[i].state);
        assert_int_equal(socket.inode, expected[i].inode);
    }
    assert_int_equal(sonde_proc_socket_next(&rest, &socket), 0);

    uint64_t inode = 0;
    assert_true(sonde_proc_socket_inode(SONDE_STR("socket:[123]"), &inode));
    assert_int_equal(inode, 123);
    assert_false(sonde_proc_socket_inode(SONDE_STR("pipe:[123]"), &inode));
    assert_false(sonde_proc_socket_inode(SONDE_STR("socket:[]"), &inode));
}

#define ARGUMENTS(literal) ((struct sonde_str){literal, sizeof(literal) - 1})

static void the_script_is_the_first_plain_argument(void **state)
{
    (void)state;
    static const struct {
        struct sonde_str command;
        const char *script;
    } cases[] = {
        {ARGUMENTS("node\0server.js\0--port\0"), "server.js"},
        {ARGUMENTS("/usr/bin/node\0--inspect\0-r\0./hook.js\0/app/main.js\0"), "/app/main.js"},
        {ARGUMENTS("node\0--max-old-space-size=100\0--import\0./x.mjs\0a.mjs\0"), "a.mjs"},
        {ARGUMENTS("node\0-e\0code\0"), ""},
        {ARGUMENTS("node\0"), ""},
        {ARGUMENTS(""), ""},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        assert_true(sonde_str_is(sonde_proc_node_script(cases[i].command), cases[i].script));
    }
}

static void the_inspect_port_comes_from_the_options(void **state)
{
    (void)state;
    static const struct {
        struct sonde_str text;
        char separator;
        int option;
    } cases[] = {
        {ARGUMENTS("node\0a.js\0"), '\0', -1},
        {ARGUMENTS("node\0--inspect\0a.js\0"), '\0', -1},
        {ARGUMENTS("node\0--inspect=9300\0a.js\0"), '\0', 9300},
        {ARGUMENTS("node\0--inspect-port=0\0a.js\0"), '\0', 0},
        {ARGUMENTS("node\0--inspect-brk=[::1]:9301\0a.js\0"), '\0', 9301},
        {ARGUMENTS("node\0--inspect=0.0.0.0:9302\0a.js\0"), '\0', 9302},
        {ARGUMENTS("node\0--inspect=99999\0a.js\0"), '\0', -1},
        {ARGUMENTS("--trace-warnings --inspect-port=9303"), ' ', 9303},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        assert_int_equal(sonde_proc_inspect_option(cases[i].text, cases[i].separator),
                         cases[i].option);
    }
    struct sonde_str environment = ARGUMENTS("A=1\0NODE_OPTIONS=--x --y=z\0B=NODE_OPTIONS=no\0");
    assert_true(sonde_str_is(sonde_proc_variable(environment, "NODE_OPTIONS"), "--x --y=z"));
    assert_int_equal(sonde_proc_variable(environment, "C").length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_has_user_parent_and_signals),
        cmocka_unit_test(the_start_time_stands_behind_any_name),
        cmocka_unit_test(sockets_have_port_state_and_inode),
        cmocka_unit_test(the_script_is_the_first_plain_argument),
        cmocka_unit_test(the_inspect_port_comes_from_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
