/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/listening.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

/* Lines without one that listens, after which no further one is expected (tcp_seq_next in the
 * kernel's net/ipv4/tcp_ipv4.c walks the listening sockets first). */
enum { OTHERS_MAX = 1024, PIECE_SIZE = 65536 };

struct reading {
    struct sonde_listening *listening;
    size_t others; /* lines since the last one that listens */
};

static int keep_lines(struct reading *reading, struct sonde_str lines, struct sonde_err *err)
{
    struct sonde_listening *all = reading->listening;
    struct sonde_proc_socket socket;
    while (sonde_proc_socket_next(&lines, &socket)) {
        if (socket.state != SONDE_TCP_LISTEN) {
            reading->others++;
            continue;
        }
        reading->others = 0;
        int r = sonde_array_grow(&all->items, &all->capacity, all->count + 1, sizeof(*all->items),
                                 SONDE_LISTENING_MAX);
        if (r < 0) {
            return sonde_fail(err, r, 0,
                              r == SONDE_ELIMIT ? "more than %d sockets listen here"
                                                : "out of memory for at most %d sockets",
                              SONDE_LISTENING_MAX);
        }
        all->items[all->count++] = socket;
    }
    return 0;
}

/* Reads whole lines, a piece at a time. */
static int read_lines(int fd, struct reading *reading, struct sonde_err *err)
{
    SONDE_FREE char *piece = malloc(PIECE_SIZE);
    if (!piece) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    size_t held = 0;
    while (reading->others < OTHERS_MAX) {
        ssize_t got = read(fd, piece + held, PIECE_SIZE - held);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return sonde_fail(err, SONDE_EIO, errno, "read net/tcp");
        }
        held += (size_t)got;
        const char *end = held ? memrchr(piece, '\n', held) : NULL;
        size_t whole = got == 0 ? held : end ? (size_t)(end - piece) + 1 : 0;
        int r = keep_lines(reading, (struct sonde_str){piece, whole}, err);
        if (r < 0 || got == 0) {
            return r;
        }
        if (whole == 0 && held == PIECE_SIZE) {
            return sonde_fail(err, SONDE_EPARSE, 0, "net/tcp has a line of %d bytes", PIECE_SIZE);
        }
        memmove(piece, piece + whole, held - whole);
        held -= whole;
    }
    return 0;
}

int sonde_listening_read(int directory, struct sonde_listening *ret, struct sonde_err *err)
{
    static const char *const files[] = {"net/tcp", "net/tcp6"};
    *ret = (struct sonde_listening){0};
    int r = 0;
    for (size_t i = 0; i < SONDE_LENGTH(files) && r == 0; i++) {
        struct reading reading = {.listening = ret};
        SONDE_CLOSE int fd = openat(directory, files[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT && i > 0) {
            continue; /* IPv6 may be absent */
        }
        r = fd < 0 ? sonde_fail(err, SONDE_EIO, errno, "read %s of a process", files[i])
                   : read_lines(fd, &reading, err);
    }
    return r;
}

void sonde_listening_fini(struct sonde_listening *listening)
{
    free(listening->items);
    *listening = (struct sonde_listening){0};
}
