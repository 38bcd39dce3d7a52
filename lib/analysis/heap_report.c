/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/allocations.h"
#include "analysis/cell.h"
#include "analysis/heap.h"
#include "analysis/report.h"

enum { NAME_WIDTH = 44, PATH_WIDTH = 78, HELD_WIDTH = 58, PATH_ROWS = 50 };

static double share_of(const struct sonde_heap_analysis *a, uint64_t bytes)
{
    return a->heap->total_size ? (double)bytes / (double)a->heap->total_size : 0;
}

/* ---- text ---- */

static void put_name(struct sonde_buf *buf, struct sonde_str name)
{
    sonde_cell_put(buf, name, NAME_WIDTH, false);
    sonde_cell_end_line(buf);
}

/* Of a long path the end tells more. */
static void put_path(struct sonde_buf *buf, const char *path, size_t width)
{
    sonde_cell_put(buf, sonde_str(path), width, true);
    sonde_cell_end_line(buf);
}

static void put_biggest(const struct sonde_heap_analysis *a, struct sonde_buf *buf)
{
    if (a->biggest_count) {
        sonde_buf_text(buf, "\nwhere memory gathers\n  retained  of heap  path\n");
    }
    for (size_t i = 0; i < a->biggest_count; i++) {
        char bytes[SONDE_BYTES_SIZE];
        sonde_buf_printf(buf, "  %8s  %5.1f %%  ",
                         sonde_bytes_say((int64_t)a->biggest[i].retained, bytes),
                         100 * share_of(a, a->biggest[i].retained));
        put_path(buf, a->biggest[i].path, PATH_WIDTH);
    }
}

static void put_classes(const struct sonde_heap_analysis *a, struct sonde_buf *buf)
{
    sonde_buf_text(buf, "\nby class\n  retained   shallow     count  class\n");
    for (uint32_t i = 0; i < a->classes.count && i < SONDE_HEAP_ROWS; i++) {
        const struct sonde_heap_class *class = &a->classes.rows[i];
        char retained[SONDE_BYTES_SIZE];
        char shallow[SONDE_BYTES_SIZE];
        if (class->count) {
            sonde_buf_printf(buf, "  %8s  %8s  %8u  ",
                             sonde_bytes_say((int64_t)class->retained, retained),
                             sonde_bytes_say((int64_t)class->shallow, shallow), class->count);
            put_name(buf, class->name);
        }
    }
}

static void put_delta(struct sonde_buf *buf, int64_t bytes)
{
    char text[SONDE_BYTES_SIZE];
    char signed_text[SONDE_BYTES_SIZE + 1];
    (void)snprintf(signed_text, sizeof(signed_text), "%s%s",
                   bytes < 0   ? "-"
                   : bytes > 0 ? "+"
                               : "",
                   sonde_bytes_say(bytes < 0 ? -bytes : bytes, text));
    sonde_buf_printf(buf, "  %9s", signed_text);
}

static void put_growth(const struct sonde_heap_analysis *a, struct sonde_buf *buf)
{
    bool any = false;
    if (a->growth->numbered_anew) {
        sonde_buf_text(buf, "\nV8 has numbered the objects anew between the two: new and freed are "
                            "differences of\ncounts, and paths are those of typical objects, old "
                            "or new\n");
    }
    sonde_buf_text(buf, "\ngrowth by class\n    shallow   retained       new     freed  class\n");
    for (uint32_t i = 0; i < a->growth->count && i < SONDE_HEAP_ROWS; i++) {
        const struct sonde_heap_growth_row *row = &a->growth->rows[i];
        if (row->size_delta <= 0) {
            break;
        }
        any = true;
        put_delta(buf, row->size_delta);
        put_delta(buf, row->retained_delta);
        sonde_buf_printf(buf, "  %8u  %8u  ", row->added, row->freed);
        put_name(buf, row->name);
    }
    sonde_buf_text(buf, any ? "" : "  none\n");
}

static void put_suspects(const struct sonde_heap_analysis *a, struct sonde_buf *buf)
{
    if (a->growth->suspect_count) {
        sonde_buf_text(buf, a->growth->numbered_anew
                                ? "\nwhat may leak, and what holds a typical one\n"
                                : "\nwhat may leak, and what holds a typical new one\n");
        sonde_buf_text(buf, "   retained   objects  of these held so  path\n");
    }
    for (uint32_t i = 0; i < a->growth->suspect_count; i++) {
        const struct sonde_heap_growth_row *row = &a->growth->rows[a->growth->suspects[i]];
        char alike[32];
        (void)snprintf(alike, sizeof(alike), "%u of %u", row->alike, row->sampled);
        put_delta(buf, row->retained_delta);
        sonde_buf_printf(buf, "  %+8lld  %16s  ", (long long)row->after - (long long)row->before,
                         alike);
        put_path(buf, a->suspect_paths[i], HELD_WIDTH);
    }
}

void sonde_heap_report_text(const struct sonde_heap_analysis *analysis, struct sonde_buf *buf)
{
    char bytes[SONDE_BYTES_SIZE];
    sonde_buf_printf(buf, "heap of %s: %u objects, %u references\n",
                     sonde_bytes_say((int64_t)analysis->heap->total_size, bytes),
                     analysis->heap->node_count, analysis->heap->edge_count);
    sonde_findings_text(analysis->findings, analysis->finding_count, "", buf);
    put_biggest(analysis, buf);
    put_classes(analysis, buf);
    if (analysis->growth) {
        sonde_heap_growth_text(analysis, buf);
    }
}

void sonde_heap_growth_text(const struct sonde_heap_analysis *analysis, struct sonde_buf *buf)
{
    put_growth(analysis, buf);
    put_suspects(analysis, buf);
}

/* ---- JSON ---- */

static void json_text(struct sonde_buf *buf, const char *name, struct sonde_str value)
{
    sonde_buf_printf(buf, "\"%s\":", name);
    sonde_buf_json_string(buf, value);
}

static void json_path(const struct sonde_heap_analysis *a, uint32_t node, struct sonde_buf *buf)
{
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_HEAP_PATH_TEXT_MAX);
    sonde_heap_path_text(a->heap, &a->paths, node, &path);
    sonde_buf_char(buf, ',');
    json_text(buf, "path", sonde_buf_view(&path));
    buf->code = buf->code ? buf->code : path.code;
}

static void json_findings(const struct sonde_heap_analysis *a, struct sonde_buf *buf)
{
    sonde_buf_text(buf, ",\"findings\":[");
    sonde_findings_json(a->findings, a->finding_count, buf);
    sonde_buf_char(buf, ']');
}

static void json_biggest(const struct sonde_heap_analysis *a, struct sonde_buf *buf)
{
    sonde_buf_text(buf, ",\"biggest\":[");
    for (size_t i = 0; i < a->biggest_count; i++) {
        const struct sonde_heap_gathering *one = &a->biggest[i];
        sonde_buf_text(buf, i ? ",{" : "{");
        json_text(buf, "class", sonde_heap_class_name(a->heap, one->node));
        sonde_buf_printf(buf,
                         ",\"id\":%u,\"retainedBytes\":%llu,\"heapShare\":%.6g,\"dominated\":%u,",
                         a->heap->ids[one->node], (unsigned long long)one->retained,
                         share_of(a, one->retained), one->children);
        json_text(buf, "path", sonde_str(one->path));
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
}

static void json_classes(const struct sonde_heap_analysis *a, struct sonde_buf *buf)
{
    sonde_buf_text(buf, ",\"classes\":[");
    bool first = true;
    for (uint32_t i = 0; i < a->classes.count && i < SONDE_HEAP_CLASSES_SHOWN; i++) {
        const struct sonde_heap_class *class = &a->classes.rows[i];
        if (class->count == 0) {
            continue;
        }
        sonde_buf_text(buf, first ? "{" : ",{");
        first = false;
        json_text(buf, "name", class->name);
        sonde_buf_printf(buf, ",\"count\":%u,\"shallowBytes\":%llu,\"retainedBytes\":%llu",
                         class->count, (unsigned long long)class->shallow,
                         (unsigned long long)class->retained);
        if (i < PATH_ROWS) {
            json_path(a, class->largest, buf);
        }
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
}

/* For a tree map: each row names the row that dominates it, by its place in the list. */
static void json_tree(const struct sonde_heap_analysis *a, struct sonde_buf *buf)
{
    sonde_buf_text(buf, ",\"tree\":[");
    for (size_t i = 0; i < a->top_count; i++) {
        const struct sonde_heap_top *row = &a->top[i];
        sonde_buf_text(buf, i ? ",{" : "{");
        json_text(buf, "class", sonde_heap_class_name(a->heap, row->node));
        sonde_buf_char(buf, ',');
        json_text(buf, "name", sonde_heap_node_name(a->heap, row->node));
        sonde_buf_printf(buf,
                         ",\"id\":%u,\"parent\":%u,\"retainedBytes\":%llu,\"shallowBytes\":%llu}",
                         a->heap->ids[row->node], row->parent, (unsigned long long)row->retained,
                         (unsigned long long)sonde_heap_size(a->heap, row->node));
    }
    sonde_buf_char(buf, ']');
}

static void json_duplicates(const struct sonde_heap_analysis *a, struct sonde_buf *buf)
{
    sonde_buf_text(buf, ",\"duplicateStrings\":[");
    for (size_t i = 0; i < a->heap->duplicate_count; i++) {
        const struct sonde_heap_duplicate *one = &a->heap->duplicates[i];
        sonde_buf_printf(buf, "%s{\"count\":%u,\"wastedBytes\":%llu,", i ? "," : "", one->count,
                         (unsigned long long)one->wasted);
        json_text(buf, "text", sonde_heap_node_name(a->heap, one->node));
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
}

static void json_growth_row(const struct sonde_heap_growth_row *row, struct sonde_buf *buf)
{
    json_text(buf, "name", row->name);
    sonde_buf_printf(buf,
                     ",\"before\":%u,\"after\":%u,\"added\":%u,\"freed\":%u,\"addedBytes\":%llu,"
                     "\"freedBytes\":%llu,\"shallowGrowthBytes\":%lld,\"retainedGrowthBytes\":%lld",
                     row->before, row->after, row->added, row->freed,
                     (unsigned long long)row->added_size, (unsigned long long)row->freed_size,
                     (long long)row->size_delta, (long long)row->retained_delta);
}

static void json_growth(const struct sonde_heap_analysis *a, struct sonde_buf *buf)
{
    const struct sonde_heap_growth *growth = a->growth;
    if (!growth) {
        return;
    }
    sonde_buf_printf(buf, ",\"numberedAnew\":%s,\"growth\":[",
                     growth->numbered_anew ? "true" : "false");
    bool first = true;
    for (uint32_t i = 0; i < growth->count; i++) {
        const struct sonde_heap_growth_row *row = &growth->rows[i];
        bool shown = i < SONDE_HEAP_CLASSES_SHOWN || i + SONDE_HEAP_CLASSES_SHOWN >= growth->count;
        if (shown && (row->added || row->freed || row->size_delta)) {
            sonde_buf_text(buf, first ? "{" : ",{");
            first = false;
            json_growth_row(row, buf);
            sonde_buf_char(buf, '}');
        }
    }
    sonde_buf_text(buf, "],\"suspects\":[");
    for (uint32_t i = 0; i < growth->suspect_count; i++) {
        const struct sonde_heap_growth_row *row = &growth->rows[growth->suspects[i]];
        sonde_buf_text(buf, i ? ",{" : "{");
        json_growth_row(row, buf);
        sonde_buf_printf(buf, ",\"sampled\":%u,\"heldAlike\":%u,", row->sampled, row->alike);
        json_text(buf, "path", sonde_str(a->suspect_paths[i]));
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
}

void sonde_heap_report_json(const struct sonde_heap_analysis *analysis, struct sonde_buf *buf)
{
    const struct sonde_heap *heap = analysis->heap;
    sonde_buf_printf(buf,
                     ",\"nodes\":%u,\"edges\":%u,\"totalBytes\":%llu,\"extraNativeBytes\":%llu,"
                     "\"detachedNodes\":%u,\"detachedBytes\":%llu",
                     heap->node_count, heap->edge_count, (unsigned long long)heap->total_size,
                     (unsigned long long)heap->extra_native_bytes, analysis->detached_count,
                     (unsigned long long)analysis->detached_size);
    json_findings(analysis, buf);
    json_biggest(analysis, buf);
    json_classes(analysis, buf);
    json_tree(analysis, buf);
    json_duplicates(analysis, buf);
    json_growth(analysis, buf);
}
