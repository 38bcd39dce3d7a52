/* SPDX-License-Identifier: Apache-2.0 */
/* The heap snapshots of a run: which there are, and what one tells, alone or beside an earlier one
 * of the same process. */
#ifndef SONDE_RESULTS_SNAPSHOTS_H
#define SONDE_RESULTS_SNAPSHOTS_H

#include "analysis/heap.h"
#include "db/db.h"

/* An artifact, kept beyond the list that it was found in. */
struct sonde_results_snapshot {
    char name[SONDE_DB_ARTIFACT_NAME_MAX + 1];    /* "4711.heap.0" */
    char capture[SONDE_DB_ARTIFACT_NAME_MAX + 1]; /* "heap" */
    char process[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    char sha256[SONDE_SHA256_TEXT];
    int64_t bytes;
};

/* "4711.heap.w1.0" → "4711.heap.w1": what an artifact is called in a report. */
void sonde_results_part_name(const char *artifact, char *ret, size_t size);

/* The run's snapshot of that name, or its only one (NULL). SONDE_ENOTFOUND; SONDE_EINVALID with the
 * names when there are several. */
int sonde_results_snapshot_find(struct sonde_db *db, const char *uid, const char *name,
                                struct sonde_results_snapshot *ret,
                                struct sonde_err *err) SONDE_MUST_CHECK;

struct sonde_results_heap {
    struct sonde_heap heap;
    struct sonde_heap_analysis analysis;
    bool is_analyzed;
    uint64_t nodes_before, bytes_before; /* of the earlier one */
    struct sonde_heap_census before, after;
    struct sonde_heap_growth growth;
};

/* Reads and analyses a snapshot; with an earlier one (else NULL), what has grown since. Both are
 * never in memory at once. SONDE_ELIMIT, with numbers and what to do, when it would take more than
 * bytes_max of memory. The caller calls sonde_results_heap_fini in any case. */
int sonde_results_heap_open(struct sonde_db *db, const struct sonde_results_snapshot *snapshot,
                            const struct sonde_results_snapshot *earlier, uint64_t bytes_max,
                            struct sonde_results_heap *ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_results_heap_fini(struct sonde_results_heap *heap);

#endif
