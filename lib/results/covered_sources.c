/* SPDX-License-Identifier: Apache-2.0 */
#include "results/covered_sources.h"

#include <stdlib.h>

#include "base/map.h"
#include "results/maps.h"

struct marking {
    const struct sonde_coverage *coverage;
    struct sonde_sources *sources;
    struct sonde_map rows; /* by file */
    size_t line_counts[SONDE_COVERED_SOURCES_MAX];
    uint32_t *first, *next; /* the functions of each script */
    /* Of the map at hand: */
    uint32_t script;
    struct sonde_source_map *map;
    struct sonde_coverage_stretch *stretches;
    size_t stretch_count;
    /* By the sources' numbers: the first line with code, or 0; the row plus 1, or 0. */
    int32_t *first_lines;
    uint32_t *row_of;
};

static bool next_mapped(const struct marking *m, size_t *at, struct sonde_coverage_mapped *ret)
{
    return sonde_coverage_next_mapped(m->coverage, m->script, m->map, m->stretches,
                                      m->stretch_count, at, ret);
}

static void find_first_lines(struct marking *m)
{
    struct sonde_coverage_mapped mapped;
    size_t at = 0;
    while (next_mapped(m, &at, &mapped)) {
        int32_t *first = &m->first_lines[mapped.source];
        *first = *first && *first < mapped.line ? *first : mapped.line;
    }
}

static size_t count_lines(struct sonde_str text)
{
    size_t count = 1;
    for (size_t i = 0; i + 1 < text.length; i++) {
        count += text.data[i] == '\n';
    }
    return count;
}

/* The marks of a row are its own. */
static struct sonde_coverage_mark *marks_of(const struct sonde_page_source *row)
{
    union {
        const struct sonde_coverage_mark *from;
        struct sonde_coverage_mark *to;
    } marks = {row->marks};
    return marks.to;
}

/* Beyond a bound it is left out: *ret is 0. */
static int add_row(struct marking *m, struct sonde_str file, struct sonde_str text, size_t lines,
                   uint32_t *ret, struct sonde_err *err)
{
    struct sonde_sources *sources = m->sources;
    struct sonde_page_source *row;
    struct sonde_map_slot *slot;
    bool fresh;
    size_t bytes = lines * sizeof(*row->marks);
    *ret = 0;
    if (sources->count == SONDE_COVERED_SOURCES_MAX ||
        sources->marks.used + bytes + file.length > SONDE_PAGE_MARK_BYTES_MAX / 2) {
        return 0;
    }
    int r = sonde_sources_keep(sources, &(struct sonde_page_source){.first = 1, .text = text}, &row,
                               err);
    if (r < 0 || !row) {
        return r;
    }
    row->marks = sonde_arena_alloc(&sources->marks, bytes);
    if (!row->marks || sonde_map_keep(&m->rows, file, &sources->marks, NULL, &slot, &fresh) < 0) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    row->file = slot->key;
    slot->value = sources->count;
    m->line_counts[sources->count - 1] = lines;
    *ret = (uint32_t)sources->count;
    return 0;
}

/* Two scripts may be made of one source: each marks the lines that it has, when it is one text. */
static int take_text(void *context, size_t number, struct sonde_str file, struct sonde_str text,
                     struct sonde_err *err)
{
    struct marking *m = context;
    struct sonde_str package;
    int32_t first = m->first_lines[number];
    const uint64_t *row = first ? sonde_map_find(&m->rows, file) : NULL;
    size_t lines = text.data ? count_lines(text) : row ? m->line_counts[*row - 1] : 0;
    if (first == 0 || (size_t)first > lines) {
        return 0;
    }
    if (row) {
        m->row_of[number] = m->line_counts[*row - 1] == lines ? (uint32_t)*row : 0;
        return 0;
    }
    return text.length && sonde_category_of(SONDE_STR(""), file, &package) == SONDE_CATEGORY_APP
               ? add_row(m, file, text, lines, &m->row_of[number], err)
               : 0;
}

static void mark(const struct marking *m)
{
    struct sonde_coverage_mapped mapped;
    size_t at = 0;
    while (next_mapped(m, &at, &mapped)) {
        uint32_t row = m->row_of[mapped.source];
        if (row && (size_t)mapped.line <= m->line_counts[row - 1]) {
            sonde_coverage_mark(&marks_of(&m->sources->rows[row - 1])[mapped.line - 1],
                                mapped.count);
        }
    }
}

/* A walk over the map for the sources that it has code of, and one for their lines: so the time
 * does not grow with how many there are. */
static int mark_sources(struct marking *m, struct sonde_str url, struct sonde_str text,
                        struct sonde_err *err)
{
    size_t count = sonde_source_map_sources(m->map);
    SONDE_FREE int32_t *first_lines = calloc(count + 1, sizeof(*first_lines));
    SONDE_FREE uint32_t *row_of = calloc(count + 1, sizeof(*row_of));
    if (!first_lines || !row_of) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    m->first_lines = first_lines;
    m->row_of = row_of;
    find_first_lines(m);
    int r = sonde_source_map_texts(text, url, take_text, m, err);
    mark(m);
    return r;
}

/* Makes the script the one at hand. 0: it was not counted; 1: its stretches are there. */
static int begin_script(struct marking *m, struct sonde_str url, struct sonde_err *err)
{
    const uint64_t *script = sonde_map_find(&m->coverage->script_index, sonde_profile_cut(url));
    if (!script) {
        return 0;
    }
    m->script = (uint32_t)*script;
    int r = sonde_coverage_stretches(m->coverage, m->first[*script], m->next, &m->stretches,
                                     &m->stretch_count, err);
    return r < 0 ? r : 1;
}

static int take_map(void *context, struct sonde_str url, struct sonde_str text,
                    struct sonde_err *err)
{
    struct marking *m = context;
    if (sonde_source_map_parse(text, &m->map, NULL) < 0) {
        return 0; /* a malformed map leaves the lines without marks */
    }
    int r = begin_script(m, url, err);
    r = r <= 0 ? r : mark_sources(m, url, text, err);
    free(SONDE_TAKE(m->stretches));
    sonde_source_map_free(SONDE_TAKE(m->map));
    return r;
}

/* A script that is its own source, or the source of one whose map does not carry it. The counts are
 * of all processes: a script's text is marked once. */
static int take_own_text(void *context, struct sonde_str url, struct sonde_str text,
                         struct sonde_err *err)
{
    struct marking *m = context;
    struct sonde_str file = sonde_profile_cut(url);
    struct sonde_str package;
    uint32_t row = 0;
    if (text.length == 0 || sonde_map_find(&m->rows, file) ||
        sonde_category_of(SONDE_STR(""), file, &package) != SONDE_CATEGORY_APP) {
        return 0;
    }
    int is_script = begin_script(m, url, err);
    bool other = is_script == 1 && sonde_utf16_length(text) < m->coverage->scripts[m->script].end;
    int r =
        is_script < 0 || other ? is_script : add_row(m, file, text, count_lines(text), &row, err);
    if (is_script == 1 && row) {
        sonde_coverage_mark_text(m->stretches, m->stretch_count, text,
                                 marks_of(&m->sources->rows[row - 1]));
    }
    free(SONDE_TAKE(m->stretches));
    return r < 0 ? r : 0;
}

static bool is_marked(const struct marking *m, size_t row)
{
    const struct sonde_coverage_mark *marks = m->sources->rows[row].marks;
    size_t line = 0;
    while (line < m->line_counts[row] && !marks[line].has_code) {
        line++;
    }
    return line < m->line_counts[row];
}

/* What has turned out to have no code of what was counted. */
static void drop_unmarked(const struct marking *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->sources->count; i++) {
        if (is_marked(m, i)) {
            m->sources->rows[kept++] = m->sources->rows[i];
        }
    }
    m->sources->count = kept;
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
    struct marking m = {.coverage = coverage,
                        .sources = ret,
                        .rows = SONDE_MAP(SONDE_COVERED_SOURCES_MAX),
                        .first = first,
                        .next = next};
    sonde_coverage_link(coverage, first, next);
    int r = sonde_results_each_text(db, uid, capture, take_own_text, &m, err);
    r = r < 0 ? r : sonde_results_each_map(db, uid, capture, take_map, &m, err);
    drop_unmarked(&m);
    sonde_map_fini(&m.rows);
    return r;
}
