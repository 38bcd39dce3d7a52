/* SPDX-License-Identifier: Apache-2.0 */
/* The pods of load tests as the controller keeps them, and what they say of a runner. Pure. */
#ifndef SONDE_CONTROLLER_LOAD_PODS_H
#define SONDE_CONTROLLER_LOAD_PODS_H

#include <cjson/cJSON.h>

#include "base/err.h"
#include "kube/cache.h"

enum {
    LOAD_PODS_MAX = 20000,
    LOAD_POD_TEXT_MAX = 1000, /* bytes of a message */
    LOAD_RUNNERS_MAX = 100,
};

enum load_pod_state {
    LOAD_POD_WAITING, /* its container has not started; reason and message say why, if it is known
                       */
    LOAD_POD_RUNNING,
    LOAD_POD_DONE, /* it ended as it should */
    LOAD_POD_LOST, /* it ended otherwise; reason and message say how */
};

struct load_pod {
    char test[40];      /* the LoadTest's uid */
    int64_t index;      /* of the runner */
    int64_t created_ns; /* since 1970 */
    int64_t leaving_ns; /* since 1970: it must be gone by then; 0: nobody deletes it */
    enum load_pod_state state;
    bool lingers;        /* it has ended, but another container of the pod has not */
    const char *reason;  /* of spec/reason.h; NULL: there is nothing to say */
    const char *message; /* behind the struct; "" */
    const char *node;    /* the same */
    const char *job;     /* the same: the uid of the Job that it belongs to */
};

/* For sonde_kube_cache_options: the pods with LOAD_JOB_LABEL. One without a runner's index is left
 * out. */
int load_pod_keep(void *context, const cJSON *object, void **ret, struct sonde_err *err);
void load_pod_release(void *context, void *kept);
/* By the uid of the LoadTest. */
struct sonde_str load_pod_key(const struct sonde_kube_object *object);

#endif
