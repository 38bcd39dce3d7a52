/* SPDX-License-Identifier: Apache-2.0 */
/* The store's API as a runner uses it: one question after the other, and beside them the seconds of
 * the test and the wait for orders. What goes wrong on the way is tried again; what the store
 * refuses is not. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "runner/runner.h"
#include "spec/reason.h"

#define AGAIN_NS (300 * SONDE_MILLISECOND)
#define ANSWER_NS (15 * SONDE_SECOND) /* of the store, beyond what it waits by itself */
#define AWAY_NS (300 * SONDE_SECOND)  /* while seconds wait */
#define STOPPED_NS (1 * SONDE_SECOND) /* told to stop → asked again */
#define ORDERS_WAIT_NS (20 * SONDE_SECOND)

enum { PATH_SIZE = 128 };

struct talk {
    struct talk_options options;
    struct sonde_http_client *http;
    struct sonde_timer *ask_timer, *orders_timer, *push_timer;
    /* The question. */
    struct sonde_http_request *asking;
    int64_t asked_ns, answered_ns;
    bool answered, interrupted;
    cJSON *answer;
    int result; /* 0, SONDE_EBUSY: again, or what the store refused */
    struct sonde_err refusal;
    /* Beside it. */
    struct sonde_http_request *orders, *pushing;
    unsigned round;          /* whose orders are waited for */
    int64_t push_failing_ns; /* since when; 0: it is not */
    bool failed;
};

static void ask_again(void *context);
static void ask_for_orders(void *context);
static void push(void *context);

int talk_new(const struct talk_options *options, struct talk **ret, struct sonde_err *err)
{
    struct talk *talk = calloc(1, sizeof(*talk));
    if (!talk) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    talk->options = *options;
    int r = sonde_http_client_new(options->loop, &talk->http, err);
    r = r < 0 ? r : sonde_timer_new(options->loop, ask_again, talk, &talk->ask_timer, err);
    r = r < 0 ? r : sonde_timer_new(options->loop, ask_for_orders, talk, &talk->orders_timer, err);
    r = r < 0 ? r : sonde_timer_new(options->loop, push, talk, &talk->push_timer, err);
    if (r < 0) {
        talk_free(talk);
        return r;
    }
    *ret = talk;
    return 0;
}

void talk_free(struct talk *talk)
{
    if (!talk) {
        return;
    }
    sonde_http_client_free(talk->http);
    sonde_timer_free(talk->ask_timer);
    sonde_timer_free(talk->orders_timer);
    sonde_timer_free(talk->push_timer);
    cJSON_Delete(talk->answer);
    free(talk);
}

/* ---- one question after the other ---- */

static void answered(void *context, const struct sonde_http_response *response,
                     const struct sonde_err *err)
{
    struct talk *talk = context;
    talk->asking = NULL;
    talk->answered = true;
    talk->answered_ns = sonde_clock_monotonic();
    talk->result = sonde_uplink_refusal(response, err, &talk->refusal);
    if (talk->result == 0) {
        talk->result = sonde_json_parse_up_to(response->body, RUNNER_DOCUMENT_MAX, &talk->answer,
                                              &talk->refusal);
    }
    sonde_loop_stop(talk->options.loop);
}

static int send_question(struct talk *talk, const struct talk_question *question,
                         struct sonde_err *err)
{
    const struct sonde_uplink_request request = {
        .path = question->path,
        .http = {.method = question->method,
                 .body = question->body,
                 .timeout_ns = question->wait_ns + ANSWER_NS,
                 .body_max = question->answer_max,
                 .context = talk,
                 .done = answered},
    };
    talk->answered = false;
    talk->asked_ns = sonde_clock_monotonic();
    return sonde_uplink_send(&talk->options.settings->uplink, talk->http, &request, &talk->asking,
                             err);
}

/* A while has passed: the loop ends for the next try. */
static void ask_again(void *context)
{
    struct talk *talk = context;
    talk->answered = true;
    sonde_loop_stop(talk->options.loop);
}

static void wait_for(struct talk *talk)
{
    while (!talk->answered && !talk->interrupted) {
        sonde_loop_run(talk->options.loop);
    }
}

static int ask_once(struct talk *talk, const struct talk_question *question, struct sonde_err *err)
{
    int r = talk->interrupted ? 0 : send_question(talk, question, err);
    if (r < 0) {
        return r;
    }
    wait_for(talk);
    if (talk->interrupted) {
        if (talk->asking) {
            sonde_http_cancel(SONDE_TAKE(talk->asking));
        }
        cJSON_Delete(SONDE_TAKE(talk->answer));
        return sonde_fail(err, SONDE_ECANCELLED, 0, "interrupted");
    }
    *err = talk->refusal;
    return talk->result;
}

static int unreachable(const struct talk *talk, const struct sonde_err *last, struct sonde_err *err)
{
    return sonde_fail_reason(err, SONDE_ENETWORK, SONDE_REASON_STORE_UNREACHABLE,
                             "the store %.200s does not answer: %.250s",
                             talk->options.settings->uplink.store, last->message);
}

int talk_ask(struct talk *talk, const struct talk_question *question, cJSON **ret,
             struct sonde_err *err)
{
    int64_t until_ns = sonde_clock_monotonic() + question->patience_ns;
    struct sonde_err problem = {0};
    int r;
    while ((r = ask_once(talk, question, &problem)) == SONDE_EBUSY) {
        if (sonde_clock_monotonic() > until_ns) {
            return unreachable(talk, &problem, err);
        }
        talk->answered = false;
        sonde_timer_start(talk->ask_timer, AGAIN_NS, 0);
        wait_for(talk);
        sonde_timer_stop(talk->ask_timer);
    }
    if (r < 0) {
        *err = problem;
        return r;
    }
    *ret = SONDE_TAKE(talk->answer);
    return 0;
}

void talk_times(const struct talk *talk, int64_t *ret_asked_ns, int64_t *ret_answered_ns)
{
    *ret_asked_ns = talk->asked_ns;
    *ret_answered_ns = talk->answered_ns;
}

void talk_interrupt(struct talk *talk)
{
    talk->interrupted = true;
    sonde_loop_stop(talk->options.loop);
}

void talk_resume(struct talk *talk)
{
    talk->interrupted = false;
}

/* ---- orders ---- */

static void ordered(void *context, const struct sonde_http_response *response,
                    const struct sonde_err *err)
{
    struct talk *talk = context;
    struct sonde_err problem;
    SONDE_JSON_AUTO *json = NULL;
    talk->orders = NULL;
    int r = sonde_uplink_refusal(response, err, &problem);
    r = r < 0 ? r : sonde_json_parse(response->body, &json, &problem);
    bool stop = r == 0 && sonde_json_true(json, "stop");
    bool cancel = r == 0 && sonde_json_true(json, "cancel");
    if (r < 0 && r != SONDE_EBUSY) {
        return; /* the next question is refused, too, and says why */
    }
    sonde_timer_start(talk->orders_timer, r < 0 ? AGAIN_NS : stop || cancel ? STOPPED_NS : 0, 0);
    if (stop || cancel) {
        talk->options.stop(talk->options.context, cancel);
    }
}

static void ask_for_orders(void *context)
{
    struct talk *talk = context;
    char path[PATH_SIZE];
    const struct settings *settings = talk->options.settings;
    (void)snprintf(path, sizeof(path), "runners/%u/orders?round=%u&wait=%lld", settings->number,
                   talk->round, (long long)(ORDERS_WAIT_NS / SONDE_SECOND));
    const struct sonde_uplink_request request = {
        .path = path,
        .http = {.method = "GET",
                 .timeout_ns = ORDERS_WAIT_NS + ANSWER_NS,
                 .context = talk,
                 .done = ordered},
    };
    struct sonde_err err;
    if (!talk->orders &&
        sonde_uplink_send(&settings->uplink, talk->http, &request, &talk->orders, &err) < 0) {
        sonde_timer_start(talk->orders_timer, AGAIN_NS, 0);
    }
}

void talk_listen(struct talk *talk, unsigned round)
{
    if (talk->orders) {
        sonde_http_cancel(SONDE_TAKE(talk->orders));
    }
    sonde_timer_stop(talk->orders_timer);
    talk->round = round;
    ask_for_orders(talk);
}

/* ---- seconds ---- */

static void fail_pushing(struct talk *talk, const struct sonde_err *err)
{
    if (!talk->failed) {
        talk->failed = true;
        talk->options.failed(talk->options.context, err);
    }
}

static void push_later(struct talk *talk, const struct sonde_err *problem)
{
    struct sonde_err err;
    int64_t now_ns = sonde_clock_monotonic();
    talk->push_failing_ns = talk->push_failing_ns ? talk->push_failing_ns : now_ns;
    if (now_ns - talk->push_failing_ns > AWAY_NS) {
        (void)!unreachable(talk, problem, &err);
        fail_pushing(talk, &err);
    } else {
        sonde_timer_start(talk->push_timer, AGAIN_NS, 0);
    }
}

static void pushed(void *context, const struct sonde_http_response *response,
                   const struct sonde_err *err)
{
    struct talk *talk = context;
    struct sonde_err problem;
    SONDE_JSON_AUTO *json = NULL;
    talk->pushing = NULL;
    int r = sonde_uplink_refusal(response, err, &problem);
    if (r == SONDE_EBUSY) {
        push_later(talk, &problem);
        return;
    }
    if (r < 0) {
        fail_pushing(talk, &problem);
        return;
    }
    talk->push_failing_ns = 0;
    queue_drop(talk->options.queue);
    if (sonde_json_parse(response->body, &json, NULL) == 0 && sonde_json_true(json, "stop")) {
        talk->options.stop(talk->options.context, false);
    }
    push(talk);
}

static void push(void *context)
{
    struct talk *talk = context;
    char path[PATH_SIZE];
    struct sonde_err err;
    const struct settings *settings = talk->options.settings;
    const struct second *first = talk->failed ? NULL : queue_first(talk->options.queue);
    if (talk->pushing || talk->failed) {
        return;
    }
    if (!first) {
        talk->options.delivered(talk->options.context);
        return;
    }
    (void)snprintf(path, sizeof(path), "runners/%u/interval", settings->number);
    const struct sonde_uplink_request request = {
        .path = path,
        .http = {.method = "POST",
                 .body = sonde_buf_view(&first->body),
                 .timeout_ns = ANSWER_NS,
                 .context = talk,
                 .done = pushed},
    };
    sonde_timer_stop(talk->push_timer);
    if (sonde_uplink_send(&settings->uplink, talk->http, &request, &talk->pushing, &err) < 0) {
        push_later(talk, &err);
    }
}

void talk_push(struct talk *talk)
{
    if (!talk->pushing && talk->push_failing_ns == 0) {
        push(talk);
    }
}
