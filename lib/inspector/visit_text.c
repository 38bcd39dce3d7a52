/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/inspector.h"

void sonde_visit_print(const struct sonde_visit_result *r, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "\"pid\":%d,\"nodeVersion\":", (int)r->pid);
    sonde_buf_json_string(buf, sonde_str(r->node_version));
    sonde_buf_text(buf, ",\"directory\":");
    sonde_buf_json_string(buf, sonde_str(r->directory));
    if (r->node_version[0]) {
        sonde_buf_printf(buf,
                         ",\"cost\":{\"attachMilliseconds\":%.3f,\"inspectorOpenSeconds\":%.3f,"
                         "\"startStallMilliseconds\":%.3f,\"stopStallMilliseconds\":%.3f,"
                         "\"rotations\":%zu,\"rotationStallP50Milliseconds\":%.3f,"
                         "\"rotationStallP99Milliseconds\":%.3f,"
                         "\"rotationStallMaxMilliseconds\":%.3f,\"bytes\":%llu,"
                         "\"workerThreadsLost\":%zu}",
                         r->attach_ms, r->inspector_open_s, r->start_stall_ms, r->stop_stall_ms,
                         r->rotations, sonde_visit_stall_quantile(r, 0.5),
                         sonde_visit_stall_quantile(r, 0.99), sonde_visit_stall_quantile(r, 1),
                         (unsigned long long)r->bytes, r->workers_lost);
    }
    if (r->loop.measured) {
        sonde_buf_printf(buf,
                         ",\"eventLoop\":{\"utilization\":%.6f,\"delayMeanMilliseconds\":%.3f,"
                         "\"delayP50Milliseconds\":%.3f,\"delayP99Milliseconds\":%.3f,"
                         "\"delayMaxMilliseconds\":%.3f}",
                         r->loop.utilization, r->loop.mean_ms, r->loop.p50_ms, r->loop.p99_ms,
                         r->loop.max_ms);
    }
    if (r->workers) {
        sonde_buf_printf(buf, ",\"workerThreads\":%zu", r->workers);
    }
    if (r->snapshot.measured) {
        const struct sonde_snapshot_result *s = &r->snapshot;
        sonde_buf_printf(buf,
                         ",\"heapSnapshot\":{\"heapBytes\":%llu,\"predictedNodes\":%llu,"
                         "\"predictedBytes\":%llu,\"predictedPauseSeconds\":%.3f,"
                         "\"pauseSeconds\":%.3f,\"nodes\":%llu,\"edges\":%llu,"
                         "\"strings\":%llu,\"knownWords\":%llu,\"redactedNames\":%llu}",
                         (unsigned long long)s->heap_bytes, (unsigned long long)s->predicted_nodes,
                         (unsigned long long)s->predicted_bytes, s->predicted_pause_s, s->pause_s,
                         (unsigned long long)s->nodes, (unsigned long long)s->edges,
                         (unsigned long long)s->strings, (unsigned long long)s->words,
                         (unsigned long long)s->redacted);
    }
    sonde_buf_printf(buf, ",\"inspectorWasOpen\":%s,\"inspectorClosed\":%s",
                     r->was_open ? "true" : "false", r->closed ? "true" : "false");
}
