/* SPDX-License-Identifier: Apache-2.0 */
/* One round: the engine on threads of its own, which are not kept waiting by the store. */
#include "runner/round.h"

#include <stdlib.h>

#include "base/clock.h"
#include "load/tally_json.h"
#include "load/validity.h"

static const char own_group[] = "/proc/self/cgroup";
static const char groups[] = "/sys/fs/cgroup";

static void tell(struct round *round, int64_t end_ns, bool warm_up,
                 const struct sonde_load_tally *tally)
{
    enum { BODY_MAX = SONDE_LOAD_TALLY_MAX + 4096 };
    SONDE_BUF_AUTO body = SONDE_BUF(BODY_MAX);
    struct sonde_err err;
    int r = print_interval(round->number, round->sequence, end_ns, warm_up, round->late_ns, tally,
                           &body, &err);
    r = r < 0 ? r : queue_put(round->queue, &body, &err);
    if (r < 0) {
        if (round->err.code == 0) {
            round->err = err;
        }
        atomic_store(&round->stop, true);
        return;
    }
    round->late_ns = -1;
    round->sequence++;
    sonde_wakeup_send(round->wakeup);
}

static void hear_start(void *context, int64_t late_ns)
{
    struct round *round = context;
    round->late_ns = late_ns;
}

static void hear_warm_up(void *context, int64_t end_ns, const struct sonde_load_tally *tally)
{
    struct round *round = context;
    round->throttled_ns = sonde_load_throttled(own_group, groups);
    /* The engine tells no parts of it; the store wants to hear of all labels. */
    struct sonde_load_tally whole = *tally;
    whole.parts = round->no_parts;
    whole.part_count = round->plan.label_count;
    tell(round, end_ns, true, &whole);
}

static void hear_second(void *context, int64_t end_ns, const struct sonde_load_tally *tally)
{
    tell(context, end_ns, false, tally);
}

static void *run(void *context)
{
    struct round *round = context;
    struct sonde_err err = {0};
    const struct sonde_load_watcher watcher = {.context = round,
                                               .interval = hear_second,
                                               .warm_up = hear_warm_up,
                                               .started = hear_start,
                                               .stop = &round->stop};
    round->throttled_ns = sonde_load_throttled(own_group, groups);
    int r = sonde_load_run(&round->plan, &watcher, &round->outcome, &err);
    round->throttled_ns = sonde_load_throttled(own_group, groups) - round->throttled_ns;
    if (r < 0 && round->err.code == 0) {
        round->err = err;
    }
    atomic_store(&round->over, true);
    sonde_wakeup_send(round->wakeup);
    return NULL;
}

void round_init(struct round *round, unsigned number, const struct sonde_load_plan *plan,
                struct queue *queue, struct sonde_wakeup *wakeup)
{
    *round = (struct round){
        .number = number, .plan = *plan, .queue = queue, .wakeup = wakeup, .late_ns = -1};
}

int round_start(struct round *round, struct sonde_err *err)
{
    round->no_parts = calloc(round->plan.label_count + 1, sizeof(*round->no_parts));
    if (!round->no_parts) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int code = pthread_create(&round->thread, NULL, run, round);
    round->started = code == 0;
    return code ? sonde_fail(err, SONDE_EIO, code, "start a thread") : 0;
}

void round_stop(struct round *round)
{
    atomic_store(&round->stop, true);
}

void round_join(struct round *round)
{
    if (round->started) {
        (void)pthread_join(round->thread, NULL);
        round->started = false;
    }
}

void round_fini(struct round *round)
{
    round_stop(round);
    round_join(round);
    sonde_load_outcome_fini(&round->outcome);
    free(SONDE_TAKE(round->no_parts));
}
