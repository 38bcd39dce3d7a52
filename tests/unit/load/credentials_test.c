/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/credentials.h"

static void they_stand_before_the_host(void **state)
{
    (void)state;
    static const struct {
        const char *url, *before, *credentials, *behind; /* credentials NULL: none */
    } cases[] = {
        {"http://a:b@h:1/p", "http://", "a:b", "h:1/p"},
        {"a@h", "", "a", "h"},
        {"http://h/a@b", "http://", NULL, "h/a@b"},
        {"http://h?a@b", "http://", NULL, "h?a@b"},
        {"http://h#a@b", "http://", NULL, "h#a@b"},
        {"http://a@b@h", "http://", "a@b", "h"},
        {"http://@h", "http://", "", "h"},
        {"http://", "http://", NULL, ""},
        {"", "", NULL, ""},
        {"/path@x", "", NULL, "/path@x"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_str before;
        struct sonde_str credentials;
        struct sonde_str behind;
        sonde_load_credentials_find(sonde_str(cases[i].url), &before, &credentials, &behind);
        assert_true(sonde_str_is(before, cases[i].before));
        assert_true(sonde_str_is(behind, cases[i].behind));
        assert_int_equal(credentials.data != NULL, cases[i].credentials != NULL);
        assert_true(!credentials.data || sonde_str_is(credentials, cases[i].credentials));
    }
}

static void they_are_sent_as_base64(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected; /* NULL: refused */
    } cases[] = {
        {"foo:bar", "Basic Zm9vOmJhcg=="},
        {"foo:b%40r", "Basic Zm9vOmJAcg=="},
        {"a", "Basic YTo="},
        {"a:b:c", "Basic YTpiOmM="},
        {"", "Basic Og=="},
        {"a%3Ab:c", NULL},
        {"a%0Ab", NULL},
        {"a%zz", NULL},
        {"a%4", NULL},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_err err = {0};
        SONDE_BUF_AUTO field = SONDE_BUF(4096);
        int r = sonde_load_credentials_put(sonde_str(cases[i].text), "the URL's", &field, &err);
        assert_int_equal(r, cases[i].expected ? 0 : SONDE_EINVALID);
        if (cases[i].expected) {
            assert_string_equal(field.data, cases[i].expected);
        } else {
            assert_non_null(
                strstr(err.message, "the URL's user and password: give USER:PASSWORD@"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_stand_before_the_host),
        cmocka_unit_test(they_are_sent_as_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
