/* SPDX-License-Identifier: Apache-2.0 */
/* While a CPU profile of a worker thread is taken: when it waits. V8 samples a thread that is
 * blocked in Atomics.wait in the function that called, as if it ran; the kernel knows better. Of
 * the main thread nothing is read: what blocks it stands in the event loop's way. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "inspector/proc_text.h"
#include "inspector/visit.h"

enum {
    RECORDS_MAX = SONDE_CAPTURES_MAX * SONDE_WORKERS_MAX,
    SCHEDSTAT_MAX = 128,
};

static const char proc[] = "/proc";

/* ---- readings ---- */

static int read_waits(struct visit_waits *waits)
{
    char text[SCHEDSTAT_MAX];
    struct sonde_wait_reading reading = {.time_ns = sonde_clock_monotonic()};
    ssize_t length = pread(waits->fd, text, sizeof(text), 0);
    struct sonde_str view = {text, length > 0 ? (size_t)length : 0};
    int r = sonde_proc_schedstat_parse(view, &reading.ran_ns, &reading.queued_ns, NULL);
    /* A kernel that does not count says 0. */
    r = r == 0 && reading.ran_ns == 0 ? SONDE_ENOTFOUND : r;
    return r < 0 ? r : sonde_wait_recorder_take(&waits->recorder, &reading, NULL);
}

/* The thread has ended, or there is no room: what is known of it stays. */
static void end(struct visit_waits *waits)
{
    sonde_closep(&waits->fd);
    waits->fd = -1;
    int r = sonde_wait_recorder_finish(&waits->recorder, NULL);
    (void)r;
}

void capture_waits_read(void *context)
{
    struct sonde_visit *v = context;
    int64_t open = 0;
    for (size_t i = 0; i < v->waits_count; i++) {
        struct visit_waits *waits = &v->waits[i];
        if (waits->fd >= 0 && read_waits(waits) < 0) {
            end(waits);
        }
        open += waits->fd >= 0;
    }
    int64_t interval_ns = open * SONDE_WAITS_INTERVAL_EACH_NS;
    interval_ns = interval_ns > SONDE_WAITS_INTERVAL_NS ? interval_ns : SONDE_WAITS_INTERVAL_NS;
    if (open) {
        sonde_timer_start(v->waits_timer, interval_ns, 0);
    }
}

/* ---- which thread ---- */

static int open_schedstat(const struct sonde_visit *v, pid_t thread)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%d/task/%d/schedstat", proc, (int)v->process.pid,
                   (int)thread);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* The file stays the thread's own: once that has ended it cannot be read, whoever has its number
 * then. */
static int watch(struct visit_thread *thread, pid_t inner_thread, struct sonde_err *err)
{
    struct sonde_visit *v = thread->visit;
    pid_t outer = sonde_thread_find(proc, v->process.pid, inner_thread);
    bool known = outer && outer != v->process.pid && sonde_clock_is_shared(proc, v->process.pid);
    int fd = known ? open_schedstat(v, outer) : -1;
    if (fd < 0) {
        return 0;
    }
    int r = sonde_array_grow(&v->waits, &v->waits_capacity, v->waits_count + 1, sizeof(*v->waits),
                             RECORDS_MAX);
    if (r < 0) {
        sonde_closep(&fd);
        return r == SONDE_ENOMEM ? sonde_fail(err, r, 0, "out of memory") : 0;
    }
    v->waits[v->waits_count++] =
        (struct visit_waits){.capture = v->capture, .worker = thread->number, .fd = fd};
    thread->waits = v->waits_count;
    capture_waits_read(v);
    return 0;
}

static int told(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    const cJSON *value = NULL;
    int r = visit_value(thread, result, failure, &value, err);
    if (r < 0) {
        return r;
    }
    int64_t process = sonde_json_integer_or(value, "process", 0);
    int64_t number = sonde_json_integer_or(value, "thread", 0);
    bool fits = process == thread->visit->process.inner_pid && number > 0 && number <= INT32_MAX;
    if (!thread->capturing) {
        return 0; /* on its way out */
    }
    r = fits ? watch(thread, (pid_t)number, err) : 0;
    if (r == 0) {
        thread->waits_known(thread);
    }
    return r;
}

void capture_waits_begin(struct visit_thread *thread, void (*known)(struct visit_thread *thread))
{
    thread->waits_known = known;
    visit_call(thread, "kernelThread()", told);
}

void capture_waits_end(struct visit_thread *thread)
{
    if (thread->waits) {
        struct visit_waits *waits = &thread->visit->waits[thread->waits - 1];
        thread->waits = 0;
        if (waits->fd >= 0) {
            int r = read_waits(waits);
            (void)r;
            end(waits);
        }
    }
}

void capture_waits_fini(struct sonde_visit *v)
{
    for (size_t i = 0; i < v->waits_count; i++) {
        sonde_closep(&v->waits[i].fd);
        sonde_wait_recorder_fini(&v->waits[i].recorder);
    }
    free(v->waits);
    sonde_timer_free(v->waits_timer);
}

/* ---- for the context ---- */

static int print_one(const struct visit_waits *waits, pid_t pid, struct sonde_buf *buf,
                     struct sonde_err *err)
{
    SONDE_BUF_AUTO entry = SONDE_BUF(buf->maximum);
    char process[48];
    char prefix[16] = "";
    if (pid) {
        (void)snprintf(prefix, sizeof(prefix), "%d-", (int)pid);
    }
    (void)snprintf(process, sizeof(process), "%sw%u", prefix, waits->worker);
    sonde_wait_recorder_print(&waits->recorder, process, &entry);
    if (entry.code == SONDE_ENOMEM) {
        return sonde_buf_check(&entry, "when a thread waited", err);
    }
    if (entry.code == 0 && entry.length + 1 <= buf->maximum - buf->length) {
        sonde_buf_text(buf, buf->length ? "," : "");
        sonde_buf_str(buf, sonde_buf_view(&entry));
    }
    return sonde_buf_check(buf, "when threads waited", err);
}

int sonde_visit_print_waits(const struct sonde_visit *v, const char *capture, pid_t pid,
                            struct sonde_buf *buf, struct sonde_err *err)
{
    int r = 0;
    for (size_t i = 0; i < v->waits_count && r == 0; i++) {
        const struct visit_waits *waits = &v->waits[i];
        if (waits->fd < 0 && waits->recorder.count &&
            strcmp(v->captures[waits->capture].name, capture) == 0) {
            r = print_one(waits, pid, buf, err);
        }
    }
    return r;
}
