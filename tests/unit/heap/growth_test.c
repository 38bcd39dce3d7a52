/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "graph.h"
#include "heap/growth.h"

struct analysis {
    struct sonde_heap heap;
    struct sonde_heap_tree tree;
    struct sonde_heap_classes classes;
    struct sonde_heap_paths paths;
    struct sonde_heap_census census;
};

static void analyze(const struct graph *graph, struct analysis *a)
{
    graph_read(graph, &a->heap);
    assert_int_equal(sonde_heap_dominate(&a->heap, &a->tree, NULL), 0);
    assert_int_equal(sonde_heap_classify(&a->heap, &a->tree, &a->classes, NULL), 0);
    assert_int_equal(sonde_heap_find_paths(&a->heap, &a->paths, NULL), 0);
    assert_int_equal(sonde_heap_census_take(&a->heap, &a->classes, &a->census, NULL), 0);
    assert_int_equal(sonde_heap_census_keep_classes(&a->census, &a->classes, NULL), 0);
}

static void analysis_fini(struct analysis *a)
{
    sonde_heap_census_fini(&a->census);
    sonde_heap_paths_fini(&a->paths);
    sonde_heap_classes_fini(&a->classes);
    sonde_heap_tree_fini(&a->tree);
    sonde_heap_fini(&a->heap);
}

static const struct sonde_heap_growth_row *row_of(const struct sonde_heap_growth *growth,
                                                  const char *name)
{
    for (uint32_t i = 0; i < growth->count; i++) {
        if (sonde_str_is(growth->rows[i].name, name)) {
            return &growth->rows[i];
        }
    }
    fail_msg("no class %s", name);
    return NULL;
}

/* global.cache → Cache → Entries, each with a Value, and global.current → Entry. */
static void make(struct graph *graph, uint32_t first_id, uint32_t entries, bool gone)
{
    graph_begin(graph);
    uint32_t cache = graph_node(graph, SONDE_HEAP_OBJECT, "Cache", 16);
    uint32_t current = graph_node(graph, SONDE_HEAP_OBJECT, "Entry", 24);
    (void)graph_edge(graph, 2, SONDE_HEAP_EDGE_PROPERTY, "cache", cache);
    (void)graph_edge(graph, 2, SONDE_HEAP_EDGE_PROPERTY, "current", current);
    graph->nodes[current].id = first_id;
    for (uint32_t i = 0; i < entries; i++) {
        uint32_t entry = graph_node(graph, SONDE_HEAP_OBJECT, "Entry", 24);
        uint32_t value = graph_node(graph, SONDE_HEAP_OBJECT, "Value", 100);
        (void)graph_index(graph, cache, SONDE_HEAP_EDGE_ELEMENT, i, entry);
        (void)graph_edge(graph, entry, SONDE_HEAP_EDGE_PROPERTY, "value", value);
        graph->nodes[entry].id = 1001 + 4 * i;
        graph->nodes[value].id = 1003 + 4 * i;
    }
    if (gone) {
        uint32_t old = graph_node(graph, SONDE_HEAP_OBJECT, "Old", 64);
        (void)graph_edge(graph, 2, SONDE_HEAP_EDGE_PROPERTY, "old", old);
        graph->nodes[old].id = 99;
    }
}

static void classes_that_grew_are_suspects_with_a_typical_object(void **state)
{
    (void)state;
    static struct graph graph;
    struct analysis before;
    struct analysis after;
    make(&graph, 101, 10, true);
    analyze(&graph, &before);
    make(&graph, 103, 40, false);
    analyze(&graph, &after);
    struct sonde_heap_growth growth;
    assert_int_equal(sonde_heap_compare(&before.census, &after.census, &after.heap, &after.classes,
                                        &after.paths, &growth, NULL),
                     0);
    const struct sonde_heap_growth_row *entry = row_of(&growth, "Entry");
    assert_false(growth.numbered_anew);
    assert_int_equal(entry->added, 31); /* one of them in place of another */
    assert_int_equal(entry->freed, 1);
    assert_int_equal(entry->added_size, 31 * 24);
    assert_int_equal(entry->freed_size, 24);
    assert_int_equal(entry->before, 11);
    assert_int_equal(entry->after, 41);
    assert_int_equal(entry->size_delta, 30 * 24);
    assert_int_equal(entry->retained_delta, 30 * 124);
    const struct sonde_heap_growth_row *old = row_of(&growth, "Old");
    assert_int_equal(old->freed, 1);
    assert_int_equal(old->size_delta, -64);
    assert_int_equal(old->after, 0);
    assert_true(&growth.rows[growth.count - 1] == old);
    assert_true(&growth.rows[0] == row_of(&growth, "Value"));
    assert_int_equal(growth.suspect_count, 2);
    assert_true(&growth.rows[growth.suspects[0]] == entry);
    assert_int_equal(entry->sampled, 31);
    assert_int_equal(entry->alike, 30); /* the one that is held otherwise is not typical */
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_HEAP_PATH_TEXT_MAX);
    sonde_heap_path_text(&after.heap, &after.paths, entry->typical, &text);
    assert_string_equal(text.data, "global.cache → Cache[10] → Entry");
    sonde_heap_growth_fini(&growth);
    analysis_fini(&before);
    analysis_fini(&after);
}

/* As when the inspector was closed: the numbers are there again, for other objects. */
static void objects_that_were_numbered_anew_are_only_counted(void **state)
{
    (void)state;
    static struct graph graph;
    struct analysis before;
    struct analysis after;
    make(&graph, 101, 10, true);
    analyze(&graph, &before);
    make(&graph, 101, 40, false);
    for (uint32_t i = 5; i < graph.node_count; i++) {
        graph.nodes[i].id ^= 2;
    }
    analyze(&graph, &after);
    struct sonde_heap_growth growth;
    assert_int_equal(sonde_heap_compare(&before.census, &after.census, &after.heap, &after.classes,
                                        &after.paths, &growth, NULL),
                     0);
    assert_true(growth.numbered_anew);
    const struct sonde_heap_growth_row *entry = row_of(&growth, "Entry");
    assert_int_equal(entry->added, 30);
    assert_int_equal(entry->freed, 0);
    assert_int_equal(entry->added_size, 30 * 24);
    assert_int_equal(entry->freed_size, 0);
    assert_int_equal(entry->retained_delta, 30 * 124);
    assert_int_equal(entry->sampled, 41);
    assert_int_equal(entry->alike, 40);
    const struct sonde_heap_growth_row *old = row_of(&growth, "Old");
    assert_int_equal(old->added, 0);
    assert_int_equal(old->freed, 1);
    assert_true(&growth.rows[growth.suspects[0]] == entry);
    sonde_heap_growth_fini(&growth);
    analysis_fini(&before);
    analysis_fini(&after);
}

static void the_same_snapshot_twice_has_no_growth(void **state)
{
    (void)state;
    static struct graph graph;
    struct analysis a;
    make(&graph, 101, 30, true);
    analyze(&graph, &a);
    struct sonde_heap_growth growth;
    assert_int_equal(
        sonde_heap_compare(&a.census, &a.census, &a.heap, &a.classes, &a.paths, &growth, NULL), 0);
    assert_int_equal(growth.suspect_count, 0);
    assert_true(growth.count > 3);
    for (uint32_t i = 0; i < growth.count; i++) {
        assert_int_equal(growth.rows[i].added + growth.rows[i].freed, 0);
        assert_int_equal(growth.rows[i].size_delta, 0);
        assert_int_equal(growth.rows[i].retained_delta, 0);
    }
    sonde_heap_growth_fini(&growth);
    analysis_fini(&a);
}

static void ids_of_any_size_are_sorted(void **state)
{
    (void)state;
    static struct graph graph;
    make(&graph, 4294967295U, 100, true);
    for (uint32_t i = 3; i < graph.node_count; i++) {
        graph.nodes[i].id = i * 2654435761U;
    }
    struct analysis a;
    analyze(&graph, &a);
    assert_int_equal(a.census.object_count, graph.node_count - 2); /* without the synthetic ones */
    for (uint32_t i = 1; i < a.census.object_count; i++) {
        assert_true(a.census.objects[i - 1].id <= a.census.objects[i].id);
    }
    analysis_fini(&a);
}

static void only_the_largest_suspects_are_listed(void **state)
{
    (void)state;
    static struct graph graph;
    static char names[40][8];
    struct analysis before;
    struct analysis after;
    graph_begin(&graph);
    analyze(&graph, &before);
    for (unsigned i = 0; i < 40; i++) {
        unsigned size = 8 * (1 + i * 7 % 40);
        (void)snprintf(names[i], sizeof(names[i]), "C%u", size);
        uint32_t node = graph_node(&graph, SONDE_HEAP_OBJECT, names[i], size);
        (void)graph_index(&graph, 2, SONDE_HEAP_EDGE_ELEMENT, i, node);
    }
    analyze(&graph, &after);
    struct sonde_heap_growth growth;
    assert_int_equal(sonde_heap_compare(&before.census, &after.census, &after.heap, &after.classes,
                                        &after.paths, &growth, NULL),
                     0);
    assert_int_equal(growth.suspect_count, SONDE_HEAP_SUSPECTS_MAX);
    for (unsigned i = 0; i < SONDE_HEAP_SUSPECTS_MAX; i++) {
        assert_int_equal(growth.rows[growth.suspects[i]].retained_delta, 8 * (40 - i));
    }
    sonde_heap_growth_fini(&growth);
    analysis_fini(&before);
    analysis_fini(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_that_grew_are_suspects_with_a_typical_object),
        cmocka_unit_test(objects_that_were_numbered_anew_are_only_counted),
        cmocka_unit_test(the_same_snapshot_twice_has_no_growth),
        cmocka_unit_test(ids_of_any_size_are_sorted),
        cmocka_unit_test(only_the_largest_suspects_are_listed),
    };
    return cmocka_run_group_tests_name("heap_growth", tests, NULL, NULL);
}
