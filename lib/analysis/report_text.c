/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "analysis/cpu_findings.h"
#include "analysis/report.h"

enum { COLUMNS = 100, PLACE_WIDTH = 44, NAME_WIDTH = 30, TEXT_MAX = 1 << 20 };

/* A terminal obeys control characters, and a function's name may hold any. */
static void put_clean(struct sonde_buf *buf, struct sonde_str text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        /* C1 controls are U+0080 to U+009F: 0xc2 0x80…0x9f. */
        bool c1 = c == 0xc2 && i + 1 < text.length && (unsigned char)text.data[i + 1] < 0xa0;
        if (c1) {
            i++;
        }
        sonde_buf_char(buf, c < 0x20 || c == 0x7f || c1 ? '?' : (char)c);
    }
}

/* Cut to `width` characters; UTF-8 is not cut in the middle of one. */
static void put_cell(struct sonde_buf *buf, struct sonde_str text, size_t width, bool keep_end)
{
    SONDE_BUF_AUTO clean = SONDE_BUF(2 * SONDE_PROFILE_NAME_MAX);
    put_clean(&clean, text);
    struct sonde_str view = sonde_buf_view(&clean);
    size_t characters = 0;
    for (size_t i = 0; i < view.length; i++) {
        characters += ((unsigned char)view.data[i] & 0xc0) != 0x80;
    }
    size_t drop = characters > width ? characters - width + 1 : 0;
    if (drop && keep_end) {
        sonde_buf_text(buf, "…");
    }
    size_t at = 0;
    for (size_t i = 0; i < view.length; i++) {
        at += ((unsigned char)view.data[i] & 0xc0) != 0x80;
        bool shown = keep_end ? at > drop : at <= characters - drop;
        if (shown) {
            sonde_buf_char(buf, view.data[i]);
        }
    }
    if (drop && !keep_end) {
        sonde_buf_text(buf, "…");
    }
    size_t used = drop ? width : characters;
    sonde_buf_repeat(buf, ' ', used < width ? width - used : 0);
    buf->code = buf->code ? buf->code : clean.code;
}

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
    put_clean(buf, file);
    if (file.length && line > 0) {
        sonde_buf_printf(buf, ":%d", line);
    }
}

static void put_head(const struct sonde_report *r, struct sonde_buf *buf)
{
    put_clean(buf, sonde_str(r->name));
    sonde_buf_printf(buf, "  %s", r->state);
    if (r->reason[0]) {
        sonde_buf_printf(buf, " (%s)", r->reason);
    }
    sonde_buf_printf(buf, "  %.8s  %s\n", r->uid, r->created);
    put_clean(buf, sonde_str(r->target));
    if (r->node_version[0]) {
        sonde_buf_text(buf, ", Node.js ");
        put_clean(buf, sonde_str(r->node_version));
    }
    sonde_buf_char(buf, '\n');
    if (r->message[0]) {
        put_clean(buf, sonde_str(r->message));
        sonde_buf_char(buf, '\n');
    }
}

static void put_findings(const struct sonde_report *r, const struct sonde_report_capture *c,
                         struct sonde_buf *buf)
{
    for (size_t i = 0; i < c->analysis->finding_count; i++) {
        const struct sonde_finding *finding = &c->analysis->findings[i];
        sonde_buf_text(buf, "  * ");
        put_clean(buf, sonde_str(finding->title));
        if (finding->file.length) {
            sonde_buf_text(buf, "\n    at ");
            sonde_report_place(r->directory, finding->file, finding->line, buf);
        }
        sonde_buf_text(buf, "\n    ");
        put_clean(buf, sonde_str(finding->advice));
        sonde_buf_char(buf, '\n');
    }
}

/* The place; of a built-in function, which has none, the application function that it works for. */
static void put_where(const struct sonde_report *r, const struct sonde_report_capture *c,
                      const struct sonde_cpu_function *function, struct sonde_buf *buf)
{
    const struct sonde_frame *frame = &c->profile->frames[function->frame];
    const struct sonde_position *at = sonde_frame_position(frame);
    sonde_report_place(r->directory, at->file, at->line, buf);
    if (at->file.length == 0 && function->caller != function->frame) {
        const struct sonde_frame *caller = &c->profile->frames[function->caller];
        const struct sonde_position *from = sonde_frame_position(caller);
        sonde_buf_text(buf, "for ");
        put_clean(buf, sonde_frame_name(caller));
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

static void put_function(const struct sonde_report *r, const struct sonde_report_capture *c,
                         const struct sonde_cpu_function *function, bool hot, struct sonde_buf *buf)
{
    const struct sonde_frame *frame = &c->profile->frames[function->frame];
    const struct sonde_position *at = sonde_frame_position(frame);
    int64_t busy = c->analysis->busy_ns;
    SONDE_BUF_AUTO place = SONDE_BUF(4 * SONDE_PROFILE_NAME_MAX);
    put_where(r, c, function, &place);
    sonde_buf_printf(buf, "  %5.1f %%  %5.1f %%  ", 100 * sonde_share(function->self_ns, busy),
                     100 * sonde_share(function->total_ns, busy));
    put_cell(buf, sonde_frame_name(frame), NAME_WIDTH, false);
    sonde_buf_text(buf, "  ");
    SONDE_BUF_AUTO line = SONDE_BUF(64);
    if (hot && at->file.length && function->hot_line && function->hot_line != at->line &&
        function->self_ns * 100 > busy) {
        sonde_buf_printf(&line, " (%.0f %% in line %d)", 100 * function->hot_share,
                         function->hot_line);
    }
    put_cell(buf, sonde_buf_view(&place), PLACE_WIDTH - line.length, true);
    while (buf->length && buf->data[buf->length - 1] == ' ') {
        buf->data[--buf->length] = '\0';
    }
    sonde_buf_str(buf, sonde_buf_view(&line));
    sonde_buf_char(buf, '\n');
    buf->code = buf->code ? buf->code : place.code ? place.code : line.code;
}

static bool is_listed(const struct sonde_report_capture *c,
                      const struct sonde_cpu_function *function, int64_t value)
{
    enum sonde_category category = c->profile->frames[function->frame].category;
    return value > 0 && category != SONDE_CATEGORY_IDLE && category != SONDE_CATEGORY_ROOT;
}

static void put_functions(const struct sonde_report *r, const struct sonde_report_capture *c,
                          struct sonde_buf *buf)
{
    const struct sonde_cpu_analysis *a = c->analysis;
    sonde_buf_text(buf, "\nby self time\n     self    total  function\n");
    for (size_t i = 0, rows = 0; i < a->function_count && rows < SONDE_REPORT_ROWS; i++) {
        if (is_listed(c, &a->functions[i], a->functions[i].self_ns)) {
            put_function(r, c, &a->functions[i], true, buf);
            rows++;
        }
    }
    sonde_buf_text(buf, "\nby total time, your code\n     self    total  function\n");
    for (size_t i = 0, rows = 0; i < a->function_count && rows < SONDE_REPORT_ROWS; i++) {
        const struct sonde_cpu_function *function = &a->functions[a->by_total[i]];
        if (c->profile->frames[function->frame].category == SONDE_CATEGORY_APP &&
            function->total_ns > 0) {
            put_function(r, c, function, false, buf);
            rows++;
        }
    }
}

static int by_time(const void *a, const void *b, void *context)
{
    const int64_t *times = context;
    int64_t left = times[*(const int *)a];
    int64_t right = times[*(const int *)b];
    return (left < right) - (left > right);
}

static void put_sums(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    const struct sonde_cpu_analysis *a = c->analysis;
    int64_t times[SONDE_CATEGORY_COUNT];
    int order[SONDE_CATEGORY_COUNT];
    for (int i = 0; i < SONDE_CATEGORY_COUNT; i++) {
        order[i] = i;
        times[i] = a->categories_ns[i];
    }
    qsort_r(order, SONDE_CATEGORY_COUNT, sizeof(*order), by_time, times);
    sonde_buf_printf(buf, "\nbusy %.1f %% of the time; of that",
                     100 * sonde_share(a->busy_ns, a->wall_ns));
    for (int i = 0, shown = 0; i < SONDE_CATEGORY_COUNT; i++) {
        if (order[i] != SONDE_CATEGORY_IDLE && times[order[i]] > 0) {
            sonde_buf_printf(buf, "%s %s %.1f %%", shown++ ? "," : "",
                             sonde_category_name((enum sonde_category)order[i]),
                             100 * sonde_share(times[order[i]], a->busy_ns));
        }
    }
    sonde_buf_printf(buf, " (garbage collection %.1f %%)\n",
                     100 * sonde_share(a->gc_ns, a->busy_ns));
    for (size_t i = 0; i < a->package_count && i < 5; i++) {
        const struct sonde_cpu_package *package = &a->packages[i];
        sonde_buf_text(buf, i ? ", " : "packages: ");
        put_clean(buf, package->name);
        if (package->version.length) {
            sonde_buf_char(buf, '@');
            put_clean(buf, package->version);
        }
        sonde_buf_printf(buf, " %.1f %%", 100 * sonde_share(package->self_ns, a->busy_ns));
    }
    sonde_buf_text(buf, a->package_count ? "\n" : "");
}

static void put_stall(const struct sonde_report_capture *c, struct sonde_buf *buf)
{
    const struct sonde_cpu_analysis *a = c->analysis;
    if (a->stall_count && a->stalls[0].samples >= SONDE_CPU_STALL_SAMPLES_MIN) {
        const struct sonde_cpu_stall *stall = &a->stalls[0];
        const struct sonde_frame *frame = &c->profile->frames[stall->frame];
        char part[SONDE_CPU_PART_SIZE];
        sonde_buf_printf(buf, "longest stretch without idling: %.1f ms at %.1f s, %s of it in ",
                         (double)stall->length_us / 1e3, (double)stall->start_us / 1e6,
                         sonde_cpu_part(stall->frame_us, stall->length_us, part));
        put_clean(buf, sonde_frame_name(frame));
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

static void put_capture(const struct sonde_report *r, const struct sonde_report_capture *c,
                        struct sonde_buf *buf)
{
    sonde_buf_char(buf, '\n');
    put_clean(buf, sonde_str(c->name));
    sonde_buf_printf(buf, ": %.1f s in %u window%s, %llu samples\n", c->duration_s,
                     c->profile->windows, c->profile->windows == 1 ? "" : "s",
                     (unsigned long long)c->profile->total_samples);
    put_findings(r, c, buf);
    put_functions(r, c, buf);
    put_sums(c, buf);
    put_stall(c, buf);
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

/* Copies lines, the long ones broken and what follows indented like the text of their beginning. */
static void put_wrapped(struct sonde_buf *buf, struct sonde_str text)
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
    sonde_buf_text(&text, report->loop.measured || report->cost.measured ? "\n" : "");
    put_loop(&report->loop, &text);
    put_cost(&report->cost, &text);
    if (text.code) {
        buf->code = text.code;
        return;
    }
    put_wrapped(buf, sonde_buf_view(&text));
}
