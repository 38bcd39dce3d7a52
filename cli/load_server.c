/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/load_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "load/target.h"
#include "loop/loop.h"

enum { POLL_MS = 10, POLL_LATER_MS = 50, PROBE_MS = 500, EXIT_NOT_FOUND = 127 };

/* ---- who belongs to it ---- */

/* Calls `look` for each process of the group, but for those that have ended, until it returns true;
 * returns whether it did. */
static bool any_of_group(pid_t group, bool (*look)(const struct sonde_process *, void *),
                         void *context)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    bool found = false;
    while (dir && !found && (entry = readdir(dir))) {
        struct sonde_process process;
        int64_t pid;
        found = sonde_parse_i64(sonde_str(entry->d_name), 1, INT32_MAX, &pid) == 0 &&
                getpgid((pid_t)pid) == group &&
                sonde_process_read("/proc", (pid_t)pid, &process, NULL) == 0 &&
                look(&process, context);
    }
    if (dir) {
        (void)closedir(dir);
    }
    return found;
}

static bool is_other(const struct sonde_process *process, void *context)
{
    const struct load_server *server = context;
    return process->pid != server->pid;
}

/* Asks it as a debugger does. */
static bool answers_debuggers(const struct sonde_port *port)
{
    static const char ask[] = "GET /json/version HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const char name[] = "\"node.js/";
    const struct timeval patience = {.tv_usec = PROBE_MS * 1000};
    char said[1024];
    struct sonde_load_addresses at;
    if (sonde_load_resolve(port->host, port->number, &at, NULL) < 0) {
        return false;
    }
    SONDE_CLOSE int fd = socket(at.items[0].at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
        connect(fd, (const struct sockaddr *)&at.items[0].at, at.items[0].length) < 0 ||
        send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) < 0) {
        return false;
    }
    size_t length = 0;
    ssize_t got;
    while (length < sizeof(said) && !memmem(said, length, name, sizeof(name) - 1) &&
           (got = recv(fd, said + length, sizeof(said) - length, 0)) > 0) {
        length += (size_t)got;
    }
    return memmem(said, length, name, sizeof(name) - 1) != NULL;
}

/* With --inspect=0 its options do not tell. */
static bool is_inspectors(const struct sonde_process *process, const struct sonde_port *port)
{
    return process->is_node && (process->any_inspect_port ? answers_debuggers(port)
                                                          : port->number == process->inspect_port);
}

/* The lowest port of a process that is no inspector's. */
static bool take_port(const struct sonde_process *process, void *context)
{
    struct load_server *server = context;
    for (size_t i = 0; i < process->port_count; i++) {
        const struct sonde_port *port = &process->ports[i];
        if ((server->port.number == 0 || port->number < server->port.number) &&
            !is_inspectors(process, port)) {
            server->port = *port;
        }
    }
    return false; /* all of them are looked at */
}

static bool listens(struct load_server *server)
{
    (void)any_of_group(server->pid, take_port, server);
    return server->port.number != 0;
}

/* ---- its beginning ---- */

/* In the child: it ends with us, whatever ends us. */
static void become_command(char **command, pid_t parent)
{
    sonde_signal_reset();
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() == parent && nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
        dup2(STDERR_FILENO, STDOUT_FILENO) >= 0) {
        (void)execvp(command[0], command);
    }
    (void)fprintf(stderr, "sonde: cannot start %s: %s\n", command[0], strerror(errno));
    _exit(EXIT_NOT_FOUND);
}

static int start_command(char **command, struct load_server *server, struct sonde_err *err)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "start %s", command[0]);
    }
    if (pid == 0) {
        become_command(command, parent);
    }
    (void)setpgid(pid, pid); /* whoever is first: it is done when we go on */
    server->name = command[0];
    server->pid = pid;
    server->fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return server->fd < 0 ? sonde_fail(err, SONDE_EIO, errno, "watch %s", command[0]) : 0;
}

static bool has_ended(const struct load_server *server, int wait_ms)
{
    struct pollfd fd = {.fd = server->fd, .events = POLLIN};
    return poll(&fd, 1, wait_ms) == 1;
}

int load_server_start(char **command, const atomic_bool *stop, struct load_server *ret,
                      struct sonde_err *err)
{
    int r = start_command(command, ret, err);
    int64_t begin = sonde_clock_monotonic();
    while (r == 0 && !listens(ret)) {
        int64_t waited = sonde_clock_monotonic() - begin;
        if (atomic_load(stop)) {
            r = sonde_fail(err, SONDE_ECANCELLED, 0, "interrupted before %s listened", command[0]);
        } else if (has_ended(ret, waited < SONDE_SECOND ? POLL_MS : POLL_LATER_MS)) {
            r = sonde_fail(err, SONDE_ENOTFOUND, 0,
                           "%s ended before it listened on a port: does it run without sonde?",
                           command[0]);
        } else if (waited > LOAD_SERVER_START_NS) {
            r = sonde_fail(err, SONDE_ETIMEOUT, 0,
                           "%s listens on no TCP port after %lld s: give its URL, and start it "
                           "yourself",
                           command[0], (long long)(LOAD_SERVER_START_NS / SONDE_SECOND));
        }
    }
    return r;
}

bool load_server_has_ended(const struct load_server *server)
{
    return server->fd >= 0 && has_ended(server, 0);
}

/* ---- its end ---- */

void load_server_end(struct load_server *server)
{
    if (server->pid == 0) {
        return;
    }
    /* Its number, and the group's, stay its own until it is waited for at the end. */
    (void)kill(-server->pid, SIGINT);
    int64_t deadline = sonde_clock_monotonic() + LOAD_SERVER_END_NS;
    while (sonde_clock_monotonic() < deadline &&
           (!has_ended(server, POLL_MS) || any_of_group(server->pid, is_other, server))) {
        if (has_ended(server, 0)) {
            (void)poll(NULL, 0, POLL_MS);
        }
    }
    (void)kill(-server->pid, SIGKILL);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    sonde_closep(&server->fd);
    *server = LOAD_SERVER_NONE;
}
