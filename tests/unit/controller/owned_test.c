/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of runs for the schedule that made them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"
#include "controller/owned.h"

#define RUN(owners, rest)                                                                          \
    "{\"metadata\":{\"name\":\"nightly-29000000\",\"creationTimestamp\":"                          \
    "\"2026-01-02T03:04:05Z\",\"ownerReferences\":" owners                                         \
    ",\"annotations\":{\"sonde.dev/scheduled-for\":\"2026-01-02T03:04:00Z\"}}" rest "}"
#define OWNER                                                                                      \
    "[{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"p\",\"uid\":\"p-1\"},{\"apiVersion\":"    \
    "\"sonde.dev/v1alpha1\",\"kind\":\"ProfileSchedule\",\"name\":\"nightly\",\"uid\":\"s-1\","    \
    "\"controller\":true}]"

static struct owned *read(const char *text)
{
    SONDE_JSON_AUTO *json = NULL;
    struct owned *owned = NULL;
    assert_int_equal(sonde_json_parse(sonde_str(text), &json, NULL), 0);
    assert_int_equal(owned_new(json, &owned, NULL), 0);
    return owned;
}

static void the_one_that_controls_it_owns_it(void **state)
{
    (void)state;
    struct owned *owned = read(RUN(OWNER, ""));
    assert_non_null(owned);
    assert_string_equal(owned->kind, "ProfileSchedule");
    assert_string_equal(owned->name, "nightly");
    assert_string_equal(owned->uid, "s-1");
    assert_int_equal(owned->firing_s, 1767323040);
    assert_int_equal(owned->created_s, 1767323045);
    assert_int_equal(owned->completed_ns, 0);
    assert_false(owned->succeeded);
    assert_false(owned->cancel);
    free(owned);
}

static void its_end_is_told(void **state)
{
    (void)state;
    struct owned *owned =
        read(RUN(OWNER, ",\"spec\":{\"cancel\":true},\"status\":{\"completionTime\":"
                        "\"2026-01-02T03:05:00Z\",\"conditions\":[{\"type\":\"Accepted\","
                        "\"status\":\"False\"},{\"type\":\"Succeeded\",\"status\":\"True\"}]}"));
    assert_int_equal(owned->completed_ns, INT64_C(1767323100) * 1000000000);
    assert_true(owned->succeeded);
    assert_true(owned->cancel);
    free(owned);
    owned = read(RUN(OWNER, ",\"status\":{\"conditions\":[{\"type\":\"Succeeded\",\"status\":"
                            "\"False\"}]}"));
    assert_false(owned->succeeded);
    free(owned);
}

static void others_own_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        RUN("null", ""),
        RUN("[7,{}]", ""),
        RUN("[{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"ProfileSchedule\",\"name\":\"n\","
            "\"uid\":\"u\"}]",
            ""),
        RUN("[{\"apiVersion\":\"batch/v1\",\"kind\":\"CronJob\",\"name\":\"n\",\"uid\":\"u\","
            "\"controller\":true}]",
            ""),
        RUN("[{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"ProfileSchedule\",\"name\":\"n\","
            "\"controller\":true}]",
            ""),
    };
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        assert_null(read(texts[i]));
    }
}

static void an_index_has_only_what_is_owned(void **state)
{
    (void)state;
    struct owned *owned = read(RUN(OWNER, ""));
    struct sonde_kube_object object = {.kept = &owned};
    assert_ptr_equal(owned_of(&object), owned);
    assert_true(sonde_str_is(owned_key(&object), "s-1"));
    free(owned);
    owned = NULL;
    assert_null(owned_of(&object));
    assert_int_equal(owned_key(&object).length, 0);
    assert_null(owned_of(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_that_controls_it_owns_it),
        cmocka_unit_test(its_end_is_told),
        cmocka_unit_test(others_own_nothing),
        cmocka_unit_test(an_index_has_only_what_is_owned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
