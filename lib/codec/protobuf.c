/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/protobuf.h"

enum { VARINT_MAX = 10 }; /* bytes */

void sonde_protobuf_varint(struct sonde_buf *buf, uint64_t value)
{
    char bytes[VARINT_MAX];
    size_t length = 0;
    while (value >= 0x80) {
        bytes[length++] = (char)(value | 0x80);
        value >>= 7;
    }
    bytes[length++] = (char)value;
    sonde_buf_append(buf, bytes, length);
}

static void key(struct sonde_buf *buf, uint32_t field, enum sonde_protobuf_type type)
{
    sonde_protobuf_varint(buf, (uint64_t)field << 3 | type);
}

void sonde_protobuf_uint(struct sonde_buf *buf, uint32_t field, uint64_t value)
{
    if (value) {
        key(buf, field, SONDE_PROTOBUF_VARINT);
        sonde_protobuf_varint(buf, value);
    }
}

void sonde_protobuf_bytes(struct sonde_buf *buf, uint32_t field, struct sonde_str bytes)
{
    key(buf, field, SONDE_PROTOBUF_BYTES);
    sonde_protobuf_varint(buf, bytes.length);
    sonde_buf_str(buf, bytes);
}

static size_t varint_length(uint64_t value)
{
    size_t length = 1;
    while (value >= 0x80) {
        value >>= 7;
        length++;
    }
    return length;
}

void sonde_protobuf_packed(struct sonde_buf *buf, uint32_t field, const uint64_t *values,
                           size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        length += varint_length(values[i]);
    }
    if (count) {
        key(buf, field, SONDE_PROTOBUF_BYTES);
        sonde_protobuf_varint(buf, length);
    }
    for (size_t i = 0; i < count; i++) {
        sonde_protobuf_varint(buf, values[i]);
    }
}

static int take_varint(struct sonde_str *rest, uint64_t *ret)
{
    uint64_t value = 0;
    for (size_t i = 0; i < rest->length && i < VARINT_MAX; i++) {
        unsigned char byte = (unsigned char)rest->data[i];
        if (i == VARINT_MAX - 1 && byte > 1) {
            return SONDE_EPARSE;
        }
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            rest->data += i + 1;
            rest->length -= i + 1;
            *ret = value;
            return 0;
        }
    }
    return SONDE_EPARSE;
}

int sonde_protobuf_take_varint(struct sonde_str *rest, uint64_t *ret, struct sonde_err *err)
{
    int r = take_varint(rest, ret);
    return r < 0 ? sonde_fail(err, r, 0, "protobuf: a packed number is malformed or cut") : 0;
}

static int take_fixed(struct sonde_str *rest, size_t width, uint64_t *ret)
{
    if (rest->length < width) {
        return SONDE_EPARSE;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++) {
        value |= (uint64_t)(unsigned char)rest->data[i] << (8 * i);
    }
    rest->data += width;
    rest->length -= width;
    *ret = value;
    return 0;
}

static int take_value(struct sonde_str *rest, struct sonde_protobuf_field *field)
{
    uint64_t length;
    switch (field->type) {
    case SONDE_PROTOBUF_VARINT:
        return take_varint(rest, &field->value);
    case SONDE_PROTOBUF_FIXED64:
        return take_fixed(rest, 8, &field->value);
    case SONDE_PROTOBUF_FIXED32:
        return take_fixed(rest, 4, &field->value);
    case SONDE_PROTOBUF_BYTES:
        if (take_varint(rest, &length) < 0 || length > rest->length) {
            return SONDE_EPARSE;
        }
        field->bytes = (struct sonde_str){rest->data, (size_t)length};
        rest->data += length;
        rest->length -= (size_t)length;
        return 0;
    }
    return SONDE_EPARSE;
}

int sonde_protobuf_next(struct sonde_str *rest, struct sonde_protobuf_field *ret,
                        struct sonde_err *err)
{
    if (rest->length == 0) {
        return 0;
    }
    struct sonde_protobuf_field field = {0};
    uint64_t head;
    if (take_varint(rest, &head) < 0 || head >> 3 == 0 || head >> 3 > 0x1fffffff) {
        return sonde_fail(err, SONDE_EPARSE, 0, "protobuf: a malformed field number");
    }
    field.number = (uint32_t)(head >> 3);
    field.type = (enum sonde_protobuf_type)(head & 7);
    if (take_value(rest, &field) < 0) {
        return sonde_fail(err, SONDE_EPARSE, 0, "protobuf: field %u is malformed or cut",
                          field.number);
    }
    *ret = field;
    return 1;
}
