/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of /proc/PID (proc(5)), parsed: bytes in, values out, no I/O. */
#ifndef SONDE_INSPECTOR_PROC_TEXT_H
#define SONDE_INSPECTOR_PROC_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* The bit of SIGUSR1 in SigCgt. */
#define SONDE_SIGUSR1_BIT UINT64_C(0x200)

struct sonde_proc_status {
    uid_t uid; /* effective */
    pid_t parent;
    uint64_t caught_signals; /* SigCgt */
    pid_t inner_pid;         /* as its own pid namespace numbers it (last of NSpid) */
    unsigned namespaces;     /* pid namespaces it is seen through; 1: ours */
};

/* SONDE_EPARSE when Uid, PPid or SigCgt is missing or malformed. */
int sonde_proc_status_parse(struct sonde_str text, struct sonde_proc_status *ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;

struct sonde_proc_stat {
    char state;          /* field 3: 'R', 'S' … */
    uint64_t cpu_ticks;  /* fields 14 and 15: user and system time in clock ticks */
    uint64_t start_time; /* field 22: clock ticks since boot */
};

/* /proc/PID/stat, or a thread's; the name may hold any bytes. SONDE_EPARSE. */
int sonde_proc_stat_parse(struct sonde_str text, struct sonde_proc_stat *ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;

/* /proc/PID/schedstat, or a thread's (Documentation/scheduler/sched-stats.rst of the kernel): how
 * long it ran, and how long it was ready to run and had no CPU, in ns. SONDE_EPARSE. */
int sonde_proc_schedstat_parse(struct sonde_str text, int64_t *ret_ran_ns, int64_t *ret_wait_ns,
                               struct sonde_err *err) SONDE_MUST_CHECK;

enum { SONDE_TCP_LISTEN = 10, SONDE_PROC_HOST_SIZE = 48 };

struct sonde_proc_socket {
    uint16_t port;                   /* local */
    bool loopback;                   /* bound to 127.0.0.0/8 or ::1 */
    char host[SONDE_PROC_HOST_SIZE]; /* where it is reached from here: "127.0.0.1", "::1" … */
    unsigned state;
    uint64_t inode;
};

/* Takes the next line of net/tcp or net/tcp6 off *rest. 1: *ret is set; 0: the end. Lines that
 * are no socket (the heading) are left out. */
int sonde_proc_socket_next(struct sonde_str *rest, struct sonde_proc_socket *ret);

/* The inode of a /proc/PID/fd link "socket:[123]"; false for any other. */
bool sonde_proc_socket_inode(struct sonde_str link, uint64_t *ret);

/* Of NUL-separated arguments of a Node.js command line: the script, or empty (REPL, -e). */
struct sonde_str sonde_proc_node_script(struct sonde_str cmdline);

/* What the options say of the inspector. */
struct sonde_inspect_options {
    bool port_given;
    uint16_t port;         /* 0: any free one */
    struct sonde_str host; /* into the text; empty when none is named */
};

/* Adds what --inspect, --inspect-brk, --inspect-wait, --inspect-port and --debug-port name in a
 * command line (separator '\0', up to the script) or in NODE_OPTIONS (separator ' '). As in
 * Node.js, NODE_OPTIONS come first, a later port or host counts, and the value of the last two may
 * be the next argument. */
void sonde_proc_inspect_options(struct sonde_str arguments, char separator,
                                struct sonde_inspect_options *options);

/* The value of a variable in the text of /proc/PID/environ; empty when unset. */
struct sonde_str sonde_proc_variable(struct sonde_str environ_text, const char *name);

#endif
