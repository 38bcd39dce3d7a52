/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "profile/coverage.h"

void sonde_coverage_link(const struct sonde_coverage *coverage, uint32_t *first, uint32_t *next)
{
    for (size_t i = 0; i < coverage->script_count; i++) {
        first[i] = 0;
    }
    for (size_t i = coverage->function_count; i-- > 0;) {
        uint32_t script = coverage->functions[i].script;
        next[i] = first[script];
        first[script] = (uint32_t)i + 1;
    }
}

bool sonde_coverage_ran_before(const struct sonde_coverage *coverage, uint32_t function)
{
    const struct sonde_coverage_function *of = &coverage->functions[function];
    return of->count == 0 && of->start == 0 && of->name.length == 0;
}

/* Outer ones before those in them: also of equal stretches, by their functions. */
static int compare_stretches(const void *a, const void *b, void *context)
{
    const struct sonde_coverage_function *functions = context;
    const struct sonde_coverage_stretch *left = a;
    const struct sonde_coverage_stretch *right = b;
    if (left->start != right->start) {
        return left->start < right->start ? -1 : 1;
    }
    if (left->end != right->end) {
        return left->end > right->end ? -1 : 1;
    }
    uint32_t left_length = functions[left->function].end - functions[left->function].start;
    uint32_t right_length = functions[right->function].end - functions[right->function].start;
    if (left_length != right_length) {
        return left_length > right_length ? -1 : 1;
    }
    return (left->function > right->function) - (left->function < right->function);
}

/* Those that are open at a place, the innermost last, and what was cut out of them. */
struct sweep {
    struct sonde_coverage_stretch *open, *out;
    size_t depth, count;
    uint32_t at;
};

static void emit(struct sweep *s, uint32_t end)
{
    struct sonde_coverage_stretch stretch = s->open[s->depth - 1];
    if (end > s->at) {
        stretch.start = s->at;
        stretch.end = end;
        s->out[s->count++] = stretch;
        s->at = end;
    }
}

static void close_up_to(struct sweep *s, uint32_t place)
{
    while (s->depth && s->open[s->depth - 1].end <= place) {
        emit(s, s->open[s->depth - 1].end);
        s->depth--;
    }
}

static void cut(struct sweep *s, const struct sonde_coverage_stretch *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sonde_coverage_stretch stretch = all[i];
        close_up_to(s, stretch.start);
        if (s->depth) {
            uint32_t end = s->open[s->depth - 1].end;
            emit(s, stretch.start);
            stretch.end = stretch.end < end ? stretch.end : end;
        }
        s->at = stretch.start > s->at ? stretch.start : s->at;
        s->open[s->depth++] = stretch;
    }
    close_up_to(s, UINT32_MAX);
}

/* Each one that begins or ends cuts another one at most once. */
int sonde_coverage_stretches(const struct sonde_coverage *coverage, uint32_t first,
                             const uint32_t *next, struct sonde_coverage_stretch **ret,
                             size_t *ret_count, struct sonde_err *err)
{
    const struct sonde_coverage *c = coverage;
    size_t count = 0;
    for (uint32_t k = first; k; k = next[k - 1]) {
        count += sonde_coverage_ran_before(c, k - 1) ? 0 : c->functions[k - 1].segment_count;
    }
    SONDE_FREE struct sonde_coverage_stretch *all = calloc(count + 1, sizeof(*all));
    SONDE_FREE struct sonde_coverage_stretch *open = calloc(count + 1, sizeof(*open));
    SONDE_FREE struct sonde_coverage_stretch *out = calloc(2 * count + 1, sizeof(*out));
    if (!all || !open || !out) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "coverage: out of memory");
    }
    count = 0;
    for (uint32_t k = first; k; k = next[k - 1]) {
        const struct sonde_coverage_function *function = &c->functions[k - 1];
        for (uint32_t i = 0; i < function->segment_count && !sonde_coverage_ran_before(c, k - 1);
             i++) {
            const struct sonde_coverage_segment *segment =
                &c->segments[function->first_segment + i];
            all[count++] = (struct sonde_coverage_stretch){segment->start, segment->end,
                                                           segment->count, k - 1};
        }
    }
    struct sweep sweep = {.open = open, .out = out};
    qsort_r(all, count, sizeof(*all), compare_stretches, c->functions);
    cut(&sweep, all, count);
    *ret = SONDE_TAKE(out);
    *ret_count = sweep.count;
    return 0;
}
