/* SPDX-License-Identifier: Apache-2.0 */
/* The store as a service: what its parts share. One loop, one thread; only jobs (jobs.c) run
 * elsewhere, each with a handle of its own on the database. */
#ifndef SONDE_STORE_SERVICE_H
#define SONDE_STORE_SERVICE_H

#include <cjson/cJSON.h>

#include "base/log.h"
#include "db/targets.h"
#include "http/server.h"
#include "kube/client.h"
#include "results/results.h"

enum {
    STORE_DOCUMENT_MAX = 512 << 10, /* bytes of a controller's request */
    STORE_RESULT_MAX = SONDE_TARGET_RESULT_MAX,
    STORE_WORDS_MAX = 64 << 10,            /* bytes of a sidecar's request that is no artifact */
    STORE_INTERVAL_MAX = (2 << 20) + 4096, /* … of a runner's second: SONDE_LOAD_TALLY_MAX */
    STORE_ANSWER_MAX = 64 << 20,
    STORE_WAIT_SECONDS_MAX = 55, /* a long poll */
    STORE_USER_MAX = 512,        /* bytes of a person's name */
    STORE_NAMESPACE_MAX = 64,
};

#define STORE_AUDIENCE "sonde-store" /* of the controller's token */

struct callers;
struct uploads;
struct changes;
struct jobs;
struct silence;
struct loads;
struct call;

/* Who may call, and how they say who they are. */
enum caller { CALLER_ANYONE, CALLER_SIDECAR, CALLER_CONTROLLER, CALLER_PERSON };

/* What the service answers. */
struct endpoint {
    enum caller caller;
    /* Of CALLER_PERSON: what a SubjectAccessReview asks about profileruns of sonde.dev. */
    const char *verb, *subresource;
    const char *label; /* in metrics */
    /* The request is complete, and the caller may: answers now or later. */
    void (*answer)(struct call *call);
};

/* Counted since the start. */
struct metrics {
    uint64_t uploads, upload_bytes, refused_uploads;
    uint64_t runs_created, runs_concluded;
    uint64_t reviews, denied;
    uint64_t downloads;
    uint64_t removed;
    uint64_t answers[6]; /* by class of status */
};

/* How much a job may take. */
struct job_bounds {
    uint64_t heap_bytes; /* of memory, for the analysis of a heap snapshot */
};

struct service {
    struct sonde_loop *loop;
    struct sonde_log log;
    const char *directory;
    struct job_bounds bounds;
    struct sonde_db *db;
    struct sonde_server *server;
    struct sonde_kube *kube;     /* NULL: outside a cluster */
    const char *controller_user; /* the name that a TokenReview gives the controller */
    struct sonde_buf controller_token, person_token; /* of files; empty: none */
    struct callers *callers;
    struct uploads *uploads;
    struct changes *changes;
    struct jobs *jobs;
    struct silence *silence;
    struct loads *loads;
    struct metrics metrics;
    bool stopping;
};

/* One request under way. It outlives its exchange while something it waits for goes on. */
struct call {
    struct service *service;
    struct sonde_exchange *exchange; /* NULL: the peer has gone */
    const struct endpoint *endpoint;
    struct sonde_buf body;
    char uid[SONDE_UUID_SIZE];           /* of the run in the path */
    char namespace[STORE_NAMESPACE_MAX]; /* that a person's rights were checked in; "": all */
    char user[STORE_USER_MAX];
    char target[SONDE_TARGET_NAME_MAX + 1]; /* of a sidecar */
    void *upload;                           /* of a PUT */
    struct download *download;              /* what is sent in pieces */
    /* What a person was found to ask of that is no heap: of which runs, and which capture ("":
     * all). */
    char heap_runs[2][SONDE_UUID_SIZE];
    char heap_name[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    bool wants_heap,
        may_heap; /* a person: what a process held in memory is asked for, and may be */
    bool counted;
    int waiting; /* for so many things that keep it */
};

/* call.c */
extern const struct sonde_route store_routes[];
/* Keeps a call while something is waited for, and lets it go. */
void call_keep(struct call *call);
void call_release(struct call *call);
void call_answer(struct call *call, unsigned status, struct sonde_str json);
void call_answer_as(struct call *call, unsigned status, const char *media_type,
                    struct sonde_str body);
/* As sonde_exchange_stream. */
void call_answer_stream(struct call *call, unsigned status, const char *media_type,
                        int64_t (*read)(void *context, char *data, size_t length), void *context);
void call_fail(struct call *call, unsigned status, const char *code, const char *message);
/* By the code of err, and its reason where it has one. */
void call_fail_by(struct call *call, const struct sonde_err *err);
/* The same where what is kept was read: that it is damaged is no fault of the caller. */
void call_fail_by_kept(struct call *call, const struct sonde_err *err);
/* The body as a JSON object; NULL after a refusal. The caller deletes it. */
cJSON *call_json(struct call *call);
/* Finds the run of the path in the namespace of the call; false after a refusal. */
bool call_resolve(struct call *call);

/* callers.c: who is it? Calls endpoint->answer, or refuses. */
int callers_new(struct service *service, struct callers **ret,
                struct sonde_err *err) SONDE_MUST_CHECK;
void callers_free(struct callers *callers);
void callers_admit(struct call *call);
/* Asks whether a person may also see heaps, and calls endpoint->answer again, or refuses. */
void callers_admit_heap(struct call *call);
/* The token of a request; empty when there is none. */
struct sonde_str caller_token(const struct call *call);

/* sidecar.c */
int uploads_new(struct service *service, struct uploads **ret,
                struct sonde_err *err) SONDE_MUST_CHECK;
void uploads_free(struct uploads *uploads);
void upload_begin(struct call *call);
void upload_data(struct call *call, const char *data, size_t length);
void upload_end(struct call *call);
void upload_closed(struct call *call);
void sidecar_commit(struct call *call);
void sidecar_heartbeat(struct call *call);
void sidecar_done(struct call *call);

/* runs.c: for the controller */
void runs_create(struct call *call);
void runs_cancel(struct call *call);
void runs_conclude(struct call *call);
/* For sonde_db_run_get: *(bool *)context is whether the run is a load test. */
int runs_read_kind(void *context, const struct sonde_run *run, struct sonde_err *err);

/* changes.c */
int changes_new(struct service *service, struct changes **ret,
                struct sonde_err *err) SONDE_MUST_CHECK;
void changes_free(struct changes *changes);
void changes_add(struct service *service, const char *uid, const char *target,
                 enum sonde_target_phase phase);
void changes_answer(struct call *call);
/* Answers all long polls: the service stops. */
void changes_end(struct changes *changes);

/* runs.c, load_conclude.c: for jobs */
/* Appends "summary":{…}, or that there is none and why. */
void put_summary(struct sonde_db *db, const char *uid, const struct job_bounds *bounds,
                 struct sonde_buf *buf);
/* Makes the result of a load test and ends its run, or says what it said then. The argument is the
 * request to conclude. */
struct job_result;
void load_conclude(struct sonde_db *db, const char *uid, const char *argument,
                   const struct job_bounds *bounds, struct job_result *ret);

/* silence.c */
int silence_new(struct service *service, int64_t lost_after_ns, struct silence **ret,
                struct sonde_err *err) SONDE_MUST_CHECK;
void silence_free(struct silence *silence);
/* The target's sidecar has just spoken. */
void silence_heard(struct silence *silence, const char *uid, const char *target);
/* It will not speak any more; target NULL: all of the run. */
void silence_forget(struct silence *silence, const char *uid, const char *target);

/* load.c: load tests on several runners */
int loads_new(struct service *service, struct loads **ret, struct sonde_err *err) SONDE_MUST_CHECK;
void loads_free(struct loads *loads);
/* A run that was created is one. `addresses` is JSON. */
int loads_create(struct loads *loads, const char *uid, const char *addresses,
                 struct sonde_err *err) SONDE_MUST_CHECK;
/* Whether there is room for a test that has so many runners, or it is there. SONDE_EBUSY. */
int loads_check_room(struct loads *loads, const char *uid, int64_t runners,
                     struct sonde_err *err) SONDE_MUST_CHECK;
/* Its run was deleted. */
void loads_drop(struct loads *loads, const char *uid);
/* To be answered by load_answer. One that has ended stays as it is. */
int loads_cancel(struct loads *loads, const char *uid, struct sonde_err *err) SONDE_MUST_CHECK;
/* The last word of a target, which may be a runner that could not go on: that is on the disk when
 * it returns 0. */
int loads_failed(struct loads *loads, const char *uid, const char *target, const cJSON *word,
                 struct sonde_err *err) SONDE_MUST_CHECK;
/* Keeps all that was said of it; from now on nothing is taken any more. */
void loads_conclude(struct loads *loads, const char *uid);
/* Keeps what was said, and answers. */
void loads_flush(struct loads *loads);
/* Appends ,"load":{…} of a test that goes on, else nothing. */
int loads_put_state(struct loads *loads, const char *uid, struct sonde_buf *buf,
                    struct sonde_err *err) SONDE_MUST_CHECK;
/* The uid of the next test in memory, of the first for NULL; NULL: there is none. */
const char *loads_next(const struct loads *loads, const char *uid);

/* load_calls.c */
/* The number of a target "runner-N". SONDE_EINVALID. */
int load_runner_number(const char *target, int64_t *ret) SONDE_MUST_CHECK;
void loads_runner(struct call *call);
void loads_clock(struct call *call);
void loads_ready(struct call *call);
void loads_interval(struct call *call);
void loads_orders(struct call *call);
void loads_done(struct call *call);
void loads_lost(struct call *call);
void loads_live(struct call *call);

/* download.c */
/* Whether the peer takes artifacts as they are kept. */
bool download_wanted(const struct call *call);
/* Sends the file, which is closed in any case, and tells what it unfolds to. */
void download_begin(struct call *call, const struct sonde_results_kept *kept,
                    const char *media_type);
void download_closed(struct call *call);

/* people.c */
/* Whether what was asked for is no heap even now, when it has been read: a run may get one while
 * a person waits. */
bool people_may_still_see(struct call *call);
/* Whether nothing of a heap is asked for, of a capture of that name or (NULL) of all, or the person
 * may see it. False: it is answered. */
bool people_may_see(struct call *call, const char *uid, const char *name);
/* Notes that a person got something. */
void people_log(const struct call *call, const char *what);
void people_list(struct call *call);
void people_run(struct call *call);
void people_document(struct call *call);
void people_report(struct call *call);
void people_findings(struct call *call);
void people_compare(struct call *call);
void people_export(struct call *call);
void people_artifact(struct call *call);
void people_delete(struct call *call);
/* Appends a run's row as JSON. */
void put_run(const struct sonde_run *run, struct sonde_buf *buf);
/* Appends the run's artifacts as a JSON array. */
int put_artifacts(struct sonde_db *db, const char *uid, struct sonde_buf *buf,
                  struct sonde_err *err) SONDE_MUST_CHECK;

/* check.c */
void people_check(struct call *call);

/* jobs.c: what takes long is done on a thread of the pool, with its own database. */
struct job_result {
    unsigned status; /* 0: `err` says what went wrong */
    const char *media_type;
    struct sonde_buf text;
    struct sonde_err err;
};
/* `work` runs elsewhere and may use of the call only what does not change: uid, namespace. It gets
 * a copy of the argument text. */
typedef void (*job_work)(struct sonde_db *db, const char *uid, const char *argument,
                         const struct job_bounds *bounds, struct job_result *ret);
int jobs_new(struct service *service, struct jobs **ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* Waits for those under way. */
void jobs_free(struct jobs *jobs);
/* Answers the call when it is done. The controller's wait for nobody else's; a person has few at a
 * time, beyond: 503. */
void jobs_add(struct call *call, job_work work, const char *argument);
size_t jobs_busy(const struct jobs *jobs);

/* metrics.c */
void metrics_answer(struct call *call);
void health_answer(struct call *call);
void ready_answer(struct call *call);

/* retention.c */
struct retention;
struct retention_options {
    int64_t keep_ns[SONDE_DATA_CLASSES]; /* 0: for ever */
    int64_t bytes_max;                   /* of all artifacts; 0: no bound */
};
int retention_new(struct service *service, const struct retention_options *options,
                  struct retention **ret, struct sonde_err *err) SONDE_MUST_CHECK;
void retention_free(struct retention *retention);

#endif
