/* SPDX-License-Identifier: Apache-2.0 */
#include "profile_helpers.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/random.h"
#include "profile/cpuprofile.h"

int read_window(struct sonde_profile *profile, struct sonde_profile_source *source,
                struct sonde_str text, size_t step, struct sonde_err *err)
{
    struct sonde_profile_source own = {0};
    return READ_WITH(cpuprofile, text, step, err, profile, source ? source : &own);
}

void assert_refused(const struct refused *row, int r, const struct sonde_err *err)
{
    if (r != row->code || !strstr(err->message, row->says)) {
        fail_msg("%s\n gave %d: %s", row->text, r, err->message);
    }
}

void assert_profiles_refused(const struct refused *rows, size_t count,
                             int (*read)(struct sonde_profile *profile, struct sonde_str text,
                                         size_t step, struct sonde_err *err))
{
    for (size_t i = 0; i < count; i++) {
        struct sonde_profile profile;
        struct sonde_err err = {0};
        assert_int_equal(sonde_profile_init(&profile, NULL), 0);
        assert_refused(&rows[i], read(&profile, sonde_str(rows[i].text), 0, &err), &err);
        assert_int_equal(profile.total_samples, 0);
        assert_int_equal(profile.total, 0);
        assert_int_equal(profile.windows, 0);
        sonde_profile_fini(&profile);
    }
}

void read_good(struct sonde_profile *profile, struct sonde_profile_source *source, const char *text)
{
    struct sonde_err err = {0};
    if (read_window(profile, source, sonde_str(text), 0, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

void read_alone(struct sonde_profile *ret, const char *text)
{
    assert_int_equal(sonde_profile_init(ret, NULL), 0);
    read_good(ret, NULL, text);
}

void path_of(const struct sonde_profile *profile, uint32_t node, struct sonde_buf *ret)
{
    uint32_t *stack = calloc(profile->node_count, sizeof(*stack));
    assert_non_null(stack);
    size_t depth = 0;
    for (; node != 0; node = profile->nodes[node].parent) {
        stack[depth++] = node;
    }
    sonde_buf_clear(ret);
    sonde_buf_text(ret, "");
    while (depth-- > 0) {
        sonde_buf_str(ret, profile->frames[profile->nodes[stack[depth]].frame].function);
        sonde_buf_text(ret, depth ? ";" : "");
    }
    free(stack);
    assert_int_equal(ret->code, 0);
}

const struct sonde_profile_node *node_at(const struct sonde_profile *profile, const char *path)
{
    SONDE_BUF_AUTO text = SONDE_BUF(PATH_MAX_BYTES);
    for (uint32_t i = 0; i < profile->node_count; i++) {
        path_of(profile, i, &text);
        if (sonde_str_is(sonde_buf_view(&text), path)) {
            return &profile->nodes[i];
        }
    }
    fail_msg("no node %s", path);
    return NULL;
}

const struct sonde_frame *frame_named(const struct sonde_profile *profile, const char *function)
{
    for (size_t i = 0; i < profile->frame_count; i++) {
        if (sonde_str_is(profile->frames[i].function, function)) {
            return &profile->frames[i];
        }
    }
    fail_msg("no frame %s", function);
    return NULL;
}

struct sums {
    struct sonde_map map;
    struct sonde_arena text;
    int64_t times[1 << 14];
    uint64_t samples[1 << 14];
    size_t count;
};

static void add_sums(const struct sonde_profile *profile, struct sums *sums, int sign)
{
    SONDE_BUF_AUTO path = SONDE_BUF(PATH_MAX_BYTES);
    for (uint32_t i = 0; i < profile->node_count; i++) {
        struct sonde_map_slot *slot;
        bool fresh;
        path_of(profile, i, &path);
        struct sonde_str key = sonde_arena_copy(&sums->text, sonde_buf_view(&path));
        assert_non_null(key.data);
        assert_int_equal(sonde_map_insert(&sums->map, key, &slot, &fresh), 0);
        if (fresh) {
            assert_true(sums->count < SONDE_LENGTH(sums->times));
            slot->value = sums->count++;
        }
        sums->times[slot->value] += sign * profile->nodes[i].self;
        sums->samples[slot->value] += (uint64_t)sign * profile->nodes[i].samples;
    }
}

void assert_same_times(const struct sonde_profile *left, const struct sonde_profile *right,
                       bool samples_too)
{
    struct sums *sums = calloc(1, sizeof(*sums));
    assert_non_null(sums);
    sums->map = SONDE_MAP(1 << 14);
    sums->text = SONDE_ARENA(256 << 20);
    add_sums(left, sums, 1);
    add_sums(right, sums, -1);
    for (size_t i = 0; i < sums->map.capacity; i++) {
        const struct sonde_map_slot *slot = &sums->map.slots[i];
        if (!slot->key.data) {
            continue;
        }
        if (sums->times[slot->value] || (samples_too && sums->samples[slot->value])) {
            fail_msg("%.200s differs by %" PRId64 " ns and %" PRId64 " samples", slot->key.data,
                     sums->times[slot->value], (int64_t)sums->samples[slot->value]);
        }
    }
    assert_int_equal(left->total, right->total);
    sonde_map_fini(&sums->map);
    sonde_arena_fini(&sums->text);
    free(sums);
}

void assert_consistent(const struct sonde_profile *profile)
{
    int64_t time = 0;
    int64_t line = 0;
    uint64_t samples = 0;
    for (uint32_t i = 0; i < profile->node_count; i++) {
        assert_true(i == 0 || profile->nodes[i].parent < i);
        assert_true(profile->nodes[i].frame < profile->frame_count);
        time += profile->nodes[i].self;
        samples += profile->nodes[i].samples;
    }
    for (size_t i = 0; i < profile->sample_count; i++) {
        assert_true(profile->samples[i].node < profile->node_count);
        line += (int64_t)profile->samples[i].duration_us * 1000;
    }
    assert_int_equal(time, profile->total);
    assert_int_equal(line, profile->total);
    assert_int_equal(samples, profile->total_samples);
    assert_true(profile->start_us <= profile->end_us);
}

int write_to_buf(void *context, const void *data, size_t length, struct sonde_err *err)
{
    struct sonde_buf *buf = context;
    assert_true(length <= 2 * SONDE_OUTPUT_PIECE); /* in pieces, never whole */
    sonde_buf_append(buf, data, length);
    return sonde_buf_check(buf, "what was written", err);
}
