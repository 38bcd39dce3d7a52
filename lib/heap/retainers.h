/* SPDX-License-Identifier: Apache-2.0 */
/* Why an object is alive: the shortest path to it; and the objects that retain most. Pure. */
#ifndef SONDE_HEAP_RETAINERS_H
#define SONDE_HEAP_RETAINERS_H

#include "base/buf.h"
#include "heap/dominators.h"

enum {
    SONDE_HEAP_PATH_NEAR = 32,          /* steps of a path that are shown at its end … */
    SONDE_HEAP_PATH_FAR = 8,            /* … and at its beginning; those between are left out */
    SONDE_HEAP_PATH_WALK_MAX = 1 << 20, /* steps that are walked up; of a longer path the beginning
                                           is left out */
    SONDE_HEAP_PATH_NAME_MAX = 80,      /* bytes of a name in a path */
    SONDE_HEAP_PATH_TEXT_MAX = 8192,    /* bytes; no path is longer */
    SONDE_HEAP_TOP_MAX = 16384,
};
/* Distances of what no global object reaches begin here, as in DevTools. */
static const uint32_t SONDE_HEAP_SYSTEM_DISTANCE = 100000000;

struct sonde_heap_paths {
    uint32_t *via; /* the edge over which each node is reached first; SONDE_HEAP_NONE: none */
};

/* Breadth first from the global objects, then from the root for the rest. Weak edges are not
 * followed; nor those of V8's own that would make wrong paths short: the descriptors of maps, the
 * map for functions of a native context, and from the table of a WeakMap. Needs 4 bytes a node for
 * the time being and leaves 4. SONDE_ENOMEM. */
int sonde_heap_find_paths(const struct sonde_heap *heap, struct sonde_heap_paths *ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_heap_paths_fini(struct sonde_heap_paths *paths);

/* The node that an edge belongs to. */
uint32_t sonde_heap_edge_from(const struct sonde_heap *heap, uint32_t edge);
/* Edges from a global object, which has 1; SONDE_HEAP_NONE: it cannot be reached. */
uint32_t sonde_heap_distance(const struct sonde_heap *heap, const struct sonde_heap_paths *paths,
                             uint32_t node);
/* "onRequest(){patients} → Map[17] → Session.user → User": the path to a node, from its root; {…}
 * is a variable of a closure. What V8 puts between two objects of the program is left out: the
 * element belongs to the Map, not to its table. Names are as they stand in the snapshot, but cut.
 */
void sonde_heap_path_text(const struct sonde_heap *heap, const struct sonde_heap_paths *paths,
                          uint32_t node, struct sonde_buf *buf);

struct sonde_heap_top {
    uint32_t node;
    uint32_t parent; /* row of its dominator; of the root its own */
    uint64_t retained;
};
/* The nodes that retain most, at most `maximum` (≤ SONDE_HEAP_TOP_MAX) rows: a tree, for a tree
 * map. The root is first, then the largest; with each row its dominator is there, too. Of nodes
 * that retain as much as the first that has no room, none is. `ret` has room for maximum, which is
 * not 0. SONDE_ENOMEM. */
int sonde_heap_find_top(const struct sonde_heap *heap, const struct sonde_heap_tree *tree,
                        size_t maximum, struct sonde_heap_top *ret, size_t *ret_count,
                        struct sonde_err *err) SONDE_MUST_CHECK;

#endif
