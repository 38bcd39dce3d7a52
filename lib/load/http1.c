/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 (RFC 9112): answers come in the order of the requests, and the flights are a ring. */
#include <sys/uio.h>

#include "load/exchange.h"
#include "load/protocol.h"

/* None while the socket does not take what was sent before: who answers and does not read would
 * have us keep all of it. */
static uint32_t room(const struct worker *worker, const struct connection *connection)
{
    return connection->out.length ? 0 : worker->plan->pipelining - connection->count;
}

/* ---- writing ---- */

static void begin_response(struct worker *w, struct connection *c)
{
    struct flight *flight = connection_flight(w, c, 0);
    sonde_response_begin(&c->response, exchange_request(w, c, flight)->kind,
                         exchange_observer(w, c, flight));
    c->response.memo = &w->memo;
}

/* What is made for this time alone is left to place_filled. */
static struct iovec piece_of(struct worker *w, const struct connection *c,
                             const struct sonde_load_request *request)
{
    if (request->bytes.data) {
        return (struct iovec){(char *)(uintptr_t)request->bytes.data, request->bytes.length};
    }
    size_t before = w->filled.length;
    exchange_fill(w, c, request, &w->filled);
    return (struct iovec){NULL, w->filled.length - before};
}

/* Where they are, now that the buffer does not move any more. */
static void place_filled(const struct worker *w, struct iovec *pieces, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (!pieces[i].iov_base) {
            pieces[i].iov_base = w->filled.data + at;
            at += pieces[i].iov_len;
        }
    }
}

static void send_newest(struct worker *worker, uint32_t index, uint32_t count)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    SONDE_UNCLEARED struct iovec pieces[WORKER_BATCH];
    uint32_t before = c->count - count;
    sonde_buf_clear(&w->filled);
    for (uint32_t i = 0; i < count; i++) {
        pieces[i] = piece_of(w, c, exchange_request(w, c, connection_flight(w, c, before + i)));
    }
    if (before == 0) {
        begin_response(w, c);
    }
    if (w->filled.code) {
        connection_fail(w, index, SONDE_LOAD_RESOURCES);
        return;
    }
    place_filled(w, pieces, count);
    (void)connection_write(w, index, pieces, count);
}

/* ---- reading ---- */

/* The first flight has its answer. */
static void answered(struct worker *w, struct connection *c)
{
    exchange_answered(w, c, connection_flight(w, c, 0), c->response.status);
    c->first = (c->first + 1) % w->plan->pipelining;
    c->count--;
}

/* Takes answers for as long as something is awaited; *ret_used says of how many bytes. False: the
 * connection is gone. */
static bool take_answers(struct worker *w, uint32_t index, const char *data, size_t length,
                         size_t *ret_used)
{
    struct connection *c = &w->connections[index];
    size_t at = 0;
    while (at < length && c->count) {
        size_t used;
        if (sonde_response_feed(&c->response, data + at, length - at, &used, NULL) < 0) {
            connection_fail(w, index, SONDE_LOAD_PROTOCOL);
            return false;
        }
        at += used;
        if (c->response.state != SONDE_RESPONSE_COMPLETE) {
            break;
        }
        answered(w, c);
        if (!c->response.keep_alive || connection_is_spent(w, c)) {
            connection_fail(w, index, SONDE_LOAD_RESET);
            return false;
        }
        if (c->count) {
            begin_response(w, c);
        }
    }
    *ret_used = at;
    return true;
}

static bool take(struct worker *worker, uint32_t index, const char *data, size_t length)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    size_t at = 0;
    if (!take_answers(w, index, data, length, &at)) {
        return false;
    }
    sonde_buf_clear(&c->in);
    sonde_buf_append(&c->in, data + at, length - at);
    if (c->in.code || (c->count == 0 && at < length)) {
        /* Nobody asked for what is left. */
        connection_fail(w, index, c->in.code ? SONDE_LOAD_RESOURCES : SONDE_LOAD_PROTOCOL);
        return false;
    }
    return true;
}

static void closed(struct worker *worker, uint32_t index)
{
    struct connection *c = &worker->connections[index];
    if (c->count && sonde_response_begun(&c->response) &&
        sonde_response_closed(&c->response, NULL) == 0) {
        answered(worker, c);
    }
}

const struct protocol protocol_http1 = {
    .room = room,
    .send = send_newest,
    .take = take,
    .closed = closed,
    .expire = connection_expire,
};
