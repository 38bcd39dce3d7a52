/* SPDX-License-Identifier: Apache-2.0 */
/* A CPU profile → what costs most, where, and findings. Pure. */
#ifndef SONDE_ANALYSIS_CPU_H
#define SONDE_ANALYSIS_CPU_H

#include "analysis/finding.h"
#include "base/err.h"
#include "profile/profile.h"

enum {
    SONDE_CPU_STALLS_MAX = 5,
    SONDE_CPU_STALL_SAMPLES_MIN = 20, /* with that many, a stall's length is known to a twentieth */
    SONDE_CPU_PACKAGES_MAX = 4096,
};

/* One function; all its nodes in the tree together. */
struct sonde_cpu_function {
    uint32_t frame;
    int64_t self_ns;
    int64_t total_ns;  /* with what it called; recursion is not counted twice */
    int64_t blamed_ns; /* of an app function: its self time and that of everything below it that is
                          not app code: "which function of yours is it" */
    uint32_t callee; /* what an app function spends most of blamed_ns in: a frame that it calls and
                        that is not app code, with all below it; own frame: itself */
    int64_t callee_ns;
    uint32_t caller; /* of another function: the app function that answers for most of its self
                        time; own frame: none does */
    int64_t caller_ns;
    int64_t orphan_ns; /* self time that no app function answers for: of callbacks that came from
                          the event loop, in packages and in Node.js */
    int32_t hot_line;  /* the line (of the source, if mapped) with the most of its self samples; 0:
                          unknown */
    double hot_share;  /* of its self samples, 0–1 */
};

struct sonde_cpu_package {
    struct sonde_str name, version;
    int64_t self_ns;
    int64_t orphan_ns;
    uint32_t frame; /* its function with the most of orphan_ns */
};

/* A stretch without an idle sample: the loop may not have come round in it. Under saturation
 * it is an upper bound, since back-to-back callbacks leave no idle sample either; and of few
 * samples it may be chance, since the loop may idle between two of them. */
struct sonde_cpu_stall {
    int64_t start_us; /* since the beginning of the profile */
    int64_t length_us;
    size_t samples;
    uint32_t frame; /* the app function with the most of it, or the frame with the most self time */
    int64_t frame_us; /* how much that is */
};

struct sonde_cpu_analysis {
    int64_t wall_ns; /* of all samples */
    int64_t busy_ns; /* without idle */
    int64_t gc_ns;
    int64_t categories_ns[SONDE_CATEGORY_COUNT];
    struct sonde_cpu_function *functions; /* by self time, most first */
    uint32_t *by_total;                   /* indexes of functions: by total time, most first, */
    uint32_t *by_blame;                   /* and by blamed time */
    size_t function_count;
    struct sonde_cpu_package *packages; /* by self time */
    size_t package_count, package_capacity;
    struct sonde_cpu_stall stalls[SONDE_CPU_STALLS_MAX]; /* longest first; none without an order of
                                                            time */
    size_t stall_count;
    struct sonde_finding findings[SONDE_FINDINGS_MAX]; /* most severe first */
    size_t finding_count;
};

/* Borrows the profile, which must outlive the analysis. SONDE_ENOMEM. */
int sonde_cpu_analyze(const struct sonde_profile *profile, struct sonde_cpu_analysis *ret,
                      struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_cpu_analysis_fini(struct sonde_cpu_analysis *analysis);

/* A part of a whole as a share 0–1; 0 of nothing. */
double sonde_share(int64_t part, int64_t whole);

#endif
