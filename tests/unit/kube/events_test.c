/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "codec/json.h"
#include "kube/events.h"

#define REALTIME (INT64_C(1795472710) * SONDE_SECOND)

static struct sonde_kube_event event = {
    "sonde.dev/v1alpha1", "ProfileRun", "shop", "slow", "uid-1", false, "Attached", "Attach",
    "attached to web-0"};

static struct sonde_kube_events *new_events(size_t maximum)
{
    struct sonde_kube_events *events = NULL;
    assert_int_equal(
        sonde_kube_events_new("sonde.dev/controller", "controller-0", maximum, &events, NULL), 0);
    return events;
}

static int record(struct sonde_kube_events *events, const struct sonde_kube_event *e, int64_t now)
{
    return sonde_kube_events_record(events, e, now, REALTIME + now, NULL);
}

static void expect_patch(struct sonde_kube_events *events, int64_t now, int count, const char *time)
{
    struct sonde_kube_event_write write;
    assert_true(sonde_kube_events_take(events, now, &write));
    assert_false(write.create);
    char text[128];
    (void)snprintf(text, sizeof(text), "{\"series\":{\"count\":%d,\"lastObservedTime\":\"%s\"}}",
                   count, time);
    assert_true(sonde_str_is(write.body, text));
    sonde_kube_events_written(events, now, 0);
}

static void makes_an_event(void **state)
{
    (void)state;
    struct sonde_kube_events *events = new_events(10);
    struct sonde_kube_event_write write;
    assert_int_equal(sonde_kube_events_next(events, 0), INT64_MAX);
    assert_int_equal(record(events, &event, 0), 0);
    assert_int_equal(sonde_kube_events_next(events, 5), 5);
    assert_true(sonde_kube_events_take(events, 0, &write));
    assert_true(write.create);
    assert_string_equal(write.namespace, "shop");
    assert_true(sonde_kube_is_name(sonde_str(write.name)));
    SONDE_JSON_AUTO *json = NULL;
    assert_int_equal(sonde_json_parse(write.body, &json, NULL), 0);
    static const char *const members[][2] = {
        {"apiVersion", "events.k8s.io/v1"},
        {"kind", "Event"},
        {"eventTime", "2026-11-23T22:25:10.000000Z"},
        {"reportingController", "sonde.dev/controller"},
        {"reportingInstance", "controller-0"},
        {"type", "Normal"},
        {"reason", "Attached"},
        {"action", "Attach"},
        {"note", "attached to web-0"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(members); i++) {
        assert_string_equal(sonde_json_string_or(json, members[i][0], ""), members[i][1]);
    }
    const cJSON *regarding = cJSON_GetObjectItem(json, "regarding");
    assert_string_equal(sonde_json_string_or(regarding, "uid", ""), "uid-1");
    assert_string_equal(sonde_json_string_or(cJSON_GetObjectItem(json, "metadata"), "name", ""),
                        write.name);
    struct sonde_kube_event_write other;
    assert_false(sonde_kube_events_take(events, 0, &other)); /* one at a time */
    sonde_kube_events_written(events, 0, 0);
    assert_false(sonde_kube_events_take(events, 0, &other));
    sonde_kube_events_free(events);
    sonde_kube_events_free(NULL);
}

static void what_repeats_is_a_series(void **state)
{
    (void)state;
    struct sonde_kube_events *events = new_events(10);
    struct sonde_kube_event_write write;
    assert_int_equal(record(events, &event, 0), 0);
    assert_true(sonde_kube_events_take(events, 0, &write));
    sonde_kube_events_written(events, 0, 0);
    assert_int_equal(record(events, &event, SONDE_SECOND), 0);
    expect_patch(events, SONDE_SECOND, 2, "2026-11-23T22:25:11.000000Z");
    for (int i = 2; i <= 30; i++) {
        assert_int_equal(record(events, &event, i * SONDE_SECOND), 0);
        assert_false(sonde_kube_events_take(events, i * SONDE_SECOND, &write));
    }
    assert_int_equal(sonde_kube_events_next(events, 30 * SONDE_SECOND), 61 * SONDE_SECOND);
    expect_patch(events, 61 * SONDE_SECOND, 31, "2026-11-23T22:25:40.000000Z");
    /* Six quiet minutes end it. */
    int64_t later = (30 + 361) * SONDE_SECOND;
    assert_int_equal(record(events, &event, later), 0);
    assert_true(sonde_kube_events_take(events, later, &write));
    assert_true(write.create);
    sonde_kube_events_free(events);
}

static void what_differs_is_its_own(void **state)
{
    (void)state;
    struct sonde_kube_events *events = new_events(10);
    struct sonde_kube_event other = event;
    struct sonde_kube_event_write write;
    int count = 0;
    other.note = "other words for the same";
    assert_int_equal(record(events, &event, 0), 0);
    assert_int_equal(record(events, &other, 0), 0);
    other.warning = true;
    assert_int_equal(record(events, &other, 0), 0);
    other.reason = "Detached";
    assert_int_equal(record(events, &other, 0), 0);
    other.uid = "uid-2";
    assert_int_equal(record(events, &other, 0), 0);
    while (sonde_kube_events_take(events, 0, &write)) {
        count += write.create;
        sonde_kube_events_written(events, 0, 0);
    }
    assert_int_equal(count, 4);
    sonde_kube_events_free(events);
}

static void failures_are_tried_again_or_dropped(void **state)
{
    (void)state;
    struct sonde_kube_events *events = new_events(10);
    struct sonde_kube_event_write write;
    int64_t now = 0;
    int tries = 0;
    assert_int_equal(record(events, &event, 0), 0);
    while ((now = sonde_kube_events_next(events, now)) < INT64_MAX) {
        assert_true(sonde_kube_events_take(events, now, &write));
        sonde_kube_events_written(events, now, SONDE_ENETWORK);
        tries++;
    }
    assert_int_equal(tries, SONDE_KUBE_EVENT_TRIES);
    assert_int_equal(sonde_kube_events_dropped(events), 1);
    assert_int_equal(record(events, &event, 0), 0);
    assert_true(sonde_kube_events_take(events, 0, &write));
    sonde_kube_events_written(events, 0, SONDE_EDENIED);
    assert_int_equal(sonde_kube_events_dropped(events), 2);
    assert_int_equal(record(events, &event, 0), 0);
    assert_true(sonde_kube_events_take(events, 0, &write));
    sonde_kube_events_written(events, 0, SONDE_EEXISTS); /* an answer was lost */
    assert_int_equal(sonde_kube_events_dropped(events), 2);
    assert_int_equal(sonde_kube_events_next(events, 0), INT64_MAX);
    sonde_kube_events_written(events, 0, 0); /* nothing is under way */
    sonde_kube_events_free(events);
}

static void has_bounds(void **state)
{
    (void)state;
    struct sonde_kube_events *events = new_events(2);
    struct sonde_kube_event other = event;
    struct sonde_kube_event_write write;
    assert_int_equal(record(events, &event, 0), 0);
    other.reason = "Two";
    assert_int_equal(record(events, &other, 0), 0);
    other.reason = "Three";
    assert_int_equal(record(events, &other, 0), SONDE_ELIMIT);
    assert_int_equal(sonde_kube_events_dropped(events), 1);
    while (sonde_kube_events_take(events, 0, &write)) {
        sonde_kube_events_written(events, 0, 0);
    }
    assert_int_equal(record(events, &other, 400 * SONDE_SECOND), 0); /* the old ones are over */
    other.reason = "";
    assert_int_equal(record(events, &other, 0), SONDE_EINVALID);
    other = event;
    other.action = NULL;
    assert_int_equal(record(events, &other, 0), SONDE_EINVALID);
    other = event;
    other.name = "../x";
    assert_int_equal(record(events, &other, 0), SONDE_EINVALID);
    sonde_kube_events_free(events);
}

static void a_long_note_is_cut_between_characters(void **state)
{
    (void)state;
    struct sonde_kube_events *events = new_events(2);
    struct sonde_kube_event other = event;
    struct sonde_kube_event_write write;
    SONDE_BUF_AUTO note = SONDE_BUF(4000);
    sonde_buf_char(&note, 'x');
    for (int i = 0; i < 1000; i++) {
        sonde_buf_text(&note, "é");
    }
    other.note = note.data;
    assert_int_equal(record(events, &other, 0), 0);
    assert_true(sonde_kube_events_take(events, 0, &write));
    SONDE_JSON_AUTO *json = NULL;
    assert_int_equal(sonde_json_parse(write.body, &json, NULL), 0);
    const char *text = sonde_json_string_or(json, "note", "");
    assert_int_equal(strlen(text), 1023);
    assert_memory_equal(text, note.data, 1023);
    sonde_kube_events_free(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_an_event),
        cmocka_unit_test(what_repeats_is_a_series),
        cmocka_unit_test(what_differs_is_its_own),
        cmocka_unit_test(failures_are_tried_again_or_dropped),
        cmocka_unit_test(has_bounds),
        cmocka_unit_test(a_long_note_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
