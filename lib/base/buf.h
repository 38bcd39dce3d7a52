/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer with a mandatory maximum and a sticky error, so that a
 * whole document is built and checked once (idea: curl's dynbuf). */
#ifndef SONDE_BASE_BUF_H
#define SONDE_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct sonde_buf {
    char *data;      /* NUL-terminated once anything was appended; else NULL */
    size_t length;   /* bytes, without the NUL */
    size_t capacity; /* bytes allocated */
    size_t maximum;  /* length never exceeds it */
    int code;        /* 0, SONDE_ENOMEM or SONDE_ELIMIT: sticky until cleared */
};

/* An empty buffer that holds at most `maximum` bytes. */
#define SONDE_BUF(maximum_bytes) ((struct sonde_buf){.maximum = (maximum_bytes)})
/* A local buffer that is freed when the scope ends. */
#define SONDE_BUF_AUTO SONDE_CLEANUP(sonde_buf_fini) struct sonde_buf

void sonde_buf_fini(struct sonde_buf *buf);
/* Empties it and forgets the error; keeps the memory. */
void sonde_buf_clear(struct sonde_buf *buf);
/* Removes the first `count` bytes. */
void sonde_buf_consume(struct sonde_buf *buf, size_t count);

/* Appending does nothing once code is set; nothing is appended in part. */
void sonde_buf_append(struct sonde_buf *buf, const void *data, size_t length);
void sonde_buf_str(struct sonde_buf *buf, struct sonde_str text);
void sonde_buf_text(struct sonde_buf *buf, const char *text);
void sonde_buf_char(struct sonde_buf *buf, char c);
void sonde_buf_repeat(struct sonde_buf *buf, char c, size_t count);
void sonde_buf_printf(struct sonde_buf *buf, const char *format, ...) SONDE_PRINTF(2, 3);
void sonde_buf_u64(struct sonde_buf *buf, uint64_t value);
/* Text as a JSON string with its quotes (RFC 8259 §7); invalid UTF-8 bytes become U+FFFD. */
void sonde_buf_json_string(struct sonde_buf *buf, struct sonde_str text);

/* Room for `length` more bytes to be written by the caller, who then adds to
 * buf->length; NULL when code is set. */
char *sonde_buf_reserve(struct sonde_buf *buf, size_t length) SONDE_MUST_CHECK;

/* 0, or the sticky code with a message that names `what` ("the report"). */
int sonde_buf_check(const struct sonde_buf *buf, const char *what,
                    struct sonde_err *err) SONDE_MUST_CHECK;

static inline struct sonde_str sonde_buf_view(const struct sonde_buf *buf)
{
    return (struct sonde_str){buf->data, buf->length};
}

#endif
