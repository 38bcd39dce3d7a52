/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/formats.h"
#include "spec/tables.h"

#define CPU SONDE_BIT(SONDE_CAPTURE_CPU_PROFILE)
#define SNAPSHOT SONDE_BIT(SONDE_CAPTURE_HEAP_SNAPSHOT)
#define SAMPLING SONDE_BIT(SONDE_CAPTURE_ALLOCATION_SAMPLING)
#define TIMELINE SONDE_BIT(SONDE_CAPTURE_ALLOCATION_TIMELINE)
#define COVERAGE SONDE_BIT(SONDE_CAPTURE_COVERAGE)
#define EVENT_LOOP SONDE_BIT(SONDE_CAPTURE_EVENT_LOOP)

enum {
    DEADLINE_MIN = 10,
    DEADLINE_DEFAULT = 600,
    COLLECTED_SECONDS_MAX = 300,
    TARGETS_MAX = 50,
    ARTIFACTS_MAX = 200,
};

static const char *const label_operators[] = {"In", "NotIn", "Exists", "DoesNotExist", NULL};
const char *const sonde_workload_kinds[] = {"Deployment", "StatefulSet", "DaemonSet",
                                            "ReplicaSet", "Job",         NULL};
static const char *const worker_threads[] = {"MainOnly", "All", NULL};
static const char *const child_processes[] = {"Ignore", "Include", NULL};
static const char *const pod_policies[] = {"One", "Count", "Percent", "All", NULL};
static const char *const pod_spreads[] = {"Node", "None", NULL};
static const char *const redactions[] = {"Strings", "None", NULL};
static const char *const coverage_details[] = {"Block", "Function", NULL};

const char *const sonde_capture_types[] = {
    "CPUProfile",
    "HeapSnapshot",
    "AllocationSampling",
    "AllocationTimeline",
    "Coverage",
    "EventLoop",
    "Report",
    NULL,
};

static bool has_no_values(const struct sonde_label_expression *expression)
{
    return expression->comparison == SONDE_LABEL_EXISTS ||
           expression->comparison == SONDE_LABEL_DOES_NOT_EXIST;
}

static bool values_fit_operator(const void *object)
{
    const struct sonde_label_expression *expression = object;
    return has_no_values(expression) == (expression->values.count == 0);
}

static const struct sonde_rule rule_values = {
    .name = "ValuesFitOperator",
    .message = "must be given for In and NotIn, and only for those",
    .field = "values",
    .cel = "(self.operator in ['Exists', 'DoesNotExist']) == !has(self.values)",
    .holds = values_fit_operator,
};

static const struct sonde_object label_expression = {
    .size = sizeof(struct sonde_label_expression),
    .rules = {&rule_values},
    .fields =
        (const struct sonde_field[]){
            {.name = "key",
             .description = "The label's key.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_label_expression, key),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_LABEL_KEY_MAX,
             .format = &sonde_format_label_key},
            {.name = "operator",
             .description = "How the label's value is compared.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_label_expression, comparison),
             .required = true,
             .choices = label_operators},
            {.name = "values",
             .description = "The values that In and NotIn compare with.",
             .type = SONDE_FIELD_STRINGS,
             SONDE_AT(sonde_label_expression, values),
             .count_min = 1,
             .count_max = 32,
             .length_max = SONDE_LABEL_VALUE_MAX,
             .format = &sonde_format_label_value,
             .set = true},
            {0},
        },
};

static bool selects_something(const void *object)
{
    const struct sonde_label_selector *selector = object;
    return selector->match_labels.count + selector->match_expressions.count > 0;
}

static const struct sonde_rule rule_selector = {
    .name = "SelectorSelects",
    .message = "must have matchLabels or matchExpressions: an empty selector would be every pod",
    .cel = "has(self.matchLabels) || has(self.matchExpressions)",
    .holds = selects_something,
};

static const struct sonde_object label_selector = {
    .size = sizeof(struct sonde_label_selector),
    .rules = {&rule_selector},
    .fields =
        (const struct sonde_field[]){
            {.name = "matchLabels",
             .description = "Labels that a pod must have, with these values.",
             .type = SONDE_FIELD_PAIRS,
             SONDE_AT(sonde_label_selector, match_labels),
             .count_min = 1,
             .count_max = 16,
             .length_max = SONDE_LABEL_VALUE_MAX,
             .format = &sonde_format_label_value,
             .key_format = &sonde_format_label_key},
            {.name = "matchExpressions",
             .description = "Conditions on labels that a pod must meet, all of them.",
             .type = SONDE_FIELD_OBJECTS,
             SONDE_AT(sonde_label_selector, match_expressions),
             .count_min = 1,
             .count_max = 16,
             .object = &label_expression},
            {0},
        },
};

static const struct sonde_object workload_ref = {
    .size = sizeof(struct sonde_workload_ref),
    .fields =
        (const struct sonde_field[]){
            {.name = "kind",
             .description = "The workload's kind.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_workload_ref, kind),
             .fallback = "Deployment",
             .choices = sonde_workload_kinds},
            {.name = "name",
             .description = "The workload's name, in the namespace of the run.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_workload_ref, name),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX,
             .format = &sonde_format_dns_subdomain},
            {0},
        },
};

static const struct sonde_object process_choice = {
    .size = sizeof(struct sonde_process_choice),
    .fields =
        (const struct sonde_field[]){
            {.name = "match",
             .description = "Part of the command line, as typed by a person: a script's path, a "
                            "name or a port.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_process_choice, match),
             .length_min = 1,
             .length_max = 256,
             .format = &sonde_format_one_line},
            {.name = "index",
             .description = "Which of the processes that match, the oldest first, from 0. Without "
                            "it there must be exactly one.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_process_choice, index),
             .minimum = 0,
             .maximum = 63},
            {0},
        },
};

const struct sonde_object sonde_object_profile_target = {
    .size = sizeof(struct sonde_profile_target),
    .groups = {{"podName", "selector", "workloadRef"}},
    .fields =
        (const struct sonde_field[]){
            {.name = "podName",
             .description = "A pod's name.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_profile_target, pod_name),
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX,
             .format = &sonde_format_dns_subdomain},
            {.name = "selector",
             .description = "The pods with these labels.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_profile_target, selector),
             .object = &label_selector},
            {.name = "workloadRef",
             .description = "The pods of a workload.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_profile_target, workload_ref),
             .object = &workload_ref},
            {.name = "containerName",
             .description = "The container in the pod. Without it, the only one that runs Node.js.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_profile_target, container_name),
             .length_min = 1,
             .length_max = SONDE_DNS_LABEL_MAX,
             .format = &sonde_format_dns_label},
            {.name = "process",
             .description = "The process in the container, where several run Node.js.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_profile_target, process),
             .object = &process_choice},
            {.name = "workerThreads",
             .description = "Whether worker threads are captured as well as the main thread.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_profile_target, worker_threads),
             .fallback = "MainOnly",
             .choices = worker_threads},
            {.name = "childProcesses",
             .description = "Whether the process's child processes and cluster workers are "
                            "captured too, each in turn.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_profile_target, child_processes),
             .fallback = "Ignore",
             .choices = child_processes},
            {0},
        },
};

const struct sonde_object sonde_object_pod_selection = {
    .size = sizeof(struct sonde_pod_selection),
    .discriminator = "policy",
    .fields =
        (const struct sonde_field[]){
            {.name = "policy",
             .description = "How many of the target's ready pods are captured.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_pod_selection, policy),
             .fallback = "One",
             .choices = pod_policies},
            {.name = "count",
             .description = "The number of pods.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_pod_selection, count),
             .required = true,
             .minimum = 1,
             .maximum = TARGETS_MAX,
             .only_for = SONDE_BIT(SONDE_PODS_COUNT)},
            {.name = "percent",
             .description = "The share of the pods, rounded up.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_pod_selection, percent),
             .required = true,
             .minimum = 1,
             .maximum = 100,
             .only_for = SONDE_BIT(SONDE_PODS_PERCENT)},
            {.name = "maxConcurrent",
             .description = "The pods captured at the same time.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_pod_selection, max_concurrent),
             .fallback = "1",
             .minimum = 1,
             .maximum = TARGETS_MAX},
            {.name = "spread",
             .description = "Whether pods on different nodes are preferred.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_pod_selection, spread),
             .fallback = "Node",
             .choices = pod_spreads},
            {0},
        },
};

static bool collected_is_short(const void *object)
{
    const struct sonde_capture *capture = object;
    return !capture->include_collected || capture->duration_seconds <= COLLECTED_SECONDS_MAX;
}

static const struct sonde_rule rule_collected = {
    .name = "CollectedIsShort",
    .message = "must be at most 300 with includeCollected, which keeps a record of every sampled "
               "object in the target",
    .field = "durationSeconds",
    .cel = "!has(self.includeCollected) || !self.includeCollected || "
           "!has(self.durationSeconds) || self.durationSeconds <= 300",
    .holds = collected_is_short,
};

const struct sonde_object sonde_object_capture = {
    .size = sizeof(struct sonde_capture),
    .discriminator = "type",
    .rules = {&rule_collected},
    .fields =
        (const struct sonde_field[]){
            {.name = "name",
             .description = "The capture's name in reports and exports.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_capture, name),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_LABEL_MAX,
             .format = &sonde_format_dns_label},
            {.name = "type",
             .description = "What is captured.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_capture, type),
             .required = true,
             .choices = sonde_capture_types},
            {.name = "durationSeconds",
             .description = "How long it is captured.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_capture, duration_seconds),
             .fallback = "30",
             .minimum = 1,
             .maximum = 3600,
             .only_for = CPU | SAMPLING | TIMELINE | COVERAGE | EVENT_LOOP},
            {.name = "samplingIntervalMicroseconds",
             .description = "The time between two samples of the stack.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_capture, sampling_interval_us),
             .fallback = "1000",
             .minimum = 100,
             .maximum = 1000000,
             .only_for = CPU},
            {.name = "windowSeconds",
             .description = "The length of the windows in which the profile is taken and sent, so "
                            "that little is lost when the target ends.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_capture, window_seconds),
             .fallback = "5",
             .minimum = 1,
             .maximum = 60,
             .only_for = CPU},
            {.name = "samplingIntervalBytes",
             .description = "The mean distance between two sampled allocations.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_capture, sampling_interval_bytes),
             .fallback = "32768",
             .minimum = 1024,
             .maximum = 16777216,
             .only_for = SAMPLING},
            {.name = "includeCollected",
             .description = "Whether objects that the garbage collector has freed count too. The "
                            "record of them grows in the target: at most 300 seconds.",
             .type = SONDE_FIELD_BOOLEAN,
             SONDE_AT(sonde_capture, include_collected),
             .fallback = "false",
             .only_for = SAMPLING},
            {.name = "redaction",
             .description = "Strings: string values become their length and a keyed hash before "
                            "they leave the pod. None: they are stored as they are.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_capture, redaction),
             .fallback = "Strings",
             .choices = redactions,
             .only_for = SNAPSHOT | TIMELINE},
            {.name = "exposeNumericValues",
             .description = "Whether the values of numbers are captured.",
             .type = SONDE_FIELD_BOOLEAN,
             SONDE_AT(sonde_capture, expose_numeric_values),
             .fallback = "false",
             .only_for = SNAPSHOT},
            {.name = "coverageDetail",
             .description = "Whether blocks are counted, or functions only.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_capture, coverage_detail),
             .fallback = "Block",
             .choices = coverage_details,
             .only_for = COVERAGE},
            {.name = "resolutionMilliseconds",
             .description = "The resolution of the delay histogram.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_capture, resolution_ms),
             .fallback = "10",
             .minimum = 1,
             .maximum = 1000,
             .only_for = EVENT_LOOP},
            {.name = "stallThresholdMilliseconds",
             .description = "A stall of the loop at least this long is recorded with its stack.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_capture, stall_threshold_ms),
             .fallback = "50",
             .minimum = 5,
             .maximum = 60000,
             .only_for = EVENT_LOOP},
            {0},
        },
};

int64_t sonde_captures_duration(const struct sonde_capture *captures, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += captures[i].duration_seconds > 0 ? captures[i].duration_seconds : 0;
    }
    return sum;
}

bool sonde_captures_snapshot(const struct sonde_capture *captures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (captures[i].type == SONDE_CAPTURE_HEAP_SNAPSHOT) {
            return true;
        }
    }
    return false;
}

static const struct sonde_object attach = {
    .size = sizeof(struct sonde_attach),
    .fields =
        (const struct sonde_field[]){
            {.name = "runAsUser",
             .description = "The numeric user of the target, where the cluster does not tell it.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_attach, run_as_user),
             .minimum = 0,
             .maximum = INT32_MAX},
            {0},
        },
};

static const struct sonde_object safety = {
    .size = sizeof(struct sonde_profile_safety),
    .fields =
        (const struct sonde_field[]){
            {.name = "minReadyReplicas",
             .description = "Pods of the target that must be ready before one is touched.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_profile_safety, min_ready_replicas),
             .fallback = "1",
             .minimum = 0,
             .maximum = 1000},
            {.name = "skipIfRollingOut",
             .description = "Whether nothing is captured while the workload is being rolled out.",
             .type = SONDE_FIELD_BOOLEAN,
             SONDE_AT(sonde_profile_safety, skip_if_rolling_out),
             .fallback = "true"},
            {.name = "coolDownSeconds",
             .description = "The time that must have passed since the last run on the same pod.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_profile_safety, cool_down_seconds),
             .fallback = "0",
             .minimum = 0,
             .maximum = SONDE_DAY_SECONDS},
            {.name = "maxPauseSeconds",
             .description = "A heap snapshot that would stop the target for longer is refused.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_profile_safety, max_pause_seconds),
             .fallback = "10",
             .minimum = 1,
             .maximum = 600},
            {.name = "heapHeadroomPercent",
             .description = "A heap snapshot is refused unless this share of the used heap is free "
                            "below the memory limit.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_profile_safety, heap_headroom_percent),
             .fallback = "150",
             .minimum = 0,
             .maximum = 1000},
            {0},
        },
};

static bool captures_fit_deadline(const void *object)
{
    const struct sonde_profile_run *run = object;
    return sonde_captures_duration(run->captures.items, run->captures.count) <
           run->active_deadline_seconds;
}

static const struct sonde_rule rule_deadline = {
    .name = "CapturesFitDeadline",
    .message = "must be more than the captures' durations together",
    .field = "activeDeadlineSeconds",
    .cel = "!has(self.activeDeadlineSeconds) || self.captures.map(c, has(c.durationSeconds) ? "
           "c.durationSeconds : (c.type in ['HeapSnapshot', 'Report'] ? 0 : 30)).sum() < "
           "self.activeDeadlineSeconds",
    .holds = captures_fit_deadline,
};

static bool not_all_for_snapshot(const void *object)
{
    const struct sonde_profile_run *run = object;
    return run->pod_selection->policy != SONDE_PODS_ALL ||
           !sonde_captures_snapshot(run->captures.items, run->captures.count);
}

static const struct sonde_rule rule_snapshot = {
    .name = "NoSnapshotOfAllPods",
    .message = "must not be All with a HeapSnapshot, which stops each pod for seconds: choose "
               "One, Count or Percent",
    .field = "podSelection",
    .cel = "self.podSelection.policy != 'All' || self.captures.all(c, c.type != 'HeapSnapshot')",
    .holds = not_all_for_snapshot,
};

static void derive(void *object)
{
    struct sonde_profile_run *run = object;
    if (run->active_deadline_seconds == SONDE_SPEC_ABSENT) {
        int64_t twice = 2 * sonde_captures_duration(run->captures.items, run->captures.count);
        twice = twice > DEADLINE_DEFAULT ? twice : DEADLINE_DEFAULT;
        run->active_deadline_seconds = twice < SONDE_DAY_SECONDS ? twice : SONDE_DAY_SECONDS;
    }
}

const struct sonde_object sonde_object_profile_run = {
    .size = sizeof(struct sonde_profile_run),
    .rules = {&rule_deadline, &rule_snapshot},
    .derive = derive,
    .fields =
        (const struct sonde_field[]){
            {.name = "target",
             .description = "What is captured: pods, and the process in them. With `sonde run` "
                            "the process is chosen on the command line instead.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_profile_run, target),
             .required = true,
             .object = &sonde_object_profile_target},
            {.name = "podSelection",
             .description = "How many of the target's pods are captured.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_profile_run, pod_selection),
             .present = true,
             .object = &sonde_object_pod_selection},
            {.name = "captures",
             .description = "What is taken from each process, in this order.",
             .type = SONDE_FIELD_OBJECTS,
             SONDE_AT(sonde_profile_run, captures),
             .required = true,
             .count_min = 1,
             .count_max = SONDE_CAPTURES_MAX,
             .object = &sonde_object_capture,
             .list_key = "name"},
            {.name = "attach",
             .description = "How the sidecar reaches the process.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_profile_run, attach),
             .present = true,
             .object = &attach},
            {.name = "safety",
             .description = "When a pod is left alone.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_profile_run, safety),
             .present = true,
             .object = &safety},
            {.name = "maxBytes",
             .description = "The bytes that all artifacts of the run may have together.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_profile_run, max_bytes),
             .fallback = "8589934592",
             .minimum = 1048576,
             .maximum = INT64_C(1099511627776)},
            {.name = "activeDeadlineSeconds",
             .description = "The run ends when it takes longer; what was stored by then is kept.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_profile_run, active_deadline_seconds),
             .derived = "twice the captures' durations, at least 600",
             .minimum = DEADLINE_MIN,
             .maximum = SONDE_DAY_SECONDS},
            {.name = "ttlSecondsAfterFinished",
             .description = "The object is deleted so long after the end of the run.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_profile_run, ttl_seconds_after_finished),
             .fallback = "604800",
             .minimum = 0,
             .maximum = SONDE_YEAR_SECONDS},
            {.name = "cancel",
             .description = "Set to true to stop the run.",
             .type = SONDE_FIELD_BOOLEAN,
             SONDE_AT(sonde_profile_run, cancel),
             .fallback = "false",
             .mutable = true},
            {0},
        },
};
