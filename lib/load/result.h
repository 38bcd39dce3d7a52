/* SPDX-License-Identifier: Apache-2.0 */
/* A load test that is over: what was asked for, what came of it, in the course of time, and what is
 * to be thought of it. All that is printed, compared or handed to other tools is made of it, so
 * that a test which was kept says the same as on the day it ran. Pure. */
#ifndef SONDE_LOAD_RESULT_H
#define SONDE_LOAD_RESULT_H

#include "base/arena.h"
#include "load/course.h"
#include "load/engine.h"
#include "load/intervals.h"
#include "load/judge.h"
#include "load/profiled.h"
#include "load/search.h"
#include "load/validity.h"

enum {
    SONDE_LOAD_RESULT_VERSION = 1,
    SONDE_LOAD_RESULT_MAX = 16 << 20,      /* bytes of a document */
    SONDE_LOAD_VERDICTS_MAX = 256,         /* thresholds of one that is read */
    SONDE_LOAD_RESULT_TEXT_MAX = 8192,     /* bytes of a title, an URL */
    SONDE_LOAD_RESULT_TEXTS_MAX = 1 << 20, /* of all of them */
};

struct sonde_load_asked {
    const char *title;       /* NULL: none */
    const char *url;         /* several: with a space between them */
    const char *socket_path; /* NULL: none */
    unsigned threads, connections, connections_max, pipelining;
    uint64_t requests_per_connection; /* 0: any number */
    int64_t timeout_ns;
    struct sonde_arrival arrival;
    int64_t warm_up_seconds;
    int64_t sample_ns; /* of requests and bytes */
    uint64_t seed;
};

struct sonde_load_result {
    struct sonde_load_asked asked; /* texts borrowed; of one that was read, from the arena */
    int64_t start_ns;              /* of the realtime clock, in whole µs */
    int64_t duration_ns, cpu_ns, throttled_ns;
    bool stopped; /* before its time */
    struct sonde_load_tally tally;
    struct sonde_load_tally warm_up;        /* what was before the start, and is nowhere else */
    struct sonde_histogram requests, bytes; /* of each whole sample: answers, and bytes read */
    uint64_t samples;
    int64_t sampled_ns;                     /* the end of the last one */
    uint64_t sample_answered, sample_bytes; /* since then */
    struct sonde_load_tally second;         /* what is in no interval yet … */
    int64_t second_begin_ns, second_end_ns; /* … and its time */
    struct sonde_load_intervals intervals;  /* of a second each */
    struct sonde_load_confidence confidence;
    struct sonde_load_steady_verdict steadiness;
    struct sonde_load_validity validity;
    struct sonde_load_verdict *verdicts; /* borrowed; of one that was read, from the arena */
    size_t verdict_count;
    struct sonde_load_search *search;     /* the same; NULL: the rate was not looked for. Else all
                                             else is of the trial at the rate that was found */
    struct sonde_load_profiled *profiles; /* the same */
    size_t profile_count;                 /* up to SONDE_LOAD_PROFILED_MAX */
    struct sonde_arena arena;
};

/* An empty one, and its tally's histograms too; asked.sample_ns, a second, may be set then.
 * SONDE_ENOMEM. The caller calls
 * sonde_load_result_fini in any case. */
int sonde_load_result_init(struct sonde_load_result *result,
                           struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_load_result_fini(struct sonde_load_result *result);

/* Takes what came since the last time until end_ns, from the start: a second or a part of it. A
 * sample that is cut by the end is none of requests and bytes, unless it is the first.
 * SONDE_ENOMEM.
 */
int sonde_load_result_add(struct sonde_load_result *result, int64_t end_ns,
                          const struct sonde_load_tally *interval,
                          struct sonde_err *err) SONDE_MUST_CHECK;
/* The test is over: takes the outcome's tallies over, whose histograms are empty afterwards, and
 * what the plan asked for. Texts, validity and verdicts are the caller's to set. SONDE_ENOMEM. */
int sonde_load_result_end(struct sonde_load_result *result, const struct sonde_load_plan *plan,
                          struct sonde_load_outcome *outcome,
                          struct sonde_err *err) SONDE_MUST_CHECK;
/* Then: how sure it is, and since when it was steady. That is not said of stages, which change by
 * themselves. SONDE_ENOMEM. */
int sonde_load_result_weigh(struct sonde_load_result *result,
                            struct sonde_err *err) SONDE_MUST_CHECK;

/* Whether it passes: every threshold holds, in a test that can be believed, and a search has found
 * a rate. Without thresholds it does. */
bool sonde_load_result_passes(const struct sonde_load_result *result);

/* Appends the document: one JSON object and a line feed; docs/load-results.md describes it. The
 * buffer's errors, SONDE_ENOMEM. */
int sonde_load_result_write(const struct sonde_load_result *result, struct sonde_buf *buf,
                            struct sonde_err *err) SONDE_MUST_CHECK;
/* Makes a result of such a document. Members that it does not know are passed over. SONDE_EPARSE
 * with the member, SONDE_ELIMIT, SONDE_EVERSION for one of a newer version, SONDE_ENOMEM. The
 * caller calls sonde_load_result_fini in any case. */
int sonde_load_result_read(struct sonde_str text, struct sonde_load_result *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;

#endif
