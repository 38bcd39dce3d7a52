/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/cookies.h"

enum { NOW = 1700000000 };

/* What is sent to a place, after these fields came from another. */
static void assert_cookies(const struct sonde_cookie_place *from, const char *const *fields,
                           const struct sonde_cookie_place *to, const char *expected)
{
    struct sonde_cookie_jar jar = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_buf_text(&text, "");
    for (; *fields; fields++) {
        assert_int_equal(sonde_cookies_set(&jar, from, sonde_str(*fields), NOW, NULL), 0);
    }
    sonde_cookies_print(&jar, to, NOW, &text);
    assert_string_equal(text.data, expected);
    sonde_cookies_fini(&jar);
}

#define PLACE(host, path, tls) (&(const struct sonde_cookie_place){host, SONDE_STR(path), tls})
#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void cookies_come_back(void **state)
{
    (void)state;
    const struct sonde_cookie_place *here = PLACE("a.example", "/x/y?z", false);
    assert_cookies(here, FIELDS("a=1", "b=2; HttpOnly; SameSite=Lax", "a=3"), here, "a=3; b=2");
    assert_cookies(here, FIELDS(" a = \"1=2\" "), here, "a=\"1=2\"");
    assert_cookies(here, FIELDS("a=", "b=;"), here, "a=; b=");
    assert_cookies(here, FIELDS("a", "=b", "; a=b", "", "a\x01=b", "c=d\r\ne: f"), here, "");
    /* The longer path first, then the older one. */
    assert_cookies(here, FIELDS("a=1; Path=/", "b=2; Path=/x", "c=3; path=/x", "b=4; Path=/x"),
                   here, "b=4; c=3; a=1");
}

static void cookies_go_where_they_belong(void **state)
{
    (void)state;
    const struct sonde_cookie_place *from = PLACE("a.b.example", "/x/y", true);
    assert_cookies(from, FIELDS("a=1"), PLACE("a.b.example", "/x", true), "a=1");
    assert_cookies(from, FIELDS("a=1"), PLACE("a.b.example", "/", true), "");
    assert_cookies(from, FIELDS("a=1; Path=/x"), PLACE("a.b.example", "/xy", true), "");
    assert_cookies(from, FIELDS("a=1; Path=/x/"), PLACE("a.b.example", "/x/y", true), "a=1");
    assert_cookies(from, FIELDS("a=1; Path=x"), PLACE("a.b.example", "/x/z", true), "a=1");
    assert_cookies(from, FIELDS("a=1; Path=/; Path="), PLACE("a.b.example", "/", true), "");
    assert_cookies(from, FIELDS("a=1"), PLACE("b.example", "/x", true), "");
    assert_cookies(from, FIELDS("a=1; Domain=.B.Example"), PLACE("c.b.example", "/x", true), "a=1");
    assert_cookies(from, FIELDS("a=1; Domain=b.example"), PLACE("xb.example", "/x", true), "");
    assert_cookies(
        from, FIELDS("a=1; Domain=c.example", "b=1; Domain=example", "c=1; domain=x.a.b.example"),
        from, "");
    assert_cookies(from, FIELDS("a=1; Domain="), from, "a=1");
    assert_cookies(from, FIELDS("a=1; Secure"), PLACE("a.b.example", "/x/y", false), "");
    assert_cookies(from, FIELDS("a=1; Secure"), from, "a=1");
    const struct sonde_cookie_place *address = PLACE("127.0.0.1", "/", false);
    assert_cookies(address, FIELDS("a=1; Domain=127.0.0.1", "b=2; Domain=0.0.1"), address, "a=1");
    const struct sonde_cookie_place *local = PLACE("localhost", "/", false);
    assert_cookies(local, FIELDS("a=1; Domain=localhost"), local, "a=1");
}

static void cookies_end(void **state)
{
    (void)state;
    const struct sonde_cookie_place *here = PLACE("h", "/", false);
    assert_cookies(here, FIELDS("a=1; Max-Age=0", "b=1; Max-Age=-5", "c=1; max-age=1"), here,
                   "c=1");
    assert_cookies(here, FIELDS("a=1", "a=2; Max-Age=0"), here, "");
    assert_cookies(here, FIELDS("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"), here, "");
    assert_cookies(here, FIELDS("a=1; Expires=Wed, 21 Oct 2037 07:28:00 GMT"), here, "a=1");
    assert_cookies(here, FIELDS("a=1; Expires=whenever", "b=1; Max-Age=x"), here, "a=1; b=1");
    assert_cookies(here,
                   FIELDS("a=1; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                          "b=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=9",
                          "c=1; Max-Age=99999999999999999999"),
                   here, "a=1; b=1; c=1");
    struct sonde_cookie_jar jar = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    assert_int_equal(sonde_cookies_set(&jar, here, SONDE_STR("a=1; Max-Age=10"), NOW, NULL), 0);
    sonde_cookies_print(&jar, here, NOW + 9, &text);
    assert_string_equal(text.data, "a=1");
    sonde_buf_clear(&text);
    sonde_cookies_print(&jar, here, NOW + 10, &text);
    assert_int_equal(text.length, 0);
    sonde_cookies_clear(&jar);
    assert_int_equal(jar.count, 0);
    sonde_cookies_fini(&jar);
}

static void jars_are_bounded(void **state)
{
    (void)state;
    const struct sonde_cookie_place *here = PLACE("h", "/", false);
    struct sonde_cookie_jar jar = {0};
    for (int i = 0; i < SONDE_COOKIES_MAX + 10; i++) {
        char field[32];
        (void)snprintf(field, sizeof(field), "c%d=1", i);
        assert_int_equal(sonde_cookies_set(&jar, here, sonde_str(field), NOW, NULL), 0);
    }
    assert_int_equal(jar.count, SONDE_COOKIES_MAX);
    assert_true(sonde_str_is(jar.items[0].name, "c10"));
    SONDE_BUF_AUTO large = SONDE_BUF(1 << 16);
    sonde_buf_text(&large, "large=");
    sonde_buf_repeat(&large, 'x', SONDE_COOKIE_MAX);
    assert_int_equal(sonde_cookies_set(&jar, here, sonde_buf_view(&large), NOW, NULL), 0);
    assert_true(sonde_str_is(jar.items[0].name, "c10"));
    sonde_cookies_fini(&jar);
}

static void dates_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds; /* −1: none */
    } cases[] = {
        {"Wed, 21 Oct 2026 07:28:00 GMT", 1792567680},
        {"Wednesday, 21-Oct-26 07:28:00 GMT", 1792567680},
        {"Wed Oct 21 07:28:00 2026", 1792567680},
        {"21 oct 2026 7:28:0", 1792567680},
        {"Thu, 01-Jan-70 00:00:00 GMT", 0},
        {"29 Feb 2024 00:00:00", 1709164800},
        {"29 Feb 2023 00:00:00", -1},
        {"31 Apr 2024 00:00:00", -1},
        {"1 Jan 1600 00:00:00", -1},
        {"1 Jan 2026 24:00:00", -1},
        {"1 Jan 2026 00:60:00", -1},
        {"1 Jan 2026", -1},
        {"00:00:00 1 2026", -1},
        {"", -1},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        int64_t seconds = -1;
        int r = sonde_cookie_date(sonde_str(cases[i].text), &seconds);
        assert_int_equal(r, cases[i].seconds < 0 ? SONDE_EPARSE : 0);
        assert_int_equal(seconds, cases[i].seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookies_come_back), cmocka_unit_test(cookies_go_where_they_belong),
        cmocka_unit_test(cookies_end),       cmocka_unit_test(jars_are_bounded),
        cmocka_unit_test(dates_are_read),
    };
    return cmocka_run_group_tests_name("cookies", tests, NULL, NULL);
}
