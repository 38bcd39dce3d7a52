/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of lib/load/coordination*.c alone. */
#ifndef SONDE_LOAD_COORDINATION_INTERNAL_H
#define SONDE_LOAD_COORDINATION_INTERNAL_H

#include "base/clock.h"
#include "load/archive.h"
#include "load/coordination.h"

enum {
    VERDICTS_MAX = 256,
    TITLE_SIZE = 512,
    URL_SIZE = 4096,
    INVALID_SIZE = 256,
    SECOND_US = 1000000,
};

enum runner_state {
    RUNNER_ABSENT, /* nobody is there: not yet, or not any more and another may come */
    RUNNER_READY,
    RUNNER_SENDING,
    RUNNER_DONE, /* with this round */
    RUNNER_LOST, /* for good */
    RUNNER_STATES,
};

/* Requests after the warm-up. */
struct runner_totals {
    uint64_t sent, answered, failed, censored, unsent;
};

struct runner {
    enum runner_state state;
    bool there;       /* a process of it was ready, and is not known to have ended */
    int64_t heard_us; /* or, while it is absent, since when */
    int64_t uncertainty_us;
    char pod[SONDE_LOAD_PLACE_SIZE], node[SONDE_LOAD_PLACE_SIZE];
    /* Of this round: */
    uint64_t next;                       /* sequence */
    int64_t reached;                     /* second, of the measured time */
    int64_t end_us;                      /* of its last interval, from the named start */
    int64_t from_us;                     /* it took another's place then; 0: it did not */
    int64_t gap_us;                      /* without a rate: its place was empty for so long */
    int64_t started_us;                  /* -1: not yet */
    struct runner_totals process, round; /* of the process that is there; of all that were */
    bool told;                           /* what follows */
    bool stopped;
    int64_t duration_us, cpu_us, throttled_us;
    unsigned threads, connections;
    char invalid[INVALID_SIZE];
};

/* A second that not all have sent. */
struct pending {
    struct sonde_buf tallies; /* archives, each behind its length */
    int64_t end_us;           /* the last end of them */
};

struct sonde_load_coordination {
    const struct sonde_load_test *test;
    char title[TITLE_SIZE], url[URL_SIZE];
    int64_t created_us;
    struct sonde_load_plan plan; /* its arrival is that of the round */
    struct sonde_load_verdict verdicts[VERDICTS_MAX];
    size_t verdict_count;
    bool labelled; /* by the first that was ready */
    struct sonde_load_label labels[SONDE_LOAD_LABELS_MAX];
    size_t label_count;
    struct runner runners[SONDE_LOAD_RUNNERS_MAX];
    unsigned count;
    enum sonde_load_phase phase;
    /* Of this round: */
    unsigned round;
    int64_t start_us;
    int64_t complete;                            /* seconds that were judged */
    struct pending pending[SONDE_LOAD_LEAD_MAX]; /* the first comes after those: a ring */
    size_t first, pending_bytes;
    struct sonde_load_result result; /* while `measured`, of the round that goes on, or the last */
    bool measured;
    bool concluded; /* what is to be thought of it is known */
    bool stopping;
    int64_t stopping_us;
    /* A search. */
    struct sonde_load_search search;
    struct sonde_load_result best;
    struct sonde_load_verdict best_verdicts[VERDICTS_MAX];
    int64_t best_rate; /* 0: none */
    /* How it went wrong. */
    bool failed, cancelled, overdue;
    char reason[SONDE_LOAD_WORD_SIZE], message[SONDE_LOAD_MESSAGE_SIZE];
    struct sonde_load_loss losses[SONDE_LOAD_RUNNERS_MAX];
    unsigned loss_count; /* those beyond are only counted */
    bool profile_due;
    int64_t skew_us; /* the worst of all rounds */
    struct sonde_load_shown shown[SONDE_LOAD_SHOWN_SECONDS];
    uint64_t shown_count;
    int64_t p50_us, p99_us;         /* of all so far */
    struct sonde_load_tally second; /* scratch, without parts */
};

/* coordination.c */
/* The whole test fails, and ends. */
void coordination_fail(struct sonde_load_coordination *c, const char *reason, int64_t now_us,
                       const char *format, ...) SONDE_PRINTF(4, 5);
void coordination_stop(struct sonde_load_coordination *c, int64_t now_us);
static inline bool coordination_is_search(const struct sonde_load_coordination *c)
{
    return c->test->search != NULL;
}

/* coordination_course.c */
/* A round begins: its result is empty. SONDE_ENOMEM. */
int course_begin(struct sonde_load_coordination *c, struct sonde_err *err) SONDE_MUST_CHECK;
/* Keeps the archive of a tally for that second, or a later one that is not complete.
 * SONDE_EBUSY: too far ahead. */
int course_keep(struct sonde_load_coordination *c, int64_t second, int64_t end_us,
                struct sonde_str tally, struct sonde_err *err) SONDE_MUST_CHECK;
/* Judges the seconds that all have sent. */
int course_advance(struct sonde_load_coordination *c, int64_t now_us,
                   struct sonde_err *err) SONDE_MUST_CHECK;
/* What was due of a runner's share between two times from the start, and had nobody to send it,
 * counts as not sent; without a rate the time counts. */
int course_miss(struct sonde_load_coordination *c, struct runner *runner, int64_t from_us,
                int64_t to_us, struct sonde_err *err) SONDE_MUST_CHECK;
/* How long requests took so far: quantiles are sums of many counters, and asked for often. */
void course_measure(struct sonde_load_coordination *c);
/* All seconds that came, and what is to be thought of the round. */
int course_end(struct sonde_load_coordination *c, int64_t now_us,
               struct sonde_err *err) SONDE_MUST_CHECK;
void course_fini(struct sonde_load_coordination *c);

#endif
