/* SPDX-License-Identifier: Apache-2.0 */
/* What a load test comes to, for a person and for programs: autocannon's JSON field for field, and
 * what it has not. Pure. */
#ifndef SONDE_LOAD_SUMMARY_H
#define SONDE_LOAD_SUMMARY_H

#include "load/result.h"

/* Append a text of some lines, and one JSON object on a line. The buffer's errors. */
void sonde_load_summary_text(const struct sonde_load_result *result, struct sonde_buf *buf);
void sonde_load_summary_json(const struct sonde_load_result *result, struct sonde_buf *buf);

#endif
