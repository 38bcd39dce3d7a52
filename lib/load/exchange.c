/* SPDX-License-Identifier: Apache-2.0 */
#include "load/exchange.h"

void exchange_begin(struct worker *worker, uint32_t index, int64_t intended_ns)
{
    struct worker *w = worker;
    struct connection *c = &w->connections[index];
    struct origin *origin = &w->origins[c->origin];
    size_t *next = &origin->request;
    struct flight *flight = connection_flight(w, c, c->count++);
    *flight = (struct flight){{intended_ns, w->now_ns}, (uint32_t)*next};
    *next = *next + 1 == w->plan->origins[c->origin].request_count ? 0 : *next + 1;
    w->in_flight++;
    c->taken++;
    sonde_load_tally_sent(w->live, &flight->times);
}

const struct sonde_load_request *exchange_request(const struct worker *worker,
                                                  const struct connection *connection,
                                                  const struct flight *flight)
{
    return &worker->plan->origins[connection->origin].requests[flight->request];
}

void exchange_fill(struct worker *worker, const struct sonde_load_request *request,
                   struct sonde_buf *ret)
{
    char id[SONDE_LOAD_ID_SIZE];
    sonde_load_id((uint32_t)worker->plan->seed, worker->number, worker->filled_count++, id);
    sonde_load_request_fill(request, NULL, id, &worker->body, ret);
}

const struct sonde_response_observer *
exchange_observer(struct worker *worker, struct connection *connection, struct flight *flight)
{
    (void)worker;
    (void)connection;
    (void)flight;
    return NULL;
}

void exchange_answered(struct worker *worker, struct connection *connection, struct flight *flight,
                       int status)
{
    sonde_load_tally_answered(worker->live, &flight->times, worker->now_ns, status);
    worker->in_flight--;
    connection->served = true;
    connection->failures = 0;
    connection->retry_ns = 0;
}

void exchange_failed(struct worker *worker, struct flight *flight, enum sonde_load_error error)
{
    sonde_load_tally_failed(worker->live, &flight->times, worker->now_ns, error);
    worker->in_flight--;
}

void exchange_censored(struct worker *worker, struct flight *flight)
{
    sonde_load_tally_censored(worker->live, &flight->times, worker->now_ns);
    worker->in_flight--;
}
