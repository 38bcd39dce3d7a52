/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules: what their objects say, what they make, whose right they ask for. Pure; schedule.c
 * carries it out. */
#ifndef SONDE_CONTROLLER_SCHEDULE_H
#define SONDE_CONTROLLER_SCHEDULE_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "controller/owned.h"
#include "schedule/plan.h"
#include "spec/spec.h"

enum {
    SCHEDULES_MAX = 5000,
    SCHEDULE_RIGHTS_MAX = 24, /* that one firing may take: 3, and one for each Secret */
    SCHEDULE_GROUPS_MAX = 1000,
    SCHEDULE_ACTIVE_MAX = 64, /* names in a status */
    SCHEDULE_NAME_SIZE = 80,  /* of what it makes */
    SCHEDULE_REASON_SIZE = 64,
    SCHEDULE_MESSAGE_SIZE = 1024,
    SCHEDULE_MAKE_MAX = 1 << 20,    /* bytes of what it makes */
    SCHEDULE_REVIEW_MAX = 64 << 10, /* bytes of a question for the right */
    /* A clock that was set back by less has its firings behind it; by more, it begins anew. */
    SCHEDULE_BACK_S = 600,
};

#define SCHEDULE_REQUESTER "sonde.dev/requester"
#define SCHEDULE_REQUESTER_GROUPS "sonde.dev/requester-groups"

/* ---- as they are cached ---- */

struct schedule_object {
    char *text; /* what is needed of the object, as JSON */
};

int schedule_object_keep(void *context, const cJSON *object, void **ret, struct sonde_err *err);
void schedule_object_release(void *context, void *kept);

/* ---- an object, read for one look ---- */

struct schedule_view {
    cJSON *json;
    struct sonde_spec_documents documents;
    const struct sonde_spec_document *document; /* NULL: it is not valid */
    const struct sonde_schedule *spec;          /* the same */
    const cJSON *template;                      /* runTemplate or testTemplate, as it stands */
    struct sonde_cron cron;
    struct sonde_zone zone;
    const char *requester; /* "": nobody recorded it */
    const char *groups;    /* a line each */
    int64_t created_s, generation;
    bool deleted; /* it is on its way out, and fires no more */
    /* Why it does not fire; "": it does. */
    char reason[SCHEDULE_REASON_SIZE];
    char message[SCHEDULE_MESSAGE_SIZE];
};

/* Of the text of a struct schedule_object, at a time (seconds since 1970). What is wrong with the
 * schedule is in reason and message. SONDE_ENOMEM, SONDE_EPARSE. The caller calls
 * schedule_view_fini in any case. */
int schedule_view_read(const char *text, int64_t now_s, struct schedule_view *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;
void schedule_view_fini(struct schedule_view *view);

/* Up to when all firings are served, by the last one that made something and that was missed
 * (INT64_MIN: none). One that is still to come by more than SCHEDULE_BACK_S is of a clock that was
 * wrong: they are served up to when that was first seen, which *restart_s keeps (INT64_MIN at
 * first). */
int64_t schedule_last_s(int64_t fired_s, int64_t missed_s, int64_t now_s, int64_t *restart_s);

/* ---- whose right counts ---- */

/* A right of RBAC in the schedule's namespace. */
struct schedule_right {
    const char *verb, *group, *resource, *subresource, *name; /* "": none */
};

/* What the requester must be allowed at a firing: to make it by hand. Returns how many. */
size_t schedule_rights(const struct schedule_view *view,
                       struct schedule_right ret[SCHEDULE_RIGHTS_MAX]);
/* Appends the LocalSubjectAccessReview of authorization.k8s.io/v1 that asks for it. */
void schedule_put_review(const struct schedule_view *view, const char *namespace,
                         const struct schedule_right *right, struct sonde_buf *ret);
/* Who lacks what. */
void schedule_put_denial(const struct schedule_view *view, const char *namespace,
                         const struct schedule_right *right, char ret[SCHEDULE_MESSAGE_SIZE]);

/* ---- what it makes ---- */

/* The name of what is made for a firing: the schedule's and the minutes since 1970, as a CronJob's
 * Jobs have it. */
void schedule_name(const char *schedule, int64_t firing_s, char ret[SCHEDULE_NAME_SIZE]);
/* Appends the ProfileRun or LoadTest. uid: of the schedule. */
void schedule_put_made(const struct schedule_view *view, const char *uid, int64_t firing_s,
                       struct sonde_buf *ret);
/* Appends ,"baseline":{…} as the store takes it with a conclusion; nothing without one. */
void schedule_put_baseline(const struct sonde_schedule *spec, struct sonde_buf *ret);

/* ---- its status ---- */

struct schedule_status {
    int64_t generation;
    const char *active[SCHEDULE_ACTIVE_MAX]; /* rising */
    size_t active_named, active_count;
    int64_t fired_s, missed_s; /* of the last firing that made something, and that was missed;
                                  INT64_MIN: none */
    int64_t succeeded_ns;      /* since 1970; 0: never */
    int64_t next_s;            /* INT64_MAX: never */
    int64_t missed;            /* firings in all */
    const char *requester;
    bool ready;
    char reason[SCHEDULE_REASON_SIZE];
    char message[SCHEDULE_MESSAGE_SIZE];
    int64_t ready_since_ns; /* since 1970 */
    int64_t ready_generation;
};

/* As it should be written; NULL without memory. */
cJSON *schedule_status_of(const struct schedule_status *status);
/* A copy without the conditions of other writers, to be compared with what should be written; NULL
 * without memory, or when it is none. */
cJSON *schedule_status_ours(const cJSON *json);
/* Takes all of it but active, next_s and requester from one that was written. */
void schedule_status_take(const cJSON *json, struct schedule_status *ret);

#endif
