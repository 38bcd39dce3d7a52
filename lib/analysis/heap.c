/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/heap.h"

#include <stdlib.h>

static const double GATHERS_SHARE = 0.01; /* of the heap, to be listed */
static const double MOSTLY_SHARE = 0.8;   /* what goes on in one child is gathered there */
static const double WRAPPER_SHARE = 0.8;  /* what V8 keeps an object in is named after the object */
enum {
    TEXTS_MAX = 4 << 20, /* bytes of paths */
    PATH_SHOWN = 1024,   /* bytes of one */
    WRAPPERS_MAX = 8,    /* that V8 keeps an object in, one in the other */
};

static int out_of_memory(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ENOMEM, 0, "heap snapshot: out of memory");
}

/* The path to a node, cut at its beginning, since its end tells more. */
static const char *path_of(struct sonde_heap_analysis *a, uint32_t node)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_HEAP_PATH_TEXT_MAX);
    sonde_heap_path_text(a->heap, &a->paths, node, &text);
    struct sonde_str view = sonde_buf_view(&text);
    if (text.code) {
        return NULL;
    }
    SONDE_BUF_AUTO whole = SONDE_BUF(SONDE_HEAP_PATH_TEXT_MAX);
    if (view.length > PATH_SHOWN) {
        size_t skip = view.length - PATH_SHOWN;
        while (skip < view.length && ((unsigned char)view.data[skip] & 0xc0) == 0x80) {
            skip++;
        }
        view = (struct sonde_str){view.data + skip, view.length - skip};
        sonde_buf_text(&whole, "…");
    }
    sonde_buf_str(&whole, view);
    return whole.code ? NULL : sonde_arena_copy(&a->texts, sonde_buf_view(&whole)).data;
}

/* ---- where memory gathers ---- */

static bool is_kept_in(const struct sonde_heap *heap, uint32_t node)
{
    enum sonde_heap_node_type type = sonde_heap_type(heap, node);
    return type == SONDE_HEAP_HIDDEN || type == SONDE_HEAP_ARRAY || type == SONDE_HEAP_CODE ||
           type == SONDE_HEAP_SHAPE ||
           sonde_str_starts(sonde_heap_node_name(heap, node), "system / ");
}

/* Roots and global objects, where paths begin, hold all there is: what gathers there says nothing.
 * Newer lines of Node.js have the global object below its context. */
static bool is_root(const struct sonde_heap_analysis *a, uint32_t node)
{
    uint32_t via = a->paths.via[node];
    if (sonde_heap_type(a->heap, node) == SONDE_HEAP_SYNTHETIC || via == SONDE_HEAP_NONE) {
        return true;
    }
    uint32_t above = sonde_heap_edge_from(a->heap, via);
    return a->paths.via[above] == SONDE_HEAP_NONE && is_kept_in(a->heap, above);
}

/* The object that a table, an array of elements or a context belongs to. */
static uint32_t owner_of(const struct sonde_heap_analysis *a, uint32_t node)
{
    uint32_t owner = node;
    for (int i = 0; i < WRAPPERS_MAX && is_kept_in(a->heap, owner); i++) {
        uint32_t above = a->tree.dominators[owner];
        double share = (double)a->tree.retained[node] / (double)a->tree.retained[above];
        if (share < WRAPPER_SHARE || is_root(a, above)) {
            return owner;
        }
        owner = above;
    }
    return owner;
}

static bool is_listed(const struct sonde_heap_analysis *a, uint32_t node)
{
    for (size_t i = 0; i < a->biggest_count; i++) {
        if (a->biggest[i].node == node) {
            return true;
        }
    }
    return false;
}

/* Of each row of the tree: the largest child among the rows. Rows come by size, so it is the first.
 */
static void find_largest_children(const struct sonde_heap_analysis *a, uint32_t *largest)
{
    for (size_t i = 1; i < a->top_count; i++) {
        uint32_t parent = a->top[i].parent;
        if (largest[parent] == 0) {
            largest[parent] = (uint32_t)i;
        }
    }
}

static int compare_gatherings(const void *a, const void *b)
{
    uint64_t left = ((const struct sonde_heap_gathering *)a)->retained;
    uint64_t right = ((const struct sonde_heap_gathering *)b)->retained;
    return (left < right) - (left > right);
}

static int find_gatherings(struct sonde_heap_analysis *a, struct sonde_err *err)
{
    SONDE_FREE uint32_t *largest = calloc(a->top_count + 1, sizeof(*largest));
    if (!largest) {
        return out_of_memory(err);
    }
    find_largest_children(a, largest);
    double least = GATHERS_SHARE * (double)a->heap->total_size;
    for (size_t i = 1; i < a->top_count && a->biggest_count < SONDE_HEAP_BIGGEST_MAX; i++) {
        const struct sonde_heap_top *row = &a->top[i];
        uint64_t in_child = largest[i] ? a->top[largest[i]].retained : 0;
        if ((double)row->retained < least || is_root(a, row->node) ||
            (double)in_child >= MOSTLY_SHARE * (double)row->retained) {
            continue;
        }
        uint32_t owner = owner_of(a, row->node);
        if (is_listed(a, owner)) {
            continue;
        }
        struct sonde_heap_gathering gathering = {
            .node = owner, .retained = a->tree.retained[owner], .path = path_of(a, owner)};
        if (!gathering.path) {
            return out_of_memory(err);
        }
        for (uint32_t node = 0; node < a->heap->node_count; node++) {
            gathering.children += a->tree.dominators[node] == row->node;
        }
        a->biggest[a->biggest_count++] = gathering;
    }
    qsort(a->biggest, a->biggest_count, sizeof(*a->biggest), compare_gatherings);
    return 0;
}

static void look_at_all(struct sonde_heap_analysis *a)
{
    const struct sonde_heap *heap = a->heap;
    a->largest = heap->root;
    for (uint32_t node = 0; node < heap->node_count; node++) {
        uint64_t size = sonde_heap_size(heap, node);
        if (size > sonde_heap_size(heap, a->largest)) {
            a->largest = node;
        }
        if (sonde_heap_detachedness(heap, node) == SONDE_HEAP_DETACHED &&
            !sonde_str_starts(sonde_heap_node_name(heap, node), "Node / ")) {
            a->detached_count++;
            a->detached_size += size;
        }
    }
}

static int analyze(struct sonde_heap *heap, struct sonde_heap_analysis *a, struct sonde_err *err)
{
    int code = sonde_heap_attribute_sizes(heap, err);
    code = code ? code : sonde_heap_dominate(heap, &a->tree, err);
    code = code ? code : sonde_heap_classify(heap, &a->tree, &a->classes, err);
    code = code ? code : sonde_heap_find_paths(heap, &a->paths, err);
    if (code < 0) {
        return code;
    }
    a->top = malloc(SONDE_HEAP_TREE_ROWS * sizeof(*a->top));
    if (!a->top) {
        return out_of_memory(err);
    }
    code = sonde_heap_find_top(heap, &a->tree, SONDE_HEAP_TREE_ROWS, a->top, &a->top_count, err);
    code = code ? code : find_gatherings(a, err);
    look_at_all(a);
    return code;
}

int sonde_heap_analyze(struct sonde_heap *heap, struct sonde_heap_analysis *ret,
                       struct sonde_err *err)
{
    *ret = (struct sonde_heap_analysis){.heap = heap, .texts = SONDE_ARENA(TEXTS_MAX)};
    int code = analyze(heap, ret, err);
    if (code < 0) {
        sonde_heap_analysis_fini(ret);
        return code;
    }
    sonde_heap_find(ret);
    return 0;
}

int sonde_heap_analysis_add_growth(struct sonde_heap_analysis *analysis,
                                   const struct sonde_heap_growth *growth, struct sonde_err *err)
{
    for (uint32_t i = 0; i < growth->suspect_count; i++) {
        uint32_t node = growth->rows[growth->suspects[i]].typical;
        analysis->suspect_paths[i] = node == SONDE_HEAP_NONE ? "" : path_of(analysis, node);
        if (!analysis->suspect_paths[i]) {
            return out_of_memory(err);
        }
    }
    analysis->growth = growth;
    analysis->finding_count = 0;
    sonde_heap_find(analysis);
    return 0;
}

void sonde_heap_analysis_fini(struct sonde_heap_analysis *analysis)
{
    if (analysis) {
        sonde_heap_tree_fini(&analysis->tree);
        sonde_heap_classes_fini(&analysis->classes);
        sonde_heap_paths_fini(&analysis->paths);
        free(SONDE_TAKE(analysis->top));
        sonde_arena_fini(&analysis->texts);
    }
}
