/* SPDX-License-Identifier: Apache-2.0 */
/* What programs have in common that the controller starts in pods: who they are to the store, by
 * their environment, how they ask it, and the message that they leave. */
#ifndef SONDE_UPLINK_UPLINK_H
#define SONDE_UPLINK_UPLINK_H

#include "http/client.h"

enum {
    SONDE_UPLINK_TOKEN_SIZE = 256,
    SONDE_UPLINK_INSTANCE_SIZE = 33,
    SONDE_UPLINK_ANSWER_MAX = 64 << 10, /* bytes of an answer, where nothing else is said */
    SONDE_UPLINK_MESSAGE_MAX = 4096,    /* bytes of a termination message */
    SONDE_UPLINK_HEADERS_MAX = 4,       /* of a request, beside ours */
};

/* Texts are the environment's. */
struct sonde_uplink {
    const char *store, *authority, *run_uid, *message_path;
    const char *target;                        /* the caller's to set, and the token */
    char token[SONDE_UPLINK_TOKEN_SIZE];       /* of the target */
    char instance[SONDE_UPLINK_INSTANCE_SIZE]; /* hexadecimal, chosen at random */
    int64_t deadline;                          /* seconds since 1970 */
};

/* Where a termination message goes to: SONDE_TERMINATION_MESSAGE, or what Kubernetes reads. */
const char *sonde_uplink_message_path(void);
/* Reads SONDE_STORE, SONDE_STORE_CA, SONDE_RUN_UID and SONDE_DEADLINE. SONDE_EINVALID names what is
 * wrong. The caller calls sonde_uplink_fini in any case. */
int sonde_uplink_read(struct sonde_uplink *ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_uplink_fini(struct sonde_uplink *uplink);

/* A variable that must be there. SONDE_EINVALID. */
int sonde_uplink_variable(const char *name, const char **ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;
/* Moves a secret out of the environment, and overwrites it there: /proc/PID/environ shows the
 * bytes that a process was started with. SONDE_EINVALID when there is none that has room. */
int sonde_uplink_secret(const char *name, char *ret, size_t size,
                        struct sonde_err *err) SONDE_MUST_CHECK;

/* One request of the store's API, below the run's path; `http` has what is special about it: its
 * method, body, callbacks, times and bounds, and up to SONDE_UPLINK_HEADERS_MAX headers. */
struct sonde_uplink_request {
    const char *path;       /* "heartbeat" */
    const char *media_type; /* of the body; NULL: JSON */
    struct sonde_http_options http;
};
int sonde_uplink_send(const struct sonde_uplink *uplink, struct sonde_http_client *client,
                      const struct sonde_uplink_request *request, struct sonde_http_request **ret,
                      struct sonde_err *err) SONDE_MUST_CHECK;

/* What an answer that is no success says, in the store's own words: SONDE_EBUSY: it may be tried
 * again; SONDE_EDENIED: it may not. err: of the exchange. */
int sonde_uplink_refusal(const struct sonde_http_response *response, const struct sonde_err *err,
                         struct sonde_err *ret) SONDE_MUST_CHECK;

/* Writes a termination message. SONDE_EIO. */
int sonde_uplink_leave(const char *path, struct sonde_str text,
                       struct sonde_err *err) SONDE_MUST_CHECK;

#endif
