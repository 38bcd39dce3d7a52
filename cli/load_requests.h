/* SPDX-License-Identifier: Apache-2.0 */
/* What `sonde load` sends: the request of its options, or those of a file. */
#ifndef SONDE_CLI_LOAD_REQUESTS_H
#define SONDE_CLI_LOAD_REQUESTS_H

#include "cli/load_run.h"
#include "cli/load_target.h"
#include "load/engine.h"
#include "spec/spec.h"

struct load_requests {
    struct sonde_load_request request;   /* one, … */
    struct sonde_load_scenario scenario; /* … or many */
    bool played;                         /* they are the scenario's */
    struct sonde_spec_documents documents;
    struct sonde_buf text, body;
};

/* Of a document its scenario; else what the options say. input: what is in the file of -i. Reads
 * the others, and says on stderr what of them is left out. The texts are the arena's, which must
 * outlive them. SONDE_EINVALID with what is wrong, SONDE_ENOTFOUND and SONDE_EIO of files,
 * SONDE_ELIMIT, SONDE_ENOMEM. The caller calls load_requests_fini in any case. */
int load_requests_make(const struct cli_load_settings *settings, const struct load_order *order,
                       const struct sonde_load_site *target, const struct sonde_buf *input,
                       struct sonde_arena *arena, struct load_requests *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;
void load_requests_fini(struct load_requests *requests);

/* What an origin of the plan sends. */
void load_requests_plan(const struct load_requests *requests, struct sonde_load_origin *origin);

#endif
