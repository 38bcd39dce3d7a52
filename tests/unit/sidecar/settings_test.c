/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sidecar/sidecar.h"

#define TOKEN "0123456789abcdef"
#define DOCUMENT                                                                                   \
    "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"ProfileRun\",\"metadata\":{\"name\":\"r\"}" \
    ",\"spec\":{\"target\":{\"podName\":\"pod-a\"},\"captures\":[{\"name\":\"cpu\",\"type\":"      \
    "\"CPUProfile\",\"durationSeconds\":2}]}}"

static const char *const names[][2] = {
    {"SONDE_STORE", "https://store:8443"},
    {"SONDE_STORE_CA", "-----BEGIN CERTIFICATE-----"},
    {"SONDE_RUN_UID", "u"},
    {"SONDE_TARGET", "pod-a"},
    {"SONDE_DEADLINE", "1800000000"},
    {"SONDE_TOKEN", TOKEN},
    {"SONDE_DOCUMENT", DOCUMENT},
};

static int set_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        assert_int_equal(setenv(names[i][0], names[i][1], 1), 0);
    }
    assert_int_equal(unsetenv("SONDE_STORE_PATIENCE"), 0);
    assert_int_equal(unsetenv("SONDE_LIVENESS_SECONDS"), 0);
    assert_int_equal(unsetenv("SONDE_TERMINATION_MESSAGE"), 0);
    return 0;
}

static void reads_the_environment(void **state)
{
    (void)state;
    struct settings settings;
    struct settings other;
    assert_int_equal(settings_read(&settings, false, NULL), 0);
    assert_string_equal(settings.uplink.store, "https://store:8443");
    assert_string_equal(settings.uplink.authority, "-----BEGIN CERTIFICATE-----");
    assert_string_equal(settings.uplink.run_uid, "u");
    assert_string_equal(settings.uplink.target, "pod-a");
    assert_string_equal(settings.uplink.message_path, "/dev/termination-log");
    assert_int_equal(settings.uplink.deadline, 1800000000);
    assert_int_equal(settings.patience_ns, 30 * SONDE_SECOND);
    assert_int_equal(settings.spec->captures.items[0].duration_seconds, 2);
    assert_int_equal(strlen(settings.uplink.instance), 32);
    assert_int_equal(strspn(settings.uplink.instance, "0123456789abcdef"), 32);

    assert_int_equal(set_all(NULL), 0);
    assert_int_equal(settings_read(&other, false, NULL), 0);
    assert_string_not_equal(settings.uplink.instance, other.uplink.instance);
    settings_fini(&other);
    settings_fini(&settings);
}

static void the_token_is_wiped(void **state)
{
    (void)state;
    struct settings settings;
    const char *token = getenv("SONDE_TOKEN");
    assert_int_equal(settings_read(&settings, false, NULL), 0);
    assert_string_equal(settings.uplink.token, TOKEN);
    for (size_t i = 0; i < strlen(TOKEN); i++) {
        assert_int_equal(token[i], 0);
    }
    settings_fini(&settings);
    for (size_t i = 0; i < sizeof(settings.uplink.token); i++) {
        assert_int_equal(settings.uplink.token[i], 0);
    }
}

static void refused(const char *name, const char *value)
{
    struct settings settings;
    struct sonde_err err;
    assert_int_equal(set_all(NULL), 0);
    assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
    int r = settings_read(&settings, false, &err);
    settings_fini(&settings);
    if (r != SONDE_EINVALID || !strstr(err.message, name)) {
        fail_msg("%s=%s: %d %s", name, value ? value : "", r, r < 0 ? err.message : "");
    }
}

static void what_is_missing_or_wrong_is_named(void **state)
{
    (void)state;
    char long_token[300];
    memset(long_token, 'a', sizeof(long_token));
    long_token[sizeof(long_token) - 1] = '\0';
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        refused(names[i][0], NULL);
        refused(names[i][0], "");
    }
    static const char *const wrong[][2] = {
        {"SONDE_DEADLINE", "tomorrow"},
        {"SONDE_DEADLINE", "-1"},
        {"SONDE_DEADLINE", "9223372036854775"},
        {"SONDE_STORE_PATIENCE", "0"},
        {"SONDE_STORE_PATIENCE", "301"},
        {"SONDE_STORE_PATIENCE", ""},
        {"SONDE_STORE_PATIENCE", "3s"},
        {"SONDE_LIVENESS_SECONDS", "-1"},
        {"SONDE_LIVENESS_SECONDS", "30s"},
        {"SONDE_DOCUMENT", "{"},
        {"SONDE_DOCUMENT", "{}"},
        {"SONDE_DOCUMENT", "kind: LoadTest"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(wrong); i++) {
        refused(wrong[i][0], wrong[i][1]);
    }
    refused("SONDE_TOKEN", long_token);
}

static void patience_and_message_can_be_set(void **state)
{
    (void)state;
    struct settings settings;
    assert_int_equal(setenv("SONDE_STORE_PATIENCE", "3", 1), 0);
    assert_int_equal(setenv("SONDE_LIVENESS_SECONDS", "30", 1), 0);
    assert_int_equal(setenv("SONDE_TERMINATION_MESSAGE", "/message", 1), 0);
    assert_int_equal(settings_read(&settings, false, NULL), 0);
    assert_int_equal(settings.patience_ns, 3 * SONDE_SECOND);
    assert_int_equal(settings.liveness_ns, 30 * SONDE_SECOND);
    assert_string_equal(settings.uplink.message_path, "/message");
    settings_fini(&settings);
}

static void a_look_needs_the_document_only(void **state)
{
    (void)state;
    struct settings settings;
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        if (strcmp(names[i][0], "SONDE_DOCUMENT") != 0) {
            assert_int_equal(unsetenv(names[i][0]), 0);
        }
    }
    assert_int_equal(settings_read(&settings, true, NULL), 0);
    assert_string_equal(settings.spec->target->pod_name, "pod-a");
    settings_fini(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reads_the_environment, set_all),
        cmocka_unit_test_setup(the_token_is_wiped, set_all),
        cmocka_unit_test_setup(what_is_missing_or_wrong_is_named, set_all),
        cmocka_unit_test_setup(patience_and_message_can_be_set, set_all),
        cmocka_unit_test_setup(a_look_needs_the_document_only, set_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
