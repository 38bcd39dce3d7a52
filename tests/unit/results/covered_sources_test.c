/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heap_runs.h"
#include "results/covered_sources.h"
#include "results/results.h"

static void add(struct heap_runs *runs, const char *name, const char *type, const char *text)
{
    heap_runs_add(runs, runs->none,
                  &(struct sonde_artifact){.name = name, .capture = "coverage", .type = type},
                  sonde_str(text));
}

/* Two scripts: the first 20 characters of each were called 3 times, the next 20 never. */
static void add_coverage(struct heap_runs *runs, const char *map_a, const char *map_b)
{
#define FUNCTIONS                                                                                  \
    "\"functions\":[{\"functionName\":\"f\",\"ranges\":[{\"startOffset\":0,\"endOffset\":20,"      \
    "\"count\":3}]},{\"functionName\":\"g\",\"ranges\":[{\"startOffset\":20,\"endOffset\":40,"     \
    "\"count\":0}]}]}"
    add(runs, "coverage.0", SONDE_ARTIFACT_COVERAGE,
        "{\"result\":[{\"url\":\"file:///app/dist/a.js\"," FUNCTIONS
        ",{\"url\":\"file:///app/dist/b.js\"," FUNCTIONS "]}");
    add(runs, "map-a", SONDE_ARTIFACT_SOURCE_MAP, map_a);
    add(runs, "map-b", SONDE_ARTIFACT_SOURCE_MAP, map_b);
    add(runs, "context.0", SONDE_ARTIFACT_CONTEXT,
        "{\"lines\":[{\"url\":\"file:///app/dist/a.js\",\"lengths\":[50]},"
        "{\"url\":\"file:///app/dist/b.js\",\"lengths\":[50]}],\"maps\":["
        "{\"artifact\":\"map-a\",\"url\":\"file:///app/dist/a.js\"},"
        "{\"artifact\":\"map-b\",\"url\":\"file:///app/dist/b.js\"}]}");
}

/* "a.ts 3 0 -": the file and how often the busiest code of each line ran. */
static void assert_rows(const struct heap_runs *runs, const char *expected)
{
    struct sonde_coverage coverage;
    struct sonde_sources sources = SONDE_SOURCES;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    struct sonde_err err = {0};
    REQUIRE_DONE(sonde_results_coverage(runs->db, runs->none, "coverage", SONDE_COVERAGE_BYTES_MAX,
                                        &coverage, &err),
                 &err);
    REQUIRE_DONE(
        sonde_covered_sources_add(runs->db, runs->none, "coverage", &coverage, &sources, &err),
        &err);
    sonde_buf_text(&text, "");
    for (size_t i = 0; i < sources.count; i++) {
        const struct sonde_page_source *row = &sources.rows[i];
        struct sonde_str rest = row->text;
        sonde_buf_printf(&text, "%s%.*s", i ? ", " : "", SONDE_STR_ARG(row->file));
        for (size_t line = 0; rest.length; line++) {
            (void)sonde_str_split(&rest, '\n');
            if (row->marks[line].has_code) {
                sonde_buf_printf(&text, " %llu", (unsigned long long)row->marks[line].most);
            } else {
                sonde_buf_text(&text, " -");
            }
        }
    }
    assert_string_equal(text.data, expected);
    sonde_sources_fini(&sources);
    sonde_coverage_fini(&coverage);
}

static void lines_of_sources_are_marked(void **state)
{
    struct heap_runs *runs = *state;
    /* 0 → a.ts 1, 4 → b.ts 2, 20 → a.ts 3; b.js the same of b.ts and c.ts. */
    add_coverage(runs,
                 "{\"version\":3,\"sources\":[\"/app/a.ts\",\"/app/none.ts\",\"/app/b.ts\"],"
                 "\"names\":[],\"mappings\":\"AAAA,IECC,gBFCA\",\"sourcesContent\":"
                 "[\"1\\n2\\n3\",\"x\",\"1\\n2\"]}",
                 "{\"version\":3,\"sources\":[\"/app/b.ts\",\"/app/node_modules/x/c.ts\","
                 "\"/app/b.ts\"],\"names\":[],\"mappings\":\"AAAA,ICCA,gBCAA\","
                 "\"sourcesContent\":[\"1\\n2\",\"1\\n2\",\"1\\n2\"]}");
    assert_rows(runs, "/app/a.ts 3 - 0, /app/b.ts 3 3");
}

static void what_maps_lie_about_is_left_out(void **state)
{
    struct heap_runs *runs = *state;
    /* Line 2 of a text of one line; a second text of one name; code where no function is. */
    add_coverage(runs,
                 "{\"version\":3,\"sources\":[\"/app/a.ts\",\"/app/b.ts\"],\"names\":[],"
                 "\"mappings\":\"AACA,ICDA,yDAAA\",\"sourcesContent\":[\"1\",\"1\\n2\"]}",
                 "{\"version\":3,\"sources\":[\"/app/b.ts\"],\"names\":[],"
                 "\"mappings\":\"AAAA,oBACA\",\"sourcesContent\":[\"1\\n2\\n3\"]}");
    assert_rows(runs, "/app/b.ts 3 -");
}

static void scripts_without_a_map_are_their_own_source(void **state)
{
    struct heap_runs *runs = *state;
    add_coverage(runs, "{}", "{}");
    /* 15 characters and a line feed, 20, 4; another pod's; one that is too short to have run; one
     * that nobody counted; a dependency. */
    add(runs, "texts.0", SONDE_ARTIFACT_SOURCES,
        "{\"sources\":[{\"url\":\"file:///app/dist/a.js\",\"text\":"
        "\"123456789012345\\n12345678901234567890\\n// c\"},"
        "{\"url\":\"file:///app/dist/b.js\",\"text\":\"1\\n2\"},"
        "{\"url\":\"file:///app/none.js\",\"text\":\"1\"},"
        "{\"url\":\"file:///app/node_modules/x/c.js\",\"text\":\"1\"},{\"text\":7},null]}");
    add(runs, "texts.1", SONDE_ARTIFACT_SOURCES,
        "{\"sources\":[{\"url\":\"file:///app/dist/a.js\",\"text\":\"1\"}]}");
    assert_rows(runs, "file:///app/dist/a.js 3 3 -");
}

/* The map of a.js names two sources and carries none: the run has one of them, and one that no map
 * has code of. */
static void sources_that_a_map_does_not_carry_are_marked(void **state)
{
    struct heap_runs *runs = *state;
    add_coverage(runs,
                 "{\"version\":3,\"sources\":[\"/app/a.ts\",\"/app/b.ts\"],\"names\":[],"
                 "\"mappings\":\"AAAA,ICAA,gBDEA\"}",
                 "{}");
    add(runs, "texts.0", SONDE_ARTIFACT_SOURCES,
        "{\"sources\":[{\"url\":\"/app/a.ts\",\"text\":\"1\\n2\\n3\"},"
        "{\"url\":\"/app/other.ts\",\"text\":\"1\"}]}");
    assert_rows(runs, "/app/a.ts 3 - 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_of_sources_are_marked, heap_runs_setup,
                                        heap_runs_teardown),
        cmocka_unit_test_setup_teardown(what_maps_lie_about_is_left_out, heap_runs_setup,
                                        heap_runs_teardown),
        cmocka_unit_test_setup_teardown(sources_that_a_map_does_not_carry_are_marked,
                                        heap_runs_setup, heap_runs_teardown),
        cmocka_unit_test_setup_teardown(scripts_without_a_map_are_their_own_source, heap_runs_setup,
                                        heap_runs_teardown),
    };
    return cmocka_run_group_tests_name("covered_sources", tests, NULL, NULL);
}
