/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/kinds.h"

#include "spec/tables.h"

enum {
    RUN_NAME_MAX = 63,      /* it becomes the value of a label */
    SCHEDULE_NAME_MAX = 52, /* as a CronJob's: "-" and ten digits follow in the names of runs */
};

#define CONDITION_COLUMN(column_name, condition, member, shown)                                    \
    {(column_name), "string", ".status.conditions[?(@.type==\"" condition "\")]." member, (shown)}
#define AGE_COLUMN {"Age", "date", ".metadata.creationTimestamp", 0}

static const struct sonde_column run_columns[] = {
    {"Target", "string", ".status.target", 0},
    {"Captures", "string", ".status.captureTypes", 0},
    {"Pods", "string", ".status.pods", 0},
    CONDITION_COLUMN("Succeeded", "Succeeded", "status", 0),
    CONDITION_COLUMN("Reason", "Succeeded", "reason", 0),
    {"Top", "string", ".status.summary.top", 0},
    {"Findings", "integer", ".status.summary.findings", 1},
    {"Bytes", "integer", ".status.summary.bytes", 1},
    {"Requester", "string", ".status.requester", 1},
    CONDITION_COLUMN("Message", "Succeeded", "message", 1),
    AGE_COLUMN,
    {0},
};

static const struct sonde_column test_columns[] = {
    {"Runners", "string", ".status.runners", 0},
    {"RPS", "string", ".status.rate", 0},
    {"P99", "string", ".status.p99", 0},
    {"Errors", "string", ".status.errorRate", 0},
    {"Thresholds", "string", ".status.thresholdsHeld", 0},
    CONDITION_COLUMN("Succeeded", "Succeeded", "status", 0),
    CONDITION_COLUMN("Reason", "Succeeded", "reason", 0),
    {"Requests", "integer", ".status.requests", 1},
    {"P50", "string", ".status.p50", 1},
    {"Validity", "string", ".status.validity", 1},
    {"Requester", "string", ".status.requester", 1},
    CONDITION_COLUMN("Message", "Succeeded", "message", 1),
    AGE_COLUMN,
    {0},
};

static const struct sonde_column schedule_columns[] = {
    {"Schedule", "string", ".spec.schedule", 0},
    {"TimeZone", "string", ".spec.timeZone", 0},
    {"Suspend", "boolean", ".spec.suspend", 0},
    {"Active", "integer", ".status.activeCount", 0},
    {"Last", "date", ".status.lastScheduleTime", 0},
    {"Next", "string", ".status.nextScheduleTime", 0},
    CONDITION_COLUMN("Ready", "Ready", "status", 1),
    CONDITION_COLUMN("Reason", "Ready", "reason", 1),
    {"Missed", "integer", ".status.missedRuns", 1},
    AGE_COLUMN,
    {0},
};

static const struct sonde_condition run_conditions[] = {
    {"Accepted", "The spec is valid, the target exists, and the safety gates are open."},
    {"Attached", "The sidecar is attached to every chosen process."},
    {"ArtifactsStored", "The store has everything that was to be captured."},
    {"Analyzed", "The findings are there."},
    {"Succeeded", "All of it went well. False: the reason says why not."},
    {0},
};

static const struct sonde_condition test_conditions[] = {
    {"Accepted", "The spec is valid, and the target may be loaded."},
    {"RunnersReady", "Every runner is ready."},
    {"Running", "Requests are being sent."},
    {"ThresholdsMet", "Every threshold holds."},
    {"Succeeded", "The test is done, valid, and keeps its thresholds. False: the reason says why "
                  "not."},
    {0},
};

static const struct sonde_condition schedule_conditions[] = {
    {"Ready", "The schedule is valid and fires. False: the reason says why not."},
    {0},
};

static const char threshold_notes[] =
    "## Thresholds\n\n"
    "`METRIC: STATISTIC OPERATOR NUMBER`, after k6; `METRIC{name:REQUEST}` is about one request of "
    "the scenario. The operators are `<`, `<=`, `>`, `>=`, `==` and `!=`.\n\n"
    "| Metric | Statistics | What it is |\n|---|---|---|\n"
    "| `http_req_duration` | `avg min max med p(N)` | ms from the instant a request was due to its "
    "last byte |\n"
    "| `http_req_service` | the same | ms from writing it to its last byte |\n"
    "| `http_req_send_lag` | the same | ms from the instant it was due to writing it |\n"
    "| `http_req_failed` | `rate` | share of the requests that failed, 0 to 1 |\n"
    "| `http_reqs` | `count rate` | requests answered; per second |\n"
    "| `dropped_requests` | `count rate` | requests that were due and never sent; per second |\n"
    "| `data_received`, `data_sent` | `count rate` | bytes; per second |\n";

static const char schedule_notes[] =
    "## Schedules\n\n"
    "Five fields, separated by spaces: minute (0–59), hour (0–23), day of the month (1–31), month "
    "(1–12 or jan–dec), day of the week (0–7 or sun–sat; 0 and 7 are Sunday). A field is `*` or "
    "`?` (every value), a value, a range `1-5`, each of them with a step `/15` (a value with a "
    "step goes on to the field's end), or several of these with commas. When both days are "
    "restricted (by anything but a `*` without a step, as for a CronJob), a day that fits either "
    "fires. In place of the five: `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, "
    "`@midnight`, `@nightly` (the same), `@hourly`. A CronJob with the same text fires at the same "
    "times, but for the nights on which the clocks change; it does not know `@nightly`, and "
    "refused "
    "here are steps beyond the field's end, such as `*/24` hours, empty entries between commas, "
    "and "
    "`@every`.\n\n"
    "Where the clocks go forward, the times that they leave out fire together at that moment, and "
    "where they go back, the times that they show twice fire once (a CronJob leaves out the one "
    "and fires twice for the other). A schedule of every hour fires each hour, whatever the clocks "
    "do.\n";

const struct sonde_kind sonde_kind_profile_run = {
    .name = "ProfileRun",
    .plural = "profileruns",
    .singular = "profilerun",
    .short_name = "prun",
    .title = "take profiles of a service that is running",
    .meaning = "A ProfileRun captures profiles from running Node.js processes, stores them, and "
               "reports what it finds. It happens once; its spec cannot be changed, except that "
               "it can be cancelled.",
    .example = "apiVersion: sonde.dev/v1alpha1\n"
               "kind: ProfileRun\n"
               "metadata: {name: slow-patients, namespace: clinic}\n"
               "spec:\n"
               "  target: {workloadRef: {kind: Deployment, name: patients}}\n"
               "  captures: [{name: cpu, type: CPUProfile, durationSeconds: 30}]\n",
    .name_max = RUN_NAME_MAX,
    .immutable = true,
    .spec = &sonde_object_profile_run,
    .status = &sonde_object_profile_run_status,
    .columns = run_columns,
    .conditions = run_conditions,
};

const struct sonde_kind sonde_kind_profile_schedule = {
    .name = "ProfileSchedule",
    .plural = "profileschedules",
    .singular = "profileschedule",
    .short_name = "psched",
    .title = "make ProfileRuns on a schedule",
    .meaning = "A ProfileSchedule makes a ProfileRun at each firing, as a CronJob makes Jobs, and "
               "can compare each with a baseline.",
    .example = "apiVersion: sonde.dev/v1alpha1\n"
               "kind: ProfileSchedule\n"
               "metadata: {name: nightly, namespace: clinic}\n"
               "spec:\n"
               "  schedule: \"30 2 * * *\"\n"
               "  timeZone: Europe/London\n"
               "  baseline: {strategy: RollingMedian, runs: 7}\n"
               "  runTemplate:\n"
               "    spec:\n"
               "      target: {workloadRef: {kind: Deployment, name: patients}}\n"
               "      captures: [{name: cpu, type: CPUProfile, durationSeconds: 60}]\n",
    .notes = schedule_notes,
    .name_max = SCHEDULE_NAME_MAX,
    .spec = &sonde_object_profile_schedule,
    .status = &sonde_object_schedule_status,
    .columns = schedule_columns,
    .conditions = schedule_conditions,
};

const struct sonde_kind sonde_kind_load_test = {
    .name = "LoadTest",
    .plural = "loadtests",
    .singular = "loadtest",
    .short_name = "lt",
    .title = "put a service under load and judge it",
    .meaning = "A LoadTest sends requests from one or several runner pods, merges what they "
               "measure exactly, and judges thresholds on it. It can take profiles meanwhile. It "
               "happens once; its spec cannot be changed, except that it can be paused and "
               "cancelled.",
    .example = "apiVersion: sonde.dev/v1alpha1\n"
               "kind: LoadTest\n"
               "metadata: {name: patients-500, namespace: clinic}\n"
               "spec:\n"
               "  target: {service: {name: patients, port: 80}}\n"
               "  scenario:\n"
               "    requests:\n"
               "    - {name: one, path: \"/patients/{{id}}\", weight: 9, "
               "data: {id: {range: [1, 2000]}}}\n"
               "    - {name: search, path: \"/patients?q=smith\", expect: {status: 200}}\n"
               "  arrival: {distribution: Poisson, rate: 500, durationSeconds: 120}\n"
               "  parallelism: 2\n"
               "  thresholds: [\"http_req_duration: p(99)<250\", \"http_req_failed: "
               "rate<0.001\"]\n"
               "  profile: {captures: [{name: cpu, type: CPUProfile, durationSeconds: 30}]}\n",
    .notes = threshold_notes,
    .name_max = RUN_NAME_MAX,
    .immutable = true,
    .spec = &sonde_object_load_test,
    .status = &sonde_object_load_test_status,
    .columns = test_columns,
    .conditions = test_conditions,
};

const struct sonde_kind sonde_kind_load_test_schedule = {
    .name = "LoadTestSchedule",
    .plural = "loadtestschedules",
    .singular = "loadtestschedule",
    .short_name = "ltsched",
    .title = "make LoadTests on a schedule",
    .meaning = "A LoadTestSchedule makes a LoadTest at each firing, as a CronJob makes Jobs, and "
               "can compare each with a baseline.",
    .example = "apiVersion: sonde.dev/v1alpha1\n"
               "kind: LoadTestSchedule\n"
               "metadata: {name: nightly-load, namespace: clinic}\n"
               "spec:\n"
               "  schedule: \"@daily\"\n"
               "  baseline: {strategy: LastGood}\n"
               "  testTemplate:\n"
               "    spec:\n"
               "      target: {service: {name: patients}}\n"
               "      scenario: {requests: [{name: list, path: /patients}]}\n"
               "      arrival: {rate: 200, durationSeconds: 300}\n"
               "      thresholds: [\"http_req_duration: p(99)<250\"]\n",
    .notes = schedule_notes,
    .name_max = SCHEDULE_NAME_MAX,
    .spec = &sonde_object_load_test_schedule,
    .status = &sonde_object_schedule_status,
    .columns = schedule_columns,
    .conditions = schedule_conditions,
};

static const struct sonde_kind *const kinds[] = {
    &sonde_kind_profile_run,
    &sonde_kind_profile_schedule,
    &sonde_kind_load_test,
    &sonde_kind_load_test_schedule,
};

const struct sonde_kind *const *sonde_kinds(size_t *ret_count)
{
    *ret_count = SONDE_LENGTH(kinds);
    return kinds;
}
