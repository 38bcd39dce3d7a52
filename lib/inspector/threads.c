/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/file.h"
#include "base/memory.h"
#include "inspector/proc_text.h"

enum { STAT_MAX = 4096, TICKS_MIN = 2 }; /* of 10 ms */

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
        int64_t wait_ns = 0;
        SONDE_BUF_AUTO text = SONDE_BUF(STAT_MAX);
        (void)snprintf(name, sizeof(name), "%d/schedstat", (int)ids[i]);
        if (sonde_read_file(tasks, name, &text, NULL) == 0 &&
            sonde_proc_schedstat_parse(sonde_buf_view(&text), &wait_ns, NULL) == 0 &&
            wait_ns < INT64_MAX - total) {
            total += wait_ns;
        }
    }
    return total;
}
