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

enum { LIST_MAX = 65536, PATH_TEXT_MAX = 128 };

#define POLL_FIRST_NS (5 * SONDE_MILLISECOND)
#define POLL_LAST_NS (50 * SONDE_MILLISECOND)
#define REQUEST_TIMEOUT_NS (2 * SONDE_SECOND)

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

/* Whether somebody listens on the port in our network namespace. */
static bool port_is_taken(uint16_t port)
{
    static const char *const files[] = {"/proc/self/net/tcp", "/proc/self/net/tcp6"};
    for (size_t i = 0; i < SONDE_LENGTH(files); i++) {
        SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PROC_SOCKETS_MAX);
        if (sonde_read_file(AT_FDCWD, files[i], &text, NULL) < 0) {
            continue;
        }
        struct sonde_str rest = sonde_buf_view(&text);
        struct sonde_proc_socket socket;
        while (sonde_proc_socket_next(&rest, &socket)) {
            if (socket.state == SONDE_TCP_LISTEN && socket.port == port) {
                return true;
            }
        }
    }
    return false;
}

static int check_signal(const struct sonde_process *p, struct sonde_err *err)
{
    if (!(p->caught_signals & SONDE_SIGUSR1_BIT)) {
        return sonde_fail_reason(err, SONDE_EDENIED, SONDE_REASON_SIGNAL_NOT_HANDLED,
                                 "process %d (%s) does not handle SIGUSR1", p->pid, p->name);
    }
    if (!p->any_inspect_port && port_is_taken(p->inspect_port)) {
        pid_t owner = sonde_process_of_port(proc, p->inspect_port);
        return sonde_fail_reason(
            err, SONDE_EBUSY, SONDE_REASON_INSPECTOR_BUSY,
            owner ? "port %u, which process %d would open, is taken by process %d"
                  : "port %u, which process %d would open, is taken",
            p->inspect_port, p->pid, owner);
    }
    return 0;
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

int attach_begin(struct sonde_visit *v, struct sonde_err *err)
{
    struct sonde_process *p = &v->process;
    /* The pidfd first: from here on the checks and the signal mean the same process. */
    v->pidfd = (int)syscall(SYS_pidfd_open, v->options.pid, 0);
    if (v->pidfd < 0 && errno != ESRCH) {
        return sonde_fail(err, SONDE_EIO, errno, "open process %d", v->options.pid);
    }
    int r = sonde_process_read(proc, v->options.pid, p, err);
    r = r < 0 ? r : check_process(v, p, err);
    if (r < 0) {
        return r;
    }
    v->signalled_ns = sonde_clock_monotonic();
    if (sonde_process_listens(p, p->inspect_port)) {
        v->result.was_open = true;
        v->port = p->inspect_port;
        list_inspector(v);
        return 0;
    }
    r = check_signal(p, err);
    r = r < 0 ? r : send_signal(v, err);
    if (r < 0) {
        return r;
    }
    v->poll_ns = POLL_FIRST_NS;
    visit_enter(v, VISIT_WAITING);
    sonde_timer_start(v->timer, v->poll_ns, 0);
    return 0;
}

/* The port that the target has opened since the signal, or 0. */
static uint16_t opened_port(const struct sonde_visit *v, const struct sonde_process *now)
{
    if (sonde_process_listens(now, v->process.inspect_port)) {
        return v->process.inspect_port;
    }
    for (size_t i = 0; v->process.any_inspect_port && i < now->port_count; i++) {
        if (now->ports[i].loopback && !sonde_process_listens(&v->process, now->ports[i].number)) {
            return now->ports[i].number;
        }
    }
    return 0;
}

void attach_poll(struct sonde_visit *v)
{
    struct sonde_process now;
    struct sonde_err err;
    if (sonde_process_read(proc, v->options.pid, &now, &err) < 0) {
        sonde_visit_fail(v, &err);
        return;
    }
    v->port = opened_port(v, &now);
    if (v->port) {
        list_inspector(v);
        return;
    }
    if (sonde_clock_monotonic() - v->signalled_ns > SONDE_ATTACH_TIMEOUT_NS) {
        (void)sonde_fail_reason(&err, SONDE_ETIMEOUT, SONDE_REASON_INSPECTOR_DID_NOT_OPEN,
                                "process %d was signalled, but opened no inspector within %d s",
                                v->options.pid, (int)(SONDE_ATTACH_TIMEOUT_NS / SONDE_SECOND));
        sonde_visit_fail(v, &err);
        return;
    }
    v->poll_ns = v->poll_ns * 2 > POLL_LAST_NS ? POLL_LAST_NS : v->poll_ns * 2;
    sonde_timer_start(v->timer, v->poll_ns, 0);
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
    visit_command(v, "Runtime.evaluate",
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
    return sonde_cdp_feed(&v->cdp, data, length, first, last, err);
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
        .host = "127.0.0.1",
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
    if (sonde_websocket_new(v->options.loop, &options, &v->socket, &err) < 0) {
        sonde_visit_fail(v, &err);
    }
}

/* ---- /json/list ---- */

/* The path in "ws://127.0.0.1:9229/0f2c…": nothing else is followed. */
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
    char prefix[64];
    (void)snprintf(prefix, sizeof(prefix), "ws://127.0.0.1:%u/", v->port);
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
    bool early = sonde_clock_monotonic() - v->signalled_ns < SONDE_ATTACH_TIMEOUT_NS;
    if (err->code == SONDE_ENETWORK && early) {
        visit_enter(v, VISIT_WAITING); /* it listens, but does not accept yet */
        sonde_timer_start(v->timer, POLL_LAST_NS, 0);
        return;
    }
    if (err->code == 0 && debugger_path(v, response->body, path, sizeof(path), &failure) == 0) {
        connect_socket(v, path);
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
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/json/list", v->port);
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

static int installed(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct sonde_visit *v = context;
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(result, "result");
    const char *id = object ? sonde_json_string_or(object, "objectId", NULL) : NULL;
    if (!id || cJSON_HasObjectItem(result, "exceptionDetails") ||
        strlen(id) >= sizeof(v->probe_id)) {
        const cJSON *exception = cJSON_GetObjectItemCaseSensitive(
            cJSON_GetObjectItemCaseSensitive(result, "exceptionDetails"), "exception");
        return sonde_fail_reason(
            err, SONDE_EPROTOCOL, SONDE_REASON_INTERNAL, "the probe could not be installed: %.300s",
            failure ? failure : sonde_json_string_or(exception, "description", "no reason"));
    }
    memcpy(v->probe_id, id, strlen(id) + 1);
    v->installed = true;
    if (v->ending) {
        visit_leave(v);
    } else {
        capture_begin(v);
    }
    return 0;
}

static void install_probe(struct sonde_visit *v)
{
    enum { TICK_MS = 500 };
    SONDE_BUF_AUTO expression = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    sonde_buf_str(&expression, (struct sonde_str){deadman_js, sizeof(deadman_js) - 1});
    sonde_buf_printf(&expression,
                     "(typeof require==='function'?require:undefined,"
                     "{tickMilliseconds:%d,silentTicks:%d,closeInspector:%s})"
                     "\n//# sourceURL=sonde:probe\n",
                     TICK_MS, (int)(SONDE_BEAT_TTL_NS / SONDE_MILLISECOND / TICK_MS),
                     v->result.was_open ? "false" : "true");
    SONDE_BUF_AUTO params = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    sonde_buf_text(&params, "{\"includeCommandLineAPI\":true,\"silent\":true,\"expression\":");
    sonde_buf_json_string(&params, sonde_buf_view(&expression));
    sonde_buf_char(&params, '}');
    struct sonde_err err;
    if (sonde_buf_check(&expression, "the probe", &err) < 0 ||
        sonde_buf_check(&params, "the probe", &err) < 0) {
        sonde_visit_fail(v, &err);
        return;
    }
    visit_enter(v, VISIT_INSTALLING);
    /* A process that ends waits for us to hang up: be told. Needs no answer on Node.js 18. */
    visit_command(v, "NodeRuntime.notifyWhenWaitingForDisconnect", "{\"enabled\":true}", tolerated);
    visit_command(v, "Runtime.evaluate", params.data, installed);
}

static int identified(void *context, const cJSON *result, const char *failure,
                      struct sonde_err *err)
{
    struct sonde_visit *v = context;
    const cJSON *value = NULL;
    int r = visit_value(v, result, failure, &value, err);
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
    install_probe(v);
    return 0;
}
