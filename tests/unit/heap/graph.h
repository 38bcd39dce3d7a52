/* SPDX-License-Identifier: Apache-2.0 */
/* A heap made by hand, written as V8 writes a snapshot, and read. */
#ifndef SONDE_TESTS_HEAP_GRAPH_H
#define SONDE_TESTS_HEAP_GRAPH_H

#include "base/buf.h"
#include "heap/snapshot.h"

enum { GRAPH_NODES = 512, GRAPH_EDGES = 4096, GRAPH_STRINGS = 1024 };

struct graph_node {
    enum sonde_heap_node_type type;
    uint32_t name, id;
    uint64_t size;
    enum sonde_heap_detachedness detachedness;
};

struct graph_edge {
    uint32_t from, to;
    enum sonde_heap_edge_type type;
    uint32_t name;
};

/* Zero it first. Strings are borrowed. */
struct graph {
    struct graph_node nodes[GRAPH_NODES];
    struct graph_edge edges[GRAPH_EDGES];
    const char *strings[GRAPH_STRINGS];
    uint32_t node_count, edge_count, string_count;
};

/* Each returns the number of what was added. The id is 2 × number + 1. */
uint32_t graph_node(struct graph *graph, enum sonde_heap_node_type type, const char *name,
                    uint64_t size);
uint32_t graph_edge(struct graph *graph, uint32_t from, enum sonde_heap_edge_type type,
                    const char *name, uint32_t to);
uint32_t graph_index(struct graph *graph, uint32_t from, enum sonde_heap_edge_type type,
                     uint32_t index, uint32_t to);
/* The root, "(GC roots)" below it, and a global object: nodes 0, 1 and 2. */
void graph_roots(struct graph *graph);
/* An empty graph with its roots. */
void graph_begin(struct graph *graph);

void graph_write(const struct graph *graph, struct sonde_buf *text);
/* Reads a text in pieces of `step` bytes. Returns what the reader did; the heap is to be freed in
 * any case. */
int graph_read_text(struct sonde_str text, size_t step, struct sonde_heap *heap,
                    struct sonde_err *err);
/* Writes and reads; must succeed. */
void graph_read(const struct graph *graph, struct sonde_heap *heap);

#endif
