/* SPDX-License-Identifier: Apache-2.0 */
/* The opening handshake of a WebSocket client (RFC 6455 §4.1): bytes in, bytes out. No I/O. */
#ifndef SONDE_HTTP_WEBSOCKET_HANDSHAKE_H
#define SONDE_HTTP_WEBSOCKET_HANDSHAKE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_HANDSHAKE_ANSWER_MAX = 8 << 10, /* bytes of the head of the answer */
    SONDE_HANDSHAKE_NONCE_SIZE = 16,
    SONDE_HANDSHAKE_PROOF_SIZE = 29, /* a SHA-1 in base64, and the NUL */
};

struct sonde_handshake {
    struct sonde_buf answer;
    char proof[SONDE_HANDSHAKE_PROOF_SIZE]; /* that the server has read our nonce */
    bool may_choose; /* protocols were offered, of which the server may take one */
};

/* Appends the fields that ask for a WebSocket, each with its line end, for a request (GET) of the
 * caller's. Zeroed but for what is known of the answer then. SONDE_ENOMEM, SONDE_ELIMIT. */
int sonde_handshake_fields(struct sonde_handshake *handshake,
                           const unsigned char nonce[SONDE_HANDSHAKE_NONCE_SIZE],
                           struct sonde_buf *buf, struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends a whole request to buf; `authority` is the Host header's. SONDE_ENOMEM, SONDE_ELIMIT. */
int sonde_handshake_begin(struct sonde_handshake *handshake, const char *authority,
                          const char *path, const unsigned char nonce[SONDE_HANDSHAKE_NONCE_SIZE],
                          struct sonde_buf *buf, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_handshake_fini(struct sonde_handshake *handshake);

/* Takes bytes of *input, which it shortens by them, until the answer is whole: then 1, and what is
 * left is the first frame's; 0: all are taken. SONDE_ENETWORK when the server answers something
 * else, SONDE_EPROTOCOL when it agrees wrongly or speaks no HTTP, SONDE_ELIMIT, SONDE_ENOMEM; after
 * a failure it is not called again. */
int sonde_handshake_read(struct sonde_handshake *handshake, struct sonde_str *input,
                         struct sonde_err *err) SONDE_MUST_CHECK;

#endif
