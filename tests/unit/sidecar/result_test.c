/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"
#include "sidecar/sidecar.h"
#include "spec/reason.h"

static struct sonde_visit_result visit_of(pid_t pid)
{
    return (struct sonde_visit_result){.pid = pid,
                                       .node_version = "v22.1.0",
                                       .directory = "/app",
                                       .closed = true,
                                       .inspector_open_s = 2.5,
                                       .start_stall_ms = 40,
                                       .stop_stall_ms = 7,
                                       .artifacts = 2,
                                       .bytes = 1000};
}

static cJSON *parse(const struct sonde_buf *text)
{
    cJSON *json = NULL;
    assert_int_equal(text->code, 0);
    assert_int_equal(sonde_json_parse(sonde_buf_view(text), &json, NULL), 0);
    return json;
}

static const cJSON *process_of(const cJSON *json, int index)
{
    return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "processes"), index);
}

static void a_success_is_told_in_full_and_in_short(void **state)
{
    (void)state;
    struct result result;
    SONDE_BUF_AUTO whole = SONDE_BUF(64 << 10);
    SONDE_BUF_AUTO small = SONDE_BUF(SONDE_UPLINK_MESSAGE_MAX);
    result_init(&result);
    for (pid_t pid = 7; pid < 9; pid++) {
        struct sonde_visit_result visit = visit_of(pid);
        result_add(&result, &visit);
    }
    result_print(&result, &whole);
    result_print_short(&result, &small);
    SONDE_JSON_AUTO *full = parse(&whole);
    SONDE_JSON_AUTO *brief = parse(&small);
    const cJSON *const texts[] = {full, brief};
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        assert_string_equal(sonde_json_string_or(texts[i], "state", ""), "Succeeded");
        assert_string_equal(sonde_json_string_or(texts[i], "reason", ""), "Completed");
        assert_string_equal(sonde_json_string_or(texts[i], "message", "?"), "");
        assert_int_equal(sonde_json_integer_or(texts[i], "artifacts", -1), 4);
        assert_int_equal(sonde_json_integer_or(texts[i], "bytes", -1), 2000);
        assert_int_equal(sonde_json_integer_or(process_of(texts[i], 1), "pid", -1), 8);
        assert_null(process_of(texts[i], 2));
    }
    assert_true(sonde_json_true(process_of(full, 0), "inspectorClosed"));
    assert_string_equal(sonde_json_string_or(process_of(full, 0), "directory", ""), "/app");
    const cJSON *first = process_of(brief, 0);
    assert_string_equal(sonde_json_string_or(first, "nodeVersion", ""), "v22.1.0");
    assert_int_equal(sonde_json_integer_or(first, "inspectorOpenMilliseconds", -1), 2500);
    assert_int_equal(sonde_json_integer_or(first, "pauseMilliseconds", -1), 40);
    result_fini(&result);
}

/* Fills the message with a text again and again, cut wherever its room ends. */
static void fill(char *message, size_t size, const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i + 1 < size; i++) {
        message[i] = text[i % length];
    }
    message[size - 1] = '\0';
}

static void whatever_the_message_it_fits_and_is_json(void **state)
{
    (void)state;
    static const char *const texts[] = {"a",
                                        "\x01",
                                        "\"\\",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x90\x8c",
                                        "a\xe2\x82\xac",
                                        "ab\xf0\x9f\x90\x8c\n"};
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        for (int processes = 0; processes <= SIDECAR_PROCESSES_MAX;
             processes += SIDECAR_PROCESSES_MAX / 4) {
            struct result result;
            /* As main.c does it. */
            SONDE_BUF_AUTO buf = SONDE_BUF(2 * SONDE_UPLINK_MESSAGE_MAX);
            result_init(&result);
            for (int pid = 1; pid <= processes; pid++) {
                struct sonde_visit_result visit = visit_of(pid);
                result_add(&result, &visit);
            }
            result.state = "Failed";
            result.reason = SONDE_REASON_STORE_UNREACHABLE;
            fill(result.message, sizeof(result.message), texts[i]);
            result_print_short(&result, &buf);
            assert_true(buf.length <= SONDE_UPLINK_MESSAGE_MAX);
            assert_true(sonde_utf8_valid(sonde_buf_view(&buf)));
            SONDE_JSON_AUTO *json = parse(&buf);
            assert_string_equal(sonde_json_string_or(json, "reason", ""),
                                SONDE_REASON_STORE_UNREACHABLE);
            const char *message = sonde_json_string_or(json, "message", "");
            assert_true(strlen(message) >= 90); /* something of it is left */
            assert_memory_equal(message, result.message, strlen(message));
            assert_int_equal(sonde_json_integer_or(json, "artifacts", -1), 2 * processes);
            result_fini(&result);
        }
    }
}

static void a_target_may_say_anything(void **state)
{
    (void)state;
    struct result result;
    SONDE_BUF_AUTO whole = SONDE_BUF(64 << 10);
    SONDE_BUF_AUTO small = SONDE_BUF(2 * SONDE_UPLINK_MESSAGE_MAX);
    result_init(&result);
    struct sonde_visit_result visit = visit_of(1);
    fill(visit.node_version, sizeof(visit.node_version), "\x02\"");
    fill(visit.directory, sizeof(visit.directory), "\x02");
    for (int i = 0; i < 1000; i++) {
        result_add(&result, &visit);
    }
    result_print(&result, &whole);
    result_print_short(&result, &small);
    SONDE_JSON_AUTO *full = parse(&whole);
    SONDE_JSON_AUTO *brief = parse(&small);
    assert_true(small.length <= SONDE_UPLINK_MESSAGE_MAX);
    assert_non_null(process_of(full, 0));
    assert_non_null(process_of(brief, 0));
    assert_int_equal(sonde_json_integer_or(brief, "artifacts", -1), 2000);
    result_fini(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_success_is_told_in_full_and_in_short),
        cmocka_unit_test(whatever_the_message_it_fits_and_is_json),
        cmocka_unit_test(a_target_may_say_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
