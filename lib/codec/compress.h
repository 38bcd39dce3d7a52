/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming gzip, zlib and zstd into a callback; whole pieces out with a bound. */
#ifndef SONDE_CODEC_COMPRESS_H
#define SONDE_CODEC_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

enum sonde_compression { SONDE_GZIP, SONDE_ZLIB, SONDE_ZSTD };

enum {
    /* zstd at level 1 with a window of 2^16 bytes takes about 0.45 MiB, a decoder about 0.2. A
     * block has as many bytes as the window, and tables of its own. */
    SONDE_ZSTD_LEVEL = 1,
    SONDE_ZSTD_WINDOW_LOG = 16,
    SONDE_ZSTD_HASH_LOG = 10,       /* a table that stays in the first cache, with all else */
    SONDE_ZSTD_WINDOW_LOG_MAX = 23, /* accepted when reading */
};

/* Takes a piece of output; a negative code (with err filled) ends the stream. */
typedef int (*sonde_compress_callback)(void *context, const void *data, size_t length,
                                       struct sonde_err *err);

struct sonde_stream;

/* A compressor or a decompressor; the caller frees it. `maximum` bounds the bytes of
 * output (SONDE_ELIMIT beyond: a bomb). SONDE_ENOMEM. */
int sonde_compressor_new(enum sonde_compression kind, sonde_compress_callback output, void *context,
                         struct sonde_stream **ret, struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_decompressor_new(enum sonde_compression kind, uint64_t maximum,
                           sonde_compress_callback output, void *context, struct sonde_stream **ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_stream_free(struct sonde_stream *stream);

/* SONDE_EPARSE for malformed input, SONDE_ELIMIT, SONDE_ENOMEM, or the callback's code. */
int sonde_stream_feed(struct sonde_stream *stream, const void *data, size_t length,
                      struct sonde_err *err) SONDE_MUST_CHECK;
/* Flushes a compressor; SONDE_EPARSE when a decompressor's input is not complete. */
int sonde_stream_finish(struct sonde_stream *stream, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
