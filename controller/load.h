/* SPDX-License-Identifier: Apache-2.0 */
/* A LoadTest as the controller carries it out: the Service is read, the test is registered at the
 * store, a Job of runners is made, and what happens to its pods is told to the store, which
 * coordinates the runners and judges. */
#ifndef SONDE_CONTROLLER_LOAD_H
#define SONDE_CONTROLLER_LOAD_H

#include "controller/controller.h"
#include "controller/load_job.h"
#include "controller/load_pods.h"

enum {
    LOAD_ADDRESSES_MAX = 256, /* pods that one test loads by their addresses */
    LOAD_FIGURE_SIZE = 32,
    LOAD_TOKEN_SIZE = 65, /* hexadecimal */
};

enum load_condition {
    LOAD_ACCEPTED = OBJECT_ACCEPTED,
    LOAD_READY,
    LOAD_RUNNING,
    LOAD_THRESHOLDS,
    LOAD_SUCCEEDED = OBJECT_SUCCEEDED,
};

/* The reason of RunnersReady while the store has no room, and of Accepted while the API server does
 * not tell what is under load. */
#define LOAD_STORE_BUSY "StoreBusy"
#define LOAD_TARGET_NOT_READ "TargetNotRead"

/* The names of the conditions. */
#define LOAD_CONDITIONS {"Accepted", "RunnersReady", "Running", "ThresholdsMet", "Succeeded"}

enum load_lead {
    LOAD_LEADS_OUT,        /* of the cluster */
    LOAD_LEADS_HERE,       /* to the runner's own pod */
    LOAD_LEADS_TO_SERVICE, /* of the cluster */
};

/* A Service. */
struct load_place {
    char namespace[SONDE_KUBE_LABEL_MAX + 1];
    char name[SONDE_KUBE_NAME_MAX + 1];
};

enum load_phase { LOAD_UNKNOWN, LOAD_PHASE_WAITING, LOAD_PHASE_RUNNING, LOAD_PHASE_OVER };

/* What the store tells of it. */
struct load_live {
    enum load_phase phase;
    int64_t ready, active, lost, requests;
    char rate[LOAD_FIGURE_SIZE]; /* per second */
    char error_rate[LOAD_FIGURE_SIZE];
    char p50[LOAD_FIGURE_SIZE], p99[LOAD_FIGURE_SIZE];
    bool profile_due, stopped;
    char reason[OBJECT_REASON_SIZE];
    char message[OBJECT_MESSAGE_SIZE];
};

struct load;

/* The loss of a pod. */
struct loss {
    int64_t created_ns; /* when the pod was made; since 1970 */
    char uid[SONDE_KUBE_UID_MAX];
};

struct runner {
    struct load *load;
    struct loss told; /* the last that the store knows of; it knows of all before */
    struct loss telling;
    int64_t tell_at; /* monotonic: not before */
    bool busy;
};

struct load {
    struct object object; /* first: see load_of */
    const struct sonde_load_test *spec;
    char job[LOAD_JOB_NAME_SIZE];

    /* What is under load. */
    cJSON *service;   /* as the API server has it; NULL: not read, or there is none */
    cJSON *addresses; /* [{address, name}], of the pods that are ready; NULL: not read */
    cJSON *outside; /* the hosts that it leads to outside of the cluster; NULL: nothing is known */
    char host[SONDE_KUBE_NAME_MAX + 1]; /* the name that led to `place`; "": target.service */
    struct load_place place;            /* the Service that is looked at */
    int aliases;                        /* Services before it that stood for another name */
    bool there;                         /* it is none of those */
    bool followed;                      /* `outside` is complete */
    bool permitted;                     /* by the namespace */
    int gate_waits;                     /* times in a row that it was not as it must be */
    int64_t look_at;                    /* monotonic: it is looked at again */
    int64_t looked_at;                  /* monotonic: all was as it must be; 0: it is not known */
    int64_t missing_since;              /* monotonic: there is no such Service; 0: there is */
    uint64_t target_seen;   /* of the ready pods, as last told: a sum of their uids' hashes */
    int64_t target_at;      /* monotonic: they were last looked at */
    int64_t target_told_at; /* monotonic: an Event told that they had changed; 0: none has */
    bool target_known;

    /* Those who load it. */
    char (*tokens)[LOAD_TOKEN_SIZE]; /* NULL: none are made; wiped when the Job has them */
    bool registering, registered;
    bool store_full; /* it has no room for the test: it is waited for */
    int store_failures;
    bool job_absent; /* it is not there */
    bool job_known;  /* it is there */
    char job_uid[SONDE_KUBE_UID_MAX];
    bool job_recorded;   /* the status says that it was made */
    int64_t start_since; /* since 1970: it was taken up, or the last step taken towards runners */
    bool job_doomed;     /* it is to be deleted */
    int job_failures;    /* requests about it that failed, in a row */
    int64_t job_at;      /* monotonic: no other is sent before */
    struct runner runners[LOAD_RUNNERS_MAX];
    char trouble_reason[OBJECT_REASON_SIZE]; /* why some are not ready; "" */
    char trouble_message[OBJECT_MESSAGE_SIZE];
    struct load_live live;
    int64_t status_at; /* monotonic: when the figures were last written */
    bool news;         /* that does not wait */

    /* spec.profile */
    char profile[LOAD_PROFILE_NAME_SIZE]; /* the ProfileRun's name */
    char profile_uid[OBJECT_UID_SIZE];
    bool profile_made, profile_failed, profile_cancelled;
    int profile_tries;
    int64_t profile_at;                        /* monotonic: it is tried again */
    char profile_trouble[OBJECT_MESSAGE_SIZE]; /* ": " and why; "" */
    int cancel_tries;
    int64_t cancel_at; /* monotonic: it is cancelled again */
};

/* Of an object that is a LoadTest. */
struct load *load_of(struct object *object);
const struct load *load_from(const struct object *object);

/* load.c: the parts without requests. */
int load_read(struct object *object, struct sonde_err *err) SONDE_MUST_CHECK;
void load_fini(struct object *object);
void load_put(cJSON *status, const struct object *object);
int load_take(struct object *object, const cJSON *status, struct sonde_err *err) SONDE_MUST_CHECK;
/* Takes the store's member `load` of a change. Returns whether it is more than other figures. */
bool load_take_live(struct load_live *live, const cJSON *told);
/* The figures alone, of a change or of the conclusion. */
void load_take_figures(struct load_live *live, const cJSON *told);
/* Appends the ProfileRun of spec.profile; selector: of the Service, NULL: none. */
int load_profile_print(const struct load *load, const cJSON *selector, struct sonde_buf *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;
/* A word for microseconds, for 0.0012 as a share, and for a rate: "231ms", "0.12%", "499.8". */
void load_write_latency(int64_t us, char ret[LOAD_FIGURE_SIZE]);
void load_write_share(double share, char ret[LOAD_FIGURE_SIZE]);
void load_write_rate(double rate, char ret[LOAD_FIGURE_SIZE]);

/* load_target.c: what may be loaded, and where it is. Pure. */
/* Whether a list of a namespace's annotation ("api.example.com, *.example.org") names the host. */
bool load_host_named(const char *list, const char *host);
/* Whether the annotations of the test's namespace let it send so much, and the hosts outside be
 * loaded. SONDE_EDENIED with a reason. */
int load_permit(const struct sonde_load_test *spec, const cJSON *outside, const cJSON *annotations,
                const char *namespace, struct sonde_err *err) SONDE_MUST_CHECK;
/* What it sends, of a search in its last trial, which is written into *trial. */
const struct sonde_arrival *load_arrival(const struct sonde_load_test *spec,
                                         struct sonde_arrival *trial);
/* Where a host leads, as pods of the namespace take it: in LOAD_LEADS_TO_SERVICE to the Service in
 * *ret (NAME, NAME.NS.svc, NAME.NS.svc.cluster.local, with or without a pod's name before it).
 * namespace NULL: of an alias, which is never a part of a name. */
enum load_lead load_lead_of(const char *host, const char *namespace, struct load_place *ret);
/* The other name that a Service stands for; "": it has addresses of its own. */
const char *load_alias(const cJSON *service);
/* Adds a host, once. SONDE_ELIMIT beyond LOAD_ADDRESSES_MAX; SONDE_ENOMEM. */
int load_add_outside(cJSON *outside, const char *host, struct sonde_err *err) SONDE_MUST_CHECK;
/* The same for each address of EndpointSlices that is not a pod's. */
int load_add_strangers(cJSON *outside, const cJSON *slices, struct sonde_err *err) SONDE_MUST_CHECK;
/* The ready pods behind a port of a Service (discovery.k8s.io/v1, EndpointSlice): the caller
 * deletes *ret, [{address: "10.1.2.3:8080" | "[fd00::7]:80", name}]. Of more than
 * LOAD_ADDRESSES_MAX the first, or with endpoints: Pods SONDE_ELIMIT. SONDE_ENOTFOUND: the Service
 * has no such port; SONDE_ENOMEM. */
int load_addresses(const cJSON *service, const cJSON *slices,
                   const struct sonde_service_target *target, cJSON **ret,
                   struct sonde_err *err) SONDE_MUST_CHECK;
/* The labels of the pods behind a Service, or NULL. */
const cJSON *load_selector(const cJSON *service);
/* Whether a pod has all of them. */
bool load_selects(const cJSON *selector, const struct pod *pod);

/* load_look.c: reads what is under load, before there are runners. Returns true when all is as it
 * must be; else it goes on by itself: it waits, asks, or ends the test. */
bool load_look(struct load *load);
/* Reads a Service, as object_ask does. */
typedef void (*load_read_done)(void *context, const struct sonde_kube_response *response,
                               const struct sonde_err *err);
bool load_read_service(struct load *load, const struct load_place *place, load_read_done done);

/* load_runners.c: the store's registration, the Job, and its pods. Returns true when the Job is
 * there. */
bool load_start_runners(struct load *load);
/* Why runners are not ready; empty: nothing is known to be wrong. */
void load_set_trouble(struct load *load, const char *reason, const char *message);
void load_follow_pods(struct load *load);
/* What runners that are not ready wait for, as far as it is known without a cause; and how to see
 * more. */
void load_say_wait(const struct load *load, char ret[OBJECT_MESSAGE_SIZE]);
/* Decides at the end whether the Job is deleted: if one of its pods would go on. */
void load_end_job(struct load *load);
/* Deletes it then. False while there is something to do. */
bool load_leave_job(struct load *load);

/* load_profile.c: returns true when no ProfileRun is under way any more, or ever was. */
bool load_follow_profile(struct load *load);
/* At the end: cancels one that nobody waits for any more. False while there is something to do. */
bool load_leave_profile(struct load *load);

#endif
