/* SPDX-License-Identifier: Apache-2.0 */
/* What a WebSocket server answers, from the handshake on or (the second byte is even) behind it,
 * once as a whole and once in pieces of the size that the first byte says: both read the same. */
#include <stdlib.h>

#include "http/websocket_frames.h"
#include "http/websocket_handshake.h"

enum { MESSAGE_MAX = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

struct reading {
    struct sonde_handshake handshake;
    struct sonde_frames frames;
    bool shaken;
    bool in_message;
    size_t message_bytes;
    struct sonde_buf seen;
};

static void note(struct reading *reading, const struct sonde_frame_piece *piece)
{
    if (piece->opcode != SONDE_FRAME_TEXT) {
        must(piece->data.length <= SONDE_FRAME_CONTROL_MAX);
        sonde_buf_printf(&reading->seen, "<%d:%d:", (int)piece->opcode, piece->status);
        sonde_buf_str(&reading->seen, piece->data);
        return;
    }
    must(piece->first != reading->in_message);
    reading->in_message = !piece->last;
    reading->message_bytes = piece->first ? 0 : reading->message_bytes;
    reading->message_bytes += piece->data.length;
    must(reading->message_bytes <= MESSAGE_MAX);
    sonde_buf_text(&reading->seen, piece->first ? "[" : "");
    sonde_buf_str(&reading->seen, piece->data);
    sonde_buf_text(&reading->seen, piece->last ? "]" : "");
}

static int read_piece(struct reading *reading, struct sonde_str input)
{
    struct sonde_err err = {0};
    struct sonde_frame_piece piece;
    int r = 0;
    if (!reading->shaken) {
        r = sonde_handshake_read(&reading->handshake, &input, &err);
        reading->shaken = r == 1;
        r = r == 1 ? 0 : r;
    }
    while (r == 0 && reading->shaken) {
        const char *end = input.data + input.length;
        r = sonde_frames_read(&reading->frames, &input, &piece, &err);
        must(input.data + input.length == end);
        if (r == 1) {
            note(reading, &piece);
        } else if (r == 0) {
            break;
        }
        r = r == 1 ? 0 : r;
    }
    must(r == err.code && (r < 0 || input.length == 0));
    return r;
}

static int read_all(struct reading *reading, struct sonde_str input, bool shaken, size_t step)
{
    static const unsigned char nonce[] = "the sample nonce"; /* RFC 6455 §1.3 */
    SONDE_BUF_AUTO request = SONDE_BUF(4096);
    *reading = (struct reading){.shaken = shaken, .seen = SONDE_BUF(64 << 20)};
    must(sonde_handshake_begin(&reading->handshake, "h", "/", nonce, &request, NULL) == 0);
    sonde_frames_init(&reading->frames, MESSAGE_MAX);
    int r = 0;
    while (r == 0 && input.length) {
        size_t length = input.length < step ? input.length : step;
        r = read_piece(reading, (struct sonde_str){input.data, length});
        input.data += length;
        input.length -= length;
    }
    sonde_handshake_fini(&reading->handshake);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    struct sonde_str input = {(const char *)data + 2, size - 2};
    struct reading whole;
    struct reading pieces;
    bool shaken = data[1] % 2 == 0;
    int r = read_all(&whole, input, shaken, input.length);
    must(read_all(&pieces, input, shaken, (size_t)data[0] + 1) == r);
    must(sonde_str_equal(sonde_buf_view(&whole.seen), sonde_buf_view(&pieces.seen)));
    sonde_buf_fini(&whole.seen);
    sonde_buf_fini(&pieces.seen);
    return 0;
}
