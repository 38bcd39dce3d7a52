/* SPDX-License-Identifier: Apache-2.0 */
/* A heap snapshot → what retains most, why it is alive, and findings. Pure. */
#ifndef SONDE_ANALYSIS_HEAP_H
#define SONDE_ANALYSIS_HEAP_H

#include "analysis/finding.h"
#include "base/arena.h"
#include "base/buf.h"
#include "heap/classes.h"
#include "heap/growth.h"
#include "heap/retainers.h"

enum {
    SONDE_HEAP_BIGGEST_MAX = 16,
    SONDE_HEAP_CLASSES_SHOWN = 100, /* in JSON; SONDE_HEAP_ROWS in the text */
    SONDE_HEAP_ROWS = 15,
    SONDE_HEAP_TREE_ROWS = 2048, /* of the tree for a tree map */
};

/* A place where memory gathers: what it retains is not again mostly one object's. */
struct sonde_heap_gathering {
    uint32_t node; /* the object of the program that it is, or is kept in */
    uint64_t retained;
    uint32_t children; /* objects that it dominates directly */
    const char *path;
};

struct sonde_heap_analysis {
    const struct sonde_heap *heap;
    struct sonde_heap_tree tree;
    struct sonde_heap_classes classes;
    struct sonde_heap_paths paths;
    struct sonde_heap_top *top; /* the root first */
    size_t top_count;
    struct sonde_heap_gathering biggest[SONDE_HEAP_BIGGEST_MAX]; /* by retained size */
    size_t biggest_count;
    uint32_t largest;        /* the object with the most shallow size */
    uint32_t detached_count; /* nodes of a browser's document, in none any more */
    uint64_t detached_size;  /* shallow */
    const char *suspect_paths[SONDE_HEAP_SUSPECTS_MAX]; /* of the typical object of each */
    const struct sonde_heap_growth *growth;             /* NULL: there was no earlier snapshot */
    struct sonde_finding findings[SONDE_FINDINGS_MAX];  /* most severe first */
    size_t finding_count;
    struct sonde_arena texts;
};

/* Borrows the heap, whose sizes are moved to those they are kept for (sonde_heap_attribute_sizes).
 * SONDE_ENOMEM, SONDE_ELIMIT. */
int sonde_heap_analyze(struct sonde_heap *heap, struct sonde_heap_analysis *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;
/* The kind of finding that a comparison adds. */
#define SONDE_HEAP_GROWING_CLASS "growing-class"

/* Adds what a comparison with an earlier snapshot found; borrows it. SONDE_ENOMEM. */
int sonde_heap_analysis_add_growth(struct sonde_heap_analysis *analysis,
                                   const struct sonde_heap_growth *growth,
                                   struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_heap_analysis_fini(struct sonde_heap_analysis *analysis);

/* For heap.c: fills the findings, of which there is at least one. */
void sonde_heap_find(struct sonde_heap_analysis *analysis);

/* What a person reads: at most 100 columns but for findings, which a report wraps. */
void sonde_heap_report_text(const struct sonde_heap_analysis *analysis, struct sonde_buf *buf);
/* Of one that an earlier snapshot was compared with: what grew, and what holds it. */
void sonde_heap_growth_text(const struct sonde_heap_analysis *analysis, struct sonde_buf *buf);
/* Members of a JSON object, each after a comma; they are described in docs/report.md. */
void sonde_heap_report_json(const struct sonde_heap_analysis *analysis, struct sonde_buf *buf);

#endif
