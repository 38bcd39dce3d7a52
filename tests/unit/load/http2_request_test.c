/* SPDX-License-Identifier: Apache-2.0 */
#include "load/http2_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "name=value;" of all fields, "|" and the body. */
static void print(const struct sonde_load_http2_request *request, struct sonde_buf *ret)
{
    sonde_buf_clear(ret);
    for (size_t i = 0; i < request->count; i++) {
        const nghttp2_nv *field = &request->fields[i];
        sonde_buf_append(ret, field->name, field->namelen);
        sonde_buf_char(ret, '=');
        sonde_buf_append(ret, field->value, field->valuelen);
        sonde_buf_char(ret, ';');
    }
    sonde_buf_char(ret, '|');
    sonde_buf_str(ret, request->body);
}

static int split(const char *text, bool secure, struct sonde_buf *ret)
{
    nghttp2_nv fields[SONDE_LOAD_HTTP2_FIELDS_MAX];
    struct sonde_load_http2_request request;
    char *copy = strdup(text);
    assert_non_null(copy);
    int r = sonde_load_http2_request_split(copy, strlen(copy), secure, fields, &request, NULL);
    if (r == 0) {
        print(&request, ret);
    }
    free(copy);
    return r;
}

static void takes_requests_apart(void **state)
{
    static const struct {
        const char *text;
        bool secure;
        const char *expected;
    } rows[] = {
        {"GET /a?b HTTP/1.1\r\nHost: h:1\r\nConnection: keep-alive\r\n\r\n", false,
         ":method=GET;:scheme=http;:authority=h:1;:path=/a?b;|"},
        {"POST / HTTP/1.1\r\nX-Big: A b\r\nhost: h\r\nContent-Length: 4\r\n\r\nbo\r\n", true,
         ":method=POST;:scheme=https;:authority=h;:path=/;x-big=A b;content-length=4;|bo\r\n"},
        /* What is of a connection of HTTP/1.1. */
        {"GET / HTTP/1.1\r\nHost: h\r\nKeep-Alive: 1\r\nTransfer-Encoding: chunked\r\n"
         "Upgrade: x\r\nProxy-Connection: x\r\nHTTP2-Settings: x\r\nTE: gzip\r\nte: trailers\r\n"
         "\r\n",
         false, ":method=GET;:scheme=http;:authority=h;:path=/;te=trailers;|"},
        {"GET / HTTP/1.1\r\nHost: h\r\nEmpty:\r\n\r\n", false,
         ":method=GET;:scheme=http;:authority=h;:path=/;empty=;|"},
    };
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    (void)state;
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        assert_int_equal(split(rows[i].text, rows[i].secure, &text), 0);
        sonde_buf_char(&text, '\0');
        assert_string_equal(text.data, rows[i].expected);
    }
}

static void refuses_what_is_no_request(void **state)
{
    static const char *const rows[] = {
        "",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n",
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        " / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\n: no name\r\n\r\n",
    };
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    (void)state;
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        assert_int_equal(split(rows[i], false, &text), SONDE_EINVALID);
    }
}

static void has_room_for_so_many_fields(void **state)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    SONDE_BUF_AUTO ignored = SONDE_BUF(1 << 16);
    (void)state;
    sonde_buf_text(&text, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < SONDE_LOAD_HTTP2_FIELDS_MAX - 4; i++) {
        sonde_buf_text(&text, "a: b\r\n");
    }
    size_t most = text.length;
    sonde_buf_append(&text, "\r\n", 3);
    assert_int_equal(split(text.data, false, &ignored), 0);
    text.length = most;
    sonde_buf_append(&text, "a: b\r\n\r\n", 9);
    assert_int_equal(split(text.data, false, &ignored), SONDE_ELIMIT);
}

/* A constant request has both forms, and the one of HTTP/1.1 is as it was. */
static void is_made_once(void **state)
{
    struct sonde_arena arena = SONDE_ARENA(1 << 20);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    struct sonde_load_url url;
    struct sonde_load_request request;
    const struct sonde_pair fields[] = {{"X-Id", "1"}};
    const struct sonde_load_places none = {0};
    const struct sonde_load_ask ask = {.method = "PUT",
                                       .path = SONDE_STR("/x"),
                                       .fields = fields,
                                       .field_count = 1,
                                       .body = SONDE_STR("hello")};
    (void)state;
    assert_int_equal(sonde_load_url_parse(SONDE_STR("https://h"), &url, NULL), 0);
    assert_int_equal(sonde_load_request_make(&ask, &url, &none, &arena, &request, NULL), 0);
    assert_non_null(memmem(request.bytes.data, request.bytes.length, "X-Id: 1", 7));
    print(request.http2, &text);
    sonde_buf_char(&text, '\0');
    assert_string_equal(text.data, ":method=PUT;:scheme=https;:authority=h;:path=/x;x-id=1;"
                                   "content-length=5;|hello");
    assert_ptr_equal(request.http2->body.data, request.bytes.data + request.bytes.length - 5);
    assert_int_equal(request.http2->fields[0].flags,
                     NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
    sonde_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_requests_apart),
        cmocka_unit_test(refuses_what_is_no_request),
        cmocka_unit_test(has_room_for_so_many_fields),
        cmocka_unit_test(is_made_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
