/* SPDX-License-Identifier: Apache-2.0 */
/* Why a run ended as it did, in words a person can act on: the one table of them,
 * each with its remedy. The words stand in sonde_err.reason, in a run's status
 * and in docs/reference/reasons.md, which is printed from here. */
#ifndef SONDE_SPEC_REASON_H
#define SONDE_SPEC_REASON_H

#include <stddef.h>

#define SONDE_REASON_COMPLETED "Completed"
#define SONDE_REASON_INVALID_SPEC "InvalidSpec"
#define SONDE_REASON_TARGET_NOT_FOUND "TargetNotFound"
#define SONDE_REASON_TARGET_AMBIGUOUS "TargetAmbiguous"
#define SONDE_REASON_TARGET_NOT_VISIBLE "TargetNotVisible"
#define SONDE_REASON_TARGET_NOT_NODE "TargetNotNode"
#define SONDE_REASON_UID_MISMATCH "UidMismatch"
#define SONDE_REASON_SIGNAL_NOT_HANDLED "SignalNotHandled"
#define SONDE_REASON_INSPECTOR_DID_NOT_OPEN "InspectorDidNotOpen"
#define SONDE_REASON_INSPECTOR_BUSY "InspectorBusy"
#define SONDE_REASON_INSPECTOR_EXPOSED "InspectorExposed"
#define SONDE_REASON_INSPECTOR_LOST "InspectorLost"
#define SONDE_REASON_INSPECTOR_LEFT_OPEN "InspectorLeftOpen"
#define SONDE_REASON_PROTOCOL_VIOLATED "ProtocolViolated"
#define SONDE_REASON_TARGET_EXITED "TargetExited"
#define SONDE_REASON_DEADLINE_EXCEEDED "DeadlineExceeded"
#define SONDE_REASON_CANCELLED "Cancelled"
#define SONDE_REASON_INTERRUPTED "Interrupted"
#define SONDE_REASON_STORE_UNREACHABLE "StoreUnreachable"
#define SONDE_REASON_STORE_FULL "StoreFull"
#define SONDE_REASON_STORE_FAILED "StoreFailed"
#define SONDE_REASON_ANALYSIS_FAILED "AnalysisFailed"
#define SONDE_REASON_UPLOAD_REJECTED "UploadRejected"
#define SONDE_REASON_POD_SECURITY_DENIED "PodSecurityDenied"
#define SONDE_REASON_ATTACH_DENIED "AttachDenied"
#define SONDE_REASON_SIDECAR_NOT_STARTED "SidecarNotStarted"
#define SONDE_REASON_SIDECAR_LOST "SidecarLost"
#define SONDE_REASON_TOO_MANY_SIDECARS "TooManySidecars"
#define SONDE_REASON_TOO_FEW_READY "TooFewReady"
#define SONDE_REASON_ROLLOUT_IN_PROGRESS "RolloutInProgress"
#define SONDE_REASON_COOLING_DOWN "CoolingDown"
#define SONDE_REASON_SNAPSHOT_TOO_RISKY "SnapshotTooRisky"
#define SONDE_REASON_THRESHOLD_BROKEN "ThresholdBroken"
#define SONDE_REASON_INVALID "Invalid"
#define SONDE_REASON_HOST_NOT_ALLOWED "HostNotAllowed"
#define SONDE_REASON_RATE_NOT_ALLOWED "RateNotAllowed"
#define SONDE_REASON_RUNNER_UNSCHEDULABLE "RunnerUnschedulable"
#define SONDE_REASON_RUNNERS_NOT_READY "RunnersNotReady"
#define SONDE_REASON_RUNNER_OUT_OF_MEMORY "RunnerOutOfMemory"
#define SONDE_REASON_RUNNER_LOST "RunnerLost"
#define SONDE_REASON_INCONSISTENT "Inconsistent"
#define SONDE_REASON_REGRESSION "Regression"
#define SONDE_REASON_SCHEDULED "Scheduled"
#define SONDE_REASON_SUSPENDED "Suspended"
#define SONDE_REASON_TIME_ZONE_UNKNOWN "TimeZoneUnknown"
#define SONDE_REASON_NEVER_FIRES "NeverFires"
#define SONDE_REASON_REQUESTER_UNKNOWN "RequesterUnknown"
#define SONDE_REASON_REQUESTER_NOT_ALLOWED "RequesterNotAllowed"
#define SONDE_REASON_RUN_REFUSED "RunRefused"
#define SONDE_REASON_UNSUPPORTED "Unsupported"
#define SONDE_REASON_INTERNAL "Internal"

struct sonde_reason {
    const char *word;
    const char *meaning; /* a sentence */
    const char *remedy;  /* a sentence: what the person does next */
};

/* All reasons, in the order of the page. */
const struct sonde_reason *sonde_reasons(size_t *ret_count);
/* The row of a word, or NULL. */
const struct sonde_reason *sonde_reason_find(const char *word);

#endif
