/* SPDX-License-Identifier: Apache-2.0 */
/* A V8 heap snapshot (.heapsnapshot, as Node.js and Chrome write it), read as a stream into flat
 * arrays: 17 bytes for each node, 8 for each edge, and the names that classes and paths are made
 * of. Pure. */
#ifndef SONDE_HEAP_SNAPSHOT_H
#define SONDE_HEAP_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
    SONDE_HEAP_NODES_MAX = 100000000,
    SONDE_HEAP_EDGES_MAX = 400000000,
    SONDE_HEAP_STRINGS_MAX = 1 << 27,
    SONDE_HEAP_NAME_MAX = 256,      /* bytes of a name; the rest is cut off */
    SONDE_HEAP_NAMES_MAX = 1 << 30, /* bytes of all names kept */
    SONDE_HEAP_LARGE_MAX = 4096,    /* objects of 4 GiB and more */
    SONDE_HEAP_DUPLICATES_MAX = 32, /* strings that are there more than once, the costliest */
    SONDE_HEAP_FIELDS_MAX = 32,     /* numbers of a node or an edge in the file */
    SONDE_HEAP_TYPES_MAX = 64,      /* types that a file may name */
};
static const uint64_t SONDE_HEAP_BYTES_MAX = 1ULL << 36; /* of a file */
static const uint64_t SONDE_HEAP_SIZE_MAX = 1ULL << 52;  /* bytes of all objects */
static const uint32_t SONDE_HEAP_NONE = UINT32_MAX;

enum sonde_heap_node_type {
    SONDE_HEAP_HIDDEN,
    SONDE_HEAP_ARRAY,
    SONDE_HEAP_STRING,
    SONDE_HEAP_OBJECT,
    SONDE_HEAP_CODE,
    SONDE_HEAP_CLOSURE,
    SONDE_HEAP_REGEXP,
    SONDE_HEAP_NUMBER,
    SONDE_HEAP_NATIVE,
    SONDE_HEAP_SYNTHETIC,
    SONDE_HEAP_CONCATENATED,
    SONDE_HEAP_SLICED,
    SONDE_HEAP_SYMBOL,
    SONDE_HEAP_BIGINT,
    SONDE_HEAP_SHAPE,
    SONDE_HEAP_OTHER, /* of a newer V8 */
    SONDE_HEAP_NODE_TYPES,
};

enum sonde_heap_edge_type {
    SONDE_HEAP_EDGE_CONTEXT,
    SONDE_HEAP_EDGE_ELEMENT,
    SONDE_HEAP_EDGE_PROPERTY,
    SONDE_HEAP_EDGE_INTERNAL,
    SONDE_HEAP_EDGE_HIDDEN,
    SONDE_HEAP_EDGE_SHORTCUT,
    SONDE_HEAP_EDGE_WEAK,
    SONDE_HEAP_EDGE_OTHER,
    /* From the table of a WeakMap to a value, which the key holds as well: not followed, as
     * DevTools does not either. */
    SONDE_HEAP_EDGE_TABLE,
    SONDE_HEAP_EDGE_TYPES,
};

enum sonde_heap_detachedness { SONDE_HEAP_UNKNOWN, SONDE_HEAP_ATTACHED, SONDE_HEAP_DETACHED };

struct sonde_heap_edge {
    uint32_t to : 28; /* node */
    uint32_t type : 4;
    uint32_t name; /* of elements and hidden edges an index, else a string */
};

struct sonde_heap_large {
    uint32_t node;
    uint64_t size;
};

struct sonde_heap_duplicate {
    uint32_t node; /* one of them */
    uint32_t count;
    uint64_t wasted; /* bytes of all but one */
};

/* The names that are kept, found by the number that a string has in the file. */
struct sonde_heap_names {
    uint64_t *kept;  /* a bit for each string */
    uint32_t *ranks; /* kept strings before each word of it */
    size_t words;
    uint32_t *ends; /* of each kept string, in text */
    size_t count;
    char *text;
    size_t length, capacity;
};

struct sonde_heap {
    uint32_t node_count, edge_count, string_count;
    uint32_t root;
    uint8_t *types; /* of each node: enum sonde_heap_node_type, detachedness << 4 */
    uint32_t *name_of;
    uint32_t *ids;
    uint32_t *sizes;       /* shallow, bytes; SONDE_HEAP_NONE: see large */
    uint32_t *first_edges; /* node_count + 1 */
    struct sonde_heap_edge *edges;
    struct sonde_heap_large *large; /* by node */
    size_t large_count, large_capacity;
    struct sonde_heap_names names;
    struct sonde_heap_duplicate duplicates[SONDE_HEAP_DUPLICATES_MAX]; /* most wasted first */
    size_t duplicate_count;
    uint64_t extra_native_bytes; /* outside of the graph */
    uint64_t total_size;         /* of all nodes */
};

/* Bytes of memory that reading and analysing a snapshot take at most, beside its names: of this
 * layout, of the dominators and of what comes after them. `census`: it is compared with another
 * one, whose own census is not part of it. */
uint64_t sonde_heap_memory(uint64_t nodes, uint64_t edges, bool census);

struct sonde_heap_reader;

/* Reads into *heap, which must be zero and outlive the reader. SONDE_ENOMEM. */
int sonde_heap_reader_new(struct sonde_heap *heap, struct sonde_heap_reader **ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_heap_reader_free(struct sonde_heap_reader *reader);
/* Before the first piece: a snapshot whose reading and analysis would take more memory than `bytes`
 * is refused with SONDE_ELIMIT and the numbers, at its head when that tells the truth and else
 * while it is read. `census` as in sonde_heap_memory; the other one has so many classes. */
void sonde_heap_reader_bound(struct sonde_heap_reader *reader, uint64_t bytes, bool census,
                             uint32_t other_classes);
/* Takes the next piece of the file, in any split. SONDE_EPARSE with the byte's offset, SONDE_ELIMIT
 * or SONDE_ENOMEM; after a failure the reader can only be freed. The sections must come as V8
 * writes them: the description, nodes, edges, strings; others may stand between them. */
int sonde_heap_feed(struct sonde_heap_reader *reader, const char *data, size_t length,
                    struct sonde_err *err) SONDE_MUST_CHECK;
/* The end of the file. Afterwards the heap is whole, and no index in it is out of range. */
int sonde_heap_finish(struct sonde_heap_reader *reader, struct sonde_err *err) SONDE_MUST_CHECK;
/* Frees what the heap holds, also after a failure; NULL allowed. */
void sonde_heap_fini(struct sonde_heap *heap);

static inline enum sonde_heap_node_type sonde_heap_type(const struct sonde_heap *heap,
                                                        uint32_t node)
{
    return (enum sonde_heap_node_type)(heap->types[node] & 15);
}

static inline enum sonde_heap_detachedness sonde_heap_detachedness(const struct sonde_heap *heap,
                                                                   uint32_t node)
{
    return (enum sonde_heap_detachedness)(heap->types[node] >> 4);
}

/* Shallow size in bytes. */
uint64_t sonde_heap_large_size(const struct sonde_heap *heap, uint32_t node);
static inline uint64_t sonde_heap_size(const struct sonde_heap *heap, uint32_t node)
{
    uint32_t size = heap->sizes[node];
    return size == SONDE_HEAP_NONE ? sonde_heap_large_size(heap, node) : size;
}

/* A string by its number in the file, cut at SONDE_HEAP_NAME_MAX; empty when it is none that is
 * kept: names of nodes that are no strings, symbols, numbers or regular expressions; of edges; and
 * the duplicates. */
struct sonde_str sonde_heap_string(const struct sonde_heap *heap, uint32_t string);
static inline struct sonde_str sonde_heap_node_name(const struct sonde_heap *heap, uint32_t node)
{
    return sonde_heap_string(heap, heap->name_of[node]);
}
/* Whether the name of such an edge is an index. */
static inline bool sonde_heap_edge_is_indexed(enum sonde_heap_edge_type type)
{
    return type == SONDE_HEAP_EDGE_ELEMENT || type == SONDE_HEAP_EDGE_HIDDEN;
}

#endif
