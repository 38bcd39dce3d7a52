/* SPDX-License-Identifier: Apache-2.0 */
/* The dominator tree against the definition: a node dominates what cannot be reached without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "graph.h"
#include "heap/dominators.h"

enum { SMALL = 40, ROUNDS = 3000 };

/* The edges that count, as DevTools says it, from a graph made by hand. */
struct model {
    uint32_t count;
    bool edge[SMALL][SMALL];
};

static bool holds(const struct graph_edge *edge)
{
    return edge->type != SONDE_HEAP_EDGE_WEAK &&
           (edge->type != SONDE_HEAP_EDGE_SHORTCUT || edge->from == 0);
}

/* Marks what can be reached from `start` without `without`. */
static void reach(const struct model *model, uint32_t start, uint32_t without, bool *seen)
{
    uint32_t stack[SMALL];
    size_t depth = 0;
    if (start != without && !seen[start]) {
        stack[depth++] = start;
        seen[start] = true;
    }
    while (depth) {
        uint32_t at = stack[--depth];
        for (uint32_t to = 0; to < model->count; to++) {
            if (model->edge[at][to] && !seen[to] && to != without) {
                seen[to] = true;
                stack[depth++] = to;
            }
        }
    }
}

static void make_model(const struct graph *graph, struct model *model)
{
    struct model all = {.count = graph->node_count};
    bool owned[SMALL] = {false};
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        all.edge[edge->from][edge->to] |= holds(edge);
    }
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        if (edge->from == 0 && edge->type == SONDE_HEAP_EDGE_SHORTCUT && edge->to != 0) {
            reach(&all, edge->to, 0, owned);
        }
    }
    *model = all;
    for (uint32_t from = 1; from < all.count; from++) {
        for (uint32_t to = 0; to < all.count; to++) {
            model->edge[from][to] = all.edge[from][to] && (owned[from] || !owned[to]);
        }
    }
    /* What nothing holds hangs below the root; then of each circle that is left its first. */
    bool seen[SMALL] = {false};
    reach(model, 0, SONDE_HEAP_NONE, seen);
    struct model before = *model;
    bool lost[SMALL];
    for (uint32_t i = 0; i < all.count; i++) {
        lost[i] = !seen[i];
    }
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t to = 0; to < all.count; to++) {
            bool held = false;
            for (uint32_t from = 0; from < all.count; from++) {
                held = held || (from != to && lost[from] && before.edge[from][to]);
            }
            if (!seen[to] && (pass || !held)) {
                model->edge[0][to] = true;
                reach(model, to, SONDE_HEAP_NONE, seen);
            }
        }
    }
}

static void check_against_model(const struct graph *graph, uint64_t seed)
{
    struct model model;
    struct sonde_heap heap;
    struct sonde_heap_tree tree;
    make_model(graph, &model);
    graph_read(graph, &heap);
    assert_int_equal(sonde_heap_dominate(&heap, &tree, NULL), 0);
    uint32_t dominators[SMALL] = {0}; /* how many each has */
    bool dominated[SMALL][SMALL] = {{false}};
    for (uint32_t node = 0; node < model.count; node++) {
        bool seen[SMALL] = {false};
        reach(&model, 0, node, seen);
        uint64_t retained = 0;
        for (uint32_t i = 0; i < model.count; i++) {
            dominated[node][i] = !seen[i];
            dominators[i] += !seen[i];
            retained += seen[i] ? 0 : graph->nodes[i].size;
        }
        if (tree.retained[node] != retained) {
            fail_msg("seed %llu: node %u retains %llu, not %llu", (unsigned long long)seed, node,
                     (unsigned long long)tree.retained[node], (unsigned long long)retained);
        }
    }
    for (uint32_t node = 1; node < model.count; node++) {
        uint32_t dominator = tree.dominators[node];
        bool right = dominator != node && dominated[dominator][node] &&
                     dominators[dominator] + 1 == dominators[node];
        if (!right) {
            fail_msg("seed %llu: node %u, dominator %u", (unsigned long long)seed, node, dominator);
        }
    }
    assert_int_equal(tree.dominators[0], 0);
    sonde_heap_tree_fini(&tree);
    sonde_heap_fini(&heap);
}

static void make_random(struct graph *graph, uint64_t *state)
{
    *graph = (struct graph){0};
    uint32_t count = 2 + (uint32_t)(sonde_random_next(state) % (SMALL - 2));
    for (uint32_t i = 0; i < count; i++) {
        (void)graph_node(graph, SONDE_HEAP_OBJECT, "x", sonde_random_next(state) % 100);
    }
    uint32_t edges = (uint32_t)(sonde_random_next(state) % (count * 3));
    uint32_t near = 1 + (uint32_t)(sonde_random_next(state) % count);
    for (uint32_t i = 0; i < edges; i++) {
        uint32_t from = (uint32_t)(sonde_random_next(state) % count);
        uint32_t to = (from + 1 + (uint32_t)(sonde_random_next(state) % near)) % count;
        uint64_t kind = sonde_random_next(state) % 16;
        if (kind == 0) {
            (void)graph_edge(graph, from, SONDE_HEAP_EDGE_WEAK, "w", to);
        } else if (kind == 1 || (from == 0 && kind < 6)) {
            (void)graph_edge(graph, from, SONDE_HEAP_EDGE_SHORTCUT, "s", to);
        } else {
            (void)graph_index(graph, from, SONDE_HEAP_EDGE_ELEMENT, i, to);
        }
    }
}

static void random_graphs_agree_with_the_definition(void **state)
{
    (void)state;
    static struct graph graph;
    uint64_t first;
    sonde_random_bytes(&first, sizeof(first));
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t seed = first + i;
        uint64_t random = seed;
        make_random(&graph, &random);
        check_against_model(&graph, seed);
    }
    print_message("seeds %llu and the %d behind it\n", (unsigned long long)first, ROUNDS - 1);
}

/* The example of Lengauer and Tarjan, 1979, figure 1: R, A to L. */
static void the_example_of_the_paper_comes_out(void **state)
{
    (void)state;
    static const char edges[] = "RA RB RC AD BA BD BE CF CG DL EH FI GI GJ HE HK IK JI KI KR LH";
    static const char expected[] = "ARBRCRDRERFCGCHRIRJGKRLD";
    static const char names[] = "RABCDEFGHIJKL";
    static struct graph graph;
    graph = (struct graph){0};
    for (size_t i = 0; names[i]; i++) {
        (void)graph_node(&graph, SONDE_HEAP_OBJECT, "x", 1);
    }
    for (size_t i = 0; i + 1 < sizeof(edges); i += 3) {
        uint32_t from = (uint32_t)(strchr(names, edges[i]) - names);
        uint32_t to = (uint32_t)(strchr(names, edges[i + 1]) - names);
        (void)graph_index(&graph, from, SONDE_HEAP_EDGE_ELEMENT, 0, to);
    }
    struct sonde_heap heap;
    struct sonde_heap_tree tree;
    graph_read(&graph, &heap);
    assert_int_equal(sonde_heap_dominate(&heap, &tree, NULL), 0);
    for (size_t i = 0; expected[i]; i += 2) {
        uint32_t node = (uint32_t)(strchr(names, expected[i]) - names);
        assert_int_equal(names[tree.dominators[node]], expected[i + 1]);
    }
    assert_int_equal(tree.retained[0], 13);
    sonde_heap_tree_fini(&tree);
    sonde_heap_fini(&heap);
}

/* A list of a million links would overflow any stack of calls. */
static void a_long_chain_does_not_recur(void **state)
{
    (void)state;
    enum { LENGTH = 1000000 };
    SONDE_BUF_AUTO text = SONDE_BUF(256 << 20);
    sonde_buf_text(&text, "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\","
                          "\"self_size\",\"edge_count\"],\"node_types\":[[\"object\"]],"
                          "\"edge_fields\":[\"type\",\"name_or_index\",\"to_node\"],"
                          "\"edge_types\":[[\"element\"]]}},\"nodes\":[");
    for (unsigned i = 0; i < LENGTH; i++) {
        sonde_buf_printf(&text, "%s0,0,%u,1,%d", i ? "," : "", i, i + 1 == LENGTH ? 1 : 2);
    }
    sonde_buf_text(&text, "],\"edges\":[");
    /* Each links to the next and back to the one before; the last to the first behind the root. */
    for (unsigned i = 0; i < LENGTH; i++) {
        unsigned next = i + 1 == LENGTH ? 1 : i + 1;
        sonde_buf_printf(&text, "%s0,0,%u", i ? "," : "", next * 5);
        if (i + 1 < LENGTH) {
            sonde_buf_printf(&text, ",0,1,%u", (i ? i - 1 : 0) * 5);
        }
    }
    sonde_buf_text(&text, "],\"strings\":[\"Link\"]}");
    struct sonde_heap heap;
    struct sonde_heap_tree tree;
    assert_int_equal(graph_read_text(sonde_buf_view(&text), 1 << 16, &heap, NULL), 0);
    assert_int_equal(heap.node_count, LENGTH);
    assert_int_equal(sonde_heap_dominate(&heap, &tree, NULL), 0);
    for (uint32_t i = 0; i < LENGTH; i++) {
        assert_int_equal(tree.dominators[i], i ? i - 1 : 0);
        assert_int_equal(tree.retained[i], LENGTH - i);
    }
    sonde_heap_tree_fini(&tree);
    sonde_heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs_agree_with_the_definition),
        cmocka_unit_test(the_example_of_the_paper_comes_out),
        cmocka_unit_test(a_long_chain_does_not_recur),
    };
    return cmocka_run_group_tests_name("heap_dominators", tests, NULL, NULL);
}
