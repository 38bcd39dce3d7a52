/* SPDX-License-Identifier: Apache-2.0 */
/* The runner: what its parts share. It sends the load of a LoadTest from a pod, together with other
 * runners, as the store tells it; it talks to the store and to what is loaded, to nothing else. */
#ifndef SONDE_RUNNER_RUNNER_H
#define SONDE_RUNNER_RUNNER_H

#include <pthread.h>

#include "base/arena.h"
#include "base/log.h"
#include "codec/json.h"
#include "load/engine.h"
#include "load/site.h"
#include "spec/spec.h"
#include "uplink/uplink.h"

enum {
    RUNNER_COUNT_MAX = 100,              /* of one test */
    RUNNER_TOKENS_MAX = 32 << 10,        /* bytes of all runners' tokens */
    RUNNER_SECRET_MAX = 64 << 10,        /* bytes of a secret */
    RUNNER_PLACE_MAX = 253,              /* characters of a pod's or node's name */
    RUNNER_THREADS_MAX = 16,             /* that send */
    RUNNER_CLOCK_SAMPLES = 16,           /* of the store's clock */
    RUNNER_WAITING_BYTES_MAX = 16 << 20, /* of seconds that the store has not taken */
    RUNNER_DOCUMENT_MAX = 4 << 20,       /* bytes of the store's answer that has it */
};

/* ---- settings.c: from the environment ---- */

struct settings {
    struct sonde_uplink uplink;
    char target[32]; /* "runner-3" */
    unsigned number;
    const char *pod, *node; /* "": not known */
    const char *files;      /* the directory of ConfigMaps and the client's certificate */
};

/* Takes the token of its number, and overwrites all of them in the environment. SONDE_EINVALID
 * names what is wrong. The caller calls settings_fini in any case. */
int settings_read(struct settings *ret, struct sonde_err *err) SONDE_MUST_CHECK;
void settings_fini(struct settings *settings);

/* ---- clock.c: the store's clock ---- */

struct store_clock {
    int64_t offset_ns;      /* the store's realtime clock − our monotonic one */
    int64_t uncertainty_ns; /* it is as much wrong, at most */
    unsigned samples;
};

/* The store said `store_us` in an answer that came at answered_ns, to what was asked at asked_ns
 * (monotonic): the fastest of all samples counts. */
void store_clock_add(struct store_clock *clock, int64_t asked_ns, int64_t answered_ns,
                     int64_t store_us);
/* A moment of the store's clock in µs as one of our monotonic clock, in ns. */
int64_t store_clock_local(const struct store_clock *clock, int64_t store_us);

/* ---- order.c: what the store wants next ---- */

enum order_kind { ORDER_WAIT, ORDER_BEGIN, ORDER_OVER };

/* The answer of `ready`. Absent numbers are SONDE_SPEC_ABSENT. */
struct order {
    enum order_kind kind;
    int64_t round, start_us, from_us, sent, rate, seconds, warm_up_seconds, seed;
    char reason[64], message[256]; /* of ORDER_OVER */
};

/* SONDE_EPARSE, SONDE_EINVALID for numbers that cannot be. */
int order_read(const cJSON *json, struct order *ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* A plan for this order. now_ns: monotonic. Who learns of its start when that is long past, begins
 * with the next whole second, and has missed what was due until then. */
void order_apply(const struct order *order, const struct store_clock *clock, int64_t now_ns,
                 struct sonde_load_plan *plan);

/* ---- work.c: what is sent ---- */

struct work {
    struct sonde_spec_documents documents;
    const struct sonde_load_test *test;
    struct sonde_arena arena;
    struct sonde_load_site site;
    struct sonde_load_addresses addresses;
    struct sonde_load_scenario scenario;
    struct sonde_load_origin origin;
    struct sonde_buf certificate, key;
    struct sonde_load_label labels[SONDE_LOAD_LABELS_MAX];
    struct sonde_load_plan plan; /* of the whole test, with our part of it */
};

/* Of the store's answer: the document, and how many runners there are. Reads secrets (and
 * overwrites them in the environment) and files. SONDE_EDENIED HostNotAllowed; SONDE_EPARSE,
 * SONDE_EINVALID, SONDE_ENOTFOUND and SONDE_EIO of files, SONDE_ELIMIT, SONDE_ENOMEM. No message
 * tells a secret. The work stays where it is; the caller calls work_fini in any case. */
int work_make(const struct settings *settings, const cJSON *answer, struct work *ret,
              struct sonde_err *err) SONDE_MUST_CHECK;
void work_fini(struct work *work);

/* Then: its addresses, the answer's where it loads pods themselves. Blocks. SONDE_ENETWORK: it may
 * be tried again; the errors of work_addresses, SONDE_ENOMEM. */
int work_resolve(struct work *work, const cJSON *answer, struct sonde_err *err) SONDE_MUST_CHECK;
/* Then: what results tell apart. SONDE_ELIMIT. */
int work_label(struct work *work, struct sonde_err *err) SONDE_MUST_CHECK;

/* Makes addresses of [{"address":"10.1.2.3:80","name":"pod-a"}…]: names are the tree's.
 * SONDE_EINVALID with the one that is wrong, SONDE_ELIMIT. Pure. */
int work_addresses(const cJSON *list, struct sonde_load_addresses *ret,
                   struct sonde_err *err) SONDE_MUST_CHECK;

/* ---- words.c: what we say to the store ---- */

/* How a round went. */
struct account {
    unsigned round;
    uint64_t intervals;
    const struct sonde_load_plan *plan;
    const struct sonde_load_outcome *outcome;
    int64_t throttled_ns;
    const struct settings *settings;
};

void print_ready(const struct settings *settings, const struct work *work, unsigned round,
                 const struct store_clock *clock, struct sonde_buf *buf);
/* late_ns: since when we are late; -1: that was said. SONDE_ENOMEM, the buffer's errors. */
int print_interval(unsigned round, uint64_t sequence, int64_t end_ns, bool warm_up, int64_t late_ns,
                   const struct sonde_load_tally *tally, struct sonde_buf *buf,
                   struct sonde_err *err) SONDE_MUST_CHECK;
void print_done(const struct account *account, struct sonde_buf *buf);
/* What ends us: for the store, and as the termination message. */
void print_end(const char *state, const char *reason, const char *message, struct sonde_buf *buf);
/* Why what we measured cannot be believed; false: it can. */
bool find_invalid(const struct account *account, char *ret, size_t size);

/* ---- queue.c: seconds that the store has not taken yet ---- */

struct second {
    struct second *next;
    struct sonde_buf body;
};

/* Between the thread that hears of seconds and that which sends them. */
struct queue {
    pthread_mutex_t lock;
    struct second *first, **last;
    size_t bytes;
};

void queue_init(struct queue *queue);
void queue_fini(struct queue *queue);
/* Takes over the buffer. SONDE_ELIMIT when too much waits, SONDE_ENOMEM. */
int queue_put(struct queue *queue, struct sonde_buf *body, struct sonde_err *err) SONDE_MUST_CHECK;
/* The oldest, which stays until queue_drop; NULL: there is none. */
const struct second *queue_first(struct queue *queue);
void queue_drop(struct queue *queue);

/* ---- talk.c: with the store ---- */

struct talk;

struct talk_options {
    struct sonde_loop *loop;
    const struct settings *settings;
    struct queue *queue;
    void *context;
    /* The store wants the round to end; or all of it: `cancel`. */
    void (*stop)(void *context, bool cancel);
    /* A second was refused, or the store is away for too long. */
    void (*failed)(void *context, const struct sonde_err *err);
    /* All seconds of the queue are with the store. */
    void (*delivered)(void *context);
};

int talk_new(const struct talk_options *options, struct talk **ret,
             struct sonde_err *err) SONDE_MUST_CHECK;
void talk_free(struct talk *talk);

/* Asks, again and again while the store cannot be reached, and runs the loop until there is an
 * answer: *ret is the caller's. SONDE_ECANCELLED when it was interrupted; what the store refuses;
 * SONDE_ENETWORK StoreUnreachable. */
struct talk_question {
    const char *method, *path;
    struct sonde_str body;
    int64_t wait_ns;     /* the store takes that long to answer, at most, by itself */
    int64_t patience_ns; /* … and may be away */
    size_t answer_max;   /* bytes; 0: few */
};
int talk_ask(struct talk *talk, const struct talk_question *question, cJSON **ret,
             struct sonde_err *err) SONDE_MUST_CHECK;
/* When the last answer was asked for and came, monotonic. */
void talk_times(const struct talk *talk, int64_t *ret_asked_ns, int64_t *ret_answered_ns);
/* Ends the question under way, and those to come until talk_resume. */
void talk_interrupt(struct talk *talk);
void talk_resume(struct talk *talk);
/* Waits for orders of a round, from now on. */
void talk_listen(struct talk *talk, unsigned round);
/* There is something in the queue. */
void talk_push(struct talk *talk);

#endif
