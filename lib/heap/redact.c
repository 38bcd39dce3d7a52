/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/redact.h"

#include <stdlib.h>

#include "base/random.h"
#include "heap/redact_internal.h"

static const struct {
    const char *name;
    enum section section;
} sections[] = {
    {"nodes", NODES},     {"edges", EDGES},     {"trace_function_infos", FUNCTIONS},
    {"trace_tree", TREE}, {"samples", SAMPLES}, {"locations", LOCATIONS},
    {"strings", STRINGS},
};

static const char first_section[] = "\"nodes\":[";

int redact_malformed(const char *what, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "heap snapshot: %s", what);
}

int redact_flush(struct sonde_heap_redactor *r, struct sonde_err *err)
{
    int code =
        r->out_length ? r->options.output(r->options.context, r->out, r->out_length, err) : 0;
    r->out_length = 0;
    return code;
}

int redact_write_long(struct sonde_heap_redactor *r, const char *data, size_t length,
                      struct sonde_err *err)
{
    while (length) {
        size_t room = OUT_SIZE - r->out_length;
        size_t piece = length < room ? length : room;
        memcpy(r->out + r->out_length, data, piece);
        r->out_length += piece;
        data += piece;
        length -= piece;
        int code = r->out_length == OUT_SIZE ? redact_flush(r, err) : 0;
        if (code < 0) {
            return code;
        }
    }
    return 0;
}

int sonde_heap_redactor_new(const struct sonde_heap_redact_options *options,
                            struct sonde_heap_redactor **ret, struct sonde_err *err)
{
    struct sonde_heap_redactor *r = calloc(1, sizeof(*r));
    if (!r) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    r->options = *options;
    r->head = SONDE_BUF(SONDE_HEAP_HEAD_MAX);
    sonde_random_bytes(r->key_of_hash, sizeof(r->key_of_hash));
    *ret = r;
    return 0;
}

void sonde_heap_redactor_free(struct sonde_heap_redactor *redactor)
{
    if (redactor) {
        sonde_buf_fini(&redactor->head);
        free(redactor->uses.bytes);
        free(redactor->values.bytes);
        explicit_bzero(redactor, sizeof(*redactor));
        free(redactor);
    }
}

/* ---- between the sections ---- */

/* Collects the head until its end, the beginning of the nodes, has come. */
static int take_head(struct sonde_heap_redactor *r, char c, struct sonde_err *err)
{
    static const size_t mark = sizeof(first_section) - 1;
    sonde_buf_char(&r->head, c);
    int code = sonde_buf_check(&r->head, "the snapshot's head", err);
    if (code < 0 || c != '[' || !sonde_str_ends(sonde_buf_view(&r->head), first_section)) {
        return code;
    }
    code = redact_write(r, r->head.data, r->head.length, err);
    r->head.length -= mark;
    code = code < 0 ? code : redact_read_head(r, err);
    redact_begin_section(r, NODES);
    return code;
}

static int begin_named_section(struct sonde_heap_redactor *r, struct sonde_err *err)
{
    struct sonde_str key = {r->key, r->key_length};
    size_t i = 0;
    while (i < SONDE_LENGTH(sections) && !sonde_str_is(key, sections[i].name)) {
        i++;
    }
    /* In the engine's order: each once, and the strings when all that names them has passed. */
    if (i == SONDE_LENGTH(sections) || sections[i].section <= r->section ||
        (sections[i].section > EDGES && r->section < EDGES)) {
        return redact_malformed("it has a section that is not known", err);
    }
    if (sections[i].section == STRINGS) {
        r->section = STRINGS;
        r->state = IN_STRINGS;
        r->expects = EXPECT_FIRST;
    } else {
        redact_begin_section(r, sections[i].section);
    }
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* ,"edges":[ and the last } */
static int take_between(struct sonde_heap_redactor *r, char c, struct sonde_err *err)
{
    int code = redact_write(r, &c, 1, err);
    if (code < 0) {
        return code;
    }
    if (r->state == IN_KEY) {
        if (c == '"') {
            r->state = BEHIND_KEY;
        } else if (r->key_length == sizeof(r->key)) {
            return redact_malformed("it has a section that is not known", err);
        } else {
            r->key[r->key_length++] = c;
        }
        return 0;
    }
    if (is_blank(c)) {
        return 0;
    }
    if (r->state == BEHIND_SECTION && c == ',' && r->key_length == 0) {
        r->key_length = 1; /* a comma, and no second one */
        return 0;
    }
    if (r->state == BEHIND_SECTION && c == '"' && r->key_length == 1) {
        r->key_length = 0;
        r->state = IN_KEY;
        return 0;
    }
    if (r->state == BEHIND_KEY && c == ':') {
        r->state = BEHIND_COLON;
        return 0;
    }
    if (r->state == BEHIND_COLON && c == '[') {
        return begin_named_section(r, err);
    }
    if (r->state == BEHIND_STRINGS && c == '}') {
        r->state = AT_END;
        return 0;
    }
    return redact_malformed("it is malformed between its sections", err);
}

static int take(struct sonde_heap_redactor *r, const char *data, size_t length, size_t *at,
                struct sonde_err *err)
{
    switch (r->state) {
    case IN_HEAD:
        return take_head(r, data[(*at)++], err);
    case IN_SECTION:
        return redact_numbers(r, data, length, at, err);
    case IN_STRINGS:
    case IN_STRING:
    case IN_ESCAPE:
    case IN_UNICODE:
        return redact_strings(r, data, length, at, err);
    default:
        return take_between(r, data[(*at)++], err);
    }
}

int sonde_heap_redact(struct sonde_heap_redactor *redactor, const char *data, size_t length,
                      struct sonde_err *err)
{
    if (redactor->failed) {
        return redact_malformed("its redaction has failed before", err);
    }
    int code = 0;
    for (size_t at = 0; at < length && code == 0;) {
        code = take(redactor, data, length, &at, err);
    }
    redactor->failed = code < 0;
    return code;
}

int sonde_heap_redact_finish(struct sonde_heap_redactor *redactor, struct sonde_heap_redacted *ret,
                             struct sonde_err *err)
{
    if (redactor->failed || redactor->state != AT_END) {
        return redact_malformed("it ends too early", err);
    }
    int code = redact_flush(redactor, err);
    if (code == 0 && ret) {
        *ret = redactor->counts;
    }
    return code;
}
