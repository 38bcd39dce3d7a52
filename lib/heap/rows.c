/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "heap/reader.h"

static int too_many(const char *what, long long maximum, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ELIMIT, 0, "heap snapshot: more than %lld %s", maximum, what);
}

/* The bytes of the file that were read are what memory grows with, never what the file says about
 * itself: that is only where growing stops. */
static size_t larger(size_t capacity, size_t wanted, uint64_t announced, size_t maximum)
{
    size_t size = capacity < 1024 ? 1024 : capacity * 2;
    size = size > maximum ? maximum : size;
    if (announced >= wanted && announced < size) {
        size = (size_t)announced;
    }
    return size < wanted ? wanted : size;
}

static int resize(void *array, size_t size, struct sonde_err *err)
{
    void *old;
    memcpy(&old, array, sizeof(old));
    void *block = realloc(old, size);
    if (!block) {
        return sonde_heap_out_of_memory(err);
    }
    memcpy(array, &block, sizeof(block));
    return 0;
}

static int grow_nodes(struct sonde_heap_reader *r, size_t rows, struct sonde_err *err)
{
    struct sonde_heap *heap = r->heap;
    size_t wanted = heap->node_count + rows;
    if (wanted <= r->node_capacity) {
        return 0;
    }
    if (wanted > SONDE_HEAP_NODES_MAX) {
        return too_many("nodes", SONDE_HEAP_NODES_MAX, err);
    }
    size_t size = larger(r->node_capacity, wanted, r->announced_nodes, SONDE_HEAP_NODES_MAX);
    int code = sonde_heap_check_room(r, wanted, r->edges_due, err);
    code = code ? code : resize(&heap->types, size, err);
    code = code ? code : resize(&heap->name_of, size * sizeof(*heap->name_of), err);
    code = code ? code : resize(&heap->ids, size * sizeof(*heap->ids), err);
    code = code ? code : resize(&heap->sizes, size * sizeof(*heap->sizes), err);
    code = code ? code : resize(&heap->first_edges, (size + 1) * sizeof(*heap->first_edges), err);
    r->node_capacity = code ? r->node_capacity : size;
    return code;
}

static int set_size(struct sonde_heap *heap, uint32_t node, uint64_t size, struct sonde_err *err)
{
    if (size > SONDE_HEAP_SIZE_MAX - heap->total_size) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "heap snapshot: objects of more than %llu bytes",
                          (unsigned long long)SONDE_HEAP_SIZE_MAX);
    }
    heap->total_size += size;
    heap->sizes[node] = size < SONDE_HEAP_NONE ? (uint32_t)size : SONDE_HEAP_NONE;
    if (size < SONDE_HEAP_NONE) {
        return 0;
    }
    int code = sonde_array_grow(&heap->large, &heap->large_capacity, heap->large_count + 1,
                                sizeof(*heap->large), SONDE_HEAP_LARGE_MAX);
    if (code < 0) {
        return code == SONDE_ENOMEM ? sonde_heap_out_of_memory(err)
                                    : too_many("objects of 4 GiB", SONDE_HEAP_LARGE_MAX, err);
    }
    heap->large[heap->large_count++] = (struct sonde_heap_large){node, size};
    return 0;
}

static int bad_row(const char *what, uint64_t value, uint32_t row, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "heap snapshot: %s %llu, in row %u", what,
                      (unsigned long long)value, row);
}

/* Names of strings are their text: not kept. */
static bool has_name(enum sonde_heap_node_type type)
{
    return type != SONDE_HEAP_STRING && type != SONDE_HEAP_CONCATENATED &&
           type != SONDE_HEAP_SLICED && type != SONDE_HEAP_NUMBER && type != SONDE_HEAP_REGEXP &&
           type != SONDE_HEAP_SYMBOL && type != SONDE_HEAP_BIGINT;
}

static int see_string(struct sonde_heap_reader *r, uint64_t string, bool keep,
                      struct sonde_err *err)
{
    if (string >= SONDE_HEAP_STRINGS_MAX) {
        return too_many("strings", SONDE_HEAP_STRINGS_MAX, err);
    }
    if (string > r->highest_string) {
        r->highest_string = (uint32_t)string;
    }
    r->any_string = true;
    return keep ? sonde_heap_keep(r, string, err) : 0;
}

static int add_node(struct sonde_heap_reader *r, const uint64_t *row, struct sonde_err *err)
{
    struct sonde_heap *heap = r->heap;
    const struct sonde_heap_layout *at = &r->nodes;
    uint32_t node = heap->node_count;
    if (row[at->type] >= at->type_count) {
        return bad_row("a node of the unknown type", row[at->type], node, err);
    }
    if (row[at->id] > UINT32_MAX) {
        return bad_row("a node with the id", row[at->id], node, err);
    }
    uint8_t type = at->types[row[at->type]];
    uint64_t detached = at->detachedness < 0 ? 0 : row[at->detachedness];
    if (detached > SONDE_HEAP_DETACHED) {
        return bad_row("a node whose detachedness is", detached, node, err);
    }
    if (row[at->edge_count] > SONDE_HEAP_EDGES_MAX - r->edges_due) {
        return too_many("edges", SONDE_HEAP_EDGES_MAX, err);
    }
    int code = see_string(r, row[at->name], has_name((enum sonde_heap_node_type)type), err);
    code = code ? code : set_size(heap, node, row[at->size], err);
    heap->types[node] = (uint8_t)(type | detached << 4);
    heap->name_of[node] = (uint32_t)row[at->name];
    heap->ids[node] = (uint32_t)row[at->id];
    heap->first_edges[node] = (uint32_t)r->edges_due;
    r->edges_due += row[at->edge_count];
    heap->node_count++;
    return code;
}

static int grow_edges(struct sonde_heap_reader *r, size_t rows, struct sonde_err *err)
{
    struct sonde_heap *heap = r->heap;
    size_t wanted = heap->edge_count + rows;
    if (wanted > r->edges_due) {
        return sonde_fail(err, SONDE_EPARSE, 0,
                          "heap snapshot: more edges than the %llu that its nodes have",
                          (unsigned long long)r->edges_due);
    }
    if (wanted <= r->edge_capacity) {
        return 0;
    }
    size_t size = larger(r->edge_capacity, wanted, r->edges_due, SONDE_HEAP_EDGES_MAX);
    int code = resize(&heap->edges, size * sizeof(*heap->edges), err);
    r->edge_capacity = code ? r->edge_capacity : size;
    return code;
}

static int add_edge(struct sonde_heap_reader *r, const uint64_t *row, struct sonde_err *err)
{
    struct sonde_heap *heap = r->heap;
    const struct sonde_heap_layout *at = &r->edges;
    uint32_t edge = heap->edge_count;
    if (row[at->type] >= at->type_count) {
        return bad_row("an edge of the unknown type", row[at->type], edge, err);
    }
    uint64_t to = row[at->to];
    if (to > UINT32_MAX || (uint32_t)to % (uint32_t)r->nodes.fields != 0 ||
        (uint32_t)to / (uint32_t)r->nodes.fields >= heap->node_count) {
        return bad_row("an edge to what is no node", to, edge, err);
    }
    uint8_t type = at->types[row[at->type]];
    uint64_t name = row[at->name];
    int code = 0;
    if (!sonde_heap_edge_is_indexed((enum sonde_heap_edge_type)type)) {
        code = see_string(r, name, true, err);
    } else if (name > UINT32_MAX) {
        code = bad_row("an edge with the index", name, edge, err);
    }
    heap->edges[heap->edge_count++] = (struct sonde_heap_edge){
        .to = (uint32_t)to / (uint32_t)r->nodes.fields & ((1U << 28) - 1),
        .type = type & 15U,
        .name = (uint32_t)name,
    };
    return code;
}

typedef int (*add_row)(struct sonde_heap_reader *r, const uint64_t *row, struct sonde_err *err);
typedef int (*make_room)(struct sonde_heap_reader *r, size_t rows, struct sonde_err *err);

static int take(struct sonde_heap_reader *r, const char *data, size_t length, uint64_t offset,
                size_t *ret_taken, bool *ret_done, int fields, make_room room, add_row add,
                struct sonde_err *err)
{
    struct sonde_heap_numbers *n = &r->numbers;
    size_t width = (size_t)fields;
    int code = 0;
    for (*ret_taken = 0; *ret_taken < length && !*ret_done && code == 0;) {
        size_t taken;
        code = sonde_heap_numbers_read(n, data + *ret_taken, length - *ret_taken,
                                       offset + *ret_taken, &taken, ret_done, err);
        *ret_taken += taken;
        size_t rows = n->count / width;
        code = code ? code : room(r, rows, err);
        for (size_t i = 0; i < rows && code == 0; i++) {
            code = add(r, n->values + i * width, err);
        }
        n->count -= rows * width;
        memmove(n->values, n->values + rows * width, n->count * sizeof(*n->values));
    }
    if (code == 0 && *ret_done && n->count) {
        return sonde_fail(err, SONDE_EPARSE, 0,
                          "heap snapshot, byte %llu: %zu numbers too many for rows of %zu",
                          (unsigned long long)(offset + *ret_taken), n->count, width);
    }
    return code;
}

int sonde_heap_take_nodes(void *context, const char *data, size_t length, uint64_t offset,
                          size_t *ret_taken, bool *ret_done, struct sonde_err *err)
{
    struct sonde_heap_reader *r = context;
    return take(r, data, length, offset, ret_taken, ret_done, r->nodes.fields, grow_nodes, add_node,
                err);
}

int sonde_heap_take_edges(void *context, const char *data, size_t length, uint64_t offset,
                          size_t *ret_taken, bool *ret_done, struct sonde_err *err)
{
    struct sonde_heap_reader *r = context;
    return take(r, data, length, offset, ret_taken, ret_done, r->edges.fields, grow_edges, add_edge,
                err);
}
