/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "heap/reader.h"

/* The nodes that are strings, by their text's number in the file: V8 writes each text once. It cuts
 * texts at 1,024 characters, so strings only count as equal when their sizes are, too. */
struct tally {
    uint32_t size; /* of the first; 0: none */
    uint32_t count;
};

/* Keeps the list sorted, the most wasted first. */
static void offer(struct sonde_heap *heap, struct sonde_heap_duplicate candidate)
{
    struct sonde_heap_duplicate *list = heap->duplicates;
    size_t count = heap->duplicate_count;
    if (count == SONDE_HEAP_DUPLICATES_MAX && list[count - 1].wasted >= candidate.wasted) {
        return;
    }
    size_t at = count < SONDE_HEAP_DUPLICATES_MAX ? count : count - 1;
    while (at && list[at - 1].wasted < candidate.wasted) {
        list[at] = list[at - 1];
        at--;
    }
    list[at] = candidate;
    heap->duplicate_count += count < SONDE_HEAP_DUPLICATES_MAX;
}

static void count_strings(struct sonde_heap *heap, struct tally *tallies)
{
    for (uint32_t i = 0; i < heap->node_count; i++) {
        struct tally *tally = &tallies[heap->name_of[i]];
        uint32_t size = heap->sizes[i];
        if (sonde_heap_type(heap, i) == SONDE_HEAP_STRING && size && size != SONDE_HEAP_NONE) {
            tally->size = tally->size ? tally->size : size;
            tally->count += tally->size == size;
        }
    }
    for (uint32_t i = 0; i < heap->node_count; i++) {
        struct tally *tally = &tallies[heap->name_of[i]];
        if (sonde_heap_type(heap, i) == SONDE_HEAP_STRING && tally->count > 1 &&
            tally->size == heap->sizes[i]) {
            uint64_t wasted = (uint64_t)tally->size * (tally->count - 1);
            offer(heap, (struct sonde_heap_duplicate){i, tally->count, wasted});
            tally->count = 0;
        }
    }
}

int sonde_heap_find_duplicates(struct sonde_heap_reader *reader, struct sonde_err *err)
{
    struct sonde_heap *heap = reader->heap;
    /* Each string is named by a node or an edge; where that is not so, memory would grow with what
     * the file says and not with what it holds. So many take no more than dominators will. */
    if (reader->highest_string / 3 > heap->node_count + (uint64_t)heap->edge_count / 6) {
        return 0;
    }
    SONDE_FREE struct tally *tallies = calloc(reader->highest_string + 1ULL, sizeof(*tallies));
    if (!tallies) {
        return sonde_heap_out_of_memory(err);
    }
    count_strings(heap, tallies);
    int code = 0;
    for (size_t i = 0; i < heap->duplicate_count && code == 0; i++) {
        code = sonde_heap_keep(reader, heap->name_of[heap->duplicates[i].node], err);
    }
    return code;
}
