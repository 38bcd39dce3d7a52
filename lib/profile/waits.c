/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/waits.h"

#include <stdlib.h>

/* Of the functions that a thread waits in: what they leave unexplained of all that was waited. */
#define UNEXPLAINED 0.05

/* The samples [first, end) of a stretch. */
struct part {
    const struct sonde_wait_stretch *stretch;
    size_t first, end;
    int64_t length_us; /* of the samples */
};

struct walk {
    const struct sonde_waits *waits;
    const struct sonde_waits_samples *samples;
    size_t stretch, sample;
    int64_t start_us; /* of the stretch */
};

static int64_t duration_us(const struct sonde_waits_samples *samples, size_t at)
{
    int64_t next = at + 1 < samples->count ? samples->times_us[at + 1] : samples->end_us;
    return next > samples->times_us[at] ? next - samples->times_us[at] : 0;
}

static struct walk begin(const struct sonde_waits *waits, const struct sonde_waits_samples *samples)
{
    struct walk walk = {waits, samples, 0, 0, waits->start_us};
    while (walk.sample < samples->count && samples->times_us[walk.sample] < waits->start_us) {
        walk.sample++;
    }
    return walk;
}

/* The next stretch with samples; false: there is none. */
static bool next(struct walk *walk, struct part *ret)
{
    const struct sonde_waits_samples *samples = walk->samples;
    while (walk->stretch < walk->waits->count && walk->sample < samples->count) {
        const struct sonde_wait_stretch *stretch = &walk->waits->stretches[walk->stretch++];
        int64_t end_us = walk->start_us + stretch->length_us;
        *ret = (struct part){.stretch = stretch, .first = walk->sample};
        while (walk->sample < samples->count && samples->times_us[walk->sample] < end_us) {
            ret->length_us += duration_us(samples, walk->sample++);
        }
        ret->end = walk->sample;
        walk->start_us = end_us;
        if (ret->end > ret->first) {
            return true;
        }
    }
    return false;
}

/* What those samples have of an amount of the stretch: they may be only some of it. */
static int64_t part_of(const struct part *part, int64_t amount_us)
{
    int64_t length_us = part->stretch->length_us;
    return part->length_us >= length_us
               ? amount_us
               : (int64_t)((double)amount_us * (double)part->length_us / (double)length_us);
}

static bool is_marked(const struct sonde_waits_samples *samples, size_t at)
{
    return samples->nodes[at] & SONDE_WAITED;
}

/* ---- where a thread waits ---- */

struct marking {
    const struct sonde_profile *profile;
    struct sonde_waits_samples *samples;
    int64_t *times; /* by frame, of whole stretches; −1: a thread waits in it */
};

static int64_t *time_of(const struct marking *m, size_t at)
{
    return &m->times[m->profile->nodes[m->samples->nodes[at]].frame];
}

/* The longest ones, until nearly all that was waited is explained. */
static void find_functions(const struct marking *m, const struct sonde_waits *waits)
{
    struct walk walk = begin(waits, m->samples);
    struct part part;
    double waited = 0;
    while (next(&walk, &part)) {
        for (size_t i = part.first; i < part.end && part.stretch->whole; i++) {
            *time_of(m, i) += duration_us(m->samples, i);
        }
        waited += part.stretch->whole ? (double)part_of(&part, part.stretch->waited_us) : 0;
    }
    double left = waited;
    for (int k = 0; k < SONDE_WAITS_FUNCTIONS_MAX && left > waited * UNEXPLAINED; k++) {
        int64_t *longest = m->times;
        for (size_t i = 1; i < m->profile->frame_count; i++) {
            longest = m->times[i] > *longest ? &m->times[i] : longest;
        }
        if (*longest <= 0) {
            return;
        }
        left -= (double)*longest;
        *longest = -1;
    }
}

/* ---- samples ---- */

static void mark_functions(const struct marking *m, const struct part *part)
{
    const struct sonde_wait_stretch *stretch = part->stretch;
    int64_t left_us = part_of(part, stretch->length_us - stretch->ran_us);
    for (size_t i = part->first; i < part->end && (stretch->whole || left_us > 0); i++) {
        if (*time_of(m, i) < 0) {
            m->samples->nodes[i] |= SONDE_WAITED;
            left_us -= duration_us(m->samples, i);
        }
    }
}

static void mark_others(const struct marking *m, const struct part *part)
{
    for (size_t first = part->first; first < part->end;) {
        size_t end = first;
        int64_t together_us = 0;
        while (end < part->end && !is_marked(m->samples, end)) {
            together_us += duration_us(m->samples, end++);
        }
        for (size_t i = first; i < end && together_us > SONDE_WAITS_DOUBT_US; i++) {
            m->samples->nodes[i] |= SONDE_WAITED;
        }
        first = end + 1;
    }
}

int sonde_waits_mark(const struct sonde_waits *waits, const struct sonde_profile *profile,
                     struct sonde_waits_samples *samples, struct sonde_err *err)
{
    SONDE_FREE int64_t *times = calloc(profile->frame_count, sizeof(*times));
    struct marking marking = {profile, samples, times};
    struct part part;
    if (!times) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    find_functions(&marking, waits);
    struct walk walk = begin(waits, samples);
    while (next(&walk, &part)) {
        mark_functions(&marking, &part);
        if (part.stretch->whole) {
            mark_others(&marking, &part);
        }
    }
    return 0;
}
