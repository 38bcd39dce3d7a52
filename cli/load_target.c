/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/load_target.h"

#include <string.h>
#include <strings.h>

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

/* A port of the server that we have started, where none is typed. */
static int put_port(struct sonde_load_url *url, const struct load_server *server,
                    struct sonde_buf *text, struct sonde_err *err)
{
    SONDE_BUF_AUTO authority = SONDE_BUF(SONDE_LOAD_SITE_TEXT_MAX);
    url->port = server->port.number;
    sonde_load_url_authority(url, &authority);
    int r = sonde_buf_check(&authority, "the URL", err);
    if (r < 0) {
        return r;
    }
    SONDE_BUF_AUTO whole = SONDE_BUF(SONDE_LOAD_SITE_TEXT_MAX);
    sonde_buf_printf(&whole, "%s%s://%s%.*s", url->websocket ? "ws" : "http", url->tls ? "s" : "",
                     authority.data, SONDE_STR_ARG(url->path));
    sonde_buf_clear(text);
    sonde_buf_append(text, whole.data, whole.length);
    return sonde_buf_check(text, "the URL", err);
}

int load_target_find(const char *typed, const char *variable, const struct load_server *server,
                     struct sonde_arena *arena, struct sonde_load_site *ret, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_SITE_TEXT_MAX);
    int r = complete(typed, variable, server, &text, err);
    r = r < 0 ? r : sonde_buf_check(&text, "the URL", err);
    r = r < 0 ? r : sonde_load_site_read(sonde_buf_view(&text), arena, ret, err);
    if (r < 0 || !server->port.number || !is_own(ret->url.host) || ret->url.port_given) {
        return r;
    }
    const char *authorization = ret->authorization;
    r = put_port(&ret->url, server, &text, err);
    r = r < 0 ? r : sonde_load_site_read(sonde_buf_view(&text), arena, ret, err);
    ret->authorization = authorization;
    return r;
}

int load_target_resolve(const struct sonde_load_site *site, const struct load_server *server,
                        struct sonde_load_addresses *ret, struct sonde_err *err)
{
    const struct sonde_load_url *url = &site->url;
    bool found = server->port.number == url->port && is_own(url->host) && url->port;
    return sonde_load_site_resolve(found ? server->port.host : url->host, url->port, ret, err);
}
