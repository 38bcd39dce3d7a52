/* SPDX-License-Identifier: Apache-2.0 */
#include "load/judge.h"

#include <math.h>
#include <string.h>

/* Of latencies, in ms. */
static double of_latencies(const struct sonde_threshold *threshold,
                           const struct sonde_histogram *histogram)
{
    static const double us_in_ms = 1000;
    if (histogram->total == 0) {
        return NAN;
    }
    switch (threshold->statistic) {
    case SONDE_STATISTIC_AVERAGE:
        return sonde_histogram_mean(histogram) / us_in_ms;
    case SONDE_STATISTIC_MINIMUM:
        return (double)histogram->minimum / us_in_ms;
    case SONDE_STATISTIC_MAXIMUM:
        return (double)histogram->maximum / us_in_ms;
    case SONDE_STATISTIC_MEDIAN:
        return (double)sonde_histogram_quantile(histogram, 0.5) / us_in_ms;
    case SONDE_STATISTIC_PERCENTILE:
        return (double)sonde_histogram_quantile(histogram, threshold->percentile / 100) / us_in_ms;
    case SONDE_STATISTIC_COUNT:
    case SONDE_STATISTIC_RATE:
        break;
    }
    return NAN;
}

static double of_count(const struct sonde_threshold *threshold, uint64_t count, double seconds)
{
    if (threshold->statistic == SONDE_STATISTIC_COUNT) {
        return (double)count;
    }
    return seconds > 0 ? (double)count / seconds : NAN;
}

double sonde_load_statistic(const struct sonde_threshold *threshold,
                            const struct sonde_load_tally *tally, double seconds)
{
    uint64_t ended = tally->answered + tally->failed;
    switch (threshold->metric) {
    case SONDE_METRIC_DURATION:
        return of_latencies(threshold, &tally->response);
    case SONDE_METRIC_SERVICE:
        return of_latencies(threshold, &tally->service);
    case SONDE_METRIC_SEND_LAG:
        return of_latencies(threshold, &tally->send_lag);
    case SONDE_METRIC_FAILED:
        return ended ? (double)(tally->failed + tally->wrong) / (double)ended : NAN;
    case SONDE_METRIC_REQUESTS:
        return of_count(threshold, tally->answered, seconds);
    case SONDE_METRIC_DROPPED:
        return of_count(threshold, tally->unsent, seconds);
    case SONDE_METRIC_DATA_RECEIVED:
        return of_count(threshold, tally->bytes_read, seconds);
    case SONDE_METRIC_DATA_SENT:
        return of_count(threshold, tally->bytes_written, seconds);
    }
    return NAN;
}

bool sonde_load_keeps(const struct sonde_threshold *threshold, double statistic)
{
    return !isnan(statistic) && sonde_threshold_holds(threshold, statistic);
}

/* The part that a tag names, or all. False: there is none of that name. */
static bool find_subject(const struct sonde_threshold *threshold,
                         const struct sonde_load_tally *tally, const struct sonde_load_tally **ret)
{
    *ret = tally;
    if (!threshold->tag.data) {
        return true;
    }
    size_t at = sonde_load_label_find(tally->labels, tally->part_count, SONDE_LOAD_OF_NAME,
                                      threshold->tag_value);
    *ret = at < tally->part_count ? &tally->parts[at] : tally;
    return at < tally->part_count;
}

bool sonde_load_is_bound(const struct sonde_threshold *threshold,
                         const struct sonde_load_tally *tally)
{
    const struct sonde_load_tally *subject;
    double share = threshold->statistic == SONDE_STATISTIC_PERCENTILE ? threshold->percentile / 100
                   : threshold->statistic == SONDE_STATISTIC_MEDIAN   ? 0.5
                   : threshold->statistic == SONDE_STATISTIC_MAXIMUM  ? 1
                                                                      : 0;
    if (!find_subject(threshold, tally, &subject) || share <= 0 ||
        (threshold->metric != SONDE_METRIC_DURATION && threshold->metric != SONDE_METRIC_SERVICE)) {
        return false;
    }
    const struct sonde_histogram *times =
        threshold->metric == SONDE_METRIC_SERVICE ? &subject->service : &subject->response;
    return times->total > subject->answered &&
           (double)subject->answered < share * (double)times->total;
}

/* A bound may tell that it is more, and never that it is less. */
static bool tells(const struct sonde_threshold *threshold, const struct sonde_load_tally *tally)
{
    bool more = threshold->comparison == SONDE_OPERATOR_GREATER ||
                threshold->comparison == SONDE_OPERATOR_GREATER_EQUAL;
    return more || !sonde_load_is_bound(threshold, tally);
}

static int add_verdict(const char *text, bool aborts, size_t most, struct sonde_load_verdict *all,
                       size_t *count, struct sonde_err *err)
{
    size_t at = 0;
    while (at < *count && strcmp(all[at].text, text) != 0) {
        at++;
    }
    if (at < *count) {
        all[at].aborts = all[at].aborts || aborts;
        return 0;
    }
    if (at == most) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "more than %zu thresholds", most);
    }
    all[at] = (struct sonde_load_verdict){.text = text, .statistic = NAN, .aborts = aborts};
    (*count)++;
    return sonde_threshold_parse(sonde_str(text), &all[at].threshold, err);
}

int sonde_load_verdicts_of(const struct sonde_load_test *test, size_t most,
                           struct sonde_load_verdict *ret, size_t *ret_count, struct sonde_err *err)
{
    int r = 0;
    *ret_count = 0;
    for (size_t i = 0; i < test->thresholds.count && r == 0; i++) {
        r = add_verdict(test->thresholds.items[i], false, most, ret, ret_count, err);
    }
    for (size_t i = 0; i < test->abort_on_fail.count && r == 0; i++) {
        r = add_verdict(test->abort_on_fail.items[i], true, most, ret, ret_count, err);
    }
    return r;
}

int sonde_load_check_threshold(const struct sonde_load_verdict *verdict,
                               const struct sonde_load_label *labels, size_t count,
                               struct sonde_err *err)
{
    const struct sonde_threshold *t = &verdict->threshold;
    if (!t->tag.data) {
        return 0;
    }
    if (!sonde_str_is(t->tag, "name") ||
        sonde_load_label_find(labels, count, SONDE_LOAD_OF_NAME, t->tag_value) == count) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the threshold %s: there is no request of %.*s:%.*s", verdict->text,
                          SONDE_STR_ARG(t->tag), SONDE_STR_ARG(t->tag_value));
    }
    if (t->metric == SONDE_METRIC_DROPPED || t->metric == SONDE_METRIC_DATA_RECEIVED ||
        t->metric == SONDE_METRIC_DATA_SENT) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the threshold %s: that is counted of all requests only: leave {…} out",
                          verdict->text);
    }
    return 0;
}

static void judge(struct sonde_load_verdict *own, const struct sonde_load_tally *tally,
                  double seconds)
{
    const struct sonde_load_tally *subject;
    bool found = find_subject(&own->threshold, tally, &subject);
    own->statistic = found ? sonde_load_statistic(&own->threshold, subject, seconds) : NAN;
    own->keeps = sonde_load_keeps(&own->threshold, own->statistic) && tells(&own->threshold, tally);
}

bool sonde_load_judge(struct sonde_load_verdict *verdicts, size_t count,
                      const struct sonde_load_tally *tally, double seconds)
{
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        struct sonde_load_verdict *own = &verdicts[i];
        if (!own->ended) {
            judge(own, tally, seconds);
        }
        all = all && own->keeps;
    }
    return all;
}

bool sonde_load_aborts(struct sonde_load_verdict *verdicts, size_t count,
                       const struct sonde_load_tally *tally)
{
    bool any = false;
    bool waits = tally->sent > 0;
    for (size_t i = 0; i < count; i++) {
        struct sonde_load_verdict *own = &verdicts[i];
        bool breaks = own->aborts && !own->keeps && !(waits && isnan(own->statistic));
        own->ended = own->ended || breaks;
        any = any || own->ended;
    }
    return any;
}

void sonde_load_verdicts_renew(struct sonde_load_verdict *verdicts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        verdicts[i].ended = false;
    }
}
