/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/load_job.h"

#include <stdio.h>
#include <string.h>

#include "spec/spec.h"

#define PROGRAM "/usr/bin/sonde-runner"

enum {
    NAME_PART_MAX = 40,        /* of the test's name in the Job's */
    UID_DIGITS = 8,            /* of its uid */
    REPLACEMENTS = 5,          /* of each runner with onRunnerLoss: Replace */
    GRACE_SECONDS = 10,        /* SIGTERM to SIGKILL */
    NODE_PATIENCE_SECONDS = 10 /* with a node that is not heard of, behind the 40 s of Kubernetes */
};

/* ---- names ---- */

/* At most `most` bytes of the test's name, '-', and digits of its uid; returns the length. */
static size_t cut_name(const char *test, const char *uid, size_t most, char *ret)
{
    size_t length = 0;
    for (const char *c = test; *c && length < most; c++) {
        ret[length++] = *c == '.' ? '-' : *c;
    }
    while (length > 0 && ret[length - 1] == '-') {
        length--;
    }
    ret[length++] = '-';
    for (size_t i = 0; i < UID_DIGITS && uid[i]; i++) {
        ret[length++] = uid[i];
    }
    ret[length] = '\0';
    return length;
}

void load_job_name(const char *test, const char *uid, char ret[LOAD_JOB_NAME_SIZE])
{
    (void)cut_name(test, uid, NAME_PART_MAX, ret);
}

void load_profile_name(const char *test, const char *uid, char ret[LOAD_PROFILE_NAME_SIZE])
{
    static const char end[] = "-profile";
    if (strlen(test) + sizeof(end) <= LOAD_PROFILE_NAME_SIZE) {
        (void)snprintf(ret, LOAD_PROFILE_NAME_SIZE, "%s%s", test, end);
        return;
    }
    size_t length = cut_name(test, uid, LOAD_PROFILE_NAME_SIZE - sizeof(end) - 1 - UID_DIGITS, ret);
    (void)snprintf(ret + length, LOAD_PROFILE_NAME_SIZE - length, "%s", end);
}

/* ---- ConfigMaps ---- */

struct maps {
    const char **names;
    size_t count;
    bool many;
};

static void add_map(struct maps *maps, const char *name)
{
    for (size_t i = 0; i < maps->count; i++) {
        if (strcmp(maps->names[i], name) == 0) {
            return;
        }
    }
    maps->many = maps->many || maps->count == LOAD_JOB_MAPS_MAX;
    if (!maps->many) {
        maps->names[maps->count++] = name;
    }
}

static void add_maps(struct maps *maps, const struct sonde_variable *variables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (variables[i].from) {
            add_map(maps, variables[i].from->name);
        }
    }
}

int load_job_maps(const struct sonde_load_test *spec, const char *ret[LOAD_JOB_MAPS_MAX],
                  struct sonde_err *err)
{
    const struct sonde_scenario *scenario = spec->scenario;
    struct maps maps = {.names = ret};
    if (scenario->config_map_ref) {
        add_map(&maps, scenario->config_map_ref->name);
    }
    add_maps(&maps, scenario->data.items, scenario->data.count);
    for (size_t i = 0; i < scenario->requests.count; i++) {
        const struct sonde_request *request = &scenario->requests.items[i];
        add_maps(&maps, request->data.items, request->data.count);
    }
    return maps.many ? sonde_fail(err, SONDE_EINVALID, 0,
                                  "spec.scenario: data of more than %d ConfigMaps: put several "
                                  "files into one",
                                  LOAD_JOB_MAPS_MAX)
                     : (int)maps.count;
}

void load_job_needs(const struct sonde_load_test *spec, struct sonde_buf *ret)
{
    const struct sonde_load_tls *tls = spec->http->tls;
    const char *maps[LOAD_JOB_MAPS_MAX];
    int count = load_job_maps(spec, maps, NULL);
    const char *before = "";
    for (int i = 0; i < count; i++) {
        sonde_buf_printf(ret, "%sConfigMap %s", before, maps[i]);
        before = ", ";
    }
    if (tls && tls->client_certificate) {
        sonde_buf_printf(ret, "%sSecret %s", before, tls->client_certificate);
    }
}

/* ---- the parts of the Job ---- */

static void put_pair(struct sonde_buf *buf, const char *before, const char *name, const char *value)
{
    sonde_buf_text(buf, before);
    sonde_buf_json_string(buf, sonde_str(name));
    sonde_buf_char(buf, ':');
    sonde_buf_json_string(buf, sonde_str(value));
}

static void put_labels(const struct load_job *job, struct sonde_buf *buf)
{
    put_pair(buf, "\"labels\":{", "app.kubernetes.io/name", "sonde-runner");
    put_pair(buf, ",", "app.kubernetes.io/managed-by", "sonde");
    put_pair(buf, ",", LOAD_JOB_LABEL, job->uid);
    sonde_buf_char(buf, '}');
}

static void put_secret_variable(struct sonde_buf *buf, const char *name,
                                const struct sonde_secret_key *key)
{
    put_pair(buf, ",{", "name", name);
    put_pair(buf, ",\"valueFrom\":{\"secretKeyRef\":{", "name", key->name);
    put_pair(buf, ",", "key", key->key);
    sonde_buf_text(buf, "}}}");
}

static void put_environment(const struct load_job *job, struct sonde_buf *buf)
{
    static const char *const fields[][2] = {{"POD_NAME", "metadata.name"},
                                            {"NODE_NAME", "spec.nodeName"}};
    const struct sonde_scenario *scenario = job->spec->scenario;
    const struct sonde_load_tls *tls = job->spec->http->tls;
    sonde_buf_text(buf, "\"env\":[");
    for (size_t i = 0; i < SONDE_LENGTH(fields); i++) {
        put_pair(buf, i ? ",{" : "{", "name", fields[i][0]);
        put_pair(buf, ",\"valueFrom\":{\"fieldRef\":{", "fieldPath", fields[i][1]);
        sonde_buf_text(buf, "}}}");
    }
    for (size_t i = 0; i < job->environment_count; i++) {
        put_pair(buf, ",{", "name", job->environment[i].key);
        put_pair(buf, ",", "value", job->environment[i].value);
        sonde_buf_char(buf, '}');
    }
    for (size_t i = 0; i < scenario->headers_from.count; i++) {
        char name[48];
        (void)snprintf(name, sizeof(name), "SONDE_HEADER_%zu", i);
        put_secret_variable(buf, name, scenario->headers_from.items[i].secret_key_ref);
    }
    if (tls && tls->authority) {
        put_secret_variable(buf, "SONDE_AUTHORITY", tls->authority);
    }
    sonde_buf_char(buf, ']');
}

static void put_amounts(struct sonde_buf *buf, const char *name,
                        const struct sonde_resource_amounts *amounts,
                        const struct sonde_resource_amounts *fallback)
{
    const char *cpu = amounts && amounts->cpu ? amounts->cpu : fallback->cpu;
    const char *memory = amounts && amounts->memory ? amounts->memory : fallback->memory;
    const char *before = "";
    sonde_buf_printf(buf, "\"%s\":{", name);
    if (cpu) {
        put_pair(buf, before, "cpu", cpu);
        before = ",";
    }
    if (memory) {
        put_pair(buf, before, "memory", memory);
    }
    sonde_buf_char(buf, '}');
}

/* A generator that has no right to a part of its node is measured instead of the target. Where a
 * limit is given, it is the request as well (kubernetes.io, "Resource Management"). */
static void put_resources(const struct sonde_resources *resources, struct sonde_buf *buf)
{
    const struct sonde_resource_amounts *limits = resources->limits;
    const struct sonde_resource_amounts none = {0};
    const struct sonde_resource_amounts least = {
        .cpu = limits && limits->cpu ? NULL : "100m",
        .memory = limits && limits->memory ? NULL : "64Mi",
    };
    sonde_buf_text(buf, "\"resources\":{");
    put_amounts(buf, "requests", resources->requests, &least);
    sonde_buf_char(buf, ',');
    put_amounts(buf, "limits", limits, &none);
    sonde_buf_char(buf, '}');
}

static void put_mounts(const struct load_job *job, const char *const *maps, size_t count,
                       struct sonde_buf *buf)
{
    const struct sonde_load_tls *tls = job->spec->http->tls;
    const char *before = "";
    sonde_buf_text(buf, "\"volumeMounts\":[");
    for (size_t i = 0; i < count; i++) {
        sonde_buf_printf(buf,
                         "%s{\"name\":\"map-%zu\",\"mountPath\":\"" LOAD_JOB_FILES
                         "/maps/%s\",\"readOnly\":true}",
                         before, i, maps[i]);
        before = ",";
    }
    if (tls && tls->client_certificate) {
        sonde_buf_printf(buf,
                         "%s{\"name\":\"client\",\"mountPath\":\"" LOAD_JOB_FILES
                         "/client\",\"readOnly\":true}",
                         before);
    }
    sonde_buf_char(buf, ']');
}

static void put_volumes(const struct load_job *job, const char *const *maps, size_t count,
                        struct sonde_buf *buf)
{
    const struct sonde_load_tls *tls = job->spec->http->tls;
    const char *before = "";
    sonde_buf_text(buf, ",\"volumes\":[");
    for (size_t i = 0; i < count; i++) {
        sonde_buf_printf(buf, "%s{\"name\":\"map-%zu\",\"configMap\":{\"name\":\"%s\"}}", before, i,
                         maps[i]);
        before = ",";
    }
    if (tls && tls->client_certificate) {
        sonde_buf_printf(buf,
                         "%s{\"name\":\"client\",\"secret\":{\"secretName\":\"%s\","
                         "\"defaultMode\":288}}", /* 0440 */
                         before, tls->client_certificate);
    }
    sonde_buf_char(buf, ']');
}

/* ---- where they run ---- */

static void put_toleration(const struct sonde_toleration *one, struct sonde_buf *buf)
{
    static const char *const effects[] = {
        [SONDE_TAINT_NO_SCHEDULE] = "NoSchedule",
        [SONDE_TAINT_PREFER_NO_SCHEDULE] = "PreferNoSchedule",
        [SONDE_TAINT_NO_EXECUTE] = "NoExecute",
    };
    put_pair(buf, "{", "operator", one->comparison == SONDE_TOLERATE_EXISTS ? "Exists" : "Equal");
    if (one->key) {
        put_pair(buf, ",", "key", one->key);
    }
    if (one->value) {
        put_pair(buf, ",", "value", one->value);
    }
    if (one->effect != SONDE_SPEC_NO_CHOICE) {
        put_pair(buf, ",", "effect", effects[one->effect]);
    }
    if (one->toleration_seconds != SONDE_SPEC_ABSENT) {
        sonde_buf_printf(buf, ",\"tolerationSeconds\":%lld", (long long)one->toleration_seconds);
    }
    sonde_buf_char(buf, '}');
}

/* As Kubernetes matches them (kubernetes.io, "Taints and Tolerations"), for NoExecute. */
static bool tolerates(const struct sonde_toleration *one, const char *taint)
{
    return (!one->key || strcmp(one->key, taint) == 0) &&
           (one->effect == SONDE_SPEC_NO_CHOICE || one->effect == SONDE_TAINT_NO_EXECUTE);
}

/* Of each of these taints for which nothing is said a pod on a node that is gone would be waited
 * for during 300 s. */
static void put_tolerations(const struct sonde_runner *runner, struct sonde_buf *buf)
{
    static const char *const taints[] = {"node.kubernetes.io/not-ready",
                                         "node.kubernetes.io/unreachable"};
    bool own[SONDE_LENGTH(taints)] = {false};
    const char *before = "";
    sonde_buf_text(buf, ",\"tolerations\":[");
    for (size_t i = 0; i < runner->tolerations.count; i++) {
        const struct sonde_toleration *one = &runner->tolerations.items[i];
        for (size_t j = 0; j < SONDE_LENGTH(taints); j++) {
            own[j] = own[j] || tolerates(one, taints[j]);
        }
        sonde_buf_text(buf, before);
        put_toleration(one, buf);
        before = ",";
    }
    for (size_t i = 0; i < SONDE_LENGTH(taints); i++) {
        if (!own[i]) {
            sonde_buf_printf(buf,
                             "%s{\"key\":\"%s\",\"operator\":\"Exists\",\"effect\":"
                             "\"NoExecute\",\"tolerationSeconds\":%d}",
                             before, taints[i], NODE_PATIENCE_SECONDS);
            before = ",";
        }
    }
    sonde_buf_char(buf, ']');
}

static void put_affinity(const struct load_job *job, struct sonde_buf *buf)
{
    const cJSON *label;
    const char *before = "";
    if (!cJSON_GetArraySize(job->selector)) {
        return;
    }
    sonde_buf_text(buf, ",\"affinity\":{\"podAntiAffinity\":{"
                        "\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":100,"
                        "\"podAffinityTerm\":{\"topologyKey\":\"kubernetes.io/hostname\","
                        "\"labelSelector\":{\"matchLabels\":{");
    cJSON_ArrayForEach(label, job->selector)
    {
        if (cJSON_IsString(label)) {
            put_pair(buf, before, label->string, label->valuestring);
            before = ",";
        }
    }
    sonde_buf_text(buf, "}}}}]}}");
}

static void put_place(const struct load_job *job, struct sonde_buf *buf)
{
    const struct sonde_runner *runner = job->spec->runner;
    put_pair(buf,
             ",\"topologySpreadConstraints\":[{\"maxSkew\":1,"
             "\"topologyKey\":\"kubernetes.io/hostname\",\"whenUnsatisfiable\":\"ScheduleAnyway\","
             "\"labelSelector\":{\"matchLabels\":{",
             LOAD_JOB_LABEL, job->uid);
    sonde_buf_text(buf, "}}}]");
    put_affinity(job, buf);
    put_tolerations(runner, buf);
    for (size_t i = 0; i < runner->node_selector.count; i++) {
        put_pair(buf, i ? "," : ",\"nodeSelector\":{", runner->node_selector.items[i].key,
                 runner->node_selector.items[i].value);
    }
    sonde_buf_text(buf, runner->node_selector.count ? "}" : "");
    if (runner->priority_class_name) {
        put_pair(buf, ",", "priorityClassName", runner->priority_class_name);
    }
}

/* ---- the whole ---- */

static void put_pod(const struct load_job *job, const char *const *maps, size_t count,
                    struct sonde_buf *buf)
{
    sonde_buf_text(buf, "\"template\":{\"metadata\":{");
    put_labels(job, buf);
    put_pair(buf, ",\"annotations\":{", "sonde.dev/run", job->test);
    put_pair(buf, ",", "sonde.dev/requester", job->requester);
    sonde_buf_printf(buf,
                     "}},\"spec\":{\"restartPolicy\":\"Never\","
                     "\"automountServiceAccountToken\":false,\"enableServiceLinks\":false,"
                     "\"terminationGracePeriodSeconds\":%d,\"securityContext\":{"
                     "\"runAsNonRoot\":true,\"runAsUser\":%d,\"runAsGroup\":%d,\"fsGroup\":%d,"
                     "\"seccompProfile\":{\"type\":\"RuntimeDefault\"}}",
                     GRACE_SECONDS, LOAD_JOB_USER, LOAD_JOB_USER, LOAD_JOB_USER);
    put_place(job, buf);
    put_pair(buf, ",\"containers\":[{\"name\":\"" LOAD_JOB_CONTAINER "\",", "image", job->image);
    sonde_buf_text(buf, ",\"imagePullPolicy\":\"IfNotPresent\",\"command\":[\"" PROGRAM "\"],"
                        "\"terminationMessagePolicy\":\"FallbackToLogsOnError\",");
    put_environment(job, buf);
    sonde_buf_char(buf, ',');
    put_resources(job->spec->runner->resources, buf);
    sonde_buf_text(buf, ",\"securityContext\":{\"allowPrivilegeEscalation\":false,"
                        "\"readOnlyRootFilesystem\":true,\"privileged\":false,"
                        "\"capabilities\":{\"drop\":[\"ALL\"]}},");
    put_mounts(job, maps, count, buf);
    sonde_buf_text(buf, "}]");
    put_volumes(job, maps, count, buf);
    sonde_buf_text(buf, "}}");
}

int load_job_print(const struct load_job *job, struct sonde_buf *ret, struct sonde_err *err)
{
    const char *maps[LOAD_JOB_MAPS_MAX];
    int count = load_job_maps(job->spec, maps, err);
    if (count < 0) {
        return count;
    }
    put_pair(ret, "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{", "name",
             job->name);
    put_pair(ret, ",", "namespace", job->namespace);
    sonde_buf_char(ret, ',');
    put_labels(job, ret);
    put_pair(ret, ",\"annotations\":{", "sonde.dev/run", job->test);
    put_pair(ret, ",", "sonde.dev/requester", job->requester);
    put_pair(ret,
             "},\"ownerReferences\":[{\"apiVersion\":\"" SONDE_SPEC_API_VERSION
             "\",\"kind\":\"LoadTest\",\"controller\":true,",
             "name", job->test);
    put_pair(ret, ",", "uid", job->uid);
    sonde_buf_printf(ret,
                     "}]},\"spec\":{\"completionMode\":\"Indexed\",\"completions\":%lld,"
                     "\"parallelism\":%lld,\"backoffLimitPerIndex\":%d,"
                     "\"activeDeadlineSeconds\":%lld,",
                     (long long)job->spec->parallelism, (long long)job->spec->parallelism,
                     job->spec->on_runner_loss == SONDE_LOSS_REPLACE ? REPLACEMENTS : 0,
                     (long long)job->deadline_seconds);
    put_pod(job, maps, (size_t)count, ret);
    sonde_buf_text(ret, "}}");
    return sonde_buf_check(ret, "the Job of the runners", err);
}
