/* SPDX-License-Identifier: Apache-2.0 */
/* A load test's part of the report of its run. Pure. */
#ifndef SONDE_LOAD_REPORT_H
#define SONDE_LOAD_REPORT_H

#include "load/result.h"

enum {
    SONDE_LOAD_REPORT_ROWS = 12,    /* of the text's table of the course of time */
    SONDE_LOAD_REPORT_POINTS = 200, /* of the curve of percentiles, at most */
};

/* Of the responses of an interval, as JSON and tables have them; the last has no name. */
struct sonde_load_report_share {
    const char *name;
    double share;
};
extern const struct sonde_load_report_share sonde_load_report_shares[];

/* The quantile; of all (share 1) the exact maximum, also beyond what the counters hold. */
int64_t sonde_load_report_quantile(const struct sonde_histogram *histogram, double share);

/* Appends the member "percentiles" of an object, after a comma. */
void sonde_load_report_percentiles(const struct sonde_load_tally *tally, struct sonde_buf *buf);

/* Appends what the summary says, and a table of how it went in the course of time. The buffer's
 * errors, SONDE_ENOMEM. */
int sonde_load_report_text(const struct sonde_load_result *result, struct sonde_buf *buf,
                           struct sonde_err *err) SONDE_MUST_CHECK;
/* Appends members of an object, each after a comma: docs/load-results.md describes them. The same
 * errors. */
int sonde_load_report_json(const struct sonde_load_result *result, struct sonde_buf *buf,
                           struct sonde_err *err) SONDE_MUST_CHECK;

#endif
