/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked for in answers: values by JSON pointer, regular expression, header or cookie, and
 * whether an answer is as expected. Pure. */
#ifndef SONDE_LOAD_EXTRACT_H
#define SONDE_LOAD_EXTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "load/pattern.h"
#include "spec/table.h"

enum {
    SONDE_LOAD_POINTER_TOKENS_MAX = 32,
    SONDE_LOAD_BODY_MAX = 4 << 20,    /* bytes of an answer's body that is looked at */
    SONDE_LOAD_VALUE_MAX = 64 << 10,  /* bytes of a value that is taken from an answer */
    SONDE_LOAD_LOOKS_MAX = 16,        /* values of an answer, and headers that are expected of it */
    SONDE_LOAD_BODY_KEPT = 256 << 10, /* bytes of memory that are kept for the next body */
};

/* ---- JSON pointers (RFC 6901) ---- */

struct sonde_load_token {
    struct sonde_str name; /* without ~0 and ~1 */
    bool is_index;
    uint64_t index;
};

struct sonde_load_pointer {
    struct sonde_load_token tokens[SONDE_LOAD_POINTER_TOKENS_MAX];
    size_t count;
};

/* Takes "/a/0/b~1c" apart; the arena keeps what is needed. SONDE_EINVALID, SONDE_ELIMIT,
 * SONDE_ENOMEM. */
int sonde_load_pointer_parse(struct sonde_str text, struct sonde_arena *arena,
                             struct sonde_load_pointer *ret,
                             struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends what it points to: a string without its quotes, numbers as they stand, objects and arrays
 * as their JSON. What comes behind it is not read. SONDE_ENOTFOUND, SONDE_EPARSE when it is no
 * JSON up to there; SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_load_pointer_find(const struct sonde_load_pointer *pointer, struct sonde_str json,
                            struct sonde_buf *ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* ---- what is looked at ---- */

enum sonde_load_source {
    SONDE_LOAD_POINTER,
    SONDE_LOAD_PATTERN,
    SONDE_LOAD_HEADER,
    SONDE_LOAD_COOKIE
};

struct sonde_load_extraction {
    enum sonde_load_source source;
    unsigned variable;                  /* its place in the names */
    struct sonde_load_pointer *pointer; /* what the source needs */
    struct sonde_load_pattern *pattern;
    struct sonde_str name; /* of the header or cookie */
};

struct sonde_load_look {
    int status;                       /* expected; 0: from 200 to 399 */
    const struct sonde_pair *headers; /* expected */
    size_t header_count;
    struct sonde_str equals, contains;        /* the body is, has; data NULL: any */
    const struct sonde_load_pattern *matches; /* NULL: any */
    struct sonde_load_extraction *extractions;
    size_t extraction_count;
    bool fields, body; /* whether any of these is needed: sonde_load_look_at sets them */
};

/* Sets what follows from the others. */
void sonde_load_look_at(struct sonde_load_look *look);

/* An answer that comes in. */
struct sonde_load_answer {
    const struct sonde_load_look *look;
    struct sonde_buf body, texts; /* texts: values of headers and cookies */
    uint32_t headers_right;       /* a bit for each that is expected */
    uint32_t found;               /* a bit for each extraction in texts */
    uint32_t at[SONDE_LOAD_LOOKS_MAX], length[SONDE_LOAD_LOOKS_MAX];
};

void sonde_load_answer_init(struct sonde_load_answer *answer);
void sonde_load_answer_fini(struct sonde_load_answer *answer);
/* Ready for the next one. */
void sonde_load_answer_begin(struct sonde_load_answer *answer, const struct sonde_load_look *look);
/* What is too much or has no memory is noted: the answer is then not as expected. */
void sonde_load_answer_field(struct sonde_load_answer *answer, struct sonde_str name,
                             struct sonde_str value);
void sonde_load_answer_body(struct sonde_load_answer *answer, struct sonde_str data);

/* Whether the status is the one that is expected; 0: the answer has none. */
static inline bool sonde_load_status_is_right(const struct sonde_load_look *look, int status)
{
    return look->status ? status == look->status : status == 0 || (status >= 200 && status <= 399);
}

/* Whether the whole answer is as expected. matcher: NULL where there is no regular expression. */
bool sonde_load_answer_is_right(const struct sonde_load_answer *answer, int status,
                                struct sonde_load_matcher *matcher);
/* Appends the value of an extraction. SONDE_ENOTFOUND; others as of what it is found by. */
int sonde_load_answer_value(const struct sonde_load_answer *answer, size_t extraction,
                            struct sonde_load_matcher *matcher, struct sonde_buf *ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;

#endif
