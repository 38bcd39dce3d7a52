/* SPDX-License-Identifier: Apache-2.0 */
/* The function table of a profile, of time or of bytes alike: what each function has of its own and
 * with what it called, which of the application's functions answers for it, and whose code it is.
 * Pure. */
#ifndef SONDE_ANALYSIS_FUNCTIONS_H
#define SONDE_ANALYSIS_FUNCTIONS_H

#include "base/err.h"
#include "profile/profile.h"

enum {
    SONDE_PACKAGES_MAX = 4096,
    SONDE_FRAME_NONE = 0xffffffff, /* no frame */
};

/* One function; all its nodes in the tree together. Amounts are in the profile's unit. */
struct sonde_function {
    uint32_t frame;
    int64_t self;
    int64_t total;   /* with what it called; recursion is not counted twice */
    int64_t blamed;  /* of an app function: what is its own and that of everything below it that is
                        not app code: "which function of yours is it". The probe, which interrupts
                        whatever runs, is blamed on nobody */
    uint32_t callee; /* what an app function has the most of `blamed` in: a frame that it calls and
                        that is not app code, with all below it; own frame: itself */
    int64_t callee_part;
    uint32_t caller; /* of another function: the app function that answers for most of `self`; own
                        frame: none does */
    int64_t caller_part;
    int64_t orphan;   /* of its own that no app function answers for: of callbacks that came from
                         the event loop, in packages and in Node.js */
    uint64_t samples; /* of its own nodes */
    int32_t hot_line; /* the line (of the source, if mapped) with the most of its own samples; 0:
                         unknown */
    double hot_share; /* of its own samples, 0–1 */
};

struct sonde_package {
    struct sonde_str name, version;
    int64_t self;
    int64_t orphan;
    uint32_t frame; /* its function with the most of `orphan` */
};

struct sonde_function_table {
    int64_t whole; /* of all nodes */
    int64_t categories[SONDE_CATEGORY_COUNT];
    struct sonde_function *functions; /* by `self`, most first */
    uint32_t *by_total;               /* indexes of functions: by `total`, most first, */
    uint32_t *by_blame;               /* and by `blamed` */
    size_t function_count;
    uint32_t *answering; /* by node of the profile: the app frame at or above it, or NONE, as
                            of the probe */
    struct sonde_package *packages; /* by `self` */
    size_t package_count, package_capacity;
};

/* Borrows the profile, which must outlive the table. SONDE_ENOMEM. The caller calls
 * sonde_function_table_fini. */
int sonde_function_table_init(const struct sonde_profile *profile, struct sonde_function_table *ret,
                              struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_function_table_fini(struct sonde_function_table *table);

/* A part of a whole as a share 0–1; 0 of nothing. */
double sonde_share(int64_t part, int64_t whole);

/* A name as a title has room for it (80 bytes), not cut inside a UTF-8 character. */
struct sonde_str sonde_name_shorten(struct sonde_str name);

enum { SONDE_PART_SIZE = 16 };
/* "most" for more than half of the whole, else "37 %": goes before "of it in". Returns `ret`. */
const char *sonde_part_say(int64_t part, int64_t whole, char ret[SONDE_PART_SIZE]);

#endif
