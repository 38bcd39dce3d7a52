/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_CODEC_DIGEST_H
#define SONDE_CODEC_DIGEST_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

enum {
    SONDE_DIGEST_BYTES = 32,
    SONDE_DIGEST_SIZE = 65, /* 64 hexadecimal digits and the NUL */
    SONDE_SHA1_BYTES = 20,
};

/* SHA-256 (FIPS 180-4) in lower-case hexadecimal; "" when OpenSSL cannot (out of memory). */
void sonde_sha256(struct sonde_str data, char ret[SONDE_DIGEST_SIZE]);
/* The same as bytes; false when OpenSSL cannot. */
bool sonde_sha256_bytes(struct sonde_str data, unsigned char ret[SONDE_DIGEST_BYTES]);
/* The same in pieces. *ret is freed by sonde_sha256_free; SONDE_ENOMEM. */
struct sonde_sha256;
int sonde_sha256_new(struct sonde_sha256 **ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_sha256_add(struct sonde_sha256 *digest, const void *data, size_t length);
/* Of all that was added; "" when OpenSSL cannot. */
void sonde_sha256_end(struct sonde_sha256 *digest, char ret[SONDE_DIGEST_SIZE]);
void sonde_sha256_free(struct sonde_sha256 *digest);
/* SHA-1 (FIPS 180-4) as bytes, for protocols that ask for it and keep no secret by it; false when
 * OpenSSL cannot. */
bool sonde_sha1_bytes(struct sonde_str data, unsigned char ret[SONDE_SHA1_BYTES]);
/* Bytes in lower-case hexadecimal; ret has 2 * length + 1 bytes. */
void sonde_hexadecimal(const void *data, size_t length, char *ret);

#endif
