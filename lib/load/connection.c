/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "load/exchange.h"
#include "load/protocol.h"
#include "load/tunnel.h"

enum {
    BACKOFF_STEPS = 7, /* from 10 ms to 1.28 s */
    READS_MAX = 16,    /* of one connection, before the others have their turn */
};

#define EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

struct flight *connection_flight(const struct worker *worker, const struct connection *connection,
                                 uint32_t number)
{
    return &connection->flights[(connection->first + number) % worker->plan->pipelining];
}

/* Its protocol has it. */
static bool is_greeted(const struct connection *connection)
{
    return connection->state >= CONNECTION_GREETING;
}

static bool is_connecting(const struct connection *connection)
{
    return connection->state > CONNECTION_CLOSED && connection->state < CONNECTION_OPEN;
}

/* ---- the end of a connection ---- */

static void close_socket(struct worker *w, uint32_t index)
{
    struct connection *c = &w->connections[index];
    if (is_greeted(c) && c->protocol->end) {
        c->protocol->end(c);
    }
    transport_fini(&c->transport);
    (void)close(c->transport.fd); /* and epoll forgets it */
    c->transport.fd = -1;
    w->connecting -= is_connecting(c);
    w->open -= c->state == CONNECTION_OPEN;
    c->state = CONNECTION_CLOSED;
    c->deaf = false;
    sonde_buf_clear(&c->in);
    sonde_buf_clear(&c->out);
}

/* Without an answer it is not opened again at once: that would load a server that cannot answer
 * with connections. */
static void back_off(const struct worker *w, struct connection *c)
{
    unsigned steps = c->failures < BACKOFF_STEPS ? c->failures : BACKOFF_STEPS;
    c->failures++;
    c->retry_ns = w->now_ns + (10 * SONDE_MILLISECOND << steps);
}

static void connect_failed(struct worker *w, uint32_t index, enum sonde_load_error error)
{
    struct connection *c = &w->connections[index];
    w->live->connect_failures++;
    w->live->errors[error]++;
    w->failing = true;
    back_off(w, c);
    if (c->transport.fd >= 0) {
        close_socket(w, index);
    }
    worker_freed(w, index);
}

void connection_fail(struct worker *worker, uint32_t index, enum sonde_load_error error)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    if (is_connecting(c)) {
        connect_failed(w, index, error);
        return;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        exchange_failed(w, c, connection_flight(w, c, i),
                        i == 0 || error != SONDE_LOAD_TIMEOUT ? error : SONDE_LOAD_RESET);
    }
    /* Nobody waits for anything; that it was closed then is nothing wrong. */
    w->live->errors[error] += c->count == 0 && error != SONDE_LOAD_RESET;
    c->count = 0;
    if (!c->served) {
        w->failing = w->failing || error != SONDE_LOAD_TIMEOUT;
        back_off(w, c);
    }
    close_socket(w, index);
    worker_freed(w, index);
}

void connection_expire(struct worker *worker, uint32_t index, int64_t before_ns)
{
    struct connection *c = &worker->connections[index];
    if (c->count && connection_flight(worker, c, 0)->times.sent_ns <= before_ns) {
        connection_fail(worker, index, SONDE_LOAD_TIMEOUT);
    }
}

static enum sonde_load_error error_of(int number)
{
    switch (number) {
    case ECONNREFUSED:
    case ENOENT: /* of a Unix socket */
        return SONDE_LOAD_REFUSED;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL: /* all ports are taken */
        return SONDE_LOAD_RESOURCES;
    case ETIMEDOUT:
        return SONDE_LOAD_TIMEOUT;
    default:
        return SONDE_LOAD_UNREACHABLE;
    }
}

/* ---- its beginning ---- */

void connection_greeted(struct worker *worker, uint32_t index)
{
    worker->connecting--;
    worker->open++;
    worker->live->connects++;
    worker->connections[index].state = CONNECTION_OPEN;
}

/* NULL: it cannot be spoken. */
static const struct protocol *protocol_of(const struct sonde_load_plan *plan,
                                          const struct connection *c)
{
    bool agreed = transport_agreed_http2(&c->transport);
    if (plan->origins[c->origin].websocket) {
        return &protocol_websocket;
    }
    if (plan->version == SONDE_HTTP_2 && c->transport.ssl && !agreed) {
        return NULL;
    }
    return plan->version == SONDE_HTTP_2 || agreed ? &protocol_http2 : &protocol_http1;
}

static void connected(struct worker *w, uint32_t index)
{
    struct connection *c = &w->connections[index];
    c->protocol = protocol_of(w->plan, c);
    if (!c->protocol) {
        connect_failed(w, index, SONDE_LOAD_TLS_ALPN);
        return;
    }
    /* Handshakes of TLS take their time, this one's and those of the same round before it. */
    w->now_ns = sonde_clock_monotonic();
    c->served = false;
    c->taken_before += c->taken;
    c->taken = 0;
    if (c->protocol->greets) {
        c->state = CONNECTION_GREETING;
    } else {
        connection_greeted(w, index);
    }
    if (c->protocol->begin && !c->protocol->begin(w, index)) {
        connection_fail(w, index, SONDE_LOAD_RESOURCES);
        return;
    }
    worker_freed(w, index);
}

static void go_on_securing(struct worker *w, uint32_t index)
{
    struct transport *transport = &w->connections[index].transport;
    switch (transport_handshake(transport)) {
    case TRANSPORT_DONE:
        connected(w, index);
        break;
    case TRANSPORT_WAIT:
        break;
    case TRANSPORT_FAILED:
        connect_failed(w, index, transport->failed);
    }
}

/* The server is at the other end. */
static void reached(struct worker *w, uint32_t index)
{
    struct connection *c = &w->connections[index];
    struct transport_tls *tls = &w->origins[c->origin].tls;
    if (!tls->context) {
        connected(w, index);
    } else if (!transport_secure(&c->transport, tls)) {
        connect_failed(w, index, SONDE_LOAD_RESOURCES);
    } else {
        c->state = CONNECTION_SECURING;
        go_on_securing(w, index);
    }
}

static void go_on_tunneling(struct worker *w, uint32_t index, bool ended)
{
    struct connection *c = &w->connections[index];
    enum sonde_load_error error;
    switch (tunnel_take(&c->response, c->transport.fd, w->buffer, ended, &error)) {
    case TRANSPORT_DONE:
        reached(w, index);
        break;
    case TRANSPORT_WAIT:
        break;
    case TRANSPORT_FAILED:
        connect_failed(w, index, error);
    }
}

static void socket_connected(struct worker *w, uint32_t index)
{
    struct connection *c = &w->connections[index];
    struct sonde_str ask = w->plan->origins[c->origin].connect;
    if (ask.length == 0) {
        reached(w, index);
    } else if (!tunnel_ask(&c->response, c->transport.fd, ask)) {
        connect_failed(w, index, SONDE_LOAD_PROXY);
    } else {
        c->state = CONNECTION_TUNNELING;
    }
}

static void check_connect(struct worker *w, uint32_t index)
{
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(w->connections[index].transport.fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) {
        error = errno;
    }
    if (error) {
        connect_failed(w, index, error_of(error));
    } else {
        socket_connected(w, index);
    }
}

void connection_open(struct worker *worker, uint32_t index)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    const struct sonde_load_addresses *all = w->plan->origins[c->origin].addresses;
    c->address = (uint32_t)(w->origins[c->origin].address++ % all->count);
    const struct sonde_load_address *address = &all->items[c->address];
    const int on = 1;
    int family = address->at.ss_family;
    c->transport.fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->transport.fd < 0) {
        connect_failed(w, index, error_of(errno));
        return;
    }
    c->state = CONNECTION_CONNECTING;
    c->since_ns = w->now_ns;
    w->connecting++;
    struct epoll_event event = {.events = EVENTS, .data.u32 = index};
    if ((family != AF_UNIX &&
         setsockopt(c->transport.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) ||
        epoll_ctl(w->poll, EPOLL_CTL_ADD, c->transport.fd, &event) < 0) {
        connect_failed(w, index, SONDE_LOAD_RESOURCES);
        return;
    }
    if (connect(c->transport.fd, (const struct sockaddr *)&address->at, address->length) == 0) {
        socket_connected(w, index);
    } else if (errno != EINPROGRESS) {
        connect_failed(w, index, error_of(errno));
    }
}

/* ---- writing ---- */

/* Writes until the socket takes no more: only then epoll tells when it does again. Moves what is
 * left to *pieces. False: the connection broke. Who closes before he has read all may have answered
 * (RFC 9112, 9.5): that is read, with the end behind it, of which epoll tells. */
static bool write_pieces(struct worker *w, struct connection *c, struct iovec **pieces,
                         size_t *count)
{
    while (*count && !c->deaf) {
        ssize_t written = transport_write(&c->transport, *pieces, *count);
        if (written < 0) {
            c->deaf = errno == EPIPE || errno == ECONNRESET;
            return c->deaf || errno == EAGAIN || errno == ENOBUFS;
        }
        w->live->bytes_written += (uint64_t)written;
        for (size_t left = (size_t)written; *count && (left || (*pieces)->iov_len == 0);) {
            size_t own = left < (*pieces)->iov_len ? left : (*pieces)->iov_len;
            **pieces = (struct iovec){(char *)(*pieces)->iov_base + own, (*pieces)->iov_len - own};
            left -= own;
            bool done = (*pieces)->iov_len == 0;
            *pieces += done;
            *count -= done;
        }
    }
    return true;
}

static void flush(struct worker *w, uint32_t index)
{
    struct connection *c = &w->connections[index];
    struct iovec piece = {c->out.data, c->out.length};
    struct iovec *left = &piece;
    size_t count = c->out.length ? 1 : 0;
    if (!write_pieces(w, c, &left, &count)) {
        connection_fail(w, index, c->transport.failed);
        return;
    }
    sonde_buf_consume(&c->out, c->out.length - (count ? piece.iov_len : 0));
}

bool connection_write(struct worker *worker, uint32_t index, struct iovec *pieces, size_t count)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    if (c->out.length == 0 && !write_pieces(w, c, &pieces, &count)) {
        connection_fail(w, index, c->transport.failed);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        sonde_buf_append(&c->out, pieces[i].iov_base, pieces[i].iov_len);
    }
    if (c->out.code) {
        connection_fail(w, index, SONDE_LOAD_RESOURCES);
        return false;
    }
    return true;
}

/* How many more requests the plan lets it take before it is closed. */
static uint64_t may_take(const struct worker *worker, const struct connection *c)
{
    uint64_t most = worker->plan->requests_per_connection;
    uint64_t of_each = worker->plan->requests_of_each;
    uint64_t more = most ? most - c->taken : UINT64_MAX;
    uint64_t left = of_each ? of_each - c->taken - c->taken_before : UINT64_MAX;
    return more < left ? more : left;
}

uint32_t connection_room(const struct worker *worker, const struct connection *connection)
{
    const struct connection *c = connection;
    uint64_t more = may_take(worker, c);
    uint32_t room = c->state == CONNECTION_OPEN ? c->protocol->room(worker, c) : 0;
    room = more < room ? (uint32_t)more : room;
    return exchange_room(worker, c, room);
}

bool connection_is_spent(const struct worker *worker, const struct connection *connection)
{
    return connection->count == 0 && may_take(worker, connection) == 0;
}

void connection_send(struct worker *worker, uint32_t index, const int64_t *intended_ns,
                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        exchange_begin(worker, index, intended_ns[i]);
    }
    worker->connections[index].protocol->send(worker, index, count);
}

/* ---- reading ---- */

/* Has epoll tell once more what it has told. False: it cannot, or TLS has read more already. */
static bool tell_again(struct worker *w, uint32_t index)
{
    const struct transport *transport = &w->connections[index].transport;
    struct epoll_event event = {.events = EVENTS, .data.u32 = index};
    return !transport_pending(transport) &&
           epoll_ctl(w->poll, EPOLL_CTL_MOD, transport->fd, &event) == 0;
}

/* One read as long as it does not fill the room: epoll tells of what comes later, but not of what
 * TLS has read already. `to_end`: the peer has closed, and it is read until then. */
static void read_socket(struct worker *w, uint32_t index, bool to_end)
{
    struct connection *c = &w->connections[index];
    for (int reads = 0;; reads++) {
        if (reads >= READS_MAX && tell_again(w, index)) {
            return;
        }
        size_t kept = c->in.length;
        if (kept) {
            memcpy(w->buffer, c->in.data, kept);
        }
        ssize_t got = transport_read(&c->transport, w->buffer + kept, WORKER_READ_SIZE);
        w->now_ns = sonde_clock_monotonic();
        if (got == 0) {
            c->protocol->closed(w, index);
            connection_fail(w, index, SONDE_LOAD_RESET);
            return;
        }
        if (got < 0) {
            if (errno != EAGAIN) {
                connection_fail(w, index, c->transport.failed);
            }
            return;
        }
        w->live->bytes_read += (uint64_t)got;
        if (!c->protocol->take(w, index, w->buffer, kept + (size_t)got)) {
            return;
        }
        if (got < WORKER_READ_SIZE && !to_end && !c->transport.ssl) {
            return;
        }
    }
}

void connection_event(struct worker *worker, uint32_t index, uint32_t events)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    if (c->state == CONNECTION_CONNECTING && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
        check_connect(w, index);
    } else if (c->state == CONNECTION_TUNNELING) {
        go_on_tunneling(w, index, events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP));
    } else if (c->state == CONNECTION_SECURING) {
        go_on_securing(w, index);
    }
    if (is_greeted(c) && events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) {
        read_socket(w, index, events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP));
    }
    if (is_greeted(c) && events & EPOLLOUT && c->out.length) {
        flush(w, index);
    }
    if (connection_room(w, c)) {
        worker_freed(w, index);
    }
    if (c->state == CONNECTION_OPEN && c->protocol->flush) {
        c->protocol->flush(w, index);
    }
}

/* ---- time ---- */

void connection_check_time(struct worker *worker, uint32_t index)
{
    struct worker *w = worker;
    const struct connection *c = &w->connections[index];
    int64_t before = w->now_ns - w->plan->timeout_ns;
    if (is_connecting(c) && c->since_ns <= before) {
        connect_failed(w, index, SONDE_LOAD_TIMEOUT);
    } else if (c->state == CONNECTION_OPEN) {
        c->protocol->expire(w, index, before);
    }
}

void connection_end(struct worker *worker, uint32_t index)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    for (uint32_t i = 0; i < c->count; i++) {
        exchange_censored(w, c, connection_flight(w, c, i));
    }
    c->count = 0;
    if (c->transport.fd >= 0) {
        close_socket(w, index);
    }
    sonde_buf_fini(&c->in);
    sonde_buf_fini(&c->out);
}
