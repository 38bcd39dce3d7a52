/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde run` and `sonde profile`: documents carried out on a local process, one after the other.
 */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/sink.h"
#include "cli/target.h"
#include "spec/reason.h"
#include "spec/spec.h"

enum { SIGNALS_MAX = 5, FINISH_ATTEMPTS = 3 };

#define DURATION_MIN (1 * SONDE_SECOND)
#define DURATION_MAX (3600 * SONDE_SECOND)

#define TARGET_OPTIONS                                                                             \
    {"pid",   SONDE_OPTION_NUMBER, offsetof(struct cli_settings, pid),    1,                       \
     1 << 22, .argument = "N",     .help = "the process with this number"},                        \
        {"match", SONDE_OPTION_STRING, offsetof(struct cli_settings, match),                       \
         .argument = "PATTERN", .help = "the process with this name, script, directory or port"}

const struct sonde_option cli_run_options[] = {TARGET_OPTIONS, {0}};

const struct sonde_option cli_profile_options[] = {
    {"duration", SONDE_OPTION_DURATION, offsetof(struct cli_settings, duration_ns), DURATION_MIN,
     DURATION_MAX, .argument = "TIME", .help = "how long (default: 10s)"},
    TARGET_OPTIONS,
    {0},
};

/* One document under way. */
struct job {
    struct sonde_db *db;
    struct sonde_loop *loop;
    const struct sonde_spec_document *document;
    struct target *target;
    struct progress progress;
    struct sonde_run run;
    struct sink *sink;
    struct sonde_visit *visit;
    struct sonde_visit_result result; /* borrowed from the visit */
    struct sonde_err err;
    struct sonde_err store_err; /* the first failure of a commit */
    struct sonde_buf status;
    bool own_command;
    bool visited;
    bool concluded;
    bool json;
    struct sonde_buf *out; /* the report */
    int reported;
    struct sonde_err report_err;
};

/* What a signal is to be passed on to. */
struct signals {
    struct job *job; /* the one under way, or NULL */
    struct target *target;
    bool cancelled;
};

/* ---- how it went ---- */

static void write_status(struct job *job, const struct sonde_visit_result *r)
{
    struct sonde_buf *buf = &job->status;
    sonde_buf_printf(buf, "{\"target\":\"process %d\",\"pid\":%d,\"nodeVersion\":", (int)r->pid,
                     (int)r->pid);
    sonde_buf_json_string(buf, sonde_str(r->node_version));
    sonde_buf_text(buf, ",\"directory\":");
    sonde_buf_json_string(buf, sonde_str(r->directory));
    if (r->node_version[0]) {
        sonde_buf_printf(buf,
                         ",\"cost\":{\"attachMilliseconds\":%.3f,\"inspectorOpenSeconds\":%.3f,"
                         "\"startStallMilliseconds\":%.3f,\"stopStallMilliseconds\":%.3f,"
                         "\"rotations\":%zu,\"rotationStallP50Milliseconds\":%.3f,"
                         "\"rotationStallP99Milliseconds\":%.3f,"
                         "\"rotationStallMaxMilliseconds\":%.3f,\"bytes\":%llu}",
                         r->attach_ms, r->inspector_open_s, r->start_stall_ms, r->stop_stall_ms,
                         r->rotations, sonde_visit_stall_quantile(r, 0.5),
                         sonde_visit_stall_quantile(r, 0.99), sonde_visit_stall_quantile(r, 1),
                         (unsigned long long)r->bytes);
    }
    if (r->loop.measured) {
        sonde_buf_printf(buf,
                         ",\"eventLoop\":{\"utilization\":%.6f,\"delayMeanMilliseconds\":%.3f,"
                         "\"delayP50Milliseconds\":%.3f,\"delayP99Milliseconds\":%.3f,"
                         "\"delayMaxMilliseconds\":%.3f}",
                         r->loop.utilization, r->loop.mean_ms, r->loop.p50_ms, r->loop.p99_ms,
                         r->loop.max_ms);
    }
    sonde_buf_printf(buf, ",\"inspectorWasOpen\":%s,\"inspectorClosed\":%s}",
                     r->was_open ? "true" : "false", r->closed ? "true" : "false");
}

static void judge(struct job *job, const struct sonde_visit_result *result)
{
    struct sonde_run *run = &job->run;
    const struct sonde_err *err = &job->err;
    /* A command of ours that comes to its end has been profiled as far as it went. */
    bool came_to_end = job->own_command && result->artifacts > 0 && err->reason &&
                       strcmp(err->reason, SONDE_REASON_TARGET_EXITED) == 0;
    if (err->code == 0 || came_to_end) {
        run->state = SONDE_RUN_SUCCEEDED;
        run->reason = SONDE_REASON_COMPLETED;
        run->message = came_to_end ? "the command ended before the capture's time was up" : "";
        return;
    }
    run->state = err->code == SONDE_ECANCELLED ? SONDE_RUN_CANCELLED : SONDE_RUN_FAILED;
    run->reason = err->reason                   ? err->reason
                  : err->code == SONDE_ENOSPACE ? SONDE_REASON_STORE_FULL
                                                : SONDE_REASON_INTERNAL;
    run->message = err->message;
}

static void visit_done(void *context, const struct sonde_visit_result *result,
                       const struct sonde_err *err)
{
    struct job *job = context;
    job->err = *err;
    job->result = *result;
    job->visited = true;
    sonde_loop_stop(job->loop);
}

static void commit_failed(void *context, const struct sonde_err *err)
{
    struct job *job = context;
    job->store_err = *err;
    sonde_visit_fail(job->visit, err);
}

static void commits_ended(void *context)
{
    sonde_loop_stop(((struct job *)context)->loop);
}

static void visit_progressed(void *context, const struct sonde_visit_progress *progress)
{
    struct job *job = context;
    progress_show(&job->progress, progress);
}

/* ---- one document ---- */

static int start_visit(struct job *job, struct sonde_err *err)
{
    const struct sonde_profile_run *spec = job->document->profile_run;
    struct sonde_capture_request requests[SONDE_CAPTURES_MAX];
    size_t count = 0;
    for (; count < spec->captures.count && count < SONDE_CAPTURES_MAX; count++) {
        const struct sonde_capture *capture = &spec->captures.items[count];
        requests[count] = (struct sonde_capture_request){
            .name = capture->name,
            .duration_ns = capture->duration_seconds * SONDE_SECOND,
            .window_ns = capture->window_seconds * SONDE_SECOND,
            .sampling_interval_us = capture->sampling_interval_us,
        };
    }
    struct sonde_visit_options options = {
        .loop = job->loop,
        .pid = job->target->process.pid,
        .start_time = job->target->process.start_time,
        .captures = requests,
        .capture_count = count,
        .sink = sink_of_visit(job->sink),
        .deadline_ns = spec->active_deadline_seconds * SONDE_SECOND,
        .context = job,
        .progress = visit_progressed,
        .done = visit_done,
    };
    return sonde_visit_new(&options, &job->visit, err);
}

static int create_run(struct job *job, struct sonde_err *err)
{
    SONDE_BUF_AUTO spec = SONDE_BUF(SONDE_DB_DOCUMENT_MAX);
    sonde_spec_print_json(job->document, &spec);
    int r = sonde_buf_check(&spec, "the document", err);
    if (r < 0) {
        return r;
    }
    sonde_random_uuid(job->run.uid);
    job->run.name = job->document->metadata.name;
    job->run.namespace = job->document->metadata.namespace;
    job->run.kind = "ProfileRun";
    job->run.spec = spec.data;
    job->run.state = SONDE_RUN_RUNNING;
    job->run.created_ns = sonde_clock_realtime();
    r = sonde_db_run_create(job->db, &job->run, err);
    job->run.spec = NULL;
    return r;
}

/* Keeps the source maps and versions that the captures refer to, while the files can be read. */
static void keep_sources(struct job *job)
{
    const struct sonde_profile_run *spec = job->document->profile_run;
    struct sonde_err err;
    for (size_t i = 0; i < spec->captures.count && job->target->root >= 0; i++) {
        const char *capture = spec->captures.items[i].name;
        struct sonde_profile profile = {0};
        SONDE_BUF_AUTO name = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
        int r = store_load_profile(job->db, job->run.uid, capture, &profile, &name, &err);
        if (r == 0) {
            r = store_keep_sources(job->db, job->run.uid, capture, job->target->root, &profile,
                                   &err);
        }
        sonde_profile_fini(&profile);
        (void)r; /* without them the capture is kept all the same, with the engine's places */
    }
}

static int finish_run(struct job *job, struct sonde_err *err)
{
    job->run.status = job->status.data;
    job->run.completed_ns = sonde_clock_realtime();
    int r = sonde_buf_check(&job->status, "the run's status", err);
    /* How it ended is worth some patience with a store that others hold. */
    for (int attempt = 0; r == 0 && attempt < FINISH_ATTEMPTS; attempt++) {
        r = sonde_db_run_update(job->db, &job->run, err);
        if (r != SONDE_EBUSY) {
            return r;
        }
        r = attempt + 1 < FINISH_ATTEMPTS ? 0 : r;
    }
    return r;
}

/* Everything that follows the visit and takes its time. */
static void conclude(void *context)
{
    struct job *job = context;
    keep_sources(job);
    job->reported = finish_run(job, &job->report_err);
    if (job->reported == 0) {
        job->reported = report_print(job->db, job->run.uid, job->json, job->out, &job->report_err);
    }
}

static void concluded(void *context)
{
    struct job *job = context;
    job->concluded = true;
    sonde_loop_stop(job->loop);
}

/* Signals are heard meanwhile. */
static void conclude_off_loop(struct job *job)
{
    if (sonde_loop_work(job->loop, conclude, concluded, job, NULL) < 0) {
        conclude(job);
        return;
    }
    while (!job->concluded) {
        sonde_loop_run(job->loop);
    }
}

/* Says why a run did not end well. */
static void say_failure(const struct job *job)
{
    if (job->run.state != SONDE_RUN_SUCCEEDED) {
        struct sonde_err said = job->err;
        said.reason = job->run.reason;
        (void)cli_say_error(&said);
    }
}

/* From the run's row to the end of the visit and of all commits. */
static int carry_out(struct job *job, struct signals *signals, struct sonde_err *err)
{
    struct sink_options options = {.loop = job->loop,
                                   .db = job->db,
                                   .run_uid = job->run.uid,
                                   .context = job,
                                   .failed = commit_failed,
                                   .idle = commits_ended};
    int r = sink_new(&options, &job->sink, err);
    r = r < 0 ? r : create_run(job, err);
    if (r < 0) {
        return r;
    }
    if (start_visit(job, &job->err) < 0) {
        job->result = (struct sonde_visit_result){.pid = job->target->process.pid};
        return 0;
    }
    signals->job = job;
    while (!job->visited || sink_busy(job->sink)) {
        sonde_loop_run(job->loop);
    }
    signals->job = NULL;
    if (job->store_err.code) {
        job->err = job->store_err;
    }
    return 0;
}

static int run_document(struct job *job, struct signals *signals, struct sonde_err *err)
{
    job->status = SONDE_BUF(SONDE_DB_DOCUMENT_MAX);
    job->progress = progress_new(job->document->metadata.name);
    int r = carry_out(job, signals, err);
    progress_end(&job->progress);
    if (r == 0) {
        write_status(job, &job->result);
        judge(job, &job->result);
        conclude_off_loop(job);
        say_failure(job);
        r = job->reported;
        *err = job->report_err;
    }
    sonde_visit_free(SONDE_TAKE(job->visit));
    sink_free(SONDE_TAKE(job->sink));
    sonde_buf_fini(&job->status);
    return r;
}

/* ---- all documents ---- */

static void on_signal(void *context, int number, bool by_kernel)
{
    struct signals *signals = context;
    if (signals->target->child) {
        if (!by_kernel) { /* a terminal's Ctrl-C reaches the command by itself */
            target_signal(signals->target, number);
        }
        return;
    }
    signals->cancelled = true;
    if (signals->job && signals->job->visit) {
        sonde_visit_cancel(signals->job->visit);
    }
}

/* Only what this version can carry out is begun at all. */
static int check_documents(const char *file, const struct sonde_spec_documents *documents,
                           struct sonde_err *err)
{
    for (size_t i = 0; i < documents->count; i++) {
        const struct sonde_spec_document *document = &documents->items[i];
        if (document->kind != &sonde_kind_profile_run) {
            return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_UNSUPPORTED,
                                     "%s:%d: kind: this version carries out ProfileRun on local "
                                     "processes, not %s",
                                     file, document->line, document->kind->name);
        }
        const struct sonde_profile_run *spec = document->profile_run;
        for (size_t c = 0; c < spec->captures.count; c++) {
            if (spec->captures.items[c].type != SONDE_CAPTURE_CPU_PROFILE) {
                return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_UNSUPPORTED,
                                         "%s:%d: spec.captures[%zu].type: this version captures "
                                         "CPUProfile, not %s",
                                         file, document->line, c,
                                         sonde_capture_types[spec->captures.items[c].type]);
            }
        }
    }
    return 0;
}

static int run_all(struct sonde_db *db, struct sonde_loop *loop, struct target *target,
                   const struct sonde_spec_documents *documents, struct signals *signals, bool json)
{
    int code = SONDE_EXIT_DONE;
    bool any = false;
    SONDE_BUF_AUTO out = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    struct cli_settings to_stdout = {0};
    sonde_buf_text(&out, json ? "{\"runs\":[" : "");
    for (size_t i = 0; i < documents->count && !signals->cancelled; i++) {
        struct sonde_err err;
        struct job job = {.db = db,
                          .loop = loop,
                          .document = &documents->items[i],
                          .target = target,
                          .own_command = target->child != 0,
                          .json = json};
        SONDE_BUF_AUTO reports = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
        job.out = &reports;
        if (run_document(&job, signals, &err) < 0) {
            (void)cli_say_error(&err);
            code = SONDE_EXIT_FAILED;
        } else {
            sonde_buf_text(&out, !any ? "" : json ? "," : "\n");
            sonde_buf_str(&out, sonde_buf_view(&reports));
            any = true;
        }
        code = job.run.state == SONDE_RUN_SUCCEEDED ? code : SONDE_EXIT_FAILED;
    }
    sonde_buf_text(&out, json ? "]}\n" : "");
    int written = cli_write_output(&to_stdout, &out);
    return code ? code : written;
}

static void stop_loop(void *context)
{
    sonde_loop_stop(context);
}

/* Our command goes on after its capture, and its exit code is ours. */
static int wait_for_command(struct sonde_loop *loop, struct target *target, int code)
{
    struct sonde_watch *watch = NULL;
    if (sonde_watch_new(loop, target->child_fd, stop_loop, loop, &watch, NULL) == 0) {
        sonde_loop_run(loop);
        sonde_watch_free(watch);
    }
    int own = target_wait(target);
    return own ? own : code;
}

/* Signals end the run, or are passed on to our own command; one that we were told to ignore (nohup)
 * is ignored as before. */
static int hear_signals(struct sonde_loop *loop, struct signals *signals, bool own_command,
                        struct sonde_signal **ret, struct sonde_err *err)
{
    static const int heard[SIGNALS_MAX] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR2};
    enum { OF_OURS = 3 };
    size_t count = own_command ? SIGNALS_MAX : OF_OURS;
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        struct sigaction now;
        if (sigaction(heard[i], NULL, &now) == 0 && now.sa_handler == SIG_IGN) {
            continue;
        }
        r = sonde_signal_new(loop, heard[i], on_signal, signals, &ret[i], err);
    }
    return r;
}

static int run_on_target(struct cli_call *call, const struct sonde_spec_documents *documents,
                         struct sonde_db *db, struct sonde_loop *loop)
{
    struct sonde_signal *handles[SIGNALS_MAX] = {NULL};
    struct target target = TARGET_NONE;
    struct signals signals = {.target = &target};
    struct sonde_err err;
    int r = hear_signals(loop, &signals, call->arguments.command != NULL, handles, &err);
    r = r < 0 ? r : target_find(call, loop, &target, &err);
    int code = r < 0 ? cli_say_error(&err)
                     : run_all(db, loop, &target, documents, &signals,
                               call->settings.output == CLI_OUTPUT_JSON);
    if (target.child) {
        code = wait_for_command(loop, &target, code);
    }
    for (size_t i = 0; i < SONDE_LENGTH(handles); i++) {
        sonde_signal_free(handles[i]);
    }
    target_fini(&target);
    return code;
}

static int run_text(struct cli_call *call, const char *name, struct sonde_str text)
{
    struct sonde_err err;
    struct sonde_spec_documents documents;
    struct sonde_db *db = NULL;
    struct sonde_loop *loop = NULL;
    int r = sonde_spec_parse(name, text, &documents, &err);
    if (r < 0 && documents.problem_count > 1) {
        for (size_t i = 0; i < documents.problem_count; i++) {
            (void)fprintf(stderr, "sonde: %s\n", documents.problems[i]);
        }
        sonde_spec_documents_fini(&documents);
        return SONDE_EXIT_USAGE;
    }
    r = r < 0 ? r : check_documents(name, &documents, &err);
    /* The store before the target: where nothing can be kept, nothing is touched. */
    int store = r < 0 ? r : store_open(&call->settings, &db, &err);
    store = store < 0 ? store : sonde_loop_new(&loop, &err);
    int code = store < 0 ? cli_say_error(&err) : run_on_target(call, &documents, db, loop);
    if (r == 0 && store < 0) {
        code = SONDE_EXIT_FAILED;
    }
    sonde_loop_free(loop);
    sonde_db_close(db);
    sonde_spec_documents_fini(&documents);
    return code;
}

int cli_run(struct cli_call *call)
{
    struct sonde_err err;
    const char *file = call->arguments.positional[0];
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_DOCUMENT_MAX);
    if (sonde_read_file(AT_FDCWD, file, &text, &err) < 0) {
        (void)cli_say_error(&err);
        return SONDE_EXIT_USAGE;
    }
    return run_text(call, file, sonde_buf_view(&text));
}

int cli_profile(struct cli_call *call)
{
    enum { DEFAULT_SECONDS = 10, LEEWAY_SECONDS = 120 };
    int64_t seconds = (call->settings.duration_ns + SONDE_SECOND - 1) / SONDE_SECOND;
    seconds = seconds ? seconds : DEFAULT_SECONDS;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_DOCUMENT_MAX);
    sonde_buf_printf(&text,
                     "{\"apiVersion\":\"%s\",\"kind\":\"ProfileRun\",\"metadata\":{\"name\":"
                     "\"profile\"},\"spec\":{\"target\":{\"podName\":\"local\"},\"captures\":[{"
                     "\"name\":\"cpu\",\"type\":\"CPUProfile\",\"durationSeconds\":%lld}],"
                     "\"activeDeadlineSeconds\":%lld}}",
                     SONDE_SPEC_API_VERSION, (long long)seconds,
                     (long long)(seconds + LEEWAY_SECONDS));
    return run_text(call, "profile", sonde_buf_view(&text));
}
