/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket (RFC 6455): a request is a message, and the next message that comes is its answer; the
 * flights are a ring. What begins to come when nothing is awaited is counted, and nothing else. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/uio.h>

#include "base/random.h"
#include "http/websocket_frames.h"
#include "http/websocket_handshake.h"
#include "load/exchange.h"
#include "load/protocol.h"
#include "load/text.h"

enum {
    ASK_MAX = 256 << 10,   /* bytes of a handshake of ours */
    UNSENT_MAX = 64 << 10, /* bytes that wait to be written: then a PING is not answered */
    CLOSE_MAX = 64,        /* bytes of a closing frame of ours */
};

struct websocket {
    struct sonde_handshake handshake;
    struct sonde_frames frames;
    struct sonde_load_text text;
    uint64_t random;                                /* of masks */
    uint16_t closing;                               /* the status that we leave with */
    bool answers;                                   /* the message that comes */
    const struct sonde_response_observer *observer; /* of the answer that comes */
};

/* None while the socket does not take what was sent before, as in HTTP/1. */
static uint32_t room(const struct worker *worker, const struct connection *connection)
{
    bool listens = worker->plan->origins[connection->origin].listens;
    return listens || connection->out.length ? 0 : worker->plan->pipelining - connection->count;
}

/* ---- the handshake ---- */

static bool is_name(struct sonde_str text, const char *name)
{
    return text.length == strlen(name) && strncasecmp(text.data, name, text.length) == 0;
}

/* What stands in the place of these is ours. */
static bool is_ours(struct sonde_str name)
{
    static const char *const names[] = {
        "Connection",        "Upgrade",           "Content-Length",
        "Transfer-Encoding", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
    };
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        if (is_name(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* The handshake with the path and the fields of a request. False: no memory, for the request
 * either, or too long. */
static bool make_handshake(struct websocket *ws, struct sonde_str request, struct sonde_buf *ret)
{
    unsigned char nonce[SONDE_HANDSHAKE_NONCE_SIZE];
    bool may_choose = false;
    if (request.length == 0) {
        return false;
    }
    struct sonde_str line = sonde_str_split(&request, '\n');
    (void)sonde_str_split(&line, ' ');
    sonde_buf_text(ret, "GET ");
    sonde_buf_str(ret, sonde_str_split(&line, ' '));
    sonde_buf_text(ret, " HTTP/1.1\r\n");
    while ((line = sonde_str_trim(sonde_str_split(&request, '\n'))).length) {
        struct sonde_str value = line;
        struct sonde_str name = sonde_str_split(&value, ':');
        if (!is_ours(name)) {
            may_choose = may_choose || is_name(name, "Sec-WebSocket-Protocol");
            sonde_buf_str(ret, line);
            sonde_buf_text(ret, "\r\n");
        }
    }
    sonde_random_bytes(nonce, sizeof(nonce));
    bool made = sonde_handshake_fields(&ws->handshake, nonce, ret, NULL) == 0;
    ws->handshake.may_choose = may_choose;
    sonde_buf_text(ret, "\r\n");
    return made && ret->code == 0;
}

/* The whole request as HTTP/1.1 has it; empty: no memory. */
static struct sonde_str request_text(struct worker *w, const struct connection *c,
                                     const struct sonde_load_request *request)
{
    if (request->bytes.data) {
        return request->bytes;
    }
    sonde_buf_clear(&w->filled);
    exchange_fill(w, c, request, &w->filled);
    return w->filled.code ? (struct sonde_str){0} : sonde_buf_view(&w->filled);
}

static bool begin(struct worker *worker, uint32_t index)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    SONDE_BUF_AUTO ask = SONDE_BUF(ASK_MAX);
    struct websocket *ws = calloc(1, sizeof(*ws));
    c->own = ws;
    c->first = 0;
    if (!ws) {
        return false;
    }
    sonde_frames_init(&ws->frames, SONDE_LOAD_MESSAGE_MAX);
    sonde_random_bytes(&ws->random, sizeof(ws->random));
    ws->closing = SONDE_FRAME_STATUS_NORMAL;
    if (!make_handshake(ws, request_text(w, c, exchange_first(w, c)), &ask)) {
        return false;
    }
    struct iovec piece = {ask.data, ask.length};
    /* If it cannot be written, the connection has failed already. */
    (void)connection_write(w, index, &piece, 1);
    return true;
}

/* ---- writing ---- */

static void add_frame(struct websocket *ws, struct sonde_buf *buf, enum sonde_frame_opcode opcode,
                      struct sonde_str payload)
{
    unsigned char mask[sizeof(uint64_t)];
    uint64_t random = sonde_random_next(&ws->random);
    memcpy(mask, &random, sizeof(random));
    sonde_frame_write(buf, opcode, payload, mask);
}

/* What is behind the head of a request. */
static struct sonde_str message_of(struct sonde_str request)
{
    static const char end[] = "\r\n\r\n";
    const char *at = request.length ? memmem(request.data, request.length, end, strlen(end)) : NULL;
    if (!at) {
        return (struct sonde_str){0};
    }
    at += strlen(end);
    return (struct sonde_str){at, request.length - (size_t)(at - request.data)};
}

/* Writes what was framed. False: the connection is gone. */
static bool write_framed(struct worker *w, uint32_t index)
{
    struct iovec piece = {w->framed.data, w->framed.length};
    if (w->framed.code) {
        connection_fail(w, index, SONDE_LOAD_RESOURCES);
        return false;
    }
    return connection_write(w, index, &piece, 1);
}

static void send_newest(struct worker *worker, uint32_t index, uint32_t count)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    uint32_t before = c->count - count;
    sonde_buf_clear(&w->framed);
    for (uint32_t i = 0; i < count; i++) {
        struct flight *flight = connection_flight(w, c, before + i);
        struct sonde_str request = request_text(w, c, exchange_request(w, c, flight));
        struct sonde_str message = message_of(request);
        if (request.length == 0) {
            connection_fail(w, index, SONDE_LOAD_RESOURCES);
            return;
        }
        add_frame(c->own, &w->framed,
                  sonde_utf8_valid(message) ? SONDE_FRAME_TEXT : SONDE_FRAME_BINARY, message);
    }
    (void)write_framed(w, index);
}

/* Who asks and does not read gets no answer. False: the connection is gone. */
static bool answer_ping(struct worker *w, uint32_t index, struct sonde_str payload)
{
    struct connection *c = &w->connections[index];
    if (c->out.length > UNSENT_MAX) {
        return true;
    }
    sonde_buf_clear(&w->framed);
    add_frame(c->own, &w->framed, SONDE_FRAME_PONG, payload);
    return write_framed(w, index);
}

/* Says why we leave, if that can be said at once. */
static void end(struct connection *connection)
{
    struct websocket *ws = connection->own;
    SONDE_BUF_AUTO frame = SONDE_BUF(CLOSE_MAX);
    if (!ws) {
        return;
    }
    if (connection->state == CONNECTION_OPEN && connection->out.length == 0) {
        const char status[] = {(char)(ws->closing >> 8), (char)ws->closing};
        add_frame(ws, &frame, SONDE_FRAME_CLOSE, (struct sonde_str){status, sizeof(status)});
        const struct iovec piece = {frame.data, frame.length};
        if (frame.length) {
            (void)transport_write(&connection->transport, &piece, 1);
        }
    }
    sonde_handshake_fini(&ws->handshake);
    free(ws);
    connection->own = NULL;
}

/* ---- reading ---- */

/* What no server may send. */
static bool violated(struct worker *w, uint32_t index, enum sonde_frame_status status)
{
    struct connection *c = &w->connections[index];
    struct websocket *ws = c->own;
    ws->closing = (uint16_t)status;
    connection_fail(w, index, SONDE_LOAD_PROTOCOL);
    return false;
}

/* False: the connection is gone. */
static bool end_message(struct worker *w, uint32_t index)
{
    struct connection *c = &w->connections[index];
    const struct websocket *ws = c->own;
    if (!ws->answers) {
        w->live->received++;
        c->served = true;
        w->failing = false;
        c->failures = 0;
        return true;
    }
    exchange_answered(w, c, connection_flight(w, c, 0), 0);
    c->first = (c->first + 1) % w->plan->pipelining;
    c->count--;
    if (connection_is_spent(w, c)) {
        connection_fail(w, index, SONDE_LOAD_RESET);
        return false;
    }
    return true;
}

static bool take_message(struct worker *w, uint32_t index, const struct sonde_frame_piece *piece)
{
    struct connection *c = &w->connections[index];
    struct websocket *ws = c->own;
    if (piece->first) {
        ws->text = (struct sonde_load_text){0};
        ws->answers = c->count > 0;
        ws->observer = ws->answers ? exchange_observer(w, c, connection_flight(w, c, 0)) : NULL;
    }
    if (!piece->binary &&
        (!sonde_load_text_feed(&ws->text, piece->data) || (piece->last && ws->text.left))) {
        return violated(w, index, SONDE_FRAME_STATUS_NO_TEXT);
    }
    if (ws->observer && ws->observer->body && piece->data.length &&
        ws->observer->body(ws->observer->context, piece->data.data, piece->data.length, NULL) < 0) {
        connection_fail(w, index, SONDE_LOAD_PROTOCOL);
        return false;
    }
    return !piece->last || end_message(w, index);
}

static bool take_piece(struct worker *w, uint32_t index, const struct sonde_frame_piece *piece)
{
    switch (piece->opcode) {
    case SONDE_FRAME_PING:
        return answer_ping(w, index, piece->data);
    case SONDE_FRAME_PONG:
        return true;
    case SONDE_FRAME_CLOSE:
        connection_fail(w, index, SONDE_LOAD_RESET);
        return false;
    default:
        return take_message(w, index, piece);
    }
}

/* 1: the peer agreed; 0: it has not said all; −1: the connection is gone. */
static int greet(struct worker *w, uint32_t index, struct sonde_str *input)
{
    struct websocket *ws = w->connections[index].own;
    int r = sonde_handshake_read(&ws->handshake, input, NULL);
    if (r < 0) {
        connection_fail(w, index,
                        r == SONDE_ENETWORK ? SONDE_LOAD_UPGRADE
                        : r == SONDE_ENOMEM ? SONDE_LOAD_RESOURCES
                                            : SONDE_LOAD_PROTOCOL);
        return -1;
    }
    if (r > 0) {
        sonde_handshake_fini(&ws->handshake);
        connection_greeted(w, index);
    }
    return r;
}

static bool take(struct worker *worker, uint32_t index, const char *data, size_t length)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    struct websocket *ws = c->own;
    struct sonde_str input = {data, length};
    struct sonde_frame_piece piece;
    int r = c->state == CONNECTION_GREETING ? greet(w, index, &input) : 1;
    if (r <= 0) {
        return r == 0;
    }
    while ((r = sonde_frames_read(&ws->frames, &input, &piece, NULL)) > 0) {
        if (!take_piece(w, index, &piece)) {
            return false;
        }
    }
    return r == 0 ||
           violated(w, index,
                    r == SONDE_ELIMIT ? SONDE_FRAME_STATUS_TOO_BIG : SONDE_FRAME_STATUS_PROTOCOL);
}

/* An answer does not end so. */
static void closed(struct worker *worker, uint32_t index)
{
    (void)worker;
    (void)index;
}

const struct protocol protocol_websocket = {
    .greets = true,
    .begin = begin,
    .room = room,
    .send = send_newest,
    .take = take,
    .closed = closed,
    .expire = connection_expire,
    .end = end,
};
