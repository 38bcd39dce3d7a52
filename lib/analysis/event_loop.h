/* SPDX-License-Identifier: Apache-2.0 */
/* What an EventLoop capture recorded → how late and how busy the loop was, what made it stand
 * still, and findings. Pure. */
#ifndef SONDE_ANALYSIS_EVENT_LOOP_H
#define SONDE_ANALYSIS_EVENT_LOOP_H

#include "analysis/finding.h"
#include "base/buf.h"
#include "base/err.h"
#include "profile/profile.h"

enum {
    SONDE_EVENT_LOOP_BYTES_MAX = 16 << 20,
    SONDE_EVENT_LOOP_PLACES_MAX = 64, /* told apart; what is beyond counts as one more */
    SONDE_EVENT_LOOP_STALLS_MAX = 10, /* the longest ones */
    SONDE_EVENT_LOOP_FRAMES_MAX = 1 << 16,
    SONDE_EVENT_LOOP_NO_PLACE = -1,
};

/* Where stalls come from: the innermost function of the application on their stack; of others the
 * innermost one of all. */
struct sonde_event_loop_place {
    struct sonde_str function, file; /* function "" of an anonymous one */
    int32_t line, column;
    size_t stalls;
    double total_ms, longest_ms;
};

struct sonde_event_loop_stall {
    double start_ms, milliseconds;
    int64_t samples;
    double share; /* of the samples with this stack */
    int place;    /* index, or SONDE_EVENT_LOOP_NO_PLACE */
};

struct sonde_event_loop {
    struct sonde_profile frames; /* of the stacks: what the texts are views into */
    double milliseconds;
    double utilization;
    double mean_ms, p50_ms, p99_ms, max_ms; /* of the delay */
    double threshold_ms;                    /* of a stall */
    size_t seconds;
    double busiest_utilization, busiest_start_ms; /* the second with the most */
    size_t stalls_seen;                           /* with those that were not kept */
    double stalled_ms;                            /* of those that were kept */
    size_t unsampled;                             /* of them without a sample */
    double unsampled_ms;
    struct sonde_event_loop_place places[SONDE_EVENT_LOOP_PLACES_MAX]; /* most time first */
    size_t place_count;
    struct sonde_event_loop_stall stalls[SONDE_EVENT_LOOP_STALLS_MAX]; /* longest first */
    size_t stall_count;
    struct sonde_finding findings[SONDE_FINDINGS_MAX]; /* most severe first; at least one */
    size_t finding_count;
};

/* Gives frames the places of their sources. */
struct sonde_event_loop_mapper {
    void *context;
    int (*map)(void *context, struct sonde_profile *frames, struct sonde_err *err);
};

/* SONDE_EPARSE for what is no such record, SONDE_ELIMIT, SONDE_ENOMEM, or the mapper's code (NULL:
 * the engine's places stay). The caller calls sonde_event_loop_fini in any case. */
int sonde_event_loop_analyze(struct sonde_str text, const struct sonde_event_loop_mapper *mapper,
                             struct sonde_event_loop *ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_event_loop_fini(struct sonde_event_loop *loop);

/* Its part of a report: lines, with places relative to `directory`; members of a JSON object, each
 * after a comma. */
void sonde_event_loop_text(const struct sonde_event_loop *loop, const char *directory,
                           struct sonde_buf *buf);
void sonde_event_loop_json(const struct sonde_event_loop *loop, struct sonde_buf *buf);

#endif
