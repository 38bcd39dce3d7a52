/* SPDX-License-Identifier: Apache-2.0 */
/* What a run found, as text for a person and as JSON for a program. Pure. */
#ifndef SONDE_ANALYSIS_REPORT_H
#define SONDE_ANALYSIS_REPORT_H

#include <stdbool.h>

#include "analysis/allocations.h"
#include "analysis/coverage.h"
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
    int64_t bytes;        /* received */
    int64_t workers_lost; /* threads that did not answer, and are missing */
};

struct sonde_report_loop {
    bool measured;
    double mean_ms, p50_ms, p99_ms, max_ms; /* delay */
    double utilization;                     /* share */
};

/* Exactly one of the analyses is there. */
struct sonde_report_capture {
    const char *name;
    double duration_s; /* 0: unknown */
    const struct sonde_profile *profile;
    const struct sonde_cpu_analysis *analysis;           /* of that profile, one of time */
    const struct sonde_allocation_analysis *allocations; /* of that profile, one of bytes */
    const struct sonde_coverage_analysis *coverage;      /* then there is no profile */
};

/* What a capture found that has no profile: written by an analysis of its own. */
struct sonde_report_part {
    const char *name; /* of the capture, with process and thread where there are several */
    const char *type; /* "EventLoop" … */
    struct sonde_str text;
    struct sonde_str json; /* members of an object, each after a comma */
};

/* Texts are borrowed and may be empty, not NULL. */
struct sonde_report {
    const char *name, *uid, *state, *reason, *message;
    const char *created; /* RFC 3339 */
    const char *target;  /* "process 4711" */
    const char *node_version;
    const char *directory;            /* of the target: file names in the text are relative to it */
    struct sonde_str regression;      /* lines: how it compares with its baseline; empty: not */
    struct sonde_str regression_json; /* the same as an object */
    const struct sonde_report_capture *captures;
    size_t capture_count; /* 0: nothing was captured */
    const struct sonde_report_part *parts;
    size_t part_count;
    struct sonde_report_cost cost;
    struct sonde_report_loop loop;
};

/* At most 100 columns wide; names from the target are cleaned of control characters. */
void sonde_report_text(const struct sonde_report *report, struct sonde_buf *buf);
/* One object; its fields are described in docs/report.md. */
void sonde_report_json(const struct sonde_report *report, struct sonde_buf *buf);

/* Findings as both have them: lines; JSON objects with commas between. */
void sonde_findings_text(const struct sonde_finding *findings, size_t count, const char *directory,
                         struct sonde_buf *buf);
void sonde_findings_json(const struct sonde_finding *findings, size_t count, struct sonde_buf *buf);
/* Copies lines that end; those of more than 100 columns are broken, and what follows is indented
 * like the text of their beginning. */
void sonde_report_wrap(struct sonde_str text, struct sonde_buf *buf);

/* "routes/patients.js:41": the place as a person knows it, relative to `directory`. */
void sonde_report_place(const char *directory, struct sonde_str file, int32_t line,
                        struct sonde_buf *buf);

#endif
