/* SPDX-License-Identifier: Apache-2.0 */
/* A run in a cluster's store, held against a baseline and a budget. */
#ifndef SONDE_CLI_CLUSTER_CHECK_H
#define SONDE_CLI_CLUSTER_CHECK_H

#include "cli/check.h"
#include "cli/cluster.h"

/* As check_begin; and refuses what the store would not take, before anything is made for it:
 * SONDE_EINVALID. The caller calls check_fini in any case. */
int cluster_check_begin(const struct cli_settings *settings, struct check *ret,
                        struct sonde_err *err) SONDE_MUST_CHECK;

/* Holds a run that has just succeeded against those of the settings, where they name any, and says
 * on stderr what it did not keep. The exit code of the verdict. */
int cluster_check_run(struct cluster *cluster, const struct check *check, const char *namespace,
                      const char *uid);

#endif
