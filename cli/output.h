/* SPDX-License-Identifier: Apache-2.0 */
/* Where the commands write: standard output, or the file of -o, which appears whole or not at all.
 */
#ifndef SONDE_CLI_OUTPUT_H
#define SONDE_CLI_OUTPUT_H

#include <limits.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct output {
    int fd;
    const char *name; /* for messages */
    char path[PATH_MAX];
    char temporary[PATH_MAX]; /* "" when fd is what was named: standard output, a device, a pipe */
};

#define OUTPUT_NONE ((struct output){.fd = -1})

/* file NULL: standard output. An existing file is left as it is until output_commit. The caller
 * calls output_fini in any case. */
int output_open(const char *file, struct output *ret, struct sonde_err *err) SONDE_MUST_CHECK;
int output_commit(struct output *output, struct sonde_err *err) SONDE_MUST_CHECK;
void output_fini(struct output *output);

#endif
