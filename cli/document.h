/* SPDX-License-Identifier: Apache-2.0 */
/* Documents as the commands take them; everything that is wrong is said at once. */
#ifndef SONDE_CLI_DOCUMENT_H
#define SONDE_CLI_DOCUMENT_H

#include "cli/cli.h"
#include "spec/spec.h"

/* Reads the documents of a text or a file. SONDE_EXIT_DONE, or what the command is to return after
 * the problems were said. The caller calls sonde_spec_documents_fini in any case. */
int document_parse(const char *name, struct sonde_str text, struct sonde_spec_documents *ret);
int document_read(const char *file, struct sonde_spec_documents *ret);
/* What --name calls is one: SONDE_EINVALID. */
int document_check_single(const struct sonde_spec_documents *documents,
                          struct sonde_err *err) SONDE_MUST_CHECK;
/* Of several that are carried out one after the other: says how many were left out since somebody
 * has ended it, and gives the exit code, which is not 0 then; else `code`. */
int document_say_left(const struct sonde_spec_documents *documents, size_t begun, int code);

/* The words of --type, NULL at the end: the capture's name is its word. */
extern const char *const document_types[];
extern const char *const document_workers[]; /* of --workers */
/* Appends ",MEMBERS" of the target that the options mean. */
void document_print_target(const struct cli_settings *settings, struct sonde_buf *buf);
/* Appends the capture that --type and a duration mean, as a JSON object. */
void document_print_capture(const struct cli_settings *settings, int64_t seconds,
                            struct sonde_buf *buf);

#endif
