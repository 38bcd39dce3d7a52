/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "inspector/proc_text.h"

/* For texts with NULs in them. */
#define BYTES(literal) ((struct sonde_str){"" literal, sizeof(literal) - 1})

static const char status_text[] = "Name:\tnode\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4711\n"
                                  "NSpid:\t4711\t17\nPid:\t4711\nPPid:\t1234\nTracerPid:\t0\n"
                                  "Uid:\t1000\t1001\t1002\t1003\nGid:\t1000\t1000\t1000\t1000\n"
                                  "SigBlk:\t0000000000000000\nSigCgt:\t0000000100004602\n";

static void reads_a_status(void **state)
{
    (void)state;
    struct sonde_proc_status status;
    assert_int_equal(sonde_proc_status_parse(sonde_str(status_text), &status, NULL), 0);
    assert_int_equal(status.uid, 1001); /* the effective one decides what it may do */
    assert_int_equal(status.parent, 1234);
    assert_int_equal(status.caught_signals, 0x100004602);
    assert_true(status.caught_signals & SONDE_SIGUSR1_BIT);
    assert_int_equal(status.inner_pid, 17);
    assert_int_equal(status.namespaces, 2);
}

static void a_status_needs_no_namespaces(void **state)
{
    (void)state;
    struct sonde_proc_status status;
    static const char text[] = "Name:\tx\nPPid:\t0\nUid:\t0\t0\t0\t0\nSigCgt:\t0000000000000000";
    assert_int_equal(sonde_proc_status_parse(sonde_str(text), &status, NULL), 0);
    assert_int_equal(status.namespaces, 0);
    assert_false(status.caught_signals & SONDE_SIGUSR1_BIT);
}

static void refuses_what_is_no_status(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n\n\n",
        "PPid:\t1\nSigCgt:\t0\n",
        "Uid:\t0\nPPid:\t1\nSigCgt:\t0\n",
        "Uid:\t0\t-1\nPPid:\t1\nSigCgt:\t0\n",
        "Uid:\t0\t4294967296\nPPid:\t1\nSigCgt:\t0\n",
        "Uid:\t0\t0\t0\t0\nSigCgt:\t0\n",
        "Uid:\t0\t0\t0\t0\nPPid:\t99999999999\nSigCgt:\t0\n",
        "Uid:\t0\t0\t0\t0\nPPid:\t1\n",
        "Uid:\t0\t0\t0\t0\nPPid:\t1\nSigCgt:\n",
        "Uid:\t0\t0\t0\t0\nPPid:\t1\nSigCgt:\txyz\n",
    };
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        struct sonde_proc_status status = {.uid = 77};
        struct sonde_err err = {0};
        int r = sonde_proc_status_parse(sonde_str(texts[i]), &status, &err);
        assert_int_equal(r, SONDE_EPARSE);
        assert_int_equal(status.uid, 77); /* untouched */
        assert_true(err.message[0]);
    }
}

/* A status that ends anywhere is refused, or complete: its last digits may be missing. */
static void a_cut_status_is_refused(void **state)
{
    (void)state;
    size_t complete = (size_t)(strstr(status_text, "SigCgt:\t") + 8 - status_text);
    for (size_t length = 0; length <= complete; length++) {
        struct sonde_proc_status status;
        assert_int_equal(
            sonde_proc_status_parse((struct sonde_str){status_text, length}, &status, NULL),
            SONDE_EPARSE);
    }
}

static void finds_states_and_times_behind_any_name(void **state)
{
    (void)state;
#define BEHIND " S 1 2 3 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 11 0 987654 1234 55 18446744073709551615"
    static const char *const texts[] = {
        "4711 (node)" BEHIND, "4711 (a b c)" BEHIND, "4711 (:-) S 1 2)" BEHIND,
        "4711 ())" BEHIND,    "4711 (((((()" BEHIND, "4711 (new\nline)" BEHIND,
    };
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        struct sonde_proc_stat stat = {0};
        assert_int_equal(sonde_proc_stat_parse(sonde_str(texts[i]), &stat, NULL), 0);
        assert_int_equal(stat.start_time, 987654);
        assert_int_equal(stat.cpu_ticks, 1 + 2);
        assert_int_equal(stat.state, 'S');
    }
}

static void refuses_a_stat_without_them(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "4711",
        "4711 (node",
        "4711 (node)",
        "4711 (node) SS 1 2 3 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 11 0 987654 1",
        "4711 (node) S 1 2 3 0 -1 4194560 9 0 0 0 -1 2 0 0 20 0 11 0 987654 1",
        "4711 (node) S 1 2 3 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 11 0",
        "4711 (node) S 1 2 3 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 11 0 -5 1 2",
        "4711 (node) S 1 2 3 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 11 0 18446744073709551616 1",
    };
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        struct sonde_proc_stat stat = {.start_time = 5};
        assert_int_equal(sonde_proc_stat_parse(sonde_str(texts[i]), &stat, NULL), SONDE_EPARSE);
        assert_int_equal(stat.start_time, 5);
    }
}

#define HEADING "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"
#define REST " 00000000:00000000 00:00000000 00000000  1000        0 "

static void reads_sockets(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint16_t port;
        bool loopback;
        unsigned state;
        uint64_t inode;
        const char *host;
    } cases[] = {
        {"   0: 0100007F:240D 00000000:0000 0A" REST "51 1 0 100 0\n", 9229, true, 10, 51,
         "127.0.0.1"},
        {"  12: FEFFFF7F:0001 00000000:0000 0A" REST "52 1\n", 1, true, 10, 52, "127.255.255.254"},
        {"1234567: 00000000:0BB8 00000000:0000 0A" REST "53\n", 3000, false, 10, 53, "127.0.0.1"},
        {"   1: 0101A8C0:01BB 0201A8C0:D431 01" REST "54 1\n", 443, false, 1, 54, "192.168.1.1"},
        {"   0: 00000000000000000000000001000000:240D 00000000000000000000000000000000:0000 0A" REST
         "55 1\n",
         9229, true, 10, 55, "::1"},
        {"   0: 00000000000000000000000000000000:FFFF 00000000000000000000000000000000:0000 0A" REST
         "56 1\n",
         65535, false, 10, 56, "::1"},
        {"   0: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A" REST
         "57 1\n",
         8080, true, 10, 57, "127.0.0.1"},
        {"   0: 0000000000000000FFFF00000101A8C0:1F90 00000000000000000000000000000000:0000 0A" REST
         "58 1\n",
         8080, false, 10, 58, "192.168.1.1"},
    };
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    sonde_buf_text(&text, HEADING);
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        sonde_buf_text(&text, cases[i].line);
    }
    struct sonde_str rest = sonde_buf_view(&text);
    struct sonde_proc_socket socket;
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        assert_int_equal(sonde_proc_socket_next(&rest, &socket), 1);
        assert_int_equal(socket.port, cases[i].port);
        assert_int_equal(socket.loopback, cases[i].loopback);
        assert_int_equal(socket.state, cases[i].state);
        assert_int_equal(socket.inode, cases[i].inode);
        assert_string_equal(socket.host, cases[i].host);
    }
    assert_int_equal(sonde_proc_socket_next(&rest, &socket), 0);
}

static void leaves_out_lines_that_are_no_socket(void **state)
{
    (void)state;
    static const char good[] = "   0: 0100007F:240D 00000000:0000 0A" REST "51";
    static const char *const bad[] = {
        HEADING,
        "\n",
        "   0: 0100007F 00000000:0000 0A" REST "66 1\n",
        "   0: 0100007F:10000 00000000:0000 0A" REST "66 1\n",
        "   0: 00007F:240D 00000000:0000 0A" REST "66 1\n",
        "   0: 0100007F:240D 00000000:0000 ZZ" REST "66 1\n",
        "   0: 0100007F:240D 00000000:0000 0A" REST "-1 1\n",
    };
    struct sonde_proc_socket socket;
    for (size_t i = 0; i < SONDE_LENGTH(bad); i++) {
        SONDE_BUF_AUTO text = SONDE_BUF(4096);
        sonde_buf_text(&text, bad[i]);
        sonde_buf_text(&text, good);
        struct sonde_str rest = sonde_buf_view(&text);
        assert_int_equal(sonde_proc_socket_next(&rest, &socket), 1);
        assert_int_equal(socket.inode, 51);
        assert_int_equal(sonde_proc_socket_next(&rest, &socket), 0);
    }
    size_t digits = strlen(good) - 2;
    for (size_t length = 0; length <= digits; length++) { /* cut anywhere before the inode */
        struct sonde_str rest = {good, length};
        assert_int_equal(sonde_proc_socket_next(&rest, &socket), 0);
    }
}

static void reads_links_of_sockets(void **state)
{
    (void)state;
    uint64_t inode = 0;
    assert_true(sonde_proc_socket_inode(SONDE_STR("socket:[123456789012]"), &inode));
    assert_int_equal(inode, 123456789012);
    static const char *const others[] = {
        "",          "socket:",   "socket:[",  "socket:[]",   "socket:[x]",
        "socket:[1", "pipe:[12]", "/dev/null", "socket:[-1]", "socket:1]"};
    for (size_t i = 0; i < SONDE_LENGTH(others); i++) {
        assert_false(sonde_proc_socket_inode(sonde_str(others[i]), &inode));
    }
}

static void finds_the_script(void **state)
{
    (void)state;
    static const struct {
        struct sonde_str cmdline;
        const char *script;
    } cases[] = {
        {BYTES("node\0/app/server.js\0--port\0003000"), "/app/server.js"},
        {BYTES("node\0--max-old-space-size=256\0-r\0dotenv/config\0./a.js\0"), "./a.js"},
        {BYTES("node\0--import\0./hook.mjs\0--conditions\0dev\0b.js\0c.js"), "b.js"},
        {BYTES("node\0-e\0setInterval(()=>{},1)\0x.js"), ""},
        {BYTES("node\0--eval\0001"), ""},
        {BYTES("node\0-p\0001"), ""},
        {BYTES("node\0--inspect"), ""},
        {BYTES("node\0-r"), ""},
        {BYTES("node"), ""},
        {BYTES("\0\0\0"), ""},
        {BYTES(""), ""},
        {BYTES("node\0with space.js"), "with space.js"},
        {BYTES("npm start"), ""},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_str script = sonde_proc_node_script(cases[i].cmdline);
        assert_true(sonde_str_is(script, cases[i].script));
    }
}

static void finds_where_the_inspector_would_listen(void **state)
{
    (void)state;
    static const struct {
        struct sonde_str arguments;
        char separator;
        int port;
        const char *host;
    } cases[] = {
        {BYTES("node\0a.js"), '\0', -1, ""},
        {BYTES("node\0--inspect\0a.js"), '\0', -1, ""},
        {BYTES("node\0--inspect=9230\0a.js"), '\0', 9230, ""},
        {BYTES("node\0--inspect-brk=127.0.0.1:9231\0a.js"), '\0', 9231, "127.0.0.1"},
        {BYTES("node\0--inspect-port=[::1]:9232\0a.js"), '\0', 9232, "::1"},
        {BYTES("node\0--inspect=[::1]\0a.js"), '\0', -1, "::1"},
        {BYTES("node\0--inspect=0\0a.js"), '\0', 0, ""},
        {BYTES("node\0--inspect=65536\0a.js"), '\0', -1, ""},
        {BYTES("node\0--inspect=localhost\0a.js"), '\0', -1, "localhost"},
        {BYTES("node\0--inspect=1\0--inspect-port=10.0.0.5:2\0a.js"), '\0', 2, "10.0.0.5"},
        {BYTES("node\0--inspect-port\0009555\0a.js"), '\0', 9555, ""},
        {BYTES("node\0--inspect_port\0009556\0a.js"), '\0', 9556, ""},
        {BYTES("node\0--debug-port\0h:9557\0a.js"), '\0', 9557, "h"},
        {BYTES("node\0--inspect\0009230"), '\0', -1, ""}, /* a script of that name */
        {BYTES("node\0--inspect-port"), '\0', -1, ""},
        {BYTES("node\0--inspect-publish-uid=http\0a.js"), '\0', -1, ""},
        {BYTES("node\0-r\0x\0-e\0y\0--inspect=3"), '\0', 3, ""},
        {BYTES("node\0a.js\0--debug-port=5858"), '\0', -1, ""},
        {BYTES("node\0--\0--inspect=2\0a.js"), '\0', -1, ""},
        {BYTES("--enable-source-maps  --inspect=9300"), ' ', 9300, ""},
        {BYTES("--inspect-port 9301 --title x"), ' ', 9301, ""},
        {BYTES(""), ' ', -1, ""},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_inspect_options found = {0};
        sonde_proc_inspect_options(cases[i].arguments, cases[i].separator, &found);
        assert_int_equal(found.port_given ? found.port : -1, cases[i].port);
        assert_true(sonde_str_is(found.host, cases[i].host));
    }
    /* A command line that names the port only leaves the host of NODE_OPTIONS. */
    struct sonde_inspect_options both = {0};
    sonde_proc_inspect_options(BYTES("--inspect=0.0.0.0:9400"), ' ', &both);
    sonde_proc_inspect_options(BYTES("node\0--inspect-port=9401\0a.js"), '\0', &both);
    assert_int_equal(both.port, 9401);
    assert_true(sonde_str_is(both.host, "0.0.0.0"));
}

static void finds_a_variable(void **state)
{
    (void)state;
    struct sonde_str text = BYTES("PATH=/bin\0NODE_OPTIONS=--a=b -c\0EMPTY=\0NOVALUE\0X=1");
    assert_true(sonde_str_is(sonde_proc_variable(text, "NODE_OPTIONS"), "--a=b -c"));
    assert_true(sonde_str_is(sonde_proc_variable(text, "X"), "1"));
    assert_int_equal(sonde_proc_variable(text, "EMPTY").length, 0);
    assert_int_equal(sonde_proc_variable(text, "NOVALUE").length, 0);
    assert_int_equal(sonde_proc_variable(text, "NODE_OPTION").length, 0);
    assert_int_equal(sonde_proc_variable((struct sonde_str){0}, "X").length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_status),
        cmocka_unit_test(a_status_needs_no_namespaces),
        cmocka_unit_test(refuses_what_is_no_status),
        cmocka_unit_test(a_cut_status_is_refused),
        cmocka_unit_test(finds_states_and_times_behind_any_name),
        cmocka_unit_test(refuses_a_stat_without_them),
        cmocka_unit_test(reads_sockets),
        cmocka_unit_test(leaves_out_lines_that_are_no_socket),
        cmocka_unit_test(reads_links_of_sockets),
        cmocka_unit_test(finds_the_script),
        cmocka_unit_test(finds_where_the_inspector_would_listen),
        cmocka_unit_test(finds_a_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
