/* SPDX-License-Identifier: Apache-2.0 */
/* The profile model, of time and of bytes: a call tree whose nodes are content-addressed (the same
 * frame under the same parent is the same node), so that windows, files and processes merge by
 * adding. Pure. */
#ifndef SONDE_PROFILE_PROFILE_H
#define SONDE_PROFILE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/str.h"

enum {
    SONDE_PROFILE_BYTES_MAX = 64 << 20, /* of memory, all in all */
    SONDE_PROFILE_FILE_MAX = 96 << 20,  /* bytes of memory beside it, while a file is read */
    SONDE_PROFILE_TEXT_MAX = 64 << 20,  /* bytes of all names */
    SONDE_PROFILE_FRAMES_MAX = 1 << 20,
    SONDE_PROFILE_NODES_MAX = 1 << 21,
    SONDE_PROFILE_LINES_MAX = 1 << 21,   /* (frame, line) pairs with ticks */
    SONDE_PROFILE_SAMPLES_MAX = 1 << 23, /* kept in order of time */
    SONDE_PROFILE_NAME_MAX = 4096,       /* bytes of one name; longer ones are cut */
};

/* What the amounts of a profile are. */
enum sonde_profile_unit {
    SONDE_PROFILE_NANOSECONDS, /* of CPU time */
    SONDE_PROFILE_BYTES,       /* of allocations */
};

enum sonde_category {
    SONDE_CATEGORY_APP,        /* the service's own code */
    SONDE_CATEGORY_DEPENDENCY, /* under node_modules */
    SONDE_CATEGORY_NODE,       /* Node.js's own JavaScript */
    SONDE_CATEGORY_NATIVE,     /* functions without a script: built in, or of an add-on */
    SONDE_CATEGORY_V8,         /* (garbage collector), (program) */
    SONDE_CATEGORY_WASM,
    SONDE_CATEGORY_SONDE, /* the probe: what the capture itself costs */
    SONDE_CATEGORY_IDLE,  /* (idle) */
    SONDE_CATEGORY_ROOT,
    SONDE_CATEGORY_COUNT,
};

struct sonde_position {
    struct sonde_str file; /* a path or URL; empty: unknown */
    int32_t line, column;  /* 1-based; 0: unknown */
};

struct sonde_frame {
    struct sonde_str function;       /* as the engine names it; "" for anonymous */
    struct sonde_position generated; /* as the engine saw it */
    struct sonde_position source;    /* through a source map; file empty: none applied */
    struct sonde_str source_function;
    enum sonde_category category;
    struct sonde_str package; /* of a dependency: "express", "@scope/name" */
    struct sonde_str version; /* of that package, once known */
};

struct sonde_profile_node {
    uint32_t frame;
    uint32_t parent;  /* smaller than its own index; of node 0, the root: 0 */
    uint32_t samples; /* of allocations: objects that were sampled (`counts_objects`: estimated) */
    int64_t self;     /* in the profile's unit, of its own */
};

/* Samples that hit a line of a function itself. */
struct sonde_profile_line {
    uint32_t frame;
    int32_t line;        /* generated, 1-based */
    int32_t source_line; /* through a source map; 0: none */
    uint32_t ticks;
};

struct sonde_profile_sample {
    uint32_t node;
    uint32_t duration_us; /* until the next one */
};

/* One allocation that was sampled, of those that a file lists. */
struct sonde_profile_allocation {
    uint32_t node;
    uint64_t bytes; /* that it stands for */
};

struct sonde_waits;

/* One process, or a thread of it, whose windows are added: what is known of its clock, so that
 * windows that overlap are not counted twice. All zero but `waits` before its first window. */
struct sonde_profile_source {
    unsigned windows;
    bool leads;               /* its clock is the profile's */
    int64_t start_us, end_us; /* on the process's monotonic clock: all before the end is counted */
    int64_t last_us;          /* when its latest sample was taken, … */
    uint32_t last_sample;     /* … and that one's index among the profile's, plus 1; 0: none */
    const struct sonde_waits *waits; /* when it waited; borrowed; NULL: that is not known */
};

struct sonde_profile {
    struct sonde_arena text;
    struct sonde_map texts, frame_index, node_index, line_index;
    struct sonde_frame *frames;
    size_t frame_count, frame_capacity;
    struct sonde_profile_node *nodes; /* parents before children; [0] is the root */
    size_t node_count, node_capacity;
    struct sonde_profile_line *lines;
    size_t line_count, line_capacity;
    struct sonde_profile_sample *samples; /* in order of time, unless `unordered` */
    size_t sample_count, sample_capacity;
    bool unordered; /* samples say how much, not when: of several processes, or made of hitCounts;
                       nor need they be there then */
    bool forgetful; /* there is no room for samples: they only count */
    struct sonde_budget budget;
    struct sonde_profile_allocation *allocations; /* of bytes: in the order they were made */
    size_t allocation_count, allocation_capacity;
    enum sonde_profile_unit unit; /* nanoseconds until something of another unit is added */
    bool busy_only;               /* of time: nobody kept how long the process idled */
    bool collected;      /* of bytes: of all allocations, also of what was collected since; else of
                            what was live when the capture ended */
    bool counts_objects; /* of bytes: samples are objects, as a pprof file counts them */
    /* On the first process's monotonic clock; others count as if they had begun with it. 0 and 0
     * while empty. */
    int64_t start_us, end_us;
    int64_t total; /* the sum of all `self` */
    uint64_t total_samples;
    unsigned windows; /* files or windows added */
};

/* An empty profile with its root, of SONDE_PROFILE_BYTES_MAX of memory: its budget may be made
 * smaller. SONDE_ENOMEM. The caller calls sonde_profile_fini. What adds to it ends with
 * SONDE_ELIMIT when there is no room. */
int sonde_profile_init(struct sonde_profile *profile, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_profile_fini(struct sonde_profile *profile);

/* The index of the frame, made and categorized when new. Texts are copied. SONDE_ENOMEM,
 * SONDE_ELIMIT. */
int sonde_profile_frame(struct sonde_profile *profile, struct sonde_str function,
                        struct sonde_str url, int32_t line, int32_t column, uint32_t *ret,
                        struct sonde_err *err) SONDE_MUST_CHECK;
/* The index of the node of that frame under that parent. */
int sonde_profile_node(struct sonde_profile *profile, uint32_t parent, uint32_t frame,
                       uint32_t *ret, struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_profile_add_ticks(struct sonde_profile *profile, uint32_t frame, int32_t line,
                            uint32_t ticks, struct sonde_err *err) SONDE_MUST_CHECK;
/* Where there is no room to keep all samples, none is kept any more, and the profile is unordered:
 * what they add up to is kept. */
int sonde_profile_add_sample(struct sonde_profile *profile, uint32_t node, int64_t duration_us,
                             struct sonde_err *err) SONDE_MUST_CHECK;
/* Adds an amount (≥ 0) of the profile's unit to a node, without a moment in time: the profile is
 * unordered from then on. SONDE_ELIMIT when the sum cannot hold it. */
int sonde_profile_add_amount(struct sonde_profile *profile, uint32_t node, int64_t amount,
                             uint64_t samples, struct sonde_err *err) SONDE_MUST_CHECK;
/* Notes an allocation without adding it to its node. */
int sonde_profile_add_allocation(struct sonde_profile *profile, uint32_t node, uint64_t bytes,
                                 struct sonde_err *err) SONDE_MUST_CHECK;
/* Whether any of its time is idle. */
bool sonde_profile_idles(const struct sonde_profile *profile);
/* Makes an empty profile one of that unit. SONDE_EINVALID when it has something of another one. */
int sonde_profile_set_unit(struct sonde_profile *profile, enum sonde_profile_unit unit,
                           struct sonde_err *err) SONDE_MUST_CHECK;
/* Lengthens the sample at that index, which stays one sample. False, and nothing changed, when it
 * cannot be that long. */
bool sonde_profile_extend_sample(struct sonde_profile *profile, size_t index, int64_t duration_us);

/* Frees all but the frames and the sums: what a report still shows once it is analysed. */
void sonde_profile_settle(struct sonde_profile *profile);

/* Text cut to SONDE_PROFILE_NAME_MAX bytes, not inside a UTF-8 character. */
struct sonde_str sonde_profile_cut(struct sonde_str text);

/* A copy of text that lives as long as the profile, one for equal texts. */
int sonde_profile_text(struct sonde_profile *profile, struct sonde_str text, struct sonde_str *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;

/* The children of each node, in the order they were made; 0: none, or no further one. */
struct sonde_children {
    uint32_t *first, *next; /* by node */
};
/* SONDE_ENOMEM. The caller calls sonde_children_fini in any case. */
int sonde_children_link(const struct sonde_profile *profile, struct sonde_children *ret,
                        struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_children_fini(struct sonde_children *children);

/* What a person sees: the source's name and place where there is one, else the engine's. */
struct sonde_str sonde_frame_name(const struct sonde_frame *frame);
const struct sonde_position *sonde_frame_position(const struct sonde_frame *frame);

/* "app", "dependency" … */
const char *sonde_category_name(enum sonde_category category);

/* What a frame is, by its function name and URL; for a dependency *ret_package is a view into
 * url: the innermost package, also of pnpm's and Yarn's layouts. */
enum sonde_category sonde_category_of(struct sonde_str function, struct sonde_str url,
                                      struct sonde_str *ret_package);

/* The directory of the package that the frame's script lies in, as its URL has it
 * ("file:///app/node_modules/express"): a view into frame->generated.file; empty outside packages.
 */
struct sonde_str sonde_package_directory(const struct sonde_frame *frame);

/* The path of a file: URL or an absolute path, percent-decoded into ret (maximum set by the
 * caller); SONDE_EINVALID for any other URL. */
int sonde_url_path(struct sonde_str url, struct sonde_buf *ret,
                   struct sonde_err *err) SONDE_MUST_CHECK;

#endif
