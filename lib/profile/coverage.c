/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/coverage.h"

#include <stdlib.h>

#include "profile/coverage_internal.h"

void sonde_coverage_init(struct sonde_coverage *coverage)
{
    *coverage = (struct sonde_coverage){
        .text = SONDE_ARENA(SONDE_COVERAGE_TEXT_MAX),
        .texts = SONDE_MAP(SONDE_COVERAGE_FUNCTIONS_MAX),
        .script_index = SONDE_MAP(SONDE_COVERAGE_SCRIPTS_MAX),
        .function_index = SONDE_MAP(SONDE_COVERAGE_FUNCTIONS_MAX),
        .budget = {.maximum = SONDE_COVERAGE_BYTES_MAX},
    };
}

void sonde_coverage_fini(struct sonde_coverage *coverage)
{
    if (coverage) {
        sonde_map_fini(&coverage->texts);
        sonde_map_fini(&coverage->script_index);
        sonde_map_fini(&coverage->function_index);
        sonde_arena_fini(&coverage->text);
        free(coverage->scripts);
        free(coverage->functions);
        free(coverage->segments);
        free(coverage->lines);
        free(coverage->sources);
        free(coverage->places);
        *coverage = (struct sonde_coverage){0};
    }
}

static int failed(int code, const char *what, struct sonde_err *err)
{
    return code == SONDE_ENOMEM ? sonde_fail(err, code, 0, "coverage: out of memory")
                                : sonde_fail(err, SONDE_ELIMIT, 0, "coverage: too many %s", what);
}

int sonde_coverage_no_room(const struct sonde_coverage *coverage, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ELIMIT, 0,
                      "the coverage takes more than %zu KiB of memory: capture fewer processes",
                      coverage->budget.maximum >> 10);
}

/* Room for one more in an array. */
static int grow(struct sonde_coverage *c, void *array, size_t *capacity, size_t count,
                size_t element, size_t maximum, const char *what, struct sonde_err *err)
{
    int r = sonde_array_grow_within(&c->budget, array, capacity, count + 1, element, maximum);
    if (r == SONDE_ELIMIT && count < maximum) {
        return sonde_coverage_no_room(c, err);
    }
    return r < 0 ? failed(r, what, err) : 0;
}

/* Finds a key, or enters a copy of it with the value `next`. */
static int enter(struct sonde_coverage *c, struct sonde_map *map, struct sonde_str key,
                 uint64_t next, struct sonde_map_slot **ret, struct sonde_err *err)
{
    bool fresh;
    bool full = map->count >= map->maximum || key.length >= c->text.maximum - c->text.used;
    int r = sonde_map_keep(map, key, &c->text, &c->budget, ret, &fresh);
    if (r == SONDE_ELIMIT && !full) {
        return sonde_coverage_no_room(c, err);
    }
    if (r == 0 && fresh) {
        (*ret)->value = next;
    }
    return r < 0 ? failed(r, "names", err) : 0;
}

int sonde_coverage_intern(struct sonde_coverage *coverage, struct sonde_str text,
                          struct sonde_str *ret, struct sonde_err *err)
{
    struct sonde_map_slot *slot;
    int r = enter(coverage, &coverage->texts, sonde_profile_cut(text), 0, &slot, err);
    if (r == 0) {
        *ret = slot->key;
    }
    return r;
}

int sonde_coverage_script(struct sonde_coverage *coverage, struct sonde_str url, uint32_t *ret,
                          struct sonde_err *err)
{
    struct sonde_coverage *c = coverage;
    struct sonde_map_slot *slot;
    int r = grow(c, &c->scripts, &c->script_capacity, c->script_count, sizeof(*c->scripts),
                 SONDE_COVERAGE_SCRIPTS_MAX, "scripts", err);
    if (r < 0) {
        return r;
    }
    r = enter(c, &c->script_index, sonde_profile_cut(url), c->script_count, &slot, err);
    if (r < 0) {
        return r;
    }
    if (slot->value == c->script_count) {
        struct sonde_coverage_script *script = &c->scripts[c->script_count++];
        *script = (struct sonde_coverage_script){.url = slot->key};
        script->category = sonde_category_of(SONDE_STR(""), slot->key, &script->package);
    }
    *ret = (uint32_t)slot->value;
    return 0;
}

/* ---- segments ---- */

static int push(struct sonde_coverage *c, uint32_t start, uint32_t end, uint64_t count,
                size_t first, struct sonde_err *err)
{
    if (start >= end) {
        return 0;
    }
    struct sonde_coverage_segment *last =
        c->segment_count > first ? &c->segments[c->segment_count - 1] : NULL;
    if (last && last->end == start && last->count == count) {
        last->end = end;
        return 0;
    }
    int r = grow(c, &c->segments, &c->segment_capacity, c->segment_count, sizeof(*c->segments),
                 SONDE_COVERAGE_SEGMENTS_MAX, "blocks", err);
    if (r < 0) {
        return r;
    }
    c->segments[c->segment_count++] = (struct sonde_coverage_segment){start, end, count};
    return 0;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct sonde_coverage_segment *left = a;
    const struct sonde_coverage_segment *right = b;
    if (left->start != right->start) {
        return left->start < right->start ? -1 : 1;
    }
    return (left->end < right->end) - (left->end > right->end);
}

/* Ranges that are open at a place, the innermost last. */
struct open {
    struct sonde_coverage *coverage;
    const struct sonde_coverage_segment *ranges;
    uint32_t *stack;
    size_t depth;
    uint32_t at; /* up to here, stretches were pushed */
    size_t first;
};

/* Pushes the innermost range up to `end`. */
static int push_up_to(struct open *o, uint32_t end, struct sonde_err *err)
{
    uint64_t count = o->ranges[o->stack[o->depth - 1]].count;
    int r = push(o->coverage, o->at, end, count, o->first, err);
    o->at = end > o->at ? end : o->at;
    return r;
}

/* Closes those that end at or before `place`. */
static int close_ranges(struct open *o, uint32_t place, struct sonde_err *err)
{
    int r = 0;
    while (o->depth && o->ranges[o->stack[o->depth - 1]].end <= place && r == 0) {
        r = push_up_to(o, o->ranges[o->stack[o->depth - 1]].end, err);
        o->depth--;
    }
    return r;
}

/* Cuts ranges to the first one, which is the function, and puts them in order. */
static void order(struct sonde_coverage_segment *ranges, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct sonde_coverage_segment *range = &ranges[i];
        range->start = range->start < ranges->start ? ranges->start : range->start;
        range->end = range->end > ranges->end ? ranges->end : range->end;
    }
    qsort(ranges + 1, count - 1, sizeof(*ranges), compare_ranges);
}

/* Nested ranges become stretches, one after the other: the innermost range counts. Ranges that only
 * overlap are cut to the one that is open. */
static int flatten(struct sonde_coverage *c, struct sonde_coverage_segment *ranges, size_t count,
                   struct sonde_err *err)
{
    SONDE_FREE uint32_t *stack = calloc(count, sizeof(*stack));
    if (!stack) {
        return failed(SONDE_ENOMEM, "", err);
    }
    order(ranges, count);
    struct open open = {c, ranges, stack, 0, ranges->start, c->segment_count};
    int r = 0;
    for (uint32_t i = 0; i < count && r == 0; i++) {
        struct sonde_coverage_segment *range = &ranges[i];
        if (range->start >= range->end) {
            continue;
        }
        r = close_ranges(&open, range->start, err);
        if (r == 0 && open.depth) {
            uint32_t end = ranges[stack[open.depth - 1]].end;
            range->end = range->end > end ? end : range->end;
            r = push_up_to(&open, range->start, err);
        }
        stack[open.depth++] = i;
    }
    return r < 0 ? r : close_ranges(&open, UINT32_MAX, err);
}

static uint64_t add_counts(uint64_t a, uint64_t b)
{
    return a + b < SONDE_COVERAGE_COUNT_MAX ? a + b : SONDE_COVERAGE_COUNT_MAX;
}

/* The sums of two lists of stretches of the same function, behind all others. */
static int merge(struct sonde_coverage *c, size_t a, size_t a_end, size_t b, size_t b_end,
                 struct sonde_err *err)
{
    size_t first = c->segment_count;
    uint32_t at = 0;
    int r = 0;
    while (a < a_end && b < b_end && r == 0) {
        struct sonde_coverage_segment left = c->segments[a];
        struct sonde_coverage_segment right = c->segments[b];
        uint32_t start = left.start > right.start ? left.start : right.start;
        uint32_t end = left.end < right.end ? left.end : right.end;
        start = start > at ? start : at;
        r = push(c, start, end, add_counts(left.count, right.count), first, err);
        at = end;
        a += left.end <= end;
        b += right.end <= end;
    }
    return r;
}

struct function_key {
    const char *name;
    uint32_t script, start, end, padding;
};

int sonde_coverage_function(struct sonde_coverage *coverage, uint32_t script, struct sonde_str name,
                            struct sonde_coverage_segment *ranges, size_t count,
                            struct sonde_err *err)
{
    struct sonde_coverage *c = coverage;
    struct sonde_map_slot *slot;
    struct function_key key = {name.data, script, ranges[0].start, ranges[0].end, 0};
    int r = grow(c, &c->functions, &c->function_capacity, c->function_count, sizeof(*c->functions),
                 SONDE_COVERAGE_FUNCTIONS_MAX, "functions", err);
    if (r < 0) {
        return r;
    }
    uint64_t calls = ranges[0].count;
    uint32_t *last = &c->scripts[script].end;
    *last = ranges[0].end > *last ? ranges[0].end : *last;
    size_t first = c->segment_count;
    r = enter(c, &c->function_index, (struct sonde_str){(const char *)&key, sizeof(key)},
              c->function_count, &slot, err);
    r = r < 0 ? r : flatten(c, ranges, count, err);
    if (r < 0) {
        return r;
    }
    struct sonde_coverage_function *function = &c->functions[slot->value];
    if (slot->value == c->function_count) {
        c->function_count++;
        *function = (struct sonde_coverage_function){
            .name = name, .script = script, .start = key.start, .end = key.end, .count = calls};
    } else {
        size_t end = c->segment_count;
        r = merge(c, function->first_segment, function->first_segment + function->segment_count,
                  first, end, err);
        function->count = add_counts(function->count, calls);
        first = end;
    }
    function->first_segment = (uint32_t)first;
    function->segment_count = (uint32_t)(c->segment_count - first);
    return r;
}

int sonde_coverage_compact(struct sonde_coverage *coverage, struct sonde_err *err)
{
    struct sonde_coverage *c = coverage;
    size_t count = 0;
    for (size_t i = 0; i < c->function_count; i++) {
        count += c->functions[i].segment_count;
    }
    if (count == c->segment_count) {
        return 0;
    }
    struct sonde_coverage_segment *segments = calloc(count + 1, sizeof(*segments));
    if (!segments) {
        return failed(SONDE_ENOMEM, "", err);
    }
    count = 0;
    for (size_t i = 0; i < c->function_count; i++) {
        struct sonde_coverage_function *function = &c->functions[i];
        memcpy(&segments[count], &c->segments[function->first_segment],
               function->segment_count * sizeof(*segments));
        function->first_segment = (uint32_t)count;
        count += function->segment_count;
    }
    free(c->segments);
    c->budget.used -= (c->segment_capacity - (count + 1)) * sizeof(*segments);
    c->segments = segments;
    c->segment_count = count;
    c->segment_capacity = count + 1;
    return 0;
}

/* ---- lines ---- */

int sonde_coverage_add_line(struct sonde_coverage *coverage, uint32_t script, uint32_t start,
                            struct sonde_err *err)
{
    struct sonde_coverage *c = coverage;
    int r = grow(c, &c->lines, &c->line_capacity, c->line_count, sizeof(*c->lines),
                 SONDE_COVERAGE_LINES_MAX, "lines", err);
    if (r < 0) {
        return r;
    }
    struct sonde_coverage_script *to = &c->scripts[script];
    if (to->line_count == 0) {
        to->first_line = (uint32_t)c->line_count;
    }
    c->lines[c->line_count++] = start;
    to->line_count++;
    return 0;
}

int32_t sonde_coverage_line(const struct sonde_coverage *coverage, uint32_t script, uint32_t offset)
{
    const struct sonde_coverage_script *of = &coverage->scripts[script];
    uint32_t low = 0;
    uint32_t high = of->line_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (coverage->lines[of->first_line + middle] <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (int32_t)low;
}
