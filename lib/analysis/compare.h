/* SPDX-License-Identifier: Apache-2.0 */
/* Two captures of one unit → what each function has more or less of in the second, and how sure
 * that is. Pure. */
#ifndef SONDE_ANALYSIS_COMPARE_H
#define SONDE_ANALYSIS_COMPARE_H

#include "analysis/functions.h"
#include "base/buf.h"

enum {
    SONDE_COMPARE_PARTS_MAX = 1 << 20, /* of all windows of a capture; beyond: no interval */
    SONDE_COMPARE_ROWS = 10,           /* functions listed in the text; all worth a row in JSON */
};

/* What a node got in one window. */
struct sonde_compare_part {
    uint32_t node;
    int64_t amount;
};

struct sonde_compare_window {
    size_t first, count; /* of the parts */
};

/* One of the two captures; all borrowed. */
struct sonde_compare_side {
    const char *uid, *name, *capture; /* for the report */
    const char *directory;            /* of the target: files are the same when they are below it */
    const struct sonde_profile *profile;
    const struct sonde_compare_part *parts;
    const struct sonde_compare_window *windows;
    size_t window_count; /* below 2: nothing says how sure a difference is */
};

enum { SONDE_BEFORE, SONDE_AFTER, SONDE_SIDES };

/* An amount in both captures. Of time: milliseconds for each second that was captured. Of bytes:
 * bytes. A margin is the half width of the interval that holds the change with a probability of
 * 95 %; negative: unknown. */
struct sonde_compare_value {
    double amounts[SONDE_SIDES];
    double shares[SONDE_SIDES]; /* of the time without idling, or of all bytes */
    double margin, share_margin;
    double share_errors[SONDE_SIDES]; /* standard errors of the shares; negative: unknown */
};

struct sonde_compare_function {
    struct sonde_str name, file; /* the file relative to the directory; empty: none */
    int32_t lines[SONDE_SIDES];  /* where it begins; 0: unknown, or it is not there */
    enum sonde_category category;
    struct sonde_str package;
    bool there[SONDE_SIDES];
    struct sonde_compare_value self, total, blamed;
};

struct sonde_compare_whole {
    double duration_s; /* of all samples, with idling; of bytes 0 */
    int64_t amount;    /* nanoseconds without idling, or bytes */
};

struct sonde_comparison {
    struct sonde_compare_side sides[SONDE_SIDES];
    struct sonde_compare_whole wholes[SONDE_SIDES];
    enum sonde_profile_unit unit;
    bool busy_known;                          /* of time: how long both idled */
    struct sonde_compare_value busy;          /* shares: of all captured time; of bytes all zero */
    struct sonde_compare_function *functions; /* what changed most first, by `self` */
    uint32_t *by_blame, *by_total;            /* the same by those */
    size_t count, capacity;
    struct sonde_arena text;
};

/* Functions are the same when name and file are: lines move between versions. Those of one name in
 * one file are one. What is surely different stands first: by how much at least, else by how much.
 * SONDE_EINVALID when one is of time and the other of bytes; SONDE_ENOMEM. The caller calls
 * sonde_comparison_fini. */
int sonde_compare(const struct sonde_compare_side *before, const struct sonde_compare_side *after,
                  struct sonde_comparison *ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_comparison_fini(struct sonde_comparison *comparison);

/* At most 100 columns wide. */
void sonde_comparison_text(const struct sonde_comparison *comparison, struct sonde_buf *buf);
/* One object; its fields are described in docs/compare.md. */
void sonde_comparison_json(const struct sonde_comparison *comparison, struct sonde_buf *buf);

/* How much it is more in the second. */
double sonde_compare_change(const struct sonde_compare_value *value);
/* How much more or less it is at least: 0 when the interval holds 0, the change when there is none.
 */
double sonde_compare_sure(const struct sonde_compare_value *value);

/* The 0.975 quantile of Student's t distribution. */
double sonde_student_t(double freedom);

#endif
