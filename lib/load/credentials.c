/* SPDX-License-Identifier: Apache-2.0 */
#include "load/credentials.h"

#include <openssl/crypto.h>
#include <string.h>

#include "codec/base64.h"

void sonde_load_credentials_find(struct sonde_str url, struct sonde_str *before,
                                 struct sonde_str *credentials, struct sonde_str *behind)
{
    const char *scheme = url.length ? memmem(url.data, url.length, "://", 3) : NULL;
    size_t begin = scheme ? (size_t)(scheme - url.data) + 3 : 0;
    size_t end = begin;
    while (end < url.length && !strchr("/?#", url.data[end])) {
        end++;
    }
    const char *at = end > begin ? memrchr(url.data + begin, '@', end - begin) : NULL;
    size_t length = at ? (size_t)(at - url.data) - begin : 0;
    size_t cut = begin + length + (at != NULL);
    *before = (struct sonde_str){url.data, begin};
    *credentials = (struct sonde_str){at ? url.data + begin : NULL, length};
    *behind = (struct sonde_str){url.data + cut, url.length - cut};
}

/* Of a user or password. False: no encoding, or a byte that the field may not have (RFC 7617, 2).
 */
static bool decode(struct sonde_str text, struct sonde_buf *ret)
{
    enum { ENCODED = 3 };
    while (text.length) {
        uint64_t byte = (unsigned char)text.data[0];
        size_t used = 1;
        if (byte == '%') {
            used = ENCODED;
            if (text.length < used ||
                sonde_parse_hex64((struct sonde_str){text.data + 1, used - 1}, &byte) < 0) {
                return false;
            }
        }
        if (byte < ' ' || byte == 0x7f) {
            return false;
        }
        sonde_buf_char(ret, (char)byte);
        text = (struct sonde_str){text.data + used, text.length - used};
    }
    return true;
}

int sonde_load_credentials_put(struct sonde_str credentials, const char *whose,
                               struct sonde_buf *ret, struct sonde_err *err)
{
    SONDE_BUF_AUTO plain = SONDE_BUF(SONDE_LOAD_CREDENTIALS_MAX);
    struct sonde_str password = credentials;
    struct sonde_str user = sonde_str_split(&password, ':');
    bool good = decode(user, &plain) && !(plain.length && memchr(plain.data, ':', plain.length));
    sonde_buf_char(&plain, ':');
    good = good && decode(password, &plain);
    if (good) {
        sonde_buf_text(ret, "Basic ");
        sonde_base64_encode(sonde_buf_view(&plain), ret);
    }
    int r = sonde_buf_check(&plain, "user and password", err);
    if (plain.data) {
        OPENSSL_cleanse(plain.data, plain.capacity);
    }
    return r < 0 || good ? r
                         : sonde_fail(err, SONDE_EINVALID, 0,
                                      "%s user and password: give USER:PASSWORD@ before its host, "
                                      "what is special as %% with two digits",
                                      whose);
}
