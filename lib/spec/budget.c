/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/budget.h"

#include "spec/formats.h"
#include "spec/tables.h"
#include "spec/threshold.h"

enum { NAME_MAX_LENGTH = 200, PERCENT_MAX = 100, MILLISECONDS_MAX = 1000000 };

static bool has_maximum(const void *object)
{
    const struct sonde_budget_function *function = object;
    return function->percent != SONDE_SPEC_ABSENT ||
           function->milliseconds_second != SONDE_SPEC_ABSENT;
}

static const struct sonde_rule maximum_rule = {
    .name = "Maximum",
    .message = "must have maxPercent or maxMillisecondsPerSecond",
    .holds = has_maximum,
};

static const struct sonde_object budget_function = {
    .size = sizeof(struct sonde_budget_function),
    .fields =
        (const struct sonde_field[]){
            {.name = "name",
             .description = "The function's name, as a report has it.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_budget_function, name),
             .required = true,
             .length_min = 1,
             .length_max = NAME_MAX_LENGTH},
            {.name = "file",
             .description = "Its file, or the end of its path. Without it, functions of that name "
                            "in any file count together.",
             .type = SONDE_FIELD_STRING,
             SONDE_AT(sonde_budget_function, file),
             .length_min = 1,
             .length_max = NAME_MAX_LENGTH},
            {.name = "maxPercent",
             .description = "Of the busy time.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_budget_function, percent),
             .minimum = 0,
             .maximum = PERCENT_MAX},
            {.name = "maxMillisecondsPerSecond",
             .description = "CPU time for each second captured: 1000 is one core.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_budget_function, milliseconds_second),
             .minimum = 0,
             .maximum = MILLISECONDS_MAX},
            {0},
        },
    .rules = {&maximum_rule},
};

/* A list whose lines are all comments is none: nothing would be kept by all runs. */
static bool has_anything(const void *object)
{
    const struct sonde_run_budget *budget = object;
    return budget->thresholds.count || budget->functions.count ||
           budget->busy_percent != SONDE_SPEC_ABSENT ||
           budget->allocated_kilobytes != SONDE_SPEC_ABSENT;
}

static const struct sonde_rule anything_rule = {
    .name = "Anything",
    .message = "must have thresholds, functions, maxBusyPercent or maxAllocatedKilobytes",
    .holds = has_anything,
};

const struct sonde_object sonde_object_run_budget = {
    .size = sizeof(struct sonde_run_budget),
    .fields =
        (const struct sonde_field[]){
            {.name = "thresholds",
             .description = "What a load test must keep, as spec.thresholds of a LoadTest.",
             .type = SONDE_FIELD_STRINGS,
             SONDE_AT(sonde_run_budget, thresholds),
             .set = true,
             .count_max = SONDE_BUDGET_THRESHOLDS_MAX,
             .length_min = 1,
             .length_max = SONDE_THRESHOLD_LENGTH_MAX,
             .format = &sonde_format_threshold},
            {.name = "functions",
             .description = "What functions may take in a CPU profile.",
             .type = SONDE_FIELD_OBJECTS,
             SONDE_AT(sonde_run_budget, functions),
             .count_max = SONDE_BUDGET_FUNCTIONS_MAX,
             .object = &budget_function},
            {.name = "maxBusyPercent",
             .description = "How much of the time the process may be busy, by its CPU profile.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_run_budget, busy_percent),
             .minimum = 0,
             .maximum = PERCENT_MAX},
            {.name = "maxAllocatedKilobytes",
             .description = "What a profile of allocations may have in all.",
             .type = SONDE_FIELD_INTEGER,
             SONDE_AT(sonde_run_budget, allocated_kilobytes),
             .minimum = 0,
             .maximum = SONDE_INTEGER_MAX},
            {0},
        },
    .rules = {&anything_rule},
};
