/* SPDX-License-Identifier: Apache-2.0 */
#include "load/steady.h"

#include <math.h>

#include "base/memory.h"

enum {
    BATCH_MAX = 5,    /* points */
    BATCHES_MIN = 20, /* else smaller batches are made */
    BATCHES_LEAST = 10,
};
/* Errors whose squares differ by less are alike: the least of few batches is a matter of chance. */
static const double alike = 2;
static const double wandering_max = 0.739; /* Kwiatkowski et al., table 1: of a level, at 1 % */

/* By what share of its mean a signal must change for that to matter. */
static const struct {
    const char *name;
    double matters;
} signals[SONDE_LOAD_STEADY_SIGNALS] = {
    [SONDE_LOAD_STEADY_RATE] = {"rate", 0.05},
    [SONDE_LOAD_STEADY_P50] = {"p50", 0.05},
    [SONDE_LOAD_STEADY_P99] = {"p99", 0.2},
};

const char *sonde_load_steadiness_name(enum sonde_load_steadiness state)
{
    static const char *const names[] = {[SONDE_LOAD_TOO_SHORT] = "too short",
                                        [SONDE_LOAD_STEADY] = "steady",
                                        [SONDE_LOAD_UNSTEADY] = "unsteady"};
    return names[state];
}

const char *sonde_load_steady_signal_name(enum sonde_load_steady_signal signal)
{
    return signals[signal].name;
}

/* ---- points ---- */

static double average(double a, double weight_a, double b, double weight_b)
{
    return (a * weight_a + b * weight_b) / (weight_a + weight_b);
}

static void pair_up(struct sonde_load_steady *s)
{
    for (size_t k = 0; k < SONDE_LOAD_STEADY_SIGNALS; k++) {
        for (size_t i = 0; i + 1 < s->count; i += 2) {
            s->values[k][i / 2] = average(s->values[k][i], 1, s->values[k][i + 1], 1);
        }
    }
    s->count /= 2;
    s->width *= 2;
    s->in_last = s->width;
}

void sonde_load_steady_add(struct sonde_load_steady *steady,
                           const double values[static SONDE_LOAD_STEADY_SIGNALS])
{
    struct sonde_load_steady *s = steady;
    s->width = s->width ? s->width : 1;
    bool grows = s->count && s->in_last < s->width;
    if (!grows && s->count == SONDE_LOAD_STEADY_POINTS_MAX) {
        pair_up(s); /* all are whole, and their number is even */
    }
    s->count += !grows;
    s->in_last = grows ? s->in_last : 0;
    for (size_t k = 0; k < SONDE_LOAD_STEADY_SIGNALS; k++) {
        double *last = &s->values[k][s->count - 1];
        *last = average(grows ? *last : 0, s->in_last, values[k], 1);
    }
    s->in_last++;
}

/* ---- what they say ---- */

static double mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return count ? sum / (double)count : 0;
}

/* The first batch, from which on the error (squared) is no more than `most`, and the least error.
 */
static size_t first_of(const double *values, size_t count, size_t batch, double most,
                       double *ret_least)
{
    size_t batches = count / batch;
    double sum = 0;
    double squares = 0;
    size_t first = batches;
    double middle = mean_of(values, count); /* squares of what is near 0 lose no digits */
    *ret_least = INFINITY;
    for (size_t at = batches; at-- > 0;) {
        double own = mean_of(values + at * batch, batch) - middle;
        double n = (double)(batches - at);
        sum += own;
        squares += own * own;
        double error = (squares - sum * sum / n) / (n * n);
        bool counts = at <= batches / 2;
        *ret_least = counts ? fmin(*ret_least, error) : *ret_least;
        first = counts && error <= most ? at : first;
    }
    return first;
}

size_t sonde_load_steady_cut(const double *values, size_t count, size_t batch)
{
    size_t batches = count / batch;
    double least;
    if (batches < BATCHES_LEAST) {
        return count;
    }
    (void)first_of(values, count, batch, INFINITY, &least);
    size_t cut = first_of(values, count, batch, least * alike, &least);
    return 5 * cut > 2 * batches ? count : cut * batch;
}

double sonde_load_steady_wandering(const double *values, size_t count)
{
    double n = (double)count;
    double mean = mean_of(values, count);
    size_t lags = (size_t)(4 * pow(n / 100, 0.25));
    double sum = 0;
    double squares = 0;
    double variance = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i] - mean;
        squares += sum * sum;
    }
    for (size_t lag = 0; lag <= lags && lag < count; lag++) {
        double own = 0;
        for (size_t i = lag; i < count; i++) {
            own += (values[i] - mean) * (values[i - lag] - mean);
        }
        double weight = 1 - (double)lag / (double)(lags + 1);
        variance += (lag ? 2 : 1) * weight * own / n;
    }
    bool varies = variance > 1e-20 * mean * mean;
    return count < 3 || !varies ? 0 : squares / (n * n * variance);
}

/* Whether two stretches differ by so much that it matters. */
static bool differ(const double *a, size_t count_a, const double *b, size_t count_b, double matters)
{
    double mean_a = mean_of(a, count_a);
    double mean_b = mean_of(b, count_b);
    return fabs(mean_a - mean_b) > matters * fmax(fabs(mean_a), fabs(mean_b));
}

static bool ends_differ(const double *values, size_t count, double matters)
{
    size_t third = count / 3;
    return differ(values, third, values + count - third, third, matters);
}

void sonde_load_steady_judge(const struct sonde_load_steady *steady,
                             struct sonde_load_steady_verdict *ret)
{
    const struct sonde_load_steady *s = steady;
    size_t batch = s->count / BATCHES_MIN;
    batch = batch > BATCH_MAX ? BATCH_MAX : batch < 1 ? 1 : batch;
    size_t since = 0;
    *ret = (struct sonde_load_steady_verdict){.state = SONDE_LOAD_TOO_SHORT};
    if (s->count < SONDE_LOAD_STEADY_SECONDS_MIN) {
        return;
    }
    ret->state = SONDE_LOAD_STEADY;
    for (size_t k = 0; k < SONDE_LOAD_STEADY_SIGNALS; k++) {
        const double *values = s->values[k];
        double matters = signals[k].matters;
        size_t cut = sonde_load_steady_cut(values, s->count, batch);
        bool found = cut < s->count;
        if (!found && ends_differ(values, s->count, matters)) {
            ret->state = SONDE_LOAD_UNSTEADY;
            ret->signal = (enum sonde_load_steady_signal)k;
            return;
        }
        bool counts = found && cut && differ(values, cut, values + cut, s->count - cut, matters);
        since = counts && cut > since ? cut : since;
    }
    for (size_t k = 0; k < SONDE_LOAD_STEADY_SIGNALS; k++) {
        const double *left = s->values[k] + since;
        size_t count = s->count - since;
        if (sonde_load_steady_wandering(left, count) > wandering_max &&
            ends_differ(left, count, signals[k].matters)) {
            ret->state = SONDE_LOAD_UNSTEADY;
            ret->signal = (enum sonde_load_steady_signal)k;
            return;
        }
    }
    ret->since_seconds = (unsigned)since * s->width;
}
