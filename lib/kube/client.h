/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the API server: credentials, rates, retries and refusals in one place. All functions
 * belong to the loop's thread. */
#ifndef SONDE_KUBE_CLIENT_H
#define SONDE_KUBE_CLIENT_H

#include <cjson/cJSON.h>

#include "http/client.h"
#include "kube/config.h"
#include "kube/path.h"
#include "kube/status.h"
#include "kube/watch.h"
#include "loop/loop.h"

enum {
    SONDE_KUBE_REREAD_SECONDS = 60,  /* files of credentials are read again after this */
    SONDE_KUBE_REQUEST_SECONDS = 30, /* a try takes at most this long by default */
    SONDE_KUBE_CONNECT_SECONDS = 10,
    SONDE_KUBE_EXEC_SECONDS = 60,       /* so may a plugin */
    SONDE_KUBE_TRIES = 4,               /* of a request, the first included */
    SONDE_KUBE_RETRY_WAIT_SECONDS = 30, /* a longer Retry-After is the caller's to wait for */
};

/* Renewals of a lease must not wait behind a burst of other requests. */
enum sonde_kube_lane { SONDE_KUBE_BULK, SONDE_KUBE_LEASES, SONDE_KUBE_LANES };

#define SONDE_KUBE_APPLY "application/apply-patch+yaml"
#define SONDE_KUBE_MERGE_PATCH "application/merge-patch+json"
#define SONDE_KUBE_STRATEGIC_PATCH "application/strategic-merge-patch+json"

struct sonde_kube;
struct sonde_kube_request;

struct sonde_kube_options {
    double requests_per_second, burst; /* of SONDE_KUBE_BULK; 0: 20 and 40 */
    void *context;
    /* For metrics: called after each try, with the verb as Kubernetes names it (get, list, watch,
     * create, update, patch, delete; a literal). status 0: no answer. May be NULL. */
    void (*observed)(void *context, const char *verb, int status, int64_t duration_ns);
};

/* What came back; valid during the callback only. */
struct sonde_kube_response {
    int status;          /* of HTTP; 0: none */
    const cJSON *object; /* of a 2xx answer that is JSON; else NULL */
    struct sonde_str body;
    struct sonde_kube_status failure;       /* of an answer that is not 2xx */
    const struct sonde_http_response *http; /* for sonde_http_header; NULL: there is no answer */
};

struct sonde_kube_request_options {
    const char *method;       /* NULL: GET */
    const char *verb;         /* for `observed`, a literal; NULL: as the method says */
    struct sonde_str path;    /* with its query: sonde_kube_path, sonde_kube_query; copied */
    const char *content_type; /* of the body, a string literal; NULL: application/json */
    struct sonde_str body;    /* copied */
    enum sonde_kube_lane lane;
    int64_t timeout_ns; /* of a try; 0: SONDE_KUBE_REQUEST_SECONDS */
    int64_t idle_ns;    /* see sonde_http_options */
    size_t body_max;    /* bytes of the answer; 0: SONDE_KUBE_OBJECT_MAX */
    bool raw;           /* the answer is not JSON: `object` is NULL */
    bool compressed;    /* see sonde_http_options */
    bool once;          /* no retries but the one with new credentials */
    /* The name of one more header with "Bearer TOKEN": for services behind the API server's proxy,
     * which keeps Authorization to itself. A string literal; NULL: none. */
    const char *token_header;
    struct sonde_str token; /* for that header in place of ours; copied */
    void *context;
    /* Called exactly once, unless cancelled, and never from within sonde_kube_send. err->code is 0
     * for a 2xx answer; else as of sonde_kube_status_fail, of sonde_http_options, of reading the
     * credentials, or SONDE_EPARSE. */
    void (*done)(void *context, const struct sonde_kube_response *response,
                 const struct sonde_err *err);
    /* Takes the body of a 2xx answer in pieces; there are no retries then. May be NULL. */
    int (*chunk)(void *context, const char *data, size_t length, struct sonde_err *err);
};

/* The caller frees it, but not from within a callback. On success *config belongs to the client
 * and is empty. options may be NULL. SONDE_ENOMEM. */
int sonde_kube_new(struct sonde_loop *loop, struct sonde_kube_config *config,
                   const struct sonde_kube_options *options, struct sonde_kube **ret,
                   struct sonde_err *err) SONDE_MUST_CHECK;
/* Cancels all requests. NULL allowed. */
void sonde_kube_free(struct sonde_kube *kube);

/* The namespace of the configuration. */
const char *sonde_kube_namespace(const struct sonde_kube *kube);

/* Whether the API server knows us by a token, once a request was answered. */
bool sonde_kube_has_token(const struct sonde_kube *kube);

/* Queues a request; it waits for its lane's rate and for credentials. Tried again: once after a
 * 401, or a certificate that is not trusted, with new credentials; a 429 or 503 with a Retry-After
 * of at most SONDE_KUBE_RETRY_WAIT_SECONDS; a GET whose connection broke. *ret (NULL allowed) is
 * the client's, and gone once `done` was called. SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_kube_send(struct sonde_kube *kube, const struct sonde_kube_request_options *options,
                    struct sonde_kube_request **ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* Ends a request without a callback; not from within its own callbacks. */
void sonde_kube_cancel(struct sonde_kube_request *request);

/* Server-side apply (kubernetes.io, "Server-Side Apply") of the JSON `body` to the target, as
 * `manager`, taking over fields of others. Only path, query, method, body and type of *options
 * are overwritten. SONDE_EINVALID for the target, else as sonde_kube_send. */
int sonde_kube_apply(struct sonde_kube *kube, const struct sonde_kube_target *target,
                     const char *manager, struct sonde_str body,
                     struct sonde_kube_request_options *options, struct sonde_kube_request **ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;

/* What an object must be; otherwise SONDE_ECONFLICT. NULL and "": whatever it is. */
struct sonde_kube_precondition {
    const char *uid, *resource_version;
};

/* Applies the status `wanted` to the object's subresource status, unless `current` (the status that
 * the server has; NULL: none) has all of it already: then nothing is sent, `done` is not called,
 * and 1 is returned. 0: sent. Else as sonde_kube_apply. */
int sonde_kube_apply_status(struct sonde_kube *kube, const struct sonde_kube_target *target,
                            const struct sonde_kube_precondition *precondition, const char *manager,
                            const cJSON *current, const cJSON *wanted,
                            struct sonde_kube_request_options *options,
                            struct sonde_kube_request **ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;

/* True when every member of `wanted` is in `current` with the same value; lists must be equal. */
bool sonde_kube_covers(const cJSON *current, const cJSON *wanted);

#endif
