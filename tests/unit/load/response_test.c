/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "load/response.h"
#include "seed.h"

/* What a response was, as text: "200 keep, 5 of body", behind a "; " where one stands before. */
static void say(const struct sonde_response *r, struct sonde_buf *ret)
{
    sonde_buf_printf(ret, "%s%d %s, %llu of body%s", ret->length ? "; " : "", r->status,
                     r->keep_alive ? "keep" : "close", (unsigned long long)r->body,
                     r->upgraded ? ", upgraded" : "");
}

static void say_word(const char *word, struct sonde_buf *ret)
{
    sonde_buf_printf(ret, "%s%s", ret->length ? "; " : "", word);
}

/* Of all that is fed: what was read once is recalled when it is fed in other pieces. */
static struct sonde_response_memo memo;

static void begin_response(struct sonde_response *r, enum sonde_request_kind kind)
{
    sonde_response_begin(r, kind, NULL);
    r->memo = &memo;
}

/* Takes what is there, response after response; returns how much of it, or -1: no more is to come.
 */
static ssize_t take(struct sonde_response *r, struct sonde_str there, enum sonde_request_kind kind,
                    struct sonde_buf *ret)
{
    size_t begin = 0;
    for (;;) {
        size_t used;
        struct sonde_err err = {0};
        if (sonde_response_feed(r, there.data + begin, there.length - begin, &used, &err) < 0) {
            say_word(err.message, ret);
            return -1;
        }
        begin += used;
        if (r->state != SONDE_RESPONSE_COMPLETE) {
            return (ssize_t)begin;
        }
        say(r, ret);
        if (r->upgraded) {
            return -1;
        }
        begin_response(r, kind);
    }
}

/* Feeds the text in pieces of at most `piece` bytes as a connection does: what is not used is given
 * again. Responses one after the other. */
static void feed(const char *text, size_t length, size_t piece, enum sonde_request_kind kind,
                 bool closes, struct sonde_buf *ret)
{
    struct sonde_response r;
    struct sonde_err err = {0};
    size_t begin = 0;
    sonde_buf_clear(ret);
    begin_response(&r, kind);
    for (size_t end = 0; end < length;) {
        end = length - end < piece ? length : end + piece;
        ssize_t used = take(&r, (struct sonde_str){text + begin, end - begin}, kind, ret);
        if (used < 0) {
            return;
        }
        begin += (size_t)used;
    }
    if (!sonde_response_begun(&r)) {
        return;
    }
    if (!closes) {
        say_word("incomplete", ret);
    } else if (sonde_response_closed(&r, &err) == 0) {
        say(&r, ret);
    } else {
        say_word(err.message, ret);
    }
}

static void assert_said(const char *text, size_t length, enum sonde_request_kind kind, bool closes,
                        const char *expected)
{
    SONDE_BUF_AUTO said = SONDE_BUF(4096);
    static const size_t pieces[] = {1, 2, 3, 7, SIZE_MAX};
    for (size_t i = 0; i < SONDE_LENGTH(pieces); i++) {
        feed(text, length, pieces[i], kind, closes, &said);
        if (!said.data || strcmp(said.data, expected) != 0) {
            fail_msg("%.60s in pieces of %zu: %s instead of %s", text, pieces[i],
                     said.data ? said.data : "nothing", expected);
        }
    }
}

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define NOT "not a response of HTTP/1: "

static void responses_end_where_they_end(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        {OK "Content-Length: 5\r\n\r\nhello", "200 keep, 5 of body"},
        {OK "content-length:5\r\n\r\nhelloHTTP/1.1 204 No Content\r\n\r\n",
         "200 keep, 5 of body; 204 keep, 0 of body"},
        {OK "Content-Length: 0\r\nConnection: close\r\n\r\n", "200 close, 0 of body"},
        {OK "Content-Length: 2\r\nConnection: Upgrade , CLOSE\r\n\r\nab", "200 close, 2 of body"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "200 close, 1 of body"},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
         "200 keep, 1 of body"},
        {"HTTP/1.1 304\r\nContent-Length: 99\r\n\r\n", "304 keep, 0 of body"},
        {"HTTP/1.1 404 \r\nContent-Length: 1\r\n\r\n?", "404 keep, 1 of body"},
        {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", "200 keep, 1 of body"},
        {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 P\r\n\r\n" OK
         "Content-Length: 1\r\n\r\nx",
         "200 keep, 1 of body"},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81",
         "101 close, 0 of body, upgraded"},
        {CHUNKED "5\r\nhello\r\n6;a=b; c=\"d\\\"\xed\"\r\n world\r\n0\r\n\r\n",
         "200 keep, 11 of body"},
        {CHUNKED "00A\r\n0123456789\r\n0\r\nA: b\r\nC: d\r\n\r\n", "200 keep, 10 of body"},
        {OK "Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "200 keep, 1 of body"},
        {OK "Transfer-Encoding: gzip\r\n\r\nrest", "200 close, 4 of body"},
        {OK "\r\nuntil the end", "200 close, 13 of body"},
        {OK "\r\n", "200 close, 0 of body"},
        {OK "Content-Length: 1\r\n\r\nx\r\n" OK "Content-Length: 2\r\n\r\nxy",
         "200 keep, 1 of body; 200 keep, 2 of body"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        assert_said(cases[i].text, strlen(cases[i].text), SONDE_REQUEST_PLAIN, true, cases[i].said);
    }
    static const char head[] = OK "Content-Length: 5\r\n\r\n";
    assert_said(head, sizeof(head) - 1, SONDE_REQUEST_HEAD, true, "200 keep, 0 of body");
    assert_said(head, sizeof(head) - 1, SONDE_REQUEST_CONNECT, true,
                "200 close, 0 of body, upgraded");
}

static void what_is_cut_is_not_complete(void **state)
{
    (void)state;
    static const char *const texts[] = {
        OK "Content-Length: 5\r\n\r\nhell",
        CHUNKED "5\r\nhello",
        CHUNKED "5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200",
        "H",
        "HTTP/1.1 100 Continue\r\n\r\n",
    };
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        assert_said(texts[i], strlen(texts[i]), SONDE_REQUEST_PLAIN, true,
                    "the connection was closed in the middle of a response");
        assert_said(texts[i], strlen(texts[i]), SONDE_REQUEST_PLAIN, false, "incomplete");
    }
}

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
    } cases[] = {
        {"HTTP/2.0 200 OK\r\n\r\n", "it does not begin with HTTP/1.0 or HTTP/1.1"},
        {"ICY 200 OK\r\n\r\n", "it does not begin with HTTP/1.0 or HTTP/1.1"},
        {"\x16\x03\x01", "it does not begin with HTTP/1.0 or HTTP/1.1"},
        {"HTTP/1.1 2x0 OK\r\n\r\n", "the status is no number of three digits"},
        {"HTTP/1.1 2000 OK\r\n\r\n", "the status is no number from 100 to 999"},
        {"HTTP/1.1 099 OK\r\n\r\n", "the status is no number from 100 to 999"},
        {"HTTP/1.1 200 O\rK\r\n\r\n", "a carriage return within the status line"},
        {OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "two fields Content-Length"},
        {OK "Content-Length: 5, 5\r\n\r\n", "Content-Length is no number"},
        {OK "Content-Length: -1\r\n\r\n", "Content-Length is no number"},
        {OK "Content-Length: \r\n\r\n", "Content-Length is no number"},
        {OK "Content-Length: 9999999999999999999\r\n\r\n", "Content-Length is no number"},
        {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
         "both Transfer-Encoding and Content-Length"},
        {OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
         "both Transfer-Encoding and Content-Length"},
        {OK "Transfer-Encoding: chunked, gzip\r\n\r\n", "chunked is not the last coding"},
        {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n",
         "chunked is not the last coding"},
        {OK "A : b\r\n\r\n", "a field without a name, or with space around it"},
        {OK " folded\r\n\r\n", "a field without a name, or with space around it"},
        {OK "no colon\r\n\r\n", "a field without a name, or with space around it"},
        {OK "A: b\x02\r\n\r\n", "a control character in a field"},
        {OK "A: 0123456789abcdef0123456789abcdef\x7f\r\n\r\n", "a control character in a field"},
        {OK "A: b\rc\r\n\r\n", "a control character in a field"},
        {OK "A: b\nC: d\r\n\r\n", "a line without a carriage return"},
        {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "a line without a carriage return"},
        {OK "A: b\n\n", "a line without a carriage return"},
        {CHUNKED "\r\n", "the size of a chunk is no hexadecimal number"},
        {CHUNKED "0x5\r\n", "the size of a chunk is no hexadecimal number"},
        {CHUNKED " 5\r\n", "the size of a chunk is no hexadecimal number"},
        {CHUNKED "5 5\r\n", "the size of a chunk is no hexadecimal number"},
        {CHUNKED "fffffffffffffffff\r\n", "the size of a chunk is no hexadecimal number"},
        {CHUNKED "8000000000000000\r\n", "the size of a chunk is no hexadecimal number"},
        {CHUNKED "5\n", "a line without a carriage return"},
        {CHUNKED "5;a=\x01\r\n", "malformed extensions of a chunk"},
        {CHUNKED "5;a=\xed\r\n", "malformed extensions of a chunk"},
        {CHUNKED "5;a=\"b\r\n", "malformed extensions of a chunk"},
        {CHUNKED "5\r\nhelloX", "a chunk is longer than its size"},
        {CHUNKED "5\r\nhello\rX", "a chunk is longer than its size"},
        {CHUNKED "0\r\nbad\r\n\r\n", "a field without a name, or with space around it"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        char expected[128];
        (void)snprintf(expected, sizeof(expected), NOT "%s", cases[i].what);
        assert_said(cases[i].text, strlen(cases[i].text), SONDE_REQUEST_PLAIN, true, expected);
    }
}

/* A head, a line and trailers without an end. */
static void what_has_no_end_is_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *more, *what;
    } cases[] = {
        {OK, "A: 0123456789\r\n", "the head of a response is longer than 65536 bytes"},
        {OK "A: ", "0123456789", "the head of a response is longer than 65536 bytes"},
        {CHUNKED "5;", "0123456789", "a line of a chunked body has more than 16384 bytes"},
        {CHUNKED "0\r\n", "A: 0123456789\r\n", "trailers of more than 16384 bytes"},
        {CHUNKED "0\r\nA: ", "0123456789", "a line of a chunked body has more than 16384 bytes"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
        SONDE_BUF_AUTO said = SONDE_BUF(4096);
        sonde_buf_text(&text, cases[i].begin);
        while (text.length < 80 << 10) {
            sonde_buf_text(&text, cases[i].more);
        }
        feed(text.data, text.length, 1000, SONDE_REQUEST_PLAIN, true, &said);
        assert_string_equal(said.data, cases[i].what);
        feed(text.data, text.length, SIZE_MAX, SONDE_REQUEST_PLAIN, true, &said);
        assert_string_equal(said.data, cases[i].what);
    }
}

struct seen {
    struct sonde_buf text;
    int refuse_after;
};

static int see_field(void *context, struct sonde_str name, struct sonde_str value,
                     struct sonde_err *err)
{
    struct seen *seen = context;
    sonde_buf_printf(&seen->text, "%.*s=%.*s|", SONDE_STR_ARG(name), SONDE_STR_ARG(value));
    return --seen->refuse_after == 0 ? sonde_fail(err, SONDE_EIO, 0, "enough") : 0;
}

static int see_body(void *context, const char *data, size_t length, struct sonde_err *err)
{
    (void)err;
    struct seen *seen = context;
    sonde_buf_append(&seen->text, data, length);
    return 0;
}

static void fields_and_content_are_passed_on(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                               "HTTP/1.1 201 Created\r\nLocation: \t /a/1 \r\nX:\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n2\r\nde\r\n0\r\nEnd: yes\r\n\r\nHTTP";
    struct seen seen = {SONDE_BUF(4096), 0};
    const struct sonde_response_observer observer = {&seen, see_field, see_body};
    struct sonde_response r;
    struct sonde_err err = {0};
    size_t used;
    sonde_response_begin(&r, SONDE_REQUEST_PLAIN, &observer);
    assert_int_equal(sonde_response_feed(&r, text, sizeof(text) - 1, &used, NULL), 0);
    assert_int_equal(used, sizeof(text) - 1 - 4);
    assert_int_equal(r.wire, used);
    assert_string_equal(seen.text.data, "Location=/a/1|X=|Transfer-Encoding=chunked|abcdeEnd=yes|");
    for (int after = 1; after <= 4; after++) {
        seen.refuse_after = after;
        sonde_response_begin(&r, SONDE_REQUEST_PLAIN, &observer);
        assert_int_equal(sonde_response_feed(&r, text, sizeof(text) - 1, &used, &err), SONDE_EIO);
        assert_string_equal(err.message, "enough");
    }
    sonde_buf_fini(&seen.text);
}

/* Random responses, in random pieces, damaged at random: in one piece and in many it is the same,
 * and nothing is used that was not there. */
static void pieces_do_not_matter(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    static const char *const parts[] = {
        OK,
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.0 500 No\r\n",
        "HTTP/1.1 100 C\r\n\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "A: b\r\n",
        "\r\n",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        "abc",
        "x",
    };
    uint64_t seed = test_seed();
    for (int round = 0; round < ROUNDS; round++) {
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 12);
        SONDE_BUF_AUTO whole = SONDE_BUF(1 << 14);
        SONDE_BUF_AUTO pieces = SONDE_BUF(1 << 14);
        size_t count = 1 + sonde_random_next(&seed) % 10;
        for (size_t i = 0; i < count; i++) {
            sonde_buf_text(&text, parts[sonde_random_next(&seed) % SONDE_LENGTH(parts)]);
        }
        if (sonde_random_next(&seed) % 2) {
            text.data[sonde_random_next(&seed) % text.length] = (char)sonde_random_next(&seed);
        }
        enum sonde_request_kind kind = (enum sonde_request_kind)(sonde_random_next(&seed) % 3);
        feed(text.data, text.length, SIZE_MAX, kind, true, &whole);
        feed(text.data, text.length, 1 + sonde_random_next(&seed) % 9, kind, true, &pieces);
        assert_string_equal(pieces.data ? pieces.data : "", whole.data ? whole.data : "");
    }
}

static int status_of(const char *text, enum sonde_request_kind kind,
                     const struct sonde_response_observer *observer)
{
    struct sonde_response r;
    size_t used;
    sonde_response_begin(&r, kind, observer);
    r.memo = &memo;
    assert_int_equal(sonde_response_feed(&r, text, strlen(text), &used, NULL), 0);
    return r.state == SONDE_RESPONSE_COMPLETE ? r.status : -1;
}

static int ignore_field(void *context, struct sonde_str name, struct sonde_str value,
                        struct sonde_err *err)
{
    (void)name;
    (void)value;
    (void)err;
    ++*(int *)context;
    return 0;
}

static void the_same_head_is_not_read_twice(void **state)
{
    (void)state;
    static const char text[] = OK "A: b\r\nContent-Length: 2\r\n\r\nhi";
    static const char other[] = OK "A: c\r\nContent-Length: 2\r\n\r\nhi";
    int fields = 0;
    const struct sonde_response_observer observer = {&fields, ignore_field, NULL};
    assert_int_equal(status_of(text, SONDE_REQUEST_PLAIN, NULL), 200);
    assert_int_equal(memo.length, strlen(text) - 2);
    memo.status = 299; /* which shows whose word it is */
    assert_int_equal(status_of(text, SONDE_REQUEST_PLAIN, NULL), 299);
    /* Not where somebody looks at the fields, something else was asked, or one byte differs. */
    assert_int_equal(status_of(text, SONDE_REQUEST_PLAIN, &observer), 200);
    assert_int_equal(fields, 2);
    assert_int_equal(status_of(text, SONDE_REQUEST_HEAD, NULL), 200);
    assert_int_equal(status_of(text, SONDE_REQUEST_PLAIN, NULL), 200);
    memo.status = 299;
    assert_int_equal(status_of(other, SONDE_REQUEST_PLAIN, NULL), 200);
    memo.status = 299;
    /* One that is longer than what is remembered leaves it as it is. */
    SONDE_BUF_AUTO large = SONDE_BUF(1 << 12);
    sonde_buf_printf(&large, OK "A: %01024d\r\nContent-Length: 0\r\n\r\n", 0);
    assert_int_equal(status_of(large.data, SONDE_REQUEST_PLAIN, NULL), 200);
    assert_int_equal(status_of(other, SONDE_REQUEST_PLAIN, NULL), 299);
}

static void not_all_is_interim(void **state)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    struct sonde_response r;
    size_t used;
    (void)state;
    for (int i = 0; i < SONDE_RESPONSE_INTERIM_MAX; i++) {
        sonde_buf_text(&text, "HTTP/1.1 103 Early Hints\r\n\r\n");
    }
    size_t good = text.length;
    sonde_buf_text(&text, OK "Content-Length: 0\r\n\r\n");
    assert_int_equal(status_of(text.data, SONDE_REQUEST_PLAIN, NULL), 200);
    text.length = good;
    sonde_buf_text(&text, "HTTP/1.1 103 Early Hints\r\n\r\n");
    sonde_response_begin(&r, SONDE_REQUEST_PLAIN, NULL);
    assert_int_equal(sonde_response_feed(&r, text.data, text.length, &used, NULL), SONDE_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_head_is_not_read_twice),
        cmocka_unit_test(responses_end_where_they_end),
        cmocka_unit_test(what_is_cut_is_not_complete),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(what_has_no_end_is_bounded),
        cmocka_unit_test(not_all_is_interim),
        cmocka_unit_test(fields_and_content_are_passed_on),
        cmocka_unit_test(pieces_do_not_matter),
    };
    return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
