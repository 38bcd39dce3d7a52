/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "codec/json_scan.h"
#include "profile/cpuprofile.h"
#include "profile/ids.h"
#include "profile/reading.h"
#include "profile/waits.h"

enum {
    DEPTH_MAX = 16,
    NONE = SONDE_ID_NONE,
};

/* A node as the file has it. */
struct raw_node {
    uint64_t id;
    uint32_t frame;
    uint32_t hits;
    uint32_t parent; /* index of a raw node, or NONE */
    uint32_t node;   /* index in the profile, or NONE */
    uint64_t parent_id;
    bool has_parent;
};

struct edge {
    uint32_t parent; /* index of a raw node */
    uint64_t child;  /* id */
};

enum section { ELSEWHERE, NODES, SAMPLES, TIME_DELTAS, START_TIME, END_TIME };
enum field {
    UNKNOWN,
    ID,
    HIT_COUNT,
    CHILDREN,
    PARENT,
    CALL_FRAME,
    POSITION_TICKS,
    LINE,
    TICKS,
};

static const struct {
    const char *name;
    unsigned depth;
    int value;
} keys[] = {
    {"nodes", 1, NODES},
    {"samples", 1, SAMPLES},
    {"timeDeltas", 1, TIME_DELTAS},
    {"startTime", 1, START_TIME},
    {"endTime", 1, END_TIME},
    {"id", 3, ID},
    {"hitCount", 3, HIT_COUNT},
    {"children", 3, CHILDREN},
    {"parent", 3, PARENT},
    {"callFrame", 3, CALL_FRAME},
    {"positionTicks", 3, POSITION_TICKS},
    {"line", 5, LINE},
    {"ticks", 5, TICKS},
};

struct sonde_cpuprofile_reader {
    struct sonde_profile *profile;
    struct sonde_profile_source *source;
    struct sonde_json_scanner scanner;
    enum section section;
    enum field field, part; /* of a node; of its positionTicks */
    struct raw_node *nodes;
    size_t node_count, node_capacity;
    struct edge *edges;
    size_t edge_count, edge_capacity;
    uint64_t *samples; /* ids */
    size_t sample_count, sample_capacity;
    int64_t *deltas; /* µs */
    size_t delta_count, delta_capacity;
    struct sonde_profile_line *ticks; /* frame: index of a raw node */
    size_t tick_count, tick_capacity;
    struct sonde_budget budget; /* of all these */
    struct raw_node current;
    struct sonde_call_frame frame;
    int32_t tick_line;
    uint32_t tick_count_now;
    int64_t start_us, end_us;
    bool has_nodes, has_end;
};

static const char format[] = "cpuprofile";

#define PUSH(reader, array, count, capacity, maximum, what, err, ...)                              \
    __extension__({                                                                                \
        int code_ =                                                                                \
            sonde_array_grow_within(&(reader)->budget, &(reader)->array, &(reader)->capacity,      \
                                    (reader)->count + 1, sizeof(*(reader)->array), (maximum));     \
        if (code_ == 0) {                                                                          \
            (reader)->array[(reader)->count++] = __VA_ARGS__;                                      \
        } else {                                                                                   \
            code_ = sonde_read_no_room(format, code_, (what), (err));                              \
        }                                                                                          \
        code_;                                                                                     \
    })

static int key_value(struct sonde_str text, unsigned depth)
{
    for (size_t i = 0; i < SONDE_LENGTH(keys); i++) {
        if (keys[i].depth == depth && sonde_str_is(text, keys[i].name)) {
            return keys[i].value;
        }
    }
    return 0;
}

static int top_number(struct sonde_cpuprofile_reader *r, const struct sonde_json_token *token,
                      struct sonde_err *err)
{
    int64_t value = sonde_read_whole(token);
    switch (r->section) {
    case START_TIME:
        r->start_us = value;
        return 0;
    case END_TIME:
        r->end_us = value;
        r->has_end = token->depth == 1;
        return 0;
    case SAMPLES:
        return PUSH(r, samples, sample_count, sample_capacity, SONDE_PROFILE_SAMPLES_MAX, "samples",
                    err, (uint64_t)value);
    case TIME_DELTAS:
        return PUSH(r, deltas, delta_count, delta_capacity, SONDE_PROFILE_SAMPLES_MAX, "samples",
                    err, value);
    default:
        return 0;
    }
}

static uint32_t bounded_count(const struct sonde_json_token *token)
{
    int64_t value = sonde_read_whole(token);
    return value < 0 || value > UINT32_MAX ? 0 : (uint32_t)value;
}

static void own_number(struct sonde_cpuprofile_reader *r, const struct sonde_json_token *token)
{
    if (r->field == ID) {
        r->current.id = (uint64_t)sonde_read_whole(token);
    } else if (r->field == HIT_COUNT) {
        r->current.hits = bounded_count(token);
    } else if (r->field == PARENT) {
        r->current.parent_id = (uint64_t)sonde_read_whole(token);
        r->current.has_parent = true;
    }
}

static int node_number(struct sonde_cpuprofile_reader *r, const struct sonde_json_token *token,
                       struct sonde_err *err)
{
    if (token->depth == 3) {
        own_number(r, token);
        return 0;
    }
    if (token->depth == 4 && r->field == CHILDREN) {
        return PUSH(r, edges, edge_count, edge_capacity, SONDE_PROFILE_NODES_MAX, "nodes", err,
                    (struct edge){(uint32_t)r->node_count, (uint64_t)sonde_read_whole(token)});
    }
    bool tick = token->depth == 5 && r->field == POSITION_TICKS;
    if (tick && r->part == LINE) {
        r->tick_line = sonde_read_small(token);
    } else if (tick && r->part == TICKS) {
        r->tick_count_now = bounded_count(token);
    }
    return 0;
}

static int begin_object(struct sonde_cpuprofile_reader *r, unsigned depth)
{
    if (r->section == NODES && depth == 2) {
        r->current = (struct raw_node){.parent = NONE, .node = NONE};
        sonde_call_frame_begin(&r->frame);
    } else if (r->section == NODES && depth == 4) {
        r->tick_line = 0;
        r->tick_count_now = 0;
    }
    return 0;
}

static int end_object(struct sonde_cpuprofile_reader *r, unsigned depth, struct sonde_err *err)
{
    if (r->section != NODES) {
        return 0;
    }
    if (depth == 4 && r->field == POSITION_TICKS && r->tick_line > 0 && r->tick_count_now) {
        return PUSH(r, ticks, tick_count, tick_capacity, SONDE_PROFILE_LINES_MAX, "lines", err,
                    (struct sonde_profile_line){.frame = (uint32_t)r->node_count,
                                                .line = r->tick_line,
                                                .ticks = r->tick_count_now});
    }
    if (depth != 2) {
        return 0;
    }
    int code = sonde_call_frame_end(&r->frame, r->profile, &r->current.frame, err);
    return code ? code
                : PUSH(r, nodes, node_count, node_capacity, SONDE_PROFILE_NODES_MAX, "nodes", err,
                       r->current);
}

static int on_token(void *context, struct sonde_json_scanner *scanner,
                    const struct sonde_json_token *token, struct sonde_err *err)
{
    (void)scanner;
    struct sonde_cpuprofile_reader *r = context;
    if (r->section == NODES && r->field == CALL_FRAME && token->depth == 4) {
        return sonde_call_frame_take(&r->frame, token, err);
    }
    switch (token->event) {
    case SONDE_JSON_KEY:
        if (token->depth == 1) {
            r->section = (enum section)key_value(token->text, 1);
            r->has_nodes = r->has_nodes || r->section == NODES;
        } else if (r->section == NODES && token->depth == 3) {
            r->field = (enum field)key_value(token->text, 3);
        } else if (r->section == NODES) {
            r->part = (enum field)key_value(token->text, token->depth);
        }
        return 0;
    case SONDE_JSON_NUMBER:
        return r->section == NODES ? node_number(r, token, err) : top_number(r, token, err);
    case SONDE_JSON_OBJECT_BEGIN:
        return begin_object(r, token->depth);
    case SONDE_JSON_OBJECT_END:
        return end_object(r, token->depth, err);
    default:
        return 0;
    }
}

int sonde_cpuprofile_reader_new(struct sonde_profile *profile, struct sonde_profile_source *source,
                                struct sonde_cpuprofile_reader **ret, struct sonde_err *err)
{
    int code = sonde_profile_set_unit(profile, SONDE_PROFILE_NANOSECONDS, err);
    if (code < 0) {
        return code;
    }
    struct sonde_cpuprofile_reader *r = calloc(1, sizeof(*r));
    if (!r) {
        return sonde_read_no_room(format, SONDE_ENOMEM, "", err);
    }
    struct sonde_json_limits limits = {.depth = DEPTH_MAX, .string = 1 << 20};
    r->profile = profile;
    r->source = source;
    r->budget.maximum = SONDE_PROFILE_FILE_MAX;
    sonde_call_frame_init(&r->frame);
    sonde_json_scanner_init(&r->scanner, limits, on_token, r);
    *ret = r;
    return 0;
}

void sonde_cpuprofile_reader_free(struct sonde_cpuprofile_reader *r)
{
    if (!r) {
        return;
    }
    sonde_json_scanner_fini(&r->scanner);
    sonde_call_frame_fini(&r->frame);
    free(r->nodes);
    free(r->edges);
    free(r->samples);
    free(r->deltas);
    free(r->ticks);
    free(r);
}

int sonde_cpuprofile_feed(struct sonde_cpuprofile_reader *reader, const char *data, size_t length,
                          struct sonde_err *err)
{
    return sonde_json_scan(&reader->scanner, data, length, err);
}

/* ---- from the file's nodes to the profile's ---- */

static int malformed(struct sonde_err *err, const char *what, uint64_t id)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "cpuprofile: %s %llu", what, (unsigned long long)id);
}

static int make_index(const struct sonde_cpuprofile_reader *r, struct sonde_id *index,
                      struct sonde_err *err)
{
    for (size_t i = 0; i < r->node_count; i++) {
        index[i] = (struct sonde_id){r->nodes[i].id, (uint32_t)i};
    }
    return sonde_ids_sort(index, r->node_count, format, "nodes", err);
}

static int set_parents(struct sonde_cpuprofile_reader *r, const struct sonde_id *index,
                       struct sonde_err *err)
{
    for (size_t i = 0; i < r->edge_count; i++) {
        uint32_t child = sonde_ids_find(index, r->node_count, r->edges[i].child);
        if (child == NONE || r->edges[i].parent >= r->node_count) {
            return malformed(err, "there is no node", r->edges[i].child);
        }
        if (r->nodes[child].parent != NONE) {
            return malformed(err, "two nodes have the child", r->edges[i].child);
        }
        r->nodes[child].parent = r->edges[i].parent;
    }
    for (size_t i = 0; i < r->node_count; i++) {
        struct raw_node *node = &r->nodes[i];
        if (node->has_parent && node->parent == NONE) {
            node->parent = sonde_ids_find(index, r->node_count, node->parent_id);
            if (node->parent == NONE) {
                return malformed(err, "there is no node", node->parent_id);
            }
        }
    }
    return 0;
}

/* Places a node and those above it: climbs to one that is placed, then comes down again. */
static int place_node(struct sonde_cpuprofile_reader *r, uint32_t at, uint32_t *path,
                      struct sonde_err *err)
{
    size_t depth = 0;
    while (at != NONE && r->nodes[at].node == NONE) {
        if (depth == r->node_count) {
            return malformed(err, "a circle of children through node", r->nodes[at].id);
        }
        path[depth++] = at;
        at = r->nodes[at].parent;
    }
    while (depth--) {
        struct raw_node *raw = &r->nodes[path[depth]];
        if (raw->parent == NONE && r->profile->frames[raw->frame].category == SONDE_CATEGORY_ROOT) {
            raw->node = 0;
            continue;
        }
        uint32_t parent = raw->parent == NONE ? 0 : r->nodes[raw->parent].node;
        int code = sonde_profile_node(r->profile, parent, raw->frame, &raw->node, err);
        if (code < 0) {
            return code;
        }
    }
    return 0;
}

static int place_nodes(struct sonde_cpuprofile_reader *r, struct sonde_err *err)
{
    SONDE_FREE uint32_t *path = calloc(r->node_count + 1, sizeof(*path));
    if (!path) {
        return sonde_read_no_room(format, SONDE_ENOMEM, "", err);
    }
    int code = 0;
    for (size_t i = 0; i < r->node_count && code == 0; i++) {
        code = place_node(r, (uint32_t)i, path, err);
    }
    return code;
}

/* Of one node: its samples in the window, and those of them that were not counted already. */
struct share {
    uint32_t seen, kept;
};

/* Everything of the source before this is counted; −1: nothing is. */
static int64_t counted_until(const struct sonde_profile_source *source)
{
    return source->windows ? source->end_us : -1;
}

static int add_ticks(struct sonde_cpuprofile_reader *r, const struct share *shares,
                     struct sonde_err *err)
{
    int code = 0;
    for (size_t i = 0; i < r->tick_count && code == 0; i++) {
        const struct sonde_profile_line *tick = &r->ticks[i];
        const struct share *share = &shares[r->nodes[tick->frame].node];
        uint64_t ticks = tick->ticks;
        if (share->kept < share->seen) {
            ticks = (ticks * share->kept + share->seen / 2) / share->seen;
        }
        if (ticks) {
            code = sonde_profile_add_ticks(r->profile, r->nodes[tick->frame].frame, tick->line,
                                           (uint32_t)ticks, err);
        }
    }
    return code;
}

/* Several samples of a node as one entry, or as few as can hold the time. */
static int add_hits_of_node(struct sonde_profile *profile, uint32_t node, int64_t duration_us,
                            uint32_t hits, struct sonde_err *err)
{
    uint32_t before = profile->nodes[node].samples;
    uint64_t total = profile->total_samples;
    int code = 0;
    do {
        int64_t piece = duration_us < UINT32_MAX ? duration_us : UINT32_MAX;
        code = sonde_profile_add_sample(profile, node, piece, err);
        duration_us -= piece;
    } while (code == 0 && duration_us > 0);
    uint32_t added = hits < UINT32_MAX - before ? hits : UINT32_MAX - before;
    profile->nodes[node].samples = before + added;
    profile->total_samples = total + added;
    return code;
}

/* Without samples, the time is shared by hitCount. */
static int add_hits(struct sonde_cpuprofile_reader *r, struct sonde_profile_source *source,
                    struct share *shares, struct sonde_err *err)
{
    uint64_t hits = 0;
    for (size_t i = 0; i < r->node_count; i++) {
        hits += r->nodes[i].hits;
    }
    int64_t counted = counted_until(source);
    int64_t from = r->start_us > counted ? r->start_us : counted;
    int64_t whole_us = r->end_us - r->start_us;
    int64_t length_us = r->end_us > from ? r->end_us - from : 0;
    double kept = whole_us ? (double)length_us / (double)whole_us : r->end_us > counted;
    uint64_t hits_so_far = 0;
    int64_t time_so_far = 0;
    int code = 0;
    for (size_t i = 0; i < r->node_count && code == 0; i++) {
        const struct raw_node *raw = &r->nodes[i];
        if (!raw->hits) {
            continue;
        }
        shares[raw->node].seen = raw->hits;
        if (kept > 0) {
            uint32_t part = (uint32_t)((double)raw->hits * kept + 0.5);
            shares[raw->node].kept = part ? part : 1;
            hits_so_far += raw->hits;
            int64_t until = (int64_t)((double)hits_so_far / (double)hits * (double)length_us);
            code = add_hits_of_node(r->profile, raw->node, until - time_so_far,
                                    shares[raw->node].kept, err);
            time_so_far = until;
            r->profile->unordered = true;
        }
    }
    source->last_sample = 0;
    return code;
}

/* Ids become nodes of the profile, before anything is counted. */
static int resolve_samples(struct sonde_cpuprofile_reader *r, const struct sonde_id *index,
                           struct sonde_err *err)
{
    for (size_t i = 0; i < r->sample_count; i++) {
        uint32_t node = sonde_ids_find(index, r->node_count, r->samples[i]);
        if (node == NONE) {
            return malformed(err, "a sample of the unknown node", r->samples[i]);
        }
        r->samples[i] = r->nodes[node].node;
    }
    return 0;
}

/* The tick that both of two overlapping windows have is one sample: the later window only tells
 * that it lasted longer. */
static bool lengthens_the_last(const struct sonde_profile *profile,
                               const struct sonde_profile_source *source, int64_t time_us,
                               uint32_t node)
{
    return source->last_sample && source->last_sample <= profile->sample_count &&
           time_us <= source->last_us && profile->samples[source->last_sample - 1].node == node;
}

/* The node that a sample counts for: its own, or "(idle)", which is made with the first that waited
 * (*idle: 0 until then). */
static int node_of(struct sonde_profile *profile, uint64_t sample, uint32_t *idle, uint32_t *ret,
                   struct sonde_err *err)
{
    int code = 0;
    uint32_t frame = 0;
    if ((sample & SONDE_WAITED) && !*idle) {
        code = sonde_profile_frame(profile, SONDE_STR("(idle)"), (struct sonde_str){0}, 0, 0,
                                   &frame, err);
        code = code ? code : sonde_profile_node(profile, 0, frame, idle, err);
    }
    *ret = sample & SONDE_WAITED ? *idle : (uint32_t)sample;
    return code;
}

/* Before anything is counted: the nodes of samples in which the thread waited, marked. */
static int mark_waits(struct sonde_cpuprofile_reader *r, struct sonde_err *err)
{
    struct sonde_waits_samples samples = {r->samples, r->deltas, r->sample_count, r->end_us};
    return r->source->waits ? sonde_waits_mark(r->source->waits, r->profile, &samples, err) : 0;
}

static int add_samples(struct sonde_cpuprofile_reader *r, struct sonde_profile_source *source,
                       struct share *shares, struct sonde_err *err)
{
    struct sonde_profile *profile = r->profile;
    const int64_t *times = r->deltas;
    int64_t counted = counted_until(source);
    const struct sonde_profile_source before = *source;
    uint32_t idle = 0;
    for (size_t i = 0; i < r->sample_count; i++) {
        uint32_t own = (uint32_t)r->samples[i];
        uint32_t node;
        int code = node_of(profile, r->samples[i], &idle, &node, err);
        if (code < 0) {
            return code;
        }
        int64_t next = i + 1 < r->sample_count ? times[i + 1] : r->end_us;
        int64_t from = times[i] > counted ? times[i] : counted;
        shares[own].seen++;
        if (next <= counted ||
            (lengthens_the_last(profile, &before, times[i], node) &&
             sonde_profile_extend_sample(profile, before.last_sample - 1, next - from))) {
            continue;
        }
        code = sonde_profile_add_sample(profile, node, next - from, err);
        if (code < 0) {
            return code;
        }
        shares[own].kept += node == own;
        source->last_us = times[i];
        source->last_sample = (uint32_t)profile->sample_count;
        profile->unordered = profile->unordered || (profile->windows && !source->leads);
    }
    return 0;
}

static void add_window(struct sonde_cpuprofile_reader *r, struct sonde_profile_source *source)
{
    struct sonde_profile *profile = r->profile;
    bool first = source->windows++ == 0;
    source->leads = source->leads || profile->windows == 0;
    source->start_us = first || r->start_us < source->start_us ? r->start_us : source->start_us;
    source->end_us = first || r->end_us > source->end_us ? r->end_us : source->end_us;
    if (source->leads) {
        profile->start_us = source->start_us;
    }
    int64_t end = profile->start_us + (source->end_us - source->start_us);
    profile->end_us = profile->windows++ == 0 || end > profile->end_us ? end : profile->end_us;
}

/* ---- times ---- */

struct moment {
    int64_t time_us;
    size_t order; /* in the file */
    uint64_t sample;
};

static int compare_moments(const void *a, const void *b)
{
    const struct moment *left = a;
    const struct moment *right = b;
    if (left->time_us != right->time_us) {
        return left->time_us < right->time_us ? -1 : 1;
    }
    return (left->order > right->order) - (left->order < right->order);
}

static int sort_samples(struct sonde_cpuprofile_reader *r, struct sonde_err *err)
{
    if (!sonde_budget_take(&r->budget, r->sample_count * sizeof(struct moment))) {
        return sonde_read_no_room(format, SONDE_ELIMIT, "samples out of order", err);
    }
    SONDE_FREE struct moment *moments = calloc(r->sample_count, sizeof(*moments));
    r->budget.used -= r->sample_count * sizeof(*moments);
    if (!moments) {
        return sonde_read_no_room(format, SONDE_ENOMEM, "", err);
    }
    for (size_t i = 0; i < r->sample_count; i++) {
        moments[i] = (struct moment){r->deltas[i], i, r->samples[i]};
    }
    qsort(moments, r->sample_count, sizeof(*moments), compare_moments);
    for (size_t i = 0; i < r->sample_count; i++) {
        r->deltas[i] = moments[i].time_us;
        r->samples[i] = moments[i].sample;
    }
    return 0;
}

static bool is_time(int64_t time_us)
{
    return time_us >= 0 && time_us <= SONDE_CPUPROFILE_TIME_MAX;
}

/* Makes times of the deltas, in order. */
static int set_times(struct sonde_cpuprofile_reader *r, struct sonde_err *err)
{
    int64_t time = r->start_us;
    bool sorted = true;
    for (size_t i = 0; i < r->delta_count; i++) {
        if (__builtin_add_overflow(time, r->deltas[i], &time) || !is_time(time)) {
            return sonde_fail(err, SONDE_EPARSE, 0, "cpuprofile: the time of sample %zu is no time",
                              i);
        }
        sorted = sorted && (i == 0 || time >= r->deltas[i - 1]);
        r->deltas[i] = time;
    }
    return sorted ? 0 : sort_samples(r, err);
}

static int check_shape(struct sonde_cpuprofile_reader *r, struct sonde_err *err)
{
    if (!r->has_nodes || r->node_count == 0) {
        return sonde_fail(err, SONDE_EPARSE, 0, "cpuprofile: it has no nodes");
    }
    if (r->delta_count && r->delta_count != r->sample_count) {
        return sonde_fail(err, SONDE_EPARSE, 0, "cpuprofile: %zu samples, but %zu timeDeltas",
                          r->sample_count, r->delta_count);
    }
    if (!is_time(r->start_us) || !is_time(r->end_us)) {
        return sonde_fail(err, SONDE_EPARSE, 0, "cpuprofile: startTime or endTime is no time");
    }
    int code = set_times(r, err);
    int64_t last = r->delta_count ? r->deltas[r->delta_count - 1] : r->start_us;
    if (code == 0 && (!r->has_end || r->end_us < last)) {
        r->end_us = last;
    }
    return code;
}

/* Everything is known to be well-formed by now. */
static int count(struct sonde_cpuprofile_reader *r, bool sampled, struct sonde_err *err)
{
    struct sonde_profile_source source = *r->source;
    SONDE_FREE struct share *shares = calloc(r->profile->node_count, sizeof(*shares));
    if (!shares) {
        return sonde_read_no_room(format, SONDE_ENOMEM, "", err);
    }
    int code = (sampled ? add_samples : add_hits)(r, &source, shares, err);
    code = code ? code : add_ticks(r, shares, err);
    if (code == 0) {
        add_window(r, &source);
        *r->source = source;
    }
    return code;
}

int sonde_cpuprofile_finish(struct sonde_cpuprofile_reader *r, struct sonde_err *err)
{
    int code = sonde_json_scan_finish(&r->scanner, err);
    code = code ? code : check_shape(r, err);
    if (code < 0) {
        return code;
    }
    if (!sonde_budget_take(&r->budget, r->node_count * sizeof(struct sonde_id))) {
        return sonde_read_no_room(format, SONDE_ELIMIT, "nodes", err);
    }
    SONDE_FREE struct sonde_id *index = calloc(r->node_count, sizeof(*index));
    if (!index) {
        return sonde_read_no_room(format, SONDE_ENOMEM, "", err);
    }
    code = make_index(r, index, err);
    code = code ? code : set_parents(r, index, err);
    code = code ? code : place_nodes(r, err);
    bool sampled = r->sample_count && r->delta_count;
    if (code == 0 && sampled) {
        code = resolve_samples(r, index, err);
        code = code ? code : mark_waits(r, err);
    }
    return code ? code : count(r, sampled, err);
}
