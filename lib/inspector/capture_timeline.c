/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations by time: of what was allocated in each moment, how much is still alive. V8 tells it
 * several times a second, each time after a full garbage collection. Whose allocations they are is
 * not asked for: recording their stacks leaves the target a fiftieth of its speed.
 *
 * V8 goes on for as long as the connection stands, and nothing within the target can end it: a
 * session within the target that did it itself crashed Node.js 18 to 22. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inspector/visit.h"
#include "spec/reason.h"

enum {
    MOMENTS_MAX = 80000, /* an hour, twenty a second */
    TEXT_BYTES_MAX = 16 << 20,
    TRIPLE = 3, /* of an update: which moment, objects, bytes */
};

/* What was allocated between two moments; the first is what there was before. */
struct moment {
    double time_ms; /* its end, since 1970 */
    double objects, bytes, peak_bytes;
};

struct timeline {
    struct moment *moments;
    size_t count, capacity;
    size_t told; /* those whose end was told */
};

static int room_for(struct timeline *timeline, size_t count, struct sonde_err *err)
{
    int r = sonde_array_grow(&timeline->moments, &timeline->capacity, count,
                             sizeof(*timeline->moments), MOMENTS_MAX);
    if (r == SONDE_ELIMIT) {
        return sonde_fail_reason(err, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
                                 "the inspector tells of more than %d moments", MOMENTS_MAX);
    }
    if (r < 0) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    for (; timeline->count < count; timeline->count++) {
        timeline->moments[timeline->count] = (struct moment){0};
    }
    return 0;
}

static int take_triple(struct timeline *timeline, const double triple[TRIPLE],
                       struct sonde_err *err)
{
    if (!(triple[0] >= 0 && triple[0] < (double)MOMENTS_MAX && triple[1] >= 0 && triple[2] >= 0)) {
        return 0; /* nothing that V8 says */
    }
    size_t index = (size_t)triple[0];
    int r = room_for(timeline, index + 1, err);
    if (r < 0) {
        return r;
    }
    struct moment *moment = &timeline->moments[index];
    moment->objects = triple[1];
    moment->bytes = triple[2];
    moment->peak_bytes = fmax(moment->peak_bytes, triple[2]);
    return 0;
}

static int update(struct timeline *timeline, const cJSON *numbers, struct sonde_err *err)
{
    double triple[TRIPLE];
    size_t at = 0;
    int r = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, numbers)
    {
        triple[at++] = cJSON_IsNumber(item) && isfinite(item->valuedouble) ? item->valuedouble : -1;
        if (at == TRIPLE) {
            at = 0;
            r = r < 0 ? r : take_triple(timeline, triple, err);
        }
    }
    return r;
}

static int on_event(struct visit_thread *thread, const char *method, const cJSON *params,
                    struct sonde_err *err)
{
    struct timeline *timeline = thread->state;
    if (timeline && strcmp(method, "HeapProfiler.heapStatsUpdate") == 0) {
        return update(timeline, cJSON_GetObjectItemCaseSensitive(params, "statsUpdate"), err);
    }
    if (!timeline || strcmp(method, "HeapProfiler.lastSeenObjectId") != 0) {
        return 0;
    }
    int r = room_for(timeline, timeline->told + 1, err);
    if (r == 0) {
        timeline->moments[timeline->told++].time_ms = sonde_json_number_or(params, "timestamp", 0);
    }
    return r;
}

/* ---- the artifact ---- */

static int write_artifact(struct visit_thread *thread, struct sonde_err *err)
{
    const struct timeline *timeline = thread->state;
    SONDE_BUF_AUTO text = SONDE_BUF(TEXT_BYTES_MAX);
    double began_ms = timeline->told ? timeline->moments[0].time_ms : 0;
    sonde_buf_printf(&text, "{\"version\":1,\"startMilliseconds\":%.3f,\"moments\":[", began_ms);
    for (size_t i = 0; i < timeline->told; i++) {
        const struct moment *moment = &timeline->moments[i];
        sonde_buf_printf(&text,
                         "%s{\"milliseconds\":%.3f,\"objects\":%.0f,\"bytes\":%.0f,\"peakBytes\":"
                         "%.0f}",
                         i ? "," : "", moment->time_ms - began_ms, moment->objects, moment->bytes,
                         moment->peak_bytes);
    }
    sonde_buf_text(&text, "]}");
    int r = sonde_buf_check(&text, "the timeline", err);
    r = r < 0 ? r : capture_artifact_begin(thread, 0, err);
    r = r < 0 ? r : capture_artifact_write(thread, text.data, text.length, err);
    return r < 0 ? r : capture_artifact_commit(thread, err);
}

/* ---- its course ---- */

static void begin(struct visit_thread *thread)
{
    thread->state = calloc(1, sizeof(struct timeline));
    if (!thread->state) {
        struct sonde_err err;
        (void)sonde_fail(&err, SONDE_ENOMEM, 0, "out of memory");
        sonde_visit_fail(thread->visit, &err);
        return;
    }
    capture_mark(thread, "");
    visit_command(thread, "HeapProfiler.enable", "{}", visit_must_succeed);
    visit_command(thread, "HeapProfiler.startTrackingHeapObjects", "{\"trackAllocations\":false}",
                  visit_must_succeed);
    capture_guard(thread, "", capture_guarded_start);
}

static int stopped(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    double stall = 0;
    int r = capture_stall(thread, result, failure, &stall, err);
    r = r < 0 ? r : write_artifact(thread, err);
    if (r == 0) {
        capture_stopped(thread, stall);
        capture_done(thread);
    }
    return r;
}

/* Stopping it as it is meant to be stopped would take a heap snapshot; this does not. */
static void ended(struct visit_thread *thread)
{
    capture_ending(thread);
    capture_mark(thread, "");
    visit_command(thread, "HeapProfiler.disable", "{}", visit_must_succeed);
    capture_guard(thread, "", stopped);
}

static int begin_nothing(struct visit_thread *thread, enum sonde_cdp_stream stream,
                         struct sonde_err *err)
{
    (void)thread;
    (void)stream;
    (void)err;
    return 0; /* a profile of the application's own */
}

static void fini(struct visit_thread *thread)
{
    struct timeline *timeline = SONDE_TAKE(thread->state);
    if (timeline) {
        free(timeline->moments);
        free(timeline);
    }
}

const struct capture_type capture_timeline = {
    .begin = begin,
    .ended = ended,
    .stream_begin = begin_nothing,
    .stream_data = capture_artifact_piece,
    .stream_end = capture_artifact_end,
    .event = on_event,
    .fini = fini,
};
