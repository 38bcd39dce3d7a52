/* SPDX-License-Identifier: Apache-2.0 */
/* Who keeps what alive: the dominator tree of a heap, and what each object retains. Pure. */
#ifndef SONDE_HEAP_DOMINATORS_H
#define SONDE_HEAP_DOMINATORS_H

#include "heap/snapshot.h"

struct sonde_heap_tree {
    uint32_t *dominators; /* of each node; the root's is itself */
    uint64_t *retained;   /* bytes that would be free without it: its own and of all it dominates */
};

/* As DevTools has it: weak edges are not followed, nor shortcuts but those of the root, nor edges
 * from the table of a WeakMap to its values; what the global objects reach is not held by what lies
 * outside (a debugger). What nothing holds is the root's. Needs 24 bytes a node and up to 4 an edge
 * beside the heap, and leaves 12 a node. SONDE_ENOMEM. */
int sonde_heap_dominate(const struct sonde_heap *heap, struct sonde_heap_tree *ret,
                        struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_heap_tree_fini(struct sonde_heap_tree *tree);

/* Whether an edge, not of the root, keeps its target alive. */
static inline bool sonde_heap_edge_holds(const struct sonde_heap_edge *edge)
{
    return edge->type != SONDE_HEAP_EDGE_WEAK && edge->type != SONDE_HEAP_EDGE_SHORTCUT &&
           edge->type != SONDE_HEAP_EDGE_TABLE;
}

/* Whether an edge of the root leads to what belongs to the program: a global object, or the trees
 * of documents. */
bool sonde_heap_is_user_root(const struct sonde_heap *heap, const struct sonde_heap_edge *edge);
/* Whether distances are counted from the target of an edge of the root: the same, and all that is
 * no group of V8's own. */
bool sonde_heap_is_user_start(const struct sonde_heap *heap, const struct sonde_heap_edge *edge);

/* Gives the size of what V8 keeps an object in (the table of a Map, the elements of an Array) to
 * that object, where it is of one only, as DevTools shows it. Comes before the dominators. Needs 4
 * bytes a node for the time being. SONDE_ENOMEM, SONDE_ELIMIT. */
int sonde_heap_attribute_sizes(struct sonde_heap *heap, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
