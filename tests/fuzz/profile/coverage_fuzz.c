/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as V8 coverage, read in pieces, analyzed and said; what is written reads back the same.
 */
#include "amounts.h"
#include "analysis/compare_coverage.h"
#include "analysis/coverage.h"

static int read_file(struct sonde_coverage *coverage, struct sonde_str text, size_t step)
{
    struct sonde_err err = {0};
    struct sonde_coverage_reader *reader;
    must(sonde_coverage_reader_new(coverage, &reader, &err) == 0);
    int r = 0;
    for (size_t at = 0; at < text.length && r == 0; at += step) {
        size_t left = text.length - at;
        r = sonde_coverage_feed(reader, text.data + at, left < step ? left : step, &err);
    }
    r = r < 0 ? r : sonde_coverage_finish(reader, &err);
    must(r == 0 || err.message[0]);
    sonde_coverage_reader_free(reader);
    return r;
}

/* The stretches of a function lie one behind the other, from its beginning to its end. */
static void check_functions(const struct sonde_coverage *c)
{
    for (size_t i = 0; i < c->function_count; i++) {
        const struct sonde_coverage_function *function = &c->functions[i];
        uint32_t at = function->start;
        must(function->script < c->script_count);
        for (uint32_t k = 0; k < function->segment_count; k++) {
            const struct sonde_coverage_segment *segment =
                &c->segments[function->first_segment + k];
            must(segment->start == at && segment->end > at);
            at = segment->end;
        }
        must(at == function->end || function->segment_count == 0);
        must(sonde_coverage_line(c, function->script, function->start) >= 0);
    }
}

/* Those of a script lie one behind the other, and a source map gives them places. */
static void check_stretches(struct sonde_coverage *c)
{
    static const char text[] = "{\"version\":3,\"sources\":[\"a.ts\"],\"names\":[\"n\"],"
                               "\"mappings\":\"AAAA,CAACA,EACA;AAAAA\"}";
    struct sonde_source_map *map = NULL;
    uint32_t *first = calloc(c->script_count + 1, sizeof(*first));
    uint32_t *next = calloc(c->function_count + 1, sizeof(*next));
    must(first && next && sonde_source_map_parse(sonde_str(text), &map, NULL) == 0);
    sonde_coverage_link(c, first, next);
    for (size_t i = 0; i < c->script_count; i++) {
        const struct sonde_coverage_script *script = &c->scripts[i];
        struct sonde_coverage_stretch *stretches = NULL;
        struct sonde_coverage_mapped mapped;
        size_t count = 0;
        must(sonde_coverage_stretches(c, first[i], next, &stretches, &count, NULL) == 0);
        for (size_t k = 0; k < count; k++) {
            must(stretches[k].start < stretches[k].end);
            must(k == 0 || stretches[k].start >= stretches[k - 1].end);
            must(c->functions[stretches[k].function].script == i);
        }
        must(sonde_coverage_add_lengths(c, script->url, (uint32_t[]){3, 9}, 2, NULL) == 0);
        must(sonde_coverage_apply_source_map(c, script->url, map, NULL) == 0);
        for (size_t at = 0;
             sonde_coverage_next_mapped(c, (uint32_t)i, map, stretches, count, &at, &mapped);) {
            must(mapped.source == 0 && mapped.line > 0);
        }
        free(stretches);
    }
    sonde_source_map_free(map);
    free(first);
    free(next);
}

static void compare(const struct sonde_coverage_analysis *analysis)
{
    const struct sonde_coverage_side side = {"1", "run", "coverage", "/app", analysis};
    struct sonde_coverage_comparison comparison;
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 20);
    must(sonde_coverage_compare(&side, &side, SIZE_MAX, &comparison, NULL) == 0);
    sonde_coverage_comparison_text(&comparison, &text);
    sonde_coverage_comparison_json(&comparison, &text);
    must(text.code == 0 && comparison.difference_count == 0);
    sonde_coverage_comparison_fini(&comparison);
}

static void analyze(const struct sonde_coverage *coverage)
{
    struct sonde_coverage_analysis analysis;
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 20);
    must(sonde_coverage_analyze(coverage, &analysis, NULL) == 0);
    must(analysis.finding_count > 0);
    sonde_coverage_text(&analysis, "/app", 10, &text);
    sonde_coverage_json(&analysis, &text);
    must(text.code == 0);
    must(analysis.executed <= analysis.characters);
    compare(&analysis);
    sonde_coverage_analysis_fini(&analysis);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_coverage coverage;
    struct sonde_coverage again;
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 20);
    sonde_coverage_init(&coverage);
    sonde_coverage_init(&again);
    size_t step = size ? 1 + data[size / 2] : 1;
    if (read_file(&coverage, (struct sonde_str){(const char *)data, size}, step) == 0) {
        check_functions(&coverage);
        analyze(&coverage);
        check_stretches(&coverage);
        analyze(&coverage);
        struct sonde_output output = SONDE_OUTPUT(collect, &text);
        must(sonde_coverage_write(&coverage, &output, NULL) == 0);
        must(read_file(&again, sonde_buf_view(&text), text.length) == 0);
        check_functions(&again);
        must(again.function_count == coverage.function_count);
        for (size_t i = 0; i < again.function_count; i++) {
            must(again.functions[i].segment_count <= SONDE_COVERAGE_SEGMENTS_MAX);
        }
        sonde_output_fini(&output);
    }
    sonde_coverage_fini(&coverage);
    sonde_coverage_fini(&again);
    return 0;
}
