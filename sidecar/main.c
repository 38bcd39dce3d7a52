/* SPDX-License-Identifier: Apache-2.0 */
/* sonde-sidecar: visits the Node.js processes of a container, sends what it captures to the store,
 * and leaves a termination message. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "inspector/context.h"
#include "inspector/script_urls.h"
#include "sidecar/sidecar.h"
#include "spec/artifact.h"
#include "spec/reason.h"

/* The scripts that a capture names, for their source maps. */
struct scripts {
    bool known;
    enum sonde_context_kind kind;
    struct sonde_script_urls urls;
};

struct program {
    struct settings settings;
    struct sonde_log log;
    struct sonde_loop *loop;
    struct sonde_signal *term, *interrupt;
    struct store *store;
    struct result result;
    struct sonde_visit *visit;
    bool visited;
    bool cancelled;         /* by the store or a signal */
    bool several;           /* processes: one of them may end meanwhile */
    struct sonde_err ended; /* one that did */
    struct sonde_err err;   /* the first thing that went wrong */
    /* The artifact that is being received. */
    struct sonde_buf body;
    char capture[64];
    char name[SIDECAR_NAME_MAX];
    const struct sonde_artifact_type *type;
    char process_name[SIDECAR_PROCESS_MAX]; /* "4711", "4711-w1" */
    uint64_t streamed;                      /* bytes of artifacts that were not received whole */
    const struct sonde_process *process;
    struct scripts scripts[SONDE_CAPTURES_MAX]; /* of each capture of the process */
    struct scripts *naming; /* those that the artifact being received names, or NULL */
};

static void note(struct program *program, const struct sonde_err *err)
{
    if (program->err.code == 0) {
        program->err = *err;
    }
}

/* ---- the store's words ---- */

static void store_cancelled(void *context)
{
    struct program *program = context;
    program->cancelled = true;
    if (program->visit) {
        sonde_visit_cancel(program->visit);
    }
}

static void store_failed(void *context, const struct sonde_err *err)
{
    struct program *program = context;
    note(program, err);
    if (program->visit && !program->visited) {
        sonde_visit_fail(program->visit, err);
    }
    sonde_loop_stop(program->loop);
}

static void store_idle(void *context)
{
    sonde_loop_stop(((struct program *)context)->loop);
}

static void store_has_room(void *context)
{
    struct program *program = context;
    if (program->visit) {
        sonde_visit_resume(program->visit);
    }
}

static void on_signal(void *context, int number, bool by_kernel)
{
    struct program *program = context;
    (void)by_kernel;
    SONDE_LOG(&program->log, SONDE_LOG_INFO, "stopping", SONDE_FIELD_INT("signal", number));
    store_cancelled(program);
    sonde_loop_stop(program->loop);
}

/* ---- what the visit gives ---- */

/* What is too large to be kept until it is committed, which may then be tried again. */
static bool is_streamed(const struct program *program)
{
    static const char *const types[] = {SONDE_ARTIFACT_HEAP_SNAPSHOT, SONDE_ARTIFACT_HEAP_PROFILE,
                                        SONDE_ARTIFACT_COVERAGE};
    for (size_t i = 0; i < SONDE_LENGTH(types); i++) {
        if (strcmp(program->type->name, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Without them the engine's places stay. */
static void begin_naming(struct program *program)
{
    const struct sonde_profile_run *spec = program->settings.spec;
    struct scripts *scripts = NULL;
    struct sonde_err err;
    for (size_t i = 0; i < spec->captures.count && i < SONDE_CAPTURES_MAX; i++) {
        if (strcmp(spec->captures.items[i].name, program->capture) == 0 &&
            sonde_script_urls_wanted(program->type->name)) {
            scripts = &program->scripts[i];
        }
    }
    if (scripts && !scripts->known) {
        scripts->known = sonde_script_urls_init(&scripts->urls, &err) == 0;
        scripts->kind = sonde_context_kind_of(program->type->name);
    }
    program->naming = scripts && scripts->known ? scripts : NULL;
    if (program->naming) {
        sonde_script_urls_begin(&scripts->urls);
    } else if (scripts) {
        sonde_script_urls_fini(&scripts->urls); /* no memory */
    }
}

static int sink_begin(void *context, const struct sonde_capture_artifact *artifact,
                      struct sonde_err *err)
{
    struct program *program = context;
    sonde_buf_fini(&program->body);
    program->body = SONDE_BUF(SIDECAR_ARTIFACT_MAX);
    (void)snprintf(program->capture, sizeof(program->capture), "%s", artifact->capture);
    program->type = artifact->type;
    (void)snprintf(program->process_name, sizeof(program->process_name),
                   artifact->worker ? "%d-w%u" : "%d", (int)program->process->pid,
                   artifact->worker);
    (void)snprintf(program->name, sizeof(program->name), "%s.%d.%s",
                   program->settings.uplink.target, (int)program->process->pid, artifact->name);
    begin_naming(program);
    return is_streamed(program) ? store_open(program->store, program->name, program->capture,
                                             program->type, program->process_name, err)
                                : 0;
}

static int sink_write(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct program *program = context;
    if (program->naming) {
        sonde_script_urls_feed(&program->naming->urls, data, length);
    }
    if (is_streamed(program)) {
        /* The store can only say it when all was sent. */
        program->streamed += length;
        if (program->streamed > (uint64_t)program->settings.spec->max_bytes) {
            return sonde_fail_reason(err, SONDE_ELIMIT, SONDE_REASON_UPLOAD_REJECTED,
                                     "the run's artifacts are larger than spec.maxBytes, %lld",
                                     (long long)program->settings.spec->max_bytes);
        }
        return store_write(program->store, data, length, err);
    }
    sonde_buf_append(&program->body, data, length);
    return sonde_buf_check(&program->body, "an artifact", err);
}

static int sink_commit(void *context, struct sonde_err *err)
{
    struct program *program = context;
    if (is_streamed(program)) {
        return store_commit(program->store, err);
    }
    return store_put(program->store, program->name, program->capture, program->type,
                     program->process_name, &program->body, err);
}

static void sink_abort(void *context)
{
    struct program *program = context;
    store_abort(program->store);
    sonde_buf_fini(&program->body);
}

static bool sink_full(void *context)
{
    return store_full(((struct program *)context)->store);
}

static void visit_progressed(void *context, const struct sonde_visit_progress *progress)
{
    struct program *program = context;
    static const char *const phases[][2] = {
        {"attaching", "Attaching"}, {"capturing", "Capturing"}, {"leaving", "Leaving"}};
    for (size_t i = 0; i < SONDE_LENGTH(phases); i++) {
        if (strcmp(progress->phase, phases[i][0]) == 0) {
            store_beat(program->store, phases[i][1]);
        }
    }
}

static void visit_done(void *context, const struct sonde_visit_result *result,
                       const struct sonde_err *err)
{
    struct program *program = context;
    program->visited = true;
    result_add(&program->result, result);
    bool exited = err->reason && strcmp(err->reason, SONDE_REASON_TARGET_EXITED) == 0;
    if (program->several && exited) {
        program->ended = *err;
    } else if (err->code) {
        note(program, err);
    }
    sonde_loop_stop(program->loop);
}

/* ---- a visit ---- */

static int put_context(void *context, const char *name, const char *type, struct sonde_str text,
                       struct sonde_err *err)
{
    struct program *program = context;
    struct sonde_buf body = SONDE_BUF(SIDECAR_ARTIFACT_MAX);
    if (text.length > SIDECAR_ARTIFACT_MAX) {
        return 0; /* a map of that size is left out */
    }
    sonde_buf_str(&body, text);
    int r = sonde_buf_check(&body, "a source map", err);
    r = r < 0 ? r
              : store_put(program->store, name, program->capture, sonde_artifact_type_find(type),
                          program->process_name, &body, err);
    sonde_buf_fini(&body);
    while (r == 0 && store_busy(program->store)) {
        sonde_loop_run(program->loop); /* one map in memory at a time */
    }
    return r;
}

static int send_context(struct program *program, int root, const struct scripts *scripts,
                        const char *prefix, struct sonde_err *err)
{
    SONDE_BUF_AUTO waits = SONDE_BUF(SONDE_CONTEXT_WAITS_MAX);
    int r = sonde_visit_print_waits(program->visit, program->capture, program->process->pid, &waits,
                                    err);
    return r < 0 ? r
                 : sonde_context_write(root, &scripts->urls.scripts, scripts->kind,
                                       sonde_buf_view(&waits), prefix, put_context, program, err);
}

static void send_sources(struct program *program, int root)
{
    const struct sonde_profile_run *spec = program->settings.spec;
    for (size_t i = 0; i < spec->captures.count && i < SONDE_CAPTURES_MAX; i++) {
        struct scripts *scripts = &program->scripts[i];
        char prefix[SIDECAR_NAME_MAX];
        struct sonde_err err;
        (void)snprintf(program->capture, sizeof(program->capture), "%s",
                       spec->captures.items[i].name);
        (void)snprintf(prefix, sizeof(prefix), "%s.%d.%s", program->settings.uplink.target,
                       (int)program->process->pid, program->capture);
        (void)snprintf(program->process_name, sizeof(program->process_name), "%d",
                       (int)program->process->pid);
        if (scripts->known && root >= 0 && send_context(program, root, scripts, prefix, &err) < 0) {
            SONDE_LOG(&program->log, SONDE_LOG_WARN, "source maps are missing",
                      SONDE_FIELD_STR("error", sonde_str(err.message)));
        }
    }
}

static void forget_scripts(struct program *program)
{
    program->naming = NULL;
    for (size_t i = 0; i < SONDE_CAPTURES_MAX; i++) {
        sonde_script_urls_fini(&program->scripts[i].urls);
        program->scripts[i] = (struct scripts){0};
    }
}

static int start_visit(struct program *program, struct sonde_err *err)
{
    const struct sonde_profile_run *spec = program->settings.spec;
    struct sonde_capture_request requests[SONDE_CAPTURES_MAX];
    size_t count = sonde_capture_requests(spec, requests);
    int64_t liveness_ns = program->settings.liveness_ns;
    for (size_t i = 0; i < count; i++) {
        if (liveness_ns && liveness_ns < requests[i].max_pause_ns) {
            requests[i].max_pause_ns = liveness_ns;
            requests[i].pause_limit = "the container's liveness probe";
        }
    }
    struct sonde_visit_options options = {
        .loop = program->loop,
        .pid = program->process->pid,
        .start_time = program->process->start_time,
        .captures = requests,
        .capture_count = count,
        .all_threads = spec->target->worker_threads == SONDE_WORKERS_ALL,
        .sink = {program, sink_begin, sink_write, sink_commit, sink_abort, sink_full},
        .deadline_ns = program->settings.uplink.deadline * SONDE_SECOND - sonde_clock_realtime(),
        .context = program,
        .progress = visit_progressed,
        .done = visit_done,
    };
    return sonde_visit_new(&options, &program->visit, err);
}

static void visit(struct program *program, const struct sonde_process *process)
{
    struct sonde_err err;
    char path[64];
    program->process = process;
    program->visited = false;
    (void)snprintf(path, sizeof(path), "/proc/%d/root", (int)process->pid);
    SONDE_CLOSE int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (start_visit(program, &err) < 0) {
        note(program, &err);
        return;
    }
    while (!program->visited) {
        sonde_loop_run(program->loop);
    }
    if (!program->cancelled && program->err.code == 0) {
        send_sources(program, root);
    }
    forget_scripts(program);
    while (store_busy(program->store)) {
        sonde_loop_run(program->loop);
    }
    sonde_visit_free(SONDE_TAKE(program->visit));
    sonde_buf_fini(&program->body);
}

/* ---- the run ---- */

static bool is_past(const struct program *program)
{
    return sonde_clock_realtime() / SONDE_SECOND >= program->settings.uplink.deadline;
}

/* The target is not touched before the store has answered. */
static bool connect(struct program *program)
{
    struct sonde_err err;
    if (is_past(program)) {
        (void)sonde_fail_reason(&err, SONDE_ETIMEOUT, SONDE_REASON_DEADLINE_EXCEEDED,
                                "the sidecar was started after the run's deadline");
        note(program, &err);
        return false;
    }
    store_beat(program->store, "Connected");
    while (!store_connected(program->store) && program->err.code == 0 && !program->cancelled) {
        sonde_loop_run(program->loop);
    }
    return program->err.code == 0 && !program->cancelled;
}

static void visit_all(struct program *program)
{
    struct sonde_process_list list = {0};
    struct sonde_err err;
    int r = sonde_process_list("/proc", &list, &err);
    r = r < 0 ? r : choose_processes(&list, program->settings.spec->target, &err);
    if (r < 0) {
        note(program, &err);
    }
    program->several = list.count > 1;
    for (size_t i = 0; r == 0 && i < list.count && !program->cancelled && program->err.code == 0;
         i++) {
        visit(program, &list.items[i]);
    }
    if (program->result.artifacts == 0 && program->ended.code) {
        note(program, &program->ended);
    }
    sonde_process_list_fini(&list);
}

static void judge(struct program *program)
{
    struct result *result = &program->result;
    const struct sonde_err *err = &program->err;
    bool cancelled = program->cancelled || err->code == SONDE_ECANCELLED;
    if (err->code == 0 && !cancelled) {
        return;
    }
    result->state = cancelled ? "Cancelled" : "Failed";
    result->reason = cancelled     ? SONDE_REASON_CANCELLED
                     : err->reason ? err->reason
                                   : SONDE_REASON_INTERNAL;
    (void)snprintf(result->message, sizeof(result->message), "%s", err->message);
}

static void say_last_word(struct program *program)
{
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 10);
    result_print(&program->result, &text);
    if (text.code || !store_connected(program->store)) {
        return;
    }
    program->err = (struct sonde_err){0};
    store_done(program->store, sonde_buf_view(&text));
    while (store_busy(program->store) && program->err.code == 0) {
        sonde_loop_run(program->loop);
    }
}

static int run(struct program *program, struct sonde_err *err)
{
    struct store_options store = {.loop = program->loop,
                                  .settings = &program->settings,
                                  .log = &program->log,
                                  .context = program,
                                  .cancelled = store_cancelled,
                                  .failed = store_failed,
                                  .idle = store_idle,
                                  .resume = store_has_room};
    int r = sonde_signal_new(program->loop, SIGTERM, on_signal, program, &program->term, err);
    r = r < 0
            ? r
            : sonde_signal_new(program->loop, SIGINT, on_signal, program, &program->interrupt, err);
    r = r < 0 ? r : store_new(&store, &program->store, err);
    if (r < 0) {
        return r;
    }
    if (connect(program)) {
        visit_all(program);
    }
    judge(program);
    say_last_word(program);
    store_free(SONDE_TAKE(program->store));
    return 0;
}

/* ---- a look, as a stranger ---- */

static int look(struct program *program, struct sonde_buf *message, struct sonde_err *err)
{
    struct sonde_process_list list = {0};
    int r = sonde_process_list("/proc", &list, err);
    r = r < 0 ? r : choose_processes(&list, program->settings.spec->target, err);
    if (r == 0) {
        sonde_buf_printf(message, "{\"uid\":%u}", list.items[0].uid);
    }
    sonde_process_list_fini(&list);
    return r;
}

/* ---- the message ---- */

static void leave_message(struct program *program, struct sonde_str text)
{
    struct sonde_err err;
    if (sonde_uplink_leave(program->settings.uplink.message_path, text, &err) < 0) {
        SONDE_LOG(&program->log, SONDE_LOG_ERROR, "no termination message could be left",
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
    }
    SONDE_LOG(&program->log, SONDE_LOG_INFO, "done", SONDE_FIELD_STR("result", text));
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: sonde-sidecar [look | --version]\n"
                          "It is started by sonde-controller, with its settings in SONDE_….\n");
    return 2;
}

static int work(struct program *program, bool looks)
{
    struct sonde_err err;
    SONDE_BUF_AUTO message = SONDE_BUF(SONDE_UPLINK_MESSAGE_MAX);
    int r = settings_read(&program->settings, looks, &err);
    if (r == 0 && looks) {
        r = look(program, &message, &err);
    } else if (r == 0) {
        r = sonde_loop_new(&program->loop, &err);
        r = r < 0 ? r : run(program, &err);
    }
    if (r < 0) {
        note(program, &err);
        judge(program);
    }
    if (message.length == 0) {
        message.maximum = 2 * SONDE_UPLINK_MESSAGE_MAX;
        result_print_short(&program->result, &message);
    }
    leave_message(program, sonde_buf_view(&message));
    return strcmp(program->result.state, "Succeeded") == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct program program = {.log = {STDERR_FILENO, SONDE_LOG_INFO, "sonde-sidecar"}};
    bool looks = argc == 2 && strcmp(argv[1], "look") == 0;
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        (void)printf("sonde-sidecar %s\n", SONDE_VERSION);
        return 0;
    }
    if (argc > 1 && !looks) {
        return usage();
    }
    (void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
    (void)mallopt(M_TRIM_THRESHOLD, 128 << 10);
    (void)signal(SIGPIPE, SIG_IGN);
    result_init(&program.result);
    int code = work(&program, looks);
    sonde_signal_free(program.term);
    sonde_signal_free(program.interrupt);
    sonde_loop_free(program.loop);
    settings_fini(&program.settings);
    result_fini(&program.result);
    return code;
}
