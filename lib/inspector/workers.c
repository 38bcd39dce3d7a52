/* SPDX-License-Identifier: Apache-2.0 */
/* Worker threads. Each has an inspector of its own without a port; the main thread's passes our
 * messages on, and theirs arrive as strings within its events. */
#include <stdlib.h>
#include <string.h>

#include "inspector/visit.h"
#include "spec/reason.h"

#define INSTALL_TIMEOUT_NS (3 * SONDE_SECOND) /* for all workers to let the probe in */
#define MAIN_WAIT_NS (3 * SONDE_SECOND)

static struct visit_thread *find(struct sonde_visit *v, const char *worker)
{
    for (size_t i = 1; i < v->thread_count; i++) {
        if (strcmp(v->threads[i]->worker, worker) == 0) {
            return v->threads[i];
        }
    }
    return NULL;
}

static void free_thread(struct visit_thread *thread)
{
    sonde_cdp_fini(&thread->cdp);
    free(thread);
}

static void begin_when_ready(struct sonde_visit *v)
{
    if (v->state != VISIT_INSTALLING || !v->workers_known) {
        return;
    }
    for (size_t i = 1; i < v->thread_count; i++) {
        if (!v->threads[i]->installed && !v->threads[i]->late) {
            return;
        }
    }
    sonde_timer_stop(v->timer);
    if (v->ending) {
        visit_leave(v);
    } else {
        capture_begin(v);
    }
}

/* Never while one of its messages is being read. */
static void forget(struct visit_thread *thread)
{
    struct sonde_visit *v = thread->visit;
    size_t at = 1;
    while (at < v->thread_count && v->threads[at] != thread) {
        at++;
    }
    memmove(&v->threads[at], &v->threads[at + 1],
            (v->thread_count - at - 1) * sizeof(v->threads[0]));
    v->thread_count--;
    capture_artifact_abort(thread);
    v->talking = v->talking == thread ? NULL : v->talking;
    capture_forget(thread);
    free_thread(thread);
    begin_when_ready(v);
}

static void set_late(struct visit_thread *thread, bool late)
{
    thread->visit->result.workers_lost += late;
    thread->visit->result.workers_lost -= thread->late;
    thread->late = late;
}

/* It is there, and does not do what it should. */
static void lose(struct visit_thread *thread)
{
    set_late(thread, false);
    thread->visit->result.workers_lost += thread->visit->state <= VISIT_CAPTURING;
    forget(thread);
}

void workers_fini(struct sonde_visit *v)
{
    while (v->thread_count > 1) {
        free_thread(v->threads[--v->thread_count]);
    }
}

/* ---- messages ---- */

/* Nothing comes of it but that it was passed on; a worker that has ended says so by an event. */
static int sent(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    (void)context;
    (void)result;
    (void)failure;
    (void)err;
    return 0;
}

int workers_send(struct visit_thread *thread, struct sonde_err *err)
{
    struct sonde_visit *v = thread->visit;
    SONDE_BUF_AUTO params = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    sonde_buf_text(&params, "{\"sessionId\":");
    sonde_buf_json_string(&params, sonde_str(thread->worker));
    sonde_buf_text(&params, ",\"message\":");
    sonde_buf_json_string(&params, sonde_buf_view(&v->inner));
    sonde_buf_char(&params, '}');
    int r = sonde_buf_check(&params, "a command for a worker", err);
    r = r < 0 ? r
              : sonde_cdp_command(&v->main.cdp, "NodeWorker.sendMessageToWorker", params.data,
                                  sonde_clock_monotonic(), sent, &v->command, err);
    return r < 0 ? r : sonde_websocket_send(v->socket, v->command.data, v->command.length, err);
}

/* What is wrong with a worker ends its own part: it may just be ending. What is wrong with us, or
 * with where artifacts go, ends the visit. */
static int judge(struct sonde_visit *v, int r, struct sonde_err *err)
{
    struct visit_thread *thread = v->talking;
    bool of_worker = err->reason && (strcmp(err->reason, SONDE_REASON_PROTOCOL_VIOLATED) == 0 ||
                                     strcmp(err->reason, SONDE_REASON_INSPECTOR_LOST) == 0 ||
                                     strcmp(err->reason, SONDE_REASON_INSPECTOR_BUSY) == 0);
    if (r >= 0 || !of_worker) {
        return r;
    }
    lose(thread);
    return 0;
}

int workers_message_begin(struct sonde_visit *v)
{
    v->talking = find(v, v->main.cdp.worker);
    if (v->talking) {
        v->talking->heard_ns = v->heard_ns;
    }
    v->talking_first = true;
    return 0;
}

static int feed(struct sonde_visit *v, const char *data, size_t length, bool last,
                struct sonde_err *err)
{
    struct visit_thread *thread = v->talking;
    struct sonde_err cause = {0};
    if (!thread) {
        return 0; /* one that we do not capture, or that has ended */
    }
    int r = sonde_cdp_feed(&thread->cdp, data, length, v->talking_first, last, &cause);
    v->talking_first = false;
    r = judge(v, r, &cause);
    if (r < 0 && err) {
        *err = cause;
    }
    return r;
}

int workers_message_data(struct sonde_visit *v, const char *data, size_t length,
                         struct sonde_err *err)
{
    return feed(v, data, length, false, err);
}

int workers_message_end(struct sonde_visit *v, struct sonde_err *err)
{
    int r = feed(v, "", 0, true, err);
    v->talking = NULL;
    return r;
}

/* ---- coming and going ---- */

static void attached(struct sonde_visit *v, const cJSON *params)
{
    const cJSON *info = cJSON_GetObjectItemCaseSensitive(params, "workerInfo");
    const char *worker = sonde_json_string_or(params, "sessionId", "");
    struct sonde_str number = sonde_str(sonde_json_string_or(info, "workerId", ""));
    bool full = v->thread_count == SONDE_LENGTH(v->threads);
    int64_t value = 0;
    struct visit_thread *thread;
    if (!v->options.all_threads || v->state > VISIT_CAPTURING || v->ending || full || !worker[0] ||
        strlen(worker) >= sizeof(thread->worker) || find(v, worker)) {
        return;
    }
    thread = calloc(1, sizeof(*thread));
    if (!thread) {
        return;
    }
    thread->visit = v;
    memcpy(thread->worker, worker, strlen(worker) + 1);
    thread->number = sonde_parse_i64(number, 1, INT32_MAX, &value) == 0 ? (unsigned)value
                                                                        : (unsigned)v->thread_count;
    struct sonde_cdp_callbacks callbacks = capture_callbacks;
    callbacks.context = thread;
    sonde_cdp_init(&thread->cdp, &callbacks);
    v->threads[v->thread_count++] = thread;
    attach_install(thread);
}

bool workers_event(struct sonde_visit *v, const char *method, const cJSON *params)
{
    if (strcmp(method, "NodeWorker.attachedToWorker") == 0) {
        attached(v, params);
        return true;
    }
    if (strcmp(method, "NodeWorker.detachedFromWorker") == 0) {
        struct visit_thread *thread = find(v, sonde_json_string_or(params, "sessionId", ""));
        if (thread) {
            set_late(thread, false);
            forget(thread);
        }
        return true;
    }
    return false;
}

/* When it was told something that it has not answered, or could have answered; 0: it has. */
static int64_t waiting_since(const struct visit_thread *thread)
{
    const struct sonde_visit *v = thread->visit;
    int64_t since = sonde_cdp_waiting_since(&thread->cdp);
    int64_t heard = thread->patience_ns ? thread->heard_ns : v->stood_still_ns;
    return since && heard > since ? heard : since;
}

void workers_forget_silent(struct sonde_visit *v)
{
    int64_t now = sonde_clock_monotonic();
    int64_t main_since = sonde_cdp_waiting_since(&v->main.cdp);
    /* Nothing is passed on: what we say takes places in a table. */
    bool main_waits = main_since && now - main_since > MAIN_WAIT_NS;
    for (size_t i = v->thread_count; i-- > 1 && !v->main.patience_ns;) {
        struct visit_thread *thread = v->threads[i];
        int64_t since = waiting_since(thread);
        int64_t limit = thread->patience_ns ? visit_patience(thread) : SONDE_ANSWER_TIMEOUT_NS;
        bool silent = !since || now - since > SONDE_SECOND;
        if (since && now - since > limit) {
            lose(thread);
        } else if (silent && !thread->installed && !v->ending && !main_waits) {
            attach_install(thread); /* it was still starting, and may have lost what we said */
        }
    }
}

/* It was about to start, or in Node's own code for a moment: it is asked again at once, and after
 * some times with the next beat. */
static void refused(struct visit_thread *thread)
{
    enum { QUICK = 8 };
    if (thread->refusals++ < QUICK && !thread->visit->ending) {
        attach_install(thread);
    }
}

void workers_installed(struct visit_thread *thread, bool installed)
{
    struct sonde_visit *v = thread->visit;
    if (!installed) {
        refused(thread);
        return;
    }
    if (v->state != VISIT_CAPTURING) {
        set_late(thread, false);
        begin_when_ready(v);
    } else if (capture_join(thread)) {
        set_late(thread, false);
    }
}

void workers_given_up(struct sonde_visit *v)
{
    for (size_t i = 1; i < v->thread_count; i++) {
        set_late(v->threads[i], !v->threads[i]->installed);
    }
    v->workers_known = true;
    begin_when_ready(v);
}

static int enabled(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    (void)result;
    (void)failure; /* a Node.js without worker threads: there are none */
    (void)err;
    thread->visit->workers_known = true;
    begin_when_ready(thread->visit);
    return 0;
}

void workers_begin(struct sonde_visit *v)
{
    if (!v->options.all_threads) {
        capture_begin(v);
        return;
    }
    sonde_timer_start(v->timer, INSTALL_TIMEOUT_NS, 0);
    visit_command(&v->main, "NodeWorker.enable", "{\"waitForDebuggerOnStart\":false}", enabled);
}
