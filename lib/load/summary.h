/* SPDX-License-Identifier: Apache-2.0 */
/* What a load test comes to, for a person and for programs: autocannon's JSON field for field, and
 * what it has not. Pure. */
#ifndef SONDE_LOAD_SUMMARY_H
#define SONDE_LOAD_SUMMARY_H

#include "load/result.h"

/* What is said of it beside, or instead. */
struct sonde_load_view {
    bool service_latency; /* `latency` of the JSON from when a request was written, not due */
    bool brief;           /* the text has no table of times … */
    bool percentiles;     /* … or one of all percentiles, too */
    const struct sonde_load_result *warm_up; /* of the test before: `warmup` of the JSON, or NULL */
};

/* Append a text of some lines, and one JSON object on a line. The buffer's errors. */
void sonde_load_summary_text(const struct sonde_load_result *result, struct sonde_buf *buf);
void sonde_load_summary_json(const struct sonde_load_result *result, struct sonde_buf *buf);
void sonde_load_summary_view_text(const struct sonde_load_result *result,
                                  const struct sonde_load_view *view, struct sonde_buf *buf);
void sonde_load_summary_view_json(const struct sonde_load_result *result,
                                  const struct sonde_load_view *view, struct sonde_buf *buf);

#endif
