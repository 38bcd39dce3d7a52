/* SPDX-License-Identifier: Apache-2.0 */
/* What an AllocationTimeline capture recorded → when what is still in use was allocated, and a
 * finding. Pure. */
#ifndef SONDE_ANALYSIS_TIMELINE_H
#define SONDE_ANALYSIS_TIMELINE_H

#include "analysis/finding.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_TIMELINE_BYTES_MAX = 16 << 20,
    SONDE_TIMELINE_STRETCHES = 12, /* of equal length, that the time is told in */
};

/* What was allocated in some time. */
struct sonde_timeline_amount {
    double objects, bytes; /* that are in use at the end */
    double peak_bytes;     /* the most that was ever in use of it, as far as it was looked at */
};

struct sonde_timeline {
    double milliseconds;
    size_t moments;
    struct sonde_timeline_amount before; /* there was at the beginning */
    struct sonde_timeline_amount since;
    struct sonde_timeline_amount stretches[SONDE_TIMELINE_STRETCHES];
    struct sonde_finding findings[1];
    size_t finding_count;
};

/* SONDE_EPARSE for what is no such record, SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_timeline_analyze(struct sonde_str text, struct sonde_timeline *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* Its part of a report: lines; members of a JSON object, each after a comma. */
void sonde_timeline_text(const struct sonde_timeline *timeline, struct sonde_buf *buf);
void sonde_timeline_json(const struct sonde_timeline *timeline, struct sonde_buf *buf);

#endif
