/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "histogram/wire.h"
#include "load/course_report.h"
#include "load/result.h"
#include "load/result_fields.h"
#include "load/search_report.h"

typedef unsigned long long number;

static const char *separator(size_t at)
{
    return at ? "," : "";
}

static void put_text(const char *name, const char *text, struct sonde_buf *buf)
{
    if (text) {
        sonde_buf_printf(buf, ",\"%s\":", name);
        sonde_buf_json_string(buf, sonde_str(text));
    }
}

/* ,"NAME":NUMBER when it is there. */
static void put_number(const char *name, int64_t value, struct sonde_buf *buf)
{
    if (value != SONDE_SPEC_ABSENT) {
        sonde_buf_printf(buf, ",\"%s\":%lld", name, (long long)value);
    }
}

void sonde_load_result_asked(const struct sonde_load_asked *asked, struct sonde_buf *buf)
{
    const struct sonde_arrival *arrival = &asked->arrival;
    sonde_buf_printf(buf, ",\n\"asked\":{\"threads\":%u", asked->threads);
    put_text("title", asked->title, buf);
    put_text("url", asked->url, buf);
    put_text("socketPath", asked->socket_path, buf);
    put_number("connections", asked->connections, buf);
    put_number("connectionsMax", asked->connections_max, buf);
    put_number("pipelining", asked->pipelining, buf);
    put_number("requestsPerConnection", (int64_t)asked->requests_per_connection, buf);
    put_number("timeoutNanoseconds", asked->timeout_ns, buf);
    /* More than a double holds. */
    sonde_buf_printf(buf, ",\"seed\":\"%llx\",\"distribution\":\"%s\"", (number)asked->seed,
                     arrival->distribution == SONDE_ARRIVAL_POISSON ? "Poisson" : "Constant");
    put_number("rate", arrival->rate, buf);
    put_number("durationSeconds", arrival->duration_seconds, buf);
    put_number("amount", arrival->amount, buf);
    put_number("warmUpSeconds", asked->warm_up_seconds, buf);
    put_number("sampleNanoseconds", asked->sample_ns, buf);
    for (size_t i = 0; i < arrival->stages.count; i++) {
        const struct sonde_stage *stage = &arrival->stages.items[i];
        sonde_buf_printf(buf, "%s{\"durationSeconds\":%lld,\"rate\":%lld,\"ramp\":%s}",
                         i ? "," : ",\"stages\":[", (long long)stage->duration_seconds,
                         (long long)stage->rate, stage->ramp ? "true" : "false");
    }
    sonde_buf_text(buf, arrival->stages.count ? "]}" : "}");
}

static int put_parts(const struct sonde_load_tally *t, struct sonde_buf *buf, struct sonde_err *err)
{
    int r = 0;
    sonde_buf_text(buf, ",\n\"parts\":[");
    for (size_t i = 0; i < t->part_count && r == 0; i++) {
        bool name = t->labels[i].kind == SONDE_LOAD_OF_NAME;
        sonde_buf_printf(buf, "%s\n{\"%s\":", separator(i), name ? "name" : "address");
        sonde_buf_json_string(buf, sonde_str(t->labels[i].text));
        sonde_load_put_counts(&t->parts[i], buf);
        r = sonde_load_put_histograms(sonde_load_tally_histograms, &t->parts[i], buf, err);
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
    return r;
}

static int put_warm_up(const struct sonde_load_result *result, struct sonde_buf *buf,
                       struct sonde_err *err)
{
    if (result->asked.warm_up_seconds == 0) {
        return 0;
    }
    sonde_buf_printf(buf, ",\n\"warmUp\":{\"seconds\":%lld",
                     (long long)result->asked.warm_up_seconds);
    sonde_load_put_counts(&result->warm_up, buf);
    int r = sonde_load_put_histograms(sonde_load_tally_histograms, &result->warm_up, buf, err);
    sonde_buf_char(buf, '}');
    return r;
}

static int put_intervals(const struct sonde_load_intervals *all, struct sonde_buf *buf,
                         struct sonde_err *err)
{
    struct sonde_histogram response = {0};
    int r = sonde_histogram_init(&response, &all->scratch.layout, err);
    sonde_buf_text(buf, ",\n\"intervals\":[");
    for (size_t i = 0; i < all->count && r == 0; i++) {
        const struct sonde_load_interval *one = &all->items[i];
        sonde_buf_printf(buf, "%s\n{\"end\":%lld,", separator(i), (long long)one->end_ns);
        for (const struct sonde_load_interval_field *f = sonde_load_interval_fields; f->name; f++) {
            sonde_buf_printf(buf, "\"%s\":%llu,", f->name,
                             (number)sonde_load_number_at(one, f->offset));
        }
        r = sonde_load_intervals_response(all, i, &response, err);
        r = r < 0 ? r : sonde_load_put_histogram(&response, buf, err);
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
    sonde_histogram_fini(&response);
    return r;
}

static void put_verdicts(const struct sonde_load_result *result, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, ",\n\"validity\":{\"valid\":%s,\"reason\":",
                     result->validity.valid ? "true" : "false");
    sonde_buf_json_string(buf, sonde_str(result->validity.reason));
    sonde_buf_text(buf, "},\n\"thresholds\":[");
    for (size_t i = 0; i < result->verdict_count; i++) {
        const struct sonde_load_verdict *verdict = &result->verdicts[i];
        sonde_buf_printf(buf, "%s{\"text\":", separator(i));
        sonde_buf_json_string(buf, sonde_str(verdict->text));
        sonde_buf_printf(buf, isnan(verdict->statistic) ? ",\"value\":null" : ",\"value\":%.17g",
                         verdict->statistic);
        sonde_buf_printf(buf, ",\"holds\":%s}", verdict->keeps ? "true" : "false");
    }
    sonde_buf_char(buf, ']');
}

int sonde_load_result_write(const struct sonde_load_result *result, struct sonde_buf *buf,
                            struct sonde_err *err)
{
    sonde_buf_printf(buf,
                     "{\"type\":\"" SONDE_LOAD_RESULT_TYPE "\",\"version\":%d,"
                     "\"startMicroseconds\":%lld,\"durationNanoseconds\":%lld,"
                     "\"cpuNanoseconds\":%lld,\"throttledNanoseconds\":%lld,\"stopped\":%s",
                     SONDE_LOAD_RESULT_VERSION, (long long)(result->start_ns / 1000),
                     (long long)result->duration_ns, (long long)result->cpu_ns,
                     (long long)result->throttled_ns, result->stopped ? "true" : "false");
    sonde_load_result_asked(&result->asked, buf);
    sonde_load_put_counts(&result->tally, buf);
    put_verdicts(result, buf);
    sonde_buf_text(buf, ",\n\"search\":");
    sonde_load_search_json(result->search, buf);
    sonde_buf_text(buf, ",\n\"profiles\":");
    sonde_load_profiled_json(result->profiles, result->profile_count, buf);
    sonde_buf_printf(buf, ",\n\"samples\":%llu,\"sampledNanoseconds\":%lld",
                     (number)result->samples, (long long)result->sampled_ns);
    sonde_buf_text(buf, ",\n\"confidence\":");
    sonde_load_confidence_json(&result->confidence, buf);
    sonde_buf_text(buf, ",\n\"steadiness\":");
    sonde_load_steadiness_json(&result->steadiness, buf);
    int r = sonde_load_put_histograms(sonde_load_result_histograms, result, buf, err);
    r = r < 0 ? r : put_warm_up(result, buf, err);
    sonde_buf_printf(buf, ",\n\"factor\":%u,\"inLast\":%u", result->intervals.factor,
                     result->intervals.in_last);
    r = r < 0 ? r : put_parts(&result->tally, buf, err);
    r = r < 0 ? r : put_intervals(&result->intervals, buf, err);
    sonde_buf_text(buf, "}\n");
    return r < 0 ? r : sonde_buf_check(buf, "the result of a load test", err);
}
