/* SPDX-License-Identifier: Apache-2.0 */
/* A run that is concluded, beside its baseline. */
#ifndef SONDE_STORE_REGRESSION_H
#define SONDE_STORE_REGRESSION_H

#include "codec/json.h"
#include "db/db.h"

/* Whether what the controller says of a baseline, {strategy, runs, runName, since}, can be
 * understood. SONDE_EINVALID. */
int regression_check(const cJSON *baseline, struct sonde_err *err) SONDE_MUST_CHECK;

/* Compares the run, when it has succeeded, with that baseline (JSON), and keeps what comes of it.
 * Appends `"regression":{"compared":…,"worse":…,"message":…,"with":…},`. What cannot be compared is
 * said in the message, and no failure. */
void regression_put(struct sonde_db *db, const char *uid, struct sonde_str baseline,
                    struct sonde_buf *buf);

#endif
