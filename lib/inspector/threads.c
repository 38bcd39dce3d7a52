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

static void list(int tasks, pid_t pid, struct sonde_threads *threads)
{
    int fd = openat(tasks, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    threads->listed = true;
    if (!dir) {
        sonde_closep(&fd);
        return;
    }
    while ((entry = readdir(dir)) && threads->count < SONDE_THREADS_MAX) {
        uint64_t id;
        if (sonde_parse_u64(sonde_str(entry->d_name), 1, INT32_MAX, &id) == 0 && (pid_t)id != pid) {
            struct sonde_thread *thread = &threads->items[threads->count++];
            thread->id = (pid_t)id;
            thread->rested = look(tasks, thread, true);
        }
    }
    (void)closedir(dir);
}

bool sonde_threads_rest(const char *proc, pid_t pid, struct sonde_threads *threads)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%d/task", proc, (int)pid);
    SONDE_CLOSE int tasks = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
