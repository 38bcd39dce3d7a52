/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/compare_coverage.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/report.h"
#include "base/map.h"

enum { NONE = 0 };

/* A function of the application. Equal texts have one address, so that its first bytes are a key:
 * "file, name" and "file, name, number". */
struct own {
    const char *file, *name; /* the file relative to the directory */
    uint64_t number;         /* what tells those of one name apart */
    uint32_t function;
    uint32_t row; /* plus 1, or NONE */
};
enum { NAME_KEY = offsetof(struct own, number), KEY = offsetof(struct own, function) };

struct work {
    struct sonde_coverage_comparison *comparison;
    struct sonde_map texts;
    struct own *own[SONDE_SIDES]; /* in the order of their places */
    size_t own_count[SONDE_SIDES];
    struct sonde_map moved; /* files whose functions are at other places */
};

static int failed(const struct sonde_coverage_comparison *c, int code, struct sonde_err *err)
{
    if (code == SONDE_ELIMIT) {
        return sonde_fail(
            err, code, 0,
            "the comparison takes more than %zu KiB of memory: capture fewer processes, "
            "or for a shorter time",
            c->budget.maximum >> 10);
    }
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
    uint32_t left = ((const struct own *)a)->function;
    uint32_t right = ((const struct own *)b)->function;
    uint64_t at_left = place_of(c, left);
    uint64_t at_right = place_of(c, right);
    return at_left != at_right ? (at_left > at_right) - (at_left < at_right)
                               : (left > right) - (left < right);
}

static int intern(struct work *w, struct sonde_str text, const char **ret, struct sonde_err *err)
{
    struct sonde_map_slot *slot;
    bool fresh;
    struct sonde_coverage_comparison *c = w->comparison;
    int r = sonde_map_keep(&w->texts, text, &c->text, &c->budget, &slot, &fresh);
    if (r < 0) {
        return failed(c, r, err);
    }
    *ret = slot->key.data;
    return 0;
}

static int name_own(struct work *w, int side, struct own *own, struct sonde_err *err)
{
    const struct sonde_coverage *c = coverage_of(w, side);
    SONDE_BUF_AUTO file = SONDE_BUF(4 * SONDE_PROFILE_NAME_MAX);
    sonde_report_place(w->comparison->sides[side].directory,
                       sonde_coverage_position(c, own->function).file, 0, &file);
    int r = sonde_buf_check(&file, "a file's name", err);
    r = r < 0 ? r : intern(w, sonde_buf_view(&file), &own->file, err);
    return r < 0 ? r : intern(w, sonde_coverage_name(c, own->function), &own->name, err);
}

static int list_own(struct work *w, int side, struct sonde_err *err)
{
    const struct sonde_coverage_analysis *a = w->comparison->sides[side].analysis;
    size_t count = a->hottest_count + a->never_count;
    union {
        const struct sonde_coverage *from;
        void *to;
    } context = {a->coverage};
    if (!sonde_budget_take(&w->comparison->budget, (count + 1) * sizeof(*w->own[side]))) {
        return failed(w->comparison, SONDE_ELIMIT, err);
    }
    w->own[side] = calloc(count + 1, sizeof(*w->own[side]));
    if (!w->own[side]) {
        return failed(w->comparison, SONDE_ENOMEM, err);
    }
    w->own_count[side] = count;
    for (size_t i = 0; i < count; i++) {
        w->own[side][i].function =
            i < a->hottest_count ? a->hottest[i] : a->never[i - a->hottest_count];
    }
    qsort_r(w->own[side], count, sizeof(*w->own[side]), compare_places, context.to);
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        r = name_own(w, side, &w->own[side][i], err);
    }
    return r;
}

static int add_row(struct work *w, const struct own *own, uint32_t *ret, struct sonde_err *err)
{
    struct sonde_coverage_comparison *c = w->comparison;
    int r = sonde_array_grow_within(&c->budget, &c->changes, &c->capacity, c->count + 1,
                                    sizeof(*c->changes), UINT32_MAX);
    if (r < 0) {
        return failed(c, r, err);
    }
    c->changes[c->count++] =
        (struct sonde_coverage_change){.file = sonde_str(own->file), .name = sonde_str(own->name)};
    *ret = (uint32_t)c->count;
    return 0;
}

static void put_into_row(struct work *w, int side, struct own *own, uint32_t row)
{
    const struct sonde_coverage *c = coverage_of(w, side);
    struct sonde_coverage_change *change = &w->comparison->changes[row - 1];
    const struct sonde_coverage_function *function = &c->functions[own->function];
    own->row = row;
    change->there[side] = true;
    change->functions[side] = own->function;
    change->lines[side] = sonde_coverage_position(c, own->function).line;
    change->calls[side] = function->count;
    change->characters = function->end - function->start;
}

/* In which order functions are found again. V8 knows different ones of the same text in two runs,
 * so that those of one name are paired only where text was surely moved: where a function that has
 * a name was found at another place. */
enum round { BY_PLACE, NAMED, ANONYMOUS };

static struct sonde_str key_of(const void *at, size_t length)
{
    return (struct sonde_str){at, length};
}

/* Whether the round looks for it. */
static bool is_wanted(const struct work *w, enum round round, const struct own *own)
{
    bool named = strcmp(own->name, "(anonymous)") != 0;
    return round == BY_PLACE ||
           (round == NAMED
                ? named
                : !named && sonde_map_find(&w->moved, key_of(&own->file, sizeof(own->file))));
}

/* The key's bytes are those of a function, which stay. */
static int enter(struct work *w, struct sonde_map *map, struct sonde_str key,
                 struct sonde_map_slot **ret, bool *ret_new, struct sonde_err *err)
{
    int r = sonde_map_keep(map, key, NULL, &w->comparison->budget, ret, ret_new);
    return r < 0 ? failed(w->comparison, r, err) : 0;
}

static void leave(struct work *w, struct sonde_map *map)
{
    w->comparison->budget.used -= map->capacity * sizeof(*map->slots);
    sonde_map_fini(map);
}

static int join(struct work *w, enum round round, struct own *before, struct own *after,
                struct sonde_err *err)
{
    struct sonde_map_slot *slot;
    bool fresh;
    uint32_t row = NONE;
    int r = add_row(w, after, &row, err);
    if (r < 0) {
        return r;
    }
    put_into_row(w, SONDE_BEFORE, before, row);
    put_into_row(w, SONDE_AFTER, after, row);
    return round == NAMED
               ? enter(w, &w->moved, key_of(&after->file, sizeof(after->file)), &slot, &fresh, err)
               : 0;
}

static int pair_function(struct work *w, enum round round, int side, struct own *own,
                         struct sonde_map *index, struct sonde_map *numbers, struct sonde_err *err)
{
    struct sonde_map_slot *slot;
    bool fresh;
    if (own->row != NONE || !is_wanted(w, round, own)) {
        return 0;
    }
    own->number = place_of(coverage_of(w, side), own->function);
    if (round != BY_PLACE) {
        int r = enter(w, numbers, key_of(own, NAME_KEY), &slot, &fresh, err);
        if (r < 0) {
            return r;
        }
        own->number = slot->value++;
    }
    if (side == SONDE_BEFORE) {
        int r = enter(w, index, key_of(own, KEY), &slot, &fresh, err);
        if (r == 0 && fresh) {
            slot->value = (uint64_t)(own - w->own[SONDE_BEFORE]);
        }
        return r;
    }
    const uint64_t *found = sonde_map_find(index, key_of(own, KEY));
    struct own *before = found ? &w->own[SONDE_BEFORE][*found] : NULL;
    return before && before->row == NONE ? join(w, round, before, own, err) : 0;
}

static int pair_functions(struct work *w, enum round round, struct sonde_err *err)
{
    struct sonde_map index = SONDE_MAP(UINT32_MAX);
    int r = 0;
    for (int side = 0; side < SONDE_SIDES; side++) {
        struct sonde_map numbers = SONDE_MAP(UINT32_MAX);
        for (size_t i = 0; i < w->own_count[side] && r == 0; i++) {
            r = pair_function(w, round, side, &w->own[side][i], &index, &numbers, err);
        }
        leave(w, &numbers);
    }
    leave(w, &index);
    return r;
}

/* What has found no partner. */
static int add_rest(struct work *w, struct sonde_err *err)
{
    int r = 0;
    for (int side = 0; side < SONDE_SIDES; side++) {
        for (size_t i = 0; i < w->own_count[side] && r == 0; i++) {
            struct own *own = &w->own[side][i];
            uint32_t row;
            if (own->row != NONE) {
                continue;
            }
            r = add_row(w, own, &row, err);
            if (r == 0) {
                put_into_row(w, side, own, row);
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
    int r = sonde_array_grow_within(&c->budget, &c->differences, &c->difference_capacity,
                                    c->difference_count + 1, sizeof(*c->differences), SIZE_MAX);
    if (r < 0) {
        return failed(c, r, err);
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
                           const struct sonde_coverage_side *after, size_t bytes_max,
                           struct sonde_coverage_comparison *ret, struct sonde_err *err)
{
    struct work w = {
        .comparison = ret, .texts = SONDE_MAP(UINT32_MAX), .moved = SONDE_MAP(UINT32_MAX)};
    *ret = (struct sonde_coverage_comparison){.sides = {*before, *after},
                                              .text = SONDE_ARENA(bytes_max),
                                              .budget = {.maximum = bytes_max}};
    int r = list_own(&w, SONDE_BEFORE, err);
    r = r < 0 ? r : list_own(&w, SONDE_AFTER, err);
    r = r < 0 ? r : pair_functions(&w, BY_PLACE, err);
    r = r < 0 ? r : pair_functions(&w, NAMED, err);
    r = r < 0 ? r : pair_functions(&w, ANONYMOUS, err);
    r = r < 0 ? r : add_rest(&w, err);
    r = r < 0 ? r : keep_changes(&w, err);
    for (int side = 0; side < SONDE_SIDES; side++) {
        free(w.own[side]);
    }
    sonde_map_fini(&w.texts);
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
