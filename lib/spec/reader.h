/* SPDX-License-Identifier: Apache-2.0 */
/* A document's tree into typed structs, by the tables. */
#ifndef SONDE_SPEC_READER_H
#define SONDE_SPEC_READER_H

#include "codec/node.h"
#include "spec/spec.h"

/* Where in a document: "spec.captures[0].name". Lives on the stack of the reader. */
struct sonde_path {
    const struct sonde_path *up;
    struct sonde_str name; /* of a member; data NULL: an entry of a list */
    size_t index;
    bool key; /* of a map whose keys the person chose */
};

struct sonde_reader {
    const char *name; /* of the text, for messages */
    struct sonde_spec_documents *documents;
};

/* Records "NAME:LINE:COLUMN: PATH: text". 0, SONDE_ENOMEM or SONDE_ELIMIT. */
int sonde_reader_problem(struct sonde_reader *reader, int line, int column,
                         const struct sonde_path *path, const char *format, ...)
    SONDE_PRINTF(5, 6) SONDE_MUST_CHECK;

/* Reads a map (NULL: an empty one, at `place`) into the zeroed struct at `data`. Everything wrong
 * is recorded as a problem. 0, SONDE_ENOMEM or SONDE_ELIMIT. */
int sonde_reader_object(struct sonde_reader *reader, const struct sonde_object *object,
                        const struct sonde_node *node, const struct sonde_node *place,
                        const struct sonde_path *path, void *data) SONDE_MUST_CHECK;

/* Reads a field's value, or sets its default when node is NULL. */
int sonde_reader_field(struct sonde_reader *reader, const struct sonde_field *field,
                       const struct sonde_node *node, const struct sonde_node *place,
                       const struct sonde_path *path, void *data) SONDE_MUST_CHECK;

/* Appends the text as JSON, cut to what fits in a message. */
void sonde_reader_quote(struct sonde_buf *buf, struct sonde_str text);

#endif
