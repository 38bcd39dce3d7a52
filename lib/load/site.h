/* SPDX-License-Identifier: Apache-2.0 */
/* What is loaded: a whole URL, who asks for it, and the addresses behind it. */
#ifndef SONDE_LOAD_SITE_H
#define SONDE_LOAD_SITE_H

#include "base/arena.h"
#include "load/target.h"

struct sonde_load_site {
    const char *text;          /* the whole URL, without user and password */
    const char *authorization; /* … as the field of that name has them; NULL: there are none */
    struct sonde_load_url url;
};

/* Bytes of a URL that is not too long, with its NUL. */
enum { SONDE_LOAD_SITE_TEXT_MAX = SONDE_LOAD_PATH_MAX + 512 };

/* Takes user and password out of a URL, and that apart; the arena keeps both. SONDE_EINVALID,
 * SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_load_site_read(struct sonde_str url, struct sonde_arena *arena,
                         struct sonde_load_site *ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* The addresses of a host; of a name of this machine those alone that accept connections, if any
 * does. Blocks. SONDE_ENETWORK. */
int sonde_load_site_resolve(const char *host, uint16_t port, struct sonde_load_addresses *ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;

#endif
