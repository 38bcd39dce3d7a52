/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "graph.h"
#include "heap/classes.h"
#include "heap/retainers.h"

struct analysis {
    struct sonde_heap heap;
    struct sonde_heap_tree tree;
    struct sonde_heap_classes classes;
    struct sonde_heap_paths paths;
};

static void analyze(const struct graph *graph, struct analysis *a)
{
    graph_read(graph, &a->heap);
    assert_int_equal(sonde_heap_dominate(&a->heap, &a->tree, NULL), 0);
    assert_int_equal(sonde_heap_classify(&a->heap, &a->tree, &a->classes, NULL), 0);
    assert_int_equal(sonde_heap_find_paths(&a->heap, &a->paths, NULL), 0);
}

static void analysis_fini(struct analysis *a)
{
    sonde_heap_paths_fini(&a->paths);
    sonde_heap_classes_fini(&a->classes);
    sonde_heap_tree_fini(&a->tree);
    sonde_heap_fini(&a->heap);
}

static const struct sonde_heap_class *class_of(const struct analysis *a, const char *name)
{
    for (uint32_t i = 0; i < a->classes.count; i++) {
        if (sonde_str_is(a->classes.rows[i].name, name)) {
            return &a->classes.rows[i];
        }
    }
    fail_msg("no class %s", name);
    return NULL;
}

static void assert_path(const struct analysis *a, uint32_t node, const char *expected)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_HEAP_PATH_TEXT_MAX);
    sonde_heap_path_text(&a->heap, &a->paths, node, &text);
    assert_int_equal(text.code, 0);
    assert_string_equal(text.data, expected);
}

/* global.server → Server.routes → Map (its table) → two Sessions, one within the other. */
struct service {
    uint32_t server, map, table, outer, inner, user, text, handler, context, cache;
};

static struct service make_service(struct graph *graph)
{
    struct service s;
    graph_begin(graph);
    s.server = graph_node(graph, SONDE_HEAP_OBJECT, "Server", 100);
    s.map = graph_node(graph, SONDE_HEAP_OBJECT, "Map", 20);
    s.table = graph_node(graph, SONDE_HEAP_ARRAY, "", 300);
    s.outer = graph_node(graph, SONDE_HEAP_OBJECT, "Session", 40);
    s.inner = graph_node(graph, SONDE_HEAP_OBJECT, "Session", 40);
    s.user = graph_node(graph, SONDE_HEAP_OBJECT, "User", 30);
    s.text = graph_node(graph, SONDE_HEAP_STRING, "secret", 1000);
    s.handler = graph_node(graph, SONDE_HEAP_CLOSURE, "onRequest", 64);
    s.context = graph_node(graph, SONDE_HEAP_OBJECT, "system / Context", 32);
    s.cache = graph_node(graph, SONDE_HEAP_OBJECT, "Cache", 16);
    (void)graph_edge(graph, 2, SONDE_HEAP_EDGE_PROPERTY, "server", s.server);
    (void)graph_edge(graph, s.server, SONDE_HEAP_EDGE_PROPERTY, "routes", s.map);
    (void)graph_edge(graph, s.server, SONDE_HEAP_EDGE_PROPERTY, "on request", s.handler);
    (void)graph_edge(graph, s.map, SONDE_HEAP_EDGE_INTERNAL, "table", s.table);
    (void)graph_edge(graph, s.table, SONDE_HEAP_EDGE_INTERNAL, "17", s.outer);
    (void)graph_edge(graph, s.outer, SONDE_HEAP_EDGE_PROPERTY, "child", s.inner);
    (void)graph_edge(graph, s.inner, SONDE_HEAP_EDGE_PROPERTY, "user", s.user);
    (void)graph_index(graph, s.user, SONDE_HEAP_EDGE_ELEMENT, 3, s.text);
    (void)graph_edge(graph, s.handler, SONDE_HEAP_EDGE_INTERNAL, "context", s.context);
    (void)graph_edge(graph, s.context, SONDE_HEAP_EDGE_CONTEXT, "cache", s.cache);
    return s;
}

static void classes_have_counts_and_sizes(void **state)
{
    (void)state;
    static struct graph graph;
    struct service s = make_service(&graph);
    struct analysis a;
    analyze(&graph, &a);
    const struct sonde_heap_class *session = class_of(&a, "Session");
    assert_int_equal(session->count, 2);
    assert_int_equal(session->shallow, 80);
    assert_int_equal(session->retained, 40 + 40 + 30 + 1000); /* the inner one is in the outer */
    assert_int_equal(session->largest, s.outer);
    assert_int_equal(class_of(&a, "(string)")->retained, 1000);
    assert_int_equal(class_of(&a, "(array)")->retained, 300 + 1110);
    assert_int_equal(class_of(&a, "Function")->retained, 64 + 32 + 16);
    assert_int_equal(class_of(&a, "(synthetic)")->count, 0);
    assert_int_equal(class_of(&a, "(synthetic)")->retained, 0);
    assert_true(&a.classes.rows[a.classes.of[s.user]] == class_of(&a, "User"));
    for (uint32_t i = 1; i < a.classes.count; i++) {
        assert_true(a.classes.rows[i - 1].retained >= a.classes.rows[i].retained);
    }
    analysis_fini(&a);
}

static void what_is_kept_for_one_object_counts_as_its_own(void **state)
{
    (void)state;
    static struct graph graph;
    struct service s = make_service(&graph);
    uint32_t shared = graph_node(&graph, SONDE_HEAP_ARRAY, "shared", 7);
    uint32_t below = graph_node(&graph, SONDE_HEAP_HIDDEN, "below", 5);
    uint32_t huge = graph_node(&graph, SONDE_HEAP_ARRAY, "huge", 6ULL << 32);
    (void)graph_edge(&graph, s.outer, SONDE_HEAP_EDGE_INTERNAL, "x", shared);
    (void)graph_edge(&graph, s.inner, SONDE_HEAP_EDGE_INTERNAL, "x", shared);
    (void)graph_edge(&graph, shared, SONDE_HEAP_EDGE_INTERNAL, "x", below);
    (void)graph_edge(&graph, s.user, SONDE_HEAP_EDGE_INTERNAL, "x", huge);
    (void)graph_edge(&graph, s.inner, SONDE_HEAP_EDGE_WEAK, "x", s.table);
    struct sonde_heap heap;
    graph_read(&graph, &heap);
    uint64_t total = heap.total_size;
    assert_int_equal(sonde_heap_attribute_sizes(&heap, NULL), 0);
    assert_int_equal(sonde_heap_size(&heap, s.map), 320);
    assert_int_equal(sonde_heap_size(&heap, s.table), 0);
    assert_int_equal(sonde_heap_size(&heap, shared), 7); /* of two sessions */
    assert_int_equal(sonde_heap_size(&heap, below), 5);
    assert_int_equal(sonde_heap_size(&heap, huge), 0);
    assert_int_equal(sonde_heap_size(&heap, s.user), 30 + (6ULL << 32));
    uint64_t sum = 0;
    for (uint32_t i = 0; i < heap.node_count; i++) {
        sum += sonde_heap_size(&heap, i);
    }
    assert_int_equal(sum, total);
    sonde_heap_fini(&heap);
}

static void without_a_global_object_sizes_stay_where_they_are(void **state)
{
    (void)state;
    static struct graph graph;
    graph = (struct graph){0};
    uint32_t root = graph_node(&graph, SONDE_HEAP_SYNTHETIC, "", 0);
    uint32_t group = graph_node(&graph, SONDE_HEAP_SYNTHETIC, "(GC roots)", 0);
    uint32_t map = graph_node(&graph, SONDE_HEAP_OBJECT, "Map", 8);
    uint32_t table = graph_node(&graph, SONDE_HEAP_ARRAY, "", 80);
    (void)graph_index(&graph, root, SONDE_HEAP_EDGE_ELEMENT, 1, group);
    (void)graph_index(&graph, group, SONDE_HEAP_EDGE_ELEMENT, 1, map);
    (void)graph_edge(&graph, map, SONDE_HEAP_EDGE_INTERNAL, "table", table);
    struct sonde_heap heap;
    graph_read(&graph, &heap);
    assert_int_equal(sonde_heap_attribute_sizes(&heap, NULL), 0);
    assert_int_equal(sonde_heap_size(&heap, table), 80);
    sonde_heap_fini(&heap);
}

static void paths_name_what_a_person_wrote(void **state)
{
    (void)state;
    static struct graph graph;
    struct service s = make_service(&graph);
    uint32_t lost = graph_node(&graph, SONDE_HEAP_OBJECT, "Lost", 1);
    uint32_t system = graph_node(&graph, SONDE_HEAP_OBJECT, "Handle", 1);
    (void)graph_edge(&graph, s.user, SONDE_HEAP_EDGE_WEAK, "x", lost);
    (void)graph_index(&graph, 1, SONDE_HEAP_EDGE_ELEMENT, 5, system);
    struct analysis a;
    analyze(&graph, &a);
    assert_path(&a, s.user,
                "global.server → Server.routes → Map[17] → Session.child → Session.user "
                "→ User");
    assert_path(&a, s.text,
                "global.server → Server.routes → Map[17] → Session.child → Session.user "
                "→ User[3] → (string)");
    assert_path(&a, s.cache, "global.server → Server[\"on request\"] → onRequest(){cache} → Cache");
    assert_path(&a, s.table, "global.server → Server.routes → Map → (array)");
    assert_path(&a, system, "(GC roots) → Handle");
    assert_path(&a, 2, "global");
    assert_path(&a, 0, "(root)");
    assert_path(&a, lost, "Lost");
    assert_int_equal(sonde_heap_distance(&a.heap, &a.paths, 2), 1);
    assert_int_equal(sonde_heap_distance(&a.heap, &a.paths, s.user), 7);
    assert_int_equal(sonde_heap_distance(&a.heap, &a.paths, system),
                     SONDE_HEAP_SYSTEM_DISTANCE + 2);
    assert_int_equal(sonde_heap_distance(&a.heap, &a.paths, lost), SONDE_HEAP_NONE);
    analysis_fini(&a);
}

static void detours_are_not_taken(void **state)
{
    (void)state;
    static struct graph graph;
    struct service s = make_service(&graph);
    uint32_t descriptors = graph_node(&graph, SONDE_HEAP_ARRAY, "(map descriptors)", 1);
    uint32_t native = graph_node(&graph, SONDE_HEAP_HIDDEN, "system / NativeContext", 1);
    uint32_t kept = graph_node(&graph, SONDE_HEAP_OBJECT, "Kept", 1);
    (void)graph_edge(&graph, 2, SONDE_HEAP_EDGE_INTERNAL, "map", descriptors);
    (void)graph_edge(&graph, 2, SONDE_HEAP_EDGE_INTERNAL, "native_context", native);
    (void)graph_edge(&graph, descriptors, SONDE_HEAP_EDGE_INTERNAL, "4", s.user);
    (void)graph_index(&graph, descriptors, SONDE_HEAP_EDGE_HIDDEN, 7, s.user);
    (void)graph_edge(&graph, descriptors, SONDE_HEAP_EDGE_INTERNAL, "5", kept);
    (void)graph_edge(&graph, native, SONDE_HEAP_EDGE_INTERNAL, "sloppy_function_map", s.user);
    struct analysis a;
    analyze(&graph, &a);
    assert_int_equal(sonde_heap_distance(&a.heap, &a.paths, kept), 3);
    assert_int_equal(sonde_heap_distance(&a.heap, &a.paths, s.user), 7);
    analysis_fini(&a);
}

static void long_paths_lose_their_middle(void **state)
{
    (void)state;
    static struct graph graph;
    for (uint32_t length = 1; length < 120; length++) {
        graph_begin(&graph);
        uint32_t last = 2;
        for (uint32_t i = 0; i < length; i++) {
            uint32_t next = graph_node(&graph, SONDE_HEAP_OBJECT, "Link", 1);
            (void)graph_edge(&graph, last, SONDE_HEAP_EDGE_PROPERTY, "next", next);
            last = next;
        }
        struct analysis a;
        analyze(&graph, &a);
        SONDE_BUF_AUTO text = SONDE_BUF(SONDE_HEAP_PATH_TEXT_MAX);
        sonde_heap_path_text(&a.heap, &a.paths, last, &text);
        uint32_t links = 0;
        for (const char *at = strstr(text.data, "Link"); at; at = strstr(at + 1, "Link")) {
            links++;
        }
        bool whole = length + 1 <= SONDE_HEAP_PATH_NEAR + SONDE_HEAP_PATH_FAR;
        uint32_t shown = SONDE_HEAP_PATH_NEAR + SONDE_HEAP_PATH_FAR - 1;
        assert_int_equal(links, whole ? length : shown);
        assert_true(sonde_str_starts(sonde_buf_view(&text), "global.next → Link"));
        assert_true(sonde_str_ends(sonde_buf_view(&text), ".next → Link"));
        assert_int_equal(strstr(text.data, "→ …") == NULL, whole);
        analysis_fini(&a);
    }
}

static void the_largest_make_a_tree(void **state)
{
    (void)state;
    static struct graph graph;
    struct service s = make_service(&graph);
    struct analysis a;
    analyze(&graph, &a);
    for (size_t maximum = 1; maximum <= graph.node_count + 2U; maximum++) {
        struct sonde_heap_top rows[GRAPH_NODES];
        size_t count;
        assert_int_equal(sonde_heap_find_top(&a.heap, &a.tree, maximum, rows, &count, NULL), 0);
        assert_true(count <= maximum && count >= 1);
        assert_int_equal(rows[0].node, 0);
        assert_int_equal(rows[0].parent, 0);
        for (size_t i = 1; i < count; i++) {
            assert_int_equal(rows[i].retained, a.tree.retained[rows[i].node]);
            assert_int_equal(rows[rows[i].parent].node, a.tree.dominators[rows[i].node]);
            assert_true(i == 1 || rows[i - 1].retained >= rows[i].retained);
        }
        if (maximum >= graph.node_count) {
            assert_int_equal(count, graph.node_count);
        }
        if (maximum == 4) {
            assert_int_equal(count, 4);
            assert_int_equal(rows[1].node, 2);
            assert_int_equal(rows[2].node, s.server);
            assert_int_equal(rows[3].node, s.map);
        }
    }
    analysis_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_have_counts_and_sizes),
        cmocka_unit_test(what_is_kept_for_one_object_counts_as_its_own),
        cmocka_unit_test(without_a_global_object_sizes_stay_where_they_are),
        cmocka_unit_test(paths_name_what_a_person_wrote),
        cmocka_unit_test(detours_are_not_taken),
        cmocka_unit_test(long_paths_lose_their_middle),
        cmocka_unit_test(the_largest_make_a_tree),
    };
    return cmocka_run_group_tests_name("heap_classes", tests, NULL, NULL);
}
