/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/threads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "inspector/proc_text.h"

enum { STAT_MAX = 4096, STATUS_MAX = 16384, TICKS_MIN = 2 }; /* of 10 ms */

static bool look(int tasks, struct sonde_thread *thread, bool first)
{
    char name[64];
    struct sonde_proc_stat stat;
    SONDE_BUF_AUTO text = SONDE_BUF(STAT_MAX);
    (void)snprintf(name, sizeof(name), "%d/stat", (int)thread->id);
    if (sonde_read_file(tasks, name, &text, NULL) < 0 ||
        sonde_proc_stat_parse(sonde_buf_view(&text), &stat, NULL) < 0) {
        return true; /* it has ended */
    }
    thread->cpu_ticks = first ? stat.cpu_ticks : thread->cpu_ticks;
    return stat.state == 'S' || stat.cpu_ticks - thread->cpu_ticks >= TICKS_MIN;
}

static int open_tasks(const char *proc, pid_t pid)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%d/task", proc, (int)pid);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* All threads, the main one too: how many ids were put into ret. */
static size_t read_ids(int tasks, pid_t ret[SONDE_THREADS_MAX])
{
    int fd = openat(tasks, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    size_t count = 0;
    if (!dir) {
        sonde_closep(&fd);
        return 0;
    }
    while ((entry = readdir(dir)) && count < SONDE_THREADS_MAX) {
        uint64_t id;
        if (sonde_parse_u64(sonde_str(entry->d_name), 1, INT32_MAX, &id) == 0) {
            ret[count++] = (pid_t)id;
        }
    }
    (void)closedir(dir);
    return count;
}

static void list(int tasks, pid_t pid, struct sonde_threads *threads)
{
    pid_t ids[SONDE_THREADS_MAX];
    size_t count = read_ids(tasks, ids);
    threads->listed = true;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] != pid) {
            struct sonde_thread *thread = &threads->items[threads->count++];
            thread->id = ids[i];
            thread->rested = look(tasks, thread, true);
        }
    }
}

bool sonde_threads_rest(const char *proc, pid_t pid, struct sonde_threads *threads)
{
    SONDE_CLOSE int tasks = open_tasks(proc, pid);
    if (tasks < 0) {
        return true;
    }
    if (!threads->listed) {
        list(tasks, pid, threads);
    }
    bool all = true;
    for (size_t i = 0; i < threads->count; i++) {
        struct sonde_thread *thread = &threads->items[i];
        thread->rested = thread->rested || look(tasks, thread, false);
        all = all && thread->rested;
    }
    return all;
}

int64_t sonde_threads_cpu_wait(const char *proc, pid_t pid)
{
    SONDE_CLOSE int tasks = open_tasks(proc, pid);
    pid_t ids[SONDE_THREADS_MAX];
    size_t count = tasks < 0 ? 0 : read_ids(tasks, ids);
    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        char name[64];
        int64_t ran_ns = 0;
        int64_t wait_ns = 0;
        SONDE_BUF_AUTO text = SONDE_BUF(STAT_MAX);
        (void)snprintf(name, sizeof(name), "%d/schedstat", (int)ids[i]);
        if (sonde_read_file(tasks, name, &text, NULL) == 0 &&
            sonde_proc_schedstat_parse(sonde_buf_view(&text), &ran_ns, &wait_ns, NULL) == 0 &&
            wait_ns < INT64_MAX - total) {
            total += wait_ns;
        }
    }
    return total;
}

static pid_t inner_id_of(int tasks, pid_t id)
{
    char name[64];
    struct sonde_proc_status status;
    SONDE_BUF_AUTO text = SONDE_BUF(STATUS_MAX);
    (void)snprintf(name, sizeof(name), "%d/status", (int)id);
    if (sonde_read_file(tasks, name, &text, NULL) < 0 ||
        sonde_proc_status_parse(sonde_buf_view(&text), &status, NULL) < 0) {
        return 0;
    }
    return status.inner_pid;
}

pid_t sonde_thread_find(const char *proc, pid_t pid, pid_t inner_id)
{
    SONDE_CLOSE int tasks = open_tasks(proc, pid);
    pid_t ids[SONDE_THREADS_MAX];
    if (tasks < 0 || inner_id_of(tasks, inner_id) == inner_id) {
        return tasks < 0 ? 0 : inner_id; /* the same namespace */
    }
    size_t count = read_ids(tasks, ids);
    for (size_t i = 0; i < count; i++) {
        if (inner_id_of(tasks, ids[i]) == inner_id) {
            return ids[i];
        }
    }
    return 0;
}

/* "time:[4026531834]"; of a kernel without such namespaces nothing. */
static bool read_time_namespace(const char *proc, const char *process, char *ret, size_t size)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s/ns/time", proc, process);
    ssize_t length = readlink(path, ret, size - 1);
    ret[length > 0 ? length : 0] = '\0';
    return length >= 0 || errno == ENOENT;
}

bool sonde_clock_is_shared(const char *proc, pid_t pid)
{
    char name[16];
    char own[64];
    char other[64];
    (void)snprintf(name, sizeof(name), "%d", (int)pid);
    return read_time_namespace(proc, "self", own, sizeof(own)) &&
           read_time_namespace(proc, name, other, sizeof(other)) && strcmp(own, other) == 0;
}
