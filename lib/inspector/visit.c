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

#define FINISH_TIMEOUT_NS (3 * SONDE_SECOND)
#define VERIFY_POLL_NS (20 * SONDE_MILLISECOND)
#define EXIT_GRACE_NS (500 * SONDE_MILLISECOND)

static const char *const phases[] = {
    [VISIT_WAITING] = "attaching",    [VISIT_LISTING] = "attaching",
    [VISIT_CONNECTING] = "attaching", [VISIT_IDENTIFYING] = "attaching",
    [VISIT_INSTALLING] = "attaching", [VISIT_CAPTURING] = "capturing",
    [VISIT_FINISHING] = "leaving",    [VISIT_CLOSING] = "leaving",
    [VISIT_VERIFYING] = "leaving",    [VISIT_DONE] = "done",
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

void visit_command(struct sonde_visit *v, const char *method, const char *params,
                   sonde_cdp_answer answer)
{
    struct sonde_err err;
    if (!v->socket || !v->connected) {
        return;
    }
    int r = sonde_cdp_command(&v->cdp, method, params, sonde_clock_monotonic(), answer, &v->command,
                              &err);
    r = r < 0 ? r : sonde_websocket_send(v->socket, v->command.data, v->command.length, &err);
    if (r < 0) {
        sonde_visit_fail(v, &err);
    }
}

void visit_call(struct sonde_visit *v, const char *call, sonde_cdp_answer answer)
{
    SONDE_BUF_AUTO params = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    SONDE_BUF_AUTO function = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    sonde_buf_printf(&function, "function(){return this.%s}\n//# sourceURL=sonde:call\n", call);
    sonde_buf_text(&params, "{\"objectId\":");
    sonde_buf_json_string(&params, sonde_str(v->probe_id));
    sonde_buf_text(&params, ",\"returnByValue\":true,\"silent\":true,\"functionDeclaration\":");
    sonde_buf_json_string(&params, sonde_buf_view(&function));
    sonde_buf_char(&params, '}');
    struct sonde_err err;
    if (sonde_buf_check(&params, "a call of the probe", &err) < 0) {
        sonde_visit_fail(v, &err);
        return;
    }
    visit_command(v, "Runtime.callFunctionOn", params.data, answer);
}

int visit_value(struct sonde_visit *v, const cJSON *result, const char *failure, const cJSON **ret,
                struct sonde_err *err)
{
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

static int beat_answered(void *context, const cJSON *result, const char *failure,
                         struct sonde_err *err)
{
    struct sonde_visit *v = context;
    const cJSON *value = NULL;
    v->beating = false;
    return visit_value(v, result, failure, &value, err);
}

static void beat(void *context)
{
    struct sonde_visit *v = context;
    struct sonde_err err;
    int64_t since = sonde_cdp_waiting_since(&v->cdp);
    /* Before the probe is in, only we can see to it that the inspector closes: patience. */
    bool guarded = v->installed || v->result.was_open;
    int64_t limit = guarded ? SONDE_ANSWER_TIMEOUT_NS : SONDE_OPENING_TIMEOUT_NS;
    if (since && sonde_clock_monotonic() - since > limit) {
        (void)sonde_fail_reason(&err, SONDE_ETIMEOUT, SONDE_REASON_INSPECTOR_LOST,
                                "the inspector of process %d has not answered for %d s",
                                v->options.pid, (int)(limit / SONDE_SECOND));
        /* Asking it to finish would be in vain; the dead man's switch does it, if it is there. */
        sonde_websocket_free(SONDE_TAKE(v->socket));
        v->connected = false;
        sonde_visit_fail(v, &err);
        return;
    }
    if (v->installed && !v->beating && v->connected) {
        v->beating = true;
        visit_call(v, "beat()", beat_answered);
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
    if (v->sink_open) {
        v->sink_open = false;
        v->options.sink.abort(v->options.sink.context);
    }
    visit_enter(v, VISIT_DONE);
    sonde_timer_stop(v->timer);
    sonde_timer_stop(v->beat_timer);
    sonde_timer_stop(v->deadline_timer);
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
    } else if (sonde_clock_monotonic() - v->state_since_ns > SONDE_CLOSE_TIMEOUT_NS) {
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
    struct sonde_visit *v = context;
    if (v->state == VISIT_FINISHING) {
        visit_leave(v);
    }
    return 0;
}

/* Each call takes the next step out: the probe, the connection, the port. */
void visit_leave(struct sonde_visit *v)
{
    v->ending = true;
    sonde_timer_stop(v->timer);
    if (v->request) {
        sonde_http_cancel(SONDE_TAKE(v->request));
    }
    if (v->connected && v->installed && !v->asked_to_finish && !v->result.target_exited) {
        v->asked_to_finish = true;
        visit_enter(v, VISIT_FINISHING);
        sonde_timer_start(v->timer, FINISH_TIMEOUT_NS, 0);
        visit_call(v, "finish()", finished);
        return;
    }
    if (v->connected && v->state != VISIT_CLOSING) {
        visit_enter(v, VISIT_CLOSING);
        sonde_timer_stop(v->beat_timer);
        sonde_timer_start(v->timer, FINISH_TIMEOUT_NS, 0);
        sonde_websocket_close(v->socket);
        return;
    }
    sonde_websocket_free(SONDE_TAKE(v->socket));
    v->connected = false;
    sonde_timer_stop(v->beat_timer);
    if (v->port && !v->result.was_open && !v->result.target_exited) {
        visit_enter(v, VISIT_VERIFYING);
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
    case VISIT_CAPTURING:
        capture_window_ended(v);
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
    return r < 0 ? r : sonde_http_client_new(loop, &v->http, err);
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
    struct sonde_visit *v = calloc(1, sizeof(*v));
    if (!v) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    v->options = *options;
    memcpy(v->captures, options->captures, options->capture_count * sizeof(*v->captures));
    v->pidfd = -1;
    v->result.pid = options->pid;
    v->command = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    uint64_t random;
    sonde_random_bytes(&random, sizeof(random));
    (void)snprintf(v->prefix, sizeof(v->prefix), "sonde-%08x-", (unsigned)random);
    struct sonde_cdp_callbacks callbacks = capture_callbacks;
    callbacks.context = v;
    sonde_cdp_init(&v->cdp, &callbacks);
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
    sonde_cdp_fini(&v->cdp);
    sonde_buf_fini(&v->command);
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
