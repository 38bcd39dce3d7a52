/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/cell.h"
#include "analysis/event_loop.h"
#include "analysis/report.h"

enum { PLACES_SHOWN = 10 };

static void put_number(struct sonde_buf *buf, const char *name, double value)
{
    sonde_buf_printf(buf, ",\"%s\":%.6g", name, value);
}

static void put_name(struct sonde_str function, struct sonde_buf *buf)
{
    if (function.length) {
        sonde_cell_clean(buf, function);
    } else {
        sonde_buf_text(buf, "(anonymous)");
    }
}

void sonde_event_loop_text(const struct sonde_event_loop *loop, const char *directory,
                           struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "event loop for %.1f s: %.0f %% utilized, in its busiest second %.0f %%",
                     loop->milliseconds / 1e3, 100 * loop->utilization,
                     100 * loop->busiest_utilization);
    sonde_buf_printf(buf, ";\ndelay p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n", loop->p50_ms,
                     loop->p99_ms, loop->max_ms);
    sonde_findings_text(loop->findings, loop->finding_count, directory, buf);
    if (loop->stalls_seen) {
        sonde_buf_printf(buf, "\n%zu stalls of %.0f ms and more, %.0f ms in all; the longest:\n",
                         loop->stalls_seen, loop->threshold_ms, loop->stalled_ms);
    }
    for (size_t i = 0; i < loop->stall_count; i++) {
        const struct sonde_event_loop_stall *stall = &loop->stalls[i];
        sonde_buf_printf(buf, "  %8.1f ms at %.1f s  ", stall->milliseconds, stall->start_ms / 1e3);
        if (stall->place >= 0) {
            const struct sonde_event_loop_place *place = &loop->places[stall->place];
            put_name(place->function, buf);
            sonde_buf_text(buf, "  ");
            sonde_report_place(directory, place->file, place->line, buf);
        } else {
            sonde_buf_text(buf, "no sample");
        }
        sonde_buf_char(buf, '\n');
    }
}

static void put_place(const struct sonde_event_loop_place *place, struct sonde_buf *buf)
{
    sonde_buf_text(buf, "\"function\":");
    sonde_buf_json_string(buf, place->function);
    sonde_buf_text(buf, ",\"url\":");
    sonde_buf_json_string(buf, place->file);
    sonde_buf_printf(buf, ",\"line\":%d,\"column\":%d", (int)place->line, (int)place->column);
}

void sonde_event_loop_json(const struct sonde_event_loop *loop, struct sonde_buf *buf)
{
    put_number(buf, "durationSeconds", loop->milliseconds / 1e3);
    put_number(buf, "utilization", loop->utilization);
    put_number(buf, "busiestSecondUtilization", loop->busiest_utilization);
    put_number(buf, "delayMeanMilliseconds", loop->mean_ms);
    put_number(buf, "delayP50Milliseconds", loop->p50_ms);
    put_number(buf, "delayP99Milliseconds", loop->p99_ms);
    put_number(buf, "delayMaxMilliseconds", loop->max_ms);
    put_number(buf, "stallThresholdMilliseconds", loop->threshold_ms);
    sonde_buf_printf(buf, ",\"stallCount\":%zu", loop->stalls_seen);
    put_number(buf, "stalledMilliseconds", loop->stalled_ms);
    sonde_buf_text(buf, ",\"findings\":[");
    sonde_findings_json(loop->findings, loop->finding_count, buf);
    sonde_buf_text(buf, "],\"places\":[");
    for (size_t i = 0; i < loop->place_count && i < PLACES_SHOWN; i++) {
        sonde_buf_text(buf, i ? ",{" : "{");
        put_place(&loop->places[i], buf);
        sonde_buf_printf(buf, ",\"stalls\":%zu", loop->places[i].stalls);
        put_number(buf, "milliseconds", loop->places[i].total_ms);
        put_number(buf, "longestMilliseconds", loop->places[i].longest_ms);
        sonde_buf_char(buf, '}');
    }
    sonde_buf_text(buf, "],\"stalls\":[");
    for (size_t i = 0; i < loop->stall_count; i++) {
        const struct sonde_event_loop_stall *stall = &loop->stalls[i];
        sonde_buf_printf(buf, "%s{\"samples\":%lld", i ? "," : "", (long long)stall->samples);
        put_number(buf, "startMilliseconds", stall->start_ms);
        put_number(buf, "milliseconds", stall->milliseconds);
        put_number(buf, "share", stall->share);
        if (stall->place >= 0) {
            sonde_buf_char(buf, ',');
            put_place(&loop->places[stall->place], buf);
        }
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
}
