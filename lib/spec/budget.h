/* SPDX-License-Identifier: Apache-2.0 */
/* What a run may cost at most: a file beside the code, by which CI judges. Described in docs/ci.md.
 */
#ifndef SONDE_SPEC_BUDGET_H
#define SONDE_SPEC_BUDGET_H

#include "spec/spec.h"

enum {
    SONDE_BUDGET_FUNCTIONS_MAX = 64,
    SONDE_BUDGET_THRESHOLDS_MAX = 64,
    SONDE_BUDGET_BYTES_MAX = 64 << 10, /* of one that is sent to a store */
};

/* Of a CPU profile: what a function of the service takes with all that it answers for, another one
 * itself. At least one maximum is there. */
struct sonde_budget_function {
    const char *name;
    const char *file;            /* the end of its path; NULL: any */
    int64_t percent;             /* of the busy time; SONDE_SPEC_ABSENT: any */
    int64_t milliseconds_second; /* for each second captured; the same */
};

struct sonde_run_budget {
    SONDE_LIST(char *const) thresholds; /* of a load test: threshold.h */
    SONDE_LIST(struct sonde_budget_function) functions;
    int64_t busy_percent;        /* of the captured time; SONDE_SPEC_ABSENT: any */
    int64_t allocated_kilobytes; /* of a profile of allocations: all of them; the same */
};

extern const struct sonde_object sonde_object_run_budget;

/* Reads a budget: one document, YAML or JSON. *ret is of `documents`, which the caller frees in any
 * case. The errors of sonde_spec_parse. */
int sonde_spec_parse_budget(const char *name, struct sonde_str text,
                            struct sonde_spec_documents *documents,
                            const struct sonde_run_budget **ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;

#endif
