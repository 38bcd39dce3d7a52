/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed piece of text, by value (idea: haproxy's ist, h2o's iovec), and the
 * only ways to turn text into numbers. */
#ifndef SONDE_BASE_STR_H
#define SONDE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"

struct sonde_str {
    const char *data; /* not NUL-terminated; may be NULL when length is 0 */
    size_t length;    /* bytes */
};

#define SONDE_STR(literal) ((struct sonde_str){"" literal, sizeof(literal) - 1})
/* For printf: "%.*s", SONDE_STR_ARG(s). Evaluates s more than once. */
#define SONDE_STR_ARG(text) (int)(text).length, (text).data ? (text).data : ""

/* The view of a NUL-terminated string; NULL gives the empty view. */
static inline struct sonde_str sonde_str(const char *text)
{
    return (struct sonde_str){text, text ? strlen(text) : 0};
}

bool sonde_str_equal(struct sonde_str a, struct sonde_str b);
bool sonde_str_is(struct sonde_str text, const char *other);
bool sonde_str_starts(struct sonde_str text, const char *prefix);
bool sonde_str_ends(struct sonde_str text, const char *suffix);
bool sonde_str_contains(struct sonde_str text, struct sonde_str part);
/* Byte order, shorter first when one is the other's prefix: <0, 0, >0. */
int sonde_str_compare(struct sonde_str a, struct sonde_str b);
/* Without spaces, tabs and line ends at both ends. */
struct sonde_str sonde_str_trim(struct sonde_str text);
/* Cuts *rest at the first `separator`: returns what stands before it, and leaves
 * what stands behind it in *rest (empty, data NULL, when there was none). */
struct sonde_str sonde_str_split(struct sonde_str *rest, char separator);

/* Decimal integers without sign tricks, spaces or overflow: 0, or SONDE_EPARSE when
 * the text is not wholly a number, SONDE_ELIMIT when it is outside min…max. */
int sonde_parse_u64(struct sonde_str text, uint64_t min, uint64_t max,
                    uint64_t *ret) SONDE_MUST_CHECK;
int sonde_parse_i64(struct sonde_str text, int64_t min, int64_t max, int64_t *ret) SONDE_MUST_CHECK;
/* Hexadecimal without 0x, as in /proc. Same errors. */
int sonde_parse_hex64(struct sonde_str text, uint64_t *ret) SONDE_MUST_CHECK;
/* A JSON number (RFC 8259 §6) as a finite double. Same errors. */
int sonde_parse_double(struct sonde_str text, double *ret) SONDE_MUST_CHECK;
/* "90s", "1m30s", "250ms", "2h", "3 days 1 minute"; a bare number is seconds. Nanoseconds, ≥ 0.
 * Same errors. */
int sonde_parse_duration(struct sonde_str text, int64_t max_ns, int64_t *ret_ns) SONDE_MUST_CHECK;

/* The Levenshtein distance of two short words, for "did you mean"; words longer than
 * SONDE_DISTANCE_MAX bytes are SIZE_MAX apart. */
enum { SONDE_DISTANCE_MAX = 64 };
size_t sonde_str_distance(struct sonde_str a, struct sonde_str b);

/* True for well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool sonde_utf8_valid(struct sonde_str text);
/* The UTF-16 units of UTF-8: one for each character, two beyond U+FFFF. */
size_t sonde_utf16_length(struct sonde_str text);

#endif
