/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of schedules, what they make, and whose right they ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "codec/json.h"
#include "controller/schedule.h"

#define NOW_S INT64_C(1767323040) /* 2026-01-02T03:04:00Z */
#define METADATA                                                                                   \
    "\"metadata\":{\"name\":\"nightly\",\"namespace\":\"clinic\",\"uid\":\"s-1\",\"generation\":"  \
    "3,"                                                                                           \
    "\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"annotations\":{\"kubectl.kubernetes.io/"     \
    "last-applied-configuration\":\"{}\",\"sonde.dev/requester\":\"ann\","                         \
    "\"sonde.dev/requester-groups\":\"one\\n\\ntwo \\\"2\\\"\"},\"managedFields\":[{}]}"
#define RUN_TEMPLATE                                                                               \
    "\"runTemplate\":{\"metadata\":{\"labels\":{\"team\":\"a\",\"sonde.dev/schedule\":\"x\"},"     \
    "\"annotations\":{\"sonde.dev/requester\":\"eve\",\"note\":\"\\\"\"}},\"spec\":{\"target\":{"  \
    "\"podName\":\"p\"},\"captures\":[{\"name\":\"cpu\",\"type\":\"CPUProfile\","                  \
    "\"durationSeconds\":5}]}}"
#define PROFILE(spec)                                                                              \
    "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"ProfileSchedule\"," METADATA                \
    ",\"spec\":{" spec "," RUN_TEMPLATE "}}"
#define LOAD(more)                                                                                 \
    "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"LoadTestSchedule\"," METADATA               \
    ",\"spec\":{\"schedule\":\"@daily\",\"testTemplate\":{\"spec\":{\"target\":{\"url\":"          \
    "\"https://a.example\"},\"scenario\":{\"requests\":[{\"name\":\"a\",\"path\":\"/\"}]" more     \
    ",\"arrival\":{\"rate\":1,\"durationSeconds\":10}}}}}"

/* Through the cache. The caller calls schedule_view_fini. */
static void read(const char *text, struct schedule_view *ret)
{
    SONDE_JSON_AUTO *json = NULL;
    void *kept = NULL;
    struct sonde_err err = {0};
    assert_int_equal(sonde_json_parse(sonde_str(text), &json, NULL), 0);
    assert_int_equal(schedule_object_keep(NULL, json, &kept, &err), 0);
    int r = schedule_view_read(((struct schedule_object *)kept)->text, NOW_S, ret, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(r, 0);
    schedule_object_release(NULL, kept);
}

static void only_what_is_needed_is_kept(void **state)
{
    (void)state;
    SONDE_JSON_AUTO *json = NULL;
    void *kept = NULL;
    assert_int_equal(sonde_json_parse(SONDE_STR(PROFILE("\"schedule\":\"@daily\"")), &json, NULL),
                     0);
    assert_int_equal(schedule_object_keep(NULL, json, &kept, NULL), 0);
    const char *text = ((struct schedule_object *)kept)->text;
    assert_null(strstr(text, "last-applied"));
    assert_null(strstr(text, "managedFields"));
    assert_non_null(strstr(text, "sonde.dev/requester-groups"));
    schedule_object_release(NULL, kept);
}

static void a_schedule_is_read(void **state)
{
    (void)state;
    struct schedule_view view;
    read(PROFILE("\"schedule\":\"30 2 * * *\",\"timeZone\":\"Europe/Berlin\""), &view);
    assert_string_equal(view.reason, "");
    assert_string_equal(view.requester, "ann");
    assert_int_equal(view.generation, 3);
    assert_int_equal(view.created_s, 1767225600);
    /* 02:30 in Berlin is 01:30 UTC in winter. */
    assert_int_equal(sonde_firing_after(&view.cron, &view.zone, NOW_S), 1767403800);
    schedule_view_fini(&view);
}

static void assert_reason(const char *text, const char *reason, const char *part)
{
    struct schedule_view view;
    read(text, &view);
    assert_string_equal(view.reason, reason);
    assert_non_null(strstr(view.message, part));
    schedule_view_fini(&view);
}

static void why_one_does_not_fire_is_said(void **state)
{
    (void)state;
    assert_reason(PROFILE("\"schedule\":\"61 * * * *\""), "InvalidSpec", "spec.schedule");
    assert_reason(PROFILE("\"schedule\":\"0 0 31 4 *\""), "NeverFires", "spec.schedule");
    assert_reason(PROFILE("\"schedule\":\"@daily\",\"timeZone\":\"Mars/Base\""), "TimeZoneUnknown",
                  "Mars/Base");
    assert_reason(PROFILE("\"schedule\":\"@daily\",\"suspend\":true"), "Suspended", "suspend");
    assert_reason("{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"ProfileSchedule\","
                  "\"metadata\":{\"name\":\"n\"},\"spec\":{\"schedule\":\"@daily\"," RUN_TEMPLATE
                  "}}",
                  "RequesterUnknown", "sonde.dev/requester");
    assert_reason("{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"ProfileRun\",\"metadata\":{"
                  "\"name\":\"n\"},\"spec\":{\"target\":{\"podName\":\"p\"},\"captures\":[{"
                  "\"name\":\"c\",\"type\":\"CPUProfile\",\"durationSeconds\":1}]}}",
                  "InvalidSpec", "no schedule");
}

/* A right as "verb group/resource/subresource name". */
static void put_right(const struct schedule_right *right, struct sonde_buf *ret)
{
    sonde_buf_printf(ret, "%s %s/%s/%s %s\n", right->verb, right->group, right->resource,
                     right->subresource, right->name);
}

static void assert_rights(const char *text, const char *expected)
{
    struct schedule_view view;
    struct schedule_right rights[SCHEDULE_RIGHTS_MAX];
    SONDE_BUF_AUTO lines = SONDE_BUF(4096);
    read(text, &view);
    assert_string_equal(view.message, "");
    size_t count = schedule_rights(&view, rights);
    for (size_t i = 0; i < count; i++) {
        put_right(&rights[i], &lines);
    }
    assert_string_equal(lines.data, expected);
    schedule_view_fini(&view);
}

static void all_that_it_takes_is_asked_for(void **state)
{
    (void)state;
    assert_rights(PROFILE("\"schedule\":\"@daily\""), "create sonde.dev/profileruns/ \n"
                                                      "patch /pods/ephemeralcontainers \n");
    assert_rights(LOAD("}"), "create sonde.dev/loadtests/ \n");
    assert_rights(
        LOAD(",\"headersFrom\":[{\"name\":\"A\",\"secretKeyRef\":{\"name\":\"one\","
             "\"key\":\"k\"}},{\"name\":\"B\",\"secretKeyRef\":{\"name\":\"one\","
             "\"key\":\"l\"}}]},\"http\":{\"tls\":{\"caSecretKeyRef\":{\"name\":\"two\","
             "\"key\":\"k\"},\"clientCertificateSecretName\":\"three\"}},\"profile\":{\"target\":{"
             "\"podName\":\"p\"},\"captures\":[{\"name\":\"c\",\"type\":\"CPUProfile\","
             "\"durationSeconds\":1}]}"),
        "create sonde.dev/loadtests/ \npatch /pods/ephemeralcontainers \n"
        "get /secrets/ one\nget /secrets/ two\nget /secrets/ three\n");
}

static void the_question_names_user_and_groups(void **state)
{
    (void)state;
    struct schedule_view view;
    SONDE_BUF_AUTO body = SONDE_BUF(SCHEDULE_REVIEW_MAX);
    char message[SCHEDULE_MESSAGE_SIZE];
    const struct schedule_right right = {"get", "", "secrets", "", "token"};
    read(PROFILE("\"schedule\":\"@daily\""), &view);
    schedule_put_review(&view, "clinic", &right, &body);
    assert_string_equal(body.data,
                        "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":"
                        "\"LocalSubjectAccessReview\",\"metadata\":{\"namespace\":\"clinic\"},"
                        "\"spec\":{\"user\":\"ann\",\"groups\":[\"one\",\"two \\\"2\\\"\"],"
                        "\"resourceAttributes\":{\"verb\":\"get\",\"namespace\":\"clinic\","
                        "\"resource\":\"secrets\",\"name\":\"token\"}}}");
    schedule_put_denial(&view, "clinic", &right, message);
    assert_string_equal(message, "user \"ann\", who last changed the spec, may not get secrets "
                                 "token in namespace \"clinic\"");
    schedule_view_fini(&view);
}

static void what_is_made_is_the_template_with_our_words(void **state)
{
    (void)state;
    struct schedule_view view;
    SONDE_BUF_AUTO body = SONDE_BUF(SCHEDULE_MAKE_MAX);
    read(PROFILE("\"schedule\":\"@daily\""), &view);
    schedule_put_made(&view, "s-1", NOW_S, &body);
    assert_string_equal(
        body.data,
        "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"ProfileRun\",\"metadata\":{\"name\":"
        "\"nightly-29455384\",\"labels\":{\"sonde.dev/schedule\":\"nightly\",\"team\":\"a\"},"
        "\"annotations\":{\"sonde.dev/scheduled-for\":\"2026-01-02T03:04:00.000000Z\","
        "\"sonde.dev/requester\":\"ann\",\"note\":\"\\\"\"},\"ownerReferences\":[{\"apiVersion\":"
        "\"sonde.dev/v1alpha1\",\"kind\":\"ProfileSchedule\",\"controller\":true,\"name\":"
        "\"nightly\",\"uid\":\"s-1\"}]},\"spec\":{\"target\":{\"podName\":\"p\"},\"captures\":[{"
        "\"name\":\"cpu\",\"type\":\"CPUProfile\",\"durationSeconds\":5}]}}");
    schedule_view_fini(&view);
    sonde_buf_clear(&body);
    read(LOAD("}"), &view);
    schedule_put_made(&view, "s-1", NOW_S, &body);
    struct sonde_spec_documents documents;
    struct sonde_err err = {0};
    assert_int_equal(sonde_spec_parse("made", sonde_buf_view(&body), &documents, &err), 0);
    assert_ptr_equal(documents.items[0].kind, &sonde_kind_load_test);
    sonde_spec_documents_fini(&documents);
    schedule_view_fini(&view);
}

static void assert_baseline(const char *spec, const char *expected)
{
    struct schedule_view view;
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    read(spec, &view);
    schedule_put_baseline(view.spec, &text);
    assert_string_equal(text.data ? text.data : "", expected);
    schedule_view_fini(&view);
}

static void a_baseline_is_told_with_its_defaults(void **state)
{
    (void)state;
    assert_baseline(PROFILE("\"schedule\":\"@daily\""), "");
    assert_baseline(PROFILE("\"schedule\":\"@daily\",\"baseline\":{}"),
                    ",\"baseline\":{\"strategy\":\"LastGood\"}");
    assert_baseline(
        PROFILE("\"schedule\":\"@daily\",\"baseline\":{\"strategy\":\"RollingMedian\"}"),
        ",\"baseline\":{\"strategy\":\"RollingMedian\",\"runs\":7}");
    assert_baseline(PROFILE("\"schedule\":\"@daily\",\"baseline\":{\"strategy\":\"Pinned\","
                            "\"runName\":\"good\"}"),
                    ",\"baseline\":{\"strategy\":\"Pinned\",\"runName\":\"good\"}");
}

static void a_status_comes_back_as_it_was(void **state)
{
    (void)state;
    struct schedule_status status = {.generation = 3,
                                     .active = {"a", "b"},
                                     .active_named = 2,
                                     .active_count = 70,
                                     .fired_s = NOW_S,
                                     .missed_s = NOW_S - 60,
                                     .succeeded_ns = NOW_S * SONDE_SECOND + 5000,
                                     .next_s = NOW_S + 60,
                                     .missed = 7,
                                     .requester = "ann",
                                     .reason = "RunRefused",
                                     .ready_since_ns = NOW_S * SONDE_SECOND,
                                     .ready_generation = 2};
    struct schedule_status again;
    /* Cut within a character: it ends before it. */
    memcpy(status.message, "caf\xc3", 5);
    SONDE_JSON_AUTO *json = schedule_status_of(&status);
    assert_non_null(json);
    char *text = cJSON_PrintUnformatted(json);
    assert_string_equal(
        text, "{\"observedGeneration\":3,\"active\":[\"a\",\"b\"],\"activeCount\":70,"
              "\"lastScheduleTime\":\"2026-01-02T03:04:00.000000Z\","
              "\"lastMissedTime\":\"2026-01-02T03:03:00.000000Z\","
              "\"lastSuccessfulTime\":\"2026-01-02T03:04:00.000005Z\","
              "\"nextScheduleTime\":\"2026-01-02T03:05:00.000000Z\",\"missedRuns\":7,"
              "\"requester\":\"ann\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\","
              "\"reason\":\"RunRefused\",\"message\":\"caf\",\"lastTransitionTime\":"
              "\"2026-01-02T03:04:00.000000Z\",\"observedGeneration\":2}]}");
    cJSON_free(text);
    schedule_status_take(json, &again);
    assert_int_equal(again.fired_s, status.fired_s);
    assert_int_equal(again.missed_s, status.missed_s);
    assert_int_equal(again.succeeded_ns, status.succeeded_ns);
    assert_int_equal(again.missed, 7);
    assert_false(again.ready);
    assert_string_equal(again.reason, "RunRefused");
    assert_string_equal(again.message, "caf");
    assert_int_equal(again.ready_since_ns, status.ready_since_ns);
    assert_int_equal(again.ready_generation, 2);
}

static void nothing_is_taken_from_nothing(void **state)
{
    (void)state;
    struct schedule_status status;
    schedule_status_take(NULL, &status);
    assert_int_equal(status.fired_s, INT64_MIN);
    assert_int_equal(status.missed_s, INT64_MIN);
    assert_int_equal(status.missed, 0);
    status.next_s = INT64_MAX;
    SONDE_JSON_AUTO *json = schedule_status_of(&status);
    assert_non_null(json);
    assert_null(cJSON_GetObjectItemCaseSensitive(json, "nextScheduleTime"));
    assert_null(cJSON_GetObjectItemCaseSensitive(json, "lastScheduleTime"));
}

static void a_clock_that_jumps_back_is_survived(void **state)
{
    (void)state;
    int64_t restart_s = INT64_MIN;
    assert_int_equal(schedule_last_s(INT64_MIN, INT64_MIN, NOW_S, &restart_s), INT64_MIN);
    assert_int_equal(schedule_last_s(NOW_S - 60, NOW_S - 120, NOW_S, &restart_s), NOW_S - 60);
    assert_int_equal(schedule_last_s(NOW_S - 120, NOW_S - 60, NOW_S, &restart_s), NOW_S - 60);
    /* A little: what was served is not served again. */
    assert_int_equal(schedule_last_s(NOW_S + 600, INT64_MIN, NOW_S, &restart_s), NOW_S + 600);
    assert_int_equal(restart_s, INT64_MIN);
    /* A year: it begins anew from when that is seen, and goes on from there. */
    int64_t wrong_s = NOW_S + 366 * 86400;
    assert_int_equal(schedule_last_s(wrong_s, INT64_MIN, NOW_S, &restart_s), NOW_S);
    assert_int_equal(schedule_last_s(wrong_s, INT64_MIN, NOW_S + 90, &restart_s), NOW_S);
    /* Still further back. */
    assert_int_equal(schedule_last_s(wrong_s, INT64_MIN, NOW_S - 7200, &restart_s), NOW_S - 7200);
    /* It has fired since. */
    assert_int_equal(schedule_last_s(NOW_S + 60, INT64_MIN, NOW_S + 90, &restart_s), NOW_S + 60);
    assert_int_equal(restart_s, INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_needed_is_kept),
        cmocka_unit_test(a_schedule_is_read),
        cmocka_unit_test(why_one_does_not_fire_is_said),
        cmocka_unit_test(all_that_it_takes_is_asked_for),
        cmocka_unit_test(the_question_names_user_and_groups),
        cmocka_unit_test(what_is_made_is_the_template_with_our_words),
        cmocka_unit_test(a_baseline_is_told_with_its_defaults),
        cmocka_unit_test(a_status_comes_back_as_it_was),
        cmocka_unit_test(nothing_is_taken_from_nothing),
        cmocka_unit_test(a_clock_that_jumps_back_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
