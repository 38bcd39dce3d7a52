/* SPDX-License-Identifier: Apache-2.0 */
#include "http/websocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/random.h"
#include "http/websocket_frames.h"
#include "http/websocket_handshake.h"

enum state {
    IDLE,
    CONNECTING,
    HANDSHAKING,
    OPEN,
    CLOSING, /* our close frame is queued: the peer is to answer it, and to hang up */
    LEAVING, /* closed before it was open: only `closed` is to be called */
    ENDED,
};

enum {
    /* Beside the messages: the handshake's request, or pongs and a close frame. */
    CONTROL_ROOM = 4096,
};

struct sonde_websocket {
    uv_poll_t poll;                         /* the handle: what libuv knows of it */
    struct sonde_websocket_options options; /* strings are not kept */
    struct sonde_loop *loop;
    struct sonde_timer *timeout; /* of the handshake, then of the close */
    struct sonde_buf queue;      /* of bytes that wait to be sent */
    struct sonde_handshake handshake;
    struct sonde_frames frames;
    struct sonde_err err;
    enum state state;
    int fd;
    bool polling; /* the handle is initialised */
    bool paused;
    bool peer_closed; /* its close frame has come */
    bool freed;
    char input[SONDE_WEBSOCKET_PIECE_MAX];
};

/* ---- the end ---- */

static void free_socket(void *memory)
{
    struct sonde_websocket *s = memory;
    sonde_handshake_fini(&s->handshake);
    sonde_buf_fini(&s->queue);
    free(s);
}

static void poll_closed(uv_handle_t *handle)
{
    struct sonde_websocket *s = handle->data;
    s->polling = false;
    if (s->freed) {
        free_socket(s);
    }
}

/* Lets go of the connection; the memory stays until libuv has let go of its handle. */
static void disconnect(struct sonde_websocket *s)
{
    if (s->polling && !uv_is_closing((uv_handle_t *)&s->poll)) {
        uv_close((uv_handle_t *)&s->poll, poll_closed);
    }
    sonde_closep(&s->fd);
    s->fd = -1;
    s->state = ENDED;
}

/* With the reason that is in s->err. */
static void end(struct sonde_websocket *s)
{
    bool asked = s->state == CLOSING || s->state == LEAVING;
    sonde_timer_stop(s->timeout);
    disconnect(s);
    if (asked && (s->err.code == SONDE_ENETWORK || s->err.code == SONDE_ETIMEOUT)) {
        sonde_err_clear(&s->err); /* how it ended does not matter any more */
    }
    s->options.closed(s->options.context, &s->err);
}

static void lose(struct sonde_websocket *s, const char *what, int sys)
{
    (void)sonde_fail(&s->err, SONDE_ENETWORK, sys, "WebSocket: %s", what);
    end(s);
}

static void timed_out(void *context)
{
    struct sonde_websocket *s = context;
    (void)sonde_fail(&s->err, SONDE_ETIMEOUT, 0, "WebSocket: no %s in time",
                     s->state == CLOSING ? "answer to our close" : "handshake");
    end(s);
}

/* ---- sending ---- */

static void queue_frame(struct sonde_websocket *s, enum sonde_frame_opcode opcode,
                        struct sonde_str payload)
{
    unsigned char mask[SONDE_FRAME_MASK_SIZE];
    sonde_random_bytes(mask, sizeof(mask));
    sonde_frame_write(&s->queue, opcode, payload, mask);
}

static void queue_close(struct sonde_websocket *s, uint16_t status)
{
    const char bytes[] = {(char)(status >> 8), (char)status};
    queue_frame(s, SONDE_FRAME_CLOSE, (struct sonde_str){bytes, status ? sizeof(bytes) : 0});
}

/* What the connection takes at once. A negative errno. */
static int send_queued(struct sonde_websocket *s)
{
    size_t sent = 0;
    int r = 0;
    while (sent < s->queue.length && r == 0) {
        ssize_t count =
            send(s->fd, s->queue.data + sent, s->queue.length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0) {
            sent += (size_t)count;
        } else if (errno != EINTR) {
            r = -errno;
        }
    }
    sonde_buf_consume(&s->queue, sent);
    return r == -EAGAIN || r == -EWOULDBLOCK ? 0 : r;
}

/* The peer is told why, as far as that is possible at once. */
static void fail(struct sonde_websocket *s)
{
    if (s->state == OPEN) {
        queue_close(s, s->err.code == SONDE_EPROTOCOL ? SONDE_FRAME_STATUS_PROTOCOL
                       : s->err.code == SONDE_ELIMIT  ? SONDE_FRAME_STATUS_TOO_BIG
                                                      : SONDE_FRAME_STATUS_NORMAL);
        (void)send_queued(s);
    }
    end(s);
}

/* ---- receiving ---- */

static void begin_closing(struct sonde_websocket *s)
{
    s->state = CLOSING;
    queue_close(s, SONDE_FRAME_STATUS_NORMAL);
    sonde_timer_start(s->timeout, SONDE_WEBSOCKET_CLOSE_NS, 0);
}

/* What the peer closes by itself is answered, and over; an answer to ours leaves it to the peer to
 * hang up (RFC 6455 §7.1.1). */
static void take_close(struct sonde_websocket *s, uint16_t status)
{
    s->peer_closed = true;
    if (s->state == CLOSING) {
        return;
    }
    (void)sonde_fail(&s->err, SONDE_ENETWORK, 0, "WebSocket: the peer closed it (%u)",
                     status ? status : SONDE_FRAME_STATUS_NONE);
    queue_close(s, status);
    (void)send_queued(s);
    end(s);
}

static int take_message(struct sonde_websocket *s, const struct sonde_frame_piece *piece)
{
    /* Also while closing: what was asked for before may still come. */
    return s->options.fragment(s->options.context, piece->data.data, piece->data.length,
                               piece->first, piece->last, &s->err);
}

static int take_piece(struct sonde_websocket *s, const struct sonde_frame_piece *piece)
{
    switch (piece->opcode) {
    case SONDE_FRAME_CLOSE:
        take_close(s, piece->status);
        return 0;
    case SONDE_FRAME_PING:
        queue_frame(s, SONDE_FRAME_PONG, piece->data);
        return sonde_buf_check(&s->queue, "what waits to be sent to the peer", &s->err);
    case SONDE_FRAME_PONG:
        return 0;
    default:
        return take_message(s, piece);
    }
}

static void take_frames(struct sonde_websocket *s, struct sonde_str input)
{
    while (s->state != ENDED && !s->peer_closed) {
        struct sonde_frame_piece piece;
        int r = sonde_frames_read(&s->frames, &input, &piece, &s->err);
        if (r == 0) {
            return;
        }
        r = r < 0 ? r : take_piece(s, &piece);
        if (r < 0 && s->state != ENDED) {
            fail(s);
        }
    }
}

/* Returns what is left of the input. */
static struct sonde_str take_answer(struct sonde_websocket *s, struct sonde_str input)
{
    int r = sonde_handshake_read(&s->handshake, &input, &s->err);
    if (r < 0) {
        end(s);
    } else if (r > 0) {
        sonde_handshake_fini(&s->handshake);
        sonde_timer_stop(s->timeout);
        s->state = OPEN;
        s->options.opened(s->options.context);
    }
    return input;
}

static void receive(struct sonde_websocket *s)
{
    ssize_t count = recv(s->fd, s->input, sizeof(s->input), MSG_DONTWAIT);
    if (count < 0) {
        if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) {
            lose(s, "the connection broke", errno);
        }
        return;
    }
    if (count == 0) {
        lose(s, "the peer closed the connection", 0);
        return;
    }
    struct sonde_str input = {s->input, (size_t)count};
    if (s->state == HANDSHAKING) {
        input = take_answer(s, input);
    }
    if (s->state == OPEN || s->state == CLOSING) {
        take_frames(s, input);
    }
}

/* ---- the connection ---- */

static void ready(uv_poll_t *poll, int status, int events);

/* Has the loop wait for what the state needs. */
static void watch(struct sonde_websocket *s)
{
    if (s->state == IDLE || s->state == ENDED) {
        return;
    }
    int events = s->state == CONNECTING || s->queue.length ? UV_WRITABLE : 0;
    events |= s->state == CONNECTING || s->paused ? 0 : UV_READABLE;
    events = s->state == LEAVING ? 0 : events;
    /* It can only fail for a handle that is closing. */
    (void)(events ? uv_poll_start(&s->poll, events, ready) : uv_poll_stop(&s->poll));
}

static void check_connected(struct sonde_websocket *s)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error) {
        lose(s, "cannot connect", error ? error : errno);
        return;
    }
    s->state = HANDSHAKING;
}

/* libuv reports an error of the socket as a status: recv and send say which one. */
static void ready(uv_poll_t *poll, int status, int events)
{
    struct sonde_websocket *s = poll->data;
    events = status < 0 ? UV_READABLE | UV_WRITABLE : events;
    if (s->state == CONNECTING) {
        check_connected(s);
    }
    if (s->state != ENDED && events & UV_READABLE && !s->paused) {
        receive(s);
    }
    if (s->state != ENDED && s->state != CONNECTING && s->queue.length) {
        int error = send_queued(s);
        if (error < 0) {
            lose(s, "the connection broke while sending", -error);
        }
    }
    watch(s);
}

static int parse_address(const struct sonde_websocket_options *options,
                         struct sockaddr_storage *ret, socklen_t *ret_size, struct sonde_err *err)
{
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
    *ret = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, options->host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(options->port);
        *ret_size = sizeof(*four);
        return 0;
    }
    if (inet_pton(AF_INET6, options->host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(options->port);
        *ret_size = sizeof(*six);
        return 0;
    }
    return sonde_fail(err, SONDE_EINVALID, 0, "WebSocket: '%.64s' is no IP address", options->host);
}

static int connect_to(struct sonde_websocket *s, const struct sockaddr_storage *address,
                      socklen_t size, struct sonde_err *err)
{
    const int on = 1;
    s->fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "WebSocket: create a socket");
    }
    (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(s->fd, (const struct sockaddr *)address, size) < 0 && errno != EINPROGRESS) {
        return sonde_fail(err, SONDE_ENETWORK, errno, "WebSocket: cannot connect");
    }
    int code = uv_poll_init(sonde_loop_uv(s->loop), &s->poll, s->fd);
    if (code < 0) {
        return sonde_fail(err, code == UV_ENOMEM ? SONDE_ENOMEM : SONDE_EIO, -code,
                          "WebSocket: watch a socket");
    }
    s->poll.data = s;
    s->polling = true;
    return 0;
}

static int queue_request(struct sonde_websocket *s, const struct sonde_websocket_options *options,
                         struct sonde_err *err)
{
    char authority[INET6_ADDRSTRLEN + 16];
    unsigned char nonce[SONDE_HANDSHAKE_NONCE_SIZE];
    bool six = strchr(options->host, ':') != NULL;
    (void)snprintf(authority, sizeof(authority), six ? "[%s]:%u" : "%s:%u", options->host,
                   options->port);
    sonde_random_bytes(nonce, sizeof(nonce));
    return sonde_handshake_begin(&s->handshake, authority, options->path, nonce, &s->queue, err);
}

/* ---- the interface ---- */

int sonde_websocket_new(struct sonde_loop *loop, struct sonde_websocket **ret,
                        struct sonde_err *err)
{
    struct sonde_websocket *s = calloc(1, sizeof(*s));
    if (!s) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "WebSocket: out of memory");
    }
    s->loop = loop;
    s->fd = -1;
    s->queue = SONDE_BUF(SONDE_WEBSOCKET_QUEUE_MAX + CONTROL_ROOM);
    int r = sonde_timer_new(loop, timed_out, s, &s->timeout, err);
    if (r < 0) {
        free_socket(s);
        return r;
    }
    *ret = s;
    return 0;
}

int sonde_websocket_connect(struct sonde_websocket *socket,
                            const struct sonde_websocket_options *options, struct sonde_err *err)
{
    struct sockaddr_storage address;
    socklen_t size;
    int r = parse_address(options, &address, &size, err);
    r = r < 0 ? r : queue_request(socket, options, err);
    r = r < 0 ? r : connect_to(socket, &address, size, err);
    if (r < 0) {
        return r;
    }
    socket->options = *options;
    socket->options.host = NULL;
    socket->options.path = NULL;
    sonde_frames_init(&socket->frames, options->message_max);
    socket->state = CONNECTING;
    sonde_timer_start(socket->timeout, options->connect_timeout_ns, 0);
    watch(socket);
    return 0;
}

int sonde_websocket_send(struct sonde_websocket *socket, const char *text, size_t length,
                         struct sonde_err *err)
{
    if (socket->state != OPEN) {
        return sonde_fail(err, SONDE_ENETWORK, 0, "WebSocket: the connection is closed");
    }
    size_t room = SONDE_WEBSOCKET_QUEUE_MAX - SONDE_FRAME_HEAD_MAX;
    if (length > room || socket->queue.length > room - length) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "WebSocket: %zu bytes wait to be sent already",
                          socket->queue.length);
    }
    queue_frame(socket, SONDE_FRAME_TEXT, (struct sonde_str){text, length});
    int r = sonde_buf_check(&socket->queue, "the WebSocket's queue", err);
    if (r == 0) {
        watch(socket);
    }
    return r;
}

void sonde_websocket_pause(struct sonde_websocket *socket, bool paused)
{
    socket->paused = paused;
    watch(socket);
}

void sonde_websocket_close(struct sonde_websocket *socket)
{
    if (socket->state == OPEN) {
        begin_closing(socket);
    } else if (socket->state == CONNECTING || socket->state == HANDSHAKING) {
        socket->state = LEAVING;
        sonde_timer_start(socket->timeout, 0, 0);
    }
    socket->paused = false;
    watch(socket);
}

void sonde_websocket_free(struct sonde_websocket *socket)
{
    if (!socket || socket->freed) {
        return;
    }
    socket->freed = true;
    sonde_timer_free(SONDE_TAKE(socket->timeout));
    disconnect(socket);
    if (!socket->polling) {
        free_socket(socket);
    }
}
