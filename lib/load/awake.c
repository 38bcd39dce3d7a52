/* SPDX-License-Identifier: Apache-2.0 */
#include "load/awake.h"

/* As round trips are estimated: RFC 6298, 2, but with two deviations, not four: what it costs to
 * wake late once is small, and each of them is CPU time for every request. */
void sonde_awake_learn(struct sonde_awake *awake, int64_t late_ns)
{
    int64_t late = late_ns < SONDE_AWAKE_MAX_NS ? late_ns : SONDE_AWAKE_MAX_NS;
    int64_t off = late - awake->mean_ns;
    awake->mean_ns += off / 8;
    awake->deviation_ns += ((off < 0 ? -off : off) - awake->deviation_ns) / 4;
}

void sonde_awake_disturbed(struct sonde_awake *awake, int64_t now_ns)
{
    awake->paused_ns = now_ns + SONDE_AWAKE_PAUSE_NS;
}

int64_t sonde_awake_early(const struct sonde_awake *awake, int64_t now_ns)
{
    int64_t early = awake->mean_ns + 2 * awake->deviation_ns;
    early = early < SONDE_AWAKE_MAX_NS ? early : SONDE_AWAKE_MAX_NS;
    return now_ns < awake->paused_ns ? 0 : early;
}

bool sonde_awake_is_affordable(unsigned threads, long cpus, double limit)
{
    return (long)threads < cpus && (double)threads < limit;
}
