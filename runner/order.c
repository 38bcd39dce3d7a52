/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"
#include "load/arrivals.h"
#include "runner/runner.h"

/* What is so long past is not sent in a burst. */
#define PAST_NS SONDE_SECOND

enum { ROUNDS_MAX = 1000, SECONDS_MAX = 7 * 86400, RATE_MAX = 1000000 };

static const struct {
    const char *name;
    size_t offset;
    int64_t minimum, maximum;
} numbers[] = {
    {"round", offsetof(struct order, round), 0, ROUNDS_MAX},
    /* A moment must not overflow as ns. */
    {"start", offsetof(struct order, start_us), 1, INT64_C(1) << 52},
    {"from", offsetof(struct order, from_us), 0, SECONDS_MAX *INT64_C(1000000)},
    {"sent", offsetof(struct order, sent), 0, INT64_C(1) << 53},
    {"rate", offsetof(struct order, rate), 1, RATE_MAX},
    {"seconds", offsetof(struct order, seconds), 1, SECONDS_MAX},
    {"warmUpSeconds", offsetof(struct order, warm_up_seconds), 0, SECONDS_MAX},
    {"seed", offsetof(struct order, seed), 0, INT64_C(1) << 53},
};

static int read_number(const cJSON *json, size_t at, struct order *ret, struct sonde_err *err)
{
    int64_t *value = (int64_t *)((char *)ret + numbers[at].offset);
    *value = SONDE_SPEC_ABSENT;
    if (!cJSON_HasObjectItem(json, numbers[at].name)) {
        return 0;
    }
    int r = sonde_json_integer(json, numbers[at].name, value, err);
    if (r == 0 && (*value < numbers[at].minimum || *value > numbers[at].maximum)) {
        r = sonde_fail(err, SONDE_EINVALID, 0, "the store's %s cannot be %lld", numbers[at].name,
                       (long long)*value);
    }
    return r;
}

int order_read(const cJSON *json, struct order *ret, struct sonde_err *err)
{
    *ret = (struct order){.kind = sonde_json_true(json, "over")   ? ORDER_OVER
                                  : sonde_json_true(json, "wait") ? ORDER_WAIT
                                                                  : ORDER_BEGIN};
    int r = 0;
    (void)snprintf(ret->reason, sizeof(ret->reason), "%s",
                   sonde_json_string_or(json, "reason", ""));
    (void)snprintf(ret->message, sizeof(ret->message), "%s",
                   sonde_json_string_or(json, "message", ""));
    for (size_t i = 0; i < SONDE_LENGTH(numbers) && r == 0; i++) {
        r = read_number(json, i, ret, err);
    }
    if (r == 0 && ret->kind == ORDER_BEGIN &&
        (ret->round == SONDE_SPEC_ABSENT || ret->start_us == SONDE_SPEC_ABSENT ||
         ret->seed == SONDE_SPEC_ABSENT)) {
        r = sonde_fail(err, SONDE_EPARSE, 0, "the store names no round, start and seed");
    }
    return r;
}

void order_apply(const struct order *order, const struct store_clock *clock, int64_t now_ns,
                 struct sonde_load_plan *plan)
{
    int64_t start_ns = store_clock_local(clock, order->start_us);
    int64_t past_ns = now_ns - start_ns;
    bool replaces = order->from_us != SONDE_SPEC_ABSENT;
    plan->start_ns = start_ns;
    plan->from_ns = replaces ? order->from_us * SONDE_MICROSECOND : 0;
    plan->missed_ns =
        past_ns - plan->from_ns > PAST_NS ? (past_ns / SONDE_SECOND + 1) * SONDE_SECOND : 0;
    plan->seed = (uint64_t)order->seed;
    plan->sent_before = order->sent == SONDE_SPEC_ABSENT ? 0 : (uint64_t)order->sent;
    if (order->rate != SONDE_SPEC_ABSENT) {
        plan->arrival.rate = order->rate;
    }
    if (order->seconds != SONDE_SPEC_ABSENT) {
        plan->arrival.duration_seconds = order->seconds;
    }
    if (order->warm_up_seconds != SONDE_SPEC_ABSENT) {
        plan->warm_up_seconds = order->warm_up_seconds;
    }
}
