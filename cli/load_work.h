/* SPDX-License-Identifier: Apache-2.0 */
/* A load test from this machine: what was asked for, and what comes of it. */
#ifndef SONDE_CLI_LOAD_WORK_H
#define SONDE_CLI_LOAD_WORK_H

#include "cli/keep.h"
#include "cli/load_profile.h"
#include "cli/load_requests.h"
#include "cli/load_run.h"
#include "cli/load_server.h"
#include "cli/load_target.h"
#include "load/live.h"

enum { LOAD_VERDICTS_MAX = 2 * SONDE_OPTION_STRINGS_MAX };

/* A URL, and what it takes to load it. */
struct load_place {
    struct sonde_load_site target;
    struct sonde_load_addresses addresses;
    struct load_requests requests;
};

/* One test. Members that this header does not make are those of cli/load.c. */
struct load_work {
    const struct load_order *order;
    const struct sonde_load_test *test;       /* the order's */
    const struct cli_load_settings *settings; /* what no LoadTest has */
    const struct sonde_arguments *typed;      /* URLs, or what stands for them */
    const struct load_server *server;
    struct load_place *places; /* of each; in the arena */
    struct sonde_load_origin origins[CLI_LOAD_URLS_MAX];
    struct sonde_str url; /* all of them, with spaces between */
    struct sonde_arena arena;
    struct sonde_buf body, authority, certificate, key; /* files */
    struct sonde_load_label labels[SONDE_LOAD_LABELS_MAX];
    struct sonde_load_plan plan;
    struct sonde_load_result result;
    struct sonde_load_search search;
    const struct sonde_load_result *warm_up; /* of the test before it, or NULL */
    struct sonde_load_outcome outcome;
    struct keep keep;
    struct sonde_load_live live;
    struct sonde_load_verdict verdicts[LOAD_VERDICTS_MAX];
    size_t verdict_count;
    uint64_t sent;        /* so far … */
    int64_t sent_ns;      /* … and when that was last more than before */
    bool terminal;        /* progress goes to one */
    int64_t begun_ns;     /* when the test, or its first trial, began: monotonic */
    bool overdue;         /* it was ended for taking too long */
    int64_t throttled_ns; /* by the time that the warm-up was over */
    struct load_profile profile;
    struct sonde_err kept; /* why a second could not be kept */
};

/* All of these must outlive it. Allocates nothing; the caller calls load_work_fini in the end. */
struct load_work load_work_new(const struct cli_load_settings *settings,
                               const struct load_order *order, const struct sonde_arguments *typed,
                               const struct load_server *server);
void load_work_fini(struct load_work *w);

/* Makes its places and its plan: reads URLs, files and thresholds, and asks for addresses. Blocks.
 * SONDE_EINVALID with what is wrong, SONDE_ENOTFOUND and SONDE_EIO of files, SONDE_ENETWORK,
 * SONDE_ELIMIT, SONDE_ENOMEM. */
int load_work_plan(struct load_work *w, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
