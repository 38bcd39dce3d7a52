/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"

enum { TICK_MS = 5, TICKS_MAX = 20 * 1000 / TICK_MS };

extern char **environ;

void server_begin(struct server *server, const char *name)
{
    int in[2];
    int out[2];
    posix_spawn_file_actions_t actions;
    (void)snprintf(server->directory, sizeof(server->directory), "/tmp/sonde-kube-XXXXXX");
    assert_non_null(mkdtemp(server->directory));
    char *const words[] = {(char[]){"node"}, (char[]){"tests/unit/kube/api_server.js"},
                           server->directory, strdup(name), NULL};
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in[0], 0), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], 1), 0);
    assert_int_equal(posix_spawnp(&server->pid, "node", &actions, NULL, words, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    free(words[3]);
    (void)close(in[0]);
    (void)close(out[1]);
    server->input = in[1];
    SONDE_BUF_AUTO line = SONDE_BUF(64);
    char byte;
    while (read(out[0], &byte, 1) == 1 && byte != '\n') {
        sonde_buf_char(&line, byte);
    }
    (void)close(out[0]);
    uint64_t port = 0;
    assert_int_equal(sonde_parse_u64(sonde_buf_view(&line), 1, UINT16_MAX, &port), 0);
    server->port = (uint16_t)port;
}

void server_put(const struct server *server, const char *name, const char *text, unsigned mode)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/%s", server->directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(sonde_write_all(fd, text, strlen(text), path, NULL), 0);
    (void)close(fd);
}

void server_end(struct server *server)
{
    (void)close(server->input);
    int status;
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    DIR *directory = opendir(server->directory);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        if (entry->d_name[0] != '.') {
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    (void)closedir(directory);
    assert_int_equal(rmdir(server->directory), 0);
}

static void ticked(void *context)
{
    struct session *s = context;
    if (s->until(s->context) || --s->ticks <= 0) {
        sonde_loop_stop(s->loop);
    }
}

void session_begin(struct session *session, const struct server *server, const char *user,
                   const char *cluster, const struct sonde_kube_options *options)
{
    *session = (struct session){.server = server, .body = SONDE_BUF(1 << 22)};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    sonde_buf_printf(&text,
                     "current-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n"
                     "clusters: [{name: x, cluster: {server: 'https://127.0.0.1:%u'%s}}]\n"
                     "users: [{name: x, user: %s}]\n",
                     server->port, cluster, user);
    const struct sonde_kube_source source = {"test", server->directory, sonde_buf_view(&text)};
    struct sonde_kube_config config;
    struct sonde_err err = {0};
    int code = sonde_kube_config_parse(&source, 1, NULL, &config, &err);
    if (code < 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(sonde_loop_new(&session->loop, NULL), 0);
    assert_int_equal(sonde_timer_new(session->loop, ticked, session, &session->tick, NULL), 0);
    assert_int_equal(sonde_kube_new(session->loop, &config, options, &session->kube, NULL), 0);
    assert_null(config.server);
}

void session_end(struct session *session)
{
    sonde_kube_free(session->kube);
    sonde_timer_free(session->tick);
    sonde_loop_free(session->loop);
    sonde_buf_fini(&session->body);
}

void session_run(struct session *session, bool (*until)(void *context), void *context)
{
    session->until = until;
    session->context = context;
    session->ticks = TICKS_MAX;
    sonde_timer_start(session->tick, 0, TICK_MS * SONDE_MILLISECOND);
    sonde_loop_run(session->loop);
    sonde_timer_stop(session->tick);
    assert_true(session->ticks > 0);
}

static void answered(void *context, const struct sonde_kube_response *response,
                     const struct sonde_err *err)
{
    struct session *s = context;
    s->done++;
    s->status = response->status;
    s->failure = response->failure;
    s->err = *err;
    s->had_object = response->object != NULL;
    sonde_buf_clear(&s->body);
    sonde_buf_str(&s->body, response->body);
}

struct sonde_kube_request_options session_options(struct session *session, const char *method,
                                                  const char *path, const char *body)
{
    return (struct sonde_kube_request_options){.method = method,
                                               .path = sonde_str(path),
                                               .body = sonde_str(body),
                                               .context = session,
                                               .done = answered};
}

static bool is_done(void *context)
{
    const struct session *s = context;
    return s->done > 0;
}

int session_wait(struct session *session)
{
    session->done = 0;
    session_run(session, is_done, session);
    assert_int_equal(session->done, 1);
    return session->err.code;
}

int session_ask(struct session *session, const char *method, const char *path, const char *body)
{
    struct sonde_kube_request_options options = session_options(session, method, path, body);
    session->done = 0;
    assert_int_equal(sonde_kube_send(session->kube, &options, NULL, NULL), 0);
    assert_int_equal(session->done, 0);
    return session_wait(session);
}

void session_control(struct session *session, const char *body)
{
    assert_int_equal(session_ask(session, "POST", "/control", body), 0);
}

const char *session_asked(struct session *session)
{
    assert_int_equal(session_ask(session, NULL, "/control", NULL), 0);
    return session->body.data;
}
