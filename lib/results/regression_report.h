/* SPDX-License-Identifier: Apache-2.0 */
/* The comparison with a baseline that a run's status has, as its report shows it. */
#ifndef SONDE_RESULTS_REGRESSION_REPORT_H
#define SONDE_RESULTS_REGRESSION_REPORT_H

#include "base/buf.h"
#include "codec/json.h"

/* Appends lines, and one JSON object; nothing when the status has none. The buffers' errors,
 * SONDE_ENOMEM. */
int sonde_results_regression_report(const cJSON *status, struct sonde_buf *text,
                                    struct sonde_buf *json, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
