/* SPDX-License-Identifier: Apache-2.0 */
/* A /proc made by hand: processes as folders in a temporary directory. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "inspector/process.h"
#include "spec/reason.h"

static char root[64];

static void write_text(const char *folder, const char *name, const char *text, size_t length)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(sonde_write_all(fd, text, length, name, NULL), 0);
    (void)close(fd);
}

static void link_to(const char *folder, const char *name, const char *target)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(symlink(target, path), 0);
}

struct made {
    int pid, parent;
    const char *exe, *name, *directory;
    struct sonde_str command;
    int port; /* 0: none */
};

#define COMMAND(literal) {literal, sizeof(literal) - 1}

static const struct made processes[] = {
    {101, 1, "/usr/bin/node", "node", "/srv/patients", COMMAND("node\0./server.js\0"), 3000},
    {102, 1, "/usr/local/bin/node", "node", "/srv/visits", COMMAND("node\0/srv/visits/server.js\0"),
     3001},
    {103, 1, "/usr/bin/bash", "bash", "/srv/patients", COMMAND("bash\0"), 0},
    {104, 1, "/usr/bin/node", "npm start", "/srv/shop", COMMAND("npm start\0"), 0},
    {105, 1, "/usr/bin/nodemon-agent", "agent", "/", COMMAND("nodemon-agent\0"), 0},
    {106, 1, "/opt/node-22/bin/node", "node", "/srv/old",
     COMMAND("node\0--inspect-port=0\0app.js\0"), 0},
};

static void make_process(const struct made *p)
{
    char folder[128];
    char text[512];
    (void)snprintf(folder, sizeof(folder), "%s/%d", root, p->pid);
    assert_int_equal(mkdir(folder, 0700), 0);
    (void)snprintf(text, sizeof(text),
                   "Name:\t%s\nPPid:\t%d\nUid:\t500\t500\t500\t500\nNSpid:\t%d\n"
                   "SigCgt:\t0000000000004602\n",
                   p->name, p->parent, p->pid);
    write_text(folder, "status", text, strlen(text));
    (void)snprintf(text, sizeof(text),
                   "%d (%s) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %d 20\n", p->pid,
                   p->name, p->pid * 10);
    write_text(folder, "stat", text, strlen(text));
    (void)snprintf(text, sizeof(text), "%s\n", p->name);
    write_text(folder, "comm", text, strlen(text));
    write_text(folder, "cmdline", p->command.data, p->command.length);
    write_text(folder, "environ", "A=1", 4);
    link_to(folder, "exe", p->exe);
    link_to(folder, "cwd", p->directory);
    char inner[160];
    (void)snprintf(inner, sizeof(inner), "%s/fd", folder);
    assert_int_equal(mkdir(inner, 0700), 0);
    (void)snprintf(text, sizeof(text), "socket:[%d]", 9000 + p->pid);
    link_to(inner, "5", text);
    (void)snprintf(inner, sizeof(inner), "%s/net", folder);
    assert_int_equal(mkdir(inner, 0700), 0);
    /* Every process sees all sockets of the network namespace; the inode says whose they are. */
    SONDE_BUF_AUTO tcp = SONDE_BUF(4096);
    for (size_t i = 0; i < SONDE_LENGTH(processes); i++) {
        if (processes[i].port) {
            sonde_buf_printf(&tcp, "   0: 00000000:%04X 00000000:0000 0A 0:0 0:0 0 500 0 %d 1\n",
                             (unsigned)processes[i].port, 9000 + processes[i].pid);
        }
    }
    write_text(inner, "tcp", tcp.data, tcp.length);
}

static int make_proc(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/sonde-proc-XXXXXX");
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < SONDE_LENGTH(processes); i++) {
        make_process(&processes[i]);
    }
    return 0;
}

static int remove_proc(void **state)
{
    (void)state;
    static const char *const files[] = {"status", "stat", "comm", "cmdline", "environ",
                                        "exe",    "cwd",  "fd/5", "net/tcp"};
    static const char *const folders[] = {"fd", "net", ""};
    char path[256];
    for (size_t i = 0; i < SONDE_LENGTH(processes); i++) {
        for (size_t f = 0; f < SONDE_LENGTH(files); f++) {
            (void)snprintf(path, sizeof(path), "%s/%d/%s", root, processes[i].pid, files[f]);
            (void)unlink(path);
        }
        for (size_t f = 0; f < SONDE_LENGTH(folders); f++) {
            (void)snprintf(path, sizeof(path), "%s/%d/%s", root, processes[i].pid, folders[f]);
            (void)rmdir(path);
        }
    }
    return rmdir(root);
}

static void a_process_is_read(void **state)
{
    (void)state;
    struct sonde_process p;
    assert_int_equal(sonde_process_read(root, 101, &p, NULL), 0);
    assert_true(p.is_node && p.readable);
    assert_int_equal(p.uid, 500);
    assert_int_equal(p.start_time, 1010);
    assert_string_equal(p.command, "node ./server.js");
    assert_string_equal(p.script, "/srv/patients/server.js");
    assert_int_equal(p.port_count, 1);
    assert_int_equal(p.ports[0].number, 3000);
    assert_false(p.ports[0].loopback);
    assert_int_equal(p.inspect_port, 9229);
    assert_false(p.any_inspect_port);
    assert_int_equal(sonde_process_read(root, 106, &p, NULL), 0);
    assert_true(p.any_inspect_port);
    assert_int_equal(sonde_process_read(root, 103, &p, NULL), 0);
    assert_false(p.is_node);

    struct sonde_err err;
    assert_int_equal(sonde_process_read(root, 999, &p, &err), SONDE_ENOTFOUND);
    assert_string_equal(err.reason, SONDE_REASON_TARGET_NOT_FOUND);
}

static void a_pattern_is_what_a_person_types(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        int pids[4];
    } cases[] = {
        {NULL, {101, 102, 104, 106}},
        {"3000", {101}},
        {":3001", {102}},
        {"4000", {0}},
        {"patients", {101}},
        {"/srv/visits/server.js", {102}},
        {"server.js", {101, 102}},
        {"server", {101, 102}},
        {"app.js", {106}},
        {"visits/serv", {102}},
        {"nothing-like-it", {0}},
        {"bash", {0}},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_process_list list;
        assert_int_equal(sonde_process_list(root, &list, NULL), 0);
        sonde_process_list_match(&list, cases[i].pattern);
        size_t expected = 0;
        while (expected < 4 && cases[i].pids[expected]) {
            expected++;
        }
        assert_int_equal(list.count, expected);
        for (size_t k = 0; k < expected; k++) {
            assert_int_equal(list.items[k].pid, cases[i].pids[k]);
        }
        sonde_process_list_fini(&list);
    }
}

static void candidates_are_described(void **state)
{
    (void)state;
    struct sonde_process p;
    SONDE_BUF_AUTO text = SONDE_BUF(1000);
    assert_int_equal(sonde_process_read(root, 101, &p, NULL), 0);
    sonde_process_describe(&p, &text);
    assert_string_equal(text.data, "101      /srv/patients/server.js  :3000  (user 500)");
    assert_true(sonde_process_listens(&p, 3000));
    assert_false(sonde_process_listens(&p, 3001));
    assert_int_equal(sonde_process_of_port(root, 3001), 102);
    assert_int_equal(sonde_process_of_port(root, 4000), 0);
    assert_int_equal(sonde_process_read(root, 104, &p, NULL), 0);
    assert_true(sonde_process_is_runner(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_is_read),
        cmocka_unit_test(a_pattern_is_what_a_person_types),
        cmocka_unit_test(candidates_are_described),
    };
    return cmocka_run_group_tests(tests, make_proc, remove_proc);
}
