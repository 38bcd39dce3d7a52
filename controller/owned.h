/* SPDX-License-Identifier: Apache-2.0 */
/* What a schedule needs to know of the runs and tests that it made, also of those that are over.
 * Pure. */
#ifndef SONDE_CONTROLLER_OWNED_H
#define SONDE_CONTROLLER_OWNED_H

#include "kube/cache.h"

/* Of the annotation sonde.dev/scheduled-for; INT64_MIN: none. */
#define OWNED_NO_FIRING INT64_MIN

/* Texts lie behind the struct. */
struct owned {
    const char *kind, *name, *uid; /* of the object's controller, one of our kinds */
    int64_t firing_s;              /* when it was scheduled for; seconds since 1970 */
    int64_t created_s;
    int64_t completed_ns; /* since 1970; 0: it is not over */
    bool succeeded;
    bool cancel; /* spec.cancel */
};

/* Of a ProfileRun or LoadTest; *ret is NULL when none of our kinds controls it. The caller frees
 * it. SONDE_ENOMEM. */
int owned_new(const cJSON *object, struct owned **ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* Of an object whose kept form begins with a struct owned *; NULL: it has none. */
const struct owned *owned_of(const struct sonde_kube_object *object);
/* For sonde_kube_cache_options: by the uid of the owner. */
struct sonde_str owned_key(const struct sonde_kube_object *object);

#endif
