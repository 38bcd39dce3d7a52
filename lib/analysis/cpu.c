/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/cpu.h"

#include <stdlib.h>

#include "analysis/cpu_findings.h"

struct work {
    const struct sonde_profile *profile;
    struct sonde_cpu_analysis *analysis;
    const uint32_t *answering; /* by node */
};

static bool idles(const struct work *w, uint32_t node)
{
    const struct sonde_profile *profile = w->profile;
    return profile->frames[profile->nodes[node].frame].category == SONDE_CATEGORY_IDLE;
}

/* ---- stalls ---- */

static void keep_stall(struct sonde_cpu_analysis *a, const struct sonde_cpu_stall *stall)
{
    size_t at = a->stall_count;
    while (at > 0 && a->stalls[at - 1].length_us < stall->length_us) {
        at--;
    }
    if (at == SONDE_CPU_STALLS_MAX) {
        return;
    }
    size_t last =
        a->stall_count < SONDE_CPU_STALLS_MAX ? a->stall_count++ : SONDE_CPU_STALLS_MAX - 1;
    for (; last > at; last--) {
        a->stalls[last] = a->stalls[last - 1];
    }
    a->stalls[at] = *stall;
}

/* Finds the frame to blame for the most of samples [from, to): per_frame is all zero before and
 * after. */
static void dominant(const struct work *w, size_t from, size_t to, int64_t *per_frame,
                     struct sonde_cpu_stall *stall)
{
    const struct sonde_profile *profile = w->profile;
    uint32_t best = 0;
    for (size_t i = from; i < to; i++) {
        uint32_t node = profile->samples[i].node;
        uint32_t frame = w->answering[node] == SONDE_FRAME_NONE ? profile->nodes[node].frame
                                                                : w->answering[node];
        per_frame[frame] += profile->samples[i].duration_us;
        if (per_frame[frame] >= per_frame[best]) {
            best = frame;
        }
    }
    stall->frame = best;
    stall->frame_us = per_frame[best];
    for (size_t i = from; i < to; i++) {
        uint32_t node = profile->samples[i].node;
        per_frame[profile->nodes[node].frame] = 0;
        if (w->answering[node] != SONDE_FRAME_NONE) {
            per_frame[w->answering[node]] = 0;
        }
    }
}

static void find_stalls(struct work *w, int64_t *per_frame)
{
    const struct sonde_profile *profile = w->profile;
    int64_t time = 0;
    struct sonde_cpu_stall stall = {0};
    size_t from = 0;
    for (size_t i = 0; i <= profile->sample_count && !profile->unordered; i++) {
        bool idle = i == profile->sample_count || idles(w, profile->samples[i].node);
        if (idle && stall.length_us > 0) {
            struct sonde_cpu_analysis *a = w->analysis;
            if (a->stall_count < SONDE_CPU_STALLS_MAX ||
                a->stalls[a->stall_count - 1].length_us < stall.length_us) {
                stall.samples = i - from;
                dominant(w, from, i, per_frame, &stall);
                keep_stall(a, &stall);
            }
        }
        if (i == profile->sample_count) {
            return;
        }
        if (idle) {
            from = i + 1;
            stall = (struct sonde_cpu_stall){.start_us = time + profile->samples[i].duration_us};
        } else {
            stall.length_us += profile->samples[i].duration_us;
        }
        time += profile->samples[i].duration_us;
    }
}

static void sum_times(const struct sonde_profile *profile, struct sonde_cpu_analysis *a)
{
    a->wall_ns = a->table.whole;
    a->busy_ns = a->wall_ns - a->table.categories[SONDE_CATEGORY_IDLE];
    for (size_t i = 0; i < a->table.function_count; i++) {
        const struct sonde_function *function = &a->table.functions[i];
        if (sonde_str_is(profile->frames[function->frame].function, "(garbage collector)")) {
            a->gc_ns += function->self;
        }
    }
}

int sonde_cpu_analyze(const struct sonde_profile *profile, struct sonde_cpu_analysis *ret,
                      struct sonde_err *err)
{
    *ret = (struct sonde_cpu_analysis){0};
    SONDE_FREE int64_t *per_frame = calloc(profile->frame_count, sizeof(*per_frame));
    if (!per_frame) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the analysis: out of memory");
    }
    int r = sonde_function_table_init(profile, &ret->table, err);
    if (r < 0) {
        return r;
    }
    struct work w = {profile, ret, ret->table.answering};
    sum_times(profile, ret);
    find_stalls(&w, per_frame);
    sonde_cpu_find(profile, ret);
    return 0;
}

void sonde_cpu_analysis_fini(struct sonde_cpu_analysis *analysis)
{
    if (analysis) {
        sonde_function_table_fini(&analysis->table);
        *analysis = (struct sonde_cpu_analysis){0};
    }
}
