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

static int write_samples(const struct sonde_profile *profile, struct sonde_output *output,
                         struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    uint32_t stack[SONDE_STACK_MAX];
    int r = 0;
    for (size_t i = 0; i < profile->sample_count && r == 0; i++) {
        size_t n = sonde_profile_stack(profile, profile->samples[i].node, stack, SONDE_STACK_MAX);
        sonde_buf_text(buf, i ? ",[" : "[");
        while (n-- > 0) {
            sonde_buf_u64(buf, profile->nodes[stack[n]].frame);
            sonde_buf_text(buf, n ? "," : "");
        }
        sonde_buf_char(buf, ']');
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

int sonde_speedscope_write(const struct sonde_profile *profile, const char *name,
                           struct sonde_output *output, struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    sonde_buf_text(buf, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
                        "\"exporter\":\"sonde\",\"name\":");
    sonde_buf_json_string(buf, sonde_str(name));
    sonde_buf_text(buf, ",\"shared\":{\"frames\":[");
    int r = write_frames(profile, output, err);
    sonde_buf_text(buf,
                   "]},\"profiles\":[{\"type\":\"sampled\",\"unit\":\"microseconds\",\"name\":");
    sonde_buf_json_string(buf, sonde_str(profile->unordered ? "not in order of time" : name));
    sonde_buf_printf(buf, ",\"startValue\":0,\"endValue\":%lld,\"samples\":[",
                     (long long)(profile->total_ns / 1000));
    r = r < 0 ? r : write_samples(profile, output, err);
    sonde_buf_text(buf, "]}]}\n");
    return r < 0 ? r : sonde_output_flush(output, true, err);
}
