/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/load_profile.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
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
    p->out = memfd_create("profile", MFD_CLOEXEC);
    p->messages = memfd_create("messages", MFD_CLOEXEC);
    return p->out < 0 || p->messages < 0 ? errno : 0;
}

static int spawn(struct load_profile *p, char *const *words)
{
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);
    if (code) {
        return code;
    }
    code = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
    code = code ? code : posix_spawn_file_actions_adddup2(&actions, p->out, STDOUT_FILENO);
    code = code ? code : posix_spawn_file_actions_adddup2(&actions, p->messages, STDERR_FILENO);
    code = code ? code : posix_spawn(&p->child, "/proc/self/exe", &actions, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return code;
}

static int64_t or_else(int64_t given, int64_t otherwise)
{
    return given ? given : otherwise;
}

static int64_t length_of(const struct load_profile *p)
{
    enum { DEFAULT_SECONDS = 10 };
    return or_else(p->settings->load.profile_ns, DEFAULT_SECONDS * SONDE_SECOND);
}

static void start(struct load_profile *p, int64_t now_ns, int64_t left_ns)
{
    const struct cli_settings *s = p->settings;
    int64_t wanted_ns = length_of(p);
    int64_t most_ns = left_ns == INT64_MAX ? wanted_ns : left_ns - SONDE_SECOND;
    int64_t seconds = (most_ns < wanted_ns ? most_ns : wanted_ns) / SONDE_SECOND;
    char duration[NUMBER_SIZE];
    char pid[NUMBER_SIZE];
    (void)snprintf(duration, sizeof(duration), "%llds", (long long)(seconds > 0 ? seconds : 1));
    (void)snprintf(pid, sizeof(pid), "%lld", (long long)s->pid);
    const char *words[] = {"sonde",
                           "profile",
                           "--output",
                           "json",
                           "--type",
                           s->load.profile,
                           "--duration",
                           duration,
                           s->pid ? "--pid" : "--match",
                           s->pid     ? pid
                           : s->match ? s->match
                                      : p->port,
                           s->store ? "--store" : NULL,
                           s->store,
                           NULL};
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

int load_profile_plan(struct load_profile *profile, const struct cli_settings *settings,
                      uint16_t port, struct sonde_err *err)
{
    const char *wanted = settings->load.profile;
    bool known = false;
    for (const char *const *type = document_types; *type && wanted; type++) {
        known = known || strcmp(*type, wanted) == 0;
    }
    if (wanted && !known) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "--profile %.100s: there is no such type; see sonde profile --help",
                          wanted);
    }
    profile->settings = wanted ? settings : NULL;
    (void)snprintf(profile->port, sizeof(profile->port), "%u", port);
    return 0;
}

static bool is_due(const struct load_profile *p, int64_t now_ns, int64_t left_ns,
                   const struct sonde_load_intervals *intervals)
{
    enum { LOOK_EACH = 5 }; /* intervals */
    int64_t delay_ns = p->settings->load.profile_delay_ns;
    struct sonde_load_steady_verdict verdict = {.state = SONDE_LOAD_TOO_SHORT};
    if (delay_ns) {
        return now_ns >= delay_ns;
    }
    if (intervals->count % LOOK_EACH == 0 &&
        sonde_load_course_steady(intervals, &verdict, NULL) < 0) {
        verdict.state = SONDE_LOAD_TOO_SHORT;
    }
    return sonde_load_profiled_is_due(now_ns, left_ns, length_of(p), verdict.state);
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
        .type = p->settings->load.profile,
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
