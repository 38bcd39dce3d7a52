/* SPDX-License-Identifier: Apache-2.0 */
/* A load test from this machine, whoever asks for it. */
#ifndef SONDE_CLI_LOAD_RUN_H
#define SONDE_CLI_LOAD_RUN_H

#include "cli/cli.h"
#include "spec/spec.h"

struct load_order {
    const struct sonde_load_test *test;         /* of options it has neither target nor scenario */
    const struct sonde_spec_document *document; /* that it is of; NULL: of options */
    const char *file;                           /* … in which it stands */
};

/* Loads the URLs of call->arguments, after the start of its command if there is one, keeps what
 * came of it and prints it. The settings say what no LoadTest has. Returns an exit code. */
int load_run(struct cli_call *call, const struct load_order *order);
/* Whether the user wants it to end: no other one is to be begun. */
bool load_was_interrupted(void);

/* `sonde run` with LoadTests, one after the other. Returns the first exit code that is not 0. */
int load_documents_run(struct cli_call *call, const char *file,
                       const struct sonde_spec_documents *documents);

#endif
