/* SPDX-License-Identifier: Apache-2.0 */
#include "http/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <time.h>

enum { SERIAL_BITS = 128, SUBJECT_MAX = 64 };

static void free_x509(X509 **certificate)
{
    X509_free(*certificate);
}

static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

#define X509_AUTO SONDE_CLEANUP(free_x509) X509
#define KEY_AUTO SONDE_CLEANUP(free_key) EVP_PKEY
#define BIO_AUTO SONDE_CLEANUP(free_bio) BIO

void sonde_certificate_fini(struct sonde_certificate *certificate)
{
    if (certificate->key.data) {
        explicit_bzero(certificate->key.data, certificate->key.capacity);
    }
    sonde_buf_fini(&certificate->certificate);
    sonde_buf_fini(&certificate->key);
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool set_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool set = number &&
               BN_rand(number, SERIAL_BITS - 1, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
               BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return set;
}

/* A certificate without a signature. */
static X509 *draw_up(const char *name, EVP_PKEY *key, int64_t from, int64_t until)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = certificate ? X509_get_subject_name(certificate) : NULL;
    if (subject && X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                   -1, 0) == 1 &&
        ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)from) &&
        ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)until) &&
        X509_set_pubkey(certificate, key) == 1) {
        return certificate;
    }
    X509_free(certificate);
    return NULL;
}

static void append(struct sonde_buf *buf, BIO *bio)
{
    char *text = NULL;
    long length = BIO_get_mem_data(bio, &text);
    sonde_buf_append(buf, text, length > 0 ? (size_t)length : 0);
}

static int write_pem(X509 *certificate, EVP_PKEY *key, struct sonde_certificate *ret,
                     struct sonde_err *err)
{
    BIO_AUTO *public_text = BIO_new(BIO_s_mem());
    BIO_AUTO *secret_text = BIO_new(BIO_s_secmem());
    if (!public_text || !secret_text || PEM_write_bio_X509(public_text, certificate) != 1 ||
        PEM_write_bio_PrivateKey(secret_text, key, NULL, NULL, 0, NULL, NULL) != 1) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a certificate");
    }
    append(&ret->certificate, public_text);
    append(&ret->key, secret_text);
    int r = sonde_buf_check(&ret->certificate, "a certificate", err);
    return r < 0 ? r : sonde_buf_check(&ret->key, "a key", err);
}

int sonde_certificate_authority(const char *name, int64_t from, int64_t until,
                                struct sonde_certificate *ret, struct sonde_err *err)
{
    KEY_AUTO *key = EVP_EC_gen("P-256");
    X509_AUTO *certificate = key ? draw_up(name, key, from, until) : NULL;
    if (!certificate ||
        X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) != 1 ||
        !add_extension(certificate, certificate, NID_basic_constraints,
                       "critical,CA:TRUE,pathlen:0") ||
        !add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(certificate, certificate, NID_subject_key_identifier, "hash") ||
        X509_sign(certificate, key, EVP_sha256()) <= 0) {
        return sonde_fail(err, SONDE_EINVALID, 0, "no authority called %.100s could be made", name);
    }
    return write_pem(certificate, key, ret, err);
}

static X509 *read_certificate(struct sonde_str pem)
{
    BIO_AUTO *bio =
        pem.length <= SONDE_CERTIFICATE_MAX ? BIO_new_mem_buf(pem.data, (int)pem.length) : NULL;
    return bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
}

static EVP_PKEY *read_key(struct sonde_str pem)
{
    BIO_AUTO *bio =
        pem.length <= SONDE_CERTIFICATE_MAX ? BIO_new_mem_buf(pem.data, (int)pem.length) : NULL;
    return bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
}

/* Letters, digits, '-' and '.' alone: nothing else may stand in the text of an extension. */
static bool is_dns_name(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length <= 253 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == length;
}

int sonde_certificate_issue(const struct sonde_certificate *authority, const char *const names[],
                            size_t count, int64_t from, int64_t until,
                            struct sonde_certificate *ret, struct sonde_err *err)
{
    SONDE_BUF_AUTO alternatives = SONDE_BUF(8192);
    for (size_t i = 0; i < count; i++) {
        if (!is_dns_name(names[i]) || count > SONDE_CERTIFICATE_NAMES_MAX) {
            return sonde_fail(err, SONDE_EINVALID, 0, "%.100s is no name for a certificate",
                              names[i]);
        }
        sonde_buf_printf(&alternatives, "%sDNS:%s", i ? "," : "", names[i]);
    }
    int r = sonde_buf_check(&alternatives, "the names of a certificate", err);
    if (r < 0) {
        return r;
    }
    X509_AUTO *issuer = read_certificate(sonde_buf_view(&authority->certificate));
    KEY_AUTO *issuer_key = read_key(sonde_buf_view(&authority->key));
    if (!issuer || !issuer_key || X509_check_private_key(issuer, issuer_key) != 1) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the authority's certificate and key do not belong together");
    }
    KEY_AUTO *key = EVP_EC_gen("P-256");
    char subject[SUBJECT_MAX];
    (void)snprintf(subject, sizeof(subject), "%s", count ? names[0] : "server");
    X509_AUTO *certificate = key ? draw_up(subject, key, from, until) : NULL;
    if (!certificate || !alternatives.length ||
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) != 1 ||
        !add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth") ||
        !add_extension(certificate, issuer, NID_subject_alt_name, alternatives.data) ||
        !add_extension(certificate, issuer, NID_subject_key_identifier, "hash") ||
        !add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") ||
        X509_sign(certificate, issuer_key, EVP_sha256()) <= 0) {
        return sonde_fail(err, SONDE_EINVALID, 0, "no certificate could be issued");
    }
    return write_pem(certificate, key, ret, err);
}

static int seconds_of(const ASN1_TIME *time, int64_t *ret)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1) {
        return SONDE_EPARSE;
    }
    *ret = timegm(&parts);
    return 0;
}

int sonde_certificate_times(struct sonde_str pem, int64_t *ret_from, int64_t *ret_until,
                            struct sonde_err *err)
{
    X509_AUTO *certificate = read_certificate(pem);
    int64_t from = 0;
    int64_t until = 0;
    if (!certificate || seconds_of(X509_get0_notBefore(certificate), &from) < 0 ||
        seconds_of(X509_get0_notAfter(certificate), &until) < 0) {
        return sonde_fail(err, SONDE_EPARSE, 0, "the text is no certificate in PEM");
    }
    *ret_from = from;
    *ret_until = until;
    return 0;
}

bool sonde_certificate_fits(struct sonde_str pem, struct sonde_str authority,
                            const char *const names[], size_t count)
{
    X509_AUTO *certificate = read_certificate(pem);
    X509_AUTO *issuer = read_certificate(authority);
    EVP_PKEY *key = issuer ? X509_get0_pubkey(issuer) : NULL;
    if (!certificate || !key || X509_verify(certificate, key) != 1) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (X509_check_host(certificate, names[i], strlen(names[i]), 0, NULL) != 1) {
            return false;
        }
    }
    return true;
}
