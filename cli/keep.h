/* SPDX-License-Identifier: Apache-2.0 */
/* A load test into the embedded store: a run of kind LoadTest with one artifact, its result. */
#ifndef SONDE_CLI_KEEP_H
#define SONDE_CLI_KEEP_H

#include "cli/cli.h"
#include "db/db.h"
#include "load/result.h"
#include "spec/spec.h"

struct keep {
    struct sonde_db *db; /* NULL: it is not kept */
    struct sonde_run run;
};

/* Before the test begins: its run is there while it goes on. Where it cannot be kept that is said,
 * and the test goes on all the same: it is worth something without. */
/* The document that it is made of is kept with it; NULL: there is none. */
void keep_begin(const struct cli_settings *settings, const char *url,
                const struct sonde_spec_document *document, struct keep *ret);
/* Once it has ended: keeps the result, or (NULL) why there is none. What goes wrong is said. */
void keep_end(struct keep *keep, const struct sonde_load_result *result,
              const struct sonde_err *why);

#endif
