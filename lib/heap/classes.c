/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/classes.h"

#include <stdlib.h>
#include <string.h>

#include "heap/reader.h"

/* What DevTools calls those that have no constructor. */
static const char *const groups[SONDE_HEAP_NODE_TYPES] = {
    [SONDE_HEAP_HIDDEN] = "(system)",
    [SONDE_HEAP_ARRAY] = "(array)",
    [SONDE_HEAP_STRING] = "(string)",
    [SONDE_HEAP_OBJECT] = NULL,
    [SONDE_HEAP_CODE] = "(compiled code)",
    [SONDE_HEAP_CLOSURE] = "Function",
    [SONDE_HEAP_REGEXP] = "RegExp",
    [SONDE_HEAP_NUMBER] = "(number)",
    [SONDE_HEAP_NATIVE] = NULL,
    [SONDE_HEAP_SYNTHETIC] = "(synthetic)",
    [SONDE_HEAP_CONCATENATED] = "(concatenated string)",
    [SONDE_HEAP_SLICED] = "(sliced string)",
    [SONDE_HEAP_SYMBOL] = "(symbol)",
    [SONDE_HEAP_BIGINT] = "(bigint)",
    [SONDE_HEAP_SHAPE] = "(object shape)",
    [SONDE_HEAP_OTHER] = "(other)",
};

struct sonde_str sonde_heap_class_name(const struct sonde_heap *heap, uint32_t node)
{
    const char *group = groups[sonde_heap_type(heap, node)];
    return group ? sonde_str(group) : sonde_heap_node_name(heap, node);
}

struct classifier {
    const struct sonde_heap *heap;
    const struct sonde_heap_tree *tree;
    struct sonde_heap_classes *classes;
    size_t capacity;
    uint32_t group_rows[SONDE_HEAP_NODE_TYPES];
    uint32_t *name_rows; /* by the number of the name's string */
    uint32_t other_row;  /* of those for which there is no room */
    uint32_t *first_child, *next_sibling;
    uint32_t *inside; /* of each row: objects of it that dominate where the walk is */
};

static void classifier_fini(struct classifier *c)
{
    free(c->name_rows);
    free(c->first_child);
    free(c->next_sibling);
    free(c->inside);
}

/* Of the strings only those that are kept can be a name, and there is a word of kept for each 64.
 */
static size_t string_room(const struct sonde_heap *heap)
{
    return heap->names.words * 64;
}

static int add_row(struct classifier *c, struct sonde_str name, uint32_t *ret)
{
    int code = sonde_array_grow(&c->classes->rows, &c->capacity, c->classes->count + 1ULL,
                                sizeof(*c->classes->rows), SONDE_HEAP_NODES_MAX);
    if (code == 0) {
        c->classes->rows[c->classes->count] =
            (struct sonde_heap_class){.name = name, .largest = SONDE_HEAP_NONE};
        *ret = c->classes->count++;
    }
    return code;
}

static int row_of(struct classifier *c, uint32_t node, uint32_t *ret)
{
    const struct sonde_heap *heap = c->heap;
    enum sonde_heap_node_type type = sonde_heap_type(heap, node);
    uint32_t *row = groups[type] ? &c->group_rows[type] : &c->name_rows[heap->name_of[node]];
    struct sonde_str name = sonde_heap_class_name(heap, node);
    if (*row == SONDE_HEAP_NONE && !groups[type] && c->classes->count >= SONDE_HEAP_CLASSES_MAX) {
        row = &c->other_row;
        name = SONDE_STR("(other classes)");
    }
    int code = *row == SONDE_HEAP_NONE ? add_row(c, name, row) : 0;
    *ret = *row;
    return code;
}

static int count_objects(struct classifier *c, struct sonde_err *err)
{
    const struct sonde_heap *heap = c->heap;
    for (uint32_t node = 0; node < heap->node_count; node++) {
        uint32_t row;
        if (row_of(c, node, &row) < 0 || !c->classes->rows) {
            return sonde_heap_out_of_memory(err);
        }
        c->classes->of[node] = row;
        struct sonde_heap_class *class = &c->classes->rows[row];
        uint64_t size = sonde_heap_size(heap, node);
        class->count += size > 0;
        class->shallow += size;
        if (class->largest == SONDE_HEAP_NONE ||
            c->tree->retained[node] > c->tree->retained[class->largest]) {
            class->largest = node;
        }
    }
    return 0;
}

static void list_children(struct classifier *c)
{
    const struct sonde_heap *heap = c->heap;
    memset(c->first_child, 0xff, heap->node_count * sizeof(uint32_t));
    for (uint32_t node = heap->node_count; node-- > 0;) {
        if (node != heap->root) {
            uint32_t dominator = c->tree->dominators[node];
            c->next_sibling[node] = c->first_child[dominator];
            c->first_child[dominator] = node;
        }
    }
    c->next_sibling[heap->root] = SONDE_HEAP_NONE;
}

static void enter(struct classifier *c, uint32_t node)
{
    uint32_t row = c->classes->of[node];
    if (sonde_heap_size(c->heap, node) > 0 && c->inside[row]++ == 0) {
        c->classes->rows[row].retained += c->tree->retained[node];
    }
}

static void leave(struct classifier *c, uint32_t node)
{
    c->inside[c->classes->of[node]] -= sonde_heap_size(c->heap, node) > 0;
}

/* Down and up the dominator tree: what an object of a class retains counts for the class unless
 * another of that class dominates it. */
static void sum_retained(struct classifier *c)
{
    uint32_t node = c->heap->root;
    enter(c, node);
    for (;;) {
        if (c->first_child[node] != SONDE_HEAP_NONE) {
            node = c->first_child[node];
            enter(c, node);
            continue;
        }
        leave(c, node);
        while (node != c->heap->root && c->next_sibling[node] == SONDE_HEAP_NONE) {
            node = c->tree->dominators[node];
            leave(c, node);
        }
        if (node == c->heap->root) {
            return;
        }
        node = c->next_sibling[node];
        enter(c, node);
    }
}

struct place {
    uint32_t row;
    uint64_t retained;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *left = a;
    const struct place *right = b;
    if (left->retained != right->retained) {
        return left->retained < right->retained ? 1 : -1;
    }
    return (left->row > right->row) - (left->row < right->row);
}

static int sort_rows(struct classifier *c, struct sonde_err *err)
{
    struct sonde_heap_classes *classes = c->classes;
    SONDE_FREE struct place *places = malloc(classes->count * sizeof(*places));
    SONDE_FREE struct sonde_heap_class *sorted = malloc(classes->count * sizeof(*sorted));
    if (!places || !sorted) {
        return sonde_heap_out_of_memory(err);
    }
    for (uint32_t i = 0; i < classes->count; i++) {
        places[i] = (struct place){i, classes->rows[i].retained};
    }
    qsort(places, classes->count, sizeof(*places), compare_places);
    uint32_t *moved = c->inside; /* all zero again, and not needed any more */
    for (uint32_t i = 0; i < classes->count; i++) {
        sorted[i] = classes->rows[places[i].row];
        moved[places[i].row] = i;
    }
    for (uint32_t node = 0; node < c->heap->node_count; node++) {
        classes->of[node] = moved[classes->of[node]];
    }
    free(classes->rows);
    classes->rows = SONDE_TAKE(sorted);
    return 0;
}

static int classify(struct classifier *c, struct sonde_err *err)
{
    const struct sonde_heap *heap = c->heap;
    size_t room = string_room(heap);
    c->classes->of = malloc(heap->node_count * sizeof(uint32_t));
    c->name_rows = malloc((room + 1) * sizeof(uint32_t));
    if (!c->classes->of || !c->name_rows) {
        return sonde_heap_out_of_memory(err);
    }
    memset(c->name_rows, 0xff, room * sizeof(uint32_t));
    memset(c->group_rows, 0xff, sizeof(c->group_rows));
    int code = count_objects(c, err);
    free(SONDE_TAKE(c->name_rows));
    if (code < 0 || c->classes->count == 0) {
        return code;
    }
    c->first_child = malloc(heap->node_count * sizeof(uint32_t));
    c->next_sibling = malloc(heap->node_count * sizeof(uint32_t));
    c->inside = calloc(c->classes->count + 1ULL, sizeof(uint32_t));
    if (!c->first_child || !c->next_sibling || !c->inside) {
        return sonde_heap_out_of_memory(err);
    }
    list_children(c);
    sum_retained(c);
    return sort_rows(c, err);
}

int sonde_heap_classify(const struct sonde_heap *heap, const struct sonde_heap_tree *tree,
                        struct sonde_heap_classes *ret, struct sonde_err *err)
{
    *ret = (struct sonde_heap_classes){0};
    struct classifier c = {
        .heap = heap, .tree = tree, .classes = ret, .other_row = SONDE_HEAP_NONE};
    int code = classify(&c, err);
    classifier_fini(&c);
    if (code < 0) {
        sonde_heap_classes_fini(ret);
    }
    return code;
}

void sonde_heap_classes_fini(struct sonde_heap_classes *classes)
{
    if (classes) {
        free(classes->rows);
        free(classes->of);
        *classes = (struct sonde_heap_classes){0};
    }
}
