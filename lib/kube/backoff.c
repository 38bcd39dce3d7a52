/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/backoff.h"

#include "base/clock.h"
#include "base/random.h"

enum { DOUBLINGS_MAX = 62 };

int64_t sonde_kube_backoff_next(struct sonde_kube_backoff *backoff, int64_t now, uint64_t *random)
{
    if (backoff->reset_after_ns && backoff->failures &&
        now - backoff->last > backoff->reset_after_ns) {
        backoff->failures = 0;
    }
    int64_t delay = backoff->first_ns;
    for (unsigned i = 0; i < backoff->failures && i < DOUBLINGS_MAX && delay < backoff->maximum_ns;
         i++) {
        delay = delay > backoff->maximum_ns / 2 ? backoff->maximum_ns : delay * 2;
    }
    delay = delay > backoff->maximum_ns ? backoff->maximum_ns : delay;
    backoff->failures += backoff->failures < UINT32_MAX;
    backoff->last = now;
    double share = (double)(sonde_random_next(random) >> 11) * 0x1p-53;
    return delay + (int64_t)((double)delay * backoff->jitter * share);
}

void sonde_kube_bucket_init(struct sonde_kube_bucket *bucket, double per_second, double burst,
                            int64_t now)
{
    *bucket = (struct sonde_kube_bucket){per_second, burst, burst, now};
}

int64_t sonde_kube_bucket_take(struct sonde_kube_bucket *bucket, int64_t now)
{
    if (now > bucket->at) {
        bucket->tokens += (double)(now - bucket->at) / (double)SONDE_SECOND * bucket->per_second;
        bucket->tokens = bucket->tokens > bucket->burst ? bucket->burst : bucket->tokens;
        bucket->at = now;
    }
    bucket->tokens -= 1;
    return bucket->tokens >= 0
               ? 0
               : (int64_t)(-bucket->tokens / bucket->per_second * (double)SONDE_SECOND);
}
