/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde run` and `sonde profile`: documents carried out on a local process, one after the other.
 */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/check.h"
#include "cli/document.h"
#include "cli/load_run.h"
#include "cli/progress.h"
#include "cli/sink.h"
#include "cli/store.h"
#include "cli/target.h"
#include "load/engine.h"
#include "results/results.h"
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

#define LOAD(member) offsetof(struct cli_settings, load.member)

#define LOAD_OPTIONS                                                                               \
    {"workers",                                                                                    \
     SONDE_OPTION_NUMBER,                                                                          \
     LOAD(threads),                                                                                \
     1,                                                                                            \
     SONDE_LOAD_THREADS_MAX,                                                                       \
     .argument = "N",                                                                              \
     .help = "of a LoadTest: threads that send (default: 1)",                                      \
     .letter = 'w'},                                                                               \
        {"headers",                                                                                \
         SONDE_OPTION_STRINGS,                                                                     \
         LOAD(headers),                                                                            \
         .argument = "NAME=VALUE",                                                                 \
         .help = "… a header field, as in place of a Secret; several times",                       \
         .letter = 'H'},                                                                           \
        {"ca", SONDE_OPTION_STRINGS, LOAD(authorities), .argument = "FILE",                        \
         .help = "… authorities that are trusted (PEM; default: the system's); several times"},    \
        {"cert", SONDE_OPTION_STRING, LOAD(certificate), .argument = "FILE",                       \
         .help = "… our own certificate (PEM)"},                                                   \
        {"key", SONDE_OPTION_STRING, LOAD(key), .argument = "FILE", .help = "… and its key"},      \
        {"no-store", SONDE_OPTION_FLAG, LOAD(no_store), .help = "… do not keep the results"},      \
        {"no-progress", SONDE_OPTION_FLAG, LOAD(quiet), .help = "… say nothing meanwhile"}

const struct sonde_option cli_run_options[] = {
    {"name", SONDE_OPTION_STRING, offsetof(struct cli_settings, name), .argument = "NAME",
     .help =
         "what the run is called (default: as the document); in a cluster its series, with five "
         "letters behind it"},
    TARGET_OPTIONS,
    LOAD_OPTIONS,
    CLI_CHECK_OPTIONS,
    {0},
};

/* Of a run in a cluster only the name. */
const struct sonde_option cli_rerun_options[] = {
    {"name", SONDE_OPTION_STRING, offsetof(struct cli_settings, name), .argument = "NAME",
     .help = "of the new one (default: the old name, in a cluster with five letters behind it)"},
    TARGET_OPTIONS,
    LOAD_OPTIONS,
    CLI_CHECK_OPTIONS,
    {0},
};

const struct sonde_option cli_profile_options[] = {
    {"duration", SONDE_OPTION_DURATION, offsetof(struct cli_settings, duration_ns), DURATION_MIN,
     DURATION_MAX, .argument = "TIME", .help = "how long (default: 10s)"},
    {"type", SONDE_OPTION_CHOICE, offsetof(struct cli_settings, type), .choices = document_types,
     .argument = "TYPE",
     .help = "cpu (default), heap (what lives, by who allocated it), allocations (what was freed, "
             "too), snapshot (what is in memory), timeline (what lives, by when), coverage, "
             "eventloop or report"},
    {"workers", SONDE_OPTION_CHOICE, offsetof(struct cli_settings, workers),
     .choices = document_workers, .argument = "main|all",
     .help = "whether worker threads are captured as well as the main thread"},
    {"children", SONDE_OPTION_FLAG, offsetof(struct cli_settings, children),
     .help = "child processes and cluster workers, too, each in turn"},
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
    const struct sonde_process *process; /* the one that is visited, of one or several */
    size_t process_count;
    struct sonde_visit *visit;
    struct sonde_visit_result result;           /* borrowed from the visit */
    size_t artifacts;                           /* of all visits */
    struct sonde_buf waits[SONDE_CAPTURES_MAX]; /* when worker threads did, of each capture */
    struct sonde_buf processes; /* what each visit was: JSON objects, with commas between */
    struct sonde_err err;       /* the first thing that went wrong */
    struct sonde_err store_err; /* the first failure of a commit */
    struct sonde_buf status;
    int64_t deadline_ns; /* monotonic, of all visits */
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

/* Of a visit that has ended, while what it found is there. */
static void note_visit(struct job *job)
{
    const struct sonde_visit_result *r = &job->result;
    if (job->status.length == 0) {
        sonde_buf_printf(&job->status, "{\"target\":\"process %d", (int)r->pid);
        if (job->process_count > 1) {
            sonde_buf_printf(&job->status, " and %zu more", job->process_count - 1);
        }
        sonde_buf_text(&job->status, "\",");
        sonde_visit_print(r, &job->status);
    }
    sonde_buf_text(&job->processes, job->processes.length ? ",{" : "{");
    sonde_visit_print(r, &job->processes);
    sonde_buf_char(&job->processes, '}');
    job->artifacts += r->artifacts;
}

/* Of a visit that has ended, too. What there is no memory for is not known. */
static void note_waits(struct job *job)
{
    const struct sonde_profile_run *spec = job->document->profile_run;
    pid_t pid = job->process_count > 1 ? job->process->pid : 0;
    for (size_t i = 0; i < spec->captures.count && i < SONDE_CAPTURES_MAX; i++) {
        const char *capture = spec->captures.items[i].name;
        if (sonde_visit_print_waits(job->visit, capture, pid, &job->waits[i], NULL) < 0) {
            sonde_buf_clear(&job->waits[i]);
        }
    }
}

static void write_status(struct job *job)
{
    if (job->process_count > 1) {
        sonde_buf_text(&job->status, ",\"processes\":[");
        sonde_buf_str(&job->status, sonde_buf_view(&job->processes));
        sonde_buf_char(&job->status, ']');
    }
    sonde_buf_char(&job->status, '}');
}

static bool has_ended(const struct sonde_err *err)
{
    return err->reason && strcmp(err->reason, SONDE_REASON_TARGET_EXITED) == 0;
}

static void judge(struct job *job)
{
    struct sonde_run *run = &job->run;
    const struct sonde_err *err = &job->err;
    /* A command of ours that comes to its end has been profiled as far as it went. */
    bool came_to_end = job->own_command && job->artifacts > 0 && has_ended(err);
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
    job->err = job->err.code ? job->err : *err;
    job->result = *result;
    job->visited = true;
    sonde_loop_stop(job->loop);
}

static void commit_failed(void *context, const struct sonde_err *err)
{
    struct job *job = context;
    job->store_err = *err;
    if (job->visit) {
        sonde_visit_fail(job->visit, err);
    }
}

static void sink_has_room(void *context)
{
    struct job *job = context;
    if (job->visit) {
        sonde_visit_resume(job->visit);
    }
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
    struct sonde_visit_options options = {
        .loop = job->loop,
        .pid = job->process->pid,
        .start_time = job->process->start_time,
        .captures = requests,
        .capture_count = sonde_capture_requests(spec, requests),
        .all_threads = spec->target->worker_threads == SONDE_WORKERS_ALL,
        .sink = sink_of_visit(job->sink),
        .deadline_ns = job->deadline_ns - sonde_clock_monotonic(),
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
        int r = store_find_sources(job->db, job->run.uid, capture, job->target->root,
                                   sonde_buf_view(&job->waits[i]), &err);
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
        const struct sonde_results_request request = {.format = job->json ? SONDE_RESULTS_JSON
                                                                          : SONDE_RESULTS_TEXT,
                                                      .heap_bytes_max = store_heap_bytes()};
        job->reported =
            sonde_results_report(job->db, job->run.uid, &request, job->out, &job->report_err);
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

/* From the signal to the last commit. */
static void visit(struct job *job, const struct sonde_process *process, struct signals *signals)
{
    job->process = process;
    job->visited = false;
    sink_of_process(job->sink, job->process_count > 1 ? process->pid : 0);
    if (start_visit(job, &job->err) < 0) {
        job->result = (struct sonde_visit_result){.pid = process->pid};
        note_visit(job);
        return;
    }
    signals->job = job;
    while (!job->visited || sink_busy(job->sink)) {
        sonde_loop_run(job->loop);
    }
    signals->job = NULL;
    note_visit(job);
    note_waits(job);
    sonde_visit_free(SONDE_TAKE(job->visit));
}

/* One after the other: inspectors want the same port. One of several may end meanwhile. */
static void visit_all(struct job *job, struct signals *signals)
{
    const struct sonde_process_list *family = &job->target->family;
    const struct sonde_process *processes = family->count ? family->items : &job->target->process;
    struct sonde_err ended = {0};
    job->process_count = family->count ? family->count : 1;
    for (size_t i = 0; i < job->process_count; i++) {
        visit(job, &processes[i], signals);
        if (job->process_count > 1 && has_ended(&job->err)) {
            ended = job->err;
            job->err = (struct sonde_err){0};
        }
        if (job->err.code || job->store_err.code || signals->cancelled) {
            break;
        }
    }
    if (job->artifacts == 0 && !job->err.code) {
        job->err = ended;
    }
    if (job->store_err.code) {
        job->err = job->store_err;
    }
}

/* From the run's row to the end of all visits and commits. */
static int carry_out(struct job *job, struct signals *signals, struct sonde_err *err)
{
    const struct sonde_profile_run *spec = job->document->profile_run;
    struct sink_options options = {.loop = job->loop,
                                   .db = job->db,
                                   .run_uid = job->run.uid,
                                   .context = job,
                                   .max_bytes = spec->max_bytes,
                                   .failed = commit_failed,
                                   .idle = commits_ended,
                                   .resume = sink_has_room};
    job->deadline_ns = sonde_clock_monotonic() + spec->active_deadline_seconds * SONDE_SECOND;
    bool family = spec->target->child_processes == SONDE_CHILDREN_INCLUDE;
    sonde_process_list_fini(&job->target->family);
    int r = family ? target_find_family(job->target, err) : 0;
    r = r < 0 ? r : sink_new(&options, &job->sink, err);
    r = r < 0 ? r : create_run(job, err);
    if (r == 0) {
        visit_all(job, signals);
    }
    return r;
}

static int run_document(struct job *job, struct signals *signals, struct sonde_err *err)
{
    job->status = SONDE_BUF(SONDE_DB_DOCUMENT_MAX);
    job->processes = SONDE_BUF(SONDE_DB_DOCUMENT_MAX / 2);
    for (size_t i = 0; i < SONDE_LENGTH(job->waits); i++) {
        job->waits[i] = SONDE_BUF(SONDE_CONTEXT_WAITS_MAX);
    }
    job->progress = progress_new(job->document->metadata.name);
    int r = carry_out(job, signals, err);
    progress_end(&job->progress);
    if (r == 0) {
        write_status(job);
        judge(job);
        conclude_off_loop(job);
        say_failure(job);
        r = job->reported;
        *err = job->report_err;
    }
    sink_free(SONDE_TAKE(job->sink));
    sonde_buf_fini(&job->status);
    sonde_buf_fini(&job->processes);
    for (size_t i = 0; i < SONDE_LENGTH(job->waits); i++) {
        sonde_buf_fini(&job->waits[i]);
    }
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
                                     "%s:%d: kind: ProfileRun and LoadTest are carried out here, "
                                     "not %s",
                                     file, document->line, document->kind->name);
        }
        const struct sonde_profile_run *spec = document->profile_run;
        int r = sonde_captures_check(spec->captures.items, spec->captures.count, err);
        if (r < 0) {
            return sonde_err_wrap(err, r, "%s:%d", file, document->line);
        }
    }
    return 0;
}

static int run_all(struct sonde_db *db, struct sonde_loop *loop, struct target *target,
                   const struct sonde_spec_documents *documents, struct signals *signals, bool json,
                   const struct check *check)
{
    int code = SONDE_EXIT_DONE;
    bool any = false;
    SONDE_BUF_AUTO out = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    struct cli_settings to_stdout = {0};
    sonde_buf_text(&out, json ? "{\"runs\":[" : "");
    size_t done = 0;
    for (; done < documents->count && !signals->cancelled; done++) {
        struct sonde_err err;
        struct job job = {.db = db,
                          .loop = loop,
                          .document = &documents->items[done],
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
        code = job.run.state == SONDE_RUN_SUCCEEDED ? check_run(check, job.run.uid, code)
                                                    : SONDE_EXIT_FAILED;
    }
    sonde_buf_text(&out, json ? "]}\n" : "");
    int written = cli_write_output(&to_stdout, &out);
    code = document_say_left(documents, done, code);
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
                         struct sonde_db *db, struct sonde_loop *loop, const struct check *check)
{
    struct sonde_signal *handles[SIGNALS_MAX] = {NULL};
    struct target target = TARGET_NONE;
    struct signals signals = {.target = &target};
    struct sonde_err err;
    int r = hear_signals(loop, &signals, call->arguments.command != NULL, handles, &err);
    bool family = false;
    for (size_t i = 0; i < documents->count; i++) {
        const struct sonde_profile_target *wanted = documents->items[i].profile_run->target;
        family = family || wanted->child_processes == SONDE_CHILDREN_INCLUDE;
    }
    r = r < 0 ? r : target_find(call, loop, family, &target, &err);
    int code = r < 0 ? cli_say_error(&err)
                     : run_all(db, loop, &target, documents, &signals,
                               call->settings.output == CLI_OUTPUT_JSON, check);
    if (target.child) {
        code = wait_for_command(loop, &target, code);
    }
    for (size_t i = 0; i < SONDE_LENGTH(handles); i++) {
        sonde_signal_free(handles[i]);
    }
    target_fini(&target);
    return code;
}

static int run_documents(struct cli_call *call, const char *name,
                         const struct sonde_spec_documents *documents)
{
    struct sonde_err err;
    struct sonde_db *db = NULL;
    struct sonde_loop *loop = NULL;
    struct check check;
    int r = check_begin(&call->settings, &check, &err);
    r = r < 0 ? r : check_documents(name, documents, &err);
    /* The store before the target: where nothing can be kept, nothing is touched. */
    int store = r < 0 ? r : store_open(&call->settings, &db, &err);
    store = store < 0 ? store : sonde_loop_new(&loop, &err);
    int code = store < 0 ? cli_say_error(&err) : run_on_target(call, documents, db, loop, &check);
    if (r == 0 && store < 0) {
        code = SONDE_EXIT_FAILED;
    }
    sonde_loop_free(loop);
    sonde_db_close(db);
    check_fini(&check);
    return code;
}

static bool any_load_test(const struct sonde_spec_documents *documents)
{
    bool any = false;
    for (size_t i = 0; i < documents->count; i++) {
        any = any || documents->items[i].kind == &sonde_kind_load_test;
    }
    return any;
}

int cli_run(struct cli_call *call)
{
    struct sonde_spec_documents documents = {0};
    const char *file = call->arguments.positional[0];
    const char *name = call->settings.name;
    struct sonde_err err;
    int code = document_read(file, &documents);
    if (code == 0 && name) {
        int r = store_check_name(name, &err);
        r = r < 0 ? r : document_check_single(&documents, &err);
        code = r < 0 ? cli_say_error(&err) : code;
        documents.items[0].metadata.name = name;
    }
    code = code                        ? code
           : any_load_test(&documents) ? load_documents_run(call, file, &documents)
                                       : run_documents(call, file, &documents);
    sonde_spec_documents_fini(&documents);
    return code;
}

/* ---- once more ---- */

static int copy_spec(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct sonde_buf *text = context;
    sonde_buf_text(text, run->spec);
    return sonde_buf_check(text, "the run's document", err);
}

/* What the run of that name was made of. */
static int read_kept(const struct cli_call *call, struct sonde_buf *text, struct sonde_err *err)
{
    struct sonde_db *db = NULL;
    char uid[SONDE_UUID_SIZE];
    const char *run = call->arguments.positional[0];
    int r = store_open(&call->settings, &db, err);
    r = r < 0 ? r : sonde_db_run_resolve(db, run, NULL, uid, err);
    r = r < 0 ? r : sonde_db_run_get(db, uid, copy_spec, text, err);
    sonde_db_close(db);
    if (r == 0 && strncmp(text->data, "{\"apiVersion\"", sizeof("{\"apiVersion\"") - 1) != 0) {
        r = sonde_fail(err, SONDE_EINVALID, 0,
                       "%.200s was made by options, of which no document is kept: give them again",
                       run);
    }
    return r;
}

int cli_rerun(struct cli_call *call)
{
    struct sonde_err err;
    struct sonde_spec_documents documents = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_DB_DOCUMENT_MAX);
    const char *name = call->settings.name;
    int r = name ? store_check_name(name, &err) : 0;
    r = r < 0 ? r : read_kept(call, &text, &err);
    if (r < 0) {
        return cli_say_error(&err);
    }
    const char *run = call->arguments.positional[0];
    int code = document_parse(run, sonde_buf_view(&text), &documents);
    if (code == 0 && name) {
        documents.items[0].metadata.name = name;
    }
    code = code                        ? code
           : any_load_test(&documents) ? load_documents_run(call, run, &documents)
                                       : run_documents(call, run, &documents);
    sonde_spec_documents_fini(&documents);
    return code;
}

int cli_profile(struct cli_call *call)
{
    /* Of many processes there is time for that many in turn. */
    enum { DEFAULT_SECONDS = 10, LEEWAY_SECONDS = 120, CHILDREN_TIMES = 23 };
    int64_t seconds = (call->settings.duration_ns + SONDE_SECOND - 1) / SONDE_SECOND;
    int64_t processes = call->settings.children ? CHILDREN_TIMES : 1;
    seconds = seconds ? seconds : DEFAULT_SECONDS;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_DOCUMENT_MAX);
    sonde_buf_printf(&text,
                     "{\"apiVersion\":\"%s\",\"kind\":\"ProfileRun\",\"metadata\":{\"name\":"
                     "\"profile\"},\"spec\":{\"target\":{\"podName\":\"local\"",
                     SONDE_SPEC_API_VERSION);
    document_print_target(&call->settings, &text);
    sonde_buf_text(&text, "},\"captures\":[");
    document_print_capture(&call->settings, seconds, &text);
    sonde_buf_printf(&text, "],\"activeDeadlineSeconds\":%lld}}",
                     (long long)(seconds * processes + LEEWAY_SECONDS));
    struct sonde_spec_documents documents = {0};
    if (call->arguments.count) {
        struct sonde_err err;
        (void)sonde_fail(&err, SONDE_EINVALID, 0,
                         "%.200s: on this machine give --pid, --match or -- COMMAND; in a cluster "
                         "--cluster, too (or call it kubectl sonde)",
                         call->arguments.positional[0]);
        return cli_say_error(&err);
    }
    int code = document_parse("profile", sonde_buf_view(&text), &documents);
    code = code ? code : run_documents(call, "profile", &documents);
    sonde_spec_documents_fini(&documents);
    return code;
}
