/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "heap/classes.h"
#include "heap/reader.h"

enum {
    STRING_MAX = 1 << 20, /* bytes of a string outside of "strings" */
    /* Bytes of memory: for each node and each edge at the largest moment, which is while dominators
       are found, or while the census is sorted; and for classes, trees and texts, which have bounds
       of their own. */
    NODE_BYTES = 41,
    EDGE_BYTES = 12,
    CENSUS_NODE_BYTES = 61,
    CENSUS_EDGE_BYTES = 8,
    COMPARED_NODE_BYTES = 49, /* and edges as of a census: while the classes are compared */
    OTHER_BYTES = 16 << 20,
    /* For each 64 strings: whether they are kept, where their names begin, and their classes. */
    NAME_WORD_BYTES = 8 + 4 + 64 * 4,
    MEGABYTE = 1000000,
    NO_FIELD = -1,
};

enum key {
    UNKNOWN,
    META,
    NODE_COUNT,
    EDGE_COUNT,
    ROOT_INDEX,
    EXTRA_NATIVE_BYTES,
    NODE_FIELDS,
    NODE_TYPES,
    EDGE_FIELDS,
    EDGE_TYPES,
};

static const struct {
    const char *name;
    unsigned depth;
    uint8_t value;
} keys[] = {
    {"snapshot", 1, SONDE_HEAP_DESCRIPTION},
    {"nodes", 1, SONDE_HEAP_NODES},
    {"edges", 1, SONDE_HEAP_EDGES},
    {"strings", 1, SONDE_HEAP_STRINGS},
    {"meta", 2, META},
    {"node_count", 2, NODE_COUNT},
    {"edge_count", 2, EDGE_COUNT},
    {"root_index", 2, ROOT_INDEX},
    {"extra_native_bytes", 2, EXTRA_NATIVE_BYTES},
    {"node_fields", 3, NODE_FIELDS},
    {"node_types", 3, NODE_TYPES},
    {"edge_fields", 3, EDGE_FIELDS},
    {"edge_types", 3, EDGE_TYPES},
};

static const char *const node_types[SONDE_HEAP_NODE_TYPES] = {
    [SONDE_HEAP_HIDDEN] = "hidden",
    [SONDE_HEAP_ARRAY] = "array",
    [SONDE_HEAP_STRING] = "string",
    [SONDE_HEAP_OBJECT] = "object",
    [SONDE_HEAP_CODE] = "code",
    [SONDE_HEAP_CLOSURE] = "closure",
    [SONDE_HEAP_REGEXP] = "regexp",
    [SONDE_HEAP_NUMBER] = "number",
    [SONDE_HEAP_NATIVE] = "native",
    [SONDE_HEAP_SYNTHETIC] = "synthetic",
    [SONDE_HEAP_CONCATENATED] = "concatenated string",
    [SONDE_HEAP_SLICED] = "sliced string",
    [SONDE_HEAP_SYMBOL] = "symbol",
    [SONDE_HEAP_BIGINT] = "bigint",
    [SONDE_HEAP_SHAPE] = "object shape",
    [SONDE_HEAP_OTHER] = "other",
};

static const char *const edge_types[SONDE_HEAP_EDGE_OTHER + 1] = {
    [SONDE_HEAP_EDGE_CONTEXT] = "context",   [SONDE_HEAP_EDGE_ELEMENT] = "element",
    [SONDE_HEAP_EDGE_PROPERTY] = "property", [SONDE_HEAP_EDGE_INTERNAL] = "internal",
    [SONDE_HEAP_EDGE_HIDDEN] = "hidden",     [SONDE_HEAP_EDGE_SHORTCUT] = "shortcut",
    [SONDE_HEAP_EDGE_WEAK] = "weak",         [SONDE_HEAP_EDGE_OTHER] = "other",
};

int sonde_heap_out_of_memory(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ENOMEM, 0, "heap snapshot: out of memory");
}

static int malformed(struct sonde_err *err, const char *what)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "heap snapshot: %s", what);
}

uint64_t sonde_heap_memory(uint64_t nodes, uint64_t edges, bool census)
{
    uint64_t bytes = nodes * NODE_BYTES + edges * EDGE_BYTES;
    uint64_t sorting = nodes * CENSUS_NODE_BYTES + edges * CENSUS_EDGE_BYTES;
    return OTHER_BYTES + (census && sorting > bytes ? sorting : bytes);
}

/* A class has a name that is kept, or is a group. */
static uint64_t compared_memory(const struct sonde_heap_reader *r, uint64_t nodes, uint64_t edges)
{
    uint64_t classes = r->heap->names.words * 64;
    classes = classes < SONDE_HEAP_CLASSES_MAX ? classes : SONDE_HEAP_CLASSES_MAX;
    classes += SONDE_HEAP_NODE_TYPES + r->other_classes;
    return OTHER_BYTES + nodes * COMPARED_NODE_BYTES + edges * CENSUS_EDGE_BYTES +
           classes * SONDE_HEAP_COMPARED_CLASS_BYTES;
}

int sonde_heap_check_room(const struct sonde_heap_reader *r, uint64_t nodes, uint64_t edges,
                          struct sonde_err *err)
{
    const struct sonde_heap_names *names = &r->heap->names;
    uint64_t bytes = sonde_heap_memory(nodes, edges, r->census);
    uint64_t compared = r->census ? compared_memory(r, nodes, edges) : 0;
    bytes = (compared > bytes ? compared : bytes) + names->words * NAME_WORD_BYTES +
            names->capacity + r->end_capacity * sizeof(*names->ends);
    if (bytes <= r->bytes_max) {
        return 0;
    }
    return sonde_fail(err, SONDE_ELIMIT, 0,
                      "heap snapshot: analysing %llu objects with %llu references and their names "
                      "takes up to %llu MB of memory, and it may take %llu MB",
                      (unsigned long long)nodes, (unsigned long long)edges,
                      (unsigned long long)(bytes / MEGABYTE + 1),
                      (unsigned long long)(r->bytes_max / MEGABYTE));
}

int sonde_heap_keep(struct sonde_heap_reader *reader, uint64_t string, struct sonde_err *err)
{
    struct sonde_heap_names *names = &reader->heap->names;
    size_t word = string / 64;
    if (word >= names->words) {
        size_t words = names->words ? names->words * 2 : 64;
        words = words > word ? words : word + 1;
        uint64_t *kept = realloc(names->kept, words * sizeof(*kept));
        if (!kept) {
            return sonde_heap_out_of_memory(err);
        }
        memset(kept + names->words, 0, (words - names->words) * sizeof(*kept));
        names->kept = kept;
        names->words = words;
        int code = sonde_heap_check_room(reader, reader->heap->node_count, reader->edges_due, err);
        if (code < 0) {
            return code;
        }
    }
    names->kept[word] |= 1ULL << string % 64;
    return 0;
}

struct sonde_str sonde_heap_string(const struct sonde_heap *heap, uint32_t string)
{
    const struct sonde_heap_names *names = &heap->names;
    size_t word = string / 64;
    if (word >= names->words || !(names->kept[word] >> string % 64 & 1)) {
        return SONDE_STR("");
    }
    uint64_t before = names->kept[word] & ((1ULL << string % 64) - 1);
    uint32_t rank = names->ranks[word] + (uint32_t)__builtin_popcountll(before);
    uint32_t from = rank ? names->ends[rank - 1] : 0;
    return (struct sonde_str){names->text ? names->text + from : "", names->ends[rank] - from};
}

uint64_t sonde_heap_large_size(const struct sonde_heap *heap, uint32_t node)
{
    size_t from = 0;
    size_t to = heap->large_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (heap->large[middle].node < node) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < heap->large_count && heap->large[from].node == node ? heap->large[from].size : 0;
}

/* ---- the description ---- */

static uint8_t key_value(struct sonde_str text, unsigned depth)
{
    for (size_t i = 0; i < SONDE_LENGTH(keys); i++) {
        if (keys[i].depth == depth && sonde_str_is(text, keys[i].name)) {
            return keys[i].value;
        }
    }
    return UNKNOWN;
}

static uint8_t type_value(struct sonde_str name, bool node)
{
    const char *const *names = node ? node_types : edge_types;
    uint8_t other = node ? (uint8_t)SONDE_HEAP_OTHER : (uint8_t)SONDE_HEAP_EDGE_OTHER;
    for (uint8_t i = 0; i < other; i++) {
        if (sonde_str_is(name, names[i])) {
            return i;
        }
    }
    return other;
}

static int add_field(struct sonde_heap_layout *layout, struct sonde_str name, struct sonde_err *err)
{
    static const char *const names[] = {"type",       "name",         "id",      "self_size",
                                        "edge_count", "detachedness", "to_node", "name_or_index"};
    int *const fields[] = {&layout->type,       &layout->name,         &layout->id, &layout->size,
                           &layout->edge_count, &layout->detachedness, &layout->to, &layout->name};
    if (layout->fields >= SONDE_HEAP_FIELDS_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "heap snapshot: rows of more than %d fields",
                          SONDE_HEAP_FIELDS_MAX);
    }
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        if (sonde_str_is(name, names[i])) {
            *fields[i] = layout->fields;
        }
    }
    layout->fields++;
    return 0;
}

static int add_type(struct sonde_heap_layout *layout, struct sonde_str name, bool node,
                    struct sonde_err *err)
{
    if (layout->type_count >= SONDE_HEAP_TYPES_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "heap snapshot: more than %d types",
                          SONDE_HEAP_TYPES_MAX);
    }
    layout->types[layout->type_count++] = type_value(name, node);
    return 0;
}

static int description_string(struct sonde_heap_reader *r, const struct sonde_json_token *token,
                              struct sonde_err *err)
{
    if (r->key != META) {
        return 0;
    }
    bool node = r->meta_key == NODE_FIELDS || r->meta_key == NODE_TYPES;
    struct sonde_heap_layout *layout = node ? &r->nodes : &r->edges;
    if (token->depth == 4 && (r->meta_key == NODE_FIELDS || r->meta_key == EDGE_FIELDS)) {
        return add_field(layout, token->text, err);
    }
    bool of_types = r->meta_key == NODE_TYPES || r->meta_key == EDGE_TYPES;
    if (of_types && token->depth == 5 && layout->type_list == (int)r->list_entry) {
        return add_type(layout, token->text, node, err);
    }
    r->list_entry += token->depth == 4;
    return 0;
}

/* Of the lists in "node_types" the first is that of the types. */
static void description_list(struct sonde_heap_reader *r, const struct sonde_json_token *token)
{
    bool node = r->meta_key == NODE_TYPES;
    struct sonde_heap_layout *layout = node ? &r->nodes : &r->edges;
    if (token->depth == 3) {
        r->list_entry = 0;
    } else if (token->depth == 4 && (node || r->meta_key == EDGE_TYPES) &&
               layout->type_list == NO_FIELD) {
        layout->type_list = (int)r->list_entry;
    }
}

static void description_number(struct sonde_heap_reader *r, const struct sonde_json_token *token)
{
    uint64_t value = token->is_integer && token->integer > 0 ? (uint64_t)token->integer : 0;
    if (token->depth != 2) {
        return;
    }
    if (r->key == NODE_COUNT) {
        r->announced_nodes = value;
    } else if (r->key == EDGE_COUNT) {
        r->announced_edges = value;
        r->announced = true;
    } else if (r->key == ROOT_INDEX) {
        r->root_index = value;
    } else if (r->key == EXTRA_NATIVE_BYTES) {
        r->heap->extra_native_bytes = value;
    }
}

static int check_layout(const struct sonde_heap_layout *layout, bool node, struct sonde_err *err)
{
    bool whole = layout->type >= 0 && layout->name >= 0 && layout->type_list == layout->type;
    whole = whole && (node ? layout->id >= 0 && layout->size >= 0 && layout->edge_count >= 0
                           : layout->to >= 0);
    return whole ? 0
                 : malformed(err, node ? "it does not say what its nodes are made of"
                                       : "it does not say what its edges are made of");
}

/* ---- sections ---- */

static const char *const order =
    "the sections are not in V8's order (snapshot, nodes, edges, strings), or one is there twice";

static int begin_section(struct sonde_heap_reader *r, const struct sonde_json_token *token,
                         struct sonde_err *err)
{
    if (r->section == SONDE_HEAP_NOWHERE) {
        return 0;
    }
    bool object = token->event == SONDE_JSON_OBJECT_BEGIN;
    if (r->section != r->done + 1) {
        return malformed(err, order);
    }
    if (object != (r->section == SONDE_HEAP_DESCRIPTION) ||
        (!object && token->event != SONDE_JSON_ARRAY_BEGIN)) {
        return malformed(err, "a section is of another type than V8 writes");
    }
    sonde_heap_numbers_begin(&r->numbers);
    if (r->section == SONDE_HEAP_NODES) {
        sonde_json_scan_hand_over(&r->scanner, sonde_heap_take_nodes, r);
    } else if (r->section == SONDE_HEAP_EDGES) {
        sonde_json_scan_hand_over(&r->scanner, sonde_heap_take_edges, r);
    } else if (r->section == SONDE_HEAP_STRINGS) {
        sonde_json_scan_hand_over(&r->scanner, sonde_heap_take_strings, r);
        return sonde_heap_begin_strings(r, err);
    }
    return 0;
}

static int end_description(struct sonde_heap_reader *r, struct sonde_err *err)
{
    int code = check_layout(&r->nodes, true, err);
    code = code ? code : check_layout(&r->edges, false, err);
    bool told =
        r->announced_nodes <= SONDE_HEAP_NODES_MAX && r->announced_edges <= SONDE_HEAP_EDGES_MAX;
    return code || !told ? code
                         : sonde_heap_check_room(r, r->announced_nodes, r->announced_edges, err);
}

static int end_nodes(struct sonde_heap_reader *r, struct sonde_err *err)
{
    struct sonde_heap *heap = r->heap;
    if (heap->node_count == 0) {
        return malformed(err, "it has no nodes");
    }
    uint64_t width = (uint64_t)r->nodes.fields;
    if (r->root_index % width || r->root_index / width >= heap->node_count) {
        return malformed(err, "its root is no node");
    }
    heap->root = (uint32_t)(r->root_index / width);
    heap->first_edges[heap->node_count] = (uint32_t)r->edges_due;
    if (r->announced &&
        (r->announced_nodes != heap->node_count || r->announced_edges != r->edges_due)) {
        return sonde_fail(err, SONDE_EPARSE, 0,
                          "heap snapshot: %u nodes with %llu edges, but it announces %llu and %llu",
                          heap->node_count, (unsigned long long)r->edges_due,
                          (unsigned long long)r->announced_nodes,
                          (unsigned long long)r->announced_edges);
    }
    return sonde_heap_check_room(r, heap->node_count, r->edges_due, err);
}

static int end_edges(struct sonde_heap_reader *r, struct sonde_err *err)
{
    if (r->heap->edge_count != r->edges_due) {
        return sonde_fail(err, SONDE_EPARSE, 0, "heap snapshot: %u edges, but its nodes have %llu",
                          r->heap->edge_count, (unsigned long long)r->edges_due);
    }
    return 0;
}

/* Edges from the table of a WeakMap to its values become SONDE_HEAP_EDGE_TABLE. */
static void mark_tables(const struct sonde_heap_reader *r)
{
    struct sonde_heap *heap = r->heap;
    for (uint32_t node = 0; node < heap->node_count; node++) {
        for (uint32_t i = heap->first_edges[node]; i < heap->first_edges[node + 1]; i++) {
            struct sonde_heap_edge *edge = &heap->edges[i];
            if (edge->type != SONDE_HEAP_EDGE_INTERNAL ||
                !(r->tables[edge->name / 64] >> edge->name % 64 & 1)) {
                continue;
            }
            struct sonde_str name = sonde_heap_string(heap, edge->name);
            const char *at = name.length ? memrchr(name.data, '@', name.length) : NULL;
            size_t skip = at ? (size_t)(at + 1 - name.data) : name.length;
            uint64_t id;
            if (sonde_parse_u64((struct sonde_str){name.data + skip, name.length - skip}, 0,
                                UINT32_MAX, &id) == 0 &&
                id == heap->ids[node]) {
                edge->type = SONDE_HEAP_EDGE_TABLE;
            }
        }
    }
}

static int end_strings(struct sonde_heap_reader *r, struct sonde_err *err)
{
    if (r->any_string && r->highest_string >= r->heap->string_count) {
        return sonde_fail(err, SONDE_EPARSE, 0, "heap snapshot: the string %u is missing of %u",
                          r->highest_string, r->heap->string_count);
    }
    if (r->tables) {
        mark_tables(r);
    }
    return 0;
}

static int end_section(struct sonde_heap_reader *r, struct sonde_err *err)
{
    int code = 0;
    if (r->section == SONDE_HEAP_DESCRIPTION) {
        code = end_description(r, err);
    } else if (r->section == SONDE_HEAP_NODES) {
        code = end_nodes(r, err);
    } else if (r->section == SONDE_HEAP_EDGES) {
        code = end_edges(r, err);
    } else if (r->section == SONDE_HEAP_STRINGS) {
        code = end_strings(r, err);
    }
    if (r->section != SONDE_HEAP_NOWHERE) {
        r->done = r->section;
    }
    r->section = SONDE_HEAP_NOWHERE;
    return code;
}

static void on_key(struct sonde_heap_reader *r, const struct sonde_json_token *token)
{
    uint8_t value = key_value(token->text, token->depth);
    if (token->depth == 1) {
        r->section = value;
    } else if (token->depth == 2) {
        r->key = value;
    } else if (token->depth == 3) {
        r->meta_key = value;
    }
}

static int on_token(void *context, struct sonde_json_scanner *scanner,
                    const struct sonde_json_token *token, struct sonde_err *err)
{
    (void)scanner;
    struct sonde_heap_reader *r = context;
    bool inside = r->section == SONDE_HEAP_DESCRIPTION;
    bool ends = token->event == SONDE_JSON_OBJECT_END || token->event == SONDE_JSON_ARRAY_END;
    if (token->depth == 0) {
        return token->event == SONDE_JSON_OBJECT_BEGIN || ends ? 0 : malformed(err, "no object");
    }
    if (token->event == SONDE_JSON_KEY) {
        on_key(r, token);
        return 0;
    }
    if (token->depth == 1) {
        return ends ? end_section(r, err) : begin_section(r, token, err);
    }
    if (!inside) {
        return 0;
    }
    switch (token->event) {
    case SONDE_JSON_STRING:
        return description_string(r, token, err);
    case SONDE_JSON_NUMBER:
        description_number(r, token);
        return 0;
    case SONDE_JSON_ARRAY_BEGIN:
        description_list(r, token);
        return 0;
    case SONDE_JSON_ARRAY_END:
        r->list_entry += token->depth == 4;
        return 0;
    default:
        return 0;
    }
}

int sonde_heap_reader_new(struct sonde_heap *heap, struct sonde_heap_reader **ret,
                          struct sonde_err *err)
{
    struct sonde_heap_reader *r = calloc(1, sizeof(*r));
    if (!r) {
        return sonde_heap_out_of_memory(err);
    }
    const struct sonde_heap_layout none = {
        .type = NO_FIELD,
        .name = NO_FIELD,
        .id = NO_FIELD,
        .size = NO_FIELD,
        .edge_count = NO_FIELD,
        .detachedness = NO_FIELD,
        .to = NO_FIELD,
        .type_list = NO_FIELD,
    };
    r->heap = heap;
    r->bytes_max = UINT64_MAX;
    r->nodes = none;
    r->edges = none;
    struct sonde_json_limits limits = {.depth = SONDE_JSON_DEPTH_MAX, .string = STRING_MAX};
    sonde_json_scanner_init(&r->scanner, limits, on_token, r);
    *ret = r;
    return 0;
}

void sonde_heap_reader_bound(struct sonde_heap_reader *reader, uint64_t bytes, bool census,
                             uint32_t other_classes)
{
    reader->bytes_max = bytes;
    reader->census = census;
    reader->other_classes = other_classes;
}

void sonde_heap_reader_free(struct sonde_heap_reader *r)
{
    if (r) {
        sonde_json_scanner_fini(&r->scanner);
        free(r->tables);
        free(r);
    }
}

int sonde_heap_feed(struct sonde_heap_reader *reader, const char *data, size_t length,
                    struct sonde_err *err)
{
    reader->offset += length;
    if (reader->offset > SONDE_HEAP_BYTES_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "heap snapshot: more than %llu bytes",
                          (unsigned long long)SONDE_HEAP_BYTES_MAX);
    }
    return sonde_json_scan(&reader->scanner, data, length, err);
}

int sonde_heap_finish(struct sonde_heap_reader *reader, struct sonde_err *err)
{
    int code = sonde_json_scan_finish(&reader->scanner, err);
    if (code == 0 && reader->done != SONDE_HEAP_STRINGS) {
        code = malformed(err, "a section is missing: V8 writes snapshot, nodes, edges and strings");
    }
    return code;
}

void sonde_heap_fini(struct sonde_heap *heap)
{
    if (!heap) {
        return;
    }
    free(heap->types);
    free(heap->name_of);
    free(heap->ids);
    free(heap->sizes);
    free(heap->first_edges);
    free(heap->edges);
    free(heap->large);
    free(heap->names.kept);
    free(heap->names.ranks);
    free(heap->names.ends);
    free(heap->names.text);
    *heap = (struct sonde_heap){0};
}
