/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a report that are no profiles: of event loops, diagnostic reports, heaps and
 * allocations by time. */
#ifndef SONDE_RESULTS_PARTS_H
#define SONDE_RESULTS_PARTS_H

#include "analysis/report.h"
#include "db/db.h"
#include "results/results.h"
#include "results/top.h"

enum {
    SONDE_RESULTS_PARTS_MAX = 64,             /* artifacts; beyond: left out */
    SONDE_RESULTS_PARTS_BYTES_MAX = 24 << 20, /* of the texts of all */
};

struct sonde_results_part {
    char name[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    const char *type; /* static */
    struct sonde_buf text, json;
    size_t findings;
    struct sonde_results_top top; /* the worst of them */
    struct sonde_err refused;     /* why it was not analysed; code 0: it was */
    bool is_compared;             /* with one of an earlier run */
};

struct sonde_results_parts {
    struct sonde_results_part items[SONDE_RESULTS_PARTS_MAX];
    struct sonde_report_part view[SONDE_RESULTS_PARTS_MAX]; /* of the items */
    size_t count;
};

/* Which parts, and how. */
struct sonde_results_parts_wanted {
    const char *capture;     /* its name, or that of one part; NULL: all */
    const char *directory;   /* places are told relative to it */
    const char *before;      /* the uid of a run that they are compared with, or NULL */
    uint64_t heap_bytes_max; /* of memory, for a heap */
};

/* A heap that would take more memory is refused within its part. The caller calls
 * sonde_results_parts_fini in any case. */
int sonde_results_parts(struct sonde_db *db, const char *uid,
                        const struct sonde_results_parts_wanted *wanted,
                        struct sonde_results_parts *ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_results_parts_fini(struct sonde_results_parts *parts);

#endif
