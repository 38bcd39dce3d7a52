/* SPDX-License-Identifier: Apache-2.0 */
#include "load/share.h"

uint64_t sonde_load_share(uint64_t all, uint64_t part, uint64_t parts)
{
    return all / parts + (part < all % parts);
}

static bool is_open(const struct sonde_load_plan *plan)
{
    return plan->arrival.stages.count || plan->arrival.rate != SONDE_SPEC_ABSENT;
}

/* Connections that there may be in the end. */
static unsigned most_of(const struct sonde_load_plan *plan)
{
    return is_open(plan) && plan->connections_max > plan->connections ? plan->connections_max
                                                                      : plan->connections;
}

static unsigned runners_of(const struct sonde_load_plan *plan)
{
    return plan->runners ? plan->runners : 1;
}

unsigned sonde_load_share_threads(const struct sonde_load_plan *plan)
{
    uint64_t own = sonde_load_share(plan->connections, plan->runner, runners_of(plan));
    uint64_t threads = own < plan->threads ? own : plan->threads;
    return threads ? (unsigned)threads : 1;
}

struct sonde_load_share sonde_load_share_of(const struct sonde_load_plan *plan, unsigned thread)
{
    const struct sonde_arrival *arrival = &plan->arrival;
    uint64_t runners = runners_of(plan);
    uint64_t most = most_of(plan);
    uint64_t senders = runners < most ? runners : most; /* those who have a connection */
    uint64_t threads = sonde_load_share_threads(plan);
    bool counted = arrival->amount != SONDE_SPEC_ABSENT && !is_open(plan);
    if (plan->runner >= senders) {
        return (struct sonde_load_share){.part = plan->runner,
                                         .parts = runners,
                                         .amount = counted ? 0 : UINT64_MAX,
                                         .idle = true};
    }
    struct sonde_load_share share = {
        .part = plan->runner + thread * senders,
        .parts = senders * threads,
        .connections = (uint32_t)sonde_load_share(
            sonde_load_share(plan->connections, plan->runner, runners), thread, threads),
        .connections_max = (uint32_t)sonde_load_share(sonde_load_share(most, plan->runner, runners),
                                                      thread, threads),
        .amount = UINT64_MAX,
    };
    if (counted) {
        uint64_t own = sonde_load_share((uint64_t)arrival->amount, plan->runner, senders);
        own = own > plan->sent_before ? own - plan->sent_before : 0;
        share.amount = sonde_load_share(own, thread, threads);
    }
    return share;
}
