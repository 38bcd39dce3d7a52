/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting times that double, and buckets of tokens. Pure: `now` is an argument. */
#ifndef SONDE_KUBE_BACKOFF_H
#define SONDE_KUBE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* The nth failure in a row waits first × 2^(n-1), at most `maximum`, plus a random share of up to
 * `jitter` of that, so that many clients do not come back together. */
struct sonde_kube_backoff {
    int64_t first_ns, maximum_ns;
    double jitter; /* share ≥ 0 */
    int64_t
        reset_after_ns; /* a failure later than this after the last one is a first one; 0: never */
    unsigned failures;
    int64_t last; /* when the last failure was */
};

/* Counts a failure, and returns how long to wait, in nanoseconds. */
int64_t sonde_kube_backoff_next(struct sonde_kube_backoff *backoff, int64_t now, uint64_t *random);

/* Tokens that come at a steady rate; a first burst is free. */
struct sonde_kube_bucket {
    double per_second; /* > 0 */
    double burst;      /* ≥ 1 */
    double tokens;     /* as of `at`; negative: promised to those who wait */
    int64_t at;
};

/* A full bucket. */
void sonde_kube_bucket_init(struct sonde_kube_bucket *bucket, double per_second, double burst,
                            int64_t now);
/* Takes a token, and returns after how many nanoseconds it may be used: 0 for at once. */
int64_t sonde_kube_bucket_take(struct sonde_kube_bucket *bucket, int64_t now);

#endif
