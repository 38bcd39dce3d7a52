/* SPDX-License-Identifier: Apache-2.0 */
#include "http/websocket_frames.h"

enum {
    FINAL = 0x80,
    RESERVED = 0x70,
    OPCODE = 0x0f,
    CONTROL = 0x08, /* the bit that tells control frames from the others */
    MASKED = 0x80,
    LENGTH = 0x7f,
    LENGTH_16 = 126, /* the length stands behind, in two bytes … */
    LENGTH_64 = 127, /* … or in eight */
    HEAD_SHORT = 2,
};

void sonde_frames_init(struct sonde_frames *frames, uint64_t message_max)
{
    *frames = (struct sonde_frames){.message_max = message_max, .head_wanted = HEAD_SHORT};
}

static int violated(const char *what, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPROTOCOL, 0, "WebSocket: the peer sent %s", what);
}

/* ---- the head of a frame ---- */

static uint64_t big_endian(const unsigned char *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static int begin_control(struct sonde_frames *f, struct sonde_err *err)
{
    if (!f->final || f->left > SONDE_FRAME_CONTROL_MAX) {
        return violated("a control frame that is too long, or in fragments", err);
    }
    f->control_length = 0;
    return f->opcode > SONDE_FRAME_PONG ? violated("a frame of an unknown kind", err) : 0;
}

static int begin_data(struct sonde_frames *f, struct sonde_err *err)
{
    if (f->opcode > SONDE_FRAME_BINARY) {
        return violated("a frame of an unknown kind", err);
    }
    if ((f->opcode == SONDE_FRAME_CONTINUATION) != f->in_message) {
        return violated(f->in_message ? "a message within another one"
                                      : "the continuation of a message that never began",
                        err);
    }
    if (!f->in_message) {
        f->in_message = f->begins = true;
        f->binary = f->opcode == SONDE_FRAME_BINARY;
        f->message_bytes = 0;
    }
    /* What a frame announces counts before it arrives. */
    if (f->left > f->message_max - f->message_bytes) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "WebSocket: a message of more than %llu bytes",
                          (unsigned long long)f->message_max);
    }
    f->message_bytes += f->left;
    return 0;
}

static int end_head(struct sonde_frames *f, struct sonde_err *err)
{
    f->left = f->head_wanted == HEAD_SHORT
                  ? (uint64_t)f->head[1] & LENGTH
                  : big_endian(f->head + HEAD_SHORT, (size_t)f->head_wanted - HEAD_SHORT);
    f->opcode = (enum sonde_frame_opcode)(f->head[0] & OPCODE);
    f->final = f->head[0] & FINAL;
    f->head_length = 0;
    f->head_wanted = HEAD_SHORT;
    f->in_payload = true;
    if (f->left > INT64_MAX) {
        return violated("a frame of a negative length", err);
    }
    return f->opcode & CONTROL ? begin_control(f, err) : begin_data(f, err);
}

static int take_head(struct sonde_frames *f, unsigned char byte, struct sonde_err *err)
{
    f->head[f->head_length++] = byte;
    if (f->head_length == 1 && byte & RESERVED) {
        return violated("a frame of an extension that was not agreed on", err);
    }
    if (f->head_length == HEAD_SHORT) {
        unsigned length = byte & LENGTH;
        f->head_wanted = length == LENGTH_16   ? HEAD_SHORT + 2
                         : length == LENGTH_64 ? HEAD_SHORT + 8
                                               : HEAD_SHORT;
        if (byte & MASKED) {
            return violated("a masked frame", err);
        }
    }
    return f->head_length == f->head_wanted ? end_head(f, err) : 0;
}

/* ---- its payload ---- */

static struct sonde_str take(struct sonde_frames *f, struct sonde_str *input)
{
    size_t length = input->length < f->left ? input->length : (size_t)f->left;
    struct sonde_str data = {input->data, length};
    input->data += length;
    input->length -= length;
    f->left -= length;
    return data;
}

/* RFC 6455 §7.4.1, §7.4.2: 1004 to 1006 and 1015 never stand in a frame. */
static bool may_be_sent(uint16_t status)
{
    bool reserved = (status >= 1004 && status <= 1006) || status == 1015;
    return status >= 1000 && status < 5000 && !reserved;
}

/* 1: it is whole. */
static int read_control(struct sonde_frames *f, struct sonde_str *input,
                        struct sonde_frame_piece *ret, struct sonde_err *err)
{
    struct sonde_str data = take(f, input);
    if (data.length) {
        memcpy(f->control + f->control_length, data.data, data.length);
        f->control_length += data.length;
    }
    if (f->left) {
        return 0;
    }
    f->in_payload = false;
    *ret = (struct sonde_frame_piece){.opcode = f->opcode,
                                      .data = {(const char *)f->control, f->control_length}};
    if (f->opcode == SONDE_FRAME_CLOSE && f->control_length) {
        if (f->control_length < sizeof(ret->status)) {
            return violated("half a reason for closing", err);
        }
        ret->status = (uint16_t)big_endian(f->control, sizeof(ret->status));
        if (!may_be_sent(ret->status)) {
            return violated("a reason for closing that is none", err);
        }
    }
    return 1;
}

/* 1: there is a piece. Nothing is handed out of an empty frame, unless it is the last. */
static int read_data(struct sonde_frames *f, struct sonde_str *input, struct sonde_frame_piece *ret)
{
    struct sonde_str data = take(f, input);
    bool last = f->left == 0 && f->final;
    f->in_payload = f->left > 0;
    if (data.length == 0 && !last) {
        return 0;
    }
    *ret = (struct sonde_frame_piece){.opcode = SONDE_FRAME_TEXT,
                                      .data = data,
                                      .first = f->begins,
                                      .last = last,
                                      .binary = f->binary};
    f->begins = false;
    f->in_message = !last;
    return 1;
}

int sonde_frames_read(struct sonde_frames *frames, struct sonde_str *input,
                      struct sonde_frame_piece *ret, struct sonde_err *err)
{
    for (;;) {
        int r = 0;
        if (frames->in_payload && (input->length || frames->left == 0)) {
            r = frames->opcode & CONTROL ? read_control(frames, input, ret, err)
                                         : read_data(frames, input, ret);
        } else if (input->length) {
            r = take_head(frames, (unsigned char)*input->data, err);
            input->data++;
            input->length--;
        } else {
            return 0;
        }
        if (r != 0) {
            return r;
        }
    }
}

/* ---- what we send ---- */

void sonde_frame_write(struct sonde_buf *buf, enum sonde_frame_opcode opcode,
                       struct sonde_str payload, const unsigned char mask[SONDE_FRAME_MASK_SIZE])
{
    unsigned char head[SONDE_FRAME_HEAD_MAX] = {(unsigned char)(FINAL | (unsigned)opcode)};
    size_t size = payload.length < LENGTH_16 ? 0 : payload.length <= UINT16_MAX ? 2 : 8;
    head[1] = (unsigned char)(MASKED | (size == 0   ? payload.length
                                        : size == 2 ? LENGTH_16
                                                    : LENGTH_64));
    for (size_t i = 0; i < size; i++) {
        head[HEAD_SHORT + i] = (unsigned char)((uint64_t)payload.length >> (8 * (size - 1 - i)));
    }
    size += HEAD_SHORT;
    memcpy(head + size, mask, SONDE_FRAME_MASK_SIZE);
    size += SONDE_FRAME_MASK_SIZE;
    char *room = sonde_buf_reserve(buf, size + payload.length);
    if (!room) {
        return;
    }
    memcpy(room, head, size);
    for (size_t i = 0; i < payload.length; i++) {
        room[size + i] = (char)((unsigned char)payload.data[i] ^ mask[i % SONDE_FRAME_MASK_SIZE]);
    }
    buf->length += size + payload.length;
    buf->data[buf->length] = '\0';
}
