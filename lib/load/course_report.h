/* SPDX-License-Identifier: Apache-2.0 */
/* What course.h found out, for a person and for programs. Pure. All append; the buffer's errors. */
#ifndef SONDE_LOAD_COURSE_REPORT_H
#define SONDE_LOAD_COURSE_REPORT_H

#include "load/course.h"

/* {"method":"bootstrap","p50":[low,high],…}, and its bounds alone, without braces; null where there
 * are too few requests. */
void sonde_load_confidence_json(const struct sonde_load_confidence *confidence,
                                struct sonde_buf *buf);
void sonde_load_bounds_json(const struct sonde_load_confidence *confidence, struct sonde_buf *buf);
/* {"state":"steady","sinceSeconds":3}, {"state":"unsteady","signal":"p99"}; null: nothing can be
 * said. */
void sonde_load_steadiness_json(const struct sonde_load_steady_verdict *steadiness,
                                struct sonde_buf *buf);

/* A line each, or none. warm_up_seconds: that there were before. */
void sonde_load_confidence_text(const struct sonde_load_confidence *confidence,
                                struct sonde_buf *buf);
void sonde_load_steadiness_text(const struct sonde_load_steady_verdict *steadiness,
                                int64_t warm_up_seconds, struct sonde_buf *buf);
void sonde_load_warm_up_text(int64_t seconds, const struct sonde_load_tally *tally,
                             struct sonde_buf *buf);

#endif
