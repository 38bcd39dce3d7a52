/* SPDX-License-Identifier: Apache-2.0 */
/* The data of the HTML page, as web/README.md describes it, and the page around it. Pure. */
#ifndef SONDE_RESULTS_PAGE_H
#define SONDE_RESULTS_PAGE_H

#include "analysis/report.h"
#include "profile/output.h"

enum {
    SONDE_PAGE_REPORT_MAX = 64 << 20, /* bytes of the report's JSON in it */
    SONDE_PAGE_TEXTS_MAX = 1 << 23,   /* different names of a capture */
    SONDE_PAGE_SOURCES_MAX = 4096,    /* stretches of source text */
    SONDE_PAGE_SOURCE_BYTES_MAX = 1 << 20,
    SONDE_PAGE_MARK_BYTES_MAX = 4 << 20, /* of memory for what marks their lines */
};

/* Some lines of a source file, one after the other. */
struct sonde_page_source {
    struct sonde_str file;                   /* as sonde_frame_position has it */
    int32_t first;                           /* the line's number, from 1 */
    struct sonde_str text;                   /* the lines, with a line feed between them */
    const struct sonde_coverage_mark *marks; /* of coverage: one for each line; else NULL */
};

/* What a page shows of a capture, in the order of the report's captures. */
struct sonde_page_capture {
    const struct sonde_page_source *sources; /* may be NULL */
    size_t source_count;
};

/* A report, and with `before` the same of another run that it is compared with. Lists of captures
 * are as long as their report's, or NULL. */
struct sonde_page {
    const struct sonde_report *report;
    const struct sonde_page_capture *captures;
    const struct sonde_report *before; /* NULL: no comparison */
    const struct sonde_page_capture *before_captures;
    const struct sonde_str *changes; /* of each capture of the report that has a partner: the JSON
                                        of the comparison; empty: none. NULL: of none */
};

/* Which capture of the run before a capture is compared with: of equal unit, or both of coverage,
 * the one of its name or, when both runs have just one such, that. false: none. */
bool sonde_page_partner(const struct sonde_report *before, const struct sonde_report *report,
                        size_t capture, size_t *ret);

/* Writes the data: JSON. SONDE_ENOMEM, SONDE_ELIMIT, or the output's code. */
int sonde_page_data(const struct sonde_page *page, struct sonde_output *output,
                    struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends the whole page with its data. */
int sonde_page_write(const struct sonde_page *page, struct sonde_buf *buf,
                     struct sonde_err *err) SONDE_MUST_CHECK;

#endif
