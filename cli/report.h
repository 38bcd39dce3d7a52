/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_CLI_REPORT_H
#define SONDE_CLI_REPORT_H

#include "cli/store.h"

/* Appends the report of a run, as text or as one JSON object. */
int report_print(struct sonde_db *db, const char *uid, bool json, struct sonde_buf *buf,
                 struct sonde_err *err) SONDE_MUST_CHECK;

#endif
