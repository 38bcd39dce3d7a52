/* SPDX-License-Identifier: Apache-2.0 */
/* A connection with TLS against a server of OpenSSL's at the other end of a pair of sockets. */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "load/transport.h"

struct both {
    struct transport_tls tls;
    struct transport client;
    SSL_CTX *context;
    SSL *server;
    int fds[2];
};

/* A certificate that nobody checks. */
static void identify(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *own = X509_new();
    assert_non_null(key);
    assert_non_null(own);
    (void)X509_gmtime_adj(X509_getm_notBefore(own), 0);
    (void)X509_gmtime_adj(X509_getm_notAfter(own), 3600);
    assert_int_equal(X509_set_pubkey(own, key), 1);
    assert_true(X509_sign(own, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(context, own), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(own);
    EVP_PKEY_free(key);
}

/* Connected, with the handshake done. */
static void begin(struct both *both, int version)
{
    static const struct sonde_load_tls_options options = {
        .enabled = true, .skip_verify = true, .server_name = "localhost"};
    *both = (struct both){.context = SSL_CTX_new(TLS_server_method())};
    assert_non_null(both->context);
    assert_int_equal(SSL_CTX_set_max_proto_version(both->context, version), 1);
    identify(both->context);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both->fds),
                     0);
    both->server = SSL_new(both->context);
    assert_non_null(both->server);
    assert_int_equal(SSL_set_fd(both->server, both->fds[1]), 1);
    SSL_set_accept_state(both->server);
    assert_int_equal(transport_tls_init(&both->tls, &options, SONDE_HTTP_1_1, NULL), 0);
    both->client.fd = both->fds[0];
    assert_true(transport_secure(&both->client, &both->tls));
    enum transport_step step = TRANSPORT_WAIT;
    for (int i = 0; i < 10 && (step == TRANSPORT_WAIT || SSL_in_init(both->server)); i++) {
        step = step == TRANSPORT_WAIT ? transport_handshake(&both->client) : step;
        (void)SSL_do_handshake(both->server);
    }
    assert_int_equal(step, TRANSPORT_DONE);
    assert_false(SSL_in_init(both->server));
}

static void end(struct both *both)
{
    transport_fini(&both->client);
    transport_tls_fini(&both->tls);
    SSL_free(both->server);
    SSL_CTX_free(both->context);
    (void)close(both->fds[0]);
    (void)close(both->fds[1]);
}

static const struct iovec request = {(void *)(uintptr_t)"GET", 3};

static void test_bytes_go_both_ways(void **state)
{
    struct both both;
    char got[8];
    begin(&both, TLS1_3_VERSION);
    assert_int_equal(transport_write(&both.client, &request, 1), 3);
    assert_int_equal(SSL_read(both.server, got, sizeof(got)), 3);
    assert_int_equal(SSL_write(both.server, "200", 3), 3);
    assert_int_equal(transport_read(&both.client, got, sizeof(got)), 3);
    assert_int_equal(transport_read(&both.client, got, sizeof(got)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(SSL_shutdown(both.server), 0);
    assert_int_equal(transport_read(&both.client, got, sizeof(got)), 0);
    end(&both);
    (void)state;
}

/* The server begins another handshake, and takes its leave in the middle of it: our writing goes on
 * with the handshake, and finds that. Who took it for 0 bytes written would try for ever. */
static void test_leave_within_a_handshake_ends_writing(void **state)
{
    struct both both;
    char got[8];
    begin(&both, TLS1_2_VERSION);
    assert_int_equal(SSL_renegotiate(both.server), 1);
    assert_int_equal(SSL_do_handshake(both.server), 1);
    assert_int_equal(transport_read(&both.client, got, sizeof(got)), -1);
    assert_int_equal(errno, EAGAIN);
    (void)SSL_shutdown(both.server);
    assert_int_equal(transport_write(&both.client, &request, 1), -1);
    assert_int_not_equal(errno, EAGAIN);
    assert_int_equal(both.client.failed, SONDE_LOAD_RESET);
    end(&both);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_go_both_ways),
        cmocka_unit_test(test_leave_within_a_handshake_ends_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
