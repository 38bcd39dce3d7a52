/* SPDX-License-Identifier: Apache-2.0 */
/* The cookies of a session, as RFC 6265 has a user agent keep them. Pure: the time is given. */
#ifndef SONDE_LOAD_COOKIES_H
#define SONDE_LOAD_COOKIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_COOKIES_MAX = 64,    /* of a jar; the one that was set first gives way */
    SONDE_COOKIE_MAX = 4096,   /* bytes of a name with its value; longer ones are not kept */
    SONDE_COOKIE_SCOPE = 1024, /* bytes of a domain, of a path; longer ones are not kept */
};

struct sonde_cookie {
    char *memory; /* of all texts */
    struct sonde_str name, value, domain, path;
    int64_t expires; /* seconds since 1970; INT64_MAX: with the session */
    uint64_t number; /* in the order of their creation */
    bool host_only, secure;
};

struct sonde_cookie_jar {
    struct sonde_cookie *items;
    size_t count, capacity;
    uint64_t created;
};

/* Where a request goes. */
struct sonde_cookie_place {
    const char *host;      /* a name in small letters, or an address */
    struct sonde_str path; /* with its query or without */
    bool tls;
};

void sonde_cookies_fini(struct sonde_cookie_jar *jar);
/* Forgets them all; keeps the memory of the list. */
void sonde_cookies_clear(struct sonde_cookie_jar *jar);

/* Takes the value of a Set-Cookie field: 5.2 and 5.3 of the RFC. What it may not set is left out,
 * which is no error. A domain without a dot is taken for a public suffix. SONDE_ENOMEM. */
int sonde_cookies_set(struct sonde_cookie_jar *jar, const struct sonde_cookie_place *place,
                      struct sonde_str field, int64_t now, struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends the value of the Cookie field, or nothing: 5.4. */
void sonde_cookies_print(const struct sonde_cookie_jar *jar, const struct sonde_cookie_place *place,
                         int64_t now, struct sonde_buf *buf);

/* "Wed, 21 Oct 2026 07:28:00 GMT" and everything else that 5.1.1 takes, in seconds since 1970.
 * SONDE_EPARSE. */
int sonde_cookie_date(struct sonde_str text, int64_t *ret) SONDE_MUST_CHECK;

#endif
