/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "codec/json.h"
#include "load/tally_json.h"
#include "seed.h"

static const struct sonde_load_label labels[] = {{SONDE_LOAD_OF_NAME, "one"},
                                                 {SONDE_LOAD_OF_NAME, "search"},
                                                 {SONDE_LOAD_OF_ADDRESS, "[fd00::7]:80"}};

static void make(struct sonde_load_tally *tally)
{
    assert_int_equal(sonde_load_tally_init(tally, NULL), 0);
    assert_int_equal(sonde_load_tally_divide(tally, labels, SONDE_LENGTH(labels), NULL), 0);
}

static void fill(struct sonde_load_tally *tally, uint64_t *state)
{
    for (int i = 0; i < 500; i++) {
        int64_t sent_ns = (int64_t)(sonde_random_next(state) % SONDE_SECOND);
        int64_t end_ns = sent_ns + (int64_t)(sonde_random_next(state) % (20 * SONDE_SECOND));
        const struct sonde_load_times times = {0, sent_ns};
        sonde_load_tally_sent(tally, &times);
        if (i % 50 == 0) {
            sonde_load_tally_failed(tally, &times, end_ns, SONDE_LOAD_TIMEOUT);
        } else {
            sonde_load_tally_answered(tally, &times, end_ns, i % 7 ? 200 : 503);
        }
    }
    tally->bytes_read += sonde_random_next(state) >> 32;
    tally->connects++;
}

/* Longer than the longest that a histogram tells apart. */
static void fill_beyond(struct sonde_load_tally *tally)
{
    sonde_load_tally_unsent(tally, 0, 4000 * SONDE_SECOND);
}

static void must_be_equal(const struct sonde_histogram *a, const struct sonde_histogram *b)
{
    assert_int_equal(a->total, b->total);
    assert_int_equal(a->clipped, b->clipped);
    assert_int_equal(a->minimum, b->minimum);
    assert_int_equal(a->maximum, b->maximum);
    assert_memory_equal(a->counts, b->counts, a->layout.count * sizeof(uint64_t));
}

static void must_be_the_same(const struct sonde_load_tally *a, const struct sonde_load_tally *b)
{
    must_be_equal(&a->response, &b->response);
    must_be_equal(&a->service, &b->service);
    must_be_equal(&a->send_lag, &b->send_lag);
    assert_memory_equal(&a->sent, &b->sent,
                        offsetof(struct sonde_load_tally, labels) -
                            offsetof(struct sonde_load_tally, sent));
    for (size_t i = 0; i < a->part_count; i++) {
        must_be_the_same(&a->parts[i], &b->parts[i]);
    }
}

static int read_text(struct sonde_str text, struct sonde_load_tally *ret, struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    int r = sonde_json_parse(text, &json, err);
    return r < 0 ? r : sonde_load_tally_read(json, ret, err);
}

static void what_is_sent_arrives(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    for (int round = 0; round < 20; round++) {
        struct sonde_load_tally sent;
        struct sonde_load_tally read;
        SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_TALLY_MAX);
        make(&sent);
        make(&read);
        if (round > 0) {
            fill(&sent, &random);
            fill(&sent.parts[round % 3], &random);
        }
        if (round % 5 == 4) {
            fill_beyond(&sent);
        }
        assert_int_equal(sonde_load_tally_write(&sent, &text, NULL), 0);
        assert_int_equal(read_text(sonde_buf_view(&text), &read, NULL), 0);
        must_be_the_same(&sent, &read);
        sonde_load_tally_fini(&sent);
        sonde_load_tally_fini(&read);
    }
}

static void what_is_empty_takes_no_room(void **state)
{
    (void)state;
    struct sonde_load_tally tally;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_TALLY_MAX);
    make(&tally);
    assert_int_equal(sonde_load_tally_write(&tally, &text, NULL), 0);
    assert_null(strstr(text.data, "HISTF"));
    assert_non_null(strstr(text.data, "\"parts\":[]"));
    sonde_load_tally_fini(&tally);
}

#define COUNTS(sent)                                                                               \
    "\"counts\":{\"sent\":" sent ",\"answered\":0,\"failed\":0,\"censored\":0,\"unsent\":0,"       \
    "\"late\":0,\"received\":0,\"wrong\":0,\"mismatches\":0,\"restarts\":0,\"connects\":0,"        \
    "\"connectFailures\":0,\"bytesRead\":0,\"bytesWritten\":0},\"errors\":{},\"statuses\":{}"
#define EMPTY COUNTS("0")

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"{}", "labels"},
        {"{\"labels\":2," EMPTY ",\"parts\":[]}", "labels"},
        {"{\"labels\":3,\"parts\":[]}", "counts"},
        {"{\"labels\":3," COUNTS("-1") ",\"parts\":[]}", "sent"},
        {"{\"labels\":3," COUNTS("1.5") ",\"parts\":[]}", "sent"},
        {"{\"labels\":3," COUNTS("68719476737") ",\"parts\":[]}", "sent"},
        {"{\"labels\":3," EMPTY "}", "parts"},
        {"{\"labels\":3," EMPTY ",\"parts\":[{\"label\":3," EMPTY "}]}", "label"},
        {"{\"labels\":3," EMPTY ",\"parts\":[{\"label\":1," EMPTY "},{\"label\":1," EMPTY "}]}",
         "label"},
        {"{\"labels\":3," EMPTY ",\"parts\":[],\"response\":{}}", "histogram"},
        {"{\"labels\":3," EMPTY
         ",\"parts\":[],\"response\":{\"minimum\":0,\"maximum\":1,\"clipped\":0,"
         "\"histogram\":\"HISTFAAA\"}}",
         "response"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sonde_load_tally tally;
        struct sonde_err err = {0};
        make(&tally);
        assert_int_equal(read_text(sonde_str(rows[i].text), &tally, &err), SONDE_EPARSE);
        if (!strstr(err.message, rows[i].message)) {
            fail_msg("%s: %s", rows[i].text, err.message);
        }
        sonde_load_tally_fini(&tally);
    }
    struct sonde_load_tally tally;
    make(&tally);
    assert_int_equal(
        read_text(SONDE_STR("{\"labels\":3," COUNTS("68719476736") ",\"parts\":[]}"), &tally, NULL),
        0);
    assert_true(tally.sent == SONDE_LOAD_TALLY_COUNT_MAX);
    sonde_load_tally_fini(&tally);
}

/* Each of a hundred runners sends the most that is taken, each second of a week. */
static void sums_of_the_most_fit(void **state)
{
    (void)state;
    static const double runners = 100;
    static const double seconds = 7 * 86400;
    assert_true((double)SONDE_LOAD_TALLY_COUNT_MAX * runners * seconds < (double)INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_arrives),
        cmocka_unit_test(what_is_empty_takes_no_room),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(sums_of_the_most_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
