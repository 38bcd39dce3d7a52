/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/load_requests.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "load/document.h"
#include "load/form.h"

enum { FILE_MAX_BYTES = 64 << 20, SKIPS_SAID = 10 };

/* ---- the options' ---- */

/* "Name: value" or "Name=value", whichever sign comes first. */
static int split_header(const char *text, struct sonde_arena *arena, struct sonde_pair *ret,
                        struct sonde_err *err)
{
    size_t length = strcspn(text, ":=");
    if (length == 0 || !text[length]) {
        return sonde_fail(err, SONDE_EINVALID, 0, "--headers %s: give NAME=VALUE", text);
    }
    struct sonde_str name = sonde_arena_copy(arena, (struct sonde_str){text, length});
    struct sonde_str value = sonde_arena_copy(arena, sonde_str_trim(sonde_str(text + length + 1)));
    *ret = (struct sonde_pair){name.data, value.data};
    return name.data && value.data ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

/* The options' header fields, with room for one more. */
enum { FIELDS_MAX = SONDE_OPTION_STRINGS_MAX + 2 }; /* those of -H, the URL's and -F's */

/* Those of -H, and the URL's user and password if these are not among them. */
static int read_headers(const struct cli_load_settings *s, const struct sonde_load_site *target,
                        struct sonde_arena *arena, struct sonde_pair *ret, size_t *ret_count,
                        struct sonde_err *err)
{
    static const char name[] = "Authorization";
    bool given = target->authorization == NULL;
    int r = 0;
    for (size_t i = 0; i < s->headers.count && r == 0; i++) {
        r = split_header(s->headers.items[i], arena, &ret[i], err);
        given = given || (r == 0 && strcasecmp(ret[i].key, name) == 0);
    }
    if (!given) {
        ret[s->headers.count] = (struct sonde_pair){name, target->authorization};
    }
    *ret_count = s->headers.count + !given;
    return r;
}

/* -F is JSON, or a file that has it. */
static int read_form(const char *given, struct sonde_arena *arena, struct sonde_load_form *form,
                     struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(FILE_MAX_BYTES);
    struct sonde_str json = sonde_str_trim(sonde_str(given));
    int r = 0;
    if (!sonde_str_starts(json, "{")) {
        r = sonde_read_input(given, &text, err);
        json = sonde_buf_view(&text);
    }
    r = r < 0 ? r : sonde_load_form_parse(json, arena, form, err);
    if (r < 0) {
        return sonde_err_wrap(err, r, "--form");
    }
    for (size_t i = 0; i < form->count && r == 0; i++) {
        struct sonde_load_form_part *part = &form->parts[i];
        if (part->path) {
            SONDE_BUF_AUTO content = SONDE_BUF(FILE_MAX_BYTES);
            r = sonde_read_input(part->path, &content, err);
            part->value = sonde_arena_copy(arena, sonde_buf_view(&content));
            r = r < 0 || part->value.data ? r : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
        }
    }
    return r;
}

static int make_form(const char *given, struct sonde_arena *arena, struct sonde_buf *body,
                     struct sonde_pair *field, struct sonde_err *err)
{
    char boundary[SONDE_LOAD_BOUNDARY_SIZE];
    char type[SONDE_LOAD_BOUNDARY_SIZE + 40];
    struct sonde_load_form *form = sonde_arena_alloc(arena, sizeof(*form));
    if (!form) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int r = read_form(given, arena, form, err);
    r = r < 0 ? r : sonde_load_form_print(form, boundary, body, err);
    if (r < 0) {
        return r;
    }
    (void)snprintf(type, sizeof(type), "multipart/form-data; boundary=%s", boundary);
    *field = (struct sonde_pair){"Content-Type", sonde_arena_copy(arena, sonde_str(type)).data};
    return field->value ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

/* The form has a boundary of its own, which only its type can name. */
static void drop_types(struct sonde_pair *fields, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (strcasecmp(fields[i].key, "content-type") != 0) {
            fields[kept++] = fields[i];
        }
    }
    *count = kept;
}

static int make_one(const struct cli_load_settings *s, const struct sonde_load_site *target,
                    const struct sonde_buf *input, struct sonde_arena *arena,
                    struct load_requests *ret, struct sonde_err *err)
{
    struct sonde_pair fields[FIELDS_MAX];
    const struct sonde_load_places places = {.ids = s->ids};
    const char *method = s->form ? "POST" : "GET";
    struct sonde_load_ask ask = {.method = s->method ? s->method : method,
                                 .path = target->url.path,
                                 .fields = fields,
                                 .body = sonde_str(s->body)};
    int r = read_headers(s, target, arena, fields, &ask.field_count, err);
    if (r == 0 && s->form) {
        drop_types(fields, &ask.field_count);
        r = make_form(s->form, arena, &ret->body, &fields[ask.field_count++], err);
    }
    if (s->form || s->input) {
        const struct sonde_buf *body = s->form ? &ret->body : input;
        ask.body = body->data ? sonde_buf_view(body) : SONDE_STR("");
    }
    if (r < 0 || !s->expect_body) {
        return r < 0 ? r
                     : sonde_load_request_make(&ask, &target->url, &places, arena, &ret->request,
                                               err);
    }
    struct sonde_load_look look = {.equals = sonde_str(s->expect_body)};
    const struct sonde_load_surroundings around = {.url = &target->url, .ids = s->ids};
    sonde_load_look_at(&look);
    ret->played = true;
    return sonde_load_scenario_from_ask(&ask, &look, &around, &ret->scenario, err);
}

/* ---- a scenario ---- */

/* Values of Secrets are not read here: options give them. */
static int check_secrets(const struct sonde_scenario *spec,
                         const struct sonde_load_surroundings *around, struct sonde_err *err)
{
    for (size_t i = 0; i < spec->headers_from.count; i++) {
        const char *name = spec->headers_from.items[i].name;
        bool given = false;
        for (size_t j = 0; j < around->header_count; j++) {
            given = given || strcasecmp(around->headers[j].key, name) == 0;
        }
        if (!given) {
            return sonde_fail(err, SONDE_EINVALID, 0,
                              "the header %s is from a Secret, which only a cluster has: give it "
                              "with -H '%s: VALUE'",
                              name, name);
        }
    }
    return 0;
}

static int play(const char *file, const struct sonde_scenario *spec,
                const struct sonde_load_surroundings *around, struct load_requests *ret,
                struct sonde_err *err)
{
    const char *slash = strrchr(file, '/');
    const struct sonde_load_maps maps = {
        .directory = {file, slash ? (size_t)(slash + 1 - file) : 0}}; /* files beside this one */
    int r = check_secrets(spec, around, err);
    r = r < 0 ? r : sonde_load_scenario_of(spec, &maps, around, &ret->scenario, err);
    return r < 0 ? sonde_err_wrap(err, r, "%s", file) : 0;
}

static int make_spec(const char *file, struct sonde_load_surroundings *around,
                     struct load_requests *ret, struct sonde_err *err)
{
    const struct sonde_scenario *spec = NULL;
    int r =
        sonde_spec_parse_scenario(file, sonde_buf_view(&ret->text), &ret->documents, &spec, err);
    return r < 0 ? r : play(file, spec, around, ret, err);
}

static void say_import(const char *file, const struct sonde_load_import *import)
{
    for (size_t i = 0; i < import->skip_count && i < SKIPS_SAID; i++) {
        (void)fprintf(stderr, "sonde: left out %s: %s\n", import->skips[i].what,
                      import->skips[i].why);
    }
    if (import->skip_total > SKIPS_SAID) {
        (void)fprintf(stderr, "sonde: left out %zu more\n", import->skip_total - SKIPS_SAID);
    }
    if (import->count) {
        (void)fprintf(stderr, "sonde: %zu request%s of %s\n", import->count,
                      import->count == 1 ? "" : "s", file);
    }
}

static int make_many(const struct cli_load_settings *s, const struct sonde_load_site *target,
                     struct sonde_arena *arena, struct load_requests *ret, struct sonde_err *err)
{
    const char *file = s->scenario ? s->scenario : s->har ? s->har : s->openapi;
    struct sonde_pair fields[FIELDS_MAX];
    struct sonde_load_surroundings around = {.url = &target->url, .headers = fields, .ids = s->ids};
    ret->played = true;
    int r = read_headers(s, target, arena, fields, &around.header_count, err);
    r = r < 0 ? r : sonde_read_input(file, &ret->text, err);
    if (r < 0) {
        return r;
    }
    r = s->scenario
            ? make_spec(file, &around, ret, err)
            : sonde_load_scenario_from_file(s->har ? SONDE_SCENARIO_HAR : SONDE_SCENARIO_OPENAPI,
                                            file, sonde_buf_view(&ret->text), &around,
                                            &ret->scenario, err);
    if (r == 0 && !s->silent) {
        say_import(file, &ret->scenario.import);
    }
    return r;
}

static int make_documents(const struct cli_load_settings *s, const struct load_order *order,
                          const struct sonde_load_site *target, struct sonde_arena *arena,
                          struct load_requests *ret, struct sonde_err *err)
{
    struct sonde_pair fields[FIELDS_MAX];
    struct sonde_load_surroundings around = {.url = &target->url, .headers = fields};
    ret->played = true;
    int r = read_headers(s, target, arena, fields, &around.header_count, err);
    r = r < 0 ? r : play(order->file, order->test->scenario, &around, ret, err);
    if (r == 0 && !s->silent) {
        say_import(order->file, &ret->scenario.import);
    }
    return r;
}

/* ---- which of them ---- */

static int check(const struct cli_load_settings *s, struct sonde_err *err)
{
    int files = (s->scenario != NULL) + (s->har != NULL) + (s->openapi != NULL);
    int bodies = (s->body != NULL) + (s->input != NULL) + (s->form != NULL);
    if (files > 1) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "--scenario, --har and --openapi say each what is sent: give one");
    }
    if (files && (bodies || s->method || s->expect_body) && !s->autocannon) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the file says methods, bodies and what is expected: leave -m, -b, -i, "
                          "-F and -E out");
    }
    if (bodies > 1 && !s->autocannon) {
        return sonde_fail(err, SONDE_EINVALID, 0, "-b, -i and -F are each the body: give one");
    }
    return 0;
}

int load_requests_make(const struct cli_load_settings *settings, const struct load_order *order,
                       const struct sonde_load_site *target, const struct sonde_buf *input,
                       struct sonde_arena *arena, struct load_requests *ret, struct sonde_err *err)
{
    const struct cli_load_settings *s = settings;
    *ret = (struct load_requests){.text = SONDE_BUF(SONDE_LOAD_HAR_MAX),
                                  .body = SONDE_BUF(SONDE_LOAD_MESSAGE_MAX)};
    if (order->test->scenario) {
        return make_documents(s, order, target, arena, ret, err);
    }
    int r = check(s, err);
    if (r < 0) {
        return r;
    }
    return s->scenario || s->har || s->openapi ? make_many(s, target, arena, ret, err)
                                               : make_one(s, target, input, arena, ret, err);
}

void load_requests_fini(struct load_requests *requests)
{
    sonde_load_scenario_fini(&requests->scenario);
    sonde_spec_documents_fini(&requests->documents);
    sonde_buf_fini(&requests->text);
    sonde_buf_fini(&requests->body);
}

void load_requests_plan(const struct load_requests *requests, struct sonde_load_origin *origin)
{
    if (requests->played) {
        origin->scenario = &requests->scenario;
    } else {
        origin->requests = &requests->request;
        origin->request_count = 1;
    }
}
