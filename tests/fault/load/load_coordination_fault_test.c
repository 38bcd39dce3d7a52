/* SPDX-License-Identifier: Apache-2.0 */
/* A load test on two runners, from its beginning to its verdict, also by JSON and after a restart,
 * with each of its allocations failing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/json.h"
#include "fail.h"
#include "load/coordination_json.h"
#include "load/tally_json.h"

enum { RUNNERS = 2, SECONDS = 3, SAVED_MAX = 16 << 20 };

static const char document[] =
    "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"LoadTest\",\"metadata\":{\"name\":\"t\"},"
    "\"spec\":{\"target\":{\"url\":\"http://t/\"},\"scenario\":{\"requests\":[{\"name\":\"one\","
    "\"path\":\"/\"}]},\"arrival\":{\"rate\":10,\"durationSeconds\":60},\"parallelism\":2,"
    "\"onRunnerLoss\":\"Replace\",\"thresholds\":[\"http_req_failed: rate<0.5\"]}}";

static const struct sonde_load_label labels[] = {{SONDE_LOAD_OF_NAME, "one"}};

static int make(const struct sonde_spec_documents *documents, struct sonde_load_coordination **ret)
{
    const struct sonde_load_coordination_options options = {
        .test = documents->items[0].load_test, .title = "t", .url = "u", .seed = 1};
    return sonde_load_coordination_new(&options, ret, NULL);
}

static int ready(struct sonde_load_coordination *c, unsigned runner)
{
    const struct sonde_load_ready own = {
        .runner = runner, .labels = labels, .label_count = 1, .pod = "p", .node = "n"};
    struct sonde_load_answer_ready answer;
    bool changed;
    return sonde_load_coordination_ready(c, &own, 0, &answer, &changed, NULL);
}

static int write_interval(unsigned second, struct sonde_buf *ret)
{
    struct sonde_load_tally tally;
    const struct sonde_load_times times = {0, 1000};
    int r = sonde_load_tally_init(&tally, NULL);
    r = r < 0 ? r : sonde_load_tally_divide(&tally, labels, 1, NULL);
    if (r == 0) {
        sonde_load_tally_sent(&tally, &times);
        sonde_load_tally_answered(&tally, &times, 2000000, 200);
        sonde_load_tally_sent(&tally.parts[0], &times);
        sonde_buf_printf(ret, "{\"round\":0,\"sequence\":%u,\"end\":%u,\"tally\":", second,
                         (second + 1) * 1000000);
        r = sonde_load_tally_write(&tally, ret, NULL);
        sonde_buf_char(ret, '}');
    }
    sonde_load_tally_fini(&tally);
    return r < 0 ? r : sonde_buf_check(ret, "an interval", NULL);
}

static int send_second(struct sonde_load_coordination *c, unsigned runner, unsigned second)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO packed = SONDE_BUF(1 << 20);
    SONDE_JSON_AUTO *json = NULL;
    struct sonde_load_tally scratch = {0};
    struct sonde_load_sent sent = {0};
    uint64_t expected;
    bool changed;
    bool stop;
    int r = write_interval(second, &text);
    r = r < 0 ? r : sonde_json_parse(sonde_buf_view(&text), &json, NULL);
    r = r < 0 ? r : sonde_load_tally_init(&scratch, NULL);
    r = r < 0 ? r : sonde_load_sent_read(json, 1, &scratch, &packed, &sent, NULL);
    sent.runner = runner;
    r = r < 0 ? r : sonde_load_coordination_interval(c, &sent, 0, &stop, &expected, &changed, NULL);
    sonde_load_tally_fini(&scratch);
    return r;
}

static int done(struct sonde_load_coordination *c, unsigned runner)
{
    const struct sonde_load_done own = {.runner = runner,
                                        .intervals = SECONDS,
                                        .sent = SECONDS,
                                        .answered = SECONDS,
                                        .duration_us = SECONDS * 1000000,
                                        .threads = 1,
                                        .connections = 1,
                                        .invalid = ""};
    bool changed;
    bool next;
    return sonde_load_coordination_done(c, &own, 0, &next, &changed, NULL);
}

static int restart(const struct sonde_spec_documents *documents, struct sonde_load_coordination **c)
{
    SONDE_BUF_AUTO saved = SONDE_BUF(SAVED_MAX);
    struct sonde_load_coordination *other = NULL;
    int r = sonde_load_coordination_save(*c, &saved, NULL);
    r = r < 0 ? r : make(documents, &other);
    r = r < 0 ? r : sonde_load_coordination_restore(other, sonde_buf_view(&saved), NULL);
    sonde_load_coordination_free(r < 0 ? other : *c);
    *c = r < 0 ? *c : other;
    return r;
}

static int conclude(struct sonde_load_coordination *c)
{
    struct sonde_load_conclusion end;
    int r = sonde_load_coordination_conclude(c, 0, &end, NULL);
    if (r == 0) {
        assert_true(end.succeeded);
        assert_int_equal(end.result->tally.answered, RUNNERS * SECONDS);
    }
    return r;
}

static int from_beginning_to_end(void *context)
{
    (void)context;
    struct sonde_spec_documents documents = {0};
    struct sonde_load_coordination *c = NULL;
    int r = sonde_spec_parse("d", sonde_str(document), &documents, NULL);
    r = r < 0 ? r : make(&documents, &c);
    for (unsigned i = 0; i < RUNNERS && r == 0; i++) {
        r = ready(c, i);
    }
    for (unsigned i = 0; i < RUNNERS * SECONDS && r == 0; i++) {
        r = send_second(c, i / SECONDS, i % SECONDS);
        r = r < 0 || i != SECONDS ? r : restart(&documents, &c);
    }
    for (unsigned i = 0; i < RUNNERS && r == 0; i++) {
        r = done(c, i);
    }
    r = r < 0 ? r : conclude(c);
    sonde_load_coordination_free(c);
    sonde_spec_documents_fini(&documents);
    return r;
}

static void nothing_is_lost_without_memory(void **state)
{
    (void)state;
    fail_each_allocation(from_beginning_to_end, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_lost_without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
