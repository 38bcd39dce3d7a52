/* SPDX-License-Identifier: Apache-2.0 */
/* The redactor's state, shared by redact.c, redact_head.c, redact_numbers.c and redact_text.c. */
#ifndef SONDE_HEAP_REDACT_INTERNAL_H
#define SONDE_HEAP_REDACT_INTERNAL_H

#include "base/buf.h"
#include "base/siphash.h"
#include "heap/redact.h"

enum {
    OUT_SIZE = 64 << 10,
    OUT_ROOM = 1024,    /* more than a record has */
    NUMBER_DIGITS = 15, /* of a number; more are refused */
    KEY_SIZE = 32,      /* of a section's name */
    TEXT_SIZE = SONDE_WORD_MAX + 1,
};

/* What a number of a record is. */
enum use {
    USE_PLAIN,   /* stays */
    USE_ENGINE,  /* a string that only the engine or code names, or the program's code */
    USE_NAME,    /* a string that is a name the program gave */
    USE_CODE,    /* of code: the engine's, a function's, or of a script, which data may have made */
    USE_VALUE,   /* a string that is data */
    USE_ELEMENT, /* the index of an element */
};

enum state {
    IN_HEAD,
    IN_SECTION, /* within the numbers of a section */
    BEHIND_SECTION,
    IN_KEY,
    BEHIND_KEY,
    BEHIND_COLON,
    IN_STRINGS, /* between strings */
    IN_STRING,
    IN_ESCAPE,
    IN_UNICODE,
    BEHIND_STRINGS,
    AT_END,
};

/* What comes next in an array. */
enum expects {
    EXPECT_FIRST, /* or its end */
    EXPECT_NEXT,  /* behind a comma */
    EXPECT_COMMA, /* or its end */
};

enum section { NODES, EDGES, FUNCTIONS, TREE, SAMPLES, LOCATIONS, STRINGS, SECTIONS };

/* Bits of each string, as many as were needed so far. */
struct redact_bits {
    uint8_t *bytes;
    size_t size; /* bytes that are set, of: */
    size_t capacity;
};

struct sonde_heap_redactor {
    struct sonde_heap_redact_options options;
    struct sonde_heap_redacted counts;
    enum state state;
    enum section section;
    bool failed;
    struct sonde_buf head;

    /* The shape, from the head. */
    unsigned node_fields, function_fields;
    unsigned node_types, edge_types;
    uint8_t node_use[SONDE_HEAP_TYPES_MAX];
    uint8_t edge_use[SONDE_HEAP_TYPES_MAX];
    uint8_t function_use[SONDE_HEAP_FIELDS_MAX];
    uint64_t node_count, edge_count;

    /* The numbers of a section. */
    unsigned fields; /* of a record; 1 where they do not matter */
    unsigned field;
    unsigned nested;
    bool in_number;
    enum expects expects;
    unsigned digits;
    uint64_t number;
    uint8_t use;      /* of the record's second field */
    uint64_t size;    /* of a node */
    size_t patch;     /* where the last digit of a value's index stands */
    uint64_t value;   /* the index, not doubled; with `patch` 0: none */
    uint64_t element; /* what was written as the last element's index, plus 1; 0: none */
    char key[KEY_SIZE];
    size_t key_length;

    /* Two bits for each string: USE_ENGINE and USE_NAME, as 1 and 2; USE_CODE, or both, as 3. And
     * one: USE_VALUE. */
    struct redact_bits uses, values;

    /* The string under way. */
    uint64_t key_of_hash[2];
    bool hashing; /* `hash` is of all of it so far; else `text` is all */
    struct sonde_siphash hash;
    uint64_t string; /* its index */
    uint64_t units;  /* UTF-16 */
    unsigned unicode_left;
    uint32_t unicode;
    char text[TEXT_SIZE]; /* its beginning, unescaped */
    size_t text_length;

    size_t out_length;
    char out[OUT_SIZE];
};

int redact_malformed(const char *what, struct sonde_err *err);
int redact_flush(struct sonde_heap_redactor *r, struct sonde_err *err) SONDE_MUST_CHECK;
int redact_write_long(struct sonde_heap_redactor *r, const char *data, size_t length,
                      struct sonde_err *err) SONDE_MUST_CHECK;
static inline int redact_write(struct sonde_heap_redactor *r, const char *data, size_t length,
                               struct sonde_err *err)
{
    if (length >= OUT_SIZE - r->out_length) {
        return redact_write_long(r, data, length, err);
    }
    memcpy(r->out + r->out_length, data, length);
    r->out_length += length;
    return 0;
}
/* Room for OUT_ROOM bytes. */
static inline int redact_room(struct sonde_heap_redactor *r, struct sonde_err *err)
{
    return OUT_SIZE - r->out_length < OUT_ROOM ? redact_flush(r, err) : 0;
}

/* redact_head.c: the shape of the records. */
int redact_read_head(struct sonde_heap_redactor *r, struct sonde_err *err) SONDE_MUST_CHECK;

/* redact_numbers.c */
/* Marks string `index` as used so. */
int redact_mark(struct sonde_heap_redactor *r, uint64_t index, enum use use,
                struct sonde_err *err) SONDE_MUST_CHECK;
void redact_begin_section(struct sonde_heap_redactor *r, enum section section);
/* Takes bytes of a section from *at on, up to and with its last bracket. */
int redact_numbers(struct sonde_heap_redactor *r, const char *data, size_t length, size_t *at,
                   struct sonde_err *err) SONDE_MUST_CHECK;

/* Writes a number, of 20 digits at most; returns behind it. */
char *redact_number(char *out, uint64_t number);

/* redact_text.c */
int redact_strings(struct sonde_heap_redactor *r, const char *data, size_t length, size_t *at,
                   struct sonde_err *err) SONDE_MUST_CHECK;
/* redact_names.c: whether all words of a name are known; `engine`: only the engine named it so. */
bool redact_name_known(const struct sonde_heap_redactor *r, struct sonde_str text, enum use use);
/* "3 / part of key (A @1) -> value (B @2) pair in WeakMap (table @3)" */
bool redact_is_pair(struct sonde_str text);

#endif
