/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fail.h"
#include "sidecar/sidecar.h"

static char token[] = "SONDE_TOKEN=0123456789abcdef";
static char document[] = "SONDE_DOCUMENT={\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":"
                         "\"ProfileRun\",\"metadata\":{\"name\":\"r\"},\"spec\":{\"target\":"
                         "{\"podName\":\"pod-a\",\"process\":{\"match\":\"server.js\"}},"
                         "\"captures\":[{\"name\":\"cpu\",\"type\":\"CPUProfile\","
                         "\"durationSeconds\":2}]}}";

static int read_settings(void *context)
{
    (void)context;
    struct settings settings;
    token[sizeof("SONDE_TOKEN=") - 1] = 't'; /* it was wiped the last time */
    int r = settings_read(&settings, false, NULL);
    settings_fini(&settings);
    return r;
}

static int tell_result(void *context)
{
    (void)context;
    struct result result;
    SONDE_BUF_AUTO whole = SONDE_BUF(64 << 10);
    SONDE_BUF_AUTO small = SONDE_BUF(2 * SONDE_UPLINK_MESSAGE_MAX);
    const struct sonde_visit_result visit = {.pid = 7, .node_version = "v22.1.0", .artifacts = 1};
    result_init(&result);
    result_add(&result, &visit);
    result_print(&result, &whole);
    result_print_short(&result, &small);
    result_fini(&result);
    int r = sonde_buf_check(&whole, "the result", NULL);
    return r < 0 ? r : sonde_buf_check(&small, "the message", NULL);
}

static int choose(void *context)
{
    const struct sonde_profile_target target = {.child_processes = SONDE_CHILDREN_IGNORE};
    const size_t *count = context;
    struct sonde_process_list list = {.count = *count, .capacity = *count};
    list.items = calloc(*count, sizeof(*list.items));
    if (!list.items) {
        return SONDE_ENOMEM;
    }
    for (size_t i = 0; i < *count; i++) {
        list.items[i].pid = (pid_t)i + 2;
        list.items[i].is_node = true;
    }
    /* Two are ambiguous, which is said without their list when there is no memory for it. */
    int r = choose_processes(&list, &target, NULL);
    sonde_process_list_fini(&list);
    return r == SONDE_EINVALID && *count > 1 ? 0 : r;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    size_t one = 1;
    size_t two = 2;
    assert_int_equal(putenv(token), 0);
    assert_int_equal(putenv(document), 0);
    assert_int_equal(setenv("SONDE_STORE", "https://store:8443", 1), 0);
    assert_int_equal(setenv("SONDE_STORE_CA", "authority", 1), 0);
    assert_int_equal(setenv("SONDE_RUN_UID", "u", 1), 0);
    assert_int_equal(setenv("SONDE_TARGET", "pod-a", 1), 0);
    assert_int_equal(setenv("SONDE_DEADLINE", "1800000000", 1), 0);
    fail_each_allocation(read_settings, NULL);
    fail_each_allocation(tell_result, NULL);
    fail_each_allocation(choose, &one);
    fail_each_allocation(choose, &two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
