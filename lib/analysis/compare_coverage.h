/* SPDX-License-Identifier: Apache-2.0 */
/* Two captures of coverage → what was executed in one of them only, and what was called more or
 * less. Pure. */
#ifndef SONDE_ANALYSIS_COMPARE_COVERAGE_H
#define SONDE_ANALYSIS_COMPARE_COVERAGE_H

#include "analysis/compare.h"
#include "analysis/coverage.h"

enum { SONDE_COVERAGE_CHANGES_LISTED_MAX = 1000 }; /* of each list in JSON */

/* One of the two captures; all borrowed. */
struct sonde_coverage_side {
    const char *uid, *name, *capture; /* for the report */
    const char *directory;            /* of the target: files are the same when they are below it */
    const struct sonde_coverage_analysis *analysis;
};

/* A function of the application. V8 knows one only once the code around it has run: what is not
 * there did not run. */
struct sonde_coverage_change {
    struct sonde_str name, file; /* the file relative to the directory */
    bool there[SONDE_SIDES];
    int32_t lines[SONDE_SIDES]; /* where it begins; 0: unknown, or not there */
    uint64_t calls[SONDE_SIDES];
    uint32_t functions[SONDE_SIDES]; /* of the coverage, where it is there */
    uint32_t characters;             /* of the later one that is there */
};

/* A stretch that was executed in one capture only, of a function that was called in both. */
struct sonde_coverage_difference {
    size_t change;       /* its function's index */
    int executed;        /* SONDE_BEFORE or SONDE_AFTER */
    uint32_t start, end; /* within that side's script */
    struct sonde_coverage_place lines;
};

struct sonde_coverage_comparison {
    struct sonde_coverage_side sides[SONDE_SIDES];
    struct sonde_coverage_change *changes; /* executed in one only, the longest first; then by how
                                              the calls changed: equal ones last */
    size_t count, capacity;
    size_t executed_only[SONDE_SIDES];             /* so many of them */
    struct sonde_coverage_difference *differences; /* the longest first */
    size_t difference_count, difference_capacity;
    struct sonde_arena text;
    struct sonde_budget budget; /* of all these */
};

/* A function is the same one where name, file and place are. Of what is left, the first of a name
 * is the first of that name, and so on; anonymous ones so in files only where a named one has
 * moved. Stretches are compared of functions that are equally long. SONDE_ENOMEM; SONDE_ELIMIT
 * when it would take more than bytes_max of memory beside both. The caller calls
 * sonde_coverage_comparison_fini. */
int sonde_coverage_compare(const struct sonde_coverage_side *before,
                           const struct sonde_coverage_side *after, size_t bytes_max,
                           struct sonde_coverage_comparison *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_coverage_comparison_fini(struct sonde_coverage_comparison *comparison);

/* At most 100 columns wide. */
void sonde_coverage_comparison_text(const struct sonde_coverage_comparison *comparison,
                                    struct sonde_buf *buf);
/* One object; its fields are described in docs/compare.md. */
void sonde_coverage_comparison_json(const struct sonde_coverage_comparison *comparison,
                                    struct sonde_buf *buf);

#endif
