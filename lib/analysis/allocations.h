/* SPDX-License-Identifier: Apache-2.0 */
/* A profile of allocations → who allocates most, and findings. Pure. */
#ifndef SONDE_ANALYSIS_ALLOCATIONS_H
#define SONDE_ANALYSIS_ALLOCATIONS_H

#include "analysis/finding.h"
#include "analysis/functions.h"
#include "base/buf.h"

struct sonde_allocation_analysis {
    struct sonde_function_table table;                 /* in bytes */
    struct sonde_finding findings[SONDE_FINDINGS_MAX]; /* most severe first */
    size_t finding_count;                              /* ≥ 1 */
};

/* Borrows the profile, one of bytes, which must outlive the analysis. SONDE_ENOMEM. */
int sonde_allocations_analyze(const struct sonde_profile *profile,
                              struct sonde_allocation_analysis *ret,
                              struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_allocation_analysis_fini(struct sonde_allocation_analysis *analysis);

enum { SONDE_BYTES_SIZE = 24 };
/* "512 B", "1.2 kB", "34 MB": three digits, decimal units. Returns `ret`. */
const char *sonde_bytes_say(int64_t bytes, char ret[SONDE_BYTES_SIZE]);

#endif
