/* SPDX-License-Identifier: Apache-2.0 */
#include "results/sources.h"

#include <stdlib.h>

#include "results/maps.h"

/* Lines `first` to `last` of a file, as the profile names it. */
struct stretch {
    struct sonde_str file;
    int32_t first, last;
    bool found;
};

struct search {
    struct stretch *stretches; /* by file and line, none touches the next */
    size_t count;
    struct sonde_sources *sources;
};

void sonde_sources_fini(struct sonde_sources *sources)
{
    free(sources->rows);
    sonde_arena_fini(&sources->text);
    sonde_arena_fini(&sources->marks);
    *sources = SONDE_SOURCES;
}

static int compare_stretches(const void *a, const void *b)
{
    const struct stretch *left = a;
    const struct stretch *right = b;
    int files = sonde_str_compare(left->file, right->file);
    return files ? files : (left->first > right->first) - (left->first < right->first);
}

static void want(struct search *search, const struct sonde_frame *frame, int32_t line)
{
    struct sonde_str file = sonde_frame_position(frame)->file;
    if (file.length && line > 0 && line < INT32_MAX - SONDE_SOURCES_AROUND) {
        search->stretches[search->count++] = (struct stretch){
            .file = file,
            .first = line > SONDE_SOURCES_AROUND ? line - SONDE_SOURCES_AROUND : 1,
            .last = line + SONDE_SOURCES_AROUND,
        };
    }
}

/* The lines with samples, and where functions of the application begin; what overlaps becomes one.
 */
static int find_wanted(const struct sonde_profile *profile, struct search *search,
                       struct sonde_err *err)
{
    size_t most = profile->line_count + profile->frame_count;
    search->stretches = calloc(most + 1, sizeof(*search->stretches));
    if (!search->stretches) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    for (size_t i = 0; i < profile->line_count; i++) {
        const struct sonde_profile_line *line = &profile->lines[i];
        const struct sonde_frame *frame = &profile->frames[line->frame];
        want(search, frame, frame->source.file.length ? line->source_line : line->line);
    }
    for (size_t i = 0; i < profile->frame_count; i++) {
        const struct sonde_frame *frame = &profile->frames[i];
        if (frame->category == SONDE_CATEGORY_APP) {
            want(search, frame, sonde_frame_position(frame)->line);
        }
    }
    qsort(search->stretches, search->count, sizeof(*search->stretches), compare_stretches);
    size_t kept = 0;
    for (size_t i = 0; i < search->count; i++) {
        const struct stretch *own = &search->stretches[i];
        struct stretch *last = kept ? &search->stretches[kept - 1] : NULL;
        if (last && sonde_str_equal(last->file, own->file) && own->first <= last->last + 1) {
            last->last = last->last > own->last ? last->last : own->last;
        } else {
            search->stretches[kept++] = *own;
        }
    }
    search->count = kept;
    return 0;
}

/* Takes the lines first to last out of what is left of a text, which begins with line *line. */
static struct sonde_str cut_lines(struct sonde_str *rest, int32_t *line, int32_t first,
                                  int32_t last)
{
    while (rest->length && *line < first) {
        (void)sonde_str_split(rest, '\n');
        ++*line;
    }
    struct sonde_str lines = {rest->data, 0};
    while (rest->length && *line <= last) {
        struct sonde_str own = sonde_str_split(rest, '\n');
        lines.length = (size_t)(own.data + own.length - lines.data);
        ++*line;
    }
    return lines;
}

int sonde_sources_keep(struct sonde_sources *sources, const struct sonde_page_source *source,
                       struct sonde_page_source **ret, struct sonde_err *err)
{
    *ret = NULL;
    if (sources->text.used + source->text.length + 1 > SONDE_PAGE_SOURCE_BYTES_MAX ||
        sources->count == SONDE_PAGE_SOURCES_MAX) {
        return 0;
    }
    int r = sonde_array_grow(&sources->rows, &sources->capacity, sources->count + 1,
                             sizeof(*sources->rows), SONDE_PAGE_SOURCES_MAX);
    struct sonde_str copy = sonde_arena_copy(&sources->text, source->text);
    if (r < 0 || !copy.data) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    *ret = &sources->rows[sources->count++];
    **ret = *source;
    (*ret)->text = copy;
    return 0;
}

static int take_text(void *context, size_t number, struct sonde_str file, struct sonde_str text,
                     struct sonde_err *err)
{
    (void)number;
    struct search *search = context;
    size_t low = 0;
    size_t high = text.data ? search->count : 0;
    int32_t line = 1;
    while (low < high) { /* the first stretch of the file */
        size_t middle = low + (high - low) / 2;
        if (sonde_str_compare(search->stretches[middle].file, file) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < search->count && sonde_str_equal(search->stretches[low].file, file); low++) {
        struct stretch *stretch = &search->stretches[low];
        struct sonde_str lines = cut_lines(&text, &line, stretch->first, stretch->last);
        if (stretch->found || lines.length == 0) {
            continue; /* two scripts were made of the file: its text is the same */
        }
        stretch->found = true;
        struct sonde_page_source *row;
        int r =
            sonde_sources_keep(search->sources,
                               &(struct sonde_page_source){
                                   .file = stretch->file, .first = stretch->first, .text = lines},
                               &row, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int take_map(void *context, struct sonde_str url, struct sonde_str text,
                    struct sonde_err *err)
{
    int r = sonde_source_map_texts(text, url, take_text, context, err);
    return r == SONDE_ENOMEM ? r : 0; /* a malformed map leaves the lines without text */
}

static int take_own_text(void *context, struct sonde_str url, struct sonde_str text,
                         struct sonde_err *err)
{
    return take_text(context, 0, sonde_profile_cut(url), text, err);
}

int sonde_sources_add(struct sonde_db *db, const char *uid, const char *capture,
                      const struct sonde_profile *profile, struct sonde_sources *ret,
                      struct sonde_err *err)
{
    struct search search = {.sources = ret};
    int r = find_wanted(profile, &search, err);
    if (r == 0 && search.count) {
        r = sonde_results_each_map(db, uid, capture, take_map, &search, err);
        r = r < 0 ? r : sonde_results_each_text(db, uid, capture, take_own_text, &search, err);
    }
    free(search.stretches);
    return r;
}
