/* SPDX-License-Identifier: Apache-2.0 */
/* The sections of numbers. Nodes and edges are most of a snapshot: what the engine writes goes a
 * record at a time, by words of eight digits; everything else by bytes. */
#include <stdlib.h>

#include "heap/redact_internal.h"

/* ---- uses of strings ---- */

static int grow_uses(struct sonde_heap_redactor *r, size_t wanted, struct sonde_err *err)
{
    size_t before = r->uses_size;
    if (sonde_array_grow(&r->uses, &r->uses_size, wanted, 1, SONDE_HEAP_STRINGS_MAX / 4) < 0) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    memset(r->uses + before, 0, r->uses_size - before);
    return 0;
}

int redact_mark(struct sonde_heap_redactor *r, uint64_t index, enum use use, struct sonde_err *err)
{
    size_t byte = index / 4;
    if (index >= SONDE_HEAP_STRINGS_MAX || (use != USE_ENGINE && use != USE_NAME)) {
        return 0; /* redacted in any case */
    }
    if (byte >= r->uses_size) {
        int code = grow_uses(r, byte + 1, err);
        if (code < 0) {
            return code;
        }
    }
    uint8_t bit = (uint8_t)((unsigned)use << (index % 4 * 2));
    if (!(r->uses[byte] & bit)) {
        r->uses[byte] |= bit;
    }
    return 0;
}

/* ---- one number ---- */

static char *write_number(char *out, uint64_t number)
{
    char digits[24];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    memcpy(out, digits + at, sizeof(digits) - at);
    return out + sizeof(digits) - at;
}

/* The index that an element is written with. */
static uint64_t element_index(uint64_t *next, uint64_t index)
{
    bool near = index < SONDE_HEAP_ELEMENT_NEAR ||
                (*next && index >= *next && index - *next < SONDE_HEAP_ELEMENT_GAP);
    uint64_t written = near ? index : *next;
    *next = written + 1;
    return written;
}

static int write_field(struct sonde_heap_redactor *r, enum use use, struct sonde_err *err)
{
    uint64_t number = r->number;
    if (use == USE_ELEMENT) {
        number = element_index(&r->element, number);
    } else if (use != USE_PLAIN) {
        int code = redact_mark(r, number, use, err);
        if (code < 0) {
            return code;
        }
        number = 2 * number + (use == USE_VALUE);
    }
    r->out_length = (size_t)(write_number(r->out + r->out_length, number) - r->out);
    return 0;
}

/* The value of a number is a string of no size and no edges, which all others have. It was written
 * as data, with an odd index, before that was seen. */
static int keep_value_of_number(struct sonde_heap_redactor *r, struct sonde_err *err)
{
    enum { SIZE_FIELD = 3, EDGES_FIELD = 4 };
    if (r->field == 1 && r->use == USE_VALUE) {
        r->value = r->number;
        r->patch = r->out_length - 1;
    } else if (r->field == SIZE_FIELD) {
        r->size = r->number;
    } else if (r->field == EDGES_FIELD && r->patch) {
        bool of_number = r->size == 0 && r->number == 0;
        r->out[r->patch] = (char)(r->out[r->patch] - of_number);
        r->patch = 0;
        return of_number ? redact_mark(r, r->value, USE_ENGINE, err) : 0;
    }
    return 0;
}

static int end_number(struct sonde_heap_redactor *r, struct sonde_err *err)
{
    enum use use = USE_PLAIN;
    bool edge = r->section == EDGES;
    if ((edge || r->section == NODES) && r->field == 0) {
        if (r->number >= (edge ? r->edge_types : r->node_types)) {
            return redact_malformed("it has a type that its head does not name", err);
        }
        r->use = edge ? r->edge_use[r->number] : r->node_use[r->number];
        r->element = edge && r->use == USE_ELEMENT ? r->element : 0;
    } else if ((edge || r->section == NODES) && r->field == 1) {
        use = (enum use)r->use;
    } else if (r->section == FUNCTIONS) {
        use = (enum use)r->function_use[r->field];
    }
    int code = r->field == 0 ? redact_room(r, err) : 0;
    code = code < 0 ? code : write_field(r, use, err);
    if (code == 0 && r->section == NODES && r->options.numbers) {
        code = keep_value_of_number(r, err);
    }
    r->digits = 0;
    r->number = 0;
    r->in_number = false;
    if (++r->field == r->fields) {
        r->field = 0;
        r->counts.nodes += r->section == NODES;
        r->counts.edges += r->section == EDGES;
    }
    return code;
}

/* ---- by bytes ---- */

void redact_begin_section(struct sonde_heap_redactor *r, enum section section)
{
    static const unsigned fields[SECTIONS] = {
        [EDGES] = 3, [TREE] = 1, [SAMPLES] = 1, [LOCATIONS] = 1};
    r->state = IN_SECTION;
    r->section = section;
    r->fields = section == NODES       ? r->node_fields
                : section == FUNCTIONS ? r->function_fields
                                       : fields[section];
    r->field = 0;
    r->nested = 0;
    r->in_number = false;
    r->expects = EXPECT_FIRST;
}

static int end_section(struct sonde_heap_redactor *r, struct sonde_err *err)
{
    if (r->field != 0 || (r->section == NODES && r->counts.nodes != r->node_count) ||
        (r->section == EDGES && r->counts.edges != r->edge_count)) {
        return redact_malformed("its nodes or edges are not as many as its head says", err);
    }
    r->state = BEHIND_SECTION;
    r->key_length = 0;
    return 0;
}

static int close_bracket(struct sonde_heap_redactor *r, struct sonde_err *err)
{
    if (r->expects == EXPECT_NEXT) {
        return redact_malformed("a number is missing", err);
    }
    r->expects = EXPECT_COMMA;
    if (r->nested) {
        r->nested--;
        return 0;
    }
    return end_section(r, err);
}

static int take_byte(struct sonde_heap_redactor *r, char c, struct sonde_err *err)
{
    if (c >= '0' && c <= '9') {
        if (r->expects == EXPECT_COMMA || r->digits == NUMBER_DIGITS) {
            return redact_malformed("a number is too long, or a comma is missing", err);
        }
        r->in_number = true;
        r->digits++;
        r->number = r->number * 10 + (uint64_t)(c - '0');
        return 0;
    }
    int code = 0;
    if (r->in_number) {
        r->expects = EXPECT_COMMA;
        code = end_number(r, err);
    }
    code = code < 0 ? code : redact_write(r, &c, 1, err);
    if (code < 0) {
        return code;
    }
    switch (c) {
    case ' ':
    case '\n':
    case '\r':
    case '\t':
        return 0;
    case ',':
        if (r->expects != EXPECT_COMMA) {
            return redact_malformed("a number is missing", err);
        }
        r->expects = EXPECT_NEXT;
        return 0;
    case '[':
        if (r->section != TREE || r->expects == EXPECT_COMMA) {
            return redact_malformed("a bracket stands among numbers", err);
        }
        r->nested++;
        r->expects = EXPECT_FIRST;
        return 0;
    case ']':
        return close_bracket(r, err);
    default:
        return redact_malformed("something else stands among numbers", err);
    }
}

/* ---- by records ---- */

#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))
enum { RECORD_MAX = 320 }; /* bytes that one of the most fields, of 15 digits each, has at most */

static inline uint64_t load(const char *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

/* How many digits stand at p, at most 8; *ret_digits are they, a digit a byte. */
static inline unsigned digits_at(const char *p, uint64_t *ret_digits)
{
    uint64_t digits = load(p) ^ EIGHT('0');
    uint64_t other = (((digits & EIGHT(0x7f)) + EIGHT(0x76)) | digits) & EIGHT(0x80);
    *ret_digits = digits;
    return other ? (unsigned)__builtin_ctzll(other) / 8 : 8;
}

/* Where the number at p ends, or NULL when it has more digits than two words hold. */
static inline const char *skip_number(const char *p)
{
    uint64_t digits;
    unsigned count = digits_at(p, &digits);
    if (count == 8) {
        unsigned more = digits_at(p + 8, &digits);
        return more < 8 ? p + 8 + more : NULL;
    }
    return count ? p + count : NULL;
}

static inline uint64_t value_of(uint64_t digits)
{
    digits = (digits * 10 + (digits >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits * 100 + (digits >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (digits * 10000 + (digits >> 32)) & UINT64_C(0xffffffff);
}

/* Writes twice the number (and one more, when `odd`) whose `count` < 8 digits stand at the end of
 * the word; returns behind it. A doubled digit carries at most 1, which never carries on. */
static inline char *write_doubled(char *out, uint64_t digits, unsigned count, bool odd)
{
    uint64_t carries = ((digits + EIGHT(0x7b)) >> 7) & EIGHT(1);
    uint64_t twice = 2 * digits - 10 * carries + (carries >> 8);
    count += (unsigned)(carries >> (64 - 8 * count)) & 1;
    twice += (uint64_t)odd << 56;
    twice = (twice | EIGHT('0')) >> (64 - 8 * count);
    memcpy(out, &twice, 8);
    return out + count;
}

/* The string's index at p, doubled. Returns behind it in the input; NULL: not by records. */
static const char *take_index(struct sonde_heap_redactor *r, const char *p, enum use use,
                              char **out)
{
    uint64_t digits;
    unsigned count = digits_at(p, &digits);
    if (count == 0 || count == 8) {
        return NULL;
    }
    digits <<= 64 - 8 * count;
    if (use != USE_VALUE) {
        uint64_t index = value_of(digits);
        size_t byte = index / 4;
        if (byte >= r->uses_size) {
            return NULL; /* the slow way makes room */
        }
        r->uses[byte] |= (uint8_t)((unsigned)use << (index % 4 * 2));
    }
    *out = write_doubled(*out, digits, count, use == USE_VALUE);
    return p + count;
}

/* An element's index at p, as it is to be written. */
static const char *take_element(const char *p, uint64_t *next, char **out)
{
    uint64_t digits;
    unsigned count = digits_at(p, &digits);
    if (count == 0 || count == 8) {
        return NULL;
    }
    *out = write_number(*out, element_index(next, value_of(digits << (64 - 8 * count))));
    return p + count;
}

/* A whole node as the engine writes it: "3,1234,…,0\n,". */
static const char *take_node(struct sonde_heap_redactor *r, const char *p, char **ret_out)
{
    char *out = *ret_out;
    unsigned type = (unsigned)(*p - '0');
    *out++ = *p++;
    if (*p >= '0' && *p <= '9') {
        type = type * 10 + (unsigned)(*p - '0');
        *out++ = *p++;
    }
    if (type >= r->node_types || *p != ',') {
        return NULL;
    }
    *out++ = *p++;
    p = take_index(r, p, (enum use)r->node_use[type], &out);
    if (!p) {
        return NULL;
    }
    const char *rest = p;
    for (unsigned i = 2; i < r->fields; i++) {
        p = *p == ',' ? skip_number(p + 1) : NULL;
        if (!p) {
            return NULL;
        }
    }
    if (p[0] != '\n' || p[1] != ',') {
        return NULL;
    }
    p += 2;
    memcpy(out, rest, (size_t)(p - rest));
    *ret_out = out + (p - rest);
    return p;
}

/* A whole edge: "2,1234,7654321\n,". */
static const char *take_edge(struct sonde_heap_redactor *r, const char *p, char **ret_out)
{
    char *out = *ret_out;
    unsigned type = (unsigned)(p[0] - '0');
    if (type >= r->edge_types || type > 9 || p[1] != ',') {
        return NULL;
    }
    enum use use = (enum use)r->edge_use[type];
    uint64_t element = use == USE_ELEMENT ? r->element : 0;
    memcpy(out, p, 2);
    out += 2;
    p += 2;
    const char *rest = p;
    if (use == USE_PLAIN) {
        p = skip_number(p);
    } else if (use == USE_ELEMENT) {
        rest = p = take_element(p, &element, &out);
    } else {
        rest = p = take_index(r, p, use, &out);
    }
    p = p && *p == ',' ? skip_number(p + 1) : NULL;
    if (!p || p[0] != '\n' || p[1] != ',') {
        return NULL;
    }
    p += 2;
    memcpy(out, rest, 36); /* at most two numbers */
    *ret_out = out + (p - rest);
    r->element = element;
    return p;
}

/* As many whole records as there are. */
static int take_records(struct sonde_heap_redactor *r, const char *data, size_t length, size_t *at,
                        struct sonde_err *err)
{
    bool node = r->section == NODES;
    const char *p = data + *at;
    const char *end = data + length;
    int code = 0;
    while (end - p >= RECORD_MAX) {
        code = redact_room(r, err);
        if (code < 0) {
            break;
        }
        char *out = r->out + r->out_length;
        const char *next = node ? take_node(r, p, &out) : take_edge(r, p, &out);
        if (!next) {
            break;
        }
        p = next;
        r->out_length = (size_t)(out - r->out);
        r->counts.nodes += node;
        r->counts.edges += !node;
        r->expects = EXPECT_NEXT;
    }
    *at = (size_t)(p - data);
    return code;
}

int redact_numbers(struct sonde_heap_redactor *r, const char *data, size_t length, size_t *at,
                   struct sonde_err *err)
{
    int code = 0;
    while (*at < length && code == 0 && r->state == IN_SECTION) {
        bool fast = r->section == EDGES || (r->section == NODES && !r->options.numbers);
        bool at_record = fast && r->field == 0 && !r->in_number && r->expects != EXPECT_COMMA &&
                         length - *at >= RECORD_MAX;
        if (at_record) {
            code = take_records(r, data, length, at, err);
        }
        /* The record that the fast way does not take, or what is left of the piece. */
        do {
            code = code < 0 ? code : take_byte(r, data[(*at)++], err);
        } while (*at < length && code == 0 && r->state == IN_SECTION &&
                 (r->field != 0 || r->in_number || r->expects == EXPECT_COMMA));
    }
    return code;
}
