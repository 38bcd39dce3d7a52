/* SPDX-License-Identifier: Apache-2.0 */
/* What runners of a load test, the controller and people ask of it. */
#include <string.h>

#include "codec/json.h"
#include "store/loads.h"

int load_runner_number(const char *target, int64_t *ret)
{
    static const char prefix[] = "runner-";
    struct sonde_str text = sonde_str(target);
    size_t length = sizeof(prefix) - 1;
    return sonde_str_starts(text, prefix)
               ? sonde_parse_i64((struct sonde_str){text.data + length, text.length - length}, 0,
                                 SONDE_LOAD_RUNNERS_MAX - 1, ret)
               : SONDE_EINVALID;
}

/* The runner that a token's target and the path name; false after a refusal. */
static bool find_runner(struct call *call, unsigned *ret)
{
    int64_t of_path = 0;
    int64_t of_token = 0;
    const char *number = sonde_exchange_parameter(call->exchange, "runner");
    if (sonde_parse_i64(sonde_str(number), 0, SONDE_LOAD_RUNNERS_MAX - 1, &of_path) < 0 ||
        load_runner_number(call->target, &of_token) < 0 || of_path != of_token) {
        call_fail(call, 403, "Denied", "the token is that of another runner");
        return false;
    }
    *ret = (unsigned)of_path;
    return true;
}

/* The test, after a sign of life; NULL after a refusal. */
static struct load_test *find_test(struct call *call, unsigned *ret_runner)
{
    struct sonde_err err;
    if (!find_runner(call, ret_runner)) {
        return NULL;
    }
    struct load_test *test = load_find(call->service->loads, call->uid, &err);
    if (!test) {
        call_fail_by(call, &err);
    } else if (!test->concluding) {
        sonde_load_coordination_heard(test->kept->coordination, *ret_runner,
                                      loads_now(call->service->loads));
    }
    return test;
}

/* ---- what a runner is told ---- */

void loads_runner(struct call *call)
{
    unsigned runner;
    SONDE_BUF_AUTO text = SONDE_BUF(STORE_ANSWER_MAX);
    const struct load_test *test = find_test(call, &runner);
    if (!test) {
        return;
    }
    const struct load_kept *kept = test->kept;
    sonde_buf_text(&text, "{\"document\":");
    sonde_buf_text(&text, kept->document);
    sonde_buf_printf(&text, ",\"runners\":%lld",
                     (long long)kept->documents.items[0].load_test->parallelism);
    if (strcmp(kept->addresses, "[]") != 0) {
        sonde_buf_text(&text, ",\"addresses\":");
        sonde_buf_text(&text, kept->addresses);
    }
    sonde_buf_text(&text, "}\n");
    call_answer(call, text.code ? 503 : 200, sonde_buf_view(&text));
}

void loads_clock(struct call *call)
{
    char text[64];
    unsigned runner;
    if (!find_runner(call, &runner)) {
        return;
    }
    (void)snprintf(text, sizeof(text), "{\"now\":%lld}\n",
                   (long long)loads_now(call->service->loads));
    call_answer(call, 200, sonde_str(text));
}

/* ---- what it says ---- */

/* A gap tells what is missing. */
static void refuse(struct call *call, const struct sonde_err *err, uint64_t expected)
{
    char text[SONDE_ERR_MESSAGE_MAX + 128];
    if (err->code != SONDE_EGONE) {
        call_fail_by(call, err);
        return;
    }
    (void)snprintf(text, sizeof(text), "{\"code\":\"Gap\",\"message\":\"%s\",\"expected\":%llu}\n",
                   err->message, (unsigned long long)expected);
    call_answer(call, 409, sonde_str(text));
}

/* False after a refusal. */
static bool say(struct call *call, enum load_event_kind kind, struct load_effect *ret)
{
    struct sonde_err err;
    unsigned runner;
    struct load_test *test = find_test(call, &runner);
    SONDE_JSON_AUTO *body = test ? call_json(call) : NULL;
    if (!body) {
        return false;
    }
    const struct load_said said = {kind, runner, loads_now(call->service->loads), body,
                                   sonde_buf_view(&call->body)};
    if (load_say(call->service->loads, test, &said, ret, &err) < 0) {
        refuse(call, &err, ret->expected);
        return false;
    }
    return true;
}

/* Of the query: how long it may wait; negative after a refusal. */
static int64_t wait_of(struct call *call)
{
    const char *wait = sonde_exchange_query(call->exchange, "wait");
    int64_t seconds = 0;
    if (wait && sonde_parse_i64(sonde_str(wait), 0, STORE_WAIT_SECONDS_MAX, &seconds) < 0) {
        call_fail(call, 400, "Invalid", "wait is a number of seconds, at most 55");
        return -1;
    }
    bool runner = call->endpoint->caller == CALLER_SIDECAR;
    return runner && seconds > LOAD_WAIT_SECONDS_MAX ? LOAD_WAIT_SECONDS_MAX : seconds;
}

void loads_ready(struct call *call)
{
    struct load_effect effect;
    struct loads *loads = call->service->loads;
    int64_t seconds = wait_of(call);
    if (seconds < 0 || !say(call, LOAD_EVENT_READY, &effect)) {
        return;
    }
    if (effect.answer.kind == SONDE_LOAD_WAIT && seconds > 0) {
        struct load_poll poll = {.call = call};
        if (find_runner(call, &poll.runner)) {
            load_wait(loads, &poll, seconds);
        }
        return;
    }
    SONDE_BUF_AUTO text = SONDE_BUF(LOAD_ANSWER_MAX);
    sonde_load_answer_write(&effect.answer, &text);
    load_answer(loads, call, 200, sonde_buf_view(&text));
}

void loads_interval(struct call *call)
{
    struct load_effect effect;
    if (say(call, LOAD_EVENT_INTERVAL, &effect)) {
        load_answer(call->service->loads, call, 200,
                    effect.stop ? SONDE_STR("{\"stop\":true}\n") : SONDE_STR("{\"stop\":false}\n"));
    }
}

void loads_done(struct call *call)
{
    struct load_effect effect;
    if (say(call, LOAD_EVENT_DONE, &effect)) {
        load_answer(call->service->loads, call, 200,
                    effect.next ? SONDE_STR("{\"next\":true}\n") : SONDE_STR("{\"next\":false}\n"));
    }
}

/* ---- what it waits for ---- */

static bool put_orders(const struct load_test *test, const struct load_poll *poll, bool over,
                       struct sonde_buf *ret)
{
    struct sonde_load_state state = {0};
    bool stop = true;
    if (!test->concluding) {
        const struct sonde_load_coordination *c = test->kept->coordination;
        sonde_load_coordination_state(c, &state);
        stop =
            sonde_load_coordination_stops(c, poll->round < 0 ? state.round : (unsigned)poll->round);
    }
    sonde_buf_printf(ret, "{\"stop\":%s,\"cancel\":%s}\n", stop ? "true" : "false",
                     state.cancelled || test->concluding ? "true" : "false");
    return over || stop || state.cancelled;
}

/* One that is there no more may have died long ago, though nobody has seen its connection end: if
 * it lives, it says again that it is ready. */
static bool put_ready(const struct load_test *test, const struct load_poll *poll, bool over,
                      struct sonde_buf *ret)
{
    struct sonde_load_answer_ready answer = {.kind = SONDE_LOAD_OVER, .reason = "", .message = ""};
    if (!test->concluding &&
        !sonde_load_coordination_answer(test->kept->coordination, poll->runner, &answer)) {
        answer.kind = SONDE_LOAD_WAIT;
        over = true;
    }
    sonde_load_answer_write(&answer, ret);
    return over || answer.kind != SONDE_LOAD_WAIT;
}

static bool put_live(const struct load_test *test, const struct load_poll *poll, bool over,
                     struct sonde_buf *ret)
{
    struct sonde_load_state state;
    if (test->concluding) {
        sonde_buf_printf(ret,
                         "{\"phase\":\"Over\",\"thresholds\":[],\"seconds\":[],\"next\":%llu}\n",
                         (unsigned long long)poll->since);
        return true;
    }
    const struct sonde_load_coordination *c = test->kept->coordination;
    sonde_load_coordination_state(c, &state);
    sonde_load_live_write(c, poll->since, ret);
    return over || sonde_load_coordination_shown(c) > poll->since ||
           state.phase == SONDE_LOAD_ENDED;
}

bool load_poll_answer(const struct load_test *test, const struct load_poll *poll, bool over,
                      struct sonde_buf *ret)
{
    void (*what)(struct call *) = poll->call->endpoint->answer;
    return what == loads_ready    ? put_ready(test, poll, over, ret)
           : what == loads_orders ? put_orders(test, poll, over, ret)
                                  : put_live(test, poll, over, ret);
}

/* What is asked for: what is no number is passed over. */
static struct load_poll poll_of(struct call *call)
{
    struct load_poll poll = {.call = call, .round = -1};
    const char *since = sonde_exchange_query(call->exchange, "since");
    const char *round = sonde_exchange_query(call->exchange, "round");
    if (!since || sonde_parse_u64(sonde_str(since), 0, UINT32_MAX, &poll.since) < 0) {
        poll.since = 0;
    }
    if (!round || sonde_parse_i64(sonde_str(round), 0, UINT16_MAX, &poll.round) < 0) {
        poll.round = -1;
    }
    return poll;
}

/* Now, or when there is news. */
static void answer_or_wait(struct call *call, struct load_test *test)
{
    struct loads *loads = call->service->loads;
    SONDE_BUF_AUTO text = SONDE_BUF(LOAD_ANSWER_MAX);
    const struct load_poll poll = poll_of(call);
    int64_t seconds = wait_of(call);
    if (seconds < 0) {
        return;
    }
    if (load_poll_answer(test, &poll, seconds == 0, &text)) {
        load_answer(loads, call, 200, sonde_buf_view(&text));
    } else {
        load_wait(loads, &poll, seconds);
    }
}

void loads_orders(struct call *call)
{
    unsigned runner;
    struct load_test *test = find_test(call, &runner);
    if (test) {
        answer_or_wait(call, test);
    }
}

/* ---- controller and people ---- */

void loads_lost(struct call *call)
{
    struct sonde_err err;
    struct load_effect effect;
    int64_t number = 0;
    struct loads *loads = call->service->loads;
    SONDE_JSON_AUTO *body = call_json(call);
    if (!body) {
        return;
    }
    (void)snprintf(call->uid, sizeof(call->uid), "%s",
                   sonde_exchange_parameter(call->exchange, "run"));
    struct load_test *test = load_find(loads, call->uid, &err);
    if (!test) {
        call_fail_by(call, &err);
        return;
    }
    if (sonde_parse_i64(sonde_str(sonde_exchange_parameter(call->exchange, "runner")), 0,
                        SONDE_LOAD_RUNNERS_MAX - 1, &number) < 0) {
        call_fail(call, 404, "NotFound", "a runner has a number from 0 to 99");
        return;
    }
    const struct load_said said = {LOAD_EVENT_LOST, (unsigned)number, loads_now(loads), body,
                                   sonde_buf_view(&call->body)};
    if (load_say(loads, test, &said, &effect, &err) < 0) {
        call_fail_by(call, &err);
        return;
    }
    load_answer(loads, call, 200,
                effect.replaced ? SONDE_STR("{\"replaced\":true}\n")
                                : SONDE_STR("{\"replaced\":false}\n"));
    /* At once: until then the token is that of the process that is given up. */
    loads_flush(loads);
}

void loads_live(struct call *call)
{
    struct sonde_err err;
    if (!call_resolve(call)) {
        return;
    }
    struct load_test *test = load_find(call->service->loads, call->uid, &err);
    if (test) {
        answer_or_wait(call, test);
    } else if (err.code == SONDE_ECONFLICT) {
        const struct load_test over = {.concluding = true};
        const struct load_poll poll = poll_of(call);
        SONDE_BUF_AUTO text = SONDE_BUF(LOAD_ANSWER_MAX);
        (void)put_live(&over, &poll, true, &text);
        call_answer(call, 200, sonde_buf_view(&text));
    } else {
        call_fail_by(call, &err);
    }
}
