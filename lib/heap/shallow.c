/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "heap/dominators.h"
#include "heap/reader.h"

static const uint32_t UNSEEN = UINT32_MAX;
static const uint32_t SEVERAL = UINT32_MAX - 1;

struct owners {
    struct sonde_heap *heap;
    uint32_t *of;    /* the owner of each node, or one of those above */
    uint32_t *stack; /* nodes without an owner of their own, whose edges are to be looked at */
    size_t depth, capacity;
};

static bool owns_itself(const struct sonde_heap *heap, uint32_t node)
{
    enum sonde_heap_node_type type = sonde_heap_type(heap, node);
    return type != SONDE_HEAP_HIDDEN && type != SONDE_HEAP_ARRAY &&
           !(type == SONDE_HEAP_NATIVE &&
             sonde_str_is(sonde_heap_node_name(heap, node), "system / ExternalStringData"));
}

static int push(struct owners *o, uint32_t node)
{
    size_t maximum = 2 * (size_t)SONDE_HEAP_NODES_MAX; /* each changes twice at most */
    int code = sonde_array_grow(&o->stack, &o->capacity, o->depth + 1, sizeof(*o->stack), maximum);
    if (code == 0) {
        o->stack[o->depth++] = node;
    }
    return code;
}

/* Hands the owner of a node on to what its edges lead to. */
static int hand_on(struct owners *o, uint32_t node)
{
    const struct sonde_heap *heap = o->heap;
    uint32_t owner = o->of[node];
    int code = 0;
    for (uint32_t i = heap->first_edges[node]; i < heap->first_edges[node + 1] && code == 0; i++) {
        const struct sonde_heap_edge *edge = &heap->edges[i];
        uint32_t *of = &o->of[edge->to];
        if (edge->type == SONDE_HEAP_EDGE_WEAK || *of == edge->to || *of == owner ||
            *of == SEVERAL) {
            continue;
        }
        *of = *of == UNSEEN ? owner : SEVERAL;
        code = push(o, edge->to);
    }
    return code;
}

static int find_owners(struct owners *o)
{
    const struct sonde_heap *heap = o->heap;
    for (uint32_t node = 0; node < heap->node_count; node++) {
        o->of[node] = owns_itself(heap, node) ? node : UNSEEN;
    }
    int code = 0;
    for (uint32_t node = 0; node < heap->node_count && code == 0; node++) {
        if (o->of[node] != node) {
            continue;
        }
        code = hand_on(o, node);
        while (o->depth && code == 0) {
            code = hand_on(o, o->stack[--o->depth]);
        }
    }
    return code;
}

/* Adds to a size; one of 4 GiB and more stands in `large`, in the order of nodes. */
static int enlarge(struct sonde_heap *heap, uint32_t node, uint64_t more, struct sonde_err *err)
{
    uint64_t size = sonde_heap_size(heap, node) + more;
    bool was_large = heap->sizes[node] == SONDE_HEAP_NONE;
    if (size < SONDE_HEAP_NONE) {
        heap->sizes[node] = (uint32_t)size;
        return 0;
    }
    size_t at = 0;
    while (at < heap->large_count && heap->large[at].node < node) {
        at++;
    }
    bool listed = at < heap->large_count && heap->large[at].node == node;
    if (!listed && !was_large) {
        int code = sonde_array_grow(&heap->large, &heap->large_capacity, heap->large_count + 1,
                                    sizeof(*heap->large), SONDE_HEAP_LARGE_MAX);
        if (code < 0) {
            return code == SONDE_ENOMEM
                       ? sonde_heap_out_of_memory(err)
                       : sonde_fail(err, code, 0, "heap snapshot: more than %d objects of 4 GiB",
                                    SONDE_HEAP_LARGE_MAX);
        }
        memmove(heap->large + at + 1, heap->large + at,
                (heap->large_count - at) * sizeof(*heap->large));
        heap->large_count++;
    }
    heap->large[at] = (struct sonde_heap_large){node, size};
    heap->sizes[node] = SONDE_HEAP_NONE;
    return 0;
}

static int move_sizes(struct owners *o, struct sonde_err *err)
{
    struct sonde_heap *heap = o->heap;
    int code = 0;
    for (uint32_t node = 0; node < heap->node_count && code == 0; node++) {
        uint32_t owner = o->of[node];
        if (owner == UNSEEN || owner == SEVERAL || owner == node || owner == heap->root ||
            sonde_heap_type(heap, owner) == SONDE_HEAP_SYNTHETIC) {
            continue;
        }
        uint64_t size = sonde_heap_size(heap, node);
        heap->sizes[node] = 0;
        code = enlarge(heap, owner, size, err);
    }
    return code;
}

int sonde_heap_attribute_sizes(struct sonde_heap *heap, struct sonde_err *err)
{
    bool any_user_root = false;
    for (uint32_t i = heap->first_edges[heap->root]; i < heap->first_edges[heap->root + 1]; i++) {
        any_user_root = any_user_root || sonde_heap_is_user_start(heap, &heap->edges[i]);
    }
    if (!any_user_root) {
        return 0;
    }
    struct owners owners = {.heap = heap};
    owners.of = malloc(heap->node_count * sizeof(*owners.of));
    int code = owners.of ? find_owners(&owners) : SONDE_ENOMEM;
    free(owners.stack);
    code = code < 0 ? sonde_heap_out_of_memory(err) : move_sizes(&owners, err);
    free(owners.of);
    return code;
}
