/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "load/thinking.h"
#include "seed.h"

enum { MOST = 200 };

/* Each comes back once, when it is his time, and none before another who was ready sooner. */
static void each_is_ready_in_his_time(void **state)
{
    (void)state;
    struct thinking thinking;
    uint64_t random = test_seed();
    int64_t ready[MOST];
    bool taken[MOST] = {false};
    assert_int_equal(thinking_init(&thinking, MOST, NULL), 0);
    assert_true(thinking_next(&thinking) == INT64_MAX);
    for (uint32_t i = 0; i < MOST; i++) {
        ready[i] = (int64_t)(sonde_random_next(&random) % 100);
        thinking_add(&thinking, i, ready[i]);
    }
    thinking_add(&thinking, 0, 0); /* one too many */
    uint32_t count = 0;
    for (int64_t now = -1; now < 100; now++) {
        uint32_t index;
        while (thinking_take(&thinking, now, &index)) {
            assert_false(taken[index]);
            assert_int_equal(ready[index], now);
            taken[index] = true;
            count++;
        }
        assert_true(thinking_next(&thinking) > now);
    }
    assert_int_equal(count, MOST);
    thinking_fini(&thinking);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_is_ready_in_his_time)};
    return cmocka_run_group_tests_name("thinking", tests, NULL, NULL);
}
