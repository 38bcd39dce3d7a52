/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "base/siphash.h"

static uint64_t word_at(const char *data, size_t length)
{
    uint64_t word = 0;
    memcpy(&word, data, length);
    return word;
}

static uint64_t seed_key[2];

static void make_seed(void)
{
    sonde_random_bytes(seed_key, sizeof(seed_key));
}

static const uint64_t *seed(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_seed);
    return seed_key;
}

uint64_t sonde_hash(struct sonde_str bytes)
{
    const uint64_t *key = seed();
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575U, key[1] ^ 0x646f72616e646f6dU,
                     key[0] ^ 0x6c7967656e657261U, key[1] ^ 0x7465646279746573U};
    size_t whole = bytes.length & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word = word_at(bytes.data + i, 8);
        v[3] ^= word;
        sonde_siphash_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)bytes.length << 56;
    if (bytes.length > whole) {
        last |= word_at(bytes.data + whole, bytes.length - whole);
    }
    v[3] ^= last;
    sonde_siphash_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sonde_siphash_round(v);
    sonde_siphash_round(v);
    sonde_siphash_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void sonde_map_fini(struct sonde_map *map)
{
    if (map) {
        free(map->slots);
        *map = SONDE_MAP(map->maximum);
    }
}

/* The slot that holds the key, or the free one where it belongs. */
static struct sonde_map_slot *locate(const struct sonde_map *map, struct sonde_str key,
                                     uint64_t hash)
{
    size_t mask = map->capacity - 1;
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        struct sonde_map_slot *slot = &map->slots[i];
        if (!slot->key.data || (slot->hash == hash && sonde_str_equal(slot->key, key))) {
            return slot;
        }
    }
}

static bool is_full(const struct sonde_map *map)
{
    return (map->count + 1) * 4 > map->capacity * 3;
}

static size_t larger_capacity(const struct sonde_map *map)
{
    return map->capacity ? map->capacity * 2 : 16;
}

size_t sonde_map_growth(const struct sonde_map *map)
{
    return is_full(map) ? (larger_capacity(map) - map->capacity) * sizeof(*map->slots) : 0;
}

static int enlarge(struct sonde_map *map)
{
    struct sonde_map larger = {.capacity = larger_capacity(map)};
    larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
    if (!larger.slots) {
        return SONDE_ENOMEM;
    }
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].key.data) {
            *locate(&larger, map->slots[i].key, map->slots[i].hash) = map->slots[i];
        }
    }
    free(map->slots);
    map->slots = larger.slots;
    map->capacity = larger.capacity;
    return 0;
}

uint64_t *sonde_map_find(const struct sonde_map *map, struct sonde_str key)
{
    if (map->count == 0) {
        return NULL;
    }
    struct sonde_map_slot *slot = locate(map, key, sonde_hash(key));
    return slot->key.data ? &slot->value : NULL;
}

int sonde_map_insert(struct sonde_map *map, struct sonde_str key, struct sonde_map_slot **ret_slot,
                     bool *ret_new)
{
    if (!key.data) {
        key = SONDE_STR("");
    }
    uint64_t hash = sonde_hash(key);
    struct sonde_map_slot *slot = map->capacity ? locate(map, key, hash) : NULL;
    if (slot && slot->key.data) {
        *ret_slot = slot;
        *ret_new = false;
        return 0;
    }
    if (map->count >= map->maximum) {
        return SONDE_ELIMIT;
    }
    if (!slot || is_full(map)) {
        if (enlarge(map) < 0) {
            return SONDE_ENOMEM;
        }
        slot = locate(map, key, hash);
    }
    *slot = (struct sonde_map_slot){.key = key, .hash = hash};
    map->count++;
    *ret_slot = slot;
    *ret_new = true;
    return 0;
}

int sonde_map_keep(struct sonde_map *map, struct sonde_str key, struct sonde_arena *arena,
                   struct sonde_budget *budget, struct sonde_map_slot **ret_slot, bool *ret_new)
{
    size_t bytes = sonde_map_growth(map) + (arena ? key.length + alignof(max_align_t) : 0);
    if (budget && bytes > budget->maximum - budget->used && !sonde_map_find(map, key)) {
        return SONDE_ELIMIT;
    }
    int r = sonde_map_insert(map, key, ret_slot, ret_new);
    if (r < 0 || !*ret_new) {
        return r;
    }
    if (budget) {
        budget->used += bytes;
    }
    if (!arena) {
        return 0;
    }
    bool room = key.length < arena->maximum - arena->used;
    struct sonde_str copy = sonde_arena_copy(arena, key);
    (*ret_slot)->key = copy.data ? copy : SONDE_STR("");
    return copy.data ? 0 : room ? SONDE_ENOMEM : SONDE_ELIMIT;
}
