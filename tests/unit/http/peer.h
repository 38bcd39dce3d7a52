/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of a connection: a thread with a plain socket on loopback, so that a test can send
 * what no library would. Asserts nothing: what it saw is checked after peer_end. */
#ifndef SONDE_TESTS_PEER_H
#define SONDE_TESTS_PEER_H

#include <pthread.h>

#include "base/buf.h"

struct peer {
    int listener;
    uint16_t port;
    /* What is done with each connection, which is closed when it returns. */
    void (*behave)(struct peer *peer, int fd);
    const void *argument; /* of behave */
    pthread_t thread;
    int connections;
    struct sonde_buf request; /* the last one's head */
    struct sonde_buf seen;    /* what behave notes */
};

/* Listens, and starts the thread. */
void peer_begin(struct peer *peer, void (*behave)(struct peer *peer, int fd), const void *argument);
/* Waits for the thread, which accepts no more. */
void peer_end(struct peer *peer);
void peer_fini(struct peer *peer);

/* Sends all, as far as the other end takes it. */
void peer_send(int fd, const void *data, size_t length);
void peer_send_text(int fd, const char *text);
/* Reads up to the empty line behind the head of a request; false when none comes. */
bool peer_read_request(struct peer *peer, int fd);
/* Reads until the other end is done, for 10 s at most. */
void peer_drain(int fd);
/* Lets close(fd) send a reset. */
void peer_reset(int fd);

/* Answers the request with the handshake of RFC 6455. */
bool peer_upgrade(struct peer *peer, int fd);
/* Sends a frame's head (`first` with the FIN bit and the opcode) and its payload. */
void peer_send_frame(int fd, unsigned first, const void *data, size_t length);
/* Reads one frame of a client and appends its unmasked payload. Returns its first byte, -1 at the
 * end, or -2 when it is not masked. */
int peer_read_frame(int fd, struct sonde_buf *payload);

enum {
    FIN = 0x80,
    CONTINUATION = 0,
    TEXT = 1,
    BINARY = 2,
    CLOSE = 8,
    PING = 9,
    PONG = 10,
};

#endif
