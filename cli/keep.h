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

/* Before anything is begun. Where it cannot be kept that is said, and the test goes on all the
 * same, since it is worth something without; but not when it is to be held against a baseline or a
 * budget: then the errors of the store. */
int keep_open(const struct cli_settings *settings, struct keep *ret,
              struct sonde_err *err) SONDE_MUST_CHECK;
/* Before the test begins: its run is there while it goes on. The document that it is made of is
 * kept with it; NULL: there is none. Fails as keep_open does. */
int keep_begin(const struct cli_settings *settings, const char *url,
               const struct sonde_spec_document *document, struct keep *keep,
               struct sonde_err *err) SONDE_MUST_CHECK;
/* Once it has ended: keeps the result, or (NULL) why there is none. `cancelled`: somebody has ended
 * it before its time. What goes wrong is said. */
void keep_end(struct keep *keep, const struct sonde_load_result *result, bool cancelled,
              const struct sonde_err *why);

#endif
