/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json_scan.h"

#include <stdlib.h>

#include "base/window.h"

enum state {
    VALUE,          /* a value must come */
    VALUE_OR_CLOSE, /* just behind [ */
    KEY_OR_CLOSE,   /* just behind { */
    KEY,            /* behind a comma in an object */
    COLON,
    COMMA_OR_CLOSE,
    STRING,
    ESCAPE,
    UNICODE,
    NUMBER,
    LITERAL,
    DONE, /* only white space may follow */
};

enum { UTF8_REPLACEMENT = 0xfffd };

void sonde_json_scanner_init(struct sonde_json_scanner *scanner, struct sonde_json_limits limits,
                             sonde_json_callback callback, void *context)
{
    *scanner = (struct sonde_json_scanner){
        .callback = callback,
        .context = context,
        .limits = limits,
        .token = SONDE_BUF(limits.string > SONDE_JSON_NUMBER_MAX ? limits.string
                                                                 : SONDE_JSON_NUMBER_MAX),
        .state = VALUE,
    };
    if (limits.depth > SONDE_JSON_DEPTH_MAX) {
        scanner->limits.depth = SONDE_JSON_DEPTH_MAX;
    }
}

void sonde_json_scanner_fini(struct sonde_json_scanner *scanner)
{
    if (scanner) {
        sonde_buf_fini(&scanner->token);
        free(SONDE_TAKE(scanner->deep_containers));
        scanner->deep_capacity = 0;
    }
}

void sonde_json_scan_raw(struct sonde_json_scanner *scanner, sonde_json_raw_callback raw,
                         void *context)
{
    scanner->raw = raw;
    scanner->raw_context = context;
    scanner->raw_depth = scanner->depth;
}

/* The byte with the bit of that depth, for which there is room. */
static uint8_t *container_byte(struct sonde_json_scanner *s, unsigned depth)
{
    return depth < SONDE_JSON_DEPTH_INLINE
               ? &s->containers[depth / 8]
               : &s->deep_containers[(depth - SONDE_JSON_DEPTH_INLINE) / 8];
}

void sonde_json_scan_hand_over(struct sonde_json_scanner *scanner, sonde_json_take_callback take,
                               void *context)
{
    scanner->take = take;
    scanner->take_context = context;
}

void sonde_json_scan_text(struct sonde_json_scanner *scanner, sonde_json_raw_callback text,
                          void *context, char *buffer, size_t size)
{
    scanner->text = text;
    scanner->text_context = context;
    scanner->text_buffer = buffer;
    scanner->text_size = size;
    scanner->text_length = 0;
}

static bool in_object(struct sonde_json_scanner *s)
{
    unsigned top = s->depth - 1;
    return s->depth && (*container_byte(s, top) >> (top % 8) & 1);
}

static int make_room(struct sonde_json_scanner *s, struct sonde_err *err)
{
    if (s->depth < SONDE_JSON_DEPTH_INLINE) {
        return 0;
    }
    size_t bytes = (s->depth - SONDE_JSON_DEPTH_INLINE) / 8 + 1;
    int r = sonde_array_grow(&s->deep_containers, &s->deep_capacity, bytes, 1,
                             SONDE_JSON_DEPTH_MAX / 8);
    return r < 0 ? sonde_fail(err, r, 0, "JSON: out of memory") : 0;
}

static int malformed(const struct sonde_json_scanner *s, size_t at, const char *what,
                     struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "JSON, byte %llu: %s",
                      (unsigned long long)(s->offset + at), what);
}

static int emit(struct sonde_json_scanner *s, struct sonde_json_token *token, struct sonde_err *err)
{
    if (s->raw || !s->callback) {
        return 0;
    }
    token->depth = s->depth;
    return s->callback(s->context, s, token, err);
}

static void after_value(struct sonde_json_scanner *s)
{
    s->state = s->depth ? COMMA_OR_CLOSE : DONE;
}

static int open_container(struct sonde_json_scanner *s, bool object, size_t at,
                          struct sonde_err *err)
{
    if (s->depth >= s->limits.depth) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "JSON, byte %llu: nested deeper than %u",
                          (unsigned long long)(s->offset + at), s->limits.depth);
    }
    struct sonde_json_token token = {.event =
                                         object ? SONDE_JSON_OBJECT_BEGIN : SONDE_JSON_ARRAY_BEGIN};
    int r = make_room(s, err);
    r = r < 0 ? r : emit(s, &token, err);
    if (r < 0) {
        return r;
    }
    uint8_t bit = (uint8_t)(1U << (s->depth % 8));
    uint8_t *byte = container_byte(s, s->depth);
    *byte = (uint8_t)(object ? *byte | bit : *byte & ~bit);
    s->depth++;
    s->state = object ? KEY_OR_CLOSE : VALUE_OR_CLOSE;
    return r;
}

/* *raw_from is where the raw bytes of this chunk begin. */
static int close_container(struct sonde_json_scanner *s, bool object, const char *data, size_t at,
                           size_t *raw_from, struct sonde_err *err)
{
    if (s->depth == 0 || in_object(s) != object) {
        return malformed(s, at, "a bracket that closes nothing", err);
    }
    s->depth--;
    if (s->raw && s->depth == s->raw_depth) {
        int r = s->raw(s->raw_context, data + *raw_from, at + 1 - *raw_from, err);
        s->raw = NULL;
        if (r < 0) {
            return r;
        }
    }
    struct sonde_json_token token = {.event =
                                         object ? SONDE_JSON_OBJECT_END : SONDE_JSON_ARRAY_END};
    after_value(s);
    return emit(s, &token, err);
}

/* The token so far plus `length` bytes, as one view: only the chunk when nothing was kept. */
static int whole_token(struct sonde_json_scanner *s, const char *data, size_t length,
                       size_t maximum, struct sonde_str *ret, struct sonde_err *err)
{
    if (s->token.length + length > maximum) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "JSON, byte %llu: a token of more than %zu bytes",
                          (unsigned long long)s->offset, maximum);
    }
    if (s->token.length == 0 && s->token.code == 0) {
        *ret = (struct sonde_str){data, length};
        return 0;
    }
    sonde_buf_append(&s->token, data, length);
    *ret = sonde_buf_view(&s->token);
    return sonde_buf_check(&s->token, "a JSON token", err);
}

/* What stands behind a backslash means this; 0: something longer, or nothing. */
static inline char unescaped(char c)
{
    static const char meaning[128] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                      ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    return (unsigned char)c < sizeof(meaning) ? meaning[(unsigned char)c] : 0;
}

/* ---- strings that are handed out in pieces ---- */

static bool in_text(const struct sonde_json_scanner *s)
{
    return s->text && !s->is_key && !s->raw;
}

static int flush_text(struct sonde_json_scanner *s, struct sonde_err *err)
{
    size_t length = s->text_length;
    s->text_length = 0;
    return length ? s->text(s->text_context, s->text_buffer, length, err) : 0;
}

static int keep_text(struct sonde_json_scanner *s, const char *data, size_t length,
                     struct sonde_err *err)
{
    while (length) {
        size_t room = s->text_size - s->text_length;
        size_t piece = length < room ? length : room;
        memcpy(s->text_buffer + s->text_length, data, piece);
        s->text_length += piece;
        data += piece;
        length -= piece;
        int r = s->text_length == s->text_size ? flush_text(s, err) : 0;
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Those of a window's bytes that are not plain: quotes, backslashes, control characters, and what
 * is beyond ASCII. */
static inline uint64_t special_bytes(const char *data)
{
    return SONDE_WINDOW_WHERE(data, part,
                              (part == '"') | (part == '\\') | (part < 0x20) | (part > 0x7f));
}

/* Copies the plain bytes and the short escapes of one window, up to anything else. Returns how many
 * bytes it took. */
static inline size_t take_window(const char *data, char *out, size_t *ret_written)
{
    enum { ESCAPE_LENGTH = 2, HALF = SONDE_WINDOW / 2 };
    uint64_t special = special_bytes(data);
    size_t from = 0;
    char *at = out;
    while (special) {
        size_t next = sonde_window_first(special);
        char meant = data[next] == '\\' && next + 1 < SONDE_WINDOW ? unescaped(data[next + 1]) : 0;
        memcpy(at, data + from, HALF); /* more than is needed costs less than how much that is */
        if (next - from > HALF) {
            memcpy(at + HALF, data + from + HALF, HALF);
        }
        at += next - from;
        from = next;
        if (!meant) {
            *ret_written = (size_t)(at - out);
            return next;
        }
        *at++ = meant;
        from += ESCAPE_LENGTH;
        special &= ~(UINT64_C(3) << next);
    }
    memcpy(at, data + from, SONDE_WINDOW);
    *ret_written = (size_t)(at - out) + SONDE_WINDOW - from;
    return SONDE_WINDOW;
}

/* Copies what is plain, and short escapes, for as long as there is nothing else: most of what an
 * inspector sends is numbers and ends of lines. */
static int scan_text(struct sonde_json_scanner *s, const char *data, size_t length, size_t *at,
                     struct sonde_err *err)
{
    enum { ROOM = 2 * SONDE_WINDOW }; /* that a window reads and writes, at most */
    size_t i = *at;
    size_t taken = 1;
    int r = 0;
    while (r == 0 && taken && length - i >= ROOM && s->text_size - s->text_length >= ROOM) {
        size_t written = 0;
        taken = take_window(data + i, s->text_buffer + s->text_length, &written);
        s->text_length += written;
        i += taken;
        r = s->text_size - s->text_length < ROOM ? flush_text(s, err) : 0;
    }
    *at = i;
    return r;
}

static int end_string(struct sonde_json_scanner *s, const char *data, size_t length,
                      struct sonde_err *err)
{
    struct sonde_json_token token = {.event = s->is_key ? SONDE_JSON_KEY : SONDE_JSON_STRING};
    if (in_text(s)) {
        int r = keep_text(s, data, length, err);
        r = r < 0 ? r : flush_text(s, err);
        s->text = NULL;
        if (r < 0) {
            return r;
        }
    } else if (!s->raw) {
        int r = whole_token(s, data, length, s->limits.string, &token.text, err);
        if (r < 0) {
            return r;
        }
    }
    int r = emit(s, &token, err);
    sonde_buf_clear(&s->token);
    if (s->is_key) {
        s->state = COLON;
    } else {
        after_value(s);
    }
    return r;
}

/* Keeps what stands in this chunk of a token that goes on. */
static int keep(struct sonde_json_scanner *s, const char *data, size_t length, size_t maximum,
                struct sonde_err *err)
{
    if (s->raw) {
        return 0;
    }
    if (in_text(s)) {
        return keep_text(s, data, length, err);
    }
    if (s->token.length + length > maximum) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "JSON, byte %llu: a token of more than %zu bytes",
                          (unsigned long long)s->offset, maximum);
    }
    sonde_buf_append(&s->token, data, length);
    return sonde_buf_check(&s->token, "a JSON token", err);
}

static int keep_code_point(struct sonde_json_scanner *s, uint32_t c, struct sonde_err *err)
{
    char bytes[4];
    size_t length;
    if (c < 0x80) {
        bytes[0] = (char)c;
        length = 1;
    } else if (c < 0x800) {
        bytes[0] = (char)(0xc0 | c >> 6);
        bytes[1] = (char)(0x80 | (c & 0x3f));
        length = 2;
    } else if (c < 0x10000) {
        bytes[0] = (char)(0xe0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (c & 0x3f));
        length = 3;
    } else {
        bytes[0] = (char)(0xf0 | c >> 18);
        bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
        bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[3] = (char)(0x80 | (c & 0x3f));
        length = 4;
    }
    return keep(s, bytes, length, s->limits.string, err);
}

/* A high surrogate waited for its low half, which did not come. */
static int flush_surrogate(struct sonde_json_scanner *s, struct sonde_err *err)
{
    if (!s->high_surrogate) {
        return 0;
    }
    s->high_surrogate = 0;
    return keep_code_point(s, UTF8_REPLACEMENT, err);
}

/* Multi-byte UTF-8 (RFC 3629 §4): the lead byte sets what may follow. */
static bool utf8_lead(struct sonde_json_scanner *s, unsigned char c)
{
    s->utf8_low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    s->utf8_high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    s->utf8_left = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    return c >= 0xc2 && c <= 0xf4;
}

static const bool plain[256] = {
    [0x20] = true, [0x21] = true, [0x23 ... 0x5b] = true, [0x5d ... 0x7f] = true};

static int scan_string(struct sonde_json_scanner *s, const char *data, size_t length, size_t *at,
                       struct sonde_err *err)
{
    int r = *at < length && data[*at] != '\\' ? flush_surrogate(s, err) : 0;
    if (r == 0 && in_text(s) && !s->utf8_left && !s->high_surrogate) {
        r = scan_text(s, data, length, at, err);
    }
    if (r < 0) {
        return r;
    }
    size_t i = *at;
    size_t from = i;
    for (; i < length; i++) {
        unsigned char c = (unsigned char)data[i];
        if (s->utf8_left) {
            if (c < s->utf8_low || c > s->utf8_high) {
                return malformed(s, i, "invalid UTF-8", err);
            }
            s->utf8_left--;
            s->utf8_low = 0x80;
            s->utf8_high = 0xbf;
            continue;
        }
        while (plain[c] && ++i < length) {
            c = (unsigned char)data[i];
        }
        if (i == length) {
            break;
        }
        if (c == '"') {
            *at = i + 1;
            return end_string(s, data + from, i - from, err);
        }
        if (c == '\\') {
            s->state = ESCAPE;
            *at = i + 1;
            return keep(s, data + from, i - from, s->limits.string, err);
        }
        if (c < 0x20) {
            return malformed(s, i, "a control character in a string", err);
        }
        if (!utf8_lead(s, c)) {
            return malformed(s, i, "invalid UTF-8", err);
        }
    }
    *at = length;
    return keep(s, data + from, length - from, s->limits.string, err);
}

static int scan_escape(struct sonde_json_scanner *s, char c, size_t at, struct sonde_err *err)
{
    if (c == 'u') {
        s->state = UNICODE;
        s->unicode = 0;
        s->unicode_left = 4;
        return 0;
    }
    char meant = unescaped(c);
    if (!meant) {
        return malformed(s, at, "an unknown escape", err);
    }
    s->state = STRING;
    int r = flush_surrogate(s, err);
    return r < 0 ? r : keep(s, &meant, 1, s->limits.string, err);
}

static int end_unicode(struct sonde_json_scanner *s, struct sonde_err *err)
{
    uint32_t c = s->unicode;
    s->state = STRING;
    if (s->high_surrogate && c >= 0xdc00 && c <= 0xdfff) {
        c = 0x10000 + ((s->high_surrogate - 0xd800) << 10) + (c - 0xdc00);
        s->high_surrogate = 0;
        return keep_code_point(s, c, err);
    }
    int r = flush_surrogate(s, err);
    if (r < 0) {
        return r;
    }
    if (c >= 0xd800 && c <= 0xdbff) {
        s->high_surrogate = c;
        return 0;
    }
    return keep_code_point(s, c >= 0xdc00 && c <= 0xdfff ? UTF8_REPLACEMENT : c, err);
}

static int scan_unicode(struct sonde_json_scanner *s, char c, size_t at, struct sonde_err *err)
{
    uint64_t digit;
    if (sonde_parse_hex64((struct sonde_str){&c, 1}, &digit) < 0) {
        return malformed(s, at, "\\u without four hexadecimal digits", err);
    }
    s->unicode = s->unicode << 4 | (uint32_t)digit;
    return --s->unicode_left == 0 ? end_unicode(s, err) : 0;
}

static bool number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static bool short_integer(struct sonde_str text, int64_t *ret)
{
    size_t i = text.data[0] == '-' ? 1 : 0;
    size_t count = text.length - i;
    if (count == 0 || count > 18 || (text.data[i] == '0' && count > 1)) {
        return false;
    }
    int64_t value = 0;
    for (; i < text.length; i++) {
        unsigned digit = (unsigned)(text.data[i] - '0');
        if (digit > 9) {
            return false;
        }
        value = value * 10 + (int64_t)digit;
    }
    *ret = text.data[0] == '-' ? -value : value;
    return true;
}

static int end_number(struct sonde_json_scanner *s, const char *data, size_t length, size_t at,
                      struct sonde_err *err)
{
    struct sonde_json_token token = {.event = SONDE_JSON_NUMBER};
    int r = whole_token(s, data, length, SONDE_JSON_NUMBER_MAX, &token.text, err);
    if (r < 0) {
        return r;
    }
    token.is_integer = short_integer(token.text, &token.integer);
    if (!token.is_integer) {
        double value;
        r = sonde_parse_double(token.text, &value);
        if (r == SONDE_EPARSE) {
            return malformed(s, at, "not a number", err);
        }
        bool leading_zero = token.text.data[0] == '0' || sonde_str_starts(token.text, "-0");
        token.is_integer =
            !leading_zero && sonde_parse_i64(token.text, INT64_MIN, INT64_MAX, &token.integer) == 0;
    }
    after_value(s);
    r = emit(s, &token, err);
    sonde_buf_clear(&s->token);
    return r;
}

static int scan_number(struct sonde_json_scanner *s, const char *data, size_t length, size_t *at,
                       struct sonde_err *err)
{
    size_t from = *at;
    size_t i = from;
    while (i < length && number_byte(data[i])) {
        i++;
    }
    *at = i;
    if (i < length) {
        return end_number(s, data + from, i - from, i, err);
    }
    if (s->token.length + (i - from) > SONDE_JSON_NUMBER_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "JSON, byte %llu: a number of more than %d bytes",
                          (unsigned long long)(s->offset + i), SONDE_JSON_NUMBER_MAX);
    }
    sonde_buf_append(&s->token, data + from, i - from);
    return sonde_buf_check(&s->token, "a JSON token", err);
}

static int scan_literal(struct sonde_json_scanner *s, char c, size_t at, struct sonde_err *err)
{
    if (s->literal[s->literal_at] != c) {
        return malformed(s, at, "an unknown word", err);
    }
    if (s->literal[++s->literal_at] != '\0') {
        return 0;
    }
    struct sonde_json_token token = {.event = s->literal[0] == 't'   ? SONDE_JSON_TRUE
                                              : s->literal[0] == 'f' ? SONDE_JSON_FALSE
                                                                     : SONDE_JSON_NULL};
    after_value(s);
    return emit(s, &token, err);
}

static int begin_value(struct sonde_json_scanner *s, char c, size_t *at, struct sonde_err *err)
{
    if (++s->values > s->limits.values && s->limits.values) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "JSON, byte %llu: more than %zu values",
                          (unsigned long long)(s->offset + *at), s->limits.values);
    }
    if (s->text && c != '"' && !s->raw) {
        s->text = NULL; /* no string, so no pieces of it */
    }
    switch (c) {
    case '{':
    case '[':
        return open_container(s, c == '{', *at, err);
    case '"':
        s->state = STRING;
        s->is_key = false;
        return 0;
    case 't':
    case 'f':
    case 'n':
        s->state = LITERAL;
        s->literal = c == 't' ? "true" : c == 'f' ? "false" : "null";
        s->literal_at = 1;
        return 0;
    default:
        if (c != '-' && (c < '0' || c > '9')) {
            return malformed(s, *at, "a value is missing", err);
        }
        s->state = NUMBER;
        --*at; /* the digit is read again, as part of the number */
        return 0;
    }
}

/* One byte between tokens. */
static int scan_structure(struct sonde_json_scanner *s, const char *data, size_t *at,
                          size_t *raw_from, struct sonde_err *err)
{
    char c = data[*at];
    bool closes = c == '}' || c == ']';
    switch ((enum state)s->state) {
    case VALUE_OR_CLOSE:
        if (c == ']') {
            return close_container(s, false, data, *at, raw_from, err);
        }
        return begin_value(s, c, at, err);
    case VALUE:
        return begin_value(s, c, at, err);
    case KEY_OR_CLOSE:
        if (c == '}') {
            return close_container(s, true, data, *at, raw_from, err);
        }
        __attribute__((fallthrough));
    case KEY:
        if (c != '"') {
            return malformed(s, *at, "a key is missing", err);
        }
        s->state = STRING;
        s->is_key = true;
        return 0;
    case COLON:
        if (c != ':') {
            return malformed(s, *at, "a colon is missing", err);
        }
        s->state = VALUE;
        return 0;
    case COMMA_OR_CLOSE:
        if (closes) {
            return close_container(s, c == '}', data, *at, raw_from, err);
        }
        if (c != ',') {
            return malformed(s, *at, "a comma is missing", err);
        }
        s->state = in_object(s) ? KEY : VALUE;
        return 0;
    default:
        return malformed(s, *at, "something behind the end", err);
    }
}

static int scan_step(struct sonde_json_scanner *s, const char *data, size_t length, size_t *at,
                     size_t *raw_from, struct sonde_err *err)
{
    char c = data[*at];
    int r;
    switch ((enum state)s->state) {
    case STRING:
        return scan_string(s, data, length, at, err);
    case NUMBER:
        return scan_number(s, data, length, at, err);
    case ESCAPE:
        r = scan_escape(s, c, *at, err);
        break;
    case UNICODE:
        r = scan_unicode(s, c, *at, err);
        break;
    case LITERAL:
        r = scan_literal(s, c, *at, err);
        break;
    default:
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
            r = 0;
            break;
        }
        bool raw_before = s->raw != NULL;
        size_t here = *at;
        r = scan_structure(s, data, at, raw_from, err);
        if (!raw_before && s->raw) {
            *raw_from = here;
            s->raw_depth = s->depth - 1;
        }
    }
    ++*at;
    return r;
}

static int take_step(struct sonde_json_scanner *s, const char *data, size_t length, size_t *at,
                     struct sonde_err *err)
{
    size_t taken = 0;
    bool done = false;
    int r = s->take(s->take_context, data + *at, length - *at, s->offset + *at, &taken, &done, err);
    *at += taken;
    if (r < 0 || !done) {
        return r;
    }
    s->take = NULL;
    s->depth--;
    after_value(s);
    struct sonde_json_token token = {.event = SONDE_JSON_ARRAY_END};
    return emit(s, &token, err);
}

int sonde_json_scan(struct sonde_json_scanner *scanner, const char *data, size_t length,
                    struct sonde_err *err)
{
    if (scanner->failed) {
        return sonde_fail(err, SONDE_EPARSE, 0, "JSON: the scan has failed before");
    }
    size_t raw_from = 0;
    int r = 0;
    for (size_t at = 0; at < length && r == 0;) {
        r = scanner->take ? take_step(scanner, data, length, &at, err)
                          : scan_step(scanner, data, length, &at, &raw_from, err);
    }
    if (r == 0 && scanner->raw && raw_from < length) {
        r = scanner->raw(scanner->raw_context, data + raw_from, length - raw_from, err);
    }
    scanner->offset += length;
    scanner->failed = r < 0;
    return r;
}

int sonde_json_scan_finish(struct sonde_json_scanner *scanner, struct sonde_err *err)
{
    int r = 0;
    if (!scanner->failed && scanner->state == NUMBER && scanner->depth == 0) {
        r = end_number(scanner, "", 0, 0, err);
    }
    if (r == 0 && scanner->state != DONE) {
        r = malformed(scanner, 0, "the text ends too early", err);
    }
    return r;
}

int sonde_json_check(struct sonde_str text, struct sonde_json_limits limits, struct sonde_err *err)
{
    struct sonde_json_scanner scanner;
    sonde_json_scanner_init(&scanner, limits, NULL, NULL);
    int r = sonde_json_scan(&scanner, text.data, text.length, err);
    if (r == 0) {
        r = sonde_json_scan_finish(&scanner, err);
    }
    sonde_json_scanner_fini(&scanner);
    return r;
}
