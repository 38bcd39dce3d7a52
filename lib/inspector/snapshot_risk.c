/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/snapshot_risk.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "spec/reason.h"

struct sonde_snapshot_cost sonde_snapshot_predict(uint64_t used_heap, int node_major, double cpus)
{
    enum { QUICK_SINCE = 20 };
    static const uint64_t most = (uint64_t)INT64_MAX / SONDE_SNAPSHOT_NODE_NS_OLD;
    int64_t each = node_major >= QUICK_SINCE ? SONDE_SNAPSHOT_NODE_NS : SONDE_SNAPSHOT_NODE_NS_OLD;
    uint64_t nodes = used_heap / SONDE_SNAPSHOT_OBJECT_BYTES;
    nodes = nodes < SONDE_SNAPSHOT_BASE_NODES ? SONDE_SNAPSHOT_BASE_NODES : nodes;
    nodes = nodes > most ? most : nodes;
    double share = fmin(cpus, 1);
    double pause = fmin((double)((int64_t)nodes * each) / share, (double)(INT64_MAX / 2));
    return (struct sonde_snapshot_cost){
        .heap = used_heap,
        .nodes = nodes,
        .memory = SONDE_SNAPSHOT_BASE_BYTES + nodes * SONDE_SNAPSHOT_NODE_BYTES,
        .pause_ns = (int64_t)pause,
        .cpus = share,
    };
}

static double megabytes(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

int sonde_snapshot_check(const struct sonde_snapshot_cost *cost,
                         const struct sonde_snapshot_limits *limits, struct sonde_err *err)
{
    static const char instead[] = "AllocationSampling tells who allocates at hardly any cost, and "
                                  "v8.queryObjects counts the objects of a class";
    uint64_t percent = limits->headroom > 0 ? (uint64_t)limits->headroom : 0;
    uint64_t headroom = cost->heap > UINT64_MAX / 1000 ? UINT64_MAX : cost->heap * percent / 100;
    uint64_t needed = cost->memory > headroom ? cost->memory : headroom;
    double seconds = (double)cost->pause_ns / 1e9;
    double million = (double)cost->nodes / 1e6;
    char slowed[64] = "";
    if (cost->cpus < 1) {
        (void)snprintf(slowed, sizeof(slowed), " with the %.2f CPUs that its limit allows",
                       cost->cpus);
    }
    if (cost->pause_ns > limits->pause_ns) {
        return sonde_fail_reason(
            err, SONDE_EDENIED, SONDE_REASON_SNAPSHOT_TOO_RISKY,
            "a snapshot of %.0f MB of heap (up to %.1f million objects) may stop the process for "
            "%.1f s%s, and %s allows %.1f s; %s",
            megabytes(cost->heap), million, seconds, slowed, limits->pause_limit,
            (double)limits->pause_ns / 1e9, instead);
    }
    if (limits->free != SONDE_SNAPSHOT_MEMORY_UNKNOWN && needed > limits->free) {
        return sonde_fail_reason(err, SONDE_EDENIED, SONDE_REASON_SNAPSHOT_TOO_RISKY,
                                 "a snapshot of %.0f MB of heap (up to %.1f million objects) needs "
                                 "%.0f MB for %.1f s%s, "
                                 "and %.0f MB are free below %s; %s",
                                 megabytes(cost->heap), million, megabytes(needed), seconds, slowed,
                                 megabytes(limits->free), limits->free_of, instead);
    }
    return 0;
}
