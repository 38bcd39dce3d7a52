/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: how late and how busy it was, second by second, and what it did in its stalls.
 * A timer in the target sees stalls but not stacks; the samples of a CPU profile that runs
 * meanwhile, in windows, have the stacks: both are on one clock, and meet here. */
#include <stdlib.h>
#include <string.h>

#include "inspector/event_loop_js.h"
#include "inspector/stall_stack.h"
#include "inspector/visit.h"

enum {
    SECONDS_BYTES_MAX = 2 << 20, /* of an hour: 3600 rows */
    STALLS_BYTES_MAX = 4 << 20,
    STALLS_MAX = 2000, /* kept with their stacks; the rest is counted */
    HEAD_BYTES_MAX = 64 << 10,
    SAMPLING_MIN_US = 1000,
    SAMPLING_MAX_US = 10000,
};

#define WINDOW_NS (5 * SONDE_SECOND)

struct event_loop {
    struct sonde_stall_windows windows;
    struct sonde_buf seconds, stalls; /* JSON objects, with commas between */
    struct sonde_buf head;            /* what is known of the whole, at the end */
    size_t stall_count, passed_over;
    double began_us;
};

/* ---- the artifact ---- */

static void print_delay(const cJSON *row, struct sonde_buf *buf)
{
    static const char *const names[][2] = {
        {"mean", "delayMeanMilliseconds"},
        {"p50", "delayP50Milliseconds"},
        {"p99", "delayP99Milliseconds"},
        {"max", "delayMaxMilliseconds"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        sonde_buf_printf(buf, ",\"%s\":%.3f", names[i][1],
                         sonde_json_number_or(row, names[i][0], 0) / 1e3);
    }
}

static void add_second(struct event_loop *loop, const cJSON *row)
{
    sonde_buf_text(&loop->seconds, loop->seconds.length ? ",{" : "{");
    sonde_buf_printf(
        &loop->seconds, "\"startMilliseconds\":%.3f,\"milliseconds\":%.3f,\"utilization\":%.4f",
        (sonde_json_number_or(row, "start", 0) - loop->began_us) / 1e3,
        sonde_json_number_or(row, "length", 0) / 1e3, sonde_json_number_or(row, "utilization", 0));
    print_delay(row, &loop->seconds);
    sonde_buf_char(&loop->seconds, '}');
}

static double number_at(const cJSON *array, int index)
{
    const cJSON *item = cJSON_GetArrayItem(array, index);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static int add_stall(struct event_loop *loop, const cJSON *row, struct sonde_err *err)
{
    if (loop->stall_count == STALLS_MAX) {
        loop->passed_over++;
        return 0;
    }
    struct sonde_stall_stack stack;
    double start_us = number_at(row, 0);
    int r = sonde_stall_stack(&loop->windows, start_us, number_at(row, 1), &stack, err);
    if (r < 0) {
        return r;
    }
    sonde_buf_text(&loop->stalls, loop->stall_count++ ? ",{" : "{");
    sonde_buf_printf(&loop->stalls,
                     "\"startMilliseconds\":%.3f,\"milliseconds\":%.3f,\"samples\":%u,"
                     "\"share\":%.3f,\"stack\":[",
                     (start_us - loop->began_us) / 1e3, number_at(row, 2) / 1e3, stack.samples,
                     stack.share);
    for (size_t i = 0; i < stack.depth; i++) {
        sonde_buf_printf(&loop->stalls, i ? ",%u" : "%u", stack.frames[i]);
    }
    sonde_buf_text(&loop->stalls, "]}");
    return 0;
}

static void print_whole(struct event_loop *loop, const cJSON *value, struct visit_thread *thread)
{
    struct sonde_buf *buf = &loop->head;
    const struct sonde_capture_request *request = capture_request(thread);
    const cJSON *whole = cJSON_GetObjectItemCaseSensitive(value, "whole");
    const cJSON *pair;
    sonde_buf_printf(buf,
                     "{\"version\":1,\"resolutionMilliseconds\":%lld,"
                     "\"stallThresholdMilliseconds\":%lld,\"milliseconds\":%.3f,"
                     "\"utilization\":%.4f,\"delay\":{\"count\":%lld,"
                     "\"standardDeviationMilliseconds\":%.3f",
                     (long long)request->resolution_ms, (long long)request->stall_threshold_ms,
                     (sonde_json_number_or(value, "end", loop->began_us) - loop->began_us) / 1e3,
                     sonde_json_number_or(value, "utilization", 0),
                     (long long)sonde_json_integer_or(whole, "count", 0),
                     sonde_json_number_or(value, "deviation", 0) / 1e3);
    print_delay(whole, buf);
    sonde_buf_text(buf, ",\"percentiles\":[");
    bool first = true;
    cJSON_ArrayForEach(pair, cJSON_GetObjectItemCaseSensitive(value, "percentiles"))
    {
        sonde_buf_printf(buf, first ? "[%.4f,%.3f]" : ",[%.4f,%.3f]", number_at(pair, 0),
                         number_at(pair, 1) / 1e3);
        first = false;
    }
    sonde_buf_text(buf, "]}");
}

static int write_text(struct visit_thread *thread, const char *name, const struct sonde_buf *text,
                      struct sonde_err *err)
{
    int r = sonde_buf_check(text, "the event loop's record", err);
    r = r < 0 ? r : capture_artifact_write(thread, name, strlen(name), err);
    return r < 0 || !text->length ? r
                                  : capture_artifact_write(thread, text->data, text->length, err);
}

static int write_artifact(struct visit_thread *thread, struct sonde_err *err)
{
    struct event_loop *loop = thread->state;
    SONDE_BUF_AUTO frames = SONDE_BUF(STALLS_BYTES_MAX);
    sonde_stall_print_frames(&loop->windows, &frames);
    sonde_buf_printf(&loop->head, ",\"stallsOmitted\":%zu", loop->passed_over);
    int r = capture_artifact_begin(thread, 0, err);
    r = r < 0 ? r : write_text(thread, "", &loop->head, err);
    r = r < 0 ? r : write_text(thread, ",\"seconds\":[", &loop->seconds, err);
    r = r < 0 ? r : write_text(thread, "],\"stalls\":[", &loop->stalls, err);
    r = r < 0 ? r : write_text(thread, "],\"frames\":[", &frames, err);
    r = r < 0 ? r : capture_artifact_write(thread, "]}", 2, err);
    return r < 0 ? r : capture_artifact_commit(thread, err);
}

/* ---- windows ---- */

static int profile_begin(struct visit_thread *thread, enum sonde_cdp_stream stream,
                         struct sonde_err *err)
{
    struct event_loop *loop = thread->state;
    return stream == SONDE_CDP_STREAM_PROFILE && loop
               ? sonde_stall_window_begin(&loop->windows, err)
               : 0;
}

static int profile_data(struct visit_thread *thread, const char *data, size_t length,
                        struct sonde_err *err)
{
    struct event_loop *loop = thread->state;
    return loop ? sonde_stall_window_feed(&loop->windows, data, length, err) : 0;
}

static int profile_end(struct visit_thread *thread, const char *title, struct sonde_err *err)
{
    struct event_loop *loop = thread->state;
    const char *prefix = thread->visit->prefix;
    bool ours = strncmp(title, prefix, strlen(prefix)) == 0;
    return loop ? sonde_stall_window_end(&loop->windows, ours, err) : 0;
}

static int take(struct visit_thread *thread, const cJSON *result, const char *failure,
                const cJSON **ret, struct sonde_err *err)
{
    struct event_loop *loop = thread->state;
    const cJSON *row;
    int r = visit_value(thread, result, failure, ret, err);
    if (r < 0) {
        return r;
    }
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(*ret, "seconds"))
    {
        add_second(loop, row);
    }
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(*ret, "stalls"))
    {
        r = r < 0 ? r : add_stall(loop, row, err);
    }
    int64_t passed_over = sonde_json_integer_or(*ret, "passedOver", 0);
    loop->passed_over += passed_over > 0 ? (size_t)passed_over : 0;
    return r;
}

static int taken(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    const cJSON *value = NULL;
    int r = take(thread, result, failure, &value, err);
    if (r == 0) {
        capture_ready(thread);
        capture_arm(thread, WINDOW_NS);
    }
    return r;
}

static int disabled(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    (void)result;
    (void)failure;
    struct visit_thread *thread = context;
    int r = write_artifact(thread, err);
    if (r == 0) {
        capture_done(thread);
    }
    return r;
}

static int taken_all(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    const cJSON *value = NULL;
    int r = take(thread, result, failure, &value, err);
    if (r == 0) {
        print_whole(thread->state, value, thread);
        visit_command(thread, "Profiler.disable", "{}", disabled);
    }
    return r;
}

static int rotated(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    return capture_rotated(context, result, failure, NULL, err);
}

static int ended_profile(void *context, const cJSON *result, const char *failure,
                         struct sonde_err *err)
{
    double stall = 0;
    int r = capture_rotated(context, result, failure, &stall, err);
    if (r == 0) {
        capture_stopped(context, stall);
    }
    return r;
}

static void window_ended(struct visit_thread *thread)
{
    if (!capture_is_over(thread)) {
        capture_rotate(thread, true, rotated);
        visit_call(thread, "takeStalls(false)", taken);
        return;
    }
    capture_ending(thread);
    capture_rotate(thread, false, ended_profile);
    visit_call(thread, "takeStalls(true)", taken_all);
}

/* ---- the beginning ---- */

static int watching(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    struct event_loop *loop = thread->state;
    const cJSON *value = NULL;
    int r = visit_value(thread, result, failure, &value, err);
    if (r == 0) {
        loop->began_us = sonde_json_number_or(value, "start", 0);
        capture_arm(thread, WINDOW_NS);
    }
    return r;
}

static int started(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    const struct sonde_capture_request *request = capture_request(thread);
    char call[96];
    double stall = 0;
    int r = capture_rotated(thread, result, failure, &stall, err);
    if (r == 0) {
        (void)snprintf(call, sizeof(call), "watchStalls(%lld,%lld)",
                       (long long)request->resolution_ms, (long long)request->stall_threshold_ms);
        capture_started(thread, stall);
        visit_call(thread, call, watching);
    }
    return r;
}

static int extended(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    const cJSON *value = NULL;
    char params[64];
    int r = visit_value(thread, result, failure, &value, err);
    if (r < 0) {
        return r;
    }
    /* Ten samples in the shortest stall. */
    int64_t interval = capture_request(thread)->stall_threshold_ms * 1000 / 10;
    interval = interval < SAMPLING_MIN_US   ? SAMPLING_MIN_US
               : interval > SAMPLING_MAX_US ? SAMPLING_MAX_US
                                            : interval;
    (void)snprintf(params, sizeof(params), "{\"interval\":%lld}", (long long)interval);
    visit_command(thread, "Profiler.enable", "{}", visit_must_succeed);
    visit_command(thread, "Profiler.setSamplingInterval", params, visit_must_succeed);
    capture_rotate_first(thread, started);
    return 0;
}

static void begin(struct visit_thread *thread)
{
    struct sonde_err err;
    struct event_loop *loop = calloc(1, sizeof(*loop));
    if (!loop) {
        (void)sonde_fail(&err, SONDE_ENOMEM, 0, "out of memory");
        sonde_visit_fail(thread->visit, &err);
        return;
    }
    loop->seconds = SONDE_BUF(SECONDS_BYTES_MAX);
    loop->stalls = SONDE_BUF(STALLS_BYTES_MAX);
    loop->head = SONDE_BUF(HEAD_BYTES_MAX);
    thread->state = loop;
    if (sonde_stall_windows_init(&loop->windows, &err) < 0) {
        sonde_visit_fail(thread->visit, &err);
        return;
    }
    capture_extend(thread, event_loop_js, extended);
}

static void fini(struct visit_thread *thread)
{
    struct event_loop *loop = SONDE_TAKE(thread->state);
    if (loop) {
        sonde_stall_windows_fini(&loop->windows);
        sonde_buf_fini(&loop->seconds);
        sonde_buf_fini(&loop->stalls);
        sonde_buf_fini(&loop->head);
        free(loop);
    }
}

const struct capture_type capture_event_loop = {
    .begin = begin,
    .ended = window_ended,
    .stream_begin = profile_begin,
    .stream_data = profile_data,
    .stream_end = profile_end,
    .fini = fini,
};
