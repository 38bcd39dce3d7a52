/* SPDX-License-Identifier: Apache-2.0 */
/* What is put into a pod, and whether it may be: from a pod as the API server has it to the patch
 * that adds the sidecar. Pure. */
#ifndef SONDE_CONTROLLER_ATTACH_H
#define SONDE_CONTROLLER_ATTACH_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "controller/pods.h"

enum {
    ATTACH_ENTRIES_MAX = 20,      /* ephemeral containers of ours in a pod: none can be removed */
    ATTACH_PATCH_MAX = 512 << 10, /* bytes */
    ATTACH_STRANGER = 65532,      /* the user of a first look */
    CONTAINER_NAME_SIZE = 64,
};

#define ATTACH_USER_UNKNOWN INT64_C(-1)

struct attach_request {
    const char *uid;       /* of the pod that was chosen */
    const char *container; /* NULL: the only one, or the default one */
    int64_t run_as_user;   /* where the cluster does not tell it; ATTACH_USER_UNKNOWN */
    const char *name;      /* of the ephemeral container */
};

struct attach_target {
    char container[CONTAINER_NAME_SIZE];
    int64_t user;             /* ATTACH_USER_UNKNOWN: only a look can tell */
    int64_t group;            /* ATTACH_USER_UNKNOWN: as the user's */
    int64_t liveness_seconds; /* how long its liveness probe forgives silence; 0: it has none */
    bool present;             /* the ephemeral container is there already */
    bool other_active;        /* another sidecar of ours is at work in the pod: later */
};

/* Looks at a pod. SONDE_ENOTFOUND with a reason: TargetExited (another uid, not running),
 * TargetNotFound (no such container); SONDE_EINVALID: TargetAmbiguous; SONDE_ELIMIT:
 * TooManySidecars. */
int attach_examine(const cJSON *pod, const struct attach_request *request,
                   struct attach_target *ret, struct sonde_err *err) SONDE_MUST_CHECK;

struct attach_sidecar {
    const char *name, *image, *container;
    int64_t user, group; /* group: ATTACH_USER_UNKNOWN: not said */
    bool look;           /* only tell the user of the Node.js process */
    const char *resource_version;
    const char *requester, *run; /* for the audit trail */
    const struct sonde_pair *environment;
    size_t environment_count;
};

/* Appends the strategic merge patch of pods/ephemeralcontainers. Legal under Pod Security
 * restricted (kubernetes.io, "Pod Security Standards"), unless the target itself runs as root. */
void attach_patch(const struct attach_sidecar *sidecar, struct sonde_buf *ret);

/* "sonde-" and the run's uid without dashes, with "-look" for a first look. */
void attach_name(const char *run_uid, bool look, char ret[SIDECAR_NAME_SIZE]);

/* Whether a container that waits with this reason of the kubelet will hardly ever start. */
bool attach_is_stuck(const char *waiting_reason);

#endif
