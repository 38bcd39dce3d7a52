/* SPDX-License-Identifier: Apache-2.0 */
/* What two snapshots of one process differ in, by class, and what of it looks like a leak. V8 gives
 * an object a number that it keeps from one snapshot to the next, until an inspector that took one
 * is closed: then it forgets them all, and begins anew with the next. Pure. */
#ifndef SONDE_HEAP_GROWTH_H
#define SONDE_HEAP_GROWTH_H

#include "base/buf.h"
#include "heap/classes.h"
#include "heap/retainers.h"

enum {
    SONDE_HEAP_SUSPECTS_MAX = 16,
    SONDE_HEAP_SAMPLE_MAX = 256, /* new objects of a class that are looked at for a typical one */
    SONDE_HEAP_SHAPE_STEPS = 32, /* of a path that are compared, from the object upwards */
};

/* What is kept of a snapshot, so that it need not be in memory with the other: 12 bytes for each
 * object with a size; of the earlier one the classes with their names. */
struct sonde_heap_object {
    uint32_t id, class, size; /* size: capped at 4 GiB */
};

struct sonde_heap_census {
    struct sonde_heap_object *objects; /* by id */
    uint32_t object_count;
    struct sonde_heap_class *classes; /* with names of its own, and no node */
    uint32_t class_count;
    char *text;
    size_t text_length;
    uint64_t total_size;
};

/* The objects. Needs as much again while sorting. SONDE_ENOMEM. */
int sonde_heap_census_take(const struct sonde_heap *heap, const struct sonde_heap_classes *classes,
                           struct sonde_heap_census *ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* The classes too, which then outlive the heap. SONDE_ENOMEM. */
int sonde_heap_census_keep_classes(struct sonde_heap_census *census,
                                   const struct sonde_heap_classes *classes,
                                   struct sonde_err *err) SONDE_MUST_CHECK;
/* What it takes to keep it. */
uint64_t sonde_heap_census_memory(const struct sonde_heap_census *census);
void sonde_heap_census_fini(struct sonde_heap_census *census);

struct sonde_heap_growth_row {
    struct sonde_str name; /* borrowed from the census before or the heap after */
    uint32_t added, freed; /* objects; when they were numbered anew, only the difference */
    uint64_t added_size, freed_size;
    uint32_t before, after; /* objects */
    int64_t size_delta;     /* bytes, shallow */
    int64_t retained_delta; /* of the class */
    uint32_t
        typical; /* of a suspect: the node, in the later heap, of a new object (of any, when they
                    were numbered anew) that is held as most of them are; else SONDE_HEAP_NONE */
    uint32_t sampled, alike; /* objects looked at for it, and of those how many are held so */
};

struct sonde_heap_growth {
    struct sonde_heap_growth_row *rows; /* by size_delta, most first */
    uint32_t count;
    bool numbered_anew;                         /* objects do not have the numbers that they had */
    uint32_t suspects[SONDE_HEAP_SUSPECTS_MAX]; /* rows of classes, without V8's groups, that grew
                                                   in count and in what they retain: by that, most
                                                   first */
    uint32_t suspect_count;
};

/* Compares the census of an earlier snapshot, with its classes, with a later one, given with its
 * own census. Borrows all. SONDE_ENOMEM. */
int sonde_heap_compare(const struct sonde_heap_census *before,
                       const struct sonde_heap_census *after, const struct sonde_heap *heap,
                       const struct sonde_heap_classes *classes,
                       const struct sonde_heap_paths *paths, struct sonde_heap_growth *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_heap_growth_fini(struct sonde_heap_growth *growth);

#endif
