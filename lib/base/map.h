/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes → number, open addressing with linear probing, hashed with seeded SipHash-1-3
 * so that outside keys cannot make it slow (Aumasson and Bernstein, 2012). */
#ifndef SONDE_BASE_MAP_H
#define SONDE_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/str.h"

struct sonde_map_slot {
    struct sonde_str key; /* borrowed; data NULL: free slot */
    uint64_t value;
    uint64_t hash;
};

struct sonde_map {
    struct sonde_map_slot *slots;
    size_t capacity; /* slots: 0 or a power of two */
    size_t count;    /* keys */
    size_t maximum;  /* count never exceeds it */
};

#define SONDE_MAP(maximum_keys) ((struct sonde_map){.maximum = (maximum_keys)})

void sonde_map_fini(struct sonde_map *map);
/* The value's address, valid until the next insertion, or NULL. */
uint64_t *sonde_map_find(const struct sonde_map *map, struct sonde_str key);
/* Finds or inserts (with value 0). The key's bytes are borrowed and must outlive the
 * map; *ret_new says whether it was inserted, so that the caller can then replace
 * slot->key by a copy of its own with the same bytes. Returns 0, SONDE_ENOMEM or
 * SONDE_ELIMIT. An empty key is allowed. */
int sonde_map_insert(struct sonde_map *map, struct sonde_str key, struct sonde_map_slot **ret_slot,
                     bool *ret_new) SONDE_MUST_CHECK;

/* The same, a new key copied into the arena (NULL: it is not), out of the budget (NULL: none) with
 * what the map grows by. SONDE_ELIMIT also when the arena or the budget is full. A failure may
 * leave a slot that no key finds. */
int sonde_map_keep(struct sonde_map *map, struct sonde_str key, struct sonde_arena *arena,
                   struct sonde_budget *budget, struct sonde_map_slot **ret_slot,
                   bool *ret_new) SONDE_MUST_CHECK;

/* Bytes by which the next new key makes the map larger; mostly 0. */
size_t sonde_map_growth(const struct sonde_map *map);

/* SipHash-1-3 with this process's random seed. */
uint64_t sonde_hash(struct sonde_str bytes);

#endif
