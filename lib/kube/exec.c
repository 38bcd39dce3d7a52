/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a credential plugin: one program, three descriptors, a deadline. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "kube/credentials.h"

enum { INFO_MAX = 1 << 20, PIECE = 4096, ENVIRONMENT_MAX = 4096 };

extern char **environ;

struct run {
    const char *program;
    pid_t pid;
    int pidfd;
    int pipes[2]; /* our ends of its output and its error output; -1: at the end */
    struct sonde_buf texts[2];
    int64_t deadline;
};

static bool overridden(const char *variable, const char *const *words)
{
    const char *equals = strchr(variable, '=');
    size_t length = equals ? (size_t)(equals - variable) + 1 : strlen(variable);
    for (; *words; words++) {
        struct sonde_str word = sonde_str(*words);
        if (word.length >= length && memcmp(word.data, variable, length) == 0) {
            return true;
        }
    }
    return sonde_str_starts(sonde_str(variable), "KUBERNETES_EXEC_INFO=");
}

/* Our own environment, the plugin's variables, and the information. The array is the caller's. */
static const char **make_environment(const struct sonde_kube_exec *exec, const char *info)
{
    const char **words = calloc(ENVIRONMENT_MAX + SONDE_KUBE_EXEC_WORDS_MAX + 2, sizeof(*words));
    size_t count = 0;
    for (char **at = environ; words && *at && count < ENVIRONMENT_MAX; at++) {
        if (!overridden(*at, exec->environment)) {
            words[count++] = *at;
        }
    }
    for (size_t i = 0; words && exec->environment[i]; i++) {
        words[count++] = exec->environment[i];
    }
    if (words) {
        words[count] = info;
    }
    return words;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t defaults;
    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    int code = posix_spawnattr_setsigmask(attributes, &none);
    code = code ? code : posix_spawnattr_setsigdefault(attributes, &defaults);
    code = code ? code : posix_spawnattr_setpgroup(attributes, 0);
    return code ? code
                : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                           POSIX_SPAWN_SETSIGDEF |
                                                           POSIX_SPAWN_SETPGROUP);
}

/* posix_spawn's arrays are not const, and not written to. */
static char *const *as_words(const char *const *words)
{
    char *const *result;
    memcpy(&result, &words, sizeof(result));
    return result;
}

static int spawn(struct run *run, const struct sonde_kube_exec *exec,
                 const char *const *environment, const int ends[2])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int code = posix_spawn_file_actions_init(&actions);
    if (code) {
        return code;
    }
    code = posix_spawnattr_init(&attributes);
    if (code == 0) {
        code = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        code = code ? code : posix_spawn_file_actions_adddup2(&actions, ends[0], 1);
        code = code ? code : posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
        code = code ? code : set_attributes(&attributes);
        code = code ? code
                    : posix_spawnp(&run->pid, exec->arguments[0], &actions, &attributes,
                                   as_words(exec->arguments), as_words(environment));
        run->pid = code ? 0 : run->pid; /* not defined after a failure */
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return code;
}

static int start(struct run *run, const struct sonde_kube_exec *exec, const char *info,
                 struct sonde_err *err)
{
    int out[2] = {-1, -1};
    int errors[2] = {-1, -1};
    SONDE_FREE const char **environment = make_environment(exec, info);
    if (!environment) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "credential plugin: out of memory");
    }
    int code = pipe2(out, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0 ? errno : 0;
    run->pipes[0] = out[0];
    run->pipes[1] = errors[0];
    if (code == 0) {
        code = spawn(run, exec, environment, (const int[]){out[1], errors[1]});
    }
    sonde_closep(&out[1]);
    sonde_closep(&errors[1]);
    if (code == 0) {
        run->pidfd = pidfd_open(run->pid, 0);
        code = run->pidfd < 0 ? errno : 0;
    }
    if (code) {
        return sonde_fail(err, SONDE_EIO, code, "the credential plugin %.100s%s%.200s",
                          run->program, exec->install_hint ? ": " : "",
                          exec->install_hint ? exec->install_hint : "");
    }
    return 0;
}

/* One read of a pipe. Error output beyond its maximum is read and left out. */
static int take(struct run *run, int which, struct sonde_err *err)
{
    char piece[PIECE];
    ssize_t length = read(run->pipes[which], piece, sizeof(piece));
    if (length < 0 && (errno == EINTR || errno == EAGAIN)) {
        return 0;
    }
    if (length <= 0) {
        sonde_closep(&run->pipes[which]);
        run->pipes[which] = -1;
        return 0;
    }
    sonde_buf_append(&run->texts[which], piece, (size_t)length);
    if (which == 0) {
        return sonde_buf_check(&run->texts[0], "what the credential plugin prints", err);
    }
    return 0;
}

/* Until it has ended, or the deadline. */
static int follow(struct run *run, struct sonde_err *err)
{
    for (bool ended = false; !ended;) {
        struct pollfd fds[] = {
            {run->pidfd, POLLIN, 0}, {run->pipes[0], POLLIN, 0}, {run->pipes[1], POLLIN, 0}};
        int64_t left = run->deadline - sonde_clock_monotonic();
        int ready = left <= 0 ? 0 : poll(fds, 3, (int)(left / SONDE_MILLISECOND) + 1);
        if (ready == 0) {
            return sonde_fail(err, SONDE_ETIMEOUT, 0,
                              "the credential plugin %.100s did not end in time", run->program);
        }
        ended = ready > 0 && fds[0].revents;
        for (int i = 0; i < 2; i++) {
            if (ready > 0 && fds[i + 1].revents) {
                int code = take(run, i, err);
                ended = ended && run->pipes[i] < 0;
                if (code < 0) {
                    return code;
                }
            }
        }
    }
    return 0;
}

/* What is still in the pipes; a child of the plugin may hold them open, and is not waited for. */
static int drain(struct run *run, struct sonde_err *err)
{
    for (int i = 0; i < 2; i++) {
        struct pollfd fd = {run->pipes[i], POLLIN, 0};
        while (run->pipes[i] >= 0 && poll(&fd, 1, 0) > 0) {
            int code = take(run, i, err);
            if (code < 0) {
                return code;
            }
        }
    }
    return 0;
}

static int reap(struct run *run, bool kill_it, struct sonde_err *err)
{
    int status = 0;
    if (run->pid <= 0) {
        return 0;
    }
    if (kill_it) {
        (void)kill(-run->pid, SIGKILL); /* the group that was made for it */
    }
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR) {
    }
    run->pid = 0;
    if (!kill_it && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        struct sonde_str said = sonde_str_trim(sonde_buf_view(&run->texts[1]));
        return sonde_fail(err, SONDE_EDENIED, 0, "the credential plugin %.100s failed%s%.*s",
                          run->program, said.length ? ": " : "",
                          (int)(said.length < 300 ? said.length : 300), said.data ? said.data : "");
    }
    return 0;
}

int sonde_kube_exec_run(const struct sonde_kube_config *config, int64_t timeout_ns,
                        struct sonde_kube_credentials *ret, struct sonde_err *err)
{
    const struct sonde_kube_exec *exec = config->exec;
    struct run run = {
        .program = exec->arguments[0],
        .pidfd = -1,
        .pipes = {-1, -1},
        .texts = {SONDE_BUF(SONDE_KUBE_EXEC_OUTPUT_MAX), SONDE_BUF(SONDE_KUBE_EXEC_ERRORS_MAX)},
        .deadline = sonde_clock_monotonic() + timeout_ns,
    };
    SONDE_BUF_AUTO info = SONDE_BUF(INFO_MAX);
    sonde_buf_text(&info, "KUBERNETES_EXEC_INFO=");
    sonde_kube_exec_info(config, sonde_buf_view(&ret->ca), &info);
    int code = sonde_buf_check(&info, "KUBERNETES_EXEC_INFO", err);
    code = code ? code : start(&run, exec, info.data, err);
    code = code ? code : follow(&run, err);
    code = code ? code : drain(&run, err);
    int ended = reap(&run, code < 0, code < 0 ? NULL : err);
    code = code ? code : ended;
    if (code == 0) {
        code = sonde_kube_exec_answer(sonde_buf_view(&run.texts[0]), exec->api_version, ret, err);
    }
    sonde_closep(&run.pidfd);
    sonde_closep(&run.pipes[0]);
    sonde_closep(&run.pipes[1]);
    if (run.texts[0].data) {
        explicit_bzero(run.texts[0].data, run.texts[0].capacity);
    }
    sonde_buf_fini(&run.texts[0]);
    sonde_buf_fini(&run.texts[1]);
    return code;
}
