/* SPDX-License-Identifier: Apache-2.0 */
/* The controller: what its parts share. One loop, one thread. */
#ifndef SONDE_CONTROLLER_CONTROLLER_H
#define SONDE_CONTROLLER_CONTROLLER_H

#include "base/log.h"
#include "controller/attach.h"
#include "controller/choose.h"
#include "controller/object.h"
#include "controller/owned.h"
#include "http/certificate.h"
#include "http/server.h"
#include "kube/elector.h"
#include "kube/informer.h"
#include "kube/queue.h"
#include "spec/spec.h"

#define CONTROLLER_NAME "sonde-controller"
#define CONTROLLER_TOKEN_AUDIENCE "sonde-store"

enum {
    RUN_ARTIFACTS_MAX = 200, /* links in a status */
};

struct controller;
struct store_client;
struct certificates;
struct metrics_server;
struct webhook;
struct schedule;
struct clock_watch;

/* ---- what is carried out ---- */

struct watched {
    struct controller *controller;
    enum kind kind;
    struct sonde_kube_informer *informer;
};

/* ---- one run ---- */

enum target_state {
    TARGET_PENDING,
    TARGET_LOOKING,   /* a sidecar tells the user first */
    TARGET_ATTACHING, /* the sidecar is in the pod */
    TARGET_CAPTURING,
    TARGET_SUCCEEDED,
    TARGET_FAILED,
};

struct target {
    struct run *run;
    size_t index;
    char pod[SONDE_KUBE_NAME_MAX + 1];
    char pod_uid[SONDE_KUBE_UID_MAX];
    char node[SONDE_KUBE_NAME_MAX + 1];
    char container[CONTAINER_NAME_SIZE];
    enum target_state state;
    char reason[OBJECT_REASON_SIZE];
    char message[OBJECT_MESSAGE_SIZE];
    char node_version[32];
    int64_t pid, inspector_ms, pause_ms;
    int64_t user;        /* that a look told; ATTACH_USER_UNKNOWN */
    int64_t patched;     /* monotonic: the sidecar was put in, or first seen; 0: not yet */
    int64_t stuck_since; /* its container waits with an error; 0: it does not */
    int64_t ended_since; /* its container has ended; its word in the store may still come */
    bool connected;      /* the sidecar has spoken to the store */
    bool done;           /* … and has said its last word */
    bool registered;     /* the store knows the token */
    bool busy;           /* a request for it is under way */
    bool cancelled;      /* it ended because the run did */
    int failures;        /* tries in a row that went wrong */
    int store_failures;  /* those of the store among them, in a row */
    char token[65];      /* hexadecimal; wiped when the sidecar has it */
};

enum run_condition {
    CONDITION_ACCEPTED = OBJECT_ACCEPTED,
    CONDITION_ATTACHED,
    CONDITION_STORED,
    CONDITION_ANALYZED,
    CONDITION_SUCCEEDED = OBJECT_SUCCEEDED,
};

struct run {
    struct object object; /* first: see run_of */
    char sidecar[SIDECAR_NAME_SIZE];
    const struct sonde_profile_run *spec; /* NULL: it is not valid */

    struct target *targets; /* NULL: none is chosen */
    size_t target_count;
    size_t left_out;  /* pods that were wanted too */
    bool rolling_out; /* the workload, as last seen */
    bool workload_found;
    bool workload_known; /* the two above are fresh */
    int gate_waits;      /* times in a row that a gate was closed */
    int64_t choose_at;   /* monotonic: the gates are looked at again */
};

/* The names of the conditions. */
#define RUN_CONDITIONS {"Accepted", "Attached", "ArtifactsStored", "Analyzed", "Succeeded"}

/* Of an object that is a ProfileRun. */
struct run *run_of(struct object *object);
const struct run *run_from(const struct object *object);

/* ---- the whole ---- */

enum { API_CALLS_MAX = 100, REASONS_MAX = 64, HISTOGRAM_BOUNDS = 12 };

/* How often something took how long. */
struct histogram {
    uint64_t buckets[HISTOGRAM_BOUNDS + 1]; /* up to each bound, and longer; not added up */
    uint64_t count, sum_ns;
};

struct controller_metrics {
    struct {
        const char *verb; /* static; NULL: a free entry */
        int status;       /* 0: no answer */
        uint64_t count;
    } api_calls[API_CALLS_MAX];
    uint64_t api_calls_other; /* for which there was no room */
    uint64_t reconciles, reconcile_errors;
    struct histogram reconcile, queue_wait;
    uint64_t queue_wait_max_ns;
    uint64_t attaches;
    uint64_t runners_lost;
    uint64_t reviews; /* by the webhook */
    struct {
        const char *reason; /* static */
        uint64_t count;
    } ended[REASONS_MAX];
    uint64_t ended_other;
};

struct controller_settings {
    const char *kubeconfig, *context, *namespace, *system_namespace, *sidecar_image;
    const char *store, *store_address, *store_token_file, *store_ca_file, *listen, *webhook;
    bool no_election, help, version;
};

struct controller {
    const struct controller_settings *settings;
    struct sonde_log log;
    struct sonde_loop *loop;
    struct sonde_kube *kube;
    struct sonde_kube_informer *pods;
    struct sonde_kube_informer *runner_pods; /* of load tests; also those that have ended */
    struct watched watched[KIND_COUNT];
    struct sonde_kube_queue *queue;
    struct sonde_timer *pump_timer;
    struct sonde_kube_elector *elector;
    struct sonde_kube_recorder *recorder;
    struct store_client *store;
    struct certificates *certificates;
    struct metrics_server *server;
    struct webhook *webhook;    /* NULL: none is wanted */
    struct object *active;      /* list */
    struct schedule *schedules; /* list */
    int schedule_requests;      /* of all of them, under way */
    struct clock_watch *clock;
    struct controller_metrics metrics;
    bool leads;
    bool stopping;
};

extern const struct sonde_kube_resource pod_resource, secret_resource, profile_run_resource,
    load_test_resource, profile_schedule_resource, load_test_schedule_resource;

/* main.c: adds an object's key ("namespace/name") to the queue, now or later: its kind's function
 * is called with it. */
void controller_wake(struct controller *controller, enum kind kind, const char *key,
                     int64_t delay_ns);
/* The work on a key went wrong: it is done again, later each time … */
void controller_retry(struct controller *controller, enum kind kind, const char *key);
/* … until it succeeds. */
void controller_succeeded(struct controller *controller, enum kind kind, const char *key);
/* The cache of a kind. */
const struct sonde_kube_cache *controller_cache(const struct controller *controller,
                                                enum kind kind);
/* Whether all caches have been filled. */
bool controller_synced(const struct controller *controller);
/* The kind's resource. */
const struct sonde_kube_resource *kind_resource(enum kind kind);

/* run.c */
/* Makes room for so many targets, none of which are chosen yet; once. SONDE_ENOMEM, SONDE_ELIMIT.
 */
int run_reserve_targets(struct run *run, size_t count, struct sonde_err *err) SONDE_MUST_CHECK;
int run_read(struct object *object, struct sonde_err *err) SONDE_MUST_CHECK;
void run_fini(struct object *object);

/* status.c */
void run_put(cJSON *status, const struct object *object);
int run_take(struct object *object, const cJSON *status, struct sonde_err *err) SONDE_MUST_CHECK;

/* result.c: a sidecar's last word, from the store or the kubelet. Pure. */
void result_take(struct target *target, const cJSON *result);
/* From a termination message; false when it is none. */
bool result_take_message(struct target *target, const char *message);

/* reconcile.c */
void run_reconcile(struct controller *controller, const char *key);

/* load_way.c */
void load_reconcile(struct controller *controller, const char *key);

/* schedule.c */
void profile_schedule_reconcile(struct controller *controller, const char *key);
void load_test_schedule_reconcile(struct controller *controller, const char *key);
/* Appends ,"baseline":{…} to a conclusion: that of the schedule which made the object of this kind
 * and key, if there is one that has a baseline. */
void schedules_put_baseline(const struct controller *controller, enum kind kind, const char *key,
                            struct sonde_buf *body);
/* The clock was set: each is looked at again. */
void schedules_wake(struct controller *controller);
/* Frees them all; nothing calls back any more. */
void schedules_drop(struct controller *controller);

/* clock.c */
int clock_watch_new(struct controller *controller, struct clock_watch **ret,
                    struct sonde_err *err) SONDE_MUST_CHECK;
void clock_watch_free(struct clock_watch *clock);

/* target.c: one target's way; called by reconcile. */
void target_step(struct target *target);
void target_fail(struct target *target, const char *reason, const char *message);
bool target_over(const struct target *target);
bool target_active(const struct target *target);
void target_changed(struct object *run, const cJSON *change);

/* store.c */
struct store_answer {
    int status;          /* of HTTP; 0: none */
    const cJSON *object; /* or NULL */
};
typedef void (*store_callback)(void *context, const struct store_answer *answer,
                               const struct sonde_err *err);
int store_client_new(struct controller *controller, struct store_client **ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;
void store_client_free(struct store_client *store);
/* POST of JSON to /api/v1/PATH; `done` is called exactly once, unless the client is freed. */
int store_post(struct store_client *store, const char *path, struct sonde_str body,
               int64_t timeout_ns, store_callback done, void *context,
               struct sonde_err *err) SONDE_MUST_CHECK;
/* Follows the changes from now on. */
void store_follow(struct store_client *store);
/* The store is to tell all that goes on once more: news came that nobody was there to take. */
void store_follow_anew(struct store_client *store);

/* certificates.c */
int certificates_new(struct controller *controller, struct certificates **ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;
void certificates_free(struct certificates *certificates);
/* Whom sidecars trust (PEM); empty before it is known. */
struct sonde_str certificates_authority(const struct certificates *certificates);
/* This replica leads: it makes and renews them. */
void certificates_lead(struct certificates *certificates);
/* Whether less than a third of its life is left, or it is none (PEM). */
bool certificate_is_old(struct sonde_str pem);

/* webhook.c */
int webhook_new(struct controller *controller, struct webhook **ret,
                struct sonde_err *err) SONDE_MUST_CHECK;
void webhook_free(struct webhook *webhook);
/* Listens from now on with a certificate by that authority, or goes on when it has a good one.
 * SONDE_EBUSY, SONDE_EINVALID, SONDE_ENOMEM …: what served before goes on. */
int webhook_trust(struct webhook *webhook, const struct sonde_certificate *authority,
                  struct sonde_err *err) SONDE_MUST_CHECK;
bool webhook_serves(const struct webhook *webhook);

/* metrics.c */
int metrics_new(struct controller *controller, struct metrics_server **ret,
                struct sonde_err *err) SONDE_MUST_CHECK;
void metrics_free(struct metrics_server *server);
void metrics_ended(struct controller_metrics *metrics, const char *reason);
/* verb: as of sonde_kube_options. */
void metrics_api_call(struct controller_metrics *metrics, const char *verb, int status);
void metrics_took(struct histogram *histogram, int64_t duration_ns);

#endif
