/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/websocket.h"
#include "peer.h"

enum stage { NEVER, AT_ONCE, IN_OPENED, IN_FRAGMENT, IN_CLOSED };

struct client {
    struct sonde_loop *loop;
    struct sonde_websocket *socket;
    struct sonde_timer *guard;
    struct sonde_buf text; /* of messages, a newline behind each */
    int opened, closed, messages, pieces;
    bool in_message, disorder;
    struct sonde_err err;
    enum stage free_in;
    enum stage close_in; /* AT_ONCE or NEVER */
    const char *host;
    const char *greeting; /* sent when opened */
    int close_after;      /* messages; 0: when opened; -1: never */
    int refuse;           /* what `fragment` returns */
    bool late;
};

static void gave_up(void *context)
{
    struct client *c = context;
    c->late = true;
    sonde_loop_stop(c->loop);
}

static void leave(struct client *c, enum stage stage)
{
    if (c->free_in == stage) {
        sonde_websocket_free(SONDE_TAKE(c->socket));
        sonde_loop_stop(c->loop);
    }
}

static void opened(void *context)
{
    struct client *c = context;
    c->opened++;
    if (c->greeting) {
        assert_int_equal(sonde_websocket_send(c->socket, c->greeting, strlen(c->greeting), NULL),
                         0);
    }
    if (c->close_after == 0) {
        sonde_websocket_close(c->socket);
    }
    leave(c, IN_OPENED);
}

static int fragment(void *context, const char *data, size_t length, bool first, bool last,
                    struct sonde_err *err)
{
    struct client *c = context;
    c->disorder = c->disorder || first == c->in_message || length > SONDE_WEBSOCKET_PIECE_MAX;
    c->in_message = !last;
    c->pieces++;
    sonde_buf_append(&c->text, data, length);
    if (last) {
        sonde_buf_char(&c->text, '\n');
        c->messages++;
    }
    if (c->refuse) {
        return sonde_fail(err, c->refuse, 0, "refused by the test");
    }
    if (last && c->messages == c->close_after) {
        sonde_websocket_close(c->socket);
    }
    leave(c, IN_FRAGMENT);
    return 0;
}

static void closed(void *context, const struct sonde_err *err)
{
    struct client *c = context;
    c->closed++;
    c->err = *err;
    leave(c, IN_CLOSED);
    sonde_loop_stop(c->loop);
}

static struct client new_client(void)
{
    return (struct client){.text = SONDE_BUF(8 << 20), .close_after = -1, .host = "127.0.0.1"};
}

/* Connects, and runs the loop until the connection has ended or was freed. */
static int visit_with(struct client *c, uint16_t port, int64_t timeout_ns, uint64_t message_max,
                      struct sonde_err *err)
{
    struct sonde_websocket_options options = {
        .host = c->host,
        .port = port,
        .path = "/0f2c-1",
        .connect_timeout_ns = timeout_ns,
        .message_max = message_max,
        .context = c,
        .opened = opened,
        .fragment = fragment,
        .closed = closed,
    };
    assert_int_equal(sonde_loop_new(&c->loop, NULL), 0);
    assert_int_equal(sonde_timer_new(c->loop, gave_up, c, &c->guard, NULL), 0);
    sonde_timer_start(c->guard, 20 * SONDE_SECOND, 0);
    assert_int_equal(sonde_websocket_new(c->loop, &c->socket, err), 0);
    int r = sonde_websocket_connect(c->socket, &options, err);
    if (r == 0 && c->close_in == AT_ONCE) {
        sonde_websocket_close(c->socket);
    }
    if (r == 0) {
        leave(c, AT_ONCE);
        sonde_loop_run(c->loop);
    }
    return r;
}

static void leave_client(struct client *c)
{
    sonde_websocket_free(c->socket);
    sonde_timer_free(c->guard);
    sonde_loop_free(c->loop);
    sonde_buf_fini(&c->text);
    assert_false(c->late);
    assert_false(c->disorder);
}

/* A whole visit to a peer of that behaviour. */
static void visit(struct client *c, struct peer *peer, void (*behave)(struct peer *peer, int fd),
                  const void *argument)
{
    peer_begin(peer, behave, argument);
    struct sonde_err err;
    assert_int_equal(visit_with(c, peer->port, 10 * SONDE_SECOND, 1 << 20, &err), 0);
}

static void end_visit(struct client *c, struct peer *peer)
{
    leave_client(c);
    peer_end(peer);
    peer_fini(peer);
}

/* ---- the ordinary ---- */

static void greet_in_fragments(struct peer *peer, int fd)
{
    if (!peer_upgrade(peer, fd)) {
        return;
    }
    peer_send_frame(fd, TEXT, "he", 2);
    peer_send_frame(fd, FIN | PING, "are you there?", 14);
    peer_send_frame(fd, CONTINUATION, "", 0);
    peer_send_frame(fd, CONTINUATION, "ll", 2);
    peer_send_frame(fd, FIN | PONG, "nobody asked", 12);
    peer_send_frame(fd, FIN | CONTINUATION, "o", 1);
    peer_send_frame(fd, FIN | TEXT, "again", 5);
    int first;
    do {
        first = peer_read_frame(fd, &peer->seen);
        sonde_buf_printf(&peer->seen, "|%d ", first);
    } while (first >= 0 && first != (FIN | CLOSE));
}

static void puts_fragments_in_order(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    c.greeting = "hello, peer";
    c.close_after = 2;
    visit(&c, &peer, greet_in_fragments, NULL);
    assert_int_equal(c.opened, 1);
    assert_int_equal(c.closed, 1);
    assert_int_equal(c.err.code, 0);
    assert_string_equal(c.text.data, "hello\nagain\n");
    peer_end(&peer);
    assert_non_null(strstr(peer.request.data, "GET /0f2c-1 HTTP/1.1\r\n"));
    assert_non_null(strstr(peer.request.data, "Host: 127.0.0.1:"));
    assert_non_null(strstr(peer.seen.data, "hello, peer|129 "));
    assert_non_null(strstr(peer.seen.data, "are you there?|138 "));
    leave_client(&c);
    peer_fini(&peer);
}

static const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 65537, 300000};

static void send_lengths(struct peer *peer, int fd)
{
    static char bytes[300000];
    memset(bytes, 'x', sizeof(bytes));
    if (peer_upgrade(peer, fd)) {
        for (size_t i = 0; i < SONDE_LENGTH(lengths); i++) {
            peer_send_frame(fd, FIN | TEXT, bytes, lengths[i]);
        }
        peer_drain(fd);
    }
}

static void reads_every_form_of_length(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    c.close_after = SONDE_LENGTH(lengths);
    visit(&c, &peer, send_lengths, NULL);
    assert_int_equal(c.err.code, 0);
    struct sonde_str rest = sonde_buf_view(&c.text);
    for (size_t i = 0; i < SONDE_LENGTH(lengths); i++) {
        struct sonde_str message = sonde_str_split(&rest, '\n');
        assert_int_equal(message.length, lengths[i]);
    }
    assert_int_equal(rest.length, 0);
    end_visit(&c, &peer);
}

static void send_byte_by_byte(struct peer *peer, int fd)
{
    static const unsigned char frames[] = {
        TEXT, 3, 'a', 'b', 'c', FIN | PING, 1, 'p', FIN | CONTINUATION, 126, 0, 2, 'd', 'e',
    };
    if (peer_upgrade(peer, fd)) {
        for (size_t i = 0; i < sizeof(frames); i++) {
            peer_send(fd, &frames[i], 1);
        }
        peer_drain(fd);
    }
}

static void frames_may_come_in_single_bytes(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    c.close_after = 1;
    visit(&c, &peer, send_byte_by_byte, NULL);
    assert_int_equal(c.err.code, 0);
    assert_string_equal(c.text.data, "abcde\n");
    end_visit(&c, &peer);
}

/* ---- ends ---- */

/* Notes the payload of the frames that come back. */
static void send_bytes(struct peer *peer, int fd)
{
    const struct sonde_str *bytes = peer->argument;
    if (peer_upgrade(peer, fd)) {
        peer_send(fd, bytes->data, bytes->length);
        while (peer_read_frame(fd, &peer->seen) >= 0) {
        }
    }
}

#define BYTES(literal) ((struct sonde_str){"" literal, sizeof(literal) - 1})

static void what_breaks_the_protocol_ends_it(void **state)
{
    (void)state;
    static const struct sonde_str cases[] = {
        BYTES("\x83\x01x"),                                /* a reserved opcode */
        BYTES("\x8b\x01x"),                                /* a reserved control opcode */
        BYTES("\xc1\x01x"),                                /* a reserved bit without an extension */
        BYTES("\x80\x01x"),                                /* goes on with what never began */
        BYTES("\x01\x01x\x81\x01y"),                       /* begins again in the middle */
        BYTES("\x09\x01x"),                                /* a ping in fragments */
        BYTES("\x89\x7e\x01\x00"),                         /* a ping of 256 bytes */
        BYTES("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), /* a negative length */
        BYTES("\x81\x81mask\x15"),                         /* a masked frame */
        BYTES("\x88\x01\x03"),                             /* closes with half a status */
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct client c = new_client();
        struct peer peer;
        visit(&c, &peer, send_bytes, &cases[i]);
        assert_int_equal(c.opened, 1);
        assert_int_equal(c.closed, 1);
        assert_int_equal(c.err.code, SONDE_EPROTOCOL);
        assert_true(c.err.message[0]);
        assert_int_equal(c.messages, 0);
        leave_client(&c);
        peer_end(&peer);
        assert_int_equal(peer.seen.length, 2); /* it is told why */
        assert_memory_equal(peer.seen.data, "\x03\xea", 2);
        peer_fini(&peer);
    }
}

static void an_announced_length_is_not_waited_for(void **state)
{
    (void)state;
    static const struct sonde_str cases[] = {
        BYTES("\x81\x7f\x00\x00\x00\x00\x00\x20\x00\x00x"),
        BYTES("\x01\x04yyyy\x80\x7f\x00\x00\x00\x00\x00\x0f\xff\xfdx"), /* with its fragments */
        BYTES("\x81\x7f\x00\x00\x01\x00\x00\x00\x00\x00x"),
        BYTES("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xffx"),
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct client c = new_client();
        struct peer peer;
        visit(&c, &peer, send_bytes, &cases[i]);
        assert_int_equal(c.closed, 1);
        assert_int_equal(c.err.code, SONDE_ELIMIT);
        assert_int_equal(c.messages, 0);
        end_visit(&c, &peer);
    }
}

static void a_message_has_a_bound(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    peer_begin(&peer, send_lengths, NULL);
    assert_int_equal(visit_with(&c, peer.port, 10 * SONDE_SECOND, 65536, NULL), 0);
    assert_int_equal(c.closed, 1);
    assert_int_equal(c.err.code, SONDE_ELIMIT);
    assert_int_equal(c.messages, 7); /* up to the one of just so many bytes */
    end_visit(&c, &peer);
}

static void the_peer_may_close(void **state)
{
    (void)state;
    static const struct sonde_str cases[] = {
        BYTES("\x88\x00"),         /* without a reason */
        BYTES("\x88\x02\x03\xe9"), /* 1001 */
        BYTES("\x88\x07\x03\xe8later"),
        BYTES("\x01\x02hi\x88\x02\x03\xe8"), /* in the middle of a message */
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct client c = new_client();
        struct peer peer;
        visit(&c, &peer, send_bytes, &cases[i]);
        assert_int_equal(c.closed, 1);
        assert_int_equal(c.err.code, SONDE_ENETWORK); /* we did not ask for it */
        assert_int_equal(c.messages, 0);
        leave_client(&c);
        peer_end(&peer);
        /* It is answered with its status. */
        struct sonde_str seen = sonde_buf_view(&peer.seen);
        assert_true(seen.length == 0 ? i == 0 : sonde_str_contains(cases[i], seen));
        peer_fini(&peer);
    }
}

static void hang_up(struct peer *peer, int fd)
{
    if (peer_upgrade(peer, fd)) {
        peer_send(fd, "\x01\x05he", 4);
        if (peer->argument) {
            peer_reset(fd);
        }
    }
}

static void the_connection_may_break(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct client c = new_client();
        struct peer peer;
        visit(&c, &peer, hang_up, reset ? "reset" : NULL);
        assert_int_equal(c.closed, 1);
        assert_int_equal(c.err.code, SONDE_ENETWORK);
        assert_int_equal(c.messages, 0);
        end_visit(&c, &peer);
    }
}

static void close_rudely(struct peer *peer, int fd)
{
    if (peer_upgrade(peer, fd)) {
        (void)peer_read_frame(fd, &peer->seen); /* the close frame: not answered */
    }
}

static void after_our_close_the_end_is_no_error(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    c.close_after = 0;
    visit(&c, &peer, close_rudely, NULL);
    assert_int_equal(c.closed, 1);
    assert_int_equal(c.err.code, 0);
    assert_int_equal(sonde_websocket_send(c.socket, "x", 1, NULL), SONDE_ENETWORK);
    end_visit(&c, &peer);
}

static void close_well(struct peer *peer, int fd)
{
    if (peer_upgrade(peer, fd)) {
        int first = peer_read_frame(fd, &peer->seen);
        peer_send_frame(fd, FIN | TEXT, "still", 5); /* on its way when the close came */
        peer_send_frame(fd, (unsigned)first, peer->seen.data, peer->seen.length);
        /* Who sent the first close does not hang up first, or this would end. */
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        sonde_buf_printf(&peer->seen, "%d", poll(&wait, 1, 300));
    }
}

static void the_peer_hangs_up_after_our_close(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    c.close_after = 0;
    visit(&c, &peer, close_well, NULL);
    assert_int_equal(c.closed, 1);
    assert_int_equal(c.err.code, 0);
    assert_string_equal(c.text.data, "still\n");
    leave_client(&c);
    peer_end(&peer);
    assert_int_equal(peer.seen.length, 3);
    assert_memory_equal(peer.seen.data,
                        "\x03\xe8"
                        "0",
                        3);
    peer_fini(&peer);
}

static void stay_silent(struct peer *peer, int fd)
{
    if (peer_upgrade(peer, fd)) {
        peer_drain(fd);
    }
}

static void a_close_that_is_not_answered_ends_all_the_same(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    c.close_after = 0;
    int64_t start = sonde_clock_monotonic();
    visit(&c, &peer, stay_silent, NULL);
    assert_true(sonde_clock_monotonic() - start < 2 * SONDE_WEBSOCKET_CLOSE_NS);
    assert_int_equal(c.closed, 1);
    assert_int_equal(c.err.code, 0);
    end_visit(&c, &peer);
}

static void a_callback_may_refuse(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    c.refuse = SONDE_ENOSPACE;
    visit(&c, &peer, greet_in_fragments, NULL);
    assert_int_equal(c.pieces, 1);
    assert_int_equal(c.closed, 1);
    assert_int_equal(c.err.code, SONDE_ENOSPACE);
    assert_string_equal(c.err.message, "refused by the test");
    end_visit(&c, &peer);
}

/* ---- the handshake ---- */

static void answer_raw(struct peer *peer, int fd)
{
    if (peer_read_request(peer, fd)) {
        peer_send_text(fd, peer->argument);
        peer_drain(fd);
    }
}

#define UPGRADE "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
#define WRONG_ACCEPT UPGRADE "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"
#define NO_ACCEPT UPGRADE "\r\n"

static void a_wrong_handshake_is_refused(void **state)
{
    (void)state;
    static const char *const answers[] = {
        WRONG_ACCEPT,
        NO_ACCEPT,
        "HTTP/1.1 400 Bad Request\r\n\r\nWebSockets request was expected",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 101\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "\r\n\r\n\r\n",
    };
    for (size_t i = 0; i < SONDE_LENGTH(answers); i++) {
        struct client c = new_client();
        struct peer peer;
        peer_begin(&peer, answer_raw, answers[i]);
        assert_int_equal(visit_with(&c, peer.port, SONDE_SECOND, 1 << 20, NULL), 0);
        assert_int_equal(c.opened, 0);
        assert_int_equal(c.closed, 1);
        assert_true(c.err.code == SONDE_ENETWORK || c.err.code == SONDE_EPROTOCOL ||
                    c.err.code == SONDE_ETIMEOUT);
        end_visit(&c, &peer);
    }
}

static void a_redirection_is_not_followed(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer elsewhere;
    struct peer peer;
    char answer[128];
    peer_begin(&elsewhere, greet_in_fragments, NULL);
    (void)snprintf(answer, sizeof(answer),
                   "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/\r\n"
                   "Content-Length: 0\r\n\r\n",
                   elsewhere.port);
    visit(&c, &peer, answer_raw, answer);
    assert_int_equal(c.opened, 0);
    assert_int_equal(c.closed, 1);
    assert_int_equal(c.err.code, SONDE_ENETWORK);
    end_visit(&c, &peer);
    peer_end(&elsewhere);
    assert_int_equal(elsewhere.connections, 0);
    peer_fini(&elsewhere);
}

static void send_headers_without_end(struct peer *peer, int fd)
{
    if (peer_read_request(peer, fd)) {
        peer_send_text(fd, "HTTP/1.1 101 Switching Protocols\r\n");
        for (int i = 0; i < 4096; i++) {
            peer_send_text(fd,
                           "X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
        }
        peer_drain(fd);
    }
}

static void endless_headers_are_refused(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    peer_begin(&peer, send_headers_without_end, NULL);
    assert_int_equal(visit_with(&c, peer.port, SONDE_SECOND, 1 << 20, NULL), 0);
    assert_int_equal(c.opened, 0);
    assert_int_equal(c.closed, 1);
    assert_true(c.err.code < 0);
    end_visit(&c, &peer);
}

static void say_little(struct peer *peer, int fd)
{
    if (peer_read_request(peer, fd)) {
        peer_send_text(fd, peer->argument);
        peer_drain(fd);
    }
}

static void silence_times_out(void **state)
{
    (void)state;
    static const char *const answers[] = {"", "HTTP/1.1 101 Switch"};
    for (size_t i = 0; i < SONDE_LENGTH(answers); i++) {
        struct client c = new_client();
        struct peer peer;
        peer_begin(&peer, say_little, answers[i]);
        int64_t start = sonde_clock_monotonic();
        assert_int_equal(visit_with(&c, peer.port, SONDE_SECOND / 5, 1 << 20, NULL), 0);
        assert_true(sonde_clock_monotonic() - start < 5 * SONDE_SECOND);
        assert_int_equal(c.closed, 1);
        assert_int_equal(c.err.code, SONDE_ETIMEOUT);
        end_visit(&c, &peer);
    }
}

static void do_nothing(struct peer *peer, int fd)
{
    (void)peer;
    (void)fd;
}

static void nobody_listens(void **state)
{
    (void)state;
    struct peer peer;
    peer_begin(&peer, do_nothing, NULL);
    peer_end(&peer); /* its port is free again */
    struct client c = new_client();
    struct sonde_err err = {0};
    int r = visit_with(&c, peer.port, 5 * SONDE_SECOND, 1 << 20, &err);
    /* At once or a moment later, but told once. */
    assert_int_equal(r ? err.code : c.err.code, SONDE_ENETWORK);
    assert_int_equal(c.closed, r ? 0 : 1);
    leave_client(&c);
    peer_fini(&peer);
}

static void the_peer_hangs_up_at_once(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    visit(&c, &peer, do_nothing, NULL);
    assert_int_equal(c.opened, 0);
    assert_int_equal(c.closed, 1);
    assert_int_equal(c.err.code, SONDE_ENETWORK);
    end_visit(&c, &peer);
}

static void may_be_closed_before_it_is_open(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    c.close_in = AT_ONCE;
    visit(&c, &peer, greet_in_fragments, NULL);
    assert_int_equal(c.opened, 0);
    assert_int_equal(c.closed, 1);
    assert_int_equal(c.err.code, 0);
    end_visit(&c, &peer);
}

static void only_addresses_are_connected_to(void **state)
{
    (void)state;
    struct client c = new_client();
    struct sonde_err err = {0};
    c.host = "localhost";
    assert_int_equal(visit_with(&c, 1, SONDE_SECOND, 1 << 20, &err), SONDE_EINVALID);
    assert_non_null(strstr(err.message, "'localhost' is no IP address"));
    assert_int_equal(c.closed, 0);
    leave_client(&c);
}

/* ---- freeing, and sending too much ---- */

static void may_be_freed_at_any_stage(void **state)
{
    (void)state;
    static const enum stage stages[] = {AT_ONCE, IN_OPENED, IN_FRAGMENT, IN_CLOSED};
    for (size_t i = 0; i < SONDE_LENGTH(stages); i++) {
        struct client c = new_client();
        struct peer peer;
        c.free_in = stages[i];
        c.greeting = "hello";
        c.close_after = stages[i] == IN_CLOSED ? 2 : -1;
        visit(&c, &peer, greet_in_fragments, NULL);
        assert_null(c.socket);
        assert_int_equal(c.opened, stages[i] == AT_ONCE ? 0 : 1);
        assert_int_equal(c.closed, stages[i] == IN_CLOSED ? 1 : 0);
        assert_int_equal(c.pieces > 0, stages[i] >= IN_FRAGMENT);
        end_visit(&c, &peer);
    }
    sonde_websocket_free(NULL);
}

static void may_be_freed_after_a_failure(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    c.free_in = IN_CLOSED;
    visit(&c, &peer, answer_raw, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    assert_null(c.socket);
    assert_int_equal(c.closed, 1);
    end_visit(&c, &peer);
}

static void flood(void *context)
{
    struct client *c = context;
    static char message[65536];
    memset(message, 'm', sizeof(message));
    struct sonde_err err = {0};
    size_t total = 0;
    int r;
    while ((r = sonde_websocket_send(c->socket, message, sizeof(message), &err)) == 0) {
        total += sizeof(message);
    }
    assert_int_equal(r, SONDE_ELIMIT);
    assert_true(total <= SONDE_WEBSOCKET_QUEUE_MAX);
    assert_true(total > SONDE_WEBSOCKET_QUEUE_MAX / 2);
    assert_true(err.message[0]);
    sonde_websocket_close(c->socket);
    assert_int_equal(sonde_websocket_send(c->socket, "x", 1, NULL), SONDE_ENETWORK);
}

static void read_all_frames(struct peer *peer, int fd)
{
    if (!peer_upgrade(peer, fd)) {
        return;
    }
    while (peer_read_frame(fd, &peer->seen) == (FIN | TEXT)) {
    }
}

static void the_queue_has_a_bound_and_is_sent_before_the_close(void **state)
{
    (void)state;
    struct client c = new_client();
    struct peer peer;
    struct sonde_err err;
    peer_begin(&peer, read_all_frames, NULL);
    struct sonde_websocket_options options = {
        .host = "127.0.0.1",
        .port = peer.port,
        .path = "/",
        .connect_timeout_ns = 5 * SONDE_SECOND,
        .message_max = 100,
        .context = &c,
        .opened = flood,
        .fragment = fragment,
        .closed = closed,
    };
    assert_int_equal(sonde_loop_new(&c.loop, NULL), 0);
    assert_int_equal(sonde_timer_new(c.loop, gave_up, &c, &c.guard, NULL), 0);
    sonde_timer_start(c.guard, 20 * SONDE_SECOND, 0);
    assert_int_equal(sonde_websocket_new(c.loop, &c.socket, &err), 0);
    assert_int_equal(sonde_websocket_connect(c.socket, &options, &err), 0);
    assert_int_equal(sonde_websocket_send(c.socket, "early", 5, NULL), SONDE_ENETWORK);
    sonde_loop_run(c.loop);
    assert_int_equal(c.closed, 1);
    assert_int_equal(c.err.code, 0);
    peer_end(&peer);
    assert_true(peer.seen.length > SONDE_WEBSOCKET_QUEUE_MAX / 2); /* all that was accepted */
    assert_int_equal(peer.seen.length % 65536, 2); /* and the status of the close frame */
    assert_memory_equal(peer.seen.data + peer.seen.length - 2, "\x03\xe8", 2);
    leave_client(&c);
    peer_fini(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_fragments_in_order),
        cmocka_unit_test(reads_every_form_of_length),
        cmocka_unit_test(frames_may_come_in_single_bytes),
        cmocka_unit_test(what_breaks_the_protocol_ends_it),
        cmocka_unit_test(a_message_has_a_bound),
        cmocka_unit_test(an_announced_length_is_not_waited_for),
        cmocka_unit_test(the_peer_may_close),
        cmocka_unit_test(the_connection_may_break),
        cmocka_unit_test(after_our_close_the_end_is_no_error),
        cmocka_unit_test(the_peer_hangs_up_after_our_close),
        cmocka_unit_test(a_close_that_is_not_answered_ends_all_the_same),
        cmocka_unit_test(a_callback_may_refuse),
        cmocka_unit_test(a_wrong_handshake_is_refused),
        cmocka_unit_test(a_redirection_is_not_followed),
        cmocka_unit_test(endless_headers_are_refused),
        cmocka_unit_test(silence_times_out),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(the_peer_hangs_up_at_once),
        cmocka_unit_test(may_be_closed_before_it_is_open),
        cmocka_unit_test(only_addresses_are_connected_to),
        cmocka_unit_test(may_be_freed_at_any_stage),
        cmocka_unit_test(may_be_freed_after_a_failure),
        cmocka_unit_test(the_queue_has_a_bound_and_is_sent_before_the_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
