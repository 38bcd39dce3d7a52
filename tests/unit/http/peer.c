/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { REQUEST_MAX = 16384, SEEN_MAX = 8 << 20, SILENCE_S = 10 };

static void *run(void *context)
{
    struct peer *peer = context;
    for (;;) {
        int fd = accept(peer->listener, NULL, NULL);
        if (fd < 0) {
            return NULL; /* shut down by peer_end */
        }
        const struct timeval silence = {.tv_sec = SILENCE_S};
        const int on = 1;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof(silence));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        peer->connections++;
        peer->behave(peer, fd);
        (void)close(fd);
    }
}

void peer_begin(struct peer *peer, void (*behave)(struct peer *peer, int fd), const void *argument)
{
    *peer = (struct peer){.behave = behave,
                          .argument = argument,
                          .request = SONDE_BUF(REQUEST_MAX),
                          .seen = SONDE_BUF(SEEN_MAX)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer->listener >= 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(peer->listener, 8), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &size), 0);
    peer->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&peer->thread, NULL, run, peer), 0);
}

void peer_end(struct peer *peer)
{
    (void)shutdown(peer->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(peer->thread, NULL), 0);
    (void)close(peer->listener);
}

void peer_fini(struct peer *peer)
{
    sonde_buf_fini(&peer->request);
    sonde_buf_fini(&peer->seen);
}

void peer_send(int fd, const void *data, size_t length)
{
    const char *at = data;
    while (length) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        at += sent;
        length -= (size_t)sent;
    }
}

void peer_send_text(int fd, const char *text)
{
    peer_send(fd, text, strlen(text));
}

bool peer_read_request(struct peer *peer, int fd)
{
    sonde_buf_clear(&peer->request);
    char byte;
    while (recv(fd, &byte, 1, 0) == 1 && peer->request.code == 0) {
        sonde_buf_char(&peer->request, byte);
        if (sonde_str_ends(sonde_buf_view(&peer->request), "\r\n\r\n")) {
            return true;
        }
    }
    return false;
}

void peer_drain(int fd)
{
    char bytes[65536];
    while (recv(fd, bytes, sizeof(bytes), 0) > 0) {
    }
}

void peer_reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

bool peer_upgrade(struct peer *peer, int fd)
{
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    static const char name[] = "Sec-WebSocket-Key: ";
    if (!peer_read_request(peer, fd)) {
        return false;
    }
    const char *key = strcasestr(peer->request.data, name);
    if (!key) {
        return false;
    }
    key += sizeof(name) - 1;
    char text[256];
    unsigned char digest[SHA_DIGEST_LENGTH];
    unsigned char accept_key[64];
    int length = snprintf(text, sizeof(text), "%.*s%s", (int)strcspn(key, "\r"), key, magic);
    (void)SHA1((unsigned char *)text, (size_t)length, digest);
    (void)EVP_EncodeBlock(accept_key, digest, sizeof(digest));
    (void)snprintf(text, sizeof(text),
                   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                   (char *)accept_key);
    peer_send_text(fd, text);
    return true;
}

void peer_send_frame(int fd, unsigned first, const void *data, size_t length)
{
    unsigned char head[10] = {(unsigned char)first};
    size_t size = 2;
    int bytes = length < 126 ? 0 : length <= UINT16_MAX ? 2 : 8;
    head[1] = (unsigned char)(bytes == 0 ? length : bytes == 2 ? 126 : 127);
    for (int i = bytes - 1; i >= 0; i--) {
        head[size++] = (unsigned char)((uint64_t)length >> (8 * i));
    }
    peer_send(fd, head, size);
    peer_send(fd, data, length);
}

static bool receive(int fd, void *data, size_t length)
{
    return length == 0 || recv(fd, data, length, MSG_WAITALL) == (ssize_t)length;
}

int peer_read_frame(int fd, struct sonde_buf *payload)
{
    unsigned char head[2];
    unsigned char extended[8];
    unsigned char mask[4];
    if (!receive(fd, head, 2)) {
        return -1;
    }
    if (!(head[1] & 0x80)) {
        return -2;
    }
    uint64_t length = head[1] & 0x7f;
    size_t bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (!receive(fd, extended, bytes) || !receive(fd, mask, sizeof(mask))) {
        return -1;
    }
    for (size_t i = 0; i < bytes; i++) {
        length = (i ? length << 8 : 0) | extended[i];
    }
    char *room = sonde_buf_reserve(payload, (size_t)length);
    if (!room || !receive(fd, room, (size_t)length)) {
        return -1;
    }
    for (uint64_t i = 0; i < length; i++) {
        room[i] = (char)(room[i] ^ (char)mask[i % 4]);
    }
    payload->length += (size_t)length;
    payload->data[payload->length] = '\0';
    return head[0];
}
