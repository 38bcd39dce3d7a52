/* SPDX-License-Identifier: Apache-2.0 */
/* How requests and their answers are put on a connection. For lib/load alone. */
#ifndef SONDE_LOAD_PROTOCOL_H
#define SONDE_LOAD_PROTOCOL_H

#include "load/worker.h"

/* A protocol is told of a connection from when it is open, TLS included, until it is closed. It
 * writes by connection_write, says what came of flights by exchange_answered and connection_fail,
 * and removes them from the connection. */
struct protocol {
    /* There is a handshake of its own: it begins while nothing can be sent yet, and ends with
     * connection_greeted. */
    bool greets;
    /* Before the first request. False: no memory. NULL: nothing to do. */
    bool (*begin)(struct worker *worker, uint32_t index);
    /* How many more requests it can take now. */
    uint32_t (*room)(const struct worker *worker, const struct connection *connection);
    /* Writes the newest `count` flights of the connection. */
    void (*send)(struct worker *worker, uint32_t index, uint32_t count);
    /* Takes what was received. False: the connection is gone. */
    bool (*take)(struct worker *worker, uint32_t index, const char *data, size_t length);
    /* The peer has closed: there may be an answer that ends so. The connection is failed then. */
    void (*closed)(struct worker *worker, uint32_t index);
    /* Fails what was sent before that time (monotonic) and has no answer. */
    void (*expire)(struct worker *worker, uint32_t index, int64_t before_ns);
    /* Writes what is left to be written after an event. NULL: nothing is. */
    void (*flush)(struct worker *worker, uint32_t index);
    /* Lets go what it keeps of a connection. NULL: nothing. */
    void (*end)(struct connection *connection);
};

extern const struct protocol protocol_http1;
extern const struct protocol protocol_http2;
extern const struct protocol protocol_websocket;

#endif
