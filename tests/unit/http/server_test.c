/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "http/certificate.h"
#include "http/client.h"
#include "http/server.h"

enum { BODY_MAX = 64 * 1024 };

struct service {
    struct sonde_loop *loop;
    struct sonde_server *server;
    struct sonde_exchange *waiting;
    struct sonde_buf body;
    int begun, pieces, ended, closed;
    uint64_t sent; /* of a stream */
};

static void begin_any(void *context, struct sonde_exchange *exchange)
{
    struct service *s = context;
    s->begun++;
    sonde_buf_clear(&s->body);
    const char *refuse = NULL;
    for (int i = 0; i < 20; i++) { /* as often as one likes */
        refuse = sonde_exchange_query(exchange, "refuse");
    }
    if (refuse) {
        sonde_exchange_fail(exchange, 403, "Refused", refuse, "field");
    }
}

static void take_piece(void *context, struct sonde_exchange *exchange, const char *data,
                       size_t length)
{
    struct service *s = context;
    s->pieces++;
    sonde_buf_append(&s->body, data, length);
    if (sonde_exchange_header(exchange, "X-Stop")) {
        sonde_exchange_fail(exchange, 409, "Stopped", "enough", NULL);
    }
}

static void echo(void *context, struct sonde_exchange *exchange)
{
    struct service *s = context;
    s->ended++;
    sonde_exchange_add_header(exchange, "X-Name", sonde_exchange_parameter(exchange, "name"));
    sonde_exchange_answer(exchange, 200, "text/plain", sonde_buf_view(&s->body));
}

static void wait_for(void *context, struct sonde_exchange *exchange)
{
    struct service *s = context;
    s->waiting = exchange;
}

/* Answers the one that waits, from within a callback of the server. */
static void release(void *context, struct sonde_exchange *exchange)
{
    struct service *s = context;
    if (s->waiting) {
        sonde_exchange_answer(s->waiting, 200, "text/plain", SONDE_STR("at last"));
    }
    sonde_exchange_answer(exchange, 200, "text/plain", SONDE_STR("released"));
}

static int64_t fill(void *context, char *data, size_t length)
{
    struct service *s = context;
    enum { TOTAL = 1 << 20 };
    if (s->sent >= TOTAL) {
        return s->body.length ? -1 : 0; /* with a body: it breaks off */
    }
    memset(data, 'x', length);
    s->sent += length;
    return (int64_t)length;
}

static void stream(void *context, struct sonde_exchange *exchange)
{
    struct service *s = context;
    s->sent = 0;
    sonde_exchange_stream(exchange, 200, "text/plain", fill, s);
}

static void over(void *context, struct sonde_exchange *exchange)
{
    struct service *s = context;
    s->closed++;
    s->waiting = s->waiting == exchange ? NULL : s->waiting;
}

static const struct sonde_route routes[] = {
    {.method = "GET", .path = "/echo/{name}", .begin = begin_any, .end = echo, .closed = over},
    {.method = "PUT",
     .path = "/echo/{name}",
     .body_max = BODY_MAX,
     .begin = begin_any,
     .data = take_piece,
     .end = echo,
     .closed = over},
    {.method = "GET", .path = "/late", .begin = begin_any, .end = wait_for, .closed = over},
    {.method = "GET", .path = "/release", .begin = begin_any, .end = release, .closed = over},
    {.method = "GET", .path = "/stream", .begin = begin_any, .end = stream, .closed = over},
    {.method = "PUT",
     .path = "/stream",
     .body_max = BODY_MAX,
     .begin = begin_any,
     .data = take_piece,
     .end = stream,
     .closed = over},
    {0},
};

static void start(struct service *s, const struct sonde_certificate *certificate)
{
    *s = (struct service){.body = SONDE_BUF(1 << 20)};
    assert_int_equal(sonde_loop_new(&s->loop, NULL), 0);
    struct sonde_server_options options = {
        .loop = s->loop, .address = "127.0.0.1", .routes = routes, .context = s};
    if (certificate) {
        options.certificate = sonde_buf_view(&certificate->certificate);
        options.key = sonde_buf_view(&certificate->key);
    }
    struct sonde_err err = {0};
    if (sonde_server_new(&options, &s->server, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_true(sonde_server_port(s->server) > 0);
}

static void stop(struct service *s)
{
    sonde_server_free(s->server);
    sonde_loop_free(s->loop);
    sonde_buf_fini(&s->body);
}

static int dial(const struct service *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(sonde_server_port(s->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Lets the server work until the peer has hung up, or has sent `enough`. */
static void listen_to(struct service *s, int fd, const char *enough, struct sonde_buf *ret)
{
    int64_t give_up = sonde_clock_monotonic() + 20 * SONDE_SECOND;
    for (;;) {
        char piece[4096];
        sonde_loop_poll(s->loop);
        ssize_t length = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
        if (length > 0) {
            sonde_buf_append(ret, piece, (size_t)length);
        }
        if (length == 0 || (length < 0 && errno != EAGAIN) ||
            (enough && ret->data && strstr(ret->data, enough))) {
            return;
        }
        assert_true(sonde_clock_monotonic() < give_up);
    }
}

/* Sends a request and returns what came back, until the connection was closed. */
static struct sonde_buf ask(struct service *s, const char *text)
{
    struct sonde_buf answer = SONDE_BUF(4 << 20);
    int fd = dial(s);
    for (size_t sent = 0, length = strlen(text); sent < length;) {
        ssize_t written = send(fd, text + sent, length - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        sonde_loop_poll(s->loop);
        if (written < 0 && errno != EAGAIN) {
            break;
        }
        sent += written > 0 ? (size_t)written : 0;
    }
    listen_to(s, fd, NULL, &answer);
    (void)close(fd);
    for (int i = 0; i < 100 && sonde_server_open(s->server) > 0; i++) {
        sonde_loop_poll(s->loop);
    }
    return answer;
}

static void expect(struct service *s, const char *request, const char *const parts[])
{
    struct sonde_buf answer = ask(s, request);
    for (size_t i = 0; parts[i]; i++) {
        if (!answer.data || !strstr(answer.data, parts[i])) {
            print_error("%s is not in\n%s\n", parts[i], answer.data ? answer.data : "");
            fail();
        }
    }
    sonde_buf_fini(&answer);
}

#define PARTS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define HEAD " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"

static void requests_are_answered(void **state)
{
    (void)state;
    struct service s;
    start(&s, NULL);
    expect(&s, "GET /echo/a%2Fb" HEAD "\r\n", PARTS("HTTP/1.1 200", "X-Name: a/b"));
    expect(&s, "PUT /echo/a" HEAD "Content-Length: 3\r\n\r\nabc", PARTS(" 200 ", "\r\n\r\nabc"));
    expect(&s,
           "PUT /echo/a" HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
           PARTS(" 200 ", "\r\n\r\nabcd"));
    assert_int_equal(s.begun, 3);
    assert_int_equal(s.ended, 3);
    assert_int_equal(s.closed, 3);
    assert_int_equal(sonde_server_open(s.server), 0);
    expect(&s, "HEAD /echo/a" HEAD "\r\n", PARTS(" 200 ", "Content-Length: 0"));
    stop(&s);
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    struct service s;
    start(&s, NULL);
    expect(&s, "GET /nothing" HEAD "\r\n", PARTS(" 404 ", "\"code\":\"NotFound\""));
    expect(&s, "DELETE /late" HEAD "\r\n", PARTS(" 405 ", "MethodNotAllowed"));
    expect(&s, "GET /echo/%zz" HEAD "\r\n", PARTS(" 400 ", "BadRequest"));
    expect(&s, "GET /echo/a" HEAD "Content-Length: 1\r\n\r\na", PARTS(" 413 ", "takes no body"));
    expect(&s, "PUT /echo/a" HEAD "Content-Length: 65537\r\n\r\n", PARTS(" 413 ", "larger"));
    assert_int_equal(s.begun, 0);
    expect(&s, "GET /echo/a?refuse=not%20%22you%22" HEAD "\r\n",
           PARTS(" 403 ", "\"message\":\"not \\\"you\\\"\"", "\"field\":\"field\""));
    expect(&s, "PUT /echo/a?refuse=no" HEAD "Content-Length: 3\r\n\r\nabc", PARTS(" 403 "));
    assert_int_equal(s.ended, 0);
    assert_int_equal(s.closed, 2);
    expect(&s, "PUT /echo/a" HEAD "X-Stop: 1\r\nContent-Length: 3\r\n\r\nabc", PARTS(" 409 "));
    assert_int_equal(s.ended, 0);
    stop(&s);
}

static void a_body_without_a_length_is_bounded(void **state)
{
    (void)state;
    struct service s;
    enum { CHUNK = 0x1000 };
    SONDE_BUF_AUTO request = SONDE_BUF(4 << 20);
    start(&s, NULL);
    sonde_buf_text(&request, "PUT /echo/a" HEAD "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i <= BODY_MAX / CHUNK; i++) {
        sonde_buf_text(&request, "1000\r\n");
        sonde_buf_repeat(&request, 'a', CHUNK);
        sonde_buf_text(&request, "\r\n");
    }
    sonde_buf_text(&request, "0\r\n\r\n");
    expect(&s, request.data, PARTS(" 413 "));
    assert_true(s.body.length <= BODY_MAX);
    /* Who goes on sending is cut off. */
    sonde_buf_clear(&request);
    sonde_buf_text(&request, "PUT /echo/a" HEAD "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < (BODY_MAX + 2 * SONDE_SERVER_LATE_MAX) / CHUNK; i++) {
        sonde_buf_text(&request, "1000\r\n");
        sonde_buf_repeat(&request, 'a', CHUNK);
        sonde_buf_text(&request, "\r\n");
    }
    struct sonde_buf answer = ask(&s, request.data);
    assert_int_equal(answer.length, 0);
    sonde_buf_fini(&answer);
    assert_int_equal(s.closed, 2);
    stop(&s);
}

static void wait_until_waiting(struct service *s)
{
    int64_t give_up = sonde_clock_monotonic() + 20 * SONDE_SECOND;
    while (!s->waiting && sonde_clock_monotonic() < give_up) {
        sonde_loop_poll(s->loop);
    }
    assert_non_null(s->waiting);
}

static void an_answer_may_come_later(void **state)
{
    (void)state;
    struct service s;
    start(&s, NULL);
    SONDE_BUF_AUTO answer = SONDE_BUF(4096);
    int fd = dial(&s);
    static const char request[] = "GET /late HTTP/1.1\r\nHost: h\r\n\r\n";
    for (int i = 0; i < 2; i++) { /* twice on one connection */
        sonde_buf_clear(&answer);
        assert_int_equal(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
        wait_until_waiting(&s);
        sonde_exchange_answer(s.waiting, 200, "text/plain", SONDE_STR("at last"));
        listen_to(&s, fd, "at last", &answer);
        assert_non_null(strstr(answer.data, "at last"));
    }
    /* One that waits when the server goes is closed, too. */
    assert_int_equal(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
    for (s.waiting = NULL; !s.waiting;) {
        sonde_loop_poll(s.loop);
    }
    stop(&s);
    assert_int_equal(s.closed, 3);
    (void)close(fd);
}

static void one_exchange_may_answer_another(void **state)
{
    (void)state;
    struct service s;
    start(&s, NULL);
    SONDE_BUF_AUTO answer = SONDE_BUF(4096);
    int fd = dial(&s);
    static const char request[] = "GET /late HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_int_equal(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
    wait_until_waiting(&s);
    expect(&s, "GET /release" HEAD "\r\n", PARTS("released"));
    listen_to(&s, fd, "at last", &answer);
    assert_non_null(strstr(answer.data, "at last"));
    (void)close(fd);
    stop(&s);
}

static void answers_are_streamed(void **state)
{
    (void)state;
    struct service s;
    start(&s, NULL);
    struct sonde_buf answer = ask(&s, "GET /stream" HEAD "\r\n");
    assert_true(answer.length > 1 << 20);
    assert_true(sonde_str_ends(sonde_buf_view(&answer), "0\r\n\r\n"));
    sonde_buf_fini(&answer);
    /* One that breaks off has no end. */
    answer = ask(&s, "PUT /stream" HEAD "Content-Length: 1\r\n\r\na");
    assert_true(answer.length > 1 << 19);
    assert_false(sonde_str_ends(sonde_buf_view(&answer), "0\r\n\r\n"));
    sonde_buf_fini(&answer);
    stop(&s);
}

/* ---- TLS ---- */

#define DAY INT64_C(86400)

static int64_t now(void)
{
    return sonde_clock_realtime() / SONDE_SECOND;
}

struct call {
    struct sonde_loop *loop;
    int status;
    struct sonde_err err;
};

static void called(void *context, const struct sonde_http_response *response,
                   const struct sonde_err *err)
{
    struct call *call = context;
    call->status = response->status;
    call->err = *err;
    sonde_loop_stop(call->loop);
}

static struct call call_with(struct service *s, const char *host, struct sonde_str ca)
{
    struct call call = {.loop = s->loop};
    struct sonde_http_client *client = NULL;
    struct sonde_http_tls tls = {.ca = ca, .server_name = host};
    char url[64];
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/echo/x", sonde_server_port(s->server));
    struct sonde_http_options options = {.url = url,
                                         .timeout_ns = 20 * SONDE_SECOND,
                                         .body_max = 4096,
                                         .context = &call,
                                         .done = called,
                                         .tls = &tls};
    struct sonde_http_request *request = NULL;
    assert_int_equal(sonde_http_client_new(s->loop, &client, NULL), 0);
    assert_int_equal(sonde_http_get(client, &options, &request, NULL), 0);
    sonde_loop_run(s->loop);
    sonde_http_client_free(client);
    return call;
}

static const char *const names[] = {"store.sonde-system.svc", "store"};

static void tls_proves_who_answers(void **state)
{
    (void)state;
    struct service s;
    struct sonde_certificate ca = SONDE_CERTIFICATE;
    struct sonde_certificate other = SONDE_CERTIFICATE;
    struct sonde_certificate first = SONDE_CERTIFICATE;
    struct sonde_certificate second = SONDE_CERTIFICATE;
    assert_int_equal(sonde_certificate_authority("a", now() - DAY, now() + DAY, &ca, NULL), 0);
    assert_int_equal(sonde_certificate_authority("a", now() - DAY, now() + DAY, &other, NULL), 0);
    assert_int_equal(sonde_certificate_issue(&ca, names, 2, now() - DAY, now() + DAY, &first, NULL),
                     0);
    assert_int_equal(
        sonde_certificate_issue(&other, names, 2, now() - DAY, now() + DAY, &second, NULL), 0);
    start(&s, &first);
    struct sonde_str trusted = sonde_buf_view(&ca.certificate);
    assert_int_equal(call_with(&s, "store", trusted).status, 200);
    assert_int_equal(call_with(&s, "store.sonde-system.svc", trusted).status, 200);
    assert_int_equal(call_with(&s, "other", trusted).err.code, SONDE_EDENIED);
    assert_int_equal(call_with(&s, "store", sonde_buf_view(&other.certificate)).err.code,
                     SONDE_EDENIED);
    /* A new certificate counts from the next connection on; a wrong pair changes nothing. */
    assert_int_equal(sonde_server_certificate(s.server, sonde_buf_view(&second.certificate),
                                              sonde_buf_view(&first.key), NULL),
                     SONDE_EINVALID);
    assert_int_equal(call_with(&s, "store", trusted).status, 200);
    assert_int_equal(sonde_server_certificate(s.server, sonde_buf_view(&second.certificate),
                                              sonde_buf_view(&second.key), NULL),
                     0);
    assert_int_equal(call_with(&s, "store", trusted).err.code, SONDE_EDENIED);
    assert_int_equal(call_with(&s, "store", sonde_buf_view(&other.certificate)).status, 200);
    stop(&s);
    sonde_certificate_fini(&ca);
    sonde_certificate_fini(&other);
    sonde_certificate_fini(&first);
    sonde_certificate_fini(&second);
}

static void certificates_tell_what_they_are(void **state)
{
    (void)state;
    struct sonde_certificate ca = SONDE_CERTIFICATE;
    struct sonde_certificate other = SONDE_CERTIFICATE;
    struct sonde_certificate leaf = SONDE_CERTIFICATE;
    int64_t from = 0;
    int64_t until = 0;
    assert_int_equal(sonde_certificate_authority("a", 1000, 2000, &ca, NULL), 0);
    assert_int_equal(sonde_certificate_authority("a", 1000, 2000, &other, NULL), 0);
    assert_int_equal(sonde_certificate_issue(&ca, names, 2, 1100, 1900, &leaf, NULL), 0);
    struct sonde_str pem = sonde_buf_view(&leaf.certificate);
    assert_int_equal(sonde_certificate_times(pem, &from, &until, NULL), 0);
    assert_int_equal(from, 1100);
    assert_int_equal(until, 1900);
    assert_int_equal(sonde_certificate_times(SONDE_STR("x"), &from, &until, NULL), SONDE_EPARSE);
    assert_true(sonde_certificate_fits(pem, sonde_buf_view(&ca.certificate), names, 2));
    assert_false(sonde_certificate_fits(pem, sonde_buf_view(&other.certificate), names, 2));
    const char *const more[] = {"store", "other"};
    assert_false(sonde_certificate_fits(pem, sonde_buf_view(&ca.certificate), more, 2));
    const char *const bad[] = {"store,DNS:evil"};
    assert_int_equal(sonde_certificate_issue(&ca, bad, 1, 1100, 1900, &leaf, NULL), SONDE_EINVALID);
    struct sonde_certificate mixed = {ca.certificate, other.key};
    assert_int_equal(sonde_certificate_issue(&mixed, names, 2, 1100, 1900, &leaf, NULL),
                     SONDE_EINVALID);
    sonde_certificate_fini(&ca);
    sonde_certificate_fini(&other);
    sonde_certificate_fini(&leaf);
}

static void what_cannot_be_served_is_said(void **state)
{
    (void)state;
    struct service s;
    struct sonde_err err;
    struct sonde_server *other = NULL;
    start(&s, NULL);
    struct sonde_server_options options = {.loop = s.loop,
                                           .address = "127.0.0.1",
                                           .port = sonde_server_port(s.server),
                                           .routes = routes,
                                           .context = &s};
    assert_int_equal(sonde_server_certificate(s.server, SONDE_STR("a"), SONDE_STR("b"), &err),
                     SONDE_EINVALID);
    assert_int_equal(sonde_server_new(&options, &other, &err), SONDE_EBUSY);
    options.address = "localhost";
    assert_int_equal(sonde_server_new(&options, &other, &err), SONDE_EINVALID);
    options = (struct sonde_server_options){.loop = s.loop,
                                            .address = "::1",
                                            .certificate = SONDE_STR("no"),
                                            .key = SONDE_STR("no"),
                                            .routes = routes};
    assert_int_equal(sonde_server_new(&options, &other, &err), SONDE_EINVALID);
    sonde_server_quiesce(s.server);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(sonde_server_port(s.server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
    (void)close(fd);
    stop(&s);
}

static void an_address_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *address;
        uint16_t port;
    } good[] = {
        {"127.0.0.1:0", "127.0.0.1", 0},
        {":8080", "0.0.0.0", 8080},
        {"[::1]:65535", "::1", 65535},
    };
    static const char *const bad[] = {
        "", "8080", "127.0.0.1", "127.0.0.1:", "a:-1", "a:65536", "a:1 "};
    char address[SONDE_SERVER_ADDRESS_SIZE];
    uint16_t port = 1;
    struct sonde_err err;
    for (size_t i = 0; i < SONDE_LENGTH(good); i++) {
        assert_int_equal(sonde_server_address(good[i].text, address, &port, &err), 0);
        assert_string_equal(address, good[i].address);
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < SONDE_LENGTH(bad); i++) {
        assert_int_equal(sonde_server_address(bad[i], address, &port, &err), SONDE_EINVALID);
    }
}

/* One connection more than is allowed waits until another has ended. */
static void connections_are_bounded(void **state)
{
    (void)state;
    enum { MOST = 2 };
    static const char request[] = "GET /echo/a" HEAD "\r\n";
    struct service s = {.body = SONDE_BUF(1 << 20)};
    char byte;
    int first[MOST];
    assert_int_equal(sonde_loop_new(&s.loop, NULL), 0);
    const struct sonde_server_options options = {.loop = s.loop,
                                                 .address = "127.0.0.1",
                                                 .connections_max = MOST,
                                                 .routes = routes,
                                                 .context = &s};
    assert_int_equal(sonde_server_new(&options, &s.server, NULL), 0);
    for (int i = 0; i < MOST; i++) {
        first[i] = dial(&s);
    }
    int last = dial(&s);
    assert_int_equal(send(last, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    for (int i = 0; i < 100; i++) {
        sonde_loop_poll(s.loop);
    }
    assert_int_equal(s.begun, 0);
    assert_int_equal(recv(first[0], &byte, 1, MSG_DONTWAIT), -1);
    (void)close(first[0]);
    SONDE_BUF_AUTO answer = SONDE_BUF(4096);
    listen_to(&s, last, "X-Name: a", &answer);
    assert_int_equal(s.begun, 1);
    (void)close(last);
    (void)close(first[1]);
    stop(&s);
}

/* Of those that one address has too many they are closed at once, and no others. */
static void connections_of_an_address_are_bounded(void **state)
{
    (void)state;
    enum { MOST = 2 };
    static const char request[] = "GET /echo/a" HEAD "\r\n";
    struct service s = {.body = SONDE_BUF(1 << 20)};
    char byte;
    int open[MOST];
    assert_int_equal(sonde_loop_new(&s.loop, NULL), 0);
    const struct sonde_server_options options = {.loop = s.loop,
                                                 .address = "127.0.0.1",
                                                 .connections_per_address = MOST,
                                                 .routes = routes,
                                                 .context = &s};
    assert_int_equal(sonde_server_new(&options, &s.server, NULL), 0);
    for (int i = 0; i < MOST; i++) {
        open[i] = dial(&s);
    }
    SONDE_BUF_AUTO answer = SONDE_BUF(4096);
    int more = dial(&s);
    listen_to(&s, more, "nothing", &answer);
    assert_int_equal(answer.length, 0);
    assert_true(recv(more, &byte, 1, MSG_DONTWAIT) == 0);
    (void)close(more);
    assert_int_equal(send(open[1], request, strlen(request), MSG_NOSIGNAL), strlen(request));
    listen_to(&s, open[1], "X-Name: a", &answer);
    assert_int_equal(s.begun, 1);
    (void)close(open[0]);
    (void)close(open[1]);
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(a_body_without_a_length_is_bounded),
        cmocka_unit_test(an_answer_may_come_later),
        cmocka_unit_test(one_exchange_may_answer_another),
        cmocka_unit_test(answers_are_streamed),
        cmocka_unit_test(tls_proves_who_answers),
        cmocka_unit_test(certificates_tell_what_they_are),
        cmocka_unit_test(what_cannot_be_served_is_said),
        cmocka_unit_test(an_address_is_read),
        cmocka_unit_test(connections_are_bounded),
        cmocka_unit_test(connections_of_an_address_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
