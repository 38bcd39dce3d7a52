/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a load test without requests: its Job, its pods, what may be loaded, its status. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "controller/load.h"
#include "spec/reason.h"

#define UID "11111111-2222-4333-8444-555555555555"

static struct sonde_spec_documents documents;

static const cJSON *at(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *text_at(const cJSON *object, const char *name)
{
    return sonde_json_string_or(object, name, "(none)");
}

/* The spec of a LoadTest with these members; valid until the next call. */
static const struct sonde_load_test *test_of(const char *members)
{
    SONDE_BUF_AUTO text = SONDE_BUF(65536);
    struct sonde_err err = {0};
    sonde_spec_documents_fini(&documents);
    documents = (struct sonde_spec_documents){0};
    sonde_buf_printf(&text,
                     "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"LoadTest\",\"metadata\":{"
                     "\"name\":\"peak\",\"namespace\":\"clinic\"},\"spec\":{\"arrival\":{"
                     "\"rate\":10,\"durationSeconds\":10}%s}}",
                     members);
    if (sonde_spec_parse("test", sonde_buf_view(&text), &documents, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return documents.items[0].load_test;
}

#define SERVICE ",\"target\":{\"service\":{\"name\":\"web\"}}"
#define SCENARIO ",\"scenario\":{\"requests\":[{\"name\":\"one\",\"path\":\"/\"}]}"

/* ---- the Job ---- */

static cJSON *job_of(const struct sonde_load_test *spec, const cJSON *selector)
{
    static const struct sonde_pair environment[] = {{"SONDE_TOKENS", "a,b"}};
    SONDE_BUF_AUTO text = SONDE_BUF(LOAD_JOB_MAX);
    struct sonde_err err = {0};
    const struct load_job job = {.name = "peak-11111111",
                                 .namespace = "clinic",
                                 .test = "peak",
                                 .uid = UID,
                                 .requester = "ann",
                                 .image = "sidecar",
                                 .spec = spec,
                                 .selector = selector,
                                 .deadline_seconds = 700,
                                 .environment = environment,
                                 .environment_count = 1};
    assert_int_equal(load_job_print(&job, &text, &err), 0);
    cJSON *json = cJSON_Parse(text.data);
    assert_non_null(json);
    return json;
}

static const cJSON *pod_of(const cJSON *job)
{
    return at(at(at(job, "spec"), "template"), "spec");
}

static void a_plain_job_is_restricted_and_asks_for_a_part_of_its_node(void **state)
{
    (void)state;
    SONDE_JSON_AUTO *job = job_of(test_of(SERVICE SCENARIO ",\"parallelism\":3"), NULL);
    const cJSON *spec = at(job, "spec");
    const cJSON *pod = pod_of(job);
    const cJSON *container = cJSON_GetArrayItem(at(pod, "containers"), 0);
    assert_string_equal(text_at(spec, "completionMode"), "Indexed");
    assert_int_equal(sonde_json_integer_or(spec, "completions", 0), 3);
    assert_int_equal(sonde_json_integer_or(spec, "parallelism", 0), 3);
    assert_int_equal(sonde_json_integer_or(spec, "backoffLimitPerIndex", -1), 0);
    assert_int_equal(sonde_json_integer_or(spec, "activeDeadlineSeconds", 0), 700);
    assert_true(cJSON_IsFalse(at(pod, "automountServiceAccountToken")));
    assert_true(cJSON_IsFalse(at(pod, "enableServiceLinks")));
    assert_true(sonde_json_true(at(pod, "securityContext"), "runAsNonRoot"));
    assert_true(sonde_json_true(at(container, "securityContext"), "readOnlyRootFilesystem"));
    assert_string_equal(text_at(at(at(pod, "securityContext"), "seccompProfile"), "type"),
                        "RuntimeDefault");
    assert_string_equal(text_at(at(at(container, "resources"), "requests"), "cpu"), "100m");
    assert_int_equal(cJSON_GetArraySize(at(at(container, "resources"), "limits")), 0);
    assert_int_equal(cJSON_GetArraySize(at(pod, "tolerations")), 2);
    assert_null(at(pod, "affinity"));
    assert_null(at(pod, "nodeSelector"));
    assert_int_equal(cJSON_GetArraySize(at(pod, "volumes")), 0);
}

static void the_place_of_the_runners_is_the_specs(void **state)
{
    (void)state;
    SONDE_JSON_AUTO *selector = cJSON_Parse("{\"app\":\"web\",\"tier\":\"front\"}");
    SONDE_JSON_AUTO *job = job_of(
        test_of(SERVICE SCENARIO
                ",\"onRunnerLoss\":\"Replace\",\"runner\":{\"resources\":{\"limits\":{\"cpu\":"
                "\"50m\"}},\"nodeSelector\":{\"pool\":\"load\"},\"priorityClassName\":\"low\","
                "\"tolerations\":[{\"key\":\"node.kubernetes.io/not-ready\",\"operator\":"
                "\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":60}]}"),
        selector);
    const cJSON *pod = pod_of(job);
    const cJSON *container = cJSON_GetArrayItem(at(pod, "containers"), 0);
    const cJSON *requests = at(at(container, "resources"), "requests");
    assert_true(sonde_json_integer_or(at(job, "spec"), "backoffLimitPerIndex", 0) > 0);
    assert_null(at(requests, "cpu")); /* it would be more than the limit */
    assert_string_equal(text_at(requests, "memory"), "64Mi");
    assert_string_equal(text_at(at(at(container, "resources"), "limits"), "cpu"), "50m");
    assert_string_equal(text_at(at(pod, "nodeSelector"), "pool"), "load");
    assert_string_equal(text_at(pod, "priorityClassName"), "low");
    assert_int_equal(cJSON_GetArraySize(at(pod, "tolerations")), 2);
    const cJSON *term = at(cJSON_GetArrayItem(at(at(at(pod, "affinity"), "podAntiAffinity"),
                                                 "preferredDuringSchedulingIgnoredDuringExecution"),
                                              0),
                           "podAffinityTerm");
    assert_true(cJSON_Compare(at(at(term, "labelSelector"), "matchLabels"), selector, true));
}

/* How long a pod stays on a node with the taint; -1: nothing is said, -2: for ever. */
static int64_t patience_of(const cJSON *pod, const char *taint)
{
    const cJSON *one;
    cJSON_ArrayForEach(one, at(pod, "tolerations"))
    {
        bool all = strcmp(text_at(one, "key"), "(none)") == 0;
        const char *effect = sonde_json_string_or(one, "effect", "NoExecute");
        if ((all || strcmp(text_at(one, "key"), taint) == 0) && strcmp(effect, "NoExecute") == 0) {
            return sonde_json_integer_or(one, "tolerationSeconds", -2);
        }
    }
    return -1;
}

static void each_taint_of_a_lost_node_is_tolerated_for_a_while(void **state)
{
    (void)state;
    static const struct {
        const char *tolerations;
        int64_t not_ready, unreachable;
    } cases[] = {
        {"", 10, 10},
        {"{\"key\":\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":"
         "\"NoExecute\",\"tolerationSeconds\":60}",
         60, 10},
        {"{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\"}", 10, -2},
        {"{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"effect\":"
         "\"NoSchedule\"}",
         10, 10},
        {"{\"operator\":\"Exists\"}", -2, -2},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        SONDE_BUF_AUTO members = SONDE_BUF(4096);
        sonde_buf_printf(&members,
                         cases[i].tolerations[0] ? SERVICE SCENARIO
                             ",\"runner\":{\"tolerations\":[%s]}"
                                                 : SERVICE SCENARIO "%s",
                         cases[i].tolerations);
        SONDE_JSON_AUTO *job = job_of(test_of(members.data), NULL);
        assert_int_equal(patience_of(pod_of(job), "node.kubernetes.io/not-ready"),
                         cases[i].not_ready);
        assert_int_equal(patience_of(pod_of(job), "node.kubernetes.io/unreachable"),
                         cases[i].unreachable);
    }
}

static void secrets_and_maps_are_referred_to(void **state)
{
    (void)state;
    SONDE_JSON_AUTO *job = job_of(
        test_of(SERVICE
                ",\"scenario\":{\"headersFrom\":[{\"name\":\"x-key\",\"secretKeyRef\":{\"name\":"
                "\"keys\",\"key\":\"one\"}}],\"data\":{\"a\":{\"configMapRef\":{\"name\":\"ids\","
                "\"key\":\"a.csv\"}},\"b\":{\"configMapRef\":{\"name\":\"ids\",\"key\":"
                "\"b.csv\"}}},\"requests\":[{\"name\":\"one\",\"path\":\"/{{a}}{{b}}\"}]},"
                "\"http\":{\"tls\":{\"clientCertificateSecretName\":\"me\",\"caSecretKeyRef\":{"
                "\"name\":\"ca\","
                "\"key\":\"ca.crt\"}}}"),
        NULL);
    const cJSON *pod = pod_of(job);
    const cJSON *container = cJSON_GetArrayItem(at(pod, "containers"), 0);
    const cJSON *one;
    int found = 0;
    cJSON_ArrayForEach(one, at(container, "env"))
    {
        const cJSON *key = at(at(one, "valueFrom"), "secretKeyRef");
        if (strcmp(text_at(one, "name"), "SONDE_HEADER_0") == 0) {
            assert_string_equal(text_at(key, "name"), "keys");
            found++;
        } else if (strcmp(text_at(one, "name"), "SONDE_AUTHORITY") == 0) {
            assert_string_equal(text_at(key, "key"), "ca.crt");
            found++;
        }
    }
    assert_int_equal(found, 2);
    assert_int_equal(cJSON_GetArraySize(at(pod, "volumes")), 2); /* ids once, and me */
    assert_string_equal(text_at(cJSON_GetArrayItem(at(container, "volumeMounts"), 0), "mountPath"),
                        "/run/sonde/maps/ids");
}

static void what_pods_wait_for_silently_is_named(void **state)
{
    (void)state;
    SONDE_BUF_AUTO needs = SONDE_BUF(4096);
    SONDE_BUF_AUTO none = SONDE_BUF(4096);
    load_job_needs(test_of(SERVICE SCENARIO), &none);
    assert_int_equal(none.length, 0);
    load_job_needs(
        test_of(SERVICE
                ",\"scenario\":{\"data\":{\"a\":{\"configMapRef\":{\"name\":\"ids\",\"key\":"
                "\"a.csv\"}},\"b\":{\"configMapRef\":{\"name\":\"names\",\"key\":\"b.csv\"}}},"
                "\"requests\":[{\"name\":\"one\",\"path\":\"/{{a}}{{b}}\"}]},\"http\":{\"tls\":{"
                "\"clientCertificateSecretName\":\"me\"}}"),
        &needs);
    assert_string_equal(needs.data, "ConfigMap ids, ConfigMap names, Secret me");
}

static void names_of_jobs_fit_their_pods(void **state)
{
    (void)state;
    char name[LOAD_JOB_NAME_SIZE];
    char test[254];
    load_job_name("peak.of-noon", UID, name);
    assert_string_equal(name, "peak-of-noon-11111111");
    memset(test, 'a', sizeof(test) - 1);
    test[sizeof(test) - 1] = '\0';
    test[39] = '-';
    load_job_name(test, UID, name);
    assert_int_equal(strlen(name), 39 + 1 + 8);
}

static void names_of_profiles_are_as_long_as_they_may_be(void **state)
{
    (void)state;
    char name[LOAD_PROFILE_NAME_SIZE];
    char test[64];
    memset(test, 'a', sizeof(test) - 1);
    test[63] = '\0';
    load_profile_name(test + 8, UID, name);
    assert_int_equal(strlen(name), 63);
    assert_int_equal(strncmp(name, test, 55), 0);
    assert_string_equal(name + 55, "-profile");
    load_profile_name(test + 7, UID, name);
    assert_int_equal(strlen(name), 63);
    assert_string_equal(name + 46, "-11111111-profile");
    test[45] = '.';
    load_profile_name(test, UID, name);
    assert_string_equal(name + 44, "a-11111111-profile");
}

/* ---- the pods ---- */

static struct load_pod *keep(const char *metadata, const char *status)
{
    SONDE_BUF_AUTO text = SONDE_BUF(65536);
    void *kept = NULL;
    sonde_buf_printf(&text,
                     "{\"metadata\":{\"name\":\"p\",\"labels\":{\"" LOAD_JOB_LABEL "\":\"" UID
                     "\"},\"annotations\":{\"batch.kubernetes.io/job-completion-index\":\"3\"}%s},"
                     "\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"proxy\"},{\"name\":"
                     "\"runner\",\"resources\":{\"limits\":{"
                     "\"memory\":\"64Mi\"}}}]},\"status\":%s}",
                     metadata, status);
    SONDE_JSON_AUTO *pod = cJSON_Parse(text.data);
    assert_non_null(pod);
    assert_int_equal(load_pod_keep(NULL, pod, &kept, NULL), 0);
    return kept;
}

#define ENDED(fields)                                                                              \
    "{\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"runner\",\"state\":{\"terminated\":" \
    "{" fields "}}}]"

#define BESIDE_PROXY(state)                                                                        \
    "{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"proxy\",\"state\":{\"running\":{}}" \
    "},"                                                                                           \
    "{\"name\":\"runner\",\"state\":{" state "}}]}"

static void pods_tell_what_became_of_their_runner(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        enum load_pod_state state;
        const char *reason, *message;
    } cases[] = {
        {"{\"phase\":\"Pending\"}", LOAD_POD_WAITING, NULL, ""},
        {"{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\","
         "\"message\":\"0/1 nodes\"}]}",
         LOAD_POD_WAITING, SONDE_REASON_RUNNER_UNSCHEDULABLE, "0/1 nodes"},
        {"{\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"runner\",\"state\":{"
         "\"waiting\":{\"reason\":"
         "\"ContainerCreating\"}}}]}",
         LOAD_POD_WAITING, NULL, ""},
        {"{\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"runner\",\"state\":{"
         "\"waiting\":{\"reason\":"
         "\"ImagePullBackOff\",\"message\":\"no image\"}}}]}",
         LOAD_POD_WAITING, SONDE_REASON_RUNNERS_NOT_READY, "ImagePullBackOff: no image"},
        {"{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"runner\",\"state\":{"
         "\"running\":{}}}]}",
         LOAD_POD_RUNNING, NULL, ""},
        {"{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"runner\",\"state\":{"
         "\"terminated\":{\"exitCode\":"
         "0}}}]}",
         LOAD_POD_DONE, NULL, ""},
        {"{\"phase\":\"Succeeded\"}", LOAD_POD_DONE, NULL, ""},
        {ENDED("\"exitCode\":137,\"reason\":\"OOMKilled\"") "}", LOAD_POD_LOST,
         SONDE_REASON_RUNNER_OUT_OF_MEMORY,
         "it was killed when it had used the memory of its limit (64Mi)"},
        {ENDED("\"exitCode\":137,\"reason\":\"Error\"") "}", LOAD_POD_LOST,
         SONDE_REASON_RUNNER_LOST, "it ended with exit code 137 (Error) "},
        {ENDED("\"exitCode\":1,\"reason\":\"Error\",\"message\":\"{\\\"state\\\":\\\"Failed\\\","
               "\\\"reason\\\":\\\"StoreUnreachable\\\",\\\"message\\\":\\\"no way\\\"}\"") "}",
         LOAD_POD_LOST, SONDE_REASON_STORE_UNREACHABLE, "no way"},
        {ENDED("\"exitCode\":1,\"message\":\"{\\\"state\\\":\\\"Failed\\\",\\\"reason\\\":"
               "\\\"Mine\\\"}\"") "}",
         LOAD_POD_LOST, SONDE_REASON_RUNNER_LOST, ""},
        {ENDED("\"exitCode\":137") ",\"reason\":\"Evicted\",\"message\":\"disk\"}", LOAD_POD_LOST,
         SONDE_REASON_RUNNER_LOST, "Evicted: disk"},
        {ENDED("\"exitCode\":137") ",\"conditions\":[{\"type\":\"DisruptionTarget\",\"status\":"
                                   "\"True\",\"reason\":\"PreemptionByScheduler\",\"message\":"
                                   "\"for more\"}]}",
         LOAD_POD_LOST, SONDE_REASON_RUNNER_LOST, "PreemptionByScheduler: for more"},
        {BESIDE_PROXY("\"terminated\":{\"exitCode\":137,\"reason\":\"OOMKilled\"}"), LOAD_POD_LOST,
         SONDE_REASON_RUNNER_OUT_OF_MEMORY,
         "it was killed when it had used the memory of its limit (64Mi)"},
        {BESIDE_PROXY("\"terminated\":{\"exitCode\":0}"), LOAD_POD_DONE, NULL, ""},
        {BESIDE_PROXY("\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":\"no image\"}"),
         LOAD_POD_WAITING, SONDE_REASON_RUNNERS_NOT_READY, "ImagePullBackOff: no image"},
        {"7", LOAD_POD_WAITING, NULL, ""},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct load_pod *pod = keep("", cases[i].status);
        assert_int_equal(pod->state, cases[i].state);
        assert_string_equal(pod->message, cases[i].message);
        assert_string_equal(pod->reason ? pod->reason : "", cases[i].reason ? cases[i].reason : "");
        assert_int_equal(pod->index, 3);
        assert_string_equal(pod->test, UID);
        assert_string_equal(pod->node, "n1");
        load_pod_release(NULL, pod);
    }
}

static void a_pod_lingers_while_another_container_runs(void **state)
{
    (void)state;
    struct load_pod *beside = keep("", BESIDE_PROXY("\"terminated\":{\"exitCode\":0}"));
    struct load_pod *alone = keep("", ENDED("\"exitCode\":137") "}");
    assert_true(beside->lingers);
    assert_false(alone->lingers);
    load_pod_release(NULL, beside);
    load_pod_release(NULL, alone);
}

static void other_pods_are_left_out_and_long_words_cut(void **state)
{
    (void)state;
    static const char *const others[] = {
        "{\"metadata\":{}}",
        "{\"metadata\":{\"annotations\":{\"batch.kubernetes.io/job-completion-index\":\"100\"}}}",
        "{\"metadata\":{\"annotations\":{\"batch.kubernetes.io/job-completion-index\":\"-1\"}}}",
    };
    void *kept = NULL;
    for (size_t i = 0; i < SONDE_LENGTH(others); i++) {
        SONDE_JSON_AUTO *pod = cJSON_Parse(others[i]);
        assert_int_equal(load_pod_keep(NULL, pod, &kept, NULL), 1);
    }
    SONDE_BUF_AUTO status = SONDE_BUF(65536);
    sonde_buf_text(&status, "{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\","
                            "\"status\":\"False\",\"message\":\"12");
    for (int i = 0; i < 600; i++) {
        sonde_buf_text(&status, "\u20ac");
    }
    sonde_buf_text(&status, "\"}]}");
    struct load_pod *pod = keep(",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\","
                                "\"ownerReferences\":[{\"uid\":\"other\"},{\"uid\":\"job\","
                                "\"controller\":true}]",
                                status.data);
    assert_int_equal(strlen(pod->message), 2 + 332 * 3);
    assert_true(pod->leaving_ns > 0);
    assert_string_equal(pod->job, "job");
    load_pod_release(NULL, pod);
}

/* ---- what is loaded ---- */

static void hosts_are_named_by_the_namespace(void **state)
{
    (void)state;
    static const struct {
        const char *list, *host;
        bool named;
    } cases[] = {
        {"", "a.example.com", false},
        {"a.example.com", "A.Example.com", true},
        {" b.example.com , a.example.com ", "a.example.com", true},
        {"*.example.com", "a.example.com", true},
        {"*.example.com", "b.a.example.com", false},
        {"*.example.com", "example.com", false},
        {"*.example.com", "*.example.com", true},
        {"example.com", "a.example.com", false},
        {"*", "10.1.2.3", true},
        {",,", "", false},
        {"*.com", ".com", false},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        assert_int_equal(load_host_named(cases[i].list, cases[i].host), cases[i].named);
    }
}

static void names_lead_to_services_or_out(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool alias;
        enum load_lead lead;
        const char *namespace, *name;
    } cases[] = {
        {"web", false, LOAD_LEADS_TO_SERVICE, "clinic", "web"},
        {"web.other.svc", false, LOAD_LEADS_TO_SERVICE, "other", "web"},
        {"Web.Other.SVC.cluster.local", false, LOAD_LEADS_TO_SERVICE, "other", "web"},
        {"web-0.web.other.svc", false, LOAD_LEADS_TO_SERVICE, "other", "web"},
        {"web.other.svc.cluster.local", true, LOAD_LEADS_TO_SERVICE, "other", "web"},
        {"web.other.svc.cluster.local.", true, LOAD_LEADS_TO_SERVICE, "other", "web"},
        /* The DNS takes an alias for a whole name. */
        {"web", true, LOAD_LEADS_OUT, "", ""},
        {"web.other.svc", true, LOAD_LEADS_OUT, "", ""},
        {"web.other.svc.cluster.local.", false, LOAD_LEADS_OUT, "", ""},
        {"web.svc", false, LOAD_LEADS_OUT, "", ""},
        {".svc", false, LOAD_LEADS_OUT, "", ""},
        {"..svc", false, LOAD_LEADS_OUT, "", ""},
        {"web.other.svc.example", false, LOAD_LEADS_OUT, "", ""},
        {"web.other", false, LOAD_LEADS_OUT, "", ""},
        {"a_b", false, LOAD_LEADS_OUT, "", ""},
        {"134744072", false, LOAD_LEADS_OUT, "", ""},
        {"2001:db8::7", false, LOAD_LEADS_OUT, "", ""},
        {"localhost", false, LOAD_LEADS_HERE, "", ""},
        {"127.0.0.1", true, LOAD_LEADS_HERE, "", ""},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct load_place place = {0};
        const char *namespace = cases[i].alias ? NULL : "clinic";
        assert_int_equal(load_lead_of(cases[i].host, namespace, &place), cases[i].lead);
        assert_string_equal(place.namespace, cases[i].namespace);
        assert_string_equal(place.name, cases[i].name);
    }
    char long_name[SONDE_KUBE_LABEL_MAX + 2];
    struct load_place place;
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(load_lead_of(long_name, "clinic", &place), LOAD_LEADS_OUT);
}

static void only_services_of_that_type_are_aliases(void **state)
{
    (void)state;
    SONDE_JSON_AUTO *alias = cJSON_Parse("{\"spec\":{\"type\":\"ExternalName\",\"externalName\":"
                                         "\"db.example.net\"}}");
    SONDE_JSON_AUTO *other = cJSON_Parse("{\"spec\":{\"type\":\"ClusterIP\",\"externalName\":"
                                         "\"web.other.svc.cluster.local\"}}");
    assert_string_equal(load_alias(alias), "db.example.net");
    assert_string_equal(load_alias(other), "");
    assert_string_equal(load_alias(NULL), "");
}

static void addresses_of_no_pod_are_outside(void **state)
{
    (void)state;
    SONDE_JSON_AUTO *slices = cJSON_Parse(
        "{\"items\":[{\"endpoints\":[{\"addresses\":[\"10.0.0.1\"],\"targetRef\":{\"kind\":\"Pod\","
        "\"name\":\"a\"}},{\"addresses\":[\"192.0.2.7\",\"192.0.2.8\",7]},{\"addresses\":["
        "\"192.0.2.9\"],\"conditions\":{\"ready\":false},\"targetRef\":{\"kind\":\"Node\"}},{}]},"
        "{\"endpoints\":[{\"addresses\":[\"192.0.2.7\"]}]},7]}");
    SONDE_JSON_AUTO *outside = cJSON_CreateArray();
    const struct sonde_load_test *spec = test_of(SERVICE SCENARIO);
    struct sonde_err err;
    assert_int_equal(load_add_strangers(outside, slices, &err), 0);
    assert_int_equal(cJSON_GetArraySize(outside), 3);
    SONDE_JSON_AUTO *some = cJSON_Parse("{\"sonde.dev/load-hosts\":\"192.0.2.7,192.0.2.9\"}");
    SONDE_JSON_AUTO *all = cJSON_Parse("{\"sonde.dev/load-hosts\":\"*\"}");
    assert_int_equal(load_permit(spec, outside, some, "clinic", &err), SONDE_EDENIED);
    assert_string_equal(err.reason, SONDE_REASON_HOST_NOT_ALLOWED);
    assert_non_null(strstr(err.message, "192.0.2.8 is outside of the cluster"));
    assert_int_equal(load_permit(spec, outside, NULL, "clinic", &err), SONDE_EDENIED);
    assert_int_equal(load_permit(spec, outside, all, "clinic", &err), 0);
    for (int i = 0; i < LOAD_ADDRESSES_MAX - 3; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "10.9.%d.%d", i / 100, i % 100);
        assert_int_equal(load_add_outside(outside, host, &err), 0);
    }
    assert_int_equal(load_add_strangers(outside, slices, &err), 0);
    assert_int_equal(load_add_outside(outside, "one.more", &err), SONDE_ELIMIT);
}

static void the_namespace_bounds_the_rate(void **state)
{
    (void)state;
    static const struct sonde_stage stages[] = {{5, 10, false}, {5, 20, true}};
    static const struct sonde_rate_search search = {.max_rate = 20};
    static const struct sonde_arrival closed = {.rate = SONDE_SPEC_ABSENT};
    static const struct sonde_arrival constant = {.rate = 20};
    static const struct sonde_arrival ramp = {.rate = SONDE_SPEC_ABSENT, .stages = {stages, 2}};
    static const struct sonde_load_test tests[] = {
        {.search = &search}, {.arrival = &constant}, {.arrival = &ramp}, {.arrival = &closed}};
    static const struct {
        const char *limit;
        bool allowed;
    } cases[] = {{"20", true}, {" 20 ", true}, {"19", false}, {"", false},
                 {"0", false}, {"-1", false},  {"2e9", false}};
    struct sonde_err err;
    for (size_t i = 0; i < SONDE_LENGTH(tests); i++) {
        assert_int_equal(load_permit(&tests[i], NULL, NULL, "clinic", &err), 0);
        for (size_t k = 0; k < SONDE_LENGTH(cases); k++) {
            bool allowed = cases[k].allowed && tests[i].arrival != &closed;
            SONDE_JSON_AUTO *annotations = cJSON_CreateObject();
            assert_non_null(
                cJSON_AddStringToObject(annotations, "sonde.dev/load-max-rate", cases[k].limit));
            assert_int_equal(load_permit(&tests[i], NULL, annotations, "clinic", &err),
                             allowed ? 0 : SONDE_EDENIED);
            assert_true(allowed || strcmp(err.reason, SONDE_REASON_RATE_NOT_ALLOWED) == 0);
        }
    }
}

#define SLICE(family, port, endpoints)                                                             \
    "{\"addressType\":\"" family "\",\"ports\":[{\"name\":\"web\",\"port\":" port                  \
    "},{\"name\":\"other\",\"port\":1}],\"endpoints\":[" endpoints "]}"

#define ENDPOINTS                                                                                  \
    "{\"addresses\":[\"10.0.0.1\"],\"targetRef\":{\"name\":\"a\"}},"                               \
    "{\"addresses\":[\"10.0.0.2\"],\"conditions\":{\"ready\":false}},{\"addresses\":[7]},{}"

static void ready_pods_are_found_behind_a_port(void **state)
{
    (void)state;
    SONDE_JSON_AUTO *service = cJSON_Parse("{\"metadata\":{\"name\":\"web\"},\"spec\":{\"ports\":[{"
                                           "\"name\":\"web\",\"port\":80}]}}");
    static const char *const items[] = {
        SLICE("IPv4", "8080", ENDPOINTS),
        SLICE("IPv6", "80", "{\"addresses\":[\"fd00::7\"]}"),
        SLICE("IPv4", "8080", "{\"addresses\":[\"10.0.0.1\"]}"),
        SLICE("FQDN", "80", "{\"addresses\":[\"x\"]}"),
        SLICE("IPv4", "99999", "{\"addresses\":[\"10.0.0.4\"]}"),
        "7",
    };
    SONDE_JSON_AUTO *slices = cJSON_CreateObject();
    cJSON *given = cJSON_AddArrayToObject(slices, "items");
    for (size_t i = 0; i < SONDE_LENGTH(items); i++) {
        assert_true(cJSON_AddItemToArray(given, cJSON_Parse(items[i])));
    }
    cJSON *list = NULL;
    struct sonde_err err;
    struct sonde_service_target target = {.port = 80, .endpoints = SONDE_ENDPOINTS_PODS};
    assert_int_equal(load_addresses(service, slices, &target, &list, &err), 0);
    assert_int_equal(cJSON_GetArraySize(list), 2);
    const cJSON *first = cJSON_GetArrayItem(list, 0);
    const cJSON *second = cJSON_GetArrayItem(list, 1);
    assert_string_equal(text_at(first, "address"), "10.0.0.1:8080");
    assert_string_equal(text_at(first, "name"), "a");
    assert_string_equal(text_at(second, "address"), "[fd00::7]:80");
    cJSON_Delete(list);
    target.port = 81;
    assert_int_equal(load_addresses(service, slices, &target, &list, &err), SONDE_ENOTFOUND);
    assert_string_equal(err.message, "Service web has no port 81");
}

/* ---- the status ---- */

static const struct object_way way = {
    .conditions = LOAD_CONDITIONS, .put = load_put, .take = load_take};
static struct controller controller;

static void figures_are_words_of_a_few_digits(void **state)
{
    (void)state;
    char text[LOAD_FIGURE_SIZE];
    static const struct {
        int64_t us;
        const char *text;
    } latencies[] = {{0, "0us"},        {999, "999us"},      {1000, "1.0ms"},    {99949, "99.9ms"},
                     {231000, "231ms"}, {9999000, "9999ms"}, {12340000, "12.3s"}};
    for (size_t i = 0; i < SONDE_LENGTH(latencies); i++) {
        load_write_latency(latencies[i].us, text);
        assert_string_equal(text, latencies[i].text);
    }
    load_write_share(0, text);
    assert_string_equal(text, "0%");
    load_write_share(0.000001, text);
    assert_string_equal(text, "<0.01%");
    load_write_share(0.0012, text);
    assert_string_equal(text, "0.12%");
    load_write_rate(499.84, text);
    assert_string_equal(text, "499.8");
}

static void what_the_store_tells_is_news_or_a_figure(void **state)
{
    (void)state;
    struct load_live live = {0};
    SONDE_JSON_AUTO *first = cJSON_Parse("{\"phase\":\"Running\",\"ready\":2,\"active\":2,"
                                         "\"requests\":5,\"rate\":5,\"p50\":900,\"p99\":2000}");
    SONDE_JSON_AUTO *second = cJSON_Parse("{\"phase\":\"Running\",\"ready\":2,\"active\":2,"
                                          "\"requests\":9,\"rate\":1e99,\"errorRate\":-1}");
    SONDE_JSON_AUTO *late =
        cJSON_Parse("{\"phase\":\"Waiting\",\"ready\":-7,\"lost\":2,\"reason\":\"Mine\"}");
    SONDE_JSON_AUTO *flapping =
        cJSON_Parse("{\"phase\":\"Running\",\"ready\":1,\"active\":1,\"lost\":2}");
    assert_true(load_take_live(&live, first));
    assert_false(load_take_live(&live, second));
    assert_int_equal(live.requests, 9);
    assert_string_equal(live.rate, "0.0");
    assert_string_equal(live.error_rate, "0%");
    assert_true(load_take_live(&live, late));
    assert_int_equal(live.phase, LOAD_PHASE_RUNNING); /* it does not go back */
    assert_int_equal(live.ready, 0);
    assert_string_equal(live.reason, "");
    assert_false(load_take_live(&live, flapping));
    assert_int_equal(live.ready, 1);
}

static void a_status_is_gone_on_with(void **state)
{
    (void)state;
    static struct load load;
    static struct load later;
    load = (struct load){.object = {.way = &way, .controller = &controller, .generation = 2},
                         .spec = test_of(SERVICE SCENARIO ",\"parallelism\":3"),
                         .job_recorded = true,
                         .profile_made = true,
                         .live = {.ready = 3, .active = 2, .lost = 1, .requests = 70}};
    later = (struct load){.object = {.way = &way, .controller = &controller}};
    (void)snprintf(load.job, sizeof(load.job), "peak-11111111");
    (void)snprintf(load.profile, sizeof(load.profile), "peak-profile");
    (void)snprintf(load.live.p99, sizeof(load.live.p99), "12.0ms");
    object_set_condition(&load.object, LOAD_ACCEPTED, 'T', "Accepted", "");
    SONDE_JSON_AUTO *status = object_status(&load.object);
    assert_string_equal(text_at(status, "runners"), "3/3");
    assert_int_equal(object_take_status(&later.object, status, NULL), 0);
    assert_int_equal(later.object.phase, OBJECT_WORKING);
    assert_true(later.job_recorded && later.profile_made);
    assert_int_equal(later.live.ready, 3);
    assert_int_equal(later.live.lost, 1);
    assert_int_equal(later.live.requests, 70);
    assert_string_equal(later.live.p99, "12.0ms");
    SONDE_JSON_AUTO *empty = cJSON_CreateObject();
    assert_int_equal(object_take_status(&later.object, empty, NULL), 0);
    assert_int_equal(later.object.conditions[LOAD_ACCEPTED].status, 'T');
    assert_false(later.job_recorded);
}

static void the_profile_is_of_the_pods_behind_the_service(void **state)
{
    (void)state;
    static struct load load;
    SONDE_BUF_AUTO document = SONDE_BUF(65536);
    SONDE_BUF_AUTO text = SONDE_BUF(65536);
    SONDE_JSON_AUTO *selector = cJSON_Parse("{\"app\":\"web\"}");
    load = (struct load){.spec = test_of(SERVICE SCENARIO
                                         ",\"profile\":{\"delaySeconds\":3,\"captures\":[{\"name\":"
                                         "\"cpu\",\"type\":\"CPUProfile\"}]}")};
    sonde_spec_print_json(&documents.items[0], &document);
    load.object.document = document.data;
    load.object.name = "peak";
    (void)snprintf(load.object.namespace, sizeof(load.object.namespace), "clinic");
    (void)snprintf(load.object.uid, sizeof(load.object.uid), UID);
    (void)snprintf(load.object.requester, sizeof(load.object.requester), "ann \"a\"");
    (void)snprintf(load.profile, sizeof(load.profile), "peak-profile");
    assert_int_equal(load_profile_print(&load, selector, &text, NULL), 0);
    struct sonde_spec_documents made = {0};
    struct sonde_err err;
    assert_int_equal(sonde_spec_parse("made", sonde_buf_view(&text), &made, &err), 0);
    const struct sonde_profile_run *run = made.items[0].profile_run;
    assert_ptr_equal(made.items[0].kind, &sonde_kind_profile_run);
    assert_string_equal(run->target->selector->match_labels.items[0].value, "web");
    assert_int_equal(run->captures.items[0].type, SONDE_CAPTURE_CPU_PROFILE);
    assert_string_equal(made.items[0].metadata.name, "peak-profile");
    sonde_spec_documents_fini(&made);
}

static int tear_down(void **state)
{
    (void)state;
    sonde_spec_documents_fini(&documents);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_job_is_restricted_and_asks_for_a_part_of_its_node),
        cmocka_unit_test(the_place_of_the_runners_is_the_specs),
        cmocka_unit_test(each_taint_of_a_lost_node_is_tolerated_for_a_while),
        cmocka_unit_test(secrets_and_maps_are_referred_to),
        cmocka_unit_test(what_pods_wait_for_silently_is_named),
        cmocka_unit_test(names_of_jobs_fit_their_pods),
        cmocka_unit_test(names_of_profiles_are_as_long_as_they_may_be),
        cmocka_unit_test(pods_tell_what_became_of_their_runner),
        cmocka_unit_test(a_pod_lingers_while_another_container_runs),
        cmocka_unit_test(other_pods_are_left_out_and_long_words_cut),
        cmocka_unit_test(hosts_are_named_by_the_namespace),
        cmocka_unit_test(names_lead_to_services_or_out),
        cmocka_unit_test(only_services_of_that_type_are_aliases),
        cmocka_unit_test(addresses_of_no_pod_are_outside),
        cmocka_unit_test(the_namespace_bounds_the_rate),
        cmocka_unit_test(ready_pods_are_found_behind_a_port),
        cmocka_unit_test(figures_are_words_of_a_few_digits),
        cmocka_unit_test(what_the_store_tells_is_news_or_a_figure),
        cmocka_unit_test(a_status_is_gone_on_with),
        cmocka_unit_test(the_profile_is_of_the_pods_behind_the_service),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
