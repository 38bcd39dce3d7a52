/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a visit, shared by attach.c, capture*.c and visit.c alone. */
#ifndef SONDE_INSPECTOR_VISIT_H
#define SONDE_INSPECTOR_VISIT_H

#include "http/client.h"
#include "http/websocket.h"
#include "inspector/cdp.h"
#include "inspector/inspector.h"
#include "inspector/process.h"
#include "inspector/threads.h"
#include "inspector/waits.h"

enum visit_state {
    VISIT_WAITING,     /* signalled, the inspector is not open yet */
    VISIT_LISTING,     /* GET /json/list */
    VISIT_CONNECTING,  /* WebSocket handshake */
    VISIT_IDENTIFYING, /* is it the right process? */
    VISIT_INSTALLING,  /* the probe */
    VISIT_CAPTURING,
    VISIT_SETTLING,  /* has it heard our signal to the end? */
    VISIT_FINISHING, /* the probe takes everything out */
    VISIT_CLOSING,   /* hanging up */
    VISIT_VERIFYING, /* is the port closed? */
    VISIT_DONE,
};

/* Between readings of when threads wait: at least, and for each of them. */
#define SONDE_WAITS_INTERVAL_NS (20 * SONDE_MILLISECOND)
#define SONDE_WAITS_INTERVAL_EACH_NS (4 * SONDE_MILLISECOND)

/* When a worker thread waited while a capture ran. */
struct visit_waits {
    size_t capture; /* its index */
    unsigned worker;
    int fd; /* the thread's schedstat; −1: it is over */
    struct sonde_wait_recorder recorder;
};

/* A thread of the target that runs JavaScript: what we have in it, and where the current capture
 * is there. Answers and events of the inspector come with it as their context. */
struct visit_thread {
    struct sonde_visit *visit;
    char worker[64];    /* of a worker: its name in the domain NodeWorker; "": the main thread */
    unsigned number;    /* of a worker, from 1 */
    bool installed;     /* its probe is in */
    bool needs_require; /* of the main thread: the command line's require is the only one */
    bool counted;       /* among the workers of the result */
    bool late;          /* a capture was begun without it: counted as lost until it joins in */
    unsigned refusals;  /* of a worker: how often it did not let the probe in */
    int64_t heard_ns;   /* of a worker: when it said something last */
    bool leaving;       /* its probe was asked to finish, and has not answered */
    struct sonde_cdp cdp;
    char probe_id[256]; /* the remote object */
    bool beating;       /* a beat waits for its answer */
    bool capturing;     /* the current capture was begun here, and is not done */
    void (*next)(struct visit_thread *thread); /* what it does when it is its turn; NULL: nothing */
    bool busy;           /* it waits for answers: to begin, to rotate, to end */
    bool arrived;        /* an artifact that is the answer to a command was committed */
    double mark_ms;      /* on the target's clock: before a command whose stall is measured */
    int64_t begin_ns;    /* when it had started; 0: it has not, or nothing is left to stop */
    unsigned window;     /* of a capture in windows */
    char title[96];      /* the running window's */
    int64_t patience_ns; /* a command may take so long, counted from the last byte; 0: as usual */
    void *state;         /* of the capture's type, which frees it in `fini` */
    size_t waits;        /* what is read of it now: an index of the visit's, plus 1; 0: nothing */
    void (*waits_known)(struct visit_thread *thread); /* what comes then */
    struct script_words *scripts; /* while the words of the program are asked for */
};

struct sonde_visit {
    struct sonde_visit_options options;
    struct sonde_capture_request captures[SONDE_CAPTURES_MAX];
    enum visit_state state;
    struct sonde_process process; /* as it was before it was signalled */
    int pidfd;
    struct sonde_watch *exit_watch;
    struct sonde_timer *timer; /* of the state: poll, window end, verification */
    struct sonde_timer *beat_timer;
    struct sonde_timer *deadline_timer;
    struct sonde_timer *waits_timer;
    struct sonde_timer *done_timer; /* `done` is called from the loop, never from within a call */
    struct sonde_http_client *http;
    struct sonde_http_request *request;
    struct sonde_websocket *socket;
    struct visit_thread main;
    struct visit_thread *threads[1 + SONDE_WORKERS_MAX]; /* the first one is main */
    size_t thread_count;
    struct visit_thread *talking; /* the worker whose message is arriving, or NULL */
    bool talking_first;           /* and none of it has arrived yet */
    bool workers_known;           /* those that there were have been told */
    struct visit_waits *waits;    /* of all captures */
    size_t waits_count, waits_capacity;
    struct sonde_buf command;
    struct sonde_buf inner; /* a command for a worker */
    uint16_t port;          /* of the inspector, 0: not known (yet); with its address: */
    char host[SONDE_PROC_HOST_SIZE];
    char authority[SONDE_PROC_HOST_SIZE + 16]; /* "127.0.0.1:9229" */
    uint16_t rejected[16];                     /* ports that turned out to be the application's */
    size_t rejected_count;
    struct sonde_threads tasks; /* of the process, since it settles */
    int64_t cpu_wait_ns;        /* of the process, when what we wait for had begun */
    int64_t signalled_ns;
    bool signalled; /* and has not been seen to open none */
    struct sonde_err install_err;
    int64_t state_since_ns;
    int64_t poll_ns;
    bool connected;
    bool ending; /* no further capture is begun */
    bool asked_to_finish;
    bool complete; /* everything was captured: what happens on the way out is no failure of it */

    size_t capture;  /* the index of the current one */
    char prefix[32]; /* of profile titles: ours and nobody else's */
    int64_t capture_end_ns;
    struct visit_thread *turn;    /* whose turn it is; NULL: nobody's */
    struct visit_thread *sink_of; /* whose artifact is being received; NULL: none */
    int64_t stood_still_ns;       /* until then the main thread passed on nothing of workers */
    uint64_t sink_bytes;
    uint64_t received;
    int64_t heard_ns;        /* when something was received last */
    int64_t paused_since_ns; /* nothing is received until the sink has room; 0: it has */

    struct sonde_err err; /* the first thing that went wrong */
    struct sonde_visit_result result;
    size_t stall_capacity;
};

/* visit.c: what both others build on. */
void visit_enter(struct sonde_visit *visit, enum visit_state state);
void visit_progress(struct sonde_visit *visit);
/* Sends a command; a failure to send ends the visit. */
void visit_command(struct visit_thread *thread, const char *method, const char *params,
                   sonde_cdp_answer answer);
/* The same; the value at that path of the answer is streamed. */
void visit_command_streamed(struct visit_thread *thread, const char *method, const char *params,
                            sonde_cdp_path *path, sonde_cdp_answer answer);
/* Tells a thread's probe that we live, and will be silent for `silence_ns` now, or less. */
void visit_beat(struct visit_thread *thread, int64_t silence_ns);
/* How long a thread with patience_ns may be silent: longer, up to three times, while the process
 * gets no CPU. */
int64_t visit_patience(const struct visit_thread *thread);
/* Calls a function of the probe: "rotate('a','b')". */
void visit_call(struct visit_thread *thread, const char *call, sonde_cdp_answer answer);
void visit_call_streamed(struct visit_thread *thread, const char *call, sonde_cdp_path *path,
                         sonde_cdp_answer answer);
/* The value that a probe's function returned; fails the visit when it says that the probe is gone.
 */
int visit_value(struct visit_thread *thread, const cJSON *result, const char *failure,
                const cJSON **ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* An answer that says nothing but that all went well. */
int visit_must_succeed(void *thread, const cJSON *result, const char *failure,
                       struct sonde_err *err) SONDE_MUST_CHECK;
/* Takes everything out and hangs up. */
void visit_leave(struct sonde_visit *visit);

/* attach.c */
/* Puts the probe into a thread. */
void attach_install(struct visit_thread *thread);
int attach_begin(struct sonde_visit *visit, struct sonde_err *err) SONDE_MUST_CHECK;
/* Looks for the inspector until it has opened. */
void attach_wait(struct sonde_visit *visit);
void attach_poll(struct sonde_visit *visit);

/* workers.c: worker threads, which are reached through the main thread's inspector. */
/* Finds them, if they are wanted, and begins the first capture. */
void workers_begin(struct sonde_visit *visit);
/* Some have not let the probe in: it is begun without them, and they join in when they have. */
void workers_given_up(struct sonde_visit *visit);
/* A probe was put in, or could not be. */
void workers_installed(struct visit_thread *thread, bool installed);
/* Takes an event of the domain NodeWorker; false: it is none. */
bool workers_event(struct sonde_visit *visit, const char *method, const cJSON *params);
/* A message of a worker in pieces. */
int workers_message_begin(struct sonde_visit *visit);
int workers_message_data(struct sonde_visit *visit, const char *data, size_t length,
                         struct sonde_err *err) SONDE_MUST_CHECK;
int workers_message_end(struct sonde_visit *visit, struct sonde_err *err) SONDE_MUST_CHECK;
/* Sends visit->inner to a worker. */
int workers_send(struct visit_thread *thread, struct sonde_err *err) SONDE_MUST_CHECK;
/* Forgets those that do not answer; tries again with those that did not let the probe in. */
void workers_forget_silent(struct sonde_visit *visit);
void workers_fini(struct sonde_visit *visit);

/* capture.c: what all types of captures have in common. */
extern const struct sonde_cdp_callbacks capture_callbacks;
/* Begins the current capture in all threads; in one that came later, if it still runs. */
void capture_begin(struct sonde_visit *visit);
/* False: it came too late for that. */
bool capture_join(struct visit_thread *thread);
/* A worker has ended: what it had is kept as far as it came. */
void capture_forget(struct visit_thread *thread);
/* The timer that was set while capturing has fired. */
void capture_timer_fired(struct sonde_visit *visit);
/* Ends the current capture before its time, and begins no other. */
void capture_stop(struct sonde_visit *visit);
/* The sink has been full for too long. */
void capture_stalled(struct sonde_visit *visit, const struct sonde_err *err);
/* Frees what the current capture holds, on the way out. */
void capture_fini(struct sonde_visit *visit);

/* A type of capture: one file and one row in capture.c each. */
struct capture_type {
    /* Sends the commands that begin it. The thread is busy until capture_started, or until
     * capture_done when it takes no time. */
    void (*begin)(struct visit_thread *thread);
    /* The time set by capture_arm has passed, or the capture is to end now (capture_is_over). Not
     * called while the thread is busy; it is busy again until capture_ready or capture_done. */
    void (*ended)(struct visit_thread *thread);
    /* It is to end, and the thread is busy: NULL when that is not shortened. */
    void (*stop)(struct visit_thread *thread);
    /* A streamed value; begin is told which one. */
    int (*stream_begin)(struct visit_thread *thread, enum sonde_cdp_stream stream,
                        struct sonde_err *err);
    int (*stream_data)(struct visit_thread *thread, const char *data, size_t length,
                       struct sonde_err *err);
    int (*stream_end)(struct visit_thread *thread, const char *title, struct sonde_err *err);
    /* The sink takes nothing any more, and is not to be waited for; NULL: the visit ends. */
    void (*stalled)(struct visit_thread *thread, const struct sonde_err *err);
    /* Another event of the inspector; NULL: none matters. */
    int (*event)(struct visit_thread *thread, const char *method, const cJSON *params,
                 struct sonde_err *err);
    /* Frees thread->state; NULL when there is none. */
    void (*fini)(struct visit_thread *thread);
    bool main_only; /* not of worker threads */
};

extern const struct capture_type capture_cpu, capture_sampling, capture_snapshot, capture_timeline,
    capture_coverage, capture_event_loop, capture_report;

/* What was asked for. */
const struct sonde_capture_request *capture_request(const struct visit_thread *thread);
/* It has started, with a stall of so long: its time begins. */
void capture_started(struct visit_thread *thread, double stall_ms);
/* Sets the timer for the next window, or for the end; window_ns 0: for the end. */
void capture_arm(struct visit_thread *thread, int64_t window_ns);
/* Whether its time is up, or it was stopped. */
bool capture_is_over(const struct visit_thread *thread);
/* A rotation is through: the thread is busy no more. */
void capture_ready(struct visit_thread *thread);
/* Reads what the loop did, before the commands that end it are sent. */
void capture_ending(struct visit_thread *thread);
/* It is stopped in the target, with a stall of so long; what follows may still be on its way. */
void capture_stopped(struct visit_thread *thread, double stall_ms);
/* Calls `next` when no other thread has its turn; this one has it until it is done. What comes in
 * many messages needs it, since the sink takes one artifact at a time. */
void capture_in_turn(struct visit_thread *thread, void (*next)(struct visit_thread *thread));
/* All of it is through, artifacts too: the next one is begun. */
void capture_done(struct visit_thread *thread);

/* The artifact NAME.NUMBER of the current capture, to the sink; one at a time. */
int capture_artifact_begin(struct visit_thread *thread, unsigned number,
                           struct sonde_err *err) SONDE_MUST_CHECK;
int capture_artifact_write(struct visit_thread *thread, const char *data, size_t length,
                           struct sonde_err *err) SONDE_MUST_CHECK;
int capture_artifact_commit(struct visit_thread *thread, struct sonde_err *err) SONDE_MUST_CHECK;
void capture_artifact_abort(struct visit_thread *thread);
/* The same for streamed values: nothing where none was begun, and at its end `arrived`. */
int capture_artifact_of_answer(struct visit_thread *thread, enum sonde_cdp_stream stream,
                               struct sonde_err *err) SONDE_MUST_CHECK;
int capture_artifact_piece(struct visit_thread *thread, const char *data, size_t length,
                           struct sonde_err *err) SONDE_MUST_CHECK;
int capture_artifact_end(struct visit_thread *thread, const char *title,
                         struct sonde_err *err) SONDE_MUST_CHECK;
/* The answer to a command whose value was streamed: it has come, and arrived, unless the visit is
 * to end. */
int capture_must_arrive(void *thread, const cJSON *result, const char *failure,
                        struct sonde_err *err) SONDE_MUST_CHECK;

/* CPU profiles in windows, by the probe: the first begins; it ends and the next one begins, if
 * `more`. The answers ask capture_rotated, which keeps a rotation's stall, or hands it out. */
void capture_rotate_first(struct visit_thread *thread, sonde_cdp_answer answer);
void capture_rotate(struct visit_thread *thread, bool more, sonde_cdp_answer answer);
int capture_rotated(struct visit_thread *thread, const cJSON *result, const char *failure,
                    double *ret_ms, struct sonde_err *err) SONDE_MUST_CHECK;

/* capture_waits.c: when worker threads wait, while CPU profiles of them are taken. */
/* Asks a worker which thread it is, reads what that does until capture_waits_end, and calls `known`
 * after the first reading. Where it cannot be known, nothing is read. */
void capture_waits_begin(struct visit_thread *thread, void (*known)(struct visit_thread *thread));
void capture_waits_end(struct visit_thread *thread);
/* The timer's. */
void capture_waits_read(void *visit);
void capture_waits_fini(struct sonde_visit *visit);

/* Around commands whose stall is measured. Both tell the dead man's switch what has to be ended
 * without us: `what` of probe/deadman.js, or "". The second one's answer asks capture_stall. */
void capture_mark(struct visit_thread *thread, const char *what);
void capture_guard(struct visit_thread *thread, const char *what, sonde_cdp_answer answer);
int capture_stall(struct visit_thread *thread, const cJSON *result, const char *failure,
                  double *ret_ms, struct sonde_err *err) SONDE_MUST_CHECK;
/* For capture_guard, when nothing more has to be asked: it has started, until its time is over; it
 * is stopped, and done. */
int capture_guarded_start(void *context, const cJSON *result, const char *failure,
                          struct sonde_err *err) SONDE_MUST_CHECK;
int capture_guarded_stop(void *context, const cJSON *result, const char *failure,
                         struct sonde_err *err) SONDE_MUST_CHECK;
/* Adds the functions of a script of probe/ to the probe. */
void capture_extend(struct visit_thread *thread, const char *script, sonde_cdp_answer answer);

#endif
