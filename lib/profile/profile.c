/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/profile.h"

#include <stdlib.h>

static int grow_failed(int code, const char *what, size_t maximum, struct sonde_err *err)
{
    if (code == SONDE_ELIMIT) {
        return sonde_fail(err, code, 0, "the profile has more than %zu %s", maximum, what);
    }
    return sonde_fail(err, SONDE_ENOMEM, 0, "the profile: out of memory");
}

int sonde_profile_init(struct sonde_profile *profile, struct sonde_err *err)
{
    *profile = (struct sonde_profile){
        .text = SONDE_ARENA(SONDE_PROFILE_TEXT_MAX),
        .texts = SONDE_MAP(3 * (size_t)SONDE_PROFILE_FRAMES_MAX),
        .frame_index = SONDE_MAP(SONDE_PROFILE_FRAMES_MAX),
        .node_index = SONDE_MAP(SONDE_PROFILE_NODES_MAX),
        .line_index = SONDE_MAP(SONDE_PROFILE_LINES_MAX),
    };
    uint32_t frame;
    int r = sonde_profile_frame(profile, SONDE_STR("(root)"), SONDE_STR(""), 0, 0, &frame, err);
    if (r < 0) {
        return r;
    }
    r = sonde_array_grow(&profile->nodes, &profile->node_capacity, 1, sizeof(*profile->nodes),
                         SONDE_PROFILE_NODES_MAX);
    if (r < 0) {
        return grow_failed(r, "nodes", SONDE_PROFILE_NODES_MAX, err);
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
    *profile = (struct sonde_profile){0};
}

/* Finds or makes the entry of a key of `length` bytes; a new key is copied into the arena. */
static int intern(struct sonde_profile *profile, struct sonde_map *map, struct sonde_str key,
                  struct sonde_map_slot **ret, bool *ret_new, struct sonde_err *err)
{
    int r = sonde_map_insert(map, key, ret, ret_new);
    if (r < 0) {
        return grow_failed(r, "entries", map->maximum, err);
    }
    if (*ret_new) {
        /* The caller's bytes go away; until the copy stands, the slot must not point at them. */
        size_t room = profile->text.maximum - profile->text.used;
        struct sonde_str copy = sonde_arena_copy(&profile->text, key);
        (*ret)->key = copy.data ? copy : (struct sonde_str){"", 0};
        if (!copy.data) {
            return grow_failed(key.length < room ? SONDE_ENOMEM : SONDE_ELIMIT, "bytes of names",
                               profile->text.maximum, err);
        }
    }
    return 0;
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
    r = sonde_array_grow(&profile->frames, &profile->frame_capacity, profile->frame_count + 1,
                         sizeof(*profile->frames), SONDE_PROFILE_FRAMES_MAX);
    if (r < 0) {
        return grow_failed(r, "functions", SONDE_PROFILE_FRAMES_MAX, err);
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
    int r = sonde_array_grow(&profile->nodes, &profile->node_capacity, profile->node_count + 1,
                             sizeof(*profile->nodes), SONDE_PROFILE_NODES_MAX);
    if (r < 0) {
        return grow_failed(r, "nodes", SONDE_PROFILE_NODES_MAX, err);
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
    int r = sonde_array_grow(&profile->lines, &profile->line_capacity, profile->line_count + 1,
                             sizeof(*profile->lines), SONDE_PROFILE_LINES_MAX);
    if (r < 0) {
        return grow_failed(r, "lines", SONDE_PROFILE_LINES_MAX, err);
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

int sonde_profile_add_sample(struct sonde_profile *profile, uint32_t node, int64_t duration_us,
                             struct sonde_err *err)
{
    int r =
        sonde_array_grow(&profile->samples, &profile->sample_capacity, profile->sample_count + 1,
                         sizeof(*profile->samples), SONDE_PROFILE_SAMPLES_MAX);
    if (r < 0) {
        return grow_failed(r, "samples", SONDE_PROFILE_SAMPLES_MAX, err);
    }
    uint32_t duration = duration_us > UINT32_MAX ? UINT32_MAX : (uint32_t)duration_us;
    profile->samples[profile->sample_count++] = (struct sonde_profile_sample){node, duration};
    bool full = profile->nodes[node].samples == UINT32_MAX;
    profile->nodes[node].samples += !full;
    profile->nodes[node].self_ns += (int64_t)duration * 1000;
    profile->total_ns += (int64_t)duration * 1000;
    profile->total_samples += !full;
    return 0;
}

bool sonde_profile_extend_sample(struct sonde_profile *profile, size_t index, int64_t duration_us)
{
    struct sonde_profile_sample *sample = &profile->samples[index];
    if (duration_us > UINT32_MAX - (int64_t)sample->duration_us) {
        return false;
    }
    sample->duration_us += (uint32_t)duration_us;
    profile->nodes[sample->node].self_ns += duration_us * 1000;
    profile->total_ns += duration_us * 1000;
    return true;
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
