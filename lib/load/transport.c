/* SPDX-License-Identifier: Apache-2.0 */
#include "load/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

static int tls_failed(struct sonde_err *err, int code, const char *what)
{
    char why[160];
    ERR_error_string_n(ERR_get_error(), why, sizeof(why));
    return sonde_fail(err, code, 0, "%s: %s", what, why);
}

/* ---- certificates ---- */

static BIO *open_text(struct sonde_str text)
{
    return text.length <= INT_MAX ? BIO_new_mem_buf(text.data, (int)text.length) : NULL;
}

static int trust(SSL_CTX *context, struct sonde_str authorities, struct sonde_err *err)
{
    if (authorities.length == 0) {
        return SSL_CTX_set_default_verify_paths(context) == 1
                   ? 0
                   : tls_failed(err, SONDE_EIO, "the system's certificates");
    }
    BIO *bio = open_text(authorities);
    unsigned count = 0;
    for (X509 *own; bio && (own = PEM_read_bio_X509(bio, NULL, NULL, NULL)); count++) {
        (void)X509_STORE_add_cert(SSL_CTX_get_cert_store(context), own);
        X509_free(own);
    }
    BIO_free(bio);
    ERR_clear_error(); /* the end of the text is one */
    return count ? 0
                 : sonde_fail(err, SONDE_EINVALID, 0,
                              "the authorities have no certificate in PEM that can be read");
}

/* The first certificate of the text is ours, the others lead to an authority. */
static int identify(SSL_CTX *context, const struct sonde_load_tls_options *options,
                    struct sonde_err *err)
{
    BIO *bio = open_text(options->certificate);
    X509 *own = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    bool good = own && SSL_CTX_use_certificate(context, own) == 1;
    X509_free(own);
    for (X509 *next; good && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL));) {
        good = SSL_CTX_add0_chain_cert(context, next) == 1;
    }
    BIO_free(bio);
    if (!good) {
        return tls_failed(err, SONDE_EINVALID, "the certificate");
    }
    ERR_clear_error();
    bio = open_text(options->key);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    good =
        key && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    return good ? 0 : tls_failed(err, SONDE_EINVALID, "the certificate's key");
}

/* ---- sessions ---- */

/* TLS 1.3 gives several, after the handshake: the latest is the best. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct transport_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(tls->session);
    tls->session = session;
    return 1; /* ours now */
}

/* The names of the protocols, each behind its length, the best first: RFC 7301, 3.1. */
static bool offer(SSL_CTX *context, enum sonde_http_version version)
{
    static const char both[] = "\x02h2\x08http/1.1";
    enum { HTTP2_LENGTH = 3 };
    static const struct sonde_str offers[] = {
        [SONDE_HTTP_1_1] = {both + HTTP2_LENGTH, sizeof(both) - 1 - HTTP2_LENGTH},
        [SONDE_HTTP_2] = {both, HTTP2_LENGTH},
        [SONDE_HTTP_NEGOTIATE] = {both, sizeof(both) - 1},
    };
    const struct sonde_str *own = &offers[version];
    return SSL_CTX_set_alpn_protos(context, (const unsigned char *)own->data,
                                   (unsigned)own->length) == 0;
}

int transport_tls_init(struct transport_tls *tls, const struct sonde_load_tls_options *options,
                       enum sonde_http_version version, struct sonde_err *err)
{
    *tls = (struct transport_tls){.server_name = options->server_name};
    if (!options->enabled) {
        return 0;
    }
    tls->context = SSL_CTX_new(TLS_client_method());
    if (!tls->context || !offer(tls->context, version)) {
        return tls_failed(err, SONDE_ENOMEM, "TLS");
    }
    SSL_CTX *context = tls->context;
    SSL_CTX_set_app_data(context, tls);
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(context,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    SSL_CTX_set_verify(context, options->skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    int r = options->skip_verify ? 0 : trust(context, options->authorities, err);
    return r < 0 || options->certificate.length == 0 ? r : identify(context, options, err);
}

void transport_tls_fini(struct transport_tls *tls)
{
    SSL_SESSION_free(tls->session);
    SSL_CTX_free(tls->context);
    *tls = (struct transport_tls){0};
}

/* ---- one connection ---- */

static bool set_name(SSL *ssl, const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    }
    /* The function of that name is a macro that casts the const away. */
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    (void *)(uintptr_t)name) == 1 &&
           SSL_set1_host(ssl, name) == 1;
}

bool transport_secure(struct transport *transport, struct transport_tls *tls)
{
    transport->ssl = SSL_new(tls->context);
    if (!transport->ssl || SSL_set_fd(transport->ssl, transport->fd) != 1 ||
        !set_name(transport->ssl, tls->server_name)) {
        transport_fini(transport);
        return false;
    }
    /* A copy: OpenSSL takes one of TLS 1.3 for used up, and servers give few. */
    SSL_SESSION *session = tls->session ? SSL_SESSION_dup(tls->session) : NULL;
    if (session) {
        (void)SSL_set_session(transport->ssl, session);
        SSL_SESSION_free(session);
    }
    SSL_set_connect_state(transport->ssl);
    return true;
}

/* What OpenSSL's reasons mean; those of alerts (RFC 8446, 6.2) are the peer's. */
static enum sonde_load_error failure(SSL *ssl)
{
    static const struct {
        int reason;
        enum sonde_load_error error;
    } rows[] = {
        {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SONDE_LOAD_TLS_CLIENT},
        {SSL_R_SSLV3_ALERT_NO_CERTIFICATE, SONDE_LOAD_TLS_CLIENT},
        {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SONDE_LOAD_TLS_CLIENT},
        {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, SONDE_LOAD_TLS_CLIENT},
        {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SONDE_LOAD_TLS_CLIENT},
        {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SONDE_LOAD_TLS_CLIENT},
        {SSL_R_TLSV1_ALERT_UNKNOWN_CA, SONDE_LOAD_TLS_CLIENT},
        {SSL_R_TLSV1_ALERT_ACCESS_DENIED, SONDE_LOAD_TLS_CLIENT},
        {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SONDE_LOAD_TLS_CLIENT},
        {SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL, SONDE_LOAD_TLS_ALPN},
    };
    int reason = ERR_GET_REASON(ERR_peek_error());
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        if (reason == rows[i].reason) {
            return rows[i].error;
        }
    }
    /* TLS 1.2 has no alert of its own for a certificate that is missing; what cannot be agreed on
     * is refused before the server has shown one. */
    return reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE && SSL_get0_peer_certificate(ssl)
               ? SONDE_LOAD_TLS_CLIENT
               : SONDE_LOAD_TLS;
}

/* What is wrong with the peer's certificate. */
static enum sonde_load_error mistrust(long verified)
{
    switch (verified) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return SONDE_LOAD_TLS_EXPIRED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return SONDE_LOAD_TLS_NAME;
    default:
        return SONDE_LOAD_TLS_AUTHORITY;
    }
}

enum transport_step transport_handshake(struct transport *transport)
{
    ERR_clear_error();
    int result = SSL_do_handshake(transport->ssl);
    if (result == 1) {
        return TRANSPORT_DONE;
    }
    int error = SSL_get_error(transport->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return TRANSPORT_WAIT;
    }
    long verified = SSL_get_verify_result(transport->ssl);
    bool checked = SSL_get_verify_mode(transport->ssl) != SSL_VERIFY_NONE;
    transport->failed =
        checked && verified != X509_V_OK ? mistrust(verified) : failure(transport->ssl);
    return TRANSPORT_FAILED;
}

bool transport_agreed_http2(const struct transport *transport)
{
    const unsigned char *name = NULL;
    unsigned length = 0;
    if (transport->ssl) {
        SSL_get0_alpn_selected(transport->ssl, &name, &length);
    }
    return length == 2 && memcmp(name, "h2", 2) == 0;
}

void transport_fini(struct transport *transport)
{
    if (transport->ssl) {
        /* Or OpenSSL takes the session for broken, and it cannot be resumed. */
        SSL_set_shutdown(transport->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(transport->ssl);
    }
    transport->ssl = NULL;
}

/* −1 with the errno that a plain socket would give; EPROTO for what TLS itself finds wrong. In TLS
 * 1.3 the server looks at our certificate when we are done with the handshake. */
static ssize_t tls_result(struct transport *transport, int result)
{
    int error = SSL_get_error(transport->ssl, result);
    switch (error) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    default:
        /* Also an end without TLS's own, which may be an attack. */
        transport->failed = failure(transport->ssl) == SONDE_LOAD_TLS_CLIENT ? SONDE_LOAD_TLS_CLIENT
                                                                             : SONDE_LOAD_RESET;
        errno = error == SSL_ERROR_SYSCALL ? ECONNRESET : EPROTO;
        return -1;
    }
}

/* Writing goes on with a handshake that the peer has begun again, and may find that he has taken
 * his leave in it. */
static ssize_t peer_left(struct transport *transport)
{
    transport->failed = SONDE_LOAD_RESET;
    errno = EPROTO;
    return -1;
}

enum { GATHERED_MAX = 16 << 10 }; /* as much as a record of TLS holds */

/* The first bytes of all pieces in one: a record of TLS for each would cost the server more, and
 * one of a few bytes costs the kernel more than the copy does. */
static struct iovec gather(const struct iovec *pieces, size_t count, char room[GATHERED_MAX])
{
    size_t length = 0;
    if (count == 1 || pieces[0].iov_len >= GATHERED_MAX) {
        return pieces[0];
    }
    for (size_t i = 0; i < count && length < GATHERED_MAX; i++) {
        size_t left = GATHERED_MAX - length;
        size_t own = pieces[i].iov_len < left ? pieces[i].iov_len : left;
        memcpy(room + length, pieces[i].iov_base, own);
        length += own;
    }
    return (struct iovec){room, length};
}

ssize_t transport_write(struct transport *transport, const struct iovec *pieces, size_t count)
{
    SONDE_UNCLEARED char room[GATHERED_MAX];
    const struct iovec piece = gather(pieces, count, room);
    ssize_t written;
    if (transport->ssl) {
        size_t length = 0;
        ERR_clear_error();
        int result = SSL_write_ex(transport->ssl, piece.iov_base, piece.iov_len, &length);
        written = result == 1 ? (ssize_t)length : tls_result(transport, result);
        return result == 1 || written < 0 ? written : peer_left(transport);
    }
    do {
        written = send(transport->fd, piece.iov_base, piece.iov_len, MSG_NOSIGNAL);
    } while (written < 0 && errno == EINTR);
    transport->failed = SONDE_LOAD_RESET;
    return written;
}

ssize_t transport_read(struct transport *transport, void *data, size_t size)
{
    size_t got = 0;
    ssize_t result;
    if (transport->ssl) {
        ERR_clear_error();
        int code = SSL_read_ex(transport->ssl, data, size, &got);
        return code == 1 ? (ssize_t)got : tls_result(transport, code);
    }
    do {
        result = recv(transport->fd, data, size, 0);
    } while (result < 0 && errno == EINTR);
    transport->failed = SONDE_LOAD_RESET;
    return result;
}

bool transport_pending(const struct transport *transport)
{
    return transport->ssl && SSL_has_pending(transport->ssl);
}
