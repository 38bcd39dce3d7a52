/* SPDX-License-Identifier: Apache-2.0 */
/* The Node.js processes that can be seen through /proc. */
#ifndef SONDE_INSPECTOR_PROCESS_H
#define SONDE_INSPECTOR_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_PROCESS_TEXT_MAX = 1024,     /* bytes kept of a command line or path */
    SONDE_PROCESS_PORTS_MAX = 16,      /* listening ports kept */
    SONDE_PROCESSES_MAX = 4096,        /* Node.js processes listed */
    SONDE_PROC_FILE_MAX = 1 << 20,     /* bytes of a file under /proc/PID */
    SONDE_PROC_SOCKETS_MAX = 16 << 20, /* bytes of net/tcp */
};

struct sonde_port {
    uint16_t number;
    bool loopback;
};

struct sonde_process {
    pid_t pid;
    pid_t parent;
    pid_t inner_pid;      /* as the process itself sees it */
    bool other_namespace; /* in a pid namespace of its own: a container */
    uid_t uid;
    uint64_t start_time;     /* clock ticks since boot: with the pid, its identity */
    uint64_t caught_signals; /* SigCgt */
    bool is_node;
    bool readable;                          /* its links can be read: same user, or we are root */
    bool foreign_network;                   /* in another network namespace than ours */
    char name[64];                          /* comm */
    char command[SONDE_PROCESS_TEXT_MAX];   /* arguments with spaces between */
    char script[SONDE_PROCESS_TEXT_MAX];    /* absolute where possible; "" when none */
    char directory[SONDE_PROCESS_TEXT_MAX]; /* working directory, "" when not readable */
    struct sonde_port ports[SONDE_PROCESS_PORTS_MAX]; /* it listens on */
    size_t port_count;
    bool any_inspect_port; /* its options leave the port to the system: --inspect-port=0 */
    uint16_t inspect_port; /* else where it would listen, or does, by its options: 9229 */
};

struct sonde_process_list {
    struct sonde_process *items;
    size_t count;
    size_t capacity;
};

/* Reads /proc/PID (proc: "/proc", or another root in tests). SONDE_ENOTFOUND with reason
 * TargetExited when there is no such process. */
int sonde_process_read(const char *proc, pid_t pid, struct sonde_process *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;

/* All Node.js processes but our own, by pid. The caller frees with sonde_process_list_fini. */
int sonde_process_list(const char *proc, struct sonde_process_list *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_process_list_fini(struct sonde_process_list *list);

/* Keeps those that match what a person types: a port ("3000", ":3000"), a name, a script, a
 * directory, or a part of the command line; exact matches win over partial ones, and a
 * package runner (npm, yarn …) gives way to the process that it started. NULL matches all. */
void sonde_process_list_match(struct sonde_process_list *list, const char *pattern);

/* One line for a list of candidates: "4711  node  /app/server.js  :3000  (user 1000)". */
void sonde_process_describe(const struct sonde_process *process, struct sonde_buf *buf);

/* True when the process listens on the port. */
bool sonde_process_listens(const struct sonde_process *process, uint16_t port);

/* npm, yarn, nodemon …: a process that starts the service rather than being it. */
bool sonde_process_is_runner(const struct sonde_process *process);

/* The process, if any, that listens on a port of our network namespace: 0 when unknown. */
pid_t sonde_process_of_port(const char *proc, uint16_t port);

#endif
