/* SPDX-License-Identifier: Apache-2.0 */
#include "load/proxy.h"

#include <openssl/crypto.h>

#include "codec/base64.h"

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

/* The field that says who we are. */
static int identify(struct sonde_str text, struct sonde_buf *ask, struct sonde_err *err)
{
    SONDE_BUF_AUTO plain = SONDE_BUF(SONDE_LOAD_CREDENTIALS_MAX);
    struct sonde_str password = text;
    struct sonde_str user = sonde_str_split(&password, ':');
    bool good = decode(user, &plain) && !memchr(plain.data, ':', plain.length);
    sonde_buf_char(&plain, ':');
    good = good && decode(password, &plain);
    if (good) {
        sonde_buf_text(ask, "Proxy-Authorization: Basic ");
        sonde_base64_encode(sonde_buf_view(&plain), ask);
        sonde_buf_text(ask, "\r\n");
    }
    int r = sonde_buf_check(&plain, "the proxy's user and password", err);
    if (plain.data) {
        OPENSSL_cleanse(plain.data, plain.capacity);
    }
    return r < 0 || good ? r
                         : sonde_fail(err, SONDE_EINVALID, 0,
                                      "the proxy's user and password: give USER:PASSWORD@ before "
                                      "its host, what is special as %% with two digits");
}

/* What is behind the scheme and before the host goes to *credentials, if there is anything. */
static int split(struct sonde_str text, struct sonde_str *credentials, struct sonde_str *place,
                 struct sonde_err *err)
{
    static const char scheme[] = "http://";
    if (sonde_str_starts(text, scheme)) {
        text = (struct sonde_str){text.data + strlen(scheme), text.length - strlen(scheme)};
    } else if (sonde_str_contains(text, SONDE_STR("://"))) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "a proxy is given as http://[USER:PASSWORD@]HOST[:PORT]: other schemes, "
                          "TLS among them, are not known");
    }
    const char *at = text.length ? memrchr(text.data, '@', text.length) : NULL;
    *credentials = (struct sonde_str){0};
    *place = text;
    if (at) {
        *credentials = (struct sonde_str){text.data, (size_t)(at - text.data)};
        *place = (struct sonde_str){at + 1, text.length - credentials->length - 1};
    }
    return 0;
}

int sonde_load_proxy_ask(struct sonde_str text, const struct sonde_load_url *target,
                         struct sonde_load_url *ret, struct sonde_buf *ask, struct sonde_err *err)
{
    struct sonde_str credentials;
    struct sonde_str place;
    SONDE_BUF_AUTO authority = SONDE_BUF(SONDE_LOAD_HOST_MAX + 16);
    int r = split(text, &credentials, &place, err);
    r = r < 0 ? r : sonde_load_url_parse(place, ret, err);
    if (r < 0) {
        return r;
    }
    /* Always with its port. */
    sonde_buf_printf(&authority, strchr(target->host, ':') ? "[%s]:%u" : "%s:%u", target->host,
                     target->port);
    sonde_buf_text(ask, "CONNECT ");
    sonde_buf_str(ask, sonde_buf_view(&authority));
    sonde_buf_text(ask, " HTTP/1.1\r\nHost: ");
    sonde_buf_str(ask, sonde_buf_view(&authority));
    sonde_buf_text(ask, "\r\n");
    r = sonde_buf_check(&authority, "the host", err);
    r = r < 0 || !credentials.data ? r : identify(credentials, ask, err);
    sonde_buf_text(ask, "\r\n");
    return r < 0 ? r : sonde_buf_check(ask, "what is asked of the proxy", err);
}
