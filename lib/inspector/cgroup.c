/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/cgroup.h"

#include <fcntl.h>
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

enum sonde_cgroup_version sonde_cgroup_of(struct sonde_str text, struct sonde_str *ret_path)
{
    enum sonde_cgroup_version version = SONDE_CGROUP_NONE;
    while (text.data && text.length) {
        struct sonde_str path = sonde_str_split(&text, '\n');
        struct sonde_str number = sonde_str_split(&path, ':');
        struct sonde_str controllers = sonde_str_split(&path, ':');
        bool v1 = has_controller(controllers, "memory");
        bool v2 = sonde_str_is(number, "0") && controllers.length == 0;
        if (!path.data || path.length == 0 || path.data[0] != '/' || (!v1 && !v2)) {
            continue;
        }
        bool outside = sonde_str_starts(path, "/..");
        *ret_path = outside ? SONDE_STR("/") : path;
        version = v1 ? SONDE_CGROUP_V1 : SONDE_CGROUP_V2;
        if (v1) {
            return version; /* on a mixed system memory is still counted there */
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

static void read_v1(const char *group, struct sonde_memory_free *ret)
{
    uint64_t own = read_bytes(group, "memory.limit_in_bytes", SONDE_MEMORY_UNLIMITED);
    take_group(ret, read_stat(group, "hierarchical_memory_limit", own),
               read_bytes(group, "memory.usage_in_bytes", SONDE_MEMORY_UNLIMITED),
               read_stat(group, "total_inactive_file", 0));
}

/* In v2 each group above has a limit of its own. */
static void read_v2(const char *mount, const char *path, struct sonde_memory_free *ret)
{
    char group[GROUP_SIZE];
    int length = snprintf(group, sizeof(group), "%s%s", mount, path);
    size_t root = strlen(mount);
    for (int depth = 0; depth < SONDE_CGROUP_DEPTH_MAX && (size_t)length < sizeof(group); depth++) {
        take_group(ret, read_bytes(group, "memory.max", SONDE_MEMORY_UNLIMITED),
                   read_bytes(group, "memory.current", SONDE_MEMORY_UNLIMITED),
                   read_stat(group, "inactive_file", 0));
        char *slash = strrchr(group, '/');
        if (!slash || (size_t)(slash - group) < root) {
            return;
        }
        *slash = '\0';
    }
}

static void read_groups(const char *proc, pid_t pid, struct sonde_memory_free *ret)
{
    char path[SONDE_CGROUP_PATH_MAX];
    char mount[SONDE_CGROUP_PATH_MAX];
    char group[SONDE_CGROUP_PATH_MAX];
    struct sonde_str found = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CGROUP_FILE_MAX);
    (void)snprintf(path, sizeof(path), "%s/%d/cgroup", proc, (int)pid);
    enum sonde_cgroup_version version = sonde_read_file(AT_FDCWD, path, &text, NULL) == 0
                                            ? sonde_cgroup_of(sonde_buf_view(&text), &found)
                                            : SONDE_CGROUP_NONE;
    if (version == SONDE_CGROUP_NONE || found.length >= sizeof(path)) {
        return;
    }
    bool is_root = sonde_str_is(found, "/");
    (void)snprintf(path, sizeof(path), "%.*s", is_root ? 0 : (int)found.length, found.data);
    /* As the target has it mounted: in a container its own group is the root of that. */
    (void)snprintf(mount, sizeof(mount), "%s/%d/root/sys/fs/cgroup%s", proc, (int)pid,
                   version == SONDE_CGROUP_V1 ? "/memory" : "");
    if (version == SONDE_CGROUP_V2) {
        read_v2(mount, path, ret);
        read_v2(mount, "", ret);
        return;
    }
    (void)snprintf(group, sizeof(group), "%.400s%.600s", mount, path);
    read_v1(group, ret);
    read_v1(mount, ret);
}

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
    read_groups(proc, pid, ret);
}
