/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fail.h"
#include "histogram/wire.h"

/* A histogram is written as a log, and what was written is read. */
static int write_and_read(void *context)
{
    (void)context;
    struct sonde_histogram_layout layout;
    struct sonde_histogram written = {0};
    struct sonde_histogram read = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    SONDE_BUF_AUTO log = SONDE_BUF(1 << 16);
    assert_int_equal(sonde_histogram_layout(1, 1000000, 3, &layout, NULL), 0);
    int r = sonde_histogram_init(&written, &layout, NULL);
    for (int64_t value = 1; r == 0 && value < 1000000; value *= 3) {
        sonde_histogram_record(&written, value);
    }
    r = r < 0 ? r : sonde_histogram_encode(&written, &text, NULL);
    r = r < 0 ? r : sonde_histogram_decode(sonde_buf_view(&text), &read, NULL);
    assert_true(r < 0 || read.total == written.total);
    sonde_histogram_log_begin(SONDE_SECOND, &log);
    r = r < 0 ? r : sonde_histogram_log_add(&written, "x", 0, SONDE_SECOND, &log, NULL);
    sonde_histogram_fini(&read);
    sonde_histogram_fini(&written);
    return r;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fail_each_allocation(write_and_read, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests_name("histogram_fault", tests, NULL, NULL);
}
