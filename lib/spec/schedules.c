/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/cron.h"
#include "spec/formats.h"
#include "spec/tables.h"

static const char *const concurrency_policies[] = {"Allow", "Forbid", "Replace", NULL};
static const char *const baseline_strategies[] = {"LastGood", "RollingMedian", "Pinned", NULL};

enum { HISTORY_MAX = 1000 };

const struct sonde_object sonde_object_template_metadata = {
    .size = sizeof(struct sonde_template_metadata),
    .fields =
        (const struct sonde_field[]){
            {.name = "labels",
             .description = "Labels.",
             .type = SONDE_FIELD_PAIRS,
             SONDE_AT(sonde_template_metadata, labels),
             .count_max = SONDE_PAIRS_MAX,
             .length_max = SONDE_LABEL_VALUE_MAX,
             .format = &sonde_format_label_value,
             .key_format = &sonde_format_label_key},
            {.name = "annotations",
             .description = "Annotations.",
             .type = SONDE_FIELD_PAIRS,
             SONDE_AT(sonde_template_metadata, annotations),
             .count_max = SONDE_PAIRS_MAX,
             .length_max = 65536,
             .key_format = &sonde_format_label_key},
            {0},
        },
};

static const struct sonde_object run_template = {
    .size = sizeof(struct sonde_run_template),
    .fields =
        (const struct sonde_field[]){
            {.name = "metadata",
             .description = "Labels and annotations of the runs.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_run_template, metadata),
             .object = &sonde_object_template_metadata},
            {.name = "spec",
             .description = "The spec of the runs.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_run_template, spec),
             .required = true,
             .object = &sonde_object_profile_run},
            {0},
        },
};

static const struct sonde_object test_template = {
    .size = sizeof(struct sonde_test_template),
    .fields =
        (const struct sonde_field[]){
            {.name = "metadata",
             .description = "Labels and annotations of the tests.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_test_template, metadata),
             .object = &sonde_object_template_metadata},
            {.name = "spec",
             .description = "The spec of the tests.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_test_template, spec),
             .required = true,
             .object = &sonde_object_load_test},
            {0},
        },
};

static const struct sonde_object baseline = {
    .size = sizeof(struct sonde_baseline),
    .discriminator = "strategy",
    .fields =
        (const struct sonde_field[]){
            {.name = "strategy",
             .description = "LastGood: the last that succeeded. RollingMedian: the middle of the "
                            "last ones that succeeded. Pinned: one that is named.",
             .type = SONDE_FIELD_ENUM,
             SONDE_AT(sonde_baseline, strategy),
             .fallback = "LastGood",
             .choices = baseline_strategies},
            {.name = "runs",
             .description = "How many of the last ones.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_baseline, runs),
             .fallback = "7",
             .minimum = 3,
             .maximum = 50,
             .only_for = SONDE_BIT(SONDE_BASELINE_ROLLING_MEDIAN)},
            {.name = "since",
             .description = "Runs that were made before this time do not count: for a new "
                            "beginning, when what the runs show since then is accepted.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_baseline, since),
             .length_max = 20,
             .format = &sonde_format_time,
             .only_for =
                 SONDE_BIT(SONDE_BASELINE_LAST_GOOD) | SONDE_BIT(SONDE_BASELINE_ROLLING_MEDIAN)},
            {.name = "runName",
             .description = "The name of the one.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_baseline, run_name),
             .required = true,
             .length_min = 1,
             .length_max = SONDE_DNS_LABEL_MAX,
             .format = &sonde_format_dns_subdomain,
             .only_for = SONDE_BIT(SONDE_BASELINE_PINNED)},
            {0},
        },
};

/* The words of a CronJob, for both kinds. */
#define COMMON_FIELDS                                                                              \
    {.name = "schedule",                                                                           \
     .description = "When it fires: minute, hour, day of month, month, day of week, or @hourly "   \
                    "and the like, as for a CronJob.",                                             \
     .type = SONDE_FIELD_STRING,                                                                   \
     SONDE_AT(sonde_schedule, schedule),                                                           \
     .required = true,                                                                             \
     .length_min = 1,                                                                              \
     .length_max = SONDE_CRON_LENGTH_MAX,                                                          \
     .format = &sonde_format_schedule},                                                            \
        {.name = "timeZone",                                                                       \
         .description = "The time zone of the schedule.",                                          \
         .type = SONDE_FIELD_STRING,                                                               \
         SONDE_AT(sonde_schedule, time_zone),                                                      \
         .fallback = "UTC",                                                                        \
         .length_min = 1,                                                                          \
         .length_max = 64,                                                                         \
         .format = &sonde_format_time_zone},                                                       \
        {.name = "jitterSeconds",                                                                  \
         .description = "Each firing is put off by a random time up to this.",                     \
         .type = SONDE_FIELD_INTEGER,                                                              \
         SONDE_AT(sonde_schedule, jitter_seconds),                                                 \
         .fallback = "0",                                                                          \
         .minimum = 0,                                                                             \
         .maximum = SONDE_DAY_SECONDS},                                                            \
        {.name = "startingDeadlineSeconds",                                                        \
         .description = "A firing that is later than this is missed.",                             \
         .type = SONDE_FIELD_INTEGER,                                                              \
         SONDE_AT(sonde_schedule, starting_deadline_seconds),                                      \
         .fallback = "3600",                                                                       \
         .minimum = 10,                                                                            \
         .maximum = SONDE_YEAR_SECONDS},                                                           \
        {.name = "concurrencyPolicy",                                                              \
         .description = "What happens when it fires while the last one still runs. Allow: both "   \
                        "run. Forbid: it waits for the end of the last one, for at most "          \
                        "startingDeadlineSeconds. Replace: the last one is cancelled first.",      \
         .type = SONDE_FIELD_ENUM,                                                                 \
         SONDE_AT(sonde_schedule, concurrency_policy),                                             \
         .fallback = "Forbid",                                                                     \
         .choices = concurrency_policies},                                                         \
        {.name = "suspend",                                                                        \
         .description = "Whether it does not fire.",                                               \
         .type = SONDE_FIELD_BOOLEAN,                                                              \
         SONDE_AT(sonde_schedule, suspend),                                                        \
         .fallback = "false"},                                                                     \
        {.name = "successfulRunsHistoryLimit",                                                     \
         .description = "How many that succeeded are kept.",                                       \
         .type = SONDE_FIELD_INTEGER,                                                              \
         SONDE_AT(sonde_schedule, successful_runs_history_limit),                                  \
         .fallback = "7",                                                                          \
         .minimum = 0,                                                                             \
         .maximum = HISTORY_MAX},                                                                  \
        {.name = "failedRunsHistoryLimit",                                                         \
         .description = "How many that failed are kept.",                                          \
         .type = SONDE_FIELD_INTEGER,                                                              \
         SONDE_AT(sonde_schedule, failed_runs_history_limit),                                      \
         .fallback = "3",                                                                          \
         .minimum = 0,                                                                             \
         .maximum = HISTORY_MAX},                                                                  \
    {                                                                                              \
        .name = "baseline",                                                                        \
        .description = "What each is compared with; one that is worse fails with Regression. "     \
                       "Without it, nothing is compared.",                                         \
        .type = SONDE_FIELD_OBJECT, SONDE_AT(sonde_schedule, baseline), .object = &baseline        \
    }

_Static_assert(offsetof(struct sonde_profile_schedule, common) == 0 &&
                   offsetof(struct sonde_load_test_schedule, common) == 0,
               "the common fields have the offsets of struct sonde_schedule");

const struct sonde_object sonde_object_profile_schedule = {
    .size = sizeof(struct sonde_profile_schedule),
    .fields =
        (const struct sonde_field[]){
            COMMON_FIELDS,
            {.name = "runTemplate",
             .description = "The ProfileRun that is made at each firing.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_profile_schedule, run_template),
             .required = true,
             .object = &run_template},
            {0},
        },
};

const struct sonde_object sonde_object_load_test_schedule = {
    .size = sizeof(struct sonde_load_test_schedule),
    .fields =
        (const struct sonde_field[]){
            COMMON_FIELDS,
            {.name = "testTemplate",
             .description = "The LoadTest that is made at each firing.",
             .type = SONDE_FIELD_OBJECT,
             SONDE_AT(sonde_load_test_schedule, test_template),
             .required = true,
             .object = &test_template},
            {0},
        },
};
