/* SPDX-License-Identifier: Apache-2.0 */
/* How to reach an API server and as whom: kubeconfig files as kubectl reads them, or what a pod
 * finds in its own file system. */
#ifndef SONDE_KUBE_CONFIG_H
#define SONDE_KUBE_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_KUBE_CONFIG_FILES_MAX = 16, /* of the list in KUBECONFIG */
    SONDE_KUBE_PEM_MAX = 256 << 10,   /* bytes of a certificate, key or bundle */
    SONDE_KUBE_URL_MAX = 1024,        /* bytes of the server's or proxy's address */
    SONDE_KUBE_EXEC_WORDS_MAX = 64,   /* arguments, and variables, of an exec plugin */
    SONDE_KUBE_CONFIG_MEMORY_MAX = 2 << 20,
};

/* Where a pod's service account is mounted. */
#define SONDE_KUBE_SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

/* A program that prints credentials (k8s.io/client-go, pkg/apis/clientauthentication). */
struct sonde_kube_exec {
    const char *api_version;        /* "client.authentication.k8s.io/v1" */
    const char *const *arguments;   /* NULL-terminated; the first is the program */
    const char *const *environment; /* "NAME=value", NULL-terminated; added to our own */
    const char *install_hint;       /* what to do when it is not there, or NULL */
    bool provide_cluster_info;
};

/* A PEM text that is in the configuration or in a file (then re-read); or neither. */
struct sonde_kube_pem {
    const char *file;      /* NULL: `data` counts */
    struct sonde_str data; /* length 0: none */
};

/* One context, resolved. All texts live in the arena. */
struct sonde_kube_config {
    struct sonde_arena arena;
    const char *context;         /* its name; "" in a cluster */
    const char *server;          /* "https://10.0.0.1:6443", without a final slash */
    const char *namespace;       /* "default" when none is given */
    const char *tls_server_name; /* NULL: the server's host */
    const char *proxy_url;       /* NULL: none */
    bool insecure;               /* the server's certificate is not checked */
    struct sonde_kube_pem ca;    /* neither: the machine's own bundle */
    struct sonde_kube_pem certificate, key;
    const char *token;                  /* or NULL */
    const char *token_file;             /* or NULL; its content counts more than `token` */
    const struct sonde_kube_exec *exec; /* or NULL */
};

/* A kubeconfig that was read. All borrowed. */
struct sonde_kube_source {
    const char *name;      /* begins messages: the file's path */
    const char *directory; /* relative file names in it are relative to this */
    struct sonde_str text;
};

/* Merges the sources as kubectl does (kubernetes.io, "Organizing Cluster Access Using kubeconfig
 * Files"): a cluster, user or context of a name counts whole from the first source that has it;
 * `context` (NULL or "": current-context of the first source that has one) says which is used.
 * SONDE_ENOTFOUND when the context, its cluster or its user is in none of them; SONDE_EINVALID
 * with file, line and column for what is malformed or would be left out silently (basic
 * authentication, auth-provider, impersonation); SONDE_ELIMIT; SONDE_ENOMEM. The caller frees
 * *ret after success. */
int sonde_kube_config_parse(const struct sonde_kube_source *sources, size_t count,
                            const char *context, struct sonde_kube_config *ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;

/* From the file `path`; when NULL from the files of KUBECONFIG (those that do not exist are left
 * out), else from ~/.kube/config, else as in a cluster. SONDE_ENOTFOUND when there is none of
 * them. Else as sonde_kube_config_parse. */
int sonde_kube_config_load(const char *path, const char *context, struct sonde_kube_config *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* A pod's: `host` and `port` are the values of KUBERNETES_SERVICE_HOST and _PORT (an IPv6 address
 * gets its brackets), `directory` is SONDE_KUBE_SERVICE_ACCOUNT and must hold `token` and
 * `ca.crt`, and may hold `namespace`. SONDE_ENOTFOUND when it is not there. */
int sonde_kube_config_in_cluster(const char *host, const char *port, const char *directory,
                                 struct sonde_kube_config *ret,
                                 struct sonde_err *err) SONDE_MUST_CHECK;

void sonde_kube_config_fini(struct sonde_kube_config *config);

#endif
