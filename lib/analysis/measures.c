/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/measures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/allocations.h"
#include "analysis/cell.h"

enum { VALUE_SIZE = SONDE_BYTES_SIZE + 16, NAME_WIDTH = 28, VALUE_WIDTH = 14 };

static const char *const unit_names[] = {
    [SONDE_MEASURE_MILLISECONDS] = "milliseconds",
    [SONDE_MEASURE_BYTES] = "bytes",
    [SONDE_MEASURE_SHARE] = "share",
    [SONDE_MEASURE_COUNT] = "count",
    [SONDE_MEASURE_PER_SECOND] = "per second",
};

void sonde_measures_set(struct sonde_measures *measures, int side, const char *name,
                        enum sonde_measure_unit unit, double value)
{
    size_t at = 0;
    char kept[SONDE_MEASURE_NAME_MAX];
    (void)snprintf(kept, sizeof(kept), "%s", name);
    while (at < measures->count && strcmp(measures->items[at].name, kept) != 0) {
        at++;
    }
    if (at == SONDE_MEASURES_MAX || !isfinite(value)) {
        return;
    }
    struct sonde_measure *measure = &measures->items[at];
    if (at == measures->count) {
        *measure = (struct sonde_measure){.unit = unit};
        memcpy(measure->name, kept, sizeof(kept));
        measures->count++;
    }
    measure->values[side] = value;
    measure->there[side] = true;
}

void sonde_measures_of_loop(struct sonde_measures *measures, int side,
                            const struct sonde_event_loop *loop)
{
    double seconds = loop->milliseconds / 1e3;
    const struct {
        const char *name;
        enum sonde_measure_unit unit;
        double value;
    } rows[] = {
        {"delay p50", SONDE_MEASURE_MILLISECONDS, loop->p50_ms},
        {"delay p99", SONDE_MEASURE_MILLISECONDS, loop->p99_ms},
        {"longest delay", SONDE_MEASURE_MILLISECONDS, loop->max_ms},
        {"mean delay", SONDE_MEASURE_MILLISECONDS, loop->mean_ms},
        {"utilization", SONDE_MEASURE_SHARE, loop->utilization},
        {"utilization, busiest second", SONDE_MEASURE_SHARE, loop->busiest_utilization},
        {"stalls", SONDE_MEASURE_PER_SECOND, (double)loop->stalls_seen / seconds},
        {"time in stalls", SONDE_MEASURE_SHARE, loop->stalled_ms / loop->milliseconds},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        sonde_measures_set(measures, side, rows[i].name, rows[i].unit, rows[i].value);
    }
}

void sonde_measures_of_report(struct sonde_measures *measures, int side,
                              const struct sonde_diagnostics *report)
{
    sonde_measures_set(measures, side, "heap used", SONDE_MEASURE_BYTES, report->heap_used);
    sonde_measures_set(measures, side, "heap", SONDE_MEASURE_BYTES, report->heap_total);
    sonde_measures_set(measures, side, "heap limit", SONDE_MEASURE_BYTES, report->heap_limit);
    sonde_measures_set(measures, side, "resident, largest", SONDE_MEASURE_BYTES,
                       report->resident_max);
    sonde_measures_set(measures, side, "CPU since the start", SONDE_MEASURE_SHARE,
                       report->cpu_percent / 100);
    sonde_measures_set(measures, side, "worker threads", SONDE_MEASURE_COUNT,
                       (double)report->workers);
    for (size_t i = 0; i < report->handle_count; i++) {
        char name[SONDE_MEASURE_NAME_MAX];
        (void)snprintf(name, sizeof(name), "handles: %s", report->handles[i].kind);
        sonde_measures_set(measures, side, name, SONDE_MEASURE_COUNT,
                           (double)report->handles[i].count);
    }
}

void sonde_measures_of_timeline(struct sonde_measures *measures, int side,
                                const struct sonde_timeline *timeline)
{
    double seconds = timeline->milliseconds / 1e3;
    sonde_measures_set(measures, side, "in use at the beginning", SONDE_MEASURE_BYTES,
                       timeline->before.bytes);
    sonde_measures_set(measures, side, "allocated, still in use", SONDE_MEASURE_BYTES,
                       timeline->since.bytes);
    sonde_measures_set(measures, side, "of each second", SONDE_MEASURE_BYTES,
                       timeline->since.bytes / seconds);
    sonde_measures_set(measures, side, "most in use of it", SONDE_MEASURE_BYTES,
                       timeline->since.peak_bytes);
    sonde_measures_set(measures, side, "objects still in use", SONDE_MEASURE_COUNT,
                       timeline->since.objects);
}

/* ---- text ---- */

static void say(enum sonde_measure_unit unit, double value, bool sign, char ret[VALUE_SIZE])
{
    char bytes[SONDE_BYTES_SIZE];
    switch (unit) {
    case SONDE_MEASURE_BYTES:
        (void)snprintf(ret, VALUE_SIZE, "%s%s",
                       value < 0 ? "-"
                       : sign    ? "+"
                                 : "",
                       sonde_bytes_say((int64_t)fmin(fabs(value), 0x1p62), bytes));
        return;
    case SONDE_MEASURE_SHARE:
        (void)snprintf(ret, VALUE_SIZE, sign ? "%+.1f %%" : "%.1f %%", 100 * value);
        return;
    case SONDE_MEASURE_MILLISECONDS:
        (void)snprintf(ret, VALUE_SIZE, sign ? "%+.1f ms" : "%.1f ms", value);
        return;
    case SONDE_MEASURE_PER_SECOND:
        (void)snprintf(ret, VALUE_SIZE, sign ? "%+.2f/s" : "%.2f/s", value);
        return;
    case SONDE_MEASURE_COUNT:
        break;
    }
    (void)snprintf(ret, VALUE_SIZE, sign ? "%+.0f" : "%.0f", value);
}

static void put_row(const struct sonde_measure *measure, struct sonde_buf *buf)
{
    const char *texts[SONDE_SIDES];
    char values[SONDE_SIDES][VALUE_SIZE];
    for (int side = 0; side < SONDE_SIDES; side++) {
        say(measure->unit, measure->values[side], false, values[side]);
        texts[side] = measure->there[side] ? values[side] : "-";
    }
    sonde_cell_put(buf, sonde_str(measure->name), NAME_WIDTH, false);
    sonde_buf_printf(buf, " %*s %*s", VALUE_WIDTH, texts[SONDE_BEFORE], VALUE_WIDTH,
                     texts[SONDE_AFTER]);
    if (measure->there[SONDE_BEFORE] && measure->there[SONDE_AFTER]) {
        char change[VALUE_SIZE];
        say(measure->unit, measure->values[SONDE_AFTER] - measure->values[SONDE_BEFORE], true,
            change);
        sonde_buf_printf(buf, " %*s", VALUE_WIDTH, change);
    }
    sonde_buf_char(buf, '\n');
}

void sonde_measures_table(const struct sonde_measures *measures, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "%-*s %*s %*s %*s\n", NAME_WIDTH, "", VALUE_WIDTH, "before", VALUE_WIDTH,
                     "after", VALUE_WIDTH, "change");
    for (size_t i = 0; i < measures->count; i++) {
        put_row(&measures->items[i], buf);
    }
}

void sonde_measures_text(const struct sonde_measures *measures,
                         const struct sonde_measures_side sides[SONDE_SIDES], struct sonde_buf *buf)
{
    for (int side = 0; side < SONDE_SIDES; side++) {
        sonde_buf_printf(buf, "%s  %.8s  ", side == SONDE_BEFORE ? "before" : "after ",
                         sides[side].uid);
        sonde_cell_clean(buf, sonde_str(sides[side].name));
        sonde_buf_text(buf, "  ");
        sonde_cell_clean(buf, sonde_str(sides[side].capture));
        sonde_buf_char(buf, '\n');
    }
    sonde_buf_char(buf, '\n');
    sonde_measures_table(measures, buf);
}

/* ---- JSON ---- */

static void put_member(struct sonde_buf *buf, const char *name, const char *value)
{
    sonde_buf_printf(buf, "\"%s\":", name);
    sonde_buf_json_string(buf, sonde_str(value));
}

void sonde_measures_members(const struct sonde_measures *measures, struct sonde_buf *buf)
{
    sonde_buf_text(buf, ",\"measures\":[");
    for (size_t i = 0; i < measures->count; i++) {
        const struct sonde_measure *measure = &measures->items[i];
        sonde_buf_text(buf, i ? ",{" : "{");
        put_member(buf, "name", measure->name);
        sonde_buf_char(buf, ',');
        put_member(buf, "unit", unit_names[measure->unit]);
        if (measure->there[SONDE_BEFORE]) {
            sonde_buf_printf(buf, ",\"before\":%.9g", measure->values[SONDE_BEFORE]);
        }
        if (measure->there[SONDE_AFTER]) {
            sonde_buf_printf(buf, ",\"after\":%.9g", measure->values[SONDE_AFTER]);
        }
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
}

void sonde_measures_json(const struct sonde_measures *measures,
                         const struct sonde_measures_side sides[SONDE_SIDES], struct sonde_buf *buf)
{
    for (int side = 0; side < SONDE_SIDES; side++) {
        sonde_buf_text(buf, side == SONDE_BEFORE ? "{\"before\":{" : ",\"after\":{");
        put_member(buf, "uid", sides[side].uid);
        sonde_buf_char(buf, ',');
        put_member(buf, "name", sides[side].name);
        sonde_buf_char(buf, ',');
        put_member(buf, "capture", sides[side].capture);
        sonde_buf_char(buf, '}');
    }
    sonde_measures_members(measures, buf);
    sonde_buf_text(buf, "}\n");
}
