/* SPDX-License-Identifier: Apache-2.0 */
/* What the API server asks of the webhook, and what it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/base64.h"
#include "codec/json.h"
#include "controller/admission.h"

#define OURS "system:serviceaccount:sonde-system:sonde-controller"
#define REVIEW(request)                                                                            \
    "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":" request "}"
#define CREATE(metadata)                                                                           \
    REVIEW("{\"uid\":\"u-1\",\"operation\":\"CREATE\",\"object\":{\"metadata\":" metadata          \
           "},\"userInfo\":{\"username\":\"ann \\\"o'hara\\\"\"}}")

/* Of a kind, by somebody with groups. */
#define BY(operation, kind, user, rest)                                                            \
    REVIEW("{\"uid\":\"u-1\",\"operation\":\"" operation "\",\"kind\":{\"kind\":\"" kind           \
           "\"},\"userInfo\":{\"username\":\"" user                                                \
           "\",\"groups\":[\"one\",\"t\\nwo\",7,\"a,b\"]}," rest "}")

/* The patch of the answer, decoded into *ret; nothing when there is none. */
static void patch_of(const char *review, struct sonde_buf *ret)
{
    SONDE_BUF_AUTO answer = SONDE_BUF(ADMISSION_ANSWER_MAX);
    SONDE_JSON_AUTO *json = NULL;
    const cJSON *response = NULL;
    assert_int_equal(admission_answer(sonde_str(review), OURS, &answer, NULL), 0);
    assert_int_equal(sonde_json_parse(sonde_buf_view(&answer), &json, NULL), 0);
    assert_string_equal(sonde_json_string_or(json, "kind", ""), "AdmissionReview");
    assert_string_equal(sonde_json_string_or(json, "apiVersion", ""), "admission.k8s.io/v1");
    assert_int_equal(sonde_json_object(json, "response", &response, NULL), 0);
    assert_string_equal(sonde_json_string_or(response, "uid", ""), "u-1");
    assert_true(sonde_json_true(response, "allowed"));
    const char *patch = sonde_json_string_or(response, "patch", "");
    assert_string_equal(sonde_json_string_or(response, "patchType", ""),
                        patch[0] ? "JSONPatch" : "");
    assert_int_equal(sonde_base64_decode(sonde_str(patch), ret, NULL), 0);
}

static void assert_patch(const char *review, const char *expected)
{
    SONDE_BUF_AUTO patch = SONDE_BUF(ADMISSION_ANSWER_MAX);
    patch_of(review, &patch);
    assert_string_equal(patch.data ? patch.data : "", expected);
}

static void who_creates_is_written(void **state)
{
    (void)state;
    assert_patch(CREATE("{\"name\":\"slow\"}"),
                 "[{\"op\":\"add\",\"path\":\"/metadata/annotations\",\"value\":{"
                 "\"sonde.dev/requester\":\"ann \\\"o'hara\\\"\"}}]");
    /* What stands there is kept, and another's name is written over. */
    assert_patch(CREATE("{\"annotations\":{\"a\":\"b\",\"sonde.dev/requester\":\"eve\"}}"),
                 "[{\"op\":\"add\",\"path\":\"/metadata/annotations/sonde.dev~1requester\","
                 "\"value\":\"ann \\\"o'hara\\\"\"}]");
    assert_patch(CREATE("{\"annotations\":null}"),
                 "[{\"op\":\"add\",\"path\":\"/metadata/annotations\",\"value\":{"
                 "\"sonde.dev/requester\":\"ann \\\"o'hara\\\"\"}}]");
}

static void what_is_not_created_stays(void **state)
{
    (void)state;
    assert_patch(REVIEW("{\"uid\":\"u-1\",\"operation\":\"UPDATE\"}"), "");
    assert_patch(REVIEW("{\"uid\":\"u-1\",\"operation\":\"DELETE\",\"object\":null}"), "");
}

static void of_a_schedule_the_groups_are_written_too(void **state)
{
    (void)state;
    assert_patch(BY("CREATE", "ProfileSchedule", "ann", "\"object\":{\"metadata\":{}}"),
                 "[{\"op\":\"add\",\"path\":\"/metadata/annotations\",\"value\":{"
                 "\"sonde.dev/requester\":\"ann\",\"sonde.dev/requester-groups\":"
                 "\"one\\na,b\"}}]");
    assert_patch(BY("CREATE", "ProfileRun", "ann", "\"object\":{\"metadata\":{}}"),
                 "[{\"op\":\"add\",\"path\":\"/metadata/annotations\",\"value\":{"
                 "\"sonde.dev/requester\":\"ann\"}}]");
    /* Without groups those of somebody else must not stay. */
    assert_patch(
        REVIEW("{\"uid\":\"u-1\",\"operation\":\"CREATE\",\"kind\":{\"kind\":"
               "\"LoadTestSchedule\"},\"userInfo\":{\"username\":\"ann\"},\"object\":{"
               "\"metadata\":{\"annotations\":{\"sonde.dev/requester-groups\":\"all\"}}}}"),
        "[{\"op\":\"add\",\"path\":\"/metadata/annotations/sonde.dev~1requester\","
        "\"value\":\"ann\"},{\"op\":\"add\",\"path\":\"/metadata/annotations/"
        "sonde.dev~1requester-groups\",\"value\":\"\"}]");
}

static void who_changes_a_schedule_is_written(void **state)
{
    (void)state;
#define OBJECTS(now, before)                                                                       \
    "\"object\":{\"metadata\":{\"annotations\":{}},\"spec\":" now                                  \
    "},\"oldObject\":{\"spec\":" before "}"
    assert_patch(BY("UPDATE", "LoadTestSchedule", "bob", OBJECTS("{\"a\":1}", "{\"a\":2}")),
                 "[{\"op\":\"add\",\"path\":\"/metadata/annotations/sonde.dev~1requester\","
                 "\"value\":\"bob\"},{\"op\":\"add\",\"path\":\"/metadata/annotations/"
                 "sonde.dev~1requester-groups\",\"value\":\"one\\na,b\"}]");
    assert_patch(BY("UPDATE", "LoadTestSchedule", "bob", OBJECTS("{\"a\":1}", "{\"a\":1}")), "");
    assert_patch(BY("UPDATE", "LoadTest", "bob", OBJECTS("{\"a\":1}", "{\"a\":2}")), "");
}

static void what_the_controller_makes_for_others_keeps_their_name(void **state)
{
    (void)state;
    assert_patch(BY("CREATE", "ProfileRun", OURS, "\"object\":{\"metadata\":{}}"), "");
    assert_patch(BY("CREATE", "LoadTest", OURS, "\"object\":{\"metadata\":{}}"), "");
    assert_patch(BY("CREATE", "ProfileRun", OURS "2", "\"object\":{\"metadata\":{}}"),
                 "[{\"op\":\"add\",\"path\":\"/metadata/annotations\",\"value\":{"
                 "\"sonde.dev/requester\":\"" OURS "2\"}}]");
}

static void what_is_no_review_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{",
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\"}",
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1beta1\",\"request\":{"
        "\"uid\":\"u\",\"operation\":\"UPDATE\"}}",
        REVIEW("{\"operation\":\"CREATE\"}"),
        REVIEW("{\"uid\":\"u\"}"),
        REVIEW("{\"uid\":\"u\",\"operation\":\"CREATE\"}"),
        BY("UPDATE", "ProfileSchedule", "bob", "\"object\":{\"spec\":{}}"),
        BY("UPDATE", "ProfileSchedule", "bob", "\"object\":{},\"oldObject\":{}"),
        REVIEW("{\"uid\":\"u\",\"operation\":\"CREATE\",\"object\":{}}"),
        REVIEW("{\"uid\":\"u\",\"operation\":\"CREATE\",\"object\":{},\"userInfo\":{}}"),
        REVIEW("{\"uid\":\"u\",\"operation\":\"CREATE\",\"object\":7,\"userInfo\":{"
               "\"username\":\"a\"}}"),
    };
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        SONDE_BUF_AUTO answer = SONDE_BUF(ADMISSION_ANSWER_MAX);
        struct sonde_err err = {0};
        assert_int_equal(admission_answer(sonde_str(texts[i]), OURS, &answer, &err), SONDE_EPARSE);
        assert_true(err.message[0]);
        assert_int_equal(answer.length, 0);
    }
}

/* It would be a tree of 20 MiB. */
static void a_review_is_bounded(void **state)
{
    (void)state;
    struct sonde_err err;
    SONDE_BUF_AUTO text = SONDE_BUF(ADMISSION_REVIEW_MAX + 64);
    SONDE_BUF_AUTO answer = SONDE_BUF(ADMISSION_ANSWER_MAX);
    sonde_buf_text(&text, "{\"a\":[0");
    while (text.length + 4 < ADMISSION_REVIEW_MAX) {
        sonde_buf_text(&text, ",0");
    }
    sonde_buf_text(&text, "]}");
    assert_int_equal(admission_answer(sonde_buf_view(&text), OURS, &answer, &err), SONDE_ELIMIT);
    assert_non_null(strstr(err.message, "values"));
    sonde_buf_repeat(&text, ' ', 64);
    assert_int_equal(admission_answer(sonde_buf_view(&text), OURS, &answer, &err), SONDE_ELIMIT);
    assert_non_null(strstr(err.message, "bytes"));
    assert_int_equal(answer.length, 0);
}

static void an_answer_is_bounded(void **state)
{
    (void)state;
    SONDE_BUF_AUTO answer = SONDE_BUF(64);
    assert_int_equal(admission_answer(SONDE_STR(CREATE("{}")), OURS, &answer, NULL), SONDE_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_creates_is_written),
        cmocka_unit_test(what_is_not_created_stays),
        cmocka_unit_test(what_is_no_review_is_refused),
        cmocka_unit_test(a_review_is_bounded),
        cmocka_unit_test(an_answer_is_bounded),
        cmocka_unit_test(of_a_schedule_the_groups_are_written_too),
        cmocka_unit_test(who_changes_a_schedule_is_written),
        cmocka_unit_test(what_the_controller_makes_for_others_keeps_their_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
