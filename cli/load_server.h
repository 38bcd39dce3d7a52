/* SPDX-License-Identifier: Apache-2.0 */
/* The server that `sonde load … -- COMMAND` starts: found when it listens, and ended with all that
 * it started. */
#ifndef SONDE_CLI_LOAD_SERVER_H
#define SONDE_CLI_LOAD_SERVER_H

#include <stdatomic.h>
#include <sys/types.h>

#include "base/err.h"
#include "inspector/process.h"

struct load_server {
    const char *name; /* of the command */
    pid_t pid;        /* also its process group's; 0: there is none */
    int fd;           /* its pidfd, or -1 */
    struct sonde_port port;
};

#define LOAD_SERVER_NONE ((struct load_server){.fd = -1})
#define LOAD_SERVER_START_NS (120 * SONDE_SECOND) /* command started → it listens */
#define LOAD_SERVER_END_NS (5 * SONDE_SECOND)     /* asked to end → killed */

/* Starts the command in a process group of its own, without input, its output on our stderr, and
 * waits until a process of that group listens on a TCP port that is not its inspector's; of several
 * at once the lowest. *stop ends the wait (SONDE_ECANCELLED). SONDE_ENOTFOUND when the command ends
 * before, SONDE_ETIMEOUT. *ret is LOAD_SERVER_NONE before; the caller calls load_server_end in any
 * case. */
int load_server_start(char **command, const atomic_bool *stop, struct load_server *ret,
                      struct sonde_err *err) SONDE_MUST_CHECK;

/* Whether it has ended by itself. */
bool load_server_has_ended(const struct load_server *server);

/* SIGINT to the process group, as autocannon does it; SIGKILL for what is left after a while. Then
 * it is LOAD_SERVER_NONE. */
void load_server_end(struct load_server *server);

#endif
