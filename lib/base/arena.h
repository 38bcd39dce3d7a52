/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one lifetime: many small pieces, freed at once, with a maximum. */
#ifndef SONDE_BASE_ARENA_H
#define SONDE_BASE_ARENA_H

#include <stddef.h>

#include "base/memory.h"
#include "base/str.h"

struct sonde_arena {
    struct sonde_arena_block *blocks; /* newest first */
    size_t used;                      /* bytes handed out */
    size_t maximum;
};

#define SONDE_ARENA(maximum_bytes) ((struct sonde_arena){.maximum = (maximum_bytes)})

/* Zeroed memory aligned for any type, or NULL: out of memory or above the maximum. */
void *sonde_arena_alloc(struct sonde_arena *arena, size_t size) SONDE_MUST_CHECK;
/* A NUL-terminated copy whose data is NULL on failure. */
struct sonde_str sonde_arena_copy(struct sonde_arena *arena,
                                  struct sonde_str text) SONDE_MUST_CHECK;
/* Frees all; the arena is empty and usable again. NULL allowed. */
void sonde_arena_fini(struct sonde_arena *arena);

#endif
