/* SPDX-License-Identifier: Apache-2.0 */
/* One thread of the engine, and its connections. For lib/load alone. */
#ifndef SONDE_LOAD_WORKER_H
#define SONDE_LOAD_WORKER_H

#include <pthread.h>

#include "load/awake.h"
#include "load/session.h"
#include "load/share.h"
#include "load/thinking.h"
#include "load/transport.h"

enum {
    WORKER_READ_SIZE = 64 << 10, /* bytes of one read, behind what was left over */
    WORKER_BATCH = 64,           /* requests of one write */
    WORKER_NONE = UINT32_MAX,    /* no connection */
};

/* What came of a part of the test, by when a request was meant to be sent; of what belongs to no
 * request, by when it happened. */
enum worker_phase {
    WORKER_MEASURED,
    WORKER_WARM_UP,
    WORKER_PHASES,
};

/* A request that was written, or is about to be. */
struct flight {
    struct sonde_load_times times;
    uint32_t request;
};

struct protocol;
struct worker;

/* Who plays a scenario on a connection, and the answer that comes in. */
struct seat {
    struct worker *worker;
    struct sonde_load_session session;
    struct sonde_load_answer answer;
    struct sonde_response_observer observer;
};

enum connection_state {
    CONNECTION_CLOSED,
    CONNECTION_CONNECTING,
    CONNECTION_TUNNELING, /* a proxy was asked to connect us */
    CONNECTION_SECURING,  /* the handshake of TLS */
    CONNECTION_GREETING,  /* the protocol's own */
    CONNECTION_OPEN,
};

struct connection {
    struct transport transport; /* fd -1: none */
    const struct protocol *protocol;
    uint8_t state;
    bool served;           /* an answer came on it since it was opened */
    bool deaf;             /* the peer takes nothing any more; what it has said is read */
    bool listed;           /* among those that can take a request */
    bool used_up;          /* it has sent all it may, and is not opened again */
    uint32_t origin;       /* of the plan: where it goes to */
    uint32_t address;      /* … of which of its addresses it has */
    uint32_t next;         /* of those */
    uint32_t first, count; /* of its flights, a ring of plan->pipelining, oldest first if the
                              protocol answers in order */
    unsigned failures;     /* in a row: without an answer */
    uint64_t taken;        /* requests, since it was opened */
    uint64_t taken_before; /* … and before that */
    int64_t since_ns;      /* it is connecting */
    int64_t retry_ns;      /* it is closed, and not opened again before */
    int64_t ready_ns;      /* nothing is sent before: somebody thinks */
    struct seat *seat;     /* NULL: no scenario, or one that needs none of its own */
    struct flight *flights;
    void *own;                      /* the protocol's, while it is open */
    struct sonde_response response; /* of the first flight */
    struct sonde_buf in;            /* a part of a head or line */
    struct sonde_buf out;           /* what the socket did not take */
};

/* What a thread has of an origin of the plan. */
struct origin {
    struct transport_tls tls;
    size_t address, request; /* of the next connection, request */
    struct sonde_load_player player;
    struct seat seat; /* of all connections that have none */
};

struct worker {
    const struct sonde_load_plan *plan;
    struct sonde_load_share share;
    pthread_t thread;
    int poll;
    int64_t start_ns, now_ns; /* monotonic */
    int64_t begin_ns;         /* … nothing is sent before */
    int64_t warm_ns;          /* … the end of the warm-up; start_ns: there is none */
    bool open_model;
    bool begun;   /* its start has come */
    bool sending; /* until the end */
    bool excused; /* time limits were left alone the last time */
    /* Connections: those of the plan's share, and up to its largest. */
    struct connection *connections;
    struct flight *flights;    /* of all */
    struct seat *seats;        /* one of each, or NULL */
    struct thinking thinking;  /* the connections that somebody thinks on */
    uint32_t wanted, most;     /* how many are to be open; and may be, with a rate */
    uint32_t used_up;          /* … of those: will not be any more */
    int64_t reopen_ns;         /* the next one that was closed is opened again */
    bool failing;              /* a connection could not be opened or was closed before an answer,
                                  and no answer has come since */
    uint32_t connecting, open; /* how many are so, the first with all up to open */
    struct origin *origins;
    uint32_t in_flight;
    uint32_t first_free, last_free; /* which can take a request, the longest so first */
    /* The plan: the next time, and how many are due. */
    struct sonde_arrivals arrivals, ahead;
    int64_t next_ns, ahead_ns;     /* from the start; INT64_MAX: there are no more */
    int64_t busy_ns;               /* when there was none that could take a due request */
    uint64_t due;                  /* of `ahead`, and not sent */
    uint64_t left;                 /* requests of a closed model; UINT64_MAX: any number */
    struct sonde_buf filled, body; /* requests that are made for one time alone */
    struct sonde_buf framed;       /* … as messages of a WebSocket */
    uint64_t filled_count;
    int64_t length_ns;   /* from the start to the end; INT64_MAX: there is none */
    int64_t end_ns;      /* monotonic: nothing is sent from then on */
    int64_t drained_ns;  /* … and no answer awaited from then on */
    int64_t swept_ns;    /* time limits were looked at */
    int64_t interval_ns; /* the end of the current one */
    int64_t step_ns;     /* … and its length */
    char *buffer;        /* of SONDE_RESPONSE_HEAD_MAX + WORKER_READ_SIZE */
    struct sonde_response_memo memo;
    struct sonde_err err; /* what ended it */
    /* Handed over each step, a tally of each phase that there is. */
    struct sonde_load_tally *phases; /* the worker's */
    struct sonde_load_tally *live;   /* … of the phase that is now */
    pthread_mutex_t *lock;
    pthread_cond_t *handed;
    struct sonde_load_tally *ready; /* the watcher's while is_ready; else empty */
    bool is_ready, finished, stopped;
    bool counted; /* it ended by the number of its requests: it takes until their last answer */
    int64_t ready_ns, ended_ns;
    int64_t late_ns; /* it began so long after its start; INT64_MAX: it has not */
    struct sonde_awake awake;
    int64_t awake_ns;            /* of CPU, waited awake */
    int64_t warm_cpu_ns, cpu_ns; /* otherwise used: by the warm-up; and since */
    atomic_bool stop;
};

/* connection.c */
/* Begins to connect; what comes of it is counted. */
void connection_open(struct worker *worker, uint32_t index);
/* What epoll said of it. */
void connection_event(struct worker *worker, uint32_t index, uint32_t events);
/* How many more requests it can take now. */
uint32_t connection_room(const struct worker *worker, const struct connection *connection);
/* Whether no more may be sent on it, and nothing is awaited. */
bool connection_is_spent(const struct worker *worker, const struct connection *connection);
/* Writes `count` requests that it can take, at most WORKER_BATCH, meant to be written at
 * intended_ns[i] (monotonic). */
void connection_send(struct worker *worker, uint32_t index, const int64_t *intended_ns,
                     uint32_t count);
/* Closes what has waited too long, and lets go what is over. */
void connection_check_time(struct worker *worker, uint32_t index);
/* At the end: what is in flight is censored. */
void connection_end(struct worker *worker, uint32_t index);

/* connection.c, for protocols */
/* The flight that is so many behind the first; also the place for the next one. */
struct flight *connection_flight(const struct worker *worker, const struct connection *connection,
                                 uint32_t number);
/* Writes all pieces, now or when the socket takes them. False: the connection is gone. */
bool connection_write(struct worker *worker, uint32_t index, struct iovec *pieces, size_t count);
/* The protocol has greeted: requests may be sent. */
void connection_greeted(struct worker *worker, uint32_t index);
/* Closes it. The first flight has failed for that, and with it those behind it: nobody will answer
 * them. If there is none, the error is counted, unless the peer has only closed. If it was not open
 * yet, connecting has failed. */
void connection_fail(struct worker *worker, uint32_t index, enum sonde_load_error error);
/* Fails it if its first flight was sent before then, in monotonic ns. For protocols that answer in
 * order: what comes behind it would be taken for its answer. */
void connection_expire(struct worker *worker, uint32_t index, int64_t before_ns);

/* worker.c */
void *worker_run(void *worker);
/* Where a request is counted that was meant to be sent then. */
static inline struct sonde_load_tally *worker_tally(const struct worker *worker,
                                                    int64_t intended_ns)
{
    return &worker->phases[intended_ns < worker->warm_ns ? WORKER_WARM_UP : WORKER_MEASURED];
}
/* A connection can take a request, or was closed: it does, or is opened again. */
void worker_freed(struct worker *worker, uint32_t index);

#endif
