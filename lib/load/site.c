/* SPDX-License-Identifier: Apache-2.0 */
#include "load/site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "load/credentials.h"

enum { PROBE_MS = 200 };

/* ---- the URL ---- */

/* From the URL to the field: they are no part of what is printed and kept. */
static int take_credentials(struct sonde_buf *text, struct sonde_arena *arena,
                            struct sonde_load_site *ret, struct sonde_err *err)
{
    struct sonde_str before;
    struct sonde_str credentials;
    struct sonde_str behind;
    SONDE_BUF_AUTO field = SONDE_BUF(SONDE_LOAD_SITE_TEXT_MAX);
    SONDE_BUF_AUTO rest = SONDE_BUF(SONDE_LOAD_SITE_TEXT_MAX);
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

int sonde_load_site_read(struct sonde_str url, struct sonde_arena *arena,
                         struct sonde_load_site *ret, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_SITE_TEXT_MAX);
    sonde_buf_str(&text, url);
    *ret = (struct sonde_load_site){0};
    int r = sonde_buf_check(&text, "the URL", err);
    r = r < 0 ? r : take_credentials(&text, arena, ret, err);
    if (r < 0) {
        return r;
    }
    ret->text = sonde_arena_copy(arena, sonde_buf_view(&text)).data;
    if (!ret->text) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    return sonde_load_url_parse(sonde_str(ret->text), &ret->url, err); /* its path is a view */
}

/* ---- its addresses ---- */

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

int sonde_load_site_resolve(const char *host, uint16_t port, struct sonde_load_addresses *ret,
                            struct sonde_err *err)
{
    int r = sonde_load_resolve(host, port, ret, err);
    if (r == 0) {
        keep_accepting(ret);
    }
    return r;
}
