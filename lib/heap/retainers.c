/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/retainers.h"

#include <stdlib.h>
#include <string.h>

#include "heap/classes.h"
#include "heap/reader.h"

/* ---- breadth first ---- */

static const uint32_t START = UINT32_MAX - 1; /* in via, while searching: a node to begin with */

struct search {
    const struct sonde_heap *heap;
    uint32_t *via;
    uint32_t *queue;
    uint32_t head, tail;
};

static void begin_at(struct search *s, uint32_t node)
{
    if (s->via[node] == SONDE_HEAP_NONE) {
        s->via[node] = START;
        s->queue[s->tail++] = node;
    }
}

/* The number that an edge's name is, or −1. */
static int64_t edge_index(const struct sonde_heap *heap, const struct sonde_heap_edge *edge)
{
    if (sonde_heap_edge_is_indexed((enum sonde_heap_edge_type)edge->type)) {
        return edge->name;
    }
    uint64_t index;
    struct sonde_str name = sonde_heap_string(heap, edge->name);
    return sonde_parse_u64(name, 0, UINT32_MAX, &index) == 0 ? (int64_t)index : -1;
}

/* Edges that DevTools does not count as a way either: several maps share their descriptors, so
 * those lead to what an object has nothing to do with. */
static bool is_detour(const struct sonde_heap *heap, uint32_t node,
                      const struct sonde_heap_edge *edge)
{
    enum sonde_heap_node_type type = sonde_heap_type(heap, node);
    if (type == SONDE_HEAP_ARRAY) {
        int64_t index = edge_index(heap, edge);
        return index >= 2 && index % 3 == 1;
    }
    return !sonde_heap_edge_is_indexed((enum sonde_heap_edge_type)edge->type) &&
           sonde_str_is(sonde_heap_string(heap, edge->name), "sloppy_function_map");
}

static bool has_detours(const struct sonde_heap *heap, uint32_t node)
{
    enum sonde_heap_node_type type = sonde_heap_type(heap, node);
    return (type == SONDE_HEAP_ARRAY &&
            sonde_str_is(sonde_heap_node_name(heap, node), "(map descriptors)")) ||
           (type == SONDE_HEAP_HIDDEN &&
            sonde_str_is(sonde_heap_node_name(heap, node), "system / NativeContext"));
}

static void go_on(struct search *s)
{
    const struct sonde_heap *heap = s->heap;
    while (s->head < s->tail) {
        uint32_t node = s->queue[s->head++];
        bool detours = has_detours(heap, node);
        for (uint32_t i = heap->first_edges[node]; i < heap->first_edges[node + 1]; i++) {
            const struct sonde_heap_edge *edge = &heap->edges[i];
            bool way = edge->type != SONDE_HEAP_EDGE_WEAK && edge->type != SONDE_HEAP_EDGE_TABLE;
            if (way && s->via[edge->to] == SONDE_HEAP_NONE &&
                !(detours && is_detour(heap, node, edge))) {
                s->via[edge->to] = i;
                s->queue[s->tail++] = edge->to;
            }
        }
    }
}

int sonde_heap_find_paths(const struct sonde_heap *heap, struct sonde_heap_paths *ret,
                          struct sonde_err *err)
{
    SONDE_FREE uint32_t *via = malloc(heap->node_count * sizeof(*via));
    SONDE_FREE uint32_t *queue = malloc(heap->node_count * sizeof(*queue));
    if (!via || !queue) {
        return sonde_heap_out_of_memory(err);
    }
    memset(via, 0xff, heap->node_count * sizeof(*via));
    struct search search = {.heap = heap, .via = via, .queue = queue};
    uint32_t from = heap->first_edges[heap->root];
    uint32_t to = heap->first_edges[heap->root + 1];
    for (uint32_t i = from; i < to; i++) {
        const struct sonde_heap_edge *edge = &heap->edges[i];
        if (sonde_heap_is_user_start(heap, edge)) {
            begin_at(&search, edge->to);
        }
    }
    go_on(&search);
    begin_at(&search, heap->root);
    go_on(&search);
    for (uint32_t node = 0; node < heap->node_count; node++) {
        via[node] = via[node] == START ? SONDE_HEAP_NONE : via[node];
    }
    ret->via = SONDE_TAKE(via);
    return 0;
}

void sonde_heap_paths_fini(struct sonde_heap_paths *paths)
{
    if (paths) {
        free(SONDE_TAKE(paths->via));
    }
}

uint32_t sonde_heap_edge_from(const struct sonde_heap *heap, uint32_t edge)
{
    uint32_t from = 0;
    uint32_t to = heap->node_count;
    while (to - from > 1) {
        uint32_t middle = from + (to - from) / 2;
        if (heap->first_edges[middle] <= edge) {
            from = middle;
        } else {
            to = middle;
        }
    }
    return from;
}

static bool is_user_start(const struct sonde_heap *heap, uint32_t node)
{
    for (uint32_t i = heap->first_edges[heap->root]; i < heap->first_edges[heap->root + 1]; i++) {
        if (heap->edges[i].to == node && sonde_heap_is_user_start(heap, &heap->edges[i])) {
            return true;
        }
    }
    return false;
}

uint32_t sonde_heap_distance(const struct sonde_heap *heap, const struct sonde_heap_paths *paths,
                             uint32_t node)
{
    uint32_t steps = 0;
    for (; paths->via[node] != SONDE_HEAP_NONE; steps++) {
        node = sonde_heap_edge_from(heap, paths->via[node]);
    }
    if (is_user_start(heap, node)) {
        return steps + 1;
    }
    return node == heap->root ? SONDE_HEAP_SYSTEM_DISTANCE + steps : SONDE_HEAP_NONE;
}

/* ---- as text ---- */

struct step {
    uint32_t node;
    uint32_t via; /* the edge that leads to it */
};

struct path {
    struct step near[SONDE_HEAP_PATH_NEAR]; /* from the node upwards */
    struct step far[SONDE_HEAP_PATH_FAR];   /* the last ones, each at its number % FAR */
    size_t count;
};

static void collect(const struct sonde_heap *heap, const struct sonde_heap_paths *paths,
                    uint32_t node, struct path *path)
{
    path->count = 0;
    for (;;) {
        struct step step = {node, paths->via[node]};
        size_t at = path->count++;
        if (at < SONDE_HEAP_PATH_NEAR) {
            path->near[at] = step;
        } else {
            path->far[at % SONDE_HEAP_PATH_FAR] = step;
        }
        if (step.via == SONDE_HEAP_NONE || path->count == SONDE_HEAP_PATH_WALK_MAX) {
            return;
        }
        node = sonde_heap_edge_from(heap, step.via);
    }
}

static struct sonde_str shorten(struct sonde_str name)
{
    if (name.length <= SONDE_HEAP_PATH_NAME_MAX) {
        return name;
    }
    size_t length = SONDE_HEAP_PATH_NAME_MAX;
    while (length && ((unsigned char)name.data[length] & 0xc0) == 0x80) {
        length--;
    }
    return (struct sonde_str){name.data, length};
}

/* Whether a node is something that a person wrote, and not what V8 keeps it in. */
static bool is_shown(const struct sonde_heap *heap, uint32_t node)
{
    switch (sonde_heap_type(heap, node)) {
    case SONDE_HEAP_HIDDEN:
    case SONDE_HEAP_ARRAY:
    case SONDE_HEAP_CODE:
    case SONDE_HEAP_SHAPE:
    case SONDE_HEAP_OTHER:
        return false;
    default:
        return !sonde_str_starts(sonde_heap_node_name(heap, node), "system / ");
    }
}

static void put_node(const struct sonde_heap *heap, uint32_t node, struct sonde_buf *buf)
{
    enum sonde_heap_node_type type = sonde_heap_type(heap, node);
    struct sonde_str name = sonde_heap_node_name(heap, node);
    if (type == SONDE_HEAP_CLOSURE) {
        sonde_buf_str(buf, name.length ? shorten(name) : SONDE_STR("(anonymous)"));
        sonde_buf_text(buf, "()");
    } else if (name.length) {
        sonde_buf_str(buf, shorten(name));
    } else {
        sonde_buf_str(buf, node == heap->root ? SONDE_STR("(root)")
                                              : shorten(sonde_heap_class_name(heap, node)));
    }
}

static bool is_identifier(struct sonde_str name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
                      (unsigned char)c >= 0x80;
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return name.length > 0;
}

static void put_edge(const struct sonde_heap *heap, const struct sonde_heap_edge *edge,
                     struct sonde_buf *buf)
{
    if (edge->type == SONDE_HEAP_EDGE_ELEMENT) {
        sonde_buf_printf(buf, "[%u]", edge->name);
        return;
    }
    if (edge->type == SONDE_HEAP_EDGE_INTERNAL && edge_index(heap, edge) >= 0) {
        sonde_buf_printf(buf, "[%lld]", (long long)edge_index(heap, edge));
        return;
    }
    struct sonde_str name = edge->type == SONDE_HEAP_EDGE_HIDDEN
                                ? SONDE_STR("")
                                : shorten(sonde_heap_string(heap, edge->name));
    if (edge->type == SONDE_HEAP_EDGE_CONTEXT) {
        sonde_buf_printf(buf, "{%.*s}", SONDE_STR_ARG(name));
    } else if (edge->type == SONDE_HEAP_EDGE_PROPERTY && is_identifier(name)) {
        sonde_buf_printf(buf, ".%.*s", SONDE_STR_ARG(name));
    } else if (edge->type == SONDE_HEAP_EDGE_PROPERTY) {
        sonde_buf_printf(buf, "[\"%.*s\"]", SONDE_STR_ARG(name));
    }
}

void sonde_heap_path_text(const struct sonde_heap *heap, const struct sonde_heap_paths *paths,
                          uint32_t node, struct sonde_buf *buf)
{
    struct path path;
    collect(heap, paths, node, &path);
    bool begun = path.count == SONDE_HEAP_PATH_WALK_MAX;
    sonde_buf_text(buf, begun ? "…" : "");
    for (size_t i = path.count; i-- > 0;) {
        bool is_near = i < SONDE_HEAP_PATH_NEAR;
        if (!is_near && i + SONDE_HEAP_PATH_FAR < path.count) {
            sonde_buf_text(buf, " → …");
            i = SONDE_HEAP_PATH_NEAR;
            continue;
        }
        const struct step *step = is_near ? &path.near[i] : &path.far[i % SONDE_HEAP_PATH_FAR];
        bool group = sonde_heap_type(heap, step->node) == SONDE_HEAP_SYNTHETIC;
        if (i == 0 || (step->node != heap->root && is_shown(heap, step->node))) {
            sonde_buf_text(buf, begun ? " → " : "");
            put_node(heap, step->node, buf);
            begun = true;
        }
        bool left_out = i > SONDE_HEAP_PATH_NEAR && i - 1 + SONDE_HEAP_PATH_FAR < path.count;
        if (i > 0 && begun && !left_out && !group) {
            const struct step *next = i <= SONDE_HEAP_PATH_NEAR
                                          ? &path.near[i - 1]
                                          : &path.far[(i - 1) % SONDE_HEAP_PATH_FAR];
            put_edge(heap, &heap->edges[next->via], buf);
        }
    }
}

/* ---- what retains most ---- */

/* A heap in an array, the smallest first. */
static void sift_down(struct sonde_heap_top *rows, size_t count, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) {
            return;
        }
        child += child + 1 < count && rows[child + 1].retained < rows[child].retained;
        if (rows[at].retained <= rows[child].retained) {
            return;
        }
        struct sonde_heap_top row = rows[at];
        rows[at] = rows[child];
        rows[child] = row;
        at = child;
    }
}

static void sift_up(struct sonde_heap_top *rows, size_t at)
{
    while (at && rows[(at - 1) / 2].retained > rows[at].retained) {
        struct sonde_heap_top row = rows[at];
        rows[at] = rows[(at - 1) / 2];
        rows[(at - 1) / 2] = row;
        at = (at - 1) / 2;
    }
}

static int compare_rows(const void *a, const void *b, void *context)
{
    const struct sonde_heap_top *left = a;
    const struct sonde_heap_top *right = b;
    uint32_t root = *(const uint32_t *)context;
    if ((left->node == root) != (right->node == root)) {
        return left->node == root ? -1 : 1;
    }
    if (left->retained != right->retained) {
        return left->retained < right->retained ? 1 : -1;
    }
    return (left->node > right->node) - (left->node < right->node);
}

struct position {
    uint32_t node, row;
};

static int compare_positions(const void *a, const void *b)
{
    uint32_t left = ((const struct position *)a)->node;
    uint32_t right = ((const struct position *)b)->node;
    return (left > right) - (left < right);
}

static int set_parents(const struct sonde_heap_tree *tree, struct sonde_heap_top *rows,
                       size_t count, struct sonde_err *err)
{
    SONDE_FREE struct position *positions = malloc(count * sizeof(*positions));
    if (!positions) {
        return sonde_heap_out_of_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        positions[i] = (struct position){rows[i].node, (uint32_t)i};
    }
    qsort(positions, count, sizeof(*positions), compare_positions);
    for (size_t i = 0; i < count; i++) {
        struct position key = {tree->dominators[rows[i].node], 0};
        const struct position *found =
            bsearch(&key, positions, count, sizeof(key), compare_positions);
        rows[i].parent = found ? found->row : 0;
    }
    return 0;
}

int sonde_heap_find_top(const struct sonde_heap *heap, const struct sonde_heap_tree *tree,
                        size_t maximum, struct sonde_heap_top *ret, size_t *ret_count,
                        struct sonde_err *err)
{
    size_t count = 0;
    bool dropped = false;
    uint64_t threshold = 0; /* what none that was dropped exceeds */
    for (uint32_t node = 0; node < heap->node_count; node++) {
        uint64_t retained = tree->retained[node];
        if (node == heap->root) {
            continue;
        }
        if (count + 1 < maximum) {
            ret[count] = (struct sonde_heap_top){.node = node, .retained = retained};
            sift_up(ret, count++);
            continue;
        }
        uint64_t least = count && ret[0].retained < retained ? ret[0].retained : retained;
        threshold = dropped && threshold > least ? threshold : least;
        dropped = true;
        if (count && ret[0].retained < retained) {
            ret[0] = (struct sonde_heap_top){.node = node, .retained = retained};
            sift_down(ret, count, 0);
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!dropped || ret[i].retained > threshold) {
            ret[kept++] = ret[i];
        }
    }
    ret[kept++] =
        (struct sonde_heap_top){.node = heap->root, .retained = tree->retained[heap->root]};
    uint32_t root = heap->root;
    qsort_r(ret, kept, sizeof(*ret), compare_rows, &root);
    *ret_count = kept;
    return set_parents(tree, ret, kept, err);
}
