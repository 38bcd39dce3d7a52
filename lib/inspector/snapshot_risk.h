/* SPDX-License-Identifier: Apache-2.0 */
/* What a heap snapshot would cost the target, told before it is taken. V8 builds the whole graph in
 * memory, while nothing else runs: the number of objects decides, not their size. It cannot be had
 * without a full collection, so it is bounded by the smallest that objects are on average.
 * Measured: bench/README.md. No I/O. */
#ifndef SONDE_INSPECTOR_SNAPSHOT_RISK_H
#define SONDE_INSPECTOR_SNAPSHOT_RISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
    SONDE_SNAPSHOT_OBJECT_BYTES = 36,     /* of heap to a node of the graph, at least */
    SONDE_SNAPSHOT_NODE_BYTES = 400,      /* of memory that a node takes, with its edges, and with
                                             what of it waits to be sent */
    SONDE_SNAPSHOT_BASE_BYTES = 60 << 20, /* of memory in any case */
    SONDE_SNAPSHOT_NODE_NS = 4500,        /* of standstill, on a slow core that others use too */
    SONDE_SNAPSHOT_NODE_NS_OLD = 25000,   /* the same before Node.js 20 */
    SONDE_SNAPSHOT_BASE_NODES = 150000,   /* of a process that has just started */
};
#define SONDE_SNAPSHOT_MEMORY_UNKNOWN UINT64_MAX

struct sonde_snapshot_cost {
    uint64_t heap; /* bytes that are used */
    uint64_t nodes;
    uint64_t memory; /* bytes above what the process has now */
    int64_t pause_ns;
    double cpus; /* that it is reckoned with: at most 1, since one thread does it */
};

struct sonde_snapshot_limits {
    uint64_t free;           /* bytes below the memory limit, or SONDE_SNAPSHOT_MEMORY_UNKNOWN */
    const char *free_of;     /* what limits it: "its cgroup's limit", "the machine" */
    int64_t headroom;        /* percent of the used heap that must be free in any case */
    int64_t pause_ns;        /* allowed */
    const char *pause_limit; /* what allows it: "safety.maxPauseSeconds" */
};

/* At most what it will cost, from v8.getHeapStatistics().used_heap_size, the version of Node.js
 * (22; 0: not known) and the CPUs that the process may use (above 0; INFINITY: no limit). An array
 * of references has few nodes and many edges, which comes to the same for each byte. */
struct sonde_snapshot_cost sonde_snapshot_predict(uint64_t used_heap, int node_major, double cpus);

/* SONDE_EDENIED with reason SnapshotTooRisky, the numbers, and what to do instead. */
int sonde_snapshot_check(const struct sonde_snapshot_cost *cost,
                         const struct sonde_snapshot_limits *limits,
                         struct sonde_err *err) SONDE_MUST_CHECK;

#endif
