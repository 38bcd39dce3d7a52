/* SPDX-License-Identifier: Apache-2.0 */
/* A push-mode scanner of strict JSON (RFC 8259): bytes in, in any split, events
 * out. For what is large or endless; nothing is held but the token that a split
 * cut in two. No I/O. */
#ifndef SONDE_CODEC_JSON_SCAN_H
#define SONDE_CODEC_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_JSON_DEPTH_MAX = 1 << 18, /* the deepest nesting a scanner can be asked for */
    SONDE_JSON_DEPTH_INLINE = 512,  /* the deepest for which it allocates nothing */
    SONDE_JSON_NUMBER_MAX = 63,     /* bytes of one number */
};

enum sonde_json_event {
    SONDE_JSON_OBJECT_BEGIN,
    SONDE_JSON_OBJECT_END,
    SONDE_JSON_ARRAY_BEGIN,
    SONDE_JSON_ARRAY_END,
    SONDE_JSON_KEY,
    SONDE_JSON_STRING,
    SONDE_JSON_NUMBER,
    SONDE_JSON_TRUE,
    SONDE_JSON_FALSE,
    SONDE_JSON_NULL,
};

/* What an event carries; valid during the callback only. */
struct sonde_json_token {
    enum sonde_json_event event;
    struct sonde_str text; /* of a key or string: unescaped; of a number: as written */
    bool is_integer;       /* a number without fraction and exponent that fits int64_t … */
    int64_t integer;       /* … and its value */
    unsigned depth;        /* containers around the token; of a container's own begin and end:
                              those around it */
};

struct sonde_json_scanner;

/* Returns 0 to go on, or a negative code with err filled, which ends the scan. */
typedef int (*sonde_json_callback)(void *context, struct sonde_json_scanner *scanner,
                                   const struct sonde_json_token *token, struct sonde_err *err);
/* The bytes of a value as they stand in the input, in pieces. */
typedef int (*sonde_json_raw_callback)(void *context, const char *data, size_t length,
                                       struct sonde_err *err);
/* The bytes of an array that was handed over, from behind its opening bracket on; data[0] is the
 * byte `offset` of the text. Takes all of them and says so in *ret_taken; or those up to the
 * closing bracket, with it, and then sets *ret_done. */
typedef int (*sonde_json_take_callback)(void *context, const char *data, size_t length,
                                        uint64_t offset, size_t *ret_taken, bool *ret_done,
                                        struct sonde_err *err);

struct sonde_json_limits {
    unsigned depth; /* ≤ SONDE_JSON_DEPTH_MAX */
    size_t string;  /* bytes of one key or string, unescaped */
    size_t values;  /* of any kind, in all; 0: any number */
};

struct sonde_json_scanner {
    sonde_json_callback callback;
    void *context;
    struct sonde_json_limits limits;
    struct sonde_buf token;      /* of a token that is cut or has escapes */
    uint64_t offset;             /* bytes taken so far, for messages */
    sonde_json_raw_callback raw; /* set while a value is handed out raw */
    void *raw_context;
    sonde_json_take_callback take; /* set while an array is handed over */
    void *take_context;
    unsigned raw_depth;
    sonde_json_raw_callback text; /* set while a string is handed out in pieces */
    void *text_context;
    char *text_buffer;
    size_t text_size, text_length;
    unsigned depth;
    size_t values;    /* begun so far */
    uint32_t unicode; /* \uXXXX being read, and the high surrogate before it */
    uint32_t high_surrogate;
    uint8_t unicode_left;
    uint8_t utf8_left; /* continuation bytes still due, and the range of the next */
    uint8_t utf8_low, utf8_high;
    uint8_t state; /* of the scanner, see json_scan.c */
    uint8_t literal_at;
    const char *literal;
    bool is_key;
    bool failed;
    uint8_t containers[SONDE_JSON_DEPTH_INLINE / 8]; /* one bit each: object? */
    uint8_t *deep_containers;                        /* of the depths beyond */
    size_t deep_capacity;                            /* bytes */
};

/* `callback` may be NULL: then the text is only checked. Borrows context. */
void sonde_json_scanner_init(struct sonde_json_scanner *scanner, struct sonde_json_limits limits,
                             sonde_json_callback callback, void *context);
void sonde_json_scanner_fini(struct sonde_json_scanner *scanner);

/* Takes the next bytes of one JSON text. SONDE_EPARSE with the byte's offset when it is
 * malformed (also invalid UTF-8), SONDE_ELIMIT beyond a limit, SONDE_ENOMEM, or what the callback
 * returned. An escaped surrogate without its other half becomes U+FFFD, since V8
 * writes such. After a failure every further call fails. */
int sonde_json_scan(struct sonde_json_scanner *scanner, const char *data, size_t length,
                    struct sonde_err *err) SONDE_MUST_CHECK;

/* The end of the text: SONDE_EPARSE when it is not complete. */
int sonde_json_scan_finish(struct sonde_json_scanner *scanner,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* Called from the callback of an OBJECT_BEGIN or ARRAY_BEGIN: the container's bytes, from
 * its bracket to the matching one, go to `raw` and make no events until its END event. */
void sonde_json_scan_raw(struct sonde_json_scanner *scanner, sonde_json_raw_callback raw,
                         void *context);

/* Called from the callback of an ARRAY_BEGIN: `take` reads that array itself, for what is too large
 * for an event each; the next event is its END. */
void sonde_json_scan_hand_over(struct sonde_json_scanner *scanner, sonde_json_take_callback take,
                               void *context);

/* Called from the callback of a KEY: when its value is a string, that goes unescaped to `text` in
 * pieces, however long it is, and its STRING event has an empty text. The pieces are collected in
 * `buffer` (borrowed until that event): none is empty, and none has more than `size` bytes. */
void sonde_json_scan_text(struct sonde_json_scanner *scanner, sonde_json_raw_callback text,
                          void *context, char *buffer, size_t size);

/* Checks a whole text at once. */
int sonde_json_check(struct sonde_str text, struct sonde_json_limits limits,
                     struct sonde_err *err) SONDE_MUST_CHECK;

#endif
