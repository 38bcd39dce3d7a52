/* SPDX-License-Identifier: Apache-2.0 */
/* One round of a test: a search has many, another test one. */
#ifndef SONDE_RUNNER_ROUND_H
#define SONDE_RUNNER_ROUND_H

#include "runner/runner.h"

struct round {
    unsigned number;
    struct sonde_load_plan plan;
    struct queue *queue;         /* which the seconds go to */
    struct sonde_wakeup *wakeup; /* … and who is told of it */
    pthread_t thread;
    bool started;
    atomic_bool stop, over;
    struct sonde_load_tally *no_parts; /* empty ones, as many as there are labels */
    /* The thread's, until it was joined. */
    struct sonde_load_outcome outcome;
    struct sonde_err err;
    uint64_t sequence;
    int64_t late_ns;      /* to be told with the next second; -1: no more */
    int64_t throttled_ns; /* meanwhile, without the warm-up */
};

/* The plan's parts must outlive the round. The caller calls round_fini in any case. */
void round_init(struct round *round, unsigned number, const struct sonde_load_plan *plan,
                struct queue *queue, struct sonde_wakeup *wakeup);
/* Begins on a thread of its own. SONDE_EIO, SONDE_ENOMEM. */
int round_start(struct round *round, struct sonde_err *err) SONDE_MUST_CHECK;
/* It ends as soon as it can: `over` is true then, and the wakeup sent. */
void round_stop(struct round *round);
void round_join(struct round *round);
void round_fini(struct round *round);

#endif
