/* SPDX-License-Identifier: Apache-2.0 */
#include "load/form.h"

#include <stdio.h>
#include <string.h>

#include "codec/json.h"

/* ---- autocannon's words ---- */

static const char *copy(struct sonde_arena *arena, const char *text)
{
    return sonde_arena_copy(arena, sonde_str(text)).data;
}

static int check_length(const char *field, const char *text, struct sonde_err *err)
{
    return text && strlen(text) > SONDE_LOAD_FORM_NAME_MAX
               ? sonde_fail(err, SONDE_ELIMIT, 0, "the form's field \"%.60s\": more than %d bytes",
                            field, SONDE_LOAD_FORM_NAME_MAX)
               : 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int parse_file(const cJSON *item, struct sonde_arena *arena,
                      struct sonde_load_form_part *ret, struct sonde_err *err)
{
    const char *path = sonde_json_string_or(item, "path", "");
    const cJSON *options = cJSON_GetObjectItemCaseSensitive(item, "options");
    const char *filename = sonde_json_string_or(options, "filename", base_name(path));
    filename = sonde_json_string_or(options, "filepath", filename);
    const char *type = sonde_json_string_or(options, "contentType", NULL);
    if (!*path) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the form's field \"%.60s\": a file needs its path", item->string);
    }
    int r = check_length(item->string, filename, err);
    r = r < 0 ? r : check_length(item->string, type, err);
    if (r < 0) {
        return r;
    }
    ret->path = copy(arena, path);
    ret->filename = copy(arena, filename);
    ret->content_type = type ? copy(arena, type) : NULL;
    return ret->path && ret->filename && (!type || ret->content_type)
               ? 0
               : sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a form");
}

static int parse_part(const cJSON *item, struct sonde_arena *arena,
                      struct sonde_load_form_part *ret, struct sonde_err *err)
{
    const char *type = sonde_json_string_or(item, "type", "");
    int r = check_length(item->string, item->string, err);
    if (r < 0) {
        return r;
    }
    *ret = (struct sonde_load_form_part){.name = copy(arena, item->string)};
    if (!ret->name) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a form");
    }
    if (strcmp(type, "file") == 0) {
        return parse_file(item, arena, ret, err);
    }
    const char *value = sonde_json_string_or(item, "value", NULL);
    if (strcmp(type, "text") != 0 || !value) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the form's field \"%.60s\": give {\"type\": \"text\", \"value\": \"…\"} "
                          "or {\"type\": \"file\", \"path\": \"…\"}",
                          item->string);
    }
    ret->value = sonde_arena_copy(arena, sonde_str(value));
    return ret->value.data ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a form");
}

int sonde_load_form_parse(struct sonde_str json, struct sonde_arena *arena,
                          struct sonde_load_form *ret, struct sonde_err *err)
{
    SONDE_JSON_AUTO *tree = NULL;
    int r = sonde_json_parse(json, &tree, err);
    ret->count = 0;
    if (r < 0) {
        return sonde_err_wrap(err, r, "the form");
    }
    if (!cJSON_IsObject(tree) || !tree->child) {
        return sonde_fail(err, SONDE_EINVALID, 0, "the form must be an object of fields");
    }
    for (const cJSON *item = tree->child; item && r == 0; item = item->next) {
        if (ret->count == SONDE_LOAD_FORM_PARTS_MAX) {
            return sonde_fail(err, SONDE_ELIMIT, 0, "the form has more than %d fields",
                              SONDE_LOAD_FORM_PARTS_MAX);
        }
        r = parse_part(item, arena, &ret->parts[ret->count++], err);
    }
    return r;
}

/* ---- bodies ---- */

static const char *type_of(const char *filename)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".csv", "text/csv"},          {".gif", "image/gif"},       {".html", "text/html"},
        {".jpeg", "image/jpeg"},       {".jpg", "image/jpeg"},      {".js", "text/javascript"},
        {".json", "application/json"}, {".pdf", "application/pdf"}, {".png", "image/png"},
        {".svg", "image/svg+xml"},     {".txt", "text/plain"},      {".webp", "image/webp"},
        {".xml", "application/xml"},   {".zip", "application/zip"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(types); i++) {
        if (sonde_str_ends(sonde_str(filename), types[i].end)) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

/* A name in quotes, as browsers write it (HTML, 4.10.22.8). */
static void print_name(const char *name, struct sonde_buf *buf)
{
    sonde_buf_char(buf, '"');
    for (; *name; name++) {
        if (*name == '"') {
            sonde_buf_text(buf, "%22");
        } else if (*name == '\r') {
            sonde_buf_text(buf, "%0D");
        } else if (*name == '\n') {
            sonde_buf_text(buf, "%0A");
        } else {
            sonde_buf_char(buf, *name);
        }
    }
    sonde_buf_char(buf, '"');
}

enum { BOUNDARIES_TRIED = 100 }; /* a form that has as many in it is made to cost time */

/* False: each is in the form already. */
static bool choose_boundary(const struct sonde_load_form *form, char ret[SONDE_LOAD_BOUNDARY_SIZE])
{
    bool taken = true;
    for (unsigned number = 1; taken && number <= BOUNDARIES_TRIED; number++) {
        (void)snprintf(ret, SONDE_LOAD_BOUNDARY_SIZE, "sonde-form-boundary-%u", number);
        taken = false;
        for (size_t i = 0; i < form->count; i++) {
            taken = taken || sonde_str_contains(form->parts[i].value, sonde_str(ret));
        }
    }
    return !taken;
}

int sonde_load_form_print(const struct sonde_load_form *form,
                          char ret_boundary[SONDE_LOAD_BOUNDARY_SIZE], struct sonde_buf *buf,
                          struct sonde_err *err)
{
    if (!choose_boundary(form, ret_boundary)) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the form's values have each of the %d boundaries that are tried in them",
                          BOUNDARIES_TRIED);
    }
    for (size_t i = 0; i < form->count; i++) {
        const struct sonde_load_form_part *part = &form->parts[i];
        const char *type = part->content_type ? part->content_type
                           : part->filename   ? type_of(part->filename)
                                              : NULL;
        if (type && strpbrk(type, "\r\n")) {
            return sonde_fail(err, SONDE_EINVALID, 0,
                              "the form's field \"%.60s\": a media type of several lines",
                              part->name);
        }
        sonde_buf_printf(buf, "--%s\r\nContent-Disposition: form-data; name=", ret_boundary);
        print_name(part->name, buf);
        if (part->filename) {
            sonde_buf_text(buf, "; filename=");
            print_name(part->filename, buf);
        }
        if (type) {
            sonde_buf_text(buf, "\r\nContent-Type: ");
            sonde_buf_text(buf, type);
        }
        sonde_buf_text(buf, "\r\n\r\n");
        sonde_buf_str(buf, part->value);
        sonde_buf_text(buf, "\r\n");
    }
    sonde_buf_printf(buf, "--%s--\r\n", ret_boundary);
    return sonde_buf_check(buf, "the form", err);
}

static void encode(struct sonde_str text, struct sonde_buf *buf)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                     c == '*' || c == '-' || c == '.' || c == '_';
        if (plain || c == ' ') {
            sonde_buf_char(buf, plain ? (char)c : '+');
        } else {
            sonde_buf_printf(buf, "%%%02X", c);
        }
    }
}

void sonde_load_form_encode(struct sonde_str name, struct sonde_str value, struct sonde_buf *buf)
{
    if (buf->length) {
        sonde_buf_char(buf, '&');
    }
    encode(name, buf);
    sonde_buf_char(buf, '=');
    encode(value, buf);
}
