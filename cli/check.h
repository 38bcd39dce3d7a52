/* SPDX-License-Identifier: Apache-2.0 */
/* A run held against a baseline and a budget, as CI does it. */
#ifndef SONDE_CLI_CHECK_H
#define SONDE_CLI_CHECK_H

#include "cli/cli.h"
#include "db/db.h"
#include "load/checks.h"
#include "load/regression.h"
#include "spec/budget.h"

/* The rows of the options that say what a run is held against. */
#define CLI_CHECK_OPTIONS                                                                          \
    {"baseline", SONDE_OPTION_STRING, offsetof(struct cli_settings, baseline), .argument = "RUN",  \
     .help = "fail when it is worse than this run, or the last one of this name that succeeded"},  \
        {"baseline-runs",                                                                          \
         SONDE_OPTION_NUMBER,                                                                      \
         offsetof(struct cli_settings, baseline_runs),                                             \
         1,                                                                                        \
         SONDE_REGRESSION_HISTORY_MAX,                                                             \
         .argument = "N",                                                                          \
         .help = "… than the median of the last N like it (default: 1)"},                          \
        {"budget", SONDE_OPTION_STRING, offsetof(struct cli_settings, budget), .argument = "FILE", \
         .help = "fail when it costs more than this file allows: docs/ci.md"}

extern const char *const check_formats[]; /* of `sonde check`, NULL at the end */
/* The exit code of a verdict; SONDE_CHECK_KINDS: all was kept. */
int check_exit_code(enum sonde_check_kind verdict);

struct check {
    const struct cli_settings *settings;
    struct sonde_buf text; /* of the budget's file */
    struct sonde_spec_documents documents;
    const struct sonde_run_budget *budget; /* NULL: none */
};

/* Reads the budget, before anything is carried out for it. SONDE_EINVALID with file, line and
 * field, SONDE_ENOTFOUND, SONDE_EIO, SONDE_ENOMEM. The caller calls check_fini in any case. */
int check_begin(const struct cli_settings *settings, struct check *ret,
                struct sonde_err *err) SONDE_MUST_CHECK;
void check_fini(struct check *check);
/* Whether the settings ask for one. */
bool check_is_wanted(const struct cli_settings *settings);

/* Holds a run of the store that has just ended against them: keeps the comparison, says on stderr
 * what it did not keep. Returns `code` when that is not 0, else the exit code of the verdict. */
int check_run(const struct check *check, const char *uid, int code);

#endif
