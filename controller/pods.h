/* SPDX-License-Identifier: Apache-2.0 */
/* Pods as the controller keeps them: a few hundred bytes each. Pure. */
#ifndef SONDE_CONTROLLER_PODS_H
#define SONDE_CONTROLLER_PODS_H

#include "kube/cache.h"
#include "spec/kinds.h"

enum {
    PODS_MAX = 200000,
    POD_LABELS_MAX = 16 << 10,  /* bytes of the labels of one */
    POD_SIDECARS_MAX = 64,      /* ephemeral containers of ours in one */
    SIDECAR_NAME_SIZE = 64,     /* "sonde-" and the run's uid without dashes, and "-look" */
    POD_MESSAGE_MAX = 12 << 10, /* bytes of a termination message (12 KiB for all of a pod) */
};

enum sidecar_state { SIDECAR_WAITING, SIDECAR_RUNNING, SIDECAR_TERMINATED };

/* One of our ephemeral containers. */
struct pod_sidecar {
    char name[SIDECAR_NAME_SIZE];
    enum sidecar_state state;
    int64_t exit_code;
    int64_t started_ns;  /* since 1970; 0: not yet */
    int64_t finished_ns; /* the same */
    const char *reason;  /* of waiting and terminated; "" when none was said */
    const char *message; /* "" when none was said */
};

/* Texts lie behind the struct. */
struct pod {
    const char *node;       /* "" before it is scheduled */
    const char *owner_kind; /* of its controller: "ReplicaSet"; "" when it has none */
    const char *owner_name;
    const char *labels; /* "key\0value\0…\0" */
    bool running;       /* phase */
    bool ready;
    bool leaving;         /* it is being deleted */
    int64_t ended_ns;     /* since 1970: when one of its containers last ended; 0: none has */
    size_t sidecar_count; /* of ours, in status */
    const struct pod_sidecar *sidecars;
};

/* For sonde_kube_cache_options. */
int pod_keep(void *context, const cJSON *object, void **ret, struct sonde_err *err);
void pod_release(void *context, void *kept);

/* The entry of that name in a list of containers, or of their statuses, which no order is promised
 * of; NULL: there is none. */
const cJSON *pod_named(const cJSON *list, const char *name);

/* The reference to what controls the object with these metadata, or NULL. */
const cJSON *pod_controller(const cJSON *metadata);

/* The value of a label, or NULL. */
const char *pod_label(const struct pod *pod, const char *key);
/* Whether the labels meet a selector (kubernetes.io, "Labels and Selectors"): all of its parts. */
bool pod_selected(const struct pod *pod, const struct sonde_label_selector *selector);
/* Ours of that name, or NULL. */
const struct pod_sidecar *pod_sidecar(const struct pod *pod, const char *name);

#endif
