/* SPDX-License-Identifier: Apache-2.0 */
/* Coverage → what never ran and what ran most, of the application's own code. Pure. */
#ifndef SONDE_ANALYSIS_COVERAGE_H
#define SONDE_ANALYSIS_COVERAGE_H

#include "analysis/finding.h"
#include "profile/coverage.h"

enum { SONDE_COVERAGE_LISTED_MAX = 1000 }; /* of each list */

/* A stretch that never ran in a function that did. */
struct sonde_coverage_block {
    uint32_t function;
    uint32_t start, end;
    struct sonde_coverage_place lines; /* of the file that the function is of */
};

/* A file of the application: a script, or a source that scripts were made of. */
struct sonde_coverage_file {
    struct sonde_str file;
    uint32_t functions, called;
    uint64_t characters, executed; /* UTF-16 units of the scripts, without code that ran before */
};

struct sonde_coverage_analysis {
    const struct sonde_coverage *coverage;
    uint32_t scripts, functions, called; /* of the application */
    uint32_t *hottest;                   /* functions: most calls first */
    size_t hottest_count;
    uint32_t *never; /* functions: the longest first */
    size_t never_count;
    struct sonde_coverage_block *blocks; /* the longest first */
    size_t block_count, block_capacity;
    struct sonde_coverage_file *files; /* the most characters that never ran first */
    size_t file_count, file_capacity;
    uint64_t characters, executed; /* of all files */
    struct sonde_finding findings[SONDE_FINDINGS_MAX];
    size_t finding_count;
};

/* Borrows the coverage, which must outlive the analysis. SONDE_ENOMEM. */
int sonde_coverage_analyze(const struct sonde_coverage *coverage,
                           struct sonde_coverage_analysis *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;
/* Frees what a comparison does not look at: blocks and files. */
void sonde_coverage_analysis_settle(struct sonde_coverage_analysis *analysis);
void sonde_coverage_analysis_fini(struct sonde_coverage_analysis *analysis);

/* The share of a file that was executed, 0–1; 1 of an empty one. */
double sonde_coverage_share(uint64_t executed, uint64_t characters);

/* What stands behind the findings in a report: four lists of at most `rows` rows, of files relative
 * to `directory`. */
void sonde_coverage_text(const struct sonde_coverage_analysis *analysis, const char *directory,
                         size_t rows, struct sonde_buf *buf);
/* Members of an object, each behind a comma. */
void sonde_coverage_json(const struct sonde_coverage_analysis *analysis, struct sonde_buf *buf);

#endif
