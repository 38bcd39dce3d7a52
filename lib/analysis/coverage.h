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
    struct sonde_finding findings[SONDE_FINDINGS_MAX];
    size_t finding_count;
};

/* Borrows the coverage, which must outlive the analysis. SONDE_ENOMEM. */
int sonde_coverage_analyze(const struct sonde_coverage *coverage,
                           struct sonde_coverage_analysis *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_coverage_analysis_fini(struct sonde_coverage_analysis *analysis);

/* What stands behind the findings in a report: three lists of at most `rows` rows, of files
 * relative to `directory`. */
void sonde_coverage_text(const struct sonde_coverage_analysis *analysis, const char *directory,
                         size_t rows, struct sonde_buf *buf);
/* Members of an object, each behind a comma. */
void sonde_coverage_json(const struct sonde_coverage_analysis *analysis, struct sonde_buf *buf);

#endif
