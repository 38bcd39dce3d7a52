/* SPDX-License-Identifier: Apache-2.0 */
/* The secrets of a configuration as they are now: from its texts, its files, or its plugin. */
#ifndef SONDE_KUBE_CREDENTIALS_H
#define SONDE_KUBE_CREDENTIALS_H

#include "kube/config.h"

enum {
    SONDE_KUBE_TOKEN_MAX = 64 << 10,      /* bytes */
    SONDE_KUBE_EXEC_OUTPUT_MAX = 1 << 20, /* bytes that a plugin may print */
    SONDE_KUBE_EXEC_ERRORS_MAX = 4 << 10, /* bytes of its error output that are kept */
};

struct sonde_kube_credentials {
    struct sonde_buf ca, certificate, key; /* PEM; empty: none */
    struct sonde_buf token;                /* empty: none */
    int64_t expires; /* ns since 1970, as a plugin said; INT64_MAX: it is not known to end */
};

/* Empty credentials; the caller frees them with fini. */
void sonde_kube_credentials_init(struct sonde_kube_credentials *credentials);
void sonde_kube_credentials_fini(struct sonde_kube_credentials *credentials);

/* Reads what the configuration has in texts and files. A token file that cannot be read gives way
 * to the configuration's token, as in client-go. SONDE_ENOTFOUND, SONDE_EDENIED, SONDE_EIO for a
 * file; SONDE_EINVALID for a token with spaces or line ends in it; SONDE_ELIMIT; SONDE_ENOMEM. */
int sonde_kube_credentials_read(const struct sonde_kube_config *config,
                                struct sonde_kube_credentials *ret,
                                struct sonde_err *err) SONDE_MUST_CHECK;

/* Takes what a plugin printed, an ExecCredential of `api_version`, into *ret (token, certificate
 * and key, expiry; the rest stays). SONDE_EPARSE, SONDE_EPROTOCOL when it is none, SONDE_ENOMEM. */
int sonde_kube_exec_answer(struct sonde_str text, const char *api_version,
                           struct sonde_kube_credentials *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends the ExecCredential that a plugin finds in KUBERNETES_EXEC_INFO. Errors are the
 * buffer's. */
void sonde_kube_exec_info(const struct sonde_kube_config *config, struct sonde_str ca,
                          struct sonde_buf *buf);

/* Runs the configuration's plugin, without a shell and without a terminal, and takes its answer.
 * Blocks for up to timeout_ns: call it on a thread of the pool. SONDE_ENOTFOUND when there is no
 * such program, SONDE_EDENIED when it fails (with what it said), SONDE_ETIMEOUT, SONDE_ELIMIT, or
 * as sonde_kube_exec_answer. */
int sonde_kube_exec_run(const struct sonde_kube_config *config, int64_t timeout_ns,
                        struct sonde_kube_credentials *ret, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
