/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/load_target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "load/credentials.h"

enum { TEXT_MAX = SONDE_LOAD_PATH_MAX + 512, PROBE_MS = 200 };

static bool is_own(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

static int complete(const char *typed, const char *variable, const struct load_server *server,
                    struct sonde_buf *ret, struct sonde_err *err)
{
    uint64_t port = server->port.number;
    if (typed[0] != '/') {
        sonde_buf_printf(ret, strstr(typed, "://") ? "%s" : "http://%s", typed);
        return 0;
    }
    if (port == 0 && !variable) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "%.200s: a path alone needs a server behind --, or the variable PORT: "
                          "else give a whole URL",
                          typed);
    }
    if (port == 0 && sonde_parse_u64(sonde_str(variable), 1, UINT16_MAX, &port) < 0) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the variable PORT is \"%.40s\": set a number from 1 to 65535", variable);
    }
    sonde_buf_printf(ret, "http://localhost:%u%s", (unsigned)port, typed);
    return 0;
}

static bool is_loopback(const struct sonde_load_address *address)
{
    const void *at = &address->at;
    const struct sockaddr_in *four = at;
    const struct sockaddr_in6 *six = at;
    return address->at.ss_family == AF_INET ? ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
           : address->at.ss_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&six->sin6_addr)
                                               : false;
}

static bool accepts(const struct sonde_load_address *address)
{
    SONDE_CLOSE int fd =
        socket(address->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (connect(fd, (const struct sockaddr *)&address->at, address->length) < 0 &&
                   errno != EINPROGRESS)) {
        return false;
    }
    struct pollfd event = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t length = sizeof(error);
    return poll(&event, 1, PROBE_MS) == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

/* "localhost" is two addresses, and servers often listen on one: the other would refuse half of
 * the connections. All stay when none accepts. */
static void keep_accepting(struct sonde_load_addresses *all)
{
    struct sonde_load_addresses kept = {0};
    for (size_t i = 0; i < all->count && all->count > 1; i++) {
        if (!is_loopback(&all->items[i])) {
            return;
        }
        if (accepts(&all->items[i])) {
            kept.items[kept.count++] = all->items[i];
        }
    }
    if (kept.count) {
        *all = kept;
    }
}

/* A port of the server that we have started, where none is typed. */
static int put_port(struct load_target *target, const struct load_server *server,
                    struct sonde_buf *text, struct sonde_err *err)
{
    struct sonde_load_url *url = &target->url;
    SONDE_BUF_AUTO authority = SONDE_BUF(TEXT_MAX);
    url->port = server->port.number;
    sonde_load_url_authority(url, &authority);
    int r = sonde_buf_check(&authority, "the URL", err);
    if (r < 0) {
        return r;
    }
    SONDE_BUF_AUTO whole = SONDE_BUF(TEXT_MAX);
    sonde_buf_printf(&whole, "%s%s://%s%.*s", url->websocket ? "ws" : "http", url->tls ? "s" : "",
                     authority.data, SONDE_STR_ARG(url->path));
    sonde_buf_clear(text);
    sonde_buf_append(text, whole.data, whole.length);
    return sonde_buf_check(text, "the URL", err);
}

/* From the URL to the field: they are no part of what is printed and kept. */
static int take_credentials(struct sonde_buf *text, struct sonde_arena *arena,
                            struct load_target *ret, struct sonde_err *err)
{
    struct sonde_str before;
    struct sonde_str credentials;
    struct sonde_str behind;
    SONDE_BUF_AUTO field = SONDE_BUF(TEXT_MAX);
    SONDE_BUF_AUTO rest = SONDE_BUF(TEXT_MAX);
    sonde_load_credentials_find(sonde_buf_view(text), &before, &credentials, &behind);
    if (!credentials.data) {
        return 0;
    }
    int r = sonde_load_credentials_put(credentials, "the URL's", &field, err);
    r = r < 0 ? r : sonde_buf_check(&field, "user and password", err);
    if (r < 0) {
        return r;
    }
    ret->authorization = sonde_arena_copy(arena, sonde_buf_view(&field)).data;
    sonde_buf_str(&rest, before);
    sonde_buf_str(&rest, behind);
    sonde_buf_clear(text);
    sonde_buf_append(text, rest.data, rest.length);
    return ret->authorization ? sonde_buf_check(text, "the URL", err)
                              : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

int load_target_find(const char *typed, const char *variable, const struct load_server *server,
                     struct sonde_arena *arena, struct load_target *ret, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(TEXT_MAX);
    int r = complete(typed, variable, server, &text, err);
    r = r < 0 ? r : sonde_buf_check(&text, "the URL", err);
    r = r < 0 ? r : take_credentials(&text, arena, ret, err);
    r = r < 0 ? r : sonde_load_url_parse(sonde_buf_view(&text), &ret->url, err);
    if (r == 0 && server->port.number && is_own(ret->url.host) && !ret->url.port_given) {
        r = put_port(ret, server, &text, err);
    }
    if (r < 0) {
        return r;
    }
    ret->text = sonde_arena_copy(arena, sonde_buf_view(&text)).data;
    if (!ret->text) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    return sonde_load_url_parse(sonde_str(ret->text), &ret->url, err); /* its path is a view */
}

int load_target_resolve(const struct load_target *target, const struct load_server *server,
                        struct sonde_load_addresses *ret, struct sonde_err *err)
{
    const struct sonde_load_url *url = &target->url;
    bool found = server->port.number == url->port && is_own(url->host) && url->port;
    int r = sonde_load_resolve(found ? server->port.host : url->host, url->port, ret, err);
    if (r == 0) {
        keep_accepting(ret);
    }
    return r;
}
