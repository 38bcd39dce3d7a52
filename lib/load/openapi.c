/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "codec/yaml.h"
#include "load/form.h"
#include "load/import.h"
#include "load/openapi_schema.h"

enum {
    BODY_MAX = 4 << 20,
    PATH_MAX_BYTES = 8192,
    PARAMETERS_MAX = 64, /* of an operation with those of its path */
    WHY_MAX = 200,
};

struct openapi {
    struct openapi_schemas schemas;
    struct sonde_load_import *import;
    struct sonde_str base; /* stands before each path */
    char why[WHY_MAX];     /* an operation is skipped */
};

/* An operation under way. */
struct operation {
    const char *method; /* "GET" */
    const struct sonde_node *own, *item;
    const struct sonde_node *parameters[PARAMETERS_MAX];
    size_t parameter_count;
    struct sonde_buf path, query, cookies, body;
    bool has_body;
    struct sonde_pair fields[SONDE_LOAD_FIELDS_MAX];
    size_t field_count;
};

static int no_memory(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for requests");
}

/* ---- parameters ---- */

static int refuse(struct openapi *o, const char *what, struct sonde_str name, const char *why)
{
    (void)snprintf(o->why, sizeof(o->why), "its %s%s%.*s %s", what, name.length ? " " : "",
                   name.length < 60 ? (int)name.length : 60, name.data ? name.data : "", why);
    return SONDE_EINVALID;
}

/* NULL: it has no value. An optional one is given only when somebody wrote an example. */
static const struct sonde_node *value_of(const struct openapi *o,
                                         const struct sonde_node *parameter, bool required)
{
    const struct sonde_node *schema = openapi_find(&o->schemas, parameter, "schema");
    const struct sonde_node *content = sonde_node_find(parameter, "content");
    const struct sonde_node *value = openapi_example_of(&o->schemas, parameter);
    if (!value && content && content->first) {
        value = openapi_example_of(&o->schemas, content->first);
        schema = openapi_find(&o->schemas, content->first, "schema");
    }
    value = value ? value : schema ? openapi_example_of(&o->schemas, schema) : NULL;
    return value || !required ? value : schema ? openapi_stand_in(schema) : NULL;
}

static bool is_scalar(const struct sonde_node *node)
{
    return node->type != SONDE_NODE_LIST && node->type != SONDE_NODE_MAP;
}

/* Whether it is a scalar, or a list of such. */
static bool is_plain(const struct sonde_node *value)
{
    for (const struct sonde_node *one = value->type == SONDE_NODE_LIST ? value->first : NULL; one;
         one = one->next) {
        if (!is_scalar(one)) {
            return false;
        }
    }
    return value->type != SONDE_NODE_MAP;
}

/* "a" or "a,b", percent-encoded or not: style simple. */
static void print_simple(const struct sonde_node *value, bool encoded, struct sonde_buf *buf)
{
    const struct sonde_node *one = is_scalar(value) ? value : value->first;
    for (bool first = true; one; one = is_scalar(value) ? NULL : one->next, first = false) {
        sonde_buf_text(buf, first ? "" : ",");
        if (encoded) {
            sonde_load_percent_encode(one->text, buf);
        } else {
            sonde_buf_str(buf, one->text);
        }
    }
}

/* "?a=1&a=2", or with explode: false "?a=1,2": style form. */
static void print_query(const struct sonde_node *parameter, struct sonde_str name,
                        const struct sonde_node *value, struct sonde_buf *buf)
{
    const struct sonde_node *explode = sonde_node_find(parameter, "explode");
    bool apart = value->type == SONDE_NODE_LIST && (!explode || explode->boolean);
    for (const struct sonde_node *one = apart ? value->first : value; one;
         one = apart ? one->next : NULL) {
        sonde_buf_char(buf, buf->length ? '&' : '?');
        sonde_load_percent_encode(name, buf);
        sonde_buf_char(buf, '=');
        print_simple(one, true, buf);
    }
}

static int add_field(struct openapi *o, struct operation *op, struct sonde_str name,
                     struct sonde_str value, struct sonde_err *err)
{
    if (op->field_count == SONDE_LOAD_FIELDS_MAX) {
        return refuse(o, "header", name, "is one too many");
    }
    struct sonde_pair *field = &op->fields[op->field_count++];
    field->key = sonde_arena_copy(&o->import->arena, name).data;
    field->value = sonde_arena_copy(&o->import->arena, value).data;
    return field->key && field->value ? 0 : no_memory(err);
}

/* Puts the value in place of {name}. */
static void fill_path(struct sonde_buf *path, struct sonde_str name, const struct sonde_node *value,
                      bool encoded)
{
    SONDE_BUF_AUTO filled = SONDE_BUF(PATH_MAX_BYTES);
    struct sonde_str rest = sonde_buf_view(path);
    while (rest.length) {
        struct sonde_str place = {rest.data + 1, name.length};
        bool here = rest.data[0] == '{' && rest.length >= name.length + 2 &&
                    sonde_str_equal(place, name) && rest.data[name.length + 1] == '}';
        size_t used = here ? name.length + 2 : 1;
        if (here) {
            print_simple(value, encoded, &filled);
        } else {
            sonde_buf_char(&filled, rest.data[0]);
        }
        rest = (struct sonde_str){rest.data + used, rest.length - used};
    }
    sonde_buf_clear(path);
    sonde_buf_str(path, sonde_buf_view(&filled));
    path->code = filled.code ? filled.code : path->code;
}

static bool is_ours(struct sonde_str name)
{
    static const char *const names[] = {"accept", "content-type", "authorization"};
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        if (name.length == strlen(names[i]) && strncasecmp(name.data, names[i], name.length) == 0) {
            return true;
        }
    }
    return false;
}

static int take_parameter(struct openapi *o, struct operation *op,
                          const struct sonde_node *parameter, struct sonde_err *err)
{
    struct sonde_str name = openapi_text_of(parameter, "name");
    struct sonde_str in = openapi_text_of(parameter, "in");
    bool in_path = sonde_str_is(in, "path");
    bool required = in_path || openapi_is_true(parameter, "required");
    const struct sonde_node *value = value_of(o, parameter, required);
    if (sonde_str_is(in, "header") && is_ours(name)) {
        return 0; /* as OpenAPI says */
    }
    if (!value || !is_plain(value)) {
        return required ? refuse(o, "parameter", name,
                                 value ? "is an object: only texts, numbers and lists are written"
                                       : "has no example, default or enum")
                        : 0;
    }
    if (in_path) {
        fill_path(&op->path, name, value, true);
        return sonde_buf_check(&op->path, "a path", err);
    }
    if (sonde_str_is(in, "query")) {
        print_query(parameter, name, value, &op->query);
        return sonde_buf_check(&op->query, "a query", err);
    }
    SONDE_BUF_AUTO text = SONDE_BUF(PATH_MAX_BYTES);
    print_simple(value, false, &text);
    if (sonde_str_is(in, "cookie")) {
        sonde_buf_text(&op->cookies, op->cookies.length ? "; " : "");
        sonde_buf_str(&op->cookies, name);
        sonde_buf_char(&op->cookies, '=');
        sonde_buf_str(&op->cookies, sonde_buf_view(&text));
        return sonde_buf_check(&op->cookies, "cookies", err);
    }
    int r = sonde_buf_check(&text, "a header", err);
    return r < 0 || !sonde_str_is(in, "header")
               ? r
               : add_field(o, op, name, sonde_buf_view(&text), err);
}

/* Those of the operation stand for those of its path with the same name and place. */
static int collect_parameters(struct openapi *o, struct operation *op,
                              const struct sonde_node *list)
{
    if (!list || list->type != SONDE_NODE_LIST) {
        return 0;
    }
    for (const struct sonde_node *one = list->first; one; one = one->next) {
        const struct sonde_node *own = openapi_resolve(&o->schemas, one);
        size_t at = 0;
        if (!own) {
            return refuse(o, "parameter", openapi_text_of(one, "$ref"), "is not in this file");
        }
        while (at < op->parameter_count &&
               !(sonde_str_equal(openapi_text_of(op->parameters[at], "name"),
                                 openapi_text_of(own, "name")) &&
                 sonde_str_equal(openapi_text_of(op->parameters[at], "in"),
                                 openapi_text_of(own, "in")))) {
            at++;
        }
        if (at == PARAMETERS_MAX) {
            return refuse(o, "parameter", openapi_text_of(own, "name"), "is one too many");
        }
        op->parameters[at] = own;
        op->parameter_count += at == op->parameter_count;
    }
    return 0;
}

/* ---- bodies ---- */

/* The media type that is preferred: 0 is best. */
static int rank_of(struct sonde_str type)
{
    struct sonde_str rest = type;
    struct sonde_str own = sonde_str_trim(sonde_str_split(&rest, ';'));
    return sonde_str_is(own, "application/json")                    ? 0
           : sonde_str_ends(own, "+json")                           ? 1
           : sonde_str_is(own, "application/x-www-form-urlencoded") ? 2
           : sonde_str_is(own, "multipart/form-data")               ? 3
                                                                    : 4;
}

/* JSON that was built, as a form. */
static int print_form(struct openapi *o, struct operation *op, struct sonde_str json,
                      bool multipart, struct sonde_str type, struct sonde_err *err)
{
    struct sonde_documents documents;
    struct sonde_load_form form = {.count = 0};
    char boundary[SONDE_LOAD_BOUNDARY_SIZE];
    int r = sonde_yaml_parse("example", json, &documents, err);
    const struct sonde_node *root = documents.count ? documents.items[0] : NULL;
    for (const struct sonde_node *one = root && root->type == SONDE_NODE_MAP ? root->first : NULL;
         one && r == 0; one = one->next) {
        if (form.count == SONDE_LOAD_FORM_PARTS_MAX || !is_scalar(one)) {
            r = refuse(o, "form's field", one->key, "is no plain text");
            break;
        }
        struct sonde_str name = sonde_arena_copy(&o->import->arena, one->key);
        r = name.data ? 0 : no_memory(err);
        form.parts[form.count++] =
            (struct sonde_load_form_part){.name = name.data, .value = one->text};
        if (!multipart) {
            sonde_load_form_encode(name, one->text, &op->body);
        }
    }
    if (multipart && r == 0) {
        char text[64 + SONDE_LOAD_BOUNDARY_SIZE];
        r = sonde_load_form_print(&form, boundary, &op->body, err);
        (void)snprintf(text, sizeof(text), "multipart/form-data; boundary=%s", boundary);
        r = r < 0 ? r : add_field(o, op, SONDE_STR("Content-Type"), sonde_str(text), err);
    } else if (r == 0) {
        r = add_field(o, op, SONDE_STR("Content-Type"), type, err);
    }
    sonde_documents_fini(&documents);
    return r;
}

static int print_body(struct openapi *o, struct operation *op, const struct sonde_node *media,
                      const struct sonde_node *example, struct sonde_err *err)
{
    int rank = rank_of(media->key);
    SONDE_BUF_AUTO json = SONDE_BUF(BODY_MAX);
    bool is_text = example && example->type == SONDE_NODE_STRING;
    /* Some write an example of JSON as a text. */
    bool as_it_is = is_text && (rank == 4 || rank == 2 || sonde_str_starts(example->text, "{") ||
                                sonde_str_starts(example->text, "["));
    if (as_it_is) {
        sonde_buf_str(&op->body, example->text);
    } else {
        if (example) {
            sonde_node_print_json(example, &json);
        } else if (!openapi_print_example(&o->schemas, sonde_node_find(media, "schema"), &json)) {
            return refuse(o, "body of type", media->key, "has no example");
        }
        int r = sonde_buf_check(&json, "a body", err);
        if (r < 0 || rank == 2 || rank == 3) {
            return r < 0 ? r : print_form(o, op, sonde_buf_view(&json), rank == 3, media->key, err);
        }
        sonde_buf_str(&op->body, sonde_buf_view(&json));
    }
    return add_field(o, op, SONDE_STR("Content-Type"), media->key, err);
}

static int take_body(struct openapi *o, struct operation *op, struct sonde_err *err)
{
    const struct sonde_node *body = openapi_find(&o->schemas, op->own, "requestBody");
    const struct sonde_node *content = sonde_node_find(body, "content");
    const struct sonde_node *best = NULL;
    for (const struct sonde_node *one = content ? content->first : NULL; one; one = one->next) {
        best = !best || rank_of(one->key) < rank_of(best->key) ? one : best;
    }
    if (!best) {
        return sonde_node_find(op->own, "requestBody") && !content
                   ? refuse(o, "body", (struct sonde_str){0}, "has no content in this file")
                   : 0;
    }
    const struct sonde_node *example = openapi_example_of(&o->schemas, best);
    o->schemas.work = 0;
    size_t fields = op->field_count;
    int r = print_body(o, op, best, example, err);
    op->has_body = r == 0;
    if (r == SONDE_EINVALID && !openapi_is_true(body, "required")) {
        op->field_count = fields;
        return 0; /* without it, then */
    }
    return r < 0 ? r : sonde_buf_check(&op->body, "a body", err);
}

/* ---- operations ---- */

static int keep_operation(struct openapi *o, struct operation *op, struct sonde_str template,
                          struct sonde_err *err)
{
    struct sonde_arena *arena = &o->import->arena;
    struct sonde_str id = openapi_text_of(op->own, "operationId");
    SONDE_BUF_AUTO whole = SONDE_BUF(PATH_MAX_BYTES);
    struct sonde_err why = {0};
    sonde_buf_str(&whole, o->base);
    sonde_buf_str(&whole, sonde_buf_view(&op->path));
    sonde_buf_str(&whole, sonde_buf_view(&op->query));
    size_t size = op->field_count * sizeof(*op->fields);
    struct sonde_pair *fields = sonde_arena_alloc(arena, size + 1);
    struct sonde_load_ask ask = {.method = op->method,
                                 .path = sonde_arena_copy(arena, sonde_buf_view(&whole)),
                                 .fields = fields,
                                 .field_count = op->field_count};
    const char *name = id.length ? sonde_load_import_name(o->import, "", id)
                                 : sonde_load_import_name(o->import, op->method, template);
    if (op->has_body) {
        ask.body = sonde_arena_copy(arena, sonde_buf_view(&op->body));
    }
    if (!fields || !ask.path.data || !name || (op->has_body && !ask.body.data) ||
        whole.code == SONDE_ENOMEM) {
        return no_memory(err);
    }
    memcpy(fields, op->fields, size);
    if (whole.code || sonde_load_ask_check(&ask, &why) < 0) {
        (void)snprintf(o->why, sizeof(o->why), "%.190s",
                       whole.code ? "its path is too long" : why.message);
        return SONDE_EINVALID;
    }
    return sonde_load_import_add(o->import, name, &ask, err);
}

/* SONDE_EINVALID: it is skipped, o->why says why. */
static int build(struct openapi *o, struct operation *op, struct sonde_str template,
                 struct sonde_err *err)
{
    int r = collect_parameters(o, op, openapi_find(&o->schemas, op->item, "parameters"));
    r = r < 0 ? r : collect_parameters(o, op, openapi_find(&o->schemas, op->own, "parameters"));
    sonde_buf_str(&op->path, template);
    r = r < 0 ? r : sonde_buf_check(&op->path, "a path", err);
    for (size_t i = 0; i < op->parameter_count && r == 0; i++) {
        r = take_parameter(o, op, op->parameters[i], err);
    }
    r = r < 0 ? r : sonde_buf_check(&op->path, "a path", err);
    if (r == 0 && op->cookies.length) {
        r = add_field(o, op, SONDE_STR("Cookie"), sonde_buf_view(&op->cookies), err);
    }
    const char *left = op->path.data ? strchr(op->path.data, '{') : NULL;
    if (r == 0 && left) {
        r = refuse(o, "path has", sonde_str(left), "without a parameter for it");
    }
    r = r < 0 ? r : take_body(o, op, err);
    return r < 0 ? r : keep_operation(o, op, template, err);
}

static int add_operation(struct openapi *o, const char *method, const struct sonde_node *own,
                         const struct sonde_node *item, struct sonde_str template,
                         struct sonde_err *err)
{
    struct operation op = {.method = method,
                           .own = own,
                           .item = item,
                           .path = SONDE_BUF(PATH_MAX_BYTES),
                           .query = SONDE_BUF(PATH_MAX_BYTES),
                           .cookies = SONDE_BUF(PATH_MAX_BYTES),
                           .body = SONDE_BUF(BODY_MAX)};
    o->why[0] = '\0';
    int r = build(o, &op, template, err);
    if (r == SONDE_ELIMIT && o->import->count < SONDE_LOAD_DRAFTS_MAX) {
        (void)snprintf(o->why, sizeof(o->why), "it is too long");
        r = SONDE_EINVALID;
    }
    if (r == SONDE_EINVALID) {
        char what[PATH_MAX_BYTES];
        (void)snprintf(what, sizeof(what), "%s %.*s", method,
                       template.length < 200 ? (int)template.length : 200, template.data);
        r = sonde_load_import_skip(o->import, what, o->why, err);
    }
    sonde_buf_fini(&op.path);
    sonde_buf_fini(&op.query);
    sonde_buf_fini(&op.cookies);
    sonde_buf_fini(&op.body);
    return r;
}

static int add_path(struct openapi *o, const struct sonde_node *path, struct sonde_err *err)
{
    static const struct {
        const char *name, *method;
    } methods[] = {{"get", "GET"},       {"put", "PUT"},         {"post", "POST"},
                   {"delete", "DELETE"}, {"options", "OPTIONS"}, {"head", "HEAD"},
                   {"patch", "PATCH"}};
    const struct sonde_node *item = openapi_resolve(&o->schemas, path);
    int r = 0;
    for (const struct sonde_node *one = item && item->type == SONDE_NODE_MAP ? item->first : NULL;
         one && r == 0; one = one->next) {
        for (size_t i = 0; i < SONDE_LENGTH(methods) && r == 0; i++) {
            if (sonde_str_is(one->key, methods[i].name) && one->type == SONDE_NODE_MAP) {
                r = add_operation(o, methods[i].method, one, item, path->key, err);
            }
        }
    }
    return r;
}

/* ---- the file ---- */

/* The path of the first server's URL, with its variables' defaults, without a / at its end. */
static int read_base(struct openapi *o, struct sonde_err *err)
{
    const struct sonde_node *servers = sonde_node_find(o->schemas.root, "servers");
    const struct sonde_node *server =
        servers && servers->type == SONDE_NODE_LIST ? servers->first : NULL;
    const struct sonde_node *variables = sonde_node_find(server, "variables");
    SONDE_BUF_AUTO text = SONDE_BUF(PATH_MAX_BYTES);
    sonde_buf_str(&text, openapi_text_of(server, "url"));
    for (const struct sonde_node *one = variables ? variables->first : NULL; one; one = one->next) {
        const struct sonde_node *value = sonde_node_find(one, "default");
        if (value && is_scalar(value)) {
            fill_path(&text, one->key, value, false); /* a path may have several levels */
        }
    }
    int r = sonde_buf_check(&text, "a server's URL", err);
    struct sonde_str url = sonde_buf_view(&text);
    const char *slashes = url.length ? memmem(url.data, url.length, "://", 3) : NULL;
    if (slashes) {
        size_t skipped = (size_t)(slashes - url.data) + 3;
        url = (struct sonde_str){url.data + skipped, url.length - skipped};
        const char *slash = memchr(url.data, '/', url.length);
        url.length = slash ? url.length - (size_t)(slash - url.data) : 0;
        url.data = slash;
    }
    while (url.length && url.data[url.length - 1] == '/') {
        url.length--;
    }
    o->base = r == 0 && url.length && url.data[0] == '/' ? sonde_arena_copy(&o->import->arena, url)
                                                         : (struct sonde_str){0};
    return r < 0 || !url.length || url.data[0] != '/' || o->base.data ? r : no_memory(err);
}

static int read_root(struct openapi *o, const char *name, const struct sonde_load_url *url,
                     struct sonde_err *err)
{
    struct sonde_str version = openapi_text_of(o->schemas.root, "openapi");
    const struct sonde_node *paths = sonde_node_find(o->schemas.root, "paths");
    if (!sonde_str_starts(version, "3.")) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s: no OpenAPI 3: %s", name,
                          openapi_text_of(o->schemas.root, "swagger").data
                              ? "it is Swagger 2, which is to be converted first"
                              : "it has no \"openapi: 3…\"");
    }
    int r = 0;
    struct sonde_str base = url->path;
    struct sonde_str before_query = sonde_str_split(&base, '?');
    while (before_query.length && before_query.data[before_query.length - 1] == '/') {
        before_query.length--;
    }
    o->base = before_query;
    r = before_query.length ? 0 : read_base(o, err);
    for (const struct sonde_node *one = paths && paths->type == SONDE_NODE_MAP ? paths->first
                                                                               : NULL;
         one && r == 0; one = one->next) {
        r = add_path(o, one, err);
    }
    if (r == 0 && o->import->count == 0) {
        r = o->import->skip_count
                ? sonde_fail(err, SONDE_EINVALID, 0,
                             "%s: none of its %zu operations has examples: %s: %s", name,
                             o->import->skip_total, o->import->skips[0].what,
                             o->import->skips[0].why)
                : sonde_fail(err, SONDE_EINVALID, 0, "%s: it has no operations", name);
    }
    return r;
}

int sonde_load_openapi_read(const char *name, struct sonde_str text,
                            const struct sonde_load_url *url, struct sonde_load_import *import,
                            struct sonde_err *err)
{
    static const struct sonde_yaml_limits limits = {SONDE_LOAD_OPENAPI_MAX,
                                                    SONDE_LOAD_OPENAPI_VALUES};
    struct sonde_documents documents;
    struct sonde_map refs = SONDE_MAP(SONDE_LOAD_OPENAPI_VALUES);
    struct openapi openapi = {.import = import, .schemas.refs = &refs};
    int r = sonde_yaml_parse_within(name, text, &limits, &documents, err);
    if (r == 0 && documents.count != 1) {
        r = sonde_fail(err, SONDE_EINVALID, 0, "%s: no OpenAPI 3: %zu documents", name,
                       documents.count);
    }
    if (r == 0) {
        openapi.schemas.root = documents.items[0];
        r = read_root(&openapi, name, url, err);
    }
    sonde_map_fini(&refs);
    sonde_documents_fini(&documents);
    return r;
}
