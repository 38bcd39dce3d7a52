/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of a program: one thread, one loop, over libuv. Handles are freed at
 * once for their owner; libuv's delayed closing stays in here. All functions belong to the
 * loop's thread, but sonde_wakeup_send. */
#ifndef SONDE_LOOP_LOOP_H
#define SONDE_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct uv_loop_s;
struct sonde_loop;
struct sonde_timer;
struct sonde_signal;
struct sonde_watch;
struct sonde_wakeup;

typedef void (*sonde_loop_callback)(void *context);
/* by_kernel: a terminal's key or its hanging up sent it, to the whole foreground process group. */
typedef void (*sonde_signal_callback)(void *context, int signal_number, bool by_kernel);

/* The caller frees it, after every handle made from it. SONDE_ENOMEM, SONDE_EIO. */
int sonde_loop_new(struct sonde_loop **ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_loop_free(struct sonde_loop *loop);
/* Runs until sonde_loop_stop, or until no handle is active. */
void sonde_loop_run(struct sonde_loop *loop);
void sonde_loop_stop(struct sonde_loop *loop);
/* Handles what is ready now, and returns. */
void sonde_loop_poll(struct sonde_loop *loop);
/* Monotonic nanoseconds, as of the beginning of this round of callbacks. */
int64_t sonde_loop_now(const struct sonde_loop *loop);
/* For lib/http alone. */
struct uv_loop_s *sonde_loop_uv(struct sonde_loop *loop);

/* A timer that is not running yet. The callback may free the timer. */
int sonde_timer_new(struct sonde_loop *loop, sonde_loop_callback callback, void *context,
                    struct sonde_timer **ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* (Re)starts it: first after delay_ns, then each repeat_ns (0: once). Whole milliseconds, rounded
 * up. */
void sonde_timer_start(struct sonde_timer *timer, int64_t delay_ns, int64_t repeat_ns);
void sonde_timer_stop(struct sonde_timer *timer);
void sonde_timer_free(struct sonde_timer *timer);

/* Calls back for each arriving signal until freed. Does not keep the loop running. The signal is
 * blocked meanwhile (signalfd): made before other threads are, and undone in a child by
 * sonde_signal_reset. SONDE_EINVALID for one that cannot be caught. */
int sonde_signal_new(struct sonde_loop *loop, int signal_number, sonde_signal_callback callback,
                     void *context, struct sonde_signal **ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_signal_free(struct sonde_signal *handle);
/* Between fork and exec: no signal is blocked, and SIGPIPE ends the program as it usually does. */
void sonde_signal_reset(void);

/* Calls back whenever fd (borrowed, pollable: a pidfd, a socket) is readable, until freed. */
int sonde_watch_new(struct sonde_loop *loop, int fd, sonde_loop_callback callback, void *context,
                    struct sonde_watch **ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_watch_free(struct sonde_watch *watch);

/* Lets another thread call back on the loop's thread. Several sends may become one call.
 * Does not keep the loop running. */
int sonde_wakeup_new(struct sonde_loop *loop, sonde_loop_callback callback, void *context,
                     struct sonde_wakeup **ret, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_wakeup_send(struct sonde_wakeup *wakeup);
void sonde_wakeup_free(struct sonde_wakeup *wakeup);

/* Runs `work` on a thread of the pool, then `done` on the loop's thread; both get context.
 * For what blocks or takes long: fsync, SQLite, analyses. */
int sonde_loop_work(struct sonde_loop *loop, sonde_loop_callback work, sonde_loop_callback done,
                    void *context, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
