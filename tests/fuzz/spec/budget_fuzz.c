/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a budget; what is accepted has only thresholds that can be read, and functions that
 * have a name and a maximum. */
#include <stdlib.h>

#include "spec/budget.h"
#include "spec/threshold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_spec_documents documents;
    const struct sonde_run_budget *budget = NULL;
    struct sonde_err err = {0};
    struct sonde_str text = {(const char *)data, size};
    if (sonde_spec_parse_budget("budget.yaml", text, &documents, &budget, &err) < 0) {
        must(err.message[0] != '\0');
        sonde_spec_documents_fini(&documents);
        return 0;
    }
    for (size_t i = 0; i < budget->thresholds.count; i++) {
        struct sonde_threshold threshold;
        must(sonde_threshold_parse(sonde_str(budget->thresholds.items[i]), &threshold, NULL) == 0);
    }
    for (size_t i = 0; i < budget->functions.count; i++) {
        const struct sonde_budget_function *function = &budget->functions.items[i];
        must(function->name && function->name[0]);
        must(function->percent != SONDE_SPEC_ABSENT ||
             function->milliseconds_second != SONDE_SPEC_ABSENT);
    }
    sonde_spec_documents_fini(&documents);
    return 0;
}
