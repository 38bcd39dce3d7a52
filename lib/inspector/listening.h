/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets that listen in the network namespace of a process. */
#ifndef SONDE_INSPECTOR_LISTENING_H
#define SONDE_INSPECTOR_LISTENING_H

#include <stddef.h>

#include "inspector/proc_text.h"

enum { SONDE_LISTENING_MAX = 16384 };

struct sonde_listening {
    struct sonde_proc_socket *items; /* those of IPv4 first */
    size_t count;
    size_t capacity;
};

/* Reads net/tcp and net/tcp6 (which may be absent) below the directory of a process in /proc. Only
 * a part of a busy machine's sockets is read: the kernel lists those that listen first.
 * SONDE_ELIMIT when more than SONDE_LISTENING_MAX do. The caller calls sonde_listening_fini in any
 * case. */
int sonde_listening_read(int directory, struct sonde_listening *ret,
                         struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_listening_fini(struct sonde_listening *listening);

#endif
