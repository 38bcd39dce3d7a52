/* SPDX-License-Identifier: Apache-2.0 */
/* sonde-runner: sends a runner's share of a load test, tells the store each second what came of it,
 * and leaves a termination message. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "runner/round.h"
#include "runner/runner.h"
#include "spec/reason.h"

#define FIRST_NS (60 * SONDE_SECOND)   /* to reach the store at all: a crowd takes its time */
#define AWAY_NS (300 * SONDE_SECOND)   /* the store may be away, later */
#define WORD_NS (15 * SONDE_SECOND)    /* for the last word */
#define GOODBYE_NS (20 * SONDE_SECOND) /* asked to end → killed, less what the last word takes */
#define READY_NS (20 * SONDE_SECOND)   /* of one question */
#define RESOLVE_NS (20 * SONDE_SECOND)
#define AGAIN_NS (500 * SONDE_MILLISECOND)

enum { PATH_SIZE = 128, WORDS_MAX = 256 << 10 };

struct program {
    struct settings settings;
    struct sonde_log log;
    struct sonde_loop *loop;
    struct sonde_signal *term, *interrupt;
    struct sonde_timer *deadline, *goodbye, *pause;
    struct sonde_wakeup *wakeup;
    struct queue queue;
    struct talk *talk;
    struct work work;
    struct store_clock clock;
    struct round *round; /* the one under way, or NULL */
    bool terminated;     /* the pod is being ended */
    bool cancelled;      /* by the store */
    bool hurried;        /* there is no time for more seconds */
    bool paused;
    uint64_t sent;
    struct sonde_err err; /* the first thing that went wrong */
};

static void note(struct program *program, const struct sonde_err *err)
{
    if (program->err.code == 0) {
        program->err = *err;
    }
}

static void end_round(struct program *program)
{
    if (program->round) {
        round_stop(program->round);
    }
}

/* ---- what may come at any time ---- */

static void store_stops(void *context, bool cancel)
{
    struct program *program = context;
    program->cancelled = program->cancelled || cancel;
    end_round(program);
}

static void store_failed(void *context, const struct sonde_err *err)
{
    struct program *program = context;
    note(program, err);
    end_round(program);
    sonde_loop_stop(program->loop);
}

static void seconds_delivered(void *context)
{
    sonde_loop_stop(((struct program *)context)->loop);
}

static void on_wakeup(void *context)
{
    struct program *program = context;
    talk_push(program->talk);
    sonde_loop_stop(program->loop);
}

static void on_signal(void *context, int number, bool by_kernel)
{
    struct program *program = context;
    (void)by_kernel;
    SONDE_LOG(&program->log, SONDE_LOG_INFO, "stopping", SONDE_FIELD_INT("signal", number));
    program->terminated = true;
    sonde_timer_start(program->goodbye, GOODBYE_NS - WORD_NS, 0);
    end_round(program);
    talk_interrupt(program->talk);
}

static void on_deadline(void *context)
{
    struct program *program = context;
    struct sonde_err err;
    (void)sonde_fail_reason(&err, SONDE_ETIMEOUT, SONDE_REASON_DEADLINE_EXCEEDED,
                            "the test was not over by its deadline");
    note(program, &err);
    sonde_timer_start(program->goodbye, GOODBYE_NS - WORD_NS, 0);
    end_round(program);
    talk_interrupt(program->talk);
}

static void on_goodbye(void *context)
{
    struct program *program = context;
    program->hurried = true;
    sonde_loop_stop(program->loop);
}

static void on_pause(void *context)
{
    struct program *program = context;
    program->paused = false;
    sonde_loop_stop(program->loop);
}

static bool goes_on(const struct program *program)
{
    return !program->terminated && program->err.code == 0;
}

/* ---- before the load ---- */

static int ask(struct program *program, const char *method, const char *path,
               const struct sonde_buf *body, int64_t patience_ns, cJSON **ret,
               struct sonde_err *err)
{
    char whole[PATH_SIZE];
    (void)snprintf(whole, sizeof(whole), "runners/%u%s", program->settings.number, path);
    const struct talk_question question = {
        .method = method,
        .path = whole,
        .body = body ? sonde_buf_view(body) : SONDE_STR(""),
        .wait_ns = READY_NS,
        .patience_ns = patience_ns,
        .answer_max = RUNNER_DOCUMENT_MAX,
    };
    int r = body ? sonde_buf_check(body, "a word to the store", err) : 0;
    return r < 0 ? r : talk_ask(program->talk, &question, ret, err);
}

/* A Service's name may be younger than its pods' view of the DNS. */
static int resolve(struct program *program, const cJSON *answer, struct sonde_err *err)
{
    int64_t until_ns = sonde_clock_monotonic() + RESOLVE_NS;
    int r;
    while ((r = work_resolve(&program->work, answer, err)) == SONDE_ENETWORK && goes_on(program) &&
           sonde_clock_monotonic() < until_ns) {
        program->paused = true;
        sonde_timer_start(program->pause, AGAIN_NS, 0);
        while (program->paused && goes_on(program)) {
            sonde_loop_run(program->loop);
        }
    }
    return r;
}

static int prepare(struct program *program, struct sonde_err *err)
{
    SONDE_JSON_AUTO *answer = NULL;
    int r = ask(program, "GET", "", NULL, FIRST_NS, &answer, err);
    r = r < 0 ? r : work_make(&program->settings, answer, &program->work, err);
    r = r < 0 ? r : resolve(program, answer, err);
    return r < 0 ? r : work_label(&program->work, err);
}

static int measure_clock(struct program *program, struct sonde_err *err)
{
    SONDE_BUF_AUTO body = SONDE_BUF(16);
    int r = 0;
    program->clock = (struct store_clock){0};
    sonde_buf_text(&body, "{}");
    for (int i = 0; i < RUNNER_CLOCK_SAMPLES && r == 0; i++) {
        SONDE_JSON_AUTO *answer = NULL;
        int64_t now_us = 0;
        int64_t asked_ns;
        int64_t answered_ns;
        r = ask(program, "POST", "/clock", &body, AWAY_NS, &answer, err);
        r = r < 0 ? r : sonde_json_integer(answer, "now", &now_us, err);
        if (r == 0) {
            talk_times(program->talk, &asked_ns, &answered_ns);
            store_clock_add(&program->clock, asked_ns, answered_ns, now_us);
        }
    }
    return r;
}

/* Waits until all runners are ready. */
static int get_order(struct program *program, unsigned number, struct order *ret,
                     struct sonde_err *err)
{
    char path[PATH_SIZE];
    SONDE_BUF_AUTO body = SONDE_BUF(WORDS_MAX);
    print_ready(&program->settings, &program->work, number, &program->clock, &body);
    (void)snprintf(path, sizeof(path), "/ready?wait=%lld", (long long)(READY_NS / SONDE_SECOND));
    int r;
    do {
        SONDE_JSON_AUTO *answer = NULL;
        r = ask(program, "POST", path, &body, AWAY_NS, &answer, err);
        r = r < 0 ? r : order_read(answer, ret, err);
    } while (r == 0 && ret->kind == ORDER_WAIT);
    return r;
}

/* ---- the load ---- */

static void deliver(struct program *program)
{
    while (queue_first(&program->queue) && program->err.code == 0 && !program->hurried) {
        sonde_loop_run(program->loop);
    }
}

static int say_done(struct program *program, const struct round *round, bool *ret_next,
                    struct sonde_err *err)
{
    SONDE_JSON_AUTO *answer = NULL;
    SONDE_BUF_AUTO body = SONDE_BUF(WORDS_MAX);
    const struct account account = {.round = round->number,
                                    .intervals = round->sequence,
                                    .plan = &round->plan,
                                    .outcome = &round->outcome,
                                    .throttled_ns = round->throttled_ns,
                                    .settings = &program->settings};
    print_done(&account, &body);
    int r = ask(program, "POST", "/done", &body, AWAY_NS, &answer, err);
    if (r == 0) {
        *ret_next = sonde_json_true(answer, "next");
    }
    return r;
}

static int carry_out(struct program *program, struct round *round, bool *ret_next,
                     struct sonde_err *err)
{
    program->round = round;
    int r = round_start(round, err);
    while (r == 0 && !atomic_load(&round->over)) {
        sonde_loop_run(program->loop);
    }
    program->round = NULL;
    round_join(round);
    program->sent += round->outcome.tally.sent;
    talk_push(program->talk);
    deliver(program);
    if (r == 0 && round->err.code) {
        *err = round->err;
        r = err->code;
    }
    return r < 0 || !goes_on(program) ? r : say_done(program, round, ret_next, err);
}

/* The number is what the store says: who takes another's place comes in the middle of a search.
 * *ret_next: there may be another one. */
static int run_round(struct program *program, unsigned *number, bool *ret_next,
                     struct sonde_err *err)
{
    struct order order;
    struct round round;
    *ret_next = false;
    talk_listen(program->talk, *number);
    int r = measure_clock(program, err);
    r = r < 0 ? r : get_order(program, *number, &order, err);
    if (r < 0 || !goes_on(program)) {
        return r;
    }
    if (order.kind == ORDER_OVER) {
        return order.reason[0]
                   ? sonde_fail_reason(err, SONDE_ECANCELLED, NULL, "the test was ended: %s: %s",
                                       order.reason, order.message)
                   : 0;
    }
    if (order.round != *number) {
        *number = (unsigned)order.round;
        talk_listen(program->talk, *number);
    }
    order_apply(&order, &program->clock, sonde_clock_monotonic(), &program->work.plan);
    round_init(&round, *number, &program->work.plan, &program->queue, program->wakeup);
    r = carry_out(program, &round, ret_next, err);
    round_fini(&round);
    return r;
}

static int run_rounds(struct program *program, struct sonde_err *err)
{
    bool next = true;
    int r = 0;
    for (unsigned number = 0; r == 0 && next && goes_on(program); number++) {
        r = run_round(program, &number, &next, err);
        next = next && !program->cancelled;
    }
    return r;
}

/* ---- the end ---- */

static const char *reason_of(const struct sonde_err *err)
{
    return err->reason                     ? err->reason
           : err->code == SONDE_EDENIED    ? SONDE_REASON_HOST_NOT_ALLOWED
           : err->code == SONDE_ENETWORK   ? SONDE_REASON_TARGET_NOT_FOUND
           : err->code == SONDE_EINVALID   ? SONDE_REASON_INVALID_SPEC
           : err->code == SONDE_ENOTFOUND  ? SONDE_REASON_INVALID_SPEC /* a ConfigMap's key */
           : err->code == SONDE_ECANCELLED ? SONDE_REASON_CANCELLED
                                           : SONDE_REASON_INTERNAL;
}

/* What became of us; the store is told what it does not know yet. */
static void conclude(struct program *program, struct sonde_buf *message)
{
    char text[SONDE_ERR_MESSAGE_MAX];
    bool known = program->cancelled || program->err.code == SONDE_ECANCELLED;
    if (program->terminated) {
        (void)snprintf(text, sizeof(text), "the pod %.100s was ended while it sent load",
                       program->settings.pod);
        print_end("Failed", SONDE_REASON_RUNNER_LOST, text, message);
    } else if (program->err.code && !known) {
        print_end("Failed", reason_of(&program->err), program->err.message, message);
    } else if (known) {
        print_end("Cancelled", SONDE_REASON_CANCELLED, program->err.message, message);
    } else {
        (void)snprintf(text, sizeof(text), "%llu requests were sent",
                       (unsigned long long)program->sent);
        print_end("Succeeded", SONDE_REASON_COMPLETED, text, message);
    }
    /* Of a pod that is ended the controller tells: another may take its place with its token. */
    if (program->terminated || known || program->err.code == 0) {
        return;
    }
    cJSON *answer = NULL;
    struct sonde_err err;
    const struct talk_question question = {
        .method = "POST", .path = "done", .body = sonde_buf_view(message), .patience_ns = WORD_NS};
    talk_resume(program->talk);
    if (talk_ask(program->talk, &question, &answer, &err) < 0) {
        SONDE_LOG(&program->log, SONDE_LOG_WARN, "the store was not told of the end",
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
    }
    cJSON_Delete(answer);
}

static int make_timers(struct program *program, struct sonde_err *err)
{
    struct sonde_loop *loop = program->loop;
    int64_t left_ns = program->settings.uplink.deadline * SONDE_SECOND - sonde_clock_realtime();
    int r = sonde_timer_new(loop, on_deadline, program, &program->deadline, err);
    r = r < 0 ? r : sonde_timer_new(loop, on_goodbye, program, &program->goodbye, err);
    r = r < 0 ? r : sonde_timer_new(loop, on_pause, program, &program->pause, err);
    r = r < 0 ? r : sonde_wakeup_new(loop, on_wakeup, program, &program->wakeup, err);
    if (r == 0) {
        sonde_timer_start(program->deadline, left_ns > 0 ? left_ns : 0, 0);
    }
    return r;
}

static int make_handles(struct program *program, struct sonde_err *err)
{
    const struct talk_options options = {.loop = program->loop,
                                         .settings = &program->settings,
                                         .queue = &program->queue,
                                         .context = program,
                                         .stop = store_stops,
                                         .failed = store_failed,
                                         .delivered = seconds_delivered};
    int r = talk_new(&options, &program->talk, err);
    r = r < 0 ? r
              : sonde_signal_new(program->loop, SIGTERM, on_signal, program, &program->term, err);
    r = r < 0
            ? r
            : sonde_signal_new(program->loop, SIGINT, on_signal, program, &program->interrupt, err);
    return r < 0 ? r : make_timers(program, err);
}

static int run(struct program *program, struct sonde_buf *message, struct sonde_err *err)
{
    int r = sonde_loop_new(&program->loop, err);
    r = r < 0 ? r : make_handles(program, err);
    if (r < 0) {
        return r;
    }
    r = prepare(program, err);
    r = r < 0 ? r : run_rounds(program, err);
    if (r < 0) {
        note(program, err);
    }
    conclude(program, message);
    return 0;
}

static void free_handles(struct program *program)
{
    talk_free(program->talk);
    sonde_signal_free(program->term);
    sonde_signal_free(program->interrupt);
    sonde_timer_free(program->deadline);
    sonde_timer_free(program->goodbye);
    sonde_timer_free(program->pause);
    sonde_wakeup_free(program->wakeup);
    sonde_loop_free(program->loop);
}

static int work_out(struct program *program)
{
    struct sonde_err err;
    SONDE_BUF_AUTO message = SONDE_BUF(SONDE_UPLINK_MESSAGE_MAX);
    int r = settings_read(&program->settings, &err);
    r = r < 0 ? r : run(program, &message, &err);
    if (r < 0) {
        sonde_buf_clear(&message);
        print_end("Failed", reason_of(&err), err.message, &message);
    }
    const char *path = sonde_uplink_message_path();
    if (sonde_uplink_leave(path, sonde_buf_view(&message), &err) < 0) {
        SONDE_LOG(&program->log, SONDE_LOG_ERROR, "no termination message could be left",
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
    }
    SONDE_LOG(&program->log, SONDE_LOG_INFO, "done",
              SONDE_FIELD_STR("result", sonde_buf_view(&message)));
    return r < 0 || program->terminated || program->cancelled || program->err.code ? 1 : 0;
}

int main(int argc, char **argv)
{
    static struct program program = {.log = {STDERR_FILENO, SONDE_LOG_INFO, "sonde-runner"}};
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        (void)printf("sonde-runner %s\n", SONDE_VERSION);
        return 0;
    }
    if (argc > 1) {
        (void)fprintf(stderr, "usage: sonde-runner [--version]\n"
                              "It is started by sonde-controller, with its settings in SONDE_….\n");
        return 2;
    }
    (void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
    (void)mallopt(M_TRIM_THRESHOLD, 128 << 10);
    (void)signal(SIGPIPE, SIG_IGN);
    sonde_raise_files();
    queue_init(&program.queue);
    int code = work_out(&program);
    free_handles(&program);
    work_fini(&program.work);
    queue_fini(&program.queue);
    settings_fini(&program.settings);
    return code;
}
