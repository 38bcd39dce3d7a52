/* SPDX-License-Identifier: Apache-2.0 */
/* When a schedule fires. Pure. */
#ifndef SONDE_SCHEDULE_FIRING_H
#define SONDE_SCHEDULE_FIRING_H

#include "schedule/zone.h"
#include "spec/cron.h"

enum { SONDE_FIRING_YEARS = 9 }; /* 29 February may be eight years away */

/* The first time after `after_s` at which it fires, in seconds since 1970 UTC; INT64_MAX: never
 * within nine years.
 *
 * It fires when the wall clock shows a minute that fits. Where the clocks go forward, times that
 * the clock leaves out fire together at the moment it does; where they go back, times that it shows
 * twice fire the first time. A schedule of every hour follows time itself: nothing is made up, and
 * it fires in both of the two hours. (As cron of Debian and of Fedora; a CronJob leaves out the one
 * and fires twice for the other.) */
int64_t sonde_firing_after(const struct sonde_cron *cron, const struct sonde_zone *zone,
                           int64_t after_s);

/* By how many seconds a firing is put off: 0 to jitter_s, evenly, and always the same for the same
 * schedule (by its UID) and time, so that a controller that is restarted does not draw again. */
int64_t sonde_firing_jitter(struct sonde_str uid, int64_t firing_s, int64_t jitter_s);

#endif
