/* SPDX-License-Identifier: Apache-2.0 */
/* What is too old, or too much, goes: the oldest runs that have ended first. What the next run of a
 * schedule is compared with stays. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/service.h"

#define INTERVAL_NS (600 * SONDE_SECOND)
#define SOON_NS (100 * SONDE_MILLISECOND)
/* Of a schedule that has made nothing for so long nobody waits for a comparison. */
#define HELD_NS (365 * INT64_C(86400) * SONDE_SECOND)

enum { AT_A_TIME = 100, MUCH_AT_A_TIME = 10 }; /* runs: others wait meanwhile */

struct retention {
    struct service *service;
    struct retention_options options;
    struct sonde_timer *timer;
};

static bool remove_run(struct retention *retention, const struct sonde_run_weight *run,
                       struct sonde_str why)
{
    struct service *service = retention->service;
    struct sonde_err err;
    if (sonde_db_run_delete(service->db, run->uid, &err) < 0) {
        SONDE_LOG(&service->log, SONDE_LOG_ERROR, "a run could not be removed",
                  SONDE_FIELD_STR("run", sonde_str(run->uid)),
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
        return false;
    }
    service->metrics.removed++;
    SONDE_LOG(&service->log, SONDE_LOG_INFO, "run removed",
              SONDE_FIELD_STR("run", sonde_str(run->uid)), SONDE_FIELD_STR("why", why),
              SONDE_FIELD_INT("bytes", run->bytes));
    return true;
}

/* Returns how many are gone. */
static int remove_old(struct retention *retention, struct sonde_run_weight *some,
                      struct sonde_err *err)
{
    int64_t now_ns = sonde_clock_realtime();
    int64_t before_ns[SONDE_DATA_CLASSES];
    size_t count = 0;
    int removed = 0;
    for (int i = 0; i < SONDE_DATA_CLASSES; i++) {
        int64_t keep = retention->options.keep_ns[i];
        before_ns[i] = keep > 0 ? now_ns - keep : INT64_MIN;
    }
    int r = sonde_db_ended(retention->service->db, before_ns, now_ns - HELD_NS, some, AT_A_TIME,
                           &count, err);
    for (size_t i = 0; i < count && r == 0; i++) {
        removed += remove_run(retention, &some[i], SONDE_STR("age"));
    }
    return r < 0 ? r : removed;
}

/* Whoever has most gives first, so that nobody drives out what belongs to others; runs that go on
 * are no reason either. Returns 1 when there may be more. */
static int remove_much(struct retention *retention, struct sonde_err *err)
{
    struct sonde_db *db = retention->service->db;
    for (int i = 0; i < MUCH_AT_A_TIME; i++) {
        struct sonde_run_weight run;
        int64_t bytes = 0;
        int r = sonde_db_ended_bytes(db, &bytes, err);
        if (r < 0 || bytes <= retention->options.bytes_max) {
            return r;
        }
        r = sonde_db_heaviest(db, sonde_clock_realtime() - HELD_NS, &run, err);
        if (r < 0 || !remove_run(retention, &run, SONDE_STR("size"))) {
            return r < 0 && r != SONDE_ENOTFOUND ? r : 0;
        }
    }
    return 1;
}

static void sweep(void *context)
{
    struct retention *retention = context;
    struct sonde_err err;
    struct sonde_run_weight *some = calloc(AT_A_TIME, sizeof(*some));
    if (!some) {
        return; /* next time */
    }
    int old = remove_old(retention, some, &err);
    int more = old < 0 || retention->options.bytes_max == 0 ? 0 : remove_much(retention, &err);
    free(some);
    if (old < 0 || more < 0) {
        SONDE_LOG(&retention->service->log, SONDE_LOG_ERROR, "the runs cannot be listed",
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
    } else if (old == AT_A_TIME || more) {
        sonde_timer_start(retention->timer, SOON_NS, INTERVAL_NS); /* there may be more */
    }
}

int retention_new(struct service *service, const struct retention_options *options,
                  struct retention **ret, struct sonde_err *err)
{
    struct retention *retention = calloc(1, sizeof(*retention));
    if (!retention) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    retention->service = service;
    retention->options = *options;
    int r = sonde_timer_new(service->loop, sweep, retention, &retention->timer, err);
    if (r < 0) {
        free(retention);
        return r;
    }
    sonde_timer_start(retention->timer, SONDE_SECOND, INTERVAL_NS);
    *ret = retention;
    return 0;
}

void retention_free(struct retention *retention)
{
    if (retention) {
        sonde_timer_free(retention->timer);
        free(retention);
    }
}
