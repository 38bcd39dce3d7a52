/* SPDX-License-Identifier: Apache-2.0 */
#include "http/websocket.h"

#include <dlfcn.h>
#include <libwebsockets.h>
#include <link.h>
#include <stdlib.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"

/* One libwebsockets context a connection: its memory goes with it. Contexts on a
 * foreign loop die over several rounds of it, so the object outlives its owner's free. */
struct sonde_websocket {
    struct sonde_websocket_options options; /* strings are not kept */
    struct sonde_loop *loop;
    struct lws_context *context;
    struct lws *wsi;
    struct sonde_buf queue; /* of messages: LWS_PRE bytes, a size_t length, the text */
    size_t sent;            /* bytes of the queue that are sent */
    struct sonde_timer *timeout;
    struct sonde_timer *reaper;
    uv_idle_t stage; /* of the reaping: once a round of the loop at most */
    struct sonde_err err;
    uint64_t message_bytes;
    bool first; /* the next piece begins a message */
    bool open;
    bool closing; /* we asked for it */
    bool ended;   /* `closed` was called, or is not wanted any more */
    bool freed;
};

struct message_head {
    size_t length;
    unsigned char room[LWS_PRE];
};

static void end(struct sonde_websocket *s)
{
    s->open = false;
    s->wsi = NULL;
    if (s->ended) {
        return; /* maybe freed: only libwebsockets still holds on to it */
    }
    s->ended = true;
    sonde_timer_stop(s->timeout);
    if (s->closing && s->err.code == SONDE_ENETWORK) {
        sonde_err_clear(&s->err); /* how it ended does not matter any more */
    }
    s->options.closed(s->options.context, &s->err);
}

static int write_next(struct sonde_websocket *s)
{
    if (s->sent == s->queue.length) {
        sonde_buf_clear(&s->queue);
        s->sent = 0;
        return s->closing ? -1 : 0;
    }
    struct message_head head;
    memcpy(&head, s->queue.data + s->sent, sizeof(head));
    unsigned char *text = (unsigned char *)s->queue.data + s->sent + sizeof(head);
    s->sent += sizeof(head) + head.length;
    if (lws_write(s->wsi, text, head.length, LWS_WRITE_TEXT) < (int)head.length) {
        (void)sonde_fail(&s->err, SONDE_ENETWORK, 0,
                         "WebSocket: the connection broke while sending");
        return -1;
    }
    lws_callback_on_writable(s->wsi);
    return 0;
}

static int receive(struct sonde_websocket *s, const char *data, size_t length)
{
    bool last = lws_is_final_fragment(s->wsi) && lws_remaining_packet_payload(s->wsi) == 0;
    s->message_bytes += length;
    /* What a frame announces counts before it arrives. */
    uint64_t announced = lws_remaining_packet_payload(s->wsi);
    if (announced > s->options.message_max ||
        s->message_bytes > s->options.message_max - announced) {
        (void)sonde_fail(&s->err, SONDE_ELIMIT, 0, "WebSocket: a message of more than %llu bytes",
                         (unsigned long long)s->options.message_max);
        return -1;
    }
    bool first = s->first;
    s->first = last;
    if (last) {
        s->message_bytes = 0;
    }
    if (s->ended) {
        return 0;
    }
    return s->options.fragment(s->options.context, data, length, first, last, &s->err) < 0 ? -1 : 0;
}

static void connection_failed(struct sonde_websocket *s, const char *why)
{
    if (!s->err.code) {
        (void)sonde_fail(&s->err, SONDE_ENETWORK, 0, "WebSocket: %s", why ? why : "cannot connect");
    }
    end(s);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *data,
                    size_t length)
{
    (void)user;
    struct lws_context *context = lws_get_context(wsi);
    struct sonde_websocket *s = context ? lws_context_user(context) : NULL;
    if (!s || (s->wsi && s->wsi != wsi)) {
        return 0;
    }
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        if (s->ended) {
            return -1; /* too late */
        }
        if (s->closing) {
            return -1;
        }
        sonde_timer_stop(s->timeout);
        s->open = true;
        s->options.opened(s->options.context);
        return s->ended ? -1 : 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return receive(s, data, length);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return s->open ? write_next(s) : 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        connection_failed(s, data);
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY: /* the only word of some ends during the handshake */
        connection_failed(s, "the peer closed the connection");
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "", .callback = callback, .rx_buffer_size = SONDE_WEBSOCKET_PIECE_MAX},
    {0},
};

static void timed_out(void *context)
{
    struct sonde_websocket *s = context;
    (void)sonde_fail(&s->err, SONDE_ETIMEOUT, 0, "WebSocket: no handshake in time");
    end(s); /* what is left of the connection goes with the context */
}

/* libwebsockets unloads its libuv plugin with the last context, while handles whose callbacks are
 * the plugin's are still closing on our loop: it has to stay. */
static int pin_object(struct dl_phdr_info *object, size_t size, void *context)
{
    (void)size;
    (void)context;
    if (!strstr(object->dlpi_name, "libwebsockets-evlib_uv")) {
        return 0;
    }
    void *handle = dlopen(object->dlpi_name, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
    if (handle) {
        (void)dlclose(handle);
    }
    return 1;
}

static int create_context(struct sonde_websocket *s, struct sonde_err *err)
{
    void *loops[1] = {sonde_loop_uv(s->loop)};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBUV,
        .foreign_loops = loops,
        .user = s,
        .pcontext = &s->context,
        .pt_serv_buf_size = SONDE_WEBSOCKET_PIECE_MAX,
        .fd_limit_per_thread = 16,
    };
    lws_set_log_level(0, NULL);
    s->context = lws_create_context(&info);
    if (!s->context) {
        return sonde_fail(err, SONDE_EIO, 0,
                          "WebSocket: libwebsockets cannot start on libuv: "
                          "install the package libwebsockets-evlib-uv");
    }
    (void)dl_iterate_phdr(pin_object, NULL);
    return 0;
}

static int begin(struct sonde_websocket *s, const struct sonde_websocket_options *options,
                 struct sonde_err *err)
{
    char authority[80];
    bool six = strchr(options->host, ':') != NULL;
    (void)snprintf(authority, sizeof(authority), six ? "[%s]:%u" : "%s:%u", options->host,
                   options->port);
    struct lws_client_connect_info info = {
        .context = s->context,
        .address = options->host,
        .port = options->port,
        .path = options->path,
        .host = authority,
        .ietf_version_or_minus_one = -1,
        .local_protocol_name = "",
        .ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
        .pwsi = &s->wsi,
    };
    sonde_timer_start(s->timeout, options->connect_timeout_ns, 0);
    if (!lws_client_connect_via_info(&info)) {
        return sonde_fail(err, s->err.code ? s->err.code : SONDE_ENETWORK, 0, "%s",
                          s->err.code ? s->err.message : "WebSocket: cannot connect");
    }
    return 0;
}

static void reaped(uv_handle_t *stage)
{
    free(stage->data);
}

static void reap_stage(uv_idle_t *stage)
{
    struct sonde_websocket *s = stage->data;
    (void)uv_idle_stop(stage);
    if (s->context) {
        /* On a foreign loop it takes a call for each stage; the last one sets s->context
         * to NULL through pcontext. */
        lws_context_destroy(s->context);
        return;
    }
    sonde_timer_free(s->reaper);
    sonde_buf_fini(&s->queue);
    uv_close((uv_handle_t *)stage, reaped);
}

/* What a stage closes must be closed before the next one, and the loop does that at the end of a
 * round: a timer alone can fire twice in one. */
static void reap(void *context)
{
    struct sonde_websocket *s = context;
    (void)uv_idle_start(&s->stage, reap_stage);
}

int sonde_websocket_new(struct sonde_loop *loop, struct sonde_websocket **ret,
                        struct sonde_err *err)
{
    struct sonde_websocket *s = calloc(1, sizeof(*s));
    if (!s) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "WebSocket: out of memory");
    }
    s->loop = loop;
    s->queue = SONDE_BUF(SONDE_WEBSOCKET_QUEUE_MAX);
    s->first = true;
    s->ended = true; /* until it is connected */
    int r = sonde_timer_new(loop, reap, s, &s->reaper, err);
    if (r < 0) {
        free(s);
        return r;
    }
    (void)uv_idle_init(sonde_loop_uv(loop), &s->stage); /* cannot fail */
    s->stage.data = s;
    r = sonde_timer_new(loop, timed_out, s, &s->timeout, err);
    r = r < 0 ? r : create_context(s, err);
    if (r < 0) {
        sonde_websocket_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

int sonde_websocket_connect(struct sonde_websocket *socket,
                            const struct sonde_websocket_options *options, struct sonde_err *err)
{
    socket->options = *options;
    socket->options.host = NULL;
    socket->options.path = NULL;
    int r = begin(socket, options, err); /* a failure within is its result, not a callback */
    if (r < 0) {
        sonde_timer_stop(socket->timeout);
        return r;
    }
    socket->ended = false;
    return 0;
}

int sonde_websocket_send(struct sonde_websocket *socket, const char *text, size_t length,
                         struct sonde_err *err)
{
    if (!socket->open || socket->closing) {
        return sonde_fail(err, SONDE_ENETWORK, 0, "WebSocket: the connection is closed");
    }
    struct message_head head = {.length = length};
    if (socket->sent == socket->queue.length) {
        sonde_buf_clear(&socket->queue);
        socket->sent = 0;
    }
    if (length > socket->queue.maximum - socket->queue.length ||
        sizeof(head) > socket->queue.maximum - socket->queue.length - length) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "WebSocket: %zu bytes wait to be sent already",
                          socket->queue.length);
    }
    sonde_buf_append(&socket->queue, &head, sizeof(head));
    sonde_buf_append(&socket->queue, text, length);
    int r = sonde_buf_check(&socket->queue, "the WebSocket's queue", err);
    if (r < 0) {
        return r;
    }
    lws_callback_on_writable(socket->wsi);
    return 0;
}

void sonde_websocket_pause(struct sonde_websocket *socket, bool paused)
{
    if (socket->wsi && socket->open) {
        (void)lws_rx_flow_control(socket->wsi, paused ? 0 : 1);
    }
}

void sonde_websocket_close(struct sonde_websocket *socket)
{
    socket->closing = true;
    if (socket->wsi) {
        lws_callback_on_writable(socket->wsi);
    }
}

void sonde_websocket_free(struct sonde_websocket *socket)
{
    if (!socket || socket->freed) {
        return;
    }
    socket->freed = true;
    socket->ended = true;
    sonde_timer_free(SONDE_TAKE(socket->timeout));
    /* Never destroy a context from within its own callback: do it on a later round. */
    sonde_timer_start(socket->reaper, 0, SONDE_MILLISECOND);
}
