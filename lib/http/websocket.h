/* SPDX-License-Identifier: Apache-2.0 */
/* A WebSocket client (RFC 6455) on our loop: plain TCP to an IP address, no extensions. Messages
 * are handed on in pieces as they come and never assembled. */
#ifndef SONDE_HTTP_WEBSOCKET_H
#define SONDE_HTTP_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "loop/loop.h"

enum {
    SONDE_WEBSOCKET_PIECE_MAX = 65536,   /* bytes of one read, and of one fragment callback */
    SONDE_WEBSOCKET_QUEUE_MAX = 1 << 20, /* bytes waiting to be sent */
};

#define SONDE_WEBSOCKET_CLOSE_NS (2 * SONDE_SECOND)

struct sonde_websocket;

struct sonde_websocket_options {
    const char *host; /* an IP address */
    uint16_t port;
    const char *path; /* "/…" */
    int64_t connect_timeout_ns;
    uint64_t message_max; /* bytes of one message; beyond: SONDE_ELIMIT */
    void *context;
    /* The handshake is done: messages may be sent. */
    void (*opened)(void *context);
    /* A piece of a message, borrowed. Whether a text is UTF-8 is not checked. A negative code ends
     * the connection with *err. */
    int (*fragment)(void *context, const char *data, size_t length, bool first, bool last,
                    struct sonde_err *err);
    /* Called exactly once, unless freed before: err->code is 0 after a close that we asked for,
     * else SONDE_ENETWORK, SONDE_ETIMEOUT, SONDE_EPROTOCOL, SONDE_ELIMIT or what `fragment`
     * returned. The socket may be freed in it. */
    void (*closed)(void *context, const struct sonde_err *err);
};

/* Allocates all that it needs but what is queued later. SONDE_ENOMEM. The caller frees it. */
int sonde_websocket_new(struct sonde_loop *loop, struct sonde_websocket **ret,
                        struct sonde_err *err) SONDE_MUST_CHECK;
/* Begins to connect, once; strings are borrowed for the call only. SONDE_EINVALID when `host` is no
 * IP address, SONDE_ENETWORK, SONDE_EIO, SONDE_ENOMEM; after an error `closed` is not called, and
 * the socket is only good for being freed. */
int sonde_websocket_connect(struct sonde_websocket *socket,
                            const struct sonde_websocket_options *options,
                            struct sonde_err *err) SONDE_MUST_CHECK;
/* Queues a text message. SONDE_ELIMIT when the queue is full, SONDE_ENETWORK when it is not open.
 */
int sonde_websocket_send(struct sonde_websocket *socket, const char *text, size_t length,
                         struct sonde_err *err) SONDE_MUST_CHECK;
/* While paused, nothing is read from the connection; what was read already still comes. */
void sonde_websocket_pause(struct sonde_websocket *socket, bool paused);
/* Sends what is queued and a close frame, and waits SONDE_WEBSOCKET_CLOSE_NS at most for the peer
 * to answer and to hang up; `closed` follows. */
void sonde_websocket_close(struct sonde_websocket *socket);
/* Ends the connection at once, without a callback. NULL allowed. */
void sonde_websocket_free(struct sonde_websocket *socket);

#endif
