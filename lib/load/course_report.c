/* SPDX-License-Identifier: Apache-2.0 */
#include "load/course_report.h"

#include "load/duration.h"

typedef unsigned long long number;

/* ---- for programs ---- */

void sonde_load_bounds_json(const struct sonde_load_confidence *confidence, struct sonde_buf *buf)
{
    for (size_t i = 0; i < SONDE_LOAD_CONFIDENCE_QUANTILES; i++) {
        const struct sonde_load_bounds *own = &confidence->bounds[i];
        sonde_buf_printf(buf, "%s\"%s\":", i ? "," : "", sonde_load_confidence_quantiles[i].name);
        if (own->told) {
            sonde_buf_printf(buf, "[%lld,%lld]", (long long)own->low_us, (long long)own->high_us);
        } else {
            sonde_buf_text(buf, "null");
        }
    }
}

void sonde_load_confidence_json(const struct sonde_load_confidence *confidence,
                                struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "{\"method\":\"%s\",",
                     sonde_load_confidence_method_name(confidence->method));
    sonde_load_bounds_json(confidence, buf);
    sonde_buf_char(buf, '}');
}

void sonde_load_steadiness_json(const struct sonde_load_steady_verdict *steadiness,
                                struct sonde_buf *buf)
{
    const char *state = sonde_load_steadiness_name(steadiness->state);
    switch (steadiness->state) {
    case SONDE_LOAD_TOO_SHORT:
        sonde_buf_text(buf, "null");
        break;
    case SONDE_LOAD_STEADY:
        sonde_buf_printf(buf, "{\"state\":\"%s\",\"sinceSeconds\":%u}", state,
                         steadiness->since_seconds);
        break;
    case SONDE_LOAD_UNSTEADY:
        sonde_buf_printf(buf, "{\"state\":\"%s\",\"signal\":\"%s\"}", state,
                         sonde_load_steady_signal_name(steadiness->signal));
        break;
    }
}

/* ---- for a person ---- */

void sonde_load_confidence_text(const struct sonde_load_confidence *confidence,
                                struct sonde_buf *buf)
{
    const char *separator = "of 95 in 100 such tests the response is ";
    for (size_t i = 0; i < SONDE_LOAD_CONFIDENCE_QUANTILES; i++) {
        const struct sonde_load_quantile *quantile = &sonde_load_confidence_quantiles[i];
        const struct sonde_load_bounds *own = &confidence->bounds[i];
        if (own->told && quantile->shown) {
            char low[SONDE_LOAD_DURATION_SIZE];
            char high[SONDE_LOAD_DURATION_SIZE];
            sonde_buf_printf(buf, "%s%s to %s (%g %%)", separator,
                             sonde_load_duration(own->low_us, low),
                             sonde_load_duration(own->high_us, high), 100 * quantile->share);
            separator = ", ";
        }
    }
    bool doubtful = confidence->method == SONDE_LOAD_ORDER_STATISTICS;
    if (separator[0] == ',') {
        sonde_buf_text(buf, doubtful ? ", if its seconds are alike\n" : "\n");
    }
}

void sonde_load_steadiness_text(const struct sonde_load_steady_verdict *steadiness,
                                int64_t warm_up_seconds, struct sonde_buf *buf)
{
    static const char *const signals[SONDE_LOAD_STEADY_SIGNALS] = {
        [SONDE_LOAD_STEADY_RATE] = "the rate of answers",
        [SONDE_LOAD_STEADY_P50] = "the response (50 %)",
        [SONDE_LOAD_STEADY_P99] = "the response (99 %)",
    };
    switch (steadiness->state) {
    case SONDE_LOAD_TOO_SHORT:
        break;
    case SONDE_LOAD_STEADY:
        if (steadiness->since_seconds) {
            sonde_buf_printf(buf,
                             "steady from %u s on: leave out what was before (--warm-up %llds)\n",
                             steadiness->since_seconds,
                             (long long)(warm_up_seconds + steadiness->since_seconds));
        } else {
            sonde_buf_text(buf, "steady all the time\n");
        }
        break;
    case SONDE_LOAD_UNSTEADY:
        sonde_buf_printf(buf, "not steady: %s did not come to rest; take a longer time\n",
                         signals[steadiness->signal]);
        break;
    }
}

void sonde_load_warm_up_text(int64_t seconds, const struct sonde_load_tally *tally,
                             struct sonde_buf *buf)
{
    static const double shares[] = {0.5, 0.99};
    const char *separator = ", response ";
    if (seconds == 0) {
        return;
    }
    sonde_buf_printf(buf,
                     "before it, and not in it, a warm-up of %lld s: %llu requests, %llu answered",
                     (long long)seconds, (number)tally->sent, (number)tally->answered);
    for (size_t i = 0; i < SONDE_LENGTH(shares); i++) {
        char text[SONDE_LOAD_DURATION_SIZE];
        if (!sonde_histogram_is_scarce(&tally->response, shares[i])) {
            int64_t value = sonde_histogram_quantile(&tally->response, shares[i]);
            sonde_buf_printf(buf, "%s%s (%g %%)", separator, sonde_load_duration(value, text),
                             100 * shares[i]);
            separator = ", ";
        }
    }
    sonde_buf_char(buf, '\n');
}
