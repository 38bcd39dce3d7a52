/* SPDX-License-Identifier: Apache-2.0 */
#include "load/proxy.h"

#include <string.h>

#include "load/credentials.h"

/* The field that says who we are. */
static int identify(struct sonde_str text, struct sonde_buf *ask, struct sonde_err *err)
{
    sonde_buf_text(ask, "Proxy-Authorization: ");
    int r = sonde_load_credentials_put(text, "the proxy's", ask, err);
    sonde_buf_text(ask, "\r\n");
    return r;
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
    struct sonde_str credentials = {0};
    struct sonde_str place = {0};
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
