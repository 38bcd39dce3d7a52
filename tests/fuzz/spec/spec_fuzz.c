/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as documents; what is accepted, printed as JSON and read again, is accepted and prints
 * the same. */
#include <stdlib.h>

#include "spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void read_back(const struct sonde_spec_document *document)
{
    SONDE_BUF_AUTO first = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO second = SONDE_BUF(1 << 20);
    sonde_spec_print_json(document, &first);
    must(first.code == 0);
    struct sonde_spec_documents again;
    struct sonde_err err = {0};
    must(sonde_spec_parse("again", sonde_buf_view(&first), &again, &err) == 0);
    must(again.count == 1);
    sonde_spec_print_json(&again.items[0], &second);
    must(sonde_str_equal(sonde_buf_view(&first), sonde_buf_view(&second)));
    sonde_spec_documents_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_spec_documents documents;
    struct sonde_err err = {0};
    int r =
        sonde_spec_parse("input", (struct sonde_str){(const char *)data, size}, &documents, &err);
    must(r == 0 ? documents.count > 0 : err.message[0] != '\0');
    for (size_t i = 0; r == 0 && i < documents.count; i++) {
        read_back(&documents.items[i]);
    }
    sonde_spec_documents_fini(&documents);
    return 0;
}
