/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded store as the commands use it. */
#ifndef SONDE_CLI_STORE_H
#define SONDE_CLI_STORE_H

#include "cli/cli.h"
#include "db/db.h"
#include "profile/profile.h"

/* Opens --store, or $XDG_STATE_HOME/sonde, or ~/.local/state/sonde. */
int store_open(const struct cli_settings *settings, struct sonde_db **ret,
               struct sonde_err *err) SONDE_MUST_CHECK;

/* Bytes of memory that the analysis of a heap snapshot may take: what is free here. */
uint64_t store_heap_bytes(void);

/* Stores the source maps and package versions that the profile refers to as artifacts of the run.
 */
int store_keep_sources(struct sonde_db *db, const char *uid, const char *capture, int root,
                       const struct sonde_profile *profile, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
