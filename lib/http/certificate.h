/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of our own (RFC 5280): an authority, and what it issues to servers. ECDSA on P-256,
 * by OpenSSL. No I/O. */
#ifndef SONDE_HTTP_CERTIFICATE_H
#define SONDE_HTTP_CERTIFICATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_CERTIFICATE_MAX = 64 << 10, /* bytes of PEM */
    SONDE_CERTIFICATE_NAMES_MAX = 16,
};

/* PEM texts. */
struct sonde_certificate {
    struct sonde_buf certificate, key;
};

#define SONDE_CERTIFICATE                                                                          \
    ((struct sonde_certificate){SONDE_BUF(SONDE_CERTIFICATE_MAX), SONDE_BUF(SONDE_CERTIFICATE_MAX)})

/* Wipes the key. */
void sonde_certificate_fini(struct sonde_certificate *certificate);

/* Appends a new authority that can only issue to servers directly; times in seconds since 1970.
 * SONDE_ENOMEM, SONDE_EINVALID. */
int sonde_certificate_authority(const char *name, int64_t from, int64_t until,
                                struct sonde_certificate *ret,
                                struct sonde_err *err) SONDE_MUST_CHECK;
/* Appends a certificate for a server with these DNS names. SONDE_EINVALID when the authority is not
 * one or a name is none; SONDE_ENOMEM. */
int sonde_certificate_issue(const struct sonde_certificate *authority, const char *const names[],
                            size_t count, int64_t from, int64_t until,
                            struct sonde_certificate *ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* When the first certificate of a PEM text begins and ends, in seconds since 1970. SONDE_EPARSE. */
int sonde_certificate_times(struct sonde_str pem, int64_t *ret_from, int64_t *ret_until,
                            struct sonde_err *err) SONDE_MUST_CHECK;
/* Whether `pem` was issued by the authority with that certificate, and is for all these names. */
bool sonde_certificate_fits(struct sonde_str pem, struct sonde_str authority,
                            const char *const names[], size_t count);

#endif
