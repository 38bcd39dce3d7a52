/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP client on our loop by libcurl's multi interface: HTTP/1.1, and HTTP/2 where TLS offers
 * it. Connections are used again. Redirects are not followed; the environment's proxies are not
 * used. */
#ifndef SONDE_HTTP_CLIENT_H
#define SONDE_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"

enum {
    SONDE_HTTP_URL_MAX = 8192,
    SONDE_HTTP_HEADERS_MAX = 32,    /* of a request */
    SONDE_HTTP_HEAD_MAX = 64 << 10, /* bytes of an answer's headers */
    SONDE_HTTP_BODY_MAX = 16 << 20, /* bytes of a request's body */
};

struct sonde_http_client;
struct sonde_http_request;

/* What came back; valid during the callback only. */
struct sonde_http_response {
    int status;            /* 200 …; 0: there is no answer */
    struct sonde_str body; /* empty when it went to `chunk` */
    struct sonde_str head; /* header lines; see sonde_http_header */
};

struct sonde_http_header {
    const char *name, *value; /* without line ends */
};

/* Whom to trust and who we are. Strings are borrowed for the call only. */
struct sonde_http_tls {
    struct sonde_str ca; /* PEM of those we trust, and no others; empty: the machine's */
    struct sonde_str certificate, key; /* PEM; both or none */
    const char *server_name;           /* in SNI and in the certificate; NULL: the URL's host */
    bool insecure;                     /* the server's certificate is not checked */
};

/* What `upload` returns when it has nothing now. */
#define SONDE_HTTP_WAIT (-1000)

struct sonde_http_options {
    const char *url;    /* http://… or https://…, borrowed for the call only */
    int64_t timeout_ns; /* for the whole exchange; 0: none */
    size_t body_max;    /* bytes of the answer's body that is collected; beyond: SONDE_ELIMIT */
    void *context;
    /* Called exactly once, unless cancelled. err->code is 0 when there is an answer of any status;
     * else SONDE_ENETWORK, SONDE_ETIMEOUT, SONDE_EPROTOCOL, SONDE_EDENIED (TLS: not trusted),
     * SONDE_ELIMIT, SONDE_ENOMEM, or what `chunk` returned. */
    void (*done)(void *context, const struct sonde_http_response *response,
                 const struct sonde_err *err);

    /* The rest may be left out. Borrowed for the call only. */
    const char *method; /* NULL: GET, or POST when there is a body */
    const struct sonde_http_header *headers;
    size_t header_count;
    struct sonde_str body;
    const struct sonde_http_tls *tls;
    /* To wait for a connection that is being made and become a stream of it, for a server of
     * HTTP/2. While none can be made, such requests wait for each other's attempts, one after the
     * other and beyond their own timeouts. */
    bool multiplexed;
    const char *proxy;          /* http://…, https://… or socks5://…; NULL: none */
    int64_t connect_timeout_ns; /* 0: as timeout_ns */
    bool compressed; /* the answer may come compressed (Accept-Encoding), and is unfolded */
    int64_t idle_ns; /* without a byte for this long (whole seconds): SONDE_ETIMEOUT; 0: never */
    /* Takes the body of a 2xx answer in pieces as they come, which are then not collected. A
     * negative code with *err filled ends the exchange with it. In it, requests may be started and
     * others (not this one) cancelled. */
    int (*chunk)(void *context, const char *data, size_t length, struct sonde_err *err);
    /* Gives a request's body of any length, in pieces as it comes: fills at most `size` bytes and
     * returns how many; 0: that was all; SONDE_HTTP_WAIT: there are none now, until
     * sonde_http_resume. A negative code with *err filled ends the exchange with it. In place of
     * `body`; `method` must be given. */
    int (*upload)(void *context, char *data, size_t size, struct sonde_err *err);
};

/* The caller frees it, but not from within a callback; requests under way are cancelled then. */
int sonde_http_client_new(struct sonde_loop *loop, struct sonde_http_client **ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_http_client_free(struct sonde_http_client *client);

/* Starts an exchange. *ret is owned by the client and gone once `done` was called.
 * SONDE_EINVALID for a header, method or name with bytes that would break a line; SONDE_ELIMIT,
 * SONDE_ENOMEM. */
int sonde_http_send(struct sonde_http_client *client, const struct sonde_http_options *options,
                    struct sonde_http_request **ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* Starts a GET: the same under its usual name. */
int sonde_http_get(struct sonde_http_client *client, const struct sonde_http_options *options,
                   struct sonde_http_request **ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* `upload` has something again. */
void sonde_http_resume(struct sonde_http_request *request);
/* Ends a request that is under way, without a callback. */
void sonde_http_cancel(struct sonde_http_request *request);

/* The value of a header of an answer, without spaces around it; data NULL when there is none. Of
 * several the first. `name` in any case. */
struct sonde_str sonde_http_header(const struct sonde_http_response *response, const char *name);

#endif
