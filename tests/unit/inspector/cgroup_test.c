/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "inspector/cgroup.h"

static void the_group_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sonde_cgroup_version version;
        const char *path;
    } cases[] = {
        {"0::/system.slice/app.service\n", SONDE_CGROUP_V2, "/system.slice/app.service"},
        {"0::/\n", SONDE_CGROUP_V2, "/"},
        {"0::/../2c0f8a\n", SONDE_CGROUP_V2, "/"},
        {"12:pids:/a\n5:cpu,memory:/kubepods/pod1/c1\n0::/x\n", SONDE_CGROUP_V1,
         "/kubepods/pod1/c1"},
        {"5:cpuset,memory_recursive:/a\n", SONDE_CGROUP_NONE, ""},
        {"3:memory:/a:b\n", SONDE_CGROUP_V1, "/a:b"},
        {"0::relative\n", SONDE_CGROUP_NONE, ""},
        {"garbage\n::\n", SONDE_CGROUP_NONE, ""},
        {"", SONDE_CGROUP_NONE, ""},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_str path = SONDE_STR("");
        assert_int_equal(sonde_cgroup_of(sonde_str(cases[i].text), "memory", &path),
                         cases[i].version);
        assert_true(sonde_str_is(path, cases[i].path));
    }
    struct sonde_str path = SONDE_STR("");
    struct sonde_str text = SONDE_STR("5:memory:/m\n4:cpu,cpuacct:/c\n3:cpuset:/s\n0::/x\n");
    assert_int_equal(sonde_cgroup_of(text, "cpu", &path), SONDE_CGROUP_V1);
    assert_true(sonde_str_is(path, "/c"));
}

static void numbers_are_read(void **state)
{
    (void)state;
    uint64_t value;
    assert_int_equal(sonde_cgroup_bytes(SONDE_STR("536870912\n"), &value), 0);
    assert_int_equal(value, 536870912);
    assert_int_equal(sonde_cgroup_bytes(SONDE_STR("max\n"), &value), 0);
    assert_true(value == SONDE_MEMORY_UNLIMITED);
    assert_int_equal(sonde_cgroup_bytes(SONDE_STR("9223372036854771712\n"), &value), 0);
    assert_true(value == SONDE_MEMORY_UNLIMITED);
    assert_int_equal(sonde_cgroup_bytes(SONDE_STR("\n"), &value), SONDE_EPARSE);
    assert_int_equal(sonde_cgroup_bytes(SONDE_STR("12x"), &value), SONDE_EPARSE);
    assert_int_equal(sonde_cgroup_stat(SONDE_STR("anon 1\ninactive_file 77\n"), "inactive_file", 5),
                     77);
    assert_int_equal(sonde_cgroup_stat(SONDE_STR("anon 1\n"), "inactive_file", 5), 5);
    assert_int_equal(
        sonde_meminfo_available(SONDE_STR("MemFree: 1 kB\nMemAvailable:    2048 kB\n")), 2 << 20);
    assert_true(sonde_meminfo_available(SONDE_STR("MemFree: 1 kB\n")) == SONDE_MEMORY_UNLIMITED);
}

/* ---- files ---- */

static char root[64];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/sonde-memory-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    (void)status;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(sonde_make_directories(path, NULL), 0);
    *slash = '/';
    SONDE_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(sonde_write_all(fd, text, strlen(text), path, NULL), 0);
}

static void the_tightest_group_counts(void **state)
{
    (void)state;
    struct sonde_memory_free memory;
    write_file("meminfo", "MemTotal: 9 kB\nMemAvailable: 1000000 kB\n");
    sonde_memory_free(root, 7, &memory);
    assert_int_equal(memory.bytes, UINT64_C(1000000) << 10);
    assert_string_equal(memory.of, "the machine's memory");

    /* Version 2, seen from outside: a slice above the group is tighter than the group. */
    write_file("7/cgroup", "0::/slice/app\n");
    write_file("7/root/sys/fs/cgroup/slice/app/memory.max", "500000000\n");
    write_file("7/root/sys/fs/cgroup/slice/app/memory.current", "100000000\n");
    write_file("7/root/sys/fs/cgroup/slice/app/memory.stat", "inactive_file 20000000\n");
    sonde_memory_free(root, 7, &memory);
    assert_int_equal(memory.bytes, 420000000);
    assert_int_equal(memory.limit, 500000000);
    assert_string_equal(memory.of, "its cgroup's memory limit");
    write_file("7/root/sys/fs/cgroup/slice/memory.max", "300000000\n");
    write_file("7/root/sys/fs/cgroup/slice/memory.current", "250000000\n");
    sonde_memory_free(root, 7, &memory);
    assert_int_equal(memory.bytes, 50000000);

    /* In a container: its group is the root of what it sees. */
    write_file("8/cgroup", "0::/../0123abcd\n");
    write_file("8/root/sys/fs/cgroup/memory.max", "200000000\n");
    write_file("8/root/sys/fs/cgroup/memory.current", "300000000\n");
    sonde_memory_free(root, 8, &memory);
    assert_int_equal(memory.bytes, 0);

    /* Version 1: the file says what holds for all groups above. */
    write_file("9/cgroup", "4:memory:/kubepods/pod/c\n1:cpu:/\n");
    write_file("9/root/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    write_file("9/root/sys/fs/cgroup/memory/memory.usage_in_bytes", "90000000\n");
    write_file("9/root/sys/fs/cgroup/memory/memory.stat",
               "cache 1\nhierarchical_memory_limit 268435456\ntotal_inactive_file 10000000\n");
    sonde_memory_free(root, 9, &memory);
    assert_int_equal(memory.bytes, 268435456 - 80000000);

    /* Nothing that can be read limits nothing but the machine. */
    write_file("10/cgroup", "0::/a/b\n");
    sonde_memory_free(root, 10, &memory);
    assert_string_equal(memory.of, "the machine's memory");
}

static void quotas_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double cpus;
    } cases[] = {
        {"50000 100000\n", 0.5}, {"400000 100000\n", 4}, {"max 100000\n", INFINITY},
        {"0 100000", INFINITY},  {"100000 0", INFINITY}, {"100000", INFINITY},
        {"-5 100000", INFINITY}, {"", INFINITY},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        assert_true(sonde_cgroup_cpus(sonde_str(cases[i].text)) == cases[i].cpus);
    }
}

static void the_tightest_quota_counts(void **state)
{
    (void)state;
    assert_true(sonde_cpu_limit(root, 21) == INFINITY);
    write_file("21/cgroup", "0::/slice/app\n");
    assert_true(sonde_cpu_limit(root, 21) == INFINITY);
    write_file("21/root/sys/fs/cgroup/slice/app/cpu.max", "max 100000\n");
    write_file("21/root/sys/fs/cgroup/slice/cpu.max", "20000 100000\n");
    assert_true(fabs(sonde_cpu_limit(root, 21) - 0.2) < 1e-9);
    write_file("21/root/sys/fs/cgroup/slice/app/cpu.max", "10000 100000\n");
    assert_true(fabs(sonde_cpu_limit(root, 21) - 0.1) < 1e-9);

    write_file("22/cgroup", "0::/../0123abcd\n");
    write_file("22/root/sys/fs/cgroup/cpu.max", "150000 100000\n");
    assert_true(fabs(sonde_cpu_limit(root, 22) - 1.5) < 1e-9);

    /* Version 1. The path is that of the node, and what is mounted the container's own group. */
    write_file("23/cgroup", "4:cpu,cpuacct:/kubepods/pod/c\n");
    write_file("23/root/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    write_file("23/root/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_true(sonde_cpu_limit(root, 23) == INFINITY);
    write_file("23/root/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "25000\n");
    assert_true(fabs(sonde_cpu_limit(root, 23) - 0.25) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_group_is_found),        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(the_tightest_group_counts), cmocka_unit_test(quotas_are_read),
        cmocka_unit_test(the_tightest_quota_counts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
