/* SPDX-License-Identifier: Apache-2.0 */
/* The course of a visit: its states, its time limits, and the way out of the target, which is the
 * same whether all went well or not. */
#include "inspector/visit.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/random.h"
#include "spec/reason.h"

#define HANG_UP_TIMEOUT_NS (3 * SONDE_SECOND)
#define VERIFY_POLL_NS (20 * SONDE_MILLISECOND)
#define SETTLE_POLL_NS (10 * SONDE_MILLISECOND)
#define SETTLE_TIMEOUT_NS (10 * SONDE_SECOND)
#define EXIT_GRACE_NS (500 * SONDE_MILLISECOND)

static const char *const phases[] = {
    [VISIT_WAITING] = "attaching",
    [VISIT_LISTING] = "attaching",
    [VISIT_CONNECTING] = "attaching",
    [VISIT_IDENTIFYING] = "attaching",
    [VISIT_INSTALLING] = "attaching",
    [VISIT_CAPTURING] = "capturing",
    [VISIT_SETTLING] = "leaving",
    [VISIT_FINISHING] = "leaving",
    [VISIT_CLOSING] = "leaving",
    [VISIT_VERIFYING] = "leaving",
    [VISIT_DONE] = "done",
};

void visit_progress(struct sonde_visit *v)
{
    if (!v->options.progress) {
        return;
    }
    bool capturing = v->state == VISIT_CAPTURING;
    int64_t left = v->capture_end_ns - sonde_clock_monotonic();
    struct sonde_visit_progress progress = {
        .phase = phases[v->state],
        .capture = capturing ? v->captures[v->capture].name : "",
        .left_ns = capturing && left > 0 ? left : 0,
        .bytes = v->received,
    };
    v->options.progress(v->options.context, &progress);
}

void visit_enter(struct sonde_visit *v, enum visit_state state)
{
    bool new_phase = phases[state] != phases[v->state] || state == VISIT_WAITING;
    v->state = state;
    v->state_since_ns = sonde_clock_monotonic();
    if (new_phase && state != VISIT_CAPTURING && state != VISIT_DONE) {
        visit_progress(v);
    }
}

/* ---- talking to the target ---- */

void visit_command_streamed(struct visit_thread *thread, const char *method, const char *params,
                            sonde_cdp_path *path, sonde_cdp_answer answer)
{
    struct sonde_visit *v = thread->visit;
    struct sonde_err err;
    bool worker = thread->worker[0];
    struct sonde_buf *buf = worker ? &v->inner : &v->command;
    if (!v->socket || !v->connected) {
        return;
    }
    int r =
        sonde_cdp_command(&thread->cdp, method, params, sonde_clock_monotonic(), answer, buf, &err);
    if (r == 0 && path) {
        sonde_cdp_stream_answer(&thread->cdp, path);
    }
    if (r == 0) {
        r = worker ? workers_send(thread, &err)
                   : sonde_websocket_send(v->socket, buf->data, buf->length, &err);
    }
    if (r < 0) {
        sonde_visit_fail(v, &err);
    }
}

void visit_command(struct visit_thread *thread, const char *method, const char *params,
                   sonde_cdp_answer answer)
{
    visit_command_streamed(thread, method, params, NULL, answer);
}

void visit_call(struct visit_thread *thread, const char *call, sonde_cdp_answer answer)
{
    visit_call_streamed(thread, call, NULL, answer);
}

void visit_call_streamed(struct visit_thread *thread, const char *call, sonde_cdp_path *path,
                         sonde_cdp_answer answer)
{
    SONDE_BUF_AUTO params = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    SONDE_BUF_AUTO function = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    sonde_buf_text(&function, "function(){return this.");
    sonde_buf_text(&function, call);
    sonde_buf_text(&function, "}\n//# sourceURL=sonde:call\n");
    sonde_buf_text(&params, "{\"objectId\":");
    sonde_buf_json_string(&params, sonde_str(thread->probe_id));
    sonde_buf_text(&params, ",\"returnByValue\":true,\"silent\":true,\"functionDeclaration\":");
    sonde_buf_json_string(&params, sonde_buf_view(&function));
    sonde_buf_char(&params, '}');
    struct sonde_err err;
    if (sonde_buf_check(&function, "a call of the probe", &err) < 0 ||
        sonde_buf_check(&params, "a call of the probe", &err) < 0) {
        sonde_visit_fail(thread->visit, &err);
        return;
    }
    visit_command_streamed(thread, "Runtime.callFunctionOn", params.data, path, answer);
}

int visit_value(struct visit_thread *thread, const cJSON *result, const char *failure,
                const cJSON **ret, struct sonde_err *err)
{
    const struct sonde_visit *v = thread->visit;
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(result, "result");
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, "value");
    if (failure || cJSON_HasObjectItem(result, "exceptionDetails") || !cJSON_IsObject(value)) {
        const cJSON *details = cJSON_GetObjectItemCaseSensitive(result, "exceptionDetails");
        const cJSON *thrown = cJSON_GetObjectItemCaseSensitive(details, "exception");
        return sonde_fail_reason(
            err, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
            "process %d answered without a value: %.300s", v->options.pid,
            failure ? failure : sonde_json_string_or(thrown, "description", "no reason"));
    }
    if (sonde_json_true(value, "gone") && v->state == VISIT_CAPTURING) {
        return sonde_fail_reason(err, SONDE_ETIMEOUT, SONDE_REASON_INSPECTOR_LOST,
                                 "the capture was taken out of process %d because no beat came "
                                 "for %d s: we were stopped, or the machine stood still",
                                 v->options.pid, (int)(SONDE_BEAT_TTL_NS / SONDE_SECOND));
    }
    *ret = value;
    return 0;
}

int visit_must_succeed(void *context, const cJSON *result, const char *failure,
                       struct sonde_err *err)
{
    (void)context;
    if (!result) {
        return sonde_fail_reason(err, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
                                 "the inspector refused a command: %.300s", failure);
    }
    return 0;
}

static int beat_answered(void *context, const cJSON *result, const char *failure,
                         struct sonde_err *err)
{
    struct visit_thread *thread = context;
    const cJSON *value = NULL;
    thread->beating = false;
    return visit_value(thread, result, failure, &value, err);
}

void visit_beat(struct visit_thread *thread, int64_t silence_ns)
{
    char call[48];
    (void)snprintf(call, sizeof(call), "beat(%lld)", (long long)(silence_ns / SONDE_PROBE_TICK_NS));
    thread->beating = true;
    visit_call(thread, call, beat_answered);
}

/* Since v->cpu_wait_ns was set: the time that threads of the process were ready and did not run. */
static int64_t starved_ns(const struct sonde_visit *v)
{
    int64_t waited = sonde_threads_cpu_wait("/proc", v->options.pid) - v->cpu_wait_ns;
    return waited > 0 ? waited : 0; /* that of threads which have ended is not in the sum */
}

int64_t visit_patience(const struct visit_thread *thread)
{
    int64_t starved = starved_ns(thread->visit);
    int64_t most = 2 * thread->patience_ns;
    return thread->patience_ns + (starved < most ? starved : most);
}

/* While we do not read, the target keeps what it has to say in its memory. */
static void check_sink(struct sonde_visit *v)
{
    struct sonde_err err;
    if (v->paused_since_ns && sonde_clock_monotonic() - v->paused_since_ns > SONDE_SINK_STALL_NS) {
        (void)sonde_fail_reason(&err, SONDE_ETIMEOUT, SONDE_REASON_STORE_FAILED,
                                "the store has taken nothing for %d s: it is too slow for what is "
                                "captured",
                                (int)(SONDE_SINK_STALL_NS / SONDE_SECOND));
        capture_stalled(v, &err);
        sonde_visit_resume(v);
    }
}

static void beat(void *context)
{
    struct sonde_visit *v = context;
    struct sonde_err err;
    int64_t since = sonde_cdp_waiting_since(&v->main.cdp);
    /* Before the probe is in, only we can see to it that the inspector closes: patience. */
    bool guarded = v->main.installed || v->result.was_open;
    int64_t limit = guarded ? SONDE_ANSWER_TIMEOUT_NS : SONDE_OPENING_TIMEOUT_NS;
    if (v->main.patience_ns) {
        limit = visit_patience(&v->main);
        since = since && v->heard_ns > since ? v->heard_ns : since;
    }
    check_sink(v);
    if (since && !v->paused_since_ns && sonde_clock_monotonic() - since > limit) {
        (void)sonde_fail_reason(&err, SONDE_ETIMEOUT, SONDE_REASON_INSPECTOR_LOST,
                                "the inspector of process %d has not answered for %d s",
                                v->options.pid, (int)(limit / SONDE_SECOND));
        /* Asking it to finish would be in vain; the dead man's switch does it, if it is there. */
        sonde_websocket_free(SONDE_TAKE(v->socket));
        v->connected = false;
        sonde_visit_fail(v, &err);
        return;
    }
    for (size_t i = 0; i < v->thread_count && v->connected && !v->asked_to_finish; i++) {
        struct visit_thread *thread = v->threads[i];
        if (thread->installed && !thread->beating) {
            visit_beat(thread, 0);
        }
    }
    if (!v->paused_since_ns) {
        workers_forget_silent(v);
    }
    if (v->state == VISIT_CAPTURING) {
        visit_progress(v);
    }
}

/* ---- the way out ---- */

static void say_done(void *context)
{
    struct sonde_visit *v = context;
    v->options.done(v->options.context, &v->result, &v->err);
}

/* A person must know that something is left, whatever else went wrong. */
static void say_what_is_left(struct sonde_visit *v)
{
    char first[SONDE_ERR_MESSAGE_MAX];
    if (v->result.closed || v->result.was_open) {
        return;
    }
    if (!v->err.code) {
        (void)sonde_fail_reason(&v->err, SONDE_ETIMEOUT, SONDE_REASON_INSPECTOR_LEFT_OPEN,
                                "port %u of process %d is still open", v->port, v->options.pid);
        return;
    }
    struct sonde_err with_it = v->err;
    memcpy(first, v->err.message, sizeof(first));
    (void)snprintf(with_it.message, sizeof(with_it.message),
                   v->port ? "%.380s; its inspector is still open on port %u"
                           : "%.380s; its inspector may still open (port %u)",
                   first, v->port ? v->port : v->process.inspect_port);
    v->err = with_it;
}

static void finish_visit(struct sonde_visit *v)
{
    if (v->state == VISIT_DONE) {
        return;
    }
    if (v->sink_of) {
        capture_artifact_abort(v->sink_of);
    }
    visit_enter(v, VISIT_DONE);
    sonde_websocket_free(SONDE_TAKE(v->socket)); /* nothing of ours keeps the loop going */
    capture_fini(v);
    sonde_timer_stop(v->timer);
    sonde_timer_stop(v->beat_timer);
    sonde_timer_stop(v->deadline_timer);
    sonde_timer_stop(v->waits_timer);
    sonde_watch_free(SONDE_TAKE(v->exit_watch));
    v->result.inspector_open_s =
        v->port ? (double)(sonde_clock_monotonic() - v->signalled_ns) / 1e9 : 0;
    say_what_is_left(v);
    sonde_timer_start(v->done_timer, 0, 0);
}

static bool has_reason(const struct sonde_visit *v, const char *reason)
{
    return v->err.code && v->err.reason && strcmp(v->err.reason, reason) == 0;
}

/* A target that gets no CPU comes round to it later. */
static bool too_late_to_close(const struct sonde_visit *v)
{
    int64_t open_ns = sonde_clock_monotonic() - v->state_since_ns;
    if (open_ns <= SONDE_CLOSE_TIMEOUT_NS) {
        return false;
    }
    return open_ns > SONDE_OPENING_TIMEOUT_NS || open_ns - starved_ns(v) > SONDE_CLOSE_TIMEOUT_NS;
}

static void verify_closed(struct sonde_visit *v)
{
    struct sonde_process now;
    int r = sonde_process_read("/proc", v->options.pid, &now, NULL);
    bool gone = r == SONDE_ENOTFOUND || (r == 0 && now.start_time != v->process.start_time);
    bool known = r == 0 && now.ports_known;
    bool listens = !gone && (!known || sonde_process_port(&now, v->port));
    /* A process that dies closes its connections first: then it ended, and lost nothing. */
    bool dying = has_reason(v, SONDE_REASON_INSPECTOR_LOST) && v->exit_watch &&
                 sonde_clock_monotonic() - v->state_since_ns < EXIT_GRACE_NS;
    if (!listens && !dying) {
        v->result.closed = true;
        finish_visit(v);
    } else if (too_late_to_close(v)) {
        finish_visit(v);
    } else {
        sonde_timer_start(v->timer, VERIFY_POLL_NS, 0);
    }
}

static int finished(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    (void)result;
    (void)failure;
    (void)err;
    struct visit_thread *thread = context;
    struct sonde_visit *v = thread->visit;
    thread->leaving = false;
    for (size_t i = 0; i < v->thread_count; i++) {
        if (v->threads[i]->leaving) {
            return 0;
        }
    }
    if (v->state == VISIT_FINISHING) {
        visit_leave(v);
    }
    return 0;
}

/* A thread of the target's hears SIGUSR1 and sends its loop the same word three times
 * (RequestIoThreadStart in src/inspector_agent.cc of Node.js). The first one opens the inspector; a
 * thread that gets no CPU sends the others later, and they would open it again once it was closed.
 * False: not yet, the timer comes. */
static bool has_settled(struct sonde_visit *v)
{
    if (!v->signalled || !v->connected || v->asked_to_finish || v->result.target_exited) {
        return true;
    }
    if (v->state != VISIT_SETTLING) {
        visit_enter(v, VISIT_SETTLING);
    }
    if (sonde_threads_rest("/proc", v->options.pid, &v->tasks) ||
        sonde_clock_monotonic() - v->state_since_ns > SETTLE_TIMEOUT_NS) {
        return true;
    }
    sonde_timer_start(v->timer, SETTLE_POLL_NS, 0);
    return false;
}

static void ask_to_finish(struct sonde_visit *v)
{
    v->asked_to_finish = true;
    visit_enter(v, VISIT_FINISHING);
    sonde_timer_start(v->timer, SONDE_ANSWER_TIMEOUT_NS + SONDE_SECOND, 0);
    for (size_t i = v->thread_count; i-- > 0;) {
        struct visit_thread *thread = v->threads[i];
        if (thread->installed) {
            thread->leaving = true;
            visit_call(thread, "finish()", finished);
        }
    }
}

/* Each call takes the next step out: the probe, the connection, the port. It hangs up only when
 * every command has its answer: Node.js (seen in 22) dies of a null pointer when the thread
 * of its inspector finds the end of a connection and something to send to it in one round of its
 * loop (WsHandler::OnEof, then Write, in src/inspector_socket.cc), as it does in a process that
 * gets hardly any CPU. */
void visit_leave(struct sonde_visit *v)
{
    v->ending = true;
    sonde_timer_stop(v->timer);
    if (v->request) {
        sonde_http_cancel(SONDE_TAKE(v->request));
    }
    if (!has_settled(v)) {
        return;
    }
    if (v->connected && v->main.installed && !v->asked_to_finish && !v->result.target_exited) {
        ask_to_finish(v);
        return;
    }
    if (v->connected && v->state != VISIT_CLOSING) {
        visit_enter(v, VISIT_CLOSING);
        sonde_timer_stop(v->beat_timer);
        sonde_timer_start(v->timer, HANG_UP_TIMEOUT_NS, 0);
        sonde_websocket_close(v->socket);
        return;
    }
    sonde_websocket_free(SONDE_TAKE(v->socket));
    v->connected = false;
    sonde_timer_stop(v->beat_timer);
    if (v->port && !v->result.was_open && !v->result.target_exited) {
        visit_enter(v, VISIT_VERIFYING);
        v->cpu_wait_ns = sonde_threads_cpu_wait("/proc", v->options.pid);
        verify_closed(v);
        return;
    }
    v->result.closed = v->result.target_exited || (!v->signalled && !v->port);
    finish_visit(v);
}

/* Whether an error is only about the target's end, or the connection's. */
static bool of_the_end(const struct sonde_err *err)
{
    return err->reason && (strcmp(err->reason, SONDE_REASON_TARGET_EXITED) == 0 ||
                           strcmp(err->reason, SONDE_REASON_INSPECTOR_LOST) == 0);
}

void sonde_visit_fail(struct sonde_visit *v, const struct sonde_err *err)
{
    if (v->state == VISIT_DONE) {
        return;
    }
    if (!v->err.code && !(v->complete && of_the_end(err))) {
        v->err = *err;
    }
    if (v->state != VISIT_FINISHING && v->state != VISIT_CLOSING && v->state != VISIT_VERIFYING) {
        visit_leave(v);
    } else if (!v->connected) {
        visit_leave(v);
    }
}

static void timer_fired(void *context)
{
    struct sonde_visit *v = context;
    switch (v->state) {
    case VISIT_WAITING:
        attach_poll(v);
        break;
    case VISIT_INSTALLING:
        if (v->main.installed) {
            workers_given_up(v);
        } else {
            attach_install(&v->main); /* it was still starting */
        }
        break;
    case VISIT_CAPTURING:
        capture_timer_fired(v);
        break;
    case VISIT_SETTLING:
        visit_leave(v);
        break;
    case VISIT_FINISHING:
    case VISIT_CLOSING:
        visit_leave(v); /* no answer: go on without */
        break;
    case VISIT_VERIFYING:
        verify_closed(v);
        break;
    default:
        break;
    }
}

static void target_ended(void *context)
{
    struct sonde_visit *v = context;
    struct sonde_err err;
    sonde_watch_free(SONDE_TAKE(v->exit_watch));
    v->result.target_exited = true;
    (void)sonde_fail_reason(&err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_EXITED,
                            "process %d ended during the capture", v->options.pid);
    if (has_reason(v, SONDE_REASON_INSPECTOR_LOST)) {
        v->err = err;
    }
    sonde_websocket_free(SONDE_TAKE(v->socket));
    v->connected = false;
    sonde_visit_fail(v, &err);
}

static void stop_early(struct sonde_visit *v, const struct sonde_err *err)
{
    if (v->state > VISIT_CAPTURING) {
        return; /* everything was captured: it is on its way out anyway */
    }
    if (!v->err.code) {
        v->err = *err;
    }
    /* Once it was signalled, the way out leads through the probe, which alone can close the
     * inspector: the attach goes on, and nothing is captured. */
    v->ending = true;
    if (v->state == VISIT_CAPTURING) {
        capture_stop(v);
    }
}

void sonde_visit_resume(struct sonde_visit *v)
{
    if (v->paused_since_ns) {
        v->paused_since_ns = 0;
        v->heard_ns = sonde_clock_monotonic();
        if (v->socket) {
            sonde_websocket_pause(v->socket, false);
        }
    }
}

static void deadline_passed(void *context)
{
    struct sonde_visit *v = context;
    struct sonde_err err;
    (void)sonde_fail_reason(&err, SONDE_ETIMEOUT, SONDE_REASON_DEADLINE_EXCEEDED,
                            "the run took longer than its activeDeadlineSeconds");
    stop_early(v, &err);
}

void sonde_visit_cancel(struct sonde_visit *v)
{
    struct sonde_err err;
    (void)sonde_fail_reason(&err, SONDE_ECANCELLED, SONDE_REASON_CANCELLED,
                            "the run was cancelled");
    stop_early(v, &err);
}

/* ---- life ---- */

static int make_handles(struct sonde_visit *v, struct sonde_err *err)
{
    struct sonde_loop *loop = v->options.loop;
    int r = sonde_timer_new(loop, timer_fired, v, &v->timer, err);
    r = r < 0 ? r : sonde_timer_new(loop, beat, v, &v->beat_timer, err);
    r = r < 0 ? r : sonde_timer_new(loop, deadline_passed, v, &v->deadline_timer, err);
    r = r < 0 ? r : sonde_timer_new(loop, say_done, v, &v->done_timer, err);
    r = r < 0 ? r : sonde_timer_new(loop, capture_waits_read, v, &v->waits_timer, err);
    r = r < 0 ? r : sonde_http_client_new(loop, &v->http, err);
    /* Were it found only after the signal that this cannot start, nobody would close the inspector.
     */
    return r < 0 ? r : sonde_websocket_new(loop, &v->socket, err);
}

/* Before anything else: from here on the checks and the signal mean the same process. */
static int watch_target(struct sonde_visit *v, struct sonde_err *err)
{
    v->pidfd = (int)syscall(SYS_pidfd_open, v->options.pid, 0);
    if (v->pidfd < 0) {
        return errno == ESRCH
                   ? sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_NOT_FOUND,
                                       "there is no process %d", v->options.pid)
                   : sonde_fail(err, SONDE_EIO, errno, "open process %d", v->options.pid);
    }
    return sonde_watch_new(v->options.loop, v->pidfd, target_ended, v, &v->exit_watch, err);
}

int sonde_visit_new(const struct sonde_visit_options *options, struct sonde_visit **ret,
                    struct sonde_err *err)
{
    if (options->capture_count == 0 || options->capture_count > SONDE_CAPTURES_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%zu captures: give 1 to %d",
                          options->capture_count, SONDE_CAPTURES_MAX);
    }
    for (size_t i = 0; i < options->capture_count; i++) {
        if (!sonde_capture_artifact(options->captures[i].type)) {
            return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_UNSUPPORTED,
                                     "%s: this version does not capture that",
                                     options->captures[i].name);
        }
    }
    struct sonde_visit *v = calloc(1, sizeof(*v));
    if (!v) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    v->options = *options;
    memcpy(v->captures, options->captures, options->capture_count * sizeof(*v->captures));
    v->pidfd = -1;
    v->result.pid = options->pid;
    v->command = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    v->inner = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    v->threads[v->thread_count++] = &v->main;
    uint64_t random;
    sonde_random_bytes(&random, sizeof(random));
    (void)snprintf(v->prefix, sizeof(v->prefix), "sonde-%08x-", (unsigned)random);
    struct sonde_cdp_callbacks callbacks = capture_callbacks;
    callbacks.context = &v->main;
    v->main.visit = v;
    sonde_cdp_init(&v->main.cdp, &callbacks);
    int r = make_handles(v, err);
    if (r < 0) {
        sonde_visit_free(v);
        return r;
    }
    *ret = v;
    struct sonde_err failure;
    if (watch_target(v, &failure) < 0 || attach_begin(v, &failure) < 0) {
        v->result.closed = true; /* it was never opened */
        v->err = failure;
        finish_visit(v);
        return 0;
    }
    if (options->deadline_ns) {
        sonde_timer_start(v->deadline_timer, options->deadline_ns, 0);
    }
    return 0;
}

void sonde_visit_free(struct sonde_visit *v)
{
    if (!v) {
        return;
    }
    sonde_websocket_free(v->socket);
    sonde_http_client_free(v->http);
    sonde_watch_free(v->exit_watch);
    sonde_timer_free(v->timer);
    sonde_timer_free(v->beat_timer);
    sonde_timer_free(v->deadline_timer);
    sonde_timer_free(v->done_timer);
    sonde_closep(&v->pidfd);
    sonde_cdp_fini(&v->main.cdp);
    workers_fini(v);
    capture_waits_fini(v);
    sonde_buf_fini(&v->command);
    sonde_buf_fini(&v->inner);
    free(v->result.rotation_stalls_ms);
    free(v);
}

static int compare_floats(const void *a, const void *b)
{
    float left = *(const float *)a;
    float right = *(const float *)b;
    return (left > right) - (left < right);
}

double sonde_visit_stall_quantile(const struct sonde_visit_result *result, double p)
{
    if (result->rotations == 0) {
        return 0;
    }
    /* Nearest rank: the smallest value with at least p of all at or below it. */
    qsort(result->rotation_stalls_ms, result->rotations, sizeof(float), compare_floats);
    size_t rank = (size_t)ceil(p * (double)result->rotations);
    return (double)result->rotation_stalls_ms[rank ? rank - 1 : 0];
}
