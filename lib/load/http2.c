/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 (RFC 9113), by nghttp2: streams are answered in any order, and the flights are a heap of
 * places: the last one moves to where one is taken away. */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "load/exchange.h"
#include "load/http2_request.h"
#include "load/protocol.h"

enum {
    WINDOW = (1 << 30) - 1,      /* bytes that may be on their way to us: we are never slow */
    WRITE_SIZE = 64 << 10,       /* bytes that are gathered for one write */
    IDLE_FRAMES_MAX = 10000,     /* SETTINGS and PING of the peer, without an answer */
    ACKNOWLEDGEMENTS_MAX = 1000, /* of ours that the peer does not take */
    SETTINGS_MAX = 32,           /* in a frame */
    CONTINUATIONS_MAX = 8,       /* of a head */
    NO_ERROR = -1,
};

/* A request that was sent. */
struct stream {
    int32_t id;
    uint32_t flight; /* its place; WORKER_NONE: nobody waits for the answer any more */
    uint32_t next;   /* that is free */
    int status;      /* 0: not yet */
    unsigned interim;
    bool reset;  /* by the peer */
    bool bodied; /* it has, or had, a body to send */
    bool looked; /* the observer was asked for */
    size_t head; /* bytes of fields of the answer */
    const struct sonde_response_observer *observer;
    struct sonde_str left; /* of the body */
    struct sonde_buf body; /* one that is made for this time alone */
};

struct http2 {
    nghttp2_session *session;
    struct worker *worker;
    struct connection *connection;
    struct stream *streams, *current; /* of the head that comes in */
    uint32_t *at;                     /* the stream of each flight */
    uint32_t free, open;              /* the first free stream; how many are not */
    uint32_t most;                    /* … that the peer allows */
    uint32_t bodied, observed;        /* … that are so */
    unsigned idle_frames;
    bool draining;     /* no more requests are taken */
    int error;         /* of the connection: enum sonde_load_error */
    int64_t heard_ns;  /* something came */
    int64_t pinged_ns; /* a PING is unanswered; 0: none */
    int64_t barred_ns; /* since then the peer allows no streams; 0: it does */
};

static uint32_t room(const struct worker *worker, const struct connection *connection)
{
    const struct http2 *h = connection->own;
    uint32_t most = worker->plan->pipelining;
    most = h->most < most ? h->most : most;
    return h->draining || h->open >= most ? 0 : most - h->open;
}

/* ---- streams ---- */

static struct stream *take_stream(struct http2 *h, uint32_t flight)
{
    uint32_t number = h->free;
    struct stream *s = &h->streams[number];
    struct sonde_buf body = s->body;
    h->free = s->next;
    h->open++;
    *s = (struct stream){.flight = flight, .next = WORKER_NONE, .body = body};
    h->at[flight] = number;
    return s;
}

static void free_stream(struct http2 *h, struct stream *s)
{
    sonde_buf_clear(&s->body);
    h->bodied -= s->bodied;
    h->observed -= s->observer != NULL;
    s->next = h->free;
    h->free = (uint32_t)(s - h->streams);
    h->open--;
}

/* Nobody waits for its answer any more. */
static void remove_flight(struct http2 *h, struct stream *s)
{
    struct connection *c = h->connection;
    uint32_t hole = s->flight;
    uint32_t last = --c->count;
    s->flight = WORKER_NONE;
    if (hole != last) {
        c->flights[hole] = c->flights[last];
        h->at[hole] = h->at[last];
        h->streams[h->at[hole]].flight = hole;
    }
}

static void answered(struct http2 *h, struct stream *s)
{
    h->idle_frames = 0;
    exchange_answered(h->worker, h->connection, &h->connection->flights[s->flight], s->status);
    remove_flight(h, s);
}

static void failed(struct http2 *h, struct stream *s, enum sonde_load_error error)
{
    exchange_failed(h->worker, h->connection, &h->connection->flights[s->flight], error);
    remove_flight(h, s);
}

static struct stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

/* ---- what nghttp2 tells ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2 *h = context;
    struct stream *s = stream_of(session, frame->hd.stream_id);
    h->current = s;
    if (s && !s->looked && s->flight != WORKER_NONE) {
        s->looked = true;
        s->observer =
            exchange_observer(h->worker, h->connection, &h->connection->flights[s->flight]);
        h->observed += s->observer != NULL;
    }
    return 0;
}

/* ":status" of three digits, as nghttp2 has made sure. */
static bool read_status(struct stream *s, const uint8_t *value, size_t length)
{
    uint64_t status = 0;
    if (sonde_parse_u64((struct sonde_str){(const char *)value, length}, 100, SONDE_LOAD_STATUS_MAX,
                        &status) < 0) {
        return false;
    }
    s->status = (int)status;
    s->interim += status < 200;
    return s->interim <= SONDE_RESPONSE_INTERIM_MAX;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *context)
{
    struct http2 *h = context;
    struct stream *s = h->current;
    (void)session;
    (void)frame;
    (void)flags;
    if (!s) {
        return 0;
    }
    bool good = true;
    s->head += name_length + value_length;
    if (name_length && name[0] == ':') {
        good = read_status(s, value, value_length);
    } else if (s->observer && s->observer->field && s->status >= 200) {
        good = s->observer->field(s->observer->context,
                                  (struct sonde_str){(const char *)name, name_length},
                                  (struct sonde_str){(const char *)value, value_length}, NULL) == 0;
    }
    /* The stream is reset for it, and told to be closed. */
    return good && s->head <= SONDE_RESPONSE_HEAD_MAX ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t length, void *context)
{
    const struct http2 *h = context;
    struct stream *s = h->observed ? stream_of(session, id) : NULL;
    (void)flags;
    if (s && s->observer && s->observer->body &&
        s->observer->body(s->observer->context, (const char *)data, length, NULL) < 0) {
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
    }
    return 0;
}

/* The answer is whole. Its stream closes by itself, unless the peer did not want all of the
 * request's body: RFC 9113, 8.1. */
static int ended(struct http2 *h, int32_t id)
{
    struct stream *s = h->bodied ? stream_of(h->session, id) : NULL;
    if (!s || s->flight == WORKER_NONE || s->status < 200 ||
        nghttp2_session_get_stream_local_close(h->session, id) != 0) {
        return 0;
    }
    answered(h, s);
    return nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

static void take_settings(struct http2 *h)
{
    h->most =
        nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    h->barred_ns = h->most ? 0 : h->barred_ns ? h->barred_ns : h->worker->now_ns;
}

static void mark_reset(struct http2 *h, int32_t id)
{
    struct stream *s = stream_of(h->session, id);
    if (s) {
        s->reset = true;
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2 *h = context;
    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        return frame->hd.flags & NGHTTP2_FLAG_END_STREAM ? ended(h, frame->hd.stream_id) : 0;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
            take_settings(h);
        }
        h->idle_frames++;
        break;
    case NGHTTP2_PING:
        h->idle_frames++;
        break;
    case NGHTTP2_RST_STREAM:
        mark_reset(h, frame->hd.stream_id);
        break;
    case NGHTTP2_GOAWAY:
        h->draining = true;
        break;
    default:
        break;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
    struct http2 *h = context;
    struct stream *s = stream_of(session, id);
    if (!s) {
        return 0;
    }
    if (s->flight != WORKER_NONE) {
        if (code == NGHTTP2_NO_ERROR && !s->reset && s->status >= 200) {
            answered(h, s);
        } else {
            bool refused = s->reset || code == NGHTTP2_REFUSED_STREAM;
            failed(h, s, refused ? SONDE_LOAD_RESET : SONDE_LOAD_PROTOCOL);
        }
    }
    h->current = h->current == s ? NULL : h->current;
    free_stream(h, s);
    return 0;
}

/* We have found that the peer breaks the rules, and say so. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http2 *h = context;
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        h->error = SONDE_LOAD_PROTOCOL;
    }
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct stream *s = source->ptr;
    size_t length = s->left.length < size ? s->left.length : size;
    (void)session;
    (void)id;
    (void)context;
    memcpy(to, s->left.data, length);
    s->left = (struct sonde_str){s->left.data + length, s->left.length - length};
    *flags |= s->left.length ? 0 : NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)length;
}

/* ---- beginning and end ---- */

static int make_session(struct http2 *h)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int r = nghttp2_session_callbacks_new(&callbacks);
    r = r ? r : nghttp2_option_new(&option);
    if (r == 0) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
        nghttp2_option_set_peer_max_concurrent_streams(option, SONDE_LOAD_PIPELINING_MAX);
        nghttp2_option_set_max_outbound_ack(option, ACKNOWLEDGEMENTS_MAX);
        nghttp2_option_set_max_settings(option, SETTINGS_MAX);
        nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
        r = nghttp2_session_client_new2(&h->session, callbacks, h, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return r;
}

static int introduce(struct http2 *h)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, SONDE_RESPONSE_HEAD_MAX},
    };
    int r =
        nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, SONDE_LENGTH(settings));
    return r ? r : nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, WINDOW);
}

static void end(struct connection *connection)
{
    struct http2 *h = connection->own;
    if (!h) {
        return;
    }
    nghttp2_session_del(h->session);
    for (uint32_t i = 0; h->streams && i < h->worker->plan->pipelining; i++) {
        sonde_buf_fini(&h->streams[i].body);
    }
    free(h->streams);
    free(h->at);
    free(h);
    connection->own = NULL;
}

static bool begin(struct worker *worker, uint32_t index)
{
    struct connection *c = &worker->connections[index];
    uint32_t count = worker->plan->pipelining;
    struct http2 *h = calloc(1, sizeof(*h));
    c->own = h;
    c->first = 0;
    if (!h) {
        return false;
    }
    /* One until the peer has said how many. */
    *h = (struct http2){.worker = worker, .connection = c, .most = 1, .error = NO_ERROR};
    h->streams = calloc(count, sizeof(*h->streams));
    h->at = calloc(count, sizeof(*h->at));
    if (!h->streams || !h->at) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        h->streams[i].next = i + 1;
        h->streams[i].body = SONDE_BUF(SONDE_LOAD_MESSAGE_MAX);
    }
    return make_session(h) == 0 && introduce(h) == 0;
}

/* ---- writing ---- */

/* What nghttp2 has to be written, up to WRITE_SIZE and a frame, into worker->filled. */
static bool gather(struct http2 *h)
{
    struct sonde_buf *out = &h->worker->filled;
    sonde_buf_clear(out);
    while (out->length < WRITE_SIZE) {
        const uint8_t *data;
        ssize_t length = nghttp2_session_mem_send(h->session, &data);
        if (length <= 0) {
            return length == 0 && out->code == 0;
        }
        sonde_buf_append(out, data, (size_t)length);
    }
    return out->code == 0;
}

/* Writes as long as the socket takes all; the rest stays with nghttp2, which bounds it. False: the
 * connection is gone. */
static bool write_all(struct worker *w, uint32_t index)
{
    struct connection *c = &w->connections[index];
    struct http2 *h = c->own;
    while (c->out.length == 0) {
        if (!gather(h)) {
            connection_fail(w, index, SONDE_LOAD_RESOURCES);
            return false;
        }
        if (w->filled.length == 0) {
            break;
        }
        struct iovec piece = {w->filled.data, w->filled.length};
        if (!connection_write(w, index, &piece, 1)) {
            return false;
        }
    }
    return true;
}

/* Whether the connection has a future; else it has none at all any more. */
static bool go_on(struct worker *w, uint32_t index)
{
    const struct connection *c = &w->connections[index];
    const struct http2 *h = c->own;
    if (h->error != NO_ERROR) {
        connection_fail(w, index, (enum sonde_load_error)h->error);
        return false;
    }
    if (c->count == 0 && (h->draining || connection_is_spent(w, c))) {
        connection_fail(w, index, SONDE_LOAD_RESET);
        return false;
    }
    return true;
}

static void flush(struct worker *worker, uint32_t index)
{
    if (write_all(worker, index)) {
        (void)go_on(worker, index);
    }
}

/* As nghttp2 takes it: the fields are copied, and the body stays with the stream. */
static bool fill(struct worker *w, const struct connection *c,
                 const struct sonde_load_request *request, struct stream *s,
                 nghttp2_nv fields[SONDE_LOAD_HTTP2_FIELDS_MAX],
                 struct sonde_load_http2_request *ret)
{
    sonde_buf_clear(&w->filled);
    exchange_fill(w, c, request, &w->filled);
    if (w->filled.code || sonde_load_http2_request_split(w->filled.data, w->filled.length,
                                                         request->secure, fields, ret, NULL) < 0) {
        return false;
    }
    sonde_buf_str(&s->body, ret->body);
    ret->body = sonde_buf_view(&s->body);
    return s->body.code == 0;
}

static bool submit(struct worker *w, struct connection *c, uint32_t flight)
{
    struct http2 *h = c->own;
    const struct sonde_load_request *request = exchange_request(w, c, &c->flights[flight]);
    struct stream *s = take_stream(h, flight);
    SONDE_UNCLEARED nghttp2_nv fields[SONDE_LOAD_HTTP2_FIELDS_MAX];
    struct sonde_load_http2_request made;
    if (!request->http2 && !fill(w, c, request, s, fields, &made)) {
        return false;
    }
    const struct sonde_load_http2_request *own = request->http2 ? request->http2 : &made;
    const nghttp2_data_provider provider = {{.ptr = s}, read_body};
    s->left = own->body;
    s->bodied = own->body.length > 0;
    h->bodied += s->bodied;
    s->id = nghttp2_submit_request(h->session, NULL, own->fields, own->count,
                                   s->bodied ? &provider : NULL, s);
    return s->id > 0;
}

static void send_newest(struct worker *worker, uint32_t index, uint32_t count)
{
    struct connection *c = &worker->connections[index];
    uint32_t before = c->count - count;
    for (uint32_t i = 0; i < count; i++) {
        if (!submit(worker, c, before + i)) {
            connection_fail(worker, index, SONDE_LOAD_RESOURCES);
            return;
        }
    }
    flush(worker, index);
}

/* ---- reading ---- */

static bool take(struct worker *worker, uint32_t index, const char *data, size_t length)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    struct http2 *h = c->own;
    h->heard_ns = w->now_ns;
    ssize_t used = nghttp2_session_mem_recv(h->session, (const uint8_t *)data, length);
    if (used < 0 || h->idle_frames > IDLE_FRAMES_MAX) {
        h->error = used == NGHTTP2_ERR_NOMEM ? SONDE_LOAD_RESOURCES : SONDE_LOAD_PROTOCOL;
        return go_on(w, index);
    }
    h->draining = h->draining || !nghttp2_session_check_request_allowed(h->session);
    bool ends = h->draining || connection_is_spent(w, c);
    return !ends || (write_all(w, index) && go_on(w, index));
}

/* An answer of HTTP/2 does not end so. */
static void closed(struct worker *worker, uint32_t index)
{
    (void)worker;
    (void)index;
}

/* RFC 9113, 6.5.2: a server should allow none for a short time only. It may be meant for good. */
static bool is_barred(const struct http2 *h, int64_t before_ns)
{
    return h->barred_ns && h->barred_ns <= before_ns && h->connection->count == 0;
}

/* Nothing came since it was asked whether it is there, for as long as an answer may take. */
static bool is_dead(struct http2 *h, int64_t before_ns)
{
    if (h->heard_ns >= h->pinged_ns) {
        h->pinged_ns = 0;
    }
    return h->pinged_ns && h->pinged_ns <= before_ns;
}

/* The streams alone, as long as the connection lives. */
static void expire(struct worker *worker, uint32_t index, int64_t before_ns)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    struct http2 *h = c->own;
    bool any = false;
    int r = 0;
    for (uint32_t i = c->count; i-- > 0 && r == 0;) {
        if (c->flights[i].times.sent_ns <= before_ns) {
            struct stream *s = &h->streams[h->at[i]];
            failed(h, s, SONDE_LOAD_TIMEOUT);
            r = nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
            any = true;
        }
    }
    if (r || is_dead(h, before_ns)) {
        connection_fail(w, index, r ? SONDE_LOAD_RESOURCES : SONDE_LOAD_RESET);
        return;
    }
    if (is_barred(h, before_ns)) {
        connection_fail(w, index, SONDE_LOAD_TIMEOUT);
        return;
    }
    if (any && h->pinged_ns == 0) {
        h->pinged_ns = w->now_ns;
        (void)nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
    }
    if (any && write_all(w, index) && go_on(w, index)) {
        worker_freed(w, index);
    }
}

const struct protocol protocol_http2 = {
    .begin = begin,
    .room = room,
    .send = send_newest,
    .take = take,
    .closed = closed,
    .expire = expire,
    .flush = flush,
    .end = end,
};
