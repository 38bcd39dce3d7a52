/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/formats.h"

size_t sonde_profile_stack(const struct sonde_profile *profile, uint32_t node, uint32_t *ret,
                           size_t maximum)
{
    size_t count = 0;
    while (node != 0 && count < maximum) {
        ret[count++] = node;
        node = profile->nodes[node].parent;
    }
    return count;
}

/* The separators of the format may not stand in a name. */
static void clean_text(struct sonde_buf *buf, struct sonde_str text)
{
    size_t from = buf->length;
    sonde_buf_str(buf, text);
    for (; from < buf->length; from++) {
        unsigned char c = (unsigned char)buf->data[from];
        buf->data[from] = (char)(c < 0x20 ? '?' : c == ';' ? ':' : c);
    }
}

/* What a line says: bytes, or whole microseconds. */
static int64_t value_of(const struct sonde_profile *profile, uint32_t node)
{
    int64_t self = profile->nodes[node].self;
    return profile->unit == SONDE_PROFILE_BYTES ? self : (self + 500) / 1000;
}

int sonde_folded_write(const struct sonde_profile *profile, struct sonde_output *output,
                       struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    uint32_t stack[SONDE_STACK_MAX];
    int r = 0;
    for (uint32_t i = 1; i < profile->node_count && r == 0; i++) {
        if (value_of(profile, i) < 1) {
            continue;
        }
        size_t n = sonde_profile_stack(profile, i, stack, SONDE_STACK_MAX);
        while (n-- > 0 && r == 0) {
            const struct sonde_frame *frame = &profile->frames[profile->nodes[stack[n]].frame];
            const struct sonde_position *at = sonde_frame_position(frame);
            clean_text(buf, sonde_frame_name(frame));
            if (at->file.length) {
                sonde_buf_char(buf, ' ');
                clean_text(buf, at->file);
                sonde_buf_printf(buf, ":%d", at->line);
            }
            sonde_buf_char(buf, n ? ';' : ' ');
            r = sonde_output_flush(output, false, err);
        }
        sonde_buf_printf(buf, "%lld\n", (long long)value_of(profile, i));
    }
    return r < 0 ? r : sonde_output_flush(output, true, err);
}
