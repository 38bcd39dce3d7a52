/* SPDX-License-Identifier: Apache-2.0 */
/* The sections of numbers. Nodes and edges are most of a snapshot: what the engine writes goes
 * by whole records, several at a look; everything else by bytes. */
#include <stdlib.h>

#include "base/window.h"
#include "heap/redact_internal.h"

/* ---- uses of strings ---- */

/* No more than is needed is touched: it is memory only then. */
static int grow(struct redact_bits *bits, size_t wanted, struct sonde_err *err)
{
    enum { STEP = 4096 };
    if (sonde_array_grow(&bits->bytes, &bits->capacity, wanted, 1, SONDE_HEAP_STRINGS_MAX / 4) <
        0) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    size_t left = bits->capacity - bits->size;
    size_t step = wanted - bits->size;
    step = step + STEP < left ? step + STEP : left;
    memset(bits->bytes + bits->size, 0, step);
    bits->size += step;
    return 0;
}

static int set_bits(struct redact_bits *bits, size_t byte, unsigned set, struct sonde_err *err)
{
    int code = byte < bits->size ? 0 : grow(bits, byte + 1, err);
    if (code == 0) {
        bits->bytes[byte] |= (uint8_t)set;
    }
    return code;
}

int redact_mark(struct sonde_heap_redactor *r, uint64_t index, enum use use, struct sonde_err *err)
{
    if (index >= SONDE_HEAP_STRINGS_MAX) {
        return 0; /* redacted in any case */
    }
    if (use == USE_VALUE) {
        return set_bits(&r->values, index / 8, 1U << (index % 8), err);
    }
    return use >= USE_ENGINE && use <= USE_CODE
               ? set_bits(&r->uses, index / 4, (unsigned)use << (index % 4 * 2), err)
               : 0;
}

/* ---- one number ---- */

char *redact_number(char *out, uint64_t number)
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
    r->out_length = (size_t)(redact_number(r->out + r->out_length, number) - r->out);
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
/* Bytes that may be read from the beginning of a window on: a record begins within it, and is
 * copied with a window's width from its second field on. */
enum { READ_MAX = 2 * SONDE_WINDOW };

/* A record of a window: [begin, end), with the end of line and the comma behind it, and the end of
 * its second field. */
struct record {
    unsigned begin, index, index_end, end;
};

static inline uint64_t value_of(uint64_t digits)
{
    digits = (digits * 10 + (digits >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits * 100 + (digits >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (digits * 10000 + (digits >> 32)) & UINT64_C(0xffffffff);
}

/* The `count` < 8 digits at p, a digit a byte, at the end of the word. */
static inline uint64_t digits_at(const char *p, unsigned count)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return (word ^ EIGHT('0')) << (64 - 8 * count);
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

/* Sets the bits of the `number`-th of `per_byte` strings a byte. False when there is no room: the
 * slow way makes some. */
static inline bool set_there(struct redact_bits *bits, uint64_t number, unsigned per_byte,
                             unsigned set)
{
    size_t byte = number / per_byte;
    if (byte >= bits->size) {
        return false;
    }
    bits->bytes[byte] |= (uint8_t)(set << (number % per_byte * (8 / per_byte)));
    return true;
}

/* Writes the second field, of that use. False: not by records. */
static inline bool take_second(struct sonde_heap_redactor *r, const char *p, unsigned count,
                               enum use use, char **out)
{
    if (count >= 8) {
        return false;
    }
    if (use == USE_PLAIN) {
        memcpy(*out, p, 8);
        *out += count;
        return true;
    }
    uint64_t digits = digits_at(p, count);
    uint64_t number = value_of(digits);
    if (use == USE_VALUE) {
        *out = write_doubled(*out, digits, count, true);
        return set_there(&r->values, number, 8, 1);
    }
    if (use == USE_ELEMENT) {
        uint64_t element = element_index(&r->element, number);
        if (element == number) {
            memcpy(*out, p, 8);
            *out += count;
        } else {
            *out = redact_number(*out, element);
        }
        return true;
    }
    *out = write_doubled(*out, digits, count, false);
    return set_there(&r->uses, number, 4, use);
}

/* One record at p, which is well-formed: "3,1234,…,0\n,". Returns how it is written, or NULL. */
static inline char *take_record(struct sonde_heap_redactor *r, const char *p,
                                const struct record *record, char *out)
{
    bool node = r->section == NODES;
    const char *type_at = p + record->begin;
    unsigned type = (unsigned)(type_at[0] - '0');
    unsigned type_length = record->index - 1 - record->begin;
    if (type_length == 2) {
        type = type * 10 + (unsigned)(type_at[1] - '0');
    }
    if (type_length > 2 || type >= (node ? r->node_types : r->edge_types)) {
        return NULL;
    }
    enum use use = (enum use)(node ? r->node_use : r->edge_use)[type];
    r->element = !node && use == USE_ELEMENT ? r->element : 0;
    memcpy(out, type_at, 4);
    out += type_length + 1;
    if (!take_second(r, p + record->index, record->index_end - record->index, use, &out)) {
        return NULL;
    }
    memcpy(out, p + record->index_end, SONDE_WINDOW);
    return out + (record->end - record->index_end);
}

/* Where numbers and records end in a window, and where the first thing stands that is no record as
 * the engine writes it (or not in the window as a whole). */
struct window {
    uint64_t commas, ends;
    unsigned good; /* bytes */
};

static inline struct window look(const char *p)
{
    enum { LAST = SONDE_WINDOW - 1 };
    uint64_t digits = SONDE_WINDOW_WHERE(p, part, (part - '0') < 10);
    uint64_t commas = SONDE_WINDOW_WHERE(p, part, part == ',');
    uint64_t zeros = SONDE_WINDOW_WHERE(p, part, part == '0');
    uint64_t ends = ~(digits | commas);
    /* An empty field; anything but a comma behind the end of a line; a zero before other digits;
     * more than 15 digits. */
    uint64_t runs = digits & (digits >> 1);
    runs &= runs >> 2;
    runs &= runs >> 4;
    runs &= runs >> 8;
    uint64_t bad = (commas & (commas << 1)) | (ends & ((commas | ends) << 1)) |
                   (digits & (ends << 1)) | (zeros & ~(digits << 1) & (digits >> 1)) | runs |
                   UINT64_C(1) << LAST;
    return (struct window){commas, ends, sonde_window_first(bad)};
}

/* As many whole records of a window as there are; returns how many bytes they have. */
static unsigned take_records(struct sonde_heap_redactor *r, const char *p)
{
    struct window window = look(p);
    struct record record = {0};
    char *out = r->out + r->out_length;
    unsigned records = 0;
    while (window.ends) {
        unsigned line = sonde_window_first(window.ends);
        uint64_t commas =
            window.commas & sonde_window_below(line) & ~sonde_window_below(record.begin);
        record.end = line + 2;
        uint64_t rest = commas;
        for (unsigned i = 2; i < r->fields; i++) {
            rest &= rest - 1;
        }
        /* Exactly one comma is left: there are as many as fields, less one. */
        if (record.end > window.good || p[line] != '\n' || rest == 0 || (rest & (rest - 1))) {
            break;
        }
        record.index = sonde_window_first(commas) + 1;
        commas &= commas - 1;
        record.index_end = commas ? sonde_window_first(commas) : line;
        char *behind = take_record(r, p, &record, out);
        if (!behind) {
            break;
        }
        out = behind;
        record.begin = record.end;
        window.ends &= window.ends - 1;
        records++;
    }
    r->out_length = (size_t)(out - r->out);
    *(r->section == NODES ? &r->counts.nodes : &r->counts.edges) += records;
    return record.begin;
}

/* As many plain numbers of a window as there are, each with the comma behind it. */
static unsigned take_plain(struct sonde_heap_redactor *r, const char *p)
{
    struct window window = look(p);
    uint64_t good = sonde_window_below(window.good);
    uint64_t commas = window.commas & good;
    for (uint64_t ends = window.ends & good; ends; ends &= ends - 1) {
        unsigned line = sonde_window_first(ends);
        if (p[line] != '\n') {
            commas &= sonde_window_below(line);
            break;
        }
    }
    bool number_first = !((window.commas | window.ends) & 1);
    unsigned taken = commas && number_first ? sonde_window_behind(commas) : 0;
    memcpy(r->out + r->out_length, p, SONDE_WINDOW);
    r->out_length += taken;
    return taken;
}

/* As much as there is of what the engine writes, a window at a time. */
static int take_windows(struct sonde_heap_redactor *r, const char *data, size_t length, size_t *at,
                        struct sonde_err *err)
{
    bool records = r->section == NODES || r->section == EDGES;
    unsigned taken = 1;
    int code = 0;
    while (code == 0 && taken && length - *at >= READ_MAX) {
        code = redact_room(r, err);
        if (code == 0) {
            taken = records ? take_records(r, data + *at) : take_plain(r, data + *at);
            *at += taken;
            r->expects = taken ? EXPECT_NEXT : r->expects;
        }
    }
    return code;
}

int redact_numbers(struct sonde_heap_redactor *r, const char *data, size_t length, size_t *at,
                   struct sonde_err *err)
{
    int code = 0;
    while (*at < length && code == 0 && r->state == IN_SECTION) {
        bool fast = r->section == EDGES || (r->section == NODES && !r->options.numbers) ||
                    r->section == LOCATIONS || r->section == SAMPLES;
        bool at_record = fast && r->field == 0 && !r->in_number && r->expects != EXPECT_COMMA &&
                         length - *at >= READ_MAX;
        if (at_record) {
            code = take_windows(r, data, length, at, err);
        }
        /* The record that the fast way does not take, or what is left of the piece. */
        do {
            code = code < 0 ? code : take_byte(r, data[(*at)++], err);
        } while (*at < length && code == 0 && r->state == IN_SECTION &&
                 (r->field != 0 || r->in_number || r->expects == EXPECT_COMMA));
    }
    return code;
}
