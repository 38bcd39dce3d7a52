/* SPDX-License-Identifier: Apache-2.0 */
/* A sidecar's last word: it runs where strangers are, and may say anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/controller.h"

static struct run run;

static struct target take(const char *message)
{
    struct target target = {.run = &run, .state = TARGET_CAPTURING};
    run = (struct run){0};
    assert_true(result_take_message(&target, message));
    return target;
}

static void success_is_taken_with_its_costs(void **state)
{
    (void)state;
    struct target target =
        take("{\"state\":\"Succeeded\",\"reason\":\"Completed\",\"message\":\"\",\"processes\":["
             "{\"pid\":7,\"nodeVersion\":\"v22.1.0\",\"cost\":{\"inspectorOpenSeconds\":2.5,"
             "\"startStallMilliseconds\":4,\"stopStallMilliseconds\":11.6,"
             "\"rotationStallMaxMilliseconds\":3}},"
             "{\"pid\":9,\"nodeVersion\":\"v18.0.0\",\"cost\":{\"inspectorOpenSeconds\":1}}]}");
    assert_int_equal(target.state, TARGET_SUCCEEDED);
    assert_string_equal(target.reason, "Completed");
    assert_int_equal(target.pid, 7);
    assert_string_equal(target.node_version, "v22.1.0");
    assert_int_equal(target.inspector_ms, 2500);
    assert_int_equal(target.pause_ms, 12);
    target = take("{\"state\":\"Succeeded\",\"processes\":[{\"pid\":7,"
                  "\"inspectorOpenMilliseconds\":40,\"pauseMilliseconds\":3}]}");
    assert_int_equal(target.inspector_ms, 40);
    assert_int_equal(target.pause_ms, 3);
}

static void only_words_of_ours_are_passed_on(void **state)
{
    (void)state;
    struct target target =
        take("{\"state\":\"Failed\",\"reason\":\"TargetAmbiguous\",\"message\":\"two\"}");
    assert_int_equal(target.state, TARGET_FAILED);
    assert_string_equal(target.reason, "TargetAmbiguous");
    assert_string_equal(target.message, "two");
    target = take("{\"state\":\"Failed\",\"reason\":\"Buy this\"}");
    assert_string_equal(target.reason, "Internal");
    target = take("{\"state\":\"Victory\",\"reason\":7,\"message\":{}}");
    assert_int_equal(target.state, TARGET_FAILED);
    assert_string_equal(target.reason, "Internal");
    assert_string_equal(target.message, "");
}

static void numbers_out_of_bounds_count_for_nothing(void **state)
{
    (void)state;
    struct target target =
        take("{\"state\":\"Succeeded\",\"processes\":[{\"pid\":-4,\"inspectorOpenMilliseconds\":"
             "1e300,\"pauseMilliseconds\":-1},7,null,{\"pid\":\"x\",\"cost\":[]}]}");
    assert_int_equal(target.pid, 0);
    assert_int_equal(target.inspector_ms, 0);
    assert_int_equal(target.pause_ms, 0);
    target = take("{\"state\":\"Succeeded\",\"processes\":[{\"pid\":2147483647}]}");
    assert_int_equal(target.pid, INT32_MAX);
    target = take("{\"state\":\"Succeeded\",\"processes\":[{\"pid\":2147483648}]}");
    assert_int_equal(target.pid, 0);
    target = take("{\"state\":\"Succeeded\",\"processes\":[{\"pid\":9007199254740992}]}");
    assert_int_equal(target.pid, 0);
}

static void what_is_no_result_is_none(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "", "killed", "[]", "{}", "{]", "7", "{\"state\":7}", "{\"uid\":1000}"};
    for (size_t i = 0; i < SONDE_LENGTH(messages); i++) {
        struct target target = {.run = &run, .state = TARGET_CAPTURING};
        assert_false(result_take_message(&target, messages[i]));
        assert_int_equal(target.state, TARGET_CAPTURING);
    }
}

/* Cancelled by nobody: the kubelet ended the pod. */
static void an_end_by_the_kubelet_is_the_targets(void **state)
{
    (void)state;
    static const char cancelled[] = "{\"state\":\"Cancelled\",\"reason\":\"Cancelled\"}";
    struct target target = take(cancelled);
    assert_true(target.cancelled);
    assert_string_equal(target.reason, "TargetExited");
    target = (struct target){.run = &run};
    run = (struct run){.object.cancel = true};
    assert_true(result_take_message(&target, cancelled));
    assert_string_equal(target.reason, "Cancelled");
    assert_int_equal(target.state, TARGET_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_is_taken_with_its_costs),
        cmocka_unit_test(only_words_of_ours_are_passed_on),
        cmocka_unit_test(numbers_out_of_bounds_count_for_nothing),
        cmocka_unit_test(what_is_no_result_is_none),
        cmocka_unit_test(an_end_by_the_kubelet_is_the_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
