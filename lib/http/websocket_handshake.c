/* SPDX-License-Identifier: Apache-2.0 */
#include "http/websocket_handshake.h"

#include <strings.h>

#include "codec/base64.h"
#include "codec/digest.h"

enum { KEY_MAX = 64 }; /* of the nonce or of a digest in base64, with what is appended to it */

static const char end_of_head[] = "\r\n\r\n";

/* §4.2.2: the digest of our key and a constant that no other protocol knows. */
static int prove(const struct sonde_buf *key, char ret[SONDE_HANDSHAKE_PROOF_SIZE],
                 struct sonde_err *err)
{
    unsigned char digest[SONDE_SHA1_BYTES];
    SONDE_BUF_AUTO text = SONDE_BUF(2 * KEY_MAX);
    SONDE_BUF_AUTO proof = SONDE_BUF(KEY_MAX);
    sonde_buf_str(&text, sonde_buf_view(key));
    sonde_buf_text(&text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    int r = sonde_buf_check(&text, "the WebSocket's key", err);
    if (r < 0) {
        return r;
    }
    if (!sonde_sha1_bytes(sonde_buf_view(&text), digest)) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "WebSocket: OpenSSL makes no SHA-1");
    }
    sonde_base64_encode((struct sonde_str){(const char *)digest, sizeof(digest)}, &proof);
    r = sonde_buf_check(&proof, "the WebSocket's key", err);
    if (r == 0) {
        memcpy(ret, proof.data, SONDE_HANDSHAKE_PROOF_SIZE);
    }
    return r;
}

int sonde_handshake_fields(struct sonde_handshake *handshake,
                           const unsigned char nonce[SONDE_HANDSHAKE_NONCE_SIZE],
                           struct sonde_buf *buf, struct sonde_err *err)
{
    SONDE_BUF_AUTO key = SONDE_BUF(KEY_MAX);
    *handshake = (struct sonde_handshake){.answer = SONDE_BUF(SONDE_HANDSHAKE_ANSWER_MAX)};
    sonde_base64_encode((struct sonde_str){(const char *)nonce, SONDE_HANDSHAKE_NONCE_SIZE}, &key);
    int r = sonde_buf_check(&key, "the WebSocket's key", err);
    r = r < 0 ? r : prove(&key, handshake->proof, err);
    if (r < 0) {
        return r;
    }
    sonde_buf_text(buf, "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
    sonde_buf_str(buf, sonde_buf_view(&key));
    sonde_buf_text(buf, "\r\n");
    return sonde_buf_check(buf, "the WebSocket's request", err);
}

int sonde_handshake_begin(struct sonde_handshake *handshake, const char *authority,
                          const char *path, const unsigned char nonce[SONDE_HANDSHAKE_NONCE_SIZE],
                          struct sonde_buf *buf, struct sonde_err *err)
{
    sonde_buf_text(buf, "GET ");
    sonde_buf_text(buf, path);
    sonde_buf_text(buf, " HTTP/1.1\r\nHost: ");
    sonde_buf_text(buf, authority);
    sonde_buf_text(buf, "\r\n");
    int r = sonde_handshake_fields(handshake, nonce, buf, err);
    sonde_buf_text(buf, "\r\n");
    return r < 0 ? r : sonde_buf_check(buf, "the WebSocket's request", err);
}

void sonde_handshake_fini(struct sonde_handshake *handshake)
{
    sonde_buf_fini(&handshake->answer);
}

/* ---- the answer ---- */

static int violated(const char *what, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPROTOCOL, 0, "WebSocket: the peer's answer to the handshake %s",
                      what);
}

static bool is(struct sonde_str text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

/* Whether a list with commas has it. */
static bool has_word(struct sonde_str list, const char *word)
{
    while (list.length) {
        if (is(sonde_str_trim(sonde_str_split(&list, ',')), word)) {
            return true;
        }
    }
    return false;
}

static int check_status(struct sonde_str line, struct sonde_err *err)
{
    struct sonde_str version = sonde_str_split(&line, ' ');
    uint64_t status;
    if (!sonde_str_starts(version, "HTTP/1.") ||
        sonde_parse_u64(sonde_str_split(&line, ' '), 100, 999, &status) < 0) {
        return violated("is no HTTP", err);
    }
    enum { SWITCHING_PROTOCOLS = 101 };
    return status == SWITCHING_PROTOCOLS
               ? 0
               : sonde_fail(err, SONDE_ENETWORK, 0,
                            "WebSocket: the peer answers the handshake with status %u",
                            (unsigned)status);
}

struct agreed {
    bool upgrade, connection, accept;
};

static int check_field(const struct sonde_handshake *h, struct sonde_str line,
                       struct agreed *agreed, struct sonde_err *err)
{
    struct sonde_str name = sonde_str_split(&line, ':');
    if (!line.data) {
        return violated("has a line that is no header field", err);
    }
    struct sonde_str value = sonde_str_trim(line);
    if (is(name, "Upgrade")) {
        agreed->upgrade = is(value, "websocket");
    } else if (is(name, "Connection")) {
        agreed->connection = agreed->connection || has_word(value, "Upgrade");
    } else if (is(name, "Sec-WebSocket-Accept")) {
        agreed->accept = sonde_str_is(value, h->proof);
        return agreed->accept ? 0 : violated("has a wrong Sec-WebSocket-Accept", err);
    } else if (is(name, "Sec-WebSocket-Extensions") ||
               (is(name, "Sec-WebSocket-Protocol") && !h->may_choose)) {
        return violated("chooses what was not offered", err);
    }
    return 0;
}

static int check_answer(const struct sonde_handshake *h, struct sonde_err *err)
{
    struct agreed agreed = {0};
    struct sonde_str rest = sonde_buf_view(&h->answer);
    rest.length -= strlen(end_of_head);
    int r = check_status(sonde_str_trim(sonde_str_split(&rest, '\n')), err);
    while (r == 0 && rest.length) {
        r = check_field(h, sonde_str_trim(sonde_str_split(&rest, '\n')), &agreed, err);
    }
    if (r < 0) {
        return r;
    }
    return agreed.upgrade && agreed.connection && agreed.accept
               ? 0
               : violated("lacks Upgrade, Connection or Sec-WebSocket-Accept", err);
}

int sonde_handshake_read(struct sonde_handshake *handshake, struct sonde_str *input,
                         struct sonde_err *err)
{
    while (input->length) {
        sonde_buf_char(&handshake->answer, *input->data);
        input->data++;
        input->length--;
        int r = sonde_buf_check(&handshake->answer, "the peer's answer to the handshake", err);
        if (r == 0 && sonde_str_ends(sonde_buf_view(&handshake->answer), end_of_head)) {
            r = check_answer(handshake, err);
            r = r < 0 ? r : 1;
        }
        if (r != 0) {
            return r;
        }
    }
    return 0;
}
