/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/loop.h"

static struct sonde_loop *loop;
static char said[64];
static size_t said_length;

static void say(char c)
{
    assert_true(said_length < sizeof(said) - 1);
    said[said_length++] = c;
    said[said_length] = '\0';
}

static int set_up(void **state)
{
    (void)state;
    said_length = 0;
    said[0] = '\0';
    return sonde_loop_new(&loop, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    sonde_loop_free(loop);
    return 0;
}

static void say_text(void *context)
{
    say(*(const char *)context);
}

static void timers_fire_in_order_of_time(void **state)
{
    (void)state;
    struct sonde_timer *timers[3];
    static const char *const names[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            sonde_timer_new(loop, say_text, (void *)(uintptr_t)names[i], &timers[i], NULL), 0);
    }
    int64_t start = sonde_clock_monotonic();
    sonde_timer_start(timers[0], 30 * SONDE_MILLISECOND, 0);
    sonde_timer_start(timers[1], 10 * SONDE_MILLISECOND, 0);
    sonde_timer_start(timers[2], 0, 0);
    sonde_loop_run(loop); /* ends by itself: no timer is left running */
    assert_string_equal(said, "cba");
    assert_true(sonde_clock_monotonic() - start >= 29 * SONDE_MILLISECOND);
    for (size_t i = 0; i < 3; i++) {
        sonde_timer_free(timers[i]);
    }
}

static void a_stopped_timer_does_not_fire(void **state)
{
    (void)state;
    struct sonde_timer *timer;
    static char name = 'x';
    assert_int_equal(sonde_timer_new(loop, say_text, &name, &timer, NULL), 0);
    sonde_timer_start(timer, SONDE_MILLISECOND, 0);
    sonde_timer_stop(timer);
    sonde_loop_run(loop);
    assert_string_equal(said, "");
    sonde_timer_free(timer);
    sonde_timer_free(NULL);
}

struct repeated {
    struct sonde_timer *timer;
    int left;
};

static void count_down(void *context)
{
    struct repeated *r = context;
    say('.');
    if (--r->left == 0) {
        sonde_timer_free(r->timer); /* from within its own callback */
    }
}

static void a_timer_repeats_until_freed_in_its_callback(void **state)
{
    (void)state;
    struct repeated r = {.left = 4};
    assert_int_equal(sonde_timer_new(loop, count_down, &r, &r.timer, NULL), 0);
    sonde_timer_start(r.timer, 0, SONDE_MILLISECOND);
    sonde_loop_run(loop);
    assert_string_equal(said, "....");
}

static void stop(void *context)
{
    (void)context;
    say('s');
    sonde_loop_stop(loop);
}

static void the_loop_stops_when_told(void **state)
{
    (void)state;
    struct sonde_timer *forever;
    struct sonde_timer *stopper;
    static char name = '!';
    assert_int_equal(sonde_timer_new(loop, say_text, &name, &forever, NULL), 0);
    assert_int_equal(sonde_timer_new(loop, stop, NULL, &stopper, NULL), 0);
    sonde_timer_start(forever, 3600 * SONDE_SECOND, 0);
    sonde_timer_start(stopper, 0, 0);
    int64_t before = sonde_loop_now(loop);
    sonde_loop_run(loop);
    assert_true(sonde_loop_now(loop) >= before);
    assert_string_equal(said, "s");
    sonde_loop_poll(loop); /* returns at once, though a timer is running */
    assert_string_equal(said, "s");
    sonde_timer_free(forever);
    sonde_timer_free(stopper);
}

static void signalled(void *context, int number, bool by_kernel)
{
    (void)context;
    assert_int_equal(number, SIGUSR2);
    assert_false(by_kernel);
    say('u');
    sonde_loop_stop(loop);
}

static void signals_call_back(void **state)
{
    (void)state;
    struct sonde_signal *handle;
    assert_int_equal(sonde_signal_new(loop, SIGUSR2, signalled, NULL, &handle, NULL), 0);
    sonde_loop_run(loop); /* a signal alone does not keep it running */
    struct sonde_timer *guard;
    assert_int_equal(sonde_timer_new(loop, stop, NULL, &guard, NULL), 0);
    sonde_timer_start(guard, 20 * SONDE_SECOND, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(raise(SIGUSR2), 0);
        sonde_loop_run(loop);
    }
    assert_string_equal(said, "uu");
    sonde_timer_free(guard);
    sonde_loop_poll(loop); /* the guard is gone: a signal is seen though nothing is active */
    assert_int_equal(raise(SIGUSR2), 0);
    sonde_loop_poll(loop);
    assert_string_equal(said, "uuu");
    sonde_signal_free(handle);
    struct sonde_err err = {0};
    assert_true(sonde_signal_new(loop, SIGKILL, signalled, NULL, &handle, &err) < 0);
    assert_true(err.message[0]);
}

struct watched {
    int fd;
    struct sonde_watch *watch;
};

static void read_byte(void *context)
{
    struct watched *w = context;
    char byte;
    if (read(w->fd, &byte, 1) == 1) {
        say(byte);
    } else {
        sonde_watch_free(w->watch); /* the end of the pipe */
    }
}

static void a_watch_calls_back_when_readable(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct watched w = {.fd = ends[0]};
    assert_int_equal(sonde_watch_new(loop, ends[0], read_byte, &w, &w.watch, NULL), 0);
    sonde_loop_poll(loop);
    assert_string_equal(said, "");
    assert_int_equal(write(ends[1], "xyz", 3), 3);
    assert_int_equal(close(ends[1]), 0);
    sonde_loop_run(loop); /* until the watch is freed */
    assert_string_equal(said, "xyz");
    assert_int_equal(close(ends[0]), 0); /* borrowed: still open */
    struct sonde_err err = {0};
    assert_true(sonde_watch_new(loop, -1, read_byte, &w, &w.watch, &err) < 0);
    assert_true(err.message[0]);
}

static void *send_wakeups(void *context)
{
    for (int i = 0; i < 100; i++) {
        sonde_wakeup_send(context);
    }
    return NULL;
}

static void another_thread_wakes_the_loop(void **state)
{
    (void)state;
    struct sonde_wakeup *wakeup;
    struct sonde_timer *guard;
    pthread_t thread;
    assert_int_equal(sonde_wakeup_new(loop, stop, NULL, &wakeup, NULL), 0);
    sonde_loop_run(loop); /* it does not keep the loop running */
    assert_int_equal(sonde_timer_new(loop, stop, NULL, &guard, NULL), 0);
    sonde_timer_start(guard, 20 * SONDE_SECOND, 0);
    int64_t start = sonde_clock_monotonic();
    assert_int_equal(pthread_create(&thread, NULL, send_wakeups, wakeup), 0);
    sonde_loop_run(loop);
    assert_true(sonde_clock_monotonic() - start < 10 * SONDE_SECOND);
    assert_int_equal(said[0], 's');
    assert_int_equal(pthread_join(thread, NULL), 0);
    sonde_wakeup_free(wakeup);
    sonde_timer_free(guard);
}

struct job {
    pthread_t worked_on, done_on;
    int done;
};

static void work(void *context)
{
    ((struct job *)context)->worked_on = pthread_self();
}

static void done(void *context)
{
    struct job *job = context;
    job->done_on = pthread_self();
    job->done++;
}

static void work_runs_elsewhere_and_ends_here(void **state)
{
    (void)state;
    struct job jobs[20] = {0};
    for (size_t i = 0; i < SONDE_LENGTH(jobs); i++) {
        assert_int_equal(sonde_loop_work(loop, work, done, &jobs[i], NULL), 0);
    }
    sonde_loop_run(loop); /* work keeps it running */
    for (size_t i = 0; i < SONDE_LENGTH(jobs); i++) {
        assert_int_equal(jobs[i].done, 1);
        assert_true(pthread_equal(jobs[i].done_on, pthread_self()));
        assert_false(pthread_equal(jobs[i].worked_on, pthread_self()));
    }
}

int main(void)
{
#define LOOP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LOOP_TEST(timers_fire_in_order_of_time),
        LOOP_TEST(a_stopped_timer_does_not_fire),
        LOOP_TEST(a_timer_repeats_until_freed_in_its_callback),
        LOOP_TEST(the_loop_stops_when_told),
        LOOP_TEST(signals_call_back),
        LOOP_TEST(a_watch_calls_back_when_readable),
        LOOP_TEST(another_thread_wakes_the_loop),
        LOOP_TEST(work_runs_elsewhere_and_ends_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
