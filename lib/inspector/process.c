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
#include "inspector/listening.h"
#include "spec/reason.h"

enum { DEFAULT_INSPECT_PORT = 9229 };

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

/* Whether a host of --inspect-port is this machine's own: anything else opens a debugger to others.
 */
static bool own_host(struct sonde_str host)
{
    return host.length == 0 || sonde_str_is(host, "localhost") || sonde_str_is(host, "::1") ||
           sonde_str_starts(host, "127.");
}

static void find_inspect_port(int directory, struct sonde_process *p, struct sonde_str cmdline)
{
    struct sonde_inspect_options options = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PROC_FILE_MAX);
    if (sonde_read_file(directory, "environ", &text, NULL) == 0) {
        struct sonde_str variables = sonde_buf_view(&text);
        sonde_proc_inspect_options(sonde_proc_variable(variables, "NODE_OPTIONS"), ' ', &options);
        p->cluster_worker = sonde_proc_variable(variables, "NODE_UNIQUE_ID").length > 0;
    }
    sonde_proc_inspect_options(cmdline, '\0', &options);
    p->any_inspect_port = options.port_given && options.port == 0;
    p->inspect_port = options.port ? options.port : DEFAULT_INSPECT_PORT;
    p->inspect_exposed = !own_host(options.host);
}

static int compare_inodes(const void *a, const void *b)
{
    uint64_t left = ((const struct sonde_proc_socket *)a)->inode;
    uint64_t right = ((const struct sonde_proc_socket *)b)->inode;
    return (left > right) - (left < right);
}

static void keep_port(struct sonde_process *p, const struct sonde_proc_socket *socket)
{
    struct sonde_port port = {socket->port, socket->loopback, ""};
    (void)snprintf(port.host, sizeof(port.host), "%s", socket->host);
    for (size_t i = 0; i < p->port_count; i++) {
        if (p->ports[i].number == socket->port) {
            p->ports[i].loopback = p->ports[i].loopback && socket->loopback;
            return;
        }
    }
    if (p->port_count < SONDE_PROCESS_PORTS_MAX) {
        p->ports[p->port_count++] = port;
    } else if (socket->port == p->inspect_port) {
        p->ports[SONDE_PROCESS_PORTS_MAX - 1] = port;
    }
}

static int compare_ports(const void *a, const void *b)
{
    return ((const struct sonde_port *)a)->number - ((const struct sonde_port *)b)->number;
}

/* Of all that listens, what the process holds. */
static bool find_own(int directory, struct sonde_process *p, struct sonde_listening *listening)
{
    int fd = openat(directory, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        sonde_closep(&fd);
        return false;
    }
    if (listening->count) {
        qsort(listening->items, listening->count, sizeof(*listening->items), compare_inodes);
    }
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        char link[64];
        struct sonde_proc_socket wanted;
        const struct sonde_proc_socket *found = NULL;
        if (read_link(dirfd(dir), entry->d_name, link, sizeof(link)) &&
            sonde_proc_socket_inode(sonde_str(link), &wanted.inode) && listening->count) {
            found = bsearch(&wanted, listening->items, listening->count, sizeof(wanted),
                            compare_inodes);
        }
        if (found) {
            keep_port(p, found);
        }
    }
    (void)closedir(dir);
    qsort(p->ports, p->port_count, sizeof(*p->ports), compare_ports);
    return true;
}

static void find_ports(int directory, struct sonde_process *p)
{
    struct sonde_listening listening;
    p->ports_known = sonde_listening_read(directory, &listening, NULL) == 0 &&
                     find_own(directory, p, &listening);
    sonde_listening_fini(&listening);
}

int sonde_port_is_taken(uint16_t port, bool *ret, struct sonde_err *err)
{
    struct sonde_listening listening;
    SONDE_CLOSE int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "open /proc/self");
    }
    int r = sonde_listening_read(self, &listening, err);
    *ret = false;
    for (size_t i = 0; r == 0 && i < listening.count; i++) {
        *ret = *ret || listening.items[i].port == port;
    }
    sonde_listening_fini(&listening);
    return r;
}

static bool has_no_children(int directory, pid_t pid)
{
    char name[64];
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PROC_FILE_MAX);
    (void)snprintf(name, sizeof(name), "task/%d/children", (int)pid);
    return sonde_read_file(directory, name, &text, NULL) == 0 &&
           sonde_str_trim(sonde_buf_view(&text)).length == 0;
}

bool sonde_process_loop_waits(const char *proc, pid_t pid)
{
    SONDE_CLOSE int directory = open_process(proc, pid);
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PROC_FILE_MAX);
    return directory >= 0 && sonde_read_file(directory, "wchan", &text, NULL) == 0 &&
           (sonde_str_contains(sonde_buf_view(&text), SONDE_STR("ep_poll")) ||
            sonde_str_contains(sonde_buf_view(&text), SONDE_STR("epoll_wait"))) &&
           has_no_children(directory, pid);
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
    struct sonde_proc_stat stat;
    r = sonde_read_file(directory, "stat", &text, err);
    r = r < 0 ? r : sonde_proc_stat_parse(sonde_buf_view(&text), &stat, err);
    if (r == 0) {
        p->start_time = stat.start_time;
    }
    return r;
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

const struct sonde_port *sonde_process_port(const struct sonde_process *process, uint16_t port)
{
    for (size_t i = 0; i < process->port_count; i++) {
        if (process->ports[i].number == port) {
            return &process->ports[i];
        }
    }
    return NULL;
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
        return sonde_process_port(p, (uint16_t)port) ? 2 : 0;
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
        /* In a container the ancestor may be process 1 itself. */
        for (int steps = 0; parent > 0 && steps < 16; steps++) {
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

static bool has_workers(const struct sonde_process_list *list, pid_t primary)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].cluster_worker && list->items[i].parent == primary) {
            return true;
        }
    }
    return false;
}

int sonde_process_workers(const char *proc, pid_t pid, struct sonde_buf *ret, struct sonde_err *err)
{
    struct sonde_process_list list;
    int r = sonde_process_list(proc, &list, err);
    for (size_t i = 0; r == 0 && i < list.count; i++) {
        if (list.items[i].cluster_worker && list.items[i].parent == pid) {
            sonde_buf_printf(ret, "%s%d", ret->length ? ", " : "", (int)list.items[i].pid);
        }
    }
    sonde_process_list_fini(&list);
    return r < 0 ? r : sonde_buf_check(ret, "a list of workers", err);
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
        const struct sonde_process *p = &list->items[i];
        bool starter =
            has_workers(list, p->pid) || (sonde_process_is_runner(p) && has_descendant(list, p));
        if (!starter) {
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
        if (!list.items[i].foreign_network && sonde_process_port(&list.items[i], port)) {
            found = list.items[i].pid;
        }
    }
    sonde_process_list_fini(&list);
    return found;
}
