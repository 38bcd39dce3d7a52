/* SPDX-License-Identifier: Apache-2.0 */
/* Load tests that go on, as the service has them: shared by store/load*.c alone. */
#ifndef SONDE_STORE_LOADS_H
#define SONDE_STORE_LOADS_H

#include "store/load_kept.h"
#include "store/service.h"

enum {
    LOADS_MAX = 64,              /* at a time */
    LOAD_RUNNERS_MAX = 300,      /* of all of them: each has up to three connections */
    LOAD_EVENTS_MAX = 1024,      /* of one transaction */
    LOAD_POLLS_MAX = 1024,       /* that wait, of all tests */
    LOAD_WATCHERS_MAX = 64,      /* of these: people */
    LOAD_WAIT_SECONDS_MAX = 20,  /* a runner's long poll: it is silent meanwhile */
    LOAD_STATE_BYTES = 32 << 20, /* of events: then the state takes their place */
    LOAD_EVENTS_BYTES_MAX = 2 * LOAD_STATE_BYTES, /* when it cannot: no more is taken */
    LOAD_ANSWER_MAX = 1 << 20,
    LOAD_RUNNER_SIZE = 20, /* bytes of "runner-N" */
};

/* One in memory. */
struct load_test {
    struct load_test *next;
    struct load_kept *kept;
    bool concluding;              /* its end is being written: nothing is taken any more */
    bool dirty;                   /* whoever waits for it may be answered */
    bool serving;                 /* … and is, now */
    struct sonde_load_state told; /* to the controller, but for its texts */
    uint64_t told_seconds;
    int64_t told_ns; /* monotonic */
    int64_t keep_ns; /* … its state could not be kept, and is not before */
};

/* A long poll, and what its query asks for. */
struct load_poll {
    struct call *call;
    unsigned runner;  /* that is ready */
    uint64_t since;   /* of `live`: seconds that are known */
    int64_t round;    /* of `orders`; -1: the one that goes on */
    int64_t until_ns; /* monotonic */
    bool ended;       /* it is to be let go */
};

/* An answer that waits until what it says is on the disk. */
struct load_answer {
    struct call *call;
    unsigned status;
    struct sonde_buf text;
};

struct loads {
    struct service *service;
    struct load_test *first;
    size_t count;
    int64_t ahead_us; /* of the monotonic clock: loads_now */
    struct sonde_timer *flush, *tick;
    bool flushing; /* the timer runs */
    struct sonde_load_event events[LOAD_EVENTS_MAX];
    char *bodies[LOAD_EVENTS_MAX]; /* theirs */
    char uids[LOAD_EVENTS_MAX][SONDE_UUID_SIZE];
    char runners[LOAD_EVENTS_MAX][LOAD_RUNNER_SIZE]; /* names of targets */
    size_t event_count;
    struct load_answer answers[LOAD_EVENTS_MAX + LOAD_POLLS_MAX];
    size_t answer_count;
    struct load_poll polls[LOAD_POLLS_MAX];
    size_t poll_count;
};

/* load.c */
/* In µs since 1970: as the realtime clock had it when the store began, and since then by the
 * monotonic one, so that nobody who sets a clock gives runners up or lets them wait. Never before
 * what is kept of a test. */
int64_t loads_now(const struct loads *loads);
/* The test of a run that has not ended, or NULL with an error. */
struct load_test *load_find(struct loads *loads, const char *uid, struct sonde_err *err);
/* Something is said: what comes of it is kept with the next transaction. After an error that leaves
 * the test in doubt it is forgotten, and read anew when it is asked for. */
int load_say(struct loads *loads, struct load_test *test, const struct load_said *said,
             struct load_effect *ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* Answers with the text, once all that was said is on the disk. */
void load_answer(struct loads *loads, struct call *call, unsigned status, struct sonde_str text);
/* The call waits for news of its test, for at most so many seconds, or is refused. */
void load_wait(struct loads *loads, const struct load_poll *poll, int64_t seconds);

/* load_calls.c */
/* What is answered to who waits, now; false: nothing yet. `over`: it does not wait any longer. */
bool load_poll_answer(const struct load_test *test, const struct load_poll *poll, bool over,
                      struct sonde_buf *ret);

#endif
