/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a report that are no profiles: of event loops and diagnostic reports. */
#ifndef SONDE_RESULTS_PARTS_H
#define SONDE_RESULTS_PARTS_H

#include "analysis/report.h"
#include "db/db.h"

enum { SONDE_RESULTS_PARTS_MAX = 64 }; /* artifacts; beyond: left out */

struct sonde_results_part {
    char name[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    struct sonde_buf text, json;
    size_t findings;
};

struct sonde_results_parts {
    struct sonde_results_part items[SONDE_RESULTS_PARTS_MAX];
    struct sonde_report_part view[SONDE_RESULTS_PARTS_MAX]; /* of the items */
    size_t count;
};

/* Those of the capture of this name, or of all (NULL); places are told relative to `directory`. The
 * caller calls sonde_results_parts_fini in any case. */
int sonde_results_parts(struct sonde_db *db, const char *uid, const char *capture,
                        const char *directory, struct sonde_results_parts *ret,
                        struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_results_parts_fini(struct sonde_results_parts *parts);

#endif
