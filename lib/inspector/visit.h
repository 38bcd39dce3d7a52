/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a visit, shared by attach.c, capture.c and visit.c alone. */
#ifndef SONDE_INSPECTOR_VISIT_H
#define SONDE_INSPECTOR_VISIT_H

#include "http/client.h"
#include "http/websocket.h"
#include "inspector/cdp.h"
#include "inspector/inspector.h"
#include "inspector/process.h"

enum visit_state {
    VISIT_WAITING,     /* signalled, the inspector is not open yet */
    VISIT_LISTING,     /* GET /json/list */
    VISIT_CONNECTING,  /* WebSocket handshake */
    VISIT_IDENTIFYING, /* is it the right process? */
    VISIT_INSTALLING,  /* the probe */
    VISIT_CAPTURING,
    VISIT_FINISHING, /* the probe takes everything out */
    VISIT_CLOSING,   /* hanging up */
    VISIT_VERIFYING, /* is the port closed? */
    VISIT_DONE,
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
    struct sonde_timer *done_timer; /* `done` is called from the loop, never from within a call */
    struct sonde_http_client *http;
    struct sonde_http_request *request;
    struct sonde_websocket *socket;
    struct sonde_cdp cdp;
    struct sonde_buf command;
    char probe_id[256]; /* the remote object */
    uint16_t port;      /* of the inspector, 0: not known (yet); with its address: */
    char host[SONDE_PROC_HOST_SIZE];
    char authority[SONDE_PROC_HOST_SIZE + 16]; /* "127.0.0.1:9229" */
    uint16_t rejected[16];                     /* ports that turned out to be the application's */
    size_t rejected_count;
    int64_t signalled_ns;
    bool signalled; /* and has not been seen to open none */
    struct sonde_err install_err;
    int64_t state_since_ns;
    int64_t poll_ns;
    bool beating; /* a beat waits for its answer */
    bool connected;
    bool installed;
    bool ending; /* no further capture is begun */
    bool asked_to_finish;
    bool complete; /* everything was captured: what happens on the way out is no failure of it */

    size_t capture;  /* the index of the current one */
    unsigned window; /* of the current capture */
    char prefix[32]; /* of profile titles: ours and nobody else's */
    char title[96];  /* the running window's */
    int64_t capture_end_ns;
    int64_t capture_begin_ns;
    bool rotating;
    bool sink_open;
    uint64_t sink_bytes;
    uint64_t received;

    struct sonde_err err; /* the first thing that went wrong */
    struct sonde_visit_result result;
    size_t stall_capacity;
};

/* visit.c: what both others build on. */
void visit_enter(struct sonde_visit *visit, enum visit_state state);
void visit_progress(struct sonde_visit *visit);
/* Sends a command; a failure to send ends the visit. */
void visit_command(struct sonde_visit *visit, const char *method, const char *params,
                   sonde_cdp_answer answer);
/* Calls a function of the probe: "rotate('a','b')". */
void visit_call(struct sonde_visit *visit, const char *call, sonde_cdp_answer answer);
/* The value that a probe's function returned; fails the visit when it says that the probe is gone.
 */
int visit_value(struct sonde_visit *visit, const cJSON *result, const char *failure,
                const cJSON **ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* Takes everything out and hangs up. */
void visit_leave(struct sonde_visit *visit);

/* attach.c */
int attach_begin(struct sonde_visit *visit, struct sonde_err *err) SONDE_MUST_CHECK;
/* Looks for the inspector until it has opened. */
void attach_wait(struct sonde_visit *visit);
void attach_poll(struct sonde_visit *visit);

/* capture.c */
void capture_begin(struct sonde_visit *visit);
void capture_window_ended(struct sonde_visit *visit);
/* Ends the current capture before its time. */
void capture_stop(struct sonde_visit *visit);
extern const struct sonde_cdp_callbacks capture_callbacks;

#endif
