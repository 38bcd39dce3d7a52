/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a cluster and to the store in it, as the commands use it: one request after the other.
 */
#ifndef SONDE_CLI_CLUSTER_H
#define SONDE_CLI_CLUSTER_H

#include "cli/cli.h"
#include "kube/informer.h"
#include "loop/loop.h"
#include "spec/kinds.h"

/* A kind of ours, as paths name it. */
struct sonde_kube_resource cluster_resource(const struct sonde_kind *kind);
/* The kind of that name ("LoadTest"); NULL: none of ours. */
const struct sonde_kind *cluster_kind(const char *name);

struct cluster {
    struct sonde_loop *loop;
    struct sonde_kube *kube;
    const char *namespace; /* of the commands; "" with --all-namespaces */
    const char *system_namespace;
    struct sonde_buf token; /* that was asked for, where the kubeconfig has none */
    bool has_token;
    const bool *stop; /* who waits for an answer waits no longer: SONDE_ECANCELLED; may be NULL */
};

/* Reads the kubeconfig. The caller calls cluster_close in any case. */
int cluster_open(const struct cli_settings *settings, struct cluster *ret,
                 struct sonde_err *err) SONDE_MUST_CHECK;
void cluster_close(struct cluster *cluster);

/* One request to the API server; its answer's body is appended to *ret (NULL: left out). */
int cluster_ask(struct cluster *cluster, const char *method, const struct sonde_kube_target *target,
                struct sonde_str body, struct sonde_buf *ret,
                struct sonde_err *err) SONDE_MUST_CHECK;

/* Server-side apply of the object `body` to the target, as this command; its answer is appended to
 * *ret. */
int cluster_apply(struct cluster *cluster, const struct sonde_kube_target *target,
                  struct sonde_str body, struct sonde_buf *ret,
                  struct sonde_err *err) SONDE_MUST_CHECK;

/* Whether a name from the command line may stand in a path of the store; `what` has it:
 * SONDE_EINVALID.
 */
int cluster_check_name(const char *what, const char *name, struct sonde_err *err) SONDE_MUST_CHECK;

/* One request to the store through the API server's service proxy; its answer's body is appended to
 * *ret. `path` begins behind /api/v1/; name and value pairs of `query` end with a NULL, a value
 * that is NULL is left out. Refusals are said in the store's words: SONDE_ENOTFOUND, SONDE_EDENIED
 * … */
int cluster_ask_store(struct cluster *cluster, const char *method, const char *path,
                      const char *const query[], struct sonde_buf *ret,
                      struct sonde_err *err) SONDE_MUST_CHECK;

/* The same as a POST with a body, which takes the right to create services/proxy. */
int cluster_post_store(struct cluster *cluster, const char *path, const char *const query[],
                       struct sonde_str body, struct sonde_buf *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;

/* The same for an answer of any length: each piece of it is given to `take`, with context. Where
 * the store says what is to come, SONDE_EIO at the end when it was anything else. */
int cluster_stream_store(struct cluster *cluster, const char *path, const char *const query[],
                         int (*take)(void *context, const char *data, size_t length,
                                     struct sonde_err *err),
                         void *context, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
