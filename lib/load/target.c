/* SPDX-License-Identifier: Apache-2.0 */
#include "load/target.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

static int bad(struct sonde_str text, const char *what, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EINVALID, 0, "%.*s is no URL to load: %s", SONDE_STR_ARG(text),
                      what);
}

/* The scheme; what is behind it stays in *rest. */
static int take_scheme(struct sonde_str text, struct sonde_str *rest, struct sonde_load_url *ret,
                       struct sonde_err *err)
{
    static const struct {
        const char *name;
        bool tls, websocket;
    } schemes[] = {{"http://", false, false},
                   {"https://", true, false},
                   {"ws://", false, true},
                   {"wss://", true, true}};
    for (size_t i = 0; i < SONDE_LENGTH(schemes); i++) {
        size_t length = strlen(schemes[i].name);
        if (text.length >= length && strncasecmp(text.data, schemes[i].name, length) == 0) {
            ret->tls = schemes[i].tls;
            ret->websocket = schemes[i].websocket;
            *rest = (struct sonde_str){text.data + length, text.length - length};
            return 0;
        }
    }
    if (sonde_str_contains(text, SONDE_STR("://"))) {
        return bad(text, "only http, https, ws and wss are known", err);
    }
    *rest = text;
    return 0;
}

static bool is_host(struct sonde_str host, bool brackets)
{
    for (size_t i = 0; i < host.length; i++) {
        char c = host.data[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                     c == '-' || c == '.' || c == '_';
        if (!plain && !(brackets && (c == ':' || c == '%'))) {
            return false;
        }
    }
    return host.length <= SONDE_LOAD_HOST_MAX;
}

static int take_authority(struct sonde_str text, struct sonde_str authority,
                          struct sonde_load_url *ret, struct sonde_err *err)
{
    struct sonde_str host;
    struct sonde_str port = {0};
    bool brackets = authority.length && authority.data[0] == '[';
    if (sonde_str_contains(authority, SONDE_STR("@"))) {
        return bad(text, "a user belongs into a header", err);
    }
    if (brackets) {
        struct sonde_str rest = {authority.data + 1, authority.length - 1};
        host = sonde_str_split(&rest, ']');
        if (!rest.data || (rest.length && rest.data[0] != ':')) {
            return bad(text, "the bracket of its address is not closed", err);
        }
        port = rest.length ? (struct sonde_str){rest.data + 1, rest.length - 1} : port;
    } else {
        port = authority;
        host = sonde_str_split(&port, ':');
    }
    uint64_t number = ret->tls ? 443 : 80;
    ret->port_given = port.length > 0;
    if (port.length && sonde_parse_u64(port, 1, UINT16_MAX, &number) < 0) {
        return bad(text, "its port is no number from 1 to 65535", err);
    }
    if (host.length == 0 && port.length) {
        host = SONDE_STR("localhost");
    }
    if (host.length == 0 || !is_host(host, brackets)) {
        return bad(text, "it names no host", err);
    }
    ret->port = (uint16_t)number;
    (void)snprintf(ret->host, sizeof(ret->host), "%.*s", SONDE_STR_ARG(host));
    return 0;
}

int sonde_load_url_parse(struct sonde_str text, struct sonde_load_url *ret, struct sonde_err *err)
{
    struct sonde_str rest = {0};
    *ret = (struct sonde_load_url){.path = SONDE_STR("/")};
    int r = take_scheme(text, &rest, ret, err);
    if (r < 0) {
        return r;
    }
    size_t length = 0;
    while (length < rest.length && !strchr("/?#", rest.data[length])) {
        length++;
    }
    struct sonde_str authority = {rest.data, length};
    struct sonde_str path = {rest.data + length, rest.length - length};
    struct sonde_str fragment = path;
    path = sonde_str_split(&fragment, '#');
    for (size_t i = 0; i < path.length; i++) {
        unsigned char c = (unsigned char)path.data[i];
        if (c <= ' ' || c == 0x7f) {
            return bad(text, "spaces and control characters must be percent-encoded", err);
        }
    }
    if (path.length > SONDE_LOAD_PATH_MAX) {
        return bad(text, "its path is too long", err);
    }
    if (path.length && path.data[0] == '?') {
        return bad(text, "a / must stand before its query", err);
    }
    ret->path = path.length ? path : ret->path;
    return take_authority(text, authority, ret, err);
}

void sonde_load_url_authority(const struct sonde_load_url *url, struct sonde_buf *buf)
{
    bool brackets = strchr(url->host, ':');
    sonde_buf_printf(buf, brackets ? "[%s]" : "%s", url->host);
    if (url->port != (url->tls ? 443 : 80)) {
        sonde_buf_printf(buf, ":%u", url->port);
    }
}

/* ---- addresses ---- */

int sonde_load_resolve(const char *host, uint16_t port, struct sonde_load_addresses *ret,
                       struct sonde_err *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char service[8];
    (void)snprintf(service, sizeof(service), "%u", port);
    *ret = (struct sonde_load_addresses){0};
    int code = getaddrinfo(host, service, &hints, &found);
    if (code != 0) {
        return sonde_fail(err, SONDE_ENETWORK, code == EAI_SYSTEM ? errno : 0,
                          "no address of %s was found: %s", host, gai_strerror(code));
    }
    for (const struct addrinfo *at = found; at && ret->count < SONDE_LOAD_ADDRESSES_MAX;
         at = at->ai_next) {
        struct sonde_load_address *address = &ret->items[ret->count++];
        memcpy(&address->at, at->ai_addr, at->ai_addrlen);
        address->length = at->ai_addrlen;
    }
    freeaddrinfo(found);
    return 0;
}

int sonde_load_unix_address(const char *path, struct sonde_load_addresses *ret,
                            struct sonde_err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(at.sun_path)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "the path of a Unix socket has at most %zu bytes",
                          sizeof(at.sun_path) - 1);
    }
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    *ret = (struct sonde_load_addresses){.count = 1};
    memcpy(&ret->items[0].at, &at, sizeof(at));
    ret->items[0].length = sizeof(at);
    return 0;
}
