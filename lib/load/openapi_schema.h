/* SPDX-License-Identifier: Apache-2.0 */
/* The schemas of an OpenAPI file: what references lead to, and examples of what schemas describe.
 * Nodes are the file's, and are lent. Pure. */
#ifndef SONDE_LOAD_OPENAPI_SCHEMA_H
#define SONDE_LOAD_OPENAPI_SCHEMA_H

#include "base/buf.h"
#include "base/map.h"
#include "codec/node.h"
#include "load/import.h"

struct openapi_schemas {
    const struct sonde_node *root;
    struct sonde_map *refs; /* addresses of what references lead to, so far */
    size_t work;            /* values that examples were built from; bounded */
    const struct sonde_node *open[SONDE_LOAD_SCHEMA_DEPTH_MAX + 1]; /* schemas around the one that
                                                                       is being built */
};

/* A member that is a scalar, as it is written; without data: there is none. */
struct sonde_str openapi_text_of(const struct sonde_node *node, const char *name);
bool openapi_is_true(const struct sonde_node *node, const char *name);

/* What a node stands for: itself, or what its $ref leads to in this file. NULL: nothing. */
const struct sonde_node *openapi_resolve(const struct openapi_schemas *schemas,
                                         const struct sonde_node *node);
/* … a member of it. */
const struct sonde_node *openapi_find(const struct openapi_schemas *schemas,
                                      const struct sonde_node *node, const char *name);

/* What somebody wrote as an example of a node; NULL: nothing. */
const struct sonde_node *openapi_example_of(const struct openapi_schemas *schemas,
                                            const struct sonde_node *node);
/* What may stand for one: a constant, a default or the first of an enumeration; NULL: nothing. */
const struct sonde_node *openapi_stand_in(const struct sonde_node *schema);

/* Appends an example of a schema as JSON. False: there is none, and a part may be appended. */
bool openapi_print_example(struct openapi_schemas *schemas, const struct sonde_node *schema,
                           struct sonde_buf *buf);

#endif
