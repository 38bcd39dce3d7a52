/* SPDX-License-Identifier: Apache-2.0 */
/* What the seconds of a test say of all of it: how sure its quantiles are, and since when it was
 * steady. Pure. */
#ifndef SONDE_LOAD_COURSE_H
#define SONDE_LOAD_COURSE_H

#include "load/intervals.h"
#include "load/series.h"
#include "load/steady.h"

enum { SONDE_LOAD_CONFIDENCE_QUANTILES = 5 };
#define SONDE_LOAD_CONFIDENCE 0.95

/* Of which quantiles: the name in JSON, and the share. */
struct sonde_load_quantile {
    const char *name;
    double share;
    bool shown; /* to a person */
};
extern const struct sonde_load_quantile
    sonde_load_confidence_quantiles[SONDE_LOAD_CONFIDENCE_QUANTILES];

enum sonde_load_confidence_method {
    /* From the number of requests, as if none had to do with another: in a test of fewer than
     * SONDE_BOOTSTRAP_INTERVALS_MIN seconds, since they cannot tell better. */
    SONDE_LOAD_ORDER_STATISTICS,
    SONDE_LOAD_BOOTSTRAP, /* bootstrap.h */
    SONDE_LOAD_CONFIDENCE_METHODS,
};

/* Between which values of the response, in µs, a quantile lies: of such tests SONDE_LOAD_CONFIDENCE
 * have such bounds around the truth. */
struct sonde_load_bounds {
    bool told; /* there is enough for it: ten requests lie beyond */
    int64_t low_us, high_us;
};

struct sonde_load_confidence {
    enum sonde_load_confidence_method method;
    struct sonde_load_bounds bounds[SONDE_LOAD_CONFIDENCE_QUANTILES];
};

/* Of a test's responses, and of its intervals. The same seed and the same test: the same bounds.
 * SONDE_ENOMEM. */
int sonde_load_confidence_of(const struct sonde_histogram *response,
                             const struct sonde_load_intervals *intervals, uint64_t seed,
                             struct sonde_load_confidence *ret,
                             struct sonde_err *err) SONDE_MUST_CHECK;

/* "orderStatistics" … */
const char *sonde_load_confidence_method_name(enum sonde_load_confidence_method method);

/* An empty series gets the intervals' responses, for bootstrap.h. SONDE_ENOMEM. The caller calls
 * sonde_load_series_fini in any case. */
int sonde_load_course_series(const struct sonde_load_intervals *intervals,
                             struct sonde_load_series *ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* Whether it came to rest, by whole seconds; since_seconds from the first one. SONDE_ENOMEM. */
int sonde_load_course_steady(const struct sonde_load_intervals *intervals,
                             struct sonde_load_steady_verdict *ret,
                             struct sonde_err *err) SONDE_MUST_CHECK;

#endif
