/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several replicas leads, by a coordination.k8s.io/v1 Lease: the algorithm of
 * k8s.io/client-go, tools/leaderelection. A state machine without I/O. The clocks of the replicas
 * are not compared: a foreign lease has ended when it did not change for its duration as seen
 * from here. As client-go says of itself: this does not guarantee that only one replica acts, so
 * what a leader makes must have deterministic names. */
#ifndef SONDE_KUBE_LEASE_H
#define SONDE_KUBE_LEASE_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "kube/backoff.h"
#include "kube/watch.h"

enum {
    SONDE_KUBE_IDENTITY_SIZE = 256, /* bytes with the NUL */
};

struct sonde_kube_lease_options {
    const char *namespace, *name; /* of the Lease, borrowed for as long as the lease lives */
    const char *identity;         /* of this replica, unique: "pod-name_uuid"; borrowed too */
    int64_t duration_ns;          /* others wait this long; 0: 15 s */
    int64_t renew_deadline_ns; /* a leader that could not renew for this long gives up; 0: 10 s */
    int64_t retry_ns;          /* between tries; 0: 2 s */
    uint64_t seed;
};

enum sonde_kube_lease_action {
    SONDE_KUBE_LEASE_WAIT,   /* until `at`, or until a report */
    SONDE_KUBE_LEASE_GET,    /* read the Lease */
    SONDE_KUBE_LEASE_CREATE, /* POST what sonde_kube_lease_print gives */
    SONDE_KUBE_LEASE_UPDATE, /* PUT it */
    SONDE_KUBE_LEASE_LOST,   /* it led and does no more: end the program. Said for ever */
    SONDE_KUBE_LEASE_ENDED,  /* released. Said for ever */
};

struct sonde_kube_lease_step {
    enum sonde_kube_lease_action action;
    int64_t at; /* WAIT only; INT64_MAX: only after a report */
};

struct sonde_kube_lease {
    struct sonde_kube_lease_options options;
    enum {
        SONDE_KUBE_LEASE_IDLE,
        SONDE_KUBE_LEASE_READING,
        SONDE_KUBE_LEASE_WRITING,
        SONDE_KUBE_LEASE_OVER,
    } state;
    bool known;  /* the fields below were read or written */
    bool exists; /* the Lease is there */
    bool leads;
    bool releasing;
    bool release_sent;                     /* by the write under way */
    bool to_write;                         /* the Lease was read, and is ours to take */
    char holder[SONDE_KUBE_IDENTITY_SIZE]; /* "" when it was released */
    char version[SONDE_KUBE_VERSION_SIZE];
    char renewed[32];  /* renewTime as it stands: only whether it changes counts */
    char acquired[32]; /* acquireTime */
    int64_t holder_duration_ns;
    int64_t transitions;
    int64_t observed;   /* when the record last changed, as seen from here */
    int64_t renewed_at; /* when we last wrote it with success */
    int64_t began;      /* the write under way */
    int64_t next_try;
    uint64_t random;
};

/* Nothing is allocated. */
void sonde_kube_lease_init(struct sonde_kube_lease *lease,
                           const struct sonde_kube_lease_options *options);

/* What to do at monotonic time `now` (ns). A GET, CREATE or UPDATE is under way from then on,
 * until one of the reports below. Its request must end within retry_ns. */
struct sonde_kube_lease_step sonde_kube_lease_step(struct sonde_kube_lease *lease, int64_t now);

/* Appends the Lease to be written as JSON. `realtime` is ns since 1970, for people to read.
 * Errors are the buffer's. */
void sonde_kube_lease_print(const struct sonde_kube_lease *lease, int64_t realtime,
                            struct sonde_buf *buf);

/* A GET, CREATE or UPDATE was answered with this Lease. SONDE_EPROTOCOL when it is none: report
 * that as a failure. */
int sonde_kube_lease_answered(struct sonde_kube_lease *lease, int64_t now, const cJSON *object,
                              struct sonde_err *err) SONDE_MUST_CHECK;
/* It failed with this code: SONDE_ENOTFOUND (create it), SONDE_ECONFLICT, SONDE_EEXISTS (somebody
 * was faster) or any other (again later). */
void sonde_kube_lease_failed(struct sonde_kube_lease *lease, int64_t now, int code);

/* True while this replica leads: it wrote the Lease less than the renew deadline ago. */
bool sonde_kube_lease_leads(const struct sonde_kube_lease *lease, int64_t now);
/* Gives the lead away: one more UPDATE makes the Lease end in a second. */
void sonde_kube_lease_release(struct sonde_kube_lease *lease);

#endif
