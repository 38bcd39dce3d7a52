/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/choose.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "spec/reason.h"

static const char *const owner_kinds[] = {
    [SONDE_WORKLOAD_DEPLOYMENT] = "ReplicaSet",
    [SONDE_WORKLOAD_STATEFUL_SET] = "StatefulSet",
    [SONDE_WORKLOAD_DAEMON_SET] = "DaemonSet",
    [SONDE_WORKLOAD_REPLICA_SET] = "ReplicaSet",
    [SONDE_WORKLOAD_JOB] = "Job",
};

bool choose_belongs(const struct pod *pod, const struct sonde_workload_ref *workload)
{
    if (strcmp(pod->owner_kind, owner_kinds[workload->kind]) != 0) {
        return false;
    }
    if (workload->kind != SONDE_WORKLOAD_DEPLOYMENT) {
        return strcmp(pod->owner_name, workload->name) == 0;
    }
    const char *hash = pod_label(pod, "pod-template-hash");
    size_t length = strlen(workload->name);
    return hash && strncmp(pod->owner_name, workload->name, length) == 0 &&
           pod->owner_name[length] == '-' && strcmp(pod->owner_name + length + 1, hash) == 0;
}

static int64_t number(const cJSON *object, const char *name, int64_t fallback)
{
    return sonde_json_integer_or(object, name, fallback);
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* The new pods have all been available once. That one of them is not any more is no rollout. */
static bool has_rolled_out(const cJSON *status)
{
    const cJSON *condition;
    cJSON_ArrayForEach(condition, member(status, "conditions"))
    {
        if (strcmp(sonde_json_string_or(condition, "type", ""), "Progressing") == 0) {
            return strcmp(sonde_json_string_or(condition, "reason", ""),
                          "NewReplicaSetAvailable") == 0;
        }
    }
    return false;
}

static bool deployment_rolls(int64_t replicas, const cJSON *status)
{
    int64_t updated = number(status, "updatedReplicas", 0);
    return updated < replicas || number(status, "replicas", 0) > updated ||
           (number(status, "availableReplicas", 0) < updated && !has_rolled_out(status));
}

static bool stateful_set_rolls(int64_t replicas, const cJSON *strategy, const cJSON *status)
{
    int64_t partition = number(member(strategy, "rollingUpdate"), "partition", 0);
    if (partition > 0) { /* of the pods below it none is to be replaced */
        return number(status, "updatedReplicas", 0) < replicas - partition;
    }
    return strcmp(sonde_json_string_or(status, "updateRevision", ""),
                  sonde_json_string_or(status, "currentRevision", "")) != 0;
}

static bool daemon_set_rolls(const cJSON *status)
{
    int64_t desired = number(status, "desiredNumberScheduled", 0);
    return number(status, "updatedNumberScheduled", 0) < desired ||
           number(status, "numberAvailable", 0) < desired;
}

bool choose_rolling_out(const cJSON *object, int kind)
{
    const cJSON *spec = member(object, "spec");
    const cJSON *status = member(object, "status");
    const cJSON *strategy = member(spec, "updateStrategy");
    int64_t replicas = number(spec, "replicas", 1);
    bool seen = number(status, "observedGeneration", 0) >=
                number(member(object, "metadata"), "generation", 0);
    if (kind == SONDE_WORKLOAD_REPLICA_SET || kind == SONDE_WORKLOAD_JOB) {
        return false;
    }
    if (!seen || strcmp(sonde_json_string_or(strategy, "type", ""), "OnDelete") == 0) {
        return !seen; /* OnDelete: whoever deletes the pods knows when */
    }
    return kind == SONDE_WORKLOAD_DEPLOYMENT     ? deployment_rolls(replicas, status)
           : kind == SONDE_WORKLOAD_STATEFUL_SET ? stateful_set_rolls(replicas, strategy, status)
                                                 : daemon_set_rolls(status);
}

size_t choose_rested(struct candidate *candidates, size_t count, int64_t seconds, int64_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const struct pod *pod = candidates[i].pod;
        bool recent = false;
        for (size_t s = 0; s < pod->sidecar_count; s++) {
            recent = recent || pod->sidecars[s].finished_ns > now - seconds * SONDE_SECOND;
        }
        if (!recent || seconds == 0) {
            candidates[kept++] = candidates[i];
        }
    }
    return kept;
}

static bool takable(const struct candidate *candidate)
{
    return candidate->pod->running && candidate->pod->ready && !candidate->pod->leaving;
}

static size_t wanted_count(size_t takable_count, const struct sonde_pod_selection *selection)
{
    size_t wanted = 1;
    switch ((enum sonde_pod_policy)selection->policy) {
    case SONDE_PODS_ONE:
        break;
    case SONDE_PODS_COUNT:
        wanted = (size_t)selection->count;
        break;
    case SONDE_PODS_PERCENT:
        wanted = (takable_count * (size_t)selection->percent + 99) / 100;
        break;
    case SONDE_PODS_ALL:
        wanted = takable_count;
        break;
    }
    return wanted > takable_count ? takable_count : wanted;
}

/* How many of those taken so far run on the node. */
static size_t taken_on(const struct candidate *candidates, const size_t *taken, size_t count,
                       const char *node)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += strcmp(candidates[taken[i]].pod->node, node) == 0;
    }
    return found;
}

static bool is_taken(const size_t *taken, size_t count, size_t index)
{
    for (size_t i = 0; i < count; i++) {
        if (taken[i] == index) {
            return true;
        }
    }
    return false;
}

/* Pods that had fewer sidecars first: entries are never removed, and a pod that was left alone for
 * a while starts one sooner. */
static bool goes_before(const struct candidate *a, const struct candidate *b)
{
    return a->pod->sidecar_count != b->pod->sidecar_count
               ? a->pod->sidecar_count < b->pod->sidecar_count
               : strcmp(a->object->key, b->object->key) < 0;
}

size_t choose_pods(const struct candidate *candidates, size_t count,
                   const struct sonde_pod_selection *selection, size_t ret[CHOOSE_TARGETS_MAX],
                   size_t *ret_left_out)
{
    size_t able = 0;
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        able += takable(&candidates[i]);
    }
    size_t wanted = wanted_count(able, selection);
    *ret_left_out = wanted > CHOOSE_TARGETS_MAX ? wanted - CHOOSE_TARGETS_MAX : 0;
    wanted -= *ret_left_out;
    bool spread = selection->spread == SONDE_SPREAD_NODE;
    while (taken < wanted) {
        size_t best = count;
        size_t best_load = SIZE_MAX;
        for (size_t i = 0; i < count; i++) {
            if (!takable(&candidates[i]) || is_taken(ret, taken, i)) {
                continue;
            }
            size_t load = spread ? taken_on(candidates, ret, taken, candidates[i].pod->node) : 0;
            if (best == count || load < best_load ||
                (load == best_load && goes_before(&candidates[i], &candidates[best]))) {
                best = i;
                best_load = load;
            }
        }
        ret[taken++] = best;
    }
    return taken;
}

int choose_check(const char *wanted, const struct candidate *candidates, size_t count,
                 bool rolling_out, const struct sonde_profile_safety *safety, struct sonde_err *err)
{
    int64_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        ready += takable(&candidates[i]);
    }
    if (count == 0) {
        return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_NOT_FOUND,
                                 "there is no pod for %s in the namespace of the run", wanted);
    }
    if (rolling_out && safety->skip_if_rolling_out) {
        return sonde_fail_reason(err, SONDE_EBUSY, SONDE_REASON_ROLLOUT_IN_PROGRESS,
                                 "the workload is being rolled out (spec.safety.skipIfRollingOut)");
    }
    if (ready == 0 || ready < safety->min_ready_replicas) {
        return sonde_fail_reason(
            err, SONDE_EBUSY, SONDE_REASON_TOO_FEW_READY,
            "%lld of %zu pods are ready, and %lld must be "
            "(spec.safety.minReadyReplicas)",
            (long long)ready, count,
            (long long)(safety->min_ready_replicas > 1 ? safety->min_ready_replicas : 1));
    }
    return 0;
}
