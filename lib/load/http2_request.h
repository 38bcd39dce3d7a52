/* SPDX-License-Identifier: Apache-2.0 */
/* A request as HTTP/2 has it (RFC 9113, 8.3), out of the same request as HTTP/1.1 writes it: what
 * fills and makes requests knows of one form only. Pure. */
#ifndef SONDE_LOAD_HTTP2_REQUEST_H
#define SONDE_LOAD_HTTP2_REQUEST_H

#include <nghttp2/nghttp2.h>

#include "load/request.h"

/* Of the user and ours, and :method, :scheme, :authority and :path. */
enum { SONDE_LOAD_HTTP2_FIELDS_MAX = SONDE_LOAD_FIELDS_MAX + 8 };

struct sonde_load_http2_request {
    nghttp2_nv *fields; /* views of the head of the request of HTTP/1.1 */
    size_t count;
    struct sonde_str body; /* … and of what is behind it */
};

/* Takes a request of HTTP/1.1 apart, whose names are put into small letters where they stand. What
 * is of a connection of HTTP/1.1 alone is left out (RFC 9113, 8.2.2). fields: room for them.
 * SONDE_EINVALID when it is no request, SONDE_ELIMIT for more fields than there is room for. */
int sonde_load_http2_request_split(char *text, size_t length, bool secure,
                                   nghttp2_nv fields[SONDE_LOAD_HTTP2_FIELDS_MAX],
                                   struct sonde_load_http2_request *ret,
                                   struct sonde_err *err) SONDE_MUST_CHECK;

/* The same of a text that stays as it is and outlives it; what it needs is the arena's. Also
 * SONDE_ENOMEM. */
int sonde_load_http2_request_make(struct sonde_str text, bool secure, struct sonde_arena *arena,
                                  const struct sonde_load_http2_request **ret,
                                  struct sonde_err *err) SONDE_MUST_CHECK;

#endif
