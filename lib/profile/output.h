/* SPDX-License-Identifier: Apache-2.0 */
/* Where the writers of formats write: pieces through a callback. */
#ifndef SONDE_PROFILE_OUTPUT_H
#define SONDE_PROFILE_OUTPUT_H

#include "base/buf.h"
#include "base/err.h"

enum { SONDE_OUTPUT_PIECE = 65536 }; /* bytes gathered before they are passed on */

struct sonde_output {
    void *context;
    int (*write)(void *context, const void *data, size_t length, struct sonde_err *err);
    struct sonde_buf piece; /* SONDE_BUF(2 * SONDE_OUTPUT_PIECE) */
};

#define SONDE_OUTPUT(function, with)                                                               \
    ((struct sonde_output){                                                                        \
        .context = (with), .write = (function), .piece = SONDE_BUF(2 * SONDE_OUTPUT_PIECE)})

/* Passes on what was gathered in output->piece when it is large enough, or always (`all`). */
int sonde_output_flush(struct sonde_output *output, bool all,
                       struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_output_fini(struct sonde_output *output);

#endif
