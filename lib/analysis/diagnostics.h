/* SPDX-License-Identifier: Apache-2.0 */
/* What of Node.js's diagnostic report is worth a glance. Pure. */
#ifndef SONDE_ANALYSIS_DIAGNOSTICS_H
#define SONDE_ANALYSIS_DIAGNOSTICS_H

#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_DIAGNOSTICS_BYTES_MAX = 16 << 20,
    SONDE_DIAGNOSTICS_HANDLES_MAX = 16, /* kinds of handles */
};

struct sonde_diagnostics {
    char node_version[32];
    double heap_used, heap_total, heap_limit; /* bytes; 0: not told */
    double resident_max;                      /* bytes */
    double cpu_percent;                       /* of one processor, since the start */
    size_t workers;
    struct {
        char kind[24]; /* "tcp", "timer" … */
        size_t count;
    } handles[SONDE_DIAGNOSTICS_HANDLES_MAX]; /* active ones, most first */
    size_t handle_count;
};

/* SONDE_EPARSE for what is no such report, SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_diagnostics_read(struct sonde_str text, struct sonde_diagnostics *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* Its part of a report: lines; members of a JSON object, each after a comma. */
void sonde_diagnostics_text(const struct sonde_diagnostics *diagnostics, struct sonde_buf *buf);
void sonde_diagnostics_json(const struct sonde_diagnostics *diagnostics, struct sonde_buf *buf);

#endif
