/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"

struct sonde_loop {
    uv_loop_t uv;
    uv_timer_t round; /* without anything active libuv would not look at all */
};

/* Every handle begins with the libuv handle, so that one close callback frees all. */
struct sonde_timer {
    uv_timer_t uv;
    sonde_loop_callback callback;
    void *context;
};

struct sonde_signal {
    uv_poll_t uv;
    int fd;
    int number;
    bool was_blocked;
    sonde_signal_callback callback;
    void *context;
};

struct sonde_watch {
    uv_poll_t uv;
    sonde_loop_callback callback;
    void *context;
};

struct sonde_wakeup {
    uv_async_t uv;
    sonde_loop_callback callback;
    void *context;
};

struct job {
    uv_work_t uv;
    sonde_loop_callback work;
    sonde_loop_callback done;
    void *context;
};

static int failed(int uv_code, const char *what, struct sonde_err *err)
{
    return sonde_fail(err, uv_code == UV_ENOMEM ? SONDE_ENOMEM : SONDE_EIO, -uv_code,
                      "event loop: %s", what);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void close_handle(void *handle)
{
    if (handle && !uv_is_closing(handle)) {
        uv_close(handle, free_handle);
    }
}

int sonde_loop_new(struct sonde_loop **ret, struct sonde_err *err)
{
    struct sonde_loop *loop = malloc(sizeof(*loop));
    if (!loop) {
        return failed(UV_ENOMEM, "create", err);
    }
    int code = uv_loop_init(&loop->uv);
    if (code < 0) {
        free(loop);
        return failed(code, "create", err);
    }
    (void)uv_timer_init(&loop->uv, &loop->round); /* cannot fail */
    *ret = loop;
    return 0;
}

void sonde_loop_free(struct sonde_loop *loop)
{
    if (!loop) {
        return;
    }
    uv_close((uv_handle_t *)&loop->round, NULL);
    /* What is closing needs one more round to be freed. */
    while (uv_loop_close(&loop->uv) == UV_EBUSY) {
        (void)uv_run(&loop->uv, UV_RUN_ONCE);
    }
    free(loop);
}

void sonde_loop_run(struct sonde_loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static void nothing(uv_timer_t *uv)
{
    (void)uv;
}

void sonde_loop_poll(struct sonde_loop *loop)
{
    (void)uv_timer_start(&loop->round, nothing, 0, 0);
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
    (void)uv_timer_stop(&loop->round);
}

void sonde_loop_stop(struct sonde_loop *loop)
{
    uv_stop(&loop->uv);
}

int64_t sonde_loop_now(const struct sonde_loop *loop)
{
    return (int64_t)uv_now(&loop->uv) * SONDE_MILLISECOND;
}

struct uv_loop_s *sonde_loop_uv(struct sonde_loop *loop)
{
    return &loop->uv;
}

static void timer_fired(uv_timer_t *uv)
{
    struct sonde_timer *timer = (struct sonde_timer *)uv;
    timer->callback(timer->context);
}

int sonde_timer_new(struct sonde_loop *loop, sonde_loop_callback callback, void *context,
                    struct sonde_timer **ret, struct sonde_err *err)
{
    struct sonde_timer *timer = calloc(1, sizeof(*timer));
    if (!timer) {
        return failed(UV_ENOMEM, "timer", err);
    }
    timer->callback = callback;
    timer->context = context;
    (void)uv_timer_init(&loop->uv, &timer->uv); /* cannot fail */
    *ret = timer;
    return 0;
}

static uint64_t milliseconds(int64_t ns)
{
    return ns <= 0 ? 0 : ((uint64_t)ns + SONDE_MILLISECOND - 1) / SONDE_MILLISECOND;
}

void sonde_timer_start(struct sonde_timer *timer, int64_t delay_ns, int64_t repeat_ns)
{
    /* libuv counts from the loop's cached time, which may be old by now. */
    uv_update_time(timer->uv.loop);
    (void)uv_timer_start(&timer->uv, timer_fired, milliseconds(delay_ns), milliseconds(repeat_ns));
}

void sonde_timer_stop(struct sonde_timer *timer)
{
    (void)uv_timer_stop(&timer->uv);
}

void sonde_timer_free(struct sonde_timer *timer)
{
    close_handle(timer);
}

static void signal_arrived(uv_poll_t *uv, int status, int events)
{
    (void)status;
    (void)events;
    struct sonde_signal *handle = (struct sonde_signal *)uv;
    struct signalfd_siginfo info;
    if (read(handle->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        handle->callback(handle->context, handle->number, info.ssi_code == SI_KERNEL);
    }
}

static void free_signal(uv_handle_t *uv)
{
    struct sonde_signal *handle = (struct sonde_signal *)uv;
    (void)close(handle->fd);
    free(handle);
}

static void set_of(int number, sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, number);
}

static int watch_signal(struct sonde_loop *loop, struct sonde_signal *handle)
{
    sigset_t set;
    set_of(handle->number, &set);
    handle->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (handle->fd < 0) {
        return uv_translate_sys_error(errno);
    }
    int code = uv_poll_init(&loop->uv, &handle->uv, handle->fd);
    if (code < 0) {
        (void)close(handle->fd);
    }
    return code;
}

int sonde_signal_new(struct sonde_loop *loop, int signal_number, sonde_signal_callback callback,
                     void *context, struct sonde_signal **ret, struct sonde_err *err)
{
    if (signal_number == SIGKILL || signal_number == SIGSTOP) {
        return sonde_fail(err, SONDE_EINVALID, 0, "signal %d cannot be caught", signal_number);
    }
    struct sonde_signal *handle = calloc(1, sizeof(*handle));
    if (!handle) {
        return failed(UV_ENOMEM, "signal", err);
    }
    handle->callback = callback;
    handle->context = context;
    handle->number = signal_number;
    int code = watch_signal(loop, handle);
    if (code < 0) {
        free(handle);
        return failed(code, "signal", err);
    }
    code = uv_poll_start(&handle->uv, UV_READABLE, signal_arrived);
    if (code < 0) {
        uv_close((uv_handle_t *)&handle->uv, free_signal);
        return failed(code, "signal", err);
    }
    sigset_t set;
    sigset_t before;
    set_of(signal_number, &set);
    (void)pthread_sigmask(SIG_BLOCK, &set, &before);
    handle->was_blocked = sigismember(&before, signal_number) == 1;
    uv_unref((uv_handle_t *)&handle->uv);
    *ret = handle;
    return 0;
}

void sonde_signal_free(struct sonde_signal *handle)
{
    if (!handle) {
        return;
    }
    if (!handle->was_blocked) {
        sigset_t set;
        set_of(handle->number, &set);
        (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
    uv_close((uv_handle_t *)&handle->uv, free_signal);
}

void sonde_signal_reset(void)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static void watch_ready(uv_poll_t *uv, int status, int events)
{
    (void)status;
    (void)events;
    struct sonde_watch *watch = (struct sonde_watch *)uv;
    watch->callback(watch->context);
}

int sonde_watch_new(struct sonde_loop *loop, int fd, sonde_loop_callback callback, void *context,
                    struct sonde_watch **ret, struct sonde_err *err)
{
    struct sonde_watch *watch = calloc(1, sizeof(*watch));
    if (!watch) {
        return failed(UV_ENOMEM, "watch", err);
    }
    watch->callback = callback;
    watch->context = context;
    int code = uv_poll_init(&loop->uv, &watch->uv, fd);
    if (code < 0) {
        free(watch);
        return failed(code, "watch", err);
    }
    code = uv_poll_start(&watch->uv, UV_READABLE, watch_ready);
    if (code < 0) {
        close_handle(watch);
        return failed(code, "watch", err);
    }
    *ret = watch;
    return 0;
}

void sonde_watch_free(struct sonde_watch *watch)
{
    close_handle(watch);
}

static void woken(uv_async_t *uv)
{
    struct sonde_wakeup *wakeup = (struct sonde_wakeup *)uv;
    wakeup->callback(wakeup->context);
}

int sonde_wakeup_new(struct sonde_loop *loop, sonde_loop_callback callback, void *context,
                     struct sonde_wakeup **ret, struct sonde_err *err)
{
    struct sonde_wakeup *wakeup = calloc(1, sizeof(*wakeup));
    if (!wakeup) {
        return failed(UV_ENOMEM, "wake-up", err);
    }
    wakeup->callback = callback;
    wakeup->context = context;
    int code = uv_async_init(&loop->uv, &wakeup->uv, woken);
    if (code < 0) {
        free(wakeup);
        return failed(code, "wake-up", err);
    }
    uv_unref((uv_handle_t *)&wakeup->uv);
    *ret = wakeup;
    return 0;
}

void sonde_wakeup_send(struct sonde_wakeup *wakeup)
{
    (void)uv_async_send(&wakeup->uv);
}

void sonde_wakeup_free(struct sonde_wakeup *wakeup)
{
    close_handle(wakeup);
}

static void job_work(uv_work_t *uv)
{
    struct job *job = (struct job *)uv;
    job->work(job->context);
}

static void job_done(uv_work_t *uv, int status)
{
    (void)status; /* never cancelled */
    struct job *job = (struct job *)uv;
    job->done(job->context);
    free(job);
}

int sonde_loop_work(struct sonde_loop *loop, sonde_loop_callback work, sonde_loop_callback done,
                    void *context, struct sonde_err *err)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job) {
        return failed(UV_ENOMEM, "work", err);
    }
    job->work = work;
    job->done = done;
    job->context = context;
    int code = uv_queue_work(&loop->uv, &job->uv, job_work, job_done);
    if (code < 0) {
        free(job);
        return failed(code, "work", err);
    }
    return 0;
}
