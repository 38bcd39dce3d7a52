/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "analysis/cell.h"
#include "analysis/report.h"

enum { COLUMNS = 100, PLACE_WIDTH = 44, NAME_WIDTH = 30, BYTES_WIDTH = 9, TEXT_MAX = 1 << 20 };

void sonde_report_place(const char *directory, struct sonde_str file, int32_t line,
                        struct sonde_buf *buf)
{
    if (sonde_str_starts(file, "file://")) {
        file = (struct sonde_str){file.data + 7, file.length - 7};
    }
    size_t prefix = strlen(directory);
    if (prefix > 1 && sonde_str_starts(file, directory) && file.length > prefix &&
        file.data[prefix] == '/') {
        file = (struct sonde_str){file.data + prefix + 1, file.length - prefix - 1};
    }
    sonde_cell_clean(buf, file);
    if (file.length && line > 0) {
        sonde_buf_printf(buf, ":%d", line);
    }
}

static void put_head(const struct sonde_report *r, struct sonde_buf *buf)
{
    sonde_cell_clean(buf, sonde_str(r->name));
    sonde_buf_printf(buf, "  %s", r->state);
    if (r->reason[0]) {
        sonde_buf_printf(buf, " (%s)", r->reason);
    }
    sonde_buf_printf(buf, "  %.8s  %s\n", r->uid, r->created);
    sonde_cell_clean(buf, sonde_str(r->target));
    if (r->node_version[0]) {
        sonde_buf_text(buf, ", Node.js ");
        sonde_cell_clean(buf, sonde_str(r->node_version));
    }
    sonde_buf_char(buf, '\n');
    if (r->message[0]) {
        sonde_cell_clean(buf, sonde_str(r->message));
        sonde_buf_char(buf, '\n');
    }
    sonde_buf_str(buf, r->regression);
}

void sonde_findings_text(const struct sonde_finding *findings, size_t count, const char *directory,
                         struct sonde_buf *buf)
{
    for (size_t i = 0; i < count; i++) {
        const struct sonde_finding *finding = &findings[i];
        sonde_buf_text(buf, "  * ");
        sonde_cell_clean(buf, sonde_str(finding->title));
        if (finding->file.length) {
            sonde_buf_text(buf, "\n    at ");
            sonde_report_place(directory, finding->file, finding->line, buf);
        }
        sonde_buf_text(buf, "\n    ");
        sonde_cell_clean(buf, sonde_str(finding->advice));
        sonde_buf_char(buf, '\n');
    }
}

/* The place; of a built-in function, which has none, the application function that it works for. */
static void put_where(const struct sonde_report *r, const struct sonde_report_capture *c,
                      const struct sonde_function *function, struct sonde_buf *buf)
{
    const struct sonde_frame *frame = &c->profile->frames[function->frame];
    const struct sonde_position *at = sonde_frame_position(frame);
    sonde_report_place(r->directory, at->file, at->line, buf);
    if (at->file.length == 0 && function->caller != function->frame) {
        const struct sonde_frame *caller = &c->profile->frames[function->caller];
        const struct sonde_position *from = sonde_frame_position(caller);
        sonde_buf_text(buf, "for ");
        sonde_cell_clean(buf, sonde_frame_name(caller));
        const char *slash =
            from->file.length ? memrchr(from->file.data, '/', from->file.length) : NULL;
        size_t skip = slash ? (size_t)(slash + 1 - from->file.data) : 0;
        sonde_buf_char(buf, ' ');
        sonde_report_place("", (struct sonde_str){from->file.data + skip, from->file.length - skip},
                           from->line, buf);
    } else if (at->file.length == 0) {
        sonde_buf_text(buf, sonde_category_name(frame->category));
    }
}

/* What the shares of a capture are of: the time without idling, or all bytes. */
static int64_t whole_of(const struct sonde_report_capture *c)
{
    return c->analysis ? c->analysis->busy_ns : c->allocations->table.whole;
}

static const struct sonde_function_table *table_of(const struct sonde_report_capture *c)
{
    return c->analysis ? &c->analysis->table : &c->allocations->table;
}

static void put_function(const struct sonde_report *r, const struct sonde_report_capture *c,
                         const struct sonde_function *function, bool hot, struct sonde_buf *buf)
{
    const struct sonde_frame *frame = &c->profile->frames[function->frame];
    const struct sonde_position *at = sonde_frame_position(frame);
    int64_t whole = whole_of(c);
    size_t width = PLACE_WIDTH;
    SONDE_BUF_AUTO place = SONDE_BUF(4 * SONDE_PROFILE_NAME_MAX);
    put_where(r, c, function, &place);
    if (!c->analysis) {
        char bytes[SONDE_BYTES_SIZE];
        sonde_buf_printf(buf, "  %7s",
                         sonde_bytes_say(hot ? function->self : function->total, bytes));
        width -= BYTES_WIDTH;
    }
    sonde_buf_printf(buf, "  %5.1f %%  %5.1f %%  ", 100 * sonde_share(function->self, whole),
                     100 * sonde_share(function->total, whole));
    sonde_cell_put(buf, sonde_frame_name(frame), NAME_WIDTH, false);
    sonde_buf_text(buf, "  ");
    SONDE_BUF_AUTO line = SONDE_BUF(64);
    if (hot && at->file.length && function->hot_line && function->hot_line != at->line &&
        function->self * 100 > whole) {
        sonde_buf_printf(&line, " (%.0f %% in line %d)", 100 * function->hot_share,
                         function->hot_line);
    }
    sonde_cell_put(buf, sonde_buf_view(&place), width - line.length, true);
    sonde_cell_trim(buf);
    sonde_buf_str(buf, sonde_buf_view(&line));
    sonde_buf_char(buf, '\n');
    buf->code = buf->code ? buf->code : place.code ? place.code : line.code;
}

static bool is_listed(const struct sonde_report_capture *c, const struct sonde_function *function,
                      int64_t value)
{
    enum sonde_category category = c->profile->frames[function->frame].category;
    return value > 0 && category != SONDE_CATEGORY_IDLE && category != SONDE_CATEGORY_ROOT;
}

static void put_functions(const struct sonde_report *r, const struct sonde_report_capture *c,
                          struct sonde_buf *buf)
{
    const struct sonde_function_table *table = table_of(c);
    bool time = c->analysis != NULL;
    sonde_buf_text(buf, time ? "\nby self time\n     self    total  function\n"
                             : "\nby what it allocates itself\n    bytes     self    total  "
                               "function\n");
    for (size_t i = 0, rows = 0; i < table->function_count && rows < SONDE_REPORT_ROWS; i++) {
        if (is_listed(c, &table->functions[i], table->functions[i].self)) {
            put_function(r, c, &table->functions[i], true, buf);
            rows++;
        }
    }
    sonde_buf_text(buf, time ? "\nby total time, your code\n     self    total  function\n"
                             : "\nby what is allocated in it and below, your code\n    bytes     "
                               "self    total  function\n");
    for (size_t i = 0, rows = 0; i < table->function_count && rows < SONDE_REPORT_ROWS; i++) {
        const struct sonde_function *function = &table->functions[table->by_total[i]];
        if (c->profile->frames[function->frame].category == SONDE_CATEGORY_APP &&
            function->total > 0) {
            put_function(r, c, function, false, buf);
            rows++;
        }
    }
}

static int by_amount(const void *a, const void *b, void *context)
{
    const int64_t *amounts = context;
    int64_t left = amounts[*(const int *)a];
    int64_t right = amounts[*(const int *)b];
    return (left < right) - (left > right);
}

/* "app 50.0 %, node 30.0 %": whose code it is. */
static void put_categories(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    int64_t amounts[SONDE_CATEGORY_COUNT];
    int order[SONDE_CATEGORY_COUNT];
    for (int i = 0; i < SONDE_CATEGORY_COUNT; i++) {
        order[i] = i;
        amounts[i] = table_of(c)->categories[i];
    }
    qsort_r(order, SONDE_CATEGORY_COUNT, sizeof(*order), by_amount, amounts);
    for (int i = 0, shown = 0; i < SONDE_CATEGORY_COUNT; i++) {
        if (order[i] != SONDE_CATEGORY_IDLE && amounts[order[i]] > 0) {
            sonde_buf_printf(buf, "%s %s %.1f %%", shown++ ? "," : "",
                             order[i] == SONDE_CATEGORY_ROOT
                                 ? "V8 itself"
                                 : sonde_category_name((enum sonde_category)order[i]),
                             100 * sonde_share(amounts[order[i]], whole_of(c)));
        }
    }
}

static void put_packages(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    const struct sonde_function_table *table = table_of(c);
    for (size_t i = 0; i < table->package_count && i < 5; i++) {
        const struct sonde_package *package = &table->packages[i];
        sonde_buf_text(buf, i ? ", " : "packages: ");
        sonde_cell_clean(buf, package->name);
        if (package->version.length) {
            sonde_buf_char(buf, '@');
            sonde_cell_clean(buf, package->version);
        }
        sonde_buf_printf(buf, " %.1f %%", 100 * sonde_share(package->self, whole_of(c)));
    }
    sonde_buf_text(buf, table->package_count ? "\n" : "");
}

static void put_sums(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    const struct sonde_cpu_analysis *a = c->analysis;
    if (!a) {
        sonde_buf_text(buf, "\nallocated by");
    } else if (c->profile->busy_only) {
        sonde_buf_text(buf, "\nof the busy time");
    } else {
        sonde_buf_printf(buf, "\nbusy %.1f %% of the time; of that",
                         100 * sonde_share(a->busy_ns, a->wall_ns));
    }
    put_categories(c, buf);
    if (a) {
        sonde_buf_printf(buf, " (garbage collection %.1f %%)",
                         100 * sonde_share(a->gc_ns, a->busy_ns));
    }
    sonde_buf_char(buf, '\n');
    put_packages(c, buf);
}

static void put_stall(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    const struct sonde_cpu_analysis *a = c->analysis;
    if (a->stall_count && a->stalls[0].samples >= SONDE_CPU_STALL_SAMPLES_MIN) {
        const struct sonde_cpu_stall *stall = &a->stalls[0];
        const struct sonde_frame *frame = &c->profile->frames[stall->frame];
        char part[SONDE_PART_SIZE];
        sonde_buf_printf(buf, "longest stretch without idling: %.1f ms at %.1f s, %s of it in ",
                         (double)stall->length_us / 1e3, (double)stall->start_us / 1e6,
                         sonde_part_say(stall->frame_us, stall->length_us, part));
        sonde_cell_clean(buf, sonde_frame_name(frame));
        sonde_buf_char(buf, '\n');
    }
}

static void put_loop(const struct sonde_report_loop *loop, struct sonde_buf *buf)
{
    if (loop->measured) {
        sonde_buf_printf(buf,
                         "event loop: %.0f %% utilized; delay p50 %.1f ms, p99 %.1f ms, longest "
                         "%.1f ms\n",
                         100 * loop->utilization, loop->p50_ms, loop->p99_ms, loop->max_ms);
    }
}

/* What was captured, and how much of it. */
static void put_extent(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    const struct sonde_profile *profile = c->profile;
    if (c->duration_s > 0 || c->analysis) {
        sonde_buf_printf(buf, "%.1f s in %u window%s, ", c->duration_s, profile->windows,
                         profile->windows == 1 ? "" : "s");
    }
    if (c->allocations) {
        char bytes[SONDE_BYTES_SIZE];
        sonde_buf_printf(buf, "%s %s, ", sonde_bytes_say(c->allocations->table.whole, bytes),
                         profile->collected ? "allocated" : "allocated and still in use");
    }
    sonde_buf_printf(buf, "%llu %s\n", (unsigned long long)profile->total_samples,
                     profile->counts_objects ? "objects" : "samples");
}

static void put_coverage(const struct sonde_report *r, const struct sonde_coverage_analysis *a,
                         struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "%u of %u functions of yours were called, in %u script%s\n", a->called,
                     a->functions, a->scripts, a->scripts == 1 ? "" : "s");
    sonde_findings_text(a->findings, a->finding_count, r->directory, buf);
    sonde_coverage_text(a, r->directory, SONDE_REPORT_ROWS, buf);
}

static void put_capture(const struct sonde_report *r, const struct sonde_report_capture *c,
                        struct sonde_buf *buf)
{
    sonde_buf_char(buf, '\n');
    sonde_cell_clean(buf, sonde_str(c->name));
    sonde_buf_text(buf, ": ");
    if (c->coverage) {
        put_coverage(r, c->coverage, buf);
        return;
    }
    put_extent(c, buf);
    if (c->analysis) {
        sonde_findings_text(c->analysis->findings, c->analysis->finding_count, r->directory, buf);
    } else {
        sonde_findings_text(c->allocations->findings, c->allocations->finding_count, r->directory,
                            buf);
    }
    put_functions(r, c, buf);
    put_sums(c, buf);
    if (c->analysis) {
        put_stall(c, buf);
    }
}

static void put_cost(const struct sonde_report_cost *cost, struct sonde_buf *buf)
{
    if (!cost->measured) {
        return;
    }
    sonde_buf_printf(buf,
                     "what the capture cost: the loop stood still %.1f ms at the start, %.1f ms at "
                     "the end",
                     cost->start_stall_ms, cost->stop_stall_ms);
    if (cost->rotations) {
        sonde_buf_printf(buf, ",\n  %.1f ms (p50) to %.1f ms (longest) at %lld rotations",
                         cost->rotation_p50_ms, cost->rotation_max_ms, (long long)cost->rotations);
    }
    sonde_buf_printf(buf, ";\n  attached in %.0f ms, inspector open for %.1f s, %.1f MB received\n",
                     cost->attach_ms, cost->inspector_open_s, (double)cost->bytes / 1e6);
    if (cost->workers_lost) {
        sonde_buf_printf(buf, "  worker threads that did not answer, and are missing: %lld\n",
                         (long long)cost->workers_lost);
    }
}

/* How much of the line goes into `width` columns: up to a space behind `indent` where there is one,
 * else as many characters as fit; all of it when it fits. */
static size_t break_at(struct sonde_str line, size_t width, size_t indent)
{
    size_t columns = 0;
    size_t space = 0;
    for (size_t i = 0; i < line.length; i++) {
        columns += ((unsigned char)line.data[i] & 0xc0) != 0x80;
        if (columns > width) {
            return line.data[i] == ' ' ? i : space ? space : i;
        }
        if (line.data[i] == ' ' && i > indent) {
            space = i;
        }
    }
    return line.length;
}

void sonde_report_wrap(struct sonde_str text, struct sonde_buf *buf)
{
    while (text.length) {
        struct sonde_str line = sonde_str_split(&text, '\n');
        size_t indent = 0;
        while (indent < line.length && (line.data[indent] == ' ' || line.data[indent] == '*')) {
            indent++;
        }
        size_t width = COLUMNS;
        size_t taken = break_at(line, width, indent);
        sonde_buf_append(buf, line.data, taken);
        width -= indent;
        while (taken < line.length) {
            while (taken < line.length && line.data[taken] == ' ') {
                taken++;
            }
            line = (struct sonde_str){line.data + taken, line.length - taken};
            taken = break_at(line, width, 0);
            sonde_buf_char(buf, '\n');
            sonde_buf_repeat(buf, ' ', indent);
            sonde_buf_append(buf, line.data, taken);
        }
        sonde_buf_char(buf, '\n');
    }
}

void sonde_report_text(const struct sonde_report *report, struct sonde_buf *buf)
{
    SONDE_BUF_AUTO text = SONDE_BUF(TEXT_MAX);
    put_head(report, &text);
    for (size_t i = 0; i < report->capture_count; i++) {
        put_capture(report, &report->captures[i], &text);
    }
    for (size_t i = 0; i < report->part_count; i++) {
        sonde_buf_char(&text, '\n');
        sonde_cell_clean(&text, sonde_str(report->parts[i].name));
        sonde_buf_text(&text, ": ");
        sonde_buf_str(&text, report->parts[i].text);
    }
    sonde_buf_text(&text, report->loop.measured || report->cost.measured ? "\n" : "");
    put_loop(&report->loop, &text);
    put_cost(&report->cost, &text);
    if (text.code) {
        buf->code = text.code;
        return;
    }
    sonde_report_wrap(sonde_buf_view(&text), buf);
}
