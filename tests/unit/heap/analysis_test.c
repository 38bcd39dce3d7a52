/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "analysis/heap.h"
#include "codec/json.h"
#include "graph.h"

enum { MB = 1000000 };

static const struct sonde_finding *finding_of(const struct sonde_heap_analysis *a, const char *kind)
{
    for (size_t i = 0; i < a->finding_count; i++) {
        if (strcmp(a->findings[i].kind, kind) == 0) {
            return &a->findings[i];
        }
    }
    return NULL;
}

static void assert_title(const struct sonde_heap_analysis *a, const char *kind, const char *title)
{
    const struct sonde_finding *finding = finding_of(a, kind);
    assert_non_null(finding);
    assert_string_equal(finding->title, title);
    assert_string_equal(finding->tool, "heap");
    assert_true(finding->evidence_count > 0 && finding->advice[0]);
}

/* A heap of 100 MB: a Map of sessions, strings that repeat, and the rest in many small things. */
static void make(struct graph *graph, uint32_t sessions)
{
    graph_begin(graph);
    uint32_t server = graph_node(graph, SONDE_HEAP_OBJECT, "Server", 100);
    uint32_t map = graph_node(graph, SONDE_HEAP_OBJECT, "Map", 20);
    uint32_t table = graph_node(graph, SONDE_HEAP_ARRAY, "", 300);
    (void)graph_edge(graph, 2, SONDE_HEAP_EDGE_PROPERTY, "server", server);
    (void)graph_edge(graph, server, SONDE_HEAP_EDGE_PROPERTY, "sessions", map);
    (void)graph_edge(graph, map, SONDE_HEAP_EDGE_INTERNAL, "table", table);
    for (uint32_t i = 0; i < sessions; i++) {
        uint32_t session = graph_node(graph, SONDE_HEAP_OBJECT, "Session", MB);
        (void)graph_edge(graph, table, SONDE_HEAP_EDGE_INTERNAL, "17", session);
        graph->nodes[session].id = 2001 + 2 * i;
    }
    for (uint32_t i = 0; i < 50; i++) {
        uint32_t other = graph_node(graph, SONDE_HEAP_OBJECT, "Other", MB);
        (void)graph_index(graph, 2, SONDE_HEAP_EDGE_ELEMENT, i, other);
        graph->nodes[other].id = 4001 + 2 * i;
    }
}

static void add_child(struct graph *graph, enum sonde_heap_node_type type, const char *name,
                      uint64_t size)
{
    uint32_t node = graph_node(graph, type, name, size);
    (void)graph_index(graph, 2, SONDE_HEAP_EDGE_ELEMENT, 1000 + node, node);
}

static void analyze(const struct graph *graph, struct sonde_heap *heap,
                    struct sonde_heap_analysis *a)
{
    graph_read(graph, heap);
    assert_int_equal(sonde_heap_analyze(heap, a, NULL), 0);
}

static void a_map_that_holds_half_is_found_with_its_path(void **state)
{
    (void)state;
    static struct graph graph;
    struct sonde_heap heap;
    struct sonde_heap_analysis a;
    make(&graph, 50);
    analyze(&graph, &heap, &a);
    assert_int_equal(a.biggest_count, 1); /* the others have less than 1 % each */
    assert_true(sonde_str_is(sonde_heap_class_name(&heap, a.biggest[0].node), "Map"));
    assert_int_equal(a.biggest[0].retained, 50 * MB + 320);
    assert_int_equal(a.biggest[0].children, 50);
    assert_string_equal(a.biggest[0].path, "global.server → Server.sessions → Map");
    assert_title(&a, "big-retainer",
                 "one Map keeps 50.0 MB alive, 50 % of the heap: global.server → Server.sessions → "
                 "Map");
    assert_int_equal(a.finding_count, 1);
    sonde_heap_analysis_fini(&a);
    sonde_heap_fini(&heap);
}

static void many_objects_are_found(void **state)
{
    (void)state;
    static struct graph graph;
    struct sonde_heap heap;
    struct sonde_heap_analysis a;
    make(&graph, 400);
    analyze(&graph, &heap, &a);
    assert_null(finding_of(&a, "many-objects")); /* 400 are not many */
    a.classes.rows[a.classes.of[graph.node_count - 51]].count = 1000;
    a.finding_count = 0;
    sonde_heap_find(&a);
    assert_title(&a, "many-objects",
                 "1000 objects of the class Session keep 400 MB alive, 89 % of the heap");
    sonde_heap_analysis_fini(&a);
    sonde_heap_fini(&heap);
}

static void strings_buffers_and_nodes_are_found(void **state)
{
    (void)state;
    static struct graph graph;
    struct sonde_heap heap;
    struct sonde_heap_analysis a;
    make(&graph, 1);
    for (int i = 0; i < 4; i++) {
        add_child(&graph, SONDE_HEAP_STRING, "SELECT \"x\"", MB);
    }
    add_child(&graph, SONDE_HEAP_NATIVE, "system / JSArrayBufferData", 60 * MB);
    add_child(&graph, SONDE_HEAP_NATIVE, "<div>", 8);
    graph.nodes[graph.node_count - 1].detachedness = SONDE_HEAP_DETACHED;
    add_child(&graph, SONDE_HEAP_NATIVE, "Node / Something", 8);
    graph.nodes[graph.node_count - 1].detachedness = SONDE_HEAP_DETACHED;
    analyze(&graph, &heap, &a);
    assert_title(
        &a, "duplicate-strings",
        "strings that are there more than once waste 3.00 MB, 3 % of the heap; the most, 3.00 "
        "MB, 4 times \"SELECT \"x\"\"");
    assert_title(&a, "large-object",
                 "a single system / JSArrayBufferData takes 60.0 MB, 52 % of the heap");
    assert_title(&a, "buffers", "1 buffer holds 60.0 MB outside of V8's heap, 52 % of all");
    assert_title(&a, "detached-nodes", "1 node is in no document any more, but still referenced");
    for (size_t i = 1; i < a.finding_count; i++) {
        assert_true(a.findings[i - 1].severity >= a.findings[i].severity);
    }
    sonde_heap_analysis_fini(&a);
    sonde_heap_fini(&heap);
}

static void a_heap_without_anything_large_is_healthy(void **state)
{
    (void)state;
    static struct graph graph;
    struct sonde_heap heap;
    struct sonde_heap_analysis a;
    make(&graph, 0);
    analyze(&graph, &heap, &a);
    assert_int_equal(a.finding_count, 1);
    assert_title(
        &a, "healthy",
        "nothing stands out in 50.0 MB: no object of yours keeps 5 % of it and 1 MB alive");
    sonde_heap_analysis_fini(&a);
    sonde_heap_fini(&heap);
}

struct pair {
    struct sonde_heap heap;
    struct sonde_heap_analysis analysis;
    struct sonde_heap_census before, after;
    struct sonde_heap_growth growth;
};

static void compare(struct pair *p, uint32_t before, uint32_t after)
{
    static struct graph graph;
    make(&graph, before);
    analyze(&graph, &p->heap, &p->analysis);
    assert_int_equal(sonde_heap_census_take(&p->heap, &p->analysis.classes, &p->before, NULL), 0);
    assert_int_equal(sonde_heap_census_keep_classes(&p->before, &p->analysis.classes, NULL), 0);
    sonde_heap_analysis_fini(&p->analysis);
    sonde_heap_fini(&p->heap);
    make(&graph, after);
    analyze(&graph, &p->heap, &p->analysis);
    assert_int_equal(sonde_heap_census_take(&p->heap, &p->analysis.classes, &p->after, NULL), 0);
    assert_int_equal(sonde_heap_compare(&p->before, &p->after, &p->heap, &p->analysis.classes,
                                        &p->analysis.paths, &p->growth, NULL),
                     0);
    assert_int_equal(sonde_heap_analysis_add_growth(&p->analysis, &p->growth, NULL), 0);
}

static void pair_fini(struct pair *p)
{
    sonde_heap_growth_fini(&p->growth);
    sonde_heap_census_fini(&p->before);
    sonde_heap_census_fini(&p->after);
    sonde_heap_analysis_fini(&p->analysis);
    sonde_heap_fini(&p->heap);
}

static void what_grew_comes_first(void **state)
{
    (void)state;
    struct pair p;
    compare(&p, 10, 50);
    assert_string_equal(p.analysis.findings[0].kind, "growing-class");
    assert_title(
        &p.analysis, "growing-class",
        "Session grew by 40 objects to 50, and keeps 40.0 MB more alive; a typical new one: "
        "global.server → Server.sessions → Map[17] → Session");
    pair_fini(&p);
    compare(&p, 50, 10);
    assert_null(finding_of(&p.analysis, "growing-class"));
    pair_fini(&p);
}

static void the_text_has_the_tables(void **state)
{
    (void)state;
    struct pair p;
    compare(&p, 10, 50);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_heap_report_text(&p.analysis, &text);
    assert_int_equal(text.code, 0);
    assert_non_null(strstr(text.data, "heap of 100 MB: 106 objects, 105 references\n  * Session"));
    assert_non_null(
        strstr(text.data, "\n   50.0 MB   50.0 %  global.server → Server.sessions → Map\n"));
    assert_non_null(strstr(text.data, "\n   50.0 MB   50.0 MB        50  Session\n"));
    assert_non_null(strstr(text.data, "\n   +40.0 MB   +40.0 MB        40         0  Session\n"));
    pair_fini(&p);
}

static void put_json(const struct sonde_heap_analysis *a, struct sonde_buf *json)
{
    sonde_buf_text(json, "{\"type\":\"HeapSnapshot\"");
    sonde_heap_report_json(a, json);
    sonde_buf_char(json, '}');
}

static void names_are_cleaned_in_the_text_and_escaped_in_json(void **state)
{
    (void)state;
    static struct graph graph;
    struct sonde_heap heap;
    struct sonde_heap_analysis a;
    make(&graph, 1);
    add_child(&graph, SONDE_HEAP_OBJECT, "Evil\x1b[2J\"\xc2\x9b", 90 * MB);
    analyze(&graph, &heap, &a);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 20);
    sonde_heap_report_text(&a, &text);
    put_json(&a, &json);
    assert_int_equal(text.code, 0);
    assert_null(strchr(text.data, 0x1b));
    assert_null(strstr(text.data, "\xc2\x9b"));
    assert_non_null(strstr(text.data, "Evil?[2J\"?"));
    SONDE_JSON_AUTO *document = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &document, NULL), 0);
    assert_non_null(strstr(json.data, "Evil\\u001b[2J\\\""));
    sonde_heap_analysis_fini(&a);
    sonde_heap_fini(&heap);
}

static void the_json_has_all_of_it(void **state)
{
    (void)state;
    struct pair p;
    compare(&p, 10, 50);
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 20);
    put_json(&p.analysis, &json);
    SONDE_JSON_AUTO *document = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &document, NULL), 0);
    assert_int_equal(sonde_json_integer_or(document, "nodes", 0), 106);
    assert_int_equal(sonde_json_integer_or(document, "totalBytes", 0), 100 * MB + 430);
    const cJSON *list;
    assert_int_equal(sonde_json_array(document, "classes", &list, NULL), 0);
    const cJSON *first = cJSON_GetArrayItem(list, 0);
    assert_string_equal(sonde_json_string_or(first, "name", ""), "global");
    assert_string_equal(sonde_json_string_or(first, "path", ""), "global");
    assert_int_equal(sonde_json_array(document, "suspects", &list, NULL), 0);
    first = cJSON_GetArrayItem(list, 0);
    assert_string_equal(sonde_json_string_or(first, "name", ""), "Session");
    assert_int_equal(sonde_json_integer_or(first, "retainedGrowthBytes", 0), 40 * MB);
    assert_int_equal(sonde_json_integer_or(first, "heldAlike", 0), 40);
    assert_int_equal(sonde_json_array(document, "growth", &list, NULL), 0);
    assert_int_equal(cJSON_GetArraySize(list), 1);
    assert_int_equal(sonde_json_array(document, "tree", &list, NULL), 0);
    assert_int_equal(cJSON_GetArraySize(list), 106);
    const cJSON *row;
    int at = 0;
    cJSON_ArrayForEach(row, list)
    {
        const cJSON *parent =
            cJSON_GetArrayItem(list, (int)sonde_json_integer_or(row, "parent", -1));
        assert_true(sonde_json_integer_or(parent, "retainedBytes", -1) >=
                    sonde_json_integer_or(row, "retainedBytes", -1));
        at++;
    }
    assert_int_equal(at, 106);
    pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_that_holds_half_is_found_with_its_path),
        cmocka_unit_test(many_objects_are_found),
        cmocka_unit_test(strings_buffers_and_nodes_are_found),
        cmocka_unit_test(a_heap_without_anything_large_is_healthy),
        cmocka_unit_test(what_grew_comes_first),
        cmocka_unit_test(the_text_has_the_tables),
        cmocka_unit_test(names_are_cleaned_in_the_text_and_escaped_in_json),
        cmocka_unit_test(the_json_has_all_of_it),
    };
    return cmocka_run_group_tests_name("heap_analysis", tests, NULL, NULL);
}
