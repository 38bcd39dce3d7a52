/* SPDX-License-Identifier: Apache-2.0 */
/* A document as a tree whose every value knows its line and column. */
#ifndef SONDE_CODEC_NODE_H
#define SONDE_CODEC_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum sonde_node_type {
    SONDE_NODE_NULL,
    SONDE_NODE_BOOLEAN,
    SONDE_NODE_INTEGER, /* number is set too */
    SONDE_NODE_NUMBER,
    SONDE_NODE_STRING,
    SONDE_NODE_LIST,
    SONDE_NODE_MAP,
};

struct sonde_node {
    enum sonde_node_type type;
    int line, column;         /* 1-based, of the value */
    struct sonde_str key;     /* as an entry of a map: its name … */
    int key_line, key_column; /* … and where that stands */
    struct sonde_str text;    /* of a scalar, as written and without quotes */
    int64_t integer;
    double number;
    bool boolean;
    size_t count;    /* of a list or map: entries */
    size_t size;     /* nodes of the subtree, aliases counted in full */
    unsigned height; /* lists and maps on the longest way down, itself included; 0: a scalar */
    const struct sonde_node *first;
    const struct sonde_node *next; /* the following entry of the same list or map */
};

/* The entry of a map, or NULL (also when node is NULL or no map). */
const struct sonde_node *sonde_node_find(const struct sonde_node *node, const char *key);

/* What a person calls the type: "a list". */
const char *sonde_node_type_name(enum sonde_node_type type);

/* Appends the tree as one JSON text. */
void sonde_node_print_json(const struct sonde_node *node, struct sonde_buf *buf);

#endif
