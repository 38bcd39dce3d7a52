/* SPDX-License-Identifier: Apache-2.0 */
/* What a process may still take: memory before its control group, or the machine, has no more, and
 * time of CPUs. */
#ifndef SONDE_INSPECTOR_CGROUP_H
#define SONDE_INSPECTOR_CGROUP_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

enum {
    SONDE_CGROUP_PATH_MAX = 1024,
    SONDE_CGROUP_FILE_MAX = 64 << 10,
    SONDE_CGROUP_DEPTH_MAX = 32, /* groups above a group */
};
#define SONDE_MEMORY_UNLIMITED UINT64_MAX

enum sonde_cgroup_version { SONDE_CGROUP_NONE, SONDE_CGROUP_V1, SONDE_CGROUP_V2 };

/* Where /proc/PID/cgroup says that a controller ("memory", "cpu") has a process. A group outside of
 * our namespace ("/../x") is its namespace's own root. */
enum sonde_cgroup_version sonde_cgroup_of(struct sonde_str text, const char *controller,
                                          struct sonde_str *ret_path);

/* The text of memory.max, memory.current, memory.limit_in_bytes …; SONDE_MEMORY_UNLIMITED for "max"
 * and for v1's "none at all"; SONDE_EPARSE. */
int sonde_cgroup_bytes(struct sonde_str text, uint64_t *ret) SONDE_MUST_CHECK;
/* The text of cpu.max ("50000 100000", "max 100000") as CPUs; INFINITY: no limit, or none that can
 * be read (Linux, Documentation/admin-guide/cgroup-v2.rst). */
double sonde_cgroup_cpus(struct sonde_str text);
/* A row of memory.stat, or `fallback`. */
uint64_t sonde_cgroup_stat(struct sonde_str text, const char *name, uint64_t fallback);
/* MemAvailable of /proc/meminfo in bytes, or SONDE_MEMORY_UNLIMITED. */
uint64_t sonde_meminfo_available(struct sonde_str text);

struct sonde_memory_free {
    uint64_t bytes; /* SONDE_MEMORY_UNLIMITED: not known */
    const char *of; /* static: what the limit is of */
    uint64_t limit; /* the cgroup's; SONDE_MEMORY_UNLIMITED: it has none */
};

/* Reads it through `proc` ("/proc", or another root in tests). What cannot be read limits nothing.
 */
void sonde_memory_free(const char *proc, pid_t pid, struct sonde_memory_free *ret);

/* The CPUs that the process may use at once on average, by the tightest quota of its groups;
 * INFINITY: no limit, or none that can be read. What uses more is throttled. */
double sonde_cpu_limit(const char *proc, pid_t pid);

#endif
