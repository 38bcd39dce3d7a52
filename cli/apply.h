/* SPDX-License-Identifier: Apache-2.0 */
/* A document is made an object of a cluster, and followed. */
#ifndef SONDE_CLI_APPLY_H
#define SONDE_CLI_APPLY_H

#include "cli/cluster.h"
#include "spec/spec.h"

/* What is made. Borrowed. */
struct apply_order {
    const struct sonde_spec_document *document;
    const char *namespace; /* that it is made in */
    /* The schedule that it is made for; NULL: none. */
    const struct sonde_kind *owner;
    const char *owner_name, *owner_uid;
};

/* SONDE_EINVALID for options that are about processes of this machine. */
int apply_check(const struct cli_call *call, struct sonde_err *err) SONDE_MUST_CHECK;

/* As cluster_open, for what is in one namespace; and refuses options that say two things. */
int apply_open(const struct cli_settings *settings, struct cluster *ret,
               struct sonde_err *err) SONDE_MUST_CHECK;

/* Makes the run (or applies the schedule), and unless --no-wait follows it to its end and prints
 * its report. An exit code; what went wrong is said. */
int apply_one(struct cluster *cluster, const struct cli_settings *settings,
              const struct apply_order *order);

/* Appends "-" and five letters or digits to the name, which is cut so that it has at most `maximum`
 * bytes; no two are alike. */
void apply_name(const char *base, size_t maximum, char ret[SONDE_KUBE_NAME_MAX + 1]);

#endif
