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

/* Lists: the children of a node, and the lines of a frame. 0: none; lines are numbered from 1. */
struct lists {
    struct sonde_children children;
    uint32_t *first_line; /* by frame; 0 again once written */
    uint32_t *next_line;  /* by line − 1 */
};

static int link_lists(const struct sonde_profile *profile, struct lists *ret, struct sonde_err *err)
{
    *ret = (struct lists){
        .first_line = calloc(profile->frame_count, sizeof(uint32_t)),
        .next_line = calloc(profile->line_count + 1, sizeof(uint32_t)),
    };
    int r = sonde_children_link(profile, &ret->children, err);
    if (r < 0 || !ret->first_line || !ret->next_line) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "a cpuprofile: out of memory");
    }
    for (size_t i = profile->line_count; i-- > 0;) {
        uint32_t frame = profile->lines[i].frame;
        ret->next_line[i] = ret->first_line[frame];
        ret->first_line[frame] = (uint32_t)i + 1;
    }
    return 0;
}

static void free_lists(struct lists *lists)
{
    sonde_children_fini(&lists->children);
    free(lists->first_line);
    free(lists->next_line);
}

/* Readers share the time by hitCount where there are no samples: then it is microseconds. */
static uint32_t hits_of(const struct sonde_profile *profile, const struct sonde_profile_node *node)
{
    if (profile->sample_count || profile->total == 0) {
        return node->samples;
    }
    int64_t us = (node->self + 500) / 1000;
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* Each node names its parent in the model; DevTools and speedscope want the children. */
static int write_node(const struct sonde_profile *profile, struct lists *lists, uint32_t i,
                      struct sonde_output *output, struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    const struct sonde_profile_node *node = &profile->nodes[i];
    sonde_buf_printf(buf, "%s{\"id\":%u,", i ? "," : "", i + 1);
    write_frame(buf, &profile->frames[node->frame]);
    sonde_buf_printf(buf, ",\"hitCount\":%u", hits_of(profile, node));
    int r = 0;
    uint32_t first_child = lists->children.first[i];
    for (uint32_t child = first_child; child && r == 0; child = lists->children.next[child]) {
        bool first = child == first_child;
        sonde_buf_printf(buf, first ? ",\"children\":[%u" : ",%u", child + 1);
        r = sonde_output_flush(output, false, err);
    }
    sonde_buf_text(buf, first_child ? "]" : "");
    uint32_t first_line = lists->first_line[node->frame];
    for (uint32_t n = first_line; n && r == 0; n = lists->next_line[n - 1]) {
        const struct sonde_profile_line *line = &profile->lines[n - 1];
        sonde_buf_printf(buf, "%s{\"line\":%d,\"ticks\":%u}",
                         n == first_line ? ",\"positionTicks\":[" : ",", line->line, line->ticks);
        r = sonde_output_flush(output, false, err);
    }
    sonde_buf_text(buf, first_line ? "]}" : "}");
    lists->first_line[node->frame] = 0;
    return r < 0 ? r : sonde_output_flush(output, false, err);
}

static int write_nodes(const struct sonde_profile *profile, struct lists *lists,
                       struct sonde_output *output, struct sonde_err *err)
{
    sonde_buf_text(&output->piece, "{\"nodes\":[");
    int r = 0;
    for (uint32_t i = 0; i < profile->node_count && r == 0; i++) {
        r = write_node(profile, lists, i, output, err);
    }
    return r;
}

static int write_samples(const struct sonde_profile *profile, struct sonde_output *output,
                         struct sonde_err *err)
{
    struct sonde_buf *buf = &output->piece;
    int64_t most = SONDE_CPUPROFILE_TIME_MAX;
    int64_t length = profile->total / 1000 < most ? profile->total / 1000 : most;
    int64_t end = profile->end_us < most ? profile->end_us : most;
    int64_t start = end > length ? end - length : 0;
    int r = 0;
    sonde_buf_printf(buf, "],\"startTime\":%lld,\"endTime\":%lld", (long long)start,
                     (long long)(start + length));
    if (profile->unordered) {
        sonde_buf_text(buf, "}\n");
        return sonde_output_flush(output, true, err);
    }
    sonde_buf_text(buf, ",\"samples\":[");
    for (size_t i = 0; i < profile->sample_count && r == 0; i++) {
        sonde_buf_text(buf, i ? "," : "");
        sonde_buf_u64(buf, (uint64_t)profile->samples[i].node + 1);
        r = sonde_output_flush(output, false, err);
    }
    sonde_buf_text(buf, "],\"timeDeltas\":[");
    for (size_t i = 0; i < profile->sample_count && r == 0; i++) {
        sonde_buf_text(buf, i ? "," : "");
        sonde_buf_u64(buf, i ? profile->samples[i - 1].duration_us : 0);
        r = sonde_output_flush(output, false, err);
    }
    sonde_buf_text(buf, "]}\n");
    return r < 0 ? r : sonde_output_flush(output, true, err);
}

int sonde_cpuprofile_write(const struct sonde_profile *profile, struct sonde_output *output,
                           struct sonde_err *err)
{
    struct lists lists;
    int r = link_lists(profile, &lists, err);
    r = r < 0 ? r : write_nodes(profile, &lists, output, err);
    r = r < 0 ? r : write_samples(profile, output, err);
    free_lists(&lists);
    return r;
}
