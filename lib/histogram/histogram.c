/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "histogram/normal.h"

int sonde_histogram_layout(int64_t lowest, int64_t highest, int digits,
                           struct sonde_histogram_layout *ret, struct sonde_err *err)
{
    if (digits < 1 || digits > SONDE_HISTOGRAM_DIGITS_MAX || lowest < 1 || highest / 2 < lowest) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "there is no histogram from %lld to %lld with %d digits",
                          (long long)lowest, (long long)highest, digits);
    }
    int64_t steps = 2;
    for (int i = 0; i < digits; i++) {
        steps *= 10;
    }
    *ret = (struct sonde_histogram_layout){
        .lowest = lowest,
        .highest = highest,
        .digits = digits,
        .unit_magnitude = 63 - __builtin_clzll((uint64_t)lowest),
        .half_magnitude = 63 - __builtin_clzll((uint64_t)steps - 1),
    };
    int bits = ret->unit_magnitude + ret->half_magnitude + 1; /* of what the first bucket holds */
    if (bits > 61) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "there is no histogram from %lld with %d digits: they do not fit 64 bits",
                          (long long)lowest, digits);
    }
    uint64_t buckets = 1;
    for (int shift = bits; shift < 63 && highest >> shift; shift++) {
        buckets++;
    }
    uint64_t count = (buckets + 1) << ret->half_magnitude;
    if (count > SONDE_HISTOGRAM_COUNTS_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a histogram with %llu counters is too large",
                          (unsigned long long)count);
    }
    ret->count = (uint32_t)count;
    return 0;
}

int sonde_histogram_init(struct sonde_histogram *histogram,
                         const struct sonde_histogram_layout *layout, struct sonde_err *err)
{
    *histogram = (struct sonde_histogram){.layout = *layout, .minimum = INT64_MAX};
    histogram->counts = calloc(layout->count, sizeof(*histogram->counts));
    return histogram->counts ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "a histogram: out of memory");
}

void sonde_histogram_fini(struct sonde_histogram *histogram)
{
    if (histogram) {
        free(histogram->counts);
        *histogram = (struct sonde_histogram){0};
    }
}

/* The counter of a value that was recorded. */
static uint32_t kept_index(const struct sonde_histogram *histogram, int64_t value)
{
    const struct sonde_histogram_layout *layout = &histogram->layout;
    return sonde_histogram_index(layout, value < layout->highest ? value : layout->highest);
}

/* Only what was touched: many histograms have few values. */
void sonde_histogram_clear(struct sonde_histogram *histogram)
{
    if (histogram->total) {
        uint32_t first = kept_index(histogram, histogram->minimum);
        uint32_t last = kept_index(histogram, histogram->maximum);
        memset(histogram->counts + first, 0,
               ((size_t)last - first + 1) * sizeof(*histogram->counts));
    }
    histogram->total = histogram->clipped = 0;
    histogram->minimum = INT64_MAX;
    histogram->maximum = 0;
}

int sonde_histogram_add(struct sonde_histogram *histogram, const struct sonde_histogram *from,
                        struct sonde_err *err)
{
    const struct sonde_histogram_layout *a = &histogram->layout;
    const struct sonde_histogram_layout *b = &from->layout;
    if (a->lowest != b->lowest || a->highest != b->highest || a->digits != b->digits) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "histograms from %lld to %lld with %d digits and from %lld to %lld with "
                          "%d cannot be added exactly",
                          (long long)a->lowest, (long long)a->highest, a->digits,
                          (long long)b->lowest, (long long)b->highest, b->digits);
    }
    if (from->total == 0) {
        return 0;
    }
    uint32_t first = kept_index(from, from->minimum);
    uint32_t last = kept_index(from, from->maximum);
    for (uint32_t i = first; i <= last; i++) {
        histogram->counts[i] += from->counts[i];
    }
    histogram->total += from->total;
    histogram->clipped += from->clipped;
    histogram->minimum = from->minimum < histogram->minimum ? from->minimum : histogram->minimum;
    histogram->maximum = from->maximum > histogram->maximum ? from->maximum : histogram->maximum;
    return 0;
}

/* ---- values ---- */

/* The power of 2 that a counter's values have in common. */
static int shift_of(const struct sonde_histogram_layout *layout, uint32_t index)
{
    uint32_t bucket = index >> layout->half_magnitude;
    return layout->unit_magnitude + (bucket ? (int)bucket - 1 : 0);
}

int64_t sonde_histogram_lowest_of(const struct sonde_histogram_layout *layout, uint32_t index)
{
    uint32_t half = UINT32_C(1) << layout->half_magnitude;
    uint32_t step = index < half ? index : (index & (half - 1)) + half;
    return (int64_t)((uint64_t)step << shift_of(layout, index));
}

int64_t sonde_histogram_highest_of(const struct sonde_histogram_layout *layout, uint32_t index)
{
    uint64_t lowest = (uint64_t)sonde_histogram_lowest_of(layout, index);
    return (int64_t)(lowest + (UINT64_C(1) << shift_of(layout, index)) - 1);
}

static double middle_of(const struct sonde_histogram_layout *layout, uint32_t index)
{
    return (double)sonde_histogram_lowest_of(layout, index) +
           (double)(UINT64_C(1) << shift_of(layout, index) >> 1);
}

int64_t sonde_histogram_at_rank(const struct sonde_histogram *histogram, uint64_t rank)
{
    const struct sonde_histogram_layout *layout = &histogram->layout;
    uint64_t seen = 0;
    rank = rank < 1 ? 1 : rank > histogram->total ? histogram->total : rank;
    for (uint32_t i = 0; i < layout->count && rank; i++) {
        seen += histogram->counts[i];
        if (seen >= rank) {
            int64_t value = sonde_histogram_highest_of(layout, i);
            return value < histogram->maximum ? value : histogram->maximum;
        }
    }
    return 0;
}

int64_t sonde_histogram_quantile(const struct sonde_histogram *histogram, double share)
{
    if (share <= 0) {
        return histogram->total ? histogram->minimum : 0;
    }
    double rank = ceil(nextafter(share, 0) * (double)histogram->total);
    return sonde_histogram_at_rank(histogram, rank < 1 ? 1 : (uint64_t)rank);
}

double sonde_histogram_mean(const struct sonde_histogram *histogram)
{
    double sum = 0;
    for (uint32_t i = 0; i < histogram->layout.count && histogram->total; i++) {
        uint64_t count = histogram->counts[i];
        sum += count ? (double)count * middle_of(&histogram->layout, i) : 0;
    }
    return histogram->total ? sum / (double)histogram->total : 0;
}

double sonde_histogram_deviation(const struct sonde_histogram *histogram)
{
    double mean = sonde_histogram_mean(histogram);
    double sum = 0;
    for (uint32_t i = 0; i < histogram->layout.count && histogram->total; i++) {
        uint64_t count = histogram->counts[i];
        double off = count ? middle_of(&histogram->layout, i) - mean : 0;
        sum += (double)count * off * off;
    }
    return histogram->total ? sqrt(sum / (double)histogram->total) : 0;
}

uint64_t sonde_histogram_count_to(const struct sonde_histogram *histogram, int64_t value)
{
    const struct sonde_histogram_layout *layout = &histogram->layout;
    uint64_t count = 0;
    if (value < 0) {
        return 0;
    }
    uint32_t last =
        sonde_histogram_index(layout, value < layout->highest ? value : layout->highest);
    for (uint32_t i = 0; i <= last; i++) {
        count += histogram->counts[i];
    }
    return count;
}

bool sonde_histogram_is_scarce(const struct sonde_histogram *histogram, double share)
{
    static const double beyond = 10 - 1e-6; /* 1 − 0.9 is less than 0.1 */
    return (double)histogram->total * fmin(share, 1 - share) < beyond;
}

bool sonde_histogram_interval(const struct sonde_histogram *histogram, double share,
                              double confidence, int64_t *ret_low, int64_t *ret_high)
{
    double n = (double)histogram->total;
    double around = sonde_normal_deviations(confidence) * sqrt(n * share * (1 - share));
    double low = floor(n * share - around);
    double high = ceil(n * share + around) + 1;
    *ret_low = sonde_histogram_at_rank(histogram, low < 1 ? 1 : (uint64_t)low);
    *ret_high = sonde_histogram_at_rank(histogram, high > n ? histogram->total : (uint64_t)high);
    return high <= n;
}
