/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/1.1 server on the loop, over libmicrohttpd: routes from a table, bodies in pieces as they
 * arrive, answers at once or later, TLS (GnuTLS) whose certificate can change while it runs.
 *
 * Whoever connects is hostile: connections, heads, bodies and idle time are bounded. All callbacks
 * come on the loop's thread. */
#ifndef SONDE_HTTP_SERVER_H
#define SONDE_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

enum {
    SONDE_SERVER_CONNECTIONS_MAX = 1024, /* by default; more wait to be accepted */
    SONDE_SERVER_MEMORY_MAX = 48 * 1024, /* bytes of a connection: a head, and a piece of a body */
    SONDE_SERVER_IDLE_SECONDS = 60,      /* without a byte either way; then closed */
    SONDE_SERVER_LATE_MAX =
        1024 * 1024,                   /* bytes of a body that are still read once it is refused */
    SONDE_SERVER_HEADERS_MAX = 8,      /* of an answer, beside those that every one has */
    SONDE_SERVER_PIECE = 32 * 1024,    /* bytes asked for at a time of a streamed answer */
    SONDE_SERVER_PEM_MAX = 256 * 1024, /* bytes of a certificate chain or key */
    SONDE_SERVER_CHAIN_MAX = 8,        /* certificates in a chain */
    SONDE_SERVER_ADDRESS_SIZE = 128,   /* bytes of an address with its NUL */
};

struct sonde_server;

/* One request and its answer. It belongs to the server, and is gone after `closed`. */
struct sonde_exchange;

/* What answers one method and path. The callbacks get the server's context. */
struct sonde_route {
    const char *method; /* "GET", which answers HEAD too; NULL ends a table */
    const char *path;   /* "/api/v1/runs/{uid}": {…} stands for one segment, not empty */
    uint64_t body_max;  /* bytes; beyond: 413. 0: a body is refused */
    /* The head has arrived. An answer that is given here ends the exchange; a body is not read. */
    void (*begin)(void *context, struct sonde_exchange *exchange);
    /* A piece of the body; NULL when body_max is 0. After an answer there are no more. */
    void (*data)(void *context, struct sonde_exchange *exchange, const char *data, size_t length);
    /* The request is complete: it is answered now or later. NULL when `begin` always answers. */
    void (*end)(void *context, struct sonde_exchange *exchange);
    /* The exchange is over: answered in full, or the peer has gone. May be NULL. */
    void (*closed)(void *context, struct sonde_exchange *exchange);
};

struct sonde_server_options {
    struct sonde_loop *loop;
    const char *address;      /* "127.0.0.1", "::" … (RFC 4291 text); borrowed for the call */
    uint16_t port;            /* 0: any free one */
    unsigned connections_max; /* 0: SONDE_SERVER_CONNECTIONS_MAX */
    /* Of connections_max, those that one address may have at a time: more are closed at once, so
     * that it leaves some to others. 0: all. */
    unsigned connections_per_address;
    struct sonde_str certificate, key; /* PEM; empty: without TLS */
    const struct sonde_route *routes;  /* borrowed */
    void *context;
};

/* Splits "ADDRESS:PORT", an IPv6 address in brackets; without one it is 0.0.0.0. SONDE_EINVALID. */
int sonde_server_address(const char *text, char ret_address[SONDE_SERVER_ADDRESS_SIZE],
                         uint16_t *ret_port, struct sonde_err *err) SONDE_MUST_CHECK;

/* SONDE_EINVALID for a wrong address, certificate or route; SONDE_EBUSY for a port that is taken;
 * SONDE_EIO, SONDE_ENOMEM. The caller frees it, not from within a callback; what is open is cut off
 * then, each with its `closed`. */
int sonde_server_new(const struct sonde_server_options *options, struct sonde_server **ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_server_free(struct sonde_server *server);
uint16_t sonde_server_port(const struct sonde_server *server);
/* New connections get these from now on. On failure the old ones stay. SONDE_EINVALID when the
 * texts are no certificate and its key, or the server has no TLS. */
int sonde_server_certificate(struct sonde_server *server, struct sonde_str certificate,
                             struct sonde_str key, struct sonde_err *err) SONDE_MUST_CHECK;
/* No connection is accepted any more; what is open goes on. */
void sonde_server_quiesce(struct sonde_server *server);
/* Exchanges that are not closed yet. */
size_t sonde_server_open(const struct sonde_server *server);

/* ---- the request ---- */

/* The row of the table that answers it; not before its `begin`. */
const struct sonde_route *sonde_exchange_route(const struct sonde_exchange *exchange);
/* The segment that stands for {name}, decoded; "" when the route has none. */
const char *sonde_exchange_parameter(const struct sonde_exchange *exchange, const char *name);
/* NULL when absent; the name in any case. */
const char *sonde_exchange_header(const struct sonde_exchange *exchange, const char *name);
/* The value of a query's parameter, decoded, however often it is asked for; NULL when absent or
 * badly encoded, or when more than 8 others were asked for. The name lives as long as the exchange.
 */
const char *sonde_exchange_query(struct sonde_exchange *exchange, const char *name);
/* What a handler keeps with the exchange, freed by itself in `closed`. */
void sonde_exchange_set_state(struct sonde_exchange *exchange, void *state);
void *sonde_exchange_state(const struct sonde_exchange *exchange);

/* ---- the answer: exactly one for each exchange ---- */

/* Adds a header to the answer that follows. Names and values are string literals or live until the
 * answer is given. */
void sonde_exchange_add_header(struct sonde_exchange *exchange, const char *name,
                               const char *value);
/* The body is copied. Without memory for it the connection is cut off. */
void sonde_exchange_answer(struct sonde_exchange *exchange, unsigned status, const char *media_type,
                           struct sonde_str body);
/* {"code": …, "message": …, "field": …}; field may be NULL. */
void sonde_exchange_fail(struct sonde_exchange *exchange, unsigned status, const char *code,
                         const char *message, const char *field);
/* A body of any length. `read` fills up to `length` bytes and returns how many; 0: the end;
 * negative: it failed, and the connection is cut off, so that nobody takes the part for the whole.
 * It is called until `closed`. */
void sonde_exchange_stream(struct sonde_exchange *exchange, unsigned status, const char *media_type,
                           int64_t (*read)(void *context, char *data, size_t length),
                           void *context);
/* Whether an answer was given. */
bool sonde_exchange_answered(const struct sonde_exchange *exchange);
/* The status of the answer; 0 before. */
unsigned sonde_exchange_status(const struct sonde_exchange *exchange);

#endif
