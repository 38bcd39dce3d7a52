/* SPDX-License-Identifier: Apache-2.0 */
/* From a process id to a probe in the target: every check before the signal, then the inspector's
 * port, its list, its WebSocket, its process id, the probe. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "inspector/deadman_js.h"
#include "inspector/proc_text.h"
#include "inspector/visit.h"
#include "spec/reason.h"

static const char proc[] = "/proc";

enum { LIST_MAX = 65536, PATH_TEXT_MAX = 128, WORKERS_TEXT_MAX = 1024 };

#define POLL_FIRST_NS (5 * SONDE_MILLISECOND)
#define POLL_LAST_NS (50 * SONDE_MILLISECOND)
#define STARTING_POLL_NS (50 * SONDE_MILLISECOND)
#define REQUEST_TIMEOUT_NS (2 * SONDE_SECOND)
/* After so long the inspector may be elsewhere than the options say (process.debugPort). */
#define ELSEWHERE_NS (500 * SONDE_MILLISECOND)

/* Everything that can be known without touching the process. */
static int check_process(const struct sonde_visit *v, const struct sonde_process *p,
                         struct sonde_err *err)
{
    if (v->options.start_time && p->start_time != v->options.start_time) {
        return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_EXITED,
                                 "process %d ended, and another one has its number now", p->pid);
    }
    uid_t ours = geteuid();
    if (ours != 0 && ours != p->uid) {
        return sonde_fail_reason(err, SONDE_EDENIED, SONDE_REASON_UID_MISMATCH,
                                 "process %d (%s) belongs to user %u, and we are user %u", p->pid,
                                 p->name, p->uid, ours);
    }
    if (!p->readable) {
        return sonde_fail_reason(err, SONDE_EDENIED, SONDE_REASON_TARGET_NOT_VISIBLE,
                                 "process %d (%s) hides what it is: its links under /proc cannot "
                                 "be read (it changed its user or has rights that we lack)",
                                 p->pid, p->name);
    }
    if (!p->is_node) {
        return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_TARGET_NOT_NODE,
                                 "process %d (%s) is not Node.js", p->pid, p->name);
    }
    if (p->foreign_network) {
        return sonde_fail_reason(err, SONDE_EDENIED, SONDE_REASON_TARGET_NOT_VISIBLE,
                                 "process %d has a network namespace of its own, where its "
                                 "inspector cannot be reached from here",
                                 p->pid);
    }
    return 0;
}

/* A signal to a cluster's primary opens inspectors in its workers as well. */
static int check_workers(const struct sonde_process *p, struct sonde_err *err)
{
    SONDE_BUF_AUTO workers = SONDE_BUF(WORKERS_TEXT_MAX);
    int r = sonde_process_workers(proc, p->pid, &workers, err);
    if (r == 0 && workers.length) {
        r = sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_TARGET_AMBIGUOUS,
                              "process %d is the primary of a cluster, and its workers do the "
                              "work: %s",
                              p->pid, workers.data);
    }
    return r;
}

static int check_port(const struct sonde_process *p, struct sonde_err *err)
{
    if (p->inspect_exposed) {
        return sonde_fail_reason(err, SONDE_EDENIED, SONDE_REASON_INSPECTOR_EXPOSED,
                                 "process %d would open its inspector on an address that others "
                                 "can reach, as its options name one",
                                 p->pid);
    }
    bool taken = false;
    int r = p->any_inspect_port ? 0 : sonde_port_is_taken(p->inspect_port, &taken, err);
    if (r == 0 && taken) {
        pid_t owner = sonde_process_of_port(proc, p->inspect_port);
        r = sonde_fail_reason(err, SONDE_EBUSY, SONDE_REASON_INSPECTOR_BUSY,
                              owner ? "port %u, which process %d would open, is taken by process %d"
                                    : "port %u, which process %d would open, is taken",
                              p->inspect_port, p->pid, owner);
    }
    return r;
}

static int check_signal(const struct sonde_process *p, struct sonde_err *err)
{
    if (!(p->caught_signals & SONDE_SIGUSR1_BIT)) {
        return sonde_fail_reason(err, SONDE_EDENIED, SONDE_REASON_SIGNAL_NOT_HANDLED,
                                 "process %d (%s) does not handle SIGUSR1", p->pid, p->name);
    }
    if (!p->ports_known) {
        return sonde_fail_reason(err, SONDE_EDENIED, SONDE_REASON_TARGET_NOT_VISIBLE,
                                 "what process %d (%s) listens on cannot be seen, so its "
                                 "inspector could not be found again",
                                 p->pid, p->name);
    }
    int r = check_workers(p, err);
    return r < 0 ? r : check_port(p, err);
}

static int send_signal(struct sonde_visit *v, struct sonde_err *err)
{
    v->signalled_ns = sonde_clock_monotonic();
    if (syscall(SYS_pidfd_send_signal, v->pidfd, SIGUSR1, NULL, 0) < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "signal process %d", v->options.pid);
    }
    return 0;
}

static void list_inspector(struct sonde_visit *v);

static void use_port(struct sonde_visit *v, const struct sonde_port *port)
{
    v->port = port->number;
    (void)snprintf(v->host, sizeof(v->host), "%s", port->host);
    bool six = strchr(v->host, ':') != NULL;
    (void)snprintf(v->authority, sizeof(v->authority), six ? "[%s]:%u" : "%s:%u", v->host, v->port);
    list_inspector(v);
}

int attach_begin(struct sonde_visit *v, struct sonde_err *err)
{
    struct sonde_process *p = &v->process;
    int r = sonde_process_read(proc, v->options.pid, p, err);
    r = r < 0 ? r : check_process(v, p, err);
    if (r < 0) {
        return r;
    }
    v->signalled_ns = sonde_clock_monotonic();
    const struct sonde_port *open = sonde_process_port(p, p->inspect_port);
    if (open) {
        v->result.was_open = true;
        use_port(v, open);
        return 0;
    }
    r = check_signal(p, err);
    r = r < 0 ? r : send_signal(v, err);
    if (r < 0) {
        return r;
    }
    v->signalled = true;
    attach_wait(v);
    return 0;
}

void attach_wait(struct sonde_visit *v)
{
    v->port = 0;
    v->poll_ns = POLL_FIRST_NS;
    visit_enter(v, VISIT_WAITING);
    sonde_timer_start(v->timer, v->poll_ns, 0);
}

static bool rejected(const struct sonde_visit *v, uint16_t port)
{
    for (size_t i = 0; i < v->rejected_count; i++) {
        if (v->rejected[i] == port) {
            return true;
        }
    }
    return false;
}

/* The port that the target has opened since the signal, or NULL. */
static const struct sonde_port *opened_port(const struct sonde_visit *v,
                                            const struct sonde_process *now)
{
    const struct sonde_port *expected = sonde_process_port(now, v->process.inspect_port);
    bool elsewhere =
        v->process.any_inspect_port || sonde_clock_monotonic() - v->signalled_ns > ELSEWHERE_NS;
    if (expected || !elsewhere) {
        return expected;
    }
    for (size_t i = 0; i < now->port_count; i++) {
        const struct sonde_port *port = &now->ports[i];
        if (port->loopback && !sonde_process_port(&v->process, port->number) &&
            !rejected(v, port->number)) {
            return port;
        }
    }
    return NULL;
}

/* Too late to capture anything. It goes on for as long as a blocked process may take to open what
 * we asked for: nobody else would close it. */
static void attach_late(struct sonde_visit *v, bool came_round)
{
    struct sonde_err err;
    int64_t waited = sonde_clock_monotonic() - v->signalled_ns;
    (void)sonde_fail_reason(&err, SONDE_ETIMEOUT, SONDE_REASON_INSPECTOR_DID_NOT_OPEN,
                            "process %d was signalled, but opened no inspector within %d s",
                            v->options.pid, (int)(SONDE_ATTACH_TIMEOUT_NS / SONDE_SECOND));
    v->ending = true;
    if (!v->err.code) {
        v->err = err;
    }
    if (came_round) {
        v->signalled = false; /* and opened none */
        sonde_visit_fail(v, &err);
    } else if (waited > SONDE_OPENING_TIMEOUT_NS) {
        sonde_visit_fail(v, &err);
    } else {
        sonde_timer_start(v->timer, POLL_LAST_NS, 0);
    }
}

void attach_poll(struct sonde_visit *v)
{
    struct sonde_process now;
    struct sonde_err err;
    bool late = sonde_clock_monotonic() - v->signalled_ns > SONDE_ATTACH_TIMEOUT_NS;
    /* Before its ports are read: what it has come round to, it has opened by then. */
    bool came_round = late && sonde_process_loop_waits(proc, v->options.pid);
    int r = sonde_process_read(proc, v->options.pid, &now, &err);
    if (r == 0 && now.start_time != v->process.start_time) {
        r = sonde_fail_reason(&err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_EXITED, "process %d ended",
                              v->options.pid);
    }
    if (r == SONDE_ENOTFOUND) {
        sonde_visit_fail(v, &err);
        return;
    }
    const struct sonde_port *port = r == 0 ? opened_port(v, &now) : NULL;
    if (port) {
        use_port(v, port);
        return;
    }
    if (late) {
        attach_late(v, came_round);
        return;
    }
    v->poll_ns = v->poll_ns * 2 > POLL_LAST_NS ? POLL_LAST_NS : v->poll_ns * 2;
    sonde_timer_start(v->timer, v->poll_ns, 0);
}

/* Whether an inspector that we asked for, and that does not answer yet, is tried once more. */
static bool tries_again(const struct sonde_visit *v)
{
    return !v->result.was_open && !v->result.target_exited &&
           sonde_clock_monotonic() - v->signalled_ns < SONDE_OPENING_TIMEOUT_NS;
}

/* ---- the WebSocket ---- */

static int identified(void *context, const cJSON *result, const char *failure,
                      struct sonde_err *err);

static void opened(void *context)
{
    struct sonde_visit *v = context;
    v->connected = true;
    sonde_timer_start(v->beat_timer, SONDE_BEAT_INTERVAL_NS, SONDE_BEAT_INTERVAL_NS);
    visit_enter(v, VISIT_IDENTIFYING);
    visit_command(&v->main, "Runtime.evaluate",
                  "{\"expression\":\"({pid:process.pid,version:process.version,"
                  "directory:(()=>{try{return process.cwd()}catch{return ''}})()})\","
                  "\"returnByValue\":true,\"silent\":true}",
                  identified);
}

static int fragment(void *context, const char *data, size_t length, bool first, bool last,
                    struct sonde_err *err)
{
    struct sonde_visit *v = context;
    v->received += length;
    v->heard_ns = sonde_clock_monotonic();
    int r = sonde_cdp_feed(&v->main.cdp, data, length, first, last, err);
    const struct sonde_artifact_sink *sink = &v->options.sink;
    if (r == 0 && v->sink_of && sink->full && sink->full(sink->context)) {
        v->paused_since_ns = v->heard_ns;
        sonde_websocket_pause(v->socket, true);
    }
    return r;
}

static void closed(void *context, const struct sonde_err *err)
{
    struct sonde_visit *v = context;
    sonde_websocket_free(SONDE_TAKE(v->socket));
    v->connected = false;
    if (v->state == VISIT_CLOSING) {
        visit_leave(v);
        return;
    }
    if (v->state == VISIT_CONNECTING && tries_again(v)) {
        attach_wait(v);
        return;
    }
    struct sonde_err lost = *err;
    if (lost.code != SONDE_ENOMEM && !lost.reason) {
        (void)sonde_fail_reason(&lost, SONDE_ENETWORK, SONDE_REASON_INSPECTOR_LOST,
                                "the connection to the inspector of process %d ended: %.300s",
                                v->options.pid, err->code ? err->message : "closed");
    }
    sonde_visit_fail(v, &lost);
}

static void connect_socket(struct sonde_visit *v, const char *path)
{
    struct sonde_websocket_options options = {
        .host = v->host,
        .port = v->port,
        .path = path,
        .connect_timeout_ns = SONDE_ANSWER_TIMEOUT_NS,
        .message_max = SONDE_CDP_MESSAGE_MAX,
        .context = v,
        .opened = opened,
        .fragment = fragment,
        .closed = closed,
    };
    struct sonde_err err;
    visit_enter(v, VISIT_CONNECTING);
    /* The first one was made before the signal. */
    int r = v->socket ? 0 : sonde_websocket_new(v->options.loop, &v->socket, &err);
    r = r < 0 ? r : sonde_websocket_connect(v->socket, &options, &err);
    if (r == SONDE_ENETWORK) {
        closed(v, &err); /* no matter whether it fails at once or a little later */
    } else if (r < 0) {
        sonde_visit_fail(v, &err);
    }
}

/* ---- /json/list ---- */

/* The path in "ws://127.0.0.1:9229/0f2c…", the address being the one that was asked: nothing else
 * is followed. */
static int debugger_path(const struct sonde_visit *v, struct sonde_str body, char *ret, size_t size,
                         struct sonde_err *err)
{
    SONDE_JSON_AUTO *list = NULL;
    int r = sonde_json_parse(body, &list, err);
    if (r == SONDE_ENOMEM) {
        return r;
    }
    const cJSON *first = r == 0 && cJSON_IsArray(list) ? cJSON_GetArrayItem(list, 0) : NULL;
    const char *url = first ? sonde_json_string_or(first, "webSocketDebuggerUrl", "") : "";
    char prefix[96];
    (void)snprintf(prefix, sizeof(prefix), "ws://%s/", v->authority);
    size_t skip = strlen(prefix) - 1;
    bool good = strncmp(url, prefix, skip + 1) == 0 && strlen(url + skip) < size &&
                strspn(url + skip + 1, "0123456789abcdefABCDEF-") == strlen(url + skip + 1);
    if (!good) {
        return sonde_fail_reason(err, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
                                 "what listens on port %u of process %d is not an inspector",
                                 v->port, v->options.pid);
    }
    memcpy(ret, url + skip, strlen(url + skip) + 1);
    return 0;
}

static void listed(void *context, const struct sonde_http_response *response,
                   const struct sonde_err *err)
{
    struct sonde_visit *v = context;
    v->request = NULL;
    struct sonde_err failure = *err;
    char path[PATH_TEXT_MAX];
    if ((err->code == SONDE_ENETWORK || err->code == SONDE_ETIMEOUT) && tries_again(v)) {
        attach_wait(v); /* it listens, but does not answer yet */
        return;
    }
    if (err->code == 0 && debugger_path(v, response->body, path, sizeof(path), &failure) == 0) {
        connect_socket(v, path);
        return;
    }
    bool guessed = v->port != v->process.inspect_port || v->process.any_inspect_port;
    if (guessed && tries_again(v) && v->rejected_count < SONDE_LENGTH(v->rejected)) {
        v->rejected[v->rejected_count++] = v->port; /* the application's own */
        attach_wait(v);
        return;
    }
    if (!failure.reason) {
        (void)sonde_fail_reason(&failure, SONDE_ETIMEOUT, SONDE_REASON_INSPECTOR_DID_NOT_OPEN,
                                "port %u of process %d does not answer: %.300s", v->port,
                                v->options.pid, err->message);
    }
    sonde_visit_fail(v, &failure);
}

static void list_inspector(struct sonde_visit *v)
{
    char url[128];
    (void)snprintf(url, sizeof(url), "http://%s/json/list", v->authority);
    struct sonde_http_options options = {
        .url = url,
        .timeout_ns = v->result.was_open ? SONDE_ANSWER_TIMEOUT_NS : REQUEST_TIMEOUT_NS,
        .body_max = LIST_MAX,
        .context = v,
        .done = listed,
    };
    struct sonde_err err;
    visit_enter(v, VISIT_LISTING);
    if (sonde_http_get(v->http, &options, &v->request, &err) < 0) {
        sonde_visit_fail(v, &err);
    }
}

/* ---- the right process, and the probe ---- */

static int tolerated(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    (void)context;
    (void)result;
    (void)failure;
    (void)err;
    return 0;
}

/* Without the probe nobody else closes the inspector: once, as soon as we have hung up. */
static int closer_sent(void *context, const cJSON *result, const char *failure,
                       struct sonde_err *err)
{
    (void)result;
    (void)failure;
    struct sonde_visit *v = ((struct visit_thread *)context)->visit;
    *err = v->install_err;
    return err->code;
}

static int send_closer(struct sonde_visit *v, const struct sonde_err *err)
{
    v->install_err = *err;
    visit_command(&v->main, "Runtime.evaluate",
                  "{\"expression\":\"(async()=>{await 0;"
                  "setTimeout(()=>process._debugEnd(),300).unref()})()\",\"silent\":true}",
                  closer_sent);
    return 0;
}

/* What the probe has thrown, or NULL. */
static const cJSON *thrown(const cJSON *result)
{
    return cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(result, "exceptionDetails"), "exception");
}

/* A worker that was slow to answer was asked more than once: one probe is enough. */
static void finish_other(struct visit_thread *thread, const char *id)
{
    char own[sizeof(thread->probe_id)];
    memcpy(own, thread->probe_id, sizeof(own));
    memcpy(thread->probe_id, id, strlen(id) + 1);
    visit_call(thread, "finish()", tolerated);
    memcpy(thread->probe_id, own, sizeof(own));
}

static int installed(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    struct sonde_visit *v = thread->visit;
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(result, "result");
    const char *id = object ? sonde_json_string_or(object, "objectId", NULL) : NULL;
    bool good = id && !cJSON_HasObjectItem(result, "exceptionDetails") &&
                strlen(id) < sizeof(thread->probe_id);
    const char *word = sonde_json_string_or(thrown(result), "value", "");
    if (good && thread->installed) {
        finish_other(thread, id);
        return 0;
    }
    if (strcmp(word, "require") == 0 && !thread->worker[0] && !thread->needs_require) {
        thread->needs_require = true;
        attach_install(thread);
        return 0;
    }
    if (good) {
        memcpy(thread->probe_id, id, strlen(id) + 1);
        thread->installed = true;
    }
    if (thread->worker[0]) {
        workers_installed(thread, good);
        return 0;
    }
    bool starting = strcmp(word, "starting") == 0;
    if (starting && v->state == VISIT_INSTALLING &&
        sonde_clock_monotonic() - v->state_since_ns < SONDE_OPENING_TIMEOUT_NS) {
        sonde_timer_start(v->timer, STARTING_POLL_NS, 0);
        return 0;
    }
    if (!good) {
        int r = sonde_fail_reason(
            err, SONDE_EPROTOCOL, SONDE_REASON_INTERNAL, "the probe could not be installed: %.300s",
            failure    ? failure
            : starting ? "it is still starting"
                       : sonde_json_string_or(thrown(result), "description", "no reason"));
        return v->result.was_open ? r : send_closer(v, err);
    }
    if (v->ending) {
        visit_leave(v);
    } else {
        workers_begin(v);
    }
    return 0;
}

void attach_install(struct visit_thread *thread)
{
    struct sonde_visit *v = thread->visit;
    bool closes = !thread->worker[0] && !v->result.was_open;
    SONDE_BUF_AUTO expression = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    sonde_buf_str(&expression, (struct sonde_str){deadman_js, sizeof(deadman_js) - 1});
    sonde_buf_printf(&expression,
                     "(%s,{tickMilliseconds:%d,silentTicks:%d,closeInspector:%s})"
                     "\n//# sourceURL=sonde:probe\n",
                     thread->needs_require ? "typeof require==='function'?require:undefined"
                                           : "undefined",
                     (int)(SONDE_PROBE_TICK_NS / SONDE_MILLISECOND),
                     (int)(SONDE_BEAT_TTL_NS / SONDE_PROBE_TICK_NS), closes ? "true" : "false");
    SONDE_BUF_AUTO params = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    sonde_buf_printf(&params, "{\"includeCommandLineAPI\":%s,\"silent\":true,\"expression\":",
                     thread->needs_require ? "true" : "false");
    sonde_buf_json_string(&params, sonde_buf_view(&expression));
    sonde_buf_char(&params, '}');
    struct sonde_err err;
    if (sonde_buf_check(&expression, "the probe", &err) < 0 ||
        sonde_buf_check(&params, "the probe", &err) < 0) {
        sonde_visit_fail(v, &err);
        return;
    }
    visit_command(thread, "Runtime.evaluate", params.data, installed);
}

static int identified(void *context, const cJSON *result, const char *failure,
                      struct sonde_err *err)
{
    struct sonde_visit *v = ((struct visit_thread *)context)->visit;
    const cJSON *value = NULL;
    int r = visit_value(&v->main, result, failure, &value, err);
    if (r < 0) {
        return r;
    }
    int64_t pid = sonde_json_integer_or(value, "pid", -1);
    if (pid != v->process.inner_pid) {
        return sonde_fail_reason(err, SONDE_EBUSY, SONDE_REASON_INSPECTOR_BUSY,
                                 "port %u belongs to process %lld, not to process %d", v->port,
                                 (long long)pid, v->options.pid);
    }
    v->result.attach_ms = (double)(sonde_clock_monotonic() - v->signalled_ns) / 1e6;
    (void)snprintf(v->result.node_version, sizeof(v->result.node_version), "%s",
                   sonde_json_string_or(value, "version", ""));
    (void)snprintf(v->result.directory, sizeof(v->result.directory), "%s",
                   sonde_json_string_or(value, "directory", ""));
    visit_enter(v, VISIT_INSTALLING);
    /* A process that ends waits for us to hang up: be told. Needs no answer on Node.js 18. */
    visit_command(&v->main, "NodeRuntime.notifyWhenWaitingForDisconnect", "{\"enabled\":true}",
                  tolerated);
    attach_install(&v->main);
    return 0;
}
