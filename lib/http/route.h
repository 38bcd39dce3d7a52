/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of a server's table, and what stands in them: text alone, no I/O. */
#ifndef SONDE_HTTP_ROUTE_H
#define SONDE_HTTP_ROUTE_H

#include "base/err.h"
#include "http/server.h"

enum {
    SONDE_ROUTE_SEGMENT_MAX = 512,  /* bytes of a segment that stands for {…}, decoded */
    SONDE_ROUTE_PARAMETERS_MAX = 3, /* {…} in a path */
};

struct sonde_route_match {
    const struct sonde_route *route;
    size_t count;
    struct sonde_str names[SONDE_ROUTE_PARAMETERS_MAX]; /* into the route's path */
    char values[SONDE_ROUTE_PARAMETERS_MAX][SONDE_ROUTE_SEGMENT_MAX + 1];
};

/* Whether a route's path is one: it begins with '/', with at most SONDE_ROUTE_PARAMETERS_MAX
 * names. */
bool sonde_route_valid(const char *path);
/* Finds the row for a method and a path as it was sent (RFC 3986): it is decoded segment by
 * segment, so that an encoded '/' stays within one. SONDE_ENOTFOUND: there is no such path;
 * SONDE_EDENIED: not with this method; SONDE_EINVALID: a bad escape, a NUL, or a segment that is
 * too long. */
int sonde_route_find(const struct sonde_route *routes, const char *method, const char *path,
                     struct sonde_route_match *ret) SONDE_MUST_CHECK;
/* Decodes %XX into at most size - 1 bytes and a NUL. SONDE_EINVALID for a bad escape or a NUL,
 * SONDE_ELIMIT. */
int sonde_percent_decode(struct sonde_str text, char *ret, size_t size) SONDE_MUST_CHECK;

#endif
