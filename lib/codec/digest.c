/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

void sonde_hexadecimal(const void *data, size_t length, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * length] = '\0';
}

static bool digest_bytes(const char *algorithm, struct sonde_str data, unsigned char *ret,
                         size_t size)
{
    size_t length = 0;
    return EVP_Q_digest(NULL, algorithm, NULL, data.data ? data.data : "", data.length, ret,
                        &length) == 1 &&
           length == size;
}

bool sonde_sha256_bytes(struct sonde_str data, unsigned char ret[SONDE_DIGEST_BYTES])
{
    return digest_bytes("SHA256", data, ret, SONDE_DIGEST_BYTES);
}

bool sonde_sha1_bytes(struct sonde_str data, unsigned char ret[SONDE_SHA1_BYTES])
{
    return digest_bytes("SHA1", data, ret, SONDE_SHA1_BYTES);
}

void sonde_sha256(struct sonde_str data, char ret[SONDE_DIGEST_SIZE])
{
    unsigned char bytes[SONDE_DIGEST_BYTES];
    ret[0] = '\0';
    if (sonde_sha256_bytes(data, bytes)) {
        sonde_hexadecimal(bytes, sizeof(bytes), ret);
    }
}

struct sonde_sha256 {
    EVP_MD_CTX *context;
    bool failed;
};

int sonde_sha256_new(struct sonde_sha256 **ret, struct sonde_err *err)
{
    struct sonde_sha256 *digest = calloc(1, sizeof(*digest));
    if (digest) {
        digest->context = EVP_MD_CTX_new();
    }
    if (!digest || !digest->context ||
        EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
        sonde_sha256_free(digest);
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    *ret = digest;
    return 0;
}

void sonde_sha256_add(struct sonde_sha256 *digest, const void *data, size_t length)
{
    digest->failed = digest->failed || EVP_DigestUpdate(digest->context, data, length) != 1;
}

void sonde_sha256_end(struct sonde_sha256 *digest, char ret[SONDE_DIGEST_SIZE])
{
    unsigned char bytes[32];
    unsigned length = 0;
    ret[0] = '\0';
    if (!digest->failed && EVP_DigestFinal_ex(digest->context, bytes, &length) == 1 &&
        length == sizeof(bytes)) {
        sonde_hexadecimal(bytes, length, ret);
    }
}

void sonde_sha256_free(struct sonde_sha256 *digest)
{
    if (digest) {
        EVP_MD_CTX_free(digest->context);
        free(digest);
    }
}
