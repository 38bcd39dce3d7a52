/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of a WebSocket (RFC 6455 §5) as a client reads and writes them: bytes in, pieces of
 * messages out, as they stand in what was read. No I/O, nothing allocated. */
#ifndef SONDE_HTTP_WEBSOCKET_FRAMES_H
#define SONDE_HTTP_WEBSOCKET_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_FRAME_CONTROL_MAX = 125, /* bytes of the payload of a control frame (§5.5) */
    SONDE_FRAME_HEAD_MAX = 14,     /* bytes before the payload of a frame that we write */
    SONDE_FRAME_MASK_SIZE = 4,
};

/* §5.2 */
enum sonde_frame_opcode {
    SONDE_FRAME_CONTINUATION = 0,
    SONDE_FRAME_TEXT = 1,
    SONDE_FRAME_BINARY = 2,
    SONDE_FRAME_CLOSE = 8,
    SONDE_FRAME_PING = 9,
    SONDE_FRAME_PONG = 10,
};

/* §7.4.1 */
enum sonde_frame_status {
    SONDE_FRAME_STATUS_NORMAL = 1000,
    SONDE_FRAME_STATUS_PROTOCOL = 1002,
    SONDE_FRAME_STATUS_NONE = 1005, /* stands for a close frame without one */
    SONDE_FRAME_STATUS_NO_TEXT = 1007,
    SONDE_FRAME_STATUS_TOO_BIG = 1009,
};

struct sonde_frames {
    uint64_t message_max;
    uint64_t message_bytes; /* of the message under way, with what its frame announces */
    uint64_t left;          /* bytes of the frame's payload that are to come */
    unsigned char head[SONDE_FRAME_HEAD_MAX];
    unsigned char head_length, head_wanted;
    bool in_payload;
    bool final; /* the frame is the last one of its message */
    bool in_message;
    bool begins; /* nothing of the message was handed out yet */
    bool binary; /* the message is */
    enum sonde_frame_opcode opcode;
    unsigned char control[SONDE_FRAME_CONTROL_MAX];
    size_t control_length;
};

struct sonde_frame_piece {
    enum sonde_frame_opcode opcode; /* TEXT: of a message, also of a binary one, whose JSON is
                                       checked all the same; CLOSE, PING or PONG: whole */
    struct sonde_str data;          /* of a message: within the bytes given; else borrowed until the
                                       next call */
    bool first, last;               /* of a message */
    bool binary;                    /* … which says that it is no text */
    uint16_t status;                /* of a CLOSE; 0: none */
};

/* message_max: bytes of one message. */
void sonde_frames_init(struct sonde_frames *frames, uint64_t message_max);

/* Takes bytes of *input, which it shortens by them, until there is something to be handed out: then
 * 1 and *ret; 0: all are taken. SONDE_EPROTOCOL for what no server may send, SONDE_ELIMIT as soon
 * as a frame announces more than message_max; after a failure it is not called again. UTF-8 is not
 * checked: who reads the text does. */
int sonde_frames_read(struct sonde_frames *frames, struct sonde_str *input,
                      struct sonde_frame_piece *ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends a whole frame, masked as a client's must be. Errors are the buffer's. */
void sonde_frame_write(struct sonde_buf *buf, enum sonde_frame_opcode opcode,
                       struct sonde_str payload, const unsigned char mask[SONDE_FRAME_MASK_SIZE]);

#endif
