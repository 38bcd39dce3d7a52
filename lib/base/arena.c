/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* Under AddressSanitizer every piece is a block of its own, so that it sees
 * overflows between neighbours (idea: h2o). */
#ifdef __SANITIZE_ADDRESS__
enum { BLOCK_SIZE = 0 };
#else
enum { BLOCK_SIZE = 16384 };
#endif

struct sonde_arena_block {
    struct sonde_arena_block *next;
    size_t used;
    size_t size;
    alignas(max_align_t) unsigned char data[];
};

void *sonde_arena_alloc(struct sonde_arena *arena, size_t size)
{
    if (size > arena->maximum - arena->used) {
        return NULL;
    }
    size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct sonde_arena_block *block = arena->blocks;
    if (!block || rounded > block->size - block->used) {
        size_t room = rounded > BLOCK_SIZE ? rounded : BLOCK_SIZE;
        block = calloc(1, sizeof(*block) + room);
        if (!block) {
            return NULL;
        }
        block->size = room;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *piece = block->data + block->used;
    block->used += rounded;
    arena->used += size;
    return piece;
}

struct sonde_str sonde_arena_copy(struct sonde_arena *arena, struct sonde_str text)
{
    char *copy = sonde_arena_alloc(arena, text.length + 1);
    if (!copy) {
        return (struct sonde_str){0};
    }
    if (text.length) {
        memcpy(copy, text.data, text.length);
    }
    return (struct sonde_str){copy, text.length};
}

void sonde_arena_fini(struct sonde_arena *arena)
{
    if (!arena) {
        return;
    }
    while (arena->blocks) {
        struct sonde_arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    arena->used = 0;
}
