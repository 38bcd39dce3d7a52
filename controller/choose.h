/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods a run means, which of them are taken, and whether they may be now. Pure. */
#ifndef SONDE_CONTROLLER_CHOOSE_H
#define SONDE_CONTROLLER_CHOOSE_H

#include "controller/pods.h"

enum { CHOOSE_TARGETS_MAX = 50 };

/* A pod that a run means. */
struct candidate {
    const struct sonde_kube_object *object;
    const struct pod *pod;
};

/* Whether a pod belongs to the workload: by its controller, for a Deployment by that of its
 * ReplicaSet, whose name is the Deployment's and the pod-template-hash. */
bool choose_belongs(const struct pod *pod, const struct sonde_workload_ref *workload);

/* Whether the Deployment, StatefulSet … is being rolled out: as "kubectl rollout status" would
 * wait, but for a Deployment whose pods were all available once, and one of them is not any more.
 */
bool choose_rolling_out(const cJSON *object, int kind);

/* Leaves out pods in which a sidecar of ours ended less than so many seconds before `now` (ns since
 * 1970); the others stay in their order at the front of the list. Returns how many; 0 s: all. */
size_t choose_rested(struct candidate *candidates, size_t count, int64_t seconds, int64_t now);

/* Takes pods as the policy says: ready ones that are not leaving; spread over nodes as evenly as it
 * goes, else those with fewer sidecars so far. Fills ret with indexes of candidates and returns how
 * many, at most CHOOSE_TARGETS_MAX; *ret_left_out is how many more the policy wants. */
size_t choose_pods(const struct candidate *candidates, size_t count,
                   const struct sonde_pod_selection *selection, size_t ret[CHOOSE_TARGETS_MAX],
                   size_t *ret_left_out);

/* Whether the gates are open; `wanted` is the target in a word, for the message. SONDE_EBUSY with a
 * reason: RolloutInProgress, TooFewReady; SONDE_ENOTFOUND: TargetNotFound. */
int choose_check(const char *wanted, const struct candidate *candidates, size_t count,
                 bool rolling_out, const struct sonde_profile_safety *safety,
                 struct sonde_err *err) SONDE_MUST_CHECK;

#endif
