/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/compare_coverage.h"

#include <stdlib.h>

#include "analysis/report.h"
#include "base/map.h"

enum { TEXTS_MAX = 64 << 20, NONE = 0 };

struct work {
    struct sonde_coverage_comparison *comparison;
    /* By the sides' functions: the row plus 1, or NONE. */
    uint32_t *rows[SONDE_SIDES];
    /* Functions of the application in the order of their places. */
    uint32_t *own[SONDE_SIDES];
    size_t own_count[SONDE_SIDES];
    struct sonde_map moved; /* files whose functions are at other places */
};

static int no_memory(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ENOMEM, 0, "the comparison: out of memory");
}

static const struct sonde_coverage *coverage_of(const struct work *w, int side)
{
    return w->comparison->sides[side].analysis->coverage;
}

/* ---- pairs ---- */

/* Where a function is: in the source where there is one, since scripts are made anew. */
static uint64_t place_of(const struct sonde_coverage *c, uint32_t function)
{
    const struct sonde_coverage_function *of = &c->functions[function];
    if (c->sources && c->sources[function].at.file.length) {
        const struct sonde_position *at = &c->sources[function].at;
        return ((uint64_t)(uint32_t)at->line << 32) | (uint32_t)at->column;
    }
    return ((uint64_t)of->start << 32) | of->end;
}

static int compare_places(const void *a, const void *b, void *context)
{
    const struct sonde_coverage *c = context;
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    uint64_t at_left = place_of(c, left);
    uint64_t at_right = place_of(c, right);
    return at_left != at_right ? (at_left > at_right) - (at_left < at_right)
                               : (left > right) - (left < right);
}

static int list_own(struct work *w, int side, struct sonde_err *err)
{
    const struct sonde_coverage_analysis *a = w->comparison->sides[side].analysis;
    union {
        const struct sonde_coverage *from;
        void *to;
    } context = {a->coverage};
    w->rows[side] = calloc(a->coverage->function_count + 1, sizeof(*w->rows[side]));
    w->own[side] = calloc(a->hottest_count + a->never_count + 1, sizeof(*w->own[side]));
    if (!w->rows[side] || !w->own[side]) {
        return no_memory(err);
    }
    for (size_t i = 0; i < a->hottest_count; i++) {
        w->own[side][w->own_count[side]++] = a->hottest[i];
    }
    for (size_t i = 0; i < a->never_count; i++) {
        w->own[side][w->own_count[side]++] = a->never[i];
    }
    qsort_r(w->own[side], w->own_count[side], sizeof(*w->own[side]), compare_places, context.to);
    return 0;
}

/* "file\0name\0…": the file relative to the directory. */
static int put_key(const struct work *w, int side, uint32_t function, struct sonde_buf *key,
                   struct sonde_err *err)
{
    const struct sonde_coverage *c = coverage_of(w, side);
    sonde_report_place(w->comparison->sides[side].directory,
                       sonde_coverage_position(c, function).file, 0, key);
    sonde_buf_append(key, "", 1);
    sonde_buf_str(key, sonde_coverage_name(c, function));
    return sonde_buf_check(key, "a function's name", err);
}

/* The key lives as long as the comparison. */
static int add_row(struct work *w, struct sonde_str key, size_t *ret, struct sonde_err *err)
{
    struct sonde_coverage_comparison *c = w->comparison;
    if (sonde_array_grow(&c->changes, &c->capacity, c->count + 1, sizeof(*c->changes),
                         2 * (size_t)SONDE_COVERAGE_FUNCTIONS_MAX) < 0) {
        return no_memory(err);
    }
    struct sonde_str rest = key;
    struct sonde_str file = sonde_str_split(&rest, '\0');
    *ret = c->count++;
    c->changes[*ret] =
        (struct sonde_coverage_change){.file = file, .name = sonde_str_split(&rest, '\0')};
    return 0;
}

static void put_into_row(struct work *w, int side, uint32_t function, size_t row)
{
    const struct sonde_coverage *c = coverage_of(w, side);
    struct sonde_coverage_change *change = &w->comparison->changes[row];
    change->there[side] = true;
    change->functions[side] = function;
    change->lines[side] = sonde_coverage_position(c, function).line;
    change->calls[side] = c->functions[function].count;
    change->characters = c->functions[function].end - c->functions[function].start;
    w->rows[side][function] = (uint32_t)row + 1;
}

/* In which order functions are found again. V8 knows different ones of the same text in two runs,
 * so that those of one name are paired only where text was surely moved: where a function that has
 * a name was found at another place. */
enum round { BY_PLACE, NAMED, ANONYMOUS };

/* Whether the round looks for it. */
static bool is_wanted(const struct work *w, enum round round, int side, uint32_t function,
                      struct sonde_str key)
{
    const struct sonde_coverage *c = coverage_of(w, side);
    bool named = !sonde_str_is(sonde_coverage_name(c, function), "(anonymous)");
    struct sonde_str file = sonde_str_split(&key, '\0');
    return round == BY_PLACE ||
           (round == NAMED ? named : !named && sonde_map_find(&w->moved, file));
}

/* Adds to the key what tells those of one name apart: the place, or which of them it is. */
static int put_rest(struct work *w, enum round round, int side, uint32_t function,
                    struct sonde_map *numbers, struct sonde_buf *key, struct sonde_err *err)
{
    struct sonde_map_slot *slot = NULL;
    bool fresh = false;
    uint64_t number = place_of(coverage_of(w, side), function);
    if (round != BY_PLACE && sonde_map_insert(numbers, sonde_buf_view(key), &slot, &fresh) < 0) {
        return no_memory(err);
    }
    if (fresh) {
        struct sonde_str copy = sonde_arena_copy(&w->comparison->text, sonde_buf_view(key));
        slot->key = copy.data ? copy : SONDE_STR("");
        if (!copy.data) {
            return no_memory(err);
        }
    }
    number = slot ? slot->value++ : number;
    sonde_buf_printf(key, "%c%llu", '\0', (unsigned long long)number);
    return sonde_buf_check(key, "a function's name", err);
}

/* The row that a key stands for, a new one unless the function has one already. */
static int enter(struct work *w, uint32_t function, struct sonde_str key, struct sonde_map *index,
                 struct sonde_err *err)
{
    struct sonde_map_slot *slot = NULL;
    bool fresh = false;
    uint32_t known = w->rows[SONDE_BEFORE][function];
    size_t row = known ? known - 1 : 0;
    if (sonde_map_insert(index, key, &slot, &fresh) < 0) {
        return no_memory(err);
    }
    if (!fresh) {
        return 0;
    }
    struct sonde_str copy = sonde_arena_copy(&w->comparison->text, key);
    slot->key = copy.data ? copy : SONDE_STR("");
    int r = copy.data ? 0 : no_memory(err);
    r = r < 0 || known ? r : add_row(w, copy, &row, err);
    slot->value = row;
    if (r == 0 && !known) {
        put_into_row(w, SONDE_BEFORE, function, row);
    }
    return r;
}

static int join(struct work *w, enum round round, uint32_t function, struct sonde_str key,
                const struct sonde_map *index, struct sonde_err *err)
{
    struct sonde_coverage_change *changes = w->comparison->changes;
    const uint64_t *row = sonde_map_find(index, key);
    struct sonde_map_slot *slot;
    bool fresh;
    if (!row || !changes || changes[*row].there[SONDE_AFTER]) {
        return 0;
    }
    put_into_row(w, SONDE_AFTER, function, *row);
    int r = round == NAMED ? sonde_map_insert(&w->moved, changes[*row].file, &slot, &fresh) : 0;
    return r < 0 ? no_memory(err) : 0;
}

static bool is_paired(const struct work *w, int side, uint32_t function)
{
    const struct sonde_coverage_change *changes = w->comparison->changes;
    uint32_t row = w->rows[side][function];
    return row != NONE && changes && changes[row - 1].there[SONDE_BEFORE] &&
           changes[row - 1].there[SONDE_AFTER];
}

static int pair_function(struct work *w, enum round round, int side, uint32_t function,
                         struct sonde_map *index, struct sonde_map *numbers, struct sonde_err *err)
{
    SONDE_BUF_AUTO key = SONDE_BUF(8 * SONDE_PROFILE_NAME_MAX);
    if (is_paired(w, side, function)) {
        return 0;
    }
    int r = put_key(w, side, function, &key, err);
    if (r < 0 || !is_wanted(w, round, side, function, sonde_buf_view(&key))) {
        return r;
    }
    r = put_rest(w, round, side, function, numbers, &key, err);
    if (r < 0) {
        return r;
    }
    return side == SONDE_BEFORE ? enter(w, function, sonde_buf_view(&key), index, err)
                                : join(w, round, function, sonde_buf_view(&key), index, err);
}

static int pair_functions(struct work *w, enum round round, struct sonde_err *err)
{
    struct sonde_map index = SONDE_MAP(SONDE_COVERAGE_FUNCTIONS_MAX);
    int r = 0;
    for (int side = 0; side < SONDE_SIDES; side++) {
        struct sonde_map numbers = SONDE_MAP(SONDE_COVERAGE_FUNCTIONS_MAX);
        for (size_t i = 0; i < w->own_count[side] && r == 0; i++) {
            r = pair_function(w, round, side, w->own[side][i], &index, &numbers, err);
        }
        sonde_map_fini(&numbers);
    }
    sonde_map_fini(&index);
    return r;
}

/* What has found no partner, and no row yet. */
static int add_rest(struct work *w, struct sonde_err *err)
{
    int r = 0;
    for (int side = 0; side < SONDE_SIDES; side++) {
        for (size_t i = 0; i < w->own_count[side] && r == 0; i++) {
            uint32_t function = w->own[side][i];
            SONDE_BUF_AUTO key = SONDE_BUF(8 * SONDE_PROFILE_NAME_MAX);
            size_t row;
            if (w->rows[side][function] != NONE) {
                continue;
            }
            r = put_key(w, side, function, &key, err);
            struct sonde_str copy = sonde_arena_copy(&w->comparison->text, sonde_buf_view(&key));
            r = r < 0 || copy.data ? r : no_memory(err);
            r = r < 0 ? r : add_row(w, copy, &row, err);
            if (r == 0) {
                put_into_row(w, side, function, row);
            }
        }
    }
    return r;
}

/* ---- stretches ---- */

static int add_difference(struct sonde_coverage_comparison *c,
                          const struct sonde_coverage_difference *difference, struct sonde_err *err)
{
    struct sonde_coverage_difference *last =
        c->difference_count ? &c->differences[c->difference_count - 1] : NULL;
    if (last && last->change == difference->change && last->executed == difference->executed &&
        last->end == difference->start) {
        last->end = difference->end;
        last->lines.last_line = difference->lines.last_line;
        return 0;
    }
    if (sonde_array_grow(&c->differences, &c->difference_capacity, c->difference_count + 1,
                         sizeof(*c->differences), 2 * (size_t)SONDE_COVERAGE_SEGMENTS_MAX) < 0) {
        return no_memory(err);
    }
    c->differences[c->difference_count++] = *difference;
    return 0;
}

/* One of the two functions that are compared. */
struct cursor {
    const struct sonde_coverage *coverage;
    const struct sonde_coverage_function *function;
    uint32_t index, at; /* of the function; of its segment at hand */
};

static const struct sonde_coverage_segment *segment_at(const struct cursor *cursor)
{
    return &cursor->coverage->segments[cursor->function->first_segment + cursor->at];
}

/* Where the segment at hand ends within the function. */
static uint32_t end_at(const struct cursor *cursor)
{
    return segment_at(cursor)->end - cursor->function->start;
}

/* 0: unknown, as what a lying map moves out of any file. */
static int32_t moved_by(int32_t line, int64_t moved)
{
    int64_t there = line + moved;
    return line && there > 0 && there <= INT32_MAX ? (int32_t)there : 0;
}

/* Through a source map only the segment as a whole has lines; the side that missed it has it as
 * one, in the lines of its own version. */
static struct sonde_coverage_place
lines_of(const struct cursor *executed, const struct cursor *missed, uint32_t start, uint32_t end)
{
    const struct sonde_coverage *c = executed->coverage;
    uint32_t script = executed->function->script;
    if (sonde_str_equal(sonde_coverage_position(c, executed->index).file, c->scripts[script].url)) {
        return (struct sonde_coverage_place){
            sonde_coverage_line(c, script, executed->function->start + start),
            sonde_coverage_line(c, script, executed->function->start + end - 1)};
    }
    int64_t moved = (int64_t)sonde_coverage_position(c, executed->index).line -
                    sonde_coverage_position(missed->coverage, missed->index).line;
    struct sonde_coverage_place place = sonde_coverage_place(
        missed->coverage, missed->index, missed->function->first_segment + missed->at);
    place.line = moved_by(place.line, moved);
    place.last_line = moved_by(place.last_line, moved);
    return place;
}

static int compare_segments(struct work *w, size_t row, struct cursor sides[SONDE_SIDES],
                            struct sonde_err *err)
{
    uint32_t done = 0; /* of the function's length */
    int r = 0;
    while (r == 0 && sides[0].at < sides[0].function->segment_count &&
           sides[1].at < sides[1].function->segment_count) {
        uint32_t ends[SONDE_SIDES] = {end_at(&sides[0]), end_at(&sides[1])};
        uint32_t end = ends[0] < ends[1] ? ends[0] : ends[1];
        bool ran[SONDE_SIDES] = {segment_at(&sides[0])->count > 0,
                                 segment_at(&sides[1])->count > 0};
        if (ran[0] != ran[1] && end > done) {
            int executed = ran[SONDE_AFTER] ? SONDE_AFTER : SONDE_BEFORE;
            const struct cursor *by = &sides[executed];
            struct sonde_coverage_difference difference = {
                row, executed, by->function->start + done, by->function->start + end,
                lines_of(by, &sides[1 - executed], done, end)};
            r = add_difference(w->comparison, &difference, err);
        }
        done = end;
        sides[0].at += ends[0] == end;
        sides[1].at += ends[1] == end;
    }
    return r;
}

static int compare_stretches(struct work *w, size_t row, struct sonde_err *err)
{
    const struct sonde_coverage_change *change = &w->comparison->changes[row];
    struct cursor sides[SONDE_SIDES];
    uint32_t lengths[SONDE_SIDES];
    for (int side = 0; side < SONDE_SIDES; side++) {
        const struct sonde_coverage *c = coverage_of(w, side);
        uint32_t function = change->functions[side];
        sides[side] = (struct cursor){c, &c->functions[function], function, 0};
        lengths[side] = c->functions[function].end - c->functions[function].start;
    }
    return lengths[0] == lengths[1] ? compare_segments(w, row, sides, err) : 0;
}

/* ---- what differs ---- */

static uint64_t difference_of(const struct sonde_coverage_change *change)
{
    uint64_t before = change->calls[SONDE_BEFORE];
    uint64_t after = change->calls[SONDE_AFTER];
    return before > after ? before - after : after - before;
}

static bool is_one_sided(const struct sonde_coverage_change *change)
{
    return (change->calls[SONDE_BEFORE] > 0) != (change->calls[SONDE_AFTER] > 0);
}

static int compare_changes(const void *a, const void *b)
{
    const struct sonde_coverage_change *left = a;
    const struct sonde_coverage_change *right = b;
    if (is_one_sided(left) != is_one_sided(right)) {
        return is_one_sided(left) ? -1 : 1;
    }
    uint64_t of_left = is_one_sided(left) ? left->characters : difference_of(left);
    uint64_t of_right = is_one_sided(right) ? right->characters : difference_of(right);
    if (of_left != of_right) {
        return of_left > of_right ? -1 : 1;
    }
    int files = sonde_str_compare(left->file, right->file);
    int names = files ? files : sonde_str_compare(left->name, right->name);
    int32_t line = left->lines[SONDE_AFTER] - right->lines[SONDE_AFTER];
    return names ? names : (line > 0) - (line < 0);
}

static int compare_differences(const void *a, const void *b)
{
    const struct sonde_coverage_difference *left = a;
    const struct sonde_coverage_difference *right = b;
    uint32_t of_left = left->end - left->start;
    uint32_t of_right = right->end - right->start;
    if (of_left != of_right) {
        return of_left > of_right ? -1 : 1;
    }
    return left->change != right->change
               ? (left->change > right->change ? 1 : -1)
               : (left->start > right->start) - (left->start < right->start);
}

/* Rows without calls go. Those that are equal on both sides stay, behind all others, for their
 * stretches. */
static int keep_changes(struct work *w, struct sonde_err *err)
{
    struct sonde_coverage_comparison *c = w->comparison;
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct sonde_coverage_change *change = &c->changes[i];
        c->executed_only[change->calls[SONDE_AFTER] > 0 ? SONDE_AFTER : SONDE_BEFORE] +=
            is_one_sided(change);
        if (difference_of(change) || (change->there[0] && change->there[1] && change->calls[0])) {
            c->changes[kept++] = *change;
        }
    }
    c->count = kept;
    if (kept) {
        qsort(c->changes, kept, sizeof(*c->changes), compare_changes);
    }
    int r = 0;
    for (size_t i = 0; i < kept && r == 0; i++) {
        if (c->changes[i].calls[SONDE_BEFORE] && c->changes[i].calls[SONDE_AFTER]) {
            r = compare_stretches(w, i, err);
        }
    }
    if (c->difference_count) {
        qsort(c->differences, c->difference_count, sizeof(*c->differences), compare_differences);
    }
    return r;
}

int sonde_coverage_compare(const struct sonde_coverage_side *before,
                           const struct sonde_coverage_side *after,
                           struct sonde_coverage_comparison *ret, struct sonde_err *err)
{
    struct work w = {.comparison = ret, .moved = SONDE_MAP(SONDE_COVERAGE_FUNCTIONS_MAX)};
    *ret = (struct sonde_coverage_comparison){.sides = {*before, *after},
                                              .text = SONDE_ARENA(TEXTS_MAX)};
    int r = list_own(&w, SONDE_BEFORE, err);
    r = r < 0 ? r : list_own(&w, SONDE_AFTER, err);
    r = r < 0 ? r : pair_functions(&w, BY_PLACE, err);
    r = r < 0 ? r : pair_functions(&w, NAMED, err);
    r = r < 0 ? r : pair_functions(&w, ANONYMOUS, err);
    r = r < 0 ? r : add_rest(&w, err);
    r = r < 0 ? r : keep_changes(&w, err);
    for (int side = 0; side < SONDE_SIDES; side++) {
        free(w.rows[side]);
        free(w.own[side]);
    }
    sonde_map_fini(&w.moved);
    if (r < 0) {
        sonde_coverage_comparison_fini(ret);
    }
    return r;
}

void sonde_coverage_comparison_fini(struct sonde_coverage_comparison *comparison)
{
    if (comparison) {
        free(comparison->changes);
        free(comparison->differences);
        sonde_arena_fini(&comparison->text);
        *comparison = (struct sonde_coverage_comparison){0};
    }
}
