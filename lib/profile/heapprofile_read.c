/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "codec/json_scan.h"
#include "profile/heapprofile.h"
#include "profile/ids.h"
#include "profile/reading.h"

enum {
    DEPTH_MAX = 2 * SONDE_HEAPPROFILE_STACK_MAX + 16, /* an object and an array for each frame */
    NONE = SONDE_ID_NONE,
};

/* A node as the file has it. */
struct raw_node {
    uint64_t id;
    int64_t size;
    uint32_t frame;  /* or NONE */
    uint32_t parent; /* index of a raw node, smaller than its own, or NONE */
    uint32_t node;   /* index in the profile */
    bool has_id;
};

struct raw_sample {
    uint64_t node; /* its id */
    int64_t size;
    int64_t ordinal;
    size_t order; /* in the file */
};

enum section { ELSEWHERE, HEAD, SAMPLES };
enum field {
    UNKNOWN,
    CALL_FRAME,
    SELF_SIZE,
    ID,
    CHILDREN,
    SIZE,
    NODE_ID,
    ORDINAL,
};

struct name {
    const char *text;
    enum field field;
};

static const struct name of_node[] = {
    {"callFrame", CALL_FRAME}, {"selfSize", SELF_SIZE}, {"id", ID}, {"children", CHILDREN}, {0}};
static const struct name of_sample[] = {
    {"size", SIZE}, {"nodeId", NODE_ID}, {"ordinal", ORDINAL}, {0}};

struct sonde_heapprofile_reader {
    struct sonde_profile *profile;
    struct sonde_json_scanner scanner;
    enum section section;
    enum field field;    /* of the node, or of the sample */
    uint32_t current;    /* the raw node that is being read, or NONE */
    unsigned node_depth; /* containers around that node's object */
    unsigned skip_depth; /* a member that is not known: containers around it … */
    bool skips;          /* … until it ends */
    bool in_frame, has_head;
    struct raw_node *nodes;
    size_t node_count, node_capacity;
    struct raw_sample *samples;
    size_t sample_count, sample_capacity;
    struct sonde_budget budget; /* of both */
    struct raw_sample sample;
    struct sonde_call_frame frame;
};

static const char format[] = "heapprofile";

static enum field field_named(const struct name *names, struct sonde_str text)
{
    for (; names->text; names++) {
        if (sonde_str_is(text, names->text)) {
            return names->field;
        }
    }
    return UNKNOWN;
}

static int64_t bytes_of(const struct sonde_json_token *token)
{
    int64_t value = sonde_read_whole(token);
    return value < 0                             ? 0
           : value > SONDE_HEAPPROFILE_BYTES_MAX ? SONDE_HEAPPROFILE_BYTES_MAX
                                                 : value;
}

/* ---- nodes ---- */

static int begin_node(struct sonde_heapprofile_reader *r, unsigned depth, struct sonde_err *err)
{
    int code = sonde_array_grow_within(&r->budget, &r->nodes, &r->node_capacity, r->node_count + 1,
                                       sizeof(*r->nodes), SONDE_PROFILE_NODES_MAX);
    if (code < 0) {
        return sonde_read_no_room(format, code, "nodes", err);
    }
    r->nodes[r->node_count] = (struct raw_node){.frame = NONE, .parent = r->current};
    r->current = (uint32_t)r->node_count++;
    r->node_depth = depth;
    r->field = UNKNOWN;
    return 0;
}

static void end_node(struct sonde_heapprofile_reader *r)
{
    r->current = r->nodes[r->current].parent;
    if (r->current != NONE) {
        r->node_depth -= 2;
        r->field = CHILDREN;
    }
}

static void skip(struct sonde_heapprofile_reader *r, unsigned depth)
{
    r->skips = true;
    r->skip_depth = depth;
}

static int begin_container(struct sonde_heapprofile_reader *r, bool object, unsigned depth,
                           struct sonde_err *err)
{
    bool inside = r->current != NONE;
    if (r->section == SAMPLES && ((!object && depth == 1) || (object && depth == 2))) {
        r->sample = (struct raw_sample){.order = r->sample_count};
        return 0;
    }
    if (r->section == HEAD && object && depth == 1) {
        return begin_node(r, depth, err);
    }
    if (r->section == HEAD && inside && !r->in_frame) {
        if (object && depth == r->node_depth + 1 && r->field == CALL_FRAME) {
            r->in_frame = true;
            sonde_call_frame_begin(&r->frame);
            return 0;
        }
        if (object && depth == r->node_depth + 2 && r->field == CHILDREN) {
            return begin_node(r, depth, err);
        }
        if (!object && depth == r->node_depth + 1 && r->field == CHILDREN) {
            return 0;
        }
    }
    if (depth > 0) {
        skip(r, depth);
    }
    return 0;
}

static int end_object(struct sonde_heapprofile_reader *r, unsigned depth, struct sonde_err *err)
{
    if (r->in_frame && depth == r->node_depth + 1) {
        r->in_frame = false;
        return sonde_call_frame_end(&r->frame, r->profile, &r->nodes[r->current].frame, err);
    }
    if (r->current != NONE && depth == r->node_depth) {
        end_node(r);
        return 0;
    }
    if (r->section != SAMPLES || depth != 2) {
        return 0;
    }
    int code =
        sonde_array_grow_within(&r->budget, &r->samples, &r->sample_capacity, r->sample_count + 1,
                                sizeof(*r->samples), SONDE_PROFILE_SAMPLES_MAX);
    if (code < 0) {
        return sonde_read_no_room(format, code, "samples", err);
    }
    r->samples[r->sample_count++] = r->sample;
    return 0;
}

/* ---- members ---- */

static void on_key(struct sonde_heapprofile_reader *r, const struct sonde_json_token *token)
{
    if (token->depth == 1) {
        r->section = sonde_str_is(token->text, "head")      ? HEAD
                     : sonde_str_is(token->text, "samples") ? SAMPLES
                                                            : ELSEWHERE;
        r->has_head = r->has_head || r->section == HEAD;
    } else if (r->section == SAMPLES) {
        r->field = field_named(of_sample, token->text);
    } else {
        r->field = field_named(of_node, token->text);
    }
}

static void on_number(struct sonde_heapprofile_reader *r, const struct sonde_json_token *token)
{
    if (r->section == SAMPLES && token->depth == 3) {
        if (r->field == SIZE) {
            r->sample.size = bytes_of(token);
        } else if (r->field == NODE_ID) {
            r->sample.node = (uint64_t)sonde_read_whole(token);
        } else if (r->field == ORDINAL) {
            r->sample.ordinal = sonde_read_whole(token);
        }
    } else if (r->current != NONE && token->depth == r->node_depth + 1) {
        struct raw_node *node = &r->nodes[r->current];
        if (r->field == SELF_SIZE) {
            node->size = bytes_of(token);
        } else if (r->field == ID) {
            node->id = (uint64_t)sonde_read_whole(token);
            node->has_id = true;
        }
    }
}

static int on_token(void *context, struct sonde_json_scanner *scanner,
                    const struct sonde_json_token *token, struct sonde_err *err)
{
    (void)scanner;
    struct sonde_heapprofile_reader *r = context;
    bool ends = token->event == SONDE_JSON_OBJECT_END || token->event == SONDE_JSON_ARRAY_END;
    if (r->skips) {
        r->skips = !(ends && token->depth == r->skip_depth);
        return 0;
    }
    if (r->in_frame && token->depth == r->node_depth + 2) {
        return token->event == SONDE_JSON_OBJECT_BEGIN || token->event == SONDE_JSON_ARRAY_BEGIN
                   ? begin_container(r, token->event == SONDE_JSON_OBJECT_BEGIN, token->depth, err)
                   : sonde_call_frame_take(&r->frame, token, err);
    }
    switch (token->event) {
    case SONDE_JSON_KEY:
        on_key(r, token);
        return 0;
    case SONDE_JSON_NUMBER:
        on_number(r, token);
        return 0;
    case SONDE_JSON_OBJECT_BEGIN:
    case SONDE_JSON_ARRAY_BEGIN:
        return begin_container(r, token->event == SONDE_JSON_OBJECT_BEGIN, token->depth, err);
    case SONDE_JSON_OBJECT_END:
        return end_object(r, token->depth, err);
    default:
        return 0;
    }
}

int sonde_heapprofile_reader_new(struct sonde_profile *profile,
                                 struct sonde_heapprofile_reader **ret, struct sonde_err *err)
{
    int code = sonde_profile_set_unit(profile, SONDE_PROFILE_BYTES, err);
    if (code < 0) {
        return code;
    }
    struct sonde_heapprofile_reader *r = calloc(1, sizeof(*r));
    if (!r) {
        return sonde_read_no_room(format, SONDE_ENOMEM, "", err);
    }
    struct sonde_json_limits limits = {.depth = DEPTH_MAX, .string = 1 << 20};
    r->profile = profile;
    r->current = NONE;
    r->budget.maximum = SONDE_PROFILE_FILE_MAX;
    sonde_call_frame_init(&r->frame);
    sonde_json_scanner_init(&r->scanner, limits, on_token, r);
    *ret = r;
    return 0;
}

void sonde_heapprofile_reader_free(struct sonde_heapprofile_reader *r)
{
    if (!r) {
        return;
    }
    sonde_json_scanner_fini(&r->scanner);
    sonde_call_frame_fini(&r->frame);
    free(r->nodes);
    free(r->samples);
    free(r);
}

int sonde_heapprofile_feed(struct sonde_heapprofile_reader *reader, const char *data, size_t length,
                           struct sonde_err *err)
{
    return sonde_json_scan(&reader->scanner, data, length, err);
}

/* ---- from the file's nodes to the profile's ---- */

static int place_nodes(struct sonde_heapprofile_reader *r, struct sonde_err *err)
{
    int code = 0;
    for (size_t i = 0; i < r->node_count && code == 0; i++) {
        struct raw_node *raw = &r->nodes[i];
        if (raw->frame == NONE) { /* it has no callFrame: a function without a name */
            code = sonde_profile_frame(r->profile, SONDE_STR(""), SONDE_STR(""), 0, 0, &raw->frame,
                                       err);
        }
        if (code < 0) {
            return code;
        }
        bool root =
            raw->parent == NONE && r->profile->frames[raw->frame].category == SONDE_CATEGORY_ROOT;
        uint32_t parent = raw->parent == NONE ? 0 : r->nodes[raw->parent].node;
        code = root ? 0 : sonde_profile_node(r->profile, parent, raw->frame, &raw->node, err);
    }
    return code;
}

static int compare_samples(const void *a, const void *b)
{
    const struct raw_sample *left = a;
    const struct raw_sample *right = b;
    if (left->ordinal != right->ordinal) {
        return left->ordinal < right->ordinal ? -1 : 1;
    }
    return (left->order > right->order) - (left->order < right->order);
}

/* Ids become raw nodes. V8 lists the samples in no order, and after the tree: those that it took
 * meanwhile are of nodes that the tree lacks, and are left out as their bytes are. */
static int resolve_samples(struct sonde_heapprofile_reader *r, struct sonde_err *err)
{
    SONDE_FREE struct sonde_id *ids = calloc(r->node_count, sizeof(*ids));
    if (!ids) {
        return sonde_read_no_room(format, SONDE_ENOMEM, "", err);
    }
    size_t count = 0;
    for (uint32_t i = 0; i < r->node_count; i++) {
        if (r->nodes[i].has_id) {
            ids[count++] = (struct sonde_id){r->nodes[i].id, i};
        }
    }
    int code = sonde_ids_sort(ids, count, format, "nodes", err);
    size_t known = 0;
    for (size_t i = 0; i < r->sample_count && code == 0; i++) {
        uint32_t raw = sonde_ids_find(ids, count, r->samples[i].node);
        if (raw != NONE) {
            r->samples[known] = r->samples[i];
            r->samples[known++].node = raw;
        }
    }
    r->sample_count = known;
    if (code == 0 && r->sample_count) {
        qsort(r->samples, r->sample_count, sizeof(*r->samples), compare_samples);
    }
    return code;
}

/* Everything is known to be well-formed by now. */
static int count(struct sonde_heapprofile_reader *r, struct sonde_err *err)
{
    SONDE_FREE uint64_t *samples = calloc(r->node_count, sizeof(*samples));
    int code = 0;
    if (!samples) {
        return sonde_read_no_room(format, SONDE_ENOMEM, "", err);
    }
    for (size_t i = 0; code == 0 && i < r->sample_count; i++) {
        const struct raw_sample *sample = &r->samples[i];
        samples[sample->node]++;
        code = sonde_profile_add_allocation(r->profile, r->nodes[sample->node].node,
                                            (uint64_t)sample->size, err);
    }
    for (size_t i = 0; code == 0 && i < r->node_count; i++) {
        code = sonde_profile_add_amount(r->profile, r->nodes[i].node, r->nodes[i].size, samples[i],
                                        err);
    }
    r->profile->windows += code == 0;
    return code;
}

int sonde_heapprofile_finish(struct sonde_heapprofile_reader *r, struct sonde_err *err)
{
    int code = sonde_json_scan_finish(&r->scanner, err);
    if (code == 0 && (!r->has_head || r->node_count == 0)) {
        code = sonde_fail(err, SONDE_EPARSE, 0, "heapprofile: it has no head");
    }
    code = code ? code : resolve_samples(r, err);
    code = code ? code : place_nodes(r, err);
    return code ? code : count(r, err);
}
