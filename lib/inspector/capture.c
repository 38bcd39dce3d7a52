/* SPDX-License-Identifier: Apache-2.0 */
/* The captures of a visit, one after the other: what all types have in common. */
#include <string.h>

#include "inspector/visit.h"
#include "spec/reason.h"

static const struct capture_type *const types[] = {
    [SONDE_CAPTURE_CPU_PROFILE] = &capture_cpu,
    [SONDE_CAPTURE_ALLOCATION_SAMPLING] = &capture_sampling,
    [SONDE_CAPTURE_ALLOCATION_TIMELINE] = &capture_timeline,
    [SONDE_CAPTURE_COVERAGE] = &capture_coverage,
    [SONDE_CAPTURE_EVENT_LOOP] = &capture_event_loop,
    [SONDE_CAPTURE_REPORT] = &capture_report,
    [SONDE_CAPTURE_HEAP_SNAPSHOT] = &capture_snapshot,
};

const struct sonde_capture_request *capture_request(const struct visit_thread *thread)
{
    return &thread->visit->captures[thread->visit->capture];
}

static const struct capture_type *type_of(const struct visit_thread *thread)
{
    return types[capture_request(thread)->type];
}

/* ---- artifacts on their way to the sink ---- */

int capture_artifact_begin(struct visit_thread *thread, unsigned number, struct sonde_err *err)
{
    struct sonde_visit *v = thread->visit;
    const struct sonde_capture_request *request = capture_request(thread);
    char name[160];
    if (thread->worker[0]) {
        (void)snprintf(name, sizeof(name), "%s.w%u.%u", request->name, thread->number, number);
    } else {
        (void)snprintf(name, sizeof(name), "%s.%u", request->name, number);
    }
    struct sonde_capture_artifact artifact = {
        .capture = request->name,
        .name = name,
        .type = sonde_capture_artifact(request->type),
        .worker = thread->number,
    };
    v->sink_bytes = 0;
    int r = v->options.sink.begin(v->options.sink.context, &artifact, err);
    v->sink_of = r == 0 ? thread : NULL;
    return r;
}

int capture_artifact_write(struct visit_thread *thread, const char *data, size_t length,
                           struct sonde_err *err)
{
    struct sonde_visit *v = thread->visit;
    v->sink_bytes += length;
    return v->options.sink.write(v->options.sink.context, data, length, err);
}

int capture_artifact_commit(struct visit_thread *thread, struct sonde_err *err)
{
    struct sonde_visit *v = thread->visit;
    v->sink_of = NULL;
    int r = v->options.sink.commit(v->options.sink.context, err);
    if (r == 0) {
        v->result.artifacts++;
        v->result.bytes += v->sink_bytes;
    }
    return r;
}

void capture_artifact_abort(struct visit_thread *thread)
{
    struct sonde_visit *v = thread->visit;
    if (v->sink_of == thread) {
        v->sink_of = NULL;
        v->options.sink.abort(v->options.sink.context);
    }
}

int capture_artifact_of_answer(struct visit_thread *thread, enum sonde_cdp_stream stream,
                               struct sonde_err *err)
{
    /* A profile that ends now is the application's own. */
    return stream == SONDE_CDP_STREAM_ANSWER ? capture_artifact_begin(thread, 0, err) : 0;
}

int capture_artifact_piece(struct visit_thread *thread, const char *data, size_t length,
                           struct sonde_err *err)
{
    return thread->visit->sink_of == thread ? capture_artifact_write(thread, data, length, err) : 0;
}

int capture_artifact_end(struct visit_thread *thread, const char *title, struct sonde_err *err)
{
    (void)title;
    if (thread->visit->sink_of != thread) {
        return 0;
    }
    thread->arrived = true;
    return capture_artifact_commit(thread, err);
}

int capture_must_arrive(void *context, const cJSON *result, const char *failure,
                        struct sonde_err *err)
{
    const struct visit_thread *thread = context;
    if (thread->visit->err.code) {
        return 0; /* it may have been thrown away: the visit ends with what went wrong before */
    }
    int r = visit_must_succeed(context, result, failure, err);
    return r < 0 || thread->arrived
               ? r
               : sonde_fail_reason(err, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
                                   "the inspector of process %d answered without what was asked "
                                   "for",
                                   thread->visit->options.pid);
}

/* ---- what the inspector says ---- */

static int stream_begin(void *context, enum sonde_cdp_stream stream, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    struct sonde_visit *v = thread->visit;
    if (stream == SONDE_CDP_STREAM_WORKER) {
        return thread == &v->main ? workers_message_begin(v) : 0;
    }
    if (v->state < VISIT_CAPTURING || v->capture >= v->options.capture_count) {
        return sonde_fail_reason(err, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
                                 "the inspector of process %d sent a profile that nobody asked for",
                                 v->options.pid);
    }
    return type_of(thread)->stream_begin(thread, stream, err);
}

static int stream_data(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    if (thread->cdp.stream != SONDE_CDP_STREAM_WORKER) {
        return type_of(thread)->stream_data(thread, data, length, err);
    }
    /* Workers of a worker were not asked for. */
    return thread == &thread->visit->main ? workers_message_data(thread->visit, data, length, err)
                                          : 0;
}

static int stream_end(void *context, const char *title, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    if (thread->cdp.stream != SONDE_CDP_STREAM_WORKER) {
        return type_of(thread)->stream_end(thread, title, err);
    }
    return thread == &thread->visit->main ? workers_message_end(thread->visit, err) : 0;
}

static int on_event(void *context, const char *method, const cJSON *params, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    struct sonde_visit *v = thread->visit;
    if (strcmp(method, "NodeRuntime.waitingForDisconnect") == 0) {
        v->result.target_exited = true;
        return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_EXITED,
                                 "process %d ended during the capture", v->options.pid);
    }
    if (thread == &v->main && workers_event(v, method, params)) {
        return 0;
    }
    if (thread->capturing && type_of(thread)->event) {
        return type_of(thread)->event(thread, method, params, err);
    }
    return 0;
}

const struct sonde_cdp_callbacks capture_callbacks = {
    .stream_begin = stream_begin,
    .stream_data = stream_data,
    .stream_end = stream_end,
    .event = on_event,
};

/* ---- the probe's part ---- */

int capture_stall(struct visit_thread *thread, const cJSON *result, const char *failure,
                  double *ret_ms, struct sonde_err *err)
{
    const cJSON *value = NULL;
    int r = visit_value(thread, result, failure, &value, err);
    if (r < 0) {
        return r;
    }
    double now = sonde_json_number_or(value, "now", 0);
    *ret_ms = now > thread->mark_ms ? now - thread->mark_ms : 0;
    return 0;
}

int capture_guarded_start(void *context, const cJSON *result, const char *failure,
                          struct sonde_err *err)
{
    struct visit_thread *thread = context;
    double stall = 0;
    int r = capture_stall(thread, result, failure, &stall, err);
    if (r == 0) {
        capture_started(thread, stall);
        capture_arm(thread, 0);
    }
    return r;
}

int capture_guarded_stop(void *context, const cJSON *result, const char *failure,
                         struct sonde_err *err)
{
    struct visit_thread *thread = context;
    double stall = 0;
    int r = capture_stall(thread, result, failure, &stall, err);
    if (r == 0) {
        capture_stopped(thread, stall);
        capture_done(thread);
    }
    return r;
}

static int marked(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    const cJSON *value = NULL;
    int r = visit_value(thread, result, failure, &value, err);
    if (r < 0) {
        return r;
    }
    thread->mark_ms = sonde_json_number_or(value, "now", 0);
    return 0;
}

void capture_guard(struct visit_thread *thread, const char *what, sonde_cdp_answer answer)
{
    char call[64];
    (void)snprintf(call, sizeof(call), "guard('%s')", what);
    visit_call(thread, call, answer);
}

void capture_mark(struct visit_thread *thread, const char *what)
{
    capture_guard(thread, what, marked);
}

void capture_extend(struct visit_thread *thread, const char *script, sonde_cdp_answer answer)
{
    SONDE_BUF_AUTO call = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    struct sonde_err err;
    sonde_buf_text(&call, "extend(");
    sonde_buf_text(&call, script);
    sonde_buf_char(&call, ')');
    if (sonde_buf_check(&call, "a part of the probe", &err) < 0) {
        sonde_visit_fail(thread->visit, &err);
        return;
    }
    visit_call(thread, call.data, answer);
}

/* ---- the course of a capture ---- */

static int loop_watched(void *context, const cJSON *result, const char *failure,
                        struct sonde_err *err)
{
    const cJSON *value = NULL;
    return visit_value(context, result, failure, &value, err);
}

static int loop_read(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    const cJSON *value = NULL;
    int r = visit_value(thread, result, failure, &value, err);
    if (r < 0) {
        return r;
    }
    const cJSON *statistics = cJSON_GetObjectItemCaseSensitive(value, "statistics");
    thread->visit->result.loop = (struct sonde_loop_delay){
        .measured = cJSON_IsObject(statistics),
        .mean_ms = sonde_json_number_or(statistics, "meanMilliseconds", 0),
        .p50_ms = sonde_json_number_or(statistics, "p50Milliseconds", 0),
        .p99_ms = sonde_json_number_or(statistics, "p99Milliseconds", 0),
        .max_ms = sonde_json_number_or(statistics, "maxMilliseconds", 0),
        .utilization = sonde_json_number_or(statistics, "utilization", 0),
    };
    return 0;
}

static void begin_thread(struct visit_thread *thread)
{
    thread->visit->result.workers += thread->worker[0] && !thread->counted;
    thread->counted = true;
    thread->capturing = true;
    thread->busy = true;
    thread->arrived = false;
    thread->begin_ns = 0;
    thread->patience_ns = 0;
    thread->window = 0;
    type_of(thread)->begin(thread);
}

/* Main thread first, then workers as they came. */
static void next_turn(struct sonde_visit *v)
{
    for (size_t i = 0; i < v->thread_count && !v->turn && v->state == VISIT_CAPTURING; i++) {
        struct visit_thread *thread = v->threads[i];
        if (thread->next) {
            v->turn = thread;
            SONDE_TAKE(thread->next)(thread);
        }
    }
}

void capture_in_turn(struct visit_thread *thread, void (*next)(struct visit_thread *thread))
{
    thread->next = next;
}

static bool takes_part(const struct visit_thread *thread)
{
    return thread->installed && (!thread->worker[0] || !type_of(thread)->main_only);
}

void capture_begin(struct sonde_visit *v)
{
    visit_enter(v, VISIT_CAPTURING);
    v->capture_end_ns = INT64_MAX; /* until it has started in the main thread */
    /* All of them are in it before one could be done. */
    for (size_t i = 0; i < v->thread_count; i++) {
        v->threads[i]->capturing = takes_part(v->threads[i]);
    }
    for (size_t i = v->thread_count; i-- > 0 && v->state == VISIT_CAPTURING;) {
        if (v->threads[i]->capturing) {
            begin_thread(v->threads[i]);
        }
    }
    next_turn(v);
}

bool capture_join(struct visit_thread *thread)
{
    struct sonde_visit *v = thread->visit;
    if (thread->capturing || !takes_part(thread)) {
        return true;
    }
    bool open = v->main.capturing && !capture_is_over(thread);
    if (open) {
        begin_thread(thread);
        next_turn(v);
    }
    return open;
}

void capture_started(struct visit_thread *thread, double stall_ms)
{
    struct sonde_visit *v = thread->visit;
    thread->busy = false;
    if (v->state != VISIT_CAPTURING) {
        return; /* on its way out */
    }
    if (stall_ms > v->result.start_stall_ms) {
        v->result.start_stall_ms = stall_ms;
    }
    thread->begin_ns = sonde_clock_monotonic();
    if (thread == &v->main) {
        v->capture_end_ns =
            thread->begin_ns + (v->ending ? 0 : capture_request(thread)->duration_ns);
        visit_call(thread, "watchLoop()", loop_watched);
    }
    visit_progress(v);
}

static void end_thread(struct visit_thread *thread)
{
    if (thread->capturing && thread->begin_ns && !thread->busy) {
        thread->busy = true;
        type_of(thread)->ended(thread);
    }
}

void capture_arm(struct visit_thread *thread, int64_t window_ns)
{
    struct sonde_visit *v = thread->visit;
    if (v->state != VISIT_CAPTURING) {
        return;
    }
    if (thread != &v->main) {
        /* It goes by the main thread's time, and may have missed the end. */
        if (capture_is_over(thread)) {
            end_thread(thread);
        }
        return;
    }
    int64_t left = v->capture_end_ns - sonde_clock_monotonic();
    /* No stub of a window at the end. */
    if (window_ns == 0 || left < window_ns + window_ns / 2) {
        window_ns = left;
    }
    sonde_timer_start(v->timer, window_ns > 0 ? window_ns : 0, 0);
}

bool capture_is_over(const struct visit_thread *thread)
{
    const struct sonde_visit *v = thread->visit;
    return v->ending || sonde_clock_monotonic() + SONDE_MILLISECOND >= v->capture_end_ns;
}

void capture_timer_fired(struct sonde_visit *v)
{
    for (size_t i = v->thread_count; i-- > 0 && v->state == VISIT_CAPTURING;) {
        end_thread(v->threads[i]);
    }
}

void capture_ready(struct visit_thread *thread)
{
    thread->busy = false;
}

void capture_ending(struct visit_thread *thread)
{
    if (!thread->worker[0]) {
        visit_call(thread, "readLoop()", loop_read);
    }
}

void capture_stopped(struct visit_thread *thread, double stall_ms)
{
    struct sonde_visit *v = thread->visit;
    if (stall_ms > v->result.stop_stall_ms) {
        v->result.stop_stall_ms = stall_ms;
    }
    if (thread == &v->main) {
        v->result.captured_ns += sonde_clock_monotonic() - thread->begin_ns;
    }
    thread->begin_ns = 0; /* nothing is left to stop */
}

void capture_stop(struct sonde_visit *v)
{
    v->ending = true;
    v->capture_end_ns = 0;
    sonde_timer_stop(v->timer);
    for (size_t i = v->thread_count; i-- > 0 && v->state == VISIT_CAPTURING;) {
        struct visit_thread *thread = v->threads[i];
        if (!thread->busy) {
            end_thread(thread);
        } else if (thread->capturing && type_of(thread)->stop) {
            type_of(thread)->stop(thread);
        }
    }
}

void capture_stalled(struct sonde_visit *v, const struct sonde_err *err)
{
    struct visit_thread *thread = v->sink_of ? v->sink_of : v->turn ? v->turn : &v->main;
    if (thread->capturing && type_of(thread)->stalled) {
        type_of(thread)->stalled(thread, err);
    } else {
        /* What comes is thrown away, or the answers behind it would not be heard. */
        capture_artifact_abort(thread);
        sonde_visit_fail(v, err);
    }
}

static void fini_thread(struct visit_thread *thread)
{
    if (thread->capturing && type_of(thread)->fini) {
        type_of(thread)->fini(thread);
    }
    struct sonde_visit *v = thread->visit;
    v->turn = v->turn == thread ? NULL : v->turn;
    thread->next = NULL;
    thread->capturing = false;
}

void capture_fini(struct sonde_visit *v)
{
    for (size_t i = 0; i < v->thread_count; i++) {
        fini_thread(v->threads[i]);
    }
}

/* The next one, once all threads are through. */
static void go_on(struct sonde_visit *v)
{
    next_turn(v);
    for (size_t i = 0; i < v->thread_count; i++) {
        if (v->threads[i]->capturing) {
            return;
        }
    }
    v->capture++;
    v->complete = !v->ending && v->capture == v->options.capture_count;
    if (v->ending || v->capture == v->options.capture_count) {
        visit_leave(v);
    } else {
        capture_begin(v);
    }
}

void capture_done(struct visit_thread *thread)
{
    if (thread->visit->state == VISIT_CAPTURING) {
        fini_thread(thread);
        go_on(thread->visit);
    }
}

void capture_forget(struct visit_thread *thread)
{
    bool was_capturing = thread->capturing;
    if (thread->visit->capture < thread->visit->options.capture_count) {
        fini_thread(thread);
    }
    if (was_capturing && thread->visit->state == VISIT_CAPTURING) {
        go_on(thread->visit);
    }
}
