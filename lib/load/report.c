/* SPDX-License-Identifier: Apache-2.0 */
#include "load/report.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "load/duration.h"
#include "load/result_fields.h"
#include "load/summary.h"

typedef unsigned long long number;

/* ---- for a person ---- */

enum { WIDTH = 10 }; /* columns of a duration */

/* Bars of the response at some percentiles, as long as it has orders of magnitude. */
static void put_curve(const struct sonde_histogram *h, struct sonde_buf *buf)
{
    static const double longest = 40;
    static const double shares[] = {0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999, 1};
    char text[SONDE_LOAD_DURATION_SIZE];
    double least = h->minimum > 1 ? (double)h->minimum : 1;
    double most = (double)h->maximum > 2 * least ? (double)h->maximum : 2 * least;
    if (h->total == 0) {
        return;
    }
    sonde_buf_printf(buf, "\n%-10s%10s  by order of magnitude\n", "of all", "within");
    for (size_t i = 0; i < SONDE_LENGTH(shares); i++) {
        int64_t value = sonde_load_report_quantile(h, shares[i]);
        if (shares[i] < 1 && sonde_histogram_is_scarce(h, shares[i])) {
            continue;
        }
        double length = (double)value > least ? log((double)value / least) / log(most / least) : 0;
        (void)snprintf(text, sizeof(text), "%.6g %%", 100 * shares[i]);
        sonde_buf_printf(buf, "%-10s", text);
        sonde_load_put_duration(value, "", WIDTH, buf);
        sonde_buf_text(buf, "  ");
        for (int k = 0; k <= (int)(length * longest); k++) {
            sonde_buf_text(buf, "▇");
        }
        sonde_buf_char(buf, '\n');
    }
}

/* What came of some intervals, one after the other. */
struct row {
    int64_t begin_ns, end_ns;
    uint64_t answered, failed, bad, unsent;
    struct sonde_histogram response;
};

static int gather(const struct sonde_load_intervals *all, size_t from, size_t to,
                  struct sonde_histogram *one, struct row *ret, struct sonde_err *err)
{
    int r = 0;
    ret->begin_ns = sonde_load_intervals_begin(all, from);
    ret->end_ns = all->items[to - 1].end_ns;
    ret->answered = ret->failed = ret->bad = ret->unsent = 0;
    sonde_histogram_clear(&ret->response);
    for (size_t i = from; i < to && r == 0; i++) {
        const struct sonde_load_interval *interval = &all->items[i];
        ret->answered += interval->answered;
        ret->failed += interval->failed;
        ret->bad += interval->bad;
        ret->unsent += interval->unsent;
        r = sonde_load_intervals_response(all, i, one, err);
        r = r < 0 ? r : sonde_histogram_add(&ret->response, one, err);
    }
    return r;
}

static void put_row(const struct row *row, struct sonde_buf *buf)
{
    char span[40];
    double seconds = (double)(row->end_ns - row->begin_ns) / (double)SONDE_SECOND;
    (void)snprintf(span, sizeof(span), "%.0f to %.0f s", (double)row->begin_ns / 1e9,
                   (double)row->end_ns / 1e9);
    sonde_buf_printf(buf, "%-16s%10.1f", span, seconds > 0 ? (double)row->answered / seconds : 0);
    sonde_load_put_quantile(&row->response, 0.5, WIDTH, buf);
    sonde_load_put_quantile(&row->response, 0.99, WIDTH, buf);
    sonde_load_put_quantile(&row->response, 1, WIDTH, buf);
    sonde_buf_printf(buf, "%9llu%11llu%9llu\n", (number)row->failed, (number)row->bad,
                     (number)row->unsent);
}

/* How many intervals begin a row: not the last one when the end of the test has cut it short. */
static size_t rows_begin(const struct sonde_load_intervals *all)
{
    size_t last = all->count - 1;
    int64_t length_ns = all->items[last].end_ns - sonde_load_intervals_begin(all, last);
    return last && length_ns < all->items[0].end_ns / 2 ? last : all->count;
}

static int put_course(const struct sonde_load_intervals *all, struct sonde_buf *buf,
                      struct sonde_err *err)
{
    struct sonde_histogram one = {0};
    struct row row = {0};
    size_t count = all->count > 1 ? rows_begin(all) : 0;
    size_t each = (count + SONDE_LOAD_REPORT_ROWS - 1) / SONDE_LOAD_REPORT_ROWS;
    bool starred = false;
    int r = sonde_histogram_init(&one, &all->scratch.layout, err);
    r = r < 0 ? r : sonde_histogram_init(&row.response, &all->scratch.layout, err);
    if (count) {
        sonde_buf_printf(buf, "\n%-16s%10s%10s%10s%10s%9s%11s%9s\n", "time", "answers/s", "50 %",
                         "99 %", "longest", "failed", "wrong", "not sent");
    }
    for (size_t i = 0; i < count && r == 0; i += each) {
        r = gather(all, i, i + each < count ? i + each : all->count, &one, &row, err);
        put_row(&row, buf);
        starred = starred || (row.response.total && sonde_histogram_is_scarce(&row.response, 0.99));
    }
    sonde_buf_text(buf, starred ? SONDE_LOAD_STAR : "");
    sonde_histogram_fini(&one);
    sonde_histogram_fini(&row.response);
    return r;
}

int sonde_load_report_text(const struct sonde_load_result *result, struct sonde_buf *buf,
                           struct sonde_err *err)
{
    sonde_load_summary_text(result, buf);
    put_curve(&result->tally.response, buf);
    int r = put_course(&result->intervals, buf, err);
    return r < 0 ? r : sonde_buf_check(buf, "the report of a load test", err);
}

/* ---- for programs ---- */

const struct sonde_load_report_share sonde_load_report_shares[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99_9", 0.999}, {"max", 1}, {0}};

int64_t sonde_load_report_quantile(const struct sonde_histogram *histogram, double share)
{
    return share < 1 ? sonde_histogram_quantile(histogram, share) : histogram->maximum;
}

/* Ten points for each factor of ten in 1/(1-share), up to one value beyond; then the longest. */
void sonde_load_report_percentiles(const struct sonde_load_tally *t, struct sonde_buf *buf)
{
    static const double decade = 10, all = 1;
    sonde_buf_text(buf, ",\"percentiles\":[");
    bool more = t->response.total > 0;
    for (int i = 0; more && i < SONDE_LOAD_REPORT_POINTS; i++) {
        double beyond = pow(10, -(double)i / decade);
        more = beyond * (double)t->response.total >= 1;
        double share = more ? all - beyond : all;
        sonde_buf_printf(
            buf, "%s{\"share\":%.9g,\"response\":%lld,\"service\":%lld,\"sendLag\":%lld}",
            i ? "," : "", share, (long long)sonde_load_report_quantile(&t->response, share),
            (long long)sonde_load_report_quantile(&t->service, share),
            (long long)sonde_load_report_quantile(&t->send_lag, share));
    }
    sonde_buf_char(buf, ']');
}

static void put_interval(const struct sonde_load_interval *one, int64_t begin_ns,
                         const struct sonde_histogram *response, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "{\"begin\":%.6f,\"end\":%.6f", (double)begin_ns / 1e9,
                     (double)one->end_ns / 1e9);
    for (const struct sonde_load_interval_field *f = sonde_load_interval_fields; f->name; f++) {
        uint64_t value;
        memcpy(&value, (const char *)one + f->offset, sizeof(value));
        sonde_buf_printf(buf, ",\"%s\":%llu", f->name, (number)value);
    }
    for (const struct sonde_load_report_share *s = sonde_load_report_shares;
         s->name && response->total; s++) {
        sonde_buf_printf(buf, ",\"%s\":%lld", s->name,
                         (long long)sonde_load_report_quantile(response, s->share));
    }
    sonde_buf_char(buf, '}');
}

static int put_intervals(const struct sonde_load_intervals *all, struct sonde_buf *buf,
                         struct sonde_err *err)
{
    struct sonde_histogram one = {0};
    int r = sonde_histogram_init(&one, &all->scratch.layout, err);
    sonde_buf_text(buf, ",\"intervals\":[");
    for (size_t i = 0; i < all->count && r == 0; i++) {
        r = sonde_load_intervals_response(all, i, &one, err);
        sonde_buf_text(buf, i ? "," : "");
        put_interval(&all->items[i], sonde_load_intervals_begin(all, i), &one, buf);
    }
    sonde_buf_char(buf, ']');
    sonde_histogram_fini(&one);
    return r;
}

int sonde_load_report_json(const struct sonde_load_result *result, struct sonde_buf *buf,
                           struct sonde_err *err)
{
    sonde_buf_text(buf, ",\"summary\":");
    sonde_load_summary_json(result, buf);
    sonde_load_result_asked(&result->asked, buf);
    sonde_load_report_percentiles(&result->tally, buf);
    int r = put_intervals(&result->intervals, buf, err);
    return r < 0 ? r : sonde_buf_check(buf, "the report of a load test", err);
}
