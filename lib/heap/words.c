/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/words.h"

#include <stdlib.h>

#include "base/random.h"
#include "base/siphash.h"
#include "heap/engine_txt.h"
#include "heap/language_txt.h"

enum { CAPACITY_FIRST = 4096 };

void sonde_words_init(struct sonde_words *words, size_t maximum)
{
    *words = (struct sonde_words){.maximum = maximum};
    sonde_random_bytes(words->key, sizeof(words->key));
}

void sonde_words_fini(struct sonde_words *words)
{
    free(words->slots);
    explicit_bzero(words, sizeof(*words));
}

static uint64_t hash_of(const struct sonde_words *words, struct sonde_str text)
{
    struct sonde_siphash hash;
    sonde_siphash_init(&hash, words->key);
    sonde_siphash_add(&hash, text.data, text.length);
    uint64_t value = sonde_siphash_end(&hash);
    return value ? value : 1;
}

/* The slot of a hash: its own, or the free one where it would stand. */
static uint64_t *slot_of(uint64_t *slots, size_t capacity, uint64_t hash)
{
    size_t at = hash & (capacity - 1);
    while (slots[at] && slots[at] != hash) {
        at = (at + 1) & (capacity - 1);
    }
    return &slots[at];
}

static int grow(struct sonde_words *words, struct sonde_err *err)
{
    size_t capacity = words->capacity ? 2 * words->capacity : CAPACITY_FIRST;
    uint64_t *slots = calloc(capacity, sizeof(*slots));
    if (!slots) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    for (size_t i = 0; i < words->capacity; i++) {
        if (words->slots[i]) {
            *slot_of(slots, capacity, words->slots[i]) = words->slots[i];
        }
    }
    free(words->slots);
    words->slots = slots;
    words->capacity = capacity;
    return 0;
}

int sonde_words_add(struct sonde_words *words, struct sonde_str text, struct sonde_err *err)
{
    if (text.length == 0 || text.length > SONDE_WORD_MAX) {
        return 0;
    }
    uint64_t hash = hash_of(words, text);
    if (words->capacity && *slot_of(words->slots, words->capacity, hash)) {
        return 0;
    }
    if (words->count == words->maximum) {
        words->left_out++;
        return 0;
    }
    /* At most three quarters of the slots are taken. */
    if (4 * (words->count + 1) > 3 * words->capacity) {
        int r = grow(words, err);
        if (r < 0) {
            return r;
        }
    }
    *slot_of(words->slots, words->capacity, hash) = hash;
    words->count++;
    return 0;
}

bool sonde_words_has(const struct sonde_words *words, struct sonde_str text)
{
    return text.length > 0 && text.length <= SONDE_WORD_MAX && words->capacity &&
           *slot_of(words->slots, words->capacity, hash_of(words, text)) != 0;
}

static int add_lines(struct sonde_words *words, struct sonde_str text, struct sonde_err *err)
{
    int r = 0;
    while (text.length && r == 0) {
        r = sonde_words_add(words, sonde_str_split(&text, '\n'), err);
    }
    return r;
}

int sonde_words_add_builtins(struct sonde_words *words, struct sonde_err *err)
{
    int r = add_lines(words, sonde_str(engine_txt), err);
    return r < 0 ? r : add_lines(words, sonde_str(language_txt), err);
}
