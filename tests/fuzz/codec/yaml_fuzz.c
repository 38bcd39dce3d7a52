/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as YAML; what is accepted is printed as JSON, and that reads back to the same. */
#include <stdlib.h>

#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_documents documents;
    struct sonde_err err = {0};
    int r =
        sonde_yaml_parse("input", (struct sonde_str){(const char *)data, size}, &documents, &err);
    must(r == 0 || err.message[0]);
    for (size_t i = 0; r == 0 && i < documents.count; i++) {
        SONDE_BUF_AUTO first = SONDE_BUF(SONDE_YAML_BYTES_MAX / 2);
        SONDE_BUF_AUTO second = SONDE_BUF(SONDE_YAML_BYTES_MAX);
        sonde_node_print_json(documents.items[i], &first);
        struct sonde_documents again;
        if (first.code == 0 &&
            sonde_yaml_parse("again", sonde_buf_view(&first), &again, &err) == 0) {
            must(again.count == 1);
            sonde_node_print_json(again.items[0], &second);
            must(sonde_str_equal(sonde_buf_view(&first), sonde_buf_view(&second)));
        }
        sonde_documents_fini(&again);
    }
    sonde_documents_fini(&documents);
    return 0;
}
