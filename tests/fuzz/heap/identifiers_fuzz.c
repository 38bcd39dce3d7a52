/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a source: pieces make no difference. */
#include <stdlib.h>

#include "heap/identifiers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t take(const char *data, size_t size, size_t piece, bool all)
{
    struct sonde_words words;
    struct sonde_identifiers identifiers;
    sonde_words_init(&words, 10000);
    sonde_identifiers_init(&identifiers, &words, all);
    int r = 0;
    for (size_t at = 0; at < size && r == 0; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        r = sonde_identifiers_feed(&identifiers, data + at, length, NULL);
    }
    r = r < 0 ? r : sonde_identifiers_finish(&identifiers, NULL);
    size_t count = words.count;
    sonde_words_fini(&words);
    return r < 0 ? SIZE_MAX : count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    for (int all = 0; all < 2; all++) {
        if (take(text, size, size ? size : 1, all) != take(text, size, 1, all)) {
            abort();
        }
    }
    return 0;
}
