/* SPDX-License-Identifier: Apache-2.0 */
/* Leader election and events carried out: the state machines of lease.h and events.h, a client and
 * a timer. */
#ifndef SONDE_KUBE_ELECTOR_H
#define SONDE_KUBE_ELECTOR_H

#include "kube/client.h"
#include "kube/events.h"
#include "kube/lease.h"

extern const struct sonde_kube_resource sonde_kube_lease_resource;

struct sonde_kube_elector;

struct sonde_kube_elector_options {
    struct sonde_kube_lease_options lease; /* its texts live as long as the elector */
    void *context;
    /* This replica leads from now on. `transitions` grows with each change of the leader: what
     * stores something can refuse what comes with a lower number. */
    void (*started)(void *context, int64_t transitions);
    /* It does no more, or gave up trying after a release: called once, the last callback. After a
     * lost lease the program should end. */
    void (*stopped)(void *context, bool released);
};

/* Begins at once; the caller frees it, before the client and not from within its callbacks.
 * SONDE_ENOMEM, SONDE_EINVALID. */
int sonde_kube_elector_new(struct sonde_loop *loop, struct sonde_kube *kube,
                           const struct sonde_kube_elector_options *options,
                           struct sonde_kube_elector **ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_kube_elector_free(struct sonde_kube_elector *elector);
/* True while the lease is ours, by the clock and not only by the callbacks: ask before each write.
 */
bool sonde_kube_elector_leads(const struct sonde_kube_elector *elector);
/* Gives the lead away; `stopped` follows. */
void sonde_kube_elector_release(struct sonde_kube_elector *elector);

struct sonde_kube_recorder;

/* Writes events; arguments as of sonde_kube_events_new. The caller frees it, before the client;
 * what was not written by then is lost. SONDE_ENOMEM. */
int sonde_kube_recorder_new(struct sonde_loop *loop, struct sonde_kube *kube,
                            const char *controller, const char *instance, size_t maximum,
                            struct sonde_kube_recorder **ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_kube_recorder_free(struct sonde_kube_recorder *recorder);
/* Takes an event that happens now. Errors as of sonde_kube_events_record. */
int sonde_kube_recorder_record(struct sonde_kube_recorder *recorder,
                               const struct sonde_kube_event *event,
                               struct sonde_err *err) SONDE_MUST_CHECK;
/* Events that were never written. */
uint64_t sonde_kube_recorder_dropped(const struct sonde_kube_recorder *recorder);

#endif
