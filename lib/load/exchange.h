/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked next, and what comes of the answer, whatever the protocol. For lib/load alone. */
#ifndef SONDE_LOAD_EXCHANGE_H
#define SONDE_LOAD_EXCHANGE_H

#include "load/worker.h"

/* What the worker's connections need for what the plan asks for. SONDE_ENOMEM. exchange_fini in any
 * case. */
int exchange_init(struct worker *worker, struct sonde_err *err) SONDE_MUST_CHECK;
void exchange_fini(struct worker *worker);

/* How many of `room` further requests may be sent now. */
uint32_t exchange_room(const struct worker *worker, const struct connection *connection,
                       uint32_t room);

/* How many requests may be begun before they are written. */
uint32_t exchange_batch(const struct worker *worker, const struct connection *connection);

/* The connection's next flight: its request is chosen, and counted as sent now. */
void exchange_begin(struct worker *worker, uint32_t index, int64_t intended_ns);

/* What a flight asks for. */
const struct sonde_load_request *exchange_request(const struct worker *worker,
                                                  const struct connection *connection,
                                                  const struct flight *flight);

/* What is asked first, by anyone. */
const struct sonde_load_request *exchange_first(const struct worker *worker,
                                                const struct connection *connection);

/* Appends the bytes of a request of HTTP/1 that is not the same each time, and was begun last. */
void exchange_fill(struct worker *worker, const struct connection *connection,
                   const struct sonde_load_request *request, struct sonde_buf *ret);

/* Whom the answer of a flight is shown to; NULL: nobody looks. */
const struct sonde_response_observer *
exchange_observer(struct worker *worker, struct connection *connection, struct flight *flight);

/* The answer is whole. The protocol removes the flight. */
void exchange_answered(struct worker *worker, struct connection *connection, struct flight *flight,
                       int status);

/* There is none, for that reason, or since the test has ended. */
void exchange_failed(struct worker *worker, struct connection *connection, struct flight *flight,
                     enum sonde_load_error error);
void exchange_censored(struct worker *worker, struct connection *connection, struct flight *flight);

#endif
