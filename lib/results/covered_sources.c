/* SPDX-License-Identifier: Apache-2.0 */
#include "results/covered_sources.h"

#include <stdlib.h>

#include "results/maps.h"

struct marking {
    const struct sonde_coverage *coverage;
    struct sonde_sources *sources;
    uint32_t *first, *next; /* the functions of each script */
    /* Of the map at hand: */
    struct sonde_str url;
    struct sonde_source_map *map;
    struct sonde_coverage_stretch *stretches;
    size_t stretch_count;
};

static size_t count_lines(struct sonde_str text)
{
    size_t count = 1;
    for (size_t i = 0; i + 1 < text.length; i++) {
        count += text.data[i] == '\n';
    }
    return count;
}

/* Two scripts may be made of one source: each marks the lines that it has. */
static struct sonde_page_source *find_row(const struct sonde_sources *sources,
                                          struct sonde_str file)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (sonde_str_equal(sources->rows[i].file, file)) {
            return &sources->rows[i];
        }
    }
    return NULL;
}

static bool has_code(const struct sonde_coverage_mark *marks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (marks[i].has_code) {
            return true;
        }
    }
    return false;
}

static void mark(const struct marking *m, struct sonde_str file, struct sonde_coverage_mark *marks,
                 size_t count)
{
    sonde_coverage_mark_lines(m->coverage, m->url, m->map, m->stretches, m->stretch_count, file,
                              marks, count);
}

static int take_text(void *context, struct sonde_str file, struct sonde_str text,
                     struct sonde_err *err)
{
    struct marking *m = context;
    struct sonde_sources *sources = m->sources;
    struct sonde_page_source *row = find_row(sources, file);
    struct sonde_str package;
    size_t count = count_lines(text);
    if (row && count_lines(row->text) == count) {
        union {
            const struct sonde_coverage_mark *from;
            struct sonde_coverage_mark *to;
        } own = {row->marks};
        mark(m, file, own.to, count);
        return 0;
    }
    if (row || text.length == 0 || sources->count == SONDE_COVERED_SOURCES_MAX ||
        sonde_category_of(SONDE_STR(""), file, &package) != SONDE_CATEGORY_APP ||
        sources->marks.used + count * sizeof(*row->marks) > SONDE_PAGE_MARK_BYTES_MAX / 2) {
        return 0;
    }
    struct sonde_coverage_mark *marks = sonde_arena_alloc(&sources->marks, count * sizeof(*marks));
    struct sonde_str name = sonde_arena_copy(&sources->marks, file);
    if (!marks || !name.data) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    mark(m, file, marks, count);
    return has_code(marks, count)
               ? sonde_sources_keep(sources, &(struct sonde_page_source){name, 1, text, marks},
                                    &row, err)
               : 0;
}

static int take_map(void *context, struct sonde_str url, struct sonde_str text,
                    struct sonde_err *err)
{
    struct marking *m = context;
    const uint64_t *script = sonde_map_find(&m->coverage->script_index, sonde_profile_cut(url));
    if (!script || sonde_source_map_parse(text, &m->map, NULL) < 0) {
        return 0; /* a malformed map leaves the lines without marks */
    }
    m->url = url;
    int r = sonde_coverage_stretches(m->coverage, m->first[*script], m->next, &m->stretches,
                                     &m->stretch_count, err);
    r = r < 0 ? r : sonde_source_map_texts(text, url, take_text, m, err);
    free(SONDE_TAKE(m->stretches));
    sonde_source_map_free(SONDE_TAKE(m->map));
    return r;
}

int sonde_covered_sources_add(struct sonde_db *db, const char *uid, const char *capture,
                              const struct sonde_coverage *coverage, struct sonde_sources *ret,
                              struct sonde_err *err)
{
    SONDE_FREE uint32_t *first = calloc(coverage->script_count + 1, sizeof(*first));
    SONDE_FREE uint32_t *next = calloc(coverage->function_count + 1, sizeof(*next));
    if (!first || !next) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    struct marking m = {.coverage = coverage, .sources = ret, .first = first, .next = next};
    sonde_coverage_link(coverage, first, next);
    return sonde_results_each_map(db, uid, capture, take_map, &m, err);
}
