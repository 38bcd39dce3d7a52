/* SPDX-License-Identifier: Apache-2.0 */
/* User and password as a URL has them, and as HTTP sends them: RFC 7617. Pure. */
#ifndef SONDE_LOAD_CREDENTIALS_H
#define SONDE_LOAD_CREDENTIALS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { SONDE_LOAD_CREDENTIALS_MAX = 1 << 10 }; /* bytes of a user, ":" and a password */

/* Cuts a URL "[scheme://][user[:password]@]rest" around what stands before the @: *credentials is a
 * view of that (data NULL: there is none), *before and *behind of what stands around it. */
void sonde_load_credentials_find(struct sonde_str url, struct sonde_str *before,
                                 struct sonde_str *credentials, struct sonde_str *behind);

/* Appends "Basic …" for "user:password", what is special in them written as % with two digits.
 * whose: begins the message, "the proxy's". SONDE_EINVALID, SONDE_ELIMIT; the buffer's errors are
 * the caller's to check. */
int sonde_load_credentials_put(struct sonde_str credentials, const char *whose,
                               struct sonde_buf *ret, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
