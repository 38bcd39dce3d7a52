/* SPDX-License-Identifier: Apache-2.0 */
/* The words that may be read in what leaves a target: an exact set, kept as 64-bit hashes under a
 * random key, so that it takes 8 bytes a word and can tell nobody which they are. */
#ifndef SONDE_HEAP_WORDS_H
#define SONDE_HEAP_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
    SONDE_WORDS_MAX = 300000, /* more are left out: what is not known is not shown */
    SONDE_WORD_MAX = 256,     /* bytes of one */
};

struct sonde_words {
    uint64_t key[2];
    uint64_t *slots; /* hashes; 0: free */
    size_t capacity; /* slots: 0 or a power of two */
    size_t count;
    size_t maximum;
    uint64_t left_out; /* words for which there was no room */
};

void sonde_words_init(struct sonde_words *words, size_t maximum);
void sonde_words_fini(struct sonde_words *words);
/* SONDE_ENOMEM alone: beyond the maximum, and beyond SONDE_WORD_MAX bytes, a word is left out. */
int sonde_words_add(struct sonde_words *words, struct sonde_str text,
                    struct sonde_err *err) SONDE_MUST_CHECK;
bool sonde_words_has(const struct sonde_words *words, struct sonde_str text);
/* Adds the engine's and the language's own names, which are the same in every program. */
int sonde_words_add_builtins(struct sonde_words *words, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
