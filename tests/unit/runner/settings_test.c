/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runner/runner.h"

static int set_all(void **state)
{
    static const char *const names[][2] = {
        {"SONDE_STORE", "https://store:8443"},
        {"SONDE_STORE_CA", "authority"},
        {"SONDE_RUN_UID", "u"},
        {"SONDE_DEADLINE", "1800000000"},
        {"SONDE_TOKENS", "tokena,tokenb,tc"},
        {"JOB_COMPLETION_INDEX", "1"},
        {"POD_NAME", "pod-b"},
        {"NODE_NAME", "node"},
    };
    (void)state;
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        assert_int_equal(setenv(names[i][0], names[i][1], 1), 0);
    }
    return unsetenv("SONDE_FILES");
}

static void a_runner_takes_its_own_token(void **state)
{
    (void)state;
    const char *const tokens[] = {"tokena", "tokenb", "tc"};
    for (int i = 0; i < 3; i++) {
        struct settings settings;
        struct sonde_err err;
        char index[2] = {(char)('0' + i), '\0'};
        assert_int_equal(set_all(NULL), 0);
        assert_int_equal(setenv("JOB_COMPLETION_INDEX", index, 1), 0);
        if (settings_read(&settings, &err) < 0) {
            fail_msg("%s", err.message);
        }
        assert_int_equal(settings.number, i);
        assert_string_equal(settings.uplink.token, tokens[i]);
        assert_int_equal(strncmp(settings.uplink.target, "runner-", 7), 0);
        assert_string_equal(settings.uplink.target + 7, index);
        assert_string_equal(settings.pod, "pod-b");
        assert_string_equal(settings.node, "node");
        assert_string_equal(settings.files, "/run/sonde");
        /* Nobody finds them there any more, nor after the end. */
        assert_string_equal(getenv("SONDE_TOKENS"), "");
        settings_fini(&settings);
        assert_string_equal(settings.uplink.token, "");
    }
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value; /* NULL: it is not set */
    } cases[] = {
        {"SONDE_STORE", NULL},           {"SONDE_STORE_CA", NULL},
        {"SONDE_RUN_UID", ""},           {"SONDE_DEADLINE", "soon"},
        {"SONDE_TOKENS", NULL},          {"SONDE_TOKENS", "only-one"},
        {"SONDE_TOKENS", "one,,three"},  {"JOB_COMPLETION_INDEX", NULL},
        {"JOB_COMPLETION_INDEX", "100"}, {"JOB_COMPLETION_INDEX", "-1"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct settings settings;
        struct sonde_err err = {0};
        assert_int_equal(set_all(NULL), 0);
        assert_int_equal(
            cases[i].value ? setenv(cases[i].name, cases[i].value, 1) : unsetenv(cases[i].name), 0);
        assert_int_equal(settings_read(&settings, &err), SONDE_EINVALID);
        assert_non_null(strstr(err.message, cases[i].name));
        assert_null(strstr(err.message, "only-one"));
        settings_fini(&settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_runner_takes_its_own_token),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
