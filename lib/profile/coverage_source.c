/* SPDX-License-Identifier: Apache-2.0 */
/* What coverage looks like in the sources that its scripts were made of. */
#include <stdlib.h>

#include "profile/coverage_internal.h"

/* ---- lines ---- */

int sonde_coverage_add_lengths(struct sonde_coverage *coverage, struct sonde_str url,
                               const uint32_t *lengths, size_t count, struct sonde_err *err)
{
    struct sonde_coverage *c = coverage;
    const uint64_t *script = sonde_map_find(&c->script_index, sonde_profile_cut(url));
    uint64_t all = count ? count - 1 : 0;
    if (!script || c->scripts[*script].line_count || count == 0 ||
        count > SONDE_COVERAGE_LINES_MAX - c->line_count) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        all += lengths[i];
    }
    if (c->scripts[*script].end > all) {
        return 0;
    }
    uint64_t start = 0;
    int r = 0;
    for (size_t i = 0; i < count && r == 0 && start <= INT32_MAX; i++) {
        r = sonde_coverage_add_line(c, (uint32_t)*script, (uint32_t)start, err);
        start += (uint64_t)lengths[i] + 1;
    }
    return r;
}

/* An offset as a source map counts. */
struct place {
    int32_t line, column;
};

static struct place locate(const struct sonde_coverage *c, uint32_t script, uint32_t offset)
{
    const struct sonde_coverage_script *of = &c->scripts[script];
    int32_t line = sonde_coverage_line(c, script, offset);
    uint32_t begin = line ? c->lines[of->first_line + (uint32_t)line - 1] : 0;
    uint32_t column = offset - begin;
    return (struct place){line, column < INT32_MAX ? (int32_t)column + 1 : INT32_MAX};
}

static bool find(const struct sonde_coverage *c, const struct sonde_source_map *map,
                 uint32_t script, uint32_t offset, struct sonde_mapping *ret)
{
    struct place place = locate(c, script, offset);
    return place.line && sonde_source_map_find(map, place.line, place.column, ret);
}

/* ---- functions ---- */

/* The original of the identifier that begins at that very column. */
static struct sonde_str name_at(const struct sonde_source_map *map, struct place at, int64_t column)
{
    struct sonde_mapping mapping;
    bool found = column > 0 && column < INT32_MAX &&
                 sonde_source_map_find(map, at.line, (int32_t)column, &mapping) &&
                 mapping.segment_column == column;
    return found ? mapping.name : (struct sonde_str){0};
}

/* V8 counts a function from its first word on. A name stands before a sign that is before it
 * ("e=t=>"), or behind "function" or "async function". There it may also be a parameter of one that
 * has no name of its own, but a property's: those keep theirs when a bundler shortens names. */
static struct sonde_str own_name(const struct sonde_source_map *map, struct place at,
                                 struct sonde_str name)
{
    enum { SHORTENED = 3, BEHIND_FUNCTION = 9, BEHIND_ASYNC = 15 };
    struct sonde_str found = {0};
    if (name.length) {
        found = name_at(map, at, at.column - (int64_t)name.length - 1);
    }
    if (found.length == 0 && name.length && name.length <= SHORTENED) {
        found = name_at(map, at, (int64_t)at.column + BEHIND_FUNCTION);
        found = found.length ? found : name_at(map, at, (int64_t)at.column + BEHIND_ASYNC);
    }
    return found;
}

/* Those whose code comes from the function's own source. */
static void map_segments(struct sonde_coverage *c, const struct sonde_coverage_function *function,
                         const struct sonde_source_map *map, struct sonde_str source)
{
    for (uint32_t i = 0; i < function->segment_count; i++) {
        const struct sonde_coverage_segment *segment = &c->segments[function->first_segment + i];
        struct sonde_coverage_place *place = &c->places[function->first_segment + i];
        struct sonde_mapping begin;
        struct sonde_mapping end;
        *place = (struct sonde_coverage_place){0};
        if (find(c, map, function->script, segment->start, &begin) &&
            sonde_str_equal(begin.source, source)) {
            bool same = find(c, map, function->script, segment->end - 1, &end) &&
                        sonde_str_equal(end.source, source) && end.line >= begin.line;
            *place = (struct sonde_coverage_place){begin.line, same ? end.line : begin.line};
        }
    }
}

static int map_function(struct sonde_coverage *c, uint32_t function, struct sonde_str url,
                        const struct sonde_source_map *map, struct sonde_err *err)
{
    const struct sonde_coverage_function *of = &c->functions[function];
    struct sonde_coverage_source *source = &c->sources[function];
    struct sonde_mapping begin;
    struct sonde_str package;
    if (!find(c, map, of->script, of->start, &begin)) {
        return 0;
    }
    SONDE_BUF_AUTO file = SONDE_BUF(2 * SONDE_PROFILE_NAME_MAX);
    sonde_source_map_file(url, begin.source, &file);
    int r = sonde_buf_check(&file, "a source's name", err);
    struct sonde_str name = own_name(map, locate(c, of->script, of->start), of->name);
    r = r < 0 ? r : sonde_coverage_intern(c, sonde_buf_view(&file), &source->at.file, err);
    r = r < 0 ? r : sonde_coverage_intern(c, name, &source->name, err);
    if (r < 0) {
        return r;
    }
    source->at.line = begin.line;
    source->at.column = begin.column;
    source->category = sonde_category_of(of->name, source->at.file, &package);
    map_segments(c, of, map, begin.source);
    return 0;
}

int sonde_coverage_apply_source_map(struct sonde_coverage *coverage, struct sonde_str url,
                                    const struct sonde_source_map *map, struct sonde_err *err)
{
    struct sonde_coverage *c = coverage;
    const uint64_t *script = sonde_map_find(&c->script_index, sonde_profile_cut(url));
    if (!script || c->scripts[*script].line_count == 0) {
        return 0;
    }
    size_t bytes =
        (c->function_count + 1) * sizeof(*c->sources) + (c->segment_count + 1) * sizeof(*c->places);
    if (!c->sources) {
        if (!sonde_budget_take(&c->budget, bytes)) {
            return sonde_coverage_no_room(c, err);
        }
        c->sources = calloc(c->function_count + 1, sizeof(*c->sources));
        c->places = calloc(c->segment_count + 1, sizeof(*c->places));
    }
    if (!c->sources || !c->places) {
        free(SONDE_TAKE(c->sources));
        free(SONDE_TAKE(c->places));
        return sonde_fail(err, SONDE_ENOMEM, 0, "coverage: out of memory");
    }
    int r = 0;
    for (uint32_t i = 0; i < c->function_count && r == 0; i++) {
        r = c->functions[i].script == *script ? map_function(c, i, url, map, err) : 0;
    }
    return r;
}

/* ---- what a person sees ---- */

static const struct sonde_coverage_source *source_of(const struct sonde_coverage *c,
                                                     uint32_t function)
{
    return c->sources && c->sources[function].at.file.length ? &c->sources[function] : NULL;
}

struct sonde_str sonde_coverage_name(const struct sonde_coverage *coverage, uint32_t function)
{
    const struct sonde_coverage_source *source = source_of(coverage, function);
    struct sonde_str name = coverage->functions[function].name;
    name = source && source->name.length ? source->name : name;
    return name.length ? name : SONDE_STR("(anonymous)");
}

struct sonde_position sonde_coverage_position(const struct sonde_coverage *coverage,
                                              uint32_t function)
{
    const struct sonde_coverage_function *of = &coverage->functions[function];
    const struct sonde_coverage_source *source = source_of(coverage, function);
    if (source) {
        return (struct sonde_position){source->at.file, source->at.line, 0};
    }
    return (struct sonde_position){coverage->scripts[of->script].url,
                                   sonde_coverage_line(coverage, of->script, of->start), 0};
}

enum sonde_category sonde_coverage_category(const struct sonde_coverage *coverage,
                                            uint32_t function)
{
    const struct sonde_coverage_source *source = source_of(coverage, function);
    return source ? source->category
                  : coverage->scripts[coverage->functions[function].script].category;
}

struct sonde_coverage_place sonde_coverage_place(const struct sonde_coverage *coverage,
                                                 uint32_t function, uint32_t segment)
{
    const struct sonde_coverage_segment *of = &coverage->segments[segment];
    uint32_t script = coverage->functions[function].script;
    if (source_of(coverage, function)) {
        return coverage->places[segment];
    }
    return (struct sonde_coverage_place){sonde_coverage_line(coverage, script, of->start),
                                         sonde_coverage_line(coverage, script, of->end - 1)};
}

/* ---- marks ---- */

static const struct sonde_coverage_stretch *stretch_at(const struct sonde_coverage_stretch *all,
                                                       size_t count, uint64_t offset)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) { /* the first that ends behind it */
        size_t middle = low + (high - low) / 2;
        if (all[middle].end <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && all[low].start <= offset ? &all[low] : NULL;
}

void sonde_coverage_mark(struct sonde_coverage_mark *mark, uint64_t count)
{
    mark->least = mark->has_code && mark->least < count ? mark->least : count;
    mark->most = mark->has_code && mark->most > count ? mark->most : count;
    mark->has_code = true;
}

bool sonde_coverage_next_mapped(const struct sonde_coverage *coverage, uint32_t script,
                                const struct sonde_source_map *map,
                                const struct sonde_coverage_stretch *stretches,
                                size_t stretch_count, size_t *at, struct sonde_coverage_mapped *ret)
{
    const struct sonde_coverage_script *of = &coverage->scripts[script];
    struct sonde_mapping mapping;
    while (sonde_source_map_next(map, at, &mapping)) {
        if ((uint32_t)mapping.segment_line > of->line_count) {
            continue;
        }
        uint64_t offset =
            (uint64_t)coverage->lines[of->first_line + (uint32_t)mapping.segment_line - 1] +
            (uint64_t)mapping.segment_column - 1;
        const struct sonde_coverage_stretch *stretch = stretch_at(stretches, stretch_count, offset);
        if (stretch) {
            *ret =
                (struct sonde_coverage_mapped){mapping.source_number, mapping.line, stretch->count};
            return true;
        }
    }
    return false;
}

/* Whether a line, without the space around it, is more than a comment. Line by line: what begins or
 * ends within a line of code is not looked for. */
static bool has_code(struct sonde_str line, bool *comment)
{
    bool ends = sonde_str_contains(line, SONDE_STR("*/"));
    if (*comment) {
        *comment = !ends;
        return false;
    }
    if (sonde_str_starts(line, "/*")) {
        *comment = !ends;
        return ends && !sonde_str_ends(line, "*/");
    }
    return line.length && !sonde_str_starts(line, "//");
}

void sonde_coverage_mark_text(const struct sonde_coverage_stretch *stretches, size_t stretch_count,
                              struct sonde_str text, struct sonde_coverage_mark *marks)
{
    bool comment = false;
    uint64_t offset = 0;
    size_t first = 0; /* that ends behind the line's beginning */
    for (struct sonde_coverage_mark *mark = marks; text.data; mark++) {
        struct sonde_str line = sonde_str_split(&text, '\n');
        struct sonde_str code = sonde_str_trim(line);
        uint64_t begin = offset + (uint64_t)(code.data - line.data);
        uint64_t end = begin + sonde_utf16_length(code);
        offset += sonde_utf16_length(line) + 1;
        while (first < stretch_count && stretches[first].end <= begin) {
            first++;
        }
        bool any = has_code(code, &comment);
        for (size_t i = first; any && i < stretch_count && stretches[i].start < end; i++) {
            sonde_coverage_mark(mark, stretches[i].count);
        }
    }
}
