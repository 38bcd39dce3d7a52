/* SPDX-License-Identifier: Apache-2.0 */
/* A run in a cluster's store, held against a baseline and a budget. */
#ifndef SONDE_CLI_CLUSTER_CHECK_H
#define SONDE_CLI_CLUSTER_CHECK_H

#include "cli/cluster.h"

/* Holds a run that has just succeeded against those of the settings, where they name any, and says
 * on stderr what it did not keep. The exit code of the verdict. */
int cluster_check_run(struct cluster *cluster, const struct cli_settings *settings,
                      const char *namespace, const char *uid);

#endif
