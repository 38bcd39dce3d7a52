/* SPDX-License-Identifier: Apache-2.0 */
/* Random programs: a timeline of stacks is cut into overlapping windows, each written as V8
 * writes it (its own node ids), and read; a naive sum over the timeline says what must come out. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "profile/cpuprofile.h"
#include "profile_helpers.h"

enum { TREE = 40, MOMENTS = 400, ROUNDS = 150 };

struct program {
    int parent[TREE]; /* of node 0, the root: -1 */
    int name[TREE];   /* few names: siblings with one name are one node */
    int64_t time[MOMENTS + 1];
    int node[MOMENTS];
    int count;
};

static uint64_t below(uint64_t *seed, uint64_t limit)
{
    return sonde_random_next(seed) % limit;
}

/* With `apart`, no two samples are of one moment. */
static void make_program(struct program *p, bool apart, uint64_t *seed)
{
    p->parent[0] = -1;
    for (int i = 1; i < TREE; i++) {
        p->parent[i] = (int)below(seed, (uint64_t)i);
        p->name[i] = (int)below(seed, 6);
    }
    p->count = 2 + (int)below(seed, MOMENTS - 2);
    p->time[0] = (int64_t)below(seed, 1000000);
    for (int i = 0; i < p->count; i++) {
        p->node[i] = 1 + (int)below(seed, TREE - 1);
        p->time[i + 1] = p->time[i] + (int64_t)below(seed, 3000) + apart;
    }
}

static void write_node(const struct program *p, int n, int64_t base, bool children,
                       struct sonde_buf *text)
{
    sonde_buf_printf(text, "{\"id\":%" PRId64 ",\"callFrame\":{\"functionName\":\"", base + 3 * n);
    if (n == 0) {
        sonde_buf_text(text, "(root)\",\"url\":\"\",\"lineNumber\":-1,\"columnNumber\":-1}");
    } else {
        sonde_buf_printf(text, "f%d\",\"url\":\"file:///f.js\",\"lineNumber\":%d}", p->name[n],
                         p->name[n]);
    }
    const char *before = ",\"children\":[";
    for (int k = 1; k < TREE && children; k++) {
        if (p->parent[k] == n) {
            sonde_buf_printf(text, "%s%" PRId64, before, base + 3 * k);
            before = ",";
        }
    }
    sonde_buf_text(text, before[1] ? "" : "]");
    if (!children && n) {
        sonde_buf_printf(text, ",\"parent\":%" PRId64, base + 3 * p->parent[n]);
    }
    sonde_buf_char(text, '}');
}

/* The samples from `first` to before `last`; the window ends at `end`. Ids begin at a random
 * number and run backwards or forwards; nodes are shuffled; both forms of the tree are used. */
static void write_window(const struct program *p, int first, int last, int64_t end, uint64_t *seed,
                         struct sonde_buf *text)
{
    int order[TREE];
    bool children = below(seed, 2) == 0;
    int64_t base = (int64_t)below(seed, 1000);
    for (int i = 0; i < TREE; i++) {
        int other = (int)below(seed, (uint64_t)i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    sonde_buf_text(text, "{\"nodes\":[");
    for (int i = 0; i < TREE; i++) {
        sonde_buf_text(text, i ? "," : "");
        write_node(p, order[i], base, children, text);
    }
    int64_t start = p->time[first];
    sonde_buf_printf(text, "],\"startTime\":%" PRId64 ",\"endTime\":%" PRId64 ",\"samples\":[",
                     start, end);
    for (int i = first; i < last; i++) {
        sonde_buf_printf(text, "%s%" PRId64, i > first ? "," : "", base + 3 * p->node[i]);
    }
    sonde_buf_text(text, "],\"timeDeltas\":[");
    for (int i = first; i < last; i++) {
        sonde_buf_printf(text, "%s%" PRId64, i > first ? "," : "",
                         i > first ? p->time[i] - p->time[i - 1] : 0);
    }
    sonde_buf_text(text, "]}");
    assert_int_equal(text->code, 0);
}

/* The naive sum, into a second profile made by hand. */
static void sum_naively(const struct program *p, struct sonde_profile *profile)
{
    for (int i = 0; i < p->count; i++) {
        int path[TREE];
        int depth = 0;
        for (int n = p->node[i]; n != 0; n = p->parent[n]) {
            path[depth++] = p->name[n];
        }
        uint32_t node = 0;
        while (depth-- > 0) {
            char name[8];
            uint32_t frame;
            (void)snprintf(name, sizeof(name), "f%d", path[depth]);
            assert_int_equal(sonde_profile_frame(profile, sonde_str(name),
                                                 SONDE_STR("file:///f.js"), path[depth] + 1, 0,
                                                 &frame, NULL),
                             0);
            assert_int_equal(sonde_profile_node(profile, node, frame, &node, NULL), 0);
        }
        assert_int_equal(sonde_profile_add_sample(profile, node, p->time[i + 1] - p->time[i], NULL),
                         0);
    }
}

/* Windows that end inside a sample's time and begin up to three samples before that. */
static void read_in_windows(const struct program *p, struct sonde_profile *profile, uint64_t *seed)
{
    struct sonde_profile_source source = {0};
    int first = 0;
    for (bool done = false; !done;) {
        int last = first + 1 + (int)below(seed, 100);
        done = last >= p->count;
        last = done ? p->count : last;
        int64_t span = p->time[last] - p->time[last - 1];
        int64_t end = done ? p->time[last]
                           : p->time[last - 1] + (span ? (int64_t)below(seed, (uint64_t)span) : 0);
        SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
        write_window(p, first, last, end, seed, &text);
        struct sonde_err err = {0};
        int r = read_window(profile, &source, sonde_buf_view(&text), 1 + (size_t)below(seed, 5000),
                            &err);
        if (r != 0) {
            fail_msg("%s\n%s", err.message, text.data);
        }
        /* The sample in which it ended belongs to the next window too. */
        int back = 1 + (int)below(seed, 3);
        first = last - back > 0 ? last - back : 0;
    }
}

static void windows_sum_to_what_a_naive_sum_says(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int round = 0; round < ROUNDS; round++) {
        struct program p;
        struct sonde_profile profile;
        struct sonde_profile naive;
        struct sonde_profile again;
        bool apart = round % 2;
        make_program(&p, apart, &seed);
        assert_int_equal(sonde_profile_init(&profile, NULL), 0);
        assert_int_equal(sonde_profile_init(&naive, NULL), 0);
        assert_int_equal(sonde_profile_init(&again, NULL), 0);
        read_in_windows(&p, &profile, &seed);
        sum_naively(&p, &naive);
        assert_consistent(&profile);
        assert_int_equal(profile.start_us, p.time[0]);
        assert_int_equal(profile.end_us, p.time[p.count]);
        assert_same_times(&profile, &naive, apart);
        assert_false(profile.unordered);

        SONDE_BUF_AUTO written = SONDE_BUF(WRITTEN_MAX);
        struct sonde_output output = SONDE_OUTPUT(write_to_buf, &written);
        assert_int_equal(sonde_cpuprofile_write(&profile, &output, NULL), 0);
        assert_int_equal(read_window(&again, NULL, sonde_buf_view(&written), 0, NULL), 0);
        assert_consistent(&again);
        assert_same_times(&profile, &again, true);
        sonde_output_fini(&output);
        sonde_profile_fini(&profile);
        sonde_profile_fini(&naive);
        sonde_profile_fini(&again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(windows_sum_to_what_a_naive_sum_says)};
    return cmocka_run_group_tests_name("cpuprofile_model", tests, NULL, NULL);
}
