/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of `sonde` share: exit codes, the options of a call, and the
 * way errors are said. Each command lives in a file of its own and is one row of
 * the table in main.c. */
#ifndef SONDE_CLI_CLI_H
#define SONDE_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/options.h"
#include "cli/load.h"

enum sonde_exit {
    SONDE_EXIT_DONE = 0,
    SONDE_EXIT_FAILED = 1,      /* the run, or what was asked for, failed */
    SONDE_EXIT_USAGE = 2,       /* wrong words, or an invalid document */
    SONDE_EXIT_NO_MATCH = 3,    /* no process, run or capture matched */
    SONDE_EXIT_BUDGET = 97,     /* the run costs more than its budget allows */
    SONDE_EXIT_REGRESSION = 98, /* the run is worse than its baseline */
    SONDE_EXIT_THRESHOLD = 99,  /* a threshold of a load test does not hold, as k6 says it */
};

enum {
    SONDE_CLI_OUTPUT_MAX = 64 << 20,  /* bytes of one report or page */
    SONDE_CLI_DOCUMENT_MAX = 1 << 20, /* bytes of a file of documents */
};

enum cli_output { CLI_OUTPUT_TEXT, CLI_OUTPUT_JSON };

/* The options of all commands; which of them a command takes is said by its tables. */
struct cli_settings {
    const char *store;
    int output; /* enum cli_output */
    bool help, version;
    int64_t pid;
    const char *match;
    int64_t duration_ns;
    int type;    /* of a capture: index of document_types */
    int workers; /* index of document_workers */
    bool children;
    int format; /* index in the command's own choices; -1: not given */
    const char *file;
    const char *capture;
    const char *directory;
    const char *name;
    bool sources;
    int64_t count;
    const char *from;
    struct cli_load_settings load;
    const char *baseline, *budget; /* what a run is held against */
    int64_t baseline_runs;
    /* Of a cluster. */
    bool cluster, all_namespaces, dry_run, wait, no_wait, force;
    int64_t timeout_ns; /* how long a run is waited for; 0: until it is over */
    const char *kubeconfig, *context, *namespace, *system_namespace;
};

struct cli_call {
    struct cli_settings settings;
    struct sonde_arguments arguments;
};

struct cli_command {
    const char *name;
    const char *usage;   /* what follows the name */
    const char *summary; /* one line */
    const struct sonde_option *options;
    int least, most;                          /* positional arguments */
    bool takes_command;                       /* "-- COMMAND…" */
    int (*run)(struct cli_call *call);        /* → enum sonde_exit, or the exit code of COMMAND */
    int (*in_cluster)(struct cli_call *call); /* the same in a cluster; NULL: only local */
};

extern const char *const cli_outputs[];

int cli_run(struct cli_call *call);
int cli_profile(struct cli_call *call);
int cli_rerun(struct cli_call *call);
int cli_runs(struct cli_call *call);
int cli_report(struct cli_call *call);
int cli_delete(struct cli_call *call);
int cli_export(struct cli_call *call);
int cli_compare(struct cli_call *call);
int cli_check(struct cli_call *call);
int cli_import(struct cli_call *call);
int cli_load(struct cli_call *call);
int cli_schedule(struct cli_call *call);
int cli_spec(struct cli_call *call);
int cli_version(struct cli_call *call);

int cluster_run(struct cli_call *call);
int cluster_profile(struct cli_call *call);
int cluster_runs(struct cli_call *call);
int cluster_report(struct cli_call *call);
int cluster_compare(struct cli_call *call);
int cluster_check(struct cli_call *call);
int cluster_export(struct cli_call *call);
int cluster_delete(struct cli_call *call);
int cluster_watch(struct cli_call *call);
int cluster_rerun(struct cli_call *call);
int cluster_run_now(struct cli_call *call);

extern const struct sonde_option cli_run_options[];
extern const struct sonde_option cli_rerun_options[];
extern const struct sonde_option cli_profile_options[];
extern const struct sonde_option cli_report_options[];
extern const struct sonde_option cli_export_options[];
extern const struct sonde_option cli_compare_options[];
extern const struct sonde_option cli_check_options[];
extern const struct sonde_option cli_import_options[];
extern const struct sonde_option cli_load_options[];
extern const struct sonde_option cli_schedule_options[];
extern const struct sonde_option cli_spec_options[];
extern const struct sonde_option cluster_run_now_options[];

/* Says "sonde: MESSAGE" on stderr, with the remedy of err's reason on a line of its
 * own, and returns the exit code that fits err. Control characters are not passed on. */
int cli_say_error(const struct sonde_err *err);

/* Writes text to settings.file, or to stdout when there is none. Says what failed. */
int cli_write_output(const struct cli_settings *settings, const struct sonde_buf *text);

#endif
