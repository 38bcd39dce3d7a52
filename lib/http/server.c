/* SPDX-License-Identifier: Apache-2.0 */
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "http/route.h"

enum { ERROR_MAX = 8192, QUERY_MAX = 1024, QUERIES_MAX = 8 };

/* A certificate chain and its key as GnuTLS hands them out in handshakes. */
struct identity {
    gnutls_pcert_st chain[SONDE_SERVER_CHAIN_MAX];
    unsigned length;
    gnutls_privkey_t key;
};

struct sonde_server {
    struct MHD_Daemon *daemon;
    struct sonde_loop *loop;
    struct sonde_watch *watch;
    struct sonde_timer *timer;
    const struct sonde_route *routes;
    void *context;
    struct identity *identity;
    struct identity *before; /* the one that a handshake may still be using */
    struct sonde_exchange *first;
    size_t open;
    uint16_t port;
    bool quiet;
    bool running; /* within MHD_run */
    bool resumed; /* a connection is to go on: MHD_run must come (again) */
    unsigned connections_max;
    bool full; /* no more connections were accepted */
};

struct sonde_exchange {
    struct sonde_server *server;
    struct MHD_Connection *connection;
    struct sonde_route_match match;
    struct sonde_exchange *next, **at;
    void *state;
    uint64_t received;
    uint64_t late;                        /* bytes of the body after the answer */
    const char *query_names[QUERIES_MAX]; /* that were asked for */
    char *queries[QUERIES_MAX];
    size_t query_count;
    const char *header_names[SONDE_SERVER_HEADERS_MAX];
    const char *header_values[SONDE_SERVER_HEADERS_MAX];
    size_t header_count;
    struct MHD_Response *response;
    unsigned status;
    bool answered;
    bool queued; /* the response was handed over */
    bool begun;  /* `begin` was called, so that `closed` is */
    bool suspended;
    bool cut; /* there was no memory for an answer */
    int64_t (*read)(void *context, char *data, size_t length);
    void *read_context;
};

/* ---- TLS ---- */

static void free_identity(struct identity *identity)
{
    if (!identity) {
        return;
    }
    for (unsigned i = 0; i < identity->length; i++) {
        gnutls_pcert_deinit(&identity->chain[i]);
    }
    if (identity->key) {
        gnutls_privkey_deinit(identity->key);
    }
    free(identity);
}

static int fail_tls(struct sonde_err *err, const char *what, int code)
{
    return sonde_fail(err, code == GNUTLS_E_MEMORY_ERROR ? SONDE_ENOMEM : SONDE_EINVALID, 0,
                      "%s: %s", what, gnutls_strerror(code));
}

/* That the key is the certificate's own. */
static int check_pair(const struct identity *identity, struct sonde_err *err)
{
    unsigned char of_certificate[64];
    unsigned char of_key[64];
    size_t certificate_length = sizeof(of_certificate);
    size_t key_length = sizeof(of_key);
    gnutls_pubkey_t public_key = NULL;
    int code = gnutls_pubkey_init(&public_key);
    code = code < 0 ? code : gnutls_pubkey_import_privkey(public_key, identity->key, 0, 0);
    code = code < 0
               ? code
               : gnutls_pubkey_get_key_id(public_key, GNUTLS_KEYID_USE_SHA256, of_key, &key_length);
    code = code < 0 ? code
                    : gnutls_pubkey_get_key_id(identity->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256,
                                               of_certificate, &certificate_length);
    if (public_key) {
        gnutls_pubkey_deinit(public_key);
    }
    if (code < 0) {
        return fail_tls(err, "the server's key", code);
    }
    if (key_length != certificate_length || memcmp(of_key, of_certificate, key_length) != 0) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the key is not that of the server's certificate: give both of one pair");
    }
    return 0;
}

static int new_identity(struct sonde_str certificate, struct sonde_str key, struct identity **ret,
                        struct sonde_err *err)
{
    if (certificate.length > SONDE_SERVER_PEM_MAX || key.length > SONDE_SERVER_PEM_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a certificate or key of more than %d bytes",
                          SONDE_SERVER_PEM_MAX);
    }
    struct identity *identity = calloc(1, sizeof(*identity));
    if (!identity) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    const gnutls_datum_t chain = {(unsigned char *)(uintptr_t)certificate.data,
                                  (unsigned)certificate.length};
    const gnutls_datum_t pem_key = {(unsigned char *)(uintptr_t)key.data, (unsigned)key.length};
    unsigned length = SONDE_SERVER_CHAIN_MAX;
    int code =
        gnutls_pcert_list_import_x509_raw(identity->chain, &length, &chain, GNUTLS_X509_FMT_PEM, 0);
    int r = 0;
    if (code < 0 || length == 0) {
        r = fail_tls(err, "the server's certificate",
                     code < 0 ? code : GNUTLS_E_NO_CERTIFICATE_FOUND);
    } else {
        identity->length = length;
        code = gnutls_privkey_init(&identity->key);
        code = code < 0 ? code
                        : gnutls_privkey_import_x509_raw(identity->key, &pem_key,
                                                         GNUTLS_X509_FMT_PEM, NULL, 0);
        r = code < 0 ? fail_tls(err, "the server's key", code) : check_pair(identity, err);
    }
    if (r < 0) {
        free_identity(identity);
        return r;
    }
    *ret = identity;
    return 0;
}

/* GnuTLS gives the callback a session, whose pointer libmicrohttpd keeps for itself: the only
 * server with TLS of a program. */
static struct sonde_server *tls_server;

static int hand_out(gnutls_session_t session, const gnutls_datum_t *issuers, int issuer_count,
                    const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                    gnutls_pcert_st **ret_chain, unsigned *ret_length, gnutls_privkey_t *ret_key)
{
    (void)session;
    (void)issuers;
    (void)issuer_count;
    (void)algorithms;
    (void)algorithm_count;
    *ret_chain = tls_server->identity->chain;
    *ret_length = tls_server->identity->length;
    *ret_key = tls_server->identity->key;
    return 0;
}

int sonde_server_certificate(struct sonde_server *server, struct sonde_str certificate,
                             struct sonde_str key, struct sonde_err *err)
{
    struct identity *identity = NULL;
    if (!server->identity) {
        return sonde_fail(err, SONDE_EINVALID, 0, "the server was started without TLS");
    }
    int r = new_identity(certificate, key, &identity, err);
    if (r < 0) {
        return r;
    }
    free_identity(server->before);
    server->before = server->identity;
    server->identity = identity;
    return 0;
}

/* ---- the loop ---- */

/* libmicrohttpd looks for new connections when it begins to run: once one has ended that left no
 * room for others, it must run again. */
static bool has_room_again(struct sonde_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    bool before = server->full;
    server->full = info && info->num_connections >= server->connections_max;
    return before && !server->full;
}

static void run(struct sonde_server *server)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (server->running) {
        return;
    }
    server->running = true;
    server->resumed = false;
    (void)MHD_run(server->daemon);
    server->running = false;
    if (has_room_again(server) || server->resumed) {
        sonde_timer_start(server->timer, 0, 0);
    } else if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES) {
        int64_t bounded = wait_ms > 60000 ? 60000 : (int64_t)wait_ms;
        sonde_timer_start(server->timer, bounded * SONDE_MILLISECOND, 0);
    } else {
        sonde_timer_stop(server->timer);
    }
}

static void on_ready(void *context)
{
    run(context);
}

/* ---- answers ---- */

static void give(struct sonde_exchange *exchange, unsigned status, const char *media_type,
                 struct MHD_Response *response)
{
    exchange->answered = true;
    exchange->status = status;
    exchange->response = response;
    exchange->cut = !response;
    if (response) {
        bool whole =
            MHD_add_response_header(response, "Content-Type", media_type) == MHD_YES &&
            MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES &&
            MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES;
        for (size_t i = 0; i < exchange->header_count; i++) {
            whole = whole && MHD_add_response_header(response, exchange->header_names[i],
                                                     exchange->header_values[i]) == MHD_YES;
        }
        exchange->cut = !whole;
    }
    if (exchange->suspended) {
        exchange->suspended = false;
        MHD_resume_connection(exchange->connection);
        exchange->server->resumed = true;
        sonde_timer_start(exchange->server->timer, 0, 0);
    }
}

void sonde_exchange_add_header(struct sonde_exchange *exchange, const char *name, const char *value)
{
    if (exchange->header_count < SONDE_SERVER_HEADERS_MAX) {
        exchange->header_names[exchange->header_count] = name;
        exchange->header_values[exchange->header_count++] = value;
    }
}

void sonde_exchange_answer(struct sonde_exchange *exchange, unsigned status, const char *media_type,
                           struct sonde_str body)
{
    if (exchange->answered) {
        return;
    }
    give(exchange, status, media_type,
         MHD_create_response_from_buffer(body.length, (void *)(uintptr_t)body.data,
                                         MHD_RESPMEM_MUST_COPY));
}

void sonde_exchange_fail(struct sonde_exchange *exchange, unsigned status, const char *code,
                         const char *message, const char *field)
{
    SONDE_BUF_AUTO body = SONDE_BUF(ERROR_MAX);
    sonde_buf_text(&body, "{\"code\":");
    sonde_buf_json_string(&body, sonde_str(code));
    sonde_buf_text(&body, ",\"message\":");
    sonde_buf_json_string(&body, sonde_str(message));
    if (field) {
        sonde_buf_text(&body, ",\"field\":");
        sonde_buf_json_string(&body, sonde_str(field));
    }
    sonde_buf_text(&body, "}\n");
    sonde_exchange_answer(exchange, status, "application/json", sonde_buf_view(&body));
}

static ssize_t read_stream(void *context, uint64_t position, char *data, size_t length)
{
    struct sonde_exchange *exchange = context;
    (void)position;
    int64_t count = exchange->read(exchange->read_context, data, length);
    return count > 0    ? (ssize_t)count
           : count == 0 ? MHD_CONTENT_READER_END_OF_STREAM
                        : MHD_CONTENT_READER_END_WITH_ERROR;
}

void sonde_exchange_stream(struct sonde_exchange *exchange, unsigned status, const char *media_type,
                           int64_t (*read)(void *context, char *data, size_t length), void *context)
{
    if (exchange->answered) {
        return;
    }
    exchange->read = read;
    exchange->read_context = context;
    give(exchange, status, media_type,
         MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, SONDE_SERVER_PIECE, read_stream,
                                           exchange, NULL));
}

bool sonde_exchange_answered(const struct sonde_exchange *exchange)
{
    return exchange->answered;
}

unsigned sonde_exchange_status(const struct sonde_exchange *exchange)
{
    return exchange->status;
}

/* ---- requests ---- */

const struct sonde_route *sonde_exchange_route(const struct sonde_exchange *exchange)
{
    return exchange->match.route;
}

const char *sonde_exchange_parameter(const struct sonde_exchange *exchange, const char *name)
{
    const struct sonde_route_match *match = &exchange->match;
    for (size_t i = 0; i < match->count; i++) {
        if (sonde_str_is(match->names[i], name)) {
            return match->values[i];
        }
    }
    return "";
}

const char *sonde_exchange_header(const struct sonde_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

const char *sonde_exchange_query(struct sonde_exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->query_count; i++) {
        if (strcmp(exchange->query_names[i], name) == 0) {
            return exchange->queries[i];
        }
    }
    const char *raw =
        MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, name);
    if (!raw || strlen(raw) > QUERY_MAX || exchange->query_count == QUERIES_MAX) {
        return NULL;
    }
    char *value = malloc(strlen(raw) + 1);
    if (value && sonde_percent_decode(sonde_str(raw), value, strlen(raw) + 1) == 0) {
        exchange->query_names[exchange->query_count] = name;
        exchange->queries[exchange->query_count++] = value;
        return value;
    }
    free(value);
    return NULL;
}

void sonde_exchange_set_state(struct sonde_exchange *exchange, void *state)
{
    exchange->state = state;
}

void *sonde_exchange_state(const struct sonde_exchange *exchange)
{
    return exchange->state;
}

static enum MHD_Result queue(struct sonde_exchange *exchange)
{
    if (exchange->cut) {
        return MHD_NO;
    }
    exchange->queued = true;
    return MHD_queue_response(exchange->connection, exchange->status, exchange->response);
}

/* Bytes of the body as the head announces them; 0 when it does not. */
static uint64_t announced(const struct sonde_exchange *exchange)
{
    const char *length = sonde_exchange_header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);
    uint64_t bytes = 0;
    return length && sonde_parse_u64(sonde_str(length), 0, UINT64_MAX, &bytes) == 0 ? bytes : 0;
}

static bool has_body(const struct sonde_exchange *exchange)
{
    return announced(exchange) > 0 ||
           sonde_exchange_header(exchange, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static void refuse_body(struct sonde_exchange *exchange)
{
    sonde_exchange_fail(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "TooLarge",
                        exchange->match.route->body_max ? "the body is larger than this path takes"
                                                        : "this path takes no body",
                        NULL);
}

static void begin(struct sonde_exchange *exchange, int found)
{
    const struct sonde_route *route = exchange->match.route;
    if (found < 0) {
        unsigned status = found == SONDE_ENOTFOUND ? MHD_HTTP_NOT_FOUND
                          : found == SONDE_EDENIED ? MHD_HTTP_METHOD_NOT_ALLOWED
                                                   : MHD_HTTP_BAD_REQUEST;
        sonde_exchange_fail(exchange, status,
                            found == SONDE_ENOTFOUND ? "NotFound"
                            : found == SONDE_EDENIED ? "MethodNotAllowed"
                                                     : "BadRequest",
                            found == SONDE_ENOTFOUND ? "there is no such path"
                            : found == SONDE_EDENIED ? "the path does not take this method"
                                                     : "the path is not a valid one",
                            NULL);
        return;
    }
    if ((route->body_max == 0 && has_body(exchange)) || announced(exchange) > route->body_max) {
        refuse_body(exchange);
        return;
    }
    exchange->begun = true;
    if (route->begin) {
        route->begin(exchange->server->context, exchange);
    }
}

/* libmicrohttpd takes an answer before a body or after it, not within. */
static enum MHD_Result take(struct sonde_exchange *exchange, const char *data, size_t *length)
{
    const struct sonde_route *route = exchange->match.route;
    size_t taken = *length;
    *length = 0;
    if (exchange->answered) {
        exchange->late += taken;
        return exchange->late > SONDE_SERVER_LATE_MAX ? MHD_NO : MHD_YES;
    }
    exchange->received += taken;
    if (exchange->received > route->body_max) {
        refuse_body(exchange);
    } else {
        route->data(exchange->server->context, exchange, data, taken);
    }
    return MHD_YES;
}

static struct sonde_exchange *new_exchange(struct sonde_server *server,
                                           struct MHD_Connection *connection)
{
    struct sonde_exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange) {
        exchange->server = server;
        exchange->connection = connection;
        exchange->next = server->first;
        exchange->at = &server->first;
        if (server->first) {
            server->first->at = &exchange->next;
        }
        server->first = exchange;
        server->open++;
    }
    return exchange;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *length, void **state)
{
    struct sonde_server *server = context;
    struct sonde_exchange *exchange = *state;
    (void)version;
    if (!exchange) {
        exchange = new_exchange(server, connection);
        if (!exchange) {
            return MHD_NO;
        }
        *state = exchange;
        begin(exchange, sonde_route_find(server->routes, method, url, &exchange->match));
        return exchange->answered ? queue(exchange) : MHD_YES;
    }
    if (*length > 0) {
        return take(exchange, data, length);
    }
    if (!exchange->answered && !exchange->suspended) {
        exchange->match.route->end(server->context, exchange);
        if (!exchange->answered) {
            exchange->suspended = true;
            MHD_suspend_connection(connection);
            return MHD_YES;
        }
    }
    return exchange->queued ? MHD_YES : queue(exchange);
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code)
{
    struct sonde_server *server = context;
    struct sonde_exchange *exchange = *state;
    (void)connection;
    (void)code;
    if (!exchange) {
        return;
    }
    *state = NULL;
    exchange->answered = true;
    if (exchange->begun && exchange->match.route->closed) {
        exchange->match.route->closed(server->context, exchange);
    }
    *exchange->at = exchange->next;
    if (exchange->next) {
        exchange->next->at = exchange->at;
    }
    server->open--;
    if (exchange->response) {
        MHD_destroy_response(exchange->response);
    }
    for (size_t i = 0; i < exchange->query_count; i++) {
        free(exchange->queries[i]);
    }
    free(exchange);
}

/* Paths and queries stay as they were sent: each part is decoded by itself. */
static size_t keep_encoded(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* ---- the server ---- */

int sonde_server_address(const char *text, char ret_address[SONDE_SERVER_ADDRESS_SIZE],
                         uint16_t *ret_port, struct sonde_err *err)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    size_t length = colon ? (size_t)(colon - text) : 0;
    bool bracketed = length > 1 && text[0] == '[' && text[length - 1] == ']';
    const char *begin = bracketed ? text + 1 : text;
    length -= bracketed ? 2 : 0;
    if (!colon || length >= SONDE_SERVER_ADDRESS_SIZE ||
        sonde_parse_u64(sonde_str(colon + 1), 0, UINT16_MAX, &port) < 0) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "%.100s is no address and port: give 0.0.0.0:8443 or [::]:8443", text);
    }
    (void)snprintf(ret_address, SONDE_SERVER_ADDRESS_SIZE, "%.*s", length ? (int)length : 7,
                   length ? begin : "0.0.0.0");
    *ret_port = (uint16_t)port;
    return 0;
}

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    };
};

static int read_address(const struct sonde_server_options *options, struct address *ret,
                        struct sonde_err *err)
{
    *ret = (struct address){0};
    if (inet_pton(AF_INET, options->address, &ret->four.sin_addr) == 1) {
        ret->four.sin_family = AF_INET;
        ret->four.sin_port = htons(options->port);
        return 0;
    }
    *ret = (struct address){0};
    if (inet_pton(AF_INET6, options->address, &ret->six.sin6_addr) == 1) {
        ret->six.sin6_family = AF_INET6;
        ret->six.sin6_port = htons(options->port);
        return 0;
    }
    return sonde_fail(err, SONDE_EINVALID, 0,
                      "%.100s is no address to listen on: give 127.0.0.1, 0.0.0.0, :: …",
                      options->address);
}

static int start(struct sonde_server *server, const struct sonde_server_options *options,
                 struct sonde_err *err)
{
    struct address address;
    int r = read_address(options, &address, err);
    if (r < 0) {
        return r;
    }
    struct MHD_OptionItem items[16] = {
        {MHD_OPTION_SOCK_ADDR, 0, &address.any},
        {MHD_OPTION_CONNECTION_LIMIT, server->connections_max, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, options->connections_per_address, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, SONDE_SERVER_MEMORY_MAX, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, SONDE_SERVER_IDLE_SECONDS, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)completed, server},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_encoded, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
    };
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    size_t count = 8;
    flags |= address.any.sa_family == AF_INET6 ? MHD_USE_DUAL_STACK : 0;
    if (server->identity) {
        flags |= MHD_USE_TLS;
        items[count++] = (struct MHD_OptionItem){
            MHD_OPTION_HTTPS_PRIORITIES, 0,
            (void *)(uintptr_t)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"};
    }
    items[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    errno = 0;
    /* The callback cannot stand in the array. */
    server->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, handle, server, MHD_OPTION_ARRAY, items,
                         server->identity ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END,
                         hand_out, MHD_OPTION_END);
    if (!server->daemon) {
        int code = errno == EADDRINUSE                         ? SONDE_EBUSY
                   : errno == EACCES || errno == EADDRNOTAVAIL ? SONDE_EINVALID
                   : errno == ENOMEM                           ? SONDE_ENOMEM
                                                               : SONDE_EIO;
        return sonde_fail(err, code, errno, "cannot listen on %.100s port %u", options->address,
                          options->port);
    }
    return 0;
}

static int join_loop(struct sonde_server *server, struct sonde_err *err)
{
    const union MHD_DaemonInfo *port =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    const union MHD_DaemonInfo *epoll =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!port || !epoll) {
        return sonde_fail(err, SONDE_EIO, 0, "libmicrohttpd does not tell its port");
    }
    server->port = port->port;
    int r = sonde_timer_new(server->loop, on_ready, server, &server->timer, err);
    return r < 0 ? r
                 : sonde_watch_new(server->loop, epoll->epoll_fd, on_ready, server, &server->watch,
                                   err);
}

int sonde_server_new(const struct sonde_server_options *options, struct sonde_server **ret,
                     struct sonde_err *err)
{
    for (const struct sonde_route *route = options->routes; route->method; route++) {
        if (!sonde_route_valid(route->path)) {
            return sonde_fail(err, SONDE_EINVALID, 0, "%s is no path of a route", route->path);
        }
    }
    struct sonde_server *server = calloc(1, sizeof(*server));
    if (!server) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    server->loop = options->loop;
    server->routes = options->routes;
    server->connections_max =
        options->connections_max ? options->connections_max : SONDE_SERVER_CONNECTIONS_MAX;
    server->context = options->context;
    int r = 0;
    if (options->certificate.length) {
        if (tls_server) {
            r = sonde_fail(err, SONDE_EBUSY, 0, "a program can have one server with TLS");
        } else {
            r = new_identity(options->certificate, options->key, &server->identity, err);
            tls_server = r < 0 ? NULL : server;
        }
    }
    r = r < 0 ? r : start(server, options, err);
    r = r < 0 ? r : join_loop(server, err);
    if (r < 0) {
        sonde_server_free(server);
        return r;
    }
    run(server);
    *ret = server;
    return 0;
}

void sonde_server_quiesce(struct sonde_server *server)
{
    if (!server->quiet) {
        server->quiet = true;
        MHD_socket listening = MHD_quiesce_daemon(server->daemon);
        if (listening != MHD_INVALID_SOCKET) {
            (void)close(listening);
        }
    }
}

void sonde_server_free(struct sonde_server *server)
{
    if (!server) {
        return;
    }
    sonde_watch_free(server->watch);
    if (server->daemon) {
        /* It may not be stopped while a connection is suspended. */
        for (struct sonde_exchange *exchange = server->first; exchange; exchange = exchange->next) {
            if (exchange->suspended) {
                exchange->suspended = false;
                exchange->answered = true;
                exchange->cut = true;
                MHD_resume_connection(exchange->connection);
            }
        }
        server->running = true;
        (void)MHD_run(server->daemon);
        MHD_stop_daemon(server->daemon);
    }
    sonde_timer_free(server->timer);
    free_identity(server->identity);
    free_identity(server->before);
    if (tls_server == server) {
        tls_server = NULL;
    }
    free(server);
}

uint16_t sonde_server_port(const struct sonde_server *server)
{
    return server->port;
}

size_t sonde_server_open(const struct sonde_server *server)
{
    return server->open;
}
