/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/cgroup.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/file.h"

/* ---- texts ---- */

/* Whether "cpu,memory" has the controller. */
static bool has_controller(struct sonde_str list, const char *name)
{
    while (list.data) {
        if (sonde_str_is(sonde_str_split(&list, ','), name)) {
            return true;
        }
    }
    return false;
}

enum sonde_cgroup_version sonde_cgroup_of(struct sonde_str text, const char *controller,
                                          struct sonde_str *ret_path)
{
    enum sonde_cgroup_version version = SONDE_CGROUP_NONE;
    while (text.data && text.length) {
        struct sonde_str path = sonde_str_split(&text, '\n');
        struct sonde_str number = sonde_str_split(&path, ':');
        struct sonde_str controllers = sonde_str_split(&path, ':');
        bool v1 = has_controller(controllers, controller);
        bool v2 = sonde_str_is(number, "0") && controllers.length == 0;
        if (!path.data || path.length == 0 || path.data[0] != '/' || (!v1 && !v2)) {
            continue;
        }
        bool outside = sonde_str_starts(path, "/..");
        *ret_path = outside ? SONDE_STR("/") : path;
        version = v1 ? SONDE_CGROUP_V1 : SONDE_CGROUP_V2;
        if (v1) {
            return version; /* on a mixed system the controller is still there */
        }
    }
    return version;
}

int sonde_cgroup_bytes(struct sonde_str text, uint64_t *ret)
{
    static const uint64_t none = UINT64_C(1) << 62; /* v1 says LONG_MAX, cut to pages */
    uint64_t value;
    text = sonde_str_trim(text);
    if (sonde_str_is(text, "max")) {
        *ret = SONDE_MEMORY_UNLIMITED;
        return 0;
    }
    int r = sonde_parse_u64(text, 0, UINT64_MAX, &value);
    if (r < 0) {
        return SONDE_EPARSE;
    }
    *ret = value >= none ? SONDE_MEMORY_UNLIMITED : value;
    return 0;
}

double sonde_cgroup_cpus(struct sonde_str text)
{
    uint64_t quota = 0;
    uint64_t period = 0;
    text = sonde_str_trim(text);
    bool limited = sonde_parse_u64(sonde_str_split(&text, ' '), 1, UINT32_MAX, &quota) == 0 &&
                   sonde_parse_u64(text, 1, UINT32_MAX, &period) == 0;
    return limited ? (double)quota / (double)period : INFINITY;
}

uint64_t sonde_cgroup_stat(struct sonde_str text, const char *name, uint64_t fallback)
{
    uint64_t value;
    while (text.data && text.length) {
        struct sonde_str row = sonde_str_split(&text, '\n');
        if (sonde_str_is(sonde_str_split(&row, ' '), name) &&
            sonde_cgroup_bytes(row, &value) == 0) {
            return value;
        }
    }
    return fallback;
}

uint64_t sonde_meminfo_available(struct sonde_str text)
{
    uint64_t kilobytes;
    while (text.data && text.length) {
        struct sonde_str row = sonde_str_split(&text, '\n');
        struct sonde_str name = sonde_str_split(&row, ':');
        row = sonde_str_trim(row);
        struct sonde_str number = sonde_str_split(&row, ' ');
        if (sonde_str_is(name, "MemAvailable") &&
            sonde_parse_u64(number, 0, UINT64_MAX >> 10, &kilobytes) == 0) {
            return kilobytes << 10;
        }
    }
    return SONDE_MEMORY_UNLIMITED;
}

/* ---- files ---- */

enum { GROUP_SIZE = 2 * SONDE_CGROUP_PATH_MAX };

/* The bytes in a file, or `fallback`. */
static uint64_t read_bytes(const char *group, const char *name, uint64_t fallback)
{
    char path[GROUP_SIZE + 32];
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CGROUP_FILE_MAX);
    uint64_t value;
    (void)snprintf(path, sizeof(path), "%s/%s", group, name);
    bool good = sonde_read_file(AT_FDCWD, path, &text, NULL) == 0 &&
                sonde_cgroup_bytes(sonde_buf_view(&text), &value) == 0;
    return good ? value : fallback;
}

static uint64_t read_stat(const char *group, const char *name, uint64_t fallback)
{
    char path[GROUP_SIZE + 32];
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CGROUP_FILE_MAX);
    (void)snprintf(path, sizeof(path), "%s/memory.stat", group);
    return sonde_read_file(AT_FDCWD, path, &text, NULL) == 0
               ? sonde_cgroup_stat(sonde_buf_view(&text), name, fallback)
               : fallback;
}

/* What is left below a group's limit: pages of files that nobody uses would be given up. */
static void take_group(struct sonde_memory_free *ret, uint64_t limit, uint64_t current,
                       uint64_t inactive)
{
    if (limit == SONDE_MEMORY_UNLIMITED || current == SONDE_MEMORY_UNLIMITED) {
        return;
    }
    uint64_t used = current > inactive ? current - inactive : 0;
    uint64_t free = limit > used ? limit - used : 0;
    if (free < ret->bytes) {
        *ret = (struct sonde_memory_free){free, "its cgroup's memory limit", limit};
    }
}

/* ---- a group and those above ---- */

struct place {
    enum sonde_cgroup_version version; /* SONDE_CGROUP_NONE: not known */
    char mount[SONDE_CGROUP_PATH_MAX]; /* as the target has it: a container's is its own group */
    char path[SONDE_CGROUP_PATH_MAX];  /* below that; "": the root */
};

static void find_group(const char *proc, pid_t pid, const char *controller, struct place *ret)
{
    char file[SONDE_CGROUP_PATH_MAX];
    struct sonde_str path = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CGROUP_FILE_MAX);
    *ret = (struct place){0};
    (void)snprintf(file, sizeof(file), "%s/%d/cgroup", proc, (int)pid);
    if (sonde_read_file(AT_FDCWD, file, &text, NULL) < 0) {
        return;
    }
    enum sonde_cgroup_version version = sonde_cgroup_of(sonde_buf_view(&text), controller, &path);
    if (path.length >= sizeof(ret->path)) {
        return;
    }
    bool is_root = sonde_str_is(path, "/");
    ret->version = version;
    (void)snprintf(ret->path, sizeof(ret->path), "%.*s", is_root ? 0 : (int)path.length, path.data);
    (void)snprintf(ret->mount, sizeof(ret->mount), "%s/%d/root/sys/fs/cgroup%s%s", proc, (int)pid,
                   version == SONDE_CGROUP_V1 ? "/" : "",
                   version == SONDE_CGROUP_V1 ? controller : "");
}

/* From a group up to the root of what is mounted, each with a limit of its own. In a container the
 * path means nothing, and the root alone is there. */
static void each_group(const struct place *place, void (*take)(const char *group, void *context),
                       void *context)
{
    char group[GROUP_SIZE];
    size_t root = strlen(place->mount);
    (void)snprintf(group, sizeof(group), "%s%s", place->mount, place->path);
    for (int depth = 0; depth < SONDE_CGROUP_DEPTH_MAX && strlen(group) > root; depth++) {
        take(group, context);
        *strrchr(group, '/') = '\0';
    }
    take(place->mount, context);
}

static void take_memory(const char *group, void *context)
{
    take_group(context, read_bytes(group, "memory.max", SONDE_MEMORY_UNLIMITED),
               read_bytes(group, "memory.current", SONDE_MEMORY_UNLIMITED),
               read_stat(group, "inactive_file", 0));
}

static void take_memory_v1(const char *group, void *context)
{
    uint64_t own = read_bytes(group, "memory.limit_in_bytes", SONDE_MEMORY_UNLIMITED);
    take_group(context, read_stat(group, "hierarchical_memory_limit", own),
               read_bytes(group, "memory.usage_in_bytes", SONDE_MEMORY_UNLIMITED),
               read_stat(group, "total_inactive_file", 0));
}

static void take_cpus(const char *group, void *context)
{
    double *cpus = context;
    char path[GROUP_SIZE + 32];
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CGROUP_FILE_MAX);
    (void)snprintf(path, sizeof(path), "%s/cpu.max", group);
    if (sonde_read_file(AT_FDCWD, path, &text, NULL) == 0) {
        *cpus = fmin(*cpus, sonde_cgroup_cpus(sonde_buf_view(&text)));
    }
}

/* A quota of -1 means none, and is no number for us. */
static void take_cpus_v1(const char *group, void *context)
{
    double *cpus = context;
    uint64_t quota = read_bytes(group, "cpu.cfs_quota_us", 0);
    uint64_t period = read_bytes(group, "cpu.cfs_period_us", 0);
    if (quota > 0 && period > 0) {
        *cpus = fmin(*cpus, (double)quota / (double)period);
    }
}

/* ---- what is left of both ---- */

void sonde_memory_free(const char *proc, pid_t pid, struct sonde_memory_free *ret)
{
    char path[SONDE_CGROUP_PATH_MAX];
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CGROUP_FILE_MAX);
    *ret = (struct sonde_memory_free){SONDE_MEMORY_UNLIMITED, "the machine's memory",
                                      SONDE_MEMORY_UNLIMITED};
    (void)snprintf(path, sizeof(path), "%s/meminfo", proc);
    if (sonde_read_file(AT_FDCWD, path, &text, NULL) == 0) {
        ret->bytes = sonde_meminfo_available(sonde_buf_view(&text));
    }
    struct place place;
    find_group(proc, pid, "memory", &place);
    if (place.version != SONDE_CGROUP_NONE) {
        each_group(&place, place.version == SONDE_CGROUP_V1 ? take_memory_v1 : take_memory, ret);
    }
}

double sonde_cpu_limit(const char *proc, pid_t pid)
{
    double cpus = INFINITY;
    struct place place;
    find_group(proc, pid, "cpu", &place);
    if (place.version != SONDE_CGROUP_NONE) {
        each_group(&place, place.version == SONDE_CGROUP_V1 ? take_cpus_v1 : take_cpus, &cpus);
    }
    return cpus;
}
