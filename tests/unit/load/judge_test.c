/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "load/judge.h"

/* 99 answers after 10 ms, the last of them a 500, sent 1 ms late; one timeout of 100 ms, one reset;
 * two that were never sent. */
static void make(struct sonde_load_tally *ret)
{
    assert_int_equal(sonde_load_tally_init(ret, NULL), 0);
    const struct sonde_load_times times = {0, SONDE_MILLISECOND};
    for (int i = 0; i < 101; i++) {
        sonde_load_tally_sent(ret, &times);
    }
    for (int i = 0; i < 99; i++) {
        sonde_load_tally_answered(ret, &times, 10 * SONDE_MILLISECOND, i == 98 ? 500 : 200);
    }
    sonde_load_tally_failed(ret, &times, 100 * SONDE_MILLISECOND, SONDE_LOAD_TIMEOUT);
    sonde_load_tally_failed(ret, &times, 20 * SONDE_MILLISECOND, SONDE_LOAD_RESET);
    ret->bytes_read = 5000;
    ret->bytes_written = 3000;
}

static double statistic_of(const char *text, const struct sonde_load_tally *tally)
{
    struct sonde_threshold threshold;
    assert_int_equal(sonde_threshold_parse(sonde_str(text), &threshold, NULL), 0);
    return sonde_load_statistic(&threshold, tally, 2);
}

static bool keeps(const char *text, const struct sonde_load_tally *tally)
{
    struct sonde_threshold threshold;
    assert_int_equal(sonde_threshold_parse(sonde_str(text), &threshold, NULL), 0);
    return sonde_load_keeps(&threshold, sonde_load_statistic(&threshold, tally, 2));
}

static void statistics_are_in_their_units(void **state)
{
    (void)state;
    struct sonde_load_tally tally;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"http_req_duration: med<1", 10},     {"http_req_duration: p(99)<1", 10},
        {"http_req_duration: p(100)<1", 100}, {"http_req_duration: max<1", 100},
        {"http_req_duration: min<1", 10},     {"http_req_duration: avg<1", 10.9},
        {"http_req_service: med<1", 9},       {"http_req_service: p(100)<1", 99},
        {"http_req_send_lag: max<1", 1},      {"http_req_failed: rate<1", 3 / 101.0},
        {"http_reqs: count<1", 99},           {"http_reqs: rate<1", 49.5},
        {"dropped_requests: count<1", 2},     {"data_received: count<1", 5000},
        {"data_sent: rate<1", 1500},
    };
    make(&tally);
    tally.unsent = 2;
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        double value = statistic_of(cases[i].text, &tally);
        if (!(fabs(value - cases[i].value) <= 0.002 * cases[i].value)) {
            fail_msg("%s is %g instead of %g", cases[i].text, value, cases[i].value);
        }
    }
    assert_true(keeps("http_req_duration: p(90)<11", &tally));
    assert_false(keeps("http_req_duration: p(90)<9", &tally));
    assert_true(keeps("http_req_failed: rate<0.03", &tally));
    sonde_load_tally_fini(&tally);
}

static void what_was_not_measured_keeps_nothing(void **state)
{
    (void)state;
    struct sonde_load_tally tally;
    assert_int_equal(sonde_load_tally_init(&tally, NULL), 0);
    assert_false(keeps("http_req_duration: p(99)<250", &tally));
    assert_false(keeps("http_req_duration: p(99)!=250", &tally));
    assert_false(keeps("http_req_failed: rate<1", &tally));
    assert_false(keeps("http_reqs: count>0", &tally));
    assert_true(keeps("dropped_requests: count==0", &tally));
    sonde_load_tally_fini(&tally);
}

/* Of ten requests, nine have an answer after 1 to 9 ms, and one has none after 100. */
static void what_has_no_answer_holds_nothing_from_above(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool bound, keeps;
    } cases[] = {
        {"http_req_duration: p(90)<10", false, true},
        {"http_req_duration: p(90)<9", false, false},
        {"http_req_duration: p(91)<1000", true, false},
        {"http_req_duration: p(91)<=1000", true, false},
        {"http_req_duration: p(91)!=5", true, false},
        {"http_req_duration: p(91)>50", true, true},
        {"http_req_duration: p(91)>500", true, false},
        {"http_req_duration: max<1000", true, false},
        {"http_req_duration: med<1000", false, true},
        {"http_req_duration: min<1000", false, true},
        {"http_req_duration: avg<1000", false, true},
        {"http_req_service: max<1000", true, false},
        {"http_req_send_lag: max<1000", false, true},
        {"http_req_failed: rate<0.5", false, true},
    };
    struct sonde_load_tally tally;
    assert_int_equal(sonde_load_tally_init(&tally, NULL), 0);
    for (int i = 1; i <= 10; i++) {
        const struct sonde_load_times times = {0, 0};
        sonde_load_tally_sent(&tally, &times);
        if (i < 10) {
            sonde_load_tally_answered(&tally, &times, i * SONDE_MILLISECOND, 200);
        } else {
            sonde_load_tally_failed(&tally, &times, 100 * SONDE_MILLISECOND, SONDE_LOAD_TIMEOUT);
        }
    }
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_load_verdict verdict = {.text = cases[i].text};
        assert_int_equal(sonde_threshold_parse(sonde_str(cases[i].text), &verdict.threshold, NULL),
                         0);
        bool keeps = sonde_load_judge(&verdict, 1, &tally, 1);
        if (keeps != cases[i].keeps ||
            sonde_load_is_bound(&verdict.threshold, &tally) != cases[i].bound) {
            fail_msg("%s: keeps %d", cases[i].text, keeps);
        }
    }
    sonde_load_tally_fini(&tally);
}

static void tallies_add_up(void **state)
{
    (void)state;
    struct sonde_load_tally sum;
    struct sonde_load_tally part;
    make(&sum);
    make(&part);
    sonde_load_tally_unsent(&part, 0, 30 * SONDE_MILLISECOND);
    sonde_load_tally_censored(&part, &(struct sonde_load_times){0, 0}, SONDE_SECOND);
    sonde_load_tally_add(&sum, &part);
    assert_int_equal(sum.sent, 202);
    assert_int_equal(sum.answered, 198);
    assert_int_equal(sum.failed, 4);
    assert_int_equal(sum.censored, 1);
    assert_int_equal(sum.unsent, 1);
    assert_int_equal(sum.statuses[500], 2);
    assert_int_equal(sum.errors[SONDE_LOAD_RESET], 2);
    assert_int_equal(sum.response.total, 100 + 102);
    assert_int_equal(sum.service.total, 198 + 3);
    assert_int_equal(sum.send_lag.total, 202 + 1);
    assert_int_equal(sum.wrong, 2);
    sonde_load_tally_clear(&part);
    assert_int_equal(part.sent + part.answered + part.response.total, 0);
    sonde_load_tally_add(&sum, &part);
    assert_int_equal(sum.sent, 202);
    sonde_load_tally_fini(&part);
    sonde_load_tally_fini(&sum);
}

/* Of the requests of one name. */
static void thresholds_are_of_parts(void **state)
{
    (void)state;
    static const struct sonde_load_label labels[] = {{SONDE_LOAD_OF_NAME, "slow"},
                                                     {SONDE_LOAD_OF_NAME, "never"},
                                                     {SONDE_LOAD_OF_ADDRESS, "10.0.0.7:80"}};
    static const struct {
        const char *text;
        bool keeps;
        const char *refused; /* NULL: it can be judged */
    } cases[] = {
        {"http_req_duration{name:slow}: max<60", true, NULL},
        {"http_req_duration: max<60", false, NULL},
        {"http_req_failed{name:never}: rate<1", false, NULL}, /* nothing was measured */
        {"http_reqs{name:fast}: count>0", false,
         "the threshold http_reqs{name:fast}: count>0: there is no request of name:fast"},
        {"http_reqs{pod:a}: count>0", false,
         "the threshold http_reqs{pod:a}: count>0: there is no request of pod:a"},
        {"data_sent{name:slow}: count>0", false,
         "the threshold data_sent{name:slow}: count>0: that is counted of all requests only: "
         "leave {…} out"},
    };
    struct sonde_load_tally all;
    const struct sonde_load_times times = {0, 0};
    make(&all);
    assert_int_equal(sonde_load_tally_divide(&all, labels, SONDE_LENGTH(labels), NULL), 0);
    sonde_load_tally_answered(&all.parts[0], &times, 50 * SONDE_MILLISECOND, 200);
    sonde_load_tally_answered(&all.parts[2], &times, 50 * SONDE_MILLISECOND, 200);
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_load_verdict verdict = {.text = cases[i].text};
        struct sonde_err err = {0};
        assert_int_equal(sonde_threshold_parse(sonde_str(cases[i].text), &verdict.threshold, NULL),
                         0);
        int r = sonde_load_check_threshold(&verdict, labels, SONDE_LENGTH(labels), &err);
        assert_int_equal(r, cases[i].refused ? SONDE_EINVALID : 0);
        assert_string_equal(err.message, cases[i].refused ? cases[i].refused : "");
        assert_int_equal(sonde_load_judge(&verdict, 1, &all, 2), cases[i].keeps);
    }
    sonde_load_tally_fini(&all);
}

static void each_threshold_is_judged_once(void **state)
{
    (void)state;
    const char *const kept[] = {"http_req_failed: rate<0.5", "http_req_duration: p(50)<10"};
    const char *const ending[] = {"http_req_duration: p(50)<10", "http_reqs: count>0"};
    const struct sonde_load_test test = {.thresholds = {kept, 2}, .abort_on_fail = {ending, 2}};
    struct sonde_load_verdict verdicts[3];
    struct sonde_err err;
    size_t count = 7;
    assert_int_equal(sonde_load_verdicts_of(&test, 3, verdicts, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_false(verdicts[0].aborts);
    assert_true(verdicts[1].aborts);
    assert_true(verdicts[2].aborts);
    assert_ptr_equal(verdicts[2].text, ending[1]);
    assert_int_equal(sonde_load_verdicts_of(&test, 2, verdicts, &count, &err), SONDE_ELIMIT);
    assert_string_equal(err.message, "more than 2 thresholds");
}

static void only_a_broken_one_ends_the_test(void **state)
{
    (void)state;
    struct sonde_load_tally tally;
    struct sonde_err err;
    assert_int_equal(sonde_load_tally_init(&tally, &err), 0);
    struct sonde_load_verdict verdicts[] = {{.keeps = false}, {.keeps = true, .aborts = true}};
    assert_false(sonde_load_aborts(verdicts, 2, &tally));
    verdicts[1].keeps = false;
    assert_true(sonde_load_aborts(verdicts, 2, &tally));
    /* Nothing was answered yet: it may come. When nothing can be sent, it will not. */
    verdicts[1].statistic = NAN;
    assert_true(sonde_load_aborts(verdicts, 2, &tally));
    tally.sent = 1;
    sonde_load_verdicts_renew(verdicts, 2);
    assert_false(sonde_load_aborts(verdicts, 2, &tally));
    sonde_load_tally_fini(&tally);
}

/* Answers that were under way then may well be good ones. */
static void what_has_ended_the_test_is_not_kept_by_what_comes_after(void **state)
{
    (void)state;
    const char *const text = "http_req_failed: rate<0.5";
    const struct sonde_load_test test = {.abort_on_fail = {&text, 1}};
    struct sonde_load_tally tally;
    struct sonde_load_verdict verdict;
    struct sonde_err err;
    size_t count;
    assert_int_equal(sonde_load_verdicts_of(&test, 1, &verdict, &count, &err), 0);
    assert_int_equal(sonde_load_tally_init(&tally, &err), 0);
    tally.sent = 20;
    tally.answered = tally.failed = 4;
    assert_false(sonde_load_judge(&verdict, 1, &tally, 1));
    assert_true(sonde_load_aborts(&verdict, 1, &tally));
    tally.answered = 16;
    assert_false(sonde_load_judge(&verdict, 1, &tally, 2));
    assert_true(sonde_load_aborts(&verdict, 1, &tally));
    assert_false(verdict.keeps);
    assert_true(fabs(verdict.statistic - 0.5) < 1e-9); /* that it was then */
    sonde_load_verdicts_renew(&verdict, 1);
    assert_true(sonde_load_judge(&verdict, 1, &tally, 2));
    assert_false(sonde_load_aborts(&verdict, 1, &tally));
    sonde_load_tally_fini(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_are_in_their_units),
        cmocka_unit_test(what_was_not_measured_keeps_nothing),
        cmocka_unit_test(what_has_no_answer_holds_nothing_from_above),
        cmocka_unit_test(tallies_add_up),
        cmocka_unit_test(thresholds_are_of_parts),
        cmocka_unit_test(each_threshold_is_judged_once),
        cmocka_unit_test(only_a_broken_one_ends_the_test),
        cmocka_unit_test(what_has_ended_the_test_is_not_kept_by_what_comes_after),
    };
    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
