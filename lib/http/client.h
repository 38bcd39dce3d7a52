/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP client on our loop by libcurl's multi interface. Redirects are not followed. */
#ifndef SONDE_HTTP_CLIENT_H
#define SONDE_HTTP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"

enum { SONDE_HTTP_URL_MAX = 2048 };

struct sonde_http_client;
struct sonde_http_request;

/* What came back; valid during the callback only. */
struct sonde_http_response {
    int status; /* 200 … */
    struct sonde_str body;
};

struct sonde_http_options {
    const char *url;    /* http://… or https://…, borrowed for the call only */
    int64_t timeout_ns; /* for the whole exchange */
    size_t body_max;    /* bytes of the answer's body; beyond: SONDE_ELIMIT */
    void *context;
    /* Called exactly once, unless cancelled. err->code is 0 when there is an answer of any status;
     * else SONDE_ENETWORK, SONDE_ETIMEOUT, SONDE_EPROTOCOL, SONDE_ELIMIT, SONDE_ENOMEM. */
    void (*done)(void *context, const struct sonde_http_response *response,
                 const struct sonde_err *err);
};

/* The caller frees it, but not from within `done`; requests under way are cancelled then. */
int sonde_http_client_new(struct sonde_loop *loop, struct sonde_http_client **ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_http_client_free(struct sonde_http_client *client);

/* Starts a GET. *ret is owned by the client and gone once `done` was called. */
int sonde_http_get(struct sonde_http_client *client, const struct sonde_http_options *options,
                   struct sonde_http_request **ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* Ends a request that is under way, without a callback. */
void sonde_http_cancel(struct sonde_http_request *request);

#endif
