/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "load/validity.h"

/* Of ten seconds and two threads. */
struct given {
    uint64_t answered, sent, unsent, late;
    double cpu_s, throttled_s;
    const char *reason; /* a part of it; NULL: valid */
};

static void what_makes_a_test_invalid(void **state)
{
    (void)state;
    static const struct given cases[] = {
        {1000, 1000, 0, 0, 1, 0, NULL},
        {1000, 1000, 10, 10, 17, 0.09, NULL},
        {0, 1000, 0, 0, 1, 0, "nothing was answered"},
        {1000, 1000, 0, 0, 1, 0.2, "throttled for 2.0 %"},
        {1000, 1000, 0, 0, 19, 0, "used 95 % of a CPU each"},
        {1000, 1000, 50, 0, 1, 0, "4.8 % of the requests could not be sent"},
        {1000, 1000, 0, 20, 1, 0, "2.0 % of the requests were sent more than 1 ms late"},
        {0, 0, 0, 0, 0, 0, "nothing was answered"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        const struct given *given = &cases[i];
        const struct sonde_load_plan plan = {.threads = 2};
        const struct sonde_load_outcome outcome = {
            .duration_ns = 10 * SONDE_SECOND,
            .cpu_ns = (int64_t)(given->cpu_s * 1e9),
            .tally = {.answered = given->answered,
                      .sent = given->sent,
                      .unsent = given->unsent,
                      .late = given->late},
        };
        struct sonde_load_validity validity;
        sonde_load_validate(&plan, &outcome, (int64_t)(given->throttled_s * 1e9), &validity);
        assert_int_equal(validity.valid, !given->reason);
        if (given->reason && !strstr(validity.reason, given->reason)) {
            fail_msg("%s has no %s", validity.reason, given->reason);
        }
        assert_true(given->reason || !validity.reason[0]);
    }
}

static void why_nothing_was_answered(void **state)
{
    (void)state;
    const struct sonde_load_plan plan = {.threads = 1};
    struct sonde_load_outcome outcome = {.duration_ns = SONDE_SECOND};
    struct sonde_load_validity validity;
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        char expected[256];
        outcome.tally.errors[i] = (uint64_t)i + 70;
        (void)snprintf(expected, sizeof(expected), "nothing was answered: %d %s (%s)", i + 70,
                       sonde_load_error_name((enum sonde_load_error)i),
                       sonde_load_error_cause((enum sonde_load_error)i));
        sonde_load_validate(&plan, &outcome, 0, &validity);
        assert_string_equal(validity.reason, expected);
    }
}

static void throttling_is_read_of_both_versions(void **state)
{
    (void)state;
    assert_int_equal(sonde_load_throttled_parse(SONDE_STR(
                         "usage_usec 5\nnr_periods 7\nnr_throttled 3\nthrottled_usec 1500\n")),
                     1500000);
    assert_int_equal(
        sonde_load_throttled_parse(SONDE_STR("nr_periods 7\nnr_throttled 3\nthrottled_time 42\n")),
        42);
    static const char *const none[] = {"", "throttled_usec", "throttled_usec -1\n",
                                       "throttled_usec 99999999999999999999\n", "x 1\n"};
    for (size_t i = 0; i < SONDE_LENGTH(none); i++) {
        assert_int_equal(sonde_load_throttled_parse(sonde_str(none[i])), 0);
    }
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    SONDE_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(sonde_write_all(fd, text, strlen(text), path, NULL), 0);
}

static void the_group_is_found(void **state)
{
    (void)state;
    static const char *const directories[] = {"own", "cpu", "cpu/v1"};
    static const char *const files[][2] = {
        {"v2", "0::/own\n"},
        {"v1", "5:cpuset:/x\n4:cpu,cpuacct:/v1\n"},
        {"root", "0::/elsewhere\n"},
        {"own/cpu.stat", "throttled_usec 2\n"},
        {"cpu/v1/cpu.stat", "throttled_time 7\n"},
        {"cpu.stat", "throttled_usec 1\n"},
    };
    char directory[] = "/tmp/sonde-groups-XXXXXX";
    char path[128];
    assert_non_null(mkdtemp(directory));
    for (size_t i = 0; i < SONDE_LENGTH(directories); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", directory, directories[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    for (size_t i = 0; i < SONDE_LENGTH(files); i++) {
        write_file(directory, files[i][0], files[i][1]);
    }
    static const int64_t expected[] = {2000, 7, 1000};
    for (size_t i = 0; i < SONDE_LENGTH(expected); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", directory, files[i][0]);
        assert_int_equal(sonde_load_throttled(path, directory), expected[i]);
    }
    assert_int_equal(sonde_load_throttled("/nonexistent", directory), 0);
    for (size_t i = 0; i < SONDE_LENGTH(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", directory, files[i][0]);
        assert_int_equal(unlink(path), 0);
    }
    for (size_t i = SONDE_LENGTH(directories); i > 0; i--) {
        (void)snprintf(path, sizeof(path), "%s/%s", directory, directories[i - 1]);
        assert_int_equal(rmdir(path), 0);
    }
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_makes_a_test_invalid),
        cmocka_unit_test(why_nothing_was_answered),
        cmocka_unit_test(throttling_is_read_of_both_versions),
        cmocka_unit_test(the_group_is_found),
    };
    return cmocka_run_group_tests_name("validity", tests, NULL, NULL);
}
