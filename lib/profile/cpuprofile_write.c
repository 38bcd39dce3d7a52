/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "profile/cpuprofile.h"

static void write_frame(struct sonde_buf *buf, const struct sonde_frame *frame)
{
    const struct sonde_position *at = &frame->generated;
    sonde_buf_text(buf, "\"callFrame\":{\"functionName\":");
    sonde_buf_json_string(buf, frame->function);
    sonde_buf_text(buf, ",\"scriptId\":\"0\",\"url\":");
    sonde_buf_json_string(buf, at->file);
    sonde_buf_printf(buf, ",\"lineNumber\":%d,\"columnNumber\":%d}", at->line - 1, at->column - 1);
}

/* Each node names its parent; DevTools and speedscope also want the children, so these are
 * gathered as a list per parent: first[node] and next[sibling], 0 for none. */
static int write_nodes(const struct sonde_profile *profile, const uint32_t *first,
                       const uint32_t *next, struct sonde_output *output, struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    sonde_buf_text(buf, "{\"nodes\":[");
    for (size_t i = 0; i < profile->node_count; i++) {
        const struct sonde_profile_node *node = &profile->nodes[i];
        sonde_buf_printf(buf, "%s{\"id\":%zu,", i ? "," : "", i + 1);
        write_frame(buf, &profile->frames[node->frame]);
        sonde_buf_printf(buf, ",\"hitCount\":%u", node->samples);
        for (uint32_t child = first[i]; child; child = next[child]) {
            sonde_buf_printf(buf, child == first[i] ? ",\"children\":[%u" : ",%u", child + 1);
        }
        sonde_buf_text(buf, first[i] ? "]}" : "}");
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
    sonde_buf_printf(buf, "],\"startTime\":%lld,\"endTime\":%lld,\"samples\":[",
                     (long long)profile->start_us, (long long)profile->end_us);
    int r = 0;
    for (size_t i = 0; i < profile->sample_count && r == 0; i++) {
        sonde_buf_printf(buf, i ? ",%u" : "%u", profile->samples[i].node + 1);
        r = sonde_output_flush(output, false, err);
    }
    sonde_buf_text(buf, "],\"timeDeltas\":[");
    for (size_t i = 0; i < profile->sample_count && r == 0; i++) {
        sonde_buf_printf(buf, i ? ",%u" : "%u", i ? profile->samples[i - 1].duration_us : 0);
        r = sonde_output_flush(output, false, err);
    }
    sonde_buf_text(buf, "]}\n");
    return r < 0 ? r : sonde_output_flush(output, true, err);
}

int sonde_cpuprofile_write(const struct sonde_profile *profile, struct sonde_output *output,
                           struct sonde_err *err)
{
    SONDE_FREE uint32_t *first = calloc(profile->node_count, sizeof(*first));
    SONDE_FREE uint32_t *next = calloc(profile->node_count, sizeof(*next));
    if (!first || !next) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "a cpuprofile: out of memory");
    }
    for (size_t i = profile->node_count; i-- > 1;) {
        uint32_t parent = profile->nodes[i].parent;
        next[i] = first[parent];
        first[parent] = (uint32_t)i;
    }
    int r = write_nodes(profile, first, next, output, err);
    return r < 0 ? r : write_samples(profile, output, err);
}
