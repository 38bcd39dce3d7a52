/* SPDX-License-Identifier: Apache-2.0 */
/* A ProfileRun's own part of an object. */
#include <stdlib.h>
#include <string.h>

#include "controller/controller.h"

struct run *run_of(struct object *object)
{
    return (struct run *)(void *)object;
}

const struct run *run_from(const struct object *object)
{
    return (const struct run *)(const void *)object;
}

int run_reserve_targets(struct run *run, size_t count, struct sonde_err *err)
{
    if (count > CHOOSE_TARGETS_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a run of more than %d pods", CHOOSE_TARGETS_MAX);
    }
    run->targets = count ? calloc(count, sizeof(*run->targets)) : NULL;
    return count && !run->targets ? sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a run") : 0;
}

void run_fini(struct object *object)
{
    struct run *run = run_of(object);
    for (size_t i = 0; i < run->target_count; i++) {
        explicit_bzero(run->targets[i].token, sizeof(run->targets[i].token));
    }
    free(run->targets);
}

static void name_target(struct run *run)
{
    const struct sonde_profile_target *target = run->spec->target;
    char *word = run->object.target_word;
    size_t size = sizeof(run->object.target_word);
    if (target->workload_ref) {
        (void)snprintf(word, size, "%s/%s", sonde_workload_kinds[target->workload_ref->kind],
                       target->workload_ref->name);
    } else if (target->pod_name) {
        (void)snprintf(word, size, "Pod/%s", target->pod_name);
    } else {
        (void)snprintf(word, size, "Pods by label");
    }
}

int run_read(struct object *object, struct sonde_err *err)
{
    struct run *run = run_of(object);
    (void)err;
    run->spec = object->documents.items[0].profile_run;
    object->deadline_seconds = run->spec->active_deadline_seconds;
    attach_name(object->uid, false, run->sidecar);
    name_target(run);
    return 0;
}
