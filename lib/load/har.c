/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "codec/json.h"
#include "load/form.h"
#include "load/import.h"

enum { SHOWN = 200 }; /* characters of a URL in a message */

struct har {
    const struct sonde_load_url *url;
    struct sonde_load_import *import;
    size_t others;         /* entries of other origins */
    char other[SHOWN + 1]; /* the first of these */
};

static int no_memory(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for requests");
}

/* What we say ourselves, and what one connection says to its other end (RFC 9110, 7.6.1; RFC 9113,
 * 8.3). */
static bool is_of_connection(const char *name)
{
    static const char *const names[] = {
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "te",
        "upgrade",
    };
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        if (strcasecmp(name, names[i]) == 0) {
            return true;
        }
    }
    return name[0] == ':' || name[0] == '\0';
}

static int add_field(struct har *h, struct sonde_pair *fields, size_t *count, const char *name,
                     const char *value, struct sonde_err *err)
{
    if (*count == SONDE_LOAD_FIELDS_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "more than %d header fields",
                          SONDE_LOAD_FIELDS_MAX);
    }
    struct sonde_pair *field = &fields[*count];
    field->key = sonde_arena_copy(&h->import->arena, sonde_str(name)).data;
    field->value = sonde_arena_copy(&h->import->arena, sonde_str_trim(sonde_str(value))).data;
    *count += 1;
    return field->key && field->value ? 0 : no_memory(err);
}

static bool has_field(const struct sonde_pair *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(fields[i].key, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A body that was recorded as its parameters. SONDE_EINVALID: a file without its content. */
static int print_params(const cJSON *params, bool multipart,
                        char boundary[SONDE_LOAD_BOUNDARY_SIZE], struct sonde_buf *body,
                        struct sonde_err *err)
{
    static struct sonde_load_form empty;
    struct sonde_load_form form = empty;
    for (const cJSON *one = params->child; one; one = one->next) {
        const char *value = sonde_json_string_or(one, "value", NULL);
        const char *name = sonde_json_string_or(one, "name", "");
        if (!value || form.count == SONDE_LOAD_FORM_PARTS_MAX) {
            return sonde_fail(err, SONDE_EINVALID, 0, "its form has %s",
                              value ? "too many fields" : "a file whose content was not recorded");
        }
        form.parts[form.count++] = (struct sonde_load_form_part){
            .name = name,
            .value = sonde_str(value),
            .filename = sonde_json_string_or(one, "fileName", NULL),
            .content_type = sonde_json_string_or(one, "contentType", NULL)};
        if (!multipart) {
            sonde_load_form_encode(sonde_str(name), sonde_str(value), body);
        }
    }
    return multipart ? sonde_load_form_print(&form, boundary, body, err)
                     : sonde_buf_check(body, "the form", err);
}

static bool is_word(struct sonde_str text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

/* Firefox records the form of a page with the header lines of what it uploads before it. */
static const char *skip_head(const char *text, const char *type)
{
    const char *end = strstr(text, "\r\n\r\n");
    struct sonde_str rest = {text, end ? (size_t)(end - text) : 0};
    bool own = false;
    while (rest.length) {
        struct sonde_str value = sonde_str_trim(sonde_str_split(&rest, '\n'));
        struct sonde_str name = sonde_str_split(&value, ':');
        if (is_word(name, "content-type")) {
            own = own || (*type && sonde_str_starts(sonde_str_trim(value), type));
        } else if (!is_word(name, "content-length")) {
            return text;
        }
    }
    return own ? end + strlen("\r\n\r\n") : text;
}

/* The body, and its type where the fields do not have it. */
static int take_body(struct har *h, const cJSON *data, struct sonde_load_ask *ask,
                     struct sonde_pair *fields, struct sonde_err *err)
{
    const char *text = sonde_json_string_or(data, "text", NULL);
    const char *type = sonde_json_string_or(data, "mimeType", "");
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(data, "params");
    bool multipart = strncasecmp(type, "multipart/form-data", strlen("multipart/form-data")) == 0;
    char made[64 + SONDE_LOAD_BOUNDARY_SIZE];
    SONDE_BUF_AUTO body = SONDE_BUF(SONDE_LOAD_HAR_MAX);
    if (text && (*text || !cJSON_IsArray(params) || !params->child)) {
        ask->body = sonde_arena_copy(&h->import->arena, sonde_str(skip_head(text, type)));
    } else if (cJSON_IsArray(params) && params->child) {
        char boundary[SONDE_LOAD_BOUNDARY_SIZE] = "";
        int r = print_params(params, multipart, boundary, &body, err);
        if (r < 0) {
            return r;
        }
        ask->body = sonde_arena_copy(&h->import->arena, sonde_buf_view(&body));
        if (multipart) {
            (void)snprintf(made, sizeof(made), "multipart/form-data; boundary=%s", boundary);
            type = made;
            for (size_t i = 0; i < ask->field_count; i++) {
                if (strcasecmp(fields[i].key, "content-type") == 0) {
                    memmove(&fields[i], &fields[i + 1],
                            (ask->field_count - i - 1) * sizeof(*fields));
                    ask->field_count--;
                }
            }
        }
    } else {
        return 0;
    }
    if (!ask->body.data) {
        return no_memory(err);
    }
    return *type && !has_field(fields, ask->field_count, "content-type")
               ? add_field(h, fields, &ask->field_count, "Content-Type", type, err)
               : 0;
}

static int make_ask(struct har *h, const cJSON *request, const struct sonde_load_url *url,
                    struct sonde_load_ask *ret, struct sonde_err *err)
{
    struct sonde_pair fields[SONDE_LOAD_FIELDS_MAX + 1];
    const cJSON *headers = cJSON_GetObjectItemCaseSensitive(request, "headers");
    const char *method = sonde_json_string_or(request, "method", "GET");
    *ret = (struct sonde_load_ask){
        .method = sonde_arena_copy(&h->import->arena, sonde_str(method)).data,
        .path = sonde_arena_copy(&h->import->arena, url->path),
        .fields = fields,
    };
    if (!ret->method || !ret->path.data) {
        return no_memory(err);
    }
    int r = 0;
    for (const cJSON *one = headers ? headers->child : NULL; one && r == 0; one = one->next) {
        const char *name = sonde_json_string_or(one, "name", "");
        /* Firefox writes the type of what it uploads a second time. */
        bool again = strcasecmp(name, "content-type") == 0 &&
                     has_field(fields, ret->field_count, "content-type");
        if (!is_of_connection(name) && !again) {
            r = add_field(h, fields, &ret->field_count, name,
                          sonde_json_string_or(one, "value", ""), err);
        }
    }
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(request, "postData");
    r = r < 0 || !data ? r : take_body(h, data, ret, fields, err);
    r = r < 0 ? r : sonde_load_ask_check(ret, err);
    if (r == 0) {
        size_t size = ret->field_count * sizeof(*fields);
        struct sonde_pair *kept = sonde_arena_alloc(&h->import->arena, size + 1);
        ret->fields = kept;
        if (!kept) {
            return no_memory(err);
        }
        memcpy(kept, fields, size);
    }
    return r;
}

static int skip(struct har *h, const char *text, const char *why, struct sonde_err *err)
{
    char what[SHOWN + 1];
    (void)snprintf(what, sizeof(what), "%s", text);
    return sonde_load_import_skip(h->import, what, why, err);
}

static int add_entry(struct har *h, const cJSON *entry, struct sonde_err *err)
{
    const cJSON *request = cJSON_GetObjectItemCaseSensitive(entry, "request");
    const char *text = sonde_json_string_or(request, "url", "");
    struct sonde_load_url url;
    struct sonde_load_ask ask;
    struct sonde_err why;
    if (sonde_load_url_parse(sonde_str(text), &url, &why) < 0) {
        return skip(h, text, why.message, err);
    }
    if (url.websocket) {
        return skip(h, text, "a WebSocket is not played again", err);
    }
    if (url.tls != h->url->tls || url.port != h->url->port ||
        strcasecmp(url.host, h->url->host) != 0) {
        if (h->others++ == 0) {
            (void)snprintf(h->other, sizeof(h->other), "%s", text);
        }
        return skip(h, text, "it goes to another origin", err);
    }
    int r = make_ask(h, request, &url, &ask, &why);
    if (r == SONDE_EINVALID || r == SONDE_ELIMIT) {
        return skip(h, text, why.message, err);
    }
    const char *name = r < 0 ? NULL : sonde_load_import_name(h->import, ask.method, ask.path);
    return name ? sonde_load_import_add(h->import, name, &ask, err) : no_memory(err);
}

int sonde_load_har_read(const char *name, struct sonde_str text, const struct sonde_load_url *url,
                        struct sonde_load_import *import, struct sonde_err *err)
{
    struct har h = {.url = url, .import = import};
    SONDE_JSON_AUTO *tree = NULL;
    int r = sonde_json_parse_up_to(text, SONDE_LOAD_HAR_MAX, &tree, err);
    if (r < 0) {
        return sonde_err_wrap(err, r, "%s", name);
    }
    const cJSON *log = cJSON_GetObjectItemCaseSensitive(tree, "log");
    const cJSON *entries = cJSON_GetObjectItemCaseSensitive(log, "entries");
    if (!cJSON_IsArray(entries)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s: no HAR: it has no log.entries", name);
    }
    if (!entries->child) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "%s: no request was recorded: log.entries is empty", name);
    }
    for (const cJSON *entry = entries->child; entry && r == 0; entry = entry->next) {
        r = add_entry(&h, entry, err);
    }
    if (r < 0) {
        return sonde_err_wrap(err, r, "%s", name);
    }
    if (import->count == 0) {
        return h.others
                   ? sonde_fail(err, SONDE_EINVALID, 0,
                                "%s: none of its %zu requests goes to %s://%s:%u; the first "
                                "goes to %s",
                                name, import->skip_total, url->tls ? "https" : "http", url->host,
                                url->port, h.other)
                   : sonde_fail(err, SONDE_EINVALID, 0, "%s: none of its requests can be sent: %s",
                                name, import->skips[0].why);
    }
    return 0;
}
