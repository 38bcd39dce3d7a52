/* SPDX-License-Identifier: Apache-2.0 */
/* What a run found, as text for a person and as JSON for a program. Pure. */
#ifndef SONDE_ANALYSIS_REPORT_H
#define SONDE_ANALYSIS_REPORT_H

#include <stdbool.h>

#include "analysis/cpu.h"
#include "base/buf.h"

enum { SONDE_REPORT_ROWS = 10 }; /* functions listed in the text; all those worth a row in JSON */

/* What the visit cost the target. */
struct sonde_report_cost {
    bool measured;
    double attach_ms;
    double inspector_open_s;
    double start_stall_ms;
    double stop_stall_ms;
    int64_t rotations;
    double rotation_p50_ms, rotation_p99_ms, rotation_max_ms;
    int64_t bytes; /* received */
};

struct sonde_report_loop {
    bool measured;
    double mean_ms, p50_ms, p99_ms, max_ms; /* delay */
    double utilization;                     /* share */
};

struct sonde_report_capture {
    const char *name;
    double duration_s;
    const struct sonde_profile *profile;
    const struct sonde_cpu_analysis *analysis; /* of that profile */
};

/* Texts are borrowed and may be empty, not NULL. */
struct sonde_report {
    const char *name, *uid, *state, *reason, *message;
    const char *created; /* RFC 3339 */
    const char *target;  /* "process 4711" */
    const char *node_version;
    const char *directory; /* of the target: file names in the text are relative to it */
    const struct sonde_report_capture *captures;
    size_t capture_count; /* 0: nothing was captured */
    struct sonde_report_cost cost;
    struct sonde_report_loop loop;
};

/* At most 100 columns wide; names from the target are cleaned of control characters. */
void sonde_report_text(const struct sonde_report *report, struct sonde_buf *buf);
/* One object; its fields are described in docs/report.md. */
void sonde_report_json(const struct sonde_report *report, struct sonde_buf *buf);

/* "routes/patients.js:41": the place as a person knows it, relative to `directory`. */
void sonde_report_place(const char *directory, struct sonde_str file, int32_t line,
                        struct sonde_buf *buf);

#endif
