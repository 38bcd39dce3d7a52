/* SPDX-License-Identifier: Apache-2.0 */
/* Load tests on several runners: what is said of them goes to the disk, that which comes together
 * in one transaction, and then is answered. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "store/loads.h"

#define FLUSH_NS (5 * SONDE_MILLISECOND)
#define TICK_NS (200 * SONDE_MILLISECOND)
#define TELL_NS SONDE_SECOND
#define AGAIN_NS (5 * SONDE_SECOND)

static int keep(struct loads *loads, struct sonde_err *err);

int64_t loads_now(const struct loads *loads)
{
    return sonde_clock_monotonic() / SONDE_MICROSECOND + loads->ahead_us;
}

static void start_flush(struct loads *loads)
{
    if (!loads->flushing) {
        loads->flushing = true;
        sonde_timer_start(loads->flush, FLUSH_NS, 0);
    }
}

/* ---- tests ---- */

static void forget(struct loads *loads, struct load_test *test)
{
    struct load_test **at = &loads->first;
    while (*at != test) {
        at = &(*at)->next;
    }
    *at = test->next;
    loads->count--;
    load_kept_free(test->kept);
    free(test);
}

static struct load_test *in_memory(const struct loads *loads, const char *uid)
{
    struct load_test *test = loads->first;
    while (test && strcmp(test->kept->uid, uid) != 0) {
        test = test->next;
    }
    return test;
}

/* One that is over gives way, as nobody may ever conclude it: it is on the disk. Of several that of
 * which the controller has known for longest. */
static int make_room(struct loads *loads, struct sonde_err *err)
{
    struct load_test *oldest = NULL;
    if (loads->count < LOADS_MAX) {
        return 0;
    }
    for (struct load_test *test = loads->first; test; test = test->next) {
        bool over = test->told.phase == SONDE_LOAD_ENDED;
        oldest = over && (!oldest || test->told_ns < oldest->told_ns) ? test : oldest;
    }
    if (!oldest) {
        return sonde_fail(err, SONDE_EBUSY, 0, "%d load tests go on: wait until one has ended",
                          LOADS_MAX);
    }
    forget(loads, oldest);
    return 0;
}

static int say_cancel(struct loads *loads, struct load_test *test, struct sonde_err *err)
{
    struct load_effect effect;
    const struct load_said said = {.kind = LOAD_EVENT_CANCEL, .time_us = loads_now(loads)};
    return load_say(loads, test, &said, &effect, err);
}

/* What is passed over is no silence of anybody. */
static void pass_over(struct loads *loads, int64_t until_us)
{
    int64_t behind_us = until_us - loads_now(loads);
    if (behind_us <= 0) {
        return;
    }
    loads->ahead_us += behind_us;
    for (struct load_test *test = loads->first; test; test = test->next) {
        sonde_load_coordination_resumed(test->kept->coordination, loads_now(loads));
    }
}

static int open_test(struct loads *loads, const char *uid, struct sonde_err *err)
{
    struct load_test *test = NULL;
    int r = make_room(loads, err);
    if (r < 0) {
        return r;
    }
    test = calloc(1, sizeof(*test));
    r = test ? load_kept_open(loads->service->db, uid, &test->kept, err)
             : sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
    if (r < 0) {
        free(test);
        return r;
    }
    pass_over(loads, test->kept->latest_us);
    sonde_load_coordination_resumed(test->kept->coordination, loads_now(loads));
    test->next = loads->first;
    loads->first = test;
    loads->count++;
    test->dirty = true;
    start_flush(loads);
    /* The run may be noted as cancelled without that ever having been said here. */
    r = test->kept->cancelled ? say_cancel(loads, test, err) : 0;
    test = r < 0 ? in_memory(loads, uid) : NULL;
    if (test) {
        forget(loads, test);
    }
    return r;
}

static int read_ended(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    *(bool *)context = run->state >= SONDE_RUN_SUCCEEDED;
    return 0;
}

static bool is_said(const struct loads *loads, const char *uid)
{
    size_t i = 0;
    while (i < loads->event_count && strcmp(loads->uids[i], uid) != 0) {
        i++;
    }
    return i < loads->event_count;
}

struct load_test *load_find(struct loads *loads, const char *uid, struct sonde_err *err)
{
    struct load_test *test = in_memory(loads, uid);
    bool ended = false;
    if (test) {
        return test;
    }
    /* What is read must have all that was said. */
    int r = is_said(loads, uid) ? keep(loads, err) : 0;
    r = r < 0 ? r : sonde_db_run_get(loads->service->db, uid, read_ended, &ended, err);
    if (r == 0 && ended) {
        r = sonde_fail(err, SONDE_ECONFLICT, 0, "the load test has ended");
    }
    r = r < 0 ? r : open_test(loads, uid, err);
    if (r == SONDE_EVERSION) {
        err->code = SONDE_ECONFLICT; /* it cannot go on; how it ends, load_conclude.c says */
    }
    return r < 0 ? NULL : loads->first;
}

/* ---- what is said ---- */

static void put_name(unsigned runner, char ret[LOAD_RUNNER_SIZE])
{
    (void)snprintf(ret, LOAD_RUNNER_SIZE, "runner-%u", runner);
}

static int add_event(struct loads *loads, const struct load_test *test,
                     const struct load_said *said, const struct load_effect *effect,
                     struct sonde_err *err)
{
    char *body = said->text.length ? strndup(said->text.data, said->text.length)
                 : said->body      ? cJSON_PrintUnformatted(said->body)
                                   : strdup("{}");
    size_t at = loads->event_count;
    if (!body) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
    }
    memcpy(loads->uids[at], test->kept->uid, sizeof(loads->uids[at]));
    put_name(said->runner, loads->runners[at]);
    loads->bodies[at] = body;
    loads->events[at] = (struct sonde_load_event){
        .uid = loads->uids[at],
        .kind = (int)said->kind,
        .runner = said->runner,
        .time_us = said->time_us,
        .body = sonde_str(body),
        .released = effect->replaced ? loads->runners[at] : NULL,
        .refused = effect->was_there,
    };
    loads->event_count++;
    return 0;
}

int load_say(struct loads *loads, struct load_test *test, const struct load_said *said,
             struct load_effect *ret, struct sonde_err *err)
{
    if (test->concluding) {
        return sonde_fail(err, SONDE_ECONFLICT, 0, "the load test has ended");
    }
    if (loads->event_count == LOAD_EVENTS_MAX) {
        return sonde_fail(err, SONDE_EBUSY, 0, "too much comes at once: send it again");
    }
    if (said->kind == LOAD_EVENT_INTERVAL && test->kept->event_bytes > LOAD_EVENTS_BYTES_MAX) {
        return sonde_fail(err, SONDE_EBUSY, 0,
                          "the state of the test cannot be kept (the store's log says why), and "
                          "there are %zu bytes beside it: no more is taken",
                          test->kept->event_bytes);
    }
    int r = load_kept_apply(test->kept, said, ret, err);
    if (r == 0 && ret->changed) {
        r = add_event(loads, test, said, ret, err);
        test->dirty = true;
        start_flush(loads);
    }
    /* The state in memory must not be ahead of what is kept. */
    if (r < 0 && (ret->changed || r == SONDE_ENOMEM || r == SONDE_EINTERNAL)) {
        forget(loads, test);
    }
    return r;
}

void load_answer(struct loads *loads, struct call *call, unsigned status, struct sonde_str text)
{
    if (loads->event_count == 0 || loads->answer_count == SONDE_LENGTH(loads->answers)) {
        call_answer(call, status, text);
        return;
    }
    struct load_answer *answer = &loads->answers[loads->answer_count++];
    *answer = (struct load_answer){call, status, SONDE_BUF(LOAD_ANSWER_MAX)};
    sonde_buf_str(&answer->text, text);
    call_keep(call);
}

/* ---- who waits ---- */

void load_wait(struct loads *loads, const struct load_poll *poll, int64_t seconds)
{
    size_t people = 0;
    bool person = poll->call->endpoint->caller == CALLER_PERSON;
    for (size_t i = 0; i < loads->poll_count; i++) {
        people += loads->polls[i].call->endpoint->caller == CALLER_PERSON;
    }
    if (loads->poll_count == LOAD_POLLS_MAX || (person && people >= LOAD_WATCHERS_MAX)) {
        call_fail(poll->call, 503, "Busy", "too many wait for load tests: try again in a while");
        return;
    }
    struct load_poll *own = &loads->polls[loads->poll_count++];
    *own = *poll;
    own->until_ns = sonde_clock_monotonic() + seconds * SONDE_SECOND;
    call_keep(own->call);
}

/* Lets go those that were answered, or whose peer has gone. */
static void sweep_polls(struct loads *loads)
{
    size_t kept = 0;
    for (size_t i = 0; i < loads->poll_count; i++) {
        struct load_poll *poll = &loads->polls[i];
        if (poll->ended || !poll->call->exchange) {
            call_release(poll->call);
        } else {
            loads->polls[kept++] = *poll;
        }
    }
    loads->poll_count = kept;
}

static void serve(struct loads *loads, struct load_poll *poll, bool over)
{
    SONDE_BUF_AUTO text = SONDE_BUF(LOAD_ANSWER_MAX);
    struct sonde_err err;
    struct load_test *test = load_find(loads, poll->call->uid, &err);
    if (!test) {
        call_fail_by(poll->call, &err);
        poll->ended = true;
        return;
    }
    if (load_poll_answer(test, poll, over, &text)) {
        poll->ended = true;
        load_answer(loads, poll->call, 200, sonde_buf_view(&text));
    }
}

static bool has_news(const struct loads *loads, const struct load_poll *poll)
{
    const struct load_test *test = in_memory(loads, poll->call->uid);
    return !test || test->serving; /* one that was forgotten is read anew */
}

static void serve_polls(struct loads *loads)
{
    for (struct load_test *test = loads->first; test; test = test->next) {
        test->serving = test->dirty;
        test->dirty = false;
    }
    for (size_t i = 0; i < loads->poll_count; i++) {
        struct load_poll *poll = &loads->polls[i];
        if (!poll->ended && poll->call->exchange && has_news(loads, poll)) {
            serve(loads, poll, loads->service->stopping);
        }
    }
    sweep_polls(loads);
}

/* The test's run is no more. */
static void drop(struct loads *loads, const char *uid)
{
    struct sonde_err err;
    struct load_test *test = in_memory(loads, uid);
    (void)sonde_fail(&err, SONDE_ENOTFOUND, 0, "the load test was deleted");
    for (size_t i = 0; i < loads->answer_count; i++) {
        if (strcmp(loads->answers[i].call->uid, uid) == 0) {
            call_fail_by(loads->answers[i].call, &err);
        }
    }
    for (size_t i = 0; i < loads->poll_count; i++) {
        struct load_poll *poll = &loads->polls[i];
        if (!poll->ended && strcmp(poll->call->uid, uid) == 0) {
            call_fail_by(poll->call, &err);
            poll->ended = true;
        }
    }
    if (test) {
        forget(loads, test);
    }
}

/* ---- what the controller is told ---- */

static bool is_urgent(const struct sonde_load_state *a, const struct sonde_load_state *b)
{
    return a->phase != b->phase || a->profile_due != b->profile_due || a->stopped != b->stopped ||
           a->lost != b->lost || a->reason[0] != b->reason[0];
}

static void tell(struct loads *loads, struct load_test *test)
{
    struct sonde_load_state now;
    int64_t now_ns = sonde_clock_monotonic();
    if (test->concluding) {
        return;
    }
    sonde_load_coordination_state(test->kept->coordination, &now);
    uint64_t seconds = sonde_load_coordination_shown(test->kept->coordination);
    bool urgent = test->told_ns == 0 || is_urgent(&now, &test->told);
    bool changed = urgent || seconds != test->told_seconds || now.ready != test->told.ready ||
                   now.active != test->told.active;
    if (!urgent && (!changed || now_ns - test->told_ns < TELL_NS)) {
        return;
    }
    test->told = now;
    test->told.reason = now.reason[0] ? "said" : "";
    test->told_seconds = seconds;
    test->told_ns = now_ns;
    changes_add(loads->service, test->kept->uid, "", SONDE_TARGET_CONNECTED);
    if (now.phase == SONDE_LOAD_ENDED) {
        silence_forget(loads->service->silence, test->kept->uid, NULL);
    }
}

/* ---- the disk ---- */

static void drop_events(struct loads *loads)
{
    for (size_t i = 0; i < loads->event_count; i++) {
        free(loads->bodies[i]);
    }
    loads->event_count = 0;
}

static void keep_state(struct loads *loads, struct load_test *test)
{
    struct sonde_err err;
    if (load_kept_save(test->kept, loads->service->db, &err) < 0) {
        test->keep_ns = sonde_clock_monotonic() + AGAIN_NS; /* what came is kept */
        SONDE_LOG(&loads->service->log, SONDE_LOG_WARN, "the state of a load test is not kept",
                  SONDE_FIELD_STR("run", sonde_str(test->kept->uid)),
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
    }
}

/* What could not be kept was never said. */
static void forget_said(struct loads *loads, const struct sonde_err *why)
{
    SONDE_LOG(&loads->service->log, SONDE_LOG_ERROR, "what runners sent cannot be kept",
              SONDE_FIELD_STR("error", sonde_str(why->message)));
    for (size_t i = 0; i < loads->event_count; i++) {
        struct load_test *test = in_memory(loads, loads->events[i].uid);
        if (test) {
            forget(loads, test);
        }
    }
}

static void take_said(struct loads *loads)
{
    for (size_t i = 0; i < loads->event_count; i++) {
        const struct sonde_load_event *event = &loads->events[i];
        struct load_test *test = in_memory(loads, event->uid);
        if (event->gone) {
            drop(loads, event->uid);
        } else if (test) {
            test->kept->event_bytes += event->body.length;
        }
    }
}

static void give_answers(struct loads *loads, int r, const struct sonde_err *err)
{
    for (size_t i = 0; i < loads->answer_count; i++) {
        struct load_answer *answer = &loads->answers[i];
        if (r < 0) {
            call_fail_by(answer->call, err);
        } else {
            call_answer(answer->call, answer->status, sonde_buf_view(&answer->text));
        }
        sonde_buf_fini(&answer->text);
        call_release(answer->call);
    }
    loads->answer_count = 0;
}

/* Writes what was said, and answers. An error is none of those who are answered. */
static int keep(struct loads *loads, struct sonde_err *err)
{
    int r = loads->event_count
                ? sonde_db_load_add(loads->service->db, loads->events, loads->event_count, err)
                : 0;
    if (r < 0) {
        bool passes = r == SONDE_ENOSPACE || r == SONDE_EBUSY || r == SONDE_ENOMEM;
        r = err->code = passes ? r : SONDE_EIO;
        forget_said(loads, err);
    } else {
        take_said(loads);
    }
    drop_events(loads);
    give_answers(loads, r, err);
    return r;
}

static int flush_now(struct loads *loads, struct sonde_err *err)
{
    loads->flushing = false;
    sonde_timer_stop(loads->flush);
    serve_polls(loads);
    int r = keep(loads, err);
    int64_t now_ns = sonde_clock_monotonic();
    for (struct load_test *test = loads->first; test; test = test->next) {
        tell(loads, test);
        bool large = test->kept->event_bytes > LOAD_STATE_BYTES && now_ns >= test->keep_ns;
        if (large && !test->concluding) {
            keep_state(loads, test);
        }
    }
    return r;
}

void loads_flush(struct loads *loads)
{
    struct sonde_err err;
    (void)!flush_now(loads, &err); /* who has said it is told, and the log */
}

static void flush(void *context)
{
    loads_flush(context);
}

/* ---- time ---- */

static int say_lost(struct loads *loads, struct load_test *test,
                    const struct sonde_load_silent *silent, int64_t now_us, struct sonde_err *err)
{
    char name[LOAD_RUNNER_SIZE];
    struct load_effect effect;
    SONDE_JSON_AUTO *body = cJSON_CreateObject();
    if (!cJSON_AddBoolToObject(body, "final", silent->final) ||
        !cJSON_AddStringToObject(body, "reason", silent->reason) ||
        !cJSON_AddStringToObject(body, "message", silent->message)) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
    }
    put_name(silent->runner, name);
    SONDE_LOG(&loads->service->log, SONDE_LOG_WARN, "a runner is given up",
              SONDE_FIELD_STR("run", sonde_str(test->kept->uid)),
              SONDE_FIELD_STR("target", sonde_str(name)),
              SONDE_FIELD_STR("why", sonde_str(silent->message)));
    const struct load_said said = {LOAD_EVENT_LOST, silent->runner, now_us, body, {0}};
    return load_say(loads, test, &said, &effect, err);
}

/* False: it was forgotten. */
static bool pass_time(struct loads *loads, struct load_test *test, int64_t now_us)
{
    struct sonde_err err = {0};
    struct load_effect effect;
    struct sonde_load_silent silent;
    const struct load_said said = {.kind = LOAD_EVENT_EXPIRE, .time_us = now_us};
    int r = load_say(loads, test, &said, &effect, &err);
    while (r == 0 && sonde_load_coordination_silent(test->kept->coordination, now_us, &silent)) {
        r = say_lost(loads, test, &silent, now_us, &err);
    }
    if (r < 0) {
        SONDE_LOG(&loads->service->log, SONDE_LOG_ERROR, "a load test cannot go on",
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
    }
    return r == 0;
}

static bool is_over(struct loads *loads, const struct load_test *test)
{
    bool ended = false;
    int r = sonde_db_run_get(loads->service->db, test->kept->uid, read_ended, &ended, NULL);
    return r == SONDE_ENOTFOUND || ended;
}

static void end_waiting(struct loads *loads)
{
    int64_t now_ns = sonde_clock_monotonic();
    for (size_t i = 0; i < loads->poll_count; i++) {
        struct load_poll *poll = &loads->polls[i];
        bool over = now_ns >= poll->until_ns || loads->service->stopping;
        if (over && !poll->ended && poll->call->exchange) {
            serve(loads, poll, true);
        }
    }
    sweep_polls(loads);
}

static void tick(void *context)
{
    struct loads *loads = context;
    int64_t now_us = loads_now(loads);
    for (struct load_test *test = loads->first, *next; test; test = next) {
        next = test->next;
        if (test->concluding && is_over(loads, test)) {
            forget(loads, test);
        } else if (!test->concluding && !pass_time(loads, test, now_us)) {
            break; /* the list may be another one */
        }
    }
    end_waiting(loads);
    loads_flush(loads);
}

/* ---- life ---- */

static int take_up(void *context, const char *uid, struct sonde_err *err)
{
    struct loads *loads = context;
    struct sonde_err why;
    (void)err;
    if (open_test(loads, uid, &why) < 0) { /* whoever asks for it is told */
        SONDE_LOG(&loads->service->log, SONDE_LOG_ERROR, "a load test cannot be taken up",
                  SONDE_FIELD_STR("run", sonde_str(uid)),
                  SONDE_FIELD_STR("error", sonde_str(why.message)));
    }
    return 0;
}

int loads_new(struct service *service, struct loads **ret, struct sonde_err *err)
{
    struct loads *loads = calloc(1, sizeof(*loads));
    if (!loads) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    loads->service = service;
    loads->ahead_us = (sonde_clock_realtime() - sonde_clock_monotonic()) / SONDE_MICROSECOND;
    int r = sonde_timer_new(service->loop, flush, loads, &loads->flush, err);
    r = r < 0 ? r : sonde_timer_new(service->loop, tick, loads, &loads->tick, err);
    r = r < 0 ? r : sonde_db_loads(service->db, take_up, loads, err);
    if (r < 0) {
        loads_free(loads);
        return r;
    }
    sonde_timer_start(loads->tick, TICK_NS, TICK_NS);
    *ret = loads;
    return 0;
}

void loads_free(struct loads *loads)
{
    if (!loads) {
        return;
    }
    for (size_t i = 0; i < loads->answer_count; i++) {
        sonde_buf_fini(&loads->answers[i].text);
        call_release(loads->answers[i].call);
    }
    for (size_t i = 0; i < loads->poll_count; i++) {
        call_release(loads->polls[i].call);
    }
    drop_events(loads);
    while (loads->first) {
        forget(loads, loads->first);
    }
    sonde_timer_free(loads->flush);
    sonde_timer_free(loads->tick);
    free(loads);
}

int loads_create(struct loads *loads, const char *uid, const char *addresses, struct sonde_err *err)
{
    static const uint64_t exact = (UINT64_C(1) << 53) - 1; /* in a JSON number */
    uint64_t seed;
    sonde_random_bytes(&seed, sizeof(seed));
    const struct sonde_load_row row = {
        .addresses = addresses,
        .seed = (int64_t)(seed & exact),
        .begun_us = loads_now(loads),
    };
    int r = sonde_db_load_create(loads->service->db, uid, &row, err);
    return r < 0 || in_memory(loads, uid) ? r : open_test(loads, uid, err);
}

int loads_check_room(struct loads *loads, const char *uid, int64_t runners, struct sonde_err *err)
{
    int64_t all = runners;
    for (const struct load_test *test = loads->first; test; test = test->next) {
        bool over = test->concluding || test->told.phase == SONDE_LOAD_ENDED;
        all += over ? 0 : test->kept->documents.items[0].load_test->parallelism;
    }
    if (in_memory(loads, uid)) {
        return 0;
    }
    return all > LOAD_RUNNERS_MAX
               ? sonde_fail(err, SONDE_EBUSY, 0,
                            "load tests of %d runners in all can go on: wait until one has ended",
                            LOAD_RUNNERS_MAX)
               : make_room(loads, err);
}

void loads_drop(struct loads *loads, const char *uid)
{
    drop(loads, uid);
}

int loads_cancel(struct loads *loads, const char *uid, struct sonde_err *err)
{
    struct load_test *test = load_find(loads, uid, err);
    int r = test ? say_cancel(loads, test, err) : err->code;
    return r == SONDE_ECONFLICT ? 0 : r;
}

int loads_failed(struct loads *loads, const char *uid, const char *target, const cJSON *word,
                 struct sonde_err *err)
{
    struct load_effect effect;
    int64_t number = 0;
    if (strcmp(sonde_json_string_or(word, "state", ""), "Succeeded") == 0 ||
        load_runner_number(target, &number) < 0) {
        return 0;
    }
    SONDE_JSON_AUTO *body = cJSON_CreateObject();
    if (!body || !cJSON_AddBoolToObject(body, "final", true) ||
        !cJSON_AddStringToObject(body, "reason", sonde_json_string_or(word, "reason", "")) ||
        !cJSON_AddStringToObject(body, "message", sonde_json_string_or(word, "message", ""))) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the store is out of memory");
    }
    const struct load_said said = {LOAD_EVENT_LOST, (unsigned)number, loads_now(loads), body, {0}};
    struct load_test *test = load_find(loads, uid, err);
    int r = test ? load_say(loads, test, &said, &effect, err) : err->code;
    r = r < 0 ? r : flush_now(loads, err);
    bool nobody = r == SONDE_ECONFLICT || r == SONDE_ENOTFOUND;
    return nobody ? 0 : r; /* the test is over, or there is none */
}

void loads_conclude(struct loads *loads, const char *uid)
{
    struct sonde_err err;
    (void)load_find(loads, uid, &err); /* what it may have to say by itself is kept, too */
    loads_flush(loads);
    struct load_test *test = load_find(loads, uid, &err);
    if (test) {
        test->concluding = true;
        test->dirty = true;
        start_flush(loads);
    }
}

int loads_put_state(struct loads *loads, const char *uid, struct sonde_buf *buf,
                    struct sonde_err *err)
{
    struct sonde_load_state state;
    const struct load_test *test = in_memory(loads, uid);
    if (!test || test->concluding) {
        return 0;
    }
    sonde_load_coordination_state(test->kept->coordination, &state);
    sonde_buf_text(buf, ",\"load\":");
    sonde_load_state_write(&state, buf);
    return sonde_buf_check(buf, "the changes", err);
}

const char *loads_next(const struct loads *loads, const char *uid)
{
    const struct load_test *test = loads->first;
    while (uid && test && strcmp(test->kept->uid, uid) != 0) {
        test = test->next;
    }
    test = uid && test ? test->next : test;
    return test ? test->kept->uid : NULL;
}
