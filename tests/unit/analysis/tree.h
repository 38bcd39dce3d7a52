/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles of a few rows, for the tests of lib/analysis. */
#ifndef SONDE_TESTS_TREE_H
#define SONDE_TESTS_TREE_H

#include "analysis/cpu.h"
#include "profile/profile.h"

/* One call of `function` below row `parent` (−1: the root). */
struct row {
    const char *function, *url;
    int32_t line;
    int parent;
    int64_t self_us; /* one sample of that length, when not 0 */
};

enum { ROWS_MAX = 64 };

/* Adds the rows, and their samples in their order. ret_nodes may be NULL, or has ROWS_MAX. */
void add_rows(struct sonde_profile *profile, const struct row *rows, size_t count,
              uint32_t *ret_nodes);
/* A sample of a node. */
void add_time(struct sonde_profile *profile, uint32_t node, int64_t duration_us);

/* The row of the first frame with that function, which must exist. */
const struct sonde_function *function_named(const struct sonde_profile *profile,
                                            const struct sonde_cpu_analysis *analysis,
                                            const char *function);

#endif
