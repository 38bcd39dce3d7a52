/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/dominators.h"

#include <stdlib.h>
#include <string.h>

#include "heap/reader.h"

/* SEMI-NCA (L. Georgiadis, "Linear-Time Algorithms for Dominators and Related Problems", PhD
 * thesis, Princeton 2005, §2.2): semidominators as Lengauer and Tarjan find them (ACM TOPLAS 1,
 * 1979), then the nearest common ancestor of each with its parent. Of bench/README.md's three it
 * was the fastest. Vertices are known by their number in depth-first order; nothing recurs.
 *
 * Only edges to a vertex that was entered earlier, and left or not, are kept as predecessors: one
 * that leads forward bounds the semidominator by its own number. */
struct graph {
    const struct sonde_heap *heap;
    uint32_t count;     /* vertices numbered */
    uint32_t owned;     /* the last vertex that the global objects reach; 0: none */
    uint32_t *number;   /* of each node; SONDE_HEAP_NONE: not entered */
    uint32_t *vertex;   /* node of each number */
    uint32_t *parent;   /* in the depth-first tree; later the dominator */
    uint32_t *semi;     /* semidominator, or a bound of it */
    uint32_t *ancestor; /* compressed paths */
    uint32_t *label; /* the next edge of each vertex while numbering; then the least semidominator
                        on the path up to, but without, its ancestor */
    uint32_t *first; /* predecessors of each vertex: their count, then where they begin */
    uint32_t *predecessors;
};

static void graph_fini(struct graph *g)
{
    free(g->number);
    free(g->vertex);
    free(g->parent);
    free(g->semi);
    free(g->ancestor);
    free(g->label);
    free(g->first);
    free(g->predecessors);
}

static int graph_init(struct graph *g, const struct sonde_heap *heap, struct sonde_err *err)
{
    size_t count = heap->node_count;
    *g = (struct graph){.heap = heap};
    g->number = malloc(count * sizeof(uint32_t));
    g->vertex = malloc(count * sizeof(uint32_t));
    g->parent = malloc(count * sizeof(uint32_t));
    g->semi = malloc(count * sizeof(uint32_t));
    g->label = malloc(count * sizeof(uint32_t));
    g->first = calloc(count + 1, sizeof(uint32_t));
    if (!g->number || !g->vertex || !g->parent || !g->semi || !g->label || !g->first) {
        return sonde_heap_out_of_memory(err);
    }
    memset(g->number, 0xff, count * sizeof(uint32_t));
    return 0;
}

bool sonde_heap_is_user_root(const struct sonde_heap *heap, const struct sonde_heap_edge *edge)
{
    if (edge->type == SONDE_HEAP_EDGE_SHORTCUT) {
        return true;
    }
    return edge->type == SONDE_HEAP_EDGE_ELEMENT &&
           sonde_heap_type(heap, edge->to) == SONDE_HEAP_SYNTHETIC &&
           sonde_str_is(sonde_heap_node_name(heap, edge->to), "(Document DOM trees)");
}

bool sonde_heap_is_user_start(const struct sonde_heap *heap, const struct sonde_heap_edge *edge)
{
    return sonde_heap_type(heap, edge->to) != SONDE_HEAP_SYNTHETIC ||
           sonde_heap_is_user_root(heap, edge);
}

/* ---- numbering ---- */

static uint32_t enter(struct graph *g, uint32_t node, uint32_t parent)
{
    uint32_t v = g->count++;
    g->number[node] = v;
    g->vertex[v] = node;
    g->parent[v] = parent;
    g->semi[v] = parent;
    g->label[v] = g->heap->first_edges[node];
    return v;
}

/* An edge from v back to k that counts: not to the root, and not from outside into what the global
 * objects reach. */
static bool is_predecessor(const struct graph *g, uint32_t v, uint32_t k)
{
    return k < v && k != 0 && (v <= g->owned || k > g->owned);
}

/* Goes on with the edges of v. Returns the node to enter next, or SONDE_HEAP_NONE. */
static uint32_t next_node(struct graph *g, uint32_t v)
{
    const struct sonde_heap *heap = g->heap;
    uint32_t end = heap->first_edges[g->vertex[v] + 1];
    for (uint32_t i = g->label[v]; i < end; i++) {
        const struct sonde_heap_edge *edge = &heap->edges[i];
        if (!sonde_heap_edge_holds(edge)) {
            continue;
        }
        uint32_t k = g->number[edge->to];
        if (k == SONDE_HEAP_NONE) {
            g->label[v] = i + 1;
            return edge->to;
        }
        if (k > v) {
            g->semi[k] = g->semi[k] < v ? g->semi[k] : v;
        } else if (is_predecessor(g, v, k)) {
            g->first[k]++;
        }
    }
    return SONDE_HEAP_NONE;
}

/* Numbers all that can be reached from the node, which hangs below the root. */
static void visit(struct graph *g, uint32_t node)
{
    uint32_t start = enter(g, node, 0);
    uint32_t v = start;
    for (;;) {
        uint32_t next = next_node(g, v);
        if (next != SONDE_HEAP_NONE) {
            v = enter(g, next, v);
        } else if (v == start) {
            return;
        } else {
            v = g->parent[v];
        }
    }
}

static void visit_roots(struct graph *g, bool user)
{
    const struct sonde_heap *heap = g->heap;
    for (uint32_t i = heap->first_edges[heap->root]; i < heap->first_edges[heap->root + 1]; i++) {
        const struct sonde_heap_edge *edge = &heap->edges[i];
        if (edge->type == SONDE_HEAP_EDGE_WEAK || edge->type == SONDE_HEAP_EDGE_TABLE ||
            sonde_heap_is_user_root(heap, edge) != user) {
            continue;
        }
        uint32_t k = g->number[edge->to];
        if (k == SONDE_HEAP_NONE) {
            visit(g, edge->to);
        } else {
            g->semi[k] = 0;
        }
    }
}

/* What no edge holds that counts: each hangs below the root, first those that nothing at all holds,
 * then, of each circle, one. */
static int visit_orphans(struct graph *g, struct sonde_err *err)
{
    const struct sonde_heap *heap = g->heap;
    if (g->count == heap->node_count) {
        return 0;
    }
    SONDE_FREE uint8_t *held = calloc(heap->node_count, 1);
    if (!held) {
        return sonde_heap_out_of_memory(err);
    }
    for (uint32_t node = 0; node < heap->node_count; node++) {
        uint32_t from = heap->first_edges[node];
        uint32_t end = g->number[node] == SONDE_HEAP_NONE ? heap->first_edges[node + 1] : from;
        for (uint32_t i = from; i < end; i++) {
            const struct sonde_heap_edge *edge = &heap->edges[i];
            held[edge->to] |= sonde_heap_edge_holds(edge) && edge->to != node;
        }
    }
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t node = 0; node < heap->node_count; node++) {
            if (g->number[node] == SONDE_HEAP_NONE && (pass || !held[node])) {
                visit(g, node);
            }
        }
    }
    return 0;
}

static int number_all(struct graph *g, struct sonde_err *err)
{
    (void)enter(g, g->heap->root, 0);
    visit_roots(g, true);
    g->owned = g->count - 1;
    visit_roots(g, false);
    return visit_orphans(g, err);
}

static int list_predecessors(struct graph *g, struct sonde_err *err)
{
    const struct sonde_heap *heap = g->heap;
    uint32_t sum = 0;
    for (uint32_t v = 0; v < g->count; v++) {
        sum += g->first[v];
        g->first[v] = sum;
    }
    g->first[g->count] = sum;
    g->predecessors = malloc((sum + 1ULL) * sizeof(uint32_t));
    if (!g->predecessors) {
        return sonde_heap_out_of_memory(err);
    }
    for (uint32_t v = 1; v < g->count; v++) {
        uint32_t node = g->vertex[v];
        for (uint32_t i = heap->first_edges[node]; i < heap->first_edges[node + 1]; i++) {
            const struct sonde_heap_edge *edge = &heap->edges[i];
            uint32_t k = sonde_heap_edge_holds(edge) ? g->number[edge->to] : v;
            if (is_predecessor(g, v, k)) {
                g->predecessors[--g->first[k]] = v;
            }
        }
    }
    return 0;
}

/* ---- dominators ---- */

/* The least semidominator on the path from v up to the first vertex that is no greater than `last`;
 * the path is made short. It is walked up with its links turned round, so that no stack is needed
 * to come back. */
static uint32_t least_semi(struct graph *g, uint32_t v, uint32_t last)
{
    uint32_t *ancestor = g->ancestor;
    uint32_t *label = g->label;
    uint32_t below = SONDE_HEAP_NONE;
    uint32_t at = v;
    while (ancestor[at] > last) {
        uint32_t above = ancestor[at];
        ancestor[at] = below;
        below = at;
        at = above;
    }
    uint32_t top = ancestor[at];
    uint32_t least = label[at];
    while (below != SONDE_HEAP_NONE) {
        uint32_t next = ancestor[below];
        least = label[below] < least ? label[below] : least;
        label[below] = least;
        ancestor[below] = top;
        below = next;
    }
    return label[v];
}

static int find_dominators(struct graph *g, struct sonde_err *err)
{
    g->ancestor = malloc(g->count * sizeof(uint32_t));
    if (!g->ancestor) {
        return sonde_heap_out_of_memory(err);
    }
    memcpy(g->ancestor, g->parent, g->count * sizeof(uint32_t));
    for (uint32_t w = g->count - 1; w > 0; w--) {
        uint32_t semi = g->semi[w];
        for (uint32_t i = g->first[w]; i < g->first[w + 1]; i++) {
            uint32_t candidate = least_semi(g, g->predecessors[i], w);
            semi = candidate < semi ? candidate : semi;
        }
        g->semi[w] = semi;
        g->label[w] = semi;
    }
    for (uint32_t w = 1; w < g->count; w++) {
        uint32_t dominator = g->parent[w];
        while (dominator > g->semi[w]) {
            dominator = g->parent[dominator];
        }
        g->parent[w] = dominator;
    }
    return 0;
}

/* ---- retained sizes ---- */

static int make_tree(const struct graph *g, struct sonde_heap_tree *tree, struct sonde_err *err)
{
    const struct sonde_heap *heap = g->heap;
    tree->dominators = malloc(heap->node_count * sizeof(*tree->dominators));
    tree->retained = malloc(heap->node_count * sizeof(*tree->retained));
    if (!tree->dominators || !tree->retained) {
        sonde_heap_tree_fini(tree);
        return sonde_heap_out_of_memory(err);
    }
    for (uint32_t node = 0; node < heap->node_count; node++) {
        tree->retained[node] = sonde_heap_size(heap, node);
    }
    tree->dominators[heap->root] = heap->root;
    for (uint32_t v = g->count - 1; v > 0; v--) {
        uint32_t node = g->vertex[v];
        uint32_t dominator = g->vertex[g->parent[v]];
        tree->dominators[node] = dominator;
        tree->retained[dominator] += tree->retained[node];
    }
    return 0;
}

static void free_early(uint32_t **array)
{
    free(SONDE_TAKE(*array));
}

int sonde_heap_dominate(const struct sonde_heap *heap, struct sonde_heap_tree *ret,
                        struct sonde_err *err)
{
    struct graph g;
    *ret = (struct sonde_heap_tree){0};
    int code = graph_init(&g, heap, err);
    code = code ? code : number_all(&g, err);
    code = code ? code : list_predecessors(&g, err);
    free_early(&g.number);
    code = code ? code : find_dominators(&g, err);
    free_early(&g.predecessors);
    free_early(&g.first);
    free_early(&g.ancestor);
    free_early(&g.label);
    free_early(&g.semi);
    code = code ? code : make_tree(&g, ret, err);
    graph_fini(&g);
    return code;
}

void sonde_heap_tree_fini(struct sonde_heap_tree *tree)
{
    if (tree) {
        free(tree->dominators);
        free(tree->retained);
        *tree = (struct sonde_heap_tree){0};
    }
}
