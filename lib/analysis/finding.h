/* SPDX-License-Identifier: Apache-2.0 */
/* What every analysis emits: one shape, measured numbers only. */
#ifndef SONDE_ANALYSIS_FINDING_H
#define SONDE_ANALYSIS_FINDING_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
    SONDE_FINDINGS_MAX = 32,
    SONDE_FINDING_TEXT_MAX = 512,
    SONDE_EVIDENCE_MAX = 8,
};

struct sonde_evidence {
    const char *name; /* "selfShare" */
    double value;
    const char *unit; /* "share", "ms", "count" */
};

struct sonde_finding {
    const char *tool;  /* "cpu" */
    const char *kind;  /* "hot-function" */
    int severity;      /* 0–100 */
    double confidence; /* 0–1 */
    char title[SONDE_FINDING_TEXT_MAX];
    char advice[SONDE_FINDING_TEXT_MAX];
    struct sonde_evidence evidence[SONDE_EVIDENCE_MAX];
    size_t evidence_count;
    /* Where: views into the profile; file empty when it is no place in the code. */
    struct sonde_str function, file;
    int32_t line, column;
};

#endif
