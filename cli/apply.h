/* SPDX-License-Identifier: Apache-2.0 */
/* A document is made an object of a cluster, and followed. */
#ifndef SONDE_CLI_APPLY_H
#define SONDE_CLI_APPLY_H

#include "cli/check.h"
#include "cli/cluster.h"
#include "spec/spec.h"

/* What all runs that a command makes have in common. */
struct applying {
    const struct cli_settings *settings;
    struct cluster cluster;
    struct check check; /* that each is held against */
};

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

/* As cluster_open, for what is in one namespace; and refuses options that say two things, and what
 * a run could not be held against. The caller calls apply_close in any case. */
int apply_open(const struct cli_settings *settings, struct applying *ret,
               struct sonde_err *err) SONDE_MUST_CHECK;
void apply_close(struct applying *applying);

/* Makes the run (or applies the schedule), and unless --no-wait follows it to its end and prints
 * its report. An exit code; what went wrong is said. */
int apply_one(struct applying *applying, const struct apply_order *order);

/* Appends "-" and five letters or digits to the name, which is cut so that it has at most `maximum`
 * bytes; no two are alike. */
void apply_name(const char *base, size_t maximum, char ret[SONDE_KUBE_NAME_MAX + 1]);

/* Whether a person's name may be that of an object of the kind: SONDE_EINVALID. */
int apply_check_name(const struct sonde_kind *kind, const char *name,
                     struct sonde_err *err) SONDE_MUST_CHECK;

#endif
