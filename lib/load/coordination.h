/* SPDX-License-Identifier: Apache-2.0 */
/* A load test on several runners: who is ready, when all begin, what came of each second, when it
 * ends, and what is to be thought of it. The counts of all runners are added exactly, second by
 * second. A second is judged when all runners that are left have sent it.
 *
 * A state machine without clock, network or disk: each call is given the time, in µs since 1970,
 * and the same calls with the same times lead to the same state. Whoever keeps the calls that were
 * taken, can repeat them after a restart. */
#ifndef SONDE_LOAD_COORDINATION_H
#define SONDE_LOAD_COORDINATION_H

#include "load/result.h"
#include "spec/spec.h"

enum {
    SONDE_LOAD_RUNNERS_MAX = 100,
    SONDE_LOAD_LEAD_MAX = 120,           /* seconds that a runner may be ahead of another */
    SONDE_LOAD_PENDING_MAX = 16 << 20,   /* bytes of seconds that some runner has not sent */
    SONDE_LOAD_SILENCE_SECONDS = 60,     /* a runner that says nothing is lost then */
    SONDE_LOAD_PLACE_SIZE = 254,         /* bytes of a pod's or node's name with its NUL */
    SONDE_LOAD_WORD_SIZE = 64,           /* of a reason */
    SONDE_LOAD_MESSAGE_SIZE = 512,       /* of what is said of it */
    SONDE_LOAD_SHOWN_SECONDS = 600,      /* that are still told one by one */
    SONDE_LOAD_COORDINATION_VERSION = 4, /* of what is saved */
};
/* All runners begin so long after the last of them was ready, at least. */
#define SONDE_LOAD_NOTICE_US INT64_C(500000)

struct sonde_load_coordination;

struct sonde_load_coordination_options {
    const struct sonde_load_test *test; /* borrowed */
    const char *title, *url;            /* of the result; copied */
    uint64_t seed;                      /* below 2^53 */
    int64_t now_us;
};

/* SONDE_EINVALID where a threshold is none, SONDE_ELIMIT, SONDE_ENOMEM. The caller calls
 * sonde_load_coordination_free. */
int sonde_load_coordination_new(const struct sonde_load_coordination_options *options,
                                struct sonde_load_coordination **ret,
                                struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_load_coordination_free(struct sonde_load_coordination *coordination);

/* ---- what runners say ---- */

/* A runner that is there, and asks when to begin. Texts are borrowed for the call. */
struct sonde_load_ready {
    unsigned runner, round;
    int64_t offset_us, uncertainty_us; /* of its clock against ours */
    const struct sonde_load_label *labels;
    size_t label_count;
    const char *pod, *node;
};

enum sonde_load_answer_kind {
    SONDE_LOAD_WAIT,  /* not all are ready: ask again */
    SONDE_LOAD_BEGIN, /* at start_us */
    SONDE_LOAD_OVER,  /* there is nothing more to do */
};

struct sonde_load_answer_ready {
    enum sonde_load_answer_kind kind;
    unsigned round;
    int64_t start_us; /* the beginning of the warm-up, if there is one */
    int64_t from_us;  /* of one that takes another's place: from the start; slots before are not
                         its. 0: it has all */
    uint64_t sent;    /* … and requests of its share that were sent before it */
    bool is_search;   /* rate and seconds are of this round */
    int64_t rate, seconds;
    int64_t warm_up_seconds;
    uint64_t seed;
    const char *reason, *message; /* of SONDE_LOAD_OVER: "" where it has gone well */
};

/* Calls that change something which must outlast a restart set *ret_changed: true.
 * SONDE_ENOTFOUND: there is no such runner; SONDE_ECONFLICT for a round that is over or not yet;
 * SONDE_EINVALID for labels that are not those of the others (the test has ended then, and it is
 * changed). */
int sonde_load_coordination_ready(struct sonde_load_coordination *c,
                                  const struct sonde_load_ready *ready, int64_t now_us,
                                  struct sonde_load_answer_ready *ret, bool *ret_changed,
                                  struct sonde_err *err) SONDE_MUST_CHECK;

/* What a runner that was ready is told by now; nothing changes. False: it is not there any more, as
 * it was lost or the round is over, and would have to say again that it is ready. */
bool sonde_load_coordination_answer(const struct sonde_load_coordination *c, unsigned runner,
                                    struct sonde_load_answer_ready *ret);

/* Whether a process of the runner was ready, and is not known to have ended. */
bool sonde_load_coordination_is_there(const struct sonde_load_coordination *c, unsigned runner);

/* What came of a second. */
struct sonde_load_sent {
    unsigned runner, round;
    uint64_t sequence; /* from 0 */
    int64_t end_us;    /* from the measured start; of a warm-up, from its beginning */
    bool warm_up;
    int64_t started_us;     /* so long after the named start the runner began */
    struct sonde_str tally; /* an archive of it */
};
/* *ret_stop: the runner is to end the round. The same again changes nothing. SONDE_EGONE for a gap,
 * with *ret_expected; SONDE_EBUSY while others are too far behind; SONDE_ECONFLICT, SONDE_ENOTFOUND
 * as before; SONDE_EPARSE, SONDE_ENOMEM. */
int sonde_load_coordination_interval(struct sonde_load_coordination *c,
                                     const struct sonde_load_sent *sent, int64_t now_us,
                                     bool *ret_stop, uint64_t *ret_expected, bool *ret_changed,
                                     struct sonde_err *err) SONDE_MUST_CHECK;

/* A runner's round is over. Its totals are of what this process sent after the warm-up. */
struct sonde_load_done {
    unsigned runner, round;
    uint64_t intervals;
    uint64_t sent, answered, failed, censored, unsent;
    int64_t duration_us, cpu_us, throttled_us;
    unsigned threads, connections;
    bool stopped;
    const char *invalid; /* why what it measured cannot be believed; "": it can */
};
/* *ret_next: there may be another round. */
int sonde_load_coordination_done(struct sonde_load_coordination *c,
                                 const struct sonde_load_done *done, int64_t now_us, bool *ret_next,
                                 bool *ret_changed, struct sonde_err *err) SONDE_MUST_CHECK;

/* ---- what others say ---- */

/* A runner has ended. */
struct sonde_load_lost {
    unsigned runner;
    bool final;      /* by its own word: another in its place would, too */
    const char *pod; /* whose process it was; "": that which is there. What is said of one that
                        another has taken the place of, or is said twice, changes nothing */
    const char *reason, *message;
};
/* SONDE_ENOTFOUND, SONDE_ENOMEM. *ret_replaced: another may take its place. */
int sonde_load_coordination_lost(struct sonde_load_coordination *c,
                                 const struct sonde_load_lost *lost, int64_t now_us,
                                 bool *ret_replaced, bool *ret_changed,
                                 struct sonde_err *err) SONDE_MUST_CHECK;
/* All runners are to end now. */
int sonde_load_coordination_cancel(struct sonde_load_coordination *c, int64_t now_us,
                                   bool *ret_changed, struct sonde_err *err) SONDE_MUST_CHECK;
/* activeDeadlineSeconds may have passed. */
int sonde_load_coordination_expire(struct sonde_load_coordination *c, int64_t now_us,
                                   bool *ret_changed, struct sonde_err *err) SONDE_MUST_CHECK;
/* A runner that is to be given up by now: sonde_load_coordination_lost. False: none. To be asked
 * about each second. Texts are static. */
struct sonde_load_silent {
    unsigned runner;
    bool final;
    const char *reason, *message;
};
bool sonde_load_coordination_silent(const struct sonde_load_coordination *c, int64_t now_us,
                                    struct sonde_load_silent *ret);
/* A runner gave a sign of life; that is not kept. */
void sonde_load_coordination_heard(struct sonde_load_coordination *c, unsigned runner,
                                   int64_t now_us);
/* After a restart: all get their time anew. */
void sonde_load_coordination_resumed(struct sonde_load_coordination *c, int64_t now_us);

/* ---- how it goes ---- */

enum sonde_load_phase { SONDE_LOAD_WAITING, SONDE_LOAD_RUNNING, SONDE_LOAD_ENDED };
const char *sonde_load_phase_name(enum sonde_load_phase phase); /* "Waiting", "Running", "Over" */

struct sonde_load_state {
    enum sonde_load_phase phase;
    unsigned round;
    unsigned runners, ready, active, lost;
    int64_t seconds; /* of the measured time that all have sent */
    uint64_t requests;
    double rate, error_rate; /* of the last second; of all */
    int64_t p50_us, p99_us;  /* of all */
    bool profile_due, stopped, cancelled;
    const char *reason, *message; /* borrowed; "" while nothing is wrong */
};
void sonde_load_coordination_state(const struct sonde_load_coordination *c,
                                   struct sonde_load_state *ret);
/* Whether a runner of that round is to end it. */
bool sonde_load_coordination_stops(const struct sonde_load_coordination *c, unsigned round);

struct sonde_load_shown {
    unsigned round;
    int64_t second; /* from 1; it ended then */
    uint64_t sent, answered, failed;
    int64_t p50_us, p99_us;
};
/* The number of seconds so far, of all rounds; and one that is not too long ago, or NULL. */
uint64_t sonde_load_coordination_shown(const struct sonde_load_coordination *c);
const struct sonde_load_shown *
sonde_load_coordination_second(const struct sonde_load_coordination *c, uint64_t number);
/* How many parts a tally has; 0 before any runner was ready. */
size_t sonde_load_coordination_labels(const struct sonde_load_coordination *c);
/* Thresholds, as they stand. */
const struct sonde_load_verdict *
sonde_load_coordination_verdicts(const struct sonde_load_coordination *c, size_t *ret_count);

/* ---- the end ---- */

struct sonde_load_loss {
    unsigned runner;
    int64_t second; /* of the measured time; -1: before it */
    bool replaced;
    char pod[SONDE_LOAD_PLACE_SIZE]; /* "": nobody knows */
    char reason[SONDE_LOAD_WORD_SIZE];
    char message[SONDE_LOAD_MESSAGE_SIZE];
};

struct sonde_load_conclusion {
    bool succeeded;
    char reason[SONDE_LOAD_WORD_SIZE]; /* a word of spec/reason.h; Completed when it succeeded */
    char message[SONDE_LOAD_MESSAGE_SIZE];
    int64_t start_skew_us; /* between the first and the last runner */
    unsigned lost;
    struct sonde_load_result *result; /* borrowed; NULL: nothing was ever begun */
};

/* Ends the test, whatever it was doing: after that nothing is taken any more. The result is as
 * `sonde load` makes it, but for how sure it is: sonde_load_result_weigh. SONDE_ENOMEM. */
int sonde_load_coordination_conclude(struct sonde_load_coordination *c, int64_t now_us,
                                     struct sonde_load_conclusion *ret,
                                     struct sonde_err *err) SONDE_MUST_CHECK;

/* ---- what outlasts a restart ---- */

/* Appends all of the state. The buffer's errors. */
int sonde_load_coordination_save(struct sonde_load_coordination *c, struct sonde_buf *buf,
                                 struct sonde_err *err) SONDE_MUST_CHECK;
/* Makes a new one's state that which was saved of the same test. SONDE_EVERSION when another
 * version has saved it, SONDE_EPARSE, SONDE_ENOMEM: it is of no use then. */
int sonde_load_coordination_restore(struct sonde_load_coordination *c, struct sonde_str saved,
                                    struct sonde_err *err) SONDE_MUST_CHECK;

#endif
