/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and queries of the Kubernetes API, built so that no name can lead elsewhere. */
#ifndef SONDE_KUBE_PATH_H
#define SONDE_KUBE_PATH_H

#include "base/buf.h"

enum {
    SONDE_KUBE_NAME_MAX = 253,  /* bytes of an object's name: a DNS-1123 subdomain */
    SONDE_KUBE_LABEL_MAX = 63,  /* bytes of a namespace: a DNS-1123 label */
    SONDE_KUBE_PATH_MAX = 4096, /* bytes of a path with its query */
};

/* A kind of object as the API's paths name it. Strings are borrowed. */
struct sonde_kube_resource {
    const char *group;   /* "apps"; "" or NULL: the core group */
    const char *version; /* "v1" */
    const char *plural;  /* "pods" */
    const char *kind;    /* "Pod"; for bodies only */
};

/* What a request is about. Strings are borrowed. */
struct sonde_kube_target {
    const struct sonde_kube_resource *resource;
    const char *namespace;   /* NULL or "": of the whole cluster, or all namespaces */
    const char *name;        /* NULL or "": the collection */
    const char *subresource; /* "status", "ephemeralcontainers"; NULL or "": the object itself */
    const char *tail;        /* behind the subresource "proxy": "api/v1/runs"; NULL: nothing */
};

/* True for a DNS-1123 label (RFC 1123 §2.1, as Kubernetes reads it): a-z 0-9 and inner '-', at
 * most SONDE_KUBE_LABEL_MAX bytes. */
bool sonde_kube_is_label(struct sonde_str text);
/* True for DNS-1123 labels joined by dots, at most SONDE_KUBE_NAME_MAX bytes. */
bool sonde_kube_is_name(struct sonde_str text);

/* Appends the target's path: "/apis/apps/v1/namespaces/shop/deployments/web/status". With the
 * subresource "proxy" a name may have the scheme and port of services/proxy ("https:store:8443"),
 * and the tail's segments are percent-encoded. SONDE_EINVALID for a part that is not what it
 * claims to be; SONDE_ENOMEM and SONDE_ELIMIT are the buffer's. */
int sonde_kube_path(const struct sonde_kube_target *target, struct sonde_buf *ret,
                    struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends "?name=value" or "&name=value", the value percent-encoded (RFC 3986 §2.3: all but the
 * unreserved bytes). A value whose data is NULL is left out. Errors are the buffer's. */
void sonde_kube_query(struct sonde_buf *path, const char *name, struct sonde_str value);
void sonde_kube_query_number(struct sonde_buf *path, const char *name, uint64_t value);

#endif
