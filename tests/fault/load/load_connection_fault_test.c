/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of a load test, while memory runs out: through a proxy, and of a WebSocket. The other
 * end is a process of its own, which has memory. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "codec/digest.h"
#include "fail.h"
#include "load/engine.h"
#include "load/proxy.h"

enum {
    AMOUNT = 3,         /* of requests */
    NEWS = 3,           /* messages that come unasked */
    LARGE = 8 << 20,    /* bytes of a message that no socket takes at once */
    HEAD_MAX = 1 << 16, /* bytes */
    FAILURES_MAX = 2,   /* then a test is ended: memory will not come back */
};

/* ---- the other end ---- */

static void put(int fd, struct sonde_str text)
{
    (void)send(fd, text.data, text.length, MSG_NOSIGNAL);
}

static bool read_head(FILE *in, struct sonde_buf *ret)
{
    sonde_buf_clear(ret);
    while (!sonde_str_ends(sonde_buf_view(ret), "\r\n\r\n")) {
        int byte = getc(in);
        if (byte == EOF) {
            return false;
        }
        sonde_buf_char(ret, (char)byte);
    }
    return true;
}

/* RFC 6455, 4.2.2 */
static void agree(int fd, struct sonde_str head)
{
    static const char field[] = "Sec-WebSocket-Key: ";
    unsigned char digest[SONDE_SHA1_BYTES];
    SONDE_BUF_AUTO text = SONDE_BUF(HEAD_MAX);
    const char *key = memmem(head.data, head.length, field, strlen(field));
    if (key) {
        const char *end = strchr(key, '\r');
        key += strlen(field);
        sonde_buf_append(&text, key, (size_t)(end - key));
    }
    sonde_buf_text(&text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    (void)sonde_sha1_bytes(sonde_buf_view(&text), digest);
    sonde_buf_clear(&text);
    sonde_buf_text(&text, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    sonde_base64_encode((struct sonde_str){(const char *)digest, sizeof(digest)}, &text);
    sonde_buf_text(&text, "\r\n\r\n");
    put(fd, sonde_buf_view(&text));
}

/* Messages of up to 125 bytes come back; one that is larger is answered before it is read. */
static void echo(FILE *in, int fd)
{
    enum { CLOSE = 0x88, LENGTH = 0x7f, LONG = 126, MASK = 4 };
    unsigned char head[2 + MASK];
    while (fread(head, sizeof(head), 1, in) == 1 && head[0] != CLOSE) {
        unsigned length = head[1] & LENGTH;
        unsigned char answer[2 + LENGTH] = {head[0], (unsigned char)length};
        if (length >= LONG) {
            put(fd, SONDE_STR("\x81\x02ok"));
            return;
        }
        if (length && fread(answer + 2, length, 1, in) != 1) {
            return;
        }
        for (unsigned i = 0; i < length; i++) {
            answer[2 + i] ^= head[2 + i % MASK];
        }
        put(fd, (struct sonde_str){(const char *)answer, 2 + length});
    }
}

/* Plays the proxy, and the server behind it. */
static void serve(int fd)
{
    SONDE_BUF_AUTO head = SONDE_BUF(HEAD_MAX);
    FILE *in = fdopen(fd, "r");
    while (in && read_head(in, &head)) {
        struct sonde_str text = sonde_buf_view(&head);
        if (sonde_str_contains(text, SONDE_STR("  "))) {
            break; /* nothing was asked for */
        }
        if (sonde_str_starts(text, "CONNECT ")) {
            put(fd, SONDE_STR("HTTP/1.1 200 OK\r\n\r\n"));
        } else if (!sonde_str_contains(text, SONDE_STR("Upgrade: websocket"))) {
            put(fd, SONDE_STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        } else if (sonde_str_starts(text, "GET /news ")) {
            agree(fd, text);
            put(fd, SONDE_STR("\x89\x01p\x81\x01"
                              "a\x01\x01"
                              "b\x80\x01"
                              "c\x82\x00"));
        } else {
            agree(fd, text);
            echo(in, fd);
        }
    }
    if (in) {
        (void)fclose(in);
    }
}

struct other_end {
    int listener;
    uint16_t port;
    pid_t process;
};

static int begin_other_end(void **state)
{
    static struct other_end other;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    other.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(other.listener >= 0);
    assert_int_equal(bind(other.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(other.listener, 8), 0);
    assert_int_equal(getsockname(other.listener, (struct sockaddr *)&address, &size), 0);
    other.port = ntohs(address.sin_port);
    other.process = fork();
    assert_true(other.process >= 0);
    if (other.process == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int fd; (fd = accept(other.listener, NULL, NULL)) >= 0;) {
            serve(fd);
        }
        _exit(0);
    }
    *state = &other;
    return 0;
}

static int end_other_end(void **state)
{
    const struct other_end *other = *state;
    (void)close(other->listener);
    (void)kill(other->process, SIGKILL);
    return waitpid(other->process, NULL, 0) == other->process ? 0 : -1;
}

/* ---- a load test ---- */

struct course {
    const struct other_end *other;
    const char *path, *body;
    uint64_t amount; /* of requests; 0: it listens */
    bool proxied, websocket;
};

/* What has come so far, and whether it is enough. */
struct progress {
    uint64_t failures, received;
    atomic_bool enough;
};

static void see_interval(void *context, int64_t end_ns, const struct sonde_load_tally *tally)
{
    struct progress *progress = context;
    (void)end_ns;
    progress->failures += tally->errors[SONDE_LOAD_RESOURCES];
    progress->received += tally->received;
    atomic_store(&progress->enough,
                 progress->failures >= FAILURES_MAX || progress->received >= NEWS);
}

/* Nothing is lost from the count, and what failed did so for want of memory. */
static int judge(const struct course *course, const struct sonde_load_tally *tally)
{
    uint64_t failures = tally->errors[SONDE_LOAD_RESOURCES];
    assert_int_equal(tally->sent, tally->answered + tally->failed + tally->censored);
    assert_true(tally->failed + tally->connect_failures <= failures);
    /* It is opened again after a failure alone. */
    assert_true(tally->connects + tally->connect_failures <= failures + 1);
    assert_int_equal(tally->wrong, 0);
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        if (i != SONDE_LOAD_RESOURCES && tally->errors[i]) {
            fail_msg("%s: %d times %s", course->path, (int)tally->errors[i],
                     sonde_load_error_name((enum sonde_load_error)i));
        }
    }
    /* Once it is there again, all goes on. */
    if (failures < FAILURES_MAX) {
        assert_int_equal(tally->sent, course->amount);
        assert_int_equal(tally->censored, 0);
        assert_true(course->amount || tally->received >= NEWS);
    }
    return failures ? SONDE_ENOMEM : 0;
}

static int run(const struct course *course, const struct sonde_load_origin *origin,
               struct sonde_err *err)
{
    const struct sonde_load_plan plan = {
        .origins = origin,
        .origin_count = 1,
        .version = SONDE_HTTP_1_1,
        .threads = 1,
        .connections = 1,
        .connections_max = 1,
        .pipelining = 1,
        .timeout_ns = 60 * SONDE_SECOND,
        .arrival = {.rate = SONDE_SPEC_ABSENT,
                    .duration_seconds = course->amount ? SONDE_SPEC_ABSENT : 60,
                    .amount = course->amount ? (int64_t)course->amount : SONDE_SPEC_ABSENT},
        .sample_ns = SONDE_MILLISECOND,
    };
    struct progress progress = {0};
    const struct sonde_load_watcher watcher = {
        .context = &progress, .interval = see_interval, .stop = &progress.enough};
    struct sonde_load_outcome outcome;
    int r = sonde_load_run(&plan, &watcher, &outcome, err);
    r = r < 0 ? r : judge(course, &outcome.tally);
    sonde_load_outcome_fini(&outcome);
    return r;
}

static int make_and_run(void *context)
{
    const struct course *course = context;
    struct sonde_arena arena = SONDE_ARENA(4 * LARGE);
    struct sonde_load_addresses addresses = {.count = 1};
    const struct sonde_load_places places = {.ids = true};
    const struct sonde_load_ask ask = {
        .method = "POST", .path = sonde_str(course->path), .body = sonde_str(course->body)};
    struct sonde_load_url url;
    struct sonde_load_url proxy;
    struct sonde_load_request request;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO connect = SONDE_BUF(HEAD_MAX);
    assert_int_equal(sonde_load_url_parse(SONDE_STR("http://h"), &url, NULL), 0);
    assert_int_equal(sonde_load_resolve("127.0.0.1", course->other->port, &addresses, NULL), 0);
    int r = course->proxied ? sonde_load_proxy_ask(SONDE_STR("a:b@h"), &url, &proxy, &connect, &err)
                            : 0;
    r = r < 0 ? r : sonde_load_request_make(&ask, &url, &places, &arena, &request, &err);
    if (r == 0) {
        const struct sonde_load_origin origin = {.addresses = &addresses,
                                                 .connect = sonde_buf_view(&connect),
                                                 .websocket = course->websocket,
                                                 .listens = course->amount == 0,
                                                 .requests = &request,
                                                 .request_count = 1};
        r = run(course, &origin, &err);
    }
    /* Before it began. */
    assert_true(err.code == 0 || strstr(err.message, "memory"));
    sonde_arena_fini(&arena);
    return r;
}

/* ---- the tests ---- */

static void fail_each(void **state, struct course course)
{
    course.other = *state;
    fail_each_allocation(make_and_run, &course);
}

static void through_a_proxy(void **state)
{
    fail_each(state,
              (struct course){.path = "/", .body = "[<id>]", .amount = AMOUNT, .proxied = true});
}

static void messages(void **state)
{
    fail_each(state,
              (struct course){.path = "/", .body = "hello", .amount = AMOUNT, .websocket = true});
}

static void messages_through_a_proxy(void **state)
{
    fail_each(
        state,
        (struct course){
            .path = "/", .body = "[<id>]", .amount = AMOUNT, .proxied = true, .websocket = true});
}

static void a_message_that_waits_to_be_written(void **state)
{
    static char body[LARGE + 1];
    memset(body, 'x', LARGE);
    fail_each(state, (struct course){.path = "/", .body = body, .amount = 1, .websocket = true});
}

static void what_is_broadcast(void **state)
{
    fail_each(state, (struct course){.path = "/news", .body = "", .websocket = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(through_a_proxy),
        cmocka_unit_test(messages),
        cmocka_unit_test(messages_through_a_proxy),
        cmocka_unit_test(a_message_that_waits_to_be_written),
        cmocka_unit_test(what_is_broadcast),
    };
    return cmocka_run_group_tests_name("load_connection_fault", tests, begin_other_end,
                                       end_other_end);
}
