/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/heap.h"
#include "base/map.h"
#include "fail.h"

/* A root, a global object with a Map whose table holds an entry and a string twice; what nothing
 * holds; a pair of a WeakMap; an array of 5 GiB. `more` stands for entries that only the later
 * snapshot has. */
#define SNAPSHOT(counts, more_nodes, table_edges, more_edges)                                      \
    "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\","            \
    "\"edge_count\"],\"node_types\":[[\"synthetic\",\"object\",\"array\",\"string\"]],"            \
    "\"edge_fields\":[\"type\",\"name_or_index\",\"to_node\"],\"edge_types\":[[\"element\","       \
    "\"property\",\"internal\",\"shortcut\",\"weak\"]]}," counts "},\"nodes\":["                   \
    "0,0,1,0,1,1,1,3,10,1,1,2,5,16,1,2,0,7,100," table_edges                                       \
    ",1,3,9,2000000,1,3,4,11,1000000,0,3,4,13,1000000,0,1,5,15,8,1,2,6,17,5368709120,0" more_nodes \
    "],\"edges\":[3,0,5,1,7,10,2,8,15,0,0,20,0,1,25,0,2,30,0,3,40" more_edges                      \
    ",2,9,35,4,0,0],\"strings\":[\"\",\"global\",\"Map\",\"Entry\",\"twice\",\"Lost\",\"big\","    \
    "\"map\",\"table\",\"1 / part of key (Entry @9) -> value (Lost @15) pair in WeakMap "          \
    "(table @7)\",\"\\u00e4\"]}"

static const char earlier[] = SNAPSHOT("\"node_count\":9,\"edge_count\":9", "", "4", "");
static const char later[] =
    SNAPSHOT("\"node_count\":10,\"edge_count\":10", ",1,3,19,2000000,0", "5", ",0,4,45");

struct expected {
    uint64_t text, json; /* hashes, once known */
};

static int read_snapshot(const char *text, struct sonde_heap *heap)
{
    struct sonde_heap_reader *reader;
    int code = sonde_heap_reader_new(heap, &reader, NULL);
    if (code < 0) {
        return code;
    }
    size_t length = strlen(text);
    for (size_t at = 0; at < length && code == 0; at += 100) {
        code = sonde_heap_feed(reader, text + at, length - at < 100 ? length - at : 100, NULL);
    }
    code = code ? code : sonde_heap_finish(reader, NULL);
    sonde_heap_reader_free(reader);
    return code;
}

/* Success must be whole: a report that lacks a word because of a failure is wrong. */
static void assert_whole(const struct sonde_buf *text, uint64_t *hash)
{
    uint64_t now = sonde_hash(sonde_buf_view(text));
    assert_true(*hash == 0 || *hash == now);
    *hash = now;
}

static int take_earlier(struct sonde_heap_census *census)
{
    struct sonde_heap heap = {0};
    struct sonde_heap_analysis analysis;
    int code = read_snapshot(earlier, &heap);
    code = code ? code : sonde_heap_analyze(&heap, &analysis, NULL);
    if (code == 0) {
        code = sonde_heap_census_take(&heap, &analysis.classes, census, NULL);
        code = code ? code : sonde_heap_census_keep_classes(census, &analysis.classes, NULL);
        sonde_heap_analysis_fini(&analysis);
    }
    sonde_heap_fini(&heap);
    return code;
}

static int report(struct sonde_heap_analysis *analysis, const struct sonde_heap_census *before,
                  struct expected *e)
{
    struct sonde_heap_census after = {0};
    struct sonde_heap_growth growth = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 20);
    int code = sonde_heap_census_take(analysis->heap, &analysis->classes, &after, NULL);
    code = code ? code
                : sonde_heap_compare(before, &after, analysis->heap, &analysis->classes,
                                     &analysis->paths, &growth, NULL);
    code = code ? code : sonde_heap_analysis_add_growth(analysis, &growth, NULL);
    if (code == 0) {
        sonde_heap_report_text(analysis, &text);
        sonde_heap_report_json(analysis, &json);
        code = text.code ? text.code : json.code;
    }
    if (code == 0) {
        assert_int_equal(growth.suspect_count, 1);
        assert_whole(&text, &e->text);
        assert_whole(&json, &e->json);
    }
    sonde_heap_growth_fini(&growth);
    sonde_heap_census_fini(&after);
    return code;
}

static int analyze_and_report(void *context)
{
    struct sonde_heap_census before = {0};
    struct sonde_heap heap = {0};
    struct sonde_heap_analysis analysis;
    int code = take_earlier(&before);
    code = code ? code : read_snapshot(later, &heap);
    code = code ? code : sonde_heap_analyze(&heap, &analysis, NULL);
    if (code == 0) {
        code = report(&analysis, &before, context);
        sonde_heap_analysis_fini(&analysis);
    }
    sonde_heap_fini(&heap);
    sonde_heap_census_fini(&before);
    return code;
}

static void no_allocation_is_taken_for_granted(void **state)
{
    (void)state;
    struct expected e = {0};
    fail_each_allocation(analyze_and_report, &e);
    assert_true(e.text && e.json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_allocation_is_taken_for_granted),
    };
    return cmocka_run_group_tests_name("heap_fault", tests, NULL, NULL);
}
