/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "inspector/snapshot_risk.h"
#include "spec/reason.h"

static const uint64_t megabyte = 1000000;

static struct sonde_snapshot_limits limits_of(uint64_t free, int64_t headroom, int64_t seconds)
{
    return (struct sonde_snapshot_limits){.free = free,
                                          .free_of = "its cgroup's memory limit",
                                          .headroom = headroom,
                                          .pause_ns = seconds * SONDE_SECOND,
                                          .pause_limit = "safety.maxPauseSeconds"};
}

static void many_small_objects_cost_most(void **state)
{
    (void)state;
    /* Measured: 428 MB of small objects were 12.05 million nodes, took 3.05 GB, and 28 to 33 s. */
    struct sonde_snapshot_cost cost = sonde_snapshot_predict(428 * megabyte, 22, INFINITY);
    assert_true(cost.nodes >= 11800000 && cost.nodes < 13000000);
    assert_true(cost.memory >= 3050 * megabyte && cost.memory < 2 * 3050 * megabyte);
    assert_true(cost.pause_ns > 33 * SONDE_SECOND && cost.pause_ns < 2 * 33 * SONDE_SECOND);
    assert_int_equal(cost.heap, 428 * megabyte);
}

static void old_engines_take_longer(void **state)
{
    (void)state;
    int64_t now = sonde_snapshot_predict(100 * megabyte, 20, INFINITY).pause_ns;
    int64_t old = sonde_snapshot_predict(100 * megabyte, 18, INFINITY).pause_ns;
    assert_true(old > 5 * now);
    assert_int_equal(sonde_snapshot_predict(100 * megabyte, 0, INFINITY).pause_ns, old);
    assert_int_equal(sonde_snapshot_predict(100 * megabyte, 28, INFINITY).pause_ns, now);
}

static void a_quota_makes_it_longer(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    int64_t whole = sonde_snapshot_predict(100 * megabyte, 22, INFINITY).pause_ns;
    assert_int_equal(sonde_snapshot_predict(100 * megabyte, 22, 2).pause_ns, whole);
    struct sonde_snapshot_cost cost = sonde_snapshot_predict(100 * megabyte, 22, 0.25);
    assert_true(cost.pause_ns >= 4 * whole - 4 && cost.pause_ns <= 4 * whole);
    struct sonde_snapshot_limits limits = limits_of(SONDE_SNAPSHOT_MEMORY_UNKNOWN, 0, 13);
    assert_int_equal(sonde_snapshot_check(&cost, &limits, &err), SONDE_EDENIED);
    assert_non_null(strstr(err.message, "50.0 s with the 0.25 CPUs that its limit allows, and "));
    limits = limits_of(1000, 0, 60);
    assert_int_equal(sonde_snapshot_check(&cost, &limits, &err), SONDE_EDENIED);
    assert_non_null(strstr(err.message, "MB for 50.0 s with the 0.25 CPUs that its limit allows"));
    assert_true(sonde_snapshot_predict(UINT64_MAX, 18, 1e-9).pause_ns > 0);
}

static void a_process_that_just_started_has_objects_too(void **state)
{
    (void)state;
    struct sonde_snapshot_cost cost = sonde_snapshot_predict(0, 24, INFINITY);
    assert_int_equal(cost.nodes, SONDE_SNAPSHOT_BASE_NODES);
    assert_true(cost.pause_ns < SONDE_SECOND);
}

static void no_heap_is_too_large_to_be_told(void **state)
{
    (void)state;
    struct sonde_snapshot_cost cost = sonde_snapshot_predict(UINT64_MAX, 18, INFINITY);
    assert_true(cost.pause_ns > 0);
    struct sonde_snapshot_limits limits = limits_of(SONDE_SNAPSHOT_MEMORY_UNKNOWN, 150, 600);
    assert_int_equal(sonde_snapshot_check(&cost, &limits, NULL), SONDE_EDENIED);
    limits = limits_of(UINT64_MAX - 1, 1000, INT64_MAX / SONDE_SECOND);
    assert_int_equal(sonde_snapshot_check(&cost, &limits, NULL), SONDE_EDENIED);
}

/* Whether a snapshot of this heap is taken. */
static int check(uint64_t heap, struct sonde_snapshot_limits limits, struct sonde_err *err)
{
    struct sonde_snapshot_cost cost = sonde_snapshot_predict(heap, 22, INFINITY);
    return sonde_snapshot_check(&cost, &limits, err);
}

static void limits_are_kept(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    uint64_t memory = sonde_snapshot_predict(100 * megabyte, 22, INFINITY).memory;
    assert_int_equal(check(100 * megabyte, limits_of(memory, 0, 60), &err), 0);
    assert_int_equal(check(100 * megabyte, limits_of(memory - 1, 0, 60), &err), SONDE_EDENIED);
    assert_string_equal(err.reason, SONDE_REASON_SNAPSHOT_TOO_RISKY);
    assert_non_null(strstr(err.message, "100 MB of heap"));
    assert_non_null(strstr(err.message, "its cgroup's memory limit"));
    assert_non_null(strstr(err.message, "AllocationSampling"));
    assert_int_equal(check(100 * megabyte, limits_of(SONDE_SNAPSHOT_MEMORY_UNKNOWN, 0, 60), &err),
                     0);
    /* 12.5 s */
    assert_int_equal(check(100 * megabyte, limits_of(memory, 0, 13), &err), 0);
    assert_int_equal(check(100 * megabyte, limits_of(memory, 0, 12), &err), SONDE_EDENIED);
    assert_string_equal(err.reason, SONDE_REASON_SNAPSHOT_TOO_RISKY);
    assert_non_null(strstr(err.message, "12.5 s"));
    assert_non_null(strstr(err.message, "safety.maxPauseSeconds allows 12.0 s"));
}

static void headroom_is_kept_too(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    uint64_t memory = sonde_snapshot_predict(100 * megabyte, 22, INFINITY).memory;
    assert_int_equal(check(100 * megabyte, limits_of(memory, 1000, 60), &err), 0);
    assert_int_equal(check(100 * megabyte, limits_of(memory, 2000, 60), &err), SONDE_EDENIED);
    assert_int_equal(check(100 * megabyte, limits_of(2000 * megabyte, 2000, 60), &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_small_objects_cost_most),
        cmocka_unit_test(old_engines_take_longer),
        cmocka_unit_test(a_quota_makes_it_longer),
        cmocka_unit_test(a_process_that_just_started_has_objects_too),
        cmocka_unit_test(no_heap_is_too_large_to_be_told),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(headroom_is_kept_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
