/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a cache of a kind of objects up to date: lists and watches, as a reflector says. */
#ifndef SONDE_KUBE_INFORMER_H
#define SONDE_KUBE_INFORMER_H

#include "kube/cache.h"
#include "kube/client.h"
#include "kube/reflector.h"

struct sonde_kube_informer;

struct sonde_kube_informer_options {
    const struct sonde_kube_resource *resource;  /* borrowed for as long as the informer lives */
    const char *namespace;                       /* NULL: all; copied, as the selectors are */
    const char *label_selector, *field_selector; /* NULL: none */
    /* Of the cache; its callbacks get cache.context, and must not free the informer. */
    struct sonde_kube_cache_options cache;
    void *context;
    /* The cache is complete for the first time. May be NULL. */
    void (*synced)(void *context);
    /* A list or watch failed and is begun again later: for logs and metrics. May be NULL. */
    void (*failed)(void *context, const struct sonde_err *err);
    /* An object was left out: too large, more than the cache takes, or `keep` did not take it. What
     * the cache has of it is as old as that. For logs. May be NULL. */
    void (*skipped)(void *context, const struct sonde_err *err);
    uint64_t seed; /* of timeouts and jitter */
    /* A watch without a byte for so long is dead, and begun again; 0: SONDE_KUBE_SILENCE_SECONDS.
     */
    int64_t silence_ns;
};

/* Begins at once; the caller frees it, before the client and not from within its callbacks.
 * SONDE_EINVALID for the resource or namespace, SONDE_ENOMEM. */
int sonde_kube_informer_new(struct sonde_loop *loop, struct sonde_kube *kube,
                            const struct sonde_kube_informer_options *options,
                            struct sonde_kube_informer **ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_kube_informer_free(struct sonde_kube_informer *informer);

/* True once the cache was complete; it stays so while a broken watch is begun again. */
bool sonde_kube_informer_synced(const struct sonde_kube_informer *informer);
/* Objects left out so far. */
uint64_t sonde_kube_informer_skipped(const struct sonde_kube_informer *informer);
/* Borrowed. */
const struct sonde_kube_cache *
sonde_kube_informer_cache(const struct sonde_kube_informer *informer);
/* For metrics: lists and watches begun, and the version of the last event. */
const struct sonde_kube_reflector *
sonde_kube_informer_reflector(const struct sonde_kube_informer *informer);

#endif
