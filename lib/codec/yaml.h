/* SPDX-License-Identifier: Apache-2.0 */
/* YAML 1.2 documents (core schema; JSON is a part of it) as trees. By libyaml's events. */
#ifndef SONDE_CODEC_YAML_H
#define SONDE_CODEC_YAML_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/node.h"

enum {
    SONDE_YAML_BYTES_MAX = 1 << 20,
    SONDE_YAML_DEPTH_MAX = 32,
    SONDE_YAML_NODES_MAX = 20000, /* of all documents, aliases counted in full */
    SONDE_YAML_DOCUMENTS_MAX = 64,
    SONDE_YAML_ANCHORS_MAX = 64,
};

struct sonde_documents {
    struct sonde_arena arena; /* holds the trees and their texts */
    const struct sonde_node *items[SONDE_YAML_DOCUMENTS_MAX];
    size_t count;
};

/* Reads all documents of text; empty ones are left out. `name` ("run.yaml") begins each
 * message: "run.yaml:3:5: …". SONDE_EINVALID when it is not YAML, has a duplicate or a
 * non-scalar key or a tag that is not of the core schema; SONDE_ELIMIT beyond a bound;
 * SONDE_ENOMEM. The caller frees *ret in any case. */
int sonde_yaml_parse(const char *name, struct sonde_str text, struct sonde_documents *ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;

/* The same for what is larger than documents of ours: SONDE_YAML_BYTES_MAX and SONDE_YAML_NODES_MAX
 * are replaced. Up to 512 bytes of memory for each value. */
struct sonde_yaml_limits {
    size_t bytes, nodes;
};
int sonde_yaml_parse_within(const char *name, struct sonde_str text,
                            const struct sonde_yaml_limits *limits, struct sonde_documents *ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;

void sonde_documents_fini(struct sonde_documents *documents);

#endif
