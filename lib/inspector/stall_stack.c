/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/stall_stack.h"

#include <stdlib.h>

enum { NONE = 0xffffffff };

int sonde_stall_windows_init(struct sonde_stall_windows *windows, struct sonde_err *err)
{
    *windows = (struct sonde_stall_windows){0};
    return sonde_profile_init(&windows->kept, err);
}

void sonde_stall_windows_fini(struct sonde_stall_windows *windows)
{
    sonde_cpuprofile_reader_free(SONDE_TAKE(windows->reader));
    sonde_profile_fini(&windows->windows[0]);
    sonde_profile_fini(&windows->windows[1]);
    sonde_profile_fini(&windows->kept);
}

static struct sonde_profile *latest(struct sonde_stall_windows *windows)
{
    return &windows->windows[windows->latest];
}

int sonde_stall_window_begin(struct sonde_stall_windows *windows, struct sonde_err *err)
{
    windows->latest ^= 1;
    sonde_cpuprofile_reader_free(SONDE_TAKE(windows->reader));
    sonde_profile_fini(latest(windows));
    *latest(windows) = (struct sonde_profile){0};
    windows->source = (struct sonde_profile_source){0};
    int r = sonde_profile_init(latest(windows), err);
    return r < 0 ? r
                 : sonde_cpuprofile_reader_new(latest(windows), &windows->source, &windows->reader,
                                               err);
}

int sonde_stall_window_feed(struct sonde_stall_windows *windows, const char *data, size_t length,
                            struct sonde_err *err)
{
    return windows->reader ? sonde_cpuprofile_feed(windows->reader, data, length, err) : 0;
}

int sonde_stall_window_end(struct sonde_stall_windows *windows, bool ours, struct sonde_err *err)
{
    int r = windows->reader && ours ? sonde_cpuprofile_finish(windows->reader, err) : 0;
    sonde_cpuprofile_reader_free(SONDE_TAKE(windows->reader));
    if (!ours) {
        sonde_profile_fini(latest(windows));
        *latest(windows) = (struct sonde_profile){0};
        windows->latest ^= 1;
    }
    return r;
}

static bool is_work(const struct sonde_profile *profile, uint32_t node)
{
    enum sonde_category category = profile->frames[profile->nodes[node].frame].category;
    return category != SONDE_CATEGORY_IDLE && category != SONDE_CATEGORY_SONDE;
}

/* Adds up the time of the samples between the two times by node; returns their number. */
static uint32_t weigh(const struct sonde_profile *profile, double from_us, double to_us,
                      double *weights)
{
    double at = (double)profile->end_us;
    uint32_t count = 0;
    if (profile->unordered) {
        return 0;
    }
    for (size_t i = profile->sample_count; i-- > 0 && at > from_us;) {
        const struct sonde_profile_sample *sample = &profile->samples[i];
        double end = at < to_us ? at : to_us;
        at -= sample->duration_us;
        double begin = at > from_us ? at : from_us;
        if (end > begin && is_work(profile, sample->node)) {
            weights[sample->node] += end - begin;
            count++;
        }
    }
    return count;
}

/* Sums weights up to the root, and notes of each node its heaviest child. */
static void sum_up(const struct sonde_profile *profile, double *weights, uint32_t *heaviest)
{
    for (size_t i = profile->node_count; i-- > 1;) {
        uint32_t parent = profile->nodes[i].parent;
        weights[parent] += weights[i];
        if (weights[i] > 0 &&
            (heaviest[parent] == NONE || weights[i] > weights[heaviest[parent]])) {
            heaviest[parent] = (uint32_t)i;
        }
    }
}

static int keep_frame(struct sonde_stall_windows *windows, const struct sonde_frame *frame,
                      struct sonde_stall_stack *ret, struct sonde_err *err)
{
    uint32_t index;
    int r = sonde_profile_frame(&windows->kept, frame->function, frame->generated.file,
                                frame->generated.line, frame->generated.column, &index, err);
    if (r < 0) {
        return r;
    }
    if (ret->depth == SONDE_STALL_STACK_MAX) {
        memmove(ret->frames, ret->frames + 1, (ret->depth - 1) * sizeof(*ret->frames));
        ret->depth--;
    }
    ret->frames[ret->depth++] = index;
    return 0;
}

static int find_stack(struct sonde_stall_windows *windows, const struct sonde_profile *profile,
                      double from_us, double to_us, struct sonde_stall_stack *ret,
                      struct sonde_err *err)
{
    SONDE_FREE double *weights = calloc(profile->node_count, sizeof(*weights));
    SONDE_FREE uint32_t *heaviest = malloc(profile->node_count * sizeof(*heaviest));
    if (!weights || !heaviest) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    memset(heaviest, 0xff, profile->node_count * sizeof(*heaviest));
    ret->samples = weigh(profile, from_us, to_us, weights);
    sum_up(profile, weights, heaviest);
    int r = 0;
    for (uint32_t node = heaviest[0]; r == 0 && node != NONE; node = heaviest[node]) {
        if (weights[node] <= weights[0] / 2) {
            break;
        }
        ret->share = weights[node] / weights[0];
        r = keep_frame(windows, &profile->frames[profile->nodes[node].frame], ret, err);
    }
    return r;
}

int sonde_stall_stack(struct sonde_stall_windows *windows, double from_us, double to_us,
                      struct sonde_stall_stack *ret, struct sonde_err *err)
{
    struct sonde_stall_stack best = {0};
    for (unsigned i = 0; i < SONDE_LENGTH(windows->windows); i++) {
        const struct sonde_profile *profile = &windows->windows[(windows->latest + i) % 2];
        struct sonde_stall_stack one = {0};
        int r =
            profile->node_count == 0 ? 0 : find_stack(windows, profile, from_us, to_us, &one, err);
        if (r < 0) {
            return r;
        }
        if (one.samples > best.samples) {
            best = one;
        }
    }
    *ret = best;
    return 0;
}

void sonde_stall_print_frames(const struct sonde_stall_windows *windows, struct sonde_buf *buf)
{
    for (size_t i = 0; i < windows->kept.frame_count; i++) {
        const struct sonde_frame *frame = &windows->kept.frames[i];
        sonde_buf_text(buf, i ? ",{\"function\":" : "{\"function\":");
        sonde_buf_json_string(buf, frame->function);
        sonde_buf_text(buf, ",\"url\":");
        sonde_buf_json_string(buf, frame->generated.file);
        sonde_buf_printf(buf, ",\"line\":%d,\"column\":%d}", (int)frame->generated.line,
                         (int)frame->generated.column);
    }
}
