/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "runner/runner.h"

static int read(const char *text, struct order *ret, struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    assert_int_equal(sonde_json_parse(sonde_str(text), &json, NULL), 0);
    return order_read(json, ret, err);
}

static void three_kinds_are_told_apart(void **state)
{
    (void)state;
    struct order order;
    assert_int_equal(read("{\"wait\":true}", &order, NULL), 0);
    assert_int_equal(order.kind, ORDER_WAIT);
    assert_int_equal(
        read("{\"over\":true,\"reason\":\"RunnerLost\",\"message\":\"two\"}", &order, NULL), 0);
    assert_int_equal(order.kind, ORDER_OVER);
    assert_string_equal(order.reason, "RunnerLost");
    assert_string_equal(order.message, "two");
    assert_int_equal(read("{\"round\":3,\"start\":1800000000000000,\"seed\":7}", &order, NULL), 0);
    assert_int_equal(order.kind, ORDER_BEGIN);
    assert_int_equal(order.round, 3);
    assert_int_equal(order.start_us, INT64_C(1800000000000000));
    assert_int_equal(order.seed, 7);
    assert_true(order.rate == SONDE_SPEC_ABSENT && order.from_us == SONDE_SPEC_ABSENT &&
                order.sent == SONDE_SPEC_ABSENT && order.seconds == SONDE_SPEC_ABSENT &&
                order.warm_up_seconds == SONDE_SPEC_ABSENT);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
        int code;
    } cases[] = {
        {"{}", "start", SONDE_EPARSE},
        {"{\"start\":1800000000000000,\"seed\":1}", "round", SONDE_EPARSE},
        {"{\"round\":-1,\"start\":1,\"seed\":1}", "round", SONDE_EINVALID},
        {"{\"round\":1001,\"start\":1,\"seed\":1}", "round", SONDE_EINVALID},
        {"{\"round\":0,\"start\":1800000000000000}", "seed", SONDE_EPARSE},
        {"{\"round\":0,\"start\":0,\"seed\":1}", "start", SONDE_EINVALID},
        {"{\"round\":0,\"start\":-5,\"seed\":1}", "start", SONDE_EINVALID},
        {"{\"round\":0,\"start\":9007199254740991,\"seed\":1}", "start", SONDE_EINVALID},
        {"{\"round\":0,\"start\":\"now\",\"seed\":1}", "start", SONDE_EPARSE},
        {"{\"round\":0,\"start\":1,\"seed\":-1}", "seed", SONDE_EINVALID},
        {"{\"round\":0,\"start\":1,\"seed\":1,\"rate\":0}", "rate", SONDE_EINVALID},
        {"{\"round\":0,\"start\":1,\"seed\":1,\"rate\":1000001}", "rate", SONDE_EINVALID},
        {"{\"round\":0,\"start\":1,\"seed\":1,\"seconds\":0}", "seconds", SONDE_EINVALID},
        {"{\"round\":0,\"start\":1,\"seed\":1,\"warmUpSeconds\":-1}", "warmUpSeconds",
         SONDE_EINVALID},
        {"{\"round\":0,\"start\":1,\"seed\":1,\"from\":1e15}", "from", SONDE_EINVALID},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct order order;
        struct sonde_err err = {0};
        assert_int_equal(read(cases[i].text, &order, &err), cases[i].code);
        assert_non_null(strstr(err.message, cases[i].said));
    }
}

static void the_fastest_answer_tells_the_time(void **state)
{
    (void)state;
    struct store_clock clock = {0};
    /* The store is 1,000 s ahead; the second answer was quick, the others took their time on one
     * way alone. */
    store_clock_add(&clock, 5 * SONDE_SECOND, 5 * SONDE_SECOND + 9000000, 1005000000);
    assert_int_equal(clock.uncertainty_ns, 4500000);
    store_clock_add(&clock, 6 * SONDE_SECOND, 6 * SONDE_SECOND + 200000, 1006000100);
    store_clock_add(&clock, 7 * SONDE_SECOND, 7 * SONDE_SECOND + 3000000, 1007003000);
    assert_int_equal(clock.samples, 3);
    assert_int_equal(clock.uncertainty_ns, 100000);
    assert_int_equal(clock.offset_ns, 1000 * SONDE_SECOND);
    assert_int_equal(store_clock_local(&clock, 1010000000), 10 * SONDE_SECOND);
}

static struct sonde_load_plan apply(const char *text, int64_t now_ns)
{
    struct order order;
    struct sonde_load_plan plan = {
        .arrival = {.rate = 5, .duration_seconds = 10}, .warm_up_seconds = 3, .from_ns = 99};
    struct store_clock clock = {0};
    store_clock_add(&clock, 0, 0, 1000000000); /* 1,000 s ahead */
    assert_int_equal(read(text, &order, NULL), 0);
    order_apply(&order, &clock, now_ns, &plan);
    return plan;
}

static void a_plan_follows_its_order(void **state)
{
    (void)state;
    struct sonde_load_plan plan =
        apply("{\"round\":0,\"start\":1020000000,\"seed\":7}", 19 * SONDE_SECOND);
    assert_int_equal(plan.start_ns, 20 * SONDE_SECOND);
    assert_int_equal(plan.from_ns, 0);
    assert_int_equal(plan.seed, 7);
    assert_int_equal(plan.sent_before, 0);
    assert_int_equal(plan.arrival.rate, 5);
    assert_int_equal(plan.arrival.duration_seconds, 10);
    assert_int_equal(plan.warm_up_seconds, 3);
    plan = apply("{\"round\":0,\"start\":1020000000,\"seed\":7,\"rate\":80,\"seconds\":30,"
                 "\"warmUpSeconds\":1}",
                 19 * SONDE_SECOND);
    assert_int_equal(plan.arrival.rate, 80);
    assert_int_equal(plan.arrival.duration_seconds, 30);
    assert_int_equal(plan.warm_up_seconds, 1);
}

/* What was due until then is its own, and nobody has sent it. */
static void who_learns_late_of_its_start_has_missed_something(void **state)
{
    (void)state;
    static const char order[] = "{\"round\":0,\"start\":1020000000,\"seed\":7}";
    static const struct {
        int64_t late_ns, missed_ns;
    } cases[] = {
        {0, 0},
        {900 * SONDE_MILLISECOND, 0},
        {SONDE_SECOND, 0},
        {SONDE_SECOND + 1, 2 * SONDE_SECOND},
        {2 * SONDE_SECOND, 3 * SONDE_SECOND},
        {7 * SONDE_SECOND + 5, 8 * SONDE_SECOND},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        const struct sonde_load_plan plan = apply(order, 20 * SONDE_SECOND + cases[i].late_ns);
        assert_int_equal(plan.from_ns, 0);
        assert_int_equal(plan.missed_ns, cases[i].missed_ns);
    }
}

static void who_takes_anothers_place_begins_when_it_is_told_to(void **state)
{
    (void)state;
    static const char order[] =
        "{\"round\":0,\"start\":1020000000,\"seed\":7,\"from\":4000000,\"sent\":12}";
    static const struct {
        int64_t now_ns, missed_ns;
    } cases[] = {
        {22 * SONDE_SECOND, 0},
        {24 * SONDE_SECOND, 0},
        {25 * SONDE_SECOND, 0},
        {25 * SONDE_SECOND + 1, 6 * SONDE_SECOND},
        {59 * SONDE_SECOND, 40 * SONDE_SECOND}, /* the answer was lost, and asked for again */
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        const struct sonde_load_plan plan = apply(order, cases[i].now_ns);
        assert_int_equal(plan.from_ns, 4 * SONDE_SECOND);
        assert_int_equal(plan.missed_ns, cases[i].missed_ns);
        assert_int_equal(plan.sent_before, 12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_kinds_are_told_apart),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(the_fastest_answer_tells_the_time),
        cmocka_unit_test(a_plan_follows_its_order),
        cmocka_unit_test(who_learns_late_of_its_start_has_missed_something),
        cmocka_unit_test(who_takes_anothers_place_begins_when_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
