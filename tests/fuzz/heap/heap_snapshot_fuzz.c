/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a heap snapshot or two (a NUL byte parts them), read in pieces, analyzed, compared
 * and reported. Sizes must add up, and indexes be in range. */
#include <stdlib.h>

#include "analysis/heap.h"
#include "codec/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static int read_snapshot(struct sonde_heap *heap, struct sonde_str text, size_t step,
                         uint64_t bytes_max)
{
    struct sonde_err err = {0};
    struct sonde_heap_reader *reader;
    must(sonde_heap_reader_new(heap, &reader, &err) == 0);
    sonde_heap_reader_bound(reader, bytes_max, false, 0);
    int r = 0;
    for (size_t at = 0; at < text.length && r == 0; at += step) {
        size_t left = text.length - at;
        r = sonde_heap_feed(reader, text.data + at, left < step ? left : step, &err);
    }
    r = r < 0 ? r : sonde_heap_finish(reader, &err);
    must(r == 0 || err.message[0]);
    sonde_heap_reader_free(reader);
    return r;
}

static void check(const struct sonde_heap_analysis *a)
{
    const struct sonde_heap *heap = a->heap;
    uint64_t sum = 0;
    uint64_t counted = 0;
    for (uint32_t node = 0; node < heap->node_count; node++) {
        sum += sonde_heap_size(heap, node);
        must(a->tree.dominators[node] < heap->node_count);
        must(a->tree.retained[node] <= a->tree.retained[a->tree.dominators[node]]);
        must(a->classes.of[node] < a->classes.count);
        must(a->paths.via[node] == SONDE_HEAP_NONE || a->paths.via[node] < heap->edge_count);
    }
    must(sum == heap->total_size && sum == a->tree.retained[heap->root]);
    for (uint32_t i = 0; i < a->classes.count; i++) {
        counted += a->classes.rows[i].shallow;
        must(a->classes.rows[i].retained >= a->classes.rows[i].shallow ||
             a->classes.rows[i].count == 0);
        must(a->classes.rows[i].retained <= sum);
    }
    must(counted == sum);
    must(a->top_count > 0 && a->top[0].node == heap->root && a->finding_count > 0);
}

static void report(const struct sonde_heap_analysis *a)
{
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 20);
    SONDE_BUF_AUTO json = SONDE_BUF(64 << 20);
    sonde_heap_report_text(a, &text);
    sonde_buf_text(&json, "{\"type\":\"HeapSnapshot\"");
    sonde_heap_report_json(a, &json);
    sonde_buf_char(&json, '}');
    must(text.code == 0 && json.code == 0);
    must(sonde_json_check(sonde_buf_view(&json),
                          (struct sonde_json_limits){.depth = 8, .string = 1 << 20}, NULL) == 0);
}

static void compare(const struct sonde_heap_census *before, struct sonde_heap_analysis *a)
{
    struct sonde_heap_census after;
    struct sonde_heap_growth growth;
    must(sonde_heap_census_take(a->heap, &a->classes, &after, NULL) == 0);
    must(sonde_heap_compare(before, &after, a->heap, &a->classes, &a->paths, &growth, NULL) == 0);
    must(sonde_heap_analysis_add_growth(a, &growth, NULL) == 0);
    for (uint32_t i = 0; i < growth.count; i++) {
        const struct sonde_heap_growth_row *row = &growth.rows[i];
        must(row->after - row->before == row->added - row->freed);
    }
    report(a);
    sonde_heap_growth_fini(&growth);
    sonde_heap_census_fini(&after);
}

/* With little memory it is refused or read all the same. */
static void read_with_little(struct sonde_str text, size_t step, int unbounded)
{
    struct sonde_heap heap = {0};
    int r = read_snapshot(&heap, text, step, sonde_heap_memory(4, 4, false) + step);
    must(r == SONDE_ELIMIT || r == unbounded);
    must(r < 0 || heap.node_count * 41 + heap.edge_count * 12 <= 4 * 41 + 4 * 12 + step);
    sonde_heap_fini(&heap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_str rest = {(const char *)data, size};
    size_t step = size ? 1 + data[size / 2] : 1;
    struct sonde_heap_census before = {0};
    for (int i = 0; i < 2 && rest.data; i++) {
        struct sonde_heap heap = {0};
        struct sonde_heap_analysis a;
        struct sonde_str text = sonde_str_split(&rest, '\0');
        int r = read_snapshot(&heap, text, step, UINT64_MAX);
        read_with_little(text, step, r);
        if (r == 0 && sonde_heap_analyze(&heap, &a, NULL) == 0) {
            check(&a);
            report(&a);
            if (i == 0) {
                must(sonde_heap_census_take(&heap, &a.classes, &before, NULL) == 0);
                must(sonde_heap_census_keep_classes(&before, &a.classes, NULL) == 0);
            } else {
                compare(&before, &a);
            }
            sonde_heap_analysis_fini(&a);
        }
        sonde_heap_fini(&heap);
    }
    sonde_heap_census_fini(&before);
    return 0;
}
