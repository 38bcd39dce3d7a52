/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded store as the commands use it. */
#ifndef SONDE_CLI_STORE_H
#define SONDE_CLI_STORE_H

#include "cli/cli.h"
#include "db/db.h"
#include "inspector/context.h"

/* Opens --store, or $XDG_STATE_HOME/sonde, or ~/.local/state/sonde. */
int store_open(const struct cli_settings *settings, struct sonde_db **ret,
               struct sonde_err *err) SONDE_MUST_CHECK;

/* Bytes of memory that the analysis of a heap snapshot may take: what is free here. */
uint64_t store_heap_bytes(void);

enum { STORE_NAME_MAX = 63 }; /* bytes of a name that a person gives a run */
bool store_is_name_character(char c);
/* SONDE_EINVALID when a run cannot be called so. */
int store_check_name(const char *name, struct sonde_err *err) SONDE_MUST_CHECK;

/* Writes an artifact and commits it. */
int store_keep_artifact(struct sonde_db *db, const struct sonde_artifact *artifact,
                        struct sonde_str text, struct sonde_err *err) SONDE_MUST_CHECK;

/* Stores what the scripts of the profile refer to below `root` as artifacts of the run, with when
 * worker threads waited (empty: not known): inspector/context.h. */
int store_keep_sources(struct sonde_db *db, const char *uid, const char *capture, int root,
                       const struct sonde_profile *profile, enum sonde_context_kind kind,
                       struct sonde_str waits, struct sonde_err *err) SONDE_MUST_CHECK;
/* The same of the scripts that the stored artifacts of a capture name; nothing when none does. */
int store_find_sources(struct sonde_db *db, const char *uid, const char *capture, int root,
                       struct sonde_str waits, struct sonde_err *err) SONDE_MUST_CHECK;

/* The row of --format for what is a report. */
#define CLI_REPORT_FORMAT_OPTION                                                                   \
    {"format",                                                                                     \
     SONDE_OPTION_CHOICE,                                                                          \
     offsetof(struct cli_settings, format),                                                        \
     .choices = sonde_results_report_formats,                                                      \
     .argument = "text|json|html",                                                                 \
     .help = "for a person, for a program, or a page for a browser (default: as --output)"}

#endif
