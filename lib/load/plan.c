/* SPDX-License-Identifier: Apache-2.0 */
#include "load/plan.h"

#include "base/clock.h"

static struct sonde_arrival first_trial(const struct sonde_rate_search *search)
{
    return (struct sonde_arrival){
        .distribution = search->distribution,
        .rate = search->start_rate,
        .duration_seconds = search->trial_seconds,
        .amount = SONDE_SPEC_ABSENT,
    };
}

struct sonde_load_plan sonde_load_plan_of(const struct sonde_load_test *test)
{
    const struct sonde_load_http *http = test->http;
    int64_t most = http->requests_per_connection;
    return (struct sonde_load_plan){
        .version = (enum sonde_http_version)http->version,
        .connections = (unsigned)test->connections,
        .connections_max = (unsigned)test->max_connections,
        .pipelining = (unsigned)http->pipelining,
        .requests_per_connection = most == SONDE_SPEC_ABSENT ? 0 : (uint64_t)most,
        .timeout_ns = http->timeout_ms * SONDE_MILLISECOND,
        .arrival = test->search ? first_trial(test->search) : *test->arrival,
        .safety = test->safety,
        .warm_up_seconds = test->warm_up_seconds,
    };
}

int64_t sonde_load_plan_seconds(const struct sonde_arrival *arrival)
{
    int64_t sum = arrival->duration_seconds == SONDE_SPEC_ABSENT ? 0 : arrival->duration_seconds;
    for (size_t i = 0; i < arrival->stages.count; i++) {
        sum += arrival->stages.items[i].duration_seconds;
    }
    return sum;
}
