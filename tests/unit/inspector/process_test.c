/* SPDX-License-Identifier: Apache-2.0 */
/* Against a /proc tree written by hand in a temporary directory. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "inspector/proc_text.h"
#include "inspector/process.h"

static char root[64];

/* Names are relative to the tree. */
static char *path_of(const char *name, char ret[256])
{
    assert_true(snprintf(ret, 256, "%s/%s", root, name) < 256);
    return ret;
}

static void write_file(const char *name, struct sonde_str text)
{
    char path[256];
    int fd = open(path_of(name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(sonde_write_all(fd, text.data, text.length, name, NULL), 0);
    assert_int_equal(close(fd), 0);
}

static void link_to(const char *name, const char *target)
{
    char path[256];
    assert_int_equal(symlink(target, path_of(name, path)), 0);
}

static void make_directory(const char *name)
{
    char path[256];
    assert_int_equal(sonde_make_directories(path_of(name, path), NULL), 0);
}

struct fake {
    pid_t pid, parent;
    const char *name;
    const char *exe; /* NULL: its links cannot be read */
    const char *directory;
    struct sonde_str cmdline;
    struct sonde_str environ_text;
    const char *network;    /* "net:[1]" is ours */
    const char *sockets;    /* inodes of fd links, separated by spaces */
    const char *namespaces; /* NSpid */
};

static void add_sockets(pid_t pid, const char *inodes)
{
    char name[64];
    char target[64];
    struct sonde_str rest = sonde_str(inodes);
    for (int fd = 3; rest.length; fd++) {
        struct sonde_str inode = sonde_str_split(&rest, ' ');
        (void)snprintf(name, sizeof(name), "%d/fd/%d", pid, fd);
        (void)snprintf(target, sizeof(target), "socket:[%.*s]", SONDE_STR_ARG(inode));
        link_to(name, target);
    }
    (void)snprintf(name, sizeof(name), "%d/fd/0", pid);
    link_to(name, "/dev/null");
}

static void add(const struct fake *fake)
{
    char name[64];
    char text[512];
    (void)snprintf(name, sizeof(name), "%d/net", fake->pid);
    make_directory(name);
    (void)snprintf(name, sizeof(name), "%d/ns", fake->pid);
    make_directory(name);
    (void)snprintf(name, sizeof(name), "%d/fd", fake->pid);
    make_directory(name);
#define FILE_OF(entry) ((void)snprintf(name, sizeof(name), "%d/" entry, fake->pid), name)
    (void)snprintf(text, sizeof(text),
                   "Name:\t%s\nNSpid:\t%d%s\nPPid:\t%d\nUid:\t33\t33\t33\t33\n"
                   "SigCgt:\t0000000000000200\n",
                   fake->name, fake->pid, fake->namespaces ? fake->namespaces : "", fake->parent);
    write_file(FILE_OF("status"), sonde_str(text));
    (void)snprintf(text, sizeof(text),
                   "%d (%s) S 1 2 3 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 11 0 %d00 1 2", fake->pid,
                   fake->name, fake->pid);
    write_file(FILE_OF("stat"), sonde_str(text));
    (void)snprintf(text, sizeof(text), "%s\n", fake->name);
    write_file(FILE_OF("comm"), sonde_str(text));
    write_file(FILE_OF("cmdline"), fake->cmdline);
    write_file(FILE_OF("environ"), fake->environ_text);
    if (fake->exe) {
        link_to(FILE_OF("exe"), fake->exe);
        link_to(FILE_OF("cwd"), fake->directory);
    }
    link_to(FILE_OF("ns/net"), fake->network ? fake->network : "net:[1]");
    add_sockets(fake->pid, fake->sockets ? fake->sockets : "");
#define REST " 00000000:00000000 00:00000000 00000000 33 0 "
    write_file(FILE_OF("net/tcp"), SONDE_STR("  sl  local_address rem_address\n"
                                             " 0: 00000000:0BB8 00000000:0000 0A" REST "51 1\n"
                                             " 1: 0100007F:240D 00000000:0000 0A" REST "52 1\n"
                                             " 2: 0100007F:0BB8 0100007F:9999 01" REST "53 1\n"
                                             " 3: 0100007F:0FA0 00000000:0000 0A" REST "54 1\n"));
    write_file(FILE_OF("net/tcp6"),
               SONDE_STR(" 0: 00000000000000000000000000000000:0FA0 "
                         "00000000000000000000000000000000:0000 0A" REST "55 1\n"));
}

#define BYTES(literal) ((struct sonde_str){"" literal, sizeof(literal) - 1})

static const struct fake shop = {.pid = 2000000100,
                                 .parent = 1,
                                 .name = "node",
                                 .exe = "/usr/bin/node",
                                 .directory = "/srv/shop",
                                 .cmdline = BYTES("node\0./server.js\0--verbose"),
                                 .sockets = "51 52 53"};
static const struct fake runner = {.pid = 2000000200,
                                   .parent = 1,
                                   .name = "npm start",
                                   .exe = "/usr/bin/node",
                                   .directory = "/srv/clinic",
                                   .cmdline = BYTES("npm start\0\0\0")};
static const struct fake clinic = {.pid = 2000000201,
                                   .parent = 2000000200,
                                   .name = "node",
                                   .exe = "/opt/node-22/bin/node",
                                   .directory = "/srv/clinic",
                                   .cmdline = BYTES("/opt/node-22/bin/node\0/srv/clinic/app.js"),
                                   .environ_text = BYTES("A=b\0NODE_OPTIONS=--inspect-port=9300"),
                                   .sockets = "54 55"};
static const struct fake shell = {.pid = 2000000300,
                                  .parent = 1,
                                  .name = "sh",
                                  .exe = "/bin/dash",
                                  .directory = "/srv/shop",
                                  .cmdline = BYTES("sh\0-c\0node server.js")};
static const struct fake container = {.pid = 2000000400,
                                      .parent = 1,
                                      .name = "MainThread",
                                      .exe = "/usr/local/bin/node (deleted)",
                                      .directory = "/app",
                                      .cmdline = BYTES("node\0main.js"),
                                      .network = "net:[2]",
                                      .sockets = "51",
                                      .namespaces = "\t7"};
static const struct fake hidden = {.pid = 2000000500,
                                   .parent = 1,
                                   .name = "node",
                                   .cmdline = BYTES("/usr/bin/node\0--inspect=0\0hidden.js"),
                                   .environ_text = BYTES("NODE_OPTIONS=--inspect=1")};

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/sonde-process-XXXXXX");
    assert_non_null(mkdtemp(root));
    make_directory("self/ns");
    link_to("self/ns/net", "net:[1]");
    write_file("meminfo", SONDE_STR("MemTotal: 1 kB\n"));
    const struct fake *const all[] = {&clinic, &shop, &runner, &shell, &container, &hidden};
    for (size_t i = 0; i < SONDE_LENGTH(all); i++) {
        add(all[i]);
    }
    make_directory("2000000600"); /* ended meanwhile: nothing to read */
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void reads_a_process(void **state)
{
    (void)state;
    struct sonde_process p;
    assert_int_equal(sonde_process_read(root, shop.pid, &p, NULL), 0);
    assert_true(p.is_node && p.readable && !p.foreign_network && !p.other_namespace);
    assert_int_equal(p.pid, shop.pid);
    assert_int_equal(p.inner_pid, shop.pid);
    assert_int_equal(p.parent, 1);
    assert_int_equal(p.uid, 33);
    assert_int_equal(p.start_time, 200000010000);
    assert_true(p.caught_signals & SONDE_SIGUSR1_BIT);
    assert_string_equal(p.name, "node");
    assert_string_equal(p.command, "node ./server.js --verbose");
    assert_string_equal(p.script, "/srv/shop/server.js");
    assert_string_equal(p.directory, "/srv/shop");
    assert_int_equal(p.inspect_port, 9229);
    assert_false(p.any_inspect_port);
    assert_int_equal(p.port_count, 2); /* listening ones of its own only */
    assert_true(sonde_process_port(&p, 3000) && sonde_process_port(&p, 9229));
    assert_null(sonde_process_port(&p, 4000));
    assert_false(p.ports[0].loopback);
    assert_true(p.ports[1].loopback);
}

static void reads_options_namespaces_and_both_families(void **state)
{
    (void)state;
    struct sonde_process p;
    assert_int_equal(sonde_process_read(root, clinic.pid, &p, NULL), 0);
    assert_int_equal(p.inspect_port, 9300);
    assert_int_equal(p.port_count, 1); /* on both families: one port, */
    assert_int_equal(p.ports[0].number, 4000);
    assert_false(p.ports[0].loopback); /* and on one of them for everybody */

    assert_int_equal(sonde_process_read(root, container.pid, &p, NULL), 0);
    assert_true(p.is_node && p.foreign_network && p.other_namespace);
    assert_int_equal(p.inner_pid, 7);

    assert_int_equal(sonde_process_read(root, hidden.pid, &p, NULL), 0);
    assert_true(p.is_node && !p.readable);
    assert_true(p.any_inspect_port); /* the command line wins over NODE_OPTIONS */
    assert_string_equal(p.script, "hidden.js");
    assert_string_equal(p.directory, "");

    assert_int_equal(sonde_process_read(root, shell.pid, &p, NULL), 0);
    assert_false(p.is_node);
}

static void no_process_is_an_error(void **state)
{
    (void)state;
    struct sonde_process p;
    struct sonde_err err = {0};
    assert_int_equal(sonde_process_read(root, 2000000999, &p, &err), SONDE_ENOTFOUND);
    assert_non_null(strstr(err.message, "2000000999"));
    assert_non_null(err.reason);
    assert_int_equal(sonde_process_read(root, 2000000600, &p, &err), SONDE_ENOTFOUND);
    struct sonde_process_list list;
    assert_true(sonde_process_list("/nonexistent/proc", &list, &err) < 0);
}

/* Leaves in *list what matches, which is as many as given. */
static void match(const char *pattern, size_t count, const pid_t *pids)
{
    struct sonde_process_list list;
    assert_int_equal(sonde_process_list(root, &list, NULL), 0);
    sonde_process_list_match(&list, pattern);
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(list.items[i].pid, pids[i]);
    }
    sonde_process_list_fini(&list);
}

#define MATCH(pattern, ...)                                                                        \
    match((pattern), sizeof((pid_t[]){__VA_ARGS__}) / sizeof(pid_t), (pid_t[]){__VA_ARGS__})

static void lists_node_processes_by_pid(void **state)
{
    (void)state;
    struct sonde_process_list list;
    assert_int_equal(sonde_process_list(root, &list, NULL), 0);
    const pid_t pids[] = {shop.pid, runner.pid, clinic.pid, container.pid, hidden.pid};
    assert_int_equal(list.count, SONDE_LENGTH(pids));
    for (size_t i = 0; i < SONDE_LENGTH(pids); i++) {
        assert_int_equal(list.items[i].pid, pids[i]);
    }
    sonde_process_list_fini(&list);
    assert_int_equal(list.count, 0);
    sonde_process_list_fini(NULL);
}

static void a_runner_gives_way(void **state)
{
    (void)state;
    MATCH(NULL, shop.pid, clinic.pid, container.pid, hidden.pid);
    MATCH("clinic", clinic.pid);
    MATCH("/srv/clinic", clinic.pid);
    MATCH("npm start", runner.pid); /* asked for by its own name, it is alone in the list */
}

/* As in a container: npm is process 1, and all others are its descendants. */
static void a_runner_that_is_process_1_gives_way(void **state)
{
    (void)state;
    static const struct fake first = {.pid = 1,
                                      .parent = 0,
                                      .name = "npm start",
                                      .exe = "/usr/bin/node",
                                      .directory = "/srv/clinic",
                                      .cmdline = BYTES("npm start\0\0\0")};
    char path[sizeof(root) + 8];
    (void)snprintf(path, sizeof(path), "%s/1", root);
    add(&first);
    MATCH(NULL, shop.pid, clinic.pid, container.pid, hidden.pid);
    assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void matches_what_a_person_types(void **state)
{
    (void)state;
    MATCH("3000", shop.pid, container.pid);
    MATCH(":4000", clinic.pid);
    MATCH("server", shop.pid);
    MATCH("server.js", shop.pid);
    MATCH("/srv/shop/server.js", shop.pid);
    MATCH("/srv/shop", shop.pid);
    MATCH("verbose", shop.pid);                      /* a part of the command line */
    MATCH("node", shop.pid, clinic.pid, hidden.pid); /* by name, not by the path of others */
    MATCH("MainThread", container.pid);
    match("1234", 0, NULL);
    match(":0", 0, NULL);
    match("no such thing", 0, NULL);
}

static void describes_a_candidate(void **state)
{
    (void)state;
    struct sonde_process p;
    SONDE_BUF_AUTO line = SONDE_BUF(1024);
    assert_int_equal(sonde_process_read(root, shop.pid, &p, NULL), 0);
    sonde_process_describe(&p, &line);
    assert_string_equal(line.data, "2000000100 /srv/shop/server.js  :3000 :9229  (user 33)");
    sonde_buf_clear(&line);
    assert_int_equal(sonde_process_read(root, container.pid, &p, NULL), 0);
    sonde_process_describe(&p, &line);
    assert_string_equal(line.data, "2000000400 /app/main.js  :3000  (user 33, in a container)");
}

static void knows_whose_port_it_is(void **state)
{
    (void)state;
    assert_int_equal(sonde_process_of_port(root, 9229), shop.pid);
    assert_int_equal(sonde_process_of_port(root, 3000), shop.pid); /* not the container's */
    assert_int_equal(sonde_process_of_port(root, 4001), 0);
    assert_int_equal(sonde_process_of_port("/nonexistent/proc", 3000), 0);
}

static void long_and_hostile_texts_are_cut(void **state)
{
    (void)state;
    SONDE_BUF_AUTO cmdline = SONDE_BUF(100000);
    sonde_buf_append(&cmdline, "node\0", 5);
    sonde_buf_repeat(&cmdline, 'x', 90000);
    struct fake odd = {.pid = 2000000700,
                       .parent = 1,
                       .name = "a) S (b",
                       .exe = "/usr/bin/node22",
                       .directory = "/srv/odd",
                       .cmdline = sonde_buf_view(&cmdline)};
    add(&odd);
    struct sonde_process p;
    assert_int_equal(sonde_process_read(root, odd.pid, &p, NULL), 0);
    assert_true(p.is_node);
    assert_int_equal(p.start_time, 200000070000);
    assert_int_equal(strlen(p.command), SONDE_PROCESS_TEXT_MAX - 1);
    assert_string_equal(p.script, ""); /* half a path would name another file */
}

/* Workers come and go within the test, so that the lists above stay as they are. */
static void a_primary_gives_way_to_its_workers(void **state)
{
    (void)state;
    static const struct fake primary = {.pid = 2000000800,
                                        .parent = 1,
                                        .name = "node",
                                        .exe = "/usr/bin/node",
                                        .directory = "/srv/cluster",
                                        .cmdline = BYTES("node\0cluster.js")};
    struct fake worker = primary;
    worker.parent = primary.pid;
    worker.environ_text = BYTES("A=b\0NODE_UNIQUE_ID=1");
    add(&primary);
    worker.pid = 2000000801;
    add(&worker);
    worker.pid = 2000000802;
    add(&worker);
    MATCH("cluster.js", 2000000801, 2000000802);
    SONDE_BUF_AUTO workers = SONDE_BUF(256);
    assert_int_equal(sonde_process_workers(root, primary.pid, &workers, NULL), 0);
    assert_string_equal(workers.data, "2000000801, 2000000802");
    sonde_buf_clear(&workers);
    assert_int_equal(sonde_process_workers(root, shop.pid, &workers, NULL), 0);
    assert_int_equal(workers.length, 0);
}

static void what_others_could_reach_is_seen_before(void **state)
{
    (void)state;
    static const struct {
        struct sonde_str cmdline;
        uint16_t port;
        bool exposed;
    } cases[] = {
        {BYTES("node\0--inspect-port\0009555\0a.js"), 9555, false},
        {BYTES("node\0--inspect-port=127.0.0.2:9229\0a.js"), 9229, false},
        {BYTES("node\0--inspect-port=localhost\0a.js"), 9229, false},
        {BYTES("node\0--inspect-port=[::1]:9230\0a.js"), 9230, false},
        {BYTES("node\0--inspect-port=0.0.0.0\0a.js"), 9229, true},
        {BYTES("node\0--inspect-port=10.1.2.3:9230\0a.js"), 9230, true},
        {BYTES("node\0a.js\0--inspect-port=10.1.2.3:9230"), 9229, false},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct fake target = {.pid = 2000000900 + (pid_t)i,
                              .parent = 1,
                              .name = "node",
                              .exe = "/usr/bin/node",
                              .directory = "/srv/exposed",
                              .cmdline = cases[i].cmdline};
        struct sonde_process p;
        add(&target);
        assert_int_equal(sonde_process_read(root, target.pid, &p, NULL), 0);
        assert_int_equal(p.inspect_port, cases[i].port);
        assert_int_equal(p.inspect_exposed, cases[i].exposed);
        assert_true(p.ports_known);
    }
}

static void many_sockets_do_not_hide_the_inspector(void **state)
{
    (void)state;
    enum { LISTENERS = 100, CONNECTIONS = 20000, FIRST_INODE = 1000 };
    SONDE_BUF_AUTO text = SONDE_BUF(8 << 20);
    SONDE_BUF_AUTO inodes = SONDE_BUF(65536);
    for (int i = 0; i <= LISTENERS; i++) {
        int port = i < LISTENERS ? 10000 + i : 9229;
        sonde_buf_printf(&text, " %d: 0100007F:%04X 00000000:0000 0A" REST "%d 1\n", i, port,
                         FIRST_INODE + i);
        sonde_buf_printf(&inodes, "%s%d", i ? " " : "", FIRST_INODE + i);
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        sonde_buf_printf(&text, " %d: 0100007F:0BB8 0100007F:9999 01" REST "7 1\n", i);
    }
    struct fake busy = {.pid = 2000000950,
                        .parent = 1,
                        .name = "node",
                        .exe = "/usr/bin/node",
                        .directory = "/srv/busy",
                        .cmdline = BYTES("node\0busy.js"),
                        .sockets = inodes.data};
    struct sonde_process p;
    add(&busy);
    write_file("2000000950/net/tcp", sonde_buf_view(&text));
    assert_int_equal(sonde_process_read(root, busy.pid, &p, NULL), 0);
    assert_true(p.ports_known);
    assert_non_null(sonde_process_port(&p, 9229));
    assert_string_equal(sonde_process_port(&p, 9229)->host, "127.0.0.1");
    assert_int_equal(p.port_count, SONDE_PROCESS_PORTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_process),
        cmocka_unit_test(reads_options_namespaces_and_both_families),
        cmocka_unit_test(no_process_is_an_error),
        cmocka_unit_test(lists_node_processes_by_pid),
        cmocka_unit_test(a_runner_gives_way),
        cmocka_unit_test(a_runner_that_is_process_1_gives_way),
        cmocka_unit_test(matches_what_a_person_types),
        cmocka_unit_test(describes_a_candidate),
        cmocka_unit_test(knows_whose_port_it_is),
        cmocka_unit_test(long_and_hostile_texts_are_cut),
        cmocka_unit_test(a_primary_gives_way_to_its_workers),
        cmocka_unit_test(what_others_could_reach_is_seen_before),
        cmocka_unit_test(many_sockets_do_not_hide_the_inspector),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
