/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/profile.h"

#include <stdalign.h>
#include <stdlib.h>

static int grow_failed(int code, const char *what, size_t maximum, struct sonde_err *err)
{
    if (code == SONDE_ELIMIT) {
        return sonde_fail(err, code, 0, "the profile has more than %zu %s", maximum, what);
    }
    return sonde_fail(err, SONDE_ENOMEM, 0, "the profile: out of memory");
}

static void free_samples(struct sonde_profile *profile)
{
    profile->budget.used -= profile->sample_capacity * sizeof(*profile->samples);
    free(SONDE_TAKE(profile->samples));
    profile->sample_count = profile->sample_capacity = 0;
}

/* When they were taken gives way to what there is to count. */
static void forget_samples(struct sonde_profile *profile)
{
    free_samples(profile);
    profile->forgetful = true;
    profile->unordered = true;
}

static int no_room(const struct sonde_profile *profile, struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ELIMIT, 0,
                      "the profile takes more than %zu KiB of memory: capture less at a time",
                      profile->budget.maximum >> 10);
}

static int make_room(struct sonde_profile *profile, size_t bytes, struct sonde_err *err)
{
    const struct sonde_budget *budget = &profile->budget;
    if (bytes > budget->maximum - budget->used) {
        forget_samples(profile);
    }
    return bytes > budget->maximum - budget->used ? no_room(profile, err) : 0;
}

/* Room for one more in an array. */
static int grow(struct sonde_profile *profile, void *array, size_t *capacity, size_t count,
                size_t element, size_t maximum, const char *what, struct sonde_err *err)
{
    struct sonde_budget *budget = &profile->budget;
    int r = sonde_array_grow_within(budget, array, capacity, count + 1, element, maximum);
    if (r == SONDE_ELIMIT && count < maximum) {
        forget_samples(profile);
        r = sonde_array_grow_within(budget, array, capacity, count + 1, element, maximum);
    }
    if (r == SONDE_ELIMIT && count < maximum) {
        return no_room(profile, err);
    }
    return r < 0 ? grow_failed(r, what, maximum, err) : 0;
}

int sonde_profile_init(struct sonde_profile *profile, struct sonde_err *err)
{
    *profile = (struct sonde_profile){
        .text = SONDE_ARENA(SONDE_PROFILE_TEXT_MAX),
        .texts = SONDE_MAP(3 * (size_t)SONDE_PROFILE_FRAMES_MAX),
        .frame_index = SONDE_MAP(SONDE_PROFILE_FRAMES_MAX),
        .node_index = SONDE_MAP(SONDE_PROFILE_NODES_MAX),
        .line_index = SONDE_MAP(SONDE_PROFILE_LINES_MAX),
        .budget = {.maximum = SONDE_PROFILE_BYTES_MAX},
    };
    uint32_t frame;
    int r = sonde_profile_frame(profile, SONDE_STR("(root)"), SONDE_STR(""), 0, 0, &frame, err);
    if (r < 0) {
        return r;
    }
    r = grow(profile, &profile->nodes, &profile->node_capacity, 0, sizeof(*profile->nodes),
             SONDE_PROFILE_NODES_MAX, "nodes", err);
    if (r < 0) {
        return r;
    }
    profile->nodes[profile->node_count++] = (struct sonde_profile_node){.frame = frame};
    return 0;
}

void sonde_profile_fini(struct sonde_profile *profile)
{
    if (!profile) {
        return;
    }
    sonde_map_fini(&profile->texts);
    sonde_map_fini(&profile->frame_index);
    sonde_map_fini(&profile->node_index);
    sonde_map_fini(&profile->line_index);
    sonde_arena_fini(&profile->text);
    free(profile->frames);
    free(profile->nodes);
    free(profile->lines);
    free(profile->samples);
    free(profile->allocations);
    *profile = (struct sonde_profile){0};
}

void sonde_profile_settle(struct sonde_profile *profile)
{
    struct sonde_map *const maps[] = {&profile->texts, &profile->frame_index, &profile->node_index,
                                      &profile->line_index};
    for (size_t i = 0; i < SONDE_LENGTH(maps); i++) {
        profile->budget.used -= maps[i]->capacity * sizeof(*maps[i]->slots);
        sonde_map_fini(maps[i]);
    }
    free_samples(profile);
    profile->budget.used -= profile->node_capacity * sizeof(*profile->nodes) +
                            profile->line_capacity * sizeof(*profile->lines) +
                            profile->allocation_capacity * sizeof(*profile->allocations);
    free(SONDE_TAKE(profile->nodes));
    free(SONDE_TAKE(profile->lines));
    free(SONDE_TAKE(profile->allocations));
    profile->node_count = profile->node_capacity = 0;
    profile->line_count = profile->line_capacity = 0;
    profile->allocation_count = profile->allocation_capacity = 0;
}

/* Finds or makes the entry of a key of `length` bytes; a new key is copied into the arena. */
static int intern(struct sonde_profile *profile, struct sonde_map *map, struct sonde_str key,
                  struct sonde_map_slot **ret, bool *ret_new, struct sonde_err *err)
{
    size_t bytes = sonde_map_growth(map) + key.length + alignof(max_align_t);
    int r = make_room(profile, bytes, err);
    if (r < 0) {
        return r;
    }
    bool full = map->count >= map->maximum;
    r = sonde_map_keep(map, key, &profile->text, &profile->budget, ret, ret_new);
    return r < 0 ? grow_failed(r, full ? "entries" : "bytes of names",
                               full ? map->maximum : profile->text.maximum, err)
                 : 0;
}

struct sonde_str sonde_profile_cut(struct sonde_str text)
{
    if (text.length > SONDE_PROFILE_NAME_MAX) {
        text.length = SONDE_PROFILE_NAME_MAX;
        while (text.length && ((unsigned char)text.data[text.length] & 0xc0) == 0x80) {
            text.length--;
        }
    }
    return text;
}

int sonde_profile_text(struct sonde_profile *profile, struct sonde_str text, struct sonde_str *ret,
                       struct sonde_err *err)
{
    text = sonde_profile_cut(text);
    struct sonde_map_slot *slot;
    bool fresh;
    int r = intern(profile, &profile->texts, text, &slot, &fresh, err);
    if (r == 0) {
        *ret = slot->key;
    }
    return r;
}

/* Finds the number of a key, or enters it as `count`, the next of an array with room for it: with
 * that nothing can fail between the entry and the item. */
static int find_or_enter(struct sonde_profile *profile, struct sonde_map *map, struct sonde_str key,
                         size_t count, uint32_t *ret, struct sonde_err *err)
{
    struct sonde_map_slot *slot;
    bool fresh;
    int r = intern(profile, map, key, &slot, &fresh, err);
    if (r == 0) {
        slot->value = fresh ? count : slot->value;
        *ret = (uint32_t)slot->value;
    }
    return r;
}

struct frame_key {
    const char *function;
    const char *url;
    int32_t line, column;
};

int sonde_profile_frame(struct sonde_profile *profile, struct sonde_str function,
                        struct sonde_str url, int32_t line, int32_t column, uint32_t *ret,
                        struct sonde_err *err)
{
    int r = sonde_profile_text(profile, function, &function, err);
    r = r < 0 ? r : sonde_profile_text(profile, url, &url, err);
    if (r < 0) {
        return r;
    }
    r = grow(profile, &profile->frames, &profile->frame_capacity, profile->frame_count,
             sizeof(*profile->frames), SONDE_PROFILE_FRAMES_MAX, "functions", err);
    if (r < 0) {
        return r;
    }
    /* Equal texts have one address: the addresses are the key. */
    struct frame_key key = {function.data, url.data, line, column};
    r = find_or_enter(profile, &profile->frame_index,
                      (struct sonde_str){(const char *)&key, sizeof(key)}, profile->frame_count,
                      ret, err);
    if (r == 0 && *ret == profile->frame_count) {
        struct sonde_frame *frame = &profile->frames[profile->frame_count++];
        *frame = (struct sonde_frame){.function = function, .generated = {url, line, column}};
        frame->category = sonde_category_of(function, url, &frame->package);
    }
    return r;
}

int sonde_profile_node(struct sonde_profile *profile, uint32_t parent, uint32_t frame,
                       uint32_t *ret, struct sonde_err *err)
{
    uint32_t key[2] = {parent, frame};
    int r = grow(profile, &profile->nodes, &profile->node_capacity, profile->node_count,
                 sizeof(*profile->nodes), SONDE_PROFILE_NODES_MAX, "nodes", err);
    if (r < 0) {
        return r;
    }
    r = find_or_enter(profile, &profile->node_index,
                      (struct sonde_str){(const char *)key, sizeof(key)}, profile->node_count, ret,
                      err);
    if (r == 0 && *ret == profile->node_count) {
        profile->nodes[profile->node_count++] =
            (struct sonde_profile_node){.frame = frame, .parent = parent};
    }
    return r;
}

int sonde_profile_add_ticks(struct sonde_profile *profile, uint32_t frame, int32_t line,
                            uint32_t ticks, struct sonde_err *err)
{
    uint32_t key[2] = {frame, (uint32_t)line};
    int r = grow(profile, &profile->lines, &profile->line_capacity, profile->line_count,
                 sizeof(*profile->lines), SONDE_PROFILE_LINES_MAX, "lines", err);
    if (r < 0) {
        return r;
    }
    uint32_t item;
    r = find_or_enter(profile, &profile->line_index,
                      (struct sonde_str){(const char *)key, sizeof(key)}, profile->line_count,
                      &item, err);
    if (r < 0) {
        return r;
    }
    if (item == profile->line_count) {
        profile->lines[profile->line_count++] =
            (struct sonde_profile_line){.frame = frame, .line = line};
    }
    uint32_t *sum = &profile->lines[item].ticks;
    *sum = ticks > UINT32_MAX - *sum ? UINT32_MAX : *sum + ticks;
    return 0;
}

static int keep_sample(struct sonde_profile *profile, uint32_t node, uint32_t duration_us,
                       struct sonde_err *err)
{
    if (profile->forgetful) {
        return 0;
    }
    int r = sonde_array_grow_within(&profile->budget, &profile->samples, &profile->sample_capacity,
                                    profile->sample_count + 1, sizeof(*profile->samples),
                                    SONDE_PROFILE_SAMPLES_MAX);
    if (r == SONDE_ELIMIT) {
        forget_samples(profile);
        return 0;
    }
    if (r < 0) {
        return grow_failed(r, "samples", SONDE_PROFILE_SAMPLES_MAX, err);
    }
    profile->samples[profile->sample_count++] = (struct sonde_profile_sample){node, duration_us};
    return 0;
}

int sonde_profile_add_sample(struct sonde_profile *profile, uint32_t node, int64_t duration_us,
                             struct sonde_err *err)
{
    uint32_t duration = duration_us > UINT32_MAX ? UINT32_MAX : (uint32_t)duration_us;
    int r = keep_sample(profile, node, duration, err);
    if (r < 0) {
        return r;
    }
    bool full = profile->nodes[node].samples == UINT32_MAX;
    profile->nodes[node].samples += !full;
    profile->nodes[node].self += (int64_t)duration * 1000;
    profile->total += (int64_t)duration * 1000;
    profile->total_samples += !full;
    return 0;
}

int sonde_profile_add_amount(struct sonde_profile *profile, uint32_t node, int64_t amount,
                             uint64_t samples, struct sonde_err *err)
{
    struct sonde_profile_node *at = &profile->nodes[node];
    if (amount > INT64_MAX - profile->total) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "the profile: its sum is no number any more");
    }
    uint32_t room = UINT32_MAX - at->samples;
    uint32_t added = samples < room ? (uint32_t)samples : room;
    at->samples += added;
    at->self += amount;
    profile->total += amount;
    profile->total_samples += added;
    profile->unordered = true;
    return 0;
}

int sonde_profile_add_allocation(struct sonde_profile *profile, uint32_t node, uint64_t bytes,
                                 struct sonde_err *err)
{
    int r = grow(profile, &profile->allocations, &profile->allocation_capacity,
                 profile->allocation_count, sizeof(*profile->allocations),
                 SONDE_PROFILE_SAMPLES_MAX, "allocations", err);
    if (r < 0) {
        return r;
    }
    profile->allocations[profile->allocation_count++] =
        (struct sonde_profile_allocation){node, bytes};
    return 0;
}

int sonde_profile_set_unit(struct sonde_profile *profile, enum sonde_profile_unit unit,
                           struct sonde_err *err)
{
    if (profile->windows && profile->unit != unit) {
        return sonde_fail(err, SONDE_EINVALID, 0, "time and bytes cannot be added up");
    }
    profile->unit = unit;
    return 0;
}

bool sonde_profile_idles(const struct sonde_profile *profile)
{
    for (size_t i = 0; i < profile->node_count; i++) {
        const struct sonde_profile_node *node = &profile->nodes[i];
        if (node->self > 0 && profile->frames[node->frame].category == SONDE_CATEGORY_IDLE) {
            return true;
        }
    }
    return false;
}

bool sonde_profile_extend_sample(struct sonde_profile *profile, size_t index, int64_t duration_us)
{
    struct sonde_profile_sample *sample = &profile->samples[index];
    if (duration_us > UINT32_MAX - (int64_t)sample->duration_us) {
        return false;
    }
    sample->duration_us += (uint32_t)duration_us;
    profile->nodes[sample->node].self += duration_us * 1000;
    profile->total += duration_us * 1000;
    return true;
}

int sonde_children_link(const struct sonde_profile *profile, struct sonde_children *ret,
                        struct sonde_err *err)
{
    *ret = (struct sonde_children){
        .first = calloc(profile->node_count, sizeof(uint32_t)),
        .next = calloc(profile->node_count, sizeof(uint32_t)),
    };
    if (!ret->first || !ret->next) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the profile: out of memory");
    }
    for (size_t i = profile->node_count; i-- > 1;) {
        uint32_t parent = profile->nodes[i].parent;
        ret->next[i] = ret->first[parent];
        ret->first[parent] = (uint32_t)i;
    }
    return 0;
}

void sonde_children_fini(struct sonde_children *children)
{
    free(children->first);
    free(children->next);
    *children = (struct sonde_children){0};
}

struct sonde_str sonde_frame_name(const struct sonde_frame *frame)
{
    if (frame->source_function.length) {
        return frame->source_function;
    }
    return frame->function.length ? frame->function : SONDE_STR("(anonymous)");
}

const struct sonde_position *sonde_frame_position(const struct sonde_frame *frame)
{
    return frame->source.file.length ? &frame->source : &frame->generated;
}
