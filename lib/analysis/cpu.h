/* SPDX-License-Identifier: Apache-2.0 */
/* A CPU profile → what costs most, where, and findings. Pure. */
#ifndef SONDE_ANALYSIS_CPU_H
#define SONDE_ANALYSIS_CPU_H

#include "analysis/finding.h"
#include "analysis/functions.h"
#include "base/err.h"
#include "profile/profile.h"

enum {
    SONDE_CPU_STALLS_MAX = 5,
    SONDE_CPU_STALL_SAMPLES_MIN = 20, /* with that many, a stall's length is known to a twentieth */
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
    struct sonde_function_table table; /* in nanoseconds */
    int64_t wall_ns;                   /* of all samples */
    int64_t busy_ns;                   /* without idle */
    int64_t gc_ns;
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

#endif
