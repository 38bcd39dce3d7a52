/* SPDX-License-Identifier: Apache-2.0 */
/* Load tests in a store, held against one another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "heap_runs.h"
#include "results/checks.h"
#include "results/regression.h"
#include "spec/reason.h"
#include "unit/load/made.h"

/* A load test of the store, in the order of their numbers. */
struct made_run {
    unsigned number;
    int64_t latency_us;
    bool invalid;
    struct sonde_load_search *search; /* NULL: it is none */
    const char *reason;               /* that it failed for; NULL: it succeeded */
};

static void put(struct heap_runs *runs, const struct made_run *from, char ret[SONDE_UUID_SIZE])
{
    struct sonde_err err = {0};
    struct sonde_load_result result;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_RESULT_MAX);
    const struct made_options options = {
        .seconds = 20, .rate = 100, .latency_us = from->latency_us, .seed = from->number};
    REQUIRE_DONE(made_result(&options, &result, &err), &err);
    result.validity.valid = !from->invalid;
    result.search = from->search;
    result.profile_count = 0;
    REQUIRE_DONE(sonde_load_result_write(&result, &text, &err), &err);
    sonde_load_result_fini(&result);
    make_uid(from->number, ret);
    REQUIRE_DONE(add_run(runs->db, ret, "main", from->number, &err), &err);
    heap_runs_add(runs, ret,
                  &(struct sonde_artifact){
                      .name = "load.0", .capture = "load", .type = SONDE_ARTIFACT_LOAD_RESULT},
                  sonde_buf_view(&text));
    struct sonde_run run = {.state = from->reason ? SONDE_RUN_FAILED : SONDE_RUN_SUCCEEDED,
                            .reason = from->reason ? from->reason : SONDE_REASON_COMPLETED,
                            .message = "",
                            .completed_ns = from->number};
    memcpy(run.uid, ret, sizeof(run.uid));
    REQUIRE_DONE(sonde_db_run_update(runs->db, &run, &err), &err);
}

static void compare(struct heap_runs *runs, const char *uid, struct sonde_regression *ret)
{
    static const struct sonde_results_baseline last = {.strategy = SONDE_BASELINE_LAST_GOOD};
    struct sonde_err err = {0};
    REQUIRE_DONE(sonde_results_regression(runs->db, uid, &last, ret, &err), &err);
}

/* One in which the service, and the generator, are too slow from these rates on. */
static void look_for(int64_t service, int64_t generator, struct sonde_load_search *ret)
{
    static const struct sonde_rate_search plan = {
        .start_rate = 50, .max_rate = 100000, .trial_seconds = 30, .precision_percent = 5};
    int64_t rate;
    int64_t seconds;
    sonde_load_search_init(ret, &plan);
    while (sonde_load_search_next(ret, &rate, &seconds)) {
        const struct sonde_load_trial trial = {
            .rate = rate, .seconds = seconds, .keeps = rate < service, .valid = rate < generator};
        sonde_load_search_take(ret, &trial);
    }
}

/* What a slow generator has found is not the highest rate. */
static void a_slow_generator_is_no_regression(void **state)
{
    struct heap_runs *runs = *state;
    static struct sonde_load_search search;
    static const struct {
        int64_t service, generator;
        bool compared, worse;
    } table[] = {{1010, 100000, true, false},
                 {500, 100000, true, true},
                 {100000, 500, false, false},
                 {300000, 300000, true, false}};
    char uid[SONDE_UUID_SIZE];
    look_for(1000, 100000, &search);
    put(runs, &(struct made_run){.number = 10, .latency_us = 2000, .search = &search}, uid);
    for (unsigned i = 0; i < SONDE_LENGTH(table); i++) {
        struct sonde_regression regression;
        look_for(table[i].service, table[i].generator, &search);
        put(runs,
            &(struct made_run){
                .number = 20 + i, .latency_us = 2000, .search = &search, .reason = "Because"},
            uid);
        compare(runs, uid, &regression);
        if (regression.compared != table[i].compared || regression.worse != table[i].worse) {
            fail_msg("%u: %s", i, regression.message);
        }
        assert_int_equal(strstr(regression.message, "the generator was too slow") == NULL,
                         table[i].compared);
        sonde_regression_fini(&regression);
    }
}

static void what_cannot_be_believed_is_not_compared(void **state)
{
    struct heap_runs *runs = *state;
    struct sonde_regression regression;
    char uid[SONDE_UUID_SIZE];
    put(runs, &(struct made_run){.number = 10, .latency_us = 2000}, uid);
    put(runs, &(struct made_run){.number = 11, .latency_us = 8000, .reason = "Because"}, uid);
    compare(runs, uid, &regression);
    assert_true(regression.worse);
    sonde_regression_fini(&regression);
    put(runs,
        &(struct made_run){
            .number = 12, .latency_us = 8000, .invalid = true, .reason = SONDE_REASON_INVALID},
        uid);
    compare(runs, uid, &regression);
    assert_false(regression.compared || regression.worse);
    assert_string_equal(regression.message, "not compared: the test cannot be believed");
    sonde_regression_fini(&regression);
}

/* Its last trial may have kept all thresholds. */
static void a_search_without_a_rate_has_failed(void **state)
{
    struct heap_runs *runs = *state;
    struct sonde_err err = {0};
    static const struct sonde_results_checks_wanted thresholds = {.budget = NULL};
    for (int found = 0; found < 2; found++) {
        static struct sonde_load_search search;
        struct sonde_checks checks;
        char uid[SONDE_UUID_SIZE];
        look_for(1000, 100000, &search);
        search.count = found ? search.count : 0;
        put(runs,
            &(struct made_run){.number = found ? 10 : 11,
                               .latency_us = 2000,
                               .search = &search,
                               .reason = found ? NULL : SONDE_REASON_THRESHOLD_BROKEN},
            uid);
        sonde_checks_init(&checks);
        REQUIRE_DONE(sonde_results_checks(runs->db, uid, &thresholds, &checks, &err), &err);
        assert_int_equal(sonde_checks_verdict(&checks),
                         found ? SONDE_CHECK_KINDS : SONDE_CHECK_THRESHOLD);
        sonde_checks_fini(&checks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_slow_generator_is_no_regression, heap_runs_setup,
                                        heap_runs_teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_believed_is_not_compared, heap_runs_setup,
                                        heap_runs_teardown),
        cmocka_unit_test_setup_teardown(a_search_without_a_rate_has_failed, heap_runs_setup,
                                        heap_runs_teardown),
    };
    return cmocka_run_group_tests_name("baseline", tests, NULL, NULL);
}
