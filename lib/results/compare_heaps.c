/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "analysis/allocations.h"
#include "analysis/cell.h"
#include "analysis/report.h"
#include "results/compare.h"
#include "results/matches.h"
#include "results/snapshots.h"

enum { TEXT_MAX = 1 << 20 };

/* One of the two, as a reader is told of it. */
struct side {
    const char *word; /* "before" */
    const char *uid;
    char name[SONDE_DB_NAME_MAX + 1];
    struct sonde_results_snapshot snapshot;
    uint64_t nodes, bytes;
};

static int find(struct sonde_db *db, const char *capture, struct side *side, struct sonde_err *err)
{
    int r = sonde_results_run_name(db, side->uid, side->name, err);
    r = r < 0 ? r : sonde_results_snapshot_find(db, side->uid, capture, &side->snapshot, err);
    return r < 0 ? sonde_err_wrap(err, r, "%.64s", side->name[0] ? side->name : side->uid) : 0;
}

/* V8 numbers objects within a process. Of runs of one process nothing is known about which. */
static bool are_two_processes(const struct side sides[SONDE_SIDES])
{
    const char *before = sides[SONDE_BEFORE].snapshot.process;
    const char *after = sides[SONDE_AFTER].snapshot.process;
    return before[0] && after[0] && strcmp(before, after) != 0;
}

/* ---- text ---- */

static void put_side(const struct side *side, struct sonde_buf *buf)
{
    char bytes[SONDE_BYTES_SIZE];
    sonde_buf_printf(buf, "%-6s  %.8s  ", side->word, side->uid);
    sonde_cell_clean(buf, sonde_str(side->name));
    sonde_buf_text(buf, "  ");
    sonde_cell_clean(buf, sonde_str(side->snapshot.capture));
    sonde_buf_printf(buf, ": heap of %s, %llu objects\n",
                     sonde_bytes_say((int64_t)side->bytes, bytes), (unsigned long long)side->nodes);
}

/* Those that only a comparison has: the others stand in the report. */
static void put_findings(const struct sonde_heap_analysis *a, struct sonde_buf *buf)
{
    bool any = false;
    for (size_t i = 0; i < a->finding_count; i++) {
        if (strcmp(a->findings[i].kind, SONDE_HEAP_GROWING_CLASS) == 0) {
            sonde_findings_text(&a->findings[i], 1, "", buf);
            any = true;
        }
    }
    sonde_buf_text(buf, any ? ""
                            : "  * no class of yours grew in count and by 16 kB in what it "
                              "keeps alive\n");
}

static void put_text(const struct side sides[SONDE_SIDES], const struct sonde_results_heap *heap,
                     struct sonde_buf *buf)
{
    SONDE_BUF_AUTO text = SONDE_BUF(TEXT_MAX);
    int64_t more = (int64_t)sides[SONDE_AFTER].bytes - (int64_t)sides[SONDE_BEFORE].bytes;
    char bytes[SONDE_BYTES_SIZE];
    put_side(&sides[SONDE_BEFORE], &text);
    put_side(&sides[SONDE_AFTER], &text);
    sonde_buf_printf(&text, "%s %s\n", sonde_bytes_say(more < 0 ? -more : more, bytes),
                     more < 0 ? "less" : "more");
    if (are_two_processes(sides)) {
        sonde_buf_text(&text, "of two processes: sizes and counts can be compared, but which "
                              "objects are new is only known within one process\n");
    }
    sonde_buf_char(&text, '\n');
    put_findings(&heap->analysis, &text);
    sonde_heap_growth_text(&heap->analysis, &text);
    sonde_report_wrap(sonde_buf_view(&text), buf);
    buf->code = buf->code ? buf->code : text.code;
}

/* ---- JSON ---- */

static void json_text(struct sonde_buf *buf, const char *name, const char *value)
{
    sonde_buf_printf(buf, ",\"%s\":", name);
    sonde_buf_json_string(buf, sonde_str(value));
}

static void json_side(const struct side *side, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, ",\"%s\":{\"nodes\":%llu,\"totalBytes\":%llu", side->word,
                     (unsigned long long)side->nodes, (unsigned long long)side->bytes);
    json_text(buf, "uid", side->uid);
    json_text(buf, "name", side->name);
    json_text(buf, "capture", side->snapshot.capture);
    json_text(buf, "process", side->snapshot.process);
    sonde_buf_char(buf, '}');
}

static void put_json(const struct side sides[SONDE_SIDES], const struct sonde_results_heap *heap,
                     struct sonde_buf *buf)
{
    sonde_buf_text(buf, "{\"type\":\"HeapSnapshot\"");
    json_side(&sides[SONDE_BEFORE], buf);
    json_side(&sides[SONDE_AFTER], buf);
    sonde_heap_report_json(&heap->analysis, buf);
    sonde_buf_text(buf, "}\n");
}

int sonde_results_compare_heaps(struct sonde_db *db, const struct sonde_results_pair *pair,
                                uint64_t heap_bytes_max, bool json, struct sonde_buf *buf,
                                struct sonde_err *err)
{
    struct side sides[SONDE_SIDES] = {{.word = "before", .uid = pair->uids[SONDE_BEFORE]},
                                      {.word = "after", .uid = pair->uids[SONDE_AFTER]}};
    struct sonde_results_heap heap = {0};
    int r = find(db, pair->captures[SONDE_BEFORE], &sides[SONDE_BEFORE], err);
    r = r < 0 ? r : find(db, pair->captures[SONDE_AFTER], &sides[SONDE_AFTER], err);
    r = r < 0 ? r
              : sonde_results_heap_open(db, &sides[SONDE_AFTER].snapshot,
                                        &sides[SONDE_BEFORE].snapshot, heap_bytes_max, &heap, err);
    if (r == 0) {
        sides[SONDE_BEFORE].nodes = heap.nodes_before;
        sides[SONDE_BEFORE].bytes = heap.bytes_before;
        sides[SONDE_AFTER].nodes = heap.heap.node_count;
        sides[SONDE_AFTER].bytes = heap.heap.total_size;
        (json ? put_json : put_text)(sides, &heap, buf);
        r = sonde_buf_check(buf, "the comparison", err);
    }
    sonde_results_heap_fini(&heap);
    return r;
}
