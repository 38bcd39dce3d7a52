/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "runner/runner.h"

/* The store's clock is read somewhere between question and answer: in the middle, as far as is
 * known (RFC 5905, 8: of several samples that with the smallest delay). Our own clock is the
 * monotonic one, which nobody sets. */
void store_clock_add(struct store_clock *clock, int64_t asked_ns, int64_t answered_ns,
                     int64_t store_us)
{
    int64_t half_ns = (answered_ns - asked_ns) / 2;
    if (clock->samples == 0 || half_ns < clock->uncertainty_ns) {
        clock->uncertainty_ns = half_ns;
        clock->offset_ns = store_us * SONDE_MICROSECOND - (asked_ns + half_ns);
    }
    clock->samples++;
}

int64_t store_clock_local(const struct store_clock *clock, int64_t store_us)
{
    return store_us * SONDE_MICROSECOND - clock->offset_ns;
}
