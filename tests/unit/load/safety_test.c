/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "load/safety.h"

static const char *const allowed[] = {"shop.example.com", "*.test.example.com", "192.0.2.7"};
static const struct sonde_load_safety safety = {{allowed, 3}, 1000};

static const struct sonde_arrival too_fast = {.rate = 1001};
static const struct sonde_arrival in_time = {.rate = 1000};
static const struct sonde_arrival closed = {.rate = SONDE_SPEC_ABSENT};

static void hosts_near_are_known(void **state)
{
    (void)state;
    static const char *const near[] = {"localhost",     "127.0.0.1",   "127.8.8.8",
                                       "::1",           "a.localhost", "patients",
                                       "a.default.svc", "A.B.SVC",     "a.b.svc.cluster.local"};
    static const char *const far[] = {"example.com", "127.example.com", "2001:db8::1",
                                      "8.8.8.8",     "svc.example",     "a.svc.example.com",
                                      "134744072",   "0x08080808",      "0X8080808",
                                      "01002004010", "8.526344",        "_a"};
    for (size_t i = 0; i < SONDE_LENGTH(near); i++) {
        assert_true(sonde_load_host_is_near(near[i]));
        assert_int_equal(sonde_load_safety_check(&safety, near[i], &too_fast, NULL), 0);
    }
    for (size_t i = 0; i < SONDE_LENGTH(far); i++) {
        assert_false(sonde_load_host_is_near(far[i]));
        assert_int_equal(sonde_load_safety_check(&safety, far[i], &too_fast, NULL), SONDE_EDENIED);
    }
}

static void allowed_hosts_have_no_ceiling(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool allowed;
    } cases[] = {
        {"shop.example.com", true},   {"SHOP.example.com", true},  {"192.0.2.7", true},
        {"a.test.example.com", true}, {"test.example.com", false}, {"a.b.test.example.com", false},
        {".test.example.com", false}, {"example.com", false},      {"192.0.2.70", false},
        {"xshop.example.com", false},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        const int expected = cases[i].allowed ? 0 : SONDE_EDENIED;
        assert_int_equal(sonde_load_safety_check(&safety, cases[i].host, &too_fast, NULL),
                         expected);
        assert_int_equal(sonde_load_safety_check(&safety, cases[i].host, &closed, NULL), expected);
        assert_int_equal(sonde_load_safety_check(&safety, cases[i].host, &in_time, NULL), 0);
    }
}

static void the_highest_stage_counts(void **state)
{
    (void)state;
    static const struct sonde_stage stages[] = {{10, 10, false}, {10, 1001, true}, {10, 5, true}};
    const struct sonde_arrival all = {.rate = SONDE_SPEC_ABSENT, .stages = {stages, 3}};
    const struct sonde_arrival first = {.rate = SONDE_SPEC_ABSENT, .stages = {stages, 1}};
    struct sonde_err err;
    assert_int_equal(sonde_load_safety_check(&safety, "example.com", &all, &err), SONDE_EDENIED);
    assert_non_null(strstr(err.message, "example.com: 1001 requests a second are more than the "
                                        "1000 that are allowed"));
    assert_int_equal(sonde_load_safety_check(&safety, "example.com", &first, &err), 0);
    assert_int_equal(sonde_load_safety_check(NULL, "example.com", &all, &err), 0);
    assert_int_equal(sonde_load_safety_check(NULL, "example.com", &closed, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_near_are_known),
        cmocka_unit_test(allowed_hosts_have_no_ceiling),
        cmocka_unit_test(the_highest_stage_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
