/* SPDX-License-Identifier: Apache-2.0 */
/* The result of a load test as the metrics of k6 and of Prometheus. */
#include <math.h>
#include <string.h>

#include "analysis/cell.h"
#include "base/clock.h"
#include "load/export.h"

typedef unsigned long long number;

static double seconds_of(int64_t ns)
{
    return (double)ns / (double)SONDE_SECOND;
}

/* ---- k6 ---- */

/* A threshold's metric, with its tag; ret_rest: the condition. What a newer version wrote may have
 * none. */
static struct sonde_str metric_of(const char *text, struct sonde_str *ret_rest)
{
    struct sonde_str rest = sonde_str(text);
    size_t end = strcspn(text, "{:");
    if (text[end] == '{') {
        end += strcspn(text + end, "}");
    }
    const char *colon = strchr(text + end, ':');
    *ret_rest = colon ? sonde_str_trim(sonde_str(colon + 1)) : rest;
    return colon ? sonde_str_trim((struct sonde_str){text, (size_t)(colon - text)}) : rest;
}

/* "thresholds":{"p(99)<250":false} of a metric, when it has any. */
static void put_k6_thresholds(const struct sonde_load_result *result, struct sonde_str metric,
                              const char *before, struct sonde_buf *buf)
{
    bool any = false;
    for (size_t i = 0; i < result->verdict_count; i++) {
        struct sonde_str condition;
        if (!sonde_str_equal(metric, metric_of(result->verdicts[i].text, &condition))) {
            continue;
        }
        bool holds = result->verdicts[i].keeps && result->validity.valid;
        sonde_buf_text(buf, any ? "," : before);
        sonde_buf_text(buf, any ? "" : "\"thresholds\":{");
        any = true;
        sonde_buf_json_string(buf, condition);
        sonde_buf_text(buf, holds ? ":false" : ":true");
    }
    sonde_buf_text(buf, any ? "}" : "");
}

struct k6_metric {
    const char *name;
    void (*put)(const struct sonde_load_result *result, size_t offset, struct sonde_buf *buf);
    size_t offset; /* within the result */
};

static uint64_t count_at(const struct sonde_load_result *result, size_t offset)
{
    uint64_t count;
    memcpy(&count, (const char *)result + offset, sizeof(count));
    return count;
}

static void put_count(const struct sonde_load_result *result, uint64_t count, struct sonde_buf *buf)
{
    double seconds = seconds_of(result->duration_ns);
    sonde_buf_printf(buf, "\"count\":%llu,\"rate\":%.15g", (number)count,
                     seconds > 0 ? (double)count / seconds : 0);
}

static void put_counter(const struct sonde_load_result *result, size_t offset,
                        struct sonde_buf *buf)
{
    put_count(result, count_at(result, offset), buf);
}

static void put_iterations(const struct sonde_load_result *result, size_t offset,
                           struct sonde_buf *buf)
{
    (void)offset;
    put_count(result, result->tally.answered + result->tally.failed, buf);
}

static void put_trend(const struct sonde_load_result *result, size_t offset, struct sonde_buf *buf)
{
    static const struct {
        const char *name;
        double share;
    } rows[] = {{"med", 0.5}, {"p(90)", 0.9}, {"p(95)", 0.95}, {"p(99)", 0.99}, {"max", 1}};
    const struct sonde_histogram *h =
        (const struct sonde_histogram *)((const char *)result + offset);
    sonde_buf_printf(buf, "\"avg\":%.15g,\"min\":%.15g", sonde_histogram_mean(h) / 1e3,
                     h->total ? (double)h->minimum / 1e3 : 0);
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        sonde_buf_printf(buf, ",\"%s\":%.15g", rows[i].name,
                         (double)sonde_histogram_quantile(h, rows[i].share) / 1e3);
    }
}

/* k6 calls those "passes" for which it is true that they failed. */
static void put_failed(const struct sonde_load_result *result, size_t offset, struct sonde_buf *buf)
{
    (void)offset;
    const struct sonde_load_tally *t = &result->tally;
    uint64_t ended = t->answered + t->failed;
    uint64_t failed = t->failed + t->wrong;
    failed = failed < ended ? failed : ended;
    sonde_buf_printf(buf, "\"passes\":%llu,\"fails\":%llu,\"value\":%.15g", (number)failed,
                     (number)(ended - failed), ended ? (double)failed / (double)ended : 0);
}

static void put_users(const struct sonde_load_result *result, size_t offset, struct sonde_buf *buf)
{
    (void)offset;
    sonde_buf_printf(buf, "\"value\":%u,\"min\":%u,\"max\":%u", result->asked.connections,
                     result->asked.connections, result->asked.connections);
}

#define AT(member) offsetof(struct sonde_load_result, tally.member)

static const struct k6_metric k6_metrics[] = {
    {"http_req_duration", put_trend, AT(response)},
    {"http_req_service", put_trend, AT(service)},
    {"http_req_send_lag", put_trend, AT(send_lag)},
    {"http_req_failed", put_failed, 0},
    {"http_reqs", put_counter, AT(answered)},
    {"iterations", put_iterations, 0},
    {"dropped_iterations", put_counter, AT(unsent)},
    {"dropped_requests", put_counter, AT(unsent)},
    {"data_received", put_counter, AT(bytes_read)},
    {"data_sent", put_counter, AT(bytes_written)},
    {"vus", put_users, 0},
    {"vus_max", put_users, 0},
    {0},
};

/* Thresholds of what is not in the table: of requests of one name. Each metric once. */
static void put_k6_others(const struct sonde_load_result *result, struct sonde_buf *buf)
{
    struct sonde_str rest;
    for (size_t i = 0; i < result->verdict_count; i++) {
        struct sonde_str metric = metric_of(result->verdicts[i].text, &rest);
        bool seen = false;
        for (const struct k6_metric *m = k6_metrics; m->name; m++) {
            seen = seen || sonde_str_equal(metric, sonde_str(m->name));
        }
        for (size_t k = 0; k < i && !seen; k++) {
            seen = sonde_str_equal(metric, metric_of(result->verdicts[k].text, &rest));
        }
        if (!seen) {
            sonde_buf_text(buf, ",\n    ");
            sonde_buf_json_string(buf, metric);
            sonde_buf_text(buf, ":{");
            put_k6_thresholds(result, metric, "", buf);
            sonde_buf_char(buf, '}');
        }
    }
}

int sonde_load_export_k6(const struct sonde_load_result *result, struct sonde_buf *buf,
                         struct sonde_err *err)
{
    sonde_buf_text(buf, "{\n  \"metrics\":{");
    for (const struct k6_metric *m = k6_metrics; m->name; m++) {
        sonde_buf_printf(buf, "%s\n    \"%s\":{", m == k6_metrics ? "" : ",", m->name);
        m->put(result, m->offset, buf);
        put_k6_thresholds(result, sonde_str(m->name), ",", buf);
        sonde_buf_char(buf, '}');
    }
    put_k6_others(result, buf);
    /* The group's id is the MD5 of its empty path. */
    sonde_buf_text(buf, "\n  },\n  \"root_group\":{\"name\":\"\",\"path\":\"\","
                        "\"id\":\"d41d8cd98f00b204e9800998ecf8427e\",\"groups\":{},"
                        "\"checks\":{}}\n}\n");
    return sonde_buf_check(buf, "the results as k6's summary", err);
}

/* ---- Prometheus ---- */

/* Of a label: backslashes, quotes and line feeds have escapes; other controls stand for "?". */
static void put_label(const char *name, const char *text, struct sonde_buf *buf)
{
    SONDE_BUF_AUTO clean = SONDE_BUF(buf->maximum);
    sonde_cell_clean(&clean, sonde_str(text));
    sonde_buf_printf(buf, "%s=\"", name);
    for (size_t i = 0; i < clean.length; i++) {
        bool escaped = clean.data[i] == '\\' || clean.data[i] == '"';
        sonde_buf_text(buf, escaped ? "\\" : "");
        sonde_buf_char(buf, clean.data[i]);
    }
    sonde_buf_char(buf, '"');
    buf->code = buf->code ? buf->code : clean.code;
}

static void put_help(const char *name, const char *type, const char *help, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "# HELP sonde_load_%s %s\n# TYPE sonde_load_%s %s\n", name, help, name,
                     type);
}

/* sonde_load_NAME{url="…",LABEL="VALUE"} without the value; label NULL: only the address. */
static void put_sample(const struct sonde_load_result *result, const char *name, const char *label,
                       const char *value, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "sonde_load_%s{", name);
    put_label("url", result->asked.url, buf);
    if (label) {
        sonde_buf_char(buf, ',');
        put_label(label, value, buf);
    }
    sonde_buf_text(buf, "} ");
}

static void put_gauge(const struct sonde_load_result *result, const char *name, const char *help,
                      double value, struct sonde_buf *buf)
{
    put_help(name, "gauge", help, buf);
    put_sample(result, name, NULL, NULL, buf);
    sonde_buf_printf(buf, "%.15g\n", value);
}

static void put_histogram(const struct sonde_load_result *result, const char *name,
                          const char *help, const struct sonde_histogram *h, struct sonde_buf *buf)
{
    enum { NAME_SIZE = 40, BOUND_SIZE = 32 };
    static const int64_t bounds_us[] = {100,     250,     500,     1000,     2500,     5000,
                                        10000,   25000,   50000,   100000,   250000,   500000,
                                        1000000, 2500000, 5000000, 10000000, 30000000, 60000000};
    char bucket[NAME_SIZE];
    (void)snprintf(bucket, sizeof(bucket), "%s_bucket", name);
    put_help(name, "histogram", help, buf);
    for (size_t i = 0; i < SONDE_LENGTH(bounds_us); i++) {
        char bound[BOUND_SIZE];
        (void)snprintf(bound, sizeof(bound), "%.15g", (double)bounds_us[i] / 1e6);
        put_sample(result, bucket, "le", bound, buf);
        sonde_buf_printf(buf, "%llu\n", (number)sonde_histogram_count_to(h, bounds_us[i]));
    }
    put_sample(result, bucket, "le", "+Inf", buf);
    sonde_buf_printf(buf, "%llu\n", (number)h->total);
    (void)snprintf(bucket, sizeof(bucket), "%s_sum", name);
    put_sample(result, bucket, NULL, NULL, buf);
    sonde_buf_printf(buf, "%.15g\n", sonde_histogram_mean(h) * (double)h->total / 1e6);
    (void)snprintf(bucket, sizeof(bucket), "%s_count", name);
    put_sample(result, bucket, NULL, NULL, buf);
    sonde_buf_printf(buf, "%llu\n", (number)h->total);
}

static void put_requests(const struct sonde_load_result *result, struct sonde_buf *buf)
{
    const struct sonde_load_tally *t = &result->tally;
    const struct {
        const char *name;
        uint64_t count;
    } outcomes[] = {{"answered", t->answered},
                    {"failed", t->failed},
                    {"censored", t->censored},
                    {"unsent", t->unsent}};
    put_help("requests_total", "counter", "What became of requests that were due.", buf);
    for (size_t i = 0; i < SONDE_LENGTH(outcomes); i++) {
        put_sample(result, "requests_total", "outcome", outcomes[i].name, buf);
        sonde_buf_printf(buf, "%llu\n", (number)outcomes[i].count);
    }
    put_help("errors_total", "counter", "Why requests and connections failed.", buf);
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        const char *name = sonde_load_error_name((enum sonde_load_error)i);
        put_sample(result, "errors_total", "kind", name, buf);
        sonde_buf_printf(buf, "%llu\n", (number)t->errors[i]);
    }
    put_help("answers_total", "counter", "Answers by status.", buf);
    for (int i = 0; i <= SONDE_LOAD_STATUS_MAX; i++) {
        char status[16];
        if (t->statuses[i]) {
            (void)snprintf(status, sizeof(status), "%d", i);
            put_sample(result, "answers_total", "status", status, buf);
            sonde_buf_printf(buf, "%llu\n", (number)t->statuses[i]);
        }
    }
    put_help("read_bytes_total", "counter", "Bytes of answers.", buf);
    put_sample(result, "read_bytes_total", NULL, NULL, buf);
    sonde_buf_printf(buf, "%llu\n", (number)t->bytes_read);
    put_help("written_bytes_total", "counter", "Bytes of requests.", buf);
    put_sample(result, "written_bytes_total", NULL, NULL, buf);
    sonde_buf_printf(buf, "%llu\n", (number)t->bytes_written);
}

/* A label may stand once: of equal thresholds the first. */
static bool is_repeated(const struct sonde_load_result *result, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(result->verdicts[i].text, result->verdicts[at].text) == 0) {
            return true;
        }
    }
    return false;
}

static void put_thresholds(const struct sonde_load_result *result, struct sonde_buf *buf)
{
    if (result->verdict_count) {
        put_help("threshold_holds", "gauge", "Whether a threshold holds, in a valid test.", buf);
    }
    for (size_t i = 0; i < result->verdict_count; i++) {
        const struct sonde_load_verdict *verdict = &result->verdicts[i];
        if (!is_repeated(result, i)) {
            put_sample(result, "threshold_holds", "threshold", verdict->text, buf);
            sonde_buf_text(buf, verdict->keeps && result->validity.valid ? "1\n" : "0\n");
        }
    }
}

int sonde_load_export_prometheus(const struct sonde_load_result *result, struct sonde_buf *buf,
                                 struct sonde_err *err)
{
    const struct sonde_load_tally *t = &result->tally;
    put_gauge(result, "start_time_seconds", "When the test began, since 1970.",
              seconds_of(result->start_ns), buf);
    put_gauge(result, "duration_seconds", "How long it sent.", seconds_of(result->duration_ns),
              buf);
    put_gauge(result, "valid", "Whether it can be believed.", result->validity.valid, buf);
    put_requests(result, buf);
    put_histogram(result, "response_seconds", "From when a request was due to its answer's end.",
                  &t->response, buf);
    put_histogram(result, "service_seconds", "From when it was written to its answer's end.",
                  &t->service, buf);
    put_histogram(result, "send_lag_seconds", "From when it was due to when it was written.",
                  &t->send_lag, buf);
    put_thresholds(result, buf);
    return sonde_buf_check(buf, "the results as Prometheus' text", err);
}
