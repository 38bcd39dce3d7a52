/* SPDX-License-Identifier: Apache-2.0 */
/* What the controller writes back: only described, for the definitions and the pages. */
#include "spec/tables.h"

enum {
    CONDITIONS_MAX = 16,
    TARGETS_MAX = 50,
    ARTIFACTS_MAX = 200,
    REFERENCES_MAX = 64,
    SHORT_MAX = 1024, /* a service account's name alone has up to 339 */
    MESSAGE_MAX = 4096,
    CONDITION_MESSAGE_MAX = 32768,
};

static const char *const truths[] = {"True", "False", "Unknown", NULL};
static const char *const target_states[] = {"Pending",   "Attaching", "Capturing",
                                            "Succeeded", "Failed",    NULL};
static const char *const validities[] = {"Valid", "Invalid", NULL};

/* A text of the controller, an integer from 0 up, a moment. */
#define TEXT(field_name, words)                                                                    \
    {.name = (field_name),                                                                         \
     .description = (words),                                                                       \
     .type = SONDE_FIELD_STRING,                                                                   \
     .length_max = SHORT_MAX}
#define COUNT(field_name, words)                                                                   \
    {.name = (field_name),                                                                         \
     .description = (words),                                                                       \
     .type = SONDE_FIELD_INTEGER,                                                                  \
     .maximum = SONDE_INTEGER_MAX}
#define MOMENT(field_name, words)                                                                  \
    {.name = (field_name), .description = (words), .type = SONDE_FIELD_TIME}

static const struct sonde_object condition = {
    .fields =
        (const struct sonde_field[]){
            {.name = "type",
             .description = "Which condition.",
             .type = SONDE_FIELD_STRING,
             .required = true,
             .length_min = 1,
             .length_max = 316},
            {.name = "status",
             .description = "Whether it holds.",
             .type = SONDE_FIELD_ENUM,
             .required = true,
             .choices = truths},
            {.name = "reason",
             .description = "Why, in one word: see the page of reasons.",
             .type = SONDE_FIELD_STRING,
             .required = true,
             .length_min = 1,
             .length_max = 1024},
            {.name = "message",
             .description = "Why, in a sentence.",
             .type = SONDE_FIELD_STRING,
             .required = true,
             .length_max = CONDITION_MESSAGE_MAX},
            {.name = "lastTransitionTime",
             .description = "When status last changed.",
             .type = SONDE_FIELD_TIME,
             .required = true},
            COUNT("observedGeneration", "The generation of the object that it is about."),
            {0},
        },
};

#define CONDITIONS                                                                                 \
    {.name = "conditions",                                                                         \
     .description = "How far it is, and how it ended.",                                            \
     .type = SONDE_FIELD_OBJECTS,                                                                  \
     .count_max = CONDITIONS_MAX,                                                                  \
     .object = &condition,                                                                         \
     .list_key = "type"}

static const struct sonde_object run_target = {
    .fields =
        (const struct sonde_field[]){
            {.name = "podName",
             .description = "The pod.",
             .type = SONDE_FIELD_STRING,
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX},
            TEXT("podUID", "Its uid: a pod made anew under the same name is another one."),
            TEXT("nodeName", "The node it runs on."),
            TEXT("containerName", "The container."),
            COUNT("pid", "The process, as the container numbers it."),
            TEXT("nodeVersion", "The version of Node.js."),
            {.name = "state",
             .description = "How far it is.",
             .type = SONDE_FIELD_ENUM,
             .choices = target_states},
            TEXT("reason", "Why it failed, in one word."),
            {.name = "message",
             .description = "Why it failed, in a sentence.",
             .type = SONDE_FIELD_STRING,
             .length_max = MESSAGE_MAX},
            COUNT("inspectorOpenMilliseconds", "How long its inspector was open."),
            COUNT("pauseMilliseconds", "The longest pause that the capture caused."),
            {0},
        },
};

static const struct sonde_object artifact = {
    .fields =
        (const struct sonde_field[]){
            {.name = "id",
             .description = "The artifact's id in the store.",
             .type = SONDE_FIELD_STRING,
             .required = true,
             .length_min = 1,
             .length_max = SHORT_MAX},
            TEXT("capture", "The capture it is of."),
            TEXT("podName", "The pod it is of."),
            TEXT("mediaType", "Its format."),
            COUNT("bytes", "Its size."),
            TEXT("sha256", "Its SHA-256, in hexadecimal."),
            {0},
        },
};

static const struct sonde_object run_summary = {
    .fields =
        (const struct sonde_field[]){
            TEXT("top",
                 "The worst finding of all captures: how much, in which function and where."),
            COUNT("findings", "How many findings the report has."),
            COUNT("bytes", "The size of all artifacts."),
            {0},
        },
};

const struct sonde_object sonde_object_profile_run_status = {
    .fields =
        (const struct sonde_field[]){
            COUNT("observedGeneration", "The generation that the status is about."),
            MOMENT("startTime", "When the run was accepted."),
            MOMENT("completionTime", "When it ended."),
            TEXT("target", "The target, in a word: Deployment/patients."),
            TEXT("captureTypes", "The types of the captures."),
            TEXT("pods", "Pods captured, of those chosen: 1/3."),
            TEXT("requester", "Who made the run."),
            TEXT("sidecarImage", "The image of the sidecar, by digest."),
            {.name = "targets",
             .description = "Each process.",
             .type = SONDE_FIELD_OBJECTS,
             .count_max = TARGETS_MAX,
             .object = &run_target},
            COUNT("targetsLeftOut", "Processes that are not listed in targets."),
            {.name = "artifacts",
             .description = "What was stored.",
             .type = SONDE_FIELD_OBJECTS,
             .count_max = ARTIFACTS_MAX,
             .object = &artifact,
             .list_key = "id"},
            {.name = "summary",
             .description = "What was found.",
             .type = SONDE_FIELD_OBJECT,
             .object = &run_summary},
            CONDITIONS,
            {0},
        },
};

static const struct sonde_object threshold_result = {
    .fields =
        (const struct sonde_field[]){
            {.name = "threshold",
             .description = "The threshold.",
             .type = SONDE_FIELD_STRING,
             .required = true,
             .length_min = 1,
             .length_max = SHORT_MAX},
            TEXT("value", "What was measured."),
            {.name = "holds", .description = "Whether it holds.", .type = SONDE_FIELD_BOOLEAN},
            {0},
        },
};

const struct sonde_object sonde_object_load_test_status = {
    .fields =
        (const struct sonde_field[]){
            COUNT("observedGeneration", "The generation that the status is about."),
            MOMENT("startTime", "When the test was accepted."),
            MOMENT("completionTime", "When it ended."),
            TEXT("target", "The target, in a word: Service/patients."),
            TEXT("job", "The Job whose pods send the requests."),
            TEXT("runners", "Runners that are ready, of those asked for: 2/2."),
            COUNT("readyRunners", "Runners that are ready."),
            COUNT("activeRunners", "Runners that send."),
            COUNT("lostRunners", "Runners that ended early."),
            COUNT("requests", "Requests that were answered."),
            TEXT("rate", "Requests answered per second."),
            TEXT("errorRate", "The share of requests that failed."),
            TEXT("p50", "The median latency."),
            TEXT("p99", "The latency that 99 % of the requests keep."),
            COUNT("startSkewMicroseconds",
                  "The time between the first and the last runner's start."),
            COUNT("highestRate", "With search: the highest rate that keeps the thresholds."),
            {.name = "validity",
             .description = "Whether the generators kept up, so that the figures mean something.",
             .type = SONDE_FIELD_ENUM,
             .choices = validities},
            TEXT("thresholdsHeld", "Thresholds that hold, of all: 3/3."),
            {.name = "thresholds",
             .description = "Each threshold.",
             .type = SONDE_FIELD_OBJECTS,
             .count_max = REFERENCES_MAX,
             .object = &threshold_result},
            {.name = "profileRunRefs",
             .description = "The ProfileRuns made for spec.profile.",
             .type = SONDE_FIELD_STRINGS,
             .count_max = REFERENCES_MAX,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX},
            TEXT("artifact", "The id of the result in the store."),
            TEXT("requester", "Who made the test."),
            CONDITIONS,
            {0},
        },
};

const struct sonde_object sonde_object_schedule_status = {
    .fields =
        (const struct sonde_field[]){
            COUNT("observedGeneration", "The generation that the status is about."),
            {.name = "active",
             .description = "The names of those that run.",
             .type = SONDE_FIELD_STRINGS,
             .count_max = REFERENCES_MAX,
             .length_max = SONDE_DNS_SUBDOMAIN_MAX},
            COUNT("activeCount", "How many run."),
            MOMENT("lastScheduleTime", "The time of the last firing that made something."),
            MOMENT("lastMissedTime", "The time of the last firing that was missed."),
            MOMENT("lastSuccessfulTime", "When the last one that succeeded ended."),
            MOMENT("nextScheduleTime", "When it fires next."),
            COUNT("missedRuns", "Firings that were missed."),
            TEXT("requester", "Who made the schedule; that person's right is checked each time."),
            CONDITIONS,
            {0},
        },
};
