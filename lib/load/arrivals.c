/* SPDX-License-Identifier: Apache-2.0 */
#include "load/arrivals.h"

#include <math.h>

#include "base/clock.h"
#include "base/random.h"

/* How many requests there are from the stage's beginning on. */
static double count_in(const struct sonde_arrivals_stage *stage, double seconds)
{
    return seconds * (stage->first + stage->slope * seconds / 2);
}

/* When so many have been: the inverse, in the form that loses no digits where the slope is small.
 */
static double time_in(const struct sonde_arrivals_stage *stage, double count)
{
    double root = sqrt(fmax(stage->first * stage->first + 2 * stage->slope * count, 0));
    double sum = stage->first + root;
    return count <= 0 || sum <= 0 ? 0 : fmin(2 * count / sum, stage->length_s);
}

static double end_of(const struct sonde_arrivals_stage *stage)
{
    return stage->before + count_in(stage, stage->length_s);
}

static void add_stage(struct sonde_arrivals *arrivals, double length_s, double first, double last)
{
    const struct sonde_arrivals_stage *before =
        arrivals->count ? &arrivals->stages[arrivals->count - 1] : NULL;
    arrivals->stages[arrivals->count++] = (struct sonde_arrivals_stage){
        .begin_s = arrivals->end_s,
        .length_s = length_s,
        .first = first,
        .slope = isinf(length_s) ? 0 : (last - first) / length_s,
        .before = before ? end_of(before) : 0,
    };
    arrivals->end_s += length_s;
}

/* An exponential distance with the mean 1: of a uniform number above 0 and up to 1. */
static double distance(uint64_t *seed)
{
    return -log((double)((sonde_random_next(seed) >> 11) + 1) * 0x1p-53);
}

static void step(struct sonde_arrivals *arrivals)
{
    if (arrivals->distribution == SONDE_ARRIVAL_POISSON) {
        arrivals->position += distance(&arrivals->seed) * (double)arrivals->parts;
    } else {
        arrivals->position = (double)(arrivals->part + arrivals->number * arrivals->parts);
    }
    arrivals->number++;
}

static void add_stages(struct sonde_arrivals *arrivals, const struct sonde_arrival *arrival)
{
    double rate = 0;
    for (size_t i = 0; i < arrival->stages.count; i++) {
        const struct sonde_stage *stage = &arrival->stages.items[i];
        add_stage(arrivals, (double)stage->duration_seconds,
                  stage->ramp ? rate : (double)stage->rate, (double)stage->rate);
        rate = (double)stage->rate;
    }
    if (arrival->stages.count == 0) {
        bool timed = arrival->duration_seconds != SONDE_SPEC_ABSENT;
        add_stage(arrivals, timed ? (double)arrival->duration_seconds : INFINITY,
                  (double)arrival->rate, (double)arrival->rate);
    }
}

/* Of the requests of an amount: they follow those of the warm-up, which need not end with the last
 * part. */
static uint64_t share_of(const struct sonde_arrivals *arrivals, uint64_t amount)
{
    uint64_t parts = arrivals->parts;
    uint64_t before = arrivals->warm ? (uint64_t)ceil(end_of(&arrivals->stages[0])) % parts : 0;
    uint64_t part = (arrivals->part + parts - before) % parts;
    return amount / parts + (part < amount % parts);
}

int sonde_arrivals_init(struct sonde_arrivals *arrivals, const struct sonde_arrival *arrival,
                        int64_t warm_up_seconds, uint64_t part, uint64_t parts, uint64_t seed,
                        struct sonde_err *err)
{
    *arrivals = (struct sonde_arrivals){.distribution = arrival->distribution,
                                        .part = part,
                                        .parts = parts,
                                        .left = UINT64_MAX,
                                        .seed = seed};
    if (arrival->stages.count > SONDE_ARRIVALS_STAGES_MAX ||
        (arrival->stages.count == 0 && arrival->rate == SONDE_SPEC_ABSENT)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "an open model needs a rate, or up to %d stages",
                          SONDE_ARRIVALS_STAGES_MAX);
    }
    if (warm_up_seconds > 0) {
        int64_t first = arrival->stages.count ? arrival->stages.items[0].rate : arrival->rate;
        add_stage(arrivals, (double)warm_up_seconds, (double)first, (double)first);
        arrivals->warm = arrivals->count;
    }
    add_stages(arrivals, arrival);
    if (arrival->amount != SONDE_SPEC_ABSENT) {
        arrivals->left = share_of(arrivals, (uint64_t)arrival->amount);
    }
    step(arrivals);
    return 0;
}

bool sonde_arrivals_next(struct sonde_arrivals *arrivals, int64_t *ret_ns)
{
    /* A request at the very end of a stage belongs to the next one. */
    while (arrivals->at < arrivals->count &&
           arrivals->position >= end_of(&arrivals->stages[arrivals->at])) {
        arrivals->at++;
    }
    bool warm = arrivals->at < arrivals->warm;
    if (arrivals->at == arrivals->count || (arrivals->left == 0 && !warm)) {
        return false;
    }
    const struct sonde_arrivals_stage *stage = &arrivals->stages[arrivals->at];
    double seconds = stage->begin_s + time_in(stage, arrivals->position - stage->before);
    *ret_ns = (int64_t)(seconds * (double)SONDE_SECOND);
    arrivals->left -= arrivals->left != UINT64_MAX && !warm;
    step(arrivals);
    return true;
}

double sonde_arrivals_rate(const struct sonde_arrivals *arrivals, int64_t at_ns)
{
    double seconds = (double)at_ns / (double)SONDE_SECOND;
    for (size_t i = 0; i < arrivals->count; i++) {
        const struct sonde_arrivals_stage *stage = &arrivals->stages[i];
        double within = seconds - stage->begin_s;
        if (within >= 0 && within < stage->length_s) {
            return stage->first + stage->slope * within;
        }
    }
    return 0;
}

int64_t sonde_arrivals_end(const struct sonde_arrivals *arrivals)
{
    return isinf(arrivals->end_s) ? INT64_MAX : (int64_t)(arrivals->end_s * (double)SONDE_SECOND);
}
