/* SPDX-License-Identifier: Apache-2.0 */
/* A heap by class, as the summary of DevTools has it. Pure. */
#ifndef SONDE_HEAP_CLASSES_H
#define SONDE_HEAP_CLASSES_H

#include "heap/dominators.h"

enum { SONDE_HEAP_CLASSES_MAX = 1 << 16 }; /* names beyond are one class, "(other classes)" */

struct sonde_heap_class {
    struct sonde_str name; /* of the constructor, or of a group: "(string)", "(array)", "Function";
                              borrowed from the heap */
    uint32_t count;        /* objects with a size */
    uint64_t shallow, retained; /* bytes; retained counts what lies in another of its class once */
    uint32_t largest;           /* the one that retains most, or SONDE_HEAP_NONE */
};

struct sonde_heap_classes {
    struct sonde_heap_class *rows; /* by retained size, most first */
    uint32_t count;
    uint32_t *of; /* the row of each node */
};

/* Borrows the heap. Needs 8 bytes a node for the time being, and leaves 4 a node. SONDE_ENOMEM. */
int sonde_heap_classify(const struct sonde_heap *heap, const struct sonde_heap_tree *tree,
                        struct sonde_heap_classes *ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_heap_classes_fini(struct sonde_heap_classes *classes);

/* "Server", or the group of a node that has no constructor. */
struct sonde_str sonde_heap_class_name(const struct sonde_heap *heap, uint32_t node);

#endif
