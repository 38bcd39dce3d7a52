/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a file to be imported: recognized in pieces, and read as what it was taken for. */
#include <stdlib.h>

#include "results/reader.h"
#include "results/recognize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void read_as(const char *type, const char *data, size_t size)
{
    struct sonde_profile profile;
    struct sonde_profile_source source = {0};
    struct sonde_results_reader *reader = NULL;
    struct sonde_err err = {0};
    must(sonde_profile_init(&profile, NULL) == 0);
    int r = sonde_results_reader_new(type, &profile, &source, &reader, &err);
    r = r < 0 ? r : sonde_results_reader_feed(reader, data, size, &err);
    r = r < 0 ? r : sonde_results_reader_finish(reader, &err);
    must(r == 0 || err.message[0]);
    sonde_results_reader_free(reader);
    sonde_profile_fini(&profile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t step = size ? 1 + data[size / 2] : 1;
    struct sonde_recognizer recognizer;
    struct sonde_err err = {0};
    int r = 0;
    sonde_recognizer_init(&recognizer);
    for (size_t at = 0; at < size && r == 0; at += step) {
        r = sonde_recognizer_feed(&recognizer, text + at, size - at < step ? size - at : step,
                                  &err);
    }
    r = r < 0 ? r : sonde_recognizer_finish(&recognizer, &err);
    must(r == 0 || err.message[0]);
    if (r == 0 && sonde_results_is_profile(recognizer.found->artifact)) {
        read_as(recognizer.found->artifact, text, size);
    }
    sonde_recognizer_fini(&recognizer);
    return 0;
}
