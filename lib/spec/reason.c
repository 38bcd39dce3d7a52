/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/reason.h"

#include <string.h>

#include "base/memory.h"

static const struct sonde_reason reasons[] = {
    {SONDE_REASON_COMPLETED, "Everything asked for was captured and stored.", "Read the report."},
    {SONDE_REASON_INVALID_SPEC, "The document is not valid.",
     "Mend the field that the message names."},
    {SONDE_REASON_TARGET_NOT_FOUND, "No process matches.",
     "Check that it runs, and that you can see it (as its user, or as root); give --pid or another "
     "--match."},
    {SONDE_REASON_TARGET_AMBIGUOUS, "Several processes match.",
     "Choose one of those named in the message with --pid."},
    {SONDE_REASON_TARGET_NOT_VISIBLE, "The process cannot be seen from here.",
     "Run where its /proc entry is visible: the same container or the host, as the same user."},
    {SONDE_REASON_TARGET_NOT_NODE, "The process is not Node.js.",
     "Give the process id of a Node.js process."},
    {SONDE_REASON_UID_MISMATCH, "The process belongs to another user.",
     "Run as that user, or as root."},
    {SONDE_REASON_SIGNAL_NOT_HANDLED,
     "The process does not handle SIGUSR1, so it was not signalled: the signal would end it, "
     "or it was started with --disable-sigusr1 or --permission.",
     "Start it without --disable-sigusr1, or with --inspect=127.0.0.1:9229; in either case "
     "without --permission."},
    {SONDE_REASON_INSPECTOR_DID_NOT_OPEN,
     "The process was signalled, but no inspector opened: it has a SIGUSR1 handler of its own, "
     "or its loop never came round.",
     "Remove the handler, or start it with --inspect=127.0.0.1:9229."},
    {SONDE_REASON_INSPECTOR_BUSY, "The inspector's port is taken by another process.",
     "Wait until that process has closed it, or start the target with --inspect-port=0."},
    {SONDE_REASON_INSPECTOR_EXPOSED,
     "The process would open its inspector where others can reach it, so it was not signalled.",
     "Leave the host out of --inspect-port, or name 127.0.0.1; NODE_OPTIONS count too."},
    {SONDE_REASON_INSPECTOR_LOST, "The inspector stopped answering during the capture.",
     "Look at the target's log, then run again; what was stored before is kept."},
    {SONDE_REASON_INSPECTOR_LEFT_OPEN,
     "The capture is complete, but the inspector could not be seen to close.",
     "Check that nobody else is attached; the probe closes it when the last client leaves."},
    {SONDE_REASON_PROTOCOL_VIOLATED, "The inspector sent something that is not its protocol.",
     "Check what listens on that port; report it if it is Node.js."},
    {SONDE_REASON_TARGET_EXITED, "The process ended during the capture.",
     "See why it ended, then run again; what was stored before is kept."},
    {SONDE_REASON_DEADLINE_EXCEEDED, "activeDeadlineSeconds passed before the run was done.",
     "Raise spec.activeDeadlineSeconds, or capture for a shorter time."},
    {SONDE_REASON_CANCELLED, "A person or a signal stopped the run.",
     "Run it again when it suits."},
    {SONDE_REASON_INTERRUPTED, "The process that carried out the run ended before it was done.",
     "Run it again; what was stored before is kept, and the target cleans itself."},
    {SONDE_REASON_STORE_UNREACHABLE, "The store does not answer; the target was not touched.",
     "Check the store's address, and that it runs."},
    {SONDE_REASON_STORE_FULL, "The disk of the store is full.",
     "Free space, or delete runs with `sonde delete`; what was stored before is kept."},
    {SONDE_REASON_STORE_FAILED, "The store could not keep what was captured.",
     "See the message: the run may have been deleted, the disk be broken, or the right to write be "
     "missing."},
    {SONDE_REASON_ANALYSIS_FAILED, "What was captured is stored, but could not be analysed.",
     "See the message: mostly it is too much for one analysis. Look at what was stored with other "
     "tools (`sonde export`), or capture less."},
    {SONDE_REASON_UPLOAD_REJECTED, "The store refused the upload.", "See the store's message."},
    {SONDE_REASON_POD_SECURITY_DENIED,
     "Pod Security admission refused the sidecar: the pod itself breaks the namespace's policy.",
     "Bring the pod in line with the policy (it is checked as a whole), or profile it where the "
     "policy allows it."},
    {SONDE_REASON_ATTACH_DENIED, "The API server refused to add the sidecar to the pod.",
     "See the message: a policy of the cluster, or a right that the controller lacks."},
    {SONDE_REASON_SIDECAR_NOT_STARTED, "The sidecar's container did not start.",
     "See the message: mostly its image cannot be had on that node. The target was not touched."},
    {SONDE_REASON_SIDECAR_LOST, "The sidecar ended without a word, or its node was lost.",
     "Run it again; what was stored before is kept, and the target cleans itself."},
    {SONDE_REASON_TOO_MANY_SIDECARS,
     "The pod has had as many sidecars as one may have; Kubernetes never removes them.",
     "Let the pod be made anew (kubectl rollout restart), then run again."},
    {SONDE_REASON_TOO_FEW_READY, "Fewer pods are ready than spec.safety asks for.",
     "Wait until they are, or lower spec.safety.minReadyReplicas."},
    {SONDE_REASON_ROLLOUT_IN_PROGRESS, "The workload is being rolled out.",
     "Wait until it has ended, or set spec.safety.skipIfRollingOut to false."},
    {SONDE_REASON_COOLING_DOWN, "The pods were profiled a short time ago.",
     "Wait, or lower spec.safety.coolDownSeconds."},
    {SONDE_REASON_SNAPSHOT_TOO_RISKY,
     "A heap snapshot could stop the process for too long, or take more memory than is free; none "
     "was taken.",
     "Capture AllocationSampling instead; or take it where more memory is free, or raise "
     "spec.safety.maxPauseSeconds."},
    {SONDE_REASON_THRESHOLD_BROKEN, "A threshold of the load test does not hold.",
     "See which, and by how much, in the report; compare it with a run that kept it."},
    {SONDE_REASON_INVALID, "The load test cannot be believed: its generator was measured as well.",
     "See the message: give the generator more CPU or connections, or a lower rate."},
    {SONDE_REASON_HOST_NOT_ALLOWED,
     "The load test would load a host outside of the cluster that its namespace does not name, or "
     "more than its ceiling allows.",
     "Ask whoever administers the namespace for the annotation sonde.dev/load-hosts; lower the "
     "rate, or name the host in spec.safety.allowedHosts."},
    {SONDE_REASON_RATE_NOT_ALLOWED,
     "The load test would send more requests a second than its namespace allows, or nobody knows "
     "how many.",
     "Lower the rate, or give one; or ask whoever administers the namespace for another limit in "
     "the annotation sonde.dev/load-max-rate."},
    {SONDE_REASON_RUNNER_UNSCHEDULABLE, "No node takes a runner of the load test.",
     "See the scheduler's words in the message: ask for less in spec.runner.resources, or for "
     "other nodes in nodeSelector and tolerations."},
    {SONDE_REASON_RUNNERS_NOT_READY,
     "The runners of the load test were not ready by spec.runner.startTimeoutSeconds.",
     "See the message: mostly an image, a Secret or a ConfigMap cannot be had."},
    {SONDE_REASON_RUNNER_OUT_OF_MEMORY, "A runner of the load test was killed for want of memory.",
     "Raise spec.runner.resources.limits.memory, or share the load among more runners."},
    {SONDE_REASON_RUNNER_LOST, "A runner of the load test ended before the test did.",
     "See the message for how it ended; spec.onRunnerLoss says what happens then."},
    {SONDE_REASON_INCONSISTENT,
     "What a runner says it sent is not what arrived, so the load test has no verdict.",
     "Run it again; report it if it happens twice."},
    {SONDE_REASON_REGRESSION, "The run is worse than the runs that it was compared with.",
     "See in the message what got worse, and by how much; then compare the two runs."},
    {SONDE_REASON_SCHEDULED, "The schedule fires when its status says.", "Wait for it."},
    {SONDE_REASON_SUSPENDED, "spec.suspend is set, so the schedule does not fire.",
     "Set spec.suspend to false."},
    {SONDE_REASON_TIME_ZONE_UNKNOWN,
     "The controller's time zone data does not have spec.timeZone; the schedule does not fire.",
     "Mend the name: those of the IANA database are known, such as Europe/London."},
    {SONDE_REASON_NEVER_FIRES, "No day of the coming years fits the schedule.",
     "Mend spec.schedule: 30 February is no day."},
    {SONDE_REASON_REQUESTER_UNKNOWN,
     "Nobody recorded who made the schedule, so nobody's right can be checked; it does not fire.",
     "Let the cluster record it (components/requester-policy or requester-webhook), then change "
     "the schedule's spec or make it again."},
    {SONDE_REASON_REQUESTER_NOT_ALLOWED,
     "Whoever last changed the schedule's spec may no longer do what it asks for; nothing was "
     "made.",
     "Give that person the right that the message names, or let somebody who has it change the "
     "spec."},
    {SONDE_REASON_RUN_REFUSED, "The API server did not take what the schedule makes.",
     "See the message: mostly a policy of the cluster. Apply the template as a run of your own to "
     "try it."},
    {SONDE_REASON_UNSUPPORTED, "This version cannot do what the document asks for.",
     "Remove the field that the message names, or use a newer version."},
    {SONDE_REASON_INTERNAL, "A defect in Sonde.", "Please report it with the message."},
};

const struct sonde_reason *sonde_reasons(size_t *ret_count)
{
    *ret_count = SONDE_LENGTH(reasons);
    return reasons;
}

const struct sonde_reason *sonde_reason_find(const char *word)
{
    for (size_t i = 0; word && i < SONDE_LENGTH(reasons); i++) {
        if (strcmp(reasons[i].word, word) == 0) {
            return &reasons[i];
        }
    }
    return NULL;
}
