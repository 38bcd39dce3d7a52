/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as folded stacks, read in pieces. */
#include "amounts.h"

static int read_file(struct sonde_profile *profile, struct sonde_str text, size_t step)
{
    struct sonde_err err = {0};
    struct sonde_folded_reader *reader;
    must(sonde_folded_reader_new(profile,
                                 text.length % 2 ? SONDE_PROFILE_BYTES : SONDE_PROFILE_NANOSECONDS,
                                 &reader, &err) == 0);
    int r = 0;
    for (size_t at = 0; at < text.length && r == 0; at += step) {
        size_t left = text.length - at;
        r = sonde_folded_feed(reader, text.data + at, left < step ? left : step, &err);
    }
    r = r < 0 ? r : sonde_folded_finish(reader, &err);
    must(r == 0 || err.message[0]);
    sonde_folded_reader_free(reader);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return read_amounts(data, size, read_file);
}
