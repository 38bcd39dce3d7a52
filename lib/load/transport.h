/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a connection, with TLS around them or without. For lib/load alone. */
#ifndef SONDE_LOAD_TRANSPORT_H
#define SONDE_LOAD_TRANSPORT_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "load/engine.h"

struct ssl_ctx_st;
struct ssl_st;
struct ssl_session_st;

/* Of a thread: what its sessions have in common. */
struct transport_tls {
    struct ssl_ctx_st *context;     /* NULL: no TLS */
    struct ssl_session_st *session; /* the latest, for the next connection to resume */
    const char *server_name;
};

/* The TLS of a thread, as the plan says; `version` is what is offered (ALPN). SONDE_EINVALID for
 * certificates that cannot be read, SONDE_ENOMEM. The caller calls transport_tls_fini in any case.
 */
int transport_tls_init(struct transport_tls *tls, const struct sonde_load_tls_options *options,
                       enum sonde_http_version version, struct sonde_err *err) SONDE_MUST_CHECK;
void transport_tls_fini(struct transport_tls *tls);

struct transport {
    int fd;                       /* borrowed */
    struct ssl_st *ssl;           /* NULL: plain */
    enum sonde_load_error failed; /* why, once a call has failed with another errno than EAGAIN */
};

/* What came of a step. */
enum transport_step { TRANSPORT_DONE, TRANSPORT_WAIT, TRANSPORT_FAILED };

/* Puts TLS around a connected socket; false: no memory. */
bool transport_secure(struct transport *transport, struct transport_tls *tls);
/* Goes on with the handshake. Failed: why is in transport->failed. */
enum transport_step transport_handshake(struct transport *transport);
/* Whether the handshake agreed on HTTP/2. */
bool transport_agreed_http2(const struct transport *transport);
void transport_fini(struct transport *transport);

/* As send(2) and recv(2) of a socket that does not block: −1 and EAGAIN when nothing could be
 * moved. Writing may take only the first of the pieces (at least one) though there is room for
 * more, and never takes nothing. */
ssize_t transport_write(struct transport *transport, const struct iovec *pieces, size_t count);
ssize_t transport_read(struct transport *transport, void *data, size_t size);
/* Whether TLS has read more than it has given: no event tells of that. */
bool transport_pending(const struct transport *transport);

#endif
