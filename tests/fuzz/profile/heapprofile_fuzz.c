/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a heapprofile, read in pieces; what is written reads back the same. */
#include "amounts.h"

static int read_file(struct sonde_profile *profile, struct sonde_str text, size_t step)
{
    struct sonde_err err = {0};
    struct sonde_heapprofile_reader *reader;
    must(sonde_heapprofile_reader_new(profile, &reader, &err) == 0);
    int r = 0;
    for (size_t at = 0; at < text.length && r == 0; at += step) {
        size_t left = text.length - at;
        r = sonde_heapprofile_feed(reader, text.data + at, left < step ? left : step, &err);
    }
    r = r < 0 ? r : sonde_heapprofile_finish(reader, &err);
    must(r == 0 || err.message[0]);
    sonde_heapprofile_reader_free(reader);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_profile profile;
    struct sonde_profile again;
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 20);
    must(sonde_profile_init(&profile, NULL) == 0 && sonde_profile_init(&again, NULL) == 0);
    size_t step = size ? 1 + data[size / 2] : 1;
    if (read_file(&profile, (struct sonde_str){(const char *)data, size}, step) == 0) {
        check(&profile, &text);
        must(read_file(&again, sonde_buf_view(&text), text.length) == 0);
        must(again.total == profile.total || profile.total > SONDE_HEAPPROFILE_BYTES_MAX);
        must(again.node_count == profile.node_count);
        must(again.total_samples == profile.total_samples);
    }
    sonde_profile_fini(&profile);
    sonde_profile_fini(&again);
    return 0;
}
