/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/compress.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { STEP = 16384, ZLIB_WINDOW = 15, GZIP_WINDOW = 15 + 16 }; /* +16: a gzip header (zlib.h) */

struct sonde_stream {
    enum sonde_compression kind;
    bool decompress;
    bool complete; /* the last frame ended */
    uint64_t produced;
    uint64_t maximum;
    sonde_compress_callback output;
    void *context;
    z_stream deflate; /* of gzip and zlib */
    ZSTD_CCtx *zstd_out;
    ZSTD_DCtx *zstd_in;
};

static int begin(struct sonde_stream *s)
{
    if (s->kind != SONDE_ZSTD) {
        int window = s->kind == SONDE_GZIP ? GZIP_WINDOW : ZLIB_WINDOW;
        return (s->decompress ? inflateInit2(&s->deflate, window)
                              : deflateInit2(&s->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window,
                                             8, Z_DEFAULT_STRATEGY)) == Z_OK
                   ? 0
                   : SONDE_ENOMEM;
    }
    if (s->decompress) {
        s->zstd_in = ZSTD_createDCtx();
        return s->zstd_in && !ZSTD_isError(ZSTD_DCtx_setParameter(s->zstd_in, ZSTD_d_windowLogMax,
                                                                  SONDE_ZSTD_WINDOW_LOG_MAX))
                   ? 0
                   : SONDE_ENOMEM;
    }
    static const struct {
        ZSTD_cParameter name;
        int value;
    } parameters[] = {
        {ZSTD_c_compressionLevel, SONDE_ZSTD_LEVEL},
        {ZSTD_c_windowLog, SONDE_ZSTD_WINDOW_LOG},
        {ZSTD_c_hashLog, SONDE_ZSTD_HASH_LOG},
        {ZSTD_c_checksumFlag, 1},
    };
    s->zstd_out = ZSTD_createCCtx();
    for (size_t i = 0; i < SONDE_LENGTH(parameters); i++) {
        if (!s->zstd_out || ZSTD_isError(ZSTD_CCtx_setParameter(s->zstd_out, parameters[i].name,
                                                                parameters[i].value))) {
            return SONDE_ENOMEM;
        }
    }
    return 0;
}

static int create(struct sonde_stream from, struct sonde_stream **ret, struct sonde_err *err)
{
    struct sonde_stream *s = malloc(sizeof(*s));
    if (!s) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "compression: out of memory");
    }
    *s = from;
    if (begin(s) < 0) {
        sonde_stream_free(s);
        return sonde_fail(err, SONDE_ENOMEM, 0, "compression: out of memory");
    }
    *ret = s;
    return 0;
}

int sonde_compressor_new(enum sonde_compression kind, sonde_compress_callback output, void *context,
                         struct sonde_stream **ret, struct sonde_err *err)
{
    return create(
        (struct sonde_stream){
            .kind = kind, .maximum = UINT64_MAX, .output = output, .context = context},
        ret, err);
}

int sonde_decompressor_new(enum sonde_compression kind, uint64_t maximum,
                           sonde_compress_callback output, void *context, struct sonde_stream **ret,
                           struct sonde_err *err)
{
    return create((struct sonde_stream){.kind = kind,
                                        .decompress = true,
                                        .complete = true,
                                        .maximum = maximum,
                                        .output = output,
                                        .context = context},
                  ret, err);
}

void sonde_stream_free(struct sonde_stream *stream)
{
    if (!stream) {
        return;
    }
    if (stream->kind != SONDE_ZSTD && stream->deflate.state) {
        (void)(stream->decompress ? inflateEnd(&stream->deflate) : deflateEnd(&stream->deflate));
    }
    (void)ZSTD_freeCCtx(stream->zstd_out);
    (void)ZSTD_freeDCtx(stream->zstd_in);
    free(stream);
}

static int deliver(struct sonde_stream *s, const void *data, size_t length, struct sonde_err *err)
{
    if (length > s->maximum - s->produced) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "compressed data unfolds to more than %llu bytes",
                          (unsigned long long)s->maximum);
    }
    s->produced += length;
    return length ? s->output(s->context, data, length, err) : 0;
}

static int run_deflate(struct sonde_stream *s, const void *data, size_t length, int flush,
                       struct sonde_err *err)
{
    unsigned char out[STEP];
    s->deflate.next_in = (Bytef *)(uintptr_t)data;
    s->deflate.avail_in = (uInt)length;
    do {
        if (s->decompress && s->complete && s->deflate.avail_in && s->deflate.total_in &&
            inflateReset(&s->deflate) != Z_OK) {
            return sonde_fail(err, SONDE_EINTERNAL, 0, "deflate: cannot begin again");
        }
        s->deflate.next_out = out;
        s->deflate.avail_out = sizeof(out);
        int z = s->decompress ? inflate(&s->deflate, flush) : deflate(&s->deflate, flush);
        if (z == Z_MEM_ERROR) {
            return sonde_fail(err, SONDE_ENOMEM, 0, "deflate: out of memory");
        }
        if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR) {
            return sonde_fail(err, SONDE_EPARSE, 0, "deflate: malformed data");
        }
        s->complete = z == Z_STREAM_END;
        int r = deliver(s, out, sizeof(out) - s->deflate.avail_out, err);
        if (r < 0) {
            return r;
        }
    } while (s->deflate.avail_out == 0 || s->deflate.avail_in);
    return 0;
}

static int run_zstd(struct sonde_stream *s, const void *data, size_t length,
                    ZSTD_EndDirective directive, struct sonde_err *err)
{
    char out[STEP];
    ZSTD_inBuffer input = {data, length, 0};
    size_t left = 0;
    bool more;
    do {
        ZSTD_outBuffer output = {out, sizeof(out), 0};
        left = s->decompress ? ZSTD_decompressStream(s->zstd_in, &output, &input)
                             : ZSTD_compressStream2(s->zstd_out, &output, &input, directive);
        if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation) {
            return sonde_fail(err, SONDE_ENOMEM, 0, "zstd: out of memory");
        }
        if (ZSTD_isError(left)) {
            return sonde_fail(err, SONDE_EPARSE, 0, "zstd: %s", ZSTD_getErrorName(left));
        }
        int r = deliver(s, out, output.pos, err);
        if (r < 0) {
            return r;
        }
        /* At a frame's end another call would begin the next one. */
        more = output.pos == sizeof(out) && left;
    } while (input.pos < input.size || more || (directive == ZSTD_e_end && left && !s->decompress));
    s->complete = left == 0;
    return 0;
}

int sonde_stream_feed(struct sonde_stream *stream, const void *data, size_t length,
                      struct sonde_err *err)
{
    if (length == 0) {
        return 0;
    }
    if (length > UINT32_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a piece of %zu bytes", length);
    }
    return stream->kind != SONDE_ZSTD ? run_deflate(stream, data, length, Z_NO_FLUSH, err)
                                      : run_zstd(stream, data, length, ZSTD_e_continue, err);
}

int sonde_stream_finish(struct sonde_stream *stream, struct sonde_err *err)
{
    if (stream->decompress) {
        return stream->complete
                   ? 0
                   : sonde_fail(err, SONDE_EPARSE, 0, "compressed data ends too early");
    }
    return stream->kind != SONDE_ZSTD ? run_deflate(stream, "", 0, Z_FINISH, err)
                                      : run_zstd(stream, "", 0, ZSTD_e_end, err);
}
