/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that want work, each once: what k8s.io/client-go, util/workqueue, does. A key that is added
 * while somebody works on it comes again after that. Pure: `now` (monotonic ns) is an argument. */
#ifndef SONDE_KUBE_QUEUE_H
#define SONDE_KUBE_QUEUE_H

#include "base/err.h"
#include "base/str.h"
#include "kube/backoff.h"

enum { SONDE_KUBE_QUEUE_KEY_MAX = 512 }; /* bytes of a key */

struct sonde_kube_queue_options {
    int64_t first_retry_ns; /* wait after a key's first failure; twice as long after each more … */
    int64_t maximum_retry_ns;               /* … and at most this long */
    double jitter;                          /* share of that, added at random */
    double retries_per_second, retry_burst; /* of all keys together */
    size_t maximum;                         /* keys that wait or are worked on */
    uint64_t seed;
};

/* 5 ms, 1000 s, 0.1, 10/s after 100, 100,000 keys: client-go's defaults, and jitter. */
struct sonde_kube_queue_options sonde_kube_queue_defaults(uint64_t seed);

/* For metrics. */
struct sonde_kube_queue_numbers {
    size_t ready, delayed, working;
    uint64_t adds, retries; /* since the beginning */
    int64_t oldest_ns;      /* how long the first ready key has waited; 0: none is */
};

struct sonde_kube_queue;

/* The caller frees it. SONDE_ENOMEM. */
int sonde_kube_queue_new(const struct sonde_kube_queue_options *options, int64_t now,
                         struct sonde_kube_queue **ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_kube_queue_free(struct sonde_kube_queue *queue);

/* Adds a key to be worked on now. SONDE_ELIMIT for a key that is too long and for too many keys;
 * SONDE_ENOMEM. */
int sonde_kube_queue_add(struct sonde_kube_queue *queue, struct sonde_str key, int64_t now,
                         struct sonde_err *err) SONDE_MUST_CHECK;
/* Adds it at now + delay_ns; of several such times the first counts. Same errors. */
int sonde_kube_queue_add_after(struct sonde_kube_queue *queue, struct sonde_str key,
                               int64_t delay_ns, int64_t now,
                               struct sonde_err *err) SONDE_MUST_CHECK;
/* Adds it again after a failure: the key's back-off or the common rate, whichever is later. */
int sonde_kube_queue_retry(struct sonde_kube_queue *queue, struct sonde_str key, int64_t now,
                           struct sonde_err *err) SONDE_MUST_CHECK;
/* The work succeeded: the next failure of the key is its first. */
void sonde_kube_queue_forget(struct sonde_kube_queue *queue, struct sonde_str key);

/* Takes the key that is ready for the longest; false when none is. It is being worked on until
 * sonde_kube_queue_done, and *ret is valid until then. */
bool sonde_kube_queue_take(struct sonde_kube_queue *queue, int64_t now, struct sonde_str *ret);
/* The work on a taken key ended. Does nothing for any other. */
void sonde_kube_queue_done(struct sonde_kube_queue *queue, struct sonde_str key, int64_t now);

/* When there is a key to take: `now` or before, a later time, or INT64_MAX. */
int64_t sonde_kube_queue_next(const struct sonde_kube_queue *queue, int64_t now);
struct sonde_kube_queue_numbers sonde_kube_queue_numbers(const struct sonde_kube_queue *queue,
                                                         int64_t now);

#endif
