/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "graph.h"
#include "heap/numbers.h"

/* ---- numbers ---- */

/* Reads an array, without its opening bracket, in pieces of `step` bytes. */
static int read_numbers(const char *text, size_t step, uint64_t *ret, size_t *ret_count,
                        struct sonde_err *err)
{
    static struct sonde_heap_numbers numbers;
    sonde_heap_numbers_begin(&numbers);
    size_t length = strlen(text);
    bool done = false;
    int code = 0;
    size_t count = 0;
    for (size_t at = 0; at < length && !done && code == 0;) {
        size_t left = length - at;
        size_t taken;
        code = sonde_heap_numbers_read(&numbers, text + at, left < step ? left : step, at, &taken,
                                       &done, err);
        assert_true(taken > 0);
        at += taken;
        memcpy(ret + count, numbers.values, numbers.count * sizeof(*ret));
        count += numbers.count;
        numbers.count = 0;
    }
    *ret_count = count;
    return code ? code : done ? 0 : SONDE_EPARSE;
}

static void numbers_of_every_length_come_through_any_split(void **state)
{
    (void)state;
    static const char text[] =
        "0,1,12,123,1234\n,12345,123456,1234567,12345678,123456789\n,1234567890,12345678901,"
        "4294967295,4294967296,9007199254740992,18446744073709551615 , 7\r\n,\t8,10,100\n]";
    static const uint64_t expected[] = {0,
                                        1,
                                        12,
                                        123,
                                        1234,
                                        12345,
                                        123456,
                                        1234567,
                                        12345678,
                                        123456789,
                                        1234567890,
                                        12345678901,
                                        4294967295,
                                        4294967296,
                                        9007199254740992,
                                        18446744073709551615U,
                                        7,
                                        8,
                                        10,
                                        100};
    for (size_t step = 1; step < sizeof(text); step++) {
        uint64_t values[64];
        size_t count;
        struct sonde_err err = {0};
        assert_int_equal(read_numbers(text, step, values, &count, &err), 0);
        assert_int_equal(count, SONDE_LENGTH(expected));
        assert_memory_equal(values, expected, sizeof(expected));
    }
}

static void a_batch_that_is_full_goes_on_in_the_next(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    enum { COUNT = 3 * SONDE_HEAP_BATCH + 1 };
    for (unsigned i = 0; i < COUNT; i++) {
        sonde_buf_printf(&text, "%s%u", i ? "," : "", i * 7);
    }
    sonde_buf_char(&text, ']');
    static uint64_t values[COUNT];
    size_t count;
    assert_int_equal(read_numbers(text.data, 1000, values, &count, NULL), 0);
    assert_int_equal(count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(values[i], i * 7);
    }
}

static void what_is_no_number_is_refused_with_its_offset(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *message;
    } rows[] = {
        {"1,2,-3]", SONDE_EPARSE, "byte 4: no number where"},
        {"1,2,3.5]", SONDE_EPARSE, "byte 5: neither a number"},
        {"1,2,3e5]", SONDE_EPARSE, "byte 5: neither"},
        {"1,02]", SONDE_EPARSE, "byte 3: neither"},
        {"00]", SONDE_EPARSE, "byte 1: neither"},
        {"1,00000002,33333333333333333]", SONDE_EPARSE, "byte 3: neither"},
        {"1,,2]", SONDE_EPARSE, "byte 2: no number"},
        {"1,]", SONDE_EPARSE, "byte 2: no number"},
        {",1]", SONDE_EPARSE, "byte 0: no number"},
        {"1 2]", SONDE_EPARSE, "byte 2: neither"},
        {"1\n\n2]", SONDE_EPARSE, "byte 3: neither"},
        {"1,\"2\"]", SONDE_EPARSE, "byte 2: no number"},
        {"1,null]", SONDE_EPARSE, "byte 2: no number"},
        {"1,[2]]", SONDE_EPARSE, "byte 2: no number"},
        {"1}", SONDE_EPARSE, "byte 1: neither"},
        {"1,2\x80,3,4,5,6,7,8,9,10,11,12]", SONDE_EPARSE, "byte 3: neither"},
        {"1:2,3,4,5,6,7,8,9,10,11,12]", SONDE_EPARSE, "byte 1: neither"},
        {"18446744073709551616]", SONDE_ELIMIT, "byte 19: a number beyond 64 bits"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        for (size_t step = 1; step < 40; step++) {
            uint64_t values[64];
            size_t count;
            struct sonde_err err = {0};
            assert_int_equal(read_numbers(rows[i].text, step, values, &count, &err), rows[i].code);
            if (!strstr(err.message, rows[i].message)) {
                fail_msg("%s: %s", rows[i].text, err.message);
            }
        }
    }
}

/* ---- snapshots ---- */

static void make_small(struct graph *graph)
{
    graph_roots(graph);
    uint32_t server = graph_node(graph, SONDE_HEAP_OBJECT, "Server", 40);
    uint32_t text = graph_node(graph, SONDE_HEAP_STRING, "a secret \"quoted\"\n text", 48);
    uint32_t map = graph_node(graph, SONDE_HEAP_OBJECT, "Map", 16);
    (void)graph_edge(graph, 2, SONDE_HEAP_EDGE_PROPERTY, "server", server);
    (void)graph_edge(graph, server, SONDE_HEAP_EDGE_PROPERTY, "r\xc3\xb6utes", map);
    (void)graph_index(graph, server, SONDE_HEAP_EDGE_ELEMENT, 4000000000U, text);
    (void)graph_edge(graph, map, SONDE_HEAP_EDGE_WEAK, "weak", server);
    graph->nodes[server].detachedness = SONDE_HEAP_DETACHED;
    graph->nodes[map].size = 5ULL << 32;
}

static void everything_is_where_it_belongs_in_any_split(void **state)
{
    (void)state;
    static struct graph graph;
    graph = (struct graph){0};
    make_small(&graph);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    graph_write(&graph, &text);
    for (size_t step = 1; step <= text.length; step = step < 64 ? step + 1 : step * 2) {
        struct sonde_heap heap;
        struct sonde_err err = {0};
        if (graph_read_text(sonde_buf_view(&text), step, &heap, &err) < 0) {
            fail_msg("%zu: %s", step, err.message);
        }
        assert_int_equal(heap.node_count, 6);
        assert_int_equal(heap.edge_count, 6);
        assert_int_equal(heap.root, 0);
        assert_int_equal(heap.ids[3], 7);
        assert_int_equal(sonde_heap_type(&heap, 3), SONDE_HEAP_OBJECT);
        assert_int_equal(sonde_heap_detachedness(&heap, 3), SONDE_HEAP_DETACHED);
        assert_int_equal(sonde_heap_detachedness(&heap, 2), SONDE_HEAP_UNKNOWN);
        assert_true(sonde_str_is(sonde_heap_node_name(&heap, 3), "Server"));
        assert_int_equal(sonde_heap_size(&heap, 3), 40);
        assert_int_equal(sonde_heap_size(&heap, 5), 5ULL << 32);
        assert_int_equal(heap.total_size, 10 + 40 + 48 + (5ULL << 32));
        uint32_t first = heap.first_edges[3];
        assert_int_equal(heap.first_edges[4] - first, 2);
        assert_true(
            sonde_str_is(sonde_heap_string(&heap, heap.edges[first].name), "r\xc3\xb6utes"));
        assert_int_equal(heap.edges[first].to, 5);
        assert_int_equal(heap.edges[first + 1].type, SONDE_HEAP_EDGE_ELEMENT);
        assert_int_equal(heap.edges[first + 1].name, 4000000000U);
        /* The text of a string is not a name. */
        assert_int_equal(sonde_heap_node_name(&heap, 4).length, 0);
        sonde_heap_fini(&heap);
    }
}

static void escapes_are_undone_and_long_names_cut(void **state)
{
    (void)state;
    static struct graph graph;
    graph = (struct graph){0};
    static char name[2000];
    memset(name, 'x', sizeof(name) - 1);
    name[SONDE_HEAP_NAME_MAX - 1] = '\xc3';
    name[SONDE_HEAP_NAME_MAX] = '\xa4';
    graph_roots(&graph);
    (void)graph_node(&graph, SONDE_HEAP_OBJECT, "ESCAPED", 1);
    (void)graph_node(&graph, SONDE_HEAP_OBJECT, name, 1);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO escaped = SONDE_BUF(1 << 20);
    graph_write(&graph, &text);
    char *at = strstr(text.data, "ESCAPED");
    sonde_buf_append(&escaped, text.data, (size_t)(at - text.data));
    sonde_buf_text(&escaped,
                   "\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud83d\\ude00\\ud800x\\udc00\\ud83d");
    sonde_buf_text(&escaped, at + strlen("ESCAPED"));
    for (size_t step = 1; step < 100; step++) {
        struct sonde_heap heap;
        assert_int_equal(graph_read_text(sonde_buf_view(&escaped), step, &heap, NULL), 0);
        assert_true(sonde_str_is(sonde_heap_node_name(&heap, 3),
                                 "\"\\/\b\f\n\r\t\xc3\xa4\xf0\x9f\x98\x80\xef\xbf\xbdx\xef\xbf\xbd"
                                 "\xef\xbf\xbd"));
        assert_int_equal(sonde_heap_node_name(&heap, 4).length, SONDE_HEAP_NAME_MAX - 1);
        sonde_heap_fini(&heap);
    }
}

static void strings_that_are_there_more_than_once_are_counted(void **state)
{
    (void)state;
    static struct graph graph;
    graph_begin(&graph);
    for (int i = 0; i < 5; i++) {
        (void)graph_node(&graph, SONDE_HEAP_STRING, "five times", 24);
        (void)graph_node(&graph, SONDE_HEAP_STRING, "different sizes", 2000 + (uint64_t)i * 8);
    }
    (void)graph_node(&graph, SONDE_HEAP_STRING, "twice", 1000);
    (void)graph_node(&graph, SONDE_HEAP_STRING, "twice", 1000);
    (void)graph_node(&graph, SONDE_HEAP_STRING, "once", 4000);
    struct sonde_heap heap;
    graph_read(&graph, &heap);
    assert_int_equal(heap.duplicate_count, 2);
    assert_true(sonde_str_is(sonde_heap_node_name(&heap, heap.duplicates[0].node), "twice"));
    assert_int_equal(heap.duplicates[0].count, 2);
    assert_int_equal(heap.duplicates[0].wasted, 1000);
    assert_true(sonde_str_is(sonde_heap_node_name(&heap, heap.duplicates[1].node), "five times"));
    assert_int_equal(heap.duplicates[1].count, 5);
    assert_int_equal(heap.duplicates[1].wasted, 96);
    sonde_heap_fini(&heap);
}

static void only_the_costliest_duplicates_are_listed(void **state)
{
    (void)state;
    static struct graph graph;
    static char names[100][8];
    graph_begin(&graph);
    for (unsigned i = 0; i < 100; i++) {
        unsigned size = 8 * (1 + i * 37 % 100);
        (void)snprintf(names[i], sizeof(names[i]), "s%u", size);
        (void)graph_node(&graph, SONDE_HEAP_STRING, names[i], size);
        (void)graph_node(&graph, SONDE_HEAP_STRING, names[i], size);
    }
    struct sonde_heap heap;
    graph_read(&graph, &heap);
    assert_int_equal(heap.duplicate_count, SONDE_HEAP_DUPLICATES_MAX);
    for (unsigned i = 0; i < SONDE_HEAP_DUPLICATES_MAX; i++) {
        assert_int_equal(heap.duplicates[i].wasted, 8 * (100 - i));
    }
    sonde_heap_fini(&heap);
}

static void values_of_weak_maps_are_held_by_their_keys_only(void **state)
{
    (void)state;
    static struct graph graph;
    graph_begin(&graph);
    uint32_t table = graph_node(&graph, SONDE_HEAP_ARRAY, "table", 1);
    uint32_t key = graph_node(&graph, SONDE_HEAP_OBJECT, "Key", 1);
    uint32_t value = graph_node(&graph, SONDE_HEAP_OBJECT, "Value", 1);
    assert_int_equal(graph.nodes[table].id, 7);
    (void)graph_edge(&graph, table, SONDE_HEAP_EDGE_INTERNAL,
                     "1 / part of key (Key @9) -> value (Value @11) pair in WeakMap (table @7)",
                     value);
    (void)graph_edge(&graph, key, SONDE_HEAP_EDGE_INTERNAL,
                     "2 / part of key (Key @9) -> value (Value @11) pair in WeakMap (table @7)",
                     value);
    (void)graph_edge(&graph, table, SONDE_HEAP_EDGE_INTERNAL, "7 / part of key (no pair @7)",
                     value);
    struct sonde_heap heap;
    graph_read(&graph, &heap);
    const struct sonde_heap_edge *edges = &heap.edges[heap.first_edges[table]];
    assert_int_equal(edges[0].type, SONDE_HEAP_EDGE_TABLE);
    assert_int_equal(edges[1].type, SONDE_HEAP_EDGE_INTERNAL);
    assert_int_equal(heap.edges[heap.first_edges[key]].type, SONDE_HEAP_EDGE_INTERNAL);
    assert_true(sonde_str_is(sonde_heap_string(&heap, edges[0].name), "WeakMap pair @7"));
    sonde_heap_fini(&heap);
}

/* ---- what is refused ---- */

#define META                                                                                       \
    "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\","            \
    "\"edge_count\"],\"node_types\":[[\"hidden\",\"object\",\"future\"],\"string\"],"              \
    "\"edge_fields\":[\"type\",\"name_or_index\",\"to_node\"],\"edge_types\":[[\"property\","      \
    "\"element\",\"weak\",\"future\"],\"x\",\"node\"]}"
#define HEAD META "},"
#define COUNTS(nodes, edges) META ",\"node_count\":" nodes ",\"edge_count\":" edges "},"

static const struct {
    const char *text;
    int code;
    const char *message;
} refused[] = {
    {"[]", SONDE_EPARSE, "no object"},
    {"{}", SONDE_EPARSE, "a section is missing"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[]}", SONDE_EPARSE, "a section is missing"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[],\"strings\":[\"a\"", SONDE_EPARSE, "too early"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[],\"strings\":[\"a", SONDE_EPARSE, "too early"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[", SONDE_EPARSE, "too early"},
    {HEAD "\"nodes\":[0,0,1", SONDE_EPARSE, "too early"},
    {HEAD "\"edges\":[],\"nodes\":[0,0,1,8,0],\"strings\":[\"a\"]}", SONDE_EPARSE, "V8's order"},
    {HEAD "\"strings\":[\"a\"],\"nodes\":[0,0,1,8,0],\"edges\":[]}", SONDE_EPARSE, "V8's order"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"nodes\":[0,0,1,8,0]}", SONDE_EPARSE, "V8's order"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[],\"strings\":[\"a\"],\"strings\":[]}", SONDE_EPARSE,
     "V8's order"},
    {HEAD "\"snapshot\":{}}", SONDE_EPARSE, "V8's order"},
    {"{\"nodes\":[]}", SONDE_EPARSE, "V8's order"},
    {"{\"snapshot\":[]}", SONDE_EPARSE, "another type"},
    {"{\"snapshot\":7}", SONDE_EPARSE, "another type"},
    {HEAD "\"nodes\":{}}", SONDE_EPARSE, "another type"},
    {"{\"snapshot\":{}}", SONDE_EPARSE, "what its nodes are made of"},
    {"{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\","
     "\"edge_count\"],\"node_types\":[[\"hidden\"]]}}}",
     SONDE_EPARSE, "what its edges are made of"},
    {"{\"snapshot\":{\"meta\":{\"node_fields\":[\"name\",\"type\",\"id\",\"self_size\","
     "\"edge_count\"],\"node_types\":[[\"hidden\"]]}}}",
     SONDE_EPARSE, "what its nodes are made of"},
    {HEAD "\"nodes\":[],\"edges\":[],\"strings\":[]}", SONDE_EPARSE, "no nodes"},
    {HEAD "\"nodes\":[0,0,1,8],", SONDE_EPARSE, "4 numbers too many for rows of 5"},
    {HEAD "\"nodes\":[3,0,1,8,0],", SONDE_EPARSE, "the unknown type 3, in row 0"},
    {HEAD "\"nodes\":[0,0,4294967296,8,0],", SONDE_EPARSE, "the id 4294967296"},
    {HEAD "\"nodes\":[0,134217728,1,8,0],", SONDE_ELIMIT, "134217728 strings"},
    {HEAD "\"nodes\":[0,0,1,8,400000001],", SONDE_ELIMIT, "400000000 edges"},
    {HEAD "\"nodes\":[0,0,1,8,300000000,0,0,3,8,300000000],", SONDE_ELIMIT, "400000000 edges"},
    {HEAD "\"nodes\":[0,0,1,18446744073709551615,0,0,0,3,1,0],", SONDE_ELIMIT,
     "4503599627370496 bytes"},
    {HEAD "\"nodes\":[0,0,1,8,1],\"edges\":[]", SONDE_EPARSE, "0 edges, but its nodes have 1"},
    {HEAD "\"nodes\":[0,0,1,8,1],\"edges\":[0,0,0,0,0,0]", SONDE_EPARSE, "more edges than the 1"},
    {HEAD "\"nodes\":[0,0,1,8,1],\"edges\":[0,0,5]", SONDE_EPARSE, "no node 5, in row 0"},
    {HEAD "\"nodes\":[0,0,1,8,1],\"edges\":[0,0,4294967295]", SONDE_EPARSE, "no node 4294967295"},
    {HEAD "\"nodes\":[0,0,1,8,1],\"edges\":[0,0,4294967296]", SONDE_EPARSE, "no node 4294967296"},
    {HEAD "\"nodes\":[0,0,1,8,1,0,0,3,8,0],\"edges\":[0,0,4]", SONDE_EPARSE, "no node 4"},
    {HEAD "\"nodes\":[0,0,1,8,1],\"edges\":[4,0,0]", SONDE_EPARSE, "the unknown type 4"},
    {HEAD "\"nodes\":[0,0,1,8,1],\"edges\":[1,4294967296,0]", SONDE_EPARSE, "index 4294967296"},
    {HEAD "\"nodes\":[0,0,1,8,1],\"edges\":[0,134217728,0]", SONDE_ELIMIT, "134217728 strings"},
    {HEAD "\"nodes\":[0,1,1,8,0],\"edges\":[],\"strings\":[\"a\"]", SONDE_EPARSE,
     "the string 1 is missing of 1"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[],\"strings\":[]", SONDE_EPARSE,
     "the string 0 is missing of 0"},
    {HEAD "\"nodes\":[0,0,1,8,1],\"edges\":[0,7,0],\"strings\":[\"a\"]", SONDE_EPARSE,
     "the string 7 is missing"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[],\"strings\":[1]", SONDE_EPARSE, "neither a string"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[],\"strings\":[\"a\",]", SONDE_EPARSE, "neither"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[],\"strings\":[,\"a\"]", SONDE_EPARSE, "neither"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[],\"strings\":[\"a\" \"b\"]", SONDE_EPARSE, "neither"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[],\"strings\":[\"\\x\"]", SONDE_EPARSE, "escape"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[],\"strings\":[\"\\u12g4\"]", SONDE_EPARSE, "hexa"},
    {HEAD "\"nodes\":[0,0,1,8,0],\"edges\":[],\"strings\":[\"a\nb\"]", SONDE_EPARSE, "control"},
    {COUNTS("2", "0") "\"nodes\":[0,0,1,8,0],", SONDE_EPARSE, "1 nodes with 0 edges, but it"},
    {COUNTS("1", "1") "\"nodes\":[0,0,1,8,0],", SONDE_EPARSE, "announces 1 and 1"},
    {META ",\"root_index\":3},"
          "\"nodes\":[0,0,1,8,0],",
     SONDE_EPARSE, "its root is no node"},
    {META ",\"root_index\":5},"
          "\"nodes\":[0,0,1,8,0],",
     SONDE_EPARSE, "its root is no node"},
};

static void what_no_engine_writes_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SONDE_LENGTH(refused); i++) {
        struct sonde_str text = sonde_str(refused[i].text);
        for (size_t step = text.length; step; step = step > 7 ? step / 7 : step - 1) {
            struct sonde_heap heap;
            struct sonde_err err = {0};
            int code = graph_read_text(text, step, &heap, &err);
            sonde_heap_fini(&heap);
            if (code != refused[i].code || !strstr(err.message, refused[i].message)) {
                fail_msg("%s: %d, %s", text.data, code, err.message);
            }
        }
    }
}

static void unknown_types_fields_and_sections_are_carried_along(void **state)
{
    (void)state;
    static const char text[] =
        "{\"future\":[[1],{\"nodes\":[2]}],\"snapshot\":{\"title\":\"x\",\"meta\":{\"node_fields\":"
        "["
        "\"more\",\"id\",\"type\",\"edge_count\",\"name\",\"self_size\"],\"node_types\":["
        "\"number\","
        "\"number\",[\"future\",\"object\"],\"number\",\"string\",\"number\",[\"other\"]],"
        "\"edge_fields\":[\"to_node\",\"type\",\"name_or_index\",\"more\"],\"edge_types\":["
        "\"node\","
        "[\"future\",\"weak\"],\"x\",\"y\"],\"more\":[\"type\"]},\"root_index\":6},"
        "\"more\":null,\"nodes\":[9,1,0,0,0,8, 9,3,1,2,1,16],\"edges\":[0,0,2,7,6,1,2,7],"
        "\"strings\":[\"a\",\"B\",\"c\"],\"last\":{}}";
    for (size_t step = 1; step < sizeof(text); step++) {
        struct sonde_heap heap;
        struct sonde_err err = {0};
        if (graph_read_text(sonde_str(text), step, &heap, &err) < 0) {
            fail_msg("%s", err.message);
        }
        assert_int_equal(heap.root, 1);
        assert_int_equal(sonde_heap_type(&heap, 0), SONDE_HEAP_OTHER);
        assert_int_equal(sonde_heap_type(&heap, 1), SONDE_HEAP_OBJECT);
        assert_true(sonde_str_is(sonde_heap_node_name(&heap, 1), "B"));
        assert_int_equal(sonde_heap_size(&heap, 1), 16);
        assert_int_equal(heap.edges[0].type, SONDE_HEAP_EDGE_OTHER);
        assert_int_equal(heap.edges[0].to, 0);
        assert_int_equal(heap.edges[1].type, SONDE_HEAP_EDGE_WEAK);
        assert_int_equal(heap.edges[1].to, 1);
        sonde_heap_fini(&heap);
    }
}

/* ---- the bound of memory ---- */

/* Returns what the reader did; *ret_taken gets the bytes it had when it ended. */
static int read_bounded(struct sonde_str text, uint64_t bytes, size_t *ret_taken,
                        struct sonde_err *err)
{
    struct sonde_heap heap = {0};
    struct sonde_heap_reader *reader;
    int code = sonde_heap_reader_new(&heap, &reader, err);
    assert_int_equal(code, 0);
    sonde_heap_reader_bound(reader, bytes, false, 0);
    for (*ret_taken = 0; *ret_taken < text.length && code == 0;) {
        size_t left = text.length - *ret_taken;
        size_t length = left < 100 ? left : 100;
        code = sonde_heap_feed(reader, text.data + *ret_taken, length, err);
        *ret_taken += length;
    }
    code = code ? code : sonde_heap_finish(reader, err);
    sonde_heap_reader_free(reader);
    sonde_heap_fini(&heap);
    return code;
}

static void a_snapshot_beyond_the_bound_is_refused_at_its_head(void **state)
{
    (void)state;
    static const char text[] = META ",\"node_count\":10000000,\"edge_count\":30000000},"
                                    "\"nodes\":[0,0,1,16,0";
    struct sonde_err err = {0};
    size_t taken;
    assert_int_equal(read_bounded(sonde_str(text), 128000000, &taken, &err), SONDE_ELIMIT);
    assert_string_equal(
        err.message,
        "heap snapshot: analysing 10000000 objects with 30000000 references and their names takes "
        "up to 787 MB of memory, and it may take 128 MB");
    uint64_t enough = sonde_heap_memory(10000000, 30000000, false);
    assert_int_equal(read_bounded(sonde_str(text), enough, &taken, &err), SONDE_EPARSE);
}

/* What the head says may be a lie, or not be there. */
static void a_snapshot_that_grows_beyond_the_bound_is_refused(void **state)
{
    (void)state;
    static const char *const heads[] = {META "},", META ",\"node_count\":1,\"edge_count\":1},",
                                        META ",\"node_count\":1e30,\"edge_count\":0},"};
    for (size_t i = 0; i < SONDE_LENGTH(heads); i++) {
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
        struct sonde_err err = {0};
        size_t taken;
        sonde_buf_printf(&text, "%s\"nodes\":[0,0,1,16,0", heads[i]);
        for (int k = 0; k < 20000; k++) {
            sonde_buf_text(&text, ",0,0,3,16,0");
        }
        int r =
            read_bounded(sonde_buf_view(&text), sonde_heap_memory(1000, 0, false), &taken, &err);
        assert_int_equal(r, SONDE_ELIMIT);
        assert_true(taken < text.length / 2);
        assert_non_null(strstr(err.message, "and it may take 16 MB"));
    }
    /* Edges that are only promised, and names of which one stands far away. */
    static const char *const nodes[] = {"\"nodes\":[0,0,1,16,300000000],\"edges\":[",
                                        "\"nodes\":[0,120000000,1,16,0],\"edges\":["};
    for (size_t i = 0; i < SONDE_LENGTH(nodes); i++) {
        char text[1024];
        struct sonde_err err = {0};
        size_t taken;
        (void)snprintf(text, sizeof(text), "%s%s", heads[0], nodes[i]);
        assert_int_equal(read_bounded(sonde_str(text), 64 << 20, &taken, &err), SONDE_ELIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_length_come_through_any_split),
        cmocka_unit_test(a_batch_that_is_full_goes_on_in_the_next),
        cmocka_unit_test(what_is_no_number_is_refused_with_its_offset),
        cmocka_unit_test(everything_is_where_it_belongs_in_any_split),
        cmocka_unit_test(escapes_are_undone_and_long_names_cut),
        cmocka_unit_test(strings_that_are_there_more_than_once_are_counted),
        cmocka_unit_test(only_the_costliest_duplicates_are_listed),
        cmocka_unit_test(values_of_weak_maps_are_held_by_their_keys_only),
        cmocka_unit_test(what_no_engine_writes_is_refused),
        cmocka_unit_test(unknown_types_fields_and_sections_are_carried_along),
        cmocka_unit_test(a_snapshot_beyond_the_bound_is_refused_at_its_head),
        cmocka_unit_test(a_snapshot_that_grows_beyond_the_bound_is_refused),
    };
    return cmocka_run_group_tests_name("heap_snapshot", tests, NULL, NULL);
}
