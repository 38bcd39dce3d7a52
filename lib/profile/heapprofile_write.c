/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/heapprofile.h"

static void open_node(const struct sonde_profile *profile, uint32_t node, struct sonde_buf *buf)
{
    const struct sonde_frame *frame = &profile->frames[profile->nodes[node].frame];
    const struct sonde_position *at = &frame->generated;
    sonde_buf_text(buf, "{\"callFrame\":{\"functionName\":");
    sonde_buf_json_string(buf, frame->function);
    sonde_buf_text(buf, ",\"scriptId\":\"0\",\"url\":");
    sonde_buf_json_string(buf, at->file);
    sonde_buf_printf(buf, ",\"lineNumber\":%d,\"columnNumber\":%d}", at->line - 1, at->column - 1);
    sonde_buf_printf(buf, ",\"selfSize\":%lld,\"id\":%u,\"children\":[",
                     (long long)profile->nodes[node].self, node + 1);
}

/* Down and up again, without recursion: stacks are as deep as the target likes. */
static int write_tree(const struct sonde_profile *profile, const struct sonde_children *children,
                      struct sonde_output *output, struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    uint32_t node = 0;
    int r = 0;
    open_node(profile, 0, buf);
    while (r == 0) {
        uint32_t next = children->first[node];
        if (!next) {
            sonde_buf_text(buf, "]}");
            while (node != 0 && !children->next[node] && r == 0) {
                node = profile->nodes[node].parent;
                sonde_buf_text(buf, "]}");
                r = sonde_output_flush(output, false, err);
            }
            if (node == 0) {
                return r;
            }
            sonde_buf_char(buf, ',');
            next = children->next[node];
        }
        node = next;
        open_node(profile, node, buf);
        r = r < 0 ? r : sonde_output_flush(output, false, err);
    }
    return r;
}

int sonde_heapprofile_write(const struct sonde_profile *profile, struct sonde_output *output,
                            struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    SONDE_CLEANUP(sonde_children_fini) struct sonde_children children = {0};
    int r = sonde_children_link(profile, &children, err);
    sonde_buf_text(buf, "{\"head\":");
    r = r < 0 ? r : write_tree(profile, &children, output, err);
    sonde_buf_text(buf, ",\"samples\":[");
    for (size_t i = 0; i < profile->allocation_count && r == 0; i++) {
        const struct sonde_profile_allocation *allocation = &profile->allocations[i];
        sonde_buf_printf(buf, "%s{\"size\":%llu,\"nodeId\":%u,\"ordinal\":%zu}", i ? "," : "",
                         (unsigned long long)allocation->bytes, allocation->node + 1, i + 1);
        r = sonde_output_flush(output, false, err);
    }
    sonde_buf_text(buf, "]}\n");
    return r < 0 ? r : sonde_output_flush(output, true, err);
}
