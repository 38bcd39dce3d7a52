/* SPDX-License-Identifier: Apache-2.0 */
/* An array of whole numbers in JSON, read fast: a gigabyte holds 200 million of them. */
#ifndef SONDE_HEAP_NUMBERS_H
#define SONDE_HEAP_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { SONDE_HEAP_BATCH = 4096 };

struct sonde_heap_numbers {
    uint64_t values[SONDE_HEAP_BATCH]; /* that were read */
    size_t count;
    uint64_t value; /* that is being read */
    uint8_t state;
};

/* Before the first byte behind the opening bracket. */
void sonde_heap_numbers_begin(struct sonde_heap_numbers *numbers);

/* Appends to values until there is no room for another, the piece is read, or the array ends.
 * data[0] is the byte `offset` of the file. SONDE_EPARSE for anything but digits, commas, white
 * space and the closing bracket; SONDE_ELIMIT for a number beyond 64 bits. */
int sonde_heap_numbers_read(struct sonde_heap_numbers *numbers, const char *data, size_t length,
                            uint64_t offset, size_t *ret_taken, bool *ret_done,
                            struct sonde_err *err) SONDE_MUST_CHECK;

#endif
