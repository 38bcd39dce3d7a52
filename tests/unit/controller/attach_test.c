/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a sidecar may be put into a pod, as whom, and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/json.h"
#include "controller/attach.h"
#include "spec/reason.h"

#define NAME "sonde-11111111222243338444555555555555"

static const struct attach_request request = {
    .uid = "u", .run_as_user = ATTACH_USER_UNKNOWN, .name = NAME};

/* A running pod; `more` are members of its spec, `status` of its status. */
static cJSON *pod_of(const char *containers, const char *more, const char *status)
{
    SONDE_BUF_AUTO text = SONDE_BUF(65536);
    sonde_buf_printf(&text,
                     "{\"metadata\":{\"uid\":\"u\"},\"spec\":{\"containers\":[%s]%s},\"status\":{"
                     "\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"app\",\"state\":{"
                     "\"running\":{}}%s}]}}",
                     containers, more, status);
    cJSON *pod = cJSON_Parse(text.data);
    assert_non_null(pod);
    return pod;
}

static int examine(cJSON *pod, const struct attach_request *asked, struct attach_target *ret,
                   struct sonde_err *err)
{
    int r = attach_examine(pod, asked, ret, err);
    cJSON_Delete(pod);
    return r;
}

static void refused(cJSON *pod, const struct attach_request *asked, const char *reason)
{
    struct attach_target target;
    struct sonde_err err = {0};
    assert_true(examine(pod, asked, &target, &err) < 0);
    assert_string_equal(err.reason, reason);
}

#define APP "{\"name\":\"app\"}"

static void the_liveness_probes_patience_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *container;
        int64_t seconds;
    } cases[] = {
        {APP, 0},
        {"{\"name\":\"app\",\"livenessProbe\":{}}", 30},
        {"{\"name\":\"app\",\"livenessProbe\":{\"periodSeconds\":5,\"failureThreshold\":4}}", 20},
        {"{\"name\":\"app\",\"livenessProbe\":{\"periodSeconds\":1}}", 3},
        {"{\"name\":\"app\",\"livenessProbe\":{\"periodSeconds\":-1,\"failureThreshold\":1e12}}",
         30},
        {"{\"name\":\"app\",\"readinessProbe\":{\"periodSeconds\":1}}", 0},
        {"{\"name\":\"app\",\"livenessProbe\":7}", 0},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct attach_target target;
        assert_int_equal(examine(pod_of(cases[i].container, "", ""), &request, &target, NULL), 0);
        assert_int_equal(target.liveness_seconds, cases[i].seconds);
    }
}

static void the_user_is_found(void **state)
{
    (void)state;
    const struct attach_request given = {"u", NULL, 77, NAME};
    const struct {
        const char *container, *more, *status;
        const struct attach_request *asked;
        int64_t user, group;
    } cases[] = {
        {APP, "", ",\"user\":{\"linux\":{\"uid\":1000,\"gid\":1001}}", &given, 1000, 1001},
        {"{\"name\":\"app\",\"securityContext\":{\"runAsUser\":5,\"runAsGroup\":6}}",
         ",\"securityContext\":{\"runAsUser\":7,\"runAsGroup\":8}", "", &given, 5, 6},
        {APP, ",\"securityContext\":{\"runAsUser\":7}", "", &given, 7, -1},
        {APP, "", "", &given, 77, -1},
        {APP, "", "", &request, ATTACH_USER_UNKNOWN, -1},
        {APP, "", ",\"user\":{\"linux\":{\"uid\":0,\"gid\":0}}", &request, 0, 0},
        {APP, "", ",\"user\":{\"linux\":{\"uid\":-4}}", &request, ATTACH_USER_UNKNOWN, -1},
        {APP, "", ",\"user\":{\"linux\":{\"uid\":\"9\"}}", &request, ATTACH_USER_UNKNOWN, -1},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct attach_target target;
        assert_int_equal(examine(pod_of(cases[i].container, cases[i].more, cases[i].status),
                                 cases[i].asked, &target, NULL),
                         0);
        assert_int_equal(target.user, cases[i].user);
        assert_int_equal(target.group, cases[i].group);
        assert_string_equal(target.container, "app");
    }
}

static void the_container_is_found(void **state)
{
    (void)state;
    const struct attach_request app = {"u", "app", 1, NAME};
    const struct attach_request none = {"u", "none", 1, NAME};
    struct attach_target target;
    cJSON *usual = pod_of(APP ",{\"name\":\"proxy\"}", "", "");
    assert_int_equal(examine(pod_of(APP ",{\"name\":\"proxy\"}", "", ""), &app, &target, NULL), 0);
    refused(pod_of(APP ",{\"name\":\"proxy\"}", "", ""), &request, SONDE_REASON_TARGET_AMBIGUOUS);
    refused(pod_of(APP, "", ""), &none, SONDE_REASON_TARGET_NOT_FOUND);
    refused(pod_of("", "", ""), &request, SONDE_REASON_TARGET_AMBIGUOUS);
    cJSON *annotations =
        cJSON_AddObjectToObject(cJSON_GetObjectItemCaseSensitive(usual, "metadata"), "annotations");
    assert_non_null(
        cJSON_AddStringToObject(annotations, "kubectl.kubernetes.io/default-container", "app"));
    assert_int_equal(examine(usual, &request, &target, NULL), 0);
}

static void a_pod_that_is_another_or_has_ended_is_left(void **state)
{
    (void)state;
    const struct attach_request other = {"v", NULL, 1, NAME};
    refused(pod_of(APP, "", ""), &other, SONDE_REASON_TARGET_EXITED);
    cJSON *pod = pod_of(APP, "", "");
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(pod, "metadata");
    assert_non_null(cJSON_AddStringToObject(metadata, "deletionTimestamp", "x"));
    refused(pod, &request, SONDE_REASON_TARGET_EXITED);
    refused(cJSON_Parse("{\"metadata\":{\"uid\":\"u\"},\"spec\":{\"containers\":[" APP
                        "]},\"status\":{\"phase\":\"Running\"}}"),
            &request, SONDE_REASON_TARGET_EXITED);
    refused(cJSON_Parse("{}"), &request, SONDE_REASON_TARGET_EXITED);
}

static void sidecars_of_before_are_counted(void **state)
{
    (void)state;
    struct attach_target target;
    assert_int_equal(examine(pod_of(APP, ",\"ephemeralContainers\":[{\"name\":\"" NAME "\"}]", ""),
                             &request, &target, NULL),
                     0);
    assert_true(target.present && !target.other_active);
    assert_int_equal(examine(pod_of(APP, ",\"ephemeralContainers\":[{\"name\":\"sonde-x\"}]", ""),
                             &request, &target, NULL),
                     0);
    assert_true(!target.present && target.other_active);
    assert_int_equal(examine(pod_of(APP, ",\"ephemeralContainers\":[{\"name\":\"debugger\"}]", ""),
                             &request, &target, NULL),
                     0);
    assert_false(target.other_active);
    SONDE_BUF_AUTO many = SONDE_BUF(8192);
    sonde_buf_text(&many, ",\"ephemeralContainers\":[");
    for (int i = 0; i < ATTACH_ENTRIES_MAX; i++) {
        sonde_buf_printf(&many, "%s{\"name\":\"sonde-%d\"}", i ? "," : "", i);
    }
    sonde_buf_text(&many, "]");
    refused(pod_of(APP, many.data, ""), &request, SONDE_REASON_TOO_MANY_SIDECARS);
}

static void the_patch_is_without_privilege(void **state)
{
    (void)state;
    const struct sonde_pair environment[] = {{"SONDE_TOKEN", "5e"},
                                             {"SONDE_DOCUMENT", "{\"a\":\"\\n\"}"}};
    struct attach_sidecar sidecar = {.name = NAME,
                                     .image = "i@sha256:1",
                                     .container = "app",
                                     .user = 1000,
                                     .group = 1001,
                                     .resource_version = "7",
                                     .requester = "ann \"x\"",
                                     .run = "slow",
                                     .environment = environment,
                                     .environment_count = 2};
    SONDE_BUF_AUTO text = SONDE_BUF(ATTACH_PATCH_MAX);
    SONDE_JSON_AUTO *patch = NULL;
    attach_patch(&sidecar, &text);
    assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &patch, NULL), 0);
    const cJSON *spec = cJSON_GetObjectItemCaseSensitive(patch, "spec");
    const cJSON *added =
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(spec, "ephemeralContainers"), 0);
    SONDE_JSON_AUTO *expected = cJSON_Parse(
        "{\"runAsUser\":1000,\"runAsGroup\":1001,\"runAsNonRoot\":true,"
        "\"allowPrivilegeEscalation\":false,\"readOnlyRootFilesystem\":true,\"privileged\":false,"
        "\"capabilities\":{\"drop\":[\"ALL\"]},\"seccompProfile\":{\"type\":\"RuntimeDefault\"}}");
    assert_true(
        cJSON_Compare(cJSON_GetObjectItemCaseSensitive(added, "securityContext"), expected, true));
    assert_string_equal(sonde_json_string_or(added, "targetContainerName", ""), "app");
    const cJSON *variables = cJSON_GetObjectItemCaseSensitive(added, "env");
    assert_int_equal(cJSON_GetArraySize(variables), 2);
    for (int i = 0; i < 2; i++) {
        const cJSON *variable = cJSON_GetArrayItem(variables, i);
        assert_string_equal(sonde_json_string_or(variable, "name", ""), environment[i].key);
        assert_string_equal(sonde_json_string_or(variable, "value", ""), environment[i].value);
    }
    assert_null(cJSON_GetObjectItemCaseSensitive(added, "args"));
    /* Root stays root. */
    sidecar = (struct attach_sidecar){.name = NAME "-look",
                                      .image = "i",
                                      .container = "app",
                                      .group = ATTACH_USER_UNKNOWN,
                                      .look = true,
                                      .resource_version = "7",
                                      .requester = "",
                                      .run = "slow"};
    sonde_buf_clear(&text);
    attach_patch(&sidecar, &text);
    assert_non_null(strstr(text.data, "\"runAsUser\":0,\"runAsNonRoot\":false"));
    assert_non_null(strstr(text.data, "\"args\":[\"look\"]"));
}

static void names_come_from_the_run(void **state)
{
    (void)state;
    char name[SIDECAR_NAME_SIZE];
    attach_name("11111111-2222-4333-8444-555555555555", false, name);
    assert_string_equal(name, NAME);
    attach_name("11111111-2222-4333-8444-555555555555", true, name);
    assert_string_equal(name, NAME "-look");
    assert_true(attach_is_stuck("ErrImageNeverPull"));
    assert_false(attach_is_stuck("ContainerCreating"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_liveness_probes_patience_is_told),
        cmocka_unit_test(the_user_is_found),
        cmocka_unit_test(the_container_is_found),
        cmocka_unit_test(a_pod_that_is_another_or_has_ended_is_left),
        cmocka_unit_test(sidecars_of_before_are_counted),
        cmocka_unit_test(the_patch_is_without_privilege),
        cmocka_unit_test(names_come_from_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
