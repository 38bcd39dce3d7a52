/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "inspector/proc_text.h"
#include "spec/reason.h"

enum {
    ANCESTORS_MAX = 16, /* steps up from a process that are looked at */
    POLL_MS = 10,
    POLL_LATER_MS = 50,
    LISTED_MAX = 8,
    EXIT_BY_SIGNAL = 128,
    EXIT_NOT_FOUND = 127
};

static int ambiguous(const struct sonde_process_list *list, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_ERR_MESSAGE_MAX);
    for (size_t i = 0; i < list->count && i < LISTED_MAX; i++) {
        sonde_buf_text(&text, "\n  ");
        sonde_process_describe(&list->items[i], &text);
    }
    return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_TARGET_AMBIGUOUS,
                             "%zu processes match:%s", list->count, text.data ? text.data : "");
}

/* Whether `pid` is a process that stands above another one, or is it. */
static bool descends(pid_t process, pid_t pid)
{
    for (int steps = 0; process > 1 && process != pid && steps < ANCESTORS_MAX; steps++) {
        struct sonde_process above;
        process = sonde_process_read("/proc", process, &above, NULL) == 0 ? above.parent : 0;
    }
    return process == pid;
}

/* The process that stands above all of the list, or that is one of them and above the others. */
static bool common_parent(const struct sonde_process_list *list, struct sonde_process *ret)
{
    pid_t pid = list->items[0].pid;
    for (int steps = 0; pid > 1 && steps < ANCESTORS_MAX; steps++) {
        struct sonde_process candidate;
        size_t below = 0;
        if (sonde_process_read("/proc", pid, &candidate, NULL) < 0) {
            return false;
        }
        while (below < list->count && descends(list->items[below].pid, pid)) {
            below++;
        }
        /* What has started the shell, too, has started more than a service. */
        if (below == list->count) {
            *ret = candidate;
            return candidate.is_node;
        }
        pid = candidate.parent;
    }
    return false;
}

static int by_match(const char *pattern, bool family, struct target *target, struct sonde_err *err)
{
    struct sonde_process_list list;
    int r = sonde_process_list("/proc", &list, err);
    if (r < 0) {
        return r;
    }
    sonde_process_list_match(&list, pattern);
    if (list.count == 1) {
        target->process = list.items[0];
    } else if (list.count > 1 && family && common_parent(&list, &target->process)) {
        r = 0;
    } else if (list.count > 1) {
        r = ambiguous(&list, err);
    } else if (pattern) {
        r = sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_NOT_FOUND,
                              "no Node.js process matches \"%.200s\"", pattern);
    } else {
        r = sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_NOT_FOUND,
                              "no Node.js process is running here");
    }
    sonde_process_list_fini(&list);
    return r;
}

/* The first Node.js process among the command and its descendants that takes SIGUSR1; a package
 * runner is passed over while it may still start something. */
static bool find_started(struct target *target)
{
    struct sonde_process_list list;
    if (sonde_process_list("/proc", &list, NULL) < 0) {
        return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (descends(list.items[i].pid, target->child)) {
            list.items[kept++] = list.items[i];
        }
    }
    list.count = kept;
    sonde_process_list_match(&list, NULL);
    bool found = false;
    for (size_t i = 0; i < list.count && !found; i++) {
        const struct sonde_process *p = &list.items[i];
        bool runner = sonde_process_is_runner(p);
        if (!runner && p->caught_signals & SONDE_SIGUSR1_BIT) {
            target->process = *p;
            found = true;
        }
    }
    sonde_process_list_fini(&list);
    return found;
}

static bool child_ended(const struct target *target, int wait_ms)
{
    struct pollfd fd = {.fd = target->child_fd, .events = POLLIN};
    return poll(&fd, 1, wait_ms) == 1;
}

static int start_command(char **command, bool quiet, struct target *target, struct sonde_err *err)
{
    pid_t pid = fork();
    if (pid < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "start %s", command[0]);
    }
    if (pid == 0) {
        sonde_signal_reset();
        if (!quiet || dup2(STDERR_FILENO, STDOUT_FILENO) >= 0) {
            (void)execvp(command[0], command);
        }
        (void)fprintf(stderr, "sonde: cannot start %s: %s\n", command[0], strerror(errno));
        _exit(EXIT_NOT_FOUND);
    }
    target->child = pid;
    target->child_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (target->child_fd < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "watch %s", command[0]);
    }
    return 0;
}

static int wait_for_node(const char *command, struct sonde_loop *loop, struct target *target,
                         struct sonde_err *err)
{
    int64_t begin = sonde_clock_monotonic();
    int64_t deadline = begin + TARGET_START_TIMEOUT_NS;
    while (!find_started(target)) {
        bool early = sonde_clock_monotonic() - begin < SONDE_SECOND;
        if (child_ended(target, early ? POLL_MS : POLL_LATER_MS)) {
            return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_EXITED,
                                     "%s ended before a Node.js process of it could be profiled",
                                     command);
        }
        if (sonde_clock_monotonic() > deadline) {
            return sonde_fail_reason(err, SONDE_ETIMEOUT, SONDE_REASON_TARGET_NOT_NODE,
                                     "%s has started no Node.js process that takes signals",
                                     command);
        }
        sonde_loop_poll(loop);
    }
    return 0;
}

static int by_command(const struct cli_call *call, struct sonde_loop *loop, struct target *target,
                      struct sonde_err *err)
{
    char **command = call->arguments.command;
    bool quiet = call->settings.output == CLI_OUTPUT_JSON;
    int r = start_command(command, quiet, target, err);
    return r < 0 ? r : wait_for_node(command[0], loop, target, err);
}

int target_find(const struct cli_call *call, struct sonde_loop *loop, bool family,
                struct target *ret, struct sonde_err *err)
{
    const struct cli_settings *settings = &call->settings;
    int ways = (settings->pid != 0) + (settings->match != NULL) + (call->arguments.command != NULL);
    if (ways > 1) {
        return sonde_fail(err, SONDE_EINVALID, 0, "give one of --pid, --match and -- COMMAND");
    }
    int r = call->arguments.command ? by_command(call, loop, ret, err)
            : settings->pid ? sonde_process_read("/proc", (pid_t)settings->pid, &ret->process, err)
                            : by_match(settings->match, family, ret, err);
    if (r == 0) {
        char path[64];
        (void)snprintf(path, sizeof(path), "/proc/%d/root", (int)ret->process.pid);
        ret->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    return r;
}

static int by_age(const void *a, const void *b)
{
    const struct sonde_process *first = a;
    const struct sonde_process *second = b;
    if (first->start_time != second->start_time) {
        return first->start_time < second->start_time ? -1 : 1;
    }
    return first->pid < second->pid ? -1 : first->pid > second->pid;
}

int target_find_family(struct target *ret, struct sonde_err *err)
{
    struct sonde_process_list *list = &ret->family;
    pid_t top = ret->child ? ret->child : ret->process.pid;
    size_t kept = 0;
    int r = sonde_process_list("/proc", list, err);
    for (size_t i = 0; i < list->count && r == 0; i++) {
        if (descends(list->items[i].pid, top)) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept < TARGET_FAMILY_MAX ? kept : TARGET_FAMILY_MAX;
    if (r < 0) {
        return r;
    }
    sonde_process_list_match(list, NULL);
    if (list->count == 0) {
        return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_NOT_FOUND,
                                 "neither process %d nor what it started runs Node.js", (int)top);
    }
    qsort(list->items, list->count, sizeof(*list->items), by_age);
    return 0;
}

void target_fini(struct target *target)
{
    sonde_process_list_fini(&target->family);
    sonde_closep(&target->root);
    sonde_closep(&target->child_fd);
}

int target_wait(struct target *target)
{
    int status = 0;
    while (waitpid(target->child, &status, 0) < 0) {
        if (errno != EINTR) {
            return SONDE_EXIT_FAILED;
        }
    }
    target->child = 0;
    return WIFSIGNALED(status) ? EXIT_BY_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

void target_signal(const struct target *target, int signal_number)
{
    if (target->child_fd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, target->child_fd, signal_number, NULL, 0);
    }
}
