/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/err.h"

bool sonde_str_equal(struct sonde_str a, struct sonde_str b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

bool sonde_str_is(struct sonde_str text, const char *other)
{
    return sonde_str_equal(text, sonde_str(other));
}

bool sonde_str_starts(struct sonde_str text, const char *prefix)
{
    size_t length = strlen(prefix);
    return text.length >= length && (length == 0 || memcmp(text.data, prefix, length) == 0);
}

bool sonde_str_ends(struct sonde_str text, const char *suffix)
{
    size_t length = strlen(suffix);
    return text.length >= length &&
           (length == 0 || memcmp(text.data + text.length - length, suffix, length) == 0);
}

bool sonde_str_contains(struct sonde_str text, struct sonde_str part)
{
    return part.length == 0 ||
           (text.length >= part.length && memmem(text.data, text.length, part.data, part.length));
}

int sonde_str_compare(struct sonde_str a, struct sonde_str b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order != 0) {
        return order;
    }
    return (a.length > b.length) - (a.length < b.length);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct sonde_str sonde_str_trim(struct sonde_str text)
{
    while (text.length && is_space(text.data[0])) {
        text.data++;
        text.length--;
    }
    while (text.length && is_space(text.data[text.length - 1])) {
        text.length--;
    }
    return text;
}

struct sonde_str sonde_str_split(struct sonde_str *rest, char separator)
{
    struct sonde_str head = *rest;
    const char *found = head.length ? memchr(head.data, separator, head.length) : NULL;
    if (!found) {
        *rest = (struct sonde_str){0};
        return head;
    }
    head.length = (size_t)(found - head.data);
    rest->data = found + 1;
    rest->length -= head.length + 1;
    return head;
}

int sonde_parse_u64(struct sonde_str text, uint64_t min, uint64_t max, uint64_t *ret)
{
    if (text.length == 0) {
        return SONDE_EPARSE;
    }
    uint64_t value = 0;
    bool over = false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return SONDE_EPARSE;
        }
        over |= __builtin_mul_overflow(value, 10U, &value);
        over |= __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value);
    }
    if (over || value < min || value > max) {
        return SONDE_ELIMIT;
    }
    *ret = value;
    return 0;
}

int sonde_parse_i64(struct sonde_str text, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = text.length && text.data[0] == '-';
    if (negative) {
        text.data++;
        text.length--;
    }
    uint64_t magnitude;
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1U : 0U);
    int r = sonde_parse_u64(text, 0, limit, &magnitude);
    if (r < 0) {
        return r;
    }
    int64_t value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    if (value < min || value > max) {
        return SONDE_ELIMIT;
    }
    *ret = value;
    return 0;
}

int sonde_parse_hex64(struct sonde_str text, uint64_t *ret)
{
    if (text.length == 0) {
        return SONDE_EPARSE;
    }
    uint64_t value = 0;
    bool over = false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        uint64_t digit;
        if (c >= '0' && c <= '9') {
            digit = (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (uint64_t)(c - 'a') + 10;
        } else if (c >= 'A' && c <= 'F') {
            digit = (uint64_t)(c - 'A') + 10;
        } else {
            return SONDE_EPARSE;
        }
        over |= value >> 60 != 0;
        value = value << 4 | digit;
    }
    if (over) {
        return SONDE_ELIMIT;
    }
    *ret = value;
    return 0;
}

static size_t digits(const char *text, size_t at)
{
    while (text[at] >= '0' && text[at] <= '9') {
        at++;
    }
    return at;
}

/* The grammar of RFC 8259 §6 over a NUL-terminated copy. */
static bool is_json_number(const char *text)
{
    size_t at = text[0] == '-' ? 1 : 0;
    size_t end = digits(text, at);
    if (end == at || (text[at] == '0' && end > at + 1)) {
        return false;
    }
    at = end;
    if (text[at] == '.') {
        end = digits(text, at + 1);
        if (end == at + 1) {
            return false;
        }
        at = end;
    }
    if (text[at] == 'e' || text[at] == 'E') {
        at++;
        if (text[at] == '+' || text[at] == '-') {
            at++;
        }
        end = digits(text, at);
        if (end == at) {
            return false;
        }
        at = end;
    }
    return text[at] == '\0';
}

int sonde_parse_double(struct sonde_str text, double *ret)
{
    char copy[64];
    if (text.length == 0 || text.length >= sizeof(copy)) {
        return SONDE_EPARSE;
    }
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    if (strlen(copy) != text.length || !is_json_number(copy)) {
        return SONDE_EPARSE;
    }
    double value = strtod(copy, NULL);
    if (!isfinite(value)) {
        return SONDE_ELIMIT;
    }
    *ret = value;
    return 0;
}

#define DAY_NS (24 * 3600 * 1000000000LL)

static const struct {
    const char *name;
    int64_t ns;
} duration_units[] = {
    /* Of those that begin alike the longer ones first. */
    {"milliseconds", 1000000},
    {"ms", 1000000},
    {"us", 1000},
    {"seconds", 1000000000},
    {"second", 1000000000},
    {"secs", 1000000000},
    {"sec", 1000000000},
    {"s", 1000000000},
    {"minutes", 60000000000LL},
    {"minute", 60000000000LL},
    {"mins", 60000000000LL},
    {"min", 60000000000LL},
    {"m", 60000000000LL},
    {"hours", 3600 * 1000000000LL},
    {"hour", 3600 * 1000000000LL},
    {"hrs", 3600 * 1000000000LL},
    {"hr", 3600 * 1000000000LL},
    {"h", 3600 * 1000000000LL},
    {"days", DAY_NS},
    {"day", DAY_NS},
    {"d", DAY_NS},
};

static void skip_spaces(struct sonde_str *text)
{
    while (text->length && text->data[0] == ' ') {
        text->data++;
        text->length--;
    }
}

/* Takes one "12ms" off the front of *text and adds it to *total. */
static int take_duration(struct sonde_str *text, int64_t *total)
{
    size_t end = 0;
    while (end < text->length && text->data[end] >= '0' && text->data[end] <= '9') {
        end++;
    }
    uint64_t count;
    int r = sonde_parse_u64((struct sonde_str){text->data, end}, 0, INT64_MAX, &count);
    if (r < 0) {
        return r;
    }
    text->data += end;
    text->length -= end;
    skip_spaces(text);
    int64_t unit = text->length == 0 && *total == 0 ? 1000000000 : 0;
    for (size_t i = 0; i < SONDE_LENGTH(duration_units) && unit == 0; i++) {
        if (sonde_str_starts(*text, duration_units[i].name)) {
            unit = duration_units[i].ns;
            text->data += strlen(duration_units[i].name);
            text->length -= strlen(duration_units[i].name);
        }
    }
    skip_spaces(text);
    int64_t part;
    if (unit == 0) {
        return SONDE_EPARSE;
    }
    if (__builtin_mul_overflow((int64_t)count, unit, &part) ||
        __builtin_add_overflow(*total, part, total)) {
        return SONDE_ELIMIT;
    }
    return 0;
}

int sonde_parse_duration(struct sonde_str text, int64_t max_ns, int64_t *ret_ns)
{
    int64_t total = 0;
    do {
        int r = take_duration(&text, &total);
        if (r < 0) {
            return r;
        }
    } while (text.length);
    if (total > max_ns) {
        return SONDE_ELIMIT;
    }
    *ret_ns = total;
    return 0;
}

size_t sonde_str_distance(struct sonde_str a, struct sonde_str b)
{
    if (a.length > SONDE_DISTANCE_MAX || b.length > SONDE_DISTANCE_MAX) {
        return SIZE_MAX;
    }
    size_t row[SONDE_DISTANCE_MAX + 1];
    for (size_t j = 0; j <= b.length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            size_t best = diagonal + (a.data[i - 1] == b.data[j - 1] ? 0 : 1);
            diagonal = row[j];
            if (row[j] + 1 < best) {
                best = row[j] + 1;
            }
            if (row[j - 1] + 1 < best) {
                best = row[j - 1] + 1;
            }
            row[j] = best;
        }
    }
    return row[b.length];
}

/* The length of the well-formed sequence at the front of text, or 0. */
static size_t utf8_sequence(const unsigned char *text, size_t length)
{
    unsigned char first = text[0];
    if (first < 0x80) {
        return 1;
    }
    size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || wanted > length) {
        return 0;
    }
    for (size_t i = 1; i < wanted; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (first == 0xe0 && text[1] < 0xa0) || (first == 0xf0 && text[1] < 0x90);
    bool surrogate = first == 0xed && text[1] > 0x9f;
    bool beyond = first == 0xf4 && text[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : wanted;
}

bool sonde_utf8_valid(struct sonde_str text)
{
    const unsigned char *data = (const unsigned char *)text.data;
    for (size_t i = 0; i < text.length;) {
        size_t length = utf8_sequence(data + i, text.length - i);
        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}

size_t sonde_utf16_length(struct sonde_str text)
{
    size_t units = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        units += (size_t)((byte & 0xc0) != 0x80) + (size_t)(byte >= 0xf0);
    }
    return units;
}
