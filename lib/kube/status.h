/* SPDX-License-Identifier: Apache-2.0 */
/* What the API server says when it says no: metav1.Status as our errors. */
#ifndef SONDE_KUBE_STATUS_H
#define SONDE_KUBE_STATUS_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
    SONDE_KUBE_REASON_SIZE = 48,        /* bytes of a reason with its NUL; longer ones are cut */
    SONDE_KUBE_STATUS_MAX = 256 << 10,  /* bytes of a body that is looked at */
    SONDE_KUBE_RETRY_AFTER_MAX_S = 300, /* a longer Retry-After counts as this */
};

/* The details that decide what to do next; the error's code carries the rest. */
struct sonde_kube_status {
    int http;                            /* 404 …; 0: none was said */
    int64_t retry_after_ns;              /* of the header or the details; 0: none was said */
    bool names_object;                   /* details.name: it is the object that is missing, not the
                                            path (kubectl tells a missing subresource by this) */
    char reason[SONDE_KUBE_REASON_SIZE]; /* "NotFound", "Expired" …; "" when none was said */
    char cause[SONDE_KUBE_REASON_SIZE];  /* reason of the first cause: "ResourceVersionTooLarge" */
};

/* Makes an error of a Status object (NULL or any other JSON is allowed) that came with HTTP status
 * `http`. `retry_after` is that header's value in seconds, or empty. Fills *ret and *err, and
 * returns the code, which is always negative:
 *   404 NotFound → SONDE_ENOTFOUND; 409 AlreadyExists → SONDE_EEXISTS, else SONDE_ECONFLICT;
 *   410, Gone, Expired → SONDE_EGONE; 401, 403 → SONDE_EDENIED; 413 → SONDE_ELIMIT;
 *   504, Timeout → SONDE_ETIMEOUT; 429, 5xx → SONDE_EBUSY (again later, see retry_after_ns);
 *   400, 422 and the rest of 4xx → SONDE_EINVALID; anything else → SONDE_EPROTOCOL.
 * A known reason counts more than the number (k8s.io/apimachinery, meta/v1, StatusReason). */
int sonde_kube_status_fail(int http, const cJSON *object, struct sonde_str retry_after,
                           struct sonde_kube_status *ret, struct sonde_err *err);

/* The same for a body as it came: JSON of a Status, or any text of a proxy in between. */
int sonde_kube_status_fail_text(int http, struct sonde_str body, struct sonde_str retry_after,
                                struct sonde_kube_status *ret, struct sonde_err *err);

/* Seconds of a Retry-After header as nanoseconds; 0 for a date or anything else. */
int64_t sonde_kube_retry_after(struct sonde_str header);

#endif
