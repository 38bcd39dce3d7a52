/* SPDX-License-Identifier: Apache-2.0 */
/* Sends requests from threads with connections of their own, and says what came of them. */
#ifndef SONDE_LOAD_ENGINE_H
#define SONDE_LOAD_ENGINE_H

#include <stdatomic.h>

#include "load/arrivals.h"
#include "load/request.h"
#include "load/scenario.h"
#include "load/tally.h"
#include "load/target.h"
#include "spec/kinds.h"

enum {
    SONDE_LOAD_THREADS_MAX = 256,
    SONDE_LOAD_CONNECTIONS_MAX = 100000,
    SONDE_LOAD_PIPELINING_MAX = 1024,
};

struct sonde_load_tls_options {
    bool enabled;
    bool skip_verify;             /* the certificate is not checked */
    const char *server_name;      /* that is asked for and checked: a name or an address */
    struct sonde_str authorities; /* PEM; empty: those of the system */
    struct sonde_str certificate; /* PEM, with what leads to its authority; empty: none */
    struct sonde_str key;         /* … its private key, PEM */
};

/* A server, and what it is asked for. */
struct sonde_load_origin {
    const char *host; /* by which `safety` of the plan knows it; NULL: it may be loaded */
    const struct sonde_load_addresses *addresses; /* connections take them in turn */
    struct sonde_str connect; /* what they are asked first, being of a proxy; empty: they are not */
    struct sonde_load_tls_options tls;
    bool websocket; /* each request is a message, its body; its head is the handshake's */
    bool listens;   /* … and none is sent: what comes is counted */
    const struct sonde_load_request *requests; /* sent in turn, by each thread */
    size_t request_count;
    const struct sonde_load_scenario *scenario; /* NULL: else it says what is sent next */
    /* The first label of its names, of its addresses, counted from 1; 0: they are not told apart.
     * sonde_load_label sets them. */
    unsigned first_name, first_address;
};

/* What is to be done. All is borrowed, and must outlive the run. */
struct sonde_load_plan {
    const struct sonde_load_origin *origins; /* connections take them in turn */
    size_t origin_count;
    enum sonde_http_version version; /* Negotiate: what TLS agrees on; else HTTP/1.1 */
    unsigned threads;
    unsigned connections;             /* of all threads */
    unsigned connections_max;         /* … with a rate: opened while all are busy; ≥ connections */
    unsigned pipelining;              /* requests in flight on a connection; streams of HTTP/2 */
    uint64_t requests_per_connection; /* then it is closed, and opened again; 0: any number */
    uint64_t requests_of_each;        /* … and not opened again; 0: any number */
    int64_t timeout_ns;               /* of an answer, and of connecting */
    int64_t drain_ns; /* at the end, answers to what was sent are waited for as long */
    /* With a rate or stages an open model; else a closed one, which ends by duration or amount. */
    struct sonde_arrival arrival;
    const struct sonde_load_safety *safety; /* a ceiling of the rate; NULL: there is none */
    bool good_times;         /* those of answers with a status other than 2xx do not count */
    int64_t warm_up_seconds; /* before it, at its (first) rate: counted apart. 0: none */
    int64_t sample_ns;       /* how often the watcher is told, a second at most; 0: each second */
    uint64_t seed;
    bool waits_awake; /* threads may use a CPU while they wait for a time: load/awake.h */
    /* Several runners carry it out together, each of them with its share (load/share.h) of all of
     * the above but the threads, which are its own; 0 runners: it is alone. They have one seed. */
    unsigned runner, runners;
    int64_t start_ns; /* monotonic: when it begins, with its warm-up. Connections are opened before,
                       * and nothing is sent. 0: at once */
    /* Of one that takes another's place: what was to be sent before, from the start, is not its
     * own; nor are so many requests of a closed model. */
    int64_t from_ns;
    uint64_t sent_before;
    /* Of one that learned too late when it was to begin: what was due of its own before, from the
     * start, is not sent in a burst, and counts as not sent. Up to from_ns: it was in time. */
    int64_t missed_ns;
    const struct sonde_load_label *labels; /* that results tell apart: sonde_load_label */
    size_t label_count;
};

/* Gives an origin labels of its scenario's names and, if asked, of its addresses; `count` of
 * `labels` (room for SONDE_LOAD_LABELS_MAX) are others'. SONDE_ELIMIT. */
int sonde_load_label(struct sonde_load_origin *origin, bool addresses,
                     struct sonde_load_label *labels, size_t *count,
                     struct sonde_err *err) SONDE_MUST_CHECK;

/* Is told how it goes, by the thread that runs it. */
struct sonde_load_watcher {
    void *context;
    /* What came of the second (or less, at the end, or as the plan has it) that ended at `end_ns`,
     * from the start, which
     * is when the warm-up is over. */
    void (*interval)(void *context, int64_t end_ns, const struct sonde_load_tally *tally);
    const atomic_bool *stop; /* true: it ends now. NULL: it does not */
    /* The same of a second of the warm-up; end_ns is from its beginning. NULL: nobody asks. */
    void (*warm_up)(void *context, int64_t end_ns, const struct sonde_load_tally *tally);
    /* Before any of these: by how much the last thread began later than it was to. NULL: the same.
     */
    void (*started)(void *context, int64_t late_ns);
};

struct sonde_load_outcome {
    struct sonde_load_tally tally; /* of all */
    int64_t start_ns;              /* of the realtime clock */
    int64_t duration_ns;           /* until nothing more was to be sent; with an amount, until its
                                    * last answer */
    int64_t cpu_ns;                /* that the threads used, but for waiting awake */
    /* What was before the start, and nothing of the above has: requests that were meant to be sent
     * then, and their answers, whenever they came. */
    struct sonde_load_tally warm_up;
    int64_t warm_up_ns;
    bool stopped; /* by the watcher */
};

/* Runs to the end. `watcher` may be NULL. SONDE_EDENIED by the plan's safety, SONDE_ENOMEM,
 * SONDE_EIO when threads or polling cannot be had; what goes wrong with requests is counted. The
 * caller calls sonde_load_outcome_fini in any case. */
int sonde_load_run(const struct sonde_load_plan *plan, const struct sonde_load_watcher *watcher,
                   struct sonde_load_outcome *ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_load_outcome_fini(struct sonde_load_outcome *outcome);

#endif
