/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a proxy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/credentials.h"
#include "load/proxy.h"

static void asks(const char *text, const char *target, const char *host, uint16_t port,
                 const char *expected)
{
    struct sonde_load_url server;
    struct sonde_load_url proxy;
    struct sonde_err err;
    SONDE_BUF_AUTO ask = SONDE_BUF(4096);
    assert_int_equal(sonde_load_url_parse(sonde_str(target), &server, &err), 0);
    if (sonde_load_proxy_ask(sonde_str(text), &server, &proxy, &ask, &err) < 0) {
        fail_msg("%s: %s", text, err.message);
    }
    assert_string_equal(proxy.host, host);
    assert_int_equal(proxy.port, port);
    assert_string_equal(ask.data, expected);
}

static void names_the_server_with_its_port(void **state)
{
    (void)state;
    asks("http://proxy.example:3128", "https://a.example/b", "proxy.example", 3128,
         "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
    asks("10.0.0.1:8080", "http://a.example", "10.0.0.1", 8080,
         "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n");
    asks("[::1]:8080", "http://[fd00::1]:81", "::1", 8080,
         "CONNECT [fd00::1]:81 HTTP/1.1\r\nHost: [fd00::1]:81\r\n\r\n");
    asks("proxy", "http://a.example", "proxy", 80,
         "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n");
}

static void says_who_we_are(void **state)
{
    (void)state;
    /* RFC 7617, 2: the example. */
    asks("http://Aladdin:open%20sesame@proxy:1", "http://a.example", "proxy", 1,
         "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n"
         "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
    asks("user@proxy", "http://a.example", "proxy", 80,
         "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n"
         "Proxy-Authorization: Basic dXNlcjo=\r\n\r\n");
    asks("u:p@ss:w@proxy", "http://a.example", "proxy", 80,
         "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n"
         "Proxy-Authorization: Basic dTpwQHNzOnc=\r\n\r\n");
}

static void refuses_what_is_no_proxy(void **state)
{
    static const char *const texts[] = {
        "",
        "https://proxy:1",
        "socks5://proxy:1",
        "http://secret:hush@",
        "http://secret:hush@proxy:0",
        "http://secret%3ahush@proxy",
        "http://secret%zz:hush@proxy",
        "http://secret:hush%0a@proxy",
        "http://secret:hush%@proxy",
        "socks5://secret:hush@proxy:1",
    };
    struct sonde_load_url server;
    (void)state;
    assert_int_equal(sonde_load_url_parse(SONDE_STR("http://a"), &server, NULL), 0);
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        struct sonde_load_url proxy;
        struct sonde_err err = {0};
        SONDE_BUF_AUTO ask = SONDE_BUF(4096);
        int r = sonde_load_proxy_ask(sonde_str(texts[i]), &server, &proxy, &ask, &err);
        if (r != SONDE_EINVALID || strstr(err.message, "secret:") || strstr(err.message, "hush")) {
            fail_msg("%s: %d %s", texts[i], r, err.message);
        }
    }
}

static void has_an_end(void **state)
{
    char text[SONDE_LOAD_CREDENTIALS_MAX + 64];
    struct sonde_load_url server;
    struct sonde_load_url proxy;
    SONDE_BUF_AUTO ask = SONDE_BUF(4096);
    (void)state;
    memset(text, 'u', sizeof(text));
    memcpy(text + sizeof(text) - 7, "@proxy", 7);
    assert_int_equal(sonde_load_url_parse(SONDE_STR("http://a"), &server, NULL), 0);
    assert_int_equal(sonde_load_proxy_ask(sonde_str(text), &server, &proxy, &ask, NULL),
                     SONDE_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_server_with_its_port),
        cmocka_unit_test(says_who_we_are),
        cmocka_unit_test(refuses_what_is_no_proxy),
        cmocka_unit_test(has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
