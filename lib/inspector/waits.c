/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/waits.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

static struct sonde_wait_stretch *last_of(const struct sonde_wait_recorder *r)
{
    return r->count ? &r->stretches[r->count - 1] : NULL;
}

static void add(struct sonde_wait_stretch *to, const struct sonde_wait_stretch *more)
{
    to->length_us += more->length_us;
    to->ran_us += more->ran_us;
    to->waited_us += more->waited_us;
}

/* Half of the whole stretches are kept: where a thread waits is still to be learnt from them. */
static void thin_out(struct sonde_wait_recorder *r)
{
    size_t kept = 0;
    bool keep = false;
    for (size_t i = 0; r->stretches && i < r->count; i++) {
        struct sonde_wait_stretch stretch = r->stretches[i];
        keep = stretch.whole ? !keep : keep;
        stretch.whole = stretch.whole && keep;
        if (kept && !stretch.whole && !r->stretches[kept - 1].whole) {
            add(&r->stretches[kept - 1], &stretch);
        } else {
            r->stretches[kept++] = stretch;
        }
    }
    r->count = kept;
}

static int append(struct sonde_wait_recorder *r, const struct sonde_wait_stretch *stretch,
                  struct sonde_err *err)
{
    struct sonde_wait_stretch *last = last_of(r);
    if (last && last->whole == stretch->whole) {
        add(last, stretch);
        return 0;
    }
    if (r->count == SONDE_WAITS_STRETCHES_MAX) {
        thin_out(r);
        return append(r, stretch, err);
    }
    int code = sonde_array_grow(&r->stretches, &r->capacity, r->count + 1, sizeof(*r->stretches),
                                SONDE_WAITS_STRETCHES_MAX);
    if (code < 0) {
        return sonde_fail(err, code, 0, "no room for when a thread waited");
    }
    r->stretches[r->count++] = *stretch;
    return 0;
}

/* More was counted in the last stretch than its time: it had begun before. */
static void reach_back(struct sonde_wait_recorder *r)
{
    while (r->count > 1 && last_of(r)->waited_us < 0) {
        struct sonde_wait_stretch *last = last_of(r);
        struct sonde_wait_stretch *before = last - 1;
        int64_t missing = -last->waited_us;
        int64_t taken = missing < before->length_us ? missing : before->length_us;
        before->length_us -= taken;
        before->waited_us = before->waited_us > taken ? before->waited_us - taken : 0;
        last->length_us += taken;
        last->waited_us += taken;
        if (before->length_us > 0) {
            return;
        }
        *before = *last;
        r->count--;
        if (r->count > 1 && !before[-1].whole) {
            add(&before[-1], before);
            r->count--;
        }
    }
}

static int take_latest(struct sonde_wait_recorder *r, struct sonde_err *err)
{
    struct sonde_wait_stretch latest = r->latest;
    r->latest = (struct sonde_wait_stretch){0};
    return latest.length_us ? append(r, &latest, err) : 0;
}

static int take_stretch(struct sonde_wait_recorder *r, struct sonde_wait_stretch *stretch,
                        struct sonde_err *err)
{
    if (stretch->whole) {
        int code = take_latest(r, err);
        r->latest = *stretch;
        return code;
    }
    add(stretch, &r->latest);
    r->latest = (struct sonde_wait_stretch){0};
    int code = append(r, stretch, err);
    if (code == 0) {
        reach_back(r);
    }
    return code;
}

static int64_t microseconds(int64_t ns)
{
    return ns / SONDE_MICROSECOND;
}

int sonde_wait_recorder_take(struct sonde_wait_recorder *r,
                             const struct sonde_wait_reading *reading, struct sonde_err *err)
{
    struct sonde_wait_reading last = r->last;
    int64_t length_us = microseconds(reading->time_ns) - microseconds(last.time_ns);
    if (!r->begun) {
        r->begun = true;
        r->last = *reading;
        r->start_us = microseconds(reading->time_ns);
        return 0;
    }
    if (length_us <= 0 || reading->ran_ns < last.ran_ns || reading->queued_ns < last.queued_ns) {
        return 0;
    }
    r->last = *reading;
    int64_t ran_us = microseconds(reading->ran_ns) - microseconds(last.ran_ns);
    int64_t queued_us = microseconds(reading->queued_ns) - microseconds(last.queued_ns);
    struct sonde_wait_stretch stretch = {
        .length_us = length_us,
        .ran_us = ran_us,
        .waited_us = length_us - ran_us - queued_us,
        .whole = queued_us <= length_us / 2 &&
                 ran_us < (length_us - queued_us) / SONDE_WAITS_WHOLE_PARTS,
    };
    return take_stretch(r, &stretch, err);
}

static int64_t within(int64_t value, int64_t maximum)
{
    return value < 0 ? 0 : value > maximum ? maximum : value;
}

int sonde_wait_recorder_finish(struct sonde_wait_recorder *r, struct sonde_err *err)
{
    int code = take_latest(r, err);
    for (size_t i = 0; i < r->count; i++) {
        struct sonde_wait_stretch *stretch = &r->stretches[i];
        stretch->ran_us = within(stretch->ran_us, stretch->length_us);
        stretch->waited_us = within(stretch->waited_us, stretch->length_us - stretch->ran_us);
    }
    return code;
}

void sonde_wait_recorder_print(const struct sonde_wait_recorder *r, const char *process,
                               struct sonde_buf *buf)
{
    sonde_buf_text(buf, "{\"process\":");
    sonde_buf_json_string(buf, sonde_str(process));
    sonde_buf_printf(buf, ",\"startMicroseconds\":%lld,\"stretches\":\"", (long long)r->start_us);
    for (size_t i = 0; i < r->count; i++) {
        const struct sonde_wait_stretch *stretch = &r->stretches[i];
        sonde_buf_printf(buf, "%s%c%lld %lld %lld", i ? "," : "", stretch->whole ? 'w' : 'p',
                         (long long)stretch->length_us, (long long)stretch->ran_us,
                         (long long)stretch->waited_us);
    }
    sonde_buf_text(buf, "\"}");
}

void sonde_wait_recorder_fini(struct sonde_wait_recorder *r)
{
    free(r->stretches);
    *r = (struct sonde_wait_recorder){0};
}
