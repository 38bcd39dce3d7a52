/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf wire format (protobuf.dev/programming-guides/encoding): a writer on a buffer and
 * a bounded reader. Errors of the writer are the buffer's sticky ones. */
#ifndef SONDE_CODEC_PROTOBUF_H
#define SONDE_CODEC_PROTOBUF_H

#include <stdint.h>

#include "base/buf.h"

enum sonde_protobuf_type {
    SONDE_PROTOBUF_VARINT = 0,
    SONDE_PROTOBUF_FIXED64 = 1,
    SONDE_PROTOBUF_BYTES = 2,
    SONDE_PROTOBUF_FIXED32 = 5,
};

void sonde_protobuf_varint(struct sonde_buf *buf, uint64_t value);
/* A varint field; 0, the default, is not written. */
void sonde_protobuf_uint(struct sonde_buf *buf, uint32_t field, uint64_t value);
/* A string, bytes or message field; written also when empty. */
void sonde_protobuf_bytes(struct sonde_buf *buf, uint32_t field, struct sonde_str bytes);
/* A packed repeated varint field; nothing is written for none. */
void sonde_protobuf_packed(struct sonde_buf *buf, uint32_t field, const uint64_t *values,
                           size_t count);

/* Takes a varint of a packed field off the front of *rest. SONDE_EPARSE. */
int sonde_protobuf_take_varint(struct sonde_str *rest, uint64_t *ret,
                               struct sonde_err *err) SONDE_MUST_CHECK;

struct sonde_protobuf_field {
    uint32_t number;
    enum sonde_protobuf_type type;
    uint64_t value;         /* of a varint or fixed field */
    struct sonde_str bytes; /* a view into the input */
};

/* Takes the next field off the front of *rest. 1: *ret is set; 0: the end; SONDE_EPARSE. */
int sonde_protobuf_next(struct sonde_str *rest, struct sonde_protobuf_field *ret,
                        struct sonde_err *err) SONDE_MUST_CHECK;

#endif
