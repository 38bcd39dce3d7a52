/* SPDX-License-Identifier: Apache-2.0 */
/* An artifact on its way to the store while it is being captured: a ring of bytes between the
 * inspector, which writes, and the HTTP client, which reads. No I/O. */
#ifndef SONDE_SIDECAR_STREAM_H
#define SONDE_SIDECAR_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "codec/digest.h"

enum {
    STREAM_SIZE = 1 << 20,       /* bytes that wait */
    STREAM_ROOM_MIN = 640 << 10, /* with less room it is full: one piece of the inspector's, of what
                                    the engine writes, is redacted up to eight times as long; what
                                    does not fit ends the run cleanly */
};

struct stream {
    char *ring;
    size_t head, used;
    uint64_t bytes; /* written so far */
    bool ended;     /* no more is written */
    struct sonde_sha256 *digest;
};

int stream_init(struct stream *stream, struct sonde_err *err) SONDE_MUST_CHECK;
void stream_fini(struct stream *stream);
/* SONDE_ELIMIT when there is no room. */
int stream_write(struct stream *stream, const char *data, size_t length,
                 struct sonde_err *err) SONDE_MUST_CHECK;
/* Whether nothing more should be written now. */
bool stream_full(const struct stream *stream);
/* Takes at most `size` bytes out; returns how many. */
size_t stream_read(struct stream *stream, char *data, size_t size);
/* Nothing more comes; the SHA-256 of all. */
void stream_end(struct stream *stream, char ret[SONDE_DIGEST_SIZE]);

#endif
