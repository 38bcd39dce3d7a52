/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "codec/json.h"
#include "load/compare.h"
#include "load/regression_load.h"
#include "made.h"
#include "seed.h"

#define NIGHTLY "nightly-29384"

static struct sonde_regression *begin(size_t runs, size_t reference)
{
    static struct sonde_regression r;
    r = (struct sonde_regression){.runs = runs, .reference = reference, .with = NIGHTLY};
    return &r;
}

/* A measure whose history is the same each night. */
static struct sonde_regression_measure *add(struct sonde_regression *r, const char *name,
                                            enum sonde_regression_unit unit, double before,
                                            double now)
{
    struct sonde_regression_measure *m = sonde_regression_add(r, name, unit);
    assert_non_null(m);
    for (size_t i = 0; i < r->runs; i++) {
        m->history[i] = (struct sonde_regression_value){true, before, 0};
    }
    m->now = (struct sonde_regression_value){true, now, 0};
    return m;
}

static void students_t_is_as_tables_have_it(void **state)
{
    (void)state;
    static const struct {
        double t;
        unsigned degrees;
        double beyond;
    } table[] = {{0, 1, 0.5},         {0, 8, 0.5},         {12.706, 1, 0.025}, {4.303, 2, 0.025},
                 {3.182, 3, 0.025},   {2.776, 4, 0.025},   {2.228, 10, 0.025}, {2.056, 26, 0.025},
                 {3.365, 5, 0.01},    {2.4851, 25, 0.01},  {6.965, 2, 0.01},   {-2.776, 4, 0.975},
                 {3.1693, 10, 0.005}, {1.98472, 97, 0.025}};
    for (size_t i = 0; i < SONDE_LENGTH(table); i++) {
        double beyond = sonde_student_beyond(table[i].t, table[i].degrees);
        if (fabs(beyond - table[i].beyond) > 0.001 * table[i].beyond) {
            fail_msg("t %g, %u degrees: %g", table[i].t, table[i].degrees, beyond);
        }
    }
}

static void no_chance_is_below_none(void **state)
{
    (void)state;
    for (unsigned degrees = 1; degrees < 60; degrees++) {
        for (int power = 0; power <= 9; power++) {
            for (int digit = 1; digit < 10; digit++) {
                assert_true(sonde_student_beyond(digit * pow(10, power), degrees) >= 0);
            }
        }
    }
}

static void what_got_worse_is_said_with_its_interval(void **state)
{
    (void)state;
    struct sonde_regression *r = begin(7, 7);
    (void)add(r, "p50", SONDE_REGRESSION_TIME, 10000, 10100);
    (void)add(r, "p99", SONDE_REGRESSION_TIME, 41200, 48616);
    sonde_regression_judge(r);
    assert_true(r->compared && r->worse);
    assert_true(r->measures[1].worse && !r->measures[0].worse);
    assert_string_equal(r->message,
                        "p99 is 18 % [14, 22] slower than " NIGHTLY ": 41.2 ms → 48.6 ms");
    assert_true(r->measures[1].chance < 1e-6);
    sonde_regression_fini(r);
}

/* A rate that falls is worse; one that rises is better, as a time that falls. */
static void each_unit_has_its_direction(void **state)
{
    (void)state;
    static const struct {
        enum sonde_regression_unit unit;
        double before, worse, better;
        const char *said;
    } table[] = {
        {SONDE_REGRESSION_TIME, 1000, 1500, 500, "it is 50 % [45, 55] slower: 1.00 ms → 1.50 ms"},
        {SONDE_REGRESSION_RATE, 400, 300, 500, "it is 25 % [22, 28] lower: 400.0/s → 300.0/s"},
        {SONDE_REGRESSION_FAILED, 0.03, 0.08, 0.01,
         "it is 5.0 points [4.7, 5.3] more: 3.0 % → 8.0 %"},
        {SONDE_REGRESSION_BUSY, 0.2, 0.273, 0.1,
         "it takes 7.3 points [6.4, 8.2] more of the busy time: 20 % → 27 %"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(table); i++) {
        for (int direction = 0; direction < 2; direction++) {
            SONDE_BUF_AUTO said = SONDE_BUF(1000);
            struct sonde_regression *r = begin(7, 7);
            (void)add(r, "it", table[i].unit, table[i].before,
                      direction ? table[i].better : table[i].worse);
            sonde_regression_judge(r);
            assert_int_equal(r->worse, !direction);
            assert_int_equal(r->measures[0].better, direction);
            sonde_regression_say(&r->measures[0], NULL, &said);
            if (!direction) {
                assert_string_equal(said.data, table[i].said);
            }
            sonde_regression_fini(r);
        }
    }
}

/* However sure it is. */
static void what_does_not_matter_is_not_worse(void **state)
{
    (void)state;
    struct sonde_regression *r = begin(50, 50);
    struct sonde_regression_measure *m = add(r, "p50", SONDE_REGRESSION_TIME, 10000, 10490);
    m->usual = 0.001;
    sonde_regression_judge(r);
    assert_true(m->chance < 1e-6 && m->low > 0);
    assert_false(r->worse);
    assert_string_equal(r->message, "no worse than " NIGHTLY);
    m->now.value = 10510;
    sonde_regression_judge(r);
    assert_true(r->worse);
    sonde_regression_fini(r);
}

/* The same change, of one measure and of many that are quiet. */
static void many_measures_need_to_be_surer(void **state)
{
    (void)state;
    struct sonde_regression *r = begin(7, 7);
    (void)add(r, "p50", SONDE_REGRESSION_TIME, 10000, 10700);
    sonde_regression_judge(r);
    assert_true(r->worse && r->measures[0].chance < 0.01 && r->measures[0].chance > 0.01 / 50);
    for (int i = 0; i < 50; i++) {
        (void)add(r, "quiet", SONDE_REGRESSION_TIME, 10000, 10000);
    }
    sonde_regression_judge(r);
    assert_false(r->worse);
    /* Holm's second step: the next one is held against less. */
    for (size_t i = 1; i < r->count; i++) {
        r->measures[i].now.value = 12000;
    }
    sonde_regression_judge(r);
    assert_true(r->measures[0].worse);
    assert_non_null(strstr(r->message, "; and 48 more"));
    sonde_regression_fini(r);
}

/* Nights that differ, and a run that is itself unsure, let less be said. */
static void noise_widens_the_interval(void **state)
{
    (void)state;
    struct sonde_regression *r = begin(7, 7);
    struct sonde_regression_measure *m = add(r, "p50", SONDE_REGRESSION_TIME, 10000, 11000);
    sonde_regression_judge(r);
    double quiet = m->high - m->low;
    assert_true(r->worse);
    m->now.error = 0.05;
    sonde_regression_judge(r);
    assert_false(r->worse);
    assert_true(m->high - m->low > 2 * quiet);
    m->now.error = 0;
    for (size_t i = 0; i < 7; i++) {
        m->history[i].value = 10000 * (1 + 0.05 * ((double)i - 3));
    }
    sonde_regression_judge(r);
    assert_false(r->worse);
    assert_true(m->high - m->low > 2 * quiet);
    assert_true(fabs(m->before - 10000) < 1);
    sonde_regression_fini(r);
}

/* The reference is the newest, or the median; the others tell how nights differ. */
static void the_reference_is_what_was_asked_for(void **state)
{
    (void)state;
    static const double nights[] = {10000, 10400, 9900, 10100, 9000};
    struct sonde_regression *r = begin(5, 1);
    struct sonde_regression_measure *m = add(r, "p50", SONDE_REGRESSION_TIME, 1, 10000);
    for (size_t i = 0; i < 5; i++) {
        m->history[i].value = nights[i];
    }
    static const struct {
        size_t reference;
        double before;
    } table[] = {{1, 10000}, {3, 10000}, {4, 10050}, {5, 10000}};
    for (size_t i = 0; i < SONDE_LENGTH(table); i++) {
        r->reference = table[i].reference;
        sonde_regression_judge(r);
        assert_true(fabs(m->before - table[i].before) < 1);
    }
    m->history[0].there = false; /* of a night that had too few requests for it */
    r->reference = 1;
    sonde_regression_judge(r);
    assert_false(r->compared);
    assert_non_null(strstr(r->message, "not compared with " NIGHTLY));
    sonde_regression_fini(r);
}

/* ---- nights that are made up ---- */

static double normal(uint64_t *seed)
{
    double sum = 0; /* of uniform ones: near enough */
    for (int i = 0; i < 12; i++) {
        sum += (double)(sonde_random_next(seed) >> 11) / 9007199254740992.0;
    }
    return sum - 6;
}

static int found_of(int nights, double slower, size_t reference, uint64_t *seed)
{
    static const char *const names[] = {"p50", "p90", "p99"};
    int found = 0;
    for (int night = 0; night < nights; night++) {
        struct sonde_regression *r = begin(10, reference);
        for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
            struct sonde_regression_measure *m = add(r, names[i], SONDE_REGRESSION_TIME, 1, 1);
            for (size_t k = 0; k < r->runs; k++) {
                m->history[k].value = 10000 * exp(0.02 * normal(seed));
            }
            m->now.value = 10000 * (1 + slower) * exp(0.02 * normal(seed));
        }
        sonde_regression_judge(r);
        found += r->worse;
        sonde_regression_fini(r);
    }
    return found;
}

/* The bounds are six standard deviations from what is expected. */
static void quiet_nights_are_not_flagged_and_slow_ones_are(void **state)
{
    (void)state;
    enum { NIGHTS = 1000 };
    uint64_t seed = test_seed();
    for (size_t reference = 1; reference <= 10; reference += 9) {
        assert_true(found_of(NIGHTS, 0, reference, &seed) <= 29);
        assert_true(found_of(NIGHTS, 0.10, reference, &seed) >= (reference == 1 ? 500 : 800));
        assert_int_equal(found_of(NIGHTS, 0.50, reference, &seed), NIGHTS);
    }
}

/* Shares of the busy time in quiet nights, as a profile of so many samples shows them in one
 * window, for each of ten functions. */
static int called_worse(int nights, size_t runs, unsigned samples, uint64_t *seed)
{
    enum { FUNCTIONS = 10 };
    int found = 0;
    for (int night = 0; night < nights; night++) {
        struct sonde_regression *r = begin(runs, 1);
        for (size_t i = 0; i < FUNCTIONS; i++) {
            struct sonde_regression_measure *m = add(r, "f", SONDE_REGRESSION_BUSY, 0, 0);
            for (size_t k = 0; k <= runs; k++) {
                unsigned hits = 0;
                for (unsigned n = 0; n < samples; n++) {
                    hits += sonde_random_next(seed) % 10 < 2;
                }
                double share = (double)hits / samples;
                *(k == runs ? &m->now : &m->history[k]) = (struct sonde_regression_value){
                    true, share, sonde_regression_share_error(-1, 1, share, samples)};
            }
        }
        sonde_regression_judge(r);
        found += r->worse;
        sonde_regression_fini(r);
    }
    return found;
}

/* 1 of 100 is allowed; the bound is six standard deviations above. */
static void quiet_nights_of_one_window_are_not_called_worse(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (size_t runs = 1; runs <= 7; runs += 6) {
        int found = called_worse(500, runs, 300, &seed);
        if (found > 18) {
            fail_msg("%d of 500, with %zu before", found, runs);
        }
    }
}

static void the_error_of_a_share_is_that_of_its_windows_when_they_tell(void **state)
{
    (void)state;
    double least = sqrt(0.25 / 100);
    assert_true(sonde_regression_share_error(-1, 1, 0.5, 100) == least);
    assert_true(sonde_regression_share_error(0.001, 3, 0.5, 100) == least);
    assert_true(sonde_regression_share_error(0.2, 3, 0.5, 100) == 0.2);
    assert_true(sonde_regression_share_error(0.001, 4, 0.5, 100) == 0.001);
    assert_true(sonde_regression_share_error(-1, 1, 0.5, 0) == 0);
}

static void runs_of_which_nothing_is_there_are_left_out(void **state)
{
    (void)state;
    struct sonde_regression *r = begin(3, 1);
    struct sonde_regression_measure *m = add(r, "p50", SONDE_REGRESSION_TIME, 1, 1);
    m->history[0].there = m->history[2].there = false;
    m->history[1].value = 42;
    sonde_regression_close_up(r);
    assert_int_equal(r->runs, 1);
    assert_true(m->history[0].there && m->history[0].value == 42);
    sonde_regression_fini(r);
}

/* ---- load tests ---- */

static void make(uint64_t rate, int64_t latency_us, uint64_t seed, struct sonde_load_result *ret)
{
    const struct made_options options = {
        .seconds = 20, .rate = rate, .latency_us = latency_us, .seed = seed};
    assert_int_equal(made_result(&options, ret, NULL), 0);
    ret->validity.valid = true;
    assert_int_equal(sonde_load_result_weigh(ret, NULL), 0);
}

static void load_tests_are_compared_by_their_quantiles(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int slower = 0; slower < 2; slower++) {
        struct sonde_load_result now;
        struct sonde_regression *r = begin(0, 1);
        make(200, slower ? 4000 : 2000, seed++, &now);
        assert_int_equal(sonde_regression_load_begin(r, &now, NULL), 0);
        for (int i = 0; i < 5; i++) {
            struct sonde_load_result other;
            make(200, 2000, seed++, &other);
            assert_true(sonde_regression_load_add(r, &now, &other));
            other.asked.pipelining++; /* another load, or one that cannot be believed */
            assert_false(sonde_regression_load_add(r, &now, &other));
            other.asked.pipelining--;
            other.validity.valid = false;
            assert_false(sonde_regression_load_add(r, &now, &other));
            sonde_load_result_fini(&other);
        }
        assert_int_equal(r->runs, 5);
        sonde_regression_judge(r);
        if (r->worse != slower) {
            fail_msg("%s", r->message);
        }
        assert_true(r->measures[0].told && r->measures[2].told);
        assert_int_equal(r->measures[0].worse, slower);
        sonde_regression_fini(r);
        sonde_load_result_fini(&now);
    }
}

/* A search that breaks at this rate, and keeps half of it. */
static void look_for(int64_t breaks, struct sonde_load_search *search,
                     struct sonde_load_result *result)
{
    const struct sonde_rate_search plan = {
        .start_rate = breaks / 2, .max_rate = 100000, .trial_seconds = 30, .precision_percent = 5};
    int64_t rate;
    int64_t seconds;
    sonde_load_search_init(search, &plan);
    while (sonde_load_search_next(search, &rate, &seconds)) {
        const struct sonde_load_trial trial = {
            .rate = rate, .seconds = seconds, .keeps = rate < breaks, .valid = true};
        sonde_load_search_take(search, &trial);
    }
    search->plan.start_rate = 10; /* of all the same */
    result->search = search;
    result->asked.arrival.rate = breaks;
}

/* The rates that were found differ, and so do the loads: it is what is compared. */
static void searches_are_compared_by_the_rate_that_they_found(void **state)
{
    (void)state;
    for (int slower = 0; slower < 2; slower++) {
        static struct sonde_load_search searches[2];
        struct sonde_load_result now;
        struct sonde_load_result other;
        struct sonde_regression *r = begin(0, 1);
        make(50, 2000, 1, &now);
        make(50, 2000, 2, &other);
        look_for(slower ? 500 : 1010, &searches[0], &now);
        look_for(1000, &searches[1], &other);
        assert_int_equal(sonde_regression_load_begin(r, &now, NULL), 0);
        for (int i = 0; i < 3; i++) {
            assert_true(sonde_regression_load_add(r, &now, &other));
        }
        sonde_regression_judge(r);
        assert_true(r->compared);
        if (r->worse != slower) {
            fail_msg("%s", r->message);
        }
        assert_true(!slower || strstr(r->message, "the highest rate is 5"));
        assert_int_equal(r->count, 1);
        other.asked.pipelining++; /* another load, another plan, and none at all */
        assert_non_null(sonde_load_differs(&now, &other));
        other.asked.pipelining--;
        assert_null(sonde_load_differs(&now, &other));
        searches[1].plan.trial_seconds = 60;
        assert_string_equal(sonde_load_differs(&now, &other),
                            "what is searched, and by which thresholds");
        other.search = NULL;
        assert_non_null(sonde_load_differs(&now, &other));
        sonde_regression_fini(r);
        sonde_load_result_fini(&now);
        sonde_load_result_fini(&other);
    }
}

static void what_was_asked_otherwise_is_named(void **state)
{
    (void)state;
    struct sonde_load_result now;
    struct sonde_load_result other;
    make(50, 2000, 1, &now);
    make(50, 2000, 2, &other);
    assert_null(sonde_load_differs(&now, &other)); /* the seed is another one */
    other.asked.timeout_ns++;
    assert_string_equal(sonde_load_differs(&now, &other), "the timeout");
    other.asked.timeout_ns--;
    other.asked.warm_up_seconds++;
    assert_string_equal(sonde_load_differs(&now, &other), "the warm-up");
    other.asked.warm_up_seconds--;
    other.asked.arrival.amount = 5;
    assert_string_equal(sonde_load_differs(&now, &other), "how long it goes on");
    other.asked.pipelining++;
    assert_string_equal(sonde_load_differs(&now, &other), "the load");
    static const struct {
        const char *a, *b;
        bool same;
    } urls[] = {{"http://a:1/x?y", "https://b/x?y", true},
                {"http://a:1/x", "http://a:1/z", false},
                {"http://a", "http://a:2/", true},
                {"http://a/?q", "http://a", false}};
    for (size_t i = 0; i < SONDE_LENGTH(urls); i++) {
        now.asked.url = urls[i].a;
        other.asked.url = urls[i].b;
        assert_int_equal(sonde_load_is_same_path(&now.asked, &other.asked), urls[i].same);
    }
    sonde_load_result_fini(&now);
    sonde_load_result_fini(&other);
}

static void a_history_has_a_bound(void **state)
{
    (void)state;
    struct sonde_load_result now;
    struct sonde_regression *r = begin(0, 1);
    make(50, 2000, 1, &now);
    assert_int_equal(sonde_regression_load_begin(r, &now, NULL), 0);
    for (int i = 0; i < SONDE_REGRESSION_HISTORY_MAX; i++) {
        assert_true(sonde_regression_load_add(r, &now, &now));
    }
    assert_false(sonde_regression_load_add(r, &now, &now));
    sonde_regression_judge(r);
    assert_false(r->worse);
    sonde_regression_fini(r);
    sonde_load_result_fini(&now);
}

static void measures_have_a_bound(void **state)
{
    (void)state;
    struct sonde_regression *r = begin(1, 1);
    char name[SONDE_REGRESSION_NAME_MAX + 10];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    memcpy(name + SONDE_REGRESSION_NAME_MAX - 2, "é", strlen("é")); /* would be cut in two */
    for (int i = 0; i < SONDE_REGRESSION_MEASURES_MAX; i++) {
        (void)add(r, name, SONDE_REGRESSION_BUSY, 0.1, 0.2);
    }
    assert_null(sonde_regression_add(r, "more", SONDE_REGRESSION_BUSY));
    assert_true(sonde_utf8_valid(sonde_str(r->measures[0].name)));
    sonde_regression_judge(r);
    assert_true(r->worse && strlen(r->message) < sizeof(r->message));
    assert_true(sonde_utf8_valid(sonde_str(r->message)));
    sonde_regression_fini(r);
}

/* ---- said ---- */

static void it_is_json_and_text(void **state)
{
    (void)state;
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 16);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    SONDE_JSON_AUTO *read = NULL;
    struct sonde_regression *r = begin(7, 7);
    (void)add(r, "load\x1bVisits", SONDE_REGRESSION_BUSY, 0.2, 0.3);
    (void)add(r, "p50", SONDE_REGRESSION_TIME, 10000, 10000);
    (void)add(r, "p90", SONDE_REGRESSION_TIME, 10000, 9000);
    (void)add(r, "p99", SONDE_REGRESSION_TIME, 10000, 10400);
    sonde_regression_judge(r);
    sonde_regression_json(r, &json);
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &read, NULL), 0);
    const cJSON *measures = cJSON_GetObjectItemCaseSensitive(read, "measures");
    assert_int_equal(cJSON_GetArraySize(measures), 4);
    const cJSON *first = cJSON_GetArrayItem(measures, 0);
    assert_string_equal(sonde_json_string_or(first, "unit", ""), "share of busy time");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(first, "worse")));
    assert_true(fabs(sonde_json_number_or(first, "change", 0) - 0.1) < 1e-6);
    assert_true(fabs(sonde_json_number_or(cJSON_GetArrayItem(measures, 2), "relativeChange", 0) +
                     0.1) < 1e-6);
    sonde_regression_text(r, &text);
    assert_null(strchr(text.data, '\x1b'));
    assert_true(
        sonde_str_starts(sonde_buf_view(&text), "REGRESSION: load?Visits takes 10 points") ||
        sonde_str_starts(sonde_buf_view(&text), "REGRESSION: load"));
    static const char *const lines[] = {": worse\n", ": may be chance\n", ": better\n",
                                        ": too little to matter, or chance among so many\n"};
    for (size_t i = 0; i < SONDE_LENGTH(lines); i++) {
        assert_non_null(strstr(text.data, lines[i]));
    }
    sonde_regression_fini(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(students_t_is_as_tables_have_it),
        cmocka_unit_test(no_chance_is_below_none),
        cmocka_unit_test(what_got_worse_is_said_with_its_interval),
        cmocka_unit_test(each_unit_has_its_direction),
        cmocka_unit_test(what_does_not_matter_is_not_worse),
        cmocka_unit_test(many_measures_need_to_be_surer),
        cmocka_unit_test(noise_widens_the_interval),
        cmocka_unit_test(the_reference_is_what_was_asked_for),
        cmocka_unit_test(quiet_nights_are_not_flagged_and_slow_ones_are),
        cmocka_unit_test(quiet_nights_of_one_window_are_not_called_worse),
        cmocka_unit_test(the_error_of_a_share_is_that_of_its_windows_when_they_tell),
        cmocka_unit_test(runs_of_which_nothing_is_there_are_left_out),
        cmocka_unit_test(load_tests_are_compared_by_their_quantiles),
        cmocka_unit_test(searches_are_compared_by_the_rate_that_they_found),
        cmocka_unit_test(what_was_asked_otherwise_is_named),
        cmocka_unit_test(a_history_has_a_bound),
        cmocka_unit_test(measures_have_a_bound),
        cmocka_unit_test(it_is_json_and_text),
    };
    return cmocka_run_group_tests_name("regression", tests, NULL, NULL);
}
