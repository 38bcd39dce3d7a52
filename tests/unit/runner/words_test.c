/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "load/tally_json.h"
#include "runner/runner.h"

static const struct settings settings = {
    .target = "runner-2", .number = 2, .pod = "pod-\"b\"", .node = "node-a"};

static void ready_names_what_is_told_apart(void **state)
{
    (void)state;
    static struct work work = {
        .labels = {{SONDE_LOAD_OF_NAME, "one"}, {SONDE_LOAD_OF_ADDRESS, "pod-x"}},
        .plan.label_count = 2};
    const struct store_clock clock = {.offset_ns = sonde_clock_realtime() -
                                                   sonde_clock_monotonic() + 5 * SONDE_SECOND,
                                      .uncertainty_ns = 250000};
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    SONDE_JSON_AUTO *json = NULL;
    print_ready(&settings, &work, 3, &clock, &text);
    assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &json, NULL), 0);
    assert_int_equal(sonde_json_integer_or(json, "round", -1), 3);
    assert_int_equal(sonde_json_integer_or(json, "uncertainty", -1), 250);
    /* The realtime clock may be set meanwhile, but not by seconds. */
    assert_in_range(sonde_json_integer_or(json, "offset", -1), 4000000, 6000000);
    assert_string_equal(sonde_json_string_or(json, "pod", ""), "pod-\"b\"");
    assert_string_equal(sonde_json_string_or(json, "node", ""), "node-a");
    const cJSON *labels = cJSON_GetObjectItem(json, "labels");
    assert_int_equal(cJSON_GetArraySize(labels), 2);
    const cJSON *second = cJSON_GetArrayItem(labels, 1);
    assert_string_equal(sonde_json_string_or(second, "kind", ""), "address");
    assert_string_equal(sonde_json_string_or(second, "text", ""), "pod-x");
}

static void an_interval_is_read_back(void **state)
{
    (void)state;
    struct sonde_load_tally tally;
    struct sonde_load_tally back;
    const struct sonde_load_times times = {.intended_ns = 1000, .sent_ns = 2000};
    assert_int_equal(sonde_load_tally_init(&tally, NULL), 0);
    assert_int_equal(sonde_load_tally_init(&back, NULL), 0);
    sonde_load_tally_sent(&tally, &times);
    sonde_load_tally_answered(&tally, &times, 5000000, 200);
    for (int late = -1; late < 8000; late += 8000) {
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
        SONDE_JSON_AUTO *json = NULL;
        assert_int_equal(print_interval(1, 7, 2000300000, late < 0, late, &tally, &text, NULL), 0);
        assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &json, NULL), 0);
        assert_int_equal(sonde_json_integer_or(json, "round", -1), 1);
        assert_int_equal(sonde_json_integer_or(json, "sequence", -1), 7);
        assert_int_equal(sonde_json_integer_or(json, "end", -1), 2000300);
        assert_int_equal(sonde_json_true(json, "warmUp"), late < 0);
        assert_int_equal(sonde_json_integer_or(json, "started", -1), late < 0 ? -1 : 7);
        sonde_load_tally_clear(&back);
        assert_int_equal(sonde_load_tally_read(cJSON_GetObjectItem(json, "tally"), &back, NULL), 0);
        assert_int_equal(back.answered, 1);
        assert_int_equal(back.response.total, 1);
    }
    sonde_load_tally_fini(&tally);
    sonde_load_tally_fini(&back);
}

/* Only what this runner alone can know. */
static void a_runner_says_why_it_is_not_to_be_believed(void **state)
{
    (void)state;
    const struct sonde_load_plan plan = {.connections = 10, .threads = 2, .runners = 3};
    const struct {
        uint64_t sent, late;
        int64_t throttled_ns, cpu_ns;
        const char *said; /* NULL: nothing */
    } cases[] = {
        {1000, 10, 100000000, 17 * SONDE_SECOND, NULL},
        {1000, 10, 100000001, 0, "throttled"},
        {1000, 10, 0, 18 * SONDE_SECOND + 10000000, "spec.parallelism"},
        {1000, 11, 0, 0, "node-a is too busy"},
        {0, 0, 0, 0, NULL},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        const struct sonde_load_outcome outcome = {
            .tally = {.sent = cases[i].sent, .late = cases[i].late},
            .duration_ns = 10 * SONDE_SECOND,
            .cpu_ns = cases[i].cpu_ns};
        const struct account account = {.round = 2,
                                        .intervals = 10,
                                        .plan = &plan,
                                        .outcome = &outcome,
                                        .throttled_ns = cases[i].throttled_ns,
                                        .settings = &settings};
        char reason[400];
        SONDE_BUF_AUTO text = SONDE_BUF(4096);
        SONDE_JSON_AUTO *json = NULL;
        assert_int_equal(find_invalid(&account, reason, sizeof(reason)), cases[i].said != NULL);
        print_done(&account, &text);
        assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &json, NULL), 0);
        assert_int_equal(sonde_json_integer_or(json, "sent", -1), cases[i].sent);
        assert_int_equal(sonde_json_integer_or(json, "round", -1), 2);
        assert_int_equal(sonde_json_integer_or(json, "intervals", -1), 10);
        assert_int_equal(sonde_json_integer_or(json, "threads", -1), 2);
        assert_int_equal(sonde_json_integer_or(json, "connections", -1), 4);
        assert_int_equal(sonde_json_integer_or(json, "durationMicroseconds", -1), 10000000);
        const char *said = sonde_json_string_or(json, "invalid", "");
        assert_true(cases[i].said ? strstr(said, cases[i].said) != NULL : *said == '\0');
    }
}

/* Whatever happened, the message fits. */
static void the_end_is_short(void **state)
{
    (void)state;
    char message[SONDE_ERR_MESSAGE_MAX];
    memset(message, 1, sizeof(message) - 1);
    message[sizeof(message) - 1] = '\0';
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_UPLINK_MESSAGE_MAX);
    SONDE_JSON_AUTO *json = NULL;
    print_end("Failed", "Internal", message, &text);
    assert_int_equal(text.code, 0);
    assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &json, NULL), 0);
    assert_string_equal(sonde_json_string_or(json, "state", ""), "Failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_names_what_is_told_apart),
        cmocka_unit_test(an_interval_is_read_back),
        cmocka_unit_test(a_runner_says_why_it_is_not_to_be_believed),
        cmocka_unit_test(the_end_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
