/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "analysis/compare.h"
#include "base/random.h"
#include "codec/json.h"
#include "seed.h"
#include "tree.h"

#define APP(directory) "file://" directory "/routes/visits.js"
#define EXPRESS(directory) "file://" directory "/node_modules/express/i.js"

enum { PARTS = 4096, WINDOWS = 64 };

/* A capture whose windows are made one by one. */
struct capture {
    struct sonde_profile profile;
    uint32_t nodes[ROWS_MAX];
    struct sonde_compare_part parts[PARTS];
    size_t part_count;
    struct sonde_compare_window windows[WINDOWS];
    size_t window_count;
    struct sonde_compare_side side;
};

static struct capture *begin(const struct row *rows, size_t count, const char *directory,
                             enum sonde_profile_unit unit)
{
    struct row bare[ROWS_MAX];
    struct capture *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    for (size_t i = 0; i < count; i++) {
        bare[i] = rows[i];
        bare[i].self_us = 0;
    }
    assert_int_equal(sonde_profile_init(&c->profile, NULL), 0);
    assert_int_equal(sonde_profile_set_unit(&c->profile, unit, NULL), 0);
    add_rows(&c->profile, bare, count, c->nodes);
    c->side = (struct sonde_compare_side){.uid = "12345678-0000",
                                          .name = "run",
                                          .capture = "cpu",
                                          .directory = directory,
                                          .profile = &c->profile,
                                          .parts = c->parts,
                                          .windows = c->windows};
    return c;
}

/* Adds to a row in the window that is being made. */
static void add(struct capture *c, size_t row, int64_t amount)
{
    assert_true(c->part_count < PARTS);
    assert_int_equal(sonde_profile_add_amount(&c->profile, c->nodes[row], amount, 1, NULL), 0);
    c->parts[c->part_count++] = (struct sonde_compare_part){c->nodes[row], amount};
}

static void end_window(struct capture *c)
{
    size_t first = c->window_count ? c->windows[c->window_count - 1].first +
                                         c->windows[c->window_count - 1].count
                                   : 0;
    assert_true(c->window_count < WINDOWS);
    c->windows[c->window_count++] = (struct sonde_compare_window){first, c->part_count - first};
    c->side.window_count = c->window_count;
    c->profile.windows++;
}

static void end(struct capture *c)
{
    sonde_profile_fini(&c->profile);
    free(c);
}

static const struct sonde_compare_function *row_named(const struct sonde_comparison *c,
                                                      const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (sonde_str_is(c->functions[i].name, name)) {
            return &c->functions[i];
        }
    }
    fail_msg("no function %s", name);
    return NULL;
}

#define MS INT64_C(1000000)

/* handler → loadVisits → parse; of another place, with other lines, and recursion. */
static const struct row old_rows[] = {
    {"handler", APP("/srv/clinic"), 10, -1, 0},
    {"loadVisits", APP("/srv/clinic"), 41, 0, 0},
    {"parse", "", 0, 1, 0},
    {"old", EXPRESS("/srv/clinic"), 3, -1, 0},
    {"(idle)", "", 0, -1, 0},
};
static const struct row new_rows[] = {
    {"handler", APP("/app"), 12, -1, 0},
    {"loadVisits", APP("/app"), 52, 0, 0},
    {"parse", "", 0, 1, 0},
    {"fresh", EXPRESS("/app"), 9, -1, 0},
    {"(idle)", "", 0, -1, 0},
    {"handler", APP("/app"), 12, 2, 0},
};

/* Two captures of time of the example. */
static void begin_both(struct capture **before, struct capture **after)
{
    *before = begin(old_rows, SONDE_LENGTH(old_rows), "/srv/clinic", SONDE_PROFILE_NANOSECONDS);
    *after = begin(new_rows, SONDE_LENGTH(new_rows), "/app", SONDE_PROFILE_NANOSECONDS);
}

static void functions_are_matched_by_name_and_file(void **state)
{
    (void)state;
    struct sonde_comparison c;
    struct capture *before;
    struct capture *after;
    begin_both(&before, &after);
    /* One second: 50 ms, 100 ms, 200 ms; 10 ms; idle. */
    static const int64_t first[] = {50, 100, 200, 10, 640};
    for (size_t i = 0; i < SONDE_LENGTH(first); i++) {
        add(before, i, first[i] * MS);
    }
    end_window(before);
    /* Two seconds, so half as much for each of them. */
    static const int64_t second[] = {100, 200, 1000, 60, 600, 40};
    for (size_t i = 0; i < SONDE_LENGTH(second); i++) {
        add(after, i, second[i] * MS);
    }
    end_window(after);
    assert_int_equal(sonde_compare(&before->side, &after->side, &c, NULL), 0);

    const struct sonde_compare_function *parse = row_named(&c, "parse");
    assert_float_equal(parse->self.amounts[SONDE_BEFORE], 200, 1e-9);
    assert_float_equal(parse->self.amounts[SONDE_AFTER], 500, 1e-9);
    assert_float_equal(parse->self.shares[SONDE_BEFORE], 200.0 / 360, 1e-9);
    assert_float_equal(parse->self.shares[SONDE_AFTER], 1000.0 / 1400, 1e-9);
    assert_true(parse->self.margin < 0 && parse->self.share_margin < 0); /* of one window */
    const struct sonde_compare_function *load = row_named(&c, "loadVisits");
    assert_true(sonde_str_is(load->file, "routes/visits.js"));
    assert_int_equal(load->lines[SONDE_BEFORE], 41);
    assert_int_equal(load->lines[SONDE_AFTER], 52);
    assert_float_equal(sonde_compare_change(&load->self), 0, 1e-9);
    assert_float_equal(load->blamed.amounts[SONDE_BEFORE], 300, 1e-9);
    assert_float_equal(load->blamed.amounts[SONDE_AFTER], 600, 1e-9);
    /* Recursion is not counted twice. */
    const struct sonde_compare_function *handler = row_named(&c, "handler");
    assert_float_equal(handler->total.amounts[SONDE_AFTER], 670, 1e-9);
    assert_float_equal(handler->self.amounts[SONDE_AFTER], 70, 1e-9);
    const struct sonde_compare_function *old = row_named(&c, "old");
    const struct sonde_compare_function *fresh = row_named(&c, "fresh");
    assert_true(old->there[SONDE_BEFORE] && !old->there[SONDE_AFTER]);
    assert_true(!fresh->there[SONDE_BEFORE] && fresh->there[SONDE_AFTER]);
    assert_true(sonde_str_is(fresh->package, "express"));
    assert_int_equal(fresh->category, SONDE_CATEGORY_DEPENDENCY);
    /* What changed most comes first; by blame that is loadVisits. */
    assert_true(sonde_str_is(c.functions[0].name, "(idle)"));
    assert_true(sonde_str_is(c.functions[1].name, "parse"));
    assert_true(sonde_str_is(c.functions[c.by_blame[0]].name, "loadVisits"));
    assert_true(c.busy_known);
    assert_float_equal(c.busy.shares[SONDE_BEFORE], 0.36, 1e-9);
    assert_float_equal(c.busy.shares[SONDE_AFTER], 0.7, 1e-9);
    sonde_comparison_fini(&c);
    end(before);
    end(after);
}

/* Against numbers worked out by hand: windows of 1 s with 100, 120 and 110 ms, and of 1 s, 1 s and
 * 2 s with 200, 220 and 390 ms.
 * First ratio 0.11, residuals −0.01, 0.01, 0: s² = 1e-4, v = s² / 3 = 3.3333e-5.
 * Second ratio 0.2025, residuals −0.0025, 0.0175, −0.015: s² = 5.375e-4 / 2, mean of x 4/3:
 * v = 2.6875e-4 / (3 · 16/9) = 5.0391e-5.
 * Welch: ν = (8.3724e-5)² / (5.5556e-10 + 1.2696e-9) = 3.84 → t(3) = 3.182,
 * margin = 3.182 · √8.3724e-5 = 0.029115. */
static void the_interval_is_welchs_of_two_ratios(void **state)
{
    (void)state;
    struct sonde_comparison c;
    struct capture *before;
    struct capture *after;
    begin_both(&before, &after);
    static const struct {
        int64_t before, before_all, after, after_all;
    } windows[] = {{100, 1000, 200, 1000}, {120, 1000, 220, 1000}, {110, 1000, 390, 2000}};
    for (size_t i = 0; i < SONDE_LENGTH(windows); i++) {
        add(before, 1, windows[i].before * MS);
        add(before, 4, (windows[i].before_all - windows[i].before) * MS);
        end_window(before);
        add(after, 1, windows[i].after * MS);
        add(after, 4, (windows[i].after_all - windows[i].after) * MS);
        end_window(after);
    }
    assert_int_equal(sonde_compare(&before->side, &after->side, &c, NULL), 0);
    const struct sonde_compare_function *load = row_named(&c, "loadVisits");
    assert_float_equal(load->self.amounts[SONDE_BEFORE], 110, 1e-6);
    assert_float_equal(load->self.amounts[SONDE_AFTER], 202.5, 1e-6);
    assert_float_equal(load->self.margin, 29.115, 0.01);
    assert_float_equal(load->blamed.margin, load->self.margin, 1e-9);
    assert_float_equal(sonde_compare_sure(&load->self), (92.5 - load->self.margin), 1e-4);
    /* All of the busy time is its: that share does not vary. */
    assert_float_equal(load->self.share_margin, 0, 1e-6);
    assert_float_equal(c.busy.margin, 0.029115, 1e-5);
    sonde_comparison_fini(&c);
    end(before);
    end(after);
}

static void quantiles_are_those_of_the_tables(void **state)
{
    (void)state;
    static const struct {
        double freedom, t;
    } rows[] = {{0.5, 12.706}, {1, 12.706}, {2.9, 4.303}, {10, 2.228}, {30, 2.042},
                {40, 2.021},   {60, 2.000}, {120, 1.980}, {1e9, 1.960}};
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        assert_float_equal(sonde_student_t(rows[i].freedom), rows[i].t, 6e-4);
    }
}

/* Between −1 and 1, of mean 0: the sum of twelve even ones, nearly normal. */
static double noise(uint64_t *seed)
{
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        sum += (double)(sonde_random_next(seed) >> 11) / (double)(UINT64_C(1) << 53);
    }
    return (sum - 6) / 6;
}

static void add_noisy_windows(struct capture *c, int windows, uint64_t *seed)
{
    for (int i = 0; i < windows; i++) {
        int64_t load = (int64_t)((200 + 120 * noise(seed)) * (double)MS);
        add(c, 1, load);
        add(c, 4, 1000 * MS - load);
        end_window(c);
    }
}

/* Captures of one and the same service differ by chance alone: 95 of 100 intervals hold the truth.
 */
static void the_interval_holds_the_truth_as_often_as_it_says(void **state)
{
    (void)state;
    enum { ROUNDS = 1000 };
    uint64_t seed = test_seed();
    int held = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct sonde_comparison c;
        struct capture *before =
            begin(old_rows, SONDE_LENGTH(old_rows), "/srv/clinic", SONDE_PROFILE_NANOSECONDS);
        struct capture *after =
            begin(new_rows, SONDE_LENGTH(new_rows), "/app", SONDE_PROFILE_NANOSECONDS);
        add_noisy_windows(before, 4 + i % 5, &seed);
        add_noisy_windows(after, 6, &seed);
        assert_int_equal(sonde_compare(&before->side, &after->side, &c, NULL), 0);
        held += sonde_compare_sure(&row_named(&c, "loadVisits")->self) == 0;
        sonde_comparison_fini(&c);
        end(before);
        end(after);
    }
    /* Six standard deviations of a coin of 0.95; rounding freedom down makes it hold more often. */
    if (held < 909 || held > 991) {
        fail_msg("%d of %d intervals hold the truth", held, ROUNDS);
    }
}

static void bytes_are_compared_without_intervals(void **state)
{
    (void)state;
    struct sonde_comparison c;
    struct capture *before =
        begin(old_rows, SONDE_LENGTH(old_rows), "/srv/clinic", SONDE_PROFILE_BYTES);
    struct capture *after = begin(new_rows, SONDE_LENGTH(new_rows), "/app", SONDE_PROFILE_BYTES);
    add(before, 1, 3000000);
    end_window(before);
    end_window(before);
    add(after, 1, 9000000);
    add(after, 3, 1000000);
    end_window(after);
    end_window(after);
    assert_int_equal(sonde_compare(&before->side, &after->side, &c, NULL), 0);
    const struct sonde_compare_function *load = row_named(&c, "loadVisits");
    assert_float_equal(sonde_compare_change(&load->self), 6000000, 0.5);
    assert_true(load->self.margin < 0);
    assert_int_equal(c.wholes[SONDE_AFTER].amount, 10000000);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_comparison_text(&c, &text);
    static const char *const wanted[] = {
        "before  12345678  run  cpu: 3.00 MB allocated and still in use\n",
        "\n7.00 MB more\n",
        "   3.00 MB   9.00 MB  +6.00 MB  loadVisits                  routes/visits.js:52\n",
        "       new   1.00 MB  +1.00 MB  fresh                       node_modules/express/i.js:9\n",
    };
    for (size_t i = 0; i < SONDE_LENGTH(wanted); i++) {
        if (!strstr(text.data, wanted[i])) {
            fail_msg("'%s' is not in\n%s", wanted[i], text.data);
        }
    }
    sonde_comparison_fini(&c);
    end(before);
    end(after);
}

static void time_and_bytes_are_not_compared(void **state)
{
    (void)state;
    struct sonde_comparison c;
    struct sonde_err err = {0};
    struct capture *before = begin(old_rows, SONDE_LENGTH(old_rows), "", SONDE_PROFILE_NANOSECONDS);
    struct capture *after = begin(new_rows, SONDE_LENGTH(new_rows), "", SONDE_PROFILE_BYTES);
    assert_int_equal(sonde_compare(&before->side, &after->side, &c, &err), SONDE_EINVALID);
    assert_non_null(strstr(err.message, "--capture"));
    end(before);
    end(after);
}

static void empty_captures_are_compared(void **state)
{
    (void)state;
    struct sonde_comparison c;
    struct capture *before = begin(old_rows, 0, "", SONDE_PROFILE_NANOSECONDS);
    struct capture *after = begin(new_rows, 0, "", SONDE_PROFILE_NANOSECONDS);
    end_window(before);
    end_window(before);
    assert_int_equal(sonde_compare(&before->side, &after->side, &c, NULL), 0);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_comparison_text(&c, &text);
    assert_non_null(strstr(text.data, "no difference"));
    sonde_comparison_json(&c, &text);
    assert_int_equal(text.code, 0);
    sonde_comparison_fini(&c);
    end(before);
    end(after);
}

static void the_text_says_how_sure_it_is(void **state)
{
    (void)state;
    struct sonde_comparison c;
    struct capture *before;
    struct capture *after;
    begin_both(&before, &after);
    for (int64_t i = 0; i < 6; i++) {
        add(before, 1, (100 + i) * MS);
        add(before, 4, (900 - i) * MS);
        end_window(before);
        add(after, 1, (300 + 2 * i) * MS);
        add(after, 4, (700 - 2 * i) * MS);
        end_window(after);
    }
    assert_int_equal(sonde_compare(&before->side, &after->side, &c, NULL), 0);
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    sonde_comparison_text(&c, &text);
    static const char *const wanted[] = {
        "before  12345678  run  cpu: 6.0 s in 6 windows, busy 10.2 % of the time\n",
        "after   12345678  run  cpu: 6.0 s in 6 windows, busy 30.5 % of the time\n",
        "busy +20.2 % of the time ± 0.4: the second one works more\n",
        "     102.5     305.0    +202.5 ± 4.0    loadVisits                  routes/visits.js:52\n",
    };
    for (size_t i = 0; i < SONDE_LENGTH(wanted); i++) {
        if (!strstr(text.data, wanted[i])) {
            fail_msg("'%s' is not in\n%s", wanted[i], text.data);
        }
    }
    assert_null(strstr(text.data, "(idle)"));
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 20);
    sonde_comparison_json(&c, &json);
    SONDE_JSON_AUTO *root = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&json), &root, NULL), 0);
    assert_float_equal(sonde_json_number_or(root, "busyShareChange", 0), 0.2025, 1e-5);
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "functions"), 0);
    assert_string_equal(sonde_json_string_or(first, "function", ""), "loadVisits");
    const cJSON *self = cJSON_GetObjectItem(first, "self");
    assert_float_equal(sonde_json_number_or(self, "change", 0), 202.5, 1e-3);
    assert_true(sonde_json_number_or(self, "margin", -1) > 1);
    assert_float_equal(sonde_json_number_or(self, "shareAfter", 0), 1, 1e-5);
    sonde_comparison_fini(&c);
    end(before);
    end(after);
}

/* A name stands in memory once, however many functions are in the file. */
static void names_take_the_memory_of_one(void **state)
{
    (void)state;
    enum { LONG = 3000 };
    char url[LONG + 1];
    char names[ROWS_MAX][8];
    struct row rows[ROWS_MAX];
    struct sonde_comparison comparison;
    memset(url, 'u', LONG);
    url[LONG] = '\0';
    for (int i = 0; i < ROWS_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "f%d", i);
        rows[i] = (struct row){names[i], url, 1, -1, 0};
    }
    struct capture *both = begin(rows, ROWS_MAX, "", SONDE_PROFILE_NANOSECONDS);
    add(both, 0, MS);
    end_window(both);
    assert_int_equal(sonde_compare(&both->side, &both->side, &comparison, NULL), 0);
    assert_int_equal(comparison.count, ROWS_MAX + 1); /* with the root */
    assert_true(comparison.text.used < (size_t)2 * LONG);
    sonde_comparison_fini(&comparison);
    end(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_matched_by_name_and_file),
        cmocka_unit_test(the_interval_is_welchs_of_two_ratios),
        cmocka_unit_test(quantiles_are_those_of_the_tables),
        cmocka_unit_test(the_interval_holds_the_truth_as_often_as_it_says),
        cmocka_unit_test(bytes_are_compared_without_intervals),
        cmocka_unit_test(time_and_bytes_are_not_compared),
        cmocka_unit_test(empty_captures_are_compared),
        cmocka_unit_test(the_text_says_how_sure_it_is),
        cmocka_unit_test(names_take_the_memory_of_one),
    };
    return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
