/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/map.h"
#include "base/options.h"
#include "fail.h"

static int use_buffers(void *context)
{
    (void)context;
    SONDE_BUF_AUTO buf = SONDE_BUF(100000);
    for (int i = 0; i < 500; i++) {
        sonde_buf_printf(&buf, "%0300d", i);
        sonde_buf_json_string(&buf, SONDE_STR("a\"b"));
    }
    return buf.code == SONDE_ELIMIT ? 0 : sonde_buf_check(&buf, "it", NULL);
}

static int use_maps(void *context)
{
    (void)context;
    struct sonde_map map = SONDE_MAP(1000);
    struct sonde_arena arena = SONDE_ARENA(100000);
    int r = 0;
    for (int i = 0; i < 300 && r == 0; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "key %d", i);
        struct sonde_map_slot *slot;
        bool fresh;
        r = sonde_map_keep(&map, sonde_str(text), &arena, NULL, &slot, &fresh);
    }
    sonde_map_fini(&map);
    sonde_arena_fini(&arena);
    return r;
}

static int use_options(void *context)
{
    (void)context;
    static const struct sonde_option table[] = {{0}};
    static char word[] = "file";
    char *argv[] = {word, word};
    const struct sonde_option *const tables[] = {table};
    struct sonde_arguments arguments;
    int r = sonde_options_parse(tables, 1, 2, argv, NULL, &arguments, NULL);
    if (r == 0) {
        free(arguments.positional);
    }
    return r;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fail_each_allocation(use_buffers, NULL);
    fail_each_allocation(use_maps, NULL);
    fail_each_allocation(use_options, NULL);
}

static void transfers_may_be_short_and_interrupted(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fail_short_transfers(true);
    assert_int_equal(sonde_write_all(ends[1], "hello, world", 12, "pipe", NULL), 0);
    (void)close(ends[1]);
    SONDE_BUF_AUTO text = SONDE_BUF(100);
    assert_int_equal(sonde_read_all(ends[0], &text, "pipe", NULL), 0);
    fail_short_transfers(false);
    (void)close(ends[0]);
    assert_string_equal(text.data, "hello, world");
}

static void failures_of_files_are_told(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    fail_arm(FAIL_WRITE, 1, false, ENOSPC);
    assert_int_equal(sonde_write_all(STDOUT_FILENO, "x", 1, "the blob", &err), SONDE_ENOSPACE);
    assert_string_equal(err.message, "write the blob: No space left on device");
    fail_arm(FAIL_READ, 1, false, EIO);
    SONDE_BUF_AUTO text = SONDE_BUF(100000);
    assert_int_equal(sonde_read_file(AT_FDCWD, "/proc/self/status", &text, &err), SONDE_EIO);
    fail_arm(FAIL_READ, 0, false, 0);
    fail_arm(FAIL_WRITE, 0, false, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(transfers_may_be_short_and_interrupted),
        cmocka_unit_test(failures_of_files_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
