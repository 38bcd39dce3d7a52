/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/report.h"

/* Shares and milliseconds carry six digits: beyond is noise. */
static void number(struct sonde_buf *buf, const char *name, double value)
{
    sonde_buf_printf(buf, ",\"%s\":%.6g", name, value);
}

static void text(struct sonde_buf *buf, const char *name, struct sonde_str value)
{
    sonde_buf_printf(buf, ",\"%s\":", name);
    sonde_buf_json_string(buf, value);
}

static void place(struct sonde_buf *buf, const struct sonde_frame *frame)
{
    const struct sonde_position *at = &frame->generated;
    text(buf, "url", at->file);
    sonde_buf_printf(buf, ",\"line\":%d,\"column\":%d", at->line, at->column);
    if (frame->source.file.length) {
        text(buf, "sourceFile", frame->source.file);
        sonde_buf_printf(buf, ",\"sourceLine\":%d,\"sourceColumn\":%d", frame->source.line,
                         frame->source.column);
    }
}

static int64_t whole_of(const struct sonde_report_capture *c)
{
    return c->analysis ? c->analysis->busy_ns : c->allocations->table.whole;
}

static const struct sonde_function_table *table_of(const struct sonde_report_capture *c)
{
    return c->analysis ? &c->analysis->table : &c->allocations->table;
}

static void put_function(const struct sonde_report_capture *c,
                         const struct sonde_function *function, struct sonde_buf *buf)
{
    const struct sonde_frame *frame = &c->profile->frames[function->frame];
    sonde_buf_text(buf, "{\"function\":");
    sonde_buf_json_string(buf, sonde_frame_name(frame));
    place(buf, frame);
    text(buf, "category", sonde_str(sonde_category_name(frame->category)));
    if (frame->package.length) {
        text(buf, "package", frame->package);
        text(buf, "version", frame->version);
    }
    number(buf, "selfShare", sonde_share(function->self, whole_of(c)));
    number(buf, "totalShare", sonde_share(function->total, whole_of(c)));
    if (c->analysis) {
        number(buf, "selfMilliseconds", (double)function->self / 1e6);
        number(buf, "totalMilliseconds", (double)function->total / 1e6);
    } else {
        sonde_buf_printf(buf, ",\"selfBytes\":%lld,\"totalBytes\":%lld,\"samples\":%llu",
                         (long long)function->self, (long long)function->total,
                         (unsigned long long)function->samples);
    }
    if (function->caller != function->frame) {
        text(buf, "caller", sonde_frame_name(&c->profile->frames[function->caller]));
    }
    if (function->hot_line) {
        sonde_buf_printf(buf, ",\"hotLine\":%d", function->hot_line);
        number(buf, "hotLineShare", function->hot_share);
    }
    sonde_buf_char(buf, '}');
}

static void put_functions(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    const struct sonde_function_table *table = table_of(c);
    int64_t worth = whole_of(c) / 1000; /* a row */
    sonde_buf_text(buf, ",\"functions\":[");
    bool first = true;
    for (size_t i = 0; i < table->function_count; i++) {
        const struct sonde_function *function = &table->functions[i];
        enum sonde_category category = c->profile->frames[function->frame].category;
        if (category == SONDE_CATEGORY_IDLE || category == SONDE_CATEGORY_ROOT ||
            (function->self < worth && function->total < worth)) {
            continue;
        }
        sonde_buf_text(buf, first ? "" : ",");
        first = false;
        put_function(c, function, buf);
    }
    sonde_buf_char(buf, ']');
}

void sonde_findings_json(const struct sonde_finding *findings, size_t count, struct sonde_buf *buf)
{
    for (size_t i = 0; i < count; i++) {
        const struct sonde_finding *finding = &findings[i];
        sonde_buf_printf(buf, "%s{\"tool\":\"%s\",\"kind\":\"%s\",\"severity\":%d", i ? "," : "",
                         finding->tool, finding->kind, finding->severity);
        number(buf, "confidence", finding->confidence);
        text(buf, "title", sonde_str(finding->title));
        text(buf, "advice", sonde_str(finding->advice));
        sonde_buf_text(buf, ",\"evidence\":{");
        for (size_t e = 0; e < finding->evidence_count; e++) {
            const struct sonde_evidence *evidence = &finding->evidence[e];
            sonde_buf_printf(buf, "%s\"%s\":{\"value\":%.6g,\"unit\":\"%s\"}", e ? "," : "",
                             evidence->name, evidence->value, evidence->unit);
        }
        sonde_buf_text(buf, "},\"where\":[");
        if (finding->file.length) {
            sonde_buf_text(buf, "{\"function\":");
            sonde_buf_json_string(buf, finding->function);
            text(buf, "file", finding->file);
            sonde_buf_printf(buf, ",\"line\":%d,\"column\":%d}", finding->line, finding->column);
        }
        sonde_buf_text(buf, "]}");
    }
}

static void put_findings(const struct sonde_finding *findings, size_t count, struct sonde_buf *buf)
{
    sonde_buf_text(buf, ",\"findings\":[");
    sonde_findings_json(findings, count, buf);
    sonde_buf_char(buf, ']');
}

static void put_categories(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    const struct sonde_function_table *table = table_of(c);
    sonde_buf_text(buf, ",\"categories\":{");
    bool first = true;
    for (int i = 0; i < SONDE_CATEGORY_COUNT; i++) {
        /* What V8 allocates by itself stands at the root. */
        if (i != SONDE_CATEGORY_IDLE && (i != SONDE_CATEGORY_ROOT || !c->analysis)) {
            sonde_buf_printf(buf, "%s\"%s\":%.6g", first ? "" : ",",
                             sonde_category_name((enum sonde_category)i),
                             sonde_share(table->categories[i], whole_of(c)));
            first = false;
        }
    }
    sonde_buf_text(buf, "},\"packages\":[");
    for (size_t i = 0; i < table->package_count; i++) {
        sonde_buf_text(buf, i ? ",{\"name\":" : "{\"name\":");
        sonde_buf_json_string(buf, table->packages[i].name);
        text(buf, "version", table->packages[i].version);
        number(buf, "selfShare", sonde_share(table->packages[i].self, whole_of(c)));
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
}

static void put_stalls(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    const struct sonde_cpu_analysis *a = c->analysis;
    sonde_buf_text(buf, ",\"stalls\":[");
    for (size_t i = 0; i < a->stall_count; i++) {
        sonde_buf_printf(buf, "%s{\"startMilliseconds\":%.6g,\"milliseconds\":%.6g", i ? "," : "",
                         (double)a->stalls[i].start_us / 1e3, (double)a->stalls[i].length_us / 1e3);
        const struct sonde_frame *frame = &c->profile->frames[a->stalls[i].frame];
        sonde_buf_printf(buf, ",\"samples\":%zu", a->stalls[i].samples);
        text(buf, "function", sonde_frame_name(frame));
        number(buf, "functionShare", sonde_share(a->stalls[i].frame_us, a->stalls[i].length_us));
        place(buf, frame);
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
}

static void put_head(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "{\"windows\":%u,\"samples\":%llu", c->profile->windows,
                     (unsigned long long)c->profile->total_samples);
    text(buf, "name", sonde_str(c->name));
    text(buf, "type", sonde_str(c->analysis ? "CPUProfile" : "HeapProfile"));
    if (c->analysis || c->duration_s > 0) {
        number(buf, "durationSeconds", c->duration_s);
    }
}

static void put_profile(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    const struct sonde_cpu_analysis *a = c->analysis;
    put_head(c, buf);
    if (a && !c->profile->busy_only) {
        number(buf, "busyShare", sonde_share(a->busy_ns, a->wall_ns));
    }
    if (a) {
        number(buf, "gcShare", sonde_share(a->gc_ns, a->busy_ns));
    } else {
        sonde_buf_printf(buf, ",\"bytes\":%lld,\"collected\":%s",
                         (long long)c->allocations->table.whole,
                         c->profile->collected ? "true" : "false");
    }
    put_categories(c, buf);
    if (a) {
        put_stalls(c, buf);
        put_findings(a->findings, a->finding_count, buf);
    } else {
        put_findings(c->allocations->findings, c->allocations->finding_count, buf);
    }
    put_functions(c, buf);
    sonde_buf_char(buf, '}');
}

static void put_coverage(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    sonde_buf_text(buf, "{\"name\":");
    sonde_buf_json_string(buf, sonde_str(c->name));
    text(buf, "type", SONDE_STR("Coverage"));
    put_findings(c->coverage->findings, c->coverage->finding_count, buf);
    sonde_coverage_json(c->coverage, buf);
    sonde_buf_char(buf, '}');
}

static void put_loop_and_cost(const struct sonde_report *r, struct sonde_buf *buf)
{
    if (r->loop.measured) {
        sonde_buf_printf(buf, ",\"eventLoop\":{\"utilization\":%.6g", r->loop.utilization);
        number(buf, "delayMeanMilliseconds", r->loop.mean_ms);
        number(buf, "delayP50Milliseconds", r->loop.p50_ms);
        number(buf, "delayP99Milliseconds", r->loop.p99_ms);
        number(buf, "delayMaxMilliseconds", r->loop.max_ms);
        sonde_buf_char(buf, '}');
    }
    if (r->cost.measured) {
        sonde_buf_printf(buf, ",\"cost\":{\"rotations\":%lld", (long long)r->cost.rotations);
        number(buf, "attachMilliseconds", r->cost.attach_ms);
        number(buf, "inspectorOpenSeconds", r->cost.inspector_open_s);
        number(buf, "startStallMilliseconds", r->cost.start_stall_ms);
        number(buf, "stopStallMilliseconds", r->cost.stop_stall_ms);
        number(buf, "rotationStallP50Milliseconds", r->cost.rotation_p50_ms);
        number(buf, "rotationStallP99Milliseconds", r->cost.rotation_p99_ms);
        number(buf, "rotationStallMaxMilliseconds", r->cost.rotation_max_ms);
        sonde_buf_printf(buf, ",\"bytes\":%lld,\"workerThreadsLost\":%lld}",
                         (long long)r->cost.bytes, (long long)r->cost.workers_lost);
    }
}

void sonde_report_json(const struct sonde_report *report, struct sonde_buf *buf)
{
    const struct sonde_report *r = report;
    sonde_buf_text(buf, "{\"name\":");
    sonde_buf_json_string(buf, sonde_str(r->name));
    text(buf, "uid", sonde_str(r->uid));
    text(buf, "state", sonde_str(r->state));
    text(buf, "reason", sonde_str(r->reason));
    text(buf, "message", sonde_str(r->message));
    text(buf, "created", sonde_str(r->created));
    text(buf, "target", sonde_str(r->target));
    text(buf, "nodeVersion", sonde_str(r->node_version));
    text(buf, "directory", sonde_str(r->directory));
    if (r->regression_json.length) {
        sonde_buf_text(buf, ",\"regression\":");
        sonde_buf_str(buf, r->regression_json);
    }
    sonde_buf_text(buf, ",\"captures\":[");
    for (size_t i = 0; i < r->capture_count; i++) {
        sonde_buf_text(buf, i ? "," : "");
        (r->captures[i].coverage ? put_coverage : put_profile)(&r->captures[i], buf);
    }
    for (size_t i = 0; i < r->part_count; i++) {
        sonde_buf_text(buf, i || r->capture_count ? ",{\"name\":" : "{\"name\":");
        sonde_buf_json_string(buf, sonde_str(r->parts[i].name));
        text(buf, "type", sonde_str(r->parts[i].type));
        sonde_buf_str(buf, r->parts[i].json);
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
    put_loop_and_cost(r, buf);
    sonde_buf_text(buf, "}\n");
}
