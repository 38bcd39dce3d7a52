/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/growth.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "heap/reader.h"

enum {
    DIGIT_BITS = 11, /* of the radix sort: three digits make 32 bits */
    DIGITS = 1 << DIGIT_BITS,
    /* Of the numbers that are in both, the part that may be of another class: objects hardly ever
       change it. */
    OTHERS_PART = 50,
};

/* ---- the census ---- */

/* By id, one digit after the other from the lowest. */
static int sort_objects(struct sonde_heap_census *census)
{
    size_t count = census->object_count;
    SONDE_FREE struct sonde_heap_object *other = malloc((count + 1) * sizeof(*other));
    if (!other) {
        return SONDE_ENOMEM;
    }
    for (unsigned shift = 0; shift < 32; shift += DIGIT_BITS) {
        uint32_t starts[DIGITS] = {0};
        for (size_t i = 0; i < count; i++) {
            starts[census->objects[i].id >> shift & (DIGITS - 1)]++;
        }
        uint32_t sum = 0;
        for (size_t i = 0; i < DIGITS; i++) {
            uint32_t here = starts[i];
            starts[i] = sum;
            sum += here;
        }
        for (size_t i = 0; i < count; i++) {
            other[starts[census->objects[i].id >> shift & (DIGITS - 1)]++] = census->objects[i];
        }
        struct sonde_heap_object *sorted = other;
        other = census->objects;
        census->objects = sorted;
    }
    return 0;
}

static int take_census(const struct sonde_heap *heap, const struct sonde_heap_classes *classes,
                       struct sonde_heap_census *census)
{
    uint32_t count = 0;
    for (uint32_t node = 0; node < heap->node_count; node++) {
        count += heap->sizes[node] > 0;
    }
    census->objects = malloc((count + 1ULL) * sizeof(*census->objects));
    if (!census->objects) {
        return SONDE_ENOMEM;
    }
    for (uint32_t node = 0; node < heap->node_count; node++) {
        if (heap->sizes[node] > 0) {
            census->objects[census->object_count++] =
                (struct sonde_heap_object){heap->ids[node], classes->of[node], heap->sizes[node]};
        }
    }
    census->total_size = heap->total_size;
    return sort_objects(census);
}

int sonde_heap_census_take(const struct sonde_heap *heap, const struct sonde_heap_classes *classes,
                           struct sonde_heap_census *ret, struct sonde_err *err)
{
    *ret = (struct sonde_heap_census){0};
    if (take_census(heap, classes, ret) < 0) {
        sonde_heap_census_fini(ret);
        return sonde_heap_out_of_memory(err);
    }
    return 0;
}

int sonde_heap_census_keep_classes(struct sonde_heap_census *census,
                                   const struct sonde_heap_classes *classes, struct sonde_err *err)
{
    size_t length = 0;
    for (uint32_t i = 0; i < classes->count; i++) {
        length += classes->rows[i].name.length;
    }
    census->text = malloc(length + 1);
    census->classes = malloc((classes->count + 1ULL) * sizeof(*census->classes));
    if (!census->text || !census->classes) {
        free(SONDE_TAKE(census->text));
        free(SONDE_TAKE(census->classes));
        return sonde_heap_out_of_memory(err);
    }
    char *at = census->text;
    for (uint32_t i = 0; i < classes->count; i++) {
        struct sonde_heap_class *row = &census->classes[i];
        *row = classes->rows[i];
        row->largest = SONDE_HEAP_NONE;
        if (row->name.length) {
            memcpy(at, row->name.data, row->name.length);
        }
        row->name.data = at;
        at += row->name.length;
    }
    census->class_count = classes->count;
    census->text_length = length;
    return 0;
}

uint64_t sonde_heap_census_memory(const struct sonde_heap_census *census)
{
    return census->object_count * (uint64_t)sizeof(*census->objects) +
           census->class_count * (uint64_t)sizeof(*census->classes) + census->text_length;
}

void sonde_heap_census_fini(struct sonde_heap_census *census)
{
    if (census) {
        free(census->objects);
        free(census->classes);
        free(census->text);
        *census = (struct sonde_heap_census){0};
    }
}

/* ---- comparing ---- */

struct comparison {
    const struct sonde_heap_census *before, *after;
    const struct sonde_heap_classes *classes; /* of the one after */
    struct sonde_heap_growth *growth;
    struct sonde_map rows;            /* by name */
    uint32_t *row_before, *row_after; /* of each class */
    uint64_t in_both, of_others;      /* numbers, and those of another class in each */
};

/* Gives each class of one side its row; classes of the same name share one. */
static int give_rows(struct comparison *c, const struct sonde_heap_class *classes, uint32_t count,
                     uint32_t *rows, int sign)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sonde_map_slot *slot;
        bool is_new;
        const struct sonde_heap_class *class = &classes[i];
        int code = sonde_map_insert(&c->rows, class->name, &slot, &is_new);
        if (code < 0) {
            return code;
        }
        if (is_new) {
            slot->value = c->growth->count;
            c->growth->rows[c->growth->count++] =
                (struct sonde_heap_growth_row){.name = class->name, .typical = SONDE_HEAP_NONE};
        }
        struct sonde_heap_growth_row *row = &c->growth->rows[slot->value];
        rows[i] = (uint32_t)slot->value;
        row->before += sign < 0 ? class->count : 0;
        row->after += sign > 0 ? class->count : 0;
        /* Classes of one name may lie in each other: their sum is only bounded by their number. */
        uint64_t retained = sign < 0 ? 0 - class->retained : class->retained;
        row->retained_delta = (int64_t)((uint64_t)row->retained_delta + retained);
        row->size_delta += sign * (int64_t)class->shallow;
    }
    return 0;
}

static void add_freed(struct comparison *c, const struct sonde_heap_object *object)
{
    struct sonde_heap_growth_row *row = &c->growth->rows[c->row_before[object->class]];
    row->freed++;
    row->freed_size += object->size;
}

static void add_new(struct comparison *c, const struct sonde_heap_object *object)
{
    struct sonde_heap_growth_row *row = &c->growth->rows[c->row_after[object->class]];
    row->added++;
    row->added_size += object->size;
}

static void merge(struct comparison *c)
{
    uint32_t i = 0;
    uint32_t k = 0;
    while (i < c->before->object_count || k < c->after->object_count) {
        bool no_more_old = i == c->before->object_count;
        bool no_more_new = k == c->after->object_count;
        const struct sonde_heap_object *old = no_more_old ? NULL : &c->before->objects[i];
        const struct sonde_heap_object *now = no_more_new ? NULL : &c->after->objects[k];
        if (no_more_new || (!no_more_old && old->id < now->id)) {
            add_freed(c, old);
            i++;
        } else if (no_more_old || now->id < old->id) {
            add_new(c, now);
            k++;
        } else {
            c->in_both++;
            if (c->row_before[old->class] != c->row_after[now->class]) {
                c->of_others++;
                add_freed(c, old);
                add_new(c, now);
            }
            i++;
            k++;
        }
    }
}

static uint64_t excess(uint64_t size, uint64_t other)
{
    return size > other ? size - other : 0;
}

/* Without numbers only how many there are is known. */
static void keep_differences(struct sonde_heap_growth *growth)
{
    for (uint32_t i = 0; i < growth->count; i++) {
        struct sonde_heap_growth_row *row = &growth->rows[i];
        uint64_t added_size = row->added_size;
        row->added = row->after > row->before ? row->after - row->before : 0;
        row->freed = row->before > row->after ? row->before - row->after : 0;
        row->added_size = excess(added_size, row->freed_size);
        row->freed_size = excess(row->freed_size, added_size);
    }
}

static int compare_growth(const void *a, const void *b)
{
    const struct sonde_heap_growth_row *left = a;
    const struct sonde_heap_growth_row *right = b;
    if (left->size_delta != right->size_delta) {
        return left->size_delta < right->size_delta ? 1 : -1;
    }
    return sonde_str_compare(left->name, right->name);
}

static bool is_suspect(const struct sonde_heap_growth_row *row)
{
    return row->after > row->before && row->added > row->freed && row->retained_delta > 0 &&
           !sonde_str_starts(row->name, "(") && !sonde_str_starts(row->name, "system / ");
}

static void list_suspects(struct sonde_heap_growth *growth)
{
    for (uint32_t i = 0; i < growth->count; i++) {
        if (!is_suspect(&growth->rows[i])) {
            continue;
        }
        int64_t delta = growth->rows[i].retained_delta;
        uint32_t at = growth->suspect_count;
        if (at == SONDE_HEAP_SUSPECTS_MAX) {
            if (growth->rows[growth->suspects[at - 1]].retained_delta >= delta) {
                continue;
            }
            at--;
        }
        for (; at && growth->rows[growth->suspects[at - 1]].retained_delta < delta; at--) {
            growth->suspects[at] = growth->suspects[at - 1];
        }
        growth->suspects[at] = i;
        growth->suspect_count += growth->suspect_count < SONDE_HEAP_SUSPECTS_MAX;
    }
}

/* ---- typical objects ---- */

struct shape {
    uint64_t hash;
    uint32_t node;
};

static int compare_shapes(const void *a, const void *b)
{
    const struct shape *left = a;
    const struct shape *right = b;
    if (left->hash != right->hash) {
        return left->hash < right->hash ? -1 : 1;
    }
    return (left->node > right->node) - (left->node < right->node);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    uint64_t words[2] = {hash, value};
    return sonde_hash((struct sonde_str){(const char *)words, sizeof(words)});
}

/* The way an object is held: the classes and the names of the edges above it, without the numbers
 * of elements. */
static uint64_t shape_of(const struct sonde_heap *heap, const struct sonde_heap_classes *classes,
                         const struct sonde_heap_paths *paths, uint32_t node)
{
    uint64_t hash = 0;
    for (int i = 0; i < SONDE_HEAP_SHAPE_STEPS && paths->via[node] != SONDE_HEAP_NONE; i++) {
        const struct sonde_heap_edge *edge = &heap->edges[paths->via[node]];
        bool named =
            edge->type == SONDE_HEAP_EDGE_PROPERTY || edge->type == SONDE_HEAP_EDGE_CONTEXT;
        node = sonde_heap_edge_from(heap, paths->via[node]);
        hash = mix(hash, (uint64_t)classes->of[node] << 32 | (named ? edge->name : 0));
    }
    return hash;
}

static bool is_new(const struct comparison *c, uint32_t id)
{
    const struct sonde_heap_census *before = c->before;
    if (c->growth->numbered_anew) {
        return true;
    }
    size_t from = 0;
    size_t to = before->object_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (before->objects[middle].id < id) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from == before->object_count || before->objects[from].id != id;
}

/* Every nth new object (or any) of the row's class, so that the sample is spread over all. */
static uint32_t sample(const struct comparison *c, const struct sonde_heap *heap,
                       const struct sonde_heap_classes *classes, uint32_t row_index,
                       struct shape *shapes)
{
    const struct sonde_heap_growth_row *row = &c->growth->rows[row_index];
    uint32_t all = c->growth->numbered_anew ? row->after : row->added;
    uint32_t stride = all / SONDE_HEAP_SAMPLE_MAX + 1;
    uint32_t seen = 0;
    uint32_t count = 0;
    for (uint32_t node = 0; node < heap->node_count && count < SONDE_HEAP_SAMPLE_MAX; node++) {
        if (heap->sizes[node] > 0 && c->row_after[classes->of[node]] == row_index &&
            is_new(c, heap->ids[node]) && seen++ % stride == 0) {
            shapes[count++].node = node;
        }
    }
    return count;
}

static void find_typical(struct comparison *c, const struct sonde_heap *heap,
                         const struct sonde_heap_classes *classes,
                         const struct sonde_heap_paths *paths, uint32_t row_index)
{
    struct shape shapes[SONDE_HEAP_SAMPLE_MAX];
    struct sonde_heap_growth_row *row = &c->growth->rows[row_index];
    row->sampled = sample(c, heap, classes, row_index, shapes);
    for (uint32_t i = 0; i < row->sampled; i++) {
        shapes[i].hash = shape_of(heap, classes, paths, shapes[i].node);
    }
    qsort(shapes, row->sampled, sizeof(*shapes), compare_shapes);
    for (uint32_t from = 0, to; from < row->sampled; from = to) {
        to = from + 1;
        while (to < row->sampled && shapes[to].hash == shapes[from].hash) {
            to++;
        }
        if (to - from > row->alike) {
            row->alike = to - from;
            row->typical = shapes[from].node;
        }
    }
}

/* Rows were sorted: finds them again by their names. */
static int find_rows_again(struct comparison *c)
{
    for (uint32_t i = 0; i < c->growth->count; i++) {
        uint64_t *value = sonde_map_find(&c->rows, c->growth->rows[i].name);
        if (!value) {
            return SONDE_EINTERNAL;
        }
        *value = i;
    }
    for (uint32_t i = 0; i < c->classes->count; i++) {
        const uint64_t *value = sonde_map_find(&c->rows, c->classes->rows[i].name);
        c->row_after[i] = value ? (uint32_t)*value : 0;
    }
    return 0;
}

static int compare(struct comparison *c)
{
    size_t most = (size_t)c->before->class_count + c->classes->count;
    c->rows = SONDE_MAP(most);
    c->growth->rows = malloc((most + 1) * sizeof(*c->growth->rows));
    c->row_before = malloc((c->before->class_count + 1ULL) * sizeof(uint32_t));
    c->row_after = malloc((c->classes->count + 1ULL) * sizeof(uint32_t));
    if (!c->growth->rows || !c->row_before || !c->row_after) {
        return SONDE_ENOMEM;
    }
    int code = give_rows(c, c->before->classes, c->before->class_count, c->row_before, -1);
    code = code ? code : give_rows(c, c->classes->rows, c->classes->count, c->row_after, 1);
    if (code < 0) {
        return code;
    }
    merge(c);
    c->growth->numbered_anew = c->of_others * OTHERS_PART > c->in_both;
    if (c->growth->numbered_anew) {
        keep_differences(c->growth);
    }
    qsort(c->growth->rows, c->growth->count, sizeof(*c->growth->rows), compare_growth);
    list_suspects(c->growth);
    return find_rows_again(c);
}

int sonde_heap_compare(const struct sonde_heap_census *before,
                       const struct sonde_heap_census *after, const struct sonde_heap *heap,
                       const struct sonde_heap_classes *classes,
                       const struct sonde_heap_paths *paths, struct sonde_heap_growth *ret,
                       struct sonde_err *err)
{
    *ret = (struct sonde_heap_growth){0};
    struct comparison c = {.before = before, .after = after, .classes = classes, .growth = ret};
    int code = compare(&c);
    for (uint32_t i = 0; i < ret->suspect_count && code == 0; i++) {
        find_typical(&c, heap, classes, paths, ret->suspects[i]);
    }
    sonde_map_fini(&c.rows);
    free(c.row_before);
    free(c.row_after);
    if (code < 0) {
        sonde_heap_growth_fini(ret);
        return sonde_heap_out_of_memory(err);
    }
    return 0;
}

void sonde_heap_growth_fini(struct sonde_heap_growth *growth)
{
    if (growth) {
        free(growth->rows);
        *growth = (struct sonde_heap_growth){0};
    }
}
