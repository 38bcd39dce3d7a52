/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "analysis/report.h"
#include "fail.h"

struct expected {
    struct sonde_profile profile;
    uint64_t text, json; /* hashes, once known */
};

static void make_profile(struct sonde_profile *profile)
{
    static const struct {
        const char *function, *url;
        uint32_t parent;
    } rows[] = {
        {"handler", "file:///srv/app/a.js", 0},
        {"query", "file:///srv/app/node_modules/db/lib/with/a/very/long/path/i.js", 1},
        {"parse", "", 1},
        {"(idle)", "", 0},
    };
    assert_int_equal(sonde_profile_init(profile, NULL), 0);
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        uint32_t frame;
        uint32_t node;
        assert_int_equal(sonde_profile_frame(profile, sonde_str(rows[i].function),
                                             sonde_str(rows[i].url), 5, 1, &frame, NULL),
                         0);
        assert_int_equal(sonde_profile_node(profile, rows[i].parent, frame, &node, NULL), 0);
        for (int k = 0; k < 200; k++) {
            assert_int_equal(sonde_profile_add_sample(profile, node, 1000, NULL), 0);
        }
        assert_int_equal(sonde_profile_add_ticks(profile, frame, 9, 3, NULL), 0);
    }
}

/* Success must be whole: a report that lacks a word because of a failure is wrong. */
static void assert_whole(const struct sonde_buf *text, uint64_t *hash)
{
    uint64_t now = sonde_hash(sonde_buf_view(text));
    assert_true(*hash == 0 || *hash == now);
    *hash = now;
}

static int analyze_and_report(void *context)
{
    struct expected *e = context;
    struct sonde_cpu_analysis analysis;
    int r = sonde_cpu_analyze(&e->profile, &analysis, NULL);
    if (r < 0) {
        return r;
    }
    struct sonde_report_capture capture = {"cpu", 1, &e->profile, &analysis};
    struct sonde_report report = {
        .name = "x",
        .uid = "0f7b1d3e",
        .state = "Succeeded",
        .reason = "Completed",
        .message = "said",
        .created = "now",
        .target = "process 7",
        .node_version = "v22",
        .directory = "/srv/app",
        .captures = &capture,
        .capture_count = 1,
        .cost = {.measured = true, .rotations = 3},
        .loop = {.measured = true},
    };
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO json = SONDE_BUF(1 << 20);
    sonde_report_text(&report, &text);
    sonde_report_json(&report, &json);
    sonde_cpu_analysis_fini(&analysis);
    if (text.code || json.code) {
        return text.code ? text.code : json.code;
    }
    assert_whole(&text, &e->text);
    assert_whole(&json, &e->json);
    return 0;
}

static void no_allocation_is_taken_for_granted(void **state)
{
    (void)state;
    struct expected e = {0};
    make_profile(&e.profile);
    fail_each_allocation(analyze_and_report, &e);
    sonde_profile_fini(&e.profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_allocation_is_taken_for_granted),
    };
    return cmocka_run_group_tests_name("analysis_fault", tests, NULL, NULL);
}
