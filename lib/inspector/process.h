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
#include "inspector/proc_text.h"

enum {
    SONDE_PROCESS_TEXT_MAX = 1024, /* bytes kept of a command line or path */
    SONDE_PROCESS_PORTS_MAX = 32,  /* listening ports kept, the inspector's among them */
    SONDE_PROCESSES_MAX = 4096,    /* Node.js processes listed */
    SONDE_PROC_FILE_MAX = 1 << 20, /* bytes of a file under /proc/PID */
};

struct sonde_port {
    uint16_t number;
    bool loopback;
    char host[SONDE_PROC_HOST_SIZE]; /* where it is reached from here */
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
    bool readable;        /* its links can be read: the same user and rights, or we are root */
    bool ports_known;     /* all that it listens on was seen */
    bool cluster_worker;  /* a worker of Node's cluster module */
    bool foreign_network; /* in another network namespace than ours */
    char name[64];        /* comm */
    char command[SONDE_PROCESS_TEXT_MAX];             /* arguments with spaces between */
    char script[SONDE_PROCESS_TEXT_MAX];              /* absolute where possible; "" when none */
    char directory[SONDE_PROCESS_TEXT_MAX];           /* working directory, "" when not readable */
    struct sonde_port ports[SONDE_PROCESS_PORTS_MAX]; /* it listens on */
    size_t port_count;
    bool any_inspect_port; /* its options leave the port to the system: --inspect-port=0 */
    uint16_t inspect_port; /* else where it would listen, or does, by its options: 9229 */
    bool inspect_exposed;  /* its options name a host that is not this machine's own */
};

struct sonde_process_list {
    struct sonde_process *items;
    size_t count;
    size_t capacity;
};

/* Reads /proc/PID (proc: "/proc", or another root in tests). SONDE_ENOTFOUND with reason
 * TargetNotFound when there is no such process. */
int sonde_process_read(const char *proc, pid_t pid, struct sonde_process *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;

/* All Node.js processes but our own, by pid. The caller frees with sonde_process_list_fini. */
int sonde_process_list(const char *proc, struct sonde_process_list *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_process_list_fini(struct sonde_process_list *list);

/* Keeps those that match what a person types: a port ("3000", ":3000"), a name, a script, a
 * directory, or a part of the command line; exact matches win over partial ones, and a package
 * runner (npm, yarn …) or a cluster's primary gives way to what it started. NULL matches all. */
void sonde_process_list_match(struct sonde_process_list *list, const char *pattern);

/* One line for a list of candidates: "4711  node  /app/server.js  :3000  (user 1000)". */
void sonde_process_describe(const struct sonde_process *process, struct sonde_buf *buf);

/* The port when the process listens on it, or NULL. */
const struct sonde_port *sonde_process_port(const struct sonde_process *process, uint16_t port);

/* Whether its event loop waits for events just now: then it has come round since any signal that
 * was sent before. False when that cannot be seen, and when it has children: execSync waits for one
 * in the same call of the kernel. */
bool sonde_process_loop_waits(const char *proc, pid_t pid);

/* Appends the pids of its cluster workers, ", " between; nothing when it is no primary. */
int sonde_process_workers(const char *proc, pid_t pid, struct sonde_buf *ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;

/* npm, yarn, nodemon …: a process that starts the service rather than being it. */
bool sonde_process_is_runner(const struct sonde_process *process);

/* Whether somebody listens on the port in our network namespace. Errors: it cannot be seen. */
int sonde_port_is_taken(uint16_t port, bool *ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* The process, if any, that listens on a port of our network namespace: 0 when unknown. */
pid_t sonde_process_of_port(const char *proc, uint16_t port);

#endif
