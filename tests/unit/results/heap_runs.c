/* SPDX-License-Identifier: Apache-2.0 */
#include "heap_runs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/heap/graph.h"

/* global.server.sessions holds Sessions; global itself as many others as make it no finding. */
static void make_snapshot(uint32_t sessions, struct sonde_buf *text)
{
    static struct graph graph;
    graph = (struct graph){0};
    graph_roots(&graph);
    uint32_t server = graph_node(&graph, SONDE_HEAP_OBJECT, "Server", 100);
    uint32_t map = graph_node(&graph, SONDE_HEAP_OBJECT, "Map", 20);
    uint32_t table = graph_node(&graph, SONDE_HEAP_ARRAY, "", 300);
    (void)graph_edge(&graph, 2, SONDE_HEAP_EDGE_PROPERTY, "server", server);
    (void)graph_edge(&graph, server, SONDE_HEAP_EDGE_PROPERTY, "sessions", map);
    (void)graph_edge(&graph, map, SONDE_HEAP_EDGE_INTERNAL, "table", table);
    for (uint32_t i = 0; i < OTHERS; i++) {
        uint32_t other = graph_node(&graph, SONDE_HEAP_OBJECT, "Other", SESSION_BYTES);
        (void)graph_index(&graph, 2, SONDE_HEAP_EDGE_ELEMENT, i, other);
    }
    for (uint32_t i = 0; i < sessions; i++) {
        uint32_t session = graph_node(&graph, SONDE_HEAP_OBJECT, "Session", SESSION_BYTES);
        (void)graph_edge(&graph, table, SONDE_HEAP_EDGE_INTERNAL, "17", session);
    }
    graph_write(&graph, text);
}

void heap_runs_add(struct heap_runs *runs, const char *uid, const struct sonde_artifact *artifact,
                   struct sonde_str text)
{
    struct sonde_err err = {0};
    struct sonde_artifact own = *artifact;
    struct sonde_artifact_writer *writer = NULL;
    own.run_uid = uid;
    own.media_type = "application/json";
    REQUIRE_DONE(sonde_artifact_begin(runs->db, &own, &writer, &err), &err);
    REQUIRE_DONE(sonde_artifact_write(writer, text.data, text.length, &err), &err);
    REQUIRE_DONE(sonde_artifact_commit(writer, &err), &err);
}

static void add_snapshot(struct heap_runs *runs, const char *uid, const char *process,
                         const char *name, uint32_t sessions)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    make_snapshot(sessions, &text);
    heap_runs_add(runs, uid,
                  &(struct sonde_artifact){.name = name,
                                           .capture = "heap",
                                           .process = process,
                                           .type = SONDE_ARTIFACT_HEAP_SNAPSHOT,
                                           .data_class = SONDE_DATA_HEAP},
                  sonde_buf_view(&text));
}

void heap_runs_init(struct heap_runs *runs)
{
    struct sonde_err err = {0};
    char *const uids[] = {runs->before, runs->after, runs->pair, runs->none};
    static const char *const names[] = {"before", "after", "pair", "none"};
    make_directory(runs->directory);
    runs->db = open_store(runs->directory);
    for (unsigned i = 0; i < SONDE_LENGTH(uids); i++) {
        make_uid(i, uids[i]);
        REQUIRE_DONE(add_run(runs->db, uids[i], names[i], i + 1, &err), &err);
    }
    add_snapshot(runs, runs->before, "", "heap.0", 10);
    add_snapshot(runs, runs->after, "", "heap.0", 50);
    add_snapshot(runs, runs->pair, "pod-a/7", "7.heap.0", 20);
    add_snapshot(runs, runs->pair, "pod-a/8", "8.heap.0", 30);
    for (unsigned i = 0; i < SONDE_LENGTH(uids); i++) {
        REQUIRE_DONE(end_run(runs->db, uids[i], SONDE_RUN_SUCCEEDED, &err), &err);
    }
}

void heap_runs_fini(struct heap_runs *runs)
{
    sonde_db_close(runs->db);
    remove_directory(runs->directory);
}

int heap_runs_setup(void **state)
{
    struct heap_runs *runs = calloc(1, sizeof(*runs));
    assert_non_null(runs);
    heap_runs_init(runs);
    *state = runs;
    return 0;
}

int heap_runs_teardown(void **state)
{
    heap_runs_fini(*state);
    free(*state);
    return 0;
}
