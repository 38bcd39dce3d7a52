/* SPDX-License-Identifier: Apache-2.0 */
/* What is loaded: a URL taken apart, and the addresses behind its name. */
#ifndef SONDE_LOAD_TARGET_H
#define SONDE_LOAD_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
    SONDE_LOAD_HOST_MAX = 253,
    SONDE_LOAD_PATH_MAX = 8192,
    SONDE_LOAD_ADDRESSES_MAX = 256,
};

struct sonde_load_url {
    bool tls;
    bool websocket;
    char host[SONDE_LOAD_HOST_MAX + 1]; /* without the brackets of an IPv6 address */
    uint16_t port;
    bool port_given;       /* or the scheme's */
    struct sonde_str path; /* with the query, from "/" on: a view; at least "/" */
};

/* Takes "http://host[:port][/path][?query]" apart, "https://", "ws://", "wss://", and a host or
 * ":port" alone, which is http. SONDE_EINVALID with what is wrong: other schemes, users, and what
 * cannot stand in a request. */
int sonde_load_url_parse(struct sonde_str text, struct sonde_load_url *ret,
                         struct sonde_err *err) SONDE_MUST_CHECK;
/* Appends the value of the Host field: RFC 9110, 7.2. */
void sonde_load_url_authority(const struct sonde_load_url *url, struct sonde_buf *buf);

struct sonde_load_address {
    struct sockaddr_storage at;
    socklen_t length;
    const char *name; /* by which results tell it apart, borrowed; NULL: what it is */
};

struct sonde_load_addresses {
    struct sonde_load_address items[SONDE_LOAD_ADDRESSES_MAX];
    size_t count;
};

/* All addresses of a name, in the resolver's order. Blocks. SONDE_ENETWORK. */
int sonde_load_resolve(const char *host, uint16_t port, struct sonde_load_addresses *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;
/* The one of a Unix socket. SONDE_EINVALID for a path that is too long. */
int sonde_load_unix_address(const char *path, struct sonde_load_addresses *ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;

#endif
