/* SPDX-License-Identifier: Apache-2.0 */
#include "load/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "load/exchange.h"
#include "load/safety.h"
#include "load/share.h"

/* All threads, and what they hand over. */
struct engine {
    const struct sonde_load_plan *plan;
    const struct sonde_load_watcher *watcher;
    struct sonde_load_outcome *outcome;
    struct worker *workers;
    struct sonde_load_tally
        *tallies; /* of each phase two of each worker, and one of the interval */
    size_t phases;
    unsigned count, started;
    int wake; /* an eventfd that all threads poll */
    pthread_mutex_t lock;
    pthread_cond_t handed;
};

/* ---- one worker ---- */

static int make_tables(struct worker *w, struct sonde_err *err)
{
    const struct sonde_load_plan *plan = w->plan;
    w->origins = calloc(plan->origin_count, sizeof(*w->origins));
    w->connections = calloc(w->most, sizeof(*w->connections));
    w->flights = calloc((size_t)w->most * plan->pipelining, sizeof(*w->flights));
    w->buffer = malloc(SONDE_RESPONSE_HEAD_MAX + WORKER_READ_SIZE);
    if (!w->origins || !w->connections || !w->flights || !w->buffer) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for %u connections", w->most);
    }
    for (uint32_t i = 0; i < w->most; i++) {
        w->connections[i] = (struct connection){
            .transport = {.fd = -1},
            .next = WORKER_NONE,
            .origin = (uint32_t)((w->share.part + i * w->share.parts) % plan->origin_count),
            .flights = &w->flights[(size_t)i * plan->pipelining],
            .in = SONDE_BUF(SONDE_RESPONSE_HEAD_MAX),
            .out = SONDE_BUF(SIZE_MAX / 2),
        };
    }
    return 0;
}

static int make_origins(struct worker *w, struct sonde_err *err)
{
    int r = 0;
    for (size_t i = 0; i < w->plan->origin_count && r == 0; i++) {
        w->origins[i].address = w->share.part;
        const struct sonde_load_origin *origin = &w->plan->origins[i];
        enum sonde_http_version version = origin->websocket ? SONDE_HTTP_1_1 : w->plan->version;
        r = transport_tls_init(&w->origins[i].tls, &origin->tls, version, err);
    }
    return r;
}

static int make_poll(struct engine *e, struct worker *w, struct sonde_err *err)
{
    /* Told once: it stays readable for all the others. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = WORKER_NONE};
    w->poll = epoll_create1(EPOLL_CLOEXEC);
    return w->poll < 0 || epoll_ctl(w->poll, EPOLL_CTL_ADD, e->wake, &event) < 0
               ? sonde_fail(err, SONDE_EIO, errno, "poll sockets")
               : 0;
}

static int64_t next_of(struct sonde_arrivals *arrivals)
{
    int64_t at;
    return sonde_arrivals_next(arrivals, &at) ? at : INT64_MAX;
}

/* When it sends, in an open model: its own slots, but for those that were another's. */
static int plan_arrivals(struct worker *w, struct sonde_err *err)
{
    const struct sonde_load_plan *plan = w->plan;
    const struct sonde_load_share *share = &w->share;
    int r = sonde_arrivals_init(&w->arrivals, &plan->arrival, plan->warm_up_seconds, share->part,
                                share->parts, plan->seed + share->part, err);
    if (r < 0) {
        return r;
    }
    w->length_ns = sonde_arrivals_end(&w->arrivals);
    if (share->idle) {
        w->arrivals.left = w->arrivals.left == UINT64_MAX ? UINT64_MAX : 0;
        return 0;
    }
    do {
        w->ahead = w->arrivals;
        w->ahead_ns = next_of(&w->ahead);
        w->next_ns = next_of(&w->arrivals);
    } while (w->next_ns < plan->from_ns);
    return 0;
}

/* What it has of the plan. */
static int plan_worker(struct worker *w, struct sonde_err *err)
{
    const struct sonde_load_plan *plan = w->plan;
    const struct sonde_arrival *arrival = &plan->arrival;
    bool timed = arrival->duration_seconds != SONDE_SPEC_ABSENT;
    int64_t warm_ns = plan->warm_up_seconds * SONDE_SECOND;
    w->open_model = arrival->stages.count || arrival->rate != SONDE_SPEC_ABSENT;
    w->wanted = w->share.connections;
    w->most = w->open_model ? w->share.connections_max : w->wanted;
    w->left = w->share.amount;
    w->next_ns = w->ahead_ns = INT64_MAX;
    w->length_ns = timed ? arrival->duration_seconds * SONDE_SECOND + warm_ns : INT64_MAX;
    return w->open_model ? plan_arrivals(w, err) : 0;
}

/* What it has to be told once all are made, which may take a while. */
static void set_start(struct worker *w, int64_t now_ns, int64_t start_ns)
{
    const struct sonde_load_plan *plan = w->plan;
    int64_t begin_ns = plan->missed_ns > plan->from_ns ? plan->missed_ns : plan->from_ns;
    w->start_ns = start_ns;
    w->begin_ns = start_ns + begin_ns;
    w->now_ns = w->swept_ns = w->reopen_ns = now_ns;
    w->warm_ns = start_ns + plan->warm_up_seconds * SONDE_SECOND;
    w->interval_ns = start_ns + (begin_ns / w->step_ns + 1) * w->step_ns;
    w->end_ns = w->length_ns == INT64_MAX ? INT64_MAX : start_ns + w->length_ns;
}

/* The length of an interval. */
static int64_t step_of(const struct sonde_load_plan *plan)
{
    return plan->sample_ns > 0 && plan->sample_ns < SONDE_SECOND ? plan->sample_ns : SONDE_SECOND;
}

static int make_worker(struct engine *e, unsigned number, struct sonde_err *err)
{
    struct worker *w = &e->workers[number];
    struct sonde_load_tally *tallies = e->tallies + 2 * e->phases * number;
    *w = (struct worker){.plan = e->plan,
                         .share = sonde_load_share_of(e->plan, number),
                         .poll = -1,
                         .step_ns = step_of(e->plan),
                         .drained_ns = INT64_MAX,
                         .late_ns = INT64_MAX,
                         .sending = true,
                         .first_free = WORKER_NONE,
                         .last_free = WORKER_NONE,
                         .filled = SONDE_BUF(SONDE_LOAD_MESSAGE_MAX),
                         .body = SONDE_BUF(SONDE_LOAD_MESSAGE_MAX),
                         .framed = SONDE_BUF(SIZE_MAX / 2),
                         .phases = tallies,
                         .live = tallies + e->phases - 1,
                         .ready = tallies + e->phases,
                         .lock = &e->lock,
                         .handed = &e->handed};
    int r = plan_worker(w, err);
    r = r < 0 ? r : make_poll(e, w, err);
    r = r < 0 ? r : make_tables(w, err);
    r = r < 0 ? r : make_origins(w, err);
    return r < 0 ? r : exchange_init(w, err);
}

static void free_worker(struct worker *w)
{
    sonde_closep(&w->poll);
    for (size_t i = 0; w->origins && i < w->plan->origin_count; i++) {
        transport_tls_fini(&w->origins[i].tls);
    }
    exchange_fini(w);
    free(w->origins);
    free(w->connections);
    free(w->flights);
    free(w->buffer);
    sonde_buf_fini(&w->filled);
    sonde_buf_fini(&w->body);
    sonde_buf_fini(&w->framed);
}

/* ---- all of them ---- */

static void stop_all(struct engine *e)
{
    const uint64_t one = 1;
    for (unsigned i = 0; i < e->count; i++) {
        atomic_store(&e->workers[i].stop, true);
    }
    ssize_t written = write(e->wake, &one, sizeof(one));
    (void)written; /* it can only be full, and then it wakes all the same */
}

/* Every worker has handed over an interval, or its last. */
static bool all_handed(const struct engine *e)
{
    for (unsigned i = 0; i < e->started; i++) {
        if (!e->workers[i].is_ready && !e->workers[i].finished) {
            return false;
        }
    }
    return true;
}

/* With the lock: all have begun, and by how much the last one did so late. */
static bool has_begun(const struct engine *e, int64_t *ret_late_ns)
{
    bool all = true;
    *ret_late_ns = 0;
    for (unsigned i = 0; i < e->started; i++) {
        int64_t late_ns = e->workers[i].late_ns;
        all = all && late_ns != INT64_MAX;
        *ret_late_ns = late_ns > *ret_late_ns ? late_ns : *ret_late_ns;
    }
    return all;
}

/* With the lock: what was handed over goes into one tally of each phase. True: that was all. */
static bool fetch(struct engine *e, struct sonde_load_tally *interval, int64_t *ret_end_ns)
{
    bool finished = true;
    for (unsigned i = 0; i < e->started; i++) {
        struct worker *w = &e->workers[i];
        if (w->is_ready) {
            for (size_t k = 0; k < e->phases; k++) {
                sonde_load_tally_add(&interval[k], &w->ready[k]);
                sonde_load_tally_clear(&w->ready[k]);
            }
            w->is_ready = false;
            *ret_end_ns = w->ready_ns > *ret_end_ns ? w->ready_ns : *ret_end_ns;
        }
        finished = finished && w->finished;
    }
    (void)pthread_cond_broadcast(&e->handed);
    return finished;
}

static void wait_a_while(struct engine *e)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 20 * SONDE_MILLISECOND;
    until.tv_sec += until.tv_nsec / SONDE_SECOND;
    until.tv_nsec %= SONDE_SECOND;
    (void)pthread_cond_timedwait(&e->handed, &e->lock, &until);
}

static void take_warm_up(struct engine *e, int64_t end_ns, struct sonde_load_tally *interval)
{
    const struct sonde_load_watcher *watcher = e->watcher;
    sonde_load_tally_add(&e->outcome->warm_up, interval);
    if (watcher && watcher->warm_up && end_ns <= e->outcome->warm_up_ns + step_of(e->plan) / 2) {
        watcher->warm_up(watcher->context, end_ns, interval);
    }
    sonde_load_tally_clear(interval);
}

static void take(struct engine *e, int64_t end_ns, struct sonde_load_tally *interval)
{
    const struct sonde_load_watcher *watcher = e->watcher;
    sonde_load_tally_add(&e->outcome->tally, interval);
    if (watcher && watcher->interval) {
        watcher->interval(watcher->context, end_ns, interval);
    }
    sonde_load_tally_clear(interval);
}

static void watch(struct engine *e)
{
    struct sonde_load_tally *interval = e->tallies + 2 * e->phases * e->count;
    const struct sonde_load_watcher *watcher = e->watcher;
    int64_t warm_ns = e->outcome->warm_up_ns;
    bool asked = false;
    bool told = !watcher || !watcher->started;
    for (bool finished = false; !finished;) {
        int64_t end_ns = 0;
        int64_t late_ns;
        (void)pthread_mutex_lock(&e->lock);
        while (!all_handed(e)) {
            if (watcher && watcher->stop && !asked && atomic_load(watcher->stop)) {
                asked = true;
                stop_all(e);
            }
            wait_a_while(e);
        }
        finished = fetch(e, interval, &end_ns);
        bool begun = has_begun(e, &late_ns);
        (void)pthread_mutex_unlock(&e->lock);
        if (begun && !told) {
            told = true;
            watcher->started(watcher->context, late_ns);
        }
        if (warm_ns) {
            take_warm_up(e, end_ns, &interval[WORKER_WARM_UP]);
        }
        /* What the last step of the warm-up has beyond its end is of the next one. */
        const struct sonde_load_tally *measured = &interval[WORKER_MEASURED];
        bool measures = warm_ns == 0 || end_ns > warm_ns + step_of(e->plan) / 2;
        if (measures || (finished && measured->sent + measured->unsent > 0)) {
            take(e, end_ns > warm_ns ? end_ns - warm_ns : 0, interval);
        }
    }
}

static int start_all(struct engine *e, struct sonde_err *err)
{
    int r = 0;
    for (unsigned i = 0; i < e->count && r == 0; i++) {
        r = make_worker(e, i, err);
    }
    int64_t now_ns = sonde_clock_monotonic();
    int64_t start_ns = e->plan->start_ns ? e->plan->start_ns : now_ns;
    e->outcome->start_ns = sonde_clock_realtime() + (start_ns - now_ns) + e->outcome->warm_up_ns;
    for (unsigned i = 0; i < e->count && r == 0; i++) {
        set_start(&e->workers[i], now_ns, start_ns);
    }
    for (; e->started < e->count && r == 0; e->started++) {
        struct worker *w = &e->workers[e->started];
        int code = pthread_create(&w->thread, NULL, worker_run, w);
        if (code) {
            r = sonde_fail(err, SONDE_EIO, code, "start a thread");
            break;
        }
    }
    return r;
}

static int run_all(struct engine *e, struct sonde_err *err)
{
    int r = start_all(e, err);
    if (r < 0) {
        stop_all(e);
    }
    if (e->started) {
        watch(e);
    }
    for (unsigned i = 0; i < e->started; i++) {
        struct worker *w = &e->workers[i];
        (void)pthread_join(w->thread, NULL);
        struct sonde_load_outcome *outcome = e->outcome;
        outcome->cpu_ns += w->cpu_ns;
        outcome->stopped = outcome->stopped || w->stopped;
        int64_t sent_ns = w->ended_ns - outcome->warm_up_ns;
        outcome->duration_ns = sent_ns > outcome->duration_ns ? sent_ns : outcome->duration_ns;
        if (r == 0 && w->err.code) {
            r = w->err.code;
            if (err) {
                *err = w->err;
            }
        }
    }
    return r;
}

static int make_tally(const struct sonde_load_plan *plan, struct sonde_load_tally *tally,
                      struct sonde_err *err)
{
    int r = sonde_load_tally_init(tally, err);
    return r < 0 ? r : sonde_load_tally_divide(tally, plan->labels, plan->label_count, err);
}

static int make_engine(struct engine *e, struct sonde_err *err)
{
    pthread_condattr_t attributes;
    size_t tallies = e->phases * (2 * (size_t)e->count + 1);
    e->workers = calloc(e->count, sizeof(*e->workers));
    e->tallies = calloc(tallies, sizeof(*e->tallies));
    e->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!e->workers || !e->tallies) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "a load test: out of memory");
    }
    if (e->wake < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "make an eventfd");
    }
    for (unsigned i = 0; i < e->count; i++) {
        e->workers[i].poll = -1;
    }
    (void)pthread_mutex_init(&e->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&e->handed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    int r = make_tally(e->plan, &e->outcome->tally, err);
    r = r < 0 ? r : sonde_load_tally_init(&e->outcome->warm_up, err);
    for (size_t i = 0; i < tallies && r == 0; i++) {
        bool measured = i % e->phases == WORKER_MEASURED; /* nobody asks for parts of the other */
        r = measured ? make_tally(e->plan, &e->tallies[i], err)
                     : sonde_load_tally_init(&e->tallies[i], err);
    }
    return r;
}

static void free_engine(struct engine *e)
{
    for (unsigned i = 0; e->workers && i < e->count; i++) {
        free_worker(&e->workers[i]);
    }
    size_t tallies = e->phases * (2 * (size_t)e->count + 1);
    for (size_t i = 0; e->tallies && i < tallies; i++) {
        sonde_load_tally_fini(&e->tallies[i]);
    }
    free(e->workers);
    free(e->tallies);
    sonde_closep(&e->wake);
}

static int check_safety(const struct sonde_load_plan *plan, struct sonde_err *err)
{
    int r = 0;
    for (size_t i = 0; i < plan->origin_count && r == 0; i++) {
        const char *host = plan->origins[i].host;
        r = host ? sonde_load_safety_check(plan->safety, host, &plan->arrival, err) : 0;
    }
    return r;
}

int sonde_load_run(const struct sonde_load_plan *plan, const struct sonde_load_watcher *watcher,
                   struct sonde_load_outcome *ret, struct sonde_err *err)
{
    struct engine engine = {.plan = plan,
                            .watcher = watcher,
                            .outcome = ret,
                            .phases = plan->warm_up_seconds ? WORKER_PHASES : 1,
                            .count = sonde_load_share_threads(plan)};
    *ret = (struct sonde_load_outcome){.warm_up_ns = plan->warm_up_seconds * SONDE_SECOND};
    int r = check_safety(plan, err);
    if (r < 0) {
        return r;
    }
    r = make_engine(&engine, err);
    r = r < 0 ? r : run_all(&engine, err);
    free_engine(&engine);
    return r;
}

void sonde_load_outcome_fini(struct sonde_load_outcome *outcome)
{
    sonde_load_tally_fini(&outcome->tally);
    sonde_load_tally_fini(&outcome->warm_up);
}
