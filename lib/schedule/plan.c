/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/plan.h"

#include <stdlib.h>

enum { HOUR_S = 3600, DAY_S = 86400 };

static int64_t next_after(const struct sonde_schedule_state *s, int64_t after_s)
{
    return sonde_firing_after(s->cron, s->zone, after_s);
}

int64_t sonde_schedule_due(const struct sonde_schedule_state *state, int64_t firing_s)
{
    const struct sonde_schedule_state *s = state;
    int64_t next_s = next_after(s, firing_s);
    int64_t room_s = next_s == INT64_MAX ? s->jitter_s : next_s - firing_s - 1;
    int64_t jitter_s = s->jitter_s < room_s ? s->jitter_s : room_s;
    return firing_s + sonde_firing_jitter(s->uid, firing_s, jitter_s);
}

/* The last firing after `after_s` and up to now; INT64_MIN: there is none. It is looked for from
 * now backwards, so that a schedule of every minute that nobody looked at for a year costs little.
 */
static int64_t last_between(const struct sonde_schedule_state *s, int64_t after_s, int64_t now_s)
{
    static const int64_t windows_s[] = {HOUR_S, DAY_S, 32 * DAY_S, INT64_C(366) * DAY_S,
                                        INT64_C(3660) * DAY_S};
    for (size_t i = 0; i < SONDE_LENGTH(windows_s); i++) {
        int64_t from_s = now_s - windows_s[i] > after_s ? now_s - windows_s[i] : after_s;
        int64_t last_s = INT64_MIN;
        for (int64_t at = next_after(s, from_s); at <= now_s; at = next_after(s, at)) {
            last_s = at;
        }
        if (last_s != INT64_MIN || from_s == after_s) {
            return last_s;
        }
    }
    return INT64_MIN;
}

/* How many firings are after the one and before the other. */
static size_t count_between(const struct sonde_schedule_state *s, int64_t after_s, int64_t before_s)
{
    size_t count = 0;
    for (int64_t at = next_after(s, after_s); at < before_s && count < SONDE_SCHEDULE_MISSED_MAX;
         at = next_after(s, at)) {
        count++;
    }
    return count;
}

/* The firing that is to be served now: the last one that is due; INT64_MIN: none is. */
static int64_t firing_now(const struct sonde_schedule_state *s, int64_t after_s, int64_t now_s)
{
    int64_t last_s = last_between(s, after_s, now_s);
    if (last_s != INT64_MIN && sonde_schedule_due(s, last_s) > now_s) {
        last_s = last_between(s, after_s, last_s - 1);
    }
    return last_s;
}

void sonde_schedule_plan(const struct sonde_schedule_state *state, int64_t now_s,
                         struct sonde_schedule_plan *ret)
{
    const struct sonde_schedule_state *s = state;
    int64_t after_s = s->last_s == INT64_MIN ? s->created_s : s->last_s;
    int64_t firing_s = s->suspended ? INT64_MIN : firing_now(s, after_s, now_s);
    int64_t coming_s = next_after(s, firing_s == INT64_MIN ? after_s : firing_s);
    *ret = (struct sonde_schedule_plan){
        .firing_s = firing_s, .wake_s = INT64_MAX, .next_s = INT64_MAX};
    if (s->suspended) {
        return; /* whoever resumes it changes the object, and that wakes */
    }
    ret->next_s = coming_s == INT64_MAX ? INT64_MAX : sonde_schedule_due(s, coming_s);
    ret->wake_s = ret->next_s;
    if (firing_s == INT64_MIN) {
        return;
    }
    int64_t late_s = sonde_schedule_due(s, firing_s) + s->starting_deadline_s;
    ret->missed = count_between(s, after_s, firing_s);
    if (now_s > late_s) {
        ret->action = SONDE_SCHEDULE_MISS;
        ret->missed += ret->missed < SONDE_SCHEDULE_MISSED_MAX;
    } else if (s->policy == SONDE_SCHEDULE_FORBID && s->active) {
        ret->action = SONDE_SCHEDULE_HOLD;
        ret->wake_s = late_s + 1 < ret->wake_s ? late_s + 1 : ret->wake_s;
    } else {
        ret->action = SONDE_SCHEDULE_FIRE;
        ret->replaces = s->policy == SONDE_SCHEDULE_REPLACE && s->active;
    }
}

static int newest_first(const void *a, const void *b)
{
    int64_t left = ((const struct sonde_schedule_past *)a)->firing_s;
    int64_t right = ((const struct sonde_schedule_past *)b)->firing_s;
    return (left < right) - (left > right);
}

void sonde_schedule_prune(struct sonde_schedule_past *runs, size_t count, size_t successful_limit,
                          size_t failed_limit)
{
    size_t left[] = {failed_limit, successful_limit};
    if (count) {
        qsort(runs, count, sizeof(*runs), newest_first);
    }
    for (size_t i = 0; i < count; i++) {
        size_t *own = &left[runs[i].succeeded];
        runs[i].surplus = *own == 0;
        *own -= *own > 0;
    }
}
