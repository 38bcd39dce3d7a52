/* SPDX-License-Identifier: Apache-2.0 */
/* What a schedule does now: a CronJob's rules (Kubernetes, pkg/controller/cronjob), with jitter.
 * Pure; times are seconds since 1970 UTC. */
#ifndef SONDE_SCHEDULE_PLAN_H
#define SONDE_SCHEDULE_PLAN_H

#include "schedule/firing.h"

enum sonde_schedule_policy { /* when it fires while others run; in the order of the spec's words */
                             SONDE_SCHEDULE_ALLOW,
                             SONDE_SCHEDULE_FORBID,
                             SONDE_SCHEDULE_REPLACE,
};

struct sonde_schedule_state {
    const struct sonde_cron *cron;
    const struct sonde_zone *zone;
    struct sonde_str uid; /* of the schedule: what jitter is drawn from */
    int64_t created_s;
    int64_t last_s; /* the firing that was served last, as scheduled; INT64_MIN: none */
    int64_t jitter_s, starting_deadline_s;
    enum sonde_schedule_policy policy;
    bool suspended;
    size_t active; /* runs of it that are not over */
};

enum sonde_schedule_action {
    SONDE_SCHEDULE_WAIT,
    SONDE_SCHEDULE_FIRE,
    SONDE_SCHEDULE_MISS, /* it is too late for the firing: it is served by leaving it out */
    SONDE_SCHEDULE_HOLD, /* it waits for the one that runs (Forbid); its end wakes, or wake_s */
};

struct sonde_schedule_plan {
    enum sonde_schedule_action action;
    int64_t
        firing_s;  /* as scheduled; of FIRE, MISS and HOLD. It becomes last_s after FIRE and MISS */
    bool replaces; /* FIRE: those that run are cancelled first */
    size_t missed; /* firings before it that nobody served, at most SONDE_SCHEDULE_MISSED_MAX; for
                      MISS, it among them */
    int64_t wake_s; /* when to ask again, if nothing happens before; INT64_MAX: never */
    int64_t next_s; /* when it fires next, jitter and all; INT64_MAX: never */
};

enum { SONDE_SCHEDULE_MISSED_MAX = 100 };

/* When the firing of that time is served: put off by its jitter, but never beyond the next one. Of
 * the state cron, zone, uid and jitter_s are looked at. */
int64_t sonde_schedule_due(const struct sonde_schedule_state *state, int64_t firing_s);

void sonde_schedule_plan(const struct sonde_schedule_state *state, int64_t now_s,
                         struct sonde_schedule_plan *ret);

/* A run of the schedule that is over. */
struct sonde_schedule_past {
    int64_t firing_s;
    bool succeeded;
    const void *run; /* the caller's */
    bool surplus;    /* said by sonde_schedule_prune: it is to be deleted */
};

/* Says which are more than the limits of their kind: the oldest. Sorts them, newest first. */
void sonde_schedule_prune(struct sonde_schedule_past *runs, size_t count, size_t successful_limit,
                          size_t failed_limit);

#endif
