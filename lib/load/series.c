/* SPDX-License-Identifier: Apache-2.0 */
#include "load/series.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t count_max = (UINT64_C(1) << SONDE_LOAD_SERIES_COUNT_BITS) - 1;
enum { FULL_INTERVALS_MIN = 20 }; /* that fit: ten are left when they are paired */

int sonde_load_series_init(struct sonde_load_series *series,
                           const struct sonde_histogram_layout *layout, struct sonde_err *err)
{
    *series = (struct sonde_load_series){.layout = *layout, .width = 1};
    if (layout->count > SONDE_LOAD_SERIES_COUNTERS_MAX / FULL_INTERVALS_MIN) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a histogram with %u counters is too large to keep",
                          layout->count);
    }
    series->counters = malloc(SONDE_LOAD_SERIES_COUNTERS_MAX * sizeof(*series->counters));
    series->spare = malloc(layout->count * sizeof(*series->spare));
    series->intervals = malloc(SONDE_LOAD_SERIES_INTERVALS_MAX * sizeof(*series->intervals));
    return series->counters && series->spare && series->intervals
               ? 0
               : sonde_fail(err, SONDE_ENOMEM, 0, "the seconds of a test: out of memory");
}

void sonde_load_series_fini(struct sonde_load_series *series)
{
    free(series->counters);
    free(series->spare);
    free(series->intervals);
    *series = (struct sonde_load_series){0};
}

static uint64_t pack(uint32_t index, uint64_t count)
{
    return (uint64_t)index << SONDE_LOAD_SERIES_COUNT_BITS |
           (count < count_max ? count : count_max);
}

/* Adds up two that follow each other, in the place of the first or before it: what is written never
 * gets ahead of what is still to be read. */
static struct sonde_load_series_interval merge(struct sonde_load_series *s,
                                               struct sonde_load_series_interval a,
                                               struct sonde_load_series_interval b, size_t to)
{
    const uint64_t *left = s->spare;
    const uint64_t *right = s->counters + b.first;
    const uint64_t *left_end = left + a.length;
    const uint64_t *right_end = right + b.length;
    uint64_t *out = s->counters + to;
    memcpy(s->spare, s->counters + a.first, a.length * sizeof(*left));
    while (left < left_end || right < right_end) {
        uint32_t l = left < left_end ? sonde_load_series_index(*left) : UINT32_MAX;
        uint32_t r = right < right_end ? sonde_load_series_index(*right) : UINT32_MAX;
        uint64_t count = 0;
        count += l <= r ? sonde_load_series_count(*left++) : 0;
        count += r <= l ? sonde_load_series_count(*right++) : 0;
        *out++ = pack(l < r ? l : r, count);
    }
    return (struct sonde_load_series_interval){
        (uint32_t)to, (uint32_t)(out - s->counters - (ptrdiff_t)to), a.total + b.total};
}

static void add_up_pairs(struct sonde_load_series *s)
{
    size_t at = 0;
    for (size_t i = 0; i < s->count; i += 2) {
        struct sonde_load_series_interval own = s->intervals[i];
        if (i + 1 < s->count) {
            own = merge(s, own, s->intervals[i + 1], at);
        } else {
            memmove(s->counters + at, s->counters + own.first, own.length * sizeof(*s->counters));
            own.first = (uint32_t)at;
        }
        at += own.length;
        s->intervals[i / 2] = own;
    }
    s->in_last += s->count % 2 ? 0 : s->width;
    s->width *= 2;
    s->count = (s->count + 1) / 2;
    s->used = at;
}

/* Appends what is not 0, where there is room for all of the layout. */
static struct sonde_load_series_interval append(struct sonde_load_series *s,
                                                const struct sonde_histogram *h)
{
    struct sonde_load_series_interval own = {.first = (uint32_t)s->used, .total = h->total};
    int64_t highest = h->layout.highest;
    if (h->total) {
        uint32_t first =
            sonde_histogram_index(&h->layout, h->minimum < highest ? h->minimum : highest);
        uint32_t last =
            sonde_histogram_index(&h->layout, h->maximum < highest ? h->maximum : highest);
        for (uint32_t i = first; i <= last; i++) {
            if (h->counts[i]) {
                s->counters[own.first + own.length++] = pack(i, h->counts[i]);
            }
        }
    }
    return own;
}

void sonde_load_series_add(struct sonde_load_series *series, const struct sonde_histogram *interval)
{
    struct sonde_load_series *s = series;
    while (s->used + s->layout.count > SONDE_LOAD_SERIES_COUNTERS_MAX ||
           s->count == SONDE_LOAD_SERIES_INTERVALS_MAX) {
        add_up_pairs(s);
    }
    struct sonde_load_series_interval own = append(s, interval);
    if (s->count && s->in_last < s->width) {
        struct sonde_load_series_interval *last = &s->intervals[s->count - 1];
        *last = merge(s, *last, own, last->first);
        own = *last;
        s->in_last++;
    } else {
        s->intervals[s->count++] = own;
        s->in_last = 1;
    }
    s->used = own.first + own.length;
    s->maximum = interval->maximum > s->maximum ? interval->maximum : s->maximum;
}
