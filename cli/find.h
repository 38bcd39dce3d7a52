/* SPDX-License-Identifier: Apache-2.0 */
/* What a person means in a cluster: an object by its name, or a run that only the store still has.
 */
#ifndef SONDE_CLI_FIND_H
#define SONDE_CLI_FIND_H

#include <cjson/cJSON.h>

#include "cli/cluster.h"
#include "spec/kinds.h"

enum {
    FIND_UID_SIZE = 64,
    FIND_NAME_SIZE = SONDE_KUBE_NAME_MAX + 1,
    FIND_NAMESPACE_SIZE = SONDE_KUBE_LABEL_MAX + 1,
};

struct found {
    const struct sonde_kind *kind;
    char namespace[FIND_NAMESPACE_SIZE], name[FIND_NAME_SIZE], uid[FIND_UID_SIZE];
    cJSON *object; /* NULL: there is none any more */
    cJSON *row;    /* what the store has of it; NULL: it was not asked */
};

/* Finds the object that `text` names, "NAME" or "KIND/NAME" (as kubectl abbreviates kinds), of one
 * of the `count` kinds, in the namespace of the cluster. SONDE_ENOTFOUND; SONDE_EINVALID when
 * several kinds have one of that name. The caller calls found_fini in any case. */
int find_object(struct cluster *cluster, const struct sonde_kind *const kinds[], size_t count,
                const char *text, struct found *ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* The same for a ProfileRun or a LoadTest, and where there is no such object, what the store means
 * by it: also `last`, or the beginning of a uid. */
int find_run(struct cluster *cluster, const char *text, struct found *ret,
             struct sonde_err *err) SONDE_MUST_CHECK;
void found_fini(struct found *found);

#endif
