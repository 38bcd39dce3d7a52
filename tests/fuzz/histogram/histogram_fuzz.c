/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a histogram in base64, and any bytes as what is below that and zlib: what is read is
 * sound, and reads back when it is written. */
#include <stdlib.h>
#include <string.h>

#include "codec/base64.h"
#include "codec/compress.h"
#include "histogram/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "a piece", err);
}

static void read_text(struct sonde_str text)
{
    struct sonde_histogram histogram;
    struct sonde_histogram again;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO written = SONDE_BUF(SONDE_HISTOGRAM_TEXT_MAX);
    if (sonde_histogram_decode(text, &histogram, &err) < 0) {
        must(err.message[0] && !histogram.counts);
        return;
    }
    uint64_t total = 0;
    for (uint32_t i = 0; i < histogram.layout.count; i++) {
        total += histogram.counts[i];
    }
    must(total == histogram.total);
    for (int i = 0; i <= 8; i++) {
        int64_t value = sonde_histogram_quantile(&histogram, i / 8.0);
        must(value >= 0 && value <= histogram.maximum);
    }
    must(sonde_histogram_encode(&histogram, &written, NULL) == 0);
    must(sonde_histogram_decode(sonde_buf_view(&written), &again, NULL) == 0);
    must(again.total == total && memcmp(again.counts, histogram.counts,
                                        histogram.layout.count * sizeof(*again.counts)) == 0);
    sonde_histogram_fini(&again);
    sonde_histogram_fini(&histogram);
}

/* Frames the bytes as their writer would: only what is in them is hostile. */
static void read_plain(const uint8_t *data, size_t size)
{
    static const unsigned char cookie[] = {0x1c, 0x84, 0x93, 0x14};
    SONDE_BUF_AUTO packed = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO framed = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO text = SONDE_BUF(2 << 20);
    struct sonde_stream *stream = NULL;
    must(sonde_compressor_new(SONDE_ZLIB, append, &packed, &stream, NULL) == 0);
    must(sonde_stream_feed(stream, data, size, NULL) == 0);
    must(sonde_stream_finish(stream, NULL) == 0);
    sonde_stream_free(stream);
    uint32_t length = __builtin_bswap32((uint32_t)packed.length);
    sonde_buf_append(&framed, cookie, sizeof(cookie));
    sonde_buf_append(&framed, &length, sizeof(length));
    sonde_buf_str(&framed, sonde_buf_view(&packed));
    sonde_base64_encode(sonde_buf_view(&framed), &text);
    read_text(sonde_buf_view(&text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_text((struct sonde_str){(const char *)data, size});
    read_plain(data, size);
    return 0;
}
