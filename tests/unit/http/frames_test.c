/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of RFC 6455: frames, and the opening handshake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/websocket_frames.h"
#include "http/websocket_handshake.h"

enum { MESSAGE_MAX = 300 };

#define BYTES(literal) ((struct sonde_str){"" literal, sizeof(literal) - 1})

/* What was read, as text: "[hel" begins a message, "lo]" ends it; "<9:payload>" is a control frame,
 * with its status behind. */
static int read_frames(struct sonde_str bytes, size_t step, struct sonde_buf *ret,
                       struct sonde_err *err)
{
    struct sonde_frames frames;
    sonde_frames_init(&frames, MESSAGE_MAX);
    sonde_buf_clear(ret);
    while (bytes.length) {
        struct sonde_str input = {bytes.data, bytes.length < step ? bytes.length : step};
        const char *begin = input.data;
        const char *end = input.data + input.length;
        bytes.data += input.length;
        bytes.length -= input.length;
        struct sonde_frame_piece piece;
        int r;
        while ((r = sonde_frames_read(&frames, &input, &piece, err)) == 1) {
            if (piece.opcode != SONDE_FRAME_TEXT) {
                sonde_buf_printf(ret, "<%d:%.*s%.0u>", (int)piece.opcode, SONDE_STR_ARG(piece.data),
                                 (unsigned)piece.status);
                continue;
            }
            assert_true(piece.data.data >= begin && piece.data.data <= end);
            sonde_buf_text(ret, piece.first && piece.binary ? "binary " : "");
            sonde_buf_text(ret, piece.first ? "[" : "");
            sonde_buf_str(ret, piece.data);
            sonde_buf_text(ret, piece.last ? "]" : "");
        }
        if (r < 0) {
            return r;
        }
        assert_int_equal(input.length, 0);
    }
    return 0;
}

static void frames_are_read_in_any_pieces(void **state)
{
    (void)state;
    static const struct {
        struct sonde_str bytes;
        const char *text;
    } cases[] = {
        {BYTES("\x81\x05Hello"), "[Hello]"},         /* the examples of §5.7 */
        {BYTES("\x01\x03Hel\x80\x02lo"), "[Hello]"}, /* in two fragments */
        {BYTES("\x89\x05Hello"), "<9:Hello>"},
        {BYTES("\x82\x02{}"), "binary [{}]"},
        {BYTES("\x02\x01{\x80\x01}\x81\x01x"), "binary [{}][x]"},
        {BYTES("\x81\x00\x81\x01x"), "[][x]"},
        {BYTES("\x01\x00\x00\x00\x80\x00"), "[]"},       /* empty fragments only */
        {BYTES("\x01\x00\x00\x02hi\x80\x00"), "[hi]"},   /* the last one is empty */
        {BYTES("\x81\x7e\x00\x02hi"), "[hi]"},           /* a longer length than needed */
        {BYTES("\x81\x7f\0\0\0\0\0\0\0\x02hi"), "[hi]"}, /* and a much longer one */
        {BYTES("\x88\x00"), "<8:>"},                     /* a close without a reason */
        {BYTES("\x8a\x00\x89\x00"), "<10:><9:>"},        /* a pong that nobody asked for */
    };
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        for (size_t step = 1; step <= cases[i].bytes.length; step++) {
            assert_int_equal(read_frames(cases[i].bytes, step, &text, NULL), 0);
            assert_string_equal(text.data, cases[i].text);
        }
    }
}

static void control_frames_come_between_fragments(void **state)
{
    (void)state;
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    static const struct sonde_str bytes =
        BYTES("\x01\x03Hel\x89\x04ping\x00\x01l\x8a\x00\x80\x01o");
    assert_int_equal(read_frames(bytes, bytes.length, &text, NULL), 0);
    assert_string_equal(text.data, "[Hel<9:ping>l<10:>o]");
    assert_int_equal(read_frames(bytes, 1, &text, NULL), 0);
    assert_string_equal(text.data, "[Hel<9:ping>l<10:>o]");
}

static void a_close_tells_its_status(void **state)
{
    (void)state;
    struct sonde_frames frames;
    struct sonde_frame_piece piece;
    struct sonde_str input = BYTES("\x88\x07\x03\xe9later");
    sonde_frames_init(&frames, MESSAGE_MAX);
    assert_int_equal(sonde_frames_read(&frames, &input, &piece, NULL), 1);
    assert_int_equal(piece.opcode, SONDE_FRAME_CLOSE);
    assert_int_equal(piece.status, 1001);
    assert_int_equal(piece.data.length, 7);
}

static void what_no_server_sends_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct sonde_str bytes;
        int code;
    } cases[] = {
        {BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), SONDE_EPROTOCOL}, /* masked */
        {BYTES("\x83\x00"), SONDE_EPROTOCOL}, /* reserved opcodes */
        {BYTES("\x87\x00"), SONDE_EPROTOCOL},
        {BYTES("\x8b\x00"), SONDE_EPROTOCOL},
        {BYTES("\x8f\x00"), SONDE_EPROTOCOL},
        {BYTES("\xc1\x00"), SONDE_EPROTOCOL}, /* reserved bits */
        {BYTES("\xa1\x00"), SONDE_EPROTOCOL},
        {BYTES("\x91\x00"), SONDE_EPROTOCOL},
        {BYTES("\x80\x00"), SONDE_EPROTOCOL},           /* goes on with nothing */
        {BYTES("\x01\x01x\x81\x01y"), SONDE_EPROTOCOL}, /* begins in the middle */
        {BYTES("\x81\x01x\x80\x01y"), SONDE_EPROTOCOL}, /* goes on behind the end */
        {BYTES("\x09\x00"), SONDE_EPROTOCOL},           /* a ping in fragments */
        {BYTES("\x89\x7e\x00\x7e"), SONDE_EPROTOCOL},   /* a ping of 126 bytes */
        {BYTES("\x88\x01\x03"), SONDE_EPROTOCOL},       /* half a status */
        {BYTES("\x81\x7f\x80\0\0\0\0\0\0\0"), SONDE_EPROTOCOL},
        {BYTES("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), SONDE_ELIMIT},
        {BYTES("\x81\x7e\x01\x2d"), SONDE_ELIMIT}, /* one byte too many */
        {BYTES("\x01\x01x\x80\x7e\x01\x2c"), SONDE_ELIMIT},
        {BYTES("\x01\x01x\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), SONDE_ELIMIT},
    };
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        for (size_t step = 1; step <= cases[i].bytes.length; step++) {
            struct sonde_err err = {0};
            assert_int_equal(read_frames(cases[i].bytes, step, &text, &err), cases[i].code);
            assert_int_equal(err.code, cases[i].code);
            assert_true(err.message[0]);
        }
    }
}

/* The next message may be as long as the last one. */
static void the_bound_is_of_each_message(void **state)
{
    (void)state;
    SONDE_BUF_AUTO bytes = SONDE_BUF(4096);
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    for (int i = 0; i < 3; i++) {
        sonde_buf_append(&bytes, "\x81\x7e\x01\x2c", 4);
        sonde_buf_repeat(&bytes, 'x', MESSAGE_MAX);
    }
    assert_int_equal(read_frames(sonde_buf_view(&bytes), 7, &text, NULL), 0);
    assert_int_equal(text.length, 3 * (MESSAGE_MAX + 2));
}

static void what_we_send_is_masked(void **state)
{
    (void)state;
    static const unsigned char mask[] = {0x37, 0xfa, 0x21, 0x3d};
    SONDE_BUF_AUTO buf = SONDE_BUF(1 << 20);
    sonde_frame_write(&buf, SONDE_FRAME_TEXT, SONDE_STR("Hello"), mask); /* §5.7 */
    assert_int_equal(buf.length, 11);
    assert_memory_equal(buf.data, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    static const struct {
        size_t length;
        struct sonde_str head;
    } cases[] = {
        {0, BYTES("\x81\x80")},
        {125, BYTES("\x81\xfd")},
        {126, BYTES("\x81\xfe\x00\x7e")},
        {65535, BYTES("\x81\xfe\xff\xff")},
        {65536, BYTES("\x81\xff\0\0\0\0\0\x01\0\0")},
    };
    static char payload[65536];
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_str head = cases[i].head;
        sonde_buf_clear(&buf);
        sonde_frame_write(&buf, SONDE_FRAME_TEXT, (struct sonde_str){payload, cases[i].length},
                          mask);
        assert_int_equal(buf.length, head.length + sizeof(mask) + cases[i].length);
        assert_memory_equal(buf.data, head.data, head.length);
        assert_memory_equal(buf.data + head.length, mask, sizeof(mask));
        for (size_t at = 0; at < cases[i].length; at++) { /* zeros: the mask itself */
            assert_int_equal((unsigned char)buf.data[head.length + sizeof(mask) + at],
                             mask[at % sizeof(mask)]);
        }
    }
    struct sonde_buf small = SONDE_BUF(8);
    sonde_frame_write(&small, SONDE_FRAME_TEXT, SONDE_STR("Hello"), mask);
    assert_int_equal(sonde_buf_check(&small, "it", NULL), SONDE_ELIMIT);
    assert_int_equal(small.length, 0);
    sonde_buf_fini(&small);
}

/* ---- the handshake: the example of §1.3 ---- */

static const unsigned char nonce[] = "the sample nonce";
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define STATUS "HTTP/1.1 101 Switching Protocols\r\n"
#define AGREED "Upgrade: websocket\r\nConnection: Upgrade\r\n"

/* 1, 0 or the error of an answer that comes in pieces; *ret_rest: bytes that are left. */
static int shake(struct sonde_str answer, size_t step, size_t *ret_rest, struct sonde_err *err)
{
    struct sonde_handshake handshake;
    SONDE_BUF_AUTO request = SONDE_BUF(4096);
    assert_int_equal(
        sonde_handshake_begin(&handshake, "127.0.0.1:9229", "/0f2c", nonce, &request, NULL), 0);
    assert_string_equal(request.data, "GET /0f2c HTTP/1.1\r\nHost: 127.0.0.1:9229\r\n"
                                      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                      "Sec-WebSocket-Version: 13\r\n"
                                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    int r = 0;
    while (answer.length && r == 0) {
        struct sonde_str input = {answer.data, answer.length < step ? answer.length : step};
        size_t given = input.length;
        r = sonde_handshake_read(&handshake, &input, err);
        answer.data += given - input.length;
        answer.length -= given - input.length;
    }
    *ret_rest = answer.length;
    sonde_handshake_fini(&handshake);
    return r;
}

static void an_agreement_is_understood(void **state)
{
    (void)state;
    static const char *const answers[] = {
        STATUS AGREED ACCEPT "\r\n\x81\x05Hello",
        STATUS "upgrade:WebSocket\r\nCONNECTION: keep-alive ,  upgrade\r\nX: \r\n" ACCEPT
               "\r\n\x81\x05Hello",
        "HTTP/1.1 101\r\nConnection: x\r\n" AGREED ACCEPT "\r\n\x81\x05Hello",
    };
    for (size_t i = 0; i < SONDE_LENGTH(answers); i++) {
        struct sonde_str answer = sonde_str(answers[i]);
        for (size_t step = 1; step <= answer.length; step++) {
            size_t rest = 0;
            assert_int_equal(shake(answer, step, &rest, NULL), 1);
            assert_int_equal(rest, 7);
        }
    }
}

static void a_protocol_is_chosen_where_some_were_offered(void **state)
{
    (void)state;
    for (int offered = 0; offered <= 1; offered++) {
        struct sonde_handshake handshake;
        SONDE_BUF_AUTO fields = SONDE_BUF(4096);
        struct sonde_str answer =
            BYTES(STATUS AGREED ACCEPT "Sec-WebSocket-Protocol: chat\r\n\r\n");
        assert_int_equal(sonde_handshake_fields(&handshake, nonce, &fields, NULL), 0);
        assert_string_equal(fields.data, AGREED "Sec-WebSocket-Version: 13\r\n"
                                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        handshake.may_choose = offered;
        assert_int_equal(sonde_handshake_read(&handshake, &answer, NULL),
                         offered ? 1 : SONDE_EPROTOCOL);
        sonde_handshake_fini(&handshake);
    }
}

static void anything_else_is_no_agreement(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int code;
    } cases[] = {
        {STATUS AGREED ACCEPT, 0}, /* not whole yet */
        {STATUS AGREED "\r\n", SONDE_EPROTOCOL},
        {STATUS "Upgrade: websocket\r\n" ACCEPT "\r\n", SONDE_EPROTOCOL},
        {STATUS "Connection: Upgrade\r\n" ACCEPT "\r\n", SONDE_EPROTOCOL},
        {STATUS "Upgrade: h2c\r\nConnection: Upgrade\r\n" ACCEPT "\r\n", SONDE_EPROTOCOL},
        {STATUS AGREED "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
         SONDE_EPROTOCOL},
        {STATUS AGREED ACCEPT "Sec-WebSocket-Accept: x\r\n\r\n", SONDE_EPROTOCOL},
        {STATUS AGREED "Sec-WebSocket-Accept:\r\n\r\n", SONDE_EPROTOCOL},
        {STATUS AGREED ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
         SONDE_EPROTOCOL},
        {STATUS AGREED ACCEPT "Sec-WebSocket-Protocol: chat\r\n\r\n", SONDE_EPROTOCOL},
        {STATUS AGREED "what is this\r\n" ACCEPT "\r\n", SONDE_EPROTOCOL},
        {"HTTP/1.0 400 Bad Request\r\n\r\n", SONDE_ENETWORK},
        {"HTTP/1.1 200 OK\r\n" AGREED ACCEPT "\r\n", SONDE_ENETWORK},
        {"HTTP/1.1 1010\r\n\r\n", SONDE_EPROTOCOL},
        {"HTTP/1.1\r\n\r\n", SONDE_EPROTOCOL},
        {"SSH-2.0-OpenSSH_9.2\r\n\r\n", SONDE_EPROTOCOL},
        {"\r\n\r\n", SONDE_EPROTOCOL},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_err err = {0};
        size_t rest;
        assert_int_equal(shake(sonde_str(cases[i].answer), 5, &rest, &err), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
    }
}

static void the_answer_has_a_bound(void **state)
{
    (void)state;
    SONDE_BUF_AUTO answer = SONDE_BUF(2 * SONDE_HANDSHAKE_ANSWER_MAX);
    size_t rest;
    sonde_buf_text(&answer, STATUS);
    sonde_buf_repeat(&answer, 'x', SONDE_HANDSHAKE_ANSWER_MAX);
    assert_int_equal(shake(sonde_buf_view(&answer), 1000, &rest, NULL), SONDE_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_read_in_any_pieces),
        cmocka_unit_test(control_frames_come_between_fragments),
        cmocka_unit_test(a_close_tells_its_status),
        cmocka_unit_test(what_no_server_sends_is_refused),
        cmocka_unit_test(the_bound_is_of_each_message),
        cmocka_unit_test(what_we_send_is_masked),
        cmocka_unit_test(an_agreement_is_understood),
        cmocka_unit_test(a_protocol_is_chosen_where_some_were_offered),
        cmocka_unit_test(anything_else_is_no_agreement),
        cmocka_unit_test(the_answer_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
