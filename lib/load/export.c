/* SPDX-License-Identifier: Apache-2.0 */
#include "load/export.h"

#include <math.h>
#include <string.h>

#include "analysis/cell.h"
#include "base/clock.h"
#include "histogram/wire.h"
#include "load/report.h"
#include "load/summary.h"
#include "load/xml.h"

typedef unsigned long long number;

static double seconds_of(int64_t ns)
{
    return (double)ns / (double)SONDE_SECOND;
}

int sonde_load_export_autocannon(const struct sonde_load_result *result, struct sonde_buf *buf,
                                 struct sonde_err *err)
{
    sonde_load_summary_json(result, buf);
    return sonde_buf_check(buf, "the results as JSON", err);
}

/* ---- of each interval ---- */

/* Writes an interval: its place, and its responses. */
typedef int put_interval(const struct sonde_load_intervals *all, size_t at,
                         const struct sonde_histogram *response, struct sonde_buf *buf,
                         struct sonde_err *err);

static int each_interval(const struct sonde_load_result *result, put_interval *put,
                         struct sonde_buf *buf, struct sonde_err *err)
{
    const struct sonde_load_intervals *all = &result->intervals;
    struct sonde_histogram response = {0};
    int r = sonde_histogram_init(&response, &all->scratch.layout, err);
    for (size_t i = 0; i < all->count && r == 0; i++) {
        r = sonde_load_intervals_response(all, i, &response, err);
        r = r < 0 ? r : put(all, i, &response, buf, err);
    }
    sonde_histogram_fini(&response);
    return r;
}

static int put_log_line(const struct sonde_load_intervals *all, size_t at,
                        const struct sonde_histogram *response, struct sonde_buf *buf,
                        struct sonde_err *err)
{
    int64_t begin_ns = sonde_load_intervals_begin(all, at);
    return sonde_histogram_log_add(response, NULL, begin_ns, all->items[at].end_ns - begin_ns, buf,
                                   err);
}

/* What is of the whole test begins first, and so stands first. */
int sonde_load_export_hlog(const struct sonde_load_result *result, struct sonde_buf *buf,
                           struct sonde_err *err)
{
    const struct sonde_load_tally *t = &result->tally;
    int64_t length_ns = result->duration_ns;
    sonde_histogram_log_begin(result->start_ns, buf);
    int r = sonde_histogram_log_add(&t->service, "service", 0, length_ns, buf, err);
    r = r < 0 ? r : sonde_histogram_log_add(&t->send_lag, "send-lag", 0, length_ns, buf, err);
    r = r < 0 ? r : each_interval(result, put_log_line, buf, err);
    return r < 0 ? r : sonde_buf_check(buf, "a log of histograms", err);
}

static int put_csv_row(const struct sonde_load_intervals *all, size_t at,
                       const struct sonde_histogram *response, struct sonde_buf *buf,
                       struct sonde_err *err)
{
    const struct sonde_load_interval *one = &all->items[at];
    sonde_buf_printf(buf, "%.6f,%.6f", seconds_of(sonde_load_intervals_begin(all, at)),
                     seconds_of(one->end_ns));
    for (const struct sonde_load_interval_field *f = sonde_load_interval_fields; f->name; f++) {
        uint64_t value;
        memcpy(&value, (const char *)one + f->offset, sizeof(value));
        sonde_buf_printf(buf, ",%llu", (number)value);
    }
    for (const struct sonde_load_report_share *s = sonde_load_report_shares; s->name; s++) {
        sonde_buf_char(buf, ',');
        if (response->total) {
            sonde_buf_printf(buf, "%lld",
                             (long long)sonde_load_report_quantile(response, s->share));
        }
    }
    sonde_buf_char(buf, '\n');
    return sonde_buf_check(buf, "the results as CSV", err);
}

int sonde_load_export_csv(const struct sonde_load_result *result, struct sonde_buf *buf,
                          struct sonde_err *err)
{
    sonde_buf_text(buf, "begin,end");
    for (const struct sonde_load_interval_field *f = sonde_load_interval_fields; f->name; f++) {
        sonde_buf_printf(buf, ",%s", f->name);
    }
    for (const struct sonde_load_report_share *s = sonde_load_report_shares; s->name; s++) {
        sonde_buf_printf(buf, ",%s", s->name);
    }
    sonde_buf_char(buf, '\n');
    int r = each_interval(result, put_csv_row, buf, err);
    return r < 0 ? r : sonde_buf_check(buf, "the results as CSV", err);
}

/* ---- JUnit ---- */

static const char *name_of(const struct sonde_load_result *result)
{
    return result->asked.title ? result->asked.title : result->asked.url;
}

static void begin_case(const struct sonde_load_result *result, const char *name,
                       struct sonde_buf *buf)
{
    sonde_buf_text(buf, "    <testcase");
    sonde_xml_attribute("classname", name_of(result), buf);
    sonde_xml_attribute("name", name, buf);
    sonde_buf_printf(buf, " time=\"%.3f\">", seconds_of(result->duration_ns));
}

static void put_outcome(const char *element, const char *type, const char *message,
                        struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "<%s", element);
    if (type) {
        sonde_xml_attribute("type", type, buf);
    }
    sonde_xml_attribute("message", message, buf);
    sonde_buf_text(buf, "/>");
}

static void put_threshold_case(const struct sonde_load_result *result,
                               const struct sonde_load_verdict *verdict, struct sonde_buf *buf)
{
    char message[80] = "nothing was measured";
    begin_case(result, verdict->text, buf);
    if (!isnan(verdict->statistic)) {
        (void)snprintf(message, sizeof(message), "it was %.6g", verdict->statistic);
    }
    if (!verdict->keeps) {
        put_outcome("failure", "ThresholdBroken", message, buf);
    } else if (!result->validity.valid) {
        put_outcome("skipped", NULL, "it would hold, but the test cannot be believed", buf);
    }
    sonde_buf_text(buf, "</testcase>\n");
}

static void put_cases(const struct sonde_load_result *result, struct sonde_buf *buf)
{
    begin_case(result, "the test can be believed", buf);
    if (!result->validity.valid) {
        put_outcome("failure", "Invalid", result->validity.reason, buf);
    }
    sonde_buf_text(buf, "</testcase>\n");
    for (size_t i = 0; i < result->verdict_count; i++) {
        put_threshold_case(result, &result->verdicts[i], buf);
    }
}

int sonde_load_export_junit(const struct sonde_load_result *result, struct sonde_buf *buf,
                            struct sonde_err *err)
{
    SONDE_BUF_AUTO summary = SONDE_BUF(buf->maximum);
    char time[SONDE_TIME_SIZE];
    size_t failures = !result->validity.valid;
    size_t skipped = 0;
    for (size_t i = 0; i < result->verdict_count; i++) {
        failures += !result->verdicts[i].keeps;
        skipped += result->verdicts[i].keeps && !result->validity.valid;
    }
    sonde_time_format(result->start_ns, time);
    sonde_buf_text(buf, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite");
    sonde_xml_attribute("name", name_of(result), buf);
    sonde_buf_printf(buf,
                     " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\"",
                     result->verdict_count + 1, failures, skipped, seconds_of(result->duration_ns));
    sonde_xml_attribute("timestamp", time, buf);
    sonde_buf_text(buf, ">\n    <properties>\n      <property name=\"url\"");
    sonde_xml_attribute("value", result->asked.url, buf);
    sonde_buf_text(buf, "/>\n    </properties>\n");
    put_cases(result, buf);
    sonde_load_summary_text(result, &summary);
    sonde_buf_text(buf, "    <system-out>");
    sonde_xml_text(summary.data ? summary.data : "", buf);
    sonde_buf_text(buf, "</system-out>\n  </testsuite>\n</testsuites>\n");
    buf->code = buf->code ? buf->code : summary.code;
    return sonde_buf_check(buf, "the results as JUnit's XML", err);
}
