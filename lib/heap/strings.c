/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "heap/reader.h"

enum state { FIRST, NEXT, PLAIN, ESCAPE, UNICODE, BEHIND };

enum { UTF8_REPLACEMENT = 0xfffd };

/* Everything but the quote, the backslash and control characters; bytes above 0x7f are taken as
 * they come, since whoever prints a name checks it. */
static const bool plain[256] = {
    [0x20] = true, [0x21] = true, [0x23 ... 0x5b] = true, [0x5d ... 0xff] = true};

int sonde_heap_begin_strings(struct sonde_heap_reader *r, struct sonde_err *err)
{
    struct sonde_heap_names *names = &r->heap->names;
    r->text.state = FIRST;
    int code = sonde_heap_find_duplicates(r, err);
    if (code < 0 || names->words == 0) {
        return code;
    }
    names->ranks = calloc(names->words, sizeof(*names->ranks));
    if (!names->ranks) {
        return sonde_heap_out_of_memory(err);
    }
    uint32_t rank = 0;
    for (size_t i = 0; i < names->words; i++) {
        names->ranks[i] = rank;
        rank += (uint32_t)__builtin_popcountll(names->kept[i]);
    }
    return 0;
}

static bool is_kept(const struct sonde_heap_names *names, uint32_t string)
{
    return string / 64 < names->words && (names->kept[string / 64] >> string % 64 & 1);
}

static void append(struct sonde_heap_text *text, const char *data, size_t length)
{
    size_t room = sizeof(text->data) - text->length;
    length = length < room ? length : room;
    memcpy(text->data + text->length, data, length);
    text->length += length;
}

static void append_code_point(struct sonde_heap_text *text, uint32_t c)
{
    char bytes[4];
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length; i-- > 1; c >>= 6) {
        bytes[i] = (char)(0x80 | (c & 0x3f));
    }
    bytes[0] = (char)(lead[length] | c);
    append(text, bytes, length);
}

static void flush_surrogate(struct sonde_heap_text *text)
{
    if (text->high_surrogate) {
        append_code_point(text, UTF8_REPLACEMENT);
        text->high_surrogate = 0;
    }
}

static void end_unicode(struct sonde_heap_text *text)
{
    uint32_t c = text->unicode;
    text->state = PLAIN;
    bool low = c >= 0xdc00 && c <= 0xdfff;
    if (low && text->high_surrogate) {
        append_code_point(text, 0x10000 + ((text->high_surrogate - 0xd800) << 10) + (c - 0xdc00));
        text->high_surrogate = 0;
        return;
    }
    flush_surrogate(text);
    if (c >= 0xd800 && c <= 0xdbff) {
        text->high_surrogate = c;
    } else {
        append_code_point(text, low ? UTF8_REPLACEMENT : c);
    }
}

/* A pair of a WeakMap is an edge from its key and one from its table, both with a name such as
 * "7 / part of key (Object @1) -> value (Foo @2) pair in WeakMap (table @3)". */
static struct sonde_str table_part(struct sonde_str name)
{
    static const char in[] = " pair in WeakMap (table @";
    size_t digits = 0;
    while (digits < name.length && name.data[digits] >= '0' && name.data[digits] <= '9') {
        digits++;
    }
    struct sonde_str rest = {name.data + digits, name.length - digits};
    if (digits == 0 || !sonde_str_starts(rest, " / part of key (") || !sonde_str_ends(rest, ")")) {
        return (struct sonde_str){0};
    }
    const char *found = memmem(rest.data, rest.length, in, sizeof(in) - 1);
    if (!found) {
        return (struct sonde_str){0};
    }
    const char *from = found + sizeof(in) - 1;
    return (struct sonde_str){from, (size_t)(rest.data + rest.length - 1 - from)};
}

/* Marks the string as one of a pair, and makes "WeakMap pair @3" of its text. */
static int shorten_pair(struct sonde_heap_reader *r, struct sonde_err *err)
{
    struct sonde_heap_text *text = &r->text;
    struct sonde_str table = table_part((struct sonde_str){text->data, text->length});
    uint64_t id;
    if (sonde_parse_u64(table, 0, UINT32_MAX, &id) < 0) {
        return 0;
    }
    if (!r->tables) {
        r->tables = calloc(r->heap->names.words, sizeof(*r->tables));
        if (!r->tables) {
            return sonde_heap_out_of_memory(err);
        }
    }
    uint32_t string = r->heap->string_count;
    r->tables[string / 64] |= 1ULL << string % 64;
    text->length =
        (size_t)snprintf(text->data, sizeof(text->data), "WeakMap pair @%u", (uint32_t)id);
    return 0;
}

/* Not in the middle of a character. */
static size_t cut(struct sonde_str text)
{
    if (text.length <= SONDE_HEAP_NAME_MAX) {
        return text.length;
    }
    size_t length = SONDE_HEAP_NAME_MAX;
    while (length && ((unsigned char)text.data[length] & 0xc0) == 0x80) {
        length--;
    }
    return length;
}

static int keep_text(struct sonde_heap_reader *r, struct sonde_err *err)
{
    struct sonde_heap_names *names = &r->heap->names;
    struct sonde_heap_text *text = &r->text;
    int code = 0;
    if (text->length && text->data[0] >= '0' && text->data[0] <= '9') {
        code = shorten_pair(r, err);
    }
    size_t length = cut((struct sonde_str){text->data, text->length});
    code = code ? code
                : sonde_array_grow(&names->text, &names->capacity, names->length + length, 1,
                                   SONDE_HEAP_NAMES_MAX);
    code = code ? code
                : sonde_array_grow(&names->ends, &r->end_capacity, names->count + 1,
                                   sizeof(*names->ends), SONDE_HEAP_STRINGS_MAX);
    if (code < 0) {
        return code == SONDE_ENOMEM
                   ? sonde_heap_out_of_memory(err)
                   : sonde_fail(err, code, 0, "heap snapshot: more than %d bytes of names",
                                SONDE_HEAP_NAMES_MAX);
    }
    code = sonde_heap_check_room(r, r->heap->node_count, r->heap->edge_count, err);
    if (code < 0) {
        return code;
    }
    if (length) {
        memcpy(names->text + names->length, text->data, length);
    }
    names->length += length;
    names->ends[names->count++] = (uint32_t)names->length;
    return 0;
}

static int end_string(struct sonde_heap_reader *r, struct sonde_err *err)
{
    flush_surrogate(&r->text);
    r->text.state = BEHIND;
    int code = r->text.wanted ? keep_text(r, err) : 0;
    r->heap->string_count++;
    return code;
}

static int malformed(uint64_t offset, const char *what, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "heap snapshot, byte %llu: %s",
                      (unsigned long long)offset, what);
}

static int read_escape(struct sonde_heap_text *text, char c, uint64_t offset, struct sonde_err *err)
{
    static const char meaning[128] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                      ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    if (text->state == UNICODE) {
        uint64_t digit;
        if (sonde_parse_hex64((struct sonde_str){&c, 1}, &digit) < 0) {
            return malformed(offset, "\\u without four hexadecimal digits", err);
        }
        text->unicode = text->unicode << 4 | (uint32_t)digit;
        if (--text->unicode_left == 0) {
            end_unicode(text);
        }
        return 0;
    }
    if (c == 'u') {
        text->state = UNICODE;
        text->unicode = 0;
        text->unicode_left = 4;
        return 0;
    }
    unsigned char index = (unsigned char)c;
    if (index >= sizeof(meaning) || !meaning[index]) {
        return malformed(offset, "an unknown escape", err);
    }
    text->state = PLAIN;
    flush_surrogate(text);
    append(text, &meaning[index], 1);
    return 0;
}

static int begin_string(struct sonde_heap_reader *r, struct sonde_err *err)
{
    struct sonde_heap_text *text = &r->text;
    if (r->heap->string_count >= SONDE_HEAP_STRINGS_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "heap snapshot: more than %d strings",
                          SONDE_HEAP_STRINGS_MAX);
    }
    text->state = PLAIN;
    text->length = 0;
    text->high_surrogate = 0;
    text->wanted = is_kept(&r->heap->names, r->heap->string_count);
    return 0;
}

static int read_between(struct sonde_heap_reader *r, char c, uint64_t offset, bool *ret_done,
                        struct sonde_err *err)
{
    struct sonde_heap_text *text = &r->text;
    if (c == '\n' || c == ' ' || c == '\r' || c == '\t') {
        return 0;
    }
    if (c == '"' && text->state != BEHIND) {
        return begin_string(r, err);
    }
    if (c == ']' && text->state != NEXT) {
        *ret_done = true;
        return 0;
    }
    if (c != ',' || text->state != BEHIND) {
        return malformed(offset, "neither a string, a comma nor the end of the array", err);
    }
    text->state = NEXT;
    return 0;
}

/* As far as the string is plain. Returns where it is not. */
static size_t read_plain(struct sonde_heap_text *text, const char *data, size_t at, size_t length)
{
    size_t from = at;
    while (at < length && plain[(unsigned char)data[at]]) {
        at++;
    }
    if (at > from && text->wanted) {
        flush_surrogate(text);
        append(text, data + from, at - from);
    }
    return at;
}

int sonde_heap_take_strings(void *context, const char *data, size_t length, uint64_t offset,
                            size_t *ret_taken, bool *ret_done, struct sonde_err *err)
{
    struct sonde_heap_reader *r = context;
    struct sonde_heap_text *text = &r->text;
    size_t at = 0;
    int code = 0;
    while (at < length && !*ret_done && code == 0) {
        char c = data[at];
        if (text->state == ESCAPE || text->state == UNICODE) {
            code = read_escape(text, c, offset + at, err);
        } else if (text->state != PLAIN) {
            code = read_between(r, c, offset + at, ret_done, err);
        } else {
            at = read_plain(text, data, at, length);
            if (at == length) {
                break;
            }
            c = data[at];
            if (c == '"') {
                code = end_string(r, err);
            } else if (c == '\\') {
                text->state = ESCAPE;
            } else {
                code = malformed(offset + at, "a control character in a string", err);
            }
        }
        at++;
    }
    *ret_taken = at;
    return code;
}
