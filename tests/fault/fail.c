/* SPDX-License-Identifier: Apache-2.0 */
#include "fail.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/types.h>

#include <cmocka.h>

#include "base/err.h"

static struct {
    uint64_t calls, nth;
    bool persistent, happened;
    int error;
} kinds[FAIL_KINDS];
static bool short_transfers;
static uint64_t transfers;
static int64_t blocks, bytes, peak;

void fail_arm(enum fail_kind kind, uint64_t nth, bool persistent, int error)
{
    kinds[kind].calls = 0;
    kinds[kind].nth = nth;
    kinds[kind].persistent = persistent;
    kinds[kind].happened = false;
    kinds[kind].error = error;
}

uint64_t fail_calls(enum fail_kind kind)
{
    return kinds[kind].calls;
}

bool fail_happened(enum fail_kind kind)
{
    return kinds[kind].happened;
}

void fail_short_transfers(bool on)
{
    short_transfers = on;
}

int64_t fail_blocks(void)
{
    return blocks;
}

static bool fails(enum fail_kind kind)
{
    uint64_t call = ++kinds[kind].calls;
    uint64_t nth = kinds[kind].nth;
    bool now = nth && (call == nth || (kinds[kind].persistent && call > nth));
    kinds[kind].happened = kinds[kind].happened || now;
    if (now) {
        errno = kind == FAIL_ALLOCATION ? ENOMEM : kinds[kind].error;
    }
    return now;
}

int64_t fail_peak(void)
{
    int64_t most = peak;
    peak = bytes;
    return most;
}

static void *count(void *block)
{
    blocks += block != NULL;
    bytes += (int64_t)malloc_usable_size(block);
    peak = bytes > peak ? bytes : peak;
    return block;
}

static void uncount(void *block)
{
    blocks -= block != NULL;
    bytes -= (int64_t)malloc_usable_size(block);
}

/* The names that the linker's --wrap gives. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t number, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);
void __real_free(void *block);
ssize_t __real_read(int fd, void *data, size_t length);
ssize_t __real_write(int fd, const void *data, size_t length);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t number, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);
void __wrap_free(void *block);
ssize_t __wrap_read(int fd, void *data, size_t length);
ssize_t __wrap_write(int fd, const void *data, size_t length);

void *__wrap_malloc(size_t size)
{
    return fails(FAIL_ALLOCATION) ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t number, size_t size)
{
    return fails(FAIL_ALLOCATION) ? NULL : count(__real_calloc(number, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (fails(FAIL_ALLOCATION)) {
        return NULL;
    }
    uncount(block);
    void *larger = __real_realloc(block, size);
    (void)count(larger ? larger : block);
    return larger;
}

char *__wrap_strdup(const char *text)
{
    return fails(FAIL_ALLOCATION) ? NULL : count(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t length)
{
    return fails(FAIL_ALLOCATION) ? NULL : count(__real_strndup(text, length));
}

void __wrap_free(void *block)
{
    uncount(block);
    __real_free(block);
}

/* The length to move, or -1 with errno set. */
static ssize_t transfer(enum fail_kind kind, size_t length)
{
    if (fails(kind)) {
        return -1;
    }
    if (short_transfers && ++transfers % 2) {
        errno = EINTR;
        return -1;
    }
    return (ssize_t)(short_transfers && length > 1 ? 1 : length);
}

ssize_t __wrap_read(int fd, void *data, size_t length)
{
    ssize_t allowed = transfer(FAIL_READ, length);
    return allowed < 0 ? -1 : __real_read(fd, data, (size_t)allowed);
}

ssize_t __wrap_write(int fd, const void *data, size_t length)
{
    ssize_t allowed = transfer(FAIL_WRITE, length);
    return allowed < 0 ? -1 : __real_write(fd, data, (size_t)allowed);
}

static void run_failing(int (*scenario)(void *context), void *context, uint64_t nth,
                        bool persistent)
{
    int64_t before = blocks;
    fail_arm(FAIL_ALLOCATION, nth, persistent, 0);
    int r = scenario(context);
    bool happened = fail_happened(FAIL_ALLOCATION);
    fail_arm(FAIL_ALLOCATION, 0, false, 0);
    if (!happened || (r != 0 && r != SONDE_ENOMEM) || blocks != before) {
        fail_msg("with allocation %" PRIu64 " failing %s it returned %d and kept %" PRId64
                 " blocks",
                 nth, persistent ? "for good" : "once", r, blocks - before);
    }
}

void fail_each_allocation(int (*scenario)(void *context), void *context)
{
    /* What is made once and kept (a hash seed) must not count as kept. */
    assert_int_equal(scenario(context), 0);
    int64_t before = blocks;
    fail_arm(FAIL_ALLOCATION, 0, false, 0);
    assert_int_equal(scenario(context), 0);
    uint64_t calls = fail_calls(FAIL_ALLOCATION);
    assert_true(calls > 0);
    assert_int_equal(blocks, before);
    for (uint64_t nth = 1; nth <= calls; nth++) {
        run_failing(scenario, context, nth, false);
        run_failing(scenario, context, nth, true);
    }
}
