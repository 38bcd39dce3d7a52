/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "results/page.h"

/* A capture that is being written. */
struct writing {
    const struct sonde_profile *profile;
    struct sonde_output *output;
    struct sonde_map index;  /* text → its place among `texts` */
    struct sonde_str *texts; /* borrowed from the profile */
    size_t text_count, text_capacity;
    int code; /* the first failure of `intern` */
};

/* The number of a text: each stands once in the page. */
static int64_t intern(struct writing *page, struct sonde_str text)
{
    struct sonde_map_slot *slot;
    bool fresh = false;
    int r = sonde_map_insert(&page->index, text, &slot, &fresh);
    if (r == 0 && fresh) {
        slot->value = page->text_count;
        r = sonde_array_grow(&page->texts, &page->text_capacity, page->text_count + 1,
                             sizeof(*page->texts), SONDE_PAGE_TEXTS_MAX);
        if (r == 0) {
            page->texts[page->text_count++] = text;
        }
    }
    page->code = page->code ? page->code : r;
    return r < 0 ? 0 : (int64_t)slot->value;
}

/* ---- columns ---- */

typedef int64_t (*column_value)(struct writing *page, size_t i);

static int64_t frame_name(struct writing *page, size_t i)
{
    return intern(page, sonde_frame_name(&page->profile->frames[i]));
}

static int64_t frame_file(struct writing *page, size_t i)
{
    return intern(page, sonde_frame_position(&page->profile->frames[i])->file);
}

static int64_t frame_line(struct writing *page, size_t i)
{
    return sonde_frame_position(&page->profile->frames[i])->line;
}

static int64_t frame_column(struct writing *page, size_t i)
{
    return sonde_frame_position(&page->profile->frames[i])->column;
}

static int64_t frame_category(struct writing *page, size_t i)
{
    return page->profile->frames[i].category;
}

static int64_t frame_package(struct writing *page, size_t i)
{
    return intern(page, page->profile->frames[i].package);
}

static int64_t frame_version(struct writing *page, size_t i)
{
    return intern(page, page->profile->frames[i].version);
}

static int64_t node_frame(struct writing *page, size_t i)
{
    return page->profile->nodes[i].frame;
}

/* How far back: mostly small, which compresses well. */
static int64_t node_parent(struct writing *page, size_t i)
{
    return (int64_t)i - page->profile->nodes[i].parent;
}

static int64_t node_self(struct writing *page, size_t i)
{
    int64_t self = page->profile->nodes[i].self;
    return page->profile->unit == SONDE_PROFILE_BYTES ? self : (self + 500) / 1000;
}

static int64_t node_samples(struct writing *page, size_t i)
{
    return page->profile->nodes[i].samples;
}

static int64_t sample_node(struct writing *page, size_t i)
{
    return page->profile->samples[i].node;
}

static int64_t sample_duration(struct writing *page, size_t i)
{
    return page->profile->samples[i].duration_us;
}

static int64_t line_frame(struct writing *page, size_t i)
{
    return page->profile->lines[i].frame;
}

static int64_t line_line(struct writing *page, size_t i)
{
    const struct sonde_profile_line *line = &page->profile->lines[i];
    bool mapped = page->profile->frames[line->frame].source.file.length > 0;
    return mapped ? line->source_line : line->line;
}

static int64_t line_ticks(struct writing *page, size_t i)
{
    return page->profile->lines[i].ticks;
}

struct column {
    const char *name;
    column_value value;
};

static const struct column frame_columns[] = {
    {"name", frame_name},         {"file", frame_file},
    {"line", frame_line},         {"column", frame_column},
    {"category", frame_category}, {"package", frame_package},
    {"version", frame_version},   {0},
};
static const struct column node_columns[] = {
    {"frame", node_frame},
    {"parent", node_parent},
    {"self", node_self},
    {"samples", node_samples},
    {0},
};
static const struct column sample_columns[] = {
    {"node", sample_node},
    {"duration", sample_duration},
    {0},
};
static const struct column line_columns[] = {
    {"frame", line_frame},
    {"line", line_line},
    {"ticks", line_ticks},
    {0},
};

static void put_number(struct sonde_buf *buf, int64_t value)
{
    if (value < 0) {
        sonde_buf_char(buf, '-');
    }
    sonde_buf_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* ,"NAME":{"COLUMN":[…],…} */
static int put_table(struct writing *page, const char *name, const struct column *columns,
                     size_t count, struct sonde_err *err)
{
    struct sonde_buf *buf = &page->output->piece;
    sonde_buf_printf(buf, ",\"%s\":{", name);
    for (const struct column *column = columns; column->name; column++) {
        sonde_buf_printf(buf, "%s\"%s\":[", column == columns ? "" : ",", column->name);
        for (size_t i = 0; i < count; i++) {
            sonde_buf_text(buf, i ? "," : "");
            put_number(buf, column->value(page, i));
            int r = sonde_output_flush(page->output, false, err);
            if (r < 0) {
                return r;
            }
        }
        sonde_buf_char(buf, ']');
    }
    sonde_buf_char(buf, '}');
    return page->code ? sonde_fail(err, page->code, 0, "the page: too many names, or no memory")
                      : 0;
}

/* ---- a capture ---- */

static int put_texts(struct writing *page, struct sonde_err *err)
{
    struct sonde_buf *buf = &page->output->piece;
    sonde_buf_text(buf, ",\"strings\":[");
    for (size_t i = 0; i < page->text_count; i++) {
        sonde_buf_text(buf, i ? "," : "");
        sonde_buf_json_string(buf, page->texts[i]);
        int r = sonde_output_flush(page->output, false, err);
        if (r < 0) {
            return r;
        }
    }
    sonde_buf_text(buf, "],\"categories\":[");
    for (int i = 0; i < SONDE_CATEGORY_COUNT; i++) {
        sonde_buf_printf(buf, "%s\"%s\"", i ? "," : "",
                         sonde_category_name((enum sonde_category)i));
    }
    sonde_buf_char(buf, ']');
    return 0;
}

/* One by one: a piece of output is small. Returns their number. */
static int put_lines(struct sonde_output *output, struct sonde_str text, struct sonde_err *err)
{
    int count = 0;
    sonde_buf_text(&output->piece, "\"lines\":[");
    do {
        sonde_buf_text(&output->piece, count ? "," : "");
        struct sonde_str line = sonde_str_split(&text, '\n');
        line.length -= sonde_str_ends(line, "\r") ? 1 : 0;
        sonde_buf_json_string(&output->piece, sonde_profile_cut(line));
        int r = sonde_output_flush(output, false, err);
        if (r < 0) {
            return r;
        }
        count++;
    } while (text.length);
    sonde_buf_char(&output->piece, ']');
    return count;
}

static int put_source(struct writing *page, const struct sonde_page_source *source,
                      struct sonde_err *err)
{
    sonde_buf_printf(&page->output->piece, "{\"file\":%lld,\"first\":%d,",
                     (long long)intern(page, source->file), source->first);
    int r = put_lines(page->output, source->text, err);
    sonde_buf_char(&page->output->piece, '}');
    return r < 0 ? r : 0;
}

static int put_sources(struct writing *page, const struct sonde_page_capture *capture,
                       struct sonde_err *err)
{
    struct sonde_buf *buf = &page->output->piece;
    int r = 0;
    if (!capture || capture->source_count == 0) {
        return 0;
    }
    sonde_buf_text(buf, ",\"sources\":[");
    for (size_t i = 0; i < capture->source_count && r == 0; i++) {
        sonde_buf_text(buf, i ? "," : "");
        r = put_source(page, &capture->sources[i], err);
    }
    sonde_buf_char(buf, ']');
    return r;
}

static int put_columns(struct writing *page, const struct sonde_page_capture *sources,
                       struct sonde_err *err)
{
    const struct sonde_profile *profile = page->profile;
    int r = put_table(page, "frames", frame_columns, profile->frame_count, err);
    r = r < 0 ? r : put_table(page, "nodes", node_columns, profile->node_count, err);
    r = r < 0 ? r : put_table(page, "lines", line_columns, profile->line_count, err);
    if (r == 0 && !profile->unordered) {
        r = put_table(page, "samples", sample_columns, profile->sample_count, err);
    }
    r = r < 0 ? r : put_sources(page, sources, err);
    return r < 0 ? r : put_texts(page, err);
}

/* `at`: its place in its report's captures. */
static int put_capture(const struct sonde_report_capture *capture, size_t at, bool before,
                       const struct sonde_page_capture *sources, struct sonde_output *output,
                       struct sonde_err *err)
{
    struct writing page = {
        .profile = capture->profile, .output = output, .index = SONDE_MAP(SONDE_PAGE_TEXTS_MAX)};
    bool bytes = page.profile->unit == SONDE_PROFILE_BYTES;
    sonde_buf_text(&output->piece, bytes ? "{\"kind\":\"allocation\",\"unit\":\"bytes\",\"name\":"
                                         : "{\"kind\":\"cpu\",\"unit\":\"microseconds\",\"name\":");
    sonde_buf_json_string(&output->piece, sonde_str(capture->name));
    sonde_buf_printf(&output->piece, ",\"at\":%zu%s", at, before ? ",\"before\":true" : "");
    int r = put_columns(&page, sources, err);
    sonde_buf_char(&output->piece, '}');
    sonde_map_fini(&page.index);
    free(page.texts);
    return r;
}

static int put_json(struct sonde_str text, struct sonde_output *output, struct sonde_err *err)
{
    int r = 0;
    for (size_t at = 0; at < text.length && r == 0;) {
        size_t left = text.length - at;
        size_t taken = left < SONDE_OUTPUT_PIECE ? left : SONDE_OUTPUT_PIECE;
        sonde_buf_append(&output->piece, text.data + at, taken);
        r = sonde_output_flush(output, false, err);
        at += taken;
    }
    return r;
}

static int put_report(const struct sonde_report *report, struct sonde_output *output,
                      struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PAGE_REPORT_MAX);
    sonde_report_json(report, &text);
    int r = sonde_buf_check(&text, "the report", err);
    return r < 0 ? r : put_json(sonde_buf_view(&text), output, err);
}

/* How many of the captures before it have a tree: its place among those. */
static size_t tree_index(const struct sonde_report *report, size_t capture)
{
    size_t count = 0;
    for (size_t i = 0; i < capture; i++) {
        count += report->captures[i].profile != NULL;
    }
    return count;
}

static int put_captures(const struct sonde_page *page, bool before, struct sonde_output *output,
                        struct sonde_err *err)
{
    const struct sonde_report *report = before ? page->before : page->report;
    const struct sonde_page_capture *captures = before ? page->before_captures : page->captures;
    bool any = before && tree_index(page->report, page->report->capture_count) > 0;
    int r = 0;
    for (size_t i = 0; i < report->capture_count && r == 0; i++) {
        if (report->captures[i].profile) {
            sonde_buf_text(&output->piece, any ? "," : "");
            any = true;
            r = put_capture(&report->captures[i], i, before, captures ? &captures[i] : NULL, output,
                            err);
        }
    }
    return r;
}

/* ,"NAME":[…]: how often the lines ran; -1: they have no code. */
static int put_marks(struct sonde_output *output, const char *name,
                     const struct sonde_coverage_mark *marks, int count, struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    int r = 0;
    sonde_buf_printf(buf, ",\"%s\":[", name);
    for (int i = 0; i < count && r == 0; i++) {
        uint64_t runs = strcmp(name, "least") == 0 ? marks[i].least : marks[i].most;
        sonde_buf_text(buf, i ? "," : "");
        put_number(buf, marks[i].has_code ? (int64_t)runs : -1);
        r = sonde_output_flush(output, false, err);
    }
    sonde_buf_char(buf, ']');
    return r;
}

static int put_covered_source(const struct sonde_page_source *source, struct sonde_output *output,
                              struct sonde_err *err)
{
    sonde_buf_text(&output->piece, "{\"file\":");
    sonde_buf_json_string(&output->piece, source->file);
    sonde_buf_printf(&output->piece, ",\"first\":%d,", source->first);
    int count = put_lines(output, source->text, err);
    int r = count < 0 ? count : put_marks(output, "least", source->marks, count, err);
    r = r < 0 ? r : put_marks(output, "most", source->marks, count, err);
    sonde_buf_char(&output->piece, '}');
    return r;
}

/* What the report's JSON has not got of captures of coverage: the sources. */
static int put_coverage(const struct sonde_page *page, struct sonde_output *output,
                        struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    bool any = false;
    int r = 0;
    sonde_buf_text(buf, ",\"coverage\":[");
    for (size_t i = 0; i < page->report->capture_count && r == 0; i++) {
        const struct sonde_page_capture *own = page->captures ? &page->captures[i] : NULL;
        if (page->report->captures[i].profile) {
            continue;
        }
        sonde_buf_printf(buf, "%s{\"at\":%zu,\"sources\":[", any ? "," : "", i);
        any = true;
        for (size_t k = 0; own && k < own->source_count && r == 0; k++) {
            sonde_buf_text(buf, k ? "," : "");
            r = put_covered_source(&own->sources[k], output, err);
        }
        sonde_buf_text(buf, "]}");
    }
    sonde_buf_char(buf, ']');
    return r;
}

/* What has no tree is shown as its text; the report's JSON has it behind the captures. */
static int put_parts(const struct sonde_report *report, struct sonde_output *output,
                     struct sonde_err *err)
{
    int r = 0;
    sonde_buf_text(&output->piece, ",\"parts\":[");
    for (size_t i = 0; i < report->part_count && r == 0; i++) {
        const struct sonde_report_part *part = &report->parts[i];
        SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PAGE_REPORT_MAX);
        sonde_buf_printf(&text, "%s{\"at\":%zu,\"name\":", i ? "," : "", report->capture_count + i);
        sonde_buf_json_string(&text, sonde_str(part->name));
        sonde_buf_text(&text, ",\"type\":");
        sonde_buf_json_string(&text, sonde_str(part->type));
        sonde_buf_text(&text, ",\"text\":");
        sonde_buf_json_string(&text, part->text);
        sonde_buf_char(&text, '}');
        r = sonde_buf_check(&text, "the report", err);
        r = r < 0 ? r : put_json(sonde_buf_view(&text), output, err);
    }
    sonde_buf_char(&output->piece, ']');
    return r;
}

static bool is_alike(const struct sonde_report_capture *left,
                     const struct sonde_report_capture *right)
{
    return left->profile && right->profile ? left->profile->unit == right->profile->unit
                                           : !left->profile && !right->profile;
}

static size_t count_alike(const struct sonde_report *report,
                          const struct sonde_report_capture *capture)
{
    size_t count = 0;
    for (size_t i = 0; i < report->capture_count; i++) {
        count += is_alike(&report->captures[i], capture);
    }
    return count;
}

bool sonde_page_partner(const struct sonde_report *before, const struct sonde_report *report,
                        size_t capture, size_t *ret)
{
    const struct sonde_report_capture *own = &report->captures[capture];
    bool single = count_alike(report, own) == 1 && count_alike(before, own) == 1;
    for (size_t i = 0; i < before->capture_count; i++) {
        const struct sonde_report_capture *other = &before->captures[i];
        if (is_alike(other, own) && (single || strcmp(other->name, own->name) == 0)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* Which captures belong together: trees by their places in "captures", coverage by those in the
 * reports. */
static int put_pairs(const struct sonde_page *page, const char *name, bool trees,
                     struct sonde_output *output, struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    size_t own_trees = tree_index(page->report, page->report->capture_count);
    bool first = true;
    int r = 0;
    sonde_buf_printf(buf, "\"%s\":[", name);
    for (size_t i = 0; i < page->report->capture_count && r == 0; i++) {
        size_t partner;
        if ((page->report->captures[i].profile != NULL) != trees ||
            !sonde_page_partner(page->before, page->report, i, &partner)) {
            continue;
        }
        sonde_buf_printf(buf, "%s{\"before\":%zu,\"after\":%zu", first ? "" : ",",
                         trees ? own_trees + tree_index(page->before, partner) : partner,
                         trees ? tree_index(page->report, i) : i);
        first = false;
        if (page->changes && page->changes[i].length) {
            sonde_buf_text(buf, ",\"changes\":");
            r = put_json(page->changes[i], output, err);
        }
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
    return r;
}

static int put_comparison(const struct sonde_page *page, struct sonde_output *output,
                          struct sonde_err *err)
{
    sonde_buf_text(&output->piece, ",\"comparison\":{");
    int r = put_pairs(page, "pairs", true, output, err);
    sonde_buf_char(&output->piece, ',');
    r = r < 0 ? r : put_pairs(page, "coverage", false, output, err);
    sonde_buf_char(&output->piece, '}');
    return r;
}

int sonde_page_data(const struct sonde_page *page, struct sonde_output *output,
                    struct sonde_err *err)
{
    sonde_buf_text(&output->piece, "{\"version\":1,\"report\":");
    int r = put_report(page->report, output, err);
    if (r == 0 && page->before) {
        sonde_buf_text(&output->piece, ",\"before\":");
        r = put_report(page->before, output, err);
    }
    sonde_buf_text(&output->piece, ",\"captures\":[");
    r = r < 0 ? r : put_captures(page, false, output, err);
    r = r < 0 || !page->before ? r : put_captures(page, true, output, err);
    sonde_buf_char(&output->piece, ']');
    r = r < 0 ? r : put_coverage(page, output, err);
    r = r < 0 ? r : put_parts(page->report, output, err);
    if (r == 0 && page->before) {
        r = put_comparison(page, output, err);
    }
    sonde_buf_char(&output->piece, '}');
    return r < 0 ? r : sonde_output_flush(output, true, err);
}
