/* SPDX-License-Identifier: Apache-2.0 */
/* Responses of HTTP/1 (RFC 9110 and 9112), as bytes come in: where each ends, what it says, and
 * whether the connection can be used again. As strict as Node.js's own parser (llhttp): what two
 * readers could understand in two ways is refused. No I/O, and no memory of its own. */
#ifndef SONDE_LOAD_RESPONSE_H
#define SONDE_LOAD_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
    SONDE_RESPONSE_HEAD_MAX = 64 << 10, /* bytes of a status line with its fields */
    SONDE_RESPONSE_LINE_MAX = 16 << 10, /* bytes of a chunk's size line, and of all trailers */
    SONDE_RESPONSE_MEMO_MAX = 1 << 10,  /* bytes of a head that is remembered */
    SONDE_RESPONSE_INTERIM_MAX = 100,   /* responses 1xx before a response */
};

/* What a request asks for decides whether its response has a body. */
enum sonde_request_kind { SONDE_REQUEST_PLAIN, SONDE_REQUEST_HEAD, SONDE_REQUEST_CONNECT };

enum sonde_response_state {
    SONDE_RESPONSE_HEAD,       /* the status line and its fields, or nothing yet */
    SONDE_RESPONSE_LENGTH,     /* a body of known length */
    SONDE_RESPONSE_CHUNK_SIZE, /* … in chunks: the line before one, */
    SONDE_RESPONSE_CHUNK,      /* one, */
    SONDE_RESPONSE_CHUNK_END,  /* the line end behind it, */
    SONDE_RESPONSE_TRAILERS,   /* what follows the last one */
    SONDE_RESPONSE_TO_CLOSE,   /* … that ends with the connection */
    SONDE_RESPONSE_COMPLETE,
};

/* Sees what is passed on; each function may be NULL. Views are good during the call. A negative
 * code (with err filled) ends the feeding with it. */
struct sonde_response_observer {
    void *context;
    int (*field)(void *context, struct sonde_str name, struct sonde_str value,
                 struct sonde_err *err); /* of the last head, and trailers */
    int (*body)(void *context, const char *data, size_t length, struct sonde_err *err);
};

/* The last head and what it said. Most servers send the same bytes again, until the second of their
 * Date is over: then they need not be read again. For responses of one thread, of any connections;
 * begins zeroed. Heads whose fields somebody looks at are not remembered. */
struct sonde_response_memo {
    size_t length; /* 0: none */
    enum sonde_request_kind kind;
    enum sonde_response_state state;
    int status;
    bool keep_alive, upgraded;
    uint64_t left;
    char head[SONDE_RESPONSE_MEMO_MAX];
};

struct sonde_response {
    enum sonde_response_state state;
    enum sonde_request_kind kind;
    const struct sonde_response_observer *observer; /* NULL: nobody looks */
    struct sonde_response_memo *memo; /* NULL: none; may be set after sonde_response_begin */
    /* Good once the head is whole: */
    int status;       /* 100–999 */
    bool keep_alive;  /* another request may be sent on the connection */
    bool upgraded;    /* complete, and what follows is another protocol (101, or CONNECT's 2xx) */
    unsigned interim; /* responses 1xx that came before */
    uint64_t body;    /* bytes of content so far, without what frames them */
    uint64_t wire;    /* bytes of all of it so far */
    /* Its own: */
    uint64_t left;   /* of a body or chunk */
    size_t scanned;  /* of a head or line: no end of it is in so many bytes */
    size_t trailers; /* bytes of them so far */
};

/* Ready for the response to a request of that kind. */
void sonde_response_begin(struct sonde_response *response, enum sonde_request_kind kind,
                          const struct sonde_response_observer *observer);

/* Takes bytes that were received, until the response is complete or all are used; *ret_used says
 * how many. What is not used has to be given again, with what comes behind it: a part of a head or
 * of a line, never more than SONDE_RESPONSE_HEAD_MAX bytes; or the next response. SONDE_EPARSE with
 * what is wrong, SONDE_ELIMIT, or the observer's code: then the connection is of no more use. */
int sonde_response_feed(struct sonde_response *response, const char *data, size_t length,
                        size_t *ret_used, struct sonde_err *err) SONDE_MUST_CHECK;

/* The peer has closed: completes a response that ends so; SONDE_EPROTOCOL when it was cut. */
int sonde_response_closed(struct sonde_response *response, struct sonde_err *err) SONDE_MUST_CHECK;

/* Whether any byte of the response has come. */
static inline bool sonde_response_begun(const struct sonde_response *response)
{
    return response->wire > 0 || response->scanned > 0;
}

#endif
