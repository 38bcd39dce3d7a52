/* SPDX-License-Identifier: Apache-2.0 */
/* api_server.js as a child process, and a loop that runs until something is true. */
#ifndef SONDE_TESTS_KUBE_SERVER_H
#define SONDE_TESTS_KUBE_SERVER_H

#include <sys/types.h>

#include "kube/client.h"
#include "loop/loop.h"

struct server {
    char directory[64]; /* with its certificates and the file `valid` */
    pid_t pid;
    int input;
    uint16_t port;
};

/* Starts one with the certificate `name`.pem, in a directory of its own. */
void server_begin(struct server *server, const char *name);
/* Ends it, and removes its directory. */
void server_end(struct server *server);
/* Writes a file into its directory, with these permissions. */
void server_put(const struct server *server, const char *name, const char *text, unsigned mode);

/* A client of a server, and the last answer. */
struct session {
    const struct server *server;
    struct sonde_loop *loop;
    struct sonde_kube *kube;
    struct sonde_timer *tick;
    bool (*until)(void *context);
    void *context;
    int ticks; /* left */
    int done;
    int status;
    struct sonde_buf body; /* of the last answer */
    bool had_object;
    struct sonde_kube_status failure;
    struct sonde_err err;
};

/* kubeconfig text of a cluster with the server's CA and `user` ("{token: x}"); the server's address
 * and the entries of `cluster` (", tls-server-name: x") follow. options may be NULL. */
void session_begin(struct session *session, const struct server *server, const char *user,
                   const char *cluster, const struct sonde_kube_options *options);
void session_end(struct session *session);
/* Runs the loop until `until` is true; fails the test after 20 s. */
void session_run(struct session *session, bool (*until)(void *context), void *context);
/* Options whose callback fills the session. */
struct sonde_kube_request_options session_options(struct session *session, const char *method,
                                                  const char *path, const char *body);
/* Waits for the answer to what was sent with such options, and returns its code. */
int session_wait(struct session *session);
/* Sends, and waits for the answer. Returns its code. */
int session_ask(struct session *session, const char *method, const char *path, const char *body);
/* Tells the server what to do: {"do": …}. */
void session_control(struct session *session, const char *body);
/* What was asked of it since the last time, as text. Borrowed until the next answer. */
const char *session_asked(struct session *session);

#endif
