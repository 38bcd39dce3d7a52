/* SPDX-License-Identifier: Apache-2.0 */
/* A schedule at work: what its two files share. */
#ifndef SONDE_CONTROLLER_SCHEDULE_WORK_H
#define SONDE_CONTROLLER_SCHEDULE_WORK_H

#include "controller/controller.h"
#include "controller/schedule.h"
#include "kube/backoff.h"

enum {
    SCHEDULE_RUNS_MAX = 20000,   /* of one schedule */
    SCHEDULE_DELETIONS_MAX = 20, /* under way */
    /* Of all schedules, under way: at midnight a thousand may be due, and each request that waits
     * costs memory. The others are looked at a little later. */
    SCHEDULE_REQUESTS_MAX = 32,
};

struct schedule {
    struct controller *controller;
    enum kind kind;
    struct schedule *next;
    char key[OBJECT_KEY_SIZE]; /* "namespace/name" */
    const char *name;          /* in key */
    char namespace[SONDE_KUBE_LABEL_MAX + 1];
    char uid[SONDE_KUBE_UID_MAX];
    /* Of the object that it was taken up from; "" once a status of ours is written: see struct run.
     */
    char version[SONDE_KUBE_VERSION_SIZE];
    struct schedule_status status; /* what outlives us */
    cJSON *applied;                /* as it was last written or read */
    int64_t restart_s;             /* of schedule_last_s */

    /* The firing that is being served. */
    int64_t firing_s; /* INT64_MIN: none is */
    int64_t firing_generation;
    int64_t firing_missed; /* firings that it makes missed: those before it, or it too */
    size_t rights_checked;
    bool replacing;                    /* what runs was told to end for it … */
    bool waiting;                      /* … and had not, when it was last looked at */
    struct sonde_kube_backoff backoff; /* of what went wrong with it … */
    int64_t not_before;                /* … and when it is tried again: monotonic */
    uint64_t random;
    char question[SCHEDULE_MESSAGE_SIZE]; /* what is said when the right is missing */
    char trouble[SCHEDULE_MESSAGE_SIZE];  /* why it is not served yet; "" */

    char made_uid[SONDE_KUBE_UID_MAX]; /* made, but not in the cache yet; "" */
    char made_name[SCHEDULE_NAME_SIZE];
    int64_t made_at; /* monotonic */
    bool busy;       /* a request for the firing is under way */
    bool writing;    /* a status is being written */
    bool gone;       /* nothing is written any more */
    int deletions;   /* under way */
    int cancels;     /* the same */
    int pending;     /* requests that will still call back */
};

/* Whether it is one of the kinds of schedules, and the kind of what it makes. */
bool schedule_is(enum kind kind);
enum kind schedule_made_kind(enum kind kind);

/* ---- schedule.c ---- */

/* Out of the list; freed when nothing calls back any more. */
void schedule_drop(struct schedule *schedule);
void schedule_hold(struct schedule *schedule);
/* False: it is dropped, and may be freed. */
bool schedule_release(struct schedule *schedule);

/* The firing has made something, or never will; what it is about is in `trouble` of a refusal that
 * may pass. */
void schedule_fired(struct schedule *schedule);
void schedule_missed(struct schedule *schedule, const char *reason, const char *message);
void schedule_set_ready(struct schedule *schedule, bool ready, const char *reason,
                        const char *message);

/* ---- schedule_requests.c: each ends with a wake or a retry of the schedule ---- */

/* Asks whether the requester has the right, and counts it as checked, or misses the firing. */
void schedule_review(struct schedule *schedule, const struct schedule_view *view,
                     const struct schedule_right *right);
/* Makes what the firing is for. */
void schedule_make(struct schedule *schedule, const struct schedule_view *view);
/* Sets spec.cancel of one that runs. */
void schedule_cancel(struct schedule *schedule, const struct sonde_kube_object *object);
void schedule_delete(struct schedule *schedule, const struct sonde_kube_object *object);
/* Writes it, unless the API server has it so. */
void schedule_write_status(struct schedule *schedule, const struct schedule_status *status);
void schedule_event(const struct schedule *schedule, bool warning, const char *reason,
                    const char *action, const char *note);

#endif
