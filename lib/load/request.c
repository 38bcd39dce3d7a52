/* SPDX-License-Identifier: Apache-2.0 */
#include "load/request.h"

#include <string.h>
#include <strings.h>

#include "load/http2_request.h"

static bool is_token(const char *text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    const char *at = text;
    while ((*at >= '0' && *at <= '9') || ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z') ||
           (*at && strchr(others, *at))) {
        at++;
    }
    return at != text && *at == '\0';
}

/* What would end a line, or the request. */
static bool breaks_line(struct sonde_str text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\r' || text.data[i] == '\n' || text.data[i] == '\0') {
            return true;
        }
    }
    return false;
}

/* What would end the path, or is no part of a request line (RFC 9112, 3.2). */
static bool has_gap(struct sonde_str path)
{
    for (size_t i = 0; i < path.length; i++) {
        unsigned char c = (unsigned char)path.data[i];
        if (c <= ' ' || c == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool has_field(const struct sonde_load_ask *ask, const char *name)
{
    for (size_t i = 0; i < ask->field_count; i++) {
        if (strcasecmp(ask->fields[i].key, name) == 0) {
            return true;
        }
    }
    return false;
}

int sonde_load_ask_check(const struct sonde_load_ask *ask, struct sonde_err *err)
{
    if (!is_token(ask->method)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s is no method", ask->method);
    }
    if (ask->path.length == 0 || has_gap(ask->path)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%.*s is no path to ask for",
                          SONDE_STR_ARG(ask->path));
    }
    for (size_t i = 0; i < ask->field_count; i++) {
        const struct sonde_pair *field = &ask->fields[i];
        if (!is_token(field->key) || breaks_line(sonde_str(field->value))) {
            return sonde_fail(err, SONDE_EINVALID, 0, "%s: %s is no header field", field->key,
                              field->value);
        }
    }
    return ask->field_count > SONDE_LOAD_FIELDS_MAX
               ? sonde_fail(err, SONDE_ELIMIT, 0, "more than %d header fields",
                            SONDE_LOAD_FIELDS_MAX)
               : 0;
}

static enum sonde_request_kind kind_of(const char *method)
{
    return strcmp(method, "HEAD") == 0      ? SONDE_REQUEST_HEAD
           : strcmp(method, "CONNECT") == 0 ? SONDE_REQUEST_CONNECT
                                            : SONDE_REQUEST_PLAIN;
}

static int take_text(struct sonde_str text, const struct sonde_load_places *places,
                     struct sonde_arena *arena, struct sonde_load_template *ret,
                     struct sonde_err *err)
{
    struct sonde_str copy = sonde_arena_copy(arena, text);
    return copy.data ? sonde_load_template_parse(copy, places, arena, ret, err)
                     : sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a request");
}

static int add_field(struct sonde_load_request *r, struct sonde_str name, struct sonde_str value,
                     const struct sonde_load_places *places, struct sonde_arena *arena,
                     struct sonde_err *err)
{
    struct sonde_load_field *field = &r->fields[r->field_count++];
    field->name = sonde_arena_copy(arena, name);
    return field->name.data ? take_text(value, places, arena, &field->value, err)
                            : sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a request");
}

static int add_fields(const struct sonde_load_ask *ask, const struct sonde_load_url *url,
                      const struct sonde_load_places *places, struct sonde_arena *arena,
                      struct sonde_load_request *r, struct sonde_err *err)
{
    static const struct sonde_load_places none = {0};
    SONDE_BUF_AUTO authority = SONDE_BUF(SONDE_LOAD_HOST_MAX + 16);
    enum { OURS = 2 };
    int code = 0;
    r->fields = sonde_arena_alloc(arena, (ask->field_count + OURS) * sizeof(*r->fields));
    sonde_load_url_authority(url, &authority);
    code = sonde_buf_check(&authority, "the host", err);
    if (code < 0 || !r->fields) {
        return code < 0 ? code : sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a request");
    }
    if (!has_field(ask, "host")) {
        code = add_field(r, SONDE_STR("Host"), sonde_buf_view(&authority), &none, arena, err);
    }
    if (code == 0 && !has_field(ask, "connection")) {
        code = add_field(r, SONDE_STR("Connection"), SONDE_STR("keep-alive"), &none, arena, err);
    }
    for (size_t i = 0; i < ask->field_count && code == 0; i++) {
        const struct sonde_pair *field = &ask->fields[i];
        code = add_field(r, sonde_str(field->key), sonde_str(field->value), places, arena, err);
    }
    return code;
}

static bool is_constant(const struct sonde_load_request *r)
{
    bool constant =
        sonde_load_template_is_constant(&r->path) && sonde_load_template_is_constant(&r->body);
    for (size_t i = 0; i < r->field_count; i++) {
        constant = constant && sonde_load_template_is_constant(&r->fields[i].value);
    }
    return constant;
}

static int make_bytes(struct sonde_load_request *r, struct sonde_arena *arena,
                      struct sonde_err *err)
{
    SONDE_BUF_AUTO body = SONDE_BUF(SONDE_LOAD_MESSAGE_MAX);
    SONDE_BUF_AUTO all = SONDE_BUF(SONDE_LOAD_MESSAGE_MAX);
    sonde_load_request_fill(r, NULL, "", &body, &all);
    int code = sonde_buf_check(&all, "a request", err);
    if (code < 0) {
        return code;
    }
    r->bytes = sonde_arena_copy(arena, sonde_buf_view(&all));
    return r->bytes.data ? sonde_load_http2_request_make(r->bytes, r->secure, arena, &r->http2, err)
                         : sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a request");
}

int sonde_load_request_make(const struct sonde_load_ask *ask, const struct sonde_load_url *url,
                            const struct sonde_load_places *places, struct sonde_arena *arena,
                            struct sonde_load_request *ret, struct sonde_err *err)
{
    struct sonde_load_request r = {.kind = kind_of(ask->method),
                                   .secure = url->tls,
                                   .has_body = ask->body.data,
                                   .sets_length = !has_field(ask, "content-length")};
    int code = sonde_load_ask_check(ask, err);
    if (code == 0) {
        r.method = sonde_arena_copy(arena, sonde_str(ask->method));
        code = r.method.data ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a request");
    }
    struct sonde_load_places in_path = *places;
    in_path.encoded = true;
    code = code < 0 ? code : take_text(ask->path, &in_path, arena, &r.path, err);
    code = code < 0 ? code : add_fields(ask, url, places, arena, &r, err);
    code = code < 0 || !r.has_body ? code : take_text(ask->body, places, arena, &r.body, err);
    code = code < 0 || !is_constant(&r) ? code : make_bytes(&r, arena, err);
    *ret = r;
    return code;
}

void sonde_load_request_fill(const struct sonde_load_request *request,
                             const struct sonde_str *values, const char *id, struct sonde_buf *body,
                             struct sonde_buf *ret)
{
    const struct sonde_load_request *r = request;
    sonde_buf_clear(body);
    sonde_load_template_fill(&r->body, values, id, body);
    sonde_buf_str(ret, r->method);
    sonde_buf_char(ret, ' ');
    sonde_load_template_fill(&r->path, values, id, ret);
    sonde_buf_text(ret, " HTTP/1.1\r\n");
    for (size_t i = 0; i < r->field_count; i++) {
        size_t before = ret->length;
        sonde_buf_str(ret, r->fields[i].name);
        sonde_buf_text(ret, ": ");
        size_t begin = ret->length;
        sonde_load_template_fill(&r->fields[i].value, values, id, ret);
        if (r->fields[i].optional && ret->length == begin) {
            ret->length = before;
        } else {
            sonde_buf_text(ret, "\r\n");
        }
    }
    if (r->has_body && r->sets_length) {
        sonde_buf_printf(ret, "Content-Length: %zu\r\n", body->length);
    }
    sonde_buf_text(ret, "\r\n");
    sonde_buf_str(ret, sonde_buf_view(body));
    ret->code = ret->code ? ret->code : body->code;
}
