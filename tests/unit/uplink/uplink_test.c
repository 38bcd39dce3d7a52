/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "spec/reason.h"
#include "uplink/uplink.h"

static void a_secret_leaves_the_environment(void **state)
{
    (void)state;
    char secret[8];
    struct sonde_err err = {0};
    assert_int_equal(setenv("SONDE_SECRET", "hush", 1), 0);
    const char *there = getenv("SONDE_SECRET");
    assert_int_equal(sonde_uplink_secret("SONDE_SECRET", secret, sizeof(secret), &err), 0);
    assert_string_equal(secret, "hush");
    assert_memory_equal(there, "\0\0\0\0\0", 5);
    /* It was there once. */
    assert_int_equal(sonde_uplink_secret("SONDE_SECRET", secret, sizeof(secret), &err),
                     SONDE_EINVALID);
    assert_int_equal(setenv("SONDE_SECRET", "12345678", 1), 0);
    assert_int_equal(sonde_uplink_secret("SONDE_SECRET", secret, sizeof(secret), &err),
                     SONDE_EINVALID);
    assert_non_null(strstr(err.message, "SONDE_SECRET"));
    assert_null(strstr(err.message, "12345678"));
}

static void each_process_is_another_one(void **state)
{
    (void)state;
    struct sonde_uplink one;
    struct sonde_uplink other;
    assert_int_equal(setenv("SONDE_STORE", "https://store:8443", 1), 0);
    assert_int_equal(setenv("SONDE_STORE_CA", "authority", 1), 0);
    assert_int_equal(setenv("SONDE_RUN_UID", "u", 1), 0);
    assert_int_equal(setenv("SONDE_DEADLINE", "1800000000", 1), 0);
    assert_int_equal(sonde_uplink_read(&one, NULL), 0);
    assert_int_equal(sonde_uplink_read(&other, NULL), 0);
    assert_int_equal(one.deadline, 1800000000);
    assert_int_equal(strlen(one.instance), SONDE_UPLINK_INSTANCE_SIZE - 1);
    assert_string_not_equal(one.instance, other.instance);
    assert_string_equal(one.message_path, "/dev/termination-log");
}

static void refusals_say_whether_to_try_again(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body, *reason, *said;
        int code;
    } cases[] = {
        {200, "", NULL, NULL, 0},
        {202, "{}", NULL, NULL, 0},
        {503, "{\"code\":\"Busy\",\"message\":\"others are behind\"}",
         SONDE_REASON_STORE_UNREACHABLE, "503 Busy: others are behind", SONDE_EBUSY},
        {500, "no JSON", SONDE_REASON_STORE_UNREACHABLE, "500 ?", SONDE_EBUSY},
        {507, "{\"code\":\"Full\"}", SONDE_REASON_STORE_FULL, "507 Full", SONDE_EDENIED},
        {409, "{\"code\":\"Gap\",\"message\":7}", SONDE_REASON_UPLOAD_REJECTED, "409 Gap",
         SONDE_EDENIED},
        {302, "", SONDE_REASON_UPLOAD_REJECTED, "302", SONDE_EDENIED},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        const struct sonde_http_response response = {.status = cases[i].status,
                                                     .body = sonde_str(cases[i].body)};
        const struct sonde_err none = {0};
        struct sonde_err err = {0};
        assert_int_equal(sonde_uplink_refusal(&response, &none, &err), cases[i].code);
        if (cases[i].code) {
            assert_string_equal(err.reason, cases[i].reason);
            assert_non_null(strstr(err.message, cases[i].said));
        }
    }
    /* Without any answer there is always another try. */
    const struct sonde_http_response response = {0};
    const struct sonde_err failed = {.code = SONDE_ENETWORK, .message = "refused"};
    struct sonde_err err = {0};
    assert_int_equal(sonde_uplink_refusal(&response, &failed, &err), SONDE_EBUSY);
    assert_string_equal(err.message, "refused");
}

static void a_message_replaces_another(void **state)
{
    (void)state;
    char path[] = "/tmp/sonde-uplink-XXXXXX";
    SONDE_CLOSE int fd = mkstemp(path);
    SONDE_BUF_AUTO text = SONDE_BUF(64);
    assert_true(fd >= 0);
    assert_int_equal(sonde_uplink_leave(path, sonde_str("a longer message"), NULL), 0);
    assert_int_equal(sonde_uplink_leave(path, sonde_str("short"), NULL), 0);
    assert_int_equal(sonde_read_input(path, &text, NULL), 0);
    assert_string_equal(text.data, "short");
    assert_int_equal(unlink(path), 0);
    assert_true(sonde_uplink_leave("/nowhere/message", sonde_str("x"), NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_leaves_the_environment),
        cmocka_unit_test(each_process_is_another_one),
        cmocka_unit_test(refusals_say_whether_to_try_again),
        cmocka_unit_test(a_message_replaces_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
