/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/numbers.h"

#include <endian.h>
#include <string.h>

enum state {
    FIRST,  /* behind the opening bracket */
    NUMBER, /* behind a comma */
    DIGITS,
    ZERO,   /* a number that began with 0: no digit may follow */
    BEHIND, /* a number and white space */
};

enum { ROOM = 16 }; /* bytes that the fast loop may look at */

void sonde_heap_numbers_begin(struct sonde_heap_numbers *numbers)
{
    numbers->count = 0;
    numbers->state = FIRST;
}

static uint64_t load(const char *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    return le64toh(word);
}

/* Eight digits, the first in the lowest byte, as a number: pairs, then fours, then all, in parallel
 * within one word. */
static uint64_t digits_to_number(uint64_t digits)
{
    digits = digits * 10 + (digits >> 8);
    const uint64_t mask = 0x000000ff000000ff;
    return (((digits & mask) * 0x000f424000000064) +
            (((digits >> 16) & mask) * 0x0000271000000001)) >>
           32;
}

/* Whole numbers of at most seven digits, each with the comma behind it, without a branch for each
 * digit. Stops before what is anything else, for the slow loop. Returns where. */
static const char *read_fast(struct sonde_heap_numbers *n, const char *at, const char *end)
{
    uint64_t *values = n->values;
    size_t count = n->count;
    while (end - at >= ROOM && count < SONDE_HEAP_BATCH) {
        /* A byte that is no digit has its high bit set in `others`; carries only disturb those
         * behind the first. */
        uint64_t digits = load(at) ^ 0x3030303030303030;
        uint64_t others = (digits | (digits + 0x7676767676767676)) & 0x8080808080808080;
        if (others == 0) {
            break;
        }
        unsigned length = (unsigned)__builtin_ctzll(others) / 8;
        if (length == 0 || (length > 1 && (digits & 0xff) == 0)) {
            break;
        }
        const char *behind = at + length;
        behind += *behind == '\n';
        if (*behind != ',') {
            break;
        }
        values[count++] = digits_to_number(digits << (64 - 8 * length));
        at = behind + 1;
    }
    n->count = count;
    return at;
}

static int malformed(uint64_t offset, const char *what, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "heap snapshot, byte %llu: %s",
                      (unsigned long long)offset, what);
}

static int behind_number(struct sonde_heap_numbers *n, char c, uint64_t offset, bool *ret_done,
                         struct sonde_err *err)
{
    bool space = c == '\n' || c == ' ' || c == '\r' || c == '\t';
    if (!space && c != ',' && c != ']') {
        return malformed(offset, "neither a number, a comma nor the end of the array", err);
    }
    if (n->state == DIGITS || n->state == ZERO) {
        n->values[n->count++] = n->value;
    }
    n->state = space ? BEHIND : NUMBER;
    *ret_done = c == ']';
    return 0;
}

static int read_byte(struct sonde_heap_numbers *n, char c, uint64_t offset, bool *ret_done,
                     struct sonde_err *err)
{
    bool digit = c >= '0' && c <= '9';
    if (n->state == DIGITS && digit) {
        if (__builtin_mul_overflow(n->value, 10, &n->value) ||
            __builtin_add_overflow(n->value, (uint64_t)(c - '0'), &n->value)) {
            return sonde_fail(err, SONDE_ELIMIT, 0,
                              "heap snapshot, byte %llu: a number beyond 64 bits",
                              (unsigned long long)offset);
        }
        return 0;
    }
    if (n->state != FIRST && n->state != NUMBER) {
        return behind_number(n, c, offset, ret_done, err);
    }
    if (digit) {
        n->state = c == '0' ? ZERO : DIGITS;
        n->value = (uint64_t)(c - '0');
        return 0;
    }
    if (n->state == FIRST && c == ']') {
        *ret_done = true;
        return 0;
    }
    if (c == '\n' || c == ' ' || c == '\r' || c == '\t') {
        return 0;
    }
    return malformed(offset, "no number where one must stand", err);
}

int sonde_heap_numbers_read(struct sonde_heap_numbers *numbers, const char *data, size_t length,
                            uint64_t offset, size_t *ret_taken, bool *ret_done,
                            struct sonde_err *err)
{
    const char *at = data;
    const char *end = data + length;
    int r = 0;
    bool done = false;
    while (at < end && numbers->count < SONDE_HEAP_BATCH && !done && r == 0) {
        if (numbers->state == FIRST || numbers->state == NUMBER) {
            const char *before = at;
            at = read_fast(numbers, at, end);
            if (at != before) {
                numbers->state = NUMBER;
                continue;
            }
        }
        r = read_byte(numbers, *at, offset + (uint64_t)(at - data), &done, err);
        at++;
    }
    *ret_taken = (size_t)(at - data);
    *ret_done = done;
    return r;
}
