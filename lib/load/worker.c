/* SPDX-License-Identifier: Apache-2.0 */
#include "load/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "load/exchange.h"

enum {
    EVENTS = 256, /* of one wait */
    GROWTH = 64,  /* connections that are opened at once */
};

static const int64_t sweep_max_ns = 50 * SONDE_MILLISECOND;

/* ---- which connections can take a request ---- */

static void list_free(struct worker *w, uint32_t index)
{
    struct connection *c = &w->connections[index];
    if (c->listed) {
        return;
    }
    c->listed = true;
    c->next = WORKER_NONE;
    if (w->last_free == WORKER_NONE) {
        w->first_free = index;
    } else {
        w->connections[w->last_free].next = index;
    }
    w->last_free = index;
}

/* The one that has been free for longest; WORKER_NONE: none is. */
static uint32_t take_free(struct worker *w)
{
    while (w->first_free != WORKER_NONE) {
        uint32_t index = w->first_free;
        struct connection *c = &w->connections[index];
        w->first_free = c->next;
        w->last_free = w->first_free == WORKER_NONE ? WORKER_NONE : w->last_free;
        c->listed = false;
        if (connection_room(w, c)) {
            return index;
        }
    }
    return WORKER_NONE;
}

/* ---- the closed model: each connection sends when it can ---- */

static void send_all_it_can(struct worker *w, uint32_t index)
{
    struct connection *c = &w->connections[index];
    uint64_t count = 0;
    while (w->sending && w->left && (count = connection_room(w, c)) > 0) {
        SONDE_UNCLEARED int64_t intended[WORKER_BATCH];
        count = count < w->left ? count : w->left;
        uint32_t most = exchange_batch(w, c);
        count = count < most ? count : most;
        for (uint64_t i = 0; i < count; i++) {
            intended[i] = w->now_ns;
        }
        w->left -= w->left == UINT64_MAX || w->now_ns < w->warm_ns ? 0 : count;
        connection_send(w, index, intended, (uint32_t)count);
    }
}

void worker_freed(struct worker *worker, uint32_t index)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    if (c->state == CONNECTION_CLOSED) {
        uint64_t of_each = w->plan->requests_of_each;
        if (of_each && !c->used_up && c->taken + c->taken_before >= of_each) {
            c->used_up = true;
            w->used_up++;
        }
        bool again = index < w->wanted && w->sending && !c->used_up;
        c->retry_ns = again ? c->retry_ns : INT64_MAX;
        w->reopen_ns = again && c->retry_ns < w->reopen_ns ? c->retry_ns : w->reopen_ns;
    } else if (w->open_model) {
        list_free(w, index);
    } else if (w->begun) {
        send_all_it_can(w, index);
    }
}

/* By the start that it was to have, whenever it learned of it. */
static void tell_late(struct worker *w)
{
    w->late_ns = w->now_ns - (w->start_ns + w->plan->from_ns);
}

/* Connections that were opened before the start have waited for it. */
static void begin(struct worker *w)
{
    if (w->begun || w->now_ns < w->begin_ns) {
        return;
    }
    w->begun = true;
    tell_late(w);
    for (uint32_t i = 0; i < w->wanted && !w->open_model; i++) {
        if (w->connections[i].state == CONNECTION_OPEN) {
            send_all_it_can(w, i);
        }
    }
}

/* ---- the open model: due requests go to who is free ---- */

static int64_t next_of(struct sonde_arrivals *arrivals)
{
    int64_t at;
    return sonde_arrivals_next(arrivals, &at) ? at : INT64_MAX;
}

/* What was due before it knew of its start has nobody to send it. */
static void count_missed(struct worker *w)
{
    while (w->open_model && w->next_ns < w->plan->missed_ns) {
        int64_t intended = w->start_ns + w->next_ns;
        sonde_load_tally_unsent(worker_tally(w, intended), intended, w->begin_ns);
        w->ahead_ns = next_of(&w->ahead);
        w->next_ns = next_of(&w->arrivals);
    }
}

static void count_due(struct worker *w)
{
    while (w->ahead_ns <= w->now_ns - w->start_ns) {
        w->due++;
        w->ahead_ns = next_of(&w->ahead);
    }
}

static void send_due(struct worker *w)
{
    count_due(w);
    while (w->due && w->sending) {
        uint32_t index = take_free(w);
        if (index == WORKER_NONE) {
            w->busy_ns = w->now_ns;
            return;
        }
        int64_t intended = w->start_ns + w->next_ns;
        w->next_ns = next_of(&w->arrivals);
        w->due--;
        w->now_ns = sonde_clock_monotonic();
        int64_t could_ns = intended > w->busy_ns ? intended : w->busy_ns;
        worker_tally(w, intended)->late += w->now_ns - could_ns > SONDE_LOAD_LATE_NS;
        connection_send(w, index, &intended, 1);
        if (connection_room(w, &w->connections[index])) {
            list_free(w, index);
        }
        count_due(w);
    }
}

/* All are busy: another one for each request that waits, as long as there may be more. A server
 * that takes none is tried by those that there are. */
static void grow(struct worker *w)
{
    for (uint32_t i = 0; i < GROWTH && !w->failing && w->due > w->connecting && w->wanted < w->most;
         i++) {
        uint32_t index = w->wanted++;
        connection_open(w, index);
    }
}

/* ---- what time brings ---- */

static void reopen(struct worker *w)
{
    if (w->reopen_ns > w->now_ns) {
        return;
    }
    w->reopen_ns = INT64_MAX;
    for (uint32_t i = 0; i < w->wanted; i++) {
        struct connection *c = &w->connections[i];
        if (c->state != CONNECTION_CLOSED) {
            continue;
        }
        if (c->retry_ns <= w->now_ns) {
            connection_open(w, i);
        }
        bool waits = c->state == CONNECTION_CLOSED && c->retry_ns < w->reopen_ns;
        w->reopen_ns = waits ? c->retry_ns : w->reopen_ns;
    }
}

/* Those who have thought it over go on. */
static void end_pauses(struct worker *w)
{
    uint32_t index;
    while (thinking_take(&w->thinking, w->now_ns, &index)) {
        const struct connection *c = &w->connections[index];
        if (c->ready_ns > w->now_ns) {
            thinking_add(&w->thinking, index, c->ready_ns);
        } else if (connection_room(w, c)) {
            worker_freed(w, index);
            w->now_ns = sonde_clock_monotonic(); /* the others send later */
        }
    }
}

static int64_t sweep_distance(const struct worker *w)
{
    int64_t distance = w->plan->timeout_ns / 50;
    return distance < SONDE_MILLISECOND ? SONDE_MILLISECOND
           : distance > sweep_max_ns    ? sweep_max_ns
                                        : distance;
}

/* We have stood still, with the machine or by a signal: answers may have come that nobody has
 * looked at, and are not to be taken for missing. Once only, or a slow machine would have no time
 * limits. */
static bool is_excused(struct worker *w)
{
    enum { DISTANCES = 4 };
    w->excused = !w->excused && w->now_ns - w->swept_ns > DISTANCES * sweep_distance(w);
    int64_t again_ns = w->now_ns + sweep_distance(w);
    if (w->excused && !w->sending && w->drained_ns < again_ns) {
        w->drained_ns = again_ns;
    }
    return w->excused;
}

static void sweep(struct worker *w)
{
    if (w->now_ns - w->swept_ns < sweep_distance(w)) {
        return;
    }
    bool excused = is_excused(w);
    w->swept_ns = w->now_ns;
    if (excused) {
        return;
    }
    for (uint32_t i = 0; i < w->wanted; i++) {
        connection_check_time(w, i);
    }
}

/* Gives the interval to who watches, unless the last one is still with him. */
static void hand_over(struct worker *w, bool last)
{
    (void)pthread_mutex_lock(w->lock);
    while (last && w->is_ready) {
        (void)pthread_cond_wait(w->handed, w->lock);
    }
    if (!w->is_ready) {
        struct sonde_load_tally *done = w->phases;
        w->live = w->ready + (w->live - w->phases);
        w->phases = w->ready;
        w->ready = done;
        w->is_ready = true;
        w->ready_ns = w->now_ns - w->start_ns;
    }
    w->finished = last;
    (void)pthread_cond_broadcast(w->handed);
    (void)pthread_mutex_unlock(w->lock);
    w->interval_ns += w->step_ns;
}

/* ---- the loop ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What the thread has used so far. */
struct usage {
    int64_t cpu_ns;
    long lost; /* how often its CPU was taken from it */
};

static struct usage usage_now(void)
{
    struct rusage used;
    if (getrusage(RUSAGE_THREAD, &used) < 0) {
        return (struct usage){0};
    }
    int64_t micros = (int64_t)used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    int64_t seconds = (int64_t)used.ru_utime.tv_sec + used.ru_stime.tv_sec;
    return (struct usage){seconds * SONDE_SECOND + micros * SONDE_MICROSECOND, used.ru_nivcsw};
}

/* When the next request is due that can be sent then; INT64_MAX: there is none. */
static int64_t due_time(const struct worker *w)
{
    bool can = w->open_model && w->sending && w->ahead_ns != INT64_MAX &&
               (w->first_free != WORKER_NONE || w->wanted < w->most);
    return can ? w->start_ns + w->ahead_ns : INT64_MAX;
}

/* When something else is to be done, if nothing happens. */
static int64_t wake_time(const struct worker *w)
{
    int64_t at = least(w->interval_ns, w->sending ? w->end_ns : w->drained_ns);
    at = least(at, w->begun ? INT64_MAX : w->begin_ns);
    at = least(at, w->reopen_ns);
    at = least(at, w->sending ? thinking_next(&w->thinking) : INT64_MAX);
    return w->in_flight || w->connecting ? least(at, w->swept_ns + sweep_distance(w)) : at;
}

static int poll_until(struct worker *w, struct epoll_event *events, int64_t at_ns)
{
    int64_t wait_ns = at_ns > w->now_ns ? at_ns - w->now_ns : 0;
    const struct timespec wait = {wait_ns / SONDE_SECOND, wait_ns % SONDE_SECOND};
    int count = epoll_pwait2(w->poll, events, EVENTS, &wait, NULL);
    w->now_ns = sonde_clock_monotonic();
    return count;
}

static int poll_awake_until(struct worker *w, struct epoll_event *events, int64_t at_ns)
{
    int count = 0;
    int64_t begun_ns = w->now_ns;
    long before = usage_now().lost;
    while (count == 0 && w->now_ns < at_ns) {
        count = poll_until(w, events, w->now_ns);
    }
    /* By the clock, since the kernel counts what a thread uses when it sleeps or at its own ticks:
     * most of this would be taken for work. */
    if (usage_now().lost == before) {
        w->awake_ns += w->now_ns - begun_ns;
    } else {
        sonde_awake_disturbed(&w->awake, w->now_ns);
    }
    return count;
}

static int poll_for_events(struct worker *w, struct epoll_event *events)
{
    int64_t due_ns = due_time(w);
    int64_t at_ns = wake_time(w);
    if (due_ns >= at_ns || !w->plan->waits_awake) {
        return poll_until(w, events, least(due_ns, at_ns));
    }
    int64_t sleep_ns = due_ns - sonde_awake_early(&w->awake, w->now_ns);
    bool sleeps = sleep_ns > w->now_ns;
    int count = poll_until(w, events, sleep_ns);
    if (sleeps && count == 0) {
        sonde_awake_learn(&w->awake, w->now_ns - sleep_ns);
    }
    return count || w->now_ns >= due_ns ? count : poll_awake_until(w, events, due_ns);
}

static void wait_for_events(struct worker *w)
{
    SONDE_UNCLEARED struct epoll_event events[EVENTS];
    int count = poll_for_events(w, events);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 != WORKER_NONE) {
            connection_event(w, events[i].data.u32, events[i].events);
        }
    }
    if (count < 0 && errno != EINTR) {
        (void)sonde_fail(&w->err, SONDE_EIO, errno, "wait for sockets");
    }
}

static bool has_more(const struct worker *w)
{
    if (w->used_up && w->used_up == w->wanted) {
        return false;
    }
    return w->open_model ? w->next_ns != INT64_MAX || w->due : w->left != 0;
}

/* Of a schedule with an end, the time behind the last request belongs to it, too. */
static bool awaits_end(const struct worker *w)
{
    bool can = w->used_up == 0 || w->used_up < w->wanted;
    return w->open_model && w->arrivals.left == UINT64_MAX && can;
}

static void check_end(struct worker *w)
{
    bool stop = atomic_load_explicit(&w->stop, memory_order_relaxed);
    bool in_time = w->now_ns < w->end_ns;
    w->stopped = w->stopped || stop;
    if (w->sending && w->open_model && !in_time && !stop) {
        send_due(w); /* we were woken late: whoever is free can still take what was due */
    }
    if (w->sending && (stop || !in_time || !(has_more(w) || awaits_end(w)))) {
        bool all_sent = !stop && !has_more(w);
        w->sending = false;
        w->counted = all_sent && in_time;
        w->ended_ns = w->now_ns - w->start_ns;
        w->drained_ns = all_sent ? INT64_MAX : w->now_ns + w->plan->drain_ns;
    }
}

/* Those that were due before the end, and were not written. */
static void count_unsent(struct worker *w)
{
    while (w->open_model && w->next_ns <= w->ended_ns && w->next_ns != INT64_MAX) {
        int64_t intended = w->start_ns + w->next_ns;
        sonde_load_tally_unsent(worker_tally(w, intended), intended, w->now_ns);
        w->next_ns = next_of(&w->arrivals);
    }
}

static void check_phase(struct worker *w)
{
    if (w->live != w->phases && w->now_ns >= w->warm_ns) {
        w->live = w->phases;
        w->warm_cpu_ns = usage_now().cpu_ns - w->awake_ns;
    }
}

static void loop(struct worker *w)
{
    while (w->err.code == 0 && (w->sending || (w->in_flight && w->now_ns < w->drained_ns))) {
        begin(w);
        if (w->sending) {
            reopen(w);
            end_pauses(w);
            if (w->open_model) {
                send_due(w);
                grow(w);
            }
        }
        wait_for_events(w);
        sweep(w);
        check_phase(w);
        check_end(w);
        if (w->begun && w->now_ns >= w->interval_ns) {
            hand_over(w, false);
        }
    }
}

void *worker_run(void *worker)
{
    struct worker *w = worker;
    sigset_t pipe;
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE); /* OpenSSL writes to sockets that were closed */
    (void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    /* The kernel rounds waits up by 50 µs otherwise. */
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
    w->now_ns = sonde_clock_monotonic();
    count_missed(w);
    loop(w);
    if (!w->begun && w->now_ns > w->start_ns + w->plan->from_ns) { /* it was over by then */
        tell_late(w);
    }
    for (uint32_t i = 0; i < w->most; i++) {
        connection_end(w, i);
    }
    count_unsent(w);
    w->ended_ns = w->counted ? w->now_ns - w->start_ns : w->ended_ns;
    w->cpu_ns = usage_now().cpu_ns - w->awake_ns - w->warm_cpu_ns;
    hand_over(w, true);
    return NULL;
}
