/* SPDX-License-Identifier: Apache-2.0 */
/* The strings: what may be read, and what stands in the place of the rest. */
#include "base/window.h"
#include "heap/redact_internal.h"

enum { REDACTED_SIZE = 64 };

/* ---- the string under way ---- */

static void begin_string(struct sonde_heap_redactor *r)
{
    r->units = 0;
    r->text_length = 0;
    r->hashing = false;
    r->state = IN_STRING;
}

/* Most strings are short, and many names of the program's: what is kept of one is hashed when that
 * is needed, or when it is longer than that. */
static void begin_hash(struct sonde_heap_redactor *r)
{
    if (!r->hashing) {
        r->hashing = true;
        sonde_siphash_init(&r->hash, r->key_of_hash);
        sonde_siphash_add(&r->hash, r->text, r->text_length);
    }
}

static void keep(struct sonde_heap_redactor *r, const char *data, size_t length)
{
    size_t room = sizeof(r->text) - r->text_length;
    if (length > room) {
        begin_hash(r);
    }
    if (r->hashing) {
        sonde_siphash_add(&r->hash, data, length);
    }
    size_t kept = length < room ? length : room;
    memcpy(r->text + r->text_length, data, kept);
    r->text_length += kept;
}

/* A UTF-16 unit; half of a pair by itself becomes three bytes as well, which are no UTF-8. */
static void keep_unit(struct sonde_heap_redactor *r, uint32_t unit)
{
    char bytes[3];
    size_t length = unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
    if (length == 1) {
        bytes[0] = (char)unit;
    } else if (length == 2) {
        bytes[0] = (char)(0xc0 | unit >> 6);
        bytes[1] = (char)(0x80 | (unit & 0x3f));
    } else {
        bytes[0] = (char)(0xe0 | unit >> 12);
        bytes[1] = (char)(0x80 | (unit >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (unit & 0x3f));
    }
    r->units++;
    keep(r, bytes, length);
}

/* A word as eight hexadecimal digits, the first in the lowest byte. */
static uint64_t hexadecimal(uint32_t word)
{
#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))
    uint64_t digits = __builtin_bswap32(word);
    digits = (digits | digits << 16) & UINT64_C(0x0000ffff0000ffff);
    digits = (digits | digits << 8) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits >> 4 | digits << 8) & EIGHT(0x0f);
    uint64_t letters = (digits + EIGHT(6)) >> 4 & EIGHT(1);
    return digits + EIGHT('0') + letters * ('a' - '9' - 1);
#undef EIGHT
}

/* What stands in place of the string under way; returns its length. */
static size_t redacted_text(struct sonde_heap_redactor *r, char ret[REDACTED_SIZE])
{
    static const char begin[] = "\"string:";
    begin_hash(r);
    uint64_t hash = sonde_siphash_end(&r->hash);
    uint64_t digits[] = {hexadecimal((uint32_t)(hash >> 32)), hexadecimal((uint32_t)hash)};
    memcpy(ret, begin, sizeof(begin));
    char *at = redact_number(ret + sizeof(begin) - 1, r->units);
    *at++ = ':';
    memcpy(at, digits, sizeof(digits));
    at += sizeof(digits);
    *at++ = '"';
    return (size_t)(at - ret);
}

static bool is_plain(struct sonde_str text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            return false;
        }
    }
    return true;
}

static int write_name(struct sonde_heap_redactor *r, struct sonde_str text, struct sonde_err *err)
{
    if (is_plain(text)) {
        int code = redact_write(r, "\"", 1, err);
        code = code < 0 ? code : redact_write(r, text.data, text.length, err);
        return code < 0 ? code : redact_write(r, "\"", 1, err);
    }
    SONDE_BUF_AUTO quoted = SONDE_BUF(8 * TEXT_SIZE);
    sonde_buf_json_string(&quoted, text);
    int code = sonde_buf_check(&quoted, "a name", err);
    return code < 0 ? code : redact_write(r, quoted.data, quoted.length, err);
}

/* The bits of the `index`-th of `per_byte` strings a byte. */
static unsigned bits_of(const struct redact_bits *bits, uint64_t index, unsigned per_byte)
{
    unsigned width = 8 / per_byte;
    size_t byte = index / per_byte;
    return byte < bits->size
               ? (unsigned)bits->bytes[byte] >> (index % per_byte * width) & ((1U << width) - 1)
               : 0;
}

/* What it is as a name, and what it is as a value; each is left out that nothing names. */
static int end_string(struct sonde_heap_redactor *r, struct sonde_err *err)
{
    bool unknown_use = r->string >= SONDE_HEAP_STRINGS_MAX;
    unsigned uses = unknown_use ? 0 : bits_of(&r->uses, r->string, 4);
    bool is_value = unknown_use || bits_of(&r->values, r->string, 8);
    struct sonde_str text = {r->text, r->text_length};
    char redacted[REDACTED_SIZE];
    size_t length = 0;
    bool known = uses && redact_name_known(r, text, (enum use)uses);
    if (uses == USE_ENGINE && redact_is_pair(text)) {
        text = SONDE_STR("part of a pair in WeakMap"); /* it names the pair's value, too */
        known = true;
    }
    bool hidden = unknown_use || (uses && !known);
    if (hidden || is_value) {
        length = redacted_text(r, redacted);
    }
    r->counts.names += known;
    r->counts.redacted += hidden;
    int code = known    ? write_name(r, text, err)
               : hidden ? redact_write(r, redacted, length, err)
                        : redact_write(r, "\"\"", 2, err);
    code = code < 0 ? code : redact_write(r, ",", 1, err);
    code = code < 0   ? code
           : is_value ? redact_write(r, redacted, length, err)
                      : redact_write(r, "\"\"", 2, err);
    r->string++;
    r->counts.strings++;
    r->state = IN_STRINGS;
    r->expects = EXPECT_COMMA;
    return code;
}

/* ---- by bytes ---- */

/* Bytes that stand for themselves. */
static size_t take_plain(struct sonde_heap_redactor *r, const char *data, size_t length, size_t at)
{
    size_t from = at;
    bool ascii = true;
    while (ascii && length - at >= SONDE_WINDOW_PART) {
        sonde_window_part part = sonde_window_load(data + at);
        uint64_t other = sonde_window_bits(
            (sonde_window_part)((part == '"') | (part == '\\') | (part < 0x20) | (part > 0x7f)));
        ascii = other == 0;
        at += ascii ? (size_t)SONDE_WINDOW_PART : sonde_window_first(other);
    }
    uint64_t units = at - from;
    for (; at < length; at++) {
        unsigned char c = (unsigned char)data[at];
        if (c == '"' || c == '\\' || c < 0x20) {
            break;
        }
        units += (uint64_t)((c & 0xc0) != 0x80) + (c >= 0xf0);
    }
    r->units += units;
    keep(r, data + from, at - from);
    return at;
}

static int take_escape(struct sonde_heap_redactor *r, char c, struct sonde_err *err)
{
    static const char meaning[128] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                      ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    unsigned char index = (unsigned char)c;
    if (c == 'u') {
        r->state = IN_UNICODE;
        r->unicode = 0;
        r->unicode_left = 4;
        return 0;
    }
    if (index >= sizeof(meaning) || !meaning[index]) {
        return redact_malformed("a string has an escape that is none", err);
    }
    keep_unit(r, (unsigned char)meaning[index]);
    r->state = IN_STRING;
    return 0;
}

static int take_unicode(struct sonde_heap_redactor *r, char c, struct sonde_err *err)
{
    uint64_t digit;
    if (sonde_parse_hex64((struct sonde_str){&c, 1}, &digit) < 0) {
        return redact_malformed("a string has an escape that is none", err);
    }
    r->unicode = r->unicode << 4 | (uint32_t)digit;
    if (--r->unicode_left == 0) {
        keep_unit(r, r->unicode);
        r->state = IN_STRING;
    }
    return 0;
}

/* Between strings. */
static int take_between(struct sonde_heap_redactor *r, char c, struct sonde_err *err)
{
    if (c == '"' && r->expects != EXPECT_COMMA) {
        begin_string(r);
        return 0;
    }
    bool blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (c == ',' && r->expects == EXPECT_COMMA) {
        r->expects = EXPECT_NEXT;
    } else if (c == ']' && r->expects != EXPECT_NEXT) {
        r->state = BEHIND_STRINGS;
    } else if (!blank) {
        return redact_malformed("its strings are malformed", err);
    }
    return redact_write(r, &c, 1, err);
}

/* Within a string. */
static int take_string(struct sonde_heap_redactor *r, const char *data, size_t length, size_t *at,
                       struct sonde_err *err)
{
    *at = take_plain(r, data, length, *at);
    if (*at == length) {
        return 0;
    }
    char c = data[(*at)++];
    if (c == '"') {
        return end_string(r, err);
    }
    r->state = IN_ESCAPE;
    return c == '\\' ? 0 : redact_malformed("a string has a control character", err);
}

/* What the engine writes between two strings, as a whole; anything else, or a part, by bytes. */
static int take_gap(struct sonde_heap_redactor *r, const char *data, size_t length, size_t *at,
                    struct sonde_err *err)
{
    static const char gap[] = {',', '\n', '"'};
    if (length - *at < sizeof(gap) || r->expects != EXPECT_COMMA ||
        memcmp(data + *at, gap, sizeof(gap)) != 0) {
        return take_between(r, data[(*at)++], err);
    }
    *at += sizeof(gap);
    begin_string(r);
    return redact_write(r, gap, sizeof(gap) - 1, err);
}

int redact_strings(struct sonde_heap_redactor *r, const char *data, size_t length, size_t *at,
                   struct sonde_err *err)
{
    int code = 0;
    while (code == 0 && *at < length && r->state != BEHIND_STRINGS) {
        switch (r->state) {
        case IN_STRING:
            code = take_string(r, data, length, at, err);
            break;
        case IN_ESCAPE:
            code = take_escape(r, data[(*at)++], err);
            break;
        case IN_UNICODE:
            code = take_unicode(r, data[(*at)++], err);
            break;
        default:
            code = take_gap(r, data, length, at, err);
        }
    }
    return code;
}
