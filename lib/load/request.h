/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of HTTP/1.1 as they are written (RFC 9112, 3), and of HTTP/2, made once where they are
 * the same each time, and else for each time. Pure. */
#ifndef SONDE_LOAD_REQUEST_H
#define SONDE_LOAD_REQUEST_H

#include "load/response.h"
#include "load/target.h"
#include "load/template.h"
#include "spec/table.h"

enum {
    SONDE_LOAD_FIELDS_MAX = 128,
    SONDE_LOAD_MESSAGE_MAX = 64 << 20, /* bytes of a request */
};

/* What is asked for. */
struct sonde_load_ask {
    const char *method;              /* a token: "GET" */
    struct sonde_str path;           /* with its query; may have places to fill: percent-encoded */
    const struct sonde_pair *fields; /* may have places in their values; those that we would add
                                        (Host, Connection, Content-Length) replace ours */
    size_t field_count;
    struct sonde_str body; /* data NULL: none. May have places */
};

struct sonde_load_field {
    struct sonde_str name;
    struct sonde_load_template value;
    bool optional; /* left out while its value is empty; set by whoever wants it */
};

struct sonde_load_http2_request;

struct sonde_load_request {
    enum sonde_request_kind kind;
    bool secure;            /* TLS is around it */
    struct sonde_str bytes; /* all of it, where it is the same each time; else data NULL, and: */
    const struct sonde_load_http2_request *http2; /* … and as HTTP/2 has it; else NULL */
    struct sonde_str method;
    struct sonde_load_template path, body;
    struct sonde_load_field *fields;
    size_t field_count;
    bool has_body, sets_length;
};

/* SONDE_EINVALID with what cannot be sent, SONDE_ELIMIT. */
int sonde_load_ask_check(const struct sonde_load_ask *ask, struct sonde_err *err) SONDE_MUST_CHECK;

/* Makes a request of the texts, which the arena keeps a copy of. url: for the Host field.
 * The errors of sonde_load_ask_check and of templates, SONDE_ENOMEM. */
int sonde_load_request_make(const struct sonde_load_ask *ask, const struct sonde_load_url *url,
                            const struct sonde_load_places *places, struct sonde_arena *arena,
                            struct sonde_load_request *ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends one that is not the same each time, filled. Values must not break lines in fields. `body`
 * is emptied and used meanwhile. The buffers' errors. */
void sonde_load_request_fill(const struct sonde_load_request *request,
                             const struct sonde_str *values, const char *id, struct sonde_buf *body,
                             struct sonde_buf *ret);

#endif
