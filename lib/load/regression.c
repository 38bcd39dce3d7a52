/* SPDX-License-Identifier: Apache-2.0 */
#include "load/regression.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "histogram/normal.h"

struct sonde_regression_measure *sonde_regression_add(struct sonde_regression *regression,
                                                      const char *name,
                                                      enum sonde_regression_unit unit)
{
    /* How much good runs differ is a guess for the first nights: docs/regression.md. */
    static const struct {
        double usual, least;
    } defaults[SONDE_REGRESSION_UNITS] = {
        [SONDE_REGRESSION_TIME] = {0.02, 0.05},
        [SONDE_REGRESSION_RATE] = {0.02, 0.05},
        [SONDE_REGRESSION_FAILED] = {0.002, 0.01},
        [SONDE_REGRESSION_BUSY] = {0.005, 0.02},
    };
    if (sonde_array_grow(&regression->measures, &regression->capacity, regression->count + 1,
                         sizeof(*regression->measures), SONDE_REGRESSION_MEASURES_MAX) < 0) {
        return NULL;
    }
    struct sonde_regression_measure *added = &regression->measures[regression->count++];
    *added = (struct sonde_regression_measure){
        .unit = unit, .usual = defaults[unit].usual, .least = defaults[unit].least};
    size_t length = strnlen(name, sizeof(added->name) - 1);
    while (length && !sonde_utf8_valid((struct sonde_str){name, length})) {
        length--;
    }
    memcpy(added->name, name, length);
    return added;
}

void sonde_regression_fini(struct sonde_regression *regression)
{
    free(regression->measures);
    *regression = (struct sonde_regression){0};
}

void sonde_regression_refuse(struct sonde_regression *regression, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(regression->message, sizeof(regression->message), format, arguments);
    va_end(arguments);
    regression->compared = regression->worse = false;
}

bool sonde_regression_has_run(const struct sonde_regression *regression, size_t run)
{
    for (size_t i = 0; i < regression->count; i++) {
        if (regression->measures[i].history[run].there) {
            return true;
        }
    }
    return false;
}

void sonde_regression_close_up(struct sonde_regression *regression)
{
    size_t kept = 0;
    for (size_t run = 0; run < regression->runs; run++) {
        if (sonde_regression_has_run(regression, run)) {
            for (size_t i = 0; i < regression->count; i++) {
                regression->measures[i].history[kept] = regression->measures[i].history[run];
            }
            kept++;
        }
    }
    regression->runs = kept;
}

/* ---- statistics ---- */

double sonde_regression_share_error(double measured, size_t windows, double share, double samples)
{
    enum { WINDOWS_THAT_TELL = 4 };
    double least = samples > 0 ? sqrt(share * (1 - share) / samples) : 0;
    double own = measured > 0 ? measured : 0;
    return windows >= WINDOWS_THAT_TELL || own > least ? own : least;
}

double sonde_student_beyond(double t, unsigned degrees)
{
    double angle = atan(t / sqrt(degrees));
    double cosine = cos(angle);
    bool odd = degrees % 2;
    double term = odd ? cosine : 1;
    double sum = odd && degrees == 1 ? 0 : term;
    for (unsigned k = odd ? 2 : 1; k + 3 <= degrees; k += 2) {
        term *= cosine * cosine * (double)k / (double)(k + 1);
        sum += term;
    }
    double within = sin(angle) * sum;
    within = odd ? 2 / M_PI * (angle + within) : within;
    return fmax((1 - within) / 2, 0); /* the sum may be rounded to more than 1 */
}

static bool is_ratio(enum sonde_regression_unit unit)
{
    return unit == SONDE_REGRESSION_TIME || unit == SONDE_REGRESSION_RATE;
}

/* On the scale where differences count. */
static double scaled(const struct sonde_regression_measure *m, double value)
{
    return is_ratio(m->unit) ? log(value) : value;
}

static bool is_usable(const struct sonde_regression_measure *m,
                      const struct sonde_regression_value *v)
{
    return v->there && isfinite(v->value) && (!is_ratio(m->unit) || v->value > 0);
}

static int compare_numbers(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Those of a history that are there. */
struct past {
    double values[SONDE_REGRESSION_HISTORY_MAX];
    size_t count;
    double errors;    /* mean of the squares of their own errors */
    double median;    /* of those that count as the reference … */
    size_t reference; /* … so many */
};

static struct past past_of(const struct sonde_regression *r,
                           const struct sonde_regression_measure *m)
{
    struct past past = {.count = 0};
    double middle[SONDE_REGRESSION_HISTORY_MAX];
    for (size_t i = 0; i < r->runs; i++) {
        const struct sonde_regression_value *own = &m->history[i];
        if (is_usable(m, own)) {
            past.values[past.count++] = scaled(m, own->value);
            past.errors += own->error * own->error;
            if (i < r->reference) {
                middle[past.reference++] = scaled(m, own->value);
            }
        }
    }
    if (past.reference) {
        qsort(middle, past.reference, sizeof(*middle), compare_numbers);
        past.median = (middle[(past.reference - 1) / 2] + middle[past.reference / 2]) / 2;
        past.errors /= (double)past.count;
    }
    return past;
}

/* The variance of a run around what it is in the long run, with how sure that is. */
static double variance_of(const struct past *past, double usual, unsigned *ret_degrees)
{
    double mean = 0;
    double squares = 0;
    for (size_t i = 0; i < past->count; i++) {
        mean += past->values[i] / (double)past->count;
    }
    for (size_t i = 0; i < past->count; i++) {
        squares += (past->values[i] - mean) * (past->values[i] - mean);
    }
    *ret_degrees = (unsigned)(SONDE_REGRESSION_PRIOR + past->count - 1);
    double drawn =
        ((double)SONDE_REGRESSION_PRIOR * usual * usual + squares) / (double)*ret_degrees;
    double own = past->count > 1 ? squares / (double)(past->count - 1) : 0;
    return own > drawn ? own : drawn; /* nights that differ more than usual are believed */
}

/* That of a median of so many normal values, in variances of one: 1, ½, and from 3 on what it comes
 * near to from below (Kenney and Keeping, Mathematics of Statistics, 1962). */
static double part_of_median(size_t count)
{
    return count < 3 ? 1 / (double)count : M_PI / 2 / (double)count;
}

static double shown(const struct sonde_regression_measure *m, double change)
{
    return is_ratio(m->unit) ? expm1(change) : change;
}

static void weigh(const struct sonde_regression *r, struct sonde_regression_measure *m)
{
    struct past past = past_of(r, m);
    m->told = past.reference > 0 && is_usable(m, &m->now);
    m->worse = m->better = false;
    if (!m->told) {
        return;
    }
    unsigned degrees;
    double variance = variance_of(&past, m->usual, &degrees);
    double own = m->now.error * m->now.error;
    double more = own > past.errors ? own - past.errors : 0; /* than the runs of the history */
    double floor = past.errors > variance ? past.errors : variance;
    double deviation = sqrt(floor + more + floor * part_of_median(past.reference));
    double change = scaled(m, m->now.value) - past.median;
    double sign = m->unit == SONDE_REGRESSION_RATE ? -1 : 1;
    double half = sonde_student_deviations(SONDE_REGRESSION_CONFIDENCE, degrees) * deviation;
    m->before = is_ratio(m->unit) ? exp(past.median) : past.median;
    m->chance = sonde_student_beyond(sign * change / deviation, degrees);
    m->change = shown(m, change);
    m->low = shown(m, change - half);
    m->high = shown(m, change + half);
}

/* ---- the verdict ---- */

static int by_chance(const void *a, const void *b)
{
    const struct sonde_regression_measure *left = *(struct sonde_regression_measure *const *)a;
    const struct sonde_regression_measure *right = *(struct sonde_regression_measure *const *)b;
    int order = (left->chance > right->chance) - (left->chance < right->chance);
    return order ? order : (left > right) - (left < right);
}

/* Whether the measure changed by what matters, in the direction that is worse (1) or better (−1).
 */
static bool matters(const struct sonde_regression_measure *m, int direction)
{
    double sign = m->unit == SONDE_REGRESSION_RATE ? -direction : direction;
    return sign * m->change >= m->least;
}

/* Holm's procedure: the i-th smallest chance is held against its part of what is allowed. */
static void find_worse(struct sonde_regression *r)
{
    struct sonde_regression_measure *order[SONDE_REGRESSION_MEASURES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct sonde_regression_measure *m = &r->measures[i];
        if (m->told) {
            order[count++] = m;
            m->better = (m->low > 0 || m->high < 0) && matters(m, -1);
        }
    }
    qsort(order, count, sizeof(struct sonde_regression_measure *), by_chance);
    for (size_t i = 0; i < count; i++) {
        if (order[i]->chance > SONDE_REGRESSION_FALSE_ALARMS / (double)(count - i)) {
            break;
        }
        order[i]->worse = matters(order[i], 1);
        r->worse = r->worse || order[i]->worse;
    }
    r->compared = count > 0;
}

/* Those that are worse, as many as there is room for. */
static void put_message(struct sonde_regression *r)
{
    enum { SAID_MAX = 3, REST = 40 };
    size_t worse = 0;
    size_t length = 0;
    size_t said = 0;
    for (size_t i = 0; i < r->count; i++) {
        SONDE_BUF_AUTO one = SONDE_BUF(SONDE_REGRESSION_MESSAGE_MAX);
        if (!r->measures[i].worse) {
            continue;
        }
        sonde_regression_say(&r->measures[i], worse ? NULL : r->with, &one);
        bool fits = one.code == 0 && length + one.length + REST < sizeof(r->message);
        if (worse++ < SAID_MAX && fits) {
            (void)snprintf(r->message + length, sizeof(r->message) - length, "%s%s",
                           said ? "; " : "", one.data);
            length = strlen(r->message);
            said++;
        }
    }
    if (worse == 0) {
        (void)snprintf(r->message, sizeof(r->message), "no worse than %s", r->with);
    } else if (worse > said) {
        (void)snprintf(r->message + length, sizeof(r->message) - length,
                       said ? "; and %zu more" : "%zu measures are worse", worse - said);
    }
}

void sonde_regression_judge(struct sonde_regression *regression)
{
    regression->worse = false;
    for (size_t i = 0; i < regression->count; i++) {
        weigh(regression, &regression->measures[i]);
    }
    find_worse(regression);
    if (regression->compared) {
        put_message(regression);
    } else {
        sonde_regression_refuse(regression,
                                "not compared with %.300s: both have nothing in common that was "
                                "measured",
                                regression->with);
    }
}
