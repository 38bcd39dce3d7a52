/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/client.h"
#include "peer.h"

struct exchange {
    struct sonde_loop *loop;
    struct sonde_http_client *client;
    struct sonde_http_request *request;
    struct sonde_timer *guard;
    int done, wanted;
    int status;
    struct sonde_buf body;
    struct sonde_err err;
    char retry_after[16]; /* that header */
    bool late;
};

static void gave_up(void *context)
{
    struct exchange *e = context;
    e->late = true;
    sonde_loop_stop(e->loop);
}

static void finished(void *context, const struct sonde_http_response *response,
                     const struct sonde_err *err)
{
    struct exchange *e = context;
    e->err = *err;
    e->status = response->status;
    sonde_buf_clear(&e->body);
    sonde_buf_str(&e->body, response->body);
    (void)snprintf(e->retry_after, sizeof(e->retry_after), "%.*s",
                   SONDE_STR_ARG(sonde_http_header(response, "RETRY-AFTER")));
    if (++e->done == e->wanted) {
        sonde_loop_stop(e->loop);
    }
}

static void begin(struct exchange *e)
{
    *e = (struct exchange){.body = SONDE_BUF(1 << 20), .wanted = 1};
    assert_int_equal(sonde_loop_new(&e->loop, NULL), 0);
    assert_int_equal(sonde_timer_new(e->loop, gave_up, e, &e->guard, NULL), 0);
    assert_int_equal(sonde_http_client_new(e->loop, &e->client, NULL), 0);
}

static int get(struct exchange *e, uint16_t port, int64_t timeout_ns, size_t body_max)
{
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/json/list", port);
    struct sonde_http_options options = {
        .url = url, .timeout_ns = timeout_ns, .body_max = body_max, .context = e, .done = finished};
    return sonde_http_get(e->client, &options, &e->request, NULL);
}

static void run(struct exchange *e)
{
    sonde_timer_start(e->guard, 20 * SONDE_SECOND, 0);
    sonde_loop_run(e->loop);
    sonde_timer_stop(e->guard);
}

static void end(struct exchange *e)
{
    sonde_http_client_free(e->client);
    sonde_timer_free(e->guard);
    sonde_loop_free(e->loop);
    sonde_buf_fini(&e->body);
    assert_false(e->late);
}

/* Answers with the bytes of the argument, and hangs up. */
static void answer(struct peer *peer, int fd)
{
    const struct sonde_str *bytes = peer->argument;
    if (peer_read_request(peer, fd)) {
        peer_send(fd, bytes->data, bytes->length);
    }
}

/* The same, but one byte a packet. */
static void answer_slowly(struct peer *peer, int fd)
{
    const struct sonde_str *bytes = peer->argument;
    if (peer_read_request(peer, fd)) {
        for (size_t i = 0; i < bytes->length; i++) {
            peer_send(fd, bytes->data + i, 1);
        }
    }
}

#define BYTES(literal) ((struct sonde_str){"" literal, sizeof(literal) - 1})

struct expectation {
    struct sonde_str bytes;
    int code, status;
    const char *body;
};

static void expect(const struct expectation *x, void (*behave)(struct peer *peer, int fd))
{
    struct exchange e;
    struct peer peer;
    begin(&e);
    peer_begin(&peer, behave, &x->bytes);
    assert_int_equal(get(&e, peer.port, 5 * SONDE_SECOND, 64), 0);
    run(&e);
    assert_int_equal(e.done, 1);
    assert_int_equal(e.err.code, x->code);
    assert_int_equal(e.status, x->status);
    if (x->body) {
        assert_string_equal(e.body.data ? e.body.data : "", x->body);
    } else {
        assert_true(e.err.message[0]);
    }
    end(&e);
    peer_end(&peer);
    assert_non_null(strstr(peer.request.data, "GET /json/list HTTP/1.1\r\n"));
    peer_fini(&peer);
}

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define TEN "0123456789"

static void reads_answers(void **state)
{
    (void)state;
    static const struct expectation cases[] = {
        {BYTES(OK "Content-Length: 5\r\n\r\nhello"), 0, 200, "hello"},
        {BYTES(OK "Content-Length: 0\r\n\r\n"), 0, 200, ""},
        {BYTES(OK "Connection: close\r\n\r\nto the end"), 0, 200, "to the end"},
        {BYTES(CHUNKED "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"), 0, 200, "hello"},
        {BYTES(CHUNKED "0\r\nTrailer: x\r\n\r\n"), 0, 200, ""},
        {BYTES("HTTP/1.0 404 Not Found\r\n\r\nno"), 0, 404, "no"},
        {BYTES("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"), 0, 302,
         ""},
        {BYTES("HTTP/1.1 500 x\r\nContent-Length: 1\r\n\r\n!"), 0, 500, "!"},
        {BYTES(OK "Content-Length: 60\r\n\r\n" TEN TEN TEN TEN TEN TEN), 0, 200,
         TEN TEN TEN TEN TEN TEN},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        expect(&cases[i], answer);
        expect(&cases[i], answer_slowly);
    }
}

static void refuses_broken_answers(void **state)
{
    (void)state;
    static const struct expectation cases[] = {
        {BYTES(OK "Content-Length: 9\r\n\r\nhello"), SONDE_ENETWORK, 0, NULL},
        {BYTES(CHUNKED "5\r\nhel"), SONDE_ENETWORK, 0, NULL},
        {BYTES(CHUNKED "xyz\r\nhel\r\n0\r\n\r\n"), SONDE_ENETWORK, 0, NULL},
        {BYTES(""), SONDE_ENETWORK, 0, NULL},
        {BYTES(OK "Content-Length: 70\r\n\r\n" TEN TEN TEN TEN TEN TEN TEN), SONDE_ELIMIT, 0, NULL},
        {BYTES(OK "\r\n" TEN TEN TEN TEN TEN TEN TEN), SONDE_ELIMIT, 0, NULL},
        {BYTES(CHUNKED "46\r\n" TEN TEN TEN TEN TEN TEN TEN "\r\n0\r\n\r\n"), SONDE_ELIMIT, 0,
         NULL},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        expect(&cases[i], answer);
    }
}

static void what_is_not_http_is_an_error(void **state)
{
    (void)state;
    static const struct sonde_str cases[] = {
        BYTES("SSH-2.0-OpenSSH_9.2\r\n"),
        BYTES("\x15\x03\x01\x00\x02\x02\x46"),
        BYTES("HTTP/9.9 200 OK\r\n\r\n"),
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct exchange e;
        struct peer peer;
        begin(&e);
        peer_begin(&peer, answer, &cases[i]);
        assert_int_equal(get(&e, peer.port, 5 * SONDE_SECOND, 64), 0);
        run(&e);
        assert_int_equal(e.done, 1);
        assert_true(e.err.code == SONDE_EPROTOCOL || e.err.code == SONDE_ENETWORK ||
                    e.err.code == SONDE_EINVALID);
        end(&e);
        peer_end(&peer);
        peer_fini(&peer);
    }
}

static void say_nothing(struct peer *peer, int fd)
{
    (void)peer;
    peer_drain(fd);
}

static void silence_times_out(void **state)
{
    (void)state;
    struct exchange e;
    struct peer peer;
    begin(&e);
    peer_begin(&peer, say_nothing, NULL);
    int64_t start = sonde_clock_monotonic();
    assert_int_equal(get(&e, peer.port, SONDE_SECOND / 5, 64), 0);
    run(&e);
    assert_true(sonde_clock_monotonic() - start < 5 * SONDE_SECOND);
    assert_int_equal(e.done, 1);
    assert_int_equal(e.err.code, SONDE_ETIMEOUT);
    end(&e);
    peer_end(&peer);
    peer_fini(&peer);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct exchange e;
    struct peer peer;
    peer_begin(&peer, say_nothing, NULL);
    peer_end(&peer); /* its port is free again */
    begin(&e);
    assert_int_equal(get(&e, peer.port, 5 * SONDE_SECOND, 64), 0);
    run(&e);
    assert_int_equal(e.done, 1);
    assert_int_equal(e.err.code, SONDE_ENETWORK);
    end(&e);
    peer_fini(&peer);
}

static void a_cancelled_request_makes_no_callback(void **state)
{
    (void)state;
    static const struct sonde_str hello = BYTES(OK "Content-Length: 5\r\n\r\nhello");
    struct exchange e;
    struct peer peer;
    struct peer silent;
    begin(&e);
    peer_begin(&silent, say_nothing, NULL);
    peer_begin(&peer, answer, &hello);
    assert_int_equal(get(&e, silent.port, 5 * SONDE_SECOND, 64), 0);
    sonde_http_cancel(e.request); /* before anything happened */
    assert_int_equal(get(&e, silent.port, 5 * SONDE_SECOND, 64), 0);
    struct sonde_http_request *waiting = e.request;
    assert_int_equal(get(&e, peer.port, 5 * SONDE_SECOND, 64), 0);
    run(&e); /* the second is under way when the third is answered */
    assert_int_equal(e.done, 1);
    assert_string_equal(e.body.data, "hello");
    sonde_http_cancel(waiting);
    assert_int_equal(e.done, 1);
    end(&e);
    peer_end(&peer);
    peer_end(&silent);
    peer_fini(&peer);
    peer_fini(&silent);
}

static void freeing_the_client_cancels(void **state)
{
    (void)state;
    struct exchange e;
    struct peer peer;
    begin(&e);
    peer_begin(&peer, say_nothing, NULL);
    assert_int_equal(get(&e, peer.port, 5 * SONDE_SECOND, 64), 0);
    assert_int_equal(get(&e, peer.port, 5 * SONDE_SECOND, 64), 0);
    for (int i = 0; i < 10; i++) {
        sonde_loop_poll(e.loop);
    }
    end(&e);
    assert_int_equal(e.done, 0);
    peer_end(&peer);
    peer_fini(&peer);
}

static void several_requests_at_once(void **state)
{
    (void)state;
    static const struct sonde_str hello = BYTES(OK "Connection: close\r\n\r\nhello");
    struct exchange e;
    struct peer peer;
    begin(&e);
    e.wanted = 5;
    peer_begin(&peer, answer, &hello);
    for (int i = 0; i < e.wanted; i++) {
        assert_int_equal(get(&e, peer.port, 5 * SONDE_SECOND, 64), 0);
    }
    run(&e);
    assert_int_equal(e.done, 5);
    assert_int_equal(e.err.code, 0);
    end(&e);
    peer_end(&peer);
    peer_fini(&peer);
}

static void other_schemes_are_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"file:///etc/hostname", "ftp://127.0.0.1/", "nonsense:", ""};
    for (size_t i = 0; i < SONDE_LENGTH(urls); i++) {
        struct exchange e;
        begin(&e);
        struct sonde_http_options options = {.url = urls[i],
                                             .timeout_ns = SONDE_SECOND,
                                             .body_max = 64,
                                             .context = &e,
                                             .done = finished};
        if (sonde_http_get(e.client, &options, &e.request, NULL) == 0) {
            run(&e);
            assert_int_equal(e.done, 1);
            assert_int_equal(e.err.code, SONDE_EINVALID);
        }
        end(&e);
    }
    sonde_http_client_free(NULL);
}

/* ---- methods, headers, bodies, pieces ---- */

/* Reads the head, then as many bytes as Content-Length says, into `seen`. */
static void take_request(struct peer *peer, int fd)
{
    const struct sonde_str *bytes = peer->argument;
    if (!peer_read_request(peer, fd)) {
        return;
    }
    const char *length = strcasestr(peer->request.data, "Content-Length: ");
    uint64_t count = 0;
    if (length) {
        length += strlen("Content-Length: ");
        (void)!sonde_parse_u64((struct sonde_str){length, strcspn(length, "\r")}, 0, 1000, &count);
    }
    char byte;
    while (count-- && recv(fd, &byte, 1, 0) == 1) {
        sonde_buf_char(&peer->seen, byte);
    }
    peer_send(fd, bytes->data, bytes->length);
}

static void url_of(const struct peer *peer, char ret[64])
{
    (void)snprintf(ret, 64, "http://127.0.0.1:%u/x?y=1", peer->port);
}

static void sends_methods_headers_and_bodies(void **state)
{
    (void)state;
    static const struct sonde_str created = BYTES(
        "HTTP/1.1 100 Continue\r\nX-Early: yes\r\n\r\n"
        "HTTP/1.1 201 Created\r\nRetry-After:  7 \r\ncontent-type: text/plain\r\nretry-after: 8\r\n"
        "Content-Length: 2\r\nConnection: close\r\n\r\nok");
    static const struct sonde_http_header headers[] = {{"Content-Type", "application/json"},
                                                       {"X-Empty", ""}};
    struct exchange e;
    struct peer peer;
    char url[64];
    begin(&e);
    peer_begin(&peer, take_request, &created);
    url_of(&peer, url);
    struct sonde_http_options options = {.url = url,
                                         .timeout_ns = 5 * SONDE_SECOND,
                                         .body_max = 64,
                                         .context = &e,
                                         .done = finished,
                                         .method = "PATCH",
                                         .headers = headers,
                                         .header_count = SONDE_LENGTH(headers),
                                         .body = BYTES("{\"a\":\0001}")};
    assert_int_equal(sonde_http_send(e.client, &options, &e.request, NULL), 0);
    run(&e);
    assert_int_equal(e.status, 201);
    assert_string_equal(e.body.data, "ok");
    assert_string_equal(e.retry_after, "7");
    end(&e);
    peer_end(&peer);
    assert_non_null(strstr(peer.request.data, "PATCH /x?y=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(peer.request.data, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(peer.request.data, "X-Empty:\r\n"));
    assert_null(strstr(peer.request.data, "Expect"));
    assert_int_equal(peer.seen.length, 8);
    peer_fini(&peer);
}

static void refuses_what_would_break_a_line(void **state)
{
    (void)state;
    static const struct sonde_http_header bad[] = {{"X", "a\r\nY: b"}, {"X\n", "a"}, {"X", "\x01"}};
    struct exchange e;
    begin(&e);
    struct sonde_http_options options = {.url = "http://127.0.0.1:1/",
                                         .timeout_ns = SONDE_SECOND,
                                         .context = &e,
                                         .done = finished,
                                         .header_count = 1};
    for (size_t i = 0; i < SONDE_LENGTH(bad); i++) {
        options.headers = &bad[i];
        assert_int_equal(sonde_http_send(e.client, &options, &e.request, NULL), SONDE_EINVALID);
    }
    options.header_count = 0;
    options.method = "GET / HTTP/1.1\r\nX:";
    assert_int_equal(sonde_http_send(e.client, &options, &e.request, NULL), SONDE_EINVALID);
    end(&e);
}

struct pieces {
    struct exchange exchange; /* first: `finished` is given this */
    struct sonde_buf text;
    size_t refuse_at;                 /* bytes */
    struct sonde_http_request *other; /* cancelled in the first piece */
    const char *then;                 /* URL of a request begun in it … */
    char then_body[16];               /* … and its answer; either may be over first */
};

static void then_finished(void *context, const struct sonde_http_response *response,
                          const struct sonde_err *err)
{
    struct pieces *p = context;
    (void)snprintf(p->then_body, sizeof(p->then_body), "%.*s", SONDE_STR_ARG(response->body));
    finished(context, response, err);
}

static int take_piece(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct pieces *p = context;
    sonde_buf_append(&p->text, data, length);
    if (p->other) {
        sonde_http_cancel(SONDE_TAKE(p->other));
    }
    if (p->then) {
        struct sonde_http_options options = {.url = SONDE_TAKE(p->then),
                                             .timeout_ns = 5 * SONDE_SECOND,
                                             .body_max = 64,
                                             .context = p,
                                             .done = then_finished};
        struct sonde_http_request *request;
        assert_int_equal(sonde_http_send(p->exchange.client, &options, &request, NULL), 0);
    }
    return p->refuse_at && p->text.length >= p->refuse_at
               ? sonde_fail(err, SONDE_ECANCELLED, 0, "enough")
               : 0;
}

static void send_in_pieces(struct pieces *p, const struct peer *peer)
{
    char url[64];
    url_of(peer, url);
    struct sonde_http_options options = {.url = url,
                                         .timeout_ns = 10 * SONDE_SECOND,
                                         .body_max = 64,
                                         .context = p,
                                         .done = finished,
                                         .chunk = take_piece};
    p->text = SONDE_BUF(1 << 20);
    assert_int_equal(sonde_http_send(p->exchange.client, &options, &p->exchange.request, NULL), 0);
}

static void hands_on_pieces(void **state)
{
    (void)state;
    static const struct sonde_str stream =
        BYTES(CHUNKED "3\r\nhel\r\n2\r\nlo\r\n46\r\n" TEN TEN TEN TEN TEN TEN TEN "\r\n0\r\n\r\n");
    static const struct sonde_str refusal =
        BYTES("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
    struct pieces p = {0};
    struct peer peer;
    begin(&p.exchange);
    peer_begin(&peer, answer_slowly, &stream);
    send_in_pieces(&p, &peer);
    run(&p.exchange);
    assert_int_equal(p.exchange.err.code, 0);
    assert_int_equal(p.exchange.body.length, 0);
    assert_string_equal(p.text.data, "hello" TEN TEN TEN TEN TEN TEN TEN);
    peer_end(&peer);
    peer_fini(&peer);
    sonde_buf_fini(&p.text);
    peer_begin(&peer, answer, &refusal); /* no 2xx: collected */
    p.exchange.wanted++;
    send_in_pieces(&p, &peer);
    run(&p.exchange);
    assert_int_equal(p.exchange.status, 404);
    assert_string_equal(p.exchange.body.data, "no");
    assert_int_equal(p.text.length, 0);
    end(&p.exchange);
    peer_end(&peer);
    peer_fini(&peer);
    sonde_buf_fini(&p.text);
}

static void a_piece_may_end_it(void **state)
{
    (void)state;
    static const struct sonde_str stream = BYTES(CHUNKED "3\r\nhel\r\n2\r\nlo\r\n");
    struct pieces p = {.refuse_at = 3};
    struct peer peer;
    begin(&p.exchange);
    peer_begin(&peer, answer_slowly, &stream);
    send_in_pieces(&p, &peer);
    run(&p.exchange);
    assert_int_equal(p.exchange.err.code, SONDE_ECANCELLED);
    assert_string_equal(p.exchange.err.message, "enough");
    assert_int_equal(p.text.length, 3);
    end(&p.exchange);
    peer_end(&peer);
    peer_fini(&peer);
    sonde_buf_fini(&p.text);
}

static void requests_may_begin_and_end_within_a_piece(void **state)
{
    (void)state;
    static const struct sonde_str stream =
        BYTES(OK "Connection: close\r\nContent-Length: 5\r\n\r\nhello");
    struct pieces p = {0};
    struct peer peer;
    struct peer silent;
    char url[64];
    begin(&p.exchange);
    peer_begin(&silent, say_nothing, NULL);
    peer_begin(&peer, answer, &stream);
    url_of(&peer, url);
    assert_int_equal(get(&p.exchange, silent.port, 30 * SONDE_SECOND, 64), 0);
    p.other = p.exchange.request;
    p.then = url;
    p.exchange.wanted = 2;
    send_in_pieces(&p, &peer);
    run(&p.exchange);
    assert_int_equal(p.exchange.done, 2);
    assert_string_equal(p.text.data, "hello");
    assert_string_equal(p.then_body, "hello");
    end(&p.exchange);
    peer_end(&peer);
    peer_end(&silent);
    peer_fini(&peer);
    peer_fini(&silent);
    sonde_buf_fini(&p.text);
}

static void begin_and_fall_silent(struct peer *peer, int fd)
{
    if (peer_read_request(peer, fd)) {
        peer_send_text(fd, CHUNKED "3\r\nhel\r\n");
        peer_drain(fd);
    }
}

static void a_peer_that_falls_silent_is_left(void **state)
{
    (void)state;
    struct pieces p = {.text = SONDE_BUF(64)};
    struct peer peer;
    char url[64];
    begin(&p.exchange);
    peer_begin(&peer, begin_and_fall_silent, NULL);
    url_of(&peer, url);
    struct sonde_http_options options = {
        .url = url, .context = &p, .done = finished, .chunk = take_piece, .idle_ns = SONDE_SECOND};
    assert_int_equal(sonde_http_send(p.exchange.client, &options, &p.exchange.request, NULL), 0);
    run(&p.exchange);
    assert_int_equal(p.exchange.done, 1);
    assert_int_equal(p.exchange.err.code, SONDE_ETIMEOUT);
    assert_string_equal(p.text.data, "hel");
    end(&p.exchange);
    peer_end(&peer);
    peer_fini(&peer);
    sonde_buf_fini(&p.text);
}

/* A socket that takes no connection: its queue is full, and further SYNs are dropped. */
static int deaf_socket(uint16_t *ret_port, int fillers[], size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
    assert_return_code(listen(fd, 0), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &length), errno);
    for (size_t i = 0; i < count; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int r = connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
        assert_true(r == 0 || errno == EINPROGRESS);
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* Each attempt takes its own time, not that of all before it. */
static void nobody_waits_for_anothers_attempt(void **state)
{
    (void)state;
    enum { REQUESTS = 6, FILLERS = 4 };
    struct exchange e;
    int fillers[FILLERS];
    char url[64];
    uint16_t port = 0;
    int deaf = deaf_socket(&port, fillers, FILLERS);
    begin(&e);
    e.wanted = REQUESTS;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    const struct sonde_http_options options = {.url = url,
                                               .connect_timeout_ns = SONDE_SECOND,
                                               .body_max = 64,
                                               .context = &e,
                                               .done = finished};
    int64_t since = sonde_clock_monotonic();
    for (int i = 0; i < REQUESTS; i++) {
        assert_int_equal(sonde_http_send(e.client, &options, &e.request, NULL), 0);
    }
    run(&e);
    assert_int_equal(e.done, REQUESTS);
    assert_int_equal(e.err.code, SONDE_ETIMEOUT);
    assert_true(sonde_clock_monotonic() - since < REQUESTS * SONDE_SECOND / 2);
    end(&e);
    for (int i = 0; i < FILLERS; i++) {
        (void)close(fillers[i]);
    }
    (void)close(deaf);
}

static void headers_have_a_maximum(void **state)
{
    (void)state;
    SONDE_BUF_AUTO answer_text = SONDE_BUF(1 << 20);
    sonde_buf_text(&answer_text, OK);
    for (int i = 0; i < 1000; i++) {
        sonde_buf_printf(&answer_text, "X-%d: %064d\r\n", i, i);
    }
    sonde_buf_text(&answer_text, "Content-Length: 0\r\n\r\n");
    const struct sonde_str bytes = sonde_buf_view(&answer_text);
    const struct expectation x = {bytes, SONDE_ELIMIT, 0, NULL};
    expect(&x, answer);
}

static void only_the_named_proxy_is_used(void **state)
{
    (void)state;
    static const struct sonde_str hello = BYTES(OK "Content-Length: 5\r\n\r\nhello");
    struct exchange e;
    struct peer peer;
    char proxy[64];
    begin(&e);
    peer_begin(&peer, answer, &hello);
    url_of(&peer, proxy);
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0); /* nobody is there */
    assert_int_equal(get(&e, peer.port, 5 * SONDE_SECOND, 64), 0);
    run(&e);
    assert_int_equal(e.err.code, 0);
    struct sonde_http_options options = {.url = "http://service.invalid:8080/x",
                                         .timeout_ns = 5 * SONDE_SECOND,
                                         .body_max = 64,
                                         .context = &e,
                                         .done = finished,
                                         .proxy = proxy};
    e.wanted++;
    assert_int_equal(sonde_http_send(e.client, &options, &e.request, NULL), 0);
    run(&e);
    assert_int_equal(e.err.code, 0);
    assert_string_equal(e.body.data, "hello");
    assert_int_equal(unsetenv("http_proxy"), 0);
    end(&e);
    peer_end(&peer);
    assert_non_null(strstr(peer.request.data, "GET http://service.invalid:8080/x HTTP/1.1\r\n"));
    peer_fini(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_answers),
        cmocka_unit_test(refuses_broken_answers),
        cmocka_unit_test(what_is_not_http_is_an_error),
        cmocka_unit_test(silence_times_out),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_cancelled_request_makes_no_callback),
        cmocka_unit_test(freeing_the_client_cancels),
        cmocka_unit_test(several_requests_at_once),
        cmocka_unit_test(other_schemes_are_refused),
        cmocka_unit_test(sends_methods_headers_and_bodies),
        cmocka_unit_test(refuses_what_would_break_a_line),
        cmocka_unit_test(hands_on_pieces),
        cmocka_unit_test(a_piece_may_end_it),
        cmocka_unit_test(requests_may_begin_and_end_within_a_piece),
        cmocka_unit_test(a_peer_that_falls_silent_is_left),
        cmocka_unit_test(headers_have_a_maximum),
        cmocka_unit_test(nobody_waits_for_anothers_attempt),
        cmocka_unit_test(only_the_named_proxy_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
