/* SPDX-License-Identifier: Apache-2.0 */
#include "load/extract.h"

#include <string.h>
#include <strings.h>

#include "codec/json_scan.h"

enum { DEPTH_MAX = 256 };

/* ---- JSON pointers ---- */

static int parse_token(struct sonde_str text, struct sonde_arena *arena,
                       struct sonde_load_token *ret, struct sonde_err *err)
{
    char *name = sonde_arena_alloc(arena, text.length + 1);
    size_t length = 0;
    if (!name) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a JSON pointer");
    }
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '~') {
            i++;
            if (i == text.length || (text.data[i] != '0' && text.data[i] != '1')) {
                return sonde_fail(err, SONDE_EINVALID, 0,
                                  "a JSON pointer with ~: write ~0 for it, and ~1 for /");
            }
            c = text.data[i] == '0' ? '~' : '/';
        }
        name[length++] = c;
    }
    ret->name = (struct sonde_str){name, length};
    ret->is_index = (length == 1 || (length && name[0] != '0')) &&
                    sonde_parse_u64(ret->name, 0, UINT64_MAX, &ret->index) == 0;
    return 0;
}

int sonde_load_pointer_parse(struct sonde_str text, struct sonde_arena *arena,
                             struct sonde_load_pointer *ret, struct sonde_err *err)
{
    *ret = (struct sonde_load_pointer){0};
    if (text.length == 0 || text.data[0] != '/') {
        return sonde_fail(err, SONDE_EINVALID, 0, "\"%.*s\" is no JSON pointer: begin with /",
                          SONDE_STR_ARG(text));
    }
    struct sonde_str rest = {text.data + 1, text.length - 1};
    int r = 0;
    do {
        if (ret->count == SONDE_LOAD_POINTER_TOKENS_MAX) {
            return sonde_fail(err, SONDE_ELIMIT, 0, "a JSON pointer of more than %d parts",
                              SONDE_LOAD_POINTER_TOKENS_MAX);
        }
        struct sonde_str part = sonde_str_split(&rest, '/');
        r = parse_token(part, arena, &ret->tokens[ret->count++], err);
    } while (r == 0 && rest.data);
    return r;
}

/* The way to the value: containers are entered as long as they lie on it. */
struct search {
    const struct sonde_load_pointer *pointer;
    struct sonde_buf *ret;
    unsigned entered; /* containers */
    bool in_array;    /* the innermost of these */
    uint64_t index;   /* of its next element */
    bool chosen;      /* its next member is on the way */
    bool found, over;
};

static int take_raw(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct search *s = context;
    (void)err;
    sonde_buf_append(s->ret, data, length);
    return 0;
}

static bool begins_container(const struct sonde_json_token *token)
{
    return token->event == SONDE_JSON_OBJECT_BEGIN || token->event == SONDE_JSON_ARRAY_BEGIN;
}

static bool ends_container(const struct sonde_json_token *token)
{
    return token->event == SONDE_JSON_OBJECT_END || token->event == SONDE_JSON_ARRAY_END;
}

static void enter(struct search *s, const struct sonde_json_token *token)
{
    s->entered++;
    s->in_array = token->event == SONDE_JSON_ARRAY_BEGIN;
    s->index = 0;
    s->chosen = false;
}

static void take_scalar(struct search *s, const struct sonde_json_token *token)
{
    static const char *const words[] = {
        [SONDE_JSON_TRUE] = "true", [SONDE_JSON_FALSE] = "false", [SONDE_JSON_NULL] = "null"};
    if (token->event == SONDE_JSON_STRING || token->event == SONDE_JSON_NUMBER) {
        sonde_buf_str(s->ret, token->text);
    } else {
        sonde_buf_text(s->ret, words[token->event]);
    }
    s->found = s->over = true;
}

/* A value in the innermost container that was entered. */
static void take_value(struct search *s, struct sonde_json_scanner *scanner,
                       const struct sonde_json_token *token)
{
    const struct sonde_load_token *wanted = &s->pointer->tokens[s->entered - 1];
    bool last = s->entered == s->pointer->count;
    bool chosen = s->in_array ? wanted->is_index && s->index == wanted->index : s->chosen;
    s->index++;
    s->chosen = false;
    if (!chosen) {
        return;
    }
    if (!begins_container(token)) {
        s->over = true;
        if (last) {
            take_scalar(s, token);
        }
    } else if (last) {
        s->found = true; /* and over with its end */
        sonde_json_scan_raw(scanner, take_raw, s);
    } else {
        enter(s, token);
    }
}

static int on_json(void *context, struct sonde_json_scanner *scanner,
                   const struct sonde_json_token *token, struct sonde_err *err)
{
    struct search *s = context;
    (void)err;
    if (ends_container(token)) {
        /* Of what was taken, or of a container on the way that has no more. */
        s->over = s->over || (s->found && token->depth == s->entered) || token->depth < s->entered;
    } else if (s->entered == 0) {
        if (begins_container(token)) {
            enter(s, token);
        } else {
            s->over = true;
        }
    } else if (token->depth == s->entered) {
        if (token->event == SONDE_JSON_KEY) {
            s->chosen = sonde_str_equal(token->text, s->pointer->tokens[s->entered - 1].name);
        } else {
            take_value(s, scanner, token);
        }
    }
    return s->over ? SONDE_ECANCELLED : 0; /* the rest does not matter */
}

int sonde_load_pointer_find(const struct sonde_load_pointer *pointer, struct sonde_str json,
                            struct sonde_buf *ret, struct sonde_err *err)
{
    static const struct sonde_json_limits limits = {DEPTH_MAX, SONDE_LOAD_BODY_MAX, 0};
    struct search search = {.pointer = pointer, .ret = ret};
    struct sonde_json_scanner scanner;
    sonde_json_scanner_init(&scanner, limits, on_json, &search);
    int r = sonde_json_scan(&scanner, json.data ? json.data : "", json.length, err);
    r = r < 0 ? r : sonde_json_scan_finish(&scanner, err);
    sonde_json_scanner_fini(&scanner);
    if (search.over) {
        return search.found ? sonde_buf_check(ret, "a value of an answer", err) : SONDE_ENOTFOUND;
    }
    return r;
}

/* ---- answers ---- */

void sonde_load_look_at(struct sonde_load_look *look)
{
    look->fields = look->header_count > 0;
    look->body = look->equals.data || look->contains.data || look->matches;
    for (size_t i = 0; i < look->extraction_count; i++) {
        enum sonde_load_source source = look->extractions[i].source;
        bool of_body = source == SONDE_LOAD_POINTER || source == SONDE_LOAD_PATTERN;
        look->body = look->body || of_body;
        look->fields = look->fields || !of_body;
    }
}

void sonde_load_answer_init(struct sonde_load_answer *answer)
{
    *answer = (struct sonde_load_answer){.body = SONDE_BUF(SONDE_LOAD_BODY_MAX),
                                         .texts = SONDE_BUF(SONDE_LOAD_VALUE_MAX)};
}

void sonde_load_answer_fini(struct sonde_load_answer *answer)
{
    sonde_buf_fini(&answer->body);
    sonde_buf_fini(&answer->texts);
}

void sonde_load_answer_begin(struct sonde_load_answer *answer, const struct sonde_load_look *look)
{
    if (answer->body.capacity > SONDE_LOAD_BODY_KEPT) {
        sonde_buf_fini(&answer->body);
        answer->body = SONDE_BUF(SONDE_LOAD_BODY_MAX);
    }
    sonde_buf_clear(&answer->body);
    sonde_buf_clear(&answer->texts);
    answer->look = look;
    answer->headers_right = answer->found = 0;
}

static bool is_name(struct sonde_str text, struct sonde_str name)
{
    return text.length == name.length && strncasecmp(text.data, name.data, name.length) == 0;
}

/* The value of "name=value; …" when the name is that one; data NULL: it is not. */
static struct sonde_str cookie_value(struct sonde_str field, struct sonde_str name)
{
    struct sonde_str rest = field;
    struct sonde_str value = sonde_str_split(&rest, ';');
    struct sonde_str own = sonde_str_trim(sonde_str_split(&value, '='));
    return value.data && sonde_str_equal(own, name) ? sonde_str_trim(value) : (struct sonde_str){0};
}

static void keep(struct sonde_load_answer *answer, size_t extraction, struct sonde_str value)
{
    answer->at[extraction] = (uint32_t)answer->texts.length;
    answer->length[extraction] = (uint32_t)value.length;
    answer->found |= UINT32_C(1) << extraction;
    sonde_buf_str(&answer->texts, value);
}

void sonde_load_answer_field(struct sonde_load_answer *answer, struct sonde_str name,
                             struct sonde_str value)
{
    const struct sonde_load_look *look = answer->look;
    for (size_t i = 0; i < look->header_count; i++) {
        const struct sonde_pair *header = &look->headers[i];
        bool right = is_name(name, sonde_str(header->key)) && sonde_str_is(value, header->value);
        answer->headers_right |= right ? UINT32_C(1) << i : 0;
    }
    for (size_t i = 0; i < look->extraction_count; i++) {
        const struct sonde_load_extraction *own = &look->extractions[i];
        if (own->source == SONDE_LOAD_HEADER && is_name(name, own->name)) {
            keep(answer, i, value);
        } else if (own->source == SONDE_LOAD_COOKIE && is_name(name, SONDE_STR("set-cookie"))) {
            struct sonde_str cookie = cookie_value(value, own->name);
            if (cookie.data) {
                keep(answer, i, cookie);
            }
        }
    }
}

void sonde_load_answer_body(struct sonde_load_answer *answer, struct sonde_str data)
{
    if (answer->look->body) {
        sonde_buf_str(&answer->body, data);
    }
}

bool sonde_load_answer_is_right(const struct sonde_load_answer *answer, int status,
                                struct sonde_load_matcher *matcher)
{
    const struct sonde_load_look *look = answer->look;
    struct sonde_str body = sonde_buf_view(&answer->body);
    struct sonde_str found;
    uint32_t all = (uint32_t)((UINT64_C(1) << look->header_count) - 1);
    return sonde_load_status_is_right(look, status) && answer->headers_right == all &&
           answer->body.code == 0 && (!look->equals.data || sonde_str_equal(body, look->equals)) &&
           (!look->contains.data || sonde_str_contains(body, look->contains)) &&
           (!look->matches ||
            sonde_load_pattern_find(look->matches, matcher, body, &found, NULL) == 0);
}

int sonde_load_answer_value(const struct sonde_load_answer *answer, size_t extraction,
                            struct sonde_load_matcher *matcher, struct sonde_buf *ret,
                            struct sonde_err *err)
{
    const struct sonde_load_extraction *own = &answer->look->extractions[extraction];
    struct sonde_str found = {0};
    if (own->source == SONDE_LOAD_HEADER || own->source == SONDE_LOAD_COOKIE) {
        int r = sonde_buf_check(&answer->texts, "the headers of an answer", err);
        if (r < 0 || !(answer->found >> extraction & 1)) {
            return r < 0 ? r : SONDE_ENOTFOUND;
        }
        found = (struct sonde_str){answer->texts.data + answer->at[extraction],
                                   answer->length[extraction]};
    } else {
        struct sonde_str body = sonde_buf_view(&answer->body);
        int r = sonde_buf_check(&answer->body, "the body of an answer", err);
        if (r < 0) {
            return r;
        }
        if (own->source == SONDE_LOAD_POINTER) {
            return sonde_load_pointer_find(own->pointer, body, ret, err);
        }
        r = sonde_load_pattern_find(own->pattern, matcher, body, &found, err);
        if (r < 0) {
            return r;
        }
    }
    sonde_buf_str(ret, found);
    return sonde_buf_check(ret, "a value of an answer", err);
}
