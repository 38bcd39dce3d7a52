/* SPDX-License-Identifier: Apache-2.0 */
#include "load/summary.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/cell.h"
#include "base/clock.h"
#include "load/course_report.h"
#include "load/duration.h"
#include "load/parts.h"
#include "load/search_report.h"

/* ---- for programs ---- */

/* Two digits behind the point, rounded up, as autocannon has them. */
static double two_digits(double value)
{
    return ceil(value * 100) / 100;
}

static const struct {
    const char *name;
    double share;
} quantiles[] = {
    {"p0_001", 0.00001}, {"p0_01", 0.0001}, {"p0_1", 0.001},    {"p1", 0.01},
    {"p2_5", 0.025},     {"p10", 0.1},      {"p25", 0.25},      {"p50", 0.5},
    {"p75", 0.75},       {"p90", 0.9},      {"p95", 0.95},      {"p97_5", 0.975},
    {"p99", 0.99},       {"p99_9", 0.999},  {"p99_99", 0.9999}, {"p99_999", 0.99999},
};

/* Of one distribution, in units of `scale`. */
static void put_distribution(const struct sonde_histogram *h, double scale, struct sonde_buf *buf)
{
    double mean = two_digits(sonde_histogram_mean(h) / scale);
    sonde_buf_printf(buf, "\"average\":%.15g,\"mean\":%.15g,\"stddev\":%.15g,\"min\":%.15g,", mean,
                     mean, two_digits(sonde_histogram_deviation(h) / scale),
                     h->total ? (double)h->minimum / scale : 0);
    sonde_buf_printf(buf, "\"max\":%.15g", (double)h->maximum / scale);
    for (size_t i = 0; i < SONDE_LENGTH(quantiles); i++) {
        sonde_buf_printf(buf, ",\"%s\":%.15g", quantiles[i].name,
                         (double)sonde_histogram_quantile(h, quantiles[i].share) / scale);
    }
}

static uint64_t count_class(const struct sonde_load_tally *t, int hundreds)
{
    uint64_t count = 0;
    for (int i = 0; i < 100; i++) {
        count += t->statuses[100 * hundreds + i];
    }
    return count;
}

static void put_text_or_null(const char *name, const char *text, struct sonde_buf *buf)
{
    if (text) {
        sonde_buf_printf(buf, "\"%s\":", name);
        sonde_buf_json_string(buf, sonde_str(text));
        sonde_buf_char(buf, ',');
    }
}

static void put_time(const char *name, int64_t at_ns, struct sonde_buf *buf)
{
    char text[SONDE_TIME_SIZE];
    sonde_time_format(at_ns, text);
    sonde_buf_printf(buf, "\"%s\":\"%s\",", name, text);
}

static void put_statuses(const struct sonde_load_tally *t, struct sonde_buf *buf)
{
    const char *separator = "";
    uint64_t others = 0;
    for (int i = 1; i <= 9; i++) {
        others += i == 2 ? 0 : count_class(t, i);
    }
    sonde_buf_printf(buf, "\"non2xx\":%llu,\"resets\":%llu", (unsigned long long)others,
                     (unsigned long long)t->restarts);
    for (int i = 1; i <= 5; i++) {
        sonde_buf_printf(buf, ",\"%dxx\":%llu", i, (unsigned long long)count_class(t, i));
    }
    sonde_buf_text(buf, ",\"statusCodeStats\":{");
    for (int i = 100; i <= SONDE_LOAD_STATUS_MAX; i++) {
        if (t->statuses[i]) {
            sonde_buf_printf(buf, "%s\"%d\":{\"count\":%llu}", separator, i,
                             (unsigned long long)t->statuses[i]);
            separator = ",";
        }
    }
    sonde_buf_text(buf, "},");
}

static uint64_t sum_of_errors(const struct sonde_load_tally *t)
{
    uint64_t sum = 0;
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        sum += t->errors[i];
    }
    return sum;
}

/* Latencies in ms, as theirs, but not cut to whole ones. */
static void put_latencies(const struct sonde_histogram *times, struct sonde_buf *buf)
{
    static const double us_in_ms = 1000;
    sonde_buf_text(buf, "\"latency\":{");
    put_distribution(times, us_in_ms, buf);
    sonde_buf_printf(buf, ",\"totalCount\":%llu},", (unsigned long long)times->total);
}

/* Null: there is none. */
static void put_warm_up(const struct sonde_load_result *s, struct sonde_buf *buf)
{
    const struct sonde_load_tally *t = &s->warm_up;
    sonde_buf_text(buf, ",\"warmUp\":");
    if (s->asked.warm_up_seconds == 0) {
        sonde_buf_text(buf, "null");
        return;
    }
    sonde_buf_printf(buf,
                     "{\"seconds\":%lld,\"sent\":%llu,\"answered\":%llu,\"failed\":%llu,"
                     "\"censored\":%llu,\"unsent\":%llu,\"responseMicroseconds\":{",
                     (long long)s->asked.warm_up_seconds, (unsigned long long)t->sent,
                     (unsigned long long)t->answered, (unsigned long long)t->failed,
                     (unsigned long long)t->censored, (unsigned long long)t->unsent);
    put_distribution(&t->response, 1, buf);
    sonde_buf_text(buf, "}}");
}

static void put_microseconds(const char *name, const struct sonde_histogram *times,
                             struct sonde_buf *buf)
{
    sonde_buf_printf(buf, ",\"%sMicroseconds\":{", name);
    put_distribution(times, 1, buf);
    sonde_buf_printf(buf, ",\"totalCount\":%llu}", (unsigned long long)times->total);
}

/* What autocannon has not. */
static void put_own(const struct sonde_load_result *s, struct sonde_buf *buf)
{
    const struct sonde_load_tally *t = &s->tally;
    sonde_buf_printf(buf,
                     "\"sonde\":{\"sent\":%llu,\"answered\":%llu,\"failed\":%llu,\"censored\":%llu,"
                     "\"unsent\":%llu,\"received\":%llu,\"connects\":%llu,\"connectFailures\":%llu,"
                     "\"bytesWritten\":%llu,\"durationSeconds\":%.9g,\"cpuSeconds\":%.6f,"
                     "\"errors\":{",
                     (unsigned long long)t->sent, (unsigned long long)t->answered,
                     (unsigned long long)t->failed, (unsigned long long)t->censored,
                     (unsigned long long)t->unsent, (unsigned long long)t->received,
                     (unsigned long long)t->connects, (unsigned long long)t->connect_failures,
                     (unsigned long long)t->bytes_written, (double)s->duration_ns / 1e9,
                     (double)s->cpu_ns / 1e9);
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        sonde_buf_printf(buf, "%s\"%s\":%llu", i ? "," : "",
                         sonde_load_error_name((enum sonde_load_error)i),
                         (unsigned long long)t->errors[i]);
    }
    sonde_buf_printf(buf, "},\"responseIntervalMethod\":\"%s\",\"responseIntervals\":{",
                     sonde_load_confidence_method_name(s->confidence.method));
    sonde_load_bounds_json(&s->confidence, buf);
    sonde_buf_char(buf, '}');
    put_microseconds("response", &t->response, buf);
    put_microseconds("service", &t->service, buf);
    put_microseconds("sendLag", &t->send_lag, buf);
    sonde_buf_printf(buf,
                     ",\"late\":%llu,\"valid\":%s,\"invalidReason\":", (unsigned long long)t->late,
                     s->validity.valid ? "true" : "false");
    sonde_buf_json_string(buf, sonde_str(s->validity.reason));
    sonde_buf_text(buf, ",\"steadiness\":");
    sonde_load_steadiness_json(&s->steadiness, buf);
    put_warm_up(s, buf);
    sonde_buf_text(buf, ",\"thresholds\":[");
    for (size_t i = 0; i < s->verdict_count; i++) {
        const struct sonde_load_verdict *verdict = &s->verdicts[i];
        sonde_buf_text(buf, i ? ",{\"text\":" : "{\"text\":");
        sonde_buf_json_string(buf, sonde_str(verdict->text));
        sonde_buf_printf(buf, isnan(verdict->statistic) ? ",\"value\":null" : ",\"value\":%.15g",
                         verdict->statistic);
        /* Of a test that cannot be believed none holds. */
        bool holds = verdict->keeps && s->validity.valid;
        sonde_buf_printf(buf, ",\"holds\":%s%s%s}", holds ? "true" : "false",
                         verdict->keeps && !holds ? ",\"wouldHold\":true" : "",
                         sonde_load_is_bound(&verdict->threshold, t) ? ",\"atLeast\":true" : "");
    }
    sonde_buf_text(buf, "],\"search\":");
    sonde_load_search_json(s->search, buf);
    sonde_buf_text(buf, ",\"profiles\":");
    sonde_load_profiled_json(s->profiles, s->profile_count, buf);
    sonde_buf_text(buf, ",\"parts\":");
    sonde_load_parts_json(t, buf);
    sonde_buf_char(buf, '}');
}

/* A text, or an array of several. */
static void put_urls(const char *urls, struct sonde_buf *buf)
{
    struct sonde_str rest = sonde_str(urls);
    if (!urls) {
        return;
    }
    bool several = strchr(urls, ' ');
    sonde_buf_text(buf, several ? "\"url\":[" : "\"url\":");
    for (size_t i = 0; i == 0 || rest.length; i++) {
        sonde_buf_text(buf, i ? "," : "");
        sonde_buf_json_string(buf, sonde_str_split(&rest, ' '));
    }
    sonde_buf_text(buf, several ? "]," : ",");
}

/* service: `latency` is that of `service`. */
static void put_members(const struct sonde_load_result *s, bool service, struct sonde_buf *buf)
{
    const struct sonde_load_tally *t = &s->tally;
    double seconds = (double)s->duration_ns / 1e9;
    put_text_or_null("title", s->asked.title, buf);
    put_urls(s->asked.url, buf);
    put_text_or_null("socketPath", s->asked.socket_path, buf);
    sonde_buf_printf(buf,
                     "\"connections\":%u,\"sampleInt\":%.15g,\"pipelining\":%u,\"workers\":%u,"
                     "\"duration\":%.15g,\"samples\":%llu,",
                     s->asked.connections, (double)s->asked.sample_ns / (double)SONDE_MILLISECOND,
                     s->asked.pipelining, s->asked.threads, round(seconds * 100) / 100,
                     (unsigned long long)s->samples);
    put_time("start", s->start_ns, buf);
    put_time("finish", s->start_ns + s->duration_ns, buf);
    sonde_buf_printf(buf, "\"errors\":%llu,\"timeouts\":%llu,\"mismatches\":%llu,",
                     (unsigned long long)sum_of_errors(t),
                     (unsigned long long)t->errors[SONDE_LOAD_TIMEOUT],
                     (unsigned long long)t->mismatches);
    put_statuses(t, buf);
    put_latencies(service ? &t->service : &t->response, buf);
    sonde_buf_text(buf, "\"requests\":{");
    put_distribution(&s->requests, 1, buf);
    sonde_buf_printf(buf, ",\"total\":%llu,\"sent\":%llu},\"throughput\":{",
                     (unsigned long long)t->answered, (unsigned long long)t->sent);
    put_distribution(&s->bytes, 1, buf);
    sonde_buf_printf(buf, ",\"total\":%llu},", (unsigned long long)t->bytes_read);
    put_own(s, buf);
}

void sonde_load_summary_view_json(const struct sonde_load_result *result,
                                  const struct sonde_load_view *view, struct sonde_buf *buf)
{
    sonde_buf_char(buf, '{');
    put_members(result, view->service_latency, buf);
    if (view->warm_up) {
        sonde_buf_text(buf, ",\"warmup\":{");
        put_members(view->warm_up, view->service_latency, buf);
        sonde_buf_char(buf, '}');
    }
    sonde_buf_text(buf, "}\n");
}

void sonde_load_summary_json(const struct sonde_load_result *result, struct sonde_buf *buf)
{
    sonde_load_summary_view_json(result, &(const struct sonde_load_view){0}, buf);
}

/* ---- for a person ---- */

enum { WIDTH = 10 }; /* columns of a duration */

static const double shown[] = {0.5, 0.9, 0.99, 0.999};

static void put_row(const char *name, const struct sonde_histogram *h, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "%-10s", name);
    if (h->total == 0) {
        sonde_buf_text(buf, " nothing was measured\n");
        return;
    }
    for (size_t i = 0; i < SONDE_LENGTH(shown); i++) {
        sonde_load_put_quantile(h, shown[i], WIDTH, buf);
    }
    sonde_load_put_duration((int64_t)sonde_histogram_mean(h), "", WIDTH, buf);
    sonde_load_put_duration(h->maximum, "", WIDTH, buf);
    sonde_buf_char(buf, '\n');
}

/* Whether one of the shares is starred. */
static bool has_star(const struct sonde_histogram *h)
{
    bool scarce = false;
    for (size_t i = 0; i < SONDE_LENGTH(shown) && h->total; i++) {
        scarce = scarce || sonde_histogram_is_scarce(h, shown[i]);
    }
    return scarce;
}

static void put_errors(const struct sonde_load_tally *t, struct sonde_buf *buf)
{
    const char *separator = "errors: ";
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        if (t->errors[i]) {
            sonde_buf_printf(buf, "%s%llu %s (%s)", separator, (unsigned long long)t->errors[i],
                             sonde_load_error_name((enum sonde_load_error)i),
                             sonde_load_error_cause((enum sonde_load_error)i));
            separator = ", ";
        }
    }
    sonde_buf_text(buf, separator[0] == ',' ? "\n" : "");
}

static void put_answers(const struct sonde_load_tally *t, struct sonde_buf *buf)
{
    const char *separator = "status: ";
    for (int i = 100; i <= SONDE_LOAD_STATUS_MAX; i++) {
        if (t->statuses[i]) {
            sonde_buf_printf(buf, "%s%d %llu times", separator, i,
                             (unsigned long long)t->statuses[i]);
            separator = ", ";
        }
    }
    sonde_buf_text(buf, separator[0] == ',' ? "\n" : "");
}

static void put_mismatches(const struct sonde_load_tally *t, struct sonde_buf *buf)
{
    if (t->mismatches) {
        sonde_buf_printf(buf, "%llu answers were not as expected\n",
                         (unsigned long long)t->mismatches);
    }
    if (t->restarts) {
        sonde_buf_printf(buf, "%llu times a sequence could not go on, and began anew\n",
                         (unsigned long long)t->restarts);
    }
}

static void put_verdicts(const struct sonde_load_result *s, struct sonde_buf *buf)
{
    if (!s->validity.valid) {
        sonde_buf_text(buf, "INVALID: ");
        sonde_cell_clean(buf, sonde_str(s->validity.reason));
        sonde_buf_char(buf, '\n');
    }
    for (size_t i = 0; i < s->verdict_count; i++) {
        const struct sonde_load_verdict *verdict = &s->verdicts[i];
        sonde_buf_text(buf, !verdict->keeps     ? "broken "
                            : s->validity.valid ? "holds  "
                                                : "would hold ");
        sonde_cell_clean(buf, sonde_str(verdict->text));
        bool bound = sonde_load_is_bound(&verdict->threshold, &s->tally);
        sonde_buf_text(buf, bound ? ": at least" : ":");
        sonde_buf_printf(buf, isnan(verdict->statistic) ? " nothing was measured\n" : " %.6g\n",
                         verdict->statistic);
    }
}

static void put_table(const struct sonde_load_result *s, struct sonde_buf *buf)
{
    const struct sonde_load_tally *t = &s->tally;
    sonde_buf_printf(buf, "\n%-10s%10s%10s%10s%10s%10s%10s\n", "", "50 %", "90 %", "99 %", "99.9 %",
                     "mean", "longest");
    put_row("response", &t->response, buf);
    put_row("service", &t->service, buf);
    put_row("send lag", &t->send_lag, buf);
    sonde_load_confidence_text(&s->confidence, buf);
    bool starred = has_star(&t->response) || has_star(&t->service) || has_star(&t->send_lag);
    sonde_buf_text(buf, starred ? SONDE_LOAD_STAR : "");
    sonde_load_steadiness_text(&s->steadiness, s->asked.warm_up_seconds, buf);
}

static void put_percentiles(const struct sonde_load_tally *t, struct sonde_buf *buf)
{
    bool starred = false;
    sonde_buf_printf(buf, "\n%10s%10s%10s%10s\n", "percentile", "response", "service", "send lag");
    for (size_t i = 0; i < SONDE_LENGTH(quantiles); i++) {
        const double share = quantiles[i].share;
        sonde_buf_printf(buf, "%8g %%", 100 * share);
        sonde_load_put_quantile(&t->response, share, WIDTH, buf);
        sonde_load_put_quantile(&t->service, share, WIDTH, buf);
        sonde_load_put_quantile(&t->send_lag, share, WIDTH, buf);
        sonde_buf_char(buf, '\n');
        starred = starred || (t->response.total && sonde_histogram_is_scarce(&t->response, share));
    }
    sonde_buf_text(buf, starred ? SONDE_LOAD_STAR : "");
}

void sonde_load_summary_view_text(const struct sonde_load_result *result,
                                  const struct sonde_load_view *view, struct sonde_buf *buf)
{
    const struct sonde_load_result *s = result;
    const struct sonde_load_tally *t = &s->tally;
    double seconds = (double)s->duration_ns / 1e9;
    sonde_cell_clean(buf, sonde_str(s->asked.title));
    sonde_buf_text(buf, s->asked.title ? ": " : "");
    sonde_cell_clean(buf, sonde_str(s->asked.url));
    sonde_buf_char(buf, '\n');
    if (!view->brief) {
        put_table(s, buf);
    }
    if (view->percentiles) {
        put_percentiles(t, buf);
    }
    sonde_buf_printf(
        buf,
        "\n%llu requests in %.2f s, %.1f answers a second, %.2f MB read\n"
        "%llu answered, %llu failed, %llu without an answer at the end, %llu not sent\n",
        (unsigned long long)t->sent, seconds, seconds > 0 ? (double)t->answered / seconds : 0,
        (double)t->bytes_read / 1e6, (unsigned long long)t->answered, (unsigned long long)t->failed,
        (unsigned long long)t->censored, (unsigned long long)t->unsent);
    if (t->received) {
        sonde_buf_printf(buf, "%llu messages received, %.1f a second\n",
                         (unsigned long long)t->received,
                         seconds > 0 ? (double)t->received / seconds : 0);
    }
    sonde_load_warm_up_text(s->asked.warm_up_seconds, &s->warm_up, buf);
    put_answers(t, buf);
    put_errors(t, buf);
    put_mismatches(t, buf);
    sonde_load_parts_text(t, buf);
    sonde_buf_text(buf, t->part_count && s->verdict_count ? "\n" : "");
    put_verdicts(s, buf);
    sonde_load_profiled_text(s->profiles, s->profile_count, buf);
    sonde_load_search_text(s->search, buf);
}

void sonde_load_summary_text(const struct sonde_load_result *result, struct sonde_buf *buf)
{
    sonde_load_summary_view_text(result, &(const struct sonde_load_view){0}, buf);
}
