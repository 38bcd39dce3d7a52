/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"
#include "load/compare.h"
#include "made.h"
#include "seed.h"

static struct sonde_load_result tests[SONDE_SIDES];

static void make(int side, const struct made_options *options)
{
    assert_int_equal(made_result(options, &tests[side], NULL), 0);
    tests[side].asked.seed = options->seed;
}

static void compare(struct sonde_load_comparison *ret)
{
    const struct sonde_load_side sides[SONDE_SIDES] = {
        {"0f7b1d3e-8a52-4f6e-9c1d-2b3a4c5d6e7f", "monday", "load", &tests[SONDE_BEFORE]},
        {"69954a51-68f4-4575-993f-1b9e5c3b539c", "tues\x1b", "load", &tests[SONDE_AFTER]}};
    assert_int_equal(sonde_load_compare(&sides[SONDE_BEFORE], &sides[SONDE_AFTER], ret, NULL), 0);
}

static void forget(void)
{
    sonde_load_result_fini(&tests[SONDE_BEFORE]);
    sonde_load_result_fini(&tests[SONDE_AFTER]);
}

static void what_got_slower_is_sure(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct sonde_load_comparison c;
    make(SONDE_BEFORE,
         &(struct made_options){.seconds = 20, .rate = 200, .latency_us = 2000, .seed = seed});
    make(SONDE_AFTER,
         &(struct made_options){.seconds = 25, .rate = 300, .latency_us = 3000, .seed = seed + 1});
    compare(&c);
    /* Of made ones a tenth takes 4 or 16 times as long: 90 % stands at the edge of it. */
    for (size_t i = 0; i < SONDE_LOAD_CONFIDENCE_QUANTILES; i++) {
        const struct sonde_load_change *own = &c.quantiles[i];
        double share = sonde_load_confidence_quantiles[i].share;
        assert_int_equal(own->told, share < 0.999); /* beyond, there are four of 4000 requests */
        assert_true(!own->told || own->low < own->high);
    }
    const struct sonde_load_change *median = &c.quantiles[0];
    double change = median->values[SONDE_AFTER] - median->values[SONDE_BEFORE];
    assert_true(sonde_load_change_is_sure(median) && change > 500);
    assert_true(median->low <= change && change <= median->high);
    assert_true(median->ratio_low > 1.3 && median->ratio_high < 1.7);
    assert_true(sonde_load_change_is_sure(&c.quantiles[2]));
    assert_true(c.rate.told && sonde_load_change_is_sure(&c.rate));
    assert_true(fabs(c.rate.low - 100) < 1 && fabs(c.rate.high - 100) < 1);
    assert_false(c.differs);
    forget();
}

static void of_equal_ones_it_may_be_chance(void **state)
{
    (void)state;
    enum { ROUNDS = 40, ENOUGH = 31 }; /* 37 or 38 are expected */
    uint64_t seed = test_seed();
    int medians = 0;
    int rates = 0;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct made_options options = {
            .seconds = 20, .rate = 60, .latency_us = 2000, .troubled = true, .seed = seed + 2 * i};
        struct sonde_load_comparison c;
        make(SONDE_BEFORE, &options);
        options.seed++;
        make(SONDE_AFTER, &options);
        compare(&c);
        medians += c.quantiles[0].told && !sonde_load_change_is_sure(&c.quantiles[0]);
        rates += c.rate.told && !sonde_load_change_is_sure(&c.rate);
        forget();
    }
    assert_in_range(medians, ENOUGH, ROUNDS);
    assert_in_range(rates, ENOUGH, ROUNDS);
}

static void of_few_seconds_nothing_is_claimed(void **state)
{
    (void)state;
    struct sonde_load_comparison c;
    make(SONDE_BEFORE,
         &(struct made_options){.seconds = 9, .rate = 100, .latency_us = 2000, .seed = 1});
    make(SONDE_AFTER,
         &(struct made_options){.seconds = 20, .rate = 100, .latency_us = 4000, .seed = 2});
    compare(&c);
    for (size_t i = 0; i < SONDE_LOAD_CONFIDENCE_QUANTILES; i++) {
        assert_false(c.quantiles[i].told);
        assert_false(sonde_load_change_is_sure(&c.quantiles[i]));
    }
    assert_false(c.rate.told);
    forget();
}

static void nothing_at_all_can_be_compared(void **state)
{
    (void)state;
    struct sonde_load_comparison c;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 16);
    SONDE_JSON_AUTO *document = NULL;
    for (int i = 0; i < SONDE_SIDES; i++) {
        assert_int_equal(sonde_load_result_init(&tests[i], NULL), 0);
        tests[i].asked.url = "";
    }
    compare(&c);
    sonde_load_comparison_text(&c, &text);
    sonde_load_comparison_json(&c, &json);
    assert_null(strstr(text.data, "nan"));
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &document, NULL), 0);
    forget();
}

static void another_load_is_told(void **state)
{
    (void)state;
    static const struct {
        int64_t rate;
        unsigned connections, pipelining;
        int distribution; /* enum sonde_distribution */
        bool differs;
    } cases[] = {
        {500, 10, 1, SONDE_ARRIVAL_POISSON, false},
        {500, 20, 1, SONDE_ARRIVAL_POISSON,
         false}, /* of an open loop only the most to begin with */
        {400, 10, 1, SONDE_ARRIVAL_POISSON, true},
        {500, 10, 2, SONDE_ARRIVAL_POISSON, true},
        {500, 10, 1, SONDE_ARRIVAL_CONSTANT, true},
        {SONDE_SPEC_ABSENT, 10, 1, SONDE_ARRIVAL_POISSON, true},
    };
    const struct made_options options = {.seconds = 2, .rate = 10, .latency_us = 2000, .seed = 1};
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_load_comparison c;
        make(SONDE_BEFORE, &options);
        make(SONDE_AFTER, &options);
        for (int side = 0; side < SONDE_SIDES; side++) {
            tests[side].asked.arrival =
                (struct sonde_arrival){.rate = 500, .distribution = SONDE_ARRIVAL_POISSON};
        }
        tests[SONDE_AFTER].asked.arrival.rate = cases[i].rate;
        tests[SONDE_AFTER].asked.arrival.distribution = cases[i].distribution;
        tests[SONDE_AFTER].asked.connections = cases[i].connections;
        tests[SONDE_AFTER].asked.pipelining = cases[i].pipelining;
        compare(&c);
        assert_int_equal(c.differs, cases[i].differs);
        forget();
    }
}

static void other_stages_are_told(void **state)
{
    (void)state;
    static const struct sonde_stage stages[][2] = {
        {{.duration_seconds = 5, .rate = 100, .ramp = true}, {.duration_seconds = 10, .rate = 100}},
        {{.duration_seconds = 5, .rate = 100}, {.duration_seconds = 10, .rate = 100}},
        {{.duration_seconds = 5, .rate = 100, .ramp = true}, {.duration_seconds = 9, .rate = 100}},
        {{.duration_seconds = 5, .rate = 100, .ramp = true}, {.duration_seconds = 10, .rate = 99}},
    };
    const struct made_options options = {.seconds = 2, .rate = 10, .latency_us = 2000, .seed = 1};
    for (size_t i = 0; i < SONDE_LENGTH(stages); i++) {
        struct sonde_load_comparison c;
        make(SONDE_BEFORE, &options);
        make(SONDE_AFTER, &options);
        tests[SONDE_AFTER].asked.arrival.stages.items = stages[i];
        compare(&c);
        assert_int_equal(c.differs, i > 0);
        forget();
    }
}

static void must_have(const struct sonde_buf *text, const char *part)
{
    if (!strstr(text->data, part)) {
        fail_msg("no %s in %s", part, text->data);
    }
}

static void it_is_said(void **state)
{
    (void)state;
    struct sonde_load_comparison c;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 16);
    SONDE_JSON_AUTO *document = NULL;
    const struct made_options options = {.seconds = 12, .rate = 50, .latency_us = 2000, .seed = 1};
    make(SONDE_BEFORE, &options);
    make(SONDE_AFTER, &options);
    tests[SONDE_AFTER].asked.arrival = (struct sonde_arrival){.rate = SONDE_SPEC_ABSENT};
    tests[SONDE_AFTER].validity.valid = false;
    (void)snprintf(tests[SONDE_AFTER].validity.reason, sizeof(tests[SONDE_AFTER].validity.reason),
                   "no \x1b CPU");
    compare(&c);
    c.quantiles[0] = (struct sonde_load_change){.values = {1803, 2103},
                                                .told = true,
                                                .low = 250,
                                                .high = 1350,
                                                .ratio_low = 1.1,
                                                .ratio_high = 1.2};
    c.quantiles[1] = (struct sonde_load_change){
        .values = {9000, 7000}, .told = true, .low = -3000, .high = -1000};
    c.quantiles[2] = (struct sonde_load_change){
        .values = {9000, 7000}, .told = true, .low = -3000, .high = 1000};
    c.quantiles[3] = (struct sonde_load_change){.values = {10, 12}};
    sonde_load_comparison_text(&c, &text);
    must_have(&text, "before  0f7b1d3e  monday  load: open: 2 stages, up to 100 requests a second, "
                     "at random distances, for 12.0 s\n"
                     "after   69954a51  tues?  load: closed: 10 connections, for 12.0 s\n"
                     "after CANNOT BE BELIEVED: no ? CPU\n"
                     "they were asked for different loads");
    must_have(&text,
              "\n50 %           1.80 ms    2.10 ms     +300 µs  (+250 µs to +1.35 ms)  slower"
              "\n90 %           9.00 ms    7.00 ms    -2.00 ms  (-3.00 ms to -1.00 ms)  "
              "faster\n95 %           9.00 ms    7.00 ms    -2.00 ms  (-3.00 ms to +1.00 ms)"
              "  may be chance\n99 %             10 µs      12 µs       +2 µs  how sure is not "
              "known\n");
    must_have(&text, "\nfailed          0.00 %     0.00 %    +0.00 pp\n");
    sonde_load_comparison_json(&c, &json);
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &document, NULL), 0);
    must_have(&json, "\"quantiles\":[{\"share\":0.5,\"before\":1803,\"after\":2103,\"low\":250,"
                     "\"high\":1350,\"ratioLow\":1.1,\"ratioHigh\":1.2,\"sure\":true},");
    must_have(&json, "{\"share\":0.99,\"before\":10,\"after\":12,\"sure\":false}");
    forget();
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(what_got_slower_is_sure),
        cmocka_unit_test(of_equal_ones_it_may_be_chance),
        cmocka_unit_test(of_few_seconds_nothing_is_claimed),
        cmocka_unit_test(nothing_at_all_can_be_compared),
        cmocka_unit_test(another_load_is_told),
        cmocka_unit_test(other_stages_are_told),
        cmocka_unit_test(it_is_said),
    };
    return cmocka_run_group_tests_name("load_compare", all, NULL, NULL);
}
