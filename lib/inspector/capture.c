/* SPDX-License-Identifier: Apache-2.0 */
/* CPU profiles in windows. One long session rotates console profiles that overlap for a moment: a
 * rotation costs the target a few milliseconds, where Profiler.start costs hundreds. */
#include <string.h>

#include "inspector/visit.h"
#include "spec/reason.h"

static const struct sonde_capture_request *current(const struct sonde_visit *v)
{
    return &v->captures[v->capture];
}

/* ---- profiles on their way to the sink ---- */

static int profile_begin(void *context, struct sonde_err *err)
{
    struct sonde_visit *v = context;
    char name[160];
    if (v->state < VISIT_CAPTURING || v->capture >= v->options.capture_count) {
        return sonde_fail_reason(err, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
                                 "the inspector of process %d sent a profile that nobody asked for",
                                 v->options.pid);
    }
    /* The title comes last; a finished profile while we have a window running is that window. */
    unsigned finished = v->window && v->rotating ? v->window - 1 : v->window;
    (void)snprintf(name, sizeof(name), "%s.%u", current(v)->name, finished);
    v->sink_bytes = 0;
    int r = v->options.sink.begin(v->options.sink.context, current(v)->name, name, err);
    v->sink_open = r == 0;
    return r;
}

static int profile_data(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct sonde_visit *v = context;
    v->sink_bytes += length;
    return v->options.sink.write(v->options.sink.context, data, length, err);
}

static int profile_end(void *context, const char *title, struct sonde_err *err)
{
    struct sonde_visit *v = context;
    v->sink_open = false;
    if (strncmp(title, v->prefix, strlen(v->prefix)) != 0) {
        v->options.sink.abort(v->options.sink.context); /* the application's own profile */
        return 0;
    }
    int r = v->options.sink.commit(v->options.sink.context, err);
    if (r == 0) {
        v->result.artifacts++;
        v->result.bytes += v->sink_bytes;
    }
    return r;
}

static int on_event(void *context, const char *method, const cJSON *params, struct sonde_err *err)
{
    (void)params;
    struct sonde_visit *v = context;
    if (strcmp(method, "NodeRuntime.waitingForDisconnect") == 0) {
        v->result.target_exited = true;
        return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_EXITED,
                                 "process %d ended during the capture", v->options.pid);
    }
    return 0;
}

const struct sonde_cdp_callbacks capture_callbacks = {
    .profile_begin = profile_begin,
    .profile_data = profile_data,
    .profile_end = profile_end,
    .event = on_event,
};

/* ---- windows ---- */

static void set_title(struct sonde_visit *v)
{
    (void)snprintf(v->title, sizeof(v->title), "%s%zu.%u", v->prefix, v->capture, v->window);
}

static void arm_window(struct sonde_visit *v)
{
    int64_t now = sonde_clock_monotonic();
    int64_t left = v->capture_end_ns - now;
    int64_t window = current(v)->window_ns;
    /* No stub of a window at the end. */
    if (left < window + window / 2) {
        window = left;
    }
    sonde_timer_start(v->timer, window > 0 ? window : 0, 0);
}

static int rotation_value(struct sonde_visit *v, const cJSON *result, const char *failure,
                          double *ret_ms, struct sonde_err *err)
{
    const cJSON *value = NULL;
    int r = visit_value(v, result, failure, &value, err);
    if (r < 0) {
        return r;
    }
    *ret_ms = sonde_json_number_or(value, "stallMilliseconds", 0);
    v->rotating = false;
    return 0;
}

static int watching(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    const cJSON *value = NULL;
    return visit_value(context, result, failure, &value, err);
}

static int started(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct sonde_visit *v = context;
    double stall = 0;
    int r = rotation_value(v, result, failure, &stall, err);
    if (r < 0) {
        return r;
    }
    if (v->state != VISIT_CAPTURING) {
        return 0; /* on its way out */
    }
    if (stall > v->result.start_stall_ms) {
        v->result.start_stall_ms = stall;
    }
    v->capture_begin_ns = sonde_clock_monotonic();
    v->capture_end_ns = v->capture_begin_ns + (v->ending ? 0 : current(v)->duration_ns);
    visit_call(v, "watchLoop()", watching);
    visit_progress(v);
    arm_window(v);
    return 0;
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

static int rotated(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct sonde_visit *v = context;
    double stall = 0;
    int r = rotation_value(v, result, failure, &stall, err);
    r = r < 0 ? r : keep_stall(v, stall, err);
    if (r < 0) {
        return r;
    }
    if (v->state != VISIT_CAPTURING) {
        return 0;
    }
    arm_window(v);
    return 0;
}

static int disabled(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    (void)result;
    (void)failure;
    (void)err;
    struct sonde_visit *v = context;
    if (v->state != VISIT_CAPTURING) {
        return 0;
    }
    v->capture++;
    v->complete = !v->ending && v->capture == v->options.capture_count;
    if (v->ending || v->capture == v->options.capture_count) {
        visit_leave(v);
    } else {
        capture_begin(v);
    }
    return 0;
}

static int stopped(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct sonde_visit *v = context;
    double stall = 0;
    int r = rotation_value(v, result, failure, &stall, err);
    if (r < 0) {
        return r;
    }
    if (stall > v->result.stop_stall_ms) {
        v->result.stop_stall_ms = stall;
    }
    v->result.captured_ns += sonde_clock_monotonic() - v->capture_begin_ns;
    v->capture_begin_ns = 0; /* nothing is left to stop */
    visit_command(v, "Profiler.disable", "{}", disabled);
    return 0;
}

static int loop_read(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct sonde_visit *v = context;
    const cJSON *value = NULL;
    int r = visit_value(v, result, failure, &value, err);
    if (r < 0) {
        return r;
    }
    const cJSON *statistics = cJSON_GetObjectItemCaseSensitive(value, "statistics");
    v->result.loop = (struct sonde_loop_delay){
        .measured = cJSON_IsObject(statistics),
        .mean_ms = sonde_json_number_or(statistics, "meanMilliseconds", 0),
        .p50_ms = sonde_json_number_or(statistics, "p50Milliseconds", 0),
        .p99_ms = sonde_json_number_or(statistics, "p99Milliseconds", 0),
        .max_ms = sonde_json_number_or(statistics, "maxMilliseconds", 0),
        .utilization = sonde_json_number_or(statistics, "utilization", 0),
    };
    return 0;
}

void capture_window_ended(struct sonde_visit *v)
{
    if (v->rotating) {
        return;
    }
    char call[256];
    char previous[sizeof(v->title)];
    memcpy(previous, v->title, sizeof(previous));
    v->rotating = true;
    if (sonde_clock_monotonic() + SONDE_MILLISECOND < v->capture_end_ns && !v->ending) {
        v->window++;
        set_title(v);
        (void)snprintf(call, sizeof(call), "rotate('%s','%s')", v->title, previous);
        visit_call(v, call, rotated);
        return;
    }
    v->window++;
    (void)snprintf(call, sizeof(call), "rotate('','%s')", previous);
    visit_call(v, "readLoop()", loop_read);
    visit_call(v, call, stopped);
}

void capture_stop(struct sonde_visit *v)
{
    v->ending = true;
    v->capture_end_ns = 0;
    if (!v->rotating && v->capture_begin_ns) {
        sonde_timer_stop(v->timer);
        capture_window_ended(v);
    }
}

static int must_succeed(void *context, const cJSON *result, const char *failure,
                        struct sonde_err *err)
{
    (void)context;
    if (!result) {
        return sonde_fail_reason(err, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
                                 "the inspector refused a command: %.300s", failure);
    }
    return 0;
}

void capture_begin(struct sonde_visit *v)
{
    char params[64];
    char call[160];
    visit_enter(v, VISIT_CAPTURING);
    v->window = 0;
    v->rotating = true; /* until the first window has started */
    v->capture_begin_ns = 0;
    set_title(v);
    (void)snprintf(params, sizeof(params), "{\"interval\":%lld}",
                   (long long)current(v)->sampling_interval_us);
    (void)snprintf(call, sizeof(call), "rotate('%s','')", v->title);
    visit_command(v, "Profiler.enable", "{}", must_succeed);
    visit_command(v, "Profiler.setSamplingInterval", params, must_succeed);
    visit_call(v, call, started);
}
