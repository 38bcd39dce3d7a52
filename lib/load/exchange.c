/* SPDX-License-Identifier: Apache-2.0 */
#include "load/exchange.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"
#include "load/protocol.h"

static const struct sonde_load_origin *origin_of(const struct worker *w, const struct connection *c)
{
    return &w->plan->origins[c->origin];
}

static struct seat *seat_of(struct worker *w, struct connection *c)
{
    return c->seat ? c->seat : &w->origins[c->origin].seat;
}

/* ---- what is shown ---- */

static int see_field(void *context, struct sonde_str name, struct sonde_str value,
                     struct sonde_err *err)
{
    struct seat *seat = context;
    (void)err;
    if (seat->session.scenario->cookies) {
        sonde_load_session_field(&seat->session, name, value,
                                 sonde_clock_realtime() / SONDE_SECOND);
    }
    sonde_load_answer_field(&seat->answer, name, value);
    return 0;
}

static int see_body(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct seat *seat = context;
    (void)err;
    sonde_load_answer_body(&seat->answer, (struct sonde_str){data, length});
    return 0;
}

/* Whether the answer of a step is looked at, beyond its status. */
static bool looks(const struct sonde_load_scenario *scenario, const struct sonde_load_step *step)
{
    return step->look.fields || step->look.body || scenario->cookies;
}

const struct sonde_response_observer *
exchange_observer(struct worker *worker, struct connection *connection, struct flight *flight)
{
    const struct sonde_load_scenario *scenario = origin_of(worker, connection)->scenario;
    if (!scenario || !scenario->looks) {
        return NULL;
    }
    const struct sonde_load_step *step = &scenario->steps[flight->request];
    struct seat *seat = seat_of(worker, connection);
    sonde_load_answer_begin(&seat->answer, &step->look);
    seat->observer =
        (struct sonde_response_observer){seat, see_field, step->look.body ? see_body : NULL};
    return looks(scenario, step) ? &seat->observer : NULL;
}

/* ---- what a worker needs ---- */

static int init_seat(struct worker *w, struct seat *seat,
                     const struct sonde_load_scenario *scenario, struct sonde_err *err)
{
    seat->worker = w;
    sonde_load_answer_init(&seat->answer);
    return sonde_load_session_init(&seat->session, scenario, err);
}

static void free_seat(struct seat *seat)
{
    if (seat->worker) {
        sonde_load_answer_fini(&seat->answer);
        sonde_load_session_fini(&seat->session);
    }
}

int exchange_init(struct worker *worker, struct sonde_err *err)
{
    struct worker *w = worker;
    const struct sonde_load_plan *plan = w->plan;
    bool own = false;
    bool thinks = false;
    int r = 0;
    for (size_t i = 0; i < plan->origin_count && r == 0; i++) {
        const struct sonde_load_scenario *scenario = plan->origins[i].scenario;
        uint64_t seed = plan->seed + w->share.part * plan->origin_count + i;
        own = own || (scenario && (scenario->sessions || scenario->looks));
        thinks = thinks || (scenario && scenario->thinks);
        r = !scenario ? 0 : init_seat(w, &w->origins[i].seat, scenario, err);
        r = r < 0 || !scenario
                ? r
                : sonde_load_player_init(&w->origins[i].player, scenario, w->share.part,
                                         w->share.parts, sonde_random_next(&seed), err);
    }
    if (r == 0 && own) {
        w->seats = calloc(w->most, sizeof(*w->seats));
        r = w->seats ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "no memory for sessions");
    }
    for (uint32_t i = 0; i < w->most && w->seats && r == 0; i++) {
        struct connection *c = &w->connections[i];
        const struct sonde_load_scenario *scenario = origin_of(w, c)->scenario;
        if (scenario && (scenario->sessions || scenario->looks)) {
            c->seat = &w->seats[i];
            r = init_seat(w, c->seat, scenario, err);
        }
    }
    return r < 0 || !thinks ? r : thinking_init(&w->thinking, w->most, err);
}

void exchange_fini(struct worker *worker)
{
    for (size_t i = 0; worker->origins && i < worker->plan->origin_count; i++) {
        free_seat(&worker->origins[i].seat);
        sonde_load_player_fini(&worker->origins[i].player);
    }
    for (uint32_t i = 0; worker->seats && i < worker->most; i++) {
        free_seat(&worker->seats[i]);
    }
    free(worker->seats);
    thinking_fini(&worker->thinking);
}

/* ---- what is asked ---- */

/* A session asks for one thing after the other. Answers that are looked at come in order, or one at
 * a time: there is one place for them. */
uint32_t exchange_room(const struct worker *worker, const struct connection *connection,
                       uint32_t room)
{
    const struct connection *c = connection;
    const struct sonde_load_scenario *scenario = origin_of(worker, c)->scenario;
    if (!scenario || room == 0) {
        return room;
    }
    if (c->ready_ns > worker->now_ns) {
        return 0;
    }
    bool alone = scenario->sessions || (scenario->looks && c->protocol != &protocol_http1);
    return !alone ? room : c->count == 0;
}

/* Values are the session's, and change with the next request. */
uint32_t exchange_batch(const struct worker *worker, const struct connection *connection)
{
    return origin_of(worker, connection)->scenario ? 1 : WORKER_BATCH;
}

static uint32_t next_step(struct worker *w, struct connection *c)
{
    struct origin *origin = &w->origins[c->origin];
    const struct sonde_load_scenario *scenario = origin_of(w, c)->scenario;
    if (scenario) {
        int64_t now = scenario->cookies ? sonde_clock_realtime() / SONDE_SECOND : 0;
        return (uint32_t)sonde_load_session_next(&seat_of(w, c)->session, &origin->player, now);
    }
    size_t step = origin->request;
    origin->request = step + 1 == origin_of(w, c)->request_count ? 0 : step + 1;
    return (uint32_t)step;
}

/* The tallies that a request belongs to: that of all, and of its name and address. */
enum { TALLIES_MAX = 3 };
static unsigned tallies_of(struct worker *w, const struct connection *c,
                           const struct flight *flight, struct sonde_load_tally **ret)
{
    const struct sonde_load_origin *origin = origin_of(w, c);
    struct sonde_load_tally *all = worker_tally(w, flight->times.intended_ns);
    unsigned count = 0;
    ret[count++] = all;
    if (all->part_count) {
        if (origin->first_name && origin->scenario) {
            unsigned name = origin->scenario->steps[flight->request].tally;
            ret[count++] = &all->parts[origin->first_name - 1 + name];
        }
        if (origin->first_address) {
            ret[count++] = &all->parts[origin->first_address - 1 + c->address];
        }
    }
    return count;
}

void exchange_begin(struct worker *worker, uint32_t index, int64_t intended_ns)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    struct flight *flight = connection_flight(w, c, c->count++);
    *flight = (struct flight){{intended_ns, w->now_ns}, next_step(w, c)};
    w->in_flight++;
    c->taken++;
    struct sonde_load_tally *tallies[TALLIES_MAX];
    unsigned count = tallies_of(w, c, flight, tallies);
    for (unsigned i = 0; i < count; i++) {
        sonde_load_tally_sent(tallies[i], &flight->times);
    }
}

const struct sonde_load_request *exchange_request(const struct worker *worker,
                                                  const struct connection *connection,
                                                  const struct flight *flight)
{
    const struct sonde_load_origin *origin = origin_of(worker, connection);
    return origin->scenario ? &origin->scenario->requests[flight->request]
                            : &origin->requests[flight->request];
}

const struct sonde_load_request *exchange_first(const struct worker *worker,
                                                const struct connection *connection)
{
    const struct sonde_load_origin *origin = origin_of(worker, connection);
    return origin->scenario ? origin->scenario->requests : origin->requests;
}

void exchange_fill(struct worker *worker, const struct connection *connection,
                   const struct sonde_load_request *request, struct sonde_buf *ret)
{
    const struct seat *seat =
        connection->seat ? connection->seat : &worker->origins[connection->origin].seat;
    char id[SONDE_LOAD_ID_SIZE];
    sonde_load_id((uint32_t)worker->plan->seed, (uint32_t)worker->share.part,
                  worker->filled_count++, id);
    sonde_load_request_fill(request, seat->session.values, id, &worker->body, ret);
}

/* ---- what comes of it ---- */

static void think(struct worker *w, struct connection *c, int64_t pause_ns)
{
    bool already = c->ready_ns > w->now_ns;
    if (pause_ns) {
        c->ready_ns = w->now_ns + pause_ns;
        if (!already) {
            thinking_add(&w->thinking, (uint32_t)(c - w->connections), c->ready_ns);
        }
    }
}

/* What a scenario says of the answer: bits of sonde_load_session_take. */
static unsigned take(struct worker *w, struct connection *c, const struct flight *flight,
                     int status)
{
    const struct sonde_load_scenario *scenario = origin_of(w, c)->scenario;
    const struct sonde_load_step *step = &scenario->steps[flight->request];
    struct seat *seat = seat_of(w, c);
    bool looked = step->look.fields || step->look.body;
    return sonde_load_session_take(&seat->session, &w->origins[c->origin].player, flight->request,
                                   looked ? &seat->answer : NULL, status);
}

void exchange_answered(struct worker *worker, struct connection *connection, struct flight *flight,
                       int status)
{
    struct worker *w = worker;
    const struct sonde_load_scenario *scenario = origin_of(w, connection)->scenario;
    bool right = status == 0 || (status >= 200 && status <= 399);
    unsigned said = 0;
    if (scenario) {
        said = take(w, connection, flight, status);
        right = !(said & SONDE_LOAD_WRONG);
        if (!w->open_model || scenario->order == SONDE_LOAD_SEQUENCE) {
            think(w, connection, scenario->steps[flight->request].think_ns);
        }
    }
    bool timed = !w->plan->good_times || status == 0 || (status >= 200 && status <= 299);
    struct sonde_load_tally *tallies[TALLIES_MAX];
    unsigned count = tallies_of(w, connection, flight, tallies);
    for (unsigned i = 0; i < count; i++) {
        if (timed) {
            sonde_load_tally_judged(tallies[i], &flight->times, w->now_ns, status, right);
        } else {
            sonde_load_tally_untimed(tallies[i], status, right);
        }
        tallies[i]->mismatches += (said & SONDE_LOAD_MISMATCH) != 0;
        tallies[i]->restarts += (said & SONDE_LOAD_AGAIN) != 0;
    }
    w->in_flight--;
    connection->served = true;
    w->failing = false;
    connection->failures = 0;
    connection->retry_ns = 0;
}

void exchange_failed(struct worker *worker, struct connection *connection, struct flight *flight,
                     enum sonde_load_error error)
{
    bool again = origin_of(worker, connection)->scenario &&
                 sonde_load_session_fail(&seat_of(worker, connection)->session);
    struct sonde_load_tally *tallies[TALLIES_MAX];
    unsigned count = tallies_of(worker, connection, flight, tallies);
    for (unsigned i = 0; i < count; i++) {
        sonde_load_tally_failed(tallies[i], &flight->times, worker->now_ns, error);
        tallies[i]->restarts += again;
    }
    worker->in_flight--;
}

void exchange_censored(struct worker *worker, struct connection *connection, struct flight *flight)
{
    struct sonde_load_tally *tallies[TALLIES_MAX];
    unsigned count = tallies_of(worker, connection, flight, tallies);
    for (unsigned i = 0; i < count; i++) {
        sonde_load_tally_censored(tallies[i], &flight->times, worker->now_ns);
    }
    worker->in_flight--;
}
