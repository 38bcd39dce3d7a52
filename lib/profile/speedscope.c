/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/formats.h"

static int write_frames(const struct sonde_profile *profile, struct sonde_output *output,
                        struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    for (size_t i = 0; i < profile->frame_count; i++) {
        const struct sonde_frame *frame = &profile->frames[i];
        const struct sonde_position *at = sonde_frame_position(frame);
        sonde_buf_text(buf, i ? ",{\"name\":" : "{\"name\":");
        sonde_buf_json_string(buf, sonde_frame_name(frame));
        if (at->file.length) {
            sonde_buf_text(buf, ",\"file\":");
            sonde_buf_json_string(buf, at->file);
            sonde_buf_printf(buf, ",\"line\":%d,\"col\":%d", at->line, at->column);
        }
        sonde_buf_char(buf, '}');
        int r = sonde_output_flush(output, false, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static void write_stack(const struct sonde_profile *profile, const uint32_t *stack, size_t count,
                        struct sonde_buf *buf)
{
    while (count-- > 0) {
        sonde_buf_u64(buf, profile->nodes[stack[count]].frame);
        sonde_buf_text(buf, count ? "," : "");
    }
    sonde_buf_char(buf, ']');
}

static int write_samples(const struct sonde_profile *profile, struct sonde_output *output,
                         struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    uint32_t stack[SONDE_STACK_MAX];
    int r = 0;
    for (size_t i = 0; i < profile->sample_count && r == 0; i++) {
        size_t n = sonde_profile_stack(profile, profile->samples[i].node, stack, SONDE_STACK_MAX);
        sonde_buf_text(buf, i ? ",[" : "[");
        write_stack(profile, stack, n, buf);
        r = sonde_output_flush(output, false, err);
    }
    sonde_buf_text(buf, "],\"weights\":[");
    for (size_t i = 0; i < profile->sample_count && r == 0; i++) {
        sonde_buf_text(buf, i ? "," : "");
        sonde_buf_u64(buf, profile->samples[i].duration_us);
        r = sonde_output_flush(output, false, err);
    }
    return r;
}

/* Each node as one sample with all that is its own. */
static int write_nodes(const struct sonde_profile *profile, struct sonde_output *output,
                       struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    uint32_t stack[SONDE_STACK_MAX];
    int64_t divisor = profile->unit == SONDE_PROFILE_BYTES ? 1 : 1000;
    int r = 0;
    bool first = true;
    for (uint32_t i = 1; i < profile->node_count && r == 0; i++) {
        if (profile->nodes[i].self > 0) {
            sonde_buf_text(buf, first ? "[" : ",[");
            write_stack(profile, stack, sonde_profile_stack(profile, i, stack, SONDE_STACK_MAX),
                        buf);
            first = false;
            r = sonde_output_flush(output, false, err);
        }
    }
    sonde_buf_text(buf, "],\"weights\":[");
    first = true;
    for (uint32_t i = 1; i < profile->node_count && r == 0; i++) {
        if (profile->nodes[i].self > 0) {
            sonde_buf_text(buf, first ? "" : ",");
            sonde_buf_u64(buf, (uint64_t)(profile->nodes[i].self / divisor));
            first = false;
            r = sonde_output_flush(output, false, err);
        }
    }
    return r;
}

int sonde_speedscope_write(const struct sonde_profile *profile, const char *name,
                           struct sonde_output *output, struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    bool bytes = profile->unit == SONDE_PROFILE_BYTES;
    bool listed = profile->sample_count || profile->total == 0;
    sonde_buf_text(buf, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
                        "\"exporter\":\"sonde\",\"name\":");
    sonde_buf_json_string(buf, sonde_str(name));
    sonde_buf_text(buf, ",\"shared\":{\"frames\":[");
    int r = write_frames(profile, output, err);
    sonde_buf_printf(buf, "]},\"profiles\":[{\"type\":\"sampled\",\"unit\":\"%s\",\"name\":",
                     bytes ? "bytes" : "microseconds");
    const char *said = profile->unordered && !bytes ? "not in order of time" : name;
    sonde_buf_json_string(buf, sonde_str(said));
    sonde_buf_printf(buf, ",\"startValue\":0,\"endValue\":%lld,\"samples\":[",
                     (long long)(bytes ? profile->total : profile->total / 1000));
    r = r < 0 ? r : (listed ? write_samples : write_nodes)(profile, output, err);
    sonde_buf_text(buf, "]}]}\n");
    return r < 0 ? r : sonde_output_flush(output, true, err);
}
