/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "inspector/proc_text.h"
#include "spec/reason.h"

enum { DEFAULT_INSPECT_PORT = 9229, FDS_MAX = 65536 };

static int open_process(const char *proc, pid_t pid)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%d", proc, (int)pid);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool read_link(int directory, const char *name, char *ret, size_t size)
{
    ssize_t length = readlinkat(directory, name, ret, size - 1);
    ret[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static struct sonde_str base_name(struct sonde_str path)
{
    const char *slash = path.length ? memrchr(path.data, '/', path.length) : NULL;
    if (slash) {
        size_t skip = (size_t)(slash - path.data) + 1;
        path = (struct sonde_str){path.data + skip, path.length - skip};
    }
    return path;
}

/* node, nodejs, node-22, node22 … */
static bool node_name(struct sonde_str name)
{
    if (!sonde_str_starts(name, "node")) {
        return false;
    }
    for (size_t i = 4; i < name.length; i++) {
        if (!strchr("js-.0123456789", name.data[i])) {
            return sonde_str_is(name, "node (deleted)");
        }
    }
    return true;
}

static void keep_text(char *ret, size_t size, struct sonde_str text)
{
    size_t length = text.length < size ? text.length : size - 1;
    for (size_t i = 0; i < length; i++) {
        ret[i] = text.data[i] == '\0' ? ' ' : text.data[i];
    }
    while (length && ret[length - 1] == ' ') {
        length--;
    }
    ret[length] = '\0';
}

static void find_script(struct sonde_process *p, struct sonde_str cmdline)
{
    struct sonde_str script = sonde_proc_node_script(cmdline);
    if (script.length == 0) {
        return;
    }
    if (script.data[0] == '/' || p->directory[0] == '\0') {
        keep_text(p->script, sizeof(p->script), script);
        return;
    }
    if (sonde_str_starts(script, "./")) {
        script = (struct sonde_str){script.data + 2, script.length - 2};
    }
    int length =
        snprintf(p->script, sizeof(p->script), "%s/%.*s", p->directory, SONDE_STR_ARG(script));
    if (length < 0 || (size_t)length >= sizeof(p->script)) {
        p->script[0] = '\0'; /* half a path would name another file */
    }
}

static void find_inspect_port(int directory, struct sonde_process *p, struct sonde_str cmdline)
{
    int port = sonde_proc_inspect_option(cmdline, '\0');
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PROC_FILE_MAX);
    if (port < 0 && sonde_read_file(directory, "environ", &text, NULL) == 0) {
        struct sonde_str options = sonde_proc_variable(sonde_buf_view(&text), "NODE_OPTIONS");
        port = sonde_proc_inspect_option(options, ' ');
    }
    p->any_inspect_port = port == 0;
    p->inspect_port = port > 0 ? (uint16_t)port : DEFAULT_INSPECT_PORT;
}

static int compare_inodes(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* The inodes of the process's sockets, sorted; the caller frees. */
static uint64_t *own_sockets(int directory, size_t *ret_count)
{
    *ret_count = 0;
    int fd = openat(directory, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        sonde_closep(&fd);
        return NULL;
    }
    uint64_t *inodes = NULL;
    size_t capacity = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        char link[64];
        uint64_t inode;
        if (!read_link(dirfd(dir), entry->d_name, link, sizeof(link)) ||
            !sonde_proc_socket_inode(sonde_str(link), &inode)) {
            continue;
        }
        if (sonde_array_grow(&inodes, &capacity, *ret_count + 1, sizeof(*inodes), FDS_MAX) < 0) {
            break;
        }
        inodes[(*ret_count)++] = inode;
    }
    (void)closedir(dir);
    if (*ret_count) {
        qsort(inodes, *ret_count, sizeof(*inodes), compare_inodes);
    }
    return inodes;
}

static void keep_port(struct sonde_process *p, const struct sonde_proc_socket *socket)
{
    for (size_t i = 0; i < p->port_count; i++) {
        if (p->ports[i].number == socket->port) {
            p->ports[i].loopback = p->ports[i].loopback && socket->loopback;
            return;
        }
    }
    if (p->port_count < SONDE_PROCESS_PORTS_MAX) {
        p->ports[p->port_count++] = (struct sonde_port){socket->port, socket->loopback};
    }
}

static void find_ports(int directory, struct sonde_process *p)
{
    static const char *const files[] = {"net/tcp", "net/tcp6"};
    size_t count;
    SONDE_FREE uint64_t *inodes = own_sockets(directory, &count);
    for (size_t i = 0; i < SONDE_LENGTH(files) && count; i++) {
        SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PROC_SOCKETS_MAX);
        if (sonde_read_file(directory, files[i], &text, NULL) < 0) {
            continue;
        }
        struct sonde_str rest = sonde_buf_view(&text);
        struct sonde_proc_socket socket;
        while (sonde_proc_socket_next(&rest, &socket)) {
            if (socket.state == SONDE_TCP_LISTEN &&
                bsearch(&socket.inode, inodes, count, sizeof(*inodes), compare_inodes)) {
                keep_port(p, &socket);
            }
        }
    }
}

static bool foreign_network(const char *proc, int directory)
{
    char theirs[64];
    char ours[64];
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/self/ns/net", proc);
    return read_link(directory, "ns/net", theirs, sizeof(theirs)) &&
           read_link(AT_FDCWD, path, ours, sizeof(ours)) && strcmp(theirs, ours) != 0;
}

static int read_identity(int directory, struct sonde_process *p, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PROC_FILE_MAX);
    struct sonde_proc_status status;
    int r = sonde_read_file(directory, "status", &text, err);
    r = r < 0 ? r : sonde_proc_status_parse(sonde_buf_view(&text), &status, err);
    if (r < 0) {
        return r;
    }
    p->parent = status.parent;
    p->uid = status.uid;
    p->caught_signals = status.caught_signals;
    p->inner_pid = status.namespaces ? status.inner_pid : p->pid;
    p->other_namespace = status.namespaces > 1;
    sonde_buf_clear(&text);
    r = sonde_read_file(directory, "stat", &text, err);
    return r < 0 ? r : sonde_proc_start_time(sonde_buf_view(&text), &p->start_time, err);
}

static int read_process(const char *proc, int directory, pid_t pid, bool only_node,
                        struct sonde_process *p, struct sonde_err *err)
{
    *p = (struct sonde_process){.pid = pid};
    int r = read_identity(directory, p, err);
    if (r < 0) {
        return r;
    }
    SONDE_BUF_AUTO name = SONDE_BUF(SONDE_PROC_FILE_MAX);
    SONDE_BUF_AUTO cmdline = SONDE_BUF(SONDE_PROC_FILE_MAX);
    r = sonde_read_file(directory, "comm", &name, err);
    r = r < 0 ? r : sonde_read_file(directory, "cmdline", &cmdline, err);
    if (r < 0) {
        return r;
    }
    char exe[PATH_MAX];
    p->readable = read_link(directory, "exe", exe, sizeof(exe));
    keep_text(p->name, sizeof(p->name), sonde_str_trim(sonde_buf_view(&name)));
    struct sonde_str rest = sonde_buf_view(&cmdline);
    struct sonde_str first = sonde_str_split(&rest, '\0');
    p->is_node = p->readable ? node_name(base_name(sonde_str(exe)))
                             : node_name(base_name(first)) || node_name(sonde_str(p->name));
    if (only_node && !p->is_node) {
        return 0;
    }
    keep_text(p->command, sizeof(p->command), sonde_buf_view(&cmdline));
    (void)read_link(directory, "cwd", p->directory, sizeof(p->directory));
    find_script(p, sonde_buf_view(&cmdline));
    find_inspect_port(directory, p, sonde_buf_view(&cmdline));
    find_ports(directory, p);
    p->foreign_network = foreign_network(proc, directory);
    return 0;
}

int sonde_process_read(const char *proc, pid_t pid, struct sonde_process *ret,
                       struct sonde_err *err)
{
    SONDE_CLOSE int directory = open_process(proc, pid);
    int r = directory < 0 ? SONDE_ENOTFOUND : read_process(proc, directory, pid, false, ret, err);
    if (r == SONDE_ENOTFOUND) {
        return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_NOT_FOUND,
                                 "there is no process %d", (int)pid);
    }
    return r;
}

static int compare_processes(const void *a, const void *b)
{
    const struct sonde_process *left = a;
    const struct sonde_process *right = b;
    return (left->pid > right->pid) - (left->pid < right->pid);
}

static int add_process(const char *proc, pid_t pid, struct sonde_process_list *list,
                       struct sonde_err *err)
{
    int r = sonde_array_grow(&list->items, &list->capacity, list->count + 1, sizeof(*list->items),
                             SONDE_PROCESSES_MAX);
    if (r < 0) {
        return sonde_fail(err, r, 0,
                          r == SONDE_ELIMIT ? "more than %d Node.js processes"
                                            : "out of memory for a list of at most %d processes",
                          SONDE_PROCESSES_MAX);
    }
    struct sonde_process *p = &list->items[list->count];
    SONDE_CLOSE int directory = open_process(proc, pid);
    /* One that ended meanwhile is simply not listed. */
    if (directory >= 0 && read_process(proc, directory, pid, true, p, NULL) == 0 && p->is_node) {
        list->count++;
    }
    return 0;
}

int sonde_process_list(const char *proc, struct sonde_process_list *ret, struct sonde_err *err)
{
    *ret = (struct sonde_process_list){0};
    DIR *dir = opendir(proc);
    if (!dir) {
        return sonde_fail(err, SONDE_EIO, errno, "open %s", proc);
    }
    int r = 0;
    const struct dirent *entry;
    while (r == 0 && (entry = readdir(dir))) {
        uint64_t pid;
        if (sonde_parse_u64(sonde_str(entry->d_name), 1, INT32_MAX, &pid) == 0 &&
            (pid_t)pid != getpid()) {
            r = add_process(proc, (pid_t)pid, ret, err);
        }
    }
    (void)closedir(dir);
    if (r < 0) {
        sonde_process_list_fini(ret);
        return r;
    }
    if (ret->count) {
        qsort(ret->items, ret->count, sizeof(*ret->items), compare_processes);
    }
    return 0;
}

void sonde_process_list_fini(struct sonde_process_list *list)
{
    if (list) {
        free(list->items);
        *list = (struct sonde_process_list){0};
    }
}

bool sonde_process_listens(const struct sonde_process *process, uint16_t port)
{
    for (size_t i = 0; i < process->port_count; i++) {
        if (process->ports[i].number == port) {
            return true;
        }
    }
    return false;
}

static struct sonde_str without_extension(struct sonde_str name)
{
    const char *dot = name.length ? memrchr(name.data, '.', name.length) : NULL;
    return dot && dot > name.data ? (struct sonde_str){name.data, (size_t)(dot - name.data)} : name;
}

/* 2: exactly what was typed; 1: a part of it; 0: no match. */
static int match(const struct sonde_process *p, const char *pattern)
{
    struct sonde_str digits = sonde_str(pattern[0] == ':' ? pattern + 1 : pattern);
    uint64_t port;
    if (sonde_parse_u64(digits, 1, UINT16_MAX, &port) == 0) {
        return sonde_process_listens(p, (uint16_t)port) ? 2 : 0;
    }
    const struct sonde_str exact[] = {
        sonde_str(p->name),
        sonde_str(p->script),
        base_name(sonde_str(p->script)),
        without_extension(base_name(sonde_str(p->script))),
        sonde_str(p->directory),
        base_name(sonde_str(p->directory)),
    };
    for (size_t i = 0; i < SONDE_LENGTH(exact); i++) {
        if (sonde_str_is(exact[i], pattern)) {
            return 2;
        }
    }
    struct sonde_str part = sonde_str(pattern);
    return sonde_str_contains(sonde_str(p->script), part) ||
           sonde_str_contains(sonde_str(p->command), part) ||
           sonde_str_contains(sonde_str(p->directory), part);
}

bool sonde_process_is_runner(const struct sonde_process *p)
{
    static const char *const scripts[] = {"npm",        "npm-cli.js", "npx-cli.js", "npx",
                                          "yarn.js",    "yarn",       "pnpm.cjs",   "pnpm",
                                          "nodemon.js", "nodemon",    "corepack.js"};
    struct sonde_str script = base_name(sonde_str(p->script));
    struct sonde_str command = sonde_str(p->command);
    for (size_t i = 0; i < SONDE_LENGTH(scripts); i++) {
        if (sonde_str_is(script, scripts[i])) {
            return true;
        }
    }
    /* npm rewrites its own command line: "npm start". */
    return sonde_str_starts(command, "npm ") || sonde_str_starts(command, "yarn ");
}

/* Whether a process of the list was started, at any remove, by `ancestor`. */
static bool has_descendant(const struct sonde_process_list *list,
                           const struct sonde_process *ancestor)
{
    for (size_t i = 0; i < list->count; i++) {
        pid_t parent = list->items[i].parent;
        for (int steps = 0; parent > 1 && steps < 16; steps++) {
            if (parent == ancestor->pid) {
                return true;
            }
            struct sonde_process between;
            if (sonde_process_read("/proc", parent, &between, NULL) < 0) {
                break;
            }
            parent = between.parent;
        }
    }
    return false;
}

void sonde_process_list_match(struct sonde_process_list *list, const char *pattern)
{
    int best = 1;
    for (size_t i = 0; pattern && i < list->count; i++) {
        int rank = match(&list->items[i], pattern);
        best = rank > best ? rank : best;
    }
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!pattern || match(&list->items[i], pattern) >= best) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
    kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!sonde_process_is_runner(&list->items[i]) || !has_descendant(list, &list->items[i])) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
}

void sonde_process_describe(const struct sonde_process *process, struct sonde_buf *buf)
{
    const char *what = process->script[0] ? process->script : process->command;
    sonde_buf_printf(buf, "%-8d %.200s", (int)process->pid, what[0] ? what : process->name);
    for (size_t i = 0; i < process->port_count; i++) {
        sonde_buf_printf(buf, "%s:%u", i ? " " : "  ", process->ports[i].number);
    }
    sonde_buf_printf(buf, "  (user %u%s)", process->uid,
                     process->other_namespace ? ", in a container" : "");
}

pid_t sonde_process_of_port(const char *proc, uint16_t port)
{
    struct sonde_process_list list;
    if (sonde_process_list(proc, &list, NULL) < 0) {
        return 0;
    }
    pid_t found = 0;
    for (size_t i = 0; i < list.count && !found; i++) {
        if (!list.items[i].foreign_network && sonde_process_listens(&list.items[i], port)) {
            found = list.items[i].pid;
        }
    }
    sonde_process_list_fini(&list);
    return found;
}
