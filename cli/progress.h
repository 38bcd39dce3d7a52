/* SPDX-License-Identifier: Apache-2.0 */
/* How a run gets on, on stderr: one line that changes on a terminal, plain lines elsewhere. */
#ifndef SONDE_CLI_PROGRESS_H
#define SONDE_CLI_PROGRESS_H

#include <stdbool.h>

#include "inspector/inspector.h"

struct progress {
    const char *name; /* of the run, borrowed */
    bool terminal;    /* stderr is one */
    bool line_open;   /* something stands on the current line */
    char last[64];    /* the phase said last */
};

struct progress progress_new(const char *name);
void progress_show(struct progress *progress, const struct sonde_visit_progress *now);
/* Leaves a clean line for what follows. */
void progress_end(struct progress *progress);

#endif
