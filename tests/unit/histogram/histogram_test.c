/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "histogram/normal.h"
#include "histogram/wire.h"
#include "seed.h"

static const int64_t hour = INT64_C(3600) * 1000 * 1000;

static void make(struct sonde_histogram *ret)
{
    struct sonde_histogram_layout layout;
    assert_int_equal(sonde_histogram_layout(1, hour, 3, &layout, NULL), 0);
    assert_int_equal(sonde_histogram_init(ret, &layout, NULL), 0);
}

/* The figures are HdrHistogram's own: 184 KiB for an hour in microseconds. */
static void layouts_are_those_of_hdr_histogram(void **state)
{
    (void)state;
    static const struct {
        int64_t lowest, highest;
        int digits;
        uint32_t count;
    } known[] = {
        {1, INT64_C(3600000000), 3, 23552},
        {1, 2, 1, 32},
        {1, 100000000, 2, 2688},
        {1000, INT64_C(3600000000), 3, 14336},
        {1, INT64_MAX, 3, 55296},
    };
    for (size_t i = 0; i < SONDE_LENGTH(known); i++) {
        struct sonde_histogram_layout layout;
        assert_int_equal(sonde_histogram_layout(known[i].lowest, known[i].highest, known[i].digits,
                                                &layout, NULL),
                         0);
        assert_int_equal(layout.count, known[i].count);
    }
}

static void layouts_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        int64_t lowest, highest;
        int digits, code;
    } bad[] = {
        {0, 10, 3, SONDE_EINVALID},
        {-1, 10, 3, SONDE_EINVALID},
        {10, 19, 3, SONDE_EINVALID},
        {1, 10, 0, SONDE_EINVALID},
        {1, 10, 6, SONDE_EINVALID},
        {1, -10, 3, SONDE_EINVALID},
        {INT64_C(1) << 61, INT64_MAX, 3, SONDE_EINVALID},
        {1, INT64_MAX, 5, SONDE_ELIMIT},
    };
    for (size_t i = 0; i < SONDE_LENGTH(bad); i++) {
        struct sonde_histogram_layout layout;
        struct sonde_err err = {0};
        assert_int_equal(
            sonde_histogram_layout(bad[i].lowest, bad[i].highest, bad[i].digits, &layout, &err),
            bad[i].code);
        assert_true(err.message[0]);
    }
}

/* Each counter's values lie between those of its neighbours, and are so many digits wide. */
static void counters_cover_all_values(void **state)
{
    (void)state;
    struct sonde_histogram_layout layout;
    assert_int_equal(sonde_histogram_layout(3, INT64_C(1) << 40, 2, &layout, NULL), 0);
    int64_t expected = 0;
    for (uint32_t i = 0; i < layout.count; i++) {
        int64_t low = sonde_histogram_lowest_of(&layout, i);
        int64_t high = sonde_histogram_highest_of(&layout, i);
        assert_int_equal(low, expected);
        assert_true(high - low < 2 || (double)(high - low) / (double)low <= 0.01);
        if (low <= layout.highest) {
            assert_int_equal(sonde_histogram_index(&layout, low), i);
        }
        if (high <= layout.highest) {
            assert_int_equal(sonde_histogram_index(&layout, high), i);
        }
        expected = high + 1;
    }
    assert_true(expected > layout.highest);
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* A value of any order of magnitude up to an hour. */
static int64_t any_value(uint64_t *seed)
{
    return (int64_t)(sonde_random_next(seed) >> (32 + sonde_random_next(seed) % 32)) % hour;
}

static void quantiles_are_those_of_the_sorted_values(void **state)
{
    (void)state;
    enum { MOST = 3000 };
    static int64_t values[MOST];
    uint64_t seed = test_seed();
    for (size_t count = 1; count <= MOST; count += count < 30 ? 1 : 991) {
        struct sonde_histogram histogram;
        make(&histogram);
        double sum = 0;
        for (size_t i = 0; i < count; i++) {
            values[i] = any_value(&seed);
            sum += (double)values[i];
            sonde_histogram_record(&histogram, values[i]);
        }
        qsort(values, count, sizeof(*values), compare);
        for (int i = 0; i <= 1000; i++) {
            double share = i / 1000.0;
            double rank = ceil(nextafter(share, 0) * (double)count);
            int64_t truth = values[rank < 1 ? 0 : (size_t)rank - 1];
            int64_t said = sonde_histogram_quantile(&histogram, share);
            assert_in_range(said, truth, truth + truth / 1000);
        }
        assert_int_equal(sonde_histogram_quantile(&histogram, 1), values[count - 1]);
        assert_int_equal(histogram.minimum, values[0]);
        assert_int_equal(sonde_histogram_count_to(&histogram, values[count / 2]) > count / 2, 1);
        double mean = sonde_histogram_mean(&histogram);
        assert_true(fabs(mean - sum / (double)count) <= 0.001 * mean + 0.5);
        sonde_histogram_fini(&histogram);
    }
}

static void what_is_beyond_is_counted(void **state)
{
    (void)state;
    struct sonde_histogram histogram;
    make(&histogram);
    assert_int_equal(sonde_histogram_quantile(&histogram, 0.5), 0);
    assert_true(sonde_histogram_mean(&histogram) == 0);
    sonde_histogram_record(&histogram, -5);
    sonde_histogram_record(&histogram, 2 * hour);
    sonde_histogram_record_times(&histogram, 1000, 3);
    assert_int_equal(histogram.total, 5);
    assert_int_equal(histogram.clipped, 1);
    assert_int_equal(histogram.minimum, 0);
    assert_int_equal(histogram.maximum, 2 * hour);
    assert_int_equal(sonde_histogram_quantile(&histogram, 0.5), 1000);
    assert_in_range(sonde_histogram_quantile(&histogram, 1), hour, hour + hour / 1000);
    assert_int_equal(sonde_histogram_count_to(&histogram, 999), 1);
    assert_int_equal(sonde_histogram_count_to(&histogram, 1000), 4);
    assert_int_equal(sonde_histogram_count_to(&histogram, -1), 0);
    assert_int_equal(sonde_histogram_count_to(&histogram, INT64_MAX), 5);
    sonde_histogram_clear(&histogram);
    assert_int_equal(histogram.total + histogram.clipped, 0);
    assert_int_equal(sonde_histogram_count_to(&histogram, INT64_MAX), 0);
    sonde_histogram_fini(&histogram);
}

static void assert_same(const struct sonde_histogram *a, const struct sonde_histogram *b)
{
    assert_int_equal(a->total, b->total);
    assert_int_equal(a->layout.count, b->layout.count);
    assert_memory_equal(a->counts, b->counts, a->layout.count * sizeof(*a->counts));
}

static void parts_add_up_exactly(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct sonde_histogram all;
    struct sonde_histogram sum;
    struct sonde_histogram part;
    struct sonde_err err = {0};
    make(&all);
    make(&sum);
    for (int i = 0; i < 5; i++) {
        make(&part);
        for (int k = 0; k < i * 100; k++) {
            int64_t value = any_value(&seed) + (k % 50 == 7 ? hour : 0);
            sonde_histogram_record(&all, value);
            sonde_histogram_record(&part, value);
        }
        assert_int_equal(sonde_histogram_add(&sum, &part, NULL), 0);
        sonde_histogram_fini(&part);
    }
    assert_same(&sum, &all);
    assert_int_equal(sum.clipped, all.clipped);
    assert_int_equal(sum.minimum, all.minimum);
    assert_int_equal(sum.maximum, all.maximum);
    struct sonde_histogram_layout other;
    assert_int_equal(sonde_histogram_layout(1, hour, 2, &other, NULL), 0);
    assert_int_equal(sonde_histogram_init(&part, &other, NULL), 0);
    assert_int_equal(sonde_histogram_add(&sum, &part, &err), SONDE_EINVALID);
    assert_true(err.message[0]);
    sonde_histogram_fini(&part);
    sonde_histogram_fini(&sum);
    sonde_histogram_fini(&all);
}

/* Of 1,000 samples drawn, the interval of 95 % misses the true quantile about 50 times. */
static void intervals_hold_what_they_say(void **state)
{
    (void)state;
    enum { RUNS = 1000, VALUES = 400 };
    uint64_t seed = test_seed();
    struct sonde_histogram histogram;
    int missed = 0;
    int64_t low;
    int64_t high;
    make(&histogram);
    for (int run = 0; run < RUNS; run++) {
        sonde_histogram_clear(&histogram);
        for (int i = 0; i < VALUES; i++) {
            sonde_histogram_record(&histogram, (int64_t)(sonde_random_next(&seed) % 1000000));
        }
        assert_true(sonde_histogram_interval(&histogram, 0.9, 0.95, &low, &high));
        missed += low > 900000 || high < 900000;
    }
    assert_in_range(missed, 10, 70);
    assert_false(sonde_histogram_is_scarce(&histogram, 0.9));
    assert_false(sonde_histogram_is_scarce(&histogram, 0.975));
    assert_true(sonde_histogram_is_scarce(&histogram, 0.99));
    assert_false(sonde_histogram_is_scarce(&histogram, 0.025));
    assert_true(sonde_histogram_is_scarce(&histogram, 0.01));
    /* The 99th percentile of 100 values has no upper end. */
    sonde_histogram_clear(&histogram);
    for (int i = 1; i <= 100; i++) {
        sonde_histogram_record(&histogram, i);
    }
    assert_false(sonde_histogram_interval(&histogram, 0.99, 0.95, &low, &high));
    assert_int_equal(high, 100);
    sonde_histogram_fini(&histogram);
}

/* ---- the wire ---- */

static void what_is_written_reads_back(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int count = 0; count < 3000; count = count * 3 + 1) {
        struct sonde_histogram before;
        struct sonde_histogram after;
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
        make(&before);
        for (int i = 0; i < count; i++) {
            uint64_t times = sonde_random_next(&seed) >> (8 + sonde_random_next(&seed) % 56);
            sonde_histogram_record_times(&before, any_value(&seed), times);
        }
        assert_int_equal(sonde_histogram_encode(&before, &text, NULL), 0);
        assert_true(sonde_str_starts(sonde_buf_view(&text), "HISTFAAA"));
        assert_int_equal(sonde_histogram_decode(sonde_buf_view(&text), &after, NULL), 0);
        assert_same(&after, &before);
        sonde_histogram_fini(&after);
        sonde_histogram_fini(&before);
    }
}

/* By both ways into a histogram that is there; packed, a sum is no longer than its parts. */
static void what_is_read_is_added(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int round = 0; round < 50; round++) {
        struct sonde_histogram parts[2];
        struct sonde_histogram sum;
        struct sonde_histogram read;
        struct sonde_histogram unpacked;
        SONDE_BUF_AUTO packed = SONDE_BUF(1 << 20);
        make(&sum);
        make(&read);
        make(&unpacked);
        size_t length = 0;
        for (int i = 0; i < 2; i++) {
            SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
            make(&parts[i]);
            for (int k = 0; k < round * 10; k++) {
                uint64_t times = sonde_random_next(&seed) >> (8 + sonde_random_next(&seed) % 56);
                sonde_histogram_record_times(&parts[i], any_value(&seed), times);
            }
            assert_int_equal(sonde_histogram_add(&sum, &parts[i], NULL), 0);
            assert_int_equal(sonde_histogram_encode(&parts[i], &text, NULL), 0);
            assert_int_equal(sonde_histogram_decode_into(sonde_buf_view(&text), &read, NULL), 0);
            sonde_buf_clear(&packed);
            sonde_histogram_pack(&parts[i], &packed);
            assert_int_equal(sonde_histogram_unpack(sonde_buf_view(&packed), &unpacked, NULL), 0);
            length += packed.length;
            sonde_histogram_fini(&parts[i]);
        }
        assert_same(&read, &sum);
        assert_same(&unpacked, &sum);
        sonde_buf_clear(&packed);
        sonde_histogram_pack(&sum, &packed);
        assert_true(packed.length <= length);
        sonde_histogram_fini(&sum);
        sonde_histogram_fini(&read);
        sonde_histogram_fini(&unpacked);
    }
}

/* Of another layout, or with more than the own can hold. */
static void what_does_not_fit_is_not_added(void **state)
{
    (void)state;
    struct sonde_histogram_layout layout;
    struct sonde_histogram other;
    struct sonde_histogram own;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    make(&own);
    assert_int_equal(sonde_histogram_layout(1, hour, 2, &layout, NULL), 0);
    assert_int_equal(sonde_histogram_init(&other, &layout, NULL), 0);
    sonde_histogram_record(&other, 7);
    assert_int_equal(sonde_histogram_encode(&other, &text, NULL), 0);
    assert_int_equal(sonde_histogram_decode_into(sonde_buf_view(&text), &own, &err), SONDE_EPARSE);
    assert_non_null(strstr(err.message, "2 digits, not"));
    assert_int_equal(own.total, 0);
    const unsigned char beyond[] = {0xff, 0xff, 0xff, 0x7f, 0x02}; /* a gap of 2^27, and one */
    const struct sonde_str packed = {(const char *)beyond, sizeof(beyond)};
    assert_int_equal(sonde_histogram_unpack(packed, &own, NULL), SONDE_EPARSE);
    sonde_histogram_fini(&other);
    sonde_histogram_fini(&own);
}

static void hostile_texts_are_refused(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct sonde_histogram histogram;
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    make(&histogram);
    for (int i = 0; i < 100; i++) {
        sonde_histogram_record(&histogram, any_value(&seed));
    }
    assert_int_equal(sonde_histogram_encode(&histogram, &text, NULL), 0);
    sonde_histogram_fini(&histogram);
    for (size_t length = 0; length < text.length - 4; length += 3) {
        struct sonde_err err = {0};
        int r = sonde_histogram_decode((struct sonde_str){text.data, length}, &histogram, &err);
        assert_int_equal(r, SONDE_EPARSE);
        assert_true(err.message[0]);
        assert_null(histogram.counts);
    }
    static const char *const bad[] = {"", "HISTFAAA", "HISTEwAAAA", "!", "AAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < SONDE_LENGTH(bad); i++) {
        assert_int_equal(sonde_histogram_decode(sonde_str(bad[i]), &histogram, NULL), SONDE_EPARSE);
    }
}

static void a_log_has_a_line_for_each_interval(void **state)
{
    (void)state;
    struct sonde_histogram histogram;
    SONDE_BUF_AUTO log = SONDE_BUF(1 << 16);
    make(&histogram);
    sonde_histogram_record(&histogram, 2769000);
    sonde_histogram_log_begin(INT64_C(1700000000) * SONDE_SECOND + 500 * SONDE_MILLISECOND, &log);
    assert_int_equal(sonde_histogram_log_add(&histogram, "response", 0, SONDE_SECOND, &log, NULL),
                     0);
    assert_int_equal(
        sonde_histogram_log_add(&histogram, NULL, SONDE_SECOND, SONDE_SECOND / 2, &log, NULL), 0);
    assert_non_null(strstr(log.data, "#[StartTime: 1700000000.500 (seconds since epoch)]\n"));
    assert_non_null(strstr(log.data, "\nTag=response,0.000,1.000,2.769,HISTFAAA"));
    assert_non_null(strstr(log.data, "\n1.000,0.500,2.769,HISTFAAA"));
    sonde_histogram_fini(&histogram);
}

static void distributions_are_those_of_the_tables(void **state)
{
    (void)state;
    static const struct {
        double share, degrees, deviations;
    } cases[] = {{0.95, 3, 3.1824}, {0.95, 4, 2.7764}, {0.95, 9, 2.2622},
                 {0.99, 5, 4.0321}, {0.9, 30, 1.6973}, {0.95, 1000, 1.9623}};
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        double found = sonde_student_deviations(cases[i].share, cases[i].degrees);
        assert_true(fabs(found / cases[i].deviations - 1) < 0.004);
    }
    assert_true(fabs(sonde_normal_deviations(0.95) - 1.959964) < 1e-6);
    assert_true(fabs(sonde_normal_beyond(1.959964) - 0.025) < 1e-6);
    assert_true(fabs(sonde_normal_beyond(0) - 0.5) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_are_those_of_hdr_histogram),
        cmocka_unit_test(layouts_that_cannot_be_are_refused),
        cmocka_unit_test(counters_cover_all_values),
        cmocka_unit_test(quantiles_are_those_of_the_sorted_values),
        cmocka_unit_test(what_is_beyond_is_counted),
        cmocka_unit_test(parts_add_up_exactly),
        cmocka_unit_test(intervals_hold_what_they_say),
        cmocka_unit_test(distributions_are_those_of_the_tables),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(what_is_read_is_added),
        cmocka_unit_test(what_does_not_fit_is_not_added),
        cmocka_unit_test(hostile_texts_are_refused),
        cmocka_unit_test(a_log_has_a_line_for_each_interval),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
