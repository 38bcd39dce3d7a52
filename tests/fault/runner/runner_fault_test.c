/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fail.h"
#include "runner/runner.h"

static const struct settings settings = {
    .target = "runner-0", .pod = "pod-a", .node = "n", .files = "/nowhere"};

static char token[] = "SONDE_HEADER_0=hush";

static const char answer[] =
    "{\"runners\":2,\"document\":{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"LoadTest\","
    "\"metadata\":{\"name\":\"t\"},\"spec\":{\"target\":{\"url\":\"http://127.0.0.1:1/\"},"
    "\"arrival\":{\"rate\":5,\"durationSeconds\":5},\"scenario\":{\"requests\":[{\"name\":\"a\","
    "\"path\":\"/\"}],\"headersFrom\":[{\"name\":\"X-Key\",\"secretKeyRef\":{\"name\":\"s\","
    "\"key\":\"k\"}}]}}}}";

static int make_work(void *context)
{
    (void)context;
    static struct work work;
    const struct store_clock clock = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    SONDE_JSON_AUTO *json = NULL;
    int r = sonde_json_parse(sonde_str(answer), &json, NULL);
    if (r < 0) {
        return r;
    }
    token[sizeof("SONDE_HEADER_0=") - 1] = 'h'; /* it was overwritten the last time */
    r = work_make(&settings, json, &work, NULL);
    r = r < 0 ? r : work_resolve(&work, json, NULL);
    r = r < 0 ? r : work_label(&work, NULL);
    if (r == 0) {
        print_ready(&settings, &work, 0, &clock, &text);
        r = sonde_buf_check(&text, "ready", NULL);
    }
    work_fini(&work);
    return r;
}

static int keep_seconds(void *context)
{
    (void)context;
    struct queue queue;
    struct sonde_load_tally tally;
    struct sonde_buf body = SONDE_BUF(1 << 16);
    queue_init(&queue);
    int r = sonde_load_tally_init(&tally, NULL);
    r = r < 0 ? r : print_interval(0, 0, 1, false, 5, &tally, &body, NULL);
    r = r < 0 ? r : queue_put(&queue, &body, NULL);
    sonde_load_tally_fini(&tally);
    sonde_buf_fini(&body);
    queue_fini(&queue);
    return r;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(putenv(token), 0);
    fail_each_allocation(make_work, NULL);
    fail_each_allocation(keep_seconds, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
