/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "codec/compress.h"
#include "codec/protobuf.h"
#include "profile/formats.h"
#include "profile/pprof_fields.h"

struct writer {
    const struct sonde_profile *profile;
    struct sonde_stream *gzip;
    struct sonde_buf message; /* one message of the top level */
    struct sonde_buf inner;
    struct sonde_map strings;
    struct sonde_err *err;
    uint64_t string_count;
    uint64_t default_type; /* a string's index */
    int code;
};

static void put(struct writer *w, uint32_t field)
{
    SONDE_BUF_AUTO framed = SONDE_BUF(1 << 20);
    sonde_protobuf_bytes(&framed, field, sonde_buf_view(&w->message));
    w->code = w->code ? w->code : sonde_buf_check(&w->inner, "a pprof message", w->err);
    w->code = w->code ? w->code : sonde_buf_check(&w->message, "a pprof message", w->err);
    w->code = w->code ? w->code : sonde_buf_check(&framed, "a pprof message", w->err);
    if (!w->code) {
        w->code = sonde_stream_feed(w->gzip, framed.data, framed.length, w->err);
    }
    sonde_buf_clear(&w->message);
}

/* The index of a string in the table; a new one is written at once. The text must outlive w. */
static uint64_t string(struct writer *w, struct sonde_str text)
{
    struct sonde_map_slot *slot;
    bool fresh;
    if (w->code) {
        return 0;
    }
    if (sonde_map_insert(&w->strings, text, &slot, &fresh) < 0) {
        w->code = sonde_fail(w->err, SONDE_ENOMEM, 0, "pprof: out of memory");
        return 0;
    }
    if (fresh) {
        slot->value = w->string_count++;
        uint64_t index = slot->value;
        struct sonde_buf kept = w->message;
        w->message = SONDE_BUF(kept.maximum);
        sonde_buf_str(&w->message, text);
        put(w, PROFILE_STRING);
        sonde_buf_fini(&w->message);
        w->message = kept;
        return index;
    }
    return slot->value;
}

static void value_type(struct writer *w, uint32_t field, const char *type, const char *unit)
{
    uint64_t indexes[2] = {string(w, sonde_str(type)), string(w, sonde_str(unit))};
    sonde_protobuf_uint(&w->message, TYPE_TYPE, indexes[0]);
    sonde_protobuf_uint(&w->message, TYPE_UNIT, indexes[1]);
    put(w, field);
}

/* What a sample's two values are. */
static void value_types(struct writer *w)
{
    const struct sonde_profile *profile = w->profile;
    if (profile->unit == SONDE_PROFILE_NANOSECONDS) {
        value_type(w, PROFILE_SAMPLE_TYPE, "samples", "count");
        value_type(w, PROFILE_SAMPLE_TYPE, "cpu", "nanoseconds");
        value_type(w, PROFILE_PERIOD_TYPE, "cpu", "nanoseconds");
        return;
    }
    const char *space = profile->collected ? "alloc_space" : "inuse_space";
    const char *objects = profile->collected ? "alloc_objects" : "inuse_objects";
    value_type(w, PROFILE_SAMPLE_TYPE, profile->counts_objects ? objects : "samples", "count");
    value_type(w, PROFILE_SAMPLE_TYPE, space, "bytes");
    value_type(w, PROFILE_PERIOD_TYPE, "space", "bytes");
    w->default_type = string(w, sonde_str(space));
}

static uint64_t at_least_zero(int64_t value)
{
    return value > 0 ? (uint64_t)value : 0;
}

static void functions(struct writer *w)
{
    for (size_t i = 0; i < w->profile->frame_count && !w->code; i++) {
        const struct sonde_frame *frame = &w->profile->frames[i];
        const struct sonde_position *at = sonde_frame_position(frame);
        uint64_t name = string(w, sonde_frame_name(frame));
        uint64_t file = string(w, at->file);
        sonde_protobuf_uint(&w->message, FUNCTION_ID, i + 1);
        sonde_protobuf_uint(&w->message, FUNCTION_NAME, name);
        sonde_protobuf_uint(&w->message, FUNCTION_SYSTEM_NAME, name);
        sonde_protobuf_uint(&w->message, FUNCTION_FILE, file);
        sonde_protobuf_uint(&w->message, FUNCTION_START_LINE, at_least_zero(at->line));
        put(w, PROFILE_FUNCTION);

        sonde_buf_clear(&w->inner);
        sonde_protobuf_uint(&w->inner, LINE_FUNCTION, i + 1);
        sonde_protobuf_uint(&w->inner, LINE_LINE, at_least_zero(at->line));
        sonde_protobuf_uint(&w->message, LOCATION_ID, i + 1);
        sonde_protobuf_bytes(&w->message, LOCATION_LINE, sonde_buf_view(&w->inner));
        put(w, PROFILE_LOCATION);
    }
}

static void samples(struct writer *w)
{
    uint32_t stack[SONDE_STACK_MAX];
    uint64_t locations[SONDE_STACK_MAX];
    for (uint32_t i = 1; i < w->profile->node_count && !w->code; i++) {
        const struct sonde_profile_node *node = &w->profile->nodes[i];
        bool idle = w->profile->frames[node->frame].category == SONDE_CATEGORY_IDLE;
        if ((node->samples == 0 && node->self == 0) || idle) {
            continue;
        }
        size_t depth = sonde_profile_stack(w->profile, i, stack, SONDE_STACK_MAX);
        for (size_t n = 0; n < depth; n++) {
            locations[n] = (uint64_t)w->profile->nodes[stack[n]].frame + 1;
        }
        uint64_t values[2] = {node->samples, at_least_zero(node->self)};
        sonde_protobuf_packed(&w->message, SAMPLE_LOCATION, locations, depth);
        sonde_protobuf_packed(&w->message, SAMPLE_VALUE, values, 2);
        put(w, PROFILE_SAMPLE);
    }
}

static void numbers(struct writer *w, int64_t time_ns)
{
    SONDE_BUF_AUTO last = SONDE_BUF(256);
    int64_t duration_ns = (w->profile->end_us - w->profile->start_us) * 1000;
    uint64_t count = w->profile->total_samples;
    sonde_protobuf_uint(&last, PROFILE_TIME, at_least_zero(time_ns));
    sonde_protobuf_uint(&last, PROFILE_DURATION, at_least_zero(duration_ns));
    if (w->profile->unit == SONDE_PROFILE_NANOSECONDS) {
        sonde_protobuf_uint(&last, PROFILE_PERIOD,
                            count ? at_least_zero(w->profile->total) / count : 0);
    } else {
        sonde_protobuf_uint(&last, PROFILE_DEFAULT_TYPE, w->default_type);
    }
    w->code = w->code ? w->code : sonde_buf_check(&last, "pprof", w->err);
    if (!w->code && last.length) {
        w->code = sonde_stream_feed(w->gzip, last.data, last.length, w->err);
    }
}

static int pass_on(void *context, const void *data, size_t length, struct sonde_err *err)
{
    struct sonde_output *output = context;
    return output->write(output->context, data, length, err);
}

int sonde_pprof_write(const struct sonde_profile *profile, int64_t time_ns,
                      struct sonde_output *output, struct sonde_err *err)
{
    struct writer w = {
        .profile = profile,
        .message = SONDE_BUF(1 << 19),
        .inner = SONDE_BUF(1 << 10),
        .strings = SONDE_MAP(3 * (size_t)SONDE_PROFILE_FRAMES_MAX),
        .err = err,
    };
    int r = sonde_compressor_new(SONDE_GZIP, pass_on, output, &w.gzip, err);
    if (r < 0) {
        return r;
    }
    (void)string(&w, SONDE_STR("")); /* index 0 is the empty string */
    value_types(&w);
    functions(&w);
    samples(&w);
    numbers(&w, time_ns);
    r = w.code ? w.code : sonde_stream_finish(w.gzip, err);
    sonde_stream_free(w.gzip);
    sonde_buf_fini(&w.message);
    sonde_buf_fini(&w.inner);
    sonde_map_fini(&w.strings);
    return r;
}
