/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "load/summary.h"
#include "made.h"
#include "seed.h"

static void must_equal(const struct sonde_buf *a, const struct sonde_buf *b)
{
    assert_int_equal(a->code, 0);
    assert_int_equal(b->code, 0);
    assert_int_equal(a->length, b->length);
    assert_memory_equal(a->data, b->data, a->length);
}

static void must_read(const struct sonde_buf *text, struct sonde_load_result *ret)
{
    struct sonde_err err;
    if (sonde_load_result_read(sonde_buf_view(text), ret, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

/* Both printings, one behind the other. */
static void print(const struct sonde_load_result *result, struct sonde_buf *buf)
{
    sonde_load_summary_text(result, buf);
    sonde_load_summary_json(result, buf);
}

/* The head of a table is as wide as its first row. */
static void columns_must_be_below_another(const char *text, const char *head)
{
    const char *first = strstr(text, head);
    assert_non_null(first);
    size_t width = strcspn(first + 1, "\n");
    struct sonde_str row = {first + 2 + width, strcspn(first + 2 + width, "\n")};
    assert_int_equal(sonde_utf16_length(row), width);
}

static void what_was_kept_prints_the_same(void **state)
{
    (void)state;
    struct made_options options = {
        .seconds = 20, .rate = 200, .latency_us = 3000, .troubled = true, .seed = test_seed()};
    struct sonde_load_result live;
    struct sonde_load_result kept;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_RESULT_MAX);
    SONDE_BUF_AUTO again = SONDE_BUF(SONDE_LOAD_RESULT_MAX);
    SONDE_BUF_AUTO before = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO after = SONDE_BUF(1 << 20);
    assert_int_equal(made_result(&options, &live, NULL), 0);
    assert_int_equal(sonde_load_result_write(&live, &text, NULL), 0);
    must_read(&text, &kept);
    assert_int_equal(sonde_load_result_write(&kept, &again, NULL), 0);
    must_equal(&text, &again);
    print(&live, &before);
    print(&kept, &after);
    must_equal(&before, &after);
    assert_non_null(strstr(before.data, "broken http_req_failed: rate<0.000001: "));
    /* One in a hundred is not sent: it may be one too many. */
    assert_non_null(strstr(before.data, live.validity.valid
                                            ? "holds  http_req_duration: p(90)<100000: "
                                            : "would hold http_req_duration: p(90)<100000: "));
    assert_non_null(strstr(before.data, "cpu meanwhile, 5 s to 16 s: 75 % of the busy time is "
                                        "spent in hotLoop, hotLoop app.js:2 (sonde report "
                                        "69954a51)\n"));
    assert_non_null(strstr(before.data, "  response in its seconds, and in the others: 50 % 3."));
    assert_non_null(strstr(before.data, "no profile: no Node.js process matches \"3000\"\n"));
    assert_non_null(strstr(before.data, "\nrequest  answered     wrong    failed      50 %"));
    assert_non_null(strstr(before.data, "\naddress     answered     wrong    failed      50 %"));
    assert_non_null(strstr(before.data, "\"parts\":[{\"name\":\"search\",\"sent\":"));
    columns_must_be_below_another(before.data, "\nrequest  ");
    columns_must_be_below_another(before.data, "\naddress ");
    assert_null(strchr(before.data, '\x1b'));
    assert_non_null(strstr(before.data, "before it, and not in it, a warm-up of 5 s: "));
    assert_non_null(strstr(before.data, "steady from 3 s on: leave out what was before "
                                        "(--warm-up 8s)\n"));
    assert_non_null(strstr(before.data, "\"responseIntervalMethod\":\"bootstrap\""));
    assert_int_equal(kept.asked.warm_up_seconds, 5);
    assert_non_null(strstr(before.data, "no rate is known that keeps; it was interrupted\n"));
    assert_non_null(strstr(before.data, "\"achieved\":9.9"));
    assert_int_equal(kept.search->count, 2);
    assert_int_equal(kept.warm_up.sent, live.warm_up.sent);
    assert_int_equal(kept.warm_up.sent,
                     kept.warm_up.answered + kept.warm_up.failed + kept.warm_up.censored);
    assert_memory_equal(kept.warm_up.response.counts, live.warm_up.response.counts,
                        live.warm_up.response.layout.count * sizeof(uint64_t));
    assert_int_equal(kept.asked.arrival.stages.count, 2);
    assert_true(kept.asked.arrival.stages.items[0].ramp);
    assert_true(kept.asked.seed == UINT64_MAX - 1);
    assert_int_equal(kept.start_ns, live.start_ns);
    assert_false(sonde_load_result_passes(&kept));
    sonde_load_result_fini(&live);
    sonde_load_result_fini(&kept);
}

static void a_search_passes_when_it_has_found_a_rate(void **state)
{
    (void)state;
    static const struct sonde_rate_search plan = {
        .start_rate = 10, .max_rate = 10, .trial_seconds = 5, .precision_percent = 5};
    const struct sonde_load_trial trial = {10, 5, true, true, 10};
    struct sonde_load_search search;
    const struct sonde_load_result one = {.validity.valid = true, .search = &search};
    sonde_load_search_init(&search, &plan);
    sonde_load_search_take(&search, &trial);
    assert_false(sonde_load_result_passes(&one)); /* one trial proves little */
    sonde_load_search_take(&search, &trial);
    assert_true(sonde_load_result_passes(&one));
}

/* Ten seconds of 1 ms, of which the fourth to the sixth are of 2 ms. */
static void what_a_profile_cost_is_measured(void **state)
{
    (void)state;
    struct sonde_load_intervals intervals;
    struct sonde_load_tally second;
    struct sonde_load_profiled profile = {.from_ns = 3 * SONDE_SECOND,
                                          .to_ns = 6 * SONDE_SECOND + SONDE_SECOND / 2};
    const struct sonde_load_times times = {0, 0};
    assert_int_equal(sonde_load_intervals_init(&intervals, NULL), 0);
    assert_int_equal(sonde_load_tally_init(&second, NULL), 0);
    for (int64_t i = 0; i < 10; i++) {
        sonde_load_tally_clear(&second);
        int64_t took_ns = i >= 3 && i < 6 ? 2 * SONDE_MILLISECOND : SONDE_MILLISECOND;
        for (int k = 0; k < 100; k++) {
            sonde_load_tally_sent(&second, &times);
            sonde_load_tally_answered(&second, &times, i == 6 ? SONDE_SECOND : took_ns, 200);
        }
        int64_t end_ns = (i + 1) * SONDE_SECOND;
        assert_int_equal(sonde_load_intervals_add(&intervals, end_ns, &second, NULL), 0);
    }
    assert_int_equal(sonde_load_profiled_measure(&profile, &intervals, NULL), 0);
    assert_int_equal(profile.p50_with_us, 2000);
    assert_int_equal(profile.p99_with_us, 2000);
    assert_int_equal(profile.p50_without_us, 1000);
    assert_int_equal(profile.p99_without_us, 1000); /* the second that it ended in is in neither */
    profile = (struct sonde_load_profiled){.to_ns = 10 * SONDE_SECOND};
    assert_int_equal(sonde_load_profiled_measure(&profile, &intervals, NULL), 0);
    assert_int_equal(profile.p99_without_us, 0);
    sonde_load_tally_fini(&second);
    sonde_load_intervals_fini(&intervals);
}

static void an_empty_one_is_kept_too(void **state)
{
    (void)state;
    struct sonde_load_result empty;
    struct sonde_load_result kept;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO said = SONDE_BUF(1 << 20);
    assert_int_equal(sonde_load_result_init(&empty, NULL), 0);
    empty.asked = (struct sonde_load_asked){
        .url = "", .threads = 1, .connections = 1, .connections_max = 1, .pipelining = 1};
    assert_int_equal(sonde_load_result_write(&empty, &text, NULL), 0);
    must_read(&text, &kept);
    sonde_load_summary_text(&kept, &said);
    assert_non_null(strstr(said.data, "\nresponse   nothing was measured\nservice    nothing"));
    assert_int_equal(kept.intervals.count, 0);
    assert_true(kept.tally.response.minimum == INT64_MAX);
    sonde_load_result_fini(&kept);
    sonde_load_result_fini(&empty);
}

/* The sums of all intervals are those of the test, however many became one. */
static void must_add_up(const struct sonde_load_intervals *all, const struct sonde_load_tally *sum)
{
    struct sonde_histogram response;
    struct sonde_histogram one;
    uint64_t answered = 0;
    uint64_t unsent = 0;
    int64_t end_ns = 0;
    assert_int_equal(sonde_histogram_init(&response, &sum->response.layout, NULL), 0);
    assert_int_equal(sonde_histogram_init(&one, &sum->response.layout, NULL), 0);
    for (size_t i = 0; i < all->count; i++) {
        assert_int_equal(sonde_load_intervals_begin(all, i), end_ns);
        assert_true(all->items[i].end_ns > end_ns);
        end_ns = all->items[i].end_ns;
        answered += all->items[i].answered;
        unsent += all->items[i].unsent;
        assert_int_equal(sonde_load_intervals_response(all, i, &one, NULL), 0);
        assert_int_equal(sonde_histogram_add(&response, &one, NULL), 0);
    }
    assert_int_equal(answered, sum->answered);
    assert_int_equal(unsent, sum->unsent);
    assert_int_equal(response.total, sum->response.total);
    assert_int_equal(response.minimum, sum->response.minimum);
    assert_int_equal(response.maximum, sum->response.maximum);
    assert_memory_equal(response.counts, sum->response.counts,
                        sum->response.layout.count * sizeof(*response.counts));
    sonde_histogram_fini(&one);
    sonde_histogram_fini(&response);
}

/* A second in which few requests took many different times. */
static void fill(struct sonde_load_tally *t, int count, uint64_t *state)
{
    sonde_load_tally_clear(t);
    for (int i = 0; i < count; i++) {
        int64_t us = (int64_t)(sonde_random_next(state) >> (sonde_random_next(state) % 50 + 14));
        us %= INT64_C(7200) * 1000 * 1000; /* some are clipped */
        const struct sonde_load_times times = {0, 0};
        sonde_load_tally_answered(t, &times, us * SONDE_MICROSECOND, 200);
        t->unsent++;
    }
}

static void of_a_long_test_some_become_one(void **state)
{
    (void)state;
    static const struct {
        int intervals, each; /* requests */
        unsigned factor;
    } cases[] = {{SONDE_LOAD_INTERVALS_MAX - 1, 1, 1},
                 {2 * SONDE_LOAD_INTERVALS_MAX + 1, 3, 4},
                 {999, 9000, 2}}; /* many bytes */
    uint64_t random = test_seed();
    struct sonde_load_tally sum;
    struct sonde_load_tally second;
    assert_int_equal(sonde_load_tally_init(&sum, NULL), 0);
    assert_int_equal(sonde_load_tally_init(&second, NULL), 0);
    for (size_t c = 0; c < SONDE_LENGTH(cases); c++) {
        struct sonde_load_intervals all;
        assert_int_equal(sonde_load_intervals_init(&all, NULL), 0);
        sonde_load_tally_clear(&sum);
        for (int i = 1; i <= cases[c].intervals; i++) {
            fill(&second, cases[c].each, &random);
            sonde_load_tally_add(&sum, &second);
            assert_int_equal(sonde_load_intervals_add(&all, i * SONDE_SECOND, &second, NULL), 0);
            assert_true(all.packed.length <= SONDE_LOAD_INTERVALS_BYTES_MAX);
        }
        assert_int_equal(all.factor, cases[c].factor);
        assert_true(all.count <= SONDE_LOAD_INTERVALS_MAX);
        size_t factor = all.factor;
        assert_int_equal(all.count, ((size_t)cases[c].intervals + factor - 1) / factor);
        must_add_up(&all, &sum);
        sonde_load_intervals_fini(&all);
    }
    sonde_load_tally_fini(&sum);
    sonde_load_tally_fini(&second);
}

static void time_does_not_run_backwards(void **state)
{
    (void)state;
    struct sonde_load_tally second;
    struct sonde_load_intervals all;
    assert_int_equal(sonde_load_tally_init(&second, NULL), 0);
    assert_int_equal(sonde_load_intervals_init(&all, NULL), 0);
    assert_int_equal(sonde_load_intervals_add(&all, 2, &second, NULL), 0);
    assert_int_equal(sonde_load_intervals_add(&all, 1, &second, NULL), SONDE_EINVALID);
    assert_int_equal(all.count, 1);
    sonde_load_intervals_fini(&all);
    sonde_load_tally_fini(&second);
}

/* The document of a test of three seconds. */
static void write_short(struct sonde_buf *text)
{
    const struct made_options options = {.seconds = 3, .rate = 50, .latency_us = 900, .seed = 1};
    struct sonde_load_result result;
    assert_int_equal(made_result(&options, &result, NULL), 0);
    assert_int_equal(sonde_load_result_write(&result, text, NULL), 0);
    sonde_load_result_fini(&result);
}

/* A text with one thing changed. */
static void change(const struct sonde_buf *from, const char *old, const char *new,
                   struct sonde_buf *ret)
{
    const char *at = strstr(from->data, old);
    if (!at) {
        fail_msg("no %s", old);
        return;
    }
    sonde_buf_clear(ret);
    sonde_buf_append(ret, from->data, (size_t)(at - from->data));
    sonde_buf_text(ret, new);
    sonde_buf_text(ret, at + strlen(old));
}

static void what_is_wrong_with_a_document_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *old, *new;
        int code;
        const char *said;
    } cases[] = {
        {"LoadResult", "Other", SONDE_EPARSE, "not the result of a load test"},
        {"\"version\":1", "\"version\":2", SONDE_EVERSION, "newer version"},
        {"\"version\":1", "\"version\":1.5", SONDE_EPARSE, "\"version\""},
        {"\"threads\":2", "\"threads\":0", SONDE_EPARSE, "\"threads\""},
        {"\"threads\":2", "\"threads\":100000", SONDE_EPARSE, "\"threads\""},
        {"\"url\":", "\"uri\":", SONDE_EPARSE, "\"url\""},
        {"\"url\":", "\"url\":7,\"uri\":", SONDE_EPARSE, "\"url\""},
        {"\"sent\":", "\"sent\":-1,\"x\":", SONDE_EPARSE, "\"sent\""},
        {"\"startMicroseconds\":", "\"startMicroseconds\":7258118400000000,\"x\":", SONDE_EPARSE,
         "\"startMicroseconds\""},
        {"\"warmUpSeconds\":0", "\"warmUpSeconds\":4000000000", SONDE_EPARSE, "\"warmUpSeconds\""},
        {"\"warmUpSeconds\":0", "\"warmUpSeconds\":-1", SONDE_EPARSE, "\"warmUpSeconds\""},
        {"\"warmUpSeconds\":0", "\"warmUpSeconds\":5", SONDE_EPARSE, "\"warmUp\""},
        {"\"p50\":[", "\"p50\":[1e300,", SONDE_EPARSE, "\"confidence\""},
        {"\"p50\":[", "\"p50\":[-1,", SONDE_EPARSE, "\"confidence\""},
        {"\"p50\":[", "\"p50\":7,\"x\":[", SONDE_EPARSE, "\"confidence\""},
        {"\"sinceSeconds\":3", "\"sinceSeconds\":-3", SONDE_EPARSE, "\"sinceSeconds\""},
        {"\"stages\":[", "\"stages\":[7,", SONDE_EPARSE, "durationSeconds"},
        {"\"stages\":[", "\"stages\":7,\"x\":[", SONDE_EPARSE, "\"stages\""},
        {"\"seed\":\"f", "\"seed\":\"g", SONDE_EPARSE, "\"seed\""},
        {"\"200\":", "\"2000\":", SONDE_EPARSE, "\"statuses\""},
        {"\"thresholds\":[", "\"thresholds\":[7,", SONDE_EPARSE, "\"text\""},
        {"\"profiles\":[", "\"profiles\":[7,", SONDE_EPARSE, "fromNanoseconds"},
        {"\"profiles\":[", "\"profiles\":7,\"x\":[", SONDE_EPARSE, "\"profiles\""},
        {"\"run\":\"", "\"ran\":\"", SONDE_EPARSE, "a profile without"},
        {"\"response\":{\"minimum\":", "\"response\":{\"minimum\":1", SONDE_EPARSE, "\"response\""},
        {"\"response\":{", "\"response\":{\"maximum\":0,", SONDE_EPARSE, "\"response\""},
        {"\"histogram\":\"H", "\"histogram\":\"I", SONDE_EPARSE, "\"response\""},
        {"\"end\":2000000000", "\"end\":1", SONDE_EPARSE, "\"end\""},
        {"\"factor\":1", "\"factor\":3", SONDE_EPARSE, "\"intervals\""},
        {"\"intervals\":[", "\"intervals\":[7,", SONDE_EPARSE, "\"end\""},
    };
    struct sonde_load_result result;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO bad = SONDE_BUF(1 << 20);
    write_short(&text);
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_err err = {0};
        change(&text, cases[i].old, cases[i].new, &bad);
        int code = sonde_load_result_read(sonde_buf_view(&bad), &result, &err);
        if (code != cases[i].code || !strstr(err.message, cases[i].said)) {
            fail_msg("%s: %d, %s", cases[i].new, code, err.message);
        }
        sonde_load_result_fini(&result);
    }
}

/* A document of a time before there were warm-up, confidence and steadiness. */
static void an_older_one_says_what_it_can(void **state)
{
    (void)state;
    struct made_options options = {.seconds = 12, .rate = 100, .latency_us = 900, .seed = 1};
    struct sonde_load_result result;
    struct sonde_load_confidence live;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO old = SONDE_BUF(1 << 20);
    assert_int_equal(made_result(&options, &result, NULL), 0);
    assert_int_equal(sonde_load_result_write(&result, &text, NULL), 0);
    live = result.confidence;
    sonde_load_result_fini(&result);
    change(&text, "\"confidence\"", "\"c\"", &old);
    change(&old, "\"steadiness\"", "\"s\"", &text);
    change(&text, "\"warmUpSeconds\"", "\"w\"", &old);
    must_read(&old, &result);
    assert_int_equal(live.method, SONDE_LOAD_BOOTSTRAP);
    assert_int_equal(result.confidence.method, SONDE_LOAD_ORDER_STATISTICS);
    assert_true(result.confidence.bounds[0].told && !result.confidence.bounds[4].told);
    assert_int_equal(result.steadiness.state, SONDE_LOAD_TOO_SHORT);
    assert_int_equal(result.asked.warm_up_seconds, 0);
    sonde_load_result_fini(&result);
}

static void what_is_not_known_is_passed_over(void **state)
{
    (void)state;
    struct sonde_load_result result;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO more = SONDE_BUF(1 << 20);
    write_short(&text);
    change(&text, "\"text\":\"http_req_duration: p(90)<100000\"", "\"text\":\"of tomorrow\"",
           &more);
    change(&more, "\"version\":1", "\"version\":1,\"new\":{\"a\":[1]}", &text);
    must_read(&text, &result);
    assert_string_equal(result.verdicts[0].text, "of tomorrow");
    assert_true(result.verdicts[0].keeps);
    sonde_load_result_fini(&result);
}

static void a_profile_begins_when_it_should(void **state)
{
    static const struct {
        int64_t now, left, wanted; /* seconds; left < 0: nobody knows */
        enum sonde_load_steadiness state;
        bool due;
    } cases[] = {
        {2, 100, 10, SONDE_LOAD_STEADY, false},    {20, 100, 10, SONDE_LOAD_STEADY, true},
        {20, 100, 10, SONDE_LOAD_UNSTEADY, false}, {40, 13, 10, SONDE_LOAD_UNSTEADY, true},
        {7, 13, 10, SONDE_LOAD_TOO_SHORT, true},   {6, 14, 10, SONDE_LOAD_TOO_SHORT, false},
        {3, 7, 10, SONDE_LOAD_TOO_SHORT, true},    {2, 8, 10, SONDE_LOAD_TOO_SHORT, false},
        {59, -1, 10, SONDE_LOAD_UNSTEADY, false},  {60, -1, 10, SONDE_LOAD_UNSTEADY, true},
        {25, -1, 10, SONDE_LOAD_STEADY, true},
    };
    (void)state;
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        int64_t left_ns = cases[i].left < 0 ? INT64_MAX : cases[i].left * SONDE_SECOND;
        assert_int_equal(sonde_load_profiled_is_due(cases[i].now * SONDE_SECOND, left_ns,
                                                    cases[i].wanted * SONDE_SECOND, cases[i].state),
                         cases[i].due);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_passes_when_it_has_found_a_rate),
        cmocka_unit_test(what_was_kept_prints_the_same),
        cmocka_unit_test(what_a_profile_cost_is_measured),
        cmocka_unit_test(a_profile_begins_when_it_should),
        cmocka_unit_test(an_empty_one_is_kept_too),
        cmocka_unit_test(of_a_long_test_some_become_one),
        cmocka_unit_test(time_does_not_run_backwards),
        cmocka_unit_test(what_is_wrong_with_a_document_is_said),
        cmocka_unit_test(an_older_one_says_what_it_can),
        cmocka_unit_test(what_is_not_known_is_passed_over),
    };
    return cmocka_run_group_tests_name("result", tests, NULL, NULL);
}
