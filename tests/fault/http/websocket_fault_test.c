/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fail.h"
#include "http/websocket.h"
#include "http/websocket_frames.h"
#include "http/websocket_handshake.h"

static int shake_hands(void *context)
{
    (void)context;
    static const unsigned char nonce[] = "the sample nonce"; /* RFC 6455 §1.3 */
    struct sonde_str answer =
        SONDE_STR("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"
                  "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    struct sonde_handshake handshake;
    SONDE_BUF_AUTO request = SONDE_BUF(4096);
    int r = sonde_handshake_begin(&handshake, "127.0.0.1:9229", "/", nonce, &request, NULL);
    r = r < 0 ? r : sonde_handshake_read(&handshake, &answer, NULL);
    sonde_handshake_fini(&handshake);
    return r == 1 ? 0 : r;
}

static int write_a_frame(void *context)
{
    (void)context;
    static const unsigned char mask[SONDE_FRAME_MASK_SIZE] = {1, 2, 3, 4};
    SONDE_BUF_AUTO buf = SONDE_BUF(4096);
    sonde_frame_write(&buf, SONDE_FRAME_TEXT, SONDE_STR("hello"), mask);
    return sonde_buf_check(&buf, "a frame", NULL);
}

static int make_a_socket(void *context)
{
    (void)context;
    struct sonde_loop *loop = NULL;
    struct sonde_websocket *socket = NULL;
    int r = sonde_loop_new(&loop, NULL);
    r = r < 0 ? r : sonde_websocket_new(loop, &socket, NULL);
    sonde_websocket_free(socket);
    sonde_loop_free(loop);
    return r;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    fail_each_allocation(shake_hands, NULL);
    fail_each_allocation(write_a_frame, NULL);
    fail_each_allocation(make_a_socket, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
