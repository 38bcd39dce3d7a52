/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runner/runner.h"
#include "spec/reason.h"

static int put(struct queue *queue, const char *text, size_t padding, struct sonde_err *err)
{
    struct sonde_buf body = SONDE_BUF(RUNNER_WAITING_BYTES_MAX + 1);
    sonde_buf_text(&body, text);
    sonde_buf_repeat(&body, '.', padding);
    int r = queue_put(queue, &body, err);
    sonde_buf_fini(&body);
    return r;
}

static void seconds_stay_in_order_until_they_are_dropped(void **state)
{
    (void)state;
    struct queue queue;
    queue_init(&queue);
    assert_null(queue_first(&queue));
    queue_drop(&queue);
    for (int i = 0; i < 5; i++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "s%d", i);
        assert_int_equal(put(&queue, text, 0, NULL), 0);
    }
    for (int i = 0; i < 5; i++) {
        const struct second *first = queue_first(&queue);
        assert_ptr_equal(queue_first(&queue), first);
        assert_int_equal(first->body.data[1], '0' + i);
        queue_drop(&queue);
        assert_int_equal(put(&queue, "t5", 0, NULL), 0);
    }
    assert_int_equal(queue.bytes, 10);
    assert_string_equal(queue_first(&queue)->body.data, "t5");
    queue_fini(&queue);
}

/* The store is away for longer than there is room for. */
static void there_is_an_end_of_the_room(void **state)
{
    (void)state;
    struct queue queue;
    struct sonde_err err = {0};
    queue_init(&queue);
    assert_int_equal(put(&queue, "", RUNNER_WAITING_BYTES_MAX / 2, NULL), 0);
    assert_int_equal(put(&queue, "", RUNNER_WAITING_BYTES_MAX / 2, NULL), 0);
    assert_int_equal(put(&queue, "x", 0, &err), SONDE_ELIMIT);
    assert_string_equal(err.reason, SONDE_REASON_STORE_UNREACHABLE);
    queue_drop(&queue);
    assert_int_equal(put(&queue, "x", 0, NULL), 0);
    queue_fini(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_stay_in_order_until_they_are_dropped),
        cmocka_unit_test(there_is_an_end_of_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
