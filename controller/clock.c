/* SPDX-License-Identifier: Apache-2.0 */
/* Timers count time that passes, schedules tell the time of day: when somebody sets the clock, or
 * the machine wakes from a sleep, each schedule is looked at again (timerfd_create(2),
 * TFD_TIMER_CANCEL_ON_SET). */
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "controller/controller.h"

#define FAR_S INT64_C(4000000000) /* 2096; nobody waits for it */

struct clock_watch {
    struct controller *controller;
    struct sonde_watch *watch;
    int fd;
};

static int arm(const struct clock_watch *clock, struct sonde_err *err)
{
    const struct itimerspec far = {.it_value = {.tv_sec = FAR_S}};
    if (timerfd_settime(clock->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL) < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "a timer cannot be set");
    }
    return 0;
}

static void clock_set(void *context)
{
    struct clock_watch *clock = context;
    struct sonde_err err;
    uint64_t count;
    if (read(clock->fd, &count, sizeof(count)) < 0 && errno == EAGAIN) {
        return;
    }
    SONDE_LOG(&clock->controller->log, SONDE_LOG_WARN, "the clock was set");
    if (arm(clock, &err) < 0) {
        SONDE_LOG(&clock->controller->log, SONDE_LOG_ERROR, "the clock is not watched any more",
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
        sonde_watch_free(clock->watch);
        clock->watch = NULL;
    }
    schedules_wake(clock->controller);
}

int clock_watch_new(struct controller *controller, struct clock_watch **ret, struct sonde_err *err)
{
    struct clock_watch *clock = calloc(1, sizeof(*clock));
    if (!clock) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    clock->controller = controller;
    clock->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    int r =
        clock->fd < 0 ? sonde_fail(err, SONDE_EIO, errno, "no timer can be had") : arm(clock, err);
    r = r < 0 ? r
              : sonde_watch_new(controller->loop, clock->fd, clock_set, clock, &clock->watch, err);
    if (r < 0) {
        clock_watch_free(clock);
        return r;
    }
    *ret = clock;
    return 0;
}

void clock_watch_free(struct clock_watch *clock)
{
    if (clock) {
        sonde_watch_free(clock->watch);
        if (clock->fd >= 0) {
            (void)close(clock->fd);
        }
        free(clock);
    }
}
