/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/load_profile.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/document.h"
#include "codec/json.h"
#include "load/course.h"
#include "spec/artifact.h"

enum {
    NUMBER_SIZE = 24,
    PATIENCE_MS = 60000,
};

/* ---- what it says ---- */

static void copy_text(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from);
}

/* "function file:line", of the file's path its last part. */
static void read_place(const cJSON *finding, struct load_profile_outcome *outcome)
{
    const cJSON *places = cJSON_GetObjectItemCaseSensitive(finding, "where");
    const cJSON *place = cJSON_GetArrayItem(places, 0);
    const cJSON *source = cJSON_GetObjectItemCaseSensitive(place, "source");
    const char *file = sonde_json_string_or(place, "file", "");
    int64_t line = sonde_json_integer_or(place, "line", 0);
    if (cJSON_IsObject(source)) {
        file = sonde_json_string_or(source, "file", file);
        line = sonde_json_integer_or(source, "line", line);
    }
    const char *slash = strrchr(file, '/');
    if (place) {
        (void)snprintf(outcome->where, sizeof(outcome->where), "%.100s %.120s:%lld",
                       sonde_json_string_or(place, "function", ""), slash ? slash + 1 : file,
                       (long long)line);
    }
}

int load_profile_read(struct sonde_str text, struct load_profile_outcome *outcome,
                      struct sonde_err *err)
{
    SONDE_JSON_AUTO *all = NULL;
    const cJSON *runs = NULL;
    const char *uid = NULL;
    int r = sonde_json_parse_up_to(text, SONDE_CLI_OUTPUT_MAX, &all, err);
    r = r < 0 ? r : sonde_json_array(all, "runs", &runs, err);
    const cJSON *run = r < 0 ? NULL : cJSON_GetArrayItem(runs, 0);
    if (r == 0 && !run) {
        return sonde_fail(err, SONDE_EPARSE, 0, "the profile's report has no run");
    }
    r = r < 0 ? r : sonde_json_string(run, "uid", &uid, err);
    if (r < 0) {
        return r;
    }
    copy_text(outcome->uid, sizeof(outcome->uid), uid);
    const cJSON *captures = cJSON_GetObjectItemCaseSensitive(run, "captures");
    const cJSON *capture = cJSON_GetArrayItem(captures, 0);
    const cJSON *findings = cJSON_GetObjectItemCaseSensitive(capture, "findings");
    const cJSON *finding = cJSON_GetArrayItem(findings, 0);
    if (finding) {
        copy_text(outcome->title, sizeof(outcome->title),
                  sonde_json_string_or(finding, "title", ""));
        read_place(finding, outcome);
    }
    return 0;
}

/* ---- the process ---- */

static int make_pipes(struct load_profile *p)
{
    p->in = memfd_create("document", MFD_CLOEXEC);
    p->out = memfd_create("profile", MFD_CLOEXEC);
    p->messages = memfd_create("messages", MFD_CLOEXEC);
    if (p->in < 0 || p->out < 0 || p->messages < 0 ||
        pwrite(p->in, p->document.data, p->document.length, 0) != (ssize_t)p->document.length) {
        return errno ? errno : EIO;
    }
    return 0;
}

static int spawn(struct load_profile *p, char *const *words)
{
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);
    if (code) {
        return code;
    }
    code = posix_spawn_file_actions_adddup2(&actions, p->in, STDIN_FILENO);
    code = code ? code : posix_spawn_file_actions_adddup2(&actions, p->out, STDOUT_FILENO);
    code = code ? code : posix_spawn_file_actions_adddup2(&actions, p->messages, STDERR_FILENO);
    code = code ? code : posix_spawn(&p->child, "/proc/self/exe", &actions, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return code;
}

static void start(struct load_profile *p, int64_t now_ns, int64_t left_ns)
{
    const struct cli_settings *s = p->settings;
    int64_t most_ns = left_ns == INT64_MAX ? p->wanted_ns : left_ns - SONDE_SECOND;
    int64_t seconds = (most_ns < p->wanted_ns ? most_ns : p->wanted_ns) / SONDE_SECOND;
    char duration[NUMBER_SIZE];
    char pid[NUMBER_SIZE];
    (void)snprintf(duration, sizeof(duration), "%llds", (long long)(seconds > 0 ? seconds : 1));
    (void)snprintf(pid, sizeof(pid), "%lld", (long long)s->pid);
    const char *who = s->pid ? "--pid" : "--match";
    const char *which = s->pid ? pid : s->match ? s->match : p->port;
    const char *store = s->store ? "--store" : NULL;
    const char *of_options[] = {"sonde", "profile",    "--output", "json", "--type",
                                p->type, "--duration", duration,   who,    which,
                                store,   s->store,     NULL};
    const char *of_document[] = {"sonde", "run", "/dev/stdin", "--output", "json",
                                 who,     which, store,        s->store,   NULL};
    const char *const *words = p->document.data ? of_document : of_options;
    p->started = true;
    p->outcome.from_ns = now_ns;
    int code = make_pipes(p);
    code = code ? code : spawn(p, (char *const *)(uintptr_t)words);
    if (code) {
        p->child = 0;
        (void)snprintf(p->outcome.failure, sizeof(p->outcome.failure),
                       "a process for it cannot be started: %s", strerror(code));
    }
}

/* All that was written into a memory file. */
static void read_all(int fd, struct sonde_buf *buf)
{
    char piece[16 << 10];
    ssize_t got;
    off_t at = 0;
    while ((got = pread(fd, piece, sizeof(piece), at)) > 0) {
        sonde_buf_append(buf, piece, (size_t)got);
        at += got;
    }
}

/* The last line that it said, without our name before it. */
static void note_failure(struct load_profile *p)
{
    static const char name[] = "sonde: ";
    SONDE_BUF_AUTO said = SONDE_BUF(64 << 10);
    read_all(p->messages, &said);
    struct sonde_str text = sonde_buf_view(&said);
    struct sonde_str found = SONDE_STR("it ended without a word");
    while (text.length) {
        struct sonde_str line = sonde_str_split(&text, '\n');
        found = sonde_str_starts(line, name) ? line : found;
    }
    if (sonde_str_starts(found, name)) {
        found.data += sizeof(name) - 1;
        found.length -= sizeof(name) - 1;
    }
    (void)snprintf(p->outcome.failure, sizeof(p->outcome.failure), "%.*s", SONDE_STR_ARG(found));
}

static void take_outcome(struct load_profile *p, int64_t now_ns)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    p->child = 0;
    p->outcome.to_ns = now_ns;
    read_all(p->out, &text);
    if (text.code || load_profile_read(sonde_buf_view(&text), &p->outcome, NULL) < 0) {
        note_failure(p);
    }
}

static void look(struct load_profile *p, int64_t now_ns)
{
    int status;
    if (p->child && waitpid(p->child, &status, WNOHANG) == p->child) {
        take_outcome(p, now_ns);
    }
}

/* ---- with the load ---- */

/* Seconds that its captures take, one after the other. */
static int64_t seconds_of(const struct sonde_load_profile *wanted)
{
    int64_t sum = 0;
    for (size_t i = 0; i < wanted->captures.count; i++) {
        int64_t seconds = wanted->captures.items[i].duration_seconds;
        sum += seconds > 0 ? seconds : 0;
    }
    return sum;
}

/* The ProfileRun that a LoadTest's profile stands for. */
static int print_document(const struct load_order *order, struct sonde_buf *ret,
                          struct sonde_err *err)
{
    enum { LEEWAY_SECONDS = 120 };
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_DOCUMENT_MAX);
    SONDE_JSON_AUTO *all = NULL;
    sonde_spec_print_json(order->document, &text);
    int r = sonde_buf_check(&text, "the document", err);
    r = r < 0 ? r
              : sonde_json_parse_up_to(sonde_buf_view(&text), SONDE_CLI_DOCUMENT_MAX, &all, err);
    if (r < 0) {
        return r;
    }
    const cJSON *spec = cJSON_GetObjectItemCaseSensitive(all, "spec");
    const cJSON *profile = cJSON_GetObjectItemCaseSensitive(spec, "profile");
    const cJSON *target = cJSON_GetObjectItemCaseSensitive(profile, "target");
    char *captures = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(profile, "captures"));
    char *whom = target ? cJSON_PrintUnformatted(target) : strdup("{\"podName\":\"local\"}");
    if (captures && whom) {
        sonde_buf_printf(ret,
                         "{\"apiVersion\":\"%s\",\"kind\":\"ProfileRun\",\"metadata\":{\"name\":"
                         "\"profile\"},\"spec\":{\"target\":%s,\"captures\":%s,"
                         "\"activeDeadlineSeconds\":%lld}}",
                         SONDE_SPEC_API_VERSION, whom, captures,
                         (long long)(seconds_of(order->test->profile) + LEEWAY_SECONDS));
    } else {
        r = sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    cJSON_free(captures);
    free(whom);
    return r < 0 ? r : sonde_buf_check(ret, "the profile's document", err);
}

static int plan_document(struct load_profile *p, const struct load_order *order,
                         struct sonde_arena *arena, struct sonde_err *err)
{
    const struct sonde_load_profile *wanted = order->test->profile;
    int64_t delay = wanted->delay_seconds;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_DOCUMENT_MAX);
    int r = sonde_captures_check(wanted->captures.items, wanted->captures.count, err);
    r = r < 0 ? r : print_document(order, &text, err);
    if (r < 0) {
        return sonde_err_wrap(err, r, "spec.profile");
    }
    p->document = sonde_arena_copy(arena, sonde_buf_view(&text));
    p->type = wanted->captures.items[0].name;
    p->wanted_ns = seconds_of(wanted) * SONDE_SECOND;
    /* At once is as soon as there is something to see. */
    p->delay_ns = delay == SONDE_SPEC_ABSENT ? 0 : delay ? delay * SONDE_SECOND : 1;
    return p->document.data ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

static int plan_options(struct load_profile *p, const struct cli_load_settings *s,
                        struct sonde_err *err)
{
    enum { DEFAULT_SECONDS = 10 };
    bool known = false;
    for (const char *const *type = document_types; *type; type++) {
        known = known || strcmp(*type, s->profile) == 0;
    }
    p->type = s->profile;
    p->wanted_ns = s->profile_ns ? s->profile_ns : DEFAULT_SECONDS * SONDE_SECOND;
    p->delay_ns = s->profile_delay_ns;
    return known ? 0
                 : sonde_fail(err, SONDE_EINVALID, 0,
                              "--profile %.100s: there is no such type; see sonde profile --help",
                              s->profile);
}

int load_profile_plan(struct load_profile *profile, const struct cli_settings *settings,
                      const struct load_order *order, uint16_t port, struct sonde_arena *arena,
                      struct sonde_err *err)
{
    struct load_profile *p = profile;
    bool wanted = settings->load.profile || order->test->profile;
    p->settings = wanted ? settings : NULL;
    (void)snprintf(p->port, sizeof(p->port), "%u", port);
    return !wanted                ? 0
           : order->test->profile ? plan_document(p, order, arena, err)
                                  : plan_options(p, &settings->load, err);
}

static bool is_due(const struct load_profile *p, int64_t now_ns, int64_t left_ns,
                   const struct sonde_load_intervals *intervals)
{
    enum { LOOK_EACH = 5 }; /* intervals */
    struct sonde_load_steady_verdict verdict = {.state = SONDE_LOAD_TOO_SHORT};
    if (p->delay_ns) {
        return now_ns >= p->delay_ns;
    }
    if (intervals->count % LOOK_EACH == 0 &&
        sonde_load_course_steady(intervals, &verdict, NULL) < 0) {
        verdict.state = SONDE_LOAD_TOO_SHORT;
    }
    return sonde_load_profiled_is_due(now_ns, left_ns, p->wanted_ns, verdict.state);
}

void load_profile_tend(struct load_profile *profile, int64_t now_ns, int64_t seconds,
                       const struct sonde_load_intervals *intervals)
{
    struct load_profile *p = profile;
    if (!p->settings) {
        return;
    }
    int64_t left_ns = seconds ? seconds * SONDE_SECOND - now_ns : INT64_MAX;
    if (!p->started && is_due(p, now_ns, left_ns, intervals)) {
        start(p, now_ns, left_ns);
    }
    look(p, now_ns);
}

/* For a minute at most. */
static void await_end(struct load_profile *p, int64_t now_ns, bool hurry)
{
    if (p->child && hurry) {
        (void)kill(p->child, SIGINT); /* it takes what it has, and leaves the target clean */
    }
    if (p->child) {
        struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, p->child, 0), .events = POLLIN};
        if (ended.fd >= 0) {
            (void)poll(&ended, 1, PATIENCE_MS);
            (void)close(ended.fd);
        }
        look(p, now_ns);
    }
    if (p->child) {
        copy_text(p->outcome.failure, sizeof(p->outcome.failure), "it did not come to its end");
        p->child = 0;
    }
    sonde_closep(&p->in);
    sonde_closep(&p->out);
    sonde_closep(&p->messages);
}

static const char *text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

void load_profile_end(struct load_profile *profile, struct sonde_load_result *result)
{
    struct load_profile *p = profile;
    const struct load_profile_outcome *outcome = &p->outcome;
    if (!p->settings) {
        return;
    }
    await_end(p, result->duration_ns, result->stopped);
    p->told = (struct sonde_load_profiled){
        .type = p->type,
        .run = text_or_null(outcome->uid),
        .from_ns = outcome->from_ns,
        .to_ns = outcome->to_ns,
        .title = text_or_null(outcome->title),
        .where = text_or_null(outcome->where),
        .failure = p->started ? text_or_null(outcome->failure) : "the test ended before it began"};
    if (!p->told.failure && sonde_load_profiled_measure(&p->told, &result->intervals, NULL) < 0) {
        p->told.p99_without_us = 0; /* not known */
    }
    result->profiles = &p->told;
    result->profile_count = 1;
}
