/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses the format of the rest: protobuf, base64, gzip or zstd. */
#include <stdlib.h>

#include "codec/base64.h"
#include "codec/compress.h"
#include "codec/protobuf.h"

enum { OUTPUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static int count(void *context, const void *data, size_t length, struct sonde_err *err)
{
    (void)data;
    (void)err;
    *(size_t *)context += length;
    return 0;
}

static void decompress(enum sonde_compression kind, struct sonde_str input)
{
    struct sonde_stream *stream = NULL;
    size_t produced = 0;
    must(sonde_decompressor_new(kind, OUTPUT_MAX, count, &produced, &stream, NULL) == 0);
    int r = 0;
    while (input.length && r == 0) {
        size_t step = input.length < 7 ? input.length : 7;
        r = sonde_stream_feed(stream, input.data, step, NULL);
        input.data += step;
        input.length -= step;
    }
    if (r == 0) {
        (void)!sonde_stream_finish(stream, NULL); /* cut short or not: it only may not crash */
    }
    must(produced <= OUTPUT_MAX);
    sonde_stream_free(stream);
}

static void read_protobuf(struct sonde_str input, int depth)
{
    struct sonde_protobuf_field field;
    size_t before = input.length;
    while (sonde_protobuf_next(&input, &field, NULL) == 1) {
        must(input.length < before && field.number > 0 && field.bytes.length <= before);
        before = input.length;
        if (field.type == SONDE_PROTOBUF_BYTES && depth < 8) {
            read_protobuf(field.bytes, depth + 1);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct sonde_str input = {(const char *)data + 1, size - 1};
    SONDE_BUF_AUTO decoded = SONDE_BUF(OUTPUT_MAX);
    switch (data[0] % 4) {
    case 0:
        read_protobuf(input, 0);
        break;
    case 1:
        must(sonde_base64_decode(input, &decoded, NULL) < 0 ||
             decoded.length <= input.length / 4 * 3 + 2);
        break;
    case 2:
        decompress(SONDE_GZIP, input);
        break;
    default:
        decompress(SONDE_ZSTD, input);
    }
    return 0;
}
