/* SPDX-License-Identifier: Apache-2.0 */
#include "sidecar/stream.h"

#include <stdlib.h>
#include <string.h>

int stream_init(struct stream *stream, struct sonde_err *err)
{
    *stream = (struct stream){.ring = malloc(STREAM_SIZE)};
    int r = stream->ring ? sonde_sha256_new(&stream->digest, err)
                         : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    if (r < 0) {
        stream_fini(stream);
    }
    return r;
}

void stream_fini(struct stream *stream)
{
    free(stream->ring);
    sonde_sha256_free(stream->digest);
    *stream = (struct stream){0};
}

int stream_write(struct stream *stream, const char *data, size_t length, struct sonde_err *err)
{
    if (length > STREAM_SIZE - stream->used || stream->ended) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "more came than could be sent");
    }
    sonde_sha256_add(stream->digest, data, length);
    stream->bytes += length;
    while (length) {
        size_t tail = (stream->head + stream->used) % STREAM_SIZE;
        size_t piece = STREAM_SIZE - tail < length ? STREAM_SIZE - tail : length;
        memcpy(stream->ring + tail, data, piece);
        stream->used += piece;
        data += piece;
        length -= piece;
    }
    return 0;
}

bool stream_full(const struct stream *stream)
{
    return STREAM_SIZE - stream->used < STREAM_ROOM_MIN;
}

size_t stream_read(struct stream *stream, char *data, size_t size)
{
    size_t count = 0;
    while (count < size && stream->used) {
        size_t piece = STREAM_SIZE - stream->head;
        piece = piece < stream->used ? piece : stream->used;
        piece = piece < size - count ? piece : size - count;
        memcpy(data + count, stream->ring + stream->head, piece);
        stream->head = (stream->head + piece) % STREAM_SIZE;
        stream->used -= piece;
        count += piece;
    }
    return count;
}

void stream_end(struct stream *stream, char ret[SONDE_DIGEST_SIZE])
{
    stream->ended = true;
    sonde_sha256_end(stream->digest, ret);
}
