/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the reader share. */
#ifndef SONDE_HEAP_READER_H
#define SONDE_HEAP_READER_H

#include "codec/json_scan.h"
#include "heap/numbers.h"
#include "heap/snapshot.h"

enum {
    /* Bytes of memory for each class of heaps that are compared: its row, and how that is found. */
    SONDE_HEAP_COMPARED_CLASS_BYTES = 216,
    SONDE_HEAP_TEXT_MAX = 1100, /* bytes of a string that are looked at; V8 cuts at 1,024 characters
                                   and formats into 1,024 bytes */
};

enum sonde_heap_section {
    SONDE_HEAP_NOWHERE,
    SONDE_HEAP_DESCRIPTION,
    SONDE_HEAP_NODES,
    SONDE_HEAP_EDGES,
    SONDE_HEAP_STRINGS,
};

/* Which number of a row is what; −1: the file has none. */
struct sonde_heap_layout {
    int fields; /* of a row */
    int type, name, id, size, edge_count, detachedness, to;
    int type_list;                       /* for which field there is a list of types */
    uint8_t types[SONDE_HEAP_TYPES_MAX]; /* the file's → ours */
    size_t type_count;
};

/* A string that is being read. */
struct sonde_heap_text {
    uint8_t state;
    bool wanted;
    uint8_t unicode_left;
    uint32_t unicode, high_surrogate;
    char data[SONDE_HEAP_TEXT_MAX];
    size_t length;
};

struct sonde_heap_reader {
    struct sonde_heap *heap;
    struct sonde_json_scanner scanner;
    uint64_t offset;
    uint64_t bytes_max; /* of memory, for all; UINT64_MAX: no bound */
    bool census;
    uint32_t other_classes; /* of what it is compared with */
    uint8_t section;        /* enum sonde_heap_section: that the scanner is in … */
    uint8_t done;           /* … and the last that is whole */
    /* The description. */
    struct sonde_heap_layout nodes, edges;
    uint8_t key, meta_key; /* of the description and of its "meta" */
    unsigned list_entry;
    uint64_t announced_nodes, announced_edges;
    uint64_t root_index;
    bool announced;
    /* The arrays. */
    struct sonde_heap_numbers numbers;
    size_t node_capacity, edge_capacity;
    uint64_t edges_due;
    uint32_t highest_string; /* named by a node or an edge … */
    bool any_string;         /* … if any is */
    /* The strings. */
    struct sonde_heap_text text;
    uint64_t *tables; /* a bit for each string that names a pair of a WeakMap, or NULL */
    size_t end_capacity;
};

/* Marks a string as one to be kept. SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_heap_keep(struct sonde_heap_reader *reader, uint64_t string,
                    struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_heap_out_of_memory(struct sonde_err *err);
/* Whether so many nodes and edges, with the names so far, fit into the bound. SONDE_ELIMIT. */
int sonde_heap_check_room(const struct sonde_heap_reader *reader, uint64_t nodes, uint64_t edges,
                          struct sonde_err *err) SONDE_MUST_CHECK;

/* rows.c: what the arrays of the file hold, in pieces. */
int sonde_heap_take_nodes(void *context, const char *data, size_t length, uint64_t offset,
                          size_t *ret_taken, bool *ret_done, struct sonde_err *err);
int sonde_heap_take_edges(void *context, const char *data, size_t length, uint64_t offset,
                          size_t *ret_taken, bool *ret_done, struct sonde_err *err);
/* strings.c */
int sonde_heap_begin_strings(struct sonde_heap_reader *reader,
                             struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_heap_take_strings(void *context, const char *data, size_t length, uint64_t offset,
                            size_t *ret_taken, bool *ret_done, struct sonde_err *err);
/* duplicates.c: finds them, and marks their text as to be kept. */
int sonde_heap_find_duplicates(struct sonde_heap_reader *reader,
                               struct sonde_err *err) SONDE_MUST_CHECK;

#endif
