/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/output.h"

int sonde_output_flush(struct sonde_output *output, bool all, struct sonde_err *err)
{
    if (!all && output->piece.length < SONDE_OUTPUT_PIECE && !output->piece.code) {
        return 0;
    }
    int r = sonde_buf_check(&output->piece, "a piece of output", err);
    if (r == 0 && output->piece.length) {
        r = output->write(output->context, output->piece.data, output->piece.length, err);
    }
    sonde_buf_clear(&output->piece);
    return r;
}

void sonde_output_fini(struct sonde_output *output)
{
    sonde_buf_fini(&output->piece);
}
