/* SPDX-License-Identifier: Apache-2.0 */
#include "graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint32_t string_number(struct graph *graph, const char *text)
{
    for (uint32_t i = 0; i < graph->string_count; i++) {
        if (strcmp(graph->strings[i], text) == 0) {
            return i;
        }
    }
    assert_true(graph->string_count < GRAPH_STRINGS);
    graph->strings[graph->string_count] = text;
    return graph->string_count++;
}

uint32_t graph_node(struct graph *graph, enum sonde_heap_node_type type, const char *name,
                    uint64_t size)
{
    assert_true(graph->node_count < GRAPH_NODES);
    uint32_t number = string_number(graph, name);
    uint32_t node = graph->node_count++;
    graph->nodes[node] = (struct graph_node){type, number, 2 * node + 1, size, SONDE_HEAP_UNKNOWN};
    return node;
}

uint32_t graph_index(struct graph *graph, uint32_t from, enum sonde_heap_edge_type type,
                     uint32_t index, uint32_t to)
{
    assert_true(graph->edge_count < GRAPH_EDGES);
    graph->edges[graph->edge_count] = (struct graph_edge){from, to, type, index};
    return graph->edge_count++;
}

uint32_t graph_edge(struct graph *graph, uint32_t from, enum sonde_heap_edge_type type,
                    const char *name, uint32_t to)
{
    return graph_index(graph, from, type, string_number(graph, name), to);
}

void graph_roots(struct graph *graph)
{
    uint32_t root = graph_node(graph, SONDE_HEAP_SYNTHETIC, "", 0);
    uint32_t roots = graph_node(graph, SONDE_HEAP_SYNTHETIC, "(GC roots)", 0);
    uint32_t global = graph_node(graph, SONDE_HEAP_OBJECT, "global", 10);
    (void)graph_index(graph, root, SONDE_HEAP_EDGE_ELEMENT, 1, roots);
    (void)graph_edge(graph, root, SONDE_HEAP_EDGE_SHORTCUT, "1", global);
}

void graph_begin(struct graph *graph)
{
    *graph = (struct graph){0};
    graph_roots(graph);
}

static const char head[] =
    "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\","
    "\"edge_count\",\"trace_node_id\",\"detachedness\"],\"node_types\":[[\"hidden\",\"array\","
    "\"string\",\"object\",\"code\",\"closure\",\"regexp\",\"number\",\"native\",\"synthetic\","
    "\"concatenated string\",\"sliced string\",\"symbol\",\"bigint\",\"object shape\"],\"string\","
    "\"number\",\"number\",\"number\",\"number\",\"number\"],\"edge_fields\":[\"type\","
    "\"name_or_index\",\"to_node\"],\"edge_types\":[[\"context\",\"element\",\"property\","
    "\"internal\",\"hidden\",\"shortcut\",\"weak\"],\"string_or_number\",\"node\"],"
    "\"trace_function_info_fields\":[\"function_id\",\"name\"],\"sample_fields\":["
    "\"timestamp_us\",\"last_assigned_id\"],\"location_fields\":[\"object_index\",\"script_id\","
    "\"line\",\"column\"]},";

void graph_write(const struct graph *graph, struct sonde_buf *text)
{
    SONDE_BUF_AUTO edges = SONDE_BUF(1 << 20);
    sonde_buf_text(text, head);
    sonde_buf_printf(text, "\"node_count\":%u,\"edge_count\":%u,\"trace_function_count\":0},\n",
                     graph->node_count, graph->edge_count);
    sonde_buf_text(text, "\"nodes\":[");
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const struct graph_node *node = &graph->nodes[i];
        uint32_t count = 0;
        for (uint32_t k = 0; k < graph->edge_count; k++) {
            const struct graph_edge *edge = &graph->edges[k];
            if (edge->from == i) {
                sonde_buf_printf(&edges, "%s%u,%u,%u\n", edges.length ? "," : "",
                                 (unsigned)edge->type, edge->name, edge->to * 7);
                count++;
            }
        }
        sonde_buf_printf(text, "%s%u,%u,%u,%llu,%u,0,%u\n", i ? "," : "", (unsigned)node->type,
                         node->name, node->id, (unsigned long long)node->size, count,
                         (unsigned)node->detachedness);
    }
    sonde_buf_text(text, "],\n\"edges\":[");
    sonde_buf_str(text, sonde_buf_view(&edges));
    sonde_buf_text(text, "],\n\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n"
                         "\"locations\":[0,1,2,3],\n\"strings\":[");
    for (uint32_t i = 0; i < graph->string_count; i++) {
        sonde_buf_text(text, i ? ",\n" : "");
        sonde_buf_json_string(text, sonde_str(graph->strings[i]));
    }
    sonde_buf_text(text, "]}\n");
    assert_int_equal(text->code, 0);
    assert_int_equal(edges.code, 0);
}

int graph_read_text(struct sonde_str text, size_t step, struct sonde_heap *heap,
                    struct sonde_err *err)
{
    struct sonde_heap_reader *reader;
    *heap = (struct sonde_heap){0};
    int code = sonde_heap_reader_new(heap, &reader, err);
    if (code < 0) {
        return code;
    }
    for (size_t at = 0; at < text.length && code == 0; at += step) {
        size_t left = text.length - at;
        code = sonde_heap_feed(reader, text.data + at, left < step ? left : step, err);
    }
    code = code ? code : sonde_heap_finish(reader, err);
    sonde_heap_reader_free(reader);
    return code;
}

void graph_read(const struct graph *graph, struct sonde_heap *heap)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    struct sonde_err err = {0};
    graph_write(graph, &text);
    if (graph_read_text(sonde_buf_view(&text), text.length, heap, &err) < 0) {
        fail_msg("%s", err.message);
    }
}
