/* SPDX-License-Identifier: Apache-2.0 */
#include "load/http2_request.h"

#include <string.h>
#include <strings.h>

static int refuse(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EINVALID, 0, "a request that HTTP/2 cannot send");
}

static nghttp2_nv pair(struct sonde_str name, struct sonde_str value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.data,
                        .value = (uint8_t *)(uintptr_t)value.data,
                        .namelen = name.length,
                        .valuelen = value.length};
}

/* The next line, without its end. */
static bool next_line(struct sonde_str *rest, struct sonde_str *ret)
{
    const char *end = rest->length ? memmem(rest->data, rest->length, "\r\n", 2) : NULL;
    if (!end) {
        return false;
    }
    size_t length = (size_t)(end - rest->data);
    *ret = (struct sonde_str){rest->data, length};
    *rest = (struct sonde_str){end + 2, rest->length - length - 2};
    return true;
}

/* What says how HTTP/1.1 uses its connection: RFC 9113, 8.2.2. */
static bool is_of_connection(struct sonde_str name, struct sonde_str value)
{
    static const char *const names[] = {"connection",        "keep-alive", "proxy-connection",
                                        "transfer-encoding", "upgrade",    "http2-settings"};
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        if (sonde_str_is(name, names[i])) {
            return true;
        }
    }
    return sonde_str_is(name, "te") && !sonde_str_is(value, "trailers");
}

static void put_into_small_letters(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        text[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
    }
}

/* "Name: value" of a text that is ours. */
static int add_field(struct sonde_load_http2_request *r, char *line, size_t length,
                     nghttp2_nv *authority, struct sonde_err *err)
{
    char *colon = memchr(line, ':', length);
    if (!colon || colon == line) {
        return refuse(err);
    }
    struct sonde_str name = {line, (size_t)(colon - line)};
    struct sonde_str value =
        sonde_str_trim((struct sonde_str){colon + 1, length - name.length - 1});
    put_into_small_letters(line, name.length);
    if (sonde_str_is(name, "host")) {
        *authority = pair(SONDE_STR(":authority"), value);
        return 0;
    }
    if (is_of_connection(name, value)) {
        return 0;
    }
    if (r->count == SONDE_LOAD_HTTP2_FIELDS_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a request with more than %d fields",
                          SONDE_LOAD_HTTP2_FIELDS_MAX);
    }
    r->fields[r->count++] = pair(name, value);
    return 0;
}

int sonde_load_http2_request_split(char *text, size_t length, bool secure,
                                   nghttp2_nv fields[SONDE_LOAD_HTTP2_FIELDS_MAX],
                                   struct sonde_load_http2_request *ret, struct sonde_err *err)
{
    enum { AUTHORITY = 2, PSEUDO = 4 };
    struct sonde_str rest = {text, length};
    struct sonde_str line;
    if (!next_line(&rest, &line)) {
        return refuse(err);
    }
    struct sonde_str target = line;
    struct sonde_str method = sonde_str_split(&target, ' ');
    struct sonde_str path = sonde_str_split(&target, ' ');
    if (method.length == 0 || path.length == 0 || !target.data) {
        return refuse(err);
    }
    ret->fields = fields;
    ret->fields[0] = pair(SONDE_STR(":method"), method);
    ret->fields[1] = pair(SONDE_STR(":scheme"), secure ? SONDE_STR("https") : SONDE_STR("http"));
    ret->fields[AUTHORITY] = pair(SONDE_STR(":authority"), SONDE_STR(""));
    ret->fields[PSEUDO - 1] = pair(SONDE_STR(":path"), path);
    ret->count = PSEUDO;
    for (;;) {
        if (!next_line(&rest, &line)) {
            return refuse(err);
        }
        if (line.length == 0) {
            break;
        }
        int r =
            add_field(ret, text + (line.data - text), line.length, &ret->fields[AUTHORITY], err);
        if (r < 0) {
            return r;
        }
    }
    ret->body = rest;
    return 0;
}

int sonde_load_http2_request_make(struct sonde_str text, bool secure, struct sonde_arena *arena,
                                  const struct sonde_load_http2_request **ret,
                                  struct sonde_err *err)
{
    const char *end = memmem(text.data, text.length, "\r\n\r\n", 4);
    size_t length = end ? (size_t)(end - text.data) + 4 : 0;
    nghttp2_nv fields[SONDE_LOAD_HTTP2_FIELDS_MAX];
    char *head = sonde_arena_alloc(arena, length + 1);
    struct sonde_load_http2_request *own = sonde_arena_alloc(arena, sizeof(*own));
    if (!head || !own) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a request");
    }
    memcpy(head, text.data, length);
    int r = sonde_load_http2_request_split(head, length, secure, fields, own, err);
    if (r < 0) {
        return r;
    }
    own->body = (struct sonde_str){text.data + length, text.length - length};
    own->fields = sonde_arena_alloc(arena, own->count * sizeof(*own->fields));
    if (!own->fields) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a request");
    }
    memcpy(own->fields, fields, own->count * sizeof(*own->fields));
    for (size_t i = 0; i < own->count; i++) {
        own->fields[i].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    }
    *ret = own;
    return 0;
}
