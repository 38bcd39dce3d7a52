/* SPDX-License-Identifier: Apache-2.0 */
/* CPU profiles in windows. The profiler runs once and console profiles that overlap for a moment
 * rotate on it: a rotation costs the target a few milliseconds, where Profiler.start costs
 * hundreds. */
#include <string.h>

#include "inspector/visit.h"

/* ---- profiles on their way to the sink ---- */

static int profile_begin(struct visit_thread *thread, enum sonde_cdp_stream stream,
                         struct sonde_err *err)
{
    (void)stream;
    /* The title comes last; a finished profile while we have a window running is that window. */
    unsigned finished = thread->window && thread->busy ? thread->window - 1 : thread->window;
    return capture_artifact_begin(thread, finished, err);
}

static int profile_end(struct visit_thread *thread, const char *title, struct sonde_err *err)
{
    const char *prefix = thread->visit->prefix;
    if (thread->visit->sink_of != thread) {
        return 0; /* the sink has stalled */
    }
    if (strncmp(title, prefix, strlen(prefix)) != 0) {
        capture_artifact_abort(thread); /* the application's own profile */
        return 0;
    }
    return capture_artifact_commit(thread, err);
}

/* ---- windows ---- */

static void set_title(struct visit_thread *thread)
{
    struct sonde_visit *v = thread->visit;
    (void)snprintf(thread->title, sizeof(thread->title), "%s%zu.%u", v->prefix, v->capture,
                   thread->window);
}

static int keep_stall(struct sonde_visit *v, double stall, struct sonde_err *err)
{
    struct sonde_visit_result *result = &v->result;
    if (result->rotations == SONDE_STALLS_MAX) {
        return 0;
    }
    if (sonde_array_grow(&result->rotation_stalls_ms, &v->stall_capacity, result->rotations + 1,
                         sizeof(*result->rotation_stalls_ms), SONDE_STALLS_MAX) < 0) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    result->rotation_stalls_ms[result->rotations++] = (float)stall;
    return 0;
}

int capture_rotated(struct visit_thread *thread, const cJSON *result, const char *failure,
                    double *ret_ms, struct sonde_err *err)
{
    const cJSON *value = NULL;
    int r = visit_value(thread, result, failure, &value, err);
    if (r < 0) {
        return r;
    }
    double stall = sonde_json_number_or(value, "stallMilliseconds", 0);
    if (!ret_ms) {
        return keep_stall(thread->visit, stall, err);
    }
    *ret_ms = stall;
    return 0;
}

void capture_rotate_first(struct visit_thread *thread, sonde_cdp_answer answer)
{
    char call[160];
    set_title(thread);
    (void)snprintf(call, sizeof(call), "rotate('%s','')", thread->title);
    visit_call(thread, call, answer);
}

void capture_rotate(struct visit_thread *thread, bool more, sonde_cdp_answer answer)
{
    char call[256];
    char previous[sizeof(thread->title)];
    memcpy(previous, thread->title, sizeof(previous));
    thread->window++;
    set_title(thread);
    (void)snprintf(call, sizeof(call), "rotate('%s','%s')", more ? thread->title : "", previous);
    visit_call(thread, call, answer);
}

static int started(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    double stall = 0;
    int r = capture_rotated(thread, result, failure, &stall, err);
    if (r == 0) {
        capture_started(thread, stall);
        capture_arm(thread, capture_request(thread)->window_ns);
    }
    return r;
}

static int rotated(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    int r = capture_rotated(thread, result, failure, NULL, err);
    if (r == 0) {
        capture_ready(thread);
        capture_arm(thread, capture_request(thread)->window_ns);
    }
    return r;
}

static int disabled(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    (void)result;
    (void)failure;
    (void)err;
    capture_done(context);
    return 0;
}

static int stopped(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    double stall = 0;
    int r = capture_rotated(thread, result, failure, &stall, err);
    if (r == 0) {
        capture_stopped(thread, stall);
        visit_command(thread, "Profiler.disable", "{}", disabled);
    }
    return r;
}

static void window_ended(struct visit_thread *thread)
{
    if (!capture_is_over(thread)) {
        capture_rotate(thread, true, rotated);
        return;
    }
    capture_ending(thread);
    capture_rotate(thread, false, stopped);
}

static void begin_profile(struct visit_thread *thread)
{
    char params[64];
    (void)snprintf(params, sizeof(params), "{\"interval\":%lld}",
                   (long long)capture_request(thread)->sampling_interval_us);
    visit_command(thread, "Profiler.enable", "{}", visit_must_succeed);
    visit_command(thread, "Profiler.setSamplingInterval", params, visit_must_succeed);
    capture_rotate_first(thread, started);
}

static void begin(struct visit_thread *thread)
{
    if (thread->worker[0]) {
        capture_waits_begin(thread, begin_profile);
    } else {
        begin_profile(thread);
    }
}

const struct capture_type capture_cpu = {
    .begin = begin,
    .ended = window_ended,
    .stream_begin = profile_begin,
    .stream_data = capture_artifact_piece,
    .stream_end = profile_end,
    .fini = capture_waits_end,
};
